//! Statements.

use solvent_base::{Name, Span};
use solvent_ir::{Block, Item, Op, SequenceKind, Terminator, Value};
use tree_sitter::Node;

use super::Lower;
use super::index::is_class;
use super::tree::{defines, field, fields, kid, kids};
use crate::lower::{Context, Exits, with_stack};
use crate::ways::Weight;

impl<'a> Lower<'_, 'a, '_> {
    pub fn block(&mut self, body: Node<'a>) {
        for statement in kids(body) {
            self.statement_alone(statement);
        }
    }

    pub fn statement_alone(&mut self, node: Node<'a>) {
        let before = self.b.clock();
        with_stack(|| self.stmt(node, None));
        // What a handler sees is the state between statements.
        if !self.b.handlers().is_empty() && self.b.is_live() && self.b.clock() != before {
            self.border();
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per form of statement reads best in one place"
    )]
    fn stmt(&mut self, node: Node<'a>, label: Option<Name>) {
        let span = self.at(node);
        match node.kind() {
            "block" | "constructor_body" => match label {
                Some(_) => {
                    let fork = self.fork();
                    let exit = self.b.block();
                    self.contexts.push(Context::Breakable { exit, label });
                    self.block(node);
                    self.contexts.pop();
                    self.b.jump(exit);
                    self.join(exit, fork);
                }
                None => self.block(node),
            },
            "expression_statement" => {
                for inner in kids(node) {
                    if matches!(inner.kind(), "method_invocation" | "switch_expression") {
                        self.statement = Some(inner.id());
                    }
                    self.expr(inner);
                }
            }
            "local_variable_declaration" => {
                for one in fields(node, "declarator") {
                    if let (Some(name), Some(value)) = (field(one, "name"), field(one, "value")) {
                        let value = self.initial(value, field(node, "type"));
                        self.bind(name, value);
                    }
                }
            }
            "return_statement" => {
                let value = match kids(node).first() {
                    Some(value) => self.expr(*value),
                    None => self.null(span),
                };
                self.leave_by_return(value);
            }
            "throw_statement" => {
                let value = match kids(node).first() {
                    Some(value) => self.expr(*value),
                    None => self.unknown("a missing expression", span),
                };
                self.b.terminate(Terminator::Raise(Some(value)));
            }
            "if_statement" => self.if_else(node),
            "while_statement" => {
                let test = Self::test_of(node);
                self.loop_while(label, test, &[], field(node, "body"));
            }
            "do_statement" => self.do_while(node, label),
            "for_statement" => {
                for init in fields(node, "init") {
                    match init.kind() {
                        "local_variable_declaration" => self.stmt(init, None),
                        _ => {
                            self.expr(init);
                        }
                    }
                }
                let updates = fields(node, "update");
                self.loop_while(
                    label,
                    field(node, "condition"),
                    &updates,
                    field(node, "body"),
                );
            }
            "enhanced_for_statement" => self.each(node, label),
            "labeled_statement" => {
                let parts = kids(node);
                if let [label, statement, ..] = parts[..] {
                    let label = self.name(self.text(label));
                    with_stack(|| self.stmt(statement, Some(label)));
                }
            }
            "break_statement" => match kid(node, "identifier") {
                Some(label) => {
                    let label = self.name(self.text(label));
                    self.leave_to(label, |exits| exits.exit, |exit, _| exit);
                }
                None => self.leave_innermost(),
            },
            "continue_statement" => match kid(node, "identifier") {
                Some(label) => {
                    let label = self.name(self.text(label));
                    self.leave_to(label, |exits| exits.next, |_, next| next);
                }
                None => self.go_on_with_loop(),
            },
            "yield_statement" => self.yields(node),
            "switch_expression" => {
                self.statement = Some(node.id());
                self.switch(node, label);
            }
            "try_statement" | "try_with_resources_statement" => self.try_catch(node),
            "synchronized_statement" => {
                for part in kids(node) {
                    if part.kind() == "block" {
                        self.block(part);
                    } else {
                        self.expr(part);
                    }
                }
            }
            "assert_statement" => {
                // Whether it is looked at is decided when the program is started.
                for part in kids(node) {
                    self.expr(part);
                }
            }
            "static_initializer" => {
                for part in kids(node) {
                    self.stmt(part, None);
                }
            }
            kind if is_class(kind) => self.class_declaration(node),
            "ERROR" => {
                for part in kids(node) {
                    self.statement_alone(part);
                }
            }
            "import_declaration" | "package_declaration" | "method_declaration" => {}
            kind if kind.ends_with("expression")
                || kind.ends_with("invocation")
                || kind.ends_with("access")
                || kind.ends_with("literal") =>
            {
                self.expr(node);
            }
            _ => {}
        }
    }

    fn one(&mut self, statement: Option<Node<'a>>) {
        if let Some(statement) = statement {
            with_stack(|| self.stmt(statement, None));
        }
    }

    fn if_else(&mut self, node: Node<'a>) {
        // Chains of `else if` may be long.
        let fork = self.fork();
        let (then, otherwise, exit) = (self.b.block(), self.b.block(), self.b.block());
        match field(node, "condition") {
            Some(test) => self.condition(test, then, otherwise),
            None => self.b.jump(otherwise),
        }
        self.join(then, fork);
        self.one(field(node, "consequence"));
        self.b.jump(exit);
        self.join(otherwise, fork);
        self.one(field(node, "alternative"));
        self.b.jump(exit);
        self.join(exit, fork);
    }

    /// `while` and `for (;;)`.
    fn loop_while(
        &mut self,
        label: Option<Name>,
        test: Option<Node<'a>>,
        updates: &[Node<'a>],
        body: Option<Node<'a>>,
    ) {
        self.turns_while(
            label,
            |this, turn, exit| match test {
                Some(test) => this.condition(test, turn, exit),
                None => this.b.jump(turn),
            },
            |this| this.one(body),
            |this| {
                for update in updates {
                    this.expr(*update);
                }
            },
        );
    }

    fn do_while(&mut self, node: Node<'a>, label: Option<Name>) {
        self.turns_at_least_once(
            label,
            |this| this.one(field(node, "body")),
            |this, turn, exit| match Self::test_of(node) {
                Some(test) => this.condition(test, turn, exit),
                None => this.b.jump(exit),
            },
        );
    }

    fn each(&mut self, node: Node<'a>, label: Option<Name>) {
        let span = self.at(node);
        let iterable = self.part(node, "value");
        self.turns_for_each(
            label,
            span,
            |this| {
                let element = this.b.emit(Op::Element(iterable), span);
                if let Some(name) = field(node, "name") {
                    this.bind(name, element);
                }
                if !this.b.handlers().is_empty() {
                    this.border();
                }
            },
            |this| this.one(field(node, "body")),
        );
    }

    // Exceptions.

    fn try_catch(&mut self, node: Node<'a>) {
        let fork = self.fork();
        let outer = self.b.handlers().to_vec();
        let after = self.b.block();
        let parts = kids(node);
        let last = parts
            .iter()
            .find(|part| part.kind() == "finally_clause")
            .and_then(|clause| kid(*clause, "block"));
        let finally = last.map(|body| {
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
        let clauses: Vec<(Block, Node<'a>)> = parts
            .iter()
            .filter(|part| part.kind() == "catch_clause")
            .map(|clause| (self.b.block(), *clause))
            .collect();
        let mut handlers: Vec<Block> = clauses.iter().map(|(block, _)| *block).collect();
        handlers.extend(&around);
        self.protected(handlers, &around, |this| {
            if let Some(resources) = field(node, "resources") {
                this.resources(resources);
            }
            if let Some(body) = field(node, "body") {
                this.block(body);
            }
        });
        self.b.jump(after);
        for (block, clause) in clauses {
            self.close(block, fork);
            self.b.start(block);
            self.caught(clause);
            self.b.jump(after);
        }
        self.b.set_handlers(outer);
        match finally {
            None => self.join(after, fork),
            Some((raised, exits, body)) => {
                self.contexts.pop();
                let weight = Weight {
                    statements: kids(body).len() as u32,
                    definitions: u32::from(defines(body)),
                };
                self.finally(weight, after, raised, exits, fork, &mut |this| {
                    this.block(body)
                });
            }
        }
    }

    fn caught(&mut self, clause: Node<'a>) {
        let span = self.at(clause);
        let parameter = kid(clause, "catch_formal_parameter");
        let types = parameter
            .and_then(|parameter| kid(parameter, "catch_type"))
            .map(kids)
            .unwrap_or_default();
        let mut classes: Vec<Value> = Vec::new();
        for type_ in types {
            classes.extend(self.type_value(type_));
        }
        let class = match classes[..] {
            [] => None,
            [one] => Some(one),
            _ => Some(self.tuple(&classes, span)),
        };
        let caught = self.b.emit(Op::Caught(class), span);
        if let Some(name) = parameter.and_then(|parameter| field(parameter, "name")) {
            self.bind(name, caught);
        }
        if let Some(body) = field(clause, "body") {
            self.block(body);
        }
    }

    fn tuple(&mut self, values: &[Value], span: Span) -> Value {
        let items = values.iter().map(|value| Item::One(*value)).collect();
        let kind = SequenceKind::Tuple;
        self.b.emit(Op::Sequence { kind, items }, span)
    }

    fn resources(&mut self, list: Node<'a>) {
        for resource in kids(list) {
            match (field(resource, "name"), field(resource, "value")) {
                (Some(name), Some(value)) => {
                    let value = self.initial(value, field(resource, "type"));
                    self.bind(name, value);
                }
                _ => {
                    for part in kids(resource) {
                        self.expr(part);
                    }
                }
            }
            self.border();
        }
    }
}
