//! Services as a picture: SVG 1.1, in columns from outside to data stores. It loads nothing and runs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use solvent_protocol::graph::{GraphReport, ServiceView};

use super::services::{edges, label, shown};
use crate::sheet::escape::attribute;

const BOX: (i32, i32) = (188, 46);
/// Between the left edges of columns, and the upper edges of rows.
const STEP: (i32, i32) = (276, 66);
const MARGIN: i32 = 28;
/// Characters of a name that fit into a box.
const FITS: usize = 19;
/// From `outside` to the first column.
const LEAD: i32 = 120;
/// Rows of one column; more begin another one beside it.
const ROWS: usize = 14;

/// Draws the services of one name with their neighbours, or all: each deployment a panel, in light and dark by
/// whoever looks.
pub fn svg(report: &GraphReport, name: Option<&str>) -> String {
    let drawn = shown(report, name);
    let edges = edges(report, &drawn);
    let mut panels: Vec<(&str, BTreeSet<u32>)> = Vec::new();
    for id in &drawn {
        let Some(service) = report.services.get(*id as usize) else {
            continue;
        };
        match panels
            .iter_mut()
            .find(|(name, _)| *name == service.deployment)
        {
            Some((_, ids)) => {
                ids.insert(*id);
            }
            None => panels.push((&service.deployment, BTreeSet::from([*id]))),
        }
    }
    let mut body = String::new();
    let mut top = MARGIN;
    let mut widest = 0;
    for (title, ids) in &panels {
        let own: Vec<Edge> = edges
            .iter()
            .filter(|(from, ..)| ids.contains(from))
            .cloned()
            .collect();
        let (wide, high) = panel(&mut body, report, title, ids, &own, top);
        widest = widest.max(wide);
        top += high + MARGIN;
    }
    let (width, height) = (widest + MARGIN, top);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"services and calls between them\" font-family=\"ui-sans-serif, system-ui, sans-serif\">\n\
         <style>\n{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
    )
}

type Edge = (u32, u32, String, usize);

const STYLE: &str = ".page{fill:#fff} .card{fill:#f7f8fa;stroke:#8a94a3;stroke-width:1.2} .public{stroke:#c0392b;stroke-width:2} \
    .unknown{stroke:#b7791f;stroke-width:1.6;stroke-dasharray:5 3} .store{fill:#eef3f8} .asleep{opacity:.55}\n\
    .name{font-size:14px;font-weight:600;fill:#1c2430} .title{font-size:12px;fill:#5a6675;letter-spacing:.02em} .sub{font-size:11px;fill:#5a6675}\n\
    .edge{fill:none;stroke:#8a94a3;stroke-width:1.3} .in{stroke:#c0392b} .maybe{stroke:#b7791f;stroke-dasharray:5 3} \
    .after{stroke-dasharray:2 4} .tip{fill:#8a94a3} .rule{stroke:#d8dde4}\n\
    .label{font-size:10px;fill:#5a6675;paint-order:stroke;stroke:#fff;stroke-width:3px}\n\
    @media (prefers-color-scheme: dark){.page{fill:#14181f} .card{fill:#1d232d;stroke:#66707f} .public{stroke:#e8695b} .store{fill:#19242f} \
    .name{fill:#e8ecf2} .sub,.label,.title{fill:#9aa6b6} .label{stroke:#14181f} .edge{stroke:#66707f} .in{stroke:#e8695b} .rule{stroke:#2b3340}}\n";

/// One deployment below the others; gives its width and height.
fn panel(
    out: &mut String,
    report: &GraphReport,
    title: &str,
    ids: &BTreeSet<u32>,
    edges: &[Edge],
    top: i32,
) -> (i32, i32) {
    let ways: BTreeMap<u32, &str> = ids
        .iter()
        .filter_map(|id| Some((*id, way_in(report, *id, edges)?)))
        .collect();
    let places = laid_out(report, ids, edges, &ways);
    let columns = places.values().map(|(c, _)| *c).max().unwrap_or(0) as i32 + 1;
    let rows = places.values().map(|(_, r)| *r).max().unwrap_or(0) as i32 + 1;
    // What is reached from outside stands apart from it.
    let left = if ways.is_empty() {
        MARGIN
    } else {
        MARGIN + LEAD
    };
    let at = |id: u32| {
        let (column, row) = places.get(&id).copied().unwrap_or_default();
        (
            left + STEP.0 * column as i32,
            top + 40 + STEP.1 * row as i32,
        )
    };
    let width = left + STEP.0 * columns;
    let _ = writeln!(
        out,
        "<line class=\"rule\" x1=\"{MARGIN}\" y1=\"{}\" x2=\"{width}\" y2=\"{}\"/><text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        top + 8,
        top + 8,
        top + 2,
        attribute(if title.is_empty() {
            "applications"
        } else {
            title
        })
    );
    if !ways.is_empty() {
        let _ = writeln!(
            out,
            "<text class=\"name\" x=\"{MARGIN}\" y=\"{}\">outside</text>",
            top + 40 + BOX.1 / 2 - 8
        );
    }
    let mut nearest: Vec<(&u32, &&str)> = ways.iter().collect();
    nearest.sort_by_key(|(id, _)| places.get(id));
    for (id, class) in nearest {
        let (x, y) = at(*id);
        let (y, from) = (y + BOX.1 / 2, top + 40 + BOX.1 / 2);
        let (start, over) = (MARGIN + 8, top + 22);
        let path = match y == from {
            // Over the boxes in between.
            _ if x > left => format!(
                "M{start} {from} C{start} {over} {start} {over} {} {over} L{} {over} C{} {over} {} {y} {x} {y}",
                start + 40,
                x - 70,
                x - 20,
                x - 50
            ),
            true => format!("M{start} {from} L{x} {y}"),
            false => format!(
                "M{start} {from} C{} {from} {} {y} {x} {y}",
                start + 40,
                x - 60
            ),
        };
        let _ = writeln!(
            out,
            "<path class=\"edge {class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>"
        );
    }
    let mut labels = String::new();
    for (from, to, how, count) in edges {
        let ((x1, y1), (x2, y2)) = (at(*from), at(*to));
        let class = if how == "after" { " after" } else { "" };
        let (y1, y2) = (y1 + BOX.1 / 2, y2 + BOX.1 / 2);
        let (path, lx, ly) = if x2 > x1 {
            let (a, b) = (x1 + BOX.0, x2);
            let bend = (b - a) / 2;
            let path = format!("M{a} {y1} C{} {y1} {} {y2} {b} {y2}", a + bend, b - bend);
            // Beside the arrow's end, where edges from one service have come apart.
            (path, b - 54, y2 - 5)
        } else {
            // Back, or inside one column: around the right side.
            let (a, b) = (x1 + BOX.0, x2 + BOX.0);
            let far = a.max(b) + 30 + (y1 - y2).abs() / 10;
            (
                format!("M{a} {y1} C{far} {y1} {far} {y2} {b} {y2}"),
                b + 12,
                y2 - 5,
            )
        };
        let _ = writeln!(
            out,
            "<path class=\"edge{class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>"
        );
        if how != "after" {
            let _ = writeln!(
                labels,
                "<text class=\"label\" x=\"{lx}\" y=\"{ly}\">{}</text>",
                attribute(&label(how, *count))
            );
        }
    }
    for id in ids {
        if let Some(service) = report.services.get(*id as usize) {
            card(out, service, at(*id));
        }
    }
    out.push_str(&labels);
    (width, 40 + STEP.1 * rows)
}

/// How the edge from outside looks; none to what only a gateway leads to.
fn way_in(report: &GraphReport, id: u32, edges: &[Edge]) -> Option<&'static str> {
    let service = report.services.get(id as usize)?;
    let behind = edges
        .iter()
        .any(|(_, to, how, _)| *to == id && how == "forwards");
    match service.exposure.reach.as_str() {
        "public" if !behind => Some("in"),
        "unknown" if !behind && service.store.is_none() => Some("maybe"),
        _ => None,
    }
}

fn card(out: &mut String, service: &ServiceView, (x, y): (i32, i32)) {
    let reach = match service.exposure.reach.as_str() {
        "public" => " public",
        "unknown" => " unknown",
        _ => "",
    };
    let store = if service.store.is_some() {
        " store"
    } else {
        ""
    };
    let asleep = if service.asleep.is_some() {
        " class=\"asleep\""
    } else {
        ""
    };
    let cut = |text: &str, most: usize| -> String {
        match text.chars().count() > most {
            true => text.chars().take(most - 1).chain(['…']).collect(),
            false => text.to_owned(),
        }
    };
    let mut parts = vec![service.exposure.reach.clone()];
    parts.extend(service.store.clone());
    if service.gateway {
        parts.push("gateway".to_owned());
    }
    if !service.entry_points.is_empty() {
        parts.push(format!("{} entries", service.entry_points.len()));
    }
    let _ = writeln!(
        out,
        "<g{asleep}><title>{}</title><rect class=\"card{reach}{store}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>\
         <text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"sub\" x=\"{}\" y=\"{}\">{}</text></g>",
        attribute(&service.exposure.why),
        BOX.0,
        BOX.1,
        if service.store.is_some() { 16 } else { 7 },
        x + 12,
        y + 20,
        attribute(&cut(&service.name, FITS)),
        x + 12,
        y + 37,
        attribute(&cut(&parts.join(", "), 30)),
    );
}

type Places = BTreeMap<u32, (usize, usize)>;

/// Columns by how far a service is from outside, rows by where its neighbours stand.
fn laid_out(
    report: &GraphReport,
    drawn: &BTreeSet<u32>,
    edges: &[Edge],
    ways: &BTreeMap<u32, &str>,
) -> Places {
    let store = |id: u32| {
        report
            .services
            .get(id as usize)
            .is_some_and(|s| s.store.is_some())
    };
    let mut column: BTreeMap<u32, usize> = BTreeMap::new();
    let mut open: Vec<u32> = ways.keys().copied().collect();
    if open.is_empty() {
        // Nothing is known to be public: what nobody calls comes first.
        open = drawn
            .iter()
            .copied()
            .filter(|id| edges.iter().all(|(_, to, ..)| to != id))
            .collect();
    }
    // Breadth first, so that cycles end.
    let mut depth = 0;
    while !open.is_empty() {
        let mut next = Vec::new();
        for id in open {
            if column.contains_key(&id) {
                continue;
            }
            column.insert(id, depth);
            next.extend(
                edges
                    .iter()
                    .filter(|(from, ..)| *from == id)
                    .map(|(_, to, ..)| *to),
            );
        }
        open = next;
        depth += 1;
    }
    for id in drawn {
        let caller = edges.iter().any(|(from, ..)| from == id);
        column.entry(*id).or_insert(usize::from(!caller));
    }
    let last = column
        .iter()
        .filter(|(id, _)| !store(**id))
        .map(|(_, c)| *c)
        .max()
        .unwrap_or(0)
        + 1;
    for (id, c) in &mut column {
        if store(*id) {
            *c = last;
        }
    }
    let mut out = Places::new();
    let columns = column.values().copied().max().unwrap_or(0);
    let mut beside = 0;
    for c in 0..=columns {
        let mut own: Vec<u32> = column
            .iter()
            .filter(|(_, k)| **k == c)
            .map(|(id, _)| *id)
            .collect();
        own.sort_by_key(|id| {
            let rows: Vec<usize> = edges
                .iter()
                .filter(|(_, to, ..)| to == id)
                .filter_map(|(from, ..)| out.get(from).map(|(_, row)| *row))
                .collect();
            let mean = (rows.iter().sum::<usize>() * 100)
                .checked_div(rows.len())
                .unwrap_or(usize::MAX);
            (mean, *id)
        });
        if own.is_empty() {
            continue;
        }
        for (row, id) in own.iter().enumerate() {
            out.insert(*id, (beside + row / ROWS, row % ROWS));
        }
        beside += 1 + (own.len() - 1) / ROWS;
    }
    out
}
