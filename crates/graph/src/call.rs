//! Calls: who is called, what the parameters get, and what comes back.

mod bind;
mod escape;
mod idle;

use solvent_base::Name;
use solvent_ir::{self as ir, Arg, Op};

use crate::label::{Hop, Note, TraceId, TraceKind};
use crate::link::FnId;
use crate::machine::{Frame, Machine};
use crate::rebuild::Filling;
use crate::value::{Atom, EnvId, Ls, V};
use crate::world::{Boundary, CallTier, Touch};

/// Arguments of a call; `source` is the caller's value that an argument came from.
#[derive(Clone, Default, Debug)]
pub(crate) struct Args {
    pub pos: Vec<(V, Option<u32>)>,
    pub named: Vec<(Name, V, Option<u32>)>,
    /// Elements of `*args` of unknown length.
    pub spread: Option<V>,
    /// Values of `**kwargs` of unknown keys.
    pub keywords: Option<V>,
}

impl Args {
    pub fn of(values: &[V]) -> Self {
        Self {
            pos: values.iter().map(|v| (*v, None)).collect(),
            ..Self::default()
        }
    }

    pub fn get(&self, position: usize, name: Option<Name>) -> Option<V> {
        if let Some((v, _)) = self.pos.get(position) {
            return Some(*v);
        }
        if let Some(name) = name
            && let Some((_, v, _)) = self.named.iter().find(|(n, _, _)| *n == name)
        {
            return Some(*v);
        }
        self.spread
    }

    pub fn all(&self) -> Vec<V> {
        let mut out: Vec<V> = self.pos.iter().map(|(v, _)| *v).collect();
        out.extend(self.named.iter().map(|(_, v, _)| *v));
        out.extend(self.spread);
        out.extend(self.keywords);
        out
    }

    pub fn count(&self) -> u32 {
        (self.pos.len() + self.named.len()) as u32
    }
}

/// What a call gave.
#[derive(Clone, Default, Debug)]
pub(crate) struct Out {
    pub ret: Option<V>,
    /// New versions of arguments, by the caller's value.
    pub afters: Vec<(u32, V)>,
    /// New version of the receiver.
    pub receiver: Option<V>,
}

impl Out {
    pub fn ret(v: V) -> Self {
        Self {
            ret: Some(v),
            ..Self::default()
        }
    }

    /// Control does not come back.
    pub fn never() -> Self {
        Self::default()
    }
}

/// Most hits that one summary hands to its callers.
pub(crate) const MAX_HITS: usize = 400;
/// Instructions of a small function.
pub(crate) const SMALL: usize = 60;
/// Rounds of a recursive function.
pub(crate) const MAX_RECURSION: usize = 4;

impl Machine<'_> {
    pub(crate) fn call_inst(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        callee: ir::Value,
        args: &[Arg],
    ) -> V {
        let callee_value = match function.op(callee) {
            Op::Attr { base, name } if self.is_javascript() => {
                let (base, site) = (frame.vals[base.0 as usize], self.site(frame, callee.0));
                self.callee_of(frame, base, *name, site)
            }
            Op::Attr { base, name } if self.is_java() => {
                let (base, site) = (frame.vals[base.0 as usize], self.site(frame, callee.0));
                self.callee_java(frame, base, *name, site, args.len())
            }
            _ => frame.vals[callee.0 as usize],
        };
        if let [Arg::Positional(inner)] = args
            && self.is_decoration(frame, function, callee, *inner)
        {
            let v = frame.vals[inner.0 as usize];
            if self.is_java() {
                return self.annotate(frame, index, callee_value, v);
            }
            let is_class = self
                .w
                .store
                .atoms(v)
                .any(|a| matches!(a, Atom::Class { .. }));
            return if is_class {
                self.decorate_class(frame, index, callee_value, v)
            } else {
                self.decorate(frame, index, callee_value, v)
            };
        }
        let mut built = Args::default();
        for arg in args {
            let source = arg.value().0;
            let v = frame.vals[source as usize];
            let v = if v == V::NEVER {
                self.w.store.unknown()
            } else {
                v
            };
            match arg {
                Arg::Positional(_) => {
                    if built.spread.is_none() {
                        built.pos.push((v, Some(source)));
                    } else {
                        built.spread = built.spread.map(|s| self.w.store.join(s, v));
                    }
                }
                Arg::Named(name, _) => built.named.push((*name, v, Some(source))),
                Arg::Spread(_) => match self.exact_items(v) {
                    Some(items) if built.spread.is_none() => {
                        built.pos.extend(items.into_iter().map(|v| (v, None)));
                    }
                    _ => {
                        let element = self.element(frame, index, v);
                        let before = built.spread.unwrap_or(V::NEVER);
                        built.spread = Some(self.w.store.join(before, element));
                    }
                },
                Arg::KeywordSpread(_) => self.spread_keywords(&mut built, v),
            }
        }
        let receiver = match function.op(callee) {
            Op::Attr { base, name } => {
                let on = frame.vals[base.0 as usize];
                self.handed_to_use(frame, index, on, *name, &built);
                Some(base.0)
            }
            _ => None,
        };
        frame.own_calls.remove(&index);
        let out = match self.paired(frame, function, index, args, &built) {
            Some(calls) => {
                let mut out = Out::never();
                for one in calls {
                    let got = self.call_value(frame, index, callee_value, &one);
                    out.ret = match (out.ret, got.ret) {
                        (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                        (a, b) => a.or(b),
                    };
                    out.receiver = match (out.receiver, got.receiver) {
                        (Some(a), Some(b)) => Some(self.w.store.join(a, b)),
                        (a, b) => a.or(b),
                    };
                    out.afters.extend(got.afters);
                }
                out
            }
            None => self.call_value(frame, index, callee_value, &built),
        };
        let mut changed: Vec<(u32, V)> = out.afters;
        if let (Some(receiver), Some(v)) = (receiver, out.receiver) {
            changed.push((receiver, v));
        }
        for (source, v) in changed {
            frame.afters.insert((index, source), v);
        }
        if let (Some(base), Some(v)) = (receiver, out.receiver) {
            self.after_super(frame, function, index, base, v);
        }
        match out.ret {
            Some(v) => v,
            None => {
                frame.diverged = true;
                V::NEVER
            }
        }
    }

    /// What `super().m()` is called on is the function's own receiver, of which a version follows.
    fn after_super(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        base: u32,
        after: V,
    ) {
        let is_super = |a: &Atom| matches!(a, Atom::Super { .. });
        if !self.w.store.atoms(frame.vals[base as usize]).any(is_super) {
            return;
        }
        let following = function.insts.iter().skip(index as usize + 1);
        for inst in following {
            let Op::After { call, object } = inst.op else {
                // The receiver may be read from a cell.
                match inst.op {
                    Op::Captured { .. } => continue,
                    _ => break,
                }
            };
            if call.0 == index && !frame.afters.contains_key(&(index, object.0)) {
                frame.afters.insert((index, object.0), after);
                break;
            }
        }
    }

    /// A call in a loop over a known list, two of whose arguments are parts of the same element: once
    /// for each element, so that routes meet their own handlers.
    fn paired(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        args: &[Arg],
        built: &Args,
    ) -> Option<Vec<Args>> {
        let mut parts: Vec<(u32, ir::Value, ir::Value)> = Vec::new();
        for arg in args {
            let mut at = arg.value();
            while let Op::Refine { value, .. } = function.op(at) {
                at = *value;
            }
            let Op::Index { base, key } = function.op(at) else {
                continue;
            };
            if let Op::Element(list) = function.op(*base) {
                parts.push((arg.value().0, *key, *list));
            }
        }
        let list = parts.first()?.2;
        if parts.len() < 2 || parts.iter().any(|(_, _, l)| *l != list) {
            return None;
        }
        let items = self.exact_items(frame.vals[list.0 as usize])?;
        if items.len() < 2 || items.len() > crate::value::MAX_TABLE {
            return None;
        }
        let mut out = Vec::new();
        for item in items {
            let mut one = built.clone();
            for (source, key, _) in &parts {
                let key = frame.vals[key.0 as usize];
                let v = self.index(frame, index, item, key);
                for (have, from) in &mut one.pos {
                    if *from == Some(*source) {
                        *have = v;
                    }
                }
                for (_, have, from) in &mut one.named {
                    if *from == Some(*source) {
                        *have = v;
                    }
                }
            }
            out.push(one);
        }
        Some(out)
    }

    /// Whether this call is a decorator applied to the definition below it.
    fn is_decoration(
        &self,
        frame: &Frame,
        function: &ir::Function,
        callee: ir::Value,
        inner: ir::Value,
    ) -> bool {
        let mut at = inner;
        for _ in 0..16 {
            match function.op(at) {
                Op::Function(index) => {
                    let f = self.p.fn_id(frame.unit, *index);
                    return self.p.function(f).decorators.contains(&callee);
                }
                Op::Class(index) => {
                    let c = self.p.class_id(frame.unit, *index);
                    return self.p.class(c).decorators.contains(&callee);
                }
                Op::Call { args, .. } => match &**args {
                    [Arg::Positional(below)] => at = *below,
                    _ => return false,
                },
                _ => return false,
            }
        }
        false
    }

    /// Calls every alternative and joins what comes back.
    pub(crate) fn call_value(
        &mut self,
        frame: &mut Frame,
        index: u32,
        callee: V,
        args: &Args,
    ) -> Out {
        let atoms = if callee == V::NEVER {
            vec![Atom::Data(Ls::NONE)]
        } else {
            self.w.store.atoms_of(callee)
        };
        let atoms = if self.is_java() {
            self.fitting(atoms, args)
        } else {
            atoms
        };
        let single = atoms.len() == 1;
        let mut out = Out::never();
        let mut afters: Vec<(u32, V)> = Vec::new();
        let mut receiver = V::NEVER;
        for atom in atoms {
            if matches!(atom, Atom::Const(_)) && !single {
                continue;
            }
            let one = self.call_atom(frame, index, atom, args, single);
            let Some(ret) = one.ret else { continue };
            out.ret = Some(match out.ret {
                Some(before) => self.w.store.join(before, ret),
                None => ret,
            });
            for (source, v) in one.afters {
                let v = if single {
                    v
                } else {
                    let original = frame.vals[source as usize];
                    self.w.store.join(original, v)
                };
                match afters.iter_mut().find(|(s, _)| *s == source) {
                    Some((_, have)) => *have = self.w.store.join(*have, v),
                    None => afters.push((source, v)),
                }
            }
            if let Some(v) = one.receiver {
                receiver = self.w.store.join(receiver, v);
            }
        }
        out.afters = afters;
        if receiver != V::NEVER {
            out.receiver = Some(receiver);
        }
        out
    }

    /// Each may be the one that is meant.
    fn call_each(&mut self, frame: &mut Frame, index: u32, functions: &[FnId], args: &Args) -> Out {
        let mut out = Out::never();
        for function in functions {
            let env = self.w.closures.get(function).copied();
            let env = env.unwrap_or(EnvId::EMPTY);
            let tier = CallTier::Value;
            let one = self.call_function(frame, index, *function, env, None, args, tier);
            let Some(ret) = one.ret else { continue };
            out.ret = Some(match out.ret {
                Some(before) => self.w.store.join(before, ret),
                None => ret,
            });
        }
        out
    }

    fn call_atom(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: Atom,
        args: &Args,
        exact: bool,
    ) -> Out {
        let tier = if exact {
            CallTier::Exact
        } else {
            CallTier::Value
        };
        match atom {
            Atom::Fn { function, env } => {
                self.call_function(frame, index, function, env, None, args, tier)
            }
            Atom::OneOf(functions) => self.call_each(frame, index, &functions, args),
            Atom::Method {
                function,
                env,
                receiver,
            } => self.call_function(
                frame,
                index,
                function,
                env,
                Some(receiver),
                args,
                CallTier::Typed,
            ),
            Atom::Class { class, env } => self.instantiate(frame, index, class, env, args),
            Atom::Lib(path) => self.call_lib(frame, index, path, args),
            Atom::Member { receiver, name } => self.call_member(frame, index, receiver, name, args),
            Atom::Partial {
                function,
                args: first,
                named,
            } => {
                let mut all = Args::of(&first);
                all.pos.extend(args.pos.iter().copied());
                all.named = args.named.clone();
                for (name, v) in &*named {
                    if all.named.iter().all(|(n, _, _)| n != name) {
                        all.named.push((*name, *v, None));
                    }
                }
                all.spread = args.spread;
                all.keywords = args.keywords;
                self.call_value(frame, index, function, &all)
            }
            Atom::Object { class, .. } => {
                let receiver = self.w.store.one(atom);
                if self.is_java() {
                    return self.call_only_method(frame, index, receiver, class, args);
                }
                match self.method_of(class, self.n.call, receiver) {
                    Some(method) => self.call_value(frame, index, method, args),
                    None => self.unknown_call(frame, index, receiver, args, "an object"),
                }
            }
            Atom::LibObject {
                class, ref data, ..
            } => {
                let data = *data;
                if self.is_javascript() && &*self.text(class) == "<resolve>" {
                    let key = match &atom {
                        Atom::LibObject { attrs, .. } => self.path_of(attrs),
                        _ => None,
                    };
                    if let Some(key) = key {
                        return self.resolve(frame, index, key, args);
                    }
                }
                // `reject(error)`
                if self.is_javascript() && &*self.text(class) == "<reject>" {
                    let v = args.get(0, None).unwrap_or_else(|| self.w.store.none());
                    let function = self.p.function(frame.f);
                    self.raise(frame, function, v);
                    return Out::ret(self.w.store.none());
                }
                if class == self.n.own_class {
                    return self.instance_of_made(frame, index, &atom, args);
                }
                if class == self.n.decorator {
                    let handler = args.get(0, None).unwrap_or_else(|| self.w.store.unknown());
                    let plan = self.w.store.one(atom);
                    return self.apply_registrar(frame, index, plan, handler);
                }
                if class == self.n.staticmethod || class == self.n.classmethod {
                    return self.call_value(frame, index, data, args);
                }
                if self.is_java()
                    && let Some(out) = self.call_held(frame, index, &atom, args)
                {
                    return out;
                }
                // `next(error)`
                if self.is_javascript()
                    && self.text(class).ends_with("NextFunction")
                    && let Some(error) = args.get(0, None)
                    && self.w.store.deep(error) != Ls::NONE
                {
                    let (place, site) = (self.raised_place(), self.site(frame, index));
                    frame.effects.push((place, site, error));
                }
                let receiver = self.w.store.one(atom);
                if self.class_member(class, self.n.call).is_some() {
                    return self.call_member(frame, index, receiver, self.n.call, args);
                }
                // A value that its model calls an attribute may be read as a method: its labels are
                // what counts.
                if args.count() == 0 && self.w.store.deep(receiver) != Ls::NONE {
                    return Out::ret(receiver);
                }
                self.unknown_call(frame, index, receiver, args, "a library object")
            }
            Atom::Data(labels) => {
                let receiver = self.w.store.data(labels);
                if labels != Ls::NONE {
                    return Out::ret(receiver);
                }
                self.unknown_call(frame, index, receiver, args, "a value of unknown type")
            }
            Atom::Const(_) => Out::ret(self.w.store.unknown()),
            other => {
                let receiver = self.w.store.one(other);
                self.unknown_call(frame, index, receiver, args, "a value of unknown type")
            }
        }
    }

    /// A call that leads nowhere known: arguments pass to the result, functions among them escape.
    pub(crate) fn unknown_call(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        args: &Args,
        what: &str,
    ) -> Out {
        let site = self.site(frame, index);
        self.w.boundaries.insert(Boundary {
            site,
            what: what.to_owned(),
        });
        self.pass_through(frame, index, receiver, args, what)
    }

    /// Labels of receiver and arguments come back, marked as assumed.
    pub(crate) fn pass_through(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        args: &Args,
        what: &str,
    ) -> Out {
        let site = self.site(frame, index);
        let mut labels = self.w.store.deep(receiver);
        let mut from_args = Ls::NONE;
        for v in args.all() {
            self.escape(v, site, what, 0);
            let deep = self.w.store.deep(v);
            from_args = self.w.store.union(from_args, deep);
        }
        labels = self.w.store.union(labels, from_args);
        // What a library is given the name of a file for is what is in the file: a module, a model.
        labels = self.w.store.without_listed(labels);
        if labels == Ls::NONE {
            return Out::ret(self.w.store.unknown());
        }
        let name = self.name(what);
        let note = Note::UnmodelledCall { site, name };
        let v = self.w.store.data(labels);
        let v = self.noted(v, note);
        let v = self.hop_all(v, TraceKind::Library, site, name);
        let mut out = Out::ret(v);
        if from_args != Ls::NONE && receiver != V::NEVER {
            // An object of unknown make-up may keep what it is given.
            let absorbs = self.w.store.atoms(receiver).any(|a| {
                matches!(a, Atom::LibObject { .. } | Atom::Object { .. })
                    || *a == Atom::Data(Ls::NONE)
            });
            if absorbs {
                out.receiver = Some(self.absorbing(receiver, v));
            }
        }
        out
    }

    fn absorbing(&mut self, receiver: V, v: V) -> V {
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(receiver) {
            all.push(match atom {
                Atom::LibObject { class, attrs, data } => Atom::LibObject {
                    class,
                    attrs,
                    data: self.w.store.join(data, v),
                },
                other => other,
            });
        }
        self.w.store.bounded_value(all)
    }

    #[expect(clippy::too_many_arguments, reason = "a call has this many parts")]
    pub(crate) fn call_function(
        &mut self,
        frame: &mut Frame,
        index: u32,
        f: FnId,
        env: EnvId,
        receiver: Option<V>,
        args: &Args,
        tier: CallTier,
    ) -> Out {
        if let Some(v) = self.never_asked(frame, index, f) {
            return Out::ret(v);
        }
        // `Type.Method(receiver, ..)`
        if self.is_go()
            && receiver.is_none()
            && self.takes_receiver(f)
            && let Some((first, _)) = args.pos.first()
        {
            let mut rest = args.clone();
            rest.pos.remove(0);
            return self.call_function(frame, index, f, env, Some(*first), &rest, tier);
        }
        self.merges_trees(frame, index, f, args);
        let (bound, sources) = self.bind(f, env, receiver, args);
        for (param, v) in self.p.function(f).params.iter().zip(&bound) {
            self.named(frame, index, param.name, *v);
        }
        if self.w.depth >= self.limits.depth || self.w.steps >= self.limits.steps {
            let flows = self.follow == crate::machine::Follow::Flows;
            if self.w.steps >= self.limits.steps {
                let what = format!("more than {} evaluation steps", self.limits.steps);
                self.w.limits_hit.insert(what);
            } else if flows {
                let what = format!("calls nested deeper than {}", self.limits.depth);
                self.w.notices.insert(what);
            }
            let site = self.site(frame, index);
            let receiver = receiver.unwrap_or(V::NEVER);
            let out = self.pass_through(frame, index, receiver, args, "a call too deep");
            if flows {
                let why = "a call too deep".to_owned();
                self.w.escapes.entry(f).or_default().insert((site, why));
            }
            return Out {
                receiver: None,
                ..out
            };
        }
        // Looking for calls and routes, labels stay in their function: what a caller passes need not
        // tell contexts of the callee apart.
        let mut passed = Ls::NONE;
        let bound = if self.follow == crate::machine::Follow::Calls {
            bound
                .into_iter()
                .map(|v| {
                    let deep = self.w.store.deep(v);
                    passed = self.w.store.union(passed, deep);
                    self.w.store.map_labels(v, &mut |_, _| Ls::NONE)
                })
                .collect()
        } else {
            bound
        };
        let (id, holes) = self.summarize(f, env, bound);
        let site = self.site(frame, index);
        frame
            .own_calls
            .entry(index)
            .or_default()
            .push((id, sources.iter().map(|(p, s)| (*p, *s)).collect()));
        let what = self.p.function(f).name;
        let call = Hop {
            parent: TraceId(0),
            kind: TraceKind::Call,
            site,
            what,
        };
        let mut filling = Filling::new(&holes, Some(call));
        self.absorb(frame, id, &mut filling, site, tier);
        let (ret, raised, afters, vouches) = {
            let s = self.w.summary(id);
            let vouches = s.vouches.any.clone().unwrap_or_default();
            (s.ret, s.raised, s.afters.clone(), vouches)
        };
        if raised != V::NEVER {
            let raised = self.w.store.fill(raised, &mut filling);
            let caller = self.p.function(frame.f);
            self.raise(frame, caller, raised);
        }
        let mut out = Out::default();
        if ret != V::NEVER {
            let v = self.w.store.fill(ret, &mut filling);
            let mut v = self.hop_all(v, TraceKind::Return, site, what);
            if passed != Ls::NONE {
                let more = self.w.store.data(passed);
                v = self.w.store.join(v, more);
            }
            out.ret = Some(v);
        }
        let mut filling = Filling::new(&holes, None);
        for (param, after) in afters.iter().enumerate() {
            let given = usize::from(receiver.is_some()) + args.pos.len();
            if let Some(after) = after
                && param >= given
                && sources.iter().all(|(p, _)| *p as usize != param)
            {
                let after = self.w.store.fill(*after, &mut filling);
                self.default_changed(frame, index, f, param, after);
            }
        }
        for (param, source) in &sources {
            let after = match afters.get(*param as usize) {
                Some(Some(after)) => Some(self.w.store.fill(*after, &mut filling)),
                _ => None,
            };
            let vouched = vouches.iter().find(|(p, _, _)| p == param);
            if let (Some((_, kinds, marks)), Some(given)) =
                (vouched, frame.vals.get(*source as usize))
            {
                let note = Note::Guarded {
                    site,
                    by: what,
                    kinds: *kinds,
                };
                let v = self.w.store.clear(after.unwrap_or(*given), *kinds, note);
                out.afters.push((*source, self.w.store.mark(v, *marks)));
            } else if let Some(after) = after {
                out.afters.push((*source, after));
            }
        }
        if receiver.is_some()
            && (!self.has_receivers() || self.takes_receiver(f))
            && let Some(Some(after)) = afters.first()
        {
            out.receiver = Some(self.w.store.fill(*after, &mut filling));
        }
        out
    }

    pub(crate) fn note_touch(&mut self, frame: &mut Frame, sink: crate::world::SinkRef, t: Touch) {
        let have = frame.touched.entry(sink).or_insert(t);
        *have = (*have).max(t);
    }
}
