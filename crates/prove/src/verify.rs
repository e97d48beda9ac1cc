//! Verification: fresh instances, shuffled order, no state of the search.
//!
//! *Promise: three of three.* A plan that fails in company is tried alone, since earlier replays may have
//! changed what it needs; one failure there decides.

use std::collections::BTreeMap;
use std::time::Duration;

use solvent_finding::InconclusiveReason;
use solvent_sandbox::Sandbox;

use crate::attempt::attempt;
use crate::exec::{LoginFailed, Plan, Session, log_in};
use crate::oracle::{Effect, Seen};
use crate::prepare::Prepared;
use crate::target::{Observe, start};
use crate::token::Order;

/// Fresh instances that must all show the effect.
pub(crate) const INSTANCES: u32 = 3;

/// How long effects may come after the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is verified: a plan and the class of status of its twin.
pub(crate) struct Claim<'a> {
    pub plan: &'a Plan,
    pub twin_status: u16,
}

/// What verification of one claim gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verified {
    pub shown: u32,
    pub run: u32,
    pub effect: Option<Effect>,
    /// Of the first replay that did not show the effect.
    pub reason: String,
    /// The replay that failed could not be judged, rather than showing nothing.
    pub unknown: bool,
    pub luck_log2: i32,
    pub requests: u64,
    /// It held only alone on its instances.
    pub alone: bool,
}

/// Replays every claim in each of three fresh instances.
pub(crate) fn verify(
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    claims: &[Claim<'_>],
    credentials: &BTreeMap<String, String>,
    timeout: Duration,
    seed: u64,
    mut report: impl FnMut(u64, u64),
) -> (Vec<Verified>, u32) {
    let mut order = Order::new(seed);
    let mut all: Vec<Verified> = vec![Verified::default(); claims.len()];
    let mut starts = 0;
    let total = claims.len() as u64 * u64::from(INSTANCES);
    let mut done = 0;
    for _ in 0..INSTANCES {
        let mut indices: Vec<usize> = (0..claims.len()).collect();
        order.shuffle(&mut indices);
        let mut running = None;
        for index in indices {
            if running.is_none() {
                starts += 1;
                running = match start(prepared, sandbox, Observe::Sensors) {
                    Ok(running) => Some(running),
                    Err(reason) => {
                        all[index].run += 1;
                        fail(&mut all[index], words(&reason), true);
                        continue;
                    }
                };
            }
            if let Some(target) = &mut running {
                replay_one(
                    target,
                    &claims[index],
                    credentials,
                    timeout,
                    &mut all[index],
                );
                if target.death().is_some() {
                    running = None;
                }
            }
            done += 1;
            report(done, total);
        }
    }
    for (claim, verified) in claims.iter().zip(&mut all) {
        if verified.shown == verified.run || claims.len() == 1 {
            continue;
        }
        let mut alone = Verified {
            requests: verified.requests,
            alone: true,
            ..Verified::default()
        };
        for _ in 0..INSTANCES {
            starts += 1;
            match start(prepared, sandbox, Observe::Sensors) {
                Ok(mut target) => replay_one(&mut target, claim, credentials, timeout, &mut alone),
                Err(reason) => {
                    alone.run += 1;
                    fail(&mut alone, words(&reason), true);
                }
            }
            if alone.shown < alone.run {
                break;
            }
        }
        *verified = alone;
    }
    (all, starts)
}

/// Replays every claim in each of three fresh instances, side by side, expecting nothing: a claim that shows
/// its effect in any of them has shown it.
pub(crate) fn verify_silence(
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    claims: &[Claim<'_>],
    credentials: &BTreeMap<String, String>,
    timeout: Duration,
    seed: u64,
) -> Vec<Verified> {
    let mut order = Order::new(seed);
    let mut all: Vec<Verified> = vec![Verified::default(); claims.len()];
    let orders: Vec<Vec<usize>> = (0..INSTANCES)
        .map(|_| {
            let mut indices: Vec<usize> = (0..claims.len()).collect();
            order.shuffle(&mut indices);
            indices
        })
        .collect();
    let one = |indices: &[usize]| -> Vec<(usize, Verified)> {
        let mut running = None;
        let mut done = Vec::new();
        for &index in indices {
            let mut verified = Verified::default();
            if running.is_none() {
                match start(prepared, sandbox, Observe::Sensors) {
                    Ok(started) => running = Some(started),
                    Err(reason) => fail(&mut verified, words(&reason), true),
                }
            }
            if let Some(target) = &mut running {
                replay_one(target, &claims[index], credentials, timeout, &mut verified);
                if target.death().is_some() {
                    running = None;
                }
            }
            done.push((index, verified));
        }
        done
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = orders
            .iter()
            .map(|indices| scope.spawn(|| one(indices)))
            .collect();
        for thread in threads {
            // A thread that panicked ran nothing, and too few runs are not silence.
            for (index, verified) in thread.join().unwrap_or_default() {
                let total = &mut all[index];
                total.shown += verified.shown;
                total.run += verified.run;
                total.requests += verified.requests;
                total.luck_log2 += verified.luck_log2;
                if total.effect.is_none() {
                    total.effect = verified.effect;
                }
                if total.reason.is_empty() || verified.unknown && !total.unknown {
                    total.reason = verified.reason;
                }
                total.unknown |= verified.unknown;
            }
        }
    });
    all
}

fn replay_one(
    running: &mut crate::target::Running,
    claim: &Claim<'_>,
    credentials: &BTreeMap<String, String>,
    timeout: Duration,
    verified: &mut Verified,
) {
    let before = running.requests;
    verified.run += 1;
    let session = match &claim.plan.login {
        None => Ok(Session::default()),
        Some(login) => log_in(running, login, credentials, timeout),
    };
    match session {
        Err(LoginFailed(reason)) => fail(verified, format!("login: {reason}"), true),
        Ok(session) => {
            let tried = attempt(running, claim.plan, &session, timeout, PATIENCE);
            let same_class = tried
                .twin_status
                .is_some_and(|s| s / 100 == claim.twin_status / 100);
            match tried.seen {
                Seen::Effect(effect) => {
                    verified.shown += 1;
                    verified.luck_log2 += effect.luck_log2;
                    verified.effect.get_or_insert(effect);
                }
                Seen::Nothing(_) if !same_class => fail(
                    verified,
                    format!(
                        "the benign twin was answered with status {} instead of {}",
                        tried
                            .twin_status
                            .map_or_else(|| "none".to_owned(), |s| s.to_string()),
                        claim.twin_status
                    ),
                    true,
                ),
                Seen::Nothing(reason) => fail(verified, reason, false),
                Seen::Unknown(reason) => fail(verified, reason, true),
            }
        }
    }
    verified.requests += running.requests - before;
}

fn fail(verified: &mut Verified, reason: String, unknown: bool) {
    if verified.reason.is_empty() {
        verified.reason = reason;
        verified.unknown = unknown;
    }
}

/// The words of a reason, without its kind.
pub(crate) fn words(reason: &InconclusiveReason) -> String {
    match reason {
        InconclusiveReason::NoSandbox(w)
        | InconclusiveReason::PrepareFailed(w)
        | InconclusiveReason::StartFailed(w)
        | InconclusiveReason::LoginFailed(w)
        | InconclusiveReason::NoRequest(w)
        | InconclusiveReason::TwinFailed(w)
        | InconclusiveReason::SensorNotNeutral(w)
        | InconclusiveReason::NotVerified(w)
        | InconclusiveReason::Budget(w)
        | InconclusiveReason::TargetDied(w) => w.clone(),
    }
}
