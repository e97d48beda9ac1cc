//! Names that a template takes from outside: each becomes a property of what the page is rendered with.

use oxc_allocator::Allocator;
use oxc_ast::ast;
use oxc_ast_visit::{Visit, walk};
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, SourceType};

use super::LOCALS;
use super::draft::Draft;
use crate::javascript::with_room;

/// Names of the language, which stand for themselves where a page is not rendered with them.
const OWN: [&str; 27] = [
    "undefined",
    "JSON",
    "Math",
    "Object",
    "Array",
    "String",
    "Number",
    "Boolean",
    "Date",
    "RegExp",
    "Map",
    "Set",
    "Symbol",
    "Promise",
    "parseInt",
    "parseFloat",
    "isNaN",
    "NaN",
    "Infinity",
    "encodeURIComponent",
    "encodeURI",
    "decodeURIComponent",
    "decodeURI",
    "escape",
    "console",
    "require",
    "arguments",
];

/// Functions by which a template renders another one.
const INCLUDING: [&str; 4] = ["include", "partial", "layout", "includeFile"];

pub(super) fn parses(text: &str) -> bool {
    let parse = || {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, SourceType::cjs())
            .with_options(options())
            .parse();
        (parsed.diagnostics.is_empty() && !parsed.panicked).then_some(())
    };
    with_room(text, parse).is_some()
}

fn options() -> ParseOptions {
    ParseOptions {
        allow_return_outside_function: true,
        preserve_parens: false,
        ..ParseOptions::default()
    }
}

/// The draft with its free names bound; `None` where it does not parse.
pub(super) fn bound(draft: Draft, engine: &str) -> Option<Draft> {
    with_room(&draft.text, || bound_here(&draft, engine))
}

fn bound_here(draft: &Draft, engine: &str) -> Option<Draft> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &draft.text, SourceType::cjs())
        .with_options(options())
        .parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return None;
    }
    let scoping = SemanticBuilder::new()
        .build(&parsed.program)
        .semantic
        .into_scoping();
    let mut finder = Finder {
        scoping: &scoping,
        engine,
        insertions: Vec::new(),
        skip: None,
    };
    finder.visit_program(&parsed.program);
    let mut insertions = finder.insertions;
    insertions.sort();
    Some(draft.with(&insertions))
}

struct Finder<'s> {
    scoping: &'s Scoping,
    engine: &'s str,
    insertions: Vec<(usize, String)>,
    /// The callee that was dealt with already.
    skip: Option<u32>,
}

impl Finder<'_> {
    fn is_free(&self, id: &ast::IdentifierReference<'_>) -> bool {
        id.reference_id
            .get()
            .is_some_and(|id| self.scoping.get_reference(id).symbol_id().is_none())
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_identifier_reference(&mut self, it: &ast::IdentifierReference<'a>) {
        let name = it.name.as_str();
        if self.skip == Some(it.span.start)
            || !self.is_free(it)
            || name == self.engine
            || OWN.contains(&name)
        {
            return;
        }
        let at = it.span.start as usize;
        // EJS and Pug give the whole as `locals`.
        if name == "locals" {
            self.insertions.push((at, "__".to_owned()));
            return;
        }
        self.insertions.push((at, format!("{LOCALS}.")));
    }

    fn visit_object_property(&mut self, it: &ast::ObjectProperty<'a>) {
        if it.shorthand
            && let ast::Expression::Identifier(id) = &it.value
            && self.is_free(id)
        {
            let at = id.span.start as usize;
            self.insertions
                .push((at, format!("{}: {LOCALS}.", id.name)));
            return;
        }
        walk::walk_object_property(self, it);
    }

    fn visit_call_expression(&mut self, it: &ast::CallExpression<'a>) {
        if let ast::Expression::Identifier(id) = &it.callee
            && self.is_free(id)
            && INCLUDING.contains(&id.name.as_str())
            && let Some(first) = it.arguments.first()
        {
            // Whatever it is called, it renders another template.
            let (callee, first) = (id.span.start, first.span().start as usize);
            self.insertions
                .push((callee as usize, format!("{}.", self.engine)));
            self.insertions.push((first, format!("{LOCALS}, ")));
            let before = self.skip.replace(callee);
            walk::walk_call_expression(self, it);
            self.skip = before;
            return;
        }
        walk::walk_call_expression(self, it);
    }
}
