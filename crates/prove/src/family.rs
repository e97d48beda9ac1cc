//! The whole payload family against a patch: every input of the attacked entry points, every weakness of the
//! root cause, with what static analysis knows of the way and without it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use solvent_finding::{Carrier, EntryPoint, Finding, Input, MAX_FLOWS};
use solvent_sandbox::Sandbox;

use crate::campaign::{Attack, Options};
use crate::case::{Case, cases, words as input_words};
use crate::gauntlet::{Check, CheckName, CheckResult, Job, rank};
use crate::login;
use crate::probe::{Breadth, Budget, Probed, Search, Tally};
use crate::target::{Observe, Running, start};
use crate::verify::words;

/// Starts that attacks may cost before the family counts as not sent.
const MAX_RESTARTS: u32 = 6;

/// A patch gets more time than a search does: a family that was cut short leaves the question open.
const PATIENCE: u32 = 10;

pub(crate) fn check(job: &Job<'_>, sandbox: &dyn Sandbox, options: &Options) -> Check {
    let mut check = Check::new(CheckName::Family, CheckResult::Passed);
    let excused = excused(job.findings, job.others, job.found_on_patch);
    let cases = attacked(job, &excused);
    if cases.is_empty() {
        check.result = CheckResult::Unmeasured(
            "no entry point of the finding is known, so no family can be sent".to_owned(),
        );
        return check;
    }
    for (input, finding) in &excused {
        check.detail.push(format!(
            "{} left out: finding {finding} is about it, and it has a root cause of its own",
            input_words(input)
        ));
    }
    let deadline = Instant::now() + options.time;
    let mut running: Option<Running> = None;
    let mut starts = 0;
    let mut door = None;
    let ends = endings(job);
    let inputs: Vec<Input> = job
        .findings
        .iter()
        .flat_map(|finding| finding.flows.iter().map(|flow| flow.input.clone()))
        .collect();
    for case in &cases {
        let mut deaths = 0;
        let probed = loop {
            let target = match &mut running {
                Some(target) => target,
                None if starts > MAX_RESTARTS => {
                    break Err(format!("attacks ended the target {MAX_RESTARTS} times"));
                }
                None => {
                    starts += 1;
                    match start(job.patched, sandbox, Observe::Sensors) {
                        Ok(started) => running.insert(started),
                        Err(reason) => {
                            break Err(format!(
                                "the patched application does not start: {}",
                                words(&reason)
                            ));
                        }
                    }
                }
            };
            if door.is_none()
                && let Some(recipe) = &job.patched.recipe.login
            {
                door = Some(login::discover(target, recipe, options.answer_timeout));
            }
            let budget = Budget {
                requests: u64::from(options.requests_per_case * PATIENCE),
                // Requests bound the family; time only ends a target that hangs.
                deadline: deadline.min(Instant::now() + options.time_per_case * PATIENCE),
                timeout: options.answer_timeout,
            };
            let mut tally = Tally::default();
            let before = target.requests;
            let mut search = Search::new(
                target,
                case,
                door.as_ref(),
                &budget,
                &mut tally,
                Breadth::Whole,
            );
            search.ends.clone_from(&ends);
            search.attacked.clone_from(&inputs);
            let probed = search.run();
            check.requests += target.requests - before;
            check.detail.push(format!(
                "{} at {}: {} attacks",
                case.weakness.0,
                label(case),
                tally.attacks
            ));
            if target.death().is_some()
                && let Some(target) = running.take()
            {
                let _ = target.instance.stop();
            }
            match probed {
                Probed::Died(_) if deaths == 0 => deaths += 1,
                probed => break Ok((probed, tally.attacks)),
            }
        };
        let result = match probed {
            Err(reason) => CheckResult::Unmeasured(reason),
            Ok((probed, attacks)) => judge(case, probed, attacks),
        };
        if rank(&result) > rank(&check.result) {
            check.result = result;
        }
        if matches!(check.result, CheckResult::Failed(_)) {
            break;
        }
    }
    check
}

fn judge(case: &Case, probed: Probed, attacks: u64) -> CheckResult {
    let place = label(case);
    match probed {
        Probed::Found(found) => CheckResult::Failed(format!(
            "another form of the attack still works: {}, through {} of {place}",
            found.effect.text,
            input_words(&found.input)
        )),
        Probed::Opened => CheckResult::Failed(format!(
            "the check comes after the use: a file outside is opened at {place} before the request is refused"
        )),
        Probed::Nothing(_) if attacks == 0 => {
            CheckResult::Unmeasured(format!("nothing could be sent to {place}"))
        }
        Probed::Nothing(_) => CheckResult::Passed,
        Probed::NoRequest(reason)
        | Probed::TwinFailed(reason)
        | Probed::Budget(reason)
        | Probed::LoginFailed(reason) => CheckResult::Unmeasured(format!("{place}: {reason}")),
        Probed::Died(how) => {
            CheckResult::Unmeasured(format!("an attack ends the application at {place}: {how}"))
        }
    }
}

fn label(case: &Case) -> String {
    case.entry
        .as_ref()
        .map_or_else(|| case.title.clone(), EntryPoint::label)
}

/// Inputs of the attacked entry points that lead to flaws with other root causes, and the findings about them:
/// an effect through them says nothing of this patch. Only what the scan of the patched tree confirms is
/// excused: there they must lead nowhere but where they led on the base.
fn excused(own: &[Finding], others: &[Finding], on_patch: &[Finding]) -> BTreeMap<Input, String> {
    let leads = |finding: &Finding| -> BTreeSet<Input> {
        let here = own.iter().any(|own| {
            own.weakness == finding.weakness
                && own.entry.as_ref().map(EntryPoint::label)
                    == finding.entry.as_ref().map(EntryPoint::label)
        });
        finding
            .flows
            .iter()
            .filter(|_| here && finding.entry.is_some())
            .map(|flow| flow.input.clone())
            .collect()
    };
    let mut out: BTreeMap<Input, String> = BTreeMap::new();
    for other in others {
        for input in leads(other) {
            let whole = match input.carrier {
                Carrier::Query => Some(Carrier::RawQuery),
                Carrier::Form | Carrier::Json => Some(Carrier::RawBody),
                _ => None,
            };
            // The raw text as a whole holds the input as well.
            if let Some(carrier) = whole {
                let name = String::new();
                out.insert(Input { carrier, name }, other.fingerprint.short());
            }
            out.insert(input, other.fingerprint.short());
        }
    }
    let mut unknown = false;
    for own in own {
        unknown |= own.flows.len() >= MAX_FLOWS;
        for input in leads(own) {
            out.remove(&input);
        }
    }
    for found in on_patch {
        if others
            .iter()
            .all(|other| other.fingerprint != found.fingerprint)
        {
            unknown |= found.flows.len() >= MAX_FLOWS;
            for input in leads(found) {
                out.remove(&input);
            }
        }
    }
    // Flows that are not listed may come from anywhere.
    if unknown {
        out.clear();
    }
    out
}

/// One case for each entry point and weakness: what the findings' flows know, then every input with nothing
/// taken for granted.
fn attacked(job: &Job<'_>, excused: &BTreeMap<Input, String>) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let known: Vec<Case> = cases(&Attack::Findings(job.findings));
    for (finding, case) in job.findings.iter().zip(known) {
        let Some(entry) = &finding.entry else {
            continue;
        };
        let place = entry.label();
        let leads = if case.refused.is_none() {
            case.leads
        } else {
            Vec::new()
        };
        if let Some(same) = all
            .iter_mut()
            .find(|other| label(other) == place && other.weakness == finding.weakness)
        {
            same.leads.splice(0..0, leads);
            continue;
        }
        // Inputs that the patch reads instead are attacked too.
        let mut entry = entry.clone();
        for other in job.entries.iter().filter(|e| e.label() == place) {
            for input in &other.inputs {
                if !entry.inputs.iter().any(|(known, _)| *known == input.0) {
                    entry.inputs.push(input.clone());
                }
            }
        }
        entry
            .inputs
            .retain(|(input, _)| !excused.contains_key(input));
        for mut open in cases(&Attack::IgnoreVerdicts {
            entries: &[entry],
            weaknesses: std::slice::from_ref(&finding.weakness),
        }) {
            open.leads.splice(0..0, leads.clone());
            all.push(open);
        }
    }
    all
}

/// How names end that the application itself compares with or keeps beside its source: `.txt`.
fn endings(job: &Job<'_>) -> Vec<String> {
    let mut ends: BTreeSet<String> = BTreeSet::new();
    for finding in job.findings {
        for (_, constants) in finding.entry.iter().flat_map(|entry| &entry.inputs) {
            ends.extend(constants.iter().filter_map(|text| extension(text)));
        }
    }
    ends.insert(".txt".to_owned());
    ends.into_iter().take(3).collect()
}

/// `.txt` of `linen.txt`.
pub(crate) fn extension(name: &str) -> Option<String> {
    let (stem, end) = name.rsplit_once('.')?;
    let plain = !stem.is_empty()
        && (1..=5).contains(&end.len())
        && end.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| format!(".{end}"))
}

#[cfg(test)]
mod tests {
    use solvent_base::{Digest, FilePath, Location, Span};
    use solvent_finding::{
        EntryKind, Fingerprint, Flow, Severity, Sink, SinkKind, Symbol, Template, Verdict,
        WeaknessId,
    };

    use super::*;

    fn query(name: &str) -> Input {
        Input {
            carrier: Carrier::Query,
            name: name.to_owned(),
        }
    }

    /// A finding about these query parameters of one route.
    fn finding(id: &str, weakness: &str, names: &[&str]) -> Finding {
        let here = Location {
            path: FilePath::new("app.py").expect("a path"),
            span: Span::default(),
            line: 1,
            column: 1,
        };
        let handler = Symbol {
            module: "app".into(),
            qualname: "index".into(),
        };
        Finding {
            fingerprint: Fingerprint(Digest::of(id.as_bytes())),
            weakness: WeaknessId(weakness.into()),
            severity: Severity::High,
            title: String::new(),
            sink: Sink {
                kind: SinkKind("sql".into()),
                callee: "execute".into(),
                location: here.clone(),
                function: handler.clone(),
                text: String::new(),
            },
            entry: Some(EntryPoint {
                kind: EntryKind::Http,
                framework: "flask".into(),
                methods: vec!["GET".into()],
                route: "/".into(),
                segments: Vec::new(),
                handler,
                location: here,
                inputs: Vec::new(),
                auth: Vec::new(),
                assumed: None,
            }),
            way: Vec::new(),
            flows: names
                .iter()
                .map(|name| Flow {
                    input: query(name),
                    steps: Vec::new(),
                    transforms: Vec::new(),
                    conditions: Vec::new(),
                    template: Template::default(),
                })
                .collect(),
            verdict: Verdict::Reachable {
                assumed: Vec::new(),
            },
        }
    }

    #[test]
    fn an_input_with_a_flaw_of_its_own_is_left_out_with_the_raw_text_that_holds_it() {
        let own = [finding("own", "CWE-89", &["id"])];
        let others = [
            finding("other", "CWE-89", &["comment", "id"]),
            finding("elsewhere", "CWE-22", &["path"]),
        ];
        let raw = Input {
            carrier: Carrier::RawQuery,
            name: String::new(),
        };
        let left: Vec<Input> = excused(&own, &others, &others).into_keys().collect();
        assert_eq!(left, [query("comment"), raw]);
    }

    #[test]
    fn an_input_that_the_patch_leads_somewhere_new_is_attacked() {
        let own = [finding("own", "CWE-89", &["id"])];
        let others = [finding("other", "CWE-89", &["comment"])];
        let moved = [others[0].clone(), finding("new", "CWE-89", &["comment"])];
        assert!(!excused(&own, &others, &moved).contains_key(&query("comment")));
        // As many flows as are kept: there may be more.
        let names: Vec<String> = (0..MAX_FLOWS).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let many = [others[0].clone(), finding("new", "CWE-89", &names)];
        assert!(excused(&own, &others, &many).is_empty());
    }
}
