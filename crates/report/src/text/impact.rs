//! What a change touches, and a scan cut down to that.

use solvent_protocol::impact::{ChangedScan, EntryImpact, FlowImpact, ImpactReport, Left};
use solvent_protocol::view::FindingView;

use super::findings::{INDENT, severity_style};
use super::gate::cell_text;
use super::scan::scan;
use super::{Page, Style};
use crate::words;

/// Functions and entry points that are shown one by one; the rest is counted.
const SHOWN: usize = 12;

pub fn impact(report: &ImpactReport, width: usize) -> Page {
    let mut page = Page::new(width);
    let range = format!(
        "{}  {} to {}",
        report.name,
        words::short(&report.base),
        words::short(&report.head)
    );
    page.line(2, [(Style::Strong, &range)]);
    let files = format!(
        "{} changed, {} read",
        words::count(report.files.changed, "file", "files"),
        report.files.read
    );
    page.line(2, [(Style::Dim, &files)]);
    entry_points(&mut page, &report.entry_points);
    flows(&mut page, &report.flows);
    proofs(&mut page, report);
    functions(&mut page, report);
    page.blank();
    page.field("left", &[(Style::Plain, &left(&report.left))]);
    page.unmeasured(&report.unmeasured);
    page
}

fn style_of(how: &str) -> Style {
    match how {
        "new" => Style::Bad,
        "changed" => Style::Warn,
        "touched" => Style::Plain,
        _ => Style::Dim,
    }
}

fn head(page: &mut Page, what: &str, counts: &[(&str, usize)]) {
    let counted: Vec<String> = counts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(how, n)| format!("{n} {how}"))
        .collect();
    page.blank();
    let counted = match counted.is_empty() {
        true => "none".to_owned(),
        false => counted.join(", "),
    };
    page.line(
        2,
        [
            (Style::Strong, what),
            (Style::Plain, "  "),
            (Style::Dim, &counted),
        ],
    );
}

fn counts<'a>(hows: impl Iterator<Item = &'a str> + Clone) -> Vec<(&'static str, usize)> {
    ["new", "changed", "touched", "gone"]
        .into_iter()
        .map(|how| (how, hows.clone().filter(|h| *h == how).count()))
        .collect()
}

/// `  changed     ` and the rest.
fn labelled(page: &mut Page, how: &str, pieces: [(Style, &str); 3]) {
    let label = format!("  {how:<10}  ");
    let [a, b, c] = pieces;
    page.line(INDENT, [(style_of(how), &label), a, b, c]);
}

pub(super) fn entry_points(page: &mut Page, entries: &[EntryImpact]) {
    head(
        page,
        "entry points",
        &counts(entries.iter().map(|e| e.how.as_str())),
    );
    let mut touched = 0;
    for impact in entries {
        if impact.how == "touched" {
            touched += 1;
            if touched > SHOWN {
                continue;
            }
        }
        let entry = &impact.entry;
        let place = format!("  {}", words::place(&entry.place));
        labelled(
            page,
            &impact.how,
            [
                (Style::Key, &entry.label),
                (Style::Dim, &place),
                (Style::Plain, ""),
            ],
        );
        for change in &impact.changes {
            let weaker = change.starts_with("the check") && change.ends_with("is gone");
            let style = if weaker { Style::Bad } else { Style::Plain };
            page.paragraph(INDENT, style, change);
        }
        if impact.how == "touched" {
            let through = format!("leads to {}", impact.through.join(", "));
            page.paragraph(INDENT, Style::Dim, &through);
        }
    }
    more(page, touched);
}

fn more(page: &mut Page, of: usize) {
    if of > SHOWN {
        let more = format!("and {} more that are touched: --json", of - SHOWN);
        page.paragraph(INDENT, Style::Dim, &more);
    }
}

pub(super) fn flows(page: &mut Page, flows: &[FlowImpact]) {
    let loud: Vec<&FlowImpact> = flows.iter().filter(|f| !f.is_quiet()).collect();
    head(page, "flows", &counts(loud.iter().map(|f| f.how.as_str())));
    let mut touched = 0;
    for flow in &loud {
        if flow.how == "touched" {
            touched += 1;
            if touched > SHOWN {
                continue;
            }
        }
        let finding = &flow.finding;
        let weakness = format!("  {}", words::weakness(&finding.weakness));
        let severity = format!("  {}", finding.severity);
        let label = format!("  {:<10}  ", flow.how);
        page.line(
            INDENT,
            [
                (style_of(&flow.how), label.as_str()),
                (Style::Key, &finding.id),
                (severity_style(&finding.severity), &severity),
                (Style::Plain, &weakness),
            ],
        );
        page.paragraph(INDENT, Style::Plain, &finding.title);
        page.paragraph(INDENT, Style::Dim, &way(finding));
        page.paragraph(INDENT, Style::Plain, &became(flow));
    }
    more(page, touched);
    let quiet = flows.len() - loud.len();
    if quiet > 0 {
        let quiet = format!("and {quiet} that nothing reaches, before and after: --json");
        page.paragraph(INDENT, Style::Dim, &quiet);
    }
}

fn way(finding: &FindingView) -> String {
    let place = words::place(&finding.sink.place);
    match &finding.entry {
        Some(entry) => format!("{} -> {place}", entry.label),
        None => place,
    }
}

/// The verdict, what it was, and why the flow is named.
fn became(flow: &FlowImpact) -> String {
    let word = |word: &str| word.replace('_', " ");
    let now = word(&flow.finding.verdict.word);
    let mut out = match (flow.how.as_str(), &flow.before) {
        ("gone", _) => return format!("was {now}; it is no longer seen, which closes nothing"),
        (_, Some(before)) => format!("was {}, is {now}", word(&before.word)),
        _ => now,
    };
    let told: Vec<&str> = flow
        .changes
        .iter()
        .map(String::as_str)
        .filter(|change| flow.before.is_none() || *change != "another verdict")
        .collect();
    if !told.is_empty() {
        out.push_str(&format!("; {}", told.join(", ")));
    }
    if !flow.through.is_empty() {
        out.push_str(&format!("; through {}", flow.through.join(", ")));
    }
    out
}

fn proofs(page: &mut Page, report: &ImpactReport) {
    if report.proofs.is_empty() {
        return;
    }
    page.blank();
    page.line(
        2,
        [
            (Style::Strong, "proofs to try again"),
            (Style::Plain, "  "),
            (Style::Dim, &report.proofs.len().to_string()),
        ],
    );
    for proof in &report.proofs {
        let id = format!("  {:<10}  ", proof.id);
        let what = format!(
            "{}  {}  {}",
            proof.state,
            words::weakness(&proof.weakness),
            proof.entry
        );
        page.line(INDENT, [(Style::Key, &id), (Style::Plain, &what)]);
        page.paragraph(INDENT, Style::Plain, &proof.because);
        page.paragraph(INDENT, Style::Key, &proof.replay);
    }
}

fn functions(page: &mut Page, report: &ImpactReport) {
    head(
        page,
        "functions",
        &counts(report.functions.iter().map(|f| f.how.as_str())),
    );
    for function in report.functions.iter().take(SHOWN) {
        let place = format!("  {}", words::place(&function.place));
        labelled(
            page,
            &function.how,
            [
                (Style::Plain, &function.name),
                (Style::Dim, &place),
                (Style::Plain, ""),
            ],
        );
    }
    if report.functions.len() > SHOWN {
        let more = format!("and {} more: --json", report.functions.len() - SHOWN);
        page.paragraph(INDENT, Style::Dim, &more);
    }
}

fn left(left: &Left) -> String {
    let mut out = format!(
        "as they were: {}, {} reachable, {} undecided, {} that nothing reaches",
        words::count(left.entry_points, "entry point", "entry points"),
        words::count(left.reachable, "flow", "flows"),
        left.undecided,
        left.no_path
    );
    if left.proofs > 0 {
        out.push_str(&format!(
            ", {}",
            words::count(left.proofs, "proof", "proofs")
        ));
    }
    out
}

/// The same as Markdown, for a pull request. Carries no payload.
pub fn impact_markdown(report: &ImpactReport) -> String {
    let loud: Vec<&FlowImpact> = report.flows.iter().filter(|f| !f.is_quiet()).collect();
    let told = |counts: Vec<(&'static str, usize)>| -> String {
        let counted = counts.iter().filter(|(_, n)| *n > 0);
        let counted: Vec<String> = counted.map(|(how, n)| format!("{n} {how}")).collect();
        match counted.is_empty() {
            true => "none".to_owned(),
            false => counted.join(", "),
        }
    };
    let entries = counts(report.entry_points.iter().map(|e| e.how.as_str()));
    let functions = counts(report.functions.iter().map(|f| f.how.as_str()));
    let mut out = format!(
        "## Solvent impact\n\nBase `{}`, head `{}`, {} changed.\n\n- flows: {}\n- entry points: {}\n- functions: {}\n",
        words::short(&report.base),
        words::short(&report.head),
        words::count(report.files.changed, "file", "files"),
        told(counts(loud.iter().map(|f| f.how.as_str()))),
        told(entries),
        told(functions),
    );
    let mut table = |head: &str, rows: &mut dyn Iterator<Item = Vec<String>>| {
        let rows: Vec<Vec<String>> = rows.collect();
        if rows.is_empty() {
            return;
        }
        let line = "---|".repeat(head.split('|').count());
        out.push_str(&format!("\n| {head} |\n|{line}\n"));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| cell_text(cell)).collect();
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    };
    table(
        "flow | finding | severity | what | where | verdict",
        &mut loud.iter().map(|flow| {
            let finding = &flow.finding;
            vec![
                flow.how.clone(),
                finding.id.clone(),
                finding.severity.clone(),
                finding.title.clone(),
                way(finding),
                became(flow),
            ]
        }),
    );
    let named = report.entry_points.iter().filter(|e| e.how != "touched");
    table(
        "entry point | route | where | what is another",
        &mut named.map(|e| {
            vec![
                e.how.clone(),
                e.entry.label.clone(),
                words::place(&e.entry.place),
                e.changes.join("; "),
            ]
        }),
    );
    table(
        "proof to try again | of | because | command",
        &mut report.proofs.iter().map(|proof| {
            vec![
                proof.id.clone(),
                format!("{} {}", proof.weakness, proof.entry),
                proof.because.clone(),
                proof.replay.clone(),
            ]
        }),
    );
    out.push_str(&format!("\nLeft {}.\n", cell_text(&left(&report.left))));
    if !report.unmeasured.is_empty() {
        out.push_str("\n**Unmeasured** (not known is not safe)\n\n");
        for gap in &report.unmeasured {
            let (what, why) = (cell_text(&gap.what), cell_text(&gap.why));
            out.push_str(&format!("- {what}: {why}\n"));
        }
    }
    out
}

/// The findings that differ from a base, then what was left out and why.
pub fn changed_scan(report: &ChangedScan, width: usize) -> Page {
    let mut page = scan(&report.scan, width);
    page.blank();
    page.field(
        "against",
        &[(
            Style::Plain,
            &format!("{}, {}", words::short(&report.base), report.base_is),
        )],
    );
    let count = |how: &str| report.how.iter().filter(|f| f.how == how).count();
    page.field(
        "told",
        &[(
            Style::Plain,
            &format!(
                "{} new, {} changed, {} touched; of what is read, {}",
                count("new"),
                count("changed"),
                count("touched"),
                words::count(report.files.read, "file differs", "files differ"),
            ),
        )],
    );
    let left = &report.left;
    page.field(
        "left",
        &[(
            Style::Plain,
            &format!(
                "{} reachable, {} undecided, {} that nothing reaches: the same in the base, and through no function \
                 that changed; `solvent scan` tells them too",
                words::count(left.reachable, "finding", "findings"),
                left.undecided,
                left.no_path
            ),
        )],
    );
    if report.gone > 0 {
        let gone = format!("{} of the base, which closes nothing", report.gone);
        page.field("gone", &[(Style::Plain, &gone)]);
    }
    let kept = "nothing: this is no scan of the whole, so no record is made of it";
    page.field("recorded", &[(Style::Dim, kept)]);
    page
}
