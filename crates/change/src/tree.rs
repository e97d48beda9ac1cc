//! The files of a revision without a checkout.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use solvent_base::system::{SKIPPED_FOLDER_MARKER, SKIPPED_FOLDERS};
use solvent_base::{FileEntry, FilePath, Problem, ProblemKind, ReadError, System, Timestamp, Walk};

use crate::error::ChangeError;
use crate::git::{Git, GitError};
use crate::id::ObjectId;
use crate::objects::{Kind, Object, Objects};

/// Programs that read objects, so that several threads can ask.
const READERS: usize = 2;

/// Files that one tree may list, as in a walk of a folder.
const MAX_FILES: usize = 5_000_000;

/// Bytes of an ignore file that are read.
const MAX_IGNORE: u64 = 1 << 20;

/// Links that lead to links.
const MAX_LINKS: usize = 40;

/// Trees of one repository. Content that was read once is kept by its name while its tree or the next
/// one is in use, so that files which stay the same from revision to revision are read once.
pub struct Trees {
    git: Git,
    readers: Vec<Mutex<Option<Objects>>>,
    kept: Mutex<Kept>,
}

struct Kept {
    blobs: HashMap<ObjectId, Arc<[u8]>>,
    bytes: usize,
    cap: usize,
    /// Names in the latest two trees.
    used: [HashSet<ObjectId>; 2],
    missing: HashSet<ObjectId>,
}

impl Trees {
    /// Keeps at most `cap` bytes of content.
    ///
    /// # Errors
    ///
    /// When git cannot be started.
    pub fn open(root: &Path, cap: usize) -> Result<Self, ChangeError> {
        let git = Git::at(root);
        let readers = (0..READERS).map(|_| Mutex::new(None)).collect();
        Ok(Self {
            git,
            readers,
            kept: Mutex::new(Kept {
                blobs: HashMap::new(),
                bytes: 0,
                cap,
                used: [HashSet::new(), HashSet::new()],
                missing: HashSet::new(),
            }),
        })
    }

    /// The tree of `commit`, as seen from the root that was opened. `now` is what its clock says: a scan
    /// of an old revision happens today.
    ///
    /// # Errors
    ///
    /// When there is no such commit, it has no such folder, or its tree cannot be listed.
    pub fn at(&self, commit: &ObjectId, now: Timestamp) -> Result<Tree<'_>, ChangeError> {
        let listed = self.list(commit)?;
        let mut entries = BTreeMap::new();
        let mut others = Vec::new();
        let mut problems = Vec::new();
        let mut names = HashSet::new();
        for entry in listed.split(|b| *b == 0).filter(|e| !e.is_empty()) {
            let Some(entry) = listed_entry(entry) else {
                return Err(GitError::Unexpected("line of a tree".to_owned()).into());
            };
            let path = std::str::from_utf8(entry.path).ok().and_then(FilePath::new);
            let Some(path) = path else {
                let shown = String::from_utf8_lossy(entry.path);
                problems.push(problem(
                    ProblemKind::Unreadable,
                    None,
                    format!("name `{shown}` is not utf-8; rename the file"),
                ));
                continue;
            };
            if entries.len() == MAX_FILES {
                problems.push(problem(
                    ProblemKind::Limit,
                    None,
                    format!("more than {MAX_FILES} files; the rest was not listed"),
                ));
                break;
            }
            match entry.mode {
                "100644" | "100755" | "100664" => {
                    names.insert(entry.id);
                    entries.insert(
                        path,
                        Entry {
                            id: entry.id,
                            size: entry.size,
                        },
                    );
                }
                "120000" => others.push((path, Other::Link(entry.id))),
                _ => others.push((path, Other::Repository)),
            }
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.turn(names);
        drop(kept);
        Ok(Tree {
            trees: self,
            commit: *commit,
            entries,
            others,
            problems,
            now,
        })
    }

    fn list(&self, commit: &ObjectId) -> Result<Vec<u8>, ChangeError> {
        let git = &self.git;
        let prefix = git.text(["rev-parse", "--show-prefix"])?;
        let prefix = prefix.trim_end_matches('\n');
        let known = format!("{commit}^{{commit}}");
        git.output([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &known,
        ])
        .map_err(|_| ChangeError::NoSuchRevision(commit.hex()))?;
        // Sizes would be asked for object by object, and in a partial clone fetched: only names of
        // what is missing are wanted then.
        if partial(git) {
            let tree = format!("{commit}^{{tree}}");
            let listed = git.text([
                "rev-list",
                "--objects",
                "--missing=print",
                "--no-object-names",
                "--end-of-options",
                &tree,
            ])?;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.missing.extend(
                listed
                    .lines()
                    .filter_map(|l| ObjectId::parse(l.strip_prefix('?')?)),
            );
            let tree = format!("{commit}:{prefix}");
            return Ok(git.output(["ls-tree", "-r", "-z", "--full-tree", &tree])?);
        }
        let tree = format!("{commit}:{prefix}");
        Ok(git.output(["ls-tree", "-r", "-z", "-l", "--full-tree", &tree])?)
    }

    /// Content by name.
    fn blob(&self, id: &ObjectId, cap: u64) -> Result<Arc<[u8]>, ReadError> {
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = kept.blobs.get(id) {
                return if bytes.len() as u64 > cap {
                    Err(ReadError::TooLarge(bytes.len() as u64))
                } else {
                    Ok(bytes.clone())
                };
            }
            if kept.missing.contains(id) {
                return Err(absent());
            }
        }
        match self
            .fetch(id, cap)
            .map_err(|e| ReadError::Other(e.to_string()))?
        {
            Object::Found {
                kind: Kind::Blob,
                bytes,
            } => {
                let bytes: Arc<[u8]> = bytes.into();
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.add(*id, &bytes);
                Ok(bytes)
            }
            Object::TooLarge(size) => Err(ReadError::TooLarge(size)),
            Object::Missing | Object::Found { .. } => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.missing.insert(*id);
                Err(absent())
            }
        }
    }

    fn fetch(&self, id: &ObjectId, cap: u64) -> Result<Object, GitError> {
        // The first that is free, else wait for one that depends on what is asked for.
        let free = self.readers.iter().find_map(|r| r.try_lock().ok());
        let mut reader = match free {
            Some(reader) => reader,
            None => {
                let which = id
                    .hex()
                    .as_bytes()
                    .iter()
                    .map(|b| usize::from(*b))
                    .sum::<usize>();
                self.readers[which % READERS]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
            }
        };
        if reader.is_none() {
            *reader = Some(Objects::open(&self.git)?);
        }
        let answer = match reader.as_mut() {
            Some(objects) => objects.read(id, cap),
            None => Err(GitError::Failed("git is not open".to_owned())),
        };
        if answer.is_err() {
            // The next question gets a fresh program.
            *reader = None;
        }
        answer
    }
}

impl Kept {
    /// Another tree is used now: what neither it nor the one before has is let go.
    fn turn(&mut self, names: HashSet<ObjectId>) {
        self.used.swap(0, 1);
        self.used[1] = names;
        let used = &self.used;
        let bytes = &mut self.bytes;
        self.blobs.retain(|id, blob| {
            let keep = used.iter().any(|names| names.contains(id));
            if !keep {
                *bytes -= blob.len();
            }
            keep
        });
    }

    fn add(&mut self, id: ObjectId, bytes: &Arc<[u8]>) {
        if self.bytes + bytes.len() <= self.cap && self.blobs.insert(id, bytes.clone()).is_none() {
            self.bytes += bytes.len();
        }
    }
}

fn absent() -> ReadError {
    ReadError::Other(
        "its content is not in this clone; fetch it, or clone without a filter".to_owned(),
    )
}

/// Whether the clone left objects away that it could fetch.
pub(crate) fn partial(git: &Git) -> bool {
    git.output([
        "config",
        "--get-regexp",
        r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$",
    ])
    .is_ok_and(|out| !out.is_empty())
}

struct Listed<'a> {
    mode: &'a str,
    id: ObjectId,
    size: u64,
    path: &'a [u8],
}

/// `100644 blob <name>    <size>\t<path>`; without sizes the size is 0.
fn listed_entry(entry: &[u8]) -> Option<Listed<'_>> {
    let tab = entry.iter().position(|b| *b == b'\t')?;
    let (head, path) = (std::str::from_utf8(&entry[..tab]).ok()?, &entry[tab + 1..]);
    let mut words = head.split_ascii_whitespace();
    let mode = words.next()?;
    let _ = words.next()?;
    let id = ObjectId::parse(words.next()?)?;
    // `-` for what is no file, `BAD` for what is missing.
    let size = words.next().and_then(|s| s.parse().ok()).unwrap_or(0);
    Some(Listed {
        mode,
        id,
        size,
        path,
    })
}

fn problem(kind: ProblemKind, path: Option<FilePath>, message: String) -> Problem {
    Problem {
        kind,
        path,
        span: None,
        message,
    }
}

#[derive(Clone, Copy)]
struct Entry {
    id: ObjectId,
    size: u64,
}

enum Other {
    Link(ObjectId),
    Repository,
}

/// One revision's files. Walks and reads as `Host` does over a checkout of it: the same files are left
/// out, links are not followed.
pub struct Tree<'a> {
    trees: &'a Trees,
    commit: ObjectId,
    entries: BTreeMap<FilePath, Entry>,
    others: Vec<(FilePath, Other)>,
    problems: Vec<Problem>,
    now: Timestamp,
}

impl Tree<'_> {
    pub fn commit(&self) -> &ObjectId {
        &self.commit
    }

    /// The name of a file's content: equal names are equal bytes, in whatever revision.
    pub fn content(&self, path: &FilePath) -> Option<ObjectId> {
        self.entries.get(path).map(|entry| entry.id)
    }

    fn ignores(&self) -> (Vec<(String, Gitignore)>, Vec<Problem>) {
        let mut all = Vec::new();
        let mut problems = Vec::new();
        for (path, entry) in &self.entries {
            if path.file_name() != ".gitignore" {
                continue;
            }
            let text = match self.trees.blob(&entry.id, MAX_IGNORE) {
                Ok(text) => text,
                Err(error) => {
                    problems.push(problem(
                        ProblemKind::Unreadable,
                        Some(path.clone()),
                        match error {
                            ReadError::Other(words) => words,
                            ReadError::NotFound | ReadError::TooLarge(_) => {
                                "too large for an ignore file".to_owned()
                            }
                        },
                    ));
                    continue;
                }
            };
            let folder = path.parent().to_owned();
            let mut builder = GitignoreBuilder::new(format!("/{folder}"));
            for line in String::from_utf8_lossy(&text).lines() {
                // A line that is not a pattern is no pattern for git either.
                let _ = builder.add_line(None, line);
            }
            if let Ok(ignore) = builder.build() {
                all.push((folder, ignore));
            }
        }
        // The innermost file decides.
        all.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        (all, problems)
    }

    /// What is wrong with a link, if anything.
    fn link_problem(
        &self,
        path: &FilePath,
        id: &ObjectId,
        links: &HashMap<&str, ObjectId>,
    ) -> Option<Problem> {
        let message = match self.resolve(path, id, links) {
            Ok(()) => return None,
            Err(words) => words,
        };
        Some(problem(
            ProblemKind::Link,
            Some(path.clone()),
            message.to_owned(),
        ))
    }

    fn resolve(
        &self,
        path: &FilePath,
        id: &ObjectId,
        links: &HashMap<&str, ObjectId>,
    ) -> Result<(), &'static str> {
        const OUT: &str = "link leads out of the tree and is not followed";
        const CIRCLE: &str = "link leads in a circle and is not followed";
        let mut at = path.as_str().to_owned();
        let mut id = *id;
        for _ in 0..MAX_LINKS {
            let target = self
                .trees
                .blob(&id, 4_096)
                .map_err(|_| "link cannot be resolved: its content is not readable")?;
            let target = String::from_utf8_lossy(&target).into_owned();
            if target.starts_with('/') {
                return Err(OUT);
            }
            let mut parts: Vec<&str> = at.split('/').collect();
            parts.pop();
            for part in target.split('/') {
                match part {
                    "" | "." => {}
                    ".." => {
                        if parts.pop().is_none() {
                            return Err(OUT);
                        }
                    }
                    part => parts.push(part),
                }
            }
            let joined = parts.join("/");
            let up = format!("{joined}/");
            if joined.is_empty() || path.as_str().starts_with(&up) {
                return Err(CIRCLE);
            }
            match links.get(joined.as_str()) {
                Some(next) => {
                    id = *next;
                    at = joined;
                }
                None => {
                    let there = FilePath::new(&joined).is_some_and(|p| {
                        self.entries.contains_key(&p)
                            || self
                                .entries
                                .range(p.clone()..)
                                .take_while(|(k, _)| k.as_str().starts_with(&joined))
                                .any(|(k, _)| k.as_str().starts_with(&up))
                    });
                    return if there {
                        Ok(())
                    } else {
                        Err("link leads nowhere")
                    };
                }
            }
        }
        Err(CIRCLE)
    }
}

impl System for Tree<'_> {
    fn walk(&self) -> Walk {
        let (ignores, mut problems) = self.ignores();
        let environments: HashSet<&str> = self
            .entries
            .keys()
            .filter(|path| path.file_name() == SKIPPED_FOLDER_MARKER)
            .map(FilePath::parent)
            .collect();
        // Files come in path order: what is known of a folder serves all files in it.
        let mut folders: HashMap<String, bool> = HashMap::new();
        let mut skipped = |path: &FilePath| {
            let text = path.as_str();
            let mut end = 0;
            while let Some(slash) = text[end..].find('/') {
                let folder = &text[..end + slash];
                let skip = match folders.get(folder) {
                    Some(skip) => *skip,
                    None => {
                        let name = folder.rsplit('/').next().unwrap_or(folder);
                        let skip = SKIPPED_FOLDERS.contains(&name)
                            || environments.contains(folder)
                            || ignored(&ignores, folder, Sort::Folder);
                        folders.insert(folder.to_owned(), skip);
                        skip
                    }
                };
                if skip {
                    return true;
                }
                end += slash + 1;
            }
            ignored(&ignores, text, Sort::File)
        };
        let files = self
            .entries
            .iter()
            .filter(|(path, _)| !skipped(path))
            .map(|(path, entry)| FileEntry {
                path: path.clone(),
                size: entry.size,
                stamp: None,
            })
            .collect();
        problems.extend(self.problems.iter().cloned());
        let links: HashMap<&str, ObjectId> = self
            .others
            .iter()
            .filter_map(|(path, other)| match other {
                Other::Link(id) => Some((path.as_str(), *id)),
                Other::Repository => None,
            })
            .collect();
        for (path, other) in &self.others {
            if skipped(path) {
                continue;
            }
            match other {
                Other::Link(id) => problems.extend(self.link_problem(path, id, &links)),
                Other::Repository => problems.push(problem(
                    ProblemKind::Unreadable,
                    Some(path.clone()),
                    "is another repository (a submodule), whose files are not in this one"
                        .to_owned(),
                )),
            }
        }
        problems.sort();
        Walk { files, problems }
    }

    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError> {
        let Some(entry) = self.entries.get(path) else {
            let link = self.others.iter().any(|(other, _)| other == path);
            return Err(if link {
                ReadError::Other("not a regular file".to_owned())
            } else {
                ReadError::NotFound
            });
        };
        if entry.size > cap {
            return Err(ReadError::TooLarge(entry.size));
        }
        self.trees.blob(&entry.id, cap).map(|bytes| bytes.to_vec())
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn random(&self, out: &mut [u8]) {
        // As in `Host`: carrying on without it would make secrets guessable.
        if let Err(error) = getrandom::fill(out) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    File,
    Folder,
}

fn ignored(ignores: &[(String, Gitignore)], path: &str, sort: Sort) -> bool {
    for (folder, ignore) in ignores {
        let inside = folder.is_empty()
            || path
                .strip_prefix(folder.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
        if !inside {
            continue;
        }
        let matched = ignore.matched(format!("/{path}"), sort == Sort::Folder);
        if matched.is_ignore() {
            return true;
        }
        if matched.is_whitelist() {
            return false;
        }
    }
    false
}
