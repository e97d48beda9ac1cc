//! OWASP BenchmarkPython, three categories, against its own labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::targets::note;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, number, released, text};

/// Category of the corpus, and the weakness that it is.
const CATEGORIES: [(&str, &str); 3] = [
    ("sqli", "CWE-89"),
    ("cmdi", "CWE-78"),
    ("pathtraver", "CWE-22"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    category: String,
    weakness: &'static str,
    vulnerable: bool,
}

/// Cases in scope by name.
type Cases = BTreeMap<String, Case>;

/// Static verdicts.
pub fn fixed(place: &Place) -> Result<Figures, String> {
    let cases = cases(place)?;
    let program = released(&place.root)?;
    let corpus = copy(place)?;
    let (report, cost) = json(&program, &["scan", "--no-git", &corpus])?;
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for finding in items(&report, "/findings") {
        let place = format!("{} {}", text(finding, "/sink/place/path"), entry(finding));
        if let Some((name, case)) = case_of(&cases, &place)
            && text(finding, "/weakness") == case.weakness
        {
            words
                .entry(name.clone())
                .or_default()
                .insert(text(finding, "/verdict/word").to_owned());
        }
    }
    let mut figures = Figures::new();
    let (mut tp, mut fp, mut positives, mut negatives) = (0.0, 0.0, 0.0, 0.0);
    for (category, _) in CATEGORIES {
        for (name, case) in cases.iter().filter(|(_, case)| case.category == category) {
            let has = |word: &str| words.get(name).is_some_and(|words| words.contains(word));
            let verdict = ["reachable", "undecided", "no_path"]
                .into_iter()
                .find(|w| has(w));
            let label = if case.vulnerable {
                "vulnerable"
            } else {
                "safe"
            };
            // Without a finding there is no sink of the weakness whose argument is not constant.
            let verdict = verdict.unwrap_or("silent");
            *figures
                .entry(format!("{category}_{label}_{verdict}"))
                .or_default() += 1.0;
            let found = f64::from(u8::from(verdict == "reachable"));
            if case.vulnerable {
                positives += 1.0;
                tp += found;
            } else {
                negatives += 1.0;
                fp += found;
            }
            if verdict == "undecided" {
                *figures.entry("undecided".to_owned()).or_default() += 1.0;
            }
            if (verdict == "reachable") != case.vulnerable {
                note(&format!(
                    "{name} ({category}) is {label} and came out {verdict}"
                ));
            }
        }
    }
    figures.insert("cases".to_owned(), positives + negatives);
    figures.insert("true_positive_rate".to_owned(), rounded(tp / positives));
    figures.insert("false_positive_rate".to_owned(), rounded(fp / negatives));
    figures.insert(
        "youden_j".to_owned(),
        rounded(tp / positives - fp / negatives),
    );
    figures.entry("undecided".to_owned()).or_default();
    figures.insert("seconds".to_owned(), rounded(cost.wall_seconds));
    Ok(figures)
}

/// Proofs: the pipeline from source alone, then every safe case attacked whatever the verdict is.
pub fn proven(place: &Place) -> Result<Figures, String> {
    let cases = cases(place)?;
    if !(12..=20).any(has_python) {
        return Err("the corpus loads on Python 3.12 or later, and none was found".to_owned());
    }
    let program = released(&place.root)?;
    let corpus = copy(place)?;
    let mut figures = Figures::new();

    let (report, cost) = json(
        &program,
        &["prove", "--no-git", "--max-seconds", "36000", &corpus],
    )?;
    let run = tally(&cases, &report);
    run.write("", &mut figures);
    figures.insert("seconds".to_owned(), rounded(cost.wall_seconds));

    let mut arguments = vec![
        "prove",
        "--no-git",
        "--max-seconds",
        "36000",
        "--attack",
        "everything",
    ];
    for (category, _) in CATEGORIES {
        arguments.extend(["--route", category]);
    }
    arguments.push(&corpus);
    let (report, cost) = json(&program, &arguments)?;
    let everything = tally(&cases, &report);
    everything.write("everything_", &mut figures);
    figures.insert("everything_seconds".to_owned(), rounded(cost.wall_seconds));

    for (category, _) in CATEGORIES {
        let wrong: BTreeSet<_> = run.wrong.union(&everything.wrong).collect();
        let count = wrong
            .iter()
            .filter(|name| cases[**name].category == category)
            .count();
        figures.insert(format!("{category}_false"), count as f64);
    }
    let requests = figures.get("requests").copied().unwrap_or_default();
    let attempted = figures.get("attempted").copied().unwrap_or_default();
    if attempted > 0.0 {
        figures.insert(
            "requests_per_case".to_owned(),
            rounded(requests / attempted),
        );
        figures.insert(
            "seconds_per_case".to_owned(),
            rounded(cost_per_case(&report, attempted)),
        );
    }
    if attempted == 0.0 {
        let why = items(&report, "/unmeasured")
            .iter()
            .map(|gap| format!("{}: {}", text(gap, "/what"), text(gap, "/why")))
            .next()
            .unwrap_or_else(|| "no case was attacked".to_owned());
        return Err(why);
    }
    Ok(figures)
}

fn cost_per_case(report: &Value, cases: f64) -> f64 {
    items(report, "/proofs")
        .iter()
        .map(|proof| number(proof, "/seconds"))
        .sum::<f64>()
        / cases
}

/// What a campaign did to the cases.
#[derive(Default)]
struct Tally {
    /// Safe cases with a proof.
    wrong: BTreeSet<String>,
    proven: BTreeSet<String>,
    attempted: BTreeSet<String>,
    inconclusive: BTreeSet<String>,
    safe_attempted: BTreeSet<String>,
    requests: f64,
}

fn tally(cases: &Cases, report: &Value) -> Tally {
    let mut tally = Tally::default();
    for proof in items(report, "/proofs") {
        let Some((name, case)) = case_of(cases, text(proof, "/entry")) else {
            continue;
        };
        if text(proof, "/weakness") != case.weakness {
            continue;
        }
        tally.requests += number(proof, "/requests");
        if number(proof, "/attacks") > 0.0 {
            tally.attempted.insert(name.clone());
            if !case.vulnerable {
                tally.safe_attempted.insert(name.clone());
            }
        }
        match (text(proof, "/outcome"), case.vulnerable) {
            ("proven", true) => {
                tally.proven.insert(name.clone());
            }
            ("proven", false) => {
                let capsule = text(proof, "/capsule");
                note(&format!(
                    "disputed: {name} is labelled safe and was proven, capsule {capsule}"
                ));
                tally.wrong.insert(name.clone());
            }
            ("inconclusive", _) => {
                tally.inconclusive.insert(name.clone());
            }
            _ => {}
        }
    }
    let missing = cases
        .iter()
        .filter(|(name, case)| case.vulnerable && !tally.proven.contains(*name));
    for (name, case) in missing {
        note(&format!(
            "{name} ({}) is labelled vulnerable and was not proven",
            case.category
        ));
    }
    tally
}

impl Tally {
    fn write(&self, prefix: &str, figures: &mut Figures) {
        // A case counts as inconclusive only when no attempt on it was conclusive.
        let open = self.inconclusive.difference(&self.proven).count();
        for (name, count) in [
            ("proven", self.proven.len()),
            ("attempted", self.attempted.len()),
            ("safe_attempted", self.safe_attempted.len()),
            ("inconclusive", open),
            ("false", self.wrong.len()),
        ] {
            figures.insert(format!("{prefix}{name}"), count as f64);
        }
        figures.insert(format!("{prefix}requests"), self.requests);
    }
}

/// Test name, category, `true` or `false`, CWE number per line; `#` starts the head.
fn read_labels(csv: &str) -> Cases {
    let mut cases = Cases::new();
    for line in csv.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split(',').map(str::trim);
        let (Some(name), Some(category), Some(label)) = (cells.next(), cells.next(), cells.next())
        else {
            continue;
        };
        let Some((_, weakness)) = CATEGORIES.iter().find(|(known, _)| *known == category) else {
            continue;
        };
        let category = category.to_owned();
        cases.insert(
            name.to_owned(),
            Case {
                category,
                weakness,
                vulnerable: label == "true",
            },
        );
    }
    cases
}

/// The corpus's file of labels.
pub(super) fn labels(place: &Place) -> Result<PathBuf, String> {
    let corpus = place.corpus("BenchmarkPython")?;
    fs::read_dir(&corpus)
        .map_err(|error| format!("cannot list the corpus: {error}"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("expectedresults") && name.ends_with(".csv")
        })
        .ok_or_else(|| "the corpus has no expectedresults-*.csv".to_owned())
}

fn cases(place: &Place) -> Result<Cases, String> {
    let csv = fs::read_to_string(labels(place)?)
        .map_err(|error| format!("cannot read labels: {error}"))?;
    let cases = read_labels(&csv);
    if cases.is_empty() {
        Err("the labels name no case in scope".to_owned())
    } else {
        Ok(cases)
    }
}

/// The corpus in the scratch folder: nothing is written into the original. Its labels, metadata and
/// results are left behind, so that nothing but source is seen.
pub(super) fn copy(place: &Place) -> Result<String, String> {
    let corpus = place.corpus("BenchmarkPython")?;
    let copy = place.scratch.join("BenchmarkPython");
    super::targets::copy_tree(&corpus, &copy, &|path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !(name.starts_with("expectedresults")
            || name == ".git"
            || name == "results"
            || name == "scripts"
            || (name.starts_with("BenchmarkTest") && name.ends_with(".xml")))
    })?;
    Ok(copy.to_string_lossy().into_owned())
}

/// The entry's label of a finding.
fn entry(finding: &Value) -> &str {
    text(finding, "/entry/label")
}

/// The case whose name stands in `text`, delimited.
fn case_of<'c>(cases: &'c Cases, text: &str) -> Option<(&'c String, &'c Case)> {
    text.split(|c: char| !c.is_alphanumeric())
        .find_map(|word| cases.get_key_value(word))
}

fn has_python(minor: u32) -> bool {
    let name = format!("python3.{minor}");
    let runs = |program: &Path| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if runs(Path::new(&name)) {
        return true;
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    let versions = Path::new(&home).join(".pyenv/versions");
    fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|version| {
            let folder = version.file_name().to_string_lossy().into_owned();
            folder.starts_with(&format!("3.{minor}")) && runs(&version.path().join("bin/python"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &str = "# test name, category, real vulnerability, cwe\n\
        BenchmarkTest00001,pathtraver,true,22\n\
        BenchmarkTest00002,weakrand,true,330\n\
        BenchmarkTest00003,sqli,false,89\n";

    #[test]
    fn labels_of_other_categories_are_left_out() {
        let cases = read_labels(LABELS);
        assert_eq!(
            cases.keys().collect::<Vec<_>>(),
            ["BenchmarkTest00001", "BenchmarkTest00003"]
        );
        assert!(cases["BenchmarkTest00001"].vulnerable && !cases["BenchmarkTest00003"].vulnerable);
    }

    #[test]
    fn a_proof_on_a_safe_case_is_false_and_one_of_another_weakness_is_not_counted() {
        let cases = read_labels(LABELS);
        let proof = |case: &str, weakness: &str, outcome: &str, attacks: u32| {
            serde_json::json!({
                "entry": format!("POST /benchmark/x-00/{case}"), "weakness": weakness,
                "outcome": outcome, "attacks": attacks, "requests": 10
            })
        };
        let report = serde_json::json!({ "proofs": [
            proof("BenchmarkTest00001", "CWE-22", "proven", 4),
            proof("BenchmarkTest00001", "CWE-89", "proven", 4),
            proof("BenchmarkTest00003", "CWE-89", "proven", 4),
            proof("BenchmarkTest00003", "CWE-89", "inconclusive", 0),
        ]});
        let mut figures = Figures::new();
        tally(&cases, &report).write("", &mut figures);
        assert_eq!(figures["proven"], 1.0);
        assert_eq!(figures["false"], 1.0);
        assert_eq!(figures["attempted"], 2.0);
        assert_eq!(figures["safe_attempted"], 1.0);
        assert_eq!(figures["inconclusive"], 1.0);
        assert_eq!(figures["requests"], 30.0);
    }
}
