//! The released program, and the JSON that it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cost::{Cost, measured};
use crate::figures::{Figures, rounded};
use crate::test::cargo;

/// Builds the program as it is released (or finds it built) and gives its path.
pub fn released(root: &Path) -> Result<PathBuf, String> {
    let status = cargo(
        root,
        &["build", "--release", "--quiet", "--package", "solvent"],
    )
    .status()
    .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !status.success() {
        return Err("`cargo build --release --package solvent` failed".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = root.join(target).join("release/solvent");
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!(
            "`{}` is not there after building",
            program.display()
        ))
    }
}

/// Runs a program of one room as it is released (`cargo run` with these arguments) and reads the numbers
/// under `figures` in the JSON object that it prints last. Its exit code is its own verdict on them: a
/// figure that is bad is measured all the same.
pub fn room(root: &Path, target: &[&str], arguments: &[&str]) -> Result<Figures, String> {
    let mut command = cargo(root, &["run", "--release", "--quiet"]);
    command.args(target).arg("--").args(arguments);
    let (output, _) = measured(&mut command)?;
    let words = String::from_utf8_lossy(&output.stdout);
    let last = words.trim().lines().last().unwrap_or_default();
    let document: Value = serde_json::from_str(last).map_err(|_| {
        let words = String::from_utf8_lossy(&output.stderr);
        words
            .trim()
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .to_owned()
    })?;
    let figures = document.get("figures").and_then(Value::as_object);
    let figures = figures.ok_or("no `figures` in what it printed")?;
    Ok(figures
        .iter()
        .filter_map(|(name, n)| Some((name.clone(), rounded(n.as_f64()?))))
        .collect())
}

/// Runs `solvent ARGS --json` and reads the document. The exit code is not an error by itself: 1 means
/// findings, 3 gaps.
pub fn json(program: &Path, arguments: &[&str]) -> Result<(Value, Cost), String> {
    let mut command = Command::new(program);
    command.args(arguments).args(["--json", "--quiet"]);
    let (output, cost) = measured(&mut command)?;
    let document = serde_json::from_slice(&output.stdout).map_err(|error| {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words
            .trim()
            .lines()
            .last()
            .unwrap_or("nothing on standard error");
        format!(
            "`solvent {}` printed no JSON ({error}): {last}",
            arguments.join(" ")
        )
    })?;
    Ok((document, cost))
}

/// Text at a path of keys, empty when it is not there.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub fn number(value: &Value, pointer: &str) -> f64 {
    value
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_default()
}

/// The elements of an array, none when it is not there.
pub fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
