//! `try`, `with`, and the ways out of functions and loops.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};
use solvent_ir::{Block, Op, Terminator, Value};

use super::function::{Context, Exits, Fork, Lower};

/// A `finally` body of at most this many statements is copied to each way out, so that what is known
/// on one way is not mixed with another; a larger one is lowered once.
const COPIED_STATEMENTS: u32 = 24;

/// Copies inside copies; each level multiplies by the five ways out.
const COPIED_LEVELS: u32 = 2;

impl<'a> Lower<'_, 'a, '_> {
    pub fn leave_by_return(&mut self, value: Value) {
        let exits = self
            .contexts
            .iter()
            .rev()
            .find_map(|context| match context {
                Context::Finally(exits) => Some(*exits),
                Context::Loop { .. } => None,
            });
        match exits {
            Some(exits) => {
                let returned = self.file.well_known.returned;
                self.b.write(returned, value);
                self.b.jump(exits.returned);
            }
            None => self.b.terminate(Terminator::Return(Some(value))),
        }
    }

    /// `break` or `continue`; outside a loop it does nothing, and the parser has said so.
    pub fn leave_loop(
        &mut self,
        by_finally: impl Fn(&Exits) -> Block,
        by_loop: impl Fn(Block, Block) -> Block,
    ) {
        if !self
            .contexts
            .iter()
            .any(|context| matches!(context, Context::Loop { .. }))
        {
            return;
        }
        let target = match self.contexts.last() {
            Some(Context::Finally(exits)) => by_finally(exits),
            Some(Context::Loop { exit, next }) => by_loop(*exit, *next),
            None => return,
        };
        self.b.here();
        self.b.jump(target);
    }

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
        self.protected(&node.body, handlers, &around);
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
                self.finally(&node.finalbody, after, raised, exits, fork);
            }
        }
    }

    /// Lowers `body` raising into `handlers`, then goes on raising into `around`.
    fn protected(&mut self, body: &'a [Stmt], handlers: Vec<Block>, around: &[Block]) {
        self.b.set_handlers(handlers);
        // An empty block first: the state before the body.
        self.border();
        self.border();
        self.statements(body);
        self.b.set_handlers(around.to_vec());
        if self.b.is_live() {
            self.border();
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

    fn finally(&mut self, body: &'a [Stmt], after: Block, raised: Block, exits: Exits, fork: Fork) {
        let done = self.b.block();
        let ways = [
            (Way::Normal, after),
            (Way::Raised, raised),
            (Way::Returned, exits.returned),
            (Way::Exit, exits.exit),
            (Way::Next, exits.next),
        ];
        let ways: Vec<(Way, Block)> = ways
            .into_iter()
            .filter(|(_, block)| self.b.has_predecessors(*block))
            .collect();
        if self.copies < COPIED_LEVELS && Weight::of(body).is_light() {
            self.copies += 1;
            for (_, block) in &ways {
                self.close(*block, fork);
            }
            for (way, block) in ways {
                self.b.start(block);
                self.statements(body);
                self.go_on(way, done);
            }
            self.copies -= 1;
        } else {
            let merged = self.b.block();
            for (_, block) in &ways {
                self.join(*block, fork);
                self.b.jump(merged);
            }
            self.join(merged, fork);
            self.statements(body);
            let inside = self.fork();
            let last = ways.len().saturating_sub(1);
            for (i, (way, _)) in ways.into_iter().enumerate() {
                if i < last && self.b.is_live() {
                    let span = solvent_base::Span::default();
                    let condition = self.unknown("why finally was entered", span);
                    let (then, otherwise) = (self.b.block(), self.b.block());
                    self.b.terminate(Terminator::Branch {
                        condition,
                        then,
                        otherwise,
                    });
                    self.join(then, inside);
                    self.go_on(way, done);
                    self.join(otherwise, inside);
                } else {
                    self.go_on(way, done);
                }
            }
        }
        self.join(done, fork);
    }

    fn go_on(&mut self, way: Way, done: Block) {
        if !self.b.is_live() {
            return;
        }
        match way {
            Way::Normal => self.b.jump(done),
            Way::Raised => self.b.terminate(Terminator::Raise(None)),
            Way::Returned => {
                let returned = self.file.well_known.returned;
                let value = match self.b.read(returned) {
                    Some(value) => value,
                    None => self.unknown("value returned earlier", solvent_base::Span::default()),
                };
                self.leave_by_return(value);
            }
            Way::Exit => self.leave_loop(|exits| exits.exit, |exit, _| exit),
            Way::Next => self.leave_loop(|exits| exits.next, |_, next| next),
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
        self.protected(&node.body, vec![after], &outer);
        self.b.jump(after);
        self.join(after, fork);
    }
}

#[derive(Clone, Copy)]
enum Way {
    Normal,
    Raised,
    Returned,
    Exit,
    Next,
}

fn is_suppress(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    match &*call.func {
        Expr::Name(name) => name.id == "suppress",
        Expr::Attribute(attribute) => &attribute.attr == "suppress",
        _ => false,
    }
}

/// Statements of a body, and whether it defines anything that must exist once only.
#[derive(Default)]
struct Weight {
    statements: u32,
    definitions: u32,
}

impl Weight {
    fn of(body: &[Stmt]) -> Self {
        let mut weight = Self::default();
        weight.visit_body(body);
        weight
    }

    fn is_light(&self) -> bool {
        self.definitions == 0 && self.statements <= COPIED_STATEMENTS
    }
}

impl<'a> Visitor<'a> for Weight {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.statements += 1;
        if self.is_light() {
            super::with_stack(|| visitor::walk_stmt(self, stmt));
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
            _ => super::with_stack(|| visitor::walk_expr(self, expr)),
        }
    }
}
