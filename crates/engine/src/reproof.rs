//! Capsules replayed on a revision: after a merge, and as the standing re-proof of everything known.

use std::time::Instant;

use solvent_protocol::capsule::Capsule;
use solvent_protocol::record::Status;
use solvent_protocol::remediation::{
    Lifecycle, MergedReplay, REPLAY_ALL_SCHEMA, ReplayAllReport, ReplayAllResult,
};
use solvent_protocol::view::{Subject, TargetView, Unmeasured};
use solvent_prove::{self as proving, Prepared, ReplayResult};
use solvent_sandbox::NativeSandbox;
use solvent_store::{Filter, Presence, Store as _, names};

use crate::branch::short;
use crate::command::Answer;
use crate::door::{Acted, Engine, store_failed};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::prove::{recipe, seed, show, target_view};
use crate::remedy::Tree;
use crate::repo::git_out;

/// Commits between the last good revision and this one that are looked through by halving: seven replays.
const MAX_BISECTED: usize = 128;

/// A revision made ready once, for any number of capsules.
pub(crate) struct Ready {
    _tree: Tree,
    prepared: Prepared,
    sandbox: NativeSandbox,
    pub target: TargetView,
    pub digest: String,
}

impl Ready {
    /// Writes the tree of a commit and prepares the application in it, by the recipe of that tree.
    pub fn at(engine: &Engine, commit: &str, progress: &dyn Progress) -> Result<Self, String> {
        let tree = Tree::write(&engine.repo, commit, Some(commit)).map_err(|e| e.message)?;
        let recipe = recipe(&tree.repo).map_err(|e| e.message)?;
        let sandbox = NativeSandbox::new(engine.options.launcher.clone());
        let prepared = proving::prepare(
            &recipe,
            &tree.repo.root,
            &engine.options.cache,
            &sandbox,
            &mut |event| show(progress, event),
        )
        .map_err(|e| e.to_string())?;
        Ok(Self {
            target: target_view(&prepared, std::time::Duration::ZERO),
            digest: prepared.target_digest.to_string(),
            prepared,
            sandbox,
            _tree: tree,
        })
    }

    pub fn replay(
        &self,
        engine: &Engine,
        capsule: &Capsule,
        progress: &dyn Progress,
    ) -> ReplayResult {
        proving::replay(
            capsule,
            &self.prepared,
            &self.sandbox,
            &proving::Options::ordinary(seed(engine)),
            &mut |event| show(progress, event),
        )
    }
}

/// Each capsule on one commit. What could not be tried is `inconclusive`, with the reason.
pub(crate) fn on_commit(
    engine: &Engine,
    commit: &str,
    capsules: &[(String, Capsule)],
    progress: &dyn Progress,
) -> Vec<MergedReplay> {
    let ready = Ready::at(engine, commit, progress);
    capsules
        .iter()
        .map(|(fingerprint, capsule)| match &ready {
            Err(reason) => MergedReplay {
                fingerprint: fingerprint.clone(),
                outcome: "inconclusive".to_owned(),
                reason: reason.clone(),
                replays_shown: 0,
                replays_run: 0,
            },
            Ok(ready) => {
                let result = ready.replay(engine, capsule, progress);
                MergedReplay {
                    fingerprint: fingerprint.clone(),
                    outcome: result.outcome.word().to_owned(),
                    reason: result.reason,
                    replays_shown: result.replays_shown,
                    replays_run: result.replays_run,
                }
            }
        })
        .collect()
}

/// Replays every capsule that is known on one revision, or on the newest commit.
pub(crate) fn all(
    engine: &mut Engine,
    revision: Option<&str>,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let began = Instant::now();
    let wanted = revision.unwrap_or("HEAD");
    let commit = engine.repo.resolve(wanted).ok_or_else(|| {
        EngineError::usage(
            format!("no commit `{wanted}` in this repository"),
            "see `git log --oneline`",
        )
    })?;
    let filter = Filter {
        subject: Some(engine.repo.name()),
        presence: Presence::Ever,
        ..Filter::present()
    };
    let known = engine
        .store
        .findings(&filter)
        .map_err(|e| store_failed(&e))?;
    let mut report = ReplayAllReport {
        schema: REPLAY_ALL_SCHEMA.to_owned(),
        subject: Subject {
            name: engine.repo.name(),
            revision: Some(commit.clone()),
            dirty: false,
            tree: String::new(),
        },
        target: TargetView::default(),
        results: Vec::new(),
        seconds: 0.0,
        unmeasured: Vec::new(),
    };
    // The newest capsule of a flaw stays its capsule when a later attack was inconclusive.
    let mut cases = Vec::new();
    for state in &known.findings {
        let capsule = engine.newest_capsule(&state.finding.fingerprint)?;
        if let Some(capsule) = capsule {
            cases.push((state, capsule));
        }
    }
    let ready = if cases.is_empty() {
        None
    } else {
        match Ready::at(engine, &commit, progress) {
            Ok(ready) => Some(ready),
            Err(reason) => {
                report.unmeasured.push(Unmeasured {
                    what: format!("{} attacks on {}", cases.len(), short(&commit)),
                    why: reason,
                });
                None
            }
        }
    };
    if let Some(ready) = &ready {
        report.target = ready.target.clone();
        ready.digest.clone_into(&mut report.subject.tree);
    }
    let total = cases.len() as u64;
    for (n, (state, capsule)) in cases.iter().enumerate() {
        progress.step(n as u64, total, &state.finding.title);
        let mut result = ReplayAllResult {
            id: state.finding.id.clone(),
            fingerprint: state.finding.fingerprint.clone(),
            weakness: state.finding.weakness.clone(),
            was: word(&state.lifecycle),
            outcome: "inconclusive".to_owned(),
            reason: "the application could not be prepared".to_owned(),
            regress: false,
            suspects: Vec::new(),
            replays_shown: 0,
            replays_run: 0,
        };
        if let Some(ready) = &ready {
            let shown = ready.replay(engine, capsule, progress);
            result.outcome = shown.outcome.word().to_owned();
            result.reason = shown.reason;
            result.replays_shown = shown.replays_shown;
            result.replays_run = shown.replays_run;
        }
        if result.outcome == "proven" && result.was == "closed" {
            result.regress = true;
            result.suspects = suspects(
                engine,
                &state.finding.fingerprint,
                capsule,
                &commit,
                progress,
            )?;
        }
        if result.outcome == "inconclusive" && ready.is_some() {
            report.unmeasured.push(Unmeasured {
                what: format!("the attack of {} on {}", result.id, short(&commit)),
                why: result.reason.clone(),
            });
        }
        report.results.push(result);
    }
    report.seconds = began.elapsed().as_secs_f64();
    let status = if report.unmeasured.is_empty() {
        Status::Done
    } else {
        Status::Partial
    };
    let outputs = vec![engine.seal(names::REPLAY_ALL_REPORT, &report)?];
    Ok(Acted {
        answer: Answer::ReplayedAll(Box::new(report)),
        status,
        outputs,
        links: Vec::new(),
    })
}

/// The word of a lifecycle; open unless something was decided.
pub(crate) fn word(lifecycle: &Lifecycle) -> String {
    match lifecycle.state.as_str() {
        "" => "open".to_owned(),
        state => state.to_owned(),
    }
}

/// The commit that brought an attack back: found by halving the first-parent commits since the last revision
/// on which it failed. Where a replay says nothing, what is left of them.
fn suspects(
    engine: &mut Engine,
    fingerprint: &str,
    capsule: &Capsule,
    bad: &str,
    progress: &dyn Progress,
) -> Result<Vec<String>, EngineError> {
    let Some(good) = last_good(engine, fingerprint)? else {
        return Ok(Vec::new());
    };
    let range = format!("{good}..{bad}");
    let args = [
        "rev-list",
        "--first-parent",
        "--reverse",
        "--end-of-options",
        &range,
    ];
    let mut commits: Vec<String> = git_out(&engine.repo.root, args)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    if commits.len() <= MAX_BISECTED {
        // The last of them is known to be bad.
        while commits.len() > 1 {
            let middle = commits.len() / 2 - 1;
            progress.stage(&format!(
                "looking for the change: {} commits left",
                commits.len()
            ));
            let outcome = Ready::at(engine, &commits[middle], progress).map(|ready| {
                ready
                    .replay(engine, capsule, progress)
                    .outcome
                    .word()
                    .to_owned()
            });
            match outcome.as_deref() {
                Ok("proven") => commits.truncate(middle + 1),
                Ok("not_reproduced") => drop(commits.drain(..=middle)),
                _ => break,
            }
        }
    }
    Ok(commits
        .iter()
        .rev()
        .take(20)
        .map(|commit| {
            let args = [
                "show",
                "--no-patch",
                "--no-show-signature",
                "--format=%s",
                commit,
            ];
            let subject = git_out(&engine.repo.root, args).unwrap_or_default();
            format!("{} {}", short(commit), subject.trim())
        })
        .collect())
}

/// The newest revision on which the attack of a finding was seen to fail.
fn last_good(engine: &mut Engine, fingerprint: &str) -> Result<Option<String>, EngineError> {
    let mut newest: Option<(u64, String)> = None;
    let mut note = |index: u64, revision: &str| {
        if newest.as_ref().is_none_or(|(at, _)| index > *at) {
            newest = Some((index, revision.to_owned()));
        }
    };
    let kinds = [names::MERGE_REPORT, names::REPLAY_ALL_REPORT];
    for kind in kinds {
        let documents = engine
            .store
            .documents(kind, None)
            .map_err(|e| store_failed(&e))?;
        for document in documents {
            if kind == names::MERGE_REPORT {
                let report: solvent_protocol::remediation::MergeReport = parse(&document.body)?;
                let failed = report
                    .replays
                    .iter()
                    .any(|r| r.fingerprint == fingerprint && r.outcome == "not_reproduced");
                if failed {
                    note(document.index, &report.merged);
                }
            } else {
                let report: ReplayAllReport = parse(&document.body)?;
                let failed = report
                    .results
                    .iter()
                    .any(|r| r.fingerprint == fingerprint && r.outcome == "not_reproduced");
                if let (true, Some(revision)) = (failed, &report.subject.revision) {
                    note(document.index, revision);
                }
            }
        }
    }
    Ok(newest.map(|(_, revision)| revision))
}

/// A document of ours, read back.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, EngineError> {
    serde_json::from_str(body).map_err(|e| {
        EngineError::unfinished(
            format!("a recorded document does not read: {e}"),
            "run `solvent ledger verify`, then `solvent ledger rebuild`",
        )
    })
}
