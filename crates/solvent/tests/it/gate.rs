//! The gate of a pipeline: three answers, and a change that cannot rewrite its judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Repo;
use crate::office::{APP, FLAW, RECIPE, REPAIRED, people, text};

/// A repository whose main is sound, on a branch on which something is about to be changed.
fn sound(policy: Option<&str>) -> Repo {
    let fixed = APP.replace(FLAW, REPAIRED);
    let people = people();
    let mut files = vec![
        ("app.py", fixed.as_str()),
        ("solvent.toml", RECIPE),
        (".gitignore", ".solvent/\npeople.db\n"),
    ];
    if let Some(policy) = policy {
        files.push(("solvent-policy/people.toml", people.as_str()));
        files.push(("solvent-policy/governance.toml", policy));
    }
    let repo = Repo::with(&files);
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo
}

fn gate(repo: &Repo, more: &[&str], code: i32) -> Value {
    let args = [&["gate", "--base", "main", "--json"][..], more].concat();
    let report = repo.run(&args).expect(code).json();
    assert_eq!(report["schema"], "solvent.gate/v1");
    report
}

#[test]
fn a_new_flaw_is_proven_named_and_fails() {
    let repo = sound(None);
    repo.write("app.py", APP.as_bytes());
    repo.commit("Find people");
    let report = gate(
        &repo,
        &["--sarif", "new.sarif", "--summary", "summary.md"],
        1,
    );
    let new = &report["new"][0];
    assert_eq!(
        (
            &report["answer"],
            &new["outcome"],
            &new["finding"]["weakness"]
        ),
        (&"fail".into(), &"proven".into(), &"CWE-89".into())
    );
    assert!(text(&new["because"]).contains("app.py"));
    repo.run(&["gate", "--base", "main", "--no-attack"])
        .expect(3)
        .says(&text(&new["finding"]["id"]))
        .says("attacks were switched off");

    let sarif: Value =
        serde_json::from_slice(&fs::read(repo.path().join("new.sarif")).expect("a file"))
            .expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["properties"]["id"], new["finding"]["id"]);
    assert_eq!(results[0]["level"], "error");
    validate(&repo.path().join("new.sarif"));

    let summary = fs::read_to_string(repo.path().join("summary.md")).expect("a file");
    assert!(
        summary.contains("CWE-89") || summary.contains(&text(&new["finding"]["id"])),
        "{summary}"
    );
    assert!(summary.contains("app.py:19"), "{summary}");
    for payload in ["'", "UNION", "SELECT", "--"] {
        let told = summary.replace("|---|---|---|---|---|", "");
        assert!(!told.contains(payload), "`{payload}` in\n{summary}");
    }
}

#[test]
fn what_was_there_before_fails_nothing_and_what_went_closes_nothing() {
    let repo = Repo::with(&[("app.py", APP), ("solvent.toml", RECIPE)]);
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo.write("README.md", b"Words\n");
    repo.write("app.py", APP.replace("Who sits", "Who works").as_bytes());
    repo.commit("Words");
    let report = gate(&repo, &[], 0);
    assert_eq!(
        (&report["answer"], &report["known"]),
        (&"pass".into(), &1.into())
    );
    repo.write("app.py", APP.replace(FLAW, REPAIRED).as_bytes());
    repo.commit("Bind it");
    let report = gate(&repo, &[], 0);
    assert_eq!((&report["known"], &report["gone"]), (&0.into(), &1.into()));
}

#[test]
fn a_moved_file_brings_nothing_new() {
    let repo = Repo::with(&[("app.py", APP), ("solvent.toml", RECIPE)]);
    repo.git(&["checkout", "-q", "-b", "work"]);
    fs::create_dir(repo.path().join("rooms")).expect("a folder");
    repo.git(&["mv", "app.py", "rooms/web.py"]);
    repo.commit("Move it");
    let report = gate(&repo, &[], 0);
    assert_eq!((&report["new"], &report["known"]), (&json!([]), &1.into()));
    // Moved and copied is one more.
    repo.write("rooms/again.py", APP.as_bytes());
    repo.commit("Copy it");
    let report = gate(&repo, &["--no-attack"], 3);
    assert_eq!(report["new"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_change_in_a_language_that_is_not_modelled_is_unmeasured() {
    let repo = sound(None);
    repo.write("tools/run.rb", b"system(ARGV[0])\n");
    repo.commit("A tool");
    let report = gate(&repo, &[], 3);
    assert_eq!(report["answer"], "unmeasured");
    assert!(
        report["unmeasured"].to_string().contains("Ruby"),
        "{report:#}"
    );
}

#[test]
fn what_fails_is_said_by_the_base_and_not_by_the_change() {
    let reachable = "fails_on = \"reachable\"\n";
    let repo = sound(Some(reachable));
    repo.write("app.py", APP.as_bytes());
    repo.commit("Find people");
    let report = gate(&repo, &["--no-attack"], 1);
    assert_eq!(report["fails_on"], "reachable");
    assert_eq!(report["inert"], json!([]));
    repo.write("solvent-policy/governance.toml", b"fails_on = \"proven\"\n");
    repo.write("solvent-policy/people.toml", b"nothing that reads");
    repo.commit("Be kind");
    let kinder = gate(&repo, &["--no-attack"], 1);
    assert_eq!(
        (&kinder["fails_on"], &kinder["policy"]),
        (&report["fails_on"], &report["policy"])
    );
    let inert = kinder["inert"].as_array().expect("lines");
    assert_eq!(inert.len(), 2, "{inert:?}");
    assert!(text(&inert[0]).contains("solvent-policy/governance.toml"));
}

#[test]
fn a_recipe_of_the_change_does_not_decide_what_is_attacked() {
    let repo = sound(None);
    repo.write("app.py", APP.as_bytes());
    let nothing = RECIPE.replace("\"python\", \"app.py\"", "\"python\", \"nothing.py\"");
    repo.write("solvent.toml", nothing.as_bytes());
    repo.write("nothing.py", b"raise SystemExit\n");
    repo.commit("Start something else");
    let report = gate(&repo, &[], 1);
    assert_eq!(report["new"][0]["outcome"], "proven", "{report:#}");
    assert!(text(&report["inert"][0]).contains("`solvent.toml` is read from the base"));
}

#[test]
fn names_of_others_are_no_markup_in_the_summary() {
    let repo = sound(None);
    let name = "a|b<img src=x>[x](y)`@all.py";
    repo.write(name, APP.as_bytes());
    repo.commit("Find people");
    let report = gate(
        &repo,
        &[
            "--no-attack",
            "--summary",
            "summary.md",
            "--sarif",
            "new.sarif",
        ],
        3,
    );
    assert_eq!(
        report["new"].as_array().map(Vec::len),
        Some(1),
        "{report:#}"
    );
    let summary = fs::read_to_string(repo.path().join("summary.md")).expect("a file");
    assert!(
        summary.contains("a\\|b&lt;img src=x&gt;\\[x\\]\\(y\\)\\`&#64;all.py:19"),
        "{summary}"
    );
    assert!(!summary.contains("<img"));
    validate(&repo.path().join("new.sarif"));
}

#[test]
fn a_base_that_is_not_here_says_how_to_fetch_it() {
    let repo = sound(None);
    repo.commit("one more");
    let from = format!("file://{}", repo.path().display());
    let clone = Repo::named("clone");
    clone.git(&[
        "clone", "-q", "--depth", "1", "--branch", "work", &from, ".",
    ]);
    clone
        .run(&["gate", "--base", "main"])
        .expect(2)
        .says("no commit `main`")
        .says("fetch-depth: 0");
    clone.git(&["fetch", "-q", "--depth", "1", "origin", "main:main"]);
    clone
        .run(&["gate", "--base", "main"])
        .expect(2)
        .says("no commit in common")
        .says("fetch-depth: 0");
    repo.run(&["gate", "--base", "--output=x"]).expect(2);
    assert!(!repo.path().join("x").exists());
}

#[test]
fn a_change_that_hides_every_way_in_is_unmeasured() {
    let repo = sound(None);
    repo.write("app.py", b"def broken(:\n");
    repo.commit("Break it");
    let report = gate(&repo, &[], 3);
    assert!(
        report["unmeasured"].to_string().contains("app.py"),
        "{report:#}"
    );
}

/// The validator that code hosts point to; where it is not installed this says so (see `solvent-report`).
fn validate(file: &Path) {
    let package = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = std::env::var_os("SOLVENT_SARIF_MULTITOOL")
        .map(PathBuf::from)
        .into_iter()
        .chain(["target/tools", "."].map(|dir| root.join(dir).join(package)))
        .find(|tool| tool.is_file());
    let Some(tool) = found else {
        eprintln!("unmeasured: SARIF validation, because the validator is not installed");
        return;
    };
    let answer = file.with_extension("answer.json");
    let ran = Command::new(tool)
        .args([
            "validate",
            "--rule-kind",
            "Sarif;Ghas",
            "--log",
            "ForceOverwrite",
            "--output",
        ])
        .arg(&answer)
        .arg(file)
        .output()
        .expect("the validator runs");
    let text = fs::read_to_string(&answer)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&ran.stdout)));
    let log: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON");
    let complaints: Vec<&Value> = log["runs"][0]["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter(|r| r["level"] != "note" && r["ruleId"] != "SARIF2005")
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn what_only_the_inside_reaches_fails_no_gate_that_asks_for_exposure() {
    let compose =
        "services:\n  people:\n    build: .\n    command: flask --app app run -h 0.0.0.0\n";
    let answer = |ports: &str| {
        let repo = sound(Some("fails_on = \"exposed\"\n"));
        repo.write("compose.yaml", format!("{compose}{ports}").as_bytes());
        repo.write("app.py", APP.as_bytes());
        repo.commit("Find people");
        let output = repo
            .run(&["gate", "--base", "main", "--no-attack", "--json"])
            .json();
        let reach = &output["new"][0]["finding"]["entry"]["exposure"]["reach"];
        (text(&output["answer"]), text(reach))
    };
    let published = answer("    ports: [\"5000:5000\"]\n");
    assert_eq!(published, ("fail".to_owned(), "public".to_owned()));
    // Not attacked is no answer either way, but it is no failure.
    let inside = answer("");
    assert_eq!(inside, ("unmeasured".to_owned(), "internal".to_owned()));
    let not_known = answer("    ports: [\"${BIND}:5000:5000\"]\n");
    assert_eq!(not_known, ("fail".to_owned(), "unknown".to_owned()));
}
