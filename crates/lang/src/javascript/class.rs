//! Classes.

use oxc_ast::ast;
use solvent_base::Name;
use solvent_ir::{Arg, Class, ClassIndex, FunctionKind, Op, Scope, Value};

use super::function::Shape;
use super::{Code, Lower, Pending};
use crate::scope::address;

impl<'a> Lower<'_, 'a, '_> {
    /// The class object, bound to its name if it has one.
    pub fn class(&mut self, node: &'a ast::Class<'a>, hint: Option<&str>) -> Value {
        let decorators: Vec<Value> = node
            .decorators
            .iter()
            .map(|d| self.expr(&d.expression))
            .collect();
        let bases: Vec<Value> = match &node.heritage {
            Some(heritage) => vec![self.expr(&heritage.expression)],
            None => Vec::new(),
        };
        let text = match &node.id {
            Some(id) => id.name.as_str(),
            None => hint.unwrap_or("<class>"),
        };
        let (name, qualname) = (self.name(text), self.path_of(text));
        let span = self.at(node.span);
        let name_span = match &node.id {
            Some(id) => self.at(id.span),
            None => span,
        };
        let class = ClassIndex(self.file.classes.len() as u32);
        let body = self.reserve(Pending {
            name,
            qualname,
            kind: FunctionKind::ClassBody,
            scope: self.file.scopes.at(address(node)),
            parent: Some(self.index),
            class: Some(class),
            is_async: false,
            span,
            name_span,
            body: Code::Class(node),
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
        for (decorator, node) in decorators.iter().zip(&node.decorators).rev() {
            let args = vec![Arg::Positional(value)];
            let span = self.at(node.span);
            let callee = *decorator;
            value = self.b.emit(Op::Call { callee, args }, span);
        }
        if let Some(id) = &node.id
            && let Some(variable) = self.file.shared.declared(id)
        {
            self.write_name(variable, value, name_span);
        }
        value
    }

    /// The body: what it stores by name are the attributes of the class.
    pub fn class_body(&mut self, node: &'a ast::Class<'a>) {
        for element in &node.body.body {
            match element {
                ast::ClassElement::MethodDefinition(method) => self.method(method),
                ast::ClassElement::PropertyDefinition(property) => {
                    for decorator in &property.decorators {
                        self.expr(&decorator.expression);
                    }
                    self.field(&property.key, property.value.as_ref(), property.span);
                }
                ast::ClassElement::AccessorProperty(property) => {
                    self.field(&property.key, property.value.as_ref(), property.span);
                }
                ast::ClassElement::StaticBlock(block) => self.block(&block.body),
                ast::ClassElement::TSIndexSignature(_) => {}
            }
        }
    }

    fn method(&mut self, method: &'a ast::MethodDefinition<'a>) {
        if method.value.body.is_none() {
            return;
        }
        let Some(name) = self.member_name(&method.key) else {
            return;
        };
        // Reading gives what the getter gives; what sets it stands beside it, under a name of its own.
        let name = match method.kind {
            ast::MethodDefinitionKind::Set => {
                let text = self.file.names.text(name);
                self.name(&format!("<set {text}>"))
            }
            _ => name,
        };
        let span = self.at(method.span);
        let decorators: Vec<Value> = method
            .decorators
            .iter()
            .map(|d| self.expr(&d.expression))
            .collect();
        let text = self.file.names.text(name);
        let mut shape = Shape::of_function(&method.value);
        shape.span = method.span;
        let index = self.reserve_function(shape, Some(&text), decorators.clone());
        let mut value = self.b.emit(Op::Function(index), span);
        for callee in decorators.into_iter().rev() {
            let args = vec![Arg::Positional(value)];
            value = self.b.emit(Op::Call { callee, args }, span);
        }
        if method.kind == ast::MethodDefinitionKind::Get {
            let callee = self.builtin("<getter>", span);
            let args = vec![Arg::Positional(value)];
            value = self.b.emit(Op::Call { callee, args }, span);
        }
        self.store_member(name, value, span);
    }

    fn field(
        &mut self,
        key: &'a ast::PropertyKey<'a>,
        value: Option<&'a ast::Expression<'a>>,
        span: oxc_span::Span,
    ) {
        let (Some(name), Some(value)) = (self.member_name(key), value) else {
            return;
        };
        let text = self.file.names.text(name);
        let value = self.expr_named(value, Some(&text));
        let span = self.at(span);
        self.store_member(name, value, span);
    }

    fn store_member(&mut self, name: Name, value: Value, span: solvent_base::Span) {
        let scope = Scope::Class;
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    /// The name of a property, if it is known; a private one begins with `#`.
    pub fn member_name(&mut self, key: &'a ast::PropertyKey<'a>) -> Option<Name> {
        if let ast::PropertyKey::PrivateIdentifier(id) = key {
            return Some(self.name(&format!("#{}", id.name)));
        }
        let name = key.static_name()?;
        Some(self.name(&name))
    }
}
