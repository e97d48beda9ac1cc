//! What `git diff-tree -p -U0` prints, read as it comes.
//!
//! The text of added lines is whatever a commit's author wanted it to be. A hunk says how many lines it
//! has, so nothing inside one is taken for structure.

use crate::id::ObjectId;
use crate::lines::Lines;

/// Files and hunks of one commit that are kept: a commit with more is not measured line by line.
const MAX_FILES: usize = 200_000;
const MAX_HUNKS: usize = 2_000_000;

/// One run of changed lines, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hunk {
    /// First removed line; without removed lines, the line after which is added.
    pub old_start: u32,
    pub old_lines: u32,
    /// First added line; without added lines, the line after which was removed.
    pub new_start: u32,
    pub new_lines: u32,
}

/// One changed file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FilePatch {
    /// `None` when the file is new.
    pub old: Option<Vec<u8>>,
    /// `None` when it went away.
    pub new: Option<Vec<u8>>,
    pub hunks: Vec<Hunk>,
    /// Not text: its lines are not known.
    pub binary: bool,
}

/// One commit, or one comparison of two.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patch {
    /// Null before the first name of a commit.
    pub commit: ObjectId,
    pub files: Vec<FilePatch>,
    pub added: u64,
    pub deleted: u64,
    /// Had more files or hunks than are kept.
    pub cut: bool,
}

/// Reads piece by piece. `added` is given every added line without its end.
pub struct PatchReader<F> {
    lines: Lines,
    body: Option<(u32, u32)>,
    done: Vec<Patch>,
    now: Option<Patch>,
    added: F,
}

impl<F: FnMut(&[u8])> PatchReader<F> {
    pub fn new(added: F) -> Self {
        Self {
            lines: Lines::default(),
            body: None,
            done: Vec::new(),
            now: None,
            added,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(bytes, &mut |line| self.take(line));
        self.lines = lines;
    }

    /// Commits that are complete, because the next one has begun.
    pub fn drain(&mut self) -> Vec<Patch> {
        std::mem::take(&mut self.done)
    }

    /// The rest. The last commit is complete only if git came to its end.
    pub fn finish(mut self) -> Vec<Patch> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.finish(&mut |line| self.take(line));
        self.done.extend(self.now);
        self.done
    }

    fn take(&mut self, line: &[u8]) {
        if let Some((old, new)) = self.body {
            let patch = self.now.get_or_insert_with(|| start(null()));
            match line.first() {
                Some(b'+') if new > 0 => {
                    patch.added += 1;
                    (self.added)(&line[1..]);
                    self.body = Some((old, new - 1));
                }
                Some(b'-') if old > 0 => {
                    patch.deleted += 1;
                    self.body = Some((old - 1, new));
                }
                Some(b' ') if old > 0 && new > 0 => self.body = Some((old - 1, new - 1)),
                Some(b'\\') => {}
                _ => self.body = None,
            }
            if self.body.is_some_and(|(old, new)| old == 0 && new == 0) {
                self.body = None;
            }
            return;
        }
        if let Some(id) = ObjectId::parse_bytes(line) {
            self.done.extend(self.now.take());
            self.now = Some(start(id));
            return;
        }
        let patch = self.now.get_or_insert_with(|| start(null()));
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            if patch.files.len() == MAX_FILES {
                patch.cut = true;
            } else {
                let name = both(names);
                patch.files.push(FilePatch {
                    old: name.clone(),
                    new: name,
                    ..FilePatch::default()
                });
            }
            return;
        }
        let cut = patch.cut;
        let Some(file) = patch.files.last_mut() else {
            return;
        };
        if let Some(header) = line.strip_prefix(b"@@ ") {
            let Some(hunk) = hunk(header) else { return };
            self.body = Some((hunk.old_lines, hunk.new_lines));
            if file.hunks.len() == MAX_HUNKS {
                patch.cut = true;
            } else if !cut {
                file.hunks.push(hunk);
            }
        } else if line.starts_with(b"new file mode ") {
            file.old = None;
        } else if line.starts_with(b"deleted file mode ") {
            file.new = None;
        } else if let Some(name) = line.strip_prefix(b"rename from ") {
            file.old = Some(unquote(name));
        } else if let Some(name) = line.strip_prefix(b"rename to ") {
            file.new = Some(unquote(name));
        } else if line.starts_with(b"Binary files ") {
            file.binary = true;
        }
    }
}

fn null() -> ObjectId {
    // Forty zeros are hexadecimal digits.
    ObjectId::parse_bytes(&[b'0'; 40]).unwrap_or_else(|| unreachable!("forty zeros are a name"))
}

fn start(commit: ObjectId) -> Patch {
    Patch {
        commit,
        files: Vec::new(),
        added: 0,
        deleted: 0,
        cut: false,
    }
}

/// The name in `a/NAME b/NAME` or in `"a/NAME" "b/NAME"`. A rename has two names: then its own lines say
/// them, and what this returns is written over.
fn both(names: &[u8]) -> Option<Vec<u8>> {
    if names.starts_with(b"\"") {
        let name = unquote(names);
        return name.strip_prefix(b"a/").map(<[u8]>::to_vec);
    }
    let half = names.len().checked_sub(1)? / 2;
    let (a, b) = (names.get(..half)?, names.get(half + 1..)?);
    let name = a.strip_prefix(b"a/")?;
    (b.strip_prefix(b"b/") == Some(name)).then(|| name.to_vec())
}

/// `-a[,b] +c[,d] @@ ...`
fn hunk(header: &[u8]) -> Option<Hunk> {
    let text = std::str::from_utf8(header.get(..header.len().min(64))?)
        .or_else(|error| std::str::from_utf8(&header[..error.valid_up_to()]))
        .ok()?;
    let mut parts = text.split(' ');
    let side = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, lines)) => Some((start.parse().ok()?, lines.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    let (old_start, old_lines) = side(parts.next()?.strip_prefix('-')?)?;
    let (new_start, new_lines) = side(parts.next()?.strip_prefix('+')?)?;
    (parts.next()? == "@@").then_some(Hunk {
        old_start,
        old_lines,
        new_start,
        new_lines,
    })
}

/// A name as git writes it where it has bytes that would confuse: in double quotes with the escapes of C.
/// Without a leading quote it stands as it is; what follows the closing quote is left away.
pub(crate) fn unquote(name: &[u8]) -> Vec<u8> {
    let Some(inside) = name.strip_prefix(b"\"") else {
        return name.to_vec();
    };
    let mut out = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(b'a') => out.push(7),
                Some(b'b') => out.push(8),
                Some(b't') => out.push(b'\t'),
                Some(b'n') => out.push(b'\n'),
                Some(b'v') => out.push(11),
                Some(b'f') => out.push(12),
                Some(b'r') => out.push(b'\r'),
                Some(digit @ b'0'..=b'3') => {
                    let mut value = digit - b'0';
                    for next in bytes.by_ref().take(2) {
                        value = value
                            .wrapping_mul(8)
                            .wrapping_add(next.wrapping_sub(b'0') & 7);
                    }
                    out.push(value);
                }
                Some(other) => out.push(other),
                None => break,
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> (Vec<Patch>, Vec<Vec<u8>>) {
        let mut lines = Vec::new();
        let mut reader = PatchReader::new(|line: &[u8]| lines.push(line.to_vec()));
        for piece in text.chunks(piece) {
            reader.push(piece);
        }
        let patches = reader.finish();
        (patches, lines)
    }

    const TEXT: &[u8] = b"1111111111111111111111111111111111111111\n\
        diff --git a/a b.py b/a b.py\nindex 0..1 100644\n--- a/a b.py\n+++ b/a b.py\n\
        @@ -3,2 +3 @@ def f():\n-x\n-diff --git a/q b/q\n+2222222222222222222222222222222222222222\n\
        @@ -9,0 +9,2 @@\n+@@ -1 +1 @@\n+last\n\\ No newline at end of file\n\
        diff --git a/old.py \"b/n\\303\\251\\tw.py\"\nsimilarity index 100%\nrename from old.py\n\
        rename to \"n\\303\\251\\tw.py\"\n\
        3333333333333333333333333333333333333333\n\
        diff --git a/bin b/bin\nnew file mode 100644\nindex 0..1\nBinary files /dev/null and b/bin differ\n\
        diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";

    #[test]
    fn the_text_of_lines_is_never_structure() {
        for piece in [1, 7, 64, 10_000] {
            let (patches, lines) = read(TEXT, piece);
            assert_eq!(patches.len(), 2);
            let first = &patches[0];
            assert_eq!((first.added, first.deleted, first.files.len()), (3, 2, 2));
            assert_eq!(lines.len(), 3);
            assert_eq!(lines[1], b"@@ -1 +1 @@");
            assert_eq!(first.files[0].new.as_deref(), Some(&b"a b.py"[..]));
            assert_eq!(
                first.files[0].hunks[0],
                Hunk {
                    old_start: 3,
                    old_lines: 2,
                    new_start: 3,
                    new_lines: 1
                }
            );
            assert_eq!(first.files[1].old.as_deref(), Some(&b"old.py"[..]));
            assert_eq!(first.files[1].new.as_deref(), Some("né\tw.py".as_bytes()));
            let second = &patches[1];
            assert!(second.files[0].binary && second.files[0].old.is_none());
            assert!(second.files[1].new.is_none());
            assert_eq!(second.deleted, 1);
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut text = b"diff --git a/x b/x\n@@ -0,0 +1,2 @@\n+".to_vec();
        text.resize(3 << 20, b'a');
        text.extend_from_slice(b"\n+b\n");
        let (patches, lines) = read(&text, 65_536);
        assert_eq!(patches[0].added, 2);
        assert!(lines[0].len() <= crate::lines::MAX_LINE);
        assert_eq!(lines[1], b"b");
    }
}
