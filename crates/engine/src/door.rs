//! The one door: decide, record the intent, act, record the result, fold.

use std::path::{Path, PathBuf};

use solvent_govern::change as changes;
use solvent_govern::{self as govern, Action, Decision, FlawState, Reason, Request, Target};
use solvent_host::Host;
use solvent_ledger::{Ledger, LedgerError};
use solvent_protocol::adoption::{AdoptionKind, StageBasis};
use solvent_protocol::capsule::{self, Capsule};
use solvent_protocol::change::EventKind;
use solvent_protocol::record::{self, Body, Commitment, Item, Link, Phase, Status};
use solvent_protocol::remediation::ChangeRequest;
use solvent_sandbox::Launcher;
use solvent_store::{SqliteStore, Store as _, StoreError, names};

use crate::command::{Actor, Answer, CapsuleRef, Command, Created, GateAttack, ReplayRequest};
use crate::error::EngineError;
use crate::governance::{Rules, refusal, refusal_of, with_asker};
use crate::progress::Progress;
use crate::remedy::Origin;
use crate::repo::{Git, Repo, STATE_FOLDER};
use crate::{branch, debt, decision, evidence, gate, merge, prove, remedy, reproof, scan};

/// Bytes of a capsule file that are read.
const CAPSULE_CAP: u64 = solvent_protocol::capsule::MAX_BYTES as u64;

/// Where and with what an engine works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the repository.
    pub path: PathBuf,
    pub git: Git,
    /// How to start a sandbox: by running this program again.
    pub launcher: Launcher,
    /// Prepared interpreters, shared by repositories.
    pub cache: PathBuf,
}

/// One repository with its ledger. The only writer of its state folder while it lives.
pub struct Engine {
    pub(crate) repo: Repo,
    pub(crate) host: Host,
    pub(crate) options: Options,
    pub(crate) ledger: Ledger,
    pub(crate) store: SqliteStore,
    created: Created,
}

/// What acting gave: the answer, and what to seal beside the result record.
pub(crate) struct Acted {
    pub answer: Answer,
    pub status: Status,
    /// What was sealed beside the record.
    pub outputs: Vec<Item>,
    /// What the result is about, beside its intent.
    pub links: Vec<Link>,
}

/// What was decided about a command, and what deciding it found out.
struct Judged {
    action: Action,
    decision: Decision,
    /// The command's word in the record: a merge that only has to be verified is another action.
    word: &'static str,
    /// What is acted upon, in words.
    target: String,
    rules: Rules,
    found: Found,
    /// How a refusal is told, where the change says more than the rules do.
    told: Option<EngineError>,
}

/// Facts that a command acts upon, as they were decided about.
enum Found {
    Nothing,
    Change(Box<ChangeRequest>),
    /// The branch is there already; what is left is the record, or the attack on the result.
    Merge(Box<ChangeRequest>, MergeStep),
    Stage(StageBasis),
    Owner(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MergeStep {
    Advance,
    Verify,
}

impl Engine {
    /// Opens the state of the repository, making it when there is none. Actions that a crash cut off are
    /// closed with a result that says so, and the projections are brought up to the ledger.
    pub fn open(options: Options) -> Result<Self, EngineError> {
        let repo = Repo::open(&options.path, options.git)?;
        let host = host_of(&repo, &options)?;
        let folder = repo.root.join(STATE_FOLDER);
        let (ledger, created) = open_ledger(&folder, &host)?;
        let store =
            SqliteStore::open(&folder.join("projections.sqlite"), &ledger).map_err(|e| {
                EngineError::unfinished(
                    format!("cannot open the projections: {e}"),
                    "run `solvent ledger rebuild`",
                )
            })?;
        branch::sweep();
        let mut engine = Self {
            repo,
            host,
            options,
            ledger,
            store,
            created,
        };
        engine.close_interrupted()?;
        Ok(engine)
    }

    /// Does `command` for `actor`, if policy allows it. Everything that changes state passes here.
    pub fn submit(
        &mut self,
        actor: &Actor,
        command: &Command,
        progress: &dyn Progress,
    ) -> Result<Answer, EngineError> {
        let Judged {
            action,
            decision,
            word,
            target,
            rules,
            found,
            told,
        } = self.judge(actor, command)?;
        let body = Body {
            actor: rules.recorded(actor),
            action: word.to_owned(),
            target,
            phase: Phase::Intent,
            inputs: Vec::new(),
            outputs: Vec::new(),
            decision: Some(decision.note()),
            links: match &found {
                Found::Change(request) | Found::Merge(request, _) => about(&request.id),
                _ => Vec::new(),
            },
        };
        let intent = self.append(body.clone())?;
        if !decision.allowed() {
            let error = told.unwrap_or_else(|| refusal(&decision));
            return Err(with_asker(error, &rules, actor, action));
        }
        let acted = self.act(actor, command, rules, found, progress);
        let (status, outputs, links) = match &acted {
            Ok(acted) => (acted.status, acted.outputs.clone(), acted.links.clone()),
            Err(_) => (Status::Failed, Vec::new(), body.links.clone()),
        };
        let result = Body {
            phase: Phase::Result { intent, status },
            outputs,
            decision: None,
            links,
            ..body
        };
        self.append(result)?;
        evidence::finish(self, acted?.answer)
    }

    fn act(
        &mut self,
        actor: &Actor,
        command: &Command,
        rules: Rules,
        found: Found,
        progress: &dyn Progress,
    ) -> Result<Acted, EngineError> {
        match command {
            Command::Init => Ok(Acted::quiet(Answer::Initialised {
                key: self.ledger.trusted_key().text().to_owned(),
                created: self.created,
            })),
            Command::Scan => {
                let scan = scan::scan(&self.repo, &self.host, progress);
                let output = self.seal(names::SCAN_REPORT, &scan.report)?;
                let status = if scan.report.unmeasured.is_empty() {
                    Status::Done
                } else {
                    Status::Partial
                };
                Ok(Acted {
                    answer: Answer::Scanned(Box::new(scan.report)),
                    status,
                    outputs: vec![output],
                    links: Vec::new(),
                })
            }
            Command::Debt(request) => debt::debt(self, request, progress),
            Command::Prove(request) => prove::prove(self, request, progress),
            Command::Replay(request) => {
                let capsule = self.capsule(&request.capsule)?;
                prove::replay(self, &capsule, request.revision.as_deref(), progress)
            }
            Command::OpenCapsule { finding } => {
                let (capsule, commitment) = self.sealed_capsule(finding)?;
                Ok(Acted::quiet(Answer::Opened {
                    capsule: Box::new(capsule),
                    commitment: commitment.to_string(),
                }))
            }
            Command::Rebuild => {
                self.store.rebuild(&self.ledger).map_err(|e| {
                    EngineError::unfinished(
                        format!("cannot rebuild: {e}"),
                        "run `solvent ledger verify`",
                    )
                })?;
                Ok(Acted::quiet(Answer::Rebuilt {
                    records: self.ledger.size(),
                }))
            }
            Command::Fix { finding } => {
                remedy::make(self, actor, finding, &Origin::Fixer, &rules, progress)
            }
            Command::Propose { finding, patch } => {
                let origin = Origin::Outside(patch.clone());
                remedy::make(self, actor, finding, &origin, &rules, progress)
            }
            Command::ReviewProof {
                finding,
                verdict,
                note,
            } => self.review_proof(finding, *verdict, note, rules),
            Command::ReplayAll { revision } => reproof::all(self, revision.as_deref(), progress),
            Command::Gate(request) => gate::gate(self, request, progress),
            Command::SetStage { stage, .. } => match found {
                Found::Stage(basis) => self.set_stage(*stage, basis, rules),
                _ => Err(lost()),
            },
            Command::Accept(request) => match found {
                Found::Owner(owner) => self.accept(actor, request, &owner),
                _ => Err(lost()),
            },
            Command::Export { .. } => match found {
                Found::Change(request) => exported(*request),
                _ => Err(lost()),
            },
            Command::Approve { signed, .. } => match found {
                Found::Change(request) => {
                    self.approve(actor, &request.id, signed.as_deref(), &rules)
                }
                _ => Err(lost()),
            },
            Command::Reject { reason, .. } => match found {
                Found::Change(request) => self.reject(actor, &request.id, reason),
                _ => Err(lost()),
            },
            Command::Merge { .. } => match found {
                Found::Merge(request, MergeStep::Advance) => merge::advance(self, &request, &rules),
                Found::Merge(request, MergeStep::Verify) => merge::verify(self, &request, progress),
                _ => Err(lost()),
            },
            Command::Evidence(request) => evidence::write(self, request),
        }
    }

    /// Asks governance, by the rules of the protected base.
    fn judge(&mut self, actor: &Actor, command: &Command) -> Result<Judged, EngineError> {
        let rules = Rules::read(self, actor)?;
        let name = self.repo.name();
        let stage = rules.adoption.stage;
        let place = match &self.repo.revision {
            Some(revision) => format!(
                "repository {name} at {}{}",
                branch::short(revision),
                if self.repo.dirty { " with changes" } else { "" }
            ),
            None => format!("folder {name}"),
        };
        let sandbox = || Target::sandbox_in(&name, stage);
        let ledger = || Target::Ledger { id: name.clone() };
        let repository = || Target::Repository { id: name.clone() };
        let flaw = |finding: &str| Target::Finding {
            id: finding.to_owned(),
            owner: rules.governance.findings_owner().map(str::to_owned),
            stage,
        };
        let (action, target, words) = match command {
            Command::Init => (Action::Init, repository(), place),
            Command::Scan | Command::Debt(_) => (Action::Scan, repository(), place),
            Command::Prove(_) => (Action::Prove, sandbox(), place),
            Command::Gate(request) => (
                match request.attack {
                    GateAttack::New => Action::Prove,
                    GateAttack::Nothing => Action::Scan,
                },
                match request.attack {
                    GateAttack::New => sandbox(),
                    GateAttack::Nothing => repository(),
                },
                format!("{place} against {}", shortened(&request.base)),
            ),
            Command::Replay(ReplayRequest { revision, .. }) | Command::ReplayAll { revision } => (
                Action::Replay,
                sandbox(),
                match revision {
                    Some(revision) => format!("repository {name} at {}", shortened(revision)),
                    None => place,
                },
            ),
            Command::OpenCapsule { finding } => (
                Action::OpenCapsule,
                Target::Capsule {
                    id: finding.clone(),
                    flaw: self.flaw_state(finding),
                },
                format!("capsule of finding {}", shortened(finding)),
            ),
            Command::Evidence(request) => (
                Action::ReadEvidence,
                flaw(&request.id),
                format!("evidence of {}", shortened(&request.id)),
            ),
            Command::Rebuild => (Action::Rebuild, ledger(), format!("projections of {name}")),
            Command::Fix { finding } | Command::Propose { finding, .. } => (
                Action::Fix,
                flaw(finding),
                format!("finding {} of {name}", shortened(finding)),
            ),
            Command::ReviewProof { finding, .. } => (
                Action::ReviewProof,
                flaw(finding),
                format!("proof of finding {}", shortened(finding)),
            ),
            Command::SetStage { stage, exemption } => {
                let asking = rules.actor(actor);
                let (decision, basis) = solvent_govern::adoption::may_set_stage(
                    &rules.governance,
                    &rules.adoption,
                    &asking,
                    &name,
                    *stage,
                    *exemption,
                );
                return Ok(Judged {
                    action: Action::SetStage,
                    decision,
                    word: action_word(command),
                    target: format!("stage {} of {name}", stage.word()),
                    rules,
                    found: Found::Stage(basis),
                    told: None,
                });
            }
            Command::Accept(request) => {
                let owner = self.risk_owner(&rules, request.owner.as_deref())?;
                let days = decision::days_until(rules.now_ms, request.expires_ms)?;
                let id = self.finding(&request.finding)?.finding.id;
                let target = Target::Acceptance {
                    finding: id.clone(),
                    owner: Some(owner.clone()),
                    days,
                    reason: if request.reason.trim().is_empty() {
                        Reason::Missing
                    } else {
                        Reason::Given
                    },
                };
                return Ok(Judged {
                    action: Action::AcceptRisk,
                    decision: ask(&rules, actor, Action::AcceptRisk, target),
                    word: action_word(command),
                    target: format!("risk of finding {id}"),
                    rules,
                    found: Found::Owner(owner),
                    told: None,
                });
            }
            Command::Export { change }
            | Command::Approve { change, .. }
            | Command::Reject { change, .. }
            | Command::Merge { change } => return self.judge_change(actor, command, change, rules),
        };
        Ok(Judged {
            action,
            decision: ask(&rules, actor, action, target),
            word: action_word(command),
            target: words,
            rules,
            found: Found::Nothing,
            told: None,
        })
    }

    fn judge_change(
        &mut self,
        actor: &Actor,
        command: &Command,
        change: &str,
        rules: Rules,
    ) -> Result<Judged, EngineError> {
        let request = self.change_request(change)?;
        let state = self.standing(&request.id, &rules)?;
        let asking = rules.actor(actor);
        let target = format!("change {}: {}", request.id, shortened(&request.title));
        let (action, word, step) = match command {
            Command::Export { .. } => (Action::Export, action_word(command), None),
            Command::Approve { .. } => (Action::Approve, action_word(command), None),
            Command::Reject { .. } => (Action::Reject, action_word(command), None),
            // The branch moved and was recorded: what is left is the attack on the result.
            _ if state.merged.is_some() => {
                (Action::Verify, "verify-merge", Some(MergeStep::Verify))
            }
            _ => (
                Action::Merge,
                action_word(command),
                Some(MergeStep::Advance),
            ),
        };
        // A crash may have come between the branch and its record. What was allowed then is finished now:
        // the decision about it is in the intent that was left open.
        let finishing = step == Some(MergeStep::Advance)
            && merge::moved_before(self, &request, &rules)?
            && self.was_allowed("merge", &request.id)?;
        let (action, word) = if finishing {
            (Action::Verify, "finish-merge")
        } else {
            (action, word)
        };
        // Who may merge may see it through.
        let at = self.at_hand(&request, &rules).ok();
        let mut decision = changes::may(&state, &rules.court(), &asking, action, at.as_ref());
        if action == Action::Verify && !decision.allowed() {
            let attack = Target::sandbox_in(&self.repo.name(), rules.adoption.stage);
            decision = ask(&rules, actor, Action::Replay, attack);
        }
        let told = (!decision.allowed())
            .then(|| refusal_of(&request, &state, &rules, &decision, at.as_ref(), action));
        Ok(Judged {
            action,
            decision,
            word,
            target,
            rules,
            told,
            found: match step {
                Some(step) => Found::Merge(Box::new(request), step),
                None => Found::Change(Box::new(request)),
            },
        })
    }

    /// Whether an earlier intent to do this to the change was allowed.
    fn was_allowed(&mut self, action: &str, change: &str) -> Result<bool, EngineError> {
        for record in self.ledger.entries(0..self.ledger.size()) {
            let body = record.map_err(|e| ledger_error(&e))?.body;
            if body.action == action
                && body.phase == Phase::Intent
                && body
                    .links
                    .iter()
                    .any(|l| l.rel == "change" && l.to == change)
                && body
                    .decision
                    .as_ref()
                    .is_some_and(|d| d.answer == record::Answer::Allow)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A flaw is closed by evidence only.
    fn flaw_state(&mut self, finding: &str) -> FlawState {
        match self.finding(finding) {
            Ok(state) if state.lifecycle.state == "closed" => FlawState::Closed,
            _ => FlawState::Open,
        }
    }

    pub(crate) fn append(&mut self, body: Body) -> Result<u64, EngineError> {
        let index = self
            .ledger
            .append(&self.host, body)
            .map_err(|e| ledger_error(&e))?;
        self.store.catch_up(&self.ledger).map_err(|e| {
            EngineError::unfinished(
                format!("recorded, but the projections could not follow: {e}"),
                "run `solvent ledger rebuild`",
            )
        })?;
        Ok(index)
    }

    /// Gives every allowed intent without a result the result that is known: that it was cut off.
    fn close_interrupted(&mut self) -> Result<(), EngineError> {
        let open = self.store.open_runs().map_err(|e| {
            EngineError::unfinished(
                format!("cannot read the projections: {e}"),
                "run `solvent ledger rebuild`",
            )
        })?;
        for intent in open {
            let body = self
                .ledger
                .record(intent)
                .map_err(|e| ledger_error(&e))?
                .body;
            self.append(Body {
                actor: record::Actor {
                    id: "recovery".to_owned(),
                    kind: record::ActorKind::System,
                    on_behalf_of: Some(body.actor.id.clone()),
                },
                phase: Phase::Result {
                    intent,
                    status: Status::Unknown,
                },
                decision: None,
                links: vec![Link {
                    rel: "recovers".to_owned(),
                    to: intent.to_string(),
                }],
                ..body
            })?;
        }
        Ok(())
    }

    /// Seals a document beside the log; the item names it in a result record.
    pub(crate) fn seal(
        &self,
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<Item, EngineError> {
        let content = serde_json::to_vec(value).map_err(|e| {
            EngineError::unfinished(format!("cannot write {name}: {e}"), "this is a defect")
        })?;
        self.seal_bytes(name, &content)
    }

    pub(crate) fn seal_bytes(&self, name: &str, content: &[u8]) -> Result<Item, EngineError> {
        let commitment = self
            .ledger
            .put_object(&self.host, content)
            .map_err(|e| ledger_error(&e))?;
        Ok(Item {
            commitment,
            name: name.to_owned(),
        })
    }

    fn capsule(&mut self, wanted: &CapsuleRef) -> Result<Capsule, EngineError> {
        match wanted {
            CapsuleRef::File(path) => read_capsule(path),
            CapsuleRef::Finding(id) => self.sealed_capsule(id).map(|(capsule, _)| capsule),
        }
    }

    /// The newest capsule of a finding, also when a later attack on it was inconclusive.
    pub(crate) fn newest_capsule(
        &mut self,
        fingerprint: &str,
    ) -> Result<Option<Capsule>, EngineError> {
        let commitments = self
            .store
            .capsules(fingerprint)
            .map_err(|e| store_failed(&e))?;
        let Some(commitment) = commitments.last().and_then(|text| Commitment::parse(text)) else {
            return Ok(None);
        };
        let bytes = self
            .ledger
            .get_object(commitment)
            .map_err(|e| ledger_error(&e))?;
        capsule::parse(&bytes).map(Some).map_err(|e| {
            EngineError::unfinished(
                format!("a sealed capsule does not read: {e}"),
                "run `solvent ledger verify`",
            )
        })
    }

    /// Seals one step of a change's life.
    pub(crate) fn seal_event(&self, event: &EventKind) -> Result<Item, EngineError> {
        let bytes = event.to_json().map_err(unsealed)?;
        self.seal_bytes(names::CHANGE_EVENT, &bytes)
    }

    /// Seals one step of adoption.
    pub(crate) fn seal_adoption(&self, event: &AdoptionKind) -> Result<Item, EngineError> {
        let bytes = event.to_json().map_err(unsealed)?;
        self.seal_bytes(names::ADOPTION_EVENT, &bytes)
    }

    pub(crate) fn sealed_capsule(
        &mut self,
        finding: &str,
    ) -> Result<(Capsule, Commitment), EngineError> {
        let state = self.finding(finding)?;
        let id = &state.finding.id;
        let commitment = state
            .proof
            .as_ref()
            .and_then(|p| p.capsule.as_deref())
            .and_then(Commitment::parse)
            .ok_or_else(|| {
                EngineError::usage(
                    format!("finding {id} has no capsule: it is not proven"),
                    "run `solvent prove` first",
                )
            })?;
        let bytes = self
            .ledger
            .get_object(commitment)
            .map_err(|e| ledger_error(&e))?;
        let capsule = capsule::parse(&bytes).map_err(|e| {
            EngineError::unfinished(
                format!("the sealed capsule of {id} does not read: {e}"),
                "run `solvent ledger verify`",
            )
        })?;
        Ok((capsule, commitment))
    }
}

impl Acted {
    fn quiet(answer: Answer) -> Self {
        Self {
            answer,
            status: Status::Done,
            outputs: Vec::new(),
            links: Vec::new(),
        }
    }
}

/// The host at a repository's root.
pub(crate) fn host_of(repo: &Repo, options: &Options) -> Result<Host, EngineError> {
    Host::open(&repo.root).map_err(|e| {
        EngineError::unfinished(
            format!("cannot open `{}`: {e}", options.path.display()),
            "is it readable?",
        )
    })
}

/// The link of records that are about a change.
pub(crate) fn about(change: &str) -> Vec<Link> {
    vec![Link {
        rel: "change".to_owned(),
        to: change.to_owned(),
    }]
}

fn ask(rules: &Rules, actor: &Actor, action: Action, target: Target) -> Decision {
    let request = Request {
        actor: rules.actor(actor),
        action,
        target,
    };
    govern::decide(rules.governance.policy(), &request)
}

/// Text of a caller as it goes into a record's target.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn exported(request: ChangeRequest) -> Result<Acted, EngineError> {
    if request.verification.verdict != "verified" {
        return Err(EngineError::usage(
            format!(
                "change {} is not verified: {}",
                request.id, request.verification.reason
            ),
            "only verified patches are taken out; propose another",
        ));
    }
    let links = about(&request.id);
    Ok(Acted {
        answer: Answer::Exported {
            change: Box::new(request),
        },
        status: Status::Done,
        outputs: Vec::new(),
        links,
    })
}

fn lost() -> EngineError {
    EngineError::unfinished(
        "the command was decided about as another one",
        "this is a defect of this build",
    )
}

fn unsealed(why: String) -> EngineError {
    EngineError::unfinished(format!("cannot record it: {why}"), "make it smaller")
}

fn open_ledger(folder: &Path, host: &Host) -> Result<(Ledger, Created), EngineError> {
    let ledger = folder.join("ledger");
    if Ledger::exists(&ledger) {
        return Ledger::open(&ledger)
            .map(|l| (l, Created::Before))
            .map_err(|e| ledger_error(&e));
    }
    std::fs::create_dir_all(folder).map_err(|e| {
        EngineError::unfinished(
            format!("cannot make the state folder `{STATE_FOLDER}`: {e}"),
            "is the repository writable?",
        )
    })?;
    // The state is this machine's: keys and sealed proofs must not be committed by accident.
    std::fs::write(folder.join(".gitignore"), "*\n").map_err(|e| {
        EngineError::unfinished(
            format!("cannot write in `{STATE_FOLDER}`: {e}"),
            "is the disk full?",
        )
    })?;
    Ledger::create(&ledger, host)
        .map(|l| (l, Created::Now))
        .map_err(|e| ledger_error(&e))
}

pub(crate) fn store_failed(error: &StoreError) -> EngineError {
    EngineError::unfinished(error.to_string(), "run `solvent ledger rebuild`")
}

pub(crate) fn ledger_error(error: &LedgerError) -> EngineError {
    EngineError::unfinished(error.to_string(), error.next_step())
}

fn read_capsule(path: &Path) -> Result<Capsule, EngineError> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| {
        EngineError::usage(
            format!("cannot read the capsule `{shown}`: {e}"),
            "give a capsule file, or the id of a proven finding",
        )
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > CAPSULE_CAP {
        return Err(EngineError::usage(
            format!("`{shown}` has {size} bytes, more than a capsule can have ({CAPSULE_CAP})"),
            "is this a capsule?",
        ));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    capsule::parse(&bytes).map_err(|e| {
        EngineError::usage(
            format!("`{shown}` is not a whole capsule: {e}"),
            "write it again with `solvent show ID --open --save FILE`",
        )
    })
}

fn action_word(command: &Command) -> &'static str {
    match command {
        Command::Init => "init",
        Command::Scan => "scan",
        Command::Debt(_) => "debt",
        Command::Prove(_) => "prove",
        Command::Replay(_) => "replay",
        Command::OpenCapsule { .. } => "open-capsule",
        Command::Rebuild => "rebuild",
        Command::Fix { .. } => "fix",
        Command::Propose { .. } => "propose",
        Command::Export { .. } => "export",
        Command::Approve { .. } => "approve",
        Command::Reject { .. } => "reject",
        Command::Merge { .. } => "merge",
        Command::ReviewProof { .. } => "review-proof",
        Command::SetStage { .. } => "set-stage",
        Command::Accept(_) => "accept",
        Command::ReplayAll { .. } => "replay-all",
        Command::Gate(_) => "gate",
        Command::Evidence(_) => solvent_protocol::evidence::EXPORT_ACTION,
    }
}
