//! The same expression read again behind a check of it: `if not ok(request.args["x"]): ...; use(request.args["x"])`.

use solvent_ir::{self as ir, Arg, Op};

use super::MAX_DEPTH;
use crate::machine::{Frame, Machine};
use crate::value::{Ls, V};

/// Operands of a condition that are looked at.
const MAX_OPERANDS: usize = 24;

impl Machine<'_> {
    /// What the conditions on the way here say of a value that is read once more.
    pub(crate) fn read_again(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        index: u32,
        v: V,
    ) -> V {
        let reads = matches!(
            function.insts[index as usize].op,
            Op::Attr { .. } | Op::Index { .. } | Op::Call { .. }
        );
        if !reads
            || frame.known[frame.block as usize].is_empty()
            || self.w.store.deep(v) == Ls::NONE
        {
            return v;
        }
        let mut out = v;
        for (condition, holds) in frame.known[frame.block as usize].clone() {
            if let Some(read) = self.read_in(frame, function, condition, ir::Value(index)) {
                out = self.refine(frame, function, read, out, condition, holds);
            }
        }
        out
    }

    /// The operand of a condition that reads the same as `value` does.
    fn read_in(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        condition: ir::Value,
        value: ir::Value,
    ) -> Option<ir::Value> {
        let mut open = vec![condition];
        let mut next = 0;
        while next < open.len() && open.len() < MAX_OPERANDS {
            let at = open[next];
            next += 1;
            if at != value && self.reads_same(frame, function, at, value, 0) {
                return Some(at);
            }
            match function.op(at) {
                Op::Compare { left, right, .. } | Op::Binary { left, right, .. } => {
                    open.extend([*left, *right]);
                }
                Op::Unary { operand, .. } => open.push(*operand),
                Op::Refine { value, .. } => open.push(*value),
                Op::Call { callee, args } => {
                    open.extend(args.iter().map(Arg::value));
                    // What a test is asked of; what a read reads from is more than what it gives.
                    let tests = self.w.store.deep(frame.vals[at.0 as usize]) == Ls::NONE;
                    if let (true, Op::Attr { base, .. }) = (tests, function.op(*callee)) {
                        open.push(*base);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether two expressions read the same place of the same object, which did not change between them.
    fn reads_same(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        a: ir::Value,
        b: ir::Value,
        depth: u32,
    ) -> bool {
        let (a, b) = (unchanged(frame, function, a), unchanged(frame, function, b));
        if a == b {
            return true;
        }
        if depth > MAX_DEPTH {
            return false;
        }
        match (function.op(a), function.op(b)) {
            (Op::Attr { base: a, name: n }, Op::Attr { base: b, name: m }) => {
                n == m && self.reads_same(frame, function, *a, *b, depth + 1)
            }
            (Op::Index { base: a, key: k }, Op::Index { base: b, key: l }) => {
                self.reads_same(frame, function, *k, *l, depth + 1)
                    && self.reads_same(frame, function, *a, *b, depth + 1)
            }
            (Op::Const(c), Op::Const(d)) => c == d,
            (Op::Global(n), Op::Global(m)) => n == m,
            (
                Op::Captured {
                    function: f,
                    name: n,
                },
                Op::Captured {
                    function: g,
                    name: m,
                },
            ) => f == g && n == m,
            (
                Op::Import {
                    module,
                    member,
                    level,
                },
                Op::Import {
                    module: module_b,
                    member: member_b,
                    level: level_b,
                },
            ) => module == module_b && member == member_b && level == level_b,
            (Op::Call { callee: f, args: x }, Op::Call { callee: g, args: y }) => {
                let (f, g, x, y) = (*f, *g, x.clone(), y.clone());
                x.len() == y.len()
                    && x.iter().zip(&y).all(|(x, y)| match (x, y) {
                        (Arg::Positional(x), Arg::Positional(y)) => {
                            self.reads_same(frame, function, *x, *y, depth + 1)
                        }
                        (Arg::Named(n, x), Arg::Named(m, y)) => {
                            n == m && self.reads_same(frame, function, *x, *y, depth + 1)
                        }
                        _ => false,
                    })
                    && self.reads_same(frame, function, f, g, depth + 1)
                    && self.only_reads(frame, function, f, &x)
            }
            _ => false,
        }
    }

    /// Whether a call reads an input, and gives the same when it is made again.
    fn only_reads(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        callee: ir::Value,
        args: &[Arg],
    ) -> bool {
        let members = self.callee_members(frame, function, callee, args);
        let models = self.m;
        !members.is_empty()
            && members.iter().all(|id| {
                let member = models.get(*id);
                let reads = !member.sources.is_empty() || !member.steps.is_empty();
                reads && member.mutations.is_empty() && member.callbacks.is_empty()
            })
    }
}

/// The value below what branches taught of it, and below calls that left it as it was.
fn unchanged(frame: &Frame, function: &ir::Function, mut value: ir::Value) -> ir::Value {
    loop {
        match function.op(value) {
            Op::Refine { value: inner, .. } => value = *inner,
            Op::After { object, .. }
                if frame.vals[value.0 as usize] == frame.vals[object.0 as usize] =>
            {
                value = *object;
            }
            _ => return value,
        }
    }
}
