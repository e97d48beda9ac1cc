//! Values joined, widened and kept within their limits.

use crate::label::ChainId;
use crate::value::{
    Atom, CollKind, EnvId, Ls, MAX_ATOMS, MAX_ATTRS, MAX_CONSTS, MAX_TEXTS, Open, Store, V,
};
use solvent_base::Name;
use solvent_ir::{Const, Language};

/// Most objects of one class of a library that differ in which attributes were set.
const MAX_VERSIONS: usize = 3;

impl Store {
    /// Either of two values.
    pub fn join(&mut self, a: V, b: V) -> V {
        if a == b || b == V::NEVER {
            return a;
        }
        if a == V::NEVER {
            return b;
        }
        if let Some(&known) = self.joins.get(&(a.0, b.0)) {
            return known;
        }
        let out = match self.joined_side_by_side(a, b) {
            Some(out) => out,
            None => self.joined_one_by_one(a, b),
        };
        self.joins.insert((a.0, b.0), out);
        out
    }

    fn joined_one_by_one(&mut self, a: V, b: V) -> V {
        let mut all = self.atoms_of(a);
        for atom in self.atoms_of(b) {
            self.add(&mut all, atom);
        }
        self.bounded_value(all)
    }

    /// The alternatives of both, where none of them is put together with another one and all fit in.
    fn joined_side_by_side(&mut self, a: V, b: V) -> Option<V> {
        let (have, more) = (self.ids(a), self.ids(b));
        let new: Vec<u32> = more
            .iter()
            .filter(|id| have.binary_search(id).is_err())
            .copied()
            .collect();
        if new.is_empty() {
            return Some(a);
        }
        let atom = |id: &u32| &self.atoms[*id as usize];
        let merges = |id: &u32| {
            let others = have.iter().chain(&new).filter(|other| *other != id);
            let mut with = others.map(atom);
            match atom(id) {
                Atom::Data(_) => with.any(|a| matches!(a, Atom::Data(_))),
                Atom::Routes(_) => with.any(|a| matches!(a, Atom::Routes(_))),
                Atom::Coll { kind, .. } => {
                    with.any(|a| matches!(a, Atom::Coll { kind: other, .. } if other == kind))
                }
                Atom::Object { class, .. } => {
                    with.any(|a| matches!(a, Atom::Object { class: other, .. } if other == class))
                }
                Atom::LibObject { class, .. } => with
                    .any(|a| matches!(a, Atom::LibObject { class: other, .. } if other == class)),
                _ => false,
            }
        };
        if new.iter().any(merges) {
            return None;
        }
        if have.iter().all(|id| more.binary_search(id).is_ok()) {
            return Some(b);
        }
        let all: Vec<u32> = have.iter().chain(&new).copied().collect();
        let count = |of: fn(&Atom) -> bool| all.iter().filter(|id| of(atom(id))).count();
        let fits = all.len() <= MAX_ATOMS
            && count(|a| matches!(a, Atom::Text(_))) <= MAX_TEXTS
            && count(|a| matches!(a, Atom::Const(_))) <= self.most_constants();
        fits.then(|| self.value(all))
    }

    pub fn join_all(&mut self, values: impl IntoIterator<Item = V>) -> V {
        values.into_iter().fold(V::NEVER, |a, b| self.join(a, b))
    }

    pub(crate) fn add(&mut self, all: &mut Vec<Atom>, atom: Atom) {
        if all.contains(&atom) {
            return;
        }
        if self.is_version(all, &atom) {
            all.push(atom);
            return;
        }
        for have in all.iter_mut() {
            if let Some(merged) = self.merge(have, &atom) {
                *have = merged;
                return;
            }
        }
        all.push(atom);
    }

    /// Whether an object of a library has attributes set that none of the others of its class has, or lacks some
    /// that they have: what was not set is what the library says, so they are not one. There are few of them.
    fn is_version(&self, all: &[Atom], atom: &Atom) -> bool {
        let Atom::LibObject { class, attrs, .. } = atom else {
            return false;
        };
        let mut others = 0;
        for have in all {
            if let Atom::LibObject {
                class: class2,
                attrs: attrs2,
                ..
            } = have
                && class == class2
            {
                let names = |attrs: &[(Name, V)]| attrs.iter().map(|(n, _)| *n).collect::<Vec<_>>();
                let (mut a, mut b) = (names(attrs), names(attrs2));
                a.sort_unstable();
                b.sort_unstable();
                if a == b {
                    return false;
                }
                others += 1;
            }
        }
        others > 0 && others < MAX_VERSIONS
    }

    /// Two alternatives as one, where keeping both would only multiply.
    pub(crate) fn merge(&mut self, a: &Atom, b: &Atom) -> Option<Atom> {
        match (a, b) {
            (Atom::Data(x), Atom::Data(y)) => Some(Atom::Data(self.union(*x, *y))),
            (Atom::Routes(x), Atom::Routes(y)) => Some(Atom::Routes(self.both_tables(*x, *y))),
            (
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                },
                Atom::Coll {
                    kind: kind2,
                    kids: kids2,
                    rest: rest2,
                    keys: keys2,
                },
            ) if kind == kind2 => {
                let rest = self.join(*rest, *rest2);
                let keys = self.union(*keys, *keys2);
                let kids = self.merge_kids(kids, kids2);
                let (kids, rest, keys) = self.bounded(*kind, kids, rest, keys);
                Some(Atom::Coll {
                    kind: *kind,
                    kids: kids.into(),
                    rest,
                    keys,
                })
            }
            (
                Atom::Object { class, attrs, open },
                Atom::Object {
                    class: class2,
                    attrs: attrs2,
                    open: open2,
                },
            ) if class == class2 => {
                let open = if *open == Open::Yes || *open2 == Open::Yes {
                    Open::Yes
                } else {
                    *open
                };
                let mut attrs = self.merge_attrs(attrs, attrs2);
                // What is not listed any more is looked for among what is set on objects of the class.
                let over = attrs.len() > MAX_ATTRS;
                attrs.truncate(MAX_ATTRS);
                Some(Atom::Object {
                    class: *class,
                    attrs: attrs.into(),
                    open: if over { Open::Yes } else { open },
                })
            }
            (
                Atom::LibObject { class, attrs, data },
                Atom::LibObject {
                    class: class2,
                    attrs: attrs2,
                    data: data2,
                },
            ) if class == class2 => {
                let mut data = self.join(*data, *data2);
                let mut attrs = self.merge_attrs(attrs, attrs2);
                // What is not listed any more is among what the object was made from.
                for (_, v) in attrs.drain(MAX_ATTRS.min(attrs.len())..) {
                    let deep = self.deep(v);
                    if deep != Ls::NONE {
                        let more = self.data(deep);
                        data = self.join(data, more);
                    }
                }
                Some(Atom::LibObject {
                    class: *class,
                    attrs: attrs.into(),
                    data,
                })
            }
            _ => None,
        }
    }

    pub(crate) fn merge_kids(&mut self, a: &[(Const, V)], b: &[(Const, V)]) -> Vec<(Const, V)> {
        let mut out = a.to_vec();
        for (key, v) in b {
            match out.iter_mut().find(|(k, _)| k == key) {
                Some((_, have)) => *have = self.join(*have, *v),
                None => out.push((key.clone(), *v)),
            }
        }
        out
    }

    pub(crate) fn merge_attrs(&mut self, a: &[(Name, V)], b: &[(Name, V)]) -> Vec<(Name, V)> {
        let mut out = a.to_vec();
        for (key, v) in b {
            match out.iter_mut().find(|(k, _)| k == key) {
                Some((_, have)) => *have = self.join(*have, *v),
                None => out.push((*key, *v)),
            }
        }
        out
    }

    /// Most constants that one value is.
    pub(crate) fn most_constants(&self) -> usize {
        // Tables of pages in JavaScript are lists of names.
        match self.language {
            Language::JavaScript => MAX_CONSTS * 2,
            _ => MAX_CONSTS,
        }
    }

    /// A value of these alternatives, within the limits.
    pub fn bounded_value(&mut self, mut all: Vec<Atom>) -> V {
        let consts = all.iter().filter(|a| matches!(a, Atom::Const(_))).count();
        if consts > self.most_constants() {
            all.retain(
                |a| !matches!(a, Atom::Const(c) if !matches!(c, Const::None | Const::Bool(_))),
            );
            self.add(&mut all, Atom::Data(Ls::NONE));
        }
        let texts = all.iter().filter(|a| matches!(a, Atom::Text(_))).count();
        if texts > MAX_TEXTS || all.len() > MAX_ATOMS {
            let mut labels = Ls::NONE;
            let over = all.len() > MAX_ATOMS;
            let mut kept = Vec::new();
            for atom in all {
                let drop = match &atom {
                    Atom::Text(_) => true,
                    Atom::Fn { .. }
                    | Atom::OneOf(_)
                    | Atom::Method { .. }
                    | Atom::Class { .. }
                    | Atom::Routes(_) => false,
                    _ => over,
                };
                if drop {
                    let id = self.atom(atom);
                    let (more, _) = self.measure(id);
                    labels = self.union(labels, more);
                } else {
                    kept.push(atom);
                }
            }
            kept.truncate(MAX_ATOMS);
            self.add(&mut kept, Atom::Data(labels));
            all = kept;
        }
        let ids = all.into_iter().map(|a| self.atom(a)).collect();
        self.value(ids)
    }

    /// For loops that do not settle: constants, texts and positions are given up.
    pub fn widen(&mut self, old: V, new: V) -> V {
        let joined = self.join(old, new);
        if joined == old {
            return old;
        }
        let mut all = Vec::new();
        for atom in self.atoms_of(joined) {
            match atom {
                Atom::Const(Const::None | Const::Bool(_)) => self.add(&mut all, atom),
                Atom::Const(_) => self.add(&mut all, Atom::Data(Ls::NONE)),
                Atom::Text(_) => {
                    let id = self.atom(atom);
                    let (labels, _) = self.measure(id);
                    self.add(&mut all, Atom::Data(labels));
                }
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } if kind != CollKind::Dict => {
                    let mut rest = rest;
                    for (_, v) in &*kids {
                        let v = self.flat(*v);
                        rest = self.join(rest, v);
                    }
                    let rest = self.flat(rest);
                    let atom = Atom::Coll {
                        kind,
                        kids: Box::default(),
                        rest,
                        keys,
                    };
                    self.add(&mut all, atom);
                }
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    let kids = kids
                        .iter()
                        .map(|(k, v)| (k.clone(), self.flat(*v)))
                        .collect();
                    let rest = self.flat(rest);
                    self.add(
                        &mut all,
                        Atom::Coll {
                            kind,
                            kids,
                            rest,
                            keys,
                        },
                    );
                }
                other => self.add(&mut all, other),
            }
        }
        self.bounded_value(all)
    }

    /// For loops that do not settle by [`Self::widen`] either: nothing but labels and functions.
    pub fn flatten(&mut self, old: V, new: V) -> V {
        let joined = self.join(old, new);
        let deep = self.deep(joined);
        // Histories that grow with every round are forgotten too.
        let several = self.forgotten();
        let deep = self.map_set(deep, &mut |_, mut label| {
            if label.chain != ChainId::default() {
                label.chain = several;
            }
            label
        });
        let mut all = vec![Atom::Data(deep)];
        for atom in self.atoms_of(joined) {
            if matches!(
                atom,
                Atom::Fn { .. }
                    | Atom::OneOf(_)
                    | Atom::Method { .. }
                    | Atom::Class { .. }
                    | Atom::Lib(_)
                    | Atom::Routes(_)
            ) {
                self.add(&mut all, atom);
            }
        }
        self.bounded_value(all)
    }

    /// The value without constants and texts, one level.
    pub(crate) fn flat(&mut self, v: V) -> V {
        let mut all = Vec::new();
        for atom in self.atoms_of(v) {
            match atom {
                Atom::Const(Const::None | Const::Bool(_)) => self.add(&mut all, atom),
                Atom::Const(_) => self.add(&mut all, Atom::Data(Ls::NONE)),
                Atom::Text(_) => {
                    let id = self.atom(atom);
                    let (labels, _) = self.measure(id);
                    self.add(&mut all, Atom::Data(labels));
                }
                other => self.add(&mut all, other),
            }
        }
        self.bounded_value(all)
    }

    /// The value without what functions and objects in it hold, where that is nested too deeply: they stay what
    /// they are, and what they hold is looked for where they were made.
    pub(crate) fn thinned(&mut self, v: V, room: u8) -> V {
        let mut all: Vec<Atom> = Vec::new();
        for atom in self.atoms_of(v) {
            let one = self.one(atom.clone());
            let deep = self.deep(one);
            match atom {
                Atom::Const(_) | Atom::Module(_) | Atom::Lib(_) | Atom::Data(_) | Atom::Text(_) => {
                    self.add(&mut all, atom);
                }
                Atom::Fn { function, env } => {
                    let env = self.thin_closure(env);
                    self.add(&mut all, Atom::Fn { function, env });
                }
                Atom::Class { class, env } => {
                    let env = self.thin_closure(env);
                    self.add(&mut all, Atom::Class { class, env });
                }
                Atom::Object { class, .. } => {
                    let (attrs, open) = (Box::default(), Open::Yes);
                    self.add(&mut all, Atom::Object { class, attrs, open });
                    if deep != Ls::NONE {
                        self.add(&mut all, Atom::Data(deep));
                    }
                }
                Atom::Method {
                    function,
                    env,
                    receiver,
                } if room > 0 => {
                    let env = self.thin_closure(env);
                    let receiver = self.thinned(receiver, room - 1);
                    self.add(
                        &mut all,
                        Atom::Method {
                            function,
                            env,
                            receiver,
                        },
                    );
                }
                Atom::Method { function, env, .. } => {
                    let env = self.thin_closure(env);
                    self.add(&mut all, Atom::Fn { function, env });
                }
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } if room > 0 => {
                    let kids = kids
                        .iter()
                        .map(|(key, v)| (key.clone(), self.thinned(*v, room - 1)))
                        .collect();
                    let rest = self.thinned(rest, room - 1);
                    self.add(
                        &mut all,
                        Atom::Coll {
                            kind,
                            kids,
                            rest,
                            keys,
                        },
                    );
                }
                Atom::LibObject { class, attrs, .. } => {
                    let data = self.data(deep);
                    let plain = |v: V| self.constant(v).is_some();
                    let attrs = attrs.iter().copied().filter(|(_, v)| plain(*v)).collect();
                    self.add(&mut all, Atom::LibObject { class, attrs, data });
                }
                _ => self.add(&mut all, Atom::Data(deep)),
            }
        }
        self.bounded_value(all)
    }

    /// Whether a value is plain data, or containers of it of this depth.
    fn is_flat(&self, v: V, room: u8) -> bool {
        self.atoms(v).all(|atom| match atom {
            Atom::Const(_) | Atom::Data(_) | Atom::Text(_) | Atom::Lib(_) => true,
            Atom::Coll { kids, rest, .. } if room > 0 => {
                let mut all = kids.iter().map(|(_, v)| *v).chain([*rest]);
                all.all(|v| self.is_flat(v, room - 1))
            }
            _ => false,
        })
    }

    /// A closure of plain variables: of those with labels, what is flat, or the labels; the others are left out.
    fn thin_closure(&mut self, env: EnvId) -> EnvId {
        if env == EnvId::SAME {
            return env;
        }
        let mut cells = Vec::new();
        for (cell, v) in self.env(env).to_vec() {
            let deep = self.deep(v);
            if deep != Ls::NONE {
                let flat = match self.is_flat(v, 2) {
                    true => v,
                    false => self.data(deep),
                };
                cells.push((cell, flat));
            }
        }
        if cells.is_empty() {
            return EnvId::EMPTY;
        }
        self.closure(cells)
    }
}

#[cfg(test)]
mod tests {
    use solvent_base::Interner;

    use super::*;

    /// Values of which some hold several versions of one object, as branches leave them.
    #[test]
    fn side_by_side_is_what_one_by_one_gives() {
        let names = Interner::new();
        let mut store = Store::new(&names);
        let class = names.name("lib.Session");
        let mut atoms: Vec<Atom> = ["a", "b", "c", "d", "e"]
            .iter()
            .map(|attr| Atom::LibObject {
                class,
                attrs: Box::new([(names.name(attr), store.none)]),
                data: store.unknown,
            })
            .collect();
        for text in ["x", "y", "z"] {
            atoms.push(Atom::Const(Const::Str(names.name(text))));
        }
        atoms.push(Atom::Data(Ls::NONE));
        atoms.push(Atom::Lib(class));
        let ids: Vec<u32> = atoms.into_iter().map(|a| store.atom(a)).collect();
        let mut values = Vec::new();
        for mask in 1_u32..1 << ids.len() {
            let some = ids.iter().enumerate();
            let some = some
                .filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(_, id)| *id);
            values.push(store.value(some.collect()));
        }
        let mut compared = 0;
        for (i, a) in values.iter().enumerate() {
            for b in values.iter().skip(i % 7).step_by(11) {
                if let Some(fast) = store.joined_side_by_side(*a, *b) {
                    compared += 1;
                    assert_eq!(fast, store.joined_one_by_one(*a, *b));
                }
            }
        }
        assert!(compared > 1000, "{compared}");
    }
}
