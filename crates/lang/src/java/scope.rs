//! Which variable each name of a file means, decided before any code is lowered.

use std::collections::HashMap;

use solvent_base::Name;
use tree_sitter::Node;

use super::index::{Belongs, Index, Kind, Stands, is_class, members, parameter_name};
use super::tree::{field, fields, kid, kids, says, text};
use crate::blocks::{Blocks, Variables};
use crate::lower::{Names, with_stack};
use crate::scope::{ScopeId, ScopeKind, Scopes, bind};

/// Methods whose purpose is to change what they are called on.
const CHANGING: [&str; 22] = [
    "add",
    "addAll",
    "addFirst",
    "addLast",
    "append",
    "clear",
    "insert",
    "offer",
    "put",
    "putAll",
    "putIfAbsent",
    "push",
    "pop",
    "poll",
    "remove",
    "set",
    "setLength",
    "compareAndSet",
    "getAndSet",
    "write",
    "println",
    "print",
];

/// What is known of a file besides its tree.
pub(crate) struct Shared<'a> {
    pub index: Index<'a>,
    pub variables: Variables,
    /// By scope.
    pub contexts: HashMap<u32, Context>,
    pub java: Name,
    pub type_: Name,
    pub outer: Name,
}

/// What a function stands in.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub class: Option<usize>,
    /// The variable that is `this` here.
    pub receiver: Option<Name>,
}

/// The scope of what a class does without a function in the text.
#[derive(Clone, Copy)]
pub(crate) enum Unwritten {
    Fields,
    Constructor,
}

/// Nodes lie at even addresses.
pub(crate) fn unwritten(class: Node<'_>, what: Unwritten) -> usize {
    class.id()
        + match what {
            Unwritten::Fields => 1,
            Unwritten::Constructor => 3,
        }
}

struct Collector<'a, 's, 'n, 'i> {
    blocks: Blocks<'n, 'i>,
    index: &'s Index<'a>,
    source: &'s str,
    contexts: Vec<(usize, Context)>,
    here: Context,
    /// Variables that are `this` in functions around.
    receivers: Vec<Name>,
}

pub(crate) fn of<'a>(
    index: Index<'a>,
    root: Node<'a>,
    source: &str,
    names: &mut Names<'_>,
) -> (Scopes, Shared<'a>) {
    let (java, type_) = (names.name("<java>"), names.name("<type>"));
    let outer = names.name("<outer>");
    let mut collector = Collector {
        blocks: Blocks::new(names),
        index: &index,
        source,
        contexts: Vec::new(),
        here: Context {
            class: None,
            receiver: None,
        },
        receivers: Vec::new(),
    };
    for kid in kids(root) {
        if is_class(kid.kind())
            && let Some(name) = field(kid, "name")
        {
            let text = text(name, source);
            collector.blocks.declare(text, name.id(), bind::DEFINITION);
        }
    }
    for kid in kids(root) {
        collector.visit(kid);
    }
    let contexts = std::mem::take(&mut collector.contexts);
    let (scopes, variables) = collector.blocks.finish();
    let contexts = contexts
        .into_iter()
        .map(|(node, context)| (scopes.at(node).0, context))
        .collect();
    let shared = Shared {
        index,
        variables,
        contexts,
        java,
        type_,
        outer,
    };
    (scopes, shared)
}

impl<'a> Collector<'a, '_, '_, '_> {
    fn text(&self, node: Node<'_>) -> String {
        text(node, self.source).to_owned()
    }

    fn visit(&mut self, node: Node<'a>) {
        with_stack(|| self.visit_here(node));
    }

    fn visit_all(&mut self, nodes: impl IntoIterator<Item = Node<'a>>) {
        for node in nodes {
            self.visit(node);
        }
    }

    fn visit_here(&mut self, node: Node<'a>) {
        match node.kind() {
            "import_declaration" | "package_declaration" | "module_declaration" => {}
            "marker_annotation" | "annotation" => {
                if let Some(arguments) = field(node, "arguments") {
                    for argument in kids(arguments) {
                        self.visit(field(argument, "value").unwrap_or(argument));
                    }
                }
            }
            kind if is_class(kind) => {
                self.declare_class(node);
                self.class(node);
            }
            "object_creation_expression" if self.index.at.contains_key(&node.id()) => {
                let body = kid(node, "class_body");
                self.visit_all(kids(node).into_iter().filter(|kid| Some(*kid) != body));
                self.this();
                self.class(node);
            }
            "method_declaration"
            | "constructor_declaration"
            | "compact_constructor_declaration" => {
                // Not in a class: an error, or a script.
                self.function(node, None);
            }
            "lambda_expression" => self.lambda(node),
            "block" | "switch_block" | "for_statement" | "switch_rule" | "constructor_body" => {
                self.block(|this| this.visit_all(kids(node)));
            }
            "enhanced_for_statement" => self.block(|this| {
                this.parts(node, &["type", "value"]);
                this.declare(field(node, "name"), bind::STORED);
                this.parts(node, &["body"]);
            }),
            "try_with_resources_statement" => self.block(|this| this.visit_all(kids(node))),
            "resource" => {
                self.parts(node, &["type", "value"]);
                match field(node, "name") {
                    Some(name) => self.declare(Some(name), bind::STORED),
                    None => self.visit_all(kids(node)),
                }
            }
            "catch_clause" => self.block(|this| {
                if let Some(parameter) = kid(node, "catch_formal_parameter") {
                    this.visit_all(kid(parameter, "catch_type"));
                    this.declare(field(parameter, "name"), bind::STORED);
                }
                this.parts(node, &["body"]);
            }),
            "local_variable_declaration" => {
                self.parts(node, &["type"]);
                for one in fields(node, "declarator") {
                    self.parts(one, &["value"]);
                    self.declare(field(one, "name"), bind::STORED);
                }
            }
            "instanceof_expression" => {
                self.parts(node, &["left", "right", "pattern"]);
                self.declare(field(node, "name"), bind::STORED);
            }
            "type_pattern" | "record_pattern_component" => {
                let name = kids(node).into_iter().rfind(|k| k.kind() == "identifier");
                self.visit_all(kids(node).into_iter().filter(|kid| Some(*kid) != name));
                self.declare(name, bind::STORED);
            }
            "assignment_expression" => {
                if let Some(left) = field(node, "left") {
                    if left.kind() == "identifier" {
                        self.assigned(left);
                    } else {
                        self.changed(left);
                        self.visit(left);
                    }
                }
                self.parts(node, &["right"]);
            }
            "update_expression" => {
                for operand in kids(node) {
                    if operand.kind() == "identifier" {
                        self.assigned(operand);
                    } else {
                        self.changed(operand);
                        self.visit(operand);
                    }
                }
            }
            "identifier" | "type_identifier" => {
                let text = self.text(node);
                if self.blocks.read(&text, node.id()).is_none() {
                    self.this();
                }
            }
            "this" | "super" => self.this(),
            "field_access" => {
                self.parts(node, &["object"]);
                if field(node, "field").is_some_and(|f| f.kind() == "this") {
                    self.this();
                }
            }
            "method_invocation" => {
                match field(node, "object") {
                    Some(object) => {
                        let name = field(node, "name").map(|name| self.text(name));
                        if name.is_some_and(|name| CHANGING.contains(&name.as_str())) {
                            self.changed(object);
                        }
                        self.visit(object);
                    }
                    None => self.this(),
                }
                self.parts(node, &["arguments"]);
            }
            "method_reference" => {
                if let Some(first) = kids(node).first() {
                    self.visit(*first);
                }
            }
            "labeled_statement" => self.visit_all(kids(node).into_iter().skip(1)),
            "break_statement" | "continue_statement" => {}
            "modifiers" => {}
            _ => self.visit_all(kids(node)),
        }
    }

    fn block(&mut self, visit: impl FnOnce(&mut Self)) {
        self.blocks.enter_block();
        visit(self);
        self.blocks.leave();
    }

    fn within(&mut self, node: usize, kind: ScopeKind, visit: impl FnOnce(&mut Self)) {
        self.blocks.enter(node, kind);
        self.contexts.push((node, self.here));
        visit(self);
        self.blocks.leave();
    }

    fn parts(&mut self, node: Node<'a>, names: &[&str]) {
        for name in names {
            self.visit_all(field(node, name));
        }
    }

    fn declare(&mut self, name: Option<Node<'a>>, flags: u16) {
        if let Some(name) = name {
            let text = self.text(name);
            self.blocks.declare(&text, name.id(), flags);
        }
    }

    fn declare_class(&mut self, node: Node<'a>) {
        let local = self
            .index
            .at
            .get(&node.id())
            .is_some_and(|class| self.index.classes[*class].stands == Stands::Local);
        if local {
            self.declare(field(node, "name"), bind::DEFINITION);
        }
    }

    fn assigned(&mut self, node: Node<'a>) {
        let text = self.text(node);
        if self.blocks.assign(&text, node.id()).is_none() {
            self.this();
        }
    }

    /// What an inner function changes of a variable around it, only the variable's cell knows.
    fn changed(&mut self, object: Node<'a>) {
        let mut object = object;
        loop {
            let next = match object.kind() {
                "field_access" => field(object, "object"),
                "array_access" => field(object, "array"),
                "parenthesized_expression" => kids(object).first().copied(),
                _ => None,
            };
            match next {
                Some(next) => object = next,
                None => break,
            }
        }
        if object.kind() == "identifier" {
            let text = self.text(object);
            self.blocks.change(&text);
        }
    }

    /// `this`, here or in functions around.
    fn this(&mut self) {
        for name in &self.receivers {
            self.blocks.mark_here(*name, bind::USED);
        }
        if let Some(name) = self.here.receiver {
            self.blocks.mark_here(name, bind::USED);
        }
    }

    fn class(&mut self, node: Node<'a>) {
        let Some(&id) = self.index.at.get(&node.id()) else {
            return;
        };
        let outer = self.here;
        let kept = self.receivers.len();
        if let Some(receiver) = outer.receiver {
            self.receivers.push(receiver);
        }
        self.here = Context {
            class: Some(id),
            receiver: None,
        };
        self.within(node.id(), ScopeKind::Class, |this| {
            this.class_body(node, id);
        });
        self.receivers.truncate(kept);
        self.here = outer;
    }

    fn receiver_name(&mut self) -> Name {
        match self.receivers.len() {
            0 => self.blocks.names.name("this"),
            n => self.blocks.names.name(&format!("this\u{b7}{n}")),
        }
    }

    fn class_body(&mut self, node: Node<'a>, id: usize) {
        let index = self.index;
        let info = &index.classes[id];
        self.visit_all(info.bases.iter().copied());
        let list = members(info.body);
        let in_interface = info.kind == Kind::Interface;
        let of_object = |member: &Node<'a>| {
            member.kind() == "block" || (!in_interface && !says(*member, "static"))
        };
        let is_field = |member: &Node<'a>| {
            matches!(
                member.kind(),
                "field_declaration" | "constant_declaration" | "block"
            )
        };
        for member in &list {
            match member.kind() {
                "method_declaration"
                | "constructor_declaration"
                | "compact_constructor_declaration" => self.function(*member, Some(id)),
                "enum_constant" => {
                    self.visit_all(field(*member, "arguments"));
                    if index.at.contains_key(&member.id()) {
                        self.class(*member);
                    }
                }
                _ if is_field(member) && of_object(member) => {
                    // What constructors do later; the types are asked for here.
                    self.parts(*member, &["type"]);
                }
                "field_declaration" | "constant_declaration" => {
                    self.parts(*member, &["type"]);
                    for one in fields(*member, "declarator") {
                        self.parts(one, &["value"]);
                    }
                }
                _ => self.visit(*member),
            }
        }
        let receiver = self.receiver_name();
        let outer = self.here;
        self.here.receiver = Some(receiver);
        self.within(
            unwritten(node, Unwritten::Fields),
            ScopeKind::Function,
            |this| {
                this.blocks
                    .mark_here(receiver, bind::VARIABLE | bind::STORED);
                for member in list.iter().filter(|m| is_field(m) && of_object(m)) {
                    if member.kind() == "block" {
                        this.visit(*member);
                        continue;
                    }
                    for one in fields(*member, "declarator") {
                        this.parts(one, &["value"]);
                    }
                }
            },
        );
        self.within(
            unwritten(node, Unwritten::Constructor),
            ScopeKind::Function,
            |this| {
                this.blocks
                    .mark_here(receiver, bind::VARIABLE | bind::STORED);
            },
        );
        self.here = outer;
    }

    fn function(&mut self, node: Node<'a>, class: Option<usize>) {
        let outer = self.here;
        let is_static = class.is_none() || says(node, "static");
        let receiver = (!is_static).then(|| self.receiver_name());
        self.here.receiver = receiver;
        if let Some(list) = field(node, "parameters") {
            for parameter in kids(list) {
                self.visit_all(parameter_type(parameter));
            }
        }
        self.within(node.id(), ScopeKind::Function, |this| {
            if let Some(receiver) = receiver {
                this.blocks
                    .mark_here(receiver, bind::VARIABLE | bind::STORED);
            }
            let parameters = match (field(node, "parameters"), class) {
                (Some(list), _) => Some(list),
                // A record's constructor has the record's parameters.
                (None, Some(class)) => field(this.index.classes[class].node, "parameters"),
                (None, None) => None,
            };
            let mut copied = Vec::new();
            for parameter in parameters.map(kids).unwrap_or_default() {
                if field(node, "parameters").is_some() {
                    this.declare(parameter_name(parameter), bind::STORED);
                } else if let Some(name) = parameter_name(parameter) {
                    copied.push(name);
                }
            }
            for name in copied {
                this.declare(Some(name), bind::STORED);
            }
            this.parts(node, &["body"]);
        });
        self.here = outer;
    }

    fn lambda(&mut self, node: Node<'a>) {
        self.within(node.id(), ScopeKind::Function, |this| {
            match field(node, "parameters") {
                Some(one) if one.kind() == "identifier" => this.declare(Some(one), bind::STORED),
                Some(list) => {
                    for parameter in kids(list) {
                        this.visit_all(parameter_type(parameter));
                        this.declare(parameter_name(parameter), bind::STORED);
                    }
                }
                None => {}
            }
            this.parts(node, &["body"]);
        });
    }
}

/// The type that is written for a parameter.
pub(crate) fn parameter_type(parameter: Node<'_>) -> Option<Node<'_>> {
    if let Some(node) = field(parameter, "type") {
        return Some(node);
    }
    kids(parameter).into_iter().find(|kid| {
        !matches!(
            kid.kind(),
            "modifiers" | "variable_declarator" | "identifier" | "marker_annotation" | "annotation"
        )
    })
}

impl Shared<'_> {
    pub fn context(&self, scope: ScopeId) -> Context {
        self.contexts.get(&scope.0).copied().unwrap_or(Context {
            class: None,
            receiver: None,
        })
    }

    /// Whether a class, or one that it extends in this file, declares the field.
    pub fn field_of(&self, class: usize, name: &str) -> Option<Belongs> {
        let mut at = Some(class);
        for _ in 0..16 {
            let info = &self.index.classes[at?];
            if let Some(found) = info.fields.get(name) {
                return Some(*found);
            }
            at = self.index.base_of(at?);
        }
        None
    }

    pub fn method_of(&self, class: usize, name: &str) -> Option<Belongs> {
        let mut at = Some(class);
        for _ in 0..16 {
            let info = &self.index.classes[at?];
            if let Some(found) = info.methods.get(name) {
                return Some(*found);
            }
            at = self.index.base_of(at?);
        }
        None
    }
}
