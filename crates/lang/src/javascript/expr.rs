//! Expressions.

use oxc_ast::ast;
use oxc_span::GetSpan;
use oxc_syntax::operator::{BinaryOperator, LogicalOperator, UnaryOperator};
use solvent_base::{Name, Span};
use solvent_ir::{
    Arg, BinaryOp, Block, CompareOp, Const, Entry, FormatPart, Item, Op, SequenceKind, UnaryOp,
    Value,
};

use super::Lower;
use super::function::Shape;
use crate::lower::with_stack;
use crate::scope::{ScopeId, address, bind};

impl<'a> Lower<'_, 'a, '_> {
    pub fn expr(&mut self, expr: &'a ast::Expression<'a>) -> Value {
        with_stack(|| self.expr_here(expr))
    }

    /// A function or class without a name of its own is called what it is given to.
    pub fn expr_named(&mut self, expr: &'a ast::Expression<'a>, hint: Option<&str>) -> Value {
        match expr {
            ast::Expression::ArrowFunctionExpression(node) => {
                self.function_value(Shape::of_arrow(node), hint)
            }
            ast::Expression::FunctionExpression(node) if node.id.is_none() => {
                self.function_value(Shape::of_function(node), hint)
            }
            ast::Expression::ClassExpression(node) if node.id.is_none() => self.class(node, hint),
            other => self.expr(other),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per form of expression reads best in one place"
    )]
    fn expr_here(&mut self, expr: &'a ast::Expression<'a>) -> Value {
        let span = self.at(expr.span());
        match expr {
            ast::Expression::BooleanLiteral(node) => self.constant(Const::Bool(node.value), span),
            ast::Expression::NullLiteral(_) => self.constant(Const::None, span),
            ast::Expression::NumericLiteral(node) => self.number(node.value, span),
            ast::Expression::BigIntLiteral(node) => match node.value.parse() {
                Ok(int) => self.int(int, span),
                Err(_) => self.unknown("integer of more than 64 bits", span),
            },
            ast::Expression::RegExpLiteral(node) => {
                let callee = self.builtin("RegExp", span);
                let (pattern, flags) = (
                    self.name(&node.regex.pattern.text),
                    self.name(&node.regex.flags.to_string()),
                );
                let pattern = self.constant(Const::Str(pattern), span);
                let flags = self.constant(Const::Str(flags), span);
                let args = vec![Arg::Positional(pattern), Arg::Positional(flags)];
                self.b.emit(Op::Call { callee, args }, span)
            }
            ast::Expression::StringLiteral(node) => {
                let text = self.name(&node.value);
                self.constant(Const::Str(text), span)
            }
            ast::Expression::TemplateLiteral(node) => self.template(node),
            ast::Expression::TaggedTemplateExpression(node) => {
                let (callee, receiver) = self.callee(&node.tag);
                let mut items = Vec::new();
                for quasi in &node.quasi.quasis {
                    let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw);
                    let text = self.name(text);
                    items.push(Item::One(self.constant(Const::Str(text), span)));
                }
                let kind = SequenceKind::List;
                let texts = self.b.emit(Op::Sequence { kind, items }, span);
                let mut args = vec![Arg::Positional(texts)];
                for expression in &node.quasi.expressions {
                    args.push(Arg::Positional(self.expr(expression)));
                }
                self.called(callee, receiver, args, span)
            }
            ast::Expression::Identifier(node) => self.identifier(node),
            ast::Expression::Super(_) => self.super_value(span),
            ast::Expression::ArrayExpression(node) => {
                let mut items = Vec::with_capacity(node.elements.len());
                for element in &node.elements {
                    items.push(match element {
                        ast::ArrayExpressionElement::SpreadElement(spread) => {
                            Item::Spread(self.expr(&spread.argument))
                        }
                        other => match other.as_expression() {
                            Some(expression) => Item::One(self.expr(expression)),
                            None => Item::One(self.constant(Const::None, span)),
                        },
                    });
                }
                let kind = SequenceKind::List;
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            ast::Expression::ObjectExpression(node) => self.object(node, span),
            ast::Expression::ArrowFunctionExpression(node) => {
                self.function_value(Shape::of_arrow(node), None)
            }
            ast::Expression::FunctionExpression(node) => {
                let mut shape = Shape::of_function(node);
                let name = node.id.as_ref().map(|id| id.name.as_str());
                shape.own_name = node
                    .id
                    .as_ref()
                    .and_then(|id| self.file.shared.declared(id));
                self.function_value(shape, name)
            }
            ast::Expression::ClassExpression(node) => self.class(node, None),
            ast::Expression::AssignmentExpression(node) => self.assignment(node),
            ast::Expression::AwaitExpression(node) => {
                let value = self.expr(&node.argument);
                self.b.emit(Op::Await(value), span)
            }
            ast::Expression::YieldExpression(node) => match (&node.argument, node.delegate) {
                (Some(argument), true) => {
                    let value = self.expr(argument);
                    self.b.emit(Op::YieldFrom(value), span)
                }
                (argument, _) => {
                    let value = argument.as_ref().map(|argument| self.expr(argument));
                    self.b.emit(Op::Yield(value), span)
                }
            },
            ast::Expression::BinaryExpression(_) => self.binary(expr),
            ast::Expression::CallExpression(node) => self.call(node),
            ast::Expression::ChainExpression(node) => match &node.expression {
                ast::ChainElement::CallExpression(call) => self.call(call),
                ast::ChainElement::TSNonNullExpression(inner) => self.expr(&inner.expression),
                other => match other.as_member_expression() {
                    Some(member) => self.member(member).0,
                    None => self.unknown("a chain", span),
                },
            },
            ast::Expression::ConditionalExpression(node) => self.conditional(node),
            ast::Expression::ImportExpression(node) => match &node.source {
                ast::Expression::StringLiteral(text) => {
                    let module = self.name(&text.value);
                    let value = self.imported(module, None, span);
                    self.b.emit(Op::Await(value), span)
                }
                source => {
                    let name = self.expr(source);
                    let callee = self.builtin("<import>", span);
                    let args = vec![Arg::Positional(name)];
                    let call = self.b.emit(Op::Call { callee, args }, span);
                    self.b.emit(Op::Await(call), span)
                }
            },
            ast::Expression::LogicalExpression(node) => {
                let left = self.expr(&node.left);
                self.logical_from(left, Some(node.operator), &node.right, span)
            }
            ast::Expression::NewExpression(node) => {
                let made = self.expr(&node.callee);
                let callee = self.builtin("<new>", span);
                let mut args = vec![Arg::Positional(made)];
                args.extend(self.arguments(&node.arguments));
                let rest = args.split_off(1);
                let all = args.iter().chain(&rest).cloned().collect();
                let call = self.b.emit(Op::Call { callee, args: all }, span);
                self.after_call(call, None, &rest, span);
                call
            }
            ast::Expression::ParenthesizedExpression(node) => self.expr(&node.expression),
            ast::Expression::SequenceExpression(node) => {
                let mut last = None;
                for expression in &node.expressions {
                    last = Some(self.expr(expression));
                }
                match last {
                    Some(value) => value,
                    None => self.unknown("missing expression", span),
                }
            }
            ast::Expression::ThisExpression(_) => self.this(span),
            ast::Expression::UnaryExpression(node) => self.unary(node, span),
            ast::Expression::UpdateExpression(node) => self.update(node),
            ast::Expression::PrivateInExpression(node) => {
                self.expr(&node.right);
                self.unknown("whether a private member exists", span)
            }
            ast::Expression::ImportMeta(_) => self.builtin("import.meta", span),
            ast::Expression::NewTarget(_) => self.unknown("new.target", span),
            ast::Expression::JSXElement(node) => self.element(node),
            ast::Expression::JSXFragment(node) => self.fragment(node),
            ast::Expression::TSAsExpression(node) => self.expr(&node.expression),
            ast::Expression::TSSatisfiesExpression(node) => self.expr(&node.expression),
            ast::Expression::TSTypeAssertion(node) => self.expr(&node.expression),
            ast::Expression::TSNonNullExpression(node) => self.expr(&node.expression),
            ast::Expression::TSInstantiationExpression(node) => self.expr(&node.expression),
            ast::Expression::V8IntrinsicExpression(_) => self.unknown("an intrinsic", span),
            other => match other.as_member_expression() {
                Some(_) if self.is_exports(other) => self.read_exports(span),
                Some(member) => self.member(member).0,
                None => self.unknown("an expression", span),
            },
        }
    }

    fn number(&mut self, value: f64, span: Span) -> Value {
        // 2 to the 53rd: beyond, not every integer is a number.
        if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
            return self.int(value as i64, span);
        }
        self.constant(Const::Float(value.to_bits()), span)
    }

    pub fn identifier(&mut self, node: &'a ast::IdentifierReference<'a>) -> Value {
        let span = self.at(node.span);
        if let Some(variable) = self.file.shared.referred(node) {
            return self.read_name(variable, span);
        }
        match node.name.as_str() {
            "undefined" => self.constant(Const::None, span),
            "NaN" => self.constant(Const::Float(f64::NAN.to_bits()), span),
            "Infinity" => self.constant(Const::Float(f64::INFINITY.to_bits()), span),
            "exports" => self.read_exports(span),
            "arguments" => {
                let name = self.file.shared.arguments;
                self.read_name(name, span)
            }
            text => {
                let name = self.name(text);
                let assigned = self.flags(name) | self.file.scopes.flags(ScopeId(0), name);
                if assigned & bind::VARIABLE != 0 {
                    return self.read_name(name, span);
                }
                self.builtin(text, span)
            }
        }
    }

    pub fn this(&mut self, span: Span) -> Value {
        let this = self.file.shared.this;
        match self.file.scopes.home(self.scope, this) {
            crate::scope::Home::Module => self.unknown("this", span),
            _ => self.read_name(this, span),
        }
    }

    fn super_value(&mut self, span: Span) -> Value {
        let name = self.file.well_known.super_;
        let callee = self.b.emit(Op::Global(name), span);
        let args = Vec::new();
        self.b.emit(Op::Call { callee, args }, span)
    }

    fn template(&mut self, node: &'a ast::TemplateLiteral<'a>) -> Value {
        let span = self.at(node.span);
        let mut parts = Vec::new();
        let mut expressions = node.expressions.iter();
        for quasi in &node.quasis {
            let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw);
            if !text.is_empty() {
                parts.push(FormatPart::Literal(self.name(text)));
            }
            if let Some(expression) = expressions.next() {
                parts.push(FormatPart::Value {
                    value: self.expr(expression),
                    conversion: None,
                    spec: None,
                });
            }
        }
        match parts[..] {
            [] => {
                let text = self.name("");
                self.constant(Const::Str(text), span)
            }
            [FormatPart::Literal(text)] => self.constant(Const::Str(text), span),
            _ => self.b.emit(Op::Format(parts), span),
        }
    }

    fn object(&mut self, node: &'a ast::ObjectExpression<'a>, span: Span) -> Value {
        let mut entries = Vec::with_capacity(node.properties.len());
        for property in &node.properties {
            match property {
                ast::ObjectPropertyKind::ObjectProperty(property) => {
                    let at = self.at(property.span);
                    let name = self.member_name(&property.key);
                    let key = match (name, property.key.as_expression()) {
                        (Some(name), _) => self.constant(Const::Str(name), at),
                        (None, Some(expression)) => self.expr(expression),
                        (None, None) => self.unknown("a key", at),
                    };
                    let hint = name.map(|name| self.file.names.text(name));
                    let value = self.expr_named(&property.value, hint.as_deref());
                    let value = match property.kind {
                        ast::PropertyKind::Init => value,
                        ast::PropertyKind::Get => {
                            let callee = self.builtin("<getter>", at);
                            let args = vec![Arg::Positional(value)];
                            self.b.emit(Op::Call { callee, args }, at)
                        }
                        ast::PropertyKind::Set => {
                            if let Some(name) = name {
                                let text = self.file.names.text(name);
                                let name = self.name(&format!("<set {text}>"));
                                let key = self.constant(Const::Str(name), at);
                                entries.push(Entry::Pair(key, value));
                            }
                            continue;
                        }
                    };
                    entries.push(Entry::Pair(key, value));
                }
                ast::ObjectPropertyKind::SpreadProperty(spread) => {
                    entries.push(Entry::Spread(self.expr(&spread.argument)));
                }
            }
        }
        self.b.emit(Op::Dict(entries), span)
    }

    /// Chains of one operator after another lean left and may be thousands long.
    fn binary(&mut self, expr: &'a ast::Expression<'a>) -> Value {
        let mut chain = Vec::new();
        let mut leftmost = expr;
        while let ast::Expression::BinaryExpression(node) = leftmost {
            chain.push(&**node);
            leftmost = &node.left;
        }
        let mut left = self.expr(leftmost);
        for node in chain.into_iter().rev() {
            let right = self.expr(&node.right);
            let span = self.at(node.span);
            let op = match (compare_op(node.operator), binary_op(node.operator)) {
                (Some(op), _) => Op::Compare { op, left, right },
                (None, Some(op)) => Op::Binary { op, left, right },
                (None, None) => Op::Unknown("instanceof"),
            };
            left = self.b.emit(op, span);
        }
        left
    }

    fn unary(&mut self, node: &'a ast::UnaryExpression<'a>, span: Span) -> Value {
        if let (UnaryOperator::UnaryNegation, ast::Expression::NumericLiteral(number)) =
            (node.operator, &node.argument)
        {
            return self.number(-number.value, span);
        }
        if node.operator == UnaryOperator::Delete {
            return self.delete(&node.argument, span);
        }
        let operand = self.expr(&node.argument);
        let op = match node.operator {
            UnaryOperator::LogicalNot => UnaryOp::Not,
            UnaryOperator::UnaryNegation => UnaryOp::Minus,
            UnaryOperator::BitwiseNot => UnaryOp::Invert,
            UnaryOperator::UnaryPlus => UnaryOp::Plus,
            UnaryOperator::Typeof => {
                let callee = self.builtin("<typeof>", span);
                let args = vec![Arg::Positional(operand)];
                return self.b.emit(Op::Call { callee, args }, span);
            }
            UnaryOperator::Void | UnaryOperator::Delete => {
                return self.constant(Const::None, span);
            }
        };
        self.b.emit(Op::Unary { op, operand }, span)
    }

    fn delete(&mut self, target: &'a ast::Expression<'a>, span: Span) -> Value {
        if let Some(member) = target.get_member_expr() {
            let base = self.expr(member.object());
            let key = match (self.known_member(member), member) {
                (Some(name), _) => self.constant(Const::Str(name), span),
                (None, ast::MemberExpression::ComputedMemberExpression(node)) => {
                    self.expr(&node.expression)
                }
                _ => self.unknown("a key", span),
            };
            let base = self.b.resolve(base);
            let new = self.b.emit(Op::DelIndex { base, key }, span);
            self.rebind(base, new, span);
        }
        self.constant(Const::Bool(true), span)
    }

    // Members and calls.

    /// The name of a member that is written, also as a text in brackets.
    pub fn known_member(&mut self, member: &'a ast::MemberExpression<'a>) -> Option<Name> {
        match member {
            ast::MemberExpression::StaticMemberExpression(node) => {
                Some(self.name(&node.property.name))
            }
            ast::MemberExpression::PrivateFieldExpression(node) => {
                Some(self.name(&format!("#{}", node.field.name)))
            }
            ast::MemberExpression::ComputedMemberExpression(node) => match &node.expression {
                ast::Expression::StringLiteral(text) => Some(self.name(&text.value)),
                _ => None,
            },
        }
    }

    /// The value of a member, and what it is a member of.
    fn member(&mut self, member: &'a ast::MemberExpression<'a>) -> (Value, Value) {
        let span = self.at(member.span());
        let base = self.expr(member.object());
        if let Some(name) = self.known_member(member) {
            return (self.b.emit(Op::Attr { base, name }, span), base);
        }
        match member {
            ast::MemberExpression::ComputedMemberExpression(node) => {
                let key = self.expr(&node.expression);
                (self.b.emit(Op::Index { base, key }, span), base)
            }
            _ => (self.unknown("a member", span), base),
        }
    }

    fn callee(&mut self, expr: &'a ast::Expression<'a>) -> (Value, Option<Value>) {
        let inner = expr.get_inner_expression();
        let member = match inner {
            ast::Expression::ChainExpression(chain) => chain.expression.as_member_expression(),
            other => other.as_member_expression(),
        };
        match member {
            Some(_) if self.is_exports(inner) => (self.expr(inner), None),
            Some(member) => {
                let (callee, base) = self.member(member);
                (callee, Some(base))
            }
            None => (self.expr(inner), None),
        }
    }

    fn call(&mut self, node: &'a ast::CallExpression<'a>) -> Value {
        let span = self.at(node.span);
        if let (ast::Expression::Identifier(id), [ast::Argument::StringLiteral(text)]) =
            (&node.callee, &node.arguments[..])
            && id.name == "require"
            && self.file.shared.referred(id).is_none()
        {
            return self.required(&text.value, span);
        }
        let (callee, receiver) = match &node.callee {
            ast::Expression::Super(_) => {
                let base = self.super_value(span);
                let name = self.name("constructor");
                (self.b.emit(Op::Attr { base, name }, span), Some(base))
            }
            other => self.callee(other),
        };
        let args = self.arguments(&node.arguments);
        let is_statement = self.statement == Some(address(node));
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
        self.after_call(call, receiver, &args, span);
        call
    }

    fn called(
        &mut self,
        callee: Value,
        receiver: Option<Value>,
        args: Vec<Arg>,
        span: Span,
    ) -> Value {
        let call = self.b.emit(
            Op::Call {
                callee,
                args: args.clone(),
            },
            span,
        );
        self.after_call(call, receiver, &args, span);
        call
    }

    fn arguments(&mut self, arguments: &'a [ast::Argument<'a>]) -> Vec<Arg> {
        let mut args = Vec::with_capacity(arguments.len());
        for argument in arguments {
            args.push(match argument {
                ast::Argument::SpreadElement(spread) => Arg::Spread(self.expr(&spread.argument)),
                other => match other.as_expression() {
                    Some(expression) => Arg::Positional(self.expr(expression)),
                    None => continue,
                },
            });
        }
        args
    }

    // Conditions.

    /// Evaluates `expr` for its truth and goes on in `then` or `otherwise`.
    pub fn condition(&mut self, expr: &'a ast::Expression<'a>, then: Block, otherwise: Block) {
        with_stack(|| self.condition_here(expr, then, otherwise));
    }

    fn condition_here(&mut self, expr: &'a ast::Expression<'a>, then: Block, otherwise: Block) {
        match expr {
            ast::Expression::LogicalExpression(node)
                if node.operator != LogicalOperator::Coalesce =>
            {
                let next = self.b.block();
                match node.operator {
                    LogicalOperator::And => self.condition(&node.left, next, otherwise),
                    _ => self.condition(&node.left, then, next),
                }
                self.b.seal(next);
                self.b.start(next);
                self.condition(&node.right, then, otherwise);
            }
            ast::Expression::UnaryExpression(node)
                if node.operator == UnaryOperator::LogicalNot =>
            {
                self.condition(&node.argument, otherwise, then);
            }
            _ => {
                let value = self.expr(expr);
                let span = self.at(expr.span());
                self.branch(value, then, otherwise, span);
            }
        }
    }

    fn conditional(&mut self, node: &'a ast::ConditionalExpression<'a>) -> Value {
        let fork = self.fork();
        let (then, otherwise, join) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(&node.test, then, otherwise);
        let mut results = Vec::with_capacity(2);
        for (block, branch) in [(then, &node.consequent), (otherwise, &node.alternate)] {
            self.join(block, fork);
            let value = self.expr(branch);
            results.push((self.b.here(), value));
            self.b.jump(join);
        }
        self.join(join, fork);
        let span = self.at(node.span);
        self.b.merge(results, span)
    }
}

pub(crate) fn binary_op(op: BinaryOperator) -> Option<BinaryOp> {
    Some(match op {
        BinaryOperator::Addition => BinaryOp::Add,
        BinaryOperator::Subtraction => BinaryOp::Sub,
        BinaryOperator::Multiplication => BinaryOp::Mul,
        BinaryOperator::Division => BinaryOp::Div,
        BinaryOperator::Remainder => BinaryOp::Mod,
        BinaryOperator::Exponential => BinaryOp::Pow,
        BinaryOperator::ShiftLeft => BinaryOp::ShiftLeft,
        BinaryOperator::ShiftRight | BinaryOperator::ShiftRightZeroFill => BinaryOp::ShiftRight,
        BinaryOperator::BitwiseOR => BinaryOp::BitOr,
        BinaryOperator::BitwiseXOR => BinaryOp::BitXor,
        BinaryOperator::BitwiseAnd => BinaryOp::BitAnd,
        _ => return None,
    })
}

fn compare_op(op: BinaryOperator) -> Option<CompareOp> {
    Some(match op {
        BinaryOperator::Equality | BinaryOperator::StrictEquality => CompareOp::Eq,
        BinaryOperator::Inequality | BinaryOperator::StrictInequality => CompareOp::NotEq,
        BinaryOperator::LessThan => CompareOp::Lt,
        BinaryOperator::LessEqualThan => CompareOp::LtEq,
        BinaryOperator::GreaterThan => CompareOp::Gt,
        BinaryOperator::GreaterEqualThan => CompareOp::GtEq,
        BinaryOperator::In => CompareOp::In,
        _ => return None,
    })
}
