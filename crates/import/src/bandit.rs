//! bandit's own JSON (`bandit -f json`), as bandit 1.7 to 1.9 writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use solvent_finding::Severity;

use crate::{
    Candidate, Coverage, Ended, Importer, Refusal, Run, capped, line, lines, message, name, path,
};

pub struct Bandit;

impl Importer for Bandit {
    fn name(&self) -> &'static str {
        "bandit JSON"
    }

    fn recognises(&self, document: &Value) -> bool {
        document
            .get("metrics")
            .is_some_and(|m| m.get("_totals").is_some())
            && document.get("results").is_some()
    }

    fn read(&self, document: &Value) -> Result<Vec<Run>, Refusal> {
        let results = document
            .get("results")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                Refusal::new(
                    "the bandit report has no list of results",
                    "run bandit again",
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
        let metrics = document.get("metrics").and_then(Value::as_object);
        let paths: BTreeSet<String> = metrics
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != "_totals")
            .filter_map(|(key, _)| path(key))
            .collect();
        let mut not_read = BTreeMap::new();
        for error in document
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(file) = error.get("filename").and_then(Value::as_str).and_then(path) {
                let why = error
                    .get("reason")
                    .and_then(Value::as_str)
                    .unwrap_or("not said");
                not_read.insert(file, message(why));
            }
        }
        let hidden = metrics.and_then(|m| m.get("_totals")).map(|totals| {
            ["nosec", "skipped_tests"]
                .iter()
                .filter_map(|key| totals.get(key).and_then(Value::as_u64))
                .fold(0, u64::saturating_add)
        });
        Ok(vec![Run {
            tool: "bandit".to_owned(),
            version: None,
            format: self.name(),
            findings,
            coverage: Coverage {
                // The file is written in one go at the end of a run.
                ended: Ended::Whole,
                paths: Some(paths),
                not_read,
                // Which tests were in force is in the configuration, not in the report.
                rules: None,
            },
            hidden,
            gaps,
        }])
    }
}

fn finding(result: &Value) -> Option<Candidate> {
    let text = |key: &str| result.get(key).and_then(Value::as_str);
    let range = result.get("line_range").and_then(Value::as_array);
    let first = line(result.get("line_number"));
    let last = range.and_then(|r| line(r.last()));
    Some(Candidate {
        rule: text("test_id").and_then(name)?,
        weaknesses: result
            .get("issue_cwe")
            .and_then(|c| c.get("id"))
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .into_iter()
            .collect(),
        path: text("filename").and_then(path)?,
        lines: lines(first, last),
        message: message(text("issue_text").unwrap_or_default()),
        severity: match text("issue_severity") {
            Some("HIGH") => Some(Severity::High),
            Some("MEDIUM") => Some(Severity::Medium),
            Some("LOW") => Some(Severity::Low),
            _ => None,
        },
        fingerprint: None,
        suppressed: None,
    })
}
