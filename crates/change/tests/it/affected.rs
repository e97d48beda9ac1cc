//! What a change touches.

use solvent_change::{ChangeError, Judge, ObjectId, affected};

use crate::story::{Commit, Story, commit, file};

#[test]
fn files_lines_renames_and_judges_are_listed() {
    let mut story = Story::new();
    let base = story.then(Commit {
        files: vec![
            file("a.py", "1\n2\n3\n4\n5\n6\n7\n8\n"),
            file("old name.py", "some\nlines\nthat\nstay\nhere\n"),
            file("gone.py", "this one goes\n"),
            file("solvent.toml", "a = 1\n"),
        ],
        ..commit()
    });
    // Base goes on after head left it: that is no part of the change.
    let later = story.tell(&Commit {
        parents: vec![base],
        files: vec![file("later.py", "x\n")],
        ..commit()
    });
    let head = story.tell(&Commit {
        parents: vec![base],
        deleted: vec!["gone.py", "old name.py"],
        files: vec![
            file("a.py", "1\n2\nthree\n4\n5\n6\n7\n8\n9\n10\n"),
            file("né\tw.py", "some\nlines\nthat\nstay\nhere\n"),
            file("solvent.toml", "a = 2\n"),
            file("solvent-policy/x.cedar", "x\n"),
            file(".github/workflows/ci.yml", "x\n"),
            file("pkg/CODEOWNERS", "x\n"),
            file(".gitattributes", "*.py -diff\n"),
            (b"bin.dat", "100644", b"\0\0"),
            (b"caf\xe9.py", "100644", b"x\n"),
        ],
        ..commit()
    });
    let repository = story.done();
    let (base, later, head) = (
        repository.id(base),
        repository.id(later),
        repository.id(head),
    );
    let change = affected(&repository.path(), &later, &head).unwrap();
    assert_eq!(change.merge_base, Some(base));
    let find = |name: &str| {
        change
            .files
            .iter()
            .find(|f| f.new.as_deref().or(f.old.as_deref()) == Some(name))
            .unwrap_or_else(|| panic!("no {name} in {:?}", change.files))
    };
    let a = find("a.py");
    assert_eq!(
        (&a.old_lines[..], &a.new_lines[..]),
        (&[(3, 3)][..], &[(3, 3), (9, 10)][..])
    );
    let moved = find("né\tw.py");
    assert_eq!(moved.old.as_deref(), Some("old name.py"));
    assert!(moved.old_lines.is_empty() && moved.new_lines.is_empty());
    assert_eq!(find("gone.py").new, None);
    assert_eq!(find("gone.py").old_lines, [(1, 1)]);
    assert!(find("bin.dat").binary);
    assert_eq!(find("caf\u{fffd}.py").old, None);
    assert!(
        !change
            .files
            .iter()
            .any(|f| f.new.as_deref() == Some("later.py"))
    );
    let judges = [Judge::Recipe, Judge::Policy, Judge::Pipeline, Judge::Owners];
    assert_eq!(change.judges(), judges);
}

#[test]
fn histories_without_a_common_commit_are_compared_whole() {
    let mut story = Story::new();
    let base = story.tell(&Commit {
        files: vec![file("a.py", "x\n")],
        ..commit()
    });
    let head = story.tell(&Commit {
        files: vec![file("b.py", "x\n")],
        message: b"other root\n",
        ..commit()
    });
    let repository = story.done();
    let change = affected(
        &repository.path(),
        &repository.id(base),
        &repository.id(head),
    )
    .unwrap();
    assert_eq!(change.merge_base, None);
    assert_eq!(change.files.len(), 1, "{:?}", change.files);
    let missing = ObjectId::parse(&"12".repeat(20)).unwrap();
    let refused = affected(&repository.path(), &missing, &repository.id(head));
    assert_eq!(refused, Err(ChangeError::NoSuchRevision(missing.hex())));
}
