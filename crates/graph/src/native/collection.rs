//! Sets and lists whose elements are known: what is taken out, what two have in common, every second one.

use solvent_ir::{BinaryOp, Const};

use crate::label::{ChainId, InputShape, Origin};
use crate::machine::Machine;
use crate::value::{Atom, CollKind, Ls, V};

/// Most numbers of a range that are kept one by one.
const MAX_RANGE: i64 = 8;

impl Machine<'_> {
    /// `range` of few numbers, all known.
    pub(super) fn short_range(&mut self, numbers: &[V]) -> Option<V> {
        let numbers: Option<Vec<i64>> = numbers.iter().map(|v| self.small_int(*v)).collect();
        let (start, end, step) = match *numbers?.as_slice() {
            [end] => (0, end, 1),
            [start, end] => (start, end, 1),
            [start, end, step] if step != 0 => (start, end, step),
            _ => return None,
        };
        let mut kids = Vec::new();
        let mut at = start;
        while (step > 0 && at < end) || (step < 0 && at > end) {
            if kids.len() as i64 == MAX_RANGE {
                return None;
            }
            let n = self.w.store.konst(Const::Int(at));
            kids.push((Const::Int(kids.len() as i64), n));
            at = at.checked_add(step)?;
        }
        Some(self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE))
    }

    /// Whether two values are one and the same: constants, or the same input, of which nothing was made.
    pub(crate) fn surely_same(&self, a: V, b: V) -> bool {
        a == b
            && match self.w.store.only(a) {
                Some(Atom::Const(_)) => true,
                Some(Atom::Data(set)) => match self.w.store.labels(*set) {
                    [label] => {
                        label.chain == ChainId::default()
                            && match label.origin {
                                Origin::Input(id) => {
                                    let input = self.w.store.input(id);
                                    input.shape == InputShape::Whole
                                        && input.name != self.w.store.empty
                                }
                                Origin::Hole(_) => true,
                                _ => false,
                            }
                    }
                    _ => false,
                },
                _ => false,
            }
    }

    fn surely_different(&self, a: V, b: V) -> bool {
        matches!((self.w.store.constant(a), self.w.store.constant(b)), (Some(a), Some(b)) if a != b)
    }

    /// Without the first element that is surely `gone`: `None` where there is no such. Where another one before it is
    /// equal, that one is taken out in fact, and both read the same.
    pub(crate) fn without_value(&self, kids: &[(Const, V)], gone: V) -> Option<Vec<(Const, V)>> {
        let at = kids.iter().position(|(_, v)| self.surely_same(*v, gone))?;
        let mut values: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
        values.remove(at);
        Some(numbered(values))
    }

    /// `a - b` and `a & b` of sets whose elements are known.
    pub(crate) fn of_sets(&mut self, op: BinaryOp, left: V, right: V) -> Option<V> {
        let elements = |m: &Self, v: V| match m.w.store.only(v) {
            Some(Atom::Coll {
                kind: CollKind::Set,
                kids,
                rest: V::NEVER,
                keys: Ls::NONE,
            }) => Some(kids.iter().map(|(_, v)| *v).collect::<Vec<V>>()),
            _ => None,
        };
        let (a, b) = (elements(self, left)?, elements(self, right)?);
        let mut out = Vec::new();
        for x in a {
            match op {
                BinaryOp::Sub if !b.iter().any(|y| self.surely_same(x, *y)) => out.push(x),
                BinaryOp::Sub => {}
                BinaryOp::BitAnd => {
                    // What is in both is either: the one that is written says more.
                    for y in &b {
                        if !self.surely_different(x, *y) {
                            let written = self.w.store.constant(*y).is_some();
                            out.push(if written { *y } else { x });
                        }
                    }
                }
                _ => return None,
            }
        }
        Some(
            self.w
                .store
                .coll(CollKind::Set, numbered(out), V::NEVER, Ls::NONE),
        )
    }

    /// Where a list holds a value that is written, and what stands before it is written too.
    pub(super) fn position(&mut self, kids: &[(Const, V)], wanted: V) -> Option<V> {
        let at = kids
            .iter()
            .position(|(_, v)| !self.surely_different(*v, wanted))?;
        let found = self.surely_same(kids[at].1, wanted);
        found.then(|| self.w.store.konst(Const::Int(at as i64)))
    }
}

/// Every `step`th of `len` elements, from and to the bounds that are written: Python's rule for slices
/// (<https://docs.python.org/3/library/stdtypes.html#common-sequence-operations>, note 5).
pub(crate) fn every(len: usize, lower: Option<i64>, upper: Option<i64>, step: i64) -> Vec<usize> {
    let len = len as i64;
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let at = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(i) if i < 0 => (i + len).max(lowest),
        Some(i) => i.min(highest),
    };
    let (from, to) = match step > 0 {
        true => (at(lower, 0), at(upper, len)),
        false => (at(lower, len - 1), at(upper, -1)),
    };
    let mut out = Vec::new();
    let mut i = from;
    while (step > 0 && i < to) || (step < 0 && i > to) {
        out.extend(usize::try_from(i).ok());
        i = i.saturating_add(step);
    }
    out
}

fn numbered(values: Vec<V>) -> Vec<(Const, V)> {
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| (Const::Int(i as i64), v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::every;

    #[test]
    fn slices_with_steps_are_pythons() {
        assert_eq!(every(3, None, None, -1), [2, 1, 0]);
        assert_eq!(every(4, None, None, 2), [0, 2]);
        assert_eq!(every(4, Some(1), None, 2), [1, 3]);
        assert_eq!(every(4, Some(-1), Some(0), -2), [3, 1]);
        assert_eq!(every(4, Some(9), Some(-9), -3), [3, 0]);
        assert!(every(0, None, None, -1).is_empty());
    }
}
