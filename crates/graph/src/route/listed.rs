//! Tables of routes: what a module's variable lists, what includes it, and which tables are served.
//!
//! A call such as `path("a/", view)` makes a value that says where it was made ([`RouteRef`]); lists of them are
//! joined without loss. Beginning with the tables that settings name, routes are put together from the outside in.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Name;
use solvent_finding::RouteSegment;
use solvent_models::{EntryRow, EntryShape};

use super::pieces::{Pieces, pieces_of};
use crate::entry::{Bound, Entry};
use crate::link::{Site, Target, UnitId};
use crate::machine::Machine;
use crate::value::{Atom, RouteRef, V};
use crate::world::Place;

/// Deepest nesting of tables that is followed.
const MAX_NESTING: usize = 16;
/// Most entry points that tables give: a table that is included in several places counts once for each.
const MAX_ROUTES: usize = 20_000;

/// The handler of a route that is bound to a value of which nothing is known.
pub(super) const UNKNOWN: &str = "what is not known";

/// What stands in front of a route: the text so far, and what came with it.
#[derive(Clone, Default)]
pub(super) struct Way {
    pub text: String,
    pub segments: Vec<RouteSegment>,
    /// Parameters with the kinds for which their text is harmless; those without a name are passed by position.
    pub params: Vec<(String, u64)>,
    pub extra: Vec<V>,
    pub assumed: Option<String>,
}

impl Way {
    fn start(assumed: Option<String>) -> Self {
        Self {
            text: "/".to_owned(),
            segments: vec![RouteSegment::Literal("/".to_owned())],
            assumed,
            ..Self::default()
        }
    }

    fn then(&self, pieces: Pieces, params: Vec<(String, u64)>) -> Self {
        let mut way = self.clone();
        way.text.push_str(&pieces.text);
        for segment in pieces.segments {
            match (way.segments.last_mut(), segment) {
                (Some(RouteSegment::Literal(have)), RouteSegment::Literal(more)) => {
                    have.push_str(&more);
                }
                (_, segment) => way.segments.push(segment),
            }
        }
        way.params.extend(params);
        way
    }
}

/// All that was registered for tables, by what lists name.
struct Tables<'b> {
    bounds: &'b [Bound],
    made: BTreeMap<(Site, u32, Name), usize>,
    held: BTreeMap<Site, Vec<usize>>,
    reached: BTreeSet<RouteRef>,
    /// Some include or root could not be resolved.
    open: bool,
}

impl Machine<'_> {
    /// Entry points of all tables that are served.
    pub(super) fn add_tables(&mut self, bounds: &[Bound], out: &mut Vec<Entry>) {
        let mut tables = Tables {
            bounds,
            made: BTreeMap::new(),
            held: BTreeMap::new(),
            reached: BTreeSet::new(),
            open: false,
        };
        for (i, bound) in bounds.iter().enumerate() {
            let Some(row) = self.row(bound) else { continue };
            if row.shape == EntryShape::Listed {
                let route = self.name(&bound.registration.routes.join("\0"));
                let key = (bound.registration.site, bound.registration.row, route);
                tables.made.insert(key, i);
            } else if !row.actions.is_empty() {
                for at in &bound.registration.receivers {
                    tables.held.entry(*at).or_default().push(i);
                }
            }
        }
        if tables.made.is_empty() && tables.held.is_empty() {
            return;
        }
        let rows: Vec<(String, String)> = self
            .m
            .entry_rows(EntryShape::Table)
            .filter_map(|(_, row)| Some((row.variable.clone()?, row.named_by.clone()?)))
            .collect();
        let mut served = false;
        for (variable, named_by) in &rows {
            for (unit, name) in self.roots_of(variable, named_by, &mut tables.open) {
                served = true;
                let root = RouteRef::Module {
                    unit,
                    variable: name,
                };
                self.walk(
                    &mut tables,
                    &[root],
                    &Way::start(None),
                    &mut Vec::new(),
                    out,
                );
            }
        }
        if served && !tables.open {
            self.add_unlisted(&mut tables, true, out);
            return;
        }
        // Whose table is served is not known: every module's is taken for one, outermost first.
        let why = "no settings name its table of routes".to_owned();
        for root in self.outermost(&rows, &tables) {
            let way = Way::start(Some(why.clone()));
            self.walk(&mut tables, &[root], &way, &mut Vec::new(), out);
        }
        self.add_unlisted(&mut tables, false, out);
    }

    /// Modules that settings name, and whether some name is not known.
    fn roots_of(
        &mut self,
        variable: &str,
        named_by: &str,
        open: &mut bool,
    ) -> BTreeSet<(UnitId, Name)> {
        let (variable, named_by) = (self.name(variable), self.name(named_by));
        let mut out = BTreeSet::new();
        for unit in (0..self.p.units.len()).map(|u| UnitId(u as u32)) {
            let Some(v) = self.w.read(Place::Global(unit, named_by)) else {
                continue;
            };
            for atom in self.w.store.atoms_of(v) {
                let Atom::Const(solvent_ir::Const::Str(text)) = atom else {
                    *open = true;
                    continue;
                };
                match self.p.resolve(unit, &self.text(text), 0, self.names) {
                    Target::Unit(unit) => {
                        out.insert((unit, variable));
                    }
                    _ => *open = true,
                }
            }
        }
        out
    }

    /// Tables of modules that are not reached and that no other such table includes.
    fn outermost(&mut self, rows: &[(String, String)], tables: &Tables<'_>) -> Vec<RouteRef> {
        let mut all: Vec<(RouteRef, Vec<RouteRef>)> = Vec::new();
        for (variable, _) in rows {
            let variable = self.name(variable);
            for unit in (0..self.p.units.len()).map(|u| UnitId(u as u32)) {
                let root = RouteRef::Module { unit, variable };
                if tables.reached.contains(&root) {
                    continue;
                }
                if let Some(v) = self.w.read(Place::Global(unit, variable)) {
                    let refs = self.refs_in(v);
                    if !refs.is_empty() {
                        all.push((root, refs));
                    }
                }
            }
        }
        let mut included = BTreeSet::new();
        for (_, refs) in &all {
            for one in refs {
                if let RouteRef::Made { site, row, route } = one
                    && let Some(&i) = tables.made.get(&(*site, *row, *route))
                {
                    included.extend(self.refs_in(tables.bounds[i].handler));
                }
            }
        }
        all.into_iter()
            .map(|(root, _)| root)
            .filter(|root| !included.contains(root))
            .collect()
    }

    /// What was registered and stands in no table that is served: in a function, it may be handed to a library.
    fn add_unlisted(&mut self, tables: &mut Tables<'_>, closed: bool, out: &mut Vec<Entry>) {
        let made: Vec<(Site, u32, Name)> = tables.made.keys().copied().collect();
        let held: Vec<Site> = tables.held.keys().copied().collect();
        let made = made
            .into_iter()
            .map(|(site, row, route)| (site, RouteRef::Made { site, row, route }));
        let held = held.into_iter().map(|site| (site, RouteRef::Holder(site)));
        let way = Way::start(Some(
            "its table of routes is not seen to be served".to_owned(),
        ));
        // What includes others comes first: theirs is the longer way.
        let mut all: Vec<(bool, Site, RouteRef)> = made
            .chain(held)
            .map(|(site, one)| (!self.includes(tables, one), site, one))
            .collect();
        all.sort();
        for (_, site, one) in all {
            let left_out = closed && self.p.is_body(site.function);
            if !left_out && !tables.reached.contains(&one) {
                self.walk(tables, &[one], &way, &mut Vec::new(), out);
            }
        }
    }

    fn includes(&self, tables: &Tables<'_>, one: RouteRef) -> bool {
        match one {
            RouteRef::Made { site, row, route } => tables
                .made
                .get(&(site, row, route))
                .is_some_and(|i| !self.refs_in(tables.bounds[*i].handler).is_empty()),
            _ => false,
        }
    }

    /// What a value lists.
    pub(crate) fn refs_in(&self, v: V) -> Vec<RouteRef> {
        let mut out = Vec::new();
        let mut open = vec![(v, 0_usize)];
        while let Some((v, depth)) = open.pop() {
            if v == V::NEVER || depth > MAX_NESTING {
                continue;
            }
            for atom in self.w.store.atoms(v) {
                match atom {
                    Atom::Routes(id) => out.extend_from_slice(self.w.store.listed(*id)),
                    Atom::Coll { kids, rest, .. } => {
                        open.extend(kids.iter().map(|(_, v)| (*v, depth + 1)));
                        open.push((*rest, depth + 1));
                    }
                    _ => {}
                }
            }
        }
        out.sort();
        out.dedup();
        out
    }

    fn walk(
        &mut self,
        tables: &mut Tables<'_>,
        refs: &[RouteRef],
        way: &Way,
        seen: &mut Vec<RouteRef>,
        out: &mut Vec<Entry>,
    ) {
        for one in refs {
            if seen.contains(one) || seen.len() > MAX_NESTING {
                continue;
            }
            if out.len() > MAX_ROUTES {
                let what = format!("more than {MAX_ROUTES} routes in tables");
                self.w.limits_hit.insert(what);
                return;
            }
            seen.push(*one);
            tables.reached.insert(*one);
            match *one {
                RouteRef::Module { unit, variable } => {
                    let listed = self.module_attr(unit, variable);
                    let refs = self.refs_in(listed);
                    self.walk(tables, &refs, way, seen, out);
                }
                RouteRef::Made { site, row, route } => {
                    if let Some(&i) = tables.made.get(&(site, row, route)) {
                        self.walk_made(tables, i, way, seen, out);
                    }
                }
                RouteRef::Holder(site) => {
                    for i in tables.held.get(&site).cloned().unwrap_or_default() {
                        let bound = tables.bounds[i].clone();
                        if let Some(row) = self.row(&bound).cloned() {
                            self.resource(&bound, &row, way, out);
                        }
                    }
                }
            }
            seen.pop();
        }
    }

    fn walk_made(
        &mut self,
        tables: &mut Tables<'_>,
        index: usize,
        way: &Way,
        seen: &mut Vec<RouteRef>,
        out: &mut Vec<Entry>,
    ) {
        let bound = tables.bounds[index].clone();
        let Some(row) = self.row(&bound).cloned() else {
            return;
        };
        let mut routes = bound.registration.routes.clone();
        if routes.is_empty() {
            routes.push(String::new());
        }
        let nested = self.refs_in(bound.handler);
        for route in routes {
            let mut way = self.further(way, &route, &row);
            way.extra.extend(bound.extra);
            if way.assumed.is_none() {
                way.assumed.clone_from(&bound.registration.assumed);
            }
            self.walk(tables, &nested, &way, seen, out);
            for atom in self.w.store.atoms_of(bound.handler) {
                self.listed_handler(&atom, &bound, &row, &way, out);
            }
        }
    }

    /// The way with a route's text behind it.
    pub(super) fn further(&self, way: &Way, route: &str, row: &EntryRow) -> Way {
        let pieces = pieces_of(route, row.syntax);
        let params = pieces
            .params
            .iter()
            .map(|param| {
                let kills = match &param.pattern {
                    Some(pattern) => self.kinds_of_pattern(pattern),
                    None => row
                        .converters
                        .get(&param.converter)
                        .map_or(0, |c| c.clears.0 | self.excluded(&c.excludes)),
                };
                (param.name.clone(), kills)
            })
            .collect();
        way.then(pieces, params)
    }

    /// Kinds for which no text that a group of a route lets through is harmful.
    fn kinds_of_pattern(&self, pattern: &str) -> u64 {
        use solvent_models::pattern::{Anchoring, allowed_by_match};
        allowed_by_match(pattern, Anchoring::Full).map_or(0, |sets| self.kinds_without(&sets))
    }

    /// The handler of a listed route, whatever stands there.
    fn listed_handler(
        &mut self,
        atom: &Atom,
        bound: &Bound,
        row: &EntryRow,
        way: &Way,
        out: &mut Vec<Entry>,
    ) {
        match atom {
            Atom::Fn { .. } | Atom::Method { .. } | Atom::Partial { .. } => {
                let before = out.len();
                self.add_handler(
                    atom,
                    bound,
                    row,
                    &way.text,
                    &way.segments,
                    &way.params,
                    way.assumed.as_ref(),
                    out,
                );
                let wrapping = self.wrapping(atom);
                let asked = match &wrapping.checks_named {
                    Some(setting) if !wrapping.asked => self.checks_of_settings(setting),
                    _ => Vec::new(),
                };
                for entry in &mut out[before..] {
                    entry.extra.clone_from(&way.extra);
                    entry.auth.extend(asked.iter().cloned());
                    if let Some(methods) = &wrapping.methods {
                        entry.methods.clone_from(methods);
                    }
                    if !wrapping.params.is_empty() {
                        entry.params.clone_from(&wrapping.params);
                    }
                    if let Some(framework) = &wrapping.framework {
                        entry.framework.clone_from(framework);
                    }
                }
            }
            Atom::LibObject { class, attrs, data } if *class == self.n.bound => {
                let actions = attrs
                    .iter()
                    .find(|(name, _)| *name == self.n.actions)
                    .map(|(_, v)| *v);
                let mut asked = Vec::new();
                for (name, v) in &**attrs {
                    if *name == self.n.auth {
                        asked.extend(self.constant_texts(*v).unwrap_or_default());
                    }
                }
                for inner in self.w.store.atoms_of(*data) {
                    if let Atom::Class { class, .. } = inner {
                        self.class_view(class, actions, &asked, row, way, out);
                    }
                }
            }
            // What is called itself: a feed, an object with `__call__`.
            Atom::Object { class, .. } => self.called_view(*class, row, way, out),
            // Old tables name their handlers: `"shop.views.index"`.
            Atom::Const(solvent_ir::Const::Str(text)) => {
                let unit = self.p.unit_of(bound.registration.site.function);
                let text = self.text(*text);
                if let Some(v) = self.dotted(unit, &text) {
                    for atom in self.w.store.atoms_of(v) {
                        if !matches!(atom, Atom::Const(_)) {
                            self.listed_handler(&atom, bound, row, way, out);
                        }
                    }
                }
            }
            Atom::Lib(_) | Atom::LibObject { .. } | Atom::Member { .. } | Atom::Data(_) => {
                let name = self.library_name(atom);
                let entry = self.library_entry(bound, row, way, name);
                out.push(entry);
            }
            _ => {}
        }
    }

    /// What a dotted name names: the member of a module.
    pub(crate) fn dotted(&mut self, from: UnitId, path: &str) -> Option<V> {
        let (module, member) = path.rsplit_once('.')?;
        match self.p.resolve(from, module, 0, self.names) {
            Target::Unit(unit) => {
                self.ensure_module(unit);
                let member = self.name(member);
                Some(self.module_attr(unit, member))
            }
            _ => None,
        }
    }

    pub(super) fn library_name(&self, atom: &Atom) -> String {
        match atom {
            Atom::Lib(path) => self.text(*path).to_string(),
            Atom::LibObject { class, .. } => {
                let text = self.text(*class);
                text.trim_end_matches("()")
                    .trim_end_matches(".as_view")
                    .to_owned()
            }
            Atom::Member { receiver, name } => {
                let base = self.w.store.atoms(*receiver).next();
                let base = base.map_or_else(String::new, |base| match base {
                    Atom::LibObject { class, .. } => self.text(*class).to_string(),
                    Atom::Class { class, .. } | Atom::Object { class, .. } => {
                        self.text(self.p.class(*class).name).to_string()
                    }
                    _ => String::new(),
                });
                format!("{base}.{}", self.text(*name))
            }
            _ => UNKNOWN.to_owned(),
        }
    }

    /// A route whose handler is a library's: there is nothing of it to look into.
    pub(super) fn library_entry(
        &self,
        bound: &Bound,
        row: &EntryRow,
        way: &Way,
        name: String,
    ) -> Entry {
        let site = bound.registration.site;
        Entry {
            framework: row.framework.clone(),
            methods: row.default_methods.clone(),
            route: way.text.clone(),
            segments: way.segments.clone(),
            function: self.p.body(self.p.unit_of(site.function)),
            class: None,
            value: self.w.store.none(),
            auth: Vec::new(),
            assumed: way.assumed.clone(),
            converters: Vec::new(),
            params: Vec::new(),
            extra: Vec::new(),
            gives: Vec::new(),
            within: true,
            library: Some((name, site)),
            filling: None,
            answers: None,
        }
    }
}
