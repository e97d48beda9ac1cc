//! Reads `solvent.toml`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{BodyEncoding, LoginRecipe, MAX_BYTES, RecipeError, Start, TokenRule};

/// What a recipe file says; whatever it leaves open is inferred.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Partial {
    pub root: Option<String>,
    pub python: Option<String>,
    pub requirements: Option<Vec<String>>,
    pub dependencies: Option<Vec<String>>,
    pub packages: Option<Vec<String>>,
    pub as_of: Option<String>,
    pub setup: Option<Vec<Vec<String>>>,
    pub start: Option<Start>,
    pub port: Option<u16>,
    pub ready: Option<String>,
    pub timeout_seconds: Option<u64>,
    pub env: BTreeMap<String, String>,
    pub login: Option<LoginRecipe>,
}

/// Reads the tables `target` and `login`; other tables belong to others, unless their name is a near miss.
pub fn parse(bytes: &[u8]) -> Result<Partial, RecipeError> {
    if bytes.len() > MAX_BYTES {
        return Err(RecipeError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| RecipeError::Encoding)?;
    let table: Table = text
        .parse()
        .map_err(|e: toml::de::Error| RecipeError::Syntax {
            message: e.to_string(),
        })?;
    let mut partial = Partial::default();
    for (key, value) in &table {
        match key.as_str() {
            "target" => parse_target(as_table(key, value)?, &mut partial)?,
            "login" => partial.login = Some(parse_login(as_table(key, value)?)?),
            other => {
                if let Some(nearest) = nearest(other, &["target", "login"]) {
                    return Err(RecipeError::UnknownKey {
                        key: other.to_owned(),
                        nearest: Some(nearest),
                    });
                }
            }
        }
    }
    Ok(partial)
}

fn parse_target(table: &Table, partial: &mut Partial) -> Result<(), RecipeError> {
    const KEYS: [&str; 4] = ["root", "python", "prepare", "start"];
    for (key, value) in table {
        let full = format!("target.{key}");
        match key.as_str() {
            "root" => partial.root = Some(relative(&full, as_text(&full, value)?)?),
            "python" => partial.python = Some(as_text(&full, value)?),
            "prepare" => parse_prepare(as_table(&full, value)?, partial)?,
            "start" => parse_start(as_table(&full, value)?, partial)?,
            _ => return Err(unknown("target", key, &KEYS)),
        }
    }
    Ok(())
}

fn parse_prepare(table: &Table, partial: &mut Partial) -> Result<(), RecipeError> {
    const KEYS: [&str; 5] = ["requirements", "dependencies", "packages", "as_of", "setup"];
    for (key, value) in table {
        let full = format!("target.prepare.{key}");
        match key.as_str() {
            "requirements" => {
                let files = as_texts(&full, value)?;
                partial.requirements = Some(
                    files
                        .into_iter()
                        .map(|file| relative(&full, file))
                        .collect::<Result<_, _>>()?,
                );
            }
            "dependencies" => {
                let items = as_texts(&full, value)?;
                if let Some(option) = items.iter().find(|item| item.trim_start().starts_with('-')) {
                    return Err(RecipeError::Value {
                        key: full,
                        message: format!("`{option}` is an option of pip, not a requirement"),
                    });
                }
                partial.dependencies = Some(items);
            }
            "packages" => {
                let items = as_texts(&full, value)?;
                partial.packages = Some(
                    items
                        .into_iter()
                        .map(|p| relative(&full, p))
                        .collect::<Result<_, _>>()?,
                );
            }
            "as_of" => {
                let date = match value {
                    Value::Datetime(date) => date.to_string(),
                    value => as_text(&full, value)?,
                };
                let shape: String = date
                    .chars()
                    .map(|c| if c.is_ascii_digit() { '0' } else { c })
                    .collect();
                if shape != "0000-00-00" {
                    return Err(RecipeError::Value {
                        key: full,
                        message: format!("`{date}` is not a date such as `2021-06-30`"),
                    });
                }
                partial.as_of = Some(date);
            }
            "setup" => {
                let Value::Array(items) = value else {
                    return Err(RecipeError::WrongType {
                        key: full,
                        wanted: "a list of commands",
                    });
                };
                let commands = items
                    .iter()
                    .map(|item| command(&full, item))
                    .collect::<Result<_, _>>()?;
                partial.setup = Some(commands);
            }
            _ => return Err(unknown("target.prepare", key, &KEYS)),
        }
    }
    Ok(())
}

fn parse_start(table: &Table, partial: &mut Partial) -> Result<(), RecipeError> {
    const KEYS: [&str; 9] = [
        "app", "script", "module", "console", "command", "port", "ready", "timeout", "env",
    ];
    for (key, value) in table {
        let full = format!("target.start.{key}");
        let start = match key.as_str() {
            "app" => Some(parse_app(&full, &as_text(&full, value)?)?),
            "script" => Some(Start::Script(relative(&full, as_text(&full, value)?)?)),
            "module" => Some(Start::Module(as_text(&full, value)?)),
            "console" => {
                let text = as_text(&full, value)?;
                let (module, function) =
                    text.split_once(':').ok_or_else(|| RecipeError::Value {
                        key: full.clone(),
                        message: "write it as `module:function`".into(),
                    })?;
                Some(Start::Console {
                    module: module.to_owned(),
                    function: function.to_owned(),
                })
            }
            "command" => Some(Start::Command(command(&full, value)?)),
            _ => None,
        };
        if let Some(start) = start {
            if let Some(other) = &partial.start {
                return Err(RecipeError::Value {
                    key: full,
                    message: format!("`{other}` is given too; one way to start is enough"),
                });
            }
            partial.start = Some(start);
            continue;
        }
        match key.as_str() {
            "port" => {
                let port = as_integer(&full, value)?;
                partial.port = Some(u16::try_from(port).ok().filter(|p| *p > 0).ok_or(
                    RecipeError::Value {
                        key: full,
                        message: format!("{port} is not a port"),
                    },
                )?);
            }
            "ready" => {
                let path = as_text(&full, value)?;
                if !path.starts_with('/') {
                    return Err(RecipeError::Value {
                        key: full,
                        message: "must begin with `/`".into(),
                    });
                }
                partial.ready = Some(path);
            }
            "timeout" => {
                let seconds = as_integer(&full, value)?;
                if !(1..=3600).contains(&seconds) {
                    return Err(RecipeError::Value {
                        key: full,
                        message: "must be between 1 and 3600 seconds".into(),
                    });
                }
                partial.timeout_seconds = Some(seconds.unsigned_abs());
            }
            "env" => {
                for (name, value) in as_table(&full, value)? {
                    let text = as_text(&format!("{full}.{name}"), value)?;
                    partial.env.insert(name.clone(), text);
                }
            }
            _ => return Err(unknown("target.start", key, &KEYS)),
        }
    }
    Ok(())
}

/// `module:variable` or `module:factory()`.
pub(crate) fn parse_app(key: &str, text: &str) -> Result<Start, RecipeError> {
    let wrong = || RecipeError::Value {
        key: key.to_owned(),
        message: format!("`{text}` is not `module:variable` or `module:factory()`"),
    };
    let (module, variable) = text.split_once(':').ok_or_else(wrong)?;
    let (variable, factory) = match variable.strip_suffix("()") {
        Some(name) => (name, true),
        None => (variable, false),
    };
    let dotted = |s: &str| {
        !s.is_empty()
            && s.split('.').all(|part| {
                !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            })
    };
    if !dotted(module) || !dotted(variable) {
        return Err(wrong());
    }
    Ok(Start::App {
        module: module.to_owned(),
        variable: variable.to_owned(),
        factory,
    })
}

fn parse_login(table: &Table) -> Result<LoginRecipe, RecipeError> {
    const KEYS: [&str; 7] = [
        "identity", "path", "method", "encoding", "fields", "check", "token",
    ];
    let mut login = LoginRecipe {
        identity: "user".to_owned(),
        path: String::new(),
        method: "POST".to_owned(),
        encoding: BodyEncoding::Form,
        fields: BTreeMap::new(),
        status: Vec::new(),
        contains: None,
        not_contains: None,
        cookie: None,
        token: None,
    };
    for (key, value) in table {
        let full = format!("login.{key}");
        match key.as_str() {
            "identity" => login.identity = as_text(&full, value)?,
            "path" => login.path = as_text(&full, value)?,
            "method" => login.method = as_text(&full, value)?.to_ascii_uppercase(),
            "encoding" => {
                login.encoding = match as_text(&full, value)?.as_str() {
                    "form" => BodyEncoding::Form,
                    "json" => BodyEncoding::Json,
                    other => {
                        return Err(RecipeError::Value {
                            key: full,
                            message: format!("`{other}` is not `form` or `json`"),
                        });
                    }
                };
            }
            "fields" => {
                for (name, value) in as_table(&full, value)? {
                    let text = as_text(&format!("{full}.{name}"), value)?;
                    login.fields.insert(name.clone(), text);
                }
            }
            "check" => parse_check(as_table(&full, value)?, &mut login)?,
            "token" => login.token = Some(parse_token(as_table(&full, value)?)?),
            _ => return Err(unknown("login", key, &KEYS)),
        }
    }
    if !login.path.starts_with('/') {
        return Err(RecipeError::Value {
            key: "login.path".into(),
            message: "give the path that the login form posts to, beginning with `/`".into(),
        });
    }
    if login.fields.is_empty() {
        return Err(RecipeError::Value {
            key: "login.fields".into(),
            message: "give the fields of the login, for example `{ username = \"..\", password = \"..\" }`"
                .into(),
        });
    }
    Ok(login)
}

fn parse_check(table: &Table, login: &mut LoginRecipe) -> Result<(), RecipeError> {
    const KEYS: [&str; 4] = ["status", "contains", "not_contains", "cookie"];
    for (key, value) in table {
        let full = format!("login.check.{key}");
        match key.as_str() {
            "status" => {
                let items = match value {
                    Value::Array(items) => items.clone(),
                    other => vec![other.clone()],
                };
                for item in &items {
                    let status = as_integer(&full, item)?;
                    login
                        .status
                        .push(u16::try_from(status).map_err(|_| RecipeError::Value {
                            key: full.clone(),
                            message: format!("{status} is not a status code"),
                        })?);
                }
            }
            "contains" => login.contains = Some(as_text(&full, value)?),
            "not_contains" => login.not_contains = Some(as_text(&full, value)?),
            "cookie" => login.cookie = Some(as_text(&full, value)?),
            _ => return Err(unknown("login.check", key, &KEYS)),
        }
    }
    Ok(())
}

fn parse_token(table: &Table) -> Result<TokenRule, RecipeError> {
    const KEYS: [&str; 3] = ["json", "header", "prefix"];
    let mut rule = TokenRule {
        json: "/token".to_owned(),
        header: "Authorization".to_owned(),
        prefix: String::new(),
    };
    for (key, value) in table {
        let full = format!("login.token.{key}");
        let text = as_text(&full, value)?;
        match key.as_str() {
            "json" => rule.json = text,
            "header" => rule.header = text,
            "prefix" => rule.prefix = text,
            _ => return Err(unknown("login.token", key, &KEYS)),
        }
    }
    Ok(rule)
}

fn unknown(table: &str, key: &str, keys: &[&str]) -> RecipeError {
    RecipeError::UnknownKey {
        key: format!("{table}.{key}"),
        nearest: nearest(key, keys),
    }
}

fn as_table<'a>(key: &str, value: &'a Value) -> Result<&'a Table, RecipeError> {
    value.as_table().ok_or(RecipeError::WrongType {
        key: key.to_owned(),
        wanted: "a table",
    })
}

fn as_text(key: &str, value: &Value) -> Result<String, RecipeError> {
    match value {
        Value::String(text) if text.contains('\0') => Err(RecipeError::Value {
            key: key.to_owned(),
            message: "a zero byte cannot be meant".into(),
        }),
        Value::String(text) => Ok(text.clone()),
        _ => Err(RecipeError::WrongType {
            key: key.to_owned(),
            wanted: "text in quotes",
        }),
    }
}

fn as_texts(key: &str, value: &Value) -> Result<Vec<String>, RecipeError> {
    match value {
        Value::Array(items) => items.iter().map(|item| as_text(key, item)).collect(),
        _ => Err(RecipeError::WrongType {
            key: key.to_owned(),
            wanted: "a list of texts",
        }),
    }
}

fn as_integer(key: &str, value: &Value) -> Result<i64, RecipeError> {
    value.as_integer().ok_or(RecipeError::WrongType {
        key: key.to_owned(),
        wanted: "a number",
    })
}

/// A command as a list, or as one text split at spaces; quotes need the list.
fn command(key: &str, value: &Value) -> Result<Vec<String>, RecipeError> {
    let argv = match value {
        Value::Array(_) => as_texts(key, value)?,
        Value::String(text) if text.contains(['"', '\'', '|', ';', '&', '<', '>', '$', '`']) => {
            return Err(RecipeError::Value {
                key: key.to_owned(),
                message: format!(
                    "`{text}` needs a shell; write it as a list such as [\"sh\", \"-c\", \"..\"]"
                ),
            });
        }
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        _ => {
            return Err(RecipeError::WrongType {
                key: key.to_owned(),
                wanted: "a command as text or as a list of texts",
            });
        }
    };
    if argv.is_empty() {
        return Err(RecipeError::Value {
            key: key.to_owned(),
            message: "an empty command".into(),
        });
    }
    Ok(argv)
}

/// A path below the repository.
fn relative(key: &str, text: String) -> Result<String, RecipeError> {
    if text.is_empty() || text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(RecipeError::Value {
            key: key.to_owned(),
            message: format!("`{text}` must be a path below the repository"),
        });
    }
    Ok(text)
}

/// The candidate at most two edits away, when there is one.
fn nearest(word: &str, candidates: &[&str]) -> Option<String> {
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(d, candidate)| *d <= 2 && *d < candidate.len())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein distance; words of a recipe are short, so the plain table will do.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (corner + usize::from(x != *y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
