//! Positions and lines of source text, read once per file.

use std::collections::BTreeMap;
use std::sync::Mutex;

use solvent_base::{FilePath, LineIndex, Location, Span};

type Text<'a> = &'a (dyn Fn(&FilePath) -> Option<String> + Sync);

/// Longest line that is quoted, in bytes.
const MAX_LINE: usize = 200;

struct File {
    text: String,
    lines: LineIndex,
}

pub(crate) struct Places<'a> {
    text: Text<'a>,
    files: Mutex<BTreeMap<FilePath, File>>,
}

impl<'a> Places<'a> {
    pub fn new(text: Text<'a>) -> Self {
        Self {
            text,
            files: Mutex::new(BTreeMap::new()),
        }
    }

    fn with<T>(&self, path: &FilePath, work: impl FnOnce(&File) -> T) -> T {
        let mut files = self
            .files
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = files.entry(path.clone()).or_insert_with(|| {
            let text = (self.text)(path).unwrap_or_default();
            let lines = LineIndex::new(&text);
            File { text, lines }
        });
        work(file)
    }

    pub fn location(&self, path: &FilePath, span: Span) -> Location {
        self.with(path, |file| file.lines.location(path, span))
    }

    /// The line at the start of the span, trimmed.
    pub fn line(&self, path: &FilePath, span: Span) -> String {
        self.with(path, |file| {
            let at = file.lines.position(span.start).line;
            let Some(line) = file.lines.line_span(at, file.text.len() as u32) else {
                return String::new();
            };
            let text = file
                .text
                .get(line.start as usize..line.end as usize)
                .unwrap_or_default();
            cut(text.trim())
        })
    }

    /// The text of the span on one line.
    pub fn quote(&self, path: &FilePath, span: Span) -> String {
        self.with(path, |file| {
            let text = file
                .text
                .get(span.start as usize..span.end as usize)
                .unwrap_or_default();
            let words: Vec<&str> = text.split_whitespace().collect();
            cut(&words.join(" "))
        })
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_LINE {
        return text.to_owned();
    }
    let mut end = MAX_LINE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
