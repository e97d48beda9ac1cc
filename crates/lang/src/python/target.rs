//! Assignment targets and deletion.

use ruff_python_ast::{self as ast, Expr};
use solvent_base::Span;
use solvent_ir::{BinaryOp, Const, Op, Scope, Value};

use super::Lower;
use crate::lower::with_stack;
use crate::scope::Home;

impl<'a> Lower<'_, 'a, '_> {
    pub fn assign(&mut self, target: &'a Expr, value: Value) {
        let span = self.span(target);
        match target {
            Expr::Name(name) => {
                let name = self.name(&name.id);
                self.write_name(name, value, span);
            }
            Expr::Attribute(attribute) => {
                let base = self.expr(&attribute.value);
                self.set_attr(base, &attribute.attr, value, span);
            }
            Expr::Subscript(subscript) => {
                let base = self.expr(&subscript.value);
                let key = self.key(&subscript.slice);
                self.set_index(base, key, value, span);
            }
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, value, span),
            Expr::List(list) => self.unpack(&list.elts, value, span),
            Expr::Starred(starred) => self.assign(&starred.value, value),
            // Not assignable; the parser has said so.
            other => {
                self.expr(other);
            }
        }
    }

    fn unpack(&mut self, targets: &'a [Expr], value: Value, span: Span) {
        let star = targets
            .iter()
            .position(|target| matches!(target, Expr::Starred(_)));
        for (i, target) in targets.iter().enumerate() {
            let part = match star {
                Some(star) if i == star => {
                    let lower = self.int(star as i64, span);
                    let rest = targets.len() - star - 1;
                    let upper = (rest > 0).then(|| self.int(-(rest as i64), span));
                    self.b.emit(
                        Op::Slice {
                            base: value,
                            lower: Some(lower),
                            upper,
                            step: None,
                        },
                        span,
                    )
                }
                Some(star) if i > star => {
                    let key = self.int(i as i64 - targets.len() as i64, span);
                    self.b.emit(Op::Index { base: value, key }, span)
                }
                _ => {
                    let key = self.int(i as i64, span);
                    self.b.emit(Op::Index { base: value, key }, span)
                }
            };
            self.assign_deep(target, part);
        }
    }

    fn assign_deep(&mut self, target: &'a Expr, value: Value) {
        with_stack(|| self.assign(target, value));
    }

    pub fn augmented(&mut self, node: &'a ast::StmtAugAssign) {
        let span = self.span(node);
        let op = binary_op(node.op);
        match &*node.target {
            Expr::Attribute(attribute) => {
                let base = self.expr(&attribute.value);
                let name = self.name(&attribute.attr);
                let target = self.span(attribute);
                let left = self.b.emit(Op::Attr { base, name }, target);
                let right = self.expr(&node.value);
                let value = self.b.emit(Op::Binary { op, left, right }, span);
                self.set_attr(base, &attribute.attr, value, span);
            }
            Expr::Subscript(subscript) => {
                let base = self.expr(&subscript.value);
                let key = self.key(&subscript.slice);
                let target = self.span(subscript);
                let left = self.b.emit(Op::Index { base, key }, target);
                let right = self.expr(&node.value);
                let value = self.b.emit(Op::Binary { op, left, right }, span);
                self.set_index(base, key, value, span);
            }
            Expr::Name(name) => {
                let target = self.span(name);
                let name = self.name(&name.id);
                let left = self.read_name(name, target);
                let right = self.expr(&node.value);
                let value = self.b.emit(Op::Binary { op, left, right }, span);
                self.write_name(name, value, target);
            }
            other => {
                let left = self.expr(other);
                let right = self.expr(&node.value);
                self.b.emit(Op::Binary { op, left, right }, span);
            }
        }
    }

    pub fn delete(&mut self, target: &'a Expr) {
        let span = self.span(target);
        match target {
            Expr::Name(name) => {
                let name = self.name(&name.id);
                if self.file.scopes.home(self.scope, name) == Home::Local {
                    self.b.unbind(name);
                }
            }
            Expr::Attribute(attribute) => {
                let base = self.expr(&attribute.value);
                let gone = self.unknown("deleted attribute", span);
                self.set_attr(base, &attribute.attr, gone, span);
            }
            Expr::Subscript(subscript) => {
                let base = self.expr(&subscript.value);
                let key = self.key(&subscript.slice);
                let base = self.b.resolve(base);
                let new = self.b.emit(Op::DelIndex { base, key }, span);
                self.rebind(base, new, span);
            }
            Expr::Tuple(tuple) => self.delete_all(&tuple.elts),
            Expr::List(list) => self.delete_all(&list.elts),
            other => {
                self.expr(other);
            }
        }
    }

    fn delete_all(&mut self, targets: &'a [Expr]) {
        for target in targets {
            with_stack(|| self.delete(target));
        }
    }

    /// The key of a subscript that is written; a slice stands for any of its positions.
    fn key(&mut self, slice: &'a Expr) -> Value {
        let span = self.span(slice);
        match slice {
            Expr::Slice(node) => {
                for bound in [&node.lower, &node.upper, &node.step].into_iter().flatten() {
                    self.expr(bound);
                }
                self.unknown("positions of a slice", span)
            }
            other => self.expr(other),
        }
    }

    /// The name of an exception is unbound when its handler ends.
    pub fn unbind(&mut self, name: solvent_base::Name, span: Span) {
        if !self.b.is_live() {
            return;
        }
        match self.file.scopes.home(self.scope, name) {
            Home::Local => self.b.unbind(name),
            Home::Module => {
                let value = self.constant(Const::None, span);
                self.b.emit(
                    Op::StoreName {
                        scope: Scope::Module,
                        name,
                        value,
                    },
                    span,
                );
            }
            Home::Cell | Home::Enclosing(_) => {}
        }
    }
}

pub(crate) fn binary_op(op: ast::Operator) -> BinaryOp {
    match op {
        ast::Operator::Add => BinaryOp::Add,
        ast::Operator::Sub => BinaryOp::Sub,
        ast::Operator::Mult => BinaryOp::Mul,
        ast::Operator::MatMult => BinaryOp::MatMul,
        ast::Operator::Div => BinaryOp::Div,
        ast::Operator::Mod => BinaryOp::Mod,
        ast::Operator::Pow => BinaryOp::Pow,
        ast::Operator::LShift => BinaryOp::ShiftLeft,
        ast::Operator::RShift => BinaryOp::ShiftRight,
        ast::Operator::BitOr => BinaryOp::BitOr,
        ast::Operator::BitXor => BinaryOp::BitXor,
        ast::Operator::BitAnd => BinaryOp::BitAnd,
        ast::Operator::FloorDiv => BinaryOp::FloorDiv,
    }
}
