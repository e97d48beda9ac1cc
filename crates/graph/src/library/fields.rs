//! What a form or serializer gives back, by the fields that its class declares.

use solvent_base::Name;
use solvent_ir::Const;

use crate::label::Note;
use crate::link::Site;
use crate::machine::Machine;
use crate::value::{Atom, V};
use crate::world::Base;

impl Machine<'_> {
    /// A mapping of inputs whose values under declared names are harmless as their fields make them.
    pub(super) fn by_field(&mut self, mapping: V, receiver: V, site: Site) -> V {
        let Some(class) = self.receiver_class(receiver) else {
            return mapping;
        };
        let mut attrs: Vec<(Name, V)> = Vec::new();
        for base in self.order_of(class).iter().copied() {
            let Base::Own(own) = base else { continue };
            for field in self.declared_fields(own) {
                let kept = self.name(&format!("[{}]", self.text(field)));
                if attrs.iter().any(|(name, _)| *name == kept) {
                    continue;
                }
                let Some((kinds, by)) = self.cleared_by_field(own, field) else {
                    continue;
                };
                let key = self.w.store.konst(Const::Str(field));
                let frame = &mut self.bare_frame(self.p.body(self.p.class_unit(own)));
                let v = self.index(frame, u32::MAX, mapping, key);
                let v = self.w.store.map_labels(v, &mut |store, set| {
                    store.map_set(set, &mut |_, mut label| {
                        label.kills |= kinds;
                        label
                    })
                });
                let v = self.noted(v, Note::Sanitized { site, by, kinds });
                attrs.push((kept, v));
            }
        }
        if attrs.is_empty() {
            return mapping;
        }
        let class = self.name("builtins.dict");
        self.w.store.one(Atom::LibObject {
            class,
            attrs: attrs.into(),
            data: mapping,
        })
    }

    /// Kinds that the field of this name clears, and its class.
    fn cleared_by_field(
        &mut self,
        class: crate::link::ClassId,
        field: Name,
    ) -> Option<(u64, Name)> {
        let held = self.class_attr(class, crate::value::EnvId::EMPTY, field)?;
        let path = match self.w.store.only(held)? {
            Atom::LibObject { class, .. } => *class,
            _ => return None,
        };
        let id = self.path_member(path)?;
        let steps = &self.m.get(id).steps;
        let kinds = steps.iter().fold(0, |all, step| all | step.clears.0);
        (kinds != 0).then_some((kinds, path))
    }
}
