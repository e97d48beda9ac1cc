//! The journal: records that are durable and not yet in tiles.
//!
//! A file `journal/<base>` starts with [`MAGIC`] and holds frames: kind (1 byte), length (4 bytes, big
//! endian), the first 8 bytes of SHA-256 over base, offset, kind, length and payload, payload. Entry
//! frames carry records; a commit frame carries the signed checkpoint over everything before it. A
//! batch counts from its commit frame on, and is acknowledged only after that frame is on disk, so
//! every acknowledged byte is covered by a signature and what follows the last commit frame was
//! promised to nobody.

use solvent_base::Digest;
use solvent_protocol::record::MAX_RECORD_BYTES;

pub(crate) const MAGIC: &[u8] = b"solvent journal v1\n";

/// A journal is turned into tiles long before this; a larger file is not ours.
pub(crate) const MAX_JOURNAL_BYTES: u64 = 1 << 30;

const ENTRY: u8 = b'E';
const COMMIT: u8 = b'C';
const HEAD: usize = 1 + 4 + 8;

/// Largest payload: a record, or a note of one signature.
const MAX_PAYLOAD: usize = MAX_RECORD_BYTES;

/// One committed group of records.
pub(crate) struct Batch {
    pub entries: Vec<Vec<u8>>,
    /// The signed checkpoint after them.
    pub note: Vec<u8>,
}

/// What a journal file holds.
pub(crate) struct Read {
    pub batches: Vec<Batch>,
    /// Bytes up to the end of the last commit frame (or of the magic).
    pub sound: u64,
    /// Bytes after it: a batch that was never acknowledged.
    pub torn: u64,
    /// Offset of a damaged frame that whole frames follow, so it is not a torn tail.
    pub damaged: Option<u64>,
}

/// Frames of one batch, to be written at `offset` of the journal of `base`.
pub(crate) fn frames(base: u64, mut offset: u64, entries: &[Vec<u8>], note: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, payload) in entries
        .iter()
        .map(|entry| (ENTRY, entry.as_slice()))
        .chain([(COMMIT, note)])
    {
        let length = (payload.len() as u32).to_be_bytes();
        out.push(kind);
        out.extend_from_slice(&length);
        out.extend_from_slice(&check(base, offset, kind, payload));
        out.extend_from_slice(payload);
        offset += (HEAD + payload.len()) as u64;
    }
    out
}

/// Reads what can be read; `None` when the first bytes are not a journal's.
pub(crate) fn read(base: u64, bytes: &[u8]) -> Option<Read> {
    // A crash while the file was born leaves less than the magic: an empty journal.
    if bytes.len() < MAGIC.len() {
        let torn = bytes.len() as u64;
        return MAGIC.starts_with(bytes).then_some(Read {
            batches: Vec::new(),
            sound: 0,
            torn,
            damaged: None,
        });
    }
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let mut at = MAGIC.len();
    let mut sound = at;
    let mut batches = Vec::new();
    let mut entries = Vec::new();
    while let Some((kind, payload)) = frame(base, bytes, at) {
        at += HEAD + payload.len();
        if kind == ENTRY {
            entries.push(payload.to_vec());
        } else {
            batches.push(Batch {
                entries: std::mem::take(&mut entries),
                note: payload.to_vec(),
            });
            sound = at;
        }
    }
    // A torn write leaves nothing whole behind it. If a commit frame stands after the damage, then the
    // damage lies in what was acknowledged.
    let damaged = ((at + 1)..bytes.len())
        .any(|later| bytes[later] == COMMIT && frame(base, bytes, later).is_some())
        .then_some(at as u64);
    Some(Read {
        batches,
        sound: sound as u64,
        torn: (bytes.len() - sound) as u64,
        damaged,
    })
}

fn frame(base: u64, bytes: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let head = bytes.get(at..at + HEAD)?;
    let kind = head[0];
    if kind != ENTRY && kind != COMMIT {
        return None;
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > MAX_PAYLOAD {
        return None;
    }
    let payload = bytes.get(at + HEAD..at + HEAD + length)?;
    (head[5..] == check(base, at as u64, kind, payload)).then_some((kind, payload))
}

/// Place and kind are part of the check, so a frame copied elsewhere is not a frame.
fn check(base: u64, offset: u64, kind: u8, payload: &[u8]) -> [u8; 8] {
    let digest = Digest::of_parts([
        base.to_be_bytes().as_slice(),
        offset.to_be_bytes().as_slice(),
        &[kind],
        payload,
    ]);
    let mut out = [0; 8];
    out.copy_from_slice(&digest.as_bytes()[..8]);
    out
}
