//! What a warm process says, answer by answer.

use solvent_protocol::view::Unmeasured;
use solvent_protocol::watch::{Standing, WatchAnswer};

use super::findings::INDENT;
use super::impact::{entry_points, flows};
use super::{Page, Style};
use crate::words;

/// Files that are named one by one.
const NAMED: usize = 3;

/// The first answer, about the tree `name` as it was found. `looks_because`: why changes are only seen by looking.
pub fn watching(
    answer: &WatchAnswer,
    name: &str,
    looks_because: Option<&str>,
    width: usize,
) -> Page {
    let mut page = Page::new(width);
    let took = format!("  in {}", duration(answer.seconds));
    page.line(2, [(Style::Strong, name), (Style::Dim, &took)]);
    let now = &answer.now;
    let size = format!(
        "{} in {}, {}",
        words::count(now.lines, "line", "lines"),
        words::count(now.files, "file", "files"),
        words::count(now.entry_points, "entry point", "entry points"),
    );
    page.line(2, [(Style::Dim, &size)]);
    standing(&mut page, now);
    page.unmeasured(&answer.unmeasured);
    page.blank();
    if let Some(why) = looks_because {
        page.line(0, [(Style::Dim, why)]);
    }
    let how = match looks_because {
        Some(_) => "looking once a second; Ctrl-C ends it",
        None => "watching; Ctrl-C ends it",
    };
    page.line(0, [(Style::Dim, how)]);
    page
}

/// What is another since the answer before.
pub fn watched(answer: &WatchAnswer, width: usize) -> Page {
    let mut page = Page::new(width);
    page.blank();
    let mut files: Vec<&str> = answer.files.iter().map(String::as_str).collect();
    let more = files.len().saturating_sub(NAMED);
    files.truncate(NAMED);
    let mut named = files.join(", ");
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    if named.is_empty() {
        named.push_str("what is deployed");
    }
    let time = format!("{}  ", of_day(answer.at_ms));
    let took = format!("  {}", duration(answer.seconds));
    page.line(
        2,
        [
            (Style::Dim, &time),
            (Style::Strong, &named),
            (Style::Dim, &took),
        ],
    );
    gaps(
        &mut page,
        Style::Warn,
        "no longer known",
        &answer.unmeasured,
    );
    gaps(&mut page, Style::Dim, "known again", &answer.measured);
    let before = page.height();
    if !answer.entry_points.is_empty() {
        entry_points(&mut page, &answer.entry_points);
    }
    if !answer.flows.is_empty() {
        flows(&mut page, &answer.flows);
    }
    if page.height() == before {
        page.line(2, [(Style::Plain, "no flow and no entry point is another")]);
    }
    standing(&mut page, &answer.now);
    page
}

fn gaps(page: &mut Page, style: Style, what: &str, gaps: &[Unmeasured]) {
    for gap in gaps {
        let gap = format!("  {}: {}", gap.what, gap.why);
        page.line(4, [(style, what), (Style::Plain, &gap)]);
    }
}

fn standing(page: &mut Page, now: &Standing) {
    let style = match now.reachable {
        0 => Style::Plain,
        _ => Style::Bad,
    };
    let reachable = format!("{} reachable", words::number(now.reachable));
    let mut rest = format!(
        ", {} undecided, {} that nothing reaches",
        words::number(now.undecided),
        words::number(now.no_path)
    );
    if now.unmeasured > 0 {
        rest.push_str(&format!(", {} unmeasured", words::number(now.unmeasured)));
    }
    page.line(
        INDENT,
        [
            (Style::Dim, "now "),
            (style, &reachable),
            (Style::Plain, &rest),
        ],
    );
}

/// `14:03:59`, UTC: who watches knows what day it is.
fn of_day(ms: i64) -> String {
    let time = words::timestamp(ms);
    let (_, time) = time.split_once('T').unwrap_or_default();
    time.chars().take(8).collect()
}

fn duration(seconds: f64) -> String {
    words::duration((seconds * 1000.0).round() as u64)
}
