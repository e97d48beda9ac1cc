//! What a condition says about the request, and functions that check for others.

use crate::label::{Link, Origin};
use crate::machine::{Frame, Machine, Vouch, Vouched};
use crate::refine::{MAX_DEPTH, Normal, Says};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Fact;
use solvent_base::Name;
use solvent_finding::{Comparison, Transform};
use solvent_ir::{self as ir, CompareOp, Const, Op, UnaryOp};

/// Most blocks of a function whose ways are walked back for each of its returns; beyond, it vouches for
/// nothing.
const MAX_BLOCKS: usize = 2_000;

impl Machine<'_> {
    /// What must hold of the request for the condition to be `holds`.
    pub(crate) fn facts_of(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        condition: ir::Value,
        holds: bool,
    ) -> Vec<Fact> {
        let mut out = Vec::new();
        self.collect_facts(frame, function, condition, holds, 0, &mut out);
        out
    }

    pub(crate) fn collect_facts(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        condition: ir::Value,
        holds: bool,
        depth: u32,
        out: &mut Vec<Fact>,
    ) {
        if depth > MAX_DEPTH {
            return;
        }
        let empty = self.w.store.empty;
        let value = |frame: &Frame, v: ir::Value| frame.vals[v.0 as usize];
        match function.op(condition) {
            Op::Unary {
                op: UnaryOp::Not,
                operand,
            } => {
                self.collect_facts(frame, function, *operand, !holds, depth + 1, out);
                return;
            }
            Op::Refine { value, .. } => {
                self.collect_facts(frame, function, *value, holds, depth + 1, out);
                return;
            }
            Op::Compare { op, left, right } => {
                let (l, r) = (value(frame, *left), value(frame, *right));
                let (op, positive) = match op {
                    CompareOp::NotEq => (CompareOp::Eq, !holds),
                    CompareOp::IsNot => (CompareOp::Is, !holds),
                    CompareOp::NotIn => (CompareOp::In, !holds),
                    other => (*other, holds),
                };
                match op {
                    CompareOp::Eq | CompareOp::Is => {
                        for (side, other) in [(l, r), (r, l)] {
                            let labels = self.subject(side);
                            if labels == Ls::NONE {
                                continue;
                            }
                            match self.w.store.constant(other).cloned() {
                                Some(Const::None) => {
                                    let comparison = if positive {
                                        Comparison::Absent
                                    } else {
                                        Comparison::Present
                                    };
                                    out.push(Fact {
                                        labels,
                                        comparison,
                                        value: empty,
                                    });
                                }
                                Some(c) => {
                                    let Some(text) = self.const_text(&c) else {
                                        continue;
                                    };
                                    let comparison = if positive {
                                        Comparison::Equals
                                    } else {
                                        Comparison::NotEquals
                                    };
                                    out.push(Fact {
                                        labels,
                                        comparison,
                                        value: text,
                                    });
                                }
                                None => {}
                            }
                        }
                    }
                    CompareOp::In => {
                        // `"id" in params`: the input of that name.
                        if let Some(name) = self.w.store.constant_str(l) {
                            let item = self.mapping_item(frame, condition.0, r, name);
                            let labels = self.subject(item);
                            if labels != Ls::NONE {
                                let comparison = if positive {
                                    Comparison::Present
                                } else {
                                    Comparison::Absent
                                };
                                out.push(Fact {
                                    labels,
                                    comparison,
                                    value: empty,
                                });
                                return;
                            }
                            let labels = self.subject(r);
                            if labels != Ls::NONE && positive {
                                let comparison = Comparison::Contains;
                                out.push(Fact {
                                    labels,
                                    comparison,
                                    value: name,
                                });
                            }
                        } else if positive {
                            let labels = self.subject(l);
                            if labels != Ls::NONE
                                && let Some(list) = self.listed(r)
                                && let Some(c) = list.first()
                                && let Some(text) = self.const_text(c)
                            {
                                let comparison = Comparison::Equals;
                                out.push(Fact {
                                    labels,
                                    comparison,
                                    value: text,
                                });
                            }
                        }
                    }
                    _ => {}
                }
                return;
            }
            Op::Call { callee, args } => {
                let callee_value = value(frame, *callee);
                let Some(Atom::Member { receiver, name }) = self.w.store.only(callee_value) else {
                    return;
                };
                let (receiver, name) = (*receiver, *name);
                let labels = self.subject(receiver);
                let arg = args.first().map(|a| value(frame, a.value()));
                let text = arg
                    .and_then(|v| self.constant_texts(v))
                    .and_then(|t| t.first().cloned());
                let comparison = match (&*self.text(name), holds) {
                    ("startswith", true) => Comparison::StartsWith,
                    ("endswith", true) => Comparison::EndsWith,
                    ("isdigit" | "isdecimal" | "isnumeric", true) => Comparison::Digits,
                    _ => {
                        // A labelled result: `request.args.get("x")` as a condition.
                        let v = value(frame, condition);
                        let labels = self.subject(v);
                        if labels != Ls::NONE {
                            let comparison = if holds {
                                Comparison::Present
                            } else {
                                Comparison::Absent
                            };
                            out.push(Fact {
                                labels,
                                comparison,
                                value: empty,
                            });
                        }
                        return;
                    }
                };
                if labels != Ls::NONE {
                    let text = match (comparison, text) {
                        (Comparison::Digits, _) => empty,
                        (_, Some(text)) => self.name(&text),
                        (_, None) => return,
                    };
                    out.push(Fact {
                        labels,
                        comparison,
                        value: text,
                    });
                }
                return;
            }
            _ => {}
        }
        let v = value(frame, condition);
        let labels = self.subject(v);
        if labels != Ls::NONE {
            let comparison = if holds {
                Comparison::Present
            } else {
                Comparison::Absent
            };
            out.push(Fact {
                labels,
                comparison,
                value: empty,
            });
        }
    }

    /// Labels of a value that a fact may be about: one input, as it came.
    pub(crate) fn subject(&mut self, v: V) -> Ls {
        let mut out = Ls::NONE;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Data(labels) => out = self.w.store.union(out, labels),
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    if let Some(Atom::Data(labels)) = self.w.store.only(data) {
                        out = self.w.store.union(out, *labels);
                    }
                }
                Atom::Coll {
                    kind: CollKind::List,
                    kids,
                    rest,
                    ..
                } if kids.is_empty() => {
                    if rest != V::NEVER
                        && let Some(Atom::Data(labels)) = self.w.store.only(rest)
                    {
                        out = self.w.store.union(out, *labels);
                    }
                }
                _ => {}
            }
        }
        let count = self.w.store.labels(out).len();
        // A fact about something computed from the input is no fact about the input.
        let plain = self.w.store.labels(out).iter().all(|l| {
            matches!(
                l.origin,
                Origin::Input(_) | Origin::Hole(_) | Origin::Method
            ) && self.w.store.chain(l.chain).iter().all(|link| {
                !matches!(
                    link,
                    Link::Transform(t) if !matches!(t, Transform::Strip | Transform::Lower)
                )
            })
        });
        if count > 2 || !plain { Ls::NONE } else { out }
    }

    /// The part of a mapping under a constant key, without recording a read.
    pub(crate) fn mapping_item(&mut self, frame: &mut Frame, index: u32, v: V, name: Name) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Data(labels) => {
                    let is_map = self.w.store.labels(labels).iter().all(|l| match l.origin {
                        Origin::Input(id) => {
                            self.w.store.input(id).shape != crate::label::InputShape::Whole
                        }
                        _ => false,
                    });
                    if !is_map {
                        continue;
                    }
                    let set = self.w.store.link_set(labels, &Link::Key(name));
                    self.w.store.data(set)
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    self.mapping_item(frame, index, data, name)
                }
                atom @ Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                } => {
                    let one = self.w.store.one(atom);
                    let key = self.w.store.konst(Const::Str(name));
                    self.index(frame, index, one, key)
                }
                _ => continue,
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    // ---- functions that check

    /// For which parameters this return vouches.
    pub(crate) fn note_vouches(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        value: Option<ir::Value>,
        v: V,
    ) {
        let p = self.p;
        let shape = p.shape(frame.f);
        if function.blocks.len() > MAX_BLOCKS {
            // It vouches for nothing, by no answer.
            let nothing = || Some(Vec::new());
            frame.vouched = Vouched {
                truthy: nothing(),
                falsy: nothing(),
                any: nothing(),
            };
            return;
        }
        let answer = self.answer_truth(function, value, v);
        let mut any: Vec<Vouch> = Vec::new();
        let mut truthy: Vec<Vouch> = Vec::new();
        let mut falsy: Vec<Vouch> = Vec::new();
        for (p, param) in shape.params.iter().copied() {
            let v = frame.vals[param.0 as usize];
            // What the ways here already established.
            let version = shape.version(p, frame.block);
            let mut current = version.map_or(v, |version| frame.vals[version as usize]);
            if current == v {
                current = self.version_at(frame, p, v);
            }
            let established = self.cleared(v, current);
            let known = frame.known[frame.block as usize].clone();
            let (kinds, marks) = known.into_iter().fold(established, |sum, (at, holds)| {
                let said = self.says(frame, function, param, at, holds, 0);
                vouched_by(said, sum)
            });
            if kinds != 0 || marks != 0 {
                any.push((p, kinds, marks));
            }
            for (holds, list) in [(true, &mut truthy), (false, &mut falsy)] {
                let said = match value {
                    Some(value) => self.says(frame, function, param, value, holds, 0),
                    None => Vec::new(),
                };
                let (kinds, marks) = vouched_by(said, (kinds, marks));
                if kinds != 0 || marks != 0 {
                    list.push((p, kinds, marks));
                }
            }
        }
        let vouched = &mut frame.vouched;
        if answer != Some(false) {
            narrow(&mut vouched.truthy, truthy);
        }
        if answer != Some(true) {
            narrow(&mut vouched.falsy, falsy);
        }
        narrow(&mut vouched.any, any);
    }

    /// Whether what is returned says yes, where that is plain. Of several results, the last one says it.
    fn answer_truth(
        &mut self,
        function: &ir::Function,
        value: Option<ir::Value>,
        v: V,
    ) -> Option<bool> {
        if !self.is_go() {
            return self.w.store.truth(v);
        }
        let value = value?;
        let (last, v) = match function.op(value) {
            Op::Sequence { items, .. } => {
                let Some(ir::Item::One(last)) = items.last() else {
                    return None;
                };
                let at = self.w.store.konst(Const::Int(items.len() as i64 - 1));
                let component = match self.w.store.only(v).cloned() {
                    Some(Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys,
                    }) => self.coll_index(kind, &kids, rest, keys, at),
                    _ => return None,
                };
                (*last, component)
            }
            _ => (value, v),
        };
        // An error that is made here is not nil.
        if let Op::Call { callee, .. } = function.op(Self::base(function, last))
            && let Op::Attr { name, .. } = function.op(*callee)
            && matches!(&*self.text(*name), "New" | "Errorf")
        {
            return Some(true);
        }
        self.w.store.truth(v)
    }

    pub(crate) fn version_at(&mut self, frame: &Frame, param: u32, v: V) -> V {
        let p = self.p;
        let (shape, function) = (p.shape(frame.f), p.function(frame.f));
        let mut seen = vec![false; frame.live.len()];
        let mut open = vec![frame.block];
        let mut out = V::NEVER;
        while let Some(block) = open.pop() {
            if std::mem::replace(&mut seen[block as usize], true) {
                continue;
            }
            if let Some(version) = shape.version(param, block) {
                let one = frame.vals[version as usize];
                out = self.w.store.join(out, one);
                continue;
            }
            if block == 0 {
                out = self.w.store.join(out, v);
            }
            let from = shape.before(block);
            open.extend(from.filter(|from| frame.went(function, *from, block)));
        }
        out
    }

    /// Kinds and marks that every label of `after` has, and `before` had not.
    pub(crate) fn cleared(&self, before: V, after: V) -> (u64, u16) {
        let had = self.w.store.labels(self.w.store.deep(before));
        let has = self.w.store.labels(self.w.store.deep(after));
        if had.is_empty() {
            return (0, 0);
        }
        let fold = |labels: &[crate::label::Label]| {
            labels.iter().fold((u64::MAX, u16::MAX), |(k, m), l| {
                (k & l.kills, m & l.marks.0)
            })
        };
        let (k0, m0) = fold(had);
        if has.is_empty() {
            // Something else was put in its place.
            let constant = self.w.store.constants(after).is_some();
            return (if constant { u64::MAX } else { 0 }, 0);
        }
        let (k1, m1) = fold(has);
        (k1 & !k0, m1 & !m0)
    }
}

/// What is said of a value, beside what is known.
fn vouched_by(said: Vec<Says>, (mut kinds, mut marks): (u64, u16)) -> (u64, u16) {
    for one in said {
        match one {
            Says::Harmless {
                kinds: more,
                normal,
                ..
            } => {
                if !matches!(normal, Some(Normal::Asked)) {
                    kinds |= more;
                }
            }
            Says::OneOf(_) => kinds = u64::MAX,
            Says::Marked(more) => marks |= more,
            Says::Truth(_) => {}
        }
    }
    (kinds, marks)
}

/// What another way out vouches for as well.
fn narrow(have: &mut Option<Vec<Vouch>>, this: Vec<Vouch>) {
    *have = Some(match have.take() {
        None => this,
        Some(before) => before
            .into_iter()
            .filter_map(|(p, k, m)| {
                let (_, k2, m2) = this.iter().find(|(q, _, _)| *q == p)?;
                Some((p, k & k2, m & m2))
            })
            .collect(),
    });
}
