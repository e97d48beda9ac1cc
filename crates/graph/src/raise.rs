//! Exceptions: what a handler catches, and what leaves a function through them.

use solvent_base::Name;
use solvent_ir::{self as ir, Const};

use crate::call::Args;
use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Base;

impl Machine<'_> {
    /// `v` is raised in the block that runs: it reaches the handlers around it and, unless one of them catches
    /// everything, the caller.
    pub(crate) fn raise(&mut self, frame: &mut Frame, function: &ir::Function, v: V) {
        if v == V::NEVER {
            return;
        }
        let mut leaves = true;
        for handler in &function.blocks[frame.block as usize].handlers {
            let before = frame.caught.get(&handler.0).copied().unwrap_or(V::NEVER);
            let joined = self.w.store.join(before, v);
            if joined != before {
                frame.caught.insert(handler.0, joined);
                frame.caught_changed = true;
            }
            leaves &= !self.catches_all(function, handler.0);
        }
        if leaves {
            frame.raised = self.w.store.join(frame.raised, v);
        }
    }

    /// `raise Class` makes an instance.
    pub(crate) fn made_to_raise(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let is_class = |a: &Atom| matches!(a, Atom::Class { .. });
        if !self.w.store.atoms(v).any(is_class) {
            return v;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Class { class, env } => {
                    let made = self.instantiate(frame, index, class, env, &Args::default());
                    made.ret.unwrap_or(V::NEVER)
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// What the handler that runs has caught, of exceptions of type `type_`. Libraries raise what is not seen.
    pub(crate) fn caught(&mut self, frame: &Frame, type_: Option<V>) -> V {
        let all = frame.caught.get(&frame.block).copied().unwrap_or(V::NEVER);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(all) {
            if type_.is_none_or(|type_| self.may_be_caught(&atom, type_)) {
                let one = self.w.store.one(atom);
                out = self.w.store.join(out, one);
            }
        }
        if out == V::NEVER {
            out = self.w.store.unknown();
        }
        out
    }

    /// Whether a handler for `type_` may catch this value: not when both classes are known, and apart.
    fn may_be_caught(&self, raised: &Atom, type_: V) -> bool {
        // A group is caught for what is in it.
        if let Atom::LibObject { class, .. } = raised
            && self.text(*class).ends_with("ExceptionGroup")
        {
            return true;
        }
        let ancestry: Vec<Base> = match raised {
            Atom::Object { class, .. } | Atom::Class { class, .. } => {
                self.order_of(*class).to_vec()
            }
            Atom::LibObject { class, .. } | Atom::Lib(class) => vec![Base::Lib(*class)],
            _ => return true,
        };
        let own = if self.is_java() { "java." } else { "builtins." };
        let known = |path: &str| path.starts_with(own) && self.m.is_class(path);
        let closed = ancestry.iter().all(|base| match base {
            Base::Own(_) => true,
            Base::Lib(path) => known(&self.text(*path)),
            Base::Unknown => false,
        });
        if !closed {
            return true;
        }
        let catches = |type_: &Atom| match type_ {
            Atom::Class { class, .. } => ancestry.contains(&Base::Own(*class)),
            Atom::Lib(path) => {
                let wanted = self.text(*path);
                !known(&wanted)
                    || ancestry.iter().any(|base| {
                        matches!(base, Base::Lib(path) if self.m.derives(&self.text(*path), &wanted))
                    })
            }
            _ => true,
        };
        self.w.store.atoms(type_).any(|atom| match atom {
            Atom::Coll { kids, rest, .. } => kids
                .iter()
                .map(|(_, v)| *v)
                .chain([*rest])
                .any(|v| self.w.store.atoms(v).any(catches)),
            other => catches(other),
        })
    }

    /// Raises again what was caught: `raise` in a handler, and the end of `finally`.
    pub(crate) fn raise_again(&mut self, frame: &mut Frame, function: &ir::Function) {
        let mut all = V::NEVER;
        for v in frame.caught.values() {
            all = self.w.store.join(all, *v);
        }
        self.raise(frame, function, all);
    }

    fn catches_all(&self, function: &ir::Function, handler: u32) -> bool {
        let block = &function.blocks[handler as usize];
        function.insts[block.start as usize..block.end as usize]
            .iter()
            .find_map(|inst| match inst.op {
                ir::Op::Caught(type_) => Some(type_),
                _ => None,
            })
            .is_some_and(|type_| match type_ {
                None => true,
                Some(type_) => match function.insts[type_.0 as usize].op {
                    ir::Op::Global(name) => {
                        matches!(&*self.text(name), "Exception" | "BaseException")
                    }
                    ir::Op::Import {
                        member: Some(name), ..
                    } => {
                        matches!(&*self.text(name), "Exception" | "Throwable")
                    }
                    _ => false,
                },
            })
    }

    /// What an exception of this class keeps of the arguments that it is made with, whatever its `__init__`
    /// does: a class that derives from a library's exception has them as `args`.
    pub(crate) fn kept_by_exception(&mut self, class: ClassId, args: &Args) -> Option<(Name, V)> {
        let is_exception = self.lib_bases(class).iter().any(|base| {
            let base = self.text(*base);
            base.ends_with("Exception") || base.ends_with("Error")
        });
        if !is_exception || args.pos.is_empty() {
            return None;
        }
        let kids = args
            .pos
            .iter()
            .enumerate()
            .map(|(i, (v, _))| (Const::Int(i as i64), *v))
            .collect();
        let rest = args.spread.unwrap_or(V::NEVER);
        let kept = self.w.store.coll(CollKind::Tuple, kids, rest, Ls::NONE);
        Some((self.name("args"), kept))
    }
}
