//! The only door from pure code to the world.

use crate::{FilePath, Problem};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

/// One regular file below the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    pub path: FilePath,
    /// Bytes.
    pub size: u64,
}

/// Files below the root in path order, and what could not be walked.
#[derive(Clone, Default, Debug)]
pub struct Walk {
    pub files: Vec<FileEntry>,
    pub problems: Vec<Problem>,
}

/// Why a file gave no bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    NotFound,
    /// Larger than the caller's cap; the size in bytes.
    TooLarge(u64),
    /// In the operating system's words.
    Other(String),
}

/// Files, clock and randomness. `Host` is the operating system, `testkit` has the in-memory twin.
pub trait System: Sync {
    /// Regular files below the root, in path order, skipping what version control ignores. Symbolic
    /// links are not followed: they are reported when they lead out of the tree or in a circle.
    fn walk(&self) -> Walk;

    /// The whole file, refused when it is larger than `cap` bytes.
    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError>;

    fn now(&self) -> Timestamp;

    /// Fills `out` from a cryptographic source. In the in-memory twin the bytes are seeded.
    fn random(&self, out: &mut [u8]);
}
