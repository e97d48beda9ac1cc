//! Objects that get what an attacker names: all fields at once, a key on the way to a prototype, a merge of whole trees.

use solvent_base::Name;
use solvent_finding::Comparison;
use solvent_ir::{self as ir, Arg, Const, Op};

use crate::call::Args;
use crate::library::Ports;
use crate::link::{ClassId, FnId};
use crate::machine::{Follow, Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

/// Members that stand for what the language itself does.
const ALL_FIELDS: &str = "<all-fields>";
const PROTOTYPE_KEY: &str = "<prototype-key>";
const PROTOTYPE_MERGE: &str = "<prototype-merge>";
/// What stands before the names of methods that look objects up.
const LOOKUP: &str = "<lookup>";
/// The key under which an object has its prototype.
const PROTOTYPE: &str = "__proto__";
/// Keys that are looked at, one under the other.
const MAX_KEYS: u32 = 4;
/// Instructions that are looked back through.
const MAX_BACK: u32 = 12;

/// Which parameters of a function are merged, key by key and at every depth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Merges {
    pub from: u32,
}

impl Machine<'_> {
    /// A value comes to a place that the language has and no library names.
    pub(crate) fn arrives(&mut self, frame: &mut Frame, index: u32, place: &str, v: V) {
        if self.w.store.deep(v) == Ls::NONE {
            return;
        }
        let path = self.name(place);
        let Some(id) = self.path_member(path) else {
            return;
        };
        let args = Args::of(&[v]);
        let ports = Ports {
            receiver: None,
            args: &args,
        };
        let models = self.m;
        self.sinks(frame, index, id, models.get(id), &ports, false);
    }

    /// A method whose name says that it looks an object up, whatever it is called on.
    pub(crate) fn looked_up(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) {
        let id = match self.lookups.get(&name) {
            Some(known) => *known,
            None => {
                let path = self.name(&format!("{LOOKUP}.{}", self.text(name)));
                let found = self.path_member(path);
                self.lookups.insert(name, found);
                found
            }
        };
        let Some(id) = id else { return };
        let ports = Ports {
            receiver: Some(receiver),
            args,
        };
        let models = self.m;
        self.sinks(frame, index, id, models.get(id), &ports, false);
    }

    /// `Model(**data)`, where a library's base class makes fields of arguments.
    pub(crate) fn fields_of_base(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        args: &Args,
    ) {
        if args.keywords.is_none() {
            return;
        }
        let init = self.n.init;
        for base in self.lib_bases(class) {
            let Some(id) = self.class_member(base, init) else {
                continue;
            };
            let ports = Ports {
                receiver: None,
                args,
            };
            let models = self.m;
            self.sinks(frame, index, id, models.get(id), &ports, false);
            return;
        }
    }

    /// `class Meta: fields = "__all__"`, inside a class below one of a library: what its member `Meta.fields` says.
    pub(crate) fn option_of_class(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        name: Name,
        v: V,
    ) {
        let Some(outer) = function.parent else { return };
        let unit = self.p.unit(frame.unit);
        let class_of = |body: ir::FnIndex| {
            let at = unit.classes.iter().position(|class| class.body == body)?;
            u32::try_from(at).ok().map(ir::ClassIndex)
        };
        let Some(outer) = class_of(outer) else { return };
        let bases = self.lib_bases(self.p.class_id(frame.unit, outer));
        let option = format!("{}.{}", self.text(function.name), self.text(name));
        for base in bases {
            let base = self.m.canonical(&self.text(base)).into_owned();
            for class in self.m.ancestry(&base) {
                let path = self.name(&format!("{class}.{option}"));
                let Some(id) = self.path_member(path) else {
                    continue;
                };
                let models = self.m;
                let member = models.get(id);
                if member.uses.is_empty() {
                    continue;
                }
                let args = Args::of(&[v]);
                let ports = Ports {
                    receiver: None,
                    args: &args,
                };
                self.uses(frame, index, id, member, &ports);
                return;
            }
        }
    }

    /// `setattr(object, key, value)`
    pub(crate) fn attribute_named(&mut self, frame: &mut Frame, index: u32, args: &Args) {
        if let Some(key) = args.get(1, None)
            && self.w.store.constant(key).is_none()
        {
            self.arrives(frame, index, ALL_FIELDS, key);
        }
    }

    /// `Object.assign(object, ..)`, of an object that was not made here.
    pub(crate) fn fields_assigned(&mut self, frame: &mut Frame, index: u32, args: &Args) {
        let Some(first) = args.get(0, None) else {
            return;
        };
        let elsewhere = self.w.store.atoms(first).any(|atom| match atom {
            Atom::Data(set) => *set == Ls::NONE,
            Atom::LibObject { class, .. } => {
                let class = self.text(*class);
                !["Request", "Response", "RegExp", "Map"]
                    .iter()
                    .any(|own| class.ends_with(own))
            }
            _ => false,
        });
        if elsewhere {
            for (v, _) in args.pos.iter().skip(1) {
                self.arrives(frame, index, ALL_FIELDS, *v);
            }
        }
    }

    /// `object[a][b] = value`: where `a` may be `__proto__`, every object has `b` from then on.
    pub(crate) fn key_of_prototype(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        base: ir::Value,
        chosen: &[V],
    ) {
        let mut at = base;
        for _ in 0..MAX_KEYS {
            let Some((object, key)) = self.read_under(function, at) else {
                return;
            };
            self.key_on_the_way(frame, function, index, object, key, chosen);
            at = object;
        }
    }

    fn key_on_the_way(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        object: ir::Value,
        key: ir::Value,
        chosen: &[V],
    ) {
        let key = frame.vals[key.0 as usize];
        let labels = self.w.store.deep(key);
        let free = chosen.iter().any(|v| self.w.store.deep(*v) != Ls::NONE);
        if labels == Ls::NONE || !free || self.w.store.constants(key).is_some() {
            return;
        }
        let of = frame.vals[object.0 as usize];
        let plain = self.w.store.atoms(of).any(|atom| match atom {
            Atom::Coll { kind, .. } => *kind == CollKind::Dict,
            Atom::LibObject { class, .. } => !matches!(&*self.text(*class), "Map" | "<proxy>"),
            Atom::Data(_) | Atom::Object { .. } => true,
            _ => false,
        });
        if !plain || self.has_no_prototype(frame, function, object) {
            return;
        }
        let refused: Vec<Ls> = self
            .facts_here(frame)
            .into_iter()
            .filter(|fact| fact.comparison == Comparison::NotEquals)
            .filter(|fact| &*self.text(fact.value) == PROTOTYPE)
            .map(|fact| fact.labels)
            .collect();
        let kept: Vec<_> = self
            .w
            .store
            .labels(labels)
            .iter()
            .copied()
            .filter(|label| {
                !refused.iter().any(|set| {
                    let of_fact = self.w.store.labels(*set);
                    of_fact.iter().any(|other| other.origin == label.origin)
                })
            })
            .collect();
        let set = self.w.store.set(kept);
        let v = self.w.store.data(set);
        self.arrives(frame, index, PROTOTYPE_KEY, v);
    }

    /// The object and the key that a value was read from, in this function.
    fn read_under(
        &self,
        function: &ir::Function,
        mut v: ir::Value,
    ) -> Option<(ir::Value, ir::Value)> {
        for _ in 0..MAX_BACK {
            match function.op(v) {
                Op::Index { base, key } => return Some((*base, *key)),
                Op::Refine { value, .. } => v = *value,
                Op::After { object, .. } => v = *object,
                // `object[a] || {}`
                Op::Phi(inputs) => {
                    let read = inputs.iter().map(|(_, v)| *v);
                    v = read.into_iter().find(|v| {
                        matches!(function.op(*v), Op::Index { .. } | Op::Refine { .. })
                    })?;
                }
                _ => return None,
            }
        }
        None
    }

    /// `Object.create(null)`, made in this function or as a variable of the file.
    fn has_no_prototype(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        mut v: ir::Value,
    ) -> bool {
        for _ in 0..MAX_BACK {
            v = match function.op(v) {
                Op::Refine { value, .. } => *value,
                Op::After { object, .. } => *object,
                Op::SetIndex { base, .. } | Op::SetAttr { base, .. } => *base,
                Op::Global(name) => {
                    let at = self.p.body(frame.unit);
                    let body = self.p.function(at);
                    let stores = self.stores_of(at);
                    let stored = stores.get(name).into_iter().flatten();
                    let mut stored = stored.map(|(_, value)| *value);
                    return stored.next().is_some_and(|v| self.makes_bare(body, v))
                        && stored.all(|v| self.makes_bare(body, v));
                }
                _ => return self.makes_bare(function, v),
            };
        }
        false
    }

    fn makes_bare(&self, function: &ir::Function, v: ir::Value) -> bool {
        let Op::Call { callee, args, .. } = function.op(v) else {
            return false;
        };
        let create = match function.op(*callee) {
            Op::Attr { name, .. } => &*self.text(*name) == "create",
            _ => false,
        };
        let null = args
            .first()
            .is_some_and(|arg| matches!(function.op(arg.value()), Op::Const(Const::None)));
        create && null
    }

    /// A call of a function of the program that merges whole trees and looks at no key.
    pub(crate) fn merges_trees(&mut self, frame: &mut Frame, index: u32, f: FnId, args: &Args) {
        if !self.is_javascript() || self.follow != Follow::Flows || self.is_within(frame.f, f) {
            return;
        }
        let merges = match self.merging.get(&f) {
            Some(known) => *known,
            None => {
                let found = self.merges(f);
                self.merging.insert(f, found);
                found
            }
        };
        if let Some(Merges { from }) = merges
            && let Some(v) = args.get(from as usize, None)
        {
            self.arrives(frame, index, PROTOTYPE_MERGE, v);
        }
    }

    /// Whether a function is another one, or stands in its body.
    fn is_within(&self, inner: FnId, outer: FnId) -> bool {
        let unit = self.p.unit_of(inner);
        if unit != self.p.unit_of(outer) {
            return false;
        }
        let mut at = Some(inner);
        for _ in 0..MAX_BACK {
            let Some(f) = at else { return false };
            if f == outer {
                return true;
            }
            at = self
                .p
                .function(f)
                .parent
                .map(|parent| self.p.fn_id(unit, parent));
        }
        false
    }

    /// `function merge(to, from)` that sets `to[key]` and calls itself with `to[key]` and `from[key]`, for keys
    /// among which `__proto__` is not looked for.
    fn merges(&self, f: FnId) -> Option<Merges> {
        let unit = self.p.unit_of(f);
        let outer = self.p.function(f);
        if outer.params.len() < 2 {
            return None;
        }
        let mut within = vec![f];
        let mut next = 0;
        while let Some(&one) = within.get(next) {
            next += 1;
            let inner = self.p.shape(one).inner.iter();
            within.extend(inner.map(|inner| self.p.fn_id(unit, *inner)));
        }
        let parts: Vec<&ir::Function> = within.iter().map(|f| self.p.function(*f)).collect();
        let insts = || {
            parts
                .iter()
                .flat_map(|part| part.insts.iter().map(move |i| (*part, &i.op)))
        };
        let looked_for = insts().any(
            |(_, op)| matches!(op, Op::Const(Const::Str(text)) if &*self.text(*text) == PROTOTYPE),
        );
        if looked_for {
            return None;
        }
        let set: Vec<u32> = insts()
            .filter_map(|(part, op)| match op {
                Op::SetIndex { base, key, .. } if !matches!(part.op(*key), Op::Const(_)) => {
                    self.param_behind(outer, part, *base)
                }
                _ => None,
            })
            .collect();
        insts().find_map(|(part, op)| {
            let Op::Call { callee, args, .. } = op else {
                return None;
            };
            let itself = match part.op(*callee) {
                Op::Global(name) | Op::Attr { name, .. } => *name == outer.name,
                Op::Captured { name, .. } => self.plain(*name) == *self.text(outer.name),
                _ => false,
            };
            if !itself {
                return None;
            }
            let mut read: Vec<(u32, u32)> = Vec::new();
            for (i, arg) in args.iter().enumerate() {
                let Arg::Positional(v) = arg else { continue };
                if let Some((object, _)) = self.read_under(part, *v)
                    && let Some(param) = self.param_behind(outer, part, object)
                    && param as usize == i
                {
                    read.push((param, i as u32));
                }
            }
            let to = read.iter().find(|(param, _)| set.contains(param))?.0;
            let from = read.iter().find(|(param, _)| *param != to)?.0;
            Some(Merges { from })
        })
    }

    /// The parameter of `outer` that a value in one of its parts is, in any version.
    fn param_behind(
        &self,
        outer: &ir::Function,
        part: &ir::Function,
        mut v: ir::Value,
    ) -> Option<u32> {
        for _ in 0..MAX_BACK {
            v = match part.op(v) {
                Op::Param(p) => {
                    let name = part.params.get(*p as usize)?.name;
                    return param_named(outer, |param| param == name);
                }
                Op::Captured { name, .. } => {
                    let name = self.plain(*name);
                    return param_named(outer, |param| *self.text(param) == name);
                }
                Op::Refine { value, .. } => *value,
                Op::After { object, .. } => *object,
                Op::SetIndex { base, .. } | Op::SetAttr { base, .. } => *base,
                Op::Phi(inputs) => inputs.first()?.1,
                _ => return None,
            };
        }
        None
    }

    /// The name of a captured variable, without what tells it from others of its name.
    fn plain(&self, name: Name) -> String {
        let text = self.text(name);
        text.split('·').next().unwrap_or_default().to_owned()
    }
}

fn param_named(function: &ir::Function, is: impl Fn(Name) -> bool) -> Option<u32> {
    let at = function.params.iter().position(|param| is(param.name))?;
    u32::try_from(at).ok()
}
