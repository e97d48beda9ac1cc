//! The backlog at present rates.
//!
//! Findings come and go as Poisson counts. Their rates are not known but measured over few months, so each
//! simulated future draws its own: with Jeffreys' prior the rate after `k` events in `n` months is
//! Gamma(k + 1/2, n) (A. Gelman and others, Bayesian Data Analysis, third edition, sections 2.6 and 2.8).
//! The band therefore holds both the chance of the months ahead and how little the past says.

use solvent_protocol::debt::{
    Forecast, ForecastInput, ForecastMonth, Measured, Month, MonthScan, evidence,
};

use crate::stats::Random;

/// Months that are looked ahead.
pub const AHEAD: usize = 6;

/// Fewest months with a known inflow and outflow from which rates are taken.
pub const FEWEST: usize = 3;

/// Share of futures inside the band.
pub const BAND: f64 = 0.9;

const FUTURES: usize = 4_000;
const SEED: u64 = 20_260_301;

/// The backlog of the next [`AHEAD`] months.
pub fn forecast(months: &[Month]) -> Measured<Forecast> {
    let scans: Vec<(&str, &MonthScan)> = months
        .iter()
        .filter_map(|m| Some((m.month.as_str(), m.scan.known()?)))
        .collect();
    let flows: Vec<(&str, u64, u64)> = scans
        .iter()
        .filter_map(|(month, s)| Some((*month, s.inflow.known()?.count, s.outflow.known()?.count)))
        .collect();
    if flows.len() < FEWEST {
        return Measured::Unmeasured(format!(
            "rates need {FEWEST} months whose inflow and outflow are known, and there are {}",
            flows.len()
        ));
    }
    let Some(((last, _), newest)) = months
        .last()
        .and_then(|m| Some((year_month(&m.month)?, m.scan.known()?)))
        .map(|((y, m), scan)| (((y, m), ()), scan))
    else {
        return Measured::Unmeasured("the newest month was not scanned".to_owned());
    };
    let inflow: u64 = flows.iter().map(|f| f.1).sum();
    let outflow: u64 = flows.iter().map(|f| f.2).sum();
    let ends = simulate(newest.open.count, inflow, outflow, flows.len());
    let input = |name: &str, value: String| ForecastInput {
        name: name.to_owned(),
        value,
    };
    Measured::Known(Forecast {
        months: ends
            .into_iter()
            .enumerate()
            .map(|(i, (low, median, high))| ForecastMonth {
                month: month_after(last, i + 1),
                median,
                low,
                high,
            })
            .collect(),
        band: BAND,
        method: "Poisson inflow and outflow at the rates of these months; each simulated future draws its rates \
                 from Gamma(k + 1/2, months), the posterior under Jeffreys' prior"
            .to_owned(),
        inputs: vec![
            input("open now", newest.open.count.to_string()),
            input("months with known rates", flows.len().to_string()),
            input("inflow in them", inflow.to_string()),
            input("outflow in them", outflow.to_string()),
            input("simulated futures", FUTURES.to_string()),
            input("seed", SEED.to_string()),
        ],
        evidence: flows.iter().map(|f| evidence::month(f.0)).collect(),
    })
}

/// Low, median and high end of the backlog, for each month ahead.
fn simulate(open: u64, inflow: u64, outflow: u64, months: usize) -> Vec<(u64, u64, u64)> {
    let mut random = Random::seeded(SEED);
    let mut ends: Vec<Vec<u64>> = (0..AHEAD).map(|_| Vec::with_capacity(FUTURES)).collect();
    for _ in 0..FUTURES {
        let scale = 1.0 / months as f64;
        let comes = random.gamma(inflow as f64 + 0.5) * scale;
        let goes = random.gamma(outflow as f64 + 0.5) * scale;
        let mut backlog = open;
        for end in &mut ends {
            backlog = (backlog + random.poisson(comes)).saturating_sub(random.poisson(goes));
            end.push(backlog);
        }
    }
    let outside = (1.0 - BAND) / 2.0;
    ends.into_iter()
        .map(|mut values| {
            values.sort_unstable();
            let at = |share: f64| values[((FUTURES - 1) as f64 * share).round() as usize];
            (at(outside), at(0.5), at(1.0 - outside))
        })
        .collect()
}

fn year_month(month: &str) -> Option<(usize, usize)> {
    let (year, month) = month.split_once('-')?;
    Some((
        year.parse().ok()?,
        month.parse().ok().filter(|m| (1..=12).contains(m))?,
    ))
}

fn month_after((year, month): (usize, usize), ahead: usize) -> String {
    let index = year * 12 + month - 1 + ahead;
    format!("{:04}-{:02}", index / 12, index % 12 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_go_on_past_the_year() {
        assert_eq!(month_after((2025, 11), 1), "2025-12");
        assert_eq!(month_after((2025, 11), 3), "2026-02");
    }

    /// Without outflow the backlog is `open` plus a negative binomial count, whose quantiles can be summed.
    #[test]
    fn the_band_is_the_one_of_the_negative_binomial() {
        let (open, inflow, months) = (50, 24, 12);
        let ends = simulate(open, inflow, 0, months);
        for ahead in [1_usize, 6] {
            // Rate Gamma(r, 12), count over `ahead` months: NB with p = 12 / (12 + ahead).
            let (r, p) = (inflow as f64 + 0.5, 12.0 / (12.0 + ahead as f64));
            let mut term = p.powf(r);
            let (mut sum, mut k, mut quantiles) = (term, 0_u64, Vec::new());
            for share in [0.05, 0.5, 0.95] {
                while sum < share {
                    k += 1;
                    term *= (k as f64 - 1.0 + r) / k as f64 * (1.0 - p);
                    sum += term;
                }
                quantiles.push(k);
            }
            let (low, median, high) = ends[ahead - 1];
            // Outflow of rate Gamma(1/2, 12) takes about ahead / 24 findings away.
            for (got, want) in [
                (low, quantiles[0]),
                (median, quantiles[1]),
                (high, quantiles[2]),
            ] {
                assert!(
                    (open + want).abs_diff(got) <= 1,
                    "{got} is not {}",
                    open + want
                );
            }
        }
    }

    #[test]
    fn a_backlog_never_falls_below_nothing_and_is_the_same_each_time() {
        let ends = simulate(2, 0, 60, 12);
        assert_eq!(ends.last().map(|e| e.1), Some(0));
        assert_eq!(ends, simulate(2, 0, 60, 12));
        assert!(
            ends.iter()
                .all(|(low, median, high)| low <= median && median <= high)
        );
    }
}
