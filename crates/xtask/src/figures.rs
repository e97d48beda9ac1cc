//! Named measurements: how they are chosen, run and printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use serde::Serialize;

/// One named measurement.
pub struct Measurement {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Place) -> Result<Figures, String>,
}

/// What a measurement gives: names to numbers. Counts are whole numbers, times are seconds.
pub type Figures = BTreeMap<String, f64>;

/// Where things are.
pub struct Place {
    pub root: PathBuf,
    /// `$SOLVENT_CORPORA`.
    pub corpora: Option<PathBuf>,
    /// A folder for this measurement alone, emptied before it runs.
    pub scratch: PathBuf,
}

impl Place {
    /// A file or folder below the corpora, or the reason why the figure is unmeasured.
    pub fn corpus(&self, name: &str) -> Result<PathBuf, String> {
        let Some(corpora) = &self.corpora else {
            return Err(
                "SOLVENT_CORPORA is not set: it names the folder that holds the corpora".into(),
            );
        };
        let path = corpora.join(name);
        if path.exists() {
            Ok(path)
        } else {
            Err(format!("no `{name}` below SOLVENT_CORPORA"))
        }
    }
}

#[derive(Args)]
pub struct Choice {
    /// Which one
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Name them all
    #[arg(long)]
    list: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    measured: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    figures: Figures,
    commit: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    about: &'a str,
}

#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn run(root: &Path, choice: &Choice, all: &[Measurement]) -> ExitCode {
    if choice.list {
        if choice.json {
            let listed: Vec<_> = all
                .iter()
                .map(|m| Listed {
                    name: m.name,
                    about: m.about,
                })
                .collect();
            println!("{}", serde_json::to_string(&listed).unwrap_or_default());
        } else {
            for measurement in all {
                println!("{:<24} {}", measurement.name, measurement.about);
            }
        }
        return ExitCode::SUCCESS;
    }
    let name = choice.name.as_deref().unwrap_or_default();
    let Some(measurement) = all.iter().find(|m| m.name == name) else {
        let names: Vec<&str> = all.iter().map(|m| m.name).collect();
        println!(
            "no measurement is called `{name}`; there are: {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    let scratch = root.join("target").join("measure").join(name);
    let _ = std::fs::remove_dir_all(&scratch);
    let place = Place {
        root: root.to_owned(),
        corpora: std::env::var_os("SOLVENT_CORPORA").map(PathBuf::from),
        scratch: scratch.clone(),
    };
    let result = std::fs::create_dir_all(&scratch)
        .map_err(|error| format!("cannot make `{}`: {error}", scratch.display()))
        .and_then(|()| (measurement.run)(&place));
    let (figures, reason) = match result {
        Ok(figures) => (figures, None),
        Err(reason) => (Figures::new(), Some(reason)),
    };
    let report = Report {
        name,
        measured: reason.is_none(),
        reason,
        figures,
        commit: commit(root),
    };
    if choice.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        print(&report);
    }
    // Unmeasured has its own code, here as everywhere.
    if report.measured {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    }
}

#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
fn print(report: &Report<'_>) {
    println!("{} at {}", report.name, report.commit);
    if let Some(reason) = &report.reason {
        println!("unmeasured: {reason}");
    }
    for (name, value) in &report.figures {
        println!("{name:>36}  {value}");
    }
}

/// Full id of the commit that is checked out, with `-dirty` when files differ from it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(id) = git(&["rev-parse", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => id,
        _ => format!("{id}-dirty"),
    }
}

/// Rounded to three digits after the point: more would pretend to a precision that a run has not.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmeasured_report_says_why_and_has_no_figures() {
        let report = Report {
            name: "x",
            measured: false,
            reason: Some("no corpus".to_owned()),
            figures: Figures::new(),
            commit: "abc".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&report).expect("it serialises"),
            r#"{"name":"x","measured":false,"reason":"no corpus","figures":{},"commit":"abc"}"#
        );
    }

    #[test]
    fn a_corpus_that_is_not_there_is_a_reason() {
        let place = |corpora| Place {
            root: ".".into(),
            corpora,
            scratch: ".".into(),
        };
        assert!(place(None).corpus("x").is_err());
        assert!(place(Some(".".into())).corpus("no-such-corpus").is_err());
    }
}
