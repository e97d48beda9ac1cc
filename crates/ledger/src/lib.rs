//! Append-only signed history and its sealed objects.
//!
//! It does not know what commands mean, who may give them, or how a record is shown: it keeps bytes
//! in order and can show that they were kept. Read [`Ledger`] (the one writer), [`History`] (the
//! many readers), then [`verify`] (what
//! an outsider with a key and a copied folder can find out) with [`slice`] and [`check_evidence`] (what
//! one with a few records can), then `journal` (what makes an
//! acknowledged record survive), `tree` (C2SP tlog-tiles on disk), [`note`] (signed checkpoints) and
//! `object` (content beside the log). Every write goes through [`Disk`].
//!
//! ```text
//! checkpoint                      signed note; the only file ever replaced
//! checkpoints/00000000000000000123  every checkpoint that tiles were signed under
//! tile/0/000  tile/0/001.p/5      hashes, 256 to a full tile
//! tile/entries/000                the records themselves, length-prefixed
//! journal/00000000000000000123    records that are durable and not yet in tiles
//! objects/ab/abcd...              sealed content, named by its salted commitment
//! keys/log  keys/log.pub          signing key, and the text to hand to verifiers
//! keys/master  keys/wrapped/ab/.. wraps the key of each object
//! lock                            held by the one writer
//! ```

pub mod disk;
pub mod error;
mod evidence;
mod history;
mod journal;
mod journal_file;
mod ledger;
pub mod note;
mod object;
mod slice;
mod tree;
mod verify;

pub use disk::Disk;
pub use error::LedgerError;
pub use evidence::{Signature, Signed, check_evidence};
pub use history::{History, InclusionProof, Opened};
pub use ledger::{Ledger, Recovery};
pub use note::{Head, TrustedKey};
pub use object::MAX_OBJECT_BYTES;
pub use slice::{MAX_PROOF_BYTES, Shown, Slice, Sliced, check_proof, slice, tlog_proof};
pub use verify::{VerifyError, verify};
