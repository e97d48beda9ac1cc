//! The debt on one repository, as one page: an executive reads its first screen, an engineer follows any
//! number to what was counted.
//!
//! Read [`page`] from top to bottom: it is the order of the document. Drawings are our own, each has its
//! figures in words or in a table, and nothing is told by colour alone. [`link`] is how a number finds its
//! evidence: to the one thing counted, or to a list at the end of the page.

mod appendix;
mod authorship;
mod chart;
mod figures;
mod findings;
mod funnel;
mod link;
mod months;
mod process;

use solvent_protocol::debt::DebtReport;
use solvent_protocol::view::Unmeasured;

use crate::sheet::{self, escape::text};
use crate::words;
use link::Links;

const STYLE: &str = include_str!("debt/debt.css");

/// What `solvent debt` writes. The same report gives the same bytes.
pub fn page(report: &DebtReport) -> String {
    let title = format!("{}: the debt on this repository", report.subject.name);
    let mut out = sheet::open(&title, STYLE);
    let mut links = Links::new(report);
    figures::head(&mut out, report);
    out.push_str("<main>\n");
    sheet::hatch(&mut out);
    figures::figures(&mut out, report, &mut links);
    let gaps: Vec<&Unmeasured> = report.unmeasured.iter().collect();
    sheet::unmeasured(&mut out, &gaps);
    funnel::funnel(&mut out, report, &mut links);
    months::months(&mut out, report, &mut links);
    authorship::authorship(&mut out, report, &mut links);
    process::process(&mut out, report, &mut links);
    findings::findings(&mut out, report, &mut links);
    appendix::entry_points(&mut out, report, &links);
    appendix::runs(&mut out, report, &links);
    months::table(&mut out, report, &mut links);
    appendix::commits(&mut out, report, &links);
    appendix::coverage(&mut out, report);
    appendix::method(&mut out, report, &mut links);
    links.lists(&mut out);
    out.push_str("</main>\n");
    let footer = format!(
        "Made by {} {} on {} UTC in {}. This page holds no working exploit and names no author; it loads nothing and runs nothing.",
        text(&report.tool.name),
        text(&report.tool.version),
        words::time(report.generated_ms),
        words::duration(report.duration_ms),
    );
    sheet::close(&mut out, &footer);
    out
}

/// A reason why something is not known, as a paragraph of its own.
fn not_known(out: &mut String, what: &str, why: &str) {
    out.push_str(&format!(
        "<p class=\"unknown\"><span class=\"tag unknown\">unmeasured</span> {what}: {}</p>\n",
        sheet::escape::sentence(why)
    ));
}
