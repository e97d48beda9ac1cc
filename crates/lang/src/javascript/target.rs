//! What is assigned to: names, members, patterns.

use oxc_ast::ast;
use oxc_span::GetSpan;
use oxc_syntax::operator::{AssignmentOperator, LogicalOperator};
use solvent_base::Span;
use solvent_ir::{BinaryOp, CompareOp, Const, Entry, Op, Value};

use super::Lower;
use super::expr::binary_op;
use crate::lower::with_stack;
use crate::state::Decides;

/// Where a value is put.
#[derive(Clone, Copy)]
enum Place {
    Name(solvent_base::Name),
    Attr(Value, solvent_base::Name),
    Index(Value, Value),
    Exports,
    /// Nowhere that can be followed.
    Nowhere,
}

impl<'a> Lower<'_, 'a, '_> {
    /// Binds what a declaration names.
    pub fn declare(&mut self, pattern: &'a ast::BindingPattern<'a>, value: Value) {
        with_stack(|| self.declare_here(pattern, value));
    }

    fn declare_here(&mut self, pattern: &'a ast::BindingPattern<'a>, value: Value) {
        match pattern {
            ast::BindingPattern::BindingIdentifier(id) => {
                let span = self.at(id.span);
                if let Some(variable) = self.file.shared.declared(id) {
                    self.write_name(variable, value, span);
                }
            }
            ast::BindingPattern::AssignmentPattern(node) => {
                let value = self.or_default(value, &node.right);
                self.declare(&node.left, value);
            }
            ast::BindingPattern::ObjectPattern(node) => {
                let mut taken = Vec::new();
                for property in &node.properties {
                    let span = self.at(property.span);
                    let (part, key) = self.part_by_key(value, &property.key, span);
                    taken.push(key);
                    self.declare(&property.value, part);
                }
                if let Some(rest) = &node.rest {
                    let span = self.at(rest.span);
                    let others = self.others(value, taken, span);
                    self.declare(&rest.argument, others);
                }
            }
            ast::BindingPattern::ArrayPattern(node) => {
                for (i, element) in node.elements.iter().enumerate() {
                    let Some(element) = element else { continue };
                    let span = self.at(element.span());
                    let part = self.part_at(value, i, span);
                    self.declare(element, part);
                }
                if let Some(rest) = &node.rest {
                    let span = self.at(rest.span);
                    let tail = self.tail(value, node.elements.len(), span);
                    self.declare(&rest.argument, tail);
                }
            }
        }
    }

    /// `value`, or the default where it is undefined.
    pub fn or_default(&mut self, value: Value, default: &'a ast::Expression<'a>) -> Value {
        let span = self.at(default.span());
        let fork = self.fork();
        let (absent, given, join) = (self.b.block(), self.b.block(), self.b.block());
        let undefined = self.constant(Const::None, span);
        let (op, left, right) = (CompareOp::Is, value, undefined);
        let condition = self.b.emit(Op::Compare { op, left, right }, span);
        self.branch(condition, absent, given, span);
        let mut results = Vec::with_capacity(2);
        self.join(absent, fork);
        let other = self.expr(default);
        results.push((self.b.here(), other));
        self.b.jump(join);
        self.join(given, fork);
        results.push((self.b.here(), value));
        self.b.jump(join);
        self.join(join, fork);
        self.b.merge(results, span)
    }

    fn part_by_key(
        &mut self,
        base: Value,
        key: &'a ast::PropertyKey<'a>,
        span: Span,
    ) -> (Value, Value) {
        if let Some(name) = self.member_name(key) {
            let part = self.b.emit(Op::Attr { base, name }, span);
            return (part, self.constant(Const::Str(name), span));
        }
        let key = match key.as_expression() {
            Some(expression) => self.expr(expression),
            None => self.unknown("a key", span),
        };
        (self.b.emit(Op::Index { base, key }, span), key)
    }

    fn part_at(&mut self, base: Value, position: usize, span: Span) -> Value {
        let key = self.int(position as i64, span);
        self.b.emit(Op::Index { base, key }, span)
    }

    fn tail(&mut self, base: Value, from: usize, span: Span) -> Value {
        let lower = Some(self.int(from as i64, span));
        let op = Op::Slice {
            base,
            lower,
            upper: None,
            step: None,
        };
        self.b.emit(op, span)
    }

    /// A copy of an object without the properties that were taken.
    fn others(&mut self, value: Value, taken: Vec<Value>, span: Span) -> Value {
        let mut base = self.b.emit(Op::Dict(vec![Entry::Spread(value)]), span);
        for key in taken {
            base = self.b.emit(Op::DelIndex { base, key }, span);
        }
        base
    }

    // Assignments.

    pub fn assignment(&mut self, node: &'a ast::AssignmentExpression<'a>) -> Value {
        let span = self.at(node.span);
        match node.operator {
            AssignmentOperator::Assign => {
                let hint = target_name(&node.left);
                // `exports.f = function () {}` evaluates what is left of the sign first, without effect.
                let value = self.expr_named(&node.right, hint);
                self.assign(&node.left, value);
                self.b.resolve(value)
            }
            operator => {
                let place = self.place(&node.left);
                let left = self.read_place(place, span);
                let value = if let Some(op) = operator.to_binary_operator() {
                    let right = self.expr(&node.right);
                    match binary_op(op) {
                        Some(op) => self.b.emit(Op::Binary { op, left, right }, span),
                        None => self.unknown("an operator", span),
                    }
                } else {
                    let logical = operator.to_logical_operator();
                    self.logical_from(left, logical, &node.right, span)
                };
                self.write_place(place, value, span);
                self.b.resolve(value)
            }
        }
    }

    /// `left || right` and the like where the left side is a value already.
    pub fn logical_from(
        &mut self,
        left: Value,
        operator: Option<LogicalOperator>,
        right: &'a ast::Expression<'a>,
        span: Span,
    ) -> Value {
        let fork = self.fork();
        let join = self.b.block();
        let (condition, decides) = match operator {
            Some(LogicalOperator::And) => (left, Decides::WhenFalse),
            Some(LogicalOperator::Coalesce) => {
                let none = self.constant(Const::None, span);
                let (op, right) = (CompareOp::IsNot, none);
                let test = self.b.emit(Op::Compare { op, left, right }, span);
                (test, Decides::WhenTrue)
            }
            _ => (left, Decides::WhenTrue),
        };
        let mut results = vec![self.short_circuit(condition, left, decides, join, span)];
        let other = self.expr(right);
        results.push((self.b.here(), other));
        self.b.jump(join);
        self.join(join, fork);
        self.b.merge(results, span)
    }

    pub fn assign(&mut self, target: &'a ast::AssignmentTarget<'a>, value: Value) {
        with_stack(|| self.assign_here(target, value));
    }

    fn assign_here(&mut self, target: &'a ast::AssignmentTarget<'a>, value: Value) {
        let span = self.at(target.span());
        match target {
            ast::AssignmentTarget::ArrayAssignmentTarget(node) => {
                for (i, element) in node.elements.iter().enumerate() {
                    let Some(element) = element else { continue };
                    let part = self.part_at(value, i, span);
                    self.assign_or_default(element, part);
                }
                if let Some(rest) = &node.rest {
                    let tail = self.tail(value, node.elements.len(), span);
                    self.assign(&rest.target, tail);
                }
            }
            ast::AssignmentTarget::ObjectAssignmentTarget(node) => {
                let mut taken = Vec::new();
                for property in &node.properties {
                    match property {
                        ast::AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(one) => {
                            let name = self.name(&one.binding.name);
                            let mut part = self.b.emit(Op::Attr { base: value, name }, span);
                            taken.push(self.constant(Const::Str(name), span));
                            if let Some(default) = &one.init {
                                part = self.or_default(part, default);
                            }
                            self.assign_name(&one.binding, part);
                        }
                        ast::AssignmentTargetProperty::AssignmentTargetPropertyProperty(one) => {
                            let (part, key) = self.part_by_key(value, &one.name, span);
                            taken.push(key);
                            self.assign_or_default(&one.binding, part);
                        }
                    }
                }
                if let Some(rest) = &node.rest {
                    let others = self.others(value, taken, span);
                    self.assign(&rest.target, others);
                }
            }
            _ => {
                let place = self.place(target);
                self.write_place(place, value, span);
            }
        }
    }

    fn assign_or_default(
        &mut self,
        target: &'a ast::AssignmentTargetMaybeDefault<'a>,
        value: Value,
    ) {
        match target {
            ast::AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(node) => {
                let value = self.or_default(value, &node.init);
                self.assign(&node.binding, value);
            }
            other => {
                if let Some(target) = other.as_assignment_target() {
                    self.assign(target, value);
                }
            }
        }
    }

    fn assign_name(&mut self, id: &'a ast::IdentifierReference<'a>, value: Value) {
        let span = self.at(id.span);
        if let Some(variable) = self.file.shared.referred(id) {
            self.write_name(variable, value, span);
        }
    }

    fn place(&mut self, target: &'a ast::AssignmentTarget<'a>) -> Place {
        match target.as_simple_assignment_target() {
            Some(simple) => self.simple_place(simple),
            None => Place::Nowhere,
        }
    }

    fn simple_place(&mut self, target: &'a ast::SimpleAssignmentTarget<'a>) -> Place {
        match target {
            ast::SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
                match self.file.shared.referred(id) {
                    Some(name) => Place::Name(name),
                    None if id.name == "exports" => Place::Exports,
                    // A variable that nobody declares is the program's.
                    None => Place::Name(self.name(&id.name)),
                }
            }
            ast::SimpleAssignmentTarget::StaticMemberExpression(member)
                if self.is_module_exports(member) =>
            {
                Place::Exports
            }
            other => {
                if let Some(member) = other.as_member_expression() {
                    return self.member_place(member);
                }
                match other.get_expression() {
                    Some(expression) => match expression.get_member_expr() {
                        Some(member) => self.member_place(member),
                        None => match expression {
                            ast::Expression::Identifier(id) => {
                                match self.file.shared.referred(id) {
                                    Some(name) => Place::Name(name),
                                    None => Place::Nowhere,
                                }
                            }
                            _ => Place::Nowhere,
                        },
                    },
                    None => Place::Nowhere,
                }
            }
        }
    }

    fn member_place(&mut self, member: &'a ast::MemberExpression<'a>) -> Place {
        let base = self.expr(member.object());
        if let Some(name) = self.known_member(member) {
            return Place::Attr(base, name);
        }
        match member {
            ast::MemberExpression::ComputedMemberExpression(node) => {
                Place::Index(base, self.expr(&node.expression))
            }
            _ => Place::Nowhere,
        }
    }

    fn read_place(&mut self, place: Place, span: Span) -> Value {
        match place {
            Place::Name(name) => self.read_name(name, span),
            Place::Attr(base, name) => self.b.emit(Op::Attr { base, name }, span),
            Place::Index(base, key) => self.b.emit(Op::Index { base, key }, span),
            Place::Exports => self.read_exports(span),
            Place::Nowhere => self.unknown("a target of an assignment", span),
        }
    }

    fn write_place(&mut self, place: Place, value: Value, span: Span) {
        match place {
            Place::Name(name) => self.write_name(name, value, span),
            Place::Attr(base, name) => {
                let text = self.file.names.text(name);
                self.set_attr(base, &text, value, span);
            }
            Place::Index(base, key) => self.set_index(base, key, value, span),
            Place::Exports => self.write_exports(value, span),
            Place::Nowhere => {}
        }
    }

    /// `i++`: the value before, or after where the sign stands first.
    pub fn update(&mut self, node: &'a ast::UpdateExpression<'a>) -> Value {
        let span = self.at(node.span);
        let place = self.simple_place(&node.argument);
        let left = self.read_place(place, span);
        let right = self.int(1, span);
        let op = match node.operator {
            oxc_syntax::operator::UpdateOperator::Increment => BinaryOp::Add,
            oxc_syntax::operator::UpdateOperator::Decrement => BinaryOp::Sub,
        };
        let value = self.b.emit(Op::Binary { op, left, right }, span);
        self.write_place(place, value, span);
        if node.prefix { value } else { left }
    }
}

/// What a function that is assigned may be called.
fn target_name<'t>(target: &'t ast::AssignmentTarget<'_>) -> Option<&'t str> {
    match target {
        ast::AssignmentTarget::AssignmentTargetIdentifier(id) => Some(&id.name),
        ast::AssignmentTarget::StaticMemberExpression(member) => Some(&member.property.name),
        _ => None,
    }
}
