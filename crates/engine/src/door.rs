//! The one door: decide, record the intent, act, record the result, fold.

use std::path::{Path, PathBuf};

use solvent_govern::{self as govern, Action, FlawState, Policy, Request, Target};
use solvent_host::Host;
use solvent_ledger::{Ledger, LedgerError};
use solvent_protocol::adoption::Stage;
use solvent_protocol::capsule::{self, Capsule};
use solvent_protocol::record::{self, Body, Commitment, Item, Link, Phase, Status};
use solvent_sandbox::Launcher;
use solvent_store::{SqliteStore, Store as _, names};

use crate::command::{Actor, ActorKind, Answer, CapsuleRef, Command, Created};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::repo::{Git, Repo, STATE_FOLDER};
use crate::{evidence, prove, scan};

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
    policy: Policy,
    created: Created,
}

/// What acting gave: the answer, and what to seal beside the result record.
pub(crate) struct Acted {
    pub answer: Answer,
    pub status: Status,
    /// What was sealed beside the record.
    pub outputs: Vec<Item>,
}

impl Engine {
    /// Opens the state of the repository, making it when there is none. Actions that a crash cut off are
    /// closed with a result that says so, and the projections are brought up to the ledger.
    pub fn open(options: Options) -> Result<Self, EngineError> {
        let repo = Repo::open(&options.path, options.git)?;
        let host = Host::open(&repo.root).map_err(|e| {
            EngineError::unfinished(
                format!("cannot open `{}`: {e}", options.path.display()),
                "is it readable?",
            )
        })?;
        let folder = repo.root.join(STATE_FOLDER);
        let (ledger, created) = open_ledger(&folder, &host)?;
        let store =
            SqliteStore::open(&folder.join("projections.sqlite"), &ledger).map_err(|e| {
                EngineError::unfinished(
                    format!("cannot open the projections: {e}"),
                    "run `solvent ledger rebuild`",
                )
            })?;
        let policy = Policy::builtin().map_err(|e| {
            EngineError::unfinished(
                format!("the built-in policy does not load: {e:?}"),
                "this is a defect of this build",
            )
        })?;
        let mut engine = Self {
            repo,
            host,
            options,
            ledger,
            store,
            policy,
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
        let (action, target, target_words) = self.asked(command)?;
        let who = govern::Actor {
            kind: match actor.kind {
                ActorKind::Human => record::ActorKind::Human,
                ActorKind::Agent => record::ActorKind::Agent,
            },
            ..govern::Actor::owner(&actor.id)
        };
        let who = if actor.kind == ActorKind::Agent {
            govern::Actor {
                roles: std::collections::BTreeSet::from(["tester".to_owned()]),
                ..who
            }
        } else {
            who
        };
        let decision = govern::decide(
            &self.policy,
            &Request {
                actor: who,
                action,
                target,
            },
        );
        let body = Body {
            actor: recorded(actor),
            action: action_word(command).to_owned(),
            target: target_words,
            phase: Phase::Intent,
            inputs: Vec::new(),
            outputs: Vec::new(),
            decision: Some(decision.note()),
            links: Vec::new(),
        };
        let intent = self.append(body.clone())?;
        if !decision.allowed() {
            return Err(EngineError::refused(
                decision.sentence(),
                decision.pass.join("; "),
            ));
        }
        let acted = self.act(command, progress);
        let (status, outputs) = match &acted {
            Ok(acted) => (acted.status, acted.outputs.clone()),
            Err(_) => (Status::Failed, Vec::new()),
        };
        let result = Body {
            phase: Phase::Result { intent, status },
            outputs,
            decision: None,
            ..body
        };
        self.append(result)?;
        evidence::finish(self, acted?.answer)
    }

    fn act(&mut self, command: &Command, progress: &dyn Progress) -> Result<Acted, EngineError> {
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
                })
            }
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
            Command::Evidence(request) => evidence::write(self, request),
        }
    }

    /// The action and target that policy decides about, and the words for the record.
    fn asked(&self, command: &Command) -> Result<(Action, Target, String), EngineError> {
        let name = self.repo.name();
        let place = match &self.repo.revision {
            Some(revision) => format!(
                "repository {name} at {}{}",
                &revision[..revision.len().min(12)],
                if self.repo.dirty { " with changes" } else { "" }
            ),
            None => format!("folder {name}"),
        };
        let repository = || Target::Repository { id: name.clone() };
        let ledger = || Target::Ledger { id: name.clone() };
        Ok(match command {
            Command::Init => (Action::Init, repository(), place),
            Command::Scan => (Action::Scan, repository(), place),
            Command::Prove(_) => (Action::Prove, Target::sandbox(&name), place),
            Command::Replay(request) => (
                Action::Replay,
                Target::sandbox(&name),
                match &request.revision {
                    Some(revision) => format!("repository {name} at {revision}"),
                    None => place,
                },
            ),
            Command::OpenCapsule { finding } => (
                Action::OpenCapsule,
                Target::Capsule {
                    id: finding.clone(),
                    flaw: FlawState::Open,
                },
                format!("capsule of finding {finding}"),
            ),
            Command::Evidence(request) => (
                Action::ReadEvidence,
                Target::Finding {
                    id: request.id.clone(),
                    owner: None,
                    stage: Stage::Prove,
                },
                format!("evidence of {}", request.id),
            ),
            Command::Rebuild => (Action::Rebuild, ledger(), format!("projections of {name}")),
        })
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

    fn sealed_capsule(&mut self, finding: &str) -> Result<(Capsule, Commitment), EngineError> {
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

impl Engine {
    /// Writes a first `solvent.toml` when there is none and a way to start the application was found;
    /// returns how it starts.
    pub fn first_recipe(&self) -> Result<Option<String>, EngineError> {
        let path = self.repo.root.join(solvent_prove::recipe::FILE_NAME);
        if path.exists() {
            return Ok(None);
        }
        let Ok(recipe) = solvent_prove::infer(&self.repo.root, &[]) else {
            return Ok(None);
        };
        std::fs::write(&path, recipe.public_text()).map_err(|e| {
            EngineError::unfinished(
                format!("cannot write `solvent.toml`: {e}"),
                "is the repository writable?",
            )
        })?;
        Ok(Some(recipe.start.to_string()))
    }
}

impl Acted {
    fn quiet(answer: Answer) -> Self {
        Self {
            answer,
            status: Status::Done,
            outputs: Vec::new(),
        }
    }
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

fn recorded(actor: &Actor) -> record::Actor {
    record::Actor {
        id: actor.id.clone(),
        kind: match actor.kind {
            ActorKind::Human => record::ActorKind::Human,
            ActorKind::Agent => record::ActorKind::Agent,
        },
        on_behalf_of: None,
    }
}

fn action_word(command: &Command) -> &'static str {
    match command {
        Command::Init => "init",
        Command::Scan => "scan",
        Command::Prove(_) => "prove",
        Command::Replay(_) => "replay",
        Command::OpenCapsule { .. } => "open-capsule",
        Command::Rebuild => "rebuild",
        Command::Evidence(_) => solvent_protocol::evidence::EXPORT_ACTION,
    }
}
