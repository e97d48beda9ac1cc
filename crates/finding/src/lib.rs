//! The nouns of the domain, inert: entry points, flows, verdicts, findings, attempts, outcomes.
//!
//! It does not know how any of them is found, proved, stored or shown, and it is not serialisable:
//! records that leave the process are `protocol`'s. Read [`Finding`], then [`entry`], [`flow`],
//! [`verdict`], [`proof`].

pub mod entry;
pub mod flow;
pub mod proof;
pub mod sent;
pub mod verdict;

pub use entry::{Carrier, EntryKind, EntryPoint, Input, Methods, RouteSegment, Symbol};
pub use flow::{Comparison, Condition, Flow, Part, Step, StepKind, Template, Transform};
pub use proof::{InconclusiveReason, Outcome, Tier};
pub use sent::{Carried, Landing, Sent};
pub use verdict::{Assumption, NoPathReason, Stop, Verdict};

use solvent_base::{Digest, Location};

/// A weakness class, `CWE-89`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WeaknessId(pub String);

/// The label that a sink carries, from the closed list in `weaknesses/`: `sql-text`,
/// `shell-command`, `argv`, `file-path-read`, `file-path-write`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SinkKind(pub String);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// Where harm is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sink {
    pub kind: SinkKind,
    /// What is called, as the model names it: `sqlite3.Cursor.execute`.
    pub callee: String,
    pub location: Location,
    /// The function that contains the call.
    pub function: Symbol,
    /// The one line of source text at the sink, trimmed, at most 200 bytes.
    pub text: String,
}

/// Most flows kept for one finding: as many as there are may be more.
pub const MAX_FLOWS: usize = 8;

/// One weakness at one sink, reached through one entry point (or through none), in one revision.
/// A use is named once, with the first entry point that leads to it: what is repaired is the call.
/// Several inputs of the same request that reach the same sink are flows of one finding: one root
/// cause, one fix.
#[derive(Clone, Debug)]
pub struct Finding {
    pub fingerprint: Fingerprint,
    pub weakness: WeaknessId,
    pub severity: Severity,
    /// One sentence: `query parameter q reaches the SQL text of Cursor.execute`.
    pub title: String,
    pub sink: Sink,
    /// `None` when no entry point leads here.
    pub entry: Option<EntryPoint>,
    /// Non-empty when the verdict is `Reachable` and the weakness is one of input; best first, at most [`MAX_FLOWS`].
    pub flows: Vec<Flow>,
    /// For a use, a call that is weak by itself or by its constants: how control gets there, from the entry point (or
    /// from the start of the program, without one) to the call. No input is part of it.
    pub way: Vec<Step>,
    pub verdict: Verdict,
}

/// Identity of a finding across revisions: survives line moves and path prefixes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fingerprint(pub Digest);

impl Fingerprint {
    /// What people type and read: the first ten hexadecimal digits.
    pub fn short(&self) -> String {
        self.0.short(10)
    }
}
