//! Reads other tools' reports as candidate findings.
//!
//! It does not know about files, the ledger or how a candidate is shown: bytes go in, values come out,
//! and foreign formats stay private to this crate. A report is hostile input and is often cut off in
//! the middle; what cannot be trusted whole is refused with words, and a refused report closes nothing.
//!
//! Read [`read`] (bytes to [`Run`]s) and [`Importer`]; [`place`] (paths of another machine to paths of
//! this tree), [`weakness`] (which classes are the same one), [`join()`] (what is the same flaw, and
//! why), [`close`] (when the silence of a newer report closes something).

mod bandit;
pub mod close;
pub mod join;
mod json;
pub mod place;
mod sarif;
mod semgrep;
pub mod weakness;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use solvent_finding::Severity;

pub use close::{Closing, closing};
pub use join::{Anchor, How, Join, Joined, join};
pub use place::{Layout, layout};

/// Largest report that is read, in bytes. A JSON value costs up to ten bytes per byte of text, so 64 MiB
/// stay below 1 GiB; a SARIF file of that size holds about 60,000 results.
pub const MAX_BYTES: usize = 64 << 20;

/// Most values of any sort in one report: four million at about a hundred bytes each are 400 MB.
pub const MAX_VALUES: usize = 4_000_000;

/// Most findings that are kept of one run; the rest is counted and unmeasured.
pub const MAX_FINDINGS: usize = 100_000;

/// Longest text that is kept of a message, in characters.
const MAX_TEXT: usize = 2_000;

/// Longest path or rule name that is kept, in bytes. What is longer is not a path of a tree.
const MAX_NAME: usize = 4_096;

/// One format. A new one is a module, a sample below `tests/samples` and a line in [`IMPORTERS`].
pub trait Importer: Sync {
    /// `SARIF 2.1.0`
    fn name(&self) -> &'static str;

    /// Whether the document looks like this format, whole or not.
    fn recognises(&self, document: &Value) -> bool;

    /// Everything the document says. Never guesses: what is not said is not known.
    fn read(&self, document: &Value) -> Result<Vec<Run>, Refusal>;
}

/// In the order in which they are asked.
pub const IMPORTERS: [&dyn Importer; 3] = [&sarif::Sarif, &bandit::Bandit, &semgrep::Semgrep];

/// One run of one tool.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// `bandit`, lower case, as tools name themselves.
    pub tool: String,
    pub version: Option<String>,
    /// The format it was read from.
    pub format: &'static str,
    /// In the order of the report.
    pub findings: Vec<Candidate>,
    pub coverage: Coverage,
    /// Findings that a comment in the source kept out of the report, when the tool counts them.
    pub hidden: Option<u64>,
    /// What was left out or could not be understood, in words.
    pub gaps: Vec<String>,
}

/// What another tool says, before anything is known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The tool's own name of the rule: `B608`.
    pub rule: String,
    /// Numbers of CWE classes, as the tool gave them.
    pub weaknesses: BTreeSet<u32>,
    /// As reported, with forward slashes, decoded, base folders applied; may be of another machine.
    pub path: String,
    /// One-based, first and last; `None` when the tool gave none.
    pub lines: Option<(u32, u32)>,
    /// At most 2,000 characters.
    pub message: String,
    pub severity: Option<Severity>,
    /// The tool's own identity of the finding across runs.
    pub fingerprint: Option<String>,
    /// Why the tool, or a comment in the source, silenced it. Silenced is not closed.
    pub suppressed: Option<String>,
}

/// What a run proved that it looked at. `None` is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    pub ended: Ended,
    /// Paths as reported, that the tool says it analysed.
    pub paths: Option<BTreeSet<String>>,
    /// Paths that it could not analyse, and why.
    pub not_read: BTreeMap<String, String>,
    /// Rules that were in force.
    pub rules: Option<BTreeSet<String>>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The tool says that it finished.
    Whole,
    /// It says that it did not; in words.
    Failed(String),
    /// It does not say; in words.
    Unsaid(String),
}

/// Why a report was not read. Nothing of it counts, and it closes nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Lower case, without a full stop.
    pub why: String,
    /// What would make it pass.
    pub next: String,
}

impl Refusal {
    pub(crate) fn new(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            next: next.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refusal {}

/// Reads one report of any known format.
pub fn read(bytes: &[u8]) -> Result<Vec<Run>, Refusal> {
    let document = json::parse(bytes)?;
    let importer = IMPORTERS
        .iter()
        .find(|i| i.recognises(&document))
        .ok_or_else(|| {
            let known: Vec<&str> = IMPORTERS.iter().map(|i| i.name()).collect();
            Refusal::new(
                "the report is JSON of no known format",
                format!("give one of: {}", known.join(", ")),
            )
        })?;
    importer.read(&document)
}

/// At most [`MAX_TEXT`] characters, line ends made spaces.
pub(crate) fn message(text: &str) -> String {
    let mut out: String = text
        .trim()
        .chars()
        .take(MAX_TEXT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.trim().chars().nth(MAX_TEXT).is_some() {
        out.push('…');
    }
    out
}

/// A name of a rule or tool, or nothing when it cannot be one.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control))
        .then(|| text.to_owned())
}

/// A path with forward slashes, or nothing when it cannot be one.
pub(crate) fn path(text: &str) -> Option<String> {
    name(text).map(|t| t.replace('\\', "/"))
}

/// A one-based line from JSON.
pub(crate) fn line(value: Option<&Value>) -> Option<u32> {
    value
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
}

/// First and last line, in order.
pub(crate) fn lines(first: Option<u32>, last: Option<u32>) -> Option<(u32, u32)> {
    let first = first?;
    Some((first, last.unwrap_or(first).max(first)))
}

/// Keeps the cap on findings, and says what was left out.
pub(crate) fn capped(findings: &mut Vec<Candidate>, gaps: &mut Vec<String>) {
    if findings.len() > MAX_FINDINGS {
        gaps.push(format!(
            "{} findings over the cap of {MAX_FINDINGS} were not read",
            findings.len() - MAX_FINDINGS
        ));
        findings.truncate(MAX_FINDINGS);
    }
}
