//! Canonical JSON in the sense of RFC 8785, restricted to integers: one value, one sequence of bytes.
//!
//! Keys are ordered by their UTF-16 code units, nothing is spaced, strings are escaped only where JSON
//! demands it, numbers are integers of at most 2^53 - 1. The reader takes any spelling of such a value
//! and refuses what would be ambiguous: repeated keys, fractions, exponents, larger numbers, lone
//! surrogates, nesting past [`MAX_DEPTH`].

use std::fmt;

/// Largest integer that every JSON reader keeps exactly (RFC 7493): 2^53 - 1.
pub const MAX_SAFE: i64 = (1 << 53) - 1;

/// Deepest nesting that is read. Recursion is bounded by it, so hostile brackets cost no stack.
pub const MAX_DEPTH: usize = 64;

/// A JSON value without fractions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Json>),
    /// Keys are distinct; the order is that of the input until encoded.
    Map(Vec<(String, Json)>),
}

/// What is wrong and at which byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CanonicalError {
    pub at: usize,
    pub what: &'static str,
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for CanonicalError {}

/// The canonical bytes of `value`.
pub fn encode(value: &Json) -> Vec<u8> {
    let mut out = String::new();
    write_value(value, &mut out);
    out.into_bytes()
}

/// Reads JSON text of at most `cap` bytes.
pub fn parse(bytes: &[u8], cap: usize) -> Result<Json, CanonicalError> {
    if bytes.len() > cap {
        return Err(CanonicalError {
            at: cap,
            what: "input is over the size cap",
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| CanonicalError {
        at: error.valid_up_to(),
        what: "input is not UTF-8",
    })?;
    let mut reader = Reader { text, bytes, at: 0 };
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    if reader.at != bytes.len() {
        return Err(reader.error("text after the value"));
    }
    Ok(value)
}

fn write_value(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Int(n) => out.push_str(&n.to_string()),
        Json::Text(text) => write_text(text, out),
        Json::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Json::Map(pairs) => {
            let mut sorted: Vec<&(String, Json)> = pairs.iter().collect();
            sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (i, (key, item)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_value(item, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    use fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> CanonicalError {
        CanonicalError { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), CanonicalError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(what))
        }
    }

    fn literal(&mut self, word: &str, value: Json) -> Result<Json, CanonicalError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("not a JSON value"))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, CanonicalError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b't') => self.literal("true", Json::Bool(true)),
            Some(b'f') => self.literal("false", Json::Bool(false)),
            Some(b'n') => self.literal("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("not a JSON value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, CanonicalError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::List(items));
                }
                _ => return Err(self.error("expected `,` or `]`")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, CanonicalError> {
        self.at += 1;
        let mut pairs: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Map(pairs));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key"));
            }
            let start = self.at;
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                return Err(CanonicalError {
                    at: start,
                    what: "repeated key",
                });
            }
            self.space();
            self.expect(b':', "expected `:`")?;
            self.space();
            let value = self.value(depth + 1)?;
            pairs.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Map(pairs));
                }
                _ => return Err(self.error("expected `,` or `}`")),
            }
        }
    }

    fn number(&mut self) -> Result<Json, CanonicalError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let fail = |what| Err(CanonicalError { at: start, what });
        if self.at == digits {
            return fail("not a number");
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return fail("only integers are allowed");
        }
        if self.bytes[digits] == b'0' && self.at - digits > 1 {
            return fail("number with a leading zero");
        }
        match self.text[start..self.at].parse::<i64>() {
            Ok(0) if digits > start => fail("negative zero"),
            Ok(n) if n.unsigned_abs() <= MAX_SAFE as u64 => Ok(Json::Int(n)),
            _ => fail("integer beyond 2^53 - 1"),
        }
    }

    fn string(&mut self) -> Result<String, CanonicalError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while let Some(byte) = self.peek() {
                if byte == b'"' || byte == b'\\' || byte < 0x20 {
                    break;
                }
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.error("control character in a string")),
                None => return Err(self.error("string without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, CanonicalError> {
        let Some(byte) = self.peek() else {
            return Err(self.error("string without an end"));
        };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                if (0xd800..0xdc00).contains(&first) {
                    self.expect(b'\\', "lone surrogate")?;
                    self.expect(b'u', "lone surrogate")?;
                    let second = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.error("lone surrogate"));
                    }
                    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    char::from_u32(code).ok_or_else(|| self.error("lone surrogate"))?
                } else {
                    char::from_u32(first).ok_or_else(|| self.error("lone surrogate"))?
                }
            }
            _ => return Err(self.error("unknown escape")),
        })
    }

    fn hex4(&mut self) -> Result<u32, CanonicalError> {
        let Some(digits) = self.bytes.get(self.at..self.at + 4) else {
            return Err(self.error("string without an end"));
        };
        let mut code = 0;
        for &digit in digits {
            let value = (digit as char)
                .to_digit(16)
                .ok_or_else(|| self.error("bad escape"))?;
            code = code * 16 + value;
        }
        self.at += 4;
        Ok(code)
    }
}
