//! Java, by tree-sitter's grammar.
//!
//! `index` lists the classes of a file with their members, `scope` decides where each name lives, `names` finds
//! what a name means; `class`, `function`, `stmt`, `switch`, `expr`, `call` and `target` follow the grammar.
//! Generics are left out.
//!
//! What the language does and the IR has no word for is a call of a name in angle brackets, which no program can
//! bind, imported from `<java>`: `<instanceof>`, `<array>`, `<number>`, `<class>`, `<method>`, `<declared>`, `<as>`,
//! `<constant>`, `<component>`, `<annotation>`. A simple name of a class that the file does not say more about is imported from `<type>`: from the
//! same package, the packages that the file imports as a whole, or `java.lang`.
//!
//! Constructors are methods called `<init>`, initialisers of fields a method `<fields>` that constructors call; an
//! inner class keeps the object around it as `<outer>`. Annotations of a class are its attribute `<annotations>`.
//! A method without code has the statement that an annotation over it holds (`statement`); one of a mapper calls
//! `<mapped>` with its name and what it gets, and is kept as `<mapped>` and its name, behind those that are written.
//! `equals` and `contains` are the comparisons that they stand for.

mod call;
mod class;
mod expr;
mod function;
mod index;
mod names;
mod scope;
mod statement;
mod stmt;
mod switch;
mod target;
mod tree;

use solvent_base::{FilePath, Interner, Problem, ProblemKind, Span};
use solvent_ir::{Language, Unit};
use tree_sitter::Node;

use crate::LISTED_ERRORS;
use crate::lower::{Builtins, File, Names, begun};
use crate::parse;
use crate::source::Source;

/// Deepest tree that is read. Hand-written code stays below 200.
const MAX_DEPTH: u32 = 8_000;

/// A function's code.
#[derive(Clone, Copy)]
pub(crate) enum Code<'a> {
    Module(Node<'a>),
    /// The body of the class of that number.
    Class(usize),
    /// A method or constructor of the class of that number.
    Method(Node<'a>, usize),
    /// The constructor of a class that writes none.
    Constructor(usize),
    /// The initialisers of a class's fields.
    Fields(usize),
    Lambda(Node<'a>),
}

impl<'a> crate::lower::Code for Code<'a> {
    type Shared = &'a scope::Shared<'a>;
    const KEEPS_IN_CLASSES: bool = true;
}

pub(crate) type Lower<'f, 'a, 'i> = crate::lower::Lower<'f, 'a, 'i, Code<'a>>;
pub(crate) type Pending<'a> = crate::lower::Pending<Code<'a>>;

pub(crate) fn lower(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    let mut names = Names::new(interner);
    let stem = path.file_name().split('.').next().unwrap_or_default();
    let mut unit = begun(path, bytes, Language::Java, stem, &mut names);
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
    lower_text(&source, stem, &mut names, &mut unit);
    unit
}

fn lower_text(source: &Source<'_>, stem: &str, names: &mut Names<'_>, unit: &mut Unit) {
    let Some(tree) = parse::tree(&tree_sitter_java::LANGUAGE.into(), &source.text) else {
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span: None,
            message: "the parser gave up".into(),
        });
        return;
    };
    let depth = tree::depth(tree.root_node());
    if depth > MAX_DEPTH {
        unit.problems.push(Problem {
            kind: ProblemKind::Limit,
            path: Some(unit.path.clone()),
            span: None,
            message: format!("nested too deeply to be read ({depth} levels; at most {MAX_DEPTH})"),
        });
        return;
    }
    report_errors(source, tree.root_node(), unit);
    let index = index::of(tree.root_node(), &source.text);
    if !index.package.is_empty() {
        unit.module = names.name(&format!("{}.{stem}", index.package));
    }
    let (scopes, shared) = scope::of(index, tree.root_node(), &source.text, names);
    if crate::lower::is_too_deep(&scopes, unit) {
        return;
    }
    let builtins = Builtins::new(names, &[], &[]);
    let mut file = File::new(source, names, &scopes, builtins, &shared);
    file.module(Code::Module(tree.root_node()));
    while let Some(index) = file.queue.pop_front() {
        function::lower(&mut file, index);
    }
    file.hand_over(unit);
}

fn report_errors(source: &Source<'_>, root: Node<'_>, unit: &mut Unit) {
    let errors = tree::errors(root);
    for error in errors.iter().take(LISTED_ERRORS) {
        let span = Span {
            start: source.offset(error.start_byte() as u32),
            end: source.offset(error.end_byte() as u32),
        };
        let message = if error.is_missing() {
            format!("`{}` is missing", error.kind())
        } else {
            "this cannot be read".into()
        };
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span: Some(span),
            message,
        });
    }
    if errors.len() > LISTED_ERRORS {
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span: None,
            message: format!("{} more syntax errors", errors.len() - LISTED_ERRORS),
        });
    }
}
