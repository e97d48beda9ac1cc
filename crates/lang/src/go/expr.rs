//! Expressions.

use solvent_base::Span;
use solvent_ir::{
    Arg, BinaryOp, Block, CompareOp, Const, Entry, Item, Op, SequenceKind, UnaryOp, Value,
};
use tree_sitter::Node;

use super::declare::is_basic;
use super::{Lower, children, fields};
use crate::lower::with_stack;
use crate::state::Decides;

impl<'a> Lower<'_, 'a, '_> {
    pub fn expr(&mut self, node: Node<'a>) -> Value {
        with_stack(|| self.expr_here(node))
    }

    fn expr_here(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        match node.kind() {
            "identifier" | "package_identifier" => self.identifier(node, span),
            "true" => self.constant(Const::Bool(true), span),
            "false" => self.constant(Const::Bool(false), span),
            "nil" => self.constant(Const::None, span),
            "iota" => self.unknown("iota", span),
            "int_literal" => match integer(self.text(node)) {
                Some(int) => self.int(int, span),
                None => self.unknown("integer of more than 64 bits", span),
            },
            "float_literal" => match self.text(node).replace('_', "").parse::<f64>() {
                Ok(float) => self.constant(Const::Float(float.to_bits()), span),
                Err(_) => self.unknown("a number", span),
            },
            "rune_literal" => {
                let text = unescaped(self.text(node).trim_matches('\''));
                let name = self.name(&text);
                self.constant(Const::Str(name), span)
            }
            "interpreted_string_literal" => {
                let text = self.text(node);
                let inner = text
                    .strip_prefix('"')
                    .map_or(text, |t| t.strip_suffix('"').unwrap_or(t));
                let text = unescaped(inner);
                let name = self.name(&text);
                self.constant(Const::Str(name), span)
            }
            "raw_string_literal" => {
                let text = self.text(node).trim_matches('`').replace('\r', "");
                let name = self.name(&text);
                self.constant(Const::Str(name), span)
            }
            "parenthesized_expression" | "expression_list" => match children(node).first() {
                Some(inner) => self.expr(*inner),
                None => self.unknown("missing expression", span),
            },
            "binary_expression" => self.binary(node),
            "unary_expression" => self.unary(node, span),
            "call_expression" => self.call(node),
            "selector_expression" => self.selector(node).0,
            "index_expression" => {
                let (Some(operand), Some(index)) = (
                    node.child_by_field_name("operand"),
                    node.child_by_field_name("index"),
                ) else {
                    return self.unknown("missing expression", span);
                };
                let base = self.expr(operand);
                let key = self.expr(index);
                self.b.emit(Op::Index { base, key }, span)
            }
            "slice_expression" => {
                let Some(operand) = node.child_by_field_name("operand") else {
                    return self.unknown("missing expression", span);
                };
                let base = self.expr(operand);
                let [lower, upper] = ["start", "end"]
                    .map(|name| node.child_by_field_name(name).map(|bound| self.expr(bound)));
                let step = None;
                let op = Op::Slice {
                    base,
                    lower,
                    upper,
                    step,
                };
                self.b.emit(op, span)
            }
            "type_assertion_expression" => match node.child_by_field_name("operand") {
                Some(operand) => self.expr(operand),
                None => self.unknown("missing expression", span),
            },
            "type_conversion_expression" => match node.child_by_field_name("operand") {
                Some(operand) => self.expr(operand),
                None => self.unknown("missing expression", span),
            },
            "type_instantiation_expression" => match children(node).first() {
                Some(inner) => self.expr(*inner),
                None => self.unknown("missing expression", span),
            },
            "composite_literal" => self.composite(node, span),
            "func_literal" => self.function_value(node, None),
            "type_identifier" | "qualified_type" => match self.type_value(node, span) {
                Some(value) => value,
                None => self.unknown("a type", span),
            },
            _ => {
                for child in children(node) {
                    self.expr(child);
                }
                self.unknown("an expression", span)
            }
        }
    }

    fn identifier(&mut self, node: Node<'a>, span: Span) -> Value {
        if let Some(variable) = self.file.shared.variables.at(node.id()) {
            return self.read_name(variable, span);
        }
        let text = self.text(node);
        if is_builtin(text) || is_basic(text) {
            return self.builtin(text, span);
        }
        let name = self.name(text);
        self.b.emit(Op::Global(name), span)
    }

    fn binary(&mut self, node: Node<'a>) -> Value {
        let mut chain = Vec::new();
        let mut leftmost = node;
        while leftmost.kind() == "binary_expression" {
            let operator = leftmost
                .child_by_field_name("operator")
                .map_or("", |operator| self.text(operator));
            if matches!(operator, "&&" | "||") {
                break;
            }
            chain.push((leftmost, operator));
            match leftmost.child_by_field_name("left") {
                Some(left) => leftmost = left,
                None => break,
            }
        }
        if chain.is_empty() {
            return self.logical(node);
        }
        let mut left = self.expr(leftmost);
        for (node, operator) in chain.into_iter().rev() {
            let span = self.at(node);
            let Some(right) = node.child_by_field_name("right") else {
                continue;
            };
            let right = self.expr(right);
            let op = match (compare_op(operator), binary_op(operator)) {
                (Some(op), _) => Op::Compare { op, left, right },
                (None, Some(op)) => Op::Binary { op, left, right },
                (None, None) => Op::Unknown("an operator"),
            };
            left = self.b.emit(op, span);
        }
        left
    }

    /// `&&` and `||` as values.
    fn logical(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let (Some(left), Some(right), Some(operator)) = (
            node.child_by_field_name("left"),
            node.child_by_field_name("right"),
            node.child_by_field_name("operator"),
        ) else {
            return self.unknown("missing expression", span);
        };
        let decides = match self.text(operator) {
            "&&" => Decides::WhenFalse,
            _ => Decides::WhenTrue,
        };
        let left = self.expr(left);
        let fork = self.fork();
        let join = self.b.block();
        let mut results = vec![self.short_circuit(left, left, decides, join, span)];
        let other = self.expr(right);
        results.push((self.b.here(), other));
        self.b.jump(join);
        self.join(join, fork);
        self.b.merge(results, span)
    }

    fn unary(&mut self, node: Node<'a>, span: Span) -> Value {
        let Some(operand) = node.child_by_field_name("operand") else {
            return self.unknown("missing expression", span);
        };
        let operator = node
            .child_by_field_name("operator")
            .map_or("", |operator| self.text(operator));
        if operator == "-"
            && let Some(int) = integer(self.text(operand))
        {
            return self.int(-int, span);
        }
        let value = self.expr(operand);
        let op = match operator {
            "!" => UnaryOp::Not,
            "-" => UnaryOp::Minus,
            "^" => UnaryOp::Invert,
            "<-" => return self.b.emit(Op::Element(value), span),
            // A pointer is what it points to.
            _ => return value,
        };
        self.b.emit(Op::Unary { op, operand: value }, span)
    }

    /// The value of a field or a package's member, and what it is one of.
    fn selector(&mut self, node: Node<'a>) -> (Value, Option<Value>) {
        let span = self.at(node);
        let (Some(operand), Some(field)) = (
            node.child_by_field_name("operand"),
            node.child_by_field_name("field"),
        ) else {
            return (self.unknown("missing expression", span), None);
        };
        let base = self.expr(operand);
        let name = self.name(self.text(field));
        (self.b.emit(Op::Attr { base, name }, span), Some(base))
    }

    pub fn callee(&mut self, function: Node<'a>) -> (Value, Option<Value>) {
        match function.kind() {
            "selector_expression" => self.selector(function),
            "parenthesized_expression" => match children(function).first() {
                Some(inner) => self.callee(*inner),
                None => (self.expr(function), None),
            },
            // `f[T](x)`
            "index_expression" => match function.child_by_field_name("operand") {
                Some(operand) if self.is_function(operand) => self.callee(operand),
                _ => (self.expr(function), None),
            },
            _ => (self.expr(function), None),
        }
    }

    fn is_function(&mut self, node: Node<'a>) -> bool {
        let value = match node.kind() {
            "identifier" => self.file.shared.variables.at(node.id()),
            _ => None,
        };
        value.is_some_and(|variable| {
            self.file.scopes.flags(crate::scope::ScopeId(0), variable)
                & crate::scope::bind::DEFINITION
                != 0
        })
    }

    pub fn arguments(&mut self, call: Node<'a>) -> Vec<Arg> {
        let mut args = Vec::new();
        for list in fields(call, "arguments") {
            for argument in children(list) {
                args.push(match argument.kind() {
                    "variadic_argument" => match children(argument).first() {
                        Some(inner) => Arg::Spread(self.expr(*inner)),
                        None => continue,
                    },
                    _ => Arg::Positional(self.expr(argument)),
                });
            }
        }
        args
    }

    fn call(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let Some(function) = node.child_by_field_name("function") else {
            return self.unknown("missing expression", span);
        };
        if let Some(made) = self.made(node, function, span) {
            return made;
        }
        let is_statement = self.statement == Some(node.id());
        let (callee, receiver) = self.callee(function);
        let args = self.arguments(node);
        let call = self.b.emit(
            Op::Call {
                callee,
                args: args.clone(),
            },
            span,
        );
        if is_statement {
            self.discarded = Some(call);
        }
        if self.text(function) == "panic" {
            if let Some(Arg::Positional(value)) = args.first() {
                let value = *value;
                self.run_deferred();
                self.b.terminate(solvent_ir::Terminator::Raise(Some(value)));
            }
            return call;
        }
        self.after_call(call, receiver, &args, span);
        call
    }

    /// `make(T)` and `new(T)`.
    fn made(&mut self, node: Node<'a>, function: Node<'a>, span: Span) -> Option<Value> {
        let name = self.text(function);
        if !matches!(name, "make" | "new") || self.file.shared.variables.at(function.id()).is_some()
        {
            return None;
        }
        let args: Vec<Node<'a>> = fields(node, "arguments")
            .into_iter()
            .flat_map(children)
            .collect();
        let kind = *args.first()?;
        for size in &args[1..] {
            self.expr(*size);
        }
        Some(self.zero_value(Some(kind), span))
    }

    /// `T{..}`
    fn composite(&mut self, node: Node<'a>, span: Span) -> Value {
        let (Some(kind), Some(body)) = (
            node.child_by_field_name("type"),
            node.child_by_field_name("body"),
        ) else {
            return self.unknown("missing expression", span);
        };
        let made = self.literal(Some(kind), body, span);
        match kind.kind() {
            // `&T{..}` is no copy; whoever gets the plain literal gets it alone anyhow.
            "array_type" => self.builtin_call("<copy>", vec![made], span),
            _ => made,
        }
    }

    fn literal(&mut self, kind: Option<Node<'a>>, body: Node<'a>, span: Span) -> Value {
        let shape = kind.map_or("", |kind| kind.kind());
        let elements = children(body);
        let inner = kind.and_then(|kind| match kind.kind() {
            "map_type" => kind.child_by_field_name("value"),
            _ => kind.child_by_field_name("element"),
        });
        // Keys that are texts are those of a map, whatever the type is called.
        let has_texts = elements.first().is_some_and(|element| {
            element
                .child_by_field_name("key")
                .is_some_and(|key| self.text(key).starts_with(['"', '`']))
        });
        match shape {
            _ if shape == "map_type" || has_texts => {
                let key_kind = kind.and_then(|kind| kind.child_by_field_name("key"));
                let mut entries = Vec::new();
                for element in elements {
                    let (Some(key), Some(value)) = (
                        element.child_by_field_name("key"),
                        element.child_by_field_name("value"),
                    ) else {
                        continue;
                    };
                    let key = self.literal_element(key, key_kind);
                    let value = self.literal_element(value, inner);
                    entries.push(Entry::Pair(key, value));
                }
                self.b.emit(Op::Dict(entries), span)
            }
            "slice_type" | "array_type" | "implicit_length_array_type" => {
                let mut items = Vec::new();
                for element in elements {
                    let value = match element.child_by_field_name("value") {
                        Some(value) => value,
                        None => element,
                    };
                    items.push(Item::One(self.literal_element(value, inner)));
                }
                let kind = SequenceKind::List;
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            _ => {
                let class = match kind {
                    Some(kind) if kind.kind() == "generic_type" => {
                        match kind.child_by_field_name("type") {
                            Some(inner) => self.type_value(inner, span),
                            None => None,
                        }
                    }
                    Some(kind) => self.type_value(kind, span),
                    None => None,
                };
                let mut args = Vec::new();
                let mut entries = Vec::new();
                for element in elements {
                    let keyed = element
                        .child_by_field_name("key")
                        .zip(element.child_by_field_name("value"));
                    match keyed {
                        Some((key, value)) => {
                            let text = self.text(key);
                            let name = self.name(text);
                            let value = self.literal_element(value, None);
                            args.push(Arg::Named(name, value));
                            let key = self.constant(Const::Str(name), span);
                            entries.push(Entry::Pair(key, value));
                        }
                        None => {
                            let value = self.literal_element(element, None);
                            args.push(Arg::Positional(value));
                        }
                    }
                }
                match class {
                    Some(callee) => self.b.emit(Op::Call { callee, args }, span),
                    None => self.b.emit(Op::Dict(entries), span),
                }
            }
        }
    }

    fn literal_element(&mut self, node: Node<'a>, kind: Option<Node<'a>>) -> Value {
        let span = self.at(node);
        let node = match node.kind() {
            "literal_element" => match children(node).first() {
                Some(inner) => *inner,
                None => return self.unknown("missing expression", span),
            },
            _ => node,
        };
        if node.kind() == "literal_value" {
            let kind = kind.map(|kind| match kind.kind() {
                "pointer_type" => children(kind).first().copied().unwrap_or(kind),
                _ => kind,
            });
            return with_stack(|| self.literal(kind, node, span));
        }
        self.copied_expr(node)
    }

    // Conditions.

    /// Evaluates `node` for its truth and goes on in `then` or `otherwise`.
    pub fn condition(&mut self, node: Node<'a>, then: Block, otherwise: Block) {
        with_stack(|| self.condition_here(node, then, otherwise));
    }

    fn condition_here(&mut self, node: Node<'a>, then: Block, otherwise: Block) {
        let operator = node
            .child_by_field_name("operator")
            .map_or("", |operator| self.text(operator));
        match (node.kind(), operator) {
            ("parenthesized_expression", _) => match children(node).first() {
                Some(inner) => self.condition(*inner, then, otherwise),
                None => self.b.jump(then),
            },
            ("binary_expression", "&&" | "||") => {
                let (Some(left), Some(right)) = (
                    node.child_by_field_name("left"),
                    node.child_by_field_name("right"),
                ) else {
                    return;
                };
                let next = self.b.block();
                if operator == "&&" {
                    self.condition(left, next, otherwise);
                } else {
                    self.condition(left, then, next);
                }
                self.b.seal(next);
                self.b.start(next);
                self.condition(right, then, otherwise);
            }
            ("unary_expression", "!") => match node.child_by_field_name("operand") {
                Some(operand) => self.condition(operand, otherwise, then),
                None => self.b.jump(then),
            },
            _ => {
                let value = self.expr(node);
                let span = self.at(node);
                self.branch(value, then, otherwise, span);
            }
        }
    }
}

fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "cap"
            | "clear"
            | "close"
            | "complex"
            | "copy"
            | "delete"
            | "imag"
            | "len"
            | "make"
            | "max"
            | "min"
            | "new"
            | "panic"
            | "print"
            | "println"
            | "real"
            | "recover"
    )
}

/// An integer in any of Go's forms.
fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "").to_lowercase();
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (&text[2..], 16),
        [b'0', b'b', ..] => (&text[2..], 2),
        [b'0', b'o', ..] => (&text[2..], 8),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (&text[..], 10),
    };
    i64::from_str_radix(digits, radix).ok()
}

/// The text of a literal whose escapes are Go's; an escape that is none stays as it is.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let number = |digits: usize, rest: &mut std::str::Chars<'_>| -> Option<char> {
            let code: String = rest.clone().take(digits).collect();
            let value = u32::from_str_radix(&code, 16).ok()?;
            for _ in 0..digits {
                rest.next();
            }
            char::from_u32(value)
        };
        match rest.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('x') => out.extend(number(2, &mut rest)),
            Some('u') => out.extend(number(4, &mut rest)),
            Some('U') => out.extend(number(8, &mut rest)),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

pub(crate) fn binary_op(op: &str) -> Option<BinaryOp> {
    Some(match op {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Mod,
        "&" => BinaryOp::BitAnd,
        "|" => BinaryOp::BitOr,
        "^" | "&^" => BinaryOp::BitXor,
        "<<" => BinaryOp::ShiftLeft,
        ">>" => BinaryOp::ShiftRight,
        _ => return None,
    })
}

fn compare_op(op: &str) -> Option<CompareOp> {
    Some(match op {
        "==" => CompareOp::Eq,
        "!=" => CompareOp::NotEq,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::LtEq,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::GtEq,
        _ => return None,
    })
}
