//! Files, functions and types.

use solvent_base::{Name, Span};
use solvent_ir::{
    Arg, Class, ClassIndex, Const, FnIndex, FunctionKind, Op, Param, ParamKind, Scope,
    SequenceKind, Terminator, Value,
};
use tree_sitter::Node;

use super::scope::{import_specs, specs};
use super::{Body, Code, Lower, Pending, children, fields, package_name, text_of};
use crate::lower::{File, Outside};

/// Lowers function `index` of the file, whose parent is lowered already.
pub(crate) fn lower<'a>(file: &mut File<'a, '_, Code<'a>>, index: FnIndex) {
    let (mut lower, pending) = Lower::begin(file, index);
    let params = match pending.body {
        Code::Module(root) => {
            lower.file_body(root);
            Vec::new()
        }
        Code::Class(kind) => {
            lower.type_body(kind);
            Vec::new()
        }
        Code::Function(body) => lower.function(&body),
    };
    lower.finish(pending, params);
}

impl<'a> Lower<'_, 'a, '_> {
    // Small things.

    pub fn text(&self, node: Node<'a>) -> &'a str {
        text_of(node, self.file.shared.text)
    }

    pub fn at(&self, node: Node<'a>) -> Span {
        self.file
            .place(node.start_byte() as u32, node.end_byte() as u32)
    }

    /// What the language itself provides under this name.
    pub fn builtin(&mut self, name: &str, span: Span) -> Value {
        let member = Some(self.name(name));
        let module = self.file.shared.global;
        let op = Op::Import {
            module,
            member,
            level: 0,
        };
        self.b.emit(op, span)
    }

    pub fn builtin_call(&mut self, name: &str, args: Vec<Value>, span: Span) -> Value {
        let callee = self.builtin(name, span);
        let args = args.into_iter().map(Arg::Positional).collect();
        self.b.emit(Op::Call { callee, args }, span)
    }

    // The file.

    fn file_body(&mut self, root: Node<'a>) {
        let nodes = children(root);
        for node in &nodes {
            if node.kind() == "package_clause" {
                self.package(*node);
            }
            if node.kind() == "import_declaration" {
                self.imports(*node);
            }
        }
        let types: Vec<Node<'a>> = nodes
            .iter()
            .filter(|node| node.kind() == "type_declaration")
            .flat_map(|node| children(*node))
            .collect();
        for spec in self.parts_first(&types) {
            self.type_spec(spec);
        }
        for node in &nodes {
            match node.kind() {
                "function_declaration" => self.function_declaration(*node),
                "method_declaration" => self.method_declaration(*node),
                _ => {}
            }
        }
        for node in &nodes {
            match node.kind() {
                "var_declaration" | "const_declaration" => self.variables(*node),
                "import_declaration"
                | "type_declaration"
                | "function_declaration"
                | "method_declaration"
                | "package_clause" => {}
                _ => self.stmt(*node, None),
            }
        }
        // `init` runs when the package is loaded.
        for node in nodes {
            let is_init = node.kind() == "function_declaration"
                && node
                    .child_by_field_name("name")
                    .is_some_and(|name| self.text(name) == "init");
            if is_init {
                let span = self.at(node);
                let value = self.function_value(node, Some("init"));
                let args = Vec::new();
                self.b.emit(
                    Op::Call {
                        callee: value,
                        args,
                    },
                    span,
                );
            }
        }
    }

    /// What the package calls itself, for files that import it by another path.
    fn package(&mut self, node: Node<'a>) {
        let Some(name) = children(node).first().copied() else {
            return;
        };
        let span = self.at(name);
        let text = self.name(self.text(name));
        let value = self.constant(Const::Str(text), span);
        let name = self.name("<package>");
        let scope = Scope::Module;
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    fn imports(&mut self, node: Node<'a>) {
        for spec in import_specs(node) {
            let Some(path) = spec.child_by_field_name("path") else {
                continue;
            };
            let span = self.at(spec);
            let path = self.text(path).trim_matches(['"', '`']);
            let module = self.name(path);
            let value = self.b.emit(
                Op::Import {
                    module,
                    member: None,
                    level: 0,
                },
                span,
            );
            let given = spec.child_by_field_name("name").map(|name| self.text(name));
            if given == Some(".") {
                self.b.emit(Op::ImportAll { module, level: 0 }, span);
                continue;
            }
            let name = given.unwrap_or_else(|| package_name(path));
            if name != "_" {
                let name = self.name(name);
                self.write_name(name, value, span);
            }
        }
    }

    pub fn variables(&mut self, node: Node<'a>) {
        for spec in specs(node) {
            let span = self.at(spec);
            let kind = spec.child_by_field_name("type");
            let names = fields(spec, "name");
            let values: Vec<Node<'a>> = fields(spec, "value")
                .into_iter()
                .flat_map(children)
                .collect();
            let parts: Vec<Value> = if values.is_empty() {
                let outside = self.kind == FunctionKind::Module;
                names
                    .iter()
                    .map(|_| match outside {
                        // Some function gives it one.
                        true => self.field_value(kind, span),
                        false => self.zero_value(kind, span),
                    })
                    .collect()
            } else {
                self.values(&values, names.len(), span)
            };
            for (name, value) in names.into_iter().zip(parts) {
                self.declare(name, value);
            }
        }
    }

    // Functions.

    fn function_declaration(&mut self, node: Node<'a>) {
        let Some(name) = node.child_by_field_name("name") else {
            return;
        };
        let text = self.text(name);
        if text == "init" || node.child_by_field_name("body").is_none() {
            return;
        }
        let value = self.function_value(node, Some(text));
        self.declare(name, value);
    }

    fn method_declaration(&mut self, node: Node<'a>) {
        let (Some(name), Some(receiver)) = (
            node.child_by_field_name("name"),
            node.child_by_field_name("receiver"),
        ) else {
            return;
        };
        let of = children(receiver)
            .first()
            .and_then(|parameter| parameter.child_by_field_name("type"))
            .map(|kind| self.base_type(kind));
        let Some(of) = of else { return };
        let span = self.at(node);
        let text = self.text(name);
        let value = self.function_value(node, Some(text));
        let name = self.name(&format!("<method> {of}.{text}"));
        let scope = Scope::Module;
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    /// The name of a type without stars and parameters.
    pub fn base_type(&self, node: Node<'a>) -> &'a str {
        match node.kind() {
            "pointer_type" | "parenthesized_type" => match children(node).first() {
                Some(inner) => self.base_type(*inner),
                None => "",
            },
            "generic_type" => match node.child_by_field_name("type") {
                Some(inner) => self.base_type(inner),
                None => "",
            },
            _ => self.text(node),
        }
    }

    pub fn function_value(&mut self, node: Node<'a>, name: Option<&str>) -> Value {
        let span = self.at(node);
        let body = Body {
            receiver: node.child_by_field_name("receiver"),
            parameters: node.child_by_field_name("parameters"),
            result: node.child_by_field_name("result"),
            block: node.child_by_field_name("body"),
        };
        let mut parameters = Vec::new();
        for list in [body.receiver, body.parameters].into_iter().flatten() {
            for parameter in children(list) {
                let annotation = parameter
                    .child_by_field_name("type")
                    .and_then(|kind| self.annotation(kind));
                for _ in 0..fields(parameter, "name").len().max(1) {
                    parameters.push((None, annotation));
                }
            }
        }
        let kind = match name {
            Some(_) => FunctionKind::Def,
            None => FunctionKind::Lambda,
        };
        let text = name.unwrap_or("<lambda>");
        let qualname = match body.receiver {
            Some(receiver) => {
                let of = children(receiver)
                    .first()
                    .and_then(|parameter| parameter.child_by_field_name("type"))
                    .map_or("", |kind| self.base_type(kind));
                self.name(&format!("{of}.{text}"))
            }
            None => self.path_of(text),
        };
        let name_span = match node.child_by_field_name("name") {
            Some(name) => self.at(name),
            None => Span {
                start: span.start,
                end: span.start,
            },
        };
        let pending = Pending {
            name: self.name(text),
            qualname,
            kind,
            scope: self.file.scopes.at(node.id()),
            parent: Some(self.index),
            class: None,
            is_async: false,
            span,
            name_span,
            body: Code::Function(body),
        };
        let index = self.reserve(pending);
        self.file.functions[index.0 as usize].outside = Outside {
            decorators: Vec::new(),
            returns: None,
            parameters,
        };
        self.b.emit(Op::Function(index), span)
    }

    /// Path of a definition in this function's body, inside the file.
    fn path_of(&mut self, name: &str) -> Name {
        if self.kind == FunctionKind::Module {
            return self.name(name);
        }
        let around = self.file.functions[self.index.0 as usize].pending.qualname;
        let around = self.file.names.text(around);
        self.name(&format!("{around}.{name}"))
    }

    /// The type that a parameter's type names, as a value.
    fn annotation(&mut self, kind: Node<'a>) -> Option<Value> {
        let span = self.at(kind);
        match kind.kind() {
            "pointer_type" | "parenthesized_type" => {
                let inner = *children(kind).first()?;
                self.annotation(inner)
            }
            "generic_type" => self.annotation(kind.child_by_field_name("type")?),
            "qualified_type" | "type_identifier" => self.type_value(kind, span),
            _ => None,
        }
    }

    /// A type's object; `None` for those that the language has itself.
    pub fn type_value(&mut self, kind: Node<'a>, span: Span) -> Option<Value> {
        match kind.kind() {
            "qualified_type" => {
                let package = kind.child_by_field_name("package")?;
                let name = kind.child_by_field_name("name")?;
                let base = self.named(package, span);
                let name = self.name(self.text(name));
                Some(self.b.emit(Op::Attr { base, name }, span))
            }
            "type_identifier" if !is_basic(self.text(kind)) => Some(self.named(kind, span)),
            _ => None,
        }
    }

    /// The variable that an identifier means here: of the file, or of the package.
    pub fn named(&mut self, node: Node<'a>, span: Span) -> Value {
        match self.file.shared.variables.at(node.id()) {
            Some(variable) => self.read_name(variable, span),
            None => {
                let name = self.name(self.text(node));
                self.b.emit(Op::Global(name), span)
            }
        }
    }

    fn function(&mut self, body: &Body<'a>) -> Vec<Param> {
        let outside = std::mem::take(&mut self.file.functions[self.index.0 as usize].outside);
        let mut params: Vec<Param> = Vec::new();
        let mut bound: Vec<(Node<'a>, Value, Option<Node<'a>>)> = Vec::new();
        for (list, is_receiver) in [(body.receiver, true), (body.parameters, false)] {
            for parameter in list.into_iter().flat_map(children) {
                let kind = match (is_receiver, parameter.kind()) {
                    (true, _) => ParamKind::Receiver,
                    (_, "variadic_parameter_declaration") => ParamKind::Rest,
                    _ => ParamKind::Ordinary,
                };
                let written = fields(parameter, "name");
                let unnamed = written.is_empty();
                for name in written.into_iter().map(Some).chain(unnamed.then_some(None)) {
                    let index = params.len();
                    let span = self.at(name.unwrap_or(parameter));
                    let text = name.map_or("_", |name| self.text(name));
                    let annotation = outside.parameters.get(index).and_then(|p| p.1);
                    params.push(Param {
                        name: self.name(text),
                        kind,
                        default: None,
                        annotation,
                        span,
                    });
                    let value = self.b.emit(Op::Param(index as u32), span);
                    if let Some(name) = name {
                        bound.push((name, value, parameter.child_by_field_name("type")));
                    }
                }
            }
        }
        for (name, value, kind) in bound {
            let span = self.at(name);
            let value = if kind.is_some_and(|kind| self.is_copied(kind)) {
                self.builtin_call("<copy>", vec![value], span)
            } else {
                value
            };
            self.declare(name, value);
        }
        if let Some(list) = body.result.filter(|r| r.kind() == "parameter_list") {
            for parameter in children(list) {
                for name in fields(parameter, "name") {
                    let span = self.at(name);
                    let value = self.zero_value(parameter.child_by_field_name("type"), span);
                    self.declare(name, value);
                }
            }
        }
        if let Some(block) = body.block {
            self.block(block);
        }
        if self.b.is_live() {
            let span = body
                .block
                .map_or_else(Span::default, |block| self.at(block));
            self.run_deferred();
            if let Some(value) = self.named_results(body.result, span) {
                self.b.terminate(Terminator::Return(Some(value)));
            }
        }
        self.file.functions[self.index.0 as usize].outside = outside;
        params
    }

    /// What `return` alone gives: the named results.
    pub fn named_results(&mut self, result: Option<Node<'a>>, span: Span) -> Option<Value> {
        let list = result.filter(|r| r.kind() == "parameter_list")?;
        let names: Vec<Node<'a>> = children(list)
            .into_iter()
            .flat_map(|parameter| fields(parameter, "name"))
            .collect();
        let values: Vec<Value> = names
            .into_iter()
            .map(|name| self.named(name, span))
            .collect();
        match values[..] {
            [] => None,
            [one] => Some(one),
            _ => Some(self.tuple(values, span)),
        }
    }

    pub fn tuple(&mut self, values: Vec<Value>, span: Span) -> Value {
        let items = values.into_iter().map(solvent_ir::Item::One).collect();
        let kind = SequenceKind::Tuple;
        self.b.emit(Op::Sequence { kind, items }, span)
    }

    // Types.

    /// Types in an order in which those that others are made of come first.
    fn parts_first(&self, types: &[Node<'a>]) -> Vec<Node<'a>> {
        let name_of = |spec: &Node<'a>| spec.child_by_field_name("name").map(|n| self.text(n));
        let mut out: Vec<Node<'a>> = Vec::with_capacity(types.len());
        let mut begun: Vec<bool> = vec![false; types.len()];
        let mut open: Vec<(usize, bool)> = (0..types.len()).rev().map(|i| (i, false)).collect();
        while let Some((index, done)) = open.pop() {
            if done {
                out.push(types[index]);
                continue;
            }
            if std::mem::replace(&mut begun[index], true) {
                continue;
            }
            open.push((index, true));
            for part in self.parts(types[index]) {
                let found = types.iter().position(|spec| name_of(spec) == Some(part));
                open.extend(found.filter(|&at| !begun[at]).map(|at| (at, false)));
            }
        }
        out
    }

    /// Names of the types of a struct's fields.
    fn parts(&self, spec: Node<'a>) -> Vec<&'a str> {
        let Some(kind) = spec.child_by_field_name("type") else {
            return Vec::new();
        };
        children(kind)
            .into_iter()
            .flat_map(children)
            .filter_map(|field| field.child_by_field_name("type"))
            .map(|kind| self.base_type(kind))
            .collect()
    }

    /// Types that a struct embeds.
    fn embedded(&self, spec: Node<'a>) -> Vec<Node<'a>> {
        let Some(kind) = spec.child_by_field_name("type") else {
            return Vec::new();
        };
        if kind.kind() != "struct_type" {
            return Vec::new();
        }
        children(kind)
            .into_iter()
            .flat_map(children)
            .filter(|field| fields(*field, "name").is_empty())
            .filter_map(|field| field.child_by_field_name("type"))
            .collect()
    }

    pub fn type_spec(&mut self, spec: Node<'a>) {
        let (Some(name), Some(kind)) = (
            spec.child_by_field_name("name"),
            spec.child_by_field_name("type"),
        ) else {
            return;
        };
        let span = self.at(spec);
        let value = match kind.kind() {
            "struct_type" => self.class(spec, name, kind),
            "interface_type" => self.unknown("an interface", span),
            // Another name of a type of the program; of others, what converts to it.
            "type_identifier" | "qualified_type" | "generic_type" | "pointer_type" => {
                match self.annotation(kind) {
                    Some(value) => value,
                    None => self.builtin("<convert>", span),
                }
            }
            _ => self.builtin("<convert>", span),
        };
        self.declare(name, value);
    }

    fn class(&mut self, spec: Node<'a>, name: Node<'a>, kind: Node<'a>) -> Value {
        let span = self.at(spec);
        let text = self.text(name);
        let bases: Vec<Value> = self
            .embedded(spec)
            .into_iter()
            .filter_map(|embedded| self.annotation(embedded))
            .collect();
        let (class_name, qualname) = (self.name(text), self.path_of(text));
        let class = ClassIndex(self.file.classes.len() as u32);
        let body = self.reserve(Pending {
            name: class_name,
            qualname,
            kind: FunctionKind::ClassBody,
            scope: self.file.scopes.at(kind.id()),
            parent: Some(self.index),
            class: Some(class),
            is_async: false,
            span,
            name_span: self.at(name),
            body: Code::Class(kind),
        });
        self.file.classes.push(Class {
            name: class_name,
            qualname,
            bases,
            decorators: Vec::new(),
            parent: self.index,
            body,
            span,
        });
        self.classes.push(class);
        self.b.emit(Op::Class(class), span)
    }

    /// The fields, in their order, with the values that they have unless they are given others.
    fn type_body(&mut self, kind: Node<'a>) {
        for field in children(kind).into_iter().flat_map(children) {
            let span = self.at(field);
            let of = field.child_by_field_name("type");
            let field_tag = field
                .child_by_field_name("tag")
                .map(|tag| self.text(tag).trim_matches(['`', '"']));
            let mut names: Vec<&'a str> = fields(field, "name")
                .into_iter()
                .map(|name| self.text(name))
                .collect();
            if names.is_empty() {
                let embedded = of.map_or("", |of| self.base_type(of));
                names.push(embedded.rsplit('.').next().unwrap_or(embedded));
            }
            for name in names {
                let value = self.field_value(of, span);
                let (scope, field) = (Scope::Class, name);
                let name = self.name(name);
                self.b.emit(Op::StoreName { scope, name, value }, span);
                // What decoders call the field.
                if let Some(tag) = field_tag {
                    let tag = self.name(tag);
                    let value = self.constant(Const::Str(tag), span);
                    let name = self.name(&format!("<tag> {field}"));
                    self.b.emit(Op::StoreName { scope, name, value }, span);
                }
            }
        }
    }

    /// What is known of a field that no literal gives a value: its type, where that has members.
    fn field_value(&mut self, kind: Option<Node<'a>>, span: Span) -> Value {
        let named = kind.filter(|kind| {
            matches!(
                kind.kind(),
                "pointer_type" | "qualified_type" | "type_identifier" | "generic_type"
            )
        });
        match named.and_then(|kind| self.annotation(kind)) {
            Some(of) => self.builtin_call("<typed>", vec![of], span),
            None => self.zero_value(kind, span),
        }
    }

    /// Whether values of the type are copied when they are passed or assigned.
    pub fn is_copied(&self, kind: Node<'a>) -> bool {
        match kind.kind() {
            "array_type" | "struct_type" => true,
            "type_identifier" => self.file.shared.copied.contains(self.text(kind)),
            "generic_type" => kind
                .child_by_field_name("type")
                .is_some_and(|inner| self.is_copied(inner)),
            _ => false,
        }
    }

    /// What a variable of the type is before it is given a value (Go Specification, "The zero value").
    pub fn zero_value(&mut self, kind: Option<Node<'a>>, span: Span) -> Value {
        let Some(kind) = kind else {
            return self.constant(Const::None, span);
        };
        match kind.kind() {
            "type_identifier" => match self.text(kind) {
                "string" => {
                    let text = self.name("");
                    self.constant(Const::Str(text), span)
                }
                "bool" => self.constant(Const::Bool(false), span),
                "error" | "any" => self.constant(Const::None, span),
                basic if is_basic(basic) => self.int(0, span),
                named => {
                    if self.file.shared.copied.contains(named)
                        && self.kind != FunctionKind::ClassBody
                    {
                        let callee = self.named(kind, span);
                        let args = Vec::new();
                        return self.b.emit(Op::Call { callee, args }, span);
                    }
                    self.unknown("a value before it is given", span)
                }
            },
            "qualified_type" => match self.type_value(kind, span) {
                Some(callee) if self.kind != FunctionKind::ClassBody => {
                    let args = Vec::new();
                    self.b.emit(Op::Call { callee, args }, span)
                }
                _ => self.unknown("a value before it is given", span),
            },
            "slice_type" => {
                let kind = SequenceKind::List;
                let items = Vec::new();
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            "array_type" => {
                let length = kind
                    .child_by_field_name("length")
                    .and_then(|length| self.text(length).parse::<usize>().ok());
                let element = kind.child_by_field_name("element");
                // Positions of long ones are not kept.
                let items = (0..length.unwrap_or(0).min(8))
                    .map(|_| solvent_ir::Item::One(self.zero_value(element, span)))
                    .collect();
                let kind = SequenceKind::List;
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            "map_type" => self.b.emit(Op::Dict(Vec::new()), span),
            // No positions: `range` gives what was sent.
            "channel_type" => {
                let kind = SequenceKind::Set;
                let items = Vec::new();
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            _ => self.constant(Const::None, span),
        }
    }
}

/// Types that the language has itself.
pub(crate) fn is_basic(name: &str) -> bool {
    matches!(
        name,
        "string"
            | "bool"
            | "error"
            | "any"
            | "byte"
            | "rune"
            | "int"
            | "int8"
            | "int16"
            | "int32"
            | "int64"
            | "uint"
            | "uint8"
            | "uint16"
            | "uint32"
            | "uint64"
            | "uintptr"
            | "float32"
            | "float64"
            | "complex64"
            | "complex128"
            | "comparable"
    )
}
