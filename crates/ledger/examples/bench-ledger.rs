//! Prints appends and verification speed as one JSON line: `cargo run --release -p solvent-ledger
//! --example bench-ledger [FOLDER] [RECORDS]`. The folder should be on the disk that matters.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/all/support.rs"]
mod support;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use solvent_ledger::{Ledger, verify};
use support::{Rng, TempDir, World, bulk, intent};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let home = TempDir::new("bench");
    let folder = arguments
        .next()
        .map_or_else(|| home.join("ledger"), PathBuf::from);
    let records = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000_u64);
    let world = World::new(1);
    let mut rng = Rng(1);
    let mut ledger = Ledger::create(&folder, &world).expect("a fresh folder");

    let single = 200;
    let started = Instant::now();
    for _ in 0..single {
        let mut body = intent(&mut rng);
        body.decision = None;
        ledger.append(&world, body).expect("room on the disk");
    }
    let single_rate = f64::from(single) / started.elapsed().as_secs_f64();

    let started = Instant::now();
    let before = ledger.size();
    while ledger.size() < records {
        bulk(&mut ledger, &world, &mut rng, 64);
    }
    let group_rate = (ledger.size() - before) as f64 / started.elapsed().as_secs_f64();

    let proofs = 200;
    let started = Instant::now();
    let mut hashes = 0;
    for _ in 0..proofs {
        let proof = ledger
            .inclusion_proof(rng.below(ledger.size()))
            .expect("a whole ledger");
        hashes += proof.path.len();
    }
    let proof_ms = started.elapsed().as_secs_f64() * 1_000.0 / f64::from(proofs);

    let key = ledger.trusted_key().clone();
    let outside = ledger.checkpoint();
    let size = ledger.size();
    drop(ledger);
    let started = Instant::now();
    let report = verify(&folder, &key, Some(outside.as_bytes())).expect("a readable folder");
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(report.faults, [], "an honest ledger raised an alarm");
    let line = json!({
        "name": "ledger",
        "measured": true,
        "figures": {
            "records": size,
            "durable_appends_per_s_alone": single_rate.round(),
            "durable_appends_per_s_groups_of_64": group_rate.round(),
            "verified_per_s_one_core": (size as f64 / seconds).round(),
            "verify_seconds": seconds,
            "inclusion_proof_ms": proof_ms,
            "inclusion_proof_hashes_mean": hashes as f64 / f64::from(proofs),
        },
    });
    let _ = writeln!(std::io::stdout(), "{line}");
}
