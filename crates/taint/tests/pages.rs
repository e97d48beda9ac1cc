//! Pages that are tests: the examples in `docs/weaknesses/`, and what each library model in
//! `fixtures/<language>/models/` says is and is not tainted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner};
use solvent_models::ModelSet;
use solvent_taint::{Limits, Reach, reach};
use solvent_testkit::{Block, Case, PinKind, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(folder: &str) -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = std::fs::read_dir(root().join(folder))
        .expect("a folder of pages")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read_to_string(&path).expect("a readable page"),
            )
        })
        .collect();
    pages.sort();
    assert!(!pages.is_empty(), "no page in `{folder}`");
    pages
}

/// The whole static pipeline over a few files.
fn analyse(files: &[(&str, &str)]) -> Reach {
    let names = Interner::new();
    let models = ModelSet::builtin();
    let path = |name: &str| FilePath::new(name).expect("a path below the root");
    let units = files
        .iter()
        .map(|(name, text)| solvent_lang::lower(&path(name), text.as_bytes(), &names))
        .collect();
    let graph = solvent_graph::build(units, models, &names);
    let text = |wanted: &FilePath| {
        files
            .iter()
            .find(|(name, _)| path(name) == *wanted)
            .map(|(_, text)| (*text).to_owned())
    };
    reach(&graph, models, &names, &text, &Limits::STANDARD)
}

#[test]
fn the_examples_of_weakness_pages_get_the_verdicts_they_claim() {
    let mut wrong = Vec::new();
    for weakness in ModelSet::builtin().weaknesses() {
        let text = std::fs::read_to_string(root().join(&weakness.page)).expect("a page");
        let page = parse(&weakness.id, &text).unwrap_or_else(|error| panic!("{error}"));
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for block in page.cases.iter().flat_map(|case| case.files("python")) {
            let marker = block.text.lines().next().unwrap_or_default();
            let claim = ["vulnerable", "repaired", "silent"]
                .into_iter()
                .find(|word| marker.starts_with(&format!("# {word}: ")))
                .unwrap_or_else(|| panic!("{}:{}: no claim", weakness.id, block.line));
            *seen.entry(claim).or_default() += 1;
            let found = analyse(&[("app.py", &block.text)]);
            let reachable = found
                .findings
                .iter()
                .any(|f| f.weakness.0 == weakness.id && f.verdict.word() == "reachable");
            let open = found
                .findings
                .iter()
                .any(|f| f.verdict.word() == "undecided");
            if reachable != (claim == "vulnerable") || open {
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
        assert!(
            ["vulnerable", "repaired", "silent"]
                .iter()
                .all(|claim| seen.contains_key(claim)),
            "{}: a page shows all three: {seen:?}",
            weakness.id
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Facts of one case: `kind at line` for what is reachable, `route LABEL` for entry points.
fn facts(case: &Case) -> BTreeSet<(String, String)> {
    let blocks: Vec<(&str, &Block)> = case
        .files("python")
        .map(|block| (block.path.as_deref().unwrap_or("app.py"), block))
        .collect();
    let files: Vec<(&str, &str)> = blocks
        .iter()
        .map(|(name, block)| (*name, block.text.as_str()))
        .collect();
    let found = analyse(&files);
    let mut facts = BTreeSet::new();
    for finding in &found.findings {
        if finding.verdict.word() == "reachable" {
            let place = &finding.sink.location;
            facts.insert((
                format!("{}:{}", place.path, place.line),
                finding.sink.kind.0.clone(),
            ));
        }
    }
    facts
}

#[test]
fn model_pages_say_what_is_tainted_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for (name, text) in pages("fixtures/python/models") {
        let page = parse(&name, &text).unwrap_or_else(|error| panic!("{error}"));
        for case in &page.cases {
            let found = facts(case);
            let (mut expected, mut missing) = (BTreeSet::new(), BTreeSet::new());
            for block in case.files("python") {
                let file = block.path.as_deref().unwrap_or("app.py");
                for pin in block.pins() {
                    let fact = (format!("{file}:{}", pin.line), pin.fact);
                    match pin.kind {
                        PinKind::Expect | PinKind::Spurious => expected.insert(fact),
                        PinKind::Missing => missing.insert(fact),
                    };
                }
            }
            let mut say = |what: &str, fact: &(String, String)| {
                let (place, kind) = fact;
                wrong.push(format!(
                    "{name}.md, {}: {what}: {kind} at {place}",
                    case.title
                ));
            };
            expected
                .difference(&found)
                .for_each(|fact| say("not found", fact));
            found.difference(&expected).for_each(|fact| {
                let cured = missing.contains(fact);
                say(
                    if cured {
                        "found at last, unpin it"
                    } else {
                        "not expected"
                    },
                    fact,
                );
            });
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
