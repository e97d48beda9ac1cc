//! Services for people: who they are, how they are reached, what leads from one to another.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use solvent_protocol::graph::{GraphEntry, GraphReport, ServiceCall, ServiceView};

use super::{SHOWN, more};
use crate::text::{Page, Style};
use crate::visible::visible;
use crate::words;

/// Columns of the exposure's word.
const WORD: usize = 10;

/// Services of this name, by their place in the report.
pub fn named(report: &GraphReport, name: &str) -> Vec<u32> {
    let wanted = name.to_lowercase();
    report
        .services
        .iter()
        .enumerate()
        .filter(|(_, service)| service.name.to_lowercase() == wanted)
        .filter_map(|(id, _)| u32::try_from(id).ok())
        .collect()
}

/// Entry points that an outsider may reach without a login that is recognised: public ones first, then those of
/// which it is not known.
pub fn exposed(report: &GraphReport) -> Vec<&GraphEntry> {
    let mut out: Vec<&GraphEntry> = report
        .entry_points
        .iter()
        .filter(|e| e.entry.auth.is_empty())
        .filter(|e| e.entry.exposure.as_ref().is_none_or(|x| x.is_open()))
        .collect();
    out.sort_by_key(|e| {
        e.entry
            .exposure
            .as_ref()
            .is_none_or(|x| x.reach != "public")
    });
    out
}

fn style(reach: &str) -> Style {
    match reach {
        "public" => Style::Bad,
        "internal" => Style::Good,
        _ => Style::Warn,
    }
}

/// Whether there is more to say than that there is one application.
pub fn worth_saying(report: &GraphReport) -> bool {
    report.services.iter().any(|s| s.sort != "application") || report.services.len() > 1
}

pub fn list(page: &mut Page, report: &GraphReport) {
    if report.services.is_empty() {
        return;
    }
    page.blank();
    page.line(0, [(Style::Strong, "services")]);
    let mut deployment: Option<&str> = None;
    for service in report.services.iter().take(SHOWN) {
        if deployment != Some(service.deployment.as_str()) && !service.deployment.is_empty() {
            page.paragraph(2, Style::Dim, &service.deployment);
        }
        deployment = Some(service.deployment.as_str());
        line(page, report, service);
    }
    more(page, report.services.len());
}

fn line(page: &mut Page, report: &GraphReport, service: &ServiceView) {
    let reach = service.exposure.reach.as_str();
    let word = format!("  {reach:<WORD$}");
    let mut what: Vec<String> = Vec::new();
    what.extend(service.store.clone());
    if service.gateway {
        what.push("gateway".to_owned());
    }
    if !service.entry_points.is_empty() {
        let n = service.entry_points.len() as u64;
        let open = own(report, service).filter(|e| may_reach(e)).count();
        what.push(format!(
            "{}, {} open",
            words::count(n, "entry point", "entry points"),
            words::number(open as u64)
        ));
    }
    if let Some(why) = &service.asleep {
        what.push(why.clone());
    }
    let what = match what.is_empty() {
        true => String::new(),
        false => format!("  {}", what.join("; ")),
    };
    page.line(
        WORD + 4,
        [
            (style(reach), &word),
            (Style::Plain, "  "),
            (Style::Key, &service.name),
            (Style::Dim, &what),
        ],
    );
}

fn own<'r>(
    report: &'r GraphReport,
    service: &'r ServiceView,
) -> impl Iterator<Item = &'r GraphEntry> {
    service
        .entry_points
        .iter()
        .filter_map(|at| report.entry_points.get(*at as usize))
}

/// Whether an outsider may reach it without a login.
fn may_reach(entry: &GraphEntry) -> bool {
    let open = entry.entry.exposure.as_ref().is_none_or(|x| x.is_open());
    open && entry.entry.auth.is_empty()
}

/// One service: who reaches it, what it reaches, its entry points.
pub fn one(page: &mut Page, report: &GraphReport, id: u32) {
    let Some(service) = report.services.get(id as usize) else {
        return;
    };
    page.blank();
    let from = match service.deployment.as_str() {
        "" => String::new(),
        deployment => format!("  {deployment}"),
    };
    page.line(2, [(Style::Strong, &service.name), (Style::Dim, &from)]);
    let reach = service.exposure.reach.as_str();
    let place = service
        .exposure
        .place
        .as_ref()
        .map(words::place)
        .unwrap_or_default();
    let why = format!("  {}", service.exposure.why);
    let place = format!("  {place}");
    page.field(
        "reached",
        &[
            (style(reach), reach),
            (Style::Plain, &why),
            (Style::Dim, &place),
        ],
    );
    if !service.code.is_empty() {
        let start = match &service.start {
            Some(start) => format!("  starts {start}"),
            None => String::new(),
        };
        let text = format!("{}  {}{start}", service.code.join(", "), service.code_why);
        page.field("code", &[(Style::Plain, &text)]);
    } else if let Some(image) = &service.image {
        let store = service.store.as_ref().map(|s| format!("  {s}"));
        page.field(
            "image",
            &[
                (Style::Plain, image),
                (Style::Dim, &store.unwrap_or_default()),
            ],
        );
    }
    let name = |id: u32| {
        report
            .services
            .get(id as usize)
            .map_or_else(String::new, |s| s.name.clone())
    };
    let mut seen: BTreeSet<(&str, u32, &str, &str)> = BTreeSet::new();
    for call in &report.service_calls {
        let (label, other) = match (call.from == id, call.to == id) {
            (false, true) => ("from", call.from),
            (true, false) => ("to", call.to),
            _ => continue,
        };
        if !seen.insert((label, other, &call.how, &call.what)) {
            continue;
        }
        let place = call.place.as_ref().map(words::place).unwrap_or_default();
        page.field(
            label,
            &[
                (Style::Key, &name(other)),
                (Style::Plain, &format!("  {}", how(call))),
                (Style::Dim, &format!("  {place}")),
            ],
        );
    }
    let all: Vec<&GraphEntry> = own(report, service).collect();
    if all.is_empty() {
        return;
    }
    page.blank();
    page.line(0, [(Style::Strong, "entry points")]);
    for entry in all.iter().take(SHOWN) {
        entry_line(page, entry);
    }
    more(page, all.len());
}

fn how(call: &ServiceCall) -> String {
    match call.how.as_str() {
        "http" => call.what.clone(),
        "forwards" => format!("forwards {}", call.what),
        "store" => format!("by the setting {}", call.what),
        _ => "started after it".to_owned(),
    }
}

/// An entry point with its exposure and the reason.
pub fn entry_line(page: &mut Page, one: &GraphEntry) {
    let entry = &one.entry;
    let (reach, why) = match &entry.exposure {
        Some(x) => (x.reach.as_str(), x.why.clone()),
        None => ("unknown", "no deployment file says".to_owned()),
    };
    let guard = match entry.auth.is_empty() {
        true => String::new(),
        false => format!("  behind {}", entry.auth.join(", ")),
    };
    let word = format!("  {reach:<WORD$}");
    let place = entry.exposure.as_ref().and_then(|x| x.place.as_ref());
    let place = place
        .map(|p| format!(", {}", words::place(p)))
        .unwrap_or_default();
    page.line(
        WORD + 4,
        [
            (style(reach), &word),
            (Style::Plain, "  "),
            (Style::Key, &entry.label),
            (Style::Plain, &guard),
            (Style::Dim, &format!("  {why}{place}")),
        ],
    );
    let callers = entry.exposure.iter().flat_map(|x| &x.callers).take(4);
    for caller in callers {
        page.paragraph(WORD + 4, Style::Dim, &format!("from {caller}"));
    }
}

/// What an outsider may reach without a login.
pub fn open_doors(page: &mut Page, report: &GraphReport) {
    let open = exposed(report);
    let public = open.iter().filter(|e| {
        e.entry
            .exposure
            .as_ref()
            .is_some_and(|x| x.reach == "public")
    });
    let public = public.count();
    page.blank();
    let text = format!(
        "{} public without a login that is recognised, {} of which it is not known who reaches them",
        words::count(public as u64, "entry point is", "entry points are"),
        words::number((open.len() - public) as u64)
    );
    page.paragraph(0, Style::Plain, &text);
    page.blank();
    for entry in open.iter().take(SHOWN) {
        entry_line(page, entry);
    }
    more(page, open.len());
}

/// What lockfiles pin.
pub fn components(page: &mut Page, report: &GraphReport) {
    page.blank();
    let direct = report
        .components
        .iter()
        .filter(|c| c.usage == "direct")
        .count() as u64;
    let text = format!(
        "{}, {} of them asked for by name",
        words::count(report.components.len() as u64, "component", "components"),
        words::number(direct)
    );
    page.paragraph(0, Style::Plain, &text);
    let mut ecosystem = "";
    for component in report.components.iter().take(SHOWN * 5) {
        if component.ecosystem != ecosystem {
            ecosystem = &component.ecosystem;
            page.blank();
            page.line(0, [(Style::Strong, ecosystem)]);
        }
        let version = component
            .version
            .as_deref()
            .unwrap_or("no version is pinned");
        let usage = match component.usage.as_str() {
            "direct" => "",
            other => other,
        };
        page.line(
            4,
            [
                (Style::Plain, "  "),
                (Style::Key, &component.name),
                (Style::Plain, &format!("  {version}")),
                (
                    Style::Dim,
                    &format!("  {usage}  {}", words::place(&component.place)),
                ),
            ],
        );
    }
    if report.components.len() > SHOWN * 5 {
        let rest = words::number((report.components.len() - SHOWN * 5) as u64);
        page.paragraph(2, Style::Dim, &format!("and {rest} more, with `--json`"));
    }
}

/// Which services are drawn: all, or one with its neighbours.
pub(super) fn shown(report: &GraphReport, name: Option<&str>) -> BTreeSet<u32> {
    let all = 0..report.services.len() as u32;
    let Some(name) = name else {
        return all.collect();
    };
    let own = named(report, name);
    let mut out: BTreeSet<u32> = own.iter().copied().collect();
    for call in &report.service_calls {
        if own.contains(&call.from) || own.contains(&call.to) {
            out.extend([call.from, call.to]);
        }
    }
    out
}

/// Edges between the services that are drawn, one for each pair and manner, with how many there are.
pub(super) fn edges(report: &GraphReport, shown: &BTreeSet<u32>) -> Vec<(u32, u32, String, usize)> {
    let mut out: Vec<(u32, u32, String, usize)> = Vec::new();
    for call in &report.service_calls {
        if call.from == call.to || !shown.contains(&call.from) || !shown.contains(&call.to) {
            continue;
        }
        match out
            .iter_mut()
            .find(|(a, b, how, _)| (*a, *b, how) == (call.from, call.to, &call.how))
        {
            Some((.., n)) => *n += 1,
            None => out.push((call.from, call.to, call.how.clone(), 1)),
        }
    }
    out
}

/// Graphviz's language: services, and what comes in from outside.
pub fn dot(report: &GraphReport, name: Option<&str>) -> String {
    let shown = shown(report, name);
    let quote = |text: &str| visible(text).replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from(
        "digraph services {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"monospace\"];\n  \
         outside [shape=plaintext, label=\"outside\"];\n",
    );
    for (id, service) in report.services.iter().enumerate() {
        let id = id as u32;
        if !shown.contains(&id) {
            continue;
        }
        let shape = if service.store.is_some() {
            ", shape=cylinder, style=solid"
        } else {
            ""
        };
        let _ = writeln!(out, "  s{id} [label=\"{}\"{shape}];", quote(&service.name));
        match service.exposure.reach.as_str() {
            "public" => {
                let _ = writeln!(out, "  outside -> s{id};");
            }
            "unknown" => {
                let _ = writeln!(
                    out,
                    "  outside -> s{id} [style=dashed, label=\"not known\"];"
                );
            }
            _ => {}
        }
    }
    for (from, to, how, n) in edges(report, &shown) {
        let _ = writeln!(out, "  s{from} -> s{to} [label=\"{}\"];", label(&how, n));
    }
    out.push_str("}\n");
    out
}

pub(super) fn label(how: &str, n: usize) -> String {
    match n {
        1 => how.to_owned(),
        n => format!("{how} {n}"),
    }
}

/// GraphML 1.0, <http://graphml.graphdrawing.org/specification.html>.
pub fn graphml(report: &GraphReport, name: Option<&str>) -> String {
    let shown = shown(report, name);
    let escape = |text: &str| crate::sheet::escape::attribute(text);
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    for (key, of) in [
        ("name", "node"),
        ("deployment", "node"),
        ("reach", "node"),
        ("why", "node"),
        ("store", "node"),
        ("how", "edge"),
        ("what", "edge"),
    ] {
        let _ = writeln!(
            out,
            "<key id=\"{key}\" for=\"{of}\" attr.name=\"{key}\" attr.type=\"string\"/>"
        );
    }
    out.push_str("<graph id=\"services\" edgedefault=\"directed\">\n");
    for (id, service) in report.services.iter().enumerate() {
        if !shown.contains(&(id as u32)) {
            continue;
        }
        let _ = write!(out, "<node id=\"s{id}\">");
        for (key, value) in [
            ("name", service.name.as_str()),
            ("deployment", &service.deployment),
            ("reach", &service.exposure.reach),
            ("why", &service.exposure.why),
            ("store", service.store.as_deref().unwrap_or_default()),
        ] {
            let _ = write!(out, "<data key=\"{key}\">{}</data>", escape(value));
        }
        out.push_str("</node>\n");
    }
    for (n, call) in report.service_calls.iter().enumerate() {
        if shown.contains(&call.from) && shown.contains(&call.to) {
            let _ = writeln!(
                out,
                "<edge id=\"c{n}\" source=\"s{}\" target=\"s{}\"><data key=\"how\">{}</data><data key=\"what\">{}</data></edge>",
                call.from,
                call.to,
                escape(&call.how),
                escape(&call.what)
            );
        }
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}
