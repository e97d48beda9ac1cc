//! Calls: who is called, what the parameters get, and what comes back.

use solvent_base::Name;
use solvent_ir::{self as ir, Arg, Const, FunctionKind, Op, ParamKind};

use crate::label::{Hop, Note, TraceId, TraceKind};
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, Ls, Open, V};
use crate::world::{Boundary, CallTier, Fact, Hit, Place, Summary, SummaryId, Touch};

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
const MAX_HITS: usize = 400;
/// Instructions of a small function.
const SMALL: usize = 60;
/// Rounds of a recursive function.
const MAX_RECURSION: usize = 4;

impl Machine<'_> {
    pub(crate) fn call_inst(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        callee: ir::Value,
        args: &[Arg],
    ) -> V {
        let callee_value = frame.vals[callee.0 as usize];
        if let [Arg::Positional(inner)] = args
            && self.is_decoration(frame, function, callee, *inner)
        {
            let v = frame.vals[inner.0 as usize];
            let is_class = self
                .w
                .store
                .atoms(v)
                .any(|a| matches!(a, Atom::Class { .. }));
            return if is_class {
                self.decorate_class(frame, callee_value, v)
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
            Op::Attr { base, .. } => Some(base.0),
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
        match out.ret {
            Some(v) => v,
            None => {
                frame.diverged = true;
                V::NEVER
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
        if items.len() < 2 || items.len() > 16 {
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

    fn spread_keywords(&mut self, built: &mut Args, v: V) {
        let mut other = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    ..
                } => {
                    for (key, v) in &*kids {
                        if let Const::Str(name) = key {
                            if built.named.iter().all(|(n, _, _)| n != name) {
                                built.named.push((*name, *v, None));
                            }
                        } else {
                            other = self.w.store.join(other, *v);
                        }
                    }
                    other = self.w.store.join(other, rest);
                }
                _ => {
                    let one = self.w.store.one(atom);
                    let more = self.derive(one, &crate::label::Link::Value);
                    other = self.w.store.join(other, more);
                }
            }
        }
        if other != V::NEVER {
            let before = built.keywords.unwrap_or(V::NEVER);
            built.keywords = Some(self.w.store.join(before, other));
        }
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
                match self.method_of(class, self.n.call, receiver) {
                    Some(method) => self.call_value(frame, index, method, args),
                    None => self.unknown_call(frame, index, receiver, args, "an object"),
                }
            }
            Atom::LibObject {
                class, ref data, ..
            } => {
                let data = *data;
                if class == self.n.decorator {
                    let handler = args.get(0, None).unwrap_or_else(|| self.w.store.unknown());
                    let plan = self.w.store.one(atom);
                    return self.apply_registrar(frame, index, plan, handler);
                }
                if class == self.n.staticmethod || class == self.n.classmethod {
                    return self.call_value(frame, index, data, args);
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

    /// Records functions that go where they cannot be followed.
    pub(crate) fn escape(&mut self, v: V, site: Site, what: &str, depth: u32) {
        if depth > 2 {
            return;
        }
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Fn { function, .. } | Atom::Method { function, .. } => {
                    self.w
                        .escapes
                        .entry(function)
                        .or_default()
                        .insert((site, what.to_owned()));
                }
                Atom::Class { class, .. } | Atom::Object { class, .. } => {
                    self.escape_class(class, site, what);
                }
                Atom::Coll { kids, rest, .. } => {
                    for (_, v) in &*kids {
                        self.escape(*v, site, what, depth + 1);
                    }
                    self.escape(rest, site, what, depth + 1);
                }
                Atom::Partial { function, .. } => self.escape(function, site, what, depth + 1),
                Atom::LibObject { data, attrs, .. } => {
                    self.escape(data, site, what, depth + 1);
                    for (_, v) in &*attrs {
                        self.escape(*v, site, what, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn escape_class(&mut self, class: ClassId, site: Site, what: &str) {
        let p = self.p;
        let unit = p.class_unit(class);
        let body = p.class(class).body;
        for (i, function) in p.unit(unit).functions.iter().enumerate() {
            if function.parent == Some(body) {
                let id = p.fn_id(unit, ir::FnIndex(i as u32));
                let set = self.w.escapes.entry(id).or_default();
                if set.len() < 4 {
                    set.insert((site, what.to_owned()));
                }
            }
        }
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
        let (bound, sources) = self.bind(frame, f, env, receiver, args);
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
        self.absorb(frame, id, &holes, Some(index), tier, f);
        let what = self.p.function(f).name;
        let call = Hop {
            parent: TraceId(0),
            kind: TraceKind::Call,
            site,
            what,
        };
        let (ret, afters) = {
            let s = self.w.summary(id);
            (s.ret, s.afters.clone())
        };
        let mut out = Out::default();
        if ret != V::NEVER {
            let v = self.w.store.fill(ret, &holes, Some(call));
            let mut v = self.hop_all(v, TraceKind::Return, site, what);
            if passed != Ls::NONE {
                let more = self.w.store.data(passed);
                v = self.w.store.join(v, more);
            }
            out.ret = Some(v);
        }
        for (param, source) in &sources {
            if let Some(Some(after)) = afters.get(*param as usize) {
                let v = self.w.store.fill(*after, &holes, None);
                out.afters.push((*source, v));
            }
        }
        if receiver.is_some()
            && let Some(Some(after)) = afters.first()
        {
            out.receiver = Some(self.w.store.fill(*after, &holes, None));
        }
        out
    }

    /// What each parameter gets, and which caller's value it came from.
    fn bind(
        &mut self,
        frame: &Frame,
        f: FnId,
        env: EnvId,
        receiver: Option<V>,
        args: &Args,
    ) -> (Vec<V>, Vec<(u32, u32)>) {
        let p = self.p;
        let function = p.function(f);
        let mut positional: Vec<(V, Option<u32>)> = Vec::new();
        positional.extend(receiver.map(|v| (v, None)));
        positional.extend(args.pos.iter().copied());
        let mut next = 0;
        let mut used = vec![false; args.named.len()];
        let mut out = Vec::with_capacity(function.params.len());
        let mut sources = Vec::new();
        for (i, param) in function.params.iter().enumerate() {
            let mut named = || {
                let at = args.named.iter().position(|(n, _, _)| *n == param.name)?;
                used[at] = true;
                Some((args.named[at].1, args.named[at].2))
            };
            let got = match param.kind {
                ParamKind::Ordinary | ParamKind::PositionalOnly => {
                    if next < positional.len() {
                        next += 1;
                        Some(positional[next - 1])
                    } else {
                        named()
                    }
                }
                ParamKind::KeywordOnly => named(),
                ParamKind::Rest => {
                    let rest: Vec<(Const, V)> = positional[next.min(positional.len())..]
                        .iter()
                        .enumerate()
                        .map(|(i, (v, _))| (Const::Int(i as i64), *v))
                        .collect();
                    next = positional.len();
                    let spread = args.spread.unwrap_or(V::NEVER);
                    Some((
                        self.w.store.coll(CollKind::Tuple, rest, spread, Ls::NONE),
                        None,
                    ))
                }
                ParamKind::KeywordRest => {
                    let known: Vec<Name> = function.params.iter().map(|p| p.name).collect();
                    let kids: Vec<(Const, V)> = args
                        .named
                        .iter()
                        .filter(|(n, _, _)| !known.contains(n))
                        .map(|(n, v, _)| (Const::Str(*n), *v))
                        .collect();
                    let rest = args.keywords.unwrap_or(V::NEVER);
                    Some((
                        self.w.store.coll(CollKind::Dict, kids, rest, Ls::NONE),
                        None,
                    ))
                }
            };
            let v = match got {
                Some((v, source)) => {
                    if let Some(source) = source {
                        sources.push((i as u32, source));
                    }
                    v
                }
                None => {
                    let mut v = V::NEVER;
                    if param.kind != ParamKind::KeywordOnly
                        && let Some(spread) = args.spread
                    {
                        v = self.w.store.join(v, spread);
                    }
                    if let Some(keywords) = args.keywords {
                        v = self.w.store.join(v, keywords);
                    }
                    if let Some(default) = self.default_of(f, i as u32, env) {
                        v = self.w.store.join(v, default);
                    }
                    if v == V::NEVER {
                        self.w.store.unknown()
                    } else {
                        v
                    }
                }
            };
            out.push(v);
        }
        let _ = frame;
        (out, sources)
    }

    pub(crate) fn default_of(&mut self, f: FnId, param: u32, env: EnvId) -> Option<V> {
        if let Some(v) = self.w.defaults.get(&(f, param)) {
            return Some(*v);
        }
        let name = self.p.function(f).params[param as usize].name;
        let found = self
            .w
            .store
            .env(env)
            .iter()
            .find(|(c, _)| *c == (f, name))
            .map(|(_, v)| *v);
        match found {
            Some(v) => Some(v),
            None => self.p.function(f).params[param as usize]
                .default
                .map(|_| self.w.store.unknown()),
        }
    }

    /// The summary of a function for these arguments, computed once per shape of arguments.
    pub(crate) fn summarize(&mut self, f: FnId, env: EnvId, args: Vec<V>) -> (SummaryId, Vec<Ls>) {
        let mut holes = Vec::new();
        let seen = self.w.contexts[f.0 as usize];
        // A small function is cheaper to evaluate again than its constants are to lose: a wrapper
        // around the request reads another field for each name that it is given.
        let limit = match (self.follow, self.p.function(f).insts.len()) {
            (_, 0..=SMALL) => 4096,
            (crate::machine::Follow::Calls, _) => self.limits.contexts / 4,
            (crate::machine::Follow::Flows, _) => self.limits.contexts,
        };
        let args: Vec<V> = args
            .into_iter()
            .map(|v| {
                let v = if seen >= limit * 3 {
                    let labels = self.w.store.deep(v);
                    let keep = self.w.store.atoms(v).all(|a| {
                        matches!(
                            a,
                            Atom::Lib(_) | Atom::Fn { .. } | Atom::Class { .. } | Atom::Module(_)
                        )
                    });
                    if keep && seen < limit * 16 {
                        v
                    } else {
                        self.w.store.data(labels)
                    }
                } else if seen >= limit {
                    self.w.store.without_constants(v)
                } else {
                    v
                };
                self.w.store.punch(v, &mut holes)
            })
            .collect();
        let env = self.punch_env(env, &mut holes);
        let key = (f, env, args.clone().into_boxed_slice());
        if let Some(&id) = self.w.memo.get(&key) {
            if self.w.summaries[id.0 as usize].running {
                self.w.summaries[id.0 as usize].recursive = true;
                let level = self.w.summaries[id.0 as usize].level;
                if let Some(low) = self.w.lows.last_mut() {
                    *low = (*low).min(level);
                }
            }
            return (id, holes);
        }
        self.w.contexts[f.0 as usize] += 1;
        let id = SummaryId(self.w.summaries.len() as u32);
        self.w.summaries.push(Summary {
            function: f,
            ret: V::NEVER,
            afters: Box::default(),
            hits: Vec::new(),
            effects: Vec::new(),
            touched: Vec::new(),
            calls: Vec::new(),
            live: Box::default(),
            cut: Vec::new(),
            vouches: Vec::new(),
            running: true,
            recursive: false,
            level: self.w.lows.len() as u32,
        });
        self.w.memo.insert(key.clone(), id);
        let level = self.w.lows.len() as u32;
        self.w.lows.push(level);
        self.w.depth += 1;
        for _ in 0..MAX_RECURSION {
            let mark = self.w.memo_log.len();
            let frame = self.run(f, env, args.clone());
            let afters = self.final_versions(&frame, &args);
            let old = &self.w.summaries[id.0 as usize];
            let recursive = old.recursive;
            let old_ret = old.ret;
            let endless = recursive && frame.ret == V::NEVER && old_ret == V::NEVER;
            let ret = if endless {
                // Every way out leads through itself: what follows a call is looked at all the same.
                self.w.store.unknown()
            } else if recursive {
                self.w.store.join(old_ret, frame.ret)
            } else {
                frame.ret
            };
            // Only the outermost function of a circle goes round again, else rounds would multiply.
            let outermost = self.w.lows.last().is_none_or(|low| *low >= level);
            let settled = !recursive || ret == old_ret || !outermost;
            let summary = &mut self.w.summaries[id.0 as usize];
            summary.ret = ret;
            summary.afters = afters;
            summary.hits = frame.hits;
            summary.hits.truncate(MAX_HITS);
            summary.effects = frame.effects;
            summary.touched = frame.touched.into_iter().collect();
            summary.calls = frame.calls;
            summary.live = frame.live.into_boxed_slice();
            summary.cut = frame.cut;
            summary.vouches = frame.vouched.unwrap_or_default();
            summary.recursive = false;
            if settled {
                break;
            }
            // What was computed inside saw only the last round's answer.
            for key in self.w.memo_log.split_off(mark) {
                self.w.memo.remove(&key);
            }
        }
        self.w.depth -= 1;
        if let Some(low) = self.w.lows.pop()
            && low < level
            && let Some(outer) = self.w.lows.last_mut()
        {
            *outer = (*outer).min(low);
        }
        self.w.summaries[id.0 as usize].running = false;
        self.w.memo_log.push(key);
        (id, holes)
    }

    fn punch_env(&mut self, env: EnvId, holes: &mut Vec<Ls>) -> EnvId {
        if env == EnvId::EMPTY || env == EnvId::SAME {
            return EnvId::EMPTY;
        }
        let cells = self.w.store.env(env).to_vec();
        if cells.iter().all(|(_, v)| self.w.store.deep(*v) == Ls::NONE) {
            return env;
        }
        let cells = cells
            .into_iter()
            .map(|(k, v)| (k, self.w.store.punch(v, holes)))
            .collect();
        self.w.store.closure(cells)
    }

    /// What the caller takes over from a summary: edges, hits, effects.
    pub(crate) fn absorb(
        &mut self,
        frame: &mut Frame,
        id: SummaryId,
        holes: &[Ls],
        index: Option<u32>,
        tier: CallTier,
        callee: FnId,
    ) {
        let site = self.site(frame, index.unwrap_or(u32::MAX));
        let edge = (site, tier, id);
        if !frame.calls.contains(&edge) {
            frame.calls.push(edge);
        }
        let (hits, effects) = {
            let s = self.w.summary(id);
            if s.running {
                return;
            }
            let hits = match self.follow {
                crate::machine::Follow::Flows => s.hits.clone(),
                crate::machine::Follow::Calls => Vec::new(),
            };
            (hits, s.effects.clone())
        };
        let what = self.p.function(callee).name;
        let hop = index.map(|_| Hop {
            parent: TraceId(0),
            kind: TraceKind::Call,
            site,
            what,
        });
        let here = self.facts_here(frame);
        for hit in hits {
            let value = self.w.store.fill(hit.value, holes, hop);
            if self.w.store.deep(value) == Ls::NONE {
                continue;
            }
            let mut facts: Vec<Fact> = here.clone();
            for fact in &*hit.facts {
                let labels = self.w.store.fill_set(fact.labels, holes, None);
                if labels != Ls::NONE && facts.len() < 32 {
                    let fact = Fact {
                        labels,
                        ..fact.clone()
                    };
                    if !facts.contains(&fact) {
                        facts.push(fact);
                    }
                }
            }
            let hit = Hit {
                value,
                facts: facts.into(),
                ..hit
            };
            self.push_hit(frame, hit);
        }
        for (place, site, v) in effects {
            let v = self.w.store.fill(v, holes, hop);
            let effect = (place, site, v);
            // The cell of this very activation is written by a function inside it.
            if let Place::Cell(owner, name) = place
                && owner == frame.f
            {
                match frame.cells.iter().position(|(n, _)| *n == name) {
                    Some(at) => {
                        let joined = self.w.store.join(frame.cells[at].1, v);
                        if joined != frame.cells[at].1 {
                            frame.cells[at].1 = joined;
                            frame.cells_changed = true;
                        }
                    }
                    None => frame.cells.push((name, v)),
                }
                continue;
            }
            if frame.effects.len() < 400 && !frame.effects.contains(&effect) {
                frame.effects.push(effect);
            }
        }
    }

    pub(crate) fn push_hit(&mut self, frame: &mut Frame, hit: Hit) {
        if self.follow == crate::machine::Follow::Calls {
            return;
        }
        if frame.hits.len() >= MAX_HITS {
            self.w
                .limits_hit
                .insert(format!("more than {MAX_HITS} flows through one function"));
            return;
        }
        if !frame.hits.contains(&hit) {
            frame.hits.push(hit);
        }
    }

    pub(crate) fn facts_here(&self, frame: &Frame) -> Vec<Fact> {
        frame.facts[frame.block as usize]
            .iter()
            .flatten()
            .map(|id| frame.fact_table[*id as usize].clone())
            .collect()
    }

    /// Stores the effects of a root's summary.
    pub fn apply_effects_at_root(&mut self, id: SummaryId) {
        let effects = self.w.summary(id).effects.clone();
        for (place, site, v) in effects {
            let v = self.w.store.map_labels(v, &mut |store, set| {
                let kept: Vec<_> = store
                    .labels(set)
                    .iter()
                    .copied()
                    .filter(|l| {
                        matches!(
                            l.origin,
                            crate::label::Origin::Input(_) | crate::label::Origin::Local
                        )
                    })
                    .collect();
                store.set(kept)
            });
            self.w.write_weak(place, site, v);
        }
    }

    /// The last version of each parameter on the ways out.
    fn final_versions(&mut self, frame: &Frame, args: &[V]) -> Box<[Option<V>]> {
        let p = self.p;
        let shape = p.shape(frame.f);
        if shape.versions.is_empty() {
            return Box::default();
        }
        let mut out = Vec::with_capacity(args.len());
        for (param, arg) in args.iter().enumerate() {
            let defs: Vec<(u32, u32)> = shape
                .versions
                .iter()
                .filter(|(p, _, _)| *p as usize == param)
                .map(|(_, b, v)| (*b, *v))
                .collect();
            if defs.is_empty() {
                out.push(None);
                continue;
            }
            let mut seen = vec![false; frame.live.len()];
            let mut open = frame.returning.clone();
            let mut v = V::NEVER;
            while let Some(block) = open.pop() {
                if std::mem::replace(&mut seen[block as usize], true) {
                    continue;
                }
                if let Some((_, value)) = defs.iter().find(|(b, _)| *b == block) {
                    let one = frame.vals[*value as usize];
                    v = self.w.store.join(v, one);
                    continue;
                }
                if block == 0 {
                    v = self.w.store.join(v, *arg);
                }
                open.extend(
                    frame
                        .edges
                        .iter()
                        .filter(|(_, to)| *to == block)
                        .map(|(from, _)| *from),
                );
            }
            out.push((v != *arg && v != V::NEVER).then_some(v));
        }
        out.into()
    }

    pub(crate) fn instantiate(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        env: EnvId,
        args: &Args,
    ) -> Out {
        let _ = env;
        let fresh = self.w.store.one(Atom::Object {
            class,
            attrs: Box::default(),
            open: Open::No,
        });
        let init = self.n.init;
        let Some(method) = self.method_of(class, init, fresh) else {
            // Built by a library base (a dataclass, an ORM model): fields are named arguments.
            let mut attrs: Vec<(Name, V)> = args
                .named
                .iter()
                .map(|(n, v, _)| (*n, *v))
                .take(16)
                .collect();
            let fields = self.declared_fields(class);
            for ((v, _), name) in args.pos.iter().zip(fields) {
                attrs.push((name, *v));
            }
            let object = Atom::Object {
                class,
                attrs: attrs.into(),
                open: Open::Yes,
            };
            return Out::ret(self.w.store.one(object));
        };
        let out = self.call_value(frame, index, method, args);
        if out.ret.is_none() {
            return Out::never();
        }
        let object = out.receiver.unwrap_or(fresh);
        Out {
            ret: Some(object),
            afters: out.afters,
            receiver: None,
        }
    }

    /// Names annotated in the class body, in order: the fields of a dataclass.
    fn declared_fields(&self, class: ClassId) -> Vec<Name> {
        let p = self.p;
        let unit = p.class_unit(class);
        let body = p.function(p.fn_id(unit, p.class(class).body));
        let mut out = Vec::new();
        for inst in &body.insts {
            if let Op::StoreName {
                scope: ir::Scope::Class,
                name,
                ..
            } = &inst.op
            {
                out.push(*name);
            }
        }
        out
    }

    /// Applies a decorator to a function.
    pub(crate) fn decorate(&mut self, frame: &mut Frame, index: u32, decorator: V, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(decorator) {
            let one = match atom {
                Atom::Lib(path)
                    if path == self.n.staticmethod
                        || path == self.n.classmethod
                        || path == self.n.property =>
                {
                    self.w.store.one(Atom::LibObject {
                        class: path,
                        attrs: Box::default(),
                        data: v,
                    })
                }
                Atom::Lib(path) => {
                    let text = self.text(path);
                    if text.ends_with(".cached_property") || &*text == "abc.abstractproperty" {
                        let class = self.n.property;
                        self.w.store.one(Atom::LibObject {
                            class,
                            attrs: Box::default(),
                            data: v,
                        })
                    } else {
                        drop(text);
                        let args = Args::of(&[v]);
                        let _ = self.call_lib(frame, index, path, &args);
                        v
                    }
                }
                // `@x.setter`, `@x.deleter` of a property: the property itself goes on.
                Atom::Member { receiver, name: _ }
                    if self.w.store.atoms(receiver).any(
                        |a| matches!(a, Atom::LibObject { class, .. } if *class == self.n.property),
                    ) =>
                {
                    receiver
                }
                Atom::Fn { .. }
                | Atom::Method { .. }
                | Atom::Class { .. }
                | Atom::Object { .. }
                | Atom::Partial { .. } => {
                    let args = Args::of(&[v]);
                    let one = self.w.store.one(atom);
                    let got = self
                        .call_value(frame, index, one, &args)
                        .ret
                        .unwrap_or(V::NEVER);
                    let callable = self.w.store.atoms(got).any(|a| {
                        matches!(
                            a,
                            Atom::Fn { .. }
                                | Atom::Method { .. }
                                | Atom::Partial { .. }
                                | Atom::Object { .. }
                                | Atom::LibObject { .. }
                                | Atom::Class { .. }
                        )
                    });
                    if callable { got } else { v }
                }
                other => {
                    // A library's decorator, called or not: it wraps, and calls what it wraps.
                    let args = Args::of(&[v]);
                    let one = self.w.store.one(other);
                    let _ = self.call_value(frame, index, one, &args);
                    v
                }
            };
            out = self.w.store.join(out, one);
        }
        if out == V::NEVER { v } else { out }
    }

    pub(crate) fn decorate_class(&mut self, frame: &mut Frame, decorator: V, v: V) -> V {
        let _ = (frame, decorator);
        v
    }

    pub(crate) fn note_touch(&mut self, frame: &mut Frame, sink: crate::world::SinkRef, t: Touch) {
        let have = frame.touched.entry(sink).or_insert(t);
        *have = (*have).max(t);
    }

    /// Whether calls of this function can be told from its name alone.
    pub(crate) fn fits(&self, f: FnId, args: &Args, has_receiver: bool) -> bool {
        let function = self.p.function(f);
        if function.kind != FunctionKind::Def {
            return false;
        }
        let given = args.pos.len() + usize::from(has_receiver);
        let mut most = 0;
        let mut least = 0;
        let mut any = false;
        for param in &function.params {
            match param.kind {
                ParamKind::Ordinary | ParamKind::PositionalOnly => {
                    most += 1;
                    if param.default.is_none()
                        && args.named.iter().all(|(n, _, _)| *n != param.name)
                    {
                        least += 1;
                    }
                }
                ParamKind::Rest => any = true,
                ParamKind::KeywordOnly | ParamKind::KeywordRest => {}
            }
        }
        let spread = args.spread.is_some() || args.keywords.is_some();
        (given <= most || any) && (given >= least || spread)
    }
}
