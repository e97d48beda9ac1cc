//! `try`, `with`, and the ways out of functions and loops.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};
use solvent_ir::{Block, Op};

use super::Lower;
use crate::lower::{Context, Exits, with_stack};
use crate::ways::Weight;

impl<'a> Lower<'_, 'a, '_> {
    pub fn try_except(&mut self, node: &'a ast::StmtTry) {
        let fork = self.fork();
        let outer = self.b.handlers().to_vec();
        let after = self.b.block();
        let finally = (!node.finalbody.is_empty()).then(|| {
            let exits = Exits {
                returned: self.b.block(),
                exit: self.b.block(),
                next: self.b.block(),
            };
            (self.b.block(), exits)
        });
        let around = match &finally {
            Some((raised, exits)) => {
                self.contexts.push(Context::Finally(*exits));
                vec![*raised]
            }
            None => outer.clone(),
        };
        let clauses: Vec<(Block, &'a ast::ExceptHandlerExceptHandler)> = node
            .handlers
            .iter()
            .map(|ExceptHandler::ExceptHandler(clause)| (self.b.block(), clause))
            .collect();

        let mut handlers: Vec<Block> = clauses.iter().map(|(block, _)| *block).collect();
        if !clauses.iter().any(|(_, clause)| self.catches_all(clause)) {
            handlers.extend(&around);
        }
        self.protected(handlers, &around, |this| this.statements(&node.body));
        self.statements(&node.orelse);
        self.b.jump(after);

        for (block, _) in &clauses {
            self.close(*block, fork);
        }
        for (block, clause) in clauses {
            self.b.start(block);
            self.handler(clause);
            self.b.jump(after);
        }

        self.b.set_handlers(outer);
        match finally {
            None => self.join(after, fork),
            Some((raised, exits)) => {
                self.contexts.pop();
                let weight = weigh(&node.finalbody);
                self.finally(weight, after, raised, exits, fork, &mut |this| {
                    this.statements(&node.finalbody);
                });
            }
        }
    }

    fn catches_all(&self, clause: &ast::ExceptHandlerExceptHandler) -> bool {
        let catches = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == "Exception" || name.id == "BaseException");
        match clause.type_.as_deref() {
            None => true,
            Some(Expr::Tuple(tuple)) => tuple.elts.iter().any(catches),
            Some(expr) => catches(expr),
        }
    }

    fn handler(&mut self, clause: &'a ast::ExceptHandlerExceptHandler) {
        let span = self.span(clause);
        let caught = clause.type_.as_ref().map(|type_| self.expr(type_));
        let caught = self.b.emit(Op::Caught(caught), span);
        let name = clause
            .name
            .as_ref()
            .map(|name| (self.name(name), self.span(name)));
        if let Some((name, span)) = name {
            self.write_name(name, caught, span);
        }
        self.statements(&clause.body);
        if let Some((name, span)) = name {
            self.unbind(name, span);
        }
    }

    pub fn with(&mut self, node: &'a ast::StmtWith) {
        let fork = self.fork();
        let mut suppresses = false;
        for item in &node.items {
            let manager = self.expr(&item.context_expr);
            let span = self.span(item);
            let entered = self.b.emit(Op::Enter(manager), span);
            if let Some(target) = &item.optional_vars {
                self.assign(target, entered);
            }
            suppresses |= is_suppress(&item.context_expr);
        }
        if !suppresses {
            self.statements(&node.body);
            return;
        }
        // `contextlib.suppress`: control goes on behind the body after an exception.
        let outer = self.b.handlers().to_vec();
        let after = self.b.block();
        self.protected(vec![after], &outer, |this| this.statements(&node.body));
        self.b.jump(after);
        self.join(after, fork);
    }
}

fn is_suppress(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    match &*call.func {
        Expr::Name(name) => name.id == "suppress",
        Expr::Attribute(attribute) => &attribute.attr == "suppress",
        _ => false,
    }
}

fn weigh(body: &[Stmt]) -> Weight {
    let mut weight = Weight::default();
    weight.visit_body(body);
    weight
}

impl<'a> Visitor<'a> for Weight {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.statements += 1;
        if self.is_light() {
            with_stack(|| visitor::walk_stmt(self, stmt));
        }
        if matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            self.definitions += 1;
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::Generator(_) => self.definitions += 1,
            _ => with_stack(|| visitor::walk_expr(self, expr)),
        }
    }
}
