//! The debt on a repository, in words.

use solvent_protocol::debt::{DebtReport, Figure, Interval, Measured, Month, Share};

use super::status::bar;
use super::{Page, Style};
use crate::words;

/// Findings listed by name; the page has the others.
const NAMED: usize = 5;

/// The four figures, the funnel, twelve months, what AI tools wrote, how changes came in; what is not known is
/// said in its place and again at the end.
pub fn debt(report: &DebtReport, width: usize) -> Page {
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
    let read = format!(
        "{}, {} of {} analysed",
        words::count(c.lines, "line", "lines"),
        words::number(c.files_analysed),
        words::count(c.files_seen, "file", "files"),
    );
    page.line(2, [(Style::Dim, &read)]);
    if c.files_copied_in > 0 {
        let left = format!("not read: {}", words::copied_in(c.files_copied_in));
        page.line(2, [(Style::Dim, &left)]);
    }
    page.blank();
    figures(&mut page, report);
    page.blank();
    funnel(&mut page, report);
    page.blank();
    months(&mut page, report);
    page.blank();
    written(&mut page, report);
    page.blank();
    process(&mut page, report);
    top(&mut page, report);
    page.unmeasured(&report.unmeasured);
    page
}

/// A label in a column of its own, wider than that of other pages.
const LABEL: usize = 20;

fn row(page: &mut Page, label: &str, pieces: &[(Style, &str)]) {
    let label = format!("{label:<LABEL$}");
    let mut all = vec![(Style::Dim, label.as_str())];
    all.extend_from_slice(pieces);
    page.pieces(LABEL, &all);
}

fn unknown(page: &mut Page, label: &str, why: &str) {
    row(
        page,
        label,
        &[
            (Style::Warn, "unmeasured"),
            (Style::Plain, ": "),
            (Style::Plain, why),
        ],
    );
}

fn figures(page: &mut Page, report: &DebtReport) {
    let f = &report.funnel;
    let attention = words::number(f.attention.count);
    row(
        page,
        "needs attention",
        &[
            (Style::Strong, &attention),
            (
                Style::Dim,
                "  of every tool: open, and reachable or not known",
            ),
        ],
    );
    match &f.proven {
        Measured::Known(figure) => {
            let style = if figure.count > 0 {
                Style::Bad
            } else {
                Style::Strong
            };
            let n = words::number(figure.count);
            row(
                page,
                "proven",
                &[
                    (style, &n),
                    (Style::Dim, "  the attack worked on the running application"),
                ],
            );
        }
        Measured::Unmeasured(why) => unknown(page, "proven", why),
    }
    match &report.collapse {
        Measured::Known(c) => {
            let n = format!(
                "{} of {}",
                words::number(c.remaining.count),
                words::number(c.imported.count)
            );
            let rest = format!(
                "  findings of other tools remain, {} undecided and {} not judged among them",
                words::number(c.undecided.count),
                words::number(c.not_judged.count)
            );
            row(
                page,
                "collapse",
                &[(Style::Strong, &n), (Style::Dim, &rest)],
            );
        }
        Measured::Unmeasured(why) => unknown(page, "collapse", why),
    }
    match &report.exposure {
        Measured::Known(e) => {
            let style = if e.open_proof.count > 0 {
                Style::Bad
            } else {
                Style::Strong
            };
            let n = format!(
                "{} of {}",
                words::number(e.open_proof.count),
                words::number(e.measured.count)
            );
            let left = e.public.count.saturating_sub(e.measured.count);
            let rest = format!(
                "  public entry points measured have an open proof; {} more not measured",
                words::number(left)
            );
            row(page, "exposure", &[(style, &n), (Style::Dim, &rest)]);
        }
        Measured::Unmeasured(why) => unknown(page, "exposure", why),
    }
}

/// What stands before a bar, without the figure.
const BEFORE: usize = 14;

fn funnel(page: &mut Page, report: &DebtReport) {
    let f = &report.funnel;
    let list = |parts: &[(u64, &str)]| {
        let parts: Vec<String> = parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{} {word}", words::number(*n)))
            .collect();
        parts.join(", ")
    };
    let reported = f
        .imported
        .iter()
        .map(|i| i.findings.count)
        .fold(f.own.count, u64::saturating_add);
    let mut from = vec![(f.own.count, "own")];
    from.extend(
        f.imported
            .iter()
            .map(|i| (i.findings.count, i.tool.as_str())),
    );
    let proven = f.proven.known().map_or(0, |p| p.count);
    let mut rows = vec![
        ("reported", reported, Style::Plain, list(&from)),
        (
            "joined",
            f.distinct.count,
            Style::Plain,
            list(&[
                (f.reachable.count, "reachable"),
                (f.undecided.count, "undecided"),
                (f.not_judged.count, "not judged"),
                (f.no_path.count, "no path"),
            ]),
        ),
        (
            "attention",
            f.attention.count,
            Style::Warn,
            list(&[
                (proven, "proven"),
                (f.inconclusive.count, "inconclusive"),
                (f.not_attempted.count, "not attacked"),
                (f.not_judged_open.count, "not judged"),
                (f.not_reproduced.count, "not reproduced"),
            ]),
        ),
    ];
    if let Some(closed) = f.closed.known() {
        let by: Vec<(u64, &str)> = closed
            .by
            .iter()
            .map(|c| (c.figure.count, c.text.as_str()))
            .collect();
        rows.push(("closed", closed.total.count, Style::Good, list(&by)));
    }
    if f.gone.count > 0 {
        let words = "no longer found; no attack verified that".to_owned();
        rows.push(("gone", f.gone.count, Style::Dim, words));
    }
    let digits = rows
        .iter()
        .map(|r| words::number(r.1).len())
        .max()
        .unwrap_or(1);
    let most = rows.iter().map(|r| r.1).max().unwrap_or(0);
    let room = page.width.saturating_sub(BEFORE + digits).min(40);
    for (label, n, style, parts) in &rows {
        let figure = format!("{:>digits$}", words::number(*n));
        page.line(
            0,
            [
                (Style::Plain, &format!("  {label:<10}")),
                (Style::Strong, &figure),
                (Style::Plain, "  "),
                (*style, &bar(*n, most, room)),
            ],
        );
        if !parts.is_empty() {
            let gap = " ".repeat(BEFORE + digits);
            page.line(
                BEFORE + digits,
                [(Style::Plain, gap.as_str()), (Style::Dim, parts)],
            );
        }
    }
    if let Some(why) = f.closed.why() {
        unknown(page, "  closed", why);
    }
}

fn months(page: &mut Page, report: &DebtReport) {
    let scans = || {
        report
            .months
            .iter()
            .filter_map(|m| m.scan.known().map(|s| (m, s)))
    };
    let (Some((first, _)), Some((last, newest))) = (scans().next(), scans().next_back()) else {
        let why = report
            .months
            .iter()
            .find_map(|m| m.scan.why())
            .unwrap_or("no revision of the past was looked at");
        unknown(page, "twelve months", why);
        if let Some(why) = report.forecast.why() {
            unknown(page, "forecast", why);
        }
        return;
    };
    let open = format!("  {} open", words::number(newest.open.count));
    row(
        page,
        "own open by month",
        &[
            (Style::Plain, &spark(&report.months)),
            (Style::Strong, &open),
        ],
    );
    let missing = report.months.len() - scans().count();
    let mut span = format!(
        "{} to {}",
        words::month(&first.month),
        words::month(&last.month)
    );
    if missing > 0 {
        span.push_str(&format!(
            ", {} not scanned, shown as ?",
            words::count(missing as u64, "month", "months")
        ));
    }
    row(page, "", &[(Style::Dim, &span)]);
    let total = |of: fn(&solvent_protocol::debt::MonthScan) -> &Measured<Figure>| {
        let known: Vec<u64> = scans()
            .filter_map(|(_, s)| of(s).known().map(|f| f.count))
            .collect();
        (
            known.iter().copied().fold(0, u64::saturating_add),
            known.len() as u64,
        )
    };
    let (came, known) = total(|s| &s.inflow);
    let (went, _) = total(|s| &s.outflow);
    if known > 0 {
        let text = format!(
            "{} came, {} went, over {}",
            words::number(came),
            words::number(went),
            words::count(known, "month", "months")
        );
        row(page, "", &[(Style::Plain, &text)]);
    } else {
        unknown(page, "came and went", "no two months in a row were scanned");
    }
    match &newest.oldest_open_critical {
        Some(age) => {
            let at_least = if age.at_least { "at least " } else { "" };
            let text = format!("{at_least}{}", words::count(age.days, "day", "days"));
            row(page, "oldest critical", &[(Style::Bad, &text)]);
        }
        None => row(page, "oldest critical", &[(Style::Plain, "none is open")]),
    }
    match &report.forecast {
        Measured::Known(f) => {
            if let Some(last) = f.months.last() {
                let n = words::number(last.median);
                let band = format!(
                    " own open in {} ({} to {} in {} of outcomes drawn)",
                    words::month(&last.month),
                    words::number(last.low),
                    words::number(last.high),
                    words::share(f.band)
                );
                row(
                    page,
                    "forecast",
                    &[(Style::Strong, &n), (Style::Dim, &band)],
                );
            }
        }
        Measured::Unmeasured(why) => unknown(page, "forecast", why),
    }
}

/// One block a month; what was not scanned is a question mark.
fn spark(months: &[Month]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = months
        .iter()
        .filter_map(|m| m.scan.known().map(|s| s.open.count))
        .max()
        .unwrap_or(0)
        .max(1);
    let newest = months.len().saturating_sub(24);
    months[newest..]
        .iter()
        .map(|m| match m.scan.known() {
            Some(s) => {
                let at = u128::from(s.open.count) * (BLOCKS.len() as u128 - 1) / u128::from(most);
                BLOCKS[at as usize]
            }
            None => '?',
        })
        .collect()
}

fn written(page: &mut Page, report: &DebtReport) {
    match &report.authorship {
        Measured::Known(a) => {
            for (label, share) in [("AI share of lines", &a.lines), ("of changes", &a.changes)] {
                match share {
                    Measured::Known(share) => shares(page, label, share),
                    Measured::Unmeasured(why) => unknown(page, label, why),
                }
            }
            if !a.tools.is_empty() {
                let tools: Vec<String> = a
                    .tools
                    .iter()
                    .map(|t| format!("{} {}", t.tool, words::number(t.changes.count)))
                    .collect();
                row(
                    page,
                    "",
                    &[(Style::Dim, &format!("changes: {}", tools.join(", ")))],
                );
            }
        }
        Measured::Unmeasured(why) => unknown(page, "AI share", why),
    }
    match &report.flaw_rates {
        Measured::Known(r) => {
            for (label, who, rate) in [
                ("flaws per hundred", "with an AI tool's mark", &r.ai),
                ("", "all other changes", &r.rest),
            ] {
                let of = format!(
                    "{who}: {} in {}",
                    words::number(rate.flaws.count),
                    words::count(rate.changes.count, "change", "changes")
                );
                match &rate.per_hundred {
                    Measured::Known(i) => {
                        let value = words::rate(i.value);
                        let rest = format!(" ({}) {of}", ends(*i));
                        row(page, label, &[(Style::Strong, &value), (Style::Dim, &rest)]);
                    }
                    Measured::Unmeasured(why) => unknown(page, label, &format!("{of}; {why}")),
                }
            }
        }
        Measured::Unmeasured(why) => unknown(page, "flaws per hundred", why),
    }
}

fn ends(interval: Interval) -> String {
    format!(
        "{} to {}",
        words::rate(interval.low),
        words::rate(interval.high)
    )
}

fn shares(page: &mut Page, label: &str, share: &Share) {
    let range = words::range(share.low, share.high);
    let rest = format!(
        "  {} detected, {} unknown, of {}",
        words::number(share.detected.count),
        words::number(share.unknown.count),
        words::number(share.total.count)
    );
    row(page, label, &[(Style::Strong, &range), (Style::Dim, &rest)]);
}

fn process(page: &mut Page, report: &DebtReport) {
    let p = &report.process;
    for (label, signal) in [
        ("pushed directly", &p.direct_pushes),
        ("merged by author", &p.self_merges),
        ("merged past a rule", &p.admin_merges),
    ] {
        match signal {
            Measured::Known(s) => {
                let n = words::number(s.part.count);
                let rest = format!(
                    " of {} {} ({})",
                    words::number(s.of.count),
                    s.of_what,
                    words::share_of(s.part.count, s.of.count)
                );
                row(page, label, &[(Style::Strong, &n), (Style::Dim, &rest)]);
            }
            Measured::Unmeasured(why) => unknown(page, label, why),
        }
    }
    match &p.suppressions {
        Measured::Known(s) => {
            let n = words::number(s.now.count);
            let kinds: Vec<String> = s
                .kinds
                .iter()
                .map(|k| format!("{} {}", words::number(k.now.count), k.kind))
                .collect();
            let mut rest = format!(" in {}", words::count(s.lines, "line", "lines"));
            if !kinds.is_empty() {
                rest.push_str(": ");
                rest.push_str(&kinds.join(", "));
            }
            row(
                page,
                "told to be silent",
                &[(Style::Strong, &n), (Style::Dim, &rest)],
            );
        }
        Measured::Unmeasured(why) => unknown(page, "told to be silent", why),
    }
}

/// The first open findings: the report has them in the order in which people act on them.
fn top(page: &mut Page, report: &DebtReport) {
    let open: Vec<_> = report
        .findings
        .iter()
        .filter(|f| {
            !matches!(f.state.word.as_str(), "closed" | "accepted" | "gone")
                && f.verdict.word != "no_path"
        })
        .collect();
    if open.is_empty() {
        return;
    }
    page.blank();
    page.line(0, [(Style::Strong, "first to look at")]);
    for f in open.iter().take(NAMED) {
        let proven = f.proof.known().is_some_and(|p| p.outcome == "proven");
        let (style, standing) = if proven {
            (Style::Bad, "proven")
        } else {
            (Style::Warn, f.verdict.word.as_str())
        };
        page.line(
            4,
            [
                (Style::Plain, "  "),
                (Style::Key, &f.id),
                (Style::Plain, "  "),
                (style, &standing.replace('_', " ")),
                (Style::Plain, "  "),
                (Style::Plain, &f.severity),
                (Style::Plain, "  "),
                (Style::Plain, &words::weakness(&f.weakness)),
            ],
        );
        page.paragraph(4, Style::Dim, &words::place(&f.place));
    }
    let left = open.len().saturating_sub(NAMED);
    if left > 0 {
        let more = format!(
            "and {} more, which the page of `--html FILE` lists",
            words::number(left as u64)
        );
        page.paragraph(2, Style::Dim, &more);
    }
}
