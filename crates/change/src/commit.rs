//! A commit as git stores it.
//!
//! The bytes come from whoever pushed: headers may be missing, names may be anything, the message may
//! have megabytes. Reading never fails; what is not there is empty.

/// Bytes of a message that are looked at: this many from its start, where tools put their sentence, and
/// half as many from its end, where trailers are.
pub const MAX_MESSAGE: usize = 64 << 10;

/// Author or committer. Stays inside this crate: what leaves it speaks of classes, never of persons.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Person {
    pub name: String,
    pub mail: String,
}

/// The parts of a commit that say who wrote it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RawCommit {
    pub author: Person,
    pub committer: Person,
    pub message: String,
}

/// Reads the bytes of a commit object.
pub(crate) fn read(bytes: &[u8]) -> RawCommit {
    let mut commit = RawCommit::default();
    let mut rest = bytes;
    while let Some((line, after)) = cut(rest) {
        rest = after;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix(b"author ") {
            commit.author = person(value);
        } else if let Some(value) = line.strip_prefix(b"committer ") {
            commit.committer = person(value);
        }
    }
    commit.message = message(rest);
    commit
}

fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    Some(match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    })
}

fn message(bytes: &[u8]) -> String {
    if bytes.len() <= MAX_MESSAGE + MAX_MESSAGE / 2 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let start = String::from_utf8_lossy(&bytes[..MAX_MESSAGE]);
    let tail = &bytes[bytes.len() - MAX_MESSAGE / 2..];
    // Only whole lines of the end: half a line could look like a trailer.
    let tail = cut(tail).map_or(tail, |(_, after)| after);
    format!("{start}\n{}", String::from_utf8_lossy(tail))
}

/// `Name <mail> 1700000000 +0100`.
fn person(value: &[u8]) -> Person {
    let text = String::from_utf8_lossy(&value[..value.len().min(2_048)]);
    let (name, rest) = text.split_once('<').unwrap_or((&text, ""));
    let mail = rest.split('>').next().unwrap_or_default();
    Person {
        name: name.trim().to_owned(),
        mail: mail.trim().to_owned(),
    }
}

/// `Name <mail>` as trailers write it; a value without brackets is a name.
pub(crate) fn named(value: &str) -> Person {
    person(value.as_bytes())
}

/// Lines of the form `Key: value`, keys in lower case. Git's own definition asks for one block at the
/// end; squash merges leave blocks in the middle, so every unindented line counts.
pub(crate) fn trailers(message: &str) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for line in message.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let plain = key.len() <= 40
            && key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ' ');
        // Else an address at the start of a line would be one.
        let spaced = value.starts_with(char::is_whitespace);
        let value = value.trim();
        if plain && spaced && !value.is_empty() {
            found.push((key.trim_end().to_ascii_lowercase(), value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_message_are_read_as_they_stand() {
        let commit = read(
            b"tree 00\nparent 11\nauthor A \xe4 B <a@b.example> 0 +0000\ncommitter C <c> 1 -0330\n\
              gpgsig -----BEGIN\n author X <x@y> 1 +0000\n -----END\n\nsubject\n\nbody\n",
        );
        assert_eq!(commit.author.name, "A \u{fffd} B");
        assert_eq!(commit.author.mail, "a@b.example");
        assert_eq!(commit.committer.mail, "c");
        assert_eq!(commit.message, "subject\n\nbody\n");
    }

    #[test]
    fn anything_else_is_empty_and_no_error() {
        assert_eq!(read(b""), RawCommit::default());
        assert_eq!(read(b"author").author, Person::default());
        assert_eq!(read(b"author <<>\n\n\xff").message, "\u{fffd}");
    }

    #[test]
    fn a_huge_message_keeps_its_start_and_its_trailers() {
        let mut bytes = b"author a <a> 0 +0000\n\nsubject\n".to_vec();
        for _ in 0..100_000 {
            bytes.extend_from_slice(b"filler filler filler filler filler\n");
        }
        bytes.extend_from_slice(b"\nCo-authored-by: X <x@y>\n");
        let commit = read(&bytes);
        assert!(commit.message.len() < 2 * MAX_MESSAGE);
        assert!(commit.message.starts_with("subject\n"));
        assert_eq!(
            trailers(&commit.message),
            [("co-authored-by".to_owned(), "X <x@y>")]
        );
    }

    #[test]
    fn trailers_stand_at_the_start_of_a_line() {
        let text = "Fix: things\n  Co-authored-by: indented <i@x>\n> Cursor-Session: quoted\n\
                    see https://x.example/y\nDevin Session: https://x\nEmpty:\n";
        let found = trailers(text);
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["fix", "devin session"]);
    }
}
