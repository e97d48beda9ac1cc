//! Labels, their ways and their notes: each kept once, told by number.

use std::collections::BTreeSet;

use solvent_finding::Transform;

use super::{History, Ls, MAX_LABELS, MAX_TRACE, Store};
use crate::label::{ChainId, Hop, InputId, InputKey, Label, Link, Note, NoteSet, TraceId};

impl Store {
    pub fn input_id(&mut self, key: InputKey) -> InputId {
        if let Some(&id) = self.input_ids.get(&key) {
            return InputId(id);
        }
        let id = self.inputs.len() as u32;
        self.inputs.push(key.clone());
        self.input_ids.insert(key, id);
        InputId(id)
    }

    /// The set of one label.
    pub fn single(&mut self, label: Label) -> Ls {
        self.set(vec![label])
    }

    pub fn set(&mut self, labels: Vec<Label>) -> Ls {
        let mut out: Vec<Label> = Vec::with_capacity(labels.len());
        for label in labels {
            match out.iter_mut().find(|l| l.identity() == label.identity()) {
                Some(same) => {
                    // Fewer assumptions, then the shorter way: a total order, so loops settle.
                    let rank = |l: &Label, s: &Self| {
                        (
                            s.assumptions(l.notes),
                            s.hops[l.trace.0 as usize].1,
                            l.trace,
                            l.notes,
                        )
                    };
                    if rank(&label, self) < rank(same, self) {
                        *same = label;
                    }
                }
                None => out.push(label),
            }
        }
        if out.len() > MAX_LABELS {
            let mut short: Vec<Label> = Vec::new();
            for label in out {
                match short.iter_mut().find(|l| l.origin == label.origin) {
                    Some(same) => {
                        same.kills &= label.kills;
                        same.marks.0 &= label.marks.0;
                        if same.chain != label.chain {
                            same.chain = self.forgotten();
                        }
                    }
                    None => short.push(label),
                }
            }
            short.truncate(MAX_LABELS * 4);
            out = short;
        }
        out.sort_by_key(Label::identity);
        let key: Box<[Label]> = out.into();
        if let Some(&id) = self.set_ids.get(&key) {
            return Ls(id);
        }
        let id = self.sets.len() as u32;
        self.sets.push(key.clone());
        self.set_ids.insert(key, id);
        Ls(id)
    }

    pub(crate) fn assumptions(&self, notes: NoteSet) -> usize {
        self.notes(notes)
            .iter()
            .filter(|n| !matches!(n, Note::Sanitized { .. } | Note::Guarded { .. }))
            .count()
    }

    pub(crate) fn forgotten(&mut self) -> ChainId {
        self.chain_id(vec![Link::Transform(Transform::Opaque(
            "several ways".to_owned(),
        ))])
    }

    pub fn union(&mut self, a: Ls, b: Ls) -> Ls {
        if a == b || b == Ls::NONE {
            return a;
        }
        if a == Ls::NONE {
            return b;
        }
        if let Some(&known) = self.unions.get(&(a.0, b.0)) {
            return known;
        }
        let all = self
            .labels(a)
            .iter()
            .chain(self.labels(b))
            .copied()
            .collect();
        let out = self.set(all);
        self.unions.insert((a.0, b.0), out);
        out
    }

    pub fn chain_id(&mut self, links: Vec<Link>) -> ChainId {
        let key: Box<[Link]> = links.into();
        if let Some(&id) = self.chain_ids.get(&key) {
            return ChainId(id);
        }
        let id = self.chains.len() as u32;
        self.chains.push(key.clone());
        self.chain_ids.insert(key, id);
        ChainId(id)
    }

    pub fn note_set(&mut self, notes: BTreeSet<Note>) -> NoteSet {
        let key: Box<[Note]> = notes.into_iter().take(8).collect();
        if let Some(&id) = self.note_ids.get(&key) {
            return NoteSet(id);
        }
        let id = self.notes.len() as u32;
        self.notes.push(key.clone());
        self.note_ids.insert(key, id);
        NoteSet(id)
    }

    pub fn noted(&mut self, set: NoteSet, note: Note) -> NoteSet {
        if self.history == History::Dropped {
            return set;
        }
        if self.notes(set).contains(&note) {
            return set;
        }
        let mut all: BTreeSet<Note> = self.notes(set).iter().copied().collect();
        all.insert(note);
        self.note_set(all)
    }

    pub(crate) fn both_notes(&mut self, a: NoteSet, b: NoteSet) -> NoteSet {
        if a == b || b.0 == 0 {
            return a;
        }
        if a.0 == 0 {
            return b;
        }
        let all = self.notes(a).iter().chain(self.notes(b)).copied().collect();
        self.note_set(all)
    }

    pub fn hop(&mut self, hop: Hop) -> TraceId {
        if self.history == History::Dropped {
            return hop.parent;
        }
        let (last, length) = self.hops[hop.parent.0 as usize];
        if length >= MAX_TRACE
            || (hop.parent.0 != 0 && last.site == hop.site && last.kind == hop.kind)
        {
            return hop.parent;
        }
        if let Some(&id) = self.hop_ids.get(&hop) {
            return TraceId(id);
        }
        let id = self.hops.len() as u32;
        self.hops.push((hop, length + 1));
        self.hop_ids.insert(hop, id);
        TraceId(id)
    }
}
