//! What calling a class makes, and what decorators make of functions.

use crate::call::{Args, Out};
use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, EnvId, Open, V};
use solvent_base::Name;
use solvent_ir::{self as ir, Const, Op};

impl Machine<'_> {
    pub(crate) fn instantiate(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        env: EnvId,
        args: &Args,
    ) -> Out {
        let (other, begun) = self.made_by_new(frame, index, class, env, args);
        if other != V::NEVER && begun == V::NEVER {
            return Out::ret(other);
        }
        let mut kept = self.instance_begins(class, env, args);
        let own_init = self.class_attr(class, env, self.n.init).is_some();
        if begun == V::NEVER {
            kept.extend(self.holds_at_first(frame, index, class, args, own_init));
        }
        kept.extend(self.kept_by_holder(frame, index, class, args));
        let fresh = match begun {
            V::NEVER => self.w.store.one(Atom::Object {
                class,
                attrs: kept.clone().into(),
                open: Open::No,
            }),
            _ => begun,
        };
        self.privileges_in(frame, index, class, args);
        let init = self.n.init;
        let Some(method) = self.method_of(class, init, fresh) else {
            if begun != V::NEVER {
                return Out::ret(self.w.store.join(begun, other));
            }
            if let [only] = self.lib_bases(class)[..] {
                self.note_library_member(frame, index, only, init);
            }
            self.fields_of_base(frame, index, class, args);
            // Built by a library base (a dataclass, an ORM model): fields are named arguments.
            let mut attrs: Vec<(Name, V)> = args
                .named
                .iter()
                .map(|(n, v, _)| (*n, *v))
                .take(16)
                .collect();
            attrs.extend(kept);
            let fields = self.constructor_fields(class);
            // `Row(*columns)`, `Row(**columns)`: each may be any of them.
            let others: Vec<V> = args.spread.into_iter().chain(args.keywords).collect();
            let others = self.w.store.join_all(others);
            for (at, name) in fields.into_iter().enumerate() {
                match args.pos.get(at) {
                    Some((v, _)) => attrs.push((name, *v)),
                    None if others != V::NEVER && attrs.iter().all(|(n, _)| *n != name) => {
                        attrs.push((name, others));
                    }
                    None => {}
                }
            }
            let object = Atom::Object {
                class,
                attrs: attrs.into(),
                open: Open::Yes,
            };
            let object = self.w.store.one(object);
            return Out::ret(self.made_by_fields(frame, index, class, object));
        };
        let out = self.call_value(frame, index, method, args);
        if out.ret.is_none() {
            return Out::never();
        }
        let object = out.receiver.unwrap_or(fresh);
        let object = self.w.store.join(object, other);
        Out {
            ret: Some(object),
            afters: out.afters,
            receiver: None,
        }
    }

    /// What a `__new__` of our own gives: what is no instance of the class is the result, and `__init__` is not
    /// called; instances are what `__init__` begins with.
    fn made_by_new(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        env: EnvId,
        args: &Args,
    ) -> (V, V) {
        let name = self.name("__new__");
        let this = self.w.store.one(Atom::Class { class, env });
        let (mut other, mut begun) = (V::NEVER, V::NEVER);
        let Some(method) = self.method_of(class, name, this) else {
            return (other, begun);
        };
        let Some(got) = self.call_value(frame, index, method, args).ret else {
            return (other, begun);
        };
        for atom in self.w.store.atoms_of(got) {
            let instance = match &atom {
                Atom::Object { class: made, .. } => *made == class,
                Atom::Const(Const::None) => continue,
                Atom::Data(labels) if *labels == crate::value::Ls::NONE => continue,
                _ => false,
            };
            let one = self.w.store.one(atom);
            if instance {
                begun = self.w.store.join(begun, one);
            } else {
                other = self.w.store.join(other, one);
            }
        }
        (other, begun)
    }

    /// What a class is made with, by position, where it says no more than which fields it has: those of a
    /// dataclass, its bases' first.
    pub(crate) fn constructor_fields(&self, class: ClassId) -> Vec<Name> {
        if self.has_receivers() {
            return self.declared_fields(class);
        }
        let mut out: Vec<Name> = Vec::new();
        for base in self.order_of(class).iter().rev().copied() {
            let crate::world::Base::Own(base) = base else {
                continue;
            };
            let (_, typed) = self.class_entries(base);
            for field in typed {
                if !out.contains(&field) {
                    out.push(field);
                }
            }
        }
        out
    }

    /// Names of the class body that its instances are made from, in order: those with a written type, or all
    /// where none has one.
    pub(crate) fn declared_fields(&self, class: ClassId) -> Vec<Name> {
        let (plain, typed) = self.class_entries(class);
        if typed.is_empty() { plain } else { typed }
    }

    /// Names that the class body stores, in order: those without and those with a written type.
    fn class_entries(&self, class: ClassId) -> (Vec<Name>, Vec<Name>) {
        let p = self.p;
        let unit = p.class_unit(class);
        let body = p.function(p.fn_id(unit, p.class(class).body));
        let stored = body.insts.iter().filter_map(|inst| match &inst.op {
            Op::StoreName {
                scope: ir::Scope::Class,
                name,
                ..
            } if !crate::go::decode::is_tag(&self.text(*name)) => Some(*name),
            _ => None,
        });
        let (mut plain, mut typed) = (Vec::new(), Vec::new());
        for name in stored {
            match written_field(&self.text(name)) {
                Some(field) => typed.push(self.name(field)),
                None => plain.push(name),
            }
        }
        (plain, typed)
    }

    /// Applies a decorator to a function.
    pub(crate) fn decorate(&mut self, frame: &mut Frame, index: u32, decorator: V, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(decorator) {
            let one = match atom {
                Atom::Lib(path)
                    if path == self.n.staticmethod
                        || path == self.n.classmethod
                        || path == self.n.property =>
                {
                    self.w.store.one(Atom::LibObject {
                        class: path,
                        attrs: Box::default(),
                        data: v,
                    })
                }
                Atom::Lib(path) => {
                    let text = self.text(path);
                    if text.ends_with(".cached_property") || &*text == "abc.abstractproperty" {
                        let class = self.n.property;
                        self.w.store.one(Atom::LibObject {
                            class,
                            attrs: Box::default(),
                            data: v,
                        })
                    } else {
                        drop(text);
                        let args = Args::of(&[v]);
                        let _ = self.call_lib(frame, index, path, &args);
                        v
                    }
                }
                // `@x.setter`, `@x.deleter` of a property: the property itself goes on.
                Atom::Member { receiver, name }
                    if self.w.store.atoms(receiver).any(
                        |a| matches!(a, Atom::LibObject { class, .. } if *class == self.n.property),
                    ) =>
                {
                    match &*self.text(name) {
                        "setter" => self.with_setter(receiver, v),
                        _ => receiver,
                    }
                }
                Atom::Fn { .. }
                | Atom::Method { .. }
                | Atom::Class { .. }
                | Atom::Object { .. }
                | Atom::Partial { .. } => {
                    let args = Args::of(&[v]);
                    let keeps = matches!(atom, Atom::Object { .. });
                    let one = self.w.store.one(atom);
                    let got = self.call_value(frame, index, one, &args);
                    if keeps && got.receiver.is_some() {
                        // The object may have kept it, and call it later.
                        let site = self.site(frame, index);
                        self.escape(v, site, "a decorator that keeps it", 0);
                    }
                    let got = got.ret.unwrap_or(V::NEVER);
                    let callable = self.w.store.atoms(got).any(|a| {
                        matches!(
                            a,
                            Atom::Fn { .. }
                                | Atom::Method { .. }
                                | Atom::Partial { .. }
                                | Atom::Object { .. }
                                | Atom::LibObject { .. }
                                | Atom::Class { .. }
                        )
                    });
                    if callable { got } else { v }
                }
                other => {
                    // A library's decorator, called or not: it wraps, and calls what it wraps.
                    let args = Args::of(&[v]);
                    let one = self.w.store.one(other);
                    let _ = self.call_value(frame, index, one, &args);
                    self.renders_what_returns(one, v);
                    v
                }
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER { v } else { out }
    }

    pub(crate) fn decorate_class(
        &mut self,
        frame: &mut Frame,
        index: u32,
        decorator: V,
        v: V,
    ) -> V {
        // `@routes.view("/x")`: the class answers.
        let waits = matches!(self.w.store.only(decorator),
            Some(Atom::LibObject { class, .. }) if *class == self.n.decorator);
        if waits && !self.is_javascript() {
            self.apply_registrar(frame, index, decorator, v);
        }
        // The program's own is called with the class; the name stands for the class all the same.
        if !self.has_receivers() {
            for atom in self.w.store.atoms_of(decorator) {
                if matches!(
                    atom,
                    Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. }
                ) {
                    let one = self.w.store.one(atom);
                    let _ = self.call_value(frame, index, one, &Args::of(&[v]));
                }
            }
        }
        for atom in self.w.store.atoms_of(v) {
            let Atom::Class { class, .. } = atom else {
                continue;
            };
            let (sites, _) = self.origins(Some(decorator));
            for site in sites {
                self.controllers.insert(class, site);
            }
            let check = match self.w.store.only(decorator) {
                Some(Atom::Lib(path)) => {
                    let path = *path;
                    self.path_member(path)
                }
                _ => None,
            };
            let Some(check) = check.map(|id| self.m.get(id)).filter(|m| m.requires_login) else {
                continue;
            };
            let name = check.path.rsplit('.').next().unwrap_or_default();
            let body = self
                .p
                .fn_id(self.p.class_unit(class), self.p.class(class).body);
            self.w
                .logins
                .entry(body)
                .or_default()
                .insert(name.to_owned());
            for (_, function) in self.methods_in(class) {
                let logins = self.w.logins.entry(function).or_default();
                logins.insert(name.to_owned());
            }
        }
        v
    }
}

/// The field that a class's entry of a written type is about.
pub(crate) fn written_field(entry: &str) -> Option<&str> {
    entry.strip_prefix("<field ")?.strip_suffix('>')
}
