//! The debt on one repository: what other tools and we find in it, what of that is shown, and how it grew.
//!
//! Nothing is attacked here. Proofs that the ledger holds count; without any, proven is unmeasured. Read
//! [`debt`], then [`pile`] (findings of every tool as one list), [`reports`] (files of other tools),
//! [`carried`] (what an older look said and nothing closed), [`entries`], [`history`], [`merges`] (who merged what
//! through Solvent).

pub(crate) mod carried;
pub(crate) mod entries;
pub(crate) mod history;
pub(crate) mod merges;
pub(crate) mod pile;
pub(crate) mod reports;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use solvent_base::System as _;
use solvent_metrics::funnel::{Attacked, Before, Compared};
use solvent_metrics::{collapse, exposure, flaw_rates, forecast, funnel, months, needs_attention};
use solvent_protocol::debt::{DEBT_SCHEMA, DebtFinding, DebtReport, Measured};
use solvent_protocol::record::Status;
use solvent_protocol::view::{FindingState, Unmeasured};
use solvent_store::{Filter, Presence, Store as _, names};

use crate::command::Answer;
use crate::door::{Acted, Engine};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::scan::{Lowered, scan_after};

/// Most months that one report speaks of.
pub const MAX_MONTHS: u32 = 12;

/// What to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DebtRequest {
    /// Reports of other tools.
    pub reports: Vec<PathBuf>,
    /// Months of history, at most [`MAX_MONTHS`]; none looks at the tree as it is alone.
    pub months: u32,
    /// For the whole command; months that do not fit are unmeasured.
    pub max_seconds: u64,
}

/// What earlier commands recorded about this repository.
pub(crate) struct Known {
    /// When it was asked, in milliseconds since 1970: acceptances end by the clock.
    pub asked_ms: i64,
    /// Findings of every scan so far, by fingerprint.
    pub states: BTreeMap<String, FindingState>,
    /// Digest of the tree that was attacked last.
    pub attacked_tree: Option<String>,
    /// Merges that Solvent made.
    pub merges: merges::Merges,
}

pub(crate) fn debt(
    engine: &mut Engine,
    request: &DebtRequest,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let started = Instant::now();
    let deadline = started + Duration::from_secs(request.max_seconds);
    let generated_ms = engine.host.now().0;
    let imported = reports::read(&request.reports, progress)?;
    let known = known(engine)?;
    let earlier = carried::earlier(engine)?;

    let mut lowered = Lowered::nothing();
    let scan = scan_after(&engine.repo, &engine.host, progress, &mut lowered);
    let scan_seconds = started.elapsed();
    let mut unmeasured = scan.report.unmeasured.clone();

    progress.stage("joining what the tools say");
    let mut pile = pile::pile(&scan, &imported, &known, &engine.host);
    unmeasured.append(&mut pile.unmeasured);
    let compared = if earlier.is_some() {
        Compared::Yes
    } else {
        Compared::Nothing
    };
    if let Some(earlier) = &earlier {
        carried::carry(earlier, &imported, &mut pile, generated_ms);
    }

    let clock = history::Clock {
        deadline,
        one_scan: scan_seconds,
    };
    let mut findings = pile.findings;
    sort(&mut findings);
    let past = history::history(
        engine,
        request,
        &scan,
        &history::BeforeGit {
            findings: &findings,
            merges: &known.merges,
        },
        &mut lowered,
        &clock,
        progress,
    )?;
    drop(lowered);
    unmeasured.extend(past.unmeasured.clone());
    past.tell(&mut findings);
    let compared = if past.compared() {
        Compared::Yes
    } else {
        compared
    };
    sort(&mut findings);

    progress.stage("folding the figures");
    let attacked = if known.attacked_tree.is_some() {
        Attacked::Yes
    } else {
        Attacked::Never
    };
    let entry_points = entries::entries(&scan, &findings, &known);
    let months = months(&past.snapshots);
    let flaw_rates = match &past.authorship {
        Measured::Known(authorship) => match &authorship.changes {
            Measured::Known(changes) => {
                let within = |commit: &str| past.changes.contains(commit);
                Measured::Known(flaw_rates(&findings, changes, &within))
            }
            Measured::Unmeasured(why) => Measured::Unmeasured(why.clone()),
        },
        Measured::Unmeasured(why) => Measured::Unmeasured(why.clone()),
    };
    unmeasured.extend(entries::behind_none(&findings));
    let report = DebtReport {
        schema: DEBT_SCHEMA.to_owned(),
        tool: scan.report.tool.clone(),
        subject: scan.report.subject.clone(),
        generated_ms,
        duration_ms: started.elapsed().as_millis() as u64,
        coverage: scan.report.coverage.clone(),
        unmeasured: distinct(unmeasured),
        funnel: funnel(&findings, Before { attacked, compared }),
        collapse: match (collapse(&findings), reports::without_findings(&imported)) {
            (Measured::Unmeasured(_), Some(why)) => Measured::Unmeasured(why),
            (collapse, _) => collapse,
        },
        exposure: exposure(&entry_points, attacked),
        forecast: forecast(&months),
        months,
        authorship: past.authorship,
        flaw_rates,
        process: past.process,
        findings,
        entry_points,
        runs: pile.runs,
        commits: past.commits,
        ledger: Some(engine.head()?),
    };
    let outputs = vec![
        engine.seal(names::SCAN_REPORT, &scan.report)?,
        engine.seal(names::DEBT_REPORT, &report)?,
    ];
    let status = if report.unmeasured.is_empty() {
        Status::Done
    } else {
        Status::Partial
    };
    Ok(Acted {
        answer: Answer::Debt(Box::new(report)),
        status,
        outputs,
        links: Vec::new(),
    })
}

fn known(engine: &mut Engine) -> Result<Known, EngineError> {
    let name = engine.repo.name();
    let filter = Filter {
        subject: Some(name.clone()),
        presence: Presence::Ever,
        ..Filter::present()
    };
    let failed = |e: solvent_store::StoreError| {
        EngineError::unfinished(e.to_string(), "run `solvent ledger rebuild`")
    };
    let list = engine.store.findings(&filter).map_err(failed)?;
    let prove = engine.store.latest_prove(Some(&name)).map_err(failed)?;
    Ok(Known {
        asked_ms: engine.host.now().0,
        states: list
            .findings
            .into_iter()
            .map(|state| (state.finding.fingerprint.clone(), state))
            .collect(),
        attacked_tree: prove.map(|p| p.subject.tree),
        merges: merges::Merges::read(engine)?,
    })
}

/// Open before accepted before closed; what is shown before what is not; worst first; then by place.
fn sort(findings: &mut [DebtFinding]) {
    let rank = |f: &DebtFinding| {
        let state = match f.state.word.as_str() {
            "open" => 0,
            "accepted" => 1,
            _ => 2,
        };
        let shown = match (
            f.proof.known().map(|p| p.outcome.as_str()),
            f.verdict.word.as_str(),
        ) {
            (Some("proven"), _) => 0,
            (Some("inconclusive"), _) => 1,
            (None, "reachable") => 2,
            (None, "undecided") => 3,
            (None, "not_judged") => 4,
            (Some(_), _) => 5,
            _ => 6,
        };
        let severity = match f.severity.as_str() {
            "critical" => 0,
            "high" => 1,
            "medium" => 2,
            _ => 3,
        };
        (
            state,
            shown,
            severity,
            f.place.path.clone(),
            f.place.line,
            f.id.clone(),
        )
    };
    findings.sort_by_cached_key(rank);
}

/// Without gaps that are said already.
fn distinct(gaps: Vec<Unmeasured>) -> Vec<Unmeasured> {
    let mut said = std::collections::HashSet::new();
    gaps.into_iter()
        .filter(|g| said.insert((g.what.clone(), g.why.clone())))
        .collect()
}

/// Findings that need attention.
pub(crate) fn attention(findings: &[DebtFinding]) -> impl Iterator<Item = &DebtFinding> {
    findings.iter().filter(|f| needs_attention(f))
}
