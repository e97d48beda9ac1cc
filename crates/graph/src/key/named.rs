//! Keys that are not there, and keys that the attacker chose.

use solvent_finding::Carrier;
use solvent_ir::Const;

use crate::label::{InputKey, InputShape, Link, Origin};
use crate::machine::Machine;
use crate::value::{Atom, Ls, V};

impl Machine<'_> {
    /// What the functions in an object brought along.
    pub(super) fn held_by_methods(&mut self, kids: &[(Const, V)], rest: V) -> V {
        let mut held = Ls::NONE;
        for v in kids.iter().map(|(_, v)| *v).chain([rest]) {
            for atom in self.w.store.atoms_of(v) {
                let (Atom::Fn { env, .. } | Atom::Method { env, .. }) = atom else {
                    continue;
                };
                for (_, v) in self.w.store.env(env).to_vec() {
                    let deep = self.w.store.deep(v);
                    held = self.w.store.union(held, deep);
                }
            }
        }
        if held == Ls::NONE {
            V::NEVER
        } else {
            self.w.store.data(held)
        }
    }

    /// A mapping that was filled under names the attacker chose, read under a constant one: a raw
    /// query or body that the program takes apart itself becomes the named input.
    pub(crate) fn named_by(&mut self, rest: V, keys: Ls, want: &Const) -> V {
        let Const::Str(name) = want else { return rest };
        let name = *name;
        // A mapping of inputs that was laid over this one.
        let rest = self
            .w
            .store
            .map_each(rest, &mut |store, label| match label.origin {
                Origin::Input(id) if store.input(id).shape != InputShape::Whole => {
                    store.linked(label, &Link::Key(name))
                }
                _ => label,
            });
        if keys == Ls::NONE {
            return rest;
        }
        let origins: Vec<Origin> = self.w.store.labels(keys).iter().map(|l| l.origin).collect();
        self.w.store.map_each(rest, &mut |store, label| {
            if !origins.contains(&label.origin) {
                return label;
            }
            let Origin::Input(id) = label.origin else {
                if matches!(label.origin, Origin::Hole(_)) {
                    let parsed = store.linked(label, &Link::ParseQuery);
                    return store.linked(parsed, &Link::Key(name));
                }
                return label;
            };
            let key = store.input(id).clone();
            let carrier = match key.carrier {
                Carrier::RawQuery | Carrier::RawPath | Carrier::QueryName => Carrier::Query,
                Carrier::RawBody | Carrier::FormName => Carrier::Form,
                Carrier::HeaderName => Carrier::Header,
                _ => return label,
            };
            let mut out = label;
            let key = InputKey {
                carrier,
                name,
                inner: Vec::new(),
                shape: InputShape::Whole,
            };
            out.origin = Origin::Input(store.input_id(key));
            // What was done to the whole is not done to the named part; decoding is the framework's
            // business from here on.
            out.chain = crate::label::ChainId::default();
            out
        })
    }
}
