//! What a run of several steps ended as, one line each, and everything that was unmeasured.

use std::fmt::Write as _;
use std::time::Duration;

/// How one step ended. There is no fourth: a step that did not run is unmeasured, with the reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Passed,
    Failed(String),
    Unmeasured(String),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub name: &'static str,
    pub outcome: Outcome,
    pub took: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub steps: Vec<Step>,
    /// Lines that tests wrote: `what: why`.
    pub unmeasured: Vec<String>,
}

impl Summary {
    pub fn failed(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.outcome, Outcome::Failed(_)))
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for Step {
            name,
            outcome,
            took,
        } in &self.steps
        {
            let (word, why) = match outcome {
                Outcome::Passed => ("passed", String::new()),
                Outcome::Failed(why) => ("FAILED", format!(": {why}")),
                Outcome::Unmeasured(why) => ("unmeasured", format!(": {why}")),
            };
            let _ = writeln!(out, "{:>7.1} s  {name}: {word}{why}", took.as_secs_f64());
        }
        if self.unmeasured.is_empty() {
            out.push_str("unmeasured by tests: nothing\n");
        } else {
            out.push_str("unmeasured by tests:\n");
            for line in &self.unmeasured {
                let _ = writeln!(out, "  {line}");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_failed_and_what_was_not_measured() {
        let step = |name, outcome| Step {
            name,
            outcome,
            took: Duration::from_millis(1500),
        };
        let mut summary = Summary {
            steps: vec![
                step("format", Outcome::Passed),
                step("clippy", Outcome::Unmeasured("not installed".to_owned())),
            ],
            unmeasured: vec!["user namespaces: switched off here".to_owned()],
        };
        assert!(!summary.failed());
        summary
            .steps
            .push(step("tests", Outcome::Failed("exit code 101".to_owned())));
        assert!(summary.failed());
        assert_eq!(
            summary.text(),
            "    1.5 s  format: passed\n    1.5 s  clippy: unmeasured: not installed\n    1.5 s  tests: FAILED: exit code 101\nunmeasured by tests:\n  user namespaces: switched off here\n"
        );
    }
}
