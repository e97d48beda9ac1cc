//! The reproducer file, `solvent.capsule/v1`: what to send, what must happen, and what must not.
//!
//! A capsule is a working exploit. It holds no used token, no credential and no personal data: each of
//! them is a placeholder, `{{name}}`, filled with a fresh value at every replay. Attack and benign twin
//! share their steps byte for byte and differ only in [`Payloads`], so a twin cannot drift from its attack.
//!
//! Placeholders that the replayer fills by itself are in [`BUILTIN`]; `{{credential.NAME}}` comes from the
//! recipe of the target, `{{capture.NAME}}` from an earlier answer. All other names must be payload values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

/// The only schema this reader knows.
pub const SCHEMA: &str = "solvent.capsule/v1";

/// Bytes of a capsule file. Ten steps of 64 KiB in base64, and room for the recipe.
pub const MAX_BYTES: usize = 1 << 20;

/// Steps of one capsule, login included.
pub const MAX_STEPS: usize = 32;

/// Placeholders that the replayer fills: a fresh token for this request, the fresh name of the canary
/// program, the fresh name of the planted file or directory, two random numbers, the address of the target, and the
/// cookies that the login left.
pub const BUILTIN: [&str; 7] = [
    "token",
    "canary",
    "file",
    "number",
    "other_number",
    "host",
    "session_cookies",
];

/// Bytes that are text in JSON where they can be, `{"base64": ".."}` where not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Raw(pub Vec<u8>);

impl Raw {
    pub fn text(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawForm {
    Text(String),
    Base64 { base64: String },
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => RawForm::Text(text.to_owned()).serialize(serializer),
            Err(_) => RawForm::Base64 {
                base64: STANDARD.encode(&self.0),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match RawForm::deserialize(deserializer)? {
            RawForm::Text(text) => Ok(Self(text.into_bytes())),
            RawForm::Base64 { base64 } => STANDARD
                .decode(base64)
                .map(Self)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// How a value is written where its placeholder stands, applied in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// `%xx` for everything but unreserved characters (RFC 3986, 2.3).
    Percent,
    /// As `percent`, and a space is `+`.
    Form,
    /// Inside a JSON string.
    Json,
    Base64,
    Base64Url,
    /// A quoted cookie value, with octal escapes for what a cookie cannot hold (as Python's `http.cookies` and
    /// werkzeug read it); unquoted where nothing needs it.
    Cookie,
}

impl Encode {
    pub fn apply(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Percent => percent(bytes, b"%20"),
            Self::Form => percent(bytes, b"+"),
            Self::Json => {
                let text = String::from_utf8_lossy(bytes);
                let quoted = serde_json::Value::from(text.as_ref()).to_string();
                quoted.as_bytes()[1..quoted.len() - 1].to_vec()
            }
            Self::Base64 => STANDARD.encode(bytes).into_bytes(),
            Self::Base64Url => URL_SAFE.encode(bytes).into_bytes(),
            Self::Cookie => cookie(bytes),
        }
    }
}

fn cookie(bytes: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b';' | b'\\');
    if bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut out = vec![b'"'];
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            byte if plain(byte) || *byte == b' ' => out.push(*byte),
            byte => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    out.push(b'"');
    out
}

fn percent(bytes: &[u8], space: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            b' ' => out.extend_from_slice(space),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

/// One named text that differs between attack and twin. The text may hold built-in placeholders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    pub name: String,
    pub text: Raw,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encode: Vec<Encode>,
}

/// The values per variant. `attack` and `twin` are always there; bit oracles have `one` and `zero`,
/// and use `attack` for neither.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payloads {
    pub twin: Vec<Value>,
    pub attack: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zero: Vec<Value>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CaptureFrom {
    /// A header of the answer, by name, case ignored.
    Header(String),
    /// A cookie that the answer sets.
    Cookie(String),
    /// A JSON pointer (RFC 6901) into the body.
    Json(String),
    /// The value of the first HTML `input` or `meta` with this name.
    HtmlInput(String),
    /// Text between two marks, the first that is found.
    Between { before: String, after: String },
}

/// A value read from an answer, used later as `{{capture.NAME}}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub name: String,
    pub from: CaptureFrom,
}

/// One request, written as given. `content-length` is added when the body is not empty and no header
/// of that name is given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub method: String,
    /// Path and query, byte for byte.
    pub target: Raw,
    pub headers: Vec<(Raw, Raw)>,
    #[serde(default, skip_serializing_if = "raw_is_empty")]
    pub body: Raw,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
}

fn raw_is_empty(raw: &Raw) -> bool {
    raw.0.is_empty()
}

/// What an answer must be for a login to count as held.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Allowed status codes; empty for any below 400.
    #[serde(default)]
    pub status: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_contains: Option<String>,
    /// A cookie that must have been set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The identity's name in the recipe.
    pub identity: String,
    pub steps: Vec<Step>,
    /// Held against the last step's answer.
    pub check: Check,
}

/// What decides, and its parameters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Oracle {
    /// A canary program under the fresh name `{{canary}}` was executed.
    CanaryProgram,
    /// A 128-bit secret planted in the file `directory/{{file}}extension` came back.
    PlantedSecret {
        directory: String,
        extension: String,
    },
    /// The file `directory/{{file}}extension` was created or changed. `existing` plants it before.
    PlantedWrite {
        directory: String,
        extension: String,
        existing: bool,
    },
    /// `bits` random bits, each a file that is there or not, are predicted by the answers.
    ExistenceBits {
        directory: String,
        extension: String,
        bits: u32,
    },
    /// A statement that was executed without error has another token structure than the twin's, and holds
    /// `fragment` (placeholders allowed) spanning more than one token.
    SqlStructure { dialect: String, fragment: String },
    /// `bits` random bits, each the truth of a condition, are predicted by the answers.
    BooleanBits { bits: u32 },
}

impl Oracle {
    /// The word used in records and pages.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CanaryProgram => "canary-program",
            Self::PlantedSecret { .. } => "planted-secret",
            Self::PlantedWrite { .. } => "planted-write",
            Self::ExistenceBits { .. } => "existence-bits",
            Self::SqlStructure { .. } => "sql-structure",
            Self::BooleanBits { .. } => "boolean-bits",
        }
    }

    /// Whether the oracle compares two kinds of attack rather than attack and twin.
    pub fn is_bits(&self) -> bool {
        matches!(self, Self::ExistenceBits { .. } | Self::BooleanBits { .. })
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Of the source tree that was attacked, `sha256:..`.
    pub digest: String,
    /// Of the recipe, `sha256:..`.
    pub recipe_digest: String,
    /// The recipe as TOML, credentials replaced by placeholders.
    pub recipe: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    pub schema: String,
    /// Fingerprint of the finding, 64 hexadecimal digits; empty when there was none.
    pub fingerprint: String,
    pub weakness: String,
    pub title: String,
    /// `file:line` of the sink, or empty.
    pub sink: String,
    pub target: Target,
    /// `anonymous`, or the identity of the login.
    pub role: String,
    /// `P0` or `P1`.
    pub tier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    pub steps: Vec<Step>,
    pub payloads: Payloads,
    pub oracle: Oracle,
    /// One sentence: what is seen when it works.
    pub expect: String,
    /// Status with which the twin was answered. A twin that is answered by another class of status at replay
    /// does not reach what it reached, so the replay says nothing.
    pub twin_status: u16,
    /// Every deviation from how the application runs on its own.
    #[serde(default)]
    pub limits: Vec<String>,
}

/// Why a text is not a capsule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CapsuleError {
    TooLarge {
        bytes: usize,
    },
    Unreadable {
        message: String,
    },
    UnknownSchema {
        found: String,
    },
    /// Well-formed JSON that breaks a rule of the format.
    Invalid {
        message: String,
    },
}

impl fmt::Display for CapsuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "the capsule has {bytes} bytes, at most {MAX_BYTES} are read"
                )
            }
            Self::Unreadable { message } => write!(
                f,
                "the capsule is not whole or was edited: {message}; take it again from the ledger"
            ),
            Self::UnknownSchema { found } => write!(
                f,
                "the capsule has schema `{found}`, this version reads `{SCHEMA}`"
            ),
            Self::Invalid { message } => write!(f, "the capsule breaks its own rules: {message}"),
        }
    }
}

impl std::error::Error for CapsuleError {}

/// Reads and checks a capsule.
pub fn parse(bytes: &[u8]) -> Result<Capsule, CapsuleError> {
    if bytes.len() > MAX_BYTES {
        return Err(CapsuleError::TooLarge { bytes: bytes.len() });
    }
    #[derive(Deserialize)]
    struct Head {
        schema: Option<String>,
    }
    let unreadable = |error: serde_json::Error| CapsuleError::Unreadable {
        message: error.to_string(),
    };
    let head: Head = serde_json::from_slice(bytes).map_err(unreadable)?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {}
        found => {
            return Err(CapsuleError::UnknownSchema {
                found: found.unwrap_or_default().to_owned(),
            });
        }
    }
    let capsule: Capsule = serde_json::from_slice(bytes).map_err(unreadable)?;
    check(&capsule)?;
    Ok(capsule)
}

/// Pretty JSON with a final line break.
pub fn render(capsule: &Capsule) -> String {
    let mut text = serde_json::to_string_pretty(capsule).unwrap_or_default();
    text.push('\n');
    text
}

/// The rules that the types do not say.
pub fn check(capsule: &Capsule) -> Result<(), CapsuleError> {
    let invalid = |message: String| Err(CapsuleError::Invalid { message });
    let login_steps = capsule.login.as_ref().map_or(0, |login| login.steps.len());
    if capsule.steps.is_empty() || capsule.steps.len() + login_steps > MAX_STEPS {
        return invalid(format!("between 1 and {MAX_STEPS} steps are allowed"));
    }
    if !matches!(capsule.tier.as_str(), "P0" | "P1") {
        return invalid(format!("tier `{}` is not `P0` or `P1`", capsule.tier));
    }
    if let Oracle::ExistenceBits { bits, .. } | Oracle::BooleanBits { bits } = capsule.oracle
        && !(8..=64).contains(&bits)
    {
        return invalid(format!("{bits} bits are asked for, 8 to 64 are allowed"));
    }
    if let Oracle::PlantedSecret {
        directory,
        extension,
    }
    | Oracle::PlantedWrite {
        directory,
        extension,
        ..
    }
    | Oracle::ExistenceBits {
        directory,
        extension,
        ..
    } = &capsule.oracle
        && (!directory.starts_with('/')
            || directory.split('/').any(|part| part == "..")
            || extension.contains('/'))
    {
        return invalid(
            "the planted place must be an absolute folder and a plain extension".into(),
        );
    }
    let names = |values: &[Value]| {
        values
            .iter()
            .map(|v| v.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let attack = names(&capsule.payloads.attack);
    if attack != names(&capsule.payloads.twin) {
        return invalid("attack and twin name different values".into());
    }
    if attack.iter().any(|name| BUILTIN.contains(&name.as_str())) {
        return invalid("a payload value has the name of a built-in placeholder".into());
    }
    if matches!(capsule.oracle, Oracle::BooleanBits { .. })
        && attack != names(&capsule.payloads.zero)
    {
        return invalid("a boolean oracle needs the same values for zero".into());
    }
    for values in [
        &capsule.payloads.attack,
        &capsule.payloads.twin,
        &capsule.payloads.zero,
    ] {
        for value in values {
            for name in placeholders(&value.text.0) {
                if !BUILTIN.contains(&name.as_str()) {
                    return invalid(format!("payload `{}` uses unknown `{name}`", value.name));
                }
            }
        }
    }
    let mut captured = BTreeSet::new();
    let steps = capsule
        .login
        .iter()
        .flat_map(|login| &login.steps)
        .chain(&capsule.steps);
    for step in steps {
        for name in step_placeholders(step) {
            let known = BUILTIN.contains(&name.as_str())
                || attack.contains(&name)
                || name.starts_with("credential.")
                || name
                    .strip_prefix("capture.")
                    .is_some_and(|n| captured.contains(n));
            if !known {
                return invalid(format!("a step uses `{{{{{name}}}}}`, which nothing fills"));
            }
        }
        if step.method.is_empty() || !step.method.bytes().all(|b| b.is_ascii_alphabetic()) {
            return invalid(format!("`{}` is not a method", step.method));
        }
        captured.extend(step.captures.iter().map(|capture| capture.name.clone()));
    }
    Ok(())
}

fn step_placeholders(step: &Step) -> BTreeSet<String> {
    let mut names = placeholders(&step.target.0);
    for (name, value) in &step.headers {
        names.extend(placeholders(&name.0));
        names.extend(placeholders(&value.0));
    }
    names.extend(placeholders(&step.body.0));
    names
}

/// Names of all placeholders in `bytes`.
pub fn placeholders(bytes: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for piece in pieces(bytes) {
        if let Piece::Placeholder(name) = piece {
            names.insert(name.to_owned());
        }
    }
    names
}

/// `bytes` with each placeholder replaced by `fill(name)`; the first name that nothing fills is the error.
pub fn fill(
    bytes: &[u8],
    mut fill: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(bytes.len());
    for piece in pieces(bytes) {
        match piece {
            Piece::Literal(literal) => out.extend_from_slice(literal),
            Piece::Placeholder(name) => {
                out.extend_from_slice(&fill(name).ok_or_else(|| name.to_owned())?);
            }
        }
    }
    Ok(out)
}

enum Piece<'a> {
    Literal(&'a [u8]),
    Placeholder(&'a str),
}

/// `{{name}}` with a name of `[a-z0-9_.-]`, at most 64; any other braces are literal.
fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        if &bytes[at..at + 2] == b"{{" {
            let start = at + 2;
            let mut end = start;
            while end < bytes.len()
                && end - start <= 64
                && matches!(bytes[end], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-')
            {
                end += 1;
            }
            if end > start
                && bytes.get(end..end + 2) == Some(b"}}")
                && let Ok(name) = std::str::from_utf8(&bytes[start..end])
            {
                if at > literal {
                    out.push(Piece::Literal(&bytes[literal..at]));
                }
                out.push(Piece::Placeholder(name));
                at = end + 2;
                literal = at;
                continue;
            }
        }
        at += 1;
    }
    if literal < bytes.len() {
        out.push(Piece::Literal(&bytes[literal..]));
    }
    out
}

/// A bash script that sends the attack with curl against an instance the reader runs. Tokens are shell
/// variables; what the reader must plant or watch is said in comments.
pub fn curl(capsule: &Capsule) -> String {
    let mut out = String::from("#!/usr/bin/env bash\n");
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!(
        "# {}: {}",
        comment(&capsule.weakness),
        comment(&capsule.title)
    ));
    line(&format!("# works when: {}", comment(&capsule.expect)));
    line("# run it only against an application that you started yourself");
    line("set -euo pipefail");
    line("HOST=${HOST:-127.0.0.1:5000}");
    line("fresh() { head -c 10 /dev/urandom | od -An -tx1 | tr -d ' \\n'; }");
    line("token=slv$(fresh); canary=slv$(fresh); file=slv$(fresh)");
    line("number=$((RANDOM % 9000 + 1000)); other_number=$((number + 1 + RANDOM % 99))");
    line("jar=$(mktemp); trap 'rm -f \"$jar\"' EXIT");
    match &capsule.oracle {
        Oracle::CanaryProgram => {
            line(
                "# put an executable named $canary on the PATH of the application, and watch it run:",
            );
            line("echo \"canary program: $canary\"");
        }
        Oracle::PlantedSecret {
            directory,
            extension,
        } => {
            line(
                "# plant a secret where the application's machine can read it, and look for it in the answer:",
            );
            line(&format!(
                "echo \"file: {}/$file{}\"",
                comment(directory.trim_end_matches('/')),
                comment(extension)
            ));
        }
        Oracle::PlantedWrite {
            directory,
            extension,
            ..
        } => {
            line("# this file must be created or changed:");
            line(&format!(
                "echo \"file: {}/$file{}\"",
                comment(directory.trim_end_matches('/')),
                comment(extension)
            ));
        }
        Oracle::ExistenceBits {
            directory,
            extension,
            ..
        } => {
            line("# run it once with this file in place and once without: the answers differ:");
            line(&format!(
                "echo \"file: {}/$file{}\"",
                comment(directory.trim_end_matches('/')),
                comment(extension)
            ));
        }
        Oracle::SqlStructure { .. } => {
            line(
                "# watch the database's statement log: the statement's structure differs from the twin's",
            );
        }
        Oracle::BooleanBits { .. } => {
            line("# run it with `zero` as argument too: the answers differ");
        }
    }
    let steps = capsule.login.iter().flat_map(|login| &login.steps);
    for step in steps {
        line("");
        line("# login; set the credentials of the recipe");
        line(&curl_step(step, &BTreeMap::new()));
    }
    let sets: Vec<(&str, &Vec<Value>)> = [
        ("twin", &capsule.payloads.twin),
        ("attack", &capsule.payloads.attack),
        ("zero", &capsule.payloads.zero),
    ]
    .into_iter()
    .filter(|(name, values)| *name != "zero" || !values.is_empty())
    .collect();
    line("");
    line("case ${1:-attack} in");
    for (name, values) in sets {
        line(&format!("{name})"));
        for value in values {
            let mut clear = Vec::new();
            for piece in pieces(&value.text.0) {
                match piece {
                    Piece::Literal(bytes) => {
                        clear.push(shell_bytes(&encoded(bytes, &value.encode)))
                    }
                    Piece::Placeholder(name) => clear.push(format!("\"${}\"", variable(name))),
                }
            }
            let whole = if value
                .encode
                .iter()
                .any(|e| matches!(e, Encode::Base64 | Encode::Base64Url))
            {
                let raw: Vec<String> = pieces(&value.text.0)
                    .into_iter()
                    .map(|piece| match piece {
                        Piece::Literal(bytes) => shell_bytes(bytes),
                        Piece::Placeholder(name) => format!("\"${}\"", variable(name)),
                    })
                    .collect();
                format!(
                    "$(printf %s {} | base64 -w0 | sed 's/+/%2B/g; s/=/%3D/g; s,/,%2F,g')",
                    raw.concat()
                )
            } else {
                clear.concat()
            };
            line(&format!("  {}={}", variable(&value.name), whole));
        }
        line("  ;;");
    }
    line("esac");
    for step in &capsule.steps {
        line("");
        line(&curl_step(step, &BTreeMap::new()));
    }
    out
}

fn encoded(bytes: &[u8], encode: &[Encode]) -> Vec<u8> {
    encode
        .iter()
        .fold(bytes.to_vec(), |bytes, step| step.apply(&bytes))
}

/// Comments must not end early, whatever a target's file names hold.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn variable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn shell_bytes(bytes: &[u8]) -> String {
    if bytes
        .iter()
        .all(|b| (0x20..0x7f).contains(b) && *b != b'\'')
    {
        return format!("'{}'", String::from_utf8_lossy(bytes));
    }
    let mut out = String::from("$'");
    for &byte in bytes {
        match byte {
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            0x20..0x7f => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('\'');
    out
}

fn shell_template(bytes: &[u8], known: &BTreeMap<String, String>) -> String {
    let parts: Vec<String> = pieces(bytes)
        .into_iter()
        .map(|piece| match piece {
            Piece::Literal(bytes) => shell_bytes(bytes),
            Piece::Placeholder("host") => "\"$HOST\"".to_owned(),
            Piece::Placeholder(name) => known
                .get(name)
                .cloned()
                .unwrap_or_else(|| format!("\"${}\"", variable(name))),
        })
        .collect();
    if parts.is_empty() {
        "''".to_owned()
    } else {
        parts.concat()
    }
}

fn curl_step(step: &Step, known: &BTreeMap<String, String>) -> String {
    let mut out = format!(
        "curl -sS -i --path-as-is -b \"$jar\" -c \"$jar\" -X {}",
        shell_bytes(step.method.as_bytes())
    );
    out.push_str(&format!(
        " --url \"http://$HOST\"{}",
        shell_template(&step.target.0, known)
    ));
    for (name, value) in &step.headers {
        let lower = name.0.to_ascii_lowercase();
        if lower == b"host" || lower == b"content-length" || lower == b"connection" {
            continue;
        }
        if lower == b"cookie" && value.0 == b"{{session_cookies}}" {
            continue;
        }
        out.push_str(" \\\n  -H ");
        out.push_str(&shell_template(&name.0, known));
        out.push_str("': '");
        out.push_str(&shell_template(&value.0, known));
    }
    if !step.body.0.is_empty() {
        out.push_str(" \\\n  --data-binary ");
        out.push_str(&shell_template(&step.body.0, known));
    }
    out
}

#[cfg(test)]
mod tests;
