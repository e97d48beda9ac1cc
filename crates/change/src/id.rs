//! Names of objects.

use std::fmt;

/// The name of a commit or blob: 20 bytes in repositories of SHA-1, 32 in those of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    length: u8,
}

impl ObjectId {
    /// Reads 40 or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    /// The same from bytes.
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        if text.len() != 40 && text.len() != 64 {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            b'A'..=b'F' => Some(byte - b'A' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (into, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *into = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self {
            bytes,
            length: (text.len() / 2) as u8,
        })
    }

    /// The name with all digits zero, which stands for no object.
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }

    /// Lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.bytes[..usize::from(self.length)] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
