//! Guards whose argument decides what they let pass: patterns, and the values that they ask about.

use solvent_ir::{self as ir, Arg, Const, Op};
use solvent_models::{ArgSelector, GuardSense, Member, Port, PortRoot, pattern};

use super::Says;
use crate::call::Args;
use crate::label::{Marks, Note};
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, V};

impl Machine<'_> {
    /// Kinds for which a match of the pattern at `port` leaves nothing harmful.
    pub(super) fn guard_kinds(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        callee: ir::Value,
        args: &[Arg],
        member: &Member,
        port: &Port,
    ) -> u64 {
        let built = Args {
            pos: args
                .iter()
                .filter_map(|a| match a {
                    Arg::Positional(v) => Some((frame.vals[v.0 as usize], None)),
                    _ => None,
                })
                .collect(),
            named: args
                .iter()
                .filter_map(|a| match a {
                    Arg::Named(n, v) => Some((*n, frame.vals[v.0 as usize], None)),
                    _ => None,
                })
                .collect(),
            ..Args::default()
        };
        let receiver = match function.op(callee) {
            Op::Attr { base, .. } => Some(frame.vals[base.0 as usize]),
            _ => None,
        };
        let ports = Ports {
            receiver,
            args: &built,
        };
        // `PATTERN.matcher(text).matches()`
        let matcher = match function.op(callee) {
            Op::Attr { base, .. } if member.path.starts_with("java.util.regex.Matcher.") => {
                match function.op(Self::base(function, *base)) {
                    Op::Call { callee, .. } => match function.op(*callee) {
                        Op::Attr { base, .. } => Some(frame.vals[base.0 as usize]),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        };
        let Some(v) = matcher.or_else(|| self.port_plain(port, &ports)) else {
            return 0;
        };
        let Some(text) = self.pattern_text(v) else {
            return 0;
        };
        let anchoring = match member.path.rsplit('.').next() {
            Some("fullmatch" | "matches") => pattern::Anchoring::Full,
            Some("match") if !self.has_receivers() => pattern::Anchoring::Start,
            _ => pattern::Anchoring::Search,
        };
        match pattern::allowed_by_match(&text, anchoring) {
            Some(sets) => self.kinds_without(&sets),
            None => 0,
        }
    }

    /// `x.startswith("/")` and `not x.startswith("//")`, and quotes at both ends.
    #[expect(clippy::too_many_arguments, reason = "a call and where it stands")]
    pub(super) fn says_of_start(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        value: ir::Value,
        member: &Member,
        callee: ir::Value,
        args: &[Arg],
        sense: GuardSense,
        out: &mut Vec<Says>,
    ) {
        let at_end = match member.path.as_str() {
            "builtins.str.startswith" | "String.startsWith" => false,
            "builtins.str.endswith" | "String.endsWith" => true,
            _ => return,
        };
        let (Op::Attr { base, .. }, Some(first)) = (function.op(callee), args.first()) else {
            return;
        };
        let texts = self.constant_texts(frame.vals[first.value().0 as usize]);
        if let (Some([one]), GuardSense::False, false) = (texts.as_deref(), sense, at_end)
            && one == ".."
        {
            self.says_relative(frame, function, value, *base, out);
        }
        let mark = match (texts.as_deref(), sense) {
            (Some([one]), GuardSense::True) => match (one.as_str(), at_end) {
                ("/", false) => Marks::FROM_ROOT,
                ("'", false) => Marks::SINGLE_BEGINS,
                ("'", true) => Marks::SINGLE_ENDS,
                ("\"", false) => Marks::DOUBLE_BEGINS,
                ("\"", true) => Marks::DOUBLE_ENDS,
                _ => return,
            },
            (Some([one]), GuardSense::False) if one == "//" && !at_end => Marks::NO_AUTHORITY,
            _ => return,
        };
        let whole = self.derives(frame, function, *base, value, 0);
        if whole.is_some_and(|(same, _)| same) {
            out.push(Says::Marked(mark));
        }
    }

    /// `path.startswith("/")`: every absolute path begins so, which keeps none of them below a folder.
    pub(super) fn holds_for_all_paths(&self, frame: &Frame, member: &Member, args: &[Arg]) -> bool {
        if !matches!(
            member.path.as_str(),
            "builtins.str.startswith" | "String.startsWith"
        ) {
            return false;
        }
        let begins = args.first().map(|arg| frame.vals[arg.value().0 as usize]);
        let texts = begins.and_then(|v| self.constant_texts(v));
        texts.is_some_and(|texts| texts.iter().any(|text| matches!(text.as_str(), "" | "/")))
    }

    /// `"'" not in x[1:-1]`.
    pub(super) fn not_inside(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        container: ir::Value,
        value: ir::Value,
        texts: &[String],
    ) -> u16 {
        let Op::Slice {
            base,
            lower: Some(lower),
            upper: Some(upper),
            step: None,
        } = *function.op(Self::base(function, container))
        else {
            return 0;
        };
        let is = |v: ir::Value, i: i64| {
            self.w.store.constant(frame.vals[v.0 as usize]) == Some(&Const::Int(i))
        };
        if !is(lower, 1) || !is(upper, -1) {
            return 0;
        }
        let whole = self.derives(frame, function, base, value, 0);
        match texts {
            [one] if whole.is_some_and(|(same, _)| same) => match one.as_str() {
                "'" => Marks::SINGLE_NOT_INSIDE,
                "\"" => Marks::DOUBLE_NOT_INSIDE,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// The value with more marks; where they make it one text in quotes, it is noted what had happened to it by then.
    pub(super) fn marked(&mut self, v: V, marks: u16) -> V {
        let v = self.w.store.mark(v, marks);
        self.w.store.map_each(v, &mut |store, mut label| {
            let completes = |all: &u16| all & marks != 0 && label.marks.has(*all);
            if Marks::QUOTED.iter().any(completes) {
                let chain = label.chain;
                label.notes = store.noted(label.notes, Note::Quoted { chain });
            }
            label
        })
    }
}

impl Machine<'_> {
    /// `typeof x === "string"`, and the other answers that no object gives.
    pub(super) fn says_type(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        side: ir::Value,
        value: ir::Value,
        answers: &[Const],
        positive: bool,
    ) -> Option<Says> {
        if !self.is_javascript() {
            return None;
        }
        let Op::Call { callee, args } = function.op(Self::base(function, side)) else {
            return None;
        };
        let asked = args.first()?.value();
        let is_typeof = match self.w.store.only(frame.vals[callee.0 as usize]) {
            Some(Atom::Lib(path)) => &*self.text(*path) == "<typeof>",
            _ => false,
        };
        if !is_typeof || Self::base(function, asked) != Self::base(function, value) {
            return None;
        }
        let is = |wanted: &[&str]| {
            answers.iter().all(|c| match c {
                Const::Str(name) => wanted.contains(&&*self.text(*name)),
                _ => false,
            })
        };
        let by = self.name("a check of its type");
        let normal = None;
        if positive && is(&["number", "boolean", "bigint", "undefined"]) {
            let kinds = u64::MAX;
            return Some(Says::Harmless { kinds, by, normal });
        }
        let no_object = (positive && is(&["string"])) || (!positive && is(&["object"]));
        let kinds = 1 << self.m.kind("nosql-query")?.index();
        no_object.then_some(Says::Harmless { kinds, by, normal })
    }
}

/// Values in the function's text at a port of a call.
pub(super) fn port_values(
    function: &ir::Function,
    callee: ir::Value,
    args: &[Arg],
    port: &Port,
) -> Option<Vec<ir::Value>> {
    match &port.root {
        PortRoot::Receiver => match function.op(callee) {
            Op::Attr { base, .. } => Some(vec![*base]),
            _ => None,
        },
        PortRoot::Arg(ArgSelector::One { position, .. }) => {
            let at = args.iter().filter(|a| matches!(a, Arg::Positional(_)));
            let found = at
                .map(Arg::value)
                .nth(position.map_or(usize::MAX, |p| p as usize))?;
            Some(vec![found])
        }
        PortRoot::Arg(_) => Some(args.iter().map(Arg::value).collect()),
        PortRoot::Return | PortRoot::Param(_) | PortRoot::Stored => None,
    }
}

/// The value itself, or the elements of the display that it is.
pub(super) fn elements_of(function: &ir::Function, value: ir::Value) -> Vec<ir::Value> {
    match function.op(value) {
        Op::Sequence { items, .. } => items
            .iter()
            .map(|i| match i {
                ir::Item::One(v) | ir::Item::Spread(v) => *v,
            })
            .collect(),
        _ => vec![value],
    }
}
