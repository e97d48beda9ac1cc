//! A few records of a history, each with what shows that it belongs there.
//!
//! A proof is a text in the form of C2SP tlog-proof: the record's index, the hashes from its leaf to the
//! root (RFC 6962, 2.1.1), and the signed checkpoint. With the record's bytes and the log's key it needs
//! nothing else, least of all the log.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tlog_tiles::{Hash, check_record, record_hash};

use crate::error::LedgerError;
use crate::history::{History, InclusionProof};
use crate::note::{Head, MAX_NOTE_BYTES, TrustedKey};

/// First line of a proof.
const PROOF_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Longest proof that is read: 64 hashes and a checkpoint.
pub const MAX_PROOF_BYTES: u64 = 64 * 64 + MAX_NOTE_BYTES;

/// Records with their proofs, all to one checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// As verifiers take it. A reader must have it from elsewhere as well.
    pub key: String,
    pub checkpoint: String,
    /// By index.
    pub records: Vec<Sliced>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sliced {
    pub index: u64,
    /// The record's canonical bytes.
    pub bytes: Vec<u8>,
    /// tlog-proof.
    pub proof: String,
}

/// The records at `indexes`, with proofs to the newest checkpoint of `history`.
pub fn slice(history: &History, indexes: &BTreeSet<u64>) -> Result<Slice, LedgerError> {
    let mut records = Vec::with_capacity(indexes.len());
    for &index in indexes {
        records.push(Sliced {
            index,
            bytes: history.record(index)?.to_bytes()?,
            proof: tlog_proof(&history.inclusion_proof(index)?),
        });
    }
    Ok(Slice {
        key: history.trusted_key().text().to_owned(),
        checkpoint: history.checkpoint(),
        records,
    })
}

/// The proof as C2SP tlog-proof text, without extra data.
pub fn tlog_proof(proof: &InclusionProof) -> String {
    let mut out = format!("{PROOF_LINE}\nindex {}\n", proof.index);
    for hash in &proof.path {
        out.push_str(&BASE64_STANDARD.encode(hash.as_bytes()));
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&proof.checkpoint);
    out
}

/// What a proof showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    pub index: u64,
    pub head: Head,
    pub checkpoint: Vec<u8>,
}

/// Checks that `record` is in the log of `key` where `proof` says, or says in words what is wrong.
pub fn check_proof(key: &TrustedKey, record: &[u8], proof: &[u8]) -> Result<Shown, String> {
    if proof.len() as u64 > MAX_PROOF_BYTES {
        return Err(format!("proof is over {MAX_PROOF_BYTES} bytes"));
    }
    let text = std::str::from_utf8(proof).map_err(|_| "proof is not text".to_owned())?;
    let (head, checkpoint) = text
        .split_once("\n\n")
        .ok_or_else(|| "not a tlog-proof".to_owned())?;
    let mut lines = head.split('\n');
    if lines.next() != Some(PROOF_LINE) {
        return Err("not a tlog-proof".to_owned());
    }
    let index: u64 = lines
        .next()
        .and_then(|line| line.strip_prefix("index "))
        .and_then(|digits| {
            let index: u64 = digits.parse().ok()?;
            (index.to_string() == digits).then_some(index)
        })
        .ok_or_else(|| "proof has no index".to_owned())?;
    let path = lines
        .map(|line| {
            let bytes: [u8; 32] = BASE64_STANDARD.decode(line).ok()?.try_into().ok()?;
            // One spelling per hash.
            (BASE64_STANDARD.encode(bytes) == line).then_some(Hash(bytes))
        })
        .collect::<Option<Vec<Hash>>>()
        .ok_or_else(|| "proof holds a line that is no hash".to_owned())?;
    let head = key.open(checkpoint.as_bytes())?;
    if index >= head.size {
        return Err(format!(
            "record {index} is not below the checkpoint's size {}",
            head.size
        ));
    }
    check_record(
        &path,
        head.size,
        Hash(*head.root.as_bytes()),
        index,
        record_hash(record),
    )
    .map_err(|_| "the record is not the one in the log".to_owned())?;
    Ok(Shown {
        index,
        head,
        checkpoint: checkpoint.as_bytes().to_vec(),
    })
}
