//! Calls, creations of objects, and references to methods.

use solvent_base::Span;
use solvent_ir::{Arg, CompareOp, Const, Op, Value};
use tree_sitter::Node;

use super::Lower;
use super::tree::{all, field, kid, kids, text};

/// Methods that give what they are called on, of texts under construction.
const FLUENT: [&str; 7] = [
    "append",
    "appendCodePoint",
    "delete",
    "deleteCharAt",
    "insert",
    "replace",
    "reverse",
];

impl<'a> Lower<'_, 'a, '_> {
    pub fn arguments(&mut self, list: Node<'a>) -> Vec<Arg> {
        kids(list)
            .into_iter()
            .map(|kid| Arg::Positional(self.expr(kid)))
            .collect()
    }

    /// Calls a method by name.
    pub fn called_on(&mut self, base: Value, name: &str, args: Vec<Arg>, span: Span) -> Value {
        let callee = self.attr(base, name, span);
        let op = Op::Call {
            callee,
            args: args.clone(),
        };
        let call = self.b.emit(op, span);
        self.after_call(call, Some(base), &args, span);
        call
    }

    pub fn invocation(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let Some(name) = field(node, "name") else {
            return self.unknown("a method without a name", span);
        };
        let name = self.text(name);
        let list = field(node, "arguments");
        let count = list.map_or(0, |list| kids(list).len());
        let object = field(node, "object");
        if let (Some(object), Some(list), 1) = (object, list, count)
            && matches!(name, "equals" | "contains" | "containsKey")
            && object.kind() != "super"
        {
            let receiver = self.receiver(object);
            let argument = self.expr(kids(list)[0]);
            let op = match name {
                "equals" => Op::Compare {
                    op: CompareOp::Eq,
                    left: receiver,
                    right: argument,
                },
                _ => Op::Compare {
                    op: CompareOp::In,
                    left: argument,
                    right: receiver,
                },
            };
            return self.b.emit(op, span);
        }
        let through_super = all(node).iter().any(|kid| kid.kind() == "super");
        let base = match object {
            _ if through_super => self.super_value(span),
            Some(object) => self.receiver(object),
            None => self.method_base(name, span),
        };
        let args = match list {
            Some(list) => self.arguments(list),
            None => Vec::new(),
        };
        let is_statement = self.statement == Some(node.id());
        let callee = self.attr(base, name, span);
        let op = Op::Call {
            callee,
            args: args.clone(),
        };
        let call = self.b.emit(op, span);
        if is_statement {
            self.discarded = Some(call);
        }
        self.after_call(call, Some(base), &args, span);
        call
    }

    /// What a method is called on. Of a chain of calls that give what they are called on, it is the newest
    /// version of that.
    fn receiver(&mut self, object: Node<'a>) -> Value {
        if object.kind() == "field_access"
            && let Some(path) = self.package_path(object)
        {
            let span = self.at(object);
            return self.qualified(&path, span);
        }
        let value = self.expr(object);
        let name = field(object, "name").map_or("", |name| text(name, &self.file.source.text));
        if object.kind() != "method_invocation" || !FLUENT.contains(&name) {
            return value;
        }
        let Op::Call { callee, .. } = self.b.op(value) else {
            return value;
        };
        let Op::Attr { base, .. } = *self.b.op(self.b.resolve(*callee)) else {
            return value;
        };
        let base = self.b.resolve(base);
        let mut newest = None;
        let mut at = base.0;
        for _ in 0..4 {
            match self.superseded.get(&at) {
                Some(next) => {
                    newest = Some(*next);
                    at = next.0;
                }
                None => break,
            }
        }
        match newest.map(|newest| (newest, self.b.op(newest).clone())) {
            Some((newest, Op::After { call, .. })) if call == value => newest,
            _ => value,
        }
    }

    pub fn creation(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let shared = self.file.shared;
        // `outer.new Inner()`
        let outer = kids(node)
            .first()
            .copied()
            .filter(|first| {
                Some(*first) != field(node, "type")
                    && !matches!(
                        first.kind(),
                        "annotation" | "marker_annotation" | "type_arguments"
                    )
            })
            .map(|outer| self.expr(outer));
        let type_ = field(node, "type");
        let own = shared.index.at.get(&node.id()).copied();
        let callee = match own {
            Some(own) => self.class_value(own),
            None => {
                let class = type_.and_then(|type_| self.type_value(type_));
                match class {
                    Some(class) => class,
                    None => self.unknown("a class", span),
                }
            }
        };
        let mut args = match field(node, "arguments") {
            Some(list) => self.arguments(list),
            None => Vec::new(),
        };
        if let Some(outer) = outer {
            args.push(Arg::Named(shared.outer, outer));
        } else if let Some(inner) = type_.and_then(|t| self.inner_class(t)) {
            let around = shared.index.classes[inner].outer;
            if let Some(object) = around.and_then(|around| self.object_of(around, span)) {
                args.push(Arg::Named(shared.outer, object));
            }
        }
        let op = Op::Call {
            callee,
            args: args.clone(),
        };
        let call = self.b.emit(op, span);
        self.after_call(call, None, &args, span);
        call
    }

    /// The class with an object around it that a type names.
    fn inner_class(&self, type_: Node<'a>) -> Option<usize> {
        let node = match type_.kind() {
            "generic_type" => kids(type_).first().copied()?,
            _ => type_,
        };
        let text = self.text(node);
        let shared = self.file.shared;
        shared
            .index
            .around(self.class_here())
            .find_map(|class| shared.index.classes[class].nested.get(text).copied())
            .filter(|class| shared.index.classes[*class].inner)
    }

    /// `this::f`, `C::f`, `C::new`
    pub fn reference(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let parts = all(node);
        let Some(first) = parts.first().copied() else {
            return self.unknown("a method", span);
        };
        let base = match first.kind() {
            "super" => self.super_value(span),
            kind if kind.ends_with("type") || kind.ends_with("type_identifier") => {
                match self.type_value(first) {
                    Some(class) => class,
                    None => self.unknown("a type", span),
                }
            }
            _ => self.receiver(first),
        };
        if parts.last().is_some_and(|last| last.kind() == "new") {
            return base;
        }
        let Some(name) = kid(node, "identifier").and_then(|_| parts.last().copied()) else {
            return base;
        };
        let name = self.name(self.text(name));
        let name = self.constant(Const::Str(name), span);
        self.builtin_call("<method>", &[base, name], span)
    }
}
