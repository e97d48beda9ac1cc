//! One table of a data file, read key by key, with the place of every complaint.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use solvent_base::{FilePath, LineIndex, Problem, ProblemKind, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::suggest::hint;

/// A data file being read: collects problems with their lines.
pub struct Source<'a> {
    pub name: &'a str,
    lines: LineIndex,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub fn new(name: &'a str, text: &str) -> Self {
        Self {
            name,
            lines: LineIndex::new(text),
            problems: RefCell::default(),
        }
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    pub fn complain(&self, span: Range<usize>, message: impl AsRef<str>) {
        let span = Span {
            start: u32::try_from(span.start).unwrap_or(u32::MAX),
            end: u32::try_from(span.end).unwrap_or(u32::MAX),
        };
        let line = self.lines.position(span.start).line;
        self.problems.borrow_mut().push(Problem {
            kind: ProblemKind::Data,
            path: FilePath::new(self.name),
            span: Some(span),
            message: format!("line {line}: {}", message.as_ref()),
        });
    }
}

/// A table with the names of the keys it may have.
pub struct Row<'t> {
    table: &'t DeTable<'t>,
    pub span: Range<usize>,
    pub source: &'t Source<'t>,
    broken: Cell<bool>,
}

impl<'t> Row<'t> {
    /// Complains about every key that is not in `known`.
    pub fn new(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        source: &'t Source<'t>,
        known: &[&str],
    ) -> Self {
        let row = Self {
            table,
            span,
            source,
            broken: Cell::new(false),
        };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                row.complain(
                    key.span(),
                    format!("unknown key `{name}`{}", hint(name, known)),
                );
            }
        }
        row
    }

    pub fn complain(&self, span: Range<usize>, message: impl AsRef<str>) {
        self.broken.set(true);
        self.source.complain(span, message);
    }

    /// Whether a complaint was made: then the row must not be used.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table
            .iter()
            .find(|(name, _)| &**name.get_ref() == key)
            .map(|(_, value)| value)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let message = format!(
            "`{key}` is {} {}, expected {expected}",
            article(value),
            type_word(value)
        );
        self.complain(value.span(), message);
    }

    /// A text, with its span; complains when it is something else.
    pub fn text(&self, key: &str) -> Option<Spanned<&'t str>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(value.span(), &**text)),
            _ => {
                self.wrong(key, value, "a text");
                None
            }
        }
    }

    pub fn required_text(&self, key: &str) -> Option<Spanned<&'t str>> {
        if !self.has(key) {
            self.missing(key);
        }
        self.text(key)
    }

    pub fn missing(&self, key: &str) {
        self.complain(self.span.clone(), format!("key `{key}` is missing"));
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong(key, value, "`true` or `false`");
                None
            }
        }
    }

    /// A text or a list of texts.
    pub fn texts(&self, key: &str) -> Vec<Spanned<&'t str>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::String(text) => vec![Spanned::new(value.span(), &**text)],
            DeValue::Array(items) => {
                let mut texts = Vec::new();
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(text) => texts.push(Spanned::new(item.span(), &**text)),
                        _ => self.wrong(key, item, "a text"),
                    }
                }
                texts
            }
            _ => {
                self.wrong(key, value, "a text or a list of texts");
                Vec::new()
            }
        }
    }

    /// A list of whole numbers.
    pub fn numbers(&self, key: &str) -> Vec<u32> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, "a list of numbers");
            return Vec::new();
        };
        let mut numbers = Vec::new();
        for item in items.iter() {
            match integer(item).and_then(|n| u32::try_from(n).ok()) {
                Some(number) => numbers.push(number),
                None => self.wrong(key, item, "a whole number, not negative"),
            }
        }
        numbers
    }

    /// A list of tables (or one table).
    pub fn tables(&self, key: &str) -> Vec<(&'t DeTable<'t>, Range<usize>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Table(table) => vec![(table, value.span())],
            DeValue::Array(items) => {
                let mut tables = Vec::new();
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::Table(table) => tables.push((table, item.span())),
                        _ => self.wrong(key, item, "a table"),
                    }
                }
                tables
            }
            _ => {
                self.wrong(key, value, "a table or a list of tables");
                Vec::new()
            }
        }
    }

    /// A table's entries whatever their names are.
    pub fn map(&self, key: &str) -> Vec<(&'t str, &'t Spanned<DeValue<'t>>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .map(|(name, value)| (&**name.get_ref(), value))
                .collect(),
            _ => {
                self.wrong(key, value, "a table");
                Vec::new()
            }
        }
    }
}

pub fn integer(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    match value.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn article(value: &Spanned<DeValue<'_>>) -> &'static str {
    if matches!(value.get_ref(), DeValue::Array(_) | DeValue::Integer(_)) {
        "an"
    } else {
        "a"
    }
}

fn type_word(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "float",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "table",
    }
}
