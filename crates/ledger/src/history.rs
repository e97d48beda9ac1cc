//! A history as it is read: what was signed, and the records past the tiles.
//!
//! The writer holds one ([`crate::Ledger::history`]); anyone else opens one without taking the lock.
//! A reader that meets the writer at work takes the newest signed state it can read whole: everything
//! it needs of files that the writer may replace is read when it opens, and tried again when the
//! writer was faster. Whole tiles and bundles never change.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use solvent_base::Digest;
use solvent_protocol::record::{Commitment, Record};
use tlog_tiles::{prove_record, record_hash, tree_hash};

use crate::disk::read_capped;
use crate::error::{LedgerError, damaged, io_error};
use crate::journal;
use crate::journal_file::{journal_path, journals};
use crate::ledger::{Ledger, object_path, private};
use crate::note::{Head, MAX_NOTE_BYTES, TrustedKey};
use crate::object::{self, MAX_OBJECT_BYTES, OVERHEAD, WRAPPED_BYTES};
use crate::tree::{Kind, MAX_BUNDLE_BYTES, Tree, WIDTH, tile_path, unpack, width_at};

/// How often a reader starts again because the writer was faster. Each time, the writer has signed
/// tiles meanwhile, which it does once in thousands of records.
const ATTEMPTS: usize = 32;

/// A readable ledger folder, as of the moment it was opened.
pub struct History {
    pub(crate) folder: PathBuf,
    pub(crate) trusted: TrustedKey,
    /// Absent in a copy that was made without it: nothing sealed can be opened there.
    pub(crate) master: Option<[u8; 32]>,
    pub(crate) tree: Tree,
    /// Records past the tiles, in order.
    pub(crate) pending: Vec<Vec<u8>>,
    /// Signed over everything acknowledged.
    pub(crate) note: Vec<u8>,
    /// The last, partial bundle, which a writer elsewhere will replace; its number and entries.
    tail: Option<(u64, Vec<Vec<u8>>)>,
}

/// One record's place in the tree, for a reader who has the checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InclusionProof {
    pub index: u64,
    /// Hash of the record's bytes as a leaf (RFC 6962).
    pub leaf: Digest,
    /// Sibling hashes, from the leaf up.
    pub path: Vec<Digest>,
    /// The signed checkpoint that the path leads to.
    pub checkpoint: String,
}

/// A sealed object, opened: with the salt anyone can see that the record names exactly this content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    pub salt: [u8; 32],
    pub content: Vec<u8>,
}

impl History {
    /// Opens the ledger in `folder` for reading, under the key in the folder. Takes no lock, writes
    /// nothing, and may be called while another process appends.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        if !Ledger::exists(folder) {
            return Err(LedgerError::Absent(folder.to_owned()));
        }
        let path = folder.join("keys/log.pub");
        let text = read_capped(&path, MAX_NOTE_BYTES)
            .map_err(|error| io_error("reading", &path, error))?;
        let key = std::str::from_utf8(&text)
            .ok()
            .and_then(TrustedKey::parse)
            .ok_or_else(|| damaged("keys/log.pub", "not a verifier's key"))?;
        Self::open_trusting(folder, &key)
    }

    /// [`Self::open`] under a key from elsewhere.
    pub fn open_trusting(folder: &Path, key: &TrustedKey) -> Result<Self, LedgerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let before = Stamp::of(folder);
            match Self::attempt(folder, key) {
                Ok(history) => return Ok(history),
                // What did not change while it was read is broken, not busy.
                Err(error) if tries == ATTEMPTS || Stamp::of(folder) == before => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
    }

    fn attempt(folder: &Path, key: &TrustedKey) -> Result<Self, LedgerError> {
        let master = match private(&folder.join("keys/master"), 32) {
            Ok(bytes) => Some(
                bytes
                    .try_into()
                    .map_err(|_| damaged("keys/master", "not a key of 32 bytes"))?,
            ),
            Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut history = Self::signed(folder, key.clone(), master)?;
        let on_disk = history.tree.on_disk();
        if on_disk % WIDTH != 0 {
            let number = on_disk / WIDTH;
            history.tail = Some((number, history.bundle(number)?));
        }
        if let Some((base, batches)) = read_journal(folder, on_disk)? {
            history.replay(base, batches)?;
        }
        Ok(history)
    }

    /// The history up to the signed tiles.
    pub(crate) fn signed(
        folder: &Path,
        trusted: TrustedKey,
        master: Option<[u8; 32]>,
    ) -> Result<Self, LedgerError> {
        let path = folder.join("checkpoint");
        let note = read_capped(&path, MAX_NOTE_BYTES)
            .map_err(|error| io_error("reading", &path, error))?;
        let head = trusted
            .open(&note)
            .map_err(|what| damaged("checkpoint", what))?;
        let tree = Tree::new(folder, head.size);
        let root = tree
            .root()
            .map_err(|_| damaged("tile", "a hash tile is missing or has the wrong size"))?;
        if root.0 != *head.root.as_bytes() {
            return Err(damaged(
                "tile",
                "the hash tiles do not lead to the checkpoint's root",
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            trusted,
            master,
            tree,
            pending: Vec::new(),
            note,
            tail: None,
        })
    }

    /// The key that its checkpoints are signed with.
    pub fn trusted_key(&self) -> &TrustedKey {
        &self.trusted
    }

    /// Number of acknowledged records.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The signed checkpoint over every acknowledged record. A copy kept outside this machine is what
    /// makes truncation and re-signing detectable.
    pub fn checkpoint(&self) -> String {
        String::from_utf8_lossy(&self.note).into_owned()
    }

    /// Size and root of [`Self::checkpoint`].
    pub fn head(&self) -> Result<Head, LedgerError> {
        self.trusted
            .open(&self.note)
            .map_err(|what| damaged("checkpoint", what))
    }

    /// Number of records whose time is at most `instant_ms`. Times never go back, so these are the
    /// first ones.
    pub fn size_at(&self, instant_ms: i64) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, self.size());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.record(middle)?.time_ms <= instant_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Root over the first `size` records (RFC 6962), which is what a checkpoint of that size signed.
    pub fn root_at(&self, size: u64) -> Result<Digest, LedgerError> {
        if size > self.size() {
            return Err(LedgerError::NoRecord {
                index: size,
                size: self.size(),
            });
        }
        let root =
            tree_hash(size, &self.tree).map_err(|error| damaged("tile", error.to_string()))?;
        Ok(Digest::from_bytes(root.0))
    }

    /// The record at `index`.
    pub fn record(&self, index: u64) -> Result<Record, LedgerError> {
        let mut found = self.entries(index..index.saturating_add(1));
        match found.next() {
            Some(record) => record,
            None => Err(LedgerError::NoRecord {
                index,
                size: self.size(),
            }),
        }
    }

    /// The records of a range, in order, as far as they exist. Bundles are read one at a time.
    pub fn entries(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<Record, LedgerError>> + '_ {
        let on_disk = self.tree.on_disk();
        let end = range.end.min(self.size());
        let mut at = range.start;
        let mut bundle: Option<(u64, Vec<Vec<u8>>)> = None;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let index = at;
            at += 1;
            let bytes = if index >= on_disk {
                self.pending.get((index - on_disk) as usize).cloned()
            } else {
                let number = index / WIDTH;
                if bundle.as_ref().is_none_or(|(held, _)| *held != number) {
                    match self.bundle(number) {
                        Ok(entries) => bundle = Some((number, entries)),
                        Err(error) => return Some(Err(error)),
                    }
                }
                bundle
                    .as_ref()
                    .and_then(|(_, entries)| entries.get((index % WIDTH) as usize).cloned())
            };
            let place = || format!("record {index}");
            Some(match bytes {
                None => Err(damaged(place(), "not in its bundle")),
                Some(bytes) => match Record::from_bytes(&bytes) {
                    Err(error) => Err(damaged(place(), error.to_string())),
                    Ok(record) if record.seq != index => {
                        Err(damaged(place(), format!("carries number {}", record.seq)))
                    }
                    Ok(record) => Ok(record),
                },
            })
        })
    }

    /// Shows that the record at `index` is in the history that [`Self::checkpoint`] signs.
    pub fn inclusion_proof(&self, index: u64) -> Result<InclusionProof, LedgerError> {
        if index >= self.size() {
            return Err(LedgerError::NoRecord {
                index,
                size: self.size(),
            });
        }
        let bytes = self.record(index)?.to_bytes()?;
        let path = prove_record(self.size(), index, &self.tree)
            .map_err(|error| damaged("tile", error.to_string()))?;
        Ok(InclusionProof {
            index,
            leaf: Digest::from_bytes(record_hash(&bytes).0),
            path: path
                .into_iter()
                .map(|hash| Digest::from_bytes(hash.0))
                .collect(),
            checkpoint: self.checkpoint(),
        })
    }

    /// The content of a sealed object, checked against its name.
    pub fn get_object(&self, name: Commitment) -> Result<Vec<u8>, LedgerError> {
        self.open_object(name).map(|opened| opened.content)
    }

    /// A sealed object with its salt, checked against its name.
    pub fn open_object(&self, name: Commitment) -> Result<Opened, LedgerError> {
        let master = self.master.ok_or(LedgerError::NoObjectKey(name))?;
        let read = |root: &str, cap: u64, missing: LedgerError| {
            let path = object_path(&self.folder, root, name);
            read_capped(&path, cap).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => missing,
                _ => io_error("reading", &path, error),
            })
        };
        let object = read(
            "objects",
            MAX_OBJECT_BYTES + OVERHEAD,
            LedgerError::NoObject(name),
        )?;
        let wrapped = read(
            "keys/wrapped",
            WRAPPED_BYTES,
            LedgerError::NoObjectKey(name),
        )?;
        object::open(&master, name, &wrapped, &object).ok_or(LedgerError::BrokenObject(name))
    }

    pub(crate) fn bundle(&self, number: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        if let Some((held, entries)) = &self.tail
            && *held == number
        {
            return Ok(entries.clone());
        }
        let width = width_at(self.tree.on_disk(), 0, number);
        let name = tile_path(Kind::Entries, number, width);
        let path = self.folder.join(&name);
        let bytes = read_capped(&path, MAX_BUNDLE_BYTES)
            .map_err(|error| io_error("reading", &path, error))?;
        let entries = unpack(&bytes, width)
            .ok_or_else(|| damaged(name, format!("does not hold {width} entries")))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// Takes up the records of the journal of `base`.
    pub(crate) fn replay(
        &mut self,
        base: u64,
        batches: Vec<journal::Batch>,
    ) -> Result<(), LedgerError> {
        let place = || format!("journal/{base:020}");
        let on_disk = self.tree.on_disk();
        let mut at = base;
        for batch in batches {
            for entry in batch.entries {
                if at < on_disk {
                    let known = self.bundle(at / WIDTH)?;
                    if known.get((at % WIDTH) as usize) != Some(&entry) {
                        return Err(damaged(place(), format!("record {at} is not the tiles'")));
                    }
                } else {
                    self.tree
                        .push(&entry)
                        .map_err(|error| damaged(place(), error.to_string()))?;
                    self.pending.push(entry);
                }
                at += 1;
            }
            let head = self
                .trusted
                .open(&batch.note)
                .map_err(|what| damaged(place(), what))?;
            if head.size != at {
                return Err(damaged(
                    place(),
                    format!("{at} records, {} signed", head.size),
                ));
            }
            if at > on_disk {
                let root = self
                    .tree
                    .root()
                    .map_err(|error| damaged(place(), error.to_string()))?;
                if root.0 != *head.root.as_bytes() {
                    return Err(damaged(
                        place(),
                        "the records do not lead to the signed root",
                    ));
                }
                self.note = batch.note;
            }
        }
        Ok(())
    }
}

/// What of a folder changes when its writer moves on: checkpoint, journals and their lengths.
#[derive(PartialEq, Eq)]
struct Stamp(Option<Vec<u8>>, Vec<(u64, Option<u64>)>);

impl Stamp {
    fn of(folder: &Path) -> Self {
        let journals = journals(folder)
            .unwrap_or_default()
            .into_iter()
            .map(|base| {
                let length = std::fs::metadata(journal_path(folder, base)).map(|found| found.len());
                (base, length.ok())
            })
            .collect();
        Self(
            read_capped(&folder.join("checkpoint"), MAX_NOTE_BYTES).ok(),
            journals,
        )
    }
}

/// The journal that goes on from the tiles of `size` records, as far as it was committed, if there is
/// one. What is returned is durable: it was synced here, whoever wrote it. (A batch whose writer is
/// about to find that its own sync failed may be among it.)
fn read_journal(
    folder: &Path,
    size: u64,
) -> Result<Option<(u64, Vec<journal::Batch>)>, LedgerError> {
    let path = folder.join("journal");
    let bases = journals(folder).map_err(|error| io_error("reading", &path, error))?;
    let Some(&base) = bases.last() else {
        return Ok(None);
    };
    let path = journal_path(folder, base);
    let name = format!("journal/{base:020}");
    if base > size {
        return Err(damaged(
            name,
            format!("starts at {base}, the checkpoint covers {size}"),
        ));
    }
    // A link or pipe in a copied folder is neither followed nor waited for.
    let found =
        std::fs::symlink_metadata(&path).map_err(|error| io_error("reading", &path, error))?;
    if !found.is_file() {
        return Err(damaged(name, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| {
            (&file)
                .take(journal::MAX_JOURNAL_BYTES + 1)
                .read_to_end(&mut bytes)?;
            match file.sync_data() {
                // Nobody writes to a medium that cannot be written to.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ReadOnlyFilesystem
                            | io::ErrorKind::InvalidInput
                            | io::ErrorKind::Unsupported
                    ) =>
                {
                    Ok(())
                }
                other => other,
            }
        })
        .map_err(|error| io_error("reading", &path, error))?;
    if bytes.len() as u64 > journal::MAX_JOURNAL_BYTES {
        return Err(damaged(
            name,
            format!("over {} bytes", journal::MAX_JOURNAL_BYTES),
        ));
    }
    let read = journal::read(base, &bytes).ok_or_else(|| damaged(&name, "not a journal"))?;
    if let Some(at) = read.damaged {
        return Err(damaged(
            name,
            format!("damaged at byte {at}, with signed records after it"),
        ));
    }
    Ok(Some((base, read.batches)))
}
