//! The tree of files that a fixer may read, and places in their syntax.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use solvent_base::{FilePath, LineIndex, Location, Span};
use solvent_lang::syntax::{self, Expr, ExprKind, Function, Module, Stmt, StmtKind};

use crate::NoPatch;

/// The application's files.
pub struct Sources<'a> {
    /// Every file of the tree, in path order.
    pub files: &'a [FilePath],
    /// Text of a file as it is on disk; `None` when it cannot be read as UTF-8.
    pub text: &'a dyn Fn(&FilePath) -> Option<String>,
}

/// Files that were read so far.
pub(crate) struct World<'a> {
    pub sources: &'a Sources<'a>,
    files: BTreeMap<FilePath, OnceCell<Result<File, String>>>,
}

/// One parsed file.
pub(crate) struct File {
    pub path: FilePath,
    pub text: String,
    pub module: Module,
    pub lines: LineIndex,
}

impl<'a> World<'a> {
    pub fn new(sources: &'a Sources<'a>) -> Self {
        Self {
            sources,
            files: sources
                .files
                .iter()
                .map(|p| (p.clone(), OnceCell::new()))
                .collect(),
        }
    }

    pub fn file(&self, path: &FilePath) -> Result<&File, NoPatch> {
        let unreadable = |why: &str| NoPatch::Unreadable {
            path: path.clone(),
            why: why.to_owned(),
        };
        let cell = self
            .files
            .get(path)
            .ok_or_else(|| unreadable("the file is not part of the tree"))?;
        cell.get_or_init(|| {
            let text =
                (self.sources.text)(path).ok_or_else(|| "the file cannot be read".to_owned())?;
            let module = syntax::parse(&text).map_err(|no| no.0)?;
            Ok(File {
                path: path.clone(),
                lines: LineIndex::new(&text),
                text,
                module,
            })
        })
        .as_ref()
        .map_err(|why| unreadable(why))
    }

    /// The file of a module as an import statement in `from` names it.
    pub fn imported(&self, from: &FilePath, module: &str, level: u32) -> Option<&File> {
        let tail = module.replace('.', "/");
        let mut folders: Vec<String> = Vec::new();
        if level > 0 {
            let mut parts: Vec<&str> = from.parent().split('/').filter(|p| !p.is_empty()).collect();
            for _ in 1..level {
                parts.pop()?;
            }
            folders.push(parts.join("/"));
        } else {
            // Any folder above the importing file may be on the path.
            let parts: Vec<&str> = from.parent().split('/').filter(|p| !p.is_empty()).collect();
            for keep in (0..=parts.len()).rev() {
                folders.push(parts[..keep].join("/"));
            }
            folders.push("src".to_owned());
        }
        for folder in folders {
            for ending in [".py", "/__init__.py"] {
                let name = match (folder.is_empty(), tail.is_empty()) {
                    (true, true) => continue,
                    (true, false) => format!("{tail}{ending}"),
                    (false, true) => format!("{folder}/__init__.py"),
                    (false, false) => format!("{folder}/{tail}{ending}"),
                };
                let Some(path) = FilePath::new(&name) else {
                    continue;
                };
                if self.files.contains_key(&path)
                    && let Ok(file) = self.file(&path)
                {
                    return Some(file);
                }
            }
        }
        None
    }
}

impl File {
    /// Source text of a span; empty when the span does not fit.
    pub fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    pub fn line_of(&self, offset: u32) -> u32 {
        self.lines.position(offset).line
    }

    /// Offset where the line of `offset` begins.
    pub fn line_start(&self, offset: u32) -> u32 {
        offset - (self.lines.position(offset).column - 1)
    }

    /// Whitespace at the begin of the line of `offset`.
    pub fn indent(&self, offset: u32) -> &str {
        let start = self.line_start(offset) as usize;
        let rest = self.text.get(start..).unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        &rest[..length]
    }

    /// Whether only whitespace stands before `offset` on its line.
    pub fn starts_line(&self, offset: u32) -> bool {
        let start = self.line_start(offset);
        self.slice(Span { start, end: offset }).trim().is_empty()
    }

    /// The line break that the file uses.
    pub fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// One level of indentation as the file has it.
    pub fn indent_unit(&self) -> String {
        let mut unit: Option<String> = None;
        self.module.walk(&mut |stmt| {
            if unit.is_some() {
                return;
            }
            let outer = self.indent(stmt.span.start).to_owned();
            for block in stmt.blocks() {
                if let Some(first) = block.first()
                    && self.starts_line(first.span.start)
                    && let Some(more) = self.indent(first.span.start).strip_prefix(&*outer)
                    && !more.is_empty()
                {
                    unit = Some(more.to_owned());
                    return;
                }
            }
        });
        unit.unwrap_or_else(|| "    ".to_owned())
    }

    /// The quote that most plain literals of the file use.
    pub fn quote(&self) -> char {
        let (mut single, mut double) = (0_u32, 0_u32);
        for token in &self.module.tokens {
            match self.slice(token.span).as_bytes() {
                [b'\'', b'\'', ..] | [b'"', b'"', ..] => {}
                [b'\'', ..] => single += 1,
                [b'"', ..] => double += 1,
                _ => {}
            }
        }
        if single > double { '\'' } else { '"' }
    }

    /// The innermost call whose span is `span`, with everything around it.
    pub fn site(&self, span: Span) -> Option<Site<'_>> {
        let mut site = Site {
            levels: Vec::new(),
            exprs: Vec::new(),
        };
        let mut block: &[Stmt] = &self.module.body;
        loop {
            let index = block
                .iter()
                .position(|s| s.span.start <= span.start && span.end <= s.span.end)?;
            let stmt = &block[index];
            site.levels.push(Level { block, index });
            let inner = stmt.blocks().into_iter().find(|b| {
                b.iter()
                    .any(|s| s.span.start <= span.start && span.end <= s.span.end)
            });
            match inner {
                Some(inner) => block = inner,
                None => break,
            }
        }
        let stmt = site.stmt();
        let mut current = stmt
            .expressions()
            .into_iter()
            .find(|e| contains(e.span, span))?;
        loop {
            site.exprs.push(current);
            let exact = current.span == span;
            let next = current
                .children()
                .into_iter()
                .find(|e| contains(e.span, span));
            match next {
                // `(x)` and `x` have one span each; the innermost of equal spans is the call itself.
                Some(next) if !(exact && matches!(current.kind, ExprKind::Call { .. })) => {
                    current = next;
                }
                _ if exact => return Some(site),
                _ => return None,
            }
        }
    }

    pub fn site_of(&self, location: &Location) -> Option<Site<'_>> {
        self.site(location.span)
    }
}

pub(crate) fn contains(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Where a function is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Class,
    Module,
}

/// A statement among its neighbours.
#[derive(Clone, Copy)]
pub(crate) struct Level<'f> {
    pub block: &'f [Stmt],
    pub index: usize,
}

/// An expression with everything that is around it, outermost first.
#[derive(Clone)]
pub(crate) struct Site<'f> {
    pub levels: Vec<Level<'f>>,
    pub exprs: Vec<&'f Expr>,
}

impl<'f> Site<'f> {
    /// The innermost statement.
    pub fn stmt(&self) -> &'f Stmt {
        let level = self.levels[self.levels.len() - 1];
        &level.block[level.index]
    }

    pub fn expr(&self) -> &'f Expr {
        self.exprs[self.exprs.len() - 1]
    }

    /// The expression around the target.
    pub fn parent(&self) -> Option<&'f Expr> {
        self.exprs
            .len()
            .checked_sub(2)
            .and_then(|at| self.exprs.get(at))
            .copied()
    }

    /// The innermost function, with the place of its statement in `levels`. The target may be the
    /// function's own decorator or default; then it is outside.
    pub fn function(&self) -> Option<(usize, &'f Function)> {
        let last = self.levels.len() - 1;
        (0..last).rev().find_map(|at| {
            let level = self.levels[at];
            match &level.block[level.index].kind {
                StmtKind::Function(function) => Some((at, function)),
                _ => None,
            }
        })
    }

    /// Whether the function at this level is a method.
    pub fn owner(&self, level: usize) -> Owner {
        match level.checked_sub(1).and_then(|l| self.levels.get(l)) {
            Some(l) if matches!(l.block[l.index].kind, StmtKind::Class { .. }) => Owner::Class,
            _ => Owner::Module,
        }
    }

    /// Statements of the scope that the target is in.
    pub fn body(&self) -> &'f [Stmt] {
        match self.function() {
            Some((_, function)) => &function.body,
            None => self.levels[0].block,
        }
    }

    /// `try` statements that would catch what the target raises, innermost first, within the function.
    pub fn tries(&self) -> Vec<&'f Stmt> {
        let from = self.function().map_or(0, |(at, _)| at + 1);
        let mut out = Vec::new();
        for at in (from..self.levels.len()).rev() {
            let level = self.levels[at];
            let stmt = &level.block[level.index];
            if let StmtKind::Try { body, .. } = &stmt.kind
                && let Some(inner) = self.levels.get(at + 1)
                && std::ptr::eq(inner.block, body.as_slice())
            {
                out.push(stmt);
            }
        }
        out
    }

    /// Whether the target runs exactly once, before anything else of its statement branches: what it is
    /// made of can be computed in a statement of its own before.
    pub fn runs_once(&self) -> bool {
        let stmt = self.stmt();
        let plain = match &stmt.kind {
            StmtKind::While { .. } | StmtKind::Function(_) | StmtKind::Class { .. } => false,
            StmtKind::If { clauses } => clauses
                .first()
                .and_then(|c| c.test.as_ref())
                .is_some_and(|t| contains(t.span, self.expr().span)),
            StmtKind::Match { subject, .. } => contains(subject.span, self.expr().span),
            _ => true,
        };
        plain
            && self.exprs.windows(2).all(|pair| {
                let [outer, inner] = pair else { return true };
                match &outer.kind {
                    ExprKind::Inner(_) => false,
                    ExprKind::Conditional { test, .. } => contains(test.span, inner.span),
                    ExprKind::Boolean(items) => {
                        items.first().is_some_and(|f| contains(f.span, inner.span))
                    }
                    _ => true,
                }
            })
    }
}
