//! Values with other labels: holes punched and filled, links and marks added.

use crate::hash::IdMap;
use crate::label::{ChainId, Hop, InputKey, InputShape, Label, Link, Marks, Note, Origin};
use crate::value::MAX_CHAIN;
use crate::value::{Atom, EnvId, History, Ls, Piece, Store, V};
use solvent_base::Name;
use solvent_finding::Carrier;

/// What a call puts into the holes of a summary's values; sets and values met before are kept.
pub(crate) struct Filling<'a> {
    holes: &'a [Ls],
    /// Put between what is known of the argument and what the summary adds.
    hop: Option<Hop>,
    sets: IdMap<u32, Ls>,
    values: IdMap<u32, V>,
}

impl<'a> Filling<'a> {
    pub fn new(holes: &'a [Ls], hop: Option<Hop>) -> Self {
        Self {
            holes,
            hop,
            sets: IdMap::default(),
            values: IdMap::default(),
        }
    }
}

impl Store {
    /// The same value with every set of labels replaced.
    pub fn map_labels(&mut self, v: V, change: &mut dyn FnMut(&mut Self, Ls) -> Ls) -> V {
        if self.deep(v) == Ls::NONE {
            return v;
        }
        let mut seen = IdMap::default();
        self.map_inner(v, change, &mut seen)
    }

    pub(crate) fn map_inner(
        &mut self,
        v: V,
        change: &mut dyn FnMut(&mut Self, Ls) -> Ls,
        seen: &mut IdMap<u32, V>,
    ) -> V {
        if self.deep(v) == Ls::NONE {
            return v;
        }
        if let Some(&done) = seen.get(&v.0) {
            return done;
        }
        let mut all = Vec::new();
        for atom in self.atoms_of(v) {
            let new = self.map_atom(atom, change, seen);
            self.add(&mut all, new);
        }
        let out = self.bounded_value(all);
        seen.insert(v.0, out);
        out
    }

    pub(crate) fn map_env(
        &mut self,
        env: EnvId,
        change: &mut dyn FnMut(&mut Self, Ls) -> Ls,
        seen: &mut IdMap<u32, V>,
    ) -> EnvId {
        if env == EnvId::EMPTY || env == EnvId::SAME {
            return env;
        }
        let cells = self.env(env).to_vec();
        let cells = cells
            .into_iter()
            .map(|(k, v)| (k, self.map_inner(v, change, seen)))
            .collect();
        self.closure(cells)
    }

    pub(crate) fn map_atom(
        &mut self,
        atom: Atom,
        change: &mut dyn FnMut(&mut Self, Ls) -> Ls,
        seen: &mut IdMap<u32, V>,
    ) -> Atom {
        match atom {
            Atom::Text(pieces) => Atom::Text(
                pieces
                    .iter()
                    .map(|p| match p {
                        Piece::Data(labels) => Piece::Data(change(self, *labels)),
                        lit @ Piece::Lit(_) => *lit,
                    })
                    .collect(),
            ),
            Atom::Data(labels) => Atom::Data(change(self, labels)),
            Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } => Atom::Coll {
                kind,
                kids: kids
                    .iter()
                    .map(|(k, v)| (k.clone(), self.map_inner(*v, change, seen)))
                    .collect(),
                rest: self.map_inner(rest, change, seen),
                keys: if keys == Ls::NONE {
                    keys
                } else {
                    change(self, keys)
                },
            },
            Atom::Object { class, attrs, open } => Atom::Object {
                class,
                attrs: attrs
                    .iter()
                    .map(|(k, v)| (*k, self.map_inner(*v, change, seen)))
                    .collect(),
                open,
            },
            Atom::LibObject { class, attrs, data } => Atom::LibObject {
                class,
                attrs: attrs
                    .iter()
                    .map(|(k, v)| (*k, self.map_inner(*v, change, seen)))
                    .collect(),
                data: self.map_inner(data, change, seen),
            },
            Atom::Method {
                function,
                env,
                receiver,
            } => Atom::Method {
                function,
                env: self.map_env(env, change, seen),
                receiver: self.map_inner(receiver, change, seen),
            },
            Atom::Member { receiver, name } => Atom::Member {
                receiver: self.map_inner(receiver, change, seen),
                name,
            },
            Atom::Super { class, receiver } => Atom::Super {
                class,
                receiver: self.map_inner(receiver, change, seen),
            },
            Atom::Partial {
                function,
                args,
                named,
            } => Atom::Partial {
                function: self.map_inner(function, change, seen),
                args: args
                    .iter()
                    .map(|v| self.map_inner(*v, change, seen))
                    .collect(),
                named: named
                    .iter()
                    .map(|(k, v)| (*k, self.map_inner(*v, change, seen)))
                    .collect(),
            },
            Atom::Fn { function, env } => Atom::Fn {
                function,
                env: self.map_env(env, change, seen),
            },
            Atom::Class { class, env } => Atom::Class {
                class,
                env: self.map_env(env, change, seen),
            },
            same => same,
        }
    }

    /// The same value with every label changed.
    pub fn map_each(&mut self, v: V, change: &mut dyn FnMut(&mut Self, Label) -> Label) -> V {
        self.map_labels(v, &mut |store, set| store.map_set(set, change))
    }

    pub fn map_set(&mut self, set: Ls, change: &mut dyn FnMut(&mut Self, Label) -> Label) -> Ls {
        if set == Ls::NONE {
            return set;
        }
        let labels = self.labels(set).to_vec();
        let labels = labels.into_iter().map(|l| change(self, l)).collect();
        self.set(labels)
    }

    /// Replaces labels by holes, so that calls that differ only in where data comes from share one
    /// summary. Hole `k` stands for `holes[k]`.
    pub fn punch(&mut self, v: V, holes: &mut Vec<Ls>) -> V {
        self.map_labels(v, &mut |store, set| {
            if set == Ls::NONE {
                return set;
            }
            let index = match holes.iter().position(|h| *h == set) {
                Some(index) => index,
                None => {
                    holes.push(set);
                    holes.len() - 1
                }
            };
            store.single(Label::new(Origin::Hole(
                index.min(usize::from(u16::MAX)) as u16
            )))
        })
    }

    /// The inverse of [`Self::punch`] for a value that a summary gave.
    pub(crate) fn fill(&mut self, v: V, filling: &mut Filling<'_>) -> V {
        if self.deep(v) == Ls::NONE {
            return v;
        }
        let (holes, hop, sets) = (filling.holes, filling.hop, &mut filling.sets);
        let mut change = |store: &mut Self, set: Ls| store.fill_set(set, holes, hop, sets);
        self.map_inner(v, &mut change, &mut filling.values)
    }

    /// [`Self::fill`] of a set of labels alone.
    pub(crate) fn fill_labels(&mut self, set: Ls, filling: &mut Filling<'_>) -> Ls {
        self.fill_set(set, filling.holes, filling.hop, &mut filling.sets)
    }

    fn fill_set(
        &mut self,
        set: Ls,
        holes: &[Ls],
        hop: Option<Hop>,
        done: &mut IdMap<u32, Ls>,
    ) -> Ls {
        if set == Ls::NONE {
            return set;
        }
        if let Some(&known) = done.get(&set.0) {
            return known;
        }
        let mut out = Vec::new();
        for label in self.labels(set).to_vec() {
            let Origin::Hole(k) = label.origin else {
                out.push(label);
                continue;
            };
            let Some(&fill) = holes.get(usize::from(k)) else {
                continue;
            };
            for below in self.labels(fill).to_vec() {
                out.push(self.compose(below, label, hop));
            }
        }
        let out = self.set(out);
        done.insert(set.0, out);
        out
    }

    pub(crate) fn compose(&mut self, below: Label, above: Label, hop: Option<Hop>) -> Label {
        let mut out = below;
        for link in self.chain(above.chain).to_vec() {
            out = self.linked(out, &link);
        }
        if above.marks.has(Marks::DECODED) {
            out.kills = 0;
        }
        out.kills |= above.kills;
        out.marks.0 |= above.marks.0;
        out.notes = self.both_notes(out.notes, above.notes);
        if let Some(hop) = hop {
            out.trace = self.hop(Hop {
                parent: out.trace,
                ..hop
            });
        }
        if self.history == History::Kept {
            out.trace = self.traces.then(out.trace, above.trace);
        }
        out
    }

    /// The label after one more link.
    pub fn linked(&mut self, label: Label, link: &Link) -> Label {
        let mut out = label;
        if let Origin::Input(id) = label.origin {
            let key = self.input(id).clone();
            match (link, key.shape) {
                (Link::Key(name), InputShape::Map) => {
                    out.origin = self.renamed(&key, *name, InputShape::Whole);
                    return out;
                }
                (Link::Key(name), InputShape::Trees) => {
                    out.origin = self.renamed(&key, *name, InputShape::Tree);
                    return out;
                }
                (Link::Key(name), InputShape::Tree) => {
                    let mut new = key.clone();
                    if key.name == self.empty {
                        new.name = *name;
                    } else if new.inner.len() < 6 {
                        new.inner.push(*name);
                    }
                    out.origin = Origin::Input(self.input_id(new));
                    return out;
                }
                (Link::QueryPart, _) if key.carrier == Carrier::RawPath => {
                    let key = InputKey {
                        carrier: Carrier::RawQuery,
                        name: self.empty,
                        inner: Vec::new(),
                        shape: InputShape::Whole,
                    };
                    out.origin = Origin::Input(self.input_id(key));
                    out.chain = ChainId::default();
                    return out;
                }
                (Link::QueryPart, _) if key.carrier == Carrier::RawQuery => return out,
                (Link::Value, InputShape::Trees) => {
                    out.origin = self.renamed(&key, key.name, InputShape::Tree);
                    return out;
                }
                (Link::Value, InputShape::Map) => {
                    out.origin = self.renamed(&key, key.name, InputShape::Whole);
                    return out;
                }
                (Link::Keys, InputShape::Map | InputShape::Trees) => {
                    let carrier = match key.carrier {
                        Carrier::Query => Carrier::QueryName,
                        Carrier::Form => Carrier::FormName,
                        Carrier::Header => Carrier::HeaderName,
                        other => other,
                    };
                    let key = InputKey {
                        carrier,
                        name: self.empty,
                        inner: Vec::new(),
                        shape: InputShape::Whole,
                    };
                    out.origin = Origin::Input(self.input_id(key));
                    return out;
                }
                (Link::Value | Link::Keys, _) => return out,
                (Link::ParseQuery, _) => {
                    let carrier = match key.carrier {
                        Carrier::RawQuery | Carrier::RawPath => Some(Carrier::Query),
                        Carrier::RawBody => Some(Carrier::Form),
                        _ => None,
                    };
                    if let Some(carrier) = carrier {
                        let key = InputKey {
                            carrier,
                            name: self.empty,
                            inner: Vec::new(),
                            shape: InputShape::Map,
                        };
                        out.origin = Origin::Input(self.input_id(key));
                        out.chain = ChainId::default();
                        return out;
                    }
                }
                (Link::ParseJson, _) if key.carrier == Carrier::RawBody => {
                    let key = InputKey {
                        carrier: Carrier::Json,
                        name: self.empty,
                        inner: Vec::new(),
                        shape: InputShape::Tree,
                    };
                    out.origin = Origin::Input(self.input_id(key));
                    out.chain = ChainId::default();
                    return out;
                }
                (Link::ParseCookie, _) if key.carrier == Carrier::Header => {
                    let key = InputKey {
                        carrier: Carrier::Cookie,
                        name: self.empty,
                        inner: Vec::new(),
                        shape: InputShape::Map,
                    };
                    out.origin = Origin::Input(self.input_id(key));
                    out.chain = ChainId::default();
                    return out;
                }
                _ => {}
            }
        } else if matches!(link, Link::Value) && matches!(label.origin, Origin::Local) {
            return out;
        }
        if self.history == History::Dropped {
            return out;
        }
        let mut links = self.chain(label.chain).to_vec();
        if links.len() >= MAX_CHAIN
            || (matches!(link, Link::Value | Link::Keys) && links.last() == Some(link))
        {
            return out;
        }
        links.push(link.clone());
        out.chain = self.chain_id(links);
        out
    }

    pub(crate) fn renamed(&mut self, key: &InputKey, name: Name, shape: InputShape) -> Origin {
        let key = InputKey {
            carrier: key.carrier.clone(),
            name,
            inner: Vec::new(),
            shape,
        };
        Origin::Input(self.input_id(key))
    }

    /// Every label of the set after one more link.
    pub fn link_set(&mut self, set: Ls, link: &Link) -> Ls {
        self.map_set(set, &mut |store, label| store.linked(label, link))
    }

    /// Marks the labels of a value harmless for these kinds.
    pub fn clear(&mut self, v: V, kinds: u64, note: Note) -> V {
        if kinds == 0 {
            return v;
        }
        self.map_each(v, &mut |store, mut label| {
            if label.kills & kinds != kinds {
                label.kills |= kinds;
                label.notes = store.noted(label.notes, note);
            }
            label
        })
    }

    pub fn mark(&mut self, v: V, marks: u16) -> V {
        self.map_each(v, &mut |_, mut label| {
            label.marks.0 |= marks;
            label
        })
    }

    /// How many values and sets there are; a measure of memory.
    pub fn size(&self) -> usize {
        self.values.len() + self.atoms.len() + self.sets.len() + self.traces.count()
    }
}
