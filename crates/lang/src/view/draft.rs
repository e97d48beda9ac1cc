//! Text of a program that a template becomes, with the places of its pieces in the template.

use std::borrow::Cow;

use solvent_ir::Language;

use super::LOCALS;
use crate::source::Source;

#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub text: String,
    /// Pairs of (offset here, offset in the template): from each on, both advance together.
    anchors: Vec<(u32, u32)>,
    /// Depth of blocks, for languages that tell them by it.
    pub depth: usize,
}

impl Draft {
    pub fn begin() -> Self {
        let mut draft = Self::default();
        draft.put(&format!("function view({LOCALS}) {{\n"), 0);
        draft
    }

    pub fn begin_python(engine: &str) -> Self {
        let mut draft = Self::default();
        draft.put(
            &format!("import {engine}\ndef view({LOCALS}):\n    pass\n"),
            0,
        );
        draft.depth = 1;
        draft
    }

    pub fn end(&mut self, at: usize) {
        self.put("\n}\n", at);
    }

    /// Puts text that stands, or begins, at that place of the template.
    pub fn put(&mut self, text: &str, at: usize) {
        self.anchors.push((self.text.len() as u32, at as u32));
        self.text.push_str(text);
    }

    /// Puts text of our own, each word of which stands for that place.
    pub fn say(&mut self, text: &str, at: usize) {
        let mut word = false;
        for (i, c) in text.char_indices() {
            let part = c.is_alphanumeric() || matches!(c, '_' | '.');
            if part && !word || i == 0 {
                self.anchors.push(((self.text.len() + i) as u32, at as u32));
            }
            word = part;
        }
        self.text.push_str(text);
    }

    /// A statement on a line of its own, in Python's way.
    pub fn line(&mut self, text: &str, at: usize) {
        let indent = "    ".repeat(self.depth);
        self.put(&indent, at);
        self.say(text, at);
        self.text.push('\n');
    }

    /// A page of which nothing was understood.
    pub fn unread(engine: &str, language: Language) -> Self {
        if language == Language::Python {
            let mut draft = Self::begin_python("jinja2");
            draft.line(&format!("jinja2.unread({LOCALS})"), 0);
            return draft;
        }
        let mut draft = Self::begin();
        draft.put(&format!("{engine}.unread({LOCALS});"), 0);
        draft.end(0);
        draft
    }

    /// The place in the template.
    pub fn place(&self, offset: usize) -> usize {
        let offset = offset as u32;
        let after = self.anchors.partition_point(|(text, _)| *text <= offset);
        match after.checked_sub(1).and_then(|i| self.anchors.get(i)) {
            Some((text, place)) => (place + (offset - text)) as usize,
            None => 0,
        }
    }

    /// The draft with more text at these places; they are in order.
    pub fn with(&self, insertions: &[(usize, String)]) -> Self {
        let mut out = Self::default();
        let mut from = 0;
        let mut rest = insertions.iter().peekable();
        let mut marks: Vec<usize> = self
            .anchors
            .iter()
            .map(|(text, _)| *text as usize)
            .collect();
        marks.extend(insertions.iter().map(|(at, _)| *at));
        marks.push(self.text.len());
        marks.sort_unstable();
        marks.dedup();
        for mark in marks {
            if mark > from {
                let place = self.place(from);
                out.put(self.text.get(from..mark).unwrap_or_default(), place);
            }
            from = mark;
            while let Some((_, text)) = rest.next_if(|(at, _)| *at == mark) {
                let place = self.place(mark);
                out.put(text, place);
            }
        }
        out
    }

    /// The text as a file whose places are those of the template.
    pub fn source<'a>(&self, template: &Source<'a>) -> Source<'a> {
        let limit = template.text.len() as u32;
        let mut last = 0;
        let ends = [(self.text.len() as u32, limit)];
        let anchors = self
            .anchors
            .iter()
            .chain(&ends)
            .map(|(text, place)| {
                // Places never go back, so that what begins before something ends before it.
                last = last.max((*place).min(limit));
                (*text, template.offset(last))
            })
            .collect();
        Source::translated(Cow::Owned(self.text.clone()), anchors)
    }
}
