//! What other scanners report on the same applications: findings per confirmed flaw, beside ours.
//!
//! They are looked for as virtual environments at `tools/NAME` below the corpora. What one of them does not find on
//! this machine is unmeasured, and the numbers that the record holds of it stand alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::targets::note;
use super::record::Record;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, text};

/// Asks a program about a tree: files and lines of what it finds.
type Asked = fn(&Place, &Path, &Path, &Path) -> Result<Vec<(String, u64)>, String>;

struct Peer {
    name: &'static str,
    /// What it reads.
    runtimes: &'static [&'static str],
    run: Asked,
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "bandit",
        runtimes: &["python"],
        run: bandit,
    },
    Peer {
        name: "njsscan",
        runtimes: &["node"],
        run: njsscan,
    },
    Peer {
        name: "semgrep",
        runtimes: &["python", "node"],
        run: semgrep,
    },
];

pub(super) fn run(place: &Place, present: &[(&Record, PathBuf)], figures: &mut Figures) {
    for peer in &PEERS {
        if let Err(why) = measured(place, peer, present, figures) {
            note(&format!("unmeasured: {}: {why}", peer.name));
        }
        recorded(peer, present, figures);
    }
}

fn measured(
    place: &Place,
    peer: &Peer,
    present: &[(&Record, PathBuf)],
    figures: &mut Figures,
) -> Result<(), String> {
    let folder = place
        .corpora
        .as_ref()
        .map(|corpora| corpora.join("tools").join(peer.name).join("bin"))
        .filter(|folder| folder.join(peer.name).is_file())
        .ok_or_else(|| {
            format!(
                "`pip install {}` in a virtual environment at `tools/{0}` below SOLVENT_CORPORA",
                peer.name
            )
        })?;
    let (mut found, mut flaws, mut hit) = (0, 0, 0);
    let mut last = "none of the applications that it reads is there".to_owned();
    for (record, source) in present {
        if record.suite || !peer.runtimes.contains(&record.runtime.as_str()) {
            continue;
        }
        let report = place
            .scratch
            .join(format!("{}.{}.json", record.id, peer.name));
        // One that it cannot read is in neither number.
        let reports = match (peer.run)(place, &folder, source, &report) {
            Ok(reports) => reports,
            Err(why) => {
                note(&format!(
                    "unmeasured: {} on {}: {why}",
                    peer.name, record.id
                ));
                last = why;
                continue;
            }
        };
        found += reports.len();
        flaws += record.flaws.len();
        hit += record
            .sinks()
            .filter(|flaw| {
                reports
                    .iter()
                    .any(|(path, line)| flaw.is_reported(path, *line))
            })
            .count();
    }
    if flaws == 0 {
        return Err(last);
    }
    for (what, value) in [
        ("findings", found as f64),
        ("flaws", flaws as f64),
        ("sinks_hit", hit as f64),
        ("findings_per_flaw", found as f64 / flaws as f64),
    ] {
        figures.insert(format!("{}_{what}", peer.name), rounded(value));
    }
    Ok(())
}

/// What the record says that it reported, with its own rules, when the record was made.
fn recorded(peer: &Peer, present: &[(&Record, PathBuf)], figures: &mut Figures) {
    let (mut found, mut flaws) = (0.0, 0);
    for (record, _) in present.iter().filter(|(record, _)| !record.suite) {
        for (_, count) in record.scanners.iter().filter(|(name, _)| name == peer.name) {
            found += count;
            flaws += record.flaws.len();
        }
    }
    if flaws > 0 {
        figures.insert(
            format!("{}_recorded_findings_per_flaw", peer.name),
            rounded(found / flaws as f64),
        );
    }
}

fn bandit(
    _: &Place,
    tool: &Path,
    source: &Path,
    report: &Path,
) -> Result<Vec<(String, u64)>, String> {
    let mut command = limited(&tool.join("bandit"));
    command
        .args(["-q", "-r", ".", "-f", "json", "-o"])
        .arg(report)
        .current_dir(source);
    let document = written(&mut command, report)?;
    Ok(items(&document, "/results")
        .iter()
        .map(|r| (text(r, "/filename").to_owned(), line(r, "/line_number")))
        .collect())
}

fn njsscan(
    _: &Place,
    tool: &Path,
    source: &Path,
    report: &Path,
) -> Result<Vec<(String, u64)>, String> {
    let mut command = limited(&tool.join("njsscan"));
    command
        .args(["--json", "-o"])
        .arg(report)
        .arg(".")
        .current_dir(source);
    // It looks for its engine there, and says nothing on its output when there is none.
    let mut path = vec![tool.to_owned()];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    if let Ok(path) = std::env::join_paths(path) {
        command.env("PATH", path);
    }
    let document = written(&mut command, report)?;
    if let Some(error) = items(&document, "/errors").first() {
        return Err(error.to_string());
    }
    let groups = ["/nodejs", "/templates"].into_iter();
    Ok(groups
        .filter_map(|group| document.pointer(group)?.as_object())
        .flat_map(|rules| rules.values())
        .flat_map(|rule| items(rule, "/files"))
        .map(|r| (text(r, "/file_path").to_owned(), line(r, "/match_lines/0")))
        .collect())
}

fn semgrep(
    place: &Place,
    tool: &Path,
    source: &Path,
    report: &Path,
) -> Result<Vec<(String, u64)>, String> {
    let rules = place.corpus("tools/semgrep-rules").map_err(|why| {
        format!("{why}: its rules come from its own registry, under a licence of their own")
    })?;
    let mut command = limited(&tool.join("semgrep"));
    command
        .args([
            "scan",
            "--metrics=off",
            "--disable-version-check",
            "--quiet",
            "--no-git-ignore",
        ])
        .arg("--config")
        .arg(rules)
        .arg(format!("--json-output={}", report.display()))
        .arg(".")
        .current_dir(source);
    let document = written(&mut command, report)?;
    Ok(items(&document, "/results")
        .iter()
        .map(|r| (text(r, "/path").to_owned(), line(r, "/start/line")))
        .collect())
}

/// Seconds that one scanner has for one application: some do not come back from bundles.
const LIMIT: &str = "300";

fn limited(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT]).arg(program);
    command
}

fn line(report: &Value, pointer: &str) -> u64 {
    report
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

/// Scanners answer with 1 when they find something; what counts is the report.
fn written(command: &mut Command, report: &Path) -> Result<Value, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start it: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or("it said nothing");
    let words = std::fs::read(report).map_err(|_| format!("it wrote no report: {last}"))?;
    serde_json::from_slice(&words).map_err(|error| format!("its report: {error}"))
}
