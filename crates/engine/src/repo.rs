//! The tree that is looked at: finding its root, its revision, and copies of it without its secrets.
//!
//! Git is run by `solvent-change`, which keeps a hostile checkout from running anything.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use solvent_change::git::{Git as Program, output};

use crate::error::EngineError;

/// Name of the state folder below the root; never part of what is analysed or attacked.
pub const STATE_FOLDER: &str = ".solvent";

/// Whether a folder has to be a checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Git {
    Required,
    /// A plain folder is taken as it is; its revision is unknown.
    NotNeeded,
}

/// A tree on disk.
#[derive(Clone, Debug)]
pub struct Repo {
    /// Absolute.
    pub root: PathBuf,
    /// Full commit id of HEAD.
    pub revision: Option<String>,
    /// Differs from HEAD.
    pub dirty: bool,
    pub is_git: bool,
}

impl Repo {
    /// Opens the tree at `path`. With [`Git::Required`] a folder that is not a checkout, or one without
    /// a commit, is an error that says what to do.
    pub fn open(path: &Path, git: Git) -> Result<Self, EngineError> {
        let shown = path.display();
        let root = path.canonicalize().map_err(|e| {
            EngineError::usage(
                format!("cannot open `{shown}`: {e}"),
                "give the folder of a repository",
            )
        })?;
        if !root.is_dir() {
            return Err(EngineError::usage(
                format!("`{shown}` is not a folder"),
                "give the folder that holds the repository",
            ));
        }
        let inside = git_out(&root, ["rev-parse", "--is-inside-work-tree"]);
        let is_git = matches!(&inside, Ok(out) if out.trim() == "true");
        if !is_git {
            if git == Git::NotNeeded {
                return Ok(Self {
                    root,
                    revision: None,
                    dirty: false,
                    is_git: false,
                });
            }
            if let Err(message) = &inside
                && message.contains("dubious ownership")
            {
                return Err(EngineError::unfinished(
                    format!("git refuses to read `{shown}`: it belongs to another user"),
                    "run as its owner, or add it to git's `safe.directory` if you trust it",
                ));
            }
            return Err(EngineError::usage(
                format!("`{shown}` is not a git repository"),
                "run `git init` and commit, or add `--no-git` to take the folder as it is, without a revision",
            ));
        }
        let revision = git_out(&root, ["rev-parse", "--verify", "HEAD"])
            .ok()
            .map(|s| s.trim().to_owned());
        if revision.is_none() && git == Git::Required {
            return Err(EngineError::usage(
                format!("`{shown}` is an empty git repository: it has no commit"),
                "commit something first, or add `--no-git` to take the files as they are",
            ));
        }
        let dirty = solvent_change::is_dirty(&root, STATE_FOLDER).unwrap_or(false);
        Ok(Self {
            root,
            revision,
            dirty,
            is_git: true,
        })
    }

    /// Name of the root folder.
    pub fn name(&self) -> String {
        self.root
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or("repository")
            .to_owned()
    }

    /// Writes the tree of `revision` to `into` without touching the checkout, its index or its worktree
    /// list. Returns the full commit id and the folder that corresponds to this root.
    pub fn export_revision(
        &self,
        revision: &str,
        into: &Path,
    ) -> Result<(String, PathBuf), EngineError> {
        if !self.is_git {
            return Err(EngineError::usage(
                "a revision can only be taken from a git repository",
                "leave `--rev` away to use the folder as it is",
            ));
        }
        let wanted = format!("{revision}^{{commit}}");
        let commit = git_out(
            &self.root,
            [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &wanted,
            ],
        )
        .map_err(|_| {
            EngineError::usage(
                format!("no commit `{revision}` in this repository"),
                "see `git log --oneline`",
            )
        })?;
        let commit = commit.trim().to_owned();
        let root = self.export(&commit, into)?;
        Ok((commit, root))
    }

    /// Writes the tree of a commit or tree object to `into`; returns the folder that corresponds to this root.
    pub(crate) fn export(&self, object: &str, into: &Path) -> Result<PathBuf, EngineError> {
        let index = into.with_extension("index");
        let mut prefix = into.as_os_str().to_owned();
        prefix.push("/");
        let failed = |e: String| {
            EngineError::unfinished(
                format!("cannot write the tree of `{object}`: {e}"),
                "is the disk full?",
            )
        };
        fs::create_dir_all(into).map_err(|e| failed(e.to_string()))?;
        let program = Program::at(&self.root);
        let run = |args: &[&OsStr]| -> Result<Vec<u8>, String> {
            let mut command = program
                .command_on_files(args)
                .map_err(|error| error.to_string())?;
            command.env("GIT_INDEX_FILE", &index);
            output(command).map_err(|error| error.to_string())
        };
        let mut into_prefix = OsString::from("--prefix=");
        into_prefix.push(&prefix);
        let result = run(&["read-tree".as_ref(), object.as_ref()]).and_then(|_| {
            run(&[
                "checkout-index".as_ref(),
                "--all".as_ref(),
                "--quiet".as_ref(),
                &into_prefix,
            ])
        });
        let _ = fs::remove_file(&index);
        result.map_err(failed)?;
        let prefix = git_out(&self.root, ["rev-parse", "--show-prefix"]).unwrap_or_default();
        let root = into.join(prefix.trim_end_matches('\n'));
        if !root.is_dir() {
            return Err(EngineError::usage(
                format!("this folder does not exist in `{object}`"),
                "replay from the root of the repository",
            ));
        }
        Ok(root)
    }
}

/// A call of git that reads references, configuration, the index and objects, or writes them.
pub(crate) fn git<'a>(root: &Path, args: impl IntoIterator<Item = &'a str>) -> Command {
    Program::at(root).command(args)
}

pub(crate) fn run_git(command: Command) -> Result<Vec<u8>, String> {
    output(command).map_err(|error| error.to_string())
}

pub(crate) fn git_bytes<'a>(
    root: &Path,
    args: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<u8>, String> {
    run_git(git(root, args))
}

/// A call that reads or writes files of the checkout; none of the checkout's own filters runs.
pub(crate) fn git_on_files<'a>(
    root: &Path,
    args: impl IntoIterator<Item = &'a str>,
) -> Result<String, String> {
    let command = Program::at(root)
        .command_on_files(args)
        .map_err(|error| error.to_string())?;
    run_git(command).map(|out| String::from_utf8_lossy(&out).into_owned())
}

/// Standard output of a git command as text, or its error text.
pub fn git_out<'a>(root: &Path, args: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    solvent_change::git::Git::at(root)
        .text(args)
        .map_err(|error| error.to_string())
}
