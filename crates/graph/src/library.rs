//! What the models say about a call or an attribute, applied to values.

pub(crate) mod environ;
mod fields;

use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::{EntryRow, EntryShape, Member, Port, PortRoot, Source, SourceShape, TypeRef};

use crate::call::Args;
use crate::label::{Hop, InputKey, InputShape, Label, Origin, TraceKind};
use crate::link::Site;
use crate::machine::Machine;
use crate::value::{Atom, CollKind, Ls, V};

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
        if let Some(value) = self.environment(&canonical, site) {
            return value;
        }
        let Some(id) = self.path_member(path) else {
            return self.w.store.lib(path);
        };
        let member = self.m.get(id);
        if member.path != canonical {
            // A member of a base class: functions keep the path that was written.
            return self.w.store.lib(path);
        }
        if let Some(literal) = &member.constant {
            return self.literal_value(literal);
        }
        let is_source = member.sources.iter().any(|s| s.at == Port::RETURN);
        let called = member.returns.is_some()
            || member.class.is_some()
            || !member.sinks.is_empty()
            || !member.uses.is_empty()
            || self.asks_name(member);
        if member.is.is_none() && (!is_source || called) {
            return self.w.store.lib(path);
        }
        let data = self.source_value(member, None, &Args::default(), site);
        let v = match &member.is {
            Some(kind) => self.typed(data, kind),
            None if data == V::NEVER => self.w.store.lib(path),
            None => data,
        };
        self.known_as(v, path)
    }

    /// Whether it is called with the name of the input: `request.get("Host")`.
    fn asks_name(&self, member: &Member) -> bool {
        let named = |s: &Source| matches!(s.shape, SourceShape::Named { .. });
        self.has_receivers() && member.sources.iter().any(named)
    }

    /// Reading `name` of an instance of a library class.
    pub(crate) fn member_value(&mut self, class: Name, name: Name, receiver: V, site: Site) -> V {
        let Some(id) = self.class_member(class, name) else {
            return self.w.store.one(Atom::Member { receiver, name });
        };
        let member = self.m.get(id);
        // `router.urls`: the routes of what it is read from.
        let lists = |row: &EntryRow| row.shape == EntryShape::Include;
        if let Some(row) = member.entry_points.iter().find(|row| lists(row)).cloned()
            && row
                .mounted
                .as_ref()
                .is_some_and(|p| p.root == PortRoot::Receiver)
        {
            return self.included_by(&row, receiver);
        }
        let is_source = member.sources.iter().any(|s| s.at == Port::RETURN);
        let is_method = member.returns.is_some()
            || !member.mutations.is_empty()
            || !member.callbacks.is_empty()
            || !member.sinks.is_empty()
            || !member.uses.is_empty()
            || (!member.entry_points.is_empty() && member.is.is_none())
            || member.stops
            || self.asks_name(member)
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
        let v = match &member.is {
            Some(kind) => self.typed(v, kind),
            None if v == V::NEVER => self.w.store.unknown(),
            None => v,
        };
        let v = self.as_part(v, member, Some(receiver));
        if member.kept {
            let path = self.name(&member.path);
            return self.known_as(v, path);
        }
        v
    }

    /// Instances of a library's class with the path under which what they keep is found again.
    fn known_as(&mut self, v: V, path: Name) -> V {
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

    pub(crate) fn source_value(
        &mut self,
        member: &Member,
        receiver: Option<V>,
        args: &Args,
        site: Site,
    ) -> V {
        let mut out = Ls::NONE;
        for source in &member.sources {
            let ports = Ports { receiver, args };
            if source.at != Port::RETURN || !source.when.iter().all(|w| self.holds(w, &ports)) {
                continue;
            }
            if let Some(set) = self.source_labels(source, member, receiver, args, site) {
                out = self.w.store.union(out, set);
            }
        }
        if out == Ls::NONE {
            return V::NEVER;
        }
        let v = self.w.store.data(out);
        let by_field = member
            .sources
            .iter()
            .any(|s| s.shape == SourceShape::Fields);
        match receiver {
            Some(receiver) if by_field => self.by_field(v, receiver, site),
            _ => v,
        }
    }

    pub(crate) fn source_labels(
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
            SourceShape::Mapping { .. } | SourceShape::Fields => (empty, InputShape::Map),
            SourceShape::Trees { .. } => (empty, InputShape::Trees),
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
        label.kills |= source.clears.0;
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
        match crate::fill::written_form(&text) {
            Some(form) => self.form(form, key),
            None => self.w.store.unknown(),
        }
    }

    fn as_mapping(&mut self, v: V) -> V {
        let Some(Atom::Object { attrs, .. }) = self.w.store.only(v).cloned() else {
            return v;
        };
        let kids = attrs
            .iter()
            .filter(|(name, _)| !self.text(*name).starts_with('<'))
            .map(|(name, v)| (Const::Str(*name), *v))
            .collect();
        self.w.store.coll(CollKind::Dict, kids, V::NEVER, Ls::NONE)
    }

    /// Whether instances of the class share what is written to them.
    pub(crate) fn is_kept(&mut self, class: Name) -> bool {
        self.path_member(class)
            .is_some_and(|id| self.m.get(id).kept)
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
            // A text that is known stays one: `path.resolve("/")`.
            "String" if v != V::NEVER && self.constant_texts(v).is_some() => return v,
            "builtins.int" | "builtins.float" | "builtins.bool" => {
                let deep = self.w.store.deep(v_or_unknown);
                let is_const = self.w.store.constants(v_or_unknown).is_some();
                return if is_const { v } else { self.w.store.data(deep) };
            }
            "builtins.list" => CollKind::List,
            "builtins.tuple" => CollKind::Tuple,
            "builtins.set" | "builtins.frozenset" => CollKind::Set,
            // An object seen as a mapping has its attributes as keys.
            "builtins.dict" if matches!(self.w.store.only(v), Some(Atom::Object { .. })) => {
                return self.as_mapping(v);
            }
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
                let attrs = match self.is_kept(class) {
                    true => {
                        let at = self.w.store.konst(Const::Str(class));
                        Box::from([(self.n.path, at)])
                    }
                    false => Box::default(),
                };
                let data = v;
                return self.w.store.one(Atom::LibObject { class, attrs, data });
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
}
