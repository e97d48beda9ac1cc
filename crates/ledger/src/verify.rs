//! What an outsider can find out from a copied folder, a key they trust and a checkpoint they kept.
//!
//! Nothing here writes, and nothing in the folder is believed: every record is hashed again, every
//! tile and root compared, every signature checked with the outside key. What only the outside
//! checkpoint can show is reported as such: below it no cut and no re-signing passes, even with the
//! log's own key; past it a cut leaves no trace, and the report says how much that is.

mod files;
mod growing;
mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use solvent_base::Digest;
use solvent_protocol::record::verify::VERIFY_SCHEMA;
use solvent_protocol::record::{
    Commitment, Fault, FaultKind, Phase, Record, Status, Uncovered, VerifyReport,
};
use tlog_tiles::{EMPTY_HASH, Hash, record_hash};

use crate::disk::{TEMPORARY, read_capped};
use crate::journal;
use crate::journal_file::journals;
use crate::note::{Head, MAX_NOTE_BYTES, TrustedKey};
use crate::tree::{HASH, Kind, MAX_BUNDLE_BYTES, WIDTH, tile_path, unpack, width_at};
use growing::Growing;

/// Faults that are listed; the rest is counted.
const MAX_FAULTS: usize = 200;
/// Deepest folder that can be part of a ledger.
const MAX_DEPTH: usize = 12;
/// The action whose result names, as inputs, the objects whose keys were destroyed.
const ERASE: &str = "erase";

/// Why nothing could be verified at all.
#[derive(Debug)]
pub enum VerifyError {
    /// The folder cannot be read.
    Folder(io::Error),
    /// The checkpoint from outside is not one of the trusted key's; what is wrong.
    Outside(String),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(error) => write!(f, "the folder cannot be read: {error}"),
            Self::Outside(what) => write!(f, "the checkpoint from outside cannot be used: {what}"),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder(error) => Some(error),
            Self::Outside(_) => None,
        }
    }
}

/// Verifies a folder that nobody is writing to. `outside` is a signed checkpoint that was kept
/// elsewhere, the newer the better.
pub fn verify(
    folder: &Path,
    key: &TrustedKey,
    outside: Option<&[u8]>,
) -> Result<VerifyReport, VerifyError> {
    fs::read_dir(folder).map_err(VerifyError::Folder)?;
    let outside = outside
        .map(|note| key.open(note))
        .transpose()
        .map_err(VerifyError::Outside)?;
    let mut check = Check::new(folder, key);
    let signed = check.checkpoint();
    let kept = check.kept();
    let journal = check.journals();
    let on_disk = signed
        .or_else(|| {
            check
                .claims
                .iter()
                .filter(|c| c.kept)
                .map(|c| c.head)
                .max_by_key(|h| h.size)
        })
        .map_or(0, |head| head.size);
    if let Some(head) = outside {
        check.claims.push(Claim {
            head,
            place: "checkpoint from outside".to_owned(),
            kept: false,
            outside: true,
        });
    }
    check.chain(signed, &kept);
    let walked = check.walk(on_disk, &journal, outside.map(|head| head.size));
    check.claims_past(walked.size);
    check.keys();
    let objects = check.objects(&walked);
    check.strays(on_disk, &walked, &kept);
    let Check {
        mut faults,
        more,
        checkpoints,
        tiles,
        ..
    } = check;
    // The fault that says most comes first: what the outside checkpoint shows.
    faults.sort_by_key(|fault| fault.kind != FaultKind::Rewritten);
    let covered = outside.map_or(0, |head| head.size);
    Ok(VerifyReport {
        schema: VERIFY_SCHEMA.to_owned(),
        origin: key.origin().to_owned(),
        records: walked.size,
        root: Digest::from_bytes(walked.root.0).to_string(),
        checkpoints,
        tiles,
        objects: objects.opened,
        objects_unopened: objects.unopened,
        objects_erased: objects.erased,
        faults,
        faults_more: more,
        unknown_states: walked.open.into_keys().collect(),
        uncovered: Uncovered {
            outside_size: outside.map(|head| head.size),
            records: walked.size.saturating_sub(covered),
            span_ms: if walked.size > covered {
                walked.last_ms.unwrap_or(0) - walked.covered_ms.unwrap_or(0)
            } else {
                0
            },
        },
    })
}

/// A size and root that somebody signed, and where that was read.
struct Claim {
    head: Head,
    place: String,
    kept: bool,
    outside: bool,
}

struct Check<'a> {
    folder: &'a Path,
    key: &'a TrustedKey,
    claims: Vec<Claim>,
    faults: Vec<Fault>,
    more: u64,
    checkpoints: u64,
    tiles: u64,
}

/// What the records turned out to be.
struct Walked {
    size: u64,
    root: Hash,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    /// Time of the last record under the outside checkpoint, or of the first record.
    covered_ms: Option<i64>,
    /// Intents that no result answers.
    open: BTreeMap<u64, String>,
    /// Committed objects, with the first record that names each.
    committed: BTreeMap<Commitment, u64>,
    erased: BTreeSet<Commitment>,
    /// Some records could not be read, so what they answered or erased is not known.
    holes: bool,
    /// First record of the last partial tile that is on disk.
    tail_start: u64,
    /// Leaf hashes from there on, those in the journal included.
    tail_leaves: Vec<Hash>,
    /// Entries from there on.
    tail_entries: Vec<Vec<u8>>,
    /// All hashes of the tile levels above the leaves.
    upper: Vec<Vec<Hash>>,
}

/// Records that the journal holds, by index.
type Journal = BTreeMap<u64, Vec<u8>>;

impl<'a> Check<'a> {
    fn new(folder: &'a Path, key: &'a TrustedKey) -> Self {
        Self {
            folder,
            key,
            claims: Vec::new(),
            faults: Vec::new(),
            more: 0,
            checkpoints: 0,
            tiles: 0,
        }
    }

    fn fault(&mut self, kind: FaultKind, place: impl Into<String>, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                kind,
                place: place.into(),
                message: message.into(),
            });
        } else {
            self.more += 1;
        }
    }

    fn read(&mut self, name: &str, cap: u64) -> Option<Vec<u8>> {
        match read_capped(&self.folder.join(name), cap) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.fault(FaultKind::Missing, name, "is not there");
                None
            }
            Err(error) => {
                self.fault(FaultKind::Missing, name, format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn claim(&mut self, note: &[u8], place: String, kept: bool) -> Option<Head> {
        match self.key.open(note) {
            Ok(head) => {
                self.checkpoints += 1;
                self.claims.push(Claim {
                    head,
                    place,
                    kept,
                    outside: false,
                });
                Some(head)
            }
            Err(what) => {
                self.fault(FaultKind::Signature, place, what);
                None
            }
        }
    }

    fn checkpoint(&mut self) -> Option<Head> {
        let note = self.read("checkpoint", MAX_NOTE_BYTES)?;
        self.claim(&note, "checkpoint".to_owned(), false)
    }

    /// Checks the kept checkpoints and returns their sizes.
    fn kept(&mut self) -> BTreeSet<u64> {
        let mut sizes = BTreeSet::new();
        let Ok(entries) = fs::read_dir(self.folder.join("checkpoints")) else {
            self.fault(FaultKind::Missing, "checkpoints", "cannot be read");
            return sizes;
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with(TEMPORARY))
            .collect();
        names.sort();
        for name in names {
            let place = format!("checkpoints/{name}");
            let size = name
                .parse::<u64>()
                .ok()
                .filter(|size| format!("{size:020}") == name);
            let Some(size) = size else {
                self.fault(
                    FaultKind::Stray,
                    place,
                    "is not the name of a kept checkpoint",
                );
                continue;
            };
            let Some(note) = self.read(&place, MAX_NOTE_BYTES) else {
                continue;
            };
            if let Some(head) = self.claim(&note, place.clone(), true)
                && head.size != size
            {
                self.fault(
                    FaultKind::Signature,
                    place,
                    format!("covers {} records, its name says {size}", head.size),
                );
            }
            sizes.insert(size);
        }
        sizes
    }

    /// Every checkpoint names the kept one before it, and the newest is kept as well.
    fn chain(&mut self, signed: Option<Head>, kept: &BTreeSet<u64>) {
        let newest = signed.map(|head| (head.size, "checkpoint".to_owned()));
        let broken: BTreeMap<u64, String> = self
            .claims
            .iter()
            .map(|claim| (claim.head.previous, claim.place.clone()))
            .chain(newest)
            .filter(|(size, _)| *size > 0 && !kept.contains(size))
            .collect();
        for (size, by) in broken {
            let place = format!("checkpoints/{size:020}");
            self.fault(
                FaultKind::Missing,
                place,
                format!("is not there, {by} names it"),
            );
        }
    }

    fn journals(&mut self) -> Journal {
        let mut records = Journal::new();
        let bases = match journals(self.folder) {
            Ok(bases) => bases,
            Err(error) => {
                self.fault(
                    FaultKind::Missing,
                    "journal",
                    format!("cannot be read: {error}"),
                );
                return records;
            }
        };
        for base in bases {
            let place = format!("journal/{base:020}");
            let Some(bytes) = self.read(&place, journal::MAX_JOURNAL_BYTES) else {
                continue;
            };
            let Some(read) = journal::read(base, &bytes) else {
                self.fault(FaultKind::Journal, place, "is not a journal");
                continue;
            };
            if let Some(at) = read.damaged {
                self.fault(
                    FaultKind::Journal,
                    &place,
                    format!("damaged at byte {at}, with signed records after it"),
                );
            }
            let mut at = base;
            for batch in read.batches {
                for entry in batch.entries {
                    if records.get(&at).is_some_and(|known| *known != entry) {
                        self.fault(FaultKind::Journal, &place, format!("record {at} differs"));
                    }
                    records.insert(at, entry);
                    at += 1;
                }
                if let Some(head) = self.claim(&batch.note, place.clone(), false)
                    && head.size != at
                {
                    self.fault(
                        FaultKind::Journal,
                        &place,
                        format!("{at} records, but {} are signed", head.size),
                    );
                }
            }
        }
        records
    }

    /// Hashes every record, from tiles up to `on_disk` and from the journal after it.
    fn walk(&mut self, on_disk: u64, journal: &Journal, outside: Option<u64>) -> Walked {
        let mut tree = Growing::default();
        let mut walked = Walked {
            size: 0,
            root: EMPTY_HASH,
            first_ms: None,
            last_ms: None,
            covered_ms: None,
            open: BTreeMap::new(),
            committed: BTreeMap::new(),
            erased: BTreeSet::new(),
            holes: false,
            tail_start: on_disk - on_disk % WIDTH,
            tail_leaves: Vec::new(),
            tail_entries: Vec::new(),
            upper: Vec::new(),
        };
        let wanted = self.claims_by_size();
        self.compare_roots(&wanted, 0, EMPTY_HASH);
        for number in 0..on_disk.div_ceil(WIDTH) {
            let width = width_at(on_disk, 0, number);
            let name = tile_path(Kind::Entries, number, width);
            let bundle = self.read(&name, MAX_BUNDLE_BYTES);
            self.tiles += 1;
            let entries = bundle.as_deref().and_then(|bytes| unpack(bytes, width));
            if bundle.is_some() && entries.is_none() {
                self.fault(
                    FaultKind::Tile,
                    &name,
                    format!("does not hold {width} entries"),
                );
            }
            // Without the entries, their hashes still show whether the rest is as it was signed.
            let leaves = match &entries {
                Some(entries) => entries.iter().map(|entry| record_hash(entry)).collect(),
                None => {
                    walked.holes = true;
                    match self.leaves_of_tile(number, width) {
                        Some(leaves) => leaves,
                        None => break,
                    }
                }
            };
            for (offset, leaf) in leaves.into_iter().enumerate() {
                let index = walked.size;
                if let Some(entries) = &entries {
                    let entry = entries[offset];
                    self.record(&mut walked, index, entry, outside);
                    if journal.get(&index).is_some_and(|other| other != entry) {
                        self.fault(
                            FaultKind::Journal,
                            format!("record {index}"),
                            "the journal holds another",
                        );
                    }
                    if index >= walked.tail_start {
                        walked.tail_entries.push(entry.to_vec());
                    }
                }
                if index >= walked.tail_start {
                    walked.tail_leaves.push(leaf);
                }
                tree.push(leaf);
                walked.size += 1;
                for (level, number, hashes) in tree.full.drain(..) {
                    self.compare_tile(level, number, &hashes);
                }
                self.compare_roots_at(&wanted, &tree, walked.size);
            }
        }
        if walked.size == on_disk {
            for level in 0..tree.levels.len() {
                let hashes = tree.levels[level].clone();
                if !hashes.is_empty() {
                    let number = tree.counts[level] / WIDTH;
                    self.compare_tile(level as u8, number, &hashes);
                }
            }
        }
        if let Some((&first, _)) = journal.iter().next()
            && first > walked.size
        {
            self.fault(
                FaultKind::Truncated,
                format!("journal/{first:020}"),
                format!("starts at {first}, the tiles hold {}", walked.size),
            );
        }
        while let Some(entry) = journal.get(&walked.size) {
            let index = walked.size;
            self.record(&mut walked, index, entry, outside);
            let leaf = record_hash(entry);
            walked.tail_entries.push(entry.clone());
            walked.tail_leaves.push(leaf);
            tree.push(leaf);
            tree.full.clear();
            walked.size += 1;
            self.compare_roots_at(&wanted, &tree, walked.size);
        }
        walked.root = tree.root();
        walked.upper = tree.upper;
        walked
    }

    fn record(&mut self, walked: &mut Walked, index: u64, entry: &[u8], outside: Option<u64>) {
        let place = || format!("record {index}");
        let record = match Record::from_bytes(entry) {
            Ok(record) => record,
            Err(error) => {
                walked.holes = true;
                self.fault(FaultKind::Record, place(), error.to_string());
                return;
            }
        };
        if record.seq != index {
            self.fault(
                FaultKind::Order,
                place(),
                format!("carries number {}", record.seq),
            );
        }
        if let Some(last) = walked.last_ms {
            if record.time_ms < last {
                self.fault(
                    FaultKind::Order,
                    place(),
                    format!(
                        "is {} ms older than the record before it",
                        last - record.time_ms
                    ),
                );
            } else if record
                .clock_ms
                .is_some_and(|clock| clock >= record.time_ms || record.time_ms != last)
            {
                self.fault(
                    FaultKind::Order,
                    place(),
                    "says its clock was behind, which it was not",
                );
            }
        } else if record.clock_ms.is_some() {
            self.fault(
                FaultKind::Order,
                place(),
                "says its clock was behind, with nothing before it",
            );
        }
        walked.last_ms = Some(record.time_ms);
        walked.first_ms = walked.first_ms.or(walked.last_ms);
        if outside.is_none_or(|size| index < size.max(1)) && (outside.is_some() || index == 0) {
            walked.covered_ms = walked.last_ms;
        }
        for item in record.body.inputs.iter().chain(&record.body.outputs) {
            walked.committed.entry(item.commitment).or_insert(index);
        }
        match record.body.phase {
            Phase::Intent => {
                if record.expects_result() {
                    walked.open.insert(index, record.body.action);
                }
            }
            Phase::Result { intent, status } => {
                let action = record.body.action;
                match walked.open.remove(&intent) {
                    Some(asked) if asked == action => {}
                    Some(asked) => self.fault(
                        FaultKind::Pairing,
                        place(),
                        format!("result of `{action}` answers intent {intent}, which is `{asked}`"),
                    ),
                    None if walked.holes => {}
                    None => self.fault(
                        FaultKind::Pairing,
                        place(),
                        format!("answers record {intent}, which is no open intent"),
                    ),
                }
                if action == ERASE && status == Status::Done {
                    walked
                        .erased
                        .extend(record.body.inputs.iter().map(|item| item.commitment));
                }
            }
        }
    }

    fn leaves_of_tile(&mut self, number: u64, width: u64) -> Option<Vec<Hash>> {
        let name = tile_path(Kind::Hashes(0), number, width);
        let bytes = read_capped(&self.folder.join(&name), WIDTH * HASH as u64).ok()?;
        if bytes.len() as u64 != width * HASH as u64 {
            return None;
        }
        Some(
            bytes
                .chunks_exact(HASH)
                .map(|chunk| {
                    let mut hash = [0; HASH];
                    hash.copy_from_slice(chunk);
                    Hash(hash)
                })
                .collect(),
        )
    }

    fn compare_tile(&mut self, level: u8, number: u64, hashes: &[Hash]) {
        let name = tile_path(Kind::Hashes(level), number, hashes.len() as u64);
        self.tiles += 1;
        let Some(bytes) = self.read(&name, WIDTH * HASH as u64) else {
            return;
        };
        if bytes.len() != hashes.len() * HASH {
            self.fault(
                FaultKind::Tile,
                name,
                format!("has {} bytes, not {}", bytes.len(), hashes.len() * HASH),
            );
            return;
        }
        let differs = bytes
            .chunks_exact(HASH)
            .zip(hashes)
            .position(|(held, hash)| held != hash.0);
        if let Some(at) = differs {
            let first = (number * WIDTH + at as u64) << (u32::from(level) * 8);
            let below = if level == 0 { "record" } else { "records from" };
            self.fault(
                FaultKind::Tile,
                name,
                format!("hash {at} is not that of {below} {first}"),
            );
        }
    }

    fn claims_by_size(&self) -> BTreeMap<u64, Vec<usize>> {
        let mut wanted: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (i, claim) in self.claims.iter().enumerate() {
            wanted.entry(claim.head.size).or_default().push(i);
        }
        wanted
    }

    fn compare_roots_at(&mut self, wanted: &BTreeMap<u64, Vec<usize>>, tree: &Growing, size: u64) {
        if wanted.contains_key(&size) {
            self.compare_roots(wanted, size, tree.root());
        }
    }

    fn compare_roots(&mut self, wanted: &BTreeMap<u64, Vec<usize>>, size: u64, root: Hash) {
        let differing: Vec<usize> = wanted
            .get(&size)
            .into_iter()
            .flatten()
            .copied()
            .filter(|&i| self.claims[i].head.root.as_bytes() != &root.0)
            .collect();
        for i in differing {
            let (place, outside) = (self.claims[i].place.clone(), self.claims[i].outside);
            if outside {
                self.fault(
                    FaultKind::Rewritten,
                    place,
                    format!("the first {size} records are not those it was taken from"),
                );
            } else {
                self.fault(
                    FaultKind::Root,
                    place,
                    format!("the first {size} records do not lead to its root"),
                );
            }
        }
    }

    /// Whatever was signed over more records than there are shows that some were cut off.
    fn claims_past(&mut self, size: u64) {
        let past: Vec<(String, u64)> = self
            .claims
            .iter()
            .filter(|claim| claim.head.size > size)
            .map(|claim| (claim.place.clone(), claim.head.size))
            .collect();
        for (place, signed) in past {
            self.fault(
                FaultKind::Truncated,
                place,
                format!("covers {signed} records, the folder holds {size}"),
            );
        }
    }
}
