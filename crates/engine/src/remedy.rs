//! From a proven finding to a verified patch: fixers' patches and patches from outside go the same way.
//!
//! The base is the protected branch. Its tree, and the tree with the patch, are written to temporary folders;
//! the checkout is neither read nor changed. The recipe is the base's for both: a patch never rewrites its
//! own judge.

use std::path::Path;

use solvent_base::{Digest, FilePath, System as _};
use solvent_finding::{EntryPoint, Finding};
use solvent_fix::Sources;
use solvent_govern::Action;
use solvent_govern::change as changes;
use solvent_host::Host;
use solvent_protocol::capsule::Capsule;
use solvent_protocol::change::{
    Assessment, Disposition, Event, EventKind, Exposure, Revision, Tests, Verification as Verified,
};
use solvent_protocol::record::Status;
use solvent_protocol::remediation::{
    CHANGE_SCHEMA, ChangeFinding, ChangeRequest, CheckView, RiskView, Verification,
};
use solvent_protocol::view::{FindingState, Subject};
use solvent_prove::{self as proving, Prepared, Recipe};
use solvent_sandbox::NativeSandbox;
use solvent_store::names;

use crate::branch::{Base, Patch, Patched, Words, scratch, short};
use crate::command::{Actor, Answer};
use crate::door::{Acted, Engine, about};
use crate::error::EngineError;
use crate::governance::{Measured, Rules, inputs_words, refusal, revision, with_asker};
use crate::progress::Progress;
use crate::prove::{recipe, seed, show, target_view};
use crate::repo::Repo;
use crate::scan;

/// Patches of fixers that are tried for one root cause before the last answer stands.
const MAX_CANDIDATES: usize = 3;

/// Where a patch comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A deterministic fixer of this program.
    Fixer,
    /// Any tool, agent or person: a unified diff upon the protected branch.
    Outside(Vec<u8>),
}

/// A tree in a temporary folder.
pub(crate) struct Tree {
    pub repo: Repo,
    pub host: Host,
    _folder: tempfile::TempDir,
}

impl Tree {
    /// Writes the tree of a commit or tree object.
    pub fn write(repo: &Repo, object: &str, revision: Option<&str>) -> Result<Self, EngineError> {
        let folder = scratch("tree")?;
        // The folder's name is the subject's name.
        let into = folder.path().join("x");
        let root = repo.export(object, &into)?;
        let host = Host::open(&root).map_err(|e| {
            EngineError::unfinished(
                format!("cannot open the tree of {object}: {e}"),
                "is the disk full?",
            )
        })?;
        Ok(Self {
            repo: Repo {
                root,
                revision: revision.map(str::to_owned),
                dirty: false,
                is_git: false,
            },
            host,
            _folder: folder,
        })
    }

    fn text(&self, path: &FilePath) -> Option<String> {
        let bytes = self.host.read(path, solvent_lang::MAX_SOURCE_BYTES).ok()?;
        String::from_utf8(bytes).ok()
    }
}

/// The base with everything that a patch of one root cause is measured against.
struct Bench<'a> {
    engine: &'a Engine,
    base: Base,
    tree: Tree,
    recipe: Recipe,
    prepared: Prepared,
    entries: Vec<EntryPoint>,
    /// Findings of the root cause, as the base's scan gives them.
    findings: Vec<Finding>,
    /// The other findings of that scan.
    others: Vec<Finding>,
    /// The same findings as they are known, proofs included.
    known: Vec<FindingState>,
    capsules: Vec<Capsule>,
    sandbox: NativeSandbox,
}

/// One patch, before it was tried.
struct Candidate {
    origin: String,
    patched: Patched,
    disposition: Disposition,
    summary: String,
    rollback: String,
    notes: Vec<String>,
}

/// Makes a patch (or takes one), tries it, and records it as a change.
pub(crate) fn make(
    engine: &mut Engine,
    actor: &Actor,
    finding: &str,
    origin: &Origin,
    rules: &Rules,
    progress: &dyn Progress,
) -> Result<Acted, EngineError> {
    let base = rules.base(&engine.repo)?;
    progress.stage(&format!(
        "reading {} at {}",
        base.branch,
        short(&base.commit)
    ));
    let state = engine.finding(finding)?;
    if let Origin::Outside(diff) = origin {
        // What is no patch is told before anything is prepared for it.
        engine.repo.patched(&base.commit, Patch::Diff(diff))?;
    }
    let tree = Tree::write(&engine.repo, &base.commit, Some(&base.commit))?;
    let scan = scan::scan(&tree.repo, &tree.host, progress);
    let findings: Vec<Finding> = solvent_fix::root_causes(&scan.findings)
        .into_iter()
        .find(|cause| {
            cause
                .findings
                .iter()
                .any(|f| f.fingerprint.0.hex() == state.finding.fingerprint)
        })
        .map(|cause| cause.findings.into_iter().cloned().collect())
        .ok_or_else(|| {
            let id = &state.finding.id;
            if state.lifecycle.state == "closed" {
                return EngineError::usage(
                    format!("finding {id} is closed: {}", state.lifecycle.why),
                    format!("`solvent replay {id}` tries its attack again"),
                );
            }
            EngineError::usage(
                format!(
                    "finding {} is not on `{}` at {}",
                    state.finding.id,
                    base.branch,
                    short(&base.commit)
                ),
                "commit what you scanned to the protected branch, or scan that branch",
            )
        })?;
    let others: Vec<Finding> = scan
        .findings
        .iter()
        .filter(|f| findings.iter().all(|own| own.fingerprint != f.fingerprint))
        .cloned()
        .collect();
    let mut known = Vec::new();
    let mut capsules = Vec::new();
    for finding in &findings {
        let id = finding.fingerprint.0.hex();
        let Ok(state) = engine.finding(&id) else {
            continue;
        };
        if state.proof.as_ref().is_some_and(|p| p.capsule.is_some()) {
            capsules.push(engine.sealed_capsule(&id)?.0);
        }
        known.push(state);
    }
    if capsules.is_empty() {
        return Err(EngineError::usage(
            format!(
                "finding {} is not proven, so no fix of it could be verified",
                state.finding.id
            ),
            format!("run `solvent prove --finding {}` first", state.finding.id),
        ));
    }
    let recipe = recipe(&tree.repo)?;
    let sandbox = NativeSandbox::new(engine.options.launcher.clone());
    let prepared = prepare(engine, &recipe, &tree, &sandbox, progress)?;
    let bench = Bench {
        engine,
        base,
        recipe,
        prepared,
        entries: scan.entry_points,
        findings,
        others,
        known,
        capsules,
        sandbox,
        tree,
    };
    let candidates = bench.candidates(origin)?;
    let mut tried: Option<(Candidate, Verification)> = None;
    for candidate in candidates {
        let verification = bench.verify(&candidate, progress)?;
        let done = verification.verdict == "verified";
        tried = Some((candidate, verification));
        if done {
            break;
        }
    }
    let (candidate, verification) = tried.ok_or_else(|| {
        EngineError::usage(
            "no patch was made",
            "write one and give it with `solvent propose FINDING --patch FILE`",
        )
    })?;
    let (request, assessment) = bench.request(actor, candidate, verification, rules)?;
    record(engine, actor, rules, request, assessment)
}

fn prepare(
    engine: &Engine,
    recipe: &Recipe,
    tree: &Tree,
    sandbox: &NativeSandbox,
    progress: &dyn Progress,
) -> Result<Prepared, EngineError> {
    proving::prepare(recipe, &tree.repo.root, &engine.options.cache, sandbox, &mut |event| {
        show(progress, event);
    })
    .map_err(|e| {
        EngineError::unfinished(
            format!("the application could not be prepared: {e}"),
            "`solvent doctor` says what this machine lacks; `solvent.toml` says how the application starts",
        )
    })
}

impl Bench<'_> {
    fn candidates(&self, origin: &Origin) -> Result<Vec<Candidate>, EngineError> {
        match origin {
            Origin::Outside(diff) => Ok(vec![Candidate {
                origin: "outside".to_owned(),
                patched: self
                    .engine
                    .repo
                    .patched(&self.base.commit, Patch::Diff(diff))?,
                disposition: Disposition::NeedsReview,
                summary: "a patch from outside".to_owned(),
                rollback: "revert the merge commit".to_owned(),
                notes: Vec::new(),
            }]),
            Origin::Fixer => self.fixes(),
        }
    }

    fn fixes(&self) -> Result<Vec<Candidate>, EngineError> {
        let files: Vec<FilePath> = self
            .tree
            .host
            .walk()
            .files
            .into_iter()
            .map(|f| f.path)
            .collect();
        let text = |path: &FilePath| self.tree.text(path);
        let sources = Sources {
            files: &files,
            text: &text,
        };
        let causes = solvent_fix::root_causes(&self.findings);
        let Some(cause) = causes.first() else {
            return Ok(Vec::new());
        };
        let proposal = solvent_fix::propose(cause, &sources);
        if proposal.patches.is_empty() {
            let why: Vec<String> = proposal.refused.iter().map(ToString::to_string).collect();
            return Err(EngineError::usage(
                format!("no fixer can repair this: {}", why.join("; ")),
                "write the patch and give it with `solvent propose FINDING --patch FILE`",
            ));
        }
        let mut out = Vec::new();
        for patch in proposal.patches.into_iter().take(MAX_CANDIDATES) {
            let mut contents = Vec::new();
            let test = self
                .findings
                .iter()
                .find_map(|finding| solvent_fix::regression_test(finding, &patch, &sources));
            for edit in patch.files.iter().chain(&test) {
                let old = self.tree.text(&edit.path).unwrap_or_default();
                let new = edit.apply(&old).map_err(|why| {
                    EngineError::unfinished(
                        format!("the patch of {} does not fit: {}", patch.fixer, why.words()),
                        "this is a defect of this build",
                    )
                })?;
                contents.push((edit.path.to_string(), new.into_bytes()));
            }
            out.push(Candidate {
                origin: format!("fixer {}", patch.fixer),
                patched: self
                    .engine
                    .repo
                    .patched(&self.base.commit, Patch::Files(&contents))?,
                disposition: match patch.disposition {
                    solvent_fix::Disposition::Mechanical => Disposition::Mechanical,
                    solvent_fix::Disposition::NeedsReview => Disposition::NeedsReview,
                },
                summary: patch.summary,
                rollback: patch.rollback,
                notes: patch.notes,
            });
        }
        Ok(out)
    }

    fn verify(
        &self,
        candidate: &Candidate,
        progress: &dyn Progress,
    ) -> Result<Verification, EngineError> {
        progress.stage(&format!("trying the patch of {}", candidate.origin));
        let tree = Tree::write(&self.engine.repo, &candidate.patched.tree, None)?;
        let scan = scan::scan(&tree.repo, &tree.host, progress);
        let patched = match prepare(self.engine, &self.recipe, &tree, &self.sandbox, progress) {
            Ok(patched) => patched,
            // The base could be prepared in this very environment, so the patch is what stands in the way.
            Err(error) => {
                return Ok(Verification {
                    verdict: "rejected".to_owned(),
                    reason: format!("with the patch, {}", error.message),
                    target: target_view(&self.prepared, std::time::Duration::ZERO),
                    ..Verification::default()
                });
            }
        };
        let mut entries = self.entries.clone();
        for entry in scan.entry_points {
            if !entries
                .iter()
                .any(|e| e.label() == entry.label() && e.handler == entry.handler)
            {
                entries.push(entry);
            }
        }
        let job = proving::Job {
            base: &self.prepared,
            patched: &patched,
            base_tree: &self.tree.repo.root,
            patched_tree: &tree.repo.root,
            findings: &self.findings,
            others: &self.others,
            found_on_patch: &scan.findings,
            capsules: &self.capsules,
            entries: &entries,
            cache: &self.engine.options.cache,
        };
        let gauntlet = proving::verify_patch(
            &job,
            &self.sandbox,
            &proving::Options::ordinary(seed(self.engine)),
            &mut |event| show(progress, event),
        );
        Ok(Verification {
            verdict: gauntlet.verdict.word().to_owned(),
            reason: gauntlet.verdict.reason().to_owned(),
            checks: gauntlet
                .checks
                .iter()
                .map(|check| CheckView {
                    name: check.name.word().to_owned(),
                    result: check.result.word().to_owned(),
                    reason: check.result.reason().to_owned(),
                    detail: check.detail.clone(),
                    requests: check.requests,
                    seconds: check.seconds,
                })
                .collect(),
            target: target_view(&self.prepared, std::time::Duration::ZERO),
            requests: gauntlet.requests,
            seconds: gauntlet.elapsed.as_secs_f64(),
        })
    }

    fn request(
        &self,
        actor: &Actor,
        candidate: Candidate,
        verification: Verification,
        rules: &Rules,
    ) -> Result<(ChangeRequest, Assessment), EngineError> {
        let findings: Vec<ChangeFinding> = self.findings.iter().map(|f| self.finding(f)).collect();
        let patched = candidate.patched;
        let mut parts = vec![self.base.commit.clone(), patched.digest.to_string()];
        parts.extend(findings.iter().map(|f| f.fingerprint.clone()));
        let id = Digest::of_parts(parts.iter().map(String::as_bytes)).short(10);
        let first = &findings[0];
        let title = format!("{} at {}", first.title, first.sink);
        let unmeasured_tests = verification
            .checks
            .iter()
            .any(|c| c.name == "tests" && c.result != "passed");
        let disposition = if unmeasured_tests {
            Disposition::NeedsReview
        } else {
            candidate.disposition
        };
        let author = rules.author(actor);
        // No payload: a public change request must not carry one.
        let message = format!(
            "Fix {} at {}\n\n{}\n\nSolvent-Change: {id}\nSolvent-Finding: {}\n",
            first.weakness, first.sink, candidate.summary, first.id
        );
        let words = Words {
            name: &actor.id,
            message: &message,
        };
        let head = self
            .engine
            .repo
            .commit(&patched.tree, &[&self.base.commit], &words)?;
        self.engine.repo.keep(&id, &head)?;
        let assessment = rules.assess(&Measured {
            files: &patched.files,
            weakness: &first.weakness,
            exposure: self.exposure(),
            tests: tests(&verification),
            disposition,
        });
        let request = ChangeRequest {
            schema: CHANGE_SCHEMA.to_owned(),
            id,
            subject: Subject {
                name: self.engine.repo.name(),
                revision: Some(self.base.commit.clone()),
                dirty: false,
                tree: self.prepared.target_digest.to_string(),
            },
            title,
            findings,
            author: format!("human:{author}"),
            by: actor.to_string(),
            origin: candidate.origin,
            base: self.base.commit.clone(),
            head,
            tree: patched.tree,
            diff_digest: patched.digest.to_string(),
            diff: patched.diff,
            files: patched.files,
            disposition: match disposition {
                Disposition::Mechanical => "mechanical",
                Disposition::NeedsReview => "needs_review",
            }
            .to_owned(),
            summary: candidate.summary,
            rollback: candidate.rollback,
            notes: candidate.notes,
            risk: RiskView {
                class: assessment.class.word().to_owned(),
                reasons: assessment.reasons.clone(),
                inputs: inputs_words(&assessment.inputs),
            },
            policy: rules.governance.digest().to_string(),
            verification,
            created_ms: self.engine.host.now().0,
            not_proposed: None,
        };
        Ok((request, assessment))
    }

    fn finding(&self, finding: &Finding) -> ChangeFinding {
        let fingerprint = finding.fingerprint.0.hex();
        let capsule = self
            .known
            .iter()
            .find(|state| state.finding.fingerprint == fingerprint)
            .and_then(|state| state.proof.as_ref())
            .and_then(|proof| proof.capsule.clone());
        ChangeFinding {
            id: finding.fingerprint.short(),
            fingerprint,
            weakness: finding.weakness.0.clone(),
            severity: format!("{:?}", finding.severity).to_lowercase(),
            title: finding.title.clone(),
            sink: format!(
                "{}:{}",
                finding.sink.location.path, finding.sink.location.line
            ),
            entry: finding
                .entry
                .as_ref()
                .map(EntryPoint::label)
                .unwrap_or_default(),
            capsule,
        }
    }

    /// The widest exposure of the root cause: who could do what the capsules do.
    fn exposure(&self) -> Exposure {
        if self.capsules.iter().any(|c| c.role == "anonymous") {
            Exposure::Public
        } else {
            Exposure::BehindLogin
        }
    }
}

fn tests(verification: &Verification) -> Tests {
    match verification
        .checks
        .iter()
        .find(|c| c.name == "tests")
        .map(|c| c.result.as_str())
    {
        Some("passed") => Tests::Passed,
        Some("failed") => Tests::Failed,
        _ => Tests::Unmeasured,
    }
}

/// Records a change, and proposes it when it holds and the rules let the actor propose.
fn record(
    engine: &mut Engine,
    actor: &Actor,
    rules: &Rules,
    mut request: ChangeRequest,
    assessment: Assessment,
) -> Result<Acted, EngineError> {
    let revision = revision(&request).ok_or_else(|| {
        EngineError::unfinished(
            "the change has no digest of its diff",
            "this is a defect of this build",
        )
    })?;
    let outcome = match request.verification.verdict.as_str() {
        "verified" => Verified::Passed,
        "rejected" => Verified::Failed,
        _ => Verified::Unmeasured,
    };
    let mut events = engine.events(&request.id)?;
    let proposed_before = !events.is_empty();
    let mut added = Vec::new();
    // The same patch proposed again is verified again, not proposed again: its approvals are about these bytes.
    if !proposed_before {
        added.push(EventKind::Proposed {
            author: request.author.trim_start_matches("human:").to_owned(),
            revision: revision.clone(),
            risk: assessment,
        });
    }
    added.push(EventKind::Verified {
        revision: revision.clone(),
        outcome,
    });
    if !proposed_before {
        events.extend(added.iter().map(|kind| Event {
            at_ms: rules.now_ms,
            actor: rules.recorded(actor),
            kind: kind.clone(),
        }));
        request.not_proposed = not_proposed(&request, rules, actor, &events, &revision);
    }
    let mut outputs = vec![engine.seal(names::CHANGE_REQUEST, &request)?];
    if request.not_proposed.is_none() {
        for event in &added {
            outputs.push(engine.seal_event(event)?);
        }
    }
    Ok(Acted {
        status: match outcome {
            Verified::Unmeasured => Status::Partial,
            _ => Status::Done,
        },
        outputs,
        links: about(&request.id),
        answer: Answer::Changed(Box::new(request)),
    })
}

/// Why a change is kept for export only; `None` when it is proposed.
fn not_proposed(
    request: &ChangeRequest,
    rules: &Rules,
    actor: &Actor,
    events: &[Event],
    revision: &Revision,
) -> Option<String> {
    if request.verification.verdict != "verified" {
        return Some(format!("not verified: {}", request.verification.reason));
    }
    let state = changes::fold(&request.id, events, &rules.court());
    let asking = rules.actor(actor);
    let decision = changes::may(
        &state,
        &rules.court(),
        &asking,
        Action::Propose,
        Some(revision),
    );
    (!decision.allowed()).then(|| {
        let error = with_asker(refusal(&decision), rules, actor, Action::Propose);
        format!("{}; to pass: {}", error.message, error.hint)
    })
}

/// Reads a patch file.
pub fn read_patch(path: &Path) -> Result<Vec<u8>, EngineError> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| {
        EngineError::usage(
            format!("cannot read the patch `{shown}`: {e}"),
            "give a file that `git diff` wrote",
        )
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > solvent_protocol::remediation::MAX_PATCH_BYTES as u64 {
        return Err(EngineError::usage(
            format!(
                "the patch `{shown}` has {} KiB, too many for one root cause",
                size >> 10
            ),
            "propose one root cause at a time",
        ));
    }
    std::fs::read(path).map_err(unreadable)
}
