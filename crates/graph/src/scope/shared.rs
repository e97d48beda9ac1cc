//! What others may have changed: values of shared places, names that are imports.

use solvent_base::Name;
use solvent_ir as ir;

use crate::link::{Target, UnitId};
use crate::machine::Machine;
use crate::value::{Atom, CollKind, V};
use crate::world::Place;

impl Machine<'_> {
    /// A value read from a shared place may have been changed by code that is not seen here:
    /// containers keep their known keys but are open.
    pub(crate) fn shared(&mut self, v: V) -> V {
        let v = self.opened_objects(v, 0);
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
                } if kind != CollKind::Tuple
                    // Constant tables (literals that nobody is seen to write to) stay exact.
                    && (kids.is_empty() || (kind != CollKind::Set && rest != V::NEVER)) =>
                {
                    let rest = self.w.store.join(rest, unknown);
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys,
                    }
                }
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    /// The value, of whose instances it is known that others may set their attributes.
    pub(super) fn opened_objects(&mut self, v: V, depth: u32) -> V {
        let has = |a: &Atom| matches!(a, Atom::Object { .. } | Atom::Coll { .. });
        if self.has_receivers() || depth > 1 || !self.w.store.atoms(v).any(has) {
            return v;
        }
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            all.push(match atom {
                Atom::Object { class, attrs, open } => {
                    let none = self.w.store.none();
                    let attrs = self.with_attr(&attrs, self.n.shared, none, true);
                    Atom::Object { class, attrs, open }
                }
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    let rest = self.opened_objects(rest, depth + 1);
                    let mut opened = Vec::with_capacity(kids.len());
                    for (key, v) in &*kids {
                        opened.push((key.clone(), self.opened_objects(*v, depth + 1)));
                    }
                    Atom::Coll {
                        kind,
                        kids: opened.into(),
                        rest,
                        keys,
                    }
                }
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    /// What is imported, with what was done to it since.
    pub(super) fn changed_elsewhere(&mut self, unit: UnitId, name: Name, v: V) -> V {
        let changes = |a: &Atom| matches!(a, Atom::Coll { .. });
        if self.has_receivers() || !self.w.store.atoms(v).any(changes) {
            return v;
        }
        match self.imported_from(unit, name) {
            Some((unit, name)) => match self.w.read(Place::Global(unit, name)) {
                Some(now) => self.w.store.join(v, now),
                None => v,
            },
            None => v,
        }
    }

    /// The variable of another file that a name of this one is, where an import makes it so.
    pub(super) fn imported_from(&mut self, unit: UnitId, name: Name) -> Option<(UnitId, Name)> {
        if let Some(known) = self.origins.get(&(unit, name)) {
            return *known;
        }
        self.origins.insert((unit, name), None);
        let found = self.import_behind(unit, name);
        self.origins.insert((unit, name), found);
        found
    }

    pub(super) fn import_behind(&mut self, unit: UnitId, name: Name) -> Option<(UnitId, Name)> {
        if self.p.language != ir::Language::Python {
            return None;
        }
        let body = self.p.body(unit);
        let stores = self.stores_of(body);
        let [(_, value)] = stores.get(&name)?[..] else {
            return None;
        };
        let ir::Op::Import {
            module,
            member: Some(member),
            level,
        } = *self.p.function(body).op(value)
        else {
            return None;
        };
        let Target::Unit(from) = self.target(unit, module, level) else {
            return None;
        };
        Some(self.imported_from(from, member).unwrap_or((from, member)))
    }

    /// The value, of whose lists it is not known what stands where: how often others put something in, and where, is
    /// not known.
    pub(super) fn without_positions(&mut self, v: V, depth: u32) -> V {
        let has = |a: &Atom| {
            matches!(
                a,
                Atom::Coll {
                    kind: CollKind::List,
                    ..
                } | Atom::Object { .. }
            )
        };
        if depth > 2 || !self.w.store.atoms(v).any(has) {
            return v;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: kind @ CollKind::List,
                    kids,
                    rest,
                    keys,
                } => self.scrambled(kind, &kids, rest, keys),
                Atom::Object { class, attrs, open } => {
                    let attrs = attrs
                        .iter()
                        .map(|(name, v)| (*name, self.without_positions(*v, depth + 1)))
                        .collect();
                    self.w.store.one(Atom::Object { class, attrs, open })
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }
}
