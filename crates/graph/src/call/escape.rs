//! Functions and objects that go where they cannot be followed.

use solvent_base::Name;
use solvent_ir as ir;
use solvent_models::{EntryShape, Member};

use crate::call::Args;
use crate::link::{ClassId, FnId, Site};
use crate::machine::Machine;
use crate::value::{Atom, V};
use crate::world::Base;

impl Machine<'_> {
    /// Records functions that go where they cannot be followed.
    pub(crate) fn escape(&mut self, v: V, site: Site, what: &str, depth: u32) {
        if depth > 2 {
            return;
        }
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                    self.w
                        .escapes
                        .entry(function)
                        .or_default()
                        .insert((site, what.to_owned()));
                }
                Atom::OneOf(functions) => {
                    for function in functions {
                        let escapes = self.w.escapes.entry(function).or_default();
                        escapes.insert((site, what.to_owned()));
                    }
                }
                Atom::Class { class, .. } => self.escape_class(class, site, what),
                Atom::Object { class, attrs, .. } => {
                    self.hand(&attrs);
                    self.escape_class(class, site, what);
                }
                Atom::Coll { kids, rest, .. } => {
                    for (_, v) in &*kids {
                        self.escape(*v, site, what, depth + 1);
                    }
                    self.escape(rest, site, what, depth + 1);
                }
                Atom::Partial { function, .. } => self.escape(function, site, what, depth + 1),
                Atom::LibObject { data, attrs, .. } => {
                    self.hand(&attrs);
                    self.escape(data, site, what, depth + 1);
                    for (_, v) in &*attrs {
                        self.escape(*v, site, what, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    /// [`Machine::escape`] of functions and classes alone.
    pub(crate) fn escape_code(&mut self, v: V, site: Site, what: &str) {
        let code = |atom: &Atom| {
            matches!(
                atom,
                Atom::Fn { .. } | Atom::Method { .. } | Atom::Class { .. }
            )
        };
        if self.w.store.atoms(v).all(code) {
            self.escape(v, site, what, 0);
        }
    }

    /// Objects of libraries that a call of another library gets.
    pub(crate) fn hand_all(&mut self, args: &Args) {
        for v in args.all() {
            for atom in self.w.store.atoms_of(v) {
                if let Atom::LibObject { attrs, .. } | Atom::Object { attrs, .. } = atom {
                    self.hand(&attrs);
                }
            }
        }
    }

    /// Functions, and objects that have some, that a library's call gets and of which no row says when they are called.
    /// What the language itself brings calls nothing but what rows say.
    pub(crate) fn hand_over(&mut self, member: &Member, args: &Args, site: Site) {
        // A check of who is there calls what it stands in front of, as the route does; in JavaScript it stands beside
        // that, and what it is given it calls with whom it found.
        // One that makes a log by the name of a class calls nothing of the class.
        let names_log = member.library == "java" && member.path.ends_with(".getLogger");
        let stands_in_front = member.requires_login && !self.is_javascript();
        let calls_nothing_else = member.tests || stands_in_front || names_log;
        if calls_nothing_else
            || !member.callbacks.is_empty()
            || member.path.starts_with("builtins.")
        {
            return;
        }
        for v in args.all() {
            // Which of its methods answer, rows of its base say.
            if !self.is_class_of_handlers(v) {
                self.escape(v, site, &member.path, 0);
            }
        }
    }

    fn is_class_of_handlers(&mut self, v: V) -> bool {
        let Some(Atom::Class { class, .. }) = self.w.store.only(v) else {
            return false;
        };
        let bases = self.lib_bases(*class);
        let models = self.m;
        models
            .entry_rows(EntryShape::BaseClass)
            .any(|(member, row)| {
                row.bound_by.is_none()
                    && bases
                        .iter()
                        .any(|base| models.derives(&self.text(*base), &member.path))
            })
    }

    /// Remembers that an object of a library goes where it cannot be followed.
    pub(crate) fn hand(&mut self, attrs: &[(Name, V)]) {
        if let Some((_, id)) = attrs.iter().find(|(n, _)| *n == self.n.site)
            && let Some(id) = self.small_int(*id)
        {
            self.w.handed.insert(Site {
                function: FnId((id >> 32) as u32),
                inst: (id & 0xffff_ffff) as u32,
            });
        }
    }

    pub(crate) fn escape_class(&mut self, class: ClassId, site: Site, what: &str) {
        if !self.w.handed_classes.insert((class, site)) {
            return;
        }
        // What it inherits from the program's own classes goes with it.
        let order = self.order_of(class);
        let all = order.iter().filter_map(|base| match base {
            Base::Own(class) => Some(*class),
            _ => None,
        });
        for class in all.chain([class]) {
            self.escape_methods(class, site, what);
        }
    }

    fn escape_methods(&mut self, class: ClassId, site: Site, what: &str) {
        let p = self.p;
        let unit = p.class_unit(class);
        let body = p.class(class).body;
        for (i, function) in p.unit(unit).functions.iter().enumerate() {
            if function.parent == Some(body) {
                let id = p.fn_id(unit, ir::FnIndex(i as u32));
                let set = self.w.escapes.entry(id).or_default();
                if set.len() < 4 {
                    set.insert((site, what.to_owned()));
                }
            }
        }
    }
}
