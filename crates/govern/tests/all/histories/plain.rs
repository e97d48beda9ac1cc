//! What may be merged, said a second time: short, plain, and without a thing from the library but the
//! words for who acts, how risky it is and how verification went.

use std::collections::BTreeSet;

use solvent_protocol::adoption::Stage;
use solvent_protocol::change::{RiskClass, Verification};
use solvent_protocol::record::ActorKind;

use super::generate::{Case, From};
use super::world::{
    AGENTS, DAY, Look, PEOPLE, Right, SOFTWARE, Signed, Someone, Step, Touched, What,
};

/// Whether the case may be merged, and which of its approvals count, in order.
pub fn judge(case: &Case) -> (bool, Vec<bool>) {
    let rules = case.rules();
    let steps = living(&case.steps);
    let Some(&(content_at, revision, look)) = contents(&steps).last() else {
        return (false, vec![]);
    };
    let class = match look {
        Look::Small if rules.listed => RiskClass::Low,
        Look::Small | Look::Middling => RiskClass::Medium,
        Look::Pipeline | Look::Policy | Look::PolicySaidToBeLow => RiskClass::High,
    };
    let needed = rules.quorum[class as usize];
    let presence = (rules.production || needed > 1) && !rules.simulated;
    let authors = authors(&steps);
    let good = |(at, step): &(usize, &Step), signed: &Signed| {
        let person = PEOPLE.iter().find(|person| person.id == signed.approver);
        let later =
            |wanted: &dyn Fn(&Step) -> bool| steps.iter().any(|(i, other)| i > at && wanted(other));
        let by_themselves = step.kind == ActorKind::Human && step.who == signed.approver;
        let may = person.is_some_and(|p| p.approves == Right::Yes && !p.suspended);
        let theirs = |p: &Someone| p.pens.contains(&signed.pen);
        let hand = signed.pen == signed.named && !signed.altered && person.is_some_and(theirs);
        let touched = signed.touched == Touched::Yes && !SOFTWARE.contains(&signed.pen);
        let these_bytes = signed.change == 0
            && *at > content_at
            && signed.revision == revision
            && signed.risk == class
            && signed.policy == case.policy();
        let lives = signed.expires > case.now
            && signed.expires <= step.at + rules.lifetime_days * DAY
            && step.at <= case.now
            && case.steps[..*at].iter().all(|before| before.at <= step.at);
        let kept = !later(&|s| matches!(s.what, What::PolicyChange(p) if p != signed.policy))
            && !later(&|s| {
                matches!(s.what, What::Withdraw) && s.kind == ActorKind::Human && s.who == step.who
            });
        by_themselves
            && may
            && hand
            && (touched || !presence)
            && these_bytes
            && lives
            && kept
            && !authors.contains(signed.approver)
    };
    let mut approvers = BTreeSet::new();
    let mut counts = Vec::new();
    for placed in &steps {
        if let What::Approve(signed) = &placed.1.what {
            let good = good(placed, signed);
            counts.push(good);
            if good {
                approvers.insert(signed.approver);
            }
        }
    }
    let merged = case.steps.len() > steps.last().map_or(0, |(at, _)| at + 1)
        || matches!(
            steps.last(),
            Some((
                _,
                Step {
                    what: What::Merge,
                    ..
                }
            ))
        );
    let after = |wanted: &dyn Fn(&Step) -> bool| {
        steps
            .iter()
            .any(|(at, step)| *at > content_at && wanted(step))
    };
    let rejected = after(&|s| matches!(s.what, What::Reject) && s.kind == ActorKind::Human);
    let verified = steps
        .iter()
        .filter(|(at, _)| *at > content_at)
        .filter_map(|(_, step)| match step.what {
            What::Verify {
                revision: r,
                outcome,
            } if r == revision => Some(outcome),
            _ => None,
        })
        .next_back()
        == Some(Verification::Passed);
    let stage = match case.stage {
        Stage::Observe | Stage::Prove => false,
        Stage::RemediateLowRisk => class == RiskClass::Low,
        Stage::RemediateMore => true,
    };
    let merger = case.merger.0 == ActorKind::Human
        && PEOPLE
            .iter()
            .any(|p| p.id == case.merger.1 && p.merges == Right::Yes && !p.suspended);
    let others = approvers.iter().any(|id| *id != case.merger.1);
    let clock = case.steps.iter().all(|step| step.at <= case.now);
    let base = case.from == From::Base && revision / 10 == 0;
    let allowed = !merged
        && !rejected
        && verified
        && stage
        && merger
        && others
        && clock
        && base
        && case.at_hand == revision
        && !nameless(&steps)
        && approvers.len() >= needed as usize;
    (allowed, counts)
}

/// Steps from the first proposal to the merge, with their places.
fn living(steps: &[Step]) -> Vec<(usize, &Step)> {
    let mut merged = false;
    steps
        .iter()
        .enumerate()
        .skip_while(|(_, step)| !matches!(step.what, What::Propose { .. }))
        .take_while(|(_, step)| {
            let before = merged;
            merged |= matches!(step.what, What::Merge);
            !before
        })
        .collect()
}

fn contents(steps: &[(usize, &Step)]) -> Vec<(usize, usize, Look)> {
    steps
        .iter()
        .filter_map(|(at, step)| match step.what {
            What::Propose { revision, look, .. } | What::Push { revision, look } => {
                Some((*at, revision, look))
            }
            _ => None,
        })
        .collect()
}

fn owner(step: &Step) -> Option<&'static str> {
    let listed = AGENTS.iter().find(|(id, _)| *id == step.who);
    listed
        .filter(|_| step.kind == ActorKind::Agent)
        .map(|(_, owner)| *owner)
}

fn authors(steps: &[(usize, &Step)]) -> BTreeSet<&'static str> {
    let mut authors = BTreeSet::new();
    for (_, step) in steps {
        match step.what {
            What::Propose { author, .. } => {
                authors.insert(author);
            }
            What::Push { .. } => {}
            _ => continue,
        }
        authors.extend(step.behalf);
        authors.extend(owner(step));
        if step.kind == ActorKind::Human {
            authors.insert(step.who);
        }
    }
    authors
}

/// Content that nobody can be held to.
fn nameless(steps: &[(usize, &Step)]) -> bool {
    steps.iter().any(|(_, step)| {
        matches!(step.what, What::Push { .. })
            && step.kind != ActorKind::Human
            && step.behalf.is_none()
            && owner(step).is_none()
    })
}
