//! What a change touches: functions, entry points, flows, proofs.

use serde::{Deserialize, Serialize};

use crate::view::{EntryPointView, FindingView, Place, ScanReport, Tool, Unmeasured, VerdictView};

pub const IMPACT_SCHEMA: &str = "solvent.impact/v1";
pub const CHANGED_SCAN_SCHEMA: &str = "solvent.scan-changed/v1";

/// Two revisions, analysed whole and compared.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ImpactReport {
    /// [`IMPACT_SCHEMA`]
    pub schema: String,
    pub tool: Tool,
    /// Name of the root folder.
    pub name: String,
    /// Full id of the commit that is compared with: what both ends of the range have in common.
    pub base: String,
    /// Full id.
    pub head: String,
    pub files: ChangedFiles,
    /// By path and place.
    pub functions: Vec<FunctionImpact>,
    /// New, changed, touched, gone; then in the order of the scan.
    pub entry_points: Vec<EntryImpact>,
    /// Findings, in the same order; those that nothing reaches before and after are among them.
    pub flows: Vec<FlowImpact>,
    /// Proofs on record that were about what is touched, by id.
    pub proofs: Vec<ProofImpact>,
    pub left: Left,
    pub work: Work,
    pub unmeasured: Vec<Unmeasured>,
    pub seconds: f64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ChangedFiles {
    /// Files that differ.
    pub changed: u64,
    /// Those of them that an answer may rest on, deployment files apart.
    pub read: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FunctionImpact {
    /// `new | changed | gone`
    pub how: String,
    /// `module:qualname`; the path of a file that is no code.
    pub name: String,
    /// In the head; in the base where it is gone.
    pub place: Place,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EntryImpact {
    /// `new | changed | touched | gone`. Touched: a function changed that control may come to from here.
    pub how: String,
    pub entry: EntryPointView,
    /// What is another: `the check login_required is gone`.
    pub changes: Vec<String>,
    /// Changed functions that it leads to, the nearest first.
    pub through: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlowImpact {
    /// `new | changed | touched | gone`. Touched: the same, through a function that changed.
    pub how: String,
    /// As it is in the head; in the base where it is gone.
    pub finding: FindingView,
    /// The verdict in the base, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<VerdictView>,
    /// Its fingerprint in the base, where it is another: the file moved, or nothing led there and now something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    pub changes: Vec<String>,
    /// Changed functions on its way.
    pub through: Vec<String>,
}

impl FlowImpact {
    /// Whether the change opens it: reachable now, and not before.
    pub fn opens(&self) -> bool {
        self.how != "gone"
            && self.finding.verdict.word == "reachable"
            && match self.how.as_str() {
                "new" => true,
                _ => self.before.as_ref().is_some_and(|v| v.word != "reachable"),
            }
    }

    /// Whether nothing leads there, neither before nor now.
    pub fn is_quiet(&self) -> bool {
        self.finding.verdict.word == "no_path"
            && self.before.as_ref().is_none_or(|v| v.word == "no_path")
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProofImpact {
    /// The first ten digits of the finding's fingerprint.
    pub id: String,
    pub weakness: String,
    /// `POST /user/login`
    pub entry: String,
    /// `open | closed | accepted | reopened`
    pub state: String,
    /// A sentence without a full stop.
    pub because: String,
    /// The command that tries it again.
    pub replay: String,
}

/// What is as it was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Left {
    pub entry_points: u64,
    pub reachable: u64,
    pub undecided: u64,
    pub no_path: u64,
    pub proofs: u64,
}

/// What was done for the answer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Work {
    /// `analysed | remembered`: an answer that rests on the same was there from before.
    pub base: String,
    pub head: String,
}

/// A scan of the tree as it is, cut down to what differs from a base.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChangedScan {
    /// [`CHANGED_SCAN_SCHEMA`]
    pub schema: String,
    /// Full id.
    pub base: String,
    /// Why that base: `HEAD`, `where this branch left main`.
    pub base_is: String,
    /// `findings` are those that are new, changed or touched; all else is of the whole tree.
    pub scan: ScanReport,
    /// `new | changed | touched`, in the order of the findings.
    pub how: Vec<FlowImpact>,
    /// Open findings of the base that are no longer there, which closes none of them.
    pub gone: u64,
    pub left: Left,
    pub files: ChangedFiles,
    pub work: Work,
}
