//! What Python calls without a call being written: methods with names of their own, and functions that speak of names.

use solvent_base::Name;
use solvent_ir::{BinaryOp, CompareOp, Const};

use crate::call::{Args, Out};
use crate::label::Link;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Place;

/// Under this name stands what was sent into generators.
const SENT: &str = "<sent>";
/// Under this name a property keeps what sets it.
const SETTER: &str = "<setter>";

fn of_operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "add",
        BinaryOp::Sub => "sub",
        BinaryOp::Mul => "mul",
        BinaryOp::Div => "truediv",
        BinaryOp::FloorDiv => "floordiv",
        BinaryOp::Mod => "mod",
        BinaryOp::Pow => "pow",
        BinaryOp::MatMul => "matmul",
        BinaryOp::BitAnd => "and",
        BinaryOp::BitOr => "or",
        BinaryOp::BitXor => "xor",
        BinaryOp::ShiftLeft => "lshift",
        BinaryOp::ShiftRight => "rshift",
    }
}

impl Machine<'_> {
    fn is_instance(&self, v: V) -> bool {
        let own = |a: &Atom| matches!(a, Atom::Object { .. });
        !self.has_receivers() && self.w.store.atoms(v).any(own)
    }

    /// A method that the instances among the alternatives have, called on each; what the calls give.
    fn on_instances(
        &mut self,
        frame: &mut Frame,
        index: u32,
        v: V,
        method: &str,
        args: &[V],
    ) -> Option<Out> {
        let name = self.name(method);
        let mut out: Option<Out> = None;
        for atom in self.w.store.atoms_of(v) {
            let Atom::Object { class, .. } = atom else {
                continue;
            };
            let receiver = self.w.store.one(atom);
            let Some(method) = self.method_of(class, name, receiver) else {
                continue;
            };
            let one = self.call_value(frame, index, method, &Args::of(args));
            out = Some(match out {
                None => one,
                Some(before) => Out {
                    ret: self.both(before.ret, one.ret),
                    receiver: self.both(before.receiver, one.receiver),
                    afters: Vec::new(),
                },
            });
        }
        out
    }

    fn both(&mut self, a: Option<V>, b: Option<V>) -> Option<V> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// `a + b` and its like, by the methods of the program's classes.
    pub(crate) fn by_operator_methods(
        &mut self,
        frame: &mut Frame,
        index: u32,
        op: BinaryOp,
        left: V,
        right: V,
    ) -> Option<V> {
        if !self.is_instance(left) && !self.is_instance(right) {
            return None;
        }
        let name = of_operator(op);
        let mut out = None;
        // In place, where it is written so: both are made from one instruction.
        for method in [format!("__i{name}__"), format!("__{name}__")] {
            if let Some(got) = self.on_instances(frame, index, left, &method, &[right]) {
                out = self.both(out, got.ret);
                break;
            }
        }
        if out.is_none() {
            let method = format!("__r{name}__");
            let got = self.on_instances(frame, index, right, &method, &[left]);
            out = got.and_then(|got| got.ret);
        }
        out
    }

    /// `a in b`, `a == b` and their like, where a method of the program decides.
    pub(crate) fn by_comparison_methods(
        &mut self,
        frame: &mut Frame,
        index: u32,
        op: CompareOp,
        left: V,
        right: V,
    ) -> Option<V> {
        if !self.is_instance(left) && !self.is_instance(right) {
            return None;
        }
        let (on, method, given) = match op {
            CompareOp::In | CompareOp::NotIn => (right, "__contains__", left),
            CompareOp::Eq => (left, "__eq__", right),
            CompareOp::NotEq => (left, "__ne__", right),
            CompareOp::Lt => (left, "__lt__", right),
            CompareOp::LtEq => (left, "__le__", right),
            CompareOp::Gt => (left, "__gt__", right),
            CompareOp::GtEq => (left, "__ge__", right),
            CompareOp::Is | CompareOp::IsNot => return None,
        };
        let mut got = self.on_instances(frame, index, on, method, &[given]);
        if got.is_none() && op == CompareOp::NotEq {
            got = self.on_instances(frame, index, on, "__eq__", &[given]);
        }
        if got.is_none() && on == left {
            let turned = match op {
                CompareOp::Lt => "__gt__",
                CompareOp::LtEq => "__ge__",
                CompareOp::Gt => "__lt__",
                CompareOp::GtEq => "__le__",
                _ => "__eq__",
            };
            got = self.on_instances(frame, index, right, turned, &[left]);
        }
        got.map(|_| self.w.store.unknown())
    }

    /// What runs when a `with` ends.
    pub(crate) fn left_context(&mut self, frame: &mut Frame, index: u32, v: V) {
        if !self.is_instance(v) {
            return;
        }
        let unknown = self.w.store.unknown();
        for method in ["__exit__", "__aexit__"] {
            self.on_instances(frame, index, v, method, &[unknown, unknown, unknown]);
        }
    }

    /// A property with what sets it.
    pub(crate) fn with_setter(&mut self, property: V, setter: V) -> V {
        let name = self.name(SETTER);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(property) {
            let one = match atom {
                Atom::LibObject { class, attrs, data } if class == self.n.property => {
                    let attrs = self.with_attr(&attrs, name, setter, true);
                    Atom::LibObject { class, attrs, data }
                }
                other => other,
            };
            let one = self.w.store.one(one);
            out = self.w.store.join(out, one);
        }
        out
    }

    /// `x.name = value`, where the class of `x` has a property of that name that is set by a function, or an object
    /// with `__set__`.
    pub(crate) fn by_setter(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        name: Name,
        value: V,
    ) -> Option<V> {
        let Atom::Object { class, .. } = atom else {
            return None;
        };
        let receiver = self.w.store.one(atom.clone());
        let raw = self.class_attr(*class, crate::value::EnvId::EMPTY, name)?;
        for one in self.w.store.atoms_of(raw) {
            match one {
                Atom::LibObject {
                    class: kind, attrs, ..
                } if kind == self.n.property => {
                    let setter = self.name(SETTER);
                    let Some((_, setter)) = attrs.iter().find(|(n, _)| *n == setter) else {
                        continue;
                    };
                    let bound = self.bind_attr(*setter, receiver, *class);
                    let out = self.call_value(frame, index, bound, &Args::of(&[value]));
                    return Some(out.receiver.unwrap_or(receiver));
                }
                // What it sets on the instance is one of its attributes: by its name, too.
                Atom::Object { .. } => {
                    let one = self.w.store.one(one);
                    self.on_instances(frame, index, one, "__set__", &[receiver, value]);
                }
                _ => {}
            }
        }
        None
    }

    /// Fields that a class says how to make, and its `__post_init__`: of what a library makes the constructor.
    pub(crate) fn made_by_fields(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        object: V,
    ) -> V {
        if self.has_receivers() {
            return object;
        }
        let mut object = object;
        let made = !self.p.class(class).decorators.is_empty() || !self.lib_bases(class).is_empty();
        if !made {
            return object;
        }
        for name in self.constructor_fields(class) {
            let Some(Atom::Object { attrs, .. }) = self.w.store.only(object) else {
                break;
            };
            if attrs.iter().any(|(n, _)| *n == name) {
                continue;
            }
            let Some(v) = self.class_attr(class, crate::value::EnvId::EMPTY, name) else {
                continue;
            };
            let own = |a: &Atom| matches!(a, Atom::Coll { .. } | Atom::Object { .. });
            if self.w.store.atoms(v).all(own)
                && let Some(Atom::Object { class, attrs, open }) =
                    self.w.store.only(object).cloned()
            {
                let attrs = self.with_attr(&attrs, name, v, true);
                object = self.w.store.one(Atom::Object { class, attrs, open });
            }
        }
        let out = self.on_instances(frame, index, object, "__post_init__", &[]);
        out.and_then(|out| out.receiver).unwrap_or(object)
    }

    /// A thread or a process of the program's class is started: its own `run` runs.
    pub(crate) fn started(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        receiver: V,
        method: &str,
    ) -> Option<Out> {
        if method != "start" {
            return None;
        }
        let runs = self.lib_bases(class).iter().any(|base| {
            matches!(
                &*self.text(*base),
                "threading.Thread" | "threading.Timer" | "multiprocessing.Process"
            )
        });
        if !runs {
            return None;
        }
        let out = self.on_instances(frame, index, receiver, "run", &[])?;
        Some(Out {
            ret: Some(self.w.store.none()),
            ..out
        })
    }

    /// Functions that make or read mappings of names, and what else the language's own functions do with objects.
    pub(crate) fn of_names(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        Some(Out::ret(match path {
            "builtins.locals" if args.count() == 0 => self.names_here(frame),
            "builtins.globals" if args.count() == 0 => self.w.store.one(Atom::Module(frame.unit)),
            "builtins.dict.fromkeys" | "collections.OrderedDict.fromkeys" => {
                let value = args.get(1, None).unwrap_or_else(|| self.w.store.none());
                let mut out = self
                    .w
                    .store
                    .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE);
                match self.exact_items(first?) {
                    Some(keys) => {
                        for key in keys {
                            out = self.set_index(frame, index, out, key, value);
                        }
                    }
                    None => {
                        let key = self.element(frame, index, first?);
                        out = self.set_index(frame, index, out, key, value);
                    }
                }
                out
            }
            "builtins.property" if args.count() > 0 => {
                let named = |name: &str| Some(self.name(name));
                let (get, set) = (named("fget"), named("fset"));
                let unknown = self.w.store.unknown();
                let getter = args.get(0, get).unwrap_or(unknown);
                let property = self.w.store.one(Atom::LibObject {
                    class: self.n.property,
                    attrs: Box::default(),
                    data: getter,
                });
                match args.get(1, set) {
                    Some(setter) => self.with_setter(property, setter),
                    None => property,
                }
            }
            "types.SimpleNamespace" | "argparse.Namespace" => {
                let attrs: Vec<(Name, V)> = args.named.iter().map(|(n, v, _)| (*n, *v)).collect();
                self.w.store.one(Atom::LibObject {
                    class: self.name("types.SimpleNamespace"),
                    attrs: attrs.into(),
                    data: args.keywords.unwrap_or(V::NEVER),
                })
            }
            "weakref.ref" | "weakref.proxy" | "weakref.WeakMethod" => {
                if path == "weakref.proxy" {
                    return Some(Out::ret(first?));
                }
                let function = self.w.store.lib(self.n.identity);
                self.w.store.one(Atom::Partial {
                    function,
                    args: Box::new([first?]),
                    named: Box::default(),
                })
            }
            "dataclasses.field" | "attr.ib" | "attrs.field" | "pydantic.Field" => {
                let named = |name: &str| {
                    let name = self.name(name);
                    let found = args.named.iter().find(|(n, _, _)| *n == name);
                    found.map(|(_, v, _)| *v)
                };
                let (default, makes) = (named("default"), named("default_factory"));
                let makes = makes.or_else(|| named("factory"));
                match (default, makes) {
                    (Some(default), _) => default,
                    (None, Some(makes)) => {
                        let made = self.call_value(frame, index, makes, &Args::default());
                        made.ret?
                    }
                    (None, None) => return None,
                }
            }
            "builtins.print" => {
                let file = self.name("file");
                let (_, to, source) = *args.named.iter().find(|(n, _, _)| *n == file)?;
                let written: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
                let written = self.w.store.join_all(written);
                let written = self.derive(written, &Link::Value);
                let after = self.given(to, written);
                let mut out = Out::ret(self.w.store.none());
                out.afters.extend(source.map(|source| (source, after)));
                return Some(out);
            }
            "heapq.heappush" | "bisect.insort" | "bisect.insort_left" | "bisect.insort_right" => {
                let (heap, source) = *args.pos.first()?;
                let append = self.name("append");
                let item = Args::of(&[args.get(1, None)?]);
                let pushed = self.call_member(frame, index, heap, append, &item);
                let mut out = Out::ret(self.w.store.none());
                if let (Some(source), Some(after)) = (source, pushed.receiver) {
                    out.afters.push((source, after));
                }
                return Some(out);
            }
            "heapq.heappop" | "heapq.heappushpop" | "heapq.heapreplace" => {
                let v = self.element(frame, index, first?);
                match args.get(1, None) {
                    Some(item) => self.w.store.join(v, item),
                    None => v,
                }
            }
            "traceback.format_exc"
            | "sys.exc_info"
            | "sys.exception"
            | "traceback.format_exception" => self.caught_here(frame, path),
            _ => {
                // `str.strip(x)`
                let (class, method) = path.rsplit_once('.')?;
                let of_class = matches!(
                    class,
                    "builtins.str" | "builtins.bytes" | "builtins.dict" | "builtins.list"
                );
                if !of_class || args.pos.is_empty() {
                    return None;
                }
                let mut rest = args.clone();
                let (receiver, source) = rest.pos.remove(0);
                let method = self.name(method);
                let mut out = self.call_member(frame, index, receiver, method, &rest);
                if let (Some(source), Some(after)) = (source, out.receiver.take()) {
                    out.afters.push((source, after));
                }
                return Some(out);
            }
        }))
    }

    /// The exception that a handler is at work on, here or in a caller.
    fn caught_here(&mut self, frame: &Frame, path: &str) -> V {
        let mut all = V::NEVER;
        for v in frame.caught.values() {
            all = self.w.store.join(all, *v);
        }
        let kept = self.w.read(self.caught_place());
        all = self.w.store.join(all, kept.unwrap_or(V::NEVER));
        if path.starts_with("traceback.") {
            return self.derive(all, &Link::Value);
        }
        if path == "sys.exception" {
            return all;
        }
        let unknown = self.w.store.unknown();
        let kids = vec![
            (Const::Int(0), unknown),
            (Const::Int(1), all),
            (Const::Int(2), unknown),
        ];
        self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE)
    }

    /// Where exceptions are found that others were raised from.
    pub(crate) fn caught_place(&self) -> Place {
        Place::LibAttr(self.name("<exceptions>"), self.name("<caught>"))
    }

    /// `e.__cause__`, `e.__context__`: what any handler had caught when it raised another one.
    pub(crate) fn raised_before(&mut self, name: Name) -> Option<V> {
        let text = self.text(name);
        if self.has_receivers() || !matches!(&*text, "__cause__" | "__context__") {
            return None;
        }
        let place = self.caught_place();
        self.w.read(place)
    }

    /// A handler raises another exception: the one that it had caught can be read from that.
    pub(crate) fn raised_from(&mut self, frame: &mut Frame, index: u32) {
        if self.has_receivers() || frame.caught.is_empty() {
            return;
        }
        let mut all = V::NEVER;
        for v in frame.caught.clone().into_values() {
            all = self.w.store.join(all, v);
        }
        if self.w.store.deep(all) != Ls::NONE {
            let (place, site) = (self.caught_place(), self.site(frame, index));
            frame.effects.push((place, site, all));
        }
    }

    /// Everything with a label that this activation has at hand.
    fn names_here(&mut self, frame: &Frame) -> V {
        let mut labels = Ls::NONE;
        for v in frame.args.iter().chain(&frame.vals) {
            let deep = self.w.store.deep(*v);
            labels = self.w.store.union(labels, deep);
        }
        let any = self.w.store.data(labels);
        self.w.store.coll(CollKind::Dict, Vec::new(), any, Ls::NONE)
    }

    /// Reading or writing the names of a module as a mapping: `globals()["x"]`.
    pub(crate) fn name_of_module(
        &mut self,
        frame: &mut Frame,
        unit: crate::link::UnitId,
        key: V,
        site: Site,
    ) -> V {
        let module = self.w.store.one(Atom::Module(unit));
        let Some(names) = self.w.store.constants(key) else {
            let found = self.attributes_like(frame, module, key, site);
            return found
                .or_else(|| self.any_attr(frame, module, key, site))
                .unwrap_or_else(|| self.w.store.unknown());
        };
        let mut out = V::NEVER;
        for name in names {
            if let Const::Str(name) = name {
                let one = self.module_attr(unit, name);
                out = self.w.store.join(out, one);
            }
        }
        out
    }

    /// Methods of instances of libraries' classes that the interpreter knows: generators, namespaces, and mappings that
    /// have attributes.
    pub(crate) fn python_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        match atom {
            Atom::Coll {
                kind: CollKind::Iter,
                ..
            } if matches!(method, "send" | "asend") => {
                let v = first?;
                if self.w.store.deep(v) != Ls::NONE {
                    let (place, site) = (self.sent_place(), self.site(frame, index));
                    frame.effects.push((place, site, v));
                }
                None
            }
            Atom::Module(unit) if matches!(method, "get" | "pop" | "setdefault") => {
                let site = self.site(frame, index);
                let v = self.name_of_module(frame, *unit, first?, site);
                let default = args.get(1, None).unwrap_or(V::NEVER);
                Some(Out::ret(self.w.store.join(v, default)))
            }
            Atom::LibObject { class, attrs, .. }
                if matches!(method, "get" | "pop" | "setdefault")
                    && (self.is_kept(*class)
                        || self
                            .path_of(attrs)
                            .is_some_and(|path| &*self.text(path) == "flask.g")) =>
            {
                let name = self.w.store.constant_str(first?)?;
                let path = self.path_of(attrs)?;
                let v = self.w.read(Place::LibAttr(path, name))?;
                let default = args.get(1, None).unwrap_or(V::NEVER);
                Some(Out::ret(self.w.store.join(v, default)))
            }
            _ => None,
        }
    }

    /// A request as a mapping, which those in front of a handler fill.
    pub(crate) fn kept_by_key(&self, class: Name) -> Option<Name> {
        let text = self.text(class);
        (!self.has_receivers() && text.ends_with("Request")).then_some(class)
    }

    fn sent_place(&self) -> Place {
        Place::LibAttr(self.name("<generators>"), self.name(SENT))
    }

    /// What `yield` gives: something that was sent.
    pub(crate) fn sent_in(&mut self) -> V {
        if self.has_receivers() {
            return self.w.store.unknown();
        }
        let place = self.sent_place();
        match self.w.read(place) {
            Some(v) => {
                let unknown = self.w.store.unknown();
                self.w.store.join(v, unknown)
            }
            None => self.w.store.unknown(),
        }
    }

    /// What calls left in the default of a parameter: it is made once.
    pub(crate) fn kept_in_default(&mut self, f: FnId, param: Name, default: V) -> V {
        if self.has_receivers() || !self.is_mutable(default) {
            return default;
        }
        match self.w.read(Place::Cell(f, param)) {
            Some(left) => {
                let v = self.w.store.join(default, left);
                self.shared(v)
            }
            None => default,
        }
    }

    fn is_mutable(&self, v: V) -> bool {
        let is = |a: &Atom| {
            matches!(
                a,
                Atom::Coll {
                    kind: CollKind::List | CollKind::Dict | CollKind::Set,
                    ..
                } | Atom::Object { .. }
            )
        };
        v != V::NEVER && self.w.store.atoms(v).any(is)
    }

    /// A call that left a default's object changed.
    pub(crate) fn default_changed(
        &mut self,
        frame: &mut Frame,
        index: u32,
        f: FnId,
        param: usize,
        after: V,
    ) {
        let function = self.p.function(f);
        let Some(given) = function.params.get(param) else {
            return;
        };
        if self.has_receivers() || given.default.is_none() || !self.is_mutable(after) {
            return;
        }
        let site = self.site(frame, index);
        frame
            .effects
            .push((Place::Cell(f, given.name), site, after));
    }
}
