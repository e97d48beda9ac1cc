//! How long an answer takes that was given before, for all of a tree or for all but one function of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::cost::measured;
use crate::figures::{Figures, Place, rounded};
use crate::program::{number, released};

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

/// A statement more in one function of a tree that is watched, until it is said what that made another.
pub fn edit(place: &Place) -> Result<Figures, String> {
    let tree = Checkout::of(place, "django/django")?;
    let mut watched = Watched::begin(&tree)?;
    let (_, first) = watched.answer()?;
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
        let began = Instant::now();
        fs::write(path, edited).map_err(|error| error.to_string())?;
        let (answer, _) = watched.answer()?;
        took.push(rounded(began.elapsed().as_secs_f64() * 1000.0));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if answer["by"] != "analysed" || !answer["files"].to_string().contains(&*name) {
            return Err(format!("the answer is not about {name}"));
        }
        // What is undone was analysed before: not counted.
        fs::write(path, before).map_err(|error| error.to_string())?;
        watched.answer()?;
    }
    if took.is_empty() {
        return Err("no function to edit was found".to_owned());
    }
    Ok(Figures::from([
        ("first_ms".to_owned(), rounded(first * 1000.0)),
        ("edits".to_owned(), took.len() as f64),
        ("p50_ms".to_owned(), quantile(&mut took, 0.5)),
        ("p95_ms".to_owned(), quantile(&mut took, 0.95)),
    ]))
}

/// `solvent watch` on a tree.
struct Watched {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watched {
    fn begin(tree: &Checkout) -> Result<Self, String> {
        let mut command = Command::new(&tree.program);
        command
            .args(["watch", "--json"])
            .arg(&tree.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let out = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            child,
            lines: BufReader::new(out).lines(),
        })
    }

    /// The next answer, and the seconds that it says it took.
    fn answer(&mut self) -> Result<(serde_json::Value, f64), String> {
        let line = self.lines.next().ok_or("`solvent watch` ended")?;
        let line = line.map_err(|error| error.to_string())?;
        let answer: serde_json::Value =
            serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let seconds = number(&answer, "/seconds");
        Ok((answer, seconds))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
