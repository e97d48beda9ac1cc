//! Statements.

use ruff_python_ast::{self as ast, Expr, Stmt};
use solvent_ir::{Arg, Class, ClassIndex, Const, FunctionKind, Op, Scope, Terminator, Value};

use super::function::{each_default, each_parameter};
use super::{Body, Code, Lower, Pending};
use crate::lower::{Context, Outside, with_stack};
use crate::scope::address;

impl<'a> Lower<'_, 'a, '_> {
    pub fn statements(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            let before = self.b.clock();
            with_stack(|| self.stmt(stmt));
            // What a handler sees is the state between statements.
            if !self.b.handlers().is_empty() && self.b.is_live() && self.b.clock() != before {
                self.border();
            }
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => self.function_def(def),
            Stmt::ClassDef(def) => self.class_def(def),
            Stmt::Return(node) => {
                let span = self.span(node);
                let value = match &node.value {
                    Some(value) => self.expr(value),
                    None => self.constant(Const::None, span),
                };
                self.leave_by_return(value);
            }
            Stmt::Delete(node) => {
                for target in &node.targets {
                    self.delete(target);
                }
            }
            Stmt::TypeAlias(node) => {
                let value = self.expr(&node.value);
                self.assign(&node.name, value);
            }
            Stmt::Assign(node) => {
                let value = self.expr(&node.value);
                for target in &node.targets {
                    self.assign(target, value);
                }
            }
            Stmt::AugAssign(node) => self.augmented(node),
            Stmt::AnnAssign(node) => {
                if let Some(value) = &node.value {
                    let value = self.expr(value);
                    self.assign(&node.target, value);
                }
                if matches!(self.kind, FunctionKind::Module | FunctionKind::ClassBody) {
                    let written = self.expr(&node.annotation);
                    self.field(&node.target, written);
                }
            }
            Stmt::For(node) => self.for_loop(node),
            Stmt::While(node) => self.while_loop(node),
            Stmt::If(node) => self.if_else(node),
            Stmt::With(node) => self.with(node),
            Stmt::Match(node) => self.match_cases(node),
            Stmt::Raise(node) => {
                let value = node.exc.as_ref().map(|exc| self.expr(exc));
                if let Some(cause) = &node.cause {
                    self.expr(cause);
                }
                self.b.terminate(Terminator::Raise(value));
            }
            Stmt::Try(node) => self.try_except(node),
            Stmt::Assert(node) => self.assert(node),
            Stmt::Import(node) => self.import(node),
            Stmt::ImportFrom(node) => self.import_from(node),
            Stmt::Expr(node) => {
                if let Expr::Call(call) = &*node.value {
                    self.statement = Some(address(call));
                }
                if !is_literal(&node.value) {
                    self.expr(&node.value);
                }
            }
            Stmt::Break(_) => self.leave_loop(|exits| exits.exit, |exit, _| exit),
            Stmt::Continue(_) => self.leave_loop(|exits| exits.next, |_, next| next),
            Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    /// A field of a class, with the type that is written for it, whether it has a default or not: frameworks and
    /// dataclasses make instances from these.
    fn field(&mut self, target: &'a Expr, written: Value) {
        if self.kind != FunctionKind::ClassBody {
            return;
        }
        if let Expr::Name(name) = target {
            let span = self.span(target);
            let name = self.name(&format!("<field {}>", name.id));
            let (scope, value) = (Scope::Class, written);
            self.b.emit(Op::StoreName { scope, name, value }, span);
        }
    }

    fn if_else(&mut self, node: &'a ast::StmtIf) {
        let fork = self.fork();
        let exit = self.b.block();
        let mut tests = vec![(Some(&*node.test), &node.body)];
        tests.extend(
            node.elif_else_clauses
                .iter()
                .map(|c| (c.test.as_ref(), &c.body)),
        );
        let mut open = true;
        for (test, body) in tests {
            let Some(test) = test else {
                self.statements(body);
                self.b.jump(exit);
                open = false;
                break;
            };
            let (then, otherwise) = (self.b.block(), self.b.block());
            self.condition(test, then, otherwise);
            self.join(then, fork);
            self.statements(body);
            self.b.jump(exit);
            self.join(otherwise, fork);
        }
        if open {
            self.b.jump(exit);
        }
        self.join(exit, fork);
    }

    fn while_loop(&mut self, node: &'a ast::StmtWhile) {
        let fork = self.fork();
        let (header, body) = (self.b.block(), self.b.block());
        let (orelse, exit) = (self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.start(header);
        self.condition(&node.test, body, orelse);
        self.b.seal(body);
        self.b.start(body);
        self.contexts.push(Context::Loop {
            exit,
            next: header,
            label: None,
        });
        self.statements(&node.body);
        self.contexts.pop();
        self.b.jump(header);
        self.close(header, fork);
        self.join(orelse, fork);
        self.statements(&node.orelse);
        self.b.jump(exit);
        self.join(exit, fork);
    }

    fn for_loop(&mut self, node: &'a ast::StmtFor) {
        let iterable = self.expr(&node.iter);
        let span = self.span(&*node.iter);
        let fork = self.fork();
        let (header, body) = (self.b.block(), self.b.block());
        let (orelse, exit) = (self.b.block(), self.b.block());
        self.b.jump(header);
        self.b.start(header);
        let another = self.unknown("another element", span);
        self.b.terminate(Terminator::Branch {
            condition: another,
            then: body,
            otherwise: orelse,
        });
        self.b.seal(body);
        self.b.start(body);
        let element = self.b.emit(Op::Element(iterable), span);
        self.assign(&node.target, element);
        if !self.b.handlers().is_empty() {
            self.border();
        }
        self.contexts.push(Context::Loop {
            exit,
            next: header,
            label: None,
        });
        self.statements(&node.body);
        self.contexts.pop();
        self.b.jump(header);
        self.close(header, fork);
        self.join(orelse, fork);
        self.statements(&node.orelse);
        self.b.jump(exit);
        self.join(exit, fork);
    }

    fn assert(&mut self, node: &'a ast::StmtAssert) {
        let fork = self.fork();
        let (holds, fails) = (self.b.block(), self.b.block());
        self.condition(&node.test, holds, fails);
        self.join(fails, fork);
        if self.b.is_live() {
            let span = self.span(node);
            let name = self.name("AssertionError");
            let callee = self.b.emit(Op::Global(name), span);
            let args = match &node.msg {
                Some(message) => vec![Arg::Positional(self.expr(message))],
                None => Vec::new(),
            };
            let error = self.b.emit(Op::Call { callee, args }, span);
            self.b.terminate(Terminator::Raise(Some(error)));
        }
        self.join(holds, fork);
    }

    fn import(&mut self, node: &'a ast::StmtImport) {
        for alias in &node.names {
            let span = self.span(alias);
            let module = self.name(&alias.name);
            let value = self.b.emit(
                Op::Import {
                    module,
                    member: None,
                    level: 0,
                },
                span,
            );
            if let Some(asname) = &alias.asname {
                let name = self.name(asname);
                self.write_name(name, value, span);
                continue;
            }
            let first = alias.name.split('.').next().unwrap_or_default();
            let name = self.name(first);
            let value = if name == module {
                value
            } else {
                self.b.emit(
                    Op::Import {
                        module: name,
                        member: None,
                        level: 0,
                    },
                    span,
                )
            };
            self.write_name(name, value, span);
        }
    }

    fn import_from(&mut self, node: &'a ast::StmtImportFrom) {
        let module = self.name(node.module.as_deref().unwrap_or_default());
        let level = node.level;
        for alias in &node.names {
            let span = self.span(alias);
            if &alias.name == "*" {
                self.b.emit(Op::ImportAll { module, level }, span);
                continue;
            }
            let member = self.name(&alias.name);
            let value = self.b.emit(
                Op::Import {
                    module,
                    member: Some(member),
                    level,
                },
                span,
            );
            let name = alias
                .asname
                .as_ref()
                .map_or(member, |asname| self.name(asname));
            self.write_name(name, value, span);
        }
    }

    // Definitions.

    fn function_def(&mut self, def: &'a ast::StmtFunctionDef) {
        let decorators: Vec<Value> = def
            .decorator_list
            .iter()
            .map(|d| self.expr(&d.expression))
            .collect();
        let parameters = self.outside_parameters(&def.parameters);
        let returns = def.returns.as_ref().map(|returns| self.expr(returns));
        let name = self.name(&def.name);
        let pending = Pending {
            name,
            qualname: self.qualname(&def.name),
            kind: FunctionKind::Def,
            scope: self.file.scopes.at(address(def)),
            parent: Some(self.index),
            class: self.class,
            is_async: def.is_async,
            span: self.span(def),
            name_span: self.span(&def.name),
            body: Code {
                body: Body::Statements(&def.body),
                parameters: Some(&def.parameters),
            },
        };
        let span = pending.span;
        let name_span = pending.name_span;
        let index = self.reserve(pending);
        let mut value = self.b.emit(Op::Function(index), span);
        for (decorator, node) in decorators.iter().zip(&def.decorator_list).rev() {
            let args = vec![Arg::Positional(value)];
            let span = self.span(node);
            value = self.b.emit(
                Op::Call {
                    callee: *decorator,
                    args,
                },
                span,
            );
        }
        self.file.functions[index.0 as usize].outside = Outside {
            decorators,
            returns,
            parameters,
        };
        self.write_name(name, value, name_span);
    }

    /// Defaults and annotations, evaluated here.
    pub fn outside_parameters(
        &mut self,
        parameters: &'a ast::Parameters,
    ) -> Vec<(Option<Value>, Option<Value>)> {
        let defaults: Vec<_> = each_default(parameters)
            .map(|default| default.map(|d| self.expr(d)))
            .collect();
        let annotations: Vec<_> = each_parameter(parameters)
            .map(|(_, p)| p.annotation.as_deref().map(|a| self.expr(a)))
            .collect();
        defaults.into_iter().zip(annotations).collect()
    }

    fn class_def(&mut self, def: &'a ast::StmtClassDef) {
        let decorators: Vec<Value> = def
            .decorator_list
            .iter()
            .map(|d| self.expr(&d.expression))
            .collect();
        let mut bases = Vec::new();
        if let Some(arguments) = &def.arguments {
            for base in &arguments.args {
                let base = if let Expr::Starred(starred) = base {
                    &starred.value
                } else {
                    base
                };
                bases.push(self.expr(base));
            }
            for keyword in &arguments.keywords {
                self.expr(&keyword.value);
            }
        }
        let name = self.name(&def.name);
        let qualname = self.qualname(&def.name);
        let span = self.span(def);
        let name_span = self.span(&def.name);
        let class = ClassIndex(self.file.classes.len() as u32);
        let body = self.reserve(Pending {
            name,
            qualname,
            kind: FunctionKind::ClassBody,
            scope: self.file.scopes.at(address(def)),
            parent: Some(self.index),
            class: Some(class),
            is_async: false,
            span,
            name_span,
            body: Code {
                body: Body::Statements(&def.body),
                parameters: None,
            },
        });
        self.file.classes.push(Class {
            name,
            qualname,
            bases,
            decorators: decorators.clone(),
            parent: self.index,
            body,
            span,
        });
        self.classes.push(class);
        let mut value = self.b.emit(Op::Class(class), span);
        for (decorator, node) in decorators.iter().zip(&def.decorator_list).rev() {
            let args = vec![Arg::Positional(value)];
            let span = self.span(node);
            value = self.b.emit(
                Op::Call {
                    callee: *decorator,
                    args,
                },
                span,
            );
        }
        self.write_name(name, value, name_span);
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
    )
}
