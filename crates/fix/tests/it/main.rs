//! Pages of small programs and what is proposed for them; hostile input.

mod hostile;
mod pages;

use std::collections::BTreeMap;

use solvent_base::{FilePath, Interner};
use solvent_fix::{Patch, Sources};
use solvent_models::ModelSet;
use solvent_taint::{Limits, Reach};

/// Files of a small program, by path.
pub type Files = BTreeMap<String, String>;

/// The whole static pipeline.
pub fn scan(files: &Files) -> Reach {
    let names = Interner::new();
    let units = files
        .iter()
        .filter(|(path, _)| path.ends_with(".py"))
        .filter_map(|(path, text)| {
            let path = FilePath::new(path)?;
            Some(solvent_lang::lower(&path, text.as_bytes(), &names))
        })
        .collect();
    let models = ModelSet::of(solvent_ir::Language::Python);
    let mut graph = solvent_graph::build(units, models, &names);
    let text = |path: &FilePath| files.get(path.as_str()).cloned();
    solvent_taint::reach(&mut graph, models, &names, &text, &Limits::STANDARD)
}

/// Calls `work` with the files as sources.
pub fn with_sources<T>(files: &Files, work: impl FnOnce(&Sources<'_>) -> T) -> T {
    let paths: Vec<FilePath> = files.keys().filter_map(|p| FilePath::new(p)).collect();
    let text = |path: &FilePath| files.get(path.as_str()).cloned();
    work(&Sources {
        files: &paths,
        text: &text,
    })
}

/// The files with the patch.
pub fn patched(files: &Files, patch: &Patch) -> Files {
    let mut out = files.clone();
    for edit in &patch.files {
        let name = edit.path.as_str().to_owned();
        let before = out.get(&name).cloned().unwrap_or_default();
        let after = edit
            .apply(&before)
            .unwrap_or_else(|misfit| panic!("{name}: {}", misfit.words()));
        out.insert(name, after);
    }
    out
}
