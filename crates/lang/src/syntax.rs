//! The syntax tree of one file with its places, for those who change source text.
//!
//! The IR forgets how a program is spelled; whoever edits it must not. This tree keeps what an edit needs
//! (expressions, statements, pieces of string literals, each with its byte range in the given text) and
//! hides the parser, which is pinned and private to this crate. Read [`parse`], then [`Expr`], [`Stmt`].
//!
//! It is bounded: [`MAX_DEPTH`] levels, so walking it by recursion is safe on any thread's stack.

use solvent_base::Span;

use crate::python;

/// Deepest tree that is given out, as an upper bound by brackets and operators. Hand-written code stays
/// below 60; at 500 levels a recursive walk of 1 KiB a level needs half a megabyte of stack.
pub const MAX_DEPTH: u32 = 500;

/// Largest text that is parsed for editing, in bytes: no person reviews a change in a larger file.
pub const MAX_BYTES: usize = 2 << 20;

/// Why there is no tree, in words: lower case, no full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoTree(pub String);

/// One file.
#[derive(Debug)]
pub struct Module {
    pub body: Vec<Stmt>,
    /// All tokens that carry text, in order, comments included.
    pub tokens: Vec<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub span: Span,
    pub kind: TokenKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// `(`
    Open,
    /// `)`
    Close,
    Comma,
    Semicolon,
    Comment,
    Other,
}

#[derive(Debug)]
pub struct Expr {
    /// Without the parentheses around it; see [`Module::with_parentheses`].
    pub span: Span,
    pub kind: ExprKind,
}

#[derive(Debug)]
pub enum ExprKind {
    Name(String),
    /// One or several literals side by side, f-strings among them.
    Str(Vec<StrPart>),
    Number,
    True,
    False,
    None,
    Attribute {
        value: Box<Expr>,
        name: String,
        name_span: Span,
    },
    Subscript {
        value: Box<Expr>,
        index: Box<Expr>,
    },
    Call {
        func: Box<Expr>,
        args: Vec<Arg>,
        /// From `(` to `)`.
        parentheses: Span,
    },
    Binary {
        left: Box<Expr>,
        op: Operator,
        right: Box<Expr>,
    },
    /// `and`, `or`.
    Boolean(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        left: Box<Expr>,
        /// Whether each is `==`, `!=` or another comparison.
        ops: Vec<Comparison>,
        right: Vec<Expr>,
    },
    Conditional {
        test: Box<Expr>,
        body: Box<Expr>,
        orelse: Box<Expr>,
    },
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    /// Keys and values; `**value` has no key.
    Dict(Vec<(Option<Expr>, Expr)>),
    Await(Box<Expr>),
    Starred(Box<Expr>),
    /// `lambda` and comprehensions: their parts run later, or several times, in a scope of their own.
    Inner(Vec<Expr>),
    /// Anything else, with what it holds.
    Other(Vec<Expr>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    Add,
    Mod,
    Div,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    Equal,
    NotEqual,
    Other,
}

/// One argument of a call, in the order written.
#[derive(Debug)]
pub struct Arg {
    /// From the name or the star to the value.
    pub span: Span,
    pub passing: Passing,
    pub value: Expr,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Passing {
    Position,
    Keyword(String),
    /// `*value`
    Star,
    /// `**value`
    DoubleStar,
}

/// One string literal, from its prefix to its closing quote.
#[derive(Debug)]
pub struct StrPart {
    pub span: Span,
    /// Between the quotes.
    pub content: Span,
    pub raw: Raw,
    pub formatted: Formatted,
    /// `"`, `'`, or three of them.
    pub quote: &'static str,
    /// For an f-string its elements; for a plain literal one piece of text.
    pub elements: Vec<StrElement>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw {
    /// `r"..."`: a backslash is itself.
    Raw,
    Escapes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Formatted {
    /// `f"..."`
    FString,
    Plain,
}

#[derive(Debug)]
pub enum StrElement {
    /// Source text as written, escapes and doubled braces included.
    Text(Span),
    /// `{expr!r:spec}`; the span holds the braces.
    Field {
        span: Span,
        expr: Box<Expr>,
        plain: FieldForm,
    },
}

/// Whether a field of an f-string is its expression's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldForm {
    /// `{expr}` or `{expr!s}`.
    Plain,
    /// `{expr!r}` alone.
    Repr,
    /// With a format specification, `=` or another conversion.
    Styled,
}

#[derive(Debug)]
pub struct Stmt {
    pub span: Span,
    pub kind: StmtKind,
}

#[derive(Debug)]
pub enum StmtKind {
    Function(Function),
    Class {
        name: String,
        bases: Vec<Arg>,
        decorators: Vec<Expr>,
        body: Vec<Stmt>,
    },
    /// Plain and annotated assignment.
    Assign {
        targets: Vec<Expr>,
        value: Expr,
    },
    AugAssign {
        target: Expr,
        op: Operator,
        value: Expr,
    },
    Expr(Expr),
    Return(Option<Expr>),
    Raise(Vec<Expr>),
    If {
        /// `if`, then each `elif`, then `else` without a test.
        clauses: Vec<Clause>,
    },
    For {
        target: Expr,
        iter: Expr,
        body: Vec<Stmt>,
        orelse: Vec<Stmt>,
    },
    While {
        test: Expr,
        body: Vec<Stmt>,
        orelse: Vec<Stmt>,
    },
    With {
        items: Vec<(Expr, Option<Expr>)>,
        body: Vec<Stmt>,
    },
    Try {
        body: Vec<Stmt>,
        handlers: Vec<Handler>,
        orelse: Vec<Stmt>,
        finally: Vec<Stmt>,
    },
    Match {
        subject: Expr,
        /// Guard and body of each case.
        cases: Vec<(Option<Expr>, Vec<Stmt>)>,
    },
    Import(Vec<Alias>),
    ImportFrom {
        module: String,
        level: u32,
        names: Vec<Alias>,
    },
    /// Anything else, with what it holds.
    Other(Vec<Expr>),
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub is_async: Asyncness,
    pub decorators: Vec<Expr>,
    pub params: Vec<Param>,
    /// From `(` to `)`.
    pub parentheses: Span,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asyncness {
    Async,
    Sync,
}

#[derive(Debug)]
pub struct Param {
    pub name: String,
    /// With stars, annotation and default.
    pub span: Span,
    pub default: Option<Expr>,
    pub kind: ParamKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    Normal,
    KeywordOnly,
    Star,
    DoubleStar,
}

#[derive(Debug)]
pub struct Clause {
    pub span: Span,
    pub test: Option<Expr>,
    pub body: Vec<Stmt>,
}

#[derive(Debug)]
pub struct Handler {
    pub kind: Option<Expr>,
    pub name: Option<String>,
    pub body: Vec<Stmt>,
}

/// `name as asname`
#[derive(Debug)]
pub struct Alias {
    pub name: String,
    pub asname: Option<String>,
    pub span: Span,
}

impl Alias {
    /// The name that the import binds.
    pub fn bound(&self) -> &str {
        self.asname
            .as_deref()
            .unwrap_or_else(|| self.name.split('.').next().unwrap_or_default())
    }
}

/// The tree of a Python file. Offsets are bytes of `text`, a byte order mark included.
pub fn parse(text: &str) -> Result<Module, NoTree> {
    python::tree::parse(text)
}

impl Expr {
    /// Direct parts, in source order as far as the grammar has one.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Name(_)
            | ExprKind::Number
            | ExprKind::True
            | ExprKind::False
            | ExprKind::None => Vec::new(),
            ExprKind::Str(parts) => parts
                .iter()
                .flat_map(|part| &part.elements)
                .filter_map(|element| match element {
                    StrElement::Field { expr, .. } => Some(&**expr),
                    StrElement::Text(_) => None,
                })
                .collect(),
            ExprKind::Attribute { value, .. }
            | ExprKind::Await(value)
            | ExprKind::Starred(value)
            | ExprKind::Not(value) => vec![value],
            ExprKind::Subscript { value, index } => vec![value, index],
            ExprKind::Call { func, args, .. } => {
                let mut out = vec![&**func];
                out.extend(args.iter().map(|a| &a.value));
                out
            }
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Compare { left, right, .. } => {
                let mut out = vec![&**left];
                out.extend(right);
                out
            }
            ExprKind::Conditional { test, body, orelse } => vec![body, test, orelse],
            ExprKind::Dict(items) => items
                .iter()
                .flat_map(|(key, value)| key.iter().chain([value]))
                .collect(),
            ExprKind::Boolean(items)
            | ExprKind::Tuple(items)
            | ExprKind::List(items)
            | ExprKind::Inner(items)
            | ExprKind::Other(items) => items.iter().collect(),
        }
    }

    /// This expression and everything in it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// `a.b.c` as text, when it is names and attributes only.
    pub fn dotted(&self) -> Option<String> {
        match &self.kind {
            ExprKind::Name(name) => Some(name.clone()),
            ExprKind::Attribute { value, name, .. } => Some(format!("{}.{name}", value.dotted()?)),
            _ => None,
        }
    }
}

impl Stmt {
    /// Expressions of this statement itself, not of the statements in it.
    pub fn expressions(&self) -> Vec<&Expr> {
        match &self.kind {
            StmtKind::Function(f) => {
                let mut out: Vec<&Expr> = f.decorators.iter().collect();
                out.extend(f.params.iter().filter_map(|p| p.default.as_ref()));
                out
            }
            StmtKind::Class {
                bases, decorators, ..
            } => {
                let mut out: Vec<&Expr> = decorators.iter().collect();
                out.extend(bases.iter().map(|b| &b.value));
                out
            }
            StmtKind::Assign { targets, value } => {
                let mut out: Vec<&Expr> = targets.iter().collect();
                out.push(value);
                out
            }
            StmtKind::AugAssign { target, value, .. } => vec![target, value],
            StmtKind::Expr(value) => vec![value],
            StmtKind::Return(value) => value.iter().collect(),
            StmtKind::Raise(values) | StmtKind::Other(values) => values.iter().collect(),
            StmtKind::If { clauses } => clauses.iter().filter_map(|c| c.test.as_ref()).collect(),
            StmtKind::For { target, iter, .. } => vec![target, iter],
            StmtKind::While { test, .. } => vec![test],
            StmtKind::With { items, .. } => items
                .iter()
                .flat_map(|(value, target)| [Some(value), target.as_ref()])
                .flatten()
                .collect(),
            StmtKind::Try { handlers, .. } => {
                handlers.iter().filter_map(|h| h.kind.as_ref()).collect()
            }
            StmtKind::Match { subject, cases } => {
                let mut out = vec![subject];
                out.extend(cases.iter().filter_map(|(guard, _)| guard.as_ref()));
                out
            }
            StmtKind::Import(_) | StmtKind::ImportFrom { .. } => Vec::new(),
        }
    }

    /// Blocks of statements in this one.
    pub fn blocks(&self) -> Vec<&[Stmt]> {
        let blocks: Vec<&[Stmt]> = match &self.kind {
            StmtKind::Function(f) => vec![&f.body],
            StmtKind::Class { body, .. } | StmtKind::With { body, .. } => vec![body],
            StmtKind::If { clauses } => clauses.iter().map(|c| &*c.body).collect(),
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
                vec![body, orelse]
            }
            StmtKind::Try {
                body,
                handlers,
                orelse,
                finally,
            } => {
                let mut out: Vec<&[Stmt]> = vec![body];
                out.extend(handlers.iter().map(|h| &*h.body));
                out.push(orelse);
                out.push(finally);
                out
            }
            StmtKind::Match { cases, .. } => cases.iter().map(|(_, body)| &**body).collect(),
            _ => Vec::new(),
        };
        blocks.into_iter().filter(|b| !b.is_empty()).collect()
    }

    /// This statement and all below it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Stmt)) {
        visit(self);
        for block in self.blocks() {
            for stmt in block {
                stmt.walk(visit);
            }
        }
    }
}

impl Module {
    /// Every statement, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Stmt)) {
        for stmt in &self.body {
            stmt.walk(visit);
        }
    }

    /// The span with the parentheses that stand directly around it, inside `within`.
    pub fn with_parentheses(&self, span: Span, within: Span) -> Span {
        let mut out = span;
        loop {
            let before = self.before(out.start).filter(|t| t.kind == TokenKind::Open);
            let after = self.after(out.end).filter(|t| t.kind == TokenKind::Close);
            let (Some(open), Some(close)) = (before, after) else {
                return out;
            };
            if open.span.start < within.start || close.span.end > within.end {
                return out;
            }
            out = Span {
                start: open.span.start,
                end: close.span.end,
            };
        }
    }

    /// The last token that ends at or before `offset`, comments skipped.
    pub fn before(&self, offset: u32) -> Option<Token> {
        let at = self.tokens.partition_point(|t| t.span.end <= offset);
        self.tokens[..at]
            .iter()
            .rev()
            .find(|t| t.kind != TokenKind::Comment)
            .copied()
    }

    /// The first token that starts at or after `offset`, comments skipped.
    pub fn after(&self, offset: u32) -> Option<Token> {
        let at = self.tokens.partition_point(|t| t.span.start < offset);
        self.tokens[at..]
            .iter()
            .find(|t| t.kind != TokenKind::Comment)
            .copied()
    }
}
