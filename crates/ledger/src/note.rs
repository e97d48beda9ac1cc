//! Signed checkpoints (C2SP tlog-checkpoint in a C2SP signed-note) and the keys that sign them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use signed_note::{
    Note, Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList, key_id,
    new_ed25519_verifier_key,
};
use solvent_base::Digest;
use solvent_base::digest::hex;
use tlog_tiles::{Checkpoint, Hash};

/// Longest key text or checkpoint that is read.
pub(crate) const MAX_NOTE_BYTES: u64 = 16 * 1024;

/// Begins the extension line that links checkpoints.
const PREVIOUS: &str = "previous ";

/// The algorithm byte of Ed25519 in C2SP signed-note.
const ED25519: u8 = 1;

/// What a checkpoint says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of records covered.
    pub size: u64,
    /// Root of the Merkle tree over them (RFC 6962).
    pub root: Digest,
    /// Size of the checkpoint that was kept before this one, zero when there was none. Through it the
    /// kept checkpoints form a chain, and none can be taken out.
    pub previous: u64,
}

/// The key that a reader trusts, in the text form of signed-note: `<name>+<id>+<base64>`.
#[derive(Clone)]
pub struct TrustedKey {
    text: String,
    verifier: StandardVerifier,
}

impl TrustedKey {
    /// Reads the text form; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() as u64 > MAX_NOTE_BYTES {
            return None;
        }
        let verifier = StandardVerifier::new(text).ok()?;
        Some(Self {
            text: text.to_owned(),
            verifier,
        })
    }

    /// The name of the log, which is the first line of its checkpoints.
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a signed checkpoint says, or what is wrong with it, in words.
    pub fn open(&self, note: &[u8]) -> Result<Head, String> {
        if note.len() as u64 > MAX_NOTE_BYTES {
            return Err(format!("checkpoint is over {MAX_NOTE_BYTES} bytes"));
        }
        let parsed = Note::from_bytes(note).map_err(|_| "not a signed checkpoint".to_owned())?;
        let known = VerifierList::new(vec![Box::new(self.verifier.clone())]);
        let (signed, others) = parsed
            .verify(&known)
            .map_err(|_| format!("not signed by the trusted key of `{}`", self.origin()))?;
        let checkpoint = Checkpoint::from_bytes(parsed.text())
            .map_err(|_| "signed text is not a checkpoint".to_owned())?;
        if checkpoint.origin() != self.origin() {
            return Err(format!(
                "checkpoint is of log `{}`, not `{}`",
                checkpoint.origin(),
                self.origin()
            ));
        }
        // Base64 has several spellings of one value; a changed byte must not pass.
        if signed.len() != 1
            || !others.is_empty()
            || parsed.to_bytes() != note
            || checkpoint.to_bytes() != parsed.text()
        {
            return Err("checkpoint is not in its one spelling".to_owned());
        }
        // The one extension line, absent from the first.
        let previous = match checkpoint.extension() {
            "" => Some(0),
            line => line
                .strip_prefix(PREVIOUS)
                .and_then(|rest| rest.strip_suffix('\n'))
                .and_then(|digits| {
                    digits
                        .parse()
                        .ok()
                        .filter(|n: &u64| n.to_string() == digits)
                })
                .filter(|&n| n > 0 && n < checkpoint.size()),
        }
        .ok_or_else(|| "checkpoint has an unknown extension".to_owned())?;
        let root = Digest::from_bytes(checkpoint.hash().0);
        Ok(Head {
            size: checkpoint.size(),
            root,
            previous,
        })
    }
}

/// The log's own key.
pub(crate) struct LogKey {
    secret: String,
    signer: StandardSigner,
    trusted: TrustedKey,
}

impl LogKey {
    /// A key from 32 random bytes, and a log name from 8 more.
    pub fn from_random(seed: [u8; 32], name: [u8; 8]) -> Option<Self> {
        let origin = format!("solvent.ledger/{}", hex(&name));
        let signing = SigningKey::from_bytes(&seed);
        let public = [&[ED25519], signing.verifying_key().to_bytes().as_slice()].concat();
        let private = [&[ED25519], seed.as_slice()].concat();
        Self::parse(&format!(
            "PRIVATE+KEY+{origin}+{:08x}+{}",
            key_id(&origin, &public),
            BASE64_STANDARD.encode(private)
        ))
    }

    pub fn parse(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        let signer = StandardSigner::new(secret).ok()?;
        // Base64 may itself contain `+`: the five parts are split from the left.
        let private = secret.splitn(5, '+').nth(4)?;
        let bytes = BASE64_STANDARD.decode(private).ok()?;
        let seed: [u8; 32] = bytes.get(1..)?.try_into().ok()?;
        let verifying = SigningKey::from_bytes(&seed).verifying_key();
        let trusted = TrustedKey::parse(&new_ed25519_verifier_key(signer.name(), &verifying))?;
        Some(Self {
            secret: secret.to_owned(),
            signer,
            trusted,
        })
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub fn trusted(&self) -> &TrustedKey {
        &self.trusted
    }

    /// The signed checkpoint over `size` records with this root, after the kept one of `previous`.
    /// Ed25519 is deterministic, so the same head always gives the same bytes.
    pub fn sign(&self, size: u64, root: Hash, previous: u64) -> Result<Vec<u8>, String> {
        let extension = if previous == 0 {
            String::new()
        } else {
            format!("{PREVIOUS}{previous}\n")
        };
        let checkpoint = Checkpoint::new(self.signer.name(), size, root, &extension)
            .map_err(|error| error.to_string())?;
        let mut note = Note::new(&checkpoint.to_bytes(), &[]).map_err(|error| error.to_string())?;
        note.add_sigs(&[&self.signer])
            .map_err(|error| error.to_string())?;
        Ok(note.to_bytes())
    }
}
