//! Call edges of small programs, against those that the authors of a suite wrote down in `callgraph.json` beside each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Halves;
use super::targets::{copy_tree, note};
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, number, text};

/// Caller and callee, in the authors' names.
pub type Edges = BTreeSet<(String, String)>;

/// How a suite says things.
pub struct Suite {
    /// In front of the figures.
    pub prefix: &'static str,
    /// The authors' edges, made what [`Suite::edges`] can say.
    pub wanted: fn(Edges) -> Edges,
    /// Our edges in the authors' names, given the report, the case's folder and the authors' edges.
    pub edges: fn(&Value, &Path, &Edges) -> Edges,
}

/// Runs all cases below `root` and writes how many edges are right.
pub fn score(
    place: &Place,
    program: &Path,
    root: &Path,
    suite: &Suite,
    figures: &mut Figures,
) -> Result<(), String> {
    let (mut right, mut found, mut expected, mut cases) = (0, 0, 0, 0);
    for case in snippets(root)? {
        let name = case
            .strip_prefix(root)
            .unwrap_or(&case)
            .to_string_lossy()
            .into_owned();
        let wanted = (suite.wanted)(wanted(&case)?);
        let folder = place.scratch.join("case");
        let _ = fs::remove_dir_all(&folder);
        copy_tree(&case, &folder, &|_| true)?;
        let (report, _) = json(program, &["graph", "--no-git", &folder.to_string_lossy()])?;
        let got = (suite.edges)(&report, &folder, &wanted);
        cases += 1;
        right += got.intersection(&wanted).count();
        found += got.len();
        expected += wanted.len();
        if Halves::is_even(&name) {
            for (from, to) in wanted.difference(&got) {
                note(&format!("{name}: missing {from} -> {to}"));
            }
            for (from, to) in got.difference(&wanted) {
                note(&format!("{name}: not expected {from} -> {to}"));
            }
        }
    }
    let prefix = suite.prefix;
    for (figure, value) in [
        ("precision", right as f64 / (found as f64).max(1.0)),
        ("recall", right as f64 / f64::from(expected as u32).max(1.0)),
    ] {
        figures.insert(format!("{prefix}{figure}"), rounded(value));
    }
    figures.insert(format!("{prefix}edges"), expected as f64);
    figures.insert(format!("{prefix}cases"), f64::from(cases));
    Ok(())
}

/// Folders with a `callgraph.json`, in order.
fn snippets(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut out = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        if folder.join("callgraph.json").is_file() {
            out.push(folder);
            continue;
        }
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("cannot list `{}`: {error}", folder.display()))?;
        open.extend(
            entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.is_dir()),
        );
    }
    out.sort();
    Ok(out)
}

/// The authors' edges: caller to the list of what it calls.
fn wanted(case: &Path) -> Result<Edges, String> {
    let path = case.join("callgraph.json");
    let graph: BTreeMap<String, Vec<String>> = fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
        .map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(graph
        .into_iter()
        .flat_map(|(from, to)| to.into_iter().map(move |to| (from.clone(), to)))
        .collect())
}

/// Edges between functions of the program, whose names are given in the report's order.
pub fn between<'n>(
    report: &'n Value,
    names: &'n [String],
) -> impl Iterator<Item = (String, String)> + 'n {
    items(report, "/calls").iter().filter_map(|call| {
        let name = |end: &str| names.get(number(call, end) as usize).cloned();
        Some((name("/caller")?, name("/callee")?))
    })
}

/// Edges into libraries.
pub fn into_libraries<'n>(
    report: &'n Value,
    names: &'n [String],
) -> impl Iterator<Item = (String, String)> + 'n {
    items(report, "/library_calls").iter().filter_map(|call| {
        let caller = names.get(number(call, "/caller") as usize).cloned()?;
        Some((caller, text(call, "/callee").to_owned()))
    })
}
