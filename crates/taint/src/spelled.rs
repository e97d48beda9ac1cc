//! Texts that a function compares with or looks for: what a request must hold where its input has no name.

use std::collections::BTreeSet;

use solvent_base::Interner;
use solvent_ir::{BinaryOp, Const, FormatPart, Function, Op, Value};

/// Longest expression of constants that is put together.
const MAX_DEPTH: u32 = 8;

/// Longer texts are messages, not names.
const MAX_TEXT: usize = 200;

/// Adds the constants that `function` compares with, or gives to a method that looks for them.
pub(crate) fn collect(function: &Function, names: &Interner, out: &mut BTreeSet<String>) {
    let mut add = |value: Value| {
        if let Some(text) = text(function, names, value, 0)
            && text.len() <= MAX_TEXT
            && text.chars().any(char::is_alphanumeric)
        {
            out.insert(text);
        }
    };
    for inst in &function.insts {
        match &inst.op {
            Op::Compare { left, right, .. } => {
                add(*left);
                add(*right);
            }
            Op::Call { callee, args } => {
                let Op::Attr { name, .. } = function.op(*callee) else {
                    continue;
                };
                let looks = matches!(
                    &*names.text(*name),
                    "find"
                        | "rfind"
                        | "index"
                        | "rindex"
                        | "partition"
                        | "rpartition"
                        | "split"
                        | "startswith"
                        | "endswith"
                        | "removeprefix"
                        | "removesuffix"
                        | "count"
                );
                if looks {
                    args.iter().for_each(|arg| add(arg.value()));
                }
            }
            _ => {}
        }
    }
}

/// The text of an expression that is written out whole.
fn text(function: &Function, names: &Interner, value: Value, depth: u32) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    match function.op(value) {
        Op::Const(Const::Str(name)) => Some(names.text(*name).to_string()),
        Op::Const(Const::Bytes(bytes)) => String::from_utf8(bytes.clone()).ok(),
        Op::Refine { value, .. } => text(function, names, *value, depth + 1),
        Op::Binary {
            op: BinaryOp::Add,
            left,
            right,
        } => {
            let mut whole = text(function, names, *left, depth + 1)?;
            whole.push_str(&text(function, names, *right, depth + 1)?);
            Some(whole)
        }
        Op::Format(parts) => parts
            .iter()
            .map(|part| match part {
                FormatPart::Literal(name) => Some(names.text(*name).to_string()),
                FormatPart::Value {
                    value, spec: None, ..
                } => text(function, names, *value, depth + 1),
                FormatPart::Value { .. } => None,
            })
            .collect(),
        _ => None,
    }
}
