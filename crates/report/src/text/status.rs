//! The funnel.

use solvent_protocol::view::StatusReport;

use super::{Page, Style};
use crate::words;

/// Found, reachable, proven, with what left the funnel at each step, and the unmeasured apart.
pub fn status(report: &StatusReport, width: usize) -> Page {
    let mut page = Page::new(width);
    match &report.subject {
        Some(subject) => page.line(2, [(Style::Strong, &words::subject(subject))]),
        None => page.line(2, [(Style::Strong, "nothing was scanned yet")]),
    }
    if let Some(ms) = report.scanned_ms {
        let mut when = format!("scanned {}", words::time_word(ms));
        match report.proved_ms {
            Some(ms) => when.push_str(&format!(", attacked {}", words::time_word(ms))),
            None => when.push_str(", never attacked"),
        }
        page.line(2, [(Style::Dim, &when)]);
    }
    page.blank();
    let left = |pairs: &[(u64, &str)]| {
        let words: Vec<String> = pairs
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{} {word}", words::number(*n)))
            .collect();
        words.join(", ")
    };
    let steps = [
        ("found", report.found, Style::Plain, String::new()),
        (
            "reachable",
            report.reachable,
            Style::Warn,
            left(&[(report.no_path, "no path"), (report.undecided, "undecided")]),
        ),
        (
            "proven",
            report.proven,
            Style::Bad,
            left(&[
                (report.not_reproduced, "not reproduced"),
                (report.inconclusive, "inconclusive"),
                (report.not_attempted, "not attacked"),
            ]),
        ),
    ];
    let digits = steps
        .iter()
        .map(|s| words::number(s.1).len())
        .max()
        .unwrap_or(1);
    let most = steps.iter().map(|s| s.1).max().unwrap_or(0);
    let room = (page.width.saturating_sub(16 + digits)).min(40);
    for (label, n, style, rest) in &steps {
        let figure = format!("{:>digits$}", words::number(*n));
        let bar = bar(*n, most, room);
        page.line(
            0,
            [
                (Style::Plain, &format!("  {label:<11}")),
                (Style::Strong, &figure),
                (Style::Plain, "  "),
                (*style, &bar),
            ],
        );
        if !rest.is_empty() {
            let gap = " ".repeat(15 + digits);
            page.line(
                15 + digits,
                [(Style::Plain, gap.as_str()), (Style::Dim, rest)],
            );
        }
    }
    for (label, n, style, rest) in [
        (
            "closed",
            report.closed,
            Style::Good,
            "the same attack fails on the merged revision",
        ),
        (
            "accepted",
            report.accepted,
            Style::Warn,
            "kept for a time by a named person",
        ),
        (
            "reopened",
            report.reopened,
            Style::Bad,
            "closed or accepted before, open again",
        ),
    ] {
        if n > 0 {
            page.line(
                15 + digits,
                [
                    (Style::Plain, &format!("  {label:<11}")),
                    (style, &format!("{:>digits$}", words::number(n))),
                    (Style::Dim, &format!("  {rest}")),
                ],
            );
        }
    }
    page.blank();
    page.line(
        2,
        [
            (Style::Dim, "  entry points "),
            (Style::Plain, &words::number(report.entry_points)),
        ],
    );
    page.unmeasured(&report.unmeasured);
    page
}

/// At least one mark when there is anything; `most` fills the room.
pub(super) fn bar(n: u64, most: u64, room: usize) -> String {
    if n == 0 || most == 0 {
        return String::new();
    }
    let eighths = (u128::from(n) * room as u128 * 8 / u128::from(most)).max(1) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_show_that_there_is_something() {
        assert_eq!(bar(0, 10, 20), "");
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
        assert_eq!(bar(u64::MAX, u64::MAX, 4), "████");
    }
}
