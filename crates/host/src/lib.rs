//! The operating system behind System.
//!
//! It does not know about repositories, languages or findings: it walks a folder, reads files below it,
//! tells the time and draws random bytes. Read [`Host`], [`Watcher`] (waiting until something changes).

mod watch;

pub use watch::Watcher;

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;
use solvent_base::system::{SKIPPED_FOLDER_MARKER, SKIPPED_FOLDERS, Stamp};
use solvent_base::{FileEntry, FilePath, Problem, ProblemKind, ReadError, System, Timestamp, Walk};

/// Files that one walk lists. A monorepo of the largest known size has a few million; a generated
/// tree without end stops here, with a problem that says so.
pub const MAX_FILES: usize = 5_000_000;

/// Folders inside folders that are walked. Linux paths end at 4,096 bytes, 2,048 folders of one letter.
const MAX_DEPTH: usize = 2_048;

/// Too many symbolic links, by its number: the standard library's own name for it is not stable yet.
const ELOOP: i32 = 40;

/// A folder of this machine.
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// The folder `root`, links in its own path resolved.
    ///
    /// # Errors
    ///
    /// When it does not exist, is not a folder or may not be entered.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is wrong with a symbolic link, if anything: one that stays inside leads to files that are
    /// walked anyway.
    fn link_problem(&self, link: &Path, path: Option<FilePath>) -> Option<Problem> {
        let problem = |message: String| {
            Some(Problem {
                kind: ProblemKind::Link,
                path: path.clone(),
                span: None,
                message,
            })
        };
        match link.canonicalize() {
            Ok(target) if !target.starts_with(&self.root) => {
                problem("link leads out of the tree and is not followed".into())
            }
            Ok(target) if link.starts_with(&target) => {
                problem("link leads in a circle and is not followed".into())
            }
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                problem("link leads nowhere".into())
            }
            // The kernel gave up after 40 links.
            Err(error) if error.raw_os_error() == Some(ELOOP) => {
                problem("link leads in a circle and is not followed".into())
            }
            Err(error) => problem(format!("link cannot be resolved: {}", words(&error))),
        }
    }

    fn relative(&self, path: &Path) -> Option<FilePath> {
        FilePath::new(path.strip_prefix(&self.root).ok()?.to_str()?)
    }
}

/// Walks everything that may be source.
fn builder(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        // Only what the tree itself says: the same tree gives the same answer on every machine.
        .standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .follow_links(false)
        .max_depth(Some(MAX_DEPTH))
        .filter_entry(|entry| {
            let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let skipped = || {
                entry.depth() > 0
                    && (entry
                        .file_name()
                        .to_str()
                        .is_some_and(|name| SKIPPED_FOLDERS.contains(&name))
                        || entry.path().join(SKIPPED_FOLDER_MARKER).is_file())
            };
            !(folder && skipped())
        });
    builder
}

impl System for Host {
    fn walk(&self) -> Walk {
        let mut walk = Walk::default();
        for entry in builder(&self.root).build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    walk.problems.push(self.walk_problem(&error));
                    continue;
                }
            };
            let Some(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                continue;
            }
            let path = self.relative(entry.path());
            if kind.is_symlink() {
                walk.problems.extend(self.link_problem(entry.path(), path));
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let Some(path) = path else {
                walk.problems.push(Problem {
                    kind: ProblemKind::Unreadable,
                    path: None,
                    span: None,
                    message: format!(
                        "name `{}` is not utf-8; rename the file",
                        entry.file_name().to_string_lossy()
                    ),
                });
                continue;
            };
            if walk.files.len() == MAX_FILES {
                walk.problems.push(Problem {
                    kind: ProblemKind::Limit,
                    path: None,
                    span: None,
                    message: format!("more than {MAX_FILES} files; the rest was not walked"),
                });
                break;
            }
            match entry.metadata() {
                Ok(metadata) => walk.files.push(FileEntry {
                    path,
                    size: metadata.len(),
                    stamp: Some(stamp(&metadata)),
                }),
                Err(error) => walk.problems.push(self.walk_problem(&error)),
            }
        }
        walk.files.sort_by(|a, b| a.path.cmp(&b.path));
        walk.problems.sort();
        walk
    }

    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError> {
        let other = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::NotFound,
            _ => ReadError::Other(words(error)),
        };
        let full = self.root.join(path.as_str());
        // A link may have taken the place of a file or folder since the walk.
        let real = full.canonicalize().map_err(|error| other(&error))?;
        if real != full {
            return Err(ReadError::Other(
                "reached through a link, which is not followed".into(),
            ));
        }
        // Opening a pipe or a device may never return.
        let metadata = full.symlink_metadata().map_err(|error| other(&error))?;
        if !metadata.is_file() {
            return Err(ReadError::Other("not a regular file".into()));
        }
        if metadata.len() > cap {
            return Err(ReadError::TooLarge(metadata.len()));
        }
        let file = File::open(&full).map_err(|error| other(&error))?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        // It may have grown meanwhile.
        file.take(cap.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| other(&error))?;
        if bytes.len() as u64 > cap {
            return Err(ReadError::TooLarge(bytes.len() as u64));
        }
        Ok(bytes)
    }

    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_millis() as i64,
            Err(before) => -(before.duration().as_millis() as i64),
        };
        Timestamp(millis)
    }

    fn random(&self, out: &mut [u8]) {
        // `getrandom(2)` fails only where it does not exist; carrying on without it would make secrets
        // guessable.
        if let Err(error) = getrandom::fill(out) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

impl Host {
    fn walk_problem(&self, error: &ignore::Error) -> Problem {
        let (path, cause) = parts(error);
        let path = path.and_then(|path| self.relative(&path));
        Problem {
            kind: ProblemKind::Unreadable,
            path,
            span: None,
            message: cause,
        }
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
    Stamp {
        device: metadata.dev(),
        number: metadata.ino(),
        size: metadata.len(),
        content_changed: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        status_changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// The path an error is about, and the error in words without it.
fn parts(error: &ignore::Error) -> (Option<PathBuf>, String) {
    match error {
        ignore::Error::WithPath { path, err } => (Some(path.clone()), parts(err).1),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            parts(err)
        }
        ignore::Error::Io(error) => (None, words(error)),
        ignore::Error::Loop { child, .. } => {
            (Some(child.clone()), "folders lead in a circle".into())
        }
        other => (None, other.to_string().to_lowercase()),
    }
}

/// `Permission denied (os error 13)` becomes `permission denied`.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
