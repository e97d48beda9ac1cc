//! Python source text for values.

use crate::pieces::{Form, Hole};

/// One piece of a text to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Bit {
    Text(String),
    /// Index of a hole.
    Hole(usize),
}

/// A plain string literal, preferring `quote`.
pub(crate) fn string(text: &str, quote: char) -> String {
    let other = if quote == '"' { '\'' } else { '"' };
    let quote = if text.contains(quote) && !text.contains(other) {
        other
    } else {
        quote
    };
    format!("{quote}{}{quote}", escape(text, quote))
}

/// As it stands between `quote`s, without prefix.
pub(crate) fn escape(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\x00"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// An expression whose value is the text of the bits.
pub(crate) fn text_of(bits: &[Bit], holes: &[Hole<'_>], quote: char) -> String {
    match bits {
        [] => string("", quote),
        [Bit::Text(text)] => string(text, quote),
        [Bit::Hole(hole)] => as_text(&holes[*hole]),
        bits => fstring(bits, holes, quote).unwrap_or_else(|| {
            let parts: Vec<String> = bits
                .iter()
                .map(|bit| match bit {
                    Bit::Text(text) => string(text, quote),
                    Bit::Hole(hole) => as_text(&holes[*hole]),
                })
                .collect();
            parts.join(" + ")
        }),
    }
}

/// The value of a hole as text.
pub(crate) fn as_text(hole: &Hole<'_>) -> String {
    match &hole.form {
        Form::Text => hole.source.clone(),
        Form::Plain | Form::Number => {
            if is_text_already(&hole.source) {
                hole.source.clone()
            } else {
                format!("str({})", hole.source)
            }
        }
        Form::Repr => format!("repr({})", hole.source),
        Form::Styled(source) => source.clone(),
    }
}

fn is_text_already(source: &str) -> bool {
    source.starts_with("str(") || source.starts_with(['"', '\''])
}

fn fstring(bits: &[Bit], holes: &[Hole<'_>], quote: char) -> Option<String> {
    let other = if quote == '"' { '\'' } else { '"' };
    // Before Python 3.12 a field holds neither the quote around it nor a backslash nor a comment.
    let fits = |quote: char| {
        bits.iter().all(|bit| match bit {
            Bit::Text(_) => true,
            Bit::Hole(hole) => {
                let source = &holes[*hole].source;
                !source.contains([quote, '\\', '\n', '#', '{'])
                    && !matches!(holes[*hole].form, Form::Styled(_))
            }
        })
    };
    let quote = if fits(quote) {
        quote
    } else if fits(other) {
        other
    } else {
        return None;
    };
    let mut out = format!("f{quote}");
    for bit in bits {
        match bit {
            Bit::Text(text) => {
                out.push_str(&escape(text, quote).replace('{', "{{").replace('}', "}}"));
            }
            Bit::Hole(hole) => {
                out.push('{');
                out.push_str(&holes[*hole].source);
                if holes[*hole].form == Form::Repr {
                    out.push_str("!r");
                }
                out.push('}');
            }
        }
    }
    out.push(quote);
    Some(out)
}

/// A tuple literal.
pub(crate) fn tuple(items: &[String]) -> String {
    match items {
        [one] => format!("({one},)"),
        items => format!("({})", items.join(", ")),
    }
}

/// A name made of the last word in an expression: `params["user name"]` gives `user_name`.
pub(crate) fn name_for(source: &str, fallback: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in source.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c.to_ascii_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let common = [
        "get", "str", "strip", "args", "form", "request", "self", "f",
    ];
    words
        .into_iter()
        .rev()
        .find(|w| {
            w.len() < 30
                && !w.starts_with(|c: char| c.is_ascii_digit())
                && !common.contains(&w.as_str())
        })
        .unwrap_or_else(|| fallback.to_owned())
}
