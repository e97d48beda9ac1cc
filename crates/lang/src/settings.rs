//! Files of settings: `key = value` lines, whose values are constants of the program that loads them; and statements of
//! mappers, which a library runs.

use std::collections::BTreeMap;

use solvent_base::FilePath;
use solvent_ir::Settings;

/// Largest file of settings that is read, in bytes; more is a table of texts, not of settings.
pub const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// Most entries of one file.
const MAX_ENTRIES: usize = 10_000;

/// Whether the file is one of settings, by its name.
pub fn is_settings(path: &FilePath) -> bool {
    path.extension() == Some("properties") || is_mapper(path)
}

/// Whether the file may hold statements of mappers: an XML file that is called so, or lies in a folder that is.
fn is_mapper(path: &FilePath) -> bool {
    let lower = path.as_str().to_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let called = |name: &str| {
        ["mapper", "mappers", "mybatis", "sqlmap", "dao"]
            .iter()
            .any(|word| name.ends_with(word))
    };
    name.strip_suffix(".xml")
        .is_some_and(|stem| called(stem) || folders.split('/').any(called))
}

/// Reads a file as `java.util.Properties.load` does: the first unescaped `=`, `:` or blank ends a key, `#` and `!`
/// begin comments, a backslash at the end of a line goes on in the next. Of what is larger than
/// [`MAX_SETTINGS_BYTES`], or is no UTF-8, nothing is known: `None`.
pub fn settings(path: &FilePath, bytes: &[u8]) -> Option<Settings> {
    if bytes.len() as u64 > MAX_SETTINGS_BYTES {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if path.extension() == Some("xml") {
        let values = crate::mapper::statements(text);
        return (!values.is_empty()).then(|| Settings {
            path: path.clone(),
            values,
        });
    }
    let mut values = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(first) = lines.next() {
        let first = first.trim_start();
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut line = first.to_owned();
        while goes_on(&line) {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = entry(&line);
        if values.len() >= MAX_ENTRIES {
            return None;
        }
        values.insert(key, value);
    }
    Some(Settings {
        path: path.clone(),
        values,
    })
}

/// An odd number of backslashes at the end.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

fn entry(line: &str) -> (String, String) {
    let mut escaped = false;
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if matches!(c, '=' | ':') || c.is_whitespace() {
            end = at;
            break;
        }
    }
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = match rest.strip_prefix(['=', ':']) {
        Some(value) => value.trim_start(),
        None => rest,
    };
    (unescaped(key), unescaped(value))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                out.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> BTreeMap<String, String> {
        let path = FilePath::new("a.properties").expect("a path");
        settings(&path, text.as_bytes()).expect("settings").values
    }

    #[test]
    fn keys_and_values_are_split_as_java_does() {
        let values = read(
            "# one\n! two\na=1\nb : x y \n c\\ d = e\nlong = first \\\n   second\nempty\nu=\\u0041\\n",
        );
        let want = [
            ("a", "1"),
            ("b", "x y "),
            ("c d", "e"),
            ("empty", ""),
            ("long", "first second"),
            ("u", "A\n"),
        ];
        let have: Vec<(&str, &str)> = values.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(have, want);
    }

    #[test]
    fn hostile_text_is_nothing_or_something_and_no_panic() {
        for text in [
            "\\",
            "=",
            "\\u",
            "\\u00",
            "\\ud800=1",
            ":\\",
            "\u{feff}a=\\\\\\",
        ] {
            let _ = read(text);
        }
        let path = FilePath::new("a.properties").expect("a path");
        assert!(settings(&path, &[0xff, b'=']).is_none());
        assert!(settings(&path, &vec![b'a'; (MAX_SETTINGS_BYTES + 1) as usize]).is_none());
    }
}
