//! How far a repository has come, folded from what people did; and whether the stage may be set.
//!
//! Remediation begins when people reviewed [`REVIEWS`] different proofs and none is disputed. A demo,
//! or a person alone, may go on without, and the record says so for ever.

use std::collections::{BTreeMap, BTreeSet};

use solvent_protocol::adoption::{AdoptionEvent, AdoptionKind, ProofVerdict, Stage, StageBasis};
use solvent_protocol::record::ActorKind;

use crate::decide::{Decision, decide};
use crate::people::{Governance, Mode};
use crate::request::{Action, Actor, Exemption, Request, Reviews, Target};

/// Proofs that people must have reviewed before anything is remediated.
pub const REVIEWS: usize = 20;

/// What the records say about adoption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adoption {
    /// [`Stage::Prove`] where none is recorded.
    pub stage: Stage,
    /// What the stage rests on; `None` where none is recorded.
    pub basis: Option<StageBasis>,
    /// Proofs that people looked at, disputed ones included.
    pub reviewed: BTreeSet<String>,
    /// Proofs that some person's last word disputes.
    pub disputed: BTreeSet<String>,
}

impl Adoption {
    /// Folds events in the order of the ledger. Only what people did counts.
    pub fn fold(events: &[AdoptionEvent]) -> Self {
        let mut stage = Stage::Prove;
        let mut set_on = None;
        let mut last: BTreeMap<(&str, &str), ProofVerdict> = BTreeMap::new();
        for event in events.iter().filter(|e| e.actor.kind == ActorKind::Human) {
            match &event.kind {
                AdoptionKind::ProofReviewed { proof, verdict, .. } => {
                    last.insert((proof, &event.actor.id), *verdict);
                }
                AdoptionKind::StageSet { stage: to, basis } => {
                    stage = *to;
                    set_on = Some(*basis);
                }
            }
        }
        let proofs = |wanted: Option<ProofVerdict>| {
            last.iter()
                .filter(|(_, verdict)| wanted.is_none_or(|wanted| **verdict == wanted))
                .map(|((proof, _), _)| (*proof).to_owned())
                .collect()
        };
        Self {
            stage,
            basis: set_on,
            reviewed: proofs(None),
            disputed: proofs(Some(ProofVerdict::Disputed)),
        }
    }

    /// Whether people reviewed enough and dispute nothing.
    pub fn reviews(&self) -> Reviews {
        if self.reviewed.len() >= REVIEWS && self.disputed.is_empty() {
            Reviews::Enough
        } else {
            Reviews::TooFew
        }
    }

    /// For people: `12 of 20 proofs reviewed, 1 disputed`.
    pub fn words(&self) -> String {
        format!(
            "{} of {REVIEWS} proofs reviewed, {} disputed",
            self.reviewed.len(),
            self.disputed.len()
        )
    }
}

/// Whether `actor` may set the stage, and what the record must say it rests on. `exemption` is
/// [`Exemption::Asked`] when the person asked to go on without the reviews; it helps only in a demo or
/// where the person is alone.
pub fn may_set_stage(
    governance: &Governance,
    adoption: &Adoption,
    actor: &Actor,
    repository: &str,
    to: Stage,
    exemption: Exemption,
) -> (Decision, StageBasis) {
    let may_skip = matches!(governance.mode(), Mode::Alone { .. } | Mode::Demo);
    let exemption = match exemption {
        Exemption::Asked if may_skip => Exemption::Asked,
        _ => Exemption::None,
    };
    let reviews = adoption.reviews();
    let basis = if to < Stage::RemediateLowRisk {
        StageBasis::NoneNeeded
    } else if reviews == Reviews::Enough {
        StageBasis::Reviews
    } else {
        StageBasis::WithoutReviews
    };
    let request = Request {
        actor: actor.clone(),
        action: Action::SetStage,
        target: Target::StageChange {
            repository: repository.to_owned(),
            to,
            reviews,
            exemption,
        },
    };
    let mut decision = decide(governance.policy(), &request);
    decision.explain("invariant/stage-needs-reviews", |rule, pass| {
        rule.reason = format!("{}: {}", rule.reason, adoption.words());
        *pass = if adoption.disputed.is_empty() {
            format!(
                "people review {} more proofs: `solvent review-proof FINDING`",
                REVIEWS.saturating_sub(adoption.reviewed.len())
            )
        } else {
            "settle the disputed proofs: whoever disputes one reviews it again".to_owned()
        };
        if may_skip {
            pass.push_str(", or go on without them: `--without-reviews` (it is recorded)");
        }
    });
    (decision, basis)
}
