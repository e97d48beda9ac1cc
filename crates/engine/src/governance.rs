//! Who may do what here, now: the rules of the protected base, the stage, and where each change stands.
//!
//! *Promise: a change never rewrites its own judge.* The policy folder is read from the newest commit of the
//! protected branch, never from the checkout.

use solvent_base::{Digest, System as _};
use solvent_govern::change::{self as changes, ChangeState, Court};
use solvent_govern::people::{Governance, Mode};
use solvent_govern::{Action, Adoption, Decision, risk};
use solvent_protocol::adoption::{AdoptionEvent, AdoptionKind};
use solvent_protocol::change::{
    Assessment, Disposition, Event, EventKind, Exposure, Listing, Revision, RiskInputs, Tests,
};
use solvent_protocol::record;
use solvent_protocol::remediation::{ApprovalNote, ChangeRequest, ChangedFile};
use solvent_store::{Document, Store as _, names};

use crate::branch::{Base, short};
use crate::command::{Actor, ActorKind};
use crate::door::{Engine, ledger_error, store_failed};
use crate::error::EngineError;
use crate::repo::Repo;

/// Folder of the operator's rules, from the repository's root.
pub(crate) const POLICY_FOLDER: &str = "solvent-policy";

/// Bytes of one file of the policy folder.
const FILE_CAP: usize = 64 << 10;

/// Everything by which commands are judged.
pub(crate) struct Rules {
    /// The protected branch, when there is one.
    pub base: Option<Base>,
    pub governance: Governance,
    pub adoption: Adoption,
    pub now_ms: i64,
}

/// What was measured about a patch.
pub(crate) struct Measured<'a> {
    pub files: &'a [ChangedFile],
    pub weakness: &'a str,
    pub exposure: Exposure,
    pub tests: Tests,
    pub disposition: Disposition,
}

impl Rules {
    /// The rules in force for `actor`.
    pub fn read(engine: &mut Engine, actor: &Actor) -> Result<Self, EngineError> {
        let (base, governance) = in_force(&engine.repo, person(actor))?;
        Self::with(engine, base, governance)
    }

    /// The rules as they are at a commit.
    pub fn read_at(engine: &mut Engine, commit: &str) -> Result<Self, EngineError> {
        let governance = at(&engine.repo, commit)?.map_or_else(|| alone("nobody"), Ok)?;
        Self::with(engine, None, governance)
    }

    fn with(
        engine: &mut Engine,
        base: Option<Base>,
        governance: Governance,
    ) -> Result<Self, EngineError> {
        let now_ms = engine.host.now().0;
        let documents = engine
            .store
            .documents(names::ADOPTION_EVENT, None)
            .map_err(|e| store_failed(&e))?;
        let mut events = Vec::new();
        for document in documents {
            let (at_ms, actor) = engine.recorded_by(&document)?;
            let kind = AdoptionKind::parse(document.body.as_bytes()).map_err(unreadable)?;
            events.push(AdoptionEvent { at_ms, actor, kind });
        }
        Ok(Self {
            base,
            governance,
            adoption: Adoption::fold(&events),
            now_ms,
        })
    }

    pub fn court(&self) -> Court<'_> {
        Court {
            governance: &self.governance,
            stage: self.adoption.stage,
            now_ms: self.now_ms,
        }
    }

    /// The protected branch, or why nothing can be fixed or merged.
    pub fn base(&self, repo: &Repo) -> Result<Base, EngineError> {
        match &self.base {
            Some(base) => Ok(base.clone()),
            None => repo.base(),
        }
    }

    /// The person who answers for what `actor` writes.
    pub fn author(&self, actor: &Actor) -> String {
        match actor.kind {
            ActorKind::Human => actor.id.clone(),
            ActorKind::Agent => self
                .governance
                .agent(&actor.id)
                .map_or_else(|| person(actor).to_owned(), |agent| agent.owner.clone()),
        }
    }

    /// How `actor` stands in the record.
    pub fn recorded(&self, actor: &Actor) -> record::Actor {
        record::Actor {
            id: actor.id.clone(),
            kind: kind(actor),
            on_behalf_of: match actor.kind {
                ActorKind::Human => None,
                ActorKind::Agent => Some(self.author(actor)),
            },
        }
    }

    pub fn actor(&self, actor: &Actor) -> solvent_govern::Actor {
        self.governance.actor(kind(actor), &actor.id)
    }

    /// How much harm a patch can do.
    pub fn assess(&self, measured: &Measured<'_>) -> Assessment {
        let mut paths: Vec<String> = measured.files.iter().map(|f| f.path.clone()).collect();
        paths.sort();
        let listed = self
            .governance
            .settings()
            .low_risk
            .contains(measured.weakness);
        risk::assess(RiskInputs {
            paths,
            lines: measured
                .files
                .iter()
                .map(|f| u64::from(f.added) + u64::from(f.removed))
                .sum(),
            weakness: measured.weakness.to_owned(),
            listed: if listed {
                Listing::Listed
            } else {
                Listing::NotListed
            },
            exposure: measured.exposure,
            tests: measured.tests,
            disposition: measured.disposition,
        })
    }
}

/// The person behind an actor: themselves, or who started the agent.
fn person(actor: &Actor) -> &str {
    match actor.kind {
        ActorKind::Human => &actor.id,
        ActorKind::Agent => actor.started_by.as_deref().unwrap_or("nobody"),
    }
}

pub(crate) fn kind(actor: &Actor) -> record::ActorKind {
    match actor.kind {
        ActorKind::Human => record::ActorKind::Human,
        ActorKind::Agent => record::ActorKind::Agent,
    }
}

fn alone(owner: &str) -> Result<Governance, EngineError> {
    Governance::alone(owner).map_err(|problems| {
        EngineError::unfinished(
            format!("the built-in policy does not load: {problems:?}"),
            "this is a defect of this build",
        )
    })
}

/// The protected branch and its rules. Without a branch or a folder on it, the person is alone.
fn in_force(repo: &Repo, owner: &str) -> Result<(Option<Base>, Governance), EngineError> {
    let Ok(base) = repo.base() else {
        return Ok((None, alone(owner)?));
    };
    let Some(governance) = at(repo, &base.commit)? else {
        return Ok((Some(base), alone(owner)?));
    };
    let named = &governance.settings().protected_branch;
    if *named == base.branch {
        return Ok((Some(base), governance));
    }
    // The rules name another branch: that one's rules count, and they must agree.
    let commit = repo.tip(named).ok_or_else(|| {
        EngineError::refused(
            format!(
                "the rules on `{}` protect the branch `{named}`, which is not here",
                base.branch
            ),
            format!("fetch it: `git fetch origin {named}:{named}`"),
        )
    })?;
    let other = Base {
        branch: named.clone(),
        commit,
    };
    let governance = at(repo, &other.commit)?.ok_or_else(|| {
        EngineError::refused(
            format!(
                "`{}` names `{named}` as protected, where there are no rules",
                base.branch
            ),
            format!("merge `{POLICY_FOLDER}/` into `{named}`"),
        )
    })?;
    Ok((Some(other), governance))
}

/// The rules at a commit; `None` when it has no policy folder.
fn at(repo: &Repo, commit: &str) -> Result<Option<Governance>, EngineError> {
    let mut files = Vec::new();
    for name in repo.files_at(commit, POLICY_FOLDER) {
        let bytes = repo.file_at(commit, &name).unwrap_or_default();
        let text = if bytes.len() > FILE_CAP {
            None
        } else {
            String::from_utf8(bytes).ok()
        };
        let text = text.ok_or_else(|| {
            EngineError::refused(
                format!(
                    "`{name}` at {} is too large or not text, so no rule is in force",
                    short(commit)
                ),
                format!(
                    "mend it on the protected branch; at most {} KiB are read",
                    FILE_CAP >> 10
                ),
            )
        })?;
        files.push((name, text));
    }
    if files.is_empty() {
        return Ok(None);
    }
    Governance::read(commit, &files)
        .map(Some)
        .map_err(|problems| {
            let words: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
            EngineError::refused(
                format!(
                    "the rules at {} do not read, so nothing is permitted: {}",
                    short(commit),
                    words.join("; ")
                ),
                "mend them on the protected branch",
            )
        })
}

fn unreadable(why: String) -> EngineError {
    EngineError::unfinished(
        format!("a recorded event does not read: {why}"),
        "run `solvent ledger verify`, then `solvent ledger rebuild`",
    )
}

impl Engine {
    /// Time and actor of the record that a document came with.
    pub(crate) fn recorded_by(
        &self,
        document: &Document,
    ) -> Result<(i64, record::Actor), EngineError> {
        let record = self
            .ledger
            .record(document.index)
            .map_err(|e| ledger_error(&e))?;
        Ok((record.clock_ms.unwrap_or(record.time_ms), record.body.actor))
    }

    /// The change whose id starts so: the newest document of it.
    pub(crate) fn change_request(&mut self, id: &str) -> Result<ChangeRequest, EngineError> {
        let documents = self
            .store
            .documents(names::CHANGE_REQUEST, None)
            .map_err(|e| store_failed(&e))?;
        let mut found: Vec<ChangeRequest> = Vec::new();
        for document in &documents {
            let request: ChangeRequest = crate::reproof::parse(&document.body)?;
            if id.len() >= 4 && request.id.starts_with(id) {
                found.retain(|other| other.id != request.id);
                found.push(request);
            }
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(EngineError::usage(
                format!("no change `{id}`"),
                "see `solvent changes`",
            )),
            n => Err(EngineError::usage(
                format!("`{id}` begins the id of {n} changes"),
                "give more of it; see `solvent changes`",
            )),
        }
    }

    /// What happened to a change, in the order of the ledger.
    pub(crate) fn events(&mut self, change: &str) -> Result<Vec<Event>, EngineError> {
        let documents = self
            .store
            .documents(names::CHANGE_EVENT, Some(change))
            .map_err(|e| store_failed(&e))?;
        documents
            .iter()
            .map(|document| {
                let (at_ms, actor) = self.recorded_by(document)?;
                let kind = EventKind::parse(document.body.as_bytes()).map_err(unreadable)?;
                Ok(Event { at_ms, actor, kind })
            })
            .collect()
    }

    /// Where a change stands by the rules in force.
    pub(crate) fn standing(
        &mut self,
        change: &str,
        rules: &Rules,
    ) -> Result<ChangeState, EngineError> {
        let events = self.events(change)?;
        Ok(changes::fold(change, &events, &rules.court()))
    }

    /// The change as it is on disk now: what merging would give.
    pub(crate) fn at_hand(
        &self,
        request: &ChangeRequest,
        rules: &Rules,
    ) -> Result<Revision, EngineError> {
        let base = rules.base(&self.repo)?;
        let kept = self
            .repo
            .resolve(&format!("refs/solvent/changes/{}", request.id));
        let head = kept.ok_or_else(|| {
            EngineError::usage(
                format!(
                    "the commit of change {} is not in this repository",
                    request.id
                ),
                "make the fix again here",
            )
        })?;
        let tree = self.repo.tree_of(&head)?;
        let diff = self.repo.between(&base.commit, &tree)?.digest;
        Ok(Revision {
            base: base.commit,
            head,
            tree,
            diff,
        })
    }
}

/// What an approval signs about a change that was recorded.
pub(crate) fn revision(request: &ChangeRequest) -> Option<Revision> {
    Some(Revision {
        base: request.base.clone(),
        head: request.head.clone(),
        tree: request.tree.clone(),
        diff: Digest::parse(&request.diff_digest)?,
    })
}

/// Approvals as they count, for people.
pub(crate) fn notes(state: &ChangeState) -> Vec<ApprovalNote> {
    state
        .approvals
        .iter()
        .map(|approval| ApprovalNote {
            by: format!("human:{}", approval.by),
            key: solvent_govern::signature::Key::parse(&approval.key)
                .map(|key| key.fingerprint())
                .unwrap_or_default(),
            presence: match approval.presence {
                solvent_protocol::approval::Presence::Shown => "shown",
                solvent_protocol::approval::Presence::NotShown => "not_shown",
                solvent_protocol::approval::Presence::Simulated => "simulated",
            }
            .to_owned(),
            at_ms: approval.at_ms,
            void: (!approval.counts()).then(|| {
                let words: Vec<String> = approval.voids.iter().map(ToString::to_string).collect();
                words.join(", ")
            }),
        })
        .collect()
}

/// What a risk class was computed from, as `name: value`.
pub(crate) fn inputs_words(inputs: &RiskInputs) -> Vec<String> {
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}");
    vec![
        format!("paths: {}", inputs.paths.join(", ")),
        format!("lines: {}", inputs.lines),
        format!("weakness: {}", inputs.weakness),
        format!("listed: {}", word(&inputs.listed)),
        format!("exposure: {}", word(&inputs.exposure)),
        format!("tests: {}", word(&inputs.tests)),
        format!("disposition: {}", word(&inputs.disposition)),
    ]
}

/// A refusal in the words of the rules that spoke, each next step once.
pub(crate) fn refusal(decision: &Decision) -> EngineError {
    let mut pass: Vec<&str> = Vec::new();
    for step in &decision.pass {
        if !pass.contains(&step.as_str()) {
            pass.push(step);
        }
    }
    EngineError::refused(decision.sentence(), pass.join("; "))
}

/// A refusal about a change. Rules see a change that was never proposed as closed, and one whose base moved
/// as unverified: what a person can do about either is said here.
pub(crate) fn refusal_of(
    request: &ChangeRequest,
    state: &ChangeState,
    rules: &Rules,
    decision: &Decision,
    at: Option<&Revision>,
    action: Action,
) -> EngineError {
    let finding = request
        .findings
        .first()
        .map_or("FINDING", |f| f.id.as_str());
    let Some(recorded) = &state.revision else {
        if action == Action::Reject {
            return EngineError::usage(
                format!(
                    "change {} was not proposed, so there is nothing to reject",
                    request.id
                ),
                "nobody can approve or merge it; `solvent changes` lists those that wait for a decision",
            );
        }
        let verified = request.verification.verdict == "verified";
        let why = request
            .not_proposed
            .as_deref()
            .unwrap_or("nobody proposed it");
        let ids: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
        let next = match (verified, is_alone(rules)) {
            (false, _) => format!("make another: `solvent fix {finding}`"),
            (true, true) => format!(
                "take it out with `solvent export {}`; to have it merged, add `{POLICY_FOLDER}/people.toml` with \
                 a second person who has a key and the role approver to the protected branch, and make the fix again",
                request.id
            ),
            (true, false) => format!(
                "take it out with `solvent export {}`, or make the fix again when it may be proposed",
                request.id
            ),
        };
        return EngineError::refused(
            format!(
                "change {} was not proposed: {why} ({})",
                request.id,
                ids.join(", ")
            ),
            next,
        );
    };
    match at {
        Some(at) if at.base != recorded.base && state.merged.is_none() => EngineError::refused(
            decision.sentence(),
            format!("make the fix again upon the branch as it is now: `solvent fix {finding}`"),
        ),
        _ => refusal(decision),
    }
}

/// A refusal with what is to be said of who asked: that nobody is listed under that name, or that nobody is
/// listed at all where somebody else must decide.
pub(crate) fn with_asker(
    error: EngineError,
    rules: &Rules,
    actor: &Actor,
    action: Action,
) -> EngineError {
    let more = if is_alone(rules) {
        match action {
            Action::AcceptRisk => format!(
                "nobody else is known here: add `{POLICY_FOLDER}/people.toml` with a second person in the role risk to the \
                 protected branch"
            ),
            _ if error.hint.contains(POLICY_FOLDER) => return error,
            Action::Approve | Action::Merge | Action::Propose => format!(
                "nobody else is known here: add `{POLICY_FOLDER}/people.toml` with a second person to the protected branch"
            ),
            _ => return error,
        }
    } else if !is_listed(rules, actor) {
        format!(
            "`{actor}` is not in {POLICY_FOLDER}/people.toml: say who you are with `--actor human:ID` or SOLVENT_ACTOR, or \
             add them there"
        )
    } else {
        return error;
    };
    EngineError {
        hint: if error.hint.is_empty() {
            more
        } else {
            format!("{}; {more}", error.hint)
        },
        ..error
    }
}

/// Whether the policy names this person or agent.
fn is_listed(rules: &Rules, actor: &Actor) -> bool {
    match actor.kind {
        ActorKind::Human => rules.governance.person(&actor.id).is_some(),
        ActorKind::Agent => rules.governance.agent(&actor.id).is_some(),
    }
}

/// Whether there is nobody but the person who asks.
pub(crate) fn is_alone(rules: &Rules) -> bool {
    matches!(rules.governance.mode(), Mode::Alone { .. })
}
