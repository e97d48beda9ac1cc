//! From units to a System Graph: every module body, every function on its own, every entry point.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Interner;
use solvent_ir::{FnIndex, FunctionKind, Language, ParamKind, Settings, Unit};
use solvent_models::ModelSet;

use crate::call::Args;
use crate::entry::{Bound, Entry};
use crate::hash::{IdMap, IdSet};
use crate::label::{Label, Origin};
use crate::link::{FnId, Program, Site, UnitId};
use crate::machine::{Frame, Limits, Machine};
use crate::shape::MAX_CELLS;
use crate::value::{Atom, EnvId, V};
use crate::world::{CallTier, Hit, Place, SinkRef, SummaryId, Touch, World};

/// A call edge of the System Graph, with the surest reason seen for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallEdge {
    pub site: Site,
    pub caller: FnId,
    pub callee: FnId,
    pub tier: CallTier,
}

/// Why a function is evaluated with nobody calling it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RootKind {
    /// A module body, run when it is imported or started.
    Body,
    /// Code around every request.
    Hook,
    /// The entry point of that index.
    Entry(usize),
}

/// An evaluated root.
#[derive(Clone, Debug)]
pub struct Root {
    pub kind: RootKind,
    pub summaries: Vec<SummaryId>,
    pub hits: Vec<Hit>,
    /// Inputs of known name that the handler is called with.
    pub given: Vec<crate::label::InputId>,
    /// What the sinks saw that stand at what the root answers.
    pub touched: Vec<(SinkRef, Touch)>,
}

/// Code around requests: what runs before and after them, and what answers when they fail.
#[derive(Clone, Debug)]
pub struct Hook {
    pub framework: String,
    pub value: V,
    /// Whether it gets what handlers raise.
    pub catches: bool,
}

/// The program, what calls what and why, and where outside control begins.
pub struct SystemGraph {
    pub program: Program,
    pub world: World,
    pub entries: Vec<Entry>,
    pub hooks: Vec<Hook>,
    pub edges: Vec<CallEdge>,
    /// Summary of each function evaluated on its own.
    pub alone: BTreeMap<FnId, SummaryId>,
}

/// Stack of the thread that evaluates: nesting is bounded by [`Limits::depth`], at most a few hundred
/// kilobytes a level in a debug build.
const STACK: usize = 512 << 20;

/// Evaluations of one instruction, on average over the program, before the search is cut.
const STEPS_EACH: u64 = 20;

/// Rounds of requests, one after the other: two, and as many more where crowded functions hand on what they hold.
const MAX_REQUESTS: u32 = 5;

/// Units by language: each is a program of its own. Without any there is one empty program.
pub fn by_language(units: Vec<Unit>) -> Vec<(Language, Vec<Unit>)> {
    let mut out: BTreeMap<Language, Vec<Unit>> = BTreeMap::new();
    for unit in units {
        out.entry(unit.language).or_default().push(unit);
    }
    if out.is_empty() {
        out.insert(Language::Python, Vec::new());
    }
    out.into_iter().collect()
}

/// Links units of one language and finds entry points and calls, within the standard limits.
pub fn build(units: Vec<Unit>, models: &ModelSet, names: &Interner) -> SystemGraph {
    build_within(units, models, names, Limits::STANDARD)
}

/// [`build`], with the files of settings that lie beside the units.
pub fn build_beside(
    units: Vec<Unit>,
    settings: &[Settings],
    models: &ModelSet,
    names: &Interner,
) -> SystemGraph {
    let program = Program::new(units, names).beside(settings);
    build_program(program, models, names, Limits::STANDARD)
}

/// [`build_beside`], with what the deployment says of the environment.
pub fn build_set(
    units: Vec<Unit>,
    settings: &[Settings],
    models: &ModelSet,
    names: &Interner,
    environment: crate::Environment,
) -> SystemGraph {
    let mut program = Program::new(units, names).beside(settings);
    program.environment = environment;
    build_program(program, models, names, Limits::STANDARD)
}

/// [`build`] with other limits.
pub fn build_within(
    units: Vec<Unit>,
    models: &ModelSet,
    names: &Interner,
    limits: Limits,
) -> SystemGraph {
    build_program(Program::new(units, names), models, names, limits)
}

fn build_program(
    program: Program,
    models: &ModelSet,
    names: &Interner,
    limits: Limits,
) -> SystemGraph {
    let (world, entries, hooks, alone) = on_big_stack(|| {
        let mut machine = Machine::new(&program, models, names, limits);
        let alone = machine.discover();
        let (entries, hooks) = machine.entries();
        (machine.w, entries, hooks, alone)
    });
    let edges = edges_of(&world);
    SystemGraph {
        program,
        world,
        entries,
        hooks,
        edges,
        alone,
    }
}

/// Runs on a thread whose stack bears the deepest nesting that the limits allow.
pub fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .stack_size(STACK)
        .build()
    {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// Every edge of every summary, the surest tier of each.
pub fn edges_of(world: &World) -> Vec<CallEdge> {
    let mut best: BTreeMap<(Site, FnId), (FnId, CallTier)> = BTreeMap::new();
    for summary in &world.summaries {
        for (site, tier, callee) in &summary.calls {
            let callee = world.summary(*callee).function;
            let entry = best
                .entry((*site, callee))
                .or_insert((summary.function, *tier));
            entry.1 = entry.1.min(*tier);
        }
    }
    best.into_iter()
        .map(|((site, callee), (caller, tier))| CallEdge {
            site,
            caller,
            callee,
            tier,
        })
        .collect()
}

impl Machine<'_> {
    /// Evaluates module bodies, then every function on its own.
    pub fn discover(&mut self) -> BTreeMap<FnId, SummaryId> {
        self.index_names();
        // The budget grows with the program: what is bounded is the work per instruction.
        let size: u64 = self
            .p
            .functions()
            .map(|f| self.p.function(f).insts.len() as u64)
            .sum();
        self.limits.steps = self
            .limits
            .steps
            .saturating_add(size.saturating_mul(STEPS_EACH));
        self.follow = crate::machine::Follow::Calls;
        self.w.store.history = crate::value::History::Dropped;
        for unit in 0..self.p.units.len() {
            self.ensure_module(UnitId(unit as u32));
        }
        if self.is_java() {
            self.load_again();
        }
        let mut alone = self.each_alone();
        // Functions that set module state change what others read: those once more, with what is set now.
        if self.w.mark_stale(false) {
            alone = self.each_alone();
        }
        self.look_into_dead_branches(&alone);
        self.follow_texts();
        alone
    }

    /// Sinks and calls that stand where constants keep control from getting: they must be known to be
    /// spoken of. Nothing else of this evaluation is kept.
    fn look_into_dead_branches(&mut self, alone: &BTreeMap<FnId, SummaryId>) {
        let cut: Vec<(FnId, SummaryId)> = alone
            .iter()
            .map(|(f, id)| (*f, *id))
            .filter(|(_, id)| {
                let s = self.w.summary(*id);
                !s.stopped.is_empty() || (!s.cut.is_empty() && s.live.iter().any(|l| !l))
            })
            .collect();
        let bound = self.bound.clone();
        let escapes = self.w.escapes.clone();
        for (f, id) in cut {
            let args = self.standing_args(f);
            let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
            self.look_everywhere = Some(f);
            self.w.depth = 1;
            let frame = self.run(f, env, args);
            self.w.depth = 0;
            self.look_everywhere = None;
            let function = self.p.function(f);
            let live = self.w.summary(id).live.clone();
            let stopped = self.w.summary(id).stopped.clone();
            for (site, _, callee) in frame.calls {
                let block = crate::shape::block_of(function, site.inst);
                let behind = |b: usize| {
                    let stops = |(at, inst): &(u32, u32)| *at as usize == b && *inst < site.inst;
                    stopped.iter().any(stops)
                };
                let dead =
                    block.is_some_and(|b| !live.get(b).copied().unwrap_or(true) || behind(b));
                if dead {
                    let callee = self.w.summary(callee).function;
                    self.w.dead_calls.insert((site, callee));
                }
            }
        }
        self.bound = bound;
        self.w.escapes = escapes;
    }

    /// Drops memoised summaries, so that they are computed again over the state as it is now.
    pub fn forget(&mut self) {
        self.w.memo.clear();
        self.w.memo_log.clear();
        self.w.contexts.iter_mut().for_each(|c| *c = 0);
    }

    fn index_names(&mut self) {
        if self.p.language == solvent_ir::Language::Python {
            self.w.unmade = crate::made::never_made(self.p, self.names);
        }
        for f in self.p.functions() {
            let function = self.p.function(f);
            if function.kind != FunctionKind::Def {
                continue;
            }
            let top = function
                .parent
                .is_none_or(|parent| parent == solvent_ir::FnIndex(0) || function.class.is_some());
            if top {
                self.w.by_name.entry(function.name).or_default().push(f);
            }
        }
    }

    /// Evaluates every function on its own and stores what it sets; those that make objects first, since
    /// most of the others read what they set.
    fn each_alone(&mut self) -> BTreeMap<FnId, SummaryId> {
        let p = self.p;
        let known = |f: &FnId| {
            matches!(
                p.function(*f).kind,
                FunctionKind::Def | FunctionKind::Lambda
            )
        };
        let (makers, rest): (Vec<FnId>, Vec<FnId>) = p
            .functions()
            .filter(known)
            .partition(|f| p.function(*f).name == self.n.init);
        let mut out = BTreeMap::new();
        for f in makers.into_iter().chain(rest) {
            if self.w.steps >= self.limits.steps {
                self.w
                    .limits_hit
                    .insert(format!("more than {} evaluation steps", self.limits.steps));
                break;
            }
            let args = self.standing_args(f);
            let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
            let (id, _) = self.summarize(f, env, args);
            self.apply_effects_at_root(id);
            out.insert(f, id);
        }
        out
    }

    /// Arguments of a function whose callers are not looked at.
    fn standing_args(&mut self, f: FnId) -> Vec<V> {
        let p = self.p;
        let function = p.function(f);
        let mut out = Vec::new();
        for (i, param) in function.params.iter().enumerate() {
            let is_self = i == 0 && function.class.is_some() && !self.is_static(f);
            let v = if is_self {
                let class = function.class.map(|c| p.class_id(p.unit_of(f), c));
                match class {
                    Some(class) => self.open_object(class),
                    None => self.w.store.unknown(),
                }
            } else {
                let label = Label::new(Origin::Param(i as u16));
                let set = self.w.store.single(label);
                let data = self.w.store.data(set);
                match param.kind {
                    ParamKind::Receiver => data,
                    ParamKind::Rest => self.w.store.many(crate::value::CollKind::Tuple, data),
                    ParamKind::KeywordRest => self.w.store.many(crate::value::CollKind::Dict, data),
                    _ => self.annotated(f, i as u32, data),
                }
            };
            out.push(v);
        }
        out
    }

    fn is_static(&self, f: FnId) -> bool {
        let function = self.p.function(f);
        function.params.is_empty()
            || function.params.first().is_some_and(|p| {
                let name = self.text(p.name);
                !matches!(&*name, "self" | "cls" | "this" | "_" | "mcs")
            })
    }

    /// A parameter with the type that is written for it.
    pub(crate) fn annotated(&mut self, f: FnId, param: u32, data: V) -> V {
        let Some(annotation) = self.w.annotations.get(&(f, param)).copied() else {
            return data;
        };
        let (annotation, _) = if self.is_java() {
            self.type_and_notes(annotation)
        } else {
            (annotation, Vec::new())
        };
        match self.w.store.only(annotation).cloned() {
            Some(Atom::Class { class, .. }) => self.open_object(class),
            Some(Atom::Lib(path)) => {
                let text = self.text(path).to_string();
                if text.starts_with("builtins.")
                    || text.starts_with("typing.")
                    || crate::java::is_text_class(&text)
                {
                    return data;
                }
                if self.m.is_class(&text) {
                    let kind = solvent_models::TypeRef::Named {
                        path: text,
                        element: None,
                    };
                    return self.typed(data, &kind);
                }
                data
            }
            Some(Atom::LibObject { class, .. }) => {
                let text = self.text(class).to_string();
                let kind = solvent_models::TypeRef::Named {
                    path: text,
                    element: None,
                };
                self.typed(data, &kind)
            }
            _ => data,
        }
    }

    pub(crate) fn bare_frame(&self, f: FnId) -> Frame {
        Frame {
            f,
            unit: self.p.unit_of(f),
            env: EnvId::EMPTY,
            args: Vec::new(),
            vals: Vec::new(),
            live: vec![true],
            taken: vec![0],
            facts: vec![Some(Vec::new())],
            fact_table: Vec::new(),
            known: vec![Vec::new()],
            block: 0,
            afters: BTreeMap::new(),
            cells: IdMap::default(),
            cells_changed: false,
            ret: V::NEVER,
            yields: V::NEVER,
            raised: V::NEVER,
            caught: BTreeMap::new(),
            caught_changed: false,
            returning: Vec::new(),
            returned: Vec::new(),
            hits: Vec::new(),
            effects: Vec::new(),
            known_effects: IdSet::default(),
            touched: BTreeMap::new(),
            used: BTreeMap::new(),
            calls: Vec::new(),
            own_calls: BTreeMap::new(),
            stopped: Vec::new(),
            cut: Vec::new(),
            vouched: crate::machine::Vouched::default(),
            diverged: false,
            turn: crate::machine::Turn::default(),
            elements: Vec::new(),
            patched: crate::hash::IdMap::default(),
            aliases: None,
        }
    }

    /// Evaluates hooks, then every entry point, over the state that modules, functions and other
    /// requests leave.
    pub fn run_roots(&mut self, entries: &[Entry], hooks: &[Hook]) -> Vec<Root> {
        let size: u64 = self
            .p
            .functions()
            .map(|f| self.p.function(f).insts.len() as u64)
            .sum();
        self.limits.steps = self
            .w
            .steps
            .saturating_add(self.limits.steps)
            .saturating_add(size.saturating_mul(STEPS_EACH));
        self.follow = crate::machine::Follow::Flows;
        self.w.store.history = crate::value::History::Kept;
        self.forget();
        let mut out = Vec::new();
        let (passing, last): (Vec<usize>, Vec<usize>) =
            (0..entries.len()).partition(|i| self.hands_on(&entries[*i]));
        let mut raised = None;
        for round in 0..MAX_REQUESTS {
            // What one request leaves, the next one finds. Variables of crowded functions are handed on like that
            // too, within a request, and more than once.
            if round >= 2 && !self.is_behind(&out) {
                break;
            }
            self.afterwards = false;
            // What catches it is called anew.
            let caught = std::mem::replace(&mut raised, self.raised_by_handlers());
            if round > 0 && !(self.w.mark_stale(false) || caught != raised) {
                break;
            }
            out = self.around(hooks);
            out.extend(passing.iter().map(|i| self.entry_root(*i, &entries[*i])));
            let around = out.len();
            out.extend(last.iter().map(|i| self.entry_root(*i, &entries[*i])));
            if !self.w.has_afterwards() {
                continue;
            }
            // The request comes back to those that handed it on.
            self.afterwards = true;
            self.w.mark_stale(true);
            let mut again = self.around(hooks);
            again.extend(passing.iter().map(|i| self.entry_root(*i, &entries[*i])));
            out.splice(..around, again);
        }
        if self.is_behind(&out) {
            let what = format!("what functions share that share more than {MAX_CELLS} variables");
            self.w.limits_hit.insert(what);
        }
        self.afterwards = false;
        for start in self.starts() {
            let args = self.standing_args(start);
            let (id, _) = self.summarize(start, EnvId::EMPTY, args);
            let hits = self.w.summary(id).hits.clone();
            let summaries = self.w.reached(id);
            out.push(Root {
                kind: RootKind::Body,
                summaries,
                hits,
                touched: Vec::new(),
                given: Vec::new(),
            });
        }
        out
    }

    /// Whether a variable of a crowded function holds something else by now than these found there.
    fn is_behind(&mut self, roots: &[Root]) -> bool {
        let p = self.p;
        let cells = self.w.cells_of(&|f| p.shape(f).crowded);
        if cells.is_empty() {
            return false;
        }
        let seen: BTreeSet<SummaryId> = roots.iter().flat_map(|r| &r.summaries).copied().collect();
        seen.into_iter().any(|id| {
            let mut reads = self.w.summary(id).reads.iter();
            reads.any(|(slot, found)| cells.get(slot).is_some_and(|now| now != found))
        })
    }

    /// What runs when the program is started: bodies of modules, and `main` where the language has one.
    fn starts(&self) -> Vec<FnId> {
        let idle = self.idle_packages();
        let units = (0..self.p.units.len()).map(|unit| UnitId(unit as u32));
        let bodies = units
            .filter(|unit| !idle.contains(unit))
            .map(|unit| self.p.body(unit));
        let mut out: Vec<FnId> = bodies.collect();
        if self.is_go() || self.is_java() {
            out.extend(self.p.functions().filter(|f| {
                let function = self.p.function(*f);
                let name = self.text(function.name);
                // Go's stand at the top of a file, Java's in a class, without an object.
                let stands = match function.class {
                    Some(_) => self.is_java() && !self.takes_receiver(*f),
                    None => self.is_go() && function.parent == Some(FnIndex(0)),
                };
                stands
                    && !idle.contains(&self.p.unit_of(*f))
                    && (&*name == "main" || (self.is_go() && &*name == "init"))
            }));
        }
        out
    }

    /// What a list put in front of handlers: a note that says what is called.
    fn root_of_note(&mut self, note: V) -> Option<Root> {
        let target = self.note_target(note, V::NEVER)?;
        let filling = self.note_filling(note)?;
        let f = self.code_in(target)?;
        let mut frame = self.bare_frame(f);
        self.depended(&mut frame, target, &[], &filling, 0);
        Some(self.closed(frame, RootKind::Hook, Vec::new(), self.afterwards))
    }

    /// Where what handlers raise is kept for those that catch it.
    pub(crate) fn raised_place(&self) -> Place {
        Place::LibAttr(self.name("<request>"), self.name("<raised>"))
    }

    pub(crate) fn raised_by_handlers(&mut self) -> Option<V> {
        let place = self.raised_place();
        self.w.read(place)
    }

    /// Evaluates what runs around handlers.
    fn around(&mut self, hooks: &[Hook]) -> Vec<Root> {
        let mut out = Vec::new();
        for hook in hooks {
            if let Some(root) = self.root_of_note(hook.value) {
                out.push(root);
                continue;
            }
            let of = |v: V| {
                self.w.store.atoms(v).find_map(|a| match a {
                    Atom::Fn { function, .. } | Atom::Method { function, .. } => Some(*function),
                    _ => None,
                })
            };
            let f = of(hook.value).or_else(|| match self.w.store.only(hook.value) {
                Some(Atom::Partial { function, .. }) => of(*function),
                _ => None,
            });
            let Some(f) = f else { continue };
            let args = match (hook.catches, self.raised_by_handlers()) {
                (true, Some(v)) => Args::of(&[v]),
                _ => Args::default(),
            };
            let framework = &hook.framework;
            out.push(self.root(RootKind::Hook, (f, hook.value), &args, framework, None));
        }
        out
    }

    fn entry_root(&mut self, i: usize, entry: &Entry) -> Root {
        let (kind, called) = (RootKind::Entry(i), (entry.function, entry.value));
        let args = Args::default();
        self.root(kind, called, &args, &entry.framework, Some(entry))
    }

    fn root(
        &mut self,
        kind: RootKind,
        (f, value): (FnId, V),
        args: &Args,
        framework: &str,
        entry: Option<&Entry>,
    ) -> Root {
        let mut frame = self.bare_frame(f);
        let filled = entry.map(|entry| match &entry.filling {
            Some(filling) => self.filled_entry(&mut frame, entry, filling),
            None => self.handler_args(entry),
        });
        let args = filled.as_ref().unwrap_or(args);
        let given = self.inputs_in(&args.all());
        let got = self.call_value(&mut frame, u32::MAX, value, args);
        if frame.raised != V::NEVER {
            let site = Site {
                function: f,
                inst: u32::MAX,
            };
            let place = self.raised_place();
            frame.effects.push((place, site, frame.raised));
        }
        if let Some(answer) = got.ret {
            let answer = match entry {
                Some(entry) if entry.within => self.instances_in(answer),
                _ => answer,
            };
            let class = entry.and_then(|entry| entry.answers.as_deref());
            self.answered(&mut frame, framework, f, class, answer);
        }
        let last = self.afterwards || entry.is_some_and(|entry| !self.hands_on(entry));
        self.closed(frame, kind, given, last)
    }

    /// What a root's evaluation leaves; after the last handler of a request, only those see it that the request
    /// comes back to.
    fn closed(
        &mut self,
        mut frame: Frame,
        kind: RootKind,
        given: Vec<crate::label::InputId>,
        last: bool,
    ) -> Root {
        let last = last && self.is_javascript();
        for (place, site, v) in std::mem::take(&mut frame.effects) {
            let place = match place {
                Place::LibAttr(path, name) if last && Self::is_of_one_request(&self.text(path)) => {
                    Place::Afterwards(path, name)
                }
                place => place,
            };
            // What one request leaves in the program's memory, another may find there; a request's own
            // context (`flask.g`) is filled by its own hooks.
            let tables = self.name(crate::apply::keep::TABLES);
            let per_request = match place {
                Place::LibAttr(..) | Place::Afterwards(..) => true,
                Place::LibKey(of, _) => of != tables,
                _ => false,
            };
            let v = if per_request {
                v
            } else {
                let note = crate::label::Note::Stored { site };
                self.noted(v, note)
            };
            self.w.write_weak(place, site, v);
        }
        let mut seen = BTreeSet::new();
        let mut summaries = Vec::new();
        for (_, _, id) in &frame.calls {
            for id in self.w.reached(*id) {
                if seen.insert(id) {
                    summaries.push(id);
                }
            }
        }
        Root {
            kind,
            summaries,
            hits: frame.hits,
            touched: frame.touched.into_iter().collect(),
            given,
        }
    }
}

/// Registrations by where they stand.
pub(crate) type Bounds = BTreeMap<(Site, u32, String), Bound>;
