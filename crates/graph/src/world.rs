//! What an evaluation leaves behind: summaries, state shared between functions, registrations.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Interner, Name};
use solvent_finding::Comparison;
use solvent_models::MemberId;

use crate::hash::{IdMap, IdSet};
use crate::label::InputId;
use crate::link::{ClassId, FnId, Site, UnitId};
use crate::value::{EnvId, Ls, Store, V};

/// A computed summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SummaryId(pub u32);

/// Why a call edge exists; lower is surer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallTier {
    /// Lexical or import-exact.
    Exact,
    /// By the type of the receiver.
    Typed,
    /// A function value: stored, passed, decorated.
    Value,
    /// By name and number of arguments only.
    NameOnly,
}

/// A shared place outside one function's flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    Global(UnitId, Name),
    ClassAttr(ClassId, Name),
    /// An attribute that some method sets on its own instance.
    Field(ClassId, Name),
    /// An attribute of a library's object (`flask.g`).
    LibAttr(Name, Name),
    /// An attribute that the last handler of a request leaves on it, by class and name.
    Afterwards(Name, Name),
    /// A key of a library's object (`flask.session`).
    LibKey(Name, Name),
    /// A cell of a function, where no closure brings it.
    Cell(FnId, Name),
}

/// What is known about one shared place: the last value of each write.
#[derive(Clone, Default, Debug)]
pub struct Slot {
    pub writes: Vec<(Site, V)>,
    pub joined: Option<V>,
    /// Of a place that is written at more than [`MAX_WRITES`] sites: where each of them stands in `writes`. What is
    /// there is all that ever was, without what objects in it hold, so that it settles.
    many: Option<IdMap<Site, u32>>,
    /// Of the slot that stands for all names of a library's object: how many there are.
    names: u32,
}

/// Sites that write a place of which each is kept apart: a tree of a million lines has places that thousands write,
/// and as many read.
const MAX_WRITES: usize = 64;

impl Slot {
    fn at(&self, site: Site) -> Option<usize> {
        match &self.many {
            Some(many) => many.get(&site).map(|at| *at as usize),
            None => self.writes.iter().position(|(have, _)| *have == site),
        }
    }
}

/// Something about a labelled value that held on the way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fact {
    pub labels: Ls,
    pub comparison: Comparison,
    pub value: Name,
}

/// Which sink of a member: its row, or a by-name match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SinkRef {
    pub site: Site,
    pub member: MemberId,
    pub row: u32,
}

/// A value arrived at a sink.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hit {
    pub sink: SinkRef,
    pub value: V,
    pub facts: Box<[Fact]>,
    /// The receiver's type was not known.
    pub by_name: bool,
}

/// The worst that a sink saw in one summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Touch {
    Constant,
    Plain,
    /// Labels, each made harmless for this kind of sink.
    Cured,
    Labelled,
}

/// Whether the conditions of a use hold; what is sure comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Held {
    No,
    /// A value that they ask for is not known.
    Unknown,
    Yes,
}

/// What was seen of a use in one summary.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Use {
    pub held: Held,
    /// The constant that makes it weak; empty where none does.
    pub what: Name,
}

/// The effect of one function for one shape of arguments.
#[derive(Clone, Debug)]
pub struct Summary {
    pub function: FnId,
    pub ret: V,
    /// What may leave it as an exception.
    pub raised: V,
    /// New version of each parameter, where it changed.
    pub afters: Box<[Option<V>]>,
    pub hits: Vec<Hit>,
    pub effects: Vec<(Place, Site, V)>,
    /// Sinks of this very function.
    pub touched: Vec<(SinkRef, Touch)>,
    /// Uses in this very function; the row is one of its member's uses.
    pub used: Vec<(SinkRef, Use)>,
    pub calls: Vec<(Site, CallTier, SummaryId)>,
    /// Blocks that control can enter, by index.
    pub live: Box<[bool]>,
    /// Where control does not get past an instruction: `(block, instruction)`.
    pub stopped: Vec<(u32, u32)>,
    /// Which branches are decided by constants: `(branch block, successor that is cut)`.
    pub cut: Vec<(u32, u32)>,
    /// Parameters that its answer vouches for.
    pub vouches: crate::machine::Vouched,
    /// What each `return` gives, by the value's place.
    pub returned: Box<[(u32, V)]>,
    /// Inputs of known name that the function reads, whatever becomes of them.
    pub inputs: Vec<InputId>,
    pub(crate) running: bool,
    pub(crate) recursive: bool,
    /// Place in the stack of running summaries.
    pub(crate) level: u32,
    /// The outermost summary that was still running when its answer was used here: until it ends, this
    /// one is not final.
    pub(crate) waits_for: Option<SummaryId>,
    /// Slots read by this very function, and what was found there.
    pub(crate) reads: Box<[(u32, V)]>,
    pub(crate) key: Key,
    pub(crate) state: Freshness,
    /// [`World::computed`] when it was computed last, and when that changed what callers find.
    pub(crate) computed: u64,
    pub(crate) changed: u64,
}

/// Whether a summary is what its function would give now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freshness {
    Fresh,
    /// Something that it calls may give another answer.
    Doubtful,
    /// What it calls is being asked.
    Asking,
    /// A place that it read holds something else.
    Stale,
}

impl Summary {
    pub(crate) fn begun(key: Key, level: u32) -> Self {
        Self {
            function: key.0,
            ret: V::NEVER,
            raised: V::NEVER,
            afters: Box::default(),
            hits: Vec::new(),
            effects: Vec::new(),
            touched: Vec::new(),
            used: Vec::new(),
            calls: Vec::new(),
            live: Box::default(),
            stopped: Vec::new(),
            cut: Vec::new(),
            vouches: crate::machine::Vouched::default(),
            returned: Box::default(),
            inputs: Vec::new(),
            running: true,
            recursive: false,
            level,
            waits_for: None,
            reads: Box::default(),
            key,
            state: Freshness::Fresh,
            computed: 0,
            changed: 0,
        }
    }

    /// Whether callers find the same in both.
    pub(crate) fn tells_the_same_as(&self, other: &Self) -> bool {
        self.ret == other.ret
            && self.raised == other.raised
            && self.afters == other.afters
            && self.effects == other.effects
            && self.hits == other.hits
            && self.vouches == other.vouches
    }
}

/// A call that could not be resolved, in a function's text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Boundary {
    pub site: Site,
    pub what: String,
}

/// A base of a class: in the program, or of a library.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    Own(ClassId),
    Lib(Name),
    Unknown,
}

#[derive(Clone, Default, Debug)]
pub struct ClassInfo {
    pub bases: Vec<Base>,
    pub env: Option<EnvId>,
}

/// A call that binds a function to outside control, before routes are put together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Registration {
    pub site: Site,
    pub member: String,
    pub row: u32,
    /// Where the receiver was made; empty when that is not known.
    pub receivers: Vec<Site>,
    pub receiver_known: bool,
    pub routes: Vec<String>,
    /// The name of a route whose text another call gives.
    pub named: Option<String>,
    pub methods: Vec<String>,
    pub prefix: Option<String>,
    /// For mounts: the prefix stands before the collection's own, instead of in its place.
    pub adds_prefix: bool,
    pub handlers: Vec<(FnId, u32)>,
    /// For mounts: where the mounted collection was made.
    pub mounted: Vec<Site>,
    /// HTTP method that a class's method answers, where the handler is a class.
    pub class_method: Option<ClassId>,
    pub assumed: Option<String>,
    /// For mounts: whether what is mounted may be more than what is known of it.
    pub mounts_unknown: bool,
    /// What asks who is there in front of what is bound.
    pub requires_login: Vec<String>,
    /// What is put behind the names of methods that answer; empty: nothing.
    pub suffix: String,
    /// The library's class that answers are given to.
    pub answers: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ModuleState {
    New,
    Running,
    Done,
}

pub(crate) type Key = (FnId, EnvId, Box<[V]>);

/// Everything an evaluation knows.
#[derive(Clone)]
pub struct World {
    pub store: Store,
    pub summaries: Vec<Summary>,
    pub(crate) memo: IdMap<Key, SummaryId>,
    pub(crate) memo_log: Vec<Key>,
    pub(crate) contexts: Vec<u32>,
    places: IdMap<Place, u32>,
    slots: Vec<Slot>,
    /// Names of what is written to a library's object, by its path.
    named: IdMap<Name, BTreeSet<Name>>,
    /// Slots read since the innermost running summary was begun, and what was found there.
    pub(crate) read_log: Vec<(u32, V)>,
    pub(crate) classes: Vec<ClassInfo>,
    /// What the annotations of classes say, once somebody asked.
    pub(crate) notes:
        std::cell::RefCell<IdMap<ClassId, std::sync::Arc<crate::java::note::ClassNotes>>>,
    pub(crate) modules: Vec<ModuleState>,
    pub(crate) defaults: IdMap<(FnId, u32), V>,
    pub(crate) annotations: IdMap<(FnId, u32), V>,
    pub registrations: BTreeMap<(Site, u32, String), Registration>,
    /// Functions whose value went where it cannot be followed, and where.
    pub escapes: BTreeMap<FnId, BTreeSet<(Site, String)>>,
    /// Of those, methods that a call may mean by their name, one of too many.
    pub meant: BTreeSet<(FnId, Site)>,
    pub boundaries: BTreeSet<Boundary>,
    /// Objects of libraries, by where they were made, that went where they cannot be followed.
    pub handed: BTreeSet<Site>,
    /// Classes of the program that went where they cannot be followed, and where.
    pub(crate) handed_classes: IdSet<(ClassId, Site)>,
    /// Classes of handlers that the program does not speak of, beside others that it serves.
    pub unused: BTreeSet<ClassId>,
    /// Whether a module is looked for by a name known only at run time.
    pub dynamic: bool,
    /// Calls of generators and coroutines whose result nobody asks for, and who would run.
    pub idle_calls: BTreeSet<(Site, FnId)>,
    /// Calls that lead into a library, by its dotted path; noted while calls are looked for.
    pub library_calls: IdSet<(Site, Name)>,
    /// Sinks seen anywhere, in any context.
    pub sinks: BTreeMap<SinkRef, bool>,
    /// Uses seen anywhere, with the surest that any context says of their conditions.
    pub uses: BTreeMap<SinkRef, Held>,
    /// Of those, the ones behind which something stands that was not read, in words.
    pub unread: BTreeMap<SinkRef, String>,
    /// Somewhere templates are configured not to escape.
    pub(crate) plain_pages: bool,
    /// Where each function value was seen, for closures of functions that nobody calls.
    pub(crate) closures: IdMap<FnId, EnvId>,
    /// Functions that a library's login check stands in front of, with the names of the checks.
    pub(crate) logins: std::collections::BTreeMap<FnId, std::collections::BTreeSet<String>>,
    /// Functions whose result a template renders, with its name.
    pub(crate) renders: IdMap<FnId, V>,
    /// Functions that a queue runs.
    pub(crate) tasks: BTreeSet<FnId>,
    /// Methods by bare name, for receivers of unknown type.
    pub(crate) by_name: IdMap<Name, Vec<FnId>>,
    /// Classes of which nobody is seen to make an object.
    pub(crate) unmade: IdSet<ClassId>,
    /// Limits that cut the whole search.
    pub limits_hit: BTreeSet<String>,
    /// Limits whose effect is known by function, see `escapes`.
    pub notices: BTreeSet<String>,
    /// Functions with a loop that was taken before it settled.
    pub unsettled: BTreeSet<FnId>,
    /// Functions that run while a module is loaded.
    pub(crate) at_start: IdSet<FnId>,
    /// Calls that stand in a branch that constants cut: place, and who would be called.
    pub dead_calls: BTreeSet<(Site, FnId)>,
    pub steps: u64,
    pub(crate) depth: u32,
    /// Summaries that were computed so far, each as often as it was.
    pub(crate) computed: u64,
    /// The running summaries, each with the level of the outermost one that it met again.
    pub(crate) stack: Vec<(SummaryId, u32)>,
}

impl World {
    pub fn new(units: usize, functions: usize, classes: usize, names: &Interner) -> Self {
        Self {
            store: Store::new(names),
            summaries: Vec::new(),
            memo: IdMap::default(),
            memo_log: Vec::new(),
            contexts: vec![0; functions],
            places: IdMap::default(),
            slots: Vec::new(),
            named: IdMap::default(),
            read_log: Vec::new(),
            notes: std::cell::RefCell::default(),
            classes: vec![ClassInfo::default(); classes],
            modules: vec![ModuleState::New; units],
            defaults: IdMap::default(),
            annotations: IdMap::default(),
            registrations: BTreeMap::new(),
            escapes: BTreeMap::new(),
            meant: BTreeSet::new(),
            unread: BTreeMap::new(),
            plain_pages: false,
            boundaries: BTreeSet::new(),
            handed: BTreeSet::new(),
            handed_classes: IdSet::default(),
            unused: BTreeSet::new(),
            dynamic: false,
            idle_calls: BTreeSet::new(),
            library_calls: IdSet::default(),
            sinks: BTreeMap::new(),
            uses: BTreeMap::new(),
            closures: IdMap::default(),
            logins: std::collections::BTreeMap::new(),
            renders: IdMap::default(),
            tasks: BTreeSet::new(),
            by_name: IdMap::default(),
            unmade: IdSet::default(),
            limits_hit: BTreeSet::new(),
            notices: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            at_start: IdSet::default(),
            dead_calls: BTreeSet::new(),
            steps: 0,
            depth: 0,
            computed: 0,
            stack: Vec::new(),
        }
    }

    pub fn summary(&self, id: SummaryId) -> &Summary {
        &self.summaries[id.0 as usize]
    }

    /// Summaries reached from `root` by calls, itself included, in order of discovery.
    pub fn reached(&self, root: SummaryId) -> Vec<SummaryId> {
        let mut seen = IdSet::default();
        let mut open = vec![root];
        let mut out = Vec::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id.0) {
                continue;
            }
            out.push(id);
            open.extend(self.summary(id).calls.iter().map(|(_, _, to)| *to));
        }
        out
    }

    /// Names that a module's code has bound, in order.
    pub(crate) fn globals_of(&self, unit: UnitId, names: &Interner) -> Vec<Name> {
        let mut found: Vec<(std::sync::Arc<str>, Name)> = self
            .places
            .keys()
            .filter_map(|place| match place {
                Place::Global(at, name) if *at == unit => Some((names.text(*name), *name)),
                _ => None,
            })
            .filter(|(text, _)| text.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    fn slot(&mut self, place: Place) -> u32 {
        let next = self.slots.len() as u32;
        let id = *self.places.entry(place).or_insert(next);
        if id == next {
            self.slots.push(Slot::default());
        }
        id
    }

    pub(crate) fn write(&mut self, place: Place, site: Site, value: V) {
        let id = self.slot(place);
        let slot = &mut self.slots[id as usize];
        match slot.at(site) {
            Some(at) if slot.writes[at].1 == value => return,
            Some(at) => slot.writes[at].1 = value,
            None => {
                if let Some(many) = &mut slot.many {
                    many.insert(site, slot.writes.len() as u32);
                }
                slot.writes.push((site, value));
            }
        }
        let new = slot.joined.is_none() && slot.writes.len() == 1;
        match slot.writes.len() > MAX_WRITES {
            true => self.write_one_of_many(id, value),
            false => slot.joined = None,
        }
        // Whoever asks for all names of an object waits for this one.
        if let Place::LibAttr(path, name) = place
            && new
            && name != self.store.empty
        {
            self.named.entry(path).or_default().insert(name);
            let any = self.slot(Place::LibAttr(path, self.store.empty));
            self.slots[any as usize].names += 1;
        }
    }

    fn write_one_of_many(&mut self, id: u32, value: V) {
        let slot = &mut self.slots[id as usize];
        let (before, more) = match (&slot.many, slot.joined) {
            (Some(_), Some(joined)) => (joined, vec![value]),
            _ => {
                let sites = slot.writes.iter().map(|(site, _)| *site);
                slot.many = Some(sites.zip(0..).collect());
                let all = slot.writes.iter().map(|(_, v)| *v);
                (V::NEVER, all.collect())
            }
        };
        let mut joined = before;
        for v in more {
            let thin = self.store.thinned(v, 1);
            joined = self.store.join(joined, thin);
        }
        self.slots[id as usize].joined = Some(joined);
    }

    /// Where a place is written, so far.
    pub(crate) fn written_at(&self, place: Place) -> Vec<Site> {
        let slot = self.places.get(&place).map(|id| &self.slots[*id as usize]);
        slot.map_or_else(Vec::new, |slot| {
            slot.writes.iter().map(|(site, _)| *site).collect()
        })
    }

    pub(crate) fn is_written_at(&self, place: Place, site: Site) -> bool {
        let slot = self.places.get(&place).map(|id| &self.slots[*id as usize]);
        slot.is_some_and(|slot| slot.writes.iter().any(|(at, _)| *at == site))
    }

    /// Takes back what was written there.
    pub(crate) fn take_back(&mut self, place: Place, site: Site) {
        let id = self.slot(place);
        let slot = &mut self.slots[id as usize];
        slot.writes.retain(|(have, _)| *have != site);
        slot.joined = None;
        slot.many = None;
    }

    /// Joins with what the same write gave before: for writes that happen in many contexts.
    pub(crate) fn write_weak(&mut self, place: Place, site: Site, value: V) {
        let id = self.slot(place);
        let slot = &self.slots[id as usize];
        let before = slot.at(site).map(|at| slot.writes[at].1);
        let value = match before {
            Some(before) => self.store.join(before, value),
            None => value,
        };
        self.write(place, site, value);
    }

    /// Names of what is written to a library's object of that path, in no order; a new one is something that
    /// the running summary depends on.
    pub(crate) fn attributes_of(&mut self, path: Name) -> Vec<Name> {
        let any = self.store.empty;
        self.read(Place::LibAttr(path, any));
        let named = self.named.get(&path);
        named.map_or_else(Vec::new, |names| names.iter().copied().collect())
    }

    /// The value of a place, and a note that the running summary depends on it.
    pub(crate) fn read(&mut self, place: Place) -> Option<V> {
        let id = self.slot(place);
        let v = self.held_in(id);
        self.read_log.push((id, v));
        (!self.slots[id as usize].writes.is_empty()).then_some(v)
    }

    /// Notes that the running summary would see what is in a place, were it evaluated for another root.
    pub(crate) fn passes_over(&mut self, place: Place) {
        let id = self.slot(place);
        let v = match self.held_in(id) {
            V::NEVER => V::NEVER,
            _ => PASSED_OVER,
        };
        self.read_log.push((id, v));
    }

    fn held_in(&mut self, id: u32) -> V {
        let slot = &self.slots[id as usize];
        if slot.writes.is_empty() {
            return V(slot.names);
        }
        if let Some(joined) = slot.joined {
            return joined;
        }
        let writes: Vec<V> = slot.writes.iter().map(|(_, v)| *v).collect();
        let joined = self.store.join_all(writes);
        self.slots[id as usize].joined = Some(joined);
        joined
    }

    /// Marks the summaries that read a place which holds something else now, and those that call them.
    /// `afterwards`: what follows sees what the last handler of a request left. Says whether there are any.
    pub(crate) fn mark_stale(&mut self, afterwards: bool) -> bool {
        let now: Vec<V> = (0..self.slots.len() as u32)
            .map(|id| self.held_in(id))
            .collect();
        let mut left = vec![false; self.slots.len()];
        for (place, id) in &self.places {
            left[*id as usize] = matches!(place, Place::Afterwards(..));
        }
        self.mark(&|slot, seen| match left[slot as usize] && !afterwards {
            true => seen != V::NEVER && seen != PASSED_OVER,
            false => seen != now[slot as usize],
        })
    }

    /// What the variables of these functions hold now that are kept by their names, by slot.
    pub(crate) fn cells_of(&mut self, of: &dyn Fn(FnId) -> bool) -> IdMap<u32, V> {
        let cell = |(place, id): (&Place, &u32)| match place {
            Place::Cell(f, _) if of(*f) => Some(*id),
            _ => None,
        };
        let slots: Vec<u32> = self.places.iter().filter_map(cell).collect();
        slots.into_iter().map(|id| (id, self.held_in(id))).collect()
    }

    /// Whether anything that the last handler of a request left is known.
    pub(crate) fn has_afterwards(&self) -> bool {
        let left = |id: u32| !self.slots[id as usize].writes.is_empty();
        let mut places = self.places.iter();
        places.any(|(place, id)| matches!(place, Place::Afterwards(..)) && left(*id))
    }

    fn mark(&mut self, of: &dyn Fn(u32, V) -> bool) -> bool {
        let count = self.summaries.len();
        let mut callers: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut open: Vec<u32> = Vec::new();
        for (i, summary) in self.summaries.iter_mut().enumerate() {
            for (_, _, callee) in &summary.calls {
                callers[callee.0 as usize].push(i as u32);
            }
            if summary.state == Freshness::Stale
                || summary.reads.iter().any(|(slot, seen)| of(*slot, *seen))
            {
                summary.state = Freshness::Stale;
                open.push(i as u32);
            }
        }
        let any = !open.is_empty();
        while let Some(i) = open.pop() {
            for caller in &callers[i as usize] {
                let state = &mut self.summaries[*caller as usize].state;
                if *state == Freshness::Fresh {
                    *state = Freshness::Doubtful;
                    open.push(*caller);
                }
            }
        }
        any
    }
}

/// What is noted of a place that was passed over though something stands there; no value has this number.
const PASSED_OVER: V = V(u32::MAX);

impl World {
    /// The bases of the class, or of its bases, that are not in the tree, by name, the nearest first.
    pub fn outside_bases(&self, class: ClassId, names: &Interner) -> Vec<String> {
        let mut out = Vec::new();
        let mut seen = IdSet::default();
        let mut open = vec![class];
        while let Some(class) = open.pop() {
            if !seen.insert(class.0) {
                continue;
            }
            for base in &self.classes[class.0 as usize].bases {
                match base {
                    Base::Own(c) => open.push(*c),
                    Base::Lib(path) => {
                        let text = names.text(*path);
                        if &*text != "builtins.object" && !text.ends_with("Exception") {
                            out.push(text.to_string());
                        }
                    }
                    Base::Unknown => out.push("a base that is not known".to_owned()),
                }
            }
        }
        out
    }
}
