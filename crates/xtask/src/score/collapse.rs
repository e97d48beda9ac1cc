//! The debt page on open applications: how far the pile of other scanners collapses, and whether any flaw that
//! was confirmed by a real request is lost on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::targets::copy_tree;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};

/// Id in `targets-open.json`, and folder (or archive of one folder) below the corpora.
const TARGETS: [(&str, &str); 5] = [
    ("dsvw", "DSVW"),
    ("vulpy-bad", "vulpy/bad"),
    ("vulnpy", "vulnpy"),
    ("flaskcode-0.0.8", "flaskcode-0.0.8.tar.gz"),
    ("vampi", "VAmPI"),
];

/// Lines around a confirmed sink within which a report is about it.
const NEAR: u64 = 4;

/// A flaw that a real request confirmed.
struct Flaw {
    id: String,
    weakness: String,
    file: String,
    line: u64,
}

/// Both scanners are run on each target and their SARIF is given to the released program.
pub fn run(place: &Place) -> Result<Figures, String> {
    let confirmed = place.corpus("targets-open.json")?;
    let confirmed =
        fs::read(confirmed).map_err(|e| format!("cannot read `targets-open.json`: {e}"))?;
    let confirmed: Value =
        serde_json::from_slice(&confirmed).map_err(|e| format!("`targets-open.json`: {e}"))?;
    let bandit = tool(place, "bandit")?;
    let semgrep = tool(place, "semgrep")?;
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    for name in [
        "imported",
        "remaining",
        "lost_confirmed",
        "confirmed",
        "confirmed_imported",
        "seconds",
    ] {
        figures.insert(name.to_owned(), 0.0);
    }
    for (id, corpus) in TARGETS {
        let folder = unpack(place, id, corpus)?;
        let sarif = place.scratch.join(format!("{id}.bandit.sarif"));
        scanner(
            Command::new(&bandit)
                .args(["-q", "-r", ".", "-f", "sarif", "-o"])
                .arg(&sarif)
                .current_dir(&folder),
            &sarif,
        )?;
        let other = place.scratch.join(format!("{id}.semgrep.sarif"));
        scanner(
            Command::new(&semgrep)
                .args([
                    "scan",
                    "--metrics=off",
                    "--disable-version-check",
                    "--no-git-ignore",
                    "--quiet",
                ])
                .arg("--config")
                .arg(place.root.join("crates/xtask/semgrep-rules.yaml"))
                .arg(format!("--sarif-output={}", other.display()))
                .arg(".")
                .current_dir(&folder),
            &other,
        )?;
        let words = [&sarif, &other, &folder].map(|p| p.to_string_lossy().into_owned());
        let [sarif, other, folder] = &words;
        let (report, cost) = json(
            &program,
            &[
                "debt", "--no-git", "--sarif", sarif, "--sarif", other, folder,
            ],
        )?;
        let flaws = flaws(&confirmed, id);
        let tally = tally(&report, &flaws);
        for line in &tally.notes {
            note(&format!("{id}: {line}"));
        }
        for (name, value) in [
            ("imported", tally.imported),
            ("remaining", tally.remaining),
            ("lost_confirmed", tally.lost),
            ("confirmed", flaws.len() as f64),
            ("confirmed_imported", tally.about),
            ("seconds", rounded(cost.wall_seconds)),
        ] {
            *figures.entry(name.to_owned()).or_default() += value;
            figures.insert(format!("{id}_{name}"), value);
        }
    }
    if figures["imported"] == 0.0 {
        return Err("no scanner reported anything".to_owned());
    }
    Ok(figures)
}

#[derive(Default)]
struct Tally {
    imported: f64,
    remaining: f64,
    /// Confirmed flaws that a scanner reports.
    about: f64,
    /// Those of them of which no report remains.
    lost: f64,
    notes: Vec<String>,
}

fn tally(report: &Value, flaws: &[Flaw]) -> Tally {
    let count = |at: &str| {
        report
            .pointer(at)
            .and_then(Value::as_f64)
            .unwrap_or_default()
    };
    let mut tally = Tally {
        imported: count("/collapse/known/imported/count"),
        remaining: count("/collapse/known/remaining/count"),
        ..Tally::default()
    };
    let imported: Vec<&Value> = items(report, "/findings")
        .iter()
        .filter(|f| {
            items(f, "/reports")
                .iter()
                .any(|r| r.get("run").is_some_and(|run| !run.is_null()))
        })
        .collect();
    for flaw in flaws {
        let near: Vec<&&Value> = imported.iter().filter(|f| is_about(f, flaw)).collect();
        let same: Vec<&&Value> = near
            .iter()
            .filter(|f| text(f, "/weakness") == flaw.weakness)
            .copied()
            .collect();
        // A scanner that gives the flaw another number is about it all the same.
        let about = if same.is_empty() { near } else { same };
        if about.is_empty() {
            continue;
        }
        tally.about += 1.0;
        if !about.iter().any(|f| remains(f)) {
            tally.lost += 1.0;
            tally.notes.push(format!(
                "lost: {} ({} at {}:{})",
                flaw.id, flaw.weakness, flaw.file, flaw.line
            ));
        }
    }
    tally
}

fn is_about(finding: &Value, flaw: &Flaw) -> bool {
    items(finding, "/reports")
        .iter()
        .filter(|r| r.get("run").is_some_and(|run| !run.is_null()))
        .any(|r| {
            let path = text(r, "/place/path");
            let same = path == flaw.file || path.ends_with(&format!("/{}", flaw.file));
            let line = r
                .pointer("/place/line")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            same && line.abs_diff(flaw.line) <= NEAR
        })
}

fn remains(finding: &Value) -> bool {
    let proven = text(finding, "/proof/known/outcome") == "proven";
    text(finding, "/state/word") == "open"
        && (text(finding, "/verdict/word") != "no_path" || proven)
}

fn flaws(confirmed: &Value, target: &str) -> Vec<Flaw> {
    confirmed
        .as_array()
        .into_iter()
        .flatten()
        .filter(|t| text(t, "/id") == target)
        .flat_map(|t| items(t, "/flaws"))
        .filter(|f| text(f, "/status").starts_with("confirmed"))
        .filter_map(|f| {
            Some(Flaw {
                id: text(f, "/id").to_owned(),
                weakness: text(f, "/cwe").to_owned(),
                file: text(f, "/sink_file").to_owned(),
                line: f.pointer("/sink_line").and_then(Value::as_u64)?,
            })
        })
        .collect()
}

/// A program on the path, or in a virtual environment below the corpora: `tools/NAME/bin/NAME`.
fn tool(place: &Place, name: &str) -> Result<PathBuf, String> {
    let beside = place
        .corpora
        .as_ref()
        .map(|c| c.join("tools").join(name).join("bin").join(name))
        .filter(|p| p.is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .or_else(|| {
            std::env::split_paths(&path)
                .map(|folder| folder.join(name))
                .find(|p| p.is_file())
        })
        .ok_or_else(|| {
            format!("no `{name}`: `pip install` it in a virtual environment at `tools/{name}` below SOLVENT_CORPORA")
        })
}

/// Scanners answer with 1 when they find something; what counts is the report.
fn scanner(command: &mut Command, report: &Path) -> Result<(), String> {
    let words = format!("{:?}", command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start {words}: {e}"))?;
    if report.is_file() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{words} wrote no report: {}",
        said.trim().lines().last().unwrap_or("it said nothing")
    ))
}

fn unpack(place: &Place, id: &str, corpus: &str) -> Result<PathBuf, String> {
    let from = place.corpus(corpus)?;
    let folder = place.scratch.join(id);
    if from.is_dir() {
        copy_tree(&from, &folder, &|path| {
            path.file_name()
                .is_some_and(|name| name != ".git" && name != ".solvent")
        })?;
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make a folder: {e}"))?;
    let status = Command::new("tar")
        .arg("-xf")
        .arg(&from)
        .arg("-C")
        .arg(&folder)
        .status();
    if status.is_ok_and(|s| s.success()) {
        Ok(folder)
    } else {
        Err(format!("cannot unpack `{corpus}`"))
    }
}

#[expect(clippy::print_stderr, reason = "names of flaws go beside the figures")]
fn note(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(weakness: &str, line: u64, verdict: &str, run: Option<&str>) -> Value {
        serde_json::json!({
            "weakness": weakness, "state": {"word": "open"}, "verdict": {"word": verdict},
            "proof": {"unmeasured": "x"},
            "reports": [{"run": run, "place": {"path": "bad/lib.py", "line": line}}],
        })
    }

    fn lost(findings: &[Value]) -> (f64, f64) {
        let report = serde_json::json!({ "findings": findings });
        let flaw = Flaw {
            id: "x".to_owned(),
            weakness: "CWE-89".to_owned(),
            file: "lib.py".to_owned(),
            line: 12,
        };
        let tally = tally(&report, &[flaw]);
        (tally.about, tally.lost)
    }

    #[test]
    fn a_flaw_is_lost_when_no_report_about_it_remains() {
        let bandit = Some("import-1");
        assert_eq!(
            lost(&[finding("CWE-89", 13, "no_path", bandit)]),
            (1.0, 1.0)
        );
        assert_eq!(
            lost(&[finding("CWE-89", 13, "undecided", bandit)]),
            (1.0, 0.0)
        );
        assert_eq!(
            lost(&[finding("CWE-89", 30, "no_path", bandit)]),
            (0.0, 0.0)
        );
        assert_eq!(
            lost(&[finding("CWE-89", 13, "no_path", None)]),
            (0.0, 0.0),
            "not imported"
        );
        let both = [
            finding("CWE-89", 13, "no_path", bandit),
            finding("CWE-78", 13, "reachable", bandit),
        ];
        assert_eq!(
            lost(&both),
            (1.0, 1.0),
            "another weakness does not stand in for it"
        );
        assert_eq!(
            lost(&[finding("CWE-78", 13, "no_path", bandit)]),
            (1.0, 1.0)
        );
    }
}
