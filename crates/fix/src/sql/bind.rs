//! From slots to placeholders: the edits of the statement's own text.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{FilePath, Span};
use solvent_lang::syntax::{Expr, ExprKind, Formatted, Passing};

use crate::NoPatch;
use crate::draft::Draft;
use crate::pieces::{AppArgs, AppKind, Form, Style as Written, Text, Unit, literal_text, value_of};
use crate::python::{self, Bit};
use crate::source::{File, World};

use super::driver::{Counts, DoubleQuotes, Driver, Style};
use super::lex::{Lexed, Place, Slot};
use super::list::{joined, joined_hole, list_of};

/// A value to give with the statement.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub source: String,
    pub name: String,
    pub count: Count,
    /// Placeholders of the original text before it.
    pub bound_before: usize,
    /// Where the source was written, to see whether it can be moved.
    pub path: FilePath,
    pub root: Span,
    /// Names in the source and calls that have effects.
    pub moves: Moves,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    One,
    /// Any number: `*source`.
    Many,
}

#[derive(Clone, Debug)]
pub(crate) struct Moves {
    pub names: Vec<String>,
    /// It only reads: no calls but look-ups and conversions.
    pub pure: Purity,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purity {
    Reads,
    Calls,
}

/// Whether the slot's value is to be bound.
fn wanted(
    world: &World<'_>,
    text: &Text<'_>,
    slot: &Slot,
    driver: Driver,
    tainted: Option<&[bool]>,
) -> bool {
    match &slot.place {
        Place::Literal => true,
        Place::DoubleQuoted => driver.double_quotes == DoubleQuotes::Literal,
        Place::Value | Place::Count | Place::List => carries(world, text, slot, tainted),
        Place::No(_) => false,
    }
}

/// Whether input may be in the slot.
fn carries(world: &World<'_>, text: &Text<'_>, slot: &Slot, tainted: Option<&[bool]>) -> bool {
    slot.bits.iter().any(|bit| {
        let Bit::Hole(hole) = bit else { return false };
        match tainted {
            Some(tainted) => tainted.get(*hole).copied().unwrap_or(true),
            None => !is_harmless(world, text, *hole),
        }
    })
}

/// A constant, or a number.
fn is_harmless(world: &World<'_>, text: &Text<'_>, hole: usize) -> bool {
    let hole = &text.holes[hole];
    if hole.form == Form::Number {
        return true;
    }
    let Some(expr) = hole.expr else { return false };
    is_constant(world, hole.file, expr)
}

fn is_constant(world: &World<'_>, file: &File, expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number | ExprKind::True | ExprKind::False | ExprKind::None => true,
        ExprKind::Str(_) => literal_text(file, expr).is_some(),
        ExprKind::Call { func, .. } => matches!(
            func.dotted().as_deref(),
            Some("int" | "float" | "len" | "round" | "time.ctime" | "time.time")
        ),
        ExprKind::Name(_) | ExprKind::Attribute { .. } => value_of(world, file, expr, 0)
            .is_some_and(|(file, value)| {
                value.dotted().is_none() && is_constant(world, file, value)
            }),
        _ => false,
    }
}

/// The first hole with input where no value can stand.
pub(crate) fn misplaced(
    world: &World<'_>,
    text: &Text<'_>,
    lexed: &Lexed,
    driver: Driver,
    tainted: Option<&[bool]>,
) -> Option<(usize, String)> {
    for slot in &lexed.slots {
        let words = match &slot.place {
            Place::No(words) => words.clone(),
            Place::DoubleQuoted if driver.double_quotes == DoubleQuotes::Name => {
                "a quoted name".to_owned()
            }
            _ => continue,
        };
        if !carries(world, text, slot, tainted) {
            continue;
        }
        let hole = slot.bits.iter().find_map(|bit| match bit {
            Bit::Hole(hole) if tainted.is_none_or(|t| t.get(*hole).copied().unwrap_or(true)) => {
                Some(*hole)
            }
            _ => None,
        })?;
        return Some((hole, words));
    }
    None
}

/// Whether anything of the text is to be bound.
pub(crate) fn any(
    world: &World<'_>,
    text: &Text<'_>,
    lexed: &Lexed,
    driver: Driver,
    tainted: Option<&[bool]>,
) -> bool {
    lexed
        .slots
        .iter()
        .any(|s| wanted(world, text, s, driver, tainted))
}

/// Replaces slots by placeholders; the values in the order of the placeholders.
pub(crate) fn bind<'w>(
    world: &'w World<'_>,
    text: &Text<'w>,
    lexed: &Lexed,
    style: Style,
    driver: Driver,
    tainted: Option<&[bool]>,
    draft: &mut Draft,
) -> Result<Vec<Item>, NoPatch> {
    let chosen: Vec<&Slot> = lexed
        .slots
        .iter()
        .filter(|s| wanted(world, text, s, driver, tainted))
        .collect();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut items: Vec<Item> = Vec::new();
    let mut bound_holes: BTreeSet<usize> = BTreeSet::new();
    for slot in &chosen {
        bound_holes.extend(slot.bits.iter().filter_map(|b| match b {
            Bit::Hole(h) => Some(*h),
            Bit::Text(_) => None,
        }));
    }
    let after = After::new(world, text, &bound_holes);
    for (at, slot) in chosen.iter().enumerate() {
        let first_hole = slot.bits.iter().find_map(|b| match b {
            Bit::Hole(h) => Some(*h),
            Bit::Text(_) => None,
        });
        let Some(first_hole) = first_hole else {
            continue;
        };
        // `IN (%s)` with `",".join(ids)`: one placeholder for each.
        if let Some((list, file, expr)) = joined(world, text, slot) {
            if style != Style::Question && style != Style::Percent {
                return Err(not_a_value(text, first_hole, "a list of unknown length"));
            }
            items.push(list_of(
                text,
                slot,
                first_hole,
                (&list, file, expr),
                style,
                draft,
            ));
            bound_holes.remove(&first_hole);
            continue;
        }
        let hole = &text.holes[first_hole];
        let quote = text
            .units
            .get(slot.first)
            .and_then(|u| match u {
                Unit::Char { part, .. } => text.parts[*part].quote.chars().next(),
                Unit::Hole(h) => text.holes[*h]
                    .part
                    .and_then(|p| text.parts[p].quote.chars().next()),
            })
            .unwrap_or_else(|| hole.file.quote());
        let mut source = match slot.bits.as_slice() {
            [Bit::Hole(_)] => match &hole.form {
                Form::Styled(source) => source.clone(),
                _ => hole.source.clone(),
            },
            bits => python::text_of(bits, &text.holes, quote),
        };
        if slot.place == Place::Count
            && driver.counts == Counts::AsNumber
            && !source.starts_with("int(")
        {
            source = format!("int({source})");
        }
        if slot.place == Place::List {
            draft.assume(format!(
                "`{}` is bound as one value; a list of values separated by commas no longer works there",
                hole.source
            ));
        }
        if let Some(inner) = hole.expr.and_then(|e| unescaped(hole.file, e))
            && slot.bits.len() == 1
        {
            source = inner;
        }
        if slot.place == Place::Value && hole.form != Form::Repr {
            draft.note(format!(
                "`{}` stood without quotes: it is bound as it is, so it counts as text where the column is not \
                 declared as a number",
                hole.source
            ));
        }
        if source.contains(":=") {
            source = format!("({source})");
        }
        let mut name = python::name_for(&hole.source, "value");
        if !used.insert(name.clone()) {
            let base = name;
            let mut n = 2;
            loop {
                name = format!("{base}_{n}");
                if used.insert(name.clone()) {
                    break;
                }
                n += 1;
            }
        }
        let placeholder = match style {
            Style::Question => "?".to_owned(),
            Style::Percent => "%s".to_owned(),
            Style::Colon => format!(":{name}"),
            Style::PercentNamed => format!("%({name})s"),
            Style::Dollar => format!("${}", lexed.positional + at + 1),
        };
        place(text, slot, &placeholder, &after, draft)?;
        items.push(Item {
            source,
            name,
            count: Count::One,
            bound_before: slot.bound_before,
            path: hole.file.path.clone(),
            root: hole.root,
            moves: moves(text, slot),
        });
    }
    if items.is_empty() {
        return Err(NoPatch::NotFollowed {
            what: "no value of the statement could be told from its text".to_owned(),
            line: text
                .parts
                .first()
                .map_or(1, |p| p.file.line_of(p.span.start)),
        });
    }
    rewrite(text, lexed, &chosen, style, &after, draft);
    templates(text, &bound_holes, &after, draft)?;
    Ok(items)
}

/// The value without the escaping that was done by hand: a bound value needs none.
fn unescaped(file: &File, expr: &Expr) -> Option<String> {
    let ExprKind::Call { func, args, .. } = &expr.kind else {
        return None;
    };
    let ExprKind::Attribute { value, name, .. } = &func.kind else {
        return None;
    };
    match (&**name, args.as_slice()) {
        ("replace", [from, to]) => {
            let from = literal_text(file, &from.value)?;
            let to = literal_text(file, &to.value)?;
            let doubled = from.len() == 1
                && matches!(from.as_str(), "'" | "\"")
                && (to == from.repeat(2) || to == format!("\\{from}"));
            doubled.then(|| {
                unescaped(file, value).unwrap_or_else(|| file.slice(value.span).to_owned())
            })
        }
        ("escape_string" | "escape" | "escape_sql" | "mysql_escape_string", [only]) => {
            Some(file.slice(only.value.span).to_owned())
        }
        _ => None,
    }
}

fn not_a_value(text: &Text<'_>, hole: usize, place: &str) -> NoPatch {
    NoPatch::NotAValue {
        source: text.holes[hole].source.clone(),
        place: place.to_owned(),
    }
}

/// What is left of literals and templates once the holes are gone.
struct After {
    /// By literal: how its text is written.
    styles: Vec<Written>,
    /// By literal: whether it is still an f-string.
    formatted: Vec<Formatted>,
    /// By template: whether it still has holes.
    kept: Vec<bool>,
}

impl After {
    fn new<'w>(world: &'w World<'_>, text: &Text<'w>, bound: &BTreeSet<usize>) -> Self {
        let mut kept = vec![false; text.apps.len()];
        let mut fields = vec![false; text.parts.len()];
        for unit in &text.units {
            let Unit::Hole(h) = unit else { continue };
            if bound.contains(h) && joined_hole(world, text, *h).is_none() {
                continue;
            }
            if let Some(app) = text.holes[*h].app {
                kept[app] = true;
            } else if let Some(part) = text.holes[*h].part {
                fields[part] = true;
            }
        }
        let mut styles = Vec::new();
        let mut formatted = Vec::new();
        for (id, part) in text.parts.iter().enumerate() {
            let is_f = part.formatted == Formatted::FString && fields[id];
            let style = match part.app {
                Some(app) if kept[app] => part.style,
                Some(_) => Written::Plain,
                None if is_f => Written::Braces,
                None if part.formatted == Formatted::FString => Written::Plain,
                None => part.style,
            };
            styles.push(style);
            formatted.push(if is_f {
                Formatted::FString
            } else {
                Formatted::Plain
            });
        }
        Self {
            styles,
            formatted,
            kept,
        }
    }
}

/// Names that the values of a slot are made of.
pub(crate) fn moves(text: &Text<'_>, slot: &Slot) -> Moves {
    let mut names = Vec::new();
    let mut pure = Purity::Reads;
    for bit in &slot.bits {
        let Bit::Hole(hole) = bit else { continue };
        let hole = &text.holes[*hole];
        let Some(expr) = hole.expr else {
            let name: String = hole
                .source
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            names.push(name);
            continue;
        };
        expr.walk(&mut |e| match &e.kind {
            ExprKind::Name(name) => names.push(name.clone()),
            ExprKind::Call { func, .. } => {
                let method = match &func.kind {
                    ExprKind::Attribute { name, .. } | ExprKind::Name(name) => &**name,
                    _ => "",
                };
                const READS: [&str; 15] = [
                    "get", "str", "int", "float", "strip", "lower", "upper", "len", "format",
                    "join", "replace", "lstrip", "rstrip", "encode", "decode",
                ];
                if !READS.contains(&method) {
                    pure = Purity::Calls;
                }
            }
            _ => {}
        });
    }
    Moves { names, pure }
}

/// Writes the placeholder in the place of a slot.
fn place(
    text: &Text<'_>,
    slot: &Slot,
    placeholder: &str,
    after: &After,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let written = |part: usize| match after.styles[part] {
        Written::Percent => placeholder.replace('%', "%%"),
        _ => placeholder.to_owned(),
    };
    let span_of = |unit: &Unit| match unit {
        Unit::Char { span, .. } => *span,
        Unit::Hole(h) => text.holes[*h].span,
    };
    let part_of = |unit: &Unit| match unit {
        Unit::Char { part, .. } => Some(*part),
        Unit::Hole(h) => text.holes[*h].part,
    };
    let units = &text.units[slot.first..=slot.last];
    let (Some(first), Some(last)) = (units.first(), units.last()) else {
        return Ok(());
    };
    let (start, end) = (span_of(first), span_of(last));
    match (part_of(first), part_of(last)) {
        (Some(a), Some(b)) if a == b => {
            let file = text.parts[a].file;
            draft.edits(file).replace(start.start, end.end, written(a));
            Ok(())
        }
        (Some(a), Some(b)) => {
            let (one, two) = (&text.parts[a], &text.parts[b]);
            if !std::ptr::eq(one.file, two.file)
                || one.root != two.root
                || two.span.start < one.span.end
            {
                return Err(apart(text, slot));
            }
            let alike = one.quote == two.quote
                && one.raw == two.raw
                && after.formatted[a] == after.formatted[b]
                && after.styles[a] == after.styles[b]
                && one.app.filter(|x| after.kept[*x]) == two.app.filter(|x| after.kept[*x]);
            let edits = draft.edits(one.file);
            if alike {
                edits.replace(start.start, end.end, written(a));
            } else {
                edits.replace(start.start, one.content.end, written(a));
                // What is between the two literals is gone with the hole.
                edits.replace(one.span.end, two.span.start, " + ");
                edits.replace(two.content.start, end.end, "");
            }
            Ok(())
        }
        // A bare hole between or behind literals.
        (None, None) => {
            let before = slot
                .first
                .checked_sub(1)
                .and_then(|at| part_of(&text.units[at]));
            let next = text.units.get(slot.last + 1).and_then(part_of);
            let Some(a) = before else {
                return Err(apart(text, slot));
            };
            let one = &text.parts[a];
            let hole = &text.holes[match first {
                Unit::Hole(h) => *h,
                Unit::Char { .. } => return Err(apart(text, slot)),
            }];
            if !std::ptr::eq(one.file, hole.file)
                || one.root != hole.root
                || one.span.end > start.start
            {
                return Err(apart(text, slot));
            }
            let edits = draft.edits(one.file);
            let merged = next.filter(|b| {
                let two = &text.parts[*b];
                std::ptr::eq(one.file, two.file)
                    && one.root == two.root
                    && two.span.start >= end.end
                    && one.quote == two.quote
                    && one.raw == two.raw
                    && after.formatted[a] == after.formatted[*b]
                    && after.styles[a] == after.styles[*b]
                    && one.app.filter(|x| after.kept[*x]) == two.app.filter(|x| after.kept[*x])
                    && one.file.line_of(one.span.end) == one.file.line_of(two.span.start)
            });
            match merged {
                Some(b) => {
                    edits.replace(one.content.end, text.parts[b].content.start, written(a));
                }
                None => edits.replace(
                    one.content.end,
                    end.end,
                    format!("{}{}", written(a), one.quote),
                ),
            }
            Ok(())
        }
        _ => Err(apart(text, slot)),
    }
}

fn apart(text: &Text<'_>, slot: &Slot) -> NoPatch {
    let hole = slot.bits.iter().find_map(|b| match b {
        Bit::Hole(h) => Some(&text.holes[*h]),
        Bit::Text(_) => None,
    });
    NoPatch::NotFollowed {
        what: "the quotes of a value are written in different places".to_owned(),
        line: hole.map_or(1, |h| h.file.line_of(h.span.start)),
    }
}

/// Characters that are written differently now, and prefixes that are not needed.
fn rewrite(
    text: &Text<'_>,
    lexed: &Lexed,
    chosen: &[&Slot],
    style: Style,
    after: &After,
    draft: &mut Draft,
) {
    let no_parameters = lexed.positional == 0 && lexed.named == 0;
    let mut inside = vec![false; text.units.len()];
    for slot in chosen {
        inside[slot.first..=slot.last].fill(true);
    }
    for (at, unit) in text.units.iter().enumerate() {
        let Unit::Char { c, span, part } = *unit else {
            continue;
        };
        if inside[at] || !matches!(c, '%' | '{' | '}') {
            continue;
        }
        let own = &text.parts[part];
        let source = own.file.slice(span);
        if !source.starts_with(c) {
            continue;
        }
        let driver_level = if c == '%'
            && matches!(style, Style::Percent | Style::PercentNamed)
            && no_parameters
            && !lexed.placeholders.contains(&at)
        {
            2
        } else {
            1
        };
        let factor = match (c, after.styles[part]) {
            ('%', Written::Percent) | ('{' | '}', Written::Braces) => 2,
            _ => 1,
        };
        let wanted = c.to_string().repeat(driver_level * factor);
        if source != wanted {
            draft.edits(own.file).replace(span.start, span.end, wanted);
        }
    }
    for (id, part) in text.parts.iter().enumerate() {
        if part.formatted == Formatted::FString && after.formatted[id] == Formatted::Plain {
            let prefix = part.file.slice(Span {
                start: part.span.start,
                end: part.content.start,
            });
            if let Some(at) = prefix.find(['f', 'F']) {
                let at = part.span.start + at as u32;
                draft.edits(part.file).replace(at, at + 1, "");
            }
        }
    }
}

/// Takes bound values out of `%` and `.format`.
fn templates(
    text: &Text<'_>,
    bound: &BTreeSet<usize>,
    after: &After,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let mut left: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for unit in &text.units {
        if let Unit::Hole(h) = unit
            && !bound.contains(h)
            && let Some(app) = text.holes[*h].app
        {
            left.entry(app).or_default().push(*h);
        }
    }
    for (id, app) in text.apps.iter().enumerate() {
        let had_bound = text.units.iter().any(
            |u| matches!(u, Unit::Hole(h) if bound.contains(h) && text.holes[*h].app == Some(id)),
        );
        if !had_bound {
            continue;
        }
        let kept = left.get(&id).cloned().unwrap_or_default();
        if kept.is_empty() && !after.kept[id] {
            draft
                .edits(app.file)
                .replace(app.tail.start, app.tail.end, "");
            continue;
        }
        match (&app.right, app.kind) {
            (AppArgs::Values(items), AppKind::Percent) => {
                let gone: BTreeSet<u32> = bound
                    .iter()
                    .filter(|h| text.holes[**h].app == Some(id))
                    .filter_map(|h| text.holes[*h].expr.map(|e| e.span.start))
                    .collect();
                let rest: Vec<String> = items
                    .iter()
                    .filter(|e| !gone.contains(&e.span.start))
                    .map(|e| app.file.slice(e.span).to_owned())
                    .collect();
                draft.edits(app.file).replace(
                    app.tail.start,
                    app.tail.end,
                    format!(" % {}", python::tuple(&rest)),
                );
            }
            (AppArgs::Call(args), AppKind::Format) => {
                let gone: BTreeSet<u32> = bound
                    .iter()
                    .filter(|h| text.holes[**h].app == Some(id))
                    .filter_map(|h| text.holes[*h].expr.map(|e| e.span.start))
                    .collect();
                let still: BTreeSet<u32> = kept
                    .iter()
                    .filter_map(|h| text.holes[*h].expr.map(|e| e.span.start))
                    .collect();
                // `{0}` counts its arguments: they stay where they are.
                let counted = text.units.iter().any(|u| {
                    matches!(u, Unit::Hole(h) if text.holes[*h].app == Some(id)
                    && text.holes[*h].part.is_some_and(|p| {
                        text.parts[p].file.slice(text.holes[*h].span)[1..].starts_with(|c: char| c.is_ascii_digit())
                    }))
                });
                let rest: Vec<String> = args
                    .iter()
                    .filter(|a| {
                        let at = a.value.span.start;
                        still.contains(&at)
                            || !gone.contains(&at)
                            || (counted && a.passing == Passing::Position)
                    })
                    .map(|a| app.file.slice(a.span).to_owned())
                    .collect();
                draft.edits(app.file).replace(
                    app.tail.start,
                    app.tail.end,
                    format!(".format({})", rest.join(", ")),
                );
            }
            _ => {
                return Err(NoPatch::NotFollowed {
                    what: "a template takes its values from one expression, of which only some can be bound"
                        .to_owned(),
                    line: app.file.line_of(app.tail.start),
                });
            }
        }
    }
    Ok(())
}
