//! A revision's files, read as a checkout of it would be.

use solvent_base::{FilePath, ReadError, System, Timestamp};
use solvent_change::{At, Month, Tree, Trees, revisions_at};
use solvent_host::Host;
use solvent_testkit::conformance;

use crate::story::{Commit, DAY, NOW, Repository, Story, commit, file};

fn open(repository: &Repository) -> Tree<'static> {
    let trees = Trees::open(&repository.path(), 64 << 20).unwrap();
    let head = solvent_change::resolve(&repository.path(), "HEAD").unwrap();
    // The suite wants systems that own themselves; a test may leak.
    let trees: &'static Trees = Box::leak(Box::new(trees));
    trees.at(&head, Timestamp(NOW * 1000)).unwrap()
}

fn path(text: &str) -> FilePath {
    FilePath::new(text).unwrap()
}

#[test]
fn it_behaves_like_a_system() {
    let kept = std::cell::RefCell::new(Vec::new());
    conformance::system(|files| {
        let mut story = Story::new();
        story.then(Commit {
            // Git has no files of this name.
            files: files
                .iter()
                .filter(|(path, _)| !path.starts_with(".git/"))
                .map(|(path, content)| (path.as_bytes(), "100644", *content))
                .collect(),
            ..commit()
        });
        let repository = story.done();
        let tree = open(&repository);
        kept.borrow_mut().push(repository);
        tree
    });
}

#[test]
fn a_tree_is_what_its_checkout_is() {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![
            file("app/a.py", "a\n"),
            file("app/b.py", "b\n"),
            file("app-2/c.py", "c\n"),
            file("ignored.py", "i\n"),
            file(".gitignore", "ignored.py\n"),
            file("env/pyvenv.cfg", ""),
            file("env/x.py", ""),
            (b"good", "120000", b"app/a.py"),
            (b"folder", "120000", b"app"),
            (b"app/up", "120000", b"../app-2"),
            (b"out", "120000", b"../.."),
            (b"absolute", "120000", b"/etc/passwd"),
            (b"nowhere", "120000", b"app/missing.py"),
            (b"loop-a", "120000", b"loop-b"),
            (b"loop-b", "120000", b"loop-a"),
            (b"app/self", "120000", b"."),
            (b"caf\xe9.py", "100644", b"x"),
        ],
        ..commit()
    });
    let repository = story.done();
    let host = Host::open(&repository.path()).unwrap().walk();
    let tree = open(&repository).walk();
    let sizes = |walk: &solvent_base::Walk| -> Vec<(FilePath, u64)> {
        let files = walk.files.iter();
        files.map(|file| (file.path.clone(), file.size)).collect()
    };
    assert_eq!(sizes(&tree), sizes(&host));
    // What git keeps is told apart by its name, what is checked out by its stamp.
    assert!(tree.files.iter().all(|file| file.stamp.is_none()));
    assert!(host.files.iter().all(|file| file.stamp.is_some()));
    let told = |walk: &solvent_base::Walk| -> Vec<String> {
        walk.problems
            .iter()
            .map(|p| format!("{:?} {:?} {}", p.kind, p.path, p.message))
            .collect()
    };
    assert_eq!(told(&tree), told(&host));
}

#[test]
fn submodules_and_links_are_said_and_not_read() {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![
            file("a.py", "a"),
            (
                b"sub",
                "160000",
                b"1234567890123456789012345678901234567890",
            ),
            (b"link.py", "120000", b"a.py"),
        ],
        ..commit()
    });
    let repository = story.done();
    let tree = open(&repository);
    let walk = tree.walk();
    assert_eq!(walk.problems.len(), 1);
    assert_eq!(walk.problems[0].path, Some(path("sub")));
    assert!(matches!(
        tree.read(&path("link.py"), 9),
        Err(ReadError::Other(_))
    ));
    assert_eq!(tree.read(&path("nothing.py"), 9), Err(ReadError::NotFound));
}

#[test]
fn months_end_where_the_branch_stood() {
    let mut story = Story::new();
    let mut marks = Vec::new();
    // 2026-05-10, a clock that was never set, 2026-06-20, 2026-08-13
    for time in [1_778_400_000, 0, 1_781_950_000, NOW - 2 * DAY] {
        marks.push(story.then(Commit { time, ..commit() }));
    }
    let repository = story.done();
    let ends = revisions_at(&repository.path(), 4, Timestamp(NOW * 1000)).unwrap();
    let want = [
        ("2026-04", At::NotStarted),
        ("2026-05", At::Commit(repository.id(marks[1]))),
        ("2026-06", At::Commit(repository.id(marks[2]))),
        ("2026-07", At::Commit(repository.id(marks[2]))),
        ("2026-08", At::Commit(repository.id(marks[3]))),
    ];
    assert_eq!(ends.len(), want.len());
    for (end, (month, at)) in ends.iter().zip(want) {
        assert_eq!((end.month, &end.at), (Month::parse(month).unwrap(), &at));
    }
}

#[test]
fn a_subfolder_is_a_root_of_its_own() {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![
            file("top.py", "t"),
            file("sub/in.py", "i"),
            file("sub/x/y.py", "y"),
        ],
        ..commit()
    });
    let repository = story.done();
    let trees = Trees::open(&repository.path().join("sub"), 0).unwrap();
    let head = solvent_change::resolve(&repository.path(), "HEAD").unwrap();
    let tree = trees.at(&head, Timestamp(NOW * 1000)).unwrap();
    let found: Vec<String> = tree
        .walk()
        .files
        .iter()
        .map(|f| f.path.to_string())
        .collect();
    assert_eq!(found, ["in.py", "x/y.py"]);
    assert_eq!(tree.read(&path("in.py"), 1), Ok(b"i".to_vec()));
}

#[test]
fn content_that_stays_is_the_same_content() {
    let mut story = Story::new();
    let first = story.then(Commit {
        files: vec![file("a.py", "a"), file("b.py", "b")],
        ..commit()
    });
    let last = story.then(Commit {
        files: vec![file("b.py", "c")],
        ..commit()
    });
    let repository = story.done();
    let trees = Trees::open(&repository.path(), 1 << 20).unwrap();
    let now = Timestamp(NOW * 1000);
    let one = trees.at(&repository.id(first), now).unwrap();
    assert_eq!(one.read(&path("a.py"), 9), Ok(b"a".to_vec()));
    let two = trees.at(&repository.id(last), now).unwrap();
    assert_eq!(one.content(&path("a.py")), two.content(&path("a.py")));
    assert_ne!(one.content(&path("b.py")), two.content(&path("b.py")));
    // The object is gone, its content was kept.
    let blob = one.content(&path("a.py")).unwrap().hex();
    std::fs::remove_dir_all(repository.path().join(".git/objects")).unwrap();
    assert_eq!(two.read(&path("a.py"), 9), Ok(b"a".to_vec()), "{blob}");
}
