//! What the gate says, for a terminal and for a pipeline's summary; and the standing re-proof.

use solvent_protocol::remediation::{GateFinding, GateReport, ReplayAllReport};

use super::findings::severity_style;
use super::{LABEL, Page, Style};
use crate::visible::visible;
use crate::words;

pub fn gate(report: &GateReport, width: usize) -> Page {
    let mut page = Page::new(width);
    let style = match report.answer.as_str() {
        "pass" => Style::Good,
        "fail" => Style::Bad,
        _ => Style::Warn,
    };
    page.line(
        2,
        [
            (Style::Plain, "gate  "),
            (style, &report.answer),
            (
                Style::Plain,
                &format!(
                    "  {} against {}, {} changed",
                    words::subject(&report.subject),
                    short(&report.base),
                    words::count(report.changed_files, "file", "files")
                ),
            ),
        ],
    );
    page.field(
        "fails on",
        &[(
            Style::Plain,
            &format!(
                "new {} flaws in what the change affects, by the rules of the base",
                report.fails_on
            ),
        )],
    );
    for new in &report.new {
        page.blank();
        let finding = &new.finding;
        page.field(
            "new",
            &[
                (Style::Key, &finding.id),
                (Style::Plain, "  "),
                (severity_style(&finding.severity), &finding.severity),
                (Style::Plain, &format!("  {}", finding.title)),
            ],
        );
        page.paragraph(LABEL, Style::Plain, &words::place(&finding.sink.place));
        page.paragraph(LABEL, Style::Plain, &outcome(new));
    }
    page.blank();
    page.field(
        "debt",
        &[(
            Style::Plain,
            &format!(
                "{} open before and after, which fails nothing; {} no longer there, which closes nothing",
                report.known, report.gone
            ),
        )],
    );
    for line in &report.inert {
        page.field("inert", &[(Style::Warn, line)]);
    }
    page.unmeasured(&report.unmeasured);
    page
}

/// The same as Markdown, for a pipeline's summary page. Carries no payload.
pub fn gate_markdown(report: &GateReport) -> String {
    let mut out = format!(
        "## Solvent gate: {}\n\n{} new {} flaw(s) in what this change affects. Base `{}`, {} file(s) changed.\n",
        report.answer,
        report.new.len(),
        report.fails_on,
        short(&report.base),
        report.changed_files
    );
    if !report.new.is_empty() {
        out.push_str("\n| finding | severity | what | where | outcome |\n|---|---|---|---|---|\n");
        for new in &report.new {
            let finding = &new.finding;
            let cells = [
                finding.id.clone(),
                finding.severity.clone(),
                finding.title.clone(),
                words::place(&finding.sink.place),
                outcome(new),
            ]
            .map(|cell| cell_text(&cell));
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    out.push_str(&format!(
        "\n{} open before and after (debt, fails nothing), {} no longer there (closes nothing).\n",
        report.known, report.gone
    ));
    for line in &report.inert {
        out.push_str(&format!("\n> inert until merged: {}\n", cell_text(line)));
    }
    if !report.unmeasured.is_empty() {
        out.push_str("\n**Unmeasured** (not known is not safe)\n\n");
        for gap in &report.unmeasured {
            out.push_str(&format!(
                "- {}: {}\n",
                cell_text(&gap.what),
                cell_text(&gap.why)
            ));
        }
    }
    out
}

/// Text of others inside Markdown: nothing in it is markup.
pub(super) fn cell_text(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '!' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn outcome(new: &GateFinding) -> String {
    let word = if new.outcome.is_empty() {
        new.finding.verdict.word.replace('_', " ")
    } else {
        new.outcome.replace('_', " ")
    };
    if new.reason.is_empty() {
        format!("{word}, {}", new.because)
    } else {
        format!("{word} ({}), {}", new.reason, new.because)
    }
}

/// Every capsule, replayed.
pub fn replay_all(report: &ReplayAllReport, width: usize) -> Page {
    let mut page = Page::new(width);
    page.line(
        0,
        [(Style::Strong, words::subject(&report.subject).as_str())],
    );
    if report.results.is_empty() {
        page.line(0, [(Style::Plain, "there is no capsule to replay")]);
    }
    for result in &report.results {
        let style = match (result.regress, result.outcome.as_str()) {
            (true, _) => Style::Bad,
            (_, "proven") => Style::Bad,
            (_, "not_reproduced") => Style::Good,
            _ => Style::Warn,
        };
        let words = format!(
            "  {}, was {}, {} of {} replays",
            words::weakness(&result.weakness),
            result.was,
            result.replays_shown,
            result.replays_run
        );
        page.line(
            2,
            [
                (Style::Plain, "  "),
                (Style::Key, &result.id),
                (Style::Plain, "  "),
                (style, &result.outcome.replace('_', " ")),
                (Style::Plain, &words),
            ],
        );
        if !result.reason.is_empty() {
            page.paragraph(14, Style::Dim, &result.reason);
        }
        if result.regress {
            page.paragraph(14, Style::Bad, "a closed flaw works again; it is open");
            for suspect in &result.suspects {
                page.paragraph(
                    14,
                    Style::Plain,
                    &format!("brought back between: {suspect}"),
                );
            }
        }
    }
    page.unmeasured(&report.unmeasured);
    page
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}
