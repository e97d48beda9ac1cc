//! Annotations: which methods a framework calls, with what, and under which paths.

use solvent_base::Name;
use solvent_finding::Carrier;
use solvent_ir::ParamKind;
use solvent_models::{EntryShape, MemberId, SourceShape};

use crate::call::Args;
use crate::entry::Entry;
use crate::label::{Hop, InputKey, InputShape, Label, Origin, TraceKind};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, EnvId, Open, V};

/// Where a framework looks for an object that no annotation speaks of.
const UNSAID: &str = "org.springframework.web.bind.annotation.ModelAttribute";
/// The same of JAX-RS, which makes it from the body.
const UNSAID_OF_RESOURCES: &str = "javax.ws.rs.Consumes";

/// Whether a parameter of this class gets a file that is sent.
fn is_file(path: &str) -> bool {
    matches!(
        path.rsplit('.').next(),
        Some("MultipartFile" | "FilePart" | "Part")
    )
}

impl Machine<'_> {
    /// An annotation over a method: one that the models know registers it, others do nothing.
    pub(crate) fn annotate(&mut self, frame: &mut Frame, index: u32, note: V, v: V) -> V {
        for atom in self.w.store.atoms_of(note) {
            if let Atom::LibObject { class, .. } = &atom
                && *class == self.n.decorator
            {
                let plan = self.w.store.one(atom);
                self.apply_registrar(frame, index, plan, v);
            }
        }
        v
    }

    /// An annotation that the models know, with what it says.
    pub(super) fn annotation(&mut self, args: &Args) -> V {
        let unknown = self.w.store.unknown();
        let Some(Atom::Lib(path)) = args.get(0, None).and_then(|v| self.w.store.only(v)) else {
            return unknown;
        };
        let Some(id) = self.path_member(*path) else {
            return unknown;
        };
        let mut said = args.clone();
        said.pos.drain(..said.pos.len().min(1));
        let models = self.m;
        let rows = &models.get(id).entry_points;
        let row = rows
            .iter()
            .position(|row| row.shape == EntryShape::Decorator);
        self.plan(id, row.unwrap_or(0) as u32, None, &said, None)
    }

    /// The member that an annotation is of, and what it says.
    pub(crate) fn note_parts(&mut self, note: V) -> Option<(MemberId, Args)> {
        let atom = self.w.store.only(note).cloned()?;
        let Atom::LibObject { class, attrs, .. } = atom else {
            return None;
        };
        if class != self.n.decorator {
            return None;
        }
        let find = |m: &Self, key: &str| {
            let key = m.name(key);
            attrs.iter().find(|(n, _)| *n == key).map(|(_, v)| *v)
        };
        let id = self.small_int(find(self, "<member>")?)?;
        let mut args = Args::default();
        if let Some(items) = find(self, "<args>").and_then(|v| self.exact_items(v)) {
            args.pos = items.into_iter().map(|v| (v, None)).collect();
        }
        if let Some(named) = find(self, "<named>")
            && let Some(Atom::Coll { kids, .. }) = self.w.store.only(named).cloned()
        {
            for (key, v) in &*kids {
                if let solvent_ir::Const::Str(name) = key {
                    args.named.push((*name, *v, None));
                }
            }
        }
        Some((MemberId(u32::try_from(id).ok()?), args))
    }

    /// The annotations of a class, as they were evaluated.
    pub(crate) fn class_annotations(&mut self, class: ClassId) -> Vec<V> {
        let name = self.name("<annotations>");
        let list = self.class_attr(class, EnvId::EMPTY, name);
        list.and_then(|list| self.exact_items(list))
            .unwrap_or_default()
    }

    /// Paths that the annotations of a class put in front of its methods' own.
    pub(crate) fn class_routes(&mut self, class: ClassId) -> Vec<String> {
        let mut out = Vec::new();
        for note in self.class_annotations(class) {
            let Some((id, args)) = self.note_parts(note) else {
                continue;
            };
            let models = self.m;
            for row in &models.get(id).entry_points {
                let ports = Ports {
                    receiver: None,
                    args: &args,
                };
                let route = row.route.as_ref().and_then(|p| self.port_plain(p, &ports));
                if let Some(v) = route {
                    out.extend(self.texts_of(v));
                }
            }
        }
        out
    }

    /// A route of a method, below those of its class.
    pub(crate) fn below_class(&mut self, handler: V, route: String) -> String {
        if !self.is_java() {
            return route;
        }
        let function = self.w.store.atoms(handler).find_map(|a| match a {
            Atom::Fn { function, .. } => Some(*function),
            _ => None,
        });
        // `@GET @Path("/x")`: another annotation says where.
        let own = function.and_then(|f| self.wrapped.get(&f)?.route.clone());
        let route = match own {
            Some(own) => crate::route::joined(&own, &route),
            None => route,
        };
        let class = function.and_then(|f| self.class_of(f));
        let prefix = class.and_then(|class| self.class_routes(class).into_iter().next());
        let path = match prefix {
            Some(prefix) => crate::route::joined(&prefix, &route),
            None => route,
        };
        if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        }
    }

    /// The texts that a value is, or is a list of.
    pub(crate) fn texts_of(&mut self, v: V) -> Vec<String> {
        if let Some(items) = self.exact_items(v) {
            return items
                .into_iter()
                .filter_map(|v| self.constant_texts(v))
                .flatten()
                .collect();
        }
        self.constant_texts(v).unwrap_or_default()
    }

    /// The class whose method a function is.
    pub(crate) fn class_of(&self, f: FnId) -> Option<ClassId> {
        let class = self.p.function(f).class?;
        Some(self.p.class_id(self.p.unit_of(f), class))
    }

    /// What a framework calls a method with, by annotations and types.
    pub(crate) fn annotated_args(&mut self, entry: &Entry) -> Args {
        let mut args = Args::default();
        let p = self.p;
        let f = entry.function;
        for (i, param) in p.function(f).params.iter().enumerate() {
            if param.kind == ParamKind::Receiver {
                continue;
            }
            let annotation = self.w.annotations.get(&(f, i as u32)).copied();
            let (type_, notes) = match annotation {
                Some(annotation) => self.type_and_notes(annotation),
                None => (self.w.store.unknown(), Vec::new()),
            };
            let mut got = None;
            for note in notes {
                if let Some((id, said)) = self.note_parts(note) {
                    got = got.or(self.by_annotation(f, id, &said, param.name, type_, entry));
                }
            }
            let v = match got {
                Some(v) => v,
                None => self.unannotated(f, param.name, type_, entry),
            };
            args.pos.push((v, None));
        }
        args
    }

    fn by_annotation(
        &mut self,
        f: FnId,
        id: MemberId,
        said: &Args,
        own_name: Name,
        type_: V,
        entry: &Entry,
    ) -> Option<V> {
        let models = self.m;
        let member = models.get(id);
        let source = member.sources.first()?;
        let (mut name, mut shape) = (own_name, InputShape::Whole);
        let mut carrier = source.kind.carrier();
        if carrier == Carrier::Form {
            // What a form sends comes in the query where no body does.
            if entry.methods.iter().any(|method| method == "GET") {
                carrier = Carrier::Query;
            }
            // Each field of an object is an input of its own name.
            if matches!(self.w.store.only(type_), Some(Atom::Class { .. })) {
                (name, shape) = (self.w.store.empty, InputShape::Map);
            }
        }
        match &source.shape {
            SourceShape::Named { .. } if shape == InputShape::Map => {}
            SourceShape::Named { name: port } => {
                let ports = Ports {
                    receiver: None,
                    args: said,
                };
                let text = self.port_plain(port, &ports);
                if let Some(text) = text.and_then(|v| self.w.store.constant_str(v)) {
                    name = text;
                }
            }
            SourceShape::Mapping { .. } | SourceShape::Trees { .. } | SourceShape::Fields => {
                shape = InputShape::Map;
            }
            SourceShape::Tree => {
                name = self.w.store.empty;
                shape = InputShape::Tree;
            }
            SourceShape::Text { input } => name = self.name(input),
            SourceShape::OfReceiver => {}
        }
        let site = Site {
            function: f,
            inst: u32::MAX,
        };
        let input = self.w.store.input_id(InputKey {
            carrier,
            name,
            inner: Vec::new(),
            shape,
        });
        let mut label = Label::new(Origin::Input(input));
        let what = self.name(&member.path);
        label.trace = self.w.store.hop(Hop {
            parent: label.trace,
            kind: TraceKind::Source,
            site,
            what,
        });
        let set = self.w.store.single(label);
        let data = self.w.store.data(set);
        Some(self.seen_as_type(data, type_))
    }

    /// Text of a request as a value of this type: numbers harm nobody, objects are filled with it.
    fn seen_as_type(&mut self, data: V, type_: V) -> V {
        match self.w.store.only(type_).cloned() {
            Some(Atom::Class { class, .. }) => {
                let form = self.name("<form>");
                self.w.store.one(Atom::Object {
                    class,
                    attrs: Box::new([(form, data)]),
                    open: Open::Yes,
                })
            }
            Some(Atom::Lib(path)) => {
                let text = self.text(path);
                let last = text.rsplit('.').next().unwrap_or_default();
                if super::native::is_number(last) {
                    self.w.store.unknown()
                } else if is_file(&text) {
                    let kind = solvent_models::TypeRef::Named {
                        path: text.to_string(),
                        element: None,
                    };
                    self.typed(data, &kind)
                } else if matches!(last, "List" | "Set" | "Collection" | "ArrayList") {
                    self.w.store.many(crate::value::CollKind::List, data)
                } else {
                    data
                }
            }
            _ => data,
        }
    }

    fn unannotated(&mut self, f: FnId, name: Name, type_: V, entry: &Entry) -> V {
        if let Some(Atom::Lib(path)) = self.w.store.only(type_) {
            let text = self.text(*path);
            let canonical = self.m.canonical(&text).into_owned();
            let plain = canonical.starts_with("java.lang.") || canonical.starts_with("java.util.");
            if !plain && !is_file(&canonical) {
                let kind = solvent_models::TypeRef::Named {
                    path: canonical,
                    element: None,
                };
                return self.typed(V::NEVER, &kind);
            }
        }
        let path = self.name(match entry.framework.as_str() {
            "jax-rs" => UNSAID_OF_RESOURCES,
            _ => UNSAID,
        });
        let got = self
            .path_member(path)
            .and_then(|id| self.by_annotation(f, id, &Args::default(), name, type_, entry));
        got.unwrap_or_else(|| self.w.store.unknown())
    }
}
