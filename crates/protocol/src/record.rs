//! Entries of the ledger: who did what to what, by whose decision, with what going in and out.
//!
//! Bytes written here are hashed and live for ever, so the shape is closed: a reader refuses unknown
//! fields, and [`Record::from_bytes`] accepts only the one canonical form ([`canonical`]) of a record.
//! An action is two records: an *intent*, durable before anything happens, and a *result* that names
//! the intent's index. A refusal is one intent whose decision says `refuse`; nothing follows it.
//! Content is never inside a record: it is named by a salted commitment and kept sealed beside it.

pub mod canonical;
pub mod verify;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solvent_base::Digest;

pub use verify::{Fault, FaultKind, Uncovered, VerifyReport};

/// The only version so far.
pub const VERSION: u32 = 1;

/// Largest record in bytes. The entry bundles of C2SP tlog-tiles prefix each entry with its length in
/// 16 bits, so 64 KiB less one.
pub const MAX_RECORD_BYTES: usize = 65_535;

/// Longest `action`, identifier or name, in bytes.
pub const MAX_WORD_BYTES: usize = 256;

/// Longest `target` or sentence, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// Most inputs, outputs, links, rules or errors in one record.
pub const MAX_ITEMS: usize = 256;

/// One entry of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Index in the log, from zero.
    pub seq: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z, never less than the record before.
    pub time_ms: i64,
    /// What the clock said, when it was behind the record before; the record then repeats that
    /// record's time.
    pub clock_ms: Option<i64>,
    pub body: Body,
}

/// What the caller decides; place and time are the ledger's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    pub actor: Actor,
    /// The command's word: `scan`, `prove`, `replay`.
    pub action: String,
    /// What is acted upon, in the product's words: `repository storefront at 1f3c`.
    pub target: String,
    pub phase: Phase,
    pub inputs: Vec<Item>,
    pub outputs: Vec<Item>,
    /// Present on every intent that governance was asked about.
    pub decision: Option<DecisionNote>,
    pub links: Vec<Link>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    Human,
    Agent,
    Worker,
    System,
}

impl ActorKind {
    /// The word in the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
            Self::Worker => "worker",
            Self::System => "system",
        }
    }
}

/// Who acts, and for whom. Whoever starts an agent stands in `on_behalf_of`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    pub id: String,
    pub kind: ActorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

/// Before or after the effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    Intent,
    Result {
        /// Index of the intent that this answers.
        intent: u64,
        status: Status,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The action ran to its end, whatever it found.
    Done,
    /// It ran, with gaps that its outputs name.
    Partial,
    /// It could not finish.
    Failed,
    /// It was stopped by a person, a budget or the kill switch.
    Cancelled,
    /// Written after a crash: how far the action came is not known.
    Unknown,
}

impl Status {
    /// The word in the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// Name of a sealed object: HMAC-SHA-256 of its content under a random salt that is sealed with it,
/// so that a short secret cannot be guessed from its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commitment(pub Digest);

impl Commitment {
    /// Reads `hmac-sha256:` and 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("hmac-sha256:")?;
        let digest = Digest::parse(digits)?;
        // One text per commitment: upper case and a second prefix are refused.
        (digest.hex() == digits).then_some(Self(digest))
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hmac-sha256:{}", self.0.hex())
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hmac-sha256:{}", self.0.short(12))
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a commitment"))
    }
}

/// One thing that went in or came out: `scan-report`, `capsule`, and the commitment of its content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub commitment: Commitment,
    pub name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Allow,
    Refuse,
}

/// What governance said, and why, as it stood then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionNote {
    pub answer: Answer,
    /// Errors of evaluation; any of them makes the answer `refuse`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Digest of the whole policy set, `sha256:` and hexadecimal digits.
    pub policy: String,
    /// Ids of the rules that determined the answer, sorted. Empty when nothing permits.
    pub rules: Vec<String>,
}

/// How this record relates to something else: `run`, `capsule`, `supersedes`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub rel: String,
    pub to: String,
}

/// Why bytes are not a record, or a body cannot become one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordError {
    /// Larger than [`MAX_RECORD_BYTES`]; the size in bytes.
    TooLarge(usize),
    /// Not the JSON of a record; what is wrong.
    Malformed(String),
    /// A record, but not in its canonical form, so its hash would be ambiguous.
    NotCanonical,
    /// A version that this program does not know.
    Version(u32),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(size) => {
                write!(
                    f,
                    "record of {size} bytes is over the cap of {MAX_RECORD_BYTES}"
                )
            }
            Self::Malformed(what) => write!(f, "not a record: {what}"),
            Self::NotCanonical => f.write_str("record is not in canonical form"),
            Self::Version(v) => write!(f, "record version {v} is not known, upgrade solvent"),
        }
    }
}

impl std::error::Error for RecordError {}

impl Record {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        let wire = Wire::from(self.clone());
        let bytes =
            serde_json::to_vec(&wire).map_err(|error| RecordError::Malformed(error.to_string()))?;
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads canonical bytes and nothing else: unknown or repeated fields, other spacing or order,
    /// and numbers that are not safe integers are all refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| RecordError::Malformed(error.to_string()))?;
        if wire.v != VERSION {
            return Err(RecordError::Version(wire.v));
        }
        let record = Self::try_from(wire)?;
        // Equality with the re-encoding is the whole definition of canonical: nothing that differs in
        // spelling can share a meaning.
        if record.to_bytes()? != bytes {
            return Err(RecordError::NotCanonical);
        }
        Ok(record)
    }

    /// An intent that was allowed (or not asked about), so that a result must follow.
    pub fn expects_result(&self) -> bool {
        matches!(self.body.phase, Phase::Intent)
            && self
                .body
                .decision
                .as_ref()
                .is_none_or(|d| d.answer == Answer::Allow)
    }

    fn check(&self) -> Result<(), RecordError> {
        let body = &self.body;
        let malformed = |what: String| Err(RecordError::Malformed(what));
        let mut words = vec![("action", &body.action), ("actor id", &body.actor.id)];
        words.extend(
            body.actor
                .on_behalf_of
                .iter()
                .map(|text| ("on_behalf_of", text)),
        );
        words.extend(
            body.inputs
                .iter()
                .chain(&body.outputs)
                .map(|item| ("name", &item.name)),
        );
        words.extend(body.links.iter().map(|link| ("rel", &link.rel)));
        for (what, text) in words {
            if text.is_empty() || text.len() > MAX_WORD_BYTES {
                return malformed(format!(
                    "{what} of {} bytes, not 1 to {MAX_WORD_BYTES}",
                    text.len()
                ));
            }
        }
        let mut texts = vec![("target", &body.target)];
        texts.extend(body.links.iter().map(|link| ("link", &link.to)));
        if let Some(decision) = &body.decision {
            texts.push(("policy digest", &decision.policy));
            texts.extend(decision.rules.iter().map(|text| ("rule", text)));
            texts.extend(decision.errors.iter().map(|text| ("error", text)));
        }
        for (what, text) in texts {
            if text.len() > MAX_TEXT_BYTES {
                return malformed(format!(
                    "{what} of {} bytes is over {MAX_TEXT_BYTES}",
                    text.len()
                ));
            }
        }
        let mut lists = vec![body.inputs.len(), body.outputs.len(), body.links.len()];
        lists.extend(
            body.decision
                .iter()
                .flat_map(|d| [d.rules.len(), d.errors.len()]),
        );
        if lists.iter().any(|&length| length > MAX_ITEMS) {
            return malformed(format!("a list is longer than {MAX_ITEMS}"));
        }
        let mut numbers = vec![self.time_ms];
        numbers.extend(self.clock_ms);
        if numbers
            .iter()
            .any(|n| n.unsigned_abs() > canonical::MAX_SAFE as u64)
            || self.seq > canonical::MAX_SAFE as u64
        {
            return malformed("a number is beyond 2^53".to_owned());
        }
        if let Phase::Result { intent, .. } = body.phase
            && intent >= self.seq
        {
            return malformed(format!(
                "result {} answers intent {intent}, which is not before it",
                self.seq
            ));
        }
        Ok(())
    }
}

/// The bytes' shape. Fields stand in alphabetical order because that *is* the canonical order; a test
/// compares with [`canonical::encode`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    action: String,
    actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionNote>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<Item>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<Item>,
    phase: WirePhase,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    target: String,
    time_ms: i64,
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WirePhase {
    Intent,
    Result,
}

impl From<Record> for Wire {
    fn from(record: Record) -> Self {
        let Record {
            seq,
            time_ms,
            clock_ms,
            body,
        } = record;
        let (phase, intent, status) = match body.phase {
            Phase::Intent => (WirePhase::Intent, None, None),
            Phase::Result { intent, status } => (WirePhase::Result, Some(intent), Some(status)),
        };
        Self {
            action: body.action,
            actor: body.actor,
            clock_ms,
            decision: body.decision,
            inputs: body.inputs,
            intent,
            links: body.links,
            outputs: body.outputs,
            phase,
            seq,
            status,
            target: body.target,
            time_ms,
            v: VERSION,
        }
    }
}

impl TryFrom<Wire> for Record {
    type Error = RecordError;

    fn try_from(wire: Wire) -> Result<Self, RecordError> {
        let phase = match (wire.phase, wire.intent, wire.status) {
            (WirePhase::Intent, None, None) => Phase::Intent,
            (WirePhase::Result, Some(intent), Some(status)) => Phase::Result { intent, status },
            _ => {
                return Err(RecordError::Malformed(
                    "`intent` and `status` belong to a result, both or neither".to_owned(),
                ));
            }
        };
        Ok(Self {
            seq: wire.seq,
            time_ms: wire.time_ms,
            clock_ms: wire.clock_ms,
            body: Body {
                actor: wire.actor,
                action: wire.action,
                target: wire.target,
                phase,
                inputs: wire.inputs,
                outputs: wire.outputs,
                decision: wire.decision,
                links: wire.links,
            },
        })
    }
}
