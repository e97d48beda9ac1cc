//! Prints what a repository's history says, for trying the crate on a repository by hand:
//! `cargo run -p solvent-change --example describe -- FOLDER [YYYY-MM [SECONDS]]`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use solvent_base::Timestamp;
use solvent_change::{History, Limits, Month, history};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the answer is the output"
)]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: describe FOLDER [YYYY-MM [SECONDS]]");
        return;
    };
    let now = match arguments.next().and_then(|month| Month::parse(&month)) {
        Some(month) => Timestamp(month.end().0 - 1),
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            Timestamp(now.map_or(0, |now| now.as_millis() as i64))
        }
    };
    let mut limits = Limits::standard(now);
    if let Some(seconds) = arguments.next().and_then(|text| text.parse().ok()) {
        limits.time = Duration::from_secs(seconds);
    }
    match history(Path::new(&folder), &limits) {
        Ok(history) => println!("{}", page(&history)),
        Err(error) => eprintln!("{error}; {}", error.hint()),
    }
}

fn page(history: &History) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} commits, {} on the default branch, {} with line notes, {:?}",
        history.commits,
        history.line.len(),
        history.noted,
        history.clocks
    );
    let alive = &history.alive;
    let _ = writeln!(
        out,
        "lines of HEAD: {} files, {:?}, unmeasured {}, older {}\n  by tool {:?}\n  bots {:?}, person {}\n  suppressions {:?}\n  {:?}",
        alive.files,
        alive.lines.range(),
        alive.lines.unmeasured,
        alive.lines.older,
        alive.lines.detected,
        alive.lines.bots,
        alive.lines.person,
        alive.suppressions,
        alive.ignore_files
    );
    for (month, f) in history.by_month() {
        let _ = writeln!(
            out,
            "{month} changes {:?} code {:?} added {:?} bots {} {:?} {:?}",
            f.changes.range(),
            f.code_changes.range(),
            f.added.range(),
            f.changes.bots(),
            f.landings,
            f.suppressions
        );
    }
    let mut all = solvent_change::Tally::default();
    for f in history.by_month().values() {
        all.merge(&f.changes);
    }
    let _ = writeln!(
        out,
        "changes by mark {:?} bots {:?}",
        all.detected, all.bots
    );
    for gap in &history.gaps {
        let _ = writeln!(out, "unmeasured: {}: {}", gap.what, gap.why);
    }
    out
}
