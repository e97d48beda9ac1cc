//! JavaScript and TypeScript, by oxc's parser and its resolution of names.
//!
//! `scope` decides where each name lives; `function`, `class`, `module`, `stmt`, `target`, `expr` and `jsx`
//! follow the grammar. Types are left out, but for the classes that they name.
//!
//! What the language does and the IR has no word for is a call of a name in angle brackets, which no
//! program can bind: `<new>`, `<typeof>`, `<keys>`, `<jsx>`, `<getter>`, `<static>`. A name that nothing binds
//! is imported from `<global>`. What a module exports as `x` is stored as `<export> x`, what CommonJS exports
//! as `<exports>`; `require(m)` imports the member `module.exports` of `m`.

mod class;
mod depth;
mod expr;
mod function;
mod jsx;
mod module;
mod scope;
mod stmt;
mod target;

use oxc_allocator::Allocator;
use oxc_ast::ast;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use solvent_base::{FilePath, Interner, Problem, ProblemKind, Span};
use solvent_ir::{Language, Unit};

use crate::LISTED_ERRORS;
use crate::lower::{Builtins, File, Names, begun, lower_case};
use crate::source::Source;

/// A function's code.
#[derive(Clone, Copy)]
pub(crate) enum Code<'a> {
    Module(&'a ast::Program<'a>),
    Function(Body<'a>),
    Class(&'a ast::Class<'a>),
}

/// Parameters and body of a function of whatever form.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a> {
    pub parameters: &'a ast::FormalParameters<'a>,
    pub statements: Statements<'a>,
    /// The name by which a function expression calls itself.
    pub own_name: Option<solvent_base::Name>,
}

#[derive(Clone, Copy)]
pub(crate) enum Statements<'a> {
    Block(&'a ast::FunctionBody<'a>),
    /// The body of an arrow function without braces.
    Expression(&'a ast::Expression<'a>),
    /// A declaration without a body.
    Nothing,
}

impl<'a> crate::lower::Code for Code<'a> {
    type Shared = &'a scope::Symbols;
    const KEEPS_IN_DEFINITIONS: bool = true;
}

pub(crate) type Lower<'f, 'a, 'i> = crate::lower::Lower<'f, 'a, 'i, Code<'a>>;
pub(crate) type Pending<'a> = crate::lower::Pending<Code<'a>>;

pub(crate) fn lower(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    lower_source(path, bytes, &Source::utf8(bytes), interner)
}

/// Does something that goes down the tree of a text, with the stack that this takes; `None` where the text is
/// nested too deeply.
pub(crate) fn with_room<T>(text: &str, work: impl FnOnce() -> Option<T>) -> Option<T> {
    let depth = depth::of(text);
    if depth > MAX_VIEW_DEPTH {
        return None;
    }
    stacker::grow(depth::stack(depth, text.len()), work)
}

/// Deepest nesting of a template's code: people write some dozens of levels.
const MAX_VIEW_DEPTH: u32 = 2_000;

/// Lowers a text whose places are those of the file.
pub(crate) fn lower_source(
    path: &FilePath,
    bytes: &[u8],
    source: &Source<'_>,
    interner: &Interner,
) -> Unit {
    let mut names = Names::new(interner);
    let module = module::name(path);
    let mut unit = begun(path, bytes, Language::JavaScript, &module, &mut names);
    if !unit.problems.is_empty() {
        return unit;
    }
    if let Some(message) = &source.problem {
        unit.problems.push(Problem {
            kind: ProblemKind::Encoding,
            path: Some(path.clone()),
            span: None,
            message: message.clone(),
        });
    }
    let depth = depth::of(&source.text);
    if depth > depth::MAX_DEPTH {
        unit.problems.push(Problem {
            kind: ProblemKind::Limit,
            path: Some(path.clone()),
            span: None,
            message: format!(
                "nested too deeply to be read (about {depth} levels; at most {})",
                depth::MAX_DEPTH
            ),
        });
        return unit;
    }
    stacker::grow(depth::stack(depth, source.text.len()), || {
        lower_text(source, &mut names, &mut unit);
    });
    unit
}

fn lower_text(source: &Source<'_>, names: &mut Names<'_>, unit: &mut Unit) {
    let allocator = Allocator::default();
    let options = ParseOptions {
        allow_return_outside_function: true,
        preserve_parens: false,
        ..ParseOptions::default()
    };
    let parsed = Parser::new(&allocator, &source.text, source_type(&unit.path))
        .with_options(options)
        .parse();
    for error in parsed.diagnostics.iter().take(LISTED_ERRORS) {
        let span = error.labels.first().map(|label| Span {
            start: source.offset(label.offset()),
            end: source.offset(label.offset() + label.len()),
        });
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span,
            message: lower_case(&error.message),
        });
    }
    if parsed.diagnostics.len() > LISTED_ERRORS {
        unit.problems.push(Problem {
            kind: ProblemKind::Syntax,
            path: Some(unit.path.clone()),
            span: None,
            message: format!(
                "{} more syntax errors",
                parsed.diagnostics.len() - LISTED_ERRORS
            ),
        });
    }
    let program = &parsed.program;
    let scoping = SemanticBuilder::new()
        .build(program)
        .semantic
        .into_scoping();
    let (scopes, symbols) = scope::of_program(program, &scoping, names);
    if crate::lower::is_too_deep(&scopes, unit) {
        return;
    }
    let builtins = Builtins::new(names, &[], &[]);
    let mut file = File::new(source, names, &scopes, builtins, &symbols);
    file.module(Code::Module(program));
    while let Some(index) = file.queue.pop_front() {
        function::lower(&mut file, index);
    }
    file.hand_over(unit);
}

/// A script or a module, whichever its text is; JSX is read in every JavaScript file, as bundlers do.
fn source_type(path: &FilePath) -> SourceType {
    match path.extension() {
        Some("ts" | "mts" | "cts") => SourceType::ts(),
        Some("tsx") => SourceType::tsx(),
        Some("cjs") => SourceType::cjs().with_jsx(true),
        Some("mjs") => SourceType::mjs().with_jsx(true),
        _ => SourceType::unambiguous().with_jsx(true),
    }
}
