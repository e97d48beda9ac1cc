//! The sheet that every page for people is printed on, so that they look like one family: its frame, its
//! style and the small marks that recur. A page is one file, loads nothing and runs nothing.
//!
//! Outside text enters only through [`escape`]; the content policy in the frame forbids scripts and
//! requests should that ever fail. The style knows these parts: `.brand`, `.lead`, `.facts` (a grid of
//! `dt` and `dd`), `.pairs` (a list of them), `.gaps` (what is not known), `.table` (with `.stack` its rows
//! fall apart on a phone, `data-label` then names a cell), `.tag`, `.sev`, `.finding`, `.proof`, `.flow`,
//! `.line` (one line of code), `.glossary`, `.soft`, `.path`, `.id`, and the fills of drawings: `.s-proven`,
//! `.s-open`, `.s-tried`, `.s-none`, and `.s-unknown` and `.s-dots`, whose
//! hatching and dots are [`hatch`].

pub mod escape;

use std::fmt::Write as _;

use solvent_base::system::PAGE_MARK;
use solvent_protocol::view::{ReasonView, Unmeasured};

use crate::words::{self, Standing};
use escape::{attribute, sentence, text};

const STYLE: &str = include_str!("sheet/sheet.css");

/// Everything up to the first element of the page; `title` is outside text, `style` our own and may be empty.
pub fn open(title: &str, style: &str) -> String {
    let mut out = String::with_capacity(64 << 10);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{PAGE_MARK}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n\
         <style>\n{STYLE}{style}</style>\n</head>\n<body>\n<div class=\"sheet\">\n",
        attribute(title),
    );
    out
}

/// The end of what [`open`] began; `footer` is markup.
pub fn close(out: &mut String, footer: &str) {
    let _ = write!(out, "<footer>{footer}</footer>\n</div>\n</body>\n</html>\n");
}

/// A digest or commit, cut for the eye and whole in its title.
pub fn digest(value: &str) -> String {
    format!(
        "<span class=\"id\" title=\"{}\">{}</span>",
        attribute(value),
        text(words::short(value))
    )
}

/// The patterns that `.s-unknown` and `.s-dots` are filled with; once on a page, before the first drawing.
pub fn hatch(out: &mut String) {
    out.push_str(
        "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs>\
         <pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <path class=\"hatch-line\" d=\"M0 0v6\"/></pattern>\
         <pattern id=\"dots\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
         <circle class=\"dots-dot\" cx=\"2.5\" cy=\"2.5\" r=\"1\"/></pattern></defs></svg>\n",
    );
}

/// What is not known, said aloud.
pub fn unmeasured(out: &mut String, gaps: &[&Unmeasured]) {
    if gaps.is_empty() {
        out.push_str("<p class=\"soft\">Nothing that was asked for is unmeasured.</p>\n");
        return;
    }
    out.push_str("<section class=\"gaps\">\n<h2>Not measured</h2>\n<p>Nothing on this page says anything about the following.</p>\n<ul>\n");
    for gap in gaps {
        let _ = writeln!(
            out,
            "<li><b>{}</b>: {}</li>",
            sentence(&gap.what),
            sentence(&gap.why)
        );
    }
    out.push_str("</ul>\n</section>\n");
}

/// The standing as a label.
pub fn standing(standing: Standing) -> String {
    format!(
        "<span class=\"tag {}\">{}</span>",
        standing_class(standing),
        standing.words()
    )
}

/// `proven | unknown | open | quiet`, the classes of labels and boxes.
pub fn standing_class(standing: Standing) -> &'static str {
    match standing {
        Standing::Proven => "proven",
        Standing::Inconclusive | Standing::Undecided => "unknown",
        Standing::NotAttempted => "open",
        Standing::NotReproduced | Standing::Accepted | Standing::Closed | Standing::NoPath => {
            "quiet"
        }
    }
}

/// The severity as four blocks and a word.
pub fn severity(word: &str) -> String {
    let filled = match word {
        "critical" => 4,
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    };
    let mut out = "<span class=\"sev\"><svg aria-hidden=\"true\" viewBox=\"0 0 19 10\">".to_owned();
    for n in 0..4 {
        let class = if n < filled { "on" } else { "off" };
        let height = 4 + 2 * n;
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{height}\"/>",
            n * 5,
            10 - height
        );
    }
    let _ = write!(out, "</svg>{}</span>", text(word));
    out
}

/// A reason with its place.
pub fn reason(reason: &ReasonView) -> String {
    let mut out = sentence(&reason.text);
    if let Some(place) = &reason.place {
        let _ = write!(
            out,
            " <span class=\"path soft\">{}</span>",
            text(&words::place(place))
        );
    }
    out
}
