//! JSX: an element is a call of `<jsx>` with what it is an element of and its properties, children among them.

use oxc_ast::ast;
use oxc_span::GetSpan;
use solvent_base::Span;
use solvent_ir::{Arg, Const, Entry, Item, Op, SequenceKind, Value};

use super::Lower;
use crate::lower::with_stack;

impl<'a> Lower<'_, 'a, '_> {
    pub fn element(&mut self, node: &'a ast::JSXElement<'a>) -> Value {
        let span = self.at(node.span);
        let opening = &node.opening_element;
        let kind = self.element_name(&opening.name);
        let mut entries = Vec::new();
        for attribute in &opening.attributes {
            match attribute {
                ast::JSXAttributeItem::Attribute(attribute) => {
                    let span = self.at(attribute.span);
                    let name = match &attribute.name {
                        ast::JSXAttributeName::Identifier(id) => self.name(&id.name),
                        ast::JSXAttributeName::NamespacedName(id) => self.name(&id.name.name),
                    };
                    let key = self.constant(Const::Str(name), span);
                    let value = match &attribute.value {
                        None => self.constant(Const::Bool(true), span),
                        Some(ast::JSXAttributeValue::StringLiteral(text)) => {
                            let text = self.name(&text.value);
                            self.constant(Const::Str(text), span)
                        }
                        Some(ast::JSXAttributeValue::ExpressionContainer(node)) => {
                            self.container(node)
                        }
                        Some(ast::JSXAttributeValue::Element(node)) => self.element(node),
                        Some(ast::JSXAttributeValue::Fragment(node)) => self.fragment(node),
                    };
                    entries.push(Entry::Pair(key, value));
                }
                ast::JSXAttributeItem::SpreadAttribute(spread) => {
                    entries.push(Entry::Spread(self.expr(&spread.argument)));
                }
            }
        }
        let children = self.children(&node.children, span);
        if let Some(children) = children {
            let name = self.name("children");
            let key = self.constant(Const::Str(name), span);
            entries.push(Entry::Pair(key, children));
        }
        let properties = self.b.emit(Op::Dict(entries), span);
        self.made(kind, properties, span)
    }

    pub fn fragment(&mut self, node: &'a ast::JSXFragment<'a>) -> Value {
        let span = self.at(node.span);
        let name = self.name("<>");
        let kind = self.constant(Const::Str(name), span);
        let children = match self.children(&node.children, span) {
            Some(children) => children,
            None => self.constant(Const::None, span),
        };
        self.made(kind, children, span)
    }

    fn made(&mut self, kind: Value, properties: Value, span: Span) -> Value {
        let callee = self.builtin("<jsx>", span);
        let args = vec![Arg::Positional(kind), Arg::Positional(properties)];
        self.b.emit(Op::Call { callee, args }, span)
    }

    fn children(&mut self, children: &'a [ast::JSXChild<'a>], span: Span) -> Option<Value> {
        let mut items = Vec::new();
        for child in children {
            match child {
                ast::JSXChild::Text(_) => {}
                ast::JSXChild::Element(node) => {
                    items.push(Item::One(with_stack(|| self.element(node))));
                }
                ast::JSXChild::Fragment(node) => {
                    items.push(Item::One(with_stack(|| self.fragment(node))));
                }
                ast::JSXChild::ExpressionContainer(node) => {
                    items.push(Item::One(self.container(node)));
                }
                ast::JSXChild::Spread(node) => {
                    items.push(Item::Spread(self.expr(&node.expression)));
                }
            }
        }
        if items.is_empty() {
            return None;
        }
        let kind = SequenceKind::List;
        Some(self.b.emit(Op::Sequence { kind, items }, span))
    }

    fn container(&mut self, node: &'a ast::JSXExpressionContainer<'a>) -> Value {
        match node.expression.as_expression() {
            Some(expression) => self.expr(expression),
            None => {
                let span = self.at(node.span);
                self.constant(Const::None, span)
            }
        }
    }

    fn element_name(&mut self, name: &'a ast::JSXElementName<'a>) -> Value {
        let span = self.at(name.span());
        match name {
            ast::JSXElementName::IdentifierReference(id) => self.identifier(id),
            ast::JSXElementName::MemberExpression(member) => self.member_of(member),
            ast::JSXElementName::ThisExpression(_) => self.this(span),
            ast::JSXElementName::Identifier(id) => {
                let text = self.name(&id.name);
                self.constant(Const::Str(text), span)
            }
            ast::JSXElementName::NamespacedName(id) => {
                let text = self.name(&id.name.name);
                self.constant(Const::Str(text), span)
            }
        }
    }

    fn member_of(&mut self, member: &'a ast::JSXMemberExpression<'a>) -> Value {
        let span = self.at(member.span);
        let base = match &member.object {
            ast::JSXMemberExpressionObject::IdentifierReference(id) => self.identifier(id),
            ast::JSXMemberExpressionObject::MemberExpression(inner) => {
                with_stack(|| self.member_of(inner))
            }
            ast::JSXMemberExpressionObject::ThisExpression(_) => self.this(span),
        };
        let name = self.name(&member.property.name);
        self.b.emit(Op::Attr { base, name }, span)
    }
}
