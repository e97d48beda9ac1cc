//! What happens to a change request, as the ledger keeps it: who proposed which revision, what was
//! measured about it, who approved it, what was merged.
//!
//! An [`EventKind`] is what the recorder writes; time and actor are the record's own. `govern` folds
//! events into the state of a change. An event says what was seen, never what follows from it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solvent_base::Digest;

use crate::approval::SignedApproval;
use crate::record::Actor;

/// Schema of [`EventKind`] documents.
pub const SCHEMA: &str = "solvent.change-event/v1";

/// Largest event document in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// Most paths that one assessment lists.
pub const MAX_PATHS: usize = 1_000;

/// One step in the life of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What the clock said, in milliseconds since 1970-01-01T00:00:00Z: a record's `clock_ms` where it
    /// has one, else its `time_ms`. A clock that was set back shows here.
    pub at_ms: i64,
    /// Who asked for it, as recorded.
    pub actor: Actor,
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EventKind {
    /// A change was proposed. The first event of every change.
    Proposed {
        /// A person: who wrote it, or started the agent that did.
        author: String,
        revision: Revision,
        risk: Assessment,
    },
    /// Its content or its base is another now. Whoever pushes is an author from then on.
    Pushed {
        revision: Revision,
        risk: Assessment,
    },
    /// The attack was tried again on this revision, and everything that goes with it.
    Verified {
        revision: Revision,
        outcome: Verification,
    },
    Approved {
        approval: Box<SignedApproval>,
    },
    /// A person takes back their own approval.
    Withdrawn {},
    /// A person stops this revision.
    Rejected {
        reason: String,
    },
    /// The rules on the protected branch are others now.
    PolicyChanged {
        #[serde(with = "digest_text")]
        policy: Digest,
    },
    Merged {
        commit: String,
        tree: String,
    },
    /// The attack was tried again on the merged revision.
    VerifiedMerged {
        outcome: Verification,
    },
}

/// Exact content: where the change starts, where it ends, what the end holds, what lies between.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Full id of the protected branch's commit that it is made for.
    pub base: String,
    /// Full id of the change's last commit.
    pub head: String,
    /// Full id of the tree after merging.
    pub tree: String,
    /// Of the diff's bytes, as the person saw them.
    #[serde(with = "digest_text")]
    pub diff: Digest,
}

/// Whether `text` is a full git object id: 40 or 64 lower-case hexadecimal digits.
pub fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The attack fails, the twin works, the suite is as before.
    Passed,
    Failed,
    /// Something could not be tried. It is not verified.
    Unmeasured,
}

impl Verification {
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unmeasured => "unmeasured",
        }
    }
}

/// How much a change could break, from what can be measured about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    Low,
    Medium,
    High,
}

impl RiskClass {
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// 0 to 2, as policies compare it.
    pub fn number(self) -> i64 {
        self as i64
    }
}

impl fmt::Display for RiskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A class, why, and what it was computed from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    pub class: RiskClass,
    pub inputs: RiskInputs,
    /// In words, most serious first.
    pub reasons: Vec<String>,
}

/// What was measured about one revision of a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskInputs {
    /// Paths from the repository's root with forward slashes; both names of a renamed file. Sorted.
    pub paths: Vec<String>,
    /// Lines added and lines removed, together.
    pub lines: u64,
    /// `CWE-89`, or empty when the change closes no finding.
    pub weakness: String,
    /// Whether the policy lists this weakness among those whose mechanical fix is low risk.
    pub listed: Listing,
    pub exposure: Exposure,
    pub tests: Tests,
    pub disposition: Disposition,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    Listed,
    NotListed,
}

/// Who can reach the code that is changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    Public,
    BehindLogin,
    Internal,
    Unknown,
}

/// The application's own tests, before against after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tests {
    Passed,
    Failed,
    Unmeasured,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A fixer wrote it by rule.
    Mechanical,
    NeedsReview,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    event: EventKind,
    schema: String,
}

impl EventKind {
    /// The document for the ledger's sealed objects: JSON, at most [`MAX_BYTES`].
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        let wire = Wire {
            event: self.clone(),
            schema: SCHEMA.to_owned(),
        };
        let bytes = serde_json::to_vec(&wire).map_err(|error| error.to_string())?;
        match self.check(bytes.len()) {
            Some(what) => Err(what),
            None => Ok(bytes),
        }
    }

    /// Reads a document; unknown fields and schemas are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if let Some(what) = too_large(bytes.len()) {
            return Err(what);
        }
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| format!("not an event of a change: {error}"))?;
        if wire.schema != SCHEMA {
            return Err(format!("schema is not `{SCHEMA}`, upgrade solvent"));
        }
        match wire.event.check(bytes.len()) {
            Some(what) => Err(what),
            None => Ok(wire.event),
        }
    }

    fn check(&self, bytes: usize) -> Option<String> {
        let (revision, risk) = match self {
            Self::Proposed { revision, risk, .. } | Self::Pushed { revision, risk } => {
                (Some(revision), Some(risk))
            }
            Self::Verified { revision, .. } => (Some(revision), None),
            _ => (None, None),
        };
        if let Some(revision) = revision
            && [&revision.base, &revision.head, &revision.tree]
                .into_iter()
                .any(|id| !is_object_id(id))
        {
            return Some("a revision names something that is not a full git object id".to_owned());
        }
        if risk.is_some_and(|risk| risk.inputs.paths.len() > MAX_PATHS) {
            return Some(format!("more than {MAX_PATHS} paths, split the change"));
        }
        too_large(bytes)
    }
}

fn too_large(bytes: usize) -> Option<String> {
    (bytes > MAX_BYTES).then(|| format!("event of {bytes} bytes is over the cap of {MAX_BYTES}"))
}

/// `sha256:` and 64 lower-case hexadecimal digits, and no other spelling.
mod digest_text {
    use super::{Deserialize as _, Deserializer, Digest, Serializer};

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse(&text)
            .filter(|digest| digest.to_string() == text)
            .ok_or_else(|| serde::de::Error::custom("not a digest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed() -> EventKind {
        EventKind::Proposed {
            author: "ana".to_owned(),
            revision: Revision {
                base: "a".repeat(40),
                head: "b".repeat(40),
                tree: "c".repeat(40),
                diff: Digest::of(b"diff"),
            },
            risk: Assessment {
                class: RiskClass::Low,
                inputs: RiskInputs {
                    paths: vec!["app.py".to_owned()],
                    lines: 4,
                    weakness: "CWE-89".to_owned(),
                    listed: Listing::Listed,
                    exposure: Exposure::Public,
                    tests: Tests::Passed,
                    disposition: Disposition::Mechanical,
                },
                reasons: vec!["a mechanical fix of 4 lines".to_owned()],
            },
        }
    }

    #[test]
    fn an_event_survives_writing_and_strange_ones_are_refused() {
        let bytes = proposed().to_json().expect("it is whole");
        assert_eq!(EventKind::parse(&bytes), Ok(proposed()));
        let text = String::from_utf8(bytes).expect("JSON is text");
        for broken in [
            text.replace("change-event/v1", "change-event/v2"),
            text.replace("\"lines\":4", "\"lines\":4,\"note\":1"),
            text.replace("\"author\":\"ana\"", "\"author\":\"ana\",\"note\":1"),
            text.replace(&"b".repeat(40), "HEAD"),
            text.replace("sha256:", ""),
        ] {
            assert_ne!(broken, text);
            assert!(EventKind::parse(broken.as_bytes()).is_err(), "{broken}");
        }
        let withdrawn = EventKind::Withdrawn {}.to_json().expect("it is whole");
        assert_eq!(EventKind::parse(&withdrawn), Ok(EventKind::Withdrawn {}));
        assert!(EventKind::parse(&vec![b' '; MAX_BYTES + 1]).is_err());
    }
}
