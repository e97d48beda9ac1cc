//! What verification of a ledger folder says.

use serde::{Deserialize, Serialize};

/// The schema of [`VerifyReport`] as JSON.
pub const VERIFY_SCHEMA: &str = "solvent.ledger-verify/v1";

/// The answer of one verification. The history is as it was signed exactly when `faults` is empty;
/// what lies past the outside checkpoint could have been cut off without a trace, and `uncovered`
/// says how much that is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyReport {
    pub schema: String,
    /// Name of the log, the first line of its checkpoints.
    pub origin: String,
    /// Records that were read and hashed.
    pub records: u64,
    /// Root hash over all of them, `sha256:` and hexadecimal digits.
    pub root: String,
    /// Signed checkpoints that were checked, those in the journal included.
    pub checkpoints: u64,
    /// Hash tiles and entry bundles that were compared.
    pub tiles: u64,
    /// Sealed objects that were opened and compared with their commitment.
    pub objects: u64,
    /// Sealed objects that could not be opened because the folder holds no master key: unmeasured.
    pub objects_unopened: u64,
    /// Objects whose key was destroyed by a recorded erasure.
    pub objects_erased: u64,
    /// In the order of the history, then of the files; the first two hundred.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub faults_more: u64,
    /// Intents without a result: how far the action came is not known.
    pub unknown_states: Vec<u64>,
    /// The part of the history that no checkpoint from outside the folder covers.
    pub uncovered: Uncovered,
}

impl VerifyReport {
    /// Whether everything that could be checked is as it was signed.
    pub fn consistent(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Records past the last checkpoint that was kept outside the folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uncovered {
    /// Size of the outside checkpoint; absent when none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_size: Option<u64>,
    pub records: u64,
    /// Milliseconds from the last covered record (or the first of all) to the last record.
    pub span_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A file that the history needs is not there, is cut short or cannot be read.
    Missing,
    /// A file that does not belong to the history.
    Stray,
    /// A checkpoint is malformed, or not signed by the trusted key.
    Signature,
    /// A hash tile or entry bundle does not hold what the records hash to.
    Tile,
    /// A checkpoint's root is not that of the records.
    Root,
    /// The folder holds fewer records than a signed checkpoint covers.
    Truncated,
    /// The history is not the one that the outside checkpoint was taken from.
    Rewritten,
    /// An entry is not a canonical record.
    Record,
    /// Sequence numbers or times do not go forward.
    Order,
    /// A result that answers no open intent.
    Pairing,
    /// A sealed object does not open, or its content is not what was committed to.
    Object,
    /// The journal is damaged before its end.
    Journal,
    /// A key in the folder is not the one that belongs to the log.
    Key,
    /// A file of an evidence folder is not the one that the manifest lists.
    Manifest,
    /// What an evidence folder says is not what its records and objects say.
    Statement,
}

impl FaultKind {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stray => "stray",
            Self::Signature => "signature",
            Self::Tile => "tile",
            Self::Root => "root",
            Self::Truncated => "truncated",
            Self::Rewritten => "rewritten",
            Self::Record => "record",
            Self::Order => "order",
            Self::Pairing => "pairing",
            Self::Object => "object",
            Self::Journal => "journal",
            Self::Key => "key",
            Self::Manifest => "manifest",
            Self::Statement => "statement",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Path inside the folder, or `record 17`.
    pub place: String,
    /// Lower case, no full stop.
    pub message: String,
}
