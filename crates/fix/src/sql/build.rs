//! Statements that grow line by line: the values grow with them.

use solvent_base::Span;
use solvent_lang::syntax::{Arg, Expr, ExprKind, Passing, Stmt, StmtKind};

use crate::NoPatch;
use crate::draft::Draft;
use crate::pieces::{Text, Unit, flatten_named};
use crate::python;
use crate::scope::{self, Def, How};
use crate::source::{File, Site};

use super::bind::{self, Count, Item};
use super::driver::Style;
use super::give::{self, Given, Receiver};
use super::lex;
use super::{MAX_EXPANSIONS, Work, named};

/// `conditions` of `" AND ".join(conditions)`.
pub(crate) fn joined_list(expr: &Expr) -> Option<&str> {
    let ExprKind::Call { func, args, .. } = &expr.kind else {
        return None;
    };
    let ExprKind::Attribute { value, name, .. } = &func.kind else {
        return None;
    };
    let [
        Arg {
            passing: Passing::Position,
            value: list,
            ..
        },
    ] = args.as_slice()
    else {
        return None;
    };
    match (&value.kind, &list.kind) {
        (ExprKind::Str(_), ExprKind::Name(list)) if name == "join" => Some(list),
        _ => None,
    }
}

/// The values of one piece of the statement.
fn piece<'w>(
    work: &Work<'w, '_>,
    file: &'w File,
    expr: &'w Expr,
    skip: Option<&str>,
    receiver: &Receiver<'w>,
    draft: &mut Draft,
) -> Result<(Vec<Item>, Style), NoPatch> {
    let mut text = flatten_named(work.world, file, expr);
    if let Some(name) = skip
        && let Some(Unit::Hole(first)) = text.units.first()
        && text.holes[*first].source == name
    {
        text.units.remove(0);
    }
    for _ in 0..MAX_EXPANSIONS {
        let tainted = text.tainted(work.flows);
        let lexed = lex::lex(&text);
        let style = receiver.style(&lexed, work.driver);
        if lexed.open_end {
            return Err(NoPatch::NotFollowed {
                what: "a literal of the statement begins in one line and ends in another"
                    .to_owned(),
                line: file.line_of(expr.span.start),
            });
        }
        // Text of a piece is seldom found in a flow's template as a whole: what is not told is bound.
        if let Some((hole, place)) =
            bind::misplaced(work.world, &text, &lexed, work.driver, tainted.as_deref())
        {
            if let Some(inner) = text.expansion(work.world, hole) {
                text.splice(hole, inner);
                continue;
            }
            return Err(NoPatch::NotAValue {
                source: text.holes[hole].source.clone(),
                place,
            });
        }
        if lexed.slots.is_empty() {
            return Ok((Vec::new(), style));
        }
        let any = bind::any(work.world, &text, &lexed, work.driver, tainted.as_deref());
        if !any {
            return Ok((Vec::new(), style));
        }
        let items = bind::bind(
            work.world,
            &text,
            &lexed,
            style,
            work.driver,
            tainted.as_deref(),
            draft,
        )?;
        return Ok((items, style));
    }
    Err(NoPatch::NotFollowed {
        what: "the statement is put together from too many pieces".to_owned(),
        line: file.line_of(expr.span.start),
    })
}

/// `query = ...`, `query += ...`, also in branches.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of `Work::at`, which holds the state"
)]
pub(crate) fn chunks<'w>(
    work: &Work<'w, '_>,
    file: &'w File,
    site: &Site<'w>,
    name: &str,
    defs: &[Def<'w>],
    text: &Text<'w>,
    hole: usize,
    receiver: &Receiver<'w>,
    draft: &mut Draft,
) -> Result<usize, NoPatch> {
    let taken = scope::names(site.body(), site.function().map(|(_, f)| f));
    let variable = give::free(&taken, &give::PARAMS);
    let mut count = 0;
    let mut last = Style::Question;
    for def in defs {
        let (value, grows) = match def.how {
            How::Is(value) => (value, starts_with(value, name)),
            How::Adds(value) => (value, true),
            How::Other => {
                return Err(NoPatch::NotFollowed {
                    what: format!("`{name}` gets its value in a way that is not followed"),
                    line: file.line_of(def.stmt().span.start),
                });
            }
        };
        let skip = grows.then_some(name);
        let (items, style) = piece(work, file, value, skip, receiver, draft)?;
        if named(style) && !items.is_empty() {
            return Err(NoPatch::NotFollowed {
                what: "named parameters are not added line by line".to_owned(),
                line: file.line_of(def.stmt().span.start),
            });
        }
        last = style;
        count += items.len();
        match (grows, items.is_empty()) {
            (true, true) => {}
            (true, false) => {
                give::after(file, def.stmt().span, &grow(&variable, &items), draft);
            }
            (false, _) => {
                let list: Vec<String> = items.iter().map(starred).collect();
                give::after(
                    file,
                    def.stmt().span,
                    &format!("{variable} = [{}]", list.join(", ")),
                    draft,
                );
            }
        }
    }
    count += rest(work, text, hole, &variable, last, receiver, draft)?;
    Ok(count)
}

/// `conditions.append("name = '%s'" % name)` and `" AND ".join(conditions)`.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of `Work::at`, which holds the state"
)]
pub(crate) fn list<'w>(
    work: &Work<'w, '_>,
    file: &'w File,
    site: &Site<'w>,
    name: &str,
    text: &Text<'w>,
    hole: usize,
    receiver: &Receiver<'w>,
    draft: &mut Draft,
) -> Result<usize, NoPatch> {
    let body = site.body();
    let taken = scope::names(body, site.function().map(|(_, f)| f));
    let variable = give::free(&taken, &give::PARAMS);
    let defs = scope::definitions(body, name);
    let refuse = |span: Span| NoPatch::NotFollowed {
        what: format!("`{name}` is filled in a way that is not followed"),
        line: file.line_of(span.start),
    };
    let [first] = defs.as_slice() else {
        return Err(refuse(site.expr().span));
    };
    let How::Is(value) = first.how else {
        return Err(refuse(first.stmt().span));
    };
    let ExprKind::List(start) = &value.kind else {
        return Err(refuse(value.span));
    };
    let mut count = 0;
    let mut initial = Vec::new();
    let mut style = Style::Question;
    for element in start {
        let (items, own) = piece(work, file, element, None, receiver, draft)?;
        style = own;
        count += items.len();
        initial.extend(items.iter().map(starred));
    }
    give::after(
        file,
        first.stmt().span,
        &format!("{variable} = [{}]", initial.join(", ")),
        draft,
    );
    let mut appends: Vec<(&Stmt, &Expr)> = Vec::new();
    for stmt in body {
        stmt.walk(&mut |s| {
            if let StmtKind::Expr(call) = &s.kind
                && let ExprKind::Call { func, args, .. } = &call.kind
                && func.dotted().is_some_and(|d| d == format!("{name}.append"))
                && let [arg] = args.as_slice()
            {
                appends.push((s, &arg.value));
            }
        });
    }
    for (stmt, value) in &appends {
        let (items, own) = piece(work, file, value, None, receiver, draft)?;
        style = own;
        count += items.len();
        if !items.is_empty() {
            give::after(file, stmt.span, &grow(&variable, &items), draft);
        }
    }
    if named(style) {
        return Err(refuse(site.expr().span));
    }
    // Every other use of the list could change its order.
    let known = appends.len();
    let uses = scope::uses(body, name);
    let appended = scope::uses(body, &format!("{name}.append")).len();
    let others = scope::uses(body, &format!("{name}.extend")).len()
        + scope::uses(body, &format!("{name}.insert")).len();
    if appended != known || others > 0 || uses.is_empty() {
        return Err(refuse(site.expr().span));
    }
    count += rest(work, text, hole, &variable, style, receiver, draft)?;
    Ok(count)
}

/// What the statement has besides the grown part.
fn rest<'w>(
    work: &Work<'w, '_>,
    text: &Text<'w>,
    hole: usize,
    variable: &str,
    style: Style,
    receiver: &Receiver<'w>,
    draft: &mut Draft,
) -> Result<usize, NoPatch> {
    let at = text
        .units
        .iter()
        .position(|u| matches!(u, Unit::Hole(h) if *h == hole))
        .unwrap_or(0);
    // The grown part reads like a condition.
    let mut own = text.clone();
    own.units.remove(at);
    let lexed = lex::lex(&own);
    if lexed.open_end {
        return Err(NoPatch::NotFollowed {
            what: "a literal of the statement begins in one place and ends in another".to_owned(),
            line: 1,
        });
    }
    let tainted = own.tainted(work.flows).or_else(|| text.tainted(work.flows));
    let misplaced = bind::misplaced(work.world, &own, &lexed, work.driver, tainted.as_deref());
    if let Some((other, place)) = misplaced {
        return Err(NoPatch::NotAValue {
            source: own.holes[other].source.clone(),
            place,
        });
    }
    let mut items = Vec::new();
    if bind::any(work.world, &own, &lexed, work.driver, tainted.as_deref()) {
        items = bind::bind(
            work.world,
            &own,
            &lexed,
            style,
            work.driver,
            tainted.as_deref(),
            draft,
        )?;
    }
    let split = |item: &Item| {
        // Before or behind the grown part.
        own.units
            .iter()
            .position(|u| matches!(u, Unit::Hole(h) if own.holes[*h].root == item.root && item.source.contains(&own.holes[*h].source)))
            .is_some_and(|p| p < at)
    };
    let before: Vec<String> = items.iter().filter(|i| split(i)).map(starred).collect();
    let behind: Vec<String> = items.iter().filter(|i| !split(i)).map(starred).collect();
    if !receiver.is_open() {
        return Err(NoPatch::NotFollowed {
            what: "the call has parameters already, and the statement grows line by line"
                .to_owned(),
            line: 1,
        });
    }
    let value = if items.is_empty() {
        variable.to_owned()
    } else {
        let mut all = before;
        all.push(format!("*{variable}"));
        all.extend(behind);
        python::tuple(&all)
    };
    receiver.add(&Given::variable(&value), draft);
    Ok(items.len())
}

fn starts_with(value: &Expr, name: &str) -> bool {
    match &value.kind {
        ExprKind::Binary { left, .. } => {
            left.dotted().is_some_and(|d| d == name) || starts_with(left, name)
        }
        _ => false,
    }
}

fn grow(variable: &str, items: &[Item]) -> String {
    match items {
        [one] if one.count == Count::One => format!("{variable}.append({})", one.source),
        items => {
            let list: Vec<String> = items.iter().map(starred).collect();
            format!("{variable}.extend([{}])", list.join(", "))
        }
    }
}

fn starred(item: &Item) -> String {
    match item.count {
        Count::One => item.source.clone(),
        Count::Many => format!("*{}", item.source),
    }
}
