//! Who the lines of HEAD are from, by applying the patches of the default branch in order.
//!
//! Blaming every file of a repository takes minutes; the patches of the default branch are read once
//! anyway. A hunk says which lines went and how many came, so the owner of each line can be carried from
//! commit to commit without reading any file. What blame does beyond that, finding lines that moved inside
//! a file, is not done: a moved line belongs to who moved it.

use std::collections::HashMap;

use crate::patch::Patch;

/// Lines of one file that are followed.
const MAX_LINES: usize = 20_000_000;

/// Where a line is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    /// Number that the caller gave to the patch; [`OLDER`] for what was there before the first.
    pub(crate) patch: u32,
    /// Where it stood after that patch, from 1.
    pub(crate) line: u32,
    /// Under which path, an index into [`Replay::paths`].
    pub(crate) path: u32,
}

pub(crate) const OLDER: u32 = u32::MAX;

const BEFORE: Owner = Owner {
    patch: OLDER,
    line: 0,
    path: 0,
};

/// What the first patch is applied to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Nothing,
    /// Files whose lines are older than any patch.
    Something,
}

pub(crate) struct Replay {
    files: HashMap<Vec<u8>, File>,
    pub(crate) paths: Vec<Vec<u8>>,
    index: HashMap<Vec<u8>, u32>,
    base: Base,
}

#[derive(Clone, Default)]
struct File {
    owners: Vec<Owner>,
    /// All lines are in `owners`; else there are further ones, older than the first patch.
    whole: bool,
    /// Its lines are not known.
    lost: bool,
}

impl Replay {
    pub(crate) fn over(base: Base) -> Self {
        Self {
            files: HashMap::new(),
            paths: Vec::new(),
            index: HashMap::new(),
            base,
        }
    }

    /// Applies the next patch.
    pub(crate) fn apply(&mut self, number: u32, patch: &Patch) {
        if patch.cut {
            // Some of its files are not known: any may have changed.
            for file in self.files.values_mut() {
                file.lost = true;
            }
        }
        // All old sides first: two files may have changed names with each other.
        let olds: Vec<File> = patch
            .files
            .iter()
            .map(|change| match &change.old {
                Some(old) => self.files.remove(old).unwrap_or(File {
                    owners: Vec::new(),
                    whole: false,
                    lost: self.base == Base::Nothing,
                }),
                None => File {
                    whole: true,
                    ..File::default()
                },
            })
            .collect();
        for (change, old) in patch.files.iter().zip(olds) {
            let Some(new) = &change.new else { continue };
            let path = self.path(new);
            let mut file = old;
            if change.binary {
                file.lost = true;
            }
            if !file.lost && !change.hunks.is_empty() {
                file = changed(&file, change, number, path);
            }
            self.files.insert(new.clone(), file);
        }
    }

    /// A patch that could not be read touched these files.
    pub(crate) fn lose(&mut self, path: &[u8]) {
        self.files.insert(
            path.to_vec(),
            File {
                lost: true,
                ..File::default()
            },
        );
    }

    fn path(&mut self, path: &[u8]) -> u32 {
        if let Some(index) = self.index.get(path) {
            return *index;
        }
        let index = self.paths.len() as u32;
        self.paths.push(path.to_vec());
        self.index.insert(path.to_vec(), index);
        index
    }

    /// The owners of a file's lines at the end; `None` when they are not known, which is said rather
    /// than guessed when the count does not come out.
    pub(crate) fn owners(&mut self, path: &[u8], lines: usize) -> Option<Vec<Owner>> {
        let Some(file) = self.files.remove(path) else {
            return (self.base == Base::Something).then(|| vec![BEFORE; lines]);
        };
        if file.lost || file.owners.len() > lines || (file.whole && file.owners.len() != lines) {
            return None;
        }
        let mut owners = file.owners;
        owners.resize(lines, BEFORE);
        Some(owners)
    }
}

fn changed(old: &File, change: &crate::patch::FilePatch, number: u32, path: u32) -> File {
    let lost = File {
        lost: true,
        ..File::default()
    };
    let mut owners: Vec<Owner> = Vec::with_capacity(old.owners.len());
    // Lines of the old side that are done with.
    let mut at = 0_usize;
    for hunk in &change.hunks {
        // Without removed lines the hunk names the line before it.
        let start = if hunk.old_lines == 0 {
            hunk.old_start as usize
        } else {
            (hunk.old_start as usize).saturating_sub(1)
        };
        let end = start + hunk.old_lines as usize;
        if start < at || end > MAX_LINES || (old.whole && end > old.owners.len()) {
            return lost;
        }
        let known = start.min(old.owners.len());
        owners.extend_from_slice(&old.owners[at.min(known)..known]);
        owners.resize(owners.len() + (start - known.max(at)), BEFORE);
        at = end;
        if owners.len() + hunk.new_lines as usize > MAX_LINES {
            return lost;
        }
        owners.extend((0..hunk.new_lines).map(|n| Owner {
            patch: number,
            line: hunk.new_start.saturating_add(n),
            path,
        }));
    }
    owners.extend_from_slice(&old.owners[at.min(old.owners.len())..]);
    File {
        owners,
        whole: old.whole,
        lost: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ObjectId;
    use crate::patch::{FilePatch, Hunk};
    use proptest::prelude::*;

    fn patch(files: Vec<FilePatch>) -> Patch {
        Patch {
            commit: ObjectId::parse(&"0".repeat(40)).unwrap(),
            files,
            added: 0,
            deleted: 0,
            cut: false,
        }
    }

    fn change(old: Option<&str>, new: Option<&str>, hunks: Vec<Hunk>) -> FilePatch {
        FilePatch {
            old: old.map(|p| p.as_bytes().to_vec()),
            new: new.map(|p| p.as_bytes().to_vec()),
            hunks,
            binary: false,
        }
    }

    fn patches(owners: Option<Vec<Owner>>) -> Option<Vec<u32>> {
        owners.map(|owners| owners.iter().map(|o| o.patch).collect())
    }

    #[test]
    fn files_that_change_names_with_each_other_keep_their_lines() {
        let mut replay = Replay::over(Base::Nothing);
        let whole = |n| {
            vec![Hunk {
                old_start: 0,
                old_lines: 0,
                new_start: 1,
                new_lines: n,
            }]
        };
        replay.apply(1, &patch(vec![change(None, Some("a"), whole(2))]));
        replay.apply(2, &patch(vec![change(None, Some("b"), whole(3))]));
        replay.apply(
            3,
            &patch(vec![
                change(Some("a"), Some("b"), vec![]),
                change(Some("b"), Some("a"), vec![]),
            ]),
        );
        assert_eq!(patches(replay.owners(b"b", 2)), Some(vec![1, 1]));
        assert_eq!(
            patches(replay.owners(b"a", 4)),
            None,
            "a wrong count is not guessed"
        );
    }

    #[test]
    fn what_was_there_before_the_first_patch_stays_older() {
        let mut replay = Replay::over(Base::Something);
        let hunk = Hunk {
            old_start: 5,
            old_lines: 2,
            new_start: 5,
            new_lines: 1,
        };
        replay.apply(1, &patch(vec![change(Some("a"), Some("a"), vec![hunk])]));
        let o = OLDER;
        assert_eq!(
            patches(replay.owners(b"a", 8)),
            Some(vec![o, o, o, o, 1, o, o, o])
        );
        assert_eq!(patches(replay.owners(b"never seen", 2)), Some(vec![o, o]));
    }

    proptest! {
        /// The definition: keep the lines themselves, each with its owner, and edit the list.
        #[test]
        fn owners_follow_any_edits(edits in prop::collection::vec((0_usize..30, 0_usize..5, 0_usize..5), 1..20)) {
            let mut plain: Vec<u32> = vec![OLDER; 10];
            let mut replay = Replay::over(Base::Something);
            for (number, (at, remove, add)) in edits.iter().enumerate() {
                let at = (*at).min(plain.len());
                let remove = (*remove).min(plain.len() - at);
                if remove + add == 0 {
                    continue;
                }
                plain.splice(at..at + remove, std::iter::repeat_n(number as u32, *add));
                let hunk = Hunk {
                    old_start: if remove == 0 { at } else { at + 1 } as u32,
                    old_lines: remove as u32,
                    new_start: if *add == 0 { at } else { at + 1 } as u32,
                    new_lines: *add as u32,
                };
                replay.apply(number as u32, &patch(vec![change(Some("a"), Some("a"), vec![hunk])]));
            }
            prop_assert_eq!(patches(replay.owners(b"a", plain.len())), Some(plain));
        }
    }
}
