//! What stands between a change and a merge, in words.

use std::collections::BTreeSet;

use solvent_protocol::change::{Revision, Verification};

use super::judge::needs_presence;
use super::{Approval, ChangeState, Court, Status};
use crate::decide::Decision;
use crate::people::Mode;
use crate::request::{Actor, Clock};
use crate::words::fenced;

pub(super) fn missing(state: &ChangeState, court: &Court<'_>) -> Vec<String> {
    let mut words = Vec::new();
    match state.status {
        Status::Unknown => words.push("it was never proposed".to_owned()),
        Status::Merged | Status::Closed | Status::Reopened => {
            words.push("it is merged already".to_owned());
        }
        _ => {}
    }
    if let Some((by, reason)) = &state.rejected {
        words.push(format!("{by} rejected it: {}", fenced(reason)));
    }
    match state.verification {
        Some(Verification::Passed) => {}
        Some(Verification::Failed) => words.push("its verification failed".to_owned()),
        Some(Verification::Unmeasured) => words.push("its verification is unmeasured".to_owned()),
        None => words.push("this revision is not verified".to_owned()),
    }
    if state.unattributed {
        words.push("nobody is known to stand behind some of its content".to_owned());
    }
    if !state.tally.is_met() {
        words.push(format!("{} count", state.tally.words()));
        let void = state.approvals.iter().filter(|approval| !approval.counts());
        words.extend(void.map(Approval::words));
    }
    if state.clock == Clock::Behind {
        words.push("the clock is behind what is already recorded".to_owned());
    }
    if let Mode::Alone { .. } = court.governance.mode() {
        words.push("there is nobody else to decide".to_owned());
    }
    words
}

/// Says more about the invariants that spoke than their fixed words can.
pub(super) fn explain(
    decision: &mut Decision,
    state: &ChangeState,
    court: &Court<'_>,
    actor: &Actor,
    at: Option<&Revision>,
) {
    let alone = matches!(court.governance.mode(), Mode::Alone { .. });
    let second = "add solvent-policy/people.toml with a second person who has a key and the role approver, \
                  or export the verified patch";
    let who = |names: &BTreeSet<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).take(10).collect();
        names.join(", ")
    };
    decision.explain("invariant/quorum-is-met", |rule, pass| {
        let void: Vec<String> = state
            .approvals
            .iter()
            .filter(|approval| !approval.counts())
            .map(Approval::words)
            .collect();
        rule.reason = format!("{} count", state.tally.words());
        if state.unattributed {
            rule.reason.push_str(", and nobody is known to stand behind some of the content");
        }
        if !void.is_empty() {
            rule.reason = format!("{} ({})", rule.reason, void.join("; "));
        }
        let more = (state.tally.needed as usize).saturating_sub(state.tally.approvers.len());
        *pass = if alone {
            second.to_owned()
        } else if state.unattributed {
            "list the agent with its owner in solvent-policy/people.toml, or propose it again as a person".to_owned()
        } else if state.tally.candidates.len() < more {
            format!(
                "{more} more must approve and {} can: give others a key and the role approver in \
                 solvent-policy/people.toml{}",
                if state.tally.candidates.is_empty() { "nobody".to_owned() } else { format!("only {}", who(&state.tally.candidates)) },
                if needs_presence(court, state) { ", with an `sk-` key that shows presence" } else { "" }
            )
        } else {
            format!("{more} more of {} approve", who(&state.tally.candidates))
        };
    });
    decision.explain("invariant/merger-is-not-the-only-approver", |rule, pass| {
        if alone {
            second.clone_into(pass);
        } else if state.tally.approvers.contains(&actor.id) {
            rule.reason = format!("{} is the only approver and would merge as well", actor.id);
            "somebody else merges it, or one more person approves".clone_into(pass);
        }
    });
    decision.explain("invariant/no-self-approval", |rule, pass| {
        rule.reason = format!("{} (authors: {})", rule.reason, who(&state.authors));
        if alone {
            second.clone_into(pass);
        } else if !state.tally.candidates.is_empty() {
            *pass = format!("one of {} approves", who(&state.tally.candidates));
        }
    });
    decision.explain("invariant/merge-what-was-verified", |rule, pass| {
        let verified = match state.verification {
            Some(Verification::Passed) => None,
            Some(Verification::Failed) => Some("the verification of this revision failed"),
            Some(Verification::Unmeasured) => {
                Some("the verification of this revision is unmeasured")
            }
            None => Some("this revision is not verified"),
        };
        if let Some(what) = verified {
            what.clone_into(&mut rule.reason);
            "try it again: `solvent fix FINDING`, or `solvent propose FINDING --patch FILE`"
                .clone_into(pass);
        } else if let (Some(at), Some(recorded)) = (at, &state.revision) {
            let differs = [
                ("base", &at.base, &recorded.base),
                ("head", &at.head, &recorded.head),
                ("tree", &at.tree, &recorded.tree),
            ]
            .into_iter()
            .find(|(_, at, recorded)| at != recorded);
            if let Some((what, at, recorded)) = differs {
                let short = |id: &str| id.chars().take(12).collect::<String>();
                rule.reason = format!(
                    "the {what} is {} now, not {} as approved and verified",
                    short(at),
                    short(recorded)
                );
            }
        }
    });
    decision.explain("invariant/policy-comes-from-base", |rule, pass| {
        if alone {
            "there is no policy on the protected base to judge it by".clone_into(&mut rule.reason);
            second.clone_into(pass);
        }
    });
    decision.explain("invariant/remediation-needs-its-stage", |rule, _| {
        rule.reason = format!(
            "{}; the stage is {}, the risk {}",
            rule.reason,
            court.stage.word(),
            state.risk
        );
    });
    decision.explain("invariant/closed-is-closed", |rule, pass| {
        if let Some((by, reason)) = &state.rejected {
            rule.reason = format!("{by} rejected it: {}", fenced(reason));
        } else if state.merged.is_some() {
            "it is merged already".clone_into(&mut rule.reason);
            "propose another change".clone_into(pass);
        }
    });
}
