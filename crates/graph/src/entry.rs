//! Where outside control begins: registrations seen while evaluating, put together into routes.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Name;
use solvent_finding::RouteSegment;
use solvent_ir::Const;
use solvent_models::{EntryRow, EntryShape, MemberId, RouteSyntax};

use crate::call::{Args, Out};
use crate::label::{Hop, InputKey, InputShape, Label, Note, Origin, TraceKind};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use crate::world::Registration;

/// A route bound to a handler, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Entry {
    pub framework: String,
    pub methods: Vec<String>,
    pub route: String,
    pub segments: Vec<RouteSegment>,
    /// The function that answers.
    pub function: FnId,
    /// The class whose instance it is called on.
    pub class: Option<ClassId>,
    /// The handler as a value, decorators applied.
    pub value: V,
    pub auth: Vec<String>,
    pub assumed: Option<String>,
    /// What each route parameter's text cannot harm, and why.
    pub converters: Vec<(String, u64)>,
}

/// A registration waits for these until all modules have been evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub registration: Registration,
    pub handler: V,
    pub member: MemberId,
}

/// Longest chain of mounts that is followed.
const MAX_MOUNTS: usize = 8;

impl Machine<'_> {
    /// Handles rows that bind functions to outside control; gives what the call returns.
    pub(crate) fn registrar(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        receiver: Option<V>,
        args: &Args,
    ) -> Option<V> {
        let models = self.m;
        let member = models.get(id);
        for (i, row) in member.entry_points.iter().enumerate() {
            let first = args.get(0, None);
            match row.shape {
                EntryShape::Decorator | EntryShape::Hook => {
                    if args.count() == 1
                        && let Some(v) = first
                        && self.is_function(v)
                    {
                        self.register(
                            frame,
                            index,
                            id,
                            i as u32,
                            receiver,
                            &Args::default(),
                            v,
                            None,
                        );
                        return Some(v);
                    }
                    return Some(self.plan(id, i as u32, receiver, args, None));
                }
                EntryShape::Registrar => {
                    let ports = Ports { receiver, args };
                    let handler = row
                        .handler
                        .as_ref()
                        .and_then(|p| self.port_plain(p, &ports));
                    if let Some(handler) = handler {
                        self.register(frame, index, id, i as u32, receiver, args, handler, None);
                    }
                    return Some(self.w.store.none());
                }
                EntryShape::Mount => {
                    let ports = Ports { receiver, args };
                    let mounted = row
                        .mounted
                        .as_ref()
                        .and_then(|p| self.port_plain(p, &ports));
                    if let Some(mounted) = mounted {
                        self.register(frame, index, id, i as u32, receiver, args, mounted, None);
                    }
                    return Some(self.w.store.none());
                }
                EntryShape::BaseClass | EntryShape::Application | EntryShape::Collection => {}
            }
        }
        None
    }

    pub(crate) fn is_function(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).any(|a| {
                matches!(
                    a,
                    Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. }
                )
            })
    }

    /// A decorator that was called and waits for its function.
    fn plan(
        &mut self,
        id: MemberId,
        row: u32,
        receiver: Option<V>,
        args: &Args,
        assumed: Option<&str>,
    ) -> V {
        let pos: Vec<(Const, V)> = args
            .pos
            .iter()
            .enumerate()
            .map(|(i, (v, _))| (Const::Int(i as i64), *v))
            .collect();
        let named: Vec<(Const, V)> = args
            .named
            .iter()
            .map(|(n, v, _)| (Const::Str(*n), *v))
            .collect();
        let pos = self.w.store.coll(CollKind::Tuple, pos, V::NEVER, Ls::NONE);
        let named = self.w.store.coll(CollKind::Dict, named, V::NEVER, Ls::NONE);
        let member = self.w.store.konst(Const::Int(i64::from(id.0)));
        let row = self.w.store.konst(Const::Int(i64::from(row)));
        let mut attrs = vec![
            (self.name("<member>"), member),
            (self.name("<row>"), row),
            (self.name("<args>"), pos),
            (self.name("<named>"), named),
        ];
        if let Some(receiver) = receiver {
            attrs.push((self.name("<receiver>"), receiver));
        }
        if let Some(assumed) = assumed {
            let text = self.name(assumed);
            let v = self.w.store.konst(Const::Str(text));
            attrs.push((self.name("<assumed>"), v));
        }
        let class = self.n.decorator;
        self.w.store.one(Atom::LibObject {
            class,
            attrs: attrs.into(),
            data: V::NEVER,
        })
    }

    /// The planned decorator gets its function.
    pub(crate) fn apply_registrar(
        &mut self,
        frame: &mut Frame,
        index: u32,
        plan: V,
        handler: V,
    ) -> Out {
        let Some(Atom::LibObject { attrs, .. }) = self.w.store.only(plan).cloned() else {
            return Out::ret(handler);
        };
        let find = |m: &Self, key: &str| {
            let key = m.name(key);
            attrs.iter().find(|(n, _)| *n == key).map(|(_, v)| *v)
        };
        let (Some(member), Some(row)) = (
            find(self, "<member>").and_then(|v| self.small_int(v)),
            find(self, "<row>").and_then(|v| self.small_int(v)),
        ) else {
            return Out::ret(handler);
        };
        let mut args = Args::default();
        if let Some(v) = find(self, "<args>")
            && let Some(items) = self.exact_items(v)
        {
            args.pos = items.into_iter().map(|v| (v, None)).collect();
        }
        if let Some(v) = find(self, "<named>")
            && let Some(Atom::Coll { kids, .. }) = self.w.store.only(v).cloned()
        {
            for (key, v) in &*kids {
                if let Const::Str(name) = key {
                    args.named.push((*name, *v, None));
                }
            }
        }
        let receiver = find(self, "<receiver>");
        let assumed = find(self, "<assumed>")
            .and_then(|v| self.w.store.constant_str(v))
            .map(|n| self.text(n).to_string());
        let id = MemberId(u32::try_from(member).unwrap_or(0));
        let row = u32::try_from(row).unwrap_or(0);
        self.register(frame, index, id, row, receiver, &args, handler, assumed);
        Out::ret(handler)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a registration")]
    fn register(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        row: u32,
        receiver: Option<V>,
        args: &Args,
        handler: V,
        assumed: Option<String>,
    ) {
        let site = self.site(frame, index);
        let models = self.m;
        let member = models.get(id);
        let Some(entry) = member.entry_points.get(row as usize) else {
            return;
        };
        let ports = Ports { receiver, args };
        let routes = entry
            .route
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| self.constant_texts(v));
        let known_route = routes.is_some() || entry.route.is_none();
        let methods = entry
            .methods
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports));
        let methods = match methods {
            Some(v) => self
                .method_list(v)
                .unwrap_or_else(|| entry.default_methods.clone()),
            None => entry.default_methods.clone(),
        };
        let prefix = entry
            .prefix
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| self.constant_texts(v))
            .and_then(|t| t.into_iter().next());
        let (receivers, receiver_known) = self.origins(receiver);
        let mounted = if entry.shape == EntryShape::Mount {
            self.origins(Some(handler)).0
        } else {
            Vec::new()
        };
        if entry.shape != EntryShape::Mount && !self.has_handler(handler) {
            return;
        }
        let registration = Registration {
            site,
            member: member.path.clone(),
            row,
            receivers,
            receiver_known,
            routes: routes.unwrap_or_default(),
            methods,
            prefix,
            handlers: Vec::new(),
            mounted,
            class_method: None,
            assumed: if known_route {
                assumed
            } else {
                Some("the route is not a constant".to_owned())
            },
            requires_login: Vec::new(),
        };
        // A loop that registers does so with several routes and handlers at one place: each handler
        // keeps its own.
        let key = (site, row, registration.routes.join("\0"));
        let bound = match self.bound.get(&key) {
            Some(before) => {
                let mut merged = before.registration.clone();
                for route in registration.routes {
                    if !merged.routes.contains(&route) {
                        merged.routes.push(route);
                    }
                }
                for r in registration.receivers {
                    if !merged.receivers.contains(&r) {
                        merged.receivers.push(r);
                    }
                }
                merged.receiver_known |= registration.receiver_known;
                if registration.assumed.is_none() {
                    merged.assumed = None;
                }
                for m in registration.mounted {
                    if !merged.mounted.contains(&m) {
                        merged.mounted.push(m);
                    }
                }
                // The last evaluation of a handler has the fullest closure.
                Bound {
                    registration: merged,
                    handler: self.newer(before.handler, handler),
                    member: id,
                }
            }
            None => Bound {
                registration,
                handler,
                member: id,
            },
        };
        self.bound.insert(key, bound);
    }

    fn newer(&mut self, before: V, after: V) -> V {
        let functions = |m: &Self, v: V| -> BTreeSet<FnId> {
            m.w.store
                .atoms(v)
                .filter_map(|a| match a {
                    Atom::Fn { function, .. } => Some(*function),
                    _ => None,
                })
                .collect()
        };
        if functions(self, before).is_subset(&functions(self, after)) {
            after
        } else {
            self.w.store.join(before, after)
        }
    }

    fn has_handler(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).any(|a| match a {
                Atom::Fn { .. }
                | Atom::Method { .. }
                | Atom::Partial { .. }
                | Atom::Class { .. }
                | Atom::Object { .. } => true,
                Atom::LibObject { class, .. } => *class == self.n.bound,
                _ => false,
            })
    }

    fn method_list(&mut self, v: V) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll { kids, rest, .. } if rest == V::NEVER => {
                    for (_, v) in &*kids {
                        for text in self.constant_texts(*v)? {
                            out.push(text.to_uppercase());
                        }
                    }
                }
                Atom::Const(Const::None) => {}
                _ => return None,
            }
        }
        out.sort();
        out.dedup();
        (!out.is_empty()).then_some(out)
    }

    /// Where the objects in a value were made.
    fn origins(&self, v: Option<V>) -> (Vec<Site>, bool) {
        let mut out = Vec::new();
        let mut known = false;
        let Some(v) = v else { return (out, true) };
        for atom in self.w.store.atoms(v) {
            match atom {
                Atom::LibObject { attrs, .. } => {
                    known = true;
                    if let Some((_, id)) = attrs.iter().find(|(n, _)| *n == self.n.site)
                        && let Some(id) = self.small_int(*id)
                    {
                        out.push(Site {
                            function: FnId((id >> 32) as u32),
                            inst: (id & 0xffff_ffff) as u32,
                        });
                    }
                }
                Atom::Object { .. } | Atom::Lib(_) => known = true,
                _ => {}
            }
        }
        (out, known)
    }

    /// A method of unknown receivers that is written like a route: `x.route("/path")`.
    pub(crate) fn like_route(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let first = args.get(0, None)?;
        let text = self.constant_texts(first)?;
        let is_path = text.iter().all(|t| t.starts_with('/') || t.is_empty());
        let method = self.text(name).to_string();
        if !is_path && &*method != "route" {
            return None;
        }
        let models = self.m;
        for (shape, assumed) in [(EntryShape::Decorator, true), (EntryShape::Registrar, true)] {
            for (member, row) in models.entry_rows(shape) {
                if member.path.rsplit('.').next() != Some(method.as_str()) {
                    continue;
                }
                let path = self.name(&member.path);
                let id = self.path_member(path)?;
                let at = member.entry_points.iter().position(|r| r == row)? as u32;
                let why = format!("`{method}` of a value that is not known to be an application");
                let why = assumed.then_some(why);
                if shape == EntryShape::Decorator {
                    let plan = self.plan(id, at, Some(receiver), args, why.as_deref());
                    return Some(Out::ret(plan));
                }
                let ports = Ports {
                    receiver: Some(receiver),
                    args,
                };
                let handler = row
                    .handler
                    .as_ref()
                    .and_then(|p| self.port_plain(p, &ports))?;
                if !self.has_handler(handler) {
                    continue;
                }
                self.register(frame, index, id, at, Some(receiver), args, handler, why);
                return Some(Out::ret(self.w.store.none()));
            }
        }
        None
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
        let binds = self.m.entry_rows(EntryShape::BaseClass).any(|(_, row)| {
            row.bound_by
                .as_deref()
                .is_some_and(|b| b.ends_with(&format!(".{method}")))
        });
        if binds {
            let kind = self.n.bound;
            let bound = Atom::LibObject {
                class: kind,
                attrs: Box::default(),
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

    // ---- putting routes together

    /// All entry points, and the hooks that run around them.
    pub fn entries(&mut self) -> (Vec<Entry>, Vec<V>) {
        let bounds: Vec<Bound> = self.bound.values().cloned().collect();
        let mut out = Vec::new();
        let mut hooks = Vec::new();
        let mounts: Vec<Registration> = bounds
            .iter()
            .filter(|b| self.row(b).is_some_and(|r| r.shape == EntryShape::Mount))
            .map(|b| b.registration.clone())
            .collect();
        for bound in &bounds {
            let Some(row) = self.row(bound).cloned() else {
                continue;
            };
            match row.shape {
                EntryShape::Hook => hooks.push(bound.handler),
                EntryShape::Decorator | EntryShape::Registrar => {
                    self.add_routes(bound, &row, &mounts, &mut out);
                }
                _ => {}
            }
        }
        self.add_base_classes(&mut out);
        out.sort_by(|a, b| {
            (&a.route, a.function, &a.methods).cmp(&(&b.route, b.function, &b.methods))
        });
        out.dedup_by(|a, b| {
            a.route == b.route && a.function == b.function && a.methods == b.methods
        });
        (out, hooks)
    }

    fn row(&self, bound: &Bound) -> Option<&EntryRow> {
        self.m
            .get(bound.member)
            .entry_points
            .get(bound.registration.row as usize)
    }

    fn add_routes(
        &mut self,
        bound: &Bound,
        row: &EntryRow,
        mounts: &[Registration],
        out: &mut Vec<Entry>,
    ) {
        let registration = &bound.registration;
        let mut prefixes: BTreeMap<String, Option<String>> = BTreeMap::new();
        if registration.receivers.is_empty() {
            let assumed = registration.assumed.clone().or_else(|| {
                (!registration.receiver_known).then(|| "its receiver is not known".to_owned())
            });
            prefixes.insert(String::new(), assumed);
        }
        for receiver in &registration.receivers {
            let mut found = Vec::new();
            self.prefixes(*receiver, mounts, &mut Vec::new(), &mut found);
            for (prefix, assumed) in found {
                let assumed = registration.assumed.clone().or(assumed);
                prefixes
                    .entry(prefix)
                    .and_modify(|have| {
                        if assumed.is_none() {
                            *have = None;
                        }
                    })
                    .or_insert(assumed);
            }
        }
        let mut routes = registration.routes.clone();
        if routes.is_empty() {
            routes.push(String::new());
        }
        for (prefix, assumed) in prefixes {
            for route in &routes {
                let route = joined(&prefix, route);
                let (segments, names) = segments(&route, row.syntax);
                let converters = names
                    .into_iter()
                    .map(|(name, converter)| {
                        let kills = row
                            .converters
                            .get(&converter)
                            .map_or(0, |c| c.clears.0 | self.excluded(&c.excludes));
                        (name, kills)
                    })
                    .collect::<Vec<_>>();
                for atom in self.w.store.atoms_of(bound.handler) {
                    self.add_handler(
                        &atom,
                        bound,
                        row,
                        &route,
                        &segments,
                        &converters,
                        assumed.as_ref(),
                        out,
                    );
                }
            }
        }
    }

    /// Kinds for which nothing harmful can be written without these characters.
    fn excluded(&self, excludes: &[char]) -> u64 {
        let mut kinds = 0;
        for kind in self.m.kinds().iter() {
            let harmful = &self.m.kind_info(kind).harmful;
            let harm = (1..128_u32)
                .filter_map(char::from_u32)
                .any(|c| harmful.contains(c) && !excludes.contains(&c));
            if !harm {
                kinds |= 1 << kind.index();
            }
        }
        kinds
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of an entry point")]
    fn add_handler(
        &mut self,
        atom: &Atom,
        bound: &Bound,
        row: &EntryRow,
        route: &str,
        segments: &[RouteSegment],
        converters: &[(String, u64)],
        assumed: Option<&String>,
        out: &mut Vec<Entry>,
    ) {
        let make = |function: FnId, class: Option<ClassId>, value: V, methods: Vec<String>| Entry {
            framework: row.framework.clone(),
            methods,
            route: route.to_owned(),
            segments: segments.to_vec(),
            function,
            class,
            value,
            auth: Vec::new(),
            assumed: assumed.cloned(),
            converters: converters.to_vec(),
        };
        match atom {
            Atom::Fn { function, env } | Atom::Method { function, env, .. } => {
                let value = self.w.store.one(atom.clone());
                let (function, auth) = self.unwrapped(*function, *env);
                out.push(make(
                    function,
                    None,
                    value,
                    bound.registration.methods.clone(),
                ));
                if let Some(last) = out.last_mut() {
                    last.auth = auth;
                }
            }
            Atom::Partial { function, .. } => {
                let inner = self.w.store.atoms(*function).find_map(|a| match a {
                    Atom::Fn { function, .. } => Some(*function),
                    _ => None,
                });
                if let Some(f) = inner {
                    let value = self.w.store.one(atom.clone());
                    out.push(make(f, None, value, bound.registration.methods.clone()));
                }
            }
            Atom::LibObject { class, data, .. } if *class == self.n.bound => {
                for inner in self.w.store.atoms_of(*data) {
                    let Atom::Class { class, .. } = inner else {
                        continue;
                    };
                    let explicit = bound.registration.methods != row.default_methods;
                    for (function, methods) in self.class_handlers(class, true) {
                        let receiver = self.open_object(class);
                        let name = self.p.function(function).name;
                        let Some(value) = self.method_of(class, name, receiver) else {
                            continue;
                        };
                        let methods = if methods.is_empty() || (explicit && methods.len() != 1) {
                            bound.registration.methods.clone()
                        } else {
                            methods
                        };
                        out.push(make(function, Some(class), value, methods));
                    }
                }
            }
            _ => {}
        }
    }

    /// The function below decorators that wrap it, and the decorators that look like they ask who is
    /// there.
    fn unwrapped(&self, function: FnId, env: crate::value::EnvId) -> (FnId, Vec<String>) {
        const WORDS: [&str; 8] = [
            "login",
            "auth",
            "admin",
            "require",
            "permission",
            "token",
            "role",
            "user",
        ];
        let mut auth = Vec::new();
        let (mut function, mut env) = (function, env);
        for _ in 0..MAX_MOUNTS {
            let data = self.p.function(function);
            let Some(parent) = data.parent else { break };
            let outer = self.p.fn_id(self.p.unit_of(function), parent);
            if self.p.is_body(outer) {
                break;
            }
            // What the wrapper was given: a function made outside the decorator.
            let given =
                self.w
                    .store
                    .env(env)
                    .iter()
                    .find_map(|(_, v)| match self.w.store.only(*v) {
                        Some(Atom::Fn {
                            function: inner,
                            env: inner_env,
                        }) if *inner != function
                            && self.p.function(*inner).parent.is_none_or(|p| {
                                self.p.fn_id(self.p.unit_of(*inner), p) != outer
                            }) =>
                        {
                            Some((*inner, *inner_env))
                        }
                        _ => None,
                    });
            let Some((inner, inner_env)) = given else {
                break;
            };
            let name = self.text(self.p.function(outer).qualname);
            let name = name.split('.').next().unwrap_or_default().to_owned();
            if WORDS.iter().any(|w| name.to_lowercase().contains(w)) && !auth.contains(&name) {
                auth.push(name);
            }
            function = inner;
            env = inner_env;
        }
        (function, auth)
    }

    /// Methods of a class that handle requests, by the rows of its library bases.
    fn class_handlers(&self, class: ClassId, bound: bool) -> Vec<(FnId, Vec<String>)> {
        let bases = self.lib_bases(class);
        let mut out: Vec<(FnId, Vec<String>)> = Vec::new();
        for (member, row) in self.m.entry_rows(EntryShape::BaseClass) {
            let fits = bases
                .iter()
                .any(|b| self.m.derives(&self.text(*b), &member.path));
            if !fits || row.bound_by.is_some() != bound {
                continue;
            }
            for base in self.order_of(class) {
                let crate::world::Base::Own(c) = base else {
                    continue;
                };
                for (name, function) in self.methods_in(c) {
                    let name = self.text(name).to_string();
                    if out
                        .iter()
                        .any(|(f, _)| self.p.function(*f).name == self.p.function(function).name)
                    {
                        continue;
                    }
                    for (pattern, methods) in &row.method_functions {
                        if let Some(head) = pattern.strip_suffix('*') {
                            if let Some(tail) = name.strip_prefix(head)
                                && !tail.is_empty()
                            {
                                out.push((function, vec![tail.to_uppercase()]));
                            }
                        } else if *pattern == name {
                            out.push((function, methods.clone()));
                        }
                    }
                }
            }
        }
        out
    }

    fn add_base_classes(&mut self, out: &mut Vec<Entry>) {
        for class in (0..self.p.class_count()).map(ClassId) {
            if self.w.classes[class.0 as usize].bases.is_empty() {
                continue;
            }
            let framework = {
                let bases = self.lib_bases(class);
                self.m
                    .entry_rows(EntryShape::BaseClass)
                    .find(|(member, row)| {
                        row.bound_by.is_none()
                            && bases
                                .iter()
                                .any(|b| self.m.derives(&self.text(*b), &member.path))
                    })
                    .map(|(_, row)| row.framework.clone())
            };
            let Some(framework) = framework else { continue };
            for (function, methods) in self.class_handlers(class, false) {
                let receiver = self.open_object(class);
                let name = self.p.function(function).name;
                let Some(value) = self.method_of(class, name, receiver) else {
                    continue;
                };
                out.push(Entry {
                    framework: framework.clone(),
                    methods,
                    route: String::new(),
                    segments: Vec::new(),
                    function,
                    class: Some(class),
                    value,
                    auth: Vec::new(),
                    assumed: None,
                    converters: Vec::new(),
                });
            }
        }
    }

    /// Prefixes under which what was made at `at` is served.
    fn prefixes(
        &self,
        at: Site,
        mounts: &[Registration],
        seen: &mut Vec<Site>,
        out: &mut Vec<(String, Option<String>)>,
    ) {
        if seen.contains(&at) || seen.len() > MAX_MOUNTS {
            return;
        }
        seen.push(at);
        let made = self.made.get(&at);
        let is_application = made.is_none_or(|(application, _)| *application);
        let own = made
            .and_then(|(_, prefix)| prefix.clone())
            .unwrap_or_default();
        if is_application {
            out.push((String::new(), None));
        } else {
            let mut mounted = false;
            for mount in mounts.iter().filter(|m| m.mounted.contains(&at)) {
                mounted = true;
                let prefix = mount.prefix.clone().unwrap_or_else(|| own.clone());
                if mount.receivers.is_empty() {
                    let assumed = (!mount.receiver_known)
                        .then(|| "it is registered on a value that is not known".to_owned());
                    out.push((prefix.clone(), assumed));
                }
                for receiver in &mount.receivers {
                    let mut outer = Vec::new();
                    self.prefixes(*receiver, mounts, seen, &mut outer);
                    for (head, assumed) in outer {
                        out.push((joined(&head, &prefix), assumed));
                    }
                }
            }
            if !mounted {
                out.push((
                    own,
                    Some("its collection is not seen to be registered".to_owned()),
                ));
            }
        }
        seen.pop();
    }

    /// Remembers what kind of route holder was made where.
    pub(crate) fn note_made(&mut self, site: Site, rows: &[EntryRow], prefix: Option<String>) {
        for row in rows {
            match row.shape {
                EntryShape::Application => {
                    self.made.insert(site, (true, None));
                }
                EntryShape::Collection => {
                    self.made.insert(site, (false, prefix.clone()));
                }
                _ => {}
            }
        }
    }

    /// What the handler's parameters get from the route.
    pub(crate) fn handler_args(&mut self, entry: &Entry) -> Args {
        let mut args = Args::default();
        let site = Site {
            function: entry.function,
            inst: u32::MAX,
        };
        for (param, kills) in &entry.converters {
            let name = self.name(param);
            let input = self.w.store.input_id(InputKey {
                carrier: solvent_finding::Carrier::PathSegment,
                name,
                inner: Vec::new(),
                shape: InputShape::Whole,
            });
            let mut label = Label::new(Origin::Input(input));
            label.kills = *kills;
            if *kills != 0 {
                let by = self.name("the route's converter");
                let note = Note::Sanitized {
                    site,
                    by,
                    kinds: *kills,
                };
                label.notes = self.w.store.noted(label.notes, note);
            }
            let what = self.name(&format!("route parameter {param}"));
            label.trace = self.w.store.hop(Hop {
                parent: label.trace,
                kind: TraceKind::Source,
                site,
                what,
            });
            let set = self.w.store.single(label);
            let v = self.w.store.data(set);
            args.named.push((name, v, None));
        }
        args
    }
}

fn joined(prefix: &str, route: &str) -> String {
    if prefix.is_empty() {
        return route.to_owned();
    }
    if route.is_empty() {
        return prefix.to_owned();
    }
    format!(
        "{}/{}",
        prefix.trim_end_matches('/'),
        route.trim_start_matches('/')
    )
}

/// A route's text as segments, and its parameters with their converters.
fn segments(route: &str, syntax: RouteSyntax) -> (Vec<RouteSegment>, Vec<(String, String)>) {
    let (open, close) = match syntax {
        RouteSyntax::Angle => ('<', '>'),
        RouteSyntax::Brace => ('{', '}'),
    };
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut rest = route;
    while let Some(at) = rest.find(open) {
        let Some(end) = rest[at..].find(close) else {
            break;
        };
        if at > 0 {
            out.push(RouteSegment::Literal(rest[..at].to_owned()));
        }
        let inside = &rest[at + 1..at + end];
        let (converter, name) = match (syntax, inside.rsplit_once(':')) {
            (RouteSyntax::Angle, Some((converter, name))) => (converter, name),
            (RouteSyntax::Brace, Some((name, converter))) => (converter, name),
            (_, None) => ("string", inside),
        };
        let converter = converter.split('(').next().unwrap_or_default().trim();
        let name = name.trim().to_owned();
        out.push(RouteSegment::Param {
            name: name.clone(),
            converter: converter.to_owned(),
        });
        names.push((name, converter.to_owned()));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        out.push(RouteSegment::Literal(rest.to_owned()));
    }
    (out, names)
}
