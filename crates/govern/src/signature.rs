//! SSH signatures over approvals (PROTOCOL.sshsig), and what they show about who was there.
//!
//! Understood are ed25519, ECDSA over P-256 and P-384, and the `sk-` keys of security tokens. RSA is
//! not: the only implementation in Rust has an open timing flaw (RUSTSEC-2023-0071). Keys and messages
//! come in as values; nothing here draws randomness, so a key signs the same bytes the same way.

use std::fmt;

use solvent_protocol::approval::{
    ApprovalStatement, MAX_KEY_BYTES, MAX_SIGNATURE_BYTES, NAMESPACE, Presence, SignedApproval,
};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// Largest private key file in bytes.
pub const MAX_PRIVATE_KEY_BYTES: usize = 16 * 1024;

/// The flag that a security token sets when it was touched (PROTOCOL.u2f).
const USER_PRESENT: u8 = 0x01;

/// A public key that may sign approvals. Equality is that of the key, whatever its comment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(PublicKey);

/// Why a signature does not show what it should.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SignatureError {
    /// Not an SSH signature, or one that is not understood; what is wrong.
    Malformed(String),
    /// Made for another purpose: its namespace.
    Namespace(String),
    /// Made with another key: its fingerprint.
    OtherKey(String),
    /// The key is right, the bytes are not those that were signed.
    Mismatch,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "the signature does not read: {what}"),
            Self::Namespace(other) => {
                // The name comes from outside.
                let shown: String = other
                    .chars()
                    .take(40)
                    .flat_map(char::escape_default)
                    .collect();
                write!(f, "the signature was made for `{shown}`, not `{NAMESPACE}`")
            }
            Self::OtherKey(print) => write!(f, "the signature was made with another key, {print}"),
            Self::Mismatch => f.write_str("the signature does not fit these bytes"),
        }
    }
}

impl std::error::Error for SignatureError {}

impl Key {
    /// Reads one line in OpenSSH's form: `ssh-ed25519 AAAA... comment`.
    ///
    /// Fails with words for keys that are not understood, and for weak ones, whose signatures anybody
    /// can make.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_KEY_BYTES {
            return Err(format!(
                "key of {} bytes is over the cap of {MAX_KEY_BYTES}",
                text.len()
            ));
        }
        let mut key = PublicKey::from_openssh(text.trim())
            .map_err(|error| format!("not a public key in OpenSSH's form: {}", lower(&error)))?;
        understood(key.key_data())?;
        key.set_comment("");
        Ok(Self(key))
    }

    /// Algorithm and key, without a comment.
    pub fn text(&self) -> String {
        // Writing fails only for algorithms that `parse` does not let in.
        self.0.to_openssh().unwrap_or_default()
    }

    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether it is held by a security token, so that its signatures can show presence.
    pub fn is_token(&self) -> bool {
        matches!(
            self.0.algorithm(),
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
        )
    }
}

/// Why a key may not be used, if it may not.
fn understood(key: &KeyData) -> Result<(), String> {
    let point = match key {
        KeyData::Ed25519(key) => Some(key.0),
        KeyData::SkEd25519(key) => {
            token(key.application())?;
            Some(key.public_key().0)
        }
        KeyData::SkEcdsaSha2NistP256(key) => {
            token(key.application())?;
            None
        }
        KeyData::Ecdsa(key) if key.curve() != EcdsaCurve::NistP521 => None,
        other => {
            return Err(format!(
                "keys of the sort `{}` are not supported, make one with `ssh-keygen -t ed25519` or \
                 `ssh-keygen -t ed25519-sk`",
                other.algorithm()
            ));
        }
    };
    if let Some(point) = point {
        let weak =
            ed25519_dalek::VerifyingKey::from_bytes(&point).map_or(true, |key| key.is_weak());
        if weak {
            return Err("the key is weak: anybody can sign with it".to_owned());
        }
    }
    Ok(())
}

/// A token signs for websites too; only what it signs for SSH counts.
fn token(application: &str) -> Result<(), String> {
    if application.starts_with("ssh:") {
        Ok(())
    } else {
        Err("the token's key was not made for SSH".to_owned())
    }
}

/// Checks an armoured signature over `bytes` by `key`, and says whether it shows presence:
/// [`Presence::Shown`] when a token was touched, else [`Presence::NotShown`].
pub fn verify(bytes: &[u8], armoured: &str, key: &Key) -> Result<Presence, SignatureError> {
    let malformed = |what: String| SignatureError::Malformed(what);
    if armoured.len() > MAX_SIGNATURE_BYTES {
        return Err(malformed(format!(
            "{} bytes are over the cap of {MAX_SIGNATURE_BYTES}",
            armoured.len()
        )));
    }
    let signature = SshSig::from_pem(armoured).map_err(|error| malformed(lower(&error)))?;
    if signature.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace(signature.namespace().to_owned()));
    }
    if !signature.reserved().is_empty() {
        return Err(malformed("it has fields of a later version".to_owned()));
    }
    if signature.public_key() != key.0.key_data() {
        let print = signature.public_key().fingerprint(HashAlg::Sha256);
        return Err(SignatureError::OtherKey(print.to_string()));
    }
    // The two are separate fields of what was sent.
    if signature.algorithm() != key.0.algorithm() {
        return Err(malformed(
            "key and signature are of different sorts".to_owned(),
        ));
    }
    // Lengths inside may lie without harm to what is signed, but one signature has one text. The library
    // does not write tokens' ECDSA signatures as it reads them, so those are not compared.
    if signature.algorithm() != Algorithm::SkEcdsaSha2NistP256 {
        let one = signature.to_pem(LineEnding::LF).unwrap_or_default();
        if armoured.replace('\r', "").trim() != one.trim() {
            return Err(malformed("it is not spelt as OpenSSH writes it".to_owned()));
        }
    }
    key.0
        .verify(NAMESPACE, bytes, &signature)
        .map_err(|_| SignatureError::Mismatch)?;
    // The last five bytes of a token's signature are its flags and a counter; they are signed too.
    let raw = signature.signature_bytes();
    let flags = raw.len().checked_sub(5).and_then(|at| raw.get(at)).copied();
    Ok(match flags {
        Some(flags) if key.is_token() && flags & USER_PRESENT != 0 => Presence::Shown,
        _ => Presence::NotShown,
    })
}

/// A private key that a program can read: an agentless stand-in for a person's hand. Its signatures
/// never show presence.
pub struct SoftwareKey(PrivateKey);

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwareKey(..)")
    }
}

impl SoftwareKey {
    /// An ed25519 key from 32 random bytes that the caller draws.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(PrivateKey::from(Ed25519Keypair::from_seed(seed)))
    }

    /// Reads a private key file in OpenSSH's form, without a passphrase.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PRIVATE_KEY_BYTES {
            return Err(format!(
                "private key of {} bytes is over the cap of {MAX_PRIVATE_KEY_BYTES}",
                text.len()
            ));
        }
        let by_hand = "sign with `ssh-keygen -Y sign -n solvent-approval -f KEY STATEMENT` and hand the signature in";
        let key = PrivateKey::from_openssh(text)
            .map_err(|error| format!("not a private key in OpenSSH's form: {}", lower(&error)))?;
        if key.is_encrypted() {
            return Err(format!("the key has a passphrase, {by_hand}"));
        }
        if matches!(
            key.key_data(),
            KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_)
        ) {
            return Err(format!("the key is on a security token, {by_hand}"));
        }
        understood(key.public_key().key_data())?;
        Ok(Self(key))
    }

    /// The private key file's text. Whoever holds it can sign.
    pub fn to_openssh(&self) -> Result<String, String> {
        let text = self
            .0
            .to_openssh(LineEnding::LF)
            .map_err(|error| lower(&error))?;
        Ok(text.as_str().to_owned())
    }

    pub fn public(&self) -> Key {
        let mut key = self.0.public_key().clone();
        key.set_comment("");
        Key(key)
    }

    /// The armoured signature that `ssh-keygen -Y sign -n solvent-approval` makes.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, String> {
        self.0
            .sign(NAMESPACE, HashAlg::Sha512, bytes)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| format!("cannot sign: {}", lower(&error)))
    }

    /// Signs a statement. `presence` is what the recorder knows: [`Presence::Simulated`] for a demo's
    /// identity, else [`Presence::NotShown`].
    pub fn approve(
        &self,
        statement: ApprovalStatement,
        presence: Presence,
    ) -> Result<SignedApproval, String> {
        let bytes = statement.to_bytes().map_err(|error| error.to_string())?;
        Ok(SignedApproval {
            signature: self.sign(&bytes)?,
            key: self.public().text(),
            statement,
            presence,
        })
    }
}

fn lower(error: &ssh_key::Error) -> String {
    error.to_string().to_lowercase()
}
