//! The list of findings, grouped by what is known about them.

use solvent_protocol::view::{FindingList, FindingState, FindingView, ReasonView};

use super::{Page, Style};
use crate::words::{self, Standing};

/// Groups from the most urgent on; each finding takes two or three lines.
pub fn findings(list: &FindingList, width: usize) -> Page {
    let mut page = Page::new(width);
    let sorted = words::by_urgency(&list.findings);
    if sorted.is_empty() {
        page.line(0, [(Style::Plain, "no findings")]);
        return page;
    }
    for standing in Standing::ALL {
        let group: Vec<&FindingState> = sorted
            .iter()
            .copied()
            .filter(|s| Standing::of_state(s) == standing)
            .collect();
        if group.is_empty() {
            continue;
        }
        if page.height() > 0 {
            page.blank();
        }
        heading(&mut page, standing, group.len());
        if standing == Standing::Undecided {
            settled_by(&mut page, group.iter().map(|s| &s.finding));
        }
        for state in group {
            entry(&mut page, &state.finding);
            let hang = INDENT;
            let attacked = matches!(standing, Standing::Inconclusive | Standing::NotReproduced);
            if let Some(proof) = state
                .proof
                .as_ref()
                .filter(|p| attacked && !p.reason.is_empty())
            {
                page.paragraph(hang, Style::Dim, &proof.reason);
            }
            if matches!(standing, Standing::Accepted | Standing::Closed) {
                page.paragraph(hang, Style::Dim, &words::decided(&state.lifecycle));
            } else if !state.present {
                page.paragraph(
                    hang,
                    Style::Warn,
                    "absent from the newest scan, which does not close it",
                );
            }
        }
    }
    page
}

/// Columns of `  0123456789  `.
pub(super) const INDENT: usize = 14;

pub(super) fn style_of(standing: Standing) -> Style {
    match standing {
        Standing::Proven => Style::Bad,
        Standing::NotAttempted | Standing::Inconclusive | Standing::Undecided => Style::Warn,
        Standing::NotReproduced | Standing::Accepted => Style::Plain,
        Standing::Closed => Style::Good,
        Standing::NoPath => Style::Dim,
    }
}

pub(super) fn heading(page: &mut Page, standing: Standing, n: usize) {
    let n = words::number(n as u64);
    page.line(
        0,
        [
            (style_of(standing), standing.words()),
            (Style::Plain, "  "),
            (Style::Dim, &n),
        ],
    );
}

/// Id, severity, weakness and entry; the title; the place; and why, unless it is plainly reachable.
pub(super) fn entry(page: &mut Page, finding: &FindingView) {
    let id = format!("  {:<10}  ", finding.id);
    let weakness = format!("  {}", words::weakness(&finding.weakness));
    page.line(
        INDENT,
        [
            (Style::Key, &id),
            (severity_style(&finding.severity), &finding.severity),
            (Style::Plain, &weakness),
        ],
    );
    page.paragraph(INDENT, Style::Plain, &finding.title);
    let mut place = words::place(&finding.sink.place);
    if let Some(entry) = &finding.entry {
        place = format!("{} -> {place}", entry.label);
    }
    page.paragraph(INDENT, Style::Dim, &place);
    if let Some(exposure) = finding.entry.as_ref().and_then(|e| e.exposure.as_ref()) {
        let text = format!("{}: {}", exposure.reach, exposure.why);
        page.paragraph(INDENT, Style::Dim, &text);
    }
    for reason in &finding.verdict.reasons {
        page.line(
            INDENT + 2,
            [
                (Style::Plain, " ".repeat(INDENT).as_str()),
                (Style::Dim, "- "),
                (Style::Plain, &why(reason)),
            ],
        );
    }
}

/// What would make it known, below the heading of what is undecided.
pub(super) fn settled_by<'a>(page: &mut Page, findings: impl IntoIterator<Item = &'a FindingView>) {
    for words in words::what_settles(findings) {
        page.paragraph(2, Style::Dim, &format!("known by {words}"));
    }
}

/// The reason with its code and place.
pub(super) fn why(reason: &ReasonView) -> String {
    match &reason.place {
        Some(place) => format!("{} ({}, {})", reason.text, reason.code, words::place(place)),
        None => format!("{} ({})", reason.text, reason.code),
    }
}

pub(super) fn severity_style(severity: &str) -> Style {
    match severity {
        "critical" => Style::Bad,
        "high" => Style::Warn,
        _ => Style::Plain,
    }
}
