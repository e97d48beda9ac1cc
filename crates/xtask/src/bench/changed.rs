//! How long an answer takes that was given before, for all of a tree or for all but one function of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cost::measured;
use crate::figures::{Figures, Place, rounded};
use crate::program::released;

/// Functions that are edited, one after the other.
const EDITS: usize = 20;

/// A large tree that nobody changed, asked about once more.
pub fn warm(place: &Place) -> Result<Figures, String> {
    let tree = Checkout::of(place, "home-assistant")?;
    let first = tree.answer()?;
    let mut again = Vec::new();
    for _ in 0..5 {
        again.push(tree.answer()?);
    }
    Ok(Figures::from([
        ("first_ms".to_owned(), first),
        ("ms".to_owned(), quantile(&mut again, 0.5)),
    ]))
}

/// A statement more in one function, and the question what that changes.
pub fn edit(place: &Place) -> Result<Figures, String> {
    let tree = Checkout::of(place, "django/django")?;
    tree.answer()?;
    let mut files = Vec::new();
    python_files(&tree.folder, &mut files);
    files.sort();
    let step = (files.len() / EDITS).max(1);
    let mut took = Vec::new();
    for path in files.iter().step_by(step) {
        let before = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let Some(edited) = with_a_statement(&before) else {
            continue;
        };
        fs::write(path, edited).map_err(|error| error.to_string())?;
        took.push(tree.answer()?);
        fs::write(path, before).map_err(|error| error.to_string())?;
    }
    if took.is_empty() {
        return Err("no function to edit was found".to_owned());
    }
    Ok(Figures::from([
        ("edits".to_owned(), took.len() as f64),
        ("p50_ms".to_owned(), quantile(&mut took, 0.5)),
        ("p95_ms".to_owned(), quantile(&mut took, 0.95)),
    ]))
}

/// A corpus under git, with a memory of its own.
struct Checkout {
    program: PathBuf,
    folder: PathBuf,
    cache: PathBuf,
}

impl Checkout {
    fn of(place: &Place, corpus: &str) -> Result<Self, String> {
        let from = place.corpus(corpus)?;
        let out = Self {
            program: released(&place.root)?,
            folder: place.scratch.join("checkout"),
            cache: place.scratch.join("cache"),
        };
        crate::score::copy_tree(&from, &out.folder, &|path| {
            let skipped = [".git", "node_modules"];
            path.file_name()
                .is_some_and(|name| !skipped.iter().any(|skip| name == *skip))
        })?;
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "all"],
        ] {
            let identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
            let mut command = Command::new("git");
            command
                .arg("-C")
                .arg(&out.folder)
                .args(identity)
                .args(arguments);
            let (output, _) = measured(&mut command)?;
            if !output.status.success() {
                let words = String::from_utf8_lossy(&output.stderr);
                return Err(format!("git {}: {}", arguments[0], words.trim()));
            }
        }
        Ok(out)
    }

    /// Milliseconds until `scan --changed` has answered.
    fn answer(&self) -> Result<f64, String> {
        let mut command = Command::new(&self.program);
        command
            .args(["scan", "--changed", "--json"])
            .arg(&self.folder)
            .env("SOLVENT_CACHE", &self.cache);
        let (output, cost) = measured(&mut command)?;
        match serde_json::from_slice::<serde_json::Value>(&output.stdout) {
            Ok(_) => Ok(rounded(cost.wall_seconds * 1000.0)),
            Err(error) => Err(format!(
                "no answer ({error}): {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}

fn python_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(listed) = fs::read_dir(folder) else {
        return;
    };
    for entry in listed.flatten() {
        let path = entry.path();
        if path.is_dir() {
            python_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "py") {
            out.push(path);
        }
    }
}

/// The text with an assignment as the last statement of its first method that ends with a `return` of its own line.
fn with_a_statement(text: &str) -> Option<String> {
    let at = text.find("\n        return ")?;
    let (before, after) = text.split_at(at);
    Some(format!("{before}\n        edited = 1{after}"))
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 - 1.0) * share).round() as usize;
    values[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_a_statement_in_a_method() {
        let text = "class A:\n    def f(self):\n        return 1\n";
        let edited = "class A:\n    def f(self):\n        edited = 1\n        return 1\n";
        assert_eq!(with_a_statement(text).as_deref(), Some(edited));
        assert_eq!(with_a_statement("x = 1\n"), None);
    }

    #[test]
    fn the_middle_and_nearly_the_last() {
        let mut values: Vec<f64> = (0..=20).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.5), 10.0);
        assert_eq!(quantile(&mut values, 0.95), 19.0);
    }
}
