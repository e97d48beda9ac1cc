//! Flaws per hundred changes, of AI tools and of the rest.

use solvent_protocol::debt::{DebtFinding, FlawRates, Interval, Measured, Rate, Share, evidence};

use crate::figure;
use crate::funnel::is_proven;
use crate::stats::poisson_interval;

const CONFIDENCE: f64 = 0.95;

/// Rates over the changes of `changes`. A flaw is an open finding of our own analysis that is reachable or
/// proven, and belongs to the change that brought the line of its sink, when that is one of `changes`: `within`
/// says so by the commit's full id.
pub fn flaw_rates(
    findings: &[DebtFinding],
    changes: &Share,
    within: &dyn Fn(&str) -> bool,
) -> FlawRates {
    let flaws: Vec<&DebtFinding> = findings
        .iter()
        .filter(|f| f.state.word == "open")
        .filter(|f| f.reports.iter().any(|r| r.run.is_none()))
        .filter(|f| f.verdict.word == "reachable" || is_proven(f))
        .collect();
    let brought = |f: &DebtFinding| {
        f.introduced
            .known()
            .filter(|i| !i.or_earlier && within(&i.commit))
            .map(|i| i.attribution.by == "ai")
    };
    let of = |who: Option<bool>| {
        figure(
            flaws
                .iter()
                .filter(|f| brought(f) == who)
                .map(|f| evidence::finding(&f.id)),
        )
    };
    let rest = {
        let mut rest = changes.unknown.clone();
        for more in [&changes.bots, &changes.human] {
            rest.count += more.count;
            rest.evidence.extend(more.evidence.iter().cloned());
        }
        rest.evidence.truncate(solvent_protocol::debt::MAX_EVIDENCE);
        rest
    };
    let rate =
        |flaws: solvent_protocol::debt::Figure, changes: solvent_protocol::debt::Figure| Rate {
            per_hundred: per_hundred(flaws.count, changes.count),
            flaws,
            changes,
        };
    FlawRates {
        ai: rate(of(Some(true)), changes.detected.clone()),
        rest: rate(of(Some(false)), rest),
        counted: "open findings of our own analysis that are reachable or proven".to_owned(),
        unattributed: of(None),
        method: "a flaw belongs to the change that last wrote the line of its sink (git blame), so flaws that \
                 were repaired since are in neither rate; exact 95 % interval of a Poisson count (Garwood 1936)"
            .to_owned(),
    }
}

/// Flaws per hundred changes with their exact 95 % interval.
pub fn per_hundred(flaws: u64, changes: u64) -> Measured<Interval> {
    if changes == 0 {
        return Measured::Unmeasured("there is no such change in these months".to_owned());
    }
    let (low, high) = poisson_interval(flaws, CONFIDENCE);
    let scale = 100.0 / changes as f64;
    Measured::Known(Interval {
        value: flaws as f64 * scale,
        low: low * scale,
        high: high * scale,
    })
}
