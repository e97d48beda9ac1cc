//! Parts of texts and lists, and constants with a transform applied.

use solvent_finding::Transform;
use solvent_ir::Const;

use crate::machine::Machine;
use crate::native::every;
use crate::value::{Atom, Ls, V};

impl Machine<'_> {
    pub(crate) fn slice(&mut self, base: V, bounds: [Option<V>; 3]) -> V {
        let number = |m: &Self, v: Option<V>| match v {
            None => Some(None),
            Some(v) => match m.w.store.constant(v) {
                Some(Const::Int(i)) => Some(Some(*i)),
                Some(Const::None) => Some(None),
                _ => None,
            },
        };
        let lower = number(self, bounds[0]);
        let upper = number(self, bounds[1]);
        let step = number(self, bounds[2]);
        let plain = matches!(step, Some(None | Some(1)));
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(base) {
            let one = match atom {
                Atom::Const(Const::Str(name)) => match (lower, upper, plain) {
                    (Some(lower), Some(upper), true) => {
                        let text: Vec<char> = self.text(name).chars().collect();
                        let (from, to) = range(text.len(), lower, upper);
                        let cut: String = text[from..to].iter().collect();
                        let name = self.name(&cut);
                        self.w.store.konst(Const::Str(name))
                    }
                    _ => self.w.store.unknown(),
                },
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => match (lower, upper, plain) {
                    (Some(lower), Some(upper), true) if rest == V::NEVER => {
                        let (from, to) = range(kids.len(), lower, upper);
                        let kids = kids[from..to]
                            .iter()
                            .enumerate()
                            .map(|(i, (_, v))| (Const::Int(i as i64), *v))
                            .collect();
                        self.w.store.coll(kind, kids, rest, keys)
                    }
                    (Some(lower), Some(upper), false) if rest == V::NEVER => match step {
                        Some(Some(step)) if step != 0 => {
                            let kids = every(kids.len(), lower, upper, step)
                                .into_iter()
                                .enumerate()
                                .map(|(i, at)| (Const::Int(i as i64), kids[at].1))
                                .collect();
                            self.w.store.coll(kind, kids, rest, keys)
                        }
                        _ => self.scrambled(kind, &kids, rest, keys),
                    },
                    _ => self.scrambled(kind, &kids, rest, keys),
                },
                other => {
                    let one = self.w.store.one(other);
                    let data = self.object_data(one);
                    let transform = if plain && lower.is_some() && upper.is_some() {
                        Transform::Slice {
                            lower: lower.flatten(),
                            upper: upper.flatten(),
                        }
                    } else {
                        Transform::Opaque("slice".to_owned())
                    };
                    self.with_context(data, &transform)
                }
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    /// Transforms of constants that can be computed here.
    pub(crate) fn const_transform(&mut self, v: V, transform: &Transform) -> Option<V> {
        if self.w.store.deep(v) != Ls::NONE {
            return None;
        }
        let texts = self.constant_texts(v)?;
        let mut out = V::NEVER;
        for text in texts {
            let new = match transform {
                Transform::Strip => text.trim().to_owned(),
                Transform::Lower => text.to_lowercase(),
                Transform::Upper => text.to_uppercase(),
                _ => return Some(self.w.store.unknown()),
            };
            let name = self.name(&new);
            let c = self.w.store.konst(Const::Str(name));
            out = self.w.store.join(out, c);
        }
        Some(out)
    }
}

/// Python's slice bounds on a sequence of `len` elements.
fn range(len: usize, lower: Option<i64>, upper: Option<i64>) -> (usize, usize) {
    let at = |bound: Option<i64>, default: usize| match bound {
        None => default,
        Some(i) if i < 0 => len.saturating_sub(usize::try_from(i.unsigned_abs()).unwrap_or(len)),
        Some(i) => usize::try_from(i).unwrap_or(len).min(len),
    };
    let from = at(lower, 0);
    let to = at(upper, len).max(from);
    (from, to)
}
