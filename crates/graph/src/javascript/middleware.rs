//! Functions that are handed to `use` of something that is no framework's: what serves requests calls them.

use solvent_base::Name;

use crate::call::Args;
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, V};

/// What functions between a server and its answer are called with, by habit.
const REQUEST: [&str; 3] = ["req", "request", "_req"];
const RESPONSE: [&str; 4] = ["res", "response", "_res", "_response"];
/// Whose rows describe them: Express's where the program knows it.
const USE: [(&str, &str); 2] = [
    ("express", "express.Application.use"),
    ("connect", "connect.Server.use"),
];

impl Machine<'_> {
    /// `server.middlewares.use((req, res, next) => ..)`: an application may be an object of the program's own, made in
    /// the image of Connect's.
    pub(crate) fn handed_to_use(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) {
        if !self.is_javascript() || name != self.n.use_ || index == u32::MAX {
            return;
        }
        // A framework's own says what it does with them.
        let described = self
            .w
            .store
            .atoms_of(receiver)
            .into_iter()
            .any(|a| match a {
                Atom::LibObject { class, .. } => self.class_member(class, name).is_some(),
                Atom::Lib(_) => true,
                _ => false,
            });
        if described || !args.pos.iter().any(|(v, _)| self.is_between(*v)) {
            return;
        }
        // With a route in front it is taken for one elsewhere.
        let unknown = |a: &Atom| matches!(a, Atom::Data(_));
        let first = args.get(0, None).and_then(|v| self.constant_texts(v));
        let has_route = first.is_some_and(|texts| texts.iter().all(|t| t.starts_with('/')));
        if has_route && self.w.store.atoms(receiver).all(unknown) {
            return;
        }
        let is_express = self.knows_library(frame, USE[0].0);
        let path = self.name(USE[usize::from(!is_express)].1);
        let Some(id) = self.path_member(path) else {
            return;
        };
        let models = self.m;
        let rows = &models.get(id).entry_points;
        let Some(at) = rows.iter().position(|row| row.handler.is_some()) else {
            return;
        };
        let ports = Ports {
            receiver: Some(receiver),
            args,
        };
        let handler = rows[at].handler.as_ref();
        let Some(handler) = handler.and_then(|port| self.port_plain(port, &ports)) else {
            return;
        };
        let why = "`use` of a value that is not known to be an application".to_owned();
        let receiver = Some(receiver);
        self.register(
            frame,
            index,
            id,
            at as u32,
            receiver,
            args,
            handler,
            Some(why),
        );
    }

    /// Whether this file, or another of the program, imports a library.
    fn knows_library(&mut self, frame: &Frame, library: &str) -> bool {
        if self
            .imported(&self.p.units[frame.unit.0 as usize])
            .contains(library)
        {
            return true;
        }
        if self.imports.is_none() {
            let all = self.p.units.iter().flat_map(|unit| self.imported(unit));
            self.imports = Some(all.collect());
        }
        self.imports
            .as_ref()
            .is_some_and(|all| all.contains(library))
    }

    /// Whether a function takes a request, a response and what comes next.
    fn is_between(&self, v: V) -> bool {
        self.w.store.atoms(v).any(|atom| {
            let Atom::Fn { function, .. } = atom else {
                return false;
            };
            let params = &self.p.function(*function).params;
            let named = |i: usize, names: &[&str]| {
                params
                    .get(i)
                    .is_some_and(|param| names.contains(&&*self.text(param.name)))
            };
            params.len() == 3 && named(0, &REQUEST) && named(1, &RESPONSE)
        })
    }
}
