//! Every deployment of `fixtures/deploy-pairs` says of the sink what its label says.

use std::path::{Path, PathBuf};

use solvent_engine::Quiet;
use solvent_engine::repo::Repo;
use solvent_engine::scan::scan;
use solvent_testkit::Memory;
use solvent_testkit::deploy::{Said, read};

#[test]
fn deployments_of_the_same_program_are_told_apart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pairs = read(&root).unwrap_or_else(|error| panic!("{error}"));
    assert!(pairs.len() >= 40, "only {} pairs", pairs.len());
    assert!(pairs.iter().filter(|pair| pair.crosses).count() >= 10);
    let repo = Repo {
        root: PathBuf::from("pair"),
        revision: None,
        dirty: false,
        is_git: false,
    };
    let mut wrong = Vec::new();
    for pair in &pairs {
        for member in &pair.members {
            let files = member
                .files
                .iter()
                .map(|(path, text)| (path.as_str(), text));
            let report = scan(&repo, &Memory::new(files), &Quiet).report;
            let report = serde_json::to_value(report).unwrap_or_else(|error| panic!("{error}"));
            let said = Said::of(&report, &pair.sink.0, pair.sink.1);
            if said != member.label {
                let (label, word) = (member.label.word(), said.word());
                wrong.push(format!("{}, {label}: came out {word}", pair.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
