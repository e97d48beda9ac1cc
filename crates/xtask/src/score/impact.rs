//! What a change touches, against scans of the whole: two hundred commits of a repository that others wrote.
//!
//! Every commit and its parent are scanned whole by `solvent scan`, which remembers nothing. A flow (or a finding that
//! nothing reaches) whose verdict or way differs between the two and that `solvent impact PARENT..COMMIT` does not
//! name is missed. `impact` answers from what it remembers where it can, as it does for a user. Lines that only moved
//! are no difference. Naming everything would miss nothing, so how much is named is reported beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::targets::note;
use crate::cost::measured;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, released, text};

/// Repositories with routes and flows, cloned with their history: `NAME.git` (bare) or `NAME` below the corpora. The
/// first is on Express, the second on Flask.
const REPOSITORIES: [&str; 2] = ["mongo-express", "CTFd"];

/// Commits of each, merges apart: the newest ones.
const COMMITS: usize = 200;

pub fn run(place: &Place) -> Result<Figures, String> {
    let found: Vec<(&str, PathBuf)> = REPOSITORIES
        .iter()
        .filter_map(|name| Some((*name, history(place, name)?)))
        .collect();
    if found.is_empty() {
        place.corpus(&format!("{}.git", REPOSITORIES[0]))?;
        return Err("none of the repositories holds a history".to_owned());
    }
    let program = released(&place.root)?;
    let mut all = Tally::default();
    let mut figures = Figures::new();
    for (name, from) in found {
        let tally = repository(place, &program, name, &from)?;
        tally.write(&format!("{name}_"), &mut figures);
        all.add(&tally);
    }
    all.write("", &mut figures);
    Ok(figures)
}

fn history(place: &Place, name: &str) -> Option<PathBuf> {
    let paths = [format!("{name}.git"), name.to_owned()];
    let mut paths = paths.iter().filter_map(|name| place.corpus(name).ok());
    // A folder inside another repository is none by itself.
    paths.find(|path| path.join("HEAD").exists() || path.join(".git").exists())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    let (output, _) = measured(&mut command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("git {}: {}", arguments.join(" "), words.trim()))
    }
}

#[derive(Default)]
struct Tally {
    commits: f64,
    /// Commits of which any finding differs.
    commits_that_differ: f64,
    /// Findings that differ, over all commits.
    differing: f64,
    missed: f64,
    entry_points_missed: f64,
    named: f64,
    /// Findings of either revision, over all commits.
    findings: f64,
    seconds: f64,
    scans: f64,
    scan_seconds: f64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.commits_that_differ += other.commits_that_differ;
        self.differing += other.differing;
        self.missed += other.missed;
        self.entry_points_missed += other.entry_points_missed;
        self.named += other.named;
        self.findings += other.findings;
        self.seconds += other.seconds;
        self.scans += other.scans;
        self.scan_seconds += other.scan_seconds;
    }

    /// `differing`, `named`, `findings` and `seconds` are those of one commit on average, `scan_seconds` those of one
    /// scan.
    fn write(&self, prefix: &str, figures: &mut Figures) {
        let each = |sum: f64| rounded(sum / self.commits.max(1.0));
        for (name, value) in [
            ("commits", self.commits),
            ("commits_that_differ", self.commits_that_differ),
            ("differing", each(self.differing)),
            ("missed", self.missed),
            ("entry_points_missed", self.entry_points_missed),
            ("named", each(self.named)),
            ("findings", each(self.findings)),
            ("named_share", rounded(self.named / self.findings.max(1.0))),
            ("seconds", each(self.seconds)),
            (
                "scan_seconds",
                rounded(self.scan_seconds / self.scans.max(1.0)),
            ),
        ] {
            figures.insert(format!("{prefix}{name}"), value);
        }
    }
}

/// What a scan of the whole says of one revision: by print, verdicts and ways; entry points with their checks.
#[derive(Default)]
struct Whole {
    findings: BTreeMap<String, Vec<String>>,
    entry_points: BTreeMap<String, Vec<String>>,
}

impl Whole {
    fn read(report: &Value) -> Self {
        let mut out = Self::default();
        for finding in items(report, "/findings") {
            let flows = items(finding, "/flows").iter();
            let ways: Vec<Vec<Value>> = flows
                .map(|flow| steps(items(flow, "/steps")))
                .chain([steps(items(finding, "/way"))])
                .collect();
            let said = json!([text(finding, "/verdict/word"), ways]).to_string();
            let print = text(finding, "/fingerprint").to_owned();
            out.findings.entry(print).or_default().push(said);
        }
        for entry in items(report, "/entry_points") {
            let said = json!([entry.pointer("/handler"), entry.pointer("/auth")]).to_string();
            let label = text(entry, "/label").to_owned();
            out.entry_points.entry(label).or_default().push(said);
        }
        let lists = out.findings.values_mut();
        lists
            .chain(out.entry_points.values_mut())
            .for_each(|list| list.sort());
        out
    }
}

fn steps(steps: &[Value]) -> Vec<Value> {
    steps
        .iter()
        .map(|step| {
            let part = |pointer| text(step, pointer);
            json!([
                part("/kind"),
                part("/place/path"),
                part("/function"),
                part("/what"),
                part("/text")
            ])
        })
        .collect()
}

/// Keys whose values are not the same in both.
fn differing<'a>(
    before: &'a BTreeMap<String, Vec<String>>,
    after: &'a BTreeMap<String, Vec<String>>,
) -> BTreeSet<&'a str> {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(*key) != after.get(*key))
        .map(String::as_str)
        .collect()
}

fn repository(place: &Place, program: &Path, name: &str, from: &Path) -> Result<Tally, String> {
    let folder = place.scratch.join(name);
    let source = from.to_string_lossy();
    let (tree, asked) = (folder.join("whole"), folder.join("asked"));
    for into in [&tree, &asked] {
        git(
            &place.scratch,
            &["clone", "--quiet", &source, &into.to_string_lossy()],
        )?;
    }
    let number = COMMITS.to_string();
    let listed = git(
        &tree,
        &[
            "rev-list",
            "--no-merges",
            "--topo-order",
            "--parents",
            "--max-count",
            &number,
            "HEAD",
        ],
    )?;
    let pairs: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    if pairs.len() < COMMITS {
        return Err(format!(
            "`{}` holds {} commits with a parent, not {COMMITS}: clone it with its history",
            from.display(),
            pairs.len()
        ));
    }
    let mut tally = Tally::default();
    let mut wholes: BTreeMap<String, Whole> = BTreeMap::new();
    for (commit, parent) in pairs {
        for revision in [parent, commit] {
            if !wholes.contains_key(revision) {
                let (whole, seconds) = whole(program, &tree, revision, &folder)?;
                tally.scans += 1.0;
                tally.scan_seconds += seconds;
                wholes.insert(revision.to_owned(), whole);
            }
        }
        let mut command = Command::new(program);
        command
            .args(["impact", &format!("{parent}..{commit}"), "--repo"])
            .arg(&asked)
            .args(["--json", "--quiet"])
            .env("SOLVENT_CACHE", folder.join("cache"));
        let (impact, seconds) = document(&mut command)?;
        tally.seconds += seconds;
        tally.commits += 1.0;
        let (Some(before), Some(after)) = (wholes.get(parent), wholes.get(commit)) else {
            continue;
        };
        count(&mut tally, commit, before, after, &impact);
    }
    Ok(tally)
}

fn count(tally: &mut Tally, commit: &str, before: &Whole, after: &Whole, impact: &Value) {
    let flows = items(impact, "/flows");
    let named: BTreeSet<&str> = flows
        .iter()
        .flat_map(|flow| [text(flow, "/finding/fingerprint"), text(flow, "/was")])
        .filter(|print| !print.is_empty())
        .collect();
    let differing_here = differing(&before.findings, &after.findings);
    for print in differing_here.difference(&named) {
        note(&format!("{commit}: finding {print} is missed"));
        tally.missed += 1.0;
    }
    let entries: BTreeSet<&str> = items(impact, "/entry_points")
        .iter()
        .map(|entry| text(entry, "/entry/label"))
        .collect();
    for label in differing(&before.entry_points, &after.entry_points) {
        // A route that another one replaced is named as what that was.
        let was = |entry: &Value| {
            let changes = items(entry, "/changes").iter();
            let route = label.split_once(' ').map_or(label, |(_, route)| route);
            changes
                .filter_map(Value::as_str)
                .any(|change| change.contains(&format!("`{route}`")))
        };
        if !entries.contains(label) && !items(impact, "/entry_points").iter().any(was) {
            note(&format!("{commit}: entry point {label} is missed"));
            tally.entry_points_missed += 1.0;
        }
    }
    let all: BTreeSet<&String> = before
        .findings
        .keys()
        .chain(after.findings.keys())
        .collect();
    tally.commits_that_differ += f64::from(u8::from(!differing_here.is_empty()));
    tally.differing += differing_here.len() as f64;
    tally.named += named.len() as f64;
    tally.findings += all.len() as f64;
}

/// A scan that knows of no other one.
fn whole(program: &Path, tree: &Path, commit: &str, folder: &Path) -> Result<(Whole, f64), String> {
    git(
        tree,
        &["checkout", "--quiet", "--force", "--detach", commit],
    )?;
    let _ = fs::remove_dir_all(tree.join(".solvent"));
    let mut command = Command::new(program);
    command
        .args(["scan", "--no-git", "--json", "--quiet"])
        .arg(tree)
        .env("SOLVENT_CACHE", folder.join("nothing"));
    let (report, seconds) = document(&mut command)?;
    Ok((Whole::read(&report), seconds))
}

/// The document that a command prints, and the seconds that it took.
fn document(command: &mut Command) -> Result<(Value, f64), String> {
    let (output, cost) = measured(command)?;
    let report = serde_json::from_slice(&output.stdout).map_err(|error| {
        let words = String::from_utf8_lossy(&output.stderr);
        format!("{command:?} printed no JSON ({error}): {}", words.trim())
    })?;
    Ok((report, cost.wall_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(verdict: &str, line: u64) -> Whole {
        Whole::read(&json!({
            "findings": [{
                "fingerprint": "a", "verdict": {"word": verdict},
                "flows": [{"steps": [{"kind": "sink", "place": {"path": "a.py", "line": line}, "function": "a:f",
                    "what": "w", "text": "t"}]}],
            }],
            "entry_points": [{"label": "GET /a", "handler": "a:f", "auth": []}],
        }))
    }

    fn missed(before: &Whole, after: &Whole, impact: &Value) -> (f64, f64) {
        let mut tally = Tally::default();
        count(&mut tally, "c", before, after, impact);
        (tally.missed, tally.entry_points_missed)
    }

    #[test]
    fn what_differs_and_is_not_named_is_missed() {
        let nothing = json!({"flows": [], "entry_points": []});
        let named = json!({"flows": [{"finding": {"fingerprint": "a"}}], "entry_points": []});
        let (old, new) = (whole("no_path", 1), whole("reachable", 1));
        assert_eq!(missed(&old, &new, &nothing), (1.0, 0.0));
        assert_eq!(missed(&old, &new, &named), (0.0, 0.0));
        let was = json!({"flows": [{"finding": {"fingerprint": "b"}, "was": "a"}]});
        assert_eq!(missed(&old, &new, &was), (0.0, 0.0));
        // A route that is gone, and a line that moved.
        assert_eq!(missed(&old, &Whole::default(), &named), (0.0, 1.0));
        assert_eq!(missed(&old, &whole("no_path", 9), &nothing), (0.0, 0.0));
    }
}
