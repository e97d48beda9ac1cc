//! Which commit the default branch stood at, and whether a checkout differs from it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use solvent_base::Timestamp;
use solvent_base::system::{PAGE_HEAD, is_own_page};

use crate::error::ChangeError;
use crate::git::{Git, GitError, output};
use crate::history::{Limits, Step, line};
use crate::id::ObjectId;
use crate::month::Month;

/// Submodules inside submodules that are looked into.
const MAX_DEPTH: usize = 8;

/// Submodules of one repository that are looked into.
const MAX_MODULES: usize = 1_000;

/// Where the default branch stood when a month ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonthEnd {
    pub month: Month,
    pub at: At,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum At {
    Commit(ObjectId),
    /// The repository had no commit yet.
    NotStarted,
    /// With the reason.
    Unmeasured(String),
}

/// The commit of the default branch (first parents of HEAD, by committer time made to never decrease) at
/// the end of each of the last `months` full months, and of HEAD for the current one; oldest first.
///
/// # Errors
///
/// When git is not there or HEAD's commits cannot be listed.
pub fn revisions_at(
    root: &Path,
    months: u32,
    now: Timestamp,
) -> Result<Vec<MonthEnd>, ChangeError> {
    let limits = Limits {
        now,
        months,
        changes: 0,
        time: Duration::from_secs(60),
    };
    let steps = line(root, &limits)?;
    Ok(ends(&steps, months, now))
}

/// The same from a line that was read already.
pub(crate) fn ends(steps: &[Step], months: u32, now: Timestamp) -> Vec<MonthEnd> {
    let last = Month::of(now);
    let back = i32::try_from(months).unwrap_or(1_200).min(1_200);
    (0..=back)
        .map(|n| {
            let month = last.plus(n - back);
            let until = if month == last {
                steps.len()
            } else {
                steps.partition_point(|step| step.time < month.end())
            };
            let at = match (until.checked_sub(1), steps.first()) {
                (Some(step), _) => At::Commit(steps[step].id),
                (None, Some(first)) if first.end => At::Unmeasured(
                    "the clone is shallow and ends later; run `git fetch --unshallow`".to_owned(),
                ),
                (None, _) => At::NotStarted,
            };
            MonthEnd { month, at }
        })
        .collect()
}

/// The full name of a commit.
///
/// # Errors
///
/// When there is none of this name.
pub fn resolve(root: &Path, revision: &str) -> Result<ObjectId, ChangeError> {
    let wanted = format!("{revision}^{{commit}}");
    let out = Git::at(root).text([
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &wanted,
    ]);
    match out {
        Ok(out) => ObjectId::parse(out.trim())
            .ok_or_else(|| ChangeError::NoSuchRevision(revision.to_owned())),
        Err(GitError::Failed(_)) => Err(ChangeError::NoSuchRevision(revision.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// Whether files below `root` differ from its commit, or are new, other than below `state_folder`. A page that
/// Solvent wrote there is no change, new or in place of an older one.
///
/// Git would ask each submodule by starting itself inside it, where the submodule's own configuration
/// can name filters: they are asked one by one here, with the same care.
///
/// # Errors
///
/// When git fails.
pub fn is_dirty(root: &Path, state_folder: &str) -> Result<bool, GitError> {
    dirty(root, state_folder, 0)
}

fn dirty(root: &Path, state_folder: &str, depth: usize) -> Result<bool, GitError> {
    let git = Git::at(root);
    let status = output(git.command_on_files([
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=dirty",
        "--",
        ".",
    ])?)?;
    // Paths are those of the whole repository.
    let prefix = git.text(["rev-parse", "--show-prefix"])?;
    let prefix = prefix.trim_end_matches('\n');
    let mut entries = status.split(|b| *b == 0).filter(|e| !e.is_empty());
    let mut changed = false;
    while let Some(entry) = entries.next() {
        let (code, path) = entry.split_at(entry.len().min(3));
        if code.iter().any(|c| matches!(c, b'R' | b'C')) {
            // The name before.
            entries.next();
        }
        let path = std::str::from_utf8(path).ok();
        let path = path.map(|path| path.strip_prefix(prefix).unwrap_or(path));
        let ours = path.is_some_and(|path| {
            path.starts_with(state_folder) || written(&git, code, path, prefix)
        });
        if !ours {
            changed = true;
            break;
        }
    }
    if changed || depth == MAX_DEPTH {
        return Ok(changed);
    }
    let listed = git.output(["ls-files", "-z", "--stage", "--", "."])?;
    let modules = listed
        .split(|b| *b == 0)
        .filter(|entry| entry.starts_with(b"160000 "))
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('\t'))
        .take(MAX_MODULES);
    for (_, path) in modules {
        let folder = root.join(path);
        // Without its own repository git would find the one above again.
        let own = folder.join(".git").symlink_metadata().is_ok();
        let inside = folder
            .canonicalize()
            .is_ok_and(|real| root.canonicalize().is_ok_and(|root| real.starts_with(root)));
        if own && inside && dirty(&folder, state_folder, depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what git lists with `code` is nothing but pages that Solvent wrote. `path` is from the root of `git`.
fn written(git: &Git, code: &[u8], path: &str, prefix: &str) -> bool {
    match code {
        b"?? " if path.ends_with('/') => {
            let literal = format!(":(literal){path}");
            let listed = git.output([
                "ls-files",
                "-z",
                "--others",
                "--exclude-standard",
                "--",
                &literal,
            ]);
            listed.is_ok_and(|listed| {
                let files: Vec<&[u8]> = listed
                    .split(|b| *b == 0)
                    .filter(|f| !f.is_empty())
                    .collect();
                !files.is_empty()
                    && files
                        .iter()
                        .all(|file| std::str::from_utf8(file).is_ok_and(|file| page(git, file)))
            })
        }
        b"?? " | b"A  " | b"AM " => page(git, path),
        b" M " | b"M  " | b"MM " => {
            page(git, path) && {
                let before = format!("HEAD:{prefix}{path}");
                git.output(["cat-file", "blob", &before])
                    .is_ok_and(|bytes| is_own_page(&bytes))
            }
        }
        _ => false,
    }
}

fn page(git: &Git, path: &str) -> bool {
    let path = git.root().join(path);
    let regular = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
    let mut start = Vec::new();
    regular
        && File::open(path)
            .and_then(|file| file.take(PAGE_HEAD as u64).read_to_end(&mut start))
            .is_ok()
        && is_own_page(&start)
}
