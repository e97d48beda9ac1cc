//! Classes, their bodies, constructors and annotations.

use solvent_base::Span;
use solvent_ir::{
    Arg, Class, ClassIndex, FnIndex, FunctionKind, Item, Op, Param, ParamKind, Scope, SequenceKind,
    Value,
};
use tree_sitter::Node;

use super::index::{Belongs, Kind, is_class, members, parameter_name};
use super::scope::{Unwritten, parameter_type, unwritten};
use super::statement::statement_over;
use super::tree::{annotations, dotted, field, fields, kids, says};
use super::{Code, Lower, Pending};

impl<'a> Lower<'_, 'a, '_> {
    pub fn module(&mut self, root: Node<'a>) {
        let shared = self.file.shared;
        for whole in &shared.index.wholes {
            let module = self.name(whole);
            self.b
                .emit(Op::ImportAll { module, level: 0 }, Span::default());
        }
        let mut open: Vec<Node<'a>> = kids(root);
        // What a class of the file extends comes first.
        let place = |node: &Node<'a>| {
            let mut depth = 0;
            let mut at = shared.index.at.get(&node.id()).copied();
            while let Some(class) = at.filter(|_| depth < 16) {
                depth += 1;
                at = shared.index.base_of(class);
            }
            depth
        };
        open.sort_by_key(place);
        for node in open {
            if is_class(node.kind()) {
                self.class_declaration(node);
            }
        }
    }

    /// A class with a name of its own, here or in a function.
    pub fn class_declaration(&mut self, node: Node<'a>) {
        let Some(&id) = self.file.shared.index.at.get(&node.id()) else {
            return;
        };
        let value = self.class_value(id);
        if let Some(name) = field(node, "name")
            && let Some(variable) = self.file.shared.variables.at(name.id())
        {
            let span = self.at(name);
            self.write_name(variable, value, span);
        }
    }

    pub fn class_value(&mut self, id: usize) -> Value {
        let info = &self.file.shared.index.classes[id];
        let span = self.at(info.node);
        let name_node = field(info.node, "name").filter(|_| is_class(info.node.kind()));
        let name_span = name_node.map_or(span, |node| self.at(node));
        let mut bases = Vec::new();
        for base in &info.bases {
            bases.extend(self.type_value(*base));
        }
        if info.node.kind() == "enum_constant"
            && let Some(outer) = info.outer
        {
            bases.push(self.class_ref(outer, span));
        }
        let text = if info.name.is_empty() {
            "<class>"
        } else {
            info.name.as_str()
        };
        let (name, qualname) = (self.name(text), self.path_of(text));
        let class = ClassIndex(self.file.classes.len() as u32);
        let body = self.reserve(Pending {
            name,
            qualname,
            kind: FunctionKind::ClassBody,
            scope: self.file.scopes.at(info.node.id()),
            parent: Some(self.index),
            class: Some(class),
            is_async: false,
            span,
            name_span,
            body: Code::Class(id),
        });
        self.file.classes.push(Class {
            name,
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

    /// Path of a definition in this function's body, inside the module.
    pub fn path_of(&mut self, name: &str) -> solvent_base::Name {
        if self.kind == FunctionKind::Module {
            return self.name(name);
        }
        let around = self.file.functions[self.index.0 as usize].pending.qualname;
        let around = self.file.names.text(around);
        self.name(&format!("{around}.{name}"))
    }

    fn store_member(&mut self, name: &str, value: Value, span: Span) {
        let name = self.name(name);
        let scope = Scope::Class;
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    pub fn class_body(&mut self, id: usize) {
        let shared = self.file.shared;
        let info = &shared.index.classes[id];
        let span = self.at(info.node);
        let notes = annotations(info.node);
        if !notes.is_empty() {
            let items = notes
                .iter()
                .map(|note| Item::One(self.annotation(*note)))
                .collect();
            let kind = SequenceKind::List;
            let list = self.b.emit(Op::Sequence { kind, items }, span);
            self.store_member("<annotations>", list, span);
        }
        let list = members(info.body);
        for member in &list {
            if is_class(member.kind())
                && let Some(&nested) = shared.index.at.get(&member.id())
            {
                let value = self.class_value(nested);
                let span = self.at(*member);
                self.store_member(&shared.index.classes[nested].name, value, span);
            }
        }
        let mut constructs = false;
        for member in &list {
            constructs |= member.kind().ends_with("constructor_declaration");
            if matches!(
                member.kind(),
                "method_declaration"
                    | "constructor_declaration"
                    | "compact_constructor_declaration"
            ) {
                self.method(*member, id);
            }
        }
        if info.initialises {
            self.unwritten(id, "<fields>", Code::Fields(id), Unwritten::Fields);
        }
        let needed = info.initialises || info.kind == Kind::Record;
        if needed && !constructs && info.kind != Kind::Interface {
            self.unwritten(id, "<init>", Code::Constructor(id), Unwritten::Constructor);
        }
        for member in &list {
            match member.kind() {
                "enum_constant" => self.constant_of_enumeration(*member, id),
                "field_declaration" | "constant_declaration" => self.static_field(*member, id),
                "static_initializer" => {
                    for block in kids(*member) {
                        self.statement_alone(block);
                    }
                }
                _ => {}
            }
        }
    }

    fn constant_of_enumeration(&mut self, node: Node<'a>, id: usize) {
        let Some(name) = field(node, "name") else {
            return;
        };
        let span = self.at(node);
        let text = self.text(name);
        let callee = match self.file.shared.index.at.get(&node.id()) {
            Some(&own) => self.class_value(own),
            None => self.class_ref(id, span),
        };
        let mut args = match field(node, "arguments") {
            Some(list) => self.arguments(list),
            None => Vec::new(),
        };
        let own_name = self.name(text);
        let value = self.constant(solvent_ir::Const::Str(own_name), span);
        args.push(Arg::Named(self.name("<name>"), value));
        let value = self.b.emit(Op::Call { callee, args }, span);
        self.store_member(text, value, span);
    }

    fn static_field(&mut self, node: Node<'a>, id: usize) {
        let shared = self.file.shared;
        for one in fields(node, "declarator") {
            let Some(name) = field(one, "name") else {
                continue;
            };
            let (text, span) = (self.text(name), self.at(one));
            let to_class = shared.index.classes[id].fields.get(text) == Some(&Belongs::ToClass);
            let value = match field(one, "value") {
                Some(value) if to_class => self.initial(value, field(node, "type")),
                Some(_) => continue,
                // What a framework puts in is known by its type.
                None => {
                    let type_ = field(node, "type").and_then(|t| self.type_value(t));
                    let Some(type_) = type_ else { continue };
                    self.builtin_call("<declared>", &[type_], span)
                }
            };
            self.store_member(text, value, span);
        }
    }

    /// A constructor or initialiser that the class does not write.
    fn unwritten(&mut self, id: usize, name: &str, body: Code<'a>, what: Unwritten) {
        let node = self.file.shared.index.classes[id].node;
        let span = self.at(node);
        let scope = self.file.scopes.at(unwritten(node, what));
        let record = field(node, "parameters").filter(|_| name == "<init>");
        let annotations = match record {
            Some(list) => self.parameter_types(list),
            None => Vec::new(),
        };
        let pending = Pending {
            name: self.name(name),
            qualname: self.path_of(name),
            kind: FunctionKind::Def,
            scope,
            parent: Some(self.index),
            class: self.class,
            is_async: false,
            span,
            name_span: span,
            body,
        };
        let index = self.reserve(pending);
        let outside = &mut self.file.functions[index.0 as usize].outside;
        outside.parameters = vec![(None, None)];
        outside.parameters.extend(annotations);
        let value = self.b.emit(Op::Function(index), span);
        self.store_member(name, value, span);
    }

    fn method(&mut self, node: Node<'a>, id: usize) {
        let span = self.at(node);
        let body = field(node, "body");
        // What has no code is found in the classes below.
        let bare = node.kind() == "method_declaration" && body.is_none();
        let bare = bare && statement_over(node, &self.file.source.text).is_none();
        if bare && !self.is_mapper(id) {
            return;
        }
        let text = match (node.kind(), field(node, "name")) {
            ("method_declaration", Some(name)) => self.text(name),
            ("method_declaration", None) => return,
            _ => "<init>",
        };
        let decorators: Vec<Value> = annotations(node)
            .into_iter()
            .map(|note| self.annotation(note))
            .collect();
        let index = self.method_function(node, id, text, decorators.clone());
        let mut value = self.b.emit(Op::Function(index), span);
        for callee in decorators.into_iter().rev() {
            let args = vec![Arg::Positional(value)];
            value = self.b.emit(Op::Call { callee, args }, span);
        }
        if bare {
            // Only where no class below writes it.
            self.store_member(&format!("<mapped>{text}"), value, span);
        } else {
            self.store_member(text, value, span);
        }
    }

    /// Whether an interface may be one whose methods run statements that stand in a file.
    fn is_mapper(&self, id: usize) -> bool {
        let info = &self.file.shared.index.classes[id];
        let called = ["Mapper", "Dao", "DAO"]
            .iter()
            .any(|word| info.name.ends_with(word));
        info.kind == Kind::Interface
            && (called
                || self
                    .file
                    .source
                    .text
                    .contains("org.apache.ibatis.annotations"))
    }

    fn method_function(
        &mut self,
        node: Node<'a>,
        id: usize,
        text: &str,
        decorators: Vec<Value>,
    ) -> FnIndex {
        let info = &self.file.shared.index.classes[id];
        let is_static = says(node, "static");
        let mut parameters = Vec::new();
        if !is_static {
            parameters.push((None, None));
        }
        if text == "<init>" && info.inner {
            parameters.push((None, None));
        }
        let list = field(node, "parameters").or(field(info.node, "parameters"));
        if let Some(list) = list {
            let types = self.parameter_types(list);
            parameters.extend(types);
        }
        let returns = field(node, "type").and_then(|t| self.given_type(t));
        let span = self.at(node);
        let pending = Pending {
            name: self.name(text),
            qualname: self.path_of(text),
            kind: FunctionKind::Def,
            scope: self.file.scopes.at(node.id()),
            parent: Some(self.index),
            class: self.class,
            is_async: false,
            span,
            name_span: field(node, "name").map_or(span, |name| self.at(name)),
            body: Code::Method(node, id),
        };
        let index = self.reserve(pending);
        let outside = &mut self.file.functions[index.0 as usize].outside;
        outside.decorators = decorators;
        outside.parameters = parameters;
        outside.returns = returns;
        index
    }

    /// The class of what a method gives; of `Wrapper<String>` that of the text which is wrapped.
    fn given_type(&mut self, node: Node<'a>) -> Option<Value> {
        let inner = kids(node)
            .into_iter()
            .find(|kid| kid.kind() == "type_arguments")
            .filter(|_| node.kind() == "generic_type");
        let text = inner.map(kids).unwrap_or_default().into_iter().find(|kid| {
            let name = dotted(*kid, &self.file.source.text);
            name == "String"
        });
        self.type_value(text.unwrap_or(node))
    }

    /// The class of each parameter; with annotations, a tuple of the class and of them.
    pub fn parameter_types(&mut self, list: Node<'a>) -> Vec<(Option<Value>, Option<Value>)> {
        let mut out = Vec::new();
        for parameter in kids(list) {
            if parameter_name(parameter).is_none() {
                continue;
            }
            let span = self.at(parameter);
            let type_ = parameter_type(parameter).and_then(|t| self.type_value(t));
            let notes = annotations(parameter);
            if notes.is_empty() {
                out.push((None, type_));
                continue;
            }
            let type_ = match type_ {
                Some(type_) => type_,
                None => self.constant(solvent_ir::Const::None, span),
            };
            let mut items = vec![Item::One(type_)];
            for note in notes {
                items.push(Item::One(self.annotation(note)));
            }
            let kind = SequenceKind::Tuple;
            out.push((None, Some(self.b.emit(Op::Sequence { kind, items }, span))));
        }
        out
    }

    /// An annotation: its class, called with what it says; `@A(value = x)` is `@A(x)`.
    pub fn annotation(&mut self, node: Node<'a>) -> Value {
        let span = self.at(node);
        let name = match field(node, "name") {
            Some(name) => dotted(name, &self.file.source.text),
            None => String::new(),
        };
        let class = self.qualified(&name, span);
        let callee = self.builtin("<annotation>", span);
        let mut args = vec![Arg::Positional(class)];
        for argument in field(node, "arguments").map(kids).unwrap_or_default() {
            let (key, value) = match argument.kind() {
                "element_value_pair" => (field(argument, "key"), field(argument, "value")),
                _ => (None, Some(argument)),
            };
            let Some(value) = value else { continue };
            let value = self.element_value(value);
            match key.map(|key| self.text(key)) {
                None | Some("value") => args.insert(1, Arg::Positional(value)),
                Some(key) => args.push(Arg::Named(self.name(key), value)),
            }
        }
        self.b.emit(Op::Call { callee, args }, span)
    }

    fn element_value(&mut self, node: Node<'a>) -> Value {
        match node.kind() {
            "annotation" | "marker_annotation" => self.annotation(node),
            "element_value_array_initializer" => {
                let span = self.at(node);
                let items = kids(node)
                    .into_iter()
                    .map(|kid| Item::One(self.element_value(kid)))
                    .collect();
                let kind = SequenceKind::List;
                self.b.emit(Op::Sequence { kind, items }, span)
            }
            _ => self.expr(node),
        }
    }

    // Code that constructors run.

    /// Initialisers of fields and blocks, in the order of the text.
    pub fn fields_of(&mut self, id: usize) {
        let shared = self.file.shared;
        for member in members(shared.index.classes[id].body) {
            if member.kind() == "block" {
                self.statement_alone(member);
            }
            if !matches!(member.kind(), "field_declaration" | "constant_declaration") {
                continue;
            }
            for one in fields(member, "declarator") {
                let (Some(name), Some(value)) = (field(one, "name"), field(one, "value")) else {
                    continue;
                };
                let text = self.text(name);
                if shared.index.classes[id].fields.get(text) != Some(&Belongs::ToObject) {
                    continue;
                }
                let value = self.initial(value, field(member, "type"));
                let span = self.at(one);
                let this = self.this(span);
                self.set_attr(this, text, value, span);
            }
        }
    }

    /// What every constructor does before its own statements.
    pub fn before_constructor(&mut self, id: usize, span: Span) {
        let info = &self.file.shared.index.classes[id];
        if info.extends.is_some() || info.node.kind() == "object_creation_expression" {
            let base = self.super_value(span);
            self.called_on(base, "<init>", Vec::new(), span);
        }
        self.run_initialisers(id, span);
    }

    pub fn run_initialisers(&mut self, id: usize, span: Span) {
        if self.file.shared.index.classes[id].initialises {
            let this = self.this(span);
            self.called_on(this, "<fields>", Vec::new(), span);
        }
    }

    /// The constructor of a record keeps its parameters.
    pub fn keep_parameters(&mut self, id: usize, kept: &[(String, Value)]) {
        let span = self.at(self.file.shared.index.classes[id].node);
        for (name, value) in kept {
            let this = self.this(span);
            self.set_attr(this, name, *value, span);
        }
    }

    /// `this`, then the object around an inner class's, then the parameters of `list`; those are bound.
    pub fn parameters(
        &mut self,
        list: Option<Node<'a>>,
        around: Option<usize>,
        span: Span,
    ) -> (Vec<Param>, Vec<(String, Value)>) {
        let outside = std::mem::take(&mut self.file.functions[self.index.0 as usize].outside);
        let mut params: Vec<Param> = Vec::new();
        let receiver = self.file.shared.context(self.scope).receiver;
        let lambda = matches!(
            self.file.functions[self.index.0 as usize].pending.body,
            Code::Lambda(_)
        );
        if let Some(receiver) = receiver.filter(|_| !lambda) {
            let value = self.b.emit(Op::Param(0), span);
            self.first_parameter = Some(receiver);
            self.write_name(receiver, value, span);
            params.push(Param {
                name: self.name("this"),
                kind: ParamKind::Receiver,
                default: None,
                annotation: None,
                span,
            });
        }
        if around.is_some() {
            let index = params.len() as u32;
            let name = self.file.shared.outer;
            params.push(Param {
                name,
                kind: ParamKind::KeywordOnly,
                default: None,
                annotation: None,
                span,
            });
            let value = self.b.emit(Op::Param(index), span);
            let this = self.this(span);
            self.set_attr(this, "<outer>", value, span);
        }
        let mut kept = Vec::new();
        let nodes = match list {
            Some(one) if one.kind() == "identifier" => vec![one],
            Some(list) => kids(list),
            None => Vec::new(),
        };
        for parameter in nodes {
            let Some(name) = parameter_name(parameter) else {
                continue;
            };
            let index = params.len();
            let (_, annotation) = outside.parameters.get(index).copied().unwrap_or_default();
            let kind = match parameter.kind() {
                "spread_parameter" => ParamKind::Rest,
                _ => ParamKind::Ordinary,
            };
            let text = self.text(name);
            let span = self.at(parameter);
            params.push(Param {
                name: self.name(text),
                kind,
                default: None,
                annotation,
                span,
            });
            let value = self.b.emit(Op::Param(index as u32), span);
            kept.push((text.to_owned(), value));
            if let Some(variable) = self.file.shared.variables.at(name.id()) {
                self.write_name(variable, value, span);
            }
        }
        self.file.functions[self.index.0 as usize].outside = outside;
        (params, kept)
    }
}
