//! SARIF 2.1.0 (OASIS standard, 27 March 2020), as bandit, semgrep, CodeQL, Snyk and others write it.
//!
//! Section numbers below are of that standard.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use solvent_finding::Severity;

use crate::{
    Candidate, Coverage, Ended, Importer, Refusal, Run, capped, line, lines, message, name, path,
    weakness,
};

pub struct Sarif;

/// Longest chain of base folders that is followed.
const MAX_BASES: usize = 8;

impl Importer for Sarif {
    fn name(&self) -> &'static str {
        "SARIF 2.1.0"
    }

    fn recognises(&self, document: &Value) -> bool {
        document.get("runs").is_some()
    }

    fn read(&self, document: &Value) -> Result<Vec<Run>, Refusal> {
        let version = text(document, "version").unwrap_or("none");
        if !version.starts_with("2.1.0") {
            return Err(Refusal::new(
                format!(
                    "the SARIF report has version `{}`, not 2.1.0",
                    short(version)
                ),
                "have the tool write SARIF 2.1.0",
            ));
        }
        let runs = document
            .get("runs")
            .and_then(Value::as_array)
            .ok_or_else(|| {
                Refusal::new("the SARIF report has no list of runs", "run the tool again")
            })?;
        if runs.is_empty() {
            return Err(Refusal::new(
                "the SARIF report holds no run: nothing was measured",
                "run the tool again, and look at its exit code",
            ));
        }
        runs.iter().map(|r| run(r, self.name())).collect()
    }
}

/// What a rule says of itself.
#[derive(Default, Clone)]
struct Rule {
    weaknesses: BTreeSet<u32>,
    severity: Option<Severity>,
    level: Option<String>,
    text: String,
}

struct Context<'v> {
    run: &'v Value,
    /// Rules of the driver, then of each extension, in their order.
    tables: Vec<Vec<(String, Rule)>>,
    by_id: BTreeMap<String, Rule>,
}

fn run(run: &Value, format: &'static str) -> Result<Run, Refusal> {
    let driver = run.pointer("/tool/driver").ok_or_else(|| {
        Refusal::new(
            "a run of the SARIF report does not name its tool",
            "run the tool again",
        )
    })?;
    let tool = text(driver, "name").and_then(name).ok_or_else(|| {
        Refusal::new(
            "a run of the SARIF report does not name its tool",
            "run the tool again",
        )
    })?;
    let mut tables = vec![rules(run, driver)];
    for extension in list(run.pointer("/tool/extensions")) {
        tables.push(rules(run, extension));
    }
    let by_id: BTreeMap<String, Rule> = tables.iter().flatten().cloned().collect();
    let context = Context { run, tables, by_id };

    let mut gaps = Vec::new();
    let mut findings = Vec::new();
    let (mut absent, mut without, mut passed) = (0_u64, 0_u64, 0_u64);
    for result in list(run.get("results")) {
        // 3.27.9: only these kinds say that something is, or may be, wrong.
        if !matches!(
            text(result, "kind"),
            None | Some("fail" | "open" | "review")
        ) {
            passed += 1;
        } else if text(result, "baselineState") == Some("absent") {
            absent += 1;
        } else {
            match finding(&context, result) {
                Some(found) => findings.push(found),
                None => without += 1,
            }
        }
    }
    for (count, what) in [
        (absent, "results that the run says are gone were left out"),
        (passed, "results that report no problem were left out"),
        (without, "results without a rule or a file were not read"),
    ] {
        if count > 0 {
            gaps.push(format!("{count} {what}"));
        }
    }
    capped(&mut findings, &mut gaps);
    let coverage = coverage(&context, &findings);
    Ok(Run {
        tool: plain(&tool),
        version: text(driver, "semanticVersion")
            .or_else(|| text(driver, "version"))
            .and_then(name),
        format,
        findings,
        coverage,
        hidden: bandit_hidden(run),
        gaps,
    })
}

/// The name that the tool has in its own format: `Semgrep OSS` is `semgrep` there.
fn plain(tool: &str) -> String {
    let lower = tool.to_lowercase();
    lower.strip_suffix(" oss").unwrap_or(&lower).to_owned()
}

fn rules(run: &Value, component: &Value) -> Vec<(String, Rule)> {
    list(component.get("rules"))
        .iter()
        .map(|rule| {
            let id = text(rule, "id").and_then(name).unwrap_or_default();
            let mut weaknesses = BTreeSet::new();
            if let Some(properties) = rule.get("properties") {
                tagged(properties, &mut weaknesses);
            }
            for relation in list(rule.get("relationships")) {
                if let Some(target) = relation.get("target") {
                    weaknesses.extend(taxon(run, target));
                }
            }
            let about = ["shortDescription", "fullDescription"]
                .iter()
                .find_map(|key| rule.get(key).and_then(|d| text(d, "text")))
                .unwrap_or_default();
            let found = Rule {
                weaknesses,
                severity: scored(rule.get("properties")),
                level: rule
                    .pointer("/defaultConfiguration/level")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                text: message(about),
            };
            (id, found)
        })
        .collect()
}

/// Tags and fields in which tools keep CWE numbers.
fn tagged(properties: &Value, out: &mut BTreeSet<u32>) {
    for tag in list(properties.get("tags")) {
        out.extend(tag.as_str().and_then(weakness::in_text));
    }
    for key in ["cwe", "CWE", "cwes", "cweIds", "cwe_id"] {
        match properties.get(key) {
            Some(Value::String(one)) => out.extend(weakness::in_field(one)),
            Some(Value::Number(n)) => out.extend(n.as_u64().and_then(|n| u32::try_from(n).ok())),
            Some(Value::Array(many)) => out.extend(many.iter().filter_map(|one| {
                one.as_str()
                    .and_then(weakness::in_field)
                    .or_else(|| one.as_u64().and_then(|n| u32::try_from(n).ok()))
            })),
            _ => {}
        }
    }
}

/// 3.54: a reference to a taxon of the CWE taxonomy, named directly or by its index in the run.
fn taxon(run: &Value, reference: &Value) -> Option<u32> {
    let component = reference.get("toolComponent");
    let named = component.and_then(|c| text(c, "name"));
    let by_index = || {
        let index = component?.get("index")?.as_u64()?;
        let taxonomies = run.get("taxonomies")?.as_array()?;
        text(taxonomies.get(usize::try_from(index).ok()?)?, "name")
    };
    let name = named.or_else(by_index)?;
    name.eq_ignore_ascii_case("cwe")
        .then(|| text(reference, "id").and_then(weakness::in_field))
        .flatten()
}

/// `security-severity`, a score after CVSS: 9 and more is critical, 7 high, 4 medium.
fn scored(properties: Option<&Value>) -> Option<Severity> {
    let value = properties?.get("security-severity")?;
    let score = value
        .as_f64()
        .or_else(|| value.as_str().and_then(|s| s.trim().parse().ok()))?;
    Some(match score {
        s if s >= 9.0 => Severity::Critical,
        s if s >= 7.0 => Severity::High,
        s if s >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    })
}

fn finding(context: &Context<'_>, result: &Value) -> Option<Candidate> {
    let (rule_id, rule) = rule_of(context, result)?;
    let at = list(result.get("locations"))
        .first()
        .and_then(|l| l.get("physicalLocation"))?;
    let region = at.get("region");
    let mut weaknesses = rule.weaknesses.clone();
    for reference in list(result.get("taxa")) {
        weaknesses.extend(taxon(context.run, reference));
    }
    if let Some(properties) = result.get("properties") {
        tagged(properties, &mut weaknesses);
    }
    if weaknesses.is_empty() {
        weaknesses.extend(weakness::in_text(&rule_id));
    }
    let level = text(result, "level")
        .map(str::to_owned)
        .or_else(|| rule.level.clone());
    let severity = scored(result.get("properties")).or(rule.severity).or({
        // 3.27.10: without a level, it is `warning`.
        match level.as_deref() {
            Some("error") => Some(Severity::High),
            None | Some("warning") => Some(Severity::Medium),
            Some("note") => Some(Severity::Low),
            _ => None,
        }
    });
    let said = result
        .pointer("/message/text")
        .or_else(|| result.pointer("/message/markdown"))
        .and_then(Value::as_str)
        .map_or_else(|| rule.text.clone(), message);
    Some(Candidate {
        rule: rule_id,
        weaknesses,
        path: artifact(context, at.get("artifactLocation")?)?,
        lines: lines(
            region.and_then(|r| line(r.get("startLine"))),
            region.and_then(|r| line(r.get("endLine"))),
        ),
        message: said,
        severity,
        fingerprint: fingerprint(result),
        suppressed: suppressed(result),
    })
}

/// 3.27.5 to 3.27.7: the id, or the index into the driver's or an extension's rules.
fn rule_of(context: &Context<'_>, result: &Value) -> Option<(String, Rule)> {
    let reference = result.get("rule");
    let index = |value: Option<&Value>| {
        value
            .and_then(Value::as_u64)
            .and_then(|i| usize::try_from(i).ok())
    };
    let table = match reference
        .and_then(|r| r.get("toolComponent"))
        .and_then(|c| index(c.get("index")))
    {
        // Extensions stand after the driver.
        Some(extension) => context.tables.get(extension.checked_add(1)?),
        None => context.tables.first(),
    };
    let indexed = index(result.get("ruleIndex"))
        .or_else(|| index(reference.and_then(|r| r.get("index"))))
        .and_then(|i| table?.get(i));
    let id = text(result, "ruleId").or_else(|| reference.and_then(|r| text(r, "id")));
    match (id.and_then(name), indexed) {
        // An id may be more special than its rule: `CA1000/1` (3.52.4). The rule that the index names is
        // taken only when it agrees with the id.
        (Some(id), Some((known, rule))) if id == *known || id.starts_with(&format!("{known}/")) => {
            Some((id, rule.clone()))
        }
        (Some(id), _) => {
            let rule = context.by_id.get(&id).cloned().unwrap_or_default();
            Some((id, rule))
        }
        (None, Some((known, rule))) if !known.is_empty() => Some((known.clone(), rule.clone())),
        _ => None,
    }
}

/// 3.4: where a file is, with its base folders put in front and `%20` decoded.
fn artifact(context: &Context<'_>, location: &Value) -> Option<String> {
    let indexed = || {
        let index = usize::try_from(location.get("index")?.as_u64()?).ok()?;
        list(context.run.get("artifacts"))
            .get(index)?
            .get("location")
    };
    let location = if location.get("uri").is_some() {
        location
    } else {
        indexed()?
    };
    let mut whole = text(location, "uri")?.to_owned();
    let mut base = text(location, "uriBaseId");
    for _ in 0..MAX_BASES {
        if is_absolute(&whole) {
            break;
        }
        let Some(folder) = base.and_then(|b| context.run.get("originalUriBaseIds")?.get(b)) else {
            break;
        };
        if let Some(uri) = text(folder, "uri") {
            whole = format!("{}/{whole}", uri.trim_end_matches('/'));
        }
        base = text(folder, "uriBaseId");
        if whole.len() > crate::MAX_NAME {
            return None;
        }
    }
    path(&decoded(&whole)?)
}

fn is_absolute(uri: &str) -> bool {
    uri.starts_with('/') || uri.contains("://") || uri.starts_with("file:")
}

/// Without `file:` and with percent signs resolved; other schemes name no file of a tree.
fn decoded(uri: &str) -> Option<String> {
    let rest = match uri.strip_prefix("file:") {
        Some(rest) => {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            rest.strip_prefix("localhost").unwrap_or(rest)
        }
        None if uri.contains("://") => return None,
        None => uri,
    };
    let bytes = rest.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// 3.27.16 and 3.27.17: stable values first, partial ones after; in the order of their names.
fn fingerprint(result: &Value) -> Option<String> {
    for key in ["fingerprints", "partialFingerprints"] {
        let Some(all) = result.get(key).and_then(Value::as_object) else {
            continue;
        };
        let sorted: BTreeMap<&String, &str> = all
            .iter()
            .filter_map(|(k, v)| Some((k, v.as_str()?)))
            .filter(|(_, v)| !v.is_empty() && *v != "requires login")
            .collect();
        let joined: Vec<String> = sorted.iter().map(|(k, v)| format!("{k}={v}")).collect();
        if let Some(found) = name(&joined.join(" ")) {
            return Some(found);
        }
    }
    None
}

/// 3.27.23: suppressed when there is a suppression and none that was rejected or still waits.
fn suppressed(result: &Value) -> Option<String> {
    let all = list(result.get("suppressions"));
    let accepted = |s: &Value| matches!(text(s, "status"), None | Some("accepted"));
    if all.is_empty() || !all.iter().all(accepted) {
        return None;
    }
    let first = all.first()?;
    let kind = match text(first, "kind") {
        Some("inSource") => "a comment in the source",
        Some("external") => "a list beside the source",
        _ => "a suppression",
    };
    Some(match text(first, "justification") {
        Some(why) if !why.trim().is_empty() => format!("{kind}: {}", message(why)),
        _ => kind.to_owned(),
    })
}

fn coverage(context: &Context<'_>, findings: &[Candidate]) -> Coverage {
    let run = context.run;
    let mut not_read = BTreeMap::new();
    let mut silent_rules = BTreeSet::new();
    let mut failed: Option<String> = None;
    let invocations = list(run.get("invocations"));
    for invocation in invocations {
        if invocation
            .get("executionSuccessful")
            .and_then(Value::as_bool)
            != Some(true)
        {
            let why = [
                "exitCodeDescription",
                "processStartFailureMessage",
                "exitSignalName",
            ]
            .iter()
            .find_map(|key| text(invocation, key))
            .unwrap_or("the run does not say that it was successful");
            failed = Some(message(why));
        }
        for key in [
            "toolExecutionNotifications",
            "toolConfigurationNotifications",
        ] {
            for notification in list(invocation.get(key)) {
                if text(notification, "level") != Some("error") {
                    continue;
                }
                let why = notification
                    .pointer("/message/text")
                    .and_then(Value::as_str)
                    .map_or_else(|| "an error without words".to_owned(), message);
                let at = list(notification.get("locations"))
                    .iter()
                    .filter_map(|l| l.pointer("/physicalLocation/artifactLocation"))
                    .filter_map(|l| artifact(context, l));
                let before = not_read.len();
                not_read.extend(at.map(|file| (file, why.clone())));
                let rule = notification
                    .pointer("/associatedRule/id")
                    .and_then(Value::as_str);
                match rule {
                    Some(rule) => {
                        silent_rules.insert(rule.to_owned());
                    }
                    None if not_read.len() == before => failed = Some(why),
                    None => {}
                }
            }
        }
    }
    let ended = match failed {
        Some(why) => Ended::Failed(why),
        // 3.14.23: no list of results means that the tool did not get as far as producing one.
        None if !run.get("results").is_some_and(Value::is_array) => {
            Ended::Failed("the run has no list of results".to_owned())
        }
        None if invocations.is_empty() => {
            Ended::Unsaid("the report does not say whether the run was successful".to_owned())
        }
        None => Ended::Whole,
    };
    // 3.24.6: these files the tool was told to analyse. A file with a result was analysed too.
    let told: BTreeSet<String> = list(run.get("artifacts"))
        .iter()
        .filter(|a| {
            list(a.get("roles"))
                .iter()
                .any(|r| r.as_str() == Some("analysisTarget"))
        })
        .filter_map(|a| artifact(context, a.get("location")?))
        .collect();
    let counted = bandit_files(run);
    let paths = (!told.is_empty() || !counted.is_empty()).then(|| {
        told.into_iter()
            .chain(counted)
            .chain(findings.iter().map(|f| f.path.clone()))
            .filter(|p| !not_read.contains_key(p))
            .collect()
    });
    // Some tools list all rules, some only those with results; a list that names no rule beyond the results
    // proves nothing about the others.
    let used: BTreeSet<&str> = findings.iter().map(|f| f.rule.as_str()).collect();
    let listed: BTreeSet<String> = context
        .by_id
        .keys()
        .filter(|id| !id.is_empty() && !silent_rules.contains(*id))
        .cloned()
        .collect();
    let beyond = listed.iter().any(|id| !used.contains(id.as_str()));
    Coverage {
        ended,
        paths,
        not_read,
        rules: beyond.then_some(listed),
    }
}

/// bandit puts its table of files, as in its own format, into the run's properties.
fn bandit_files(run: &Value) -> BTreeSet<String> {
    let metrics = run
        .pointer("/properties/metrics")
        .and_then(Value::as_object);
    metrics
        .filter(|m| m.contains_key("_totals"))
        .into_iter()
        .flatten()
        .filter(|(file, _)| *file != "_totals")
        .filter_map(|(file, _)| path(file))
        .collect()
}

/// Findings that a comment kept out, where that table counts them.
fn bandit_hidden(run: &Value) -> Option<u64> {
    let totals = run.pointer("/properties/metrics/_totals")?;
    let count = |key: &str| totals.get(key).and_then(Value::as_u64).unwrap_or(0);
    Some(count("nosec").saturating_add(count("skipped_tests")))
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
