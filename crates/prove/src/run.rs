//! A campaign from start to end: search, neutrality, verification, capsules; and replays.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use solvent_finding::{InconclusiveReason, Outcome, Tier};
use solvent_protocol::capsule::{self, Capsule, Oracle};
use solvent_sandbox::Sandbox;

use crate::attempt::signature;
use crate::campaign::{
    Attack, Campaign, CaseResult, OnProgress, Options, Progress, Proof, ReplayResult,
};
use crate::case::{Case, cases, words as input_words};
use crate::exec::{Plan, Plant, Session, Variant, fire};
use crate::login::{self, Door};
use crate::prepare::Prepared;
use crate::probe::{Breadth, Budget, Found, Probed, Search, Tally};
use crate::target::{Observe, Running, start};
use crate::verify::{Claim, Verified, verify, words};

/// Starts of the target that attacks may cost before a campaign gives up.
const MAX_RESTARTS: u32 = 20;

/// Attacks a prepared target. Never fails: what could not be tried says why, case by case.
pub fn prove(
    attack: &Attack<'_>,
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    options: &Options,
    progress: OnProgress<'_>,
) -> Campaign {
    let began = Instant::now();
    let deadline = began + options.time;
    let cases = cases(attack);
    let mut campaign = Campaign {
        cases: Vec::new(),
        limits: prepared.limits.clone(),
        start: Duration::ZERO,
        starts: 0,
        requests: 0,
        luck_log2: None,
    };
    let mut results: Vec<CaseResult> = cases.iter().map(blank).collect();
    let mut founds: Vec<(usize, Found)> = Vec::new();
    let worth_starting = cases.iter().any(|case| case.refused.is_none());
    progress(Progress::Stage("starting the target".to_owned()));
    let mut running = if worth_starting {
        campaign.starts += 1;
        match start(prepared, sandbox, Observe::Sensors) {
            Ok(running) => {
                campaign.start = running.start;
                campaign.limits.extend(running.limits.iter().cloned());
                Some(running)
            }
            Err(reason) => {
                for (case, result) in cases.iter().zip(&mut results) {
                    conclude(
                        result,
                        case.refused
                            .clone()
                            .map_or(reason.clone(), InconclusiveReason::NoRequest),
                    );
                }
                campaign.cases = results;
                return campaign;
            }
        }
    } else {
        None
    };
    let door = match (&prepared.recipe.login, &mut running) {
        (Some(recipe), Some(running)) => {
            Some(login::discover(running, recipe, options.answer_timeout))
        }
        _ => None,
    };
    progress(Progress::Stage(format!(
        "attacking through {} ways in",
        cases.len()
    )));
    let mut restarts = 0;
    for (at, case) in cases.iter().enumerate() {
        progress(Progress::Step {
            done: at as u64,
            total: cases.len() as u64,
            item: label(case),
        });
        let result = &mut results[at];
        if let Some(reason) = &case.refused {
            conclude(result, InconclusiveReason::NoRequest(reason.clone()));
            continue;
        }
        if Instant::now() >= deadline {
            conclude(
                result,
                InconclusiveReason::Budget("the campaign's time is used up".to_owned()),
            );
            continue;
        }
        let case_began = Instant::now();
        let probed = probe_case(
            case,
            prepared,
            sandbox,
            options,
            deadline,
            door.as_ref(),
            &mut running,
            &mut campaign,
            &mut restarts,
            result,
        );
        result.elapsed += case_began.elapsed();
        match probed {
            Ok(Probed::Found(found)) => {
                result.input = Some(found.input.clone());
                founds.push((at, *found));
            }
            Ok(other) => settle(result, other),
            Err(reason) => conclude(result, reason),
        }
    }
    if let Some(running) = running.take() {
        campaign.requests += running.requests;
        let _ = running.instance.stop();
    }
    check_neutral(
        prepared,
        sandbox,
        options,
        &mut founds,
        &mut results,
        &mut campaign,
        door.as_ref(),
    );
    if !founds.is_empty() {
        progress(Progress::Stage(format!(
            "verifying {} effects on fresh instances",
            founds.len()
        )));
        let claims: Vec<Claim<'_>> = founds
            .iter()
            .map(|(_, found)| Claim {
                plan: &found.plan,
                twin_status: found.twin_status,
            })
            .collect();
        let credentials = door
            .as_ref()
            .map_or_else(BTreeMap::new, |door| door.credentials.clone());
        let verify_began = Instant::now();
        let (verified, starts) = verify(
            prepared,
            sandbox,
            &claims,
            &credentials,
            options.answer_timeout,
            options.seed,
            |done, total| {
                progress(Progress::Step {
                    done,
                    total,
                    item: "replaying".to_owned(),
                })
            },
        );
        campaign.starts += starts;
        let share = verify_began.elapsed() / u32::try_from(founds.len()).unwrap_or(1).max(1);
        for ((at, found), verified) in founds.iter().zip(verified) {
            let result = &mut results[*at];
            result.elapsed += share;
            result.requests += verified.requests;
            campaign.requests += verified.requests;
            finish(
                result,
                &cases[*at],
                found,
                &verified,
                prepared,
                &campaign.limits,
            );
            if result.outcome.word() == "proven" {
                progress(Progress::Say(format!(
                    "proven {} {}",
                    result.weakness.0,
                    label(&cases[*at])
                )));
            }
        }
    }
    let attempts: u64 = results.iter().map(|result| result.attacks).sum();
    campaign.luck_log2 = luck(&results, attempts);
    campaign.cases = results;
    campaign
}

/// Replays a capsule on three fresh instances of a prepared target.
pub fn replay(
    capsule: &Capsule,
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    options: &Options,
    progress: OnProgress<'_>,
) -> ReplayResult {
    let began = Instant::now();
    let plan = Plan {
        login: capsule.login.clone(),
        steps: capsule.steps.clone(),
        payloads: capsule.payloads.clone(),
        oracle: capsule.oracle.clone(),
    };
    let mut result = ReplayResult {
        outcome: Outcome::NotReproduced { tier: Tier::P3 },
        reason: String::new(),
        oracle: capsule.oracle.word().to_owned(),
        effect: String::new(),
        replays_shown: 0,
        replays_run: 0,
        requests: 0,
        elapsed: Duration::ZERO,
        start: Duration::ZERO,
    };
    let inconclusive = |mut result: ReplayResult, reason: InconclusiveReason| {
        result.reason = words(&reason);
        result.outcome = Outcome::Inconclusive { reason };
        result.elapsed = began.elapsed();
        result
    };
    if let Err(error) = capsule::check(capsule) {
        return inconclusive(result, InconclusiveReason::NoRequest(error.to_string()));
    }
    let credentials = match (&capsule.login, &prepared.recipe.login) {
        (Some(_), Some(recipe)) => login::credentials(recipe),
        (Some(_), None) => {
            let reason = "the capsule logs in, and the recipe has no `[login]`".to_owned();
            return inconclusive(result, InconclusiveReason::LoginFailed(reason));
        }
        (None, _) => BTreeMap::new(),
    };
    progress(Progress::Stage("replaying on fresh instances".to_owned()));
    let claim = Claim {
        plan: &plan,
        twin_status: capsule.twin_status,
    };
    let (verified, _) = verify(
        prepared,
        sandbox,
        &[claim],
        &credentials,
        options.answer_timeout,
        options.seed,
        |done, total| {
            progress(Progress::Step {
                done,
                total,
                item: "replaying".to_owned(),
            })
        },
    );
    let verified = verified.into_iter().next().unwrap_or_default();
    result.requests = verified.requests;
    result.replays_run = verified.run;
    result.replays_shown = verified.shown;
    result.effect = verified
        .effect
        .as_ref()
        .map_or_else(String::new, |effect| effect.text.clone());
    result.reason = verified.reason.clone();
    result.elapsed = began.elapsed();
    let tier = if capsule.tier == "P0" {
        Tier::P0
    } else {
        Tier::P1
    };
    result.outcome = if verified.run > 0 && verified.shown == verified.run {
        Outcome::Proven { tier }
    } else if verified.shown > 0 {
        Outcome::Inconclusive {
            reason: InconclusiveReason::NotVerified(verified.reason),
        }
    } else if verified.unknown {
        Outcome::Inconclusive {
            reason: InconclusiveReason::TwinFailed(verified.reason),
        }
    } else {
        Outcome::NotReproduced { tier: Tier::P3 }
    };
    result
}

fn blank(case: &Case) -> CaseResult {
    CaseResult {
        fingerprint: case.fingerprint,
        weakness: case.weakness.clone(),
        entry: case
            .entry
            .as_ref()
            .map_or_else(String::new, |entry| entry.label()),
        input: None,
        outcome: Outcome::NotReproduced { tier: Tier::P3 },
        reason: String::new(),
        proof: None,
        capsule: None,
        requests: 0,
        attacks: 0,
        elapsed: Duration::ZERO,
    }
}

fn label(case: &Case) -> String {
    case.entry
        .as_ref()
        .map_or_else(|| case.title.clone(), |entry| entry.label())
}

fn conclude(result: &mut CaseResult, reason: InconclusiveReason) {
    result.reason = words(&reason);
    result.outcome = Outcome::Inconclusive { reason };
}

/// Searches one case, on a new instance where the old one died.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of one campaign, taken apart so that it can be borrowed"
)]
fn probe_case(
    case: &Case,
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    options: &Options,
    deadline: Instant,
    door: Option<&Door>,
    running: &mut Option<Running>,
    campaign: &mut Campaign,
    restarts: &mut u32,
    result: &mut CaseResult,
) -> Result<Probed, InconclusiveReason> {
    let mut deaths = 0;
    loop {
        if running.is_none() {
            if *restarts >= MAX_RESTARTS {
                return Err(InconclusiveReason::TargetDied(format!(
                    "attacks ended the target {MAX_RESTARTS} times"
                )));
            }
            *restarts += 1;
            campaign.starts += 1;
            *running = Some(start(prepared, sandbox, Observe::Sensors)?);
        }
        let Some(target) = running.as_mut() else {
            continue;
        };
        let budget = Budget {
            requests: u64::from(options.requests_per_case),
            deadline: deadline.min(Instant::now() + options.time_per_case),
            timeout: options.answer_timeout,
        };
        let before = target.requests;
        let mut tally = Tally::default();
        let probed = Search::new(target, case, door, &budget, &mut tally, Breadth::Usual).run();
        result.requests += target.requests - before;
        result.attacks += tally.attacks;
        result.input = tally.last_input;
        let dead = target.death();
        if dead.is_some()
            && let Some(target) = running.take()
        {
            campaign.requests += target.requests;
            let _ = target.instance.stop();
        }
        match probed {
            Probed::Died(how) => {
                deaths += 1;
                if deaths >= 2 {
                    return Err(InconclusiveReason::TargetDied(format!(
                        "an attack ended the target: {how}"
                    )));
                }
            }
            other => return Ok(other),
        }
    }
}

fn settle(result: &mut CaseResult, probed: Probed) {
    let reason = match probed {
        Probed::Nothing(reason) => {
            result.reason = reason;
            result.outcome = Outcome::NotReproduced { tier: Tier::P3 };
            return;
        }
        Probed::NoRequest(reason) => InconclusiveReason::NoRequest(reason),
        Probed::TwinFailed(reason) => InconclusiveReason::TwinFailed(reason),
        Probed::Budget(reason) => InconclusiveReason::Budget(reason),
        Probed::Died(reason) => InconclusiveReason::TargetDied(reason),
        Probed::LoginFailed(reason) => InconclusiveReason::LoginFailed(reason),
        // Only asked for with the whole family, which a search for flaws does not send.
        Probed::Found(_) | Probed::Opened => return,
    };
    conclude(result, reason);
}

/// Proofs that rest on a language sensor need an application that answers the same without it.
fn check_neutral(
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    options: &Options,
    founds: &mut Vec<(usize, Found)>,
    results: &mut [CaseResult],
    campaign: &mut Campaign,
    door: Option<&Door>,
) {
    let rests = |found: &Found| matches!(found.plan.oracle, Oracle::SqlStructure { .. });
    if !founds.iter().any(|(_, found)| rests(found)) {
        return;
    }
    campaign.starts += 2;
    let pair = start(prepared, sandbox, Observe::Plain).and_then(|plain| {
        start(prepared, sandbox, Observe::Sensors).map(|watched| (plain, watched))
    });
    let (mut plain, mut watched) = match pair {
        Ok(pair) => pair,
        Err(reason) => {
            founds.retain(|(at, found)| {
                if rests(found) {
                    conclude(
                        &mut results[*at],
                        InconclusiveReason::SensorNotNeutral(format!(
                            "it could not be compared without sensors: {}",
                            words(&reason)
                        )),
                    );
                }
                !rests(found)
            });
            return;
        }
    };
    founds.retain(|(at, found)| {
        if !rests(found) {
            return true;
        }
        let answer = |running: &mut Running| {
            let session = match (&found.plan.login, door) {
                (Some(_), Some(door)) => door
                    .open(running, options.answer_timeout)
                    .unwrap_or_default(),
                _ => Session::default(),
            };
            let shot = fire(
                running,
                &found.plan,
                Variant::Twin,
                Plant::Present,
                &session,
                options.answer_timeout,
            );
            signature(&shot, 1)
        };
        // Same instance, same state: the twin may write. One of two tries must agree, as pages may change.
        let same = (0..2).any(|_| {
            let (without, with) = (answer(&mut plain), answer(&mut watched));
            without.is_some() && without == with
        });
        if !same {
            conclude(
                &mut results[*at],
                InconclusiveReason::SensorNotNeutral(
                    "the benign twin is answered differently with the SQL sensor than without"
                        .to_owned(),
                ),
            );
        }
        same
    });
    campaign.requests += plain.requests + watched.requests;
}

fn finish(
    result: &mut CaseResult,
    case: &Case,
    found: &Found,
    verified: &Verified,
    prepared: &Prepared,
    limits: &[String],
) {
    if verified.run == 0 || verified.shown < verified.run {
        conclude(
            result,
            InconclusiveReason::NotVerified(format!(
                "shown while probing ({}), then in {} of {} fresh instances: {}",
                found.effect.text, verified.shown, verified.run, verified.reason
            )),
        );
        return;
    }
    let odd_body = found
        .plan
        .steps
        .iter()
        .any(|step| step.method == "GET" && !step.body.0.is_empty());
    let tier = if found.role.is_some() || odd_body {
        Tier::P1
    } else {
        Tier::P0
    };
    let effect = verified
        .effect
        .clone()
        .unwrap_or_else(|| found.effect.clone());
    let mut evidence = effect.evidence.clone();
    evidence.push(format!(
        "through {}, as {}",
        input_words(&found.input),
        found.role.as_deref().unwrap_or("anonymous")
    ));
    if odd_body {
        evidence.push("needs a GET request with a body, which proxies may drop".to_owned());
    }
    if verified.alone {
        evidence.push(
            "depends on the state of the application: replayed alone on each instance".to_owned(),
        );
    }
    result.outcome = Outcome::Proven { tier };
    result.reason = String::new();
    result.proof = Some(Proof {
        oracle: found.plan.oracle.word().to_owned(),
        effect: effect.text.clone(),
        evidence,
        exchanges: found.exchanges.clone(),
        luck_log2: verified.luck_log2,
        replays_shown: verified.shown,
        replays_run: verified.run,
    });
    result.capsule = Some(Capsule {
        schema: capsule::SCHEMA.to_owned(),
        fingerprint: case.fingerprint.map_or_else(String::new, |f| f.0.hex()),
        weakness: case.weakness.0.clone(),
        title: case.title.clone(),
        sink: case.sink.clone(),
        target: capsule::Target {
            digest: prepared.target_digest.to_string(),
            recipe_digest: prepared.recipe_digest.to_string(),
            recipe: prepared.recipe.public_text(),
        },
        role: found.role.clone().unwrap_or_else(|| "anonymous".to_owned()),
        tier: if tier == Tier::P0 { "P0" } else { "P1" }.to_owned(),
        login: found.plan.login.clone(),
        steps: found.plan.steps.clone(),
        payloads: found.plan.payloads.clone(),
        oracle: found.plan.oracle.clone(),
        expect: effect.text,
        twin_status: found.twin_status,
        limits: limits.to_vec(),
    });
}

/// log2 of the sum of all chances, each attempt of the campaign having had its own.
fn luck(results: &[CaseResult], attempts: u64) -> Option<i32> {
    let worst = results
        .iter()
        .filter_map(|r| r.proof.as_ref().map(|p| p.luck_log2))
        .max()?;
    let proofs = results.iter().filter(|r| r.proof.is_some()).count() as u64;
    let tries = attempts.max(proofs).max(1);
    Some(worst + i32::try_from(u64::BITS - tries.leading_zeros()).unwrap_or(64))
}
