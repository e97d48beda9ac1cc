//! Says whether a command may happen, and why not.
//!
//! It does not know how a command acts, where policies are stored, or who has signed in: the caller
//! computes every attribute and records the answer. Read [`Request`] (what is asked), [`Policy`]
//! (invariants that are compiled in, the first policy, operators' rules), then [`decide`].
//!
//! The rules are Cedar, in `policies/`. A forbid beats every permit, so the invariants hold whatever
//! operators add. Cedar skips a rule that errs, which would make an erring forbid permit; here any
//! error refuses.

pub mod adoption;
pub mod change;
mod decide;
pub mod people;
mod policy;
mod request;
pub mod risk;
pub mod signature;

pub use adoption::Adoption;
pub use change::{ChangeState, Court};
pub use decide::{Decision, NearMiss, Rule, decide};
pub use people::Governance;
pub use policy::{
    MAX_CHAIN, MAX_FILE_BYTES, MAX_FILES, MAX_NESTING, MAX_RULES, Policy, PolicyProblem,
};
pub use request::{
    Action, Actor, ActorState, Authority, ChangeFacts, Clock, Course, Environment, Exemption,
    FlawState, Payloads, PolicySource, PolicyTouch, QuorumState, Reason, Request, Reviews,
    RevisionState, Stakes, Target, Writer,
};
