//! Attributes, elements and keys: reading and writing the parts of a value.

mod named;

use std::rc::Rc;

use solvent_base::Name;
use solvent_ir::{Const, Op};

use crate::call::Args;
use crate::hash::IdSet;
use crate::label::{Label, Origin, TraceKind};
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, EnvId, MAX_KIDS, Open, V};
use crate::world::{Base, Place};

/// Longest chain of base classes that is followed.
const MAX_BASES: usize = 64;

impl Machine<'_> {
    /// The class and its bases in the order in which attributes are looked for.
    pub(crate) fn order_of(&self, class: ClassId) -> Rc<[Base]> {
        if let Some(known) = self.orders.borrow().get(&class) {
            return Rc::clone(known);
        }
        let mut seen = IdSet::default();
        let order: Rc<[Base]> = self.linearize(class, &mut seen, 0).into();
        self.orders.borrow_mut().insert(class, Rc::clone(&order));
        order
    }

    fn linearize(&self, class: ClassId, seen: &mut IdSet<u32>, depth: usize) -> Vec<Base> {
        let mut out: Vec<Base> = Vec::new();
        let (mut at, mut depth) = (class, depth);
        // With one base there is nothing to merge.
        let bases = loop {
            if !out.contains(&Base::Own(at)) {
                out.push(Base::Own(at));
            }
            if depth > MAX_BASES || out.len() >= MAX_BASES || !seen.insert(at.0) {
                return out;
            }
            match &self.w.classes[at.0 as usize].bases[..] {
                [Base::Own(only)] => (at, depth) = (*only, depth + 1),
                bases => break bases.to_vec(),
            }
        };
        let mut lists: Vec<Vec<Base>> = Vec::new();
        for base in &bases {
            lists.push(match base {
                Base::Own(c) => {
                    let mut inner = seen.clone();
                    self.linearize(*c, &mut inner, depth + 1)
                }
                other => vec![*other],
            });
        }
        lists.push(bases);
        // The C3 merge; where it has no answer, plain order.
        while lists.iter().any(|l| !l.is_empty()) && out.len() < MAX_BASES {
            let good = lists
                .iter()
                .filter_map(|l| l.first())
                .copied()
                .find(|head| lists.iter().all(|l| !l.iter().skip(1).any(|b| b == head)));
            let next = good
                .or_else(|| lists.iter().find_map(|l| l.first()).copied())
                .unwrap_or(Base::Unknown);
            if !out.contains(&next) {
                out.push(next);
            }
            for list in &mut lists {
                list.retain(|b| *b != next);
            }
        }
        out
    }

    /// The raw value of a class attribute, and whether a library's base may have it instead.
    pub(crate) fn class_attr(&mut self, class: ClassId, env: EnvId, name: Name) -> Option<V> {
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            if let Some(v) = self.brought(c, env, name) {
                return Some(v);
            }
            if let Some(v) = self.w.read(Place::ClassAttr(c, name)) {
                return Some(self.shared(v));
            }
        }
        None
    }

    /// A class attribute as the activation that made the class has it.
    fn brought(&self, class: ClassId, env: EnvId, name: Name) -> Option<V> {
        if env == EnvId::EMPTY || env == EnvId::SAME {
            return None;
        }
        let body = self
            .p
            .fn_id(self.p.class_unit(class), self.p.class(class).body);
        let cells = self.w.store.env(env);
        cells
            .iter()
            .find(|(c, _)| *c == (body, name))
            .map(|(_, v)| *v)
    }

    /// What the class of this instance, or this class, captured where it was made.
    fn class_env(&self, receiver: V) -> EnvId {
        self.w
            .store
            .atoms(receiver)
            .find_map(|atom| match atom {
                Atom::Class { env, .. } => Some(*env),
                Atom::Object { attrs, .. } => {
                    let (_, class) = attrs.iter().find(|(n, _)| *n == self.n.own_class)?;
                    match self.w.store.only(*class)? {
                        Atom::Class { env, .. } => Some(*env),
                        _ => None,
                    }
                }
                _ => None,
            })
            .unwrap_or(EnvId::EMPTY)
    }

    /// The environment of a method, with what its class captured.
    fn method_env(&mut self, function: FnId, env: EnvId, class: EnvId) -> EnvId {
        if class == EnvId::EMPTY || class == EnvId::SAME {
            return env;
        }
        let unit = self.p.unit_of(function);
        let mut cells = self.w.store.env(env).to_vec();
        let captured = self.w.store.env(class).to_vec();
        for (owner, name) in &self.p.shape(function).captures {
            let cell = (self.p.fn_id(unit, *owner), *name);
            if let Some((_, v)) = captured.iter().find(|(c, _)| *c == cell) {
                cells.retain(|(c, _)| *c != cell);
                cells.push((cell, *v));
            }
        }
        self.w.store.closure(cells)
    }

    pub(crate) fn lib_bases(&self, class: ClassId) -> Vec<Name> {
        self.order_of(class)
            .iter()
            .copied()
            .filter_map(|b| match b {
                Base::Lib(path) => Some(path),
                _ => None,
            })
            .collect()
    }

    /// The method of a class, bound to a receiver.
    pub(crate) fn method_of(&mut self, class: ClassId, name: Name, receiver: V) -> Option<V> {
        let env = self.class_env(receiver);
        let raw = self.class_attr(class, env, name)?;
        let has_code = self.w.store.atoms(raw).any(|a| {
            matches!(
                a,
                Atom::Fn { .. } | Atom::LibObject { .. } | Atom::Partial { .. }
            )
        });
        has_code.then(|| self.bind_attr(raw, receiver, class))
    }

    /// What reading a class attribute through an instance gives, before properties are called.
    pub(crate) fn bind_attr(&mut self, raw: V, receiver: V, class: ClassId) -> V {
        let class_env = self.class_env(receiver);
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(raw) {
            match atom {
                Atom::Fn { function, env } => all.push(Atom::Method {
                    function,
                    env: self.method_env(function, env, class_env),
                    receiver,
                }),
                Atom::LibObject {
                    class: kind, data, ..
                } if kind == self.n.staticmethod => {
                    let data = self.unbound(data, class_env);
                    all.extend(self.w.store.atoms_of(data));
                }
                Atom::LibObject {
                    class: kind, data, ..
                } if kind == self.n.classmethod => {
                    let class = self.w.store.one(Atom::Class {
                        class,
                        env: class_env,
                    });
                    let bound = self.bind_attr(data, class, ClassId(u32::MAX));
                    all.extend(self.w.store.atoms_of(bound));
                }
                other => all.push(other),
            }
        }
        self.w.store.bounded_value(all)
    }

    /// Functions read through the class itself, with what the class captured.
    fn unbound(&mut self, v: V, class_env: EnvId) -> V {
        if class_env == EnvId::EMPTY || class_env == EnvId::SAME {
            return v;
        }
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            all.push(match atom {
                Atom::Fn { function, env } => Atom::Fn {
                    function,
                    env: self.method_env(function, env, class_env),
                },
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    pub(crate) fn attr(&mut self, frame: &mut Frame, base: V, name: Name, site: Site) -> V {
        if base == V::NEVER {
            return self.w.store.unknown();
        }
        if let Some(v) = self.raised_before(name) {
            return v;
        }
        let atoms = self.w.store.atoms_of(base);
        let several = atoms.len() > 1;
        let mut out = V::NEVER;
        for atom in atoms {
            if several && matches!(atom, Atom::Const(Const::None)) {
                continue;
            }
            let one = self.attr_of(frame, atom, name, site);
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    pub(crate) fn attr_of(&mut self, frame: &mut Frame, atom: Atom, name: Name, site: Site) -> V {
        if self.is_javascript()
            && let Some(v) = self.property(frame, &atom, name, site)
        {
            return v;
        }
        if self.is_go()
            && let Some(v) = self.member_go(frame, &atom, name, site)
        {
            return v;
        }
        if self.is_java()
            && let Some(v) = self.property_java(frame, &atom, name, site)
        {
            return v;
        }
        match atom {
            Atom::Lib(path) => {
                let full = format!("{}.{}", self.text(path), self.text(name));
                let full = self.name(&full);
                let stored = self.w.read(Place::LibAttr(path, name));
                let v = self.lib_attr(full, site);
                match stored {
                    Some(stored) => self.w.store.join(v, stored),
                    None => v,
                }
            }
            Atom::LibObject {
                class,
                ref attrs,
                data,
            } => {
                let known = attrs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
                let path = self.path_of(attrs);
                let receiver = self.w.store.one(atom.clone());
                if let Some(v) = known {
                    return match class == self.n.instance {
                        true => self.bind_attr(v, receiver, ClassId(u32::MAX)),
                        false => v,
                    };
                }
                // What the library itself says of an attribute goes before what is written to it elsewhere.
                let own = self.is_kept(class) && self.class_member(class, name).is_some();
                if let Some(path) = path
                    && !own
                    && let Some(v) = self.w.read(Place::LibAttr(path, name))
                {
                    return v;
                }
                // What a handler in front left on the request.
                if let Some(path) = self.of_request(class)
                    && let Some(v) = self.left_on_request(path, name)
                {
                    let own = self.member_value(class, name, receiver, site);
                    let plain = matches!(self.w.store.only(own), Some(Atom::Member { .. }));
                    return if plain { v } else { self.w.store.join(own, v) };
                }
                let is_method = match self.is_go() {
                    true => name == self.n.method_go,
                    false => name == self.n.method,
                };
                if is_method && self.text(class).ends_with("Request") {
                    return self.request_method(site);
                }
                if self.class_member(class, name).is_none() && self.m.is_keyed(&self.text(class)) {
                    let key = self.w.store.konst(Const::Str(name));
                    return self.index(frame, site.inst, receiver, key);
                }
                // What it holds under other names says nothing of this one: one key of something unknown was set.
                let says_more = self.w.store.deep(receiver) != self.w.store.deep(data);
                let plain = matches!(self.w.store.only(data), Some(Atom::Data(_)))
                    && self.class_member(class, name).is_none();
                if class == self.n.object && data != V::NEVER && (says_more || plain) {
                    // What a record saves is all that was set on it.
                    if self.saves_itself(name) {
                        return self.w.store.one(Atom::Member { receiver, name });
                    }
                    return self.attr(frame, data, name, site);
                }
                self.member_value(class, name, receiver, site)
            }
            Atom::Object {
                class,
                ref attrs,
                open,
            } => {
                let found = attrs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
                let receiver = self.w.store.one(atom.clone());
                if let Some((without, any)) = self.set_by_any_name(&atom) {
                    let known = self.attr_of(frame, without, name, site);
                    return match self.w.store.only(known) {
                        Some(Atom::Member { .. }) => any,
                        _ => self.w.store.join(known, any),
                    };
                }
                if let Some(v) = found {
                    // Others may have set it since.
                    let others = attrs.iter().any(|(n, _)| *n == self.n.shared);
                    return match self.field_of(class, name).filter(|_| others) {
                        Some(set) => self.w.store.join(v, set),
                        None => v,
                    };
                }
                if !self.has_receivers()
                    && &*self.text(name) == "__dict__"
                    && let Some(v) = self.attributes(&atom)
                {
                    return v;
                }
                let env = self.class_env(receiver);
                if !self.has_receivers() && &*self.text(name) == "__class__" {
                    return self.w.store.one(Atom::Class { class, env });
                }
                if let Some(raw) = self.class_attr(class, env, name) {
                    if let Some(v) = self.by_descriptor(frame, raw, receiver, site) {
                        return v;
                    }
                    let bound = self.bind_attr(raw, receiver, class);
                    let v = self.run_properties(frame, bound, receiver, class, site);
                    // What stands in the class holds until a method sets it.
                    let fixed = self.w.store.constants(raw).is_some() && open == Open::Yes;
                    return match self.field_of(class, name).filter(|_| fixed) {
                        Some(set) => self.w.store.join(v, set),
                        None => v,
                    };
                }
                if let Some(v) = self.field_of(class, name) {
                    return v;
                }
                if let Some(v) = self.by_getattr(frame, class, receiver, name, site) {
                    return v;
                }
                for base in self.lib_bases(class) {
                    if self.class_member(base, name).is_some() {
                        return self.member_value(base, name, receiver, site);
                    }
                }
                self.w.store.one(Atom::Member { receiver, name })
            }
            Atom::Class { class, env } => {
                let receiver = self.w.store.one(Atom::Class { class, env });
                if name == self.n.name_attr {
                    let text = self.p.class(class).name;
                    return self.w.store.konst(Const::Str(text));
                }
                if let Some(raw) = self.class_attr(class, env, name) {
                    let raw = self.unbound(raw, env);
                    let mut all = Vec::new();
                    for atom in self.w.store.atoms_of(raw) {
                        match atom {
                            Atom::LibObject {
                                class: kind, data, ..
                            } if kind == self.n.staticmethod => {
                                let data = self.unbound(data, env);
                                all.extend(self.w.store.atoms_of(data));
                            }
                            Atom::LibObject {
                                class: kind, data, ..
                            } if kind == self.n.classmethod => {
                                let bound = self.bind_attr(data, receiver, class);
                                all.extend(self.w.store.atoms_of(bound));
                            }
                            other => all.push(other),
                        }
                    }
                    return self.w.store.bounded_value(all);
                }
                // What a library gives its classes: a model's manager.
                for base in self.lib_bases(class) {
                    let held = self
                        .class_member(base, name)
                        .is_some_and(|id| self.m.get(id).is.is_some());
                    if held {
                        return self.member_value(base, name, receiver, site);
                    }
                }
                self.w.store.one(Atom::Member { receiver, name })
            }
            Atom::Super { class, receiver } => {
                let own = self.receiver_class(receiver).unwrap_or(class);
                let env = self.class_env(receiver);
                let order = self.order_of(own);
                let after = order
                    .iter()
                    .position(|b| *b == Base::Own(class))
                    .map_or(0, |i| i + 1);
                for base in &order[after..] {
                    match base {
                        Base::Own(c) => {
                            let brought = self.brought(*c, env, name);
                            let raw = brought.or_else(|| self.w.read(Place::ClassAttr(*c, name)));
                            if let Some(raw) = raw {
                                // `__new__` is a static method, whatever is written.
                                if &*self.text(name) == "__new__" {
                                    return raw;
                                }
                                return self.bind_attr(raw, receiver, own);
                            }
                        }
                        Base::Lib(path) => {
                            if self.class_member(*path, name).is_some() {
                                return self.member_value(*path, name, receiver, site);
                            }
                        }
                        Base::Unknown => {}
                    }
                }
                self.w.store.one(Atom::Member { receiver, name })
            }
            Atom::Module(unit) => self.module_attr(unit, name),
            Atom::Namespace(path) => self.namespace_attr(path, name),
            Atom::Fn { function, .. } | Atom::Method { function, .. }
                if name == self.n.name_attr =>
            {
                let text = self.p.function(function).name;
                self.w.store.konst(Const::Str(text))
            }
            Atom::Fn { function, env }
                if self.w.tasks.contains(&function) && &*self.text(name) == "delay" =>
            {
                self.task(function, env)
            }
            other => {
                let receiver = self.w.store.one(other);
                self.w.store.one(Atom::Member { receiver, name })
            }
        }
    }

    /// A function that a queue runs, as it is called then: one that is bound gets itself first.
    pub(crate) fn task(&mut self, function: FnId, env: EnvId) -> V {
        let first = self.p.function(function).params.first();
        let bound = first.is_some_and(|param| &*self.text(param.name) == "self");
        let raw = Atom::Fn { function, env };
        if bound {
            let receiver = self.w.store.unknown();
            return self.w.store.one(Atom::Method {
                function,
                env,
                receiver,
            });
        }
        self.w.store.one(raw)
    }

    /// What handlers left on a request: those that hand it on, and for who sees it afterwards the last one too.
    fn left_on_request(&mut self, path: Name, name: Name) -> Option<V> {
        let before = self.w.read(Place::LibAttr(path, name));
        if !self.afterwards {
            self.w.passes_over(Place::Afterwards(path, name));
            return before;
        }
        let last = self.w.read(Place::Afterwards(path, name));
        match (before, last) {
            (Some(before), Some(last)) => Some(self.w.store.join(before, last)),
            (before, last) => before.or(last),
        }
    }

    /// The class of a request or an answer, which handlers hand on to each other, as a place for what they
    /// leave on it.
    pub(crate) fn of_request(&self, class: Name) -> Option<Name> {
        if self.is_go() || self.is_java() {
            return None;
        }
        let text = self.text(class);
        if !self.is_javascript() {
            return text.ends_with("Request").then_some(class);
        }
        let one = Self::is_of_one_request(&text);
        (one || text.ends_with("Locals")).then_some(class)
    }

    /// Whether an object of the class belongs to one request only.
    pub(crate) fn is_of_one_request(class: &str) -> bool {
        ["Request", "Response", "Context", "Message"]
            .iter()
            .any(|end| class.ends_with(end))
    }

    pub(crate) fn field_of(&mut self, class: ClassId, name: Name) -> Option<V> {
        let mut out = None;
        for base in self.order_of(class).iter().copied() {
            if let Base::Own(c) = base
                && let Some(v) = self.w.read(Place::Field(c, name))
            {
                let v = self.shared(v);
                out = Some(match out {
                    Some(before) => self.w.store.join(before, v),
                    None => v,
                });
            }
        }
        out
    }

    pub(crate) fn receiver_class(&self, receiver: V) -> Option<ClassId> {
        self.w.store.atoms(receiver).find_map(|a| match a {
            Atom::Object { class, .. } | Atom::Class { class, .. } => Some(*class),
            _ => None,
        })
    }

    pub(crate) fn run_properties(
        &mut self,
        frame: &mut Frame,
        bound: V,
        receiver: V,
        class: ClassId,
        site: Site,
    ) -> V {
        let property = self.n.property;
        let is_property =
            |a: &Atom| matches!(a, Atom::LibObject { class, .. } if *class == property);
        if !self.w.store.atoms(bound).any(is_property) {
            return bound;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(bound) {
            let one = match atom {
                Atom::LibObject {
                    class: kind, data, ..
                } if kind == property => {
                    let getter = self.bind_attr(data, receiver, class);
                    let got = self.call_value(frame, site.inst, getter, &Args::default());
                    got.ret.unwrap_or(V::NEVER)
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    pub(crate) fn request_method(&mut self, site: Site) -> V {
        let mut label = Label::new(Origin::Method);
        let what = self.name("request method");
        label.trace = self.w.store.hop(crate::label::Hop {
            parent: label.trace,
            kind: TraceKind::Source,
            site,
            what,
        });
        let set = self.w.store.single(label);
        self.w.store.data(set)
    }

    pub(crate) fn path_of(&self, attrs: &[(Name, V)]) -> Option<Name> {
        let (_, v) = attrs.iter().find(|(n, _)| *n == self.n.path)?;
        self.w.store.constant_str(*v)
    }

    pub(crate) fn set_attr(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        name: Name,
        value: V,
    ) -> V {
        let site = self.site(frame, index);
        // An attribute that nothing is known of, written back after a call on it.
        if let Some(Atom::Member {
            receiver,
            name: read,
        }) = self.w.store.only(value)
            && *read == name
            && self.w.store.deep(*receiver) == self.w.store.deep(base)
        {
            return base;
        }
        let mut all = Vec::new();
        let single = self.w.store.only(base).is_some();
        for atom in self.w.store.atoms_of(base) {
            self.assigned(frame, index, base, &atom, name, value);
            if let Atom::Object { class, .. } = atom {
                self.privilege_set(frame, index, class, name, value);
            }
            if self.has_receivers()
                && let Some(v) = self.set_property(frame, site, &atom, name, value, single)
            {
                all.extend(self.w.store.atoms_of(v));
                continue;
            }
            // The library whose object or module it is may call what it finds there.
            if matches!(atom, Atom::LibObject { .. } | Atom::Lib(_) | Atom::Data(_)) {
                self.escape_code(value, site, "a library's object");
            }
            if matches!(atom, Atom::Object { .. }) && !self.has_receivers() {
                let one = self.w.store.one(atom.clone());
                let set = match &*self.text(name) {
                    "__dict__" => Some(self.with_attributes(frame, index, one, value)),
                    _ => match self.by_setter(frame, index, &atom, name, value) {
                        Some(v) => Some(v),
                        None => self.by_setattr(frame, index, &atom, name, value),
                    },
                };
                if let Some(v) = set {
                    all.extend(self.w.store.atoms_of(v));
                    continue;
                }
            }
            all.push(match atom {
                Atom::Object { class, attrs, open } => {
                    // What a call on a field that nothing is known of leaves says nothing.
                    if !self.is_java() || value != self.w.store.unknown() {
                        frame.effects.push((Place::Field(class, name), site, value));
                    }
                    // A new version of what the class has, for all of its instances.
                    if !self.has_receivers()
                        && attrs.iter().all(|(n, _)| *n != name)
                        && self.is_version(frame, index)
                        && let Some(holder) = self.holder_of(class, name)
                    {
                        frame
                            .effects
                            .push((Place::ClassAttr(holder, name), site, value));
                    }
                    let attrs = self.with_attr(&attrs, name, value, single);
                    Atom::Object { class, attrs, open }
                }
                Atom::LibObject { class, attrs, data } => {
                    let own = self.is_kept(class) && self.class_member(class, name).is_some();
                    let path = self.path_of(&attrs).or_else(|| self.of_request(class));
                    if let Some(path) = path
                        && !own
                    {
                        frame
                            .effects
                            .push((Place::LibAttr(path, name), site, value));
                    }
                    let attrs = self.with_attr(&attrs, name, value, single);
                    Atom::LibObject { class, attrs, data }
                }
                Atom::Module(unit) => {
                    frame.effects.push((Place::Global(unit, name), site, value));
                    Atom::Module(unit)
                }
                Atom::Class { class, env } => {
                    let holder = match self.is_version(frame, index) {
                        true => self.holder_of(class, name).unwrap_or(class),
                        false => class,
                    };
                    frame
                        .effects
                        .push((Place::ClassAttr(holder, name), site, value));
                    Atom::Class { class, env }
                }
                Atom::Lib(path) => {
                    frame
                        .effects
                        .push((Place::LibAttr(path, name), site, value));
                    Atom::Lib(path)
                }
                // A part of something unknown is an object too.
                Atom::Member { receiver, .. } if self.has_receivers() => {
                    let deep = self.w.store.deep(receiver);
                    let data = self.w.store.data(deep);
                    let class = self.n.object;
                    Atom::LibObject {
                        class,
                        attrs: Box::new([(name, value)]),
                        data,
                    }
                }
                Atom::Data(labels) => {
                    let data = self.w.store.data(labels);
                    let class = self.n.object;
                    Atom::LibObject {
                        class,
                        attrs: Box::new([(name, value)]),
                        data,
                    }
                }
                other => {
                    self.escape(
                        value,
                        site,
                        "an attribute of an object that is not followed",
                        0,
                    );
                    other
                }
            });
        }
        self.w.store.bounded_value(all)
    }

    /// Whether the attribute that is set here is what was read from it, and changed.
    fn is_version(&self, frame: &Frame, index: u32) -> bool {
        let function = self.p.function(frame.f);
        let op = function.insts.get(index as usize).map(|inst| &inst.op);
        let Some(Op::SetAttr { value, .. }) = op else {
            return false;
        };
        matches!(
            function.op(*value),
            Op::After { .. } | Op::SetIndex { .. } | Op::SetAttr { .. } | Op::DelIndex { .. }
        )
    }

    pub(crate) fn with_attr(
        &mut self,
        attrs: &[(Name, V)],
        name: Name,
        value: V,
        strong: bool,
    ) -> Box<[(Name, V)]> {
        let value = self.w.store.shallow(value);
        let mut out = attrs.to_vec();
        let room = out.len() < MAX_KIDS * 4;
        match out.iter_mut().find(|(n, _)| *n == name) {
            Some((_, have)) if strong => *have = value,
            Some((_, have)) => *have = self.w.store.join(*have, value),
            None if room => out.push((name, value)),
            None => {}
        }
        out.into()
    }
}
