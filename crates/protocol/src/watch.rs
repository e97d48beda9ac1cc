//! What a warm process says each time that a tree changed.

use serde::{Deserialize, Serialize};

use crate::impact::{EntryImpact, FlowImpact};
use crate::view::Unmeasured;

pub const WATCH_SCHEMA: &str = "solvent.watch/v1";

/// One answer, on a line of its own. The first is about the tree as it was found, each further one tells what is
/// another since the one before.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WatchAnswer {
    /// [`WATCH_SCHEMA`]
    pub schema: String,
    /// Counts from 0.
    pub number: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Paths of files that the answer rests on and that are not the same as before, in order; none at first.
    pub files: Vec<String>,
    /// New, changed, gone; none at first.
    pub entry_points: Vec<EntryImpact>,
    /// Findings, in the same order; those that nothing reaches before and after are among them.
    pub flows: Vec<FlowImpact>,
    /// What is no longer known, or not known from the start.
    pub unmeasured: Vec<Unmeasured>,
    /// What was unmeasured before and no longer is.
    pub measured: Vec<Unmeasured>,
    /// The tree as it is now.
    pub now: Standing,
    /// `analysed | remembered`: the tree was like this before.
    pub by: String,
    /// From the notice of the change to this answer.
    pub seconds: f64,
}

/// Findings by verdict, and what they were looked for in.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    pub reachable: u64,
    pub undecided: u64,
    pub no_path: u64,
    pub entry_points: u64,
    pub files: u64,
    pub lines: u64,
    pub unmeasured: u64,
}
