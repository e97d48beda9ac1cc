//! Templates of pages: which one a call renders, with what, and what of it is not known.

use solvent_models::{Given, Member, Port, View};

use crate::call::Args;
use crate::label::Link;
use crate::library::Ports;
use crate::link::{FnId, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, Ls, Piece, V};
use crate::world::{CallTier, Place, SinkRef, Touch};
use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::{Const, FnIndex};

/// What a page gets of which it is not known what it does with it.
const UNREAD: &str = "template.unread";

/// Folders that servers look for templates in.
const ROOTS: [&str; 4] = ["views", "view", "templates", "template"];

/// Templates of these names make text that no engine escapes and that is a page only where the program says so.
const PLAIN: [&str; 5] = [".txt", ".text", ".csv", ".md", ".rst"];

impl Machine<'_> {
    /// What the call renders; gives the text of templates that are no pages.
    pub(crate) fn views(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
    ) -> V {
        let mut plain = V::NEVER;
        for view in &member.views {
            match view {
                View::Renders {
                    name,
                    locals,
                    request,
                } => {
                    let Some(name) = self.port_plain(name, ports) else {
                        continue;
                    };
                    // Some calls take the request in front, or not: what stands there is a name, or no name.
                    if !self.may_be_text(name) {
                        continue;
                    }
                    let request = match request {
                        Some(Given::At(port)) => self.port_plain(port, ports),
                        Some(Given::Path(path)) => {
                            let path = self.name(path);
                            Some(self.lib_value(path))
                        }
                        None => None,
                    };
                    let mut all = V::NEVER;
                    for port in locals {
                        let v = {
                            let mut slot = Some(&mut *frame);
                            self.port(&mut slot, index, port, ports)
                        };
                        let Some(v) = v.filter(|v| self.may_hold(*v)) else {
                            continue;
                        };
                        let v = self.written_attributes(v);
                        if self.is_empty_mapping(v) {
                            continue;
                        }
                        all = match all {
                            V::NEVER => v,
                            before => self.merge_mapping(frame, index, before, v),
                        };
                    }
                    if locals.is_empty() {
                        all = self.named_arguments(ports.args);
                    }
                    if all == V::NEVER {
                        let kind = CollKind::Dict;
                        all = self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE);
                    }
                    let with = (all, request);
                    let text = self.rendered(frame, index, name, with, &member.path);
                    plain = self.w.store.join(plain, text);
                }
                // When the function has returned.
                View::Decorates { .. } => {}
                View::Configures { autoescape } => {
                    let v = self.port_plain(autoescape, ports);
                    if v.and_then(|v| self.w.store.truth(v)) == Some(false) {
                        self.w.plain_pages = true;
                    }
                }
                View::Escapes { output } => {
                    if !self.w.plain_pages && !self.escapes_nothing(frame) {
                        continue;
                    }
                    let path = self.name(output);
                    if let Some(id) = self.path_member(path) {
                        let models = self.m;
                        self.sinks(frame, index, id, models.get(id), ports, false);
                    }
                }
                View::Calls { name, of } => self.macro_called(frame, index, name, of, ports),
                View::Unread { at } => {
                    let v = {
                        let mut slot = Some(&mut *frame);
                        self.port(&mut slot, index, at, ports)
                    };
                    if let Some(v) = v {
                        let what = "a part of the template that is not understood";
                        self.unread(frame, index, v, what);
                    }
                }
            }
        }
        plain
    }

    /// The decorator that a call makes, with the template that renders what the function below it returns.
    pub(crate) fn renders_later(&mut self, member: &Member, ports: &Ports<'_>, made: V) -> V {
        let mut name = V::NEVER;
        for view in &member.views {
            if let View::Decorates { name: at } = view
                && let Some(v) = self.port_plain(at, ports)
            {
                name = self.w.store.join(name, v);
            }
        }
        if name == V::NEVER {
            return made;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(made) {
            let one = match atom {
                Atom::LibObject { class, attrs, data } => {
                    let attrs = self.with_attr(&attrs, self.n.renders, name, true);
                    Atom::LibObject { class, attrs, data }
                }
                other => other,
            };
            let one = self.w.store.one(one);
            out = self.w.store.join(out, one);
        }
        out
    }

    /// A function gets a decorator that renders what it returns.
    pub(crate) fn renders_what_returns(&mut self, decorator: V, decorated: V) {
        for atom in self.w.store.atoms_of(decorator) {
            let Atom::LibObject { attrs, .. } = atom else {
                continue;
            };
            let Some((_, name)) = attrs.iter().find(|(n, _)| *n == self.n.renders) else {
                continue;
            };
            for of in self.w.store.atoms_of(decorated) {
                if let Atom::Fn { function, .. } = of {
                    self.w.renders.insert(function, *name);
                }
            }
        }
    }

    /// What a function returns goes to the template that its decorator names.
    pub(crate) fn returns_to_template(&mut self, frame: &mut Frame, index: u32, v: V) {
        let Some(name) = self.w.renders.get(&frame.f).copied() else {
            return;
        };
        let mapping = self.w.store.atoms(v).any(|a| {
            matches!(
                a,
                Atom::Coll {
                    kind: CollKind::Dict,
                    ..
                } | Atom::Data(_)
            )
        });
        if !mapping {
            return;
        }
        let request = frame.args.first().copied();
        self.rendered(frame, index, name, (v, request), "a decorator");
    }

    /// Whether something may be read from the value: functions are call backs, and what is not there is nothing.
    fn may_hold(&self, v: V) -> bool {
        self.w.store.atoms(v).any(|a| {
            !matches!(
                a,
                Atom::Const(_)
                    | Atom::Fn { .. }
                    | Atom::Method { .. }
                    | Atom::Member { .. }
                    | Atom::Lib(_)
            )
        })
    }

    fn is_empty_mapping(&self, v: V) -> bool {
        match self.w.store.only(v) {
            Some(Atom::Coll {
                kids, rest, keys, ..
            }) => kids.is_empty() && *rest == V::NEVER && *keys == Ls::NONE,
            _ => false,
        }
    }

    /// Of an object of the library (`res.locals`) what the program has written to it, as a mapping.
    fn written_attributes(&mut self, v: V) -> V {
        let mut all: Vec<(Name, V)> = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            let Atom::LibObject { attrs, .. } = atom else {
                return v;
            };
            let mut one: Vec<(Name, V)> = Vec::new();
            if let Some(path) = self.path_of(&attrs) {
                let names = self.w.attributes_of(path);
                for name in names {
                    if let Some(v) = self.w.read(Place::LibAttr(path, name)) {
                        one.push((name, v));
                    }
                }
            }
            for (name, v) in &*attrs {
                if *name != self.n.path && *name != self.n.site {
                    one.retain(|(have, _)| have != name);
                    one.push((*name, *v));
                }
            }
            all = self.w.store.merge_attrs(&all, &one);
        }
        all.sort_by_key(|(name, _)| self.text(*name));
        let kids = all
            .into_iter()
            .map(|(name, v)| (Const::Str(name), v))
            .collect();
        self.w.store.coll(CollKind::Dict, kids, V::NEVER, Ls::NONE)
    }

    fn named_arguments(&mut self, args: &Args) -> V {
        let mut kids: Vec<(Const, V)> = Vec::new();
        let mut rest = args.keywords.unwrap_or(V::NEVER);
        for (v, _) in args.pos.iter().skip(1) {
            // `render(name, context)`
            rest = self.w.store.join(rest, *v);
        }
        for (name, v, _) in &args.named {
            kids.push((Const::Str(*name), *v));
        }
        self.w.store.coll(CollKind::Dict, kids, rest, Ls::NONE)
    }

    fn may_be_text(&self, v: V) -> bool {
        self.w.store.atoms(v).any(|a| {
            matches!(
                a,
                Atom::Const(Const::Str(_)) | Atom::Text(_) | Atom::Data(_)
            )
        })
    }

    /// A template that an environment of its own finds by its name; whether it was found, and so was read.
    pub(crate) fn rendered_by_name(
        &mut self,
        frame: &mut Frame,
        index: u32,
        name: V,
        locals: V,
        plain: bool,
    ) -> bool {
        let texts = self.constant_texts(name).unwrap_or_default();
        let found = |m: &Self, text: &String| !m.templates(frame.unit, text).is_empty();
        if texts.is_empty() || !texts.iter().all(|text| found(self, text)) {
            return false;
        }
        let mut seen = locals;
        if plain {
            let mark = self.name(crate::native::template::PLAIN);
            let mark = self.w.store.konst(Const::Str(mark));
            let yes = self.w.store.boolean(Some(true));
            seen = self.set_index(frame, index, seen, mark, yes);
        }
        self.rendered(frame, index, name, (seen, None), "jinja2.Template.render");
        true
    }

    /// What a template sees: what the call hands it, over what every template is given.
    fn seen_by_template(
        &mut self,
        frame: &mut Frame,
        index: u32,
        locals: V,
        request: Option<V>,
    ) -> V {
        let Some(request) = request else {
            return locals;
        };
        let kids = vec![(Const::Str(self.name("request")), request)];
        let kind = CollKind::Dict;
        let given = self.w.store.coll(kind, kids, V::NEVER, Ls::NONE);
        self.merge_mapping(frame, index, given, locals)
    }

    fn rendered(
        &mut self,
        frame: &mut Frame,
        index: u32,
        name: V,
        (locals, request): (V, Option<V>),
        by: &str,
    ) -> V {
        let site = self.site(frame, index);
        let Some(texts) = self.constant_texts(name) else {
            if self.w.store.deep(locals) == Ls::NONE {
                return V::NEVER;
            }
            // Any of those that the name's beginning leaves.
            let begins = self.begins_with(name);
            for (unit, f) in self.p.views().to_vec() {
                let path = self.p.unit(unit).path.as_str();
                if begins.is_empty() || path.contains(&begins) {
                    let what = format!("{by} under a name that is not constant");
                    self.w.escapes.entry(f).or_default().insert((site, what));
                }
            }
            self.unread(
                frame,
                index,
                locals,
                "a template whose name is not constant",
            );
            return V::NEVER;
        };
        let mut plain = V::NEVER;
        for text in texts {
            if PLAIN.iter().any(|end| text.ends_with(end)) {
                let how = Link::Transform(Transform::Opaque("template".to_owned()));
                let made = self.derive(locals, &how);
                plain = self.w.store.join(plain, made);
                continue;
            }
            let found = self.templates(frame.unit, &text);
            if found.is_empty() {
                let what = format!("the template `{text}`, which is not found");
                self.unread(frame, index, locals, &what);
            }
            if found.is_empty() {
                continue;
            }
            let seen = self.seen_by_template(frame, index, locals, request);
            for f in found {
                let args = Args::of(&[seen]);
                let tier = CallTier::Typed;
                self.call_function(frame, index, f, EnvId::EMPTY, None, &args, tier);
            }
        }
        plain
    }

    /// A macro of another template, which writes into the page what it says.
    fn macro_called(
        &mut self,
        frame: &mut Frame,
        index: u32,
        name: &Port,
        of: &Port,
        ports: &Ports<'_>,
    ) {
        let mut args = ports.args.clone();
        args.pos.drain(..args.pos.len().min(2));
        let name = self.port_plain(name, ports);
        let name = name.and_then(|v| self.w.store.constant_str(v));
        let of = self.port_plain(of, ports);
        let templates = of.and_then(|v| self.constant_texts(v));
        let mut found = Vec::new();
        if let (Some(name), Some(templates)) = (name, templates) {
            for template in templates {
                for view in self.templates(frame.unit, &template) {
                    found.extend(self.macro_in(view, name));
                }
            }
        }
        if found.is_empty() {
            for v in args.all() {
                self.unread(frame, index, v, "a macro that is not found");
            }
        }
        for f in found {
            let tier = CallTier::Typed;
            let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
            self.call_function(frame, index, f, env, None, &args, tier);
        }
    }

    fn macro_in(&self, view: FnId, name: Name) -> Option<FnId> {
        let p = self.p;
        let unit = p.unit_of(view);
        let count = p.unit(unit).functions.len() as u32;
        (0..count)
            .map(|i| p.fn_id(unit, FnIndex(i)))
            .find(|f| p.function(*f).name == name && *f != view)
    }

    /// `a.b` in a template, which is an attribute or an item.
    pub(crate) fn item_or_attribute(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        key: V,
    ) -> V {
        let name = self.w.store.constant_str(key);
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(base) {
            let plain = match &atom {
                Atom::Coll { .. } | Atom::Data(_) | Atom::Text(_) => true,
                // A mapping of a library, `request.GET`: its keys, unless it has an attribute of that name.
                Atom::LibObject { class, .. } => {
                    let class = *class;
                    let mapping = self.m.ancestry(&self.text(class));
                    mapping.iter().any(|base| base == "builtins.dict")
                        && name.is_none_or(|name| self.class_member(class, name).is_none())
                }
                _ => false,
            };
            let one = match name {
                Some(name) if !plain => {
                    let site = self.site(frame, index);
                    self.attr_of(frame, atom, name, site)
                }
                _ => {
                    let one = self.w.store.one(atom);
                    self.index(frame, index, one, key)
                }
            };
            out = self.w.store.join(out, one);
        }
        match out {
            V::NEVER => self.w.store.unknown(),
            out => out,
        }
    }

    /// The text that every value of a name begins with.
    fn begins_with(&self, name: V) -> String {
        let mut out: Option<String> = None;
        for atom in self.w.store.atoms(name) {
            let Atom::Text(pieces) = atom else {
                return String::new();
            };
            let Some(Piece::Lit(text)) = pieces.first() else {
                return String::new();
            };
            let text = self.text(*text).to_string();
            if out.as_ref().is_some_and(|before| *before != text) {
                return String::new();
            }
            out = Some(text);
        }
        out.unwrap_or_default()
    }

    /// The templates that a name leads to: beside the file that names it, else below the folders that servers
    /// look in, of which the nearest counts.
    fn templates(&self, from: UnitId, name: &str) -> Vec<FnId> {
        let own = self.p.unit(from).path.as_str();
        let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
        let relative = name.starts_with('.');
        let mut wanted = name;
        while let Some(rest) = wanted
            .strip_prefix("./")
            .or_else(|| wanted.strip_prefix("../"))
            .or_else(|| wanted.strip_prefix('/'))
        {
            wanted = rest;
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let in_view = self.p.views().iter().any(|(unit, _)| *unit == from);
        let mut best: Vec<FnId> = Vec::new();
        let mut rank = (0, 0);
        for (unit, f) in self.p.views() {
            let path = self.p.unit(*unit).path.as_str();
            let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
            // `page.html` is also asked for as `page`, and `page.html.j2` as both.
            let shorter = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            let root = [path, stem, shorter].into_iter().find_map(|text| {
                let root = text.strip_suffix(wanted)?;
                (root.is_empty() || root.ends_with('/')).then(|| root.trim_end_matches('/'))
            });
            let Some(root) = root else { continue };
            let last = root.rsplit('/').next().unwrap_or_default();
            let beside = in_view && root == folder;
            let class = match (beside, ROOTS.contains(&last)) {
                (true, _) => 3,
                (_, true) => 2,
                _ if relative || in_view => 1,
                _ => 1,
            };
            let shared = root
                .split('/')
                .zip(folder.split('/'))
                .take_while(|(a, b)| a == b)
                .count();
            if (class, shared) > rank {
                rank = (class, shared);
                best.clear();
            }
            if (class, shared) == rank {
                best.push(*f);
            }
        }
        best
    }

    /// The value goes where nobody can say what becomes of it: a question, not an answer.
    fn unread(&mut self, frame: &mut Frame, index: u32, v: V, what: &str) {
        if self.w.store.deep(v) == Ls::NONE {
            return;
        }
        let path = self.name(UNREAD);
        let Some(member) = self.path_member(path) else {
            return;
        };
        let site = self.site(frame, index);
        let row = 0;
        let at = SinkRef { site, member, row };
        self.w.sinks.entry(at).or_insert(false);
        self.w.unread.entry(at).or_insert_with(|| what.to_owned());
        self.note_touch(frame, at, Touch::Labelled);
    }
}
