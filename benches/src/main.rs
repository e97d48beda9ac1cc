//! Measures single rooms: `measure lower FOLDER | sandbox | history FOLDER` prints one JSON object whose `figures` are
//! names and numbers. `cargo xtask bench` builds it as it is released, runs it, and adds what belongs to a report.
//!
//! It does not know about scores or corpora. One function per room, each with real work: real source
//! text, a real sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use solvent_base::{FilePath, Interner};
use solvent_sandbox::{
    Launcher, Limits, NativeSandbox, Network, Sandbox, Sensors, Spec, reexec_hook,
};

mod history;

type Figures = BTreeMap<&'static str, f64>;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the answer is the output"
)]
fn main() -> ExitCode {
    reexec_hook();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let figures = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["lower", folder] => lower(Path::new(folder)),
        ["sandbox"] => sandbox(),
        ["history", folder] => history::history(Path::new(folder)),
        _ => Err("usage: measure lower FOLDER | sandbox | history FOLDER".to_owned()),
    };
    match figures {
        Ok(figures) => {
            println!("{}", serde_json::json!({ "figures": figures }));
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Lowers every Python file below `folder`: on one thread, then on all. Reading is not counted.
fn lower(folder: &Path) -> Result<Figures, String> {
    let mut sources = Vec::new();
    collect(folder, folder, &mut sources);
    if sources.is_empty() {
        return Err(format!("no Python file below `{}`", folder.display()));
    }
    let lower = |(path, bytes): &(FilePath, Vec<u8>), names: &Interner| {
        let unit = solvent_lang::lower(path, bytes, names);
        (u64::from(unit.lines), unit.functions.len() as u64)
    };
    let names = Interner::new();
    let start = Instant::now();
    let (mut lines, mut functions) = (0, 0);
    for source in &sources {
        let (l, f) = lower(source, &names);
        lines += l;
        functions += f;
    }
    let one = start.elapsed().as_secs_f64();
    let names = Interner::new();
    let start = Instant::now();
    let again: u64 = sources
        .par_iter()
        .map(|source| lower(source, &names).0)
        .sum();
    let all = start.elapsed().as_secs_f64();
    if again != lines {
        return Err(format!("{lines} lines on one thread, {again} on all"));
    }
    let bytes: usize = sources.iter().map(|(_, bytes)| bytes.len()).sum();
    Ok(Figures::from([
        ("files", sources.len() as f64),
        ("lines", lines as f64),
        ("functions", functions as f64),
        ("mebibytes", bytes as f64 / f64::from(1 << 20)),
        ("one_thread_seconds", one),
        ("one_thread_lines_per_second", (lines as f64 / one).round()),
        ("threads", rayon::current_num_threads() as f64),
        ("all_threads_seconds", all),
        ("all_threads_lines_per_second", (lines as f64 / all).round()),
    ]))
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(FilePath, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        // Packages that happen to be installed are not the library.
        let skipped = path.file_name().is_some_and(|name| name == "site-packages");
        if skipped || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|e| e == "py")
            && let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
            && let (Some(name), Ok(bytes)) = (FilePath::new(name), std::fs::read(&path))
        {
            sources.push((name, bytes));
        }
    }
}

/// Starts and stops a sandbox around a program that ends at once.
fn sandbox() -> Result<Figures, String> {
    const RUNS: u32 = 20;
    let sandbox = NativeSandbox::new(Launcher::current());
    let spec = Spec {
        layers: Vec::new(),
        workdir: "/".into(),
        argv: vec!["/bin/true".into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        limits: Limits {
            wall: Duration::from_secs(30),
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let instance = sandbox.start(&spec).map_err(|error| error.to_string())?;
        let started = start.elapsed().as_secs_f64();
        instance.stop().map_err(|error| error.to_string())?;
        times.push((started, start.elapsed().as_secs_f64()));
    }
    let median = |pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = times.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2] * 1e6).round() / 1e6
    };
    Ok(Figures::from([
        ("runs", f64::from(RUNS)),
        ("start_seconds_median", median(|t| t.0)),
        ("start_and_stop_seconds_median", median(|t| t.1)),
    ]))
}
