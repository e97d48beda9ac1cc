//! Generated histories of changes, judged by the library and by the definition.
//!
//! Used by a test, and by the example that prints the figures.

pub mod generate;
pub mod plain;
pub mod world;

use std::collections::BTreeMap;

use solvent_govern::{Court, change};

use self::generate::{Case, Dice, From, Mistake};
use self::world::{CHANGES, real, revision};

/// What running many histories showed.
#[derive(Default, Debug)]
pub struct Outcome {
    pub histories: u64,
    /// Of them, those that could be merged: a run in which none can shows nothing.
    pub merged: u64,
    /// Library and definition disagree, or a mistake led to a merge; each in words.
    pub violations: Vec<String>,
    /// Mistake to how often it was seeded and caught.
    pub seeded: BTreeMap<&'static str, (u64, u64)>,
}

/// The library's answer: may it be merged, and which approvals count.
pub fn library(case: &Case) -> (bool, Vec<bool>, String) {
    let world = case.world();
    let governance = match case.from {
        From::Base => &world.base,
        From::Head => &world.loose,
    };
    let court = Court {
        governance,
        stage: case.stage,
        now_ms: case.now,
    };
    let events = real(world, &case.steps);
    let state = change::fold(CHANGES[0], &events, &court);
    let actor = governance.actor(case.merger.0, case.merger.1);
    let decision = change::may_merge(&state, &court, &actor, &revision(case.at_hand));
    let counts = state.approvals.iter().map(|a| a.counts()).collect();
    (decision.allowed(), counts, decision.text())
}

/// Runs `histories` of them from a seed: half with one seeded mistake, in turn, half knocked about.
pub fn run(seed: u64, histories: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut number = 0;
    while outcome.histories < histories {
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let mistake = Mistake::ALL[(number / 2) as usize % Mistake::ALL.len()];
        let seeded = number % 2 == 0;
        number += 1;
        let case = if seeded {
            let Some((before, after)) = generate::seeded(&mut dice, mistake) else {
                continue;
            };
            // The mistake must be what decides: without it, the change is merged.
            let (allowed, _, text) = library(&before);
            if !allowed {
                outcome
                    .violations
                    .push(format!("a sound history is refused: {text}\n{before:#?}"));
            }
            after
        } else {
            generate::wild(&mut dice)
        };
        outcome.histories += 1;
        let (allowed, counts, text) = library(&case);
        outcome.merged += u64::from(allowed);
        let plain = plain::judge(&case);
        if (allowed, &counts) != (plain.0, &plain.1) {
            outcome.violations.push(format!(
                "library ({allowed}, {counts:?}), definition {plain:?}: {text}\n{case:#?}"
            ));
        }
        if seeded {
            let (tried, caught) = outcome.seeded.entry(mistake.word()).or_default();
            *tried += 1;
            *caught += u64::from(!allowed);
            if allowed {
                outcome
                    .violations
                    .push(format!("{} led to a merge\n{case:#?}", mistake.word()));
            }
        }
    }
    outcome
}
