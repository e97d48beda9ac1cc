//! Outside text inside markup.

use std::fmt::Write as _;

use crate::visible::{MAX_SHOWN, is_hidden, push_visible};

/// Text for element content and quoted attributes: markup is escaped, hidden characters are spelled
/// out and marked as such, and the length is capped.
pub fn text(outside: &str) -> String {
    let mut out = String::with_capacity(outside.len() + 16);
    let mut hidden = String::new();
    for (n, c) in outside.chars().enumerate() {
        if n == MAX_SHOWN {
            out.push('…');
            break;
        }
        if is_hidden(c) {
            hidden.clear();
            push_visible(&mut hidden, c);
            let _ = write!(out, "<span class=\"hid\">{hidden}</span>");
        } else {
            push_escaped(&mut out, c);
        }
    }
    out
}

/// Text for an attribute, where no mark can stand.
pub fn attribute(outside: &str) -> String {
    let mut out = String::with_capacity(outside.len() + 16);
    for c in crate::visible::visible(outside).chars() {
        push_escaped(&mut out, c);
    }
    out
}

/// A fragment name made of letters, digits and dashes, whatever comes in.
pub fn anchor(outside: &str) -> String {
    let safe: String = outside
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    format!("f-{safe}")
}

/// Words in which `` `code` `` becomes code.
pub fn sentence(outside: &str) -> String {
    let mut out = String::new();
    let mut pieces = outside.split('`').peekable();
    let mut code = false;
    while let Some(piece) = pieces.next() {
        // An unpaired last backtick is text.
        if code && pieces.peek().is_some() {
            // An option is not broken after its dashes.
            let class = if piece.starts_with("--") && piece.len() <= 24 {
                " class=\"nowrap\""
            } else {
                ""
            };
            let _ = write!(out, "<code{class}>{}</code>", text(piece));
        } else if code {
            let _ = write!(out, "`{}", text(piece));
        } else {
            out.push_str(&text(piece));
        }
        code = !code;
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::{anchor, attribute, sentence, text};

    #[test]
    fn markup_is_text() {
        assert_eq!(
            text("<b a=\"1\" c='2'>&amp;"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;"
        );
        assert_eq!(attribute("\"><script>\n"), "&quot;&gt;&lt;script&gt;\\n");
    }

    #[test]
    fn hidden_characters_are_marked() {
        assert_eq!(text("a\u{202e}b"), "a<span class=\"hid\">\\u{202e}</span>b");
    }

    #[test]
    fn backticks_make_code_and_an_odd_one_stays() {
        assert_eq!(
            sentence("call `f(<x>)` now"),
            "call <code>f(&lt;x&gt;)</code> now"
        );
        assert_eq!(sentence("an odd ` here"), "an odd ` here");
        assert_eq!(
            sentence("give `--sarif`"),
            "give <code class=\"nowrap\">--sarif</code>"
        );
    }

    #[test]
    fn anchors_hold_nothing_but_letters_and_digits() {
        assert_eq!(anchor("ab12\" onload=\"x"), "f-ab12onloadx");
    }
}
