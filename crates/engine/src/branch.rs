//! Commits and branches without a checkout: patches become commits by git's own plumbing on an index of
//! their own, so that nothing is left behind when a step is cut off.
//!
//! *Promise: same patch, same commit.* Author, dates and message of every commit made here follow from what
//! it is made of, so a step that is run again after a crash arrives at the commit that is there already.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use solvent_base::Digest;
use solvent_protocol::remediation::{ChangedFile, MAX_PATCH_BYTES};

use crate::error::EngineError;
use crate::repo::{Repo, git, git_bytes, git_on_files, git_out, run_git};

/// Commits of changes are kept below this name, so that git keeps them.
const REFS: &str = "refs/solvent/changes";

/// Names that copies of a tree leave out, so nothing below them is tried.
const UNSEEN: [&str; 9] = [
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    ".venv",
    "node_modules",
    crate::repo::STATE_FOLDER,
    ".tox",
    "pyvenv.cfg",
];

/// The branch that people merge into, and its newest commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// Without `refs/heads/`.
    pub branch: String,
    pub commit: String,
}

/// What is laid upon a base.
#[derive(Clone, Copy, Debug)]
pub enum Patch<'a> {
    /// Whole new contents, by path from the analysed root.
    Files(&'a [(String, Vec<u8>)]),
    /// A unified diff, paths from the repository's root.
    Diff(&'a [u8]),
}

/// A base with a patch upon it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patched {
    /// Git tree.
    pub tree: String,
    /// As git writes it.
    pub diff: String,
    /// `sha256:` of the diff.
    pub digest: Digest,
    /// Paths from the repository's root.
    pub files: Vec<ChangedFile>,
}

/// Who a commit is by, and what it says.
pub struct Words<'a> {
    pub name: &'a str,
    pub message: &'a str,
}

fn failed(what: &str, why: String) -> EngineError {
    EngineError::unfinished(format!("cannot {what}: {why}"), "see git's words above")
}

impl Repo {
    /// The protected branch: the one that the remote calls its own, else `main`, else `master`.
    pub fn base(&self) -> Result<Base, EngineError> {
        if !self.is_git {
            return Err(EngineError::usage(
                "a fix needs a git repository to be made in",
                "run `git init` and commit",
            ));
        }
        let remote = git_out(
            &self.root,
            [
                "symbolic-ref",
                "--quiet",
                "--short",
                "refs/remotes/origin/HEAD",
            ],
        )
        .ok()
        .and_then(|name| name.trim().strip_prefix("origin/").map(str::to_owned));
        let names = remote
            .into_iter()
            .chain(["main".to_owned(), "master".to_owned()]);
        for branch in names {
            if let Some(commit) = self.tip(&branch) {
                return Ok(Base { branch, commit });
            }
        }
        Err(EngineError::usage(
            "this repository has no branch `main` or `master`, and no remote that names another",
            "name the branch that changes are merged into: `git remote set-head origin BRANCH`, or call it `main`",
        ))
    }

    /// The newest commit of a local branch.
    pub fn tip(&self, branch: &str) -> Option<String> {
        self.resolve(&format!("refs/heads/{branch}"))
    }

    /// Full id of the commit that `name` stands for.
    pub fn resolve(&self, name: &str) -> Option<String> {
        let wanted = format!("{name}^{{commit}}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        git_out(&self.root, args)
            .ok()
            .map(|out| out.trim().to_owned())
    }

    /// The content of a file at a commit, path from the repository's root. `None` when it is not there.
    pub fn file_at(&self, commit: &str, path: &str) -> Option<Vec<u8>> {
        let spec = format!("{commit}:{path}");
        git_bytes(&self.root, ["cat-file", "blob", &spec]).ok()
    }

    /// Names of the files below a folder at a commit, from the repository's root, sorted.
    pub fn files_at(&self, commit: &str, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        git_out(
            &self.root,
            [
                "ls-tree",
                "-r",
                "-z",
                "--name-only",
                "--full-tree",
                commit,
                "--",
                &prefix,
            ],
        )
        .unwrap_or_default()
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
    }

    /// Folder of the analysed root below the repository's, empty or with a final slash.
    pub fn prefix(&self) -> String {
        git_out(&self.root, ["rev-parse", "--show-prefix"])
            .unwrap_or_default()
            .trim_end_matches('\n')
            .to_owned()
    }

    /// Lays a patch upon a commit. Nothing of the checkout is read or written.
    pub fn patched(&self, base: &str, patch: Patch<'_>) -> Result<Patched, EngineError> {
        let index = Index::new(self)?;
        index.run(["read-tree", base], None)?;
        match patch {
            Patch::Files(files) => {
                let prefix = self.prefix();
                for (path, content) in files {
                    let path = format!("{prefix}{path}");
                    let mode = self.mode(base, &path);
                    let blob = index.run(
                        ["hash-object", "-w", "--no-filters", "--stdin"],
                        Some(content),
                    )?;
                    let info = format!("{mode},{},{path}", blob.trim());
                    index.run(["update-index", "--add", "--cacheinfo", &info], None)?;
                }
            }
            Patch::Diff(diff) => {
                if diff.len() > MAX_PATCH_BYTES {
                    return Err(EngineError::usage(
                        format!(
                            "the patch has {} KiB, at most {} are taken",
                            diff.len() >> 10,
                            MAX_PATCH_BYTES >> 10
                        ),
                        "propose one root cause at a time",
                    ));
                }
                index
                    .run(
                        ["apply", "--cached", "--whitespace=nowarn", "-"],
                        Some(diff),
                    )
                    .map_err(|e| {
                        EngineError::usage(
                            format!("the patch does not apply to {}: {}", short(base), e.message),
                            "make it with `git diff` upon the protected branch",
                        )
                    })?;
            }
        }
        let tree = index.run(["write-tree"], None)?.trim().to_owned();
        let patched = self.between(base, &tree)?;
        self.all_seen(base, &tree)?;
        Ok(patched)
    }

    /// *Promise: what is merged was tried and read.* A patch that changes what the checks do not look at, or a
    /// person cannot read, is none: links, submodules, binary files, caches, and what lies outside the
    /// analysed folder.
    fn all_seen(&self, base: &str, tree: &str) -> Result<(), EngineError> {
        let prefix = self.prefix();
        let no = |path: &str, what: &str| {
            EngineError::usage(
                format!("the patch changes `{}`, {what}", path.escape_debug()),
                "leave it out; a fix changes text files of the application",
            )
        };
        let raw = git_out(
            &self.root,
            ["diff-tree", "-r", "-z", "--raw", "--no-renames", base, tree],
        )
        .map_err(|e| failed("read the patch", e))?;
        let mut cells = raw.split('\0');
        while let (Some(modes), Some(path)) = (cells.next(), cells.next()) {
            for mode in modes.trim_start_matches(':').split(' ').take(2) {
                match mode {
                    "000000" | "100644" | "100755" => {}
                    "120000" => return Err(no(path, "a link")),
                    _ => return Err(no(path, "a submodule")),
                }
            }
            if !path.starts_with(&prefix) {
                return Err(no(path, "which lies outside the folder that is analysed"));
            }
            if let Some(part) = path.split('/').find(|part| UNSEEN.contains(part)) {
                return Err(no(path, &format!("and the checks do not look at `{part}`")));
            }
        }
        let numbers = [
            "diff-tree",
            "-r",
            "-z",
            "--numstat",
            "--no-renames",
            base,
            tree,
        ];
        let numbers = git_out(&self.root, numbers).map_err(|e| failed("read the patch", e))?;
        match numbers
            .split('\0')
            .find_map(|line| line.strip_prefix("-\t-\t"))
        {
            Some(path) => Err(no(
                path,
                "which is binary: nobody can read what they approve",
            )),
            None => Ok(()),
        }
    }

    /// What lies between a commit and a tree.
    pub fn between(&self, base: &str, tree: &str) -> Result<Patched, EngineError> {
        let options = [
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--no-color",
        ];
        let args = |how: &'static str| {
            let mut args = vec!["diff-tree", "-r", how];
            if how != "-p" {
                args.push("-z");
            }
            args.extend(options);
            args.extend([base, tree]);
            args
        };
        let diff = git_bytes(&self.root, args("-p")).map_err(|e| failed("read the patch", e))?;
        if diff.is_empty() {
            return Err(EngineError::usage(
                "the patch changes nothing",
                "make it upon the protected branch as it is now",
            ));
        }
        let digest = Digest::of(&diff);
        let diff = String::from_utf8(diff).map_err(|_| {
            EngineError::usage(
                "the patch holds text that is not UTF-8",
                "a person must be able to read what they approve; convert the file first",
            )
        })?;
        let numbers =
            git_out(&self.root, args("--numstat")).map_err(|e| failed("read the patch", e))?;
        let states =
            git_out(&self.root, args("--name-status")).map_err(|e| failed("read the patch", e))?;
        let mut files = Vec::new();
        // Unquoted names: every other one of the second list is a name.
        let lines = numbers.split('\0').filter(|line| !line.is_empty());
        for (number, state) in lines.zip(states.split('\0').step_by(2)) {
            let mut cells = number.splitn(3, '\t');
            let count = |text: Option<&str>| text.and_then(|t| t.parse().ok()).unwrap_or(0);
            let (added, removed) = (count(cells.next()), count(cells.next()));
            files.push(ChangedFile {
                path: cells.next().unwrap_or_default().to_owned(),
                how: match state.chars().next() {
                    Some('A') => "added",
                    Some('D') => "removed",
                    _ => "changed",
                }
                .to_owned(),
                added,
                removed,
            });
        }
        Ok(Patched {
            tree: tree.to_owned(),
            diff,
            digest,
            files,
        })
    }

    fn mode(&self, base: &str, path: &str) -> &'static str {
        let line = git_out(&self.root, ["ls-tree", "--full-tree", base, "--", path]);
        if line.is_ok_and(|line| line.starts_with("100755")) {
            "100755"
        } else {
            "100644"
        }
    }

    /// Makes a commit of a tree. Its dates are a second after the newest parent's.
    pub fn commit(
        &self,
        tree: &str,
        parents: &[&str],
        words: &Words<'_>,
    ) -> Result<String, EngineError> {
        let mut newest = 0;
        for parent in parents {
            let args = [
                "show",
                "--no-patch",
                "--no-show-signature",
                "--format=%ct",
                parent,
            ];
            let text = git_out(&self.root, args).map_err(|e| failed("read a commit", e))?;
            newest = newest.max(text.trim().parse::<i64>().unwrap_or(0));
        }
        let date = format!("{} +0000", newest + 1);
        let mut command = git(
            &self.root,
            ["-c", "commit.gpgsign=false", "commit-tree", tree],
        );
        for parent in parents {
            command.args(["-p", parent]);
        }
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), words.name)
                .env(format!("GIT_{who}_EMAIL"), "solvent@localhost")
                .env(format!("GIT_{who}_DATE"), &date);
        }
        command.args(["-m", words.message]);
        run_git(command)
            .map(|out| String::from_utf8_lossy(&out).trim().to_owned())
            .map_err(|e| failed("make a commit", e))
    }

    /// Keeps the commit of a change, so that git does not collect it.
    pub fn keep(&self, change: &str, head: &str) -> Result<(), EngineError> {
        let name = format!("{REFS}/{change}");
        git_out(&self.root, ["update-ref", &name, head])
            .map(drop)
            .map_err(|e| failed("keep the change's commit", e))
    }

    /// The merge commit of a change, made and not yet on any branch.
    pub fn merge_commit(
        &self,
        base: &str,
        head: &str,
        words: &Words<'_>,
    ) -> Result<String, EngineError> {
        let tree = self.tree_of(head)?;
        self.commit(&tree, &[base, head], words)
    }

    /// Git tree of a commit.
    pub fn tree_of(&self, commit: &str) -> Result<String, EngineError> {
        let wanted = format!("{commit}^{{tree}}");
        git_out(
            &self.root,
            ["rev-parse", "--verify", "--end-of-options", &wanted],
        )
        .map(|out| out.trim().to_owned())
        .map_err(|e| failed("read a commit", e))
    }

    /// Whether `commit` is `of` or before it.
    pub fn is_ancestor(&self, commit: &str, of: &str) -> bool {
        git_out(&self.root, ["merge-base", "--is-ancestor", commit, of]).is_ok()
    }

    /// Moves the branch from `base` to `merged` in one step of git's, or not at all. A checkout of that branch
    /// follows; files that a person changed are never overwritten.
    pub fn advance(
        &self,
        branch: &str,
        base: &str,
        merged: &str,
        change: &str,
    ) -> Result<(), EngineError> {
        let checked_out = self.checked_out(branch);
        if checked_out && self.changed_files()? {
            return Err(EngineError::usage(
                format!("`{branch}` is checked out here with changes that are not committed"),
                "commit or stash them, then merge again",
            ));
        }
        if checked_out {
            self.may_follow(base, merged)?;
        }
        let name = format!("refs/heads/{branch}");
        let why = format!("solvent: merge change {change}");
        git_out(&self.root, ["update-ref", "-m", &why, &name, merged, base]).map_err(|e| {
            EngineError::unfinished(
                format!("`{branch}` moved while it was merged: {e}"),
                "make the fix again upon the branch as it is now",
            )
        })?;
        if checked_out {
            self.follow(base, merged)?;
        }
        Ok(())
    }

    /// Brings the checkout of a branch that was moved from `base` to `merged` after it. What is there
    /// already is left as it is, so it may be run again.
    pub fn follow(&self, base: &str, merged: &str) -> Result<(), EngineError> {
        git_on_files(&self.refreshed()?, ["read-tree", "-m", "-u", base, merged])
            .map(drop)
            .map_err(|e| failed("bring the checkout up to the merge", e))
    }

    /// Whether the checkout could follow a move from `base` to `merged`, so that the branch moves with it or
    /// not at all.
    fn may_follow(&self, base: &str, merged: &str) -> Result<(), EngineError> {
        git_on_files(
            &self.refreshed()?,
            ["read-tree", "-m", "-u", "-n", base, merged],
        )
        .map(drop)
        .map_err(|e| {
            EngineError::usage(
                format!("the checkout cannot follow the merge: {e}"),
                "move the files that git names out of the way, then merge again",
            )
        })
    }

    /// The checkout's top folder, its index brought up to files that were touched and not changed: git
    /// takes those for somebody's work otherwise.
    fn refreshed(&self) -> Result<PathBuf, EngineError> {
        let top = git_out(&self.root, ["rev-parse", "--show-toplevel"])
            .map_err(|e| failed("find the checkout", e))?;
        let top = PathBuf::from(top.trim_end_matches('\n'));
        // It fails over files that did change; whether those stand in the way is for the caller's command.
        let _ = git_on_files(&top, ["update-index", "-q", "--refresh"]);
        Ok(top)
    }

    /// Whether this checkout is on `branch`.
    pub fn checked_out(&self, branch: &str) -> bool {
        git_out(&self.root, ["symbolic-ref", "--quiet", "HEAD"])
            .is_ok_and(|head| head.trim() == format!("refs/heads/{branch}"))
    }

    /// Whether the index still holds what `base` holds: a merge was cut off before the checkout followed.
    pub fn left_behind(&self, base: &str) -> bool {
        let tree = git_out(&self.root, ["write-tree"]).map(|out| out.trim().to_owned());
        matches!((tree, self.tree_of(base)), (Ok(index), Ok(base)) if index == base)
    }

    fn changed_files(&self) -> Result<bool, EngineError> {
        git_on_files(
            &self.root,
            ["status", "--porcelain", "--untracked-files=no"],
        )
        .map(|out| !out.trim().is_empty())
        .map_err(|e| failed("read the checkout's state", e))
    }
}

/// First twelve digits.
pub fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

/// An index of our own, in a temporary folder.
struct Index {
    /// The repository's root: git takes paths of patches and of index entries from there.
    top: PathBuf,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Index {
    fn new(repo: &Repo) -> Result<Self, EngineError> {
        let folder = scratch("index")?;
        let top = git_out(&repo.root, ["rev-parse", "--show-toplevel"])
            .map_err(|e| failed("find the repository", e))?;
        Ok(Self {
            top: PathBuf::from(top.trim_end_matches('\n')),
            file: folder.path().join("index"),
            _folder: folder,
        })
    }

    fn run<'b>(
        &self,
        args: impl IntoIterator<Item = &'b str>,
        input: Option<&[u8]>,
    ) -> Result<String, EngineError> {
        let mut command = git(&self.top, args);
        command.env("GIT_INDEX_FILE", &self.file);
        let wrong = |e: String| failed("lay the patch upon the base", e);
        let Some(input) = input else {
            return run_git(command)
                .map(|out| String::from_utf8_lossy(&out).into_owned())
                .map_err(wrong);
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| wrong(e.to_string()))?;
        if let Some(mut pipe) = child.stdin.take() {
            // A program that ends early says why on its own.
            let _ = pipe.write_all(input);
        }
        let output = child.wait_with_output().map_err(|e| wrong(e.to_string()))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(EngineError::unfinished(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                "see git's words above",
            ))
        }
    }
}

/// Start of the names of temporary folders, before the number of the process that made them.
const SCRATCH: &str = "solvent-scratch-";

/// A temporary folder that goes away with its value, or with the next [`sweep`] after a crash.
pub(crate) fn scratch(what: &str) -> Result<tempfile::TempDir, EngineError> {
    tempfile::Builder::new()
        .prefix(&format!("{SCRATCH}{}-{what}-", std::process::id()))
        .tempdir()
        .map_err(|e| {
            EngineError::unfinished(
                format!("cannot make a temporary folder: {e}"),
                "is the disk full?",
            )
        })
}

/// Removes temporary folders of processes that are gone.
pub(crate) fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(SCRATCH))
            .and_then(|rest| rest.split('-').next())
            .and_then(|digits| digits.parse::<u32>().ok());
        let gone = owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        // A link of that name is somebody else's; it is never followed.
        if gone && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::repo::Git;

    fn repo() -> (tempfile::TempDir, Repo) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        fs::write(root.join("app.py"), "flawed\n").expect("a file");
        for args in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A"],
            &[
                "-c",
                "user.name=Ana",
                "-c",
                "user.email=ana@example.org",
                "-c",
                "commit.gpgsign=false",
                "commit",
                "-q",
                "-m",
                "first",
            ],
        ] {
            git_out(root, args.iter().copied()).expect("git runs");
        }
        let repo = Repo::open(root, Git::Required).expect("a repository");
        (dir, repo)
    }

    /// Base, and the merge of a change that repairs `app.py` and adds `test_app.py`.
    fn merge(repo: &Repo) -> (String, String) {
        let base = repo.base().expect("a base").commit;
        let files = [
            ("app.py".to_owned(), b"repaired\n".to_vec()),
            ("test_app.py".to_owned(), b"a test\n".to_vec()),
        ];
        let patched = repo.patched(&base, Patch::Files(&files)).expect("a patch");
        let words = Words {
            name: "ana",
            message: "Repair",
        };
        let head = repo
            .commit(&patched.tree, &[&base], &words)
            .expect("a commit");
        let merged = repo.merge_commit(&base, &head, &words).expect("a merge");
        (base, merged)
    }

    #[test]
    fn a_file_in_the_way_stops_the_merge_before_the_branch_moves() {
        let (dir, repo) = repo();
        let (base, merged) = merge(&repo);
        fs::write(dir.path().join("test_app.py"), "mine\n").expect("a file");
        let error = repo
            .advance("main", &base, &merged, "c")
            .expect_err("refused");
        assert!(error.message.contains("test_app.py"), "{}", error.message);
        assert_eq!(repo.tip("main"), Some(base.clone()));
        let kept = fs::read_to_string(dir.path().join("test_app.py")).expect("kept");
        assert_eq!(kept, "mine\n");
        fs::remove_file(dir.path().join("test_app.py")).expect("removed");
        repo.advance("main", &base, &merged, "c").expect("merged");
        let app = fs::read_to_string(dir.path().join("app.py")).expect("followed");
        assert_eq!(
            (app.as_str(), repo.tip("main")),
            ("repaired\n", Some(merged))
        );
    }

    #[test]
    fn a_branch_that_moved_meanwhile_stays_where_it_is() {
        let (_dir, repo) = repo();
        let (base, merged) = merge(&repo);
        let words = Words {
            name: "ben",
            message: "Meanwhile",
        };
        let tree = repo.tree_of(&base).expect("a tree");
        let other = repo.commit(&tree, &[&base], &words).expect("a commit");
        git_out(&repo.root, ["update-ref", "refs/heads/main", &other]).expect("moved");
        assert!(repo.advance("main", &base, &merged, "c").is_err());
        assert_eq!(repo.tip("main"), Some(other));
    }

    #[test]
    fn the_same_patch_is_the_same_commit() {
        let (_dir, repo) = repo();
        assert_eq!(merge(&repo), merge(&repo));
    }

    #[test]
    fn names_are_told_as_they_are() {
        let (_dir, repo) = repo();
        let base = repo.base().expect("a base").commit;
        let files = [(
            "solvent-policy/\u{e9} \"x\".md".to_owned(),
            b"words\n".to_vec(),
        )];
        let patched = repo.patched(&base, Patch::Files(&files)).expect("a patch");
        assert_eq!(patched.files[0].path, files[0].0);
        assert_eq!(
            (patched.files[0].how.as_str(), patched.files[0].added),
            ("added", 1)
        );
    }
}
