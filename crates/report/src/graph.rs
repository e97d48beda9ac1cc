//! The System Graph for people and for other programs: text, DOT, GraphML, SVG.

pub mod picture;
pub mod services;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use solvent_protocol::graph::{GraphFunction, GraphReport};

use crate::text::{Page, Style};
use crate::visible::visible;
use crate::words;

/// Lists longer than this are cut in the text; `--json` has all of them.
const SHOWN: usize = 40;

/// What is asked of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question<'q> {
    /// How large it is, and what is open.
    Overview,
    /// What leads to the functions of this name.
    CallersOf(&'q str),
    /// What the functions of this name lead to.
    CalledFrom(&'q str),
    /// Entry points without a login check that is recognised.
    WithoutLogin,
    /// What somebody outside may reach without a login.
    Exposed,
    /// Services and what leads from one to another.
    Services,
    /// Who reaches the service of this name, and what it reaches.
    Service(&'q str),
    /// Functions that nothing runs, or of which that is not known.
    Functions,
    /// What lockfiles pin.
    Components,
}

/// The functions that answer the question, in the report's order of nearness.
pub fn answer(report: &GraphReport, question: Question<'_>) -> Vec<u32> {
    match question {
        Question::Overview | Question::Services | Question::Components => Vec::new(),
        Question::Functions => {
            let settled = |f: &GraphFunction| f.verdict == "reachable";
            let all = (0..).zip(&report.functions);
            all.filter(|(_, f)| !settled(f)).map(|(id, _)| id).collect()
        }
        Question::Exposed => services::exposed(report)
            .iter()
            .map(|e| e.function)
            .collect(),
        Question::Service(name) => services::named(report, name)
            .iter()
            .filter_map(|id| report.services.get(*id as usize))
            .flat_map(|service| &service.entry_points)
            .filter_map(|at| report.entry_points.get(*at as usize))
            .map(|entry| entry.function)
            .collect(),
        Question::CallersOf(name) => report.callers_of(&starts(report, name)),
        Question::CalledFrom(name) => report.called_from(&report.named(name)),
        Question::WithoutLogin => report
            .entry_points
            .iter()
            .filter(|e| e.entry.auth.is_empty())
            .map(|e| e.function)
            .collect(),
    }
}

/// The functions of this name; of a library's name, those that call it.
fn starts(report: &GraphReport, name: &str) -> Vec<u32> {
    let own = report.named(name);
    if own.is_empty() {
        report.calling(name)
    } else {
        own
    }
}

pub fn text(report: &GraphReport, question: Question<'_>, width: usize) -> Page {
    let mut page = Page::new(width);
    page.line(0, [(Style::Strong, &words::subject(&report.subject))]);
    let found = answer(report, question);
    match question {
        Question::Overview => overview(&mut page, report),
        Question::Exposed => services::open_doors(&mut page, report),
        Question::Services => {
            services::list(&mut page, report);
            for id in 0..report.services.len().min(SHOWN) {
                services::one(&mut page, report, id as u32);
            }
        }
        Question::Service(name) => {
            for id in services::named(report, name) {
                services::one(&mut page, report, id);
            }
        }
        Question::Components => services::components(&mut page, report),
        Question::Functions => standing(&mut page, report),
        Question::CallersOf(name) | Question::CalledFrom(name) => {
            let to = matches!(question, Question::CallersOf(_));
            let starts = match to {
                true => starts(report, name).len(),
                false => report.named(name).len(),
            };
            page.blank();
            if starts == 0 {
                page.paragraph(0, Style::Warn, &format!("no function is called `{name}`"));
            } else {
                let what = if to { "leads to" } else { "is reached from" };
                let n = words::count((found.len() - starts) as u64, "function", "functions");
                let one = words::count(starts as u64, "function", "functions");
                page.paragraph(
                    0,
                    Style::Plain,
                    &format!("{n} {what} `{name}` ({one} of that name)"),
                );
                let reached: BTreeSet<u32> = found.iter().copied().collect();
                entries(&mut page, report, |f| to && reached.contains(&f));
                functions(&mut page, report, &found);
            }
        }
        Question::WithoutLogin => {
            page.blank();
            let n = words::count(found.len() as u64, "entry point", "entry points");
            page.paragraph(
                0,
                Style::Plain,
                &format!("{n} without a login check that is recognised"),
            );
            let open: BTreeSet<u32> = found.iter().copied().collect();
            entries(&mut page, report, |f| open.contains(&f));
        }
    }
    page.unmeasured(&report.unmeasured);
    page
}

fn overview(page: &mut Page, report: &GraphReport) {
    page.blank();
    let tier = |word: &str| report.calls.iter().filter(|c| c.tier == word).count() as u64;
    let behind = report
        .entry_points
        .iter()
        .filter(|e| !e.entry.auth.is_empty())
        .count();
    for (label, n, rest) in [
        ("functions", report.functions.len() as u64, String::new()),
        (
            "calls",
            report.calls.len() as u64,
            format!(
                "{} exact, {} by type, {} through values, {} by name only",
                words::number(tier("exact")),
                words::number(tier("typed")),
                words::number(tier("value")),
                words::number(tier("name"))
            ),
        ),
        (
            "unknown",
            report.unknown_calls,
            "calls whose target is not known".to_owned(),
        ),
        (
            "entries",
            report.entry_points.len() as u64,
            format!("{} behind a login check", words::number(behind as u64)),
        ),
    ] {
        page.field(
            label,
            &[
                (Style::Strong, &words::number(n)),
                (Style::Dim, &format!("  {rest}")),
            ],
        );
    }
    if services::worth_saying(report) {
        services::list(page, report);
    }
    entries(page, report, |_| true);
}

fn entries(page: &mut Page, report: &GraphReport, wanted: impl Fn(u32) -> bool) {
    let all: Vec<_> = report
        .entry_points
        .iter()
        .filter(|e| wanted(e.function))
        .collect();
    if all.is_empty() {
        return;
    }
    page.blank();
    page.line(0, [(Style::Strong, "entry points")]);
    for one in all.iter().take(SHOWN) {
        let entry = &one.entry;
        let guard = if entry.auth.is_empty() {
            String::new()
        } else {
            format!("  behind {}", entry.auth.join(", "))
        };
        page.line(
            4,
            [
                (Style::Plain, "  "),
                (Style::Key, &entry.label),
                (Style::Dim, &format!("  {}{guard}", entry.handler)),
            ],
        );
    }
    more(page, all.len());
}

/// Functions by what is said of them, those that nothing runs first.
fn standing(page: &mut Page, report: &GraphReport) {
    page.blank();
    let of = |verdict: &str| -> Vec<&GraphFunction> {
        let all = report.functions.iter();
        all.filter(|f| f.verdict == verdict).collect()
    };
    let label = |verdict: &str| verdict.replace('_', " ");
    for verdict in ["reachable", "undecided", "no_path"] {
        let count = words::number(of(verdict).len() as u64);
        page.field(&label(verdict), &[(Style::Strong, &count)]);
    }
    for verdict in ["no_path", "undecided"] {
        let all = of(verdict);
        if all.is_empty() {
            continue;
        }
        page.blank();
        page.line(0, [(Style::Strong, label(verdict).as_str())]);
        for function in all.iter().take(SHOWN) {
            let place = words::place(&function.place);
            page.line(
                4,
                [
                    (Style::Plain, "  "),
                    (Style::Plain, &function.name),
                    (Style::Dim, &format!("  {place}")),
                ],
            );
            if let Some(why) = function.why.first() {
                page.paragraph(6, Style::Dim, &why.text);
            }
        }
        more(page, all.len());
    }
}

fn functions(page: &mut Page, report: &GraphReport, ids: &[u32]) {
    page.blank();
    page.line(0, [(Style::Strong, "functions, nearest first")]);
    let known: Vec<&GraphFunction> = ids
        .iter()
        .filter_map(|id| report.functions.get(*id as usize))
        .collect();
    for function in known.iter().take(SHOWN) {
        page.line(
            4,
            [
                (Style::Plain, "  "),
                (Style::Plain, &function.name),
                (Style::Dim, &format!("  {}", words::place(&function.place))),
            ],
        );
    }
    more(page, known.len());
}

fn more(page: &mut Page, n: usize) {
    if n > SHOWN {
        let rest = words::number((n - SHOWN) as u64);
        page.paragraph(2, Style::Dim, &format!("and {rest} more, with `--json`"));
    }
}

/// Which part is drawn: all of it, or what answers a question.
fn drawn(report: &GraphReport, question: Question<'_>) -> BTreeSet<u32> {
    match question {
        Question::Overview => (0..report.functions.len() as u32).collect(),
        _ => answer(report, question).into_iter().collect(),
    }
}

/// Graphviz's language. Entry points are boxes; what is called by name only is dashed.
pub fn dot(report: &GraphReport, question: Question<'_>) -> String {
    match question {
        Question::Services => return services::dot(report, None),
        Question::Service(name) => return services::dot(report, Some(name)),
        _ => {}
    }
    let drawn = drawn(report, question);
    let quote = |text: &str| visible(text).replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from(
        "digraph calls {\n  rankdir=LR;\n  node [shape=plaintext, fontname=\"monospace\"];\n",
    );
    for (id, function) in report.functions.iter().enumerate() {
        if drawn.contains(&(id as u32)) {
            let _ = writeln!(out, "  f{id} [label=\"{}\"];", quote(&function.name));
        }
    }
    for (n, one) in report.entry_points.iter().enumerate() {
        if drawn.contains(&one.function) {
            let _ = writeln!(
                out,
                "  e{n} [shape=box, label=\"{}\"];\n  e{n} -> f{};",
                quote(&one.entry.label),
                one.function
            );
        }
    }
    for call in &report.calls {
        if drawn.contains(&call.caller) && drawn.contains(&call.callee) {
            let style = if call.tier == "name" {
                " [style=dashed]"
            } else {
                ""
            };
            let _ = writeln!(out, "  f{} -> f{}{style};", call.caller, call.callee);
        }
    }
    out.push_str("}\n");
    out
}

/// Services as a picture, whatever is asked of the calls.
pub fn svg(report: &GraphReport, question: Question<'_>) -> String {
    match question {
        Question::Service(name) => picture::svg(report, Some(name)),
        _ => picture::svg(report, None),
    }
}

/// GraphML 1.0, <http://graphml.graphdrawing.org/specification.html>.
pub fn graphml(report: &GraphReport, question: Question<'_>) -> String {
    match question {
        Question::Services => return services::graphml(report, None),
        Question::Service(name) => return services::graphml(report, Some(name)),
        _ => {}
    }
    let drawn = drawn(report, question);
    let escape = |text: &str| crate::sheet::escape::attribute(text);
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n\
         <key id=\"name\" for=\"node\" attr.name=\"name\" attr.type=\"string\"/>\n\
         <key id=\"place\" for=\"node\" attr.name=\"place\" attr.type=\"string\"/>\n\
         <key id=\"entry\" for=\"node\" attr.name=\"entry\" attr.type=\"string\"/>\n\
         <key id=\"tier\" for=\"edge\" attr.name=\"tier\" attr.type=\"string\"/>\n\
         <graph id=\"calls\" edgedefault=\"directed\">\n",
    );
    for (id, function) in report.functions.iter().enumerate() {
        if !drawn.contains(&(id as u32)) {
            continue;
        }
        let _ = write!(
            out,
            "<node id=\"f{id}\"><data key=\"name\">{}</data><data key=\"place\">{}</data>",
            escape(&function.name),
            escape(&words::place(&function.place))
        );
        for one in report
            .entry_points
            .iter()
            .filter(|e| e.function == id as u32)
        {
            let _ = write!(
                out,
                "<data key=\"entry\">{}</data>",
                escape(&one.entry.label)
            );
        }
        out.push_str("</node>\n");
    }
    for (n, call) in report.calls.iter().enumerate() {
        if drawn.contains(&call.caller) && drawn.contains(&call.callee) {
            let _ = writeln!(
                out,
                "<edge id=\"c{n}\" source=\"f{}\" target=\"f{}\"><data key=\"tier\">{}</data></edge>",
                call.caller,
                call.callee,
                escape(&call.tier)
            );
        }
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}
