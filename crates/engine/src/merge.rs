//! A merge in two recorded steps: the branch moves to the approved tree; the attack is tried on the result.
//!
//! *Promise: run again, same end.* The merge commit follows from base, head and change alone, so a run after a
//! crash finds out what was done, finishes it, and does nothing twice.

use solvent_govern::change as changes;
use solvent_protocol::change::{EventKind, Verification};
use solvent_protocol::record::Status;
use solvent_protocol::remediation::{ChangeRequest, MERGE_SCHEMA, MergeReport, MergedReplay};
use solvent_store::{Store as _, names};

use crate::branch::{Words, short};
use crate::command::{Actor, Answer, Command};
use crate::door::{Acted, Engine, about, store_failed};
use crate::error::EngineError;
use crate::governance::{Rules, notes};
use crate::progress::Progress;
use crate::repo::Repo;
use crate::reproof;

impl Engine {
    /// Merges an approved change and tries the attack on the merged revision: both steps through the door.
    pub fn merge(
        &mut self,
        actor: &Actor,
        change: &str,
        progress: &dyn Progress,
    ) -> Result<MergeReport, EngineError> {
        let rules = Rules::read(self, actor)?;
        let state = self.change_state(change, &rules)?;
        // Closed by its evidence: there is nothing left to do, and `replay` is the way to attack it again.
        if state.status == changes::Status::Closed.word()
            && let Some(report) = state.merge
        {
            return Ok(report);
        }
        let command = Command::Merge {
            change: change.to_owned(),
        };
        loop {
            match self.submit(actor, &command, progress)? {
                Answer::Merged(report) if report.outcome == "merged" => {}
                Answer::Merged(report) => return Ok(*report),
                _ => {
                    return Err(EngineError::unfinished(
                        "a merge was answered with something else",
                        "this is a defect of this build",
                    ));
                }
            }
        }
    }
}

/// The merge commit that a change becomes, whether it exists yet or not.
fn planned(engine: &Engine, request: &ChangeRequest) -> Result<String, EngineError> {
    let first = request.findings.first();
    let message = format!(
        "Merge the fix of {} at {}\n\nSolvent-Change: {}\n",
        first.map_or("a flaw", |f| f.weakness.as_str()),
        first.map_or("", |f| f.sink.as_str()),
        request.id
    );
    let words = Words {
        name: "solvent",
        message: &message,
    };
    engine
        .repo
        .merge_commit(&request.base, &request.head, &words)
}

/// Whether an earlier run moved the branch, and had no time to record it.
pub(crate) fn moved_before(
    engine: &Engine,
    request: &ChangeRequest,
    rules: &Rules,
) -> Result<bool, EngineError> {
    let base = rules.base(&engine.repo)?;
    // Objects of a change that was never kept cannot have been merged.
    if engine.repo.resolve(&request.head).is_none() {
        return Ok(false);
    }
    let merged = planned(engine, request)?;
    Ok(engine.repo.is_ancestor(&merged, &base.commit))
}

/// Moves the branch. Policy allowed it a moment ago.
pub(crate) fn advance(
    engine: &mut Engine,
    request: &ChangeRequest,
    rules: &Rules,
) -> Result<Acted, EngineError> {
    let base = rules.base(&engine.repo)?;
    let merged = planned(engine, request)?;
    if engine.repo.is_ancestor(&merged, &base.commit) {
        // Cut off between the branch and the checkout.
        if base.commit == merged
            && engine.repo.checked_out(&base.branch)
            && engine.repo.left_behind(&request.base)
        {
            engine.repo.follow(&request.base, &merged)?;
        }
    } else {
        engine
            .repo
            .advance(&base.branch, &request.base, &merged, &request.id)?;
    }
    // The checkout may have followed: what is scanned next is at the merge.
    engine.repo = Repo::open(&engine.options.path, engine.options.git)?;
    let tree = engine.repo.tree_of(&merged)?;
    if tree != request.tree {
        return Err(EngineError::unfinished(
            format!(
                "the merged tree {} is not the approved tree {}",
                short(&tree),
                short(&request.tree)
            ),
            format!("take the merge back: `git revert -m 1 {}`", short(&merged)),
        ));
    }
    let state = engine.standing(&request.id, rules)?;
    let report = MergeReport {
        schema: MERGE_SCHEMA.to_owned(),
        change: request.id.clone(),
        subject: request.subject.clone(),
        branch: base.branch,
        base: request.base.clone(),
        head: request.head.clone(),
        tree: tree.clone(),
        merged: merged.clone(),
        approvals: notes(&state),
        replays: Vec::new(),
        outcome: "merged".to_owned(),
        reason: "the attack was not tried on it yet".to_owned(),
    };
    let event = EventKind::Merged {
        commit: merged,
        tree,
    };
    let outputs = vec![
        engine.seal(names::MERGE_REPORT, &report)?,
        engine.seal_event(&event)?,
    ];
    Ok(Acted {
        answer: Answer::Merged(Box::new(report)),
        status: Status::Done,
        outputs,
        links: about(&request.id),
    })
}

/// Tries every attack of the change on the merged revision. Closes its findings, or says why not.
pub(crate) fn verify(
    engine: &mut Engine,
    request: &ChangeRequest,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let newest = engine
        .store
        .documents(names::MERGE_REPORT, Some(&request.id))
        .map_err(|e| store_failed(&e))?
        .pop();
    let mut report: MergeReport = match newest {
        Some(document) => reproof::parse(&document.body)?,
        None => {
            return Err(EngineError::unfinished(
                format!("the merge of change {} is not in the record", request.id),
                "run `solvent ledger rebuild`, then merge again",
            ));
        }
    };
    let mut capsules = Vec::new();
    for finding in &request.findings {
        if let Some(capsule) = engine.newest_capsule(&finding.fingerprint)? {
            capsules.push((finding.fingerprint.clone(), capsule));
        }
    }
    progress.stage(&format!("trying the attack on {}", short(&report.merged)));
    report.replays = reproof::on_commit(engine, &report.merged, &capsules, progress);
    let (outcome, word, reason) = judge(&report.replays);
    word.clone_into(&mut report.outcome);
    report.reason = reason;
    let outputs = vec![
        engine.seal(names::MERGE_REPORT, &report)?,
        engine.seal_event(&EventKind::VerifiedMerged { outcome })?,
    ];
    Ok(Acted {
        answer: Answer::Merged(Box::new(report)),
        status: if outcome == Verification::Unmeasured {
            Status::Partial
        } else {
            Status::Done
        },
        outputs,
        links: about(&request.id),
    })
}

/// One working attack reopens; one that could not be tried leaves the question open.
fn judge(replays: &[MergedReplay]) -> (Verification, &'static str, String) {
    let first = |outcome: &str| replays.iter().find(|r| r.outcome == outcome);
    if let Some(replay) = first("proven") {
        return (
            Verification::Failed,
            "reopened",
            format!(
                "the attack still works on the merged revision, in {} of {} fresh instances",
                replay.replays_shown, replay.replays_run
            ),
        );
    }
    if let Some(replay) = first("inconclusive") {
        return (
            Verification::Unmeasured,
            "inconclusive",
            replay.reason.clone(),
        );
    }
    if replays.is_empty() {
        return (
            Verification::Unmeasured,
            "inconclusive",
            "there is no capsule to try".to_owned(),
        );
    }
    (Verification::Passed, "closed", String::new())
}
