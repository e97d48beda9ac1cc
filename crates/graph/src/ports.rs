//! Ports: reading and writing the places of a call that rows name.

use crate::call::Args;
use crate::label::Link;
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};
use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::{ArgSelector, Port, PortRoot, PortStep};

impl Machine<'_> {
    pub(crate) fn port_plain(&mut self, port: &Port, ports: &Ports<'_>) -> Option<V> {
        let mut frame = None;
        self.port(&mut frame, 0, port, ports)
    }

    /// The value at a port; `None` where the call has no such argument.
    pub(crate) fn port(
        &mut self,
        frame: &mut Option<&mut Frame>,
        index: u32,
        port: &Port,
        ports: &Ports<'_>,
    ) -> Option<V> {
        let mut v = match &port.root {
            PortRoot::Return => return None,
            PortRoot::Receiver => ports.receiver?,
            PortRoot::Stored => self.kept_under(frame.as_deref()?, index)?,
            PortRoot::Arg(selector) | PortRoot::Param(selector) => {
                self.select(selector, ports.args)?
            }
        };
        for step in &port.path {
            v = match step {
                PortStep::Attr(name) => {
                    let name = self.name(name);
                    if self.is_go() && self.left_out(v, name) {
                        return None;
                    }
                    if self.is_javascript() && !self.has_instances(v) {
                        v = self.option(v, name)?;
                        continue;
                    }
                    match frame {
                        Some(frame) => {
                            let site = self.site(frame, index);
                            self.attr(frame, v, name, site)
                        }
                        None => self.set_before(v, name)?,
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
                        None => self.setting(v, name)?,
                    }
                }
                PortStep::KeyOf(selector) => {
                    let key = match self.select(selector, ports.args) {
                        Some(key) => key,
                        None => self.w.store.konst(Const::Int(-1)),
                    };
                    // In JavaScript a known key of an object is its property; here it names what it holds.
                    let v = if self.is_javascript() {
                        self.object_data(v)
                    } else {
                        v
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

    /// An attribute that was set, read without an activation.
    fn set_before(&mut self, v: V, name: Name) -> Option<V> {
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let (Atom::LibObject { attrs, .. } | Atom::Object { attrs, .. }) = atom else {
                continue;
            };
            if let Some((_, v)) = attrs.iter().find(|(n, _)| *n == name) {
                out = self.w.store.join(out, *v);
            }
        }
        (out != V::NEVER).then_some(out)
    }

    /// Whether some of these values have properties that only an activation can read.
    fn has_instances(&self, v: V) -> bool {
        self.w.store.atoms(v).any(|a| {
            matches!(
                a,
                Atom::Object { .. } | Atom::LibObject { .. } | Atom::Class { .. }
            )
        })
    }

    /// What is kept under a key, in a mapping or in what an object was made from; `None` where nothing is.
    pub(crate) fn setting(&mut self, v: V, name: Name) -> Option<V> {
        let key = self.w.store.konst(Const::Str(name));
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => {
                    let known = kids.iter().any(|(k, _)| *k == Const::Str(name));
                    if !known && rest == V::NEVER {
                        V::NEVER
                    } else {
                        self.coll_index(CollKind::Dict, &kids, rest, keys, key)
                    }
                }
                Atom::LibObject { data, .. } => self.setting(data, name).unwrap_or(V::NEVER),
                Atom::Data(Ls::NONE) => self.w.store.unknown(),
                _ => V::NEVER,
            };
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    /// A property of an argument that is an object of options; `None` where it is not given.
    fn option(&mut self, v: V, name: Name) -> Option<V> {
        let key = self.w.store.konst(Const::Str(name));
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    keys,
                } => self.coll_index(CollKind::Dict, &kids, rest, keys, key),
                // Input that is text has no options.
                Atom::Data(Ls::NONE) => self.w.store.unknown(),
                Atom::Module(unit) => self.exported(unit, name),
                _ => V::NEVER,
            };
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    pub(crate) fn select(&mut self, selector: &ArgSelector, args: &Args) -> Option<V> {
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
            ArgSelector::Keywords => args.keywords,
            ArgSelector::All => {
                let all = args.all();
                let out = self.w.store.join_all(all);
                (out != V::NEVER).then_some(out)
            }
        }
    }

    /// Any element of a sequence or value of a mapping; `None` of what has none.
    pub(crate) fn any_value(
        &mut self,
        frame: &mut Option<&mut Frame>,
        index: u32,
        v: V,
    ) -> Option<V> {
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

    pub(crate) fn any_key(&mut self, v: V) -> Option<V> {
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
                atom @ Atom::Object { .. } => match self.held_of(&atom) {
                    Some(held) => self.any_key(held).unwrap_or(V::NEVER),
                    None => V::NEVER,
                },
                _ => V::NEVER,
            };
            out = self.w.store.join(out, one);
        }
        (out != V::NEVER).then_some(out)
    }

    /// `v` put in at a path below `base`.
    pub(crate) fn put(&mut self, base: V, path: &[PortStep], v: V, like: CollKind) -> V {
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
}
