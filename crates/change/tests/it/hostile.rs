//! A checkout is hostile input: nothing in it may run, and nothing in it may stop us.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use solvent_base::{System as _, Timestamp};
use solvent_change::git::{Git, GitError};
use solvent_change::{
    BlameLimits, Limits, Origin, Place, Trees, affected, blame, history, introduced, is_dirty,
    origins, revisions_at,
};

use crate::story::{Commit, NOW, Repository, Story, commit, file, git};

fn limits() -> Limits {
    Limits::standard(Timestamp(NOW * 1000))
}

/// A program that leaves a mark, and the mark.
fn trap(repository: &Repository) -> (String, PathBuf) {
    let mark = repository.beside("ran");
    let program = repository.beside("trap");
    let text = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", mark.display());
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (program.display().to_string(), mark)
}

/// Calls every door.
fn ask_everything(root: &Path) {
    let history = history(root, &limits()).unwrap();
    let head = history.head.unwrap();
    let first = history.line.first().unwrap().id;
    let place = Place {
        path: "a.py".to_owned(),
        line: 1,
    };
    introduced(root, &head, &[place], &BlameLimits::STANDARD).unwrap();
    blame(root, &head, "a.py", &[(1, 1)]).unwrap();
    affected(root, &first, &head).unwrap();
    origins(root, &[head]).unwrap();
    revisions_at(root, 3, Timestamp(NOW * 1000)).unwrap();
    let trees = Trees::open(root, 1 << 20).unwrap();
    let tree = trees.at(&head, Timestamp(NOW * 1000)).unwrap();
    for file in tree.walk().files {
        tree.read(&file.path, 1 << 20).unwrap();
    }
    is_dirty(root, ".solvent").unwrap();
}

fn two_commits() -> Story {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![
            file("a.py", "1\n"),
            file(".gitattributes", "* diff=evil filter=evil merge=evil\n"),
        ],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("a.py", "1\n2\n")],
        ..commit()
    });
    story
}

#[test]
fn no_program_that_a_checkout_names_is_run() {
    let repository = two_commits().done();
    let (program, mark) = trap(&repository);
    for hook in [
        "post-index-change",
        "post-checkout",
        "reference-transaction",
        "fsmonitor-watchman",
    ] {
        let path = repository.path().join(".git/hooks").join(hook);
        std::fs::copy(&program, &path).unwrap();
    }
    for (key, value) in [
        ("core.fsmonitor", program.as_str()),
        ("core.pager", &program),
        ("core.editor", &program),
        ("core.sshCommand", &program),
        ("core.gitProxy", &program),
        ("core.askPass", &program),
        ("core.alternateRefsCommand", &program),
        ("credential.helper", &program),
        ("diff.external", &program),
        ("diff.evil.command", &program),
        ("diff.evil.textconv", &program),
        ("filter.evil.clean", &program),
        ("filter.evil.smudge", &program),
        ("filter.evil.process", &program),
        ("filter.evil.required", "true"),
        ("filter.e=v il.clean", &program),
        ("merge.evil.driver", &program),
        ("gpg.program", &program),
        ("gpg.ssh.program", &program),
        ("log.showSignature", "true"),
        ("pager.log", &program),
        ("pager.blame", &program),
        ("alias.log", &format!("!{program}")),
        ("alias.blame", &format!("!{program}")),
        ("alias.rev-list", &format!("!{program}")),
        ("uploadpack.packObjectsHook", &program),
        ("blame.ignoreRevsFile", "/does/not/exist"),
    ] {
        repository.git(&["config", key, value]);
    }
    std::fs::write(
        repository.path().join(".git/info/attributes"),
        "* diff=evil filter=evil\n",
    )
    .unwrap();
    // Git has to compare content, for which it would run the filter.
    std::fs::write(repository.path().join("a.py"), "1\n3\n").unwrap();
    ask_everything(&repository.path());
    let git = Git::at(&repository.path());
    let copy = format!("--prefix={}/", repository.beside("copy").display());
    let export = git
        .command_on_files(["checkout-index", "--all", "--quiet", &copy])
        .unwrap();
    solvent_change::git::output(export).unwrap();
    let ran = std::fs::read_to_string(&mark).unwrap_or_default();
    assert_eq!(ran, "", "programs of the checkout ran");
    assert_eq!(
        std::fs::read_to_string(repository.beside("copy/a.py")).unwrap(),
        "1\n2\n"
    );
    // The test must be able to fail: plain git does run them.
    let _ = crate::story::git(&repository.path())
        .args(["status"])
        .output();
    let _ = crate::story::git(&repository.path())
        .args(["blame", "a.py"])
        .output();
    assert!(mark.exists(), "the traps do not work");
}

#[test]
fn a_submodules_filters_do_not_run_either() {
    let inner = two_commits().done();
    let repository = two_commits().done();
    let sub = repository.path().join("sub");
    let from = inner.path().display().to_string();
    repository.git(&["submodule", "--quiet", "add", &from, "sub"]);
    repository.git(&["commit", "-qm", "add a submodule"]);
    assert!(!is_dirty(&repository.path(), ".solvent").unwrap());
    let (program, mark) = trap(&repository);
    for (key, value) in [
        ("filter.evil.clean", program.as_str()),
        ("filter.evil.required", "true"),
        ("core.fsmonitor", &program),
    ] {
        let done = git(&sub).args(["config", key, value]).status().unwrap();
        assert!(done.success());
    }
    std::fs::write(sub.join("a.py"), "1\n3\n").unwrap();
    assert!(is_dirty(&repository.path(), ".solvent").unwrap());
    assert!(!mark.exists(), "a filter of the submodule ran");
    let _ = git(&repository.path()).args(["status"]).output();
    assert!(mark.exists(), "the trap does not work");
}

#[test]
fn what_a_partial_clone_lacks_is_not_fetched() {
    let repository = two_commits().done();
    let (program, mark) = trap(&repository);
    let blob = repository.git(&["rev-parse", "HEAD~1:a.py"]);
    for (key, value) in [
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{program}")),
        ("remote.origin.uploadpack", &program),
        ("protocol.ext.allow", "always"),
        ("protocol.allow", "always"),
    ] {
        repository.git(&["config", key, value]);
    }
    let loose = repository
        .path()
        .join(".git/objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    std::fs::remove_file(loose).unwrap();
    let history = history(&repository.path(), &limits()).unwrap();
    assert!(
        !mark.exists(),
        "{}",
        std::fs::read_to_string(&mark).unwrap()
    );
    assert!(history.gaps.iter().any(|gap| gap.why.contains("partial")));
    assert!(history.changes.iter().all(|change| change.size.is_none()));
    let trees = Trees::open(&repository.path(), 1 << 20).unwrap();
    let tree = trees
        .at(&history.line[0].id, Timestamp(NOW * 1000))
        .unwrap();
    let path = solvent_base::FilePath::new("a.py").unwrap();
    assert!(tree.read(&path, 1 << 20).is_err());
    assert!(
        !mark.exists(),
        "{}",
        std::fs::read_to_string(&mark).unwrap()
    );
}

#[test]
fn replaced_and_grafted_histories_are_not_believed() {
    let mut story = Story::new();
    let first = story.then(commit());
    let last = story.then(commit());
    let forged = story.tell(&Commit {
        message: b"aider: all of it\n",
        ..commit()
    });
    let repository = story.done();
    let (first, last, forged) = (
        repository.id(first),
        repository.id(last),
        repository.id(forged),
    );
    repository.git(&["reset", "-q", "--hard", &last.hex()]);
    repository.git(&["replace", &last.hex(), &forged.hex()]);
    std::fs::create_dir_all(repository.path().join(".git/info")).unwrap();
    std::fs::write(
        repository.path().join(".git/info/grafts"),
        format!("{last}\n"),
    )
    .unwrap();
    let history = history(&repository.path(), &limits()).unwrap();
    let ids: Vec<_> = history.changes.iter().map(|c| c.id).collect();
    assert_eq!(ids, [first, last]);
    assert!(history.changes.iter().all(|c| c.origin == Origin::Unknown));
    for word in ["refs/replace", "info/grafts"] {
        assert!(
            history.gaps.iter().any(|gap| gap.what.contains(word)),
            "{word}"
        );
    }
}

#[test]
fn odd_names_and_messages_are_read_as_they_are() {
    let names: [&[u8]; 8] = [
        b"a b.py",
        b"-L1.py",
        b"--help.py",
        b"new\nline.py",
        b"tab\tquote\".py",
        b":(glob)x.py",
        b"1111111111111111111111111111111111111111.py",
        b"caf\xe9.py",
    ];
    let mut story = Story::new();
    let huge: Vec<u8> = std::iter::repeat_n(&b"Co-authored-by: x\n"[..], 400_000)
        .flatten()
        .copied()
        .collect();
    let mut message = b"odd \xff\xfe \x00 message\n".to_vec();
    message.extend(&huge);
    message.extend(b"\nCo-authored-by: Claude <noreply@anthropic.com>\n");
    let message: Vec<u8> = message.into_iter().filter(|b| *b != 0).collect();
    story.then(Commit {
        author: "\u{202e}x; $(y) <z>",
        message: &message,
        files: names
            .iter()
            .map(|name| (*name, "100644", &b"x\n"[..]))
            .collect(),
        ..commit()
    });
    let repository = story.done();
    let history = history(&repository.path(), &limits()).unwrap();
    let change = &history.changes[0];
    assert!(change.origin.is_detected());
    assert_eq!(change.size.as_ref().unwrap().added, names.len() as u64);
    // The one that is not UTF-8 is a gap of the walk.
    assert_eq!(history.alive.lines.detected(), names.len() as u64 - 1);
    let head = history.head.unwrap();
    for name in &names[..7] {
        let path = std::str::from_utf8(name).unwrap();
        let lines = blame(&repository.path(), &head, path, &[(1, 1)]).unwrap();
        assert_eq!(lines[0].then_path, *name);
    }
}

#[test]
fn a_commit_that_is_no_commit_of_gits_is_read_too() {
    let repository = two_commits().done();
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let parent = repository.git(&["rev-parse", "HEAD"]);
    let raw = repository.beside("raw");
    std::fs::write(
        &raw,
        format!("tree {tree}\nparent {parent}\nauthor\ncommitter <<< 99999999999999999999 x\n\n"),
    )
    .unwrap();
    let raw = raw.display().to_string();
    let id = repository.git(&["hash-object", "-t", "commit", "-w", "--literally", &raw]);
    repository.git(&["update-ref", "refs/heads/main", &id]);
    let history = history(&repository.path(), &limits()).unwrap();
    assert_eq!(history.commits, 3);
    assert_eq!(history.changes.len(), 3);
}

#[test]
fn a_repository_that_never_answers_costs_the_time_that_was_given() {
    let repository = two_commits().done();
    let head = repository.git(&["rev-parse", "HEAD"]);
    let loose = repository
        .path()
        .join(".git/objects")
        .join(&head[..2])
        .join(&head[2..]);
    std::fs::remove_file(&loose).unwrap();
    // Opening a pipe nobody writes to waits for ever.
    let made = std::process::Command::new("mkfifo")
        .arg(&loose)
        .status()
        .unwrap();
    assert!(made.success());
    let git = Git::at(&repository.path());
    let command = git.command(["cat-file", "-p", &head]);
    let budget = solvent_change::git::Budget {
        bytes: 1 << 20,
        until: Instant::now() + Duration::from_millis(300),
    };
    let input = solvent_change::git::Input::None;
    let started = Instant::now();
    let end = solvent_change::git::stream(command, input, budget, &mut |_| {
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert!(
        matches!(
            end,
            solvent_change::git::Ended::Broken(GitError::OutOfTime(_))
        ),
        "{end:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn more_than_the_budget_is_not_read() {
    let repository = two_commits().done();
    let git = Git::at(&repository.path());
    let budget = solvent_change::git::Budget {
        bytes: 10,
        until: Instant::now() + Duration::from_secs(60),
    };
    let command = git.command(["log", "-p"]);
    let mut seen = 0;
    let end = solvent_change::git::stream(
        command,
        solvent_change::git::Input::None,
        budget,
        &mut |bytes| {
            seen += bytes.len();
            std::ops::ControlFlow::Continue(())
        },
    );
    let wanted = solvent_change::git::Ended::Broken(GitError::TooLarge(10));
    assert_eq!((end, seen), (Ok(wanted), 0));
}
