//! The check, in the file's own manner.

use solvent_base::Span;
use solvent_lang::syntax::{Expr, ExprKind, Stmt, StmtKind};

use crate::NoPatch;
use crate::RootCause;
use crate::draft::Draft;
use crate::imports::{self, Import};
use crate::scope;
use crate::source::{File, Site};

use super::anchor::{Anchor, Kind};
use super::{is_handler, os_path, taken};

const ABORT: Import = Import {
    module: "flask",
    name: Some("abort"),
};
const CURRENT_APP: Import = Import {
    module: "flask",
    name: Some("current_app"),
};
const HTTP_EXCEPTION: Import = Import {
    module: "fastapi",
    name: Some("HTTPException"),
};

/// Names that earlier checks of the same patch use.
#[derive(Default)]
pub(crate) struct Written {
    names: std::collections::BTreeSet<String>,
}

pub(crate) fn write(
    cause: &RootCause<'_>,
    anchor: &Anchor<'_>,
    written: &mut Written,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let file = anchor.file;
    let Some(site) = file.site(anchor.expr.span) else {
        return Err(NoPatch::NotFollowed {
            what: "the place where the path is put together cannot be read".to_owned(),
            line: file.line_of(anchor.expr.span.start),
        });
    };
    let mut names = taken(file, anchor.expr);
    names.extend(written.names.iter().cloned());
    let stmt = site.stmt();
    let can_hoist = site.runs_once()
        && site.function().is_some()
        && file.starts_line(stmt.span.start)
        && !single_line_block(file, &site);
    if !can_hoist {
        return helper(cause, file, &site, anchor, draft);
    }
    let root_name = crate::sql::free(&names, &["root", "base_folder", "folder"]);
    let assigned = assigned_name(stmt, anchor.expr);
    let path_name = match &assigned {
        Some(name) => name.clone(),
        None => crate::sql::free(&names, &["path", "full_path", "resolved"]),
    };
    let os = os_path_if(anchor.kind, file, draft);
    written.names.insert(root_name.clone());
    written.names.insert(path_name.clone());
    let (root, path) = sources(cause, anchor, &os, draft);
    let indent = file.indent(stmt.span.start).to_owned();
    let newline = file.newline();
    let unit = file.indent_unit();
    let action = action(cause, anchor, &site, &path_name, draft);
    let test = match anchor.kind {
        Kind::Os => format!("{os}commonpath([{root_name}, {path_name}]) != {root_name}"),
        Kind::Pathlib => format!("not {path_name}.is_relative_to({root_name})"),
    };
    let mut check = format!("if {test}:");
    for line in action.lines() {
        check.push_str(&format!("{newline}{indent}{unit}{line}"));
    }
    let start = file.line_start(stmt.span.start) + indent.len() as u32;
    let expr = outer_span(file, anchor.expr, stmt);
    if assigned.is_some() {
        draft
            .edits(file)
            .insert(start, format!("{root_name} = {root}{newline}{indent}"));
        draft.edits(file).replace(expr.start, expr.end, path);
        crate::sql::after(file, stmt.span, &check, draft);
    } else {
        draft.edits(file).insert(
            start,
            format!(
                "{root_name} = {root}{newline}{indent}{path_name} = {path}{newline}{indent}{check}{newline}{indent}"
            ),
        );
        draft.edits(file).replace(expr.start, expr.end, path_name);
    }
    Ok(())
}

fn os_path_if(kind: Kind, file: &File, draft: &mut Draft) -> String {
    match kind {
        Kind::Os => os_path(file, draft),
        Kind::Pathlib => String::new(),
    }
}

/// The expression with its parentheses, inside its statement.
fn outer_span(file: &File, expr: &Expr, stmt: &Stmt) -> Span {
    let with = file.module.with_parentheses(expr.span, stmt.span);
    // The parentheses of a call are not the expression's.
    let before = file.module.before(with.start);
    let is_call = with.start < expr.span.start
        && before.is_some_and(|t| {
            t.span.end == with.start
                && file
                    .slice(t.span)
                    .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']'))
        });
    if is_call || with == expr.span {
        expr.span
    } else {
        with
    }
}

/// Source of the resolved root and of the resolved path.
fn sources(
    cause: &RootCause<'_>,
    anchor: &Anchor<'_>,
    os: &str,
    draft: &mut Draft,
) -> (String, String) {
    let file = anchor.file;
    let mut whole = file.slice(anchor.expr.span).to_owned();
    // Flask reads a relative path from the application's folder, not from the working directory.
    let sends = matches!(
        cause.sink.callee.rsplit('.').next(),
        Some("send_file" | "send_from_directory")
    );
    let relative = sends && !anchor.is_absolute && !looked_at(anchor);
    match anchor.kind {
        Kind::Os => {
            let mut root = anchor.root.clone();
            if relative {
                let app = imports::spelled(file, &CURRENT_APP).unwrap_or_else(|| {
                    draft.import(file, CURRENT_APP);
                    "current_app".to_owned()
                });
                root = Some(match root {
                    Some(root) => format!("{os}join({app}.root_path, {root})"),
                    None => format!("{app}.root_path"),
                });
                whole = match whole.strip_prefix(&format!("{os}join(")) {
                    Some(rest) => format!("{os}join({app}.root_path, {rest}"),
                    None => format!("{os}join({app}.root_path, {whole})"),
                };
            }
            let root = match root {
                Some(root) => format!("{os}realpath({root})"),
                None => format!("{os}realpath({})", current_folder(os)),
            };
            (root, format!("{os}realpath({})", bare(&whole, os)))
        }
        Kind::Pathlib => {
            let path = path_class(file, draft);
            let root = match &anchor.root {
                Some(root) if is_path_source(root) => format!("{}.resolve()", primary(root)),
                Some(root) => format!("{path}({root}).resolve()"),
                None => format!("{path}.cwd()"),
            };
            let is_path =
                is_path_source(&whole) || matches!(&anchor.expr.kind, ExprKind::Binary { .. });
            let whole = if whole.ends_with(".resolve()") {
                whole
            } else if is_path {
                format!("{}.resolve()", primary(&whole))
            } else {
                format!("{path}({whole}).resolve()")
            };
            (root, whole)
        }
    }
}

/// Whether the path is given to functions that read it from the working directory, too.
fn looked_at(anchor: &Anchor<'_>) -> bool {
    let file = anchor.file;
    let Some(site) = file.site(anchor.expr.span) else {
        return false;
    };
    let Some(name) = assigned_name(site.stmt(), anchor.expr) else {
        return false;
    };
    let mut found = false;
    for stmt in site.body() {
        stmt.walk(&mut |s| {
            for e in s.expressions() {
                e.walk(&mut |e| {
                    if let ExprKind::Call { func, args, .. } = &e.kind
                        && func
                            .dotted()
                            .is_some_and(|d| d.starts_with("os.") || d == "open" || d == "io.open")
                        && args
                            .iter()
                            .any(|a| a.value.dotted().is_some_and(|d| d == name))
                    {
                        found = true;
                    }
                });
            }
        });
    }
    found
}

fn current_folder(os: &str) -> String {
    match os.strip_suffix(".path.") {
        Some(os) => format!("{os}.getcwd()"),
        None => "\".\"".to_owned(),
    }
}

/// The path without a conversion that resolving makes needless.
fn bare(whole: &str, os: &str) -> String {
    for name in ["abspath", "normpath", "realpath"] {
        if let Some(rest) = whole.strip_prefix(&format!("{os}{name}("))
            && let Some(inner) = rest.strip_suffix(')')
            && balanced(inner)
        {
            return inner.to_owned();
        }
    }
    whole.to_owned()
}

fn balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// Whether the source is a path object as far as its spelling tells.
fn is_path_source(source: &str) -> bool {
    source.contains("Path(")
        || source.contains(".joinpath(")
        || source.contains(" / ")
        || source.ends_with(".resolve()")
        || (!source.starts_with(['"', '\'']) && !source.contains('('))
}

/// In parentheses where an attribute could not follow.
fn primary(source: &str) -> String {
    if source.contains(" / ") && !(source.starts_with('(') && source.ends_with(')')) {
        format!("({source})")
    } else {
        source.to_owned()
    }
}

fn path_class(file: &File, draft: &mut Draft) -> String {
    const PATH: Import = Import {
        module: "pathlib",
        name: Some("Path"),
    };
    const MODULE: Import = Import {
        module: "pathlib",
        name: None,
    };
    if let Some(name) = imports::spelled(file, &PATH) {
        return name;
    }
    if let Some(module) = imports::spelled(file, &MODULE) {
        return format!("{module}.Path");
    }
    draft.import(file, PATH);
    "Path".to_owned()
}

/// The variable that the statement gives the whole path to.
fn assigned_name(stmt: &Stmt, expr: &Expr) -> Option<String> {
    let StmtKind::Assign { targets, value } = &stmt.kind else {
        return None;
    };
    let [target] = targets.as_slice() else {
        return None;
    };
    (value.span == expr.span).then(|| target.dotted()).flatten()
}

/// `if x: return open(y)` on one line.
fn single_line_block(file: &File, site: &Site<'_>) -> bool {
    let stmt = site.stmt();
    file.module
        .before(stmt.span.start)
        .is_some_and(|t| file.line_of(t.span.start) == file.line_of(stmt.span.start))
}

// ---- what happens to a path that is refused

/// Statements, one a line.
fn action(
    cause: &RootCause<'_>,
    anchor: &Anchor<'_>,
    site: &Site<'_>,
    path: &str,
    draft: &mut Draft,
) -> String {
    let file = anchor.file;
    // Inside a `try` that expects a missing file, the path is one.
    for stmt in site.tries() {
        if let Some(error) = caught(file, stmt) {
            return format!("raise {error}({})", anchor.input);
        }
    }
    // The function says itself what a missing file means.
    if let Some(own) = missing_file(file, site, path).or_else(|| handled(anchor, site)) {
        return own;
    }
    let function = site
        .function()
        .map(|(_, f)| f.name.clone())
        .unwrap_or_default();
    let framework = is_handler(cause, file, &function);
    match framework.as_deref() {
        Some("flask" | "quart") => {
            let import = Import {
                module: if framework.as_deref() == Some("quart") {
                    "quart"
                } else {
                    "flask"
                },
                ..ABORT
            };
            let abort = imports::spelled(file, &import).unwrap_or_else(|| {
                draft.import(file, import.clone());
                "abort".to_owned()
            });
            format!("{abort}(404)")
        }
        Some("fastapi" | "starlette") => {
            let exception = imports::spelled(file, &HTTP_EXCEPTION).unwrap_or_else(|| {
                draft.import(file, HTTP_EXCEPTION);
                "HTTPException".to_owned()
            });
            format!("raise {exception}(status_code=404)")
        }
        Some("http.server") => "self.send_error(404)\nreturn".to_owned(),
        _ if cause.sink.kind.0 == "file-path-write" => {
            format!("raise PermissionError({})", anchor.input)
        }
        _ => format!("raise FileNotFoundError({})", anchor.input),
    }
}

/// The exception to raise so that the `try` handles it as it handles a missing file.
fn caught(file: &File, stmt: &Stmt) -> Option<&'static str> {
    let StmtKind::Try { handlers, .. } = &stmt.kind else {
        return None;
    };
    for handler in handlers {
        let Some(kind) = &handler.kind else {
            return Some("FileNotFoundError");
        };
        let text = file.slice(kind.span);
        let names: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .collect();
        if names.iter().any(|n| {
            matches!(
                *n,
                "OSError"
                    | "IOError"
                    | "EnvironmentError"
                    | "FileNotFoundError"
                    | "Exception"
                    | "BaseException"
            )
        }) {
            return Some("FileNotFoundError");
        }
        if names.contains(&"PermissionError") {
            return Some("PermissionError");
        }
    }
    None
}

/// `if not os.path.isfile(path): abort(404)` behind the place: its body, when it is one plain statement.
fn missing_file(file: &File, site: &Site<'_>, path: &str) -> Option<String> {
    let level = site.levels.last()?;
    for stmt in &level.block[level.index..] {
        let StmtKind::If { clauses } = &stmt.kind else {
            continue;
        };
        let first = clauses.first()?;
        let test = first.test.as_ref()?;
        let source = file.slice(test.span);
        let asks = ["exists(", "isfile(", "is_file(", "isdir(", "is_dir("]
            .iter()
            .any(|a| source.contains(a));
        if !asks || !source.contains("not ") || !scope::mentions(test, path) {
            continue;
        }
        if let [only] = first.body.as_slice()
            && let Some(text) = leaves(file, only)
        {
            return Some(text);
        }
    }
    None
}

/// The `except` of a missing file around the first use, when it only leaves.
fn handled(anchor: &Anchor<'_>, site: &Site<'_>) -> Option<String> {
    if !std::ptr::eq(anchor.file, anchor.used_in) {
        return None;
    }
    let file = anchor.file;
    let used = file.site(anchor.used)?;
    let same = match (used.function(), site.function()) {
        (Some((_, a)), Some((_, b))) => std::ptr::eq(a, b),
        _ => false,
    };
    if !same {
        return None;
    }
    for stmt in used.tries() {
        if caught(file, stmt).is_none() {
            continue;
        }
        let StmtKind::Try { handlers, .. } = &stmt.kind else {
            continue;
        };
        let handler = handlers.first()?;
        if handlers.len() == 1
            && let [only] = handler.body.as_slice()
            && let Some(text) = leaves(file, only)
            && handler
                .name
                .as_ref()
                .is_none_or(|n| !text.contains(n.as_str()))
        {
            return Some(text);
        }
    }
    None
}

/// A statement after which nothing of the function runs.
fn leaves(file: &File, stmt: &Stmt) -> Option<String> {
    let text = file.slice(stmt.span);
    if text.contains('\n') {
        return None;
    }
    let leaves = match &stmt.kind {
        StmtKind::Return(_) => true,
        StmtKind::Raise(values) => !values.is_empty(),
        StmtKind::Expr(e) => match &e.kind {
            ExprKind::Call { func, .. } => func
                .dotted()
                .is_some_and(|d| d.rsplit('.').next() == Some("abort")),
            _ => false,
        },
        _ => false,
    };
    leaves.then(|| text.to_owned())
}

// ---- where no statement can stand before

/// A function that resolves and checks, and a call of it.
fn helper(
    cause: &RootCause<'_>,
    file: &File,
    site: &Site<'_>,
    anchor: &Anchor<'_>,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let newline = file.newline();
    let unit = file.indent_unit();
    let top = site.levels[0];
    let outer = &top.block[top.index];
    let os = os_path(file, draft);
    let name = if imports::binds(file, "inside") {
        "path_inside"
    } else {
        "inside"
    };
    if imports::binds(file, name) {
        return Err(NoPatch::NotFollowed {
            what: format!("`{name}` is a name of the file already"),
            line: file.line_of(anchor.expr.span.start),
        });
    }
    let (resolve_root, resolve_path, test) = match anchor.kind {
        Kind::Os => (
            format!("root = {os}realpath(root)"),
            format!("path = {os}realpath(path)"),
            format!("if {os}commonpath([root, path]) != root:"),
        ),
        Kind::Pathlib => {
            let class = path_class(file, draft);
            (
                format!("root = {class}(root).resolve()"),
                format!("path = {class}(path).resolve()"),
                "if not path.is_relative_to(root):".to_owned(),
            )
        }
    };
    let quote = if file.quote() == '"' { "\"\"\"" } else { "'''" };
    // A function of its own knows neither the names nor the `return` of the place.
    let refusal = match action(cause, anchor, site, "path", draft) {
        own if own.ends_with("abort(404)") || own.contains("HTTPException(") => own,
        own if own.starts_with("raise PermissionError") => "raise PermissionError(path)".to_owned(),
        _ => "raise FileNotFoundError(path)".to_owned(),
    };
    let lines = [
        format!("def {name}(root, path):"),
        format!("{unit}{quote}The resolved path, which must lie in the folder.{quote}"),
        format!("{unit}{resolve_root}"),
        format!("{unit}{resolve_path}"),
        format!("{unit}{test}"),
        format!("{unit}{unit}{refusal}"),
        format!("{unit}return path"),
    ];
    // Above decorators, and above the comment that belongs to the definition.
    let at = file.line_start(outer.span.start);
    let gap = if matches!(outer.kind, StmtKind::Function(_) | StmtKind::Class { .. }) {
        format!("{newline}{newline}{newline}")
    } else {
        format!("{newline}{newline}")
    };
    draft
        .edits(file)
        .insert(at, format!("{}{gap}", lines.join(newline)));
    let root = match (&anchor.root, anchor.kind) {
        (Some(root), _) => root.clone(),
        (None, Kind::Os) => current_folder(&os),
        (None, Kind::Pathlib) => format!("{}.cwd()", path_class(file, draft)),
    };
    let whole = bare(file.slice(anchor.expr.span), &os);
    draft.edits(file).replace(
        anchor.expr.span.start,
        anchor.expr.span.end,
        format!("{name}({root}, {whole})"),
    );
    Ok(())
}
