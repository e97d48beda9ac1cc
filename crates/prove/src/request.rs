//! From an entry point and a flow to requests with a place for the payload.
//!
//! A [`Draft`] keeps the parts of a request apart, so that they can be dropped one by one; it is rendered
//! to a capsule step. Where the payload stands, there is a placeholder named after how it is written.

use std::collections::{BTreeMap, BTreeSet};

use solvent_finding::{Carrier, Comparison, Condition, EntryPoint, Input, RouteSegment};
use solvent_protocol::capsule::{Encode, Raw, Step};

use crate::value::{self, plausible, satisfy};

/// Placeholders for the payload and how each is written on the wire.
pub(crate) const WAYS: [(&str, &[Encode]); 6] = [
    ("payload", &[]),
    ("payload_percent", &[Encode::Percent]),
    ("payload_form", &[Encode::Form]),
    ("payload_json", &[Encode::Json]),
    ("payload_cookie", &[Encode::Cookie]),
    ("payload_multipart", &[]),
];

const BOUNDARY: &str = "solventboundary7d1f";

/// A text as it goes on the wire, placeholders included.
type Wire = String;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Body {
    None,
    Form(Vec<(Wire, Wire)>),
    /// Dotted keys; each value is the inside of a JSON string, or a bare JSON value when marked.
    Json(Vec<(String, Wire)>),
    /// Name, file name, content.
    Multipart(Vec<(Wire, Option<Wire>, Wire)>),
    Raw(Wire),
}

/// One request in parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Draft {
    pub method: String,
    pub path: Wire,
    pub query: Vec<(Wire, Wire)>,
    /// Instead of `query`.
    pub raw_query: Option<Wire>,
    pub body: Body,
    pub cookies: Vec<(Wire, Wire)>,
    pub headers: Vec<(Wire, Wire)>,
    /// Whether the cookies of the login go along.
    pub session: bool,
    /// A header that carries the login's token.
    pub token_header: Option<(String, String)>,
}

impl Draft {
    pub fn render(&self) -> Step {
        let mut target = self.path.clone();
        if let Some(raw) = &self.raw_query {
            target.push('?');
            target.push_str(raw);
        } else if !self.query.is_empty() {
            target.push('?');
            target.push_str(&pairs(&self.query));
        }
        let mut headers = vec![
            (Raw::text("Host"), Raw::text("{{host}}")),
            (Raw::text("Connection"), Raw::text("close")),
        ];
        let (kind, body) = match &self.body {
            Body::None => (None, String::new()),
            Body::Form(fields) => (
                Some("application/x-www-form-urlencoded".to_owned()),
                pairs(fields),
            ),
            Body::Json(fields) => (Some("application/json".to_owned()), json(fields)),
            Body::Multipart(parts) => (
                Some(format!("multipart/form-data; boundary={BOUNDARY}")),
                multipart(parts),
            ),
            Body::Raw(text) => (Some("application/octet-stream".to_owned()), text.clone()),
        };
        if let Some(kind) = kind {
            headers.push((Raw::text("Content-Type"), Raw::text(kind)));
        }
        let mut cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if self.session {
            cookies.push("{{session_cookies}}".to_owned());
        }
        if !cookies.is_empty() {
            headers.push((Raw::text("Cookie"), Raw::text(cookies.join("; "))));
        }
        if let Some((name, value)) = &self.token_header {
            headers.push((Raw::text(name.clone()), Raw::text(value.clone())));
        }
        for (name, value) in &self.headers {
            headers.push((Raw::text(name.clone()), Raw::text(value.clone())));
        }
        Step {
            method: self.method.clone(),
            target: Raw::text(target),
            headers,
            body: Raw::text(body),
            captures: Vec::new(),
        }
    }

    /// The same request with one part less, for each part that does not carry the payload.
    pub fn without_one(&self) -> Vec<Draft> {
        let mut out = Vec::new();
        let carries = |(name, value): &(Wire, Wire)| name.contains("{{") || value.contains("{{");
        for at in 0..self.query.len() {
            if !carries(&self.query[at]) {
                let mut draft = self.clone();
                draft.query.remove(at);
                out.push(draft);
            }
        }
        for at in 0..self.cookies.len() {
            if !carries(&self.cookies[at]) {
                let mut draft = self.clone();
                draft.cookies.remove(at);
                out.push(draft);
            }
        }
        for at in 0..self.headers.len() {
            if !carries(&self.headers[at]) {
                let mut draft = self.clone();
                draft.headers.remove(at);
                out.push(draft);
            }
        }
        match &self.body {
            Body::Form(fields) | Body::Json(fields) => {
                for at in 0..fields.len() {
                    // With several places for the payload, each may be one too many.
                    let places = fields.iter().filter(|field| carries(field)).count();
                    if carries(&fields[at]) && places < 2 {
                        continue;
                    }
                    let mut draft = self.clone();
                    match &mut draft.body {
                        Body::Form(fields) | Body::Json(fields) => {
                            fields.remove(at);
                        }
                        _ => {}
                    }
                    out.push(draft);
                }
            }
            Body::Multipart(parts) => {
                for at in 0..parts.len() {
                    let (name, file, value) = &parts[at];
                    let holds = |text: &Wire| text.contains("{{");
                    if holds(name) || holds(value) || file.as_ref().is_some_and(holds) {
                        continue;
                    }
                    let mut draft = self.clone();
                    if let Body::Multipart(parts) = &mut draft.body {
                        parts.remove(at);
                    }
                    out.push(draft);
                }
            }
            Body::None | Body::Raw(_) => {}
        }
        out
    }
}

fn pairs(fields: &[(Wire, Wire)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// Dotted keys to nested objects. Values are already escaped.
fn json(fields: &[(String, Wire)]) -> String {
    #[derive(Default)]
    struct Node<'a> {
        value: Option<&'a str>,
        children: BTreeMap<&'a str, Node<'a>>,
    }
    let mut root = Node::default();
    for (key, value) in fields {
        let mut node = &mut root;
        for part in key.split('.').take(32) {
            node = node.children.entry(part).or_default();
        }
        node.value = Some(value);
    }
    fn write(node: &Node<'_>, out: &mut String) {
        if node.children.is_empty() {
            out.push('"');
            out.push_str(node.value.unwrap_or_default());
            out.push('"');
            return;
        }
        out.push('{');
        for (at, (key, child)) in node.children.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&serde_json::Value::from(*key).to_string());
            out.push(':');
            write(child, out);
        }
        out.push('}');
    }
    let mut out = String::new();
    if root.children.is_empty() {
        return "{}".to_owned();
    }
    write(&root, &mut out);
    out
}

fn multipart(parts: &[(Wire, Option<Wire>, Wire)]) -> String {
    let mut out = String::new();
    for (name, file, value) in parts {
        out.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""
        ));
        if let Some(file) = file {
            out.push_str(&format!(
                "; filename=\"{file}\"\r\nContent-Type: application/octet-stream"
            ));
        }
        out.push_str(&format!("\r\n\r\n{value}\r\n"));
    }
    out.push_str(&format!("--{BOUNDARY}--\r\n"));
    out
}

/// How the payload is written for a carrier, alternatives best first.
pub(crate) fn ways(carrier: &Carrier) -> &'static [&'static str] {
    match carrier {
        Carrier::Query | Carrier::QueryName => &["payload_percent"],
        Carrier::Form | Carrier::FormName => &["payload_form"],
        Carrier::Json => &["payload_json"],
        // Raw first: servers differ in what they decode, and dots and slashes must arrive.
        Carrier::PathSegment => &["payload_percent", "payload"],
        Carrier::RawPath | Carrier::RawQuery => &["payload", "payload_percent"],
        Carrier::Header | Carrier::HeaderName => &["payload"],
        Carrier::Cookie => &["payload_cookie", "payload_percent", "payload"],
        Carrier::FileContent | Carrier::FileName => &["payload_multipart"],
        Carrier::RawBody => &["payload"],
        Carrier::Session | Carrier::Predictable | Carrier::ListedName => &[],
    }
}

/// What is asked of a request: where the payload goes and what else must hold.
pub(crate) struct Wish<'a> {
    pub entry: &'a EntryPoint,
    pub input: &'a Input,
    pub conditions: &'a [Condition],
    pub way: &'a str,
}

/// Requests that may carry the payload to the sink, most likely first. Empty when the carrier cannot be
/// sent, or a condition on the attacked input leaves no room.
pub(crate) fn candidates(wish: &Wish<'_>) -> Vec<Draft> {
    let mut out: Vec<Draft> = Vec::new();
    for guess in guesses(wish) {
        for method in methods(wish) {
            for extent in [
                Extent::Body,
                Extent::Conditions,
                Extent::All,
                Extent::Mirror,
            ] {
                if let Some(draft) = draft(wish, &guess, &method, extent)
                    && !out.contains(&draft)
                {
                    out.push(draft);
                }
            }
        }
    }
    out
}

/// What the program spells out fills what the input leaves open.
struct Guess {
    /// The attacked input; named where the input has no name of its own.
    input: Input,
    /// What stands beside the payload: the value of an attacked name, the beginning of an attacked query.
    beside: String,
}

/// Most guesses for one input.
const MAX_GUESSES: usize = 12;

fn guesses(wish: &Wish<'_>) -> Vec<Guess> {
    let constants = value::constants(wish.entry, wish.input);
    let constants = constants.iter().take(MAX_GUESSES);
    let mut out: Vec<Guess> = Vec::new();
    let plain = |beside: &str| Guess {
        input: wish.input.clone(),
        beside: beside.to_owned(),
    };
    match wish.input.carrier {
        Carrier::QueryName | Carrier::FormName | Carrier::HeaderName => {
            out.extend(constants.map(|text| plain(text)));
            out.push(plain("a1"));
        }
        Carrier::RawQuery => {
            // A program that looks for `name=` in the query string reads a parameter of that name.
            out.extend(constants.map(|text| plain(&format!("{}=", text.trim_end_matches('=')))));
            out.push(plain(""));
        }
        Carrier::Query | Carrier::Form | Carrier::Json | Carrier::Header | Carrier::Cookie
            if wish.input.name.is_empty() =>
        {
            out.extend(constants.map(|text| Guess {
                input: Input {
                    carrier: wish.input.carrier.clone(),
                    name: text.clone(),
                },
                beside: String::new(),
            }));
            out.push(Guess {
                input: Input {
                    carrier: wish.input.carrier.clone(),
                    name: "a1".to_owned(),
                },
                beside: String::new(),
            });
        }
        _ => out.push(plain("")),
    }
    out.dedup_by(|a, b| a.input == b.input && a.beside == b.beside);
    out
}

/// Which inputs beside the attacked one are filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Those of conditions, and all fields of the body.
    Body,
    Conditions,
    All,
    /// As `Body`, with the payload in every input of the same carrier whose name shares a beginning: a
    /// password and its repetition.
    Mirror,
}

fn methods(wish: &Wish<'_>) -> Vec<String> {
    let has_body = matches!(
        wish.input.carrier,
        Carrier::Form
            | Carrier::FormName
            | Carrier::Json
            | Carrier::FileContent
            | Carrier::FileName
            | Carrier::RawBody
    ) || wish
        .conditions
        .iter()
        .any(|c| matches!(c.input.carrier, Carrier::Form | Carrier::Json));
    let known: Vec<String> = wish
        .entry
        .methods
        .iter()
        .filter(|method| !matches!(method.as_str(), "HEAD" | "OPTIONS"))
        .cloned()
        .collect();
    let preferred: &[&str] = if has_body {
        &["POST", "PUT", "PATCH", "DELETE"]
    } else {
        &["GET", "POST", "PUT", "DELETE", "PATCH"]
    };
    let mut out: Vec<String> = preferred
        .iter()
        .filter(|method| known.is_empty() || known.iter().any(|k| k == *method))
        .map(|method| (*method).to_owned())
        .collect();
    if known.is_empty() {
        out.truncate(if has_body { 1 } else { 2 });
    }
    for method in known {
        // Last: frameworks read a body that comes with GET, intermediaries often drop it.
        if !out.contains(&method) {
            out.push(method);
        }
    }
    out
}

fn draft(wish: &Wish<'_>, guess: &Guess, method: &str, extent: Extent) -> Option<Draft> {
    let mut values: BTreeMap<Input, Wire> = BTreeMap::new();
    let mut absent: BTreeSet<Input> = BTreeSet::new();
    for condition in wish.conditions {
        if condition.comparison == Comparison::Absent {
            absent.insert(condition.input.clone());
        }
    }
    if absent.contains(wish.input) {
        return None;
    }
    let body_carrier = |carrier: &Carrier| {
        matches!(
            carrier,
            Carrier::Form | Carrier::Json | Carrier::FileContent
        )
    };
    for (input, constants) in &wish.entry.inputs {
        let wanted = match extent {
            Extent::Conditions => false,
            Extent::Body | Extent::Mirror => body_carrier(&input.carrier),
            Extent::All => true,
        };
        if wanted && *input != guess.input && !absent.contains(input) {
            values.insert(input.clone(), plausible(&input.name, constants));
        }
    }
    for condition in wish.conditions {
        if condition.input != *wish.input
            && condition.input != guess.input
            && let Some(value) = satisfy(condition, wish.entry)
        {
            values.insert(condition.input.clone(), value);
        }
    }
    let payload = format!("{{{{{}}}}}", wish.way);
    values.insert(guess.input.clone(), payload.clone());
    if extent == Extent::Mirror {
        let mut mirrored = false;
        for (input, _) in &wish.entry.inputs {
            if input.carrier == wish.input.carrier
                && input != wish.input
                && alike(&input.name, &wish.input.name)
            {
                values.insert(input.clone(), payload.clone());
                mirrored = true;
            }
        }
        if !mirrored {
            return None;
        }
    }
    build(wish, guess, method, &values)
}

/// Carriers whose inputs cannot be sent without a name.
fn needs_name(carrier: &Carrier) -> bool {
    matches!(
        carrier,
        Carrier::Query | Carrier::Form | Carrier::Json | Carrier::Header | Carrier::Cookie
    )
}

/// Whether two names mean one value and its repetition: a common beginning of four letters or more.
fn alike(a: &str, b: &str) -> bool {
    let common = a
        .chars()
        .zip(b.chars())
        .take_while(|(x, y)| x.eq_ignore_ascii_case(y))
        .count();
    common >= 4
        || a.to_lowercase().ends_with(&b.to_lowercase())
        || b.to_lowercase().ends_with(&a.to_lowercase())
}

fn build(
    wish: &Wish<'_>,
    guess: &Guess,
    method: &str,
    values: &BTreeMap<Input, Wire>,
) -> Option<Draft> {
    let mut draft = Draft {
        method: method.to_owned(),
        path: path(wish, values)?,
        query: Vec::new(),
        raw_query: None,
        body: Body::None,
        cookies: Vec::new(),
        headers: Vec::new(),
        session: false,
        token_header: None,
    };
    let mut form: Vec<(Wire, Wire)> = Vec::new();
    let mut fields: Vec<(String, Wire)> = Vec::new();
    let mut files: Vec<(Wire, Option<Wire>, Wire)> = Vec::new();
    let attacked_name = format!("{{{{{}}}}}", wish.way);
    let beside = String::from_utf8_lossy(&Encode::Form.apply(guess.beside.as_bytes())).into_owned();
    for (input, value) in values {
        let is_attack = *input == guess.input;
        if input.name.is_empty() && needs_name(&input.carrier) {
            continue;
        }
        let write = |encode: Encode| -> Wire {
            if value.contains("{{") {
                value.clone()
            } else {
                String::from_utf8_lossy(&encode.apply(value.as_bytes())).into_owned()
            }
        };
        let name = |encode: Encode| {
            String::from_utf8_lossy(&encode.apply(input.name.as_bytes())).into_owned()
        };
        match input.carrier {
            Carrier::Query => draft
                .query
                .push((name(Encode::Percent), write(Encode::Percent))),
            Carrier::Form => form.push((name(Encode::Form), write(Encode::Form))),
            Carrier::Json => fields.push((input.name.clone(), write(Encode::Json))),
            Carrier::Header => draft.headers.push((input.name.clone(), header_safe(value))),
            Carrier::Cookie => draft
                .cookies
                .push((input.name.clone(), write(Encode::Cookie))),
            Carrier::FileContent => files.push((
                or(&input.name, "file"),
                Some("a.txt".to_owned()),
                if is_attack {
                    value.clone()
                } else {
                    "a,b\r\n1,2\r\n".to_owned()
                },
            )),
            Carrier::FileName => {
                files.push((
                    or(&input.name, "file"),
                    Some(value.clone()),
                    "a,b\r\n1,2\r\n".to_owned(),
                ));
            }
            Carrier::QueryName if is_attack => {
                draft.query.push((attacked_name.clone(), beside.clone()));
            }
            Carrier::FormName if is_attack => form.push((attacked_name.clone(), beside.clone())),
            Carrier::HeaderName if is_attack => {
                draft
                    .headers
                    .push((attacked_name.clone(), header_safe(&guess.beside)));
            }
            Carrier::RawQuery if is_attack => {
                draft.raw_query = Some(format!("{}{value}", path_text(&guess.beside)));
            }
            Carrier::RawBody if is_attack => draft.body = Body::Raw(value.clone()),
            Carrier::Session | Carrier::Predictable | Carrier::ListedName if is_attack => {
                return None;
            }
            // Placed by `path`, or meaningless beside an attack elsewhere.
            _ => {}
        }
    }
    if draft.body == Body::None {
        draft.body = if !files.is_empty() {
            for (name, value) in &form {
                // Multipart fields are not percent-encoded.
                let plain = values
                    .iter()
                    .find(|(input, _)| input.carrier == Carrier::Form && input.name == *name)
                    .map_or_else(|| value.clone(), |(_, value)| value.clone());
                let plain = if plain.contains("{{") {
                    "{{payload_multipart}}".to_owned()
                } else {
                    plain
                };
                files.push((name.clone(), None, plain));
            }
            Body::Multipart(files)
        } else if !fields.is_empty()
            && !(matches!(wish.input.carrier, Carrier::Form | Carrier::FormName))
        {
            Body::Json(fields)
        } else if !form.is_empty() {
            Body::Form(form)
        } else {
            Body::None
        };
    }
    Some(draft)
}

fn or(name: &str, default: &str) -> String {
    if name.is_empty() {
        default.to_owned()
    } else {
        name.to_owned()
    }
}

fn header_safe(value: &str) -> Wire {
    value.chars().filter(|c| *c != '\r' && *c != '\n').collect()
}

/// The route with its parameters filled, or what conditions on the raw path ask for.
fn path(wish: &Wish<'_>, values: &BTreeMap<Input, Wire>) -> Option<Wire> {
    let mut out = String::new();
    for segment in &wish.entry.segments {
        match segment {
            RouteSegment::Literal(text) => out.push_str(&path_text(text)),
            RouteSegment::Param { name, converter } => {
                let input = Input {
                    carrier: Carrier::PathSegment,
                    name: name.clone(),
                };
                if *wish.input == input {
                    if matches!(converter.as_str(), "int" | "float" | "uuid") {
                        // The router lets nothing but numbers through.
                        return None;
                    }
                    out.push_str(&format!("{{{{{}}}}}", wish.way));
                } else if let Some(value) = values.get(&input).filter(|v| !v.is_empty()) {
                    out.push_str(&path_text(value));
                } else {
                    out.push_str(match converter.as_str() {
                        "int" => "1",
                        "float" => "1.5",
                        "uuid" => "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                        _ => "a1",
                    });
                }
            }
        }
    }
    let raw = Input {
        carrier: Carrier::RawPath,
        name: String::new(),
    };
    if *wish.input == raw {
        let start = wish
            .conditions
            .iter()
            .find(|c| c.input == raw && c.comparison == Comparison::StartsWith)
            .map_or_else(
                || {
                    if out.is_empty() {
                        "/".to_owned()
                    } else {
                        out.clone()
                    }
                },
                |c| c.value.clone(),
            );
        return Some(format!("{start}{{{{{}}}}}", wish.way));
    }
    if out.is_empty() {
        out = values.get(&raw).cloned().unwrap_or_else(|| "/".to_owned());
        // A dispatch on the whole target may name the query as well; we add our own.
        if let Some((path, _)) = out.split_once('?') {
            out = path.to_owned();
        }
    }
    if !out.starts_with('/') {
        out.insert(0, '/');
    }
    Some(out)
}

/// Text of a path with what would end it or is no ASCII encoded.
fn path_text(text: &str) -> Wire {
    if text.contains("{{") {
        return text.to_owned();
    }
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' | b'?' | b'#' | b'%' | b'"' | b'<' | b'>' | 0..=0x1f | 0x7f.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            byte => out.push(byte as char),
        }
    }
    out
}

#[cfg(test)]
mod tests;
