//! What is asked.

use std::collections::BTreeSet;

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
    /// `owner`, `tester`, `reader`, or an operator's own.
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
    Approve,
    Merge,
    AcceptRisk,
    ChangePolicy,
    Erase,
}

impl Action {
    pub const ALL: [Self; 11] = [
        Self::Init,
        Self::Rebuild,
        Self::Scan,
        Self::Prove,
        Self::Replay,
        Self::OpenCapsule,
        Self::Approve,
        Self::Merge,
        Self::AcceptRisk,
        Self::ChangePolicy,
        Self::Erase,
    ];

    /// What only people may do, whatever a policy says.
    pub fn reserved(self) -> bool {
        matches!(
            self,
            Self::Approve | Self::Merge | Self::AcceptRisk | Self::ChangePolicy | Self::Erase
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
            Self::Approve => "approve",
            Self::Merge => "merge",
            Self::AcceptRisk => "acceptRisk",
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
    },
    Capsule {
        id: String,
        flaw: FlawState,
    },
    Change {
        id: String,
        /// A person: who wrote it, or started the agent that did.
        author: String,
        /// People.
        approvers: BTreeSet<String>,
        stakes: Stakes,
        revision: ApprovedRevision,
    },
    /// The owner is a person, if there is one.
    Finding {
        id: String,
        owner: Option<String>,
    },
    PolicySet {
        id: String,
    },
    SealedObject {
        id: String,
    },
}

impl Target {
    /// A copy of the application in a sandbox that Solvent starts itself.
    pub fn sandbox(id: &str) -> Self {
        Self::Application {
            id: id.to_owned(),
            environment: Environment::Sandbox,
            authority: Authority::Shown,
            payloads: Payloads::Any,
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

/// Whether the revision at hand is the one that was approved and verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApprovedRevision {
    Same,
    Changed,
}
