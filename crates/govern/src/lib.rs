//! Says whether a command may happen, and why not.
//!
//! It does not know how a command acts, where policies are stored, or who has signed in: the caller
//! computes every attribute and records the answer. Read [`Request`] (what is asked), [`Policy`]
//! (invariants that are compiled in, the first policy, operators' rules), then [`decide`].
//!
//! The rules are Cedar, in `policies/`. A forbid beats every permit, so the invariants hold whatever
//! operators add. Cedar skips a rule that errs, which would make an erring forbid permit; here any
//! error refuses.

mod decide;
mod policy;
mod request;

pub use decide::{Decision, NearMiss, Rule, decide};
pub use policy::{Policy, PolicyProblem};
pub use request::{
    Action, Actor, ActorState, ApprovedRevision, Authority, Environment, FlawState, Payloads,
    Request, Stakes, Target,
};
