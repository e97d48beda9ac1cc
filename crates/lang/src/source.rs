//! From bytes to text: byte order marks, declared encodings (PEP 263), and the way back from a
//! position in the decoded text to one in the file.

use std::borrow::Cow;

/// Decoded text of a file, with the offsets of its pieces in the file.
pub(crate) struct Source<'a> {
    pub text: Cow<'a, str>,
    /// Pairs of (offset in text, offset in file): from each on, both advance together.
    anchors: Vec<(u32, u32)>,
    /// What could not be decoded, in words.
    pub problem: Option<String>,
}

impl<'a> Source<'a> {
    /// Decodes `bytes` as a Python source file.
    pub fn python(bytes: &'a [u8]) -> Self {
        let (body, skipped) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, 3),
            None => (bytes, 0),
        };
        let declared = declared_encoding(body);
        let encoding = declared.as_deref().map_or(Encoding::Utf8, Encoding::named);
        match std::str::from_utf8(body) {
            // Text that is plain ASCII, or valid and declared (or assumed) to be UTF-8.
            Ok(text) if body.is_ascii() || encoding == Encoding::Utf8 => Self {
                text: Cow::Borrowed(text),
                anchors: vec![(0, skipped)],
                problem: None,
            },
            _ if encoding == Encoding::Latin1 || encoding == Encoding::Windows1252 => {
                Self::single_byte(body, skipped, encoding)
            }
            result => {
                let name = declared.unwrap_or_else(|| "utf-8".into());
                let problem = match (&encoding, &result) {
                    (Encoding::Other, _) => {
                        format!("encoding `{name}` is not supported, read as utf-8")
                    }
                    (_, Err(error)) => format!(
                        "not valid {name} at byte {}; declare the encoding in the first line \
                         (`# -*- coding: latin-1 -*-`) or save the file as utf-8",
                        error.valid_up_to() as u64 + u64::from(skipped)
                    ),
                    (_, Ok(_)) => format!("not valid {name}"),
                };
                let mut source = Self::lossy(body, skipped);
                source.problem = Some(problem);
                source
            }
        }
    }

    /// Decodes `bytes` as UTF-8, whatever they are.
    pub fn utf8(bytes: &'a [u8]) -> Self {
        let (body, skipped) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, 3),
            None => (bytes, 0),
        };
        match std::str::from_utf8(body) {
            Ok(text) => Self {
                text: Cow::Borrowed(text),
                anchors: vec![(0, skipped)],
                problem: None,
            },
            Err(error) => {
                let mut source = Self::lossy(body, skipped);
                source.problem = Some(format!(
                    "not valid utf-8 at byte {}; save the file as utf-8",
                    error.valid_up_to() as u64 + u64::from(skipped)
                ));
                source
            }
        }
    }

    /// Text that was made from a file, with places for its pieces; the last one is that of its end.
    pub fn translated(text: Cow<'a, str>, anchors: Vec<(u32, u32)>) -> Self {
        Self {
            text,
            anchors,
            problem: None,
        }
    }

    fn single_byte(body: &[u8], skipped: u32, encoding: Encoding) -> Self {
        let mut text = String::with_capacity(body.len() + body.len() / 8);
        let mut anchors = vec![(0, skipped)];
        for (i, &byte) in body.iter().enumerate() {
            let character = match (encoding, byte) {
                (Encoding::Windows1252, 0x80..=0x9f) => WINDOWS_1252[usize::from(byte) - 0x80],
                _ => char::from(byte),
            };
            text.push(character);
            if character.len_utf8() > 1 {
                anchors.push((text.len() as u32, skipped + i as u32 + 1));
            }
        }
        Self {
            text: Cow::Owned(text),
            anchors,
            problem: None,
        }
    }

    fn lossy(body: &[u8], skipped: u32) -> Self {
        let mut text = String::with_capacity(body.len() + 16);
        let mut anchors = vec![(0, skipped)];
        let mut read = skipped;
        for chunk in body.utf8_chunks() {
            text.push_str(chunk.valid());
            read += chunk.valid().len() as u32;
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                read += chunk.invalid().len() as u32;
                anchors.push((text.len() as u32, read));
            }
        }
        Self {
            text: Cow::Owned(text),
            anchors,
            problem: None,
        }
    }

    /// The place in the file of an offset in the text.
    pub fn offset(&self, offset: u32) -> u32 {
        if let [(_, shift)] = self.anchors[..] {
            return offset + shift;
        }
        let after = self.anchors.partition_point(|&(text, _)| text <= offset);
        let (text, file) = self.anchors[after.saturating_sub(1)];
        // Inside a character that the file writes shorter, stay within what the file has.
        let limit = self.anchors.get(after).map_or(u32::MAX, |&(_, file)| file);
        (file + (offset - text)).min(limit)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
    Windows1252,
    Other,
}

impl Encoding {
    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "utf-8" | "utf8" | "utf-8-sig" | "u8" | "ascii" | "us-ascii" => Self::Utf8,
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1" => {
                Self::Latin1
            }
            // Differs from Latin 1 in eight characters, none of which Python gives a meaning.
            "iso-8859-15" | "iso8859-15" | "latin-9" | "latin9" => Self::Latin1,
            "cp1252" | "windows-1252" | "1252" => Self::Windows1252,
            other if other.starts_with("utf-8-") => Self::Utf8,
            other if other.starts_with("latin-1-") || other.starts_with("iso-8859-1-") => {
                Self::Latin1
            }
            _ => Self::Other,
        }
    }
}

/// Characters 0x80 to 0x9f of Windows code page 1252; the five holes map to control characters as in
/// the WHATWG table.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// The encoding declared by a comment in the first two lines (PEP 263): `coding[=:]\s*([-\w.]+)` after
/// `^[ \t\f]*#.*?`; the second line counts only if the first is blank or a comment.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    for _ in 0..2 {
        let end = rest
            .iter()
            .position(|&b| b == b'\n' || b == b'\r')
            .unwrap_or(rest.len());
        let line = &rest[..end.min(1024)];
        let trimmed = line.trim_ascii_start();
        if trimmed.first() == Some(&b'#') {
            if let Some(name) = encoding_in_comment(trimmed) {
                return Some(name);
            }
        } else if !trimmed.is_empty() {
            return None;
        }
        let skip = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = rest.get(end + skip..)?;
    }
    None
}

fn encoding_in_comment(comment: &[u8]) -> Option<String> {
    let mut at = 0;
    while let Some(found) = comment[at..].windows(6).position(|w| w == b"coding") {
        at += found + 6;
        if let Some(b'=' | b':') = comment.get(at) {
            let name: String = comment[at + 1..]
                .trim_ascii_start()
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
                .map(|&b| char::from(b))
                .collect();
            if !name.is_empty() {
                return Some(name);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lead_back_into_the_file_across_a_byte_order_mark() {
        let source = Source::python(b"\xef\xbb\xbfx = 1\n");
        assert_eq!(source.text, "x = 1\n");
        assert_eq!(source.offset(4), 7);
    }

    #[test]
    fn latin_1_and_windows_1252_are_decoded_as_declared() {
        let source = Source::python(b"# coding: latin-1\nx = '\xe9'; y = 1\n");
        assert!(source.text.contains("'é'"));
        assert!(source.problem.is_none());
        let y = source.text.find("y =").map(|i| i as u32);
        assert_eq!(y.map(|i| source.offset(i)), Some(27));
        let source = Source::python(b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\nx = '\x80'\n");
        assert!(source.text.contains("'€'"));
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced_and_said_so() {
        let source = Source::python(b"x = '\xff\xfe'\ny = 2\n");
        assert!(
            source
                .problem
                .as_deref()
                .is_some_and(|p| p.contains("byte 5"))
        );
        let y = source.text.find("y =").map(|i| i as u32);
        assert_eq!(y.map(|i| source.offset(i)), Some(9));
    }

    #[test]
    fn an_unknown_encoding_is_named() {
        let source = Source::python(b"# coding: koi8-r\nx = '\xc1'\n");
        assert!(
            source
                .problem
                .as_deref()
                .is_some_and(|p| p.contains("`koi8-r`"))
        );
    }

    #[test]
    fn code_before_the_cookie_disables_it() {
        assert_eq!(declared_encoding(b"x = 1\n# coding: latin-1\n"), None);
        assert_eq!(
            declared_encoding(b"\n# coding=latin-1\n").as_deref(),
            Some("latin-1")
        );
    }
}
