//! Projections of the ledger, in SQLite.
//!
//! It does not know how records are made true or sealed; it folds what a [`Source`] gives, in order,
//! into tables, and answers questions from them. The tables are disposable: a file that is cut,
//! foreign, older or newer than this program is thrown away and folded again, never trusted. Read
//! [`Store`] (what can be asked), then `fold` (what a record changes), then `sqlite`.

mod answer;
mod decided;
mod fold;
mod snapshot;
mod source;
mod sqlite;

use std::fmt;

use solvent_protocol::record::Record;
use solvent_protocol::view::{
    FindingList, LogReport, ProveReport, ScanReport, ShowReport, StatusReport,
};

pub use source::{Nothing, Source, SourceError, Until};
pub use sqlite::SqliteStore;

/// Names that outputs of records carry.
pub mod names {
    pub const SCAN_REPORT: &str = "scan-report";
    /// Kept whole: nothing is folded from it.
    pub const DEBT_REPORT: &str = "debt-report";
    pub const PROVE_REPORT: &str = "prove-report";
    pub const REPLAY_REPORT: &str = "replay-report";
    pub const CHANGE_REQUEST: &str = "change-request";
    /// One step in the life of a change; its record has a link `change` to the change's id.
    pub const CHANGE_EVENT: &str = "change-event";
    /// A signed approval, beside the event that counts it; its record has a link `change`.
    pub const APPROVAL: &str = "approval";
    pub const REJECTION: &str = "rejection";
    pub const MERGE_REPORT: &str = "merge-report";
    pub const ACCEPTANCE: &str = "acceptance";
    /// A proof reviewed, or a stage set.
    pub const ADOPTION_EVENT: &str = "adoption-event";
    pub const REPLAY_ALL_REPORT: &str = "replay-all-report";
    pub const GATE_REPORT: &str = "gate-report";
    /// Begins the name of what of a campaign concerns one finding; its id follows.
    pub const EXCERPT: &str = "excerpt-";
    /// Begins the name of a sealed capsule; the finding's id follows.
    pub const CAPSULE: &str = "capsule-";
}

/// Answers about the ledger, and the fold that keeps them true.
pub trait Store {
    /// Folds one record, which must be the next one.
    fn apply(&mut self, source: &dyn Source, record: &Record) -> Result<(), StoreError>;

    /// Forgets everything and folds the whole ledger. Returns the number of records.
    fn rebuild(&mut self, source: &dyn Source) -> Result<u64, StoreError>;

    /// Folds what the ledger has and the store has not. Returns the number of records folded.
    fn catch_up(&mut self, source: &dyn Source) -> Result<u64, StoreError>;

    /// Number of records folded.
    fn folded(&mut self) -> Result<u64, StoreError>;

    /// The funnel of `subject`, or of the newest scan's.
    fn status(&mut self, subject: Option<&str>) -> Result<StatusReport, StoreError>;

    /// Findings in the order of their scan, those that are gone last.
    fn findings(&mut self, filter: &Filter) -> Result<FindingList, StoreError>;

    /// The finding whose fingerprint starts with `id`.
    fn show(&mut self, subject: Option<&str>, id: &str) -> Result<ShowReport, StoreError>;

    /// What changed about a finding, oldest first.
    fn history(&mut self, subject: Option<&str>, id: &str) -> Result<Vec<Change>, StoreError>;

    /// Records as lines, oldest first.
    fn log(&mut self, filter: &LogFilter) -> Result<LogReport, StoreError>;

    /// Intents without a result, by index: how far they came is not known.
    fn open_runs(&mut self) -> Result<Vec<u64>, StoreError>;

    fn latest_scan(&mut self, subject: Option<&str>) -> Result<Option<ScanReport>, StoreError>;

    fn latest_prove(&mut self, subject: Option<&str>) -> Result<Option<ProveReport>, StoreError>;

    /// Commitments of the sealed capsules of a finding, oldest first; its whole fingerprint.
    fn capsules(&mut self, fingerprint: &str) -> Result<Vec<String>, StoreError>;

    /// What was proposed and decided, oldest first: outputs named `kind` (of [`names`]) about `key`.
    fn documents(&mut self, kind: &str, key: Option<&str>) -> Result<Vec<Document>, StoreError>;

    /// Every row of every table as text, in key order, for comparison.
    fn dump(&mut self) -> Result<String, StoreError>;
}

/// Which findings. Everything that is absent matches anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Name of the subject; the newest scan's when absent.
    pub subject: Option<String>,
    /// `CWE-89`
    pub weakness: Option<String>,
    /// `low | medium | high | critical`: this and worse.
    pub severity: Option<String>,
    /// `reachable | undecided | no_path`
    pub verdict: Option<String>,
    /// `proven | not_reproduced | inconclusive`, or `not_attempted`
    pub outcome: Option<String>,
    pub presence: Presence,
}

impl Filter {
    /// Every finding of the newest scan.
    pub fn present() -> Self {
        Self {
            subject: None,
            weakness: None,
            severity: None,
            verdict: None,
            outcome: None,
            presence: Presence::Newest,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// Only what the newest scan shows.
    Newest,
    /// Also what an earlier scan showed; its absence closes nothing.
    Ever,
}

/// Which records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFilter {
    /// The action's word.
    pub action: Option<String>,
    /// `human:ana`
    pub actor: Option<String>,
    /// At least this index.
    pub from: u64,
    /// The newest so many of those that match.
    pub last: u64,
}

/// One change of one finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Index of the record.
    pub index: u64,
    pub time_ms: i64,
    /// `seen | verdict | absent | returned | outcome | replay`
    pub what: String,
    /// The new word.
    pub word: String,
}

/// One document of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Index of the record.
    pub index: u64,
    pub time_ms: i64,
    /// `human:ana`
    pub actor: String,
    /// JSON, of the schema that its kind has.
    pub body: String,
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum StoreError {
    /// No finding's fingerprint starts so.
    NoFinding(String),
    /// Several do; some of them.
    Ambiguous { id: String, found: Vec<String> },
    /// The record to fold is not the next one.
    OutOfOrder { expected: u64, got: u64 },
    /// The ledger could not be read.
    Source(SourceError),
    /// The database failed; what was tried.
    Database {
        doing: &'static str,
        source: sqlx::Error,
    },
    /// The runtime could not start, or a file could not be removed.
    Io(std::io::Error),
    /// A row does not hold what the fold put there. Rebuild.
    Corrupt(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFinding(id) => write!(f, "no finding `{id}`"),
            Self::Ambiguous { id, found } => {
                write!(f, "`{id}` could be any of {}", found.join(", "))
            }
            Self::OutOfOrder { expected, got } => {
                write!(f, "record {got} came, record {expected} is next")
            }
            Self::Source(error) => write!(f, "the ledger could not be read: {error}"),
            Self::Database { doing, source } => {
                write!(f, "the database failed while {doing}: {source}")
            }
            Self::Io(error) => write!(f, "the database file failed: {error}"),
            Self::Corrupt(what) => {
                write!(f, "the database does not hold what was put there: {what}")
            }
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Database { source, .. } => Some(source),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SourceError> for StoreError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}
