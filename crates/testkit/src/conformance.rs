//! What every implementation of a trait must do.

use solvent_base::{FilePath, ReadError, System};

fn path(text: &str) -> FilePath {
    FilePath::new(text).unwrap_or_else(|| panic!("`{text}` is not a path below a root"))
}

/// Holds an implementation of [`System`] to its documentation. `make` gives a system whose root holds
/// exactly these files.
///
/// # Panics
///
/// When it does not keep to it.
pub fn system<S: System>(mut make: impl FnMut(&[(&str, &[u8])]) -> S) {
    walking_is_in_path_order(&mut make);
    walking_skips_what_version_control_ignores(&mut make);
    walking_skips_what_others_wrote(&mut make);
    reading_is_exact_and_capped(&mut make);
    time_and_randomness_are_there(&mut make);
}

fn walked(system: &impl System) -> Vec<String> {
    system
        .walk()
        .files
        .iter()
        .map(|file| file.path.to_string())
        .collect()
}

fn walking_is_in_path_order<S: System>(make: &mut impl FnMut(&[(&str, &[u8])]) -> S) {
    let system = make(&[
        ("b.py", b"22"),
        ("a/z.py", b"1"),
        ("a.py", b""),
        ("a/b/c.py", b"333"),
    ]);
    let walk = system.walk();
    let found: Vec<_> = walk
        .files
        .iter()
        .map(|f| (f.path.as_str(), f.size))
        .collect();
    assert_eq!(
        found,
        [("a.py", 0), ("a/b/c.py", 3), ("a/z.py", 1), ("b.py", 2)]
    );
    assert!(
        walk.problems.is_empty(),
        "problems on a plain tree: {:?}",
        walk.problems
    );
    assert_eq!(walked(&system), walked(&system), "a second walk differs");
    assert_eq!(walked(&make(&[])), Vec::<String>::new());
}

fn walking_skips_what_version_control_ignores<S: System>(
    make: &mut impl FnMut(&[(&str, &[u8])]) -> S,
) {
    let system = make(&[
        (
            ".gitignore",
            b"build/\n*.log\n# comment\n!keep.log\n/top.py\n",
        ),
        ("build/out.py", b""),
        ("deep/build/out.py", b""),
        ("a.log", b""),
        ("keep.log", b""),
        ("top.py", b""),
        ("deep/top.py", b""),
        ("deep/.gitignore", b"local.py\n"),
        ("deep/local.py", b""),
        ("local.py", b""),
    ]);
    assert_eq!(
        walked(&system),
        [
            ".gitignore",
            "deep/.gitignore",
            "deep/top.py",
            "keep.log",
            "local.py"
        ]
    );
}

fn walking_skips_what_others_wrote<S: System>(make: &mut impl FnMut(&[(&str, &[u8])]) -> S) {
    let system = make(&[
        (".git/hooks/x.py", b""),
        ("node_modules/x/index.py", b""),
        ("app/__pycache__/x.py", b""),
        ("my-env/pyvenv.cfg", b"home = /usr/bin"),
        ("my-env/lib/site.py", b""),
        (".github/run.py", b""),
        ("app/x.py", b""),
        ("git/x.py", b""),
    ]);
    assert_eq!(walked(&system), [".github/run.py", "app/x.py", "git/x.py"]);
}

fn reading_is_exact_and_capped<S: System>(make: &mut impl FnMut(&[(&str, &[u8])]) -> S) {
    let system = make(&[("a.py", b"\xff\x00\r\n"), ("d/e.py", b"x")]);
    assert_eq!(system.read(&path("a.py"), 4), Ok(b"\xff\x00\r\n".to_vec()));
    assert_eq!(system.read(&path("a.py"), 3), Err(ReadError::TooLarge(4)));
    assert_eq!(
        system.read(&path("missing.py"), 10),
        Err(ReadError::NotFound)
    );
    assert!(
        system.read(&path("d"), 10).is_err(),
        "a folder was read as a file"
    );
}

fn time_and_randomness_are_there<S: System>(make: &mut impl FnMut(&[(&str, &[u8])]) -> S) {
    let system = make(&[]);
    // 2020-01-01: any clock that is set at all is past it.
    assert!(system.now().0 > 1_577_836_800_000);
    assert!(system.now() <= system.now());
    let (mut first, mut second) = ([0_u8; 32], [0_u8; 32]);
    system.random(&mut first);
    system.random(&mut second);
    assert_ne!(first, second);
    assert_ne!(first, [0; 32]);
}
