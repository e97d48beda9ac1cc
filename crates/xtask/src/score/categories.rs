//! OWASP BenchmarkPython and BenchmarkJava, all categories, against their own labels: static verdicts, out of the box.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::Halves;
use super::benchmark::{copy, labels};
use super::targets::{copy_tree, note};
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};

/// Categories that are no flow of input: a weak hash, a weak random number, a cookie without its flags.
const NO_FLOW: [&str; 4] = ["crypto", "hash", "securecookie", "weakrand"];

struct Case {
    category: String,
    weakness: String,
    vulnerable: bool,
}

/// BenchmarkPython.
pub fn run(place: &Place) -> Result<Figures, String> {
    judged(place, &labels(place)?, &copy(place)?)
}

/// BenchmarkJava: its own J over all cases, and the worst rate of false alarms of any category.
pub fn java(place: &Place) -> Result<Figures, String> {
    let corpus = place.corpus("BenchmarkJava")?;
    let copy = place.scratch.join("BenchmarkJava");
    copy_tree(&corpus.join("src/main/java"), &copy, &|_| true)?;
    // What the program loads when it runs lies beside its source text.
    let resources = copy.join("resources");
    copy_tree(&corpus.join("src/main/resources"), &resources, &|_| true)?;
    let labels = corpus.join("expectedresults-1.2.csv");
    let all = judged(place, &labels, &copy.to_string_lossy())?;
    let mut figures = Figures::new();
    for (name, from) in [
        ("j", "all_j"),
        ("j_even", "all_j_even"),
        ("j_odd", "all_j_odd"),
    ] {
        figures.insert(name.to_owned(), all.get(from).copied().unwrap_or_default());
    }
    let worst = all
        .iter()
        .filter(|(name, _)| name.ends_with("_fpr"))
        .map(|(_, rate)| *rate)
        .fold(0.0, f64::max);
    figures.insert("worst_fpr".to_owned(), worst);
    figures.extend(all);
    Ok(figures)
}

fn judged(place: &Place, labels: &Path, corpus: &str) -> Result<Figures, String> {
    let csv = fs::read_to_string(labels).map_err(|e| format!("cannot read labels: {e}"))?;
    let cases = cases(&csv);
    if cases.is_empty() {
        return Err("the labels name no case".to_owned());
    }
    let program = released(&place.root)?;
    let (report, cost) = json(&program, &["scan", "--no-git", corpus])?;
    // Verdicts by case and weakness.
    let mut said: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for finding in items(&report, "/findings") {
        let at = [
            text(finding, "/sink/place/path"),
            text(finding, "/entry/label"),
        ];
        let names = at
            .iter()
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        for name in names.filter(|name| cases.contains_key(*name)) {
            said.entry((name, text(finding, "/weakness")))
                .or_default()
                .insert(text(finding, "/verdict/word"));
        }
    }
    let mut figures = Figures::new();
    let (mut taint, mut all) = (Halves::default(), Halves::default());
    let mut undecided = 0.0;
    let mut by_category: BTreeMap<&str, Halves> = BTreeMap::new();
    for (name, case) in &cases {
        let words = said.get(&(name.as_str(), case.weakness.as_str()));
        let has = |word: &str| words.is_some_and(|words| words.contains(word));
        let found = has("reachable");
        if !found && has("undecided") {
            undecided += 1.0;
        }
        if found != case.vulnerable && Halves::is_even(name) {
            let (category, label) = (&case.category, case.vulnerable);
            note(&format!(
                "{name} ({category}): labelled {label}, found: {found}"
            ));
        }
        all.count(name, case.vulnerable, found);
        if !NO_FLOW.contains(&case.category.as_str()) {
            taint.count(name, case.vulnerable, found);
        }
        by_category
            .entry(&case.category)
            .or_default()
            .count(name, case.vulnerable, found);
    }
    for (category, halves) in &by_category {
        halves.write(&format!("{category}_"), &mut figures);
    }
    taint.write("taint_", &mut figures);
    all.write("all_", &mut figures);
    figures.insert("cases".to_owned(), all.cases());
    figures.insert(
        "undecided_share".to_owned(),
        rounded(undecided / all.cases()),
    );
    figures.insert("seconds".to_owned(), rounded(cost.wall_seconds));
    Ok(figures)
}

/// Test name, category, `true` or `false`, CWE number per line; `#` starts the head.
fn cases(csv: &str) -> BTreeMap<String, Case> {
    csv.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [name, category, label, number, ..] = cells[..] else {
                return None;
            };
            let case = Case {
                category: category.to_owned(),
                weakness: format!("CWE-{number}"),
                vulnerable: label == "true",
            };
            Some((name.to_owned(), case))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_are_read_by_name_with_their_weakness() {
        let cases = super::cases(
            "# head\nBenchmarkTest1,xss,true,79\nBenchmarkTest2,hash,false,328\nbroken\n",
        );
        assert_eq!(cases.len(), 2);
        let case = &cases["BenchmarkTest1"];
        assert!(case.vulnerable && case.weakness == "CWE-79" && case.category == "xss");
    }
}
