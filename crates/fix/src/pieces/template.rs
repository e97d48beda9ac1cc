//! Templates: what `%` and `.format` fill, and how literals are written.

use solvent_base::Span;
use solvent_lang::syntax::{ExprKind, Passing, Raw};

use crate::source::File;

use super::{AppArgs, Form, Hole, Text, Unit, literal_text};

impl Text<'_> {
    /// Replaces `%s` and its like from `first` on by holes.
    pub(super) fn percent(&mut self, first: usize, app: usize) -> Option<()> {
        let units = self.units.split_off(first);
        let mut at = 0;
        let mut index = 0_usize;
        let total = count_percent(&units);
        while at < units.len() {
            let Unit::Char { c, span, part } = units[at] else {
                return None;
            };
            if c != '%' {
                self.units.push(units[at]);
                at += 1;
                continue;
            }
            let mut end = at + 1;
            let mut key: Option<String> = None;
            if char_at(&units, end) == Some('(') {
                let mut name = String::new();
                end += 1;
                while let Some(c) = char_at(&units, end)
                    && c != ')'
                {
                    name.push(c);
                    end += 1;
                }
                end += 1;
                key = Some(name);
            }
            let flags = end;
            while let Some(c) = char_at(&units, end)
                && (matches!(c, '#' | '0' | '-' | ' ' | '+' | '.') || c.is_ascii_digit())
            {
                end += 1;
            }
            let conversion = char_at(&units, end)?;
            let Unit::Char {
                span: last,
                part: last_part,
                ..
            } = units[end]
            else {
                return None;
            };
            if last_part != part {
                return None;
            }
            let whole = Span {
                start: span.start,
                end: last.end,
            };
            if conversion == '%' {
                self.units.push(Unit::Char {
                    c: '%',
                    span: whole,
                    part,
                });
                at = end + 1;
                continue;
            }
            let file = self.parts[part].file;
            let (expr, source) = match (&self.apps[app].right, &key) {
                (AppArgs::Values(items), None) => {
                    let expr = *items.get(index)?;
                    (Some(expr), file.slice(expr.span).to_owned())
                }
                (AppArgs::Whole(right), None) => {
                    let text = file.slice(right.span);
                    if total == 1 {
                        (Some(*right), text.to_owned())
                    } else {
                        (None, format!("{text}[{index}]"))
                    }
                }
                (AppArgs::Whole(right), Some(key)) => match &right.kind {
                    ExprKind::Dict(items) => {
                        let value = items.iter().find_map(|(k, v)| {
                            (literal_text(file, k.as_ref()?)? == *key).then_some(v)
                        })?;
                        (Some(value), file.slice(value.span).to_owned())
                    }
                    _ => {
                        let quote = if file.slice(right.span).contains('"') {
                            '\''
                        } else {
                            '"'
                        };
                        (
                            None,
                            format!("{}[{quote}{key}{quote}]", file.slice(right.span)),
                        )
                    }
                },
                _ => return None,
            };
            index += 1;
            let root = match (&self.apps[app].right, expr) {
                (_, Some(expr)) => expr.span,
                (AppArgs::Whole(right), None) => right.span,
                _ => self.parts[part].root,
            };
            let form = match conversion {
                's' if flags == end => Form::Plain,
                'r' if flags == end => Form::Repr,
                'd' | 'i' | 'u' if flags == end => Form::Number,
                's' | 'r' | 'd' | 'i' | 'u' | 'f' | 'F' | 'e' | 'g' | 'x' | 'X' | 'o' | 'c' => {
                    let directive: String =
                        (flags..=end).filter_map(|i| char_at(&units, i)).collect();
                    Form::Styled(format!("\"%{directive}\" % ({source},)"))
                }
                _ => return None,
            };
            self.units.push(Unit::Hole(self.holes.len()));
            self.holes.push(Hole {
                file,
                expr,
                source,
                span: whole,
                part: Some(part),
                app: Some(app),
                form,
                root,
            });
            at = end + 1;
        }
        match &self.apps[app].right {
            AppArgs::Values(items) if items.len() != index => None,
            _ => Some(()),
        }
    }

    /// Replaces `{}` and its like from `first` on by holes.
    pub(super) fn braces(&mut self, first: usize, app: usize) -> Option<()> {
        let units = self.units.split_off(first);
        let mut at = 0;
        let mut auto = 0_usize;
        while at < units.len() {
            let Unit::Char { c, span, part } = units[at] else {
                return None;
            };
            if !matches!(c, '{' | '}') {
                self.units.push(units[at]);
                at += 1;
                continue;
            }
            if char_at(&units, at + 1) == Some(c) {
                let Unit::Char { span: second, .. } = units[at + 1] else {
                    return None;
                };
                self.units.push(Unit::Char {
                    c,
                    span: Span {
                        start: span.start,
                        end: second.end,
                    },
                    part,
                });
                at += 2;
                continue;
            }
            if c == '}' {
                return None;
            }
            let mut end = at + 1;
            let mut field = String::new();
            while let Some(c) = char_at(&units, end)
                && c != '}'
            {
                if c == '{' {
                    return None;
                }
                field.push(c);
                end += 1;
            }
            let Some(Unit::Char {
                span: last,
                part: last_part,
                ..
            }) = units.get(end)
            else {
                return None;
            };
            if *last_part != part {
                return None;
            }
            let whole = Span {
                start: span.start,
                end: last.end,
            };
            let cut = field.find(['!', ':']).unwrap_or(field.len());
            let (name, how) = field.split_at(cut);
            let head_end = name.find(['.', '[']).unwrap_or(name.len());
            let (head, rest) = name.split_at(head_end);
            // `{0[key]}` has its key without quotes.
            if rest.contains('[') {
                return None;
            }
            let AppArgs::Call(args) = &self.apps[app].right else {
                return None;
            };
            let arg = if head.is_empty() || head.bytes().all(|b| b.is_ascii_digit()) {
                let index = if head.is_empty() {
                    auto += 1;
                    auto - 1
                } else {
                    head.parse::<usize>().ok()?
                };
                args.iter()
                    .filter(|a| a.passing == Passing::Position)
                    .nth(index)?
            } else {
                args.iter()
                    .find(|a| a.passing == Passing::Keyword(head.to_owned()))?
            };
            let file = self.parts[part].file;
            let root = arg.value.span;
            let source = format!("{}{rest}", file.slice(arg.value.span));
            let form = match how {
                "" | "!s" | ":s" | ":" => Form::Plain,
                "!r" => Form::Repr,
                ":d" => Form::Number,
                _ => Form::Styled(format!("\"{{{how}}}\".format({source})")),
            };
            self.units.push(Unit::Hole(self.holes.len()));
            self.holes.push(Hole {
                file,
                expr: rest.is_empty().then_some(&arg.value),
                source,
                span: whole,
                part: Some(part),
                app: Some(app),
                form,
                root,
            });
            at = end + 1;
        }
        Some(())
    }
}

fn char_at(units: &[Unit], at: usize) -> Option<char> {
    match units.get(at) {
        Some(Unit::Char { c, .. }) => Some(*c),
        _ => None,
    }
}

fn count_percent(units: &[Unit]) -> usize {
    let mut at = 0;
    let mut count = 0;
    while at < units.len() {
        if char_at(units, at) == Some('%') {
            if char_at(units, at + 1) == Some('%') {
                at += 1;
            } else {
                count += 1;
            }
        }
        at += 1;
    }
    count
}

/// Characters of the run-time text with their places. An escape that is not known stays as written.
pub(super) fn characters(file: &File, span: Span, raw: Raw) -> impl Iterator<Item = (char, Span)> {
    let text = file.slice(span).to_owned();
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let c = rest.chars().next()?;
            let start = span.start + at as u32;
            let mut take = |length: usize, c: char| {
                at += length;
                let end = span.start + at as u32;
                Some((c, Span { start, end }))
            };
            if c != '\\' || raw == Raw::Raw {
                return take(c.len_utf8(), c);
            }
            let next = rest[1..].chars().next();
            let number = |from: usize, digits: usize, radix: u32| {
                rest.get(from..from + digits)
                    .and_then(|d| u32::from_str_radix(d, radix).ok())
                    .and_then(char::from_u32)
            };
            return match next {
                Some('\n') => {
                    at += 2;
                    continue;
                }
                Some('n') => take(2, '\n'),
                Some('t') => take(2, '\t'),
                Some('r') => take(2, '\r'),
                Some('\\') => take(2, '\\'),
                Some('\'') => take(2, '\''),
                Some('"') => take(2, '"'),
                Some('x') => match number(2, 2, 16) {
                    Some(c) => take(4, c),
                    None => take(1, '\\'),
                },
                Some('u') => match number(2, 4, 16) {
                    Some(c) => take(6, c),
                    None => take(1, '\\'),
                },
                Some('0') => take(2, '\0'),
                _ => take(1, '\\'),
            };
        }
    })
}
