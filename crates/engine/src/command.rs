//! What can be asked of the engine, by whom, and what comes back.

use std::fmt;
use std::path::PathBuf;

use solvent_govern::Exemption;
use solvent_protocol::adoption::{ProofVerdict, Stage};
use solvent_protocol::approval::SignedApproval;
use solvent_protocol::capsule::Capsule;
use solvent_protocol::debt::DebtReport;
use solvent_protocol::remediation::{
    Acceptance, ApprovalNote, ChangeRequest, GateReport, MergeReport, Rejection, ReplayAllReport,
    StageReport,
};
use solvent_protocol::view::{ProveReport, ReplayReport, ScanReport};

use crate::debt::DebtRequest;
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
    /// The person at the keyboard, when it is an agent. An operator's policy names the owner instead.
    pub started_by: Option<String>,
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
            started_by: None,
        })
    }
}

impl Actor {
    /// Notes who sits at the keyboard; of no meaning for a person, who answers for themselves.
    pub fn started_by(self, person: &str) -> Self {
        let started_by = (self.kind == ActorKind::Agent).then(|| person.to_owned());
        Self { started_by, ..self }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ActorKind::Human => "human",
            ActorKind::Agent => "agent",
        };
        write!(f, "{kind}:{}", self.id)
    }
}

/// Everything that changes state or attacks. Reading is in [`crate::read`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Make the ledger, if there is none, and say which key to keep.
    Init,
    Scan,
    /// Look at the debt: scan, join with other tools, look back. Attacks nothing.
    Debt(DebtRequest),
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
    /// Make a patch for a proven finding, try it, and propose it if it holds.
    Fix {
        finding: String,
    },
    /// The same with a patch from outside.
    Propose {
        finding: String,
        /// A unified diff upon the protected branch.
        patch: Vec<u8>,
    },
    /// Take a verified patch out.
    Export {
        change: String,
    },
    Approve {
        change: String,
        /// Without one nothing is approved; policy answers all the same.
        signed: Option<Box<SignedApproval>>,
    },
    Reject {
        change: String,
        reason: String,
    },
    /// Merge an approved change into the protected branch and try the attack on the result. What an earlier
    /// run did is not done again.
    Merge {
        change: String,
    },
    /// Say whether a proof convinces.
    ReviewProof {
        finding: String,
        verdict: ProofVerdict,
        note: String,
    },
    SetStage {
        stage: Stage,
        exemption: Exemption,
    },
    /// Keep a risk for a time.
    Accept(AcceptRequest),
    /// Replay every capsule, on a revision or on the newest commit.
    ReplayAll {
        revision: Option<String>,
    },
    Gate(GateRequest),
}

/// A risk that somebody keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptRequest {
    pub finding: String,
    pub reason: String,
    /// The control that stands in meanwhile.
    pub control: String,
    /// Milliseconds since 1970.
    pub expires_ms: i64,
    /// Whose risk it is, where the policy names nobody.
    pub owner: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GateRequest {
    /// A revision of the protected branch: the judge.
    pub base: String,
    pub attack: GateAttack,
}

/// Whether new findings are attacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GateAttack {
    New,
    Nothing,
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
    Debt(Box<DebtReport>),
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
    Changed(Box<ChangeRequest>),
    /// The unified diff of a verified change.
    Exported {
        change: Box<ChangeRequest>,
    },
    Approved(Box<ApprovalNote>),
    Rejected(Box<Rejection>),
    Merged(Box<MergeReport>),
    ProofReviewed {
        finding: String,
        verdict: ProofVerdict,
        stage: Box<StageReport>,
    },
    StageSet(Box<StageReport>),
    Accepted(Box<Acceptance>),
    ReplayedAll(Box<ReplayAllReport>),
    Gated {
        report: Box<GateReport>,
        /// Of the change, findings that were there before left out.
        scan: Box<ScanReport>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    Now,
    Before,
}
