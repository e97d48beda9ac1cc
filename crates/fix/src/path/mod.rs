//! CWE-22: the path is resolved, and must lie in its root.

mod anchor;
mod guard;

use std::collections::BTreeSet;

use solvent_finding::{Flow, Symbol};
use solvent_lang::syntax::{Expr, ExprKind, Passing};

use crate::draft::Draft;
use crate::imports::{self, Import, OS};
use crate::source::{File, World};
use crate::sql::place;
use crate::{NoPatch, Proposal, RootCause};

use anchor::{Anchor, Kind};

pub(crate) fn propose(world: &World<'_>, cause: &RootCause<'_>) -> Proposal {
    let mut out = Proposal::default();
    let at = place(&cause.sink.function);
    let anchors = match find(world, cause) {
        Ok(anchors) => anchors,
        Err(why) => {
            out.refused.push(why);
            return out;
        }
    };
    let mut take = |result: Result<Draft, NoPatch>, summary: String| match result
        .and_then(|draft| draft.finish(world, "resolved-path", summary))
    {
        Ok(patch) => out.patches.push(patch),
        Err(why) if !out.refused.contains(&why) => out.refused.push(why),
        Err(_) => {}
    };
    take(
        resolved(cause, &anchors),
        format!("resolve the path that `{at}` uses and refuse it outside of its folder"),
    );
    take(
        last_part(&anchors),
        format!("use only the last part of the name that `{at}` is given"),
    );
    out
}

/// Where each path to the sink is put together.
fn find<'w>(world: &'w World<'_>, cause: &RootCause<'_>) -> Result<Vec<Anchor<'w>>, NoPatch> {
    let location = &cause.sink.location;
    let file = world.file(&location.path)?;
    let moved = || NoPatch::Moved {
        path: location.path.clone(),
        line: location.line,
    };
    let site = file.site_of(location).ok_or_else(moved)?;
    let call = site.expr();
    let flows = cause.flows();
    let mut out: Vec<Anchor<'_>> = Vec::new();
    for path in paths_of(call, &cause.sink.callee) {
        for anchor in anchor::of(world, &flows, &cause.sink.function, file, path, 0)? {
            if !out.iter().any(|a| std::ptr::eq(a.expr, anchor.expr)) {
                out.push(anchor);
            }
        }
    }
    if out.is_empty() {
        return Err(NoPatch::NotFollowed {
            what: "the call takes no path that could be told".to_owned(),
            line: location.line,
        });
    }
    Ok(out)
}

/// Expressions of the sink call that are paths, constants left out.
fn paths_of<'w>(call: &'w Expr, callee: &str) -> Vec<&'w Expr> {
    let ExprKind::Call { func, args, .. } = &call.kind else {
        return Vec::new();
    };
    let method = callee.rsplit('.').next().unwrap_or_default();
    let mut out: Vec<&Expr> = Vec::new();
    let is_method = callee.starts_with("pathlib.");
    if is_method && let ExprKind::Attribute { value, .. } = &func.kind {
        out.push(value);
        if !matches!(method, "rename" | "replace") {
            return out;
        }
    }
    const TWO: [&str; 13] = [
        "rename",
        "renames",
        "replace",
        "link",
        "symlink",
        "copy",
        "copy2",
        "copyfile",
        "copytree",
        "copymode",
        "copystat",
        "move",
        "unpack_archive",
    ];
    const NAMES: [&str; 14] = [
        "file",
        "filename",
        "path",
        "path_or_file",
        "filename_or_fp",
        "name",
        "src",
        "dst",
        "directory",
        "resource",
        "dir",
        "base_name",
        "extract_dir",
        "fileobj_path",
    ];
    let first = usize::from(method == "extract");
    let count = if TWO.contains(&method) { 2 } else { 1 };
    for arg in args
        .iter()
        .filter(|a| a.passing == Passing::Position)
        .skip(first)
        .take(count)
    {
        out.push(&arg.value);
    }
    for arg in args {
        if let Passing::Keyword(name) = &arg.passing
            && NAMES.contains(&name.as_str())
        {
            out.push(&arg.value);
        }
    }
    out.retain(|e| !anchor::is_constant(e));
    out
}

/// Resolve and check, at every place.
fn resolved(cause: &RootCause<'_>, anchors: &[Anchor<'_>]) -> Result<Draft, NoPatch> {
    let mut draft = Draft::default();
    let mut written = guard::Written::default();
    for anchor in anchors {
        guard::write(cause, anchor, &mut written, &mut draft)?;
        if anchor.root.is_none() {
            draft.assume(format!(
                "the whole path comes from the request (`{}`): the working directory is taken for its root, which \
                 you should replace by the folder that is meant",
                anchor.input
            ));
        }
    }
    draft.note(
        "symbolic links are followed before the check: a link that leads out of the folder is refused",
    );
    Ok(draft)
}

/// Only the last part of what the request names.
fn last_part(anchors: &[Anchor<'_>]) -> Result<Draft, NoPatch> {
    let mut draft = Draft::default();
    for anchor in anchors {
        let Some(input) = anchor.input_expr else {
            return Err(NoPatch::NotFollowed {
                what: "the part of the path that comes from the request is not a value of its own"
                    .to_owned(),
                line: anchor.file.line_of(anchor.expr.span.start),
            });
        };
        let file = anchor.file;
        let source = file.slice(input.span);
        let text = match anchor.kind {
            Kind::Os => format!("{}basename({source})", os_path(file, &mut draft)),
            Kind::Pathlib => {
                let path = imports::spelled(
                    file,
                    &Import {
                        module: "pathlib",
                        name: Some("Path"),
                    },
                )
                .or_else(|| {
                    imports::spelled(
                        file,
                        &Import {
                            module: "pathlib",
                            name: None,
                        },
                    )
                    .map(|m| format!("{m}.Path"))
                });
                match path {
                    Some(path) => format!("{path}({source}).name"),
                    None => format!("{}basename({source})", os_path(file, &mut draft)),
                }
            }
        };
        draft
            .edits(file)
            .replace(input.span.start, input.span.end, text);
    }
    draft.assume("names in sub-folders no longer work: only the last part of the name is used");
    Ok(draft)
}

/// `os.path.` as the file can write it.
pub(crate) fn os_path(file: &File, draft: &mut Draft) -> String {
    if let Some(os) = imports::spelled(file, &OS) {
        return format!("{os}.path.");
    }
    if let Some(path) = imports::spelled(
        file,
        &Import {
            module: "os",
            name: Some("path"),
        },
    ) {
        return format!("{path}.");
    }
    draft.import(file, OS);
    "os.path.".to_owned()
}

/// Names that the file binds anywhere near `expr`.
pub(crate) fn taken(file: &File, expr: &Expr) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    if let Some(site) = file.site(expr.span) {
        out.extend(crate::scope::names(
            site.body(),
            site.function().map(|(_, f)| f),
        ));
    }
    for stmt in &file.module.body {
        if let solvent_lang::syntax::StmtKind::ImportFrom { names, .. }
        | solvent_lang::syntax::StmtKind::Import(names) = &stmt.kind
        {
            out.extend(names.iter().map(|a| a.bound().to_owned()));
        }
    }
    out
}

pub(crate) type Flows<'c> = [&'c Flow];

/// Whether the function is where a request arrives.
pub(crate) fn is_handler(cause: &RootCause<'_>, file: &File, function: &str) -> Option<String> {
    cause.findings.iter().find_map(|f| {
        let entry = f.entry.as_ref()?;
        let Symbol { qualname, .. } = &entry.handler;
        (entry.location.path == file.path && qualname.rsplit('.').next() == Some(function))
            .then(|| entry.framework.clone())
    })
}
