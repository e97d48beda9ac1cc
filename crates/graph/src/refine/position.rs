//! `text.indexOf(part) === -1` and its likes: whether, and where, a part stands.

use solvent_ir::{self as ir, Arg, CompareOp, Const, Op};

use super::{Normal, Says};
use crate::machine::{Frame, Machine};
use crate::value::Ls;

/// What a comparison of a position says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Nowhere,
    Somewhere,
    AtTheBegin,
}

impl Machine<'_> {
    /// What a comparison of a position with a number says of what was searched, or of what was searched for.
    pub(super) fn says_position(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        value: ir::Value,
        (op, left, right): (CompareOp, ir::Value, ir::Value),
        holds: bool,
        out: &mut Vec<Says>,
    ) {
        for (side, other, op) in [(left, right, op), (right, left, mirrored(op))] {
            let Some(Const::Int(number)) = self.w.store.constant(frame.vals[other.0 as usize])
            else {
                continue;
            };
            let Some(stands) = stands(op, holds, *number) else {
                continue;
            };
            let Op::Call { callee, args } = function.op(Self::base(function, side)) else {
                continue;
            };
            let Some((container, element)) = self.searches(function, *callee, args) else {
                continue;
            };
            let all = frame.vals[container.0 as usize];
            match stands {
                Stands::Somewhere => {
                    if self.is_collection(all, 0)
                        && self.w.store.deep(all) == Ls::NONE
                        && self.derives(frame, function, element, value, 0).is_some()
                    {
                        let by = self.name("membership in a list of allowed values");
                        let kinds = u64::MAX;
                        let normal = None;
                        out.push(Says::Harmless { kinds, by, normal });
                    }
                }
                Stands::Nowhere => {
                    if let Some((whole, _)) = self.derives(frame, function, container, value, 0) {
                        let part = frame.vals[element.0 as usize];
                        self.says_lacking(part, whole, out);
                    }
                }
                Stands::AtTheBegin => {
                    if let Some((_, normal)) = self.derives(frame, function, container, value, 0) {
                        let by = self.name("indexOf");
                        let kinds = self.kinds_of_paths();
                        let normal = Some(match normal {
                            true => Normal::Checked,
                            false => Normal::Asked,
                        });
                        out.push(Says::Harmless { kinds, by, normal });
                    }
                }
            }
        }
    }

    /// `!path.relative(root, file).startsWith("..")`: the file lies below the folder.
    pub(super) fn says_relative(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        value: ir::Value,
        relative: ir::Value,
        out: &mut Vec<Says>,
    ) {
        let Op::Call { callee, args } = function.op(Self::base(function, relative)) else {
            return;
        };
        let members = self.callee_members(frame, function, *callee, args);
        let is_relative = members
            .into_iter()
            .any(|id| self.m.get(id).path == "path.relative");
        let asked = args.get(1).map(Arg::value);
        if is_relative
            && asked.is_some_and(|at| self.derives(frame, function, at, value, 0).is_some())
        {
            let by = self.name("path.relative");
            let kinds = self.kinds_of_paths();
            let normal = None;
            out.push(Says::Harmless { kinds, by, normal });
        }
    }

    fn kinds_of_paths(&self) -> u64 {
        ["file-path-read", "file-path-write"]
            .iter()
            .filter_map(|name| self.m.kind(name))
            .fold(0, |all, kind| all | (1 << kind.index()))
    }

    /// What is searched, and for what.
    fn searches(
        &self,
        function: &ir::Function,
        callee: ir::Value,
        args: &[Arg],
    ) -> Option<(ir::Value, ir::Value)> {
        let Op::Attr { base, name } = *function.op(callee) else {
            return None;
        };
        let at = |i: usize| args.get(i).map(Arg::value);
        match &*self.text(name) {
            "indexOf" | "lastIndexOf" if self.is_javascript() || self.is_java() => {
                Some((base, at(0)?))
            }
            "Index" if self.is_go() => Some((at(0)?, at(1)?)),
            _ => None,
        }
    }
}

/// The comparison with its sides exchanged.
fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::LtEq => CompareOp::GtEq,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::GtEq => CompareOp::LtEq,
        other => other,
    }
}

fn stands(op: CompareOp, holds: bool, number: i64) -> Option<Stands> {
    let somewhere = |yes: bool| {
        Some(match yes {
            true => Stands::Somewhere,
            false => Stands::Nowhere,
        })
    };
    match (op, number) {
        (CompareOp::Eq | CompareOp::Is, -1) => somewhere(!holds),
        (CompareOp::Eq | CompareOp::Is, 0) if holds => Some(Stands::AtTheBegin),
        (CompareOp::Lt, 0) | (CompareOp::LtEq, -1) => somewhere(!holds),
        (CompareOp::GtEq, 0) | (CompareOp::Gt, -1) => somewhere(holds),
        _ => None,
    }
}
