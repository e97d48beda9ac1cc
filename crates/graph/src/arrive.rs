//! What arrives at sinks, and the conditions of rows.

use crate::label::{Label, Note};
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Ls, V};
use crate::world::{Held, Hit, SinkRef, Touch};
use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::backtracking::{Growth, growth};
use solvent_models::pattern::Anchoring;
use solvent_models::{
    ArgSelector, Literal, Member, MemberId, PortRoot, SinkRow, Slowness, Test, Truth, When,
};

/// Classes of texts, as models name them.
const TEXTS: [&str; 4] = ["String", "Buffer", "builtins.str", "java.lang.String"];

impl Machine<'_> {
    pub(crate) fn sinks(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        member: &Member,
        ports: &Ports<'_>,
        by_name: bool,
    ) {
        let site = self.site(frame, index);
        for (row, sink) in member.sinks.iter().enumerate() {
            if !sink.when.iter().all(|w| self.holds(w, ports)) {
                continue;
            }
            let value = {
                let mut slot = Some(&mut *frame);
                self.port(&mut slot, index, &sink.at, ports)
            };
            let Some(value) = value else { continue };
            if self.is_java() && self.asks_only_name(frame, index) {
                continue;
            }
            if let (PortRoot::Receiver, Some(receiver)) = (&sink.at.root, ports.receiver)
                && self.is_java()
                && self.chooses_classes(receiver)
            {
                continue;
            }
            let value = if matches!(sink.at.root, PortRoot::Receiver) {
                self.object_data(value)
            } else {
                value
            };
            let value = match self.is_javascript() && &*self.m.kind_info(sink.kind).name == "argv" {
                true => self.behind_program(value, sink, ports),
                false => value,
            };
            if by_name && self.w.store.constants(value).is_some() {
                continue;
            }
            let at = SinkRef {
                site,
                member: id,
                row: row as u32,
            };
            let mut value = value;
            if self.m.kind_info(sink.kind).name == "html-text"
                && self.w.store.deep(value) != Ls::NONE
                && self.answers_no_page(frame, index)
            {
                let kinds = 1 << sink.kind.index();
                let by = self.name("its media type");
                let note = Note::Sanitized { site, by, kinds };
                value = self.w.store.clear(value, kinds, note);
            }
            let labels = self.w.store.deep(value);
            let labels = self.that_matter(labels, sink.kind);
            let labelled = labels != Ls::NONE;
            let cured = |label: &Label| label.kills & (1 << sink.kind.index()) != 0;
            let touch = if labelled {
                if self.w.store.labels(labels).iter().all(cured) {
                    Touch::Cured
                } else {
                    Touch::Labelled
                }
            } else if self.is_constant(value) {
                Touch::Constant
            } else {
                Touch::Plain
            };
            let known = self.w.sinks.entry(at).or_insert(by_name);
            *known &= by_name;
            self.note_touch(frame, at, touch);
            if labelled {
                let facts = self.facts_here(frame).into();
                self.push_hit(
                    frame,
                    Hit {
                        sink: at,
                        value,
                        facts,
                        by_name,
                    },
                );
            }
        }
    }

    /// Whether the value is made of constants only.
    pub(crate) fn is_constant(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).all(|a| match a {
                Atom::Const(_) => true,
                Atom::Coll { kids, rest, .. } => {
                    kids.iter().all(|(_, v)| self.is_constant(*v))
                        && (*rest == V::NEVER || self.is_constant(*rest))
                }
                Atom::LibObject { data, .. } => *data != V::NEVER && self.is_constant(*data),
                _ => false,
            })
    }

    pub(crate) fn holds(&mut self, when: &When, ports: &Ports<'_>) -> bool {
        let v = self.port_plain(&when.arg, ports);
        if when.test == Test::Absent {
            // An option of an object that is not known may not be given.
            let not_known = |v: V| self.w.store.atoms(v).all(|a| *a == Atom::Data(Ls::NONE));
            return v.is_none_or(|v| !when.arg.path.is_empty() && not_known(v));
        }
        if let Test::NamesNone(list) = &when.test {
            let Some(v) = v else { return true };
            return self.w.store.atoms(v).any(|a| match a {
                Atom::Lib(path) => {
                    let path = self.m.canonical(&self.text(*path)).into_owned();
                    !list.contains(&path)
                }
                Atom::LibObject { class, .. } => {
                    let path = self.text(*class);
                    let path = self.m.canonical(path.trim_end_matches("()")).into_owned();
                    !list.contains(&path)
                }
                _ => true,
            });
        }
        let v = match (v, &when.default) {
            (Some(v), _) => v,
            (None, Some(literal)) => self.literal_value(literal),
            (None, None) => return false,
        };
        match &when.test {
            Test::Absent | Test::NamesNone(_) => false,
            Test::Backtracks(slowness, anchoring) => self.backtracks(v, *slowness, *anchoring),
            Test::Equals(literal) => {
                let want = self.literal_value(literal);
                match self.w.store.constants(v) {
                    Some(list) => self
                        .w
                        .store
                        .constant(want)
                        .is_some_and(|w| list.contains(w)),
                    None => true,
                }
            }
            Test::NotEquals(literal) => {
                let want = self.literal_value(literal);
                self.w.store.constant(v).is_none()
                    || self.w.store.constant(v) != self.w.store.constant(want)
            }
            Test::Truthy(truth) => {
                let want = *truth == Truth::Yes;
                self.w.store.truth(v).is_none_or(|t| t == want)
            }
            Test::ContainsAny(list) => match self.constant_texts(v) {
                Some(texts) => texts
                    .iter()
                    .any(|t| list.iter().any(|l| t.contains(l.as_str()))),
                None => true,
            },
            Test::ContainsNone(list) => match self.constant_texts(v) {
                Some(texts) => texts
                    .iter()
                    .any(|t| !list.iter().any(|l| t.contains(l.as_str()))),
                None => true,
            },
            Test::IsText => self.w.store.atoms(v).any(|a| match a {
                Atom::LibObject { class, .. } => TEXTS.contains(&&*self.text(*class)),
                a => matches!(
                    a,
                    Atom::Const(Const::Str(_) | Const::Bytes(_))
                        | Atom::Text(_)
                        | Atom::Data(_)
                        | Atom::Member { .. }
                ),
            }),
            Test::IsSequence => self.w.store.atoms(v).any(|a| {
                // Where types are written, a list of anything is seen to be one.
                matches!(a, Atom::Coll { .. }) || (matches!(a, Atom::Data(_)) && !self.is_java())
            }),
            Test::IsConstant => self.w.store.constants(v).is_some(),
            Test::OneOf(_) | Test::BeginsWith(_) | Test::NamesSecret => {
                self.w.store.atoms_of(v).iter().any(|a| match a {
                    Atom::Const(c) => self.holds_for(&when.test, c) != Held::No,
                    other => self.holds_for_other(&when.test, other) != Held::No,
                })
            }
        }
    }

    /// A list of arguments that stands beside its program (Node, `child_process.spawn`), with it in front.
    fn behind_program(&mut self, list: V, sink: &SinkRow, ports: &Ports<'_>) -> V {
        let beside = ArgSelector::One {
            position: Some(1),
            name: None,
        };
        let program = match sink.at.root == PortRoot::Arg(beside) && sink.at.path.is_empty() {
            true => ports.args.get(0, None),
            false => None,
        };
        match (program, self.exact_items(list)) {
            (Some(program), Some(items)) => {
                let all = std::iter::once(program).chain(items).collect();
                self.list_of(all, V::NEVER)
            }
            _ => list,
        }
    }

    /// Whether one of the regular expressions that are written there takes so long.
    fn backtracks(&mut self, v: V, slowness: Slowness, anchoring: Anchoring) -> bool {
        let data = self.object_data(v);
        let both = self.w.store.join(v, data);
        let written = self.w.store.atoms(both).filter_map(|a| match a {
            Atom::Const(Const::Str(name)) => Some(*name),
            _ => None,
        });
        let written: Vec<Name> = written.collect();
        written.into_iter().any(|name| {
            let growth = match self.growth.get(&(name, anchoring)) {
                Some(known) => *known,
                None => {
                    let found = match growth(&self.text(name), anchoring) {
                        Growth::Exponential(_) => Some(Slowness::Exponential),
                        Growth::Polynomial(_) => Some(Slowness::Polynomial),
                        Growth::Plain | Growth::Unknown(_) => None,
                    };
                    self.growth.insert((name, anchoring), found);
                    found
                }
            };
            growth == Some(slowness)
        })
    }

    pub(crate) fn constant_texts(&self, v: V) -> Option<Vec<String>> {
        self.w
            .store
            .constants(v)?
            .iter()
            .map(|c| match c {
                Const::Str(name) => Some(self.text(*name).to_string()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn literal_value(&mut self, literal: &Literal) -> V {
        let c = match literal {
            Literal::None => Const::None,
            Literal::Bool(b) => Const::Bool(*b),
            Literal::Int(i) => Const::Int(*i),
            Literal::Str(s) => Const::Str(self.name(s)),
        };
        self.w.store.konst(c)
    }
}
