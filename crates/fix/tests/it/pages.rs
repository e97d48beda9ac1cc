//! `fixtures/python/fixes`: before, what is proposed, and what the scan says afterwards.

use std::fmt::Write as _;
use std::path::Path;

use solvent_finding::{Finding, Verdict};
use solvent_fix::{propose, regression_test, root_causes};
use solvent_testkit::Case;

use crate::{Files, patched, scan, with_sources};

fn files_of(case: &Case) -> Files {
    case.blocks
        .iter()
        .filter(|b| b.language != "fix")
        .map(|b| {
            (
                b.path.clone().unwrap_or_else(|| "app.py".to_owned()),
                b.text.clone(),
            )
        })
        .collect()
}

fn is_reachable(finding: &&Finding) -> bool {
    matches!(finding.verdict, Verdict::Reachable { .. })
}

/// Reachable sinks of the weakness in the function, and the verdicts of the others.
fn verdicts(files: &Files, like: &Finding) -> (usize, String) {
    let reach = scan(files);
    let alike: Vec<&Finding> = reach
        .findings
        .iter()
        .filter(|f| {
            f.weakness == like.weakness && f.sink.function.qualname == like.sink.function.qualname
        })
        .collect();
    let reachable: Vec<Finding> = alike
        .iter()
        .copied()
        .filter(is_reachable)
        .cloned()
        .collect();
    let mut words: Vec<String> = alike
        .iter()
        .filter(|f| !is_reachable(f))
        .map(|f| match &f.verdict {
            Verdict::NoPath { reasons } => {
                let reasons: Vec<String> = reasons
                    .iter()
                    .map(|r| match r {
                        solvent_finding::NoPathReason::Sanitized { by, .. } => {
                            format!("sanitized by {by}")
                        }
                        solvent_finding::NoPathReason::Guarded { by, .. } => {
                            format!("guarded by {by}")
                        }
                        solvent_finding::NoPathReason::Position { what } => what.clone(),
                        solvent_finding::NoPathReason::NotFromInput => "not from input".to_owned(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                format!("no_path ({})", reasons.join(", "))
            }
            other => other.word().to_owned(),
        })
        .collect();
    words.sort();
    words.dedup();
    if words.is_empty() {
        words.push("nothing is left of it".to_owned());
    }
    (root_causes(&reachable).len(), words.join("; "))
}

fn answer(case: &Case, wrong: &mut Vec<String>) -> String {
    let files = files_of(case);
    let reach = scan(&files);
    let reachable: Vec<Finding> = reach
        .findings
        .iter()
        .filter(is_reachable)
        .cloned()
        .collect();
    let mut out = String::new();
    for cause in root_causes(&reachable) {
        let sink = &cause.sink.location;
        let _ = writeln!(out, "{}:{} {}", sink.path, sink.line, cause.weakness.0);
        let proposal = with_sources(&files, |sources| propose(&cause, sources));
        let before = verdicts(&files, cause.findings[0]).0;
        for patch in &proposal.patches {
            let _ = writeln!(
                out,
                "{}, {}: {}",
                patch.fixer,
                patch.disposition.word(),
                patch.summary
            );
            for file in &patch.files {
                let old = files.get(file.path.as_str()).cloned().unwrap_or_default();
                let diff = file.diff(&old);
                // Two lines of context tell the place; the rest is in the page above.
                for line in diff.lines().filter(|l| !l.starts_with(' ')) {
                    let _ = writeln!(out, "    {line}");
                }
            }
            for note in &patch.notes {
                let _ = writeln!(out, "    note: {note}");
            }
            let (after, words) = verdicts(&patched(&files, patch), cause.findings[0]);
            if after < before {
                let _ = writeln!(out, "    then: {words}");
            } else {
                let _ = writeln!(out, "    then: STILL REACHABLE");
            }
        }
        let has_tests = files.keys().any(|p| p.contains("test"));
        if let (Some(patch), true) = (proposal.patches.first(), has_tests) {
            let test = with_sources(&files, |sources| {
                regression_test(cause.findings[0], patch, sources)
            });
            match test {
                Some(test) => {
                    let old = files.get(test.path.as_str()).cloned().unwrap_or_default();
                    let _ = writeln!(out, "regression test:");
                    for line in test.diff(&old).lines().filter(|l| !l.starts_with(' ')) {
                        let _ = writeln!(out, "    {}", line.trim_end());
                    }
                }
                None => {
                    let _ = writeln!(out, "no regression test");
                }
            }
        }
        if proposal.patches.is_empty() {
            for why in &proposal.refused {
                let _ = writeln!(out, "no patch: {why}");
            }
        }
    }
    if out.is_empty() {
        out.push_str("nothing is reachable\n");
    }
    if out.contains("nothing is reachable") && !case.title.contains("repaired") {
        wrong.push(format!("{}: the case has no flaw to fix", case.title));
    }
    if out.contains("STILL REACHABLE") && !case.title.contains("not seen by the scan") {
        wrong.push(format!(
            "{}: the scan still finds the flaw after the fix",
            case.title
        ));
    }
    out
}

#[test]
fn small_programs_get_their_patches() {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/python/fixes"
    ));
    let mut wrong = Vec::new();
    solvent_testkit::run(folder, "fix", |case| answer(case, &mut wrong));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
