//! The life of a change request, folded from its recorded events; and what may be done with it now.
//!
//! [`fold`] computes everything anew from the events, the governance of the protected base, the stage
//! and the time: nothing that an earlier run concluded is trusted, signatures included. An approval that
//! does not count says why ([`Void`]). [`may`] then asks the policy, with the facts of the state.

mod explain;
mod judge;

use std::collections::BTreeSet;
use std::fmt;

use solvent_protocol::adoption::Stage;
use solvent_protocol::approval::{ApprovalStatement, Presence, SignedApproval, Verdict};
use solvent_protocol::change::{
    Assessment, Event, EventKind, Listing, Revision, RiskClass, Verification,
};
use solvent_protocol::record::ActorKind;

use crate::decide::{Decision, decide};
use crate::people::Governance;
use crate::request::{
    Action, Actor, ChangeFacts, Clock, Course, PolicySource, PolicyTouch, QuorumState, Request,
    RevisionState, Target, Writer,
};
use crate::risk;

use explain::{explain, missing};
use judge::{Roles, could_sign, judge, needs_presence};

pub use judge::seen;

/// By what a change is judged.
#[derive(Clone, Copy)]
pub struct Court<'a> {
    /// Read from the protected base.
    pub governance: &'a Governance,
    pub stage: Stage,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
}

/// Where a change stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// There is no proposal among the events.
    Unknown,
    /// Its present revision is not verified, or verification failed or could not be measured.
    Proposed,
    /// Verified, but too few approvals count.
    Verified,
    /// Verified, and enough approvals count.
    Approved,
    /// A person stopped this revision; a push begins anew.
    Rejected,
    /// Merged; the attack was not yet tried again on what was merged, or could not be measured.
    Merged,
    /// Merged, and the attack fails on what was merged.
    Closed,
    /// Merged, and the attack succeeds again.
    Reopened,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Proposed => "proposed",
            Self::Verified => "verified",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Merged => "merged",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
        }
    }
}

/// Why an approval does not count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Void {
    /// The change was pushed to after it.
    Push,
    /// It signs bytes that this change did not have when it was given.
    OtherBytes,
    /// It was signed for another change: its id.
    OtherChange(String),
    /// It was given under other rules, or the rules changed after it.
    PolicyChanged,
    /// It was signed for another risk class.
    RiskChanged(RiskClass),
    Expired,
    /// It would live longer than the policy lets approvals live.
    LivesTooLong,
    /// The record is dated after now.
    FromTheFuture,
    /// The clock was behind an earlier record when it was recorded.
    ClockSetBack,
    /// An author of the change, or of the agent that wrote it.
    Author,
    /// An agent, a worker or the program recorded it.
    NotAPerson(ActorKind),
    /// The record and the statement name different people: whom the statement names.
    OtherName(String),
    /// The folder lists no such person.
    Stranger,
    Suspended,
    /// The policy does not let them approve it.
    NotInRole,
    /// The key is none of theirs.
    OtherKey,
    /// The signature does not hold; in words.
    Signature(String),
    /// Presence is required and the signature does not show it.
    PresenceNotShown,
    /// They took it back.
    Withdrawn,
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push => f.write_str("voided by a push"),
            Self::OtherBytes => f.write_str("signed other bytes"),
            Self::OtherChange(id) => write!(f, "replayed from change {id}"),
            Self::PolicyChanged => f.write_str("the policy changed"),
            Self::RiskChanged(class) => write!(f, "signed as {class} risk"),
            Self::Expired => f.write_str("expired"),
            Self::LivesTooLong => f.write_str("lives longer than the policy lets approvals live"),
            Self::FromTheFuture => f.write_str("dated after now"),
            Self::ClockSetBack => f.write_str("recorded with the clock set back"),
            Self::Author => f.write_str("wrote the change, or started the agent that did"),
            Self::NotAPerson(kind) => write!(
                f,
                "given by the {} of that name",
                match kind {
                    ActorKind::Human => "person",
                    ActorKind::Agent => "agent",
                    ActorKind::Worker => "worker",
                    ActorKind::System => "program",
                }
            ),
            Self::OtherName(name) => write!(f, "signed in the name of {name}"),
            Self::Stranger => f.write_str("not in solvent-policy/people.toml"),
            Self::Suspended => f.write_str("suspended"),
            Self::NotInRole => f.write_str("in no role that may approve it"),
            Self::OtherKey => f.write_str("signed with a key that is not theirs"),
            Self::Signature(what) => f.write_str(what),
            Self::PresenceNotShown => f.write_str("presence not shown"),
            Self::Withdrawn => f.write_str("taken back"),
        }
    }
}

/// One recorded approval and what it is worth now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who recorded it.
    pub by: String,
    pub at_ms: i64,
    pub statement: ApprovalStatement,
    /// Public key that signed, in OpenSSH's form.
    pub key: String,
    /// As the signature shows it now, whatever was recorded.
    pub presence: Presence,
    /// Empty when it counts.
    pub voids: Vec<Void>,
}

impl Approval {
    pub fn counts(&self) -> bool {
        self.voids.is_empty()
    }

    /// For people: `ben approved, presence shown` or `ben's approval does not count: expired`.
    pub fn words(&self) -> String {
        if self.counts() {
            return format!("{} approved, {}", self.by, self.presence.words());
        }
        let voids: Vec<String> = self.voids.iter().map(ToString::to_string).collect();
        format!(
            "{}'s approval does not count: {}",
            self.by,
            voids.join(", ")
        )
    }
}

/// N of M, by different people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    pub needed: u32,
    /// People whose approval counts; one person counts once, with however many keys.
    pub approvers: BTreeSet<String>,
    /// People who could approve and have not; empty when nobody needs to.
    pub candidates: BTreeSet<String>,
}

impl Tally {
    pub fn is_met(&self) -> bool {
        self.approvers.len() >= self.needed as usize
    }

    /// For people: `1 of 2 approvals`.
    pub fn words(&self) -> String {
        format!("{} of {} approvals", self.approvers.len(), self.needed)
    }
}

/// A change as its events leave it, judged at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeState {
    pub id: String,
    pub status: Status,
    /// `None` until it is proposed.
    pub revision: Option<Revision>,
    pub assessment: Option<Assessment>,
    /// The higher of the recorded class and the one computed again from the recorded inputs under the
    /// present policy; [`RiskClass::High`] until it is proposed.
    pub risk: RiskClass,
    pub touches_policy: PolicyTouch,
    /// People who wrote or pushed, or who started or own an agent that did.
    pub authors: BTreeSet<String>,
    /// Agents that wrote or pushed.
    pub agents: BTreeSet<String>,
    /// Of the present revision; `None` when it was not verified.
    pub verification: Option<Verification>,
    /// In the order of the records.
    pub approvals: Vec<Approval>,
    pub tally: Tally,
    /// Who stopped the present revision, and why.
    pub rejected: Option<(String, String)>,
    /// Commit and tree of the merge.
    pub merged: Option<(String, String)>,
    /// What should not be among the events: in words. None of it makes a merge easier.
    pub problems: Vec<String>,
    pub clock: Clock,
    /// What stands between this and a merge, in words; empty when nothing does but the policy.
    pub missing: Vec<String>,
    /// Nobody can be shown to stand behind some of the content.
    unattributed: bool,
}

/// What a first reading of the events gives.
struct Reading<'e> {
    revision: Option<&'e Revision>,
    assessment: Option<&'e Assessment>,
    authors: BTreeSet<String>,
    agents: BTreeSet<String>,
    unattributed: bool,
    verification: Option<Verification>,
    approvals: Vec<Raw<'e>>,
    /// Index of the last proposal or push.
    content_at: usize,
    /// Index and digest of each change of policy.
    policies: Vec<(usize, solvent_base::Digest)>,
    rejected: Option<(String, String)>,
    merged: Option<(String, String)>,
    verified_merged: Option<Verification>,
    latest_ms: i64,
    problems: Vec<String>,
}

struct Raw<'e> {
    at: usize,
    event: &'e Event,
    approval: &'e SignedApproval,
    withdrawn: bool,
    set_back: bool,
}

/// Folds the events of change `id`, in the order of the ledger.
pub fn fold(id: &str, events: &[Event], court: &Court<'_>) -> ChangeState {
    let reading = read(events, court.governance);
    let clock = if court.now_ms < reading.latest_ms {
        Clock::Behind
    } else {
        Clock::Sound
    };
    let settings = court.governance.settings();
    let risk = reading.assessment.map_or(RiskClass::High, |assessment| {
        let mut inputs = assessment.inputs.clone();
        if !settings.low_risk.contains(&inputs.weakness) {
            inputs.listed = Listing::NotListed;
        }
        assessment.class.max(risk::classify(&inputs))
    });
    let touches_policy = reading
        .assessment
        .map_or(PolicyTouch::Touches, |assessment| {
            risk::policy_touch(&assessment.inputs.paths)
        });
    let mut state = ChangeState {
        id: id.to_owned(),
        status: Status::Unknown,
        revision: reading.revision.cloned(),
        assessment: reading.assessment.cloned(),
        risk,
        touches_policy,
        authors: reading.authors.clone(),
        agents: reading.agents.clone(),
        verification: reading.verification,
        approvals: Vec::new(),
        tally: Tally {
            needed: settings.quorum.of(risk),
            approvers: BTreeSet::new(),
            candidates: BTreeSet::new(),
        },
        rejected: reading.rejected.clone(),
        merged: reading.merged.clone(),
        problems: reading.problems.clone(),
        clock,
        missing: Vec::new(),
        unattributed: reading.unattributed,
    };
    let mut roles = Roles::new(court);
    state.approvals = reading
        .approvals
        .iter()
        .map(|raw| judge(raw, &reading, &state, court, &mut roles))
        .collect();
    state.tally.approvers = state
        .approvals
        .iter()
        .filter(|approval| approval.counts())
        .map(|approval| approval.by.clone())
        .collect();
    if !state.tally.is_met() {
        state.tally.candidates = court
            .governance
            .people()
            .filter(|person| {
                !state.tally.approvers.contains(&person.id)
                    && !state.authors.contains(&person.id)
                    && could_sign(person, needs_presence(court, &state))
                    && roles.may_approve(person, &state)
            })
            .map(|person| person.id.clone())
            .collect();
    }
    state.status = status(&state, reading.verified_merged);
    state.missing = missing(&state, court);
    state
}

fn read<'e>(events: &'e [Event], governance: &Governance) -> Reading<'e> {
    let mut it = Reading {
        revision: None,
        assessment: None,
        authors: BTreeSet::new(),
        agents: BTreeSet::new(),
        unattributed: false,
        verification: None,
        approvals: Vec::new(),
        content_at: 0,
        policies: Vec::new(),
        rejected: None,
        merged: None,
        verified_merged: None,
        latest_ms: i64::MIN,
        problems: Vec::new(),
    };
    for (at, event) in events.iter().enumerate() {
        let set_back = event.at_ms < it.latest_ms;
        if set_back {
            it.problems
                .push(format!("event {at} is dated before the one it follows"));
        }
        it.latest_ms = it.latest_ms.max(event.at_ms);
        let begins = matches!(event.kind, EventKind::Proposed { .. });
        if it.revision.is_none() && !begins {
            it.problems.push(format!(
                "event {at} stands before the proposal and is ignored"
            ));
            continue;
        }
        if it.merged.is_some()
            && !matches!(
                event.kind,
                EventKind::VerifiedMerged { .. } | EventKind::PolicyChanged { .. }
            )
        {
            it.problems
                .push(format!("event {at} stands after the merge and is ignored"));
            continue;
        }
        match &event.kind {
            EventKind::Proposed {
                revision,
                risk,
                author,
            } => {
                if it.revision.is_some() {
                    it.problems
                        .push(format!("event {at} proposes it again and counts as a push"));
                }
                it.authors.insert(author.clone());
                it.content(at, event, revision, risk, governance);
            }
            EventKind::Pushed { revision, risk } => {
                it.content(at, event, revision, risk, governance)
            }
            EventKind::Verified { revision, outcome } => {
                if it.revision == Some(revision) {
                    it.verification = Some(*outcome);
                } else {
                    it.problems.push(format!(
                        "event {at} verifies another revision and is ignored"
                    ));
                }
            }
            EventKind::Approved { approval } => it.approvals.push(Raw {
                at,
                event,
                approval,
                withdrawn: false,
                set_back,
            }),
            EventKind::Withdrawn {} => {
                let own = it
                    .approvals
                    .iter_mut()
                    .filter(|raw| raw.event.actor.id == event.actor.id);
                if event.actor.kind == ActorKind::Human {
                    own.for_each(|raw| raw.withdrawn = true);
                }
            }
            EventKind::Rejected { reason } => {
                if event.actor.kind == ActorKind::Human {
                    it.rejected = Some((event.actor.id.clone(), reason.clone()));
                } else {
                    it.problems.push(format!(
                        "event {at} is a rejection by `{}`, who is no person, and is ignored",
                        event.actor.id
                    ));
                }
            }
            EventKind::PolicyChanged { policy } => it.policies.push((at, *policy)),
            EventKind::Merged { commit, tree } => {
                if it.revision.is_some_and(|revision| revision.tree != *tree) {
                    it.problems
                        .push("the merged tree is not the approved tree".to_owned());
                }
                it.merged = Some((commit.clone(), tree.clone()));
            }
            EventKind::VerifiedMerged { outcome } => it.verified_merged = Some(*outcome),
        }
    }
    it
}

impl<'e> Reading<'e> {
    /// New content: what was verified or rejected before was something else, and whoever brought it is
    /// an author.
    fn content(
        &mut self,
        at: usize,
        event: &Event,
        revision: &'e Revision,
        risk: &'e Assessment,
        governance: &Governance,
    ) {
        self.content_at = at;
        self.revision = Some(revision);
        self.assessment = Some(risk);
        self.verification = None;
        self.rejected = None;
        let actor = &event.actor;
        if actor.kind == ActorKind::Human {
            self.authors.insert(actor.id.clone());
            // A person who acts for another brings that one's content.
            self.authors.extend(actor.on_behalf_of.clone());
            return;
        }
        let owner = governance
            .agent(&actor.id)
            .filter(|_| actor.kind == ActorKind::Agent)
            .map(|agent| agent.owner.clone());
        let proposer = match &event.kind {
            EventKind::Proposed { author, .. } => Some(author.clone()),
            _ => None,
        };
        let behind: BTreeSet<String> = [owner, actor.on_behalf_of.clone(), proposer]
            .into_iter()
            .flatten()
            .collect();
        if behind.is_empty() {
            self.unattributed = true;
            self.problems.push(format!(
                "nobody is known to stand behind `{}`, who brought event {at}",
                actor.id
            ));
        }
        self.authors.extend(behind);
        self.agents.insert(actor.id.clone());
    }
}

impl ChangeState {
    /// What `approver` would sign to approve the change as it is now: it lives as long as the policy lets
    /// it. `None` until the change is proposed.
    pub fn statement(&self, court: &Court<'_>, approver: &str) -> Option<ApprovalStatement> {
        let lifetime = court.governance.settings().approval_lifetime_ms;
        Some(ApprovalStatement {
            verdict: Verdict::Approve,
            change: self.id.clone(),
            approver: approver.to_owned(),
            risk: self.risk,
            revision: self.revision.clone()?,
            policy: court.governance.digest(),
            expires_ms: court.now_ms.saturating_add(lifetime),
        })
    }
}

fn status(state: &ChangeState, verified_merged: Option<Verification>) -> Status {
    if state.revision.is_none() {
        return Status::Unknown;
    }
    if state.merged.is_some() {
        return match verified_merged {
            Some(Verification::Passed) => Status::Closed,
            Some(Verification::Failed) => Status::Reopened,
            Some(Verification::Unmeasured) | None => Status::Merged,
        };
    }
    if state.rejected.is_some() {
        Status::Rejected
    } else if state.verification != Some(Verification::Passed) {
        Status::Proposed
    } else if state.tally.is_met() && !state.unattributed {
        Status::Approved
    } else {
        Status::Verified
    }
}

/// The facts of a change for the policy. `at` is the revision at hand, as it is on disk now: its base is
/// the present end of the protected branch, its tree what merging would give. `None` is no revision.
pub fn facts(state: &ChangeState, court: &Court<'_>, at: Option<&Revision>) -> ChangeFacts {
    let governance = court.governance;
    let verified = state.verification == Some(Verification::Passed);
    let same = at.is_some() && at == state.revision.as_ref();
    let base = state
        .revision
        .as_ref()
        .map(|revision| revision.base.as_str());
    let open = !matches!(
        state.status,
        Status::Unknown | Status::Rejected | Status::Merged | Status::Closed | Status::Reopened
    );
    ChangeFacts {
        id: state.id.clone(),
        authors: state.authors.clone(),
        approvers: state.tally.approvers.clone(),
        quorum: if state.tally.is_met() && !state.unattributed {
            QuorumState::Met
        } else {
            QuorumState::Missing
        },
        stakes: governance.settings().stakes,
        revision: if verified && same {
            RevisionState::Verified
        } else {
            RevisionState::Other
        },
        course: if open { Course::Open } else { Course::Closed },
        clock: state.clock,
        policy_source: if base == Some(governance.read_from()) {
            PolicySource::Base
        } else {
            PolicySource::Other
        },
        policy_touch: state.touches_policy,
        writer: if state.agents.is_empty() {
            Writer::People
        } else {
            Writer::Agent
        },
        risk: state.risk,
        stage: court.stage,
    }
}

/// Whether `actor` may do `action` to the change, now. For [`Action::Merge`] and [`Action::Approve`],
/// `at` is the revision at hand, as [`facts`] wants it.
pub fn may(
    state: &ChangeState,
    court: &Court<'_>,
    actor: &Actor,
    action: Action,
    at: Option<&Revision>,
) -> Decision {
    let request = Request {
        actor: actor.clone(),
        action,
        target: Target::Change(Box::new(facts(state, court, at))),
    };
    let mut decision = decide(court.governance.policy(), &request);
    explain(&mut decision, state, court, actor, at);
    decision
}

/// Whether `actor` may merge the revision at hand: the policy, over who approved by the host's count.
pub fn may_merge(state: &ChangeState, court: &Court<'_>, actor: &Actor, at: &Revision) -> Decision {
    may(state, court, actor, Action::Merge, Some(at))
}
