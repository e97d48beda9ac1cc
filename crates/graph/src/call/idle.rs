//! Generators and coroutines that are made and never run: nobody asks for what they give.

use solvent_ir::{self as ir, Op};

use crate::link::FnId;
use crate::machine::{Frame, Machine};
use crate::value::{CollKind, V};
use crate::world::Place;

impl Machine<'_> {
    /// What a call of a generator or coroutine gives where nothing in the caller runs it.
    pub(super) fn never_asked(&mut self, frame: &Frame, index: u32, f: FnId) -> Option<V> {
        let callee = self.p.function(f);
        // A coroutine of JavaScript runs at once, up to its first `await`.
        let waits = callee.is_generator || (callee.is_async && !self.has_receivers());
        if !waits || frame.vals.is_empty() || index == u32::MAX {
            return None;
        }
        let caller = self.p.function(frame.f);
        if !matches!(caller.insts.get(index as usize)?.op, Op::Call { .. })
            || self.is_asked_for(frame, caller, index)
        {
            return None;
        }
        let site = self.site(frame, index);
        self.w.idle_calls.insert((site, f));
        let unknown = self.w.store.unknown();
        Some(self.w.store.many(CollKind::Iter, unknown))
    }

    /// Whether anything but a look at it becomes of a value.
    fn is_asked_for(&self, frame: &Frame, function: &ir::Function, index: u32) -> bool {
        let mut same = vec![ir::Value(index)];
        let mut next = 0;
        while let Some(&value) = same.get(next) {
            next += 1;
            if next > 16 {
                return true;
            }
            for (at, inst) in function.insts.iter().enumerate() {
                let mut used = false;
                inst.op.for_each_operand(&mut |v| used |= v == value);
                if !used {
                    continue;
                }
                let at = ir::Value(at as u32);
                let looks = match &inst.op {
                    Op::After { call, object } if *call == value && *object != value => true,
                    Op::Refine { .. } | Op::Phi(_) | Op::After { .. } => {
                        if !same.contains(&at) {
                            same.push(at);
                        }
                        true
                    }
                    Op::Compare { .. } | Op::Unary { .. } => true,
                    // `later.close()` ends it before it began.
                    Op::Attr { base, name } => {
                        *base == value
                            && matches!(&*self.text(*name), "close" | "__class__" | "__name__")
                    }
                    Op::Call { callee, args } => {
                        *callee != value
                            && args.iter().any(|arg| arg.value() == value)
                            && self.only_looks(frame, function, *callee)
                    }
                    _ => false,
                };
                if !looks {
                    return true;
                }
            }
            let leaves = |block: &ir::BlockData| match block.terminator {
                ir::Terminator::Return(Some(v)) | ir::Terminator::Raise(Some(v)) => v == value,
                _ => false,
            };
            if function.blocks.iter().any(leaves) {
                return true;
            }
        }
        false
    }

    /// Builtin functions that run nothing of what they get. The callee stands behind, and is not evaluated yet.
    fn only_looks(&self, frame: &Frame, function: &ir::Function, callee: ir::Value) -> bool {
        let Op::Global(name) = function.op(callee) else {
            return false;
        };
        let own = Place::Global(frame.unit, *name);
        self.w.written_at(own).is_empty()
            && matches!(
                &*self.text(*name),
                "type" | "id" | "repr" | "str" | "print" | "isinstance" | "callable" | "bool"
            )
    }
}
