//! Text from outside, made visible: nothing in it may move a cursor, turn a line around or hide.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest piece of outside text that is shown, in characters. Views already cap source lines at 200
/// bytes; this holds for whatever else arrives.
pub const MAX_SHOWN: usize = 4_000;

/// True for characters that are invisible or act on the display: controls, bidirectional marks
/// (CVE-2021-42574), zero-width characters, tags, private use, line and paragraph separators.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
}

/// The text with hidden characters spelled out: `\n`, `\t`, `\u{202e}`; cut at [`MAX_SHOWN`].
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_SHOWN && !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN));
    for (n, c) in text.chars().enumerate() {
        if n == MAX_SHOWN {
            shown.push('…');
            break;
        }
        push_visible(&mut shown, c);
    }
    Cow::Owned(shown)
}

/// Writes one character, spelled out when hidden.
pub fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hidden(c) => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
        c => out.push(c),
    }
}

/// Columns that a character takes in a terminal.
pub fn columns_of(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Columns that a text takes in a terminal.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

#[cfg(test)]
mod tests {
    use super::{columns, is_hidden, visible};

    #[test]
    fn what_acts_on_a_terminal_is_spelled_out() {
        assert_eq!(
            visible("a\x1b[31mb\u{202e}c\r\n"),
            "a\\u{1b}[31mb\\u{202e}c\\r\\n"
        );
        assert_eq!(visible("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
        assert_eq!(
            visible("zero\u{200b}width \u{e0041}"),
            "zero\\u{200b}width \\u{e0041}"
        );
    }

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["plain", "naïve – £9.50", "日本語", "עברית", "emoji 🛶"] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn no_hidden_character_survives() {
        let all: String = ('\0'..=char::MAX).collect();
        for chunk in all.chars().collect::<Vec<_>>().chunks(1000) {
            let text: String = chunk.iter().collect();
            assert!(!visible(&text).chars().any(is_hidden));
        }
    }

    #[test]
    fn length_is_capped() {
        assert_eq!(
            visible(&"x".repeat(100_000)).chars().count(),
            super::MAX_SHOWN + 1
        );
    }

    #[test]
    fn wide_and_combining_characters_are_counted() {
        assert_eq!(columns("日本"), 4);
        assert_eq!(columns("e\u{301}"), 1);
    }
}
