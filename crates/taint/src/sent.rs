//! Requests that the program sends, with the inputs that go into them.

use std::collections::BTreeSet;

use solvent_finding::{Carried, Carrier, EntryPoint, Input, Landing, Part, Sent, StepKind};
use solvent_graph::RootKind;
use solvent_graph::label::{Label, Origin};
use solvent_graph::value::{Atom, Piece, V};
use solvent_graph::world::Hit;
use solvent_ir::Const;

use crate::judge::View;

/// Alternatives of a URL that are kept: one for each value that a setting may have.
const MAX_URLS: usize = 8;
/// Requests that are kept of one program.
const MAX_SENT: usize = 20_000;
/// Keys inside keys of a JSON body.
const MAX_NESTING: usize = 3;

/// Literal text, or the labels of what stands there.
type Pieces = Vec<Result<String, Vec<Label>>>;

impl View<'_> {
    /// Every request, by place, then entry point.
    pub(crate) fn sent(&self, entries: &[EntryPoint]) -> Vec<Sent> {
        let mut out: Vec<Sent> = Vec::new();
        for root in self.roots {
            let entry = match root.kind {
                RootKind::Entry(i) => entries.get(i),
                RootKind::Hook | RootKind::Body => None,
            };
            for hit in &root.hits {
                let Some(row) = hit.sink.sent() else { continue };
                for sent in self.requests(hit, row, entry) {
                    if out.len() < MAX_SENT && !out.contains(&sent) {
                        out.push(sent);
                    }
                }
            }
        }
        out.sort_by(|a, b| {
            let key = |s: &Sent| {
                let entry = s
                    .entry
                    .as_ref()
                    .map(|e| (e.route.clone(), e.handler.clone()));
                (s.location.clone(), entry, s.url.clone())
            };
            key(a).cmp(&key(b))
        });
        out
    }

    fn requests(&self, hit: &Hit, row: u32, entry: Option<&EntryPoint>) -> Vec<Sent> {
        let member = self.models.get(hit.sink.member);
        let Some(send) = member.sends.get(row as usize) else {
            return Vec::new();
        };
        let part = |name: &str| -> Option<V> {
            self.world.store.atoms(hit.value).find_map(|atom| {
                match atom {
                Atom::Coll { kids, .. } => kids
                    .iter()
                    .find(|(key, _)| {
                        matches!(key, Const::Str(n) if &*self.tracer.names.text(*n) == name)
                    })
                    .map(|(_, v)| *v),
                _ => None,
            }
            })
        };
        let mut carried: Vec<Carried> = Vec::new();
        let mut fixed: Vec<(Input, String)> = Vec::new();
        for (name, carrier) in [
            ("query", Carrier::Query),
            ("form", Carrier::Form),
            ("json", Carrier::Json),
            ("headers", Carrier::Header),
            ("body", Carrier::Json),
        ] {
            if let Some(v) = part(name) {
                self.fields(hit, v, &carrier, "", 0, &mut carried, &mut fixed);
            }
        }
        let method = match part("method") {
            Some(v) => match self.texts(v).as_slice() {
                [one] => Some(one.to_uppercase()),
                // Left out: what the row says.
                [] if self.world.store.atoms(v).count() == 0 => known(&send.verb),
                _ => None,
            },
            None => known(&send.verb),
        };
        let bases: Vec<String> = part("base").map(|v| self.texts(v)).unwrap_or_default();
        let url = part("url").unwrap_or(V::NEVER);
        let mut out = Vec::new();
        let mut urls: Vec<Pieces> = Vec::new();
        self.texts_of(url, 0, &mut urls);
        for pieces in urls.into_iter().take(MAX_URLS) {
            let mut carried = carried.clone();
            let mut parts: Vec<Part> = Vec::new();
            if let Some(base) = bases.first()
                && !matches!(pieces.first(), Some(Ok(text)) if text.contains("://"))
            {
                parts.push(Part::Literal(base.trim_end_matches('/').to_owned()));
            }
            for piece in pieces {
                match piece {
                    Ok(text) => parts.push(Part::Literal(text)),
                    Err(labels) => {
                        let at = parts.len();
                        let mut any = false;
                        for label in labels {
                            any |= self.carry(hit, label, Landing::Url(at), &mut carried);
                        }
                        parts.push(if any { Part::Input } else { Part::Other });
                    }
                }
            }
            out.push(Sent {
                entry: entry.cloned(),
                location: self.tracer.location(hit.sink.site),
                function: self.symbol(hit.sink.site.function),
                callee: member.path.clone(),
                method: method.clone(),
                url: parts,
                carried,
                fixed: fixed.clone(),
            });
        }
        out
    }

    /// The texts that a value may be: literal parts, and labels of the others.
    fn texts_of(&self, v: V, depth: usize, out: &mut Vec<Pieces>) {
        let labels = |set| self.world.store.labels(set).to_vec();
        for atom in self.world.store.atoms(v) {
            match atom {
                Atom::Const(Const::Str(name)) => {
                    out.push(vec![Ok(self.tracer.names.text(*name).to_string())]);
                }
                Atom::Text(pieces) => {
                    let piece = |piece: &Piece| match piece {
                        Piece::Lit(name) => Ok(self.tracer.names.text(*name).to_string()),
                        Piece::Data(set) => Err(labels(*set)),
                    };
                    out.push(pieces.iter().map(piece).collect());
                }
                Atom::Data(set) => out.push(vec![Err(labels(*set))]),
                // `new URL(..)`, `Request(..)`: made from one text.
                Atom::LibObject { data, .. } if depth < MAX_NESTING => {
                    self.texts_of(*data, depth + 1, out);
                }
                _ => {}
            }
        }
    }

    /// What a mapping of names to values carries; anything else carries its labels as a whole.
    #[expect(clippy::too_many_arguments, reason = "one walk with two results")]
    fn fields(
        &self,
        hit: &Hit,
        v: V,
        carrier: &Carrier,
        prefix: &str,
        depth: usize,
        carried: &mut Vec<Carried>,
        fixed: &mut Vec<(Input, String)>,
    ) {
        let whole = |set| -> Vec<Label> { self.world.store.labels(set).to_vec() };
        for atom in self.world.store.atoms(v) {
            match atom {
                Atom::Coll { kids, rest, .. } => {
                    for (key, value) in kids {
                        let Const::Str(name) = key else { continue };
                        let name = self.tracer.names.text(*name);
                        let name = match prefix {
                            "" => name.to_string(),
                            prefix => format!("{prefix}.{name}"),
                        };
                        let input = Input {
                            carrier: carrier.clone(),
                            name: name.clone(),
                        };
                        let inner = self
                            .world
                            .store
                            .atoms(*value)
                            .any(|a| matches!(a, Atom::Coll { .. }));
                        if inner && *carrier == Carrier::Json && depth < MAX_NESTING {
                            self.fields(hit, *value, carrier, &name, depth + 1, carried, fixed);
                            continue;
                        }
                        let texts = self.texts(*value);
                        if let ([one], 1) =
                            (texts.as_slice(), self.world.store.atoms(*value).count())
                        {
                            fixed.push((input, one.clone()));
                            continue;
                        }
                        for label in whole(self.world.store.deep(*value)) {
                            self.carry(hit, label, Landing::Field(input.clone()), carried);
                        }
                    }
                    if *rest != V::NEVER {
                        for label in whole(self.world.store.deep(*rest)) {
                            self.carry(hit, label, Landing::Whole(carrier.clone()), carried);
                        }
                    }
                }
                Atom::LibObject { data, .. } if depth < MAX_NESTING => {
                    // Text made from a mapping: `JSON.stringify({..})`.
                    self.fields(hit, *data, carrier, prefix, depth + 1, carried, fixed);
                }
                Atom::Const(_) => {}
                _ => {
                    for label in whole(self.world.store.deep(v)) {
                        self.carry(hit, label, Landing::Whole(carrier.clone()), carried);
                    }
                }
            }
        }
    }

    fn carry(&self, hit: &Hit, label: Label, landing: Landing, out: &mut Vec<Carried>) -> bool {
        let Origin::Input(id) = label.origin else {
            return false;
        };
        // What can be guessed is no part of the caller's request.
        if self.world.store.input(id).carrier.is_no_request() {
            return false;
        }
        let Some(mut flow) = self.tracer.flow(hit, label, "goes into a request") else {
            return false;
        };
        if let Some(last) = flow.steps.last_mut() {
            last.kind = StepKind::Sent;
        }
        let kinds = self.models.kinds();
        let harmless: BTreeSet<String> = kinds
            .iter()
            .filter(|kind| label.kills & (1 << kind.index()) != 0)
            .map(|kind| self.models.kind_info(kind).name.clone())
            .collect();
        let carried = Carried {
            landing,
            flow,
            harmless: harmless.into_iter().collect(),
            assumed: self.tracer.assumptions(label),
        };
        if !out.contains(&carried) {
            out.push(carried);
        }
        true
    }

    fn texts(&self, v: V) -> Vec<String> {
        self.world
            .store
            .atoms(v)
            .filter_map(|atom| match atom {
                Atom::Const(Const::Str(name)) => Some(self.tracer.names.text(*name).to_string()),
                _ => None,
            })
            .collect()
    }
}

fn known(verb: &str) -> Option<String> {
    (!verb.is_empty()).then(|| verb.to_owned())
}
