//! The fixers' own patches on open applications: of the flaws that are proven, how many get one that holds.
//!
//! Each flaw is fixed by itself upon the untouched application, so one bad patch costs one flaw. A flaw whose
//! root cause another change repairs already counts with that change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, text};
use crate::score::targets::{each, note, repository};

/// Weaknesses that have a fixer.
const IN_SCOPE: [&str; 3] = ["CWE-89", "CWE-78", "CWE-22"];

pub fn run(place: &Place) -> Result<Figures, String> {
    each(place, |program, target, folder, total| {
        repository(folder)?;
        let folder = folder.to_string_lossy();
        let (report, _) = json(program, &["prove", &folder])?;
        let proven: Vec<&Value> = items(&report, "/proofs")
            .iter()
            .filter(|proof| text(proof, "/outcome") == "proven")
            .filter(|proof| IN_SCOPE.contains(&text(proof, "/weakness")))
            .collect();
        // Verdicts of changes by the findings that they are about.
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for proof in proven {
            let id = text(proof, "/id");
            let what = format!(
                "{}: {} at {}",
                target.name,
                text(proof, "/weakness"),
                text(proof, "/entry")
            );
            let mut seconds = 0.0;
            if !known.contains_key(id) {
                let (verdict, reason) = match json(program, &["fix", id, "--repo", &folder]) {
                    Ok((change, cost)) => {
                        seconds = rounded(cost.wall_seconds);
                        let verdict = text(&change, "/verification/verdict").to_owned();
                        for finding in items(&change, "/findings") {
                            known.insert(text(finding, "/id").to_owned(), verdict.clone());
                        }
                        let reason = text(&change, "/verification/reason").to_owned();
                        (verdict, reason)
                    }
                    Err(words) => ("none".to_owned(), words),
                };
                if verdict != "verified" {
                    note(&format!("{what}: {verdict}: {reason}"));
                }
                known.insert(id.to_owned(), verdict);
            }
            let verdict = known.get(id).map_or("none", String::as_str);
            for (name, value) in [
                ("proven", 1.0),
                ("verified", f64::from(u8::from(verdict == "verified"))),
                ("rejected", f64::from(u8::from(verdict == "rejected"))),
                (
                    "inconclusive",
                    f64::from(u8::from(verdict == "inconclusive")),
                ),
                ("without_a_patch", f64::from(u8::from(verdict == "none"))),
                ("seconds", seconds),
            ] {
                total(name, value);
                if matches!(name, "proven" | "verified") {
                    total(&format!("{}_{name}", target.name), value);
                }
            }
        }
        Ok(())
    })
}
