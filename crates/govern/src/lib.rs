//! Says whether a command may happen, and why not.
//!
//! It does not know how a command acts, where policies are stored, or who has signed in: the caller
//! computes every attribute and records the answer. Read [`Request`] (what is asked), [`Policy`]
//! (invariants that are compiled in, the first policy, operators' rules), then [`decide`]. For changes,
//! read [`people`] (the operator's folder), [`change`] (what counts, and what may be merged),
//! [`signature`], [`risk`] and [`adoption`].
//!
//! The rules are Cedar, in `policies/`. A forbid beats every permit, so the invariants hold whatever
//! operators add. Cedar skips a rule that errs, which would make an erring forbid permit; here any
//! error refuses. What Cedar cannot count (different people, paths, time) is counted here from the
//! records and handed to it as facts.
//!
//! A change from proposal to merge. The caller reads the folder at the protected base, keeps the events
//! and asks before each of them; for a proposal, push or approval it folds with the event that it is
//! about to record.
//!
//! ```
//! use solvent_base::Digest;
//! use solvent_govern::signature::SoftwareKey;
//! use solvent_govern::{Action, Court, Governance, change, risk};
//! use solvent_protocol::adoption::Stage;
//! use solvent_protocol::approval::{ApprovalStatement, Presence};
//! use solvent_protocol::change::{
//!     Disposition, Event, EventKind, Exposure, Listing, Revision, RiskInputs, Tests, Verification,
//! };
//! use solvent_protocol::record::{Actor, ActorKind};
//!
//! # fn main() -> Result<(), String> {
//! let (base, key) = ("b".repeat(40), SoftwareKey::from_seed(&[7; 32]));
//! let people = format!(
//!     "[[person]]\nid = \"ana\"\nroles = [\"developer\", \"merger\"]\n
//!      [[person]]\nid = \"ben\"\nroles = [\"approver\"]\nkeys = [\"{}\"]\n
//!      [[agent]]\nid = \"fixer\"\nowner = \"ana\"\nroles = [\"remediator\"]\n",
//!     key.public().text()
//! );
//! let files = [("solvent-policy/people.toml".to_owned(), people)];
//! let governance = Governance::read(&base, &files).map_err(|problems| problems[0].to_string())?;
//! let court = Court { governance: &governance, stage: Stage::RemediateMore, now_ms: 1_000 };
//!
//! // An agent that ana started proposes.
//! let revision = Revision {
//!     base,
//!     head: "c".repeat(40),
//!     tree: "d".repeat(40),
//!     diff: Digest::of(b"the diff"),
//! };
//! let assessment = risk::assess(RiskInputs {
//!     paths: vec!["shop/orders.py".to_owned()],
//!     lines: 4,
//!     weakness: "CWE-89".to_owned(),
//!     listed: Listing::NotListed,
//!     exposure: Exposure::Public,
//!     tests: Tests::Passed,
//!     disposition: Disposition::Mechanical,
//! });
//! let event = |at_ms, kind, id: &str, what| Event {
//!     at_ms,
//!     actor: Actor { id: id.to_owned(), kind, on_behalf_of: None },
//!     kind: what,
//! };
//! let proposed = EventKind::Proposed {
//!     author: "ana".to_owned(),
//!     revision: revision.clone(),
//!     risk: assessment,
//! };
//! let mut events = vec![event(1, ActorKind::Agent, "fixer", proposed)];
//! let state = change::fold("c-1", &events, &court);
//! let fixer = governance.actor(ActorKind::Agent, "fixer");
//! assert!(change::may(&state, &court, &fixer, Action::Propose, Some(&revision)).allowed());
//! let outcome = Verification::Passed;
//! let verified = EventKind::Verified { revision: revision.clone(), outcome };
//! events.push(event(2, ActorKind::Worker, "verifier", verified));
//!
//! // The agent may not approve it, and ana, who started the agent, may not either.
//! let state = change::fold("c-1", &events, &court);
//! for actor in [&fixer, &governance.actor(ActorKind::Human, "ana")] {
//!     let refused = change::may(&state, &court, actor, Action::Approve, Some(&revision));
//!     assert!(!refused.allowed() && !refused.pass.is_empty());
//! }
//!
//! // Ben reads what he signs, and signs it.
//! let statement = state.statement(&court, "ben").ok_or("not proposed")?;
//! let bytes = statement.to_bytes().map_err(|error| error.to_string())?;
//! println!("{}", ApprovalStatement::shown(&bytes).map_err(|error| error.to_string())?);
//! let approval = Box::new(key.approve(statement, Presence::NotShown)?);
//! events.push(event(1_000, ActorKind::Human, "ben", EventKind::Approved { approval }));
//! let state = change::fold("c-1", &events, &court);
//! assert!(state.approvals.iter().all(|approval| approval.counts()), "{:?}", state.missing);
//!
//! // Ana merges what is on disk now, if it is what was approved.
//! let ana = governance.actor(ActorKind::Human, "ana");
//! assert!(change::may_merge(&state, &court, &ana, &revision).allowed());
//! # Ok(())
//! # }
//! ```

pub mod adoption;
pub mod change;
mod decide;
pub mod people;
mod policy;
mod request;
pub mod risk;
pub mod signature;
mod words;

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
