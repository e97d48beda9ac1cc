//! Flows from sources to sinks, with a verdict and its reason.
//!
//! It does not know how values are computed (that is `graph`), nor how a finding is proved. Read
//! [`reach`], then [`judge`] (what a sink's observations mean), [`trace`] (flows in words and places),
//! [`place`] (positions in source text).

mod access;
mod claimed;
mod closed;
mod computed;
mod forged;
mod found;
pub mod judge;
mod pages;
mod place;
mod print;
mod sent;
mod spelled;
mod standing;
mod told;
mod trace;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{FilePath, Interner, Location, Problem, ProblemKind};
use solvent_finding::{EntryKind, EntryPoint, Finding, Verdict, WeaknessId};
use solvent_graph::machine::Machine;
use solvent_graph::{SystemGraph, World};
use solvent_models::ModelSet;

pub use solvent_graph::Limits;
pub use standing::Standing;

/// The answer for one program.
#[derive(Clone, Default, Debug)]
pub struct Reach {
    /// By path and position of the sink, then weakness, then entry point.
    pub findings: Vec<Finding>,
    /// By route, then handler.
    pub entry_points: Vec<EntryPoint>,
    /// Limits that were reached, and gaps in reading.
    pub problems: Vec<Problem>,
    /// Sinks whose receiver is known and that were shown to get only constants, by place; they are no
    /// findings.
    pub fixed_sinks: Vec<FixedSink>,
    /// Requests that the program sends, by place.
    pub sent: Vec<solvent_finding::Sent>,
    pub stats: Stats,
}

impl Reach {
    /// Both answers as one, for programs of different languages in one tree.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.findings.extend(other.findings);
        self.entry_points.extend(other.entry_points);
        self.problems.extend(other.problems);
        self.problems.sort();
        self.fixed_sinks.extend(other.fixed_sinks);
        self.sent.extend(other.sent);
        let (a, b) = (self.stats, other.stats);
        self.stats = Stats {
            units: a.units + b.units,
            lines: a.lines + b.lines,
            functions: a.functions + b.functions,
            call_edges: a.call_edges + b.call_edges,
            boundaries: a.boundaries + b.boundaries,
            entry_points: a.entry_points + b.entry_points,
            sinks: a.sinks + b.sinks,
            constant_sinks: a.constant_sinks + b.constant_sinks,
            steps: a.steps + b.steps,
        };
        self
    }
}

/// A sink that only ever gets constants, for one weakness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FixedSink {
    pub weakness: WeaknessId,
    /// As the model names it.
    pub callee: String,
    pub location: Location,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    pub units: usize,
    pub lines: u64,
    pub functions: usize,
    pub call_edges: usize,
    /// Calls in the text that could not be resolved.
    pub boundaries: usize,
    pub entry_points: usize,
    /// Sinks seen, by place and kind.
    pub sinks: usize,
    /// Sinks that only ever get constants; they are no findings.
    pub constant_sinks: usize,
    /// Instructions evaluated, discovery included.
    pub steps: u64,
}

/// Finds what reaches the modelled sinks, and why the rest does not. What the graph knows of the program's
/// state is used up.
pub fn reach(
    graph: &mut SystemGraph,
    models: &ModelSet,
    names: &Interner,
    text: &(dyn Fn(&FilePath) -> Option<String> + Sync),
    limits: &Limits,
) -> Reach {
    solvent_graph::on_big_stack(|| reach_here(graph, models, names, text, limits, |_| ()).0)
}

/// [`reach`], and of each function whether anything runs it, in the order of the program.
pub fn reach_each(
    graph: &mut SystemGraph,
    models: &ModelSet,
    names: &Interner,
    text: &(dyn Fn(&FilePath) -> Option<String> + Sync),
    limits: &Limits,
) -> (Reach, Vec<Standing>) {
    solvent_graph::on_big_stack(|| {
        reach_here(graph, models, names, text, limits, |view| view.standings())
    })
}

fn reach_here<T>(
    graph: &mut SystemGraph,
    models: &ModelSet,
    names: &Interner,
    text: &(dyn Fn(&FilePath) -> Option<String> + Sync),
    limits: &Limits,
    more: impl FnOnce(&judge::View<'_>) -> T,
) -> (Reach, T) {
    let world = std::mem::replace(&mut graph.world, World::new(0, 0, 0, names));
    let graph = &*graph;
    let mut machine = Machine::resume(&graph.program, models, names, world, *limits);
    let roots = machine.run_roots(&graph.entries, &graph.hooks);
    let world = machine.w;
    let edges = solvent_graph::edges_of(&world);
    let places = place::Places::new(text);
    let view = judge::View::new(graph, &world, models, names, &places, &roots, &edges);
    let mut entry_points: Vec<EntryPoint> = Vec::new();
    for (i, entry) in graph.entries.iter().enumerate() {
        entry_points.push(view.entry_point(i, entry));
    }
    let (mut findings, constant, mut fixed_sinks) = view.findings(&entry_points);
    let (uses, fixed_uses) = view.uses(&entry_points);
    findings.extend(uses);
    fixed_sinks.extend(fixed_uses);
    findings.extend(view.access(&entry_points));
    findings.extend(view.roles(&entry_points));
    findings.extend(view.forged(&entry_points));
    findings.extend(view.told(&entry_points));
    findings.extend(view.claims(&entry_points));
    findings.extend(view.computed(&entry_points));
    let sent = view.sent(&entry_points);
    let mut findings = view.one_per_page(findings);
    fixed_sinks.sort_by(|a, b| (&a.location, &a.weakness).cmp(&(&b.location, &b.weakness)));
    print::number(&mut findings, &world, graph);
    findings.sort_by(|a, b| {
        let key = |f: &Finding| {
            (
                f.sink.location.clone(),
                f.weakness.clone(),
                f.entry
                    .as_ref()
                    .map(|e| (e.route.clone(), e.handler.clone(), e.methods.clone())),
                f.sink.callee.clone(),
                f.fingerprint,
            )
        };
        key(a).cmp(&key(b))
    });
    let mut problems: Vec<Problem> = graph
        .program
        .units
        .iter()
        .flat_map(|u| u.problems.iter().cloned())
        .collect();
    let limits_hit: BTreeSet<&String> = world.limits_hit.iter().chain(&world.notices).collect();
    for what in limits_hit {
        problems.push(Problem {
            kind: ProblemKind::Limit,
            path: None,
            span: None,
            message: format!("the search is partial: {what}"),
        });
    }
    problems.sort();
    let stats = Stats {
        units: graph.program.units.len(),
        lines: graph.program.units.iter().map(|u| u64::from(u.lines)).sum(),
        functions: graph.program.function_count() as usize,
        call_edges: edges.len(),
        boundaries: world.boundaries.len(),
        entry_points: entry_points.len(),
        sinks: world.sinks.len(),
        constant_sinks: constant,
        steps: world.steps,
    };
    entry_points.sort_by(|a, b| {
        (&a.route, &a.handler, &a.methods).cmp(&(&b.route, &b.handler, &b.methods))
    });
    let reach = Reach {
        findings,
        entry_points,
        problems,
        fixed_sinks,
        sent,
        stats,
    };
    (reach, more(&view))
}

/// Entries by verdict word, for summaries.
pub fn count(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut out = BTreeMap::new();
    for finding in findings {
        *out.entry(finding.verdict.word()).or_insert(0) += 1;
    }
    out
}

/// The word for a verdict that rests on something not shown.
pub fn is_assumed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Reachable { assumed } if !assumed.is_empty())
}

pub(crate) const KIND: EntryKind = EntryKind::Http;
