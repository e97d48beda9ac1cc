//! Language-neutral facts of one file, as functions in static single assignment form.
//!
//! It does not know about libraries, frameworks, sources or sinks, nor about other files: names stay
//! names until `graph` links them. Read [`Unit`], then [`Function`], then [`Op`].
//!
//! **State is functional.** Writing into an object gives a new *version* of it ([`Op::SetAttr`],
//! [`Op::SetIndex`], [`Op::After`]); lowering rebinds every local variable that held the old version
//! to the new one and writes the new version back through the place it was read from. So the order
//! of writes and most local aliases are visible without a points-to analysis.
//!
//! A call gives no new version of what plainly cannot change (numbers, text, definitions), of arguments
//! of builtin functions that only look, and of modules, functions and classes reached by their names:
//! `os.environ.get(k)` leaves `os` what it was imported as.
//!
//! **Branches refine.** At the start of each successor of a branch, every local variable whose value
//! takes part in the condition is rebound to an [`Op::Refine`] of itself, so that a check kills or
//! keeps taint on exactly the code it dominates. The value refined may be a newer version of the
//! operand: after `if x.ok():` it is the [`Op::After`] of that very call. A condition of several parts
//! is several branches (`and`, `or`, `not`, chained comparisons), and constants are not folded here.
//!
//! **Exceptions.** A block that may raise lists its handlers; they see the state at its end. A block
//! ends after each statement of a `try` body that binds something, and an empty block in front stands
//! for the state before the body.
//!
//! **Dead code.** What follows a `return`, `raise`, `break` or `continue` is lowered into blocks without
//! predecessors; only block 0 is entered from outside.
//!
//! **Comprehensions** are functions: `[f(x) for x in xs]` starts from an empty list, grows it by one
//! element in each turn (`[*so_far, element]`) and returns it; a generator expression yields.

mod check;
mod display;
mod operands;

use std::collections::BTreeMap;

use solvent_base::{FilePath, Name, Problem, Span};

pub use check::check;
pub use display::{display, display_function};

/// Index of a value, which is the instruction that defines it, in its function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u32);

/// Index of a basic block in its function; block 0 is the entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Block(pub u32);

/// Index of a function in its unit; function 0 is the module body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FnIndex(pub u32);

/// Index of a class in its unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClassIndex(pub u32);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Language {
    Python,
    /// TypeScript too.
    JavaScript,
    Go,
    Java,
}

/// One lowered file. Lowering never fails: what could not be read is a problem.
#[derive(Clone, Debug)]
pub struct Unit {
    pub path: FilePath,
    pub language: Language,
    /// Dotted module name from the path: `shop/views.py` is `shop.views`, `shop/__init__.py` is `shop`.
    pub module: Name,
    pub functions: Vec<Function>,
    pub classes: Vec<Class>,
    /// Number of physical lines.
    pub lines: u32,
    pub problems: Vec<Problem>,
}

/// A file of settings that programs load: keys and values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub path: FilePath,
    pub values: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionKind {
    Module,
    Def,
    Lambda,
    /// The body of a `class` statement, run once when the class is made.
    ClassBody,
    /// A comprehension or generator expression; its one parameter is the outermost iterable.
    Comprehension,
}

#[derive(Clone, Debug)]
pub struct Function {
    /// The bare name: `login`; `<module>`, `<lambda>`, `<comprehension>` where there is none.
    pub name: Name,
    /// Path inside the module: `User.login`, `make.<locals>.inner`; empty for the module body.
    pub qualname: Name,
    pub kind: FunctionKind,
    pub is_async: bool,
    pub is_generator: bool,
    /// The function whose body contains this one; `None` for the module body.
    pub parent: Option<FnIndex>,
    /// The class whose body directly contains this method.
    pub class: Option<ClassIndex>,
    pub params: Vec<Param>,
    /// Values in the parent function, in source order (applied last to first). The parent also holds
    /// the calls that apply them: the name is bound to what the outermost one returns.
    pub decorators: Vec<Value>,
    /// The return annotation, a value in the parent function.
    pub returns: Option<Value>,
    /// Instructions of all blocks; a block owns a contiguous range.
    pub insts: Vec<Inst>,
    pub blocks: Vec<BlockData>,
    /// The whole definition, decorators included.
    pub span: Span,
    /// The name in the `def` line, or the start of the lambda.
    pub name_span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// `this`: what the function is called on. Always the first one, and never passed as an argument; a
    /// function without it does not use what it is called on.
    Receiver,
    /// May be passed by position or by name.
    Ordinary,
    PositionalOnly,
    KeywordOnly,
    /// `*args`.
    Rest,
    /// `**kwargs`.
    KeywordRest,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: Name,
    pub kind: ParamKind,
    /// Value in the parent function.
    pub default: Option<Value>,
    /// Value in the parent function, when the annotation is an expression there.
    pub annotation: Option<Value>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Class {
    pub name: Name,
    pub qualname: Name,
    /// Values in the function that contains the `class` statement.
    pub bases: Vec<Value>,
    pub decorators: Vec<Value>,
    /// The function that contains the `class` statement.
    pub parent: FnIndex,
    /// The body, a function of kind `ClassBody`; its [`Op::StoreName`]s are the class's attributes.
    pub body: FnIndex,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Inst {
    pub op: Op,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct BlockData {
    /// Range of instructions, `start..end`, phis first.
    pub start: u32,
    pub end: u32,
    pub terminator: Terminator,
    /// Blocks that control may enter when an instruction of this block raises.
    pub handlers: Vec<Block>,
}

#[derive(Clone, Debug)]
pub enum Terminator {
    Jump(Block),
    Branch {
        condition: Value,
        then: Block,
        otherwise: Block,
    },
    Return(Option<Value>),
    Raise(Option<Value>),
    /// Control cannot get past this block.
    Stop,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Const {
    None,
    Bool(bool),
    /// Integers outside `i64` are [`Op::Unknown`].
    Int(i64),
    /// Bits of an IEEE 754 double.
    Float(u64),
    Str(Name),
    Bytes(Vec<u8>),
    Ellipsis,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
    MatMul,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnaryOp {
    Not,
    Minus,
    Plus,
    Invert,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompareOp {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Is,
    IsNot,
    In,
    NotIn,
}

/// One argument of a call.
#[derive(Clone, Debug)]
pub enum Arg {
    Positional(Value),
    Named(Name, Value),
    /// `*value`
    Spread(Value),
    /// `**value`
    KeywordSpread(Value),
}

impl Arg {
    pub fn value(&self) -> Value {
        match *self {
            Self::Positional(v) | Self::Named(_, v) | Self::Spread(v) | Self::KeywordSpread(v) => v,
        }
    }
}

#[derive(Clone, Debug)]
pub enum FormatPart {
    Literal(Name),
    /// `conversion` is `r`, `s` or `a` when written; `spec` the constant format specification.
    Value {
        value: Value,
        conversion: Option<char>,
        spec: Option<Name>,
    },
}

/// An element of a list, tuple or set display.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    One(Value),
    /// `*value`
    Spread(Value),
}

/// An entry of a dict display.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Pair(Value, Value),
    /// `**value`
    Spread(Value),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceKind {
    List,
    Tuple,
    Set,
}

/// What an instruction computes. Values refer to instructions of the same function.
#[derive(Clone, Debug)]
pub enum Op {
    Const(Const),
    /// The parameter of that index.
    Param(u32),
    /// A variable of an enclosing function, at any time: joins all its [`Op::StoreName`]s there and in
    /// other functions inside. It may be this function itself, where an inner one assigns the variable.
    Captured {
        function: FnIndex,
        name: Name,
    },
    /// A name of the module or, failing that, a builtin.
    Global(Name),
    /// `import a.b` binds module `a.b` when written with `as`, else `a`; `from m import n` has
    /// `member: Some(n)`. `level` is the number of leading dots.
    Import {
        module: Name,
        member: Option<Name>,
        level: u32,
    },
    /// `from m import *`; what it binds is not known here.
    ImportAll {
        module: Name,
        level: u32,
    },
    /// Makes a value visible outside the flow of this function: to other functions of the module
    /// (module body), to methods and instances (class body), or to closures (captured variables).
    /// `global x` in a function stores with `scope: Module`.
    StoreName {
        scope: Scope,
        name: Name,
        value: Value,
    },

    Attr {
        base: Value,
        name: Name,
    },
    /// New version of `base`.
    SetAttr {
        base: Value,
        name: Name,
        value: Value,
    },
    Index {
        base: Value,
        key: Value,
    },
    /// New version of `base`.
    SetIndex {
        base: Value,
        key: Value,
        value: Value,
    },
    /// New version of `base` without that key.
    DelIndex {
        base: Value,
        key: Value,
    },
    Slice {
        base: Value,
        lower: Option<Value>,
        upper: Option<Value>,
        step: Option<Value>,
    },

    Call {
        callee: Value,
        args: Vec<Arg>,
    },
    /// The version of `object` after `call` ran, where `object` is the receiver of the called method
    /// or an argument that is bound to a variable: `items.append(x)` rebinds `items` to it.
    After {
        call: Value,
        object: Value,
    },

    Binary {
        op: BinaryOp,
        left: Value,
        right: Value,
    },
    Unary {
        op: UnaryOp,
        operand: Value,
    },
    Compare {
        op: CompareOp,
        left: Value,
        right: Value,
    },
    /// An f-string, parts kept in order.
    Format(Vec<FormatPart>),
    Sequence {
        kind: SequenceKind,
        items: Vec<Item>,
    },
    Dict(Vec<Entry>),
    /// The function object of a `def`, `lambda` or comprehension, before decorators.
    Function(FnIndex),
    /// Makes the class; in its own body, the class itself.
    Class(ClassIndex),
    /// One value per predecessor block that reaches it; none for a predecessor on whose way the
    /// variable is not bound.
    Phi(Vec<(Block, Value)>),
    /// `value`, knowing that `condition` was `holds` on the way here.
    Refine {
        value: Value,
        condition: Value,
        holds: bool,
    },
    /// One element of an iterable, any of them.
    Element(Value),
    /// The result of entering a context manager (`with`).
    Enter(Value),
    Await(Value),
    /// Yields; the value is what is sent back.
    Yield(Option<Value>),
    YieldFrom(Value),
    /// The exception bound by a handler; the value is the caught class or tuple, if written.
    Caught(Option<Value>),
    /// Something that is not modelled; the text names the construct.
    Unknown(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    Module,
    Class,
    /// The cell of this function's own variable, captured by a nested function.
    Own,
    /// The cell of an enclosing function's variable (`nonlocal`).
    Enclosing(FnIndex),
}

impl Function {
    pub fn inst(&self, value: Value) -> &Inst {
        &self.insts[value.0 as usize]
    }

    pub fn op(&self, value: Value) -> &Op {
        &self.inst(value).op
    }
}
