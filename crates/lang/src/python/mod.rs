//! Python, by ruff's parser.
//!
//! `scope` decides where each name lives, `lower` holds one function under construction, `state` its
//! versions and refinements, and `stmt`, `flow`, `pattern`, `expr` follow the grammar. Functions are
//! lowered from a queue, so nesting of definitions costs no stack.

mod depth;
mod expr;
mod flow;
mod function;
mod pattern;
mod scope;
mod stmt;
mod target;
pub(crate) mod tree;

use ruff_python_ast::{self as ast, PySourceType, Stmt};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::TextRange;
use solvent_base::{FilePath, Interner, Problem, ProblemKind, Span};
use solvent_ir::{Language, Unit};

use crate::LISTED_ERRORS;
use crate::lower::{Builtins, File, Names, begun, lower_case};
use crate::source::Source;

/// A function's code: its body, and its parameters if it has any.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    pub body: Body<'a>,
    pub parameters: Option<&'a ast::Parameters>,
}

impl crate::lower::Code for Code<'_> {
    type Shared = ();
    const KEEPS_IN_DEFINITIONS: bool = true;
}

pub(crate) type Lower<'f, 'a, 'i> = crate::lower::Lower<'f, 'a, 'i, Code<'a>>;
pub(crate) type Pending<'a> = crate::lower::Pending<Code<'a>>;

/// Builtin functions whose results never change.
const IMMUTABLE: &[&str] = &[
    "abs",
    "ascii",
    "bin",
    "bool",
    "bytes",
    "callable",
    "chr",
    "complex",
    "float",
    "format",
    "frozenset",
    "hasattr",
    "hash",
    "hex",
    "id",
    "int",
    "isinstance",
    "issubclass",
    "len",
    "oct",
    "ord",
    "pow",
    "range",
    "repr",
    "round",
    "str",
];

/// Builtin functions that leave their arguments as they are.
const HARMLESS: &[&str] = &[
    "all",
    "any",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "filter",
    "getattr",
    "iter",
    "list",
    "map",
    "max",
    "min",
    "open",
    "print",
    "reversed",
    "set",
    "sorted",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

pub(crate) fn lower(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    lower_source(path, bytes, &Source::python(bytes), interner)
}

/// Whether the text is a program that can be read.
pub(crate) fn parses(text: &str) -> bool {
    let depth = depth::of(text);
    depth.brackets <= depth::MAX_BRACKETS
        && depth.tree <= depth::SHALLOW
        && parse_unchecked_source(text, PySourceType::Python)
            .errors()
            .is_empty()
}

/// Lowers a text whose places are those of the file.
pub(crate) fn lower_source(
    path: &FilePath,
    bytes: &[u8],
    source: &Source<'_>,
    interner: &Interner,
) -> Unit {
    let mut names = Names::new(interner);
    let mut unit = begun(
        path,
        bytes,
        Language::Python,
        &module_name(path),
        &mut names,
    );
    if !unit.problems.is_empty() {
        return unit;
    }
    let problem = |kind, span, message| Problem {
        kind,
        path: Some(path.clone()),
        span,
        message,
    };
    if let Some(message) = &source.problem {
        unit.problems
            .push(problem(ProblemKind::Encoding, None, message.clone()));
    }
    let depth = depth::of(&source.text);
    if depth.brackets > depth::MAX_BRACKETS || depth.tree > depth::MAX_DEPTH {
        let message = format!(
            "nested too deeply to be read ({} brackets, {} operators; at most {} and {}); Python \
             itself refuses such a file",
            depth.brackets,
            depth.tree,
            depth::MAX_BRACKETS,
            depth::MAX_DEPTH
        );
        unit.problems
            .push(problem(ProblemKind::Limit, None, message));
        return unit;
    }
    let mut run = || lower_text(source, &mut names, &mut unit);
    if depth.tree > depth::SHALLOW {
        stacker::grow(depth::STACK, run);
    } else {
        run();
    }
    unit
}

fn lower_text(source: &Source<'_>, names: &mut Names<'_>, unit: &mut Unit) {
    let parsed = parse_unchecked_source(&source.text, PySourceType::Python);
    let span = |range: TextRange| Span {
        start: source.offset(range.start().into()),
        end: source.offset(range.end().into()),
    };
    let errors = parsed.errors();
    for error in errors.iter().take(LISTED_ERRORS) {
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span: Some(span(error.location)),
            message: lower_case(&error.error.to_string()),
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

    let body = &parsed.syntax().body;
    let scopes = scope::of_module(body, names);
    if crate::lower::is_too_deep(&scopes, unit) {
        return;
    }
    let builtins = Builtins::new(names, IMMUTABLE, HARMLESS);
    let mut file = File::new(source, names, &scopes, builtins, ());
    file.module(Code {
        body: Body::Statements(body),
        parameters: None,
    });
    while let Some(index) = file.queue.pop_front() {
        function::lower(&mut file, index);
    }
    file.hand_over(unit);
}

#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Statements(&'a [Stmt]),
    Expression(&'a ast::Expr),
    Comprehension(Comprehension<'a>),
}

#[derive(Clone, Copy)]
pub(crate) struct Comprehension<'a> {
    pub generators: &'a [ast::Comprehension],
    pub kind: ComprehensionKind,
    pub key: Option<&'a ast::Expr>,
    pub element: &'a ast::Expr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComprehensionKind {
    List,
    Set,
    Dict,
    Generator,
}

fn module_name(path: &FilePath) -> String {
    let text = path.as_str();
    let stem = text
        .strip_suffix(".py")
        .or_else(|| text.strip_suffix(".pyw"))
        .unwrap_or(text);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    stem.replace('/', ".")
}
