//! Texts of deployment files: variables, and the words of a command.

use std::collections::BTreeMap;

/// `${NAME:-default}` and the like as compose defines them. `Err` names the variable that is not known.
pub(crate) fn interpolated(text: &str, known: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let Some(end) = closing(inner) else {
                return Err(inner.to_owned());
            };
            out.push_str(&expression(&inner[..end], known)?);
            rest = &inner[end + 1..];
        } else {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            if end == 0 {
                out.push('$');
                continue;
            }
            let name = &rest[..end];
            match known.get(name) {
                Some(value) => out.push_str(value),
                None => return Err(name.to_owned()),
            }
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace that is open closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0u32;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(i),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn expression(text: &str, known: &BTreeMap<String, String>) -> Result<String, String> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, operator) = text.split_at(end);
    let value = known.get(name);
    let full = value.filter(|v| !v.is_empty());
    // A default may hold variables itself; each level is shorter than the one around it.
    if let Some(default) = operator.strip_prefix(":-") {
        return full.map_or_else(|| interpolated(default, known), |v| Ok(v.clone()));
    }
    if let Some(default) = operator.strip_prefix('-') {
        return value.map_or_else(|| interpolated(default, known), |v| Ok(v.clone()));
    }
    if let Some(other) = operator.strip_prefix(":+") {
        return match full {
            Some(_) => interpolated(other, known),
            None if value.is_some() => Ok(String::new()),
            None => Err(name.to_owned()),
        };
    }
    value.cloned().ok_or_else(|| name.to_owned())
}

/// `NAME=value` lines: `.env` files. Values keep no quotes.
pub(crate) fn env_lines(text: &str) -> Vec<(String, String, u32)> {
    let mut out = Vec::new();
    for (line, text) in (1u32..).zip(text.lines()) {
        let text = text.trim();
        let text = text.strip_prefix("export ").unwrap_or(text);
        if text.starts_with('#') {
            continue;
        }
        let Some((name, value)) = text.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|q| {
            let inner = value.strip_prefix(*q)?;
            inner.split(*q).next()
        });
        let plain = || value.split(" #").next().unwrap_or_default().trim();
        let value = quoted.unwrap_or_else(plain);
        out.push((name.trim().to_owned(), value.to_owned(), line));
    }
    out
}

/// The words of a shell command, quotes taken off. Operators (`&&`, `;`, `|`) are words of their own.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut open = false;
    let mut chars = text.chars().peekable();
    let mut finish = |word: &mut String, open: &mut bool| {
        if *open || !word.is_empty() {
            out.push(std::mem::take(word));
        }
        *open = false;
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                open = true;
                while let Some(inner) = chars.next() {
                    if inner == c {
                        break;
                    }
                    if inner == '\\' && c == '"' {
                        word.extend(chars.next());
                    } else {
                        word.push(inner);
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(next) => word.push(next),
            },
            c if c.is_whitespace() => finish(&mut word, &mut open),
            '&' | ';' | '|' => {
                finish(&mut word, &mut open);
                let mut operator = c.to_string();
                if chars.peek() == Some(&c) {
                    operator.extend(chars.next());
                }
                word = operator;
                finish(&mut word, &mut open);
            }
            c => word.push(c),
        }
    }
    finish(&mut word, &mut open);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeMap<String, String> {
        [("PORT", "80"), ("EMPTY", "")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into()
    }

    #[test]
    fn variables_are_filled_in_or_named() {
        let fill = |text| interpolated(text, &known());
        assert_eq!(fill("${PORT}:$PORT").as_deref(), Ok("80:80"));
        assert_eq!(fill("${X:-9${PORT}}").as_deref(), Ok("980"));
        assert_eq!(fill("${EMPTY:-d}${EMPTY-d}").as_deref(), Ok("d"));
        assert_eq!(fill("a$$b").as_deref(), Ok("a$b"));
        assert_eq!(fill("${BIND}:80"), Err("BIND".to_owned()));
        assert!(fill("${BIND").is_err());
    }

    #[test]
    fn words_of_a_command_lose_their_quotes() {
        assert_eq!(
            words("sh -c \"python 'a b.py'\" && exec x"),
            ["sh", "-c", "python 'a b.py'", "&&", "exec", "x"]
        );
    }

    #[test]
    fn env_lines_lose_quotes_and_remarks() {
        let lines = env_lines("# no\nexport A='x y'\nB=1 # one\nC\n");
        let pairs: Vec<_> = lines.iter().map(|(a, b, _)| (&**a, &**b)).collect();
        assert_eq!(pairs, [("A", "x y"), ("B", "1")]);
    }
}
