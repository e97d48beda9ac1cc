//! The whole payload family against a patch: every input of the attacked entry points, every weakness of the
//! root cause, with what static analysis knows of the way and without it.

use std::collections::BTreeSet;
use std::time::Instant;

use solvent_finding::{EntryPoint, Input};
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
    let cases = attacked(job);
    if cases.is_empty() {
        check.result = CheckResult::Unmeasured(
            "no entry point of the finding is known, so no family can be sent".to_owned(),
        );
        return check;
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
                requests: u64::from(options.requests_per_case),
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

/// One case for each entry point and weakness: what the findings' flows know, then every input with nothing
/// taken for granted.
fn attacked(job: &Job<'_>) -> Vec<Case> {
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
