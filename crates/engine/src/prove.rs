//! From a scan to a campaign in the sandbox, and back to a report.

use std::time::{Duration, Instant};

use solvent_base::System as _;
use solvent_finding::{Finding, Flow, InconclusiveReason, Outcome, Tier, Verdict, WeaknessId};
use solvent_protocol::capsule::{self, Capsule};
use solvent_protocol::evidence::{EXCERPT_SCHEMA, FindingExcerpt};
use solvent_protocol::record::{Item, MAX_ITEMS, Status};
use solvent_protocol::view::from_finding::input_text;
use solvent_protocol::view::{
    PROVE_SCHEMA, ProofView, ProveReport, REPLAY_SCHEMA, ReplayReport, Subject, TargetView,
    Unmeasured,
};
use solvent_prove::{self as proving, CaseResult, Prepared, Recipe};
use solvent_sandbox::NativeSandbox;
use solvent_store::names;

use crate::command::{Answer, Attack, ProveRequest};
use crate::door::{Acted, Engine};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::scan::{self, Scan};

/// Items of a result record that may be capsules; the rest is for reports. Commitments of further
/// capsules are in the sealed report.
const CAPSULE_ITEMS: usize = MAX_ITEMS - 6;

/// Scans, attacks what the request names, verifies, and seals what was proven.
pub(crate) fn prove(
    engine: &Engine,
    request: &ProveRequest,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let recipe = recipe(&engine.repo)?;
    let scan = scan::scan(&engine.repo, &engine.host, progress);
    let mut outputs = vec![engine.seal(names::SCAN_REPORT, &scan.report)?];
    let started = Instant::now();
    let started_ms = engine.host.now().0;
    let chosen = choose(&scan, &request.attack)?;

    let campaign = if chosen.is_empty() {
        Ok(None)
    } else {
        run(engine, &recipe, &chosen, request, progress).map(Some)
    };
    let (mut report, results) = match campaign {
        Ok(None) => (
            ProveReport {
                target: recipe_view(&recipe),
                ..empty_report(&scan, started_ms)
            },
            Vec::new(),
        ),
        Ok(Some((prepared, campaign))) => {
            let report = ProveReport {
                target: target_view(&prepared, campaign.start),
                luck_log2: campaign.luck_log2,
                ..empty_report(&scan, started_ms)
            };
            (report, campaign.cases)
        }
        Err(reason) => {
            let report = ProveReport {
                target: recipe_view(&recipe),
                ..empty_report(&scan, started_ms)
            };
            let results = chosen
                .cases()
                .map(|finding| not_tried(finding, &reason))
                .collect();
            (report, results)
        }
    };
    for result in &results {
        let capsule = match &result.capsule {
            Some(capsule) => Some(seal_capsule(engine, result, capsule, &mut outputs)?),
            None => None,
        };
        let view = proof_view(result, capsule);
        if view.outcome == "proven" {
            seal_excerpt(engine, &scan, &report, &view, &mut outputs)?;
        }
        report.proofs.push(view);
    }
    report.duration_ms = started.elapsed().as_millis() as u64;
    report.unmeasured = unmeasured(&scan, &report);
    outputs.push(engine.seal(names::PROVE_REPORT, &report)?);
    let status = if report.unmeasured.is_empty() {
        Status::Done
    } else {
        Status::Partial
    };
    Ok(Acted {
        answer: Answer::Proved(Box::new(report)),
        status,
        outputs,
        links: Vec::new(),
    })
}

/// Runs a capsule on this tree, or on another revision of it.
pub(crate) fn replay(
    engine: &Engine,
    capsule: &Capsule,
    revision: Option<&str>,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let scratch = tempfile::Builder::new()
        .prefix("solvent-replay-")
        .tempdir()
        .map_err(|e| {
            EngineError::unfinished(
                format!("cannot make a temporary folder: {e}"),
                "is the disk full?",
            )
        })?;
    let mut repo = engine.repo.clone();
    if let Some(revision) = revision {
        progress.stage(&format!("writing the tree of {revision}"));
        let folder = scratch.path().join("tree");
        let (commit, root) = engine.repo.export_revision(revision, &folder)?;
        repo = Repo {
            root,
            revision: Some(commit),
            dirty: false,
            is_git: false,
        };
    }
    let recipe = recipe(&repo)?;
    let subject = Subject {
        name: engine.repo.name(),
        revision: repo.revision.clone(),
        dirty: repo.dirty,
        tree: String::new(),
    };
    let sandbox = NativeSandbox::new(engine.options.launcher.clone());
    let mut report = ReplayReport {
        schema: REPLAY_SCHEMA.to_owned(),
        subject,
        target: recipe_view(&recipe),
        fingerprint: capsule.fingerprint.clone(),
        weakness: capsule.weakness.clone(),
        outcome: String::new(),
        reason: String::new(),
        oracle: String::new(),
        replays_shown: 0,
        replays_run: 0,
        requests: 0,
        seconds: 0.0,
    };
    let mut listen = |event| show(progress, event);
    let prepared = proving::prepare(
        &recipe,
        &repo.root,
        &engine.options.cache,
        &sandbox,
        &mut listen,
    );
    match prepared {
        Ok(prepared) => {
            let result = proving::replay(
                capsule,
                &prepared,
                &sandbox,
                &proving::Options::ordinary(seed(engine)),
                &mut listen,
            );
            report.target = target_view(&prepared, result.start);
            report.subject.tree = prepared.target_digest.to_string();
            result.outcome.word().clone_into(&mut report.outcome);
            report.reason = result.reason;
            report.oracle = result.oracle;
            report.replays_shown = result.replays_shown;
            report.replays_run = result.replays_run;
            report.requests = result.requests;
            report.seconds = result.elapsed.as_secs_f64();
        }
        Err(error) => {
            "inconclusive".clone_into(&mut report.outcome);
            report.reason = error.to_string();
        }
    }
    let status = if report.outcome == "inconclusive" {
        Status::Partial
    } else {
        Status::Done
    };
    let outputs = vec![engine.seal(names::REPLAY_REPORT, &report)?];
    Ok(Acted {
        answer: Answer::Replayed(Box::new(report)),
        status,
        outputs,
        links: Vec::new(),
    })
}

pub(crate) fn recipe(repo: &Repo) -> Result<Recipe, EngineError> {
    proving::infer(&repo.root, &[]).map_err(|e| {
        EngineError::usage(
            e.to_string(),
            "say how it is started in `solvent.toml`: `[target.start]` and `app = \"MODULE:APP\"`, or `command = [..]` with `port`; see docs/target.md",
        )
    })
}

impl Engine {
    /// Writes a first `solvent.toml` when there is none and a way to start the application was found.
    pub fn first_recipe(&self) -> Result<FirstRecipe, EngineError> {
        let path = self.repo.root.join(proving::recipe::FILE_NAME);
        if path.exists() {
            return Ok(FirstRecipe::Before);
        }
        let recipe = match proving::infer(&self.repo.root, &[]) {
            Ok(recipe) => recipe,
            Err(error) => return Ok(FirstRecipe::NotFound(error.to_string())),
        };
        std::fs::write(&path, recipe.file_text()).map_err(|e| {
            EngineError::unfinished(
                format!("cannot write `solvent.toml`: {e}"),
                "is the repository writable?",
            )
        })?;
        Ok(FirstRecipe::Written(recipe.start.to_string()))
    }
}

/// What came of [`Engine::first_recipe`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FirstRecipe {
    /// How it starts the application.
    Written(String),
    /// There is one.
    Before,
    /// Why no way to start the application was found.
    NotFound(String),
}

/// What a campaign is about.
enum Chosen {
    Findings(Vec<Finding>),
    Everything {
        entries: Vec<solvent_finding::EntryPoint>,
        weaknesses: Vec<WeaknessId>,
    },
}

impl Chosen {
    fn is_empty(&self) -> bool {
        match self {
            Self::Findings(findings) => findings.is_empty(),
            Self::Everything { entries, .. } => entries.is_empty(),
        }
    }

    fn cases(&self) -> impl Iterator<Item = &Finding> {
        match self {
            Self::Findings(findings) => findings.iter(),
            Self::Everything { .. } => [].iter(),
        }
    }
}

fn choose(scan: &Scan, attack: &Attack) -> Result<Chosen, EngineError> {
    match attack {
        Attack::Findings(wanted) => {
            for id in wanted {
                let known = scan.findings.iter().filter(|f| matches_id(f, id)).count();
                if known != 1 {
                    let message = if known == 0 {
                        format!("no finding `{id}` in this tree")
                    } else {
                        format!("`{id}` begins the id of {known} findings")
                    };
                    return Err(EngineError::usage(message, "see `solvent findings --all`"));
                }
            }
            // What no entry point leads to cannot be attacked; its verdict says why it is open.
            // A use takes no input, nor does a number that the program makes: there is nothing to attack it with.
            let has_input = |f: &Finding| {
                let made = |flow: &Flow| flow.input.carrier.is_no_request();
                f.way.is_empty() && (f.flows.is_empty() || !f.flows.iter().all(made))
            };
            let open = |f: &&Finding| {
                f.entry.is_some()
                    && has_input(f)
                    && !matches!(f.verdict, Verdict::NoPath { .. })
                    && (wanted.is_empty() || wanted.iter().any(|id| matches_id(f, id)))
            };
            Ok(Chosen::Findings(
                scan.findings.iter().filter(open).cloned().collect(),
            ))
        }
        Attack::Everything { routes } => {
            for wanted in routes {
                if !scan
                    .entry_points
                    .iter()
                    .any(|e| e.route.contains(wanted.as_str()))
                {
                    return Err(EngineError::usage(
                        format!("no route contains `{wanted}`"),
                        "see the entry points in `solvent scan --json`",
                    ));
                }
            }
            let entries = scan
                .entry_points
                .iter()
                .filter(|e| {
                    routes.is_empty() || routes.iter().any(|r| e.route.contains(r.as_str()))
                })
                .cloned()
                .collect();
            let weaknesses = solvent_models::ModelSet::builtin()
                .weaknesses()
                .iter()
                .filter(|w| !w.oracles.is_empty())
                .map(|w| WeaknessId(w.id.clone()))
                .collect();
            Ok(Chosen::Everything {
                entries,
                weaknesses,
            })
        }
    }
}

fn matches_id(finding: &Finding, id: &str) -> bool {
    id.len() >= 4 && finding.fingerprint.0.hex().starts_with(id)
}

fn run(
    engine: &Engine,
    recipe: &Recipe,
    chosen: &Chosen,
    request: &ProveRequest,
    progress: &dyn Progress,
) -> Result<(Prepared, proving::Campaign), InconclusiveReason> {
    let attack = match chosen {
        Chosen::Findings(findings) => proving::Attack::Findings(findings),
        Chosen::Everything {
            entries,
            weaknesses,
        } => proving::Attack::IgnoreVerdicts {
            entries,
            weaknesses,
        },
    };
    let sandbox = NativeSandbox::new(engine.options.launcher.clone());
    let mut listen = |event| show(progress, event);
    let prepared = proving::prepare(
        recipe,
        &engine.repo.root,
        &engine.options.cache,
        &sandbox,
        &mut listen,
    )
    .map_err(|e| match e {
        proving::PrepareError::Sandbox(e) => {
            InconclusiveReason::NoSandbox(format!("{e}; {}", e.next_step()))
        }
        other => InconclusiveReason::PrepareFailed(other.to_string()),
    })?;
    let options = proving::Options {
        requests_per_case: request.max_requests,
        time: Duration::from_secs(request.max_seconds),
        ..proving::Options::ordinary(seed(engine))
    };
    let campaign = proving::prove(&attack, &prepared, &sandbox, &options, &mut listen);
    Ok((prepared, campaign))
}

pub(crate) fn seed(engine: &Engine) -> u64 {
    let mut bytes = [0; 8];
    engine.host.random(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub(crate) fn show(progress: &dyn Progress, event: proving::Progress) {
    match event {
        proving::Progress::Stage(text) => progress.stage(&text),
        proving::Progress::Step { done, total, item } => progress.step(done, total, &item),
        proving::Progress::Say(line) => progress.say(&line),
    }
}

fn empty_report(scan: &Scan, started_ms: i64) -> ProveReport {
    ProveReport {
        schema: PROVE_SCHEMA.to_owned(),
        tool: scan.report.tool.clone(),
        subject: scan.report.subject.clone(),
        started_ms,
        duration_ms: 0,
        target: TargetView::default(),
        proofs: Vec::new(),
        luck_log2: None,
        unmeasured: Vec::new(),
    }
}

fn recipe_view(recipe: &Recipe) -> TargetView {
    TargetView {
        recipe: recipe.start.to_string(),
        recipe_digest: recipe.digest().to_string(),
        origin: recipe.origin.word().to_owned(),
        limits: recipe.guesses.clone(),
        ..TargetView::default()
    }
}

pub(crate) fn target_view(prepared: &Prepared, start: Duration) -> TargetView {
    TargetView {
        recipe_digest: prepared.recipe_digest.to_string(),
        interpreter: format!("Python {}", prepared.interpreter.full),
        limits: prepared.limits.clone(),
        sandbox: "native".to_owned(),
        start_ms: start.as_millis() as u64,
        prepare_ms: prepared.elapsed.as_millis() as u64,
        ..recipe_view(&prepared.recipe)
    }
}

fn not_tried(finding: &Finding, reason: &InconclusiveReason) -> CaseResult {
    CaseResult {
        fingerprint: Some(finding.fingerprint),
        weakness: finding.weakness.clone(),
        entry: finding
            .entry
            .as_ref()
            .map(solvent_finding::EntryPoint::label)
            .unwrap_or_default(),
        input: None,
        outcome: Outcome::Inconclusive {
            reason: reason.clone(),
        },
        reason: reason_text(reason),
        proof: None,
        capsule: None,
        requests: 0,
        attacks: 0,
        elapsed: Duration::ZERO,
    }
}

/// An inconclusive reason in words.
pub(crate) fn reason_text(reason: &InconclusiveReason) -> String {
    match reason {
        InconclusiveReason::NoSandbox(why) => format!("no sandbox: {why}"),
        InconclusiveReason::PrepareFailed(why) => format!("could not prepare the target: {why}"),
        InconclusiveReason::StartFailed(why) => format!("the target did not start: {why}"),
        InconclusiveReason::LoginFailed(why) => format!("could not log in: {why}"),
        InconclusiveReason::NoRequest(why) => format!("no request could be built: {why}"),
        InconclusiveReason::TwinFailed(why) => format!("the benign twin did not behave: {why}"),
        InconclusiveReason::SensorNotNeutral(why) => {
            format!("the sensors change the target: {why}")
        }
        InconclusiveReason::NotVerified(why) => format!("seen once, not verified: {why}"),
        InconclusiveReason::Budget(why) => format!("the budget ran out: {why}"),
        InconclusiveReason::TargetDied(why) => format!("the target stopped answering: {why}"),
    }
}

fn seal_capsule(
    engine: &Engine,
    result: &CaseResult,
    capsule: &Capsule,
    outputs: &mut Vec<Item>,
) -> Result<String, EngineError> {
    let name = match result.fingerprint {
        Some(fingerprint) => format!("capsule-{}", fingerprint.short()),
        None => format!("capsule-{}", outputs.len()),
    };
    let item = engine.seal_bytes(&name, capsule::render(capsule).as_bytes())?;
    let commitment = item.commitment.to_string();
    if outputs.len() < CAPSULE_ITEMS {
        outputs.push(item);
    }
    Ok(commitment)
}

/// Seals what concerns one proven finding apart, so that it can be shown without the rest.
fn seal_excerpt(
    engine: &Engine,
    scan: &Scan,
    report: &ProveReport,
    proof: &ProofView,
    outputs: &mut Vec<Item>,
) -> Result<(), EngineError> {
    let finding = scan
        .report
        .findings
        .iter()
        .find(|f| f.fingerprint == proof.fingerprint);
    let Some(finding) = finding.filter(|_| outputs.len() < CAPSULE_ITEMS) else {
        return Ok(());
    };
    let excerpt = FindingExcerpt {
        schema: EXCERPT_SCHEMA.to_owned(),
        tool: report.tool.clone(),
        subject: report.subject.clone(),
        target: report.target.clone(),
        finding: finding.clone(),
        proof: proof.clone(),
        luck_log2: report.luck_log2,
    };
    outputs.push(engine.seal(&format!("{}{}", names::EXCERPT, proof.id), &excerpt)?);
    Ok(())
}

fn proof_view(result: &CaseResult, capsule: Option<String>) -> ProofView {
    let tier = match &result.outcome {
        Outcome::Proven { tier } | Outcome::NotReproduced { tier } => *tier,
        Outcome::Inconclusive { .. } => Tier::P3,
    };
    let reason = match &result.outcome {
        Outcome::Proven { .. } => String::new(),
        Outcome::NotReproduced { .. } => result.reason.clone(),
        Outcome::Inconclusive { reason } if result.reason.is_empty() => reason_text(reason),
        Outcome::Inconclusive { .. } => result.reason.clone(),
    };
    let proof = result.proof.as_ref();
    ProofView {
        id: result.fingerprint.map(|f| f.short()).unwrap_or_default(),
        fingerprint: result.fingerprint.map(|f| f.0.hex()).unwrap_or_default(),
        weakness: result.weakness.0.clone(),
        entry: result.entry.clone(),
        outcome: result.outcome.word().to_owned(),
        reason,
        tier: format!("{tier:?}"),
        oracle: proof.map(|p| p.oracle.clone()).unwrap_or_default(),
        effect: proof.map(|p| p.effect.clone()).unwrap_or_default(),
        input: result.input.as_ref().map(input_text).unwrap_or_default(),
        replays_shown: proof.map_or(0, |p| p.replays_shown),
        replays_run: proof.map_or(0, |p| p.replays_run),
        requests: result.requests,
        attacks: result.attacks,
        seconds: result.elapsed.as_secs_f64(),
        evidence: proof.map(|p| p.evidence.clone()).unwrap_or_default(),
        capsule,
    }
}

/// Gaps of the scan, and every attack that could not be carried out as planned.
fn unmeasured(scan: &Scan, report: &ProveReport) -> Vec<Unmeasured> {
    let mut out = scan.report.unmeasured.clone();
    for proof in report.proofs.iter().filter(|p| p.outcome == "inconclusive") {
        out.push(Unmeasured {
            what: format!("proof of {} {} {}", proof.id, proof.weakness, proof.entry)
                .replace("  ", " "),
            why: proof.reason.clone(),
        });
    }
    out
}
