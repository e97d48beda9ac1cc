//! The examples in `docs/weaknesses/` are tests: they get the verdicts that they claim.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner};
use solvent_models::{Judge, ModelSet};
use solvent_taint::{Limits, Reach, reach};
use solvent_testkit::parse;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The whole static pipeline over a few files.
fn analyse(files: &[(&str, &str)]) -> Reach {
    let names = Interner::new();
    let language = match files.iter().any(|(name, _)| name.ends_with(".js")) {
        true => solvent_ir::Language::JavaScript,
        false => solvent_ir::Language::Python,
    };
    let models = ModelSet::of(language);
    let path = |name: &str| FilePath::new(name).expect("a path below the root");
    let units = files
        .iter()
        .map(|(name, text)| solvent_lang::lower(&path(name), text.as_bytes(), &names))
        .collect();
    let mut graph = solvent_graph::build(units, models, &names);
    let text = |wanted: &FilePath| {
        files
            .iter()
            .find(|(name, _)| path(name) == *wanted)
            .map(|(_, text)| (*text).to_owned())
    };
    reach(&mut graph, models, &names, &text, &Limits::STANDARD)
}

#[test]
fn the_examples_of_weakness_pages_get_the_verdicts_they_claim() {
    let mut wrong = Vec::new();
    for weakness in ModelSet::builtin().weaknesses() {
        let text = std::fs::read_to_string(root().join(&weakness.page)).expect("a page");
        let page = parse(&weakness.id, &text).unwrap_or_else(|error| panic!("{error}"));
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let blocks = page.cases.iter().flat_map(|case| {
            let python = case.files("python").map(|b| (b, "# ", "app.py"));
            let javascript = case.files("javascript").map(|b| (b, "// ", "app.js"));
            python.chain(javascript)
        });
        for (block, comment, file) in blocks {
            let marker = block.text.lines().next().unwrap_or_default();
            let claim = ["vulnerable", "undecided", "repaired", "silent"]
                .into_iter()
                .find(|word| marker.starts_with(&format!("{comment}{word}: ")))
                .unwrap_or_else(|| panic!("{}:{}: no claim", weakness.id, block.line));
            *seen.entry(claim).or_default() += 1;
            let found = analyse(&[(file, &block.text)]);
            let reachable = found
                .findings
                .iter()
                .any(|f| f.weakness.0 == weakness.id && f.verdict.word() == "reachable");
            let open = found
                .findings
                .iter()
                .any(|f| f.verdict.word() == "undecided");
            let left_open = found
                .findings
                .iter()
                .any(|f| f.weakness.0 == weakness.id && f.verdict.word() == "undecided");
            let wanted_open = claim == "undecided";
            if reachable != (claim == "vulnerable")
                || left_open != wanted_open
                || open != wanted_open
            {
                let verdicts: Vec<String> = found
                    .findings
                    .iter()
                    .map(|f| {
                        format!(
                            "{} line {}: {:?}",
                            f.weakness.0, f.sink.location.line, f.verdict
                        )
                    })
                    .collect();
                wrong.push(format!(
                    "docs/weaknesses/{}.md:{}: `{marker}` but {verdicts:?}",
                    weakness.id, block.line
                ));
            }
        }
        // What is judged by more than a flow is never more than undecided.
        let found = match weakness.judged_by {
            Judge::Access | Judge::Role => "undecided",
            Judge::Flow | Judge::Session | Judge::Answer | Judge::Claim | Judge::Token => {
                "vulnerable"
            }
        };
        assert!(
            [found, "repaired", "silent"]
                .iter()
                .all(|claim| seen.contains_key(claim)),
            "{}: a page shows all three: {seen:?}",
            weakness.id
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
