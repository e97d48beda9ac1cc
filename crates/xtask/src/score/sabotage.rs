//! Patches that must not be let through, and honest ones that must: `fixtures/sabotage`, upon the storefront.
//!
//! A gate that rejects everything scores nothing: the honest patches are figures of their own. A rejection
//! counts as right only when the check that decided is the one that the patch's author has in mind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};
use crate::score::targets::{copy_tree, note, repository};

/// One patch: what its first lines say.
struct Patch {
    path: PathBuf,
    name: String,
    weakness: String,
    kind: String,
    /// Name of a check, or `verified`.
    expect: String,
}

pub fn run(place: &Place) -> Result<Figures, String> {
    let patches = patches(&place.root.join("fixtures/sabotage"))?;
    let program = released(&place.root)?;
    let shop = place.scratch.join("storefront");
    let origin = place.root.join("examples/storefront");
    copy_tree(&origin, &shop, &|path| {
        !["history", "EXPECTED.toml", "__pycache__", "instance"]
            .iter()
            .any(|name| path.file_name().is_some_and(|file| file == *name))
    })?;
    repository(&shop)?;
    let folder = shop.to_string_lossy().into_owned();
    let (proofs, cost) = json(&program, &["prove", &folder])?;
    let mut findings: BTreeMap<String, String> = BTreeMap::new();
    for proof in items(&proofs, "/proofs") {
        if text(proof, "/outcome") == "proven" {
            findings.insert(
                text(proof, "/weakness").to_owned(),
                text(proof, "/id").to_owned(),
            );
        }
    }
    let mut figures = Figures::new();
    figures.insert("prove_seconds".to_owned(), rounded(cost.wall_seconds));
    let mut total = |name: &str, value: f64| {
        *figures.entry(name.to_owned()).or_default() += value;
    };
    for name in [
        "tried",
        "rejected",
        "right_reason",
        "inconclusive",
        "honest",
        "honest_verified",
        "seconds",
    ] {
        total(name, 0.0);
    }
    for patch in &patches {
        let finding = findings
            .get(&patch.weakness)
            .ok_or_else(|| format!("{} of the storefront was not proven", patch.weakness))?;
        let file = patch.path.to_string_lossy().into_owned();
        let (change, cost) = json(
            &program,
            &["propose", finding, "--patch", &file, "--repo", &folder],
        )?;
        let verdict = text(&change, "/verification/verdict");
        let decided = decided(&change).unwrap_or("no check");
        total("seconds", rounded(cost.wall_seconds));
        if patch.expect == "verified" {
            total("honest", 1.0);
            total(
                "honest_verified",
                f64::from(u8::from(verdict == "verified")),
            );
        } else {
            total("tried", 1.0);
            total("rejected", f64::from(u8::from(verdict == "rejected")));
            total(
                "inconclusive",
                f64::from(u8::from(verdict == "inconclusive")),
            );
            let right = verdict == "rejected" && decided == patch.expect;
            total("right_reason", f64::from(u8::from(right)));
        }
        let good = if patch.expect == "verified" {
            verdict == "verified"
        } else {
            decided == patch.expect
        };
        if !good {
            note(&format!(
                "{} ({}): expected {}, was {verdict} by {decided}: {}",
                patch.name,
                patch.kind,
                patch.expect,
                text(&change, "/verification/reason")
            ));
        }
    }
    Ok(figures)
}

/// The check whose reason is the verdict's.
fn decided(change: &Value) -> Option<&str> {
    let reason = text(change, "/verification/reason");
    items(change, "/verification/checks")
        .iter()
        .find(|check| text(check, "/result") == "failed" && text(check, "/reason") == reason)
        .map(|check| text(check, "/name"))
}

fn patches(folder: &Path) -> Result<Vec<Patch>, String> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("cannot list the patches: {error}"))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "patch"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let content = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
            patch(path, &content)
        })
        .collect()
}

fn patch(path: PathBuf, content: &str) -> Result<Patch, String> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let head: BTreeMap<&str, &str> = content
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .collect();
    let of = |key: &str| {
        head.get(key)
            .map(|value| (*value).to_owned())
            .ok_or_else(|| format!("`{name}.patch` does not begin with `{key}: ..`"))
    };
    Ok(Patch {
        weakness: of("weakness")?,
        kind: of("kind")?,
        expect: of("expect")?,
        name: name.clone(),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_says_what_must_reject_it_and_every_kind_is_there() {
        let all = patches(&crate::workspace::root().join("fixtures/sabotage")).expect("reads");
        let sabotaged = all
            .iter()
            .filter(|patch| patch.expect != "verified")
            .count();
        assert!(sabotaged >= 60, "{sabotaged}");
        assert!(all.len() - sabotaged >= 6);
        for weakness in ["CWE-89", "CWE-78", "CWE-22"] {
            for kind in [
                "route disabled",
                "404 for all",
                "blacklist",
                "wrong quoting",
                "check after use",
                "twin broken",
                "tests deleted or skipped",
                "unrelated behaviour changed",
                "honest",
            ] {
                assert!(
                    all.iter().any(|p| p.weakness == weakness && p.kind == kind),
                    "{weakness}: {kind}"
                );
            }
        }
    }

    #[test]
    fn the_deciding_check_is_the_failed_one_with_the_verdicts_reason() {
        let change = serde_json::json!({"verification": {"verdict": "rejected", "reason": "b", "checks": [
            {"name": "scope", "result": "failed", "reason": "a"},
            {"name": "family", "result": "unmeasured", "reason": "b"},
            {"name": "twin_works", "result": "failed", "reason": "b"},
        ]}});
        assert_eq!(decided(&change), Some("twin_works"));
        assert_eq!(decided(&serde_json::json!({})), None);
    }

    #[test]
    fn a_patch_without_its_first_lines_is_an_error() {
        let path = PathBuf::from("x.patch");
        assert!(patch(path.clone(), "weakness: CWE-89\n\n--- a\n").is_err());
        assert!(patch(path, "weakness: a\nkind: b\nexpect: c\n\n--- a\n").is_ok());
    }
}
