//! Real code: Python's standard library, where this machine has one.

use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner, ProblemKind};

#[test]
fn the_standard_library_lowers_to_well_formed_ir() {
    let Some(root) = standard_library() else {
        // The test set-up installs Python; without it nothing can be said.
        panic!("no Python standard library below /usr/lib; install Debian's `python3`");
    };
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(
        files.len() > 100,
        "only {} files below {}",
        files.len(),
        root.display()
    );
    let names = Interner::new();
    let mut functions = 0;
    let mut faults = Vec::new();
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .ok()
            .and_then(Path::to_str)
            .and_then(FilePath::new);
        let (Some(name), Ok(bytes)) = (name, std::fs::read(file)) else {
            continue;
        };
        let unit = solvent_lang::lower(&name, &bytes, &names);
        functions += unit.functions.len();
        faults.extend(
            solvent_ir::check(&unit)
                .into_iter()
                .map(|fault| format!("{name}: {fault}")),
        );
        let limited = unit
            .problems
            .iter()
            .find(|problem| matches!(problem.kind, ProblemKind::Limit | ProblemKind::TooLarge));
        assert!(limited.is_none(), "{name}: {limited:?}");
    }
    assert!(
        faults.is_empty(),
        "{} faults, first {:#?}",
        faults.len(),
        &faults[..faults.len().min(5)]
    );
    assert!(functions > 5_000, "only {functions} functions");
}

fn standard_library() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("abc.py").is_file())
        .collect();
    found.sort();
    found.pop()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, files),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == "py") => {
                files.push(path);
            }
            _ => {}
        }
    }
}
