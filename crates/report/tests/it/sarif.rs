use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use solvent_protocol::view::FullReport;
use solvent_report::sarif::log;
use solvent_report::visible::is_hidden;

use crate::sample;

fn parsed(report: &FullReport) -> Value {
    serde_json::from_str(&log(report)).expect("the log is JSON")
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().expect("results")
}

fn by_id<'a>(log: &'a Value, id: &str) -> Option<&'a Value> {
    results(log).iter().find(|r| r["properties"]["id"] == id)
}

#[test]
fn the_log_of_the_sample() {
    insta::assert_snapshot!("log", log(&sample::full()));
}

#[test]
fn undecided_is_for_review_and_no_path_is_counted_apart() {
    let log = parsed(&sample::full());
    assert_eq!(
        by_id(&log, "4f0c2b7a11").expect("reachable")["kind"],
        "fail"
    );
    assert_eq!(
        by_id(&log, "4f0c2b7a11").expect("reachable")["level"],
        "error"
    );
    let undecided = by_id(&log, "c2f4416b09").expect("undecided");
    assert_eq!(
        (&undecided["kind"], &undecided["level"]),
        (&"review".into(), &"none".into())
    );
    assert!(by_id(&log, "1b2e77f013").is_none());
    assert_eq!(results(&log).len(), 5);
    assert_eq!(log["runs"][0]["properties"]["noPath"], 5);
}

#[test]
fn a_proof_outranks_a_verdict() {
    let mut report = sample::full();
    let state = report
        .findings
        .iter_mut()
        .find(|s| s.finding.id == "4f0c2b7a11")
        .expect("the finding");
    state.finding.verdict.word = "no_path".to_owned();
    let log = parsed(&report);
    assert_eq!(
        by_id(&log, "4f0c2b7a11").expect("proven, so shown")["kind"],
        "fail"
    );
}

#[test]
fn an_accepted_finding_is_suppressed_and_a_closed_one_is_gone() {
    let mut report = sample::full();
    let with = |report: &mut FullReport, word: &str| {
        let state = report
            .findings
            .iter_mut()
            .find(|s| s.finding.id == "4f0c2b7a11")
            .expect("the finding");
        state.lifecycle.state = word.to_owned();
        state.lifecycle.why = "in these words".to_owned();
        parsed(report)
    };
    let log = with(&mut report, "accepted");
    let result = by_id(&log, "4f0c2b7a11").expect("shown");
    assert_eq!(result["suppressions"][0]["kind"], "external");
    assert_eq!(
        result["suppressions"][0]["justification"],
        "accepted: in these words"
    );
    let log = with(&mut report, "closed");
    assert!(by_id(&log, "4f0c2b7a11").is_none());
    let log = with(&mut report, "reopened");
    let result = by_id(&log, "4f0c2b7a11").expect("open again");
    assert!(result.get("suppressions").is_none());
}

#[test]
fn flows_go_from_source_to_sink_in_order() {
    let log = parsed(&sample::full());
    let flow = &by_id(&log, "4f0c2b7a11").expect("reachable")["codeFlows"][0]["threadFlows"][0]["locations"];
    let lines: Vec<u64> = flow
        .as_array()
        .expect("locations")
        .iter()
        .filter_map(|l| l["location"]["physicalLocation"]["region"]["startLine"].as_u64())
        .collect();
    assert_eq!(lines, [45, 49, 61, 64]);
}

#[test]
fn what_is_unmeasured_is_a_notification() {
    let log = parsed(&sample::full());
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert_eq!(notes.as_array().map(Vec::len), Some(2));
    assert_eq!(notes[0]["level"], "warning");
}

#[test]
fn rule_indexes_point_at_their_rule() {
    let log = parsed(&sample::full());
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    for result in results(&log) {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
}

#[test]
fn outside_text_makes_no_link_and_hides_nothing() {
    let text = log(&sample::poisoned(
        "[here](https://evil.example) {0} \u{202e}\u{200b}",
    ));
    let log: Value = serde_json::from_str(&text).expect("the log is JSON");
    for result in results(&log) {
        let message = result["message"]["text"].as_str().expect("a message");
        assert!(!message.contains("[here]("), "{message}");
        assert!(!message.chars().any(is_hidden), "{message:?}");
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .expect("a path");
        assert!(
            uri.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)),
            "{uri}"
        );
    }
}

/// The validator that code hosts point to. Where it is not installed this says so; `xtask` installs it.
#[test]
fn the_outside_validator_accepts_the_log() {
    let Some(tool) = multitool() else {
        eprintln!(
            "unmeasured: SARIF validation, because the npm package @microsoft/sarif-multitool is not installed (set SOLVENT_SARIF_MULTITOOL to its program)"
        );
        return;
    };
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sarif");
    fs::create_dir_all(&dir).expect("a folder");
    let mut empty = sample::full();
    empty.findings.clear();
    let hostile = sample::poisoned("\"><script>[x](1) {0} \u{202e}\r\n é");
    let broken = log(&sample::full()).replace("\"startLine\": 64", "\"startLine\": -1");
    for (name, text) in [
        ("sample", log(&sample::full())),
        ("empty", log(&empty)),
        ("hostile", log(&hostile)),
        ("broken", broken),
    ] {
        fs::write(dir.join(format!("{name}.sarif")), text).expect("the log is written");
    }
    let (about_broken, others): (Vec<String>, Vec<String>) = validate(&tool, &dir)
        .into_iter()
        .partition(|c| c.starts_with("broken.sarif"));
    assert!(!about_broken.is_empty(), "the validator accepts anything");
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// Errors and warnings by the standard's rules and GitHub's, each after its file's name, but for
/// SARIF2005, which asks for an address of the product: it has none.
fn validate(tool: &Path, dir: &Path) -> Vec<String> {
    let run = Command::new(tool)
        .args([
            "validate",
            "--rule-kind",
            "Sarif;Ghas",
            "--log",
            "ForceOverwrite",
        ])
        .args(["--output", "answer.json"])
        .args([
            "sample.sarif",
            "empty.sarif",
            "hostile.sarif",
            "broken.sarif",
        ])
        .current_dir(dir)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .output()
        .expect("the validator runs");
    let answer = fs::read_to_string(dir.join("answer.json"))
        .unwrap_or_else(|e| panic!("no answer ({e}): {}", String::from_utf8_lossy(&run.stdout)));
    // The tool writes a byte order mark.
    let answer: Value =
        serde_json::from_str(answer.trim_start_matches('\u{feff}')).expect("its answer is JSON");
    results(&answer)
        .iter()
        .filter(|r| r["level"] != "note" && r["ruleId"] != "SARIF2005")
        .map(|r| {
            let file = &r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            let file = file
                .as_str()
                .and_then(|f| f.rsplit('/').next())
                .unwrap_or_default();
            format!("{file} {} {}", r["ruleId"], r["message"])
        })
        .collect()
}

fn multitool() -> Option<PathBuf> {
    if let Some(tool) = std::env::var_os("SOLVENT_SARIF_MULTITOOL") {
        return Some(tool.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let package = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";
    ["target/tools", "."]
        .iter()
        .map(|dir| root.join(dir).join(package))
        .find(|tool| tool.is_file())
}
