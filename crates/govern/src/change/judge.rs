//! What one approval is worth.

use std::collections::BTreeMap;

use solvent_protocol::approval::{Presence, SignedApproval, Verdict};
use solvent_protocol::record::ActorKind;

use super::{Approval, ChangeState, Court, Raw, Reading, Void, facts};
use crate::decide::decide;
use crate::people::{Identity, Person};
use crate::request::{Action, ActorState, Clock, Course, PolicySource, Request, Stakes, Target};
use crate::signature::{Key, verify};

pub(super) fn judge(
    raw: &Raw<'_>,
    reading: &Reading<'_>,
    state: &ChangeState,
    court: &Court<'_>,
    roles: &mut Roles<'_>,
) -> Approval {
    let (governance, actor) = (court.governance, &raw.event.actor);
    let statement = &raw.approval.statement;
    let Verdict::Approve = statement.verdict;
    let mut voids = Vec::new();
    if actor.kind != ActorKind::Human {
        voids.push(Void::NotAPerson(actor.kind));
    }
    if statement.approver != actor.id {
        voids.push(Void::OtherName(statement.approver.clone()));
    }
    if statement.change != state.id {
        voids.push(Void::OtherChange(statement.change.clone()));
    }
    if raw.at < reading.content_at {
        voids.push(Void::Push);
    } else if reading.revision != Some(&statement.revision) {
        voids.push(Void::OtherBytes);
    }
    if statement.risk != state.risk {
        voids.push(Void::RiskChanged(statement.risk));
    }
    let changed_after = reading
        .policies
        .iter()
        .any(|(at, policy)| *at > raw.at && *policy != statement.policy);
    if statement.policy != governance.digest() || changed_after {
        voids.push(Void::PolicyChanged);
    }
    if statement.expires_ms <= court.now_ms {
        voids.push(Void::Expired);
    }
    let longest = raw
        .event
        .at_ms
        .saturating_add(governance.settings().approval_lifetime_ms);
    if statement.expires_ms > longest {
        voids.push(Void::LivesTooLong);
    }
    if raw.event.at_ms > court.now_ms {
        voids.push(Void::FromTheFuture);
    }
    if raw.set_back {
        voids.push(Void::ClockSetBack);
    }
    if state.authors.contains(&actor.id) || state.authors.contains(&statement.approver) {
        voids.push(Void::Author);
    }
    let mut presence = Presence::NotShown;
    match governance.person(&statement.approver) {
        None => voids.push(Void::Stranger),
        Some(person) => {
            if person.state == ActorState::Stopped {
                voids.push(Void::Suspended);
            } else if !roles.may_approve(person, state) {
                voids.push(Void::NotInRole);
            }
            match seen(raw.approval, person) {
                Ok(shown) => {
                    presence = shown;
                    if shown == Presence::NotShown && needs_presence(court, state) {
                        voids.push(Void::PresenceNotShown);
                    }
                }
                Err(void) => voids.push(void),
            }
        }
    }
    if raw.withdrawn {
        voids.push(Void::Withdrawn);
    }
    Approval {
        by: actor.id.clone(),
        at_ms: raw.event.at_ms,
        statement: statement.clone(),
        key: raw.approval.key.clone(),
        presence,
        voids,
    }
}

/// What a person's signature shows, or why it does not hold. Whether the person may approve is not
/// looked at.
pub fn seen(approval: &SignedApproval, person: &Person) -> Result<Presence, Void> {
    let key = Key::parse(&approval.key).map_err(Void::Signature)?;
    if !person.keys.contains(&key) {
        return Err(Void::OtherKey);
    }
    let bytes = approval
        .statement
        .to_bytes()
        .map_err(|error| Void::Signature(error.to_string()))?;
    let shown = verify(&bytes, &approval.signature, &key)
        .map_err(|error| Void::Signature(error.to_string()))?;
    Ok(match person.identity {
        Identity::Simulated => Presence::Simulated,
        Identity::Real => shown,
    })
}

/// Production, and every quorum above one, want presence shown.
pub(super) fn needs_presence(court: &Court<'_>, state: &ChangeState) -> bool {
    court.governance.settings().stakes == Stakes::Production || state.tally.needed > 1
}

pub(super) fn could_sign(person: &Person, presence: bool) -> bool {
    person.state == ActorState::Active
        && person
            .keys
            .iter()
            .any(|key| !presence || key.is_token() || person.identity == Identity::Simulated)
}

/// Whether the policy lets people approve, asked once for each.
pub(super) struct Roles<'c> {
    court: &'c Court<'c>,
    asked: BTreeMap<String, bool>,
}

impl<'c> Roles<'c> {
    pub(super) fn new(court: &'c Court<'c>) -> Self {
        Self {
            court,
            asked: BTreeMap::new(),
        }
    }

    /// The change is presented as open, by other authors, at a sound time: what else is wrong with it
    /// or with the approval is said elsewhere.
    pub(super) fn may_approve(&mut self, person: &Person, state: &ChangeState) -> bool {
        if let Some(&known) = self.asked.get(&person.id) {
            return known;
        }
        let governance = self.court.governance;
        let mut facts = facts(state, self.court, None);
        facts.authors.clear();
        facts.course = Course::Open;
        facts.clock = Clock::Sound;
        facts.policy_source = PolicySource::Base;
        let request = Request {
            actor: governance.actor(ActorKind::Human, &person.id),
            action: Action::Approve,
            target: Target::Change(Box::new(facts)),
        };
        let allowed = decide(governance.policy(), &request).allowed();
        self.asked.insert(person.id.clone(), allowed);
        allowed
    }
}
