//! Routes in tables, objects whose methods answer, and functions that servers are given.

use solvent_ir::{FunctionKind, ParamKind};
use solvent_models::pattern::{Anchoring, allowed_by_match};
use solvent_models::{EntryRow, EntryShape, Member, MemberId, Port};

use crate::call::Args;
use crate::entry::{Bound, Entry};
use crate::library::Ports;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, V};
use crate::world::{Base, Registration};

/// Deepest nesting of lists in a table.
const MAX_NESTING: usize = 4;

/// What is known of a holder of routes where it was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// Its routes are served without being mounted.
    pub application: bool,
    pub prefix: Option<String>,
    /// What asks who is there in front of all its routes.
    pub asks: Vec<String>,
}

/// A method that answers: its class, as a value, and what it answers and is called with.
pub(crate) struct Answering {
    pub function: FnId,
    pub class: ClassId,
    pub value: V,
    pub methods: Vec<String>,
    pub params: Vec<String>,
}

impl Machine<'_> {
    /// Remembers what kind of route holder was made where, and what stands in front of its routes.
    pub(crate) fn note_holder(&mut self, site: Site, member: &Member, args: &Args) {
        let ports = Ports {
            receiver: None,
            args,
        };
        let mut text_at = |port: &Option<Port>| {
            let v = self.port_plain(port.as_ref()?, &ports)?;
            self.constant_texts(v)?.into_iter().next()
        };
        let mut prefix = None;
        for row in &member.entry_points {
            let own = text_at(&row.prefix);
            let own = own.or_else(|| Some(format!("/{}", text_at(&row.named)?)));
            prefix = own.or(prefix);
        }
        for row in &member.entry_points {
            let application = match row.shape {
                EntryShape::Application => true,
                EntryShape::Collection | EntryShape::Group | EntryShape::Route => false,
                _ => continue,
            };
            let ports = Ports {
                receiver: None,
                args,
            };
            let made = Made {
                application,
                prefix: prefix.clone(),
                asks: self.noted_before(row, &ports),
            };
            self.made.insert(site, made);
        }
    }

    /// Names of what a list puts in front of handlers and that asks who is there. All of the list is kept, to be
    /// run.
    pub(crate) fn noted_before(&mut self, row: &EntryRow, ports: &Ports<'_>) -> Vec<String> {
        let list = row.before.as_ref().and_then(|p| self.port_plain(p, ports));
        let mut out = Vec::new();
        for note in list.map(|v| self.notes_in(v)).unwrap_or_default() {
            self.before.insert(note);
            for name in self.asked_by_note(note, V::NEVER, 0) {
                if !out.contains(&name) {
                    out.push(name);
                }
            }
        }
        out
    }

    /// Routes of what was just made: its own, and those of the table that it was given.
    pub(crate) fn bind_made(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        made: V,
        args: &Args,
    ) {
        let models = self.m;
        for (i, row) in models.get(id).entry_points.iter().enumerate() {
            match row.shape {
                EntryShape::Route => {
                    let ports = Ports {
                        receiver: None,
                        args,
                    };
                    let handler = row
                        .handler
                        .as_ref()
                        .and_then(|p| self.port_plain(p, &ports));
                    if let Some(handler) = handler {
                        let made = Some(made);
                        self.register(frame, index, id, i as u32, made, args, handler, None);
                    }
                }
                // `Api(app)` is mounted where it is made.
                EntryShape::Mount if row.mounts_itself() => {
                    self.register(frame, index, id, i as u32, None, args, made, None);
                }
                EntryShape::Application | EntryShape::Collection => {
                    self.bind_around(frame, index, id, i as u32, made, args);
                    self.bind_table(frame, index, id, i as u32, Some(made), args);
                }
                _ => {}
            }
        }
    }

    /// Objects that an application is given and whose methods run around its handlers.
    fn bind_around(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        row: u32,
        made: V,
        args: &Args,
    ) {
        let models = self.m;
        let entry = &models.get(id).entry_points[row as usize];
        let ports = Ports {
            receiver: None,
            args,
        };
        let given = entry
            .handler
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports));
        let Some(given) = given else { return };
        let mut all = self.notes_in(given);
        if all.is_empty() {
            all.push(given);
        }
        let handlers = self.w.store.join_all(all);
        let made = Some(made);
        let none = Args::default();
        self.register(frame, index, id, row, made, &none, handlers, None);
    }

    /// The routes in a row's table. Whether there were any.
    pub(crate) fn bind_table(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        row: u32,
        receiver: Option<V>,
        args: &Args,
    ) -> bool {
        let models = self.m;
        let member = models.get(id);
        let Some(entry) = member.entry_points.get(row as usize) else {
            return false;
        };
        let ports = Ports { receiver, args };
        let list = entry
            .table
            .as_ref()
            .and_then(|p| self.port_plain(p, &ports));
        let Some(list) = list else { return false };
        let (mut pairs, mut mounted) = (Vec::new(), Vec::new());
        self.table_rows(list, &mut pairs, &mut mounted, 0);
        let any = !pairs.is_empty() || !mounted.is_empty();
        for pair in pairs {
            let handler = pair[1];
            let args = Args::of(&pair);
            self.register(frame, index, id, row, receiver, &args, handler, None);
        }
        if !mounted.is_empty() {
            let site = self.site(frame, index);
            let (receivers, receiver_known) = self.origins(receiver);
            let key = (site, row, "<table>".to_owned());
            let before = self.bound.remove(&key);
            let mut registration = before.map_or_else(
                || Registration {
                    site,
                    member: member.path.clone(),
                    row,
                    receivers: Vec::new(),
                    receiver_known,
                    routes: Vec::new(),
                    named: None,
                    methods: Vec::new(),
                    prefix: None,
                    adds_prefix: false,
                    handlers: Vec::new(),
                    mounted: Vec::new(),
                    class_method: None,
                    assumed: None,
                    mounts_unknown: false,
                    requires_login: Vec::new(),
                    suffix: String::new(),
                    answers: None,
                },
                |bound| bound.registration,
            );
            registration.mounts_unknown |= self.is_unknown_mount(list, 0);
            for (have, more) in [
                (&mut registration.receivers, receivers),
                (&mut registration.mounted, mounted),
            ] {
                for site in more {
                    if !have.contains(&site) {
                        have.push(site);
                    }
                }
            }
            let bound = Bound {
                registration,
                handler: list,
                member: id,
                extra: None,
                alone: false,
            };
            self.bound.insert(key, bound);
        }
        any
    }

    /// Pairs of route and handler in a table, and where its other routes were made.
    fn table_rows(&self, v: V, pairs: &mut Vec<Vec<V>>, mounted: &mut Vec<Site>, depth: usize) {
        for atom in self.w.store.atoms(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::List | CollKind::Tuple | CollKind::Set | CollKind::Iter,
                    kids,
                    rest,
                    ..
                } if depth < MAX_NESTING => {
                    let items: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
                    let is_pair = items.len() >= 2
                        && self.w.store.constant_str(items[0]).is_some()
                        && self.has_handler(items[1]);
                    if is_pair {
                        pairs.push(items);
                        continue;
                    }
                    for v in items.into_iter().chain([*rest]) {
                        if v != V::NEVER {
                            self.table_rows(v, pairs, mounted, depth + 1);
                        }
                    }
                }
                Atom::LibObject { .. } => {
                    for site in self.origins(Some(v)).0 {
                        if !mounted.contains(&site) {
                            mounted.push(site);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Remembers the text of a route under its name.
    pub(crate) fn name_route(&mut self, row: &EntryRow, receiver: Option<V>, args: &Args) {
        let ports = Ports { receiver, args };
        let name = row.named.as_ref().and_then(|p| self.port_plain(p, &ports));
        let route = row.route.as_ref().and_then(|p| self.port_plain(p, &ports));
        let name = name
            .and_then(|v| self.constant_texts(v))
            .unwrap_or_default();
        let route = route
            .and_then(|v| self.constant_texts(v))
            .unwrap_or_default();
        for name in name {
            let texts = self.named.entry(name).or_default();
            for text in &route {
                if !texts.contains(text) {
                    texts.push(text.clone());
                }
            }
        }
    }

    /// A function that runs around requests, with what it is called with.
    pub(crate) fn hooked(&mut self, bound: &Bound, row: &EntryRow) -> V {
        if row.params.is_empty() {
            return bound.handler;
        }
        let site = bound.registration.site;
        let args: Vec<V> = row
            .params
            .iter()
            .map(|class| self.filled_by_rows(class, site))
            .collect();
        self.w.store.one(Atom::Partial {
            function: bound.handler,
            args: args.into(),
            named: Box::default(),
        })
    }

    /// Kinds that no text which a pattern lets through can harm.
    pub(crate) fn kept_by_pattern(&self, pattern: &str) -> u64 {
        if !pattern.contains(['[', '(', '\\', '+', '*', '.', '|', '{']) {
            return 0;
        }
        allowed_by_match(pattern, Anchoring::Full).map_or(0, |sets| self.kinds_without(&sets))
    }

    /// Methods of a class or an object that answer what is bound to it.
    pub(crate) fn object_handlers(
        &mut self,
        atom: &Atom,
        row: &EntryRow,
        suffix: &str,
    ) -> Vec<Answering> {
        let (class, receiver) = match atom {
            Atom::Class { class, .. } => (*class, self.open_object(*class)),
            Atom::Object { class, .. } => (*class, self.w.store.one(atom.clone())),
            _ => return Vec::new(),
        };
        let mut found = if row.method_functions.is_empty() {
            self.class_handlers(class, true)
        } else {
            self.methods_named(class, row, suffix)
        };
        if found.is_empty()
            && matches!(atom, Atom::Object { .. })
            && let Some(method) = self.method_of(class, self.n.call, receiver)
        {
            let called = self.w.store.atoms(method).find_map(|a| match a {
                Atom::Method { function, .. } => Some(*function),
                _ => None,
            });
            found.extend(called.map(|f| (f, Vec::new())));
        }
        // Methods of Go stand outside of their types.
        if found.is_empty() && self.is_go() {
            for (name, methods) in &row.method_functions {
                let name = self.name(name);
                let method = self.method_of(class, name, receiver);
                let own = method.and_then(|v| {
                    self.w.store.atoms(v).find_map(|a| match a {
                        Atom::Method { function, .. } => Some(*function),
                        _ => None,
                    })
                });
                found.extend(own.map(|f| (f, methods.clone())));
            }
        }
        let params = self.params_of_class(class);
        let mut out = Vec::new();
        for (function, methods) in found {
            let name = self.p.function(function).name;
            if let Some(value) = self.method_of(class, name, receiver) {
                out.push(Answering {
                    function,
                    class,
                    value,
                    methods,
                    params: params.clone(),
                });
            }
        }
        out
    }

    /// Methods that a row names, with what is put behind the names.
    fn methods_named(
        &self,
        class: ClassId,
        row: &EntryRow,
        suffix: &str,
    ) -> Vec<(FnId, Vec<String>)> {
        let mut out: Vec<(FnId, Vec<String>)> = Vec::new();
        for base in self.order_of(class).iter().copied() {
            let Base::Own(c) = base else { continue };
            for (name, function) in self.methods_in(c) {
                let text = self.text(name).to_string();
                let bare = match suffix {
                    "" => Some(text.as_str()),
                    _ => text
                        .strip_suffix(suffix)
                        .and_then(|head| head.strip_suffix('_')),
                };
                let methods = bare.and_then(|name| row.method_functions.get(name));
                let seen = out
                    .iter()
                    .any(|(f, _)| self.p.function(*f).name == self.p.function(function).name);
                if let (Some(methods), false) = (methods, seen) {
                    out.push((function, methods.clone()));
                }
            }
        }
        out
    }

    /// What a library's base says that methods of its classes are called with.
    pub(crate) fn params_of_class(&self, class: ClassId) -> Vec<String> {
        let bases = self.lib_bases(class);
        let row = self
            .m
            .entry_rows(EntryShape::BaseClass)
            .find(|(member, row)| {
                !row.params.is_empty()
                    && bases
                        .iter()
                        .any(|b| self.m.derives(&self.text(*b), &member.path))
            });
        row.map(|(_, row)| row.params.clone()).unwrap_or_default()
    }

    /// Functions with the parameters that a server passes, where nobody is seen to give them to one.
    pub(crate) fn add_signatures(&mut self, out: &mut Vec<Entry>) {
        let models = self.m;
        let p = self.p;
        for (_, row) in models.entry_rows(EntryShape::Signature) {
            for f in p.functions() {
                let function = p.function(f);
                let is_method = function.class.is_some();
                let top = function.parent == Some(solvent_ir::FnIndex(0));
                let called = is_method && function.name == self.n.call;
                let bound = out.iter().any(|entry| entry.function == f);
                if function.kind != FunctionKind::Def || !(top || called) || bound {
                    continue;
                }
                let names: Vec<String> = function
                    .params
                    .iter()
                    .filter(|param| param.kind == ParamKind::Ordinary)
                    .skip(usize::from(called))
                    .map(|param| self.text(param.name).to_string())
                    .collect();
                if names != row.names || (is_method && !called) {
                    continue;
                }
                let class = function.class.map(|c| p.class_id(p.unit_of(f), c));
                let value = match class {
                    Some(class) => {
                        let receiver = self.open_object(class);
                        self.method_of(class, self.n.call, receiver)
                    }
                    None => {
                        let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
                        Some(self.w.store.one(Atom::Fn { function: f, env }))
                    }
                };
                let Some(value) = value else { continue };
                out.push(Entry {
                    within: false,
                    framework: row.framework.clone(),
                    methods: row.default_methods.clone(),
                    route: String::new(),
                    segments: Vec::new(),
                    function: f,
                    class,
                    value,
                    auth: Vec::new(),
                    assumed: Some("nobody is seen to give it to a server".to_owned()),
                    converters: Vec::new(),
                    params: row.params.clone(),
                    extra: Vec::new(),
                    gives: Vec::new(),
                    library: None,
                    filling: None,
                    answers: None,
                });
            }
        }
    }

    /// An instance of a library's class as a request fills it: what its rows say that stands under which key.
    pub(crate) fn filled_by_rows(&mut self, path: &str, site: Site) -> V {
        let kind = solvent_models::TypeRef::Named {
            path: path.to_owned(),
            element: None,
        };
        let name = self.name(path);
        let models = self.m;
        let Some(id) = self.path_member(name) else {
            return self.typed(V::NEVER, &kind);
        };
        let member = models.get(id);
        if member.sources.iter().any(|s| s.at.path.is_empty()) {
            return self.source_value(member, None, &Args::default(), site);
        }
        let mut held = V::NEVER;
        for source in member.sources.iter().filter(|s| !s.at.path.is_empty()) {
            let labels = self.source_labels(source, member, None, &Args::default(), site);
            if let Some(labels) = labels {
                let v = self.w.store.data(labels);
                held = self.put(held, &source.at.path, v, CollKind::Dict);
            }
        }
        self.typed(held, &kind)
    }

    /// Whether a route's parameter has no name but its position.
    pub(crate) fn is_position(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
    }
}
