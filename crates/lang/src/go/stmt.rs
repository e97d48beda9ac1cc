//! Statements.

use solvent_base::Name;
use solvent_ir::{Arg, BinaryOp, Block, CompareOp, Const, Op, Terminator, Value};
use tree_sitter::Node;

use super::{Code, Lower, children, fields};
use crate::lower::{Context, with_stack};

impl<'a> Lower<'_, 'a, '_> {
    pub fn block(&mut self, node: Node<'a>) {
        for child in children(node) {
            if child.kind() == "statement_list" {
                self.block(child);
            } else {
                self.one(child);
            }
        }
    }

    fn one(&mut self, node: Node<'a>) {
        with_stack(|| self.stmt(node, None));
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per form of statement reads best in one place"
    )]
    pub fn stmt(&mut self, node: Node<'a>, label: Option<Name>) {
        let span = self.at(node);
        match node.kind() {
            "block" => self.block(node),
            "statement_list" => self.block(node),
            "expression_statement" => {
                for child in children(node) {
                    if child.kind() == "call_expression" {
                        self.statement = Some(child.id());
                    }
                    self.expr(child);
                }
            }
            "var_declaration" | "const_declaration" => self.variables(node),
            "type_declaration" => {
                for spec in children(node) {
                    self.type_spec(spec);
                }
            }
            "short_var_declaration" => self.short_declaration(node),
            "assignment_statement" => self.assignment(node),
            "inc_statement" => self.step(node, BinaryOp::Add),
            "dec_statement" => self.step(node, BinaryOp::Sub),
            "return_statement" => {
                let values: Vec<Node<'a>> = children(node)
                    .into_iter()
                    .flat_map(|list| match list.kind() {
                        "expression_list" => children(list),
                        _ => vec![list],
                    })
                    .collect();
                let value = match values[..] {
                    [] => {
                        self.run_deferred();
                        let result = match self.file.functions[self.index.0 as usize].pending.body {
                            Code::Function(body) => body.result,
                            _ => None,
                        };
                        match self.named_results(result, span) {
                            Some(value) => value,
                            None => self.constant(Const::None, span),
                        }
                    }
                    [one] => {
                        let value = self.copied_expr(one);
                        self.run_deferred();
                        value
                    }
                    _ => {
                        let values = values.iter().map(|v| self.copied_expr(*v)).collect();
                        let value = self.tuple(values, span);
                        self.run_deferred();
                        value
                    }
                };
                self.leave_by_return(value);
            }
            "if_statement" => self.if_else(node),
            "for_statement" => self.for_loop(node, label),
            "expression_switch_statement" => self.switch(node, label),
            "type_switch_statement" => self.type_switch(node, label),
            "select_statement" => self.select(node, label),
            "labeled_statement" => {
                let label = node
                    .child_by_field_name("label")
                    .map(|label| self.text(label));
                let label = label.map(|label| self.name(label));
                for child in children(node) {
                    if child.kind() != "label_name" {
                        with_stack(|| self.stmt(child, label));
                    }
                }
            }
            "break_statement" => match self.label_of(node) {
                Some(label) => self.leave_to(label, |exits| exits.exit, |exit, _| exit),
                None => self.leave_innermost(),
            },
            "continue_statement" => match self.label_of(node) {
                Some(label) => self.leave_to(label, |exits| exits.next, |_, next| next),
                None => self.go_on_with_loop(),
            },
            // Runs beside what follows; what it gives is gone.
            "go_statement" => {
                for child in children(node) {
                    self.expr(child);
                }
            }
            "defer_statement" => self.defer(node),
            "send_statement" => {
                let (Some(channel), Some(value)) = (
                    node.child_by_field_name("channel"),
                    node.child_by_field_name("value"),
                ) else {
                    return;
                };
                let base = self.expr(channel);
                let value = self.expr(value);
                let key = self.unknown("position in a channel", span);
                self.set_index(base, key, value, span);
            }
            "receive_statement" => self.receive(node),
            "fallthrough_statement" | "empty_statement" | "goto_statement" | "comment" => {}
            _ => {
                self.expr(node);
            }
        }
    }

    fn label_of(&mut self, node: Node<'a>) -> Option<Name> {
        let label = *children(node).first()?;
        Some(self.name(self.text(label)))
    }

    /// A call that is made when the function ends. One in a branch or loop is made where it stands: whether
    /// it is reached at all is not known at the end.
    fn defer(&mut self, node: Node<'a>) {
        let Some(call) = children(node).first().copied() else {
            return;
        };
        if call.kind() != "call_expression" || !self.contexts.is_empty() || !self.is_straight() {
            self.expr(call);
            return;
        }
        let span = self.at(call);
        let Some(function) = call.child_by_field_name("function") else {
            return;
        };
        let (callee, _) = self.callee(function);
        let args = self.arguments(call);
        self.deferred.push((callee, args.clone(), span));
        if matches!(function.kind(), "func_literal" | "identifier") {
            self.when_it_panics(callee, &args, span);
        }
    }

    /// What follows may panic, and what was deferred runs then too.
    fn when_it_panics(&mut self, callee: Value, args: &[Arg], span: solvent_base::Span) {
        let fork = self.fork();
        let (panics, exit) = (self.b.block(), self.b.block());
        let condition = self.unknown("whether what follows panics", span);
        self.b.terminate(solvent_ir::Terminator::Branch {
            condition,
            then: panics,
            otherwise: exit,
        });
        self.join(panics, fork);
        self.b.emit(
            Op::Call {
                callee,
                args: args.to_vec(),
            },
            span,
        );
        self.b.terminate(solvent_ir::Terminator::Raise(None));
        self.join(exit, fork);
        self.straight = exit;
    }

    /// Whether every way through the function leads through here.
    fn is_straight(&mut self) -> bool {
        self.b.here() == self.straight
    }

    /// Deferred calls, the last one first.
    pub fn run_deferred(&mut self) {
        let deferred: Vec<(Value, Vec<Arg>, solvent_base::Span)> = self.deferred.clone();
        for (callee, args, span) in deferred.into_iter().rev() {
            let call = self.b.emit(
                Op::Call {
                    callee,
                    args: args.clone(),
                },
                span,
            );
            self.after_call(call, None, &args, span);
        }
    }

    fn if_else(&mut self, node: Node<'a>) {
        if let Some(first) = node.child_by_field_name("initializer") {
            self.one(first);
        }
        let Some(condition) = node.child_by_field_name("condition") else {
            return;
        };
        let fork = self.fork();
        let (then, otherwise, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(condition, then, otherwise);
        self.join(then, fork);
        if let Some(body) = node.child_by_field_name("consequence") {
            self.one(body);
        }
        self.b.jump(exit);
        self.join(otherwise, fork);
        if let Some(body) = node.child_by_field_name("alternative") {
            self.one(body);
        }
        self.b.jump(exit);
        self.join(exit, fork);
    }

    fn for_loop(&mut self, node: Node<'a>, label: Option<Name>) {
        let Some(body) = node.child_by_field_name("body") else {
            return;
        };
        let head = children(node)
            .into_iter()
            .find(|child| child.id() != body.id());
        match head.map(|head| (head.kind(), head)) {
            Some(("range_clause", clause)) => self.range(clause, body, label),
            Some(("for_clause", clause)) => {
                if let Some(first) = clause.child_by_field_name("initializer") {
                    self.one(first);
                }
                let condition = clause.child_by_field_name("condition");
                let update = clause.child_by_field_name("update");
                self.loop_while(label, condition, update, body);
            }
            Some((_, condition)) => self.loop_while(label, Some(condition), None, body),
            None => self.loop_while(label, None, None, body),
        }
    }

    fn loop_while(
        &mut self,
        label: Option<Name>,
        test: Option<Node<'a>>,
        update: Option<Node<'a>>,
        body: Node<'a>,
    ) {
        self.turns_while(
            label,
            |this, turn, exit| match test {
                Some(test) => this.condition(test, turn, exit),
                None => this.b.jump(turn),
            },
            |this| this.one(body),
            |this| {
                if let Some(update) = update {
                    this.one(update);
                }
            },
        );
    }

    fn range(&mut self, clause: Node<'a>, body: Node<'a>, label: Option<Name>) {
        let span = self.at(clause);
        let Some(right) = clause.child_by_field_name("right") else {
            return;
        };
        let over = self.expr(right);
        let targets: Vec<Node<'a>> = fields(clause, "left")
            .into_iter()
            .flat_map(|list| match list.kind() {
                "expression_list" => children(list),
                _ => vec![list],
            })
            .collect();
        let keys = self.builtin_call("<keys>", vec![over], span);
        let values = self.builtin_call("<values>", vec![over], span);
        self.turns_for_each(
            label,
            span,
            |this| {
                for (target, part) in targets.into_iter().zip([keys, values]) {
                    let element = this.b.emit(Op::Element(part), span);
                    if this.file.shared.variables.at(target.id()).is_some() {
                        this.declare(target, element);
                    } else {
                        this.assign(target, element);
                    }
                }
            },
            |this| this.one(body),
        );
    }

    fn switch(&mut self, node: Node<'a>, label: Option<Name>) {
        if let Some(first) = node.child_by_field_name("initializer") {
            self.one(first);
        }
        let left = node
            .child_by_field_name("value")
            .map(|value| self.expr(value));
        let cases: Vec<Node<'a>> = children(node)
            .into_iter()
            .filter(|case| matches!(case.kind(), "expression_case" | "default_case"))
            .collect();
        let fork = self.fork();
        let exit = self.b.block();
        let bodies: Vec<Block> = cases.iter().map(|_| self.b.block()).collect();
        let mut default = exit;
        for (case, &body) in cases.iter().zip(&bodies) {
            if case.kind() == "default_case" {
                default = body;
                continue;
            }
            for test in fields(*case, "value").into_iter().flat_map(children) {
                let span = self.at(test);
                let next = self.b.block();
                match left {
                    Some(left) => {
                        let right = self.expr(test);
                        let left = self.newest(left);
                        let op = CompareOp::Eq;
                        let condition = self.b.emit(Op::Compare { op, left, right }, span);
                        self.branch(condition, body, next, span);
                    }
                    None => self.condition(test, body, next),
                }
                self.close(next, fork);
                self.b.start(next);
            }
        }
        self.b.jump(default);
        self.cases(&cases, &bodies, exit, label, fork);
    }

    fn cases(
        &mut self,
        cases: &[Node<'a>],
        bodies: &[Block],
        exit: Block,
        label: Option<Name>,
        fork: crate::lower::Fork,
    ) {
        self.contexts.push(Context::Breakable { exit, label });
        for (i, (case, &body)) in cases.iter().zip(bodies).enumerate() {
            self.join(body, fork);
            let mut falls = false;
            for list in children(*case) {
                if list.kind() == "statement_list" {
                    falls = children(list)
                        .last()
                        .is_some_and(|last| last.kind() == "fallthrough_statement");
                    self.block(list);
                }
            }
            let next = match falls {
                true => bodies.get(i + 1).copied().unwrap_or(exit),
                false => exit,
            };
            self.b.jump(next);
        }
        self.contexts.pop();
        self.join(exit, fork);
    }

    fn type_switch(&mut self, node: Node<'a>, label: Option<Name>) {
        if let Some(first) = node.child_by_field_name("initializer") {
            self.one(first);
        }
        let span = self.at(node);
        let Some(value) = node.child_by_field_name("value") else {
            return;
        };
        let value = self.expr(value);
        for alias in fields(node, "alias").into_iter().flat_map(children) {
            self.declare(alias, value);
        }
        let cases: Vec<Node<'a>> = children(node)
            .into_iter()
            .filter(|case| matches!(case.kind(), "type_case" | "default_case"))
            .collect();
        let fork = self.fork();
        let exit = self.b.block();
        let bodies: Vec<Block> = cases.iter().map(|_| self.b.block()).collect();
        let mut default = exit;
        for (case, &body) in cases.iter().zip(&bodies) {
            if case.kind() == "default_case" {
                default = body;
                continue;
            }
            for kind in fields(*case, "type") {
                let text = self.name(self.text(kind));
                let text = self.constant(Const::Str(text), span);
                let condition = self.builtin_call("<is>", vec![value, text], span);
                let next = self.b.block();
                self.branch(condition, body, next, span);
                self.close(next, fork);
                self.b.start(next);
            }
        }
        self.b.jump(default);
        self.cases(&cases, &bodies, exit, label, fork);
    }

    /// Any of the cases.
    fn select(&mut self, node: Node<'a>, label: Option<Name>) {
        let span = self.at(node);
        let cases = children(node);
        let fork = self.fork();
        let exit = self.b.block();
        let bodies: Vec<Block> = cases.iter().map(|_| self.b.block()).collect();
        for (i, &body) in bodies.iter().enumerate() {
            if i + 1 == bodies.len() {
                self.b.jump(body);
                break;
            }
            let condition = self.unknown("which case is ready", span);
            let next = self.b.block();
            self.b.terminate(Terminator::Branch {
                condition,
                then: body,
                otherwise: next,
            });
            self.close(next, fork);
            self.b.start(next);
        }
        if bodies.is_empty() {
            self.b.jump(exit);
        }
        self.contexts.push(Context::Breakable { exit, label });
        for (case, &body) in cases.iter().zip(&bodies) {
            self.join(body, fork);
            if let Some(communication) = case.child_by_field_name("communication") {
                self.one(communication);
            }
            for list in children(*case) {
                if list.kind() == "statement_list" {
                    self.block(list);
                }
            }
            self.b.jump(exit);
        }
        self.contexts.pop();
        self.join(exit, fork);
    }

    fn receive(&mut self, node: Node<'a>) {
        let span = self.at(node);
        let (targets, values) = self.sides(node);
        let values = self.values(&values, targets.len(), span);
        for (target, value) in targets.into_iter().zip(values) {
            if self.file.shared.variables.at(target.id()).is_some() {
                self.declare(target, value);
            } else {
                self.assign(target, value);
            }
        }
    }
}
