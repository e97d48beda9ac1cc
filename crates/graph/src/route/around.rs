//! What settings put around every request, by name.

use std::collections::BTreeSet;

use solvent_ir::{Const, Op};
use solvent_models::{EntryRow, EntryShape};

use crate::call::Args;
use crate::link::UnitId;
use crate::machine::Machine;
use crate::value::{Atom, V};
use crate::world::Place;

impl Machine<'_> {
    /// Functions and classes that a module's variable lists as standing around every request.
    pub(super) fn add_listed_hooks(&mut self, hooks: &mut Vec<V>) {
        let rows: Vec<EntryRow> = self
            .m
            .entry_rows(EntryShape::Hook)
            .map(|(_, row)| row)
            .filter(|row| row.named_by.is_some())
            .cloned()
            .collect();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let named_by = self.name(row.named_by.as_deref().unwrap_or_default());
            for unit in (0..self.p.units.len()).map(|u| UnitId(u as u32)) {
                if self.w.read(Place::Global(unit, named_by)).is_none() {
                    continue;
                }
                // The list may be longer than values hold: the module's texts that name something of the program
                // are taken.
                let body = self.p.function(self.p.body(unit));
                let texts: Vec<String> = body
                    .insts
                    .iter()
                    .filter_map(|inst| match &inst.op {
                        Op::Const(Const::Str(text)) => Some(self.text(*text).to_string()),
                        _ => None,
                    })
                    .filter(|text| is_dotted(text))
                    .collect();
                for text in texts {
                    if seen.insert(text.clone())
                        && let Some(v) = self.dotted(unit, &text)
                    {
                        self.add_around(v, row, hooks);
                    }
                }
            }
        }
    }

    fn add_around(&mut self, v: V, row: &EntryRow, hooks: &mut Vec<V>) {
        let first: Vec<V> = row
            .params
            .iter()
            .map(|path| {
                let kind = solvent_models::TypeRef::Named {
                    path: path.clone(),
                    element: None,
                };
                self.typed(V::NEVER, &kind)
            })
            .collect();
        let mut around = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Class { class, .. } => {
                    let receiver = self.open_object(class);
                    for name in row.method_functions.keys() {
                        let name = self.name(name);
                        around.extend(self.method_of(class, name, receiver));
                    }
                }
                // A function that makes what stands around.
                Atom::Fn { function, .. } => {
                    let maker = self.w.store.one(atom);
                    let mut frame = self.bare_frame(function);
                    let unknown = self.w.store.unknown();
                    let made = self.call_value(&mut frame, u32::MAX, maker, &Args::of(&[unknown]));
                    around.extend(made.ret.filter(|v| self.is_function(*v)));
                }
                _ => {}
            }
        }
        for function in around {
            let hook = self.w.store.one(Atom::Partial {
                function,
                args: first.clone().into(),
                named: Box::default(),
            });
            hooks.push(hook);
        }
    }
}

fn is_dotted(text: &str) -> bool {
    text.contains('.')
        && text.len() < 256
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
}
