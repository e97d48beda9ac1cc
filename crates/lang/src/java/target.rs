//! What is assigned to: variables, fields, elements of arrays.

use solvent_base::{Name, Span};
use solvent_ir::{BinaryOp, Op, Value};
use tree_sitter::Node;

use super::Lower;
use super::expr::binary_op;
use super::tree::{all, field, kids};

/// Where a value is put.
#[derive(Clone, Copy)]
enum Place {
    Name(Name),
    Attr(Value, Name),
    Index(Value, Value),
    /// Nowhere that can be followed.
    Nowhere,
}

impl<'a> Lower<'_, 'a, '_> {
    pub fn assignment(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let sign = field(node, "operator").map_or("=", |op| op.kind());
        let place = match field(node, "left") {
            Some(left) => self.place(left),
            None => Place::Nowhere,
        };
        let value = match binary_op(sign.trim_end_matches('=')) {
            Some(op) => {
                let left = self.read_place(place, span);
                let right = self.part(node, "right");
                self.b.emit(Op::Binary { op, left, right }, span)
            }
            None => self.part(node, "right"),
        };
        self.write_place(place, value, span);
        self.b.resolve(value)
    }

    /// `i++`: the value before, or after where the sign stands first.
    pub fn update(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let parts = all(node);
        let place = match kids(node).first() {
            Some(operand) => self.place(*operand),
            None => Place::Nowhere,
        };
        let left = self.read_place(place, span);
        let right = self.int(1, span);
        let op = match parts.iter().find(|part| !part.is_named()).map(|p| p.kind()) {
            Some("--") => BinaryOp::Sub,
            _ => BinaryOp::Add,
        };
        let value = self.b.emit(Op::Binary { op, left, right }, span);
        self.write_place(place, value, span);
        let prefix = parts.first().is_some_and(|part| !part.is_named());
        if prefix { value } else { left }
    }

    fn place(&mut self, node: Node<'a>) -> Place {
        let span = self.at(node);
        match node.kind() {
            "identifier" => {
                if let Some(variable) = self.file.shared.variables.at(node.id()) {
                    return Place::Name(variable);
                }
                match self.field_place(self.text(node), span) {
                    Some((base, name)) => Place::Attr(base, name),
                    None => Place::Nowhere,
                }
            }
            "field_access" => {
                let base = self.part(node, "object");
                match field(node, "field") {
                    Some(name) => Place::Attr(base, self.name(self.text(name))),
                    None => Place::Nowhere,
                }
            }
            "array_access" => {
                let base = self.part(node, "array");
                let key = self.part(node, "index");
                Place::Index(base, key)
            }
            "parenthesized_expression" if kids(node).len() == 1 => self.place(kids(node)[0]),
            _ => {
                self.expr(node);
                Place::Nowhere
            }
        }
    }

    fn read_place(&mut self, place: Place, span: Span) -> Value {
        match place {
            Place::Name(name) => self.read_name(name, span),
            Place::Attr(base, name) => self.b.emit(Op::Attr { base, name }, span),
            Place::Index(base, key) => self.b.emit(Op::Index { base, key }, span),
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
            Place::Nowhere => {}
        }
    }
}
