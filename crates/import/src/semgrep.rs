//! semgrep's own JSON (`semgrep --json`; opengrep writes the same), as version 1 writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use solvent_finding::Severity;

use crate::{
    Candidate, Coverage, Ended, Importer, Refusal, Run, capped, line, lines, message, name, path,
    weakness,
};

pub struct Semgrep;

impl Importer for Semgrep {
    fn name(&self) -> &'static str {
        "semgrep JSON"
    }

    fn recognises(&self, document: &Value) -> bool {
        document.get("results").is_some()
            && document.get("paths").is_some_and(Value::is_object)
            && document.get("errors").is_some()
    }

    fn read(&self, document: &Value) -> Result<Vec<Run>, Refusal> {
        let results = document
            .get("results")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                Refusal::new(
                    "the semgrep report has no list of results",
                    "run semgrep again",
                )
            })?;
        let mut gaps = Vec::new();
        let mut findings = Vec::new();
        let mut without = 0_u64;
        for result in results {
            match finding(result) {
                Some(found) => findings.push(found),
                None => without += 1,
            }
        }
        if without > 0 {
            gaps.push(format!(
                "{without} results without a rule or a file were not read"
            ));
        }
        capped(&mut findings, &mut gaps);
        let list = |at: &str| {
            document
                .pointer(at)
                .and_then(Value::as_array)
                .map(Vec::as_slice)
        };
        let mut ended = Ended::Whole;
        let mut not_read = BTreeMap::new();
        for skipped in list("/paths/skipped").unwrap_or_default() {
            if let Some(file) = skipped.get("path").and_then(Value::as_str).and_then(path) {
                let why = skipped
                    .get("reason")
                    .and_then(Value::as_str)
                    .unwrap_or("not said");
                not_read.insert(file, message(why));
            }
        }
        for error in list("/errors").unwrap_or_default() {
            let why = error
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or("not said");
            match error.get("path").and_then(Value::as_str).and_then(path) {
                Some(file) => {
                    not_read.insert(file, message(why));
                }
                None if error.get("level").and_then(Value::as_str) == Some("error") => {
                    ended = Ended::Failed(message(why));
                }
                None => gaps.push(message(why)),
            }
        }
        let strings = |at: &str| -> Option<BTreeSet<String>> {
            Some(
                list(at)?
                    .iter()
                    .filter_map(Value::as_str)
                    .filter_map(path)
                    .collect(),
            )
        };
        // Only a run with `--time` names its rules.
        let rules = list("/time/rules")
            .filter(|rules| !rules.is_empty())
            .map(|rules| {
                rules
                    .iter()
                    .filter_map(|r| r.as_str().or_else(|| r.get("id").and_then(Value::as_str)))
                    .filter_map(name)
                    .collect()
            });
        Ok(vec![Run {
            tool: "semgrep".to_owned(),
            version: document
                .get("version")
                .and_then(Value::as_str)
                .and_then(name),
            format: self.name(),
            findings,
            coverage: Coverage {
                ended,
                paths: strings("/paths/scanned"),
                not_read,
                rules,
            },
            hidden: None,
            gaps,
        }])
    }
}

fn finding(result: &Value) -> Option<Candidate> {
    let extra = result.get("extra");
    let said = |key: &str| extra.and_then(|e| e.get(key));
    let mut weaknesses = BTreeSet::new();
    match said("metadata").and_then(|m| m.get("cwe")) {
        Some(Value::String(text)) => weaknesses.extend(weakness::in_text(text)),
        Some(Value::Array(list)) => weaknesses.extend(
            list.iter()
                .filter_map(Value::as_str)
                .filter_map(weakness::in_text),
        ),
        _ => {}
    }
    // Without an account the fingerprint is the words `requires login`.
    let fingerprint = said("fingerprint")
        .and_then(Value::as_str)
        .filter(|f| !f.contains(' '))
        .and_then(name);
    let ignored = said("is_ignored").and_then(Value::as_bool) == Some(true);
    Some(Candidate {
        rule: result
            .get("check_id")
            .and_then(Value::as_str)
            .and_then(name)?,
        weaknesses,
        path: result.get("path").and_then(Value::as_str).and_then(path)?,
        lines: lines(
            line(result.pointer("/start/line")),
            line(result.pointer("/end/line")),
        ),
        message: message(said("message").and_then(Value::as_str).unwrap_or_default()),
        severity: match said("severity").and_then(Value::as_str) {
            Some("CRITICAL") => Some(Severity::Critical),
            Some("ERROR" | "HIGH") => Some(Severity::High),
            Some("WARNING" | "MEDIUM") => Some(Severity::Medium),
            Some("INFO" | "LOW") => Some(Severity::Low),
            _ => None,
        },
        fingerprint,
        suppressed: ignored.then(|| "a `nosemgrep` comment".to_owned()),
    })
}
