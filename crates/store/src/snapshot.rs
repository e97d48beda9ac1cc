//! A whole copy of a database file that somebody else may be writing to, taken without a lock.
//!
//! SQLite's locks would let a reader hold up the writer, and a reader that is stopped at the wrong
//! moment would end its run. So the file is read as it is, and the copy counts only when nobody wrote
//! meanwhile. That can be seen from outside (SQLite file format, 1.3.7 and 3): while a transaction
//! writes, its rollback journal is not empty, and when it commits, the change counter in the header goes up.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest database that is copied into memory, in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// Tries before giving up on a busy file; the caller then folds the ledger itself.
const ATTEMPTS: usize = 8;

/// Where the change counter stands in the header, 4 bytes.
const CHANGE_COUNTER: std::ops::Range<usize> = 24..28;

/// The file's content as of one moment; `None` when there is none, or none could be had.
pub(crate) fn take(path: &Path) -> Option<Vec<u8>> {
    (0..ATTEMPTS).find_map(|_| attempt(path))
}

fn attempt(path: &Path) -> Option<Vec<u8>> {
    let before = quiet(path)?;
    let mut content = Vec::new();
    let found = fs::symlink_metadata(path).ok()?;
    if !found.is_file() {
        return None;
    }
    File::open(path)
        .ok()?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .ok()?;
    let whole = content.len() as u64 <= MAX_BYTES
        && content.get(CHANGE_COUNTER) == Some(before.as_slice())
        && quiet(path)? == before;
    whole.then_some(content)
}

/// The change counter, when no transaction is under way.
fn quiet(path: &Path) -> Option<[u8; 4]> {
    let mut journal: PathBuf = path.to_owned();
    journal.as_mut_os_string().push("-journal");
    if fs::metadata(&journal).is_ok_and(|found| found.len() > 0) {
        return None;
    }
    let mut header = [0; CHANGE_COUNTER.end];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let mut counter = [0; 4];
    counter.copy_from_slice(&header[CHANGE_COUNTER]);
    Some(counter)
}
