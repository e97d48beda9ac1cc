//! Inflow, outflow and age, from one look at the end of each month.

use std::collections::{BTreeMap, BTreeSet};

use solvent_protocol::debt::{Age, Measured, Month, MonthScan, evidence};

use crate::figure;

const DAY_MS: i64 = 86_400_000;

/// The look at one month.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// `2026-03`
    pub month: String,
    /// Unmeasured with the reason when no revision of it was scanned to the end.
    pub seen: Measured<Seen>,
}

/// What was open in one revision.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// Full commit id.
    pub revision: String,
    pub committed_ms: i64,
    pub lines: u64,
    /// Ids of open findings; the same id in two months is the same finding.
    pub open: BTreeSet<String>,
    /// Those of them that are critical.
    pub critical: BTreeSet<String>,
}

enum Side {
    In,
    Out,
}

/// The months in the same order, oldest first.
pub fn months(snapshots: &[Snapshot]) -> Vec<Month> {
    // Where each finding's present stay began, and whether the oldest look already had it.
    let mut since: BTreeMap<&str, (i64, bool)> = BTreeMap::new();
    let mut first = true;
    let mut before: Option<&Seen> = None;
    let mut out = Vec::new();
    for (i, snapshot) in snapshots.iter().enumerate() {
        let Measured::Known(seen) = &snapshot.seen else {
            out.push(Month {
                month: snapshot.month.clone(),
                scan: Measured::Unmeasured(
                    snapshot
                        .seen
                        .why()
                        .unwrap_or("it was not scanned")
                        .to_owned(),
                ),
            });
            continue;
        };
        since.retain(|id, _| seen.open.contains(*id));
        for id in &seen.open {
            since.entry(id).or_insert((seen.committed_ms, first));
        }
        first = false;
        let last = i.checked_sub(1).and_then(|i| snapshots[i].seen.known());
        let flow = |side: Side| match last {
            Some(last) => {
                let (more, less) = match side {
                    Side::In => (&seen.open, &last.open),
                    Side::Out => (&last.open, &seen.open),
                };
                Measured::Known(figure(
                    more.difference(less).map(|id| evidence::finding(id)),
                ))
            }
            None if before.is_none() => {
                Measured::Unmeasured("it is the oldest month that was scanned".to_owned())
            }
            None => Measured::Unmeasured("the month before was not scanned".to_owned()),
        };
        out.push(Month {
            month: snapshot.month.clone(),
            scan: Measured::Known(MonthScan {
                revision: seen.revision.clone(),
                committed_ms: seen.committed_ms,
                lines: seen.lines,
                open: figure(seen.open.iter().map(|id| evidence::finding(id))),
                inflow: flow(Side::In),
                outflow: flow(Side::Out),
                open_critical: figure(seen.critical.iter().map(|id| evidence::finding(id))),
                oldest_open_critical: oldest(seen, &since),
            }),
        });
        before = Some(seen);
    }
    out
}

fn oldest(seen: &Seen, since: &BTreeMap<&str, (i64, bool)>) -> Option<Age> {
    let begin = |id: &String| since.get(id.as_str()).copied();
    let (start, at_least) = seen
        .critical
        .iter()
        .filter_map(begin)
        .min_by_key(|(at, first)| (*at, !first))?;
    Some(Age {
        days: u64::try_from((seen.committed_ms - start) / DAY_MS).unwrap_or(0),
        at_least,
        evidence: seen
            .critical
            .iter()
            .filter(|id| begin(id) == Some((start, at_least)))
            .take(solvent_protocol::debt::MAX_EVIDENCE)
            .map(|id| evidence::finding(id))
            .collect(),
    })
}
