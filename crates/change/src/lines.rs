//! Lines out of pieces.

/// Bytes of one line that are kept; the rest of it is skipped.
pub(crate) const MAX_LINE: usize = 8 << 10;

/// Collects pieces until a line is complete.
#[derive(Default)]
pub(crate) struct Lines {
    part: Vec<u8>,
}

impl Lines {
    /// Gives every line that `bytes` completes, without its end.
    pub(crate) fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            if self.part.is_empty() {
                line(&rest[..end.min(MAX_LINE)]);
            } else {
                self.keep(&rest[..end]);
                line(&self.part);
                self.part.clear();
            }
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// Gives what is left without an end.
    pub(crate) fn finish(&mut self, line: &mut dyn FnMut(&[u8])) {
        if !self.part.is_empty() {
            line(&self.part);
            self.part.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.part.len());
        self.part.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}
