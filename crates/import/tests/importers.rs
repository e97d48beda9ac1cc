//! Every importer, over its samples, and what every importer must do.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Digest, FilePath};
use solvent_finding::Severity;
use solvent_import::close::Earlier;
use solvent_import::{Closing, Ended, Run, closing, layout, read};

const SAMPLES: [(&str, &[u8]); 5] = [
    ("bandit JSON", include_bytes!("samples/bandit.json")),
    ("semgrep JSON", include_bytes!("samples/semgrep.json")),
    ("SARIF 2.1.0", include_bytes!("samples/bandit.sarif")),
    ("SARIF 2.1.0", include_bytes!("samples/semgrep.sarif")),
    ("SARIF 2.1.0", include_bytes!("samples/full.sarif")),
];

fn one(bytes: &[u8]) -> Run {
    let mut runs = read(bytes).expect("it reads");
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

fn lines(run: &Run) -> Vec<(String, u32)> {
    run.findings
        .iter()
        .map(|f| (f.rule.clone(), f.lines.expect("lines").0))
        .collect()
}

/// Conformance: holds for every format and sample.
#[test]
fn every_importer_keeps_its_promises() {
    for (format, bytes) in SAMPLES {
        let run = one(bytes);
        assert_eq!(run.format, format);
        assert_eq!(run.tool, run.tool.to_lowercase());
        assert_eq!(one(bytes), run, "the same bytes give the same run");
        assert!(!run.findings.is_empty());
        for finding in &run.findings {
            assert!(!finding.rule.is_empty() && !finding.path.contains('\\'));
            assert!(!finding.message.contains('\n'));
            if let Some((first, last)) = finding.lines {
                assert!(0 < first && first <= last);
            }
        }
        // Cut off anywhere, it is refused and closes nothing; the end of the text is not content.
        let whole = bytes.trim_ascii_end();
        for cut in (0..whole.len()).step_by(97) {
            assert!(
                read(&whole[..cut]).is_err(),
                "{format} cut at {cut} was read"
            );
        }
        // A byte order mark in front changes nothing.
        let marked = [b"\xef\xbb\xbf".as_slice(), bytes].concat();
        assert_eq!(one(&marked), run);
        // Fields of a wrong sort are left out, never a panic.
        let text = String::from_utf8_lossy(bytes);
        for (from, to) in [
            ("\"results\": [", "\"results\": {\"x\": 1}, \"was\": ["),
            ("\"runs\": [", "\"runs\": null, \"was\": ["),
            ("\"locations\": [", "\"locations\": 7, \"was\": ["),
            ("\"startLine\": ", "\"startLine\": -"),
        ] {
            let _ = read(text.replace(from, to).as_bytes());
        }
    }
}

#[test]
fn a_tool_says_the_same_in_its_own_format_and_in_sarif() {
    for (own, sarif) in [(0, 2), (1, 3)] {
        let (own, sarif) = (one(SAMPLES[own].1), one(SAMPLES[sarif].1));
        assert_eq!(own.tool, sarif.tool);
        assert_eq!(lines(&own), lines(&sarif));
        for (a, b) in own.findings.iter().zip(&sarif.findings) {
            assert_eq!(a.weaknesses, b.weaknesses);
            assert_eq!(
                a.path.trim_start_matches("./"),
                b.path.trim_start_matches("./")
            );
        }
    }
}

#[test]
fn bandit_names_its_files_and_hidden_findings_but_not_its_rules() {
    for sample in [0, 2] {
        let run = one(SAMPLES[sample].1);
        assert_eq!(run.coverage.ended, Ended::Whole);
        let covered = run.coverage.paths.expect("its table of files");
        assert!(covered.contains("./app.py"));
        assert_eq!(run.coverage.rules, None);
        assert_eq!(run.hidden, Some(1), "one `nosec`");
        let sql = run
            .findings
            .iter()
            .find(|f| f.rule == "B608")
            .expect("B608");
        assert_eq!(sql.weaknesses, BTreeSet::from([89]));
    }
}

#[test]
fn semgrep_lists_its_rules_in_sarif_and_its_files_in_json() {
    let (json, sarif) = (one(SAMPLES[1].1), one(SAMPLES[3].1));
    assert_eq!(
        json.coverage.paths,
        Some(BTreeSet::from(["app.py".to_owned()]))
    );
    assert_eq!(json.coverage.rules, None);
    assert!(json.findings.iter().all(|f| f.fingerprint.is_none()));
    assert_eq!(sarif.coverage.paths, None);
    assert!(sarif.coverage.rules.expect("rules").contains("eval-text"));
}

#[test]
fn sarif_is_read_whole() {
    let run = one(SAMPLES[4].1);
    assert_eq!(run.version.as_deref(), Some("2.1"));
    let paths: Vec<&str> = run.findings.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/build/job 1/repo/src/app.py",
            "/build/job 1/repo/src/odd name.py",
            "/build/job 1/repo/src/app.py"
        ]
    );
    let [sql, path, inline] = &run.findings[..] else {
        panic!("three findings")
    };
    assert_eq!(
        (sql.rule.as_str(), sql.severity),
        ("py/sql", Some(Severity::Critical))
    );
    assert_eq!(
        sql.weaknesses,
        BTreeSet::from([89]),
        "by the relationship of the rule"
    );
    assert_eq!(sql.fingerprint.as_deref(), Some("a=1 b=2"));
    assert_eq!(sql.message, "built from input");
    assert_eq!((path.rule.as_str(), path.lines), ("x/path", Some((3, 4))));
    assert_eq!(path.weaknesses, BTreeSet::from([22, 36]));
    assert_eq!(
        path.suppressed.as_deref(),
        Some("a comment in the source: checked by hand")
    );
    assert_eq!(inline.rule, "py/sql/inline");
    assert_eq!(inline.weaknesses, BTreeSet::from([89, 564]));
    assert_eq!(inline.suppressed, None, "it still waits for a decision");
    assert_eq!(run.gaps.len(), 3);
    let coverage = run.coverage;
    assert_eq!(coverage.ended, Ended::Whole);
    let covered = coverage.paths.expect("artifacts");
    assert!(covered.contains("/build/job 1/repo/src/app.py"));
    assert!(
        !covered
            .iter()
            .any(|p| p.ends_with("gone.py") || p.ends_with("README.md"))
    );
    assert!(
        coverage
            .not_read
            .contains_key("/build/job 1/repo/src/gone.py")
    );
    let rules = coverage.rules.expect("rules");
    assert!(rules.contains("py/quiet") && !rules.contains("py/broken"));
}

fn changed(change: &[(&str, &str)]) -> Run {
    let mut text = String::from_utf8_lossy(SAMPLES[4].1).into_owned();
    for (from, to) in change {
        assert!(text.contains(from), "the sample holds {from}");
        text = text.replace(from, to);
    }
    one(text.as_bytes())
}

fn tree(files: &[&str]) -> BTreeSet<FilePath> {
    files.iter().filter_map(|f| FilePath::new(f)).collect()
}

fn silence(run: &Run, rule: &str, path: &str, files: &[&str]) -> Closing {
    let tree = tree(files);
    let layout = layout(run, &tree);
    let earlier = Earlier {
        tool: "deep".to_owned(),
        rule: rule.to_owned(),
        path: FilePath::new(path).expect("a path"),
        identity: Digest::of(b"gone"),
    };
    closing(&earlier, &[(run, &layout)], &BTreeSet::new(), &tree)
}

const FILES: [&str; 3] = ["src/app.py", "src/odd name.py", "src/gone.py"];

#[test]
fn silence_closes_only_what_the_run_covered() {
    let run = one(SAMPLES[4].1);
    let open = |closing: Closing, word: &str| match closing {
        Closing::Open { why } => assert!(why.contains(word), "{why}"),
        other => panic!("closed: {other:?}"),
    };
    assert!(matches!(
        silence(&run, "py/quiet", "src/app.py", &FILES),
        Closing::Closed { run: 0, .. }
    ));
    open(
        silence(&run, "py/unknown", "src/app.py", &FILES),
        "in force",
    );
    open(silence(&run, "py/broken", "src/app.py", &FILES), "in force");
    open(
        silence(&run, "py/sql", "src/gone.py", &FILES),
        "could not read",
    );
    let more = [
        "src/app.py",
        "src/odd name.py",
        "src/gone.py",
        "src/other.py",
    ];
    open(silence(&run, "py/sql", "src/other.py", &more), "looked at");
    let failed = changed(&[(
        "\"executionSuccessful\": true",
        "\"executionSuccessful\": false",
    )]);
    open(
        silence(&failed, "py/quiet", "src/app.py", &FILES),
        "did not finish",
    );
    let unsaid = changed(&[("\"invocations\"", "\"was\"")]);
    open(
        silence(&unsaid, "py/quiet", "src/app.py", &FILES),
        "does not say",
    );
    let empty = changed(&[("\"results\"", "\"was\"")]);
    open(
        silence(&empty, "py/quiet", "src/app.py", &FILES),
        "did not finish",
    );
    let shrunk = changed(&[("\"roles\"", "\"was\"")]);
    open(
        silence(&shrunk, "py/quiet", "src/app.py", &FILES),
        "looked at",
    );
    let other = tree(&FILES);
    let layout = layout(&run, &other);
    let earlier = Earlier {
        tool: "another".to_owned(),
        rule: "py/quiet".to_owned(),
        path: FilePath::new("src/app.py").expect("a path"),
        identity: Digest::of(b"x"),
    };
    open(
        closing(&earlier, &[(&run, &layout)], &BTreeSet::new(), &other),
        "no report of another",
    );
    let present = BTreeSet::from([Digest::of(b"x")]);
    assert_eq!(closing(&earlier, &[], &present, &other), Closing::Reported);
}

#[test]
fn foreign_and_old_documents_are_refused_with_a_next_step() {
    for (bytes, word) in [
        (r#"{"version": "2.0.0", "runs": [{}]}"#, "2.1.0"),
        (
            r#"{"version": "2.1.0", "runs": []}"#,
            "nothing was measured",
        ),
        (
            r#"{"version": "2.1.0", "runs": [{"results": []}]}"#,
            "does not name its tool",
        ),
        (r#"{"version": "2.1.0", "runs": null}"#, "no list of runs"),
        (r#"{"issues": []}"#, "no known format"),
        (
            r#"{"results": null, "metrics": {"_totals": {}}}"#,
            "no list of results",
        ),
        ("[]", "no known format"),
    ] {
        let refusal = read(bytes.as_bytes()).expect_err("refused");
        assert!(refusal.why.contains(word), "{}", refusal.why);
        assert!(!refusal.next.is_empty());
    }
}

#[test]
fn a_bandit_error_is_a_file_that_was_not_read() {
    let text = r#"{"errors": [{"filename": "./bad.py", "reason": "syntax error while parsing AST from file"}],
        "metrics": {"_totals": {"nosec": 0}, "./ok.py": {}, "./bad.py": {}}, "results": []}"#;
    let run = one(text.as_bytes());
    let want = BTreeMap::from([(
        "./bad.py".to_owned(),
        "syntax error while parsing AST from file".to_owned(),
    )]);
    assert_eq!(run.coverage.not_read, want);
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_are_read_or_refused(at in 0_usize..5, cuts in proptest::collection::vec((0.0..1.0_f64, 0_u8..=255), 1..6)) {
        let mut bytes = SAMPLES[at].1.to_vec();
        for (place, byte) in cuts {
            let i = (place * (bytes.len() - 1) as f64) as usize;
            bytes[i] = byte;
        }
        if let Ok(runs) = read(&bytes) {
            for run in runs {
                let _ = layout(&run, &tree(&FILES));
            }
        }
    }
}
