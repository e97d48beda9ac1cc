//! The interpreter: one function body over abstract values.
//!
//! Sparse conditional propagation: a block is evaluated once control can enter it, a branch whose
//! condition is decided cuts the other side. Loops run to a fixpoint; from the fourth round on, phis
//! are widened. Calls are in `call`, attributes in `attr`, operators in `operate`, what the models
//! say in `library`, checks in `refine`.

mod alias;
mod format;
mod frame;
mod names;
mod turns;
mod unroll;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use solvent_base::{Interner, Name};
use solvent_ir::{self as ir, Const, Entry, Item, Language, Op, Terminator};
use solvent_models::pattern::Anchoring;
use solvent_models::{MemberId, ModelSet, Slowness};

use crate::assign::Merges;
use crate::hash::{IdMap, IdSet};
use crate::label::{Hop, Label, Link, Note, Origin, TraceKind};
use crate::link::{ClassId, FnId, Program, Site, Target, UnitId};
use crate::value::{CollKind, EnvId, Ls, V};
use crate::world::{Base, World};

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

pub(crate) use frame::Frame;
use frame::{Kept, Way};
pub use frame::{Vouch, Vouched};
pub(crate) use names::is_builtin;
pub(crate) use unroll::Turn;

/// The interpreter over one program.
pub struct Machine<'a> {
    pub p: &'a Program,
    pub m: &'a ModelSet,
    pub names: &'a Interner,
    pub w: World,
    pub limits: Limits,
    pub(crate) paths: IdMap<Name, Option<MemberId>>,
    pub(crate) members: IdMap<(Name, Name), Option<MemberId>>,
    /// What imports lead to, by file, text and level.
    pub(crate) targets: IdMap<(UnitId, Name, u32), Target>,
    /// Whether a name speaks of a secret.
    pub(crate) secret_names: IdMap<Name, bool>,
    /// Names under which what sets an attribute is kept, by the attribute's.
    pub(crate) setters: IdMap<Name, Name>,
    /// Names of methods that look objects up.
    pub(crate) lookups: IdMap<Name, Option<MemberId>>,
    /// Classes with their bases in the order in which attributes are looked for, see [`Machine::order_of`].
    pub(crate) orders: RefCell<IdMap<ClassId, Rc<[Base]>>>,
    /// Functions of the program that were looked at, see [`Merges`].
    pub(crate) merging: IdMap<FnId, Option<Merges>>,
    /// Regular expressions that were looked at.
    pub(crate) growth: IdMap<(Name, Anchoring), Option<Slowness>>,
    /// What bodies of files store, by name, once somebody asked: `(instruction, value)`.
    pub(crate) stores: IdMap<FnId, Stores>,
    /// Values of a body that hold what it stores under a name, once somebody asked.
    pub(crate) holders: IdMap<FnId, Rc<IdMap<Name, Vec<u32>>>>,
    /// Variables of other files that names are by an import, once somebody asked.
    pub(crate) origins: IdMap<(UnitId, Name), Option<(UnitId, Name)>>,
    /// Objects that stand in two places of a function, once it was looked at.
    pub(crate) aliases: IdMap<FnId, Option<Rc<alias::Aliases>>>,
    /// Blocks that were walked to see which writes nobody finds any more.
    pub(crate) walked: u64,
    pub(crate) n: Known,
    /// Whether hits are handed on; discovery of calls and routes has no use for them.
    pub(crate) follow: Follow,
    /// The function whose dead branches are looked into, to know what stands there.
    pub(crate) look_everywhere: Option<FnId>,
    /// Modules that are being loaded, one by another.
    pub(crate) loading: u32,
    /// Loops that are taken turn by turn, one in another, and the turns that were taken in all.
    pub(crate) unrolling: u32,
    pub(crate) turns: u32,
    /// Whether what runs comes back to a request after the last of its handlers.
    pub(crate) afterwards: bool,
    pub(crate) bound: crate::analyse::Bounds,
    /// Where the decorator that makes a class a holder of routes was called.
    pub(crate) controllers: std::collections::BTreeMap<crate::link::ClassId, Site>,
    /// What stands in front of all routes of a library, and the file that says so.
    pub(crate) prefixed: std::collections::BTreeMap<String, Vec<(crate::link::UnitId, String)>>,
    /// Where route holders were made.
    pub(crate) made: std::collections::BTreeMap<Site, crate::route::Made>,
    /// First segments of what the program imports, once they were asked for.
    pub(crate) imports: Option<std::collections::BTreeSet<String>>,
    /// Texts of routes by the names that the program gives them.
    pub(crate) named: std::collections::BTreeMap<String, Vec<String>>,
    /// What runs before handlers because it is listed where routes are bound.
    pub(crate) before: std::collections::BTreeSet<crate::value::V>,
    /// What decorators that leave a handler as it is say of it.
    pub(crate) wrapped: std::collections::BTreeMap<FnId, crate::route::Wrapping>,
    /// Members that bind a class to a route: `django.views.View.as_view`.
    pub(crate) binders: std::collections::BTreeSet<String>,
}

/// What a body stores, by name: `(instruction, value)`.
pub(crate) type Stores = Rc<IdMap<Name, Vec<(u32, ir::Value)>>>;

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
    /// Of the view of a class: which of its methods answer what, and the checks around it.
    pub actions: Name,
    pub auth: Name,
    pub decorator: Name,
    pub identity: Name,
    pub staticmethod: Name,
    pub classmethod: Name,
    pub property: Name,
    pub name_attr: Name,
    pub main: Name,
    pub method: Name,
    pub all: Name,
    /// The class of an object whose class was made by a function and brings what it captured.
    pub own_class: Name,
    /// What an instance of a container's or text's subclass holds.
    pub held: Name,
    /// Others have the instance too, and may set its attributes.
    pub shared: Name,
    /// The template that renders what a decorated function returns.
    pub renders: Name,
    /// Attributes of an instance whose names are not known.
    pub any: Name,
    /// Names that the content of an open file is kept under.
    pub written: Name,
    /// An instance of a class that was made when the program ran.
    pub instance: Name,
    pub use_: Name,
    pub method_go: Name,
    /// What a CommonJS module exports.
    pub exports: Name,
}

impl Known {
    fn new(names: &Interner, language: Language) -> Self {
        let init = match language {
            Language::Python => "__init__",
            Language::JavaScript => "constructor",
            Language::Go | Language::Java => "<init>",
        };
        Self {
            init: names.name(init),
            call: names.name("__call__"),
            path: names.name("<path>"),
            site: names.name("<site>"),
            object: names.name("<object>"),
            bound: names.name("<bound>"),
            actions: names.name("<actions>"),
            auth: names.name("<auth>"),
            decorator: names.name("<decorator>"),
            identity: names.name("<identity>"),
            staticmethod: names.name("builtins.staticmethod"),
            classmethod: names.name("builtins.classmethod"),
            property: names.name("builtins.property"),
            name_attr: names.name("__name__"),
            main: names.name("__main__"),
            method: names.name("method"),
            all: names.name("__all__"),
            own_class: names.name("<class>"),
            held: names.name("<held>"),
            shared: names.name("<shared>"),
            renders: names.name("<renders>"),
            any: names.name("<any>"),
            written: names.name("<written>"),
            instance: names.name("<instance>"),
            use_: names.name("use"),
            method_go: names.name("Method"),
            exports: names.name("<exports>"),
        }
    }
}

/// Rounds of a loop before it is taken as it stands; widening makes four or five enough.
const MAX_ROUNDS: u32 = 10;
/// Rounds before phis are widened.
const WIDEN_AFTER: u32 = 3;
/// Rounds before phis keep nothing but labels and functions.
const FLATTEN_AFTER: u32 = 6;

impl<'a> Machine<'a> {
    pub fn new(p: &'a Program, m: &'a ModelSet, names: &'a Interner, limits: Limits) -> Self {
        let mut w = World::new(
            p.units.len(),
            p.function_count() as usize,
            p.class_count() as usize,
            names,
        );
        w.store.language = p.language;
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
            targets: IdMap::default(),
            secret_names: IdMap::default(),
            growth: IdMap::default(),
            orders: RefCell::default(),
            merging: IdMap::default(),
            lookups: IdMap::default(),
            setters: IdMap::default(),
            stores: IdMap::default(),
            holders: IdMap::default(),
            origins: IdMap::default(),
            aliases: IdMap::default(),
            walked: 0,
            n: Known::new(names, p.language),
            follow: Follow::Flows,
            look_everywhere: None,
            loading: 0,
            unrolling: 0,
            turns: 0,
            afterwards: false,
            bound: std::collections::BTreeMap::new(),
            controllers: std::collections::BTreeMap::new(),
            prefixed: std::collections::BTreeMap::new(),
            made: std::collections::BTreeMap::new(),
            wrapped: std::collections::BTreeMap::new(),
            imports: None,
            named: std::collections::BTreeMap::new(),
            before: std::collections::BTreeSet::new(),
            binders: m
                .entry_rows(solvent_models::EntryShape::BaseClass)
                .filter_map(|(_, row)| row.bound_by.clone())
                .collect(),
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
            taken: vec![0; blocks],
            facts: vec![None; blocks],
            fact_table: Vec::new(),
            known: vec![Vec::new(); blocks],
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
            cut: Vec::new(),
            stopped: Vec::new(),
            vouched: Vouched::default(),
            diverged: false,
            turn: Turn::default(),
            elements: Vec::new(),
            patched: IdMap::default(),
            aliases: self.aliases_of(f),
        };
        if blocks == 0 {
            frame.ret = self.w.store.none();
            return frame;
        }
        frame.live[0] = true;
        frame.facts[0] = Some(Vec::new());
        for round in 0..MAX_ROUNDS {
            frame.start_over(&Kept::default());
            frame.cells_changed = false;
            for part in &shape.parts {
                if part.looping {
                    self.run_loop(&mut frame, function, &part.blocks, round);
                } else if frame.live[part.blocks[0] as usize] {
                    self.run_block(&mut frame, function, part.blocks[0], round);
                }
            }
            if !(frame.cells_changed && shape.has_cells) {
                break;
            }
            if round + 1 == MAX_ROUNDS {
                self.w.unsettled.insert(f);
            }
        }
        if function.is_generator {
            let yields = frame.yields;
            let returned = self.w.store.deep(frame.ret);
            frame.ret = self
                .w
                .store
                .coll(CollKind::Iter, Vec::new(), yields, returned);
        }
        frame
    }

    /// Evaluates blocks that lead to each other until nothing new comes round.
    fn run_loop(&mut self, frame: &mut Frame, function: &ir::Function, blocks: &[u32], first: u32) {
        if self.gone_through(frame, function, blocks)
            || self.unrolled(frame, function, blocks, first)
        {
            return;
        }
        let kept = frame.kept();
        for round in first..first + MAX_ROUNDS {
            if round > first {
                frame.start_over(&kept);
            }
            frame.caught_changed = false;
            let mut changed = false;
            for block in blocks {
                if frame.live[*block as usize] {
                    changed |= self.run_block(frame, function, *block, round);
                }
            }
            if !changed && !frame.caught_changed {
                return;
            }
        }
        self.w.unsettled.insert(frame.f);
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
            changed |= self.enter(frame, function, (block, Way::Handlers, to.0), None);
        }
        for index in data.start..data.end {
            self.w.steps += 1;
            let inst = &function.insts[index as usize];
            self.stored(frame, function, index, &inst.op);
            let mut new = self.eval(frame, function, index, &inst.op);
            if frame.diverged && self.look_everywhere == Some(frame.f) && self.w.depth <= 1 {
                // What stands behind is looked at all the same.
                frame.diverged = false;
                new = self.w.store.unknown();
            }
            let mut new = self.read_again(frame, function, index, new);
            // Turn by turn, what is made in one turn is another object in the next.
            let joined = self.unrolling == 0;
            if let Some((_, patched)) = frame.patched.get(&index).filter(|(raw, _)| *raw == new)
                && joined
            {
                new = *patched;
            }
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
            if joined && let Some(aliases) = frame.aliases.clone() {
                self.reflect(frame, function, &aliases, index);
            }
            if frame.diverged {
                frame.stopped.push((block, index));
                return changed;
            }
        }
        match &data.terminator {
            Terminator::Jump(to) => {
                changed |= self.enter(frame, function, (block, Way::Then, to.0), None);
            }
            Terminator::Branch {
                condition,
                then,
                otherwise,
            } => {
                let value = frame.vals[condition.0 as usize];
                let decided = match self.look_everywhere {
                    Some(f) if f == frame.f && self.w.depth <= 1 => None,
                    _ => frame
                        .turn
                        .decided(block)
                        .or_else(|| self.w.store.truth(value)),
                };
                match decided {
                    Some(true) => frame.cut.push((block, otherwise.0)),
                    Some(false) => frame.cut.push((block, then.0)),
                    None => {}
                }
                if decided != Some(false) {
                    let way = (block, Way::Then, then.0);
                    changed |= self.enter(frame, function, way, Some((*condition, true)));
                }
                if decided != Some(true) {
                    let way = (block, Way::Otherwise, otherwise.0);
                    changed |= self.enter(frame, function, way, Some((*condition, false)));
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
                if let Some(value) = value {
                    frame.returned.push((value.0, v));
                    self.named(frame, value.0, function.name, v);
                    self.returns_to_template(frame, value.0, v);
                }
                self.note_vouches(frame, function, *value, v);
            }
            Terminator::Raise(Some(value)) => {
                let v = frame.vals[value.0 as usize];
                let v = self.made_to_raise(frame, value.0, v);
                self.raised_from(frame, value.0);
                self.raise(frame, function, v);
            }
            Terminator::Raise(None) => self.raise_again(frame, function),
            Terminator::Stop => {}
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
            Op::Global(name) => match self.written_here(frame, *name) {
                Some(v) => v,
                None => self.global(frame.unit, *name),
            },
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
                let site = self.site(frame, index);
                self.unary(*op, v, site)
            }
            Op::Compare { op, left, right } => {
                let (left, right) = (get(frame, *left), get(frame, *right));
                match self.by_comparison_methods(frame, index, *op, left, right) {
                    Some(v) => v,
                    None => self.compare(*op, left, right),
                }
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
                    if frame.went(function, from.0, frame.block) {
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
                if let Some(v) = frame.turn.element(index) {
                    return v;
                }
                if let Some((_, v)) = frame.elements.iter().rfind(|(at, _)| *at == index) {
                    return *v;
                }
                let v = get(frame, *v);
                // `for _ in range(0)`
                frame.diverged |= self.is_empty_for_good(v);
                self.element(frame, index, v)
            }
            Op::Enter(v) => {
                let v = get(frame, *v);
                self.left_context(frame, index, v);
                self.enter_context(frame, index, v)
            }
            Op::Await(v) => get(frame, *v),
            Op::Yield(v) => {
                let v = v.map_or_else(|| self.w.store.none(), |v| get(frame, v));
                frame.yields = self.w.store.join(frame.yields, v);
                self.sent_in()
            }
            Op::YieldFrom(v) => {
                let v = get(frame, *v);
                let element = self.element(frame, index, v);
                frame.yields = self.w.store.join(frame.yields, element);
                // What the inner one returns is among its labels.
                let labels = self.w.store.deep(v);
                self.w.store.data(labels)
            }
            Op::Caught(type_) => {
                let type_ = type_.map(|type_| get(frame, type_));
                self.caught(frame, type_)
            }
            Op::Unknown(_) => self.w.store.unknown(),
        }
    }
}
