//! One value at one sink: a flow, or what cuts it.

use solvent_base::Location;
use solvent_finding::{Assumption, Carrier, Flow, NoPathReason, Stop};
use solvent_graph::Entry;
use solvent_graph::label::{ChainId, Label, Marks, Origin};
use solvent_graph::world::{Fact, Hit};
use solvent_models::{Kind, Weakness};

use super::way::{RoutePath, decodes, path_of_route};
use super::{Argument, View};

/// Why a label at a sink is no flow.
pub(super) enum Cut {
    /// It does no harm.
    Closed(Vec<NoPathReason>),
    /// It does harm only where something holds that is not known.
    Doubt(Stop),
}

impl View<'_> {
    /// Each label of a hit: a flow, or why it does no harm.
    pub(super) fn judge_hit<'h>(
        &self,
        hit: &'h Hit,
        kind: Kind,
        weakness: &Weakness,
        callee: &str,
        entry: Option<&Entry>,
        mut tell: impl FnMut(Result<(Flow, Vec<Assumption>, &'h [Fact]), Cut>),
    ) {
        let deep = self.world.store.deep(hit.value);
        let labels: Vec<Label> = self.world.store.labels(deep).to_vec();
        let info = self.models.kind_info(kind);
        let path = entry.map_or(RoutePath::Open, path_of_route);
        let is_list = info.name == "argv";
        let is_path = info.name.starts_with("file-path");
        let is_html = info.name == "html-text";
        let is_redirect = info.name == "redirect-target";
        let is_url = matches!(info.name.as_str(), "request-url" | "redirect-target");
        for label in labels {
            let Origin::Input(id) = label.origin else {
                continue;
            };
            let carrier = &self.world.store.input(id).carrier;
            if !weakness.from.iter().any(|k| k.carrier() == *carrier) {
                continue;
            }
            let mut check = kind;
            if is_list {
                match self.argument(hit.value, label, weakness) {
                    Argument::Code(kind) => check = kind,
                    Argument::Program => {}
                    Argument::Plain => {
                        tell(Err(Cut::Closed(vec![NoPathReason::Position {
                            what: "one argument of a program".to_owned(),
                        }])));
                        continue;
                    }
                }
            }
            let is_target = *carrier == Carrier::RawPath;
            if is_target && path == RoutePath::Fixed && self.is_path_only(label) {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: "the path of a request to a fixed route".to_owned(),
                }])));
                continue;
            }
            if is_html && self.is_still_encoded(label) {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: "the target of the request as browsers send it, percent-encoded"
                        .to_owned(),
                }])));
                continue;
            }
            // As it came: the route's own beginning is in front of all that the attacker writes.
            let as_it_came = label.chain == ChainId::default();
            if is_target && is_redirect && path != RoutePath::Open && as_it_came {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: "a path of this site, as the route says".to_owned(),
                }])));
                continue;
            }
            let cured = label.kills & (1 << check.index()) != 0 && *carrier != Carrier::Predictable;
            if cured && !self.is_quoted_twice(hit.value, label, check) {
                tell(Err(Cut::Closed(self.cures(label, check))));
                continue;
            }
            if let Some(quoted) = self.in_quotes(hit.value, label, &info.name)
                && label.kills & (1 << quoted.index()) != 0
            {
                tell(Err(Cut::Closed(self.cures(label, quoted))));
                continue;
            }
            if is_path && self.stays_below(hit.value, label) {
                let site = hit.sink.site;
                tell(Err(Cut::Closed(vec![NoPathReason::Guarded {
                    location: self.tracer.location(site),
                    by: "a check for `..`".to_owned(),
                }])));
                continue;
            }
            if is_path
                && *carrier != Carrier::RawPath
                && let Some(beginning) = self.begins_a_name(hit.value, label)
            {
                tell(Err(Cut::Doubt(Stop::UnknownArgument {
                    location: self.tracer.location(hit.sink.site),
                    what: format!(
                        "the input ends a name that begins with `{beginning}`, and leaves its folder only where \
                         there is a folder of such a name"
                    ),
                })));
                continue;
            }
            if info.name == "code-text" && self.is_quoted(hit.value, label) {
                tell(Err(Cut::Closed(vec![NoPathReason::Guarded {
                    location: self.tracer.location(hit.sink.site),
                    by: "a check for one text in quotes".to_owned(),
                }])));
                continue;
            }
            if is_redirect && label.marks.has(Marks::SAME_SITE) {
                tell(Err(Cut::Closed(vec![NoPathReason::Guarded {
                    location: self.tracer.location(hit.sink.site),
                    by: "a check for a path of this site".to_owned(),
                }])));
                continue;
            }
            if is_url && self.host_is_ours(hit.value, label) {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: "the input stands behind the host of the URL".to_owned(),
                }])));
                continue;
            }
            if let Some(what) = self.of_no_use_there(&info.name, hit, label) {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: what.to_owned(),
                }])));
                continue;
            }
            let sink_words = match callee.strip_prefix('<') {
                Some(_) => format!("is kept as {}", info.words),
                None => format!("is used as {} of `{callee}`", info.words),
            };
            let Some(flow) = self.tracer.flow(hit, label, &sink_words) else {
                continue;
            };
            let by_route = entry.is_some_and(|entry| {
                let name = self.tracer.names.text(self.world.store.input(id).name);
                *carrier == Carrier::PathSegment
                    && entry
                        .converters
                        .iter()
                        .any(|(param, kills)| **param == *name && kills & (1 << check.index()) != 0)
            });
            if by_route && !flow.transforms.iter().any(decodes) {
                tell(Err(Cut::Closed(vec![NoPathReason::Position {
                    what: "a parameter of the route, whose pattern lets nothing harmful through"
                        .to_owned(),
                }])));
                continue;
            }
            let mut assumed = self.tracer.assumptions(label);
            if hit.by_name {
                let name = callee.rsplit('.').next().unwrap_or_default().to_owned();
                let location = self.tracer.location(hit.sink.site);
                assumed.push(Assumption::NameOnlyCall { name, location });
            }
            if self.tracer.is_stored(label)
                && let Some((location, what)) = guessed_twice(&assumed)
            {
                tell(Err(Cut::Doubt(Stop::DynamicBoundary { location, what })));
                continue;
            }
            tell(Ok((flow, assumed, &hit.facts)));
        }
    }
}

/// Of a flow that one request leaves and another finds: where neither who leaves it nor who finds it is known by more than
/// a method's name, both guesses would have to be right, and to be about one object.
fn guessed_twice(assumed: &[Assumption]) -> Option<(Location, String)> {
    let mut calls = assumed.iter().filter_map(|one| match one {
        Assumption::NameOnlyCall { name, location } => Some((name, location)),
        _ => None,
    });
    let (first, at) = calls.next()?;
    let (second, _) = calls.find(|(_, location)| *location != at)?;
    Some((
        at.clone(),
        format!(
            "what one request leaves and another finds goes through calls of `{first}` and `{second}`, both matched by \
             name only"
        ),
    ))
}
