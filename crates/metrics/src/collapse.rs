//! Imported findings that still need attention.
//!
//! Each result of another tool goes to exactly one place: it remains, it repeats a finding that is counted
//! already, or evidence took its finding out. Undecided and not judged remain.

use std::collections::BTreeMap;

use solvent_protocol::debt::{Collapse, Counted, DebtFinding, Measured, evidence};

use crate::funnel::{is_imported, needs_attention, sort};
use crate::{figure, of};

/// The collapse of the open pile: what reports of other tools say today, or said and nothing closed.
pub fn collapse(findings: &[DebtFinding]) -> Measured<Collapse> {
    let imported: Vec<&DebtFinding> = findings.iter().filter(|f| is_imported(f)).collect();
    if imported.is_empty() {
        return Measured::Unmeasured(
            "no finding of another tool is known; give its report with `--sarif FILE`".to_owned(),
        );
    }
    let mut results = Vec::new();
    let mut removed: BTreeMap<&str, (&'static str, Vec<String>)> = BTreeMap::new();
    for finding in &imported {
        let reference = evidence::finding(&finding.id);
        let theirs = finding.reports.iter().filter(|r| r.run.is_some()).count();
        let repeats = if needs_attention(finding) {
            theirs - 1
        } else {
            let (code, words) = why_out(finding);
            removed
                .entry(code)
                .or_insert((words, Vec::new()))
                .1
                .extend(std::iter::repeat_n(reference.clone(), theirs));
            0
        };
        if repeats > 0 {
            removed
                .entry("joined")
                .or_insert(("the same flaw is counted once", Vec::new()))
                .1
                .extend(std::iter::repeat_n(reference.clone(), repeats));
        }
        results.extend(std::iter::repeat_n(reference, theirs));
    }
    let remaining = || imported.iter().copied().filter(|f| needs_attention(f));
    let mut removed: Vec<Counted> = removed
        .into_iter()
        .map(|(code, (text, references))| Counted {
            code: code.to_owned(),
            text: text.to_owned(),
            figure: figure(references),
        })
        .collect();
    sort(&mut removed);
    Measured::Known(Collapse {
        imported: figure(results),
        remaining: of(remaining()),
        removed,
        undecided: of(remaining().filter(|f| f.verdict.word == "undecided")),
        not_judged: of(remaining().filter(|f| f.verdict.word == "not_judged")),
    })
}

fn why_out(finding: &DebtFinding) -> (&str, &'static str) {
    match finding.state.word.as_str() {
        "accepted" => (
            "accepted",
            "a person accepted the risk, with a reason and an end",
        ),
        "closed" => (&finding.state.code, "closed by evidence"),
        _ => (
            "no_path",
            "the search from the sink back to every input finished, and nothing harmful arrives",
        ),
    }
}
