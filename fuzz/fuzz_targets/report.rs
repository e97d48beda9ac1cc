//! Any report of another tool is read or refused; what is read can be placed and joined.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use solvent_base::FilePath;
use solvent_import::{join, join::Spot, layout, read};

fuzz_target!(|bytes: &[u8]| {
    let Ok(runs) = read(bytes) else { return };
    let tree: BTreeSet<FilePath> = ["app.py", "src/app.py", "src/odd name.py"]
        .iter()
        .filter_map(|path| FilePath::new(path))
        .collect();
    for run in runs {
        let layout = layout(&run, &tree);
        let spots: Vec<Spot> = run
            .findings
            .iter()
            .filter_map(|f| {
                Some(Spot {
                    tool: run.tool.clone(),
                    rule: f.rule.clone(),
                    weaknesses: f.weaknesses.clone(),
                    path: layout.found.get(&f.path)?.clone(),
                    lines: f.lines,
                    fingerprint: f.fingerprint.clone(),
                })
            })
            .collect();
        let joined = join(&[], &spots, &|_, line| Some((line / 10 * 10, line / 10 * 10 + 9)));
        assert_eq!(joined.len(), spots.len());
    }
});
