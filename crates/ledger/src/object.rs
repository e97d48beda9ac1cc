//! Sealed objects: content outside the log, under a salted commitment, each with a key of its own.
//!
//! An object file is a nonce (24 bytes) and XChaCha20-Poly1305 of salt (32 bytes) and content; its
//! key lies apart, wrapped by the master key. Both are bound to the commitment as associated data.
//! Destroying the wrapped key erases the content and leaves every proof about the record valid.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use solvent_base::{Digest, System};
use solvent_protocol::record::Commitment;

use crate::history::Opened;

/// Largest content that is sealed, in bytes; it is held in memory whole.
pub const MAX_OBJECT_BYTES: u64 = 256 << 20;

/// Salt, nonce and tag around the content.
pub(crate) const OVERHEAD: u64 = 32 + 24 + 16;
/// Nonce, key, tag.
pub(crate) const WRAPPED_BYTES: u64 = 24 + 32 + 16;

pub(crate) struct Sealed {
    pub commitment: Commitment,
    pub object: Vec<u8>,
    pub wrapped: Vec<u8>,
}

/// Encrypts `content` under a fresh key; `None` only if the cipher refuses its input, which is too
/// long for it.
pub(crate) fn seal(world: &dyn System, master: &[u8; 32], content: &[u8]) -> Option<Sealed> {
    let mut salt = [0; 32];
    let mut key = [0; 32];
    world.random(&mut salt);
    world.random(&mut key);
    let commitment = commit(&salt, content);
    let mut plain = Vec::with_capacity(32 + content.len());
    plain.extend_from_slice(&salt);
    plain.extend_from_slice(content);
    Some(Sealed {
        commitment,
        object: encrypt(world, &key, &plain, commitment)?,
        wrapped: encrypt(world, master, &key, commitment)?,
    })
}

/// Salt and content, or `None` when key, file or commitment do not belong together.
pub(crate) fn open(
    master: &[u8; 32],
    commitment: Commitment,
    wrapped: &[u8],
    object: &[u8],
) -> Option<Opened> {
    let key: [u8; 32] = decrypt(master, wrapped, commitment)?.try_into().ok()?;
    let mut plain = decrypt(&key, object, commitment)?;
    let salt: [u8; 32] = plain.get(..32)?.try_into().ok()?;
    let content = plain.split_off(32);
    (commit(&salt, &content) == commitment).then_some(Opened { salt, content })
}

/// HMAC-SHA-256 (RFC 2104) with the salt as key.
pub(crate) fn commit(salt: &[u8; 32], content: &[u8]) -> Commitment {
    Commitment(hmac(salt, content))
}

fn hmac(key: &[u8; 32], content: &[u8]) -> Digest {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        for (slot, key) in block.iter_mut().zip(key) {
            *slot ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(content)
        .finalize();
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize();
    Digest::from_bytes(outer.into())
}

fn encrypt(
    world: &dyn System,
    key: &[u8; 32],
    plain: &[u8],
    commitment: Commitment,
) -> Option<Vec<u8>> {
    // 192 random bits: no counter to keep and no chance worth counting that two meet.
    let mut nonce = [0; 24];
    world.random(&mut nonce);
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let payload = Payload {
        msg: plain,
        aad: commitment.0.as_bytes(),
    };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8; 32], sealed: &[u8], commitment: Commitment) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(24)?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let payload = Payload {
        msg: sealed,
        aad: commitment.0.as_bytes(),
    };
    cipher.decrypt(XNonce::from_slice(nonce), payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commitment_is_hmac_sha256_as_others_compute_it() {
        // python3 -c "import hmac;print(hmac.new(bytes(range(32)),b'what do ya want for nothing?','sha256').hexdigest())"
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        assert_eq!(
            hmac(&key, b"what do ya want for nothing?").hex(),
            "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a"
        );
    }
}
