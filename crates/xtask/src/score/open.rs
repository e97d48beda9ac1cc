//! Static verdicts on open applications, against what real requests confirmed there.
//!
//! `targets-open.json` below the corpora is the record: flaws with weakness, entry point, parameter and sink, and near
//! misses. `open-targets.toml` says where each application's source lies and what the record says in words only.
//! A target that is not there is unmeasured, named, and in no denominator.

mod peers;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::targets::{copy_tree, note};
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};
use record::{Answer, Flaw, NearMiss, Record};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    target: Vec<Source>,
    flaw: Vec<record::Reading>,
    near_miss: Vec<NearMiss>,
}

/// Where a target's source lies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    id: String,
    /// Folders or archives below the corpora; the first that is there counts.
    at: Vec<String>,
    /// How to get it.
    get: String,
}

/// What was counted.
#[derive(Default)]
struct Tally {
    flaws: usize,
    found: usize,
    undecided: usize,
    near_misses: usize,
    near_reachable: usize,
    /// Near misses about which no static finding would be wrong.
    near_other: usize,
    /// Verdicts of all findings.
    verdicts: BTreeMap<String, usize>,
}

/// Findings and confirmed flaws of one runtime, for comparison with scanners that read it.
#[derive(Default)]
struct Noise {
    reachable: usize,
    /// Weaknesses and lines that those are about: other scanners report a line once, whoever reaches it.
    places: usize,
    undecided: usize,
    flaws: usize,
}

pub(super) fn run(place: &Place) -> Result<Figures, String> {
    let table: Table = toml::from_str(include_str!("../../open-targets.toml"))
        .map_err(|error| format!("`crates/xtask/open-targets.toml`: {error}"))?;
    let words = fs::read_to_string(place.corpus("targets-open.json")?)
        .map_err(|e| format!("cannot read `targets-open.json`: {e}"))?;
    let records = record::read(&words, &table.flaw)?;
    let program = released(&place.root)?;
    let mut tally = Tally::default();
    let mut noise: BTreeMap<&str, Noise> = BTreeMap::new();
    let mut figures = Figures::new();
    let mut present = Vec::new();
    let (mut seconds, mut absent_flaws) = (0.0, 0);
    for record in &records {
        let Some(source) = table.target.iter().find(|s| s.id == record.id) else {
            return Err(format!(
                "`open-targets.toml` has no row for `{}`",
                record.id
            ));
        };
        let folder = match unpacked(place, &record.id, &source.at) {
            Ok(folder) => folder,
            Err(why) => {
                note(&format!(
                    "unmeasured: {}: {why}; to get it: {}, as `{}`",
                    record.id, source.get, source.at[0]
                ));
                absent_flaws += record.sinks().count();
                continue;
            }
        };
        let scanned = json(&program, &["scan", "--no-git", &folder.to_string_lossy()]);
        let (report, cost) = match scanned {
            Ok(scanned) => scanned,
            Err(why) => {
                note(&format!("unmeasured: {}: {why}", record.id));
                absent_flaws += record.sinks().count();
                continue;
            }
        };
        seconds += cost.wall_seconds;
        let before = (tally.found, tally.flaws);
        let findings = items(&report, "/findings");
        let entries = items(&report, "/entry_points");
        count(
            place,
            &table,
            record,
            &folder,
            (findings, entries),
            &program,
            &mut tally,
        )?;
        let name = |what: &str| format!("{}_{what}", record.id);
        figures.insert(name("sink_found"), (tally.found - before.0) as f64);
        figures.insert(name("sink_flaws"), (tally.flaws - before.1) as f64);
        figures.insert(name("scan_seconds"), rounded(cost.wall_seconds));
        // The suite of labelled cases has a score of its own, and no count of flaws.
        if !record.suite {
            let noise = noise.entry(record.runtime.as_str()).or_default();
            noise.flaws += record.flaws.len();
            noise.reachable += verdicts(findings, "reachable");
            noise.places += places(findings);
            noise.undecided += verdicts(findings, "undecided");
        }
        present.push((record, folder));
    }
    if present.is_empty() {
        return Err("none of the open applications is below SOLVENT_CORPORA".to_owned());
    }
    tally.write(&mut figures);
    let mut set = |name: &str, value: f64| figures.insert(name.to_owned(), rounded(value));
    set("targets", records.len() as f64);
    set("targets_measured", present.len() as f64);
    set("sink_flaws_unmeasured", absent_flaws as f64);
    set("scan_seconds", seconds);
    let all = noise.values().fold(Noise::default(), |mut all, one| {
        all.reachable += one.reachable;
        all.places += one.places;
        all.undecided += one.undecided;
        all.flaws += one.flaws;
        all
    });
    for (name, noise) in noise
        .iter()
        .map(|(name, n)| (format!("_{name}"), n))
        .chain([(String::new(), &all)])
    {
        let flaws = (noise.flaws as f64).max(1.0);
        set(
            &format!("findings_per_flaw{name}"),
            noise.reachable as f64 / flaws,
        );
        set(
            &format!("places_per_flaw{name}"),
            noise.places as f64 / flaws,
        );
        set(
            &format!("findings_per_flaw{name}_with_undecided"),
            (noise.reachable + noise.undecided) as f64 / flaws,
        );
    }
    peers::run(place, &present, &mut figures);
    Ok(figures)
}

/// Holds the findings of one target against its record.
fn count(
    place: &Place,
    table: &Table,
    record: &Record,
    folder: &Path,
    (findings, entries): (&[Value], &[Value]),
    program: &Path,
    tally: &mut Tally,
) -> Result<(), String> {
    for finding in findings {
        let word = text(finding, "/verdict/word").to_owned();
        *tally.verdicts.entry(word).or_default() += 1;
    }
    for flaw in record.sinks() {
        let answer = flaw.answer(findings, entries);
        tally.flaws += 1;
        tally.found += usize::from(answer == Answer::Found);
        tally.undecided += usize::from(matches!(answer, Answer::Undecided(_)));
        if answer != Answer::Found {
            note(&format!("missed: {}: {answer}", flaw.title()));
        }
    }
    for (at, words) in record.near_misses.iter().enumerate() {
        let Some(reading) = table
            .near_miss
            .iter()
            .find(|n| n.target == record.id && n.text == *words)
        else {
            return Err(format!(
                "`open-targets.toml` has no reading of the near miss {at} of `{}`: `{words}`",
                record.id
            ));
        };
        tally.near_misses += 1;
        if reading.other.is_some() {
            tally.near_other += 1;
            continue;
        }
        let reached = near_miss(place, reading, record, folder, findings, program)?;
        if let Some(said) = reached {
            tally.near_reachable += 1;
            note(&format!(
                "near miss reported: {}: {words}: {said}",
                record.id
            ));
        }
    }
    Ok(())
}

/// The finding that reports a near miss, in words.
fn near_miss(
    place: &Place,
    reading: &NearMiss,
    record: &Record,
    folder: &Path,
    findings: &[Value],
    program: &Path,
) -> Result<Option<String>, String> {
    if let Some(labels) = &reading.labels {
        let csv = fs::read_to_string(folder.join(labels))
            .map_err(|error| format!("{}: cannot read `{labels}`: {error}", record.id))?;
        return Ok(record::labelled(&csv, findings));
    }
    let Some(twin) = &reading.twin else {
        return Ok(findings.iter().find(|f| reading.fits(f)).map(record::words));
    };
    let folder = unpacked(place, &format!("{}-twin", record.id), twin)?;
    let (report, _) = json(program, &["scan", "--no-git", &folder.to_string_lossy()])?;
    let findings = items(&report, "/findings");
    // At the twin's own lines; settings of the program were not repaired there.
    Ok(record
        .sinks()
        .filter(|flaw| flaw.is_of_an_input() && !reading.except.contains(&flaw.id))
        .map(Flaw::anywhere_in_its_file)
        .find(|flaw| flaw.answer(findings, items(&report, "/entry_points")) == Answer::Found)
        .map(|flaw| flaw.title()))
}

/// Weaknesses and lines with a reachable finding.
fn places(findings: &[Value]) -> usize {
    let all: BTreeSet<_> = findings
        .iter()
        .filter(|f| text(f, "/verdict/word") == "reachable")
        .map(|f| {
            let line = f.pointer("/sink/place/line").and_then(Value::as_u64);
            (text(f, "/weakness"), text(f, "/sink/place/path"), line)
        })
        .collect();
    all.len()
}

fn verdicts(findings: &[Value], word: &str) -> usize {
    findings
        .iter()
        .filter(|f| text(f, "/verdict/word") == word)
        .count()
}

impl Tally {
    fn write(&self, figures: &mut Figures) {
        let all: usize = self.verdicts.values().sum();
        let of = |word: &str| self.verdicts.get(word).copied().unwrap_or_default() as f64;
        for (name, value) in [
            ("sink_flaws", self.flaws as f64),
            ("sink_found", self.found as f64),
            ("sink_undecided", self.undecided as f64),
            (
                "sink_recall",
                self.found as f64 / (self.flaws as f64).max(1.0),
            ),
            ("near_misses", self.near_misses as f64),
            ("near_miss_reachable", self.near_reachable as f64),
            ("near_misses_not_static", self.near_other as f64),
            ("findings_reachable", of("reachable")),
            ("findings_undecided", of("undecided")),
            ("findings_no_path", of("no_path")),
            ("undecided_share", of("undecided") / (all as f64).max(1.0)),
        ] {
            figures.insert(name.to_owned(), rounded(value));
        }
    }
}

/// A copy of a target's source in the scratch folder, of which only the tools' own traces are left out.
fn unpacked(place: &Place, id: &str, at: &[String]) -> Result<PathBuf, String> {
    let mut missing = String::new();
    let mut found = None;
    for name in at {
        match place.corpus(name) {
            Ok(path) => {
                found = Some(path);
                break;
            }
            Err(why) if missing.is_empty() => missing = why,
            Err(_) => {}
        }
    }
    let from = found.ok_or(missing)?;
    let folder = place.scratch.join("static").join(id);
    if from.is_dir() {
        copy_tree(&from, &folder, &|path| {
            path.file_name()
                .is_some_and(|name| name != ".git" && name != ".solvent")
        })?;
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make a folder: {e}"))?;
    let mut command = if from.extension().is_some_and(|e| e == "whl" || e == "zip") {
        let mut command = Command::new("python3");
        command
            .args(["-m", "zipfile", "-e"])
            .arg(&from)
            .arg(&folder);
        command
    } else {
        let mut command = Command::new("tar");
        command.arg("-xf").arg(&from).arg("-C").arg(&folder);
        command
    };
    let output = command
        .output()
        .map_err(|e| format!("cannot unpack: {e}"))?;
    if !output.status.success() {
        return Err(format!("cannot unpack `{}`", from.display()));
    }
    let mut inside = fs::read_dir(&folder)
        .map_err(|e| format!("cannot list a folder: {e}"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    match (inside.next(), inside.next()) {
        (Some(only), None) if only.is_dir() => Ok(only),
        _ => Ok(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_open_targets_is_read() {
        let table: Table =
            toml::from_str(include_str!("../../open-targets.toml")).expect("it is TOML");
        assert_eq!((table.target.len(), table.near_miss.len()), (23, 43));
        for near in &table.near_miss {
            assert!(
                table.target.iter().any(|t| t.id == near.target),
                "{}",
                near.target
            );
            assert!(
                near.is_answerable(),
                "`{}` fits every finding or none",
                near.text
            );
        }
    }
}
