//! Who did what, one ledger record a line.

use solvent_protocol::view::{LogEntry, LogReport};

use super::{Page, Style};
use crate::words;

/// In the order given. A result hangs under nothing: intents and results are told apart by their word.
pub fn log(report: &LogReport, width: usize) -> Page {
    let mut page = Page::new(width);
    if report.entries.is_empty() {
        page.line(0, [(Style::Plain, "no records")]);
        return page;
    }
    let digits = report
        .entries
        .iter()
        .map(|e| e.index.to_string().len())
        .max()
        .unwrap_or(1);
    for entry in &report.entries {
        line(&mut page, entry, digits);
    }
    page
}

fn line(page: &mut Page, entry: &LogEntry, digits: usize) {
    let index = format!("{:>digits$}  ", entry.index);
    let time = format!("{}  ", words::time_word(entry.time_ms));
    let (style, word) = match (entry.phase.as_str(), entry.status.as_str()) {
        ("intent", _) => (Style::Dim, "intends"),
        (_, "done") => (Style::Good, "done"),
        (_, "refused") => (Style::Warn, "refused"),
        (_, "failed") => (Style::Bad, "failed"),
        (_, other) => (Style::Warn, other),
    };
    let actor = format!("  {}  ", entry.actor);
    let rest = format!("{} {}", entry.action, entry.target);
    let hang = digits + 21;
    page.line(
        hang,
        [
            (Style::Dim, &index),
            (Style::Dim, &time),
            (style, &format!("{word:<7}")),
            (Style::Dim, &actor),
            (Style::Plain, &rest),
        ],
    );
    if !entry.note.is_empty() {
        page.paragraph(hang, Style::Plain, &entry.note);
    }
}
