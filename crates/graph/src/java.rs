//! Where Java means something else than Python by the same instruction: fields and methods of one name, overloads,
//! functional interfaces, classes of other files.
//!
//! Lists, sets and maps are containers that positions and keys are known of; texts under construction, optional
//! values, iterators and threads are objects that hold what they were given: [`Machine::method_java`].

mod collection;
mod entry;
mod mapped;
mod method;
mod native;
pub(crate) mod note;
mod text;

use solvent_base::Name;
use solvent_ir::{Const, FunctionKind, Language, ParamKind};

use crate::call::{Args, Out};
use crate::link::{ClassId, FnId, Site, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, EnvId, V};
use crate::world::{Base, Place};

/// Classes of texts and of anything, which say nothing of a value's make-up.
pub(crate) fn is_text_class(path: &str) -> bool {
    matches!(
        path,
        "java.lang.String" | "java.lang.CharSequence" | "java.lang.Object" | "<number>"
    )
}

/// Most classes below an interface whose methods a call is taken to mean.
const MAX_BELOW: usize = 6;

impl Machine<'_> {
    pub(crate) fn is_java(&self) -> bool {
        self.p.language == Language::Java
    }

    /// Whether `+` makes text of whatever stands beside text.
    pub(crate) fn adds_as_text(&self) -> bool {
        self.is_javascript() || self.is_java()
    }

    // Names.

    pub(crate) fn import_java(&mut self, unit: UnitId, module: &str, member: Option<Name>) -> V {
        match (module, member) {
            ("<java>", Some(member)) => self.w.store.lib(member),
            ("<type>", Some(member)) => {
                let simple = self.text(member);
                self.simple_class(unit, &simple)
            }
            _ => self.class_by_path(module),
        }
    }

    fn class_by_path(&mut self, path: &str) -> V {
        let mut head = path;
        let mut rest: Vec<&str> = Vec::new();
        loop {
            if let Some(v) = self.own_class(head) {
                let mut v = v;
                for part in rest.iter().rev() {
                    let name = self.name(part);
                    v = self.nested_class(v, name);
                }
                return v;
            }
            let Some((before, last)) = head.rsplit_once('.') else {
                break;
            };
            head = before;
            rest.push(last);
        }
        self.library_class(path)
    }

    fn nested_class(&mut self, v: V, name: Name) -> V {
        let class = self.w.store.atoms(v).find_map(|a| match a {
            Atom::Class { class, env } => Some((*class, *env)),
            _ => None,
        });
        class
            .and_then(|(class, env)| self.class_attr(class, env, name))
            .unwrap_or_else(|| self.w.store.unknown())
    }

    /// A class at the top of a file of the program.
    fn own_class(&mut self, path: &str) -> Option<V> {
        let unit = self.p.class_file(path)?;
        self.ensure_module(unit);
        let name = self.name(path.rsplit('.').next().unwrap_or_default());
        self.w.read(Place::Global(unit, name))
    }

    /// A class by its simple name: of the same package, of the packages imported as a whole, of `java.lang`.
    fn simple_class(&mut self, unit: UnitId, simple: &str) -> V {
        let module = self.text(self.p.unit(unit).module);
        let package = module.rsplit_once('.').map_or("", |(package, _)| package);
        let own = if package.is_empty() {
            simple.to_owned()
        } else {
            format!("{package}.{simple}")
        };
        if let Some(v) = self.own_class(&own) {
            return v;
        }
        let star = self.name("*");
        let wholes: Vec<String> = match self.w.read(Place::Global(unit, star)) {
            Some(v) => self
                .w
                .store
                .atoms(v)
                .filter_map(|a| match a {
                    Atom::Lib(path) => Some(self.text(*path).to_string()),
                    _ => None,
                })
                .collect(),
            None => Vec::new(),
        };
        for whole in &wholes {
            if let Some(v) = self.own_class(&format!("{whole}.{simple}")) {
                return v;
            }
        }
        let mut candidates: Vec<String> = wholes
            .iter()
            .map(|whole| format!("{whole}.{simple}"))
            .collect();
        candidates.sort();
        candidates.insert(0, format!("java.lang.{simple}"));
        let known = candidates
            .iter()
            .find(|path| self.m.member_id(path).is_some() || native::is_known_class(path));
        let path = match (known, &candidates[..]) {
            (Some(path), _) => path.clone(),
            (None, [_, only]) => only.clone(),
            (None, _) => candidates[0].clone(),
        };
        self.library_class(&path)
    }

    /// A class of a library; what the models say of its objects is not said of it.
    fn library_class(&mut self, path: &str) -> V {
        let canonical = self.m.canonical(path).into_owned();
        let path = self.name(&canonical);
        self.w.store.lib(path)
    }

    /// Classes speak of each other in any order: what was not there yet when a file was run first is now.
    pub(crate) fn load_again(&mut self) {
        self.forget();
        for unit in 0..self.p.units.len() {
            let body = self.p.body(UnitId(unit as u32));
            let (id, _) = self.summarize(body, EnvId::EMPTY, Vec::new());
            self.apply_effects_at_root(id);
        }
        self.forget();
    }

    // Members.

    fn is_method(&self, f: FnId) -> bool {
        let function = self.p.function(f);
        function.kind == FunctionKind::Def && function.class.is_some()
    }

    /// Whether a call with this many arguments may mean the function.
    pub(crate) fn accepts(&self, f: FnId, count: usize) -> bool {
        let mut least = 0;
        let mut any = false;
        for param in &self.p.function(f).params {
            match param.kind {
                ParamKind::Ordinary | ParamKind::PositionalOnly => least += 1,
                ParamKind::Rest => any = true,
                _ => {}
            }
        }
        count == least || (any && count >= least)
    }

    /// Methods of this name in the class or the nearest one above it that has a fitting one.
    fn methods_java(&mut self, class: ClassId, name: Name, count: Option<usize>) -> Vec<Atom> {
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            let Some(v) = self.w.read(Place::ClassAttr(c, name)) else {
                continue;
            };
            let mut found: Vec<Atom> = self
                .w
                .store
                .atoms_of(v)
                .into_iter()
                .filter(|a| matches!(a, Atom::Fn { function, .. } if self.is_method(*function)))
                .collect();
            if let Some(count) = count {
                found.retain(
                    |a| matches!(a, Atom::Fn { function, .. } if self.accepts(*function, count)),
                );
            }
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// Classes of the program that extend or implement this one.
    fn below(&self, class: ClassId) -> Vec<ClassId> {
        (0..self.p.class_count())
            .map(ClassId)
            .filter(|c| *c != class && self.order_of(*c).contains(&Base::Own(class)))
            .take(MAX_BELOW)
            .collect()
    }

    /// Bound methods of an object.
    pub(crate) fn bound_methods(
        &mut self,
        receiver: &Atom,
        class: ClassId,
        name: Name,
        count: Option<usize>,
    ) -> V {
        let object = self.w.store.one(receiver.clone());
        let mut found: Vec<(Atom, V)> = Vec::new();
        for atom in self.methods_java(class, name, count) {
            found.push((atom, object));
        }
        if found.is_empty() {
            // Abstract here: what implements it.
            for below in self.below(class) {
                let object = self.open_object(below);
                for atom in self.methods_java(below, name, count) {
                    if !found.iter().any(|(a, _)| *a == atom) {
                        found.push((atom, object));
                    }
                }
            }
        }
        if found.is_empty() {
            // A statement in a file.
            let mapped = self.text(name).to_string();
            let mapped = self.name(&format!("<mapped>{mapped}"));
            for atom in self.methods_java(class, mapped, count) {
                found.push((atom, object));
            }
        }
        let mut out = V::NEVER;
        for (atom, object) in found {
            let one = self.bind_attr_of(atom, object, class);
            out = self.w.store.join(out, one);
        }
        out
    }

    fn bind_attr_of(&mut self, atom: Atom, object: V, class: ClassId) -> V {
        let Atom::Fn { function, .. } = atom else {
            return self.w.store.one(atom);
        };
        let raw = self.w.store.one(atom);
        if self.takes_receiver(function) {
            self.bind_attr(raw, object, class)
        } else {
            raw
        }
    }

    /// What is called by `base.name(..)`.
    pub(crate) fn callee_java(
        &mut self,
        frame: &mut Frame,
        base: V,
        name: Name,
        site: Site,
        count: usize,
    ) -> V {
        if base == V::NEVER {
            return self.w.store.unknown();
        }
        let atoms = self.w.store.atoms_of(base);
        let several = atoms.len() > 1;
        let mut out = V::NEVER;
        for atom in atoms {
            if several && matches!(atom, Atom::Const(Const::None)) {
                continue;
            }
            let one = match &atom {
                Atom::Object { class, .. } => self.bound_methods(&atom, *class, name, Some(count)),
                Atom::Class { class, .. } => {
                    let mut all = V::NEVER;
                    for found in self.methods_java(*class, name, Some(count)) {
                        let one = self.w.store.one(found);
                        all = self.w.store.join(all, one);
                    }
                    // `new Outer.Inner(..)` calls a class that is an attribute.
                    let nested = self.static_field(*class, name);
                    match nested.filter(|_| all == V::NEVER) {
                        Some(v) => v,
                        None => all,
                    }
                }
                Atom::Lib(_) => self.attr_of(frame, atom.clone(), name, site),
                Atom::Super { class, receiver } => {
                    let (class, receiver) = (*class, *receiver);
                    let mut all = V::NEVER;
                    for base in self.order_of(class).iter().copied() {
                        let Base::Own(c) = base else { continue };
                        if c == class || all != V::NEVER {
                            continue;
                        }
                        for found in self.methods_java(c, name, Some(count)) {
                            let one = self.bind_attr_of(found, receiver, c);
                            all = self.w.store.join(all, one);
                        }
                    }
                    all
                }
                _ => V::NEVER,
            };
            let one = if one == V::NEVER {
                let receiver = self.w.store.one(atom);
                self.w.store.one(Atom::Member { receiver, name })
            } else {
                one
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    /// Of overloaded functions, those that these arguments fit: as many, and of classes that may be the same.
    pub(crate) fn fitting(&mut self, atoms: Vec<Atom>, args: &Args) -> Vec<Atom> {
        let function = |a: &Atom| match a {
            Atom::Fn { function, .. } | Atom::Method { function, .. } => Some(*function),
            _ => None,
        };
        if atoms.len() < 2 || args.spread.is_some() || !atoms.iter().all(|a| function(a).is_some())
        {
            return atoms;
        }
        let count = args.pos.len();
        let mut fit: Vec<Atom> = atoms
            .iter()
            .filter(|a| function(a).is_some_and(|f| self.accepts(f, count)))
            .cloned()
            .collect();
        let exact: Vec<Atom> = fit
            .iter()
            .filter(|a| function(a).is_some_and(|f| self.types_fit(f, args)))
            .cloned()
            .collect();
        if !exact.is_empty() {
            fit = exact;
        }
        if fit.is_empty() { atoms } else { fit }
    }

    fn types_fit(&self, f: FnId, args: &Args) -> bool {
        let params = &self.p.function(f).params;
        let first = params
            .iter()
            .position(|p| p.kind == ParamKind::Ordinary)
            .unwrap_or(0);
        args.pos.iter().enumerate().all(|(i, (v, _))| {
            let at = (f, (first + i) as u32);
            let Some(annotation) = self.w.annotations.get(&at).copied() else {
                return true;
            };
            let (type_, _) = self.type_and_notes(annotation);
            self.may_be(*v, type_)
        })
    }

    /// Whether a value may be an instance of a type, as far as both are known.
    fn may_be(&self, v: V, type_: V) -> bool {
        let Some(kind) = self.w.store.only(type_) else {
            return true;
        };
        if v == V::NEVER {
            return true;
        }
        self.w.store.atoms(v).any(|a| match (kind, a) {
            (Atom::Class { class, .. }, Atom::Object { class: of, .. }) => {
                self.order_of(*of).contains(&Base::Own(*class))
            }
            (Atom::Class { .. }, Atom::Const(c)) => *c == Const::None,
            (Atom::Class { .. }, Atom::Text(_) | Atom::Coll { .. }) => false,
            (Atom::Lib(path), a) => {
                let path = self.text(*path);
                let last = path.rsplit('.').next().unwrap_or_default();
                match (last, a) {
                    ("Object" | "T" | "E" | "K" | "V", _) => true,
                    ("String" | "CharSequence", Atom::Const(c)) => {
                        matches!(c, Const::Str(_) | Const::None)
                    }
                    (
                        "String",
                        Atom::Object { .. } | Atom::Coll { .. } | Atom::LibObject { .. },
                    ) => false,
                    (
                        "Integer" | "<number>" | "Long" | "Double" | "Boolean",
                        Atom::Const(Const::Str(_)) | Atom::Text(_) | Atom::Object { .. },
                    ) => false,
                    (
                        "List" | "Map" | "Set" | "Collection",
                        Atom::Const(_) | Atom::Text(_) | Atom::Object { .. },
                    ) => matches!(a, Atom::Const(Const::None)),
                    _ => true,
                }
            }
            _ => true,
        })
    }

    /// What is written for a parameter: its class, and its annotations.
    pub(crate) fn type_and_notes(&self, annotation: V) -> (V, Vec<V>) {
        if let Some(items) = self.exact_items(annotation)
            && let Some((first, rest)) = items.split_first()
        {
            return (*first, rest.to_vec());
        }
        (annotation, Vec::new())
    }

    /// A field that is read.
    pub(crate) fn property_java(
        &mut self,
        frame: &mut Frame,
        atom: &Atom,
        name: Name,
        site: Site,
    ) -> Option<V> {
        match atom {
            Atom::Coll { kids, rest, .. } if &*self.text(name) == "length" => {
                Some(if *rest == V::NEVER {
                    self.w.store.konst(Const::Int(kids.len() as i64))
                } else {
                    self.w.store.unknown()
                })
            }
            Atom::Object { class, attrs, .. } => {
                if attrs.iter().any(|(n, _)| *n == name) {
                    return None;
                }
                let receiver = self.w.store.one(atom.clone());
                if let Some(data) = self.data_of_form(receiver) {
                    // What is no number does not come to be one.
                    if self.is_number_field(*class, name) {
                        return Some(self.w.store.unknown());
                    }
                    return Some(self.derive(data, &crate::label::Link::Key(name)));
                }
                let unknown = self.w.store.unknown();
                let declared = self.static_field(*class, name).filter(|v| *v != unknown);
                let kept = self.field_of(*class, name);
                let v = match (declared, kept) {
                    (Some(a), Some(b)) => self.w.store.join(a, b),
                    (a, b) => a.or(b).unwrap_or(unknown),
                };
                Some(v)
            }
            Atom::Super { receiver, .. } => Some(self.attr(frame, *receiver, name, site)),
            Atom::Class { class, .. } => match self.static_field(*class, name) {
                Some(v) => Some(v),
                None => Some(self.w.store.unknown()),
            },
            Atom::Data(labels) if *labels != crate::value::Ls::NONE => {
                let v = self.w.store.one(atom.clone());
                Some(self.derive(v, &crate::label::Link::Value))
            }
            _ => None,
        }
    }

    /// A field of the class itself, or what is known of a field by its type.
    fn static_field(&mut self, class: ClassId, name: Name) -> Option<V> {
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            let Some(v) = self.w.read(Place::ClassAttr(c, name)) else {
                continue;
            };
            let v = self.shared(v);
            let mut out = V::NEVER;
            for atom in self.w.store.atoms_of(v) {
                if matches!(&atom, Atom::Fn { function, .. } if self.is_method(*function)) {
                    continue;
                }
                let one = self.w.store.one(atom);
                out = self.w.store.join(out, one);
            }
            if out != V::NEVER {
                return Some(out);
            }
        }
        None
    }

    /// Constants of enumerations are the same where their names are.
    pub(crate) fn same_constant(&self, a: &Atom, b: &Atom) -> Option<bool> {
        let own = self.name("<name>");
        let name_of = |atom: &Atom| match atom {
            Atom::Object { class, attrs, .. } => {
                let (_, v) = attrs.iter().find(|(n, _)| *n == own)?;
                Some((*class, self.w.store.constant_str(*v)?))
            }
            _ => None,
        };
        Some(name_of(a)? == name_of(b)?)
    }

    /// Calls an object as the function that its class's only method is.
    pub(crate) fn call_only_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        object: V,
        class: ClassId,
        args: &Args,
    ) -> Out {
        let mut methods: Vec<Name> = self
            .methods_in(class)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| !self.text(*name).starts_with('<'))
            .collect();
        methods.dedup();
        let atom = self.w.store.only(object).cloned();
        if let ([only], Some(atom)) = (&methods[..], atom) {
            let bound = self.bound_methods(&atom, class, *only, Some(args.pos.len()));
            if bound != V::NEVER {
                return self.call_value(frame, index, bound, args);
            }
        }
        self.unknown_call(frame, index, object, args, "an object")
    }

    /// Calls what stands for a function: `C::m` of a library, functions after each other.
    pub(crate) fn call_held(
        &mut self,
        frame: &mut Frame,
        index: u32,
        held: &Atom,
        args: &Args,
    ) -> Option<Out> {
        let Atom::LibObject { class, attrs, data } = held else {
            return None;
        };
        let then = self.name("<then>");
        let then = attrs.iter().find(|(n, _)| *n == then).map(|(_, v)| *v);
        match (&*self.text(*class), then) {
            ("<method>", _) => {
                let path = self.path_of(attrs)?;
                Some(self.call_reference(frame, index, path, args))
            }
            ("<andThen>", Some(then)) => {
                let got = self.call_value(frame, index, *data, args).ret?;
                Some(self.call_value(frame, index, then, &Args::of(&[got])))
            }
            ("<compose>", Some(then)) => {
                let got = self.call_value(frame, index, then, args).ret?;
                Some(self.call_value(frame, index, *data, &Args::of(&[got])))
            }
            _ => None,
        }
    }

    /// What an object that a framework fills from a request is filled with.
    pub(crate) fn data_of_form(&self, v: V) -> Option<V> {
        let form = self.name("<form>");
        self.w.store.atoms(v).find_map(|a| match a {
            Atom::Object { attrs, .. } => attrs.iter().find(|(n, _)| *n == form).map(|(_, v)| *v),
            _ => None,
        })
    }
}
