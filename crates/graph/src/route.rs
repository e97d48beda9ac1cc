//! Registrations put together into routes.

mod around;
mod chain;
mod class;
mod files;
mod listed;
mod live;
mod login;
mod mount;
mod own;
mod pieces;
mod query;
mod table;
mod text;
mod view;

use listed::{UNKNOWN, Way};
use live::Seen;
pub(crate) use table::Made;
pub(crate) use text::joined;
use text::segments;
pub(crate) use view::Wrapping;

use crate::analyse::Hook;
use crate::call::Args;
use crate::entry::{Bound, Entry};
use crate::label::{Hop, InputKey, InputShape, Label, Note, Origin, TraceKind};
use crate::link::{ClassId, FnId, Site};
use crate::machine::Machine;
use crate::value::{Atom, V};
use crate::world::Registration;
use solvent_finding::RouteSegment;
use solvent_models::{ArgSelector, EntryRow, EntryShape, PortRoot, RouteSyntax, pattern};
use std::collections::BTreeMap;

/// Longest chain of mounts that is followed.
const MAX_MOUNTS: usize = 8;

/// Whether a decorator's name says that it asks who is there.
pub(crate) fn asks_who(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "login",
        "logged",
        "jwt",
        "guard",
        "protect",
        "auth",
        "admin",
        "require",
        "permission",
        "token",
        "role",
        "user",
    ];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

fn last_segment(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

impl Machine<'_> {
    /// Whether a registration is what its function does for nobody in particular, while callers that are all seen have
    /// it register routes that are known.
    fn is_general(&self, all: &[Bound], bound: &Bound) -> bool {
        let general = &bound.registration;
        bound.alone
            && general.assumed.is_some()
            && !self.w.escapes.contains_key(&general.site.function)
            && all.iter().any(|other| {
                let known = &other.registration;
                let same = known.site == general.site && known.row == general.row;
                same && !other.alone && !known.routes.is_empty()
            })
    }

    /// All entry points, and the hooks that run around them.
    pub fn entries(&mut self) -> (Vec<Entry>, Vec<Hook>) {
        let all: Vec<Bound> = self.bound.values().cloned().collect();
        let bounds: Vec<Bound> = all
            .iter()
            .filter(|bound| !self.stands_behind(&all, bound) && !self.is_general(&all, bound))
            .cloned()
            .collect();
        let mut out = Vec::new();
        let mut hooks = Vec::new();
        let is_mount = |b: &Bound, row: &EntryRow| {
            matches!(row.shape, EntryShape::Mount | EntryShape::Group)
                || !b.registration.mounted.is_empty()
        };
        let mounts: Vec<Registration> = bounds
            .iter()
            .filter(|b| self.row(b).is_some_and(|row| is_mount(b, row)))
            .map(|b| b.registration.clone())
            .collect();
        let seen = self.see(&mounts);
        for bound in &bounds {
            if self.never_happens(&seen, bound) {
                continue;
            }
            let Some(row) = self.row(bound).cloned() else {
                continue;
            };
            match row.shape {
                // Served once a table includes them.
                EntryShape::Registrar if !row.actions.is_empty() => {}
                EntryShape::Hook => hooks.push(Hook {
                    framework: row.framework.clone(),
                    value: self.hooked(bound, &row),
                    catches: bound.registration.member.contains("error"),
                }),
                _ if is_mount(bound, &row) => {}
                EntryShape::Decorator
                | EntryShape::Registrar
                | EntryShape::Route
                | EntryShape::Application
                | EntryShape::Collection => {
                    self.add_routes(bound, &row, &mounts, &seen, &mut out);
                }
                _ => {}
            }
        }
        self.add_base_classes(&seen, &mut out);
        self.add_tables(&bounds, &mut out);
        let mut listed: Vec<V> = self.before.iter().copied().collect();
        self.add_listed_hooks(&mut listed);
        hooks.extend(listed.into_iter().map(|value| Hook {
            framework: String::new(),
            value,
            catches: false,
        }));
        self.add_files(&mut out);
        self.add_signatures(&mut out);
        self.put_behind_queries(&mut out);
        out.sort_by(|a, b| {
            (&a.route, a.function, &a.methods).cmp(&(&b.route, b.function, &b.methods))
        });
        out.dedup_by(|a, b| {
            a.route == b.route && a.function == b.function && a.methods == b.methods
        });
        (out, hooks)
    }

    pub(crate) fn row(&self, bound: &Bound) -> Option<&EntryRow> {
        self.m
            .get(bound.member)
            .entry_points
            .get(bound.registration.row as usize)
    }

    pub(crate) fn add_routes(
        &mut self,
        bound: &Bound,
        row: &EntryRow,
        mounts: &[Registration],
        seen: &Seen,
        out: &mut Vec<Entry>,
    ) {
        let registration = &self.on_its_controller(bound);
        let mut prefixes: BTreeMap<String, Option<String>> = BTreeMap::new();
        if registration.receivers.is_empty() {
            let assumed = registration.assumed.clone().or_else(|| {
                (!registration.receiver_known).then(|| "its receiver is not known".to_owned())
            });
            prefixes.insert(String::new(), assumed);
        }
        for receiver in &registration.receivers {
            let mut found = Vec::new();
            self.prefixes(*receiver, mounts, seen, &mut Vec::new(), &mut found);
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
        let mut asked = registration.requires_login.clone();
        if let [receiver] = &*registration.receivers {
            asked.extend(self.asked_by_mounts(*receiver, mounts, 0));
        }
        let mut routes = registration.routes.clone();
        let named = registration
            .named
            .as_ref()
            .and_then(|name| self.named.get(name));
        routes.extend(named.into_iter().flatten().cloned());
        if routes.is_empty() {
            routes.push(String::new());
        }
        let unit = self.p.unit_of(registration.site.function);
        let heads = self.in_front(&row.framework, unit);
        let all = prefixes
            .iter()
            .flat_map(|each| heads.iter().map(move |head| (head, each)));
        for (head, (prefix, assumed)) in all {
            let prefix = joined(head, prefix);
            for route in &routes {
                let mut route = joined(&prefix, route);
                // Decorators name routes with and without it.
                if row.syntax == RouteSyntax::Colon
                    && row.shape == EntryShape::Decorator
                    && !route.starts_with('/')
                {
                    route.insert(0, '/');
                }
                let route = self.below_class(bound.handler, route);
                let (segments, names) = segments(&route, row.syntax);
                let converters = names
                    .into_iter()
                    .map(|(name, converter)| {
                        let kills = match row.converters.get(&converter) {
                            // Elsewhere parameters are decoded after they were matched.
                            _ if self.has_receivers() => self.kinds_of_route(&converter),
                            Some(c) => c.clears.0 | self.excluded(&c.excludes),
                            None => self.kept_by_pattern(&converter),
                        };
                        (name, kills)
                    })
                    .collect::<Vec<_>>();
                let first = out.len();
                for atom in self.w.store.atoms_of(bound.handler) {
                    let before = out.len();
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
                    for entry in &mut out[before..] {
                        let path = self.text(self.p.function(entry.function).qualname);
                        for name in &asked {
                            // It is not in front of itself.
                            if !path.split('.').any(|part| part == name)
                                && !entry.auth.contains(name)
                            {
                                entry.auth.push(name.clone());
                            }
                        }
                    }
                }
                if out.len() == first && self.is_answered_elsewhere(registration, row) {
                    let way = Way {
                        text: route,
                        segments,
                        params: Vec::new(),
                        extra: Vec::new(),
                        assumed: assumed.clone(),
                    };
                    let entry = self.answered_by_library(bound, row, &way, &asked);
                    out.push(entry);
                }
            }
        }
    }

    /// Whether something that is no function of the program answers a route of its own: a call that registers for all
    /// requests puts something in front of others.
    fn is_answered_elsewhere(&self, registration: &Registration, row: &EntryRow) -> bool {
        let takes_all = row
            .handler
            .as_ref()
            .is_some_and(|port| port.root == PortRoot::Arg(ArgSelector::All));
        let of_route = row
            .route
            .as_ref()
            .is_some_and(|port| port.root == PortRoot::Receiver);
        row.shape == EntryShape::Registrar
            && self.is_javascript()
            && (!takes_all || of_route)
            && !registration.routes.is_empty()
            && !registration.methods.is_empty()
    }

    fn answered_by_library(
        &self,
        bound: &Bound,
        row: &EntryRow,
        way: &Way,
        asked: &[String],
    ) -> Entry {
        let last = self.w.store.atoms(bound.handler).last();
        let name = last.map_or_else(|| UNKNOWN.to_owned(), |atom| self.library_name(atom));
        let mut entry = self.library_entry(bound, row, way, name);
        entry.methods.clone_from(&bound.registration.methods);
        entry.auth = asked.to_vec();
        entry
    }

    /// The registration of a method on what the decorator of its class made.
    fn on_its_controller(&self, bound: &Bound) -> Registration {
        let mut registration = bound.registration.clone();
        if registration.receivers.is_empty() {
            for atom in self.w.store.atoms(bound.handler) {
                if let Atom::Fn { function, .. } = atom
                    && let Some(class) = self.p.function(*function).class
                {
                    let class = self.p.class_id(self.p.unit_of(*function), class);
                    registration
                        .receivers
                        .extend(self.controllers.get(&class).copied());
                }
            }
        }
        registration
    }

    /// What asks who is there in front of every mount of what was made there.
    fn asked_by_mounts(&self, at: Site, mounts: &[Registration], depth: usize) -> Vec<String> {
        let mut common: Option<Vec<String>> = None;
        for mount in mounts.iter().filter(|m| m.mounted.contains(&at)) {
            let mut names = mount.requires_login.clone();
            if let ([receiver], true) = (&*mount.receivers, depth < MAX_MOUNTS) {
                names.extend(self.asked_by_mounts(*receiver, mounts, depth + 1));
            }
            common = Some(match common {
                Some(before) => before.into_iter().filter(|n| names.contains(n)).collect(),
                None => names,
            });
        }
        let mut out = common.unwrap_or_default();
        out.extend(
            self.made
                .get(&at)
                .into_iter()
                .flat_map(|made| made.asks.clone()),
        );
        out
    }

    /// Kinds that no text harms which a route's own pattern lets through: `(\d+)`.
    fn kinds_of_route(&self, converter: &str) -> u64 {
        let inside = converter
            .strip_prefix('(')
            .and_then(|c| c.strip_suffix(')'));
        let sets = inside
            .and_then(|text| pattern::allowed_by_match(text, pattern::Anchoring::Full))
            .unwrap_or_default();
        // A percent sign may become anything once the parameter is decoded.
        if sets.is_empty() || sets.iter().any(|set| set.contains('%')) {
            return 0;
        }
        self.kinds_without(&sets)
    }

    /// Kinds for which nothing harmful can be written without these characters.
    pub(crate) fn excluded(&self, excludes: &[char]) -> u64 {
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
    pub(crate) fn add_handler(
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
            params: row.params.clone(),
            extra: bound.extra.into_iter().collect(),
            gives: Vec::new(),
            within: false,
            library: None,
            filling: row.filling.clone(),
            answers: bound.registration.answers.clone(),
        };
        match atom {
            // A method that its class's decorators serve is called on an instance.
            Atom::Fn { function, env }
                if (self.is_javascript() || (row.filling.is_some() && !self.has_receivers()))
                    && self.p.function(*function).class.is_some() =>
            {
                let (_, auth) = self.unwrapped(*function, *env);
                let own = self.p.function(*function);
                let class = own
                    .class
                    .map(|c| self.p.class_id(self.p.unit_of(*function), c));
                let Some(class) = class else { return };
                let receiver = self.open_object(class);
                let value = self.w.store.one(Atom::Method {
                    function: *function,
                    env: *env,
                    receiver,
                });
                out.push(make(
                    *function,
                    Some(class),
                    value,
                    bound.registration.methods.clone(),
                ));
                if let Some(last) = out.last_mut() {
                    last.auth = auth;
                }
            }
            // `ServeHTTP` of a value serves.
            Atom::Object { class, .. } if self.is_go() && row.method_functions.is_empty() => {
                let receiver = self.w.store.one(atom.clone());
                let name = self.name("ServeHTTP");
                let Some(value) = self.method_of(*class, name, receiver) else {
                    return;
                };
                let handlers = self.w.store.atoms(value).filter_map(|a| match a {
                    Atom::Fn { function, .. } | Atom::Method { function, .. } => Some(*function),
                    _ => None,
                });
                for function in handlers.collect::<Vec<_>>() {
                    let methods = bound.registration.methods.clone();
                    out.push(make(function, Some(*class), value, methods));
                }
            }
            Atom::Fn { function, .. } if self.is_java() && self.takes_receiver(*function) => {
                let Some(class) = self.class_of(*function) else {
                    return;
                };
                if row.bound_by.is_some() && !self.may_be_found(class) {
                    return;
                }
                let receiver = self.open_object(class);
                let raw = self.w.store.one(atom.clone());
                let value = self.bind_attr(raw, receiver, class);
                let methods = bound.registration.methods.clone();
                let auth = self.method_checks(class, value);
                out.push(make(*function, Some(class), value, methods));
                if let Some(last) = out.last_mut() {
                    last.auth = auth;
                }
            }
            Atom::Fn { function, env } | Atom::Method { function, env, .. } => {
                let value = self.w.store.one(atom.clone());
                let (function, auth) = self.unwrapped(*function, *env);
                out.push(make(
                    function,
                    None,
                    value,
                    bound.registration.methods.clone(),
                ));
                let bound = matches!(atom, Atom::Method { .. });
                if let Some(last) = out.last_mut() {
                    last.auth = auth;
                    if last.filling.is_some() {
                        for name in self.asked_by_params(function, bound, 0) {
                            if !last.auth.contains(&name) {
                                last.auth.push(name);
                            }
                        }
                    }
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
                        let auth = self.method_checks(class, value);
                        let params = self.params_of_class(class);
                        out.push(make(function, Some(class), value, methods));
                        if let Some(last) = out.last_mut() {
                            last.auth = auth;
                            if !params.is_empty() {
                                last.params = params;
                            }
                        }
                    }
                }
            }
            Atom::Class { .. } | Atom::Object { .. } => {
                let suffix = &bound.registration.suffix;
                for answering in self.object_handlers(atom, row, suffix) {
                    let methods = if answering.methods.is_empty() {
                        bound.registration.methods.clone()
                    } else {
                        answering.methods
                    };
                    let (class, value) = (answering.class, answering.value);
                    let auth = self.method_checks(class, value);
                    let mut entry = make(answering.function, Some(class), value, methods);
                    entry.auth = auth;
                    if !answering.params.is_empty() {
                        entry.params = answering.params;
                    }
                    out.push(entry);
                }
            }
            _ => {}
        }
    }

    /// The function and those below it that it wraps, from the outside in.
    fn layers(&self, function: FnId, env: crate::value::EnvId) -> Vec<FnId> {
        let mut out = vec![function];
        let mut at = (function, env);
        while let Some((_, inner, inner_env)) = self.wrapped_by(at.0, at.1) {
            if out.contains(&inner) || out.len() > MAX_MOUNTS {
                break;
            }
            out.push(inner);
            at = (inner, inner_env);
        }
        out
    }

    /// The function below decorators that wrap it, and the decorators that look like they ask who is
    /// there.
    pub(crate) fn unwrapped(
        &self,
        function: FnId,
        env: crate::value::EnvId,
    ) -> (FnId, Vec<String>) {
        let mut auth: Vec<String> = Vec::new();
        let (mut function, mut env) = (function, env);
        for _ in 0..MAX_MOUNTS {
            for name in self.w.logins.get(&function).into_iter().flatten() {
                if !auth.contains(name) {
                    auth.push(name.clone());
                }
            }
            let Some((outer, inner, inner_env)) = self.wrapped_by(function, env) else {
                break;
            };
            let name = self.text(self.p.function(outer).qualname);
            let name = name.split('.').next().unwrap_or_default().to_owned();
            if asks_who(&name) && !auth.contains(&name) {
                auth.push(name);
            }
            function = inner;
            env = inner_env;
        }
        (function, auth)
    }

    /// The decorator that made a wrapper, and what the wrapper was given: a function made outside the decorator.
    fn wrapped_by(
        &self,
        function: FnId,
        env: crate::value::EnvId,
    ) -> Option<(FnId, FnId, crate::value::EnvId)> {
        let parent = self.p.function(function).parent?;
        let outer = self.p.fn_id(self.p.unit_of(function), parent);
        if self.p.is_body(outer) {
            return None;
        }
        let cells = self.w.store.env(env);
        let of_parameter = |(of, name): &(FnId, solvent_base::Name)| {
            let given = &self.p.function(*of).params;
            given.iter().any(|param| param.name == *name)
        };
        let given = cells.iter().filter(|(cell, _)| of_parameter(cell));
        given
            .into_iter()
            .find_map(|(_, v)| match self.w.store.only(*v) {
                Some(Atom::Fn {
                    function: inner,
                    env: inner_env,
                }) if *inner != function
                    && self
                        .p
                        .function(*inner)
                        .parent
                        .is_none_or(|p| self.p.fn_id(self.p.unit_of(*inner), p) != outer) =>
                {
                    Some((outer, *inner, *inner_env))
                }
                _ => None,
            })
    }

    /// Methods of a class that handle requests, by the rows of its library bases.
    pub(crate) fn class_handlers(&self, class: ClassId, bound: bool) -> Vec<(FnId, Vec<String>)> {
        let bases = self.lib_bases(class);
        let mut out: Vec<(FnId, Vec<String>)> = Vec::new();
        for (member, row) in self.m.entry_rows(EntryShape::BaseClass) {
            let fits = bases
                .iter()
                .any(|b| self.m.derives(&self.text(*b), &member.path));
            if !fits || row.bound_by.is_some() != bound {
                continue;
            }
            for base in self.order_of(class).iter().copied() {
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
                                let methods = match methods.is_empty() {
                                    true => vec![tail.to_uppercase()],
                                    false => methods.clone(),
                                };
                                out.push((function, methods));
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

    /// What the handler's parameters get from the route.
    pub(crate) fn handler_args(&mut self, entry: &Entry) -> Args {
        if self.is_java() && entry.params.is_empty() {
            return self.annotated_args(entry);
        }
        let mut args = Args::default();
        for class in &entry.params {
            let site = Site {
                function: entry.function,
                inst: u32::MAX,
            };
            let v = self.filled_by_rows(class, site);
            args.pos.push((v, None));
        }
        if !entry.params.is_empty() && self.has_receivers() {
            let function = self.p.function(entry.function);
            let ordinary = |p: &&solvent_ir::Param| p.kind == solvent_ir::ParamKind::Ordinary;
            let unknown = self.w.store.unknown();
            if function.params.iter().filter(ordinary).count() > entry.params.len() {
                let raised = self.raised_by_handlers();
                args.pos.insert(0, (raised.unwrap_or(unknown), None));
            }
            // The route's parameters are read from the request.
            return args;
        }
        let site = Site {
            function: entry.function,
            inst: u32::MAX,
        };
        if self.is_javascript() {
            let f = entry.function;
            let params = &self.p.function(f).params;
            for (i, param) in params.iter().enumerate() {
                if param.kind == solvent_ir::ParamKind::Receiver {
                    continue;
                }
                let v = match self.w.annotations.get(&(f, i as u32)).copied() {
                    // What the parameter's decorator hands over.
                    Some(v) if self.w.store.deep(v) != crate::value::Ls::NONE => {
                        self.hop_all(v, TraceKind::Source, site, param.name)
                    }
                    _ => {
                        let unknown = self.w.store.unknown();
                        self.annotated(f, i as u32, unknown)
                    }
                };
                args.pos.push((v, None));
            }
            return args;
        }
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
            if param.is_empty() || Self::is_position(param) {
                args.pos.push((v, None));
            } else {
                args.named.push((name, v, None));
            }
        }
        for v in &entry.extra {
            self.spread_keywords(&mut args, *v);
        }
        for (name, v) in &entry.gives {
            let params = &self.p.function(entry.function).params;
            if params.iter().any(|p| p.name == *name) {
                args.named.push((*name, *v, None));
            }
        }
        args
    }
}
