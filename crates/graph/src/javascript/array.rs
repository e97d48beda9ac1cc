//! Methods of arrays.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::label::Link;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, V};

impl Machine<'_> {
    /// A method that goes through a collection, on a value that is not known: its function is called with whatever is
    /// in there.
    pub(crate) fn turns_of_unknown(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let method = self.text(name);
        let turns = [
            "forEach",
            "map",
            "flatMap",
            "filter",
            "some",
            "every",
            "find",
            "findIndex",
        ];
        if !self.is_javascript() || !turns.contains(&&*method) {
            return None;
        }
        let callback = args.get(0, None)?;
        if !self.is_function(callback) {
            return None;
        }
        let element = match self.w.store.only(receiver) {
            Some(Atom::Data(_)) => self.derive(receiver, &Link::Value),
            _ => {
                let within = self.w.store.deep(receiver);
                self.w.store.data(within)
            }
        };
        let list = self.w.store.many(CollKind::List, element);
        let out = self.array_method(frame, index, list, &method, args)?;
        Some(Out {
            receiver: None,
            ..out
        })
    }

    /// Methods of arrays. `None`: not one of them.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per method reads best in one place"
    )]
    pub(super) fn array_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        list: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let exact = self.exact_items(list);
        let first = args.get(0, None);
        let unknown = self.w.store.unknown();
        let mut afters: Vec<(u32, V)> = Vec::new();
        let mut after: Option<V> = None;
        let ret = match method {
            "map" | "flatMap" => {
                let callback = first?;
                let results = self.each_turn(frame, index, list, callback, &mut afters);
                let mapped = match results {
                    Turns::Each(results) => self.list_of(results, V::NEVER),
                    Turns::Any(result) => self.w.store.many(CollKind::List, result),
                };
                if method == "flatMap" {
                    self.flattened(frame, index, mapped)
                } else {
                    mapped
                }
            }
            "forEach" => {
                self.each_turn(frame, index, list, first?, &mut afters);
                self.w.store.none()
            }
            "filter" => {
                let results = self.each_turn(frame, index, list, first?, &mut afters);
                match (results, exact) {
                    (Turns::Each(results), Some(items)) => {
                        let decided: Vec<Option<bool>> =
                            results.iter().map(|r| self.w.store.truth(*r)).collect();
                        let kept: Vec<V> = items
                            .iter()
                            .zip(&decided)
                            .filter(|(_, d)| **d != Some(false))
                            .map(|(v, _)| *v)
                            .collect();
                        if decided.iter().all(Option::is_some) {
                            self.list_of(kept, V::NEVER)
                        } else {
                            let element = self.w.store.join_all(kept);
                            self.w.store.many(CollKind::List, element)
                        }
                    }
                    _ => {
                        let element = self.element(frame, index, list);
                        self.w.store.many(CollKind::List, element)
                    }
                }
            }
            "find" | "findLast" => {
                let results = self.each_turn(frame, index, list, first?, &mut afters);
                match (results, exact) {
                    (Turns::Each(results), Some(items)) => {
                        let mut out = V::NEVER;
                        let mut sure = false;
                        let turns: Vec<(V, V)> = items.into_iter().zip(results).collect();
                        for (item, result) in turns {
                            match self.w.store.truth(result) {
                                Some(false) => {}
                                Some(true) => {
                                    out = self.w.store.join(out, item);
                                    sure = true;
                                    break;
                                }
                                None => out = self.w.store.join(out, item),
                            }
                        }
                        let none = self.w.store.none();
                        if sure {
                            out
                        } else {
                            self.w.store.join(out, none)
                        }
                    }
                    _ => {
                        let (any, none) = (self.element(frame, index, list), self.w.store.none());
                        self.w.store.join(any, none)
                    }
                }
            }
            "some" | "every" | "findIndex" | "findLastIndex" => {
                self.each_turn(frame, index, list, first?, &mut afters);
                unknown
            }
            "reduce" | "reduceRight" => {
                let callback = first?;
                let mut items = match exact {
                    Some(items) => items,
                    None => {
                        let element = self.element(frame, index, list);
                        vec![element, element]
                    }
                };
                if method == "reduceRight" {
                    items.reverse();
                }
                let mut items = items.into_iter();
                let mut so_far = match args.get(1, None) {
                    Some(v) => v,
                    None => items.next().unwrap_or(unknown),
                };
                let is_exact = self.exact_items(list).is_some();
                for item in items {
                    let inner = Args::of(&[so_far, item, unknown, list]);
                    let got = self.call_value(frame, index, callback, &inner);
                    let next = got.ret.unwrap_or(unknown);
                    so_far = if is_exact {
                        next
                    } else {
                        self.w.store.join(so_far, next)
                    };
                }
                so_far
            }
            "push" => {
                let mut now = list;
                for (v, _) in &args.pos {
                    now = self.mutate(
                        frame,
                        index,
                        now,
                        solvent_models::Effect::Append,
                        &[],
                        Some(*v),
                        args,
                    );
                }
                if let Some(spread) = args.spread {
                    let more = self.w.store.many(CollKind::List, spread);
                    let effect = solvent_models::Effect::Extend;
                    now = self.mutate(frame, index, now, effect, &[], Some(more), args);
                }
                after = Some(now);
                unknown
            }
            "unshift" => {
                let mut now = list;
                let zero = self.w.store.konst(Const::Int(0));
                for (v, _) in args.pos.iter().rev() {
                    let effect = solvent_models::Effect::Insert;
                    now = self.mutate(frame, index, now, effect, &[zero], Some(*v), args);
                }
                after = Some(now);
                unknown
            }
            "pop" | "shift" => {
                let at = match (method, &exact) {
                    ("shift", _) => 0,
                    (_, Some(items)) => items.len() as i64 - 1,
                    _ => 0,
                };
                let key = self.w.store.konst(Const::Int(at));
                let taken = match &exact {
                    Some(items) if items.is_empty() => self.w.store.none(),
                    Some(_) => self.index(frame, index, list, key),
                    None => self.element(frame, index, list),
                };
                let effect = solvent_models::Effect::Remove;
                after = Some(self.mutate(frame, index, list, effect, &[key], None, args));
                taken
            }
            "splice" => {
                let (start, count) = (
                    first.and_then(|v| self.small_int(v)),
                    args.get(1, None).and_then(|v| self.small_int(v)),
                );
                let new: Vec<V> = args.pos.iter().skip(2).map(|(v, _)| *v).collect();
                match (exact, start) {
                    (Some(mut items), Some(start)) if args.pos.len() != 2 || count.is_some() => {
                        let length = items.len() as i64;
                        let from = if start < 0 { length + start } else { start };
                        let from = usize::try_from(from.clamp(0, length)).unwrap_or(0);
                        let count = match count {
                            Some(count) => usize::try_from(count.max(0)).unwrap_or(0),
                            None => items.len(),
                        };
                        let to = (from + count).min(items.len());
                        let gone: Vec<V> = items.splice(from..to, new).collect();
                        after = Some(self.list_of(items, V::NEVER));
                        self.list_of(gone, V::NEVER)
                    }
                    _ => {
                        let mut element = self.element(frame, index, list);
                        let gone = self.w.store.many(CollKind::List, element);
                        for v in new {
                            element = self.w.store.join(element, v);
                        }
                        after = Some(self.w.store.many(CollKind::List, element));
                        gone
                    }
                }
            }
            "slice" => {
                let bounds = [first, args.get(1, None), None];
                self.slice(list, bounds)
            }
            "concat" => {
                let mut out = list;
                for (v, _) in args.pos.clone() {
                    let is_list =
                        self.w.store.atoms(v).any(
                            |a| matches!(a, Atom::Coll { kind, .. } if *kind != CollKind::Dict),
                        );
                    let more = if is_list {
                        v
                    } else {
                        self.list_of(vec![v], V::NEVER)
                    };
                    out = self.joined_lists(frame, index, out, more);
                }
                out
            }
            "join" | "toString" => {
                let separator = match (method, first) {
                    ("join", Some(v)) => v,
                    _ => {
                        let comma = self.name(",");
                        self.w.store.konst(Const::Str(comma))
                    }
                };
                self.joined_text(frame, index, list, separator)
            }
            "reverse" | "toReversed" => match exact {
                Some(mut items) => {
                    items.reverse();
                    let v = self.list_of(items, V::NEVER);
                    if method == "reverse" {
                        after = Some(v);
                    }
                    v
                }
                None => list,
            },
            "sort" | "toSorted" => {
                let element = self.element(frame, index, list);
                if let Some(callback) = first {
                    let inner = Args::of(&[element, element]);
                    self.call_value(frame, index, callback, &inner);
                }
                let v = self.w.store.many(CollKind::List, element);
                if method == "sort" {
                    after = Some(v);
                }
                v
            }
            "fill" => {
                let v = match exact {
                    Some(items) if args.pos.len() == 1 => {
                        self.list_of(vec![first?; items.len()], V::NEVER)
                    }
                    _ => {
                        let element = self.element(frame, index, list);
                        let element = self.w.store.join(element, first?);
                        self.w.store.many(CollKind::List, element)
                    }
                };
                after = Some(v);
                v
            }
            "at" => {
                let at = first.and_then(|v| self.small_int(v));
                match (at, exact) {
                    (Some(at), Some(items)) => {
                        let at = if at < 0 { items.len() as i64 + at } else { at };
                        let found = usize::try_from(at)
                            .ok()
                            .and_then(|at| items.get(at).copied());
                        found.unwrap_or_else(|| self.w.store.none())
                    }
                    _ => self.element(frame, index, list),
                }
            }
            "flat" => self.flattened(frame, index, list),
            "values" => list,
            "keys" => self.keys_of(list),
            "entries" => match exact {
                Some(items) => {
                    let mut pairs = Vec::new();
                    for (i, v) in items.into_iter().enumerate() {
                        let key = self.w.store.konst(Const::Int(i as i64));
                        pairs.push(self.list_of(vec![key, v], V::NEVER));
                    }
                    self.list_of(pairs, V::NEVER)
                }
                None => {
                    let element = self.element(frame, index, list);
                    let pair = self.list_of(vec![unknown, element], V::NEVER);
                    self.w.store.many(CollKind::List, pair)
                }
            },
            "with" => {
                let (key, value) = (first?, args.get(1, None)?);
                self.set_index(frame, index, list, key, value)
            }
            "copyWithin" => list,
            "indexOf" | "lastIndexOf" => unknown,
            "includes" => return None,
            _ => return None,
        };
        Some(Out {
            ret: Some(ret),
            afters,
            receiver: after,
        })
    }

    /// The callback once for each element, if they are known.
    fn each_turn(
        &mut self,
        frame: &mut Frame,
        index: u32,
        list: V,
        callback: V,
        afters: &mut Vec<(u32, V)>,
    ) -> Turns {
        let unknown = self.w.store.unknown();
        match self.exact_items(list) {
            Some(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (i, item) in items.into_iter().enumerate() {
                    let at = self.w.store.konst(Const::Int(i as i64));
                    let inner = Args::of(&[item, at, list]);
                    let got = self.call_value(frame, index, callback, &inner);
                    afters.extend(got.afters);
                    out.push(got.ret.unwrap_or(unknown));
                }
                Turns::Each(out)
            }
            None => {
                let element = self.element(frame, index, list);
                let inner = Args::of(&[element, unknown, list]);
                let got = self.call_value(frame, index, callback, &inner);
                afters.extend(got.afters);
                Turns::Any(got.ret.unwrap_or(unknown))
            }
        }
    }

    fn flattened(&mut self, frame: &mut Frame, index: u32, list: V) -> V {
        let is_list = |m: &Self, v: V| {
            m.w.store
                .atoms(v)
                .any(|a| matches!(a, Atom::Coll { kind, .. } if *kind != CollKind::Dict))
        };
        if let Some(items) = self.exact_items(list) {
            let mut out = Vec::new();
            let mut known = true;
            for item in items {
                match (is_list(self, item), self.exact_items(item)) {
                    (true, Some(inner)) => out.extend(inner),
                    (true, None) => known = false,
                    (false, _) => out.push(item),
                }
            }
            if known {
                return self.list_of(out, V::NEVER);
            }
        }
        let element = self.element(frame, index, list);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(element) {
            let one = self.w.store.one(atom);
            let inner = if is_list(self, one) {
                self.element(frame, index, one)
            } else {
                one
            };
            out = self.w.store.join(out, inner);
        }
        self.w.store.many(CollKind::List, out)
    }

    fn joined_lists(&mut self, frame: &mut Frame, index: u32, left: V, right: V) -> V {
        if let (Some(mut a), Some(b)) = (self.exact_items(left), self.exact_items(right)) {
            a.extend(b);
            return self.list_of(a, V::NEVER);
        }
        let (a, b) = (
            self.element(frame, index, left),
            self.element(frame, index, right),
        );
        let element = self.w.store.join(a, b);
        self.w.store.many(CollKind::List, element)
    }

    /// The elements as texts with the separator between them.
    pub(crate) fn joined_text(
        &mut self,
        frame: &mut Frame,
        index: u32,
        list: V,
        separator: V,
    ) -> V {
        let separators = self.pieces(separator);
        let mut out = V::NEVER;
        for separator in separators {
            let one = self
                .join_text(frame, index, &separator, &Args::of(&[list]))
                .unwrap_or_else(|| self.w.store.unknown());
            out = self.w.store.join(out, one);
        }
        out
    }
}

/// What a callback gave.
enum Turns {
    /// For each element.
    Each(Vec<V>),
    /// For any element.
    Any(V),
}
