//! The interpreter: one function body over abstract values.
//!
//! Sparse conditional propagation: a block is evaluated once control can enter it, a branch whose
//! condition is decided cuts the other side. Loops run to a fixpoint; from the fourth round on, phis
//! are widened. Calls are in `call`, attributes in `attr`, operators in `operate`, what the models
//! say in `library`, checks in `refine`.

use std::collections::BTreeMap;

use solvent_base::{Interner, Name};
use solvent_ir::{self as ir, Const, Entry, FormatPart, FunctionKind, Item, Op, Scope, Terminator};
use solvent_models::{MemberId, ModelSet};

use crate::hash::IdMap;
use crate::label::{Hop, Label, Link, Note, Origin, TraceKind};
use crate::link::{FnId, Program, Site, Target, UnitId};
use crate::value::{Atom, CollKind, EnvId, Ls, Piece, V};
use crate::world::{
    Base, CallTier, Fact, Hit, ModuleState, Place, SinkRef, SummaryId, Touch, World,
};

/// How much may be computed; reaching a limit is recorded, never silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Instructions evaluated in all.
    pub steps: u64,
    /// Nested calls.
    pub depth: u32,
    /// Summaries of one function that keep constants; beyond, constants of arguments are given up.
    pub contexts: u32,
    /// Candidates of a call by name only.
    pub candidates: usize,
}

impl Limits {
    /// Forty million steps are about a minute of one core; depth 40 at 20 kB a frame stays
    /// under a megabyte of stack in release builds.
    pub const STANDARD: Self = Self {
        steps: 40_000_000,
        depth: 40,
        contexts: 16,
        candidates: 3,
    };
}

/// The interpreter over one program.
pub struct Machine<'a> {
    pub p: &'a Program,
    pub m: &'a ModelSet,
    pub names: &'a Interner,
    pub w: World,
    pub limits: Limits,
    pub(crate) paths: IdMap<Name, Option<MemberId>>,
    pub(crate) members: IdMap<(Name, Name), Option<MemberId>>,
    pub(crate) n: Known,
    /// Whether hits are handed on; discovery of calls and routes has no use for them.
    pub(crate) follow: Follow,
    /// The function whose dead branches are looked into, to know what stands there.
    pub(crate) look_everywhere: Option<FnId>,
    pub(crate) bound: crate::analyse::Bounds,
    /// Where route holders were made: whether it is an application, and its own prefix.
    pub(crate) made: std::collections::BTreeMap<Site, (bool, Option<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Follow {
    Calls,
    Flows,
}

/// Names that the interpreter itself speaks of.
pub(crate) struct Known {
    pub init: Name,
    pub call: Name,
    pub path: Name,
    pub site: Name,
    pub object: Name,
    pub bound: Name,
    pub decorator: Name,
    pub identity: Name,
    pub staticmethod: Name,
    pub classmethod: Name,
    pub property: Name,
    pub name_attr: Name,
    pub main: Name,
    pub method: Name,
    pub all: Name,
}

impl Known {
    fn new(names: &Interner) -> Self {
        Self {
            init: names.name("__init__"),
            call: names.name("__call__"),
            path: names.name("<path>"),
            site: names.name("<site>"),
            object: names.name("<object>"),
            bound: names.name("<bound>"),
            decorator: names.name("<decorator>"),
            identity: names.name("<identity>"),
            staticmethod: names.name("builtins.staticmethod"),
            classmethod: names.name("builtins.classmethod"),
            property: names.name("builtins.property"),
            name_attr: names.name("__name__"),
            main: names.name("__main__"),
            method: names.name("method"),
            all: names.name("__all__"),
        }
    }
}

/// A summary that a call used, and which caller's value each parameter got.
pub(crate) type OwnCall = (SummaryId, Vec<(u32, u32)>);

/// One activation under evaluation.
pub(crate) struct Frame {
    pub f: FnId,
    pub unit: UnitId,
    pub env: EnvId,
    pub args: Vec<V>,
    pub vals: Vec<V>,
    pub live: Vec<bool>,
    pub edges: Vec<(u32, u32)>,
    pub facts: Vec<Option<Vec<u32>>>,
    pub fact_table: Vec<Fact>,
    pub block: u32,
    pub afters: BTreeMap<(u32, u32), V>,
    pub cells: Vec<(Name, V)>,
    pub cells_changed: bool,
    pub ret: V,
    pub yields: V,
    pub returning: Vec<u32>,
    pub hits: Vec<Hit>,
    pub effects: Vec<(Place, Site, V)>,
    pub touched: BTreeMap<SinkRef, Touch>,
    pub calls: Vec<(Site, CallTier, SummaryId)>,
    pub own_calls: BTreeMap<u32, Vec<OwnCall>>,
    pub cut: Vec<(u32, u32)>,
    pub vouched: Option<Vec<(u32, u64, u16)>>,
    pub diverged: bool,
}

/// Rounds of a loop before it is taken as it stands; widening makes four or five enough.
const MAX_ROUNDS: u32 = 10;
/// Rounds before phis are widened.
const WIDEN_AFTER: u32 = 3;
/// Rounds before phis keep nothing but labels and functions.
const FLATTEN_AFTER: u32 = 6;

impl<'a> Machine<'a> {
    pub fn new(p: &'a Program, m: &'a ModelSet, names: &'a Interner, limits: Limits) -> Self {
        let w = World::new(
            p.units.len(),
            p.function_count() as usize,
            p.class_count() as usize,
            names,
        );
        Self::resume(p, m, names, w, limits)
    }

    /// Goes on with what an earlier evaluation left.
    pub fn resume(
        p: &'a Program,
        m: &'a ModelSet,
        names: &'a Interner,
        w: World,
        limits: Limits,
    ) -> Self {
        Self {
            p,
            m,
            names,
            w,
            limits,
            paths: IdMap::default(),
            members: IdMap::default(),
            n: Known::new(names),
            follow: Follow::Flows,
            look_everywhere: None,
            bound: std::collections::BTreeMap::new(),
            made: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) fn name(&self, text: &str) -> Name {
        self.names.name(text)
    }

    pub(crate) fn text(&self, name: Name) -> std::sync::Arc<str> {
        self.names.text(name)
    }

    pub(crate) fn path_member(&mut self, path: Name) -> Option<MemberId> {
        if let Some(known) = self.paths.get(&path) {
            return *known;
        }
        let found = self.m.member_id(&self.names.text(path));
        self.paths.insert(path, found);
        found
    }

    pub(crate) fn class_member(&mut self, class: Name, name: Name) -> Option<MemberId> {
        if let Some(known) = self.members.get(&(class, name)) {
            return *known;
        }
        let found = self
            .m
            .attribute_id(&self.names.text(class), &self.names.text(name));
        self.members.insert((class, name), found);
        found
    }

    /// Evaluates the body for these arguments and gives what its callers need to know.
    pub(crate) fn run(&mut self, f: FnId, env: EnvId, args: Vec<V>) -> Frame {
        let p = self.p;
        let function = p.function(f);
        let shape = p.shape(f);
        let blocks = function.blocks.len();
        let mut frame = Frame {
            f,
            unit: p.unit_of(f),
            env,
            args,
            vals: vec![V::NEVER; function.insts.len()],
            live: vec![false; blocks],
            edges: Vec::new(),
            facts: vec![None; blocks],
            fact_table: Vec::new(),
            block: 0,
            afters: BTreeMap::new(),
            cells: Vec::new(),
            cells_changed: false,
            ret: V::NEVER,
            yields: V::NEVER,
            returning: Vec::new(),
            hits: Vec::new(),
            effects: Vec::new(),
            touched: BTreeMap::new(),
            calls: Vec::new(),
            own_calls: BTreeMap::new(),
            cut: Vec::new(),
            vouched: None,
            diverged: false,
        };
        if blocks == 0 {
            frame.ret = self.w.store.none();
            return frame;
        }
        frame.live[0] = true;
        frame.facts[0] = Some(Vec::new());
        for round in 0..MAX_ROUNDS {
            frame.hits.clear();
            frame.effects.clear();
            frame.touched.clear();
            frame.calls.clear();
            frame.cut.clear();
            frame.returning.clear();
            frame.vouched = None;
            frame.ret = V::NEVER;
            frame.yields = V::NEVER;
            frame.cells_changed = false;
            let mut changed = false;
            for &block in &shape.order {
                if frame.live[block as usize] {
                    changed |= self.run_block(&mut frame, function, block, round);
                }
            }
            let again = (shape.looping && changed) || (frame.cells_changed && shape.has_cells);
            if !again {
                break;
            }
            if round + 1 == MAX_ROUNDS {
                self.w.unsettled.insert(f);
            }
        }
        if function.is_generator {
            let yields = frame.yields;
            frame.ret = self.w.store.many(CollKind::Iter, yields);
        }
        frame
    }

    fn run_block(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        block: u32,
        round: u32,
    ) -> bool {
        let data = &function.blocks[block as usize];
        frame.block = block;
        frame.diverged = false;
        let mut changed = false;
        for to in &data.handlers {
            changed |= self.enter(frame, function, block, to.0, None);
        }
        for index in data.start..data.end {
            self.w.steps += 1;
            let inst = &function.insts[index as usize];
            let new = self.eval(frame, function, index, &inst.op);
            let old = frame.vals[index as usize];
            if new != old {
                let widen = round >= WIDEN_AFTER && matches!(inst.op, Op::Phi(_));
                let new = match widen {
                    true if round >= FLATTEN_AFTER => self.w.store.flatten(old, new),
                    true => self.w.store.widen(old, new),
                    false => new,
                };
                if new != old {
                    frame.vals[index as usize] = new;
                    changed = true;
                }
            }
            if frame.diverged {
                return changed;
            }
        }
        match &data.terminator {
            Terminator::Jump(to) => changed |= self.enter(frame, function, block, to.0, None),
            Terminator::Branch {
                condition,
                then,
                otherwise,
            } => {
                let value = frame.vals[condition.0 as usize];
                let decided = match self.look_everywhere {
                    Some(f) if f == frame.f && self.w.depth <= 1 => None,
                    _ => self.w.store.truth(value),
                };
                match decided {
                    Some(true) => frame.cut.push((block, otherwise.0)),
                    Some(false) => frame.cut.push((block, then.0)),
                    None => {}
                }
                if decided != Some(false) {
                    changed |= self.enter(frame, function, block, then.0, Some((*condition, true)));
                }
                if decided != Some(true) {
                    changed |= self.enter(
                        frame,
                        function,
                        block,
                        otherwise.0,
                        Some((*condition, false)),
                    );
                }
            }
            Terminator::Return(value) => {
                let v = match value {
                    Some(value) => frame.vals[value.0 as usize],
                    None => self.w.store.none(),
                };
                let ret = frame.ret;
                frame.ret = self.w.store.join(ret, v);
                frame.returning.push(block);
                self.note_vouches(frame, function, *value, v);
            }
            Terminator::Raise(_) | Terminator::Stop => {}
        }
        changed
    }

    /// Control may go from `from` to `to`, knowing the condition.
    fn enter(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        from: u32,
        to: u32,
        condition: Option<(ir::Value, bool)>,
    ) -> bool {
        let mut facts = frame.facts[from as usize].clone().unwrap_or_default();
        if let Some((value, holds)) = condition {
            for fact in self.facts_of(frame, function, value, holds) {
                let id = match frame.fact_table.iter().position(|f| *f == fact) {
                    Some(id) => id as u32,
                    None => {
                        frame.fact_table.push(fact);
                        frame.fact_table.len() as u32 - 1
                    }
                };
                if !facts.contains(&id) && facts.len() < 32 {
                    facts.push(id);
                }
            }
        }
        let mut changed = false;
        if !frame.edges.contains(&(from, to)) {
            frame.edges.push((from, to));
            changed = true;
        }
        frame.live[to as usize] = true;
        let slot = &mut frame.facts[to as usize];
        match slot {
            None => *slot = Some(facts),
            Some(have) => have.retain(|f| facts.contains(f)),
        }
        changed
    }

    pub(crate) fn site(&self, frame: &Frame, index: u32) -> Site {
        Site {
            function: frame.f,
            inst: index,
        }
    }

    pub(crate) fn hop_all(&mut self, v: V, kind: TraceKind, site: Site, what: Name) -> V {
        self.w.store.map_each(v, &mut |store, mut label| {
            label.trace = store.hop(Hop {
                parent: label.trace,
                kind,
                site,
                what,
            });
            label
        })
    }

    pub(crate) fn hop_set(&mut self, set: Ls, kind: TraceKind, site: Site, what: Name) -> Ls {
        self.w.store.map_set(set, &mut |store, mut label| {
            label.trace = store.hop(Hop {
                parent: label.trace,
                kind,
                site,
                what,
            });
            label
        })
    }

    /// The value as text of unknown make-up, with its labels after one more link.
    pub(crate) fn derive(&mut self, v: V, link: &Link) -> V {
        let labels = self.w.store.deep(v);
        let labels = self.w.store.link_set(labels, link);
        self.w.store.data(labels)
    }

    pub(crate) fn noted(&mut self, v: V, note: Note) -> V {
        self.w.store.map_each(v, &mut |store, mut label| {
            label.notes = store.noted(label.notes, note);
            label
        })
    }

    pub(crate) fn local_label(&mut self, site: Site, what: &str) -> V {
        let what = self.name(what);
        let mut label = Label::new(Origin::Local);
        label.trace = self.w.store.hop(Hop {
            parent: label.trace,
            kind: TraceKind::Source,
            site,
            what,
        });
        let set = self.w.store.single(label);
        self.w.store.data(set)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per operation reads best in one place"
    )]
    fn eval(&mut self, frame: &mut Frame, function: &ir::Function, index: u32, op: &Op) -> V {
        let get = |frame: &Frame, v: ir::Value| frame.vals[v.0 as usize];
        match op {
            Op::Const(c) => self.w.store.konst(c.clone()),
            Op::Param(i) => {
                let unknown = self.w.store.unknown();
                frame.args.get(*i as usize).copied().unwrap_or(unknown)
            }
            Op::Captured { function, name } => self.captured(frame, *function, *name),
            Op::Global(name) => self.global(frame.unit, *name),
            Op::Import {
                module,
                member,
                level,
            } => self.import(frame, *module, *member, *level),
            Op::ImportAll { module, level } => self.import_all(frame, index, *module, *level),
            Op::StoreName { scope, name, value } => {
                let v = get(frame, *value);
                self.store_name(frame, index, *scope, *name, v);
                v
            }
            Op::Attr { base, name } => {
                let base = get(frame, *base);
                let site = self.site(frame, index);
                self.attr(frame, base, *name, site)
            }
            Op::SetAttr { base, name, value } => {
                let (base, value) = (get(frame, *base), get(frame, *value));
                self.set_attr(frame, index, base, *name, value)
            }
            Op::Index { base, key } => {
                let (base, key) = (get(frame, *base), get(frame, *key));
                self.index(frame, index, base, key)
            }
            Op::SetIndex { base, key, value } => {
                let (base, key, value) = (get(frame, *base), get(frame, *key), get(frame, *value));
                self.set_index(frame, index, base, key, value)
            }
            Op::DelIndex { base, key } => {
                let (base, key) = (get(frame, *base), get(frame, *key));
                self.del_index(base, key)
            }
            Op::Slice {
                base,
                lower,
                upper,
                step,
            } => {
                let base = get(frame, *base);
                let bounds = [lower, upper, step].map(|v| v.map(|v| get(frame, v)));
                self.slice(base, bounds)
            }
            Op::Call { callee, args } => self.call_inst(frame, function, index, *callee, args),
            Op::After { call, object } => frame
                .afters
                .get(&(call.0, object.0))
                .copied()
                .unwrap_or_else(|| get(frame, *object)),
            Op::Binary { op, left, right } => {
                let (left, right) = (get(frame, *left), get(frame, *right));
                let site = self.site(frame, index);
                self.binary(frame, *op, left, right, site)
            }
            Op::Unary { op, operand } => {
                let v = get(frame, *operand);
                self.unary(*op, v)
            }
            Op::Compare { op, left, right } => {
                let (left, right) = (get(frame, *left), get(frame, *right));
                self.compare(*op, left, right)
            }
            Op::Format(parts) => self.format(frame, index, parts),
            Op::Sequence { kind, items } => {
                let mut kids = Vec::new();
                let mut rest = V::NEVER;
                let mut exact = true;
                for item in items {
                    match item {
                        Item::One(v) => {
                            let v = get(frame, *v);
                            if exact {
                                kids.push((Const::Int(kids.len() as i64), v));
                            } else {
                                rest = self.w.store.join(rest, v);
                            }
                        }
                        Item::Spread(v) => {
                            let v = get(frame, *v);
                            match self.exact_items(v) {
                                Some(list) if exact => {
                                    for v in list {
                                        kids.push((Const::Int(kids.len() as i64), v));
                                    }
                                }
                                _ => {
                                    exact = false;
                                    let element = self.element(frame, index, v);
                                    rest = self.w.store.join(rest, element);
                                }
                            }
                        }
                    }
                }
                self.w.store.coll((*kind).into(), kids, rest, Ls::NONE)
            }
            Op::Dict(entries) => {
                let mut out = self
                    .w
                    .store
                    .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE);
                for entry in entries {
                    match entry {
                        Entry::Pair(k, v) => {
                            let (k, v) = (get(frame, *k), get(frame, *v));
                            out = self.set_index(frame, index, out, k, v);
                        }
                        Entry::Spread(v) => {
                            let v = get(frame, *v);
                            out = self.merge_mapping(frame, index, out, v);
                        }
                    }
                }
                out
            }
            Op::Function(inner) => self.function_value(frame, index, *inner),
            Op::Class(inner) => self.class_value(frame, *inner),
            Op::Phi(inputs) => {
                let mut out = V::NEVER;
                for (from, v) in inputs {
                    if frame.edges.contains(&(from.0, frame.block)) {
                        let v = get(frame, *v);
                        out = self.w.store.join(out, v);
                    }
                }
                out
            }
            Op::Refine {
                value,
                condition,
                holds,
            } => {
                let v = get(frame, *value);
                self.refine(frame, function, *value, v, *condition, *holds)
            }
            Op::Element(v) => {
                let v = get(frame, *v);
                self.element(frame, index, v)
            }
            Op::Enter(v) => {
                let v = get(frame, *v);
                self.enter_context(frame, index, v)
            }
            Op::Await(v) => get(frame, *v),
            Op::Yield(v) => {
                let v = v.map_or_else(|| self.w.store.none(), |v| get(frame, v));
                frame.yields = self.w.store.join(frame.yields, v);
                self.w.store.unknown()
            }
            Op::YieldFrom(v) => {
                let v = get(frame, *v);
                let element = self.element(frame, index, v);
                frame.yields = self.w.store.join(frame.yields, element);
                self.w.store.unknown()
            }
            Op::Caught(_) | Op::Unknown(_) => self.w.store.unknown(),
        }
    }

    fn captured(&mut self, frame: &Frame, owner: ir::FnIndex, name: Name) -> V {
        let cell = (self.p.fn_id(frame.unit, owner), name);
        if cell.0 == frame.f {
            let found = frame
                .cells
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| *v);
            return found.unwrap_or_else(|| self.w.store.unknown());
        }
        let found = self
            .w
            .store
            .env(frame.env)
            .iter()
            .find(|(c, _)| *c == cell)
            .map(|(_, v)| *v);
        let mut v = match found {
            Some(v) => v,
            None => self
                .w
                .read(Place::Cell(cell.0, name))
                .unwrap_or_else(|| self.w.store.unknown()),
        };
        // Siblings of the activation share the environment that this function was given.
        if self.w.store.atoms(v).any(|a| {
            matches!(
                a,
                Atom::Fn {
                    env: EnvId::SAME,
                    ..
                }
            )
        }) {
            let mut all = Vec::new();
            for atom in self.w.store.atoms_of(v) {
                all.push(match atom {
                    Atom::Fn {
                        function,
                        env: EnvId::SAME,
                    } => Atom::Fn {
                        function,
                        env: frame.env,
                    },
                    Atom::Class {
                        class,
                        env: EnvId::SAME,
                    } => Atom::Class {
                        class,
                        env: frame.env,
                    },
                    other => other,
                });
            }
            v = self.w.store.bounded_value(all);
        }
        v
    }

    /// The closure of an inner function: what it captures from here and from further out.
    fn closure_for(&mut self, frame: &Frame, inner: FnId) -> EnvId {
        let captures = self.p.shape(inner).captures.clone();
        if captures.is_empty() {
            return EnvId::EMPTY;
        }
        let mut cells = Vec::with_capacity(captures.len());
        for (owner, name) in captures {
            let cell = (self.p.fn_id(frame.unit, owner), name);
            let v = if cell.0 == frame.f {
                frame
                    .cells
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| *v)
            } else {
                self.w
                    .store
                    .env(frame.env)
                    .iter()
                    .find(|(c, _)| *c == cell)
                    .map(|(_, v)| *v)
            };
            let Some(v) = v else { continue };
            let v = self.share_siblings(frame, v);
            cells.push((cell, v));
        }
        self.w.store.closure(cells)
    }

    /// Function values of this activation, seen from inside it, refer back to the same environment:
    /// this keeps closures of mutually recursive functions finite.
    fn share_siblings(&mut self, frame: &Frame, v: V) -> V {
        let p = self.p;
        let sibling = |f: FnId| {
            p.function(f)
                .parent
                .is_some_and(|parent| p.fn_id(p.unit_of(f), parent) == frame.f)
        };
        let touches = self.w.store.atoms(v).any(
            |a| matches!(a, Atom::Fn { function, env } if *env != EnvId::EMPTY && sibling(*function)),
        );
        if !touches {
            return v;
        }
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            let atom = match atom {
                Atom::Fn { function, env } if env != EnvId::EMPTY && sibling(function) => {
                    Atom::Fn {
                        function,
                        env: EnvId::SAME,
                    }
                }
                other => other,
            };
            if !all.contains(&atom) {
                all.push(atom);
            }
        }
        self.w.store.bounded_value(all)
    }

    fn store_name(&mut self, frame: &mut Frame, index: u32, scope: Scope, name: Name, v: V) {
        let site = self.site(frame, index);
        match scope {
            Scope::Module => {
                let place = Place::Global(frame.unit, name);
                if self.p.is_body(frame.f) {
                    self.w.write(place, site, v);
                } else {
                    frame.effects.push((place, site, v));
                }
            }
            Scope::Class => {
                let function = self.p.function(frame.f);
                if let Some(class) = self.class_of_body(frame, function) {
                    self.w.write(Place::ClassAttr(class, name), site, v);
                }
            }
            Scope::Own => {
                let have = frame.cells.iter().position(|(n, _)| *n == name);
                match have {
                    Some(at) => {
                        let joined = self.w.store.join(frame.cells[at].1, v);
                        if joined != frame.cells[at].1 {
                            frame.cells[at].1 = joined;
                            frame.cells_changed = true;
                        }
                    }
                    None => {
                        frame.cells.push((name, v));
                        frame.cells_changed = true;
                    }
                }
            }
            Scope::Enclosing(owner) => {
                let owner = self.p.fn_id(frame.unit, owner);
                frame.effects.push((Place::Cell(owner, name), site, v));
            }
        }
    }

    fn class_of_body(
        &self,
        frame: &Frame,
        function: &ir::Function,
    ) -> Option<crate::link::ClassId> {
        if function.kind != FunctionKind::ClassBody {
            return None;
        }
        let unit = self.p.unit(frame.unit);
        let index = unit
            .classes
            .iter()
            .position(|c| self.p.fn_id(frame.unit, c.body) == frame.f)?;
        Some(self.p.class_id(frame.unit, ir::ClassIndex(index as u32)))
    }

    pub(crate) fn global(&mut self, unit: UnitId, name: Name) -> V {
        if let Some(v) = self.w.read(Place::Global(unit, name)) {
            return self.shared(v);
        }
        let text = self.text(name);
        if &*text == "__name__" {
            let main = self.w.store.konst(Const::Str(self.n.main));
            let unknown = self.w.store.unknown();
            return self.w.store.join(main, unknown);
        }
        if &*text == "__file__" {
            return self.w.store.unknown();
        }
        if let Some(v) = self.starred(unit, name) {
            return v;
        }
        if is_builtin(&text) {
            let path = self.name(&format!("builtins.{text}"));
            return self.lib_value(path);
        }
        self.w.store.unknown()
    }

    /// A value read from a shared place may have been changed by code that is not seen here:
    /// containers keep their known keys but are open.
    pub(crate) fn shared(&mut self, v: V) -> V {
        let open = |a: &Atom| matches!(a, Atom::Coll { .. });
        if !self.w.store.atoms(v).any(open) {
            return v;
        }
        let unknown = self.w.store.unknown();
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            all.push(match atom {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } if kind != CollKind::Tuple && (kids.is_empty() || kind != CollKind::Set) => {
                    // Constant tables (literals that nobody is seen to write to) stay exact.
                    if rest == V::NEVER && !kids.is_empty() {
                        Atom::Coll {
                            kind,
                            kids,
                            rest,
                            keys,
                        }
                    } else {
                        let rest = self.w.store.join(rest, unknown);
                        Atom::Coll {
                            kind,
                            kids,
                            rest,
                            keys,
                        }
                    }
                }
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    fn import(&mut self, frame: &Frame, module: Name, member: Option<Name>, level: u32) -> V {
        let text = self.text(module);
        match (self.p.resolve(frame.unit, &text, level, self.names), member) {
            (Target::Unit(unit), None) => {
                self.ensure_module(unit);
                self.w.store.one(Atom::Module(unit))
            }
            (Target::Unit(unit), Some(member)) => {
                self.ensure_module(unit);
                self.module_attr(unit, member)
            }
            (Target::Namespace(path), None) => {
                let path = self.name(&path);
                self.w.store.one(Atom::Namespace(path))
            }
            (Target::Namespace(path), Some(member)) => {
                let path = self.name(&path);
                self.namespace_attr(path, member)
            }
            (Target::Library(path), member) => {
                let path = match member {
                    Some(member) => format!("{path}.{}", self.text(member)),
                    None => path,
                };
                let path = self.name(&path);
                self.lib_value(path)
            }
        }
    }

    fn import_all(&mut self, frame: &mut Frame, index: u32, module: Name, level: u32) -> V {
        let text = self.text(module);
        let place = Place::Global(frame.unit, self.n.all);
        let site = self.site(frame, index);
        let v = match self.p.resolve(frame.unit, &text, level, self.names) {
            Target::Unit(unit) => {
                self.ensure_module(unit);
                self.w.store.one(Atom::Module(unit))
            }
            Target::Namespace(path) => {
                let path = self.name(&path);
                self.w.store.one(Atom::Namespace(path))
            }
            Target::Library(path) => {
                let path = self.name(&path);
                self.w.store.lib(path)
            }
        };
        // Kept under a name that no program can bind, so that `from m import *` is looked through
        // last, at every read.
        let star = self.name("*");
        let place = match place {
            Place::Global(unit, _) => Place::Global(unit, star),
            other => other,
        };
        self.w.write(place, site, v);
        v
    }

    /// A name that a `from m import *` of the unit may bind.
    fn starred(&mut self, unit: UnitId, name: Name) -> Option<V> {
        let star = self.name("*");
        let sources = self.w.read(Place::Global(unit, star))?;
        for atom in self.w.store.atoms_of(sources) {
            match atom {
                Atom::Module(from) if from != unit => {
                    if let Some(v) = self.w.read(Place::Global(from, name)) {
                        return Some(self.shared(v));
                    }
                    self.w.depth += 1;
                    let found = if self.w.depth > self.limits.depth {
                        None
                    } else {
                        self.starred(from, name)
                    };
                    self.w.depth -= 1;
                    if found.is_some() {
                        return found;
                    }
                }
                Atom::Lib(path) => {
                    let path = format!("{}.{}", self.text(path), self.text(name));
                    let path = self.name(&path);
                    if self.path_member(path).is_some() {
                        return Some(self.lib_value(path));
                    }
                }
                _ => {}
            }
        }
        None
    }

    pub(crate) fn module_attr(&mut self, unit: UnitId, name: Name) -> V {
        if let Some(v) = self.w.read(Place::Global(unit, name)) {
            return self.shared(v);
        }
        if let Some(v) = self.starred(unit, name) {
            return v;
        }
        let path = self.p.unit(unit).module;
        if self.p.unit(unit).path.file_name().starts_with("__init__.") {
            return self.namespace_attr(path, name);
        }
        self.w.store.unknown()
    }

    pub(crate) fn namespace_attr(&mut self, path: Name, name: Name) -> V {
        let full = format!("{}.{}", self.text(path), self.text(name));
        match self.p.find(&full) {
            Some(Target::Unit(unit)) => {
                self.ensure_module(unit);
                self.w.store.one(Atom::Module(unit))
            }
            Some(Target::Namespace(full)) => {
                let full = self.name(&full);
                self.w.store.one(Atom::Namespace(full))
            }
            _ => self.w.store.unknown(),
        }
    }

    /// Runs a module's body if that has not begun yet.
    pub fn ensure_module(&mut self, unit: UnitId) {
        if self.w.modules[unit.0 as usize] != ModuleState::New {
            return;
        }
        self.w.modules[unit.0 as usize] = ModuleState::Running;
        if self.w.depth < self.limits.depth {
            let body = self.p.body(unit);
            let (id, _) = self.summarize(body, EnvId::EMPTY, Vec::new());
            self.apply_effects_at_root(id);
        } else {
            self.w.modules[unit.0 as usize] = ModuleState::New;
            return;
        }
        self.w.modules[unit.0 as usize] = ModuleState::Done;
    }

    fn function_value(&mut self, frame: &mut Frame, index: u32, inner: ir::FnIndex) -> V {
        let p = self.p;
        let f = p.fn_id(frame.unit, inner);
        let function = p.function(f);
        let env = self.closure_for(frame, f);
        let mut extra = Vec::new();
        for (i, param) in function.params.iter().enumerate() {
            if let Some(default) = param.default {
                let v = frame
                    .vals
                    .get(default.0 as usize)
                    .copied()
                    .unwrap_or(V::NEVER);
                if self.w.store.deep(v) == Ls::NONE {
                    self.w.defaults.insert((f, i as u32), v);
                } else {
                    extra.push(((f, param.name), v));
                }
            }
            if let Some(annotation) = param.annotation {
                let v = frame
                    .vals
                    .get(annotation.0 as usize)
                    .copied()
                    .unwrap_or(V::NEVER);
                if self.w.store.deep(v) == Ls::NONE {
                    self.w.annotations.insert((f, i as u32), v);
                }
            }
        }
        let env = if extra.is_empty() {
            env
        } else {
            let mut cells = self.w.store.env(env).to_vec();
            cells.extend(extra);
            self.w.store.closure(cells)
        };
        if env != EnvId::EMPTY {
            self.w.closures.insert(f, env);
        }
        let _ = index;
        self.w.store.one(Atom::Fn { function: f, env })
    }

    fn class_value(&mut self, frame: &mut Frame, inner: ir::ClassIndex) -> V {
        let p = self.p;
        let id = p.class_id(frame.unit, inner);
        let class = p.class(id);
        let body = p.fn_id(frame.unit, class.body);
        let mut bases = Vec::new();
        for base in &class.bases {
            let v = frame.vals.get(base.0 as usize).copied().unwrap_or(V::NEVER);
            let mut found = Base::Unknown;
            for atom in self.w.store.atoms_of(v) {
                found = match atom {
                    Atom::Class { class, .. } if class != id => Base::Own(class),
                    Atom::Lib(path) => Base::Lib(path),
                    Atom::LibObject { class, .. } => Base::Lib(class),
                    _ => continue,
                };
                break;
            }
            bases.push(found);
        }
        let env = self.closure_for(frame, body);
        self.w.classes[id.0 as usize].bases = bases;
        let (summary, holes) = self.summarize(body, env, Vec::new());
        self.absorb(frame, summary, &holes, None, CallTier::Exact, body);
        self.w.store.one(Atom::Class { class: id, env })
    }

    fn format(&mut self, frame: &mut Frame, index: u32, parts: &[FormatPart]) -> V {
        let mut alternatives: Vec<Vec<Piece>> = vec![Vec::new()];
        for part in parts {
            let more = match part {
                FormatPart::Literal(name) => vec![vec![Piece::Lit(*name)]],
                FormatPart::Value {
                    value,
                    conversion,
                    spec,
                } => {
                    let mut v = frame.vals[value.0 as usize];
                    let numeric = spec.is_some_and(|s| {
                        self.text(s)
                            .ends_with(['d', 'x', 'X', 'o', 'b', 'f', 'e', 'g', 'n', '%'])
                    });
                    if numeric {
                        v = self.w.store.unknown();
                    } else if conversion.is_some_and(|c| c != 's') {
                        v = self.derive(
                            v,
                            &Link::Transform(solvent_finding::Transform::Opaque("repr".to_owned())),
                        );
                    } else {
                        v = self.stringify(frame, index, v);
                    }
                    self.pieces(v)
                }
            };
            alternatives = self.cross(alternatives, more);
        }
        let site = self.site(frame, index);
        self.texts(alternatives, site)
    }
}

/// Names that a module sees without importing them.
pub(crate) fn is_builtin(name: &str) -> bool {
    const NAMES: [&str; 75] = [
        "abs",
        "aiter",
        "all",
        "anext",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytearray",
        "bytes",
        "callable",
        "chr",
        "classmethod",
        "compile",
        "complex",
        "delattr",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "eval",
        "exec",
        "exit",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "globals",
        "hasattr",
        "hash",
        "hex",
        "id",
        "input",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "locals",
        "map",
        "max",
        "memoryview",
        "min",
        "next",
        "object",
        "oct",
        "open",
        "ord",
        "pow",
        "print",
        "property",
        "quit",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "setattr",
        "slice",
        "sorted",
        "staticmethod",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "vars",
        "zip",
        "__import__",
        "Exception",
        "ValueError",
        "KeyError",
        "basestring",
    ];
    NAMES.contains(&name)
}
