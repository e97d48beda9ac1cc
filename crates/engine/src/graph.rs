//! The System Graph of a tree: services, functions, calls. It changes nothing and keeps no record.

mod services;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use solvent_base::{FilePath, Interner, LineIndex, Location, Span, System};
use solvent_finding::Verdict;
use solvent_graph::{CallTier, FnId, Program, SystemGraph};
use solvent_ir::FunctionKind;
use solvent_protocol::graph::{
    GRAPH_SCHEMA, GraphCall, GraphEntry, GraphFunction, GraphReport, LibraryCall,
};
use solvent_protocol::view::Place;
use solvent_taint::Standing;

use crate::door::{Options, host_of};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::scan::{self, Look, Lowered};

/// Functions, calls and entry points of the tree at `options.path`.
pub fn graph(options: &Options, progress: &dyn Progress) -> Result<GraphReport, EngineError> {
    let repo = Repo::open(&options.path, options.git)?;
    let host = host_of(&repo, options)?;
    let mut drawn = Drawn::of(&host);
    let scan = scan::scan_looking(
        &repo,
        &host,
        progress,
        &mut Lowered::nothing(),
        Some(&mut drawn),
    );
    let by_name: HashMap<(&str, &str, u32), u32> = drawn
        .functions
        .iter()
        .enumerate()
        .map(|(id, f)| {
            (
                (f.name.as_str(), f.place.path.as_str(), f.place.line),
                id as u32,
            )
        })
        .collect();
    // A handler that is no function of the program (a library's, or a class whose methods are a library's) is
    // counted to the file that binds it.
    let mut first_of: HashMap<&str, u32> = HashMap::new();
    for (id, f) in drawn.functions.iter().enumerate() {
        first_of.entry(f.place.path.as_str()).or_insert(id as u32);
    }
    // Where each entry point of the scan stands among those of the graph.
    let mut stands: Vec<Option<u32>> = Vec::new();
    let mut entry_points: Vec<GraphEntry> = Vec::new();
    for entry in &scan.report.entry_points {
        let key = (
            entry.handler.as_str(),
            entry.place.path.as_str(),
            entry.place.line,
        );
        let function = by_name.get(&key).or_else(|| first_of.get(key.1));
        stands.push(function.map(|_| entry_points.len() as u32));
        entry_points.extend(function.map(|function| GraphEntry {
            function: *function,
            entry: entry.clone(),
        }));
    }
    let (services, service_calls) = services::drawn(&scan.system, &scan.entry_points, &stands);
    let mut unmeasured = scan.report.unmeasured;
    unmeasured.extend(services::unmeasured(&scan.system));
    Ok(GraphReport {
        schema: GRAPH_SCHEMA.to_owned(),
        tool: scan.report.tool,
        subject: scan.report.subject,
        entry_points,
        functions: drawn.functions,
        calls: drawn.calls,
        library_calls: drawn.library_calls,
        services,
        service_calls,
        components: services::components(&scan.system),
        unknown_calls: scan.report.coverage.calls_unresolved,
        unmeasured,
    })
}

/// Programs of several languages stand beside each other.
pub(crate) struct Drawn<'s> {
    system: &'s dyn System,
    pub functions: Vec<GraphFunction>,
    pub calls: Vec<GraphCall>,
    library_calls: Vec<LibraryCall>,
    /// Where the functions of the graph that was seen last stand.
    latest: BTreeMap<FnId, u32>,
}

impl<'s> Drawn<'s> {
    /// Nothing yet, of the tree behind `system`.
    pub fn of(system: &'s dyn System) -> Self {
        Self {
            system,
            functions: Vec::new(),
            calls: Vec::new(),
            library_calls: Vec::new(),
            latest: BTreeMap::new(),
        }
    }
}

impl Look for Drawn<'_> {
    fn graph(&mut self, graph: &SystemGraph, names: &Interner) {
        let first = self.functions.len() as u32;
        let (other, ids) = draw(graph, names, self.system);
        self.functions.extend(other.functions);
        self.calls.extend(other.calls.into_iter().map(|mut call| {
            call.caller += first;
            call.callee += first;
            call
        }));
        let library = other.library_calls.into_iter().map(|mut call| {
            call.caller += first;
            call
        });
        self.library_calls.extend(library);
        self.latest = ids.into_iter().map(|(f, id)| (f, id + first)).collect();
    }

    fn asks_standings(&self) -> bool {
        true
    }

    fn standings(&mut self, standings: Vec<Standing>) {
        for standing in standings {
            let Some(id) = self.latest.get(&standing.function) else {
                continue;
            };
            if let Some(function) = self.functions.get_mut(*id as usize) {
                function.verdict = standing.verdict.word().to_owned();
                function.why = match &standing.verdict {
                    Verdict::Reachable { assumed } => assumed.iter().map(Into::into).collect(),
                    Verdict::NoPath { reasons } => reasons.iter().map(Into::into).collect(),
                    Verdict::Undecided { stops } => stops.iter().map(Into::into).collect(),
                };
            }
        }
    }
}

#[derive(Default)]
struct Picture {
    functions: Vec<GraphFunction>,
    calls: Vec<GraphCall>,
    library_calls: Vec<LibraryCall>,
}

/// Bodies of classes and comprehensions run in the function that they stand in, and are counted to it.
fn draw(
    graph: &SystemGraph,
    names: &Interner,
    system: &dyn System,
) -> (Picture, BTreeMap<FnId, u32>) {
    let program = &graph.program;
    let mut places = Places {
        system,
        files: HashMap::new(),
    };
    let mut ids: BTreeMap<FnId, u32> = BTreeMap::new();
    let mut out = Picture::default();
    for f in program.functions() {
        let function = program.function(f);
        if around(program, f) != f {
            continue;
        }
        let symbol = program.symbol(f, names);
        ids.insert(f, out.functions.len() as u32);
        out.functions.push(GraphFunction {
            name: format!("{}:{}", symbol.module, symbol.qualname),
            place: places.of(program.path_of(f), function.name_span),
            ends: places.of(program.path_of(f), end(function.span)),
            begins: places.of(program.path_of(f), function.span),
            verdict: String::new(),
            why: Vec::new(),
        });
    }
    let mut seen = BTreeSet::new();
    for edge in &graph.edges {
        let caller = around(program, edge.caller);
        let callee = around(program, edge.callee);
        if callee != edge.callee {
            // Control enters such a body from the function around it.
            continue;
        }
        let span = program
            .function(edge.site.function)
            .insts
            .get(edge.site.inst as usize)
            .map_or_else(Span::default, |inst| inst.span);
        let place = places.of(program.path_of(edge.site.function), span);
        let (Some(caller), Some(callee)) = (ids.get(&caller), ids.get(&callee)) else {
            continue;
        };
        if seen.insert((*caller, *callee, place.line, place.column)) {
            out.calls.push(GraphCall {
                caller: *caller,
                callee: *callee,
                tier: word(edge.tier).to_owned(),
                place,
            });
        }
    }
    for (site, path) in &graph.world.library_calls {
        let Some(caller) = ids.get(&around(program, site.function)) else {
            continue;
        };
        let callee = names.text(*path).to_string();
        // The language's own operators have no names that a program could call.
        if callee.starts_with('<') {
            continue;
        }
        let span = program.span(*site);
        out.library_calls.push(LibraryCall {
            caller: *caller,
            callee,
            place: places.of(program.path_of(site.function), span),
        });
    }
    out.library_calls.sort_by(|a, b| {
        let key = |c: &LibraryCall| (c.caller, c.callee.clone(), c.place.line, c.place.column);
        key(a).cmp(&key(b))
    });
    out.library_calls.dedup();
    out.calls.sort_by(|a, b| {
        let key = |c: &GraphCall| (c.caller, c.callee, c.place.line, c.place.column);
        key(a).cmp(&key(b))
    });
    (out, ids)
}

/// Where a text ends, as a place.
fn end(span: Span) -> Span {
    Span {
        start: span.end,
        end: span.end,
    }
}

fn around(program: &Program, mut f: FnId) -> FnId {
    loop {
        let function = program.function(f);
        match (function.kind, function.parent) {
            (FunctionKind::ClassBody | FunctionKind::Comprehension, Some(parent)) => {
                f = program.fn_id(program.unit_of(f), parent);
            }
            _ => return f,
        }
    }
}

fn word(tier: CallTier) -> &'static str {
    match tier {
        CallTier::Exact => "exact",
        CallTier::Typed => "typed",
        CallTier::Value => "value",
        CallTier::NameOnly => "name",
    }
}

/// Lines and columns, each file read once.
struct Places<'s> {
    system: &'s dyn System,
    files: HashMap<FilePath, LineIndex>,
}

impl Places<'_> {
    fn of(&mut self, path: &FilePath, span: Span) -> Place {
        let system = self.system;
        let lines = self.files.entry(path.clone()).or_insert_with(|| {
            let bytes = system
                .read(path, solvent_lang::MAX_SOURCE_BYTES)
                .unwrap_or_default();
            LineIndex::new(&String::from_utf8_lossy(&bytes))
        });
        let location: Location = lines.location(path, span);
        (&location).into()
    }
}
