//! Changes to source text: byte ranges and what stands there instead.

use std::fmt::Write as _;

use solvent_base::FilePath;

/// Lines around a change in a rendered diff.
const CONTEXT: usize = 3;

/// `text` instead of the bytes from `start` to `end`. An insertion has `start == end`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edit {
    pub start: u32,
    pub end: u32,
    pub text: String,
}

/// The edits of one file, in order, none overlapping another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileEdit {
    pub path: FilePath,
    /// Whether the file is there already; a new file is one insertion into the empty text.
    pub base: Base,
    pub edits: Vec<Edit>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Base {
    Existing,
    New,
}

/// Why edits do not fit a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// An edit ends behind the text, or begins behind its end.
    OutOfRange,
    /// An offset is inside a character.
    InsideCharacter,
    /// Two edits are out of order or touch the same bytes.
    Overlap,
}

impl Misfit {
    /// Lower case, no full stop.
    pub fn words(self) -> &'static str {
        match self {
            Self::OutOfRange => "an edit lies outside the text",
            Self::InsideCharacter => "an edit cuts a character in two",
            Self::Overlap => "two edits overlap",
        }
    }
}

impl FileEdit {
    /// The text with all edits made; every byte outside of them is kept.
    pub fn apply(&self, text: &str) -> Result<String, Misfit> {
        let mut out = String::with_capacity(text.len() + 64);
        let mut done = 0_usize;
        for edit in &self.edits {
            let (start, end) = (edit.start as usize, edit.end as usize);
            if end < start || end > text.len() {
                return Err(Misfit::OutOfRange);
            }
            if start < done {
                return Err(Misfit::Overlap);
            }
            if !text.is_char_boundary(start) || !text.is_char_boundary(end) {
                return Err(Misfit::InsideCharacter);
            }
            out.push_str(&text[done..start]);
            out.push_str(&edit.text);
            done = end;
        }
        out.push_str(&text[done..]);
        Ok(out)
    }

    /// A unified diff against `text`, as `git diff` prints it; empty when nothing changes or the edits do
    /// not fit.
    pub fn diff(&self, text: &str) -> String {
        let Ok(after) = self.apply(text) else {
            return String::new();
        };
        unified(&self.path, self.base, text, &after)
    }
}

/// Edits of one file under construction: in any order, later sorted and merged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    list: Vec<Edit>,
}

impl Edits {
    pub fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        let edit = Edit {
            start,
            end,
            text: text.into(),
        };
        if !self.list.contains(&edit) {
            self.list.push(edit);
        }
    }

    pub fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.replace(at, at, text);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In order; those inside a larger one are dropped. `None` when two cross.
    pub fn finish(mut self) -> Option<Vec<Edit>> {
        // Insertions at the end of a replacement come after it, two insertions keep their order.
        self.list.sort_by_key(|e| (e.start, e.end));
        let mut out: Vec<Edit> = Vec::new();
        for edit in self.list {
            match out.last() {
                Some(last) if edit.start < last.end => {
                    if edit.end <= last.end {
                        continue;
                    }
                    if edit.start == last.start {
                        // The longer one was meant to hold the shorter.
                        out.pop();
                        out.push(edit);
                        continue;
                    }
                    return None;
                }
                _ => out.push(edit),
            }
        }
        Some(out)
    }
}

fn unified(path: &FilePath, base: Base, before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut head = 0;
    while head < old.len() && head < new.len() && old[head] == new[head] {
        head += 1;
    }
    let mut tail = 0;
    while tail < old.len() - head
        && tail < new.len() - head
        && old[old.len() - 1 - tail] == new[new.len() - 1 - tail]
    {
        tail += 1;
    }
    let ops = script(
        &old[head..old.len() - tail],
        &new[head..new.len() - tail],
        head,
    );
    if ops.is_empty() {
        return String::new();
    }
    let from = match base {
        Base::Existing => format!("a/{path}"),
        Base::New => "/dev/null".to_owned(),
    };
    let mut out = format!("--- {from}\n+++ b/{path}\n");
    let mut at = 0;
    while at < ops.len() {
        let mut last = at;
        while last + 1 < ops.len() && ops[last + 1].0.saturating_sub(ops[last].1) <= 2 * CONTEXT {
            last += 1;
        }
        hunk(&mut out, &old, &new, &ops[at..=last]);
        at = last + 1;
    }
    out
}

/// Changed ranges: old start, old end, new start, new end.
type Change = (usize, usize, usize, usize);

fn hunk(out: &mut String, old: &[&str], new: &[&str], ops: &[Change]) {
    let (Some(first), Some(last)) = (ops.first(), ops.last()) else {
        return;
    };
    let lead = first.0.min(CONTEXT);
    let (from, new_from) = (first.0 - lead, first.2 - lead);
    let to = (last.1 + CONTEXT).min(old.len());
    let new_to = (last.3 + CONTEXT).min(new.len());
    let range = |from: usize, to: usize| {
        let count = to - from;
        let start = if count == 0 { from } else { from + 1 };
        if count == 1 {
            format!("{start}")
        } else {
            format!("{start},{count}")
        }
    };
    let _ = writeln!(
        out,
        "@@ -{} +{} @@",
        range(from, to),
        range(new_from, new_to)
    );
    let mut line = |mark: char, text: &str| {
        out.push(mark);
        out.push_str(text);
        if !text.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    };
    let mut at = from;
    for (start, end, new_start, new_end) in ops {
        old[at..*start].iter().for_each(|t| line(' ', t));
        old[*start..*end].iter().for_each(|t| line('-', t));
        new[*new_start..*new_end].iter().for_each(|t| line('+', t));
        at = *end;
    }
    old[at..to].iter().for_each(|t| line(' ', t));
}

/// Differences by the longest common subsequence; of very long ones a single replacement.
fn script(old: &[&str], new: &[&str], shift: usize) -> Vec<Change> {
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    // Four million cells are sixteen megabytes.
    if old.len().saturating_mul(new.len()) > 4_000_000 {
        return vec![(shift, shift + old.len(), shift, shift + new.len())];
    }
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut out: Vec<Change> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            i += 1;
            j += 1;
            continue;
        }
        let (from, new_from) = (i, j);
        while (i < old.len() || j < new.len())
            && !(i < old.len() && j < new.len() && old[i] == new[j])
        {
            let down = i < old.len()
                && (j >= new.len() || common[(i + 1) * width + j] >= common[i * width + j + 1]);
            if down {
                i += 1;
            } else {
                j += 1;
            }
        }
        out.push((shift + from, shift + i, shift + new_from, shift + j));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(edits: &[(u32, u32, &str)]) -> FileEdit {
        FileEdit {
            path: FilePath::new("a.py").expect("a path"),
            base: Base::Existing,
            edits: edits
                .iter()
                .map(|(start, end, text)| Edit {
                    start: *start,
                    end: *end,
                    text: (*text).into(),
                })
                .collect(),
        }
    }

    #[test]
    fn bytes_outside_of_edits_are_kept() {
        assert_eq!(
            file(&[(1, 2, "X"), (3, 3, "!")]).apply("abcd"),
            Ok("aXc!d".into())
        );
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        assert_eq!(file(&[(3, 9, "")]).apply("abcd"), Err(Misfit::OutOfRange));
        assert_eq!(
            file(&[(0, 2, ""), (1, 3, "")]).apply("abcd"),
            Err(Misfit::Overlap)
        );
        assert_eq!(file(&[(1, 2, "")]).apply("é"), Err(Misfit::InsideCharacter));
    }

    #[test]
    fn crossing_edits_are_no_patch_and_nested_ones_are_one() {
        let mut edits = Edits::default();
        edits.replace(0, 4, "a");
        edits.replace(2, 6, "b");
        assert_eq!(edits.finish(), None);
        let mut edits = Edits::default();
        edits.replace(2, 3, "b");
        edits.replace(0, 4, "a");
        assert_eq!(edits.finish().map(|e| e.len()), Some(1));
    }

    #[test]
    fn a_diff_reads_as_git_prints_it() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let diff = file(&[(8, 9, "five")]).diff(text);
        assert_eq!(
            diff,
            "--- a/a.py\n+++ b/a.py\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
        assert_eq!(file(&[]).diff(text), "");
    }
}
