//! Where Go means something else than Python by the same instruction: packages, methods, embedded structs,
//! builtin functions.

pub(crate) mod decode;
mod pattern;

use solvent_base::Name;
use solvent_ir::{Const, Language};

use crate::call::{Args, Out};
use crate::link::{Site, Target, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::{Base, Place};

impl Machine<'_> {
    pub(crate) fn is_go(&self) -> bool {
        self.p.language == Language::Go
    }

    /// Whether what a method is called on is no argument of its.
    pub(crate) fn has_receivers(&self) -> bool {
        self.p.language != Language::Python
    }

    // Packages.

    pub(crate) fn import_go(&mut self, module: &str, member: Option<Name>) -> V {
        if module == "<global>" {
            return match member {
                Some(member) => self.lib_value(member),
                None => self.w.store.unknown(),
            };
        }
        match self.p.resolve_package(module) {
            Target::Namespace(folder) => {
                for unit in self.p.package(&folder).to_vec() {
                    self.ensure_module(unit);
                }
                let folder = self.name(&folder);
                self.w.store.one(Atom::Namespace(folder))
            }
            Target::Unit(_) => self.w.store.unknown(),
            Target::Library(path) => {
                let path = self.name(&path);
                self.lib_value(path)
            }
        }
    }

    /// A variable of the package that this file belongs to.
    pub(crate) fn global_go(&mut self, unit: UnitId, name: Name) -> V {
        let files = self.p.package_of(unit).to_vec();
        if let Some(v) = self.package_variable(&files, unit, name) {
            return v;
        }
        // A package whose name is not the last part of its path.
        if let Some(folder) = self.p.package_named(name).map(str::to_owned) {
            for unit in self.p.package(&folder).to_vec() {
                self.ensure_module(unit);
            }
            let folder = self.name(&folder);
            return self.w.store.one(Atom::Namespace(folder));
        }
        self.w.store.unknown()
    }

    fn package_member(&mut self, folder: Name, name: Name) -> Option<V> {
        let folder = self.text(folder);
        let files = self.p.package(&folder).to_vec();
        let first = files.first().copied()?;
        self.package_variable(&files, first, name)
    }

    /// What any file of the package writes into its variable; `here` is being read already.
    fn package_variable(&mut self, files: &[UnitId], here: UnitId, name: Name) -> Option<V> {
        let mut out = V::NEVER;
        for &unit in files {
            if unit != here {
                self.ensure_module(unit);
            }
            if let Some(v) = self.w.read(Place::Global(unit, name)) {
                out = self.w.store.join(out, v);
            }
        }
        (out != V::NEVER).then(|| self.shared(out))
    }

    /// A method becomes the type's, in whichever file of the package that is.
    pub(crate) fn store_method(&mut self, frame: &Frame, site: Site, name: Name, v: V) {
        let text = self.text(name);
        let Some((of, method)) = text
            .strip_prefix("<method> ")
            .and_then(|path| path.split_once('.'))
        else {
            return;
        };
        let (of, method) = (self.name(of), self.name(method));
        if let Some(class) = self.p.class_in_package(frame.unit, of) {
            self.w.write(Place::ClassAttr(class, method), site, v);
        }
    }

    // Members.

    pub(crate) fn member_go(
        &mut self,
        frame: &mut Frame,
        atom: &Atom,
        name: Name,
        site: Site,
    ) -> Option<V> {
        match atom {
            Atom::Namespace(folder) => Some(
                self.package_member(*folder, name)
                    .unwrap_or_else(|| self.w.store.unknown()),
            ),
            // A struct without a name.
            Atom::Coll {
                kind: CollKind::Dict,
                kids,
                rest,
                keys,
            } => {
                let key = self.w.store.konst(Const::Str(name));
                let found = self.coll_index(CollKind::Dict, kids, *rest, *keys, key);
                (found != V::NEVER).then_some(found)
            }
            Atom::Object { class, attrs, .. } => {
                if attrs.iter().any(|(n, _)| *n == name) {
                    return None;
                }
                // What a struct embeds gives its fields and methods.
                for base in self.w.classes[class.0 as usize].bases.clone() {
                    let embedded = match base {
                        Base::Own(base) => self.p.class(base).name,
                        Base::Lib(path) => {
                            let text = self.text(path);
                            self.name(text.rsplit('.').next().unwrap_or_default())
                        }
                        Base::Unknown => continue,
                    };
                    let Some((_, inner)) = attrs.iter().find(|(n, _)| *n == embedded) else {
                        continue;
                    };
                    let has = self.w.store.atoms(*inner).any(|a| match a {
                        Atom::Object { attrs, .. } => attrs.iter().any(|(n, _)| *n == name),
                        Atom::LibObject { .. } => true,
                        _ => false,
                    });
                    if has {
                        let inner = *inner;
                        return Some(self.attr(frame, inner, name, site));
                    }
                }
                self.by_embedded_interface(frame, *class, attrs, name, site)
            }
            _ => None,
        }
    }

    /// A method that a struct has from an interface that it embeds: of whatever the field holds.
    fn by_embedded_interface(
        &mut self,
        frame: &mut Frame,
        class: crate::link::ClassId,
        attrs: &[(Name, V)],
        name: Name,
        site: Site,
    ) -> Option<V> {
        if self.methods_in(class).iter().any(|(own, _)| *own == name) {
            return None;
        }
        for (_, inner) in attrs {
            for atom in self.w.store.atoms_of(*inner) {
                let Atom::Object { class: held, .. } = atom else {
                    continue;
                };
                let receiver = self.w.store.one(atom);
                if self.method_of(held, name, receiver).is_some() {
                    return Some(self.attr(frame, receiver, name, site));
                }
            }
        }
        None
    }

    // Functions of the language.

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per function reads best in one place"
    )]
    pub(crate) fn native_go(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        let site = self.site(frame, index);
        Some(Out::ret(match path {
            "<copy>" | "<convert>" | "string" | "any" | "net/http.HandlerFunc" => first?,
            "<typed>" => self.of_type(first?),
            "<nth>" => {
                let at = self.small_int(args.get(1, None)?)?;
                self.result_at(first?, at)
            }
            "<keys>" => self.keys_go(first?),
            "<values>" => self.values_go(frame, index, first?),
            "<is>" => self.is_of_type(first?, args.get(1, None)?),
            "append" => {
                let mut out = first?;
                for (v, _) in args.pos.iter().skip(1) {
                    let effect = solvent_models::Effect::Append;
                    out = self.mutate(frame, index, out, effect, &[], Some(*v), args);
                }
                if let Some(spread) = args.spread {
                    let more = self.w.store.many(CollKind::List, spread);
                    let effect = solvent_models::Effect::Extend;
                    out = self.mutate(frame, index, out, effect, &[], Some(more), args);
                }
                out
            }
            "copy" => {
                let (to, from) = (first?, args.get(1, None)?);
                let now = match (self.exact_items(to), self.exact_items(from)) {
                    (Some(mut a), Some(b)) => {
                        for (have, new) in a.iter_mut().zip(b) {
                            *have = new;
                        }
                        self.list_of(a, V::NEVER)
                    }
                    _ => {
                        let a = self.element(frame, index, to);
                        let b = self.element(frame, index, from);
                        let element = self.w.store.join(a, b);
                        self.w.store.many(CollKind::List, element)
                    }
                };
                return Some(changed(now, self.w.store.unknown(), args));
            }
            "delete" => {
                let now = self.del_index(first?, args.get(1, None)?);
                return Some(changed(now, self.w.store.none(), args));
            }
            "clear" => {
                let effect = solvent_models::Effect::Clear;
                let now = self.mutate(frame, index, first?, effect, &[], None, args);
                return Some(changed(now, self.w.store.none(), args));
            }
            "len" | "cap" => match self.exact_items(first?) {
                Some(items) if path == "len" => self.w.store.konst(Const::Int(items.len() as i64)),
                _ => match self.w.store.constant_str(first?) {
                    Some(name) => {
                        let length = self.text(name).len() as i64;
                        self.w.store.konst(Const::Int(length))
                    }
                    None => self.w.store.unknown(),
                },
            },
            "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16"
            | "uint32" | "uint64" | "float32" | "float64" | "byte" | "rune" => {
                match self.w.store.constant(first?) {
                    Some(Const::Int(_) | Const::Float(_)) => first?,
                    _ => self.w.store.unknown(),
                }
            }
            "min" | "max" => self.w.store.unknown(),
            // What a function panics with, a deferred call of whoever called it may get.
            "panic" => {
                let place = self.panics();
                frame.effects.push((place, site, first?));
                self.w.store.unknown()
            }
            "recover" => {
                let place = self.panics();
                let unknown = self.w.store.unknown();
                match self.w.read(place) {
                    Some(v) => self.w.store.join(v, unknown),
                    None => unknown,
                }
            }
            "os/exec.Command" | "os/exec.CommandContext" => {
                let skipped = usize::from(path == "os/exec.CommandContext");
                let values = args.pos.iter().skip(skipped).map(|(v, _)| *v).collect();
                let list = self.list_of(values, args.spread.unwrap_or(V::NEVER));
                let name = self.name("os/exec.Command");
                let id = self.path_member(name)?;
                return Some(self.apply_member(frame, index, id, None, &Args::of(&[list]), false));
            }
            "fmt.Sprintf" | "fmt.Errorf" => {
                let values = args.pos.iter().skip(1).map(|(v, _)| *v).collect();
                let list = self.list_of(values, args.spread.unwrap_or(V::NEVER));
                let v = self.percent(frame, first?, list, site);
                if path == "fmt.Errorf" {
                    let class = self.name("error");
                    let attrs = Box::default();
                    return Some(Out::ret(self.w.store.one(Atom::LibObject {
                        class,
                        attrs,
                        data: v,
                    })));
                }
                v
            }
            "fmt.Sprint" | "fmt.Sprintln" => self.all_as_text(frame, index, &args.pos, site),
            "fmt.Fprintf" | "fmt.Fprint" | "fmt.Fprintln" | "io.WriteString" => {
                let text = if path == "fmt.Fprintf" {
                    let values = args.pos.iter().skip(2).map(|(v, _)| *v).collect();
                    let list = self.list_of(values, args.spread.unwrap_or(V::NEVER));
                    self.percent(frame, args.get(1, None)?, list, site)
                } else {
                    let rest = args.pos.get(1..).unwrap_or_default();
                    self.all_as_text(frame, index, rest, site)
                };
                let name = self.name("WriteString");
                let mut inner = Args::of(&[text]);
                if let Some((v, _)) = inner.pos.first_mut() {
                    *v = text;
                }
                let got = self.call_member(frame, index, first?, name, &inner);
                let mut out = Out::ret(self.w.store.unknown());
                if let (Some(after), Some((_, Some(source)))) = (got.receiver, args.pos.first()) {
                    out.afters.push((*source, after));
                }
                return Some(out);
            }
            "strings.Join" => self.joined_text(frame, index, first?, args.get(1, None)?),
            _ => {
                let method = path.strip_prefix("strings.")?;
                return self.text_function(frame, index, method, args).map(Out::ret);
            }
        }))
    }

    /// Where what the program panics with is kept, of one request.
    fn panics(&self) -> Place {
        Place::LibAttr(self.name("<go>"), self.name("<panic>"))
    }

    /// Functions of `strings` on texts that are known or have known parts.
    fn text_function(
        &mut self,
        frame: &mut Frame,
        index: u32,
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let python = match method {
            "ToUpper" => "upper",
            "ToLower" => "lower",
            "TrimSpace" => "strip",
            "Trim" => "strip",
            "TrimLeft" => "lstrip",
            "TrimRight" => "rstrip",
            "TrimPrefix" => "removeprefix",
            "TrimSuffix" => "removesuffix",
            "ReplaceAll" | "Replace" => "replace",
            "Split" => "split",
            "HasPrefix" => "startswith",
            "HasSuffix" => "endswith",
            "Index" => "find",
            "Count" => "count",
            _ => return None,
        };
        let v = args.get(0, None)?;
        let mut rest = args.clone();
        // What is spread brings the text with the others, and none of them is known by its place.
        if rest.pos.is_empty() {
            return None;
        }
        rest.pos.remove(0);
        if method == "Replace"
            && args
                .get(3, None)
                .is_some_and(|n| self.small_int(n) == Some(-1))
        {
            rest.pos.truncate(2);
        }
        if let Some(name) = self.w.store.constant_str(v) {
            let text = self.text(name).to_string();
            return self.text_method(frame, index, &text, python, &rest);
        }
        self.parts_method(frame, index, v, python, &rest)
    }

    fn all_as_text(
        &mut self,
        frame: &mut Frame,
        index: u32,
        args: &[(V, Option<u32>)],
        site: Site,
    ) -> V {
        let mut all = vec![Vec::new()];
        for (v, _) in args {
            let text = self.stringify(frame, index, *v);
            let more = self.pieces(text);
            all = self.cross(all, more);
        }
        self.texts(all, site)
    }

    /// One of several results; of one that a library gives, the first is the value.
    fn result_at(&mut self, v: V, at: i64) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match &atom {
                Atom::Coll {
                    kind: CollKind::Tuple,
                    kids,
                    ..
                } => match kids.iter().find(|(k, _)| *k == Const::Int(at)) {
                    Some((_, v)) => *v,
                    None => self.w.store.unknown(),
                },
                _ if at == 0 => self.w.store.one(atom),
                _ => self.w.store.unknown(),
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    /// Some value of a type.
    fn of_type(&mut self, kind: V) -> V {
        match self.w.store.only(kind).cloned() {
            Some(Atom::Class { class, .. }) => self.open_object(class),
            Some(Atom::Lib(path)) => {
                let path = self.text(path).to_string();
                let element = None;
                let kind = solvent_models::TypeRef::Named { path, element };
                self.typed(V::NEVER, &kind)
            }
            _ => self.w.store.unknown(),
        }
    }

    fn keys_go(&mut self, v: V) -> V {
        let is_map = self.w.store.atoms(v).all(|a| {
            matches!(
                a,
                Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                } | Atom::Data(_)
            )
        });
        if is_map {
            return self.keys_of(v);
        }
        let mut keys = self.w.store.unknown();
        for atom in self.w.store.atoms_of(v) {
            if let Atom::Coll {
                kind: CollKind::Set,
                kids,
                rest,
                ..
            } = atom
            {
                let sent = self.coll_all(&kids, rest);
                keys = self.w.store.join(keys, sent);
            }
        }
        self.w.store.many(CollKind::List, keys)
    }

    fn values_go(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    ..
                } => self.coll_all(&kids, rest),
                other => {
                    let one = self.w.store.one(other);
                    self.element(frame, index, one)
                }
            };
            out = self.w.store.join(out, one);
        }
        self.w.store.many(CollKind::List, out)
    }

    /// Whether the value plainly is, or is not, of the type of that name.
    fn is_of_type(&mut self, v: V, kind: V) -> V {
        let Some(wanted) = self.w.store.constant_str(kind) else {
            return self.w.store.unknown();
        };
        let wanted = self.text(wanted);
        let bare = wanted.trim_start_matches('*');
        let mut answer = None;
        for atom in self.w.store.atoms(v) {
            let this = match (atom, bare) {
                (Atom::Const(Const::Str(_)) | Atom::Text(_), kind) => kind == "string",
                (Atom::Const(Const::Int(_)), kind) => {
                    kind.starts_with("int") || kind.starts_with("uint") || kind == "byte"
                }
                (Atom::Const(Const::Float(_)), kind) => kind.starts_with("float"),
                (Atom::Const(Const::Bool(_)), kind) => kind == "bool",
                (Atom::Const(Const::None), kind) => kind == "nil",
                (Atom::Object { class, .. }, kind) => {
                    let name = self.text(self.p.class(*class).name);
                    if &*name == kind {
                        true
                    } else if self.p.knows_class(kind) {
                        false
                    } else {
                        return self.w.store.unknown();
                    }
                }
                _ => return self.w.store.unknown(),
            };
            if answer.is_some_and(|a| a != this) {
                return self.w.store.unknown();
            }
            answer = Some(this);
        }
        self.w.store.boolean(answer)
    }

    /// Methods that the interpreter knows without a model: of named types that are no structs.
    pub(crate) fn method_go(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let v = self.w.store.one(receiver.clone());
        if let Atom::LibObject { class, .. } = receiver
            && let Some(out) = self.library_go(frame, index, *class, v, name, args)
        {
            return Some(out);
        }
        // A function as an `http.Handler`.
        let is_code = matches!(
            receiver,
            Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. }
        );
        if is_code && &*self.text(name) == "ServeHTTP" {
            return Some(self.call_value(frame, index, v, args));
        }
        let plain = matches!(
            receiver,
            Atom::Const(_) | Atom::Text(_) | Atom::Coll { .. } | Atom::Data(_) | Atom::Fn { .. }
        );
        if !plain {
            return None;
        }
        if let Atom::Data(labels) = receiver
            && *labels != Ls::NONE
        {
            return None;
        }
        let method = self.w.by_name.get(&name)?.clone();
        let fitting: Vec<_> = method
            .into_iter()
            .filter(|f| self.takes_receiver(*f) && self.fits(*f, args, true))
            .collect();
        let [only] = fitting[..] else { return None };
        let env = crate::value::EnvId::EMPTY;
        let tier = crate::world::CallTier::Typed;
        Some(self.call_function(frame, index, only, env, Some(v), args, tier))
    }

    /// Methods of the standard library that rows cannot describe.
    fn library_go(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: Name,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        match (&*self.text(class), &*self.text(name)) {
            // Nothing is escaped on the way into what is written to.
            ("text/template.Template", "Execute" | "ExecuteTemplate") => {
                let (to, source) = args.pos.first().copied()?;
                let labels = self.w.store.deep(args.pos.last()?.0);
                let text = self.w.store.data(labels);
                let write = self.name("Write");
                let got = self.call_member(frame, index, to, write, &Args::of(&[text]));
                let mut out = Out::ret(self.w.store.unknown());
                if let (Some(after), Some(source)) = (got.receiver, source) {
                    out.afters.push((source, after));
                }
                Some(out)
            }
            // The file, and what the request says of it.
            ("net/http.Request", "FormFile") => {
                let id = self.class_member(class, name)?;
                let got = self.apply_member(frame, index, id, Some(receiver), args, false);
                let file = got.ret?;
                let kind = solvent_models::TypeRef::Named {
                    path: "mime/multipart.FileHeader".to_owned(),
                    element: None,
                };
                let header = self.typed(file, &kind);
                let unknown = self.w.store.unknown();
                let items = [file, header, unknown].into_iter().enumerate();
                let kids = items.map(|(i, v)| (Const::Int(i as i64), v)).collect();
                let ret = self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE);
                Some(Out::ret(ret))
            }
            _ => None,
        }
    }
}

/// The first argument has become `v`; the call gives `ret`.
fn changed(v: V, ret: V, args: &Args) -> Out {
    let mut out = Out::ret(ret);
    if let Some((_, Some(source))) = args.pos.first() {
        out.afters.push((*source, v));
    }
    out
}
