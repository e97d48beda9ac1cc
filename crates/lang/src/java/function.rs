//! Functions: methods, constructors and lambdas.

use solvent_ir::{Const, FnIndex, FunctionKind, Op, Param, Terminator, Value};
use tree_sitter::Node;

use super::index::Kind;
use super::tree::{field, kid, kids};
use super::{Code, Lower, Pending};
use crate::lower::File;

/// Lowers function `index` of the file, whose parent is lowered already.
pub(crate) fn lower<'a>(file: &mut File<'a, '_, Code<'a>>, index: FnIndex) {
    let (mut lower, pending) = Lower::begin(file, index);
    let span = pending.span;
    let params = match pending.body {
        Code::Module(root) => {
            lower.module(root);
            Vec::new()
        }
        Code::Class(class) => {
            lower.class_body(class);
            Vec::new()
        }
        Code::Method(node, class) => lower.method_body(node, class),
        Code::Constructor(class) => {
            let info = &lower.file.shared.index.classes[class];
            let record = field(info.node, "parameters").filter(|_| info.kind == Kind::Record);
            let around = info.inner.then_some(class);
            let (params, kept) = lower.parameters(record, around, span);
            lower.before_constructor(class, span);
            lower.keep_parameters(class, &kept);
            params
        }
        Code::Fields(class) => {
            let (params, _) = lower.parameters(None, None, span);
            lower.fields_of(class);
            params
        }
        Code::Lambda(node) => {
            let (params, _) = lower.parameters(field(node, "parameters"), None, span);
            match field(node, "body") {
                Some(body) if body.kind() == "block" => lower.block(body),
                Some(body) => {
                    let value = lower.expr(body);
                    lower.b.terminate(Terminator::Return(Some(value)));
                }
                None => {}
            }
            params
        }
    };
    lower.finish(pending, params);
}

impl<'a> Lower<'_, 'a, '_> {
    fn method_body(&mut self, node: Node<'a>, class: usize) -> Vec<Param> {
        let span = self.at(node);
        let info = &self.file.shared.index.classes[class];
        let constructs = node.kind() != "method_declaration";
        let compact = node.kind() == "compact_constructor_declaration";
        let around = (constructs && info.inner).then_some(class);
        let list = match field(node, "parameters") {
            Some(list) => Some(list),
            None if compact => field(info.node, "parameters"),
            None => None,
        };
        let (params, mut kept) = self.parameters(list, around, span);
        let body = field(node, "body");
        if body.is_none() && !constructs {
            self.annotated_statement(node, class, &kept);
        }
        if constructs {
            let explicit = body.and_then(|body| kid(body, "explicit_constructor_invocation"));
            match explicit {
                Some(call) => self.explicit_constructor(call, class),
                None => self.before_constructor(class, span),
            }
        }
        for statement in body.map(kids).unwrap_or_default() {
            if statement.kind() != "explicit_constructor_invocation" {
                self.statement_alone(statement);
            }
        }
        if compact && self.b.is_live() {
            for (name, value) in &mut kept {
                let declared = kids(list.unwrap_or(node))
                    .into_iter()
                    .find_map(|parameter| {
                        let id = super::index::parameter_name(parameter)?;
                        (self.text(id) == name).then_some(id)
                    });
                if let Some(variable) =
                    declared.and_then(|id| self.file.shared.variables.at(id.id()))
                {
                    *value = self.read_name(variable, span);
                }
            }
            self.keep_parameters(class, &kept);
        }
        params
    }

    fn explicit_constructor(&mut self, node: Node<'a>, class: usize) {
        let span = self.at(node);
        let other = field(node, "constructor").is_some_and(|c| c.kind() == "this");
        let base = if other {
            self.this(span)
        } else {
            self.super_value(span)
        };
        let args = match field(node, "arguments") {
            Some(list) => self.arguments(list),
            None => Vec::new(),
        };
        self.called_on(base, "<init>", args, span);
        if !other {
            self.run_initialisers(class, span);
        }
    }

    pub fn lambda(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let pending = Pending {
            name: self.name("<lambda>"),
            qualname: self.path_of("<lambda>"),
            kind: FunctionKind::Lambda,
            scope: self.file.scopes.at(node.id()),
            parent: Some(self.index),
            class: self.class,
            is_async: false,
            span,
            name_span: span,
            body: Code::Lambda(node),
        };
        let types = match field(node, "parameters") {
            Some(list) if list.kind() == "formal_parameters" => self.parameter_types(list),
            _ => Vec::new(),
        };
        let index = self.reserve(pending);
        self.file.functions[index.0 as usize].outside.parameters = types;
        self.b.emit(Op::Function(index), span)
    }

    /// `super`
    pub fn super_value(&mut self, span: solvent_base::Span) -> Value {
        let name = self.file.well_known.super_;
        let callee = self.b.emit(Op::Global(name), span);
        let args = Vec::new();
        self.b.emit(Op::Call { callee, args }, span)
    }

    pub fn null(&mut self, span: solvent_base::Span) -> Value {
        self.constant(Const::None, span)
    }
}
