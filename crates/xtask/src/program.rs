//! The released program, and the JSON that it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cost::{Cost, measured};
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
