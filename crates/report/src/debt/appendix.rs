//! What the figures were made from, and how.

use std::fmt::Write as _;

use solvent_protocol::debt::{DebtReport, Measured, evidence};

use super::findings::by;
use super::link::Links;
use crate::sheet;
use crate::sheet::escape::{sentence, text};
use crate::words;

pub fn entry_points(out: &mut String, report: &DebtReport, links: &Links<'_>) {
    if report.entry_points.is_empty() {
        return;
    }
    out.push_str("<h2>Entry points</h2>\n<table class=\"table stack dense\">\n<thead><tr><th>Route</th><th>Who reaches it</th><th>Attacked</th><th>Needs attention behind it</th></tr></thead>\n<tbody>\n");
    for (n, entry) in report.entry_points.iter().enumerate() {
        let attacked = match &entry.attacked {
            Measured::Known(0) => "all of it, none proven".to_owned(),
            Measured::Known(n) => format!(
                "all of it, <span class=\"tag proven\">{} proven</span>",
                words::number(*n)
            ),
            Measured::Unmeasured(why) => format!(
                "<span class=\"tag unknown\">unmeasured</span> {}",
                sentence(why)
            ),
        };
        let findings: Vec<String> = entry
            .findings
            .iter()
            .map(|id| links.reference(&evidence::finding(id)))
            .collect();
        let _ = writeln!(
            out,
            "<tr id=\"{}\"><td class=\"where\"><b>{}</b><br><span class=\"path soft\">{}</span></td><td data-label=\"reached by\">{}<br><span class=\"soft\">{}</span></td><td class=\"wide\" data-label=\"attacked\">{attacked}</td><td data-label=\"findings\">{}</td></tr>",
            links.entries[n],
            text(&entry.label),
            text(&words::place(&entry.place)),
            text(&entry.exposure),
            sentence(&entry.exposure_reason),
            if findings.is_empty() {
                "<span class=\"soft\">nothing</span>".to_owned()
            } else {
                findings.join(" ")
            },
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

pub fn runs(out: &mut String, report: &DebtReport, links: &Links<'_>) {
    if report.runs.is_empty() {
        return;
    }
    out.push_str("<h2>Reports of other tools</h2>\n<table class=\"table stack dense\">\n<thead><tr><th>Tool</th><th>File</th><th class=\"num\">Results</th><th class=\"num\">Taken</th><th>Where an absence may close something</th></tr></thead>\n<tbody>\n");
    for (n, run) in report.runs.iter().enumerate() {
        let covered = match &run.covered_files {
            Measured::Known(files) => format!(
                "in the {} that the run shows it read",
                words::count(*files, "file", "files")
            ),
            Measured::Unmeasured(why) => format!("nowhere: {}", sentence(why)),
        };
        let notes: String = run
            .notes
            .iter()
            .map(|note| {
                format!(
                    "<br><span class=\"soft\">{}: {}</span>",
                    sentence(&note.what),
                    sentence(&note.why)
                )
            })
            .collect();
        let _ = writeln!(
            out,
            "<tr id=\"{}\"><td><b>{}</b> {}</td><td><span class=\"path\">{}</span><br>{}</td><td class=\"num\" data-label=\"results\">{}</td><td class=\"num\" data-label=\"taken\">{}</td><td class=\"wide\">{covered}{notes}</td></tr>",
            links.runs[n],
            text(&run.tool),
            run.version.as_deref().map_or_else(String::new, text),
            text(&run.file),
            sheet::digest(&run.digest),
            words::number(run.results),
            words::number(run.taken),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

pub fn commits(out: &mut String, report: &DebtReport, links: &Links<'_>) {
    if report.commits.is_empty() {
        return;
    }
    out.push_str("<h2>Changes that figures name</h2>\n<table class=\"table stack dense\">\n<thead><tr><th>Commit</th><th>Date</th><th>Says</th><th>Written by</th></tr></thead>\n<tbody>\n");
    for (n, commit) in report.commits.iter().enumerate() {
        let _ = writeln!(
            out,
            "<tr id=\"{}\"><td>{}</td><td class=\"nowrap\">{}</td><td class=\"wide\">{}</td><td>{}</td></tr>",
            links.commits[n],
            sheet::digest(&commit.id),
            words::date(commit.when_ms),
            text(&commit.subject),
            by(&commit.attribution).trim_start_matches("written by "),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

pub fn coverage(out: &mut String, report: &DebtReport) {
    let c = &report.coverage;
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
    pair("Tree", sheet::digest(&report.subject.tree));
    pair("Models", sheet::digest(&report.tool.models));
    if let Some(ledger) = &report.ledger {
        pair(
            "Ledger",
            format!(
                "{}, root {}",
                words::count(ledger.size, "record", "records"),
                sheet::digest(&ledger.root)
            ),
        );
    }
    out.push_str("</dl>\n");
}

const FIGURES: [(&str, &str); 7] = [
    (
        "Needs attention",
        "Open and reachable, undecided or not judged. What is not known counts as open.",
    ),
    (
        "Proven",
        "The effect happened in the running application, through a real entry point, and again in every replay on a fresh instance, while the same request with innocent input showed nothing.",
    ),
    (
        "Collapse",
        "How many results of other tools still need attention. One goes away only when evidence takes it: it is the same flaw as another, the search finished and every way is cut, or it was closed. The thresholds are fixed; raising one is not evidence.",
    ),
    (
        "Exposure",
        "Public entry points with an open proof, over the public entry points of which everything was attacked with a clear answer. It falls only when a proven flaw is closed and the same attack was tried again. It is another figure than collapse, and neither can be had from the other.",
    ),
    (
        "Months",
        "One revision of the mainline a month, the newest, read with today's models, so that a rising line is not a sharper eye. A finding is the same one in two months when its fingerprint is, which survives moved lines and renames.",
    ),
    (
        "Age",
        "Days since the change that brought the oldest critical finding still open in that month; where it is older than what was looked at, it is at least that old.",
    ),
    (
        "Same flaw",
        "Findings of several tools are joined only for a stated reason, which stands with each of them.",
    ),
];

pub fn method<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2>How this was computed</h2>\n<dl class=\"glossary\">\n");
    let mut entry = |word: &str, meaning: &str| {
        let _ = writeln!(out, "<div><dt>{word}</dt><dd>{meaning}</dd></div>");
    };
    for (word, meaning) in FIGURES {
        entry(word, meaning);
    }
    if let Measured::Known(a) = &report.authorship {
        let mut meaning = sentence(&a.method);
        for caveat in &a.caveats {
            let _ = write!(meaning, ". {}", sentence(caveat));
        }
        entry("What wrote the code", &meaning);
    }
    if let Measured::Known(r) = &report.flaw_rates {
        entry("Flaws per hundred changes", &sentence(&r.method));
    }
    out.push_str("</dl>\n");
    let Measured::Known(forecast) = &report.forecast else {
        return;
    };
    let _ = write!(
        out,
        "<h3 class=\"sub\" id=\"forecast\">Forecast</h3>\n<p>{}. The band holds {} of the outcomes that were drawn. {}</p>\n<dl class=\"pairs\">\n",
        sentence(&forecast.method),
        words::share(forecast.band),
        links.derived(
            "What the forecast was made from",
            "What it was made from.",
            &forecast.evidence
        ),
    );
    for input in &forecast.inputs {
        let _ = writeln!(
            out,
            "<dt>{}</dt><dd>{}</dd>",
            sentence(&input.name),
            sentence(&input.value)
        );
    }
    out.push_str("</dl>\n<table class=\"table counts ahead\">\n<thead><tr><th>Month</th><th class=\"num\">Low</th><th class=\"num\">Middle</th><th class=\"num\">High</th></tr></thead>\n<tbody>\n");
    for month in forecast.months.iter().take(24) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
            text(&words::month(&month.month)),
            words::number(month.low),
            words::number(month.median),
            words::number(month.high)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}
