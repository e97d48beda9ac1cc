//! The in-memory twin of the operating system.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use solvent_base::system::{SKIPPED_FOLDER_MARKER, SKIPPED_FOLDERS};
use solvent_base::{FileEntry, FilePath, Problem, ReadError, System, Timestamp, Walk};

/// Files in memory, a clock that stands still, random bytes from a seed, and reads that fail on
/// command.
pub struct Memory {
    files: BTreeMap<FilePath, Vec<u8>>,
    failing: BTreeSet<FilePath>,
    problems: Vec<Problem>,
    now: Timestamp,
    random: Mutex<u64>,
}

impl Memory {
    /// Files as pairs of path and content.
    ///
    /// # Panics
    ///
    /// When a path is not one that [`FilePath`] takes.
    pub fn new<'a, C: AsRef<[u8]> + 'a + ?Sized>(
        files: impl IntoIterator<Item = (&'a str, &'a C)>,
    ) -> Self {
        let files = files
            .into_iter()
            .map(|(path, content)| match FilePath::new(path) {
                Some(path) => (path, content.as_ref().to_vec()),
                None => panic!("`{path}` is not a path below a root"),
            })
            .collect();
        Self {
            files,
            failing: BTreeSet::new(),
            problems: Vec::new(),
            // 2026-01-01T00:00:00Z
            now: Timestamp(1_767_225_600_000),
            random: Mutex::new(0),
        }
    }

    /// The same with another clock, in milliseconds since 1970.
    pub fn at(mut self, now: i64) -> Self {
        self.now = Timestamp(now);
        self
    }

    /// The same with other random bytes.
    pub fn seeded(self, seed: u64) -> Self {
        Self {
            random: Mutex::new(seed),
            ..self
        }
    }

    /// The same, but reading `path` fails although walking finds it.
    pub fn failing(mut self, path: &FilePath) -> Self {
        self.failing.insert(path.clone());
        self
    }

    /// The same, with something that walking reports.
    pub fn reporting(mut self, problem: Problem) -> Self {
        self.problems.push(problem);
        self
    }

    fn gitignores(&self) -> Vec<(String, Gitignore)> {
        let mut all = Vec::new();
        for (path, content) in &self.files {
            if path.file_name() != ".gitignore" {
                continue;
            }
            let folder = path.parent().to_owned();
            let mut builder = GitignoreBuilder::new(format!("/{folder}"));
            for line in String::from_utf8_lossy(content).lines() {
                // A line that is not a pattern is no pattern for git either.
                let _ = builder.add_line(None, line);
            }
            if let Ok(gitignore) = builder.build() {
                all.push((folder, gitignore));
            }
        }
        // The innermost file decides.
        all.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        all
    }
}

impl System for Memory {
    fn walk(&self) -> Walk {
        let gitignores = self.gitignores();
        let environments: BTreeSet<&str> = self
            .files
            .keys()
            .filter(|path| path.file_name() == SKIPPED_FOLDER_MARKER)
            .map(FilePath::parent)
            .collect();
        let skipped = |path: &FilePath| {
            let text = path.as_str();
            let mut end = 0;
            while let Some(slash) = text[end..].find('/') {
                let folder = &text[..end + slash];
                let name = folder.rsplit('/').next().unwrap_or(folder);
                if SKIPPED_FOLDERS.contains(&name)
                    || environments.contains(folder)
                    || ignored(&gitignores, folder, Entry::Folder)
                {
                    return true;
                }
                end += slash + 1;
            }
            ignored(&gitignores, text, Entry::File)
        };
        let files = self
            .files
            .iter()
            .filter(|(path, _)| !skipped(path))
            .map(|(path, content)| FileEntry {
                path: path.clone(),
                size: content.len() as u64,
                stamp: None,
            })
            .collect();
        Walk {
            files,
            problems: self.problems.clone(),
        }
    }

    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError> {
        if self.failing.contains(path) {
            return Err(ReadError::Other("input/output error".into()));
        }
        let content = self.files.get(path).ok_or(ReadError::NotFound)?;
        if content.len() as u64 > cap {
            return Err(ReadError::TooLarge(content.len() as u64));
        }
        Ok(content.clone())
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    /// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): not for secrets, which is why it lives here.
    fn random(&self, out: &mut [u8]) {
        let mut state = self
            .random
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in out.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    File,
    Folder,
}

fn ignored(gitignores: &[(String, Gitignore)], path: &str, entry: Entry) -> bool {
    for (folder, gitignore) in gitignores {
        let inside = folder.is_empty()
            || path
                .strip_prefix(folder.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
        if !inside {
            continue;
        }
        let found = gitignore.matched(format!("/{path}"), entry == Entry::Folder);
        if !found.is_none() {
            return found.is_ignore();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn it_behaves_like_a_system() {
        conformance::system(|files| Memory::new(files.iter().map(|(p, c)| (*p, *c))));
    }

    #[test]
    fn reads_fail_on_command_and_the_clock_stands_still() {
        let Some(path) = FilePath::new("a.py") else {
            panic!("path")
        };
        let memory = Memory::new([("a.py", "x = 1")]).failing(&path).at(7);
        assert_eq!(memory.walk().files.len(), 1);
        assert!(matches!(memory.read(&path, 100), Err(ReadError::Other(_))));
        assert_eq!((memory.now(), memory.now()), (Timestamp(7), Timestamp(7)));
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let memory = Memory::new::<str>([]).seeded(seed);
            let mut out = [0_u8; 20];
            memory.random(&mut out);
            out
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
