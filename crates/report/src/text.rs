//! Words for a terminal. Every function takes a width in columns (at least [`MIN_WIDTH`] is used) and
//! gives a [`Page`], which becomes plain text or text with ANSI styles. Outside text is made visible.

mod change;
mod debt;
mod findings;
mod gate;
mod impact;
mod log;
mod prove;
mod scan;
mod show;
mod status;
mod watch;

pub use change::{change, changes, merge, repaired, review};
pub use debt::debt;
pub use findings::findings;
pub use gate::{gate, gate_markdown, replay_all};
pub use impact::{changed_scan, impact, impact_markdown};
pub use log::log;
pub use prove::{prove, replay};
pub use scan::scan;
pub use show::show;
pub use status::status;
pub use watch::{watched, watching};

use crate::visible::{columns, columns_of, visible};
use solvent_protocol::view::Unmeasured;

/// Narrower than this nothing is laid out; the terminal wraps.
pub const MIN_WIDTH: usize = 40;

/// What a piece of text is; the terminal decides how it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Strong,
    Dim,
    /// Identifiers people type.
    Key,
    Good,
    Warn,
    Bad,
}

impl Style {
    fn ansi(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Key => "\x1b[36m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// Lines of styled pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    width: usize,
    lines: Vec<Vec<(Style, String)>>,
}

impl Page {
    pub fn plain(&self) -> String {
        self.render(|_, text, out| out.push_str(text))
    }

    /// With ANSI styles; a terminal or `anstream` is expected to read it.
    pub fn ansi(&self) -> String {
        self.render(|style, text, out| match style.ansi() {
            "" => out.push_str(text),
            code => {
                out.push_str(code);
                out.push_str(text);
                out.push_str("\x1b[0m");
            }
        })
    }

    /// Number of lines.
    pub fn height(&self) -> usize {
        self.lines.len()
    }

    fn render(&self, push: impl Fn(Style, &str, &mut String)) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let last = line
                .iter()
                .rposition(|(_, text)| !text.trim_end().is_empty());
            for (n, (style, text)) in line.iter().enumerate() {
                match last {
                    Some(last) if n < last => push(*style, text, &mut out),
                    Some(last) if n == last => push(*style, text.trim_end(), &mut out),
                    _ => {}
                }
            }
            out.push('\n');
        }
        out
    }

    pub(crate) fn new(width: usize) -> Self {
        Self {
            width: width.max(MIN_WIDTH),
            lines: Vec::new(),
        }
    }

    pub(crate) fn blank(&mut self) {
        self.lines.push(Vec::new());
    }

    /// One line of styled pieces, wrapped at words; continuation lines start at column `hang`.
    pub(crate) fn line<const N: usize>(&mut self, hang: usize, pieces: [(Style, &str); N]) {
        self.pieces(hang, &pieces);
    }

    fn pieces(&mut self, hang: usize, pieces: &[(Style, &str)]) {
        let hang = hang.min(self.width / 2);
        let mut line: Vec<(Style, String)> = Vec::new();
        let mut used = 0;
        let mut fresh = true;
        for (style, text) in pieces {
            let text = visible(text);
            for word in words(&text) {
                let wide = columns(word.trim_end());
                if used + wide > self.width && !fresh {
                    self.lines.push(std::mem::take(&mut line));
                    line.push((Style::Plain, " ".repeat(hang)));
                    used = hang;
                    fresh = true;
                    if word.trim().is_empty() {
                        continue;
                    }
                }
                let mut rest = word;
                while used + columns(rest.trim_end()) > self.width {
                    if used < self.width {
                        let (head, tail) = split_columns(rest, self.width - used);
                        push(&mut line, *style, head);
                        rest = tail;
                    }
                    self.lines.push(std::mem::take(&mut line));
                    line.push((Style::Plain, " ".repeat(hang)));
                    used = hang;
                }
                push(&mut line, *style, rest);
                used += columns(rest);
                fresh &= rest.trim().is_empty();
            }
        }
        self.lines.push(line);
    }

    /// `label   text`, the label in a column of its own.
    pub(crate) fn field(&mut self, label: &str, text: &[(Style, &str)]) {
        let label = format!("{label:<LABEL$}");
        let mut pieces = vec![(Style::Dim, label.as_str())];
        pieces.extend_from_slice(text);
        self.pieces(LABEL, &pieces);
    }

    /// Wrapped text between `indent` and the right edge.
    pub(crate) fn paragraph(&mut self, indent: usize, style: Style, text: &str) {
        let gap = " ".repeat(indent);
        self.line(indent, [(Style::Plain, gap.as_str()), (style, text)]);
    }

    /// One line as it is, however wide: wrapping it would change what is pasted.
    fn verbatim(&mut self, text: &str) {
        self.lines
            .push(vec![(Style::Plain, visible(text).into_owned())]);
    }

    /// One line, cut with an ellipsis where it does not fit.
    fn cut(&mut self, indent: usize, style: Style, text: &str) {
        let room = self.width.saturating_sub(indent).max(8);
        let text = visible(text);
        let shown = if columns(&text) > room {
            format!("{}…", split_columns(&text, room - 1).0)
        } else {
            text.into_owned()
        };
        self.lines
            .push(vec![(Style::Plain, " ".repeat(indent)), (style, shown)]);
    }

    /// What is not known, prominently; nothing when everything is.
    pub(crate) fn unmeasured(&mut self, unmeasured: &[Unmeasured]) {
        if unmeasured.is_empty() {
            return;
        }
        self.blank();
        self.line(
            0,
            [
                (Style::Warn, "unmeasured"),
                (Style::Plain, "  not known is not safe"),
            ],
        );
        for gap in unmeasured {
            self.line(
                4,
                [
                    (Style::Plain, "  - "),
                    (Style::Strong, &gap.what),
                    (Style::Plain, ": "),
                    (Style::Plain, &gap.why),
                ],
            );
        }
    }
}

/// Column at which the text of a labelled line starts.
const LABEL: usize = 10;

fn push(line: &mut Vec<(Style, String)>, style: Style, text: &str) {
    match line.last_mut() {
        Some((last, so_far)) if *last == style => so_far.push_str(text),
        _ => line.push((style, text.to_owned())),
    }
}

/// Words with the spaces that follow them; leading spaces are a word of their own.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// At least one character before the cut, so that a loop over the rest ends.
fn split_columns(text: &str, room: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of(c);
        if used > room && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

/// A failure and its next step, if there is one.
pub fn failure(message: &str, next: &str, width: usize) -> Page {
    const HANG: usize = 7;
    let mut page = Page::new(width);
    for (label, style, text) in [
        ("error: ", Style::Bad, message),
        ("next:  ", Style::Strong, next),
    ] {
        for (n, line) in text.lines().enumerate() {
            let label = if n == 0 { label } else { "       " };
            page.line(HANG, [(style, label), (Style::Plain, line)]);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{MIN_WIDTH, Page, Style};
    use crate::visible::columns;

    fn wrapped(width: usize, hang: usize, text: &str) -> String {
        let mut page = Page::new(width);
        page.line(hang, [(Style::Plain, text)]);
        page.plain()
    }

    #[test]
    fn lines_wrap_at_words_and_hang() {
        let text = wrapped(
            40,
            4,
            "the quick brown fox jumps over the lazy dog and rests",
        );
        assert_eq!(
            text,
            "the quick brown fox jumps over the lazy\n    dog and rests\n"
        );
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken() {
        let text = wrapped(40, 2, &"x".repeat(100));
        assert!(text.lines().all(|l| columns(l) <= 40), "{text}");
        assert_eq!(text.matches('x').count(), 100);
    }

    #[test]
    fn nothing_is_wider_than_asked_for() {
        for width in [0, 40, 60, 80, 120] {
            for text in [
                "日本語テキスト".repeat(20),
                "a b c ".repeat(50),
                " ".repeat(300),
                "word\u{202e}\x1b".repeat(30),
            ] {
                for hang in [0, 10, 200] {
                    let text = wrapped(width, hang, &text);
                    assert!(
                        text.lines().all(|l| columns(l) <= width.max(MIN_WIDTH)),
                        "{width} {hang} {text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn styles_are_closed_and_only_in_the_ansi_form() {
        let mut page = Page::new(80);
        page.line(0, [(Style::Bad, "a"), (Style::Plain, "b\x1b[0m")]);
        assert_eq!(page.ansi(), "\x1b[1;31ma\x1b[0mb\\u{1b}[0m\n");
        assert_eq!(page.plain(), "ab\\u{1b}[0m\n");
    }
}
