//! How far a repository has come: from looking on, over proving, to merging fixes.
//!
//! The recorder writes an [`AdoptionKind`] when a person reviewed a proof or set the stage; time and
//! actor are the record's own. `govern` folds them.

use serde::{Deserialize, Serialize};

use crate::record::Actor;

/// Schema of [`AdoptionKind`] documents.
pub const SCHEMA: &str = "solvent.adoption-event/v1";

/// Largest event document in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// What Solvent may do in a repository. Each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Scan and count the debt. Nothing is attacked.
    Observe,
    /// Attack copies in the sandbox, make verified patches to export. Where no stage is recorded.
    Prove,
    /// Propose and merge changes of low risk.
    RemediateLowRisk,
    /// Propose and merge any change.
    RemediateMore,
}

impl Stage {
    pub const ALL: [Self; 4] = [
        Self::Observe,
        Self::Prove,
        Self::RemediateLowRisk,
        Self::RemediateMore,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Prove => "prove",
            Self::RemediateLowRisk => "remediate-low-risk",
            Self::RemediateMore => "remediate-more",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }

    /// 0 to 3, as policies compare it.
    pub fn number(self) -> i64 {
        self as i64
    }
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdoptionEvent {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    pub actor: Actor,
    pub kind: AdoptionKind,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdoptionKind {
    ProofReviewed {
        /// Identity of the proof: the commitment of its capsule.
        proof: String,
        finding: String,
        verdict: ProofVerdict,
        /// In the reviewer's words; may be empty.
        note: String,
    },
    StageSet {
        stage: Stage,
        basis: StageBasis,
    },
}

/// What a person says about a proof that they looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofVerdict {
    Upheld,
    Disputed,
}

/// What a step of adoption rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageBasis {
    /// The step needs no reviews.
    NoneNeeded,
    /// Enough proofs were reviewed and none disputed.
    Reviews,
    /// Set by a demo or a person alone without the twenty reviews.
    WithoutReviews,
}

impl StageBasis {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoneNeeded => "no reviews needed",
            Self::Reviews => "proofs were reviewed and none disputed",
            Self::WithoutReviews => "set without the twenty reviews",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    event: AdoptionKind,
    schema: String,
}

impl AdoptionKind {
    /// The document for the ledger's sealed objects: JSON, at most [`MAX_BYTES`].
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        let wire = Wire {
            event: self.clone(),
            schema: SCHEMA.to_owned(),
        };
        let bytes = serde_json::to_vec(&wire).map_err(|error| error.to_string())?;
        match too_large(bytes.len()) {
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
            .map_err(|error| format!("not an event of adoption: {error}"))?;
        if wire.schema != SCHEMA {
            return Err(format!("schema is not `{SCHEMA}`, upgrade solvent"));
        }
        Ok(wire.event)
    }
}

fn too_large(bytes: usize) -> Option<String> {
    (bytes > MAX_BYTES).then(|| format!("event of {bytes} bytes is over the cap of {MAX_BYTES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_writing_and_strange_ones_are_refused() {
        let event = AdoptionKind::StageSet {
            stage: Stage::RemediateLowRisk,
            basis: StageBasis::WithoutReviews,
        };
        let bytes = event.to_json().expect("it is whole");
        assert_eq!(AdoptionKind::parse(&bytes), Ok(event));
        let text = String::from_utf8(bytes).expect("JSON is text");
        assert!(text.contains("\"remediate-low-risk\""), "{text}");
        for broken in [
            text.replace("event/v1", "event/v2"),
            text.replace("without_reviews", "because"),
            text.replace("\"stage\"", "\"note\":1,\"stage\""),
        ] {
            assert_ne!(broken, text);
            assert!(AdoptionKind::parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(AdoptionKind::parse(&vec![b' '; MAX_BYTES + 1]).is_err());
    }

    #[test]
    fn stages_are_ordered_and_named() {
        for (number, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage.number(), number as i64);
            assert_eq!(Stage::parse(stage.word()), Some(stage));
        }
        assert_eq!(Stage::parse("Prove"), None);
    }
}
