//! Handlers whose parameters a framework fills by what is written for them: names, annotations, defaults.

use solvent_base::Name;
use solvent_finding::Carrier;
use solvent_ir::{Const, ParamKind};
use solvent_models::{EntryShape, Filling, SourceShape, TypeRef};

use crate::call::Args;
use crate::entry::Entry;
use crate::label::{Hop, InputKey, InputShape, Label, Link, Note, Origin, TraceKind};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::make::written_field;
use crate::value::{Atom, CollKind, EnvId, Open, V};
use crate::world::Base;

/// Longest chain of functions that are called for each other's parameters.
const MAX_CHAIN: u32 = 6;
/// Deepest nesting of objects made from a body.
const MAX_NESTING: u32 = 3;

/// What a written type with brackets is to the value that gets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `Annotated[T, note, ..]`
    Annotated,
    /// `Optional[T]`, `Union[A, B]`, `A | B`
    Either,
    /// `list[T]`
    Sequence,
    /// `Literal["a", "b"]`: one of a few.
    Choice,
}

impl Form {
    const ALL: [Self; 4] = [Self::Annotated, Self::Either, Self::Sequence, Self::Choice];

    /// The class under which the form is kept as a value.
    fn class(self) -> &'static str {
        match self {
            Self::Annotated => "<annotated>",
            Self::Either => "<either>",
            Self::Sequence => "<sequence>",
            Self::Choice => "<choice>",
        }
    }
}

/// The form that a library's name makes when it is given types in brackets.
pub(crate) fn written_form(path: &str) -> Option<Form> {
    let name = match path {
        "builtins.list" | "builtins.set" | "builtins.frozenset" | "builtins.tuple" => {
            return Some(Form::Sequence);
        }
        _ => path
            .strip_prefix("typing.")
            .or_else(|| path.strip_prefix("typing_extensions."))
            .or_else(|| path.strip_prefix("collections.abc."))?,
    };
    match name {
        "Annotated" => Some(Form::Annotated),
        "Optional" | "Union" => Some(Form::Either),
        "List" | "Sequence" | "Set" | "FrozenSet" | "Tuple" | "Iterable" => Some(Form::Sequence),
        "Literal" => Some(Form::Choice),
        _ => None,
    }
}

/// Library types that a framework has checked when a value of them arrives.
fn is_checked(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    match path.split('.').next() {
        Some("builtins") => matches!(last, "int" | "float" | "bool" | "complex"),
        Some("datetime" | "decimal" | "uuid" | "ipaddress" | "fractions" | "enum") => true,
        Some("pydantic") => {
            let number = last.ends_with("Int") || last.ends_with("Float");
            let other = matches!(
                last,
                "conint"
                    | "confloat"
                    | "condecimal"
                    | "UUID1"
                    | "UUID3"
                    | "UUID4"
                    | "UUID5"
                    | "PastDate"
                    | "FutureDate"
                    | "AwareDatetime"
                    | "NaiveDatetime"
                    | "StrictBool"
                    | "IPvAnyAddress"
                    | "ByteSize"
                    | "Json"
            );
            number || (other && last != "Json")
        }
        _ => false,
    }
}

/// Library types of mappings and of anything at all.
fn is_container(path: &str) -> bool {
    matches!(
        path,
        "builtins.dict"
            | "builtins.list"
            | "builtins.set"
            | "builtins.tuple"
            | "typing.Dict"
            | "typing.List"
            | "typing.Mapping"
            | "typing.Any"
            | "collections.abc.Mapping"
    )
}

/// Whether a function's name says that it finds out who is there.
fn identifies(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "login",
        "logged",
        "jwt",
        "guard",
        "protect",
        "auth",
        "admin",
        "permission",
        "current_user",
        "verify_token",
        "require_",
    ];
    let name = name.to_lowercase();
    // Who writes is not who is there, and what is optional lets everybody pass.
    let name = match name.contains("authori") {
        true => name,
        false => name.replace("author", ""),
    };
    !name.contains("optional") && WORDS.iter().any(|word| name.contains(word))
}

impl Machine<'_> {
    /// A written type with brackets as a value.
    pub(crate) fn form(&mut self, form: Form, key: V) -> V {
        let data = match form {
            Form::Either => {
                let all = self.exact_items(key).unwrap_or_else(|| vec![key]);
                self.without_none(all)
            }
            _ => key,
        };
        let class = self.name(form.class());
        self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::default(),
            data,
        })
    }

    fn without_none(&mut self, all: Vec<V>) -> V {
        let mut out = V::NEVER;
        for v in all {
            if self.w.store.constant(v) != Some(&Const::None) {
                out = self.w.store.join(out, v);
            }
        }
        out
    }

    /// `A | B` of types.
    pub(crate) fn either_type(&mut self, left: V, right: V) -> Option<V> {
        let is_type = |m: &Self, v: V| {
            m.w.store.atoms(v).all(|a| match a {
                Atom::Class { .. } | Atom::Lib(_) | Atom::Const(Const::None) => true,
                Atom::LibObject { class, .. } => m.form_of(*class).is_some(),
                _ => false,
            })
        };
        if !is_type(self, left) || !is_type(self, right) {
            return None;
        }
        let data = self.without_none(vec![left, right]);
        Some(self.form(Form::Either, data))
    }

    fn form_of(&self, class: Name) -> Option<Form> {
        let text = self.text(class);
        Form::ALL.into_iter().find(|form| form.class() == &*text)
    }

    /// The types in an annotation and the notes beside them.
    pub(crate) fn written(&mut self, annotation: V) -> (V, Vec<V>) {
        let (mut types, mut notes) = (V::NEVER, Vec::new());
        for atom in self.w.store.atoms_of(annotation) {
            let form = match &atom {
                Atom::LibObject { class, data, .. } => self.form_of(*class).map(|f| (f, *data)),
                _ => None,
            };
            let one = match form {
                Some((Form::Annotated, data)) => {
                    let mut items = self.exact_items(data).unwrap_or_default();
                    if items.is_empty() {
                        data
                    } else {
                        let type_ = items.remove(0);
                        notes.extend(items);
                        let (type_, more) = self.written(type_);
                        notes.extend(more);
                        type_
                    }
                }
                Some((Form::Either, data)) => {
                    let (type_, more) = self.written(data);
                    notes.extend(more);
                    type_
                }
                _ => self.w.store.one(atom),
            };
            types = self.w.store.join(types, one);
        }
        (types, notes)
    }

    /// The handler of an entry point, with what the framework calls it with.
    pub(crate) fn filled_entry(
        &mut self,
        frame: &mut Frame,
        entry: &Entry,
        filling: &Filling,
    ) -> Args {
        let handed = self.handler_args(entry);
        let given: Vec<(Name, V)> = handed.named.into_iter().map(|(n, v, _)| (n, v)).collect();
        let is_method = |a: &Atom| matches!(a, Atom::Method { .. });
        let bound = self.w.store.atoms(entry.value).any(is_method);
        // What a resolver is about stands first, whether or not it is bound.
        let resolves = self.is_behind_queries(entry);
        let first = bound || (resolves && entry.class.is_some());
        let mut args = self.filled_args(frame, entry.function, first, &given, filling, 0);
        for ((_, v, _), (handed, _)) in args.named.iter_mut().zip(handed.pos) {
            *v = handed;
        }
        if resolves {
            self.checked_by_schema(entry, &mut args);
            // `**kwargs` gets what is not named.
            let rest = |p: &solvent_ir::Param| p.kind == ParamKind::KeywordRest;
            if self.p.function(entry.function).params.iter().any(rest) {
                let all = self.name("");
                let f = entry.function;
                let v = self.arriving(f, filling.body.carrier(), all, InputShape::Tree);
                self.spread_keywords(&mut args, v);
            }
        }
        args
    }

    /// Parameters of a function with the types and the notes that are written for each.
    fn written_params(&mut self, f: FnId, bound: bool) -> Vec<(Name, V, Vec<V>)> {
        let p = self.p;
        let mut out = Vec::new();
        for (i, param) in p.function(f).params.iter().enumerate() {
            let own = bound && i == 0;
            let collects = matches!(
                param.kind,
                ParamKind::Rest | ParamKind::KeywordRest | ParamKind::Receiver
            );
            if own || collects {
                continue;
            }
            let annotation = self.w.annotations.get(&(f, i as u32)).copied();
            let (type_, mut notes) = match annotation {
                Some(annotation) => self.written(annotation),
                None => (V::NEVER, Vec::new()),
            };
            let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
            if let Some(default) = self.default_of(f, i as u32, env) {
                notes.push(default);
            }
            out.push((param.name, type_, notes));
        }
        out
    }

    fn filled_args(
        &mut self,
        frame: &mut Frame,
        f: FnId,
        bound: bool,
        given: &[(Name, V)],
        filling: &Filling,
        depth: u32,
    ) -> Args {
        let mut args = Args::default();
        if depth > MAX_CHAIN {
            return args;
        }
        let params = self.written_params(f, bound);
        let bodies = params
            .iter()
            .filter(|(name, type_, _)| {
                given.iter().all(|(n, _)| n != name) && self.is_body(*type_, filling)
            })
            .count();
        for (name, type_, notes) in params {
            let mut got = None;
            for note in notes {
                if got.is_none() {
                    got = self.by_note(frame, f, note, name, type_, given, filling, depth);
                }
            }
            let v = match got {
                Some(v) => v,
                None => match given.iter().find(|(n, _)| *n == name) {
                    Some((_, v)) => self.shaped(*v, type_, f, filling, 0),
                    None => self.by_type(f, name, type_, bodies, filling),
                },
            };
            args.named.push((name, v, None));
        }
        args
    }

    /// What a note beside a parameter says that it gets.
    #[expect(clippy::too_many_arguments, reason = "the parts of a parameter")]
    fn by_note(
        &mut self,
        frame: &mut Frame,
        f: FnId,
        note: V,
        own_name: Name,
        type_: V,
        given: &[(Name, V)],
        filling: &Filling,
        depth: u32,
    ) -> Option<V> {
        let (id, said) = self.note_parts(note)?;
        let models = self.m;
        let member = models.get(id);
        let row = member
            .entry_points
            .iter()
            .find(|row| row.shape == EntryShape::Parameter)?;
        let ports = Ports {
            receiver: None,
            args: &said,
        };
        if let Some(port) = &row.handler {
            let target = self.port_plain(port, &ports).unwrap_or(type_);
            let v = self.depended(frame, target, given, filling, depth + 1);
            // What is not known of the result is written beside it.
            let written = match self.w.store.only(type_) {
                Some(Atom::Class { class, .. }) => Some(self.open_object(*class)),
                Some(Atom::Lib(path)) if self.m.is_class(&self.text(*path)) => {
                    let path = self.text(*path).to_string();
                    let kind = TypeRef::Named {
                        path,
                        element: None,
                    };
                    Some(self.typed(V::NEVER, &kind))
                }
                _ => None,
            };
            let unknown = v == self.w.store.unknown();
            return Some(written.filter(|_| unknown).unwrap_or(v));
        }
        let source = member.sources.first()?;
        let carrier = source.kind.carrier();
        if carrier == Carrier::PathSegment
            && let Some((_, v)) = given.iter().find(|(n, _)| *n == own_name)
        {
            return Some(self.shaped(*v, type_, f, filling, 0));
        }
        let mut name = own_name;
        if carrier == Carrier::Header {
            name = self.name(&self.text(own_name).replace('_', "-"));
        }
        let mut shape = InputShape::Whole;
        match &source.shape {
            SourceShape::Named { name: port } => {
                let text = self.port_plain(port, &ports);
                if let Some(text) = text.and_then(|v| self.w.store.constant_str(v)) {
                    name = text;
                }
            }
            SourceShape::Mapping { .. } | SourceShape::Fields => shape = InputShape::Map,
            SourceShape::Tree | SourceShape::Trees { .. } => {
                shape = InputShape::Tree;
                if self.is_object(type_, filling) {
                    name = self.w.store.empty;
                }
            }
            SourceShape::Text { input } => name = self.name(input),
            SourceShape::OfReceiver => {}
        }
        let v = self.arriving(f, carrier, name, shape);
        Some(self.shaped(v, type_, f, filling, 0))
    }

    /// What a parameter gets that only its type speaks of.
    fn by_type(&mut self, f: FnId, name: Name, type_: V, bodies: usize, filling: &Filling) -> V {
        if let Some(Atom::Lib(path)) = self.w.store.only(type_) {
            let text = self.text(*path);
            let path = self.m.canonical(&text).into_owned();
            if filling.files.contains(&path) {
                let data = self.arriving(f, Carrier::FileContent, name, InputShape::Whole);
                let kind = TypeRef::Named {
                    path,
                    element: None,
                };
                return self.typed(data, &kind);
            }
            if self.m.is_class(&path) && !path.starts_with("builtins.") && !is_checked(&path) {
                let kind = TypeRef::Named {
                    path,
                    element: None,
                };
                return self.typed(V::NEVER, &kind);
            }
        }
        if self.is_body(type_, filling) {
            // The only object is the whole body.
            let name = if bodies == 1 {
                self.w.store.empty
            } else {
                name
            };
            let v = self.arriving(f, filling.body.carrier(), name, InputShape::Tree);
            return self.shaped(v, type_, f, filling, 0);
        }
        if let Some(Atom::Class { class, .. }) = self.w.store.only(type_)
            && !self.is_choice(*class)
        {
            let class = *class;
            return self.open_object(class);
        }
        // Of a body, what nothing is written for may be an object.
        let shape = match filling.plain.carrier() {
            Carrier::Json if type_ == V::NEVER => InputShape::Tree,
            _ => InputShape::Whole,
        };
        let v = self.arriving(f, filling.plain.carrier(), name, shape);
        self.shaped(v, type_, f, filling, 0)
    }

    /// An input, as it comes into a function.
    pub(crate) fn arriving(
        &mut self,
        f: FnId,
        carrier: Carrier,
        name: Name,
        shape: InputShape,
    ) -> V {
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
        let what = format!("parameter {}", self.text(name));
        let what = self.name(what.trim_end());
        label.trace = self.w.store.hop(Hop {
            parent: label.trace,
            kind: TraceKind::Source,
            site,
            what,
        });
        let set = self.w.store.single(label);
        self.w.store.data(set)
    }

    fn derives_from(&self, class: ClassId, bases: &[String]) -> bool {
        self.lib_bases(class).iter().any(|base| {
            let base = self.text(*base);
            bases.iter().any(|wanted| self.m.derives(&base, wanted))
        })
    }

    /// An enumeration: a value that is one of its own.
    fn is_choice(&self, class: ClassId) -> bool {
        self.lib_bases(class)
            .iter()
            .any(|base| self.text(*base).starts_with("enum."))
    }

    /// Whether fields are made from the body for this type.
    fn is_object(&self, type_: V, filling: &Filling) -> bool {
        self.w.store.atoms(type_).any(|a| {
            matches!(a, Atom::Class { class, .. } if self.derives_from(*class, &filling.models))
        })
    }

    fn is_body(&self, type_: V, filling: &Filling) -> bool {
        self.is_object(type_, filling)
            || self.w.store.atoms(type_).any(|a| match a {
                Atom::Lib(path) => is_container(&self.text(*path)),
                Atom::LibObject { class, .. } => self.form_of(*class) == Some(Form::Sequence),
                _ => false,
            })
    }

    /// Whether nothing of these types harms anybody once the framework has checked it.
    fn all_checked(&self, type_: V) -> bool {
        type_ != V::NEVER
            && self.w.store.atoms(type_).all(|a| match a {
                Atom::Lib(path) => {
                    let text = self.text(*path);
                    is_checked(&self.m.canonical(&text))
                }
                Atom::Class { class, .. } => self.is_choice(*class),
                Atom::LibObject { class, data, .. } => match self.form_of(*class) {
                    Some(Form::Choice) => true,
                    Some(Form::Sequence) => self.all_checked(*data),
                    // `conint(gt=0)`
                    Some(_) => false,
                    None => is_checked(self.text(*class).trim_end_matches("()")),
                },
                _ => false,
            })
    }

    /// Request data as a value of this type.
    fn shaped(&mut self, v: V, type_: V, f: FnId, filling: &Filling, depth: u32) -> V {
        if type_ == V::NEVER {
            return v;
        }
        if self.all_checked(type_) {
            let site = Site {
                function: f,
                inst: u32::MAX,
            };
            let by = self.name("its written type");
            let kinds = self.m.kinds().0 & !self.m.of_numbers().0;
            return self
                .w
                .store
                .clear(v, kinds, Note::Sanitized { site, by, kinds });
        }
        let (type_, _) = self.written(type_);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(type_) {
            let one = match atom {
                Atom::Class { class, .. }
                    if depth < MAX_NESTING && self.derives_from(class, &filling.models) =>
                {
                    self.object_from(class, v, f, filling, depth)
                }
                Atom::LibObject { class, data, .. }
                    if self.form_of(class) == Some(Form::Sequence) =>
                {
                    let element = match self.exact_items(data) {
                        Some(types) => self.without_none(types),
                        None => data,
                    };
                    let inner = self.derive(v, &Link::Value);
                    let inner = self.shaped(inner, element, f, filling, depth + 1);
                    self.w.store.many(CollKind::List, inner)
                }
                Atom::Lib(path) => {
                    let path = self.m.canonical(&self.text(path)).into_owned();
                    if filling.files.contains(&path) {
                        let kind = TypeRef::Named {
                            path,
                            element: None,
                        };
                        self.typed(v, &kind)
                    } else {
                        v
                    }
                }
                _ => v,
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// An instance whose fields come out of request data.
    fn object_from(&mut self, class: ClassId, v: V, f: FnId, filling: &Filling, depth: u32) -> V {
        let mut attrs: Vec<(Name, V)> = Vec::new();
        for (field, type_) in self.fields_of(class) {
            if attrs.iter().all(|(n, _)| *n != field) {
                let inner = self.derive(v, &Link::Key(field));
                let inner = self.shaped(inner, type_, f, filling, depth + 1);
                attrs.push((field, inner));
            }
        }
        self.w.store.one(Atom::Object {
            class,
            attrs: attrs.into(),
            open: Open::Yes,
        })
    }

    /// Fields with the types that are written for them, bases' too.
    fn fields_of(&mut self, class: ClassId) -> Vec<(Name, V)> {
        let p = self.p;
        let mut out = Vec::new();
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            let body = p.function(p.fn_id(p.class_unit(c), p.class(c).body));
            for inst in &body.insts {
                let solvent_ir::Op::StoreName { name, .. } = &inst.op else {
                    continue;
                };
                let text = self.text(*name).to_string();
                let Some(field) = written_field(&text) else {
                    continue;
                };
                let field = self.name(field);
                let type_ = self.class_attr(c, EnvId::EMPTY, *name);
                let type_ = type_.map_or(V::NEVER, |t| self.written(t).0);
                out.push((field, type_));
            }
        }
        out
    }

    /// The result of what a parameter depends on.
    pub(crate) fn depended(
        &mut self,
        frame: &mut Frame,
        target: V,
        given: &[(Name, V)],
        filling: &Filling,
        depth: u32,
    ) -> V {
        let mut out = V::NEVER;
        if depth > MAX_CHAIN {
            return self.w.store.unknown();
        }
        for atom in self.w.store.atoms_of(target) {
            let callee = self.w.store.one(atom.clone());
            let code = self.code_of(&atom, callee);
            let args = match code {
                Some((f, bound)) => self.filled_args(frame, f, bound, given, filling, depth),
                None => Args::default(),
            };
            let got = match &atom {
                // A check that a library makes gives what it looked at.
                Atom::Lib(path) => match self.path_member(*path).map(|id| self.m.get(id)) {
                    Some(member) if member.requires_login => {
                        let site = self.site(frame, u32::MAX);
                        self.source_value(member, None, &args, site)
                    }
                    _ => self
                        .call_value(frame, u32::MAX, callee, &args)
                        .ret
                        .unwrap_or(V::NEVER),
                },
                _ => self
                    .call_value(frame, u32::MAX, callee, &args)
                    .ret
                    .unwrap_or(V::NEVER),
            };
            let yields = code.is_some_and(|(f, _)| self.p.function(f).is_generator);
            let got = if yields {
                self.element(frame, u32::MAX, got)
            } else {
                got
            };
            out = self.w.store.join(out, got);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    /// The function that is run when this value is called, and whether its first parameter is taken.
    fn code_of(&mut self, atom: &Atom, value: V) -> Option<(FnId, bool)> {
        let method = match atom {
            Atom::Fn { function, .. } => return Some((*function, false)),
            Atom::Method { function, .. } => return Some((*function, true)),
            Atom::Class { class, .. } => {
                let object = self.open_object(*class);
                self.method_of(*class, self.n.init, object)?
            }
            Atom::Object { class, .. } => self.method_of(*class, self.n.call, value)?,
            _ => return None,
        };
        self.w.store.atoms(method).find_map(|a| match a {
            Atom::Method { function, .. } => Some((*function, true)),
            Atom::Fn { function, .. } => Some((*function, false)),
            _ => None,
        })
    }

    /// Checks of identity among what a function's parameters depend on.
    pub(crate) fn asked_by_params(&mut self, f: FnId, bound: bool, depth: u32) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        if depth > MAX_CHAIN {
            return out;
        }
        for (_, type_, notes) in self.written_params(f, bound) {
            for note in notes {
                for name in self.asked_by_note(note, type_, depth) {
                    if !out.contains(&name) {
                        out.push(name);
                    }
                }
            }
        }
        out
    }

    /// The same of one note: `Depends(get_current_user)`.
    pub(crate) fn asked_by_note(&mut self, note: V, type_: V, depth: u32) -> Vec<String> {
        let Some(target) = self.note_target(note, type_) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(target) {
            let value = self.w.store.one(atom.clone());
            let name = match &atom {
                Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                    self.p.function(*function).name
                }
                Atom::Class { class, .. } | Atom::Object { class, .. } => self.p.class(*class).name,
                Atom::Lib(path) | Atom::LibObject { class: path, .. } => *path,
                _ => continue,
            };
            let text = self.text(name).to_string();
            let last = text.rsplit('.').next().unwrap_or_default().to_owned();
            let asks = match &atom {
                Atom::Lib(path) | Atom::LibObject { class: path, .. } => {
                    let path = *path;
                    let id = self.path_member(path);
                    id.is_some_and(|id| self.m.get(id).requires_login)
                }
                _ => identifies(&last),
            };
            if asks {
                out.push(last);
            } else if let Some((f, bound)) = self.code_of(&atom, value) {
                out.extend(self.asked_by_params(f, bound, depth + 1));
            }
        }
        out
    }

    /// What a note says that is called: `f` of `Depends(f)`.
    pub(crate) fn note_target(&mut self, note: V, type_: V) -> Option<V> {
        let (id, said) = self.note_parts(note)?;
        let models = self.m;
        let row = models
            .get(id)
            .entry_points
            .iter()
            .find(|row| row.shape == EntryShape::Parameter)?;
        let port = row.handler.as_ref()?;
        let ports = Ports {
            receiver: None,
            args: &said,
        };
        Some(self.port_plain(port, &ports).unwrap_or(type_))
    }

    /// How the framework of a note fills parameters.
    pub(crate) fn note_filling(&mut self, note: V) -> Option<Filling> {
        let (id, _) = self.note_parts(note)?;
        let rows = &self.m.get(id).entry_points;
        rows.iter().find_map(|row| row.filling.clone())
    }

    /// A function that is run when one of these values is called.
    pub(crate) fn code_in(&mut self, target: V) -> Option<FnId> {
        let atoms = self.w.store.atoms_of(target);
        atoms.into_iter().find_map(|atom| {
            let value = self.w.store.one(atom.clone());
            self.code_of(&atom, value).map(|(f, _)| f)
        })
    }

    /// Notes in a list: `dependencies=[Depends(f)]`.
    pub(crate) fn notes_in(&self, v: V) -> Vec<V> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            if let Atom::Coll { kids, rest, .. } = atom {
                out.extend(kids.iter().map(|(_, v)| *v));
                if *rest != V::NEVER {
                    out.push(*rest);
                }
            }
        }
        out
    }
}
