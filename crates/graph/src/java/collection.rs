//! Methods of lists, sets, maps and streams. Streams are the lists that they come from.

use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::Effect;

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

/// Where a stream, and a table that was loaded from it, keep the name of the file.
const FILE_KEY: &str = "<file>";

/// What a method did: its result, and what it is called on now.
struct Did {
    ret: V,
    now: Option<V>,
}

impl Machine<'_> {
    /// Results of a function for each element; of all at once where they are not known apart.
    fn turns(
        &mut self,
        frame: &mut Frame,
        index: u32,
        list: V,
        callback: V,
        afters: &mut Vec<(u32, V)>,
    ) -> (Vec<V>, bool) {
        let exact = self.exact_items(list);
        let known = exact.is_some();
        let items = match exact {
            Some(items) => items,
            None => vec![self.element(frame, index, list)],
        };
        let mut out = Vec::new();
        for item in items {
            let got = self.call_value(frame, index, callback, &Args::of(&[item]));
            afters.extend(got.afters);
            out.push(got.ret.unwrap_or_else(|| self.w.store.unknown()));
        }
        (out, known)
    }

    fn list_or_many(&mut self, items: Vec<V>, known: bool) -> V {
        if known {
            return self.list_of(items, V::NEVER);
        }
        let mut element = V::NEVER;
        for v in items {
            element = self.w.store.join(element, v);
        }
        self.w.store.many(CollKind::List, element)
    }

    /// Methods of lists, sets and streams. `None`: not one of them.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per method reads best in one place"
    )]
    pub(super) fn list_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        list: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let exact = self.exact_items(list);
        let first = args.get(0, None);
        let count = args.pos.len();
        let unknown = self.w.store.unknown();
        let yes = self.w.store.konst(Const::Bool(true));
        let zero = self.w.store.konst(Const::Int(0));
        let mut afters: Vec<(u32, V)> = Vec::new();
        let is_set = self
            .w
            .store
            .atoms(list)
            .any(|a| matches!(a, Atom::Coll { kind, .. } if *kind == CollKind::Set));
        let did = match (method, count) {
            ("getKey" | "getLeft", 0) => self.looked(frame, index, list, 0),
            ("getValue" | "getRight", 0) => self.looked(frame, index, list, 1),
            ("add" | "offer" | "addLast" | "offerLast" | "addElement", 1) => {
                let now = if is_set {
                    let all = self.element_or_never(list);
                    let all = self.w.store.join(all, first?);
                    self.w.store.many(CollKind::Set, all)
                } else {
                    self.mutate(frame, index, list, Effect::Append, &[], first, args)
                };
                Did {
                    ret: yes,
                    now: Some(now),
                }
            }
            ("push" | "addFirst" | "offerFirst", 1) => {
                let effect = Effect::Insert;
                let now = self.mutate(frame, index, list, effect, &[zero], first, args);
                Did {
                    ret: first?,
                    now: Some(now),
                }
            }
            ("add", 2) => {
                let value = args.get(1, None);
                let effect = Effect::Insert;
                let now = self.mutate(frame, index, list, effect, &[first?], value, args);
                Did {
                    ret: yes,
                    now: Some(now),
                }
            }
            ("set", 2) => {
                let key = first?;
                let before = self.index(frame, index, list, key);
                let now = self.set_index(frame, index, list, key, args.get(1, None)?);
                Did {
                    ret: before,
                    now: Some(now),
                }
            }
            ("addAll", _) => {
                let more = args.get(count.saturating_sub(1), None)?;
                let more = match (self.is_container(more), self.w.store.deep(more)) {
                    (true, _) | (false, Ls::NONE) => more,
                    _ => self.w.store.many(CollKind::List, more),
                };
                let now = if is_set || count == 2 {
                    let all = self.element_or_never(list);
                    let element = self.element(frame, index, more);
                    let all = self.w.store.join(all, element);
                    let kind = if is_set {
                        CollKind::Set
                    } else {
                        CollKind::List
                    };
                    self.w.store.many(kind, all)
                } else {
                    self.mutate(frame, index, list, Effect::Extend, &[], Some(more), args)
                };
                Did {
                    ret: yes,
                    now: Some(now),
                }
            }
            ("get" | "elementAt" | "charAt", 1) => {
                let v = self.index(frame, index, list, first?);
                let ret = if v == V::NEVER { unknown } else { v };
                Did { ret, now: None }
            }
            ("getFirst" | "peek" | "element" | "peekFirst" | "firstElement" | "first", 0) => {
                self.looked(frame, index, list, 0)
            }
            ("getLast" | "peekLast" | "lastElement" | "last", 0) => match &exact {
                Some(items) => Did {
                    ret: items.last().copied().unwrap_or(self.w.store.none()),
                    now: None,
                },
                None => Did {
                    ret: self.element(frame, index, list),
                    now: None,
                },
            },
            ("pop" | "poll" | "remove" | "removeFirst" | "pollFirst" | "take", 0) => {
                let Did { ret, .. } = self.looked(frame, index, list, 0);
                let effect = Effect::Remove;
                let now = self.mutate(frame, index, list, effect, &[zero], None, args);
                Did {
                    ret,
                    now: Some(now),
                }
            }
            ("removeLast" | "pollLast", 0) => {
                let at = exact.as_ref().map_or(0, |items| items.len() as i64 - 1);
                let key = self.w.store.konst(Const::Int(at.max(0)));
                let ret = match &exact {
                    Some(items) => items.last().copied().unwrap_or(self.w.store.none()),
                    None => self.element(frame, index, list),
                };
                let now = self.mutate(frame, index, list, Effect::Remove, &[key], None, args);
                Did {
                    ret,
                    now: Some(now),
                }
            }
            ("remove", 1) => {
                let key = first?;
                match (self.small_int(key), &exact) {
                    (Some(at), Some(_)) => {
                        let Did { ret, .. } = self.looked(frame, index, list, at);
                        let effect = Effect::Remove;
                        let now = self.mutate(frame, index, list, effect, &[key], None, args);
                        Did {
                            ret,
                            now: Some(now),
                        }
                    }
                    (None, Some(items)) => {
                        let at = items.iter().position(|v| *v == key);
                        let now = match at {
                            Some(at) => {
                                let mut left = items.clone();
                                left.remove(at);
                                Some(self.list_of(left, V::NEVER))
                            }
                            None => None,
                        };
                        Did { ret: unknown, now }
                    }
                    _ => Did {
                        ret: self.element(frame, index, list),
                        now: None,
                    },
                }
            }
            ("removeAll" | "retainAll" | "removeIf" | "sort", _) => {
                let mut element = self.element_or_never(list);
                if let ("removeIf", Some(callback), Some(items)) = (method, first, &exact) {
                    let (answers, _) = self.turns(frame, index, list, callback, &mut afters);
                    let decided: Vec<Option<bool>> =
                        answers.iter().map(|v| self.w.store.truth(*v)).collect();
                    if decided.iter().all(Option::is_some) {
                        let left: Vec<V> = items
                            .iter()
                            .zip(&decided)
                            .filter(|(_, gone)| **gone == Some(false))
                            .map(|(v, _)| *v)
                            .collect();
                        let now = self.list_of(left, V::NEVER);
                        return Some(Out {
                            ret: Some(unknown),
                            afters,
                            receiver: Some(now),
                        });
                    }
                }
                if element == V::NEVER {
                    element = unknown;
                }
                let kind = if is_set {
                    CollKind::Set
                } else {
                    CollKind::List
                };
                let now = self.w.store.many(kind, element);
                Did {
                    ret: unknown,
                    now: Some(now),
                }
            }
            ("clear" | "removeAllElements", 0) => {
                let kind = if is_set {
                    CollKind::Set
                } else {
                    CollKind::List
                };
                let now = self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE);
                Did {
                    ret: unknown,
                    now: Some(now),
                }
            }
            ("size" | "length" | "count", 0) => Did {
                ret: match &exact {
                    Some(items) if !is_set => self.w.store.konst(Const::Int(items.len() as i64)),
                    _ => unknown,
                },
                now: None,
            },
            ("isEmpty" | "empty", 0) => Did {
                ret: match &exact {
                    Some(items) => self.w.store.boolean(Some(items.is_empty())),
                    None => unknown,
                },
                now: None,
            },
            (
                "stream" | "parallelStream" | "boxed" | "sequential" | "parallel" | "distinct"
                | "sorted" | "toArray" | "toList" | "clone" | "unordered" | "onClose" | "asList"
                | "peek" | "spliterator" | "collectList" | "elements" | "descendingIterator",
                _,
            ) => {
                if let ("peek", Some(callback)) = (method, first) {
                    self.turns(frame, index, list, callback, &mut afters);
                }
                let keeps =
                    !matches!(method, "sorted") || exact.as_ref().is_some_and(|i| i.len() < 2);
                let ret = if method == "elements" {
                    self.object_of_library("java.util.Iterator", list)
                } else if keeps && !is_set {
                    list
                } else {
                    let element = self.element(frame, index, list);
                    self.w.store.many(CollKind::List, element)
                };
                Did { ret, now: None }
            }
            ("iterator" | "listIterator", _) => Did {
                ret: self.object_of_library("java.util.Iterator", list),
                now: None,
            },
            ("subList" | "limit" | "skip" | "subSequence", _) => {
                let (from, to) = match method {
                    "limit" => (Some(zero), first),
                    "skip" => (first, None),
                    _ => (first, args.get(1, None)),
                };
                Did {
                    ret: self.slice(list, [from, to, None]),
                    now: None,
                }
            }
            ("forEach" | "forEachOrdered", 1) => {
                self.turns(frame, index, list, first?, &mut afters);
                Did {
                    ret: unknown,
                    now: None,
                }
            }
            ("map" | "mapToObj" | "mapToInt" | "mapToLong" | "replaceAll" | "mapMulti", 1) => {
                let (results, known) = self.turns(frame, index, list, first?, &mut afters);
                let mapped = self.list_or_many(results, known);
                let now = (method == "replaceAll").then_some(mapped);
                Did { ret: mapped, now }
            }
            ("flatMap", 1) => {
                let (results, known) = self.turns(frame, index, list, first?, &mut afters);
                let mut all = Vec::new();
                let mut exact = known;
                for v in results {
                    match self.exact_items(v) {
                        Some(items) => all.extend(items),
                        None => {
                            exact = false;
                            all.push(self.element(frame, index, v));
                        }
                    }
                }
                Did {
                    ret: self.list_or_many(all, exact),
                    now: None,
                }
            }
            ("filter" | "takeWhile" | "dropWhile", 1) => {
                let (answers, known) = self.turns(frame, index, list, first?, &mut afters);
                let items = self.items_or_element(frame, index, list);
                let decided: Vec<Option<bool>> =
                    answers.iter().map(|v| self.w.store.truth(*v)).collect();
                let kept: Vec<V> = items
                    .iter()
                    .zip(&decided)
                    .filter(|(_, d)| **d != Some(false))
                    .map(|(v, _)| *v)
                    .collect();
                let sure = known && decided.iter().all(Option::is_some);
                Did {
                    ret: self.list_or_many(kept, sure),
                    now: None,
                }
            }
            ("findFirst" | "findAny" | "max" | "min", _) => {
                let v = match &exact {
                    Some(items) if method.starts_with("find") => {
                        items.first().copied().unwrap_or(self.w.store.none())
                    }
                    _ => self.element(frame, index, list),
                };
                Did {
                    ret: self.object_of_library("java.util.Optional", v),
                    now: None,
                }
            }
            ("anyMatch" | "allMatch" | "noneMatch", 1) => {
                self.turns(frame, index, list, first?, &mut afters);
                Did {
                    ret: unknown,
                    now: None,
                }
            }
            ("reduce", 1 | 2) => {
                let callback = args.get(count - 1, None)?;
                let mut items = self.items_or_element(frame, index, list);
                if exact.is_none() {
                    items.push(items[0]);
                }
                let mut items = items.into_iter();
                let mut so_far = if count == 2 {
                    first?
                } else {
                    items.next().unwrap_or(unknown)
                };
                for item in items {
                    let inner = Args::of(&[so_far, item]);
                    let got = self.call_value(frame, index, callback, &inner);
                    let next = got.ret.unwrap_or(unknown);
                    so_far = match &exact {
                        Some(_) => next,
                        None => self.w.store.join(so_far, next),
                    };
                }
                let ret = if count == 1 {
                    self.object_of_library("java.util.Optional", so_far)
                } else {
                    so_far
                };
                Did { ret, now: None }
            }
            ("collect", 1) => Did {
                ret: self.collected(frame, index, list, first?),
                now: None,
            },
            ("join" | "toString", 0) => Did {
                ret: self.derive(list, &crate::label::Link::Value),
                now: None,
            },
            ("indexOf" | "lastIndexOf" | "hashCode" | "containsAll" | "search", _) => Did {
                ret: unknown,
                now: None,
            },
            _ => return None,
        };
        Some(Out {
            ret: Some(did.ret),
            afters,
            receiver: did.now,
        })
    }

    fn element_or_never(&mut self, list: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(list) {
            if let Atom::Coll { kids, rest, .. } = atom {
                let all = self.coll_all(&kids, rest);
                out = self.w.store.join(out, all);
            }
        }
        out
    }

    fn looked(&mut self, frame: &mut Frame, index: u32, list: V, at: i64) -> Did {
        let ret = match self.exact_items(list) {
            Some(items) => usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at).copied())
                .unwrap_or(self.w.store.none()),
            None => {
                let key = self.w.store.konst(Const::Int(at));
                let v = self.index(frame, index, list, key);
                if v == V::NEVER {
                    self.w.store.unknown()
                } else {
                    v
                }
            }
        };
        Did { ret, now: None }
    }

    fn collected(&mut self, frame: &mut Frame, index: u32, list: V, collector: V) -> V {
        let kind = match self.w.store.only(collector) {
            Some(Atom::LibObject { class, data, .. }) => Some((self.text(*class), *data)),
            _ => None,
        };
        let Some((kind, data)) = kind else {
            return list;
        };
        match &*kind {
            "<collector joining>" => {
                let items = self.items_or_element(frame, index, list);
                let separator = (data != V::NEVER).then_some(data);
                self.concatenated(frame, index, &items, separator)
            }
            "<collector toSet>" => {
                let element = self.element(frame, index, list);
                self.w.store.many(CollKind::Set, element)
            }
            "<collector toMap>" | "<collector groupingBy>" => {
                let element = self.element(frame, index, list);
                let labels = self.w.store.deep(element);
                let kind = CollKind::Dict;
                let rest = element;
                self.w.store.coll(kind, Vec::new(), rest, labels)
            }
            _ => list,
        }
    }

    /// Methods of maps.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per method reads best in one place"
    )]
    pub(super) fn map_method_java(
        &mut self,
        frame: &mut Frame,
        index: u32,
        map: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        let unknown = self.w.store.unknown();
        let count = args.pos.len();
        let mut afters = Vec::new();
        let did = match (method, count) {
            ("put" | "setProperty" | "replace" | "putIfAbsent" | "addAttribute", 2) => {
                let before = self.entry_java(map, first?, unknown);
                let mut now = self.store_entry(map, first?, args.get(1, None)?);
                if method == "putIfAbsent" {
                    now = match self.w.store.constant(before) {
                        Some(Const::None) => now,
                        _ => self.w.store.join(map, now),
                    };
                }
                Did {
                    ret: before,
                    now: Some(now),
                }
            }
            ("load", 1) => Did {
                ret: unknown,
                now: Some(self.loaded(map, first?)),
            },
            ("getProperty", 1 | 2) if self.loaded_from(map, first?).is_some() => {
                let read = self.loaded_from(map, first?)?;
                let other = args.get(1, None).unwrap_or_else(|| self.w.store.none());
                let mut ret = V::NEVER;
                for one in read {
                    let one = match one {
                        Some(text) => self.w.store.konst(Const::Str(text)),
                        None => other,
                    };
                    ret = self.w.store.join(ret, one);
                }
                Did { ret, now: None }
            }
            ("get" | "getProperty", 1) => {
                let mut ret = self.entry_java(map, first?, unknown);
                if !self.is_sure(map, first?) && ret != unknown {
                    // It may not be there.
                    let none = self.w.store.none();
                    ret = self.w.store.join(ret, none);
                }
                Did { ret, now: None }
            }
            ("getOrDefault" | "getProperty", 2) => {
                let other = args.get(1, None)?;
                let v = self.entry_java(map, first?, unknown);
                let ret = match self.w.store.constant(v) {
                    Some(Const::None) => other,
                    _ if self.is_sure(map, first?) => v,
                    _ => self.w.store.join(v, other),
                };
                Did { ret, now: None }
            }
            ("remove", 1 | 2) => {
                let ret = self.entry_java(map, first?, unknown);
                let now = self.del_index(map, first?);
                Did {
                    ret,
                    now: Some(now),
                }
            }
            ("clear", 0) => {
                let kind = CollKind::Dict;
                let now = self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE);
                Did {
                    ret: unknown,
                    now: Some(now),
                }
            }
            ("putAll", 1) => {
                let now = self.merge_mapping(frame, index, map, first?);
                Did {
                    ret: unknown,
                    now: Some(now),
                }
            }
            ("keySet" | "keys" | "stringPropertyNames" | "navigableKeySet", 0) => {
                let pairs = self.pairs(map);
                let (keys, known): (Vec<V>, bool) =
                    (pairs.0.iter().map(|(k, _)| *k).collect(), pairs.1);
                Did {
                    ret: self.list_or_many(keys, known),
                    now: None,
                }
            }
            ("values", 0) => {
                let (pairs, known) = self.pairs(map);
                let values = pairs.iter().map(|(_, v)| *v).collect();
                Did {
                    ret: self.list_or_many(values, known),
                    now: None,
                }
            }
            ("entrySet", 0) => {
                let (pairs, known) = self.pairs(map);
                let mut entries = Vec::new();
                for (key, value) in pairs {
                    entries.push(self.list_of(vec![key, value], V::NEVER));
                }
                Did {
                    ret: self.list_or_many(entries, known),
                    now: None,
                }
            }
            ("forEach", 1) => {
                let (pairs, _) = self.pairs(map);
                for (key, value) in pairs {
                    let got = self.call_value(frame, index, first?, &Args::of(&[key, value]));
                    afters.extend(got.afters);
                }
                Did {
                    ret: unknown,
                    now: None,
                }
            }
            ("computeIfAbsent" | "computeIfPresent" | "compute", 2) => {
                let key = first?;
                let before = self.entry_java(map, key, unknown);
                let inner = match method {
                    "computeIfAbsent" => Args::of(&[key]),
                    _ => Args::of(&[key, before]),
                };
                let got = self.call_value(frame, index, args.get(1, None)?, &inner);
                let made = got.ret.unwrap_or(unknown);
                let absent = self.w.store.constant(before) == Some(&Const::None);
                let ret = if absent || method == "compute" {
                    made
                } else {
                    self.w.store.join(before, made)
                };
                let now = self.store_entry(map, key, ret);
                Did {
                    ret,
                    now: Some(now),
                }
            }
            ("merge", 3) => {
                let key = first?;
                let before = self.entry_java(map, key, unknown);
                let value = args.get(1, None)?;
                let inner = Args::of(&[before, value]);
                let got = self.call_value(frame, index, args.get(2, None)?, &inner);
                let mut ret = got.ret.unwrap_or(unknown);
                if self.w.store.constant(before) == Some(&Const::None) {
                    ret = value;
                }
                let now = self.store_entry(map, key, ret);
                Did {
                    ret,
                    now: Some(now),
                }
            }
            ("toString", 0) => Did {
                ret: self.derive(map, &crate::label::Link::Value),
                now: None,
            },
            ("size" | "isEmpty" | "hashCode" | "containsValue", _) => Did {
                ret: unknown,
                now: None,
            },
            ("clone", 0) => Did {
                ret: map,
                now: None,
            },
            _ => return None,
        };
        Some(Out {
            ret: Some(did.ret),
            afters,
            receiver: did.now,
        })
    }

    /// A table of properties after a stream was read into it: what it holds is in the file that the stream is of.
    fn loaded(&mut self, map: V, stream: V) -> V {
        let key = self.name(FILE_KEY);
        let file = self.setting(stream, key);
        let file = file.and_then(|v| self.w.store.constant_str(v));
        let unknown = self.w.store.unknown();
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(map) {
            let Atom::Coll {
                kids, rest, keys, ..
            } = atom
            else {
                continue;
            };
            let empty = kids.is_empty() && rest == V::NEVER;
            let kids = match file {
                Some(file) if empty => {
                    vec![(Const::Str(key), self.w.store.konst(Const::Str(file)))]
                }
                _ => Vec::new(),
            };
            let v = self.w.store.coll(CollKind::Dict, kids, unknown, keys);
            all.extend(self.w.store.atoms_of(v));
        }
        self.w.store.bounded_value(all)
    }

    /// What the files that a table was loaded from hold under a key, each; `None` where the table was not loaded from a
    /// file of the repository alone.
    fn loaded_from(&self, map: V, key: V) -> Option<Vec<Option<Name>>> {
        let file_key = self.name(FILE_KEY);
        let key = self.text(self.w.store.constant_str(key)?);
        let Some(Atom::Coll { kids, .. }) = self.w.store.only(map) else {
            return None;
        };
        let [(Const::Str(name), file)] = &**kids else {
            return None;
        };
        let file = (*name == file_key).then(|| self.w.store.constant_str(*file))??;
        let file = self.text(file);
        let read: Vec<Option<Name>> = self
            .p
            .settings_named(&file)
            .map(|settings| settings.values.get(&*key).map(|v| self.name(v)))
            .collect();
        (!read.is_empty()).then_some(read)
    }

    fn is_sure(&self, map: V, key: V) -> bool {
        let Some(wanted) = self.w.store.constant(key) else {
            return false;
        };
        matches!(self.w.store.only(map), Some(Atom::Coll { kids, .. }) if kids.iter().any(|(k, _)| k == wanted))
    }

    /// What a map has under a key; nothing is `null` where all keys are known.
    fn entry_java(&mut self, map: V, key: V, unknown: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(map) {
            if let Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } = atom
            {
                let mut one = self.coll_index(kind, &kids, rest, keys, key);
                if one == V::NEVER {
                    one = self.w.store.none();
                }
                out = self.w.store.join(out, one);
            }
        }
        if out == V::NEVER { unknown } else { out }
    }

    fn pairs(&mut self, map: V) -> (Vec<(V, V)>, bool) {
        let mut out = Vec::new();
        let mut known = self.w.store.only(map).is_some();
        for atom in self.w.store.atoms_of(map) {
            if let Atom::Coll {
                kids, rest, keys, ..
            } = atom
            {
                for (key, v) in &*kids {
                    let key = self.w.store.konst(key.clone());
                    out.push((key, *v));
                }
                if rest != V::NEVER || keys != Ls::NONE {
                    known = false;
                    let key = self.w.store.data(keys);
                    let rest = if rest == V::NEVER {
                        self.w.store.unknown()
                    } else {
                        rest
                    };
                    out.push((key, rest));
                }
            }
        }
        (out, known)
    }
}
