//! The example shop has a history with the usual marks; and the way its lines are attributed is compared
//! with what blame says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use solvent_base::Timestamp;
use solvent_change::{Limits, Origin, blame, history, origins};

use crate::story::{Commit, Repository, Story, commit};

#[derive(Deserialize)]
struct Told {
    commit: Vec<ToldCommit>,
}

#[derive(Deserialize)]
struct ToldCommit {
    author: String,
    email: String,
    date: String,
    message: String,
    #[serde(default)]
    tree: Vec<String>,
    #[serde(default)]
    stage_dir: String,
    #[serde(default)]
    stage: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/storefront")
}

/// Noon of the day that stands in the date: enough for months.
fn noon(date: &str) -> i64 {
    let month = solvent_change::Month::parse(&date[..7]).unwrap();
    let day: i64 = date[8..10].parse().unwrap();
    month.start().0 / 1000 + (day - 1) * 86_400 + 43_200
}

fn storefront() -> (Repository, usize) {
    let text = std::fs::read_to_string(shop().join("history/history.toml")).unwrap();
    let told: Told = toml::from_str(&text).unwrap();
    let mut story = Story::new();
    for one in &told.commit {
        let now = one.tree.iter().map(|path| (path, shop().join(path)));
        let then = one.stage.iter().map(|path| {
            let folder = shop().join("history").join(&one.stage_dir);
            (path, folder.join(format!("{path}.stage")))
        });
        let files: Vec<(&String, Vec<u8>)> = now
            .chain(then)
            .map(|(path, from)| (path, std::fs::read(from).unwrap()))
            .collect();
        let author = format!("{} <{}>", one.author, one.email);
        story.then(Commit {
            author: &author,
            committer: &author,
            time: noon(&one.date),
            message: one.message.as_bytes(),
            files: files
                .iter()
                .map(|(path, content)| (path.as_bytes(), "100644", content.as_slice()))
                .collect(),
            deleted: one.remove.iter().map(String::as_str).collect(),
            ..commit()
        });
    }
    (story.done(), told.commit.len())
}

#[test]
fn the_shops_history_is_attributed_by_its_marks() {
    let (repository, commits) = storefront();
    let now = Timestamp(noon("2026-11-20") * 1000);
    let history = history(&repository.path(), &Limits::standard(now)).unwrap();
    assert_eq!(history.changes.len(), commits);
    let mut all = solvent_change::Tally::default();
    for figures in history.by_month().values() {
        all.merge(&figures.changes);
    }
    let tools: Vec<(String, u64)> = all
        .tools()
        .into_iter()
        .map(|(tool, count)| (tool.to_string(), count))
        .collect();
    let want = [
        ("aider", 1),
        ("claude-code", 3),
        ("copilot", 1),
        ("cursor", 1),
    ];
    assert_eq!(tools, want.map(|(tool, count)| (tool.to_owned(), count)));
    assert_eq!(all.bots(), 1);
    assert_eq!(all.unknown, commits as u64 - 7);
    assert_eq!(history.months.len(), 13);
    assert_eq!(history.alive.lines.unmeasured, 0);
    assert!(history.alive.lines.range().low > 0);
}

/// The definition: ask blame about every line of every file, then the commit about its origin.
#[test]
fn lines_are_attributed_as_blame_would() {
    let (repository, _) = storefront();
    let root = repository.path();
    let now = Timestamp(noon("2026-11-20") * 1000);
    let history = history(&root, &Limits::standard(now)).unwrap();
    let head = history.head.unwrap();
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for path in repository.git(&["ls-files"]).lines() {
        if !solvent_change::code::is_code(path) {
            continue;
        }
        let blamed = blame(&root, &head, path, &[]).unwrap();
        let commits: Vec<_> = blamed.iter().map(|line| line.commit).collect();
        let known = origins(&root, &commits).unwrap();
        for line in blamed {
            let name = match &known[&line.commit].origin {
                Origin::Detected(mark) => mark.tool.to_string(),
                other => format!("{other:?}"),
            };
            *lines.entry(name).or_default() += 1;
        }
    }
    let replayed = &history.alive.lines;
    let total: u64 = lines.values().sum();
    assert_eq!(replayed.measured(), total);
    for (tool, count) in replayed.tools() {
        // Blame also finds lines that moved inside a file: a handful.
        let blamed = lines.get(&*tool).copied().unwrap_or(0);
        assert!(
            blamed.abs_diff(count) * 50 <= total,
            "{tool}: {count} lines replayed, {blamed} blamed of {total}"
        );
    }
}
