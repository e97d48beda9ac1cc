//! What wrote the code, as a range, and how many flaws came with it.

use std::fmt::Write as _;

use solvent_protocol::debt::{
    Authorship, DebtReport, FlawRates, Interval, Measured, Rate, Share, evidence,
};

use super::chart::{self, Slots};
use super::funnel::key;
use super::link::Links;
use super::not_known;
use crate::sheet::escape::{attribute, sentence, text};
use crate::words;

/// Height in pixels of the drawing by month.
const MONTHS_HIGH: u32 = 96;
const MAX_MONTHS: usize = 24;

pub fn authorship<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2>What AI tools wrote</h2>\n");
    match &report.authorship {
        Measured::Known(authorship) => shares(out, authorship, links),
        Measured::Unmeasured(why) => not_known(out, "what wrote the code", why),
    }
    out.push_str("<h3 class=\"sub\">Flaws per hundred changes</h3>\n");
    match &report.flaw_rates {
        Measured::Known(rates) => flaw_rates(out, rates, links),
        Measured::Unmeasured(why) => not_known(out, "flaws per hundred changes", why),
    }
}

fn shares<'a>(out: &mut String, authorship: &'a Authorship, links: &mut Links<'a>) {
    out.push_str("<p>A range, because most tools leave a mark only when they are let: the low end is what carries a mark, the high end adds everything of which nothing is known. No mark is not a person.</p>\n");
    out.push_str("<table class=\"funnel ranges\">\n<tbody>\n");
    for (label, share) in [
        ("Lines today", &authorship.lines),
        ("Changes", &authorship.changes),
    ] {
        match share {
            Measured::Known(share) => row(out, label, share, links),
            Measured::Unmeasured(why) => {
                let _ = writeln!(
                    out,
                    "<tr><th scope=\"row\">{label}</th><td class=\"n\">?</td><td class=\"bar\"><svg aria-hidden=\"true\"><rect class=\"s-unknown\" x=\"0\" y=\"2\" width=\"100%\" height=\"90%\"/></svg></td></tr>\n<tr class=\"parts\"><td></td><td></td><td>unmeasured: {}</td></tr>",
                    sentence(why)
                );
            }
        }
    }
    out.push_str("</tbody>\n</table>\n");
    by_month(out, authorship, links);
    tools(out, authorship, links);
}

fn parts(share: &Share) -> [(&'static str, &'static str, u64); 4] {
    [
        (
            "s-open",
            "with the mark of an AI tool",
            share.detected.count,
        ),
        ("s-unknown", "unknown", share.unknown.count),
        ("s-tried", "other automation", share.bots.count),
        ("s-none", "noted as a person's", share.human.count),
    ]
}

fn row<'a>(out: &mut String, label: &str, share: &'a Share, links: &mut Links<'a>) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{label}</th><td class=\"n\">{}</td><td class=\"bar\"><svg role=\"img\" aria-label=\"{} of {}\">",
        words::range(share.low, share.high).replace(" to ", "<small> to </small>"),
        words::range(share.low, share.high),
        words::number(share.total.count),
    );
    let total = share.total.count.max(1) as f64;
    let mut at = 0.0;
    for (class, _, count) in parts(share) {
        let wide = (count as f64 * 100.0 / total).min(100.0);
        if count > 0 {
            let shown = (wide - 0.25).max(0.35);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{at:.2}%\" y=\"2\" width=\"{shown:.2}%\" height=\"90%\"/>"
            );
        }
        at += wide;
    }
    out.push_str("</svg></td></tr>\n<tr class=\"parts\"><td></td><td></td><td>");
    let figures = [&share.detected, &share.unknown, &share.bots, &share.human];
    for ((class, word, count), figure) in parts(share).into_iter().zip(figures) {
        if count > 0 {
            let number = links.number(&format!("{label} {word}"), figure);
            key(out, class, &number, word);
        }
    }
    let of = links.number(&format!("{label} in all"), &share.total);
    let _ = writeln!(out, "<span class=\"key\">of {of}</span></td></tr>");
}

/// The range of every month, standing: what carries a mark, then up to where it may reach.
fn by_month(out: &mut String, authorship: &Authorship, links: &Links<'_>) {
    let first = authorship.months.len().saturating_sub(MAX_MONTHS);
    let months = &authorship.months[first..];
    if !months.iter().any(|m| m.changes.known().is_some()) {
        return;
    }
    let slots = Slots {
        count: months.len(),
    };
    let foot = f64::from(MONTHS_HIGH) - 8.0;
    let y = |part: f64| {
        let part = if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        };
        foot - part * (foot - 10.0)
    };
    let said: Vec<String> = months
        .iter()
        .map(|m| match &m.changes {
            // Nothing of nothing is not a share of nought.
            Measured::Known(s) if s.total.count == 0 => {
                format!("{}: no changes", words::month(&m.month))
            }
            Measured::Known(s) => format!(
                "{}: {}",
                words::month(&m.month),
                words::range(s.low, s.high)
            ),
            Measured::Unmeasured(_) => format!("{}: unknown", words::month(&m.month)),
        })
        .collect();
    out.push_str("<figure class=\"chart\">\n<h3>Share of changes by month</h3>\n");
    chart::open(
        out,
        "share",
        MONTHS_HIGH,
        "Share of changes by AI tools, by month, as a range",
        &attribute(&said.join("; ")),
    );
    for part in [0.0, 0.5, 1.0] {
        let class = if part == 0.0 { "axis" } else { "grid" };
        let _ = write!(
            out,
            "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text class=\"scale\" x=\"0\" y=\"{0:.1}\" dx=\"-8\" dy=\"4\">{1}</text>",
            y(part),
            words::share(part)
        );
    }
    for (n, month) in months.iter().enumerate() {
        match &month.changes {
            Measured::Known(share) if share.total.count == 0 => {}
            Measured::Known(share) => {
                chart::bar(out, "s-unknown", slots, n, y(share.high), y(share.low));
                if share.detected.count > 0 {
                    chart::bar(out, "s-open", slots, n, y(share.low), y(0.0));
                }
            }
            Measured::Unmeasured(_) => {
                let _ = write!(
                    out,
                    "<text class=\"mid tick\" x=\"{:.2}%\" y=\"{:.1}\">?</text>",
                    slots.middle(n),
                    y(0.0) - 4.0
                );
            }
        }
        let anchor = links.anchor(&evidence::month(&month.month));
        chart::hit(out, slots, n, foot, &attribute(&said[n]), anchor);
    }
    out.push_str("</svg>\n");
    chart::names(out, slots, months.iter().map(|m| m.month.as_str()));
    out.push_str("</figure>\n");
}

fn tools<'a>(out: &mut String, authorship: &'a Authorship, links: &mut Links<'a>) {
    if authorship.tools.is_empty() {
        out.push_str("<p>No mark of an AI tool was found.</p>\n");
        return;
    }
    out.push_str("<table class=\"table stack\">\n<thead><tr><th>Tool</th><th class=\"num\">Changes</th><th class=\"num\">Lines</th><th>How it is known</th></tr></thead>\n<tbody>\n");
    for tool in &authorship.tools {
        let changes = links.number(&format!("Changes by {}", tool.tool), &tool.changes);
        let lines = match &tool.lines {
            Measured::Known(lines) => links.number(&format!("Lines by {}", tool.tool), lines),
            Measured::Unmeasured(why) => format!(
                "<span class=\"soft\" title=\"{}\">unknown</span>",
                attribute(why)
            ),
        };
        let how: Vec<String> = tool
            .how
            .iter()
            .map(|how| {
                let number = links.number(&format!("{}: {}", tool.tool, how.text), &how.figure);
                format!("{} {number}", sentence(&how.text))
            })
            .collect();
        let _ = writeln!(
            out,
            "<tr><td><b>{}</b></td><td class=\"num\" data-label=\"changes\">{changes}</td><td class=\"num\" data-label=\"lines\">{lines}</td><td class=\"wide\">{}</td></tr>",
            text(&tool.tool),
            how.join(", ")
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn flaw_rates<'a>(out: &mut String, rates: &'a FlawRates, links: &mut Links<'a>) {
    let rows = [
        ("With the mark of an AI tool", &rates.ai),
        ("All other changes", &rates.rest),
    ];
    let most = rows
        .iter()
        .filter_map(|(_, rate)| rate.per_hundred.known())
        .flat_map(|i| [i.value, i.high])
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let _ = writeln!(
        out,
        "<p>Counted as flaws: {}, each with the change that brought it. {}</p>",
        sentence(&rates.counted),
        comparison(&rates.ai, &rates.rest),
    );
    out.push_str("<table class=\"funnel rates\">\n<tbody>\n");
    for (label, rate) in rows {
        rate_row(out, label, rate, most, links);
    }
    out.push_str("</tbody>\n</table>\n");
    if rates.unattributed.count > 0 {
        let number = links.number("Flaws of no known change", &rates.unattributed);
        let _ = writeln!(
            out,
            "<p class=\"soft\">{number} more {} older than the months looked at, or of no known change: part of neither row.</p>",
            if rates.unattributed.count == 1 {
                "is"
            } else {
                "are"
            }
        );
    }
}

/// What the two intervals allow to say, and no more.
fn comparison(ai: &Rate, rest: &Rate) -> &'static str {
    match (ai.per_hundred.known(), rest.per_hundred.known()) {
        (Some(a), Some(b)) if a.low > b.high => {
            "The intervals do not overlap: the rate is higher where a tool left its mark. That is not yet a cause."
        }
        (Some(a), Some(b)) if a.high < b.low => {
            "The intervals do not overlap: the rate is lower where a tool left its mark. That is not yet a cause."
        }
        (Some(_), Some(_)) => "The intervals overlap, so a difference is not shown.",
        _ => "One side has no changes, so nothing can be compared.",
    }
}

fn rate_row<'a>(out: &mut String, label: &str, rate: &'a Rate, most: f64, links: &mut Links<'a>) {
    let flaws = links.number(&format!("Flaws, {label}"), &rate.flaws);
    let changes = links.number(&format!("Changes, {label}"), &rate.changes);
    let (value, words) = match &rate.per_hundred {
        Measured::Known(i) => (
            words::rate(i.value),
            format!(
                "{flaws} in {changes} changes, interval {} to {}",
                words::rate(i.low),
                words::rate(i.high)
            ),
        ),
        Measured::Unmeasured(why) => (
            "?".to_owned(),
            format!(
                "{flaws} in {changes} changes, unmeasured: {}",
                sentence(why)
            ),
        ),
    };
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{label}</th><td class=\"n\">{value}</td><td class=\"bar\">"
    );
    if let Some(interval) = rate.per_hundred.known() {
        whisker(out, *interval, most);
    }
    let _ = writeln!(
        out,
        "</td></tr>\n<tr class=\"parts\"><td></td><td></td><td>{words}</td></tr>"
    );
}

/// The interval as a line with ends, the value as a dot, from zero at the left.
fn whisker(out: &mut String, interval: Interval, most: f64) {
    let at = |value: f64| {
        if value.is_finite() && most > 0.0 {
            // Room at both sides for the dot.
            1.5 + (value / most).clamp(0.0, 1.0) * 96.0
        } else {
            1.5
        }
    };
    let (low, value, high) = (at(interval.low), at(interval.value), at(interval.high));
    let _ = write!(
        out,
        "<svg class=\"whisker\" aria-hidden=\"true\"><line class=\"grid\" x1=\"1.5%\" x2=\"1.5%\" y1=\"4\" y2=\"38\"/>\
         <line class=\"reach\" x1=\"{low:.2}%\" x2=\"{high:.2}%\" y1=\"21\" y2=\"21\"/>\
         <line class=\"reach\" x1=\"{low:.2}%\" x2=\"{low:.2}%\" y1=\"14\" y2=\"28\"/>\
         <line class=\"reach\" x1=\"{high:.2}%\" x2=\"{high:.2}%\" y1=\"14\" y2=\"28\"/>\
         <circle class=\"dot\" cx=\"{value:.2}%\" cy=\"21\" r=\"6\"/></svg>"
    );
}
