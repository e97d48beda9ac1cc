//! `switch`, as a statement and as an expression.

use solvent_base::{Name, Span};
use solvent_ir::{Block, CompareOp, Op, Value};
use tree_sitter::Node;

use super::Lower;
use super::tree::{field, kid, kids};
use crate::lower::{Context, Fork};

impl<'a> Lower<'_, 'a, '_> {
    /// Its value is what `yield` gives.
    pub fn switch(&mut self, node: Node<'a>, label: Option<Name>) -> Value {
        let span = self.at(node);
        let left = self.part(node, "condition");
        let fork = self.fork();
        let exit = self.b.block();
        let groups: Vec<Node<'a>> = field(node, "body").map(kids).unwrap_or_default();
        let bodies: Vec<Block> = groups.iter().map(|_| self.b.block()).collect();
        let mut default = exit;
        for (group, &body) in groups.iter().zip(&bodies) {
            let labels = kids(*group)
                .into_iter()
                .filter(|kid| kid.kind() == "switch_label");
            for one in labels {
                let cases: Vec<Node<'a>> = kids(one);
                if cases.is_empty() {
                    default = body;
                    continue;
                }
                let guard = cases.iter().find(|case| case.kind() == "guard").copied();
                for case in cases.iter().filter(|case| case.kind() != "guard") {
                    self.case(left, *case, guard, body, fork);
                }
            }
        }
        self.b.jump(default);
        let yielded = self.name(&format!("<yielded {}>", self.contexts.len()));
        self.contexts.push(Context::Breakable {
            exit,
            label: Some(yielded),
        });
        if label.is_some() {
            self.contexts.push(Context::Breakable { exit, label });
        }
        for (i, (group, &body)) in groups.iter().zip(&bodies).enumerate() {
            self.join(body, fork);
            let parts = kids(*group)
                .into_iter()
                .filter(|kid| kid.kind() != "switch_label");
            if group.kind() == "switch_rule" {
                for part in parts {
                    match part.kind() {
                        "expression_statement" => {
                            let value = match kids(part).first() {
                                Some(inner) => self.expr(*inner),
                                None => self.unknown("a missing expression", span),
                            };
                            if self.b.is_live() {
                                self.b.write(yielded, value);
                            }
                        }
                        _ => self.statement_alone(part),
                    }
                }
                self.b.jump(exit);
            } else {
                for part in parts {
                    self.statement_alone(part);
                }
                self.b.jump(bodies.get(i + 1).copied().unwrap_or(exit));
            }
        }
        if label.is_some() {
            self.contexts.pop();
        }
        self.contexts.pop();
        self.join(exit, fork);
        let statement = label.is_some() || self.statement == Some(node.id());
        match self.b.read(yielded) {
            Some(value) if !statement => value,
            _ => self.unknown("what a switch gives", span),
        }
    }

    fn case(
        &mut self,
        left: Value,
        case: Node<'a>,
        guard: Option<Node<'a>>,
        body: Block,
        fork: Fork,
    ) {
        let span = self.at(case);
        let newest = self.newest(left);
        let condition = match case.kind() {
            "pattern" => self.pattern(newest, case, span),
            _ => self.equal(newest, case, span),
        };
        let next = self.b.block();
        let Some(guard) = guard else {
            self.branch(condition, body, next, span);
            self.close(next, fork);
            self.b.start(next);
            return;
        };
        let fits = self.b.block();
        self.branch(condition, fits, next, span);
        self.close(fits, fork);
        self.b.start(fits);
        match kids(guard).first() {
            Some(test) => self.condition(*test, body, next),
            None => self.b.jump(body),
        }
        self.close(next, fork);
        self.b.start(next);
    }

    fn pattern(&mut self, value: Value, node: Node<'a>, span: Span) -> Value {
        let inner = kids(node).first().copied().unwrap_or(node);
        let class = kids(inner).first().and_then(|t| self.type_value(*t));
        let class = match class {
            Some(class) => class,
            None => self.unknown("a type", span),
        };
        let answer = self.builtin_call("<instanceof>", &[value, class], span);
        self.take_apart(inner, value);
        answer
    }

    /// The name of a constant of an enumeration stands alone.
    fn equal(&mut self, value: Value, case: Node<'a>, span: Span) -> Value {
        let op = CompareOp::Eq;
        let text = self.text(case);
        let named = case.kind() == "identifier"
            && self.file.shared.variables.at(case.id()).is_none()
            && !self.is_field_here(text);
        let (left, right) = if named {
            let name = self.name(text);
            let name = self.constant(solvent_ir::Const::Str(name), span);
            (self.builtin_call("<constant>", &[value], span), name)
        } else {
            (value, self.expr(case))
        };
        self.b.emit(Op::Compare { op, left, right }, span)
    }

    fn is_field_here(&self, text: &str) -> bool {
        let shared = self.file.shared;
        shared.index.around(self.class_here()).any(|class| {
            let info = &shared.index.classes[class];
            info.kind != super::index::Kind::Enum && shared.field_of(class, text).is_some()
        })
    }

    pub fn yields(&mut self, node: Node<'a>) {
        let span = self.at(node);
        let value = match kids(node).first() {
            Some(inner) => self.expr(*inner),
            None => self.unknown("a missing expression", span),
        };
        let target = self
            .contexts
            .iter()
            .rev()
            .find_map(|context| match context {
                Context::Breakable {
                    label: Some(label), ..
                } if self.file.names.text(*label).starts_with("<yielded") => Some(*label),
                _ => None,
            });
        if let Some(target) = target {
            self.b.write(target, value);
            self.leave_to(target, |exits| exits.exit, |exit, _| exit);
        }
    }

    /// The parenthesis of `if`, `while` and the like.
    pub fn test_of(node: Node<'a>) -> Option<Node<'a>> {
        field(node, "condition").or_else(|| kid(node, "parenthesized_expression"))
    }
}
