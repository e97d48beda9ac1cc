//! How often the agreed way was left, as far as git shows it.

use std::fmt::Write as _;

use solvent_protocol::debt::{
    DebtReport, Measured, Proportion, SuppressionMonth, Suppressions, evidence,
};

use super::chart::{self, Scale, Slots};
use super::link::Links;
use crate::sheet::escape::{attribute, sentence, text};
use crate::words;

const HIGH: u32 = 84;
const MAX_MONTHS: usize = 24;

pub fn process<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2>How changes came in</h2>\n<p>Of the team, never of a person: what git alone can show.</p>\n");
    out.push_str("<table class=\"table stack\">\n<thead><tr><th>Signal</th><th class=\"num\">Count</th><th class=\"num\">Share</th><th>Of what, and what it cannot show</th></tr></thead>\n<tbody>\n");
    let p = &report.process;
    for (label, signal) in [
        ("Pushed directly", &p.direct_pushes),
        ("Merged by their own author", &p.self_merges),
        ("Merged past a rule", &p.admin_merges),
    ] {
        proportion(out, label, signal, links);
    }
    match &p.suppressions {
        Measured::Known(s) => {
            let now = links.number("Scanners told to be silent", &s.now);
            let per = s.now.count as f64 * 10_000.0 / s.lines.max(1) as f64;
            let _ = writeln!(
                out,
                "<tr><td><b>Scanners told to be silent</b></td><td class=\"num\" data-label=\"count\">{now}</td><td class=\"num\" data-label=\"rate\">{}</td><td class=\"wide\">for every 10,000 of {}{}</td></tr>",
                words::rate(per),
                words::count(s.lines, "line", "lines"),
                caveats(&s.caveats)
            );
        }
        Measured::Unmeasured(why) => unknown(out, "Scanners told to be silent", why),
    }
    out.push_str("</tbody>\n</table>\n");
    if let Measured::Known(s) = &p.suppressions {
        suppressions(out, s, links);
    }
}

fn proportion<'a>(
    out: &mut String,
    label: &str,
    signal: &'a Measured<Proportion>,
    links: &mut Links<'a>,
) {
    let p = match signal {
        Measured::Known(p) => p,
        Measured::Unmeasured(why) => return unknown(out, label, why),
    };
    let part = links.number(label, &p.part);
    let of = links.number(&p.of_what, &p.of);
    let _ = writeln!(
        out,
        "<tr><td><b>{label}</b></td><td class=\"num\" data-label=\"count\">{part}</td><td class=\"num\" data-label=\"share\">{}</td><td class=\"wide\">of {of} {}{}</td></tr>",
        words::share_of(p.part.count, p.of.count),
        sentence(&p.of_what),
        caveats(&p.caveats)
    );
}

fn unknown(out: &mut String, label: &str, why: &str) {
    let _ = writeln!(
        out,
        "<tr><td><b>{label}</b></td><td class=\"num\" data-label=\"count\">?</td><td></td><td class=\"wide\"><span class=\"tag unknown\">unmeasured</span> {}</td></tr>",
        sentence(why)
    );
}

fn caveats(caveats: &[String]) -> String {
    caveats
        .iter()
        .map(|c| format!("<br><span class=\"soft\">{}</span>", sentence(c)))
        .collect()
}

fn suppressions<'a>(out: &mut String, s: &'a Suppressions, links: &mut Links<'a>) {
    if s.kinds.is_empty() {
        return;
    }
    out.push_str("<figure class=\"chart\">\n<h3>Scanners told to be silent");
    for kind in &s.kinds {
        let number = links.number(
            &format!("Scanners told to be silent: {}", kind.kind),
            &kind.now,
        );
        let _ = write!(
            out,
            " <span class=\"key\"><span>{number} <code>{}</code></span></span>",
            text(&kind.kind)
        );
    }
    out.push_str("</h3>\n");
    let first = s.months.len().saturating_sub(MAX_MONTHS);
    let months = &s.months[first..];
    if months.iter().any(|m| m.present.known().is_some()) {
        by_month(out, months, links);
    }
    out.push_str("</figure>\n");
}

fn by_month(out: &mut String, months: &[SuppressionMonth], links: &Links<'_>) {
    let slots = Slots {
        count: months.len(),
    };
    let most = months
        .iter()
        .filter_map(|m| m.present.known())
        .max()
        .copied()
        .unwrap_or(0);
    let scale = Scale::new(most, 2, 14.0, f64::from(HIGH) - 8.0);
    let said: Vec<String> = months
        .iter()
        .map(|m| match &m.present {
            Measured::Known(n) => format!("{}: {}", words::month(&m.month), words::number(*n)),
            Measured::Unmeasured(_) => format!("{}: unknown", words::month(&m.month)),
        })
        .collect();
    chart::open(
        out,
        "silent",
        HIGH,
        "Comments that tell a scanner to be silent, by month",
        &attribute(&said.join("; ")),
    );
    scale.grid(out);
    for (n, month) in months.iter().enumerate() {
        match &month.present {
            Measured::Known(count) => {
                chart::bar(out, "s-age", slots, n, scale.y(*count), scale.foot);
                if n + 1 == months.len() {
                    let _ = write!(
                        out,
                        "<text class=\"value mid\" x=\"{:.2}%\" y=\"{:.1}\">{}</text>",
                        slots.middle(n),
                        scale.y(*count) - 4.0,
                        chart::short(*count)
                    );
                }
            }
            Measured::Unmeasured(_) => chart::unknown(out, slots, n, scale),
        }
        let anchor = links.anchor(&evidence::month(&month.month));
        chart::hit(out, slots, n, scale.foot, &attribute(&said[n]), anchor);
    }
    out.push_str("</svg>\n");
    chart::names(out, slots, months.iter().map(|m| m.month.as_str()));
}
