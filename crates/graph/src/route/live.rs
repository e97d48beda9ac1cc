//! Which registrations happen: those of code that runs, on collections that an application mounts.
//!
//! What is not seen to happen counts as happening unless everything that could make it happen is in sight:
//! an application that the program makes itself, no module found by a name known only at run time, no mount
//! of something unknown, and no word of the function or class anywhere, not even in a text.

use std::collections::BTreeSet;

use solvent_base::Name;
use solvent_ir::{self as ir, Const, FnIndex, FunctionKind, Op};

use crate::analyse::edges_of;
use crate::entry::Bound;
use crate::link::{ClassId, FnId, Site, Target, UnitId};
use crate::machine::Machine;
use crate::value::{Atom, CollKind, V};
use crate::world::Registration;

/// Names that a file speaks of, by file.
#[derive(Debug)]
pub(crate) struct Mentions {
    names: Vec<BTreeSet<Name>>,
    texts: Vec<BTreeSet<Name>>,
}

/// What is known of the program as a whole.
#[derive(Debug)]
pub(crate) struct Seen {
    mentions: Mentions,
    /// Functions that some call leads to, or that went where they cannot be followed.
    called: BTreeSet<FnId>,
    /// Whether everything that serves routes is in sight.
    whole: bool,
    /// Go's packages that no program imports.
    idle: BTreeSet<UnitId>,
}

impl Machine<'_> {
    /// Looks over the program once, after all of it was evaluated.
    pub(crate) fn see(&self, mounts: &[Registration]) -> Seen {
        let called = edges_of(&self.w)
            .into_iter()
            .filter(|edge| edge.caller != edge.callee)
            .map(|edge| edge.callee)
            .chain(self.w.escapes.keys().copied())
            .collect();
        let applications = self.made.values().any(|made| made.application);
        Seen {
            mentions: self.mentions(),
            called,
            whole: applications && !self.w.dynamic && !mounts.iter().any(|m| m.mounts_unknown),
            idle: self.idle_packages().into_iter().collect(),
        }
    }

    fn mentions(&self) -> Mentions {
        let mut names = Vec::new();
        let mut texts = Vec::new();
        for unit in &self.p.units {
            let (mut named, mut said) = (BTreeSet::new(), BTreeSet::new());
            for function in &unit.functions {
                // A class that the body in which it stands hands on has no name there.
                let class_of = |value: ir::Value| match function.op(value) {
                    Op::Class(index) => Some(unit.classes[index.0 as usize].name),
                    _ => None,
                };
                for inst in &function.insts {
                    if let Op::Call { args, .. } = &inst.op {
                        named.extend(args.iter().filter_map(|arg| class_of(arg.value())));
                    }
                }
            }
            for inst in unit.functions.iter().flat_map(|f| &f.insts) {
                match &inst.op {
                    Op::Global(name)
                    | Op::Attr { name, .. }
                    | Op::Captured { name, .. }
                    | Op::Import {
                        member: Some(name), ..
                    } => {
                        named.insert(*name);
                    }
                    Op::Const(Const::Str(text)) => {
                        said.insert(*text);
                    }
                    _ => {}
                }
            }
            names.push(named);
            texts.push(said);
        }
        Mentions { names, texts }
    }

    /// Whether the program speaks of a name, in code or in a text.
    fn speaks_of(&self, seen: &Seen, name: Name) -> bool {
        let text = self.text(name);
        seen.mentions
            .names
            .iter()
            .any(|names| names.contains(&name))
            || seen
                .mentions
                .texts
                .iter()
                .flatten()
                .any(|said| self.text(*said).contains(&*text))
    }

    /// Whether a registration is seen not to happen.
    pub(crate) fn never_happens(&self, seen: &Seen, bound: &Bound) -> bool {
        let registration = &bound.registration;
        let f = registration.site.function;
        if seen.idle.contains(&self.p.unit_of(f)) {
            return true;
        }
        // An application is handed to the code that registers.
        if !seen.whole || !registration.receivers.is_empty() || self.is_java() {
            return false;
        }
        let mut at = f;
        loop {
            let function = self.p.function(at);
            if function.kind == FunctionKind::Module || seen.called.contains(&at) {
                return false;
            }
            let Some(parent) = function.parent else {
                return false;
            };
            if parent == FnIndex(0) || function.class.is_some() {
                let plain = function.kind == FunctionKind::Def;
                return plain && !self.speaks_of(seen, function.name);
            }
            at = self.p.fn_id(self.p.unit_of(at), parent);
        }
    }

    /// Whether what was made there is seen not to be mounted.
    pub(crate) fn never_mounted(&self, seen: &Seen, at: Site) -> bool {
        seen.whole && !self.w.handed.contains(&at)
    }

    /// Whether nobody can make an instance of the class: the program does not speak of it.
    pub(crate) fn never_used(&self, seen: &Seen, class: ClassId) -> bool {
        !self.has_receivers() && !self.w.dynamic && !self.speaks_of(seen, self.p.class(class).name)
    }

    /// Whether a mounted value may be more than what is known of it.
    pub(crate) fn is_unknown_mount(&self, v: V, depth: u32) -> bool {
        if depth > 3 {
            return true;
        }
        self.w.store.atoms(v).any(|atom| match atom {
            Atom::Data(_) | Atom::DynamicModule | Atom::Member { .. } | Atom::Lib(_) => true,
            Atom::Coll {
                kind, kids, rest, ..
            } => {
                *kind != CollKind::Dict
                    && kids
                        .iter()
                        .map(|(_, v)| *v)
                        .chain([*rest])
                        .any(|v| self.is_unknown_mount(v, depth + 1))
            }
            _ => false,
        })
    }

    /// Files of Go whose package no program of the tree imports: nothing of it runs, `init` neither.
    pub(crate) fn idle_packages(&self) -> Vec<UnitId> {
        if !self.is_go() {
            return Vec::new();
        }
        let units = || (0..self.p.units.len()).map(|unit| UnitId(unit as u32));
        let starts = |unit: &UnitId| {
            let functions = &self.p.unit(*unit).functions;
            functions.iter().any(|f| {
                &*self.text(f.name) == "main" && f.parent == Some(FnIndex(0)) && f.class.is_none()
            })
        };
        let mut open: Vec<UnitId> = units().filter(starts).collect();
        if open.is_empty() {
            return Vec::new();
        }
        let mut seen: BTreeSet<UnitId> = BTreeSet::new();
        while let Some(unit) = open.pop() {
            if !seen.insert(unit) {
                continue;
            }
            open.extend(self.p.package_of(unit));
            let insts = self.p.unit(unit).functions.iter().flat_map(|f| &f.insts);
            for inst in insts {
                let Op::Import { module, .. } = inst.op else {
                    continue;
                };
                let path = self.text(module);
                if let Target::Namespace(folder) = self.p.resolve_package(&path) {
                    open.extend(self.p.package(&folder));
                }
                // A path that leads elsewhere by the module file's own rules.
                let last = path.rsplit('/').next().unwrap_or_default();
                open.extend(units().filter(|unit| {
                    let path = self.p.unit(*unit).path.as_str();
                    path.rsplit('/').nth(1) == Some(last)
                }));
            }
        }
        units().filter(|unit| !seen.contains(unit)).collect()
    }
}
