//! Keys and elements: reading and writing the parts of containers.

mod context;
mod named;

use crate::call::Args;
use crate::label::{Link, TraceKind};
use crate::library::environ::HeaderKey;
use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Open, Piece, V};
use crate::world::Place;
use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::{Const, FnIndex};

impl Machine<'_> {
    pub(crate) fn index(&mut self, frame: &mut Frame, index: u32, base: V, key: V) -> V {
        if self.is_javascript()
            && let Some(v) = self.keyed(frame, index, base, key)
        {
            return v;
        }
        let atoms = self.w.store.atoms_of(base);
        let several = atoms.len() > 1;
        let mut out = V::NEVER;
        for atom in atoms {
            if several && matches!(atom, Atom::Const(Const::None)) {
                continue;
            }
            let one = self.index_of(frame, index, atom, key);
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    pub(crate) fn index_of(&mut self, frame: &mut Frame, index: u32, atom: Atom, key: V) -> V {
        let site = self.site(frame, index);
        if self.is_javascript()
            && let Atom::LibObject { class, .. } = &atom
            && &*self.text(*class) == "<proxy>"
            && let Some(v) = self.trapped(frame, &atom, key, site)
        {
            return v;
        }
        // A method by a name known only at run time.
        if self.is_javascript()
            && matches!(atom, Atom::Object { .. } | Atom::Module(_))
            && self.w.store.constants(key).is_none()
        {
            let one = self.w.store.one(atom.clone());
            if let Some(v) = self.any_attr(frame, one, key, site) {
                let own = self.derive(one, &Link::Value);
                return self.w.store.join(v, own);
            }
        }
        match atom {
            Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } => self.coll_index(kind, &kids, rest, keys, key),
            Atom::Const(Const::Str(name)) => {
                let text = self.text(name);
                if let Some(Const::Int(i)) = self.w.store.constant(key) {
                    let i = *i;
                    let count = text.chars().count() as i64;
                    let at = if i < 0 { i + count } else { i };
                    if let Some(c) = usize::try_from(at).ok().and_then(|at| text.chars().nth(at)) {
                        let name = self.name(&c.to_string());
                        return self.w.store.konst(Const::Str(name));
                    }
                }
                self.w.store.unknown()
            }
            Atom::Text(_) => {
                let one = self.w.store.one(atom);
                let at = self.small_int(key);
                let upper = at.and_then(|i| (i != -1).then_some(i + 1));
                self.derive(one, &Link::Transform(Transform::Slice { lower: at, upper }))
            }
            Atom::Data(labels) => {
                let name = match self.w.store.constant(key) {
                    Some(Const::Str(name)) => Some(*name),
                    _ => None,
                };
                let link = match (name, name.and_then(|name| self.header_key(labels, name))) {
                    (_, Some(HeaderKey::OfTheServer)) => return self.w.store.unknown(),
                    (_, Some(HeaderKey::Header(name))) | (Some(name), None) => Link::Key(name),
                    (None, None) => Link::Value,
                };
                let deep = self.w.store.deep(key);
                let is_input_key = deep != Ls::NONE;
                let mut labels = self.w.store.link_set(labels, &link);
                if is_input_key && labels == Ls::NONE {
                    labels = Ls::NONE;
                }
                let what = self.name("reads");
                let labels = self.hop_set(labels, TraceKind::Source, site, what);
                self.w.store.data(labels)
            }
            Atom::LibObject {
                class,
                ref attrs,
                data,
            } => {
                let path = self.path_of(attrs).or_else(|| self.kept_by_key(class));
                let stored = match (path, self.w.store.constant_str(key)) {
                    (Some(path), Some(key)) => self.w.read(Place::LibKey(path, key)),
                    _ => None,
                };
                let receiver = self.w.store.one(atom.clone());
                if let Some(key) = self.w.store.constant_str(key) {
                    let kept = self.name(&format!("[{}]", self.text(key)));
                    if let Some((_, v)) = attrs.iter().find(|(n, _)| *n == kept) {
                        return *v;
                    }
                }
                let getitem = self.name("__getitem__");
                let mut v = if self.class_member(class, getitem).is_some() {
                    let args = Args::of(&[key]);
                    self.call_member(frame, index, receiver, getitem, &args)
                        .ret
                        .unwrap_or(V::NEVER)
                } else if data != V::NEVER {
                    self.index(frame, index, data, key)
                } else {
                    self.w.store.unknown()
                };
                if let Some(stored) = stored {
                    v = self.w.store.join(v, stored);
                }
                v
            }
            Atom::Object { class, .. } => {
                let receiver = self.w.store.one(atom.clone());
                let getitem = self.name("__getitem__");
                match self.method_of(class, getitem, receiver) {
                    Some(method) => {
                        let args = Args::of(&[key]);
                        self.call_value(frame, index, method, &args)
                            .ret
                            .unwrap_or(V::NEVER)
                    }
                    None => match self.index_held(frame, index, &atom, key) {
                        Some(v) => v,
                        None => self.derive(receiver, &Link::Value),
                    },
                }
            }
            Atom::Lib(path) => {
                let stored = self
                    .w
                    .store
                    .constant_str(key)
                    .and_then(|key| self.w.read(Place::LibKey(path, key)));
                let one = self.lib_item(path, key, site);
                match stored {
                    Some(stored) => self.w.store.join(one, stored),
                    None => one,
                }
            }
            Atom::Module(unit) if !self.has_receivers() => {
                self.name_of_module(frame, unit, key, site)
            }
            // Generics: `list[int]`, `Model[T]`.
            Atom::Class { .. } => self.w.store.one(atom),
            other => {
                let one = self.w.store.one(other);
                self.derive(one, &Link::Value)
            }
        }
    }

    pub(crate) fn coll_index(
        &mut self,
        kind: CollKind,
        kids: &[(Const, V)],
        rest: V,
        keys: Ls,
        key: V,
    ) -> V {
        let Some(wanted) = self.w.store.constants(key) else {
            let mut out = rest;
            for (_, v) in kids {
                out = self.w.store.join(out, *v);
            }
            let missing = self.missing(kind, kids, key);
            return self.w.store.join(out, missing);
        };
        let mut out = V::NEVER;
        for want in wanted {
            let want = match want {
                Const::Bool(b) => Const::Int(i64::from(b)),
                Const::Int(i) if i < 0 && kind != CollKind::Dict => {
                    if rest == V::NEVER {
                        Const::Int(i + kids.len() as i64)
                    } else {
                        for (_, v) in kids {
                            out = self.w.store.join(out, *v);
                        }
                        out = self.w.store.join(out, rest);
                        continue;
                    }
                }
                other => other,
            };
            match kids.iter().find(|(k, _)| *k == want) {
                Some((_, v)) => {
                    out = self.w.store.join(out, *v);
                    // An unknown key may have been this one.
                    if keys != Ls::NONE {
                        let other = self.named_by(rest, keys, &want);
                        out = self.w.store.join(out, other);
                    }
                }
                None => {
                    let other = self.named_by(rest, keys, &want);
                    out = self.w.store.join(out, other);
                }
            }
        }
        out
    }

    /// What reading a key gives that is not there, where that is no error.
    fn missing(&mut self, kind: CollKind, kids: &[(Const, V)], key: V) -> V {
        let chosen = self.w.store.deep(key) != Ls::NONE;
        if kids.is_empty() || !(kind == CollKind::Dict || chosen) {
            return V::NEVER;
        }
        if self.is_javascript() {
            return self.w.store.none();
        }
        if self.is_go() && kind == CollKind::Dict {
            // The zero value of the type that the others have.
            let is_text = |v: &V| {
                self.w
                    .store
                    .atoms(*v)
                    .any(|a| matches!(a, Atom::Const(Const::Str(_)) | Atom::Text(_)))
            };
            if kids.iter().any(|(_, v)| is_text(v)) {
                let empty = self.w.store.empty;
                return self.w.store.konst(Const::Str(empty));
            }
            return self.w.store.none();
        }
        V::NEVER
    }

    pub(crate) fn small_int(&self, v: V) -> Option<i64> {
        match self.w.store.constant(v) {
            Some(Const::Int(i)) => Some(*i),
            _ => None,
        }
    }

    pub(crate) fn set_index(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        key: V,
        value: V,
    ) -> V {
        if self.is_javascript()
            && let Some(v) = self.set_keyed(frame, index, base, key, value)
        {
            return v;
        }
        // `*p = v` of Go.
        if self.is_go()
            && self
                .w
                .store
                .constant_str(key)
                .is_some_and(|key| &*self.text(key) == "<whole>")
        {
            return value;
        }
        let site = self.site(frame, index);
        let single = self.w.store.only(base).is_some();
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            match atom {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    let v = self.coll_store(kind, &kids, rest, keys, key, value, single);
                    all.extend(self.w.store.atoms_of(v));
                }
                Atom::Data(labels) if self.w.store.constant_str(key).is_some() => {
                    let data = self.w.store.data(labels);
                    let kept = match self.w.store.constant_str(key) {
                        Some(key) => self.name(&format!("[{}]", self.text(key))),
                        None => continue,
                    };
                    let class = self.n.object;
                    all.push(Atom::LibObject {
                        class,
                        attrs: Box::new([(kept, value)]),
                        data,
                    });
                }
                Atom::Data(labels) => {
                    let rest = self.w.store.data(labels);
                    let v =
                        self.coll_store(CollKind::Dict, &[], rest, Ls::NONE, key, value, single);
                    all.extend(self.w.store.atoms_of(v));
                }
                Atom::LibObject { class, attrs, data } => {
                    let path = self.path_of(&attrs).or_else(|| self.kept_by_key(class));
                    if let (Some(path), Some(key)) = (path, self.w.store.constant_str(key)) {
                        frame.effects.push((Place::LibKey(path, key), site, value));
                    }
                    let plain =
                        data != V::NEVER && matches!(self.w.store.only(data), Some(Atom::Data(_)));
                    if let (true, Some(key)) = (plain, self.w.store.constant_str(key)) {
                        let kept = self.name(&format!("[{}]", self.text(key)));
                        let attrs = self.with_attr(&attrs, kept, value, single);
                        all.push(Atom::LibObject { class, attrs, data });
                        continue;
                    }
                    let inner = if data == V::NEVER {
                        self.w
                            .store
                            .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE)
                    } else {
                        data
                    };
                    let data = self.set_index(frame, index, inner, key, value);
                    all.push(Atom::LibObject { class, attrs, data });
                }
                Atom::Lib(path) => {
                    if let Some(key) = self.w.store.constant_str(key) {
                        frame.effects.push((Place::LibKey(path, key), site, value));
                    }
                    all.push(Atom::Lib(path));
                }
                Atom::Object { class, .. } => {
                    let receiver = self.w.store.one(atom.clone());
                    let setitem = self.name("__setitem__");
                    match self.method_of(class, setitem, receiver) {
                        Some(method) => {
                            let args = Args::of(&[key, value]);
                            let out = self.call_value(frame, index, method, &args);
                            let after = out.receiver.unwrap_or(receiver);
                            all.extend(self.w.store.atoms_of(after));
                        }
                        None => match self.held_of(&atom) {
                            Some(held) => {
                                let held = self.set_index(frame, index, held, key, value);
                                let after = self.holding(&atom, held);
                                all.extend(self.w.store.atoms_of(after));
                            }
                            None => all.push(atom),
                        },
                    }
                }
                Atom::Module(unit) if !self.has_receivers() => {
                    for key in self.w.store.constants(key).unwrap_or_default() {
                        if let Const::Str(name) = key {
                            frame.effects.push((Place::Global(unit, name), site, value));
                        }
                    }
                    self.escape_code(value, site, "a variable by a name that is not followed");
                    all.push(Atom::Module(unit));
                }
                other => {
                    self.escape(value, site, "a container that is not followed", 0);
                    all.push(other);
                }
            }
        }
        self.w.store.bounded_value(all)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a container, and what goes in"
    )]
    pub(crate) fn coll_store(
        &mut self,
        kind: CollKind,
        kids: &[(Const, V)],
        rest: V,
        keys: Ls,
        key: V,
        value: V,
        strong: bool,
    ) -> V {
        let mut kids = kids.to_vec();
        let mut rest = rest;
        let mut keys = keys;
        match self.w.store.constants(key) {
            Some(wanted) => {
                let exact = wanted.len() == 1 && strong;
                for want in wanted {
                    let want = match want {
                        Const::Int(i) if i < 0 && kind != CollKind::Dict && rest == V::NEVER => {
                            Const::Int(i + kids.len() as i64)
                        }
                        other => other,
                    };
                    match kids.iter_mut().find(|(k, _)| *k == want) {
                        Some((_, have)) if exact => *have = value,
                        Some((_, have)) => *have = self.w.store.join(*have, value),
                        None if kind == CollKind::Dict => kids.push((want, value)),
                        None => rest = self.w.store.join(rest, value),
                    }
                }
            }
            None => {
                rest = self.w.store.join(rest, value);
                for (_, have) in &mut kids {
                    *have = self.w.store.join(*have, value);
                }
                let deep = self.w.store.deep(key);
                keys = self.w.store.union(keys, deep);
            }
        }
        self.w.store.coll(kind, kids, rest, keys)
    }

    pub(crate) fn del_index(&mut self, base: V, key: V) -> V {
        let wanted = self.w.store.constant(key).cloned();
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            all.push(match (atom, &wanted) {
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys,
                    },
                    Some(want),
                ) => {
                    let v = self.coll_remove(kind, &kids, rest, keys, Some(want.clone()));
                    all.extend(self.w.store.atoms_of(v));
                    continue;
                }
                (atom @ Atom::Object { .. }, _) => {
                    if let Some(held) = self.held_of(&atom) {
                        let held = self.del_index(held, key);
                        let after = self.holding(&atom, held);
                        all.extend(self.w.store.atoms_of(after));
                        continue;
                    }
                    atom
                }
                (Atom::LibObject { class, attrs, data }, Some(_)) if data != V::NEVER => {
                    let data = self.del_index(data, key);
                    Atom::LibObject { class, attrs, data }
                }
                (other, _) => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    /// Without the element under `want`; the last one without a key.
    pub(crate) fn coll_remove(
        &mut self,
        kind: CollKind,
        kids: &[(Const, V)],
        rest: V,
        keys: Ls,
        want: Option<Const>,
    ) -> V {
        let mut kids = kids.to_vec();
        if kind == CollKind::Dict {
            if let Some(want) = want {
                kids.retain(|(k, _)| *k != want);
            }
            return self.w.store.coll(kind, kids, rest, keys);
        }
        if rest != V::NEVER {
            // Positions are shifted by an unknown amount.
            let all = self.coll_all(&kids, rest);
            return self.w.store.coll(kind, Vec::new(), all, keys);
        }
        let at = match want {
            Some(Const::Int(i)) if i < 0 => i + kids.len() as i64,
            Some(Const::Int(i)) => i,
            Some(_) => return self.scrambled(kind, &kids, rest, keys),
            None => kids.len() as i64 - 1,
        };
        let mut values: Vec<V> = kids.into_iter().map(|(_, v)| v).collect();
        if let Ok(at) = usize::try_from(at)
            && at < values.len()
        {
            values.remove(at);
        }
        let kids = values
            .into_iter()
            .enumerate()
            .map(|(i, v)| (Const::Int(i as i64), v))
            .collect();
        self.w.store.coll(kind, kids, rest, keys)
    }

    pub(crate) fn coll_all(&mut self, kids: &[(Const, V)], rest: V) -> V {
        let mut all = rest;
        for (_, v) in kids {
            all = self.w.store.join(all, *v);
        }
        all
    }

    pub(crate) fn scrambled(
        &mut self,
        kind: CollKind,
        kids: &[(Const, V)],
        rest: V,
        keys: Ls,
    ) -> V {
        let all = self.coll_all(kids, rest);
        self.w.store.coll(kind, Vec::new(), all, keys)
    }

    /// The elements, when their number is known.
    pub(crate) fn exact_items(&self, v: V) -> Option<Vec<V>> {
        match self.w.store.only(v)? {
            Atom::Coll {
                kind: CollKind::List | CollKind::Tuple,
                kids,
                rest,
                keys,
            } if *rest == V::NEVER && *keys == Ls::NONE => {
                Some(kids.iter().map(|(_, v)| *v).collect())
            }
            atom @ Atom::Object { .. } => self.exact_items(self.held_of(atom)?),
            _ => None,
        }
    }

    /// Any element; of a mapping, any key.
    pub(crate) fn element(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => {
                    let mut all = V::NEVER;
                    for (key, _) in &*kids {
                        let key = self.w.store.konst(key.clone());
                        all = self.w.store.join(all, key);
                    }
                    if rest != V::NEVER || keys != Ls::NONE {
                        let key = self.w.store.data(keys);
                        all = self.w.store.join(all, key);
                    }
                    if self.is_javascript() {
                        // An iterator of its own may give anything that it holds.
                        let held = self.held_by_methods(&kids, rest);
                        all = self.w.store.join(all, held);
                    }
                    all
                }
                Atom::Coll { kids, rest, .. } => self.coll_all(&kids, rest),
                Atom::Const(Const::Str(name)) => {
                    let text = self.text(name);
                    if text.chars().count() <= 8 {
                        let mut all = V::NEVER;
                        for c in text.chars() {
                            let name = self.name(&c.to_string());
                            let c = self.w.store.konst(Const::Str(name));
                            all = self.w.store.join(all, c);
                        }
                        all
                    } else {
                        self.w.store.unknown()
                    }
                }
                Atom::Data(labels) => {
                    let site = self.site(frame, index);
                    let labels = self.w.store.link_set(labels, &Link::Keys);
                    let what = self.name("iterates");
                    let labels = self.hop_set(labels, TraceKind::Source, site, what);
                    self.w.store.data(labels)
                }
                Atom::LibObject { class, data, .. }
                    if data != V::NEVER && &*self.text(class) == "Map" =>
                {
                    let path = "Object.entries";
                    let pairs = self.native_javascript(frame, index, path, &Args::of(&[data]));
                    match pairs.and_then(|out| out.ret) {
                        Some(pairs) => self.element(frame, index, pairs),
                        None => self.w.store.unknown(),
                    }
                }
                Atom::LibObject { class, data, .. } => {
                    let receiver = self.w.store.one(atom);
                    let iter = self.name("__iter__");
                    if self.class_member(class, iter).is_some() {
                        let got = self.call_member(frame, index, receiver, iter, &Args::default());
                        match got.ret {
                            Some(v) if v != receiver => self.element(frame, index, v),
                            _ => self.w.store.unknown(),
                        }
                    } else if data != V::NEVER {
                        self.element(frame, index, data)
                    } else {
                        self.w.store.unknown()
                    }
                }
                Atom::Object { class, .. } => {
                    let receiver = self.w.store.one(atom.clone());
                    let (iter, next) = (self.name("__iter__"), self.name("__next__"));
                    if let Some(method) = self.method_of(class, next, receiver) {
                        self.call_value(frame, index, method, &Args::default())
                            .ret
                            .unwrap_or(V::NEVER)
                    } else if let Some(method) = self.method_of(class, iter, receiver) {
                        let got = self
                            .call_value(frame, index, method, &Args::default())
                            .ret
                            .unwrap_or(V::NEVER);
                        if got == receiver || got == V::NEVER {
                            self.w.store.unknown()
                        } else {
                            self.element(frame, index, got)
                        }
                    } else if let Some(held) = self.held_of(&atom) {
                        self.element(frame, index, held)
                    } else {
                        self.derive(receiver, &Link::Value)
                    }
                }
                Atom::Const(_) => V::NEVER,
                other => {
                    let one = self.w.store.one(other);
                    self.derive(one, &Link::Value)
                }
            };
            out = self.w.store.join(out, one);
        }
        // An empty container may have been filled where that is not seen: code that loops over it
        // must not count as dead.
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    pub(crate) fn merge_mapping(&mut self, frame: &mut Frame, index: u32, base: V, v: V) -> V {
        let mut out = base;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => {
                    for (key, v) in &*kids {
                        let key = self.w.store.konst(key.clone());
                        out = self.set_index(frame, index, out, key, *v);
                    }
                    if rest != V::NEVER {
                        let key = self.w.store.data(keys);
                        out = self.set_index(frame, index, out, key, rest);
                    }
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    out = self.merge_mapping(frame, index, out, data);
                }
                Atom::Const(_) => {}
                atom @ Atom::Object { .. } if self.held_of(&atom).is_some() => {
                    let held = self.held_of(&atom).unwrap_or(V::NEVER);
                    out = self.merge_mapping(frame, index, out, held);
                }
                other => {
                    let one = self.w.store.one(other);
                    // A mapping of inputs put over known keys: any key may be the attacker's.
                    let labels = self.w.store.deep(one);
                    if labels != Ls::NONE {
                        self.overwrites_owner(frame, index, out, labels);
                        out = self.overlay(out, labels);
                    } else {
                        let unknown = self.w.store.unknown();
                        out = self.set_index(frame, index, out, unknown, unknown);
                    }
                }
            }
        }
        out
    }

    /// A mapping whose every key may have been replaced by the input of that name.
    pub(crate) fn overlay(&mut self, base: V, labels: Ls) -> V {
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            match atom {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    let mut new = Vec::new();
                    for (key, v) in &*kids {
                        let link = match key {
                            Const::Str(name) => Link::Key(*name),
                            _ => Link::Value,
                        };
                        let linked = self.w.store.link_set(labels, &link);
                        let more = self.w.store.data(linked);
                        new.push((key.clone(), self.w.store.join(*v, more)));
                    }
                    let more = self.w.store.data(labels);
                    let rest = self.w.store.join(rest, more);
                    all.push(Atom::Coll {
                        kind,
                        kids: new.into(),
                        rest,
                        keys,
                    });
                }
                other => all.push(other),
            }
        }
        self.w.store.bounded_value(all)
    }

    /// An instance of a class whose making is not seen.
    pub(crate) fn open_object(&mut self, class: ClassId) -> V {
        self.w.store.one(Atom::Object {
            class,
            attrs: Box::default(),
            open: Open::Yes,
        })
    }

    /// Functions defined directly in a class body, by name.
    pub(crate) fn methods_in(&self, class: ClassId) -> Vec<(Name, crate::link::FnId)> {
        let unit = self.p.class_unit(class);
        let body = self.p.class(class).body;
        self.p
            .unit(unit)
            .functions
            .iter()
            .enumerate()
            .filter(|(_, f)| f.parent == Some(body) && f.kind == solvent_ir::FunctionKind::Def)
            .map(|(i, f)| (f.name, self.p.fn_id(unit, FnIndex(i as u32))))
            .collect()
    }

    pub(crate) fn piece_labels(pieces: &[Piece]) -> impl Iterator<Item = Ls> + '_ {
        pieces.iter().filter_map(|p| match p {
            Piece::Data(labels) => Some(*labels),
            Piece::Lit(_) => None,
        })
    }
}
