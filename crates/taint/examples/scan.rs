//! Scans a folder and prints verdicts; with labels, scores by category.
#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use solvent_base::{Digest, FilePath, Interner};
use solvent_finding::{Part, Verdict};
use solvent_models::ModelSet;

fn is_read(path: &Path) -> bool {
    let name = FilePath::new(&path.file_name().unwrap_or_default().to_string_lossy());
    name.is_some_and(|name| solvent_lang::language_of(&name).is_some())
}

fn walk(below: &Path, out: &mut Vec<PathBuf>) {
    let Ok(read) = std::fs::read_dir(below) else {
        return;
    };
    let mut entries: Vec<_> = read.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            walk(&path, out);
        } else if kind.is_file() && is_read(&path) {
            out.push(path);
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut root = PathBuf::from(".");
    let mut labels = None;
    let mut verbose = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--labels" => labels = args.next(),
            "-v" => verbose = true,
            other => root = PathBuf::from(other),
        }
    }
    let mut files = Vec::new();
    if root.is_file() {
        files.push(root.clone());
        root = root.parent().unwrap_or(Path::new(".")).to_path_buf();
    } else {
        walk(&root, &mut files);
    }
    let names = Interner::new();
    let t0 = Instant::now();
    let units: Vec<_> = files
        .par_iter()
        .filter_map(|path| {
            let relative = path.strip_prefix(&root).ok()?.to_str()?;
            let path_in = FilePath::new(relative)?;
            let bytes = std::fs::read(path).ok()?;
            Some(solvent_lang::lower(&path_in, &bytes, &names))
        })
        .collect();
    let t1 = Instant::now();
    let (language, units) = solvent_graph::by_language(units)
        .pop()
        .expect("at least one");
    let models = ModelSet::of(language);
    let mut graph = solvent_graph::build(units, models, &names);
    let t2 = Instant::now();
    let text = |path: &FilePath| {
        let bytes = std::fs::read(root.join(path.as_str())).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let reach = solvent_taint::reach(
        &mut graph,
        models,
        &names,
        &text,
        &solvent_taint::Limits::STANDARD,
    );
    let t3 = Instant::now();
    for finding in &reach.findings {
        if labels.is_some() && !verbose {
            break;
        }
        let assumed = if solvent_taint::is_assumed(&finding.verdict) {
            " (assumed)"
        } else {
            ""
        };
        println!(
            "{} {}{assumed} {}:{} {} | {} | {}",
            finding.fingerprint.short(),
            finding.verdict.word(),
            finding.sink.location.path,
            finding.sink.location.line,
            finding.weakness.0,
            finding.entry.as_ref().map_or_else(
                || "-".to_owned(),
                |e| format!("{} {:?}", e.label(), e.methods)
            ),
            finding.title,
        );
        match &finding.verdict {
            Verdict::NoPath { reasons } => println!("      {reasons:?}"),
            Verdict::Undecided { stops } => println!("      {stops:?}"),
            Verdict::Reachable { assumed } => {
                if !assumed.is_empty() {
                    println!("      assumed: {assumed:?}");
                }
            }
        }
        for flow in &finding.flows {
            let template: String = flow
                .template
                .parts
                .iter()
                .map(|p| match p {
                    Part::Literal(t) => t.replace('\0', "\\0"),
                    Part::Input => "<INPUT>".to_owned(),
                    Part::Other => "<other>".to_owned(),
                })
                .collect();
            println!(
                "      {:?} `{}` t={:?} c={:?} template={template}",
                flow.input.carrier, flow.input.name, flow.transforms, flow.conditions
            );
            if verbose {
                for step in &flow.steps {
                    println!(
                        "         {:?} {}:{} {} | {}",
                        step.kind, step.location.path, step.location.line, step.what, step.text
                    );
                }
            }
        }
    }
    for entry in reach
        .entry_points
        .iter()
        .take(if labels.is_some() { 3 } else { 200 })
    {
        println!(
            "entry {} {:?} -> {}.{} {:?}",
            entry.route, entry.methods, entry.handler.module, entry.handler.qualname, entry.assumed
        );
    }
    println!("{:?}", solvent_taint::count(&reach.findings));
    println!("{:?}", reach.stats);
    for problem in reach.problems.iter().take(5) {
        println!("problem: {problem:?}");
    }
    if let Some(labels) = labels {
        score(&labels, &reach);
    }
    let seconds = t3.duration_since(t0).as_secs_f64();
    println!(
        "lower {:.2}s build {:.2}s reach {:.2}s: {:.0} lines/s",
        (t1 - t0).as_secs_f64(),
        (t2 - t1).as_secs_f64(),
        (t3 - t2).as_secs_f64(),
        reach.stats.lines as f64 / seconds
    );
}

fn score(labels: &str, reach: &solvent_taint::Reach) {
    let Ok(text) = std::fs::read_to_string(labels) else {
        return;
    };
    let mut table: BTreeMap<(String, bool), [usize; 4]> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let parts: Vec<&str> = line.split(',').map(str::trim).collect();
        let [name, category, truth, cwe, ..] = parts[..] else {
            continue;
        };
        if !["sqli", "cmdi", "pathtraver"].contains(&category) {
            continue;
        }
        let weakness = format!("CWE-{cwe}");
        let found = reach.findings.iter().any(|f| {
            matches!(f.verdict, Verdict::Reachable { .. })
                && f.weakness.0 == weakness
                && f.entry.as_ref().is_some_and(|e| e.route.ends_with(name))
        });
        let half = Digest::of(name.as_bytes()).as_bytes()[0] & 1 == 0;
        let cell = table.entry((category.to_owned(), half)).or_default();
        let truth = truth == "true";
        cell[usize::from(truth) * 2 + usize::from(found)] += 1;
        if half && truth != found {
            println!(
                "  {} {name} {category}",
                if truth { "missed" } else { "false alarm" }
            );
        }
    }
    for ((category, half), [tn, fp, fneg, tp]) in table {
        let rate = |a: usize, b: usize| 100.0 * a as f64 / (a + b).max(1) as f64;
        println!(
            "{category:12} {} TPR {:.0}% ({tp}/{}) FPR {:.0}% ({fp}/{})",
            if half { "tuned " } else { "unseen" },
            rate(tp, fneg),
            tp + fneg,
            rate(fp, tn),
            fp + tn
        );
    }
}
