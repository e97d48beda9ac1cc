//! What a scan says when it ends.

use solvent_protocol::view::{FindingView, ScanReport};

use super::findings::{entry, heading, settled_by};
use super::{Page, Style};
use crate::words::{self, Standing};

/// Coverage, then what is reachable or undecided in full, then how much is not.
pub fn scan(report: &ScanReport, width: usize) -> Page {
    let mut page = Page::new(width);
    page.line(
        2,
        [
            (Style::Strong, &words::subject(&report.subject)),
            (Style::Dim, "  in "),
            (Style::Dim, &words::duration(report.duration_ms)),
        ],
    );
    let c = &report.coverage;
    let summary = format!(
        "{} in {}, {}, {} of {} analysed",
        words::count(c.lines, "line", "lines"),
        words::count(c.functions, "function", "functions"),
        words::count(
            report.entry_points.len() as u64,
            "entry point",
            "entry points"
        ),
        words::number(c.files_analysed),
        words::count(c.files_seen, "file", "files"),
    );
    page.line(2, [(Style::Dim, &summary)]);
    if c.files_copied_in > 0 {
        let left = format!("not read: {}", words::copied_in(c.files_copied_in));
        page.line(2, [(Style::Dim, &left)]);
    }
    let group = |standing: Standing| -> Vec<&FindingView> {
        report
            .findings
            .iter()
            .filter(|f| Standing::of(&f.verdict.word, None) == standing)
            .collect()
    };
    for standing in [Standing::NotAttempted, Standing::Undecided] {
        let group = group(standing);
        if group.is_empty() {
            continue;
        }
        page.blank();
        let (style, label) = match standing {
            Standing::NotAttempted => (Style::Bad, "reachable"),
            _ => (Style::Warn, "undecided"),
        };
        let n = words::number(group.len() as u64);
        page.line(0, [(style, label), (Style::Plain, "  "), (Style::Dim, &n)]);
        if standing == Standing::Undecided {
            settled_by(&mut page, group.iter().copied());
        }
        for finding in group {
            entry(&mut page, finding);
        }
    }
    let quiet = group(Standing::NoPath);
    if !quiet.is_empty() {
        page.blank();
        heading(&mut page, Standing::NoPath, quiet.len());
        for (code, n) in reasons(&quiet) {
            page.line(
                6,
                [
                    (Style::Plain, &format!("  {n:>3}  ")),
                    (Style::Plain, &code),
                ],
            );
        }
    }
    if report.findings.is_empty() {
        page.blank();
        page.line(0, [(Style::Plain, "no findings")]);
    }
    page.unmeasured(&report.unmeasured);
    page
}

/// How often each first reason occurs, most frequent first.
fn reasons(findings: &[&FindingView]) -> Vec<(String, usize)> {
    let mut counted = std::collections::BTreeMap::<&str, usize>::new();
    for finding in findings {
        let code = finding
            .verdict
            .reasons
            .first()
            .map_or("no reason given", |r| r.code.as_str());
        *counted.entry(code).or_default() += 1;
    }
    let mut sorted: Vec<(String, usize)> = counted
        .into_iter()
        .map(|(code, n)| (code.replace('_', " "), n))
        .collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted
}
