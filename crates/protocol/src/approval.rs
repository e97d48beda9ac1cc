//! What a person signs to approve a change, and the signature with it.
//!
//! The signed bytes are lines of text, so that what a person reads *is* what they sign, and any SSH
//! tool can sign and check it: `ssh-keygen -Y sign -n solvent-approval -f KEY STATEMENT`.
//!
//! ```text
//! solvent.approval/v1
//! verdict: approve
//! change: c-7f3a
//! approver: ben
//! risk: medium
//! base: 40 or 64 hexadecimal digits
//! head: 40 or 64 hexadecimal digits
//! tree: 40 or 64 hexadecimal digits
//! diff: sha256:64 hexadecimal digits
//! policy: sha256:64 hexadecimal digits
//! expires_ms: 1796169600000
//! ```
//!
//! There is one spelling of a statement: [`ApprovalStatement::parse`] takes the bytes that
//! [`ApprovalStatement::to_bytes`] gives and nothing else. Identifiers are letters, digits and `._@+-`,
//! so no control character, bidirectional mark or line break can hide in them.

use std::fmt;

use serde::{Deserialize, Serialize};
use solvent_base::Digest;

use crate::change::{Revision, RiskClass, is_object_id};

/// First line of the signed bytes.
pub const SCHEMA: &str = "solvent.approval/v1";

/// Schema of the document that holds a statement and its signature.
pub const SIGNED_SCHEMA: &str = "solvent.signed-approval/v1";

/// Namespace of the SSH signature (PROTOCOL.sshsig): a signature made for anything else does not count.
pub const NAMESPACE: &str = "solvent-approval";

/// Largest statement in bytes. The longest that can be written has under 1,000.
pub const MAX_STATEMENT_BYTES: usize = 1_024;

/// Largest [`SignedApproval`] document in bytes.
pub const MAX_SIGNED_BYTES: usize = 16 * 1024;

/// Largest public key text in bytes; an ECDSA key has about 200.
pub const MAX_KEY_BYTES: usize = 1_024;

/// Largest armoured signature in bytes; an `sk-` signature has about 500.
pub const MAX_SIGNATURE_BYTES: usize = 4_096;

/// Longest identifier of a change or a person, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// One person's consent to one change, exactly as it stood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalStatement {
    pub verdict: Verdict,
    /// Id of the change request.
    pub change: String,
    /// Id of the person in `solvent-policy/people.toml`.
    pub approver: String,
    pub risk: RiskClass,
    pub revision: Revision,
    /// Digest of the rules under which it was given.
    pub policy: Digest,
    /// Milliseconds since 1970-01-01T00:00:00Z from which it no longer counts.
    pub expires_ms: i64,
}

/// The only thing a statement says so far. A rejection is a record and needs no signature: it can
/// only stop a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    Approve,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
        }
    }
}

/// Whether the signature shows that somebody touched the key when it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// The flag for user presence is in the signature of an `sk-` key.
    Shown,
    /// A software key, or an `sk-` key that was not touched.
    NotShown,
    /// The identity is a demo's.
    Simulated,
}

impl Presence {
    /// For people: `presence shown`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Shown => "presence shown",
            Self::NotShown => "presence not shown",
            Self::Simulated => "simulated",
        }
    }
}

/// A statement with its signature. That it reads says nothing about whether the signature holds, nor
/// about who may approve: `govern` answers both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedApproval {
    pub statement: ApprovalStatement,
    /// Public key in OpenSSH's form: `ssh-ed25519 AAAA...`.
    pub key: String,
    /// The SSH signature (`-----BEGIN SSH SIGNATURE-----`) over the statement's bytes.
    pub signature: String,
    /// What the recorder saw; it is computed again whenever the approval is counted.
    pub presence: Presence,
}

/// Why bytes are not an approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApprovalError {
    /// Larger than the cap: bytes, cap.
    TooLarge(usize, usize),
    /// What is wrong, lower case, without a full stop.
    Malformed(String),
    /// It means something, but is not spelt in the one way.
    NotCanonical,
}

impl fmt::Display for ApprovalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes, cap) => {
                write!(f, "approval of {bytes} bytes is over the cap of {cap}")
            }
            Self::Malformed(what) => write!(f, "not an approval: {what}"),
            Self::NotCanonical => f.write_str(
                "approval is not spelt as solvent writes it, make it again with `solvent approve`",
            ),
        }
    }
}

impl std::error::Error for ApprovalError {}

fn malformed<T>(what: impl Into<String>) -> Result<T, ApprovalError> {
    Err(ApprovalError::Malformed(what.into()))
}

/// Whether `text` may name a change or a person: 1 to [`MAX_ID_BYTES`] letters, digits and `._@+-`,
/// all ASCII.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b))
}

impl ApprovalStatement {
    /// The bytes that are signed.
    ///
    /// Fails when an identifier, an object id or the expiry could not be written in the one way.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ApprovalError> {
        for (what, id) in [("change", &self.change), ("approver", &self.approver)] {
            if !is_id(id) {
                return malformed(format!(
                    "`{what}` is not 1 to {MAX_ID_BYTES} letters, digits and `._@+-`"
                ));
            }
        }
        let revision = &self.revision;
        for (what, id) in [
            ("base", &revision.base),
            ("head", &revision.head),
            ("tree", &revision.tree),
        ] {
            if !is_object_id(id) {
                return malformed(format!("`{what}` is not a full git object id"));
            }
        }
        if !(0..=crate::record::canonical::MAX_SAFE).contains(&self.expires_ms) {
            return malformed("`expires_ms` is not between 0 and 2^53");
        }
        let text = format!(
            "{SCHEMA}\nverdict: {}\nchange: {}\napprover: {}\nrisk: {}\nbase: {}\nhead: {}\ntree: {}\n\
             diff: {}\npolicy: {}\nexpires_ms: {}\n",
            self.verdict.word(),
            self.change,
            self.approver,
            self.risk.word(),
            revision.base,
            revision.head,
            revision.tree,
            revision.diff,
            self.policy,
            self.expires_ms
        );
        Ok(text.into_bytes())
    }

    /// Reads signed bytes, in the one spelling there is.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApprovalError> {
        if bytes.len() > MAX_STATEMENT_BYTES {
            return Err(ApprovalError::TooLarge(bytes.len(), MAX_STATEMENT_BYTES));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| ApprovalError::Malformed("it is not text".to_owned()))?;
        let mut lines = text.split('\n');
        if lines.next() != Some(SCHEMA) {
            return malformed(format!("the first line is not `{SCHEMA}`"));
        }
        let mut value = |name: &str| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(name))
                .and_then(|rest| rest.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| ApprovalError::Malformed(format!("the line `{name}: ` is missing")))
        };
        let digest = |name: &str, text: &str| {
            Digest::parse(text)
                .ok_or_else(|| ApprovalError::Malformed(format!("`{name}` is not a digest")))
        };
        if value("verdict")? != Verdict::Approve.word() {
            return malformed("`verdict` is not `approve`");
        }
        let change = value("change")?;
        let approver = value("approver")?;
        let risk = RiskClass::parse(&value("risk")?)
            .ok_or_else(|| ApprovalError::Malformed("`risk` is not a class".to_owned()))?;
        let revision = Revision {
            base: value("base")?,
            head: value("head")?,
            tree: value("tree")?,
            diff: digest("diff", &value("diff")?)?,
        };
        let policy = digest("policy", &value("policy")?)?;
        let expires_ms = value("expires_ms")?
            .parse()
            .map_err(|_| ApprovalError::Malformed("`expires_ms` is not a number".to_owned()))?;
        let statement = Self {
            verdict: Verdict::Approve,
            change,
            approver,
            risk,
            revision,
            policy,
            expires_ms,
        };
        // Equality with the re-encoding covers trailing text, upper-case digits, `+1` and the like.
        if statement.to_bytes()? != bytes {
            return Err(ApprovalError::NotCanonical);
        }
        Ok(statement)
    }

    /// What a person is shown before they sign, made from the bytes that will be signed and from
    /// nothing else.
    pub fn shown(bytes: &[u8]) -> Result<String, ApprovalError> {
        let it = Self::parse(bytes)?;
        Ok(format!(
            "{} approves change {}, risk {}, until {}\n  \
             base    {}\n  head    {}\n  tree    {}\n  diff    {}\n  policy  {}\n",
            it.approver,
            it.change,
            it.risk.word(),
            utc(it.expires_ms),
            it.revision.base,
            it.revision.head,
            it.revision.tree,
            it.revision.diff,
            it.policy,
        ))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    key: String,
    presence: Presence,
    schema: String,
    signature: String,
    statement: String,
}

impl SignedApproval {
    /// Canonical JSON (fields in alphabetical order, no spaces).
    pub fn to_json(&self) -> Result<Vec<u8>, ApprovalError> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| ApprovalError::Malformed(error.to_string()))?;
        if bytes.len() > MAX_SIGNED_BYTES {
            return Err(ApprovalError::TooLarge(bytes.len(), MAX_SIGNED_BYTES));
        }
        Ok(bytes)
    }

    /// Reads a document; unknown fields and schemas are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApprovalError> {
        if bytes.len() > MAX_SIGNED_BYTES {
            return Err(ApprovalError::TooLarge(bytes.len(), MAX_SIGNED_BYTES));
        }
        serde_json::from_slice(bytes).map_err(|error| ApprovalError::Malformed(error.to_string()))
    }

    /// Why the parts cannot be what they claim to be, before any cryptography.
    fn check(&self) -> Result<(), ApprovalError> {
        for (text, cap) in [
            (&self.key, MAX_KEY_BYTES),
            (&self.signature, MAX_SIGNATURE_BYTES),
        ] {
            if text.len() > cap {
                return Err(ApprovalError::TooLarge(text.len(), cap));
            }
        }
        if !self.key.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return malformed("`key` is not one line of ASCII");
        }
        let armour = |b: u8| b == b'\n' || b == b'\r' || (b' '..=b'~').contains(&b);
        if !self.signature.bytes().all(armour) {
            return malformed("`signature` is not ASCII");
        }
        Ok(())
    }
}

impl Serialize for SignedApproval {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self
            .check()
            .and_then(|()| self.statement.to_bytes())
            .map_err(serde::ser::Error::custom)?;
        Wire {
            key: self.key.clone(),
            presence: self.presence,
            schema: SIGNED_SCHEMA.to_owned(),
            signature: self.signature.clone(),
            statement: String::from_utf8_lossy(&written).into_owned(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedApproval {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if wire.schema != SIGNED_SCHEMA {
            return Err(serde::de::Error::custom(format!(
                "`schema` is not `{SIGNED_SCHEMA}`"
            )));
        }
        let approval = Self {
            statement: ApprovalStatement::parse(wire.statement.as_bytes())
                .map_err(serde::de::Error::custom)?,
            key: wire.key,
            signature: wire.signature,
            presence: wire.presence,
        };
        approval.check().map_err(serde::de::Error::custom)?;
        Ok(approval)
    }
}

/// `2026-11-23 01:40 UTC`. Howard Hinnant's `civil_from_days`.
fn utc(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let days = minutes.div_euclid(1_440) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let clock = minutes.rem_euclid(1_440);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        clock / 60,
        clock % 60
    )
}

#[cfg(test)]
mod tests;
