//! Entry points: how routes are bound, and what handlers are called with.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::super::{Words, choice, dotted_path, port, source_kind};
use super::Library;
use crate::row::*;
use crate::toml_row::Row;

pub(super) const ENTRY_KEYS: [&str; 34] = [
    "shape",
    "framework",
    "route",
    "methods",
    "default_methods",
    "handler",
    "prefix",
    "mounted",
    "method_functions",
    "files",
    "bound_by",
    "syntax",
    "params",
    "variable",
    "named_by",
    "extra",
    "runs",
    "gives",
    "checks",
    "checks_named",
    "actions",
    "on_one",
    "keys",
    "detail",
    "asks",
    "table",
    "before",
    "answers",
    "suffix",
    "names",
    "stacks",
    "served_at",
    "named",
    "on",
];

/// `parameters = { plain = "http-query", body = "http-json", models = ["pydantic.BaseModel"] }`.
pub(super) fn read_filling(top: &Row<'_>) -> Option<Filling> {
    let (table, span) = top.tables("parameters").into_iter().next()?;
    let inner = Row::new(
        table,
        span,
        top.source,
        &["plain", "body", "models", "files"],
    );
    let kind = |key: &str| {
        let word = inner.required_text(key)?;
        source_kind(&inner, &word)
    };
    let paths = |key: &str| -> Vec<String> {
        let texts = inner.texts(key);
        texts
            .iter()
            .filter_map(|t| dotted_path(&inner, t))
            .collect()
    };
    let (plain, body) = (kind("plain"), kind("body"));
    Some(Filling {
        plain: plain?,
        body: body?,
        models: paths("models"),
        files: paths("files"),
    })
}

pub(super) fn read_converters(words: &Words<'_>, row: &Row<'_>) -> BTreeMap<String, Converter> {
    let mut converters = BTreeMap::new();
    for (name, value) in row.map("converters") {
        let DeValue::Table(table) = value.get_ref() else {
            row.complain(value.span(), "a table was expected");
            continue;
        };
        let inner = Row::new(table, value.span(), row.source, &["for", "excludes"]);
        let excludes = inner
            .text("excludes")
            .map(|t| t.get_ref().chars().collect())
            .unwrap_or_default();
        let clears = words.kinds(&inner, "for");
        converters.insert(name.to_owned(), Converter { clears, excludes });
    }
    converters
}

pub(super) fn read_entry(library: &mut Library<'_>, row: &Row<'_>) {
    let shapes = [
        ("decorator", EntryShape::Decorator),
        ("registrar", EntryShape::Registrar),
        ("base_class", EntryShape::BaseClass),
        ("file_path", EntryShape::FilePath),
        ("application", EntryShape::Application),
        ("collection", EntryShape::Collection),
        ("mount", EntryShape::Mount),
        ("part", EntryShape::Part),
        ("group", EntryShape::Group),
        ("hook", EntryShape::Hook),
        ("listed", EntryShape::Listed),
        ("include", EntryShape::Include),
        ("table", EntryShape::Table),
        ("wrapper", EntryShape::Wrapper),
        ("action", EntryShape::Action),
        ("route", EntryShape::Route),
        ("parameter", EntryShape::Parameter),
        ("name", EntryShape::Name),
        ("signature", EntryShape::Signature),
        ("prefix", EntryShape::Prefix),
    ];
    let shape = choice(row, "shape", &shapes);
    if !row.has("shape") {
        row.missing("shape");
    }
    let Some(shape) = shape else { return };
    for (wanted, key) in [
        (
            matches!(
                shape,
                EntryShape::Registrar | EntryShape::Listed | EntryShape::Route
            ),
            "handler",
        ),
        (
            matches!(shape, EntryShape::Mount | EntryShape::Include) && !row.has("table"),
            "mounted",
        ),
        (matches!(shape, EntryShape::Table), "variable"),
        (matches!(shape, EntryShape::Table), "named_by"),
        (matches!(shape, EntryShape::Signature), "names"),
        (matches!(shape, EntryShape::Name), "named"),
        (matches!(shape, EntryShape::Prefix), "prefix"),
        (matches!(shape, EntryShape::BaseClass), "method_functions"),
        (matches!(shape, EntryShape::FilePath), "method_functions"),
        (matches!(shape, EntryShape::FilePath), "files"),
    ] {
        if wanted && !row.has(key) {
            row.missing(key);
        }
    }
    let method_functions = lists(row, "method_functions");
    let syntaxes = [
        ("angle", RouteSyntax::Angle),
        ("angle-name", RouteSyntax::AngleName),
        ("brace", RouteSyntax::Brace),
        ("colon", RouteSyntax::Colon),
        ("regex", RouteSyntax::Regex),
    ];
    let words = |key: &str| -> Vec<String> {
        row.texts(key)
            .iter()
            .map(|text| (*text.get_ref()).to_owned())
            .collect()
    };
    let one = |key: &str| row.text(key).map(|text| (*text.get_ref()).to_owned());
    let firsts = |key: &str| -> BTreeMap<String, String> {
        lists(row, key)
            .into_iter()
            .filter_map(|(name, list)| Some((name, list.into_iter().next()?)))
            .collect()
    };
    let entry = EntryRow {
        shape,
        framework: row
            .text("framework")
            .map_or_else(|| library.name.clone(), |text| (*text.get_ref()).to_owned()),
        route: port(row, "route"),
        methods: port(row, "methods"),
        default_methods: row
            .texts("default_methods")
            .iter()
            .map(|text| (*text.get_ref()).to_owned())
            .collect(),
        handler: port(row, "handler"),
        prefix: port(row, "prefix"),
        mounted: port(row, "mounted"),
        method_functions,
        files: row.text("files").map(|text| (*text.get_ref()).to_owned()),
        bound_by: row
            .text("bound_by")
            .and_then(|text| dotted_path(row, &text)),
        syntax: choice(row, "syntax", &syntaxes).unwrap_or(RouteSyntax::Angle),
        converters: library.converters.clone(),
        params: row
            .texts("params")
            .iter()
            .filter_map(|text| dotted_path(row, text))
            .collect(),
        variable: one("variable"),
        named_by: one("named_by"),
        extra: port(row, "extra"),
        runs: lists(row, "runs"),
        gives: firsts("gives"),
        checks: words("checks"),
        checks_named: one("checks_named"),
        actions: firsts("actions"),
        on_one: words("on_one"),
        keys: words("keys"),
        detail: port(row, "detail"),
        asks: port(row, "asks"),
        names: row
            .texts("names")
            .iter()
            .map(|text| (*text.get_ref()).to_owned())
            .collect(),
        stacks: row.flag("stacks") == Some(true),
        served_at: one("served_at"),
        table: port(row, "table"),
        named: port(row, "named"),
        on: port(row, "on"),
        before: port(row, "before"),
        answers: port(row, "answers"),
        suffix: port(row, "suffix"),
        filling: library.filling.clone(),
    };
    library.edit(row, |member| member.entry_points.push(entry.clone()));
}

/// A table of names to words, each one or several.
fn lists(row: &Row<'_>, key: &str) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for (name, value) in row.map(key) {
        let words: Vec<String> = match value.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            DeValue::Array(items) => items
                .iter()
                .filter_map(|i| i.get_ref().as_str())
                .map(str::to_owned)
                .collect(),
            _ => {
                row.complain(value.span(), "a word or a list of words was expected");
                continue;
            }
        };
        out.insert(name.to_owned(), words);
    }
    out
}
