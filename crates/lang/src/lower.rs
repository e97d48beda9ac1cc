//! One file, and one function of it, under construction, whatever the language.
//!
//! `state` holds the versions of objects and what branches teach, `ways` the ways out of functions and
//! loops; each language's own modules follow its grammar.

use std::collections::{HashMap, HashSet, VecDeque};

use solvent_base::{FilePath, Interner, Name, Problem, ProblemKind, Span};
use solvent_ir::{
    Arg, Block, BlockData, Class, ClassIndex, Const, FnIndex, Function, FunctionKind, Language, Op,
    Param, Scope, Terminator, Unit, Value,
};

use crate::MAX_SOURCE_BYTES;
use crate::scope::{Home, MAX_NESTING, ScopeId, Scopes, bind};
use crate::source::Source;
use crate::ssa::{Builder, Fallback, IntMap};

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
    pub fn new(interner: &'i Interner) -> Self {
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
    pub prototype: Name,
}

impl WellKnown {
    pub fn new(names: &mut Names<'_>) -> Self {
        Self {
            returned: names.name("<returned>"),
            accumulator: names.name("<accumulator>"),
            len: names.name("len"),
            isinstance: names.name("isinstance"),
            getattr: names.name("getattr"),
            match_args: names.name("__match_args__"),
            super_: names.name("super"),
            setdefault: names.name("setdefault"),
            prototype: names.name("prototype"),
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
    /// What never changes is harmless too.
    pub fn new(names: &mut Names<'_>, immutable: &[&str], harmless: &[&str]) -> Self {
        let immutable: HashSet<Name> = immutable.iter().map(|text| names.name(text)).collect();
        let mut harmless: HashSet<Name> = harmless.iter().map(|text| names.name(text)).collect();
        harmless.extend(&immutable);
        Self {
            harmless,
            immutable,
        }
    }
}

/// A function's code in the language's own tree.
pub(crate) trait Code: Clone {
    /// What the language knows of the whole file.
    type Shared;
    /// Whether what is reached by the name of a class is kept there, so that writes into it are written back.
    const KEEPS_IN_CLASSES: bool = false;
    /// Whether classes and modules are objects, so that writes into their attributes are written back.
    const KEEPS_IN_DEFINITIONS: bool = false;
    /// Whether a name that the file does not declare may be a variable of another file.
    const SHARES_GLOBALS: bool = false;
}

/// One file being lowered; `B` is a function's code in the language's own tree.
pub(crate) struct File<'a, 'i, B: Code> {
    pub source: &'a Source<'a>,
    pub shared: B::Shared,
    pub names: &'a mut Names<'i>,
    pub scopes: &'a Scopes,
    pub well_known: WellKnown,
    pub builtins: Builtins,
    pub functions: Vec<Slot<B>>,
    pub function_of_scope: HashMap<u32, FnIndex>,
    pub classes: Vec<Class>,
    pub queue: VecDeque<FnIndex>,
    pub exhausted: bool,
}

/// A function that has its number, and later its code.
pub(crate) struct Slot<B> {
    pub pending: Pending<B>,
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
pub(crate) struct Pending<B> {
    pub name: Name,
    pub qualname: Name,
    pub kind: FunctionKind,
    pub scope: ScopeId,
    pub parent: Option<FnIndex>,
    pub class: Option<ClassIndex>,
    pub is_async: bool,
    pub span: Span,
    pub name_span: Span,
    /// The code, as the language's parser gives it.
    pub body: B,
}

/// What encloses the statement being lowered, innermost last.
pub(crate) enum Context {
    Loop {
        exit: Block,
        next: Block,
        label: Option<Name>,
    },
    /// Something that can be left but not gone on with: a `switch`, a block with a label.
    Breakable {
        exit: Block,
        label: Option<Name>,
    },
    Finally(Exits),
}

/// Where the ways out of a `try` with `finally` lead first.
#[derive(Clone, Copy)]
pub(crate) struct Exits {
    pub returned: Block,
    pub exit: Block,
    pub next: Block,
}

/// Where a construct with several ways through it begins.
#[derive(Clone, Copy)]
pub(crate) struct Fork {
    pub block: Block,
    pub mark: u32,
}

pub(crate) struct Lower<'f, 'a, 'i, B: Code> {
    pub file: &'f mut File<'a, 'i, B>,
    pub b: Builder,
    pub index: FnIndex,
    pub scope: ScopeId,
    pub kind: FunctionKind,
    /// In a class body, the class.
    pub class: Option<ClassIndex>,
    pub contexts: Vec<Context>,
    /// Functions whose decorators, defaults and annotations are values of this one.
    pub children: Vec<FnIndex>,
    /// Classes whose bases and decorators are values of this one.
    pub classes: Vec<ClassIndex>,
    pub first_parameter: Option<Name>,
    /// The newer version of each value that was written into.
    pub superseded: IntMap<u32, Value>,
    /// What a variable that is assigned in one place was assigned.
    pub assigned: IntMap<Name, Value>,
    /// The call that is a statement of its own, while it is lowered: its node, then its value.
    pub statement: Option<usize>,
    pub discarded: Option<Value>,
    /// How many copies of `finally` bodies this code is in.
    pub copies: u32,
    /// Calls that are made when the function ends.
    pub deferred: Vec<(Value, Vec<Arg>, Span)>,
    /// Where every way through the function leads through, so far: calls deferred there are made at its end.
    pub straight: Block,
    /// Variables that a function which exists already captures, with the value that it was last shown and where.
    pub shown: IntMap<Name, (Value, Block)>,
}

impl<'a, 'i, B: Code> File<'a, 'i, B> {
    /// Gives a function its number and puts it in the queue.
    pub fn reserve(&mut self, pending: Pending<B>) -> FnIndex {
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

    /// A file of which nothing is lowered yet.
    pub fn new(
        source: &'a Source<'a>,
        names: &'a mut Names<'i>,
        scopes: &'a Scopes,
        builtins: Builtins,
        shared: B::Shared,
    ) -> Self {
        let well_known = WellKnown::new(names);
        Self {
            source,
            shared,
            names,
            scopes,
            well_known,
            builtins,
            functions: Vec::new(),
            function_of_scope: HashMap::default(),
            classes: Vec::new(),
            queue: VecDeque::new(),
            exhausted: false,
        }
    }

    /// Puts the module body in the queue.
    pub fn module(&mut self, body: B) {
        let (name, qualname) = (self.names.name("<module>"), self.names.name(""));
        let span = self.place(0, self.source.text.len() as u32);
        self.reserve(Pending {
            name,
            qualname,
            kind: FunctionKind::Module,
            scope: ScopeId(0),
            parent: None,
            class: None,
            is_async: false,
            span,
            name_span: Span::default(),
            body,
        });
    }

    /// What was lowered becomes the unit's.
    pub fn hand_over(self, unit: &mut Unit) {
        unit.functions = self
            .functions
            .into_iter()
            .filter_map(|slot| slot.function)
            .collect();
        unit.classes = self.classes;
        if self.exhausted {
            unit.problems.push(Problem {
                kind: ProblemKind::Limit,
                path: Some(unit.path.clone()),
                span: None,
                message: "a function has too many branches and variables to follow every one; \
                          some values are unknown"
                    .into(),
            });
        }
    }

    /// The place in the file of a range of the text.
    pub fn place(&self, start: u32, end: u32) -> Span {
        Span {
            start: self.source.offset(start),
            end: self.source.offset(end),
        }
    }
}

impl<'f, 'a, 'i, B: Code> Lower<'f, 'a, 'i, B> {
    /// Begins function `index` of the file, whose parent is lowered already.
    pub fn begin(file: &'f mut File<'a, 'i, B>, index: FnIndex) -> (Self, Pending<B>) {
        let pending = file.functions[index.0 as usize].pending.clone();
        let class = match pending.kind {
            FunctionKind::ClassBody => pending.class,
            _ => None,
        };
        let fallback = match pending.kind {
            FunctionKind::Module | FunctionKind::ClassBody => Fallback::Global,
            _ => Fallback::Nothing,
        };
        let lower = Self {
            file,
            b: Builder::new(fallback),
            index,
            scope: pending.scope,
            kind: pending.kind,
            class,
            contexts: Vec::new(),
            children: Vec::new(),
            classes: Vec::new(),
            first_parameter: None,
            superseded: IntMap::default(),
            assigned: IntMap::default(),
            statement: None,
            discarded: None,
            copies: 0,
            deferred: Vec::new(),
            straight: Block(0),
            shown: IntMap::default(),
        };
        (lower, pending)
    }
}

impl<B: Code> Lower<'_, '_, '_, B> {
    pub fn finish(self, pending: Pending<B>, params: Vec<Param>) {
        let Self {
            file,
            b,
            index,
            children,
            classes,
            ..
        } = self;
        let end = Span {
            start: pending.span.end,
            end: pending.span.end,
        };
        let kept: Vec<Value> = children
            .iter()
            .flat_map(|child| {
                let outside = &file.functions[child.0 as usize].outside;
                let parameters = outside
                    .parameters
                    .iter()
                    .flat_map(|&(d, a)| [d, a])
                    .flatten();
                outside
                    .decorators
                    .iter()
                    .copied()
                    .chain(outside.returns)
                    .chain(parameters)
            })
            .chain(classes.iter().flat_map(|class| {
                let class = &file.classes[class.0 as usize];
                class.bases.iter().chain(&class.decorators).copied()
            }))
            .collect();
        let built = b.finish(end, &kept);
        file.exhausted |= built.exhausted;
        let place = |value: &mut Value| *value = built.renumber[value.0 as usize];
        for child in children {
            let outside = &mut file.functions[child.0 as usize].outside;
            outside.decorators.iter_mut().for_each(place);
            outside.returns.iter_mut().for_each(place);
            for (default, annotation) in &mut outside.parameters {
                default.iter_mut().for_each(place);
                annotation.iter_mut().for_each(place);
            }
        }
        for class in classes {
            let class = &mut file.classes[class.0 as usize];
            class.bases.iter_mut().for_each(place);
            class.decorators.iter_mut().for_each(place);
        }
        let scope = file.scopes.get(pending.scope);
        let slot = &mut file.functions[index.0 as usize];
        let outside = std::mem::take(&mut slot.outside);
        let class = match pending.kind {
            FunctionKind::ClassBody => None,
            _ => pending.class,
        };
        slot.function = Some(Function {
            name: pending.name,
            qualname: pending.qualname,
            kind: pending.kind,
            is_async: pending.is_async,
            is_generator: scope.is_generator,
            parent: pending.parent,
            class,
            params,
            decorators: outside.decorators,
            returns: outside.returns,
            insts: built.insts,
            blocks: built.blocks,
            span: pending.span,
            name_span: pending.name_span,
        });
    }

    /// Gives a function inside this one its number and puts it in the queue.
    pub fn reserve(&mut self, pending: Pending<B>) -> FnIndex {
        self.show_captured(pending.scope, pending.name_span);
        let index = self.file.reserve(pending);
        self.children.push(index);
        index
    }

    /// What an inner function captures has the value that it has here, and whatever it is given later.
    fn show_captured(&mut self, inner: ScopeId, span: Span) {
        if matches!(self.kind, FunctionKind::Module | FunctionKind::ClassBody) {
            return;
        }
        let mut names: Vec<Name> = self
            .file
            .scopes
            .captured(inner)
            .iter()
            .filter(|(owner, _)| *owner == self.scope)
            .map(|(_, name)| *name)
            .collect();
        // Numbers of names differ from run to run.
        names.sort_by_cached_key(|name| self.file.names.text(*name));
        for name in names {
            if self.flags(name) & bind::CELL != 0 {
                continue;
            }
            let here = self.b.here();
            let Some(value) = self.b.read(name) else {
                // Bound later: then it is shown.
                self.shown.entry(name).or_insert((Value(u32::MAX), here));
                continue;
            };
            if self.shown.insert(name, (value, here)) != Some((value, here)) {
                let scope = Scope::Own;
                self.b.emit(Op::StoreName { scope, name, value }, span);
            }
        }
    }

    /// Whether a function that exists, or may exist when control gets here again, sees what the variable is
    /// given here.
    fn is_seen(&self, name: Name) -> bool {
        let in_loop = |context: &Context| matches!(context, Context::Loop { .. });
        self.shown.contains_key(&name) || self.contexts.iter().any(in_loop)
    }

    // Names.

    pub fn read_name(&mut self, name: Name, span: Span) -> Value {
        match self.file.scopes.home(self.scope, name) {
            Home::Local => match self.b.read(name) {
                Some(value) => value,
                None => self.b.emit(Op::Unknown("unbound variable"), span),
            },
            Home::Cell => self.b.emit(
                Op::Captured {
                    function: self.index,
                    name,
                },
                span,
            ),
            Home::Enclosing(scope) => match self.file.function_of_scope.get(&scope.0) {
                Some(&function) => self.b.emit(Op::Captured { function, name }, span),
                None => self.b.emit(Op::Unknown("unbound variable"), span),
            },
            Home::Module => self.b.emit(Op::Global(name), span),
        }
    }

    /// Binds `name` by an assignment of whatever form.
    pub fn write_name(&mut self, name: Name, value: Value, span: Span) {
        self.assigned.insert(name, value);
        self.bind_version(name, value, span);
    }

    /// Binds `name` to a value or to a newer version of the object it is bound to.
    pub fn bind_version(&mut self, name: Name, value: Value, span: Span) {
        let scope = match self.file.scopes.home(self.scope, name) {
            Home::Local => {
                self.b.write(name, value);
                match self.kind {
                    FunctionKind::Module => Scope::Module,
                    FunctionKind::ClassBody => Scope::Class,
                    _ if self.flags(name) & bind::CAPTURED != 0 && self.is_seen(name) => Scope::Own,
                    _ => return,
                }
            }
            Home::Cell if self.kind == FunctionKind::ClassBody => Scope::Class,
            Home::Cell => Scope::Own,
            Home::Enclosing(scope) => match self.file.function_of_scope.get(&scope.0) {
                Some(&function) => Scope::Enclosing(function),
                None => return,
            },
            Home::Module => Scope::Module,
        };
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    pub fn flags(&self, name: Name) -> u16 {
        self.file.scopes.flags(self.scope, name)
    }

    /// Whether `name`, not bound in any function here, is a builtin as far as this file can tell.
    pub fn is_builtin(&self, name: Name) -> bool {
        self.file.scopes.flags(ScopeId(0), name) & !bind::USED == 0
    }

    /// Whether `name` is a variable of the module rather than a definition or a builtin.
    pub fn is_module_variable(&self, name: Name) -> bool {
        let flags = self.file.scopes.flags(ScopeId(0), name);
        flags & (bind::STORED | bind::CELL) != 0 || (B::SHARES_GLOBALS && flags == 0)
    }

    // Control flow.

    pub fn fork(&mut self) -> Fork {
        Fork {
            block: self.b.here(),
            mark: self.b.mark(),
        }
    }

    /// Goes on in `block`, whose predecessors are all known and all come from `fork`.
    pub fn join(&mut self, block: Block, fork: Fork) {
        self.close(block, fork);
        self.b.start(block);
    }

    pub fn close(&mut self, block: Block, fork: Fork) {
        self.b.bypass(block, fork.block, fork.mark);
        self.b.seal(block);
    }

    // Small things.

    pub fn constant(&mut self, constant: Const, span: Span) -> Value {
        self.b.emit(Op::Const(constant), span)
    }

    pub fn int(&mut self, int: i64, span: Span) -> Value {
        self.constant(Const::Int(int), span)
    }

    pub fn unknown(&mut self, what: &'static str, span: Span) -> Value {
        self.b.emit(Op::Unknown(what), span)
    }

    pub fn name(&mut self, identifier: &str) -> Name {
        self.file.names.name(identifier)
    }

    /// Path of a definition in this function's body, inside the module.
    pub fn qualname(&mut self, name: &str) -> Name {
        let around = self.file.functions[self.index.0 as usize].pending.qualname;
        let around = self.file.names.text(around);
        let text = match self.kind {
            FunctionKind::Module => name.to_owned(),
            FunctionKind::ClassBody => format!("{around}.{name}"),
            _ => format!("{around}.<locals>.{name}"),
        };
        self.file.names.name(&text)
    }
}

/// A unit with an empty body; with a problem if the file is larger than what is read.
pub(crate) fn begun(
    path: &FilePath,
    bytes: &[u8],
    language: Language,
    module: &str,
    names: &mut Names<'_>,
) -> Unit {
    let mut problems = Vec::new();
    if bytes.len() as u64 > MAX_SOURCE_BYTES {
        problems.push(Problem {
            kind: ProblemKind::TooLarge,
            path: Some(path.clone()),
            span: None,
            message: format!(
                "{} bytes, more than the {MAX_SOURCE_BYTES} that are read; exclude or split it",
                bytes.len()
            ),
        });
    }
    Unit {
        path: path.clone(),
        language,
        module: names.name(module),
        functions: vec![empty_module(names)],
        classes: Vec::new(),
        lines: lines(bytes),
        problems,
    }
}

/// Whether functions stand in each other more deeply than is read, which is then said.
pub(crate) fn is_too_deep(scopes: &Scopes, unit: &mut Unit) -> bool {
    let deepest = scopes.deepest();
    if deepest > MAX_NESTING {
        unit.problems.push(Problem {
            kind: ProblemKind::Limit,
            path: Some(unit.path.clone()),
            span: None,
            message: format!(
                "functions nested too deeply to be read ({deepest} levels; at most {MAX_NESTING})"
            ),
        });
    }
    deepest > MAX_NESTING
}

/// The body of a module of which nothing could be read.
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

/// Physical lines.
fn lines(bytes: &[u8]) -> u32 {
    let breaks = bytes.iter().filter(|&&b| b == b'\n').count() as u32;
    breaks + u32::from(bytes.last().is_some_and(|&b| b != b'\n'))
}

/// Messages of the parser start with a capital letter; ours do not.
pub(crate) fn lower_case(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
