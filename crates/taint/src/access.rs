//! Objects that are looked up by what a request says, behind a check of who is there that does not say whose they are.
//!
//! Nothing proves from the text alone that an object belongs to somebody, so nothing is said but `undecided`, with what
//! was looked for: a place after the look-up or in it where the caller's identity takes part. Who is there is read by
//! names ([`mentions`]), in every function that answers; where it takes part in anything but a check that somebody is
//! there, and on the way to the look-up or from it, nothing is said.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use solvent_finding::{
    Carrier, EntryPoint, Finding, Fingerprint, Sink, SinkKind, Step, StepKind, Stop, Verdict,
    WeaknessId,
};
use solvent_graph::label::{Label, Origin, TraceKind};
use solvent_graph::shape::successors;
use solvent_graph::value::Atom;
use solvent_graph::world::Hit;
use solvent_graph::{FnId, RootKind, Site};
use solvent_ir::{self as ir, CompareOp, Const, Function, Op, Terminator};
use solvent_models::{Judge, Weakness};

use crate::judge::{View, severity};
use words::{ADMINISTRATION, ARRIVALS, IDENTITY, KEYS, OF_REQUESTS, OUTPUT, REQUESTS, ROLES};

/// What a function does with who is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    /// Asks whether somebody is there.
    Asked,
    /// Something else depends on it.
    Decides,
}

impl View<'_> {
    /// Findings of weaknesses that are judged by who may have an object.
    pub(crate) fn access(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        let mut out = Vec::new();
        let of_access = |w: &&Weakness| w.judged_by == Judge::Access;
        for weakness in self.models.weaknesses().iter().filter(of_access) {
            let mut done: BTreeMap<Site, usize> = BTreeMap::new();
            for root in self.roots {
                let RootKind::Entry(i) = root.kind else {
                    continue;
                };
                let Some(entry) = entries.get(i) else {
                    continue;
                };
                if entry.auth.iter().any(|name| names_role(name)) || arrives(&entry.route) {
                    continue;
                }
                let functions: BTreeSet<FnId> = root
                    .summaries
                    .iter()
                    .map(|id| self.world.summary(*id).function)
                    .collect();
                let found = root.hits.iter().find_map(|hit| {
                    let kind = self
                        .models
                        .get(hit.sink.member)
                        .sinks
                        .get(hit.sink.row as usize)?
                        .kind;
                    if !weakness.into.contains(kind) {
                        return None;
                    }
                    let label = self.names_object(hit)?;
                    let passed = self.passed(hit, label);
                    self.is_unchecked(entry, &functions, &passed)
                        .then_some((hit, label))
                });
                let Some((hit, label)) = found else { continue };
                if let Some(at) = done.get(&hit.sink.site) {
                    // One handler under several routes.
                    let first: &Finding = &out[*at];
                    if first.entry.as_ref().map(|e| &e.handler) == Some(&entry.handler) {
                        continue;
                    }
                }
                done.insert(hit.sink.site, out.len());
                out.extend(self.access_finding(weakness, entry, hit, label));
            }
        }
        out
    }

    /// Routes for administrators that let anybody in who is logged in.
    pub(crate) fn roles(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        let mut out = Vec::new();
        let of_roles = |w: &&Weakness| w.judged_by == Judge::Role;
        for weakness in self.models.weaknesses().iter().filter(of_roles) {
            for root in self.roots {
                let RootKind::Entry(i) = root.kind else {
                    continue;
                };
                let Some(entry) = entries.get(i) else {
                    continue;
                };
                let mut segments = entry.route.split('/').map(str::to_lowercase);
                let for_some = segments.any(|s| ADMINISTRATION.contains(&s.as_str()));
                if !for_some
                    || entry.auth.is_empty()
                    || entry.auth.iter().any(|name| names_role(name))
                {
                    continue;
                }
                let decides = root.summaries.iter().any(|id| {
                    let f = self.world.summary(*id).function;
                    self.identity_in(f) == Some(Part::Decides)
                });
                if !decides {
                    out.extend(self.role_finding(weakness, entry));
                }
            }
        }
        out
    }

    fn role_finding(&self, weakness: &Weakness, entry: &EntryPoint) -> Option<Finding> {
        let kind = weakness.into.iter().next()?;
        let info = self.models.kind_info(kind);
        let behind = entry.auth.join("`, `");
        let step = |kind: StepKind, what: String| Step {
            kind,
            location: entry.location.clone(),
            function: entry.handler.clone(),
            what,
            text: String::new(),
        };
        Some(Finding {
            fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title: format!("{}: {}", info.words, entry.label()),
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: entry.framework.clone(),
                location: entry.location.clone(),
                function: entry.handler.clone(),
                text: String::new(),
            },
            entry: Some(entry.clone()),
            flows: Vec::new(),
            way: vec![
                step(
                    StepKind::Source,
                    format!("answers {} behind `{behind}`", entry.label()),
                ),
                step(StepKind::Sink, format!("is {}", info.words)),
            ],
            verdict: Verdict::Undecided {
                stops: vec![Stop::NoCheckSeen {
                    location: entry.location.clone(),
                    what: format!(
                        "`{behind}` lets anybody in who is logged in, and who it is takes no part in the answer, whose route is one for administrators by its name"
                    ),
                }],
            },
        })
    }

    /// Whether one of these functions asks who is there.
    pub(crate) fn asks_who_is_there(&self, functions: &BTreeSet<FnId>) -> bool {
        functions.iter().any(|f| self.identity_in(*f).is_some())
    }

    /// The most that a function does with who is there, anywhere in it.
    fn identity_in(&self, f: FnId) -> Option<Part> {
        if let Some(known) = self.identity.borrow().get(&f) {
            return *known;
        }
        let found = self.part_of_identity(self.graph.program.function(f), None);
        self.identity.borrow_mut().insert(f, found);
        found
    }

    /// The input that says which object is meant.
    fn names_object(&self, hit: &Hit) -> Option<Label> {
        if self
            .world
            .store
            .atoms(hit.value)
            .any(|a| matches!(a, Atom::Fn { .. }))
        {
            return None;
        }
        let deep = self.world.store.deep(hit.value);
        let labels = self.world.store.labels(deep);
        let of_request = |label: &&Label| {
            let Origin::Input(id) = label.origin else {
                return false;
            };
            let input = self.world.store.input(id);
            let name = self.tracer.names.text(input.name);
            match input.carrier {
                Carrier::PathSegment => true,
                Carrier::Query | Carrier::Form | Carrier::Json => is_key(&name),
                _ => false,
            }
        };
        let identity = |label: &Label| match label.origin {
            Origin::Input(id) => matches!(
                self.world.store.input(id).carrier,
                Carrier::Session | Carrier::Cookie | Carrier::Header
            ),
            _ => false,
        };
        // Who gives a password beside it is who it says.
        let password = |label: &Label| match label.origin {
            Origin::Input(id) => {
                let name = self.tracer.names.text(self.world.store.input(id).name);
                name.to_lowercase().contains("pass")
            }
            _ => false,
        };
        if labels
            .iter()
            .any(|label| identity(label) || password(label))
        {
            return None;
        }
        labels.iter().find(of_request).copied()
    }

    /// Where the input passes each function on its way to the look-up.
    fn passed(&self, hit: &Hit, label: Label) -> BTreeMap<FnId, BTreeSet<u32>> {
        let mut out: BTreeMap<FnId, BTreeSet<u32>> = BTreeMap::new();
        out.entry(hit.sink.site.function)
            .or_default()
            .insert(hit.sink.site.inst);
        for hop in self.world.store.hops(label.trace) {
            if hop.kind == TraceKind::Call {
                out.entry(hop.site.function)
                    .or_default()
                    .insert(hop.site.inst);
            }
        }
        out
    }

    /// Whether somebody must be there, and who it is decides nothing.
    fn is_unchecked(
        &self,
        entry: &EntryPoint,
        functions: &BTreeSet<FnId>,
        passed: &BTreeMap<FnId, BTreeSet<u32>>,
    ) -> bool {
        let mut asked = !entry.auth.is_empty();
        for f in functions {
            let function = self.graph.program.function(*f);
            let on_the_way = passed.get(f);
            let part = match on_the_way {
                Some(_) => self.part_of_identity(function, on_the_way),
                None => self.identity_in(*f),
            };
            match part {
                Some(Part::Decides) => return false,
                Some(Part::Asked) => asked = true,
                None => {}
            }
            if on_the_way.is_some() && self.calls_a_check(function, on_the_way) {
                asked = true;
            }
        }
        asked
    }

    /// The most that a function does with who is there, at places on the way to these instructions or from them.
    fn part_of_identity(
        &self,
        function: &Function,
        passed: Option<&BTreeSet<u32>>,
    ) -> Option<Part> {
        let mut most = None;
        for (index, inst) in function.insts.iter().enumerate() {
            if !self.mentions(function, &inst.op) || !is_near(function, index as u32, passed) {
                continue;
            }
            most = most.max(self.use_of_identity(function, ir::Value(index as u32), passed));
        }
        most
    }

    /// Whether an instruction reads who is there, by the names that it reads.
    fn mentions(&self, function: &Function, op: &Op) -> bool {
        let text = |name: &solvent_base::Name| self.tracer.names.text(*name).to_lowercase();
        let is = |name: &str| IDENTITY.contains(&name);
        match op {
            Op::Attr { base, name } => {
                let name = text(name);
                let read_of = match function.op(strip(function, *base)) {
                    Op::Param(p) => function.params.get(*p as usize).map(|p| text(&p.name)),
                    Op::Global(name) | Op::Attr { name, .. } => Some(text(name)),
                    Op::Captured { name, .. } => {
                        Some(text(name).split('·').next().unwrap_or_default().to_owned())
                    }
                    Op::Import { member, module, .. } => {
                        Some(text(member.as_ref().unwrap_or(module)))
                    }
                    _ => None,
                };
                read_of.is_some_and(|of| {
                    let put_there = matches!(of.as_str(), "req" | "request" | "ctx" | "g")
                        && !OF_REQUESTS.contains(&name.as_str());
                    put_there || (is(&name) && REQUESTS.contains(&of.as_str()))
                })
            }
            Op::Import {
                member: Some(name), ..
            }
            | Op::Global(name) => {
                let name = text(name);
                is(&name) && !matches!(name.as_str(), "user" | "account" | "profile" | "auth")
            }
            Op::Index { key, .. } => matches!(
                function.op(*key),
                Op::Const(Const::Str(key)) if matches!(text(key).as_str(), "sub" | "user_id" | "userid")
            ),
            _ => false,
        }
    }

    /// What becomes of a value in its function.
    fn use_of_identity(
        &self,
        function: &Function,
        from: ir::Value,
        passed: Option<&BTreeSet<u32>>,
    ) -> Option<Part> {
        let mut seen = BTreeSet::from([from.0]);
        let mut open = vec![from];
        let mut most = None;
        let conditions = conditions(function);
        while let Some(v) = open.pop() {
            if conditions.contains(&v.0) && lets_in(function, v, Sense::Holds, passed) {
                most = Some(Part::Asked);
            }
            for (index, inst) in function.insts.iter().enumerate() {
                let mut takes = false;
                inst.op
                    .for_each_operand(&mut |operand| takes |= operand == v);
                if !takes {
                    continue;
                }
                let here = ir::Value(index as u32);
                let goes_on = match &inst.op {
                    Op::Attr { .. }
                    | Op::Phi(_)
                    | Op::After { .. }
                    | Op::Await(_)
                    | Op::Enter(_)
                    | Op::Dict(_)
                    | Op::Sequence { .. }
                    | Op::Format(_)
                    | Op::Binary { .. }
                    | Op::Element(_) => true,
                    Op::Refine { value, .. } => *value == v,
                    Op::Index { base, .. } => {
                        if *base != v {
                            return Some(Part::Decides);
                        }
                        true
                    }
                    // Whether somebody is there at all.
                    Op::Compare { op, left, right } => {
                        let other = if *left == v { *right } else { *left };
                        let nothing =
                            matches!(function.op(other), Op::Const(Const::None | Const::Bool(_)));
                        let key = matches!(op, CompareOp::In | CompareOp::NotIn)
                            && matches!(function.op(other), Op::Const(Const::Str(_)));
                        if !nothing && !key {
                            return Some(Part::Decides);
                        }
                        let sense = match op {
                            CompareOp::Is | CompareOp::Eq | CompareOp::NotIn => Sense::Fails,
                            _ => Sense::Holds,
                        };
                        if !conditions.contains(&here.0) || lets_in(function, here, sense, passed) {
                            most = Some(Part::Asked);
                        }
                        false
                    }
                    Op::Call { callee, args } => {
                        let handed = args.iter().any(|arg| arg.value() == v);
                        if handed && !self.is_output(function, *callee) {
                            return Some(Part::Decides);
                        }
                        // `session.get("user")`, `get_current_user()`
                        *callee == v
                    }
                    _ => false,
                };
                if goes_on && seen.insert(here.0) {
                    open.push(here);
                }
            }
        }
        most
    }

    fn is_output(&self, function: &Function, callee: ir::Value) -> bool {
        let name = match function.op(callee) {
            Op::Attr { name, .. } | Op::Global(name) => *name,
            Op::Captured { name, .. } => *name,
            Op::Import {
                member: Some(name), ..
            } => *name,
            _ => return false,
        };
        let name = self.tracer.names.text(name).to_lowercase();
        OUTPUT.contains(&name.split('·').next().unwrap_or_default())
    }

    /// A call, before the look-up, of something whose name says that it asks who is there, and whose answer decides a
    /// branch.
    fn calls_a_check(&self, function: &Function, passed: Option<&BTreeSet<u32>>) -> bool {
        let conditions = conditions(function);
        function.insts.iter().enumerate().any(|(index, inst)| {
            let Op::Call { callee, .. } = &inst.op else {
                return false;
            };
            let name = match function.op(*callee) {
                Op::Attr { name, .. } | Op::Global(name) | Op::Captured { name, .. } => *name,
                Op::Import {
                    member: Some(name), ..
                } => *name,
                _ => return false,
            };
            let name = self.tracer.names.text(name).to_lowercase();
            let asks = [
                "token_valid",
                "validate_token",
                "verify_token",
                "check_logged",
                "check_login",
            ]
            .iter()
            .any(|word| name.contains(word))
                || [
                    "is_logged",
                    "isloggedin",
                    "isauthenticated",
                    "is_authenticated",
                    "require_login",
                ]
                .iter()
                .any(|word| name.contains(word));
            asks && is_near(function, index as u32, passed) && {
                let here = ir::Value(index as u32);
                conditions.contains(&here.0)
                    || function.insts.iter().enumerate().any(|(at, inst)| {
                        let mut takes = false;
                        inst.op
                            .for_each_operand(&mut |v| takes |= strip(function, v) == here);
                        takes && conditions.contains(&(at as u32))
                    })
            }
        })
    }

    fn access_finding(
        &self,
        weakness: &Weakness,
        entry: &EntryPoint,
        hit: &Hit,
        label: Label,
    ) -> Option<Finding> {
        let member = self.models.get(hit.sink.member);
        let kind = member.sinks.get(hit.sink.row as usize)?.kind;
        let info = self.models.kind_info(kind);
        let Origin::Input(id) = label.origin else {
            return None;
        };
        let input = self.tracer.input(self.world.store.input(id));
        let words = crate::trace::words(&input);
        let site = hit.sink.site;
        let location = self.tracer.location(site);
        let path = self.graph.program.path_of(site.function);
        let text = self.tracer.places.line(path, self.graph.program.span(site));
        let behind = match entry.auth.as_slice() {
            [] => "a check that somebody is there".to_owned(),
            names => format!("`{}`", names.join("`, `")),
        };
        let method = member.path.rsplit('.').next().unwrap_or_default();
        Some(Finding {
            fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title: format!("{words} alone says which object `{method}` finds"),
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: method.to_owned(),
                location: location.clone(),
                function: self.symbol(site.function),
                text: text.clone(),
            },
            entry: Some(entry.clone()),
            flows: Vec::new(),
            way: vec![
                Step {
                    kind: StepKind::Source,
                    location: entry.location.clone(),
                    function: entry.handler.clone(),
                    what: format!("answers {} behind {behind}", entry.label()),
                    text: String::new(),
                },
                Step {
                    kind: StepKind::Sink,
                    location: location.clone(),
                    function: self.symbol(site.function),
                    what: format!("finds an object by {words}"),
                    text,
                },
            ],
            verdict: Verdict::Undecided {
                stops: vec![Stop::NoCheckSeen {
                    location,
                    what: format!(
                        "{behind} lets anybody in who is logged in, and who it is takes no part in what {words} finds: whether everybody may have it is not written here"
                    ),
                }],
            },
        })
    }
}

/// Whether a route is one on which somebody comes to be logged in.
pub(crate) fn arrives(route: &str) -> bool {
    let route = route.to_lowercase();
    ARRIVALS.iter().any(|word| route.contains(word))
}

/// Whether a check's name says that it asks for more than that somebody is there.
fn names_role(name: &str) -> bool {
    let name = name.to_lowercase();
    ROLES.iter().any(|word| name.contains(word))
}

/// Whether the name of an input says which object is meant: `id`, `userId`, `order_id`.
fn is_key(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let lower = last.to_lowercase();
    KEYS.contains(&lower.as_str())
        || lower.ends_with("_id")
        || lower.ends_with("_pk")
        || last.ends_with("Id")
        || last.ends_with("ID")
}

/// What decides the branches of a function.
fn conditions(function: &Function) -> BTreeSet<u32> {
    let decides = function
        .blocks
        .iter()
        .filter_map(|block| match &block.terminator {
            Terminator::Branch { condition, .. } => Some(strip(function, *condition).0),
            _ => None,
        });
    decides.collect()
}

/// What a value was before conditions were known of it.
fn strip(function: &Function, mut v: ir::Value) -> ir::Value {
    for _ in 0..12 {
        v = match function.op(v) {
            Op::Refine { value, .. } | Op::Await(value) => *value,
            Op::After { object, .. } => *object,
            Op::SetAttr { base, .. } | Op::SetIndex { base, .. } => *base,
            Op::Unary { operand, .. } => *operand,
            _ => return v,
        };
    }
    v
}

/// On which outcome of a condition somebody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sense {
    Holds,
    Fails,
}

/// Whether a condition lets on to these instructions where somebody is there, and not where nobody is.
fn lets_in(
    function: &Function,
    condition: ir::Value,
    sense: Sense,
    passed: Option<&BTreeSet<u32>>,
) -> bool {
    let Some(passed) = passed else { return true };
    let gets = |from: u32| {
        passed
            .iter()
            .filter_map(|inst| block_of(function, *inst))
            .any(|to| from == to || leads(function, from, to))
    };
    function.blocks.iter().any(|block| {
        let Terminator::Branch {
            condition: written,
            then,
            otherwise,
        } = &block.terminator
        else {
            return false;
        };
        if strip(function, *written) != condition {
            return false;
        }
        let mut v = *written;
        let mut there = sense == Sense::Holds;
        while v != condition {
            v = match function.op(v) {
                Op::Unary { operand, .. } => {
                    there = !there;
                    *operand
                }
                Op::Refine { value, .. } | Op::Await(value) => *value,
                Op::After { object, .. } => *object,
                Op::SetAttr { base, .. } | Op::SetIndex { base, .. } => *base,
                _ => return false,
            };
        }
        let (yes, no) = if there {
            (then, otherwise)
        } else {
            (otherwise, then)
        };
        gets(yes.0) && !gets(no.0)
    })
}

fn block_of(function: &Function, inst: u32) -> Option<u32> {
    let found = function
        .blocks
        .iter()
        .position(|b| (b.start..b.end).contains(&inst));
    found.map(|at| at as u32)
}

/// Whether control may pass an instruction and one of these, in either order.
fn is_near(function: &Function, index: u32, passed: Option<&BTreeSet<u32>>) -> bool {
    let Some(passed) = passed else { return true };
    let Some(here) = block_of(function, index) else {
        return true;
    };
    passed
        .iter()
        .filter_map(|inst| block_of(function, *inst))
        .any(|there| here == there || leads(function, here, there) || leads(function, there, here))
}

fn leads(function: &Function, from: u32, to: u32) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(block) = open.pop() {
        for next in successors(function, block) {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_known_by_its_name() {
        for name in ["id", "userId", "order_id", "filter._id", "ID", "uuid"] {
            assert!(is_key(name), "{name}");
        }
        for name in ["paid", "q", "identity", "name", ""] {
            assert!(!is_key(name), "{name}");
        }
    }
}
