//! Methods of what is no container: functions behind interfaces, optional values, iterators, threads, classes by
//! name, and objects whose class does not write the method.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

impl Machine<'_> {
    /// A method that the interpreter knows without a model.
    pub(crate) fn method_java(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let method = self.text(name);
        let method = &*method;
        let v = self.w.store.one(receiver.clone());
        match receiver {
            Atom::Coll {
                kind: CollKind::Dict,
                ..
            } => return self.map_method_java(frame, index, v, method, args),
            Atom::Coll { .. } => return self.list_method(frame, index, v, method, args),
            Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. } | Atom::Member { .. } => {
                return self.function_method_java(frame, index, receiver, method, args);
            }
            Atom::Const(Const::Str(text)) => {
                let text = self.text(*text).to_string();
                if let Some(v) = self.known_text(&text, method, args) {
                    return Some(Out::ret(v));
                }
            }
            Atom::Const(Const::Int(_) | Const::Float(_) | Const::Bool(_)) => {
                return Some(Out::ret(match method {
                    "toString" => self.joined(frame, index, v),
                    "intValue" | "longValue" | "booleanValue" | "doubleValue" => v,
                    _ => self.w.store.unknown(),
                }));
            }
            Atom::Object { .. } => {
                return self.object_method_java(frame, index, receiver, name, args);
            }
            Atom::Class { class, .. } => {
                let class = *class;
                return self.enumeration_method(class, method, args);
            }
            Atom::Super { receiver, .. } if method == "<init>" => {
                return self.library_constructor(*receiver, args);
            }
            Atom::LibObject { class, attrs, data } => {
                let class = self.text(*class).to_string();
                let path = self.path_of(attrs);
                let data = *data;
                return self.held_method(frame, index, &class, path, data, method, args);
            }
            _ => {}
        }
        if Self::is_text_atom(receiver)
            && let Some(v) = self.partly_known_text(frame, index, v, method, args)
        {
            return Some(Out::ret(v));
        }
        None
    }

    /// The one method of a functional interface, whatever it is called.
    fn function_method_java(
        &mut self,
        frame: &mut Frame,
        index: u32,
        function: &Atom,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let v = self.w.store.one(function.clone());
        match method {
            "negate" | "toString" | "hashCode" | "getClass" => {
                Some(Out::ret(self.w.store.unknown()))
            }
            "andThen" | "compose" | "thenComparing" | "and" | "or" => {
                let other = args.get(0, None)?;
                let class = self.name(&format!("<{method}>"));
                let attrs = Box::new([(self.name("<then>"), other)]);
                let data = v;
                Some(Out::ret(self.w.store.one(Atom::LibObject {
                    class,
                    attrs,
                    data,
                })))
            }
            _ => Some(self.call_value(frame, index, v, args)),
        }
    }

    fn object_method_java(
        &mut self,
        frame: &mut Frame,
        index: u32,
        object: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let Atom::Object { class, attrs, .. } = object else {
            return None;
        };
        let v = self.w.store.one(object.clone());
        let method = self.text(name);
        let count = args.pos.len();
        let run = |m: &mut Self, frame: &mut Frame, name: &str| {
            let name = m.name(name);
            let bound = m.bound_methods(object, *class, name, Some(0));
            (bound != V::NEVER).then(|| m.call_value(frame, index, bound, &Args::default()))
        };
        match (&*method, count) {
            ("start" | "fork" | "invoke", 0) => {
                return ["run", "call", "compute"]
                    .iter()
                    .find_map(|name| run(self, frame, name));
            }
            ("name" | "toString", 0) => {
                let own = self.constant_name(v);
                if self.w.store.constant(own).is_some() {
                    return Some(Out::ret(own));
                }
                if &*method == "toString" {
                    return Some(Out::ret(self.derive(v, &crate::label::Link::Value)));
                }
            }
            ("getMessage" | "getLocalizedMessage", 0) => {
                let message = self.name("<message>");
                let found = attrs.iter().find(|(n, _)| *n == message).map(|(_, v)| *v);
                return Some(Out::ret(found.unwrap_or_else(|| self.w.store.unknown())));
            }
            ("getClass", 0) => {
                let env = crate::value::EnvId::EMPTY;
                let class = self.w.store.one(Atom::Class { class: *class, env });
                return Some(Out::ret(self.object_of_library("java.lang.Class", class)));
            }
            ("hashCode" | "ordinal" | "compareTo" | "wait" | "notify" | "notifyAll", _) => {
                return Some(Out::ret(self.w.store.unknown()));
            }
            _ => {}
        }
        // What is generated from fields: `getX`, `isX`, `x`, `setX`.
        let site = self.site(frame, index);
        let field = |text: &str| {
            let mut letters = text.chars();
            letters
                .next()
                .map(|c| c.to_lowercase().chain(letters).collect::<String>())
        };
        if count == 0 {
            let plain = method.strip_prefix("get").or(method.strip_prefix("is"));
            let wanted = plain.and_then(field).unwrap_or_else(|| method.to_string());
            let wanted = self.name(&wanted);
            let known = attrs.iter().any(|(n, _)| *n == wanted)
                || self.data_of_form(v).is_some()
                || self.field_of(*class, wanted).is_some();
            if known {
                return Some(Out::ret(self.attr_of(frame, object.clone(), wanted, site)));
            }
        }
        if let (Some(wanted), 1) = (method.strip_prefix("set").and_then(field), count) {
            let wanted = self.name(&wanted);
            let value = args.get(0, None)?;
            let after = self.set_attr(frame, index, v, wanted, value);
            return Some(Out {
                ret: Some(after),
                afters: Vec::new(),
                receiver: Some(after),
            });
        }
        None
    }

    fn enumeration_method(
        &mut self,
        class: crate::link::ClassId,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let own = self.name("<name>");
        let mut constants: Vec<(Name, V)> = Vec::new();
        for name in self.declared_fields(class) {
            let place = crate::world::Place::ClassAttr(class, name);
            if let Some(v) = self.w.read(place)
                && self.w.store.atoms(v).any(|a| {
                    matches!(a, Atom::Object { attrs, .. } if attrs.iter().any(|(n, _)| *n == own))
                })
                && !constants.iter().any(|(n, _)| *n == name)
            {
                constants.push((name, v));
            }
        }
        match method {
            "values" => {
                let items = constants.into_iter().map(|(_, v)| v).collect();
                Some(Out::ret(self.list_of(items, V::NEVER)))
            }
            "valueOf" => {
                let wanted = args.get(0, None)?;
                let mut out = V::NEVER;
                let known = self.w.store.constant_str(wanted);
                for (name, v) in constants {
                    if known.is_none_or(|known| known == name) {
                        out = self.w.store.join(out, v);
                    }
                }
                (out != V::NEVER).then(|| Out::ret(out))
            }
            _ => None,
        }
    }

    /// `super(..)` of a class of a library: exceptions keep their message.
    fn library_constructor(&mut self, receiver: V, args: &Args) -> Option<Out> {
        let message = self.name("<message>");
        let none = self.w.store.none();
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(receiver) {
            all.push(match (atom, args.get(0, None)) {
                (Atom::Object { class, attrs, open }, Some(v)) => {
                    let attrs = self.with_attr(&attrs, message, v, true);
                    Atom::Object { class, attrs, open }
                }
                (other, _) => other,
            });
        }
        let after = self.w.store.bounded_value(all);
        Some(Out {
            ret: Some(none),
            afters: Vec::new(),
            receiver: Some(after),
        })
    }

    /// Methods of objects that hold what they were made from.
    #[expect(clippy::too_many_arguments, reason = "the parts of a call")]
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per class reads best in one place"
    )]
    fn held_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: &str,
        path: Option<Name>,
        data: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        let count = args.pos.len();
        let unknown = self.w.store.unknown();
        let none = Args::default();
        match class {
            "java.lang.StringBuilder" => self.builder_method(frame, index, data, method, args),
            "<method>" => {
                let path = path?;
                Some(self.call_reference(frame, index, path, args))
            }
            "java.util.Optional" => Some(match (method, count) {
                ("get" | "orElseThrow" | "getAsInt" | "stream", _) => Out::ret(data),
                ("orElse", 1) => Out::ret(self.or_else(data, first?)),
                ("orElseGet", 1) => {
                    let got = self.call_value(frame, index, first?, &none);
                    let other = got.ret.unwrap_or(unknown);
                    Out::ret(self.or_else(data, other))
                }
                ("map" | "flatMap" | "filter" | "ifPresent" | "ifPresentOrElse" | "or", _) => {
                    if self.w.store.constant(data) == Some(&Const::None) {
                        return Some(Out::ret(self.object_of_library(class, data)));
                    }
                    let got = self.call_value(frame, index, first?, &Args::of(&[data]));
                    let ret = got.ret.unwrap_or(unknown);
                    let inner = match method {
                        "map" => ret,
                        "filter" => {
                            if self.w.store.truth(ret) == Some(false) {
                                self.w.store.none()
                            } else {
                                data
                            }
                        }
                        "flatMap" => self.object_data(ret),
                        _ => data,
                    };
                    Out {
                        ret: Some(self.object_of_library(class, inner)),
                        afters: got.afters,
                        receiver: None,
                    }
                }
                ("isPresent" | "isEmpty", 0) => {
                    let absent = self.w.store.constant(data) == Some(&Const::None);
                    let sure = absent || self.w.store.constants(data).is_some();
                    let yes = sure.then_some((method == "isPresent") != absent);
                    Out::ret(self.w.store.boolean(yes))
                }
                _ => return None,
            }),
            "java.util.Iterator" => Some(match (method, count) {
                ("next" | "nextElement" | "previous", 0) => {
                    let (ret, left) = match self.exact_items(data) {
                        Some(items) if !items.is_empty() => {
                            let rest = items[1..].to_vec();
                            (items[0], self.list_of(rest, V::NEVER))
                        }
                        _ => (self.element(frame, index, data), data),
                    };
                    let after = self.object_of_library(class, left);
                    Out {
                        ret: Some(ret),
                        afters: Vec::new(),
                        receiver: Some(after),
                    }
                }
                ("hasNext" | "hasMoreElements", 0) => {
                    let yes = self.exact_items(data).map(|items| !items.is_empty());
                    Out::ret(self.w.store.boolean(yes))
                }
                ("forEachRemaining", 1) => {
                    return self.list_method(frame, index, data, "forEach", args);
                }
                _ => return None,
            }),
            "java.lang.Thread" | "java.util.concurrent.FutureTask" => Some(match method {
                "start" | "run" => {
                    let mut out = self.run_task(frame, index, data);
                    if let Some(ret) = out.ret {
                        let after = self.object_of_library("<done>", ret);
                        out.receiver = Some(after);
                    }
                    out
                }
                _ => Out::ret(unknown),
            }),
            "<future>" => self.future_method(frame, index, data, method, args),
            "<done>" => Some(Out::ret(if method == "get" { data } else { unknown })),
            "java.util.concurrent.ExecutorService" => match method {
                "submit"
                | "execute"
                | "schedule"
                | "invokeAny"
                | "invoke"
                | "scheduleAtFixedRate"
                | "scheduleWithFixedDelay" => {
                    let mut out = self.run_task(frame, index, first?);
                    let ret = out.ret.unwrap_or(unknown);
                    out.ret = Some(self.object_of_library("<done>", ret));
                    out.receiver = None;
                    Some(out)
                }
                "invokeAll" => {
                    let tasks = self.items_or_element(frame, index, first?);
                    let mut results = Vec::new();
                    for task in tasks {
                        let got = self.run_task(frame, index, task);
                        let ret = got.ret.unwrap_or(unknown);
                        results.push(self.object_of_library("<done>", ret));
                    }
                    Some(Out::ret(self.list_of(results, V::NEVER)))
                }
                _ => Some(Out::ret(unknown)),
            },
            "<box>" => Some(match (method, count) {
                ("get" | "getPlain" | "getAcquire", 0) => Out::ret(data),
                ("set" | "lazySet" | "getAndSet", 1) => {
                    let after = self.object_of_library(class, first?);
                    Out {
                        ret: Some(data),
                        afters: Vec::new(),
                        receiver: Some(after),
                    }
                }
                ("compareAndSet", 2) => {
                    let both = self.w.store.join(data, args.get(1, None)?);
                    let after = self.object_of_library(class, both);
                    Out {
                        ret: Some(unknown),
                        afters: Vec::new(),
                        receiver: Some(after),
                    }
                }
                ("remove", 0) => {
                    let nothing = self.w.store.none();
                    let after = self.object_of_library(class, nothing);
                    Out {
                        ret: Some(unknown),
                        afters: Vec::new(),
                        receiver: Some(after),
                    }
                }
                _ => Out::ret(self.derive(data, &crate::label::Link::Value)),
            }),
            "java.lang.Class" => Some(match method {
                "newInstance" | "getDeclaredConstructor" | "getConstructor" | "cast" => {
                    if method == "newInstance" {
                        return Some(self.call_value(frame, index, data, &none));
                    }
                    if method == "cast" {
                        return Some(Out::ret(first?));
                    }
                    Out::ret(self.object_of_library("<constructor>", data))
                }
                "getMethod" | "getDeclaredMethod" | "getField" | "getDeclaredField" => {
                    let class = if method.ends_with("Method") {
                        "<reflected>"
                    } else {
                        "<field>"
                    };
                    let class = self.name(class);
                    let attrs = Box::new([(self.n.path, first?)]);
                    Out::ret(self.w.store.one(Atom::LibObject { class, attrs, data }))
                }
                _ => Out::ret(unknown),
            }),
            "<constructor>" => Some(match method {
                "newInstance" => self.call_value(frame, index, data, args),
                _ => Out::ret(unknown),
            }),
            "<reflected>" if method == "invoke" => {
                let name = path?;
                let mut inner = args.clone();
                let (target, source) = inner.pos.first().copied()?;
                inner.pos.remove(0);
                if let [(only, _)] = inner.pos[..]
                    && let Some(items) = self.exact_items(only)
                {
                    inner.pos = items.into_iter().map(|v| (v, None)).collect();
                }
                let is_static = self.w.store.constant(target) == Some(&Const::None);
                let base = if is_static { data } else { target };
                let site = self.site(frame, index);
                let callee = self.callee_java(frame, base, name, site, inner.pos.len());
                let mut out = self.call_value(frame, index, callee, &inner);
                if let (Some(after), Some(source)) = (out.receiver.take(), source) {
                    out.afters.push((source, after));
                }
                Some(out)
            }
            "<field>" => {
                let name = path?;
                match method {
                    "get" => Some(Out::ret({
                        let site = self.site(frame, index);
                        self.attr(frame, first?, name, site)
                    })),
                    "set" => {
                        let (target, source) = args.pos.first().copied()?;
                        let after = self.set_attr(frame, index, target, name, args.get(1, None)?);
                        Some(Out {
                            ret: Some(unknown),
                            afters: source.map(|s| (s, after)).into_iter().collect(),
                            receiver: None,
                        })
                    }
                    _ => Some(Out::ret(unknown)),
                }
            }
            "<reflected>" => Some(Out::ret(unknown)),
            _ => None,
        }
    }

    /// A future is what it will be.
    fn future_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        data: V,
        method: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        let unknown = self.w.store.unknown();
        let held = if data == V::NEVER { unknown } else { data };
        if matches!(method, "get" | "join" | "getNow" | "resultNow") {
            return Some(Out::ret(held));
        }
        if method == "complete" {
            let after = self.object_of_library("<future>", first?);
            return Some(Out {
                ret: Some(unknown),
                afters: Vec::new(),
                receiver: Some(after),
            });
        }
        let name = method.strip_suffix("Async").unwrap_or(method);
        let inner = match name {
            "thenApply" | "thenAccept" | "thenCompose" => Args::of(&[held]),
            "thenRun" => Args::default(),
            "handle" | "whenComplete" => Args::of(&[held, unknown]),
            "exceptionally" => Args::of(&[unknown]),
            "thenCombine" | "thenAcceptBoth" => {
                let other = self.object_data(first?);
                Args::of(&[held, other])
            }
            _ => return Some(Out::ret(unknown)),
        };
        let callback = if matches!(name, "thenCombine" | "thenAcceptBoth") {
            args.get(1, None)?
        } else {
            first?
        };
        let got = self.call_value(frame, index, callback, &inner);
        let ret = got.ret.unwrap_or(unknown);
        let ret = match name {
            "whenComplete" => held,
            "exceptionally" => self.w.store.join(held, ret),
            "thenCompose" => self.object_data(ret),
            _ => ret,
        };
        Some(Out {
            ret: Some(self.object_of_library("<future>", ret)),
            afters: got.afters,
            receiver: None,
        })
    }

    fn or_else(&mut self, v: V, other: V) -> V {
        match self.w.store.constant(v) {
            Some(Const::None) => other,
            _ if self.w.store.constants(v).is_some() => v,
            _ if self.w.store.deep(v) == Ls::NONE && v != self.w.store.unknown() => v,
            _ => self.w.store.join(v, other),
        }
    }

    /// Runs a task: a function, or an object with `run` or `call`.
    pub(super) fn run_task(&mut self, frame: &mut Frame, index: u32, task: V) -> Out {
        let mut out = Out::default();
        for atom in self.w.store.atoms_of(task) {
            let got = match &atom {
                Atom::Object { class, .. } => {
                    let class = *class;
                    let mut got = None;
                    for name in ["run", "call", "get", "compute"] {
                        let name = self.name(name);
                        let bound = self.bound_methods(&atom, class, name, Some(0));
                        if bound != V::NEVER {
                            got = Some(self.call_value(frame, index, bound, &Args::default()));
                            break;
                        }
                    }
                    got.unwrap_or_else(|| Out::ret(self.w.store.unknown()))
                }
                Atom::LibObject { data, .. } if *data != V::NEVER => {
                    let data = *data;
                    self.run_task(frame, index, data)
                }
                _ => {
                    let one = self.w.store.one(atom);
                    self.call_value(frame, index, one, &Args::default())
                }
            };
            out.ret = match (out.ret, got.ret) {
                (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                (a, b) => a.or(b),
            };
            out.afters.extend(got.afters);
        }
        out
    }
}
