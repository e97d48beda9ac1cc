//! Fix, propose, review, decide, merge, accept, gate: ask the engine, choose the words and the exit code.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use clap::{Args, ValueEnum};
use serde_json::json;
use solvent_engine::command::{AcceptRequest, GateAttack, GateRequest};
use solvent_engine::govern::signature::SoftwareKey;
use solvent_engine::govern::{Action, Exemption};
use solvent_engine::remedy::read_patch;
use solvent_engine::{Answer, Command, EngineError, Progress, instant};
use solvent_protocol::adoption::{ProofVerdict, Stage};
use solvent_protocol::approval::{ApprovalStatement, NAMESPACE, Presence, SignedApproval};
use solvent_protocol::remediation::{ChangeRequest, GateReport, MergeReport, StageReport};
use solvent_report::{sarif, text};

use crate::args::{Common, ReplayWhere, Where};
use crate::commands::{actor, git, open, open_at, read_text, to_json, unexpected};
use crate::exit::Exit;
use crate::out::{Done, width};

#[derive(Args, Debug)]
pub struct FixArgs {
    /// The finding's id, or the start of it; it must be proven
    pub finding: String,
    #[command(flatten)]
    pub place: ReplayWhere,
}

#[derive(Args, Debug)]
pub struct ProposeArgs {
    /// The finding's id, or the start of it; it must be proven
    pub finding: String,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// A unified diff upon the protected branch, from any tool, agent or person
    #[arg(long, value_name = "FILE")]
    pub patch: PathBuf,
}

/// A change of this repository.
#[derive(Args, Debug)]
pub struct ChangeArgs {
    /// The change's id, or the start of it
    pub change: String,
    #[command(flatten)]
    pub place: ReplayWhere,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Where to write the patch; standard output when left away
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ApproveArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Sign with this SSH key: a private key file, or the file of a key on a token
    #[arg(long, value_name = "FILE", conflicts_with = "statement")]
    pub key: Option<PathBuf>,
    /// A signature made elsewhere over the text of `--statement`, by the key in `--public-key`
    #[arg(long, value_name = "FILE", requires_all = ["public_key", "signed"], conflicts_with_all = ["key", "statement"])]
    pub signature: Option<PathBuf>,
    /// The public key that made `--signature`
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// The text that `--signature` signed
    #[arg(long, value_name = "FILE")]
    pub signed: Option<PathBuf>,
    /// Print the text to sign, and nothing else
    #[arg(long)]
    pub statement: bool,
}

#[derive(Args, Debug)]
pub struct RejectArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Why, for whoever proposed it
    #[arg(long)]
    pub reason: String,
}

#[derive(Args, Debug)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub change: ChangeArgs,
    /// What would be done
    #[arg(value_enum, default_value_t = ExplainAction::Merge)]
    pub action: ExplainAction,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExplainAction {
    Propose,
    Approve,
    Reject,
    Merge,
    Export,
}

#[derive(Args, Debug)]
pub struct StageArgs {
    /// The stage to set: observe, prove, remediate-low-risk, remediate-more; shows the present one when left away
    pub stage: Option<String>,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// Go on without twenty reviewed proofs: for a demo or a person alone, and it is recorded
    #[arg(long)]
    pub without_reviews: bool,
}

#[derive(Args, Debug)]
pub struct ReviewProofArgs {
    /// The proven finding's id, or the start of it
    pub finding: String,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// What you say of the proof
    #[arg(long, value_enum)]
    pub verdict: VerdictArg,
    /// In your words; needed for a dispute
    #[arg(long, default_value = "")]
    pub note: String,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerdictArg {
    Upheld,
    Disputed,
}

#[derive(Args, Debug)]
pub struct AcceptArgs {
    /// The finding's id, or the start of it
    pub finding: String,
    #[command(flatten)]
    pub place: ReplayWhere,
    /// Why this risk is kept
    #[arg(long)]
    pub reason: String,
    /// The last day (YYYY-MM-DD) or the moment (RFC 3339) for which it is kept
    #[arg(long, value_name = "DATE")]
    pub expires: String,
    /// What stands in for a fix meanwhile
    #[arg(long)]
    pub control: String,
    /// Whose risk it is, where the policy does not say; never you
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
}

#[derive(Args, Debug)]
pub struct GateArgs {
    #[command(flatten)]
    pub place: Where,
    /// The protected branch, as it is where the change is to be merged
    #[arg(long, value_name = "REV")]
    pub base: String,
    /// Do not attack what is new; it is unmeasured then
    #[arg(long)]
    pub no_attack: bool,
    /// Write what is new as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Add a Markdown summary to this file, as `$GITHUB_STEP_SUMMARY` wants it
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
}

pub fn fix(args: &FixArgs, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    let command = Command::Fix {
        finding: args.finding.clone(),
    };
    changed(&args.place, &command, common, progress)
}

pub fn propose(
    args: &ProposeArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let command = Command::Propose {
        finding: args.finding.clone(),
        patch: read_patch(&args.patch)?,
    };
    changed(&args.place, &command, common, progress)
}

fn changed(
    place: &ReplayWhere,
    command: &Command,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(place)?;
    let Answer::Changed(request) = engine.submit(&actor(common)?, command, progress)? else {
        return Err(unexpected());
    };
    let mut human = text::change(&request, width()).ansi();
    human.push_str(&after(&request));
    Ok(Done {
        exit: change_exit(&request),
        human,
        json: to_json(&*request)?,
    })
}

/// Verified is done; a patch that fell is a finding; what could not be tried is a gap.
pub fn change_exit(request: &ChangeRequest) -> Exit {
    match request.verification.verdict.as_str() {
        "verified" => Exit::Clean,
        "rejected" => Exit::Findings,
        _ => Exit::Unmeasured,
    }
}

fn after(request: &ChangeRequest) -> String {
    let id = &request.id;
    match &request.not_proposed {
        None => format!("\nProposed. Next: solvent review {id}\n"),
        Some(why) if request.verification.verdict == "verified" => format!(
            "\nVerified, and kept for export: solvent export {id} --out fix.patch\nNot proposed for merging: {why}\n"
        ),
        Some(_) => String::new(),
    }
}

pub fn changes(place: &Where, common: &Common) -> Result<Done, EngineError> {
    let list = open(&place.path, git(place.no_git))?.changes(&actor(common)?)?;
    Ok(Done {
        exit: Exit::Clean,
        human: text::changes(&list, width()).ansi(),
        json: to_json(&list)?,
    })
}

pub fn review(args: &ChangeArgs, common: &Common) -> Result<Done, EngineError> {
    let report = open_at(&args.place)?.review(&actor(common)?, &args.change)?;
    Ok(Done {
        exit: Exit::Clean,
        human: text::review(&report, width()).ansi(),
        json: to_json(&report)?,
    })
}

pub fn export(
    args: &ExportArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.change.place)?;
    let command = Command::Export {
        change: args.change.change.clone(),
    };
    let Answer::Exported { change } = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    let human = match &args.out {
        None => change.diff.clone(),
        Some(path) => {
            write(path, change.diff.as_bytes())?;
            format!(
                "Wrote {}. Apply it with: git apply {}\n",
                path.display(),
                path.display()
            )
        }
    };
    Ok(Done {
        exit: Exit::Clean,
        human,
        json: to_json(&*change)?,
    })
}

pub fn approve(
    args: &ApproveArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.change.place)?;
    let actor = actor(common)?;
    if args.statement {
        let statement = engine.statement(&actor, &args.change.change)?;
        let text = spelt(&statement)?;
        return Ok(Done {
            exit: Exit::Clean,
            json: json!({"schema": "solvent.statement/v1", "statement": text}),
            human: text,
        });
    }
    let signed = match (&args.key, &args.signature, &args.public_key, &args.signed) {
        (Some(key), ..) => Some(sign(&engine.statement(&actor, &args.change.change)?, key)?),
        (None, Some(signature), Some(key), Some(signed)) => Some(SignedApproval {
            statement: ApprovalStatement::parse(read_text(signed)?.as_bytes()).map_err(|e| {
                EngineError::usage(
                    e.to_string(),
                    "give the text of `--statement` as it was printed",
                )
            })?,
            key: public_key(key)?,
            signature: read_text(signature)?,
            presence: Presence::NotShown,
        }),
        // Nothing to sign with: the door still answers, and says what is missing.
        _ => None,
    };
    let command = Command::Approve {
        change: args.change.change.clone(),
        signed: signed.map(Box::new),
    };
    let Answer::Approved(note) = engine.submit(&actor, &command, progress)? else {
        return Err(unexpected());
    };
    let human = format!(
        "Approved by {} with {}, presence {}.\nNext: solvent merge {}\n",
        note.by,
        note.key,
        note.presence.replace('_', " "),
        args.change.change
    );
    Ok(Done {
        exit: Exit::Clean,
        human,
        json: to_json(&*note)?,
    })
}

fn spelt(statement: &ApprovalStatement) -> Result<String, EngineError> {
    statement
        .to_bytes()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(unexpected)
}

/// Signs with a key file: ours when it is plain, OpenSSH's own tool for passphrases, agents and tokens.
fn sign(statement: &ApprovalStatement, key: &Path) -> Result<SignedApproval, EngineError> {
    let text = read_text(key)?;
    if let Ok(plain) = SoftwareKey::parse(&text) {
        return plain
            .approve(statement.clone(), Presence::NotShown)
            .map_err(|e| EngineError::unfinished(format!("cannot sign: {e}"), "try another key"));
    }
    let failed = |why: String| {
        EngineError::unfinished(
            format!("`ssh-keygen` could not sign: {why}"),
            "sign the text of `--statement` yourself and give `--signature`, `--public-key` and `--signed`",
        )
    };
    let mut child = Process::new("ssh-keygen")
        .args(["-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(spelt(statement)?.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed("it said so above".to_owned()));
    }
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    Ok(SignedApproval {
        statement: statement.clone(),
        key: public_key(Path::new(&public))?,
        signature: String::from_utf8_lossy(&output.stdout).into_owned(),
        presence: Presence::NotShown,
    })
}

fn public_key(path: &Path) -> Result<String, EngineError> {
    Ok(read_text(path)?.trim().to_owned())
}

pub fn reject(
    args: &RejectArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.change.place)?;
    let command = Command::Reject {
        change: args.change.change.clone(),
        reason: args.reason.clone(),
    };
    let Answer::Rejected(rejection) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    Ok(Done {
        exit: Exit::Clean,
        human: format!(
            "Rejected change {}: {}\n",
            rejection.change, rejection.reason
        ),
        json: to_json(&*rejection)?,
    })
}

pub fn merge(
    args: &ChangeArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.place)?;
    let report = engine.merge(&actor(common)?, &args.change, progress)?;
    Ok(Done {
        exit: merge_exit(&report),
        human: text::merge(&report, width()).ansi(),
        json: to_json(&report)?,
    })
}

pub fn merge_exit(report: &MergeReport) -> Exit {
    match report.outcome.as_str() {
        "closed" => Exit::Clean,
        "reopened" => Exit::Findings,
        _ => Exit::Unmeasured,
    }
}

pub fn explain(args: &ExplainArgs, common: &Common) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.change.place)?;
    let action = match args.action {
        ExplainAction::Propose => Action::Propose,
        ExplainAction::Approve => Action::Approve,
        ExplainAction::Reject => Action::Reject,
        ExplainAction::Merge => Action::Merge,
        ExplainAction::Export => Action::Export,
    };
    let (decision, refusal) = engine.explain(&actor(common)?, &args.change.change, action)?;
    let (sentence, pass) = match &refusal {
        Some(refusal) => (refusal.message.clone(), vec![refusal.hint.clone()]),
        None => (decision.sentence(), decision.pass.clone()),
    };
    let mut human = format!("{sentence}\n");
    for rule in &decision.rules {
        human.push_str(&format!("  rule     {}\n", rule.id));
    }
    for miss in &decision.near_misses {
        human.push_str(&format!(
            "  nearly   {}: wants {}\n",
            miss.rule.id,
            miss.missing.join(", ")
        ));
    }
    for pass in &pass {
        human.push_str(&format!("  to pass  {pass}\n"));
    }
    human.push_str(&format!("  policy   {}\n", decision.policy));
    Ok(Done {
        exit: if decision.allowed() {
            Exit::Clean
        } else {
            Exit::Refused
        },
        human,
        json: json!({
            "schema": "solvent.explain/v1",
            "allowed": decision.allowed(),
            "sentence": sentence,
            "rules": decision.rules.iter().map(|r| &r.id).collect::<Vec<_>>(),
            "pass": pass,
            "policy": decision.policy.to_string(),
        }),
    })
}

pub fn stage(
    args: &StageArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let stage = args
        .stage
        .as_deref()
        .map(|word| {
            Stage::parse(word).ok_or_else(|| {
                let words: Vec<&str> = Stage::ALL.iter().map(|s| s.word()).collect();
                EngineError::usage(
                    format!("there is no stage `{word}`"),
                    format!(
                        "one of {}; a repository is named with `--repo`",
                        words.join(", ")
                    ),
                )
            })
        })
        .transpose()?;
    let mut engine = open_at(&args.place)?;
    let actor = actor(common)?;
    let report = match stage {
        None => engine.stage(&actor)?,
        Some(stage) => {
            let command = Command::SetStage {
                stage,
                exemption: if args.without_reviews {
                    Exemption::Asked
                } else {
                    Exemption::None
                },
            };
            let Answer::StageSet(report) = engine.submit(&actor, &command, progress)? else {
                return Err(unexpected());
            };
            *report
        }
    };
    Ok(Done {
        exit: Exit::Clean,
        human: stage_text(&report),
        json: to_json(&report)?,
    })
}

fn stage_text(report: &StageReport) -> String {
    format!(
        "stage     {}\nrests on  {}\nreviews   {} proofs reviewed, {} disputed\nnext      {}\n",
        report.stage, report.basis, report.reviewed, report.disputed, report.next
    )
}

pub fn review_proof(
    args: &ReviewProofArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.place)?;
    let command = Command::ReviewProof {
        finding: args.finding.clone(),
        verdict: match args.verdict {
            VerdictArg::Upheld => ProofVerdict::Upheld,
            VerdictArg::Disputed => ProofVerdict::Disputed,
        },
        note: args.note.clone(),
    };
    let Answer::ProofReviewed { finding, stage, .. } =
        engine.submit(&actor(common)?, &command, progress)?
    else {
        return Err(unexpected());
    };
    Ok(Done {
        exit: Exit::Clean,
        human: format!(
            "Recorded your word on the proof of {finding}.\n{}",
            stage_text(&stage)
        ),
        json: json!({"schema": "solvent.proof-review/v1", "finding": finding, "stage": to_json(&*stage)?}),
    })
}

pub fn accept(
    args: &AcceptArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(&args.place)?;
    let command = Command::Accept(AcceptRequest {
        finding: args.finding.clone(),
        reason: args.reason.clone(),
        control: args.control.clone(),
        expires_ms: instant(&args.expires)?,
        owner: args.owner.clone(),
    });
    let Answer::Accepted(acceptance) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    Ok(Done {
        exit: Exit::Clean,
        human: format!(
            "Accepted until {}: finding {} reopens then, on a new proof, or when its exposure changes.\n",
            solvent_report::words::time(acceptance.expires_ms),
            acceptance.finding
        ),
        json: to_json(&*acceptance)?,
    })
}

pub fn replay_all(
    place: &ReplayWhere,
    revision: Option<String>,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open_at(place)?;
    let command = Command::ReplayAll { revision };
    let Answer::ReplayedAll(report) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    let gaps = if report.unmeasured.is_empty() {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    let works = report.results.iter().any(|r| r.outcome == "proven");
    Ok(Done {
        exit: if works {
            gaps.and(Exit::Findings)
        } else {
            gaps
        },
        human: text::replay_all(&report, width()).ansi(),
        json: to_json(&*report)?,
    })
}

pub fn gate(
    args: &GateArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let mut engine = open(&args.place.path, git(args.place.no_git))?;
    let command = Command::Gate(GateRequest {
        base: args.base.clone(),
        attack: if args.no_attack {
            GateAttack::Nothing
        } else {
            GateAttack::New
        },
    });
    let Answer::Gated { report, scan } = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    if let Some(path) = &args.sarif {
        write(path, sarif::gate(&report, &scan).as_bytes())?;
    }
    if let Some(path) = &args.summary {
        append(path, &text::gate_markdown(&report))?;
    }
    Ok(Done {
        exit: gate_exit(&report),
        human: text::gate(&report, width()).ansi(),
        json: to_json(&*report)?,
    })
}

/// One code for each of the three answers.
fn gate_exit(report: &GateReport) -> Exit {
    match report.answer.as_str() {
        "pass" => Exit::Clean,
        "fail" => Exit::Findings,
        _ => Exit::Unmeasured,
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    fs::write(path, bytes).map_err(|e| {
        EngineError::unfinished(
            format!("cannot write `{}`: {e}", path.display()),
            "give a file in a folder that you can write",
        )
    })
}

pub fn append(path: &Path, text: &str) -> Result<(), EngineError> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| {
            EngineError::unfinished(
                format!("cannot write `{}`: {e}", path.display()),
                "give a file in a folder that you can write",
            )
        })
}
