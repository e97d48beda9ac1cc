//! What is assigned to, and several values at once.

use solvent_base::Span;
use solvent_ir::{BinaryOp, Const, Op, Value};
use tree_sitter::Node;

use super::expr::binary_op;
use super::{Lower, children, fields};

impl<'a> Lower<'_, 'a, '_> {
    /// Binds the variable that the node declares, or assigns to it.
    pub fn declare(&mut self, node: Node<'a>, value: Value) {
        let span = self.at(node);
        if let Some(variable) = self.file.shared.variables.at(node.id()) {
            self.write_name(variable, value, span);
        }
    }

    /// The values of a list of expressions for `count` targets: one call may give them all.
    pub fn values(&mut self, nodes: &[Node<'a>], count: usize, span: Span) -> Vec<Value> {
        if let [only] = nodes
            && count > 1
        {
            let all = self.expr(*only);
            return (0..count)
                .map(|i| {
                    let position = self.int(i as i64, span);
                    self.builtin_call("<nth>", vec![all, position], span)
                })
                .collect();
        }
        nodes.iter().map(|node| self.copied_expr(*node)).collect()
    }

    /// The value of an expression as another variable gets it: what is copied is another object from here on.
    pub fn copied_expr(&mut self, node: Node<'a>) -> Value {
        let value = self.expr(node);
        let span = self.at(node);
        let copies = match node.kind() {
            "identifier" => match self.file.shared.variables.at(node.id()) {
                Some(variable) => {
                    self.file.shared.addressed.contains(&variable) || self.holds_struct(value)
                }
                None => false,
            },
            "selector_expression" | "index_expression" => self.holds_struct(value),
            "unary_expression" => self.text(node).starts_with('*'),
            _ => false,
        };
        if copies {
            return self.builtin_call("<copy>", vec![value], span);
        }
        value
    }

    /// Whether the value is plainly a struct or array that was made here, not a pointer to one.
    fn holds_struct(&self, value: Value) -> bool {
        let origin = self.origin(value);
        match self.b.op(origin) {
            Op::Call { callee, .. } => match self.b.op(self.b.resolve(*callee)) {
                Op::Import {
                    member: Some(member),
                    ..
                } => &*self.file.names.text(*member) == "<copy>",
                _ => false,
            },
            _ => false,
        }
    }

    pub fn short_declaration(&mut self, node: Node<'a>) {
        let (targets, values) = self.sides(node);
        let span = self.at(node);
        let values = self.values(&values, targets.len(), span);
        for (target, value) in targets.into_iter().zip(values) {
            if target.kind() == "identifier" {
                self.declare(target, value);
            } else {
                self.assign(target, value);
            }
        }
    }

    pub fn sides(&self, node: Node<'a>) -> (Vec<Node<'a>>, Vec<Node<'a>>) {
        let side = |name: &str| -> Vec<Node<'a>> {
            fields(node, name)
                .into_iter()
                .flat_map(|list| match list.kind() {
                    "expression_list" => children(list),
                    _ => vec![list],
                })
                .collect()
        };
        (side("left"), side("right"))
    }

    pub fn assignment(&mut self, node: Node<'a>) {
        let span = self.at(node);
        let (targets, values) = self.sides(node);
        let operator = node
            .child_by_field_name("operator")
            .map_or("=", |operator| self.text(operator));
        if operator == "=" {
            let values = self.values(&values, targets.len(), span);
            for (target, value) in targets.into_iter().zip(values) {
                self.assign(target, value);
            }
            return;
        }
        let (Some(target), Some(value)) = (targets.first(), values.first()) else {
            return;
        };
        let left = self.expr(*target);
        let right = self.expr(*value);
        let op = binary_op(operator.trim_end_matches('=')).unwrap_or(BinaryOp::BitXor);
        let value = self.b.emit(Op::Binary { op, left, right }, span);
        self.assign(*target, value);
    }

    pub fn step(&mut self, node: Node<'a>, op: BinaryOp) {
        let span = self.at(node);
        let Some(target) = children(node).first().copied() else {
            return;
        };
        let left = self.expr(target);
        let right = self.int(1, span);
        let value = self.b.emit(Op::Binary { op, left, right }, span);
        self.assign(target, value);
    }

    pub fn assign(&mut self, target: Node<'a>, value: Value) {
        let span = self.at(target);
        match target.kind() {
            "identifier" => match self.file.shared.variables.at(target.id()) {
                Some(variable) => self.write_name(variable, value, span),
                None if self.text(target) != "_" => {
                    // A variable of the package that another file declares.
                    let name = self.name(self.text(target));
                    let scope = solvent_ir::Scope::Module;
                    self.b.emit(Op::StoreName { scope, name, value }, span);
                }
                None => {}
            },
            "selector_expression" => {
                let (Some(operand), Some(field)) = (
                    target.child_by_field_name("operand"),
                    target.child_by_field_name("field"),
                ) else {
                    return;
                };
                let base = self.expr(operand);
                let field = self.text(field);
                self.set_attr(base, field, value, span);
            }
            "index_expression" => {
                let (Some(operand), Some(index)) = (
                    target.child_by_field_name("operand"),
                    target.child_by_field_name("index"),
                ) else {
                    return;
                };
                let base = self.expr(operand);
                let key = self.expr(index);
                self.set_index(base, key, value, span);
            }
            "parenthesized_expression" => {
                if let Some(inner) = children(target).first() {
                    self.assign(*inner, value);
                }
            }
            // `*p = v`: whatever has this value has another one now.
            "unary_expression" => {
                if let Some(operand) = target.child_by_field_name("operand") {
                    let base = self.expr(operand);
                    let whole = self.file.shared.whole;
                    let key = self.constant(Const::Str(whole), span);
                    self.set_index(base, key, value, span);
                }
            }
            _ => {
                self.expr(target);
            }
        }
    }
}
