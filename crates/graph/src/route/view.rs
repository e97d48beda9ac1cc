//! Handlers that are classes: which of their methods requests reach, and what decorators add.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Name;
use solvent_models::{EntryRow, EntryShape, Member, MemberId};

use super::listed::Way;
use super::{asks_who, last_segment};
use crate::call::Args;
use crate::entry::{Bound, Entry};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site, UnitId};
use crate::machine::Machine;
use crate::value::{Atom, EnvId, V};
use crate::world::Place;

/// What decorators that leave a handler as it is say of it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Wrapping {
    /// The only methods that get through.
    pub methods: Option<Vec<String>>,
    /// Where the handler is served, when another decorator says that it is.
    pub route: Option<String>,
    /// Classes of what the handler then gets.
    pub params: Vec<String>,
    pub framework: Option<String>,
    /// A list of checks is given for it.
    pub asked: bool,
    /// The setting that lists them otherwise.
    pub checks_named: Option<String>,
    /// For a method that is an action of its class.
    pub action: Option<Action>,
}

#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub route: Option<String>,
    pub methods: Vec<String>,
    /// Its route goes on with a key.
    pub detail: bool,
}

/// All that the rows of a class's library bases say.
#[derive(Default)]
struct Facts {
    framework: Option<String>,
    params: Vec<String>,
    functions: BTreeMap<String, Vec<String>>,
    runs: BTreeMap<String, BTreeSet<String>>,
    gives: BTreeMap<String, String>,
    checks: BTreeSet<String>,
    checks_named: Option<String>,
}

/// The parts of a class's entry points that are the same for all of them.
struct Served<'a> {
    class: ClassId,
    facts: &'a Facts,
    asked: &'a [String],
    row: &'a EntryRow,
    way: &'a Way,
}

impl Machine<'_> {
    /// A decorator that leaves its function as it is gets it.
    pub(crate) fn note_wrapped(
        &mut self,
        id: MemberId,
        row: &EntryRow,
        receiver: Option<V>,
        args: &Args,
        handler: V,
    ) {
        let models = self.m;
        let member = models.get(id);
        let ports = Ports { receiver, args };
        let at = |m: &mut Self, port: &Option<solvent_models::Port>| {
            port.as_ref().and_then(|p| m.port_plain(p, &ports))
        };
        let listed = at(self, &row.methods).and_then(|v| self.method_list(v));
        let route = at(self, &row.route)
            .and_then(|v| self.constant_texts(v))
            .and_then(|texts| texts.into_iter().next());
        let detail = at(self, &row.detail).is_some_and(|v| self.w.store.truth(v) != Some(false));
        let says = listed.is_some() || !row.default_methods.is_empty();
        let methods = listed.unwrap_or_else(|| row.default_methods.clone());
        for atom in self.w.store.atoms_of(handler) {
            let (Atom::Fn { function, .. } | Atom::Method { function, .. }) = atom else {
                continue;
            };
            // Whoever has the queue may send it something.
            if member.library == "celery" {
                let site = Site {
                    function,
                    inst: u32::MAX,
                };
                let task = self.w.store.one(atom);
                self.escape(task, site, &member.path, 0);
                self.w.tasks.insert(function);
                continue;
            }
            let have = self.wrapped.entry(function).or_default();
            if row.shape == EntryShape::Action {
                have.action = Some(Action {
                    route: route.clone(),
                    methods: methods.clone(),
                    detail,
                });
                continue;
            }
            if says {
                have.methods = Some(methods.clone());
            }
            if route.is_some() {
                have.route.clone_from(&route);
            }
            if !row.params.is_empty() {
                have.params.clone_from(&row.params);
                have.framework = Some(row.framework.clone());
            }
            have.asked |= row.asks.is_some();
            if row.checks_named.is_some() {
                have.checks_named.clone_from(&row.checks_named);
            }
        }
        if member.requires_login && self.is_java() {
            if let Some(name) = self.asked_by(id, args) {
                for atom in self.w.store.atoms_of(handler) {
                    if let Atom::Fn { function, .. } = atom {
                        let logins = self.w.logins.entry(function).or_default();
                        logins.insert(name.clone());
                    }
                }
            }
        } else if member.requires_login {
            self.note_login(member, handler);
        }
        let asked = at(self, &row.asks).map(|list| self.checks_in(list));
        for atom in self.w.store.atoms_of(handler) {
            if let Atom::Fn { function, .. } | Atom::Method { function, .. } = atom
                && let Some(asked) = &asked
            {
                let logins = self.w.logins.entry(function).or_default();
                logins.extend(asked.iter().cloned());
            }
        }
    }

    /// What is put behind a login check: a function, or the view of a class.
    pub(crate) fn note_login(&mut self, member: &Member, handler: V) -> V {
        let name = last_segment(&member.path).to_owned();
        let asked = self.name(&name);
        let asked = self.w.store.konst(solvent_ir::Const::Str(asked));
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(handler) {
            all.push(match atom {
                Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                    self.w
                        .logins
                        .entry(function)
                        .or_default()
                        .insert(name.clone());
                    atom
                }
                Atom::LibObject { class, attrs, data } => {
                    let mut attrs = attrs.to_vec();
                    attrs.push((self.n.auth, asked));
                    Atom::LibObject {
                        class,
                        attrs: attrs.into(),
                        data,
                    }
                }
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    /// Whether a value is the view of a class, of the program or of a library.
    pub(crate) fn is_view(&self, v: V) -> bool {
        self.w.store.atoms(v).any(|a| match a {
            Atom::LibObject { class, .. } => {
                *class == self.n.bound || self.text(*class).ends_with(".as_view()")
            }
            _ => false,
        })
    }

    /// What all decorators around a handler say together, the outer ones last.
    pub(super) fn wrapping(&self, atom: &Atom) -> Wrapping {
        let mut out = Wrapping::default();
        let (Atom::Fn { function, env } | Atom::Method { function, env, .. }) = atom else {
            return out;
        };
        for f in self.layers(*function, *env) {
            let Some(more) = self.wrapped.get(&f) else {
                continue;
            };
            if let Some(methods) = &more.methods {
                out.methods = Some(match out.methods.take() {
                    Some(before) => before.into_iter().filter(|m| methods.contains(m)).collect(),
                    None => methods.clone(),
                });
            }
            if !more.params.is_empty() {
                out.params.clone_from(&more.params);
                out.framework.clone_from(&more.framework);
            }
            out.asked |= more.asked;
            if more.checks_named.is_some() {
                out.checks_named.clone_from(&more.checks_named);
            }
            if more.action.is_some() {
                out.action.clone_from(&more.action);
            }
        }
        out
    }

    /// What the rows of a class's library bases say, the later files over the earlier ones.
    fn view_facts(&self, class: ClassId) -> Facts {
        let bases = self.lib_bases(class);
        let mut out = Facts::default();
        for (member, row) in self.m.entry_rows(EntryShape::BaseClass) {
            let fits = bases
                .iter()
                .any(|b| self.m.derives(&self.text(*b), &member.path));
            if !fits || row.bound_by.is_none() {
                continue;
            }
            out.framework = Some(row.framework.clone());
            if !row.params.is_empty() {
                out.params.clone_from(&row.params);
            }
            out.functions.extend(
                row.method_functions
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
            for (name, hooks) in &row.runs {
                let have = out.runs.entry(name.clone()).or_default();
                have.extend(hooks.iter().cloned());
            }
            out.gives
                .extend(row.gives.iter().map(|(k, v)| (k.clone(), v.clone())));
            out.checks.extend(row.checks.iter().cloned());
            if row.checks_named.is_some() {
                out.checks_named.clone_from(&row.checks_named);
            }
        }
        out
    }

    /// The view of a class of the program, bound to a route.
    pub(super) fn class_view(
        &mut self,
        class: ClassId,
        actions: Option<V>,
        asked: &[String],
        row: &EntryRow,
        way: &Way,
        out: &mut Vec<Entry>,
    ) {
        let facts = self.view_facts(class);
        let mut methods = facts.functions.clone();
        // `as_view({"get": "list"})` says itself which method answers what.
        if let Some(chosen) = actions.and_then(|v| self.chosen(v)) {
            methods = chosen;
        }
        let served = Served {
            class,
            facts: &facts,
            asked,
            row,
            way,
        };
        let before = out.len();
        for (name, methods) in &methods {
            self.serve(&served, name, methods, out);
        }
        if out.len() == before {
            let methods = row.default_methods.clone();
            self.serve_unseen(&served, methods, out);
        }
    }

    /// An instance whose `__call__` answers.
    pub(super) fn called_view(
        &mut self,
        class: ClassId,
        row: &EntryRow,
        way: &Way,
        out: &mut Vec<Entry>,
    ) {
        let mut facts = self.view_facts(class);
        if facts.params.is_empty() {
            facts.params.clone_from(&row.params);
        }
        let served = Served {
            class,
            facts: &facts,
            asked: &[],
            row,
            way,
        };
        if !self.serve(&served, "__call__", &row.default_methods, out) {
            self.serve_unseen(&served, row.default_methods.clone(), out);
        }
    }

    fn chosen(&self, v: V) -> Option<BTreeMap<String, Vec<String>>> {
        let Some(Atom::Coll { kids, .. }) = self.w.store.only(v) else {
            return None;
        };
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, v) in &**kids {
            let solvent_ir::Const::Str(method) = key else {
                continue;
            };
            for name in self.constant_texts(*v)? {
                let method = self.text(*method).to_uppercase();
                out.entry(name).or_default().push(method);
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// What answers when a view's method of this name is called: the program's own, and what a library's calls of
    /// the program's.
    fn serve(
        &mut self,
        served: &Served<'_>,
        name: &str,
        methods: &[String],
        out: &mut Vec<Entry>,
    ) -> bool {
        let own = self.own_method(served.class, name);
        let hooks = served.facts.runs.get(name);
        if own.is_none() && hooks.is_none() {
            return false;
        }
        let before = out.len();
        if let Some((function, value)) = own {
            let params = served.facts.params.clone();
            let entry = self.class_entry(served, function, value, methods, params);
            out.push(Entry {
                converters: served.way.params.clone(),
                ..entry
            });
        }
        for hook in hooks.into_iter().flatten() {
            if let Some((function, value)) = self.own_method(served.class, hook) {
                let mut entry = self.class_entry(served, function, value, methods, Vec::new());
                entry.within = true;
                // Those that are handed the request say so by the name of their parameter.
                let request = self.name("request");
                let params = &self.p.function(function).params;
                if params.get(1).is_some_and(|p| p.name == request) {
                    entry.params.clone_from(&served.facts.params);
                    entry.converters.clone_from(&served.way.params);
                }
                out.push(entry);
            }
        }
        if out.len() == before {
            self.serve_unseen(served, methods.to_vec(), out);
        }
        true
    }

    /// A class of the program whose methods are all a library's.
    fn serve_unseen(&mut self, served: &Served<'_>, methods: Vec<String>, out: &mut Vec<Entry>) {
        let unit = self.p.class_unit(served.class);
        let body = self.p.fn_id(unit, self.p.class(served.class).body);
        let none = self.w.store.none();
        let entry = self.class_entry(served, body, none, &methods, Vec::new());
        out.push(entry);
    }

    fn own_method(&mut self, class: ClassId, name: &str) -> Option<(FnId, V)> {
        let receiver = self.open_object(class);
        let name = self.name(name);
        let value = self.method_of(class, name, receiver)?;
        let found = self.w.store.atoms(value).find_map(|a| match a {
            Atom::Fn { function, env } | Atom::Method { function, env, .. } => {
                Some((*function, *env))
            }
            _ => None,
        });
        let (function, env) = found?;
        Some((self.unwrapped(function, env).0, value))
    }

    fn class_entry(
        &mut self,
        served: &Served<'_>,
        function: FnId,
        value: V,
        methods: &[String],
        params: Vec<String>,
    ) -> Entry {
        let class = served.class;
        let mut auth = self.method_checks(class, value);
        let listed = match (
            self.listed_checks(class, &served.facts.checks),
            &served.facts.checks_named,
        ) {
            (Some(listed), _) => listed,
            (None, Some(setting)) => self.checks_of_settings(setting),
            (None, None) => Vec::new(),
        };
        let of_class = self.class_logins(class);
        for name in served.asked.iter().cloned().chain(listed).chain(of_class) {
            if !auth.contains(&name) {
                auth.push(name);
            }
        }
        let mut methods = methods.to_vec();
        let limited = self
            .w
            .store
            .atoms(value)
            .find_map(|atom| self.wrapping(atom).methods);
        if let Some(limited) = limited {
            methods = if methods.is_empty() {
                limited
            } else {
                methods
                    .into_iter()
                    .filter(|m| limited.contains(m))
                    .collect()
            };
        }
        let mut gives = Vec::new();
        for (param, attribute) in &served.facts.gives {
            let attribute = self.name(attribute);
            let Some(held) = self.class_attr(class, EnvId::EMPTY, attribute) else {
                continue;
            };
            let given = self.w.store.atoms(held).find_map(|a| match a {
                Atom::Class { class, .. } => Some(*class),
                _ => None,
            });
            if let Some(given) = given {
                let v = self.open_object(given);
                gives.push((self.name(param), v));
            }
        }
        Entry {
            framework: served
                .facts
                .framework
                .clone()
                .unwrap_or_else(|| served.row.framework.clone()),
            methods,
            route: served.way.text.clone(),
            segments: served.way.segments.clone(),
            function,
            class: Some(class),
            value,
            auth,
            assumed: served.way.assumed.clone(),
            converters: Vec::new(),
            params,
            extra: served.way.extra.clone(),
            gives,
            within: false,
            library: None,
            filling: None,
            answers: None,
        }
    }

    /// Bases that ask who is there, and decorators of the class.
    fn class_logins(&mut self, class: ClassId) -> Vec<String> {
        let mut out = Vec::new();
        for base in self.lib_bases(class) {
            if let Some(id) = self.path_member(base)
                && self.m.get(id).requires_login
            {
                out.push(last_segment(&self.text(base)).to_owned());
            }
        }
        let unit = self.p.class_unit(class);
        let body = self.p.fn_id(unit, self.p.class(class).body);
        out.extend(self.w.logins.get(&body).into_iter().flatten().cloned());
        out
    }

    /// What the attributes that list checks name: a library's that are known to ask who is there, and the program's
    /// own whose names say so; `None` where the class sets none of the attributes.
    fn listed_checks(
        &mut self,
        class: ClassId,
        attributes: &BTreeSet<String>,
    ) -> Option<Vec<String>> {
        let mut out = None;
        for attribute in attributes {
            let attribute = self.name(attribute);
            if let Some(list) = self.class_attr(class, EnvId::EMPTY, attribute) {
                out.get_or_insert_with(Vec::new)
                    .extend(self.checks_in(list));
            }
        }
        out
    }

    /// What settings list as asking who is there, by name, for handlers that say nothing of it.
    pub(super) fn checks_of_settings(&mut self, setting: &str) -> Vec<String> {
        let mut out = Vec::new();
        let Some((variable, key)) = setting.split_once('.') else {
            return out;
        };
        let variable = self.name(variable);
        let key = solvent_ir::Const::Str(self.name(key));
        for unit in (0..self.p.units.len()).map(|u| UnitId(u as u32)) {
            let Some(settings) = self.w.read(Place::Global(unit, variable)) else {
                continue;
            };
            for atom in self.w.store.atoms_of(settings) {
                let Atom::Coll { kids, .. } = atom else {
                    continue;
                };
                let Some((_, list)) = kids.iter().find(|(k, _)| *k == key) else {
                    continue;
                };
                for v in self.exact_items(*list).unwrap_or_default() {
                    for text in self.constant_texts(v).unwrap_or_default() {
                        let path = self.name(&text);
                        let known = self
                            .path_member(path)
                            .is_some_and(|id| self.m.get(id).requires_login);
                        let name = last_segment(&text).to_owned();
                        let own = self.dotted(unit, &text).is_some() && asks_who(&name);
                        if (known || own) && !out.contains(&name) {
                            out.push(name);
                        }
                    }
                }
            }
        }
        out
    }

    fn checks_in(&mut self, list: V) -> Vec<String> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(list) {
            let Atom::Coll { kids, rest, .. } = atom else {
                continue;
            };
            for v in kids.iter().map(|(_, v)| *v).chain([rest]) {
                for atom in self.w.store.atoms_of(v) {
                    let name = match atom {
                        Atom::Lib(path) => {
                            let known = self
                                .path_member(path)
                                .is_some_and(|id| self.m.get(id).requires_login);
                            let path = self.text(path);
                            known.then(|| last_segment(&path).to_owned())
                        }
                        Atom::Class { class, .. } => {
                            let name = self.text(self.p.class(class).name).to_string();
                            asks_who(&name).then_some(name)
                        }
                        _ => None,
                    };
                    out.extend(name);
                }
            }
        }
        out
    }

    /// A class whose methods are served below one route: a list of things, and one of them by its key.
    pub(super) fn resource(
        &mut self,
        bound: &Bound,
        row: &EntryRow,
        way: &Way,
        out: &mut Vec<Entry>,
    ) {
        let classes: Vec<ClassId> = self
            .w
            .store
            .atoms(bound.handler)
            .filter_map(|a| match a {
                Atom::Class { class, .. } => Some(*class),
                _ => None,
            })
            .collect();
        let mut prefixes = bound.registration.routes.clone();
        if prefixes.is_empty() {
            prefixes.push(String::new());
        }
        for class in classes {
            let facts = self.view_facts(class);
            let key = self.key_of(class, &row.keys);
            let key = format!("(?P<{key}>[^/.]+)/");
            for prefix in &prefixes {
                let mut all = prefix.trim_end_matches('/').to_owned();
                if !all.is_empty() {
                    all.push('/');
                }
                let mut way = way.clone();
                if way.assumed.is_none() {
                    way.assumed.clone_from(&bound.registration.assumed);
                }
                let one = self.further(&way, &format!("{all}{key}"), row);
                let all = self.further(&way, &all, row);
                for (name, method) in &row.actions {
                    let way = if row.on_one.contains(name) {
                        &one
                    } else {
                        &all
                    };
                    let served = Served {
                        class,
                        facts: &facts,
                        asked: &[],
                        row,
                        way,
                    };
                    self.serve(&served, name, std::slice::from_ref(method), out);
                }
                self.add_actions(class, &facts, row, &all, &one, out);
            }
        }
    }

    fn add_actions(
        &mut self,
        class: ClassId,
        facts: &Facts,
        row: &EntryRow,
        all: &Way,
        one: &Way,
        out: &mut Vec<Entry>,
    ) {
        let mut seen: Vec<Name> = Vec::new();
        for base in self.order_of(class).iter().copied() {
            let crate::world::Base::Own(own) = base else {
                continue;
            };
            for (name, function) in self.methods_in(own) {
                if seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                let atom = Atom::Fn {
                    function,
                    env: EnvId::EMPTY,
                };
                let Some(action) = self.wrapping(&atom).action else {
                    continue;
                };
                let text = self.text(name).to_string();
                let route = action.route.unwrap_or_else(|| text.clone());
                let base = if action.detail { one } else { all };
                let way = self.further(base, &format!("{}/", route.trim_matches('/')), row);
                let served = Served {
                    class,
                    facts,
                    asked: &[],
                    row,
                    way: &way,
                };
                self.serve(&served, &text, &action.methods, out);
            }
        }
    }

    /// The name of the key in a resource's routes.
    fn key_of(&mut self, class: ClassId, keys: &[String]) -> String {
        let Some((otherwise, attributes)) = keys.split_last() else {
            return "key".to_owned();
        };
        for attribute in attributes {
            let attribute = self.name(attribute);
            if let Some(v) = self.class_attr(class, EnvId::EMPTY, attribute)
                && let Some(name) = self.w.store.constant_str(v)
            {
                return self.text(name).to_string();
            }
        }
        otherwise.clone()
    }
}
