//! Labels, their ways and their notes: each kept once, told by number.

use std::collections::BTreeSet;

use solvent_finding::{Carrier, Transform};

use super::{History, Ls, MAX_LABELS, Store};
use crate::label::{ChainId, Hop, InputId, InputKey, Label, Link, Note, NoteSet, Origin, TraceId};

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

    pub fn set(&mut self, mut labels: Vec<Label>) -> Ls {
        if labels.is_empty() {
            return Ls::NONE;
        }
        // Fewer assumptions, then the shorter way: a total order, so loops settle.
        if !labels.is_sorted_by(|a, b| a.identity() < b.identity()) {
            let rank = |l: &Label| {
                let length = self.traces.length(l.trace);
                (self.assumptions(l.notes), length, l.trace, l.notes)
            };
            labels.sort_unstable_by(|a, b| {
                let by_identity = a.identity().cmp(&b.identity());
                by_identity.then_with(|| rank(a).cmp(&rank(b)))
            });
            labels.dedup_by_key(|label| label.identity());
        }
        if labels.len() > MAX_LABELS {
            labels = self.shortened(labels);
        }
        match self.sets.get_index_of(&*labels) {
            Some(id) => Ls(id as u32),
            None => Ls(self.sets.insert_full(labels.into()).0 as u32),
        }
    }

    /// One label of each origin, without what tells its ways apart; sorted, as they come.
    fn shortened(&mut self, labels: Vec<Label>) -> Vec<Label> {
        let mut short: Vec<Label> = Vec::new();
        for label in labels {
            match short.last_mut().filter(|l| l.origin == label.origin) {
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
        short
    }

    /// The labels but those of names of files.
    pub fn without_listed(&mut self, set: Ls) -> Ls {
        self.without(set, &|carrier| *carrier == Carrier::ListedName)
    }

    /// The labels but those of inputs in such carriers.
    pub fn without(&mut self, set: Ls, such: &dyn Fn(&Carrier) -> bool) -> Ls {
        let listed = |store: &Self, label: &Label| match label.origin {
            Origin::Input(id) => such(&store.input(id).carrier),
            _ => false,
        };
        if !self.labels(set).iter().any(|label| listed(self, label)) {
            return set;
        }
        let kept: Vec<Label> = self
            .labels(set)
            .iter()
            .filter(|label| !listed(self, label))
            .cloned()
            .collect();
        self.set(kept)
    }

    /// Whether a label with these notes came out of what another request had stored.
    pub fn was_stored(&self, notes: NoteSet) -> bool {
        let mut notes = self.notes(notes).iter();
        notes.any(|note| matches!(note, Note::Stored { .. }))
    }

    /// How much a label with these notes takes for granted.
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
        ChainId(self.chains.insert_full(links.into()).0 as u32)
    }

    pub fn note_set(&mut self, notes: BTreeSet<Note>) -> NoteSet {
        let key: Box<[Note]> = notes.into_iter().take(8).collect();
        NoteSet(self.notes.insert_full(key).0 as u32)
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
        self.traces.hop(hop)
    }
}
