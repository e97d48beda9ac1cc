//! Functions and their parameters.

use oxc_ast::ast;
use oxc_span::GetSpan;
use solvent_base::{Name, Span};
use solvent_ir::{
    FnIndex, FunctionKind, Item, Op, Param, ParamKind, SequenceKind, Terminator, Value,
};

use super::{Body, Code, Lower, Pending, Statements};
use crate::lower::{File, Outside};
use crate::scope::{ScopeId, address, bind};

/// Lowers function `index` of the file, whose parent is lowered already.
pub(crate) fn lower<'a>(file: &mut File<'a, '_, Code<'a>>, index: FnIndex) {
    let (mut lower, pending) = Lower::begin(file, index);
    let params = match pending.body {
        Code::Module(program) => {
            lower.module(program);
            Vec::new()
        }
        Code::Class(class) => {
            lower.class_body(class);
            Vec::new()
        }
        Code::Function(body) => lower.function(&body, pending.span),
    };
    lower.finish(pending, params);
}

/// What a function is, where its name does not say.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// The address of the node.
    pub node: usize,
    pub parameters: &'a ast::FormalParameters<'a>,
    pub statements: Statements<'a>,
    pub own_name: Option<Name>,
    pub is_async: bool,
    pub span: oxc_span::Span,
    pub name_span: oxc_span::Span,
}

impl<'a> Shape<'a> {
    pub fn of_function(node: &'a ast::Function<'a>) -> Self {
        Self {
            node: address(node),
            parameters: &node.params,
            statements: match &node.body {
                Some(body) => Statements::Block(body),
                None => Statements::Nothing,
            },
            own_name: None,
            is_async: node.r#async,
            span: node.span,
            name_span: node
                .id
                .as_ref()
                .map_or(oxc_span::Span::empty(node.span.start), |id| id.span),
        }
    }

    pub fn of_arrow(node: &'a ast::ArrowFunctionExpression<'a>) -> Self {
        Self {
            node: address(node),
            parameters: &node.params,
            statements: match &node.body {
                ast::ArrowFunctionBody::FunctionBody(body) => Statements::Block(body),
                body => match body.as_expression() {
                    Some(expression) => Statements::Expression(expression),
                    None => Statements::Nothing,
                },
            },
            own_name: None,
            is_async: node.r#async,
            span: node.span,
            name_span: oxc_span::Span::empty(node.span.start),
        }
    }
}

impl<'a> Lower<'_, 'a, '_> {
    /// The function object, named after the variable or property that it is given to.
    pub fn function_value(&mut self, shape: Shape<'a>, name: Option<&str>) -> Value {
        let index = self.reserve_function(shape, name, Vec::new());
        let span = self.at(shape.span);
        self.b.emit(Op::Function(index), span)
    }

    pub fn reserve_function(
        &mut self,
        shape: Shape<'a>,
        name: Option<&str>,
        decorators: Vec<Value>,
    ) -> FnIndex {
        let annotations = self.annotations(shape.parameters);
        let kind = match name {
            Some(_) => FunctionKind::Def,
            None => FunctionKind::Lambda,
        };
        let text = name.unwrap_or("<lambda>");
        let scope = self.file.scopes.at(shape.node);
        let receiver = self.takes_receiver(scope);
        let rest = self.takes_arguments(scope);
        let mut parameters = annotations;
        if receiver {
            parameters.insert(0, (None, None));
        }
        if rest && shape.parameters.rest.is_none() {
            parameters.push((None, None));
        }
        let pending = Pending {
            name: self.name(text),
            qualname: self.path_of(text),
            kind,
            scope,
            parent: Some(self.index),
            class: self.class,
            is_async: shape.is_async,
            span: self.at(shape.span),
            name_span: self.at(shape.name_span),
            body: Code::Function(Body {
                parameters: shape.parameters,
                statements: shape.statements,
                own_name: shape.own_name,
            }),
        };
        let index = self.reserve(pending);
        self.file.functions[index.0 as usize].outside = Outside {
            decorators,
            returns: None,
            parameters,
        };
        index
    }

    fn takes_receiver(&self, scope: ScopeId) -> bool {
        let this = self.file.shared.this;
        self.file.scopes.flags(scope, this) & bind::VARIABLE != 0
    }

    fn takes_arguments(&self, scope: ScopeId) -> bool {
        let arguments = self.file.shared.arguments;
        self.file.scopes.flags(scope, arguments) & bind::VARIABLE != 0
    }

    /// The classes that the parameters' types name, and what their decorators make.
    fn annotations(
        &mut self,
        parameters: &'a ast::FormalParameters<'a>,
    ) -> Vec<(Option<Value>, Option<Value>)> {
        let mut out: Vec<(Option<Value>, Option<Value>)> = Vec::new();
        for item in &parameters.items {
            let decorated = item.decorators.first().map(|d| self.expr(&d.expression));
            let annotation = match decorated {
                Some(value) => Some(value),
                None => self.annotation(item.type_annotation.as_deref()),
            };
            out.push((None, annotation));
        }
        if let Some(rest) = &parameters.rest {
            let annotation = self.annotation(rest.type_annotation.as_deref());
            out.push((None, annotation));
        }
        out
    }

    /// The value of the class that a type names.
    fn annotation(&mut self, node: Option<&'a ast::TSTypeAnnotation<'a>>) -> Option<Value> {
        let ast::TSType::TSTypeReference(reference) = &node?.type_annotation else {
            return None;
        };
        self.type_name(&reference.type_name)
    }

    fn type_name(&mut self, name: &'a ast::TSTypeName<'a>) -> Option<Value> {
        match name {
            ast::TSTypeName::IdentifierReference(id) => {
                let variable = self.file.shared.referred(id)?;
                let span = self.at(id.span);
                Some(self.read_name(variable, span))
            }
            ast::TSTypeName::QualifiedName(qualified) => {
                let base = self.type_name(&qualified.left)?;
                let name = self.name(&qualified.right.name);
                let span = self.at(qualified.span);
                Some(self.b.emit(Op::Attr { base, name }, span))
            }
            ast::TSTypeName::ThisExpression(_) => None,
        }
    }

    fn function(&mut self, body: &Body<'a>, span: Span) -> Vec<Param> {
        let params = self.parameters(body, span);
        if let Some(name) = body.own_name {
            let own = self.b.emit(Op::Function(self.index), span);
            self.write_name(name, own, span);
        }
        match body.statements {
            Statements::Block(block) => self.block(&block.statements),
            Statements::Expression(expression) => {
                let value = self.expr(expression);
                self.b.terminate(Terminator::Return(Some(value)));
            }
            Statements::Nothing => {}
        }
        params
    }

    fn parameters(&mut self, body: &Body<'a>, span: Span) -> Vec<Param> {
        let outside = std::mem::take(&mut self.file.functions[self.index.0 as usize].outside);
        let mut params: Vec<Param> = Vec::new();
        let (this, arguments) = (self.file.shared.this, self.file.shared.arguments);
        if self.takes_receiver(self.scope) {
            let value = self.b.emit(Op::Param(0), span);
            self.first_parameter = Some(this);
            self.write_name(this, value, span);
            params.push(Param {
                name: this,
                kind: ParamKind::Receiver,
                default: None,
                annotation: None,
                span,
            });
        }
        let first = params.len();
        // All parameters first: the defaults of one may read another.
        let mut values = Vec::new();
        for item in &body.parameters.items {
            values.push(self.parameter(&mut params, &outside, &item.pattern, ParamKind::Ordinary));
        }
        let mut rest = None;
        if let Some(node) = &body.parameters.rest {
            rest =
                Some(self.parameter(&mut params, &outside, &node.rest.argument, ParamKind::Rest));
        }
        if self.takes_arguments(self.scope) {
            let rest = match rest {
                Some(value) => value,
                None => {
                    let index = params.len() as u32;
                    params.push(Param {
                        name: arguments,
                        kind: ParamKind::Rest,
                        default: None,
                        annotation: None,
                        span,
                    });
                    self.b.emit(Op::Param(index), span)
                }
            };
            let mut items: Vec<Item> = values.iter().map(|&value| Item::One(value)).collect();
            items.push(Item::Spread(rest));
            let kind = SequenceKind::List;
            let list = self.b.emit(Op::Sequence { kind, items }, span);
            self.write_name(arguments, list, span);
        }
        for (item, value) in body.parameters.items.iter().zip(values) {
            let value = match &item.initializer {
                Some(default) => self.or_default(value, default),
                None => value,
            };
            self.declare(&item.pattern, value);
            // `constructor(private store: Store)` sets an attribute of that name.
            let kept = item.accessibility.is_some() || item.readonly || item.r#override;
            if kept && let ast::BindingPattern::BindingIdentifier(id) = &item.pattern {
                self.keep_parameter(&id.name, value, id.span());
            }
        }
        if let (Some(node), Some(value)) = (&body.parameters.rest, rest) {
            self.declare(&node.rest.argument, value);
        }
        debug_assert!(params.len() >= first, "parameters only grow");
        self.file.functions[self.index.0 as usize].outside = outside;
        params
    }

    fn parameter(
        &mut self,
        params: &mut Vec<Param>,
        outside: &Outside,
        pattern: &'a ast::BindingPattern<'a>,
        kind: ParamKind,
    ) -> Value {
        let index = params.len();
        let (default, annotation) = outside.parameters.get(index).copied().unwrap_or_default();
        let name = match pattern {
            ast::BindingPattern::BindingIdentifier(id) => self.name(&id.name),
            _ => self.name(&format!("<parameter {}>", index + 1)),
        };
        let span = self.at(pattern.span());
        params.push(Param {
            name,
            kind,
            default,
            annotation,
            span,
        });
        self.b.emit(Op::Param(index as u32), span)
    }

    fn keep_parameter(&mut self, name: &str, value: Value, span: oxc_span::Span) {
        let span = self.at(span);
        let this = self.file.shared.this;
        if self.takes_receiver(self.scope)
            && let Some(base) = self.b.read(this)
        {
            self.set_attr(base, name, value, span);
        }
    }

    /// Path of a definition in this function's body, inside the module.
    pub fn path_of(&mut self, name: &str) -> Name {
        if self.kind == FunctionKind::Module {
            return self.name(name);
        }
        let around = self.file.functions[self.index.0 as usize].pending.qualname;
        let around = self.file.names.text(around);
        self.name(&format!("{around}.{name}"))
    }

    pub fn at(&self, span: oxc_span::Span) -> Span {
        self.file.place(span.start, span.end)
    }
}
