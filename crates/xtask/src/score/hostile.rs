//! Hostile trees, scanned whole by the released program: what panics, hangs, eats memory or is cut in silence.
//!
//! Ten thousand mutated programs of each language, five hundred in a tree, and trees of one evil each (see
//! [`solvent_testkit::hostile`]). Programs are those of our own pages, and, where the corpora are there, files of
//! theirs. Every scan runs in a process of its own, with a limit of memory and of time. A tree that breaks the
//! program is halved until one file is left, which stays in the scratch folder and is named on standard error, as
//! is every file that takes longer to read than its budget.
//!
//! `SOLVENT_HOSTILE` names a language, or part of a tree's name, to run only that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use solvent_testkit::hostile::{
    MEMORY_MB, Numbers, Tongue, mutated, programs, scan_budget_s, tree,
};

use super::targets::note;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, released, room, text};

/// Mutated programs of each language.
const FILES: usize = 10_000;
/// Of those in one tree.
const IN_A_TREE: usize = 500;
/// What the trees of one evil repeat.
const SIZE: usize = 100_000;
/// Files of the corpora that are mutated, of each language, and their most bytes.
const FROM_CORPORA: usize = 400;
const MOST_BYTES: u64 = 64 << 10;

/// What became of all scans.
#[derive(Default)]
struct Tally {
    files: usize,
    scans: usize,
    panics: usize,
    over_budget: usize,
    /// Trees that were not followed whole, and no word of it.
    silent: usize,
    worst_ms: f64,
    worst_scan_s: f64,
    peak_mb: f64,
}

/// How one scan ended.
#[derive(Debug)]
struct Ended {
    trouble: Option<String>,
    /// Whether it found something, or told of gaps.
    told: bool,
    cpu_seconds: f64,
    peak_mb: f64,
}

pub fn run(place: &Place) -> Result<Figures, String> {
    let program = released(&place.root)?;
    let only = std::env::var("SOLVENT_HOSTILE").unwrap_or_default();
    let mut all = Tally::default();
    let mut figures = Figures::new();
    for tongue in Tongue::ALL {
        let folder = place.scratch.join(tongue.name());
        let mut tally = Tally::default();
        for tree in tree::all(tongue, SIZE) {
            let name = format!("{}: {}", tongue.name(), tree.name);
            if !name.contains(&only) {
                continue;
            }
            let at = folder.join(tree.name.replace(' ', "-"));
            write(&at, &tree.files)?;
            let ended = scan(&program, &at, tree.bytes())?;
            if tree.must_tell && ended.trouble.is_none() && !ended.told {
                note(&format!("{name}: neither followed nor a word of it"));
                tally.silent += 1;
            }
            tally.add(&name, &ended, tree.files.len());
            read_each(place, &at, &mut tally)?;
            let _ = fs::remove_dir_all(&at);
        }
        if "mutated".contains(&only) || tongue.name().contains(&only) {
            mutations(place, &program, tongue, &mut tally)?;
        }
        tally.write(&format!("{}_", tongue.name()), &mut figures);
        all.files += tally.files;
        all.scans += tally.scans;
        all.panics += tally.panics;
        all.over_budget += tally.over_budget;
        all.silent += tally.silent;
        all.worst_ms = all.worst_ms.max(tally.worst_ms);
        all.worst_scan_s = all.worst_scan_s.max(tally.worst_scan_s);
        all.peak_mb = all.peak_mb.max(tally.peak_mb);
    }
    all.write("", &mut figures);
    Ok(figures)
}

impl Tally {
    fn add(&mut self, name: &str, ended: &Ended, files: usize) {
        self.files += files;
        self.scans += 1;
        self.worst_scan_s = self.worst_scan_s.max(ended.cpu_seconds);
        self.peak_mb = self.peak_mb.max(ended.peak_mb);
        let seconds = ended.cpu_seconds;
        match &ended.trouble {
            None => {}
            Some(trouble) if trouble.starts_with("over budget") => {
                self.over_budget += 1;
                note(&format!("{name}: {trouble}"));
            }
            Some(trouble) => {
                self.panics += 1;
                note(&format!("{name}: {trouble}"));
            }
        }
        if seconds > 5.0 || ended.peak_mb > 1024.0 {
            note(&format!("{name}: {seconds:.1} s, {:.0} MB", ended.peak_mb));
        }
    }

    fn write(&self, prefix: &str, figures: &mut Figures) {
        for (name, value) in [
            ("files", self.files as f64),
            ("scans", self.scans as f64),
            ("panics", self.panics as f64),
            ("over_budget", self.over_budget as f64),
            ("silent", self.silent as f64),
            ("worst_ms", self.worst_ms.round()),
            ("worst_scan_s", rounded(self.worst_scan_s)),
            ("peak_mb", self.peak_mb.round()),
        ] {
            figures.insert(format!("{prefix}{name}"), value);
        }
    }
}

/// Ten thousand programs, mutated.
fn mutations(
    place: &Place,
    program: &Path,
    tongue: Tongue,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut known = programs(&place.root.join("fixtures"), tongue);
    if let Some(corpora) = &place.corpora {
        known.extend(sample(corpora, tongue));
    }
    let all = place.scratch.join(tongue.name()).join("mutated");
    for first in (0..FILES).step_by(IN_A_TREE) {
        let files: Vec<(String, Vec<u8>)> = (first..first + IN_A_TREE)
            .map(|seed| {
                let name = tongue.file(&format!("app/m{seed}"));
                (name, mutated(&mut Numbers(seed as u64), &known))
            })
            .collect();
        let at = all.join(first.to_string());
        write(&at, &files)?;
        let bytes = files.iter().map(|(_, text)| text.len()).sum();
        let ended = scan(program, &at, bytes)?;
        let name = format!("{}: mutated {first}", tongue.name());
        tally.add(&name, &ended, files.len());
        if ended.trouble.is_some() {
            let guilty = halved(place, program, &files)?;
            let names: Vec<&str> = guilty.iter().map(|(name, _)| name.as_str()).collect();
            note(&format!("{name}: by {}", names.join(", ")));
        }
    }
    read_each(place, &all, tally)?;
    let _ = fs::remove_dir_all(&all);
    Ok(())
}

/// As few of these files as break the program; they stay where they were written last.
fn halved(
    place: &Place,
    program: &Path,
    files: &[(String, Vec<u8>)],
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut guilty = files.to_vec();
    let first = files.first().map_or("none", |(name, _)| name);
    let at = place.scratch.join("guilty").join(first.replace('/', "-"));
    while guilty.len() > 1 {
        let (a, b) = guilty.split_at(guilty.len() / 2);
        let mut found = None;
        for half in [a, b] {
            write(&at, half)?;
            let bytes = half.iter().map(|(_, text)| text.len()).sum();
            if scan(program, &at, bytes)?.trouble.is_some() {
                found = Some(half.to_vec());
                break;
            }
        }
        match found {
            Some(half) => guilty = half,
            // Only together.
            None => break,
        }
    }
    write(&at, &guilty)?;
    Ok(guilty)
}

/// Files of the corpora, spread over what is there.
fn sample(corpora: &Path, tongue: Tongue) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    collect(corpora, tongue, &mut paths);
    paths.sort();
    let step = (paths.len() / FROM_CORPORA).max(1);
    let read = paths.iter().step_by(step).take(FROM_CORPORA);
    read.filter_map(|path| fs::read(path).ok()).collect()
}

fn collect(folder: &Path, tongue: Tongue, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !name.starts_with('.') => {
                collect(&path, tongue, paths);
            }
            Ok(kind)
                if kind.is_file()
                    && name.ends_with(&tongue.file(""))
                    && entry.metadata().is_ok_and(|m| m.len() <= MOST_BYTES) =>
            {
                paths.push(path);
            }
            _ => {}
        }
    }
}

fn write(at: &Path, files: &[(String, Vec<u8>)]) -> Result<(), String> {
    let _ = fs::remove_dir_all(at);
    for (name, text) in files {
        let path = at.join(name);
        let folder = path.parent().unwrap_or(at);
        fs::create_dir_all(folder).map_err(|error| format!("cannot make a folder: {error}"))?;
        fs::write(&path, text).map_err(|error| format!("cannot write a file: {error}"))?;
    }
    Ok(())
}

/// What reading each file below a folder takes, by a program of the room that reads.
fn read_each(place: &Place, at: &Path, tally: &mut Tally) -> Result<(), String> {
    let folder = at.display().to_string();
    let target = ["--package", "solvent-lang", "--example", "hostile"];
    match room(&place.root, &target, &[&folder]) {
        Ok(figures) => {
            let of = |name: &str| figures.get(name).copied().unwrap_or_default();
            tally.panics += of("panics") as usize;
            tally.over_budget += of("over_budget") as usize;
            tally.worst_ms = tally.worst_ms.max(of("worst_ms"));
            if of("over_budget") + of("panics") > 0.0 {
                note(&format!(
                    "{folder}: {} files over the budget of reading, {} panics, worst {} ms",
                    of("over_budget"),
                    of("panics"),
                    of("worst_ms")
                ));
            }
            Ok(())
        }
        Err(words) => {
            note(&format!("{folder}: reading broke: {words}"));
            tally.panics += 1;
            Ok(())
        }
    }
}

/// Scans a tree in a process that may take so much memory, and time beyond the budget only to be told from a hang.
fn scan(program: &Path, at: &Path, bytes: usize) -> Result<Ended, String> {
    let budget = scan_budget_s(bytes);
    let (out, errors) = (at.with_extension("json"), at.with_extension("err"));
    let file = |path: &Path| {
        fs::File::create(path).map_err(|error| format!("cannot write a file: {error}"))
    };
    // Address space holds the stacks too, which are reserved whole.
    let limit = (MEMORY_MB + 2048) << 10;
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!(
            "ulimit -v {limit}; exec \"$0\" scan --no-git --json --quiet \"$1\""
        ))
        .arg(program)
        .arg(at)
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&errors)?);
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start a shell: {error}"))?;
    let started = Instant::now();
    let process = format!("/proc/{}", child.id());
    let (mut cpu_seconds, mut peak_mb, mut hung) = (0.0_f64, 0.0_f64, false);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return Err(format!("cannot wait: {error}")),
        }
        let (cpu, peak) = cost(&process);
        cpu_seconds = cpu_seconds.max(cpu);
        peak_mb = peak_mb.max(peak);
        // Others may have the machine: what counts is the processor's time.
        if cpu_seconds > budget * 2.0 || started.elapsed().as_secs_f64() > budget * 20.0 {
            hung = true;
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let words = fs::read_to_string(&errors).unwrap_or_default();
    let document: Value = fs::read(&out)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let trouble = if hung {
        Some(format!(
            "over budget: a hang, stopped after {cpu_seconds:.0} s of {budget:.0}"
        ))
    } else if words.contains("panicked") || !matches!(status.code(), Some(0 | 1 | 3)) {
        let line = words.lines().find(|line| line.contains("panicked"));
        let line = line
            .or_else(|| words.lines().last())
            .unwrap_or("without a word");
        Some(format!("{status}: {line}"))
    } else if text(&document, "/schema").is_empty() {
        Some("no report".to_owned())
    } else if cpu_seconds > budget {
        Some(format!("over budget: {cpu_seconds:.0} s of {budget:.0}"))
    } else if peak_mb > MEMORY_MB as f64 {
        Some(format!("over budget: {peak_mb:.0} MB of {MEMORY_MB}"))
    } else {
        None
    };
    let gaps = !items(&document, "/unmeasured").is_empty() && status.code() == Some(3);
    let found = !items(&document, "/findings").is_empty();
    let _ = fs::remove_file(&out);
    let _ = fs::remove_file(&errors);
    Ok(Ended {
        trouble,
        told: gaps || found,
        cpu_seconds,
        peak_mb,
    })
}

/// Seconds of processor time and peak memory in mebibytes of a process that lives: proc(5).
fn cost(process: &str) -> (f64, f64) {
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
    let fields: BTreeMap<&str, &str> = status.lines().filter_map(|l| l.split_once(':')).collect();
    let peak = fields
        .get("VmHWM")
        .and_then(|words| words.split_whitespace().next()?.parse::<f64>().ok());
    (ticks as f64 / 100.0, peak.unwrap_or_default() / 1024.0)
}
