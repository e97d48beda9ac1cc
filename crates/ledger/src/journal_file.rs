//! Journals as files: finding, starting, changing and removing them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use solvent_protocol::record::canonical::MAX_SAFE;

use crate::disk::{Disk, Mode, read_capped};
use crate::error::{LedgerError, damaged, io_error};
use crate::journal;

/// The journal that is written to.
pub(crate) struct Journal {
    pub base: u64,
    pub file: File,
    pub length: u64,
}

/// What a journal gave when it was opened.
pub(crate) struct Replay {
    pub batches: Vec<journal::Batch>,
    /// Bytes cut from its end.
    pub torn: u64,
}

pub(crate) fn journal_path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("journal/{base:020}"))
}

pub(crate) fn new_journal(
    folder: &Path,
    disk: &dyn Disk,
    base: u64,
) -> Result<Journal, LedgerError> {
    let path = journal_path(folder, base);
    disk.put(&path, journal::MAGIC, Mode::Private)
        .and_then(|()| disk.sync_dir(&folder.join("journal")))
        .map_err(|error| io_error("writing", &path, error))?;
    let file = append_to(&path)?;
    Ok(Journal {
        base,
        file,
        length: journal::MAGIC.len() as u64,
    })
}

fn append_to(path: &Path) -> Result<File, LedgerError> {
    OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(|error| io_error("opening", path, error))
}

pub(crate) fn remove_journal(folder: &Path, disk: &dyn Disk, base: u64) -> Result<(), LedgerError> {
    let path = journal_path(folder, base);
    match disk.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("removing", &path, error))
        }
        _ => Ok(()),
    }
}

/// The base in a journal's file name.
pub(crate) fn journal_base(name: &str) -> Option<u64> {
    let base = name.parse::<u64>().ok()?;
    (format!("{base:020}") == name && base <= MAX_SAFE as u64).then_some(base)
}

/// The journals in the folder by base, smallest first.
pub(crate) fn journals(folder: &Path) -> io::Result<Vec<u64>> {
    let mut bases = Vec::new();
    let entries = match fs::read_dir(folder.join("journal")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bases),
        other => other?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if let Some(base) = name.to_str().and_then(journal_base) {
            bases.push(base);
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

/// Finds the journal that goes on from the tiles of `size` records. A crash between signing the tiles
/// and changing journals leaves the old journal, whose records the tiles hold; a crash a moment later
/// leaves both.
pub(crate) fn open_journal(
    folder: &Path,
    disk: &dyn Disk,
    size: u64,
) -> Result<(Journal, Replay), LedgerError> {
    let path = folder.join("journal");
    let bases = journals(folder).map_err(|error| io_error("reading", &path, error))?;
    if let Some(&beyond) = bases.iter().find(|&&base| base > size) {
        return Err(damaged(
            format!("journal/{beyond:020}"),
            format!("starts at {beyond}, the checkpoint covers {size}"),
        ));
    }
    let Some(&base) = bases.last() else {
        let journal = new_journal(folder, disk, size)?;
        return Ok((
            journal,
            Replay {
                batches: Vec::new(),
                torn: 0,
            },
        ));
    };
    for &stale in &bases[..bases.len() - 1] {
        remove_journal(folder, disk, stale)?;
    }
    let path = journal_path(folder, base);
    let name = format!("journal/{base:020}");
    let bytes = read_capped(&path, journal::MAX_JOURNAL_BYTES)
        .map_err(|error| io_error("reading", &path, error))?;
    let read = journal::read(base, &bytes).ok_or_else(|| damaged(&name, "not a journal"))?;
    if let Some(at) = read.damaged {
        return Err(damaged(
            &name,
            format!("damaged at byte {at}, with signed records after it"),
        ));
    }
    let file = append_to(&path)?;
    let mut length = read.sound;
    if read.torn > 0 {
        disk.truncate(&file, read.sound)
            .and_then(|()| disk.sync(&file))
            .map_err(|error| io_error("cutting the torn end of", &path, error))?;
    }
    if length == 0 {
        disk.append(&file, journal::MAGIC)
            .and_then(|()| disk.sync(&file))
            .map_err(|error| io_error("writing", &path, error))?;
        length = journal::MAGIC.len() as u64;
    }
    Ok((
        Journal { base, file, length },
        Replay {
            batches: read.batches,
            torn: read.torn,
        },
    ))
}
