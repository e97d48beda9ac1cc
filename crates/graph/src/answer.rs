//! What a handler answers with, as a sink: a page of text that a browser parses.

use solvent_ir::{Const, Terminator};
use solvent_models::{MemberId, PortRoot};

use crate::entry::Entry;
use crate::link::{FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::{Hit, SinkRef};

impl Machine<'_> {
    /// The sinks that a framework's models put at what its handlers return.
    pub(crate) fn answer_sinks(&self, framework: &str) -> Vec<(MemberId, u32)> {
        let rows = self.m.members().filter(|m| m.library == framework);
        rows.filter_map(|member| {
            let row = member
                .sinks
                .iter()
                .position(|sink| sink.at.root == PortRoot::Return)?;
            Some((self.m.member_id(&member.path)?, row as u32))
        })
        .collect()
    }

    /// The instances of libraries' classes among the alternatives.
    pub(crate) fn instances_in(&mut self, v: V) -> V {
        let mut all = self.w.store.atoms_of(v);
        all.retain(|atom| matches!(atom, Atom::LibObject { .. }));
        self.w.store.bounded_value(all)
    }

    /// Tells what of `answer` arrives at the browser as a page.
    pub(crate) fn answered(&mut self, frame: &mut Frame, entry: &Entry, answer: V) {
        if let Some(class) = &entry.answers {
            // Its constructor's rows say what becomes of it; an answer that is ready is left as it is.
            let mut page = V::NEVER;
            for atom in self.w.store.atoms_of(answer) {
                if matches!(atom, Atom::Text(_) | Atom::Data(_)) {
                    let one = self.w.store.one(atom);
                    page = self.w.store.join(page, one);
                }
            }
            if self.w.store.deep(page) != Ls::NONE {
                let class = self.name(class);
                let at = self.first_return(entry.function).inst;
                let args = crate::call::Args::of(&[page]);
                self.call_lib(frame, at, class, &args);
            }
            return;
        }
        for (member, row) in self.answer_sinks(&entry.framework) {
            let value = self.page_of(answer, 0);
            let labels = self.w.store.deep(value);
            let kind = self.m.get(member).sinks[row as usize].kind;
            let harmless = self
                .w
                .store
                .labels(labels)
                .iter()
                .all(|label| label.kills & (1 << kind.index()) != 0);
            if labels == Ls::NONE || harmless {
                continue;
            }
            let sink = SinkRef {
                site: self.first_return(entry.function),
                member,
                row,
            };
            self.w.sinks.entry(sink).or_insert(false);
            self.push_hit(
                frame,
                Hit {
                    sink,
                    value,
                    facts: Box::default(),
                    by_name: false,
                },
            );
        }
    }

    /// The text of a page: of a response its body, of a tuple its first part. Mappings and lists become JSON.
    fn page_of(&mut self, v: V, depth: u8) -> V {
        let mut out = V::NEVER;
        if depth > 3 {
            return out;
        }
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Text(_) | Atom::Data(_) => self.w.store.one(atom),
                Atom::Coll {
                    kind: CollKind::Tuple,
                    kids,
                    ..
                } => match kids.iter().find(|(key, _)| *key == Const::Int(0)) {
                    Some((_, first)) => self.page_of(*first, depth + 1),
                    None => continue,
                },
                Atom::Coll {
                    kind: CollKind::Iter,
                    rest,
                    ..
                } => self.page_of(rest, depth + 1),
                Atom::LibObject { data, attrs, .. } => {
                    let other = attrs.iter().any(|(name, v)| {
                        matches!(&*self.text(*name), "mimetype" | "content_type")
                            && self.constant_texts(*v).is_some_and(|texts| {
                                texts
                                    .iter()
                                    .all(|t| !t.contains("html") && !t.contains("xml"))
                            })
                    });
                    if other || data == V::NEVER {
                        continue;
                    }
                    self.page_of(data, depth + 1)
                }
                _ => continue,
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// Where a function returns first; its start, where it does not say.
    fn first_return(&self, f: FnId) -> Site {
        let value = self
            .p
            .function(f)
            .blocks
            .iter()
            .find_map(|block| match block.terminator {
                Terminator::Return(value) => value,
                _ => None,
            });
        Site {
            function: f,
            inst: value.map_or(0, |value| value.0),
        }
    }
}
