//! HTTP/1.1 as bytes: a writer that sends exactly what it is given, and a strict reader.
//!
//! Ordinary clients normalise paths, header names and bodies; an attack needs them untouched. The reader
//! accepts what RFC 9112 allows a server to send, within caps, and calls everything else an error.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// Bytes of one answer's head. Servers refuse requests with heads of 8 to 64 KiB; answers with more are hostile.
pub const MAX_HEAD: usize = 64 << 10;
/// Bytes of one answer's body that are read; the rest is dropped and the answer marked as cut.
pub const MAX_BODY: usize = 4 << 20;
/// Header lines of one answer.
pub const MAX_HEADERS: usize = 256;

/// One request. Nothing is added but `content-length`, and only when the body is not empty and no header of that
/// name is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Path and query as they go on the wire.
    pub target: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.target.len() + self.body.len());
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(&self.target);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let mut length_given = false;
        for (name, value) in &self.headers {
            length_given |= name.eq_ignore_ascii_case(b"content-length")
                || name.eq_ignore_ascii_case(b"transfer-encoding");
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        let wants_length =
            !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        if wants_length && !length_given {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// One answer, decoded from its transfer coding, content coding untouched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// The body was longer than [`MAX_BODY`].
    pub cut: bool,
}

impl Answer {
    /// The first header of that name, case ignored.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_slice())
    }

    /// All headers of that name.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_slice())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum HttpError {
    /// Nothing, or not all of it, came in time. `bytes` had come.
    Timeout {
        bytes: usize,
    },
    /// The connection ended before the answer did.
    Closed {
        bytes: usize,
    },
    /// Not HTTP/1.x, or over a cap.
    Malformed(String),
    Io(io::Error),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { bytes } => write!(f, "no whole answer in time, {bytes} bytes came"),
            Self::Closed { bytes } => write!(f, "the connection was closed after {bytes} bytes"),
            Self::Malformed(what) => write!(f, "the answer is not HTTP: {what}"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// A connection whose reads can be bounded.
pub trait Stream: Read + Write {
    /// The next read or write fails after `timeout`.
    fn bound(&mut self, timeout: Duration) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    fn bound(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }
}

/// Sends one request and reads its answer within `timeout` in all, so that a slow drip ends as a hang does.
pub fn exchange(
    stream: &mut dyn Stream,
    request: &Request,
    timeout: Duration,
) -> Result<Answer, HttpError> {
    let deadline = Instant::now() + timeout;
    stream.bound(timeout).map_err(HttpError::Io)?;
    let written = stream
        .write_all(&request.bytes())
        .and_then(|()| stream.flush());
    // A server may answer and close before it has read all of the request; the answer still counts.
    let mut reader = Reader {
        stream,
        deadline,
        buffer: Vec::new(),
        at: 0,
        received: 0,
    };
    match (reader.answer(request.method == "HEAD"), written) {
        (Ok(answer), _) => Ok(answer),
        (Err(HttpError::Closed { bytes: 0 }), Err(error)) => Err(HttpError::Io(error)),
        (Err(error), _) => Err(error),
    }
}

/// Reads an answer that is whole in memory, as if the connection were closed after it.
pub fn parse_answer(bytes: &[u8], to_head: ToHead) -> Result<Answer, HttpError> {
    struct Memory<'a>(&'a [u8]);
    impl Read for Memory<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0.read(out)
        }
    }
    impl Write for Memory<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Stream for Memory<'_> {
        fn bound(&mut self, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }
    let mut memory = Memory(bytes);
    let deadline = Instant::now() + Duration::from_secs(3600);
    let mut reader = Reader {
        stream: &mut memory,
        deadline,
        buffer: Vec::new(),
        at: 0,
        received: 0,
    };
    reader.answer(to_head == ToHead::Yes)
}

/// Whether the answer is one to a `HEAD` request, which has no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToHead {
    Yes,
    No,
}

/// Status and headers.
type Head = (u16, Vec<(String, Vec<u8>)>);

struct Reader<'a> {
    stream: &'a mut dyn Stream,
    deadline: Instant,
    buffer: Vec<u8>,
    at: usize,
    received: usize,
}

impl Reader<'_> {
    /// More bytes into the buffer; zero at the end of the connection.
    fn more(&mut self) -> Result<usize, HttpError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(HttpError::Timeout {
                bytes: self.received,
            });
        }
        self.stream.bound(left).map_err(HttpError::Io)?;
        let mut chunk = [0_u8; 16 << 10];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(count) => {
                    self.received += count;
                    if self.at > 0 {
                        self.buffer.drain(..self.at);
                        self.at = 0;
                    }
                    self.buffer.extend_from_slice(&chunk[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Err(HttpError::Timeout {
                        bytes: self.received,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
                Err(error) => return Err(HttpError::Io(error)),
            }
        }
    }

    fn closed(&self) -> HttpError {
        HttpError::Closed {
            bytes: self.received,
        }
    }

    /// One line without its line break, at most `cap` bytes.
    fn line(&mut self, cap: usize) -> Result<Vec<u8>, HttpError> {
        let mut searched = 0;
        loop {
            let window = &self.buffer[self.at..];
            if let Some(end) = window[searched..].iter().position(|b| *b == b'\n') {
                let end = searched + end;
                let mut line = window[..end].to_vec();
                self.at += end + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = window.len();
            if searched > cap {
                return Err(HttpError::Malformed(format!(
                    "a line of more than {cap} bytes"
                )));
            }
            if self.more()? == 0 {
                return Err(self.closed());
            }
        }
    }

    fn answer(&mut self, to_head: bool) -> Result<Answer, HttpError> {
        // Interim answers (100, 103) may come first; a server that sends only those is cut by count.
        for _ in 0..8 {
            let (status, headers) = self.head()?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut answer = Answer {
                status,
                headers,
                ..Answer::default()
            };
            if to_head || status == 204 || status == 304 || status == 101 {
                return Ok(answer);
            }
            self.body(&mut answer)?;
            return Ok(answer);
        }
        Err(HttpError::Malformed("interim answers without end".into()))
    }

    fn head(&mut self) -> Result<Head, HttpError> {
        let first = self.line(MAX_HEAD)?;
        let status = status_of(&first)?;
        let mut headers = Vec::new();
        let mut size = first.len();
        loop {
            let line = self.line(MAX_HEAD)?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            size += line.len();
            if size > MAX_HEAD || headers.len() == MAX_HEADERS {
                return Err(HttpError::Malformed("a head over the cap".into()));
            }
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                return Err(HttpError::Malformed("a header line without a colon".into()));
            };
            let name = String::from_utf8_lossy(&line[..colon]).trim().to_owned();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn body(&mut self, answer: &mut Answer) -> Result<(), HttpError> {
        let chunked = answer
            .header("transfer-encoding")
            .is_some_and(|v| v.to_ascii_lowercase().ends_with(b"chunked"));
        if chunked {
            return self.chunks(answer);
        }
        let lengths: Vec<&[u8]> = answer.header_all("content-length").collect();
        let Some(&length) = lengths.first() else {
            return self.until_close(answer);
        };
        if lengths.iter().any(|other| *other != length) {
            return Err(HttpError::Malformed("two lengths that differ".into()));
        }
        let Some(length) = decimal(length) else {
            return Err(HttpError::Malformed("a length that is no number".into()));
        };
        self.take(answer, length)
    }

    /// `length` bytes of body; those over the cap are left unread, since the connection is not used again.
    fn take(&mut self, answer: &mut Answer, length: u64) -> Result<(), HttpError> {
        let mut left = length;
        while left > 0 {
            if self.at == self.buffer.len() && self.more()? == 0 {
                return Err(self.closed());
            }
            let have =
                (self.buffer.len() - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
            let room = MAX_BODY - answer.body.len();
            answer
                .body
                .extend_from_slice(&self.buffer[self.at..self.at + have.min(room)]);
            self.at += have;
            left -= have as u64;
            if have >= room {
                answer.cut = left > 0 || have > room;
                return Ok(());
            }
        }
        Ok(())
    }

    fn chunks(&mut self, answer: &mut Answer) -> Result<(), HttpError> {
        loop {
            let line = self.line(1024)?;
            let digits = line
                .split(|b| *b == b';')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            let Some(length) = hexadecimal(digits) else {
                return Err(HttpError::Malformed(
                    "a chunk length that is no number".into(),
                ));
            };
            if length == 0 {
                for _ in 0..MAX_HEADERS {
                    if self.line(MAX_HEAD)?.is_empty() {
                        return Ok(());
                    }
                }
                return Err(HttpError::Malformed("trailers without end".into()));
            }
            self.take(answer, length)?;
            if answer.cut || answer.body.len() >= MAX_BODY {
                answer.cut = true;
                return Ok(());
            }
            if !self.line(2)?.is_empty() {
                return Err(HttpError::Malformed("a chunk longer than it says".into()));
            }
        }
    }

    fn until_close(&mut self, answer: &mut Answer) -> Result<(), HttpError> {
        loop {
            let have = self.buffer.len() - self.at;
            let room = MAX_BODY - answer.body.len();
            answer
                .body
                .extend_from_slice(&self.buffer[self.at..self.at + have.min(room)]);
            self.at += have;
            if have > room {
                answer.cut = true;
                return Ok(());
            }
            if self.more()? == 0 {
                return Ok(());
            }
        }
    }
}

fn status_of(line: &[u8]) -> Result<u16, HttpError> {
    let malformed = || HttpError::Malformed("the first line is no status line".into());
    let rest = line.strip_prefix(b"HTTP/1.").ok_or_else(malformed)?;
    match rest {
        [b'0' | b'1', b' ', a, b, c, tail @ ..]
            if [a, b, c].iter().all(|d| d.is_ascii_digit())
                && (tail.is_empty() || tail[0] == b' ') =>
        {
            let status = [a, b, c]
                .iter()
                .fold(0_u16, |n, d| n * 10 + u16::from(**d - b'0'));
            if status >= 100 {
                Ok(status)
            } else {
                Err(malformed())
            }
        }
        _ => Err(malformed()),
    }
}

/// Digits only: no sign, no space, at most 18 of them.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Answer, HttpError> {
        parse_answer(text.as_bytes(), ToHead::No)
    }

    #[test]
    fn a_request_goes_out_byte_for_byte() {
        let request = Request {
            method: "GET".into(),
            target: b"/a/..%2f../b//c?x=\x85".to_vec(),
            headers: vec![(b"hOsT".to_vec(), b"x".to_vec())],
            body: Vec::new(),
        };
        assert_eq!(
            request.bytes(),
            b"GET /a/..%2f../b//c?x=\x85 HTTP/1.1\r\nhOsT: x\r\n\r\n"
        );
    }

    #[test]
    fn a_length_is_added_only_where_none_is_given() {
        let mut request = Request {
            method: "POST".into(),
            target: b"/".to_vec(),
            ..Request::default()
        };
        request.body = b"abc".to_vec();
        assert!(request.bytes().ends_with(b"Content-Length: 3\r\n\r\nabc"));
        request
            .headers
            .push((b"content-length".to_vec(), b"2".to_vec()));
        assert!(request.bytes().ends_with(b"content-length: 2\r\n\r\nabc"));
    }

    #[test]
    fn length_chunks_and_close_give_the_same_body() {
        let head = "HTTP/1.1 200 OK\r\nX: y\r\n";
        for text in [
            format!("{head}Content-Length: 5\r\n\r\nhello"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\n\r\n"),
            format!("{head}\r\nhello"),
        ] {
            let answer = parse(&text);
            assert!(
                answer.is_ok_and(|a| a.body == b"hello" && a.status == 200),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_cut_short_is_closed_not_whole() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        ] {
            assert!(
                matches!(parse(text), Err(HttpError::Closed { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(
                matches!(parse(text), Err(HttpError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn interim_answers_are_skipped_and_head_has_no_body() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        assert!(parse(text).is_ok_and(|a| a.status == 204));
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
        assert!(parse_answer(head.as_bytes(), ToHead::Yes).is_ok_and(|a| a.body.is_empty()));
    }

    #[test]
    fn a_body_over_the_cap_is_cut_and_says_so() {
        let text = format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(MAX_BODY + 10));
        assert!(parse(&text).is_ok_and(|a| a.cut && a.body.len() == MAX_BODY));
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
            MAX_BODY,
            "a".repeat(MAX_BODY)
        );
        assert!(parse(&text).is_ok_and(|a| !a.cut && a.body.len() == MAX_BODY));
    }

    #[test]
    fn no_edit_of_an_answer_makes_the_reader_panic() {
        let text =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n2\r\nhe\r\n0\r\n\r\n";
        for at in 0..text.len() {
            for byte in [0, b'\n', b'0', b'f', b':', 0xff] {
                let mut edited = text.to_vec();
                edited[at] = byte;
                let _ = parse_answer(&edited, ToHead::No);
                let _ = parse_answer(&edited[..at], ToHead::No);
            }
        }
    }

    #[test]
    fn a_slow_drip_ends_at_the_deadline() {
        struct Drip;
        impl Read for Drip {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                out[0] = b'H';
                Ok(1)
            }
        }
        impl Write for Drip {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Stream for Drip {
            fn bound(&mut self, _: Duration) -> io::Result<()> {
                Ok(())
            }
        }
        let request = Request {
            method: "GET".into(),
            target: b"/".to_vec(),
            ..Request::default()
        };
        let result = exchange(&mut Drip, &request, Duration::from_millis(5));
        assert!(matches!(
            result,
            Err(HttpError::Timeout { .. } | HttpError::Malformed(_))
        ));
    }
}
