//! The operating system, held to the documentation of `System`, and what only a real tree can have.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use solvent_base::{FilePath, ProblemKind, ReadError, System, Timestamp, Walk};
use solvent_host::Host;
use solvent_testkit::conformance;
use tempfile::TempDir;

/// A host that removes its folder in the end.
struct Temporary {
    host: Host,
    folder: TempDir,
}

impl Temporary {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        let host = Host::open(folder.path()).expect("a host");
        Self { host, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl System for Temporary {
    fn walk(&self) -> Walk {
        self.host.walk()
    }

    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError> {
        self.host.read(path, cap)
    }

    fn now(&self) -> Timestamp {
        self.host.now()
    }

    fn random(&self, out: &mut [u8]) {
        self.host.random(out);
    }
}

fn path(text: &str) -> FilePath {
    FilePath::new(text).expect("a path")
}

fn names(walk: &Walk) -> Vec<&str> {
    walk.files.iter().map(|file| file.path.as_str()).collect()
}

fn links(walk: &Walk) -> Vec<(&str, &str)> {
    walk.problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::Link)
        .map(|problem| {
            (
                problem.path.as_ref().map_or("", |p| p.as_str()),
                problem.message.as_str(),
            )
        })
        .collect()
}

#[test]
fn it_behaves_like_a_system() {
    conformance::system(Temporary::new);
}

#[test]
fn links_out_of_the_tree_and_in_circles_are_reported_and_not_followed() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(outside.path().join("secret.py"), "x").expect("a file");
    let tree = Temporary::new(&[("app/x.py", b"1")]);
    let link = |from: &Path, to: &str| symlink(from, tree.path().join(to)).expect("a link");
    link(outside.path(), "app/away");
    link(Path::new("../app"), "app/round");
    link(Path::new("self"), "self");
    link(Path::new("app/x.py"), "inside.py");
    link(Path::new("nothing"), "broken.py");
    let walk = tree.walk();
    assert_eq!(names(&walk), ["app/x.py"]);
    assert_eq!(
        links(&walk),
        [
            ("app/away", "link leads out of the tree and is not followed"),
            ("app/round", "link leads in a circle and is not followed"),
            ("broken.py", "link leads nowhere"),
            ("self", "link leads in a circle and is not followed"),
        ]
    );
}

#[test]
fn reading_never_leaves_the_tree() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(outside.path().join("secret.py"), "x").expect("a file");
    let tree = Temporary::new(&[("app/x.py", b"1")]);
    symlink(outside.path(), tree.path().join("away")).expect("a link");
    symlink(
        outside.path().join("secret.py"),
        tree.path().join("link.py"),
    )
    .expect("a link");
    for name in ["away/secret.py", "link.py"] {
        assert!(
            matches!(tree.read(&path(name), 100), Err(ReadError::Other(_))),
            "{name}"
        );
    }
}

#[test]
fn a_name_that_is_not_text_is_a_problem() {
    let tree = Temporary::new(&[("a.py", b"1")]);
    std::fs::write(tree.path().join(OsStr::from_bytes(b"b\xff.py")), "1").expect("a file");
    let walk = tree.walk();
    assert_eq!(names(&walk), ["a.py"]);
    assert_eq!(walk.problems.len(), 1);
    assert!(walk.problems[0].message.contains("not utf-8"));
}

#[test]
fn pipes_are_neither_listed_nor_opened() {
    let tree = Temporary::new(&[("a.py", b"1")]);
    let made = std::process::Command::new("mkfifo")
        .arg(tree.path().join("pipe.py"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    assert_eq!(names(&tree.walk()), ["a.py"]);
    assert!(matches!(
        tree.read(&path("pipe.py"), 100),
        Err(ReadError::Other(_))
    ));
}

#[test]
fn a_folder_that_may_not_be_entered_is_a_problem() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = Temporary::new(&[("a.py", b"1"), ("locked/b.py", b"1")]);
    let locked = tree.path().join("locked");
    let allow = |mode| {
        std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    allow(0o000);
    // Root enters every folder; then there is nothing to report.
    let denied = std::fs::read_dir(&locked).is_err();
    let walk = tree.walk();
    allow(0o755);
    let unreadable = walk
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::Unreadable)
        .count();
    assert_eq!(unreadable, usize::from(denied));
    assert!(names(&walk).contains(&"a.py"));
}

#[test]
fn opening_a_file_or_nothing_is_refused() {
    let tree = Temporary::new(&[("a.py", b"1")]);
    assert!(Host::open(&tree.path().join("a.py")).is_err());
    assert!(Host::open(&tree.path().join("missing")).is_err());
}
