//! Statements.

use oxc_allocator::Vec as ArenaVec;
use oxc_ast::ast;
use oxc_span::GetSpan;
use solvent_base::{Name, Span};
use solvent_ir::{Arg, Block, CompareOp, Op, Terminator, Value};

use super::Lower;
use super::function::Shape;
use crate::lower::{Context, Exits, with_stack};
use crate::scope::address;
use crate::ways::Weight;

impl<'a> Lower<'_, 'a, '_> {
    /// Statements of one block; functions that it declares exist from its beginning on.
    pub fn block(&mut self, body: &'a ArenaVec<'a, ast::Statement<'a>>) {
        for stmt in body {
            match stmt {
                ast::Statement::FunctionDeclaration(node) => {
                    self.declared_function(node);
                }
                ast::Statement::ExportDeclaration(node) => {
                    if let ast::Declaration::FunctionDeclaration(node) = &node.declaration {
                        self.declared_function(node);
                    }
                }
                _ => {}
            }
        }
        self.statements(body);
    }

    fn statements(&mut self, body: &'a [ast::Statement<'a>]) {
        for stmt in body {
            let before = self.b.clock();
            with_stack(|| self.stmt(stmt, None));
            // What a handler sees is the state between statements.
            if !self.b.handlers().is_empty() && self.b.is_live() && self.b.clock() != before {
                self.border();
            }
        }
    }

    /// Binds the function and gives it.
    pub fn declared_function(&mut self, node: &'a ast::Function<'a>) -> Option<Value> {
        node.body.as_ref()?;
        let name = node.id.as_ref().map_or("default", |id| id.name.as_str());
        let value = self.function_value(Shape::of_function(node), Some(name));
        if let Some(id) = &node.id
            && let Some(variable) = self.file.shared.declared(id)
        {
            let span = self.at(id.span);
            self.write_name(variable, value, span);
        }
        Some(value)
    }

    fn one(&mut self, stmt: &'a ast::Statement<'a>) {
        with_stack(|| self.stmt(stmt, None));
    }

    fn stmt(&mut self, stmt: &'a ast::Statement<'a>, label: Option<Name>) {
        let span = self.at(stmt.span());
        match stmt {
            ast::Statement::BlockStatement(node) => match label {
                Some(_) => {
                    let fork = self.fork();
                    let exit = self.b.block();
                    self.contexts.push(Context::Breakable { exit, label });
                    self.block(&node.body);
                    self.contexts.pop();
                    self.b.jump(exit);
                    self.join(exit, fork);
                }
                None => self.block(&node.body),
            },
            ast::Statement::ExpressionStatement(node) => {
                if let ast::Expression::CallExpression(call) = &node.expression {
                    self.statement = Some(address(&**call));
                }
                self.expr(&node.expression);
            }
            ast::Statement::VariableDeclaration(node) => self.variables(node),
            ast::Statement::ClassDeclaration(node) => {
                self.class(node, None);
            }
            ast::Statement::ReturnStatement(node) => {
                let value = match &node.argument {
                    Some(value) => self.expr(value),
                    None => self.constant(solvent_ir::Const::None, span),
                };
                self.leave_by_return(value);
            }
            ast::Statement::ThrowStatement(node) => {
                let value = self.expr(&node.argument);
                self.b.terminate(Terminator::Raise(Some(value)));
            }
            ast::Statement::IfStatement(node) => self.if_else(node),
            ast::Statement::SwitchStatement(node) => self.switch(node, label),
            ast::Statement::WhileStatement(node) => {
                self.loop_while(label, Some(&node.test), None, &node.body);
            }
            ast::Statement::DoWhileStatement(node) => self.do_while(node, label),
            ast::Statement::ForStatement(node) => {
                match &node.init {
                    Some(ast::ForStatementInit::VariableDeclaration(node)) => self.variables(node),
                    Some(other) => {
                        if let Some(expression) = other.as_expression() {
                            self.expr(expression);
                        }
                    }
                    None => {}
                }
                self.loop_while(label, node.test.as_ref(), node.update.as_ref(), &node.body);
            }
            ast::Statement::ForOfStatement(node) => {
                let iterable = self.expr(&node.right);
                self.each(label, iterable, &node.left, &node.body, span);
            }
            ast::Statement::ForInStatement(node) => {
                let object = self.expr(&node.right);
                let callee = self.builtin("<keys>", span);
                let args = vec![Arg::Positional(object)];
                let keys = self.b.emit(Op::Call { callee, args }, span);
                self.each(label, keys, &node.left, &node.body, span);
            }
            ast::Statement::LabeledStatement(node) => {
                let label = self.name(&node.label.name);
                with_stack(|| self.stmt(&node.body, Some(label)));
            }
            ast::Statement::BreakStatement(node) => match &node.label {
                Some(label) => {
                    let label = self.name(&label.name);
                    self.leave_to(label, |exits| exits.exit, |exit, _| exit);
                }
                None => self.leave_innermost(),
            },
            ast::Statement::ContinueStatement(node) => match &node.label {
                Some(label) => {
                    let label = self.name(&label.name);
                    self.leave_to(label, |exits| exits.next, |_, next| next);
                }
                None => self.go_on_with_loop(),
            },
            ast::Statement::TryStatement(node) => self.try_catch(node),
            ast::Statement::WithStatement(node) => {
                self.expr(&node.object);
                self.one(&node.body);
            }
            ast::Statement::ImportDeclaration(node) => self.import(node),
            ast::Statement::ExportDefaultDeclaration(node) => self.export_default(node),
            ast::Statement::ExportDeclaration(node) => match &node.declaration {
                ast::Declaration::VariableDeclaration(node) => self.variables(node),
                ast::Declaration::ClassDeclaration(node) => {
                    self.class(node, None);
                }
                ast::Declaration::TSEnumDeclaration(node) => self.enumeration(node),
                _ => {}
            },
            ast::Statement::ExportFromDeclaration(node) => self.export_from(node),
            ast::Statement::ExportAllDeclaration(node) => self.export_all(node),
            ast::Statement::TSExportAssignment(node) => {
                let value = self.expr(&node.expression);
                self.write_exports(value, span);
            }
            ast::Statement::TSImportEqualsDeclaration(node) => {
                if let ast::TSModuleReference::ExternalModuleReference(module) =
                    &node.module_reference
                {
                    let value = self.required(&module.expression.value, span);
                    if let Some(variable) = self.file.shared.declared(&node.id) {
                        self.write_name(variable, value, span);
                    }
                }
            }
            ast::Statement::TSEnumDeclaration(node) => self.enumeration(node),
            // Hoisted, types, or exported when the module has run.
            _ => {}
        }
    }

    fn variables(&mut self, node: &'a ast::VariableDeclaration<'a>) {
        for one in &node.declarations {
            let hint = match &one.id {
                ast::BindingPattern::BindingIdentifier(id) => Some(id.name.as_str()),
                _ => None,
            };
            match &one.init {
                Some(init) => {
                    let value = self.expr_named(init, hint);
                    self.declare(&one.id, value);
                }
                None if !node.kind.is_var() => {
                    let span = self.at(one.span);
                    let undefined = self.constant(solvent_ir::Const::None, span);
                    self.declare(&one.id, undefined);
                }
                None => {}
            }
        }
    }

    /// `enum`: an object of its members.
    fn enumeration(&mut self, node: &'a ast::TSEnumDeclaration<'a>) {
        let span = self.at(node.span);
        let mut entries = Vec::new();
        let mut next = Some(0_i64);
        for member in &node.body.members {
            let name = self.name(&member.id.static_name());
            let key = self.constant(solvent_ir::Const::Str(name), span);
            let value = match &member.initializer {
                Some(init) => {
                    next = match init {
                        ast::Expression::NumericLiteral(number) => Some(number.value as i64 + 1),
                        _ => None,
                    };
                    self.expr(init)
                }
                None => match next {
                    Some(number) => {
                        next = Some(number + 1);
                        self.int(number, span)
                    }
                    None => self.unknown("a member of an enumeration", span),
                },
            };
            entries.push(solvent_ir::Entry::Pair(key, value));
        }
        let value = self.b.emit(Op::Dict(entries), span);
        if let Some(variable) = self.file.shared.declared(&node.id) {
            self.write_name(variable, value, span);
        }
    }

    fn if_else(&mut self, node: &'a ast::IfStatement<'a>) {
        let fork = self.fork();
        let (then, otherwise, exit) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(&node.test, then, otherwise);
        self.join(then, fork);
        self.one(&node.consequent);
        self.b.jump(exit);
        self.join(otherwise, fork);
        if let Some(alternate) = &node.alternate {
            self.one(alternate);
        }
        self.b.jump(exit);
        self.join(exit, fork);
    }

    fn switch(&mut self, node: &'a ast::SwitchStatement<'a>, label: Option<Name>) {
        let left = self.expr(&node.discriminant);
        let fork = self.fork();
        let exit = self.b.block();
        let bodies: Vec<Block> = node.cases.iter().map(|_| self.b.block()).collect();
        let mut default = exit;
        for (case, &body) in node.cases.iter().zip(&bodies) {
            let Some(test) = &case.test else {
                default = body;
                continue;
            };
            let right = self.expr(test);
            let span = self.at(case.span);
            let op = CompareOp::Eq;
            // What earlier cases have taught about the value.
            let newest = self.newest(left);
            let test = Op::Compare {
                op,
                left: newest,
                right,
            };
            let condition = self.b.emit(test, span);
            let next = self.b.block();
            self.branch(condition, body, next, span);
            self.close(next, fork);
            self.b.start(next);
        }
        self.b.jump(default);
        self.contexts.push(Context::Breakable { exit, label });
        for (i, (case, &body)) in node.cases.iter().zip(&bodies).enumerate() {
            self.join(body, fork);
            self.block(&case.consequent);
            self.b.jump(bodies.get(i + 1).copied().unwrap_or(exit));
        }
        self.contexts.pop();
        self.join(exit, fork);
    }

    /// `while` and `for (;;)`.
    fn loop_while(
        &mut self,
        label: Option<Name>,
        test: Option<&'a ast::Expression<'a>>,
        update: Option<&'a ast::Expression<'a>>,
        body: &'a ast::Statement<'a>,
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
                    this.expr(update);
                }
            },
        );
    }

    fn do_while(&mut self, node: &'a ast::DoWhileStatement<'a>, label: Option<Name>) {
        self.turns_at_least_once(
            label,
            |this| this.one(&node.body),
            |this, turn, exit| this.condition(&node.test, turn, exit),
        );
    }

    fn each(
        &mut self,
        label: Option<Name>,
        iterable: Value,
        left: &'a ast::ForStatementLeft<'a>,
        body: &'a ast::Statement<'a>,
        span: Span,
    ) {
        self.turns_for_each(
            label,
            span,
            |this| {
                let element = this.b.emit(Op::Element(iterable), span);
                match left {
                    ast::ForStatementLeft::VariableDeclaration(node) => {
                        if let Some(one) = node.declarations.first() {
                            this.declare(&one.id, element);
                        }
                    }
                    other => {
                        if let Some(target) = other.as_assignment_target() {
                            this.assign(target, element);
                        }
                    }
                }
                if !this.b.handlers().is_empty() {
                    this.border();
                }
            },
            |this| this.one(body),
        );
    }

    fn try_catch(&mut self, node: &'a ast::TryStatement<'a>) {
        let fork = self.fork();
        let outer = self.b.handlers().to_vec();
        let after = self.b.block();
        let finally = node.finalizer.as_ref().map(|body| {
            let exits = Exits {
                returned: self.b.block(),
                exit: self.b.block(),
                next: self.b.block(),
            };
            (self.b.block(), exits, body)
        });
        let around = match &finally {
            Some((raised, exits, _)) => {
                self.contexts.push(Context::Finally(*exits));
                vec![*raised]
            }
            None => outer.clone(),
        };
        let clause = node
            .handler
            .as_ref()
            .map(|handler| (self.b.block(), handler));
        let handlers = match &clause {
            Some((block, _)) => vec![*block],
            None => around.clone(),
        };
        self.protected(handlers, &around, |this| this.block(&node.block.body));
        self.b.jump(after);
        if let Some((block, handler)) = clause {
            self.close(block, fork);
            self.b.start(block);
            let span = self.at(handler.span);
            let caught = self.b.emit(Op::Caught(None), span);
            if let Some(param) = &handler.param {
                self.declare(&param.pattern, caught);
            }
            self.block(&handler.body.body);
            self.b.jump(after);
        }
        self.b.set_handlers(outer);
        match finally {
            None => self.join(after, fork),
            Some((raised, exits, body)) => {
                self.contexts.pop();
                let weight = Weight {
                    statements: body.body.len() as u32,
                    definitions: u32::from(!body.body.iter().all(is_plain)),
                };
                self.finally(weight, after, raised, exits, fork, &mut |this| {
                    this.block(&body.body);
                });
            }
        }
    }
}

/// Statements that may be lowered several times: they define nothing.
fn is_plain(stmt: &ast::Statement<'_>) -> bool {
    match stmt {
        ast::Statement::ExpressionStatement(node) => match &node.expression {
            ast::Expression::CallExpression(call) => call.arguments.iter().all(|argument| {
                !matches!(
                    argument,
                    ast::Argument::ArrowFunctionExpression(_)
                        | ast::Argument::FunctionExpression(_)
                        | ast::Argument::ClassExpression(_)
                        | ast::Argument::ObjectExpression(_)
                        | ast::Argument::ArrayExpression(_)
                )
            }),
            ast::Expression::AssignmentExpression(node) => matches!(
                node.right,
                ast::Expression::Identifier(_)
                    | ast::Expression::StringLiteral(_)
                    | ast::Expression::NumericLiteral(_)
                    | ast::Expression::BooleanLiteral(_)
                    | ast::Expression::NullLiteral(_)
            ),
            ast::Expression::UpdateExpression(_) => true,
            _ => false,
        },
        ast::Statement::ReturnStatement(node) => node
            .argument
            .as_ref()
            .is_none_or(|value| matches!(value, ast::Expression::Identifier(_))),
        ast::Statement::BreakStatement(_) | ast::Statement::ContinueStatement(_) => true,
        _ => false,
    }
}
