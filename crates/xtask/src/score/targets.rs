//! Open applications with confirmed flaws: each flaw proven, everything else silent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, number, released, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    target: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub name: String,
    /// Folder, or archive of one folder, below the corpora.
    corpus: String,
    /// Content of `solvent.toml`; nothing: the recipe is inferred.
    recipe: Option<String>,
    flaw: Vec<Flaw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flaw {
    weakness: String,
    /// Text in the entry point's label.
    entry: String,
    /// Name of the input, where several flaws share an entry point.
    input: Option<String>,
}

/// Runs `one` upon each target, unpacked anew; it adds to the figures by name.
pub(super) fn each(
    place: &Place,
    one: impl Fn(&Path, &Target, &Path, &mut dyn FnMut(&str, f64)) -> Result<(), String>,
) -> Result<Figures, String> {
    let targets: Targets = toml::from_str(include_str!("../../targets.toml"))
        .map_err(|error| format!("`crates/xtask/targets.toml`: {error}"))?;
    for target in &targets.target {
        place.corpus(&target.corpus)?;
    }
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    let mut total = |name: &str, value: f64| *figures.entry(name.to_owned()).or_default() += value;
    for target in &targets.target {
        let folder = unpack(place, target)?;
        one(&program, target, &folder, &mut total)?;
    }
    Ok(figures)
}

/// Static verdicts on all of the open applications, and proofs on those whose recipe is known; where one of the two
/// is unmeasured, the other is measured all the same.
pub fn run(place: &Place) -> Result<Figures, String> {
    match (super::open::run(place), proofs(place)) {
        (Ok(mut figures), Ok(proofs)) => {
            figures.extend(proofs);
            Ok(figures)
        }
        (Ok(figures), Err(why)) => {
            note(&format!("unmeasured: proofs: {why}"));
            Ok(figures)
        }
        (Err(why), Ok(figures)) => {
            note(&format!("unmeasured: static verdicts: {why}"));
            Ok(figures)
        }
        (Err(why), Err(_)) => Err(why),
    }
}

fn proofs(place: &Place) -> Result<Figures, String> {
    each(place, |program, target, folder, total| {
        let folder = folder.to_string_lossy();
        let (report, cost) = json(program, &["prove", "--no-git", &folder])?;
        let tally = tally(target, items(&report, "/proofs"));
        for line in &tally.notes {
            note(&format!("{}: {line}", target.name));
        }
        for (name, value) in [
            ("flaws", target.flaw.len()),
            ("proven", tally.proven),
            ("unexpected", tally.unexpected),
            ("inconclusive", tally.inconclusive),
            ("attempted", tally.attempted),
        ] {
            total(name, value as f64);
            total(&format!("{}_{name}", target.name), value as f64);
        }
        total("requests", tally.requests);
        total("seconds", rounded(cost.wall_seconds));
        total(
            &format!("{}_seconds", target.name),
            rounded(cost.wall_seconds),
        );
        Ok(())
    })
}

#[derive(Default)]
struct Tally {
    /// Confirmed flaws with a proof.
    proven: usize,
    /// Proofs that answer to no confirmed flaw.
    unexpected: usize,
    inconclusive: usize,
    /// Findings that were attacked at least once.
    attempted: usize,
    requests: f64,
    notes: Vec<String>,
}

fn tally(target: &Target, proofs: &[Value]) -> Tally {
    let mut tally = Tally::default();
    let mut done = vec![false; target.flaw.len()];
    for proof in proofs {
        tally.requests += number(proof, "/requests");
        tally.attempted += usize::from(number(proof, "/attacks") > 0.0);
        let (entry, input) = (text(proof, "/entry"), text(proof, "/input"));
        let weakness = text(proof, "/weakness");
        let answers = |flaw: &Flaw| {
            flaw.weakness == weakness
                && entry.contains(&flaw.entry)
                && flaw.input.as_ref().is_none_or(|name| {
                    input
                        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                        .any(|w| w == name)
                })
        };
        match text(proof, "/outcome") {
            "proven" => match target.flaw.iter().position(answers) {
                Some(index) => done[index] = true,
                None => {
                    tally.unexpected += 1;
                    tally
                        .notes
                        .push(format!("unexpected proof: {weakness} at {entry}, {input}"));
                }
            },
            "inconclusive" => {
                tally.inconclusive += 1;
                let reason = text(proof, "/reason");
                tally
                    .notes
                    .push(format!("inconclusive: {weakness} at {entry}: {reason}"));
            }
            _ => {}
        }
    }
    for (flaw, _) in target.flaw.iter().zip(&done).filter(|(_, done)| !**done) {
        let input = flaw.input.as_deref().unwrap_or("any input");
        tally.notes.push(format!(
            "not proven: {} at {}, {input}",
            flaw.weakness, flaw.entry
        ));
    }
    tally.proven = done.iter().filter(|done| **done).count();
    tally
}

/// A copy in the scratch folder, with its recipe; archives are unpacked and their only folder is taken.
fn unpack(place: &Place, target: &Target) -> Result<PathBuf, String> {
    let folder = copied(place, target)?;
    if let Some(recipe) = &target.recipe {
        fs::write(folder.join("solvent.toml"), recipe)
            .map_err(|error| format!("cannot write the recipe: {error}"))?;
    }
    Ok(folder)
}

fn copied(place: &Place, target: &Target) -> Result<PathBuf, String> {
    let corpus = place.corpus(&target.corpus)?;
    let folder = place.scratch.join(&target.name);
    if corpus.is_dir() {
        copy_tree(&corpus, &folder, &|path| {
            path.file_name().is_some_and(|name| name != ".git")
        })?;
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make a folder: {error}"))?;
    let status = Command::new("tar")
        .arg("-xf")
        .arg(&corpus)
        .arg("-C")
        .arg(&folder)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(format!("cannot unpack `{}`", target.corpus));
    }
    let mut inside = fs::read_dir(&folder)
        .map_err(|error| error.to_string())?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    match (inside.next(), inside.next()) {
        (Some(only), None) if only.is_dir() => Ok(only),
        _ => Ok(folder),
    }
}

/// Copies regular files and folders for which `keep` holds; links are left out.
pub fn copy_tree(from: &Path, to: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| format!("cannot make a folder: {error}"))?;
    let entries = fs::read_dir(from).map_err(|error| format!("cannot list a folder: {error}"))?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if !keep(&path) {
            continue;
        }
        let target = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_tree(&path, &target, keep)?,
            Ok(kind) if kind.is_file() => {
                fs::copy(&path, &target).map_err(|error| format!("cannot copy: {error}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder a repository of one commit, on `main`.
pub(super) fn repository(folder: &Path) -> Result<(), String> {
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "--all", "--force"][..],
        &["commit", "--quiet", "--message", "As it is"][..],
    ] {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args([
                "-c",
                "user.name=score",
                "-c",
                "user.email=score@example.org",
            ])
            .args(arguments)
            .output()
            .map_err(|error| format!("cannot start git: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "names of cases go beside the figures")]
pub(super) fn note(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_targets_has_eleven_flaws() {
        let targets: Targets =
            toml::from_str(include_str!("../../targets.toml")).expect("it is TOML");
        assert_eq!(
            targets.target.iter().map(|t| t.flaw.len()).sum::<usize>(),
            11
        );
    }

    #[test]
    fn a_proof_that_answers_to_no_flaw_is_unexpected() {
        let flaw = |input: &str| Flaw {
            weakness: "CWE-89".to_owned(),
            entry: "/login".to_owned(),
            input: Some(input.to_owned()),
        };
        let target = Target {
            name: "x".to_owned(),
            corpus: "x".to_owned(),
            recipe: None,
            flaw: vec![flaw("password"), flaw("name")],
        };
        let proof = |entry: &str, input: &str, outcome: &str| {
            serde_json::json!({ "entry": entry, "input": input, "outcome": outcome,
                "weakness": "CWE-89", "attacks": 1, "requests": 2 })
        };
        let tally = tally(
            &target,
            &[
                proof("POST /login", "form field password", "proven"),
                proof("POST /login", "form field password", "proven"),
                proof("POST /other", "form field password", "proven"),
                proof("POST /login", "form field name", "inconclusive"),
            ],
        );
        assert_eq!(
            (tally.proven, tally.unexpected, tally.inconclusive),
            (1, 1, 1)
        );
        assert_eq!((tally.attempted, tally.requests), (4, 8.0));
    }
}
