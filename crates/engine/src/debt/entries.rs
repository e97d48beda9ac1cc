//! Entry points, and what is behind each.

use std::collections::BTreeMap;

use solvent_base::Digest;
use solvent_protocol::debt::{DebtEntryPoint, DebtFinding, Measured};
use solvent_protocol::view::{EntryPointView, Unmeasured};

use super::{Known, attention};
use crate::scan::Scan;

/// One row for each entry point of the scan, by label.
pub fn entries(scan: &Scan, findings: &[DebtFinding], known: &Known) -> Vec<DebtEntryPoint> {
    let by_print: BTreeMap<&str, &DebtFinding> = attention(findings)
        .map(|f| (f.fingerprint.as_str(), f))
        .collect();
    let mut behind: BTreeMap<String, Vec<&DebtFinding>> = BTreeMap::new();
    for view in &scan.report.findings {
        if let (Some(entry), Some(row)) = (&view.entry, by_print.get(view.fingerprint.as_str())) {
            behind.entry(handler(entry)).or_default().push(row);
        }
    }
    let same_tree = known.attacked_tree.as_deref() == Some(scan.report.subject.tree.as_str());
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut out: Vec<DebtEntryPoint> = scan
        .report
        .entry_points
        .iter()
        .map(|entry| {
            let own = behind.get(&handler(entry)).map_or(&[][..], Vec::as_slice);
            let key =
                Digest::of_parts([handler(entry).as_bytes(), entry.label.as_bytes()]).short(10);
            let nth = seen.entry(key.clone()).or_default();
            *nth += 1;
            DebtEntryPoint {
                id: if *nth == 1 {
                    key
                } else {
                    format!("{key}-{nth}")
                },
                label: entry.label.clone(),
                place: entry.place.clone(),
                exposure: entry
                    .exposure
                    .as_ref()
                    .map_or_else(|| "unknown".to_owned(), |x| x.reach.clone()),
                exposure_reason: exposure_reason(entry),
                findings: own.iter().map(|f| f.id.clone()).collect(),
                attacked: attacked(own, same_tree),
            }
        })
        .collect();
    out.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
    out
}

/// The same route may be bound twice; the function that answers it says which one is meant.
fn handler(entry: &EntryPointView) -> String {
    format!("{}\0{}", entry.route, entry.handler)
}

fn exposure_reason(entry: &EntryPointView) -> String {
    let login = if entry.auth.is_empty() {
        "no login check was recognised".to_owned()
    } else {
        format!("behind {}", entry.auth.join(", "))
    };
    match entry.exposure.as_ref() {
        None => format!("{login}; where the server listens is not known, so it counts as public"),
        Some(x) if x.reach == "unknown" => format!("{login}; {}, so it counts as public", x.why),
        Some(x) => format!("{login}; {}", x.why),
    }
}

fn attacked(behind: &[&DebtFinding], same_tree: bool) -> Measured<u64> {
    let with = |outcome: &str| {
        behind
            .iter()
            .filter(|f| f.proof.known().is_some_and(|p| p.outcome == outcome))
            .count()
    };
    let (proven, survived) = (with("proven"), with("not_reproduced"));
    if proven > 0 || (proven + survived == behind.len() && same_tree) {
        Measured::Known(proven as u64)
    } else if behind.is_empty() {
        Measured::Unmeasured("nothing was attacked in this state of the tree".to_owned())
    } else {
        Measured::Unmeasured(format!(
            "{} of {} findings behind it were not attacked with a clear answer",
            behind.len() - proven - survived,
            behind.len()
        ))
    }
}

/// Findings that may be behind any entry point: exposure does not speak of them.
pub fn behind_none(findings: &[DebtFinding]) -> Option<Unmeasured> {
    let count = attention(findings)
        .filter(|f| f.verdict.word == "undecided" && f.entry.is_none())
        .count();
    (count > 0).then(|| Unmeasured {
        what: format!("which entry points lead to {count} undecided findings"),
        why: "the search for a way to them could not finish; exposure does not count them"
            .to_owned(),
    })
}
