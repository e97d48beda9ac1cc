//! Debt figures and forecasts folded from records.
//!
//! It does not know how anything was found, attacked or read from git: documents of `protocol` go in,
//! figures of `protocol` come out. No clock, no randomness but a fixed seed: the same documents give the
//! same figures. Two laws are kept here. What is not known is `Unmeasured` with its reason, never zero. And
//! every figure carries references to what it counted.
//!
//! Read [`funnel`] (found, reachable, proven, closed), [`collapse`], [`exposure`], [`months`] (inflow,
//! outflow, ages), [`rates`] (flaws per hundred changes), [`forecast`], and [`stats`] for the methods.

pub mod collapse;
pub mod exposure;
pub mod forecast;
pub mod funnel;
pub mod months;
pub mod rates;
pub mod stats;

pub use collapse::collapse;
pub use exposure::exposure;
pub use forecast::forecast;
pub use funnel::{funnel, needs_attention};
pub use months::{Seen, Snapshot, months};
pub use rates::flaw_rates;

use solvent_protocol::debt::{DebtFinding, Figure, MAX_EVIDENCE, evidence};

/// A figure over things with references, in the order given.
pub fn figure(references: impl IntoIterator<Item = String>) -> Figure {
    let mut figure = Figure::default();
    for reference in references {
        figure.count += 1;
        if figure.evidence.len() < MAX_EVIDENCE {
            figure.evidence.push(reference);
        }
    }
    figure
}

/// A figure over findings.
pub(crate) fn of<'f>(findings: impl IntoIterator<Item = &'f DebtFinding>) -> Figure {
    figure(findings.into_iter().map(|f| evidence::finding(&f.id)))
}
