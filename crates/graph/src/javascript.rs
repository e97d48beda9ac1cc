//! Where JavaScript means something else than Python by the same instruction: properties, `this`, `new`,
//! modules.
//!
//! Plain objects are mappings whose keys are properties, so `o.x`, `o["x"]` and `{x}` meet. A property of a
//! value of unknown make-up is a value; the same thing called is a method: [`Machine::callee_of`].

mod array;
mod event;
mod method;
mod middleware;
mod native;
mod require;
mod text;

use solvent_base::Name;
use solvent_ir::{Const, Language, ParamKind};

use crate::call::{Args, Out};
use crate::link::{ClassId, FnId, Site, Target, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, Ls, V};
use crate::world::{CallTier, Place};

impl Machine<'_> {
    pub(crate) fn is_javascript(&self) -> bool {
        self.p.language == Language::JavaScript
    }

    /// Whether the function uses what it is called on.
    pub(crate) fn takes_receiver(&self, f: FnId) -> bool {
        let first = self.p.function(f).params.first();
        first.is_some_and(|param| param.kind == ParamKind::Receiver)
    }

    // Modules.

    pub(crate) fn import_javascript(
        &mut self,
        frame: &Frame,
        module: Name,
        member: Option<Name>,
    ) -> V {
        if &*self.text(module) == "<global>" {
            let Some(member) = member else {
                return self.w.store.unknown();
            };
            if matches!(
                &*self.text(member),
                "globalThis" | "global" | "window" | "self"
            ) {
                return self.w.store.unknown();
            }
            return self.lib_value(member);
        }
        let wanted = member.map(|member| self.text(member));
        let whole = wanted
            .as_deref()
            .is_none_or(|w| w == "default" || w == "module.exports");
        match self.target(frame.unit, module, 0) {
            Target::Unit(unit) => {
                self.ensure_module(unit);
                match (wanted.as_deref(), member) {
                    (Some("module.exports"), _) => self.exports_of(unit),
                    (_, Some(member)) => self.exported(unit, member),
                    (_, None) => self.w.store.one(Atom::Module(unit)),
                }
            }
            Target::Namespace(path) | Target::Library(path) => {
                let path = match wanted {
                    Some(wanted) if !whole => format!("{path}.{wanted}"),
                    _ => path,
                };
                let path = self.name(&path);
                self.lib_value(path)
            }
        }
    }

    /// What `require` of a module of the program gives.
    fn exports_of(&mut self, unit: UnitId) -> V {
        let exports = self.n.exports;
        match self.w.read(Place::Global(unit, exports)) {
            Some(v) => self.shared(v),
            None => self.w.store.one(Atom::Module(unit)),
        }
    }

    /// What a module of the program exports under this name.
    pub(crate) fn exported(&mut self, unit: UnitId, name: Name) -> V {
        self.exported_within(unit, name, 0)
            .unwrap_or_else(|| self.w.store.unknown())
    }

    /// What a module exports under a name, if it exports it.
    pub(crate) fn exports(&mut self, unit: UnitId, name: Name) -> Option<V> {
        self.exported_within(unit, name, 0)
    }

    fn exported_within(&mut self, unit: UnitId, name: Name, depth: u8) -> Option<V> {
        let stored = self.name(&format!("<export> {}", self.text(name)));
        if let Some(v) = self.w.read(Place::Global(unit, stored)) {
            return Some(self.shared(v));
        }
        let exports = self.n.exports;
        if let Some(v) = self.w.read(Place::Global(unit, exports)) {
            let v = self.shared(v);
            if &*self.text(name) == "default" {
                return Some(v);
            }
            let key = self.w.store.konst(Const::Str(name));
            let mut out = V::NEVER;
            for atom in self.w.store.atoms_of(v) {
                let one = match atom {
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys,
                    } => self.coll_index(kind, &kids, rest, keys, key),
                    Atom::Fn { function, .. } => {
                        match self.kept_by_function(None, function, name) {
                            Some(v) => v,
                            None => continue,
                        }
                    }
                    other => {
                        let receiver = self.w.store.one(other);
                        self.w.store.one(Atom::Member { receiver, name })
                    }
                };
                out = self.w.store.join(out, one);
            }
            return (out != V::NEVER).then_some(out);
        }
        if depth > 8 {
            return None;
        }
        // `export * from`
        let star = self.name("*");
        let sources = self.w.read(Place::Global(unit, star))?;
        for atom in self.w.store.atoms_of(sources) {
            let found = match atom {
                Atom::Module(from) if from != unit => self.exported_within(from, name, depth + 1),
                Atom::Lib(path) => {
                    let path = self.name(&format!("{}.{}", self.text(path), self.text(name)));
                    Some(self.lib_value(path))
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    // Properties.

    /// What a property of this value is, where JavaScript has an answer of its own.
    pub(crate) fn property(
        &mut self,
        frame: &mut Frame,
        atom: &Atom,
        name: Name,
        site: Site,
    ) -> Option<V> {
        match atom {
            Atom::Coll {
                kind: CollKind::Dict,
                kids,
                rest,
                keys,
            } => {
                let key = self.w.store.konst(Const::Str(name));
                let found = self.coll_index(CollKind::Dict, kids, *rest, *keys, key);
                if found == V::NEVER {
                    return Some(self.w.store.unknown());
                }
                let receiver = self.w.store.one(atom.clone());
                Some(self.bound_to(frame, found, receiver, site))
            }
            Atom::Coll {
                kind, kids, rest, ..
            } => {
                let text = self.text(name);
                if &*text == "length" || &*text == "size" {
                    let exact = *rest == V::NEVER && *kind != CollKind::Set;
                    return Some(if exact {
                        self.w.store.konst(Const::Int(kids.len() as i64))
                    } else {
                        self.w.store.unknown()
                    });
                }
                None
            }
            Atom::Const(Const::Str(text)) if &*self.text(name) == "length" => {
                // In units of UTF-16 (ECMA-262, 6.1.4).
                let length = self.text(*text).encode_utf16().count();
                Some(self.w.store.konst(Const::Int(length as i64)))
            }
            Atom::Text(_) | Atom::Data(_) if &*self.text(name) == "length" => {
                Some(self.w.store.unknown())
            }
            Atom::Data(labels) => {
                if *labels == Ls::NONE {
                    return None;
                }
                let key = self.w.store.konst(Const::Str(name));
                Some(self.index_of(frame, site.inst, atom.clone(), key))
            }
            Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                if let Some(v) = self.kept_by_function(Some(frame), *function, name) {
                    return Some(v);
                }
                match &*self.text(name) {
                    "prototype" => Some(self.empty_object()),
                    "name" => {
                        let text = self.p.function(*function).name;
                        Some(self.w.store.konst(Const::Str(text)))
                    }
                    _ => None,
                }
            }
            Atom::Class { class, env } => {
                let receiver = self.w.store.one(atom.clone());
                let raw = self.class_attr(*class, *env, name)?;
                let bound = self.bind_attr(raw, receiver, *class);
                Some(self.run_properties(frame, bound, receiver, *class, site))
            }
            Atom::Module(unit) => Some(self.exported(*unit, name)),
            Atom::LibObject { class, .. } if &*self.text(*class) == "<proxy>" => {
                let key = self.w.store.konst(Const::Str(name));
                self.trapped(frame, atom, key, site)
            }
            _ => None,
        }
    }

    /// What a proxy's own `get` gives for a key.
    pub(crate) fn trapped(
        &mut self,
        frame: &mut Frame,
        proxy: &Atom,
        key: V,
        site: Site,
    ) -> Option<V> {
        let Atom::LibObject { attrs, data, .. } = proxy else {
            return None;
        };
        let (handler, get) = (self.name("<handler>"), self.name("get"));
        let handler = attrs.iter().find(|(n, _)| *n == handler).map(|(_, v)| *v)?;
        let has = self.w.store.atoms(handler).any(
            |a| matches!(a, Atom::Coll { kids, .. } if kids.iter().any(|(k, _)| *k == Const::Str(get))),
        );
        if !has {
            return None;
        }
        let trap = self.attr(frame, handler, get, site);
        self.call_value(frame, site.inst, trap, &Args::of(&[*data, key]))
            .ret
    }

    pub(crate) fn empty_object(&mut self) -> V {
        let kind = CollKind::Dict;
        self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE)
    }

    /// A method read from an object takes it along; a getter is called.
    pub(crate) fn bound_to(&mut self, frame: &mut Frame, v: V, receiver: V, site: Site) -> V {
        let property = self.n.property;
        let special = self.w.store.atoms(v).any(|a| match a {
            Atom::Fn { function, .. } => self.takes_receiver(*function),
            Atom::LibObject { class, .. } => *class == property,
            _ => false,
        });
        if !special {
            return v;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Fn { function, env } if self.takes_receiver(function) => {
                    self.w.store.one(Atom::Method {
                        function,
                        env,
                        receiver,
                    })
                }
                Atom::LibObject { class, data, .. } if class == property => {
                    let getter = self.bound_to(frame, data, receiver, site);
                    let got = self.call_value(frame, site.inst, getter, &Args::default());
                    got.ret.unwrap_or(V::NEVER)
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// The path under which what a function object keeps is stored.
    fn function_path(&self, f: FnId) -> Name {
        self.name(&format!("<function {}>", f.0))
    }

    /// A property that was given to a function object.
    fn kept_by_function(&mut self, frame: Option<&Frame>, f: FnId, name: Name) -> Option<V> {
        let place = Place::LibAttr(self.function_path(f), name);
        let mut here = V::NEVER;
        if let Some(frame) = frame {
            for (at, _, v) in &frame.effects {
                if *at == place {
                    // The newest write of this activation.
                    here = *v;
                }
            }
        }
        if here != V::NEVER {
            return Some(here);
        }
        self.w.read(place)
    }

    /// Writes a property; `None` where the value is one that all languages treat alike.
    pub(crate) fn set_property(
        &mut self,
        frame: &mut Frame,
        site: Site,
        atom: &Atom,
        name: Name,
        value: V,
        single: bool,
    ) -> Option<V> {
        if let Some(v) = self.by_setter_javascript(frame, site.inst, atom, name, value) {
            return Some(v);
        }
        match atom {
            Atom::Coll {
                kind: CollKind::Dict,
                kids,
                rest,
                keys,
            } => {
                let key = self.w.store.konst(Const::Str(name));
                Some(self.coll_store(CollKind::Dict, kids, *rest, *keys, key, value, single))
            }
            Atom::Coll { kind, keys, .. } if &*self.text(name) == "length" => {
                let empty = self.w.store.constant(value) == Some(&Const::Int(0));
                Some(if empty {
                    self.w.store.coll(*kind, Vec::new(), V::NEVER, *keys)
                } else {
                    self.w.store.one(atom.clone())
                })
            }
            Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                let place = Place::LibAttr(self.function_path(*function), name);
                if self.p.is_body(frame.f) && self.w.store.deep(value) == Ls::NONE {
                    self.w.write(place, site, value);
                }
                frame.effects.push((place, site, value));
                Some(self.w.store.one(atom.clone()))
            }
            _ => None,
        }
    }

    /// `set name(v)` of a class or of an object that is written as one.
    fn by_setter_javascript(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: &Atom,
        name: Name,
        value: V,
    ) -> Option<V> {
        if !self.is_javascript() {
            return None;
        }
        let setter = match atom {
            Atom::Object { .. } | Atom::Class { .. } => {
                let setter = self.setter_of(name);
                let receiver = self.w.store.one(atom.clone());
                let class = self.receiver_class(receiver)?;
                let raw = self.class_attr(class, EnvId::EMPTY, setter)?;
                self.bind_attr(raw, receiver, class)
            }
            Atom::Coll { kids, .. } => {
                let setter = self.setter_of(name);
                let (_, f) = kids.iter().find(|(key, _)| *key == Const::Str(setter))?;
                let receiver = self.w.store.one(atom.clone());
                self.bind_attr(*f, receiver, ClassId(u32::MAX))
            }
            _ => return None,
        };
        let receiver = self.w.store.one(atom.clone());
        let out = self.call_value(frame, index, setter, &Args::of(&[value]));
        Some(out.receiver.unwrap_or(receiver))
    }

    /// The name that what sets an attribute has.
    fn setter_of(&mut self, name: Name) -> Name {
        if let Some(known) = self.setters.get(&name) {
            return *known;
        }
        let setter = self.name(&format!("<set {}>", self.text(name)));
        self.setters.insert(name, setter);
        setter
    }

    /// What is called by `base.name(..)`.
    pub(crate) fn callee_of(&mut self, frame: &mut Frame, base: V, name: Name, site: Site) -> V {
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
            let as_method = match &atom {
                Atom::Data(_) | Atom::Text(_) => true,
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    ..
                } => *rest == V::NEVER && kids.iter().all(|(k, _)| *k != Const::Str(name)),
                Atom::Coll { .. } => true,
                _ => false,
            };
            let one = if as_method {
                let receiver = self.w.store.one(atom);
                self.w.store.one(Atom::Member { receiver, name })
            } else {
                self.attr_of(frame, atom, name, site)
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }

    /// `base[key]` where a known key makes it a property.
    pub(crate) fn keyed(&mut self, frame: &mut Frame, index: u32, base: V, key: V) -> Option<V> {
        let keys = self.w.store.constants(key)?;
        if keys.len() > 4 {
            return None;
        }
        let site = self.site(frame, index);
        let mut out = V::NEVER;
        for key in keys {
            for atom in self.w.store.atoms_of(base) {
                let one = match (&atom, &key) {
                    (Atom::Coll { kind, .. }, Const::Str(name)) if *kind != CollKind::Dict => {
                        match self.text(*name).parse::<i64>() {
                            Ok(at) => {
                                let key = self.w.store.konst(Const::Int(at));
                                self.index_of(frame, index, atom, key)
                            }
                            Err(_) => self.attr_of(frame, atom, *name, site),
                        }
                    }
                    (_, Const::Str(name)) => self.attr_of(frame, atom, *name, site),
                    (
                        Atom::Coll {
                            kind: CollKind::Dict,
                            ..
                        }
                        | Atom::Fn { .. }
                        | Atom::LibObject { .. }
                        | Atom::Object { .. },
                        Const::Int(_) | Const::Bool(_),
                    ) => {
                        let name = self.const_text(&key)?;
                        self.attr_of(frame, atom, name, site)
                    }
                    // No position counts from the end.
                    (Atom::Coll { .. }, Const::Int(at)) if *at < 0 => self.w.store.none(),
                    _ => {
                        let key = self.w.store.konst(key.clone());
                        self.index_of(frame, index, atom, key)
                    }
                };
                out = self.w.store.join(out, one);
            }
        }
        Some(if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        })
    }

    /// `base[key] = value` where a known key makes it a property, or the next element of a list.
    pub(crate) fn set_keyed(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        key: V,
        value: V,
    ) -> Option<V> {
        let constant = self.w.store.constant(key)?.clone();
        let only = self.w.store.only(base)?.clone();
        match (&only, &constant) {
            (
                Atom::Coll {
                    kind: CollKind::List,
                    kids,
                    rest,
                    keys,
                },
                Const::Int(at),
            ) if *rest == V::NEVER && *at == kids.len() as i64 => {
                let mut kids = kids.to_vec();
                kids.push((constant, value));
                Some(self.w.store.coll(CollKind::List, kids, *rest, *keys))
            }
            (Atom::Coll { kind, .. }, Const::Str(name)) if *kind != CollKind::Dict => {
                let at = self.text(*name).parse::<i64>().ok()?;
                let key = self.w.store.konst(Const::Int(at));
                Some(self.set_index(frame, index, base, key, value))
            }
            (_, Const::Str(name)) => Some(self.set_attr(frame, index, base, *name, value)),
            (
                Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                },
                Const::Int(_),
            ) => {
                let name = self.const_text(&constant)?;
                Some(self.set_attr(frame, index, base, name, value))
            }
            _ => None,
        }
    }

    // Calls.

    /// `new callee(..)`
    pub(crate) fn construct(
        &mut self,
        frame: &mut Frame,
        index: u32,
        callee: V,
        args: &Args,
    ) -> Out {
        let mut out = Out::never();
        for atom in self.w.store.atoms_of(callee) {
            let one = match atom {
                Atom::Class { class, env } => self.instantiate(frame, index, class, env, args),
                Atom::Fn { function, env } | Atom::Method { function, env, .. } => {
                    self.constructed(frame, index, function, env, args)
                }
                Atom::Lib(path) => self.new_of_library(frame, index, path, args),
                Atom::Const(_) => continue,
                other => {
                    let callee = self.w.store.one(other);
                    self.call_value(frame, index, callee, args)
                }
            };
            out.ret = match (out.ret, one.ret) {
                (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                (a, b) => a.or(b),
            };
            out.afters.extend(one.afters);
        }
        out
    }

    /// An object with the properties of the function's prototype, filled by the function.
    fn constructed(
        &mut self,
        frame: &mut Frame,
        index: u32,
        f: FnId,
        env: EnvId,
        args: &Args,
    ) -> Out {
        let prototype = self.name("prototype");
        let fresh = match self.kept_by_function(Some(frame), f, prototype) {
            Some(v) => v,
            None => self.empty_object(),
        };
        let tier = CallTier::Exact;
        let got = self.call_function(frame, index, f, env, Some(fresh), args, tier);
        let Some(ret) = got.ret else {
            return Out::never();
        };
        let object = got.receiver.unwrap_or(fresh);
        let own = self.w.store.atoms(ret).any(|a| {
            matches!(
                a,
                Atom::Coll { .. } | Atom::Object { .. } | Atom::LibObject { .. } | Atom::Fn { .. }
            )
        });
        Out {
            ret: Some(if own { ret } else { object }),
            afters: got.afters,
            receiver: None,
        }
    }

    /// `callee.call(receiver, ..)` and `.apply`: what the receiver has become goes back to the argument.
    pub(crate) fn call_on(
        &mut self,
        frame: &mut Frame,
        index: u32,
        callee: &Atom,
        this: Option<(V, Option<u32>)>,
        args: &Args,
    ) -> Out {
        let mut out = match callee {
            Atom::Fn { function, env } | Atom::Method { function, env, .. } => {
                let receiver = match this {
                    Some((v, _)) if self.takes_receiver(*function) => Some(v),
                    _ => None,
                };
                let tier = CallTier::Value;
                self.call_function(frame, index, *function, *env, receiver, args, tier)
            }
            other => {
                let callee = self.w.store.one(other.clone());
                self.call_value(frame, index, callee, args)
            }
        };
        if let (Some(after), Some((_, Some(source)))) = (out.receiver.take(), this) {
            out.afters.push((source, after));
        }
        out
    }
}
