//! PyCG's micro-benchmark: the call edges of small programs, against those that its authors wrote down.
//!
//! Every edge counts, those into built-in functions too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Halves;
use super::targets::{copy_tree, note};
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, number, released, text};

type Edges = BTreeSet<(String, String)>;

pub fn run(place: &Place) -> Result<Figures, String> {
    let root = place.corpus("PyCG")?.join("micro-benchmark/snippets");
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    let (mut right, mut found, mut expected, mut cases) = (0, 0, 0, 0);
    for case in snippets(&root)? {
        let name = case
            .strip_prefix(&root)
            .unwrap_or(&case)
            .to_string_lossy()
            .into_owned();
        let wanted = wanted(&case)?;
        let folder = place.scratch.join("case");
        let _ = fs::remove_dir_all(&folder);
        copy_tree(&case, &folder, &|_| true)?;
        let (report, _) = json(&program, &["graph", "--no-git", &folder.to_string_lossy()])?;
        let got = edges(&report);
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
    for (figure, value) in [
        ("precision", right as f64 / (found as f64).max(1.0)),
        ("recall", right as f64 / f64::from(expected as u32).max(1.0)),
    ] {
        figures.insert(figure.to_owned(), rounded(value));
    }
    figures.insert("edges".to_owned(), expected as f64);
    figures.insert("cases".to_owned(), f64::from(cases));
    Ok(figures)
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

/// Our edges, in the authors' names.
fn edges(report: &Value) -> Edges {
    let mut lambdas: BTreeMap<String, u32> = BTreeMap::new();
    let names: Vec<String> = items(report, "/functions")
        .iter()
        .map(|function| {
            let name = theirs(text(function, "/name"));
            // The authors number them in their scope, from one.
            match name.strip_suffix("<lambda>") {
                Some(scope) => {
                    let n = lambdas.entry(scope.to_owned()).or_default();
                    *n += 1;
                    format!("{scope}<lambda{n}>")
                }
                None => name,
            }
        })
        .collect();
    let name = |call: &Value, end: &str| names.get(number(call, end) as usize).cloned();
    items(report, "/calls")
        .iter()
        .filter_map(|call| Some((name(call, "/caller")?, name(call, "/callee")?)))
        .chain(items(report, "/library_calls").iter().filter_map(|call| {
            let callee = text(call, "/callee").replace("builtins.", "<builtin>.");
            Some((name(call, "/caller")?, callee))
        }))
        .collect()
}

/// `main:make.<locals>.inner` is `main.make.inner`; a module's own code is the module.
fn theirs(name: &str) -> String {
    name.replace("<locals>.", "")
        .trim_end_matches(':')
        .replace(':', ".")
}

#[cfg(test)]
mod tests {
    use super::theirs;

    #[test]
    fn names_are_said_as_the_authors_say_them() {
        assert_eq!(theirs("main:make.<locals>.inner"), "main.make.inner");
        assert_eq!(theirs("pkg.sub:"), "pkg.sub");
        assert_eq!(theirs("main:A.run"), "main.A.run");
    }
}
