//! What the language itself does: operators that are calls in the IR, and the global objects whose results
//! depend on the make-up of their arguments. Everything else about libraries is in the models.

use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::label::{Link, Note};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Place;

impl Machine<'_> {
    /// Functions that the interpreter knows without a model.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per function reads best in one place"
    )]
    pub(crate) fn native_javascript(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        Some(Out::ret(match path {
            "<new>" => {
                let mut rest = args.clone();
                if !rest.pos.is_empty() {
                    rest.pos.remove(0);
                }
                return Some(self.construct(frame, index, first?, &rest));
            }
            "builtins.super" => self.super_of(frame)?,
            "<getter>" => {
                let class = self.n.property;
                let data = first?;
                let attrs = Box::default();
                self.w.store.one(Atom::LibObject { class, attrs, data })
            }
            "require" | "<import>" => self.required_by_name(frame, index, first?),
            "<typeof>" => self.type_of(first?),
            "<keys>" => self.keys_of(first?),
            "<jsx>" => return self.jsx(frame, index, args),
            "Object" => first.unwrap_or_else(|| self.empty_object()),
            "Object.keys" | "Object.getOwnPropertyNames" | "Reflect.ownKeys" => {
                self.keys_of(first?)
            }
            "Object.values" => self.values_of(frame, index, first?),
            "Object.entries" => self.entries_of(frame, index, first?),
            "Object.fromEntries" => {
                let empty = self.empty_object();
                self.filled_from(frame, index, empty, first?)
            }
            "Object.freeze"
            | "Object.seal"
            | "Object.preventExtensions"
            | "structuredClone"
            | "Object.getPrototypeOf" => first?,
            "Object.setPrototypeOf" => {
                let (object, prototype) = (first?, args.get(1, None)?);
                let v = self.merge_mapping(frame, index, prototype, object);
                return Some(changed(v, args));
            }
            "Object.create" => {
                let fields = args.get(1, None);
                let base = match self.w.store.constant(first?) {
                    Some(Const::None) => self.empty_object(),
                    _ => first?,
                };
                match fields {
                    Some(fields) => self.described(frame, index, base, fields),
                    None => base,
                }
            }
            "Object.assign" => {
                let mut out = first?;
                self.fields_assigned(frame, index, args);
                self.given_to_prototype(frame, index, args);
                for (v, _) in args.pos.iter().skip(1) {
                    out = self.merge_mapping(frame, index, out, *v);
                }
                if let Some(spread) = args.spread {
                    out = self.merge_mapping(frame, index, out, spread);
                }
                return Some(changed(out, args));
            }
            "Object.defineProperty" | "Reflect.defineProperty" => {
                let (base, key, description) = (first?, args.get(1, None)?, args.get(2, None)?);
                let value = self.value_of(frame, index, description);
                let v = self.set_index(frame, index, base, key, value);
                return Some(changed(v, args));
            }
            "Object.defineProperties" => {
                let v = self.described(frame, index, first?, args.get(1, None)?);
                return Some(changed(v, args));
            }
            "Reflect.get" => self.index(frame, index, first?, args.get(1, None)?),
            "Reflect.set" => {
                let (key, value) = (args.get(1, None)?, args.get(2, None)?);
                let v = self.set_index(frame, index, first?, key, value);
                let mut out = changed(v, args);
                out.ret = Some(self.w.store.konst(Const::Bool(true)));
                return Some(out);
            }
            "Reflect.apply" => {
                let this = args.pos.get(1).copied();
                let inner = self.applied(frame, index, args.get(2, None));
                let atoms = self.w.store.atoms_of(first?);
                let mut out = Out::never();
                for atom in atoms {
                    let one = self.call_on(frame, index, &atom, this, &inner);
                    out.ret = match (out.ret, one.ret) {
                        (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                        (a, b) => a.or(b),
                    };
                    out.afters.extend(one.afters);
                }
                return Some(out);
            }
            "Reflect.construct" => {
                let inner = self.applied(frame, index, args.get(1, None));
                return Some(self.construct(frame, index, first?, &inner));
            }
            "Array" | "Array.of" => {
                let size = match (path, &args.pos[..]) {
                    ("Array", [(v, _)]) => {
                        self.w.store.constant_str(*v).is_none() && self.w.store.deep(*v) == Ls::NONE
                    }
                    _ => false,
                };
                if size {
                    let unknown = self.w.store.unknown();
                    self.w.store.many(CollKind::List, unknown)
                } else {
                    let values: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
                    self.list_of(values, args.spread.unwrap_or(V::NEVER))
                }
            }
            "Array.from" => {
                let list = self.as_list(frame, index, first?);
                match args.get(1, None) {
                    Some(f) => {
                        return self.array_method(frame, index, list, "map", &Args::of(&[f]));
                    }
                    None => list,
                }
            }
            "Array.isArray" => {
                let mut answer = None;
                for atom in self.w.store.atoms(first?) {
                    let this = match atom {
                        Atom::Coll { kind, .. } => *kind != CollKind::Dict,
                        Atom::Const(_) | Atom::Text(_) | Atom::Fn { .. } => false,
                        _ => return Some(Out::ret(self.w.store.unknown())),
                    };
                    if answer.is_some_and(|a| a != this) {
                        return Some(Out::ret(self.w.store.unknown()));
                    }
                    answer = Some(this);
                }
                self.w.store.boolean(answer)
            }
            "JSON.stringify" => {
                let v = first?;
                let structured = self
                    .w
                    .store
                    .atoms(v)
                    .any(|a| matches!(a, Atom::Coll { .. } | Atom::Object { .. }));
                if !structured {
                    return None;
                }
                let class = self.name("<json>");
                let attrs = Box::default();
                self.w.store.one(Atom::LibObject {
                    class,
                    attrs,
                    data: v,
                })
            }
            "JSON.parse" => {
                let v = first?;
                let class = self.name("<json>");
                match self.w.store.only(v) {
                    Some(Atom::LibObject {
                        class: kind, data, ..
                    }) if *kind == class => *data,
                    _ => return None,
                }
            }
            "String" | "String.raw" if path == "String" => match first {
                Some(v) => self.as_text(frame, index, v),
                None => {
                    let empty = self.w.store.empty;
                    self.w.store.konst(Const::Str(empty))
                }
            },
            "Number" | "parseInt" | "parseFloat" | "Number.parseInt" | "Number.parseFloat" => {
                self.as_number(frame, index, path, first?)?
            }
            "Boolean" => {
                let truth = self.w.store.truth(first?);
                self.w.store.boolean(truth)
            }
            "String.fromCharCode" | "String.fromCodePoint" => {
                let mut out = String::new();
                for (v, _) in &args.pos {
                    let Some(Const::Int(i)) = self.w.store.constant(*v) else {
                        return None;
                    };
                    out.push(char::from_u32(u32::try_from(*i).ok()?)?);
                }
                let name = self.name(&out);
                self.w.store.konst(Const::Str(name))
            }
            "Symbol" | "Symbol.for" => {
                let shared = match (path, first) {
                    ("Symbol.for", Some(v)) => self
                        .w
                        .store
                        .constant_str(v)
                        .map(|n| self.text(n).to_string()),
                    _ => None,
                };
                let text = match shared {
                    Some(text) => format!("<symbol {text}>"),
                    None => format!("<symbol {}:{index}>", frame.f.0),
                };
                let name = self.name(&text);
                self.w.store.konst(Const::Str(name))
            }
            "Promise.resolve" => first.unwrap_or_else(|| self.w.store.none()),
            "Promise.reject" => {
                let function = self.p.function(frame.f);
                let v = first.unwrap_or_else(|| self.w.store.none());
                self.raise(frame, function, v);
                self.w.store.unknown()
            }
            "Promise.all" | "Promise.allSettled" => {
                let v = first?;
                match self.exact_items(v) {
                    Some(items) if path == "Promise.all" => self.list_of(items, V::NEVER),
                    _ => {
                        let element = self.element(frame, index, v);
                        self.w.store.many(CollKind::List, element)
                    }
                }
            }
            "Promise.race" | "Promise.any" => self.element(frame, index, first?),
            "util.promisify" | "util.callbackify" | "util.deprecate" => first?,
            "globalThis" => self.w.store.unknown(),
            _ => return None,
        }))
    }

    /// `new` of a name that the program does not define.
    pub(super) fn new_of_library(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: Name,
        args: &Args,
    ) -> Out {
        let text = self.text(path);
        match &*text {
            "Promise" => self.new_promise(frame, index, args),
            "Set" | "WeakSet" => {
                let v = match args.get(0, None) {
                    Some(v) if self.w.store.constant(v) != Some(&Const::None) => {
                        let element = self.element(frame, index, v);
                        let kind = CollKind::Set;
                        self.w.store.coll(kind, Vec::new(), element, Ls::NONE)
                    }
                    _ => self
                        .w
                        .store
                        .coll(CollKind::Set, Vec::new(), V::NEVER, Ls::NONE),
                };
                Out::ret(v)
            }
            "Map" | "WeakMap" => {
                let mut data = self.empty_object();
                if let Some(v) = args.get(0, None)
                    && self.w.store.constant(v) != Some(&Const::None)
                {
                    data = self.filled_from(frame, index, data, v);
                }
                let class = self.name("Map");
                let attrs = Box::default();
                Out::ret(self.w.store.one(Atom::LibObject { class, attrs, data }))
            }
            "Proxy" => {
                let v = args.get(0, None).unwrap_or_else(|| self.empty_object());
                let handler = args.get(1, None).unwrap_or_else(|| self.empty_object());
                Out::ret(self.proxied(v, handler))
            }
            "String" | "Number" | "Boolean" | "Object" | "Array" => {
                match self.native_javascript(frame, index, &text, args) {
                    Some(out) => out,
                    None => self.call_lib(frame, index, path, args),
                }
            }
            _ => self.call_lib(frame, index, path, args),
        }
    }

    /// `Object.assign(Class.prototype, { .. })`: its methods are called on instances.
    fn given_to_prototype(&mut self, frame: &Frame, index: u32, args: &Args) {
        let source = args.pos.first().and_then(|(_, source)| *source);
        let Some(source) = source else { return };
        let op = &self.p.function(frame.f).insts[source as usize].op;
        let solvent_ir::Op::Attr { name, .. } = op else {
            return;
        };
        if &*self.text(*name) != "prototype" {
            return;
        }
        let site = self.site(frame, index);
        for (v, _) in args.pos.iter().skip(1) {
            self.escape(*v, site, "the prototype of a class", 0);
        }
    }

    /// A target behind a handler: what `get` gives for any property, where the handler has one.
    fn proxied(&mut self, target: V, handler: V) -> V {
        let class = self.name("<proxy>");
        let name = self.name("<handler>");
        self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::new([(name, handler)]),
            data: target,
        })
    }

    /// What a promise is made of: everything that its executor hands to `resolve`.
    fn new_promise(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Out {
        let Some(executor) = args.get(0, None) else {
            return Out::ret(self.w.store.unknown());
        };
        let key = self.name(&format!("<promise {}:{index}>", frame.f.0));
        let value = self.name("<value>");
        let class = self.name("<resolve>");
        let at = self.w.store.konst(Const::Str(key));
        let resolve = self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::new([(self.n.path, at)]),
            data: V::NEVER,
        });
        let class = self.name("<reject>");
        let reject = self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::default(),
            data: V::NEVER,
        });
        let inner = Args::of(&[resolve, reject]);
        let got = self.call_value(frame, index, executor, &inner);
        let place = Place::LibAttr(key, value);
        let mut out = V::NEVER;
        for (at, _, v) in frame.effects.clone() {
            if at == place {
                out = self.w.store.join(out, v);
            }
        }
        if out == V::NEVER {
            out = match self.w.read(place) {
                Some(v) => v,
                None => self.w.store.unknown(),
            };
        }
        Out {
            ret: Some(out),
            afters: got.afters,
            receiver: None,
        }
    }

    /// A call of what an executor got as `resolve`.
    pub(crate) fn resolve(&mut self, frame: &mut Frame, index: u32, key: Name, args: &Args) -> Out {
        let value = self.name("<value>");
        let v = args.get(0, None).unwrap_or_else(|| self.w.store.none());
        let site = self.site(frame, index);
        frame.effects.push((Place::LibAttr(key, value), site, v));
        Out::ret(self.w.store.none())
    }

    pub(crate) fn super_of(&mut self, frame: &Frame) -> Option<V> {
        // The method that this function is, or that it stands in.
        let mut function = self.p.function(frame.f);
        let mut receiver = frame.args.first().copied();
        let mut own = true;
        while function.class.is_none() || !own && function.class.is_none() {
            let parent = function.parent?;
            function = self.p.function(self.p.fn_id(frame.unit, parent));
            receiver = None;
            own = false;
        }
        let class = self.p.class_id(frame.unit, function.class?);
        let this = self.name("this");
        let receiver = match receiver.filter(|_| self.takes_receiver(frame.f)) {
            Some(v) => v,
            None => {
                let captured = self
                    .w
                    .store
                    .env(frame.env)
                    .iter()
                    .find(|((_, name), _)| *name == this)
                    .map(|(_, v)| *v);
                match captured {
                    Some(v) => v,
                    None => self.open_object(class),
                }
            }
        };
        Some(self.w.store.one(Atom::Super { class, receiver }))
    }

    fn type_of(&mut self, v: V) -> V {
        let mut answer: Option<&str> = None;
        for atom in self.w.store.atoms(v) {
            let this = match atom {
                Atom::Const(Const::Str(_)) | Atom::Text(_) => "string",
                Atom::Const(Const::Int(_) | Const::Float(_)) => "number",
                Atom::Const(Const::Bool(_)) => "boolean",
                Atom::Fn { .. } | Atom::Method { .. } | Atom::Class { .. } => "function",
                Atom::Coll { .. } | Atom::Object { .. } => "object",
                _ => return self.w.store.unknown(),
            };
            if answer.is_some_and(|a| a != this) {
                return self.w.store.unknown();
            }
            answer = Some(this);
        }
        match answer {
            Some(text) => {
                let name = self.name(text);
                self.w.store.konst(Const::Str(name))
            }
            None => self.w.store.unknown(),
        }
    }

    /// The names of the properties, as a list.
    pub(crate) fn keys_of(&mut self, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => {
                    let names: Vec<V> = kids
                        .iter()
                        .map(|(k, _)| self.w.store.konst(k.clone()))
                        .collect();
                    let more = if rest == V::NEVER && keys == Ls::NONE {
                        V::NEVER
                    } else {
                        self.w.store.data(keys)
                    };
                    self.list_of(names, more)
                }
                Atom::Coll { kids, rest, .. } => {
                    let names: Vec<V> = (0..kids.len())
                        .map(|i| {
                            let name = self.name(&i.to_string());
                            self.w.store.konst(Const::Str(name))
                        })
                        .collect();
                    let more = if rest == V::NEVER {
                        V::NEVER
                    } else {
                        self.w.store.unknown()
                    };
                    self.list_of(names, more)
                }
                Atom::Object { attrs, .. } => {
                    let names: Vec<V> = attrs
                        .iter()
                        .map(|(n, _)| self.w.store.konst(Const::Str(*n)))
                        .collect();
                    let unknown = self.w.store.unknown();
                    self.list_of(names, unknown)
                }
                Atom::Const(_) => continue,
                other => {
                    let one = self.w.store.one(other);
                    let element = self.derive(one, &crate::label::Link::Keys);
                    self.w.store.many(CollKind::List, element)
                }
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER {
            let unknown = self.w.store.unknown();
            self.w.store.many(CollKind::List, unknown)
        } else {
            out
        }
    }

    /// Names and values of the properties, in their order, where they are all known.
    fn known_entries(&mut self, frame: &mut Frame, index: u32, v: V) -> Option<Vec<(V, V)>> {
        let site = self.site(frame, index);
        let atom = self.w.store.only(v)?.clone();
        let pairs: Vec<(Const, V)> = match &atom {
            Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } if *rest == V::NEVER && *keys == Ls::NONE => {
                let as_name = |k: &Const| match (kind, k) {
                    (CollKind::Dict, k) => k.clone(),
                    (_, Const::Int(i)) => Const::Str(self.name(&i.to_string())),
                    (_, k) => k.clone(),
                };
                kids.iter().map(|(k, v)| (as_name(k), *v)).collect()
            }
            Atom::Object { attrs, .. } => attrs.iter().map(|(n, v)| (Const::Str(*n), *v)).collect(),
            _ => return None,
        };
        let mut out = Vec::new();
        for (key, value) in pairs {
            let key = self.w.store.konst(key);
            let value = self.bound_to(frame, value, v, site);
            out.push((key, value));
        }
        Some(out)
    }

    fn values_of(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        if let Some(pairs) = self.known_entries(frame, index, v) {
            let values = pairs.into_iter().map(|(_, v)| v).collect();
            return self.list_of(values, V::NEVER);
        }
        let element = self.any_property(frame, index, v);
        self.w.store.many(CollKind::List, element)
    }

    fn entries_of(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        if let Some(pairs) = self.known_entries(frame, index, v) {
            let mut all = Vec::new();
            for (key, value) in pairs {
                all.push(self.list_of(vec![key, value], V::NEVER));
            }
            return self.list_of(all, V::NEVER);
        }
        let keys = self.keys_of(v);
        let key = self.element(frame, index, keys);
        let value = self.any_property(frame, index, v);
        let pair = self.list_of(vec![key, value], V::NEVER);
        self.w.store.many(CollKind::List, pair)
    }

    fn any_property(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut slot = Some(&mut *frame);
        match self.any_value(&mut slot, index, v) {
            Some(v) => v,
            None => self.w.store.unknown(),
        }
    }

    /// A mapping with the pairs of a list, or the entries of another mapping.
    pub(super) fn filled_from(&mut self, frame: &mut Frame, index: u32, base: V, v: V) -> V {
        let mut out = base;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                } => {
                    let one = self.w.store.one(atom);
                    out = self.merge_mapping(frame, index, out, one);
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    out = self.merge_mapping(frame, index, out, data);
                }
                Atom::Coll { kids, rest, .. } => {
                    let mut pairs: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
                    if rest != V::NEVER {
                        pairs.push(rest);
                    }
                    for pair in pairs {
                        let (zero, one) = (
                            self.w.store.konst(Const::Int(0)),
                            self.w.store.konst(Const::Int(1)),
                        );
                        let key = self.index(frame, index, pair, zero);
                        let value = self.index(frame, index, pair, one);
                        out = self.store_entry(out, key, value);
                    }
                }
                Atom::Const(_) => {}
                other => {
                    let one = self.w.store.one(other);
                    let labels = self.w.store.deep(one);
                    out = self.overlay(out, labels);
                }
            }
        }
        out
    }

    /// Stores under a key of whatever type, as a `Map` does.
    pub(crate) fn store_entry(&mut self, base: V, key: V, value: V) -> V {
        let single = self.w.store.only(base).is_some();
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(base) {
            let one = match atom {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => self.coll_store(kind, &kids, rest, keys, key, value, single),
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// Properties from their descriptions: `{x: {value: 1}}`.
    fn described(&mut self, frame: &mut Frame, index: u32, base: V, fields: V) -> V {
        let mut out = base;
        if let Some(pairs) = self.known_entries(frame, index, fields) {
            for (key, description) in pairs {
                let value = self.value_of(frame, index, description);
                out = self.set_index(frame, index, out, key, value);
            }
        }
        out
    }

    fn value_of(&mut self, frame: &mut Frame, index: u32, description: V) -> V {
        let site = self.site(frame, index);
        let (value, get) = (self.name("value"), self.name("get"));
        let key = self.w.store.konst(Const::Str(get));
        if self.has_key(description, key) {
            let data = self.index(frame, index, description, key);
            let class = self.n.property;
            let attrs = Box::default();
            return self.w.store.one(Atom::LibObject { class, attrs, data });
        }
        self.attr(frame, description, value, site)
    }

    /// The arguments that a list holds.
    pub(super) fn applied(&mut self, frame: &mut Frame, index: u32, list: Option<V>) -> Args {
        let Some(list) = list else {
            return Args::default();
        };
        match self.exact_items(list) {
            Some(items) => Args::of(&items),
            None => Args {
                spread: Some(self.element(frame, index, list)),
                ..Args::default()
            },
        }
    }

    pub(crate) fn list_of(&mut self, values: Vec<V>, rest: V) -> V {
        let kids = values
            .into_iter()
            .enumerate()
            .map(|(i, v)| (Const::Int(i as i64), v))
            .collect();
        self.w.store.coll(CollKind::List, kids, rest, Ls::NONE)
    }

    /// What `Array.from` and spreading make of an iterable.
    pub(super) fn as_list(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        if let Some(items) = self.exact_items(v) {
            return self.list_of(items, V::NEVER);
        }
        if let Some(name) = self.w.store.constant_str(v) {
            let text = self.text(name);
            if text.chars().count() <= 16 {
                let parts: Vec<V> = text
                    .chars()
                    .map(|c| {
                        let name = self.name(&c.to_string());
                        self.w.store.konst(Const::Str(name))
                    })
                    .collect();
                return self.list_of(parts, V::NEVER);
            }
        }
        let element = self.element(frame, index, v);
        self.w.store.many(CollKind::List, element)
    }

    /// The value as `String()` makes it.
    pub(super) fn as_text(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut out = V::NEVER;
        let v = self.stringify(frame, index, v);
        for pieces in self.pieces(v) {
            let one = self.w.store.text(pieces, self.names);
            let site = self.site(frame, index);
            let one = self.now_text(one, site);
            out = self.w.store.join(out, one);
        }
        out
    }

    /// A number: known where the text is, and harmless everywhere.
    fn as_number(&mut self, frame: &Frame, index: u32, path: &str, v: V) -> Option<V> {
        let mut out = V::NEVER;
        let Some(constants) = self.w.store.constants(v) else {
            // A number harms nowhere, but says which object is meant.
            let labels = self.w.store.deep(v);
            let (site, by) = (self.site(frame, index), self.name(path));
            let opaque = Transform::Opaque(path.to_owned());
            let labels = self.w.store.link_set(labels, &Link::Transform(opaque));
            let number = self.w.store.data(labels);
            let kinds = !self.m.of_numbers().0;
            return Some(
                self.w
                    .store
                    .clear(number, kinds, Note::Sanitized { site, by, kinds }),
            );
        };
        for c in constants {
            let number = match c {
                Const::Int(i) => Const::Int(i),
                Const::Float(bits) => Const::Float(bits),
                Const::Bool(b) => Const::Int(i64::from(b)),
                Const::Str(name) => match self.text(name).trim().parse() {
                    Ok(i) => Const::Int(i),
                    Err(_) => return Some(self.w.store.unknown()),
                },
                _ => return Some(self.w.store.unknown()),
            };
            let one = self.w.store.konst(number);
            out = self.w.store.join(out, one);
        }
        Some(out)
    }

    /// An element of JSX: a component is called with its properties, and an element of the page is text in
    /// which everything but `dangerouslySetInnerHTML` is escaped.
    fn jsx(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Option<Out> {
        let (kind, properties) = (args.get(0, None)?, args.get(1, None)?);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(kind) {
            let one = match atom {
                Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. } => {
                    let callee = self.w.store.one(atom);
                    let inner = Args::of(&[properties]);
                    self.call_value(frame, index, callee, &inner).ret
                }
                Atom::Class { class, env } => {
                    let inner = Args::of(&[properties]);
                    let made = self.instantiate(frame, index, class, env, &inner).ret?;
                    let props = self.name("props");
                    let made = self.set_attr(frame, index, made, props, properties);
                    let render = self.name("render");
                    let site = self.site(frame, index);
                    let method = self.attr(frame, made, render, site);
                    self.call_value(frame, index, method, &Args::default()).ret
                }
                Atom::Const(Const::Str(_)) => {
                    let path = self.name("react.createElement");
                    match self.path_member(path) {
                        Some(id) => self.apply_member(frame, index, id, None, args, false).ret,
                        None => None,
                    }
                }
                other => {
                    let what = "a component that is not known";
                    let receiver = self.w.store.one(other);
                    self.pass_through(frame, index, receiver, args, what).ret
                }
            };
            if let Some(one) = one {
                out = self.w.store.join(out, one);
            }
        }
        if out == V::NEVER {
            out = self.w.store.unknown();
        }
        Some(Out::ret(out))
    }
}

/// The first argument has become `v`, which is also what the call gives.
fn changed(v: V, args: &Args) -> Out {
    let mut out = Out::ret(v);
    if let Some((_, Some(source))) = args.pos.first() {
        out.afters.push((*source, v));
    }
    out
}
