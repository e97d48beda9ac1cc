//! The patches of many commits: `git diff-tree --stdin` on several processors, going on behind commits
//! whose objects are missing.

use std::ops::ControlFlow;
use std::thread;
use std::time::Instant;

use crate::git::{Budget, Ended, Git, GitError, Input, stream};
use crate::id::ObjectId;
use crate::patch::{Patch, PatchReader};
use crate::suppression::{Counts, Suppressions};

/// Programs at a time: reading is mostly decompression and comparing.
const WORKERS: usize = 2;

/// Commits that may fail before the rest is given up: a partial clone without any file content fails at
/// every one.
const MAX_FAILURES: usize = 64;

/// Output of one program: 2 GiB is a history of forty million changed lines.
const MAX_OUTPUT: u64 = 2 << 30;

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Comparison {
    pub commit: ObjectId,
    /// The commit it is compared with; nothing for a commit without parents.
    pub parent: Option<ObjectId>,
}

/// What a comparison showed.
#[derive(Debug)]
pub(crate) enum Shown {
    Patch {
        patch: Patch,
        suppressions: Counts,
    },
    /// Objects are missing, in git's words.
    Failed(String),
    /// Time or output ran out before.
    NotReached(GitError),
}

/// Compares the code of all, answers in the same order.
pub(crate) fn compare(git: &Git, all: &[Comparison], until: Instant) -> Vec<Shown> {
    let size = all.len().div_ceil(WORKERS).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = all
            .chunks(size)
            .map(|chunk| (chunk, scope.spawn(move || work(git, chunk, until))))
            .collect();
        workers
            .into_iter()
            .flat_map(|(chunk, worker)| {
                worker.join().unwrap_or_else(|_| {
                    let lost = || GitError::Unexpected("a worker ended early".to_owned());
                    chunk.iter().map(|_| Shown::NotReached(lost())).collect()
                })
            })
            .collect()
    })
}

fn work(git: &Git, all: &[Comparison], until: Instant) -> Vec<Shown> {
    let mut shown = Vec::with_capacity(all.len());
    let mut failures = 0;
    let mut alone = false;
    while shown.len() < all.len() {
        let rest = &all[shown.len()..];
        let asked = if alone { &rest[..1] } else { rest };
        let (mut patches, end) = run(git, asked, until);
        let whole = matches!(end, Ok(Ended::Whole));
        if !whole && !alone {
            // The last one may be half. It is asked for again by itself.
            patches.pop();
        }
        if whole || !alone {
            shown.extend(patches);
        }
        if whole {
            // Every name that was asked for is answered: fewer would go round for ever.
            let expected = all.len() - rest.len() + asked.len();
            while shown.len() < expected {
                shown.push(Shown::Failed("git did not answer".to_owned()));
            }
            alone = false;
            continue;
        }
        let error = match end {
            Ok(Ended::Broken(error)) | Err(error) => error,
            Ok(Ended::Whole | Ended::Stopped) => GitError::Unexpected("an early end".to_owned()),
        };
        match error {
            GitError::Failed(words) if failures < MAX_FAILURES => {
                if alone {
                    failures += 1;
                    shown.push(Shown::Failed(words));
                }
                alone = !alone;
            }
            error => {
                while shown.len() < all.len() {
                    shown.push(Shown::NotReached(error.clone()));
                }
            }
        }
    }
    shown
}

fn run(git: &Git, all: &[Comparison], until: Instant) -> (Vec<Shown>, Result<Ended, GitError>) {
    let mut input = Vec::with_capacity(all.len() * 82);
    for comparison in all {
        input.extend_from_slice(comparison.commit.hex().as_bytes());
        if let Some(parent) = comparison.parent {
            input.push(b' ');
            input.extend_from_slice(parent.hex().as_bytes());
        }
        input.push(b'\n');
    }
    let mut command = git.command_on_objects(DIFF_TREE);
    // Attributes of the checkout could call its code binary and hide it: all of it is text.
    command.args([
        "--text",
        "--stdin",
        "--always",
        "--root",
        "-w",
        "--relative",
        "--",
    ]);
    command.args(crate::code::pathspecs());
    let suppressions = Suppressions::builtin();
    // Two commits are open at a time: the one being read, whose lines are counted here, and none other.
    let counts = std::cell::RefCell::new(Counts::new());
    let mut reader = PatchReader::new(|line: &[u8]| {
        suppressions.line(line, &mut counts.borrow_mut());
    });
    let mut shown: Vec<Shown> = Vec::new();
    let budget = Budget {
        bytes: MAX_OUTPUT,
        until,
    };
    let end = stream(command, Input::Bytes(input), budget, &mut |bytes| {
        // Commit by commit, so that what was counted belongs to the one that ended.
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            reader.push(piece);
            for patch in reader.drain() {
                shown.push(Shown::Patch {
                    patch,
                    suppressions: std::mem::take(&mut counts.borrow_mut()),
                });
            }
        }
        ControlFlow::Continue(())
    });
    for patch in reader.finish() {
        shown.push(Shown::Patch {
            patch,
            suppressions: std::mem::take(&mut counts.borrow_mut()),
        });
    }
    (shown, end)
}

/// A comparison of trees that runs nothing of the repository's and does not depend on its settings.
/// Renames are looked for among at most 400 files a side: pairs grow with the square.
pub(crate) const DIFF_TREE: [&str; 14] = [
    "diff-tree",
    "-r",
    "-p",
    "-U0",
    "-M",
    "-l400",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--full-index",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--ignore-submodules=all",
    "--diff-algorithm=myers",
];
