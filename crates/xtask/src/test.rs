//! `cargo xtask test`: from a fresh clone to a verdict.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::outside;
use crate::rules;
use crate::setup::{self, Install};
use crate::summary::{Outcome, Step, Summary};

/// Tests that find something missing on this machine print a line that starts with this, so that nothing
/// is skipped in silence: `unmeasured: WHAT: WHY`.
const UNMEASURED: &str = "unmeasured: ";

#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn run(root: &Path, install: Install) -> ExitCode {
    let mut summary = Summary::default();
    let unmeasured = RefCell::new(BTreeSet::new());

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
    step("outside validator", &|| outside::sarif_validator(root));
    step("browser for the pages", &|| match setup::browser(install) {
        Ok(installed) => {
            if !installed.is_empty() {
                println!("installed {}", installed.join(" "));
            }
            Outcome::Passed
        }
        Err(advice) => Outcome::Unmeasured(format!("pages are not looked at: {advice}")),
    });
    step("the example shops' own tests", &|| {
        outside::shop_suites(root)
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
        let arguments = [
            "test",
            "--workspace",
            "--no-fail-fast",
            "--quiet",
            "--",
            "--show-output",
        ];
        listened(&mut cargo(root, &arguments), &mut unmeasured.borrow_mut())
    });

    summary.unmeasured = unmeasured.into_inner().into_iter().collect();
    println!("\n{}", summary.text());
    if summary.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Clippy, with every warning an error. Apart from the tests: it compiles every dependency once more.
#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn lint(root: &Path) -> ExitCode {
    let start = Instant::now();
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    let step = Step {
        name: "clippy",
        outcome: tool(root, "clippy", &arguments),
        took: start.elapsed(),
    };
    let summary = Summary {
        steps: vec![step],
        ..Summary::default()
    };
    println!("{}", summary.text().lines().next().unwrap_or_default());
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

/// Runs tests: passes their output on, except what passing tests printed, of which only the
/// [`UNMEASURED`] lines are kept.
fn listened(command: &mut Command, unmeasured: &mut BTreeSet<String>) -> Outcome {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("cannot start: {error}")),
    };
    if let Some(output) = child.stdout.take() {
        listen(
            BufReader::new(output),
            unmeasured,
            &mut std::io::stdout().lock(),
        );
    }
    match child.wait() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(status.to_string()),
        Err(error) => Outcome::Failed(format!("cannot wait: {error}")),
    }
}

fn listen(
    mut output: impl BufRead,
    unmeasured: &mut BTreeSet<String>,
    people: &mut impl std::io::Write,
) {
    let mut filter = Filter { quiet: false };
    let mut line = Vec::new();
    // Output of tests need not be text.
    while output
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if let Some(note) = text.trim_start().strip_prefix(UNMEASURED) {
            unmeasured.insert(note.to_owned());
        }
        if filter.shows(&text) {
            // A reader that went away does not stop the tests.
            let _ = writeln!(people, "{text}");
        }
    }
}

/// Which lines of the test runner's output are for people.
struct Filter {
    /// Inside the output of passing tests.
    quiet: bool,
}

impl Filter {
    fn shows(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.quiet = true,
            "failures:" => self.quiet = false,
            _ if line.starts_with("test result:") || line.starts_with("running ") => {
                self.quiet = false;
            }
            _ => {}
        }
        !self.quiet && !line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passing_tests_print_is_quiet_but_for_the_unmeasured() {
        let output = "\nrunning 2 tests\n..\nsuccesses:\n\n---- a stdout ----\nchatter\nunmeasured: x: no y\n\nsuccesses:\n    a\n\nfailures:\n\n---- b stdout ----\npanicked\n\ntest result: FAILED. 1 passed";
        let mut unmeasured = BTreeSet::new();
        let mut shown = Vec::new();
        listen(output.as_bytes(), &mut unmeasured, &mut shown);
        assert_eq!(unmeasured.into_iter().collect::<Vec<_>>(), ["x: no y"]);
        assert_eq!(
            String::from_utf8_lossy(&shown).lines().collect::<Vec<_>>(),
            [
                "running 2 tests",
                "..",
                "failures:",
                "---- b stdout ----",
                "panicked",
                "test result: FAILED. 1 passed"
            ]
        );
    }
}
