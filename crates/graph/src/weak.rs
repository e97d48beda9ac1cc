//! Uses: calls that are weak by themselves or by the constants that they are given; and places that are named for
//! secrets, to which a value that others can guess must not come.

use solvent_base::Name;
use solvent_finding::Carrier;
use solvent_ir::{self as ir, Const, Op};
use solvent_models::{Kind, Member, MemberId, Port, PortStep, Test, Truth, When};

use crate::call::Args;
use crate::label::{InputShape, Label, Origin};
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Ls, V};
use crate::world::{Held, SinkRef, Use};

/// The member whose sinks are whatever is named for a secret.
const NAMED_SECRET: &str = "<named-secret>";
/// Instructions between an object and the name that it was read by.
const MAX_BACK: u32 = 8;

impl Machine<'_> {
    /// What the rows of uses say of this call.
    pub(crate) fn uses(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        member: &Member,
        ports: &Ports<'_>,
    ) {
        for (row, one) in member.uses.iter().enumerate() {
            let mut seen = Use {
                held: Held::Yes,
                what: self.w.store.empty,
            };
            for when in &one.when {
                let (held, what) = self.held(frame, index, when, ports);
                seen.held = seen.held.min(held);
                if let Some(what) = what
                    && seen.what == self.w.store.empty
                {
                    seen.what = what;
                }
            }
            let at = SinkRef {
                site: self.site(frame, index),
                member: id,
                row: row as u32,
            };
            let known = self.w.uses.entry(at).or_insert(seen.held);
            *known = (*known).max(seen.held);
            let have = frame.used.entry(at).or_insert(seen);
            if have.held < seen.held {
                *have = seen;
            }
        }
    }

    /// Whether a condition holds, and the text that it holds for.
    fn held(
        &mut self,
        frame: &mut Frame,
        index: u32,
        when: &When,
        ports: &Ports<'_>,
    ) -> (Held, Option<Name>) {
        let keyed = when.arg.path.iter().any(|s| matches!(s, PortStep::Key(_)));
        let v = {
            let mut slot = (!keyed).then_some(&mut *frame);
            self.port(&mut slot, index, &when.arg, ports)
        };
        let unknown = self.w.store.unknown();
        if when.test == Test::Absent {
            return match v {
                None => (Held::Yes, None),
                // An option of an object that is not known may not be given.
                Some(v) if v == unknown && !when.arg.path.is_empty() => (Held::Unknown, None),
                Some(_) => (Held::No, None),
            };
        }
        let v = match (v, &when.default) {
            (Some(v), _) => v,
            (None, Some(literal)) => self.literal_value(literal),
            (None, None) => return (Held::No, None),
        };
        if when.test == Test::IsConstant {
            let written = v != V::NEVER
                && self.w.store.atoms(v).all(|a| match a {
                    Atom::Const(Const::Str(text)) => *text != self.w.store.empty,
                    Atom::Const(Const::Bytes(bytes)) => !bytes.is_empty(),
                    _ => false,
                });
            return (if written { Held::Yes } else { Held::No }, None);
        }
        let mut held = Held::No;
        for atom in self.w.store.atoms_of(v) {
            let (this, what) = match &atom {
                Atom::Const(c) => (self.holds_for(&when.test, c), self.shown(c)),
                other => (self.holds_for_other(&when.test, other), None),
            };
            if this == Held::Yes {
                return (this, what);
            }
            held = held.max(this);
        }
        (held, None)
    }

    /// A constant as evidence: its text.
    fn shown(&self, c: &Const) -> Option<Name> {
        match c {
            Const::Str(text) if *text != self.w.store.empty => Some(*text),
            _ => None,
        }
    }

    pub(crate) fn holds_for(&mut self, test: &Test, c: &Const) -> Held {
        let text = match c {
            Const::Str(name) => Some(self.text(*name).to_string()),
            _ => None,
        };
        let lower = text.as_ref().map(|t| t.to_ascii_lowercase());
        let is_text = |holds: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(holds);
        let is_lower = |holds: &dyn Fn(&str) -> bool| lower.as_deref().is_some_and(holds);
        let holds = match test {
            Test::Equals(literal) | Test::NotEquals(literal) => {
                let want = self.literal_value(literal);
                let same = self.w.store.constant(want) == Some(c);
                same == matches!(test, Test::Equals(_))
            }
            Test::Truthy(truth) => {
                let want = *truth == Truth::Yes;
                self.w.store.atom_truth(&Atom::Const(c.clone())) == Some(want)
            }
            Test::ContainsAny(list) => is_text(&|t| list.iter().any(|l| t.contains(l.as_str()))),
            Test::ContainsNone(list) => is_text(&|t| !list.iter().any(|l| t.contains(l.as_str()))),
            Test::OneOf(list) => is_lower(&|t| list.iter().any(|l| l.eq_ignore_ascii_case(t))),
            Test::BeginsWith(list) => {
                is_lower(&|t| list.iter().any(|l| t.starts_with(&l.to_ascii_lowercase())))
            }
            Test::NamesSecret => is_text(&|t| self.m.secrets().contains(t)),
            Test::IsText => matches!(c, Const::Str(_) | Const::Bytes(_)),
            Test::NamesNone(_) => true,
            Test::IsSequence | Test::Absent | Test::IsConstant | Test::Backtracks(..) => false,
        };
        if holds { Held::Yes } else { Held::No }
    }

    pub(crate) fn holds_for_other(&self, test: &Test, atom: &Atom) -> Held {
        let sure = |holds: bool| if holds { Held::Yes } else { Held::No };
        match (test, atom) {
            (Test::Truthy(truth), atom) => match self.w.store.atom_truth(atom) {
                Some(is) => sure(is == (*truth == Truth::Yes)),
                None => Held::Unknown,
            },
            (Test::NamesNone(list), Atom::Lib(path)) => {
                let path = self.m.canonical(&self.text(*path)).into_owned();
                sure(!list.contains(&path))
            }
            (Test::IsSequence, Atom::Coll { .. }) => Held::Yes,
            (Test::IsText, Atom::Text(_)) => Held::Yes,
            // Any element of a list of names.
            (Test::OneOf(_) | Test::ContainsAny(_), Atom::Coll { kids, rest, .. }) => {
                let mut held = Held::No;
                for (_, v) in kids.iter() {
                    for inner in self.w.store.atoms(*v) {
                        let this = match (test, inner) {
                            (Test::OneOf(list), Atom::Const(Const::Str(text))) => {
                                let text = self.text(*text);
                                sure(list.iter().any(|l| l.eq_ignore_ascii_case(&text)))
                            }
                            (_, Atom::Const(_)) => Held::No,
                            _ => Held::Unknown,
                        };
                        held = held.max(this);
                    }
                }
                if *rest == V::NEVER {
                    held
                } else {
                    held.max(Held::Unknown)
                }
            }
            (Test::Backtracks(..), _)
            | (_, Atom::Coll { .. } | Atom::Fn { .. } | Atom::Class { .. }) => Held::No,
            _ => Held::Unknown,
        }
    }

    // ---- values that can be guessed

    /// Labels that matter at a sink of this kind: what requests bring, or what can be guessed.
    pub(crate) fn that_matter(&mut self, labels: Ls, kind: Kind) -> Ls {
        let wants = self.m.is_for_predictable(kind);
        let guessed = |store: &crate::value::Store, label: &Label| match label.origin {
            Origin::Input(id) => store.input(id).carrier == Carrier::Predictable,
            _ => false,
        };
        let all = self.w.store.labels(labels);
        let holds = |label: &Label| {
            let open = !matches!(label.origin, Origin::Input(_));
            open || guessed(&self.w.store, label) == wants
        };
        if all.iter().all(holds) {
            return labels;
        }
        let kept: Vec<Label> = all.iter().copied().filter(holds).collect();
        self.w.store.set(kept)
    }

    /// What of a value can be guessed, where it is written as a number: nothing else of it does harm then.
    pub(crate) fn guessable(&mut self, v: V) -> V {
        let deep = self.w.store.deep(v);
        let all = self.w.store.labels(deep);
        let guessed = |label: &&Label| match label.origin {
            Origin::Input(id) => self.w.store.input(id).carrier == Carrier::Predictable,
            _ => false,
        };
        let kept: Vec<Label> = all.iter().filter(guessed).copied().collect();
        let set = self.w.store.set(kept);
        self.w.store.data(set)
    }

    /// A value comes to a place of this name.
    pub(crate) fn named(&mut self, frame: &mut Frame, index: u32, name: Name, v: V) {
        if self.w.store.deep(v) == Ls::NONE || !self.is_secret(name) {
            return;
        }
        self.arrives(frame, index, NAMED_SECRET, v);
    }

    fn is_secret(&mut self, name: Name) -> bool {
        if let Some(known) = self.secret_names.get(&name) {
            return *known;
        }
        let is = self.m.secrets().contains(&self.text(name));
        self.secret_names.insert(name, is);
        is
    }

    /// What an instruction stores under a name that is written there: of a key, an attribute, a variable that outlives
    /// the function, or the container.
    pub(crate) fn stored(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        op: &Op,
    ) {
        let get = |frame: &Frame, v: ir::Value| frame.vals[v.0 as usize];
        match op {
            Op::StoreName { name, value, .. } | Op::SetAttr { name, value, .. } => {
                if function.kind == ir::FunctionKind::ClassBody {
                    let v = get(frame, *value);
                    self.option_of_class(frame, function, index, *name, v);
                }
                // What was put into an object has been seen, when the object is written back.
                let written_back = matches!(
                    function.insts.get(value.0 as usize).map(|i| &i.op),
                    Some(Op::SetIndex { .. } | Op::SetAttr { .. } | Op::After { .. })
                );
                if let Op::SetAttr { base, .. } = op
                    && self.is_javascript()
                    && !written_back
                {
                    let chosen = [get(frame, *value)];
                    self.key_of_prototype(frame, function, index, *base, &chosen);
                }
                if !written_back {
                    let v = get(frame, *value);
                    self.named(frame, index, *name, v);
                }
            }
            Op::SetIndex { base, key, value } => {
                let v = get(frame, *value);
                let key = get(frame, *key);
                let written_back = matches!(
                    function.insts.get(value.0 as usize).map(|i| &i.op),
                    Some(Op::SetIndex { .. } | Op::SetAttr { .. } | Op::After { .. })
                );
                if self.is_javascript() && !written_back {
                    self.key_of_prototype(frame, function, index, *base, &[key, v]);
                }
                let base_value = get(frame, *base);
                let mut paths = self.kept_in(base_value);
                if paths.is_empty() {
                    paths = self.part_of(frame, function, *base);
                }
                // What a framework keeps for a session need not be secret: there the key says so.
                let named = self.w.store.constant_str(key);
                let mut named = named.filter(|name| self.is_secret(*name));
                if named.is_none() && paths.is_empty() {
                    named = self.read_by(function, *base);
                }
                for path in paths {
                    self.item_set(frame, index, path, key, v);
                }
                if let Some(name) = named {
                    self.named(frame, index, name, v);
                }
            }
            Op::Call { args, .. } => {
                for arg in args {
                    if let ir::Arg::Named(name, value) = arg {
                        let v = get(frame, *value);
                        self.named(frame, index, *name, v);
                    }
                }
            }
            Op::Dict(entries) => {
                for entry in entries {
                    if let ir::Entry::Pair(key, value) = entry
                        && let Some(name) = self.w.store.constant_str(get(frame, *key))
                    {
                        let v = get(frame, *value);
                        self.named(frame, index, name, v);
                    }
                }
            }
            _ => {}
        }
    }

    /// The library's objects in which a key is set, by their paths.
    fn kept_in(&self, base: V) -> Vec<Name> {
        let of_session = |set: Ls| {
            self.w.store.labels(set).iter().any(|l| match l.origin {
                Origin::Input(id) => {
                    let key = self.w.store.input(id);
                    key.carrier == Carrier::Session && key.shape == InputShape::Map
                }
                _ => false,
            })
        };
        let mut out = Vec::new();
        let mut session = false;
        for atom in self.w.store.atoms(base) {
            match atom {
                Atom::Lib(path) => out.push(*path),
                Atom::Data(set) => session |= of_session(*set),
                Atom::LibObject { attrs, data, .. } => match self.path_of(attrs) {
                    Some(path) => out.push(path),
                    None => {
                        session |= matches!(
                            self.w.store.only(*data),
                            Some(Atom::Data(set)) if of_session(*set)
                        );
                    }
                },
                _ => {}
            }
        }
        if session {
            out.extend(self.m.sessions().map(|path| self.name(path)));
        }
        out
    }

    /// The library's attribute that an object was read from, by its path: `app.config`.
    fn part_of(&self, frame: &Frame, function: &ir::Function, v: ir::Value) -> Vec<Name> {
        let Some(Op::Attr { base, name }) = function.insts.get(v.0 as usize).map(|i| &i.op) else {
            return Vec::new();
        };
        let of = frame.vals[base.0 as usize];
        let owners = self.w.store.atoms(of).filter_map(|atom| match atom {
            Atom::LibObject { class, .. } => Some(*class),
            Atom::Lib(path) => Some(*path),
            _ => None,
        });
        owners
            .map(|owner| self.name(&format!("{}.{}", self.text(owner), self.text(*name))))
            .collect()
    }

    /// The name by which an object was read.
    fn read_by(&self, function: &ir::Function, mut v: ir::Value) -> Option<Name> {
        for _ in 0..MAX_BACK {
            match &function.insts.get(v.0 as usize)?.op {
                Op::Global(name) | Op::Captured { name, .. } | Op::Attr { name, .. } => {
                    return Some(*name);
                }
                Op::Import { module, member, .. } => return Some(member.unwrap_or(*module)),
                Op::Refine { value, .. } => v = *value,
                Op::After { object, .. } => v = *object,
                Op::SetIndex { base, .. } | Op::SetAttr { base, .. } => v = *base,
                _ => return None,
            }
        }
        None
    }

    /// The option of a port's object that a whole literal of Go leaves out.
    pub(crate) fn left_out(&self, v: V, name: Name) -> bool {
        let whole = self.name("<literal>");
        match self.w.store.only(v) {
            Some(Atom::LibObject { attrs, .. }) => {
                attrs.iter().any(|(n, _)| *n == whole) && attrs.iter().all(|(n, _)| *n != name)
            }
            _ => false,
        }
    }

    /// The fields that a literal of a library's type gives.
    pub(crate) fn literal_fields(&mut self, args: &Args) -> Box<[(Name, V)]> {
        if !self.is_go() || !args.pos.is_empty() || args.spread.is_some() {
            return Box::default();
        }
        let mut fields: Vec<(Name, V)> = args.named.iter().map(|(n, v, _)| (*n, *v)).collect();
        if fields.len() > crate::value::MAX_KIDS {
            return Box::default();
        }
        let yes = self.w.store.konst(Const::Bool(true));
        fields.push((self.name("<literal>"), yes));
        fields.into()
    }

    /// An attribute of a library's object is assigned.
    pub(crate) fn assigned(
        &mut self,
        frame: &mut Frame,
        index: u32,
        base: V,
        atom: &Atom,
        name: Name,
        value: V,
    ) {
        let id = match atom {
            Atom::LibObject { class, .. } => self.class_member(*class, name),
            Atom::Lib(path) => {
                let full = self.name(&format!("{}.{}", self.text(*path), self.text(name)));
                self.path_member(full)
            }
            _ => None,
        };
        let Some(id) = id else { return };
        let args = Args::of(&[value]);
        let ports = Ports {
            receiver: Some(base),
            args: &args,
        };
        let models = self.m;
        let member = models.get(id);
        self.uses(frame, index, id, member, &ports);
        // A property that takes what is assigned: `ctx.body = page`.
        let takes = self.is_javascript() || !self.has_receivers();
        if takes && matches!(atom, Atom::LibObject { .. }) {
            self.sinks(frame, index, id, member, &ports, false);
        }
    }

    /// A key of a library's object is set: `flask.session["name"] = value`.
    pub(crate) fn item_set(&mut self, frame: &mut Frame, index: u32, path: Name, key: V, value: V) {
        let full = self.name(&format!("{}.__setitem__", self.text(path)));
        let Some(id) = self.path_member(full) else {
            return;
        };
        let models = self.m;
        let member = models.get(id);
        if member.path != *self.text(full) {
            return;
        }
        let args = Args::of(&[key, value]);
        let ports = Ports {
            receiver: None,
            args: &args,
        };
        self.uses(frame, index, id, member, &ports);
        self.sinks(frame, index, id, member, &ports, false);
    }

    /// Sources that fill an argument: `random.nextBytes(bytes)`.
    pub(crate) fn filled(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
        afters: &mut Vec<(u32, V)>,
    ) {
        let site = self.site(frame, index);
        for source in &member.sources {
            let is_arg = matches!(source.at.root, solvent_models::PortRoot::Arg(_));
            if !is_arg || source.at == Port::RETURN {
                continue;
            }
            let solvent_models::PortRoot::Arg(solvent_models::ArgSelector::One {
                position: Some(position),
                ..
            }) = &source.at.root
            else {
                continue;
            };
            let Some((before, Some(value))) = ports.args.pos.get(*position as usize) else {
                continue;
            };
            let set = self.source_labels(source, member, ports.receiver, ports.args, site);
            if let Some(set) = set {
                let v = self.w.store.data(set);
                let keys = Self::tag_keys(source.kind);
                let v = self
                    .decoded_into(frame, index, *before, v, keys)
                    .unwrap_or(v);
                afters.push((*value, v));
            }
        }
    }
}
