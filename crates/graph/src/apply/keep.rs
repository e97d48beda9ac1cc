//! What comes back: from tables, what statements put there; from elsewhere, what the caller's choice of it brings.

use solvent_base::Name;
use solvent_models::{Member, PortRoot, SinkRow, StepRow};

use crate::label::{Hop, TraceKind};
use crate::library::Ports;
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Piece, V};
use crate::world::Place;
use solvent_ir::{Const, Op};

/// Under this name a table's content is kept, whichever connection leads to it.
pub(crate) const TABLES: &str = "<tables>";

/// Bytes of a statement that are read for the names of its tables.
const MAX_STATEMENT: usize = 8192;

/// Hops to the name that a receiver is written with.
const MAX_NAME_STEPS: usize = 64;

/// Tables that a statement writes and reads; their columns are not told apart.
#[derive(Default, Debug, PartialEq, Eq)]
struct Statement {
    written: Option<String>,
    read: Vec<String>,
}

impl Machine<'_> {
    /// What a call gives back beside what its rows say, and the part of it that comes out of tables.
    pub(super) fn comes_back(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
        site: Site,
    ) -> (V, V) {
        let (mut out, mut rows) = (V::NEVER, V::NEVER);
        for sink in &member.sinks {
            let of_tables = match &*self.m.kind_info(sink.kind).name {
                "sql-text" => true,
                "request-url" => false,
                "file-path-write" => {
                    self.file_written(frame, index, member, sink, ports);
                    continue;
                }
                "file-path-read" if super::files::OPENS.contains(&member.path.as_str()) => {
                    let got = self.file_read(frame, index, sink, ports);
                    out = self.w.store.join(out, got);
                    continue;
                }
                _ => continue,
            };
            let mut slot = Some(&mut *frame);
            let Some(given) = self.port(&mut slot, index, &sink.at, ports) else {
                continue;
            };
            let got = if of_tables {
                self.tables(frame, given, ports, site)
            } else {
                self.fetched(given, sink, site, &member.path)
            };
            out = self.w.store.join(out, got);
            if of_tables {
                rows = self.w.store.join(rows, got);
            }
        }
        (out, rows)
    }

    /// What a statement puts into a table is kept for those that read it.
    fn tables(&mut self, frame: &mut Frame, text: V, ports: &Ports<'_>, site: Site) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(text) {
            let words = match &atom {
                Atom::Const(Const::Str(text)) => self.text(*text).to_string(),
                Atom::Text(pieces) => pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Lit(text) => self.text(*text).to_string(),
                        Piece::Data(_) => "?".to_owned(),
                    })
                    .collect(),
                _ => continue,
            };
            let statement = statement(&words);
            let tables = self.name(TABLES);
            if let Some(table) = statement.written {
                let mut labels = Ls::NONE;
                for v in ports.args.all() {
                    let deep = self.w.store.deep(v);
                    labels = self.w.store.union(labels, deep);
                }
                if labels != Ls::NONE {
                    let place = Place::LibKey(tables, self.name(&bare(&table)));
                    let kept = self.w.store.data(labels);
                    frame.effects.push((place, site, kept));
                }
            }
            for table in statement.read {
                let place = Place::LibKey(tables, self.name(&bare(&table)));
                let Some(kept) = self.w.read(place) else {
                    continue;
                };
                let kept = self.found(kept, &table, site);
                out = self.w.store.join(out, kept);
            }
        }
        out
    }

    /// The records that are kept under the receiver's name, whoever put them there.
    pub(crate) fn kept_under(&mut self, frame: &Frame, index: u32) -> Option<V> {
        let name = self.stored_under(frame, index)?;
        let site = self.site(frame, index);
        let kept = self
            .w
            .read(Place::LibKey(self.name(TABLES), self.name(&name)))?;
        let record = self.found(kept, &name, site);
        Some(self.w.store.many(CollKind::List, record))
    }

    /// Whether a method of that name, whatever it is called on, keeps what it is called on.
    pub(crate) fn saves_itself(&self, name: Name) -> bool {
        self.m.methods_named(&self.text(name), 0).any(|member| {
            let saves = |step: &StepRow| {
                step.to.root == PortRoot::Stored && step.from.root == PortRoot::Receiver
            };
            member.steps.iter().any(saves)
        })
    }

    /// Puts a value under the receiver's name: a record, whose keys are told apart.
    pub(super) fn keep(&mut self, frame: &mut Frame, index: u32, v: V) {
        let Some(name) = self.stored_under(frame, index) else {
            return;
        };
        if self.w.store.deep(v) != Ls::NONE {
            let place = Place::LibKey(self.name(TABLES), self.name(&name));
            let kept = self.record(v);
            let site = self.site(frame, index);
            frame.effects.push((place, site, kept));
        }
    }

    /// What an update sets, where it says so by an operator.
    fn record(&mut self, v: V) -> V {
        let set = self.name("$set");
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let inner = match &atom {
                Atom::Coll { kids, .. } => kids
                    .iter()
                    .find(|(key, _)| *key == Const::Str(set))
                    .map(|(_, v)| *v),
                _ => None,
            };
            let one = match inner {
                Some(inner) => inner,
                None => self.w.store.one(atom),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// The last name that the receiver of a call is written with, or the text of the call that made it:
    /// `db.User.create(...)`, `users.insert(...)`, `db.collection('users').insert(...)`, `new db.User().save()`.
    fn stored_under(&self, frame: &Frame, index: u32) -> Option<String> {
        let function = self.p.function(frame.f);
        let Op::Call { callee, .. } = &function.insts.get(index as usize)?.op else {
            return None;
        };
        let Op::Attr { base, .. } = function.op(*callee) else {
            return None;
        };
        let mut open = vec![*base];
        for _ in 0..MAX_NAME_STEPS {
            let value = open.pop()?;
            let name = match function.op(value) {
                Op::After { object: inner, .. }
                | Op::Refine { value: inner, .. }
                | Op::Await(inner)
                | Op::SetAttr { base: inner, .. }
                | Op::SetIndex { base: inner, .. } => {
                    open.push(*inner);
                    continue;
                }
                Op::Phi(versions) => {
                    open.extend(versions.iter().rev().map(|(_, v)| *v));
                    continue;
                }
                Op::Param(i) => function.params.get(*i as usize)?.name,
                Op::Captured { name, .. } | Op::Global(name) | Op::Attr { name, .. } => *name,
                Op::Call { callee, args } => {
                    // What was found is called as that is which it was found in.
                    if let Op::Attr { base, name } = function.op(*callee)
                        && self.m.is_finder(&self.text(*name))
                    {
                        open.push(*base);
                        continue;
                    }
                    let first = args.first().map(|arg| arg.value().0 as usize);
                    let first = first.and_then(|at| frame.vals.get(at));
                    match first.and_then(|v| self.w.store.constant_str(*v)) {
                        Some(text) => text,
                        None => {
                            open.push(*callee);
                            continue;
                        }
                    }
                }
                _ => continue,
            };
            return Some(bare(&self.text(name)));
        }
        None
    }

    fn found(&mut self, kept: V, name: &str, site: Site) -> V {
        let what = self.name(&format!("table {name}"));
        // What the program makes itself was spoken of where it was made.
        let kept = self.w.store.map_labels(kept, &mut |store, set| {
            store.without(set, &|carrier| carrier.is_no_request())
        });
        self.w.store.map_each(kept, &mut |store, mut label| {
            label.trace = store.hop(Hop {
                parent: label.trace,
                kind: TraceKind::Library,
                site,
                what,
            });
            label
        })
    }

    /// Who chooses the host chooses what it answers; a part of a URL behind a known beginning does not.
    fn fetched(&mut self, url: V, sink: &SinkRow, site: Site, path: &str) -> V {
        let kinds = 1 << sink.kind.index();
        let mut chosen = Ls::NONE;
        for atom in self.w.store.atoms_of(url) {
            let labels = match atom {
                Atom::Data(labels) => labels,
                Atom::Text(pieces) => match pieces.first() {
                    Some(Piece::Data(labels)) => *labels,
                    _ => continue,
                },
                _ => continue,
            };
            let free: Vec<_> = self
                .w
                .store
                .labels(labels)
                .iter()
                .filter(|label| label.kills & kinds == 0)
                .cloned()
                .collect();
            let free = self.w.store.set(free);
            chosen = self.w.store.union(chosen, free);
        }
        if chosen == Ls::NONE {
            return V::NEVER;
        }
        let what = self.name(path);
        let labels = self.hop_set(chosen, TraceKind::Library, site, what);
        let v = self.w.store.data(labels);
        // What was harmless as an address says nothing of what is answered there.
        self.w.store.map_each(v, &mut |_, mut label| {
            label.kills = 0;
            label
        })
    }
}

/// What records of one sort are called, whichever thing of theirs is named: `users`, `UserModel`, `userRepository`.
fn bare(name: &str) -> String {
    let lower = name.to_lowercase();
    let of_one = ["repository", "model", "repo"]
        .iter()
        .find_map(|what| lower.strip_suffix(what))
        .unwrap_or(&lower);
    let of_one = of_one
        .strip_suffix('s')
        .unwrap_or(of_one)
        .trim_end_matches('_');
    if of_one.is_empty() {
        lower
    } else {
        of_one.to_owned()
    }
}

/// Names of tables: `INSERT INTO a VALUES ...`, `UPDATE a SET ...`, `SELECT ... FROM a JOIN b`.
fn statement(text: &str) -> Statement {
    let mut end = text.len().min(MAX_STATEMENT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut words = text[..end]
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';'))
        .filter(|word| !word.is_empty());
    let mut out = Statement::default();
    let verb = words.next().unwrap_or_default().to_ascii_lowercase();
    match verb.as_str() {
        "insert" | "replace" if words.any(|word| word.eq_ignore_ascii_case("into")) => {
            out.written = words.next().and_then(table);
        }
        "update" => out.written = words.next().and_then(table),
        "select" | "with" => {
            while let Some(word) = words.next() {
                if word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("join") {
                    out.read.extend(words.next().and_then(table));
                }
            }
        }
        _ => {}
    }
    out
}

/// A table's own name, without its schema and quotes.
fn table(word: &str) -> Option<String> {
    let own = word.rsplit('.').next()?;
    let own = own.trim_matches(|c| matches!(c, '"' | '`' | '\'' | '[' | ']'));
    let is_name = !own.is_empty() && own.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !own.eq_ignore_ascii_case("select")).then(|| own.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_sort_have_one_name() {
        for name in [
            "users",
            "User",
            "UserModel",
            "user_model",
            "usersRepository",
        ] {
            assert_eq!(bare(name), "user", "{name}");
        }
        assert_eq!(bare("model"), "model");
        assert_eq!(bare("s"), "s");
    }

    #[test]
    fn a_statement_names_its_tables() {
        let of = |text: &str| {
            let found = statement(text);
            (found.written.unwrap_or_default(), found.read.join(" "))
        };
        let none = String::new;
        assert_eq!(
            of("INSERT INTO posts (a) VALUES (?)"),
            ("posts".into(), none())
        );
        assert_eq!(
            of("insert or replace into `db`.`Posts` values (?)"),
            ("posts".into(), none())
        );
        assert_eq!(of("UPDATE users SET name = '?'"), ("users".into(), none()));
        assert_eq!(
            of("SELECT a, b FROM \"t1\" x LEFT JOIN s.t2 ON x.a = t2.a"),
            (none(), "t1 t2".into())
        );
        assert_eq!(
            of("SELECT * FROM (SELECT 1 FROM t3) q"),
            (none(), "t3".into())
        );
        assert_eq!(of("SELECT * FROM ? WHERE a = 1"), (none(), none()));
        assert_eq!(of("DELETE FROM posts"), (none(), none()));
        assert_eq!(of(""), (none(), none()));
    }
}
