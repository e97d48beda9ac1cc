//! SARIF 2.1.0, for code hosts and editors: one log with one run.
//!
//! What becomes of a verdict:
//!
//! - reachable, or proven whatever the verdict says: kind `fail`, with a level by severity;
//! - undecided: kind `review` (whose level must be `none`), because unknown is never safe;
//! - no path: no result. A reader shows every result as an alert, whatever its kind, and a search that
//!   finished is not one; how many there were stands in the run's properties.
//!
//! What was not measured is a tool notification. Columns are left out: ours count bytes, SARIF's do not.
//! Severity and level follow the finding; `security-severity` of a rule is the middle of the band of its
//! worst finding (9.5, 8, 5.5, 3).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use solvent_protocol::remediation::{GateReport, Lifecycle};
use solvent_protocol::view::{
    FindingState, FlowView, FullReport, Place, ProofView, ScanReport, StatusReport, StepView,
    Unmeasured,
};

use crate::visible::visible;
use crate::words::{self, Standing};

/// `report --sarif`.
pub struct Sarif;

impl crate::Handler for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }

    fn media_type(&self) -> &'static str {
        "application/sarif+json"
    }

    fn extension(&self) -> &'static str {
        "sarif"
    }

    fn render(&self, report: &FullReport) -> String {
        log(report)
    }
}

/// Name of the base that every path is relative to.
const ROOT: &str = "SRCROOT";
/// Key of our fingerprint: survives line moves and path prefixes.
const FINGERPRINT: &str = "solventFingerprint/v1";

/// The log as text, with a line break at its end.
pub fn log(report: &FullReport) -> String {
    let sorted = words::by_urgency(&report.findings);
    // What is closed is not in the tree any more.
    let (shown, quiet): (Vec<&FindingState>, Vec<_>) = sorted
        .into_iter()
        .filter(|s| Standing::of_state(s) != Standing::Closed)
        .partition(|s| Standing::of_state(s) != Standing::NoPath);
    let rules = rules(&shown);
    let results: Vec<Value> = shown.iter().map(|s| result(s, &rules)).collect();
    let mut properties = json!({
        "tree": report.scan.subject.tree,
        "models": report.scan.tool.models,
        "noPath": quiet.len(),
        "entryPoints": report.scan.entry_points.len(),
    });
    if let Some(revision) = &report.scan.subject.revision {
        properties["revision"] = json!(revision);
    }
    if let Some(ledger) = &report.ledger {
        properties["ledger"] = json!({ "size": ledger.size, "root": ledger.root });
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver(report, &rules) },
            "automationDetails": { "id": format!("solvent/{}/", uri(&report.scan.subject.name)) },
            "originalUriBaseIds": { ROOT: { "description": { "text": "The root of the analysed tree." } } },
            "invocations": [invocation(report)],
            "results": results,
            "properties": properties,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

/// What is new in a change, for the code host's view of it: the same log with those findings only.
pub fn gate(report: &GateReport, scan: &ScanReport) -> String {
    let findings = report
        .new
        .iter()
        .map(|new| FindingState {
            finding: new.finding.clone(),
            proof: (!new.outcome.is_empty()).then(|| ProofView {
                outcome: new.outcome.clone(),
                reason: new.reason.clone(),
                id: new.finding.id.clone(),
                fingerprint: new.finding.fingerprint.clone(),
                weakness: new.finding.weakness.clone(),
                ..ProofView::default()
            }),
            first_seen_ms: scan.started_ms,
            last_seen_ms: scan.started_ms,
            present: true,
            lifecycle: Lifecycle::default(),
        })
        .collect();
    log(&FullReport {
        status: StatusReport::default(),
        scan: ScanReport {
            unmeasured: report.unmeasured.clone(),
            ..scan.clone()
        },
        prove: None,
        findings,
        generated_ms: scan.started_ms,
        ledger: None,
    })
}

/// Weakness and severity of its worst finding, by id; the position is the rule's index.
fn rules<'a>(shown: &[&'a FindingState]) -> BTreeMap<&'a str, &'a str> {
    let mut rules: BTreeMap<&str, &str> = BTreeMap::new();
    for state in shown {
        let severity = rules
            .entry(&state.finding.weakness)
            .or_insert(&state.finding.severity);
        if words::severity_rank(&state.finding.severity) > words::severity_rank(severity) {
            *severity = &state.finding.severity;
        }
    }
    rules
}

fn driver(report: &FullReport, rules: &BTreeMap<&str, &str>) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(id, severity)| {
            let name = words::weakness(id);
            let mut rule = json!({
                "id": id,
                "name": pascal(words::weakness_name(id)),
                "shortDescription": { "text": message(&sentence(words::weakness_name(id), id)) },
                "fullDescription": { "text": message(words::weakness_text(id)) },
                "help": { "text": message(&format!("{name}. {} {HELP}", words::weakness_text(id))) },
                "defaultConfiguration": { "level": level(severity) },
                "properties": { "tags": ["security"], "security-severity": band(severity) },
            });
            if let Some(number) = id.strip_prefix("CWE-").filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
                rule["helpUri"] = json!(format!("https://cwe.mitre.org/data/definitions/{number}.html"));
                rule["properties"]["tags"] = json!(["security", format!("external/cwe/cwe-{number:0>3}")]);
            }
            rule
        })
        .collect();
    json!({
        "name": report.scan.tool.name,
        "fullName": format!("{} {}", report.scan.tool.name, report.scan.tool.version),
        "version": report.scan.tool.version,
        "rules": rules,
        "notifications": [{
            "id": "unmeasured",
            "name": "NotMeasured",
            "shortDescription": { "text": "Something was not measured." },
            "fullDescription": { "text": "Something was not measured, so nothing in this log speaks about it." },
            "help": { "text": "The message says what would make it measured." },
            "defaultConfiguration": { "level": "warning" },
        }],
    })
}

const HELP: &str =
    "`solvent show` with the finding's id gives flow, proof and reproducer on one screen.";

fn invocation(report: &FullReport) -> Value {
    let scan = &report.scan;
    let proven = report.prove.iter().flat_map(|p| &p.unmeasured);
    let mut gaps: Vec<&Unmeasured> = Vec::new();
    for gap in scan.unmeasured.iter().chain(proven) {
        if !gaps.contains(&gap) {
            gaps.push(gap);
        }
    }
    let notifications: Vec<Value> = gaps
        .into_iter()
        .map(|gap| {
            json!({
                "descriptor": { "id": "unmeasured", "index": 0 },
                "level": "warning",
                "message": { "text": message(&format!("Not measured: {}: {}.", gap.what, gap.why)) },
            })
        })
        .collect();
    let end = scan
        .started_ms
        .saturating_add(i64::try_from(scan.duration_ms).unwrap_or(i64::MAX));
    json!({
        "executionSuccessful": true,
        "startTimeUtc": words::timestamp(scan.started_ms),
        "endTimeUtc": words::timestamp(end),
        "toolExecutionNotifications": notifications,
    })
}

fn result(state: &FindingState, rules: &BTreeMap<&str, &str>) -> Value {
    let finding = &state.finding;
    let standing = Standing::of_state(state);
    let fails = finding.verdict.word == "reachable" || standing == Standing::Proven;
    let mut text = message(&sentence(&finding.title, "finding"));
    let mut related = Vec::new();
    if let Some(entry) = &finding.entry {
        // The only link in a message; everything from outside has its brackets escaped.
        let _ = write!(text, " Entry point: [{}](1).", message(&entry.label));
        related.push(json!({
            "id": 1,
            "physicalLocation": physical(&entry.place, None),
            "logicalLocations": [logical(&entry.handler)],
            "message": { "text": message(&format!("Entry point {}.", entry.label)) },
        }));
    }
    let _ = write!(text, " {}", message(&proof_sentence(state, standing)));
    let mut result = json!({
        "ruleId": finding.weakness,
        "ruleIndex": rules.keys().position(|id| *id == finding.weakness).unwrap_or_default(),
        "kind": if fails { "fail" } else { "review" },
        "level": if fails { level(&finding.severity) } else { "none" },
        "message": { "text": text },
        "locations": [{
            "physicalLocation": physical(&finding.sink.place, Some(&finding.sink.text)),
            "logicalLocations": [logical(&finding.sink.function)],
        }],
        "partialFingerprints": { FINGERPRINT: finding.fingerprint },
        "properties": properties(state, standing),
    });
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    if standing == Standing::Accepted {
        // Section 3.35: suppressed outside the source, with the words of who did.
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": visible(&words::decided(&state.lifecycle)),
        }]);
    }
    let flows: Vec<Value> = finding
        .flows
        .iter()
        .filter(|f| !f.steps.is_empty())
        .map(code_flow)
        .collect();
    if !flows.is_empty() {
        result["codeFlows"] = json!(flows);
    } else if !finding.way.is_empty() {
        let locations: Vec<Value> = finding
            .way
            .iter()
            .enumerate()
            .map(|(n, s)| flow_step(n, s))
            .collect();
        result["codeFlows"] = json!([{
            "message": { "text": "How control gets there." },
            "threadFlows": [{ "locations": locations }],
        }]);
    }
    result
}

fn proof_sentence(state: &FindingState, standing: Standing) -> String {
    match (&state.proof, standing) {
        (Some(proof), _) if proof.outcome == "proven" => format!(
            "Proven in the running application, in {} of {} replays on fresh instances: {}.",
            proof.replays_shown, proof.replays_run, proof.effect
        ),
        (Some(proof), _) if proof.outcome == "not_reproduced" => {
            format!(
                "Attacked without an effect, which is not a proof of safety: {}.",
                proof.reason
            )
        }
        (Some(proof), _) => format!("Attacked, but not as planned: {}.", proof.reason),
        (None, Standing::Undecided) => {
            let reasons: Vec<&str> = state
                .finding
                .verdict
                .reasons
                .iter()
                .map(|r| r.text.as_str())
                .collect();
            format!("The search could not finish: {}.", reasons.join(", "))
        }
        (None, _) => "Not attacked.".to_owned(),
    }
}

fn properties(state: &FindingState, standing: Standing) -> Value {
    let finding = &state.finding;
    let mut bag = json!({
        "id": finding.id,
        "severity": finding.severity,
        "verdict": finding.verdict.word,
        "standing": standing.words(),
        "present": state.present,
    });
    let reasons: Vec<Value> = finding
        .verdict
        .reasons
        .iter()
        .map(|r| json!({ "code": r.code, "text": visible(&r.text) }))
        .collect();
    if !reasons.is_empty() {
        bag["reasons"] = json!(reasons);
    }
    if let Some(proof) = &state.proof {
        bag["proof"] = json!({
            "outcome": proof.outcome, "tier": proof.tier, "oracle": proof.oracle,
            "replaysShown": proof.replays_shown, "replaysRun": proof.replays_run,
        });
        if let Some(capsule) = &proof.capsule {
            bag["proof"]["capsule"] = json!(capsule);
        }
    }
    bag
}

fn code_flow(flow: &FlowView) -> Value {
    let locations: Vec<Value> = flow
        .steps
        .iter()
        .enumerate()
        .map(|(n, s)| flow_step(n, s))
        .collect();
    json!({
        "message": { "text": message(&sentence(&flow.input, "input")) },
        "threadFlows": [{ "locations": locations }],
    })
}

fn flow_step(n: usize, step: &StepView) -> Value {
    json!({
        "executionOrder": n + 1,
        "importance": if step.kind == "local" { "important" } else { "essential" },
        "location": {
            "physicalLocation": physical(&step.place, Some(&step.text)),
            "logicalLocations": [logical(&step.function)],
            "message": { "text": message(&sentence(&step.what, &step.kind)) },
        },
    })
}

fn physical(place: &Place, snippet: Option<&str>) -> Value {
    let mut region = Map::new();
    region.insert("startLine".to_owned(), json!(place.line.max(1)));
    if let Some(text) = snippet.filter(|t| !t.is_empty()) {
        region.insert("snippet".to_owned(), json!({ "text": visible(text) }));
    }
    json!({
        "artifactLocation": { "uri": uri(&place.path), "uriBaseId": ROOT },
        "region": region,
    })
}

fn logical(function: &str) -> Value {
    json!({ "fullyQualifiedName": visible(function), "kind": "function" })
}

fn level(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "low" => "note",
        _ => "warning",
    }
}

fn band(severity: &str) -> &'static str {
    match severity {
        "critical" => "9.5",
        "high" => "8.0",
        "low" => "3.0",
        _ => "5.5",
    }
}

/// `SQL injection` as `SqlInjection`; a rule without words is a `Weakness`.
fn pascal(words: &str) -> String {
    let mut name = String::new();
    for word in words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        let lower = word.to_ascii_lowercase();
        name.push_str(&lower[..1].to_ascii_uppercase());
        name.push_str(&lower[1..]);
    }
    if name.is_empty() {
        "Weakness".to_owned()
    } else {
        name
    }
}

/// First letter upper case, full stop at the end; `otherwise` for an empty text.
fn sentence(text: &str, otherwise: &str) -> String {
    let text = if text.is_empty() { otherwise } else { text };
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    let mut sentence = format!("{first}{}", chars.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// Plain text of a message: hidden characters are spelled out; brackets, which make links, and braces,
/// which make placeholders, are escaped as section 3.11 asks.
fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '[' => out.push_str("\\["),
            ']' => out.push_str("\\]"),
            '\\' => out.push_str("\\\\"),
            '{' => out.push_str("{{"),
            '}' => out.push_str("}}"),
            c => out.push(c),
        }
    }
    out
}

/// A relative URI reference: everything but unreserved characters and `/` is percent-encoded, so that
/// no scheme, authority, query or fragment can come out of a path.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{message, pascal, sentence, uri};

    #[test]
    fn rule_names_are_one_word() {
        assert_eq!(pascal("SQL injection"), "SqlInjection");
        assert_eq!(pascal("cross-site scripting"), "CrossSiteScripting");
        assert_eq!(pascal(""), "Weakness");
    }

    #[test]
    fn a_path_is_only_ever_a_path() {
        assert_eq!(uri("shop/a b.py"), "shop/a%20b.py");
        assert_eq!(uri("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(uri("//host/x?y#z"), "host/x%3Fy%23z");
        assert_eq!(uri("é\n"), "%C3%A9%0A");
    }

    #[test]
    fn text_makes_no_link_and_no_placeholder() {
        assert_eq!(
            message("[x](http://evil) {0}"),
            "\\[x\\](http://evil) {{0}}"
        );
    }

    #[test]
    fn sentences_begin_and_end_as_such() {
        assert_eq!(sentence("query parameter q", ""), "Query parameter q.");
        assert_eq!(sentence("", "step"), "Step.");
        assert_eq!(sentence("éa?", ""), "Éa?");
    }
}
