//! The text form of the IR, for fixtures and for reading while debugging.

use std::fmt::Write as _;

use solvent_base::{Interner, Name};

use crate::{
    Arg, BinaryOp, CompareOp, Const, Entry, FormatPart, Function, FunctionKind, Item, Op,
    ParamKind, Scope, SequenceKind, Terminator, UnaryOp, Unit, Value,
};

/// All functions of `unit`, classes last. One instruction a line; instructions that only define a
/// constant are printed where they are used.
pub fn display(unit: &Unit, names: &Interner) -> String {
    let mut out = String::new();
    for (index, function) in unit.functions.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let _ = write!(out, "f{index} ");
        out.push_str(&display_function(function, names));
    }
    for (index, class) in unit.classes.iter().enumerate() {
        let _ = write!(out, "\nc{index} class {}(", names.text(class.qualname));
        push_list(&mut out, class.bases.iter().map(|v| format!("%{}", v.0)));
        let _ = write!(out, ") in f{} body f{}", class.parent.0, class.body.0);
        if !class.decorators.is_empty() {
            out.push_str(" decorators ");
            push_list(
                &mut out,
                class.decorators.iter().map(|v| format!("%{}", v.0)),
            );
        }
        out.push('\n');
    }
    out
}

/// One function: a header line, then its blocks.
pub fn display_function(function: &Function, names: &Interner) -> String {
    let printer = Printer { function, names };
    let mut out = String::new();
    printer.header(&mut out);
    for (index, block) in function.blocks.iter().enumerate() {
        let _ = write!(out, "b{index}:");
        if !block.handlers.is_empty() {
            out.push_str(" raises to ");
            push_list(&mut out, block.handlers.iter().map(|b| format!("b{}", b.0)));
        }
        out.push('\n');
        for number in block.start..block.end {
            let op = function.op(Value(number));
            if matches!(op, Op::Const(_)) {
                continue;
            }
            match op {
                Op::StoreName { .. } => out.push_str("  "),
                _ => {
                    let _ = write!(out, "  %{number} = ");
                }
            }
            printer.op(op, &mut out);
            out.push('\n');
        }
        out.push_str("  ");
        printer.terminator(&block.terminator, &mut out);
        out.push('\n');
    }
    out
}

fn push_list(out: &mut String, items: impl Iterator<Item = String>) {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(&item);
    }
}

struct Printer<'a> {
    function: &'a Function,
    names: &'a Interner,
}

impl Printer<'_> {
    fn header(&self, out: &mut String) {
        let function = self.function;
        let kind = match function.kind {
            FunctionKind::Module => "module",
            FunctionKind::Def => "def",
            FunctionKind::Lambda => "lambda",
            FunctionKind::ClassBody => "class body",
            FunctionKind::Comprehension => "comprehension",
        };
        if function.is_async {
            out.push_str("async ");
        }
        out.push_str(kind);
        let qualname = self.text(function.qualname);
        if !qualname.is_empty() {
            let _ = write!(out, " {qualname}");
        }
        if matches!(
            function.kind,
            FunctionKind::Def | FunctionKind::Lambda | FunctionKind::Comprehension
        ) {
            out.push('(');
            push_list(
                out,
                function.params.iter().map(|param| {
                    let mut text = match param.kind {
                        ParamKind::Ordinary => String::new(),
                        ParamKind::Receiver => "receiver ".into(),
                        ParamKind::PositionalOnly => "/".into(),
                        ParamKind::KeywordOnly => "kw ".into(),
                        ParamKind::Rest => "*".into(),
                        ParamKind::KeywordRest => "**".into(),
                    };
                    text.push_str(&self.text(param.name));
                    if let Some(annotation) = param.annotation {
                        let _ = write!(text, ": ^{}", annotation.0);
                    }
                    if let Some(default) = param.default {
                        let _ = write!(text, " = ^{}", default.0);
                    }
                    text
                }),
            );
            out.push(')');
        }
        if let Some(returns) = function.returns {
            let _ = write!(out, " -> ^{}", returns.0);
        }
        if function.is_generator {
            out.push_str(" generator");
        }
        if let Some(parent) = function.parent {
            let _ = write!(out, " in f{}", parent.0);
        }
        if let Some(class) = function.class {
            let _ = write!(out, " of c{}", class.0);
        }
        if !function.decorators.is_empty() {
            out.push_str(" decorators ");
            push_list(out, function.decorators.iter().map(|v| format!("^{}", v.0)));
        }
        out.push('\n');
    }

    fn text(&self, name: Name) -> std::sync::Arc<str> {
        self.names.text(name)
    }

    fn value(&self, value: Value) -> String {
        match self
            .function
            .insts
            .get(value.0 as usize)
            .map(|inst| &inst.op)
        {
            Some(Op::Const(constant)) => self.constant(constant),
            _ => format!("%{}", value.0),
        }
    }

    fn constant(&self, constant: &Const) -> String {
        match constant {
            Const::None => "None".into(),
            Const::Bool(true) => "True".into(),
            Const::Bool(false) => "False".into(),
            Const::Int(int) => int.to_string(),
            Const::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
            Const::Str(name) => format!("{:?}", self.text(*name)),
            Const::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
            Const::Ellipsis => "...".into(),
        }
    }

    fn optional(&self, value: Option<Value>) -> String {
        value.map_or_else(String::new, |value| self.value(value))
    }

    fn module(&self, module: Name, level: u32) -> String {
        format!("{}{}", ".".repeat(level as usize), self.text(module))
    }

    fn op(&self, op: &Op, out: &mut String) {
        let v = |value: &Value| self.value(*value);
        let _ = match op {
            Op::Const(constant) => write!(out, "{}", self.constant(constant)),
            Op::Param(index) => match self.function.params.get(*index as usize) {
                Some(param) => write!(out, "param {}", self.text(param.name)),
                None => write!(out, "param {index}"),
            },
            Op::Captured { function, name } => {
                write!(out, "captured {} of f{}", self.text(*name), function.0)
            }
            Op::Global(name) => write!(out, "global {}", self.text(*name)),
            Op::Import {
                module,
                member: None,
                level,
            } => {
                write!(out, "import {}", self.module(*module, *level))
            }
            Op::Import {
                module,
                member: Some(member),
                level,
            } => {
                write!(
                    out,
                    "import {}:{}",
                    self.module(*module, *level),
                    self.text(*member)
                )
            }
            Op::ImportAll { module, level } => {
                write!(out, "import {}:*", self.module(*module, *level))
            }
            Op::StoreName { scope, name, value } => {
                let scope = match scope {
                    Scope::Module => "module".to_owned(),
                    Scope::Class => "class".to_owned(),
                    Scope::Own => "own".to_owned(),
                    Scope::Enclosing(function) => format!("f{}", function.0),
                };
                write!(out, "store {scope} {} = {}", self.text(*name), v(value))
            }
            Op::Attr { base, name } => write!(out, "{}.{}", v(base), self.text(*name)),
            Op::SetAttr { base, name, value } => {
                write!(out, "{} with .{} = {}", v(base), self.text(*name), v(value))
            }
            Op::Index { base, key } => write!(out, "{}[{}]", v(base), v(key)),
            Op::SetIndex { base, key, value } => {
                write!(out, "{} with [{}] = {}", v(base), v(key), v(value))
            }
            Op::DelIndex { base, key } => write!(out, "{} without [{}]", v(base), v(key)),
            Op::Slice {
                base,
                lower,
                upper,
                step,
            } => {
                let _ = write!(
                    out,
                    "{}[{}:{}",
                    v(base),
                    self.optional(*lower),
                    self.optional(*upper)
                );
                if let Some(step) = step {
                    let _ = write!(out, ":{}", v(step));
                }
                write!(out, "]")
            }
            Op::Call { callee, args } => {
                let _ = write!(out, "call {}(", v(callee));
                push_list(
                    out,
                    args.iter().map(|arg| match arg {
                        Arg::Positional(value) => v(value),
                        Arg::Named(name, value) => format!("{}={}", self.text(*name), v(value)),
                        Arg::Spread(value) => format!("*{}", v(value)),
                        Arg::KeywordSpread(value) => format!("**{}", v(value)),
                    }),
                );
                write!(out, ")")
            }
            Op::After { call, object } => write!(out, "{} after {}", v(object), v(call)),
            Op::Binary { op, left, right } => {
                write!(out, "{} {} {}", v(left), binary(*op), v(right))
            }
            Op::Unary { op, operand } => write!(out, "{}{}", unary(*op), v(operand)),
            Op::Compare { op, left, right } => {
                write!(out, "{} {} {}", v(left), compare(*op), v(right))
            }
            Op::Format(parts) => {
                let _ = write!(out, "format(");
                push_list(
                    out,
                    parts.iter().map(|part| match part {
                        FormatPart::Literal(text) => format!("{:?}", self.text(*text)),
                        FormatPart::Value {
                            value,
                            conversion,
                            spec,
                        } => {
                            let mut text = v(value);
                            if let Some(conversion) = conversion {
                                text.push('!');
                                text.push(*conversion);
                            }
                            if let Some(spec) = spec {
                                let _ = write!(text, ":{:?}", self.text(*spec));
                            }
                            text
                        }
                    }),
                );
                write!(out, ")")
            }
            Op::Sequence { kind, items } => {
                let (open, close) = match kind {
                    SequenceKind::List => ("[", "]"),
                    SequenceKind::Tuple => ("(", ")"),
                    SequenceKind::Set => ("set {", "}"),
                };
                out.push_str(open);
                push_list(
                    out,
                    items.iter().map(|item| match item {
                        Item::One(value) => v(value),
                        Item::Spread(value) => format!("*{}", v(value)),
                    }),
                );
                write!(out, "{close}")
            }
            Op::Dict(entries) => {
                out.push('{');
                push_list(
                    out,
                    entries.iter().map(|entry| match entry {
                        Entry::Pair(key, value) => format!("{}: {}", v(key), v(value)),
                        Entry::Spread(value) => format!("**{}", v(value)),
                    }),
                );
                write!(out, "}}")
            }
            Op::Function(function) => write!(out, "function f{}", function.0),
            Op::Class(class) => write!(out, "class c{}", class.0),
            Op::Phi(operands) => {
                let _ = write!(out, "phi ");
                push_list(
                    out,
                    operands
                        .iter()
                        .map(|(block, value)| format!("b{} {}", block.0, v(value))),
                );
                Ok(())
            }
            Op::Refine {
                value,
                condition,
                holds,
            } => {
                write!(out, "{} where {} is {holds}", v(value), v(condition))
            }
            Op::Element(value) => write!(out, "element of {}", v(value)),
            Op::Enter(value) => write!(out, "enter {}", v(value)),
            Op::Await(value) => write!(out, "await {}", v(value)),
            Op::Yield(None) => write!(out, "yield"),
            Op::Yield(Some(value)) => write!(out, "yield {}", v(value)),
            Op::YieldFrom(value) => write!(out, "yield from {}", v(value)),
            Op::Caught(None) => write!(out, "caught"),
            Op::Caught(Some(value)) => write!(out, "caught {}", v(value)),
            Op::Unknown(what) => write!(out, "unknown {what:?}"),
        };
    }

    fn terminator(&self, terminator: &Terminator, out: &mut String) {
        let _ = match terminator {
            Terminator::Jump(to) => write!(out, "jump b{}", to.0),
            Terminator::Branch {
                condition,
                then,
                otherwise,
            } => write!(
                out,
                "if {} then b{} else b{}",
                self.value(*condition),
                then.0,
                otherwise.0
            ),
            Terminator::Return(None) => write!(out, "return"),
            Terminator::Return(Some(value)) => write!(out, "return {}", self.value(*value)),
            Terminator::Raise(None) => write!(out, "raise"),
            Terminator::Raise(Some(value)) => write!(out, "raise {}", self.value(*value)),
            Terminator::Stop => write!(out, "stop"),
        };
    }
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::FloorDiv => "//",
        BinaryOp::Mod => "%",
        BinaryOp::Pow => "**",
        BinaryOp::MatMul => "@",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
        BinaryOp::ShiftLeft => "<<",
        BinaryOp::ShiftRight => ">>",
    }
}

fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Not => "not ",
        UnaryOp::Minus => "-",
        UnaryOp::Plus => "+",
        UnaryOp::Invert => "~",
    }
}

fn compare(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "==",
        CompareOp::NotEq => "!=",
        CompareOp::Lt => "<",
        CompareOp::LtEq => "<=",
        CompareOp::Gt => ">",
        CompareOp::GtEq => ">=",
        CompareOp::Is => "is",
        CompareOp::IsNot => "is not",
        CompareOp::In => "in",
        CompareOp::NotIn => "not in",
    }
}
