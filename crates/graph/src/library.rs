//! What the models say about a call or an attribute, applied to values.

use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::{BinaryOp, Const};
use solvent_models::{
    ArgSelector, Effect, Harmful, How, Literal, Member, MemberId, Port, PortRoot, PortStep, Source,
    SourceShape, StepRow, Test, Truth, TypeRef, When, pattern,
};

use crate::call::{Args, Out};
use crate::label::{Hop, InputKey, InputShape, Label, Link, Marks, Note, Origin, TraceKind};
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Piece, V};
use crate::world::{Hit, SinkRef, Touch};

/// A library call seen from the ports of its rows.
pub(crate) struct Ports<'a> {
    pub receiver: Option<V>,
    pub args: &'a Args,
}

impl Machine<'_> {
    /// A library's object by path, as it is read.
    pub(crate) fn lib_value(&mut self, path: Name) -> V {
        let site = Site {
            function: crate::link::FnId(0),
            inst: u32::MAX,
        };
        self.lib_attr(path, site)
    }

    pub(crate) fn lib_attr(&mut self, path: Name, site: Site) -> V {
        let text = self.text(path);
        let canonical = self.m.canonical(&text).into_owned();
        let path = self.name(&canonical);
        let Some(id) = self.path_member(path) else {
            return self.w.store.lib(path);
        };
        let member = self.m.get(id);
        if member.path != canonical {
            // A member of a base class: functions keep the path that was written.
            return self.w.store.lib(path);
        }
        let is_source = member.sources.iter().any(|s| s.at == Port::RETURN);
        let called = member.returns.is_some() || member.class.is_some() || !member.sinks.is_empty();
        if member.is.is_none() && (!is_source || called) {
            return self.w.store.lib(path);
        }
        let data = self.source_value(member, None, &Args::default(), site);
        let v = match &member.is {
            Some(kind) => self.typed(data, kind),
            None if data == V::NEVER => self.w.store.lib(path),
            None => data,
        };
        let at = self.w.store.konst(Const::Str(path));
        let mut all = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            all.push(match atom {
                Atom::LibObject { class, attrs, data } => {
                    let mut attrs = attrs.to_vec();
                    attrs.push((self.n.path, at));
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

    /// Reading `name` of an instance of a library class.
    pub(crate) fn member_value(&mut self, class: Name, name: Name, receiver: V, site: Site) -> V {
        let Some(id) = self.class_member(class, name) else {
            return self.w.store.one(Atom::Member { receiver, name });
        };
        let member = self.m.get(id);
        let is_source = member.sources.iter().any(|s| s.at == Port::RETURN);
        let is_method = member.returns.is_some()
            || !member.mutations.is_empty()
            || !member.callbacks.is_empty()
            || !member.sinks.is_empty()
            || !member.entry_points.is_empty()
            || member.stops
            || (member.is.is_none() && !is_source);
        if is_method {
            return self.w.store.one(Atom::Member { receiver, name });
        }
        let mut v = self.source_value(member, Some(receiver), &Args::default(), site);
        let args = Args::default();
        let ports = Ports {
            receiver: Some(receiver),
            args: &args,
        };
        for step in &member.steps {
            if step.to == Port::RETURN
                && step.from.root == PortRoot::Receiver
                && step.from.path.is_empty()
            {
                let got = self.object_data(receiver);
                let got = self.stepped(got, step, member, &ports, site);
                v = self.w.store.join(v, got);
            }
        }
        match &member.is {
            Some(kind) => self.typed(v, kind),
            None if v == V::NEVER => self.w.store.unknown(),
            None => v,
        }
    }

    /// What an object holds: of a library's instance, what it was made from.
    pub(crate) fn object_data(&mut self, v: V) -> V {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::LibObject { data, attrs, .. } if data != V::NEVER => {
                    let mut all = data;
                    for (name, v) in &*attrs {
                        if *name != self.n.path && *name != self.n.site {
                            let deep = self.w.store.deep(*v);
                            if deep != Ls::NONE {
                                let more = self.w.store.data(deep);
                                all = self.w.store.join(all, more);
                            }
                        }
                    }
                    all
                }
                Atom::LibObject { .. } => {
                    let one = self.w.store.one(atom);
                    let deep = self.w.store.deep(one);
                    self.w.store.data(deep)
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    fn source_value(&mut self, member: &Member, receiver: Option<V>, args: &Args, site: Site) -> V {
        let mut out = Ls::NONE;
        for source in &member.sources {
            if source.at != Port::RETURN {
                continue;
            }
            if let Some(set) = self.source_labels(source, member, receiver, args, site) {
                out = self.w.store.union(out, set);
            }
        }
        if out == Ls::NONE {
            V::NEVER
        } else {
            self.w.store.data(out)
        }
    }

    fn source_labels(
        &mut self,
        source: &Source,
        member: &Member,
        receiver: Option<V>,
        args: &Args,
        site: Site,
    ) -> Option<Ls> {
        let empty = self.w.store.empty;
        let (name, shape) = match &source.shape {
            SourceShape::Text { input } => (self.name(input), InputShape::Whole),
            SourceShape::Mapping { .. } => (empty, InputShape::Map),
            SourceShape::Tree => (empty, InputShape::Tree),
            SourceShape::Named { name } => {
                let ports = Ports { receiver, args };
                let v = self.port_plain(name, &ports)?;
                (
                    self.w.store.constant_str(v).unwrap_or(empty),
                    InputShape::Whole,
                )
            }
            SourceShape::OfReceiver => {
                let deep = self.w.store.deep(receiver?);
                let mut name = empty;
                for label in self.w.store.labels(deep) {
                    if let Origin::Input(id) = label.origin {
                        name = self.w.store.input(id).name;
                    }
                }
                (name, InputShape::Whole)
            }
        };
        let carrier = source.kind.carrier();
        let input = self.w.store.input_id(InputKey {
            carrier,
            name,
            inner: Vec::new(),
            shape,
        });
        let mut label = Label::new(Origin::Input(input));
        let what = self.name(&member.path);
        label.trace = self.w.store.hop(Hop {
            parent: label.trace,
            kind: TraceKind::Source,
            site,
            what,
        });
        Some(self.w.store.single(label))
    }

    pub(crate) fn lib_item(&mut self, path: Name, key: V, site: Site) -> V {
        let text = self.text(path);
        if text.starts_with("os.environ") || text.starts_with("sys.argv") {
            return self.local_label(site, &text);
        }
        let _ = key;
        self.w.store.unknown()
    }

    /// A value seen as this type.
    pub(crate) fn typed(&mut self, v: V, kind: &TypeRef) -> V {
        let TypeRef::Named { path, element } = kind else {
            return if v == V::NEVER {
                self.w.store.unknown()
            } else {
                v
            };
        };
        let canonical = self.m.canonical(path).into_owned();
        let v_or_unknown = if v == V::NEVER {
            self.w.store.unknown()
        } else {
            v
        };
        let kind = match canonical.as_str() {
            "builtins.str" | "builtins.bytes" | "builtins.bytearray" => return v_or_unknown,
            "builtins.int" | "builtins.float" | "builtins.bool" => {
                let deep = self.w.store.deep(v_or_unknown);
                let is_const = self.w.store.constants(v_or_unknown).is_some();
                return if is_const { v } else { self.w.store.data(deep) };
            }
            "builtins.list" => CollKind::List,
            "builtins.tuple" => CollKind::Tuple,
            "builtins.set" | "builtins.frozenset" => CollKind::Set,
            "builtins.dict" => {
                return if v == V::NEVER {
                    let unknown = self.w.store.unknown();
                    self.w
                        .store
                        .coll(CollKind::Dict, Vec::new(), unknown, Ls::NONE)
                } else {
                    v
                };
            }
            _ => {
                let class = self.name(&canonical);
                let same =
                    self.w.store.atoms(v).all(
                        |a| matches!(a, Atom::LibObject { class: have, .. } if *have == class),
                    );
                if v != V::NEVER && same {
                    return v;
                }
                return self.w.store.one(Atom::LibObject {
                    class,
                    attrs: Box::default(),
                    data: v,
                });
            }
        };
        let is_coll = v != V::NEVER
            && self
                .w
                .store
                .atoms(v)
                .all(|a| matches!(a, Atom::Coll { kind, .. } if *kind != CollKind::Dict));
        if is_coll {
            return v;
        }
        let mut inner = v_or_unknown;
        if let Some(element) = element {
            inner = self.typed(inner, element);
        }
        self.w.store.many(kind, inner)
    }

    // ---- ports

    pub(crate) fn port_plain(&mut self, port: &Port, ports: &Ports<'_>) -> Option<V> {
        let mut frame = None;
        self.port(&mut frame, 0, port, ports)
    }

    /// The value at a port; `None` where the call has no such argument.
    fn port(
        &mut self,
        frame: &mut Option<&mut Frame>,
        index: u32,
        port: &Port,
        ports: &Ports<'_>,
    ) -> Option<V> {
        let mut v = match &port.root {
            PortRoot::Return => return None,
            PortRoot::Receiver => ports.receiver?,
            PortRoot::Arg(selector) | PortRoot::Param(selector) => {
                self.select(selector, ports.args)?
            }
        };
        for step in &port.path {
            v = match step {
                PortStep::Attr(name) => {
                    let name = self.name(name);
                    match frame {
                        Some(frame) => {
                            let site = self.site(frame, index);
                            self.attr(frame, v, name, site)
                        }
                        None => return None,
                    }
                }
                PortStep::Index(i) => {
                    let key = self.w.store.konst(Const::Int(*i));
                    match frame {
                        Some(frame) => self.index(frame, index, v, key),
                        None => return None,
                    }
                }
                PortStep::Key(key) => {
                    let name = self.name(key);
                    let key = self.w.store.konst(Const::Str(name));
                    match frame {
                        Some(frame) => self.index(frame, index, v, key),
                        None => return None,
                    }
                }
                PortStep::KeyOf(selector) => {
                    let key = match self.select(selector, ports.args) {
                        Some(key) => key,
                        None => self.w.store.konst(Const::Int(-1)),
                    };
                    match frame {
                        Some(frame) => self.index(frame, index, v, key),
                        None => return None,
                    }
                }
                PortStep::Any => self.any_value(frame, index, v)?,
                PortStep::Keys => self.any_key(v)?,
            };
        }
        Some(v)
    }

    fn select(&mut self, selector: &ArgSelector, args: &Args) -> Option<V> {
        match selector {
            ArgSelector::One { position, name } => {
                let name = name.as_ref().map(|n| self.name(n));
                match position {
                    Some(position) => args.get(*position as usize, name).or(args.keywords),
                    None => {
                        let name = name?;
                        args.named
                            .iter()
                            .find(|(n, _, _)| *n == name)
                            .map(|(_, v, _)| *v)
                            .or(args.keywords)
                    }
                }
            }
            ArgSelector::From(first) => {
                let mut out = args.spread.unwrap_or(V::NEVER);
                for (v, _) in args.pos.iter().skip(*first as usize) {
                    out = self.w.store.join(out, *v);
                }
                for (_, v, _) in &args.named {
                    out = self.w.store.join(out, *v);
                }
                (out != V::NEVER).then_some(out)
            }
            ArgSelector::All => {
                let all = args.all();
                let out = self.w.store.join_all(all);
                (out != V::NEVER).then_some(out)
            }
        }
    }

    /// Any element of a sequence or value of a mapping; `None` of what has none.
    fn any_value(&mut self, frame: &mut Option<&mut Frame>, index: u32, v: V) -> Option<V> {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll { kids, rest, .. } => self.coll_all(&kids, rest),
                Atom::Data(labels) => {
                    let labels = self.w.store.link_set(labels, &Link::Value);
                    self.w.store.data(labels)
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    self.any_value(frame, index, data).unwrap_or(V::NEVER)
                }
                Atom::Object { .. } => {
                    let one = self.w.store.one(atom);
                    match frame {
                        Some(frame) => self.element(frame, index, one),
                        None => V::NEVER,
                    }
                }
                Atom::Text(_) => {
                    let one = self.w.store.one(atom);
                    self.derive(one, &Link::Value)
                }
                _ => V::NEVER,
            };
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    fn any_key(&mut self, v: V) -> Option<V> {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => {
                    let mut all = V::NEVER;
                    for (key, _) in &*kids {
                        let key = self.w.store.konst(key.clone());
                        all = self.w.store.join(all, key);
                    }
                    if rest != V::NEVER || keys != Ls::NONE {
                        let more = self.w.store.data(keys);
                        all = self.w.store.join(all, more);
                    }
                    all
                }
                Atom::Data(labels) => {
                    let labels = self.w.store.link_set(labels, &Link::Keys);
                    self.w.store.data(labels)
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    self.any_key(data).unwrap_or(V::NEVER)
                }
                _ => V::NEVER,
            };
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    /// `v` put in at a path below `base`.
    fn put(&mut self, base: V, path: &[PortStep], v: V, like: CollKind) -> V {
        let Some((step, more)) = path.split_first() else {
            return self.w.store.join(base, v);
        };
        let kind = match step {
            PortStep::Key(_) | PortStep::Keys | PortStep::KeyOf(_) => CollKind::Dict,
            PortStep::Index(_) => CollKind::Tuple,
            PortStep::Any | PortStep::Attr(_) => like,
        };
        let (kind, mut kids, mut rest, mut keys) = self
            .w
            .store
            .atoms(base)
            .find_map(|a| match a {
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => Some((*kind, kids.to_vec(), *rest, *keys)),
                _ => None,
            })
            .unwrap_or((kind, Vec::new(), V::NEVER, Ls::NONE));
        match step {
            PortStep::Keys => {
                let deep = self.w.store.deep(v);
                keys = self.w.store.union(keys, deep);
                if let (Some(list), true) = (self.w.store.constants(v), rest == V::NEVER) {
                    let unknown = self.w.store.unknown();
                    for key in list {
                        if kids.iter().all(|(k, _)| *k != key) {
                            kids.push((key, unknown));
                        }
                    }
                }
                return self.w.store.coll(CollKind::Dict, kids, rest, keys);
            }
            PortStep::Index(i) => {
                let key = Const::Int(*i);
                let at = kids.iter().position(|(k, _)| *k == key);
                let before = at.map_or(V::NEVER, |at| kids[at].1);
                let new = self.put(before, more, v, CollKind::List);
                match at {
                    Some(at) => kids[at].1 = new,
                    None => kids.push((key, new)),
                }
            }
            PortStep::Key(key) => {
                let key = Const::Str(self.name(key));
                let at = kids.iter().position(|(k, _)| *k == key);
                let before = at.map_or(V::NEVER, |at| kids[at].1);
                let new = self.put(before, more, v, CollKind::List);
                match at {
                    Some(at) => kids[at].1 = new,
                    None => kids.push((key, new)),
                }
            }
            PortStep::Any | PortStep::Attr(_) | PortStep::KeyOf(_) => {
                let before = if more.is_empty() { V::NEVER } else { rest };
                let new = self.put(before, more, v, CollKind::List);
                rest = self.w.store.join(rest, new);
            }
        }
        self.w.store.coll(kind, kids, rest, keys)
    }

    // ---- calls

    /// What the models say about this call.
    pub(crate) fn apply_member(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        receiver: Option<V>,
        args: &Args,
        by_name: bool,
    ) -> Out {
        let models = self.m;
        let member = models.get(id);
        let site = self.site(frame, index);
        let ports = Ports { receiver, args };
        self.sinks(frame, index, id, member, &ports, by_name);
        if member.stops {
            return Out::never();
        }
        if member
            .guards
            .iter()
            .any(|g| g.holds_when == solvent_models::GuardSense::Returns)
        {
            // Seen by `refine` through the receiver's new version.
        }
        let mut out = Out::default();
        let mut ret = self.source_value(member, receiver, args, site);
        let returns_coll = match &member.returns {
            Some(TypeRef::Named { path, .. }) if path == "builtins.dict" => CollKind::Dict,
            Some(TypeRef::Named { path, .. }) if path == "builtins.tuple" => CollKind::Tuple,
            Some(TypeRef::Named { path, .. }) if path == "builtins.set" => CollKind::Set,
            _ => CollKind::List,
        };
        let mut new_receiver: Option<V> = None;
        if member.steps.iter().any(|s| s.how == How::PathJoin) {
            let joined = self.path_join(frame, index, member, &ports, site);
            ret = self.w.store.join(ret, joined);
        }
        for step in &member.steps {
            if step.how == How::PathJoin {
                continue;
            }
            if !step.when.iter().all(|w| self.holds(w, &ports)) {
                continue;
            }
            let got = {
                let mut slot = Some(&mut *frame);
                self.port(&mut slot, index, &step.from, &ports)
            };
            let Some(got) = got else { continue };
            let got = if step.from.root == PortRoot::Receiver && step.from.path.is_empty() {
                self.object_data_for(got, step)
            } else {
                got
            };
            let moved = self.stepped(got, step, member, &ports, site);
            match &step.to.root {
                PortRoot::Return => ret = self.put(ret, &step.to.path, moved, returns_coll),
                PortRoot::Receiver => {
                    if let Some(receiver) = receiver {
                        let base = new_receiver.unwrap_or(receiver);
                        new_receiver = Some(self.given(base, moved));
                    }
                }
                PortRoot::Arg(ArgSelector::One { position, .. }) => {
                    if let Some(position) = position
                        && let Some((before, Some(source))) = args.pos.get(*position as usize)
                    {
                        let v = self.given(*before, moved);
                        out.afters.push((*source, v));
                    }
                }
                _ => {}
            }
        }
        for mutation in &member.mutations {
            let mut slot = Some(&mut *frame);
            let keys: Vec<V> = mutation
                .keys
                .iter()
                .filter_map(|k| self.port(&mut slot, index, k, &ports))
                .collect();
            let value = mutation
                .value
                .as_ref()
                .and_then(|v| self.port(&mut slot, index, v, &ports));
            match &mutation.target.root {
                PortRoot::Receiver => {
                    let Some(receiver) = receiver else { continue };
                    let base = new_receiver.unwrap_or(receiver);
                    let v = self.mutate(frame, index, base, mutation.effect, &keys, value, args);
                    new_receiver = Some(v);
                }
                PortRoot::Arg(ArgSelector::One {
                    position: Some(position),
                    ..
                }) => {
                    if let Some((before, Some(source))) = args.pos.get(*position as usize) {
                        let v =
                            self.mutate(frame, index, *before, mutation.effect, &keys, value, args);
                        out.afters.push((*source, v));
                    }
                }
                _ => {}
            }
        }
        for callback in &member.callbacks {
            let mut slot = Some(&mut *frame);
            let Some(function) = self.port(&mut slot, index, &callback.function, &ports) else {
                continue;
            };
            let callable = self
                .w
                .store
                .atoms(function)
                .any(|a| !matches!(a, Atom::Const(_)));
            if !callable {
                continue;
            }
            let mut inner = Args::default();
            for port in &callback.args {
                if let Some(v) = self.port(&mut slot, index, port, &ports) {
                    inner.pos.push((v, None));
                }
            }
            if let Some(port) = &callback.spread
                && let Some(v) = self.port(&mut slot, index, port, &ports)
            {
                match self.exact_items(v) {
                    Some(items) => inner.pos.extend(items.into_iter().map(|v| (v, None))),
                    None => inner.spread = self.any_value(&mut slot, index, v),
                }
            }
            if let Some(port) = &callback.keywords
                && let Some(v) = self.port(&mut slot, index, port, &ports)
            {
                inner.keywords = self.any_value(&mut slot, index, v);
            }
            let got = self.call_value(frame, index, function, &inner);
            if let (Some(to), Some(v)) = (&callback.returns, got.ret)
                && to.root == PortRoot::Return
            {
                ret = self.put(ret, &to.path, v, returns_coll);
            }
        }
        if let Some(made) = self.registrar(frame, index, id, receiver, args) {
            out.ret = Some(made);
            out.receiver = new_receiver;
            return out;
        }
        let ret = match (&member.returns, &member.class) {
            (Some(TypeRef::Same(port)), _) => {
                if ret == V::NEVER && port.path.is_empty() {
                    let mut slot = Some(&mut *frame);
                    self.port(&mut slot, index, port, &ports)
                        .unwrap_or_else(|| self.w.store.unknown())
                } else if ret == V::NEVER {
                    self.w.store.unknown()
                } else if port.path.is_empty() {
                    let mut slot = Some(&mut *frame);
                    let like = self.port(&mut slot, index, port, &ports);
                    self.like(like, ret)
                } else {
                    ret
                }
            }
            (Some(kind), _) => {
                let v = self.typed(ret, kind);
                self.with_arguments(v, member, args, site)
            }
            (None, Some(_)) => {
                let path = member.path.clone();
                let kind = TypeRef::Named {
                    path,
                    element: None,
                };
                let v = self.typed(ret, &kind);
                self.with_arguments(v, member, args, site)
            }
            (None, None) if ret == V::NEVER => self.w.store.unknown(),
            (None, None) => ret,
        };
        out.ret = Some(ret);
        out.receiver = new_receiver;
        out
    }

    /// The data as an instance of what another value is an instance of.
    fn like(&mut self, like: Option<V>, data: V) -> V {
        let class = like.and_then(|v| {
            self.w.store.atoms(v).find_map(|a| match a {
                Atom::LibObject { class, .. } => Some(*class),
                _ => None,
            })
        });
        let made = self
            .w
            .store
            .atoms(data)
            .any(|a| matches!(a, Atom::LibObject { .. }));
        match class {
            Some(class) if !made => self.w.store.one(Atom::LibObject {
                class,
                attrs: Box::default(),
                data,
            }),
            _ => data,
        }
    }

    /// Instances remember where they were made, and with which arguments, where rows ask for it.
    fn with_arguments(&mut self, v: V, member: &Member, args: &Args, site: Site) -> V {
        let Some(Atom::LibObject { class, attrs, data }) = self.w.store.only(v).cloned() else {
            return v;
        };
        if member.entry_points.is_empty() {
            return v;
        }
        let mut attrs = attrs.to_vec();
        let id = i64::from(site.function.0) << 32 | i64::from(site.inst);
        let id = self.w.store.konst(Const::Int(id));
        attrs.push((self.n.site, id));
        let mut own_prefix = None;
        for row in &member.entry_points {
            if let Some(prefix) = &row.prefix {
                let ports = Ports {
                    receiver: None,
                    args,
                };
                if let Some(v) = self.port_plain(prefix, &ports) {
                    own_prefix = self.constant_texts(v).and_then(|t| t.into_iter().next());
                }
            }
        }
        let rows = member.entry_points.clone();
        self.note_made(site, &rows, own_prefix);
        self.w.store.one(Atom::LibObject {
            class,
            attrs: attrs.into(),
            data,
        })
    }

    /// The receiver itself keeps its make-up when the very value passes.
    fn object_data_for(&mut self, v: V, step: &StepRow) -> V {
        if step.how == How::Value {
            v
        } else {
            self.object_data(v)
        }
    }

    fn given(&mut self, base: V, v: V) -> V {
        let mut all = Vec::new();
        let mut done = false;
        for atom in self.w.store.atoms_of(base) {
            all.push(match atom {
                Atom::LibObject { class, attrs, data } => {
                    done = true;
                    Atom::LibObject {
                        class,
                        attrs,
                        data: self.w.store.join(data, v),
                    }
                }
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                } => {
                    done = true;
                    Atom::Coll {
                        kind,
                        kids,
                        rest: self.w.store.join(rest, v),
                        keys,
                    }
                }
                other => other,
            });
        }
        let out = self.w.store.bounded_value(all);
        if done { out } else { self.w.store.join(out, v) }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row")]
    fn mutate(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        effect: Effect,
        keys: &[V],
        value: Option<V>,
        args: &Args,
    ) -> V {
        let unknown = self.w.store.unknown();
        if let [outer, inner, ..] = keys
            && effect == Effect::Store
        {
            let below = {
                let has = self.has_key(base, *outer);
                if has {
                    self.index(frame, index, base, *outer)
                } else {
                    self.w
                        .store
                        .coll(CollKind::Dict, Vec::new(), V::NEVER, Ls::NONE)
                }
            };
            let below = self.set_index(frame, index, below, *inner, value.unwrap_or(unknown));
            return self.set_index(frame, index, base, *outer, below);
        }
        let single = self.w.store.only(base).is_some();
        let mut all: Vec<Atom> = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            let v = match (atom, effect) {
                (Atom::LibObject { class, attrs, data }, _) => {
                    let inner = if data == V::NEVER {
                        let kind = match effect {
                            Effect::Append | Effect::Extend | Effect::Insert => CollKind::List,
                            _ => CollKind::Dict,
                        };
                        self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE)
                    } else {
                        data
                    };
                    let data = self.mutate(frame, index, inner, effect, keys, value, args);
                    self.w.store.one(Atom::LibObject { class, attrs, data })
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Append,
                ) => {
                    let v = value.unwrap_or(unknown);
                    if kind == CollKind::List && rest == V::NEVER {
                        let mut kids = kids.to_vec();
                        kids.push((Const::Int(kids.len() as i64), v));
                        self.w.store.coll(kind, kids, rest, labels)
                    } else {
                        let rest = self.w.store.join(rest, v);
                        self.w.store.coll(kind, kids.to_vec(), rest, labels)
                    }
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Insert,
                ) => {
                    let at = keys.first().and_then(|k| self.small_int(*k));
                    let v = value.unwrap_or(unknown);
                    match at.and_then(|i| usize::try_from(i).ok()) {
                        Some(at) if rest == V::NEVER => {
                            let mut values: Vec<V> = kids.iter().map(|(_, v)| *v).collect();
                            values.insert(at.min(values.len()), v);
                            let kids = values
                                .into_iter()
                                .enumerate()
                                .map(|(i, v)| (Const::Int(i as i64), v))
                                .collect();
                            self.w.store.coll(kind, kids, rest, labels)
                        }
                        _ => {
                            let all = self.coll_all(&kids, rest);
                            let all = self.w.store.join(all, v);
                            self.w.store.coll(kind, Vec::new(), all, labels)
                        }
                    }
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Extend,
                ) => {
                    let v = value.unwrap_or(unknown);
                    match self.exact_items(v) {
                        Some(items) if kind == CollKind::List && rest == V::NEVER => {
                            let mut kids = kids.to_vec();
                            for v in items {
                                kids.push((Const::Int(kids.len() as i64), v));
                            }
                            self.w.store.coll(kind, kids, rest, labels)
                        }
                        _ => {
                            let element = self.element(frame, index, v);
                            let rest = self.w.store.join(rest, element);
                            self.w.store.coll(kind, kids.to_vec(), rest, labels)
                        }
                    }
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Remove,
                ) => {
                    let want = keys
                        .first()
                        .and_then(|k| self.w.store.constant(*k).cloned());
                    if keys.is_empty() || want.is_some() {
                        self.coll_remove(kind, &kids, rest, labels, want)
                    } else {
                        self.scrambled(kind, &kids, rest, labels)
                    }
                }
                (Atom::Coll { kind, .. }, Effect::Clear) => {
                    self.w.store.coll(kind, Vec::new(), V::NEVER, Ls::NONE)
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Reverse,
                ) => {
                    if rest == V::NEVER {
                        let kids = kids
                            .iter()
                            .rev()
                            .enumerate()
                            .map(|(i, (_, v))| (Const::Int(i as i64), *v))
                            .collect();
                        self.w.store.coll(kind, kids, rest, labels)
                    } else {
                        self.scrambled(kind, &kids, rest, labels)
                    }
                }
                (
                    Atom::Coll {
                        kind,
                        kids,
                        rest,
                        keys: labels,
                    },
                    Effect::Scramble,
                ) => {
                    if kind == CollKind::List {
                        self.scrambled(kind, &kids, rest, labels)
                    } else {
                        self.w.store.coll(kind, kids.to_vec(), rest, labels)
                    }
                }
                (atom @ (Atom::Coll { .. } | Atom::Data(_)), Effect::Store) => {
                    let one = self.w.store.one(atom);
                    let key = keys.first().copied().unwrap_or(unknown);
                    self.set_index(frame, index, one, key, value.unwrap_or(unknown))
                }
                (atom @ (Atom::Coll { .. } | Atom::Data(_)), Effect::StoreDefault) => {
                    let one = self.w.store.one(atom);
                    let key = keys.first().copied().unwrap_or(unknown);
                    if self.has_key(one, key) {
                        one
                    } else {
                        let stored =
                            self.set_index(frame, index, one, key, value.unwrap_or(unknown));
                        self.w.store.join(one, stored)
                    }
                }
                (atom @ (Atom::Coll { .. } | Atom::Data(_)), Effect::Merge) => {
                    let mut out = self.w.store.one(atom);
                    if let Some(v) = value {
                        out = self.merge_mapping(frame, index, out, v);
                    }
                    for (name, v, _) in &args.named {
                        let key = self.w.store.konst(Const::Str(*name));
                        out = self.set_index(frame, index, out, key, *v);
                    }
                    out
                }
                (Atom::Data(labels), Effect::Append | Effect::Extend | Effect::Insert) => {
                    let have = self.w.store.data(labels);
                    let more = self.w.store.deep(value.unwrap_or(unknown));
                    let labels = self.w.store.union(labels, more);
                    let _ = have;
                    self.w.store.data(labels)
                }
                (other, _) => self.w.store.one(other),
            };
            all.extend(self.w.store.atoms_of(v));
        }
        let _ = single;
        self.w.store.bounded_value(all)
    }

    fn has_key(&self, base: V, key: V) -> bool {
        let Some(key) = self.w.store.constant(key) else {
            return false;
        };
        self.w.store.atoms(base).any(|a| match a {
            Atom::Coll { kids, .. } => kids.iter().any(|(k, _)| k == key),
            Atom::LibObject { data, .. } if *data != V::NEVER => {
                self.w.store.atoms(*data).any(|a| match a {
                    Atom::Coll { kids, .. } => kids.iter().any(|(k, _)| k == key),
                    _ => false,
                })
            }
            _ => false,
        })
    }

    pub(crate) fn path_join(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
        site: Site,
    ) -> V {
        let mut parts: Vec<V> = Vec::new();
        if let Some(receiver) = ports.receiver
            && member
                .steps
                .iter()
                .any(|s| s.how == How::PathJoin && s.from.root == PortRoot::Receiver)
        {
            parts.push(self.object_data(receiver));
        }
        let mut cleared: Vec<(usize, u64)> = Vec::new();
        for (i, (v, _)) in ports.args.pos.iter().enumerate() {
            let mut kinds = 0;
            let mut used = false;
            for step in member.steps.iter().filter(|s| s.how == How::PathJoin) {
                let covers = match &step.from.root {
                    PortRoot::Arg(ArgSelector::All) => true,
                    PortRoot::Arg(ArgSelector::From(first)) => i >= *first as usize,
                    PortRoot::Arg(ArgSelector::One { position, .. }) => *position == Some(i as u32),
                    _ => false,
                };
                if covers {
                    used = true;
                    kinds |= step.clears.0;
                }
            }
            if used {
                cleared.push((parts.len(), kinds));
                parts.push(self.object_data(*v));
            }
        }
        if let Some(spread) = ports.args.spread {
            parts.push(spread);
        }
        let by = self.name(&member.path);
        for (at, kinds) in cleared {
            if kinds != 0 {
                parts[at] =
                    self.w
                        .store
                        .clear(parts[at], kinds, Note::Sanitized { site, by, kinds });
            }
        }
        self.join_paths(frame, index, &parts, site)
    }

    /// Parts joined by separators; a later part may be absolute and drop what stands before it.
    pub(crate) fn join_paths(
        &mut self,
        frame: &mut Frame,
        index: u32,
        parts: &[V],
        site: Site,
    ) -> V {
        let slash = self.name("/");
        let mut all: Vec<Vec<Piece>> = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let part = if i > 0 {
                self.w.store.mark(*part, Marks::JOINED)
            } else {
                *part
            };
            let text = self.stringify(frame, index, part);
            let pieces = self.pieces(text);
            if i == 0 {
                all = pieces;
                continue;
            }
            let mut next = Vec::new();
            for left in &all {
                for right in &pieces {
                    if next.len() >= 4 {
                        break;
                    }
                    let absolute = matches!(right.first(), Some(Piece::Lit(n)) if self.text(*n).starts_with('/'));
                    if absolute {
                        next.push(right.clone());
                        continue;
                    }
                    let mut joined = left.clone();
                    let ends = match joined.last() {
                        Some(Piece::Lit(n)) => {
                            self.text(*n).ends_with('/') || *n == self.w.store.empty
                        }
                        None => true,
                        Some(Piece::Data(_)) => false,
                    };
                    if !ends {
                        joined.push(Piece::Lit(slash));
                    }
                    joined.extend(right.iter().copied());
                    next.push(joined);
                }
            }
            all = next;
        }
        self.texts(all, site)
    }

    /// A value after one step of a row.
    fn stepped(
        &mut self,
        v: V,
        step: &StepRow,
        member: &Member,
        ports: &Ports<'_>,
        site: Site,
    ) -> V {
        let labelled = self.w.store.deep(v) != Ls::NONE;
        let path = self.name(&member.path);
        let mut out = self.transformed(v, step.how, member);
        if labelled && !matches!(step.how, How::Value) {
            out = self.hop_all(out, TraceKind::Library, site, path);
        }
        if !step.clears.is_empty() && labelled {
            let kinds = match &step.pattern {
                None => step.clears.0,
                Some(port) => {
                    let text = self.port_plain(port, ports).map(|v| self.pattern_text(v));
                    match text.flatten().and_then(|t| pattern::left_by_removing(&t)) {
                        Some(set) => self.kinds_without(&[set]) & step.clears.0,
                        None => 0,
                    }
                }
            };
            let by = path;
            out = self
                .w
                .store
                .clear(out, kinds, Note::Sanitized { site, by, kinds });
        }
        out
    }

    /// The constant regular expression in a value, or in the compiled pattern that it made.
    pub(crate) fn pattern_text(&mut self, v: V) -> Option<String> {
        if let Some(name) = self.w.store.constant_str(v) {
            return Some(self.text(name).to_string());
        }
        let data = self.object_data(v);
        let name = self.w.store.constant_str(data)?;
        Some(self.text(name).to_string())
    }

    /// Kinds that no character of these sets can harm.
    pub(crate) fn kinds_without(&self, sets: &[pattern::CharSet]) -> u64 {
        let mut out = 0;
        for kind in self.m.kinds().iter() {
            let harmful: &Harmful = &self.m.kind_info(kind).harmful;
            let harm = (0..128_u32)
                .filter_map(char::from_u32)
                .filter(|c| *c != '\n')
                .any(|c| harmful.contains(c) && sets.iter().any(|s| s.contains(c)));
            if !harm {
                out |= 1 << kind.index();
            }
        }
        out
    }

    pub(crate) fn transformed(&mut self, v: V, how: How, member: &Member) -> V {
        let short = || {
            let mut parts = member.path.rsplit('.');
            parts.next().unwrap_or_default().to_owned()
        };
        let transform = match how {
            How::Value | How::Recode => return v,
            How::PathNormalize => return self.w.store.mark(v, Marks::NORMAL),
            How::PathJoin => return v,
            How::Taint => Transform::Opaque(short()),
            How::Strip => Transform::Strip,
            How::Lower => Transform::Lower,
            How::Upper => Transform::Upper,
            How::UrlDecode => Transform::UrlDecode,
            How::UrlEncode => Transform::UrlEncode,
            How::Base64Decode => Transform::Base64Decode,
            How::Base64Encode => Transform::Base64Encode,
            How::HexDecode => Transform::Opaque("hex decode".to_owned()),
            How::HexEncode => Transform::Opaque("hex encode".to_owned()),
            How::HtmlEscape => Transform::HtmlEscape,
            How::HtmlUnescape => Transform::Opaque("html unescape".to_owned()),
            How::JsonEncode => Transform::Opaque("json encode".to_owned()),
            How::Quote => Transform::Opaque("quote".to_owned()),
            How::JsonDecode => return self.derive(v, &Link::ParseJson),
            How::QueryParse => return self.derive(v, &Link::ParseQuery),
            How::QueryPairs => {
                let parsed = self.derive(v, &Link::ParseQuery);
                let keys = self.derive(parsed, &Link::Keys);
                let values = self.derive(parsed, &Link::Value);
                let pair = self.w.store.coll(
                    CollKind::Tuple,
                    vec![(Const::Int(0), keys), (Const::Int(1), values)],
                    V::NEVER,
                    Ls::NONE,
                );
                return self.w.store.many(CollKind::List, pair);
            }
            How::CookieParse => return self.derive(v, &Link::ParseCookie),
            How::UrlQuery => return self.derive(v, &Link::QueryPart),
            How::UrlPath => return v,
        };
        if let Some(done) = self.const_transform(v, &transform) {
            return done;
        }
        self.with_context(v, &transform)
    }

    /// A transform of a text whose parts are known: what stands before and after the input goes along
    /// as prefix and suffix.
    pub(crate) fn with_context(&mut self, v: V, transform: &Transform) -> V {
        let mut out = Ls::NONE;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Text(pieces) => {
                    for (i, piece) in pieces.iter().enumerate() {
                        let Piece::Data(labels) = piece else { continue };
                        let mut set = *labels;
                        if let Some(text) = self.literal(&pieces[..i])
                            && !text.is_empty()
                        {
                            let prefix = Link::Transform(Transform::Prefix(text));
                            set = self.w.store.link_set(set, &prefix);
                        }
                        if let Some(text) = self.literal(&pieces[i + 1..])
                            && !text.is_empty()
                        {
                            set = self
                                .w
                                .store
                                .link_set(set, &Link::Transform(Transform::Suffix(text)));
                        }
                        set = self
                            .w
                            .store
                            .link_set(set, &Link::Transform(transform.clone()));
                        out = self.w.store.union(out, set);
                    }
                }
                other => {
                    let one = self.w.store.one(other);
                    let deep = self.w.store.deep(one);
                    let set = self
                        .w
                        .store
                        .link_set(deep, &Link::Transform(transform.clone()));
                    out = self.w.store.union(out, set);
                }
            }
        }
        self.w.store.data(out)
    }

    fn literal(&self, pieces: &[Piece]) -> Option<String> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Lit(name) => out.push_str(&self.text(*name)),
                Piece::Data(_) => return None,
            }
        }
        Some(out)
    }

    // ---- sinks

    fn sinks(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        member: &Member,
        ports: &Ports<'_>,
        by_name: bool,
    ) {
        let site = self.site(frame, index);
        for (row, sink) in member.sinks.iter().enumerate() {
            if !sink.when.iter().all(|w| self.holds(w, ports)) {
                continue;
            }
            let value = {
                let mut slot = Some(&mut *frame);
                self.port(&mut slot, index, &sink.at, ports)
            };
            let Some(value) = value else { continue };
            let value = if matches!(sink.at.root, PortRoot::Receiver) {
                self.object_data(value)
            } else {
                value
            };
            if by_name && self.w.store.constants(value).is_some() {
                continue;
            }
            let at = SinkRef {
                site,
                member: id,
                row: row as u32,
            };
            let labelled = self.w.store.deep(value) != Ls::NONE;
            let touch = if labelled {
                Touch::Labelled
            } else if self.is_constant(value) {
                Touch::Constant
            } else {
                Touch::Plain
            };
            let known = self.w.sinks.entry(at).or_insert(by_name);
            *known &= by_name;
            self.note_touch(frame, at, touch);
            if labelled {
                let facts = self.facts_here(frame).into();
                self.push_hit(
                    frame,
                    Hit {
                        sink: at,
                        value,
                        facts,
                        by_name,
                    },
                );
            }
        }
    }

    /// Whether the value is made of constants only.
    pub(crate) fn is_constant(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).all(|a| match a {
                Atom::Const(_) => true,
                Atom::Coll { kids, rest, .. } => {
                    kids.iter().all(|(_, v)| self.is_constant(*v))
                        && (*rest == V::NEVER || self.is_constant(*rest))
                }
                Atom::LibObject { data, .. } => *data != V::NEVER && self.is_constant(*data),
                _ => false,
            })
    }

    fn holds(&mut self, when: &When, ports: &Ports<'_>) -> bool {
        let v = self.port_plain(&when.arg, ports);
        if when.test == Test::Absent {
            return v.is_none();
        }
        let v = match (v, &when.default) {
            (Some(v), _) => v,
            (None, Some(literal)) => self.literal_value(literal),
            (None, None) => return false,
        };
        match &when.test {
            Test::Absent => false,
            Test::Equals(literal) => {
                let want = self.literal_value(literal);
                match self.w.store.constants(v) {
                    Some(list) => self
                        .w
                        .store
                        .constant(want)
                        .is_some_and(|w| list.contains(w)),
                    None => true,
                }
            }
            Test::NotEquals(literal) => {
                let want = self.literal_value(literal);
                self.w.store.constant(v).is_none()
                    || self.w.store.constant(v) != self.w.store.constant(want)
            }
            Test::Truthy(truth) => {
                let want = *truth == Truth::Yes;
                self.w.store.truth(v).is_none_or(|t| t == want)
            }
            Test::ContainsAny(list) => match self.constant_texts(v) {
                Some(texts) => texts
                    .iter()
                    .any(|t| list.iter().any(|l| t.contains(l.as_str()))),
                None => true,
            },
            Test::ContainsNone(list) => match self.constant_texts(v) {
                Some(texts) => texts
                    .iter()
                    .any(|t| !list.iter().any(|l| t.contains(l.as_str()))),
                None => true,
            },
            Test::IsText => self.w.store.atoms(v).any(|a| {
                matches!(
                    a,
                    Atom::Const(Const::Str(_) | Const::Bytes(_)) | Atom::Text(_) | Atom::Data(_)
                )
            }),
            Test::IsSequence => self
                .w
                .store
                .atoms(v)
                .any(|a| matches!(a, Atom::Coll { .. } | Atom::Data(_))),
        }
    }

    pub(crate) fn constant_texts(&self, v: V) -> Option<Vec<String>> {
        self.w
            .store
            .constants(v)?
            .iter()
            .map(|c| match c {
                Const::Str(name) => Some(self.text(*name).to_string()),
                _ => None,
            })
            .collect()
    }

    fn literal_value(&mut self, literal: &Literal) -> V {
        let c = match literal {
            Literal::None => Const::None,
            Literal::Bool(b) => Const::Bool(*b),
            Literal::Int(i) => Const::Int(*i),
            Literal::Str(s) => Const::Str(self.name(s)),
        };
        self.w.store.konst(c)
    }

    // ---- who is called

    pub(crate) fn call_lib(
        &mut self,
        frame: &mut Frame,
        index: u32,
        path: Name,
        args: &Args,
    ) -> Out {
        let text = self.text(path);
        if let Some(out) = self.native(frame, index, &text, args) {
            return out;
        }
        if let Some(id) = self.path_member(path) {
            return self.apply_member(frame, index, id, None, args, false);
        }
        let out = self.pass_through(frame, index, V::NEVER, args, &text);
        let last = text.rsplit('.').next().unwrap_or_default();
        let class = if last.starts_with(char::is_uppercase) {
            path
        } else {
            self.name(&format!("{text}()"))
        };
        let data = out.ret.unwrap_or_else(|| self.w.store.unknown());
        let data = if self.w.store.deep(data) == Ls::NONE {
            V::NEVER
        } else {
            data
        };
        Out {
            ret: Some(self.w.store.one(Atom::LibObject {
                class,
                attrs: Box::default(),
                data,
            })),
            ..out
        }
    }

    pub(crate) fn call_member(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Out {
        let atoms = self.w.store.atoms_of(receiver);
        let single = atoms.len() == 1;
        let mut out = Out::default();
        let mut after = V::NEVER;
        for atom in atoms {
            if !single && matches!(atom, Atom::Const(Const::None)) {
                after = {
                    let one = self.w.store.one(atom);
                    self.w.store.join(after, one)
                };
                continue;
            }
            let original = self.w.store.one(atom.clone());
            let one = self.call_member_of(frame, index, atom, name, args);
            if let Some(ret) = one.ret {
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
                let v = one.receiver.unwrap_or(original);
                after = self.w.store.join(after, v);
                out.afters.extend(one.afters);
            }
        }
        if after != V::NEVER && after != receiver {
            out.receiver = Some(after);
        }
        out
    }

    fn call_member_of(
        &mut self,
        frame: &mut Frame,
        index: u32,
        atom: Atom,
        name: Name,
        args: &Args,
    ) -> Out {
        let receiver = self.w.store.one(atom.clone());
        let class = match &atom {
            Atom::Const(Const::Str(_)) | Atom::Text(_) => Some("builtins.str"),
            Atom::Const(Const::Bytes(_)) => Some("builtins.bytes"),
            Atom::Const(Const::Int(_) | Const::Bool(_)) => Some("builtins.int"),
            Atom::Coll { kind, .. } => Some(match kind {
                CollKind::List | CollKind::Iter => "builtins.list",
                CollKind::Tuple => "builtins.tuple",
                CollKind::Set => "builtins.set",
                CollKind::Dict => "builtins.dict",
            }),
            _ => None,
        };
        if let Some(out) = self.native_method(frame, index, &atom, name, args) {
            return out;
        }
        if let Some(class) = class {
            let class = self.name(class);
            if let Some(id) = self.class_member(class, name) {
                return self.apply_member(frame, index, id, Some(receiver), args, false);
            }
            let mut out = self.pass_quietly(receiver, args);
            out.receiver = None;
            return out;
        }
        match atom {
            Atom::LibObject { class, .. } => {
                if let Some(id) = self.class_member(class, name) {
                    return self.apply_member(frame, index, id, Some(receiver), args, false);
                }
                if self.m.is_class(&self.text(class)) {
                    // A modelled class: what has no row carries what the object holds.
                    let text = format!("{}.{}", self.text(class), self.text(name));
                    return self.pass_through(frame, index, receiver, args, &text);
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = format!("{}.{}", self.text(class), self.text(name));
                self.pass_through(frame, index, receiver, args, &text)
            }
            Atom::Object { class, .. } => {
                for base in self.lib_bases(class) {
                    if let Some(id) = self.class_member(base, name) {
                        return self.apply_member(frame, index, id, Some(receiver), args, false);
                    }
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = format!(
                    "{}.{}",
                    self.text(self.p.class(class).name),
                    self.text(name)
                );
                self.unknown_call(frame, index, receiver, args, &text)
            }
            Atom::Class { class, .. } => self.class_call(frame, index, class, receiver, name, args),
            Atom::Data(labels) => {
                if let Some(out) = self.like_route(frame, index, receiver, name, args) {
                    return out;
                }
                if labels == Ls::NONE
                    && let Some(out) = self.candidates(frame, index, receiver, name, args)
                {
                    return out;
                }
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                let text = self.text(name).to_string();
                if labels != Ls::NONE
                    && args.all().iter().all(|v| self.w.store.deep(*v) == Ls::NONE)
                {
                    // The method of a labelled value gives something of it.
                    return self.pass_through(frame, index, receiver, args, &text);
                }
                self.unknown_call(frame, index, receiver, args, &text)
            }
            Atom::DynamicModule => {
                let found = self.candidates(frame, index, receiver, name, args);
                let text = self.text(name).to_string();
                let site = self.site(frame, index);
                for v in args.all() {
                    self.escape(v, site, &text, 0);
                }
                match found {
                    Some(out) => out,
                    None => self.unknown_call(frame, index, receiver, args, &text),
                }
            }
            _ => {
                let text = self.text(name).to_string();
                if let Some(out) = self.by_name(frame, index, receiver, name, args) {
                    return out;
                }
                self.unknown_call(frame, index, receiver, args, &text)
            }
        }
    }

    /// Labels pass, without an assumption: methods of builtin values that have no row.
    fn pass_quietly(&mut self, receiver: V, args: &Args) -> Out {
        let mut labels = self.w.store.deep(receiver);
        for v in args.all() {
            let deep = self.w.store.deep(v);
            labels = self.w.store.union(labels, deep);
        }
        Out::ret(self.w.store.data(labels))
    }

    /// Members that a method's name alone suggests.
    fn by_name(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let text = self.text(name);
        let models = self.m;
        let paths: Vec<String> = models
            .methods_named(&text, args.count())
            .map(|m| m.path.clone())
            .collect();
        if paths.is_empty() {
            return None;
        }
        let mut out = Out::default();
        let mut after = V::NEVER;
        for path in paths {
            let path = self.name(&path);
            let Some(id) = self.path_member(path) else {
                continue;
            };
            let one = self.apply_member(frame, index, id, Some(receiver), args, true);
            if let Some(ret) = one.ret {
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
            }
            if let Some(v) = one.receiver {
                after = self.w.store.join(after, v);
            }
            out.afters.extend(one.afters);
        }
        if after != V::NEVER {
            out.receiver = Some(after);
        }
        out.ret.is_some().then_some(out)
    }

    /// Functions of the program that the method's name and number of arguments suggest.
    fn candidates(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: V,
        name: Name,
        args: &Args,
    ) -> Option<Out> {
        let dynamic = matches!(self.w.store.only(receiver), Some(Atom::DynamicModule));
        if !dynamic
            && self
                .m
                .methods_named(&self.text(name), args.count())
                .next()
                .is_some()
        {
            return None;
        }
        let all = self.w.by_name.get(&name)?.clone();
        let fitting: Vec<_> = all
            .into_iter()
            .filter(|f| self.p.function(*f).class.is_some() != dynamic)
            .filter(|f| self.fits(*f, args, !dynamic))
            .collect();
        if fitting.is_empty() || fitting.len() > self.limits.candidates {
            return None;
        }
        let site = self.site(frame, index);
        let mut out = Out::default();
        for f in fitting {
            let bound = if dynamic {
                None
            } else {
                let class = self.p.function(f).class?;
                let id = self.p.class_id(self.p.unit_of(f), class);
                Some(self.open_object(id))
            };
            let env = self
                .w
                .closures
                .get(&f)
                .copied()
                .unwrap_or(crate::value::EnvId::EMPTY);
            let note = Note::NameOnlyCall { site, name };
            let mut noted = args.clone();
            for (v, _) in &mut noted.pos {
                *v = self.noted(*v, note);
            }
            for (_, v, _) in &mut noted.named {
                *v = self.noted(*v, note);
            }
            let one = self.call_function(
                frame,
                index,
                f,
                env,
                bound,
                &noted,
                crate::world::CallTier::NameOnly,
            );
            if let Some(ret) = one.ret {
                let ret = self.noted(ret, note);
                out.ret = Some(match out.ret {
                    Some(before) => self.w.store.join(before, ret),
                    None => ret,
                });
            }
        }
        if out.ret.is_none() {
            out.ret = Some(self.w.store.unknown());
        }
        Some(out)
    }

    /// `a / b` of paths.
    pub(crate) fn path_division(
        &mut self,
        frame: &mut Frame,
        op: BinaryOp,
        left: V,
        right: V,
        site: Site,
    ) -> Option<V> {
        if op != BinaryOp::Div {
            return None;
        }
        let class_of = |m: &Self, v: V| {
            m.w.store.atoms(v).find_map(|a| match a {
                Atom::LibObject { class, .. }
                    if m.m.derives(&m.text(*class), "pathlib.PurePath") =>
                {
                    Some(*class)
                }
                _ => None,
            })
        };
        let class = class_of(self, left).or_else(|| class_of(self, right))?;
        let parts = [self.object_data(left), self.object_data(right)];
        let data = self.join_paths(frame, site.inst, &parts, site);
        Some(self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::default(),
            data,
        }))
    }
}
