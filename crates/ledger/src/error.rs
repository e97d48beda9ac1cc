//! What can go wrong at the ledger's door.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use solvent_protocol::record::{Commitment, RecordError};

/// Why a call on the ledger did not do what was asked. After any of these the ledger on disk is as it
/// was before the call.
#[derive(Debug)]
pub enum LedgerError {
    /// Opening a folder that holds no ledger.
    Absent(PathBuf),
    /// Creating a ledger where one is, or was.
    Exists(PathBuf),
    /// Another process has it open; its process id, if it could be read.
    Held { holder: Option<u32> },
    /// What is on disk is not what was signed: which file, and what is wrong with it. Nothing was
    /// changed.
    Damaged { place: String, what: String },
    /// A private key file that others may read; its mode.
    KeyMode { path: PathBuf, mode: u32 },
    /// The body is not a valid record.
    Record(RecordError),
    /// No record of this index.
    NoRecord { index: u64, size: u64 },
    /// No sealed object of this name.
    NoObject(Commitment),
    /// The object is there and its key is not: it was erased, or the key was lost.
    NoObjectKey(Commitment),
    /// The object does not open, or is not what its name commits to.
    BrokenObject(Commitment),
    /// Larger than [`crate::MAX_OBJECT_BYTES`]; the size in bytes.
    ObjectTooLarge(u64),
    /// A write failed and could not be taken back either. Open the ledger again.
    Poisoned,
    /// Reading or writing failed; what was tried.
    Io { doing: String, source: io::Error },
}

impl LedgerError {
    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Absent(_) => "run `solvent init`",
            Self::Exists(_) => "open it instead, or choose another folder",
            Self::Held { .. } => "wait for that process, or end it",
            Self::Damaged { .. } | Self::BrokenObject(_) => {
                "run `solvent ledger verify`, then restore the folder from a copy"
            }
            Self::KeyMode { .. } => "if nobody else could read the key, make it 0600",
            Self::Record(_) => "this is a defect of the caller",
            Self::NoRecord { .. } => "`solvent log` lists the records",
            Self::NoObject(_) | Self::NoObjectKey(_) => {
                "restore `objects` and `keys/wrapped` from a copy, or see the record of its erasure"
            }
            Self::ObjectTooLarge(_) => "split the content",
            Self::Poisoned => "run the command again",
            Self::Io { source, .. } if full(source) => {
                "free some space and run the command again, nothing acknowledged was lost"
            }
            Self::Io { .. } => "see that the folder is there and can be written",
        }
    }

    /// Whether the disk (or a quota on it) is full.
    pub fn disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if full(source))
    }
}

pub(crate) fn io_error(doing: &str, path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Io {
        doing: format!("{doing} `{}`", path.display()),
        source,
    }
}

pub(crate) fn damaged(place: impl Into<String>, what: impl Into<String>) -> LedgerError {
    LedgerError::Damaged {
        place: place.into(),
        what: what.into(),
    }
}

fn full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(path) => write!(f, "no ledger in `{}`", path.display()),
            Self::Exists(path) => write!(f, "`{}` already holds a ledger", path.display()),
            Self::Held { holder: Some(pid) } => {
                write!(f, "the ledger is in use by process {pid}")
            }
            Self::Held { holder: None } => f.write_str("the ledger is in use by another process"),
            Self::Damaged { place, what } => {
                write!(f, "the ledger is damaged at `{place}`: {what}")
            }
            Self::KeyMode { path, mode } => {
                write!(f, "private key `{}` has mode {mode:04o}", path.display())
            }
            Self::Record(error) => write!(f, "cannot record this: {error}"),
            Self::NoRecord { index, size } => {
                write!(f, "no record {index}, the ledger holds {size}")
            }
            Self::NoObject(name) => write!(f, "no sealed object `{name}`"),
            Self::NoObjectKey(name) => {
                write!(
                    f,
                    "the key of sealed object `{name}` is gone, it was erased or lost"
                )
            }
            Self::BrokenObject(name) => {
                write!(f, "sealed object `{name}` is not what its name commits to")
            }
            Self::ObjectTooLarge(size) => write!(
                f,
                "object of {size} bytes is over the cap of {}",
                crate::MAX_OBJECT_BYTES
            ),
            Self::Poisoned => {
                f.write_str("an earlier write failed half way and could not be taken back")
            }
            Self::Io { doing, source } if full(source) => {
                write!(f, "disk full while {doing}")
            }
            Self::Io { doing, source } => write!(f, "failed while {doing}: {source}"),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<RecordError> for LedgerError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
