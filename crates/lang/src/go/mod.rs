//! Go, by tree-sitter's grammar.
//!
//! `scope` decides where each name lives, `declare` holds functions and types, `stmt`, `target` and `expr` follow
//! the grammar. A pointer is what it points to, so that both names of it see its versions; where Go copies a
//! value, lowering calls `<copy>`. Methods are stored by the module as `<method> T.m`, since another file may
//! declare the type. Builtin functions are imported from `<global>`, as are `<copy>`, `<convert>`, `<nth>`,
//! `<keys>` and `<values>`.

mod declare;
mod expr;
mod scope;
mod stmt;
mod target;

use std::collections::HashSet;

use solvent_base::{FilePath, Interner, Name, Problem, ProblemKind, Span};
use solvent_ir::{Language, Unit};
use tree_sitter::Node;

use crate::LISTED_ERRORS;
use crate::blocks::Variables;
use crate::lower::{Builtins, File, Names, begun};
use crate::source::Source;

/// A function's code.
#[derive(Clone, Copy)]
pub(crate) enum Code<'a> {
    Module(Node<'a>),
    Function(Body<'a>),
    /// A struct type, or another type with a name.
    Class(Node<'a>),
}

#[derive(Clone, Copy)]
pub(crate) struct Body<'a> {
    pub receiver: Option<Node<'a>>,
    pub parameters: Option<Node<'a>>,
    pub result: Option<Node<'a>>,
    pub block: Option<Node<'a>>,
}

/// What is known of the whole file.
pub(crate) struct Facts<'a> {
    pub text: &'a str,
    pub variables: Variables,
    /// Types of this file whose values are copied: structs and arrays.
    pub copied: HashSet<String>,
    /// Variables whose address is taken.
    pub addressed: HashSet<Name>,
    pub global: Name,
    pub whole: Name,
}

impl<'a> crate::lower::Code for Code<'a> {
    type Shared = &'a Facts<'a>;
    const SHARES_GLOBALS: bool = true;
}

pub(crate) type Lower<'f, 'a, 'i> = crate::lower::Lower<'f, 'a, 'i, Code<'a>>;
pub(crate) type Pending<'a> = crate::lower::Pending<Code<'a>>;

/// Stack for the deepest tree that is read: levels of the tree cost no stack in the parser, and `with_stack`
/// grows it in lowering.
const STACK: usize = 4 << 20;

pub(crate) fn lower(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    let mut names = Names::new(interner);
    let text = path.as_str();
    let module = text.strip_suffix(".go").unwrap_or(text).to_owned();
    let mut unit = begun(path, bytes, Language::Go, &module, &mut names);
    if !unit.problems.is_empty() {
        return unit;
    }
    let source = Source::utf8(bytes);
    if let Some(message) = &source.problem {
        unit.problems.push(Problem {
            kind: ProblemKind::Encoding,
            path: Some(path.clone()),
            span: None,
            message: message.clone(),
        });
    }
    stacker::maybe_grow(STACK, STACK, || {
        lower_text(&source, &mut names, &mut unit);
    });
    unit
}

fn lower_text(source: &Source<'_>, names: &mut Names<'_>, unit: &mut Unit) {
    let Some(tree) = crate::parse::tree(&tree_sitter_go::LANGUAGE.into(), &source.text) else {
        unit.problems.push(Problem {
            kind: ProblemKind::Limit,
            path: Some(unit.path.clone()),
            span: None,
            message: "the parser gave up on the file".to_owned(),
        });
        return;
    };
    let root = tree.root_node();
    unit.problems
        .extend(syntax_errors(root, source, &unit.path));
    let (scopes, facts) = scope::of_file(root, &source.text, names);
    if crate::lower::is_too_deep(&scopes, unit) {
        return;
    }
    let builtins = Builtins::new(names, &[], &["len", "cap", "print", "println", "string"]);
    let mut file = File::new(source, names, &scopes, builtins, &facts);
    file.module(Code::Module(root));
    while let Some(index) = file.queue.pop_front() {
        declare::lower(&mut file, index);
    }
    file.hand_over(unit);
}

/// Where the text is not of the language, at most [`LISTED_ERRORS`] places.
pub(crate) fn syntax_errors(root: Node<'_>, source: &Source<'_>, path: &FilePath) -> Vec<Problem> {
    let mut out = Vec::new();
    if !root.has_error() {
        return out;
    }
    let mut cursor = root.walk();
    let mut more = 0_u32;
    'walk: loop {
        let node = cursor.node();
        let broken = node.is_error() || node.is_missing();
        if broken && out.len() < LISTED_ERRORS {
            let message = if node.is_missing() {
                format!("`{}` is missing", node.kind())
            } else {
                "this is not of the language".to_owned()
            };
            out.push(Problem {
                kind: ProblemKind::Syntax,
                path: Some(path.clone()),
                span: Some(Span {
                    start: source.offset(node.start_byte() as u32),
                    end: source.offset(node.end_byte() as u32),
                }),
                message,
            });
        } else if broken {
            more += 1;
        }
        if !broken && node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    if more > 0 {
        out.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(path.clone()),
            span: None,
            message: format!("{more} more syntax errors"),
        });
    }
    out
}

/// Named children, comments aside.
pub(crate) fn children<'a>(node: Node<'a>) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| !child.is_extra())
        .collect()
}

/// Children under a field's name, separators aside.
pub(crate) fn fields<'a>(node: Node<'a>, name: &str) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    node.children_by_field_name(name, &mut cursor)
        .filter(Node::is_named)
        .collect()
}

pub(crate) fn text_of<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// The name that an import binds if it gives none: the last part of the path that is no version.
pub(crate) fn package_name(path: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or_default();
    let last = if is_version(last) {
        parts.next().unwrap_or(last)
    } else {
        last
    };
    // `gopkg.in/yaml.v3`, `go-redis`
    let last = last.split('.').next().unwrap_or(last);
    last.rsplit('-').next().unwrap_or(last)
}
