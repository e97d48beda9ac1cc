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
mod state;
mod stmt;
mod target;
pub(crate) mod tree;

use std::collections::{HashMap, HashSet, VecDeque};

use ruff_python_ast::{self as ast, PySourceType, Stmt};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange};
use solvent_base::{FilePath, Interner, Name, Problem, ProblemKind, Span};
use solvent_ir::{
    BlockData, Class, ClassIndex, FnIndex, Function, FunctionKind, Language, Terminator, Unit,
};

use crate::MAX_SOURCE_BYTES;
use crate::source::Source;
use scope::{ScopeId, Scopes};

/// Syntax errors that are listed one by one; the rest are counted.
const LISTED_ERRORS: usize = 16;

pub(crate) fn lower(path: &FilePath, bytes: &[u8], interner: &Interner) -> Unit {
    let mut names = Names::new(interner);
    let mut unit = Unit {
        path: path.clone(),
        language: Language::Python,
        module: names.name(&module_name(path)),
        functions: Vec::new(),
        classes: Vec::new(),
        lines: lines(bytes),
        problems: Vec::new(),
    };
    let problem = |kind, span, message| Problem {
        kind,
        path: Some(path.clone()),
        span,
        message,
    };
    if bytes.len() as u64 > MAX_SOURCE_BYTES {
        unit.problems.push(problem(
            ProblemKind::TooLarge,
            None,
            format!(
                "{} bytes, more than the {MAX_SOURCE_BYTES} that are read; exclude or split it",
                bytes.len()
            ),
        ));
        unit.functions.push(empty_module(&mut names));
        return unit;
    }
    let source = Source::python(bytes);
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
        unit.functions.push(empty_module(&mut names));
        return unit;
    }
    let mut run = || lower_text(&source, &mut names, &mut unit);
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
    let scopes = Scopes::of_module(body, names);
    let well_known = WellKnown::new(names);
    let builtins = Builtins::new(names);
    let mut file = File {
        source,
        names,
        scopes: &scopes,
        well_known,
        builtins,
        functions: Vec::new(),
        function_of_scope: HashMap::default(),
        classes: Vec::new(),
        queue: VecDeque::new(),
        exhausted: false,
    };
    let module_span = Span {
        start: 0,
        end: source.offset(source.text.len() as u32),
    };
    let empty = file.names.name("");
    let name = file.names.name("<module>");
    file.reserve(Pending {
        name,
        qualname: empty,
        kind: FunctionKind::Module,
        scope: ScopeId(0),
        parent: None,
        class: None,
        is_async: false,
        span: module_span,
        name_span: Span::default(),
        body: Body::Statements(body),
        parameters: None,
    });
    while let Some(index) = file.queue.pop_front() {
        function::lower(&mut file, index);
    }
    let exhausted = file.exhausted;
    unit.functions = file
        .functions
        .into_iter()
        .filter_map(|slot| slot.function)
        .collect();
    unit.classes = file.classes;
    if exhausted {
        unit.problems.push(Problem {
            kind: ProblemKind::Limit,
            path: Some(unit.path.clone()),
            span: None,
            message: "a function has too many branches and variables to follow every one; some \
                      values are unknown"
                .into(),
        });
    }
}

/// Runs `f` with enough stack for one more level of the tree.
pub(crate) fn with_stack<T>(f: impl FnOnce() -> T) -> T {
    // The red zone holds the frames between two calls of this function, large in a debug build.
    stacker::maybe_grow(128 << 10, 2 << 20, f)
}

/// Names of one file, so that most look-ups take no lock.
pub(crate) struct Names<'i> {
    interner: &'i Interner,
    known: HashMap<Box<str>, Name>,
}

impl<'i> Names<'i> {
    fn new(interner: &'i Interner) -> Self {
        Self {
            interner,
            known: HashMap::new(),
        }
    }

    pub fn name(&mut self, text: &str) -> Name {
        if let Some(&name) = self.known.get(text) {
            return name;
        }
        let name = self.interner.name(text);
        self.known.insert(text.into(), name);
        name
    }

    pub fn text(&self, name: Name) -> std::sync::Arc<str> {
        self.interner.text(name)
    }
}

/// Names that lowering itself has a use for. Those in angle brackets cannot be written in Python.
#[derive(Clone, Copy)]
pub(crate) struct WellKnown {
    pub returned: Name,
    pub accumulator: Name,
    pub len: Name,
    pub isinstance: Name,
    pub getattr: Name,
    pub match_args: Name,
    pub super_: Name,
    pub setdefault: Name,
}

impl WellKnown {
    fn new(names: &mut Names<'_>) -> Self {
        Self {
            returned: names.name("<returned>"),
            accumulator: names.name("<accumulator>"),
            len: names.name("len"),
            isinstance: names.name("isinstance"),
            getattr: names.name("getattr"),
            match_args: names.name("__match_args__"),
            super_: names.name("super"),
            setdefault: names.name("setdefault"),
        }
    }
}

/// Builtin functions of the language, unless the module binds their names.
pub(crate) struct Builtins {
    /// They leave their arguments as they are.
    pub harmless: HashSet<Name>,
    /// What they return never changes.
    pub immutable: HashSet<Name>,
}

impl Builtins {
    fn new(names: &mut Names<'_>) -> Self {
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
        let immutable: HashSet<Name> = IMMUTABLE.iter().map(|text| names.name(text)).collect();
        let mut harmless: HashSet<Name> = HARMLESS.iter().map(|text| names.name(text)).collect();
        harmless.extend(&immutable);
        Self {
            harmless,
            immutable,
        }
    }
}

/// One file being lowered.
pub(crate) struct File<'a, 'i> {
    pub source: &'a Source<'a>,
    pub names: &'a mut Names<'i>,
    pub scopes: &'a Scopes,
    pub well_known: WellKnown,
    pub builtins: Builtins,
    pub functions: Vec<Slot<'a>>,
    pub function_of_scope: HashMap<u32, FnIndex>,
    pub classes: Vec<Class>,
    pub queue: VecDeque<FnIndex>,
    pub exhausted: bool,
}

/// A function that has its number, and later its code.
pub(crate) struct Slot<'a> {
    pub pending: Pending<'a>,
    /// What the parent knows about it, in the parent's values.
    pub outside: Outside,
    pub function: Option<Function>,
}

#[derive(Default)]
pub(crate) struct Outside {
    pub decorators: Vec<solvent_ir::Value>,
    pub returns: Option<solvent_ir::Value>,
    /// Default and annotation of each parameter.
    pub parameters: Vec<(Option<solvent_ir::Value>, Option<solvent_ir::Value>)>,
}

#[derive(Clone)]
pub(crate) struct Pending<'a> {
    pub name: Name,
    pub qualname: Name,
    pub kind: FunctionKind,
    pub scope: ScopeId,
    pub parent: Option<FnIndex>,
    pub class: Option<ClassIndex>,
    pub is_async: bool,
    pub span: Span,
    pub name_span: Span,
    pub body: Body<'a>,
    pub parameters: Option<&'a ast::Parameters>,
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

impl<'a> File<'a, '_> {
    /// Gives a function its number and puts it in the queue.
    pub fn reserve(&mut self, pending: Pending<'a>) -> FnIndex {
        let index = FnIndex(self.functions.len() as u32);
        // The first lowering of a scope is the one that captures refer to.
        self.function_of_scope
            .entry(pending.scope.0)
            .or_insert(index);
        self.functions.push(Slot {
            pending,
            outside: Outside::default(),
            function: None,
        });
        self.queue.push_back(index);
        index
    }

    pub fn span(&self, node: &impl Ranged) -> Span {
        let range = node.range();
        Span {
            start: self.source.offset(range.start().into()),
            end: self.source.offset(range.end().into()),
        }
    }
}

fn empty_module(names: &mut Names<'_>) -> Function {
    Function {
        name: names.name("<module>"),
        qualname: names.name(""),
        kind: FunctionKind::Module,
        is_async: false,
        is_generator: false,
        parent: None,
        class: None,
        params: Vec::new(),
        decorators: Vec::new(),
        returns: None,
        insts: Vec::new(),
        blocks: vec![BlockData {
            start: 0,
            end: 0,
            terminator: Terminator::Return(None),
            handlers: Vec::new(),
        }],
        span: Span::default(),
        name_span: Span::default(),
    }
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

fn lines(bytes: &[u8]) -> u32 {
    let breaks = bytes.iter().filter(|&&b| b == b'\n').count() as u32;
    breaks + u32::from(bytes.last().is_some_and(|&b| b != b'\n'))
}

/// Messages of the parser start with a capital letter; ours do not.
fn lower_case(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
