//! The example shop: its history leads to its tree, its twin differs only by the repairs, and every
//! marked flaw is where the list says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Parts of the folder that belong to us and not to the shop.
const OURS: [&str; 2] = ["history", "EXPECTED.toml"];
/// What running the shop or its tests leaves behind.
const LEFT_BEHIND: [&str; 5] = [
    "instance",
    "__pycache__",
    ".pytest_cache",
    ".venv",
    ".solvent",
];

#[derive(Deserialize)]
struct History {
    commit: Vec<Commit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
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

#[derive(Deserialize)]
struct Expected {
    flaw: Vec<Flaw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flaw {
    weakness: String,
    file: String,
    function: String,
    verdict: String,
    reason: Option<String>,
    route: Option<String>,
    input: Option<String>,
    identity: Option<String>,
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if LEFT_BEHIND.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(root, &path, out);
            } else {
                let relative = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                out.insert(relative, fs::read(&path).expect("a file"));
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out.retain(|path, _| {
        !OURS
            .iter()
            .any(|ours| path == ours || path.starts_with(&format!("{ours}/")))
    });
    out
}

fn history() -> Vec<Commit> {
    let text = fs::read_to_string(example("storefront").join("history/history.toml"))
        .expect("the history");
    toml::from_str::<History>(&text)
        .expect("the history is TOML")
        .commit
}

#[test]
fn history_replays_to_the_tree() {
    let root = example("storefront");
    let wanted = tree(&root);
    let mut now: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for commit in history() {
        let mut changed = false;
        for path in commit.tree {
            let content = wanted
                .get(&path)
                .unwrap_or_else(|| panic!("{path} is not in the tree"));
            changed |= now.insert(path, content.clone()).as_ref() != Some(content);
        }
        for path in commit.stage {
            let kept = format!("{}/{path}.stage", commit.stage_dir);
            let content = fs::read(root.join("history").join(&kept))
                .unwrap_or_else(|e| panic!("{kept}: {e}"));
            used.insert(kept);
            changed |= now.insert(path, content.clone()) != Some(content);
        }
        for path in commit.remove {
            changed |= now.remove(&path).is_some();
        }
        assert!(changed, "an empty commit: {}", commit.message);
    }
    assert_eq!(
        now.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (path, content) in &wanted {
        assert_eq!(now.get(path), Some(content), "{path}");
    }
    let kept: BTreeSet<String> = all_files(&root.join("history"))
        .into_iter()
        .filter(|p| p.ends_with(".stage"))
        .collect();
    assert_eq!(kept, used, "every kept stage is used");
}

#[test]
fn history_spans_a_year_and_is_written_by_people_bots_and_agents() {
    let commits = history();
    let dates: Vec<&str> = commits.iter().map(|c| &c.date[..10]).collect();
    assert!(dates.is_sorted(), "{dates:?}");
    assert!(dates[0] < "2025-12-01" && dates[dates.len() - 1] > "2026-11-01");
    let marked = commits
        .iter()
        .filter(|c| {
            let text = format!("{} <{}>\n{}", c.author, c.email, c.message).to_lowercase();
            ["claude", "copilot", "cursor", "(aider)"]
                .iter()
                .any(|mark| text.contains(mark))
        })
        .count();
    assert!(
        marked >= 5 && marked + 5 <= commits.len(),
        "{marked} of {}",
        commits.len()
    );
}

#[test]
fn the_list_names_three_flaws_and_four_dead_copies_of_each() {
    let root = example("storefront");
    let text = fs::read_to_string(root.join("EXPECTED.toml")).expect("the list");
    let flaws = toml::from_str::<Expected>(&text)
        .expect("the list is TOML")
        .flaw;
    let mut seen = BTreeSet::new();
    for flaw in &flaws {
        let source = fs::read_to_string(root.join(&flaw.file)).expect("the file exists");
        assert!(
            source.contains(&format!("def {}(", flaw.function)),
            "{} in {}",
            flaw.function,
            flaw.file
        );
        let reachable = flaw.verdict == "reachable";
        assert_eq!(
            reachable,
            flaw.route.is_some() && flaw.input.is_some() && flaw.identity.is_some()
        );
        assert_eq!(reachable, flaw.reason.is_none());
        let reason = match flaw.reason.as_deref() {
            Some("sanitized" | "guarded") => "made harmless",
            Some(other) => other,
            None => "reachable",
        };
        assert!(
            seen.insert((flaw.weakness.clone(), reason.to_owned())),
            "{} {reason} twice",
            flaw.weakness
        );
    }
    let wanted: BTreeSet<(String, String)> = ["CWE-22", "CWE-78", "CWE-89"]
        .into_iter()
        .flat_map(|w| {
            [
                "reachable",
                "no_caller",
                "dead_branch",
                "made harmless",
                "dead_caller",
            ]
            .map(|r| (w.to_owned(), r.to_owned()))
        })
        .collect();
    assert_eq!(seen, wanted);
}

#[test]
fn the_twin_differs_by_its_repairs_only() {
    let (shop, twin) = (
        tree(&example("storefront")),
        tree(&example("storefront-fixed")),
    );
    let differing: Vec<&str> = shop
        .keys()
        .chain(twin.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|path| shop.get(*path) != twin.get(*path))
        .map(String::as_str)
        .collect();
    assert_eq!(
        differing,
        [
            "README.md",
            "shop/admin.py",
            "shop/products.py",
            "shop/reports.py",
            "shop/storage.py",
            "tests/test_regressions.py"
        ]
    );
}

fn all_files(dir: &Path) -> Vec<String> {
    tree(dir).into_keys().collect()
}
