//! Where each name lives: Go declares before use, block by block (Go Specification, "Declarations and scope").

use std::collections::HashSet;

use solvent_base::Name;
use tree_sitter::Node;

use super::{Facts, children, fields, package_name, text_of};
use crate::blocks::Blocks;
use crate::lower::{Names, with_stack};
use crate::scope::{ScopeKind, Scopes, bind};

pub(crate) fn of_file<'a>(
    root: Node<'a>,
    text: &'a str,
    names: &mut Names<'_>,
) -> (Scopes, Facts<'a>) {
    let (global, whole) = (names.name("<global>"), names.name("<whole>"));
    let mut collector = Collector {
        blocks: Blocks::new(names),
        text,
        copied: HashSet::new(),
        addressed: HashSet::new(),
    };
    collector.top(root);
    for child in children(root) {
        collector.visit(child);
    }
    let Collector {
        blocks,
        copied,
        addressed,
        ..
    } = collector;
    let (scopes, variables) = blocks.finish();
    let facts = Facts {
        text,
        variables,
        copied,
        addressed,
        global,
        whole,
    };
    (scopes, facts)
}

struct Collector<'n, 'i, 'a> {
    blocks: Blocks<'n, 'i>,
    text: &'a str,
    copied: HashSet<String>,
    addressed: HashSet<Name>,
}

impl Collector<'_, '_, '_> {
    fn text(&self, node: Node<'_>) -> String {
        text_of(node, self.text).to_owned()
    }

    /// What the file declares at its top exists everywhere in it.
    fn top(&mut self, root: Node<'_>) {
        for node in children(root) {
            match node.kind() {
                "import_declaration" => {
                    for spec in import_specs(node) {
                        let Some(path) = spec.child_by_field_name("path") else {
                            continue;
                        };
                        let path_text = self.text(path);
                        let path_text = path_text.trim_matches(['"', '`']);
                        let name = match spec.child_by_field_name("name") {
                            Some(name) => self.text(name),
                            None => package_name(path_text).to_owned(),
                        };
                        if name != "_" && name != "." {
                            self.blocks.declare(&name, spec.id(), bind::DEFINITION);
                        }
                    }
                }
                "function_declaration" => {
                    if let Some(name) = node.child_by_field_name("name") {
                        let text = self.text(name);
                        if text != "init" && text != "_" {
                            self.blocks.declare(&text, name.id(), bind::DEFINITION);
                        }
                    }
                }
                "type_declaration" => self.types(node),
                "var_declaration" | "const_declaration" => {
                    for spec in specs(node) {
                        for name in fields(spec, "name") {
                            let text = self.text(name);
                            self.blocks.declare(&text, name.id(), bind::STORED);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn types(&mut self, node: Node<'_>) {
        for spec in children(node) {
            let Some(name) = spec.child_by_field_name("name") else {
                continue;
            };
            let text = self.text(name);
            if let Some(kind) = spec.child_by_field_name("type")
                && matches!(
                    kind.kind(),
                    "struct_type" | "array_type" | "implicit_length_array_type"
                )
            {
                self.copied.insert(text.clone());
            }
            self.blocks.declare(&text, name.id(), bind::DEFINITION);
        }
    }

    fn visit(&mut self, node: Node<'_>) {
        with_stack(|| self.visit_here(node));
    }

    fn visit_all(&mut self, node: Node<'_>) {
        for child in children(node) {
            self.visit(child);
        }
    }

    fn visit_field(&mut self, node: Node<'_>, name: &str) {
        for child in fields(node, name) {
            self.visit(child);
        }
    }

    fn visit_here(&mut self, node: Node<'_>) {
        match node.kind() {
            "import_declaration" | "package_clause" | "comment" => {}
            "function_declaration" | "method_declaration" | "func_literal" => self.function(node),
            "block" | "expression_case" | "default_case" | "type_case" | "communication_case" => {
                self.within_block(node);
            }
            "if_statement"
            | "for_statement"
            | "expression_switch_statement"
            | "select_statement" => self.within_block(node),
            "type_switch_statement" => self.type_switch(node),
            "short_var_declaration" => {
                self.visit_field(node, "right");
                for target in fields(node, "left") {
                    self.declare_or_assign(target);
                }
            }
            "range_clause" => {
                self.visit_field(node, "right");
                let declares = has_sign(node, ":=");
                for target in fields(node, "left") {
                    if declares {
                        self.declare_or_assign(target);
                    } else {
                        self.assign(target);
                    }
                }
            }
            "receive_statement" => {
                self.visit_field(node, "right");
                let declares = has_sign(node, ":=");
                for target in fields(node, "left") {
                    if declares {
                        self.declare_or_assign(target);
                    } else {
                        self.assign(target);
                    }
                }
            }
            "var_spec" | "const_spec" => {
                self.visit_field(node, "type");
                self.visit_field(node, "value");
                if self.blocks.is_inside() {
                    for name in fields(node, "name") {
                        let text = self.text(name);
                        self.blocks.declare(&text, name.id(), bind::STORED);
                    }
                }
            }
            "type_declaration" => {
                if self.blocks.is_inside() {
                    self.types(node);
                }
                for spec in children(node) {
                    self.visit_field(spec, "type");
                }
            }
            "struct_type" => self.visit_all(node),
            "field_declaration" => self.visit_field(node, "type"),
            "assignment_statement" => {
                self.visit_field(node, "right");
                for target in fields(node, "left") {
                    self.assign(target);
                }
            }
            "inc_statement" | "dec_statement" => {
                for target in children(node) {
                    self.assign(target);
                }
            }
            "unary_expression" => {
                let operand = node.child_by_field_name("operand");
                self.visit_all(node);
                if let Some(operand) = operand
                    && operand.kind() == "identifier"
                    && has_sign(node, "&")
                {
                    let text = self.text(operand);
                    if let Some(name) = self.blocks.read(&text, operand.id()) {
                        self.addressed.insert(name);
                    }
                }
            }
            "call_expression" => {
                if let Some(function) = node.child_by_field_name("function") {
                    self.change(function);
                }
                self.visit_all(node);
            }
            "send_statement" => {
                if let Some(channel) = node.child_by_field_name("channel") {
                    self.changed_root(channel);
                }
                self.visit_all(node);
            }
            "selector_expression" => self.visit_field(node, "operand"),
            "labeled_statement" => {
                for child in children(node) {
                    if child.kind() != "label_name" {
                        self.visit(child);
                    }
                }
            }
            "identifier" | "type_identifier" | "package_identifier" => {
                let text = self.text(node);
                self.blocks.read(&text, node.id());
            }
            _ => self.visit_all(node),
        }
    }

    fn within_block(&mut self, node: Node<'_>) {
        self.blocks.enter_block();
        self.visit_all(node);
        self.blocks.leave();
    }

    /// The variable of `switch x := y.(type)` belongs to every case.
    fn type_switch(&mut self, node: Node<'_>) {
        self.blocks.enter_block();
        self.visit_field(node, "initializer");
        self.visit_field(node, "value");
        for alias in fields(node, "alias").into_iter().flat_map(children) {
            let text = self.text(alias);
            self.blocks.declare(&text, alias.id(), bind::STORED);
        }
        for case in children(node) {
            if matches!(case.kind(), "type_case" | "default_case") {
                self.visit(case);
            }
        }
        self.blocks.leave();
    }

    fn function(&mut self, node: Node<'_>) {
        self.blocks.enter(node.id(), ScopeKind::Function);
        for field in ["receiver", "parameters", "result"] {
            for list in fields(node, field) {
                if list.kind() == "parameter_list" {
                    for parameter in children(list) {
                        self.visit_field(parameter, "type");
                        for name in fields(parameter, "name") {
                            let text = self.text(name);
                            self.blocks.declare(&text, name.id(), bind::STORED);
                        }
                    }
                } else {
                    self.visit(list);
                }
            }
        }
        self.visit_field(node, "body");
        self.blocks.leave();
    }

    fn declare_or_assign(&mut self, target: Node<'_>) {
        match target.kind() {
            "expression_list" => {
                for child in children(target) {
                    self.declare_or_assign(child);
                }
            }
            "identifier" => {
                let text = self.text(target);
                if text == "_" {
                    return;
                }
                if self.blocks.is_declared_here(&text) {
                    self.blocks.assign(&text, target.id());
                } else {
                    self.blocks.declare(&text, target.id(), bind::STORED);
                }
            }
            _ => self.visit(target),
        }
    }

    fn assign(&mut self, target: Node<'_>) {
        match target.kind() {
            "expression_list" => {
                for child in children(target) {
                    self.assign(child);
                }
            }
            "identifier" => {
                let text = self.text(target);
                self.blocks.assign(&text, target.id());
            }
            _ => {
                self.change(target);
                self.visit(target);
            }
        }
    }

    /// The object at the root of a member, an element or what a pointer points to is changed.
    fn change(&mut self, node: Node<'_>) {
        if matches!(
            node.kind(),
            "selector_expression" | "index_expression" | "unary_expression"
        ) && let Some(operand) = node.child_by_field_name("operand")
        {
            self.changed_root(operand);
        }
    }

    fn changed_root(&mut self, node: Node<'_>) {
        let mut root = node;
        while let Some(operand) = root.child_by_field_name("operand") {
            root = operand;
        }
        if root.kind() == "identifier" {
            let text = self.text(root);
            self.blocks.change(&text);
        }
    }
}

/// Whether a sign stands among the children.
pub(crate) fn has_sign(node: Node<'_>, sign: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| child.kind() == sign)
}

/// Declarations in a list, with or without parentheses around it.
pub(crate) fn specs<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    children(node)
        .into_iter()
        .flat_map(|child| match child.kind() {
            "var_spec_list" => children(child),
            _ => vec![child],
        })
        .collect()
}

pub(crate) fn import_specs<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    children(node)
        .into_iter()
        .flat_map(|child| match child.kind() {
            "import_spec_list" => children(child),
            _ => vec![child],
        })
        .collect()
}
