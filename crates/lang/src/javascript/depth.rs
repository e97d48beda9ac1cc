//! How deeply a text is nested, estimated before a recursive parser sees it.

/// Deepest estimate that is read. Hand-written code stays below 300, bundles below 3,000.
pub(crate) const MAX_DEPTH: u32 = 40_000;

/// Stack for one level of the tree, in bytes: a chain of parser frames from one bracket to the next, with
/// room for a debug build.
const LEVEL: usize = 16 << 10;

/// Stack that any file gets. Memory is only touched as deep as the tree goes.
const LEAST: usize = 4 << 20;

/// Largest stack, in bytes: [`MAX_DEPTH`] levels.
const MOST: usize = 640 << 20;

/// Text this short gets a stack for one level in each byte, whatever the estimate says.
const SHORT: usize = 32 << 10;

/// Stack for a text of this estimated depth and length in bytes.
pub(crate) fn stack(depth: u32, length: usize) -> usize {
    let levels = if length <= SHORT {
        length
    } else {
        depth as usize * 2
    };
    (LEAST + levels * LEVEL).min(MOST)
}

/// Words after which one more part of the tree may begin inside the one that holds them.
const NESTING: [&str; 16] = [
    "if",
    "else",
    "for",
    "while",
    "do",
    "with",
    "new",
    "typeof",
    "void",
    "delete",
    "await",
    "yield",
    "in",
    "of",
    "instanceof",
    "case",
];

/// Counts, for each open bracket, the operators and words since the last semicolon or comma: only they make a
/// tree deeper. Texts and comments are skipped as far as they can be told from division and regular
/// expressions by what stands before.
pub(crate) fn of(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let (mut most, mut total, mut here, mut elses) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut outer: Vec<(u32, u32)> = Vec::new();
    let mut before = b';';
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'\'' | b'"' => {
                while let Some(&inside) = bytes.get(at) {
                    at += 1;
                    match inside {
                        b'\\' => at += 1,
                        b'\n' => break,
                        _ if inside == byte => break,
                        _ => {}
                    }
                }
            }
            b'/' if bytes.get(at) == Some(&b'/') => {
                while bytes.get(at).is_some_and(|&b| b != b'\n') {
                    at += 1;
                }
                continue;
            }
            b'/' if bytes.get(at) == Some(&b'*') => {
                at += 1;
                while at < bytes.len() && !bytes[at..].starts_with(b"*/") {
                    at += 1;
                }
                at += 2;
                continue;
            }
            b'/' if b"=([{,;:!&|?+-*%<>~^".contains(&before) => {
                let mut in_class = false;
                while let Some(&inside) = bytes.get(at) {
                    at += 1;
                    match inside {
                        b'\\' => at += 1,
                        b'[' => in_class = true,
                        b']' => in_class = false,
                        b'\n' => break,
                        b'/' if !in_class => break,
                        _ => {}
                    }
                }
            }
            b'(' | b'[' | b'{' => {
                here += 1;
                total += 1;
                outer.push((here, elses));
                here = 0;
                elses = 0;
            }
            b')' | b']' | b'}' => {
                total = total.saturating_sub(here + elses);
                (here, elses) = outer.pop().unwrap_or_default();
            }
            b',' | b';' => {
                total = total.saturating_sub(here);
                here = 0;
            }
            _ if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80 => {
                let start = at - 1;
                while bytes.get(at).is_some_and(|&b| {
                    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
                }) {
                    at += 1;
                }
                let word = &text.as_bytes()[start..at];
                if word == b"else" {
                    elses += 1;
                    total += 1;
                } else if NESTING.iter().any(|nesting| nesting.as_bytes() == word) {
                    here += 1;
                    total += 1;
                }
                before = if word == b"return" || word == b"typeof" || word == b"case" {
                    b'('
                } else {
                    b'a'
                };
                most = most.max(total);
                continue;
            }
            _ => {
                here += 1;
                total += 1;
            }
        }
        before = byte;
        most = most.max(total);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn depth_counts_what_nests_and_not_what_follows() {
        assert!(of(&"f(a, b);\n".repeat(1_000)) < 10);
        assert!(of(&format!("x = {}1{};", "(".repeat(500), ")".repeat(500))) >= 500);
        assert!(of(&format!("x = 1{};", "+1".repeat(500))) >= 500);
        assert!(of(&"if (a) {} else ".repeat(500)) >= 500);
        assert!(of(&format!("x = \"{}\";", "(".repeat(500))) < 10);
    }
}
