//! What is asked.

use std::collections::BTreeSet;

use solvent_protocol::adoption::Stage;
use solvent_protocol::change::RiskClass;
use solvent_protocol::record::ActorKind;

/// May this actor do this to that?
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub actor: Actor,
    pub action: Action,
    pub target: Target,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: String,
    /// Some of [`crate::people::ROLES`], or an operator's own.
    pub roles: BTreeSet<String>,
    pub state: ActorState,
}

impl Actor {
    /// The person at the keyboard of their own installation.
    pub fn owner(id: &str) -> Self {
        Self {
            kind: ActorKind::Human,
            id: id.to_owned(),
            roles: BTreeSet::from(["owner".to_owned()]),
            state: ActorState::Active,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ActorState {
    Active,
    /// A suspended person, or an agent or worker under the kill switch.
    Stopped,
}

/// The commands that are governed. Reading what is not sealed is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    Init,
    Rebuild,
    Scan,
    Prove,
    Replay,
    OpenCapsule,
    /// Make a patch for a finding; nothing is merged.
    Fix,
    /// Make a change request of a patch, to be merged.
    Propose,
    /// Try the attack again on a change.
    Verify,
    Export,
    ReadEvidence,
    Approve,
    Reject,
    Merge,
    AcceptRisk,
    ReviewProof,
    SetStage,
    ChangePolicy,
    Erase,
}

impl Action {
    pub const ALL: [Self; 19] = [
        Self::Init,
        Self::Rebuild,
        Self::Scan,
        Self::Prove,
        Self::Replay,
        Self::OpenCapsule,
        Self::Fix,
        Self::Propose,
        Self::Verify,
        Self::Export,
        Self::ReadEvidence,
        Self::Approve,
        Self::Reject,
        Self::Merge,
        Self::AcceptRisk,
        Self::ReviewProof,
        Self::SetStage,
        Self::ChangePolicy,
        Self::Erase,
    ];

    /// What only people may do, whatever a policy says.
    pub fn reserved(self) -> bool {
        matches!(
            self,
            Self::Approve
                | Self::Reject
                | Self::Merge
                | Self::AcceptRisk
                | Self::ReviewProof
                | Self::SetStage
                | Self::ChangePolicy
                | Self::Erase
        )
    }

    /// The word in the schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Rebuild => "rebuild",
            Self::Scan => "scan",
            Self::Prove => "prove",
            Self::Replay => "replay",
            Self::OpenCapsule => "openCapsule",
            Self::Fix => "fix",
            Self::Propose => "propose",
            Self::Verify => "verify",
            Self::Export => "export",
            Self::ReadEvidence => "readEvidence",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Merge => "merge",
            Self::AcceptRisk => "acceptRisk",
            Self::ReviewProof => "reviewProof",
            Self::SetStage => "setStage",
            Self::ChangePolicy => "changePolicy",
            Self::Erase => "erase",
        }
    }
}

/// What is acted upon. A target that does not fit the action is refused with an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Repository {
        id: String,
    },
    Ledger {
        id: String,
    },
    Application {
        id: String,
        environment: Environment,
        authority: Authority,
        payloads: Payloads,
        stage: Stage,
    },
    Capsule {
        id: String,
        flaw: FlawState,
    },
    Change(Box<ChangeFacts>),
    /// The owner is a person, if there is one.
    Finding {
        id: String,
        owner: Option<String>,
        stage: Stage,
    },
    /// Consent to live with a finding.
    Acceptance {
        finding: String,
        owner: Option<String>,
        /// Whole days until it expires; 0 when it has no expiry or is past.
        days: i64,
        reason: Reason,
    },
    /// A step of adoption; made by [`crate::adoption::may_set_stage`].
    StageChange {
        repository: String,
        to: Stage,
        reviews: Reviews,
        exemption: Exemption,
    },
    PolicySet {
        id: String,
    },
    SealedObject {
        id: String,
    },
}

impl Target {
    /// A copy of the application in a sandbox that Solvent starts itself, in a repository where no stage
    /// is recorded.
    pub fn sandbox(id: &str) -> Self {
        Self::sandbox_in(id, Stage::Prove)
    }

    /// The same, in a repository of which the stage is known.
    pub fn sandbox_in(id: &str, stage: Stage) -> Self {
        Self::Application {
            id: id.to_owned(),
            environment: Environment::Sandbox,
            authority: Authority::Shown,
            payloads: Payloads::Any,
            stage,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Environment {
    Sandbox,
    Staging,
    Production,
}

impl Environment {
    /// The word in the schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// Whether the target's owner agreed to be attacked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Authority {
    Shown,
    NotShown,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Payloads {
    ReadOnly,
    Any,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlawState {
    /// Not verified as fixed.
    Open,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stakes {
    Production,
    Other,
}

/// What is known about a change when something is asked about it; see [`crate::change`], which computes
/// it. What cannot be shown takes the value that refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeFacts {
    pub id: String,
    /// People: who wrote it, pushed to it, or started or own an agent that did.
    pub authors: BTreeSet<String>,
    /// Different people whose approval counts now.
    pub approvers: BTreeSet<String>,
    pub quorum: QuorumState,
    pub stakes: Stakes,
    pub revision: RevisionState,
    pub course: Course,
    pub clock: Clock,
    pub policy_source: PolicySource,
    pub policy_touch: PolicyTouch,
    pub writer: Writer,
    pub risk: RiskClass,
    pub stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuorumState {
    Met,
    Missing,
}

/// Whether the revision at hand is the recorded one, and was verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RevisionState {
    Verified,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Course {
    Open,
    /// Rejected, merged, or never properly proposed.
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Clock {
    Sound,
    /// Behind what is already recorded.
    Behind,
}

/// Where the rules were read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PolicySource {
    Base,
    Other,
}

/// Whether a change touches the rules, or what a recipe may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PolicyTouch {
    Touches,
    Leaves,
}

/// Who wrote a change's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Writer {
    People,
    /// An agent wrote some of it.
    Agent,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    Given,
    Missing,
}

/// Whether people reviewed enough proofs and disputed none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reviews {
    Enough,
    TooFew,
}

/// Who may go on without the reviews, and is recorded as having done so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Exemption {
    /// A demo, or a person alone, who asked to.
    Asked,
    None,
}
