//! Where outside control begins: registrations seen while evaluating, put together into routes.

mod texts;

use std::collections::BTreeSet;

use solvent_base::Name;
use solvent_finding::RouteSegment;
use solvent_ir::Const;
use solvent_models::{ArgSelector, EntryRow, EntryShape, Filling, MemberId, PortRoot};

use crate::call::{Args, Out};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site, Target, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, RouteRef, V};
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
    /// Classes of what the handler is called with, by position.
    pub params: Vec<String>,
    /// Mappings of further arguments that the route gives by name.
    pub extra: Vec<V>,
    /// Parameters by name, where the handler has them, with what the framework gives.
    pub gives: Vec<(Name, V)>,
    /// A library's method calls it and answers itself: what it returns is a page only if it is an answer already.
    pub within: bool,
    /// The handler is a library's, called so, and bound there; `function` then is the module that binds it.
    pub library: Option<(String, Site)>,
    /// How its parameters are filled by what is written for them.
    pub filling: Option<Filling>,
    /// The library's class that its answers are given to.
    pub answers: Option<String>,
}

/// A registration waits for these until all modules have been evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub registration: Registration,
    pub handler: V,
    pub member: MemberId,
    /// A mapping of further arguments that the route gives.
    pub extra: Option<V>,
    /// Seen only where its function was looked at with nobody calling it.
    pub alone: bool,
}

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
        let mut registered = false;
        for (i, row) in member.entry_points.iter().enumerate() {
            let first = args.get(0, None);
            match row.shape {
                // Bound by another row already, which names the handler among the arguments.
                EntryShape::Decorator | EntryShape::Hook if registered => {}
                EntryShape::Name => {
                    self.name_route(row, receiver, args);
                    registered = true;
                }
                EntryShape::Prefix => {
                    self.put_in_front(frame.unit, row, &Ports { receiver, args });
                    registered = true;
                }
                EntryShape::Parameter => {
                    return Some(self.plan(id, i as u32, receiver, args, None));
                }
                // `register_error_handler(404, handler)`
                EntryShape::Hook if row.handler.is_some() => {
                    let ports = Ports { receiver, args };
                    let handler = row.handler.as_ref();
                    if let Some(handler) = handler.and_then(|p| self.port_plain(p, &ports)) {
                        let row = i as u32;
                        for one in self.w.store.atoms_of(handler) {
                            let one = self.w.store.one(one);
                            self.register(frame, index, id, row, receiver, args, one, None);
                        }
                    }
                    // What is made with hooks is what routes are bound to.
                    let makes = |row: &EntryRow| row.shape == EntryShape::Application;
                    registered |= !member.entry_points.iter().any(makes);
                }
                EntryShape::Decorator | EntryShape::Hook => {
                    // `@Query(() => String)` is called with a function, and waits for another.
                    if args.count() == 1
                        && !self.is_javascript()
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
                // `route()` begins a builder.
                EntryShape::Registrar if self.is_java() && args.count() == 0 => {}
                EntryShape::Registrar => {
                    let in_options = row.handler.as_ref().is_some_and(|p| !p.path.is_empty());
                    // `route([{..}, {..}])` is a call for each.
                    let each: Vec<Args> = match first.and_then(|v| self.exact_items(v)) {
                        Some(items) if in_options => {
                            items.into_iter().map(|v| Args::of(&[v])).collect()
                        }
                        _ => vec![args.clone()],
                    };
                    let mut bound = false;
                    for args in &each {
                        let ports = Ports { receiver, args };
                        if let Some(handler) = self.chain_of(row, &ports) {
                            let row = i as u32;
                            self.register(frame, index, id, row, receiver, args, handler, None);
                            bound = true;
                        }
                        bound |= self.bind_table(frame, index, id, i as u32, receiver, args);
                    }
                    let decorates = |row: &EntryRow| row.shape == EntryShape::Decorator;
                    registered |= bound || !member.entry_points.iter().any(decorates);
                }
                // Once it is made.
                EntryShape::Mount if row.mounts_itself() => {}
                EntryShape::Mount => {
                    let ports = Ports { receiver, args };
                    let mounted = row
                        .mounted
                        .as_ref()
                        .and_then(|p| self.port_plain(p, &ports));
                    if let Some(mounted) = mounted {
                        self.register(frame, index, id, i as u32, receiver, args, mounted, None);
                    }
                    self.bind_table(frame, index, id, i as u32, receiver, args);
                    registered = true;
                }
                EntryShape::Listed => {
                    let ports = Ports { receiver, args };
                    let handler = row
                        .handler
                        .as_ref()
                        .and_then(|p| self.port_plain(p, &ports))
                        .unwrap_or_else(|| self.w.store.unknown());
                    let made =
                        self.register(frame, index, id, i as u32, receiver, args, handler, None);
                    return Some(self.w.store.routes(made.into_iter().collect()));
                }
                EntryShape::Include => {
                    return Some(self.included(frame.unit, row, receiver, args));
                }
                EntryShape::Wrapper | EntryShape::Action => {
                    let bare = row.handler.is_some() || row.shape == EntryShape::Action;
                    return Some(match first {
                        Some(v) if bare && (self.is_function(v) || self.is_view(v)) => {
                            self.note_wrapped(id, row, receiver, &Args::default(), v);
                            v
                        }
                        _ => self.plan(id, i as u32, receiver, args, None),
                    });
                }
                EntryShape::BaseClass
                | EntryShape::Table
                | EntryShape::FilePath
                | EntryShape::Application
                | EntryShape::Collection
                | EntryShape::Part
                | EntryShape::Group
                | EntryShape::Route
                | EntryShape::Signature => {}
            }
        }
        // What registers in JavaScript and Java gives what it is called on, so that calls chain.
        let chained = receiver.filter(|_| self.is_javascript() || self.is_java());
        registered.then(|| chained.unwrap_or_else(|| self.w.store.none()))
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
    pub(crate) fn plan(
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
    pub(crate) fn register(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        row: u32,
        receiver: Option<V>,
        args: &Args,
        handler: V,
        assumed: Option<String>,
    ) -> Option<RouteRef> {
        let site = self.site(frame, index);
        let models = self.m;
        let member = models.get(id);
        let entry = member.entry_points.get(row as usize)?;
        if matches!(entry.shape, EntryShape::Wrapper | EntryShape::Action) {
            self.note_wrapped(id, entry, receiver, args, handler);
            return None;
        }
        let ports = Ports { receiver, args };
        let listed = entry.shape == EntryShape::Listed;
        let route = entry
            .route
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports));
        let mut partly = false;
        let routes = route.and_then(|v| {
            let v = self.object_data(v);
            self.constant_texts(v).or_else(|| {
                let some = match listed {
                    true => self.some_texts(v).or_else(|| self.pattern_texts(v, entry)),
                    false => self.parts_of_texts(v, entry),
                };
                partly = some.is_some();
                some
            })
        });
        let routes = routes.or_else(|| Some(vec![entry.served_at.clone()?]));
        // `use(handler)`: what stands at the route's place is the handler already.
        let everywhere = route.is_some_and(|v| self.is_function(v));
        // `@Get()` adds nothing to the route of its class.
        let left_out = args.count() == 0 && self.is_javascript();
        let known_route = routes.is_some() || entry.route.is_none() || everywhere || left_out;
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
        let (routes, methods) = self.patterns_go(frame, index, entry, routes, methods);
        let mut requires_login = self.asked_before(entry, &ports);
        let asks = entry.asks.as_ref().and_then(|p| self.port_plain(p, &ports));
        for v in asks.and_then(|v| self.exact_items(v)).unwrap_or_default() {
            requires_login.extend(self.constant_texts(v).unwrap_or_default());
        }
        requires_login.extend(self.noted_before(entry, &ports));
        let suffix = entry
            .suffix
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| self.w.store.constant_str(v))
            .map(|text| self.text(text).to_string())
            .unwrap_or_default();
        let answers = entry
            .answers
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| match self.w.store.only(v) {
                Some(Atom::Lib(path)) => Some(self.text(*path).to_string()),
                _ => None,
            });
        let prefix = entry
            .prefix
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| self.constant_texts(v))
            .and_then(|t| t.into_iter().next());
        let named = entry
            .named
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports))
            .and_then(|v| self.w.store.constant_str(v))
            .map(|name| self.text(name).to_string());
        let holder = match &entry.on {
            Some(port) => Some(self.port_plain(port, &ports)?),
            None => receiver,
        };
        let (receivers, receiver_known) = self.origins(holder);
        // `Api()`: it is given its application later, or never.
        let nothing = holder.and_then(|v| self.w.store.constant(v));
        if entry.on.is_some() && matches!(nothing, Some(Const::None)) {
            return None;
        }
        let mounts = matches!(entry.shape, EntryShape::Mount | EntryShape::Group);
        let mounted = if mounts {
            self.origins(Some(handler)).0
        } else {
            Vec::new()
        };
        // What a library made answers routes of an application that is known: `passport.authenticate("login")`.
        let elsewhere = entry.shape == EntryShape::Registrar
            && self.is_javascript()
            && receiver_known
            && routes.is_some()
            && self.is_of_library(handler);
        if !mounts && !listed && !elsewhere && !self.has_handler(handler) {
            return None;
        }
        let extra = entry
            .extra
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports));
        let mounts_unknown = mounts && self.is_unknown_mount(handler, 0);
        let registration = Registration {
            site,
            mounts_unknown,
            member: member.path.clone(),
            row,
            receivers,
            receiver_known,
            routes: routes.unwrap_or_default(),
            named,
            methods,
            prefix,
            adds_prefix: entry.stacks,
            handlers: Vec::new(),
            mounted,
            class_method: None,
            assumed: if partly {
                Some("the route is known in part".to_owned())
            } else if known_route {
                assumed
            } else {
                Some("the route is not a constant".to_owned())
            },
            requires_login,
            suffix,
            answers,
        };
        // A loop that registers does so with several routes and handlers at one place: each handler
        // keeps its own.
        let mut text = registration.routes.join("\0");
        text.push_str(registration.named.as_deref().unwrap_or_default());
        if mounts {
            text.push_str(registration.prefix.as_deref().unwrap_or_default());
        }
        // So do hooks that stand in one list.
        if entry.shape == EntryShape::Hook
            && let Some(Atom::Fn { function, .. } | Atom::Method { function, .. }) =
                self.w.store.only(handler)
        {
            text.push_str(&format!("<hook {}>", function.0));
        }
        let made = RouteRef::Made {
            site,
            row,
            route: self.name(&text),
        };
        let alone = self.w.depth <= 1 && !self.p.is_body(frame.f);
        let key = (site, row, text);
        let bound = match self.bound.get(&key).cloned() {
            Some(before) => {
                let mut merged = before.registration;
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
                merged.mounts_unknown |= registration.mounts_unknown;
                if registration.assumed.is_none() {
                    merged.assumed = None;
                }
                for m in registration.mounted {
                    if !merged.mounted.contains(&m) {
                        merged.mounted.push(m);
                    }
                }
                // The last evaluation of a handler has the fullest closure, but what nobody in particular brings
                // along says less than what a caller does.
                let handler = match (before.alone, alone) {
                    (false, true) => before.handler,
                    (true, false) => handler,
                    _ => self.newer(before.handler, handler),
                };
                Bound {
                    registration: merged,
                    handler,
                    member: id,
                    alone: before.alone && alone,
                    extra: match (before.extra, extra) {
                        (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                        (a, b) => a.or(b),
                    },
                }
            }
            None => Bound {
                registration,
                handler,
                member: id,
                extra,
                alone,
            },
        };
        self.bound.insert(key, bound);
        Some(made)
    }

    /// The routes that are registered on a value.
    pub(crate) fn included_by(&mut self, row: &EntryRow, receiver: V) -> V {
        self.included(UnitId(0), row, Some(receiver), &Args::default())
    }

    /// What a call that includes routes gives: a list of them.
    fn included(&mut self, unit: UnitId, row: &EntryRow, receiver: Option<V>, args: &Args) -> V {
        let ports = Ports { receiver, args };
        let port = row.mounted.as_ref();
        let Some(v) = port.and_then(|p| self.port_plain(p, &ports)) else {
            return self.w.store.unknown();
        };
        let variable = row.variable.as_deref().map(|v| self.name(v));
        let mut refs = self.refs_in(v);
        // `(list, "name")`: what is included comes first.
        let mut open = vec![v];
        if let Some(Atom::Coll { kids, .. }) = self.w.store.only(v)
            && let Some((_, first)) = kids.first()
        {
            open.push(*first);
        }
        for v in open {
            for atom in self.w.store.atoms_of(v) {
                let unit = match atom {
                    Atom::Module(unit) => unit,
                    Atom::Const(Const::Str(text)) => {
                        match self.p.resolve(unit, &self.text(text), 0, self.names) {
                            Target::Unit(unit) => unit,
                            _ => continue,
                        }
                    }
                    Atom::LibObject { ref attrs, .. } | Atom::Object { ref attrs, .. } => {
                        let held = attrs.iter().find(|(n, _)| *n == self.n.site);
                        if let Some(id) = held.and_then(|(_, v)| self.small_int(*v)) {
                            refs.push(RouteRef::Holder(Site {
                                function: FnId((id >> 32) as u32),
                                inst: (id & 0xffff_ffff) as u32,
                            }));
                        }
                        continue;
                    }
                    _ => continue,
                };
                if let Some(variable) = variable {
                    refs.push(RouteRef::Module { unit, variable });
                }
            }
        }
        let routes = self.w.store.routes(refs);
        self.w.store.many(CollKind::List, routes)
    }

    /// Names of what stands in front of the last handler of a registration and looks like it asks who is there.
    fn asked_before(&mut self, entry: &EntryRow, ports: &Ports<'_>) -> Vec<String> {
        let port = entry.handler.as_ref().or(entry.mounted.as_ref());
        let first = match port.map(|p| (&p.root, p.path.is_empty())) {
            Some((PortRoot::Arg(ArgSelector::From(first)), true)) => *first as usize,
            Some((PortRoot::Arg(ArgSelector::All), true)) => 0,
            _ => return Vec::new(),
        };
        let mut all: Vec<V> = Vec::new();
        for (v, _) in ports.args.pos.iter().skip(first) {
            match self.exact_items(*v) {
                Some(items) => all.extend(items),
                None => all.push(*v),
            }
        }
        all.pop();
        let mut out: Vec<String> = Vec::new();
        for v in all {
            for atom in self.w.store.atoms_of(v) {
                let path = match atom {
                    Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                        self.p.function(function).qualname
                    }
                    Atom::Lib(name)
                    | Atom::LibObject { class: name, .. }
                    | Atom::Member { name, .. } => name,
                    _ => continue,
                };
                let path = self.text(path);
                let asks = path.rsplit('.').find(|name| crate::route::asks_who(name));
                if let Some(name) = asks.map(|name| name.trim_end_matches("()").to_owned())
                    && !out.contains(&name)
                {
                    out.push(name);
                }
            }
        }
        out
    }

    pub(crate) fn newer(&mut self, before: V, after: V) -> V {
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

    pub(crate) fn method_list(&mut self, v: V) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Const(Const::Str(text)) => out.push(self.text(text).to_uppercase()),
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
        // `*`: any method.
        if out.iter().any(|method| method == "*") {
            return None;
        }
        out.sort();
        out.dedup();
        (!out.is_empty()).then_some(out)
    }

    /// Where the objects in a value were made.
    pub(crate) fn origins(&self, v: Option<V>) -> (Vec<Site>, bool) {
        let mut out = Vec::new();
        let mut known = false;
        let Some(v) = v else { return (out, true) };
        for atom in self.w.store.atoms(v) {
            match atom {
                Atom::LibObject { attrs, .. } | Atom::Object { attrs, .. } => {
                    known = true;
                    let made = attrs.iter().find(|(n, _)| *n == self.n.site);
                    let ids = made.and_then(|(_, id)| self.w.store.constants(*id));
                    for id in ids.into_iter().flatten() {
                        let Const::Int(id) = id else { continue };
                        out.push(Site {
                            function: FnId((id >> 32) as u32),
                            inst: (id & 0xffff_ffff) as u32,
                        });
                    }
                }
                Atom::Lib(_) => known = true,
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
        let why = format!("`{method}` of a value that is not known to be an application");
        let mut rows: Vec<_> = [EntryShape::Registrar, EntryShape::Decorator]
            .into_iter()
            .flat_map(|shape| models.entry_rows(shape))
            .filter(|(member, _)| member.path.rsplit('.').next() == Some(method.as_str()))
            .collect();
        if rows.is_empty() {
            return None;
        }
        // The framework that the file imports, or else one that the program does.
        let near = self.imported(&self.p.units[frame.unit.0 as usize]);
        if self.imports.is_none() {
            let all = self.p.units.iter().flat_map(|unit| self.imported(unit));
            self.imports = Some(all.collect());
        }
        let far = self.imports.clone().unwrap_or_default();
        rows.sort_by_key(|(member, _)| {
            let root = member.path.split('.').next().unwrap_or_default();
            std::cmp::Reverse(u8::from(near.contains(root)) + u8::from(far.contains(root)))
        });
        for (member, row) in rows {
            let path = self.name(&member.path);
            let id = self.path_member(path)?;
            let at = member.entry_points.iter().position(|r| r == row)? as u32;
            let ports = Ports {
                receiver: Some(receiver),
                args,
            };
            let route = row.route.as_ref().and_then(|p| self.port_plain(p, &ports));
            if route.is_some_and(|v| v != first) {
                continue;
            }
            if row.shape == EntryShape::Decorator {
                let plan = self.plan(id, at, Some(receiver), args, Some(&why));
                return Some(Out::ret(plan));
            }
            let handler = row
                .handler
                .as_ref()
                .and_then(|p| self.port_plain(p, &ports));
            let Some(handler) = handler.filter(|v| self.has_handler(*v)) else {
                continue;
            };
            let receiver = Some(receiver);
            self.register(frame, index, id, at, receiver, args, handler, Some(why));
            return Some(Out::ret(self.w.store.none()));
        }
        None
    }

    /// First segments of the modules that a file imports, as the models call them.
    pub(crate) fn imported(&self, unit: &solvent_ir::Unit) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for inst in unit.functions.iter().flat_map(|f| &f.insts) {
            if let solvent_ir::Op::Import {
                module, level: 0, ..
            } = &inst.op
            {
                let text = self.text(*module);
                let root = text.split('.').next().unwrap_or_default();
                out.insert(self.m.canonical(root).into_owned());
            }
        }
        out
    }
}
