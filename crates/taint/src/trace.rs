//! Flows: steps in words and places, transforms, conditions, and the text at the sink.

use solvent_base::{Interner, Name};
use solvent_finding::{
    Assumption, Carrier, Comparison, Condition, Flow, Input, Part, Step, StepKind, Template,
    Transform,
};
use solvent_graph::label::{InputKey, Label, Link, Note, Origin, TraceKind};
use solvent_graph::value::{Atom, CollKind, Ls, Piece, V};
use solvent_graph::world::{Fact, Hit};
use solvent_graph::{Program, Site, World};

use crate::place::Places;

/// Most conditions and transforms of one flow.
const MAX_CONDITIONS: usize = 32;

pub(crate) struct Tracer<'a> {
    pub program: &'a Program,
    pub world: &'a World,
    pub names: &'a Interner,
    pub places: &'a Places<'a>,
}

impl Tracer<'_> {
    pub fn input(&self, key: &InputKey) -> Input {
        let mut name = self.names.text(key.name).to_string();
        for inner in &key.inner {
            name.push('.');
            name.push_str(&self.names.text(*inner));
        }
        Input {
            carrier: key.carrier.clone(),
            name,
        }
    }

    pub fn location(&self, site: Site) -> solvent_base::Location {
        let path = self.program.path_of(site.function);
        self.places.location(path, self.program.span(site))
    }

    fn line(&self, site: Site) -> String {
        let path = self.program.path_of(site.function);
        self.places.line(path, self.program.span(site))
    }

    pub fn flow(&self, hit: &Hit, label: Label, sink_words: &str) -> Option<Flow> {
        let Origin::Input(id) = label.origin else {
            return None;
        };
        let input = self.input(self.world.store.input(id));
        let mut steps: Vec<Step> = Vec::new();
        for hop in self.world.store.hops(label.trace) {
            let kind = match hop.kind {
                TraceKind::Source => StepKind::Source,
                TraceKind::Local => StepKind::Local,
                TraceKind::Call => StepKind::Call,
                TraceKind::Return => StepKind::Return,
                TraceKind::Library => StepKind::Library,
            };
            let what = self.names.text(hop.what);
            let words = match kind {
                StepKind::Source if input.carrier == Carrier::Predictable => {
                    format!("makes {} with `{what}`", words(&input))
                }
                StepKind::Source => format!("reads {}", words(&input)),
                StepKind::Local | StepKind::Sent | StepKind::Sink => what.to_string(),
                StepKind::Call => format!("passes the value to `{what}`"),
                StepKind::Return => format!("comes back from `{what}`"),
                StepKind::Library => format!("goes through `{what}`"),
            };
            // Reading a mapping and taking a key out of it is one source.
            if kind == StepKind::Source && steps.iter().any(|s| s.kind == StepKind::Source) {
                let location = self.location(hop.site);
                if steps
                    .last()
                    .is_some_and(|s| s.kind == StepKind::Source && s.location.line == location.line)
                {
                    continue;
                }
            }
            steps.push(Step {
                kind,
                location: self.location(hop.site),
                function: self.program.symbol(hop.site.function, self.names),
                what: words,
                text: self.line(hop.site),
            });
        }
        steps.push(Step {
            kind: StepKind::Sink,
            location: self.location(hit.sink.site),
            function: self.program.symbol(hit.sink.site.function, self.names),
            what: sink_words.to_owned(),
            text: self.line(hit.sink.site),
        });
        let transforms = self.transforms(label);
        let template = self.template(hit.value, label);
        let conditions = self.conditions(&hit.facts);
        Some(Flow {
            input,
            steps,
            transforms,
            conditions,
            template,
        })
    }

    fn transforms(&self, label: Label) -> Vec<Transform> {
        self.world
            .store
            .chain(label.chain)
            .iter()
            .filter_map(|link| match link {
                Link::Transform(t) => Some(t.clone()),
                Link::ParseJson => Some(Transform::Json),
                Link::Key(key) => Some(Transform::Opaque(format!("key {}", self.names.text(*key)))),
                Link::Value | Link::Keys => None,
                Link::ParseQuery => Some(Transform::Opaque("query parse".to_owned())),
                Link::ParseCookie => Some(Transform::Opaque("cookie parse".to_owned())),
                Link::QueryPart => Some(Transform::Opaque("query part".to_owned())),
            })
            .collect()
    }

    pub fn conditions(&self, facts: &[Fact]) -> Vec<Condition> {
        let mut out: Vec<Condition> = Vec::new();
        for fact in facts {
            for label in self.world.store.labels(fact.labels) {
                let Origin::Input(id) = label.origin else {
                    continue;
                };
                let input = self.input(self.world.store.input(id));
                let raw = matches!(
                    input.carrier,
                    Carrier::RawBody | Carrier::RawPath | Carrier::RawQuery
                );
                if input.name.is_empty() && !raw {
                    continue;
                }
                let condition = Condition {
                    input,
                    comparison: fact.comparison,
                    value: self.names.text(fact.value).to_string(),
                };
                if !out.contains(&condition) && out.len() < MAX_CONDITIONS {
                    out.push(condition);
                }
                break;
            }
        }
        out
    }

    /// Methods that the facts allow.
    pub fn methods(&self, facts: &[Fact], methods: &[String]) -> Vec<String> {
        let mut out = methods.to_vec();
        for fact in facts {
            let about_method = self
                .world
                .store
                .labels(fact.labels)
                .iter()
                .any(|l| l.origin == Origin::Method);
            if !about_method {
                continue;
            }
            let value = self.names.text(fact.value).to_string();
            match fact.comparison {
                Comparison::Equals => out.retain(|m| *m == value),
                Comparison::NotEquals => out.retain(|m| *m != value),
                _ => {}
            }
        }
        out
    }

    /// Whether one request leaves it in the program's memory, and another finds it there.
    pub fn is_stored(&self, label: Label) -> bool {
        let notes = self.world.store.notes(label.notes);
        notes.iter().any(|note| matches!(note, Note::Stored { .. }))
    }

    pub fn assumptions(&self, label: Label) -> Vec<Assumption> {
        self.world
            .store
            .notes(label.notes)
            .iter()
            .filter_map(|note| match note {
                Note::NameOnlyCall { site, name } => Some(Assumption::NameOnlyCall {
                    name: self.names.text(*name).to_string(),
                    location: self.location(*site),
                }),
                Note::UnmodelledCall { site, name } => Some(Assumption::UnmodelledCall {
                    name: self.names.text(*name).to_string(),
                    location: self.location(*site),
                }),
                Note::Widened { site } => Some(Assumption::Widened {
                    location: self.location(*site),
                }),
                Note::Stored { .. }
                | Note::Quoted { .. }
                | Note::Sanitized { .. }
                | Note::Guarded { .. } => None,
            })
            .collect()
    }

    // ---- the text at the sink

    pub fn template(&self, v: V, label: Label) -> Template {
        for atom in self.world.store.atoms(v) {
            if let Some(parts) = self.atom_parts(atom, label) {
                return Template { parts };
            }
        }
        Template::default()
    }

    fn has(&self, set: Ls, label: Label) -> bool {
        self.world
            .store
            .labels(set)
            .iter()
            .any(|l| l.identity() == label.identity())
    }

    /// The parts of an alternative that contains the label.
    fn atom_parts(&self, atom: &Atom, label: Label) -> Option<Vec<Part>> {
        match atom {
            Atom::Text(pieces) => {
                let mut found = false;
                let mut out = Vec::new();
                for piece in &**pieces {
                    out.push(match piece {
                        Piece::Lit(name) => Part::Literal(self.names.text(*name).to_string()),
                        Piece::Data(set) if self.has(*set, label) => {
                            found = true;
                            Part::Input
                        }
                        Piece::Data(_) => Part::Other,
                    });
                }
                found.then_some(out)
            }
            Atom::Data(set) => self.has(*set, label).then(|| vec![Part::Input]),
            Atom::LibObject { data, .. } => self
                .world
                .store
                .atoms(*data)
                .find_map(|a| self.atom_parts(a, label)),
            Atom::Coll {
                kind: CollKind::List | CollKind::Tuple,
                kids,
                rest,
                ..
            } => {
                let mut out: Vec<Part> = Vec::new();
                let mut found = false;
                let mut all: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
                if *rest != V::NEVER {
                    all.push(*rest);
                }
                for (i, v) in all.iter().enumerate() {
                    if i > 0 {
                        out.push(Part::Literal("\0".to_owned()));
                    }
                    let labelled = self
                        .world
                        .store
                        .atoms(*v)
                        .find_map(|a| self.atom_parts(a, label));
                    match labelled {
                        Some(parts) => {
                            found = true;
                            out.extend(parts);
                        }
                        None => out.extend(self.plain_parts(*v)),
                    }
                }
                found.then_some(out)
            }
            Atom::Const(_) => None,
            _ => None,
        }
    }

    fn plain_parts(&self, v: V) -> Vec<Part> {
        // Of several constants the last: platform choices put the common one there.
        let texts: Vec<Name> = self
            .world
            .store
            .atoms(v)
            .filter_map(|a| match a {
                Atom::Const(solvent_ir::Const::Str(name)) => Some(*name),
                _ => None,
            })
            .collect();
        match texts.last() {
            Some(name) => vec![Part::Literal(self.names.text(*name).to_string())],
            None => vec![Part::Other],
        }
    }
}

/// `query parameter q`.
pub(crate) fn words(input: &Input) -> String {
    let name = &input.name;
    let named = |what: &str| {
        if name.is_empty() {
            format!("any {what}")
        } else {
            format!("{what} `{name}`")
        }
    };
    match input.carrier {
        Carrier::Query => named("query parameter"),
        Carrier::Form => named("form field"),
        Carrier::Json => named("JSON field"),
        Carrier::PathSegment => named("path segment"),
        Carrier::Header => named("header"),
        Carrier::Cookie => named("cookie"),
        Carrier::QueryName => "the name of a query parameter".to_owned(),
        Carrier::FormName => "the name of a form field".to_owned(),
        Carrier::HeaderName => "the name of a header".to_owned(),
        Carrier::RawQuery => "the query string".to_owned(),
        Carrier::RawPath => "the request target".to_owned(),
        Carrier::RawBody => "the request body".to_owned(),
        Carrier::FileContent => named("uploaded file"),
        Carrier::FileName => "the name of an uploaded file".to_owned(),
        Carrier::Session => named("session value"),
        Carrier::Predictable => "a number that can be guessed".to_owned(),
        Carrier::ListedName => "the name of a file in a folder".to_owned(),
    }
}
