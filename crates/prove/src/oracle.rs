//! What counts: effects, compared with the benign twin.
//!
//! Nothing here looks for text that a request carried. *Promises: control, no echo.*

use solvent_protocol::capsule::{self, Oracle};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::exec::{Fresh, Plan, Shot};
use crate::http::Answer;

/// Chance that a guess of 80 or more bits is right; what effects are counted with.
const EFFECT_LUCK: i32 = -80;

/// An effect and how it is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Effect {
    /// `the canary program ran, started by sh -c`
    pub text: String,
    pub evidence: Vec<String>,
    /// log2 of the chance that this one attempt shows the effect by luck.
    pub luck_log2: i32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Effect(Effect),
    Nothing(String),
    /// The control failed or the evidence cannot be read: neither yes nor no.
    Unknown(String),
}

/// Judges one attack shot against a twin shot, for oracles that need no more than these.
pub(crate) fn judge(plan: &Plan, twin: &Shot, attack: &Shot) -> Seen {
    match &plan.oracle {
        Oracle::CanaryProgram => judge_canary(twin, attack),
        Oracle::PlantedSecret { .. } => judge_secret(twin, attack),
        Oracle::PlantedWrite { .. } => judge_write(twin, attack),
        Oracle::SqlStructure { fragment, .. } => judge_sql(plan, fragment, twin, attack),
        Oracle::ExistenceBits { .. } | Oracle::BooleanBits { .. } => {
            Seen::Unknown("bits are judged over many shots".into())
        }
    }
}

fn judge_canary(twin: &Shot, attack: &Shot) -> Seen {
    if !twin.canaries.is_empty() {
        return Seen::Unknown("the benign twin runs the canary program too".into());
    }
    let Some(event) = attack.canaries.first() else {
        return Seen::Nothing("the canary program did not run".into());
    };
    let names: Vec<String> = event
        .ancestors
        .iter()
        .take(6)
        .map(|ancestor| {
            let argv: Vec<String> = ancestor
                .argv
                .iter()
                .take(2)
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect();
            let shown = match argv.as_slice() {
                [program, option] if option.starts_with('-') && option.len() < 4 => {
                    format!("{} {option}", base_name(program))
                }
                [program, ..] => base_name(program),
                [] => ancestor.comm.clone(),
            };
            String::from_utf8_lossy(&attack.fresh.mask(shown.as_bytes())).into_owned()
        })
        .collect();
    let parent = names
        .first()
        .cloned()
        .unwrap_or_else(|| "the application".into());
    Seen::Effect(Effect {
        text: format!("the canary program ran, started by `{parent}`"),
        evidence: vec![format!("process chain: canary < {}", names.join(" < "))],
        luck_log2: EFFECT_LUCK,
    })
}

fn base_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.chars()
        .take(40)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn judge_secret(twin: &Shot, attack: &Shot) -> Seen {
    let found = |shot: &Shot| {
        shot.answers
            .iter()
            .find_map(|answer| holds_secret(answer, &shot.fresh.secret))
    };
    if found(twin).is_some() {
        return Seen::Unknown("the benign twin is given the planted secret too".into());
    }
    match found(attack) {
        Some(form) => Seen::Effect(Effect {
            text: "the secret of a planted file came back".to_owned(),
            evidence: vec![format!(
                "a secret of 128 bits, never sent, was found in the answer {form}"
            )],
            luck_log2: -128,
        }),
        None => Seen::Nothing("the planted secret did not come back".into()),
    }
}

/// In which form the answer holds the secret. It is hexadecimal, so that escapes for HTML, JSON and URLs
/// leave it as it is; base64 is undone.
pub(crate) fn holds_secret(answer: &Answer, secret: &str) -> Option<&'static str> {
    let needle = secret.as_bytes();
    let find = |text: &[u8]| {
        text.windows(needle.len())
            .any(|w| w.eq_ignore_ascii_case(needle))
    };
    if find(&answer.body) {
        return Some("as it is");
    }
    if answer.headers.iter().any(|(_, value)| find(value)) {
        return Some("in a header");
    }
    let base64ish = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    for run in answer.body.split(|b| !base64ish(b)) {
        if run.len() >= 40 {
            let mut text: Vec<u8> = run
                .iter()
                .map(|b| match b {
                    b'-' => b'+',
                    b'_' => b'/',
                    b => *b,
                })
                .collect();
            if text.len() % 4 == 1 {
                text.pop();
            }
            use base64::Engine as _;
            if base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(&text)
                .is_ok_and(|decoded| find(&decoded))
            {
                return Some("in base64");
            }
        }
    }
    None
}

fn judge_write(twin: &Shot, attack: &Shot) -> Seen {
    if twin.written {
        return Seen::Unknown("the benign twin changes the planted file too".into());
    }
    if !attack.written {
        return Seen::Nothing("the planted file was not changed".into());
    }
    Seen::Effect(Effect {
        text: "a planted file outside the application was overwritten".to_owned(),
        evidence: vec!["a file under a fresh name of 80 bits, in a folder the application has no business in, has other content \
                        after the request; after the benign twin it has not".to_owned()],
        luck_log2: EFFECT_LUCK,
    })
}

/// One statement as the SQL sensor reports it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    pub text: String,
    pub error: Option<String>,
    pub rows: i64,
}

/// Statements of a shot, whole ones only. The target could write such lines itself; a target that lies for
/// its attacker's benefit is outside what a sensor can tell, which is why effects come first.
pub(crate) fn statements(shot: &Shot) -> Vec<Statement> {
    shot.sensors
        .iter()
        .filter_map(|event| {
            let value: serde_json::Value = serde_json::from_slice(&event.line).ok()?;
            if value.get("kind")?.as_str()? != "sql" || value.get("cut")?.as_bool()? {
                return None;
            }
            Some(Statement {
                text: value.get("text")?.as_str()?.to_owned(),
                error: value
                    .get("error")
                    .and_then(|e| e.as_str())
                    .map(str::to_owned),
                rows: value
                    .get("rows")
                    .and_then(serde_json::Value::as_i64)
                    .unwrap_or(-1),
            })
        })
        .collect()
}

/// Whether a sensor saw the shot's token in an argument of an effect (`open`, `exec`, `sql`).
pub(crate) fn token_arrived(shot: &Shot, kind: &str) -> bool {
    shot.sensors.iter().any(|event| {
        serde_json::from_slice::<serde_json::Value>(&event.line).is_ok_and(|value| {
            value.get("kind").and_then(|k| k.as_str()) == Some(kind)
                && value
                    .get("text")
                    .and_then(|t| t.as_str())
                    .is_some_and(|text| {
                        let text = text.to_ascii_lowercase();
                        text.contains(&shot.fresh.token)
                    })
        })
    })
}

/// Paths that a sensor saw opened and that hold `mark`, `.` and `..` taken out.
pub(crate) fn opened_paths(shot: &Shot, mark: &str) -> Vec<String> {
    shot.sensors
        .iter()
        .filter_map(|event| {
            let value: serde_json::Value = serde_json::from_slice(&event.line).ok()?;
            if value.get("kind")?.as_str()? != "open" {
                return None;
            }
            let path = plain_path(value.get("text")?.as_str()?);
            path.to_ascii_lowercase().contains(mark).then_some(path)
        })
        .collect()
}

/// Whether the planted file of this shot was opened below `directory`, whatever came back.
pub(crate) fn opened(shot: &Shot, directory: &str) -> bool {
    let wanted = format!("{}/", directory.trim_end_matches('/'));
    opened_paths(shot, &shot.fresh.file).iter().any(|path| {
        let absolute = format!(
            "/{}",
            path.trim_start_matches("../").trim_start_matches('/')
        );
        absolute.starts_with(&wanted)
    })
}

/// A path without `.`, `..` and doubled slashes, by its text alone.
fn plain_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

fn fill_fresh(text: &str, fresh: &Fresh) -> Option<String> {
    let filled = capsule::fill(text.as_bytes(), |name| {
        fresh.get(name).map(|v| v.as_bytes().to_vec())
    })
    .ok()?;
    String::from_utf8(filled).ok()
}

fn judge_sql(plan: &Plan, fragment: &str, twin: &Shot, attack: &Shot) -> Seen {
    let twin_value = plan
        .payloads
        .twin
        .first()
        .and_then(|value| fill_fresh(&String::from_utf8_lossy(&value.text.0), &twin.fresh))
        .unwrap_or_default();
    // Padding for transforms is not part of what must be found.
    let twin_value = [&twin.fresh.token, &twin.fresh.number]
        .into_iter()
        .find(|value| twin_value.contains(value.as_str()))
        .cloned()
        .unwrap_or(twin_value);
    let Some(core) = fill_fresh(fragment, &attack.fresh) else {
        return Seen::Unknown("the fragment has a placeholder that nothing fills".into());
    };
    let twins: Vec<Statement> = statements(twin);
    let carried = twins
        .iter()
        .any(|s| contains_ignoring_case(&s.text, &twin_value));
    if !carried {
        let attacked = statements(attack);
        let in_text = attacked
            .iter()
            .any(|s| contains_ignoring_case(&s.text, &core));
        return if !twins.is_empty() && !attacked.is_empty() && !in_text {
            // What a bound parameter looks like: statements run, and none holds the input.
            Seen::Nothing("statements are executed, and none holds the input in its text".into())
        } else {
            Seen::Unknown("no statement of the benign twin was seen".into())
        };
    }
    let mut shapes = Vec::new();
    for statement in &twins {
        match shape(&statement.text) {
            Some(tokens) => shapes.push(tokens.into_iter().map(|t| t.class).collect::<Vec<_>>()),
            None if contains_ignoring_case(&statement.text, &twin_value) => {
                return Seen::Unknown("a statement of the benign twin cannot be read".into());
            }
            None => {}
        }
    }
    let mut reason = "no statement holds the payload as SQL".to_owned();
    for statement in statements(attack) {
        let Some(at) = find_ignoring_case(&statement.text, &core) else {
            continue;
        };
        if let Some(error) = &statement.error {
            let error = attack.fresh.mask(error.as_bytes());
            reason = format!(
                "the changed statement was refused: {}",
                String::from_utf8_lossy(&error)
            );
            continue;
        }
        let Some(tokens) = shape(&statement.text) else {
            return Seen::Unknown("the statement with the payload cannot be read".into());
        };
        let spanned = tokens
            .iter()
            .filter(|t| t.start < at + core.len() && t.end > at)
            .count();
        if spanned < 2 {
            reason = "the payload arrived inside one token".to_owned();
            continue;
        }
        let classes: Vec<String> = tokens.into_iter().map(|t| t.class).collect();
        if shapes.contains(&classes) {
            reason = "the statement has the structure of the benign twin's".to_owned();
            continue;
        }
        let verb = classes.first().cloned().unwrap_or_default();
        let mut evidence = vec![
            format!(
                "structure of the statement executed: {}",
                shorten(&classes.join(" "))
            ),
            format!("the payload spans {spanned} tokens; in the benign twin it is one"),
        ];
        if statement.rows > 0 && matches!(verb.as_str(), "UPDATE" | "INSERT" | "DELETE") {
            evidence.push(format!("rows changed: {}", statement.rows));
        }
        return Seen::Effect(Effect {
            text: format!(
                "{} {verb} statement with a query of the attacker's inside was executed without error",
                article(&verb)
            ),
            evidence,
            luck_log2: EFFECT_LUCK,
        });
    }
    Seen::Nothing(reason)
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 300 {
        return text.to_owned();
    }
    let head: String = text.chars().take(297).collect();
    format!("{head}...")
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    find_ignoring_case(text, part).is_some()
}

fn find_ignoring_case(text: &str, part: &str) -> Option<usize> {
    if part.is_empty() || part.len() > text.len() {
        return None;
    }
    text.as_bytes()
        .windows(part.len())
        .position(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// One token: its class (values left out) and byte range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lexed {
    pub class: String,
    pub start: usize,
    pub end: usize,
}

/// The tokens of an SQLite statement without white space; `None` when it cannot be read.
pub(crate) fn shape(sql: &str) -> Option<Vec<Lexed>> {
    let dialect = SQLiteDialect {};
    let mut tokens = Vec::new();
    let lexed = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .ok()?;
    let mut lines = vec![0_usize];
    lines.extend(
        sql.bytes()
            .enumerate()
            .filter(|(_, b)| *b == b'\n')
            .map(|(at, _)| at + 1),
    );
    // Columns count characters, from one.
    let offset = |line: u64, column: u64| -> Option<usize> {
        let start = *lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(column).ok()?.checked_sub(1)?;
        let rest = sql.get(start..)?;
        Some(
            rest.char_indices()
                .nth(column)
                .map_or(sql.len(), |(at, _)| start + at),
        )
    };
    for token in lexed {
        let class = match &token.token {
            Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => {
                continue;
            }
            Token::Whitespace(_) => "comment".to_owned(),
            Token::EOF => continue,
            Token::Number(..) => "number".to_owned(),
            Token::SingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_) => "string".to_owned(),
            Token::DoubleQuotedString(_) => "quoted".to_owned(),
            Token::Word(word) if word.quote_style.is_some() => "quoted".to_owned(),
            Token::Word(word) if word.keyword != sqlparser::keywords::Keyword::NoKeyword => {
                word.value.to_ascii_uppercase()
            }
            Token::Word(_) => "name".to_owned(),
            Token::Placeholder(_) => "bound".to_owned(),
            other => other.to_string(),
        };
        let start = offset(token.span.start.line, token.span.start.column)?;
        let end = offset(token.span.end.line, token.span.end.column)?;
        tokens.push(Lexed { class, start, end });
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token;
    use solvent_protocol::capsule::{Payloads, Raw, Value};
    use solvent_sandbox::SensorEvent;

    fn shot(statements: &[(&str, Option<&str>)], fresh: &Fresh) -> Shot {
        Shot {
            fresh: fresh.clone(),
            answers: vec![Answer { status: 200, ..Answer::default() }],
            sent: Vec::new(),
            failure: None,
            canaries: Vec::new(),
            late: Vec::new(),
            sensors: statements
                .iter()
                .map(|(text, error)| {
                    let text = fill_fresh(text, fresh).expect("fills");
                    let line = serde_json::json!({"kind": "sql", "text": text, "error": error, "rows": 1, "cut": false});
                    SensorEvent { line: line.to_string().into_bytes() }
                })
                .collect(),
            written: false,
        }
    }

    const CORE: &str = "||(SELECT {{number}} AS {{token}})||";

    fn plan() -> Plan {
        let value = |text: &str| {
            vec![Value {
                name: "payload".into(),
                text: Raw::text(text),
                encode: vec![],
            }]
        };
        Plan {
            login: None,
            steps: Vec::new(),
            payloads: Payloads {
                twin: value("{{token}}"),
                attack: value(&format!("{{{{token}}}}'{CORE}'")),
                zero: Vec::new(),
            },
            oracle: Oracle::SqlStructure {
                dialect: "sqlite".into(),
                fragment: CORE.into(),
            },
        }
    }

    fn seen(twin: &str, attack: &str, error: Option<&str>) -> Seen {
        let (a, b) = (Fresh::new(), Fresh::new());
        judge(
            &plan(),
            &shot(&[(twin, None)], &a),
            &shot(&[(attack, error)], &b),
        )
    }

    const TWIN: &str = "SELECT * FROM t WHERE n = '{{token}}'";

    #[test]
    fn a_statement_with_another_structure_that_ran_is_an_effect() {
        let attack = format!("SELECT * FROM t WHERE n = '{{{{token}}}}'{CORE}''");
        let Seen::Effect(effect) = seen(TWIN, &attack, None) else {
            panic!("no effect")
        };
        assert!(effect.text.contains("SELECT"));
    }

    #[test]
    fn a_payload_escaped_or_bound_is_nothing() {
        let escaped = format!("SELECT * FROM t WHERE n = '{{{{token}}}}''{CORE}'''");
        assert!(matches!(seen(TWIN, &escaped, None), Seen::Nothing(_)));
        assert!(matches!(
            seen(TWIN, "SELECT * FROM t WHERE n = ?", None),
            Seen::Nothing(_)
        ));
    }

    #[test]
    fn a_statement_that_was_refused_is_nothing() {
        let attack = format!("SELECT * FROM t WHERE n = '{{{{token}}}}'{CORE}''");
        assert!(matches!(
            seen(TWIN, &attack, Some("OperationalError: near")),
            Seen::Nothing(_)
        ));
    }

    #[test]
    fn a_statement_that_cannot_be_read_is_unknown() {
        let attack = format!("SELECT '{{{{token}}}}'{CORE}");
        let broken = format!("{attack} 'unclosed");
        assert!(matches!(seen(TWIN, &broken, None), Seen::Unknown(_)));
    }

    #[test]
    fn a_twin_without_a_statement_proves_nothing() {
        let attack = format!("SELECT * FROM t WHERE n = '{{{{token}}}}'{CORE}''");
        assert!(matches!(seen("SELECT 1", &attack, None), Seen::Unknown(_)));
        let (a, b) = (Fresh::new(), Fresh::new());
        assert!(matches!(
            judge(&plan(), &shot(&[], &a), &shot(&[], &b)),
            Seen::Unknown(_)
        ));
    }

    #[test]
    fn a_secret_is_found_in_base64_and_an_echo_is_not_one() {
        use base64::Engine as _;
        let secret = token::secret();
        let body = |text: &[u8]| Answer {
            body: text.to_vec(),
            ..Answer::default()
        };
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("xx{secret}\n"));
        assert_eq!(
            holds_secret(&body(encoded.as_bytes()), &secret),
            Some("in base64")
        );
        assert_eq!(
            holds_secret(&body(format!("<b>{secret}").as_bytes()), &secret),
            Some("as it is")
        );
        assert_eq!(holds_secret(&body(b"../../slvabc"), &secret), None);
    }

    #[test]
    fn lexing_knows_quotes_comments_and_places() {
        let tokens = shape("SELECT 'é''x' -- c\n, \"q\"").expect("reads");
        let classes: Vec<&str> = tokens.iter().map(|t| t.class.as_str()).collect();
        assert_eq!(classes, ["SELECT", "string", "comment", ",", "quoted"]);
        assert_eq!(
            &"SELECT 'é''x' -- c\n, \"q\""[tokens[1].start..tokens[1].end],
            "'é''x'"
        );
    }
}
