//! Names: cells, globals, imports, and what definitions make.

mod shared;

use crate::label::Origin;
use crate::link::{FnId, Site, Target, UnitId};
use crate::machine::{Follow, Frame, Machine, is_builtin};
use crate::shape::{block_of, successors};
use crate::value::{Atom, EnvId, Ls, V};
use crate::world::{Base, CallTier, ModuleState, Place};
use solvent_base::Name;
use solvent_ir::{self as ir, Const, FunctionKind, Scope};

/// Blocks that are walked in all to see which writes nobody finds any more; beyond, all are found.
const MAX_WALKED: u64 = 20_000_000;

impl Machine<'_> {
    pub(crate) fn captured(&mut self, frame: &Frame, owner: ir::FnIndex, name: Name) -> V {
        let cell = (self.p.fn_id(frame.unit, owner), name);
        if cell.0 == frame.f {
            let found = frame.cells.get(&name).copied();
            if self.p.shape(frame.f).crowded {
                let shared = self.w.read(Place::Cell(cell.0, name));
                let own = found.unwrap_or(V::NEVER);
                let v = shared.map(|v| self.w.store.join(own, v)).or(found);
                return v.unwrap_or_else(|| self.w.store.unknown());
            }
            return found.unwrap_or_else(|| self.w.store.unknown());
        }
        let found = self.outer_cell(frame, cell);
        let mut v = match found {
            // What another closure of an activation that is over left there.
            Some(v) if self.p.shape(cell.0).given_inside.contains(&name) => {
                match self.w.read(Place::Cell(cell.0, name)) {
                    Some(left) => self.w.store.join(v, left),
                    None => v,
                }
            }
            Some(v) => v,
            None => self
                .w
                .read(Place::Cell(cell.0, name))
                .unwrap_or_else(|| self.w.store.unknown()),
        };
        // Siblings of the activation share the environment that this function was given.
        if self.w.store.atoms(v).any(|a| {
            matches!(
                a,
                Atom::Fn {
                    env: EnvId::SAME,
                    ..
                }
            )
        }) {
            let mut all = Vec::new();
            for atom in self.w.store.atoms_of(v) {
                all.push(match atom {
                    Atom::Fn {
                        function,
                        env: EnvId::SAME,
                    } => Atom::Fn {
                        function,
                        env: frame.env,
                    },
                    Atom::Class {
                        class,
                        env: EnvId::SAME,
                    } => Atom::Class {
                        class,
                        env: frame.env,
                    },
                    other => other,
                });
            }
            v = self.w.store.bounded_value(all);
        }
        v
    }

    /// What a variable of an enclosing activation holds. A closure that was too deep to be kept lost its
    /// variables: then it is what the function was last made with, without its labels.
    fn outer_cell(&mut self, frame: &Frame, cell: (FnId, Name)) -> Option<V> {
        let held = |m: &Self, env: EnvId| {
            let cells = m.w.store.env(env);
            cells.iter().find(|(c, _)| *c == cell).map(|(_, v)| *v)
        };
        if let Some(v) = held(self, frame.env) {
            return Some(v);
        }
        if !self.is_javascript() {
            return None;
        }
        let made = self.w.closures.get(&frame.f).copied()?;
        let v = held(self, made)?;
        Some(self.w.store.map_labels(v, &mut |_, _| Ls::NONE))
    }

    /// The closure of an inner function: what it captures from here and from further out, and what those
    /// functions of this activation capture that it can call.
    pub(crate) fn closure_for(&mut self, frame: &Frame, inner: FnId) -> EnvId {
        let mut captures = self.p.shape(inner).captures.clone();
        if captures.is_empty() {
            return EnvId::EMPTY;
        }
        let mut cells = Vec::with_capacity(captures.len());
        let mut next = 0;
        while let Some(&(owner, name)) = captures.get(next) {
            next += 1;
            let cell = (self.p.fn_id(frame.unit, owner), name);
            let v = if cell.0 == frame.f {
                frame.cells.get(&name).copied()
            } else {
                self.outer_cell(frame, cell)
            };
            let Some(v) = v else { continue };
            for atom in self.w.store.atoms(v) {
                if let Atom::Fn { function, .. } = atom
                    && self.is_sibling(frame, *function)
                {
                    for more in &self.p.shape(*function).captures {
                        if !captures.contains(more) {
                            captures.push(*more);
                        }
                    }
                }
            }
            let v = self.share_siblings(frame, v);
            cells.push((cell, v));
        }
        self.w.store.closure(cells)
    }

    /// Whether `f` is made by the function of this activation.
    fn is_sibling(&self, frame: &Frame, f: FnId) -> bool {
        self.p
            .function(f)
            .parent
            .is_some_and(|parent| self.p.fn_id(self.p.unit_of(f), parent) == frame.f)
    }

    /// Function values of this activation, seen from inside it, refer back to the same environment:
    /// this keeps closures of mutually recursive functions finite.
    pub(crate) fn share_siblings(&mut self, frame: &Frame, v: V) -> V {
        let touches = self.w.store.atoms(v).any(
            |a| matches!(a, Atom::Fn { function, env } if *env != EnvId::EMPTY && self.is_sibling(frame, *function)),
        );
        if !touches {
            return v;
        }
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            let atom = match atom {
                Atom::Fn { function, env }
                    if env != EnvId::EMPTY && self.is_sibling(frame, function) =>
                {
                    Atom::Fn {
                        function,
                        env: EnvId::SAME,
                    }
                }
                other => other,
            };
            if !all.contains(&atom) {
                all.push(atom);
            }
        }
        self.w.store.bounded_value(all)
    }

    pub(crate) fn store_name(
        &mut self,
        frame: &mut Frame,
        index: u32,
        scope: Scope,
        name: Name,
        v: V,
    ) {
        let site = self.site(frame, index);
        match scope {
            Scope::Module => {
                let place = Place::Global(frame.unit, name);
                if self.p.is_body(frame.f) {
                    if self.is_go() {
                        self.store_method(frame, site, name, v);
                    }
                    self.w.write(place, site, v);
                    self.forget_overwritten(frame.f, place, site);
                } else {
                    // What is imported is the other file's, and changed there.
                    let place = match self.imported_from(frame.unit, name) {
                        Some((unit, name)) => Place::Global(unit, name),
                        None => place,
                    };
                    frame.effects.push((place, site, v));
                }
            }
            Scope::Class => {
                let function = self.p.function(frame.f);
                if let Some(class) = self.class_of_body(frame, function) {
                    let place = Place::ClassAttr(class, name);
                    if self.w.store.deep(v) == Ls::NONE {
                        self.w.write(place, site, v);
                    } else {
                        // Labels are this activation's own: the class brings them along, and shares the rest.
                        frame.effects.push((place, site, v));
                        let bare = self.w.store.map_labels(v, &mut |_, _| Ls::NONE);
                        self.w.write(place, site, bare);
                    }
                }
            }
            Scope::Own => {
                let v = match self.p.shape(frame.f).crowded {
                    true => self.keep_by_name(frame, frame.f, name, site, v),
                    false => Some(v),
                };
                if let Some(v) = v {
                    self.keep_in_frame(frame, name, v);
                }
            }
            Scope::Enclosing(owner) => {
                let owner = self.p.fn_id(frame.unit, owner);
                if self.p.shape(owner).crowded {
                    self.keep_by_name(frame, owner, name, site, v);
                } else if self.outer_cell(frame, (owner, name)) != Some(v) {
                    // A call that got it left it as it was, else.
                    frame.effects.push((Place::Cell(owner, name), site, v));
                }
            }
        }
    }

    /// A variable of this activation, as the functions inside it find it.
    pub(crate) fn keep_in_frame(&mut self, frame: &mut Frame, name: Name, v: V) {
        let v = match self.p.shape(frame.f).given_inside.contains(&name) {
            true => self.without_positions(v, 0),
            false => v,
        };
        let before = frame.cells.get(&name).copied();
        let joined = before.map_or(v, |before| self.w.store.join(before, v));
        if before != Some(joined) {
            frame.cells.insert(name, joined);
            frame.cells_changed = true;
        }
    }

    /// A variable of a crowded function, which no closure brings: everybody finds it under its name. Labels are
    /// this activation's own; what of the value has them is an effect, as is what is given to a variable of the
    /// module, and comes back.
    fn keep_by_name(
        &mut self,
        frame: &mut Frame,
        owner: FnId,
        name: Name,
        site: Site,
        v: V,
    ) -> Option<V> {
        let place = Place::Cell(owner, name);
        let bare = self.w.store.map_labels(v, &mut |_, _| Ls::NONE);
        // What follows dead branches is not kept. Where real callers were seen, a parameter of nobody's is
        // nothing new.
        let looks = self.look_everywhere == Some(frame.f);
        let standing = self.follow == Follow::Calls
            && bare != v
            && bare == self.w.store.unknown()
            && self.w.is_written_at(place, site);
        if !looks && !standing {
            self.w.write_weak(place, site, bare);
        }
        let labelled = match self.follow {
            Follow::Flows => v,
            // Without their callers, parameters say nothing.
            Follow::Calls => self.of_requests(v),
        };
        if self.w.store.deep(labelled) == Ls::NONE {
            return None;
        }
        frame.effects.push((place, site, labelled));
        Some(labelled)
    }

    /// What the module wrote under the same name before, on every way to its end, nobody finds there later.
    fn forget_overwritten(&mut self, body: FnId, place: Place, site: Site) {
        if self.is_go() {
            return;
        }
        let before = self.w.written_at(place);
        let function = self.p.function(body);
        for at in before {
            if self.walked >= MAX_WALKED {
                return;
            }
            if at.function == body && at != site {
                self.walked += function.blocks.len() as u64;
                if overwrites(function, at.inst, site.inst) {
                    self.w.take_back(place, at);
                }
            }
        }
    }

    pub(crate) fn class_of_body(
        &self,
        frame: &Frame,
        function: &ir::Function,
    ) -> Option<crate::link::ClassId> {
        if function.kind != FunctionKind::ClassBody {
            return None;
        }
        let unit = self.p.unit(frame.unit);
        let index = unit
            .classes
            .iter()
            .position(|c| self.p.fn_id(frame.unit, c.body) == frame.f)?;
        Some(self.p.class_id(frame.unit, ir::ClassIndex(index as u32)))
    }

    /// What this activation, or what it called, has given a variable of the module: that is what it reads, not
    /// what other requests leave there.
    pub(crate) fn written_here(&mut self, frame: &Frame, name: Name) -> Option<V> {
        if !self.is_javascript() || self.p.is_body(frame.f) {
            return None;
        }
        let place = Place::Global(frame.unit, name);
        let mut out = None;
        for (at, _, v) in &frame.effects {
            if *at == place {
                out = Some(match out {
                    Some(before) => self.w.store.join(before, *v),
                    None => *v,
                });
            }
        }
        out
    }

    pub(crate) fn global(&mut self, unit: UnitId, name: Name) -> V {
        if self.is_go() {
            return self.global_go(unit, name);
        }
        if let Some(v) = self.w.read(Place::Global(unit, name)) {
            let v = self.changed_elsewhere(unit, name, v);
            return self.shared(v);
        }
        let text = self.text(name);
        if self.has_receivers() {
            return if &*text == "super" {
                let path = self.name("builtins.super");
                self.w.store.lib(path)
            } else {
                self.w.store.unknown()
            };
        }
        if &*text == "__name__" {
            let main = self.w.store.konst(Const::Str(self.n.main));
            let unknown = self.w.store.unknown();
            return self.w.store.join(main, unknown);
        }
        if let Some(v) = self.place_global(unit, &text) {
            return v;
        }
        if let Some(v) = self.starred(unit, name) {
            return v;
        }
        let path = format!("builtins.{text}");
        if is_builtin(&text) || self.m.is_class(&path) {
            let path = self.name(&path);
            return self.lib_value(path);
        }
        self.w.store.unknown()
    }

    pub(crate) fn import(
        &mut self,
        frame: &Frame,
        module: Name,
        member: Option<Name>,
        level: u32,
    ) -> V {
        if self.is_javascript() {
            return self.import_javascript(frame, module, member);
        }
        let text = self.text(module);
        if self.is_go() {
            return self.import_go(&text, member);
        }
        if self.is_java() {
            return self.import_java(frame.unit, &text, member);
        }
        match (self.target(frame.unit, module, level), member) {
            (Target::Unit(unit), None) => {
                self.ensure_module(unit);
                self.w.store.one(Atom::Module(unit))
            }
            (Target::Unit(unit), Some(member)) => {
                self.ensure_module(unit);
                self.module_attr(unit, member)
            }
            (Target::Namespace(path), None) => {
                let path = self.name(&path);
                self.w.store.one(Atom::Namespace(path))
            }
            (Target::Namespace(path), Some(member)) => {
                let path = self.name(&path);
                self.namespace_attr(path, member)
            }
            (Target::Library(path), member) => {
                let path = match member {
                    Some(member) => format!("{path}.{}", self.text(member)),
                    None => path,
                };
                let path = self.name(&path);
                self.lib_value(path)
            }
        }
    }

    /// What an import of this text in this file leads to.
    pub(crate) fn target(&mut self, unit: UnitId, module: Name, level: u32) -> Target {
        let key = (unit, module, level);
        if let Some(known) = self.targets.get(&key) {
            return known.clone();
        }
        let text = self.text(module);
        let target = if self.is_javascript() {
            self.p.resolve_path(unit, &text)
        } else if self.is_java() {
            Target::Library(text.to_string())
        } else {
            self.p.resolve(unit, &text, level, self.names)
        };
        self.targets.insert(key, target.clone());
        target
    }

    pub(crate) fn import_all(
        &mut self,
        frame: &mut Frame,
        index: u32,
        module: Name,
        level: u32,
    ) -> V {
        let place = Place::Global(frame.unit, self.n.all);
        let site = self.site(frame, index);
        let v = match self.target(frame.unit, module, level) {
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
                self.w.store.lib(path)
            }
        };
        // Kept under a name that no program can bind, so that `from m import *` is looked through
        // last, at every read.
        let star = self.name("*");
        let place = match place {
            Place::Global(unit, _) => Place::Global(unit, star),
            other => other,
        };
        self.w.write(place, site, v);
        v
    }

    /// A name that a `from m import *` of the unit may bind.
    pub(crate) fn starred(&mut self, unit: UnitId, name: Name) -> Option<V> {
        let star = self.name("*");
        let sources = self.w.read(Place::Global(unit, star))?;
        for atom in self.w.store.atoms_of(sources) {
            match atom {
                Atom::Module(from) if from != unit => {
                    if let Some(v) = self.w.read(Place::Global(from, name)) {
                        return Some(self.shared(v));
                    }
                    self.w.depth += 1;
                    let found = if self.w.depth > self.limits.depth {
                        None
                    } else {
                        self.starred(from, name)
                    };
                    self.w.depth -= 1;
                    if found.is_some() {
                        return found;
                    }
                }
                Atom::Lib(path) => {
                    let path = format!("{}.{}", self.text(path), self.text(name));
                    let path = self.name(&path);
                    if self.path_member(path).is_some() {
                        return Some(self.lib_value(path));
                    }
                }
                _ => {}
            }
        }
        None
    }

    pub(crate) fn module_attr(&mut self, unit: UnitId, name: Name) -> V {
        if let Some(v) = self.w.read(Place::Global(unit, name)) {
            return self.shared(v);
        }
        if let Some(v) = self.starred(unit, name) {
            return v;
        }
        let text = self.text(name);
        if let Some(v) = self.place_global(unit, &text) {
            return v;
        }
        let path = self.p.unit(unit).module;
        if self.p.unit(unit).path.file_name().starts_with("__init__.") {
            return self.namespace_attr(path, name);
        }
        self.w.store.unknown()
    }

    pub(crate) fn namespace_attr(&mut self, path: Name, name: Name) -> V {
        let full = format!("{}.{}", self.text(path), self.text(name));
        match self.p.find(&full) {
            Some(Target::Unit(unit)) => {
                self.ensure_module(unit);
                self.w.store.one(Atom::Module(unit))
            }
            Some(Target::Namespace(full)) => {
                let full = self.name(&full);
                self.w.store.one(Atom::Namespace(full))
            }
            _ => self.w.store.unknown(),
        }
    }

    /// Runs a module's body if that has not begun yet.
    pub fn ensure_module(&mut self, unit: UnitId) {
        if self.w.modules[unit.0 as usize] != ModuleState::New {
            return;
        }
        self.w.modules[unit.0 as usize] = ModuleState::Running;
        if self.w.depth < self.limits.depth {
            let body = self.p.body(unit);
            self.loading += 1;
            let (id, _) = self.summarize(body, EnvId::EMPTY, Vec::new());
            self.loading -= 1;
            self.apply_effects_at_root(id);
        } else {
            self.w.modules[unit.0 as usize] = ModuleState::New;
            return;
        }
        self.w.modules[unit.0 as usize] = ModuleState::Done;
    }

    pub(crate) fn function_value(
        &mut self,
        frame: &mut Frame,
        index: u32,
        inner: ir::FnIndex,
    ) -> V {
        let p = self.p;
        let f = p.fn_id(frame.unit, inner);
        let function = p.function(f);
        let env = self.closure_for(frame, f);
        let mut extra = Vec::new();
        for (i, param) in function.params.iter().enumerate() {
            if let Some(default) = param.default {
                let v = frame
                    .vals
                    .get(default.0 as usize)
                    .copied()
                    .unwrap_or(V::NEVER);
                if self.w.store.deep(v) == Ls::NONE {
                    self.w.defaults.insert((f, i as u32), v);
                } else {
                    extra.push(((f, param.name), v));
                }
            }
            if let Some(annotation) = param.annotation {
                let v = frame
                    .vals
                    .get(annotation.0 as usize)
                    .copied()
                    .unwrap_or(V::NEVER);
                // In JavaScript the decorator of a parameter may make it the request's.
                let labels = self.w.store.deep(v);
                let input = self.is_javascript()
                    && self
                        .w
                        .store
                        .labels(labels)
                        .iter()
                        .all(|l| matches!(l.origin, Origin::Input(_)));
                if labels == Ls::NONE || input {
                    self.w.annotations.insert((f, i as u32), v);
                }
            }
        }
        let env = if extra.is_empty() {
            env
        } else {
            let mut cells = self.w.store.env(env).to_vec();
            cells.extend(extra);
            self.w.store.closure(cells)
        };
        if env != EnvId::EMPTY {
            self.w.closures.insert(f, env);
        }
        let _ = index;
        self.w.store.one(Atom::Fn { function: f, env })
    }

    pub(crate) fn class_value(&mut self, frame: &mut Frame, inner: ir::ClassIndex) -> V {
        let p = self.p;
        let id = p.class_id(frame.unit, inner);
        let class = p.class(id);
        let body = p.fn_id(frame.unit, class.body);
        if frame.f == body {
            // Its own body speaks of the class.
            let env = frame.env;
            return self.w.store.one(Atom::Class { class: id, env });
        }
        let mut bases = Vec::new();
        let mut inherited: Vec<((FnId, Name), V)> = Vec::new();
        for base in &class.bases {
            let v = frame.vals.get(base.0 as usize).copied().unwrap_or(V::NEVER);
            let mut found = Base::Unknown;
            for atom in self.w.store.atoms_of(v) {
                found = match atom {
                    Atom::Class { class, env } if class != id => {
                        inherited.extend(self.w.store.env(env).iter().copied());
                        Base::Own(class)
                    }
                    Atom::Lib(path) => Base::Lib(path),
                    Atom::LibObject { class, .. } => Base::Lib(class),
                    // `db.Model`: a class that a library's object has.
                    Atom::Member { receiver, name } => match self.class_of_object(receiver, name) {
                        Some(path) => Base::Lib(path),
                        None => continue,
                    },
                    _ => continue,
                };
                break;
            }
            bases.push(found);
        }
        // Inherited methods run with what their own class captured.
        let mut env = self.closure_for(frame, body);
        if !inherited.is_empty() {
            let mut cells = self.w.store.env(env).to_vec();
            for (cell, v) in inherited {
                if cells.iter().all(|(c, _)| *c != cell) {
                    cells.push((cell, v));
                }
            }
            env = self.w.store.closure(cells);
        }
        // What it derives from where its function is called is more than what is known where nobody calls that.
        let before = &self.w.classes[id.0 as usize].bases;
        let known = !before.contains(&Base::Unknown) && before.len() == bases.len();
        if !(known && bases.contains(&Base::Unknown)) && *before != bases {
            self.w.classes[id.0 as usize].bases = bases;
            self.orders.borrow_mut().clear();
        }
        let (summary, holes) = self.summarize(body, env, Vec::new());
        let site = self.site(frame, u32::MAX);
        let mut filling = crate::rebuild::Filling::new(&holes, None);
        self.absorb(frame, summary, &mut filling, site, CallTier::Exact);
        // Attributes with labels, as this activation has them. Methods are not among them: they read what the
        // class captured.
        let mut own: Vec<((FnId, Name), V)> = Vec::new();
        for (place, site, v) in &frame.effects {
            if let Place::ClassAttr(class, name) = place
                && *class == id
                && site.function == body
                && !self.w.store.atoms(*v).any(|a| matches!(a, Atom::Fn { .. }))
            {
                own.retain(|(cell, _)| *cell != (body, *name));
                own.push(((body, *name), *v));
            }
        }
        if !own.is_empty() {
            let mut cells = self.w.store.env(env).to_vec();
            cells.extend(own);
            env = self.w.store.closure(cells);
        }
        self.w.store.one(Atom::Class { class: id, env })
    }
}

impl Machine<'_> {
    /// The class that an object of a library has under a name, where a model knows it.
    fn class_of_object(&self, receiver: V, name: Name) -> Option<Name> {
        let Some(Atom::LibObject { class, .. }) = self.w.store.only(receiver) else {
            return None;
        };
        let path = format!("{}.{}", self.text(*class), self.text(name));
        self.m.is_class(&path).then(|| self.name(&path))
    }
}

/// Whether the later of two writes of a function comes after the earlier one on every way to its end, and
/// never before it.
fn overwrites(function: &ir::Function, earlier: u32, later: u32) -> bool {
    let (Some(from), Some(to)) = (block_of(function, earlier), block_of(function, later)) else {
        return false;
    };
    let walk = |start: Vec<u32>, around: Option<usize>| {
        let mut seen = vec![false; function.blocks.len()];
        let mut open = start;
        while let Some(at) = open.pop() {
            if Some(at as usize) == around || std::mem::replace(&mut seen[at as usize], true) {
                continue;
            }
            open.extend(successors(function, at));
        }
        seen
    };
    if from == to {
        return earlier < later && !walk(successors(function, from as u32), None)[from];
    }
    let past = walk(vec![from as u32], Some(to));
    let ends = |at: usize| {
        matches!(
            function.blocks[at].terminator,
            ir::Terminator::Return(_) | ir::Terminator::Stop
        )
    };
    let leaves = past.iter().enumerate().any(|(at, seen)| *seen && ends(at));
    !leaves && !walk(successors(function, to as u32), None)[from]
}
