//! Judges generated histories of changes by the library and by its definition, and prints the figures as
//! one JSON line: `cargo run --release -p solvent-govern --example score-histories`. It asks the library:
//! no released command judges a history that did not happen. The first argument is the number of
//! histories, ten thousand unless given, the second the seed.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing run")]

#[path = "../tests/all/histories/mod.rs"]
mod histories;

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

fn main() -> Result<ExitCode, String> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |usual| match arguments.next() {
        Some(Ok(number)) => Ok(number),
        Some(Err(error)) => Err(format!("not a number: {error}")),
        None => Ok(usual),
    };
    let (count, seed) = (number(10_000)?, number(2026)?);
    let outcome = histories::run(seed, count);
    for violation in outcome.violations.iter().take(5) {
        writeln!(std::io::stderr(), "{violation}").map_err(|error| error.to_string())?;
    }
    let mut figures = Map::from_iter([
        ("histories".to_owned(), Value::from(outcome.histories)),
        ("merged".to_owned(), Value::from(outcome.merged)),
        (
            "violations".to_owned(),
            Value::from(outcome.violations.len()),
        ),
    ]);
    for (mistake, (tried, caught)) in &outcome.seeded {
        figures.insert(format!("seeded_{mistake}"), Value::from(*tried));
        figures.insert(format!("caught_{mistake}"), Value::from(*caught));
    }
    let line = json!({"name": "histories", "measured": true, "figures": figures});
    writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())?;
    Ok(if outcome.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
