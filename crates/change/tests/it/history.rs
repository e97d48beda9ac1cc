//! What landed, when, by which way; and what a clone cannot tell.

use solvent_base::Timestamp;
use solvent_change::suppression::Scope;
use solvent_change::{
    BlameLimits, History, Landings, Limits, Merger, Month, Origin, Place, Route, history,
    introduced,
};

use crate::story::{Commit, DAY, NOW, Repository, Story, commit, file, git};

fn read(repository: &Repository) -> History {
    history(&repository.path(), &Limits::standard(Timestamp(NOW * 1000))).unwrap()
}

fn gap<'a>(history: &'a History, what: &str) -> Option<&'a str> {
    history
        .gaps
        .iter()
        .find(|gap| gap.what.contains(what))
        .map(|gap| gap.why.as_str())
}

#[test]
fn an_empty_repository_is_an_empty_history_that_says_so() {
    let repository = Repository::empty();
    let history = read(&repository);
    assert_eq!((history.head, history.changes.len()), (None, 0));
    assert!(gap(&history, "the history").is_some());
    assert!(history.alive.lines.range().of == 0);
    let plain = tempfile::tempdir().unwrap();
    let limits = Limits::standard(Timestamp(NOW * 1000));
    assert!(solvent_change::history(plain.path(), &limits).is_err());
}

#[test]
fn the_way_onto_the_default_branch_is_read_from_its_signs() {
    let mut story = Story::new();
    let ann = "Ann <ann@x.example>";
    let bob = "Bob <bob@x.example>";
    let web = "GitHub <noreply@github.com>";
    let root = story.then(commit());
    let direct = story.then(commit());
    let squash = story.then(Commit {
        message: b"Add a page (#7)\n",
        committer: web,
        ..commit()
    });
    let browser = story.then(Commit {
        message: b"Update README.md\n",
        committer: web,
        ..commit()
    });
    let release = story.then(Commit {
        author: "bump[bot] <7+bump[bot]@users.noreply.github.com>",
        ..commit()
    });
    let branch = |story: &mut Story, from: usize, author: &str| {
        story.tell(&Commit {
            author,
            committer: author,
            parents: vec![from],
            ..commit()
        })
    };
    let one = branch(&mut story, release, ann);
    let own = story.tell(&Commit {
        parents: vec![release, one],
        ..commit()
    });
    let two = branch(&mut story, own, bob);
    let by_ann = story.tell(&Commit {
        author: ann,
        // Pressed in the browser: the author of the merge is who pressed.
        committer: web,
        parents: vec![own, two],
        ..commit()
    });
    let solvent = "solvent <solvent@localhost>";
    let three = branch(&mut story, by_ann, solvent);
    let recorded = story.tell(&Commit {
        author: solvent,
        committer: solvent,
        message: b"Merge the fix of CWE-89 at a.py:3\n\nSolvent-Change: 5e1f0c77aa\n",
        parents: vec![by_ann, three],
        ..commit()
    });
    let repository = story.done();
    let history = read(&repository);
    let route = |mark: usize| {
        let id = repository.id(mark);
        history
            .changes
            .iter()
            .find(|c| c.id == id)
            .unwrap()
            .route
            .clone()
    };
    assert_eq!(route(root), Some(Route::Root));
    assert_eq!(route(direct), Some(Route::Direct));
    assert_eq!(route(squash), Some(Route::Request("github".into())));
    assert_eq!(route(browser), Some(Route::Forge));
    assert_eq!(route(release), Some(Route::DirectByBot));
    assert_eq!(route(one), None, "not a commit of the default branch");
    assert_eq!(route(own), Some(Route::Merge(Merger::OnlyAuthor)));
    assert_eq!(route(by_ann), Some(Route::Merge(Merger::Another)));
    assert_eq!(
        route(recorded),
        Some(Route::Merge(Merger::Recorded("5e1f0c77aa".into()))),
        "the program on both sides is nobody's own merge"
    );
    let figures = &history.by_month()[&Month::parse("2026-08").unwrap()];
    let want = Landings {
        merges: 3,
        merges_by_author: 1,
        merges_unknown: 1,
        requests: 1,
        forge: 1,
        direct: 1,
        direct_by_bot: 1,
    };
    assert_eq!(figures.landings, want);
    assert_eq!(figures.landings.all(), 7);
    assert_eq!(figures.changes.measured(), 8, "merges are no changes");
    assert!(
        History::untraced()
            .iter()
            .any(|gap| gap.what == "force pushes")
    );
}

#[test]
fn a_merge_of_a_tool_and_a_person_is_told_apart_line_by_line() {
    let mut story = Story::new();
    let root = story.then(Commit {
        files: vec![file("a.py", "0\n")],
        ..commit()
    });
    let tool = story.then(Commit {
        message: b"x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n",
        files: vec![file("a.py", "0\n1\n2\n")],
        ..commit()
    });
    let person = story.then(Commit {
        files: vec![file("a.py", "0\n1\n2\n3\n")],
        ..commit()
    });
    story.tell(&Commit {
        parents: vec![root, person],
        files: vec![file("a.py", "0\n1\n2\n3\n")],
        ..commit()
    });
    let repository = story.done();
    let history = read(&repository);
    let lines = &history.alive.lines;
    assert_eq!(
        (lines.detected(), lines.unknown, lines.unmeasured),
        (2, 2, 0)
    );
    let places: Vec<Place> = [2, 4, 99]
        .map(|line| Place {
            path: "a.py".to_owned(),
            line,
        })
        .to_vec();
    let head = history.head.unwrap();
    let found = introduced(&repository.path(), &head, &places, &BlameLimits::STANDARD).unwrap();
    assert_eq!(
        found[&places[0]].as_ref().unwrap().commit,
        repository.id(tool)
    );
    assert_eq!(
        found[&places[1]].as_ref().unwrap().commit,
        repository.id(person)
    );
    assert!(found[&places[2]].is_err(), "there is no such line");
}

#[test]
fn lines_are_followed_through_renames_and_listed_reformatting() {
    let mut story = Story::new();
    let first = story.then(Commit {
        files: vec![file("a.py", "def f():\n    return g( 1,2 )\n\n\nx = 1\n")],
        ..commit()
    });
    story.then(Commit {
        deleted: vec!["a.py"],
        files: vec![file(
            "pkg/b.py",
            "def f():\n    return g( 1,2 )\n\n\nx = 1\n",
        )],
        ..commit()
    });
    let reformat = story.then(Commit {
        files: vec![file(
            "pkg/b.py",
            "def f():\n    return g(1, 2,)\n\n\nx = 1\n",
        )],
        ..commit()
    });
    story.then(commit());
    let repository = story.done();
    let list = format!("# reformatting\n{}\n", repository.id(reformat));
    let place = Place {
        path: "pkg/b.py".to_owned(),
        line: 2,
    };
    let ask = |expected: usize, why: &str| {
        let head = solvent_change::resolve(&repository.path(), "HEAD").unwrap();
        let places = [place.clone()];
        let found = introduced(&repository.path(), &head, &places, &BlameLimits::STANDARD).unwrap();
        let line = found[&place].as_ref().unwrap();
        assert_eq!(line.commit, repository.id(expected), "{why}");
        line.clone()
    };
    ask(reformat, "nothing is listed");
    let name = repository.path().join(".git-blame-ignore-revs");
    std::fs::write(&name, list).unwrap();
    repository.git(&["add", "."]);
    repository.git(&["commit", "-qm", "list"]);
    let line = ask(first, "a listed commit is looked through");
    assert_eq!(
        (line.then_path.as_slice(), line.then_line),
        (&b"a.py"[..], 2)
    );
    std::fs::write(&name, "not a name\n").unwrap();
    repository.git(&["commit", "-qam", "break the list"]);
    ask(reformat, "a broken list is not used");
}

#[test]
fn suppressions_are_counted_today_and_when_they_came() {
    let mut story = Story::new();
    let july = NOW - 30 * DAY;
    story.then(Commit {
        time: july,
        files: vec![
            file("a.py", "a()  # nosec\nb()\nc()  # noqa: S608\n"),
            file(".semgrepignore", "# why\nvendor/\n\n*.js\n"),
        ],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("a.py", "a()\nb()  # noqa\nc()  # noqa: S608\n")],
        ..commit()
    });
    let repository = story.done();
    let history = read(&repository);
    let count = |counts: &solvent_change::suppression::Counts, scope, id: &str| {
        counts.get(&(scope, id.into())).copied().unwrap_or(0)
    };
    let months = history.by_month();
    let july = &months[&Month::parse("2026-07").unwrap()].suppressions;
    let august = &months[&Month::parse("2026-08").unwrap()].suppressions;
    assert_eq!(count(july, Scope::Security, "nosec"), 1);
    assert_eq!(count(july, Scope::Security, "ruff"), 1);
    assert_eq!(count(august, Scope::Everything, "noqa"), 1);
    assert_eq!(august.len(), 1);
    let today = &history.alive.suppressions;
    assert_eq!(count(today, Scope::Security, "nosec"), 0);
    assert_eq!(count(today, Scope::Security, "ruff"), 1);
    let [ignore] = &history.alive.ignore_files[..] else {
        panic!("{:?}", history.alive.ignore_files);
    };
    assert_eq!((&*ignore.tool, ignore.lines), ("semgrep", 2));
}

#[test]
fn wrong_clocks_are_counted_and_moved_to_their_neighbours() {
    let mut story = Story::new();
    let mut marks = Vec::new();
    for time in [
        NOW - 90 * DAY,
        0,
        NOW + 900 * DAY,
        NOW - 40 * DAY,
        NOW - DAY,
    ] {
        marks.push(story.then(Commit { time, ..commit() }));
    }
    let repository = story.done();
    let history = read(&repository);
    assert_eq!((history.clocks.unset, history.clocks.future), (1, 1));
    assert_eq!(
        history.changes.len(),
        5,
        "none is lost behind a wrong clock"
    );
    let month = |mark: usize| {
        let id = repository.id(marks[mark]);
        history
            .changes
            .iter()
            .find(|c| c.id == id)
            .unwrap()
            .month
            .to_string()
    };
    assert_eq!(
        [0, 1, 2, 3].map(month),
        ["2026-05", "2026-05", "2026-05", "2026-07"]
    );
}

#[test]
fn a_shallow_clone_says_what_it_lacks() {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![file("a.py", "1\n2\n")],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("a.py", "1\n2\n3\n")],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("a.py", "1\n2\n3\n4\n")],
        ..commit()
    });
    let repository = story.done();
    let clone = repository.beside("clone");
    let from = format!("file://{}", repository.path().display());
    let to = clone.display().to_string();
    let made = git(&repository.path())
        .args(["clone", "-q", "--depth=2", &from, &to])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let history = history(&clone, &Limits::standard(Timestamp(NOW * 1000))).unwrap();
    assert!(history.shallow);
    assert!(
        gap(&history, "before the clone's oldest")
            .unwrap()
            .contains("--unshallow")
    );
    let lines = &history.alive.lines;
    assert_eq!((lines.unknown, lines.unmeasured), (1, 3));
    let sizes: Vec<bool> = history.changes.iter().map(|c| c.size.is_some()).collect();
    assert_eq!(sizes, [false, true]);
    assert_eq!(history.changes[0].route, None);
    let ends = solvent_change::revisions_at(&clone, 2, Timestamp(NOW * 1000)).unwrap();
    assert!(matches!(&ends[0].at, solvent_change::At::Unmeasured(why) if why.contains("shallow")));
}

#[test]
fn missing_objects_cost_their_own_change_only() {
    let mut story = Story::new();
    story.then(Commit {
        files: vec![file("a.py", "1\n")],
        ..commit()
    });
    let lost = story.then(Commit {
        files: vec![file("b.py", "lost\n")],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("a.py", "1\n2\n")],
        ..commit()
    });
    story.then(Commit {
        files: vec![file("c.py", "3\n")],
        ..commit()
    });
    let repository = story.done();
    let blob = repository.git(&["rev-parse", "HEAD:b.py"]);
    let loose = repository
        .path()
        .join(".git/objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    std::fs::remove_file(&loose).unwrap_or_else(|e| panic!("{}: {e}", loose.display()));
    let history = read(&repository);
    let without: Vec<_> = history
        .changes
        .iter()
        .filter(|c| c.size.is_none())
        .map(|c| c.id)
        .collect();
    assert_eq!(without, [repository.id(lost)]);
    assert!(gap(&history, "the size of 1 changes").is_some());
    let lines = &history.alive.lines;
    assert_eq!((lines.unknown, lines.unmeasured), (3, 0));
    assert!(gap(&history, "part of the lines of HEAD").is_some());
}

#[test]
fn a_subfolder_has_its_own_lines_and_the_whole_branch() {
    let mut story = Story::new();
    story.then(Commit {
        message: b"x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n",
        files: vec![file("sub/a.py", "1\n2\n"), file("b.py", "1\n2\n3\n")],
        ..commit()
    });
    let repository = story.done();
    let limits = Limits::standard(Timestamp(NOW * 1000));
    let history = history(&repository.path().join("sub"), &limits).unwrap();
    assert_eq!(history.alive.lines.detected(), 2);
    assert_eq!(history.changes[0].size.as_ref().unwrap().added, 2);
}

#[test]
fn nobody_is_named_in_what_leaves() {
    let mut story = Story::new();
    story.then(Commit {
        author: "Zebulon Quux <zq@x.example>",
        committer: "Zebulon Quux <zq@x.example>",
        message: b"x\n\nCo-authored-by: Zebulon Quux <zq@x.example>\n",
        files: vec![file("a.py", "1\n")],
        ..commit()
    });
    let repository = story.done();
    let history = read(&repository);
    assert_eq!(history.changes[0].origin, Origin::Unknown);
    let all = format!("{history:?}").to_lowercase();
    assert!(!all.contains("zebulon") && !all.contains("zq@"), "{all}");
}
