//! The gate of a pipeline: does this change bring a new flaw?
//!
//! *Promise: a change never rewrites its own judge.* Rules, the recipe and what fails the gate are read from
//! the base; what the change does to them counts once it is merged. Debt that was there before fails nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use solvent_finding::{Finding, Fingerprint, Verdict};
use solvent_govern::people::FailsOn;
use solvent_protocol::record::Status;
use solvent_protocol::remediation::{GATE_SCHEMA, GateFinding, GateReport};
use solvent_protocol::view::{FindingView, ScanReport, Subject, Unmeasured};
use solvent_prove::{self as proving, CaseResult};
use solvent_sandbox::NativeSandbox;
use solvent_store::names;

use crate::branch::short;
use crate::command::{Answer, GateAttack, GateRequest};
use crate::door::{Acted, Engine};
use crate::error::EngineError;
use crate::governance::{POLICY_FOLDER, Rules};
use crate::progress::Progress;
use crate::prove::{reason_text, recipe, seed, show};
use crate::remedy::Tree;
use crate::repo::{Repo, git_out};
use crate::scan::{self, Scan};

/// Gaps of a scan that make every answer about reachability worthless.
const WHOLE: [&str; 2] = [scan::NO_FILES, scan::NO_ENTRY_POINTS];

/// Files that decide how a change is judged or run.
const JUDGES: [&str; 2] = ["solvent.toml", POLICY_FOLDER];

pub(crate) fn gate(
    engine: &mut Engine,
    request: &GateRequest,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let began = Instant::now();
    let base = engine.repo.resolve(&request.base).ok_or_else(|| {
        EngineError::usage(
            format!("no commit `{}` in this repository", request.base),
            "fetch it first; a shallow clone of a pipeline holds the newest commit only (`fetch-depth: 0`)",
        )
    })?;
    let head = engine.repo.revision.clone().ok_or_else(|| {
        EngineError::usage("there is no commit to judge", "commit the change first")
    })?;
    // What both sides have in common is nobody's change.
    let fork = git_out(&engine.repo.root, ["merge-base", &base, &head])
        .map(|out| out.trim().to_owned())
        .map_err(|_| {
            EngineError::usage(
                format!(
                    "{} and {} have no commit in common",
                    short(&base),
                    short(&head)
                ),
                "fetch the whole history (`fetch-depth: 0`)",
            )
        })?;
    let rules = Rules::read_at(engine, &base)?;
    let changed = changed(&engine.repo, &fork, &head)?;
    progress.stage("scanning the base");
    let before_tree = Tree::write(&engine.repo, &fork, Some(&fork))?;
    let before = scan::scan(&before_tree.repo, &before_tree.host, progress);
    progress.stage("scanning the change");
    let after_tree = Tree::write(&engine.repo, &head, Some(&head))?;
    let after = scan::scan(&after_tree.repo, &after_tree.host, progress);

    let compared = compare(&before, &after, &changed);
    let mut unmeasured = gaps(&after.report, &changed);
    let results = match request.attack {
        GateAttack::New if !compared.new.is_empty() => {
            attack(engine, &before_tree, &after_tree, &compared, progress)
        }
        _ => BTreeMap::new(),
    };
    let mut new = Vec::new();
    let (mut fails, mut open) = (false, false);
    for (finding, because) in &compared.new {
        let id = finding.fingerprint;
        let (outcome, reason) = results.get(&id).cloned().unwrap_or_default();
        let reachable = matches!(finding.verdict, Verdict::Reachable { .. });
        // Not known is never inside.
        let inside = finding
            .entry
            .as_ref()
            .is_some_and(|entry| after.is_inside(entry));
        fails |= outcome == "proven"
            || reachable
                && match rules.governance.settings().fails_on {
                    FailsOn::Proven => false,
                    FailsOn::Exposed => !inside,
                    FailsOn::Reachable => true,
                };
        // Tried as planned without an effect is an answer; everything else that may be reached is none.
        if outcome != "proven" && outcome != "not_reproduced" {
            open = true;
            unmeasured.push(Unmeasured {
                what: format!("finding {} of this change", id.short()),
                why: if outcome.is_empty() {
                    match request.attack {
                        GateAttack::New => "it was not attacked".to_owned(),
                        GateAttack::Nothing => "attacks were switched off".to_owned(),
                    }
                } else {
                    reason.clone()
                },
            });
        }
        new.push(GateFinding {
            finding: after
                .view_of(finding)
                .cloned()
                .unwrap_or_else(|| FindingView::from(*finding)),
            outcome,
            reason,
            because: because.clone(),
        });
    }
    let answer = if fails {
        "fail"
    } else if open || !unmeasured.is_empty() {
        "unmeasured"
    } else {
        "pass"
    };
    let report = GateReport {
        schema: GATE_SCHEMA.to_owned(),
        subject: Subject {
            name: engine.repo.name(),
            ..after.report.subject.clone()
        },
        base,
        policy: rules.governance.digest().to_string(),
        fails_on: match rules.governance.settings().fails_on {
            FailsOn::Proven => "proven",
            FailsOn::Exposed => "exposed",
            FailsOn::Reachable => "reachable",
        }
        .to_owned(),
        answer: answer.to_owned(),
        changed_files: changed.len() as u64,
        new,
        known: compared.known,
        gone: compared.gone,
        inert: inert(&changed),
        unmeasured,
        seconds: began.elapsed().as_secs_f64(),
    };
    let status = if report.answer == "unmeasured" {
        Status::Partial
    } else {
        Status::Done
    };
    let outputs = vec![engine.seal(names::GATE_REPORT, &report)?];
    Ok(Acted {
        answer: Answer::Gated {
            report: Box::new(report),
            scan: Box::new(after.report),
        },
        status,
        outputs,
        links: Vec::new(),
    })
}

/// Paths that differ, from the analysed root, both names of a renamed file.
pub(crate) fn changed(
    repo: &Repo,
    base: &str,
    head: &str,
) -> Result<BTreeSet<String>, EngineError> {
    let args = [
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        "--relative",
        base,
        head,
    ];
    git_out(&repo.root, args)
        .map(|out| {
            out.split('\0')
                .filter(|p| !p.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .map_err(|e| {
            EngineError::unfinished(
                format!("cannot compare the revisions: {e}"),
                "see git's words above",
            )
        })
}

struct Compared<'a> {
    /// With the reason why the change is taken to have brought it.
    new: Vec<(&'a Finding, String)>,
    known: u64,
    gone: u64,
}

fn open(finding: &Finding) -> bool {
    !matches!(finding.verdict, Verdict::NoPath { .. })
}

/// What makes a finding the same flaw after its file moved.
fn moved_key(finding: &Finding) -> (String, String, String) {
    (
        finding.weakness.0.clone(),
        finding
            .entry
            .as_ref()
            .map(solvent_finding::EntryPoint::label)
            .unwrap_or_default(),
        finding.sink.text.clone(),
    )
}

fn compare<'a>(before: &Scan, after: &'a Scan, changed: &BTreeSet<String>) -> Compared<'a> {
    let old: BTreeMap<Fingerprint, &Finding> =
        before.findings.iter().map(|f| (f.fingerprint, f)).collect();
    let now: BTreeSet<Fingerprint> = after
        .findings
        .iter()
        .filter(|f| open(f))
        .map(|f| f.fingerprint)
        .collect();
    let mut gone: Vec<&Finding> = before
        .findings
        .iter()
        .filter(|f| open(f) && !now.contains(&f.fingerprint))
        .collect();
    let mut compared = Compared {
        new: Vec::new(),
        known: 0,
        gone: 0,
    };
    for finding in after.findings.iter().filter(|f| open(f)) {
        match old.get(&finding.fingerprint) {
            Some(earlier) if open(earlier) => compared.known += 1,
            Some(_) => compared
                .new
                .push((finding, "nothing could reach it before".to_owned())),
            None => {
                let key = moved_key(finding);
                if let Some(at) = gone.iter().position(|f| moved_key(f) == key) {
                    gone.remove(at);
                    compared.known += 1;
                } else {
                    compared.new.push((finding, because(finding, changed)));
                }
            }
        }
    }
    compared.gone = gone.len() as u64;
    compared
}

fn because(finding: &Finding, changed: &BTreeSet<String>) -> String {
    let sink = finding.sink.location.path.as_str();
    if changed.contains(sink) {
        return format!("new, the change touches {sink}");
    }
    let on_the_way = finding
        .flows
        .iter()
        .flat_map(|flow| &flow.steps)
        .chain(&finding.way)
        .map(|step| step.location.path.as_str())
        .find(|path| changed.contains(*path));
    match on_the_way {
        Some(path) => format!("new, the change touches {path} on the way"),
        None => "new, through something that the change touches elsewhere".to_owned(),
    }
}

/// Attacks what is new on the changed tree, run as the base's recipe says.
fn attack(
    engine: &Engine,
    before: &Tree,
    after: &Tree,
    compared: &Compared<'_>,
    progress: &dyn Progress,
) -> BTreeMap<Fingerprint, (String, String)> {
    let findings: Vec<Finding> = compared.new.iter().map(|(f, _)| (*f).clone()).collect();
    let all = |reason: String| {
        findings
            .iter()
            .map(|f| (f.fingerprint, ("inconclusive".to_owned(), reason.clone())))
            .collect()
    };
    // A base that says nothing about how it is started has nothing to be rewritten.
    let written = before.repo.root.join(proving::recipe::FILE_NAME).exists();
    let judge = if written { &before.repo } else { &after.repo };
    let recipe = match recipe(judge) {
        Ok(recipe) => recipe,
        Err(error) => return all(error.message),
    };
    let sandbox = NativeSandbox::new(engine.options.launcher.clone());
    let mut listen = |event| show(progress, event);
    let prepared = match proving::prepare(
        &recipe,
        &after.repo.root,
        &engine.options.cache,
        &sandbox,
        &mut listen,
    ) {
        Ok(prepared) => prepared,
        Err(error) => return all(format!("the application could not be prepared: {error}")),
    };
    let options = proving::Options {
        time: Duration::from_secs(900),
        ..proving::Options::ordinary(seed(engine))
    };
    let campaign = proving::prove(
        &proving::Attack::Findings(&findings),
        &prepared,
        &sandbox,
        &options,
        &mut listen,
    );
    campaign.cases.iter().filter_map(answered).collect()
}

fn answered(case: &CaseResult) -> Option<(Fingerprint, (String, String))> {
    let reason = match &case.outcome {
        solvent_finding::Outcome::Inconclusive { reason } if case.reason.is_empty() => {
            reason_text(reason)
        }
        _ => case.reason.clone(),
    };
    Some((case.fingerprint?, (case.outcome.word().to_owned(), reason)))
}

/// What the scan does not know about the files that the change touches.
pub(crate) fn gaps(after: &ScanReport, changed: &BTreeSet<String>) -> Vec<Unmeasured> {
    let modelled = changed.iter().any(|path| {
        solvent_base::FilePath::new(path)
            .is_some_and(|path| solvent_lang::language_of(&path).is_some())
    });
    let mut out: Vec<Unmeasured> = after
        .unmeasured
        .iter()
        .filter(|gap| match gap.what.strip_prefix("file ") {
            Some(path) => changed.contains(path),
            // Without entry points nothing is reachable, whatever a change brings.
            None => modelled && WHOLE.contains(&gap.what.as_str()),
        })
        .cloned()
        .collect();
    let mut languages: BTreeMap<&str, u64> = BTreeMap::new();
    for path in changed {
        if let Some(language) = scan::not_modelled(path) {
            *languages.entry(language).or_default() += 1;
        }
    }
    out.extend(languages.into_iter().map(|(language, count)| Unmeasured {
        what: format!(
            "{count} changed {language} file{}",
            if count == 1 { "" } else { "s" }
        ),
        why: format!("{language} is not modelled yet"),
    }));
    out
}

/// Settings that the change edits, which do not count until it is merged.
fn inert(changed: &BTreeSet<String>) -> Vec<String> {
    changed
        .iter()
        .filter(|path| {
            JUDGES
                .iter()
                .any(|judge| path.as_str() == *judge || path.starts_with(&format!("{judge}/")))
        })
        .map(|path| {
            format!(
                "`{path}` is read from the base; what this change does to it counts once merged"
            )
        })
        .collect()
}
