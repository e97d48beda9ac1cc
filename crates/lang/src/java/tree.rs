//! Reading tree-sitter's tree.

use tree_sitter::Node;

/// Named children, comments left out.
pub(crate) fn kids<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|kid| !kid.is_extra())
        .collect()
}

/// All children, signs and words among them.
pub(crate) fn all<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

pub(crate) fn field<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    node.child_by_field_name(name)
}

/// All children of this field.
pub(crate) fn fields<'a>(node: Node<'a>, name: &str) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    node.children_by_field_name(name, &mut cursor)
        .filter(|kid| kid.is_named())
        .collect()
}

/// The first child of this kind.
pub(crate) fn kid<'a>(node: Node<'a>, kind: &str) -> Option<Node<'a>> {
    kids(node).into_iter().find(|kid| kid.kind() == kind)
}

pub(crate) fn text<'s>(node: Node<'_>, source: &'s str) -> &'s str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// A dotted name without blanks and comments.
pub(crate) fn dotted(node: Node<'_>, source: &str) -> String {
    let mut parts = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match node.kind() {
            "identifier" | "type_identifier" => parts.push(text(node, source)),
            "type_arguments" => {}
            _ => open.extend(kids(node).into_iter().rev()),
        }
    }
    parts.join(".")
}

/// Whether a declaration has this word in front.
pub(crate) fn says(node: Node<'_>, word: &str) -> bool {
    kid(node, "modifiers")
        .is_some_and(|modifiers| all(modifiers).iter().any(|kid| kid.kind() == word))
}

pub(crate) fn annotations<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    let Some(modifiers) = kid(node, "modifiers") else {
        return Vec::new();
    };
    kids(modifiers)
        .into_iter()
        .filter(|kid| matches!(kid.kind(), "annotation" | "marker_annotation"))
        .collect()
}

/// Levels of the tree.
pub(crate) fn depth(root: Node<'_>) -> u32 {
    let mut cursor = root.walk();
    let (mut depth, mut most) = (0_u32, 0_u32);
    loop {
        if cursor.goto_first_child() {
            depth += 1;
            most = most.max(depth);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return most;
            }
            depth -= 1;
        }
    }
}

/// Places that do not follow the grammar.
pub(crate) fn errors<'a>(root: Node<'a>) -> Vec<Node<'a>> {
    let mut out = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if !node.has_error() {
            continue;
        }
        if node.is_error() || node.is_missing() {
            out.push(node);
            continue;
        }
        open.extend(all(node).into_iter().rev());
    }
    out
}

/// Whether anything in `node` makes a function or class.
pub(crate) fn defines(node: Node<'_>) -> bool {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if matches!(
            node.kind(),
            "lambda_expression"
                | "class_body"
                | "class_declaration"
                | "record_declaration"
                | "enum_declaration"
                | "interface_declaration"
        ) {
            return true;
        }
        open.extend(kids(node));
    }
    false
}
