//! The value quoted for the shell: second best, for commands that need one.

use solvent_lang::syntax::{Expr, ExprKind};

use crate::NoPatch;
use crate::draft::Draft;
use crate::imports::{self, SHLEX};
use crate::pieces::{Form as HoleForm, Text, Unit};
use crate::scope::{self, How, Meaning};
use crate::source::{File, World};
use crate::sql::{argument, calls_into, template_is_ours};

use super::lex::{Command, Leads, Quote};
use super::{Found, Unread, nested_shell, read, span_line, unquoted};

/// Wrappers around wrappers that are followed.
const MAX_WRAPPERS: u32 = 4;

pub(crate) fn attempt(world: &World<'_>, found: &Found<'_, '_>) -> Result<Draft, NoPatch> {
    let mut draft = Draft::default();
    let count = at(world, found, found.file, found.command, &mut draft, 0)?;
    if count == 0 {
        return Err(NoPatch::NotFollowed {
            what: "no value of the command could be told from its text".to_owned(),
            line: span_line(found.file, found.call.span),
        });
    }
    draft.assume(
        "the command still goes through a shell: a list of arguments would need no quoting",
    );
    Ok(draft)
}

/// Quotes the values of one command; how many.
fn at<'w>(
    world: &'w World<'_>,
    found: &Found<'w, '_>,
    file: &'w File,
    command: &'w Expr,
    draft: &mut Draft,
    depth: u32,
) -> Result<usize, NoPatch> {
    match read(world, file, command, &found.flows) {
        Ok(read) => {
            if read.command.holes.iter().any(|h| h.quote != Quote::Bare) {
                for (file, template) in &read.text.templates {
                    template_is_ours(world, file, template)?;
                }
            }
            apply(&read.text, &read.command, read.tainted.as_deref(), draft)
        }
        Err(unread) => elsewhere(world, found, *unread, draft, depth),
    }
}

fn elsewhere<'w>(
    world: &'w World<'_>,
    found: &Found<'w, '_>,
    Unread { why, text, hole }: Unread<'w>,
    draft: &mut Draft,
    depth: u32,
) -> Result<usize, NoPatch> {
    let Some(hole) = text.holes.get(hole) else {
        return Err(why);
    };
    let Some(expr) = hole.expr else {
        return Err(why);
    };
    let (Some(name), Some(site)) = (expr.dotted(), hole.file.site(expr.span)) else {
        return Err(why);
    };
    match scope::meaning(&site, &name) {
        // Each piece is quoted where it is added.
        Meaning::Many(defs) => {
            let mut count = 0;
            for def in &defs {
                let (How::Is(value) | How::Adds(value)) = def.how else {
                    return Err(why);
                };
                count += match def.how {
                    How::Adds(_) => piece(found, hole.file, value, draft)?,
                    _ => at(world, found, hole.file, value, draft, depth)
                        .or_else(|_| piece(found, hole.file, value, draft))?,
                };
            }
            Ok(count)
        }
        Meaning::Param(index) if depth < MAX_WRAPPERS => {
            let Some((level, function)) = site.function() else {
                return Err(why);
            };
            let calls = calls_into(
                world,
                &found.flows,
                &found.cause.sink.function,
                hole.file,
                function,
            )?;
            if calls.is_empty() {
                return Err(why);
            }
            let owner = site.owner(level);
            let mut count = 0;
            for (caller, call) in calls {
                let Some(argument) = argument(call, function, index, owner) else {
                    return Err(why);
                };
                count += at(world, found, caller, argument, draft, depth + 1)?;
            }
            Ok(count)
        }
        _ => Err(why),
    }
}

/// A part of a command that is added to what is there: its first word leads nothing.
fn piece<'w>(
    found: &Found<'w, '_>,
    file: &'w File,
    value: &'w Expr,
    draft: &mut Draft,
) -> Result<usize, NoPatch> {
    let text = crate::pieces::flatten(file, value);
    let mut command = super::lex::lex(&text);
    if let Some(first) = command.words.first_mut() {
        first.leads = Leads::No;
    }
    let tainted = text.tainted(&found.flows);
    if text.units.len() == 1 && matches!(text.units[0], Unit::Hole(_)) {
        let harmless = matches!(
            value.kind,
            ExprKind::Name(_) | ExprKind::Attribute { .. } | ExprKind::Subscript { .. }
        );
        if !harmless {
            return Err(NoPatch::WholeCommand);
        }
    }
    apply(&text, &command, tainted.as_deref(), draft)
}

fn apply(
    text: &Text<'_>,
    command: &Command,
    tainted: Option<&[bool]>,
    draft: &mut Draft,
) -> Result<usize, NoPatch> {
    if let Some(shell) = nested_shell(command) {
        return Err(NoPatch::NotFollowed {
            what: format!("`{shell}` reads the value as a command again"),
            line: text
                .holes
                .first()
                .map_or(1, |h| h.file.line_of(h.span.start)),
        });
    }
    let mut count = 0;
    for place in &command.holes {
        let hole = &text.holes[place.hole];
        let known = tainted.map(|t| t.get(place.hole).copied().unwrap_or(true));
        if known == Some(false) || hole.form == HoleForm::Number {
            continue;
        }
        let refuse = |what: &str| NoPatch::NotFollowed {
            what: format!("`{}` {what}", hole.source),
            line: hole.file.line_of(hole.span.start),
        };
        let Some(expr) = hole.expr else {
            return Err(refuse("is taken out of one value"));
        };
        if unquoted(expr).is_some() {
            continue;
        }
        let value = match hole.form {
            HoleForm::Text => hole.source.clone(),
            HoleForm::Plain if known == Some(true) => hole.source.clone(),
            HoleForm::Plain => format!("str({})", hole.source),
            _ => return Err(refuse("is formatted in a way that quoting would break")),
        };
        if place.quote == Quote::Inner {
            return Err(refuse("is in a command inside the command"));
        }
        if matches!(place.quote, Quote::Single | Quote::Double) {
            let sign = if place.quote == Quote::Single {
                '\''
            } else {
                '"'
            };
            leave(text, place.unit, sign, draft).ok_or_else(|| refuse("is quoted elsewhere"))?;
        }
        let name = imports::spelled(hole.file, &SHLEX).unwrap_or_else(|| {
            draft.import(hole.file, SHLEX);
            "shlex".to_owned()
        });
        draft.edits(hole.file).replace(
            expr.span.start,
            expr.span.end,
            format!("{name}.quote({value})"),
        );
        count += 1;
    }
    Ok(count)
}

/// Ends the quotes before a hole and begins them again behind it; empty ones go.
fn leave(text: &Text<'_>, unit: usize, sign: char, draft: &mut Draft) -> Option<()> {
    let neighbour = |at: Option<usize>| -> Option<(char, usize, solvent_base::Span)> {
        match text.units.get(at?)? {
            Unit::Char { c, span, part } => Some((*c, *part, *span)),
            Unit::Hole(_) => None,
        }
    };
    let (before, before_part, before_span) = neighbour(unit.checked_sub(1))?;
    let (after, after_part, after_span) = neighbour(Some(unit + 1))?;
    let write = |part: usize| {
        let quote = text.parts[part].quote;
        if quote.starts_with(sign) && quote.len() == 1 {
            format!("\\{sign}")
        } else {
            sign.to_string()
        }
    };
    let edits = |draft: &mut Draft, part: usize, start: u32, end: u32, text_: String| {
        draft
            .edits(text.parts[part].file)
            .replace(start, end, text_);
    };
    if before == sign {
        edits(
            draft,
            before_part,
            before_span.start,
            before_span.end,
            String::new(),
        );
    } else {
        edits(
            draft,
            before_part,
            before_span.end,
            before_span.end,
            write(before_part),
        );
    }
    let end = &text.parts[after_part];
    let alone = end.content == after_span && unit + 2 == text.units.len();
    if let (Unit::Hole(hole), true, true) = (text.units[unit], alone, after == sign)
        && text.holes[hole].part.is_none()
    {
        // Nothing is left of the last literal.
        edits(
            draft,
            after_part,
            text.holes[hole].span.end,
            end.span.end,
            String::new(),
        );
    } else if after == sign {
        edits(
            draft,
            after_part,
            after_span.start,
            after_span.end,
            String::new(),
        );
    } else {
        edits(
            draft,
            after_part,
            after_span.start,
            after_span.start,
            write(after_part),
        );
    }
    Some(())
}
