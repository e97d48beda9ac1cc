//! Imports that a change needs, in the place and manner of the file.

use std::collections::BTreeSet;

use solvent_base::Span;
use solvent_lang::syntax::{Alias, ExprKind, Stmt, StmtKind};

use crate::edit::Edits;
use crate::source::File;

/// `import os`, or `from flask import abort`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Import {
    pub module: &'static str,
    pub name: Option<&'static str>,
}

pub(crate) const OS: Import = Import {
    module: "os",
    name: None,
};
pub(crate) const SHLEX: Import = Import {
    module: "shlex",
    name: None,
};
pub(crate) const SUBPROCESS: Import = Import {
    module: "subprocess",
    name: None,
};

/// How the file spells the module or name at its top level, if it has it: `sp` for `import subprocess as sp`.
pub(crate) fn spelled(file: &File, import: &Import) -> Option<String> {
    for stmt in &file.module.body {
        match (&stmt.kind, import.name) {
            (StmtKind::Import(names), None) => {
                if let Some(alias) = names.iter().find(|a| covers(a, import.module)) {
                    return Some(match &alias.asname {
                        Some(name) => name.clone(),
                        None => import.module.to_owned(),
                    });
                }
            }
            (
                StmtKind::ImportFrom {
                    module, level: 0, ..
                },
                Some(name),
            ) if module == import.module => {
                let StmtKind::ImportFrom { names, .. } = &stmt.kind else {
                    continue;
                };
                if let Some(alias) = names.iter().find(|a| a.name == name) {
                    return Some(alias.asname.clone().unwrap_or_else(|| name.to_owned()));
                }
            }
            _ => {}
        }
    }
    None
}

fn covers(alias: &Alias, module: &str) -> bool {
    // `import os.path` binds `os`.
    alias.name == module || (alias.asname.is_none() && alias.name.split('.').next() == Some(module))
}

/// Adds what is missing.
pub(crate) fn add(file: &File, wanted: &BTreeSet<Import>, edits: &mut Edits) {
    let newline = file.newline();
    for import in wanted {
        if spelled(file, import).is_some() {
            continue;
        }
        if let Some(name) = import.name
            && extend(file, import.module, name, edits)
        {
            continue;
        }
        let line = match import.name {
            None => format!("import {}", import.module),
            Some(name) => format!("from {} import {name}", import.module),
        };
        let (at, before) = place(file, import);
        if before {
            edits.insert(at, format!("{line}{newline}"));
        } else {
            edits.insert(at, format!("{newline}{line}"));
        }
    }
}

/// Adds the name to a `from module import ...` that is there.
fn extend(file: &File, wanted: &str, name: &str, edits: &mut Edits) -> bool {
    for stmt in &file.module.body {
        let StmtKind::ImportFrom {
            module,
            level: 0,
            names,
        } = &stmt.kind
        else {
            continue;
        };
        if module != wanted {
            continue;
        }
        let Some(last) = names.last() else { continue };
        if last.name == "*" {
            return true;
        }
        // In an ordered list the name goes to its place: constants, classes, then the rest.
        let key = |name: &str| {
            let first = name.chars().next().is_some_and(char::is_uppercase);
            let all = name.chars().all(|c| !c.is_lowercase());
            (!(first && all), !first, name.to_lowercase())
        };
        let ordered = names.windows(2).all(|w| key(&w[0].name) <= key(&w[1].name));
        let one_per_line = names.len() > 1
            && file.line_of(names[0].span.start) != file.line_of(names[1].span.start);
        if ordered && let Some(next) = names.iter().find(|a| key(&a.name) > key(name)) {
            let gap = if one_per_line {
                format!("{name},{}{}", file.newline(), file.indent(next.span.start))
            } else {
                format!("{name}, ")
            };
            edits.insert(next.span.start, gap);
            return true;
        }
        let gap = if one_per_line {
            format!(",{}{}{name}", file.newline(), file.indent(last.span.start))
        } else {
            format!(", {name}")
        };
        edits.insert(last.span.end, gap);
        return true;
    }
    false
}

/// Where a line goes: an offset, and whether the line stands before it.
fn place(file: &File, import: &Import) -> (u32, bool) {
    let body = &file.module.body;
    let is_future =
        |s: &Stmt| matches!(&s.kind, StmtKind::ImportFrom { module, .. } if module == "__future__");
    let is_import = |s: &&Stmt| {
        matches!(s.kind, StmtKind::Import(_) | StmtKind::ImportFrom { .. })
            && file.starts_line(s.span.start)
    };
    let head: Vec<&Stmt> = body
        .iter()
        .take_while(|s| {
            matches!(s.kind, StmtKind::Import(_) | StmtKind::ImportFrom { .. }) || docstring(s)
        })
        .filter(is_import)
        .collect();
    // Among `import x` lines in order of the alphabet.
    let plain: Vec<&&Stmt> = head
        .iter()
        .filter(|s| match (&s.kind, import.name) {
            (StmtKind::Import(_), None) => true,
            (StmtKind::ImportFrom { level: 0, .. }, Some(_)) => !is_future(s),
            _ => false,
        })
        .collect();
    let key = |s: &Stmt| match &s.kind {
        StmtKind::Import(names) => names.first().map(|a| a.name.clone()).unwrap_or_default(),
        StmtKind::ImportFrom { module, .. } => module.clone(),
        _ => String::new(),
    };
    // The first group of neighbouring lines is the standard library's.
    let mut group: Vec<&Stmt> = Vec::new();
    for stmt in &plain {
        if group
            .last()
            .is_none_or(|last| file.line_of(stmt.span.start) <= file.line_of(last.span.end) + 1)
        {
            group.push(stmt);
        } else {
            break;
        }
    }
    if let Some(next) = group.iter().find(|s| *key(s) > *import.module) {
        return (next.span.start, true);
    }
    if let Some(last) = group.last() {
        return (line_end(file, last.span.end), false);
    }
    if let Some(first) = head.iter().find(|s| !is_future(s)) {
        return (first.span.start, true);
    }
    if let Some(last) = head.last() {
        return (line_end(file, last.span.end), false);
    }
    match body.first() {
        Some(first) if docstring(first) => match body.get(1) {
            Some(second) if file.starts_line(second.span.start) => (second.span.start, true),
            _ => (line_end(file, first.span.end), false),
        },
        Some(first) => (file.line_start(first.span.start), true),
        None => (0, true),
    }
}

fn docstring(stmt: &Stmt) -> bool {
    matches!(&stmt.kind, StmtKind::Expr(e) if matches!(e.kind, ExprKind::Str(_)))
}

/// Whether the name is bound at the module's top level.
pub(crate) fn binds(file: &File, name: &str) -> bool {
    file.module.body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Import(names) | StmtKind::ImportFrom { names, .. } => {
            names.iter().any(|a| a.bound() == name)
        }
        StmtKind::Function(f) => f.name == name,
        StmtKind::Class { name: n, .. } => n == name,
        StmtKind::Assign { targets, .. } => targets
            .iter()
            .any(|t| t.dotted().is_some_and(|d| d == name)),
        _ => false,
    })
}

/// Behind a comment that follows, before the line break; where another statement follows, at once.
pub(crate) fn line_end(file: &File, at: u32) -> u32 {
    let line = line_span(file, Span { start: at, end: at });
    let rest = file.slice(Span {
        start: at,
        end: line.end,
    });
    let text = rest.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() || text.trim_start().starts_with('#') {
        at + text.len() as u32
    } else {
        at
    }
}

/// The whole line of a statement, with its line break.
pub(crate) fn line_span(file: &File, span: Span) -> Span {
    let start = file.line_start(span.start);
    let end = file
        .lines
        .line_span(file.line_of(span.end), file.text.len() as u32)
        .map_or(span.end, |l| l.end);
    Span { start, end }
}
