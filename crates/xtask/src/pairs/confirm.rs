//! Whether the labels are true: every program of Python and JavaScript is started with its sinks replaced by
//! recorders and attacked on every route that its framework lists.
//!
//! A harmful value goes out under every name that the program uses, one at a time, in the query, the form, JSON,
//! headers, cookies and the path. What counts is that it arrives at the marked line (or in a page) so that it
//! does harm there: outside of quotes, out of the folder, as an element.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{Member, Pair, read};

const PYTHON_DRIVER: &str = include_str!("confirm.py");
const NODE_DRIVER: &str = include_str!("confirm.js");
const PYTHON_PACKAGES: [&str; 2] = ["flask==3.1.3", "flask-login==0.6.3"];
const NODE_PACKAGE: &str = "express@4.21.2";

/// How to start a program of one language.
struct Runner {
    language: &'static str,
    program: PathBuf,
    driver: PathBuf,
    /// For node, where its packages are.
    packages: Option<PathBuf>,
}

/// What is printed: contradictions, what was unmeasured, and counts.
#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn run(root: &Path, filter: Option<&str>) -> ExitCode {
    let pairs = match read(root) {
        Ok(pairs) => pairs,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut runners = Vec::new();
    let mut unmeasured = false;
    for (language, runner) in [("python", python(root)), ("javascript", node(root))] {
        match runner {
            Ok(runner) => runners.push(runner),
            Err(reason) => {
                unmeasured = true;
                println!("unmeasured: {language}: {reason}");
            }
        }
    }
    let chosen: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| filter.is_none_or(|part| pair.name.contains(part)))
        .collect();
    let scratch = root.join("target/measure/pairs-confirm");
    let (confirmed, contradicted) = all(&chosen, &runners, &scratch);
    for line in &contradicted {
        println!("{line}");
    }
    println!("{confirmed} confirmed, {} contradicted", contradicted.len());
    match (contradicted.is_empty(), unmeasured) {
        (false, _) => ExitCode::from(1),
        (true, true) => ExitCode::from(3),
        (true, false) => ExitCode::SUCCESS,
    }
}

/// How many labels were confirmed, and a line for each that was not.
fn all(pairs: &[&Pair], runners: &[Runner], scratch: &Path) -> (usize, Vec<String>) {
    let next = AtomicUsize::new(0);
    let out = Mutex::new((0, Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, out) = (&next, &out);
            scope.spawn(move || {
                let folder = scratch.join(worker.to_string());
                while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some(runner) = runners.iter().find(|r| r.language == pair.language) else {
                        continue;
                    };
                    for member in &pair.members {
                        let wanted = matches!(member.name.as_str(), "reachable" | "open");
                        let line = match attack(pair, member, runner, &folder) {
                            Ok((reached, _)) if reached == wanted => None,
                            Ok((_, said)) => Some(said),
                            Err(error) => Some(error),
                        };
                        let Ok(mut out) = out.lock() else { return };
                        match line {
                            None => out.0 += 1,
                            Some(said) => {
                                out.1
                                    .push(format!("{}, {}: {said}", pair.name, member.name));
                            }
                        }
                    }
                }
            });
        }
    });
    out.into_inner().unwrap_or_default()
}

/// Whether an input arrived, and what the driver said of it.
fn attack(
    pair: &Pair,
    member: &Member,
    runner: &Runner,
    folder: &Path,
) -> Result<(bool, String), String> {
    member.lay_out(folder)?;
    let mut command = Command::new(&runner.program);
    command
        .arg(&runner.driver)
        .arg(folder)
        .args([&member.sink.path, &member.sink.line.to_string()])
        .arg(&member.sink.kind)
        .args(&pair.attack)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NODE_ENV", "test");
    if let Some(packages) = &runner.packages {
        command.env("NODE_PATH", packages);
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", runner.program.display()))?;
    let words = String::from_utf8_lossy(&output.stdout);
    let last = words.trim().lines().last().unwrap_or_default();
    let document: Value = serde_json::from_str(last).map_err(|_| {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.trim().lines().last().unwrap_or("it said nothing");
        format!("the program did not run: {last}")
    })?;
    let reached = document.get("reached").and_then(Value::as_bool);
    Ok((reached.unwrap_or_default(), last.to_owned()))
}

fn python(root: &Path) -> Result<Runner, String> {
    let venv = root.join("target/tools/pairs-python");
    let program = venv.join("bin/python");
    if !venv.join("ready").is_file() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&venv);
        done(&mut make)?;
        let mut fetch = Command::new(&program);
        fetch.args(["-m", "pip", "install", "--quiet"]);
        done(fetch.args(PYTHON_PACKAGES))?;
        write(&venv.join("ready"), "")?;
    }
    let driver = root.join("target/tools/pairs-confirm.py");
    write(&driver, PYTHON_DRIVER)?;
    Ok(Runner {
        language: "python",
        program,
        driver,
        packages: None,
    })
}

fn node(root: &Path) -> Result<Runner, String> {
    done(Command::new("node").arg("--version"))?;
    let tools = root.join("target/tools/pairs-node");
    let packages = tools.join("node_modules");
    if !packages.join("express/package.json").is_file() {
        let mut fetch = Command::new("npm");
        fetch.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
        done(fetch.arg(&tools).arg(NODE_PACKAGE))?;
    }
    let driver = root.join("target/tools/pairs-confirm.js");
    write(&driver, NODE_DRIVER)?;
    Ok(Runner {
        language: "javascript",
        program: "node".into(),
        driver,
        packages: Some(packages),
    })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    path.parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

fn done(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.trim().lines().last().unwrap_or("it said nothing");
    Err(format!("`{program}` failed: {last}"))
}
