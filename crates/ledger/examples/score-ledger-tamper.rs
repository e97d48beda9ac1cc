//! Prints the tampering score as one JSON line: `cargo run --release -p solvent-ledger --example
//! score-ledger-tamper [SEED] [ATTEMPTS] [HONEST]`. Exits 1 when something went unnoticed or an
//! honest ledger raised an alarm.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/all/support.rs"]
mod support;
#[path = "../tests/all/tamper.rs"]
mod tamper;

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().ok());
    let mut next = |default| numbers.next().flatten().unwrap_or(default);
    let (seed, attempts, ledgers) = (next(20_261_122), next(1_000), next(100));
    let score = tamper::campaign(seed, attempts);
    let alarms = tamper::honest(seed, ledgers);
    let clean = score.missed.is_empty() && alarms.is_empty() && score.past_miscounted == 0;
    for line in score.missed.iter().chain(&alarms) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    let kinds: serde_json::Map<String, serde_json::Value> = score
        .kinds
        .iter()
        .map(|(kind, (attempted, detected))| {
            (
                kind.to_string(),
                json!({ "attempted": attempted, "detected": detected }),
            )
        })
        .collect();
    let line = json!({
        "name": "ledger-tamper",
        "measured": true,
        "figures": {
            "attempted": score.attempted(),
            "detected": score.detected(),
            "kinds": score.kinds.len(),
            "past_checkpoint_cuts": score.past_cuts.0,
            "past_checkpoint_cuts_detected": score.past_cuts.1,
            "past_checkpoint_windows_wrong": score.past_miscounted,
            "honest_ledgers": ledgers,
            "false_alarms": alarms.len(),
            "seed": seed,
        },
        "by_kind": kinds,
    });
    let _ = writeln!(std::io::stdout(), "{line}");
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
