//! Tampering with ledger folders, by the ledger crate's own program.

use crate::cost::measured;
use crate::figures::{Figures, Place};
use crate::test::cargo;

/// The program prints one JSON object of names to numbers.
pub fn run(place: &Place) -> Result<Figures, String> {
    if !place.root.join("crates/ledger/src/bin/tamper.rs").is_file() {
        return Err("`crates/ledger` has no `tamper` program".to_owned());
    }
    let arguments = [
        "run",
        "--release",
        "--quiet",
        "--package",
        "solvent-ledger",
        "--bin",
        "tamper",
        "--",
        "--json",
    ];
    let (output, _) = measured(&mut cargo(&place.root, &arguments))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words
            .trim()
            .lines()
            .last()
            .unwrap_or("nothing on standard error")
            .to_owned();
        format!("`tamper` printed no JSON object of numbers ({error}): {last}")
    })
}
