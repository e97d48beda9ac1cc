//! What the language itself does: builtins and methods of builtin types that constants and function
//! values go through. Everything else about libraries is in the models.

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::{Args, Out};
use crate::link::Target;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, Ls, V};

mod collection;
mod named;
mod place;
pub(crate) mod template;
mod text;

pub(crate) use collection::every;

impl Machine<'_> {
    /// Functions that the interpreter knows without a model.
    pub(crate) fn native(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        if let Some(v) = self
            .in_the_tree(frame, path, args)
            .or_else(|| self.jinja_environment(path, args))
        {
            return Some(Out::ret(v));
        }
        if let Some(out) = self.of_names(frame, index, path, args) {
            return Some(out);
        }
        Some(Out::ret(match path {
            _ if path.ends_with(".__new__") && !args.pos.is_empty() => {
                self.new_instance(frame, index, args)?
            }
            "builtins.type" if args.pos.len() == 3 => self.made_class(frame, index, args)?,
            "builtins.super" => self.super_value(frame, args)?,
            "builtins.getattr" => {
                let wanted = args.get(1, None)?;
                let base = first?;
                let site = self.site(frame, index);
                let Some(names) = self.w.store.constants(wanted) else {
                    let found = self.attributes_like(frame, base, wanted, site)?;
                    return Some(Out::ret(found));
                };
                let names: Vec<Name> = names
                    .into_iter()
                    .filter_map(|c| match c {
                        Const::Str(name) => Some(name),
                        _ => None,
                    })
                    .collect();
                let mut out = V::NEVER;
                for name in names {
                    let one = self.attr(frame, base, name, site);
                    out = self.w.store.join(out, one);
                }
                if let Some(default) = args.get(2, None) {
                    out = self.w.store.join(out, default);
                }
                out
            }
            "builtins.len" => {
                let v = self.held_in_only(first?).or(first)?;
                let count = match self.w.store.only(v)? {
                    Atom::Const(Const::Str(name)) => self.text(*name).chars().count(),
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys,
                    } if *rest == V::NEVER && *keys == Ls::NONE && *kind != CollKind::Set => {
                        kids.len()
                    }
                    _ => return None,
                };
                self.w.store.konst(Const::Int(count as i64))
            }
            "builtins.str" if args.pos.len() == 1 => {
                let v = self.stringify(frame, index, first?);
                let all = self.pieces(v);
                let mut out = V::NEVER;
                for pieces in all {
                    let one = self.w.store.text(pieces, self.names);
                    let site = self.site(frame, index);
                    let one = self.now_text(one, site);
                    out = self.w.store.join(out, one);
                }
                out
            }
            "jinja2.get" => self.item_or_attribute(frame, index, first?, args.get(1, None)?),
            "builtins.str" if args.pos.is_empty() => {
                let empty = self.w.store.empty;
                self.w.store.konst(Const::Str(empty))
            }
            "builtins.int" if args.pos.len() == 1 => {
                let constants = self.w.store.constants(first?)?;
                let mut out = V::NEVER;
                for c in constants {
                    let i = match c {
                        Const::Int(i) => i,
                        Const::Bool(b) => i64::from(b),
                        Const::Str(name) => self.text(name).trim().parse().ok()?,
                        _ => return None,
                    };
                    let c = self.w.store.konst(Const::Int(i));
                    out = self.w.store.join(out, c);
                }
                out
            }
            "builtins.bool" => {
                let truth = self.w.store.truth(first?);
                self.w.store.boolean(truth)
            }
            "builtins.chr" => match self.w.store.constant(first?)? {
                Const::Int(i) => {
                    let c = char::from_u32(u32::try_from(*i).ok()?)?;
                    let name = self.name(&c.to_string());
                    self.w.store.konst(Const::Str(name))
                }
                _ => return None,
            },
            "builtins.ord" => {
                let name = self.w.store.constant_str(first?)?;
                let mut chars = self.text(name).chars().collect::<Vec<_>>().into_iter();
                let (c, rest) = (chars.next()?, chars.next());
                if rest.is_some() {
                    return None;
                }
                self.w.store.konst(Const::Int(i64::from(u32::from(c))))
            }
            "builtins.dict" => {
                let mut out = self
                    .w
                    .store
                    .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE);
                if let Some(v) = first {
                    out = self.dict_from(frame, index, v);
                }
                for (name, v, _) in &args.named {
                    let key = self.w.store.konst(Const::Str(*name));
                    out = self.set_index(frame, index, out, key, *v);
                }
                if let Some(rest) = args.keywords {
                    let unknown = self.w.store.unknown();
                    out = self.set_index(frame, index, out, unknown, rest);
                }
                out
            }
            "builtins.list" | "builtins.tuple" | "builtins.set" if args.pos.is_empty() => {
                let kind = match path {
                    "builtins.list" => CollKind::List,
                    "builtins.tuple" => CollKind::Tuple,
                    _ => CollKind::Set,
                };
                self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE)
            }
            "builtins.list" | "builtins.tuple" => {
                let kind = if path == "builtins.list" {
                    CollKind::List
                } else {
                    CollKind::Tuple
                };
                match self.exact_items(first?) {
                    Some(items) => {
                        let kids = items
                            .into_iter()
                            .enumerate()
                            .map(|(i, v)| (Const::Int(i as i64), v))
                            .collect();
                        self.w.store.coll(kind, kids, V::NEVER, Ls::NONE)
                    }
                    None => {
                        let element = self.element(frame, index, first?);
                        self.w.store.many(kind, element)
                    }
                }
            }
            "builtins.range" if self.is_empty_range(args) => {
                self.w
                    .store
                    .coll(CollKind::Tuple, Vec::new(), V::NEVER, Ls::NONE)
            }
            "builtins.range" => {
                let end = args.get(1, None).or(first)?;
                self.arrives(frame, index, path, end);
                let numbers: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
                if args.spread.is_none()
                    && let Some(v) = self.short_range(&numbers)
                {
                    return Some(Out::ret(v));
                }
                let unknown = self.w.store.unknown();
                self.w.store.many(CollKind::Iter, unknown)
            }
            "builtins.isinstance"
            | "builtins.issubclass"
            | "builtins.callable"
            | "builtins.hasattr"
            | "builtins.print" => self.w.store.unknown(),
            "builtins.type" => {
                let mut out = V::NEVER;
                for atom in self.w.store.atoms_of(first?) {
                    let one = match atom {
                        Atom::Object { class, .. } => self.w.store.one(Atom::Class {
                            class,
                            env: EnvId::EMPTY,
                        }),
                        _ => self.w.store.unknown(),
                    };
                    out = self.w.store.join(out, one);
                }
                out
            }
            "builtins.setattr" | "builtins.object.__setattr__" => {
                let (base, name, value) = (first?, args.get(1, None)?, args.get(2, None)?);
                self.attribute_named(frame, index, args);
                let v = match self.w.store.constant_str(name) {
                    Some(name) => self.set_attr(frame, index, base, name, value),
                    None => self.set_under_some(frame, index, base, name, value),
                };
                let mut out = Out::ret(self.w.store.none());
                if let Some((_, Some(source))) = args.pos.first() {
                    out.afters.push((*source, v));
                }
                return Some(out);
            }
            "builtins.vars" if args.count() == 1 => {
                let dict = self.name("__dict__");
                let site = self.site(frame, index);
                let v = first?;
                let is_object = |a: &Atom| matches!(a, Atom::Object { .. });
                if !self.w.store.atoms(v).all(is_object) {
                    return None;
                }
                self.attr(frame, v, dict, site)
            }
            "os.getenv" => self.variable_written(frame, index, args)?,
            "importlib.import_module" | "builtins.__import__" => {
                let v = first?;
                match self.constant_texts(v) {
                    Some(list) => {
                        let mut out = V::NEVER;
                        for text in list {
                            let level = text.chars().take_while(|c| *c == '.').count() as u32;
                            let module = text.trim_start_matches('.');
                            let one = match self.p.resolve(frame.unit, module, level, self.names) {
                                Target::Unit(unit) => {
                                    self.ensure_module(unit);
                                    self.w.store.one(Atom::Module(unit))
                                }
                                Target::Namespace(path) => {
                                    let path = self.name(&path);
                                    self.w.store.one(Atom::Namespace(path))
                                }
                                Target::Library(path) => {
                                    let path = self.name(&path);
                                    self.lib_value(path)
                                }
                            };
                            out = self.w.store.join(out, one);
                        }
                        out
                    }
                    None => self.modules_like(v),
                }
            }
            "functools.partial" | "functools.partialmethod" => {
                let rest: Vec<V> = args.pos.iter().skip(1).map(|(v, _)| *v).collect();
                let named: Vec<(Name, V)> = args.named.iter().map(|(n, v, _)| (*n, *v)).collect();
                self.w.store.one(Atom::Partial {
                    function: first?,
                    args: rest.into(),
                    named: named.into(),
                })
            }
            "operator.itemgetter" | "operator.attrgetter" if args.spread.is_none() => {
                let got = match path {
                    "operator.itemgetter" => "<items>",
                    _ => "<attributes>",
                };
                let got = self.name(got);
                let function = self.w.store.lib(got);
                let wanted: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
                self.w.store.one(Atom::Partial {
                    function,
                    args: wanted.into(),
                    named: Box::default(),
                })
            }
            "<items>" | "<attributes>" => {
                let ((of, _), wanted) = args.pos.split_last()?;
                let site = self.site(frame, index);
                let mut kids = Vec::new();
                for (key, _) in wanted {
                    let v = if path == "<items>" {
                        self.index(frame, index, *of, *key)
                    } else {
                        let dotted = self.w.store.constant_str(*key)?;
                        let mut v = *of;
                        for part in self.text(dotted).split('.') {
                            let part = self.name(part);
                            v = self.attr(frame, v, part, site);
                        }
                        v
                    };
                    kids.push((Const::Int(kids.len() as i64), v));
                }
                match &*kids {
                    [(_, v)] => *v,
                    _ => self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE),
                }
            }
            "functools.wraps" => {
                let identity = self.n.identity;
                self.w.store.lib(identity)
            }
            "functools.update_wrapper"
            | "<identity>"
            | "typing.cast"
            | "copy.copy"
            | "copy.deepcopy"
            | "inspect.unwrap"
            | "functools.lru_cache"
            | "functools.cache"
            | "contextlib.contextmanager"
            | "contextlib.asynccontextmanager"
            | "asyncio.coroutine"
            | "atexit.register"
            | "functools.singledispatch"
            | "staticmethod" => {
                if path == "typing.cast" {
                    args.get(1, None)?
                } else if path == "functools.lru_cache" && first.is_none() {
                    let identity = self.n.identity;
                    self.w.store.lib(identity)
                } else {
                    first.unwrap_or_else(|| self.w.store.unknown())
                }
            }
            "asyncio.run" | "asyncio.ensure_future" | "asyncio.create_task" => first?,
            _ => return None,
        }))
    }

    /// `range(0)`, `range(3, 1)`.
    fn is_empty_range(&self, args: &Args) -> bool {
        let numbers: Option<Vec<i64>> = args.pos.iter().map(|(v, _)| self.small_int(*v)).collect();
        match numbers.as_deref() {
            Some([end]) => *end <= 0,
            Some([start, end]) => start >= end,
            _ => false,
        }
    }

    /// A sequence without elements that nobody can put one into.
    pub(crate) fn is_empty_for_good(&self, v: V) -> bool {
        !self.has_receivers()
            && matches!(
                self.w.store.only(v),
                Some(Atom::Coll { kind: CollKind::Tuple, kids, rest, keys })
                    if kids.is_empty() && *rest == V::NEVER && *keys == Ls::NONE
            )
    }

    fn super_value(&mut self, frame: &Frame, args: &Args) -> Option<V> {
        if let (Some(class), Some(receiver)) = (args.get(0, None), args.get(1, None)) {
            let class = self.w.store.atoms(class).find_map(|a| match a {
                Atom::Class { class, .. } => Some(*class),
                _ => None,
            })?;
            return Some(self.w.store.one(Atom::Super { class, receiver }));
        }
        // The method that this function is, or that it stands in.
        let mut function = self.p.function(frame.f);
        let mut receiver = frame.args.first().copied();
        while function.class.is_none() {
            let parent = function.parent?;
            function = self.p.function(self.p.fn_id(frame.unit, parent));
            receiver = None;
        }
        let class = self.p.class_id(frame.unit, function.class?);
        let receiver = match receiver {
            Some(v) => v,
            None => self.open_object(class),
        };
        Some(self.w.store.one(Atom::Super { class, receiver }))
    }

    /// `dict(x)`: of a mapping, or of pairs.
    fn dict_from(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let mut out = self
            .w
            .store
            .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE);
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                }
                | Atom::Data(_)
                | Atom::LibObject { .. } => {
                    let one = self.w.store.one(atom);
                    let data = self.object_data(one);
                    let is_dict =
                        self.w.store.atoms(data).any(
                            |a| matches!(a, Atom::Coll { kind, .. } if *kind != CollKind::Dict),
                        );
                    if is_dict {
                        let inner = self.dict_from(frame, index, data);
                        out = self.w.store.join(out, inner);
                    } else {
                        out = data;
                    }
                }
                Atom::Coll { kids, rest, .. } => {
                    let mut pairs: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
                    if rest != V::NEVER {
                        pairs.push(rest);
                    }
                    for pair in pairs {
                        let zero = self.w.store.konst(Const::Int(0));
                        let one = self.w.store.konst(Const::Int(1));
                        let key = self.index(frame, index, pair, zero);
                        let value = self.index(frame, index, pair, one);
                        out = self.set_index(frame, index, out, key, value);
                    }
                }
                _ => {
                    let unknown = self.w.store.unknown();
                    out = self.set_index(frame, index, out, unknown, unknown);
                }
            }
        }
        out
    }

    /// Methods of builtin values whose text is known, or whose parts must be kept.
    pub(crate) fn native_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: &Atom,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let method = self.text(name);
        match receiver {
            Atom::Const(Const::Str(text)) => {
                let text = self.text(*text).to_string();
                self.text_method(frame, index, &text, &method, args)
                    .map(Out::ret)
            }
            Atom::Text(_) | Atom::Data(_) => {
                let v = self.w.store.one(receiver.clone());
                self.parts_method(frame, index, v, &method, args)
                    .map(Out::ret)
            }
            Atom::Coll {
                kind: CollKind::List | CollKind::Tuple,
                kids,
                rest: V::NEVER,
                ..
            } if &*method == "index" && args.pos.len() == 1 => {
                self.position(kids, args.pos[0].0).map(Out::ret)
            }
            // A task that is sent off with a list and a mapping.
            Atom::Fn { function, env }
                if &*method == "apply_async" && self.w.tasks.contains(function) =>
            {
                let mut sent = Args::default();
                let (list, named) = (self.name("args"), self.name("kwargs"));
                if let Some(v) = args.get(0, Some(list)) {
                    let items = self.exact_items(v).unwrap_or_default();
                    sent.pos = items.into_iter().map(|v| (v, None)).collect();
                }
                if let Some(v) = args.get(1, Some(named)) {
                    self.spread_keywords(&mut sent, v);
                }
                let task = self.task(*function, *env);
                Some(self.call_value(frame, index, task, &sent))
            }
            Atom::Coll {
                kind: CollKind::Dict,
                kids,
                rest: V::NEVER,
                keys: Ls::NONE,
            } if self.w.at_start.contains(&frame.f) => self.pairs_of(kids, &method).map(Out::ret),
            Atom::LibObject { attrs, .. } if !attrs.is_empty() => self
                .jinja_method(frame, index, attrs, &method, args)
                .map(Out::ret),
            _ => None,
        }
    }
}
