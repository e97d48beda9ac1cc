//! Classes that are handlers because of what they are derived from.

use solvent_base::Name;
use solvent_models::{EntryRow, EntryShape};

use super::live::Seen;
use crate::entry::Entry;
use crate::link::{ClassId, FnId, Site};
use crate::machine::Machine;
use crate::value::V;

impl Machine<'_> {
    pub(super) fn add_base_classes(&mut self, seen: &Seen, out: &mut Vec<Entry>) {
        let mut served: Vec<(ClassId, &EntryRow)> = Vec::new();
        let models = self.m;
        for class in (0..self.p.class_count()).map(ClassId) {
            if self.w.classes[class.0 as usize].bases.is_empty() {
                continue;
            }
            let bases: Vec<_> = self.lib_bases(class);
            let bases: Vec<_> = bases.iter().map(|base| self.text(*base)).collect();
            let fitting: Vec<_> = models
                .entry_rows(EntryShape::BaseClass)
                .filter(|(member, row)| {
                    row.bound_by.is_none()
                        && bases.iter().any(|base| models.derives(base, &member.path))
                })
                .collect();
            // What a row says of a class holds before what one says of its base: a handler of HTTP is one of a server
            // of sockets too.
            let is_nearest = |path: &str| {
                !fitting
                    .iter()
                    .any(|(other, _)| other.path != path && models.derives(&other.path, path))
            };
            let nearest = fitting.iter().find(|(member, _)| is_nearest(&member.path));
            let row = nearest.or(fitting.first()).map(|(_, row)| *row);
            let Some(row) = row else {
                continue;
            };
            served.push((class, row));
        }
        // A tree that serves none of them is a library of handlers.
        let used = |class: ClassId| !self.never_used(seen, class);
        if served.iter().any(|(class, _)| used(*class)) {
            // A schema is made of values.
            let unused = served
                .iter()
                .filter(|(class, row)| !used(*class) && row.filling.is_none());
            let unused: Vec<ClassId> = unused.map(|(class, _)| *class).collect();
            served.retain(|(class, _)| !unused.contains(class));
            self.w.unused.extend(unused);
        }
        for (class, row) in served {
            let route = self.class_routes(class).into_iter().next();
            for (function, methods) in self.class_handlers(class, false) {
                let receiver = self.open_object(class);
                let name = self.p.function(function).name;
                let Some(value) = self.method_of(class, name, receiver) else {
                    continue;
                };
                let auth = self.method_checks(class, value);
                let gives = match row.filling {
                    Some(_) => self.given_to_resolver(function, &row.params),
                    None => Vec::new(),
                };
                out.push(Entry {
                    framework: row.framework.clone(),
                    methods,
                    route: route.clone().unwrap_or_default(),
                    segments: Vec::new(),
                    function,
                    class: Some(class),
                    value,
                    auth,
                    assumed: None,
                    converters: Vec::new(),
                    params: row.params.clone(),
                    extra: Vec::new(),
                    gives,
                    within: false,
                    library: None,
                    filling: row.filling.clone(),
                    answers: None,
                });
            }
        }
    }

    /// What stands in front of the arguments that a request brings: the object above, which is not known, and what is
    /// known of the request.
    fn given_to_resolver(&mut self, function: FnId, params: &[String]) -> Vec<(Name, V)> {
        let site = Site {
            function,
            inst: u32::MAX,
        };
        let mut out: Vec<(Name, V)> = Vec::new();
        for word in ["self", "root", "_root", "parent", "obj", "_", "cls"] {
            out.push((self.name(word), self.w.store.unknown()));
        }
        for class in params {
            let v = self.filled_by_rows(class, site);
            out.push((self.name("info"), v));
            out.push((self.name("_info"), v));
        }
        out
    }
}
