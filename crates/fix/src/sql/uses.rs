//! Who else uses a statement that is changed.

use solvent_base::Span;
use solvent_lang::syntax::{Expr, ExprKind, StmtKind};

use crate::NoPatch;
use crate::draft::Draft;
use crate::scope;
use crate::source::{File, Site, World, contains};

/// Calls that only show a text.
const SHOWS: [&str; 14] = [
    "print",
    "pprint",
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
    "echo",
    "str",
    "len",
    "repr",
];

/// Calls that put a text into the answer.
const ANSWERS: [&str; 6] = [
    "render_template",
    "render_template_string",
    "jsonify",
    "make_response",
    "Response",
    "flash",
];

/// Calls that run a statement.
const RUNS: [&str; 7] = [
    "execute",
    "executemany",
    "executescript",
    "text",
    "scalar",
    "scalars",
    "fetch",
];

/// Other calls that run the variable `name`: they need its values as well. A variable that goes anywhere else
/// cannot be changed.
pub(crate) fn others<'w>(
    file: &'w File,
    site: &Site<'w>,
    name: &str,
    own: Span,
    draft: &mut Draft,
) -> Result<Vec<(Site<'w>, &'w Expr)>, NoPatch> {
    let mut out = Vec::new();
    let defs = scope::definitions(site.body(), name);
    for used in scope::uses(site.body(), name) {
        if used.span == own || defs.iter().any(|d| contains(d.stmt().span, used.span)) {
            continue;
        }
        let refuse = || NoPatch::NotFollowed {
            what: format!("`{name}` is used for something else, too"),
            line: file.line_of(used.span.start),
        };
        let Some(place) = file.site(used.span) else {
            return Err(refuse());
        };
        let around = place.exprs.iter().rev().enumerate().find_map(|(at, e)| {
            let ExprKind::Call { func, args, .. } = &e.kind else {
                return None;
            };
            // `query.strip()` is no call with the query.
            (!contains(func.span, used.span)).then_some((at, func, args))
        });
        match around {
            None if matches!(
                place.stmt().kind,
                StmtKind::If { .. } | StmtKind::While { .. }
            ) => {}
            None => return Err(refuse()),
            Some((at, func, args)) => {
                let called = match &func.kind {
                    ExprKind::Attribute { name, .. } | ExprKind::Name(name) => &**name,
                    _ => "",
                };
                let shown = format!(
                    "`{name}` is shown in line {}: with placeholders now, without the values",
                    file.line_of(used.span.start)
                );
                if SHOWS.contains(&called) {
                    draft.note(shown);
                    continue;
                }
                if ANSWERS.contains(&called) {
                    draft.assume(shown);
                    continue;
                }
                let first = args.first().map(|a| &a.value);
                match first {
                    Some(first) if RUNS.contains(&called) && contains(first.span, used.span) => {
                        let mut call = place.clone();
                        call.exprs.truncate(place.exprs.len() - at);
                        out.push((call, first));
                    }
                    _ => return Err(refuse()),
                }
            }
        }
    }
    Ok(out)
}

/// A template under a name must have no other use: without its holes it would break there.
pub(crate) fn template_is_ours(world: &World<'_>, file: &File, expr: &Expr) -> Result<(), NoPatch> {
    let Some(name) = expr.dotted() else {
        return Ok(());
    };
    let refuse = || NoPatch::NotFollowed {
        what: format!("the template `{name}` is used in several places"),
        line: file.line_of(expr.span.start),
    };
    if let Some(site) = file.site(expr.span)
        && !scope::definitions(site.body(), &name).is_empty()
        && site.function().is_some()
    {
        let others = scope::uses(site.body(), &name)
            .into_iter()
            .filter(|u| u.span != expr.span)
            .count();
        return if others == 0 { Ok(()) } else { Err(refuse()) };
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    let mut count = 0;
    for path in world
        .sources
        .files
        .iter()
        .filter(|p| p.extension() == Some("py"))
    {
        let Some(text) = (world.sources.text)(path) else {
            continue;
        };
        count += text
            .match_indices(last)
            .filter(|(at, _)| {
                let part = |c: char| c.is_alphanumeric() || c == '_';
                !text[..*at].ends_with(part) && !text[at + last.len()..].starts_with(part)
            })
            // An import of the name is no use of it.
            .filter(|(at, _)| {
                let start = text[..*at].rfind('\n').map_or(0, |n| n + 1);
                !text[start..*at].trim_start().starts_with("from ")
            })
            .count();
    }
    // Its definition and this use.
    if count <= 2 { Ok(()) } else { Err(refuse()) }
}
