//! The debt on one repository, from other tools' reports to the page.

use std::fs;

use serde_json::{Value, json};

use crate::accept::{accept, day};
use crate::harness::Repo;
use crate::office::{Office, Stage};

const APP: &str = r#"import sqlite3
import subprocess

from flask import Flask, request

app = Flask(__name__)


@app.route("/find")
def find():
    name = request.args["q"]
    query = "SELECT * FROM users WHERE name = '%s'" % name
    return str(sqlite3.connect("db").execute(query).fetchall())


@app.route("/uptime")
def uptime():
    return subprocess.check_output("uptime -p", shell=True)


def forgotten(host):
    return subprocess.check_output("ping " + host, shell=True)
"#;

/// Lines of [`APP`].
const SQL_TEXT: u32 = 12;
const SQL: u32 = 13;
const FIXED: u32 = 18;
const UNCALLED: u32 = 22;

fn result(rule: &str, line: u32) -> Value {
    json!({
        "ruleId": rule, "message": {"text": format!("{rule} here")},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": "file:///ci/build/app.py"}, "region": {"startLine": line}}}],
    })
}

/// A report of one tool about `app.py`, as made on another machine.
fn report(tool: &str, results: &[Value], successful: bool) -> String {
    let rule = |id: &str, cwe: &str| json!({"id": id, "properties": {"tags": [format!("external/cwe/cwe-{cwe}")]}});
    json!({"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": tool, "rules": [
            rule("sql", "089"), rule("shell", "078"), rule("eval", "095"), rule("unused", "079")]}},
        "invocations": [{"executionSuccessful": successful}],
        "artifacts": [{"location": {"uri": "file:///ci/build/app.py"}, "roles": ["analysisTarget"]}],
        "results": results,
    }]})
    .to_string()
}

fn repo() -> Repo {
    let repo = Repo::with(&[("app.py", APP)]);
    let all = [
        result("sql", SQL_TEXT),
        result("sql", SQL),
        result("shell", FIXED),
        result("shell", UNCALLED),
        result("eval", SQL),
    ];
    repo.write("scan.sarif", report("Deep", &all, true).as_bytes());
    repo.commit("with a report");
    repo
}

fn row(report: &Value, line: u32, weakness: &str) -> Value {
    report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|f| f["place"]["line"] == line && f["weakness"] == weakness)
        .unwrap_or_else(|| panic!("no {weakness} at line {line}: {:#}", report["findings"]))
        .clone()
}

#[test]
fn a_pile_collapses_by_what_the_search_finished_and_by_nothing_else() {
    let repo = repo();
    let report = repo
        .run(&["debt", "--sarif", "scan.sarif", "--json"])
        .expect(1)
        .json();
    assert_eq!(report["schema"], "solvent.debt/v1");
    let collapse = &report["collapse"]["known"];
    assert_eq!(collapse["imported"]["count"], 5);
    // The text and the call are one flaw; the constant command is out; no caller is no evidence.
    assert_eq!(collapse["remaining"]["count"], 3, "{collapse:#}");
    let sql = row(&report, SQL, "CWE-89");
    assert_eq!(sql["verdict"]["word"], "reachable");
    let tools: Vec<&str> = sql["reports"]
        .as_array()
        .expect("reports")
        .iter()
        .map(|r| r["tool"].as_str().expect("a tool"))
        .collect();
    assert_eq!(tools, ["solvent", "deep", "deep"]);
    let because = sql["reports"][1]["joined_because"].to_string();
    assert!(
        because.contains("CWE-89") && because.contains("on the way"),
        "{because}"
    );
    assert_eq!(row(&report, FIXED, "CWE-78")["verdict"]["word"], "no_path");
    assert_eq!(
        row(&report, UNCALLED, "CWE-78")["verdict"]["word"],
        "undecided"
    );
    assert_eq!(row(&report, SQL, "CWE-95")["verdict"]["word"], "not_judged");
    // Nothing was attacked: that is not a zero.
    assert!(
        report["funnel"]["proven"]["unmeasured"]
            .as_str()
            .is_some_and(|w| w.contains("solvent prove"))
    );
    assert!(report["exposure"]["unmeasured"].is_string());
}

#[test]
fn a_report_that_shrank_or_failed_closes_nothing_and_one_that_looked_does() {
    let repo = repo();
    repo.run(&["debt", "--sarif", "scan.sarif", "--json"])
        .expect(1);
    let open = |args: &[&str]| {
        let report = repo
            .run(&[&["debt", "--months", "0", "--json"], args].concat())
            .expect(1)
            .json();
        let eval = row(&report, SQL, "CWE-95");
        (
            eval["state"]["word"].as_str().expect("a word").to_owned(),
            report,
        )
    };
    let (state, report) = open(&[]);
    assert_eq!(state, "open", "no report was given");
    assert_eq!(report["collapse"]["known"]["remaining"]["count"], 3);
    let less = [result("sql", SQL)];
    repo.write(
        "failed.sarif",
        self::report("Deep", &less, false).as_bytes(),
    );
    assert_eq!(open(&["--sarif", "failed.sarif"]).0, "open");
    repo.write(
        "other.sarif",
        self::report("Another", &less, true).as_bytes(),
    );
    assert_eq!(open(&["--sarif", "other.sarif"]).0, "open");
    let cut = self::report("Deep", &less, true);
    repo.write("cut.sarif", &cut.as_bytes()[..cut.len() / 2]);
    let (state, report) = open(&["--sarif", "cut.sarif"]);
    assert_eq!(state, "open");
    assert!(report["unmeasured"].to_string().contains("cut off"));
    repo.write("whole.sarif", cut.as_bytes());
    let (state, report) = open(&["--sarif", "whole.sarif"]);
    assert_eq!(state, "closed");
    let eval = row(&report, SQL, "CWE-95");
    assert_eq!(eval["state"]["code"], "covered_by_import");
    assert!(
        eval["state"]["reason"]
            .to_string()
            .contains("looked at app.py")
    );
    // What our own analysis still finds is not closed by the silence of another tool.
    assert_eq!(row(&report, UNCALLED, "CWE-78")["state"]["word"], "open");
}

#[test]
fn twelve_months_are_scanned_and_what_a_tool_wrote_is_said() {
    let repo = Repo::plain(&[("app.py", "x = 1\n")]);
    repo.git(&["init", "-q", "-b", "main"]);
    let at = |days: u64, message: &str| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock")
            .as_secs();
        repo.commit_at(now - days * 86_400, message);
    };
    at(200, "Start");
    repo.write("app.py", APP.as_bytes());
    at(
        100,
        "Search\n\nCo-Authored-By: Claude <noreply@anthropic.com>",
    );
    repo.write("README.md", b"Words\n");
    at(5, "Words");
    let report = repo.run(&["debt", "--json"]).expect(1).json();
    let months = report["months"].as_array().expect("months");
    assert_eq!(months.len(), 12);
    let inflow: u64 = months
        .iter()
        .filter_map(|m| m["scan"]["known"]["inflow"]["known"]["count"].as_u64())
        .sum();
    assert_eq!(inflow, 1, "{months:#?}");
    assert!(
        months[0]["scan"]["unmeasured"].is_string(),
        "there was no commit yet"
    );
    let sql = row(&report, SQL, "CWE-89");
    assert_eq!(sql["introduced"]["known"]["attribution"]["by"], "ai");
    let rates = &report["flaw_rates"]["known"];
    assert_eq!(
        (
            &rates["ai"]["flaws"]["count"],
            &rates["ai"]["changes"]["count"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(rates["rest"]["changes"]["count"], 2);
    let age = &months[11]["scan"]["known"]["oldest_open_critical"];
    assert!(
        age["days"]
            .as_u64()
            .is_some_and(|d| (60..=140).contains(&d)),
        "{age}"
    );
    // Every reference opens something in the same document.
    let ids: Vec<String> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| format!("finding:{}", f["id"].as_str().expect("an id")))
        .chain(
            report["commits"]
                .as_array()
                .expect("commits")
                .iter()
                .map(|c| format!("commit:{}", c["id"].as_str().expect("an id"))),
        )
        .collect();
    for reference in references(&report) {
        let opens = reference.starts_with("month:")
            || reference.starts_with("file:")
            || ids.contains(&reference);
        assert!(opens, "{reference} opens nothing");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("evidence", Value::Array(list)) => list
                    .iter()
                    .filter_map(|r| r.as_str().map(str::to_owned))
                    .collect(),
                _ => references(value),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_page_is_written_and_the_record_is_kept() {
    let repo = repo();
    repo.run(&[
        "debt",
        "--months",
        "1",
        "--sarif",
        "scan.sarif",
        "--html",
        "debt.html",
    ])
    .expect(1)
    .says("Wrote debt.html");
    let page = fs::read_to_string(repo.path().join("debt.html")).expect("the page");
    assert!(page.contains("CWE-89") && !page.contains("/ci/build"));
    repo.run(&["log"]).expect(0).says("debt");
    let ledger = repo.path().join(".solvent/ledger");
    let head = repo.run(&["ledger", "head", "--json"]).expect(0).json();
    let key = head["key"].as_str().expect("a key").to_owned();
    repo.run(&["ledger", "verify", &ledger.to_string_lossy(), "--key", &key])
        .expect(0);
}

#[test]
fn mistakes_are_told_with_the_way_on() {
    let repo = Repo::plain(&[("app.py", APP)]);
    repo.run(&["debt"]).expect(2).says("--no-git");
    repo.run(&["debt", "--no-git", "--sarif", "nowhere.sarif"])
        .expect(2)
        .says("cannot read the report `nowhere.sarif`");
    repo.run(&["debt", "--no-git", "--months", "13"]).expect(2);
    repo.write("packed.sarif", &[0x1f, 0x8b, 8, 0, 0]);
    repo.run(&["debt", "--no-git", "--sarif", "packed.sarif"])
        .expect(1)
        .says("gunzip");
}

#[test]
fn a_merge_through_solvent_counts_by_the_record_and_is_unknown_without_it() {
    let office = Office::at(Stage::Closed);
    let merges = || {
        let report = office.repo.run(&["debt", "--months", "1", "--json"]);
        let report: Value = serde_json::from_str(&report.out).expect("JSON");
        let signal = report["process"]["self_merges"].clone();
        (signal, report["unmeasured"].to_string())
    };
    // Ana's agent wrote it, Ben and Cleo approved, Cleo merged: git names the program on both sides.
    let (signal, gaps) = merges();
    assert_eq!(signal["known"]["part"]["count"], 0, "{signal:#}");
    assert_eq!(signal["known"]["of"]["count"], 1, "{signal:#}");
    assert!(!gaps.contains("made through Solvent"), "{gaps}");
    fs::remove_dir_all(office.repo.path().join(".solvent")).expect("the record is gone");
    let (signal, gaps) = merges();
    assert!(signal["unmeasured"].is_string(), "{signal:#}");
    assert!(
        gaps.contains("who merged 1 merge made through Solvent"),
        "{gaps}"
    );
}

#[test]
fn a_page_of_ours_in_the_repository_is_neither_lines_nor_a_change() {
    let repo = repo();
    repo.write(".gitignore", b".solvent/\n");
    repo.commit("ignore the state");
    let look = || {
        let ran = repo.run(&["debt", "--months", "1", "--html", "debt.html", "--json"]);
        let report = ran.expect(1).json();
        let silent = &report["process"]["suppressions"]["known"];
        (
            report["subject"]["dirty"] == true,
            silent["lines"].as_u64().expect("lines"),
            report["authorship"]["known"]["lines"]["known"]["total"]["count"].clone(),
        )
    };
    let first = look();
    assert!(!first.0);
    fs::create_dir(repo.path().join("pages")).expect("a folder");
    repo.run(&["report", "--html", "pages/report.html"]);
    assert!(repo.path().join("pages/report.html").is_file());
    assert_eq!(look(), first, "it lies there untracked");
    repo.commit("keep the pages");
    assert_eq!(look(), first, "it was committed, and is written again");
    repo.write("words.html", b"<!doctype html>\n<p>by hand\n");
    let other = look();
    assert!(other.0 && other.1 == first.1 + 2, "{other:?}");
}

#[test]
fn a_report_that_cannot_be_read_is_named_where_its_findings_are_missed() {
    let repo = Repo::with(&[("app.py", APP)]);
    let whole = report("Deep", &[result("sql", SQL)], true);
    repo.write("cut.sarif", &whole.as_bytes()[..whole.len() / 2]);
    repo.write("empty.sarif", b"");
    repo.write("none.sarif", report("Deep", &[], true).as_bytes());
    let why = |files: &[&str]| {
        let mut args = vec!["debt", "--months", "0", "--html", "debt.html", "--json"];
        args.extend(files.iter().flat_map(|file| ["--sarif", file]));
        let report = repo.run(&args).expect(1).json();
        let page = fs::read_to_string(repo.path().join("debt.html")).expect("the page");
        assert!(!page.contains("none given"), "{files:?}");
        report["collapse"]["unmeasured"]
            .as_str()
            .expect("a reason")
            .to_owned()
    };
    for file in ["cut.sarif", "empty.sarif"] {
        let said = why(&[file]);
        let named = format!("the report `{file}` could not be read: ");
        assert!(said.starts_with(&named), "{said}");
    }
    assert_eq!(
        why(&["cut.sarif", "none.sarif", "empty.sarif"]),
        "the reports `cut.sarif`, `empty.sarif` could not be read"
    );
    assert_eq!(
        why(&["none.sarif"]),
        "the report `none.sarif` holds no finding"
    );
    assert!(why(&[]).contains("`--sarif FILE`"));
}

#[test]
fn what_was_accepted_is_open_in_no_figure() {
    let office = Office::at(Stage::Proven);
    let figures = || {
        let ran = office.repo.run(&["debt", "--months", "1", "--json"]);
        let report: Value = serde_json::from_str(&ran.out).expect("JSON");
        let month = &report["months"][0]["scan"]["known"];
        (
            report["funnel"]["attention"]["count"].as_u64(),
            month["open"]["count"].as_u64(),
            month["oldest_open_critical"].is_object(),
        )
    };
    let (attention, open, _) = figures();
    assert!(attention > Some(0));
    assert_eq!(attention, open, "all of them are our own");
    accept(&office.repo, "human:ben", &office.finding, &day(30)).expect(0);
    let less = attention.map(|n| n - 1);
    assert_eq!(figures(), (less, less, false));
}
