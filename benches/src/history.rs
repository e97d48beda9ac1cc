//! A repository's history: everything that a page about its debt asks of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use solvent_base::{System as _, Timestamp};
use solvent_change::{At, BlameLimits, Limits, Place, Trees, introduced, revisions_at};

use crate::Figures;

/// Places that are blamed: as many as a large repository has findings.
const PLACES: usize = 400;

/// Largest source file that is read, as a scan does.
const CAP: u64 = 4 << 20;

/// Months are counted back from the last commit, so that a clone that is never updated keeps its figures.
pub fn history(folder: &Path) -> Result<Figures, String> {
    let words = |error: solvent_change::ChangeError| error.to_string();
    let far = Timestamp(4_102_444_800_000);
    let latest = revisions_at(folder, 0, far).map_err(words)?;
    let Some(At::Commit(head)) = latest.first().map(|end| end.at.clone()) else {
        return Err(format!("`{}` has no commit", folder.display()));
    };
    let limits = |now| Limits {
        time: Duration::from_secs(600),
        ..Limits::standard(now)
    };
    let start = Instant::now();
    let line = solvent_change::history(folder, &limits(far)).map_err(words)?;
    let first = start.elapsed().as_secs_f64();
    let now = line.line.last().map_or(far, |step| step.time);
    let start = Instant::now();
    let history = solvent_change::history(folder, &limits(now)).map_err(words)?;
    let seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let ends = revisions_at(folder, 12, now).map_err(words)?;
    let ends_seconds = start.elapsed().as_secs_f64();
    let trees = Trees::open(folder, 256 << 20).map_err(words)?;
    let start = Instant::now();
    let (mut revisions, mut files, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut contents = BTreeSet::new();
    for end in &ends {
        let At::Commit(commit) = &end.at else {
            continue;
        };
        let tree = trees.at(commit, now).map_err(words)?;
        revisions += 1;
        for file in tree.walk().files {
            if file.path.extension() != Some("py") {
                continue;
            }
            if let Ok(content) = tree.read(&file.path, CAP) {
                files += 1;
                bytes += content.len() as u64;
                contents.extend(tree.content(&file.path));
            }
        }
    }
    let trees_seconds = start.elapsed().as_secs_f64();

    let tree = trees.at(&head, now).map_err(words)?;
    let walked = tree.walk().files;
    let code: Vec<_> = walked
        .iter()
        .filter(|file| file.path.extension() == Some("py") && file.size > 1_000)
        .collect();
    let places: Vec<Place> = code
        .iter()
        .step_by((code.len() / PLACES).max(1))
        .map(|file| Place {
            path: file.path.to_string(),
            line: 10,
        })
        .collect();
    let start = Instant::now();
    let long = BlameLimits {
        file: Duration::from_secs(120),
        all: Duration::from_secs(600),
    };
    let found = introduced(folder, &head, &places, &long).map_err(words)?;
    let blame_seconds = start.elapsed().as_secs_f64();
    let known = found.values().filter(|place| place.is_ok()).count();

    let lines = &history.alive.lines;
    let per = |count: f64, seconds: f64| (count / seconds.max(0.001)).round();
    Ok(Figures::from([
        ("commits", history.commits as f64),
        ("changes", history.changes.len() as f64),
        ("cold_seconds", first),
        ("history_seconds", seconds),
        ("commits_per_second", per(history.commits as f64, seconds)),
        ("lines_alive", (lines.measured() + lines.unmeasured) as f64),
        ("lines_attributed", lines.measured() as f64),
        (
            "lines_attributed_per_second",
            per(lines.measured() as f64, seconds),
        ),
        ("lines_detected", lines.range().low as f64),
        ("months_seconds", ends_seconds),
        ("revisions", revisions as f64),
        ("revision_files", files as f64),
        ("revision_contents", contents.len() as f64),
        ("revision_mebibytes", bytes as f64 / f64::from(1 << 20)),
        ("revisions_seconds", trees_seconds),
        ("places_blamed", known as f64),
        ("places_seconds", blame_seconds),
        ("places_per_second", per(known as f64, blame_seconds)),
        ("peak_mebibytes", peak()),
    ]))
}

/// Of this program alone; git's own programs come beside it.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .map_or(0.0, |kib| (kib / 1024.0).round())
}
