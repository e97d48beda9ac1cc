//! Methods of sets, maps, generators, functions, plain objects and promises, whose results depend on the
//! make-up of what they are called on.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

impl Machine<'_> {
    /// A method that the interpreter knows without a model.
    pub(crate) fn method_javascript(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let method = self.text(name);
        if let Some(out) = self.event_method(frame, index, receiver, &method, args) {
            return Some(out);
        }
        match receiver {
            Atom::Fn { .. }
            | Atom::Method { .. }
            | Atom::Class { .. }
            | Atom::Lib(_)
            | Atom::Partial { .. }
            | Atom::Member { .. }
                if matches!(&*method, "call" | "apply" | "bind") =>
            {
                return self.function_method(frame, index, receiver, &method, args);
            }
            Atom::Coll {
                kind: CollKind::Dict,
                ..
            } => {
                return self.object_method(receiver, &method, args);
            }
            Atom::Coll {
                kind: CollKind::Iter,
                rest,
                ..
            } if &*method == "next" || &*method == "return" => {
                return Some(Out::ret(self.turn_of(*rest)));
            }
            Atom::Coll { kind, .. } => {
                let v = self.w.store.one(receiver.clone());
                if *kind == CollKind::Set
                    && let Some(out) = self.set_method(frame, index, receiver, &method, args)
                {
                    return Some(out);
                }
                if let Some(out) = self.array_method(frame, index, v, &method, args) {
                    return Some(out);
                }
            }
            Atom::LibObject { class, data, attrs } => match &*self.text(*class) {
                "Map" => return self.map_method(frame, index, receiver, *data, &method, args),
                "<proxy>" => {
                    let _ = attrs;
                    let data = *data;
                    let site = self.site(frame, index);
                    let callee = self.callee_of(frame, data, name, site);
                    return Some(self.call_value(frame, index, callee, args));
                }
                _ => {}
            },
            Atom::Const(Const::Str(text)) => {
                let text = self.text(*text).to_string();
                if let Some(v) = self.text_javascript(frame, index, &text, &method, args) {
                    return Some(Out::ret(v));
                }
            }
            Atom::Text(_) | Atom::Data(_) => {
                let v = self.w.store.one(receiver.clone());
                self.sinks_of_text(frame, index, v, name, args);
                if let Some(v) = self.parts_javascript(frame, index, v, &method, args) {
                    return Some(Out::ret(v));
                }
            }
            Atom::Const(Const::Int(_) | Const::Float(_) | Const::Bool(_)) => {
                if matches!(&*method, "toString" | "toFixed" | "valueOf") {
                    let v = self.w.store.one(receiver.clone());
                    return Some(Out::ret(self.as_text(frame, index, v)));
                }
            }
            _ => {}
        }
        self.promise_method(frame, index, receiver, &method, args)
    }

    /// `then`, `catch` and `finally`: a promise is what it is resolved with.
    fn promise_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        if !matches!(method, "then" | "catch" | "finally") {
            return None;
        }
        if let Atom::Object { .. } = receiver {
            return None;
        }
        let v = self.w.store.one(receiver.clone());
        let unknown = self.w.store.unknown();
        // What was raised on the way here, by whatever was called.
        let mut rejected = self.w.store.join(unknown, frame.raised);
        for v in frame.caught.clone().into_values() {
            rejected = self.w.store.join(rejected, v);
        }
        let mut out = V::NEVER;
        let callbacks: Vec<(Option<V>, Args)> = match method {
            "then" => vec![
                (args.get(0, None), Args::of(&[v])),
                (args.get(1, None), Args::of(&[rejected])),
            ],
            "catch" => vec![(args.get(0, None), Args::of(&[rejected]))],
            _ => vec![(args.get(0, None), Args::default())],
        };
        if method != "then" {
            out = v;
        }
        let mut afters = Vec::new();
        for (callback, inner) in callbacks {
            let Some(callback) = callback else { continue };
            if !self.is_callable(callback) {
                continue;
            }
            let got = self.call_value(frame, index, callback, &inner);
            afters.extend(got.afters);
            if let Some(ret) = got.ret
                && method != "finally"
            {
                out = self.w.store.join(out, ret);
            }
        }
        if out == V::NEVER {
            out = v;
        }
        Some(Out {
            ret: Some(out),
            afters,
            receiver: None,
        })
    }

    pub(super) fn is_callable(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).any(|a| {
                matches!(
                    a,
                    Atom::Fn { .. }
                        | Atom::Method { .. }
                        | Atom::Partial { .. }
                        | Atom::Lib(_)
                        | Atom::Member { .. }
                        | Atom::LibObject { .. }
                        | Atom::Class { .. }
                )
            })
    }

    fn function_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        callee: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let this = args.pos.first().copied();
        let mut rest = args.clone();
        if !rest.pos.is_empty() {
            rest.pos.remove(0);
        }
        match method {
            "call" => Some(self.call_on(frame, index, callee, this, &rest)),
            "apply" => {
                let inner = self.applied(frame, index, args.get(1, None));
                Some(self.call_on(frame, index, callee, this, &inner))
            }
            _ => {
                let bound = match (callee, this) {
                    (
                        Atom::Fn { function, env } | Atom::Method { function, env, .. },
                        Some((receiver, _)),
                    ) if self.takes_receiver(*function) => Atom::Method {
                        function: *function,
                        env: *env,
                        receiver,
                    },
                    (other, _) => (*other).clone(),
                };
                let bound = self.w.store.one(bound);
                if rest.pos.is_empty() {
                    return Some(Out::ret(bound));
                }
                let first: Vec<V> = rest.pos.iter().map(|(v, _)| *v).collect();
                Some(Out::ret(self.w.store.one(Atom::Partial {
                    function: bound,
                    args: first.into(),
                    named: Box::default(),
                })))
            }
        }
    }

    /// What a plain object inherits.
    fn object_method(&mut self, receiver: &Atom, method: &str, args: &Args) -> Option<Out> {
        match method {
            "hasOwnProperty" | "propertyIsEnumerable" => {
                let v = self.w.store.one(receiver.clone());
                let key = args.get(0, None)?;
                let known = self.has_key(v, key);
                Some(Out::ret(if known {
                    self.w.store.boolean(Some(true))
                } else {
                    self.w.store.unknown()
                }))
            }
            "valueOf" => Some(Out::ret(self.w.store.one(receiver.clone()))),
            _ => None,
        }
    }

    /// `{value, done}`
    fn turn_of(&mut self, element: V) -> V {
        let value = if element == V::NEVER {
            self.w.store.none()
        } else {
            element
        };
        let done = self.w.store.unknown();
        let kids = vec![
            (Const::Str(self.name("value")), value),
            (Const::Str(self.name("done")), done),
        ];
        self.w.store.coll(CollKind::Dict, kids, V::NEVER, Ls::NONE)
    }

    fn set_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let Atom::Coll {
            kids, rest, keys, ..
        } = receiver
        else {
            return None;
        };
        let all = self.coll_all(kids, *rest);
        match method {
            "add" => {
                let v = args.get(0, None)?;
                let all = self.w.store.join(all, v);
                let kind = CollKind::Set;
                let after = self.w.store.coll(kind, Vec::new(), all, *keys);
                Some(Out {
                    ret: Some(after),
                    afters: Vec::new(),
                    receiver: Some(after),
                })
            }
            "delete" => Some(Out::ret(self.w.store.unknown())),
            "clear" => {
                let kind = CollKind::Set;
                let empty = self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE);
                Some(Out {
                    ret: Some(self.w.store.none()),
                    afters: Vec::new(),
                    receiver: Some(empty),
                })
            }
            "has" => Some(Out::ret(self.w.store.unknown())),
            "values" | "keys" => Some(Out::ret(self.w.store.many(CollKind::List, all))),
            "entries" => {
                let pair = self.list_of(vec![all, all], V::NEVER);
                Some(Out::ret(self.w.store.many(CollKind::List, pair)))
            }
            "forEach" => {
                let inner = Args::of(&[all, all]);
                let callback = args.get(0, None)?;
                if all != V::NEVER {
                    self.call_value(frame, index, callback, &inner);
                }
                Some(Out::ret(self.w.store.none()))
            }
            _ => None,
        }
    }

    fn map_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        data: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let Atom::LibObject { class, attrs, .. } = receiver else {
            return None;
        };
        let mut now = data;
        let ret = match method {
            "set" => {
                let (key, value) = (args.get(0, None)?, args.get(1, None)?);
                now = self.store_entry(data, key, value);
                let attrs = attrs.clone();
                self.w.store.one(Atom::LibObject {
                    class: *class,
                    attrs,
                    data: now,
                })
            }
            "get" => {
                let key = args.get(0, None)?;
                self.entry_of(data, key)
            }
            "has" => self.w.store.unknown(),
            "delete" => {
                now = self.del_index(data, args.get(0, None)?);
                self.w.store.unknown()
            }
            "clear" => {
                now = self.empty_object();
                self.w.store.none()
            }
            "keys" => self.keys_of(data),
            "values" | "entries" => {
                let path = if method == "values" {
                    "Object.values"
                } else {
                    "Object.entries"
                };
                return self.native_javascript(frame, index, path, &Args::of(&[data]));
            }
            "forEach" => {
                let callback = args.get(0, None)?;
                let inner = Args::of(&[data]);
                let pairs = self
                    .native_javascript(frame, index, "Object.entries", &inner)?
                    .ret?;
                let pairs = match self.exact_items(pairs) {
                    Some(items) => items,
                    None => vec![self.element(frame, index, pairs)],
                };
                for pair in pairs {
                    let (zero, one) = (
                        self.w.store.konst(Const::Int(0)),
                        self.w.store.konst(Const::Int(1)),
                    );
                    let key = self.index(frame, index, pair, zero);
                    let value = self.index(frame, index, pair, one);
                    self.call_value(frame, index, callback, &Args::of(&[value, key]));
                }
                self.w.store.none()
            }
            _ => return None,
        };
        let after = self.w.store.one(Atom::LibObject {
            class: *class,
            attrs: attrs.clone(),
            data: now,
        });
        Some(Out {
            ret: Some(ret),
            afters: Vec::new(),
            receiver: (now != data).then_some(after),
        })
    }

    fn entry_of(&mut self, data: V, key: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(data) {
            if let Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } = atom
            {
                let one = self.coll_index(kind, &kids, rest, keys, key);
                out = self.w.store.join(out, one);
            }
        }
        if out == V::NEVER {
            self.w.store.unknown()
        } else {
            out
        }
    }
}
