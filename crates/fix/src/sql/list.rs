//! `IN ( )` with a list that the program joins: one placeholder for each.

use solvent_lang::syntax::{Expr, ExprKind, Formatted, Passing};

use crate::draft::Draft;
use crate::pieces::{Text, Unit, literal_text, value_of};
use crate::python::Bit;
use crate::source::{File, World};

use super::bind::{Count, Item, moves};
use super::driver::Style;
use super::lex::{Place, Slot};

/// `",".join(ids)` in the hole, or the variable that holds it.
pub(crate) fn joined_hole<'w>(
    world: &'w World<'_>,
    text: &Text<'w>,
    hole: usize,
) -> Option<(Joined, &'w File, &'w Expr)> {
    let file = text.holes[hole].file;
    let expr = text.holes[hole].expr?;
    if let Some(joined) = join_of(file, expr) {
        return Some((joined, file, expr));
    }
    let (from, value) = value_of(world, file, expr, 0)?;
    if !std::ptr::eq(from, file) {
        return None;
    }
    Some((join_of(file, value)?, file, value))
}

pub(crate) struct Joined {
    /// What is joined: source of something that can be gone through twice.
    items: String,
    /// What is counted.
    counted: String,
}

/// `",".join(ids)`, with or without quotes between.
fn join_of(file: &File, expr: &Expr) -> Option<Joined> {
    let ExprKind::Call { func, args, .. } = &expr.kind else {
        return None;
    };
    let ExprKind::Attribute { value, name, .. } = &func.kind else {
        return None;
    };
    if name != "join" {
        return None;
    }
    let glue = literal_text(file, value)?;
    if glue.replace([' ', '\'', '"'], "") != "," {
        return None;
    }
    let [only] = args.as_slice() else { return None };
    if only.passing != Passing::Position {
        return None;
    }
    let source = file.slice(only.value.span).trim().to_owned();
    match &only.value.kind {
        ExprKind::Name(_) | ExprKind::Attribute { .. } => Some(Joined {
            items: source.clone(),
            counted: source,
        }),
        ExprKind::Subscript { .. } => Some(Joined {
            items: source.clone(),
            counted: source,
        }),
        ExprKind::Inner(parts) => {
            // `str(i) for i in ids`
            let [element, target, iter] = parts.as_slice() else {
                return None;
            };
            let target = target.dotted()?;
            let counted = iter.dotted()?;
            // What quotes the value is no longer wanted.
            let inner = bare_element(file, element, &target)?;
            let items = if inner == target {
                counted.clone()
            } else {
                format!("({inner} for {target} in {counted})")
            };
            Some(Joined { items, counted })
        }
        ExprKind::Call { func, args, .. } if func.dotted().as_deref() == Some("map") => {
            let [function, list] = args.as_slice() else {
                return None;
            };
            let counted = list.value.dotted()?;
            let items = if function.value.dotted().as_deref() == Some("str") {
                counted.clone()
            } else {
                source
            };
            Some(Joined { items, counted })
        }
        ExprKind::Call { func, args, .. }
            if matches!(&func.kind, ExprKind::Attribute { name, .. } if matches!(&**name, "getlist" | "split"))
                && args.len() == 1 =>
        {
            Some(Joined {
                items: source.clone(),
                counted: source,
            })
        }
        _ => None,
    }
}

/// `x` from `x`, `str(x)`, `"'" + x + "'"`, `f"'{x}'"`, `"'%s'" % x`.
fn bare_element(file: &File, element: &Expr, target: &str) -> Option<String> {
    if element.dotted().as_deref() == Some(target) {
        return Some(target.to_owned());
    }
    if let ExprKind::Call { func, args, .. } = &element.kind
        && func.dotted().as_deref() == Some("str")
        && args.len() == 1
    {
        return bare_element(file, &args[0].value, target);
    }
    let source = file.slice(element.span);
    let text: String = source
        .chars()
        .filter(|c| !matches!(c, '\'' | '"' | ' ' | '+' | '{' | '}' | '\\'))
        .collect();
    (text == target || text == format!("f{target}") || text == format!("%s%{target}"))
        .then(|| target.to_owned())
}

pub(crate) fn joined<'w>(
    world: &'w World<'_>,
    text: &Text<'w>,
    slot: &Slot,
) -> Option<(Joined, &'w File, &'w Expr)> {
    if !matches!(
        slot.place,
        Place::List | Place::Literal | Place::DoubleQuoted
    ) {
        return None;
    }
    let [Bit::Hole(hole)] = slot.bits.as_slice() else {
        return None;
    };
    joined_hole(world, text, *hole)
}

/// A list of placeholders made at run time.
pub(crate) fn list_of(
    text: &Text<'_>,
    slot: &Slot,
    hole: usize,
    (list, file, expr): (&Joined, &File, &Expr),
    style: Style,
    draft: &mut Draft,
) -> Item {
    let hole_data = &text.holes[hole];
    // The quotes around the list belong to its first and last element.
    for at in [slot.first, slot.last] {
        if let Unit::Char { span, part, .. } = text.units[at] {
            let file = text.parts[part].file;
            draft.edits(file).replace(span.start, span.end, "");
        }
    }
    let own = hole_data.expr.is_some_and(|e| e.span == expr.span);
    let sign = match style {
        Style::Percent => "%s",
        _ => "?",
    };
    // Inside an f-string its own quote cannot stand before Python 3.12.
    let around = hole_data
        .part
        .filter(|p| {
            own && hole_data.app.is_none() && text.parts[*p].formatted == Formatted::FString
        })
        .and_then(|p| text.parts[p].quote.chars().next());
    let quote = match around {
        Some('"') => '\'',
        Some(_) => '"',
        None => hole_data.file.quote(),
    };
    let placeholders = format!(
        "{quote}, {quote}.join({quote}{sign}{quote} for _ in {})",
        list.counted
    );
    draft
        .edits(file)
        .replace(expr.span.start, expr.span.end, placeholders);
    Item {
        source: list.items.clone(),
        name: "items".to_owned(),
        count: Count::Many,
        bound_before: slot.bound_before,
        path: hole_data.file.path.clone(),
        root: hole_data.root,
        moves: moves(text, slot),
    }
}
