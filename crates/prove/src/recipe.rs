//! How a target is prepared, started, seeded and logged into: read from `solvent.toml`, else inferred.
//!
//! ```toml
//! [target]
//! root = "."                        # folder to run in, below the repository
//! python = "3.12"                   # version, or nothing
//! [target.prepare]
//! requirements = ["requirements.txt"]
//! dependencies = ["Flask==2.0.3"]   # instead of, or beside, requirement files
//! as_of = "2021-06-01"              # take no package uploaded later
//! setup = ["python db_init.py"]     # seeds; run once, without network
//! [target.start]
//! app = "shop.web:app"              # or "shop.web:create_app()"; or one of:
//! script = "app.py"
//! module = "shop"                   # python -m
//! console = "shop.cli:main"
//! command = ["python", "serve.py"]  # as it is, without our launcher
//! port = 5000
//! ready = "/"
//! timeout = 60                      # seconds
//! env = { MODE = "test" }
//! [login]
//! identity = "admin"
//! path = "/login"
//! encoding = "form"                 # or "json"
//! fields = { username = "admin", password = "secret" }
//! check = { cookie = "session", not_contains = "wrong password" }
//! token = { json = "/token", header = "Authorization", prefix = "Bearer " }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use solvent_base::Digest;
use toml::{Table, Value};

/// Bytes of a recipe file that are read.
pub const MAX_BYTES: usize = 256 << 10;
/// The file's name at the root of the repository.
pub const FILE_NAME: &str = "solvent.toml";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    File,
    Inferred,
}

impl Origin {
    pub fn word(self) -> &'static str {
        match self {
            Self::File => FILE_NAME,
            Self::Inferred => "inferred",
        }
    }
}

/// What is run. All but `Command` go through our launcher, which turns debug mode, the reloader and TLS off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// A WSGI application object, or a function that makes one.
    App {
        module: String,
        variable: String,
        factory: bool,
    },
    /// A file run as `__main__`, relative to the target's root.
    Script(String),
    /// `python -m`
    Module(String),
    /// A console script: `module:function`.
    Console { module: String, function: String },
    /// The application's own command, untouched; `python` stands for the prepared interpreter.
    Command(Vec<String>),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App {
                module,
                variable,
                factory,
            } => {
                write!(
                    f,
                    "app {module}:{variable}{}",
                    if *factory { "()" } else { "" }
                )
            }
            Self::Script(path) => write!(f, "script {path}"),
            Self::Module(name) => write!(f, "module {name}"),
            Self::Console { module, function } => write!(f, "console {module}:{function}"),
            Self::Command(argv) => write!(f, "command {}", argv.join(" ")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BodyEncoding {
    Form,
    Json,
}

/// A token that the login's answer holds and later requests carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRule {
    /// JSON pointer into the answer.
    pub json: String,
    pub header: String,
    pub prefix: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginRecipe {
    pub identity: String,
    pub path: String,
    pub method: String,
    pub encoding: BodyEncoding,
    /// Name and value; values never leave the recipe.
    pub fields: BTreeMap<String, String>,
    pub status: Vec<u16>,
    pub contains: Option<String>,
    pub not_contains: Option<String>,
    pub cookie: Option<String>,
    pub token: Option<TokenRule>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipe {
    pub origin: Origin,
    /// Folder to run in, relative to the repository; `.` for the root.
    pub root: String,
    /// `3.12`, or a constraint such as `>=3.8,<3.12`.
    pub python: Option<String>,
    /// Requirement files, relative to the repository.
    pub requirements: Vec<String>,
    /// Requirements as pip writes them.
    pub dependencies: Vec<String>,
    /// Folders to install as packages, relative to the repository.
    pub packages: Vec<String>,
    pub as_of: Option<String>,
    pub setup: Vec<Vec<String>>,
    pub start: Start,
    pub port: Option<u16>,
    pub ready: String,
    pub timeout_seconds: u64,
    pub env: BTreeMap<String, String>,
    pub login: Option<LoginRecipe>,
    /// What was guessed, in words; each is a limit of the proof.
    pub guesses: Vec<String>,
}

impl Recipe {
    /// The recipe as TOML with credentials and the values of its environment replaced, as a capsule embeds
    /// it. What a variable is called says too little about whether its value is a secret.
    pub fn public_text(&self) -> String {
        self.text(|_, _| "{{credential}}")
    }

    /// The recipe as TOML for the repository that it was inferred from: only what is named as a secret is
    /// replaced.
    pub fn file_text(&self) -> String {
        self.text(|name, value| {
            if secret_name(name) {
                "{{credential}}"
            } else {
                value
            }
        })
    }

    /// Values that must not leave the sandbox in words: credentials, and what of the environment could be one.
    pub fn secrets(&self) -> Vec<String> {
        let env = self
            .env
            .iter()
            .filter(|(name, value)| secret_name(name) || value.len() >= LONG_VALUE)
            .map(|(_, value)| value.clone());
        let login = self.login.iter().flat_map(|login| login.fields.values());
        env.chain(login.cloned()).collect()
    }

    fn text(&self, shown: for<'v> fn(&str, &'v str) -> &'v str) -> String {
        let mut text = String::new();
        let mut line = |s: String| {
            text.push_str(&s);
            text.push('\n');
        };
        let quote = |s: &str| Value::String(s.to_owned()).to_string();
        let list = |items: &[String]| {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|s| quote(s))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        line("[target]".into());
        line(format!("root = {}", quote(&self.root)));
        if let Some(python) = &self.python {
            line(format!("python = {}", quote(python)));
        }
        line("[target.prepare]".into());
        line(format!("requirements = {}", list(&self.requirements)));
        line(format!("dependencies = {}", list(&self.dependencies)));
        line(format!("packages = {}", list(&self.packages)));
        if let Some(as_of) = &self.as_of {
            line(format!("as_of = {}", quote(as_of)));
        }
        let setup: Vec<String> = self.setup.iter().map(|argv| list(argv)).collect();
        line(format!("setup = [{}]", setup.join(", ")));
        line("[target.start]".into());
        match &self.start {
            Start::App {
                module,
                variable,
                factory,
            } => {
                let call = if *factory { "()" } else { "" };
                line(format!(
                    "app = {}",
                    quote(&format!("{module}:{variable}{call}"))
                ));
            }
            Start::Script(path) => line(format!("script = {}", quote(path))),
            Start::Module(name) => line(format!("module = {}", quote(name))),
            Start::Console { module, function } => {
                line(format!(
                    "console = {}",
                    quote(&format!("{module}:{function}"))
                ));
            }
            Start::Command(argv) => line(format!("command = {}", list(argv))),
        }
        if let Some(port) = self.port {
            line(format!("port = {port}"));
        }
        line(format!("ready = {}", quote(&self.ready)));
        line(format!("timeout = {}", self.timeout_seconds));
        let env: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{} = {}", quote(name), quote(shown(name, value))))
            .collect();
        line(format!("env = {{ {} }}", env.join(", ")));
        if let Some(login) = &self.login {
            line("[login]".into());
            line(format!("identity = {}", quote(&login.identity)));
            line(format!("path = {}", quote(&login.path)));
            let fields: Vec<String> = login
                .fields
                .keys()
                .map(|name| format!("{} = {}", quote(name), quote("{{credential}}")))
                .collect();
            line(format!("fields = {{ {} }}", fields.join(", ")));
        }
        text
    }

    /// Digest of everything that decides how the target runs, credentials included.
    pub fn digest(&self) -> Digest {
        let login = format!("{:?}", self.login);
        let env = format!("{:?}", self.env);
        Digest::of_parts([
            self.public_text().as_bytes(),
            login.as_bytes(),
            env.as_bytes(),
        ])
    }
}

/// From this length on, in bytes, a value of the environment may be a secret whatever its name is.
const LONG_VALUE: usize = 8;

fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "password", "token", "key", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecipeError {
    TooLarge {
        bytes: usize,
    },
    Encoding,
    Syntax {
        message: String,
    },
    UnknownKey {
        key: String,
        nearest: Option<String>,
    },
    WrongType {
        key: String,
        wanted: &'static str,
    },
    /// A value that cannot be meant.
    Value {
        key: String,
        message: String,
    },
    /// Nothing in the repository says how to start it.
    NothingToStart {
        looked: Vec<String>,
    },
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "`{FILE_NAME}` has {bytes} bytes, at most {MAX_BYTES} are read"
                )
            }
            Self::Encoding => write!(f, "`{FILE_NAME}` is not UTF-8 text"),
            Self::Syntax { message } => {
                write!(
                    f,
                    "`{FILE_NAME}` is not whole or not TOML: {}",
                    message.trim().replace('\n', " ")
                )
            }
            Self::UnknownKey {
                key,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "`{FILE_NAME}` has unknown key `{key}`, did you mean `{nearest}`?"
                )
            }
            Self::UnknownKey { key, nearest: None } => {
                write!(f, "`{FILE_NAME}` has unknown key `{key}`")
            }
            Self::WrongType { key, wanted } => {
                write!(f, "`{key}` in `{FILE_NAME}` must be {wanted}")
            }
            Self::Value { key, message } => write!(f, "`{key}` in `{FILE_NAME}`: {message}"),
            Self::NothingToStart { looked } => write!(
                f,
                "nothing says how to start the application (looked for {}); write `[target.start]` with `app`, \
                 `script`, `module` or `command` into `{FILE_NAME}`",
                looked.join(", ")
            ),
        }
    }
}

impl std::error::Error for RecipeError {}

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

#[cfg(test)]
mod tests;
