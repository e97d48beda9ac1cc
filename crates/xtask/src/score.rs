//! Scores: the released program on corpora with known answers.
//!
//! A case that was never attacked is not a case survived, so every score gives how many cases were
//! attempted, inconclusive and undecided. A proof on a case that a corpus labels safe counts as
//! `false`; which case it was goes to standard error, with its capsule, to be published as disputed.

mod apps;
mod benchmark;
mod call_graphs;
mod categories;
mod collapse;
mod contradictions;
mod deploy_pairs;
mod fixes;
mod histories;
mod hostile;
mod impact;
mod ledger;
mod open;
mod pycg;
mod reach_pairs;
mod routes;
mod sabotage;
mod secrets;
mod swarm_cg;
mod targets;
mod xast;

use crate::figures::{Figures, Measurement, rounded};
pub use targets::copy_tree;

/// Cases of a suite that were told right and wrong, all of them and by halves: what is tuned is tuned on the
/// even half, by a hash of the case's name, and both are reported.
#[derive(Default)]
struct Halves {
    /// By half: positives, found, negatives, wrongly found.
    counts: [[f64; 4]; 2],
}

impl Halves {
    /// Whether the case is in the half that is tuned on, whose failures are named.
    fn is_even(case: &str) -> bool {
        // FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
        let hash = case.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash % 2 == 0
    }

    fn count(&mut self, case: &str, positive: bool, found: bool) {
        let counts = &mut self.counts[usize::from(!Self::is_even(case))];
        let at = if positive { 0 } else { 2 };
        counts[at] += 1.0;
        counts[at + 1] += f64::from(u8::from(found));
    }

    fn cases(&self) -> f64 {
        self.counts.iter().map(|c| c[0] + c[2]).sum()
    }

    /// Youden's J of the whole and of each half, and both rates of the whole.
    fn write(&self, prefix: &str, figures: &mut Figures) {
        let [even, odd] = self.counts;
        let mut all = even;
        all.iter_mut().zip(odd).for_each(|(a, b)| *a += b);
        let rates = |c: [f64; 4]| (c[1] / c[0].max(1.0), c[3] / c[2].max(1.0));
        for (name, counts) in [("j", all), ("j_even", even), ("j_odd", odd)] {
            let (true_rate, false_rate) = rates(counts);
            figures.insert(format!("{prefix}{name}"), rounded(true_rate - false_rate));
        }
        figures.insert(format!("{prefix}tpr"), rounded(rates(all).0));
        figures.insert(format!("{prefix}fpr"), rounded(rates(all).1));
    }
}

pub const ALL: &[Measurement] = &[
    Measurement {
        name: "static-benchmark-python",
        about: "static verdicts on OWASP BenchmarkPython's sqli, cmdi and pathtraver",
        run: benchmark::fixed,
    },
    Measurement {
        name: "xast",
        about: "static verdicts on xAST's pairs of small programs, its own source and sink given",
        run: xast::run,
    },
    Measurement {
        name: "reach-pairs",
        about: "static verdicts on our own pairs of programs with the same sink, reachable and not",
        run: reach_pairs::run,
    },
    Measurement {
        name: "deploy-pairs",
        about: "exposure and flows across services, on our own pairs of deployments of the same program",
        run: deploy_pairs::run,
    },
    Measurement {
        name: "benchmark-python",
        about: "static verdicts on all fourteen categories of OWASP BenchmarkPython, out of the box",
        run: categories::run,
    },
    Measurement {
        name: "benchmark-java",
        about: "static verdicts on all eleven categories of OWASP BenchmarkJava, out of the box",
        run: categories::java,
    },
    Measurement {
        name: "routes",
        about: "entry points against the routes that frameworks themselves list at run time",
        run: routes::run,
    },
    Measurement {
        name: "impact",
        about: "what two hundred real commits touch, against scans of the whole before and after each",
        run: impact::run,
    },
    Measurement {
        name: "runtime-contradictions",
        about: "functions that ran while applications were crawled, against what is called unreachable",
        run: contradictions::run,
    },
    Measurement {
        name: "hostile",
        about: "mutated programs, deep nesting, circles and bundles in four languages: panics, hangs, memory, silent cuts",
        run: hostile::run,
    },
    Measurement {
        name: "pycg",
        about: "call edges of PyCG's micro-benchmark",
        run: pycg::run,
    },
    Measurement {
        name: "swarm-cg",
        about: "call edges of SWARM-CG's micro-benchmarks in JavaScript and Java",
        run: swarm_cg::run,
    },
    Measurement {
        name: "prove-benchmark-python",
        about: "proofs on OWASP BenchmarkPython's sqli, cmdi and pathtraver, from source alone",
        run: benchmark::proven,
    },
    Measurement {
        name: "open-targets",
        about: "confirmed flaws of 23 open applications: static verdicts beside other scanners, proofs on three of them",
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
