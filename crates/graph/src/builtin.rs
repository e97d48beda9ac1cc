//! Classes of the program that are containers or texts of the language: what their instances hold, and what methods
//! that they inherit do with it. And objects that are made without their class being called.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Open, V};
use crate::world::Base;

/// Library classes whose instances are containers or texts, and the builtin that each is like.
fn like(path: &str) -> Option<&'static str> {
    Some(match path {
        "builtins.dict"
        | "collections.OrderedDict"
        | "collections.defaultdict"
        | "collections.Counter"
        | "collections.UserDict"
        | "typing.Dict"
        | "typing.DefaultDict"
        | "typing.OrderedDict" => "builtins.dict",
        "builtins.list" | "collections.UserList" | "collections.deque" | "typing.List" => {
            "builtins.list"
        }
        "builtins.set" | "builtins.frozenset" | "typing.Set" => "builtins.set",
        "builtins.tuple" => "builtins.tuple",
        "builtins.str" | "collections.UserString" => "builtins.str",
        "builtins.bytes" | "builtins.bytearray" => "builtins.bytes",
        _ => return None,
    })
}

/// Whether the abstract class gives methods that are made of others: `get` of `__getitem__`.
fn is_abstract(path: &str) -> bool {
    let class = path
        .strip_prefix("collections.abc.")
        .or_else(|| path.strip_prefix("typing."));
    class.is_some_and(|class| {
        matches!(
            class,
            "Mapping" | "MutableMapping" | "Sequence" | "MutableSequence"
        )
    })
}

impl Machine<'_> {
    /// The library's class that makes instances of a class containers or texts.
    fn held_by(&self, class: ClassId) -> Option<Name> {
        let bases = self.lib_bases(class);
        bases
            .into_iter()
            .find(|base| like(&self.text(*base)).is_some())
    }

    /// The attribute under which instances hold what they are: those of `collections.User...` have one of their own.
    fn held_under(&self, base: Name) -> Name {
        match self.text(base).starts_with("collections.User") {
            true => self.name("data"),
            false => self.n.held,
        }
    }

    /// What an instance holds, where it is a container or a text.
    pub(crate) fn held_of(&self, atom: &Atom) -> Option<V> {
        let Atom::Object { class, attrs, .. } = atom else {
            return None;
        };
        if self.has_receivers() {
            return None;
        }
        let find = |name: Name| attrs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        match find(self.n.held) {
            Some(v) => Some(v),
            None => {
                let under = self.held_under(self.held_by(*class)?);
                find(under)
            }
        }
    }

    /// The same of a value that is one such instance, and nothing else.
    pub(crate) fn held_in_only(&self, v: V) -> Option<V> {
        self.held_of(self.w.store.only(v)?)
    }

    /// The instance, holding something else.
    pub(crate) fn holding(&mut self, atom: &Atom, v: V) -> V {
        let Atom::Object { class, attrs, open } = atom else {
            return self.w.store.one(atom.clone());
        };
        let under = match self.held_by(*class) {
            Some(base) => self.held_under(base),
            None => self.n.held,
        };
        let attrs = self.with_attr(attrs, under, v, true);
        self.w.store.one(Atom::Object {
            class: *class,
            attrs,
            open: *open,
        })
    }

    /// What a fresh instance of a class holds that is made with these arguments; `own_init`: they are for an
    /// `__init__` of the program, and a container is empty before it.
    pub(crate) fn holds_at_first(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        args: &Args,
        own_init: bool,
    ) -> Option<(Name, V)> {
        if self.has_receivers() {
            return None;
        }
        let base = self.held_by(class)?;
        let kind = like(&self.text(base))?;
        let changes = matches!(kind, "builtins.dict" | "builtins.list" | "builtins.set");
        let none = Args::default();
        let given = if own_init && changes { &none } else { args };
        let v = self.made_like(frame, index, base, kind, given);
        Some((self.held_under(base), v))
    }

    fn made_like(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: Name,
        kind: &str,
        args: &Args,
    ) -> V {
        let mut args = args.clone();
        if &*self.text(base) == "collections.defaultdict" && !args.pos.is_empty() {
            // What makes values for keys that are missing.
            let (makes, _) = args.pos.remove(0);
            let made = self.call_value(frame, index, makes, &Args::default());
            let inner = self.made_like(frame, index, self.name(kind), kind, &args);
            let unknown = self.w.store.unknown();
            let made = made.ret.unwrap_or(unknown);
            return match self.w.store.only(inner).cloned() {
                Some(Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                }) => {
                    let rest = self.w.store.join(rest, made);
                    self.w.store.coll(kind, kids.to_vec(), rest, keys)
                }
                _ => inner,
            };
        }
        let path = self.name(kind);
        let got = self.call_lib(frame, index, path, &args).ret;
        got.unwrap_or_else(|| self.w.store.unknown())
    }

    /// A method of an instance that its class inherits from the language, by what the instance holds.
    pub(crate) fn inherited(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let Atom::Object { class, .. } = atom else {
            return None;
        };
        if self.has_receivers() {
            return None;
        }
        let receiver = self.w.store.one(atom.clone());
        let method = self.text(name);
        let none = self.w.store.none();
        let arg = |at: usize| args.get(at, None);
        match &*method {
            "__setattr__" => {
                let (key, value) = (arg(0)?, arg(1)?);
                let key = self.w.store.constant_str(key)?;
                let v = self.set_attr(frame, index, receiver, key, value);
                return Some(Out {
                    ret: Some(none),
                    afters: Vec::new(),
                    receiver: Some(v),
                });
            }
            "__getattribute__" => {
                let key = self.w.store.constant_str(arg(0)?)?;
                let site = self.site(frame, index);
                return Some(Out::ret(self.attr(frame, receiver, key, site)));
            }
            _ => {}
        }
        if let Some(out) = self.started(frame, index, *class, receiver, &method) {
            return Some(out);
        }
        let Some(held) = self.held_of(atom) else {
            return self.of_abstract(frame, index, *class, receiver, &method, args);
        };
        let (ret, new) = match &*method {
            "__getitem__" | "__setitem__" | "__delitem__" => {
                self.special(frame, index, held, &method, args)?
            }
            "__iter__" | "__reversed__" | "__copy__" | "__or__" if args.count() == 0 => {
                (held, None)
            }
            "__str__" | "__repr__" => (self.derive(held, &crate::label::Link::Value), None),
            "__init__" => {
                let base = self.held_by(*class)?;
                let kind = like(&self.text(base))?;
                let made = match kind {
                    "builtins.dict" | "builtins.list" | "builtins.set" => {
                        self.made_like(frame, index, base, kind, args)
                    }
                    // It was made before.
                    _ => held,
                };
                (none, Some(made))
            }
            "copy" if args.count() == 0 => (receiver, None),
            _ => {
                let out = self.call_member(frame, index, held, name, args);
                let receiver = out.receiver.map(|v| self.holding(atom, v));
                return Some(Out { receiver, ..out });
            }
        };
        let receiver = new.map(|v| self.holding(atom, v));
        Some(Out {
            ret: Some(ret),
            afters: Vec::new(),
            receiver,
        })
    }

    /// What `container.__getitem__(key)` and its like do, called by their names.
    fn special(
        &mut self,
        frame: &mut Frame,
        index: u32,
        held: V,
        method: &str,
        args: &Args,
    ) -> Option<(V, Option<V>)> {
        let key = args.get(0, None)?;
        let none = self.w.store.none();
        Some(match method {
            "__getitem__" => (self.index(frame, index, held, key), None),
            "__setitem__" => {
                let value = args.get(1, None)?;
                (none, Some(self.set_index(frame, index, held, key, value)))
            }
            "__delitem__" => (none, Some(self.del_index(held, key))),
            _ => return None,
        })
    }

    /// The same of a container of the language.
    pub(crate) fn special_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let Atom::Coll { .. } = atom else {
            return None;
        };
        if self.has_receivers() || !self.text(name).starts_with("__") {
            return None;
        }
        let held = self.w.store.one(atom.clone());
        let (ret, receiver) = self.special(frame, index, held, &self.text(name), args)?;
        Some(Out {
            ret: Some(ret),
            afters: Vec::new(),
            receiver,
        })
    }

    /// The attributes of an instance as a mapping: `vars(x)`, `x.__dict__`.
    pub(crate) fn attributes(&mut self, atom: &Atom) -> Option<V> {
        let Atom::Object { class, attrs, .. } = atom else {
            return None;
        };
        let mut rest = V::NEVER;
        let mut kids: Vec<(Const, V)> = Vec::new();
        for (name, v) in attrs {
            if *name == self.n.any {
                rest = *v;
            } else if !self.text(*name).starts_with('<') {
                kids.push((Const::Str(*name), *v));
            }
        }
        // What methods set on instances that are not seen here.
        if kids.is_empty() {
            let unknown = self.w.store.unknown();
            rest = self.w.store.join(rest, unknown);
            for name in self.fields_set(*class) {
                if let Some(v) = self.field_of(*class, name) {
                    kids.push((Const::Str(name), v));
                }
            }
        }
        Some(self.w.store.coll(CollKind::Dict, kids, rest, Ls::NONE))
    }

    /// Names that the methods of a class set on their receiver.
    fn fields_set(&self, class: ClassId) -> Vec<Name> {
        let mut out = Vec::new();
        for (_, f) in self.methods_in(class) {
            for inst in &self.p.function(f).insts {
                if let solvent_ir::Op::SetAttr { name, .. } = inst.op
                    && !out.contains(&name)
                    && out.len() < crate::value::MAX_KIDS
                {
                    out.push(name);
                }
            }
        }
        out
    }

    /// An instance whose attributes are those of a mapping: `x.__dict__.update(..)`.
    pub(crate) fn with_attributes(
        &mut self,
        frame: &mut Frame,
        index: u32,
        object: V,
        attributes: V,
    ) -> V {
        let mut out = object;
        for atom in self.w.store.atoms_of(attributes) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    ..
                } => {
                    for (key, v) in &*kids {
                        if let Const::Str(name) = key {
                            out = self.set_attr(frame, index, out, *name, *v);
                        }
                    }
                    if self.w.store.deep(rest) != Ls::NONE {
                        out = self.set_any_attr(out, rest);
                    }
                }
                other => {
                    let one = self.w.store.one(other);
                    let labels = self.w.store.deep(one);
                    if labels != Ls::NONE {
                        let v = self.w.store.data(labels);
                        out = self.set_any_attr(out, v);
                    }
                }
            }
        }
        out
    }

    /// `setattr(x, name, v)` of a name that is one of several, or not known.
    pub(crate) fn set_under_some(
        &mut self,
        frame: &mut Frame,
        index: u32,
        object: V,
        name: V,
        value: V,
    ) -> V {
        let Some(names) = self.w.store.constants(name) else {
            return self.set_any_attr(object, value);
        };
        let mut out = object;
        for name in names {
            if let Const::Str(name) = name {
                let one = self.set_attr(frame, index, object, name, value);
                out = self.w.store.join(out, one);
            }
        }
        out
    }

    /// What the program itself put into the environment, under the name that is asked for.
    pub(crate) fn variable_written(
        &mut self,
        frame: &mut Frame,
        index: u32,
        args: &Args,
    ) -> Option<V> {
        let key = args.get(0, None)?;
        let path = self.name("os.environ");
        let environment = self.lib_value(path);
        let attribute = self.name("environ");
        let module = self.name("os");
        let put = crate::world::Place::LibAttr(module, attribute);
        let environment = match self.w.read(put) {
            Some(put) => self.w.store.join(environment, put),
            None => environment,
        };
        let v = self.index(frame, index, environment, key);
        // What the program is started with is spoken of where it is read as a mapping.
        let v = self.w.store.map_labels(v, &mut |store, set| {
            let labels = store.labels(set).iter().copied();
            let kept = labels.filter(|label| label.origin != crate::label::Origin::Local);
            let kept = kept.collect();
            store.set(kept)
        });
        if self.w.store.deep(v) == Ls::NONE {
            return None;
        }
        let default = args.get(1, None).unwrap_or(V::NEVER);
        let unknown = self.w.store.unknown();
        let v = self.w.store.join(v, default);
        Some(self.w.store.join(v, unknown))
    }

    /// An attribute is set whose name is not known: each may be the one.
    pub(crate) fn set_any_attr(&mut self, object: V, v: V) -> V {
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(object) {
            all.push(match atom {
                Atom::Object { class, attrs, open } => {
                    let attrs = self.with_attr(&attrs, self.n.any, v, false);
                    Atom::Object { class, attrs, open }
                }
                Atom::LibObject { class, attrs, data } => Atom::LibObject {
                    class,
                    attrs,
                    data: self.w.store.join(data, v),
                },
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    /// What an attribute of an instance may be beside what is known of it, where one was set under a name that is not
    /// known; the instance without that.
    pub(crate) fn set_by_any_name(&mut self, atom: &Atom) -> Option<(Atom, V)> {
        let Atom::Object { class, attrs, open } = atom else {
            return None;
        };
        let (_, any) = attrs.iter().find(|(name, _)| *name == self.n.any)?;
        let others = attrs.iter().filter(|(name, _)| *name != self.n.any);
        let without = Atom::Object {
            class: *class,
            attrs: others.copied().collect(),
            open: *open,
        };
        Some((without, *any))
    }

    /// `__setattr__` of the program's class.
    pub(crate) fn by_setattr(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        name: Name,
        value: V,
    ) -> Option<V> {
        if self.has_receivers() {
            return None;
        }
        let receiver = self.w.store.one(atom.clone());
        let key = self.w.store.konst(Const::Str(name));
        // Inside of it, attributes are set as they are everywhere.
        let own = self.p.function(frame.f).name;
        if &*self.text(own) == "__setattr__" {
            return None;
        }
        let out = self.own(frame, index, receiver, "__setattr__", &[key, value])?;
        Some(out.receiver.unwrap_or(receiver))
    }

    /// Methods of `collections.abc`, which call those that the program's class has.
    fn of_abstract(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        receiver: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let bases = self.lib_bases(class);
        if !bases.iter().any(|base| is_abstract(&self.text(*base))) {
            return None;
        }
        let key = args.get(0, None);
        let value = args.get(1, None);
        match method {
            "get" | "pop" => {
                let got = self.own(frame, index, receiver, "__getitem__", &[key?])?;
                let mut ret = got.ret.unwrap_or(V::NEVER);
                if let Some(default) = value {
                    ret = self.w.store.join(ret, default);
                }
                Some(Out {
                    ret: Some(ret),
                    ..got
                })
            }
            "setdefault" => {
                let value = value.unwrap_or_else(|| self.w.store.none());
                let set = self.own(frame, index, receiver, "__setitem__", &[key?, value])?;
                let now = set.receiver.unwrap_or(receiver);
                let got = self.own(frame, index, now, "__getitem__", &[key?])?;
                Some(Out {
                    ret: got.ret,
                    receiver: got.receiver.or(set.receiver),
                    afters: Vec::new(),
                })
            }
            "update" => {
                let path = self.name("builtins.dict");
                let given = self.call_lib(frame, index, path, args).ret?;
                let mut now = receiver;
                for atom in self.w.store.atoms_of(given) {
                    let mut pairs = Vec::new();
                    match atom {
                        Atom::Coll {
                            kind: CollKind::Dict,
                            kids,
                            rest,
                            keys,
                        } => {
                            for (key, v) in &*kids {
                                pairs.push((self.w.store.konst(key.clone()), *v));
                            }
                            if rest != V::NEVER {
                                pairs.push((self.w.store.data(keys), rest));
                            }
                        }
                        other => {
                            let one = self.w.store.one(other);
                            let deep = self.w.store.deep(one);
                            let any = self.w.store.data(deep);
                            pairs.push((any, any));
                        }
                    }
                    for (key, v) in pairs {
                        let out = self.own(frame, index, now, "__setitem__", &[key, v])?;
                        now = out.receiver.unwrap_or(now);
                    }
                }
                Some(Out {
                    ret: Some(self.w.store.none()),
                    receiver: Some(now),
                    afters: Vec::new(),
                })
            }
            "append" => {
                let at = self.w.store.unknown();
                self.own(frame, index, receiver, "insert", &[at, key?])
            }
            "extend" | "__iadd__" => {
                let element = self.element(frame, index, key?);
                let at = self.w.store.unknown();
                self.own(frame, index, receiver, "insert", &[at, element])
            }
            _ => None,
        }
    }

    fn own(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        method: &str,
        args: &[V],
    ) -> Option<Out> {
        let class = self.receiver_class(receiver)?;
        let name = self.name(method);
        let method = self.method_of(class, name, receiver)?;
        Some(self.call_value(frame, index, method, &Args::of(args)))
    }

    /// `d[key]` of an instance without a `__getitem__` of its own.
    pub(crate) fn index_held(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        key: V,
    ) -> Option<V> {
        let held = self.held_of(atom)?;
        let v = self.index(frame, index, held, key);
        let receiver = self.w.store.one(atom.clone());
        match self.own(frame, index, receiver, "__missing__", &[key]) {
            Some(out) => Some(self.w.store.join(v, out.ret.unwrap_or(V::NEVER))),
            None => Some(v),
        }
    }

    /// `cls.__new__(cls, ..)` of the language: an instance that `__init__` has not seen.
    pub(crate) fn new_instance(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Option<V> {
        let (first, rest) = args.pos.split_first()?;
        let mut given = args.clone();
        given.pos = rest.to_vec();
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(first.0) {
            let Atom::Class { class, env } = atom else {
                continue;
            };
            let mut attrs = self.instance_begins(class, env, args);
            let held = self.holds_at_first(frame, index, class, &given, false);
            attrs.extend(held);
            let one = self.w.store.one(Atom::Object {
                class,
                attrs: attrs.into(),
                open: Open::No,
            });
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    /// What `type(name, bases, attributes)` gives: there is no text of such a class, so it is an object that has the
    /// attributes and, called, gives another one that has them.
    pub(crate) fn made_class(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Option<V> {
        let (bases, attributes) = (args.get(1, None)?, args.get(2, None)?);
        let site = self.site(frame, index);
        self.escape_code(
            attributes,
            site,
            "a class that is made when the program runs",
        );
        let mut attrs: Vec<(Name, V)> = Vec::new();
        let mut data = V::NEVER;
        for atom in self.w.store.atoms_of(attributes) {
            if let Atom::Coll {
                kind: CollKind::Dict,
                kids,
                rest,
                ..
            } = &atom
            {
                for (key, v) in &**kids {
                    if let Const::Str(name) = key {
                        attrs.push((*name, *v));
                    }
                }
                data = self.w.store.join(data, *rest);
            } else {
                let one = self.w.store.one(atom);
                data = self.w.store.join(data, one);
            }
        }
        let labels = self.w.store.deep(data);
        let data = match labels {
            Ls::NONE => V::NEVER,
            _ => self.w.store.data(labels),
        };
        // A base of the program's own: what it has goes on being found.
        if let Ok(bases) = <[V; 1]>::try_from(self.exact_items(bases).unwrap_or_default())
            && let Some(Atom::Class { class, env }) = self.w.store.only(bases[0]).cloned()
            && labels == Ls::NONE
        {
            let mut own = self.instance_begins(class, env, &Args::default());
            own.extend(attrs);
            attrs = own;
        }
        let class = self.name("<class>");
        Some(self.w.store.one(Atom::LibObject {
            class,
            attrs: attrs.into(),
            data,
        }))
    }

    /// An instance of such a class.
    pub(crate) fn instance_of_made(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: &Atom,
        args: &Args,
    ) -> Out {
        let Atom::LibObject { attrs, data, .. } = class else {
            return Out::ret(self.w.store.unknown());
        };
        let instance = Atom::LibObject {
            class: self.n.instance,
            attrs: attrs.clone(),
            data: *data,
        };
        let fresh = self.w.store.one(instance);
        let init = attrs.iter().find(|(name, _)| *name == self.n.init);
        let Some((_, init)) = init else {
            let mut kept = fresh;
            for (name, v, _) in &args.named {
                kept = self.set_attr(frame, index, kept, *name, *v);
            }
            return Out::ret(kept);
        };
        let init = self.bind_attr(*init, fresh, ClassId(u32::MAX));
        let out = self.call_value(frame, index, init, args);
        Out {
            ret: Some(out.receiver.unwrap_or(fresh)),
            receiver: None,
            ..out
        }
    }

    /// The first attributes of an instance: what its class captured, and what an exception keeps.
    pub(crate) fn instance_begins(
        &mut self,
        class: ClassId,
        env: crate::value::EnvId,
        args: &Args,
    ) -> Vec<(Name, V)> {
        let mut kept: Vec<(Name, V)> = self.kept_by_exception(class, args).into_iter().collect();
        if env != crate::value::EnvId::EMPTY && env != crate::value::EnvId::SAME {
            let own = self.w.store.one(Atom::Class { class, env });
            kept.push((self.n.own_class, own));
        }
        kept
    }

    /// The class of the program in whose body an attribute stands that is found through `class`.
    pub(crate) fn holder_of(&mut self, class: ClassId, name: Name) -> Option<ClassId> {
        for base in self.order_of(class).iter().copied() {
            if let Base::Own(c) = base
                && self
                    .w
                    .read(crate::world::Place::ClassAttr(c, name))
                    .is_some()
            {
                return Some(c);
            }
        }
        None
    }
}
