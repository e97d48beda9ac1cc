//! The first screen: what this is, and the four figures that somebody who reads nothing else should know.

use std::fmt::Write as _;

use solvent_protocol::debt::{DebtReport, Measured};

use super::link::Links;
use crate::sheet;
use crate::sheet::escape::{sentence, text};
use crate::words;

pub fn head(out: &mut String, report: &DebtReport) {
    let subject = &report.subject;
    let _ = write!(
        out,
        "<header>\n<div class=\"brand\"><b>Solvent</b><span>{} UTC</span></div>\n<h1>{}</h1>\n<p class=\"kicker\">The security debt of this repository: what is found in its code and not yet proven harmless, fixed or knowingly accepted.</p>\n<p class=\"lead\">{}</p>\n",
        words::time(report.generated_ms),
        text(&subject.name),
        lead(report),
    );
    out.push_str("<dl class=\"facts\">\n");
    let mut fact = |label: &str, value: String| {
        let _ = writeln!(out, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    };
    match &subject.revision {
        Some(revision) => fact("Revision", sheet::digest(revision)),
        None => fact("Revision", "not a git checkout".to_owned()),
    }
    if subject.dirty {
        fact("Checkout", "has changes that are not committed".to_owned());
    }
    fact(
        "Read",
        format!(
            "{} in {}",
            words::count(report.coverage.lines, "line", "lines"),
            words::count(report.coverage.files_analysed, "file", "files")
        ),
    );
    let history = match (report.months.first(), report.months.last()) {
        (Some(first), Some(last)) => format!(
            "{} to {}",
            text(&words::month(&first.month)),
            text(&words::month(&last.month))
        ),
        _ => "not looked at".to_owned(),
    };
    fact("History", history);
    let tools: Vec<String> = report.runs.iter().map(|r| text(&r.tool)).collect();
    fact(
        "Other tools",
        if tools.is_empty() {
            "none read".to_owned()
        } else {
            tools.join(", ")
        },
    );
    out.push_str("</dl>\n</header>\n");
}

/// The page in a few sentences. The figures in them stand below as links.
fn lead(report: &DebtReport) -> String {
    let funnel = &report.funnel;
    let mut out = match funnel.attention.count {
        0 => "Nothing that was measured needs attention now.".to_owned(),
        n => format!(
            "{} attention now.",
            words::count(n, "finding needs", "findings need")
        ),
    };
    match &funnel.proven {
        Measured::Known(figure) if figure.count > 0 => {
            let _ = write!(
                out,
                " <strong>{} proven</strong> by attacking the running application.",
                words::count(figure.count, "is", "are")
            );
        }
        Measured::Known(_) => {
            out.push_str(" None was proven by attacking the running application.");
        }
        Measured::Unmeasured(_) => {
            out.push_str(
                " The running application was not attacked, so none is proven and none is ruled out.",
            );
        }
    }
    if !report.unmeasured.is_empty() {
        let _ = write!(
            out,
            " {} not known, and not known is not safe.",
            words::count(
                report.unmeasured.len() as u64,
                "more thing is",
                "more things are"
            )
        );
    }
    out
}

pub fn figures<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<section class=\"cards\">\n<h2 class=\"unseen\">Four figures</h2>\n");
    let funnel = &report.funnel;
    let number = links.number("Needs attention now", &funnel.attention);
    card(
        out,
        "Needs attention now",
        if funnel.attention.count > 0 {
            "warn"
        } else {
            "calm"
        },
        &number,
        "",
        "open findings of every tool that an attacker can reach, or of which that is not known",
    );
    match &funnel.proven {
        Measured::Known(figure) => {
            let number = links.number("Proven exploitable", figure);
            card(
                out,
                "Proven exploitable",
                if figure.count > 0 { "bad" } else { "calm" },
                &number,
                "",
                "open flaws whose attack worked on the running application, and again in every replay",
            );
        }
        Measured::Unmeasured(why) => unmeasured(out, "Proven exploitable", why),
    }
    match &report.collapse {
        Measured::Known(collapse) => {
            let number = links.number("Findings of other tools that remain", &collapse.remaining);
            let of = links.number("Findings of other tools", &collapse.imported);
            let removed = collapse
                .imported
                .count
                .saturating_sub(collapse.remaining.count);
            card(
                out,
                "Collapse",
                "calm",
                &number,
                &format!("of {of}"),
                &format!(
                    "findings of other tools still need attention; evidence took {} away. Undecided counts as remaining",
                    words::share_of(removed, collapse.imported.count)
                ),
            );
        }
        Measured::Unmeasured(why) => unmeasured(out, "Collapse", why),
    }
    match &report.exposure {
        Measured::Known(exposure) => {
            let number = links.number(
                "Public entry points with an open proof",
                &exposure.open_proof,
            );
            let of = links.number("Public entry points measured", &exposure.measured);
            let left = exposure
                .public
                .count
                .saturating_sub(exposure.measured.count);
            let rest = match left {
                0 => "all of them were measured".to_owned(),
                n => format!(
                    "{} of {} were not measured",
                    words::number(n),
                    links.number("Public entry points", &exposure.public)
                ),
            };
            card(
                out,
                "Exposure",
                if exposure.open_proof.count > 0 {
                    "bad"
                } else {
                    "calm"
                },
                &number,
                &format!("of {of}"),
                &format!("public entry points that were measured have an open proof; {rest}"),
            );
        }
        Measured::Unmeasured(why) => unmeasured(out, "Exposure", why),
    }
    out.push_str("</section>\n");
}

fn card(out: &mut String, label: &str, class: &str, number: &str, of: &str, meaning: &str) {
    let _ = writeln!(
        out,
        "<div class=\"card {class}\"><h3>{label}</h3><p class=\"big\">{number} <small>{of}</small></p><p class=\"meaning\">{meaning}.</p></div>"
    );
}

fn unmeasured(out: &mut String, label: &str, why: &str) {
    let _ = writeln!(
        out,
        "<div class=\"card unknown\"><h3>{label}</h3><p class=\"big\"><span class=\"tag unknown\">unmeasured</span></p><p class=\"meaning\">{}</p></div>",
        sentence(why)
    );
}
