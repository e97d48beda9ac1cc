//! What an older look said and nothing closed.
//!
//! Findings of other tools are kept from one debt report to the next. They leave only when a run of today
//! proves that it looked where they were and did not see them.

use std::collections::BTreeSet;

use solvent_base::{Digest, FilePath};
use solvent_import::close::Earlier;
use solvent_import::{Closing, closing};
use solvent_protocol::debt::{DEBT_SCHEMA, DebtFinding, DebtReport, evidence};
use solvent_protocol::record::Phase;
use solvent_protocol::view::Unmeasured;
use solvent_store::names;

use super::pile::Pile;
use super::reports::Reported;
use crate::door::{Engine, ledger_error};
use crate::error::EngineError;

/// Records that are looked through for the newest debt report.
const MAX_RECORDS: u64 = 20_000;

/// How long what was closed is told: the months of a report.
const YEAR_MS: i64 = 366 * 86_400_000;

/// Mark of runs that an older look read.
const EARLIER: &str = "earlier-";

/// The newest debt report of this repository, if there is one that this program can read.
pub fn earlier(engine: &Engine) -> Result<Option<DebtReport>, EngineError> {
    let name = engine.repo.name();
    let size = engine.ledger.size();
    for index in (size.saturating_sub(MAX_RECORDS)..size).rev() {
        let record = engine.ledger.record(index).map_err(|e| ledger_error(&e))?;
        if !matches!(record.body.phase, Phase::Result { .. }) {
            continue;
        }
        let Some(item) = record
            .body
            .outputs
            .iter()
            .find(|o| o.name == names::DEBT_REPORT)
        else {
            continue;
        };
        let bytes = engine
            .ledger
            .get_object(item.commitment)
            .map_err(|e| ledger_error(&e))?;
        // A report of another version says nothing that this program may trust.
        let report = serde_json::from_slice::<DebtReport>(&bytes)
            .ok()
            .filter(|r| r.schema == DEBT_SCHEMA && r.subject.name == name);
        if report.is_some() {
            return Ok(report);
        }
    }
    Ok(None)
}

/// Puts what `before` knew of other tools and today's reports do not repeat into the list.
pub fn carry(before: &DebtReport, reported: &[Reported], pile: &mut Pile, now_ms: i64) {
    let present: BTreeSet<Digest> = pile
        .findings
        .iter()
        .flat_map(|f| &f.reports)
        .filter_map(|r| Digest::parse(r.identity.as_deref()?))
        .collect();
    let ids: BTreeSet<String> = pile.findings.iter().map(|f| f.id.clone()).collect();
    let mut carried = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut open = 0_u64;
    {
        let runs: Vec<_> = pile
            .read
            .iter()
            .map(|(run, layout)| (run, layout))
            .collect();
        for finding in before.findings.iter().filter(|f| f.state.word == "open") {
            let mut kept = finding.clone();
            kept.reports.clear();
            let mut shut: Vec<(String, String)> = Vec::new();
            let mut reasons = BTreeSet::new();
            for report in finding.reports.iter().filter(|r| r.run.is_some()) {
                let parsed = (
                    report.identity.as_deref().and_then(Digest::parse),
                    FilePath::new(&report.place.path),
                );
                let (Some(identity), Some(path)) = parsed else {
                    continue;
                };
                let earlier = Earlier {
                    tool: report.tool.clone(),
                    rule: report.rule.clone(),
                    path,
                    identity,
                };
                match closing(&earlier, &runs, &present, &pile.tree) {
                    Closing::Reported => {}
                    Closing::Closed { run, because } => {
                        shut.push((pile.runs[run].id.clone(), because));
                    }
                    Closing::Open { why } => {
                        reasons.insert(why);
                        let mut report = report.clone();
                        report.run = report.run.map(|run| renamed(&run, &mut names));
                        kept.reports.push(report);
                    }
                }
            }
            if kept.reports.is_empty() && shut.is_empty() {
                continue;
            }
            let back = pile
                .findings
                .iter_mut()
                .find(|f| f.fingerprint == finding.fingerprint);
            if let Some(row) = back {
                // Still there as our own finding: the older word of the other tool stays beside it.
                row.reports.append(&mut kept.reports);
                continue;
            }
            if finding.reports.iter().any(|r| r.run.is_none()) && kept.reports.is_empty() {
                // Our own finding is gone, and so is the other tool's: history speaks of it.
                continue;
            }
            if ids.contains(&kept.id) {
                kept.id = kept.fingerprint.chars().take(20).collect();
            }
            if kept.reports.is_empty() {
                close(&mut kept, finding, &shut, now_ms);
            } else {
                open += 1;
                stays(&mut kept, reasons);
            }
            carried.push(kept);
        }
    }
    carried.extend(before.findings.iter().filter_map(|f| {
        let recent = f.state.since_ms.is_some_and(|at| now_ms - at < YEAR_MS);
        let kept = f.state.code == "covered_by_import" && recent;
        let back = pile
            .findings
            .iter()
            .any(|row| row.fingerprint == f.fingerprint);
        (kept && !back).then(|| {
            let mut row = f.clone();
            for report in &mut row.reports {
                report.run = report.run.take().map(|run| renamed(&run, &mut names));
            }
            for reference in &mut row.state.evidence {
                if let Some(run) = reference.strip_prefix("run:") {
                    *reference = evidence::run(&renamed(run, &mut names));
                }
            }
            row
        })
    }));
    if open > 0 {
        pile.unmeasured.push(Unmeasured {
            what: format!("{open} findings that an older report of another tool holds"),
            why: if reported.is_empty() {
                "no report was given this time, and nothing closed them".to_owned()
            } else {
                "no report of today proves that it looked there; they stay open".to_owned()
            },
        });
    }
    pile.findings.extend(carried);
    for run in &before.runs {
        if names.contains(&run.id) || names.contains(&format!("{EARLIER}{}", run.id)) {
            let mut run = run.clone();
            run.id = renamed(&run.id, &mut BTreeSet::new());
            pile.runs.push(run);
        }
    }
}

/// The id of an older run beside those of today.
fn renamed(run: &str, names: &mut BTreeSet<String>) -> String {
    let name = if run.starts_with(EARLIER) {
        run.to_owned()
    } else {
        format!("{EARLIER}{run}")
    };
    names.insert(name.clone());
    name
}

/// Our own word on it is not repeated: only what the other tool said is known now.
fn stays(row: &mut DebtFinding, reasons: BTreeSet<String>) {
    row.verdict.word = "not_judged".to_owned();
    row.verdict.reasons = reasons
        .into_iter()
        .map(|text| solvent_protocol::view::ReasonView {
            code: "not_covered".to_owned(),
            text,
            place: None,
        })
        .collect();
}

fn close(row: &mut DebtFinding, was: &DebtFinding, shut: &[(String, String)], now_ms: i64) {
    row.reports.clone_from(&was.reports);
    for report in &mut row.reports {
        // The closing run is the one that is in this report.
        if report.run.is_some() {
            report.run = shut.first().map(|(run, _)| run.clone());
        }
    }
    row.state.word = "closed".to_owned();
    row.state.code = "covered_by_import".to_owned();
    row.state.reason = shut
        .iter()
        .map(|(_, why)| why.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    row.state.since_ms = Some(now_ms);
    row.state.evidence = shut.iter().map(|(run, _)| evidence::run(run)).collect();
}
