//! The whole loop on a shop that is made for it: found, proven, fixed, decided by people, merged, tried again.
//!
//! The people are simulated, and every record of theirs says so. A second run picks up what the first left:
//! then nothing is open, and every attack is replayed to see that it stays so.

mod act;
mod package;
mod shop;

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use solvent_engine::repo::Git;
use solvent_engine::{Actor, Answer, Command, DebtRequest, Engine, EngineError, Progress};
use solvent_protocol::view::ProveReport;
use solvent_report::{Handler as _, html::Html, text};

use crate::args::{Common, DemoArgs};
use crate::commands::{open, unexpected};
use crate::exit::Exit;
use crate::out::{Done, width};
use act::Closed;
use shop::{STOREFRONT, STOREFRONT_FIXED, failed, make};

/// Flaws of the shop that can be reached, and so must be proven, fixed and closed.
const PLANTED: u64 = 3;

pub fn demo(
    args: &DemoArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let (name, files) = if args.fixed {
        ("storefront-fixed", STOREFRONT_FIXED)
    } else {
        ("storefront", STOREFRONT)
    };
    let repo = args.dir.join(name);
    progress.stage("making the shop's repository");
    make(&args.dir, &repo, files)?;
    let actor = match &common.actor {
        Some(text) => Actor::parse(text)?,
        None => Actor::parse(if args.fixed {
            "human:demo"
        } else {
            "human:ana"
        })?,
    };
    let started = Instant::now();
    let mut engine = open(&repo, Git::Required)?;
    engine.submit(&actor, &Command::Init, progress)?;
    let proofs = act::prove(&mut engine, &actor, progress)?;
    if args.fixed {
        return fixed(&mut engine, args, &repo, &proofs, started);
    }
    full(&mut engine, args, &actor, &repo, &proofs, started, progress)
}

/// The repaired twin: nothing may be reachable, nothing proven.
fn fixed(
    engine: &mut Engine,
    args: &DemoArgs,
    repo: &Path,
    proofs: &ProveReport,
    started: Instant,
) -> Result<Done, EngineError> {
    let status = engine.view()?.status()?;
    let page = args.dir.join("storefront-fixed.html");
    fs::write(&page, Html.render(&engine.view()?.full_report()?)).map_err(|e| failed(&page, &e))?;
    let seconds = started.elapsed().as_secs_f64() - proofs.target.prepare_ms as f64 / 1000.0;
    let exit = designed(proofs.proofs.is_empty() && status.reachable == 0);
    let mut human = text::status(&status, width()).ansi();
    human.push('\n');
    human.push_str(&text::prove(proofs, width()).ansi());
    human.push_str(&format!("\nLoop {seconds:.1} s.\n"));
    human.push_str(&next(&[
        ("Look at it", vec![page.display().to_string()]),
        ("Who did what", vec![format!("log {}", repo.display())]),
    ]));
    Ok(Done {
        exit,
        human: verdict(human, exit),
        json: json!({
            "schema": "solvent.demo/v1",
            "status": status,
            "prove": proofs,
            "as_designed": exit == Exit::Clean,
            "loop_seconds": seconds,
            "report": page.display().to_string(),
        }),
    })
}

fn full(
    engine: &mut Engine,
    args: &DemoArgs,
    actor: &Actor,
    repo: &Path,
    proofs: &ProveReport,
    started: Instant,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    let found = engine.view()?.status()?;
    let pass = act::pass(engine, &args.dir, actor, proofs, progress)?;
    if pass.again.is_none() {
        // Nothing is reachable now, which measures every entry point without an attack.
        act::prove(engine, actor, progress)?;
    }
    let pages = pages(engine, args, actor, repo, &pass.closed, progress)?;
    let seconds = started.elapsed().as_secs_f64() - proofs.target.prepare_ms as f64 / 1000.0;
    let status = engine.view()?.status()?;
    let second = package::play(&args.dir, actor, progress)?;

    let as_designed =
        status.closed == PLANTED && status.reachable == 0 && pass.holds(PLANTED) && pages.sound;
    let exit = designed(as_designed).and(second.exit());
    let mut human = text::status(&found, width()).ansi();
    human.push('\n');
    human.push_str(&text::prove(proofs, width()).ansi());
    human.push_str(&pass.text());
    human.push_str(&format!(
        "\nLoop {seconds:.1} s, packages apart ({:.1} s). The ledger was verified on a copy: {}.\n",
        proofs.target.prepare_ms as f64 / 1000.0,
        if pages.sound { "sound" } else { "NOT sound" },
    ));
    human.push_str(&second.text());
    human.push_str(&look(repo, &pages, &pass.closed));
    Ok(Done {
        exit,
        human: verdict(human, exit),
        json: json!({
            "schema": "solvent.demo/v3",
            "found": found,
            "status": status,
            "prove": proofs,
            "pass": pass.json()?,
            "as_designed": exit == Exit::Clean,
            "loop_seconds": seconds,
            "ledger_sound": pages.sound,
            "report": pages.report,
            "second_act": second.json()?,
            "debt": pages.debt,
            "evidence": pages.evidence,
        }),
    })
}

/// What was written for people, and whether the record holds.
struct Pages {
    report: String,
    debt: String,
    /// One folder for each change that was closed in this run.
    evidence: Vec<String>,
    sound: bool,
}

fn pages(
    engine: &mut Engine,
    args: &DemoArgs,
    actor: &Actor,
    repo: &Path,
    closed: &[Closed],
    progress: &dyn Progress,
) -> Result<Pages, EngineError> {
    progress.stage("writing the pages");
    let request = DebtRequest {
        reports: Vec::new(),
        months: 12,
        max_seconds: 60,
    };
    let Answer::Debt(debt) = engine.submit(actor, &Command::Debt(request), progress)? else {
        return Err(unexpected());
    };
    let debt_page = args.dir.join("debt.html");
    fs::write(&debt_page, solvent_report::debt::page(&debt)).map_err(|e| failed(&debt_page, &e))?;
    let page = args.dir.join("storefront.html");
    fs::write(&page, Html.render(&engine.view()?.full_report()?)).map_err(|e| failed(&page, &e))?;
    let mut evidence = Vec::new();
    let mut sound = true;
    for one in closed.iter().filter(|one| one.is_closed()) {
        let folder = args.dir.join("evidence").join(one.change());
        sound &= act::evidence(engine, actor, one.change(), &folder, progress)?;
        evidence.push(folder.display().to_string());
    }
    sound &= act::ledger_is_sound(engine, repo, &args.dir)?;
    Ok(Pages {
        report: page.display().to_string(),
        debt: debt_page.display().to_string(),
        evidence,
        sound,
    })
}

fn look(repo: &Path, pages: &Pages, closed: &[Closed]) -> String {
    let at = repo.display();
    let mut parts = vec![("Look at it", vec![pages.report.clone(), pages.debt.clone()])];
    if let Some(folder) = pages.evidence.first() {
        parts.push((
            "What an auditor gets, to read and to check offline",
            vec![
                format!("{folder}/index.html"),
                format!("python3 {folder}/check.py {folder} --key KEY"),
            ],
        ));
        parts.push((
            "KEY, which is kept elsewhere",
            vec![format!("ledger head {at}")],
        ));
    }
    if let Some(one) = closed.first() {
        parts.push((
            "One change, as an approver saw it",
            vec![format!("review {} --repo {at}", one.change())],
        ));
    }
    parts.push((
        "Every attack again",
        vec![format!("replay --all --repo {at}")],
    ));
    parts.push(("Who did what", vec![format!("log {at}")]));
    parts.push((
        "On your own repository",
        vec!["debt PATH".to_owned(), "prove PATH".to_owned()],
    ));
    next(&parts)
}

/// Next steps; lines that are commands of ours begin as the program was started, so they can be typed.
fn next(parts: &[(&str, Vec<String>)]) -> String {
    let solvent = std::env::args()
        .next()
        .unwrap_or_else(|| "solvent".to_owned());
    let ours = ["review ", "replay ", "log ", "ledger ", "debt ", "prove "];
    let mut out = String::new();
    for (title, lines) in parts {
        out.push_str(&format!("\n{title}\n"));
        for line in lines {
            if ours.iter().any(|word| line.starts_with(word)) {
                out.push_str(&format!("  {solvent} {line}\n"));
            } else {
                out.push_str(&format!("  {line}\n"));
            }
        }
    }
    out
}

/// The demo's job is to show the loop: that flaws are proven is its success.
fn designed(as_designed: bool) -> Exit {
    if as_designed {
        Exit::Clean
    } else {
        Exit::Unfinished
    }
}

fn verdict(mut human: String, exit: Exit) -> String {
    match exit {
        Exit::Clean => {}
        Exit::Unmeasured => human.push_str(
            "\nThe second act is unmeasured, for the reason under its heading; another run tries it again.\n",
        ),
        _ => human.push_str(
            "\nThis is not what the demo is made to show; `solvent doctor` says what this machine lacks.\n",
        ),
    }
    human
}
