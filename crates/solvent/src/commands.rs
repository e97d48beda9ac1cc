//! One function per command: ask the engine, choose the words, choose the exit code.

use std::path::{Path, PathBuf};

use serde_json::json;
use solvent_engine::command::{Attack, CapsuleRef, ProveRequest, ReplayRequest};
use solvent_engine::repo::Git;
use solvent_engine::{
    Actor, Answer, Command, Created, Engine, EngineError, FirstRecipe, Options, Progress, Reader,
};
use solvent_protocol::capsule;
use solvent_protocol::record::VerifyReport;
use solvent_protocol::view::{FindingList, ProveReport, ScanReport, ShowReport};
use solvent_report::{html::Html, sarif::Sarif, text};
use solvent_sandbox::{Launcher, Tier};

use crate::args::{
    AttackArg, Cli, Cmd, Common, FindingsArgs, LedgerArgs, LedgerCmd, LogArgs, ProveArgs,
    ReplayArgs, ReplayWhere, ReportArgs, ShowArgs, StatusArgs, Then, Where,
};
use crate::exit::Exit;
use crate::out::{Done, width};
use crate::progress::Terminal;
use crate::{demo, evidence, remedy};

/// Faults shown one by one before the rest is counted.
const SHOWN_FAULTS: usize = 20;

/// Bytes of a key or checkpoint file that are read.
const NOTE_CAP: u64 = 1 << 20;

pub fn run(cli: Cli, progress: &Terminal) -> Result<Done, EngineError> {
    let common = cli.common;
    match cli.command {
        Cmd::Demo(args) => demo::demo(&args, &common, progress),
        Cmd::Init(args) => init(&args.place, &common, progress),
        Cmd::Doctor => doctor(),
        Cmd::Scan(args) => match &args.changed {
            Some(base) => crate::impact::changed(&args, base, progress),
            None => scan(&args.place, &common, progress),
        },
        Cmd::Impact(args) => crate::impact::impact(&args, progress),
        Cmd::Graph(args) => crate::graph::graph(&args, progress),
        Cmd::Watch(place) => crate::watch::watch(&place, &common, progress),
        Cmd::Debt(args) => crate::debt::debt(&args, &common, progress),
        Cmd::Prove(args) => prove(&args, &common, progress),
        Cmd::Replay(args) => replay(args, &common, progress),
        Cmd::Status(args) => status(&args),
        Cmd::Findings(args) => findings(&args),
        Cmd::Show(args) => show(&args, &common, progress),
        Cmd::Log(args) => log(&args),
        Cmd::Report(args) => report(&args),
        Cmd::Fix(args) => remedy::fix(&args, &common, progress),
        Cmd::Propose(args) => remedy::propose(&args, &common, progress),
        Cmd::Changes(place) => remedy::changes(&place, &common),
        Cmd::Review(args) => remedy::review(&args, &common),
        Cmd::Export(args) => remedy::export(&args, &common, progress),
        Cmd::Approve(args) => remedy::approve(&args, &common, progress),
        Cmd::Reject(args) => remedy::reject(&args, &common, progress),
        Cmd::Merge(args) => remedy::merge(&args, &common, progress),
        Cmd::Explain(args) => remedy::explain(&args, &common),
        Cmd::Stage(args) => remedy::stage(&args, &common, progress),
        Cmd::ReviewProof(args) => remedy::review_proof(&args, &common, progress),
        Cmd::Accept(args) => remedy::accept(&args, &common, progress),
        Cmd::Gate(args) => remedy::gate(&args, &common, progress),
        Cmd::Evidence(args) => evidence::evidence(args, &common, progress),
        Cmd::Ledger(args) => ledger(args, &common, progress),
    }
}

fn init(place: &Where, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    let mut engine = open(&place.path, git(place.no_git))?;
    let Answer::Initialised { key, created } =
        engine.submit(&actor(common)?, &Command::Init, progress)?
    else {
        return Err(unexpected());
    };
    let recipe = engine.first_recipe()?;
    let mut human = String::new();
    human.push_str(match created {
        Created::Now => {
            "Made .solvent/ (ignored by git): the ledger, its keys and sealed proofs.\n"
        }
        Created::Before => ".solvent/ is there already; nothing in it was changed.\n",
    });
    human.push_str(&match &recipe {
        FirstRecipe::Written(start) => format!("Wrote solvent.toml, which starts `{start}`. Read it: it says how your application runs.\n"),
        FirstRecipe::Before => "solvent.toml is there already; it was not changed.\n".to_owned(),
        FirstRecipe::NotFound(reason) => format!(
            "No solvent.toml was written: {reason}. To prove anything, write one (docs/target.md):\n  [target.start]\n  app = \"MODULE:APP\"\n"
        ),
    });
    let recipe = match recipe {
        FirstRecipe::Written(start) => Some(start),
        FirstRecipe::Before | FirstRecipe::NotFound(_) => None,
    };
    human.push_str(&format!(
        "\nKeep this key outside this machine; with it anyone can check the ledger:\n  {key}\n\nNext: solvent doctor, then solvent prove\n"
    ));
    Ok(Done {
        exit: Exit::Clean,
        human,
        json: json!({"schema": "solvent.init/v1", "key": key, "created": created == Created::Now, "recipe": recipe}),
    })
}

fn doctor() -> Result<Done, EngineError> {
    let report = solvent_sandbox::probe(&Launcher::current());
    let (word, exit) = match report.tier {
        Tier::Native => ("native: everything can be proven here", Exit::Clean),
        Tier::Landlock => (
            "landlock only: nothing is attacked on this machine yet",
            Exit::Unmeasured,
        ),
        Tier::None => (
            "none: nothing is attacked on this machine",
            Exit::Unmeasured,
        ),
    };
    let exit = if report.cannot.is_empty() {
        exit
    } else {
        exit.and(Exit::Unmeasured)
    };
    let mut human = format!("Sandbox tier  {word}\n");
    for fact in &report.facts {
        human.push_str(&format!("  {:<22} {}\n", fact.name, fact.seen));
    }
    for line in &report.cannot {
        human.push_str(&format!("Cannot: {line}\n"));
    }
    for line in &report.hints {
        human.push_str(&format!("Next:   {line}\n"));
    }
    let facts: Vec<_> = report
        .facts
        .iter()
        .map(|f| json!({"name": f.name, "seen": f.seen}))
        .collect();
    Ok(Done {
        exit,
        human,
        json: json!({
            "schema": "solvent.doctor/v1",
            "tier": format!("{:?}", report.tier).to_lowercase(),
            "cannot": report.cannot,
            "hints": report.hints,
            "facts": facts,
        }),
    })
}

fn scan(place: &Where, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    let mut engine = open(&place.path, git(place.no_git))?;
    let Answer::Scanned(report) = engine.submit(&actor(common)?, &Command::Scan, progress)? else {
        return Err(unexpected());
    };
    Ok(Done {
        exit: scan_exit(&report),
        human: text::scan(&report, width()).ansi(),
        json: to_json(&*report)?,
    })
}

pub fn scan_exit(report: &ScanReport) -> Exit {
    let reachable = report
        .findings
        .iter()
        .any(|f| f.verdict.word == "reachable");
    let gaps = if report.unmeasured.is_empty() {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    if reachable {
        gaps.and(Exit::Findings)
    } else {
        gaps
    }
}

fn prove(args: &ProveArgs, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    let mut engine = open(&args.place.path, git(args.place.no_git))?;
    let attack = match args.attack {
        AttackArg::Reachable => Attack::Findings(args.findings.clone()),
        AttackArg::Everything => Attack::Everything {
            routes: args.routes.clone(),
        },
    };
    let request = ProveRequest {
        attack,
        max_requests: args.max_requests,
        max_seconds: args.max_seconds,
    };
    let Answer::Proved(report) =
        engine.submit(&actor(common)?, &Command::Prove(request), progress)?
    else {
        return Err(unexpected());
    };
    Ok(Done {
        exit: prove_exit(&report),
        human: text::prove(&report, width()).ansi(),
        json: to_json(&*report)?,
    })
}

/// Proven is over policy; anything that could not be attacked as planned is a gap.
pub fn prove_exit(report: &ProveReport) -> Exit {
    let proven = report.proofs.iter().any(|p| p.outcome == "proven");
    let gaps = if report.unmeasured.is_empty() {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    if proven {
        gaps.and(Exit::Findings)
    } else {
        gaps
    }
}

fn replay(args: ReplayArgs, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    let Some(wanted) = args.capsule else {
        return remedy::replay_all(&args.place, args.rev, common, progress);
    };
    let mut engine = open(&args.place.path, git(args.place.no_git))?;
    let looks_like_id = wanted.len() >= 4 && wanted.bytes().all(|b| b.is_ascii_hexdigit());
    let capsule = if looks_like_id && !Path::new(&wanted).exists() {
        CapsuleRef::Finding(wanted)
    } else {
        CapsuleRef::File(PathBuf::from(wanted))
    };
    let command = Command::Replay(ReplayRequest {
        capsule,
        revision: args.rev,
    });
    let Answer::Replayed(report) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    let exit = match report.outcome.as_str() {
        "proven" => Exit::Findings,
        "not_reproduced" => Exit::Clean,
        _ => Exit::Unmeasured,
    };
    Ok(Done {
        exit,
        human: text::replay(&report, width()).ansi(),
        json: to_json(&*report)?,
    })
}

fn status(args: &StatusArgs) -> Result<Done, EngineError> {
    let mut reader = read(&args.place, &args.then)?;
    let report = reader.view()?.status()?;
    let exit = if report.proven > 0 {
        Exit::Findings
    } else if report.unmeasured.is_empty()
        && report.not_attempted == 0
        && report.scanned_ms.is_some()
    {
        Exit::Clean
    } else {
        Exit::Unmeasured
    };
    Ok(Done {
        exit,
        human: text::status(&report, width()).ansi(),
        json: to_json(&report)?,
    }
    .dated(reader.moment()))
}

fn findings(args: &FindingsArgs) -> Result<Done, EngineError> {
    let mut reader = read(&args.place, &args.then)?;
    let mut list = reader.view()?.findings()?;
    let hidden = hide_unreachable(&mut list, args.all);
    let mut human = text::findings(&list, width()).ansi();
    if hidden > 0 {
        human.push_str(&format!("\n{hidden} more that nothing can reach: --all\n"));
    }
    Ok(Done {
        exit: Exit::Clean,
        human,
        json: to_json(&list)?,
    }
    .dated(reader.moment()))
}

/// Takes `no_path` findings out unless all are asked for; returns how many.
fn hide_unreachable(list: &mut FindingList, all: bool) -> usize {
    let before = list.findings.len();
    if !all {
        list.findings
            .retain(|f| f.finding.verdict.word != "no_path");
    }
    before - list.findings.len()
}

fn show(args: &ShowArgs, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    if !args.open {
        let mut reader = read(&args.place.as_place(), &args.then)?;
        let shown = reader.view()?.show(&args.finding)?;
        return Ok(show_done(&shown, &args.place)?.dated(reader.moment()));
    }
    let mut engine = open_at(&args.place)?;
    let mut shown = engine.show(&args.finding)?;
    let finding = shown.state.finding.id.clone();
    let command = Command::OpenCapsule { finding };
    let Answer::Opened { capsule, .. } = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    shown.curl = Some(solvent_engine::curl(&capsule));
    if let Some(path) = &args.save {
        write(path, capsule::render(&capsule).as_bytes())?;
    }
    shown.records = engine.show(&args.finding)?.records;
    show_done(&shown, &args.place)
}

fn show_done(shown: &ShowReport, place: &ReplayWhere) -> Result<Done, EngineError> {
    let mut here = String::new();
    if place.path != Path::new(".") {
        here.push_str(&format!(" --repo {}", place.path.display()));
    }
    if place.no_git {
        here.push_str(" --no-git");
    }
    Ok(Done {
        exit: Exit::Clean,
        human: text::show(shown, &here, width()).ansi(),
        json: to_json(shown)?,
    })
}

fn log(args: &LogArgs) -> Result<Done, EngineError> {
    let mut reader = read(&args.place, &args.then)?;
    let report = reader.view()?.log(args.last as u64)?;
    Ok(Done {
        exit: Exit::Clean,
        human: text::log(&report, width()).ansi(),
        json: to_json(&report)?,
    }
    .dated(reader.moment()))
}

fn report(args: &ReportArgs) -> Result<Done, EngineError> {
    if args.html.is_none() && args.sarif.is_none() {
        return Err(EngineError::usage(
            "nothing to write",
            "add `--html FILE` or `--sarif FILE`",
        ));
    }
    let mut reader = read(&args.place, &args.then)?;
    let report = reader.view()?.full_report()?;
    let mut written = Vec::new();
    for (path, handler) in [
        (&args.html, &Html as &dyn solvent_report::Handler),
        (&args.sarif, &Sarif),
    ] {
        if let Some(path) = path {
            write(path, handler.render(&report).as_bytes())?;
            written.push(path.display().to_string());
        }
    }
    Ok(Done {
        exit: Exit::Clean,
        human: written
            .iter()
            .map(|path| format!("Wrote {path}\n"))
            .collect(),
        json: json!({"schema": "solvent.report/v1", "written": written}),
    }
    .dated(reader.moment()))
}

fn ledger(args: LedgerArgs, common: &Common, progress: &dyn Progress) -> Result<Done, EngineError> {
    match args.command {
        LedgerCmd::Verify {
            dir,
            key,
            checkpoint,
        } => verify(&dir, &key, checkpoint.as_deref()),
        LedgerCmd::Rebuild(place) => {
            let mut engine = open(&place.path, git(place.no_git))?;
            let Answer::Rebuilt { records } =
                engine.submit(&actor(common)?, &Command::Rebuild, progress)?
            else {
                return Err(unexpected());
            };
            Ok(Done {
                exit: Exit::Clean,
                human: format!("Folded {records} records into new projections.\n"),
                json: json!({"schema": "solvent.rebuild/v1", "records": records}),
            })
        }
        LedgerCmd::Head(place) => {
            let (head, key, checkpoint) = read(&place, &Then { as_of: None })?.signed()?;
            Ok(Done {
                exit: Exit::Clean,
                human: format!("key\n  {key}\n\ncheckpoint\n{checkpoint}"),
                json: json!({
                    "schema": "solvent.head/v1", "size": head.size, "root": head.root,
                    "key": key, "checkpoint": checkpoint,
                }),
            })
        }
    }
}

/// A key as text, or the text of the file that holds it.
pub fn key_text(key: &str) -> Result<String, EngineError> {
    match std::fs::metadata(key) {
        Ok(_) => read_text(Path::new(key)),
        Err(_) => Ok(key.to_owned()),
    }
}

fn verify(dir: &Path, key: &str, checkpoint: Option<&Path>) -> Result<Done, EngineError> {
    let key = key_text(key)?;
    let last = checkpoint.map(read_text).transpose()?;
    let report = solvent_engine::verify(dir, key.trim(), last.as_deref())?;
    let gaps = report.objects_unopened > 0 || !report.unknown_states.is_empty();
    let exit = match (report.consistent(), gaps) {
        (false, _) => Exit::Findings,
        (true, true) => Exit::Unmeasured,
        (true, false) => Exit::Clean,
    };
    Ok(Done {
        exit,
        human: verify_text(&report),
        json: to_json(&report)?,
    })
}

fn verify_text(report: &VerifyReport) -> String {
    let mut out = if report.consistent() {
        format!(
            "Consistent: {} records are as they were signed.\n",
            report.records
        )
    } else {
        format!(
            "NOT consistent: {} faults in {} records.\n",
            report.faults.len(),
            report.records
        )
    };
    for fault in report.faults.iter().take(SHOWN_FAULTS) {
        out.push_str(&format!(
            "  {:<10} {}: {}\n",
            fault.kind.word(),
            fault.place,
            fault.message
        ));
    }
    if report.faults.len() > SHOWN_FAULTS {
        out.push_str(&format!(
            "  and {} more: --json\n",
            report.faults.len() - SHOWN_FAULTS
        ));
    }
    out.push_str(&format!(
        "  log         {}\n  root        {}\n  checked     {} checkpoints, {} tiles, {} sealed objects\n",
        report.origin, report.root, report.checkpoints, report.tiles, report.objects
    ));
    if report.objects_unopened > 0 {
        out.push_str(&format!(
            "  unmeasured  {} sealed objects: this folder holds no master key\n",
            report.objects_unopened
        ));
    }
    for index in &report.unknown_states {
        out.push_str(&format!(
            "  unmeasured  record {index} has no result: how far it came is not known\n"
        ));
    }
    match report.uncovered.outside_size {
        Some(size) => out.push_str(&format!(
            "  uncovered   {} records after the outside checkpoint of size {size} could have been cut off unseen\n",
            report.uncovered.records
        )),
        None => out.push_str(
            "  uncovered   everything: without a checkpoint from outside (--checkpoint) a cut tail or a history signed anew is not seen\n",
        ),
    }
    out
}

pub fn git(no_git: bool) -> Git {
    if no_git {
        Git::NotNeeded
    } else {
        Git::Required
    }
}

pub fn open_at(place: &ReplayWhere) -> Result<Engine, EngineError> {
    open(&place.path, git(place.no_git))
}

pub fn open(path: &Path, git: Git) -> Result<Engine, EngineError> {
    Engine::open(options(path, git)?)
}

/// Reads without the writer's lock, now or as of an earlier moment.
pub fn read(place: &Where, then: &Then) -> Result<Reader, EngineError> {
    let options = options(&place.path, git(place.no_git))?;
    match &then.as_of {
        Some(date) => Reader::as_of(&options, date),
        None => Reader::open(&options),
    }
}

pub fn options(path: &Path, git: Git) -> Result<Options, EngineError> {
    Ok(Options {
        path: path.to_owned(),
        git,
        launcher: Launcher::current(),
        cache: cache()?,
    })
}

/// Writes the source of a released package into an empty folder.
pub fn fetch_package(
    name: &str,
    version: &str,
    into: &Path,
    progress: &dyn Progress,
) -> Result<(), EngineError> {
    let launcher = Launcher::current();
    solvent_engine::fetch_package(name, version, into, &cache()?, launcher, progress)
}

/// Where prepared interpreters live: `SOLVENT_CACHE`, else the user's cache folder.
fn cache() -> Result<PathBuf, EngineError> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("SOLVENT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|c| c.join("solvent")))
        .or_else(|| set("HOME").map(|h| h.join(".cache/solvent")))
        .ok_or_else(|| EngineError::usage("no folder for the cache is known", "set SOLVENT_CACHE"))
}

/// Who acts: as told, else the person that the system knows.
pub fn actor(common: &Common) -> Result<Actor, EngineError> {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_default();
    let user = if user.is_empty() { "local" } else { &user };
    match &common.actor {
        Some(text) => Ok(Actor::parse(text)?.started_by(user)),
        None => Actor::parse(&format!("human:{user}")),
    }
}

pub fn read_text(path: &Path) -> Result<String, EngineError> {
    let failed = |e: String| {
        EngineError::usage(
            format!("cannot read `{}`: {e}", path.display()),
            "give a file that is there and can be read",
        )
    };
    let size = std::fs::metadata(path)
        .map_err(|e| failed(e.to_string()))?
        .len();
    if size > NOTE_CAP {
        return Err(failed(format!("it has {size} bytes")));
    }
    std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))
}

pub fn write(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    std::fs::write(path, bytes).map_err(|e| {
        EngineError::unfinished(
            format!("cannot write `{}`: {e}", path.display()),
            "is the folder there, and the disk not full?",
        )
    })
}

pub fn to_json(value: &impl serde::Serialize) -> Result<serde_json::Value, EngineError> {
    serde_json::to_value(value)
        .map_err(|e| EngineError::unfinished(format!("cannot write JSON: {e}"), "this is a defect"))
}

pub fn unexpected() -> EngineError {
    EngineError::unfinished("the engine answered another question", "this is a defect")
}
