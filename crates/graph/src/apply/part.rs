//! Results that depend on what a method is called on: what is not in a mapping, and parts of holders of routes.

use solvent_models::Member;

use crate::call::Args;
use crate::machine::Machine;
use crate::value::{Atom, V};

impl Machine<'_> {
    /// `d.get(k)` gives nothing where the key is not there.
    pub(super) fn or_nothing(
        &mut self,
        v: V,
        member: &Member,
        receiver: Option<V>,
        args: &Args,
    ) -> V {
        let (Some(receiver), Some(key)) = (receiver, args.get(0, None)) else {
            return v;
        };
        if member.path != "builtins.dict.get"
            || args.count() > 1
            || self.w.store.constant(key).is_some()
        {
            return v;
        }
        let is_dict = |a: &Atom| matches!(a, Atom::Coll { .. });
        if !self.w.store.atoms(receiver).any(is_dict) {
            return v;
        }
        let none = self.w.store.none();
        self.w.store.join(v, none)
    }

    /// A part of a holder of routes was made where the holder was.
    pub(crate) fn as_part(&mut self, v: V, member: &Member, receiver: Option<V>) -> V {
        let is_part =
            |row: &solvent_models::EntryRow| row.shape == solvent_models::EntryShape::Part;
        if !member.entry_points.iter().any(is_part) {
            return v;
        }
        let made = receiver.and_then(|receiver| {
            self.w.store.atoms(receiver).find_map(|a| match a {
                Atom::LibObject { attrs, .. } => {
                    attrs.iter().find(|(n, _)| *n == self.n.site).copied()
                }
                _ => None,
            })
        });
        match (made, self.w.store.only(v).cloned()) {
            (Some(made), Some(Atom::LibObject { class, attrs, data })) => {
                let mut attrs = attrs.to_vec();
                attrs.push(made);
                let attrs = attrs.into();
                self.w.store.one(Atom::LibObject { class, attrs, data })
            }
            _ => v,
        }
    }
}
