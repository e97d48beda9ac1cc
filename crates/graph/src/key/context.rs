//! What `with` binds.

use crate::call::Args;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, V};

impl Machine<'_> {
    /// What `with` binds.
    pub(crate) fn enter_context(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Iter,
                    rest,
                    ..
                } => {
                    if rest == V::NEVER {
                        self.w.store.unknown()
                    } else {
                        rest
                    }
                }
                Atom::Object { class, .. } => {
                    let receiver = self.w.store.one(atom);
                    let mut got = None;
                    for name in ["__enter__", "__aenter__"] {
                        let name = self.name(name);
                        if let Some(method) = self.method_of(class, name, receiver) {
                            got = self.call_value(frame, index, method, &Args::default()).ret;
                            break;
                        }
                    }
                    got.unwrap_or(receiver)
                }
                Atom::LibObject { class, .. } => {
                    let receiver = self.w.store.one(atom);
                    let enter = self.name("__enter__");
                    if self.class_member(class, enter).is_some() {
                        self.call_member(frame, index, receiver, enter, &Args::default())
                            .ret
                            .unwrap_or(receiver)
                    } else {
                        receiver
                    }
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }
}
