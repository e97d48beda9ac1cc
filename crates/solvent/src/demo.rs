//! The whole loop on a shop that is made for it, with a git history like any other repository's.

use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::time::Instant;

use serde_json::json;
use solvent_engine::command::{Attack, ProveRequest};
use solvent_engine::repo::Git;
use solvent_engine::{Actor, Answer, Command, EngineError, Progress};
use solvent_protocol::view::ProveReport;
use solvent_report::{Handler as _, html::Html, text};

use crate::args::{Common, DemoArgs};
use crate::commands::{open, unexpected};
use crate::exit::Exit;
use crate::out::{Done, width};

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// What `demo` makes, so that it never writes into a folder that is something else.
const MARK: &str = ".solvent-demo";

/// One step of the shop's history; see `examples/storefront/history/history.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    author: String,
    email: String,
    date: String,
    message: String,
    #[serde(default)]
    tree: Vec<String>,
    #[serde(default)]
    stage_dir: String,
    #[serde(default)]
    stage: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    commit: Vec<Commit>,
}

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
        None => Actor::parse("human:demo")?,
    };
    let loop_started = Instant::now();
    let mut engine = open(&repo, Git::Required)?;
    engine.submit(&actor, &Command::Init, progress)?;
    let request = ProveRequest {
        attack: Attack::Findings(Vec::new()),
        max_requests: 2_000,
        max_seconds: 600,
    };
    let Answer::Proved(proofs) = engine.submit(&actor, &Command::Prove(request), progress)? else {
        return Err(unexpected());
    };
    let status = engine.status()?;
    let full = engine.full_report()?;
    let page = args.dir.join(format!("{name}.html"));
    fs::write(&page, Html.render(&full)).map_err(|e| failed(&page, &e))?;
    let seconds = loop_started.elapsed().as_secs_f64() - proofs.target.prepare_ms as f64 / 1000.0;

    let proven: Vec<&str> = proofs
        .proofs
        .iter()
        .filter(|p| p.outcome == "proven")
        .map(|p| p.id.as_str())
        .collect();
    let wanted = if args.fixed { 0 } else { 3 };
    let as_designed = proven.len() == wanted && proofs.proofs.len() == wanted;
    let mut human = text::status(&status, width()).ansi();
    human.push('\n');
    human.push_str(&text::prove(&proofs, width()).ansi());
    human.push_str(&next_steps(
        &repo,
        &page,
        &proven,
        seconds,
        as_designed,
        &proofs,
    ));
    Ok(Done {
        // The demo's job is to show the loop: that flaws are proven is its success.
        exit: if as_designed {
            Exit::Clean
        } else {
            Exit::Unfinished
        },
        human,
        json: json!({
            "schema": "solvent.demo/v1",
            "status": status,
            "prove": proofs,
            "as_designed": as_designed,
            "loop_seconds": seconds,
            "report": page.display().to_string(),
        }),
    })
}

fn next_steps(
    repo: &Path,
    page: &Path,
    proven: &[&str],
    seconds: f64,
    as_designed: bool,
    proofs: &ProveReport,
) -> String {
    let at = repo.display();
    let mut out = format!(
        "\nLoop {seconds:.1} s, packages apart ({:.1} s).\n",
        proofs.target.prepare_ms as f64 / 1000.0
    );
    if !as_designed {
        out.push_str("\nThis is not what the demo is made to show; `solvent doctor` says what this machine lacks.\n");
        return out;
    }
    // As it was started, so that the lines can be typed as they are.
    let solvent = std::env::args()
        .next()
        .unwrap_or_else(|| "solvent".to_owned());
    let mut look = vec![format!("\nLook at it\n  {}", page.display())];
    if let Some(id) = proven.first() {
        look.push(
            "One finding, its reproducer (the access is recorded), the attack again".to_owned(),
        );
        look.push(format!("  {solvent} show {id} --repo {at}"));
        look.push(format!("  {solvent} show {id} --repo {at} --open"));
        look.push(format!("  {solvent} replay {id} --repo {at}"));
        look.push("The repaired twin, where nothing may be proven".to_owned());
        look.push(format!("  {solvent} demo --fixed"));
    }
    look.push(format!("Who did what\n  {solvent} log {at}"));
    look.push(format!("On your own repository\n  {solvent} prove PATH\n"));
    out.push_str(&look.join("\n"));
    out
}

/// Makes the repository, commit by commit, unless an earlier demo did.
fn make(dir: &Path, repo: &Path, files: &[(&str, &[u8])]) -> Result<(), EngineError> {
    if repo.join(".git").is_dir() && dir.join(MARK).is_file() {
        return Ok(());
    }
    let empty =
        !dir.exists() || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !dir.join(MARK).is_file() {
        return Err(EngineError::usage(
            format!("`{}` holds something that is not a demo", dir.display()),
            "choose another folder with `--dir`",
        ));
    }
    // What an interrupted demo left is made anew; the folder is marked as ours.
    if repo.exists() {
        fs::remove_dir_all(repo).map_err(|e| failed(repo, &e))?;
    }
    fs::create_dir_all(repo).map_err(|e| failed(repo, &e))?;
    fs::write(dir.join(MARK), "made by solvent demo\n").map_err(|e| failed(dir, &e))?;
    let found = |path: &str| {
        files
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, content)| *content)
    };
    let part = repo.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|e| failed(&part, &e))?;
    }
    fs::create_dir_all(&part).map_err(|e| failed(&part, &e))?;
    git(&part, &["init", "-q", "-b", "main"], None)?;
    match found("history/history.toml") {
        Some(text) => {
            let history: History = std::str::from_utf8(text)
                .ok()
                .and_then(|text| toml::from_str(text).ok())
                .ok_or_else(|| broken("history.toml does not read"))?;
            for commit in &history.commit {
                let staged = commit
                    .stage
                    .iter()
                    .map(|path| (path, format!("history/{}/{path}.stage", commit.stage_dir)));
                for (path, from) in commit.tree.iter().map(|p| (p, p.clone())).chain(staged) {
                    let content = found(&from).ok_or_else(|| broken(&from))?;
                    put(&part, path, content)?;
                }
                for path in &commit.remove {
                    fs::remove_file(part.join(path)).map_err(|e| failed(&part.join(path), &e))?;
                }
                record(&part, commit)?;
            }
        }
        None => {
            for (path, content) in files {
                put(&part, path, content)?;
            }
            record(
                &part,
                &Commit {
                    author: "Solvent Demo".to_owned(),
                    email: "demo@saltmarsh.example".to_owned(),
                    date: "2026-11-20T09:00:00+00:00".to_owned(),
                    message: "The repaired shop".to_owned(),
                    tree: Vec::new(),
                    stage_dir: String::new(),
                    stage: Vec::new(),
                    remove: Vec::new(),
                },
            )?;
        }
    }
    fs::remove_dir_all(repo).map_err(|e| failed(repo, &e))?;
    fs::rename(&part, repo).map_err(|e| failed(repo, &e))
}

fn put(root: &Path, path: &str, content: &[u8]) -> Result<(), EngineError> {
    let to = root.join(path);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
    }
    fs::write(&to, content).map_err(|e| failed(&to, &e))
}

fn record(root: &Path, commit: &Commit) -> Result<(), EngineError> {
    git(root, &["add", "-A"], None)?;
    let message = commit.message.trim();
    git(
        root,
        &[
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            message,
        ],
        Some(commit),
    )
}

fn git(root: &Path, args: &[&str], author: Option<&Commit>) -> Result<(), EngineError> {
    let mut command = Process::new("git");
    command
        .arg("-C")
        .arg(root)
        .args([
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.autocrlf=false",
        ])
        .args(args)
        .env("LC_ALL", "C");
    if let Some(commit) = author {
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), &commit.author)
                .env(format!("GIT_{who}_EMAIL"), &commit.email)
                .env(format!("GIT_{who}_DATE"), &commit.date);
        }
    }
    let output = command
        .output()
        .map_err(|e| EngineError::unfinished(format!("cannot start git: {e}"), "install git"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(EngineError::unfinished(
            format!(
                "git failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            "see git's words above",
        ))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::unfinished(
        format!("cannot write `{}`: {error}", path.display()),
        "choose another folder with `--dir`",
    )
}

fn broken(what: &str) -> EngineError {
    EngineError::unfinished(
        format!("the built-in shop is incomplete: {what}"),
        "this is a defect of this build",
    )
}
