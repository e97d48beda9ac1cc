//! Where an input stands in the text at a sink, and what that leaves of its harm.

use std::collections::BTreeSet;

use solvent_finding::{Carrier, NoPathReason, Transform};
use solvent_graph::label::{InputShape, Label, Link, Marks, Note, Origin};
use solvent_graph::value::{Atom, Piece, V};
use solvent_graph::world::Hit;
use solvent_ir::{Const, Language, Op};
use solvent_models::{How, Kind};

use super::View;

impl View<'_> {
    /// Whether the input is all of the text, and a check let only one text in quotes pass, to which nothing happened
    /// since.
    pub(super) fn is_quoted(&self, v: V, label: Label) -> bool {
        let mut atoms = self.world.store.atoms(v);
        let alone = atoms.all(|a| matches!(a, Atom::Data(_) | Atom::Const(_)));
        let quoted = Marks::QUOTED.iter().any(|all| label.marks.has(*all));
        let since = Note::Quoted { chain: label.chain };
        alone && quoted && self.world.store.notes(label.notes).contains(&since)
    }

    /// The kind of harm between quotes, where the input stands between quotes everywhere in the text.
    pub(super) fn in_quotes(&self, v: V, label: Label, kind: &str) -> Option<Kind> {
        let single = self.models.kind(&format!("{kind}-in-single-quotes"))?;
        let double = self.models.kind(&format!("{kind}-in-double-quotes"))?;
        match self.quotes_around(v, label)? {
            '"' => Some(double),
            _ => Some(single),
        }
    }

    /// Whether quotes around an input take back what quoting it for a shell gave: `"'…'"` and `''…''` (POSIX Shell
    /// Command Language, 2.2).
    pub(super) fn is_quoted_twice(&self, v: V, label: Label, kind: Kind) -> bool {
        let by_quoting = |reason: &NoPathReason| match reason {
            NoPathReason::Sanitized { by, .. } => self.models.member(by).is_some_and(|m| {
                m.steps
                    .iter()
                    .any(|row| matches!(row.how, How::Quote | How::JsonEncode))
            }),
            _ => false,
        };
        let cures = self.cures(label, kind);
        !cures.is_empty() && cures.iter().all(by_quoting) && self.quotes_around(v, label).is_some()
    }

    /// The quotes between which the input stands, everywhere in the text.
    fn quotes_around(&self, v: V, label: Label) -> Option<char> {
        let mut found: Option<char> = None;
        for atom in self.world.store.atoms(v) {
            let pieces = match atom {
                Atom::Text(pieces) => pieces,
                Atom::Const(_) => continue,
                _ => return None,
            };
            let mut open: Option<char> = None;
            for piece in pieces {
                match piece {
                    Piece::Lit(text) => {
                        for c in self.tracer.names.text(*text).chars() {
                            match open {
                                None if matches!(c, '\'' | '"') => open = Some(c),
                                Some(quote) if c == quote => open = None,
                                _ => {}
                            }
                        }
                    }
                    Piece::Data(set) => {
                        let labels = self.world.store.labels(*set);
                        if labels.iter().any(|l| l.identity() == label.identity()) {
                            // Outside quotes, or between others than before.
                            if open.is_none() || found.is_some_and(|other| Some(other) != open) {
                                return None;
                            }
                            found = open;
                        } else if !labels.is_empty() {
                            // Another input may close the quotes.
                            return None;
                        }
                    }
                }
            }
        }
        found
    }

    /// Whether a label is of the request's target as it came over the wire, which Node leaves encoded: browsers
    /// write `<` and `>` there as `%3C` and `%3E` (WHATWG URL, path and query percent-encode sets).
    pub(super) fn is_still_encoded(&self, label: Label) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let carrier = &self.world.store.input(id).carrier;
        let raw = matches!(carrier, Carrier::RawPath | Carrier::RawQuery);
        raw && self.graph.program.language == Language::JavaScript
            && !self.world.store.chain(label.chain).iter().any(|link| {
                matches!(link, Link::Transform(Transform::UrlDecode))
                    || matches!(link, Link::Transform(Transform::Opaque(what)) if what == "several ways")
            })
    }

    /// Why an input does no harm at a sink that asks what it is, and not what is in it.
    pub(super) fn of_no_use_there(
        &self,
        kind: &str,
        hit: &Hit,
        label: Label,
    ) -> Option<&'static str> {
        let v = hit.value;
        match kind {
            "nosql-query" if !self.may_be_object(v, label) => {
                Some("a text, which is no operator of a query")
            }
            "prototype-merge" if !self.may_be_object(v, label) => {
                Some("a text, which has no keys to merge")
            }
            "all-fields" if !self.is_whole(v, label) => Some("fields that are named, or a text"),
            "served-file" if !self.ends_below_served(v, label) => Some(
                "a name whose ending is written, or below no folder that is served by its name",
            ),
            "served-file" if self.speaks_of_endings(hit, label) => {
                Some("a name whose ending is spoken of on the way")
            }
            "session-value" if self.world.store.was_stored(label.notes) => {
                Some("what the program had stored and takes from there")
            }
            "mail-text" if !self.is_of_host(label) => Some("a header that names no host"),
            "log-line" if self.is_cleaned(label) => {
                Some("a field that the form's own method cleans")
            }
            "log-line" if self.is_escaped(label) => {
                Some("an object or a text that is written with its line breaks escaped")
            }
            _ => None,
        }
    }

    /// Whether the input ends a path below a folder whose name says that it is served.
    fn ends_below_served(&self, v: V, label: Label) -> bool {
        const SERVED: [&str; 9] = [
            "static",
            "public",
            "www",
            "wwwroot",
            "htdocs",
            "webroot",
            "webapps",
            "public_html",
            "html",
        ];
        self.world.store.atoms(v).any(|atom| {
            let Atom::Text(pieces) = atom else {
                return false;
            };
            let [before @ .., Piece::Data(last)] = &pieces[..] else {
                return false;
            };
            let labels = self.world.store.labels(*last);
            let ends = labels.iter().any(|l| l.identity() == label.identity());
            ends && before.iter().any(|piece| match piece {
                Piece::Lit(text) => {
                    let text = self.tracer.names.text(*text);
                    text.split(['/', '\\']).any(|part| SERVED.contains(&part))
                }
                Piece::Data(_) => false,
            })
        })
    }

    /// Whether a file that the input passes through has a word for an ending or a type of content: it is taken to ask.
    fn speaks_of_endings(&self, hit: &Hit, label: Label) -> bool {
        const ENDINGS: [&str; 14] = [
            "png", "jpg", "jpeg", "gif", "pdf", "txt", "csv", "webp", "svg", "zip", "mp4", "mp3",
            "docx", "bmp",
        ];
        let program = &self.graph.program;
        let hops = self.world.store.hops(label.trace);
        let units: BTreeSet<_> = hops
            .iter()
            .map(|hop| hop.site.function)
            .chain([hit.sink.site.function])
            .map(|f| program.unit_of(f))
            .collect();
        units.into_iter().any(|unit| {
            let functions = &program.unit(unit).functions;
            let mut insts = functions.iter().flat_map(|f| &f.insts);
            insts.any(|inst| match &inst.op {
                Op::Const(Const::Str(text)) => {
                    let text = self.tracer.names.text(*text).to_lowercase();
                    ENDINGS.contains(&text.trim_start_matches('.')) || text.starts_with("image/")
                }
                _ => false,
            })
        })
    }

    /// Whether a header says which host was asked.
    fn is_of_host(&self, label: Label) -> bool {
        const HOSTS: [&str; 5] = [
            "host",
            "x-forwarded-host",
            "x-forwarded-server",
            "origin",
            "referer",
        ];
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let name = self.world.store.input(id).name;
        HOSTS.contains(&self.tracer.names.text(name).to_lowercase().as_str())
    }

    /// Whether a form's field has a method of the program's own that cleans it.
    fn is_cleaned(&self, label: Label) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let names = self.tracer.names;
        let of_form = self.world.store.input(id).carrier == Carrier::Form;
        let cleans = format!("clean_{}", names.text(self.world.store.input(id).name));
        let program = &self.graph.program;
        of_form
            && program
                .functions()
                .any(|f| *names.text(program.function(f).name) == *cleans)
    }

    /// Whether what is written of it has no line break: what prints an object, `repr` and what encodes escapes them.
    fn is_escaped(&self, label: Label) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let store = &self.world.store;
        let mut object = store.input(id).shape != InputShape::Whole
            && self.tracer.names.text(store.input(id).name).is_empty();
        for link in store.chain(label.chain) {
            match link {
                Link::Transform(Transform::Opaque(what))
                    if matches!(
                        what.as_str(),
                        "repr" | "ascii" | "json encode" | "hex encode"
                    ) =>
                {
                    return true;
                }
                Link::Transform(Transform::UrlEncode | Transform::Base64Encode) => return true,
                Link::Key(_) | Link::Value | Link::Keys => object = false,
                Link::ParseJson | Link::ParseQuery | Link::ParseCookie => object = true,
                Link::Transform(_) | Link::QueryPart => {}
            }
        }
        object
    }

    /// Whether it is all that one sent, under names of one's own: no field of it by its name, nothing that was checked,
    /// cut or made of it.
    fn is_whole(&self, v: V, label: Label) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let store = &self.world.store;
        let input = store.input(id);
        let named = !self.tracer.names.text(input.name).is_empty() || !input.inner.is_empty();
        let mut keys = matches!(input.carrier, Carrier::QueryName | Carrier::FormName);
        let mut object = !matches!(input.carrier, Carrier::RawBody | Carrier::RawQuery);
        for link in store.chain(label.chain) {
            match link {
                Link::ParseJson | Link::ParseQuery => object = true,
                Link::Keys => keys = true,
                Link::Value => {}
                Link::Key(_) | Link::Transform(_) | Link::QueryPart | Link::ParseCookie => {
                    return false;
                }
            }
        }
        let carried = matches!(
            input.carrier,
            Carrier::Query
                | Carrier::QueryName
                | Carrier::Form
                | Carrier::FormName
                | Carrier::Json
                | Carrier::RawBody
                | Carrier::RawQuery
        );
        // What a form or a serializer gives has the fields that it declares.
        let declared = store.hops(label.trace).first().is_some_and(|hop| {
            let what = self.tracer.names.text(hop.what);
            what.ends_with("cleaned_data") || what.ends_with("validated_data")
        });
        let passed = store
            .notes(label.notes)
            .iter()
            .any(|note| matches!(note, Note::UnmodelledCall { .. }));
        carried
            && !declared
            && !passed
            && (keys || (!named && object && self.is_outermost(v, label)))
    }

    /// Whether the label is of the value itself, not of what stands in it under a key that is written.
    fn is_outermost(&self, v: V, label: Label) -> bool {
        let has = |set| {
            let labels = self.world.store.labels(set);
            labels.iter().any(|l| l.identity() == label.identity())
        };
        self.world.store.atoms(v).any(|atom| match atom {
            Atom::Data(set) => has(*set),
            Atom::Coll { rest, .. } => *rest != V::NEVER && has(self.world.store.deep(*rest)),
            Atom::LibObject { data, .. } => *data != V::NEVER && self.is_outermost(*data, label),
            _ => false,
        })
    }

    /// Whether an input stands somewhere in the value as what it is, and may be an object: text cannot be, nor
    /// what any transformation but the reading of JSON made.
    pub(super) fn may_be_object(&self, v: V, label: Label) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        let mut object = self.world.store.input(id).shape == InputShape::Tree;
        for link in self.world.store.chain(label.chain) {
            match link {
                Link::ParseJson => object = true,
                // Ways of several sorts were put together: any of them may be.
                Link::Transform(Transform::Opaque(what)) if what == "several ways" => {}
                Link::Transform(_) | Link::Keys | Link::ParseQuery | Link::ParseCookie => {
                    object = false;
                }
                Link::Key(_) | Link::Value | Link::QueryPart => {}
            }
        }
        object && self.stands_alone(v, label, 0)
    }

    fn stands_alone(&self, v: V, label: Label, depth: u32) -> bool {
        let has = |set| {
            let labels = self.world.store.labels(set);
            labels.iter().any(|l| l.identity() == label.identity())
        };
        depth < 8
            && self.world.store.atoms(v).any(|atom| match atom {
                Atom::Data(set) => has(*set),
                Atom::Coll { kids, rest, .. } => {
                    let mut all = kids.iter().map(|(_, v)| *v).chain([*rest]);
                    all.any(|v| self.stands_alone(v, label, depth + 1))
                }
                Atom::LibObject { attrs, data, .. } => {
                    let mut all = attrs.iter().map(|(_, v)| *v).chain([*data]);
                    all.any(|v| self.stands_alone(v, label, depth + 1))
                }
                Atom::Object { attrs, .. } => {
                    let mut all = attrs.iter().map(|(_, v)| *v);
                    all.any(|v| self.stands_alone(v, label, depth + 1))
                }
                _ => false,
            })
    }

    /// Whether everything before the input fixes the host of a URL: `https://host/`, a path of this site, or a
    /// base that is not the attacker's and a slash.
    pub(super) fn host_is_ours(&self, v: V, label: Label) -> bool {
        let mut found = false;
        for atom in self.world.store.atoms(v) {
            match atom {
                Atom::Text(pieces) => {
                    let mut before = String::new();
                    let at = pieces.iter().position(|piece| match piece {
                        Piece::Lit(text) => {
                            before.push_str(&self.tracer.names.text(*text));
                            false
                        }
                        Piece::Data(set) => {
                            let labels = self.world.store.labels(*set);
                            // Something else that is not known, and is not nothing.
                            before.push('x');
                            labels.iter().any(|l| l.identity() == label.identity())
                        }
                    });
                    if at.is_some() {
                        before.pop();
                        if !fixes_host(&before) {
                            return false;
                        }
                        found = true;
                    }
                }
                Atom::Const(_) => {}
                _ => return false,
            }
        }
        found
    }

    /// What a file's name begins with before the input, where that is the beginning of no folder's name: written
    /// there is a text that ends as only a part of a name does. As long as nobody makes such a folder, `..` behind
    /// it leads nowhere; a path that is made normal before it is used knows no folders.
    pub(super) fn begins_a_name(&self, v: V, label: Label) -> Option<String> {
        if label.marks.has(Marks::NORMAL) {
            return None;
        }
        let mut found = None;
        for atom in self.world.store.atoms(v) {
            let atom = match atom {
                Atom::LibObject { data, .. } => self.world.store.only(*data)?,
                other => other,
            };
            match atom {
                Atom::Text(pieces) => {
                    let mut before = String::new();
                    for piece in pieces {
                        match piece {
                            Piece::Lit(text) => before.push_str(&self.tracer.names.text(*text)),
                            Piece::Data(set) => {
                                let labels = self.world.store.labels(*set);
                                if labels.iter().any(|l| l.identity() == label.identity()) {
                                    found = Some(part_of_a_name(&before)?.to_owned());
                                }
                                // Whatever it is, it may end a folder's name.
                                before.push('/');
                            }
                        }
                    }
                }
                Atom::Const(_) => {}
                _ => return None,
            }
        }
        found
    }
}

/// The beginning of a name that a text ends with: `/tmp/app.key.` ends with `app.key.`.
fn part_of_a_name(before: &str) -> Option<&str> {
    let name = before.rsplit('/').next()?;
    let own = name.chars().any(char::is_alphanumeric);
    (own && name.ends_with(['.', '-', '_'])).then_some(name)
}

/// Whether a text that begins like this names its host already: RFC 3986, section 3.
fn fixes_host(before: &str) -> bool {
    let rest = match before.split_once("://") {
        Some((_, authority)) => authority,
        None => before,
    };
    let ends = |c| matches!(c, '/' | '?' | '#' | '\\');
    // `//host` and `/\\host` leave this site, `/path` does not.
    if rest.len() == before.len() && rest.starts_with(ends) {
        let mut after = rest.chars();
        return after.next() == Some('/') && after.next().is_some_and(|c| !ends(c));
    }
    rest.find(ends).is_some_and(|at| at > 0)
}
