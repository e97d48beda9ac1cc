//! The funnel, drawn to scale: a table whose bars are drawings, so that the figures are its text.

use std::fmt::Write as _;

use solvent_protocol::view::StatusReport;

use crate::words;

/// A part of a bar: class of the drawing, how many, in words.
type Part = (&'static str, u64, &'static str);

pub fn funnel(out: &mut String, status: &StatusReport) {
    // What static analysis could not decide, or what was attacked without a clear answer, is hatched.
    let found: [Part; 3] = [
        ("s-open", status.reachable, "reachable"),
        ("s-unknown", status.undecided, "undecided"),
        ("s-none", status.no_path, "no path"),
    ];
    let attacked: [Part; 4] = [
        ("s-proven", status.proven, "proven"),
        ("s-unknown", status.inconclusive, "inconclusive"),
        ("s-open", status.not_attempted, "not attacked"),
        ("s-tried", status.not_reproduced, "not reproduced"),
    ];
    let open = attacked.iter().map(|p| p.1).fold(0, u64::saturating_add);
    let most = status
        .found
        .max(found.iter().map(|p| p.1).fold(0, u64::saturating_add))
        .max(open)
        .max(status.closed)
        .max(1);
    out.push_str("<h2>From found to proven</h2>\n");
    crate::sheet::hatch(out);
    out.push_str("<table class=\"funnel\">\n<caption>Bars are drawn to one scale; what is hatched is not known.</caption>\n<tbody>\n");
    row(out, "Found", status.found, most, &found);
    row(
        out,
        "Reachable or undecided",
        status.reachable.saturating_add(status.undecided),
        most,
        &attacked,
    );
    row(
        out,
        "Proven",
        status.proven,
        most,
        &[("s-proven", status.proven, "")],
    );
    if status.closed > 0 {
        row(
            out,
            "Closed by a verified merge",
            status.closed,
            most,
            &[("s-tried", status.closed, "")],
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn row(out: &mut String, label: &str, n: u64, most: u64, parts: &[Part]) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{label}</th><td class=\"n\">{}</td><td class=\"bar\"><svg aria-hidden=\"true\">",
        words::number(n)
    );
    let mut at = 0.0;
    for (class, n, _) in parts {
        let wide = *n as f64 * 100.0 / most as f64;
        if *n > 0 {
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
    for (class, n, word) in parts.iter().filter(|p| p.1 > 0 && !p.2.is_empty()) {
        let _ = write!(
            out,
            "<span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 10 10\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg>{} {word}</span>",
            words::number(*n)
        );
    }
    out.push_str("</td></tr>\n");
}
