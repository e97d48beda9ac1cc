//! One member's rows applied to one call.

mod files;
pub(crate) mod keep;
mod part;
pub(crate) mod paths;

use crate::call::{Args, Out};
use crate::go::decode::OF_BODIES;
use crate::label::{Link, Marks, Note, TraceKind};
use crate::library::Ports;
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Piece, V};
use part::gets_result;
use solvent_finding::Transform;
use solvent_ir::Const;
use solvent_models::{
    ArgSelector, Effect, Harmful, How, Member, MemberId, PortRoot, StepRow, TypeRef, View, pattern,
};

impl Machine<'_> {
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
        let unread = |view: &View| matches!(view, View::Unread { .. });
        if !member.views.iter().any(unread) {
            self.sinks(frame, index, id, member, &ports, by_name);
        }
        if !by_name {
            self.uses(frame, index, id, member, &ports);
        }
        let plain = self.views(frame, index, member, &ports);
        if !by_name && !member.sends.is_empty() {
            self.sends(frame, index, id, member, &ports);
        }
        if member.stops {
            return Out::never();
        }
        if member.entry_points.is_empty() {
            self.hand_all(args);
            self.hand_over(member, args, site);
        }
        if member.requires_login {
            return self.login_check(member, args);
        }
        let mut out = Out::default();
        let mut ret = self.source_value(member, receiver, args, site);
        ret = self.w.store.join(ret, plain);
        self.filled(frame, index, member, &ports, &mut out.afters);
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
        let (back, rows) = self.comes_back(frame, index, member, &ports, site);
        ret = self.w.store.join(ret, back);
        if rows != V::NEVER {
            // A cursor holds what its statement found.
            new_receiver = receiver.map(|receiver| self.given(receiver, rows));
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
                PortRoot::Stored => self.keep(frame, index, moved),
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
                        let decoded = (step.how == How::JsonDecode)
                            .then(|| self.decoded_into(frame, index, *before, moved, OF_BODIES));
                        let v = match decoded.flatten() {
                            Some(v) => v,
                            None => self.given(*before, moved),
                        };
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
        for callback in member.callbacks.iter().filter(|c| !gets_result(c)) {
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
        let ret = match &member.begins {
            Some(text) => {
                let text = Piece::Lit(self.name(text));
                let labels = self.w.store.deep(ret);
                self.w
                    .store
                    .text(vec![text, Piece::Data(labels)], self.names)
            }
            None => ret,
        };
        let ret = self.as_part(ret, member, receiver);
        let ret = self.opened(frame, index, member, &ports, ret);
        let ret = self.renders_later(member, &ports, ret);
        self.bind_made(frame, index, id, ret, args);
        let ret = self.or_nothing(ret, member, receiver, args);
        let group = |row: &solvent_models::EntryRow| row.shape == solvent_models::EntryShape::Group;
        if let Some(row) = member.entry_points.iter().position(group) {
            self.register(frame, index, id, row as u32, receiver, args, ret, None);
        }
        for callback in member.callbacks.iter().filter(|c| gets_result(c)) {
            self.hand_result(frame, index, callback, &ports, ret);
        }
        out.ret = Some(ret);
        out.receiver = new_receiver;
        out
    }

    /// The data as an instance of what another value is an instance of.
    pub(crate) fn like(&mut self, like: Option<V>, data: V) -> V {
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
    pub(crate) fn with_arguments(&mut self, v: V, member: &Member, args: &Args, site: Site) -> V {
        let Some(Atom::LibObject { class, attrs, data }) = self.w.store.only(v).cloned() else {
            return v;
        };
        if member.class.is_some() && attrs.is_empty() && self.is_go() {
            let attrs = self.literal_fields(args);
            return self.w.store.one(Atom::LibObject { class, attrs, data });
        }
        let holds = |row: &solvent_models::EntryRow| {
            use solvent_models::EntryShape::{Application, Collection, Group, Route};
            matches!(row.shape, Application | Collection | Group | Route)
        };
        if !member.entry_points.iter().any(holds) {
            return v;
        }
        let mut attrs = attrs.to_vec();
        let id = i64::from(site.function.0) << 32 | i64::from(site.inst);
        let id = self.w.store.konst(Const::Int(id));
        attrs.push((self.n.site, id));
        self.note_holder(site, member, args);
        self.w.store.one(Atom::LibObject {
            class,
            attrs: attrs.into(),
            data,
        })
    }

    /// The receiver itself keeps its make-up when the very value passes.
    pub(crate) fn object_data_for(&mut self, v: V, step: &StepRow) -> V {
        if step.how == How::Value {
            v
        } else {
            self.object_data(v)
        }
    }

    pub(crate) fn given(&mut self, base: V, v: V) -> V {
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
    pub(crate) fn mutate(
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
                    Effect::Scramble | Effect::Discard,
                ) => {
                    let left = match value {
                        Some(gone) if effect == Effect::Discard && rest == V::NEVER => {
                            self.without_value(&kids, gone)
                        }
                        _ => None,
                    };
                    if let Some(kids) = left {
                        self.w.store.coll(kind, kids, rest, labels)
                    } else if kind == CollKind::List {
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

    pub(crate) fn has_key(&self, base: V, key: V) -> bool {
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

    /// A value after one step of a row.
    pub(crate) fn stepped(
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
        let encoded = self.harmless_after(step.how);
        if encoded != 0 && labelled {
            let note = Note::Sanitized {
                site,
                by: path,
                kinds: encoded,
            };
            out = self.w.store.clear(out, encoded, note);
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
        // What was harmless encoded need not be so decoded.
        let decodes = matches!(
            how,
            How::UrlDecode
                | How::Base64Decode
                | How::HexDecode
                | How::HtmlUnescape
                | How::JsonDecode
                | How::QueryParse
                | How::QueryPairs
        );
        let v = if decodes {
            self.w.store.map_each(v, &mut |_, mut label| {
                label.kills = 0;
                label.marks.0 |= Marks::DECODED;
                label
            })
        } else {
            v
        };
        let short = || {
            let mut parts = member.path.rsplit('.');
            parts.next().unwrap_or_default().to_owned()
        };
        let transform = match how {
            How::Value | How::Recode => return v,
            How::PathNormalize => return self.normalized(v),
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

    /// Kinds that what a codec writes cannot harm, whatever it is given.
    fn harmless_after(&self, how: How) -> u64 {
        let written = match how {
            How::HexEncode => "[0-9a-fA-F]*",
            How::Base64Encode => "[0-9A-Za-z+/=_-]*",
            _ => return 0,
        };
        pattern::allowed_by_match(written, pattern::Anchoring::Full)
            .map_or(0, |sets| self.kinds_without(&sets))
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
}
