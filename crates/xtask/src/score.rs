//! Scores: the released program on corpora with known answers.
//!
//! A case that was never attacked is not a case survived, so every score gives how many cases were
//! attempted, inconclusive and undecided. A proof on a case that a corpus labels safe counts as
//! `false`; which case it was goes to standard error, with its capsule, to be published as disputed.

mod benchmark;
mod collapse;
mod fixes;
mod histories;
mod ledger;
mod sabotage;
mod secrets;
mod targets;

use crate::figures::Measurement;
pub use targets::copy_tree;

pub const ALL: &[Measurement] = &[
    Measurement {
        name: "static-benchmark-python",
        about: "static verdicts on OWASP BenchmarkPython's sqli, cmdi and pathtraver",
        run: benchmark::fixed,
    },
    Measurement {
        name: "prove-benchmark-python",
        about: "proofs on OWASP BenchmarkPython's sqli, cmdi and pathtraver, from source alone",
        run: benchmark::proven,
    },
    Measurement {
        name: "open-targets",
        about: "proofs on dsvw, vulpy-bad and flaskcode against their confirmed flaws",
        run: targets::run,
    },
    Measurement {
        name: "fixes",
        about: "verified patches for what is proven on dsvw, vulpy-bad and flaskcode",
        run: fixes::run,
    },
    Measurement {
        name: "collapse",
        about: "the pile of bandit and semgrep on open applications, and confirmed flaws lost from it",
        run: collapse::run,
    },
    Measurement {
        name: "ledger",
        about: "random tampering with ledger folders that must be detected",
        run: ledger::run,
    },
    Measurement {
        name: "histories",
        about: "generated histories of changes, and mistakes in them that must not lead to a merge",
        run: histories::run,
    },
    Measurement {
        name: "sabotage",
        about: "patches to the storefront that must be rejected, each for its reason, and honest ones",
        run: sabotage::run,
    },
    Measurement {
        name: "secrets",
        about: "secrets planted in a target and its shell, looked for in everything the program gives out",
        run: secrets::run,
    },
];
