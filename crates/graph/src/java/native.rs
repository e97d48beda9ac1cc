//! What the language itself does, and the static methods and constructors whose results depend on the make-up of
//! their arguments. Everything else about libraries is in the models.

use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::TypeRef;

use crate::call::{Args, Out};
use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Base;

/// Classes that no model needs to name.
const KNOWN: [&str; 60] = [
    "java.lang.Object",
    "java.lang.Integer",
    "java.lang.Long",
    "java.lang.Boolean",
    "java.lang.Double",
    "java.lang.Float",
    "java.lang.Short",
    "java.lang.Byte",
    "java.lang.Character",
    "java.lang.Math",
    "java.lang.StringBuilder",
    "java.lang.StringBuffer",
    "java.lang.Thread",
    "java.lang.Class",
    "java.lang.Iterable",
    "java.lang.Runnable",
    "java.lang.Override",
    "java.lang.Number",
    "java.util.List",
    "java.util.ArrayList",
    "java.util.LinkedList",
    "java.util.Vector",
    "java.util.Stack",
    "java.util.Queue",
    "java.util.Deque",
    "java.util.ArrayDeque",
    "java.util.PriorityQueue",
    "java.util.Set",
    "java.util.HashSet",
    "java.util.LinkedHashSet",
    "java.util.TreeSet",
    "java.util.Map",
    "java.util.HashMap",
    "java.util.LinkedHashMap",
    "java.util.TreeMap",
    "java.util.Hashtable",
    "java.util.Collection",
    "java.util.Collections",
    "java.util.Arrays",
    "java.util.Iterator",
    "java.util.ListIterator",
    "java.util.Enumeration",
    "java.util.Optional",
    "java.util.Objects",
    "java.util.Properties",
    "java.util.concurrent.Callable",
    "java.util.concurrent.ConcurrentHashMap",
    "java.util.concurrent.CopyOnWriteArrayList",
    "java.util.concurrent.CompletableFuture",
    "java.util.concurrent.ExecutorService",
    "java.util.concurrent.Executors",
    "java.util.concurrent.Future",
    "java.util.concurrent.FutureTask",
    "java.util.function.Function",
    "java.util.function.Supplier",
    "java.util.function.Consumer",
    "java.util.function.Predicate",
    "java.util.function.BiFunction",
    "java.util.stream.Collectors",
    "java.util.stream.Stream",
];

pub(super) fn is_known_class(path: &str) -> bool {
    KNOWN.contains(&path)
}

/// Classes whose objects hold no text of anybody.
pub(super) fn is_number(simple: &str) -> bool {
    matches!(
        simple,
        "<number>"
            | "Integer"
            | "Long"
            | "Boolean"
            | "Double"
            | "Float"
            | "Short"
            | "Byte"
            | "BigInteger"
            | "BigDecimal"
            | "UUID"
            | "LocalDate"
            | "AtomicInteger"
    )
}

/// The kind of container that a class of the library is.
fn container(path: &str) -> Option<CollKind> {
    let known = [
        "java.util.",
        "com.google.common.collect.",
        "org.apache.commons.collections",
    ];
    if !known.iter().any(|head| path.starts_with(head)) {
        return None;
    }
    let last = path.rsplit('.').next()?;
    if ["List", "Queue", "Deque", "Vector", "Stack"]
        .iter()
        .any(|tail| last.ends_with(tail))
    {
        Some(CollKind::List)
    } else if last.ends_with("Set") {
        Some(CollKind::Set)
    } else if last.ends_with("Map") || matches!(last, "Hashtable" | "Properties") {
        Some(CollKind::Dict)
    } else {
        None
    }
}

impl Machine<'_> {
    pub(crate) fn object_of_library(&mut self, class: &str, data: V) -> V {
        let class = self.name(class);
        let attrs = Box::default();
        self.w.store.one(Atom::LibObject { class, attrs, data })
    }

    fn empty(&mut self, kind: CollKind) -> V {
        self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE)
    }

    /// Functions that the interpreter knows without a model.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per function reads best in one place"
    )]
    pub(crate) fn native_java(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None);
        let unknown = self.w.store.unknown();
        if path == "<mapped>" {
            return Some(self.mapped(frame, index, args));
        }
        if let Some(kind) = container(path) {
            return Some(Out::ret(
                self.new_container(frame, index, path, kind, first),
            ));
        }
        let last = path.rsplit('.').next().unwrap_or_default();
        let owner = path.rsplit('.').nth(1).unwrap_or_default();
        if (owner, last) == ("StringUtils", "replace")
            && let Some(text) = first
            && args.pos.len() == 3
        {
            let mut rest = args.clone();
            rest.pos.remove(0);
            let replaced = self.partly_known_text(frame, index, text, last, &rest);
            return replaced.map(Out::ret);
        }
        if is_number(owner) && !matches!(last, "toString" | "toHexString" | "toBinaryString") {
            return Some(Out::ret(self.number_of(first.unwrap_or(unknown))));
        }
        Some(Out::ret(match path {
            "<number>" => self.number_of(first?),
            "<array>" => self.new_array(&args.pos),
            "<class>" => self.object_of_library("java.lang.Class", first?),
            "<declared>" => self.declared(first?),
            "<as>" => self.seen_as(first?, args.get(1, None)?),
            "<instanceof>" => self.instance_of(first?, args.get(1, None)?),
            "<constant>" => self.constant_name(first?),
            "<component>" => self.component(first?, args.get(1, None)?),
            "<annotation>" => self.annotation(args),
            "<method>" => self.method_reference(first?, args.get(1, None)?),
            "builtins.super" => self.super_of(frame)?,
            "java.lang.StringBuilder" | "java.lang.StringBuffer" => {
                let numeric = first.is_some_and(|v| self.small_int(v).is_some());
                let data = match first.filter(|_| !numeric) {
                    Some(v) => v,
                    None => {
                        let empty = self.w.store.empty;
                        self.w.store.konst(Const::Str(empty))
                    }
                };
                self.object_of_library("java.lang.StringBuilder", data)
            }
            "java.lang.String" => match first {
                Some(v) => self.joined(frame, index, v),
                None => {
                    let empty = self.w.store.empty;
                    self.w.store.konst(Const::Str(empty))
                }
            },
            "java.lang.String.valueOf"
            | "java.lang.String.copyValueOf"
            | "java.util.Objects.toString"
            | "java.lang.Character.toString"
            | "java.lang.Character.valueOf" => self.joined(frame, index, first?),
            "java.lang.String.format" => {
                return Some(Out::ret(self.formatted(frame, index, args)?));
            }
            "java.lang.String.join" => {
                let separator = first?;
                let items: Vec<V> = match args.pos.get(1) {
                    Some((v, _)) if args.pos.len() == 2 => self.items_or_element(frame, index, *v),
                    _ => args.pos.iter().skip(1).map(|(v, _)| *v).collect(),
                };
                self.concatenated(frame, index, &items, Some(separator))
            }
            "java.util.Arrays.asList"
            | "java.util.List.of"
            | "java.util.stream.Stream.of"
            | "java.util.Set.of"
            | "java.util.EnumSet.of"
            | "java.util.stream.IntStream.of"
            | "com.google.common.collect.Lists.newArrayList"
            | "com.google.common.collect.ImmutableList.of"
            | "com.google.common.collect.Sets.newHashSet" => match &args.pos[..] {
                [(v, _)] if self.is_container(*v) => *v,
                all => {
                    let items = all.iter().map(|(v, _)| *v).collect();
                    self.list_of(items, args.spread.unwrap_or(V::NEVER))
                }
            },
            "java.util.Arrays.stream"
            | "java.util.Collections.unmodifiableList"
            | "java.util.Collections.unmodifiableMap"
            | "java.util.Collections.unmodifiableSet"
            | "java.util.Collections.unmodifiableCollection"
            | "java.util.Collections.synchronizedList"
            | "java.util.Collections.synchronizedMap"
            | "java.util.List.copyOf"
            | "java.util.Map.copyOf"
            | "java.util.Set.copyOf"
            | "java.util.Objects.requireNonNull"
            | "java.util.Arrays.copyOf" => first?,
            "java.util.Objects.requireNonNullElse" => {
                let other = args.get(1, None)?;
                self.w.store.join(first?, other)
            }
            "java.util.Arrays.copyOfRange" => {
                let bounds = [args.get(1, None), args.get(2, None), None];
                self.slice(first?, bounds)
            }
            "java.util.Arrays.toString" | "java.util.Arrays.deepToString" => {
                self.derive(first?, &crate::label::Link::Value)
            }
            "java.util.Collections.emptyList"
            | "com.google.common.collect.Queues.newArrayDeque"
            | "com.google.common.collect.Lists.newLinkedList"
            | "java.util.stream.Stream.empty" => self.empty(CollKind::List),
            "java.util.Collections.emptyMap" | "com.google.common.collect.Maps.newHashMap" => {
                self.empty(CollKind::Dict)
            }
            "java.util.Collections.emptySet" => self.empty(CollKind::Set),
            "java.util.Collections.singletonList" | "java.util.Collections.singleton" => {
                self.list_of(vec![first?], V::NEVER)
            }
            "java.util.Collections.singletonMap"
            | "java.util.Map.of"
            | "com.google.common.collect.ImmutableMap.of" => {
                let mut out = self.empty(CollKind::Dict);
                for pair in args.pos.chunks(2) {
                    if let [(key, _), (value, _)] = pair {
                        out = self.store_entry(out, *key, *value);
                    }
                }
                out
            }
            "java.util.Map.entry" | "java.util.AbstractMap.SimpleEntry" => {
                let items = args.pos.iter().map(|(v, _)| *v).collect();
                self.list_of(items, V::NEVER)
            }
            "java.util.Map.ofEntries" => {
                let mut out = self.empty(CollKind::Dict);
                for (pair, _) in &args.pos {
                    if let Some([key, value]) = self.exact_items(*pair).as_deref() {
                        out = self.store_entry(out, *key, *value);
                    }
                }
                out
            }
            "java.util.Optional.of" | "java.util.Optional.ofNullable" => {
                self.object_of_library("java.util.Optional", first?)
            }
            "java.util.Optional.empty" => {
                let none = self.w.store.none();
                self.object_of_library("java.util.Optional", none)
            }
            "java.lang.System.arraycopy" => {
                let (from, to) = (first?, args.pos.get(2)?);
                let whole = [1, 3]
                    .iter()
                    .all(|i| args.get(*i, None).and_then(|v| self.small_int(v)) == Some(0));
                let element = self.element(frame, index, from);
                let after = match self.exact_items(from).filter(|_| whole) {
                    Some(items) => self.list_of(items, V::NEVER),
                    None => self.w.store.many(CollKind::List, element),
                };
                return Some(Out {
                    ret: Some(self.w.store.none()),
                    afters: to.1.map(|source| (source, after)).into_iter().collect(),
                    receiver: None,
                });
            }
            "java.lang.Class.forName" | "java.lang.ClassLoader.loadClass" => {
                let text = self.constant_texts(first?)?.into_iter().next()?;
                let class = self.import_java(frame.unit, &text.replace('$', "."), None);
                self.object_of_library("java.lang.Class", class)
            }
            "java.lang.Thread" | "java.util.concurrent.FutureTask" => {
                let attrs = Box::default();
                let class = self.name(path);
                let data = first.unwrap_or(unknown);
                self.w.store.one(Atom::LibObject { class, attrs, data })
            }
            "java.util.concurrent.CompletableFuture.supplyAsync"
            | "java.util.concurrent.CompletableFuture.runAsync" => {
                let mut out = self.run_task(frame, index, first?);
                let ret = out.ret.unwrap_or(unknown);
                out.ret = Some(self.object_of_library("<future>", ret));
                return Some(out);
            }
            "java.util.concurrent.CompletableFuture.completedFuture" => {
                self.object_of_library("<future>", first?)
            }
            "java.util.concurrent.CompletableFuture" => {
                self.object_of_library("<future>", V::NEVER)
            }
            "java.util.concurrent.Executors.newFixedThreadPool"
            | "java.util.concurrent.Executors.newCachedThreadPool"
            | "java.util.concurrent.Executors.newSingleThreadExecutor"
            | "java.util.concurrent.Executors.newScheduledThreadPool"
            | "java.util.concurrent.Executors.newWorkStealingPool"
            | "java.util.concurrent.ForkJoinPool"
            | "java.util.concurrent.ThreadPoolExecutor"
            | "java.util.Timer" => {
                self.object_of_library("java.util.concurrent.ExecutorService", V::NEVER)
            }
            "java.util.concurrent.atomic.AtomicReference"
            | "java.lang.ThreadLocal"
            | "java.lang.InheritableThreadLocal" => {
                let none = self.w.store.none();
                self.object_of_library("<box>", first.unwrap_or(none))
            }
            _ if path.starts_with("java.util.stream.Collectors.") => {
                let data = match first {
                    Some(v) => v,
                    None => V::NEVER,
                };
                let class = self.name(&format!("<collector {last}>"));
                let attrs = Box::default();
                self.w.store.one(Atom::LibObject { class, attrs, data })
            }
            _ if path.starts_with("java.lang.Math.") => unknown,
            _ => return None,
        }))
    }

    fn new_container(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: &str,
        kind: CollKind,
        first: Option<V>,
    ) -> V {
        let from = first.filter(|v| {
            self.w
                .store
                .atoms(*v)
                .any(|a| matches!(a, Atom::Coll { .. }) || self.w.store.deep(*v) != Ls::NONE)
        });
        let Some(from) = from else {
            return self.empty(kind);
        };
        match kind {
            CollKind::Dict => {
                let empty = self.empty(kind);
                self.merge_mapping(frame, index, empty, from)
            }
            CollKind::List if !path.ends_with("PriorityQueue") => match self.exact_items(from) {
                Some(items) => self.list_of(items, V::NEVER),
                None => {
                    let element = self.element(frame, index, from);
                    self.w.store.many(CollKind::List, element)
                }
            },
            _ => {
                let element = self.element(frame, index, from);
                self.w.store.many(kind, element)
            }
        }
    }

    pub(crate) fn is_container(&self, v: V) -> bool {
        v != V::NEVER
            && self
                .w
                .store
                .atoms(v)
                .all(|a| matches!(a, Atom::Coll { .. }))
    }

    /// Numbers harm nobody; known ones stay known.
    pub(super) fn number_of(&mut self, v: V) -> V {
        match self.w.store.constant(v).cloned() {
            Some(Const::Int(_) | Const::Float(_) | Const::Bool(_)) => v,
            Some(Const::Str(text)) => match self.text(text).trim().parse::<i64>() {
                Ok(int) => self.w.store.konst(Const::Int(int)),
                Err(_) => self.w.store.unknown(),
            },
            _ => self.w.store.unknown(),
        }
    }

    fn new_array(&mut self, sizes: &[(V, Option<u32>)]) -> V {
        let Some(((size, _), rest)) = sizes.split_first() else {
            return self.empty(CollKind::List);
        };
        let inner = if rest.is_empty() {
            self.w.store.none()
        } else {
            self.new_array(rest)
        };
        match self.small_int(*size) {
            Some(n @ 0..=16) => self.list_of(vec![inner; n as usize], V::NEVER),
            _ => {
                let unknown = self.w.store.unknown();
                let inner = if rest.is_empty() { unknown } else { inner };
                self.w.store.many(CollKind::List, inner)
            }
        }
    }

    /// What a framework puts into a field of this class.
    fn declared(&mut self, type_: V) -> V {
        match self.w.store.only(type_).cloned() {
            Some(Atom::Class { class, .. }) => self.open_object(class),
            Some(Atom::Lib(path)) => self.instance_of_library(path),
            _ => self.w.store.unknown(),
        }
    }

    fn instance_of_library(&mut self, path: Name) -> V {
        let text = self.text(path).to_string();
        if !self.m.is_class(&text) || super::is_text_class(&text) {
            return self.w.store.unknown();
        }
        let kind = TypeRef::Named {
            path: text,
            element: None,
        };
        self.typed(V::NEVER, &kind)
    }

    /// A value of unknown make-up is of the class that is written for it.
    fn seen_as(&mut self, type_: V, v: V) -> V {
        let vague = v == V::NEVER
            || self.w.store.atoms(v).all(|a| match a {
                Atom::Data(labels) => *labels == Ls::NONE,
                Atom::LibObject { class, data, .. } => {
                    *data == V::NEVER && !self.m.is_class(&self.text(*class))
                }
                _ => false,
            });
        if !vague {
            return v;
        }
        let declared = self.declared(type_);
        if declared == self.w.store.unknown() {
            v
        } else {
            declared
        }
    }

    fn instance_of(&mut self, v: V, class: V) -> V {
        let mut answer = None;
        let kind = self.w.store.only(class).cloned();
        for atom in self.w.store.atoms_of(v) {
            let this = match (&atom, &kind) {
                (Atom::Object { class: of, .. }, Some(Atom::Class { class, .. })) => {
                    let yes = self.order_of(*of).contains(&Base::Own(*class));
                    let closed = self.is_closed(*of);
                    (yes || closed).then_some(yes)
                }
                (Atom::Const(Const::None), _) => Some(false),
                (Atom::Data(labels), Some(Atom::Lib(path)))
                    if *labels != Ls::NONE && &*self.text(*path) == "java.lang.Object" =>
                {
                    Some(true)
                }
                (Atom::Const(Const::Str(_)) | Atom::Text(_), Some(Atom::Lib(path))) => {
                    let path = self.text(*path);
                    let last = path.rsplit('.').next().unwrap_or_default();
                    match last {
                        "String" | "Object" | "CharSequence" => Some(true),
                        "Integer" | "Long" | "Number" | "List" | "Map" => Some(false),
                        _ => None,
                    }
                }
                (Atom::Const(Const::Str(_)) | Atom::Text(_), Some(Atom::Class { .. })) => {
                    Some(false)
                }
                _ => None,
            };
            let Some(this) = this else {
                return self.w.store.unknown();
            };
            if answer.is_some_and(|a| a != this) {
                return self.w.store.unknown();
            }
            answer = Some(this);
        }
        self.w.store.boolean(answer)
    }

    /// Whether all bases of a class are the program's own; objects of unknown making may be of one below.
    fn is_closed(&self, class: ClassId) -> bool {
        self.order_of(class)
            .iter()
            .all(|base| !matches!(base, Base::Unknown))
    }

    /// The name of a constant of an enumeration.
    pub(super) fn constant_name(&mut self, v: V) -> V {
        let name = self.name("<name>");
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Object { attrs, .. } => match attrs.iter().find(|(n, _)| *n == name) {
                    Some((_, v)) => *v,
                    None => self.w.store.unknown(),
                },
                Atom::Const(c @ Const::Str(_)) => self.w.store.konst(c),
                _ => self.w.store.unknown(),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    fn component(&mut self, v: V, position: V) -> V {
        let at = self
            .small_int(position)
            .and_then(|i| usize::try_from(i).ok());
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match (&atom, at) {
                (Atom::Object { attrs, .. }, Some(at)) => {
                    let written = attrs
                        .iter()
                        .filter(|(n, _)| !self.text(*n).starts_with('<'));
                    match written.clone().nth(at) {
                        Some((_, v)) => *v,
                        None => self.w.store.unknown(),
                    }
                }
                _ => {
                    let one = self.w.store.one(atom);
                    self.derive(one, &crate::label::Link::Value)
                }
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    /// `base::name`
    fn method_reference(&mut self, base: V, name: V) -> V {
        let Some(name) = self.w.store.constant_str(name) else {
            return self.w.store.unknown();
        };
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(base) {
            let one = match &atom {
                Atom::Object { class, .. } => self.bound_methods(&atom, *class, name, None),
                Atom::Class { class, .. } => {
                    let mut all = V::NEVER;
                    for found in self.methods_java(*class, name, None) {
                        let one = self.w.store.one(found);
                        all = self.w.store.join(all, one);
                    }
                    all
                }
                Atom::Lib(path) => {
                    let full = format!("{}.{}", self.text(*path), self.text(name));
                    let full = self.name(&full);
                    let path = self.w.store.konst(Const::Str(full));
                    let class = self.name("<method>");
                    self.w.store.one(Atom::LibObject {
                        class,
                        attrs: Box::new([(self.n.path, path)]),
                        data: V::NEVER,
                    })
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
        out
    }

    /// Calls `C::m` of a library: a static method, or a method of the first argument.
    pub(crate) fn call_reference(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: Name,
        args: &Args,
    ) -> Out {
        let text = self.text(path);
        if let Some(out) = self.native_java(frame, index, &text, args) {
            return out;
        }
        let name = self.name(text.rsplit('.').next().unwrap_or_default());
        let Some((receiver, _)) = args.pos.first().copied() else {
            return self.call_lib(frame, index, path, args);
        };
        let is_static = self
            .path_member(path)
            .is_some_and(|id| !self.m.get(id).sinks.is_empty());
        if is_static {
            return self.call_lib(frame, index, path, args);
        }
        let mut rest = args.clone();
        rest.pos.remove(0);
        self.call_member(frame, index, receiver, name, &rest)
    }
}
