//! What a name means: a variable, a member of a class around, a class, a package.

use solvent_base::{Name, Span};
use solvent_ir::{Arg, FunctionKind, Op, Value};
use tree_sitter::Node;

use super::Lower;
use super::index::{Belongs, Stands};
use super::tree::{dotted, field, kids, text};

/// Where an unqualified member is found.
#[derive(Clone, Copy)]
enum Owner {
    Object(usize),
    Class(usize),
}

impl<'a> Lower<'_, 'a, '_> {
    pub fn at(&self, node: Node<'a>) -> Span {
        self.file
            .place(node.start_byte() as u32, node.end_byte() as u32)
    }

    pub fn text(&self, node: Node<'a>) -> &'a str {
        text(node, &self.file.source.text)
    }

    pub fn class_here(&self) -> Option<usize> {
        self.file.shared.context(self.scope).class
    }

    /// Something of the language, by a name that no program can bind.
    pub fn builtin(&mut self, name: &str, span: Span) -> Value {
        let module = self.file.shared.java;
        let member = Some(self.name(name));
        self.b.emit(
            Op::Import {
                module,
                member,
                level: 0,
            },
            span,
        )
    }

    pub fn builtin_call(&mut self, name: &str, args: &[Value], span: Span) -> Value {
        let callee = self.builtin(name, span);
        let args = args.iter().map(|v| Arg::Positional(*v)).collect();
        self.b.emit(Op::Call { callee, args }, span)
    }

    fn imported(&mut self, path: &str, span: Span) -> Value {
        let module = self.name(path);
        self.b.emit(
            Op::Import {
                module,
                member: None,
                level: 0,
            },
            span,
        )
    }

    pub fn attr(&mut self, base: Value, name: &str, span: Span) -> Value {
        let name = self.name(name);
        self.b.emit(Op::Attr { base, name }, span)
    }

    // Variables and fields.

    pub fn identifier(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let text = self.text(node);
        if let Some(own) = self.own_class(text) {
            return self.class_ref(own, span);
        }
        if let Some(variable) = self.file.shared.variables.at(node.id()) {
            return self.read_name(variable, span);
        }
        match self.field_place(text, span) {
            Some((base, name)) => self.b.emit(Op::Attr { base, name }, span),
            None => self.class_named(text, span),
        }
    }

    /// The object or class whose member an unqualified field is; `None` if it looks like a class.
    pub fn field_place(&mut self, text: &str, span: Span) -> Option<(Value, Name)> {
        let name = self.name(text);
        let shared = self.file.shared;
        let class = self.class_here();
        for around in shared.index.around(class) {
            match shared.field_of(around, text) {
                Some(Belongs::ToClass) => {
                    let base = self.owner(Owner::Class(around), span)?;
                    return Some((base, name));
                }
                Some(Belongs::ToObject) => {
                    let base = self.owner(Owner::Object(around), span)?;
                    return Some((base, name));
                }
                None => {}
            }
        }
        if let Some(class) = shared.index.members.get(text) {
            let base = self.imported(class, span);
            return Some((base, name));
        }
        let looks_like_class = text.starts_with(char::is_uppercase)
            && (text.chars().any(char::is_lowercase) || text.len() == 1);
        if looks_like_class {
            return None;
        }
        // Inherited from another file.
        let heir = shared
            .index
            .around(class)
            .find(|c| !shared.index.classes[*c].bases.is_empty());
        if let Some(heir) = heir {
            let base = self.owner(Owner::Object(heir), span)?;
            return Some((base, name));
        }
        if let Some(whole) = shared.index.member_wholes.first() {
            let base = self.imported(whole, span);
            return Some((base, name));
        }
        None
    }

    /// What an unqualified method is called on.
    pub fn method_base(&mut self, text: &str, span: Span) -> Value {
        let shared = self.file.shared;
        let class = self.class_here();
        let mut owner = None;
        for around in shared.index.around(class) {
            match shared.method_of(around, text) {
                Some(Belongs::ToClass) => owner = Some(Owner::Class(around)),
                Some(Belongs::ToObject) => owner = Some(Owner::Object(around)),
                None => continue,
            }
            break;
        }
        if owner.is_none()
            && let Some(class) = shared.index.members.get(text)
        {
            return self.imported(class, span);
        }
        if owner.is_none() {
            owner = shared
                .index
                .around(class)
                .find(|c| !shared.index.classes[*c].bases.is_empty())
                .map(Owner::Object);
        }
        if owner.is_none()
            && let Some(whole) = shared.index.member_wholes.first()
        {
            return self.imported(whole, span);
        }
        let owner = owner.or(class.map(Owner::Object));
        let base = owner.and_then(|owner| self.owner(owner, span));
        match base {
            Some(base) => base,
            None => self.unknown("a method of nothing", span),
        }
    }

    fn owner(&mut self, owner: Owner, span: Span) -> Option<Value> {
        match owner {
            Owner::Class(class) => Some(self.class_ref(class, span)),
            Owner::Object(class) => Some(match self.object_of(class, span) {
                Some(object) => object,
                None => self.class_ref(class, span),
            }),
        }
    }

    pub fn this(&mut self, span: Span) -> Value {
        match self.file.shared.context(self.scope).receiver {
            Some(receiver) => self.read_name(receiver, span),
            None => self.unknown("this", span),
        }
    }

    /// The object of class `wanted` that the code here belongs to.
    pub fn object_of(&mut self, wanted: usize, span: Span) -> Option<Value> {
        let shared = self.file.shared;
        let context = shared.context(self.scope);
        let mut at = context.class?;
        let mut object = context
            .receiver
            .map(|receiver| self.read_name(receiver, span));
        while at != wanted {
            let info = &shared.index.classes[at];
            let outer = info.outer?;
            object = if info.stands == Stands::Local {
                let scope = self.file.scopes.at(info.node.id());
                let around = self.file.scopes.get(scope).parent?;
                let receiver = shared.context(around).receiver;
                receiver.map(|receiver| self.read_name(receiver, span))
            } else if info.inner {
                let base = object?;
                let name = shared.outer;
                Some(self.b.emit(Op::Attr { base, name }, span))
            } else {
                None
            };
            at = outer;
        }
        object
    }

    // Classes.

    /// In the body of a class that is not bound yet, the class, where the text is its name.
    fn own_class(&self, text: &str) -> Option<usize> {
        let class = self
            .class_here()
            .filter(|_| self.kind == FunctionKind::ClassBody)?;
        (self.file.shared.index.classes[class].name == text).then_some(class)
    }

    /// The class object of a class of this file.
    pub fn class_ref(&mut self, class: usize, span: Span) -> Value {
        let shared = self.file.shared;
        let info = &shared.index.classes[class];
        if self.kind == FunctionKind::ClassBody
            && self.class_here() == Some(class)
            && let Some(own) = self.class
        {
            return self.b.emit(Op::Class(own), span);
        }
        match (info.stands, info.outer) {
            (Stands::Member, Some(outer)) => {
                let base = self.class_ref(outer, span);
                self.attr(base, &info.name, span)
            }
            (Stands::Local, _) => {
                let name = field(info.node, "name").and_then(|name| shared.variables.at(name.id()));
                match name {
                    Some(variable) => self.read_name(variable, span),
                    None => self.unknown("a class without a name", span),
                }
            }
            _ => {
                let name = self.name(&info.name);
                self.read_name(name, span)
            }
        }
    }

    /// The class of a simple name that no variable has.
    pub fn class_named(&mut self, text: &str, span: Span) -> Value {
        let shared = self.file.shared;
        for around in shared.index.around(self.class_here()) {
            let info = &shared.index.classes[around];
            if info.name == text {
                return self.class_ref(around, span);
            }
            let mut at = Some(around);
            for _ in 0..8 {
                let Some(class) = at else { break };
                if let Some(nested) = shared.index.classes[class].nested.get(text) {
                    return self.class_ref(*nested, span);
                }
                at = shared.index.base_of(class);
            }
        }
        let top = shared
            .index
            .classes
            .iter()
            .position(|c| c.name == text && c.stands == Stands::Top);
        if let Some(top) = top {
            return self.class_ref(top, span);
        }
        if let Some(path) = shared.index.imports.get(text) {
            return self.imported(path, span);
        }
        let (module, member) = (shared.type_, Some(self.name(text)));
        self.b.emit(
            Op::Import {
                module,
                member,
                level: 0,
            },
            span,
        )
    }

    /// The class that a type names; `None` for arrays and what has none.
    pub fn type_value(&mut self, node: Node<'a>) -> Option<Value> {
        let span = self.at(node);
        match node.kind() {
            "type_identifier" | "identifier" => {
                let text = self.text(node);
                if let Some(own) = self.own_class(text) {
                    return Some(self.class_ref(own, span));
                }
                if let Some(variable) = self.file.shared.variables.at(node.id()) {
                    return Some(self.read_name(variable, span));
                }
                (text != "var").then(|| self.class_named(text, span))
            }
            "generic_type" | "annotated_type" => {
                let inner = kids(node)
                    .into_iter()
                    .find(|kid| !matches!(kid.kind(), "annotation" | "marker_annotation"))?;
                self.type_value(inner)
            }
            "scoped_type_identifier" | "scoped_identifier" => {
                let name = dotted(node, &self.file.source.text);
                Some(self.qualified(&name, span))
            }
            "integral_type" | "floating_point_type" | "boolean_type" => {
                let number = self.text(node) != "char";
                number.then(|| self.builtin("<number>", span))
            }
            _ => None,
        }
    }

    /// `java.util.Map.Entry`, `Map.Entry`.
    pub fn qualified(&mut self, name: &str, span: Span) -> Value {
        let mut rest = name.split('.');
        let mut package: Vec<&str> = Vec::new();
        let mut value = None;
        for part in rest.by_ref() {
            if part.starts_with(char::is_uppercase) {
                package.push(part);
                value = Some(if package.len() == 1 {
                    self.class_named(part, span)
                } else {
                    self.imported(&package.join("."), span)
                });
                break;
            }
            package.push(part);
        }
        let Some(mut value) = value else {
            return self.imported(name, span);
        };
        for part in rest {
            value = self.attr(value, part, span);
        }
        value
    }

    /// The package path, up to and with a class, that a chain of names begins with, where no variable does.
    pub fn package_path(&self, node: Node<'a>) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = node;
        loop {
            match at.kind() {
                "field_access" => {
                    parts.push(self.text(field(at, "field")?));
                    at = field(at, "object")?;
                }
                "identifier" => {
                    parts.push(self.text(at));
                    break;
                }
                _ => return None,
            }
        }
        let shared = self.file.shared;
        let first = *parts.last()?;
        let package = first.starts_with(char::is_lowercase)
            && shared.variables.at(at.id()).is_none()
            && parts.first()?.starts_with(char::is_uppercase)
            && parts[1..]
                .iter()
                .all(|part| part.starts_with(char::is_lowercase))
            && shared
                .index
                .around(self.class_here())
                .all(|class| shared.field_of(class, first).is_none());
        parts.reverse();
        package.then(|| parts.join("."))
    }
}
