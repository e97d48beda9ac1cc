//! Requests from one service to another, and flows that go on there.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Digest;
use solvent_finding::{
    Carried, Carrier, Comparison, Condition, EntryPoint, Finding, Fingerprint, Flow, Input,
    Landing, MAX_FLOWS, Part, RouteSegment, Sent, Step, StepKind, Verdict,
};

use crate::bind::Bound;
use crate::expose::service_named;
use crate::route::takes_slashes;
use crate::service::Deployment;

/// Services that one flow may lead through.
const MAX_HOPS: usize = 4;
/// Kinds that do their harm in the answer. That of an inner service goes to the caller, whose own sinks say what
/// becomes of it.
const IN_THE_ANSWER: [&str; 4] = [
    "html-text",
    "redirect-target",
    "header-value",
    "session-value",
];
/// Findings that are made of flows between services.
const MAX_CROSSING: usize = 10_000;

/// A request whose receiver is known.
#[derive(Clone, Debug)]
pub struct Call {
    /// Index into what was sent.
    pub sent: usize,
    pub from: usize,
    pub to: usize,
    /// Index of the entry point that answers, if it is known.
    pub entry: Option<usize>,
    /// The path at the receiver, `{}` where it is not known.
    pub path: String,
    /// Inputs of the receiver's route, and what goes into each.
    carried: Vec<(Input, usize)>,
    fixed: Vec<(Input, String)>,
}

/// Which service and which of its routes each request goes to.
pub fn calls(
    deployment: &Deployment,
    bound: &Bound,
    sent: &[Sent],
    entries: &[EntryPoint],
) -> Vec<Call> {
    let mut out = Vec::new();
    for (index, request) in sent.iter().enumerate() {
        let Some(url) = Url::read(&request.url) else {
            continue;
        };
        for from in bound.services_of(request.location.path.as_str()) {
            let Some(mut to) = service_named(deployment, from, &url.host) else {
                continue;
            };
            let mut path = url.path.clone();
            // Through a gateway to what stands behind it.
            let mut hops = 0;
            while let Some(gateway) = deployment.services.get(to).and_then(|s| s.gateway.as_ref()) {
                let Some((location, inner)) = gateway.forward(&plain(&path)) else {
                    break;
                };
                let Some(next) = service_named(deployment, to, &location.host) else {
                    break;
                };
                if next == to || hops == MAX_HOPS {
                    break;
                }
                path = moved(&path, &plain(&path), &inner);
                to = next;
                hops += 1;
            }
            let shown = shown(&path);
            let mut any = false;
            for (at, entry) in entries.iter().enumerate() {
                let file = entry.location.path.as_str();
                if !bound.services_of(file).contains(&to)
                    || !answers(entry, request.method.as_deref())
                {
                    continue;
                }
                let Some(filled) = fits(entry, &path) else {
                    continue;
                };
                any = true;
                let (carried, fixed) = landed(request, entry, filled, &url.query);
                out.push(Call {
                    sent: index,
                    from,
                    to,
                    entry: Some(at),
                    path: shown.clone(),
                    carried,
                    fixed,
                });
            }
            if !any {
                out.push(Call {
                    sent: index,
                    from,
                    to,
                    entry: None,
                    path: shown,
                    carried: Vec::new(),
                    fixed: Vec::new(),
                });
            }
        }
    }
    out
}

/// One segment of a path, or value of a query: text, or what stands at a part of the URL.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Bit {
    Text(String),
    /// The part of that index, and whether an input stands there.
    Open(usize, bool),
}

struct Url {
    host: String,
    path: Vec<Vec<Bit>>,
    query: Vec<(String, Vec<Bit>)>,
}

impl Url {
    /// `None` without a host that is known.
    fn read(parts: &[Part]) -> Option<Self> {
        let Part::Literal(first) = parts.first()? else {
            return None;
        };
        let (_, rest) = first.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        // A host that goes on in an open part is not known.
        if end == rest.len()
            && parts.len() > 1
            && !matches!(&parts[1], Part::Literal(t) if t.starts_with(['/', '?']))
        {
            return None;
        }
        let authority = rest[..end].rsplit('@').next().unwrap_or_default();
        let host = authority
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut out = Self {
            host,
            path: vec![Vec::new()],
            query: Vec::new(),
        };
        let mut in_query = false;
        out.text(&rest[end..], &mut in_query);
        for (at, part) in parts.iter().enumerate().skip(1) {
            match part {
                Part::Literal(text) => out.text(text, &mut in_query),
                Part::Input => out.open(Bit::Open(at, true), in_query),
                Part::Other => out.open(Bit::Open(at, false), in_query),
            }
        }
        Some(out)
    }

    fn text(&mut self, text: &str, in_query: &mut bool) {
        let text = text.split('#').next().unwrap_or_default();
        let (path, query) = match (*in_query, text.split_once('?')) {
            (true, _) => ("", Some(text)),
            (false, Some((path, query))) => (path, Some(query)),
            (false, None) => (text, None),
        };
        for (at, segment) in path.split('/').enumerate() {
            if at > 0 {
                self.path.push(Vec::new());
            }
            if !segment.is_empty() {
                self.open(Bit::Text(segment.to_owned()), false);
            }
        }
        let Some(query) = query else { return };
        let went_on = *in_query;
        *in_query = true;
        for (at, pair) in query.split('&').enumerate() {
            if at == 0
                && went_on
                && !pair.is_empty()
                && self.query.last().is_some_and(|(_, v)| !v.is_empty())
            {
                self.open(Bit::Text(pair.to_owned()), true);
                continue;
            }
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match value {
                "" => Vec::new(),
                value => vec![Bit::Text(value.to_owned())],
            };
            self.query.push((name.to_owned(), value));
        }
    }

    fn open(&mut self, bit: Bit, in_query: bool) {
        if in_query {
            match self.query.last_mut() {
                Some((_, value)) => value.push(bit),
                None => self.query.push((String::new(), vec![bit])),
            }
        } else if let Some(segment) = self.path.last_mut() {
            segment.push(bit);
        }
    }
}

/// The path as text, for gateways: open parts stand as a word that no prefix has.
fn plain(path: &[Vec<Bit>]) -> String {
    let segments: Vec<String> = path
        .iter()
        .map(|segment| {
            segment
                .iter()
                .map(|bit| match bit {
                    Bit::Text(text) => text.as_str(),
                    Bit::Open(..) => "{}",
                })
                .collect()
        })
        .collect();
    segments.join("/")
}

fn shown(path: &[Vec<Bit>]) -> String {
    match plain(path) {
        empty if empty.is_empty() => "/".to_owned(),
        text => text,
    }
}

/// The path behind a gateway that turned `outer` into `inner`: what stands at the end is the same.
fn moved(path: &[Vec<Bit>], outer: &str, inner: &str) -> Vec<Vec<Bit>> {
    if outer == inner {
        return path.to_vec();
    }
    let inner_segments: Vec<&str> = inner.split('/').collect();
    let keep = path
        .iter()
        .rev()
        .zip(inner_segments.iter().rev())
        .take_while(|(segment, text)| plain(std::slice::from_ref(segment)) == **text)
        .count();
    let mut out: Vec<Vec<Bit>> = inner_segments[..inner_segments.len() - keep]
        .iter()
        .map(|text| match *text {
            "" => Vec::new(),
            text => vec![Bit::Text(text.to_owned())],
        })
        .collect();
    out.extend(path[path.len() - keep..].iter().cloned());
    out
}

fn answers(entry: &EntryPoint, method: Option<&str>) -> bool {
    match method {
        Some(method) if !entry.methods.is_empty() => {
            entry.methods.iter().any(|m| m == method || m == "ANY")
        }
        _ => true,
    }
}

/// What each parameter of the route gets, where the path is one of the route's.
fn fits(entry: &EntryPoint, path: &[Vec<Bit>]) -> Option<Vec<(String, Vec<Bit>)>> {
    if entry.route.is_empty() {
        // The code decides; which path it is does not matter then.
        return Some(Vec::new());
    }
    let mut pattern: Vec<Vec<&RouteSegment>> = vec![Vec::new()];
    let literals: Vec<RouteSegment> = entry
        .segments
        .iter()
        .flat_map(|segment| match segment {
            RouteSegment::Literal(text) => {
                let mut out = Vec::new();
                for (at, part) in text.split('/').enumerate() {
                    if at > 0 {
                        out.push(RouteSegment::Literal("/".to_owned()));
                    }
                    if !part.is_empty() {
                        out.push(RouteSegment::Literal(part.to_owned()));
                    }
                }
                out
            }
            param => vec![param.clone()],
        })
        .collect();
    for segment in &literals {
        match segment {
            RouteSegment::Literal(text) if text == "/" => pattern.push(Vec::new()),
            other => {
                if let Some(last) = pattern.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    let pattern: Vec<&Vec<&RouteSegment>> = pattern.iter().filter(|s| !s.is_empty()).collect();
    let path: Vec<&Vec<Bit>> = path.iter().filter(|s| !s.is_empty()).collect();
    let mut out = Vec::new();
    for (at, segment) in pattern.iter().enumerate() {
        if let [RouteSegment::Param { name, converter }] = segment.as_slice()
            && takes_slashes(converter)
        {
            let rest = path.get(at..)?;
            let bits: Vec<Bit> = rest.iter().flat_map(|s| s.iter().cloned()).collect();
            out.push((name.clone(), bits));
            return Some(out);
        }
        let bits = path.get(at)?;
        match segment.as_slice() {
            [RouteSegment::Param { name, .. }] => out.push((name.clone(), (*bits).clone())),
            [RouteSegment::Literal(text)] => match bits.as_slice() {
                [Bit::Text(have)] if have == text => {}
                // An open segment may be this very word.
                [Bit::Open(..)] => {}
                _ => return None,
            },
            // Several in one segment: any of them may get what is open.
            several => {
                for part in several {
                    if let RouteSegment::Param { name, .. } = part {
                        out.push((name.clone(), (*bits).clone()));
                    }
                }
            }
        }
    }
    (pattern.len() == path.len()).then_some(out)
}

type Filled = Vec<(String, Vec<Bit>)>;
/// Inputs of the receiver, and which carried input each gets.
type Carries = Vec<(Input, usize)>;
/// Inputs of the receiver that always get the same.
type Fixed = Vec<(Input, String)>;

/// Which input of the receiver each carried input becomes, and which inputs are always the same.
fn landed(request: &Sent, entry: &EntryPoint, path: Filled, query: &Filled) -> (Carries, Fixed) {
    let mut carried: Vec<(Input, usize)> = Vec::new();
    let mut fixed = request.fixed.clone();
    let named = path
        .into_iter()
        .map(|(name, bits)| (Carrier::PathSegment, name, bits))
        .chain(
            query
                .iter()
                .map(|(name, bits)| (Carrier::Query, name.clone(), bits.clone())),
        );
    for (carrier, name, bits) in named {
        let input = Input { carrier, name };
        let mut text = String::new();
        let mut open = false;
        for bit in &bits {
            match bit {
                Bit::Text(part) => text.push_str(part),
                Bit::Open(at, _) => {
                    open = true;
                    for (index, one) in request.carried.iter().enumerate() {
                        if one.landing == Landing::Url(*at) {
                            carried.push((input.clone(), index));
                        }
                    }
                }
            }
        }
        if !open {
            fixed.push((input, text));
        }
    }
    for (index, one) in request.carried.iter().enumerate() {
        match &one.landing {
            Landing::Url(_) => {}
            Landing::Field(input) => {
                carried.push((input.clone(), index));
                carried.push((raw(&input.carrier), index));
                // A body that is a mapping may be sent as a form or as JSON.
                let other = match input.carrier {
                    Carrier::Json => Some(Carrier::Form),
                    Carrier::Form => Some(Carrier::Json),
                    _ => None,
                };
                carried.extend(other.map(|carrier| {
                    let name = input.name.clone();
                    (Input { carrier, name }, index)
                }));
            }
            Landing::Whole(carrier) => {
                carried.push((raw(carrier), index));
                for (input, _) in &entry.inputs {
                    let body =
                        |c: &Carrier| matches!(c, Carrier::Json | Carrier::Form | Carrier::RawBody);
                    if input.carrier == *carrier || (body(carrier) && body(&input.carrier)) {
                        carried.push((input.clone(), index));
                    }
                }
            }
        }
    }
    (carried, fixed)
}

fn raw(carrier: &Carrier) -> Input {
    let carrier = match carrier {
        Carrier::Query => Carrier::RawQuery,
        Carrier::Form | Carrier::Json => Carrier::RawBody,
        other => other.clone(),
    };
    Input {
        carrier,
        name: String::new(),
    }
}

/// Findings whose flow begins in one service and ends in another, one for each entry point and sink.
pub fn crossing(
    deployment: &Deployment,
    calls: &[Call],
    sent: &[Sent],
    entries: &[EntryPoint],
    findings: &[Finding],
) -> Vec<Finding> {
    let mut by_entry: BTreeMap<usize, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let Some(entry) = call.entry {
            by_entry.entry(entry).or_default().push(call);
        }
    }
    let mut out: Vec<Finding> = Vec::new();
    let mut seen: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    let mut open: Vec<Finding> = findings.to_vec();
    for _ in 0..MAX_HOPS {
        let mut next: Vec<Finding> = Vec::new();
        for finding in &open {
            let (Verdict::Reachable { .. }, Some(entry)) = (&finding.verdict, &finding.entry)
            else {
                continue;
            };
            let Some(at) = entries.iter().position(|e| same(e, entry)) else {
                continue;
            };
            for call in by_entry.get(&at).into_iter().flatten() {
                let request = &sent[call.sent];
                let Some(caller) = &request.entry else {
                    continue;
                };
                if same(caller, entry) {
                    continue;
                }
                let Some(made) = joined(deployment, call, request, caller, entry, finding) else {
                    continue;
                };
                match seen.get(&made.fingerprint) {
                    Some(at) => {
                        let have: &mut Finding = &mut out[*at];
                        for flow in made.flows {
                            if have.flows.len() < MAX_FLOWS && !have.flows.contains(&flow) {
                                have.flows.push(flow);
                            }
                        }
                    }
                    None if out.len() < MAX_CROSSING => {
                        seen.insert(made.fingerprint, out.len());
                        out.push(made.clone());
                        next.push(made);
                    }
                    None => {}
                }
            }
        }
        if next.is_empty() {
            break;
        }
        open = next;
    }
    out
}

/// Entry points through which requests reach this one from other services.
pub fn callers<'s>(calls: &[Call], sent: &'s [Sent], entry: usize) -> Vec<Option<&'s EntryPoint>> {
    let mut out: Vec<Option<&EntryPoint>> = Vec::new();
    for call in calls.iter().filter(|call| call.entry == Some(entry)) {
        let caller = sent[call.sent].entry.as_ref();
        if !out.contains(&caller) {
            out.push(caller);
        }
    }
    out
}

fn same(a: &EntryPoint, b: &EntryPoint) -> bool {
    a.handler == b.handler && a.route == b.route && a.location == b.location
}

fn joined(
    deployment: &Deployment,
    call: &Call,
    request: &Sent,
    caller: &EntryPoint,
    entry: &EntryPoint,
    finding: &Finding,
) -> Option<Finding> {
    let service = &deployment.services.get(call.to)?.name;
    let kind = &finding.sink.kind.0;
    if IN_THE_ANSWER.contains(&kind.as_str()) {
        return None;
    }
    let mut flows: Vec<Flow> = Vec::new();
    let mut assumed = match &finding.verdict {
        Verdict::Reachable { assumed } => assumed.clone(),
        _ => return None,
    };
    for flow in &finding.flows {
        for (input, index) in &call.carried {
            if *input != flow.input {
                continue;
            }
            let carried = &request.carried[*index];
            if carried.harmless.contains(kind) {
                continue;
            }
            let Some(conditions) = conditions(call, request, carried, flow) else {
                continue;
            };
            let mut steps: Vec<Step> = carried.flow.steps.clone();
            if let Some(last) = steps.last_mut() {
                last.what = format!(
                    "is sent to service `{service}` as {}, to {}",
                    words(&flow.input),
                    entry.label()
                );
            }
            steps.extend(flow.steps.iter().cloned());
            let mut transforms = carried.flow.transforms.clone();
            transforms.extend(flow.transforms.iter().cloned());
            assumed.extend(carried.assumed.iter().cloned());
            flows.push(Flow {
                input: carried.flow.input.clone(),
                steps,
                transforms,
                conditions,
                template: flow.template.clone(),
            });
        }
    }
    let first = flows.first()?;
    // Of a flow through several, the last service is the one with the sink.
    let rest = finding
        .title
        .split_once(" reaches ")
        .map_or(finding.title.as_str(), |(_, rest)| rest);
    let end = match finding
        .flows
        .iter()
        .any(|f| f.steps.iter().any(|s| s.kind == StepKind::Sent))
    {
        true => String::new(),
        false => format!(" in service `{service}`"),
    };
    let title = format!("{} reaches {rest}{end}", words(&first.input));
    flows.truncate(MAX_FLOWS);
    assumed.sort();
    assumed.dedup();
    let parts = [
        b"crosses".as_slice(),
        finding.fingerprint.0.as_bytes(),
        caller.handler.module.as_bytes(),
        caller.handler.qualname.as_bytes(),
        caller.route.as_bytes(),
    ];
    Some(Finding {
        fingerprint: Fingerprint(Digest::of_parts(parts)),
        weakness: finding.weakness.clone(),
        severity: finding.severity,
        title,
        sink: finding.sink.clone(),
        entry: Some(caller.clone()),
        flows,
        way: Vec::new(),
        verdict: Verdict::Reachable { assumed },
    })
}

/// What must hold of the caller's inputs; `None` where what is always sent does not meet what the receiver asks.
fn conditions(
    call: &Call,
    request: &Sent,
    carried: &Carried,
    flow: &Flow,
) -> Option<Vec<Condition>> {
    let mut out: BTreeSet<Condition> = carried.flow.conditions.iter().cloned().collect();
    for condition in &flow.conditions {
        let fixed = call
            .fixed
            .iter()
            .find(|(input, _)| *input == condition.input);
        if let Some((_, text)) = fixed {
            if !holds(condition, text) {
                return None;
            }
            continue;
        }
        for (input, index) in &call.carried {
            if *input == condition.input {
                out.insert(Condition {
                    input: request.carried[*index].flow.input.clone(),
                    ..condition.clone()
                });
            }
        }
    }
    Some(out.into_iter().collect())
}

fn holds(condition: &Condition, text: &str) -> bool {
    let value = condition.value.as_str();
    match condition.comparison {
        Comparison::Equals => text == value,
        Comparison::NotEquals => text != value,
        Comparison::Contains => text.contains(value),
        Comparison::StartsWith => text.starts_with(value),
        Comparison::EndsWith => text.ends_with(value),
        Comparison::Present => !text.is_empty(),
        Comparison::Absent => text.is_empty(),
        Comparison::Digits => !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()),
        // An expression is not tried here.
        Comparison::Matches => true,
    }
}

fn words(input: &Input) -> String {
    let what = match input.carrier {
        Carrier::Query => "query parameter",
        Carrier::Form => "form field",
        Carrier::Json => "JSON field",
        Carrier::PathSegment => "path segment",
        Carrier::Header => "header",
        Carrier::Cookie => "cookie",
        Carrier::RawQuery | Carrier::QueryName => return "the query string".to_owned(),
        Carrier::RawPath => return "the request target".to_owned(),
        Carrier::RawBody | Carrier::FormName => return "the request body".to_owned(),
        Carrier::HeaderName => return "the name of a header".to_owned(),
        Carrier::FileContent | Carrier::FileName => "uploaded file",
        Carrier::Predictable => return "a predictable value".to_owned(),
        Carrier::ListedName => return "the name of a file in a folder".to_owned(),
        Carrier::Session => "session value",
    };
    if input.name.is_empty() {
        format!("any {what}")
    } else {
        format!("{what} `{}`", input.name)
    }
}
