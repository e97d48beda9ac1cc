//! Files of a copied folder that the history does not explain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use solvent_base::Digest;
use solvent_protocol::record::{Commitment, FaultKind};
use tlog_tiles::Hash;

use super::{Check, MAX_DEPTH, Walked};
use crate::disk::{TEMPORARY, read_capped};
use crate::journal_file::journal_base;
use crate::ledger::object_path;
use crate::tree::{
    Kind, MAX_BUNDLE_BYTES, WIDTH, pack, parse_tile_path, tile_path, unpack, width_at,
};

/// One file of the folder.
pub(super) struct Found {
    /// Relative, with forward slashes.
    pub name: String,
    /// A file and not a link, pipe or device.
    pub regular: bool,
}

/// Every file below a folder, sorted, links not followed, what a crash leaves of writes left out.
pub(super) fn files(folder: &Path, prefix: &str, depth: usize) -> Vec<Found> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let own = entry.file_name().to_string_lossy().into_owned();
        if own.starts_with(TEMPORARY) {
            continue;
        }
        let name = if prefix.is_empty() {
            own
        } else {
            format!("{prefix}/{own}")
        };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => {
                found.extend(files(&entry.path(), &name, depth - 1));
            }
            kind => {
                found.push(Found {
                    name,
                    regular: kind.is_ok_and(|kind| kind.is_file()),
                });
            }
        }
    }
    found
}

impl Check<'_> {
    /// Files that the history neither needs nor could have left behind.
    pub(super) fn strays(&mut self, on_disk: u64, walked: &Walked, kept: &BTreeSet<u64>) {
        for file in files(self.folder, "", MAX_DEPTH) {
            let name = file.name.as_str();
            let belongs = file.regular
                && match name.split('/').next().unwrap_or_default() {
                    "checkpoint" | "lock" => !name.contains('/'),
                    // Looked at one by one before.
                    "objects" => true,
                    "checkpoints" => name
                        .strip_prefix("checkpoints/")
                        .and_then(|size| size.parse().ok())
                        .is_some_and(|size: u64| kept.contains(&size)),
                    "journal" => name
                        .strip_prefix("journal/")
                        .and_then(journal_base)
                        .is_some(),
                    "keys" => {
                        ["keys/log", "keys/log.pub", "keys/master"].contains(&name)
                            || name
                                .strip_prefix("keys/wrapped/")
                                .and_then(|rest| Digest::parse(rest.get(3..)?))
                                .is_some_and(|digest| {
                                    object_path(Path::new(""), "keys/wrapped", Commitment(digest))
                                        == Path::new(name)
                                })
                    }
                    "tile" => match parse_tile_path(name) {
                        Some((kind, number, width)) => {
                            self.tile_belongs(kind, number, width, on_disk, walked)
                        }
                        None => false,
                    },
                    _ => false,
                };
            if !belongs {
                self.fault(FaultKind::Stray, name, "does not belong to the ledger");
            }
        }
    }

    /// Tiles of the signed tree were compared already. Others are what a crash left: then they hold
    /// what the records, those in the journal included, say they must.
    fn tile_belongs(
        &self,
        kind: Kind,
        number: u64,
        width: u64,
        on_disk: u64,
        walked: &Walked,
    ) -> bool {
        let level = match kind {
            Kind::Hashes(level) => level,
            Kind::Entries => 0,
        };
        let signed = width_at(on_disk, level, number);
        if width == signed {
            return true;
        }
        let Ok(bytes) = read_capped(
            &self.folder.join(tile_path(kind, number, width)),
            MAX_BUNDLE_BYTES,
        ) else {
            return false;
        };
        let Some(end) = number
            .checked_mul(WIDTH)
            .and_then(|start| start.checked_add(width))
        else {
            return false;
        };
        let start = end - width;
        if signed == WIDTH {
            // A narrower tile that a full one replaced: its beginning.
            let full = read_capped(
                &self.folder.join(tile_path(kind, number, WIDTH)),
                MAX_BUNDLE_BYTES,
            );
            return full.is_ok_and(|full| full.starts_with(&bytes))
                && (kind != Kind::Entries || unpack(&bytes, width).is_some());
        }
        let slice = |hashes: &[Hash], offset: u64| -> Option<Vec<u8>> {
            let range = start.checked_sub(offset)? as usize..end.checked_sub(offset)? as usize;
            Some(hashes.get(range)?.iter().flat_map(|hash| hash.0).collect())
        };
        let expected = match kind {
            Kind::Hashes(0) => slice(&walked.tail_leaves, walked.tail_start),
            Kind::Hashes(level) => walked
                .upper
                .get(usize::from(level) - 1)
                .and_then(|hashes| slice(hashes, 0)),
            Kind::Entries => start
                .checked_sub(walked.tail_start)
                .map(|from| from as usize)
                .and_then(|from| walked.tail_entries.get(from..from + width as usize))
                .map(|entries| pack(entries.iter().map(Vec::as_slice))),
        };
        expected.as_deref() == Some(&bytes)
    }
}
