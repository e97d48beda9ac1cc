//! One self-contained page that reads well on a phone, a laptop and paper: inline style and drawings,
//! no script, nothing fetched.
//!
//! Read [`page`] from top to bottom: it is the order of the document. Outside text enters only through
//! [`sheet::escape`]; a content policy in the page forbids scripts and requests should that ever fail.

mod finding;
mod funnel;

use std::fmt::Write as _;

use solvent_protocol::view::{EntryPointView, FindingState, FullReport, ScanReport, Unmeasured};

use crate::sheet::escape::{anchor, attribute, sentence, text};
use crate::sheet::{self, digest};
use crate::words::{self, Standing};

/// `report --html`.
pub struct Html;

impl crate::Handler for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn media_type(&self) -> &'static str {
        "text/html; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "html"
    }

    fn render(&self, report: &FullReport) -> String {
        page(report)
    }
}

/// The whole document.
pub fn page(report: &FullReport) -> String {
    let title = format!("{}: what an attacker can reach", report.scan.subject.name);
    let mut out = sheet::open(&title, "");
    let gaps = gaps(report);
    let sorted = words::by_urgency(&report.findings);
    let (open, quiet): (Vec<_>, Vec<_>) = sorted
        .into_iter()
        .partition(|s| Standing::of_state(s) != Standing::NoPath);
    let settled = open
        .iter()
        .all(|s| matches!(Standing::of_state(s), Standing::Accepted | Standing::Closed));
    head(&mut out, report, gaps.len());
    out.push_str("<main>\n");
    funnel::funnel(&mut out, &report.status);
    sheet::unmeasured(&mut out, &gaps);
    index(&mut out, &open, settled);
    for state in &open {
        finding::finding(&mut out, state);
    }
    no_path(&mut out, &quiet);
    target(&mut out, report);
    entry_points(&mut out, &report.scan.entry_points);
    coverage(&mut out, &report.scan);
    glossary(&mut out);
    out.push_str("</main>\n");
    let tool = &report.scan.tool;
    let footer = format!(
        "Made by {} {} from records of {} UTC. This page holds no working exploit; it loads nothing and runs nothing.",
        text(&tool.name),
        text(&tool.version),
        words::time(report.generated_ms),
    );
    sheet::close(&mut out, &footer);
    out
}

/// What any part of the report says is not known, once each.
fn gaps(report: &FullReport) -> Vec<&Unmeasured> {
    let proven = report.prove.iter().flat_map(|p| &p.unmeasured);
    let mut gaps: Vec<&Unmeasured> = Vec::new();
    for gap in report
        .scan
        .unmeasured
        .iter()
        .chain(proven)
        .chain(&report.status.unmeasured)
    {
        if !gaps.contains(&gap) {
            gaps.push(gap);
        }
    }
    gaps
}

fn head(out: &mut String, report: &FullReport, gaps: usize) {
    let subject = &report.scan.subject;
    let _ = write!(
        out,
        "<header>\n<div class=\"brand\"><b>Solvent</b><span>{} UTC</span></div>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        words::time(report.generated_ms),
        text(&subject.name),
        lead(report, gaps),
    );
    out.push_str("<dl class=\"facts\">\n");
    let mut fact = |label: &str, value: String| {
        let _ = writeln!(out, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    };
    let revision = match &subject.revision {
        Some(revision) => format!(
            "<span class=\"id\" title=\"{}\">{}</span>",
            attribute(revision),
            text(words::short(revision))
        ),
        None => "not a git checkout".to_owned(),
    };
    fact("Revision", revision);
    if subject.dirty {
        fact("Checkout", "has changes that are not committed".to_owned());
    }
    fact("Tree", digest(&subject.tree));
    fact("Scanned", words::time(report.scan.started_ms));
    match &report.prove {
        Some(prove) => fact("Attacked", words::time(prove.started_ms)),
        None => fact("Attacked", "never".to_owned()),
    }
    let tool = &report.scan.tool;
    fact("Tool", text(&format!("{} {}", tool.name, tool.version)));
    fact("Models", digest(&tool.models));
    match &report.ledger {
        Some(ledger) => {
            fact("Ledger", words::count(ledger.size, "record", "records"));
            fact("Ledger root", digest(&ledger.root));
        }
        None => fact("Ledger", "none".to_owned()),
    }
    out.push_str("</dl>\n</header>\n");
}

/// The page in one sentence.
fn lead(report: &FullReport, gaps: usize) -> String {
    let s = &report.status;
    let mut parts = Vec::new();
    if s.closed > 0 {
        let closed = words::count(s.closed, "flaw was", "flaws were");
        parts.push(format!(
            "{closed} closed: repaired, merged, and the same attack fails"
        ));
    }
    if s.proven > 0 {
        parts.push(format!(
            "<strong>{} proven</strong> by attacking the running application",
            words::count(s.proven, "flaw was", "flaws were")
        ));
    } else if report.prove.is_some() {
        let other = if s.closed > 0 { "other " } else { "" };
        parts.push(format!(
            "no {other}flaw was proven by attacking the running application"
        ));
    } else {
        parts.push("the running application was never attacked, so nothing is proven".to_owned());
    }
    parts.push(format!(
        "{} found, {} reachable",
        words::count(s.found, "finding was", "findings were"),
        words::number(s.reachable)
    ));
    if gaps > 0 {
        parts.push(format!(
            "{} not known, and not known is not safe",
            words::count(gaps as u64, "thing is", "things are")
        ));
    }
    let mut sentence = parts.join("; ") + ".";
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence
}

/// One row per finding that needs a person, as a table of contents.
fn index(out: &mut String, open: &[&FindingState], settled: bool) {
    out.push_str("<h2>Findings</h2>\n");
    if settled {
        let others = if open.is_empty() {
            "None"
        } else {
            "No other one"
        };
        let _ = writeln!(
            out,
            "<p>{others} is reachable and none is undecided, as far as was measured.</p>"
        );
    }
    if open.is_empty() {
        return;
    }
    out.push_str("<table class=\"table stack index\">\n<thead><tr><th>Finding</th><th>Standing</th><th>Severity</th><th>Weakness</th><th>Where</th></tr></thead>\n<tbody>\n");
    for state in open {
        let f = &state.finding;
        let place = match &f.entry {
            Some(entry) => text(&entry.label),
            None => format!(
                "<span class=\"path\">{}</span>",
                text(&words::place(&f.sink.place))
            ),
        };
        let _ = writeln!(
            out,
            "<tr><td><a class=\"id\" href=\"#{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{place}</td></tr>",
            anchor(&f.id),
            text(&f.id),
            sheet::standing(Standing::of_state(state)),
            sheet::severity(&f.severity),
            text(&words::weakness(&f.weakness)),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn no_path(out: &mut String, quiet: &[&FindingState]) {
    if quiet.is_empty() {
        return;
    }
    out.push_str("<h2>No path</h2>\n<p>The search finished for these: every way to them is cut, for the reason given.</p>\n");
    out.push_str("<table class=\"table stack\">\n<thead><tr><th>Finding</th><th>Weakness</th><th>Where</th><th>Why nothing leads there</th></tr></thead>\n<tbody>\n");
    for state in quiet {
        let f = &state.finding;
        let reasons: Vec<String> = f.verdict.reasons.iter().map(sheet::reason).collect();
        let absent = if state.present {
            ""
        } else {
            "<br><span class=\"soft\">absent from the newest scan, which does not close it</span>"
        };
        let _ = writeln!(
            out,
            "<tr id=\"{}\"><td class=\"id\">{}</td><td>{}</td><td class=\"where\"><span class=\"path\">{}</span></td><td class=\"wide\">{}{absent}</td></tr>",
            anchor(&f.id),
            text(&f.id),
            text(&words::weakness(&f.weakness)),
            text(&words::place(&f.sink.place)),
            reasons.join("<br>"),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn target(out: &mut String, report: &FullReport) {
    out.push_str("<h2>How it was attacked</h2>\n");
    let Some(prove) = &report.prove else {
        out.push_str("<p>It was not.</p>\n");
        return;
    };
    let t = &prove.target;
    out.push_str("<dl class=\"pairs\">\n");
    let mut pair = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "<dt>{label}</dt><dd>{value}</dd>");
        }
    };
    pair(
        "Recipe",
        format!(
            "{} <span class=\"soft\">({}, digest {})</span>",
            sentence(&t.recipe),
            text(&t.origin),
            digest(&t.recipe_digest)
        ),
    );
    pair("Interpreter", text(&t.interpreter));
    pair("Sandbox", text(&t.sandbox));
    pair(
        "Start",
        format!(
            "prepared in {}, first good answer after {}",
            words::duration(t.prepare_ms),
            words::duration(t.start_ms)
        ),
    );
    let requests = prove.proofs.iter().map(|p| p.requests).sum();
    pair(
        "Campaign",
        format!(
            "{}, {} in all",
            words::count(requests, "request", "requests"),
            words::duration(prove.duration_ms)
        ),
    );
    if let Some(luck) = prove.luck_log2 {
        pair(
            "Luck",
            format!(
                "chance that any proof here holds by luck: {}",
                words::luck(luck)
            ),
        );
    }
    for limit in &t.limits {
        pair("Limit", sentence(limit));
    }
    out.push_str("</dl>\n");
}

fn entry_points(out: &mut String, entries: &[EntryPointView]) {
    out.push_str("<h2>Entry points</h2>\n");
    if entries.is_empty() {
        out.push_str("<p>None was found.</p>\n");
        return;
    }
    out.push_str("<table class=\"table stack\">\n<thead><tr><th>Route</th><th>Reads</th><th>Guarded by</th><th>Code</th></tr></thead>\n<tbody>\n");
    for entry in entries {
        let auth = if entry.auth.is_empty() {
            "<span class=\"soft\">nothing seen</span>".to_owned()
        } else {
            text(&entry.auth.join(", "))
        };
        let inputs = if entry.inputs.is_empty() {
            "<span class=\"soft\">no input seen</span>".to_owned()
        } else {
            text(&entry.inputs.join(", "))
        };
        let assumed = entry.assumed.as_ref().map_or_else(String::new, |a| {
            format!("<br><span class=\"soft\">assumed: {}</span>", sentence(a))
        });
        let _ = writeln!(
            out,
            "<tr><td class=\"where\"><b>{}</b>{assumed}</td><td class=\"where\" data-label=\"reads\">{inputs}</td><td data-label=\"guarded by\">{auth}</td><td class=\"wide\"><span class=\"path\">{}</span><br><span class=\"path soft\">{}</span></td></tr>",
            text(&entry.label),
            text(&entry.handler),
            text(&words::place(&entry.place)),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn coverage(out: &mut String, scan: &ScanReport) {
    let c = &scan.coverage;
    out.push_str("<h2>What was read</h2>\n<dl class=\"pairs\">\n");
    let mut pair = |label: &str, value: String| {
        let _ = writeln!(out, "<dt>{label}</dt><dd>{value}</dd>");
    };
    pair(
        "Files",
        format!(
            "{} of {} analysed, {}",
            words::number(c.files_analysed),
            words::number(c.files_seen),
            words::count(c.lines, "line", "lines")
        ),
    );
    for (extension, n) in &c.files_not_modelled {
        pair(
            "Not modelled",
            format!(
                "{} of type <code>{}</code>",
                words::count(*n, "file", "files"),
                text(extension)
            ),
        );
    }
    if c.files_copied_in > 0 {
        pair("Not read", words::copied_in(c.files_copied_in));
    }
    pair("Functions", words::number(c.functions));
    pair(
        "Calls",
        format!(
            "{} resolved, {} not",
            words::number(c.calls_resolved),
            words::number(c.calls_unresolved)
        ),
    );
    pair(
        "Constant sinks",
        format!(
            "{}, of which no finding is made",
            words::number(c.constant_sinks)
        ),
    );
    pair("Time", words::duration(scan.duration_ms));
    out.push_str("</dl>\n");
}

const GLOSSARY: [(&str, &str); 10] = [
    (
        "Proven",
        "The effect happened in the running application, through a real entry point, and again in every replay on a fresh instance, while the same request with innocent input showed nothing.",
    ),
    (
        "Reachable",
        "A path leads from an input an attacker controls to a place that does harm. A list under the verdict says what was taken for granted.",
    ),
    (
        "Undecided",
        "The search could not finish; the reason says what stopped it. It counts as open.",
    ),
    (
        "No path",
        "The search finished and every way is cut, for a stated reason.",
    ),
    (
        "Not reproduced",
        "Everything was tried as planned and no effect was seen. This is not a proof of safety.",
    ),
    ("Inconclusive", "It could not be tried as planned."),
    (
        "Not measured",
        "Nobody looked, or looking failed. It is never counted as safe.",
    ),
    (
        "Sink",
        "The call that does the harm: runs SQL, starts a program, opens a file.",
    ),
    (
        "Benign twin",
        "The same request with innocent input, sent before and after the attack.",
    ),
    (
        "Capsule",
        "The file that holds the attack and replays it on any revision. It stays sealed while the flaw is open.",
    ),
];

fn glossary(out: &mut String) {
    out.push_str("<h2>Words</h2>\n<dl class=\"glossary\">\n");
    for (word, meaning) in GLOSSARY {
        let _ = writeln!(out, "<div><dt>{word}</dt><dd>{meaning}</dd></div>");
    }
    out.push_str("</dl>\n");
}
