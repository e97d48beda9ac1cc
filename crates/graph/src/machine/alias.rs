//! One object in two places: a list that another object holds, and that is filled afterwards through its own name, or
//! the other way round.
//!
//! Values have no identity here. What is known of a function's text is which value was put into which other one; when
//! one of the two becomes another version, the other's parts that were the same are made what it has become, or stay.

use std::rc::Rc;

use solvent_ir::{self as ir, Arg, Entry, Item, Language, Op, SequenceKind};

use super::{Frame, Machine};
use crate::hash::IdMap;
use crate::link::FnId;
use crate::value::{Atom, CollKind, V};

/// Pairs that are followed in one function; beyond, an alias is lost.
const MAX_PAIRS: usize = 64;
/// Values that one object is under its names in one function.
const MAX_VERSIONS: usize = 64;
/// How deep a part may lie in what holds it.
const MAX_DEPTH: u32 = 3;

/// Which values of a function hold which others, by the first version of each.
#[derive(Default, Debug)]
pub(crate) struct Aliases {
    /// `(what holds, what is held)`
    pairs: Vec<(u32, u32)>,
    /// The first version of each value that is in a pair.
    root: IdMap<u32, u32>,
    /// All versions of each of them.
    versions: IdMap<u32, Vec<u32>>,
}

impl Aliases {
    fn of(function: &ir::Function) -> Option<Self> {
        let mut root: Vec<u32> = (0..function.insts.len() as u32).collect();
        let mut changes = false;
        for (i, inst) in function.insts.iter().enumerate() {
            let from = match &inst.op {
                Op::After { object, .. } => Some(*object),
                Op::SetAttr { base, .. }
                | Op::SetIndex { base, .. }
                | Op::DelIndex { base, .. } => Some(*base),
                Op::Refine { value, .. } => Some(*value),
                Op::Phi(inputs) => inputs.iter().map(|(_, v)| *v).find(|v| (v.0 as usize) < i),
                _ => None,
            };
            changes |= matches!(
                inst.op,
                Op::After { .. } | Op::SetAttr { .. } | Op::SetIndex { .. }
            );
            if let Some(from) = from
                && (from.0 as usize) < i
            {
                root[i] = root[from.0 as usize];
            }
        }
        if !changes {
            return None;
        }
        let mutable = |v: ir::Value| {
            let at = root[v.0 as usize];
            let made = match &function.insts[at as usize].op {
                Op::Sequence { kind, .. } => *kind != SequenceKind::Tuple,
                Op::Dict(_) | Op::Call { .. } => true,
                _ => false,
            };
            made.then_some(at)
        };
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut add = |holder: u32, held: ir::Value| {
            if let Some(held) = mutable(held)
                && held != holder
                && pairs.len() < MAX_PAIRS
                && !pairs.contains(&(holder, held))
            {
                pairs.push((holder, held));
            }
        };
        for (i, inst) in function.insts.iter().enumerate() {
            let i = i as u32;
            match &inst.op {
                Op::SetAttr { base, value, .. } | Op::SetIndex { base, value, .. } => {
                    add(root[base.0 as usize], *value);
                }
                Op::Sequence { items, .. } => {
                    for item in items {
                        if let Item::One(v) = item {
                            add(i, *v);
                        }
                    }
                }
                Op::Dict(entries) => {
                    for entry in entries {
                        if let Entry::Pair(_, v) = entry {
                            add(i, *v);
                        }
                    }
                }
                Op::Call { callee, args } => {
                    let receiver = match function.op(*callee) {
                        Op::Attr { base, .. } => Some(root[base.0 as usize]),
                        _ => None,
                    };
                    for arg in args {
                        if let Arg::Positional(v) | Arg::Named(_, v) = arg {
                            add(i, *v);
                            if let Some(receiver) = receiver {
                                add(receiver, *v);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        if pairs.is_empty() {
            return None;
        }
        let mut out = Self {
            pairs,
            ..Self::default()
        };
        for (holder, held) in &out.pairs {
            out.versions.entry(*holder).or_default();
            out.versions.entry(*held).or_default();
        }
        for (i, first) in root.iter().enumerate() {
            if let Some(all) = out.versions.get_mut(first)
                && all.len() < MAX_VERSIONS
            {
                all.push(i as u32);
                out.root.insert(i as u32, *first);
            }
        }
        // Both of a pair that nobody changes tell nothing.
        let changed = |first: u32| {
            out.versions.get(&first).is_some_and(|all| {
                all.iter().any(|at| {
                    matches!(
                        function.insts[*at as usize].op,
                        Op::After { .. } | Op::SetAttr { .. } | Op::SetIndex { .. }
                    )
                })
            })
        };
        let any = out.pairs.iter().any(|(a, b)| changed(*a) || changed(*b));
        any.then_some(out)
    }
}

impl Machine<'_> {
    pub(super) fn aliases_of(&mut self, f: FnId) -> Option<Rc<Aliases>> {
        if !matches!(self.p.language, Language::Python | Language::JavaScript) {
            return None;
        }
        if let Some(known) = self.aliases.get(&f) {
            return known.clone();
        }
        let found = Aliases::of(self.p.function(f)).map(Rc::new);
        self.aliases.insert(f, found.clone());
        found
    }

    /// A value became another version: what holds it, and what it holds, is looked at.
    pub(super) fn reflect(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        aliases: &Aliases,
        index: u32,
    ) {
        let before = match &function.insts[index as usize].op {
            Op::After { object, .. } => object,
            Op::SetAttr { base, .. } | Op::SetIndex { base, .. } => base,
            _ => return,
        };
        let Some(first) = aliases.root.get(&index).copied() else {
            return;
        };
        let (old, new) = (frame.vals[before.0 as usize], frame.vals[index as usize]);
        if old == new || old == V::NEVER || new == V::NEVER {
            return;
        }
        for (holder, held) in &aliases.pairs {
            if *held == first && self.may_be_two(old) {
                let both = self.w.store.join(old, new);
                self.patch(frame, aliases, *holder, index, &mut |m, v| {
                    m.replaced(v, old, both, MAX_DEPTH)
                });
            }
            if *holder == first {
                let versions = aliases.versions.get(held).cloned().unwrap_or_default();
                let last = versions.iter().rev().map(|at| frame.vals[*at as usize]);
                let Some(part) = last.into_iter().find(|v| *v != V::NEVER) else {
                    continue;
                };
                if !self.may_be_two(part) {
                    continue;
                }
                let mut became = V::NEVER;
                self.became(old, new, part, MAX_DEPTH, &mut became);
                if became != V::NEVER && became != part {
                    self.patch(frame, aliases, *held, index, &mut |m, v| match v == part {
                        true => m.w.store.join(v, became),
                        false => v,
                    });
                }
            }
        }
    }

    /// Whether it is something that can be changed.
    fn may_be_two(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).all(|a| match a {
                Atom::Coll { kind, .. } => !matches!(kind, CollKind::Tuple | CollKind::Iter),
                Atom::Object { .. } => true,
                _ => false,
            })
    }

    /// All versions of an object that were made so far, each with a part of it changed.
    fn patch(
        &mut self,
        frame: &mut Frame,
        aliases: &Aliases,
        first: u32,
        except: u32,
        change: &mut dyn FnMut(&mut Self, V) -> V,
    ) {
        for at in aliases.versions.get(&first).into_iter().flatten() {
            let v = frame.vals[*at as usize];
            if v == V::NEVER || *at == except {
                continue;
            }
            let now = change(self, v);
            if now != v {
                frame.vals[*at as usize] = now;
                let raw = frame.patched.get(at).map_or(v, |(raw, _)| *raw);
                frame.patched.insert(*at, (raw, now));
            }
        }
    }

    /// The value, in which every part that is `old` is `new`.
    fn replaced(&mut self, v: V, old: V, new: V, depth: u32) -> V {
        if depth == 0 || v == V::NEVER {
            return v;
        }
        let part = |m: &mut Self, v: V| match v == old {
            true => new,
            false => m.replaced(v, old, new, depth - 1),
        };
        let mut changed = false;
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            all.push(match atom {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    let mut now = Vec::with_capacity(kids.len());
                    for (key, v) in &*kids {
                        now.push((key.clone(), part(self, *v)));
                    }
                    let rest_now = part(self, rest);
                    changed |= rest_now != rest || now[..] != kids[..];
                    Atom::Coll {
                        kind,
                        kids: now.into(),
                        rest: rest_now,
                        keys,
                    }
                }
                Atom::Object { class, attrs, open } => {
                    let now: Vec<_> = attrs
                        .iter()
                        .map(|(name, v)| (*name, part(self, *v)))
                        .collect();
                    changed |= now[..] != attrs[..];
                    Atom::Object {
                        class,
                        attrs: now.into(),
                        open,
                    }
                }
                other => other,
            });
        }
        if changed {
            self.w.store.bounded_value(all)
        } else {
            v
        }
    }

    /// What a part that was `part` is in the new version of what holds it.
    fn became(&mut self, old: V, new: V, part: V, depth: u32, out: &mut V) {
        if depth == 0 || old == new {
            return;
        }
        let (Some(a), Some(b)) = (self.w.store.only(old), self.w.store.only(new)) else {
            return;
        };
        let pairs: Vec<(V, V)> = match (a, b) {
            (
                Atom::Coll { kids, rest, .. },
                Atom::Coll {
                    kids: kids_now,
                    rest: rest_now,
                    ..
                },
            ) => {
                let kids = kids.iter().filter_map(|(key, v)| {
                    let now = kids_now.iter().find(|(k, _)| k == key);
                    now.map(|(_, now)| (*v, *now))
                });
                kids.chain([(*rest, *rest_now)]).collect()
            }
            (
                Atom::Object { attrs, .. },
                Atom::Object {
                    attrs: attrs_now, ..
                },
            ) => attrs
                .iter()
                .filter_map(|(name, v)| {
                    let now = attrs_now.iter().find(|(n, _)| n == name);
                    now.map(|(_, now)| (*v, *now))
                })
                .collect(),
            _ => return,
        };
        for (was, is) in pairs {
            if was == part && is != was {
                *out = self.w.store.join(*out, is);
            } else if was != is {
                self.became(was, is, part, depth - 1, out);
            }
        }
    }
}
