//! The only door from pure code to the world.

use crate::{FilePath, Problem};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

/// What an operating system tells of a file and changes whenever its bytes change: device, number, size in bytes, and
/// when its content and when anything about it changed last, in nanoseconds since 1970. The last one cannot be set by
/// programs (`st_ctim` in POSIX `stat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub device: u64,
    pub number: u64,
    pub size: u64,
    pub content_changed: i64,
    pub status_changed: i64,
}

/// One regular file below the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    pub path: FilePath,
    /// Bytes.
    pub size: u64,
    /// `None` where nothing is known that tells a change without reading.
    pub stamp: Option<Stamp>,
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

/// Names of folders that [`System::walk`] does not enter: version control, installed packages, caches
/// and our own state. None of them is source that the repository's owner wrote.
pub const SKIPPED_FOLDERS: [&str; 13] = [
    ".git",
    ".hg",
    ".svn",
    ".solvent",
    "node_modules",
    "__pycache__",
    ".tox",
    ".nox",
    ".eggs",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
];

/// A folder that holds this file is a virtual environment (PEP 405) and is not entered either.
pub const SKIPPED_FOLDER_MARKER: &str = "pyvenv.cfg";

/// The mark in the head of every page that Solvent writes, as HTML has it for the program that made a page.
pub const PAGE_MARK: &str = "<meta name=\"generator\" content=\"Solvent\">";

/// Bytes at the start of a page in which [`PAGE_MARK`] stands.
pub const PAGE_HEAD: usize = 512;

/// Whether a file that begins so is a page that Solvent wrote: neither source nor a change of its owner's.
pub fn is_own_page(start: &[u8]) -> bool {
    let head = &start[..start.len().min(PAGE_HEAD)];
    head.starts_with(b"<!doctype html>\n")
        && head
            .windows(PAGE_MARK.len())
            .any(|part| part == PAGE_MARK.as_bytes())
}

/// Files, clock and randomness. `Host` is the operating system, `testkit` has the in-memory twin.
pub trait System: Sync {
    /// Regular files below the root, in path order, skipping what the tree's `.gitignore` files name,
    /// [`SKIPPED_FOLDERS`] and virtual environments. Symbolic
    /// links are not followed: they are reported when they lead out of the tree or in a circle.
    fn walk(&self) -> Walk;

    /// The whole file, refused when it is larger than `cap` bytes.
    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError>;

    fn now(&self) -> Timestamp;

    /// Fills `out` from a cryptographic source. In the in-memory twin the bytes are seeded.
    fn random(&self, out: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_the_mark_in_its_head_alone() {
        let page = format!("<!doctype html>\n<html>\n<head>\n{PAGE_MARK}\n");
        assert!(is_own_page(page.as_bytes()));
        assert!(!is_own_page(&page.as_bytes()[..page.len() - 4]));
        assert!(!is_own_page(format!("x = '{PAGE_MARK}'\n").as_bytes()));
        let late = format!("<!doctype html>\n{}{PAGE_MARK}", " ".repeat(PAGE_HEAD));
        assert!(!is_own_page(late.as_bytes()));
        assert!(!is_own_page(b""));
    }
}
