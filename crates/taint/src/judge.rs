//! What was seen at a sink, and what it means.

mod context;
mod hit;
mod order;
mod way;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Interner, Name, ProblemKind};
use solvent_finding::{
    Assumption, Carrier, EntryPoint, Finding, Fingerprint, Flow, NoPathReason, Severity, Sink,
    SinkKind, Stop, Symbol, Verdict, WeaknessId,
};
use solvent_graph::label::{Label, Marks, Note, Origin};
use solvent_graph::value::{Atom, CollKind, Piece, V};
use solvent_graph::world::{Hit, SinkRef, Touch};
use solvent_graph::{CallEdge, CallTier, Entry, FnId, Root, RootKind, Site, SystemGraph, World};
use solvent_ir::Const;
use solvent_models::{Judge, Kind, KindInfo, ModelSet, Weakness};

use hit::Cut;
use order::{each_input_first, library_symbol, plainness, without_presence};

use crate::FixedSink;
use crate::access::Part;
use crate::place::Places;
use crate::spelled;
use crate::trace::{Tracer, words};

/// How bad a weakness is where it is of this kind.
pub(crate) fn severity(weakness: &Weakness, kind: &KindInfo) -> Severity {
    let most = kind.severity.unwrap_or(weakness.severity);
    weakness.severity.min(most).max(Severity::Low)
}

/// What an input in an argument list can do.
enum Argument {
    /// It is the program, or decides it.
    Program,
    /// An interpreter runs it as code of this kind.
    Code(Kind),
    /// One argument among others.
    Plain,
}

/// A flow, what it takes for granted, and the methods that get there.
type Found = (Flow, Vec<Assumption>, Vec<String>);

/// Everything that verdicts are made from.
pub struct View<'a> {
    pub(crate) graph: &'a SystemGraph,
    pub(crate) world: &'a World,
    pub(crate) models: &'a ModelSet,
    pub(crate) roots: &'a [Root],
    pub(crate) tracer: Tracer<'a>,
    /// Functions that call a function.
    pub(crate) callers: BTreeMap<FnId, BTreeSet<FnId>>,
    /// What sinks saw from entry points and hooks.
    pub(crate) outside: BTreeMap<SinkRef, Touch>,
    /// What sinks saw from module bodies.
    pub(crate) inside: BTreeMap<SinkRef, Touch>,
    /// Functions evaluated from an entry point, hook or body.
    pub(crate) reached: BTreeSet<FnId>,
    pub(crate) from_outside: BTreeSet<FnId>,
    pub(crate) unreadable: Option<String>,
    /// What functions do with who is there, as far as it was asked.
    pub(crate) identity: RefCell<BTreeMap<FnId, Option<Part>>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        graph: &'a SystemGraph,
        world: &'a World,
        models: &'a ModelSet,
        names: &'a Interner,
        places: &'a Places<'a>,
        roots: &'a [Root],
        edges: &[CallEdge],
    ) -> Self {
        let mut callers: BTreeMap<FnId, BTreeSet<FnId>> = BTreeMap::new();
        for edge in edges {
            if edge.tier <= CallTier::NameOnly && edge.site.function != edge.callee {
                callers
                    .entry(edge.callee)
                    .or_default()
                    .insert(edge.site.function);
            }
        }
        let mut outside: BTreeMap<SinkRef, Touch> = BTreeMap::new();
        let mut inside: BTreeMap<SinkRef, Touch> = BTreeMap::new();
        let mut reached = BTreeSet::new();
        let mut from_outside = BTreeSet::new();
        for root in roots {
            let map = if root.kind == RootKind::Body {
                &mut inside
            } else {
                &mut outside
            };
            for (sink, touch) in &root.touched {
                let have = map.entry(*sink).or_insert(*touch);
                *have = (*have).max(*touch);
            }
            for id in &root.summaries {
                let summary = world.summary(*id);
                reached.insert(summary.function);
                if root.kind != RootKind::Body {
                    from_outside.insert(summary.function);
                }
                for (sink, touch) in &summary.touched {
                    let have = map.entry(*sink).or_insert(*touch);
                    *have = (*have).max(*touch);
                }
            }
        }
        let unreadable = graph
            .program
            .units
            .iter()
            .find(|u| {
                u.problems.iter().any(|p| {
                    matches!(
                        p.kind,
                        ProblemKind::Syntax
                            | ProblemKind::TooLarge
                            | ProblemKind::Encoding
                            | ProblemKind::Unreadable
                    )
                })
            })
            .map(|u| u.path.to_string());
        let tracer = Tracer {
            program: &graph.program,
            world,
            names,
            places,
        };
        Self {
            graph,
            world,
            models,
            roots,
            tracer,
            callers,
            outside,
            inside,
            reached,
            from_outside,
            unreadable,
            identity: RefCell::default(),
        }
    }

    pub(crate) fn symbol(&self, f: FnId) -> Symbol {
        self.graph.program.symbol(f, self.tracer.names)
    }

    pub(crate) fn entry_point(&self, index: usize, entry: &Entry) -> EntryPoint {
        let program = &self.graph.program;
        let function = program.function(entry.function);
        let mut inputs: BTreeMap<solvent_finding::Input, BTreeSet<String>> = BTreeMap::new();
        for root in self
            .roots
            .iter()
            .filter(|r| r.kind == RootKind::Entry(index))
        {
            for input in &root.given {
                let input = self.tracer.input(self.world.store.input(*input));
                inputs.entry(input).or_default();
            }
            for id in &root.summaries {
                for input in &self.world.summary(*id).inputs {
                    let input = self.tracer.input(self.world.store.input(*input));
                    inputs.entry(input).or_default();
                }
            }
            for hit in &root.hits {
                for condition in self.tracer.conditions(&hit.facts) {
                    let values = inputs.entry(condition.input).or_default();
                    if !condition.value.is_empty() {
                        values.insert(condition.value);
                    }
                }
                let deep = self.world.store.deep(hit.value);
                for label in self.world.store.labels(deep) {
                    if let Origin::Input(id) = label.origin {
                        let input = self.tracer.input(self.world.store.input(id));
                        let stored = self.world.store.was_stored(label.notes);
                        if stored || input.carrier.is_no_request() {
                            continue;
                        }
                        // The path has conditions of its own; other inputs without a name need what the
                        // functions on the way spell out.
                        let nameless = input.name.is_empty() && input.carrier != Carrier::RawPath;
                        let values = inputs.entry(input).or_default();
                        if nameless {
                            let hops = self.world.store.hops(label.trace);
                            let on_the_way: BTreeSet<FnId> = hops
                                .iter()
                                .map(|hop| hop.site.function)
                                .chain([entry.function, hit.sink.site.function])
                                .collect();
                            for id in on_the_way {
                                spelled::collect(program.function(id), self.tracer.names, values);
                            }
                        }
                    }
                }
            }
        }
        EntryPoint {
            kind: crate::KIND,
            framework: entry.framework.clone(),
            methods: entry.methods.clone(),
            route: entry.route.clone(),
            segments: entry.segments.clone(),
            handler: match &entry.library {
                Some((path, _)) => library_symbol(path),
                None => self.symbol(entry.function),
            },
            location: self.tracer.places.location(
                program.path_of(entry.function),
                match &entry.library {
                    Some((_, site)) => program.span(*site),
                    None => function.name_span,
                },
            ),
            inputs: inputs
                .into_iter()
                .map(|(k, v)| (k, v.into_iter().collect()))
                .collect(),
            auth: entry.auth.clone(),
            assumed: entry.assumed.clone(),
        }
    }

    /// All findings, how many sinks are no finding, and which of those were shown to get only constants.
    pub(crate) fn findings(&self, entries: &[EntryPoint]) -> (Vec<Finding>, usize, Vec<FixedSink>) {
        let mut out = Vec::new();
        let mut constant = 0;
        let mut fixed_sinks = Vec::new();
        let mut hits: BTreeMap<SinkRef, Vec<(usize, &Hit)>> = BTreeMap::new();
        let mut hook_hits: BTreeMap<SinkRef, Vec<&Hit>> = BTreeMap::new();
        for root in self.roots {
            for hit in &root.hits {
                match root.kind {
                    RootKind::Entry(i) => hits.entry(hit.sink).or_default().push((i, hit)),
                    RootKind::Hook => hook_hits.entry(hit.sink).or_default().push(hit),
                    RootKind::Body => {}
                }
            }
        }
        // Calls whose receiver was resolved somewhere: a second reading of the same call by name alone
        // adds nothing unless it is reached.
        let resolved: BTreeSet<Site> = self
            .world
            .sinks
            .iter()
            .filter(|(_, by_name)| !**by_name)
            .map(|(sink, _)| sink.site)
            .collect();
        for (sink, by_name) in &self.world.sinks {
            let member = self.models.get(sink.member);
            let Some(row) = member.sinks.get(sink.row as usize) else {
                continue;
            };
            if self.is_idle_view(sink.site.function) {
                continue;
            }
            let mut said = false;
            let mut silent = true;
            let mut fixed_for: Vec<WeaknessId> = Vec::new();
            for weakness in self.models.weaknesses_into(row.kind) {
                if weakness.judged_by != Judge::Flow {
                    silent = false;
                    continue;
                }
                let empty = Vec::new();
                let all = hits.get(sink).unwrap_or(&empty);
                let mut per_entry: BTreeMap<usize, Vec<Found>> = BTreeMap::new();
                let mut harmless: BTreeSet<NoPathReason> = BTreeSet::new();
                let mut doubts: BTreeSet<Stop> = BTreeSet::new();
                for (entry, hit) in all {
                    let entry_point = Some(&self.graph.entries[*entry]);
                    self.judge_hit(
                        hit,
                        row.kind,
                        weakness,
                        &member.path,
                        entry_point,
                        |verdict| match verdict {
                            Ok((flow, assumed, facts)) => {
                                let methods = self
                                    .tracer
                                    .methods(facts, &self.graph.entries[*entry].methods);
                                per_entry
                                    .entry(*entry)
                                    .or_default()
                                    .push((flow, assumed, methods));
                            }
                            Err(Cut::Closed(reasons)) => harmless.extend(reasons),
                            Err(Cut::Doubt(stop)) => {
                                doubts.insert(stop);
                            }
                        },
                    );
                }
                // Hooks run before any handler: their flows belong to every entry; one stands for all.
                if let Some(list) = hook_hits.get(sink) {
                    for hit in list {
                        self.judge_hit(hit, row.kind, weakness, &member.path, None, |verdict| {
                            match verdict {
                                Ok((flow, assumed, _)) => {
                                    if let Some(first) =
                                        self.graph.entries.iter().position(|e| !e.route.is_empty())
                                    {
                                        let methods = self.graph.entries[first].methods.clone();
                                        per_entry
                                            .entry(first)
                                            .or_default()
                                            .push((flow, assumed, methods));
                                    } else {
                                        // Who answers requests without a route that is known.
                                        doubts.insert(Stop::DynamicBoundary {
                                            location: self.tracer.location(sink.site),
                                            what: "it runs in front of handlers, none of which is found"
                                                .to_owned(),
                                        });
                                    }
                                }
                                Err(Cut::Closed(reasons)) => harmless.extend(reasons),
                                Err(Cut::Doubt(stop)) => {
                                    doubts.insert(stop);
                                }
                            }
                        });
                    }
                }
                // Of routes to the same handler only those whose methods get there.
                if per_entry
                    .values()
                    .flatten()
                    .any(|found| !found.2.is_empty())
                {
                    for (entry, flows) in &mut per_entry {
                        if !self.graph.entries[*entry].methods.is_empty() {
                            flows.retain(|found| !found.2.is_empty());
                        }
                    }
                    per_entry.retain(|_, flows| !flows.is_empty());
                }
                if weakness.once {
                    let first = per_entry.keys().next().copied();
                    per_entry.retain(|entry, _| Some(*entry) == first);
                }
                if !per_entry.is_empty() {
                    said = true;
                    for (entry, flows) in per_entry {
                        out.push(self.reachable(
                            *sink,
                            *by_name,
                            row.kind,
                            weakness,
                            &entries[entry],
                            flows,
                        ));
                    }
                    continue;
                }
                let verdict = if doubts.is_empty() {
                    self.closed(*sink, harmless)
                } else {
                    let stops = doubts.into_iter().collect();
                    Some(Verdict::Undecided { stops })
                };
                // Where only what can be guessed does harm, nothing is said of what does not get it.
                if self.models.is_for_predictable(row.kind)
                    || (weakness.quiet && matches!(verdict, Some(Verdict::NoPath { .. })))
                    || ((weakness.reached_only || self.models.kind_info(row.kind).reached_only)
                        && verdict.is_some())
                {
                    silent = false;
                    continue;
                }
                match verdict {
                    Some(verdict) => {
                        let open = !matches!(verdict, Verdict::NoPath { .. });
                        if *by_name && (!open || resolved.contains(&sink.site)) {
                            // A match by name alone that nothing reaches says nothing.
                            silent = true;
                            continue;
                        }
                        said = true;
                        silent = false;
                        out.push(self.finding(
                            *sink,
                            row.kind,
                            weakness,
                            None,
                            Vec::new(),
                            verdict,
                        ));
                    }
                    // A receiver that is matched by name alone may be another call.
                    None if !*by_name => fixed_for.push(WeaknessId(weakness.id.clone())),
                    None => {}
                }
            }
            if !said && silent {
                constant += 1;
            }
            fixed_sinks.extend(fixed_for.into_iter().map(|weakness| FixedSink {
                weakness,
                callee: member.path.clone(),
                location: self.tracer.location(sink.site),
            }));
        }
        (without_presence(out), constant, fixed_sinks)
    }

    /// Whether the label is of the path alone, without the query.
    fn is_path_only(&self, label: Label) -> bool {
        self.world
            .store
            .hops(label.trace)
            .first()
            .is_some_and(|hop| {
                let what = self.tracer.names.text(hop.what);
                what.ends_with(".path")
                    || what.ends_with(".path_info")
                    || what.ends_with(".base_url")
            })
    }

    /// What made the label harmless for a kind.
    pub(crate) fn cures(&self, label: Label, kind: Kind) -> Vec<NoPathReason> {
        let mut out = Vec::new();
        for note in self.world.store.notes(label.notes) {
            let by_of = |by: Name| self.tracer.names.text(by).to_string();
            match note {
                Note::Sanitized { site, by, kinds } if kinds & (1 << kind.index()) != 0 => {
                    out.push(NoPathReason::Sanitized {
                        location: self.tracer.location(*site),
                        by: by_of(*by),
                    });
                }
                Note::Guarded { site, by, kinds } if kinds & (1 << kind.index()) != 0 => {
                    out.push(NoPathReason::Guarded {
                        location: self.tracer.location(*site),
                        by: by_of(*by),
                    });
                }
                _ => {}
            }
        }
        out
    }

    /// A path that cannot climb, below something constant.
    fn stays_below(&self, v: V, label: Label) -> bool {
        if !label.marks.has(Marks::NO_CLIMB) {
            return false;
        }
        if label.marks.has(Marks::NOT_ABSOLUTE) {
            return true;
        }
        if label.marks.has(Marks::JOINED) {
            return false;
        }
        let mut found = false;
        for atom in self.world.store.atoms(v) {
            let atom = match atom {
                Atom::LibObject { data, .. } => match self.world.store.only(*data) {
                    Some(inner) => inner,
                    None => return false,
                },
                other => other,
            };
            match atom {
                Atom::Text(pieces) => {
                    let at = pieces.iter().position(|p| match p {
                        Piece::Data(set) => self
                            .world
                            .store
                            .labels(*set)
                            .iter()
                            .any(|l| l.identity() == label.identity()),
                        Piece::Lit(_) => false,
                    });
                    match at {
                        // Below the root is everything.
                        Some(at) if pieces[..at].iter().all(|p| self.is_root(p)) => {
                            return false;
                        }
                        Some(_) => found = true,
                        None => {}
                    }
                }
                Atom::Const(_) => {}
                _ => return false,
            }
        }
        found
    }

    fn is_root(&self, piece: &Piece) -> bool {
        match piece {
            Piece::Lit(text) => self.tracer.names.text(*text).chars().all(|c| c == '/'),
            Piece::Data(_) => false,
        }
    }

    fn argument(&self, v: V, label: Label, weakness: &Weakness) -> Argument {
        let mut out = Argument::Plain;
        for atom in self.world.store.atoms(v) {
            let Atom::Coll {
                kind: CollKind::List | CollKind::Tuple,
                kids,
                rest,
                ..
            } = atom
            else {
                let deep = match atom {
                    Atom::Data(set) => *set,
                    Atom::Text(_) => {
                        // Without a shell the whole text is the program's name.
                        return Argument::Program;
                    }
                    _ => continue,
                };
                if self.carries(deep, label) {
                    return Argument::Program;
                }
                continue;
            };
            let texts = |v: V| -> Vec<String> {
                self.world
                    .store
                    .atoms(v)
                    .filter_map(|a| match a {
                        Atom::Const(Const::Str(n)) => Some(self.tracer.names.text(*n).to_string()),
                        _ => None,
                    })
                    .collect()
            };
            let in_first = kids
                .first()
                .is_some_and(|(_, v)| self.carries(self.world.store.deep(*v), label));
            if in_first {
                return Argument::Program;
            }
            if kids.is_empty() && self.carries(self.world.store.deep(*rest), label) {
                return Argument::Program;
            }
            let programs: Vec<String> = kids
                .iter()
                .take(2)
                .flat_map(|(_, v)| texts(*v))
                .map(|p| {
                    let last = p.rsplit(['/', '\\']).next().unwrap_or_default();
                    last.trim_end_matches(".exe").to_owned()
                })
                .collect();
            for interpreter in &weakness.interpreters {
                if !programs.contains(&interpreter.program) {
                    continue;
                }
                let flag_at = kids.iter().position(|(_, v)| {
                    texts(*v)
                        .iter()
                        .any(|t| *t == interpreter.flag || t == "-c")
                });
                let Some(flag_at) = flag_at else { continue };
                let after = kids.get(flag_at + 1).map(|(_, v)| *v);
                let carried = match after {
                    Some(v) => self.carries(self.world.store.deep(v), label),
                    None => self.carries(self.world.store.deep(*rest), label),
                };
                if carried {
                    out = Argument::Code(interpreter.kind);
                }
            }
        }
        out
    }

    fn carries(&self, set: solvent_graph::value::Ls, label: Label) -> bool {
        self.world
            .store
            .labels(set)
            .iter()
            .any(|l| l.identity() == label.identity())
    }

    fn reachable(
        &self,
        sink: SinkRef,
        by_name: bool,
        kind: Kind,
        weakness: &Weakness,
        entry: &EntryPoint,
        mut flows: Vec<Found>,
    ) -> Finding {
        let _ = by_name;
        flows.sort_by_key(|(flow, assumed, _)| {
            (
                flow.input.name.is_empty(),
                assumed.len(),
                flow.transforms.len(),
                flow.template.parts.is_empty(),
                flow.conditions.len(),
                flow.steps.len(),
                flow.input.clone(),
                flow.transforms.clone(),
                flow.template.clone(),
                flow.conditions.clone(),
            )
        });
        flows.dedup_by(|a, b| {
            a.0.input == b.0.input
                && a.0.transforms == b.0.transforms
                && a.0.template == b.0.template
                && a.0.conditions == b.0.conditions
        });
        let mut assumed: Vec<Assumption> = flows.first().map(|f| f.1.clone()).unwrap_or_default();
        let mut methods: Vec<String> = Vec::new();
        for (_, _, more) in &flows {
            for method in more {
                if !methods.contains(method) {
                    methods.push(method.clone());
                }
            }
        }
        methods.sort_by_key(|method| (plainness(method), method.clone()));
        if let Some(why) = &entry.assumed {
            assumed.push(Assumption::Registration { what: why.clone() });
        }
        assumed.sort();
        assumed.dedup();
        let mut entry = entry.clone();
        if !methods.is_empty() {
            entry.methods = methods;
        }
        let flows = each_input_first(flows.into_iter().map(|f| f.0).collect());
        let verdict = Verdict::Reachable { assumed };
        self.finding(sink, kind, weakness, Some(entry), flows, verdict)
    }

    fn finding(
        &self,
        sink: SinkRef,
        kind: Kind,
        weakness: &Weakness,
        entry: Option<EntryPoint>,
        flows: Vec<Flow>,
        verdict: Verdict,
    ) -> Finding {
        let program = &self.graph.program;
        let member = self.models.get(sink.member);
        let info = self.models.kind_info(kind);
        let path = program.path_of(sink.site.function);
        let location = self.tracer.location(sink.site);
        let text = self.tracer.places.line(path, program.span(sink.site));
        let title = match flows.first() {
            Some(flow) if member.path.starts_with('<') => {
                let place = self.place_name(sink.site);
                format!("{} becomes {} in {place}", words(&flow.input), info.words)
            }
            Some(flow) => format!(
                "{} reaches {} of {}",
                words(&flow.input),
                info.words,
                member.path
            ),
            None => format!(
                "{} of {} in {}",
                info.words,
                member.path,
                self.place_name(sink.site)
            ),
        };
        Finding {
            fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title,
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: member.path.clone(),
                location,
                function: self.symbol(sink.site.function),
                text,
            },
            entry,
            flows,
            way: Vec::new(),
            verdict,
        }
    }

    pub(crate) fn place_name(&self, site: Site) -> String {
        let symbol = self.symbol(site.function);
        if symbol.qualname.is_empty() {
            symbol.module
        } else {
            symbol.qualname
        }
    }
}
