//! What a change touches: two revisions compared, and a scan cut down to what differs.

use std::fs;

use serde_json::Value;

use crate::harness::{Ran, Repo, solvent};

const APP: &str = r#"import sqlite3
from flask import Flask, request
from flask_login import login_required
from settings import SEARCH
from words import cleaned

app = Flask(__name__)


@app.route("/find")
@login_required
def find():
    rows = sqlite3.connect("p.db").execute("SELECT * FROM t WHERE n = '" + cleaned(request.args["q"]) + "'")
    return str(list(rows))


@app.route("/other")
def other():
    if SEARCH:
        return str(list(sqlite3.connect("p.db").execute("SELECT " + request.args["c"] + " FROM t")))
    return "off"


@app.route("/plain")
def plain():
    return "words"
"#;

const WORDS: &str = "def cleaned(text):\n    return text.strip()\n";

fn shop() -> Repo {
    let repo = Repo::with(&[
        ("app.py", APP),
        ("settings.py", "SEARCH = False\n"),
        ("words.py", WORDS),
        ("README.md", "Words\n"),
    ]);
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo
}

/// With a memory of this repository alone: what other runs asked is not remembered.
fn impact(repo: &Repo, code: i32) -> Value {
    let ran: Ran = solvent(&["impact", "main..HEAD", "--json"], &repo.path())
        .env("SOLVENT_CACHE", repo.path().join(".git/cache"))
        .output()
        .expect("the binary runs")
        .into();
    let report = ran.expect(code).json();
    assert_eq!(report["schema"], "solvent.impact/v1");
    report
}

/// `changed GET /other reachable, was no_path`, sorted.
fn flows(report: &Value) -> Vec<String> {
    let flows = report["flows"].as_array().expect("flows");
    let mut out: Vec<String> = flows
        .iter()
        .map(|flow| {
            let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let mut line = format!(
                "{} {} {}",
                word(&flow["how"]),
                word(&flow["finding"]["entry"]["label"]),
                word(&flow["finding"]["verdict"]["word"])
            );
            if let Some(before) = flow["before"]["word"].as_str() {
                line.push_str(&format!(", was {before}"));
            }
            line
        })
        .collect();
    out.sort();
    out
}

fn entries(report: &Value) -> Vec<String> {
    let entries = report["entry_points"].as_array().expect("entry points");
    let mut out: Vec<String> = entries
        .iter()
        .map(|e| {
            let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let changes: Vec<String> = e["changes"]
                .as_array()
                .expect("changes")
                .iter()
                .map(word)
                .collect();
            let line = format!(
                "{} {} {}",
                word(&e["how"]),
                word(&e["entry"]["label"]),
                changes.join("; ")
            );
            line.trim_end().to_owned()
        })
        .collect();
    out.sort();
    out
}

#[test]
fn a_constant_of_another_file_that_opens_a_flow_is_named_and_fails() {
    let repo = shop();
    repo.write("settings.py", b"SEARCH = True\n");
    repo.commit("Search");
    let report = impact(&repo, 1);
    assert_eq!(
        flows(&report),
        ["changed GET /other reachable, was no_path"]
    );
    assert_eq!(report["left"]["reachable"], 1);
    assert_eq!(report["functions"][0]["name"], "settings");
    // The same question again is remembered, and answered alike.
    assert_eq!(report["work"]["head"], "analysed");
    let mut again = impact(&repo, 1);
    assert_eq!(again["work"]["head"], "remembered");
    again["work"] = report["work"].clone();
    again["seconds"] = report["seconds"].clone();
    assert_eq!(again, report);
}

#[test]
fn what_is_remembered_and_broken_is_made_again() {
    let repo = shop();
    repo.write("settings.py", b"SEARCH = True\n");
    repo.commit("Search");
    let cache = repo.path().join(".cache");
    let ask = || {
        let ran = solvent(&["impact", "main..HEAD", "--json"], &repo.path())
            .env("SOLVENT_CACHE", &cache)
            .output()
            .expect("the binary runs");
        let mut report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        report["seconds"] = Value::Null;
        report["work"] = Value::Null;
        report
    };
    let first = ask();
    for entry in fs::read_dir(cache.join("answers")).expect("answers") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("an answer");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("half of it");
    }
    assert_eq!(ask(), first);
    fs::remove_dir_all(cache.join("answers")).expect("gone");
    fs::write(cache.join("answers"), "no folder").expect("a file");
    assert_eq!(ask(), first);
}

#[test]
fn a_lost_login_and_a_new_route_are_entry_points_that_changed() {
    let repo = shop();
    let app = APP
        .replace("@login_required\n", "")
        .replace("\"/plain\"", "\"/simple\"");
    repo.write("app.py", app.as_bytes());
    repo.commit("Everybody may");
    let report = impact(&repo, 0);
    assert_eq!(
        entries(&report),
        [
            "changed GET /find the check `login_required` is gone",
            "changed GET /simple its route was `/plain`, is `/simple`",
        ]
    );
    assert_eq!(flows(&report), ["changed GET /find reachable"]);
    assert_eq!(report["flows"][0]["changes"][0], "another entry point");
}

#[test]
fn a_flow_through_a_function_that_changed_is_touched() {
    let repo = shop();
    repo.write(
        "words.py",
        b"def cleaned(text):\n    print(1)\n    return text.strip()\n",
    );
    repo.commit("Print");
    let report = impact(&repo, 0);
    assert_eq!(flows(&report), ["touched GET /find reachable"]);
    assert_eq!(report["flows"][0]["through"][0], "words:cleaned");
    assert_eq!(entries(&report), ["touched GET /find"]);
}

#[test]
fn lines_that_move_and_words_beside_the_code_touch_nothing() {
    let repo = shop();
    repo.write("README.md", b"Other words\n");
    repo.write("docs/more.md", b"More\n");
    repo.commit("Words");
    let report = impact(&repo, 0);
    assert_eq!((flows(&report), entries(&report)), (vec![], vec![]));
    // It rests on the same as the base's answer.
    assert_eq!(report["work"]["head"], "remembered");
    assert_eq!(
        (&report["files"]["changed"], &report["files"]["read"]),
        (&2.into(), &0.into())
    );

    let moved = APP.replace("app = Flask", "# A shop.\n\n\napp = Flask");
    repo.write("app.py", moved.as_bytes());
    repo.commit("A comment");
    let report = impact(&repo, 0);
    assert_eq!((flows(&report), entries(&report)), (vec![], vec![]));
    assert_eq!(report["left"]["reachable"], 1);
    assert_eq!(report["left"]["no_path"], 1);
}

#[test]
fn who_can_reach_an_entry_point_is_part_of_it() {
    let compose = |ports: &str| {
        format!(
            "services:\n  web:\n    build: .\n    command: flask --app app run\n{ports}  db:\n    image: redis\n"
        )
    };
    let repo = Repo::with(&[
        ("app.py", APP),
        ("settings.py", "SEARCH = False\n"),
        ("words.py", WORDS),
        ("Dockerfile", "FROM python:3\nCOPY . .\n"),
        ("compose.yaml", &compose("")),
    ]);
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo.write(
        "compose.yaml",
        compose("    ports: [\"80:5000\"]\n").as_bytes(),
    );
    repo.commit("Publish it");
    let report = impact(&repo, 0);
    // Somebody outside may get there now; before it was known that nobody did.
    let outside: Vec<String> = flows(&report);
    assert!(
        outside.contains(&"changed GET /find reachable".to_owned()),
        "{outside:?}"
    );
    let entries = entries(&report);
    assert_eq!(entries.len(), 3, "{entries:?}");
    for entry in entries {
        assert!(
            entry.contains("its exposure was `internal`, is `public`"),
            "{entry}"
        );
    }
}

#[test]
fn what_the_base_got_since_is_not_the_changes() {
    let repo = shop();
    repo.write("words.py", b"def cleaned(text):\n    return text\n");
    repo.commit("Plain");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("settings.py", b"SEARCH = True\n");
    repo.commit("Search");
    repo.git(&["checkout", "-q", "work"]);
    let report = impact(&repo, 0);
    let fork = repo.git_says(&["merge-base", "main", "work"]);
    assert_eq!(report["base"], Value::from(fork));
    assert!(!flows(&report).iter().any(|f| f.contains("/other")));
}

#[test]
fn a_folder_of_a_repository_is_asked_about_alone() {
    let repo = Repo::with(&[
        ("web/app.py", APP),
        ("web/settings.py", "SEARCH = False\n"),
        ("web/words.py", WORDS),
        ("tools/app.py", APP),
    ]);
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo.write("web/settings.py", b"SEARCH = True\n");
    repo.write("tools/app.py", b"import os\n");
    repo.commit("Search");
    let ran = repo.run(&["impact", "main..HEAD", "--repo", "web", "--json"]);
    let report = ran.expect(1).json();
    assert_eq!(
        flows(&report),
        ["changed GET /other reachable, was no_path"]
    );
    assert_eq!(report["functions"][0]["place"]["path"], "settings.py");
    assert_eq!(report["files"]["changed"], 1);
    let ran = repo.run(&["scan", "--changed=main", "web", "--json"]);
    assert_eq!(ran.expect(1).json()["how"][0]["how"], "changed");
}

#[test]
fn a_file_that_cannot_be_read_is_unmeasured() {
    let repo = shop();
    repo.write("words.py", b"def cleaned(text:\n    return text.strip(\n");
    repo.commit("Broken");
    let report = repo.run(&["impact", "main..HEAD", "--json"]).json();
    let gaps = report["unmeasured"].as_array().expect("gaps");
    assert!(
        gaps.iter().any(|gap| gap["what"] == "file words.py"),
        "{gaps:?}"
    );
}

#[test]
fn a_range_that_means_nothing_is_refused_with_a_next_step() {
    let repo = shop();
    for range in ["..HEAD", "main..nowhere", "--", "a..b..c"] {
        let ran = repo.run(&["impact", range]);
        assert_eq!(ran.code, 2, "{range}: {}", ran.err);
    }
    repo.run(&["impact", "nowhere"])
        .expect(2)
        .says("no commit `nowhere`");
    Repo::plain(&[("app.py", APP)])
        .run(&["impact", "main..HEAD"])
        .expect(2)
        .says("is not a git repository");
}

#[test]
fn a_pull_request_gets_tables_in_which_nothing_of_others_is_markup() {
    let repo = shop();
    let app = APP
        .replace("@login_required\n", "")
        .replace("\"/plain\"", "\"/<b>|[x](http://y)\"");
    repo.write("app.py", app.as_bytes());
    repo.write("settings.py", b"SEARCH = True\n");
    repo.commit("All");
    repo.run(&["impact", "main..HEAD", "--summary", "impact.md"])
        .expect(1);
    let told = fs::read_to_string(repo.path().join("impact.md")).expect("a file");
    for words in [
        "- flows: 2 changed",
        "| changed | GET /find |",
        "login\\_required\\` is gone",
        "was no path, is reachable",
    ] {
        assert!(told.contains(words), "`{words}` in\n{told}");
    }
    assert!(!told.contains("<b>") && !told.contains("[x]"), "{told}");
    for line in told.lines().filter(|line| line.starts_with("| ")) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!(bars == 7 || bars == 5, "{line}");
    }
}

#[test]
fn nothing_is_wider_than_a_narrow_terminal() {
    let repo = shop();
    repo.write("settings.py", b"SEARCH = True\n");
    repo.write("words.py", b"def cleaned(text):\n    return text\n");
    repo.commit("Both");
    for args in [&["impact", "main..HEAD"][..], &["scan", "--changed"]] {
        let ran = solvent(args, &repo.path())
            .env("COLUMNS", "40")
            .output()
            .expect("the binary runs");
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(text.contains("/other"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 40, "{line}");
        }
    }
}

#[test]
fn a_changed_scan_tells_what_differs_and_counts_what_it_leaves() {
    let repo = shop();
    // Nothing differs yet: what is reachable is left, and fails nothing.
    repo.run(&["scan", "--changed"])
        .expect(0)
        .says("0 new, 0 changed, 0 touched")
        .says("1 finding reachable");
    repo.write("settings.py", b"SEARCH = True\n");
    // Changes that are not committed count.
    let report = repo.run(&["scan", "--changed", "--json"]).expect(1).json();
    assert_eq!(report["schema"], "solvent.scan-changed/v1");
    assert_eq!(report["base_is"], "HEAD");
    let findings = report["scan"]["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0]["entry"]["label"], "GET /other");
    assert_eq!(report["left"]["reachable"], 1);
    repo.commit("Search");
    let report = repo.run(&["scan", "--changed", "--json"]).expect(1).json();
    assert_eq!(report["base_is"], "where this branch left main");
    assert_eq!(report["how"][0]["how"], "changed");
    let report = repo
        .run(&["scan", "--changed=HEAD", "--json"])
        .expect(0)
        .json();
    assert_eq!(report["scan"]["findings"], Value::Array(Vec::new()));
    // It is no scan of the whole, and is not kept as one.
    repo.run(&["findings"])
        .expect(2)
        .says("nothing was scanned");
}
