//! `cargo xtask test`: from a fresh clone to a verdict.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::rules;
use crate::setup::{self, Install};
use crate::summary::{Outcome, Step, Summary};

/// Tests that find something missing on this machine append a line `what: why` to this file, so that
/// nothing is skipped in silence. `testkit::unmeasured` does it.
const UNMEASURED: &str = "SOLVENT_UNMEASURED";

#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn run(root: &Path, install: Install) -> ExitCode {
    let mut summary = Summary::default();
    let notes = root.join("target").join("unmeasured.txt");
    let _ = fs::create_dir_all(root.join("target"));
    let _ = fs::remove_file(&notes);

    let mut step = |name: &'static str, run: &dyn Fn() -> Outcome| {
        println!("== {name}");
        let start = Instant::now();
        let outcome = run();
        summary.steps.push(Step {
            name,
            outcome,
            took: start.elapsed(),
        });
    };
    step("prerequisites", &|| match setup::prepare(install) {
        Ok(installed) if installed.is_empty() => Outcome::Passed,
        Ok(installed) => {
            println!("installed {}", installed.join(" "));
            Outcome::Passed
        }
        Err(advice) => Outcome::Failed(advice),
    });
    step("format", &|| {
        tool(root, "rustfmt", &["fmt", "--all", "--check"])
    });
    step("tidy", &|| match rules::check(root) {
        Ok(complaints) if complaints.is_empty() => Outcome::Passed,
        Ok(complaints) => {
            println!("{}", complaints.join("\n"));
            Outcome::Failed(format!("{} complaints", complaints.len()))
        }
        Err(error) => Outcome::Failed(error),
    });
    step("tests", &|| {
        let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast", "--quiet"]);
        finished(command.env(UNMEASURED, &notes))
    });
    step("clippy", &|| {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ];
        tool(root, "clippy", &arguments)
    });

    let lines = fs::read_to_string(&notes).unwrap_or_default();
    summary.unmeasured = lines.lines().map(str::to_owned).collect();
    summary.unmeasured.sort();
    summary.unmeasured.dedup();
    println!("\n{}", summary.text());
    if summary.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A part of the toolchain that may not be installed.
fn tool(root: &Path, component: &str, arguments: &[&str]) -> Outcome {
    let present = cargo(root, &[arguments[0], "--version"]).output();
    if !present.is_ok_and(|output| output.status.success()) {
        return Outcome::Unmeasured(format!(
            "`{component}` is not installed; type: rustup component add {component}"
        ));
    }
    finished(&mut cargo(root, arguments))
}

pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root);
    // What `cargo run` sets for this program is not meant for the next one.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PKG_NAME",
    ] {
        command.env_remove(name);
    }
    command
}

fn finished(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(status.to_string()),
        Err(error) => Outcome::Failed(format!("cannot start: {error}")),
    }
}
