//! Checks of who is there, in front of handlers.

use solvent_models::{EntryRow, EntryShape, MemberId};

use super::{asks_who, last_segment};
use crate::call::{Args, Out};
use crate::link::ClassId;
use crate::machine::Machine;
use crate::value::{Atom, V};

impl Machine<'_> {
    /// A library's login check: it lets the function through that it is put in front of, and gives itself when
    /// it is called for its settings first.
    pub(crate) fn login_check(&mut self, member: &solvent_models::Member, args: &Args) -> Out {
        let path = self.name(&member.path);
        // One that is always called for its settings first.
        let factory = |row: &EntryRow| row.shape == EntryShape::Wrapper && row.handler.is_none();
        if let Some(row) = member.entry_points.iter().position(factory)
            && let Some(id) = self.path_member(path)
        {
            return Out::ret(self.plan(id, row as u32, None, args, None));
        }
        let first = args.get(0, None);
        if let Some(v) = first.filter(|v| self.is_function(*v) || self.is_view(*v)) {
            return Out::ret(self.note_login(member, v));
        }
        Out::ret(self.w.store.one(Atom::Lib(path)))
    }

    /// What a login check in front of something is called: an annotation by what it asks for, `hasRole('ADMIN')`. `None`
    /// for what is none, and for one that lets everybody pass.
    pub(crate) fn asked_by(&mut self, id: MemberId, args: &Args) -> Option<String> {
        let models = self.m;
        let member = models.get(id);
        if !member.requires_login {
            return None;
        }
        let said = args.get(0, None).map(|v| self.texts_of(v));
        let said = said.unwrap_or_default().join(", ");
        if ["permitall", "isanonymous"]
            .iter()
            .any(|word| said.to_lowercase().starts_with(word))
        {
            return None;
        }
        Some(if said.is_empty() {
            last_segment(&member.path).to_owned()
        } else {
            said
        })
    }

    /// Checks in front of every handler of a class: what its `decorators` list names; in Java, its annotations.
    pub(super) fn class_checks(&mut self, class: ClassId) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        if self.is_java() {
            for note in self.class_annotations(class) {
                if let Some((id, args)) = self.note_parts(note)
                    && let Some(name) = self.asked_by(id, &args)
                {
                    out.push(name);
                }
            }
            return out;
        }
        let name = self.name("decorators");
        let Some(list) = self.class_attr(class, crate::value::EnvId::EMPTY, name) else {
            return out;
        };
        for atom in self.w.store.atoms_of(list) {
            let Atom::Coll { kids, rest, .. } = atom else {
                continue;
            };
            let listed: Vec<Atom> = kids
                .iter()
                .map(|(_, v)| *v)
                .chain([rest])
                .flat_map(|v| self.w.store.atoms_of(v))
                .collect();
            for atom in listed {
                let name = match atom {
                    Atom::Lib(path) => {
                        let known = self
                            .path_member(path)
                            .is_some_and(|id| self.m.get(id).requires_login);
                        let path = self.text(path);
                        let name = last_segment(&path);
                        (known || asks_who(name)).then(|| name.to_owned())
                    }
                    Atom::Fn { function, .. } => {
                        let name = self.text(self.p.function(function).qualname);
                        let name = name.split('.').next().unwrap_or_default();
                        asks_who(name).then(|| name.to_owned())
                    }
                    _ => None,
                };
                if let Some(name) = name.filter(|name| !out.contains(name)) {
                    out.push(name);
                }
            }
        }
        out
    }

    /// Checks in front of a method of a class, its own and the class's.
    pub(super) fn method_checks(&mut self, class: ClassId, value: V) -> Vec<String> {
        let mut out = self.class_checks(class);
        for atom in self.w.store.atoms_of(value) {
            if let Atom::Fn { function, env } | Atom::Method { function, env, .. } = atom {
                for name in self.unwrapped(function, env).1 {
                    if !out.contains(&name) {
                        out.push(name);
                    }
                }
            }
        }
        out
    }
}
