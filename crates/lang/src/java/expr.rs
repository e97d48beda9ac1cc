//! Expressions.

use solvent_base::Span;
use solvent_ir::{BinaryOp, Block, CompareOp, Const, Item, Op, SequenceKind, UnaryOp, Value};
use tree_sitter::Node;

use super::Lower;
use super::tree::{all, field, fields, kids};
use crate::lower::with_stack;
use crate::state::Decides;

impl<'a> Lower<'_, 'a, '_> {
    pub fn expr(&mut self, node: Node<'a>) -> Value {
        with_stack(|| self.expr_here(node))
    }

    fn expr_here(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        match node.kind() {
            "decimal_integer_literal"
            | "hex_integer_literal"
            | "octal_integer_literal"
            | "binary_integer_literal" => self.integer(node, span),
            "decimal_floating_point_literal" | "hex_floating_point_literal" => {
                let text = self.text(node).trim_end_matches(['f', 'F', 'd', 'D']);
                match text.replace('_', "").parse::<f64>() {
                    Ok(float) => self.constant(Const::Float(float.to_bits()), span),
                    Err(_) => self.unknown("a number", span),
                }
            }
            "true" => self.constant(Const::Bool(true), span),
            "false" => self.constant(Const::Bool(false), span),
            "null_literal" => self.null(span),
            "character_literal" => {
                let text = self.text(node);
                let inner = text.strip_prefix('\'').unwrap_or(text);
                let inner = unescaped(inner.strip_suffix('\'').unwrap_or(inner));
                let name = self.name(&inner);
                self.constant(Const::Str(name), span)
            }
            "string_literal" => {
                let text = literal(self.text(node));
                let name = self.name(&text);
                self.constant(Const::Str(name), span)
            }
            "identifier" => self.identifier(node),
            "this" => self.this(span),
            "super" => self.super_value(span),
            "parenthesized_expression" => match kids(node).first() {
                Some(inner) => self.expr(*inner),
                None => self.unknown("a missing expression", span),
            },
            "class_literal" => {
                let class = kids(node).first().and_then(|t| self.type_value(*t));
                match class {
                    Some(class) => self.builtin_call("<class>", &[class], span),
                    None => self.unknown("the class of a type", span),
                }
            }
            "field_access" => self.field_access(node),
            "array_access" => {
                let base = self.part(node, "array");
                let key = self.part(node, "index");
                self.b.emit(Op::Index { base, key }, span)
            }
            "method_invocation" => self.invocation(node),
            "object_creation_expression" => self.creation(node),
            "method_reference" => self.reference(node),
            "lambda_expression" => self.lambda(node),
            "array_creation_expression" => self.array(node),
            "array_initializer" => self.array_of(node),
            "cast_expression" => self.cast(node),
            "assignment_expression" => self.assignment(node),
            "update_expression" => self.update(node),
            "unary_expression" => self.unary(node),
            "binary_expression" => self.binary(node),
            "ternary_expression" => self.ternary(node),
            "instanceof_expression" => self.instance_of(node),
            "switch_expression" => self.switch(node, None),
            "type_identifier" | "scoped_type_identifier" | "generic_type" => {
                match self.type_value(node) {
                    Some(value) => value,
                    None => self.unknown("a type", span),
                }
            }
            _ => {
                // What cannot be read may still call something.
                for kid in kids(node) {
                    self.expr(kid);
                }
                self.unknown("an expression", span)
            }
        }
    }

    pub fn part(&mut self, node: Node<'a>, name: &str) -> Value {
        match field(node, name) {
            Some(part) => self.expr(part),
            None => {
                let span = self.at(node);
                self.unknown("a missing expression", span)
            }
        }
    }

    fn integer(&mut self, node: Node<'a>, span: Span) -> Value {
        let text = self.text(node).replace('_', "").to_lowercase();
        let text = text.trim_end_matches('l');
        let parsed = if let Some(digits) = text.strip_prefix("0x") {
            i64::from_str_radix(digits, 16)
        } else if let Some(digits) = text.strip_prefix("0b") {
            i64::from_str_radix(digits, 2)
        } else if text.len() > 1 && text.starts_with('0') {
            i64::from_str_radix(text.trim_start_matches(['0', 'o']), 8)
        } else {
            text.parse()
        };
        match parsed {
            Ok(int) => self.int(int, span),
            Err(_) => self.unknown("integer of more than 64 bits", span),
        }
    }

    fn field_access(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let (Some(object), Some(name)) = (field(node, "object"), field(node, "field")) else {
            return self.unknown("a missing field", span);
        };
        if name.kind() == "this" {
            let wanted = self.text(object);
            let shared = self.file.shared;
            let class = shared
                .index
                .around(self.class_here())
                .find(|c| shared.index.classes[*c].name == wanted);
            let object = class.and_then(|class| self.object_of(class, span));
            return match object {
                Some(object) => object,
                None => self.unknown("an object around", span),
            };
        }
        if let Some(path) = self.package_path(node) {
            return self.qualified(&path, span);
        }
        let base = self.expr(object);
        let name = self.name(self.text(name));
        self.b.emit(Op::Attr { base, name }, span)
    }

    fn array(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        if let Some(value) = field(node, "value") {
            return self.array_of(value);
        }
        let mut sizes = Vec::new();
        for dimension in fields(node, "dimensions") {
            if let Some(size) = kids(dimension).last() {
                sizes.push(self.expr(*size));
            }
        }
        self.builtin_call("<array>", &sizes, span)
    }

    fn array_of(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let items = kids(node)
            .into_iter()
            .map(|kid| Item::One(self.expr(kid)))
            .collect();
        let kind = SequenceKind::List;
        self.b.emit(Op::Sequence { kind, items }, span)
    }

    /// What a variable of a type is given first. The declared class helps where a call's is not known.
    pub fn initial(&mut self, node: Node<'a>, type_: Option<Node<'a>>) -> Value {
        let value = self.expr(node);
        let call = match node.kind() {
            "cast_expression" => field(node, "value").unwrap_or(node),
            _ => node,
        };
        let Some(type_) = type_.filter(|_| call.kind() == "method_invocation") else {
            return value;
        };
        self.seen_as(value, type_)
    }

    fn seen_as(&mut self, value: Value, type_: Node<'a>) -> Value {
        let text = self.text(type_);
        let plain = matches!(
            text,
            "String" | "Object" | "char" | "boolean" | "CharSequence"
        ) || text.len() == 1;
        let number = matches!(type_.kind(), "integral_type" | "floating_point_type");
        if plain || number {
            return value;
        }
        let span = self.at(type_);
        match self.type_value(type_) {
            Some(class) => self.builtin_call("<as>", &[class, value], span),
            None => value,
        }
    }

    fn cast(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let value = self.part(node, "value");
        let Some(type_) = field(node, "type") else {
            return value;
        };
        let number = matches!(type_.kind(), "integral_type" | "floating_point_type");
        if number && self.text(type_) != "char" {
            return self.builtin_call("<number>", &[value], span);
        }
        let call = field(node, "value").is_some_and(|v| v.kind() == "method_invocation");
        if call {
            self.seen_as(value, type_)
        } else {
            value
        }
    }

    fn unary(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let sign = field(node, "operator").map_or("", |op| op.kind());
        let operand = self.part(node, "operand");
        if sign == "-"
            && let Op::Const(Const::Int(int)) = *self.b.op(operand)
            && let Some(int) = int.checked_neg()
        {
            return self.int(int, span);
        }
        let op = match sign {
            "!" => UnaryOp::Not,
            "-" => UnaryOp::Minus,
            "~" => UnaryOp::Invert,
            _ => UnaryOp::Plus,
        };
        self.b.emit(Op::Unary { op, operand }, span)
    }

    /// Chains of one operator after another lean left and may be thousands long.
    fn binary(&mut self, node: Node<'a>) -> Value {
        let mut chain = Vec::new();
        let mut leftmost = node;
        while leftmost.kind() == "binary_expression" && !is_logical(leftmost) {
            chain.push(leftmost);
            match field(leftmost, "left") {
                Some(left) => leftmost = left,
                None => break,
            }
        }
        if chain.is_empty() {
            return self.logical(node);
        }
        let mut left = self.expr(leftmost);
        for node in chain.into_iter().rev() {
            let right = self.part(node, "right");
            let span = self.at(node);
            let sign = field(node, "operator").map_or("", |op| op.kind());
            let op = match (compare_op(sign), binary_op(sign)) {
                (Some(op), _) => Op::Compare { op, left, right },
                (None, Some(op)) => Op::Binary { op, left, right },
                (None, None) => Op::Unknown("an operator"),
            };
            left = self.b.emit(op, span);
        }
        left
    }

    fn logical(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let fork = self.fork();
        let join = self.b.block();
        let left = self.part(node, "left");
        let decides = match field(node, "operator").map(|op| op.kind()) {
            Some("&&") => Decides::WhenFalse,
            _ => Decides::WhenTrue,
        };
        let mut results = vec![self.short_circuit(left, left, decides, join, span)];
        let right = self.part(node, "right");
        results.push((self.b.here(), right));
        self.b.jump(join);
        self.join(join, fork);
        self.b.merge(results, span)
    }

    fn instance_of(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let value = self.part(node, "left");
        let type_ = field(node, "right")
            .or_else(|| field(node, "pattern").and_then(|pattern| kids(pattern).first().copied()));
        let class = match type_.and_then(|t| self.type_value(t)) {
            Some(class) => class,
            None => self.unknown("a type", span),
        };
        let answer = self.builtin_call("<instanceof>", &[value, class], span);
        if let Some(name) = field(node, "name") {
            self.bind(name, value);
        }
        if let Some(pattern) = field(node, "pattern") {
            self.take_apart(pattern, value);
        }
        answer
    }

    /// Binds a variable that is declared at `name`.
    pub fn bind(&mut self, name: Node<'a>, value: Value) {
        if let Some(variable) = self.file.shared.variables.at(name.id()) {
            let span = self.at(name);
            self.write_name(variable, value, span);
        }
    }

    /// Binds the components of a record, by position.
    pub fn take_apart(&mut self, pattern: Node<'a>, value: Value) {
        with_stack(|| self.take_apart_here(pattern, value));
    }

    fn take_apart_here(&mut self, pattern: Node<'a>, value: Value) {
        let span = self.at(pattern);
        match pattern.kind() {
            "type_pattern" | "record_pattern_component" => {
                if let Some(name) = kids(pattern)
                    .into_iter()
                    .rfind(|k| k.kind() == "identifier")
                {
                    self.bind(name, value);
                }
            }
            "record_pattern" => {
                let body = kids(pattern)
                    .into_iter()
                    .find(|k| k.kind() == "record_pattern_body");
                for (i, part) in body.map(kids).unwrap_or_default().into_iter().enumerate() {
                    let position = self.int(i as i64, span);
                    let value = self.builtin_call("<component>", &[value, position], span);
                    self.take_apart(part, value);
                }
            }
            _ => {
                for kid in kids(pattern) {
                    self.take_apart(kid, value);
                }
            }
        }
    }

    // Conditions.

    /// Evaluates an expression for its truth and goes on in `then` or `otherwise`.
    pub fn condition(&mut self, node: Node<'a>, then: Block, otherwise: Block) {
        with_stack(|| self.condition_here(node, then, otherwise));
    }

    fn condition_here(&mut self, node: Node<'a>, then: Block, otherwise: Block) {
        match node.kind() {
            "parenthesized_expression" if kids(node).len() == 1 => {
                self.condition(kids(node)[0], then, otherwise);
            }
            "binary_expression" if is_logical(node) => {
                let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
                    self.b.jump(otherwise);
                    return;
                };
                let next = self.b.block();
                match field(node, "operator").map(|op| op.kind()) {
                    Some("&&") => self.condition(left, next, otherwise),
                    _ => self.condition(left, then, next),
                }
                self.b.seal(next);
                self.b.start(next);
                self.condition(right, then, otherwise);
            }
            "unary_expression" if field(node, "operator").is_some_and(|op| op.kind() == "!") => {
                match field(node, "operand") {
                    Some(operand) => self.condition(operand, otherwise, then),
                    None => self.b.jump(otherwise),
                }
            }
            _ => {
                let value = self.expr(node);
                let span = self.at(node);
                self.branch(value, then, otherwise, span);
            }
        }
    }

    fn ternary(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let fork = self.fork();
        let (then, otherwise, join) = (self.b.block(), self.b.block(), self.b.block());
        match field(node, "condition") {
            Some(test) => self.condition(test, then, otherwise),
            None => self.b.jump(otherwise),
        }
        let mut results = Vec::with_capacity(2);
        for (block, name) in [(then, "consequence"), (otherwise, "alternative")] {
            self.join(block, fork);
            let value = self.part(node, name);
            results.push((self.b.here(), value));
            self.b.jump(join);
        }
        self.join(join, fork);
        self.b.merge(results, span)
    }
}

fn is_logical(node: Node<'_>) -> bool {
    node.kind() == "binary_expression"
        && all(node)
            .iter()
            .any(|kid| matches!(kid.kind(), "&&" | "||"))
}

pub(crate) fn binary_op(sign: &str) -> Option<BinaryOp> {
    Some(match sign {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Mod,
        "&" => BinaryOp::BitAnd,
        "|" => BinaryOp::BitOr,
        "^" => BinaryOp::BitXor,
        "<<" => BinaryOp::ShiftLeft,
        ">>" | ">>>" => BinaryOp::ShiftRight,
        _ => return None,
    })
}

fn compare_op(sign: &str) -> Option<CompareOp> {
    Some(match sign {
        "==" => CompareOp::Eq,
        "!=" => CompareOp::NotEq,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::LtEq,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::GtEq,
        _ => return None,
    })
}

/// The text of a literal, quotes and all. A text block loses the indentation that all its lines share
/// (The Java Language Specification, 3.10.6).
pub(super) fn literal(text: &str) -> String {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let block = block.strip_suffix("\"\"\"").unwrap_or(block);
        let block = block.split_once('\n').map_or(block, |(_, rest)| rest);
        let lines: Vec<&str> = block.split('\n').collect();
        let last = lines.len().saturating_sub(1);
        let indent = lines
            .iter()
            .enumerate()
            .filter(|(i, line)| !line.trim().is_empty() || *i == last)
            .map(|(_, line)| line.len() - line.trim_start().len())
            .min()
            .unwrap_or(0);
        let lines: Vec<&str> = lines
            .iter()
            .map(|line| line.get(indent..).unwrap_or_default().trim_end())
            .collect();
        return unescaped(&lines.join("\n"));
    }
    let text = text.strip_prefix('"').unwrap_or(text);
    unescaped(text.strip_suffix('"').unwrap_or(text))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('s') => out.push(' '),
            Some('\n') | None => {}
            Some('u') => {
                while rest.peek() == Some(&'u') {
                    rest.next();
                }
                let digits: String = rest.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).unwrap_or(0xfffd);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(digit @ '0'..='7') => {
                let mut code = digit.to_digit(8).unwrap_or(0);
                let most = if digit <= '3' { 2 } else { 1 };
                for _ in 0..most {
                    let Some(more) = rest.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + more;
                    rest.next();
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn literals_mean_their_text() {
        assert_eq!(literal("\"a\\n\\u0041\\101\\\"\""), "a\nAA\"");
        assert_eq!(
            literal("\"\"\"\n    select *\n      from t\n    \"\"\""),
            "select *\n  from t\n"
        );
    }
}
