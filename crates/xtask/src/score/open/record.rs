//! The record of confirmed flaws, and what a finding must say to be one of them.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::program::{items, text};

/// Lines around a recorded place within which a finding is about it.
const NEAR: u64 = 4;

/// Weaknesses that say the same of a place: the record was written by hand, and so is a weakness's number.
const SIBLINGS: [(&str, &str); 5] = [
    // Code that is put together, and code that is evaluated.
    ("CWE-94", "CWE-95"),
    // `$where` holds code of a query.
    ("CWE-943", "CWE-94"),
    // A file of code that the request names: its text is executed.
    ("CWE-98", "CWE-94"),
    ("CWE-98", "CWE-95"),
    // Commands with a shell and without.
    ("CWE-77", "CWE-78"),
];

/// What a flaw's record says in words only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    id: String,
    /// Why the record's own words are not enough.
    #[serde(rename = "why")]
    _why: String,
    entry: Option<String>,
    sink: Option<String>,
    /// Names of the input, of which one is enough; empty: no request holds it.
    input: Option<Vec<String>>,
}

/// What a near miss's record means for a static answer: a reachable finding that fits all of it is wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NearMiss {
    pub target: String,
    #[serde(rename = "where")]
    pub text: String,
    #[serde(default)]
    weakness: Vec<String>,
    /// Ends of the sink's path, with `|` between.
    file: Option<String>,
    /// First and last line of the sink.
    lines: Option<[u64; 2]>,
    /// Entry points, with `|` between.
    entry: Option<String>,
    #[serde(default)]
    input: Vec<String>,
    /// A folder, or a place, through which the flow leads.
    through: Option<String>,
    /// A repaired copy, which is scanned for the flaws of the target.
    pub twin: Option<Vec<String>>,
    /// Flaws that the copy has, too, whatever the record says.
    #[serde(default)]
    pub except: Vec<String>,
    /// A list of cases with labels.
    pub labels: Option<String>,
    /// Why no static finding would be wrong.
    pub other: Option<String>,
}

pub(super) struct Record {
    pub id: String,
    pub runtime: String,
    /// Its flaws are cases with labels, of which the record holds a sample.
    pub suite: bool,
    /// The confirmed ones.
    pub flaws: Vec<Flaw>,
    pub near_misses: Vec<String>,
    /// What scanners reported when the record was made: name and number of findings.
    pub scanners: Vec<(String, f64)>,
}

impl Record {
    /// Flaws that have a sink.
    pub fn sinks(&self) -> impl Iterator<Item = &Flaw> {
        self.flaws.iter().filter(|f| f.has_sink)
    }
}

#[derive(Clone)]
pub(super) struct Flaw {
    pub id: String,
    has_sink: bool,
    /// One is enough.
    weaknesses: Vec<String>,
    entries: Vec<Entry>,
    /// One is enough; none: no input is named.
    inputs: Vec<String>,
    /// Carriers that the record names, as findings name them.
    carriers: Vec<&'static str>,
    /// One is enough.
    sinks: Vec<Sink>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sink {
    /// End of the path; a folder ends with `/`.
    pub path: String,
    /// First and last; any when there is none.
    pub lines: Option<(u64, u64)>,
}

/// Methods and path; no path: any.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    methods: Vec<String>,
    path: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) enum Answer {
    Found,
    WrongParameter(String),
    WrongEntry(String),
    Undecided(String),
    NoPath(String),
    NothingThere,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("found"),
            Self::WrongParameter(what) => write!(f, "wrong parameter: {what}"),
            Self::WrongEntry(what) => write!(f, "wrong entry point: {what}"),
            Self::Undecided(what) => write!(f, "undecided: {what}"),
            Self::NoPath(what) => write!(f, "no path: {what}"),
            Self::NothingThere => f.write_str("no finding of that weakness at the sink"),
        }
    }
}

pub(super) fn read(json: &str, readings: &[Reading]) -> Result<Vec<Record>, String> {
    let document: Value =
        serde_json::from_str(json).map_err(|e| format!("`targets-open.json`: {e}"))?;
    let targets = document
        .as_array()
        .ok_or("`targets-open.json` is not a list of targets")?;
    let records: Vec<Record> = targets.iter().map(|t| target(t, readings)).collect();
    let known: BTreeSet<&str> = records
        .iter()
        .flat_map(|r| r.flaws.iter().map(|f| f.id.as_str()))
        .collect();
    match readings.iter().find(|r| !known.contains(r.id.as_str())) {
        Some(reading) => Err(format!(
            "`open-targets.toml` reads `{}`, which is no confirmed flaw",
            reading.id
        )),
        None => Ok(records),
    }
}

fn target(target: &Value, readings: &[Reading]) -> Record {
    let flaws: Vec<Flaw> = items(target, "/flaws")
        .iter()
        .filter(|f| text(f, "/status") == "confirmed")
        .map(|f| flaw(f, readings.iter().find(|r| r.id == text(f, "/id"))))
        .collect();
    let mut scanners = Vec::new();
    if let Some(count) = target.pointer("/bandit/findings").and_then(Value::as_f64) {
        scanners.push(("bandit".to_owned(), count));
    }
    for name in ["njsscan", "semgrep"] {
        let count = target.pointer(&format!("/scanners/{name}"));
        if let Some(count) = count.and_then(Value::as_f64) {
            scanners.push((name.to_owned(), count));
        }
    }
    Record {
        id: text(target, "/id").to_owned(),
        runtime: text(target, "/runtime").to_owned(),
        suite: target.pointer("/bandit/matched_cases").is_some(),
        flaws,
        near_misses: items(target, "/near_misses")
            .iter()
            .map(|n| text(n, "/where").to_owned())
            .collect(),
        scanners,
    }
}

fn flaw(flaw: &Value, reading: Option<&Reading>) -> Flaw {
    let entry = reading.and_then(|r| r.entry.clone()).unwrap_or_else(|| {
        let written = text(flaw, "/entry");
        if written.is_empty() {
            format!("{} {}", text(flaw, "/method"), text(flaw, "/path"))
        } else {
            written.to_owned()
        }
    });
    let sink = reading.and_then(|r| r.sink.clone()).unwrap_or_else(|| {
        let line = flaw.pointer("/sink_line").and_then(Value::as_u64);
        match (text(flaw, "/sink_file"), line) {
            ("", _) => text(flaw, "/sink").to_owned(),
            (file, Some(line)) => format!("{file}:{line}"),
            (file, None) => file.to_owned(),
        }
    });
    let inputs = reading
        .and_then(|r| r.input.clone())
        .unwrap_or_else(|| names(text(flaw, "/param")));
    Flaw {
        id: text(flaw, "/id").to_owned(),
        has_sink: flaw.pointer("/has_sink").and_then(Value::as_bool) == Some(true),
        weaknesses: tokens(text(flaw, "/cwe"))
            .filter(|w| w.starts_with("CWE-"))
            .map(str::to_owned)
            .collect(),
        entries: entries(&entry),
        inputs,
        carriers: carriers(text(flaw, "/param_in")),
        sinks: sinks(&sink),
    }
}

/// Words between spaces and punctuation of prose.
fn tokens(prose: &str) -> impl Iterator<Item = &str> {
    prose.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')'))
}

/// Names of parameters: `password`, `preTax, afterTax, roth`, `url + symbol`, `document (as JSON)`; the rest of a
/// sentence after a colon is how they are written, `-` is none.
fn names(prose: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let flat: String = prose
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0 && *c != ')'
        })
        .collect();
    let flat = flat.split(':').next().unwrap_or_default();
    flat.split([',', '+', ' '])
        .map(str::trim)
        .filter(|name| !name.is_empty() && !matches!(*name, "-" | "and"))
        .map(str::to_owned)
        .collect()
}

/// As inputs of findings begin.
fn carriers(prose: &str) -> Vec<&'static str> {
    let mut all = Vec::new();
    for (word, begins) in [
        ("query", &["query parameter"][..]),
        ("form", &["form field"]),
        ("json", &["JSON key"]),
        ("path", &["path segment", "the raw request path"]),
        ("header", &["header"]),
        ("cookie", &["cookie"]),
    ] {
        if prose.contains(word) {
            all.extend(begins);
        }
    }
    all
}

const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "MKCOL", "PROPFIND",
];

/// `GET or POST /a`, `POST /a then GET /b`, `GET any path`, `POST/GET /a/{b}`.
fn entries(prose: &str) -> Vec<Entry> {
    prose
        .split(" then ")
        .map(|one| {
            let mut methods = Vec::new();
            let mut path = None;
            for word in one.split_whitespace() {
                if word.starts_with('/') {
                    path.get_or_insert_with(|| word.to_owned());
                } else {
                    methods.extend(
                        word.split('/')
                            .filter(|m| METHODS.contains(m))
                            .map(str::to_owned),
                    );
                }
            }
            Entry { methods, path }
        })
        .collect()
}

/// `a/b.js:7 do`, `a.ejs:17 and :22`, `a.js:8 to :16`, `a.js:31 to b.js:60`, `a.js:32,33,34`, `folder/`.
fn sinks(prose: &str) -> Vec<Sink> {
    let mut all: Vec<Sink> = Vec::new();
    let mut range = false;
    for word in prose.split([' ', ';', ',']).filter(|w| !w.is_empty()) {
        let (path, line) = word.rsplit_once(':').unwrap_or((word, ""));
        let number = if path == word && !word.contains('/') {
            word.parse().ok()
        } else {
            line.parse::<u64>().ok()
        };
        let is_path = path.contains('/')
            || (path.rsplit_once('.').is_some_and(|(stem, end)| {
                !stem.is_empty() && end.chars().all(char::is_alphabetic) && end.len() < 5
            }));
        match (is_path, number) {
            (true, number) => all.push(Sink {
                path: path.to_owned(),
                lines: number.map(|n| (n, n)),
            }),
            (false, Some(number)) => {
                let last = all.last().cloned();
                match (last, range) {
                    (Some(_), true) => {
                        if let Some(Sink {
                            lines: Some(lines), ..
                        }) = all.last_mut()
                        {
                            lines.1 = number;
                        }
                    }
                    (Some(last), false) => all.push(Sink {
                        path: last.path,
                        lines: Some((number, number)),
                    }),
                    (None, _) => {}
                }
            }
            (false, None) => {}
        }
        range = word == "to";
    }
    all
}

impl Flaw {
    /// Weakness, entry point and parameter, as the record says them.
    pub fn title(&self) -> String {
        let entry = self.entries.first();
        let path = entry.and_then(|e| e.path.as_deref()).unwrap_or("any path");
        let methods = entry.map(|e| e.methods.join("|")).unwrap_or_default();
        let sink = self.sinks.first().map_or("-", |s| s.path.as_str());
        format!(
            "{} {} at {methods} {path}, `{}`, in {sink}",
            self.id,
            self.weaknesses.join("/"),
            self.inputs.join(", ")
        )
    }

    /// The same flaw in a copy whose lines are others.
    pub fn anywhere_in_its_file(&self) -> Self {
        let mut flaw = self.clone();
        for sink in &mut flaw.sinks {
            sink.lines = None;
        }
        flaw
    }

    /// Whether a request's input is in it.
    pub fn is_of_an_input(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// Whether a report at a line is about it, whatever number it has.
    pub fn is_reported(&self, path: &str, line: u64) -> bool {
        let place = serde_json::json!({ "path": path, "line": line });
        self.sinks.iter().any(|sink| sink.is_near(&place))
    }

    /// The best that the findings say of it.
    ///
    /// What one request leaves for another begins where its input is read: `entries` are the entry points of the report.
    pub fn answer(&self, findings: &[Value], entries: &[Value]) -> Answer {
        let handlers: Vec<&str> = entries
            .iter()
            .filter(|entry| self.entries.iter().any(|e| e.is(entry)))
            .map(|entry| text(entry, "/handler"))
            .collect();
        let mut best = Answer::NothingThere;
        for finding in findings.iter().filter(|f| self.is_at(f)) {
            let answer = self.said(finding, &handlers);
            if rank(&answer) > rank(&best) {
                best = answer;
            }
        }
        best
    }

    fn said(&self, finding: &Value, handlers: &[&str]) -> Answer {
        match text(finding, "/verdict/word") {
            "reachable" => {}
            "undecided" => return Answer::Undecided(reason(finding)),
            _ => return Answer::NoPath(reason(finding)),
        }
        let begins = |flow: &Value| handlers.contains(&text(flow, "/steps/0/function"));
        if !items(finding, "/flows").is_empty() && self.has_input(finding, &begins) {
            return Answer::Found;
        }
        if !self.entries.iter().any(|e| e.is_of(finding)) {
            return Answer::WrongEntry(words(finding));
        }
        if !self.has_input(finding, &|_| true) {
            return Answer::WrongParameter(words(finding));
        }
        Answer::Found
    }

    /// Weakness and place: the sink, or a step of the flow to it.
    fn is_at(&self, finding: &Value) -> bool {
        let weakness = text(finding, "/weakness");
        let same = |mine: &String| {
            mine == weakness
                || SIBLINGS
                    .iter()
                    .any(|s| *s == (mine.as_str(), weakness) || *s == (weakness, mine.as_str()))
        };
        self.weaknesses.iter().any(same)
            && places(finding).any(|place| self.sinks.iter().any(|s| s.is_near(place)))
    }

    fn has_input(&self, finding: &Value, counts: &dyn Fn(&Value) -> bool) -> bool {
        let flows = items(finding, "/flows");
        if self.inputs.is_empty() {
            return flows.is_empty() || flows.iter().any(counts);
        }
        let route = text(finding, "/entry/route");
        let case = route.rsplit('/').next().unwrap_or_default();
        flows.iter().filter(|flow| counts(flow)).any(|flow| {
            let input = text(flow, "/input");
            let carried =
                self.carriers.is_empty() || self.carriers.iter().any(|c| input.starts_with(c));
            let named = self.inputs.iter().any(|name| {
                let name = if name == "{case}" { case } else { name };
                is_named(input, name)
            });
            carried && named
        })
    }
}

/// `JSON key username.first` is named `username`; the path of the request is named `path`.
fn is_named(input: &str, name: &str) -> bool {
    let last = input.rsplit(' ').next().unwrap_or_default();
    let first = last.split(['.', '[']).next().unwrap_or_default();
    first == name || last == name || (name == "path" && input == "the raw request path")
}

fn rank(answer: &Answer) -> u8 {
    match answer {
        Answer::Found => 5,
        Answer::WrongParameter(_) => 4,
        Answer::WrongEntry(_) => 3,
        Answer::Undecided(_) => 2,
        Answer::NoPath(_) => 1,
        Answer::NothingThere => 0,
    }
}

/// The sink, then the steps.
fn places(finding: &Value) -> impl Iterator<Item = &Value> {
    let steps = items(finding, "/flows")
        .iter()
        .flat_map(|flow| items(flow, "/steps"))
        .filter_map(|step| step.pointer("/place"));
    finding.pointer("/sink/place").into_iter().chain(steps)
}

impl Sink {
    fn is_near(&self, place: &Value) -> bool {
        let line = place.pointer("/line").and_then(Value::as_u64);
        let lines = match (self.lines, line) {
            (None, _) => true,
            (Some((first, last)), Some(line)) => line + NEAR >= first && line <= last + NEAR,
            (Some(_), None) => false,
        };
        lines && is_file(text(place, "/path"), &self.path)
    }
}

/// Whether a path ends with another, or lies in a folder that it names.
fn is_file(path: &str, end: &str) -> bool {
    if end.ends_with('/') {
        return path.starts_with(end) || path.contains(&format!("/{end}"));
    }
    path == end
        || path.ends_with(&format!("/{end}"))
        // Records leave out the ending of a program's file.
        || path.strip_suffix(".js") == Some(end)
}

impl Entry {
    fn is_of(&self, finding: &Value) -> bool {
        match finding.pointer("/entry").filter(|e| !e.is_null()) {
            Some(entry) => self.is(entry),
            // What holds for the whole program has none, and none is asked for.
            None => self.path.is_none(),
        }
    }

    fn is(&self, entry: &Value) -> bool {
        let methods = items(entry, "/methods");
        let answers = self.methods.is_empty()
            || methods.is_empty()
            || methods
                .iter()
                .filter_map(Value::as_str)
                .any(|m| self.methods.iter().any(|mine| mine == m));
        let route = text(entry, "/route");
        // A handler that looks at the path itself has no route.
        let path = self
            .path
            .as_ref()
            .is_none_or(|path| route.is_empty() || is_route(&bare(path), &bare(route)));
        answers && path
    }
}

/// Whether they are the same; `*` at the end of a reading stands for one part, and a part of the route that is known
/// at run time only for whichever the reading has there.
fn is_route(reading: &str, route: &str) -> bool {
    match (reading.strip_suffix('*'), route.rsplit_once('/')) {
        (Some(front), Some((before, _))) => front.trim_end_matches('/') == before,
        _ => {
            let (mine, theirs) = (reading.split('/'), route.split('/'));
            mine.clone().count() == theirs.clone().count()
                && mine.zip(theirs).all(|(a, b)| a == b || b == UNKNOWN)
        }
    }
}

/// A part of a route that is known at run time only, as [`bare`] writes it.
const UNKNOWN: &str = "{unknown}";

/// The route with `{}` for each parameter, in whichever syntax.
fn bare(route: &str) -> String {
    let mut out = String::new();
    let mut rest = route.trim_end_matches('/').chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' | '{' => {
                let close = if c == '<' { '>' } else { '}' };
                let inside: String = rest.by_ref().take_while(|c| *c != close).collect();
                out.push_str(if inside == "unknown" { UNKNOWN } else { "{}" });
            }
            ':' if out.ends_with('/') => {
                while rest.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {}
                out.push_str("{}");
            }
            c => out.push(c),
        }
    }
    out
}

impl NearMiss {
    pub fn fits(&self, finding: &Value) -> bool {
        let place = finding.pointer("/sink/place").unwrap_or(&Value::Null);
        let line = place.pointer("/line").and_then(Value::as_u64);
        text(finding, "/verdict/word") == "reachable"
            && self
                .weakness
                .iter()
                .any(|w| w == text(finding, "/weakness"))
            && self.file.as_ref().is_none_or(|files| {
                files
                    .split('|')
                    .any(|file| is_file(text(place, "/path"), file))
            })
            && self
                .lines
                .is_none_or(|[first, last]| line.is_some_and(|line| first <= line && line <= last))
            && self.entry.as_ref().is_none_or(|all| {
                all.split('|')
                    .flat_map(entries)
                    .any(|entry| entry.is_of(finding))
            })
            && (self.input.is_empty()
                || items(finding, "/flows")
                    .iter()
                    .any(|flow| self.input.iter().any(|i| is_named(text(flow, "/input"), i))))
            && self.through.as_ref().is_none_or(|prose| {
                let through = sinks(prose);
                places(finding).any(|place| through.iter().any(|s| s.is_near(place)))
            })
    }

    /// Whether there is a question, and one only.
    #[cfg(test)]
    pub fn is_answerable(&self) -> bool {
        let other = [
            self.other.is_some(),
            self.twin.is_some(),
            self.labels.is_some(),
        ];
        other.into_iter().filter(|is| *is).count() + usize::from(!self.weakness.is_empty()) == 1
    }
}

/// A finding in a case that the list labels safe, of the list's own weakness.
pub(super) fn labelled(csv: &str, findings: &[Value]) -> Option<String> {
    let safe: BTreeSet<(&str, &str)> = csv
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut parts = line.split(',');
            let (name, _, label, weakness) =
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            (label == "false").then_some((name, weakness))
        })
        .collect();
    let wrong: BTreeSet<&str> = findings
        .iter()
        .filter(|f| text(f, "/verdict/word") == "reachable")
        .filter_map(|f| {
            let file = text(f, "/sink/place/path").rsplit('/').next()?;
            let case = file.split('.').next()?;
            let weakness = text(f, "/weakness").strip_prefix("CWE-")?;
            safe.contains(&(case, weakness)).then_some(case)
        })
        .collect();
    let first = wrong.first()?;
    Some(format!(
        "{} of {} such cases, `{first}` first",
        wrong.len(),
        safe.len()
    ))
}

/// A finding in a line.
pub(super) fn words(finding: &Value) -> String {
    let inputs: BTreeSet<&str> = items(finding, "/flows")
        .iter()
        .map(|flow| text(flow, "/input"))
        .collect();
    let inputs: Vec<&str> = inputs.into_iter().take(4).collect();
    format!(
        "{} at {}:{} from {} ({})",
        text(finding, "/weakness"),
        text(finding, "/sink/place/path"),
        finding
            .pointer("/sink/place/line")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        finding
            .pointer("/entry/label")
            .and_then(Value::as_str)
            .unwrap_or("the whole program"),
        inputs.join("; ")
    )
}

fn reason(finding: &Value) -> String {
    let first = items(finding, "/verdict/reasons").first();
    let first = first.map(|r| text(r, "/text")).unwrap_or_default();
    format!("{}: {first}", words(finding))
}

#[cfg(test)]
mod tests;
