//! Expressions.

use ruff_python_ast::{
    self as ast, ArgOrKeyword, BoolOp, CmpOp, ConversionFlag, Expr, FStringPart,
    InterpolatedStringElement, Number,
};
use ruff_text_size::Ranged;
use solvent_base::Span;
use solvent_ir::{
    Arg, Block, CompareOp, Const, Entry, FormatPart, FunctionKind, Item, Op, SequenceKind,
    Terminator, UnaryOp, Value,
};

use super::target::binary_op;
use super::{Body, Code, Comprehension, ComprehensionKind, Lower, Pending};
use crate::lower::{Outside, with_stack};
use crate::scope::address;
use crate::state::Decides;

impl<'a> Lower<'_, 'a, '_> {
    pub fn expr(&mut self, expr: &'a Expr) -> Value {
        with_stack(|| self.expr_here(expr))
    }

    fn expr_here(&mut self, expr: &'a Expr) -> Value {
        let span = self.span(expr);
        match expr {
            Expr::BoolOp(node) => self.bool_op(node),
            Expr::Named(node) => {
                let value = self.expr(&node.value);
                self.assign(&node.target, value);
                self.b.resolve(value)
            }
            Expr::BinOp(_) => self.binary(expr),
            Expr::UnaryOp(node) => self.unary(node, span),
            Expr::Lambda(node) => self.lambda(node, span),
            Expr::If(node) => self.conditional(node),
            Expr::Dict(node) => {
                let mut entries = Vec::with_capacity(node.items.len());
                for item in &node.items {
                    entries.push(match &item.key {
                        Some(key) => {
                            let key = self.expr(key);
                            Entry::Pair(key, self.expr(&item.value))
                        }
                        None => Entry::Spread(self.expr(&item.value)),
                    });
                }
                self.b.emit(Op::Dict(entries), span)
            }
            Expr::Set(node) => self.sequence_display(SequenceKind::Set, &node.elts, span),
            Expr::List(node) => self.sequence_display(SequenceKind::List, &node.elts, span),
            Expr::Tuple(node) => self.sequence_display(SequenceKind::Tuple, &node.elts, span),
            Expr::ListComp(node) => {
                let kind = ComprehensionKind::List;
                self.comprehension(address(node), &node.generators, kind, None, &node.elt, span)
            }
            Expr::SetComp(node) => {
                let kind = ComprehensionKind::Set;
                self.comprehension(address(node), &node.generators, kind, None, &node.elt, span)
            }
            Expr::Generator(node) => {
                let kind = ComprehensionKind::Generator;
                self.comprehension(address(node), &node.generators, kind, None, &node.elt, span)
            }
            Expr::DictComp(node) => self.comprehension(
                address(node),
                &node.generators,
                ComprehensionKind::Dict,
                node.key.as_deref(),
                &node.value,
                span,
            ),
            Expr::Await(node) => {
                let value = self.expr(&node.value);
                self.b.emit(Op::Await(value), span)
            }
            Expr::Yield(node) => {
                let value = node.value.as_ref().map(|value| self.expr(value));
                self.b.emit(Op::Yield(value), span)
            }
            Expr::YieldFrom(node) => {
                let value = self.expr(&node.value);
                self.b.emit(Op::YieldFrom(value), span)
            }
            Expr::Compare(node) => self.comparison(node, span),
            Expr::Call(node) => self.call(node, span),
            Expr::FString(node) => {
                let mut parts = Parts::default();
                for part in node.value.iter() {
                    match part {
                        FStringPart::Literal(literal) => parts.text.push_str(&literal.value),
                        FStringPart::FString(string) => self.parts(&string.elements, &mut parts),
                    }
                }
                self.format(parts, span)
            }
            Expr::TString(node) => {
                let mut parts = Parts::default();
                for string in node.value.iter() {
                    self.parts(&string.elements, &mut parts);
                }
                self.format(parts, span)
            }
            Expr::StringLiteral(node) => {
                let text = self.name(node.value.to_str());
                self.constant(Const::Str(text), span)
            }
            Expr::BytesLiteral(node) => {
                let bytes = node
                    .value
                    .iter()
                    .flat_map(|part| part.as_slice())
                    .copied()
                    .collect();
                self.constant(Const::Bytes(bytes), span)
            }
            Expr::NumberLiteral(node) => self.number(&node.value, span),
            Expr::BooleanLiteral(node) => self.constant(Const::Bool(node.value), span),
            Expr::NoneLiteral(_) => self.constant(Const::None, span),
            Expr::EllipsisLiteral(_) => self.constant(Const::Ellipsis, span),
            Expr::Attribute(node) => {
                let base = self.expr(&node.value);
                let name = self.name(&node.attr);
                self.b.emit(Op::Attr { base, name }, span)
            }
            Expr::Subscript(node) => {
                let base = self.expr(&node.value);
                if let Expr::Slice(slice) = &*node.slice {
                    let [lower, upper, step] = [&slice.lower, &slice.upper, &slice.step]
                        .map(|bound| bound.as_ref().map(|bound| self.expr(bound)));
                    return self.b.emit(
                        Op::Slice {
                            base,
                            lower,
                            upper,
                            step,
                        },
                        span,
                    );
                }
                let key = self.expr(&node.slice);
                self.b.emit(Op::Index { base, key }, span)
            }
            Expr::Starred(node) => {
                let value = self.expr(&node.value);
                self.b.emit(Op::Element(value), span)
            }
            Expr::Name(node) => {
                if node.id.is_empty() {
                    return self.unknown("missing expression", span);
                }
                let name = self.name(&node.id);
                self.read_name(name, span)
            }
            Expr::Slice(node) => {
                for bound in [&node.lower, &node.upper, &node.step].into_iter().flatten() {
                    self.expr(bound);
                }
                self.unknown("slice object", span)
            }
            Expr::IpyEscapeCommand(_) => self.unknown("escape command", span),
        }
    }

    /// Chains of one operator after another lean left and may be thousands long.
    fn binary(&mut self, expr: &'a Expr) -> Value {
        let mut chain = Vec::new();
        let mut leftmost = expr;
        while let Expr::BinOp(node) = leftmost {
            chain.push(node);
            leftmost = &node.left;
        }
        let mut left = self.expr(leftmost);
        for node in chain.into_iter().rev() {
            let right = self.expr(&node.right);
            let span = self.span(node);
            left = self.b.emit(
                Op::Binary {
                    op: binary_op(node.op),
                    left,
                    right,
                },
                span,
            );
        }
        left
    }

    fn unary(&mut self, node: &'a ast::ExprUnaryOp, span: Span) -> Value {
        if let (ast::UnaryOp::USub, Expr::NumberLiteral(number)) = (node.op, &*node.operand) {
            match &number.value {
                Number::Int(int) => {
                    if let Some(int) = int.as_i64() {
                        return self.int(-int, span);
                    }
                }
                Number::Float(float) => {
                    return self.constant(Const::Float((-float).to_bits()), span);
                }
                Number::Complex { .. } => {}
            }
        }
        let operand = self.expr(&node.operand);
        let op = match node.op {
            ast::UnaryOp::Not => UnaryOp::Not,
            ast::UnaryOp::USub => UnaryOp::Minus,
            ast::UnaryOp::UAdd => UnaryOp::Plus,
            ast::UnaryOp::Invert => UnaryOp::Invert,
        };
        self.b.emit(Op::Unary { op, operand }, span)
    }

    fn number(&mut self, number: &Number, span: Span) -> Value {
        match number {
            Number::Int(int) => match int.as_i64() {
                Some(int) => self.int(int, span),
                None => self.unknown("integer of more than 64 bits", span),
            },
            Number::Float(float) => self.constant(Const::Float(float.to_bits()), span),
            Number::Complex { .. } => self.unknown("complex number", span),
        }
    }

    fn sequence_display(&mut self, kind: SequenceKind, elts: &'a [Expr], span: Span) -> Value {
        let mut items = Vec::with_capacity(elts.len());
        for elt in elts {
            items.push(match elt {
                Expr::Starred(starred) => Item::Spread(self.expr(&starred.value)),
                other => Item::One(self.expr(other)),
            });
        }
        self.b.emit(Op::Sequence { kind, items }, span)
    }

    fn call(&mut self, node: &'a ast::ExprCall, span: Span) -> Value {
        let (callee, receiver) = match &*node.func {
            Expr::Attribute(attribute) => {
                let base = self.expr(&attribute.value);
                let name = self.name(&attribute.attr);
                let span = self.span(attribute);
                (self.b.emit(Op::Attr { base, name }, span), Some(base))
            }
            func => (self.expr(func), None),
        };
        let count = node.arguments.args.len() + node.arguments.keywords.len();
        let mut args = Vec::with_capacity(count);
        for argument in node.arguments.iter_source_order() {
            args.push(match argument {
                ArgOrKeyword::Arg(Expr::Starred(starred)) => Arg::Spread(self.expr(&starred.value)),
                ArgOrKeyword::Arg(arg) => Arg::Positional(self.expr(arg)),
                ArgOrKeyword::Keyword(keyword) => {
                    let value = self.expr(&keyword.value);
                    match &keyword.arg {
                        Some(name) => Arg::Named(self.name(name), value),
                        None => Arg::KeywordSpread(value),
                    }
                }
            });
        }
        let call = self.b.emit(
            Op::Call {
                callee,
                args: args.clone(),
            },
            span,
        );
        if self.statement == Some(address(node)) {
            self.discarded = Some(call);
        }
        self.after_call(call, receiver, &args, span);
        call
    }

    // Conditions.

    /// Evaluates `expr` for its truth and goes on in `then` or `otherwise`.
    pub fn condition(&mut self, expr: &'a Expr, then: Block, otherwise: Block) {
        with_stack(|| self.condition_here(expr, then, otherwise));
    }

    fn condition_here(&mut self, expr: &'a Expr, then: Block, otherwise: Block) {
        match expr {
            Expr::BoolOp(node) => {
                let last = node.values.len().saturating_sub(1);
                for (i, value) in node.values.iter().enumerate() {
                    if i == last {
                        self.condition(value, then, otherwise);
                        break;
                    }
                    let next = self.b.block();
                    match node.op {
                        BoolOp::And => self.condition(value, next, otherwise),
                        BoolOp::Or => self.condition(value, then, next),
                    }
                    self.b.seal(next);
                    self.b.start(next);
                }
            }
            Expr::UnaryOp(node) if node.op == ast::UnaryOp::Not => {
                self.condition(&node.operand, otherwise, then);
            }
            Expr::Compare(node) if node.ops.len() > 1 => {
                let mut left = self.expr(&node.left);
                let last = node.ops.len() - 1;
                for (i, (op, comparator)) in node.ops.iter().zip(&node.comparators).enumerate() {
                    let right = self.expr(comparator);
                    let span = self.span(node);
                    let test = self.b.emit(
                        Op::Compare {
                            op: compare_op(*op),
                            left,
                            right,
                        },
                        span,
                    );
                    if i == last {
                        self.branch(test, then, otherwise, span);
                    } else {
                        let next = self.b.block();
                        self.branch(test, next, otherwise, span);
                        self.b.seal(next);
                        self.b.start(next);
                    }
                    left = right;
                }
            }
            _ => {
                let value = self.expr(expr);
                let span = self.span(expr);
                self.branch(value, then, otherwise, span);
            }
        }
    }

    /// `and` and `or` as values: the first operand that decides.
    fn bool_op(&mut self, node: &'a ast::ExprBoolOp) -> Value {
        let fork = self.fork();
        let join = self.b.block();
        let mut results = Vec::with_capacity(node.values.len());
        let last = node.values.len().saturating_sub(1);
        for (i, operand) in node.values.iter().enumerate() {
            let value = self.expr(operand);
            if i == last {
                results.push((self.b.here(), value));
                self.b.jump(join);
            } else {
                let decides = match node.op {
                    BoolOp::And => Decides::WhenFalse,
                    BoolOp::Or => Decides::WhenTrue,
                };
                let span = self.span(operand);
                results.push(self.short_circuit(value, value, decides, join, span));
            }
        }
        self.join(join, fork);
        let span = self.span(node);
        self.b.merge(results, span)
    }

    fn comparison(&mut self, node: &'a ast::ExprCompare, span: Span) -> Value {
        if let ([op], [comparator]) = (&*node.ops, &*node.comparators) {
            let left = self.expr(&node.left);
            let right = self.expr(comparator);
            return self.b.emit(
                Op::Compare {
                    op: compare_op(*op),
                    left,
                    right,
                },
                span,
            );
        }
        let fork = self.fork();
        let join = self.b.block();
        let mut results = Vec::with_capacity(node.ops.len());
        let mut left = self.expr(&node.left);
        let last = node.ops.len().saturating_sub(1);
        for (i, (op, comparator)) in node.ops.iter().zip(&node.comparators).enumerate() {
            let right = self.expr(comparator);
            let test = self.b.emit(
                Op::Compare {
                    op: compare_op(*op),
                    left,
                    right,
                },
                span,
            );
            if i == last {
                results.push((self.b.here(), test));
                self.b.jump(join);
            } else {
                results.push(self.short_circuit(test, test, Decides::WhenFalse, join, span));
            }
            left = right;
        }
        self.join(join, fork);
        self.b.merge(results, span)
    }

    fn conditional(&mut self, node: &'a ast::ExprIf) -> Value {
        let fork = self.fork();
        let (then, otherwise) = (self.b.block(), self.b.block());
        let join = self.b.block();
        self.condition(&node.test, then, otherwise);
        let mut results = Vec::with_capacity(2);
        for (block, branch) in [(then, &node.body), (otherwise, &node.orelse)] {
            self.join(block, fork);
            let value = self.expr(branch);
            results.push((self.b.here(), value));
            self.b.jump(join);
        }
        self.join(join, fork);
        let span = self.span(node);
        self.b.merge(results, span)
    }

    // Functions without a name.

    fn lambda(&mut self, node: &'a ast::ExprLambda, span: Span) -> Value {
        let parameters = match &node.parameters {
            Some(parameters) => self.outside_parameters(parameters),
            None => Vec::new(),
        };
        let pending = Pending {
            name: self.name("<lambda>"),
            qualname: self.qualname("<lambda>"),
            kind: FunctionKind::Lambda,
            scope: self.file.scopes.at(address(node)),
            parent: Some(self.index),
            class: self.class,
            is_async: false,
            span,
            name_span: Span {
                start: span.start,
                end: span.start,
            },
            body: Code {
                body: Body::Expression(&node.body),
                parameters: node.parameters.as_deref(),
            },
        };
        let index = self.reserve(pending);
        self.file.functions[index.0 as usize].outside = Outside {
            parameters,
            ..Outside::default()
        };
        self.b.emit(Op::Function(index), span)
    }

    fn comprehension(
        &mut self,
        node: usize,
        generators: &'a [ast::Comprehension],
        kind: ComprehensionKind,
        key: Option<&'a Expr>,
        element: &'a Expr,
        span: Span,
    ) -> Value {
        let iterable = match generators.first() {
            Some(first) => self.expr(&first.iter),
            None => self.unknown("missing expression", span),
        };
        let scope = self.file.scopes.at(node);
        let awaits = self.file.scopes.get(scope).awaits;
        let pending = Pending {
            name: self.name("<comprehension>"),
            qualname: self.qualname("<comprehension>"),
            kind: FunctionKind::Comprehension,
            scope,
            parent: Some(self.index),
            class: None,
            is_async: awaits,
            span,
            name_span: Span {
                start: span.start,
                end: span.start,
            },
            body: Code {
                body: Body::Comprehension(Comprehension {
                    generators,
                    kind,
                    key,
                    element,
                }),
                parameters: None,
            },
        };
        let index = self.reserve(pending);
        let callee = self.b.emit(Op::Function(index), span);
        let args = vec![Arg::Positional(iterable)];
        let call = self.b.emit(Op::Call { callee, args }, span);
        if awaits && kind != ComprehensionKind::Generator {
            return self.b.emit(Op::Await(call), span);
        }
        call
    }

    /// The body of the function that a comprehension is: lists, sets and dicts grow by one in each
    /// turn, a generator yields.
    pub fn comprehension_body(&mut self, comprehension: &Comprehension<'a>) {
        let span = self.span(comprehension.element);
        let accumulator = self.file.well_known.accumulator;
        let empty = match comprehension.kind {
            ComprehensionKind::List => Some(Op::Sequence {
                kind: SequenceKind::List,
                items: Vec::new(),
            }),
            ComprehensionKind::Set => Some(Op::Sequence {
                kind: SequenceKind::Set,
                items: Vec::new(),
            }),
            ComprehensionKind::Dict => Some(Op::Dict(Vec::new())),
            ComprehensionKind::Generator => None,
        };
        if let Some(empty) = empty {
            let empty = self.b.emit(empty, span);
            self.b.write(accumulator, empty);
        }
        self.turns(comprehension, 0);
        let result = match comprehension.kind {
            ComprehensionKind::Generator => None,
            _ => self.b.read(accumulator),
        };
        let result = match result {
            Some(result) => result,
            None => self.constant(Const::None, span),
        };
        self.b.terminate(Terminator::Return(Some(result)));
    }

    fn turns(&mut self, comprehension: &Comprehension<'a>, depth: usize) {
        let Some(generator) = comprehension.generators.get(depth) else {
            self.turn(comprehension);
            return;
        };
        let span = self.span(&generator.iter);
        let iterable = if depth == 0 {
            let name = self.name(".0");
            match self.b.read(name) {
                Some(value) => value,
                None => self.unknown("missing expression", span),
            }
        } else {
            self.expr(&generator.iter)
        };
        let fork = self.fork();
        let (header, body, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.start(header);
        let another = self.unknown("another element", span);
        self.b.terminate(Terminator::Branch {
            condition: another,
            then: body,
            otherwise: exit,
        });
        self.b.seal(body);
        self.b.start(body);
        let element = self.b.emit(Op::Element(iterable), span);
        self.assign(&generator.target, element);
        for condition in &generator.ifs {
            let holds = self.b.block();
            self.condition(condition, holds, header);
            self.b.seal(holds);
            self.b.start(holds);
        }
        with_stack(|| self.turns(comprehension, depth + 1));
        self.b.jump(header);
        self.close(header, fork);
        self.join(exit, fork);
    }

    fn turn(&mut self, comprehension: &Comprehension<'a>) {
        let span = self.span(comprehension.element);
        let accumulator = self.file.well_known.accumulator;
        let key = comprehension.key.map(|key| self.expr(key));
        let value = self.expr(comprehension.element);
        let so_far = match comprehension.kind {
            ComprehensionKind::Generator => None,
            _ => self.b.read(accumulator),
        };
        let next = match (comprehension.kind, so_far) {
            (ComprehensionKind::Generator, _) | (_, None) => {
                self.b.emit(Op::Yield(Some(value)), span);
                return;
            }
            (ComprehensionKind::Dict, Some(base)) => {
                let key = match key {
                    Some(key) => key,
                    None => self.unknown("missing expression", span),
                };
                Op::SetIndex { base, key, value }
            }
            (ComprehensionKind::List | ComprehensionKind::Set, Some(base)) => {
                let kind = match comprehension.kind {
                    ComprehensionKind::Set => SequenceKind::Set,
                    _ => SequenceKind::List,
                };
                Op::Sequence {
                    kind,
                    items: vec![Item::Spread(base), Item::One(value)],
                }
            }
        };
        let next = self.b.emit(next, span);
        self.b.write(accumulator, next);
    }

    // Strings.

    fn parts(&mut self, elements: &'a [InterpolatedStringElement], parts: &mut Parts) {
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => parts.text.push_str(&literal.value),
                InterpolatedStringElement::Interpolation(node) => {
                    with_stack(|| self.interpolation(node, parts));
                }
            }
        }
    }

    fn interpolation(&mut self, node: &'a ast::InterpolatedElement, parts: &mut Parts) {
        if let Some(debug) = &node.debug_text {
            parts.text.push_str(debug.leading());
            let range = node.expression.range();
            parts.text.push_str(&self.file.source.text[range]);
            parts.text.push_str(debug.trailing());
        }
        let value = self.expr(&node.expression);
        self.flush(parts);
        let conversion = match node.conversion {
            ConversionFlag::None if node.debug_text.is_some() && node.format_spec.is_none() => {
                Some('r')
            }
            ConversionFlag::None => None,
            ConversionFlag::Str => Some('s'),
            ConversionFlag::Ascii => Some('a'),
            ConversionFlag::Repr => Some('r'),
        };
        let mut nested = Parts::default();
        if let Some(spec) = &node.format_spec {
            self.parts(&spec.elements, &mut nested);
        }
        let constant = nested.done.is_empty() && !nested.text.is_empty();
        let spec = constant.then(|| self.name(&nested.text));
        parts.done.push(FormatPart::Value {
            value,
            conversion,
            spec,
        });
        // Values inside a format specification (widths, precisions) end up in the text as well.
        parts.done.extend(
            nested
                .done
                .into_iter()
                .filter(|part| matches!(part, FormatPart::Value { .. })),
        );
    }

    fn flush(&mut self, parts: &mut Parts) {
        if !parts.text.is_empty() {
            let text = self.name(&parts.text);
            parts.done.push(FormatPart::Literal(text));
            parts.text.clear();
        }
    }

    fn format(&mut self, mut parts: Parts, span: Span) -> Value {
        if parts.done.is_empty() {
            let text = self.name(&parts.text);
            return self.constant(Const::Str(text), span);
        }
        self.flush(&mut parts);
        self.b.emit(Op::Format(parts.done), span)
    }
}

/// A formatted string so far: finished parts, and literal text that may still grow.
#[derive(Default)]
struct Parts {
    done: Vec<FormatPart>,
    text: String,
}

fn compare_op(op: CmpOp) -> CompareOp {
    match op {
        CmpOp::Eq => CompareOp::Eq,
        CmpOp::NotEq => CompareOp::NotEq,
        CmpOp::Lt => CompareOp::Lt,
        CmpOp::LtE => CompareOp::LtEq,
        CmpOp::Gt => CompareOp::Gt,
        CmpOp::GtE => CompareOp::GtEq,
        CmpOp::Is => CompareOp::Is,
        CmpOp::IsNot => CompareOp::IsNot,
        CmpOp::In => CompareOp::In,
        CmpOp::NotIn => CompareOp::NotIn,
    }
}
