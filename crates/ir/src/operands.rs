//! The values an instruction uses, without the reader having to know every operation.

use crate::{Arg, Entry, FormatPart, Item, Op, Terminator, Value};

impl Op {
    /// Calls `f` with every operand, in source order, operands of a phi included.
    pub fn for_each_operand(&self, f: &mut impl FnMut(Value)) {
        match self {
            Self::Const(_)
            | Self::Param(_)
            | Self::Captured { .. }
            | Self::Global(_)
            | Self::Import { .. }
            | Self::ImportAll { .. }
            | Self::Function(_)
            | Self::Class(_)
            | Self::Unknown(_) => {}
            Self::StoreName { value, .. }
            | Self::Element(value)
            | Self::Enter(value)
            | Self::Await(value)
            | Self::YieldFrom(value) => f(*value),
            Self::Attr { base, .. } => f(*base),
            Self::SetAttr { base, value, .. } => {
                f(*base);
                f(*value);
            }
            Self::Index { base, key } | Self::DelIndex { base, key } => {
                f(*base);
                f(*key);
            }
            Self::SetIndex { base, key, value } => {
                f(*base);
                f(*key);
                f(*value);
            }
            Self::Slice {
                base,
                lower,
                upper,
                step,
            } => {
                f(*base);
                [lower, upper, step]
                    .into_iter()
                    .flatten()
                    .for_each(|v| f(*v));
            }
            Self::Call { callee, args } => {
                f(*callee);
                args.iter().for_each(|arg| f(arg.value()));
            }
            Self::After { call, object } => {
                f(*call);
                f(*object);
            }
            Self::Binary { left, right, .. } | Self::Compare { left, right, .. } => {
                f(*left);
                f(*right);
            }
            Self::Unary { operand, .. } => f(*operand),
            Self::Format(parts) => {
                for part in parts {
                    if let FormatPart::Value { value, .. } = part {
                        f(*value);
                    }
                }
            }
            Self::Sequence { items, .. } => {
                for item in items {
                    match item {
                        Item::One(value) | Item::Spread(value) => f(*value),
                    }
                }
            }
            Self::Dict(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Pair(key, value) => {
                            f(*key);
                            f(*value);
                        }
                        Entry::Spread(value) => f(*value),
                    }
                }
            }
            Self::Phi(operands) => operands.iter().for_each(|(_, value)| f(*value)),
            Self::Refine {
                value, condition, ..
            } => {
                f(*value);
                f(*condition);
            }
            Self::Yield(value) | Self::Caught(value) => {
                if let Some(value) = value {
                    f(*value);
                }
            }
        }
    }

    /// As [`Self::for_each_operand`], to renumber operands in place.
    pub fn for_each_operand_mut(&mut self, f: &mut impl FnMut(&mut Value)) {
        match self {
            Self::Const(_)
            | Self::Param(_)
            | Self::Captured { .. }
            | Self::Global(_)
            | Self::Import { .. }
            | Self::ImportAll { .. }
            | Self::Function(_)
            | Self::Class(_)
            | Self::Unknown(_) => {}
            Self::StoreName { value, .. }
            | Self::Element(value)
            | Self::Enter(value)
            | Self::Await(value)
            | Self::YieldFrom(value) => f(value),
            Self::Attr { base, .. } => f(base),
            Self::SetAttr { base, value, .. } => {
                f(base);
                f(value);
            }
            Self::Index { base, key } | Self::DelIndex { base, key } => {
                f(base);
                f(key);
            }
            Self::SetIndex { base, key, value } => {
                f(base);
                f(key);
                f(value);
            }
            Self::Slice {
                base,
                lower,
                upper,
                step,
            } => {
                f(base);
                [lower, upper, step].into_iter().flatten().for_each(f);
            }
            Self::Call { callee, args } => {
                f(callee);
                for arg in args {
                    match arg {
                        Arg::Positional(v)
                        | Arg::Named(_, v)
                        | Arg::Spread(v)
                        | Arg::KeywordSpread(v) => f(v),
                    }
                }
            }
            Self::After { call, object } => {
                f(call);
                f(object);
            }
            Self::Binary { left, right, .. } | Self::Compare { left, right, .. } => {
                f(left);
                f(right);
            }
            Self::Unary { operand, .. } => f(operand),
            Self::Format(parts) => {
                for part in parts {
                    if let FormatPart::Value { value, .. } = part {
                        f(value);
                    }
                }
            }
            Self::Sequence { items, .. } => {
                for item in items {
                    match item {
                        Item::One(value) | Item::Spread(value) => f(value),
                    }
                }
            }
            Self::Dict(entries) => {
                for entry in entries {
                    match entry {
                        Entry::Pair(key, value) => {
                            f(key);
                            f(value);
                        }
                        Entry::Spread(value) => f(value),
                    }
                }
            }
            Self::Phi(operands) => operands.iter_mut().for_each(|(_, value)| f(value)),
            Self::Refine {
                value, condition, ..
            } => {
                f(value);
                f(condition);
            }
            Self::Yield(value) | Self::Caught(value) => {
                if let Some(value) = value {
                    f(value);
                }
            }
        }
    }
}

impl Terminator {
    /// The blocks that control enters normally, exceptions aside.
    pub fn targets(&self) -> impl Iterator<Item = crate::Block> {
        match *self {
            Self::Jump(to) => [Some(to), None],
            Self::Branch {
                then, otherwise, ..
            } => [Some(then), Some(otherwise)],
            Self::Return(_) | Self::Raise(_) | Self::Stop => [None, None],
        }
        .into_iter()
        .flatten()
    }

    /// The value the terminator uses.
    pub fn operand(&self) -> Option<Value> {
        match *self {
            Self::Branch { condition, .. } => Some(condition),
            Self::Return(value) | Self::Raise(value) => value,
            Self::Jump(_) | Self::Stop => None,
        }
    }
}
