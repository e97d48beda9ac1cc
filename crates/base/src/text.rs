//! Positions in source text.

use crate::FilePath;

/// Half-open byte range in one file, `start <= end`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// One-based line and one-based column in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineColumn {
    pub line: u32,
    pub column: u32,
}

/// A place a person can open.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    pub path: FilePath,
    pub span: Span,
    /// One-based.
    pub line: u32,
    /// One-based, in bytes.
    pub column: u32,
}

/// Start offsets of the lines of one file.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, b)| *b == b'\n')
                .map(|(i, _)| i as u32 + 1),
        );
        Self { starts }
    }

    pub fn position(&self, offset: u32) -> LineColumn {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        LineColumn {
            line: line as u32,
            column: offset - self.starts[line - 1] + 1,
        }
    }

    pub fn location(&self, path: &FilePath, span: Span) -> Location {
        let LineColumn { line, column } = self.position(span.start);
        Location {
            path: path.clone(),
            span,
            line,
            column,
        }
    }

    /// Byte range of one-based `line`, without its line break's successor; `None` past the end.
    pub fn line_span(&self, line: u32, text_len: u32) -> Option<Span> {
        let start = *self.starts.get(line.checked_sub(1)? as usize)?;
        let end = self.starts.get(line as usize).copied().unwrap_or(text_len);
        Some(Span { start, end })
    }

    /// Number of lines, at least one.
    pub fn lines(&self) -> u32 {
        self.starts.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_of_a_line_is_column_one() {
        let index = LineIndex::new("ab\ncd\n");
        assert_eq!(index.position(0), LineColumn { line: 1, column: 1 });
        assert_eq!(index.position(3), LineColumn { line: 2, column: 1 });
        assert_eq!(index.position(6), LineColumn { line: 3, column: 1 });
    }
}
