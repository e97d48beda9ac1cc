//! One flaw after another: an agent fixes, two people approve, one merges, the attack is tried again.

use std::fs;
use std::path::Path;

use solvent_engine::command::{Attack, EvidenceRequest, ProveRequest};
use solvent_engine::govern::Exemption;
use solvent_engine::govern::signature::SoftwareKey;
use solvent_engine::{Actor, Answer, Command, Engine, EngineError, Failure, Progress};
use solvent_protocol::adoption::Stage;
use solvent_protocol::approval::Presence;
use solvent_protocol::remediation::{ChangeRequest, MergeReport, ReplayAllReport};
use solvent_protocol::view::ProveReport;
use solvent_report::text;

use super::shop::{APPROVERS, broken, failed, key_file};
use crate::commands::{read_text, to_json, unexpected};
use crate::out::width;

/// The coding agent of the demo: a deterministic fixer under an agent's name and limits.
const AGENT: &str = "agent:fixer";

/// One flaw's way through the loop.
pub struct Closed {
    request: ChangeRequest,
    /// What the agent was told when it tried to approve its own change; once is enough to see it.
    refusal: Option<String>,
    merge: Option<MergeReport>,
}

impl Closed {
    pub fn is_closed(&self) -> bool {
        self.merge.as_ref().is_some_and(|m| m.outcome == "closed")
    }

    pub fn change(&self) -> &str {
        &self.request.id
    }

    fn json(&self) -> Result<serde_json::Value, EngineError> {
        Ok(serde_json::json!({
            "change": to_json(&self.request)?,
            "refusal": self.refusal,
            "merge": self.merge.as_ref().map(to_json).transpose()?,
        }))
    }

    fn text(&self) -> String {
        let request = &self.request;
        let mut out = match &self.merge {
            Some(merge) => text::merge(merge, width()).ansi(),
            None => text::change(request, width()).ansi(),
        };
        let refusal = self
            .refusal
            .as_ref()
            .map(|words| format!("{AGENT} tried to approve it: {words}"));
        out.push_str(&text::repaired(request, refusal.as_deref(), width()).ansi());
        out
    }
}

/// What a run did about the flaws: closed those that were open or, where none was, attacked each again.
pub struct Pass {
    pub closed: Vec<Closed>,
    /// Every attack again, when an earlier run closed everything.
    pub again: Option<ReplayAllReport>,
    /// Flaws that are closed now, by this run and by earlier ones that were cut off.
    pub in_all: u64,
}

impl Pass {
    /// Whether at least `flaws` are closed, and whatever was tried has failed.
    pub fn holds(&self, flaws: u64) -> bool {
        self.in_all >= flaws
            && self.closed.iter().all(Closed::is_closed)
            && self.again.as_ref().is_none_or(|again| {
                again.results.len() as u64 >= flaws
                    && again.results.iter().all(|r| r.outcome == "not_reproduced")
            })
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for one in &self.closed {
            out.push('\n');
            out.push_str(&one.text());
        }
        if let Some(again) = &self.again {
            out.push_str("\nEverything was closed by an earlier run. Every attack again:\n");
            out.push_str(&text::replay_all(again, width()).ansi());
        }
        out
    }

    /// Its fields, to put into a larger report.
    pub fn json(&self) -> Result<serde_json::Value, EngineError> {
        Ok(serde_json::json!({
            "closed": self.closed.iter().map(Closed::json).collect::<Result<Vec<_>, _>>()?,
            "again": self.again.as_ref().map(to_json).transpose()?,
        }))
    }
}

/// Attacks what the scan says is reachable.
pub fn prove(
    engine: &mut Engine,
    actor: &Actor,
    progress: &dyn Progress,
) -> Result<ProveReport, EngineError> {
    let request = ProveRequest {
        attack: Attack::Findings(Vec::new()),
        max_requests: 2_000,
        max_seconds: 600,
    };
    match engine.submit(actor, &Command::Prove(request), progress)? {
        Answer::Proved(proofs) => Ok(*proofs),
        _ => Err(unexpected()),
    }
}

/// Closes what `proofs` proved. What was closed now was tried a moment ago; what an earlier run closed is
/// tried again.
pub fn pass(
    engine: &mut Engine,
    dir: &Path,
    owner: &Actor,
    proofs: &ProveReport,
    progress: &dyn Progress,
) -> Result<Pass, EngineError> {
    let closed = close_all(engine, dir, owner, proofs, progress)?;
    let mut again = None;
    if closed.is_empty() {
        let command = Command::ReplayAll { revision: None };
        match engine.submit(owner, &command, progress)? {
            Answer::ReplayedAll(report) => again = Some(*report),
            _ => return Err(unexpected()),
        }
    }
    let in_all = engine.view()?.status()?.closed;
    Ok(Pass {
        closed,
        again,
        in_all,
    })
}

/// Closes everything that was proven just now, one root cause at a time: each merge moves the base of the next.
fn close_all(
    engine: &mut Engine,
    dir: &Path,
    owner: &Actor,
    proofs: &ProveReport,
    progress: &dyn Progress,
) -> Result<Vec<Closed>, EngineError> {
    let mut closed: Vec<Closed> = Vec::new();
    // A merge that an earlier run was cut off in is seen through before anything new.
    for state in engine.changes(owner)?.changes {
        if state.status == "merged" {
            let merger = Actor::parse(&format!("human:{}", APPROVERS[1]))?;
            let merge = engine.merge(&merger, &state.request.id, progress)?;
            closed.push(Closed {
                request: state.request,
                refusal: None,
                merge: Some(merge),
            });
        }
    }
    let proven: Vec<&str> = proofs
        .proofs
        .iter()
        .filter(|p| p.outcome == "proven")
        .map(|p| p.id.as_str())
        .collect();
    if proven.is_empty() {
        return Ok(closed);
    }
    if engine.stage(owner)?.stage != Stage::RemediateMore.word() {
        let command = Command::SetStage {
            stage: Stage::RemediateMore,
            exemption: Exemption::Asked,
        };
        engine.submit(owner, &command, progress)?;
    }
    let agent = Actor::parse(AGENT)?.started_by(&owner.id);
    for finding in proven {
        let command = Command::Fix {
            finding: finding.to_owned(),
        };
        let Answer::Changed(request) = engine.submit(&agent, &command, progress)? else {
            return Err(unexpected());
        };
        let mut one = Closed {
            request: *request,
            refusal: None,
            merge: None,
        };
        if one.request.not_proposed.is_none() {
            if closed.iter().all(|c| c.refusal.is_none()) {
                one.refusal = Some(refused(engine, &agent, &one.request.id, progress)?);
            }
            for id in APPROVERS {
                approve(engine, dir, id, &one.request.id, progress)?;
            }
            let merger = Actor::parse(&format!("human:{}", APPROVERS[1]))?;
            one.merge = Some(engine.merge(&merger, &one.request.id, progress)?);
        }
        closed.push(one);
    }
    Ok(closed)
}

/// An agent asks to approve; the words with which it is refused.
fn refused(
    engine: &mut Engine,
    agent: &Actor,
    change: &str,
    progress: &dyn Progress,
) -> Result<String, EngineError> {
    let command = Command::Approve {
        change: change.to_owned(),
        signed: None,
    };
    match engine.submit(agent, &command, progress) {
        Err(error) if error.failure == Failure::Refused => {
            progress.say(&format!("{AGENT} may not approve: {error}"));
            Ok(error.message)
        }
        Err(error) => Err(error),
        Ok(_) => Err(broken("an agent could approve")),
    }
}

fn approve(
    engine: &mut Engine,
    dir: &Path,
    id: &str,
    change: &str,
    progress: &dyn Progress,
) -> Result<(), EngineError> {
    let actor = Actor::parse(&format!("human:{id}"))?;
    let key = SoftwareKey::parse(&read_text(&key_file(dir, id))?).map_err(|e| broken(&e))?;
    let statement = engine.statement(&actor, change)?;
    let signed = key
        .approve(statement, Presence::Simulated)
        .map_err(|e| broken(&e))?;
    let command = Command::Approve {
        change: change.to_owned(),
        signed: Some(Box::new(signed)),
    };
    engine.submit(&actor, &command, progress)?;
    progress.say(&format!("approved {change} by human:{id}, simulated"));
    Ok(())
}

/// Writes the evidence of a change and checks the folder with the key from outside it. An earlier run's folder
/// of the same change is kept: it is evidence as of then.
pub fn evidence(
    engine: &mut Engine,
    actor: &Actor,
    change: &str,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<bool, EngineError> {
    if !folder.exists() {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
        }
        let command = Command::Evidence(EvidenceRequest {
            id: change.to_owned(),
            out: folder.to_owned(),
        });
        engine.submit(actor, &command, progress)?;
    }
    Ok(solvent_engine::check_evidence(folder, engine.trusted_key())?.sound())
}

/// Verifies a copy of the ledger in another folder, with the key and the checkpoint from outside it.
pub fn ledger_is_sound(engine: &Engine, repo: &Path, dir: &Path) -> Result<bool, EngineError> {
    let copy = dir.join("ledger-copy");
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(|e| failed(&copy, &e))?;
    }
    copy_tree(&repo.join(".solvent/ledger"), &copy)?;
    let checkpoint = engine.checkpoint();
    let report = solvent_engine::verify(&copy, engine.trusted_key(), Some(&checkpoint))?;
    Ok(report.faults.is_empty())
}

/// Copies what a verifier reads. The master key stays: a copy is for people who may not open what is sealed.
fn copy_tree(from: &Path, to: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(to).map_err(|e| failed(to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| failed(from, &e))?.flatten() {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().map_err(|e| failed(from, &e))?;
        if kind.is_dir() {
            if entry.file_name() != "keys" {
                copy_tree(&entry.path(), &target)?;
            }
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(|e| failed(&target, &e))?;
        }
    }
    Ok(())
}
