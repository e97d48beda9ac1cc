//! Attributes that methods of a class give, and those of a name that is known in part.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::Args;
use crate::link::{ClassId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, V};
use crate::world::Base;

/// Attributes that are followed one by one where their name is not known.
const MAX_NAMED: usize = 12;

impl Machine<'_> {
    /// Everything that an attribute of a name known in part may be: `getattr(tools, "do_" + name)`.
    pub(crate) fn any_attr(
        &mut self,
        frame: &mut Frame,
        base: V,
        name: V,
        site: Site,
    ) -> Option<V> {
        let mut head: Option<String> = None;
        for atom in self.w.store.atoms_of(name) {
            let start = match atom {
                Atom::Text(pieces) => match pieces.first() {
                    Some(crate::value::Piece::Lit(text)) => self.text(*text).to_string(),
                    _ => String::new(),
                },
                Atom::Const(Const::Str(text)) => self.text(text).to_string(),
                _ => String::new(),
            };
            head = Some(match head {
                None => start,
                Some(before) if start.starts_with(&before) => before,
                Some(before) if before.starts_with(&start) => start,
                Some(_) => String::new(),
            });
        }
        let head = head.unwrap_or_default();
        let mut names: Vec<Name> = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            let (class, unit) = match &atom {
                Atom::Object { class, attrs, .. } => {
                    names.extend(attrs.iter().map(|(n, _)| *n));
                    (Some(*class), None)
                }
                Atom::Class { class, .. } => (Some(*class), None),
                Atom::Module(unit) => (None, Some(*unit)),
                _ => return None,
            };
            if let Some(class) = class {
                for base in self.order_of(class).iter().copied() {
                    if let Base::Own(base) = base {
                        names.extend(self.methods_in(base).into_iter().map(|(n, _)| n));
                    }
                }
            }
            if let Some(unit) = unit {
                let body = self.p.function(self.p.body(unit));
                names.extend(body.insts.iter().filter_map(|inst| match inst.op {
                    solvent_ir::Op::StoreName { name, .. } => Some(name),
                    _ => None,
                }));
            }
        }
        names.sort_unstable();
        names.dedup();
        names.retain(|name| {
            let text = self.text(*name);
            text.starts_with(&head) && !text.starts_with("__") && !text.starts_with('<')
        });
        let mut out = V::NEVER;
        for (i, name) in names.into_iter().enumerate() {
            let one = self.attr(frame, base, name, site);
            if i >= MAX_NAMED {
                self.escape(one, site, "a call by a name known only at run time", 0);
                continue;
            }
            out = self.w.store.join(out, one);
        }
        let unknown = self.w.store.unknown();
        Some(self.w.store.join(out, unknown))
    }

    /// What `__getattr__` of a class gives for an attribute that is not found.
    pub(super) fn by_getattr(
        &mut self,
        frame: &mut Frame,
        class: ClassId,
        receiver: V,
        name: Name,
        site: Site,
    ) -> Option<V> {
        if self.has_receivers() || self.text(name).starts_with("__") {
            return None;
        }
        let getattr = self.name("__getattr__");
        let method = self.method_of(class, getattr, receiver)?;
        let key = self.w.store.konst(Const::Str(name));
        self.call_value(frame, site.inst, method, &Args::of(&[key]))
            .ret
    }

    /// What `__get__` of an object in the class gives.
    pub(super) fn by_descriptor(
        &mut self,
        frame: &mut Frame,
        raw: V,
        receiver: V,
        site: Site,
    ) -> Option<V> {
        if self.has_receivers() {
            return None;
        }
        let class = match self.w.store.only(raw) {
            Some(Atom::Object { class, .. }) => *class,
            _ => return None,
        };
        let get = self.name("__get__");
        let method = self.method_of(class, get, raw)?;
        let unknown = self.w.store.unknown();
        self.call_value(frame, site.inst, method, &Args::of(&[receiver, unknown]))
            .ret
    }
}
