//! What a handler answers with, as a sink: a page of text that a browser parses.

use std::collections::BTreeSet;

use solvent_ir::{Const, Terminator};
use solvent_models::{MemberId, PortRoot, Test};

use crate::label::{Label, Origin};
use crate::link::{FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Piece, V};
use crate::world::{Hit, SinkRef, SummaryId, Touch};

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

    /// Tells what of `answer`, which a framework gets from `f`, arrives at the browser as a page. `class`: the library's
    /// class that answers are given to.
    pub(crate) fn answered(
        &mut self,
        frame: &mut Frame,
        framework: &str,
        f: FnId,
        class: Option<&str>,
        answer: V,
    ) {
        if let Some(class) = class {
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
                let at = self.first_return(f);
                let args = crate::call::Args::of(&[page]);
                self.call_lib(frame, at, class, &args);
            }
            return;
        }
        let mut sinks = self.answer_sinks(framework);
        // What only says where to go on to, and what is the answer itself.
        let named = self.is_java() && !self.answers_itself(f);
        sinks.retain(|(id, row)| {
            let row = &self.m.get(*id).sinks[*row as usize];
            row.when.is_empty() != named
        });
        if named {
            self.sent_on(frame, f, &sinks, answer);
            return;
        }
        if sinks.is_empty() {
            return;
        }
        let page = self.page_of(answer, 0);
        let returns = self.page_returns(frame, f);
        for (member, row) in sinks {
            let at = |inst: u32| SinkRef {
                site: Site { function: f, inst },
                member,
                row,
            };
            if self.is_harmless_page(page, (member, row)) {
                continue;
            }
            if self.w.store.deep(page) == Ls::NONE {
                // A page of nothing but constants.
                for (inst, v) in &returns {
                    if self.w.store.constants(*v).is_some() {
                        self.w.sinks.entry(at(*inst)).or_insert(false);
                        self.note_touch(frame, at(*inst), Touch::Constant);
                    }
                }
                continue;
            }
            let filled: Vec<(u32, V)> = returns
                .iter()
                .copied()
                .filter(|(_, v)| self.w.store.deep(*v) != Ls::NONE)
                .collect();
            let mut hits: Vec<(SinkRef, V)> = Vec::new();
            for (inst, v) in filled {
                let labels = self.w.store.deep(v);
                let whole = self.is_whole_answer(labels);
                hits.push((at(inst), if whole { v } else { page }));
            }
            if hits.is_empty() {
                hits.push((at(self.first_return(f)), page));
            }
            for (sink, value) in hits {
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
    }

    fn is_whole_answer(&self, labels: Ls) -> bool {
        let whole = |label: &Label| matches!(label.origin, Origin::Input(_) | Origin::Local);
        self.w.store.labels(labels).iter().all(whole)
    }

    /// Sinks that stand at the names which a handler returns, behind a word that says what kind of name it is.
    fn sent_on(&mut self, frame: &mut Frame, f: FnId, sinks: &[(MemberId, u32)], answer: V) {
        let returns = self.page_returns(frame, f);
        for (member, row) in sinks {
            let models = self.m;
            let when = models.get(*member).sinks[*row as usize].when.first();
            let Some(Test::BeginsWith(words)) = when.map(|when| &when.test) else {
                continue;
            };
            for (inst, v) in &returns {
                let mut value = self.behind(*v, words);
                let labels = self.w.store.deep(value);
                if labels == Ls::NONE {
                    continue;
                }
                // What is said of the function alone is put in by the one that called it.
                if !self.is_whole_answer(labels) {
                    value = self.behind(answer, words);
                }
                let sink = SinkRef {
                    site: Site {
                        function: f,
                        inst: *inst,
                    },
                    member: *member,
                    row: *row,
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
    }

    /// Of the texts that begin with one of the words, what stands behind it.
    fn behind(&mut self, v: V, words: &[String]) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let Atom::Text(pieces) = &atom else { continue };
            let Some(Piece::Lit(first)) = pieces.first() else {
                continue;
            };
            let text = self.text(*first).to_string();
            let Some(rest) = words
                .iter()
                .find_map(|word| text.strip_prefix(word.as_str()))
            else {
                continue;
            };
            let mut left = pieces.to_vec();
            left[0] = Piece::Lit(self.name(rest));
            left.retain(|piece| !matches!(piece, Piece::Lit(text) if *text == self.w.store.empty));
            let one = match &left[..] {
                [Piece::Data(set)] => self.w.store.data(*set),
                _ => self.w.store.one(Atom::Text(left.into())),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// Whether nothing in a page harms it any more: templates escape, redirects are read by no browser. Of such a
    /// page there is nothing to say.
    fn is_harmless_page(&self, page: V, sink: (MemberId, u32)) -> bool {
        let kind = self.m.get(sink.0).sinks[sink.1 as usize].kind;
        let labels = self.w.store.labels(self.w.store.deep(page));
        let cured = |label: &Label| label.kills & (1 << kind.index()) != 0;
        !labels.is_empty() && labels.iter().all(cured)
    }

    /// Where the function gives a page, and what is in it, in the evaluations that this activation led to.
    fn page_returns(&mut self, frame: &Frame, f: FnId) -> Vec<(u32, V)> {
        let mut out: Vec<(u32, V)> = Vec::new();
        let roots: Vec<SummaryId> = frame.calls.iter().map(|(_, _, id)| *id).collect();
        let mut seen = BTreeSet::new();
        for root in roots {
            for id in self.w.reached(root) {
                if self.w.summary(id).function != f || !seen.insert(id) {
                    continue;
                }
                for (inst, v) in self.w.summary(id).returned.clone() {
                    let mut page = self.page_of(v, 0);
                    if page == V::NEVER && self.w.store.constants(v).is_some() {
                        page = v;
                    }
                    if page != V::NEVER {
                        out.push((inst, page));
                    }
                }
            }
        }
        out
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
    fn first_return(&self, f: FnId) -> u32 {
        let blocks = &self.p.function(f).blocks;
        let value = blocks.iter().find_map(|block| match block.terminator {
            Terminator::Return(value) => value,
            _ => None,
        });
        value.map_or(0, |value| value.0)
    }
}
