//! Abstract values, hash-consed: equal values have equal ids, so comparison and memo keys are words.
//!
//! A value is a set of alternatives ([`Atom`]s). The empty set is "no value at all" (control does not
//! get there); [`Store::unknown`] is "anything, but from nowhere outside".

mod labels;
mod routes;
mod traces;

pub use routes::{RouteRef, TableId};

use solvent_base::{Interner, Name};
use solvent_ir::{Const, Language, SequenceKind};

use crate::hash::{IdIndex, IdMap};
use crate::label::{ChainId, Hop, InputId, InputKey, Label, Link, Note, NoteSet, TraceId};
use crate::link::{ClassId, FnId, Site, UnitId};
use traces::Traces;

/// An abstract value; [`V::NEVER`] unless something is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct V(pub u32);

impl V {
    /// No alternative: control does not get here.
    pub const NEVER: Self = Self(0);
}

/// A set of labels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ls(pub u32);

impl Ls {
    pub const NONE: Self = Self(0);
}

/// Cells that a closure brings along.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnvId(pub u32);

impl EnvId {
    pub const EMPTY: Self = Self(0);
    /// The environment of whoever reads this function value: siblings of one activation share it.
    pub const SAME: Self = Self(1);
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CollKind {
    List,
    Tuple,
    Set,
    Dict,
    /// A generator or iterator: positions are not kept.
    Iter,
}

impl From<SequenceKind> for CollKind {
    fn from(kind: SequenceKind) -> Self {
        match kind {
            SequenceKind::List => Self::List,
            SequenceKind::Tuple => Self::Tuple,
            SequenceKind::Set => Self::Set,
        }
    }
}

/// A piece of a text whose make-up is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Piece {
    Lit(Name),
    /// Text of unknown content with these labels, maybe none.
    Data(Ls),
}

/// What a closure brings along: cells of enclosing functions.
pub(crate) type Cells = Box<[((FnId, Name), V)]>;

/// One alternative.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Atom {
    Const(Const),
    /// At least one piece is not a literal.
    Text(Box<[Piece]>),
    /// A value of unknown type.
    Data(Ls),
    /// `rest` is any other element or value; `keys` the labels of unknown keys.
    Coll {
        kind: CollKind,
        kids: Box<[(Const, V)]>,
        rest: V,
        keys: Ls,
    },
    /// An instance of a class of the program. `open`: attributes that are not listed may exist.
    Object {
        class: ClassId,
        attrs: Box<[(Name, V)]>,
        open: Open,
    },
    /// A thing of a library, by dotted path: module, class, function, object.
    Lib(Name),
    /// An instance of a library class (or builtin type), by dotted path of the class. `data` is what
    /// it was made from.
    LibObject {
        class: Name,
        attrs: Box<[(Name, V)]>,
        data: V,
    },
    Fn {
        function: FnId,
        env: EnvId,
    },
    Class {
        class: ClassId,
        env: EnvId,
    },
    Module(UnitId),
    Namespace(Name),
    /// A function bound to its receiver.
    Method {
        function: FnId,
        env: EnvId,
        receiver: V,
    },
    /// An attribute, called `name`, of a receiver that is not a class of the program.
    Member {
        receiver: V,
        name: Name,
    },
    Partial {
        function: V,
        args: Box<[V]>,
        named: Box<[(Name, V)]>,
    },
    Super {
        class: ClassId,
        receiver: V,
    },
    /// A module that is found by a name known only at run time.
    DynamicModule,
    /// One of these functions: found by a name of which only parts are known.
    OneOf(Box<[FnId]>),
    /// Entries of a table of routes.
    Routes(TableId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Open {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub deep: Ls,
    pub depth: u8,
}

/// Most alternatives of one value.
pub(crate) const MAX_ATOMS: usize = 16;
/// Most constants among them.
pub(crate) const MAX_CONSTS: usize = 8;
/// Most texts among them.
pub(crate) const MAX_TEXTS: usize = 4;
/// Most pieces of one text.
const MAX_PIECES: usize = 24;
/// Most keyed children of one container.
pub const MAX_KIDS: usize = 16;
/// Most attributes of one object, of those that different places set: modules of a bundle set thousands, one by one.
pub(crate) const MAX_ATTRS: usize = 128;
/// Functions that a mapping keeps by their keys.
const MAX_FUNCTIONS: usize = 128;
/// Most elements of a list that is a table of functions or classes for the most part, each of which counts.
pub(crate) const MAX_TABLE: usize = 512;
/// Deepest nesting that is kept.
pub(crate) const MAX_DEPTH: u8 = 5;
/// Most labels of one set: beyond, histories are forgotten.
const MAX_LABELS: usize = 24;
/// Longest history of a label.
pub(crate) const MAX_CHAIN: usize = 12;
/// Longest constant text that is computed with, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    Kept,
    Dropped,
}

/// All values of one run.
#[derive(Clone)]
pub struct Store {
    pub(crate) values: IdIndex<Box<[u32]>>,
    /// Of each value.
    metas: Vec<Meta>,
    pub(crate) atoms: IdIndex<Atom>,
    /// The value of each atom alone, [`V::NEVER`] where there is none yet.
    alone: Vec<V>,
    pub(crate) sets: IdIndex<Box<[Label]>>,
    pub(crate) unions: IdMap<(u32, u32), Ls>,
    pub(crate) joins: IdMap<(u32, u32), V>,
    pub(crate) inputs: Vec<InputKey>,
    pub(crate) input_ids: IdMap<InputKey, u32>,
    pub(crate) chains: IdIndex<Box<[Link]>>,
    pub(crate) traces: Traces,
    pub(crate) notes: IdIndex<Box<[Note]>>,
    pub(crate) envs: Vec<Cells>,
    env_ids: IdMap<Cells, u32>,
    /// Sets of routes, as tables hold them.
    pub(crate) tables: Vec<Box<[RouteRef]>>,
    pub(crate) table_ids: IdMap<Box<[RouteRef]>, u32>,
    pub empty: Name,
    /// Whose notion of truth holds.
    pub language: Language,
    /// Whether labels keep their history. Without it there are few different labels, and looking for
    /// calls and routes is fast.
    pub history: History,
    /// Whether lists and mappings that are filled now keep what they are given one by one, however much it is:
    /// they are tables that code goes through when it starts.
    pub(crate) wide: bool,
    pub(crate) none: V,
    pub(crate) unknown: V,
}

/// What is empty is the first of all.
fn nothing<T>() -> IdIndex<Box<[T]>>
where
    Box<[T]>: Eq + std::hash::Hash,
{
    std::iter::once(Box::default()).collect()
}

impl Store {
    pub fn new(names: &Interner) -> Self {
        let empty = names.name("");
        let never = Meta {
            deep: Ls::NONE,
            depth: 0,
        };
        let nowhere = Site {
            function: FnId(0),
            inst: 0,
        };
        let start = Hop {
            parent: TraceId(0),
            kind: crate::label::TraceKind::Local,
            site: nowhere,
            what: empty,
        };
        let mut store = Self {
            values: nothing(),
            metas: vec![never],
            atoms: IdIndex::default(),
            alone: Vec::new(),
            sets: nothing(),
            unions: IdMap::default(),
            joins: IdMap::default(),
            inputs: Vec::new(),
            input_ids: IdMap::default(),
            chains: nothing(),
            traces: Traces::new(start),
            notes: nothing(),
            envs: vec![Box::default(), Box::default()],
            env_ids: std::iter::once((Box::default(), 0)).collect(),
            tables: Vec::new(),
            table_ids: IdMap::default(),
            empty,
            language: Language::Python,
            history: History::Kept,
            wide: false,
            none: V::NEVER,
            unknown: V::NEVER,
        };
        store.none = store.konst(Const::None);
        store.unknown = store.one(Atom::Data(Ls::NONE));
        store
    }

    // ---- reading

    pub fn atoms(&self, v: V) -> impl Iterator<Item = &Atom> + '_ {
        self.values[v.0 as usize]
            .iter()
            .map(|a| &self.atoms[*a as usize])
    }

    /// The alternatives by their numbers, sorted.
    pub(crate) fn ids(&self, v: V) -> &[u32] {
        &self.values[v.0 as usize]
    }

    /// The alternatives, owned, for loops that make new values.
    pub fn atoms_of(&self, v: V) -> Vec<Atom> {
        self.atoms(v).cloned().collect()
    }

    /// The only alternative, if there is one.
    pub fn only(&self, v: V) -> Option<&Atom> {
        match &*self.values[v.0 as usize] {
            [one] => Some(&self.atoms[*one as usize]),
            _ => None,
        }
    }

    pub fn is_never(&self, v: V) -> bool {
        v == V::NEVER
    }

    pub fn labels(&self, set: Ls) -> &[Label] {
        &self.sets[set.0 as usize]
    }

    /// All labels anywhere in the value.
    pub fn deep(&self, v: V) -> Ls {
        self.metas[v.0 as usize].deep
    }

    pub fn input(&self, id: InputId) -> &InputKey {
        &self.inputs[id.0 as usize]
    }

    pub fn chain(&self, id: ChainId) -> &[Link] {
        &self.chains[id.0 as usize]
    }

    pub fn notes(&self, id: NoteSet) -> &[Note] {
        &self.notes[id.0 as usize]
    }

    pub fn env(&self, id: EnvId) -> &[((FnId, Name), V)] {
        &self.envs[id.0 as usize]
    }

    /// Hops from the first to the last.
    pub fn hops(&self, id: TraceId) -> Vec<Hop> {
        self.traces.hops(id)
    }

    pub fn constant(&self, v: V) -> Option<&Const> {
        match self.only(v) {
            Some(Atom::Const(c)) => Some(c),
            _ => None,
        }
    }

    pub fn constant_str(&self, v: V) -> Option<Name> {
        match self.constant(v) {
            Some(Const::Str(name)) => Some(*name),
            _ => None,
        }
    }

    /// All constants, if there is nothing else.
    pub fn constants(&self, v: V) -> Option<Vec<Const>> {
        let mut out = Vec::new();
        for atom in self.atoms(v) {
            match atom {
                Atom::Const(c) => out.push(c.clone()),
                _ => return None,
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// Whether the value decides a branch, where it always decides it the same way.
    pub fn truth(&self, v: V) -> Option<bool> {
        let mut answer = None;
        for atom in self.atoms(v) {
            let this = self.atom_truth(atom)?;
            if answer.is_some_and(|a| a != this) {
                return None;
            }
            answer = Some(this);
        }
        answer
    }

    pub fn atom_truth(&self, atom: &Atom) -> Option<bool> {
        match atom {
            Atom::Const(c) => Some(match c {
                Const::None => false,
                Const::Bool(b) => *b,
                Const::Int(i) => *i != 0,
                Const::Float(bits) => {
                    let float = f64::from_bits(*bits);
                    // Only Python takes what is not a number for true.
                    float != 0.0 && !(float.is_nan() && self.language == Language::JavaScript)
                }
                Const::Str(name) => *name != self.empty,
                Const::Bytes(bytes) => !bytes.is_empty(),
                Const::Ellipsis => true,
            }),
            Atom::Text(pieces) => pieces
                .iter()
                .any(|p| matches!(p, Piece::Lit(name) if *name != self.empty))
                .then_some(true),
            Atom::Coll {
                kind: CollKind::Iter,
                ..
            } => Some(true),
            // Every object is true (ECMA-262, 7.1.2).
            Atom::Coll { .. } | Atom::Object { .. } if self.language == Language::JavaScript => {
                Some(true)
            }
            Atom::Coll {
                kids, rest, keys, ..
            } => {
                if !kids.is_empty() {
                    Some(true)
                } else if *rest == V::NEVER && *keys == Ls::NONE {
                    Some(false)
                } else {
                    None
                }
            }
            Atom::Fn { .. } | Atom::Class { .. } | Atom::Module(_) | Atom::Method { .. } => {
                Some(true)
            }
            _ => None,
        }
    }

    // ---- making

    pub fn one(&mut self, atom: Atom) -> V {
        let id = self.atom(atom);
        self.single_value(id)
    }

    pub fn konst(&mut self, c: Const) -> V {
        self.one(Atom::Const(c))
    }

    pub fn none(&self) -> V {
        self.none
    }

    pub fn unknown(&self) -> V {
        self.unknown
    }

    pub fn boolean(&mut self, b: Option<bool>) -> V {
        match b {
            Some(b) => self.konst(Const::Bool(b)),
            None => self.unknown,
        }
    }

    pub fn data(&mut self, labels: Ls) -> V {
        if labels == Ls::NONE {
            self.unknown
        } else {
            self.one(Atom::Data(labels))
        }
    }

    pub fn lib(&mut self, path: Name) -> V {
        self.one(Atom::Lib(path))
    }

    pub fn coll(&mut self, kind: CollKind, kids: Vec<(Const, V)>, rest: V, keys: Ls) -> V {
        let kids = kids
            .into_iter()
            .map(|(k, v)| (k, self.shallow(v)))
            .collect();
        let rest = self.shallow(rest);
        let (kids, rest, keys) = self.bounded(kind, kids, rest, keys);
        self.one(Atom::Coll {
            kind,
            kids: kids.into(),
            rest,
            keys,
        })
    }

    /// A sequence of unknown length of this element.
    pub fn many(&mut self, kind: CollKind, element: V) -> V {
        self.coll(kind, Vec::new(), element, Ls::NONE)
    }

    pub(crate) fn bounded(
        &mut self,
        kind: CollKind,
        mut kids: Vec<(Const, V)>,
        mut rest: V,
        keys: Ls,
    ) -> (Vec<(Const, V)>, V, Ls) {
        let table = kids.len() > MAX_KIDS
            && kids.len() <= MAX_TABLE
            && matches!(kind, CollKind::List | CollKind::Tuple)
            && kids.iter().filter(|(_, v)| self.is_row(*v)).count() * 2 > kids.len();
        let table = table || (self.wide && kids.len() <= MAX_TABLE);
        if (kids.len() > MAX_KIDS && !table) || kind == CollKind::Iter {
            // A mapping may keep its first keys; positions are worth nothing once some are gone. Tables of
            // functions keep more: what is called must not become one of many.
            let (keep, functions) = if kind == CollKind::Dict {
                (MAX_KIDS, MAX_FUNCTIONS)
            } else {
                (0, 0)
            };
            let mut plain = 0;
            let mut held = 0;
            let mut kept = Vec::with_capacity(kids.len());
            for (key, v) in kids {
                let function = functions > 0 && self.atoms(v).any(|a| matches!(a, Atom::Fn { .. }));
                let room = if function {
                    held += 1;
                    held <= functions
                } else {
                    plain += 1;
                    plain <= keep
                };
                if room {
                    kept.push((key, v));
                } else {
                    rest = self.join(rest, v);
                }
            }
            kids = kept;
        }
        (kids, rest, keys)
    }

    /// Whether an element of a list makes the list a table: it is, or holds, a function, a class or something that
    /// a library made.
    fn is_row(&self, v: V) -> bool {
        let names_code = |v: V| {
            v != V::NEVER
                && self.atoms(v).all(|a| {
                    matches!(
                        a,
                        Atom::Fn { .. }
                            | Atom::Method { .. }
                            | Atom::Class { .. }
                            | Atom::Lib(_)
                            | Atom::LibObject { .. }
                    )
                })
        };
        names_code(v)
            || matches!(self.only(v), Some(Atom::Coll { kind: CollKind::Tuple, kids, .. })
                if kids.iter().any(|(_, v)| names_code(*v)))
    }

    /// A text of these pieces: literals are merged, a text of literals only is a constant.
    pub fn text(&mut self, pieces: Vec<Piece>, names: &Interner) -> V {
        let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match (out.last_mut(), piece) {
                (_, Piece::Lit(name)) if name == self.empty => {}
                (Some(Piece::Lit(last)), Piece::Lit(name)) => {
                    let joined = format!("{}{}", names.text(*last), names.text(name));
                    if joined.len() > MAX_TEXT {
                        out.push(Piece::Data(Ls::NONE));
                    } else {
                        *last = names.name(&joined);
                    }
                }
                (Some(Piece::Data(Ls::NONE)), Piece::Data(Ls::NONE)) => {}
                _ => out.push(piece),
            }
        }
        match &*out {
            [] => self.konst(Const::Str(self.empty)),
            [Piece::Lit(name)] => self.konst(Const::Str(*name)),
            [Piece::Data(labels)] => {
                let labels = *labels;
                self.data(labels)
            }
            _ if out.len() > MAX_PIECES => {
                let mut labels = Ls::NONE;
                for piece in &out[1..] {
                    if let Piece::Data(more) = piece {
                        labels = self.union(labels, *more);
                    }
                }
                let first = out[0];
                self.one(Atom::Text(Box::new([first, Piece::Data(labels)])))
            }
            _ => self.one(Atom::Text(out.into())),
        }
    }

    /// The value, or just its labels where it is nested too deeply to be put into another one.
    pub fn shallow(&mut self, v: V) -> V {
        if self.metas[v.0 as usize].depth + 1 < MAX_DEPTH {
            return v;
        }
        if self.language == Language::JavaScript {
            return self.thinned(v, 2);
        }
        let deep = self.deep(v);
        let mut all: Vec<Atom> = Vec::new();
        for atom in self.atoms_of(v) {
            match atom {
                Atom::Fn { .. }
                | Atom::Class { .. }
                | Atom::Const(_)
                | Atom::Module(_)
                | Atom::Routes(_)
                | Atom::Lib(_)
                    if self.one_depth(&atom) == 0 =>
                {
                    all.push(atom);
                }
                Atom::LibObject { class, .. } => {
                    let data = self.data(deep);
                    all.push(Atom::LibObject {
                        class,
                        attrs: Box::default(),
                        data,
                    });
                }
                _ => self.add(&mut all, Atom::Data(deep)),
            }
        }
        self.bounded_value(all)
    }

    pub(crate) fn one_depth(&mut self, atom: &Atom) -> u8 {
        let id = self.atom(atom.clone());
        self.measure(id).1
    }

    pub fn closure(&mut self, cells: Vec<((FnId, Name), V)>) -> EnvId {
        let cells = if self.language == Language::JavaScript {
            cells
                .into_iter()
                .map(|(cell, v)| (cell, self.shallow(v)))
                .collect()
        } else {
            cells
        };
        let key: Box<[_]> = cells.into();
        if let Some(&id) = self.env_ids.get(&key) {
            return EnvId(id);
        }
        let id = self.envs.len() as u32;
        self.envs.push(key.clone());
        self.env_ids.insert(key, id);
        EnvId(id)
    }

    pub(crate) fn atom(&mut self, atom: Atom) -> u32 {
        let (id, new) = self.atoms.insert_full(atom);
        if new {
            self.alone.push(V::NEVER);
        }
        id as u32
    }

    /// The value of one alternative.
    pub(crate) fn single_value(&mut self, atom: u32) -> V {
        let known = self.alone[atom as usize];
        if known != V::NEVER {
            return known;
        }
        let v = self.several(vec![atom]);
        self.alone[atom as usize] = v;
        v
    }

    pub(crate) fn value(&mut self, mut ids: Vec<u32>) -> V {
        ids.sort_unstable();
        ids.dedup();
        match *ids {
            [atom] => self.single_value(atom),
            _ => self.several(ids),
        }
    }

    fn several(&mut self, ids: Vec<u32>) -> V {
        if let Some(id) = self.values.get_index_of(&*ids) {
            return V(id as u32);
        }
        let mut deep = Ls::NONE;
        let mut depth = 0;
        for id in &ids {
            let (labels, inner) = self.measure(*id);
            deep = self.union(deep, labels);
            depth = depth.max(inner);
        }
        if depth > MAX_DEPTH {
            return self.data(deep);
        }
        let (id, _) = self.values.insert_full(ids.into());
        self.metas.push(Meta { deep, depth });
        V(id as u32)
    }

    pub(crate) fn measure(&mut self, atom: u32) -> (Ls, u8) {
        let mut own = Ls::NONE;
        let mut kids: Vec<V> = Vec::new();
        let mut sets: Vec<Ls> = Vec::new();
        match &self.atoms[atom as usize] {
            Atom::Text(pieces) => sets.extend(pieces.iter().filter_map(|p| match p {
                Piece::Data(labels) => Some(*labels),
                Piece::Lit(_) => None,
            })),
            Atom::Data(labels) => own = *labels,
            Atom::Coll {
                kids: inner,
                rest,
                keys,
                ..
            } => {
                kids.extend(inner.iter().map(|(_, v)| *v));
                kids.push(*rest);
                own = *keys;
            }
            Atom::Object { attrs, .. } => kids.extend(attrs.iter().map(|(_, v)| *v)),
            Atom::LibObject { attrs, data, .. } => {
                kids.extend(attrs.iter().map(|(_, v)| *v));
                kids.push(*data);
            }
            Atom::Method { receiver, env, .. } => {
                kids.push(*receiver);
                kids.extend(self.envs[env.0 as usize].iter().map(|(_, v)| *v));
            }
            Atom::Member { receiver, .. } | Atom::Super { receiver, .. } => kids.push(*receiver),
            Atom::Partial {
                function,
                args,
                named,
            } => {
                kids.push(*function);
                kids.extend(args.iter());
                kids.extend(named.iter().map(|(_, v)| *v));
            }
            Atom::Fn { env, .. } | Atom::Class { env, .. } => {
                kids.extend(self.envs[env.0 as usize].iter().map(|(_, v)| *v));
            }
            Atom::Const(_)
            | Atom::Lib(_)
            | Atom::Module(_)
            | Atom::Namespace(_)
            | Atom::Routes(_)
            | Atom::OneOf(_)
            | Atom::DynamicModule => {}
        }
        let mut depth = 0;
        for set in sets {
            own = self.union(own, set);
        }
        for kid in kids {
            let meta = self.metas[kid.0 as usize];
            own = self.union(own, meta.deep);
            depth = depth.max(meta.depth + 1);
        }
        (own, depth)
    }

    /// The value as a summary's argument once its function has seen many different ones: constants
    /// that rarely decide anything are given up.
    pub fn without_constants(&mut self, v: V) -> V {
        self.flat(v)
    }
}
