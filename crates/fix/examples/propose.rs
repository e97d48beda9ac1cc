//! Scans a folder, lists root causes, and prints what is proposed for each.
#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner};
use solvent_finding::{Finding, Verdict};
use solvent_fix::{Sources, propose, regression_test, root_causes};
use solvent_models::ModelSet;

fn walk(below: &Path, out: &mut Vec<PathBuf>) {
    let Ok(read) = std::fs::read_dir(below) else {
        return;
    };
    let mut entries: Vec<_> = read.filter_map(Result::ok).map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.ends_with(".git") {
                walk(&path, out);
            }
        } else {
            out.push(path);
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| ".".to_owned()));
    // Where to write the files with every first patch, to compile and run them.
    let write = args.next().filter(|a| a != "--all").map(PathBuf::from);
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut paths: Vec<FilePath> = files
        .iter()
        .filter_map(|p| FilePath::new(p.strip_prefix(&root).ok()?.to_str()?))
        .collect();
    paths.sort();
    let names = Interner::new();
    let text = |path: &FilePath| {
        let bytes = std::fs::read(root.join(path.as_str())).ok()?;
        String::from_utf8(bytes).ok()
    };
    let units = paths
        .iter()
        .filter(|p| p.extension() == Some("py"))
        .filter_map(|p| {
            let bytes = std::fs::read(root.join(p.as_str())).ok()?;
            Some(solvent_lang::lower(p, &bytes, &names))
        })
        .collect();
    let models = ModelSet::of(solvent_ir::Language::Python);
    let mut graph = solvent_graph::build(units, models, &names);
    let reach = solvent_taint::reach(
        &mut graph,
        models,
        &names,
        &text,
        &solvent_taint::Limits::STANDARD,
    );
    let found: Vec<Finding> = reach
        .findings
        .into_iter()
        .filter(|f| {
            matches!(f.verdict, Verdict::Reachable { .. })
                || std::env::args().any(|a| a == "--all")
                    && matches!(f.verdict, Verdict::Undecided { .. })
        })
        .collect();
    let sources = Sources {
        files: &paths,
        text: &text,
    };
    let (mut causes, mut fixed) = (0, 0);
    for cause in root_causes(&found) {
        causes += 1;
        println!(
            "== {} {}:{} {} ({} finding(s))",
            cause.weakness.0,
            cause.sink.location.path,
            cause.sink.location.line,
            cause.sink.callee,
            cause.findings.len()
        );
        let proposal = propose(&cause, &sources);
        fixed += usize::from(!proposal.patches.is_empty());
        for (at, patch) in proposal.patches.iter().enumerate() {
            println!(
                "-- {} {}: {}",
                patch.fixer,
                patch.disposition.word(),
                patch.summary
            );
            for file in &patch.files {
                let before = text(&file.path).unwrap_or_default();
                println!("{}", file.diff(&before));
                if let Some(folder) = &write {
                    let name = format!(
                        "{causes}-{at}-{}",
                        file.path.as_str().replace(['/', '.'], "_")
                    );
                    let after = file.apply(&before).unwrap_or_default();
                    if let Err(error) = std::fs::write(folder.join(format!("{name}.py")), after) {
                        println!("   not written: {error}");
                    }
                }
            }
            for note in &patch.notes {
                println!("   note: {note}");
            }
            if at == 0
                && let Some(test) = regression_test(cause.findings[0], patch, &sources)
            {
                let before = text(&test.path).unwrap_or_default();
                println!("{}", test.diff(&before));
                if let Some(folder) = &write {
                    let after = test.apply(&before).unwrap_or_default();
                    let name = format!("{causes}-test-{}", test.path.file_name());
                    if let Err(error) = std::fs::write(folder.join(name), after) {
                        println!("   not written: {error}");
                    }
                }
            }
        }
        for why in &proposal.refused {
            println!("-- no patch: {why}");
        }
    }
    println!("{causes} root cause(s), {fixed} with a patch");
}
