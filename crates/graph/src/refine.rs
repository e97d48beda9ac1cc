//! What a check says about values: facts for the request that must pass it, and taint that it ends.

mod again;
mod guard;
mod member;
mod position;

use guard::{elements_of, port_values};

use solvent_base::Name;
use solvent_ir::{self as ir, Arg, CompareOp, Const, Op, UnaryOp};
use solvent_models::{GuardSense, How, MemberId, PortStep, StepRow};

use crate::label::{Marks, Note};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

/// What a condition says about one value of the function.
pub(crate) enum Says {
    /// It is one of these constants.
    OneOf(Vec<Const>),
    /// It is harmless for these kinds, by the named check. Where a normal path is asked for, only
    /// labels that are normal (or were made so on the way to the check) are cleared.
    Harmless {
        kinds: u64,
        by: Name,
        normal: Option<Normal>,
    },
    /// It has these marks.
    Marked(u16),
    /// Truthy, or not.
    Truth(bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Normal {
    /// The check was made on a normal form of the value.
    Checked,
    /// The value itself must be normal.
    Asked,
}

/// How deep conditions and derivations are followed.
pub(crate) const MAX_DEPTH: u32 = 6;

/// Versions of one value that are gone back; a check of what is older says nothing of it. Programs write functions
/// that check one variable a hundred thousand times.
const MAX_VERSIONS: u32 = 1_000;

impl Machine<'_> {
    /// The value, knowing that the condition was `holds`.
    pub(crate) fn refine(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        value: ir::Value,
        v: V,
        condition: ir::Value,
        holds: bool,
    ) -> V {
        let mut out = v;
        for said in self.says(frame, function, value, condition, holds, 0) {
            out = match said {
                Says::OneOf(list) => {
                    let is_none = list == [Const::None];
                    if self.w.store.deep(out) != Ls::NONE && !is_none {
                        // The label stays, harmless, so that the verdict can say what made it so.
                        let site = self.site(frame, condition.0);
                        let by = self.name("comparison with constants");
                        let note = Note::Guarded {
                            site,
                            by,
                            kinds: u64::MAX,
                        };
                        self.w.store.clear(out, u64::MAX, note)
                    } else if self.w.store.constants(out).is_some() {
                        out
                    } else {
                        let mut v = V::NEVER;
                        for c in list {
                            let c = self.w.store.konst(c);
                            v = self.w.store.join(v, c);
                        }
                        v
                    }
                }
                Says::Truth(truth) => {
                    let mut all = Vec::new();
                    for atom in self.w.store.atoms_of(out) {
                        if self.w.store.atom_truth(&atom).is_none_or(|t| t == truth) {
                            all.push(atom);
                        }
                    }
                    let plain = all.iter().all(|a| {
                        matches!(
                            a,
                            Atom::Text(_) | Atom::Data(_) | Atom::Const(_) | Atom::Coll { .. }
                        )
                    });
                    let kept = self.w.store.bounded_value(all);
                    if truth || !plain || self.w.store.deep(kept) == Ls::NONE {
                        kept
                    } else {
                        // What is false holds nothing: an empty text, no items, zero.
                        let site = self.site(frame, condition.0);
                        let by = self.name("being empty");
                        let note = Note::Guarded {
                            site,
                            by,
                            kinds: u64::MAX,
                        };
                        self.w.store.clear(kept, u64::MAX, note)
                    }
                }
                Says::Marked(marks) => self.marked(out, marks),
                Says::Harmless { kinds, by, normal } => {
                    let site = self.site(frame, condition.0);
                    let note = Note::Guarded { site, by, kinds };
                    match normal {
                        None | Some(Normal::Checked) => self.w.store.clear(out, kinds, note),
                        Some(Normal::Asked) => self.w.store.map_each(out, &mut |store, mut l| {
                            if l.marks.has(Marks::NORMAL) && l.kills & kinds != kinds {
                                l.kills |= kinds;
                                l.notes = store.noted(l.notes, note);
                            }
                            l
                        }),
                    }
                }
            };
        }
        out
    }

    pub(crate) fn base(function: &ir::Function, mut value: ir::Value) -> ir::Value {
        // The call that checks a value makes a new version of it.
        for _ in 0..MAX_VERSIONS {
            let (Op::Refine { value: inner, .. } | Op::After { object: inner, .. }) =
                function.op(value)
            else {
                break;
            };
            value = *inner;
        }
        value
    }

    /// Whether `from` is `value`, or made from it in a way that keeps what matters to a check; the
    /// flag says whether it was made normal on the way.
    pub(crate) fn derives(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        from: ir::Value,
        value: ir::Value,
        depth: u32,
    ) -> Option<(bool, bool)> {
        let from = Self::base(function, from);
        if from == Self::base(function, value) {
            return Some((true, false));
        }
        if depth > MAX_DEPTH {
            return None;
        }
        match function.op(from) {
            Op::After { object, .. } => self.derives(frame, function, *object, value, depth + 1),
            Op::Phi(inputs) if inputs.len() == 1 => {
                self.derives(frame, function, inputs[0].1, value, depth + 1)
            }
            Op::Call { callee, args } => {
                let members = self.callee_members(frame, function, *callee, args);
                let mut passes = false;
                let mut normal = false;
                for id in members {
                    // What takes a part of something says nothing of the rest: `query.Get("a")`.
                    let takes_part = |step: &&StepRow| {
                        let whole = |part: &PortStep| matches!(part, PortStep::Any);
                        step.from.path.iter().all(whole)
                    };
                    for step in self.m.get(id).steps.iter().filter(takes_part) {
                        match step.how {
                            How::PathNormalize => {
                                normal = true;
                                passes = true;
                            }
                            How::PathJoin if self.joins_cleanly() => {
                                normal = true;
                                passes = true;
                            }
                            How::Value
                            | How::Recode
                            | How::Strip
                            | How::Lower
                            | How::Upper
                            | How::PathJoin
                            | How::UrlDecode => passes = true,
                            _ => {}
                        }
                    }
                }
                if !passes {
                    return None;
                }
                let mut sources: Vec<ir::Value> = args.iter().map(Arg::value).collect();
                if let Op::Attr { base, .. } = function.op(*callee) {
                    sources.push(*base);
                }
                for source in sources {
                    if let Some((_, below)) =
                        self.derives(frame, function, source, value, depth + 1)
                    {
                        return Some((false, below || normal));
                    }
                }
                None
            }
            Op::Binary { left, right, .. } => {
                // `root / name` and `root + name` contain the value.
                let (left, right) = (*left, *right);
                for side in [left, right] {
                    if let Some((_, below)) = self.derives(frame, function, side, value, depth + 1)
                    {
                        return Some((false, below));
                    }
                }
                None
            }
            Op::Format(parts) => {
                let sides: Vec<ir::Value> = parts
                    .iter()
                    .filter_map(|p| match p {
                        ir::FormatPart::Value { value, .. } => Some(*value),
                        ir::FormatPart::Literal(_) => None,
                    })
                    .collect();
                for side in sides {
                    if let Some((_, below)) = self.derives(frame, function, side, value, depth + 1)
                    {
                        return Some((false, below));
                    }
                }
                None
            }
            _ => None,
        }
    }

    /// Members of the models that a call in the text leads to.
    pub(crate) fn callee_members(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        callee: ir::Value,
        args: &[Arg],
    ) -> Vec<MemberId> {
        let v = frame.vals[callee.0 as usize];
        let _ = function;
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Lib(path) => out.extend(self.path_member(path)),
                Atom::Member { receiver, name } => {
                    for atom in self.w.store.atoms_of(receiver) {
                        let class = match atom {
                            Atom::Const(Const::Str(_)) | Atom::Text(_) => self.name("builtins.str"),
                            Atom::Const(_) => continue,
                            Atom::LibObject { class, .. } => class,
                            Atom::Coll {
                                kind: CollKind::Dict,
                                ..
                            } => self.name("builtins.dict"),
                            Atom::Coll { .. } => self.name("builtins.list"),
                            _ => {
                                let text = self.text(name);
                                let paths: Vec<String> = self
                                    .m
                                    .methods_named(&text, args.len() as u32)
                                    .map(|m| m.path.clone())
                                    .collect();
                                for path in paths {
                                    let path = self.name(&path);
                                    out.extend(self.path_member(path));
                                }
                                continue;
                            }
                        };
                        out.extend(self.class_member(class, name));
                    }
                }
                _ => {}
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    pub(crate) fn says(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        value: ir::Value,
        condition: ir::Value,
        holds: bool,
        depth: u32,
    ) -> Vec<Says> {
        let mut out = Vec::new();
        if depth > MAX_DEPTH {
            return out;
        }
        if Self::base(function, condition) == Self::base(function, value) {
            out.push(Says::Truth(holds));
            return out;
        }
        match function.op(condition) {
            Op::Unary {
                op: UnaryOp::Not,
                operand,
            } => {
                return self.says(frame, function, value, *operand, !holds, depth + 1);
            }
            Op::Refine { value: inner, .. } => {
                return self.says(frame, function, value, *inner, holds, depth + 1);
            }
            Op::Compare { op, left, right } => {
                let (op, left, right) = (*op, *left, *right);
                self.says_compare(
                    frame,
                    function,
                    value,
                    (op, left, right),
                    holds,
                    depth,
                    &mut out,
                );
            }
            // One of several results.
            Op::Call { callee, args } if self.is_nth(frame, *callee) => {
                if let Some(call) = args.first().map(Arg::value) {
                    return self.says(frame, function, value, call, holds, depth + 1);
                }
            }
            // `allowed[x]`, of a map that the program has written.
            Op::Index { base, key } if holds && self.is_go() => {
                let (base, key) = (*base, *key);
                self.says_key(frame, function, value, base, key, &mut out);
            }
            Op::Call { callee, args } => {
                let (callee, args) = (*callee, args.clone());
                let sense = if holds {
                    GuardSense::True
                } else {
                    GuardSense::False
                };
                self.says_call(
                    frame, function, value, condition, callee, &args, sense, &mut out,
                );
            }
            _ => {}
        }
        out
    }

    fn is_nth(&self, frame: &Frame, callee: ir::Value) -> bool {
        let callee = frame.vals[callee.0 as usize];
        matches!(self.w.store.only(callee), Some(Atom::Lib(path)) if &*self.text(*path) == "<nth>")
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a comparison and where it stands"
    )]
    pub(crate) fn says_compare(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        value: ir::Value,
        (op, left, right): (CompareOp, ir::Value, ir::Value),
        holds: bool,
        depth: u32,
        out: &mut Vec<Says>,
    ) {
        let (op, positive) = match op {
            CompareOp::NotEq => (CompareOp::Eq, !holds),
            CompareOp::IsNot => (CompareOp::Is, !holds),
            CompareOp::NotIn => (CompareOp::In, !holds),
            other => (other, holds),
        };
        self.says_position(frame, function, value, (op, left, right), positive, out);
        match op {
            CompareOp::Eq | CompareOp::Is => {
                for (side, other) in [(left, right), (right, left)] {
                    let other_value = frame.vals[other.0 as usize];
                    let other_const = self.w.store.constants(other_value);
                    let is_none = self.w.store.constant(other_value) == Some(&Const::None);
                    // `allowed(x) == false`
                    if let Some(Const::Bool(truth)) = self.w.store.constant(other_value)
                        && self.has_receivers()
                    {
                        let (base, truth) = (Self::base(function, side), *truth);
                        let holds = positive == truth;
                        out.extend(self.says(frame, function, value, base, holds, depth + 1));
                    }
                    let op = function.op(Self::base(function, side)).clone();
                    if let Op::Call { callee, args } = op {
                        // `re.match(..) is None`, `os.path.commonpath(..) == root`.
                        if is_none {
                            let base = Self::base(function, side);
                            out.extend(self.says(
                                frame,
                                function,
                                value,
                                base,
                                !positive,
                                depth + 1,
                            ));
                        } else {
                            let sense = if positive {
                                GuardSense::Equal
                            } else {
                                GuardSense::NotEqual
                            };
                            let base = Self::base(function, side);
                            self.says_call(frame, function, value, base, callee, &args, sense, out);
                        }
                    }
                    if let Some(list) = &other_const {
                        let list = list.clone();
                        out.extend(self.says_type(frame, function, side, value, &list, positive));
                    }
                    if positive && other_const.is_some() && !is_none {
                        self.says_of_part(frame, function, side, value, out);
                    }
                    let Some((same, _)) = self.derives(frame, function, side, value, 0) else {
                        continue;
                    };
                    if is_none && same {
                        out.push(Says::Truth(!positive));
                        if positive {
                            out.pop();
                            out.push(Says::OneOf(vec![Const::None]));
                        } else {
                            out.pop();
                        }
                        continue;
                    }
                    if !positive {
                        continue;
                    }
                    match other_const {
                        Some(list) if same => out.push(Says::OneOf(list)),
                        Some(_) => {
                            let by = self.name("comparison with a constant");
                            out.push(Says::Harmless {
                                kinds: u64::MAX,
                                by,
                                normal: None,
                            });
                        }
                        None => {}
                    }
                }
            }
            CompareOp::Lt | CompareOp::LtEq | CompareOp::Gt | CompareOp::GtEq => {
                // What is less than something has an end.
                let less = match op {
                    CompareOp::Lt | CompareOp::LtEq => left,
                    _ => right,
                };
                let less = match positive {
                    true => less,
                    false if less == left => right,
                    false => left,
                };
                if self.derives(frame, function, less, value, 0).is_some() {
                    let by = self.name("comparison with a limit");
                    out.push(Says::Harmless {
                        kinds: self.m.of_numbers().0,
                        by,
                        normal: None,
                    });
                }
            }
            CompareOp::In => {
                let container = frame.vals[right.0 as usize];
                if positive && self.w.store.deep(container) == Ls::NONE {
                    self.says_of_part(frame, function, left, value, out);
                }
                let untainted = self.w.store.deep(container) == Ls::NONE && container != V::NEVER;
                if positive
                    && untainted
                    && let Some((same, _)) = self.derives(frame, function, left, value, 0)
                {
                    match self.listed(container) {
                        Some(list) if same && list.len() <= 8 => out.push(Says::OneOf(list)),
                        _ => {
                            let by = self.name("membership in a list of allowed values");
                            out.push(Says::Harmless {
                                kinds: u64::MAX,
                                by,
                                normal: None,
                            });
                        }
                    }
                }
                let derived = if positive {
                    None
                } else {
                    self.derives(frame, function, right, value, 0)
                };
                if derived.is_none() && !positive {
                    let texts = self.constant_texts(frame.vals[left.0 as usize]);
                    let texts = texts.unwrap_or_default();
                    let marks = self.not_inside(frame, function, right, value, &texts);
                    if marks != 0 {
                        out.push(Says::Marked(marks));
                    }
                }
                if let Some((whole, _)) = derived {
                    let part = frame.vals[left.0 as usize];
                    self.says_lacking(part, whole, out);
                }
                // `root in path.parents`.
                if positive
                    && let Op::Attr { base, name } = function.op(Self::base(function, right))
                    && &*self.text(*name) == "parents"
                {
                    let base = *base;
                    if let Some((_, normal)) = self.derives(frame, function, base, value, 0) {
                        self.path_guard("a comparison with the path's parents", normal, out);
                    }
                }
            }
            _ => {}
        }
    }

    /// What it says of an address that a part of it (`parts.netloc`) is one of known texts.
    fn says_of_part(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        part: ir::Value,
        value: ir::Value,
        out: &mut Vec<Says>,
    ) {
        let Op::Attr { base, name } = *function.op(Self::base(function, part)) else {
            return;
        };
        let classes: Vec<Name> = self
            .w
            .store
            .atoms(frame.vals[base.0 as usize])
            .filter_map(|a| match a {
                Atom::LibObject { class, .. } => Some(*class),
                _ => None,
            })
            .collect();
        for class in classes {
            let Some(id) = self.class_member(class, name) else {
                continue;
            };
            let models = self.m;
            for guard in &models.get(id).guards {
                if guard.holds_when == GuardSense::Equal
                    && self.derives(frame, function, base, value, 0).is_some()
                {
                    let by = self.name(&models.get(id).path);
                    let kinds = guard.clears.0;
                    let normal = None;
                    out.push(Says::Harmless { kinds, by, normal });
                }
            }
        }
    }

    pub(crate) fn path_guard(&mut self, by: &str, normal: bool, out: &mut Vec<Says>) {
        let mut kinds = 0;
        for name in ["file-path-read", "file-path-write"] {
            if let Some(kind) = self.m.kind(name) {
                kinds |= 1 << kind.index();
            }
        }
        let by = self.name(by);
        let normal = Some(if normal {
            Normal::Checked
        } else {
            Normal::Asked
        });
        out.push(Says::Harmless { kinds, by, normal });
    }

    /// The constants in a container, when that is all it can hold.
    pub(crate) fn listed(&self, v: V) -> Option<Vec<Const>> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            let Atom::Coll {
                kind,
                kids,
                rest,
                keys,
            } = atom
            else {
                return None;
            };
            if *rest != V::NEVER || *keys != Ls::NONE {
                return None;
            }
            for (key, v) in &**kids {
                if *kind == CollKind::Dict {
                    out.push(key.clone());
                } else {
                    out.push(self.w.store.constant(*v)?.clone());
                }
            }
        }
        Some(out)
    }

    #[expect(clippy::too_many_arguments, reason = "a call and where it stands")]
    pub(crate) fn says_call(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        value: ir::Value,
        call: ir::Value,
        callee: ir::Value,
        args: &[Arg],
        sense: GuardSense,
        out: &mut Vec<Says>,
    ) {
        self.says_membership(frame, function, value, callee, args, sense, out);
        for id in self.callee_members(frame, function, callee, args) {
            let models = self.m;
            let member = models.get(id);
            for guard in &member.guards {
                if guard.holds_when != sense || self.holds_for_all_paths(frame, member, args) {
                    continue;
                }
                let Some(at) = port_values(function, callee, args, &guard.at) else {
                    continue;
                };
                for side in at {
                    let elements = elements_of(function, side);
                    for side in elements {
                        let Some((_, normal)) = self.derives(frame, function, side, value, 0)
                        else {
                            continue;
                        };
                        let kinds = match &guard.pattern {
                            None => guard.clears.0,
                            Some(port) => {
                                self.guard_kinds(frame, function, callee, args, member, port)
                                    & guard.clears.0
                            }
                        };
                        let by = self.name(&member.path);
                        let normal = guard.requires.map(|_| {
                            if normal {
                                Normal::Checked
                            } else {
                                Normal::Asked
                            }
                        });
                        if kinds != 0 {
                            out.push(Says::Harmless { kinds, by, normal });
                        }
                    }
                }
            }
            // An absolute path is refused.
            let refuses = matches!(
                (member.path.as_str(), sense),
                (
                    "os.path.isabs" | "pathlib.PurePath.is_absolute",
                    GuardSense::False
                )
            );
            let slash = member.path == "builtins.str.startswith"
                && sense == GuardSense::False
                && args.first().is_some_and(|a| {
                    let v = frame.vals[a.value().0 as usize];
                    self.constant_texts(v)
                        .is_some_and(|t| t.iter().all(|t| t == "/"))
                        || self.exact_items(v).is_some_and(|items| {
                            items.iter().any(|v| {
                                self.constant_texts(*v)
                                    .is_some_and(|t| t.iter().all(|t| t == "/"))
                            })
                        })
                });
            self.says_of_start(frame, function, value, member, callee, args, sense, out);
            if refuses || slash {
                let mut sides: Vec<ir::Value> = args.iter().map(Arg::value).collect();
                if let Op::Attr { base, .. } = function.op(callee) {
                    sides.push(*base);
                }
                for side in sides {
                    if self.derives(frame, function, side, value, 0).is_some() {
                        out.push(Says::Marked(Marks::NOT_ABSOLUTE));
                    }
                }
            }
        }
        let v = frame.vals[callee.0 as usize];
        let is_instance =
            self.w.store.atoms(v).any(
                |a| matches!(a, Atom::Lib(path) if &*self.text(*path) == "builtins.isinstance"),
            );
        if is_instance
            && sense == GuardSense::True
            && let [subject, class, ..] = args
            && self
                .derives(frame, function, subject.value(), value, 0)
                .is_some_and(|(same, _)| same)
        {
            let class = frame.vals[class.value().0 as usize];
            let numeric = self.w.store.atoms(class).all(|a| {
                matches!(a, Atom::Lib(path) if matches!(&*self.text(*path), "builtins.int" | "builtins.float" | "builtins.bool"))
            });
            if numeric {
                let by = self.name("isinstance");
                out.push(Says::Harmless {
                    kinds: u64::MAX,
                    by,
                    normal: None,
                });
            }
        }
        // A function of the program that vouches for its argument.
        if matches!(sense, GuardSense::True | GuardSense::False)
            && let Some(calls) = frame.own_calls.get(&call.0).cloned()
        {
            let mut common: Option<(u64, u16)> = None;
            let mut by = self.w.store.empty;
            for (id, sources) in calls {
                let mut this = (0, 0);
                for (param, source) in sources {
                    if self
                        .derives(frame, function, ir::Value(source), value, 0)
                        .is_none()
                    {
                        continue;
                    }
                    let summary = self.w.summary(id);
                    let vouches = match sense {
                        GuardSense::True => &summary.vouches.truthy,
                        _ => &summary.vouches.falsy,
                    };
                    for (p, kinds, marks) in vouches.iter().flatten() {
                        if *p == param {
                            this.0 |= kinds;
                            this.1 |= marks;
                        }
                    }
                    by = self.p.function(summary.function).name;
                }
                common = Some(match common {
                    None => this,
                    Some((k, m)) => (k & this.0, m & this.1),
                });
            }
            if let Some((kinds, marks)) = common {
                if kinds != 0 {
                    out.push(Says::Harmless {
                        kinds,
                        by,
                        normal: None,
                    });
                }
                if marks != 0 {
                    out.push(Says::Marked(marks));
                }
            }
        }
    }
}
