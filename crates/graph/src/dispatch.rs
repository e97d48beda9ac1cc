//! Which member, or function of the program, a library call or method leads to.

use crate::apply::paths::Absolute;
use crate::call::{Args, Out};
use crate::label::Note;
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use solvent_base::Name;
use solvent_ir::{BinaryOp, Const};
use solvent_models::{EntryShape, MemberId};

/// What lists the files of a folder.
const LISTS: [&str; 6] = [
    "fs.readdirSync",
    "fs.readdir",
    "fs.promises.readdir",
    "fs/promises.readdir",
    "glob.sync",
    "glob.globSync",
];

impl Machine<'_> {
    pub(crate) fn call_lib(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: Name,
        args: &Args,
    ) -> Out {
        let text = self.text(path);
        self.note_library(frame, index, path);
        self.write_into_files(frame, index, None, args);
        let site = self.site(frame, index);
        if let Some(value) = self.environment_call(&text, args.get(0, None), site) {
            return Out::ret(value);
        }
        let native = if self.is_javascript() {
            if LISTS.contains(&&*text)
                && let Some(folder) = args.get(0, None)
            {
                self.lists_folder(frame, index, folder);
            }
            self.native_javascript(frame, index, &text, args)
        } else if self.is_go() {
            self.native_go(frame, index, &text, args)
        } else if self.is_java() {
            self.native_java(frame, index, &text, args)
        } else {
            self.native(frame, index, &text, args)
        };
        if let Some(out) = native {
            return out;
        }
        if let Some(id) = self.path_member(path)
            && self.is_said(frame, index, id, None, args)
        {
            // The view of a library's own class keeps the name of that class.
            let member = self.m.get(id);
            if member.entry_points.is_empty() && self.binders.contains(&member.path) {
                let class = self.name(&format!("{text}()"));
                return Out::ret(self.w.store.one(Atom::LibObject {
                    class,
                    attrs: Box::default(),
                    data: V::NEVER,
                }));
            }
            return self.apply_member(frame, index, id, None, args, false);
        }
        let out = self.pass_through(frame, index, V::NEVER, args, &text);
        let last = text.rsplit('.').next().unwrap_or_default();
        let class = if last.starts_with(char::is_uppercase) {
            path
        } else {
            self.name(&format!("{text}()"))
        };
        let data = out.ret.unwrap_or_else(|| self.w.store.unknown());
        let data = if self.w.store.deep(data) == Ls::NONE {
            V::NEVER
        } else {
            data
        };
        let attrs = self.literal_fields(args);
        Out {
            ret: Some(self.w.store.one(Atom::LibObject { class, attrs, data })),
            ..out
        }
    }

    /// Whether more is said of a member than which of its uses are weak. Those are looked at here where it is not: what
    /// the call does with values stays unknown.
    fn is_said(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        receiver: Option<V>,
        args: &Args,
    ) -> bool {
        let models = self.m;
        let member = models.get(id);
        if member.only_used {
            let ports = Ports { receiver, args };
            self.uses(frame, index, id, member, &ports);
        }
        !member.only_used
    }

    /// Remembers that a call leads into a library.
    pub(crate) fn note_library(&mut self, frame: &Frame, index: u32, path: Name) {
        if self.follow == crate::machine::Follow::Calls && index != u32::MAX {
            let site = self.site(frame, index);
            self.w.library_calls.insert((site, path));
        }
    }

    /// The same of a member of a library's class.
    pub(crate) fn note_library_member(
        &mut self,
        frame: &Frame,
        index: u32,
        class: Name,
        name: Name,
    ) {
        if self.follow != crate::machine::Follow::Calls {
            return;
        }
        let class = self.text(class);
        // What an unknown function returned has no class that has a name.
        if class.contains("()") || class.starts_with('<') {
            return;
        }
        let path = self.name(&format!("{class}.{}", self.text(name)));
        self.note_library(frame, index, path);
    }

    pub(crate) fn call_member(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Out {
        self.looked_up(frame, index, receiver, name, args);
        self.write_into_files(frame, index, Some(receiver), args);
        let atoms = self.w.store.atoms_of(receiver);
        let single = atoms.len() == 1;
        let mut out = Out::default();
        let mut after = V::NEVER;
        for atom in atoms {
            if !single && matches!(atom, Atom::Const(Const::None)) {
                after = {
                    let one = self.w.store.one(atom);
                    self.w.store.join(after, one)
                };
                continue;
            }
            let original = self.w.store.one(atom.clone());
            let one = self.call_member_of(frame, index, atom, name, args);
            if let Some(ret) = one.ret {
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
                let v = one.receiver.unwrap_or(original);
                after = self.w.store.join(after, v);
                out.afters.extend(one.afters);
            }
        }
        if after != V::NEVER && after != receiver {
            out.receiver = Some(after);
        }
        out
    }

    pub(crate) fn call_member_of(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: Atom,
        name: Name,
        args: &Args,
    ) -> Out {
        let receiver = self.w.store.one(atom.clone());
        let class = match &atom {
            Atom::Fn { .. } | Atom::Method { .. } if self.is_javascript() => Some("Function"),
            Atom::Const(Const::Str(_)) | Atom::Text(_) if self.is_javascript() => Some("String"),
            Atom::Const(Const::Int(_) | Const::Bool(_)) if self.is_javascript() => Some("Number"),
            Atom::Coll { kind, .. } if self.is_javascript() => Some(match kind {
                CollKind::List | CollKind::Iter | CollKind::Tuple => "Array",
                CollKind::Set => "Set",
                CollKind::Dict => "Object",
            }),
            Atom::Const(Const::Str(_)) | Atom::Text(_) if self.is_java() => {
                Some("java.lang.String")
            }
            Atom::Coll { .. } | Atom::Const(_) if self.is_java() => Some("java.lang.Object"),
            Atom::Const(Const::Str(_)) | Atom::Text(_) => Some("builtins.str"),
            Atom::Const(Const::Bytes(_)) => Some("builtins.bytes"),
            Atom::Const(Const::Int(_) | Const::Bool(_)) => Some("builtins.int"),
            Atom::Coll { kind, .. } => Some(match kind {
                CollKind::List | CollKind::Iter => "builtins.list",
                CollKind::Tuple => "builtins.tuple",
                CollKind::Set => "builtins.set",
                CollKind::Dict => "builtins.dict",
            }),
            _ => None,
        };
        let native = if self.is_javascript() {
            self.method_javascript(frame, index, &atom, name, args)
        } else if self.is_go() {
            self.method_go(frame, index, &atom, name, args)
        } else if self.is_java() {
            self.method_java(frame, index, &atom, name, args)
        } else {
            self.native_method(frame, index, &atom, name, args)
        };
        if let Some(out) = native {
            return out;
        }
        if !self.has_receivers()
            && let Some(out) = self.python_method(frame, index, &atom, &self.text(name), args)
        {
            return out;
        }
        if let Some(out) = self.special_method(frame, index, &atom, name, args) {
            return out;
        }
        if let Some(class) = class {
            let class = self.name(class);
            if let Some(id) = self.class_member(class, name) {
                return self.apply_member(frame, index, id, Some(receiver), args, false);
            }
            let mut out = self.pass_quietly(receiver, args);
            out.receiver = None;
            return out;
        }
        match atom {
            Atom::LibObject { class, .. } => {
                self.note_library_member(frame, index, class, name);
                if let Some(id) = self.class_member(class, name)
                    && self.is_said(frame, index, id, Some(receiver), args)
                {
                    return self.apply_member(frame, index, id, Some(receiver), args, false);
                }
                if self.m.is_class(&self.text(class)) {
                    // A modelled class: what has no row carries what the object holds.
                    let text = format!("{}.{}", self.text(class), self.text(name));
                    return self.pass_through(frame, index, receiver, args, &text);
                }
                if let Some(out) = self.turns_of_unknown(frame, index, receiver, name, args) {
                    return out;
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = format!("{}.{}", self.text(class), self.text(name));
                self.pass_through(frame, index, receiver, args, &text)
            }
            Atom::Object {
                class, ref attrs, ..
            } => {
                if let Some(out) = self.inherited(frame, index, &atom, name, args) {
                    return out;
                }
                let bases = self.lib_bases(class);
                if name == self.n.init && !self.is_javascript() {
                    self.made_by_holder(&bases, attrs, args);
                }
                for base in bases.clone() {
                    if let Some(id) = self.class_member(base, name)
                        && self.is_said(frame, index, id, Some(receiver), args)
                    {
                        self.note_library_member(frame, index, base, name);
                        return self.apply_member(frame, index, id, Some(receiver), args, false);
                    }
                }
                if let [only] = bases[..] {
                    self.note_library_member(frame, index, only, name);
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = format!(
                    "{}.{}",
                    self.text(self.p.class(class).name),
                    self.text(name)
                );
                self.unknown_call(frame, index, receiver, args, &text)
            }
            Atom::Class { class, .. } => self.class_call(frame, index, class, receiver, name, args),
            Atom::Data(labels) => {
                if !self.is_java()
                    && let Some(out) = self.like_route(frame, index, receiver, name, args)
                {
                    return out;
                }
                if let Some(out) = self.turns_of_unknown(frame, index, receiver, name, args) {
                    return out;
                }
                if labels == Ls::NONE
                    && let Some(out) = self.candidates(frame, index, receiver, name, args)
                {
                    return out;
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = self.text(name).to_string();
                if labels != Ls::NONE
                    && args.all().iter().all(|v| self.w.store.deep(*v) == Ls::NONE)
                {
                    // The method of a labelled value gives something of it.
                    return self.pass_through(frame, index, receiver, args, &text);
                }
                self.unknown_call(frame, index, receiver, args, &text)
            }
            Atom::DynamicModule => {
                self.w.dynamic = true;
                let found = self.candidates(frame, index, receiver, name, args);
                let text = self.text(name).to_string();
                let site = self.site(frame, index);
                for v in args.all() {
                    self.escape(v, site, &text, 0);
                }
                match found {
                    Some(out) => out,
                    None => self.unknown_call(frame, index, receiver, args, &text),
                }
            }
            _ => {
                let text = self.text(name).to_string();
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                self.unknown_call(frame, index, receiver, args, &text)
            }
        }
    }

    /// A member of a library base, called on a class: `View.as_view("name")`.
    pub(crate) fn class_call(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Out {
        let method = self.text(name).to_string();
        if method == "__new__"
            && let Some(v) = self.new_instance(frame, index, args)
        {
            return Out::ret(v);
        }
        let binds = self.m.entry_rows(EntryShape::BaseClass).any(|(_, row)| {
            row.bound_by
                .as_deref()
                .is_some_and(|b| b.ends_with(&format!(".{method}")))
        });
        if binds {
            let kind = self.n.bound;
            let mut attrs = Vec::new();
            if let Some(actions) = args.get(0, None) {
                attrs.push((self.n.actions, actions));
            }
            let bound = Atom::LibObject {
                class: kind,
                attrs: attrs.into(),
                data: receiver,
            };
            return Out::ret(self.w.store.one(bound));
        }
        for base in self.lib_bases(class) {
            if let Some(id) = self.class_member(base, name) {
                return self.apply_member(frame, index, id, Some(receiver), args, false);
            }
        }
        let text = format!("{}.{method}", self.text(self.p.class(class).name));
        self.unknown_call(frame, index, receiver, args, &text)
    }

    /// Labels pass, without an assumption: methods of builtin values that have no row.
    pub(crate) fn pass_quietly(&mut self, receiver: V, args: &Args) -> Out {
        let mut labels = self.w.store.deep(receiver);
        for v in args.all() {
            let deep = self.w.store.deep(v);
            labels = self.w.store.union(labels, deep);
        }
        Out::ret(self.w.store.data(labels))
    }

    /// Members that a method's name alone suggests.
    pub(crate) fn by_name(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let text = self.text(name);
        let models = self.m;
        let paths: Vec<String> = models
            .methods_named(&text, args.count())
            .map(|m| m.path.clone())
            .collect();
        if paths.is_empty() {
            return None;
        }
        let mut out = Out::default();
        let mut after = V::NEVER;
        for path in paths {
            let path = self.name(&path);
            let Some(id) = self.path_member(path) else {
                continue;
            };
            let one = self.apply_member(frame, index, id, Some(receiver), args, true);
            if let Some(ret) = one.ret {
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
            }
            if let Some(v) = one.receiver {
                after = self.w.store.join(after, v);
            }
            out.afters.extend(one.afters);
        }
        if after != V::NEVER {
            out.receiver = Some(after);
        }
        out.ret.is_some().then_some(out)
    }

    /// Functions of the program that the method's name and number of arguments suggest.
    pub(crate) fn candidates(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let dynamic = matches!(self.w.store.only(receiver), Some(Atom::DynamicModule));
        let modelled = !dynamic
            && self
                .m
                .methods_named(&self.text(name), args.count())
                .next()
                .is_some();
        let all = self.w.by_name.get(&name)?.clone();
        let fitting: Vec<_> = all
            .into_iter()
            .filter(|f| self.p.function(*f).class.is_some() != dynamic)
            .filter(|f| self.fits(*f, args, !dynamic))
            .collect();
        // Where an object of some of them is made, the others are not meant as far as anybody sees.
        let (unmade, made): (Vec<_>, Vec<_>) = fitting.iter().copied().partition(|f| {
            let class = self.p.function(*f).class;
            class.is_some_and(|class| {
                let id = self.p.class_id(self.p.unit_of(*f), class);
                self.w.unmade.contains(&id)
            })
        });
        let fitting = if made.is_empty() || unmade.is_empty() || modelled {
            fitting
        } else {
            self.may_be_meant(frame, index, name, unmade);
            made
        };
        if fitting.is_empty() || modelled || fitting.len() > self.limits.candidates {
            self.may_be_meant(frame, index, name, fitting);
            return None;
        }
        let site = self.site(frame, index);
        let mut out = Out::default();
        for f in fitting {
            let bound = if dynamic {
                None
            } else {
                let class = self.p.function(f).class?;
                let id = self.p.class_id(self.p.unit_of(f), class);
                Some(self.open_object(id))
            };
            let env = self
                .w
                .closures
                .get(&f)
                .copied()
                .unwrap_or(crate::value::EnvId::EMPTY);
            let note = Note::NameOnlyCall { site, name };
            let mut noted = args.clone();
            for (v, _) in &mut noted.pos {
                *v = self.noted(*v, note);
            }
            for (_, v, _) in &mut noted.named {
                *v = self.noted(*v, note);
            }
            let one = self.call_function(
                frame,
                index,
                f,
                env,
                bound,
                &noted,
                crate::world::CallTier::NameOnly,
            );
            if let Some(ret) = one.ret {
                let ret = self.noted(ret, note);
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
            }
        }
        if out.ret.is_none() {
            out.ret = Some(self.w.store.unknown());
        }
        Some(out)
    }

    /// Any of the methods may be meant by the call, and is not followed.
    fn may_be_meant(&mut self, frame: &Frame, index: u32, name: Name, methods: Vec<FnId>) {
        let site = self.site(frame, index);
        let what = format!(
            "a call of `{}` on a value that is not known",
            self.text(name)
        );
        for f in methods {
            self.w.meant.insert((f, site));
            let escapes = self.w.escapes.entry(f).or_default();
            if escapes.len() < 4 {
                escapes.insert((site, what.clone()));
            }
        }
    }

    /// `a / b` of paths.
    pub(crate) fn path_division(
        &mut self,
        frame: &mut Frame,
        op: BinaryOp,
        left: V,
        right: V,
        site: Site,
    ) -> Option<V> {
        if op != BinaryOp::Div {
            return None;
        }
        let class_of = |m: &Self, v: V| {
            m.w.store.atoms(v).find_map(|a| match a {
                Atom::LibObject { class, .. }
                    if m.m.derives(&m.text(*class), "pathlib.PurePath") =>
                {
                    Some(*class)
                }
                _ => None,
            })
        };
        let class = class_of(self, left).or_else(|| class_of(self, right))?;
        let parts = [self.object_data(left), self.object_data(right)];
        let data = self.join_paths(frame, site.inst, &parts, site, Absolute::Drops);
        Some(self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::default(),
            data,
        }))
    }
}
