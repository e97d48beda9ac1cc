//! What can be asked of the engine, by whom, and what comes back.

use std::path::PathBuf;

use solvent_protocol::capsule::Capsule;
use solvent_protocol::view::{ProveReport, ReplayReport, ScanReport};

use crate::error::EngineError;
use crate::evidence::EvidenceWritten;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActorKind {
    Human,
    Agent,
}

/// Who asks. On one machine without keys this is a statement, not a proof; the ledger says which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: String,
}

impl Actor {
    /// Reads `human:ana` or `agent:fixer`.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let hint = "write `human:NAME` or `agent:NAME`";
        let bad = || EngineError::usage(format!("`{text}` does not name an actor"), hint);
        let (kind, id) = text.split_once(':').ok_or_else(bad)?;
        let kind = match kind {
            "human" => ActorKind::Human,
            "agent" => ActorKind::Agent,
            _ => return Err(bad()),
        };
        if id.is_empty() || id.len() > 100 || id.chars().any(char::is_control) {
            return Err(bad());
        }
        Ok(Self {
            kind,
            id: id.to_owned(),
        })
    }
}

/// Everything that changes state or attacks. Reading is in [`crate::read`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Make the ledger, if there is none, and say which key to keep.
    Init,
    Scan,
    Prove(ProveRequest),
    Replay(ReplayRequest),
    /// Look into a sealed capsule.
    OpenCapsule {
        finding: String,
    },
    /// Make the projections anew from the ledger.
    Rebuild,
    /// Write a folder for auditors.
    Evidence(EvidenceRequest),
}

/// What to attack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attack {
    /// Findings that are reachable or undecided; all of them when the list is empty.
    Findings(Vec<String>),
    /// Every input of every route (whose text contains one of these, if any) with the whole payload
    /// family, whatever the verdicts say: the measurement of false proofs.
    Everything { routes: Vec<String> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProveRequest {
    pub attack: Attack,
    /// Per finding.
    pub max_requests: u32,
    /// For the whole campaign, starts of the target included.
    pub max_seconds: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CapsuleRef {
    File(PathBuf),
    /// The id of a proven finding; its sealed capsule is used without being shown.
    Finding(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayRequest {
    pub capsule: CapsuleRef,
    /// The tree as it is, when there is none.
    pub revision: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceRequest {
    /// Of a finding or a change.
    pub id: String,
    /// A folder that does not exist yet.
    pub out: PathBuf,
}

/// What a command answered.
#[derive(Debug)]
pub enum Answer {
    Initialised {
        key: String,
        created: Created,
    },
    Scanned(Box<ScanReport>),
    Proved(Box<ProveReport>),
    Replayed(Box<ReplayReport>),
    Opened {
        capsule: Box<Capsule>,
        commitment: String,
    },
    Rebuilt {
        records: u64,
    },
    Evidence(Box<EvidenceWritten>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    Now,
    Before,
}
