//! From found to closed, drawn to one scale.

use std::fmt::Write as _;

use solvent_protocol::debt::{Counted, DebtReport, Figure, Measured};

use super::link::Links;
use super::not_known;
use crate::sheet::escape::{sentence, text};
use crate::words;

/// A part of a bar: class of the drawing, what it is, how many.
type Part<'a> = (&'static str, String, &'a Figure);

pub fn funnel<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    let f = &report.funnel;
    let mut reported: Vec<Part> = vec![("s-open", "our own analysis".to_owned(), &f.own)];
    for (n, imported) in f.imported.iter().enumerate() {
        let class = ["s-tried", "s-none", "s-dots"][n % 3];
        reported.push((class, imported.tool.clone(), &imported.findings));
    }
    let judged: Vec<Part> = vec![
        ("s-open", "reachable".to_owned(), &f.reachable),
        ("s-unknown", "undecided".to_owned(), &f.undecided),
        ("s-dots", "not judged".to_owned(), &f.not_judged),
        ("s-none", "no path".to_owned(), &f.no_path),
    ];
    let mut attacked: Vec<Part> = Vec::new();
    if let Some(proven) = f.proven.known() {
        attacked.push(("s-proven", "proven".to_owned(), proven));
    }
    attacked.extend([
        ("s-unknown", "inconclusive".to_owned(), &f.inconclusive),
        ("s-open", "not attacked".to_owned(), &f.not_attempted),
        ("s-dots", "not judged".to_owned(), &f.not_judged_open),
        ("s-tried", "not reproduced".to_owned(), &f.not_reproduced),
    ]);
    let closed = f.closed.known();
    let closed_parts: Vec<Part> = closed.map_or_else(Vec::new, |closed| {
        closed
            .by
            .iter()
            .enumerate()
            .map(|(n, c)| {
                (
                    ["s-tried", "s-none", "s-dots"][n % 3],
                    c.text.clone(),
                    &c.figure,
                )
            })
            .collect()
    });
    let sum = |parts: &[Part]| parts.iter().map(|p| p.2.count).fold(0, u64::saturating_add);
    let most = [
        sum(&reported),
        sum(&judged),
        sum(&attacked),
        f.distinct.count,
        closed.map_or(0, |c| c.total.count),
    ]
    .into_iter()
    .max()
    .unwrap_or(1)
    .max(1);

    out.push_str("<h2>From found to closed</h2>\n<table class=\"funnel\">\n<caption>Bars are drawn to one scale; what is hatched or dotted is not known. Every number opens what it counts.</caption>\n<tbody>\n");
    let all = words::number(sum(&reported));
    row(out, links, "Reported", &all, &reported, most);
    let distinct = links.number("Findings after joining", &f.distinct);
    row(out, links, "Joined", &distinct, &judged, most);
    let attention = links.number("Needs attention now", &f.attention);
    row(out, links, "Needs attention", &attention, &attacked, most);
    match &f.proven {
        Measured::Known(figure) => {
            let number = links.number("Proven exploitable", figure);
            row(
                out,
                links,
                "Proven",
                &number,
                &[("s-proven", String::new(), figure)],
                most,
            );
        }
        Measured::Unmeasured(why) => unknown_row(out, "Proven", why),
    }
    match &f.closed {
        Measured::Known(closed) => {
            let number = links.number("Closed by evidence", &closed.total);
            row(
                out,
                links,
                "Closed by evidence",
                &number,
                &closed_parts,
                most,
            );
        }
        Measured::Unmeasured(why) => unknown_row(out, "Closed by evidence", why),
    }
    if f.gone.count > 0 {
        let number = links.number("No longer found", &f.gone);
        let words = "not in the newest revision; no attack verified that".to_owned();
        let parts = [("s-dots", words, &f.gone)];
        row(out, links, "No longer found", &number, &parts, most);
    }
    out.push_str("</tbody>\n</table>\n");
    joined(out, report, links);
    collapse(out, report, links);
}

fn row<'a>(
    out: &mut String,
    links: &mut Links<'a>,
    label: &str,
    number: &str,
    parts: &[Part<'a>],
    most: u64,
) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{label}</th><td class=\"n\">{number}</td><td class=\"bar\"><svg aria-hidden=\"true\">"
    );
    let mut at = 0.0;
    for (class, _, figure) in parts {
        let wide = figure.count as f64 * 100.0 / most as f64;
        if figure.count > 0 {
            // A hair of space between parts; one of many stays visible.
            let shown = (wide - 0.25).max(0.35);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{at:.2}%\" y=\"2\" width=\"{shown:.2}%\" height=\"90%\"/>"
            );
        }
        at += wide;
    }
    out.push_str("</svg></td></tr>\n<tr class=\"parts\"><td></td><td></td><td>");
    for (class, word, figure) in parts.iter().filter(|p| p.2.count > 0 && !p.1.is_empty()) {
        let number = links.number(&format!("{label}: {word}"), figure);
        key(out, class, &number, word);
    }
    out.push_str("</td></tr>\n");
}

/// A sample of a fill, a number and what it counts.
pub fn key(out: &mut String, class: &str, number: &str, word: &str) {
    let _ = write!(
        out,
        "<span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 10 10\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg><span>{number} {}</span></span> ",
        text(word)
    );
}

fn unknown_row(out: &mut String, label: &str, why: &str) {
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{label}</th><td class=\"n\">?</td><td class=\"bar\"><svg aria-hidden=\"true\"><rect class=\"s-unknown\" x=\"0\" y=\"2\" width=\"100%\" height=\"90%\"/></svg></td></tr>\n<tr class=\"parts\"><td></td><td></td><td>unmeasured: {}</td></tr>",
        sentence(why)
    );
}

fn joined<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    let f = &report.funnel;
    if f.imported.is_empty() {
        return;
    }
    out.push_str("<h3 class=\"sub\">What was taken for the same flaw</h3>\n");
    if f.joined.count == 0 {
        out.push_str("<p>No finding is reported by more than one tool.</p>\n");
        return;
    }
    let number = links.number("Reported by more than one tool", &f.joined);
    let _ = writeln!(
        out,
        "<p>{number} {} reported by more than one tool and counted once:</p>",
        if f.joined.count == 1 {
            "finding is"
        } else {
            "findings are"
        }
    );
    counted(out, links, &f.joined_because);
}

fn collapse<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h3 class=\"sub\">What took findings of other tools away</h3>\n");
    let c = match &report.collapse {
        Measured::Known(collapse) => collapse,
        Measured::Unmeasured(why) => return not_known(out, "collapse", why),
    };
    let imported = links.number("Findings of other tools", &c.imported);
    let remaining = links.number("Findings of other tools that remain", &c.remaining);
    let undecided = links.number("Remaining because undecided", &c.undecided);
    let not_judged = links.number("Remaining because not judged", &c.not_judged);
    let _ = writeln!(
        out,
        "<p>Of {imported} results that other tools reported, {remaining} still need attention, {undecided} of them because our search could not finish and {not_judged} because nothing of ours judges them. Those count as remaining.</p>"
    );
    counted(out, links, &c.removed);
}

/// Reasons with their counts, one a row.
pub fn counted<'a>(out: &mut String, links: &mut Links<'a>, rows: &'a [Counted]) {
    if rows.is_empty() {
        return;
    }
    out.push_str("<table class=\"table counts\">\n<tbody>\n");
    for row in rows {
        let number = links.number(&row.text, &row.figure);
        let _ = writeln!(
            out,
            "<tr><td class=\"num\">{number}</td><td>{}</td></tr>",
            sentence(&row.text)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}
