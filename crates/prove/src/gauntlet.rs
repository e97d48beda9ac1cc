//! A patched tree against everything that the base fell to, and everything that it did right.
//!
//! *Promise: fixed means that the attack was tried again.* A patch is `verified` only when the same capsule
//! works on the base and fails on the patch in the same environment, when harmless requests are answered as
//! before, when the whole payload family was sent and showed nothing, and when nothing was touched that is
//! none of the patch's business. What could not be measured says so and is never counted as passed.
//!
//! The recipe of both trees must be the base's: a change never rewrites its own judge. So are the tests that
//! decide: the base's own, laid over the patched tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use solvent_finding::{EntryPoint, Finding};
use solvent_protocol::capsule::{self, Capsule};
use solvent_sandbox::Sandbox;

use crate::campaign::{OnProgress, Options, Progress};
use crate::exec::Plan;
use crate::prepare::Prepared;
use crate::verify::{Claim, INSTANCES, Verified, verify, verify_silence};
use crate::{behaviour, family, login, scope, suite};

/// What is verified. Both targets are made by [`crate::prepare`] with the *base's* recipe.
pub struct Job<'a> {
    pub base: &'a Prepared,
    pub patched: &'a Prepared,
    /// Source trees that the two were prepared from.
    pub base_tree: &'a Path,
    pub patched_tree: &'a Path,
    /// Findings of the root cause, as the base's scan gave them: their flows say what is attacked and which
    /// files and functions a patch may touch.
    pub findings: &'a [Finding],
    /// Findings of the base's scan that have other root causes.
    pub others: &'a [Finding],
    /// Findings of the patched tree's scan.
    pub found_on_patch: &'a [Finding],
    /// Of every proven finding of the root cause. All must succeed on the base and fail on the patch.
    pub capsules: &'a [Capsule],
    /// Every route, of the patched tree's scan or of both.
    pub entries: &'a [EntryPoint],
    /// Where environments are kept, as for [`crate::prepare`].
    pub cache: &'a Path,
}

/// The checks, in the order in which a failure tells most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CheckName {
    /// The capsules succeed three of three on the base, here and now.
    AttackWorksOnBase,
    /// They fail three of three on the patch.
    AttackFails,
    /// The whole payload family shows no effect on the patch.
    Family,
    /// Harmless requests to the attacked route are answered as before.
    TwinWorks,
    /// They still get to the operation that was attacked.
    SinkReached,
    /// The other routes answer as before.
    Behaviour,
    /// Harmless requests leave the same files behind.
    Writes,
    /// The application's own tests pass as before.
    Tests,
    /// Tests that the patch adds pass on it.
    RegressionTest,
    /// The patch touches nothing but the flow, its helpers and new tests.
    Scope,
}

impl CheckName {
    pub const ALL: [Self; 10] = [
        Self::AttackWorksOnBase,
        Self::AttackFails,
        Self::Family,
        Self::TwinWorks,
        Self::SinkReached,
        Self::Behaviour,
        Self::Writes,
        Self::Tests,
        Self::RegressionTest,
        Self::Scope,
    ];

    /// The word used in records and pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::AttackWorksOnBase => "attack_works_on_base",
            Self::AttackFails => "attack_fails",
            Self::Family => "family",
            Self::TwinWorks => "twin_works",
            Self::SinkReached => "sink_reached",
            Self::Behaviour => "behaviour",
            Self::Writes => "writes",
            Self::Tests => "tests",
            Self::RegressionTest => "regression_test",
            Self::Scope => "scope",
        }
    }

    /// Whether a patch without this answer can still be verified (and then needs a person's review).
    fn may_be_unmeasured(self) -> bool {
        matches!(
            self,
            Self::SinkReached | Self::Behaviour | Self::Tests | Self::RegressionTest
        )
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckResult {
    Passed,
    /// Why, in a sentence that stands alone.
    Failed(String),
    Unmeasured(String),
}

impl CheckResult {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Unmeasured(_) => "unmeasured",
        }
    }

    /// Empty when passed.
    pub fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Unmeasured(reason) => reason,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Check {
    pub name: CheckName,
    pub result: CheckResult,
    /// Lines for a person, without payloads, tokens and page contents.
    pub detail: Vec<String>,
    /// Requests that this check sent.
    pub requests: u64,
    /// Wall time. Checks run beside each other, so these do not add up.
    pub seconds: f64,
}

impl Check {
    pub(crate) fn new(name: CheckName, result: CheckResult) -> Self {
        Self {
            name,
            result,
            detail: Vec::new(),
            requests: 0,
            seconds: 0.0,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GauntletVerdict {
    Verified,
    Rejected {
        check: CheckName,
        reason: String,
    },
    /// Neither: what could not be measured, and why.
    Inconclusive {
        check: CheckName,
        reason: String,
    },
}

impl GauntletVerdict {
    /// `verified`, `rejected`, `inconclusive`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Rejected { .. } => "rejected",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }

    /// Empty when verified.
    pub fn reason(&self) -> &str {
        match self {
            Self::Verified => "",
            Self::Rejected { reason, .. } | Self::Inconclusive { reason, .. } => reason,
        }
    }

    /// The check that decided.
    pub fn check(&self) -> Option<CheckName> {
        match self {
            Self::Verified => None,
            Self::Rejected { check, .. } | Self::Inconclusive { check, .. } => Some(*check),
        }
    }
}

/// The answer, one check per [`CheckName`], in that order.
#[derive(Clone, Debug)]
pub struct Gauntlet {
    pub checks: Vec<Check>,
    pub verdict: GauntletVerdict,
    /// Why a verified patch needs a person's look all the same; empty when nothing is left to say.
    pub review: Vec<String>,
    pub requests: u64,
    pub elapsed: Duration,
}

impl Gauntlet {
    pub fn check(&self, name: CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    fn new(mut checks: Vec<Check>, began: Instant) -> Self {
        checks.sort_by_key(|check| check.name);
        let verdict = judge(&checks);
        let review = checks
            .iter()
            .filter(|check| matches!(check.result, CheckResult::Unmeasured(_)))
            .map(|check| format!("{}: {}", check.name.word(), check.result.reason()))
            .collect();
        Self {
            requests: checks.iter().map(|check| check.requests).sum(),
            verdict,
            review,
            checks,
            elapsed: began.elapsed(),
        }
    }
}

/// From checks to the verdict. A base on which the attack does not work makes every other answer worthless;
/// then any failure rejects, most telling first; then whatever is missing leaves the question open.
fn judge(checks: &[Check]) -> GauntletVerdict {
    let of = |name: CheckName| checks.iter().find(|check| check.name == name);
    let reason = |check: &Check| check.result.reason().to_owned();
    let base = CheckName::AttackWorksOnBase;
    match of(base) {
        Some(check) if check.result == CheckResult::Passed => {}
        other => {
            return GauntletVerdict::Inconclusive {
                check: base,
                reason: other.map_or_else(|| "it was not run".to_owned(), reason),
            };
        }
    }
    if let Some(check) = checks
        .iter()
        .find(|check| matches!(check.result, CheckResult::Failed(_)))
    {
        return GauntletVerdict::Rejected {
            check: check.name,
            reason: reason(check),
        };
    }
    for name in CheckName::ALL {
        match of(name).map(|check| &check.result) {
            Some(CheckResult::Passed) => {}
            Some(CheckResult::Unmeasured(_)) if name.may_be_unmeasured() => {}
            other => {
                return GauntletVerdict::Inconclusive {
                    check: name,
                    reason: other
                        .map_or("it was not run", CheckResult::reason)
                        .to_owned(),
                };
            }
        }
    }
    GauntletVerdict::Verified
}

/// Tries a patched tree against everything that the base fell to, and everything that it did right. Never
/// fails: what could not be measured is a check that says so.
pub fn verify_patch(
    job: &Job<'_>,
    sandbox: &dyn Sandbox,
    options: &Options,
    progress: OnProgress<'_>,
) -> Gauntlet {
    let began = Instant::now();
    if let Err(reason) = comparable(job) {
        let checks = CheckName::ALL
            .map(|name| Check::new(name, CheckResult::Unmeasured(reason.clone())))
            .to_vec();
        return Gauntlet::new(checks, began);
    }
    progress(Progress::Stage("reading what the patch touches".to_owned()));
    let mut checks = vec![timed(|| scope::check(job))];
    progress(Progress::Stage(
        "trying the attack on both sides".to_owned(),
    ));
    let plans: Vec<Plan> = job.capsules.iter().map(plan_of).collect();
    checks.extend(attacks(job, &plans, sandbox, options));
    // Each stage costs more than the one before, and what is rejected already needs no more of it.
    if let Some(reason) = stopped(&checks) {
        skip(&mut checks, &[&DURING[..], &AFTER[..]].concat(), &reason);
        return Gauntlet::new(checks, began);
    }
    progress(Progress::Stage(
        "trying the payload family and harmless requests".to_owned(),
    ));
    std::thread::scope(|scope| {
        let family = scope.spawn(|| timed(|| family::check(job, sandbox, options)));
        let behaviour = behaviour::check(job, &plans, sandbox, options);
        checks.extend(behaviour);
        match family.join() {
            Ok(check) => checks.push(check),
            // A defect of ours must not read as an answer.
            Err(_) => skip(
                &mut checks,
                &[CheckName::Family],
                "this check stopped by a defect of its own; report it",
            ),
        }
    });
    if let Some(reason) = stopped(&checks) {
        skip(&mut checks, &AFTER, &reason);
        return Gauntlet::new(checks, began);
    }
    progress(Progress::Stage(
        "running the application's tests on both sides".to_owned(),
    ));
    checks.extend(suite::check(job, sandbox, options));
    Gauntlet::new(checks, began)
}

/// Checks of the second and third stage.
const DURING: [CheckName; 5] = [
    CheckName::Family,
    CheckName::TwinWorks,
    CheckName::SinkReached,
    CheckName::Behaviour,
    CheckName::Writes,
];
const AFTER: [CheckName; 2] = [CheckName::Tests, CheckName::RegressionTest];

/// Why no further stage is worth its cost: the base does not fall, or a telling check failed. What a patch
/// touches never stops the others, which say more.
fn stopped(checks: &[Check]) -> Option<String> {
    let base = checks
        .iter()
        .find(|check| check.name == CheckName::AttackWorksOnBase);
    if base.is_none_or(|check| check.result != CheckResult::Passed) {
        return Some("not run, since the attack does not succeed on the base".to_owned());
    }
    let failed = checks.iter().find(|check| {
        check.name != CheckName::Scope && matches!(check.result, CheckResult::Failed(_))
    })?;
    Some(format!("not run, since `{}` failed", failed.name.word()))
}

fn skip(checks: &mut Vec<Check>, names: &[CheckName], reason: &str) {
    checks.extend(
        names
            .iter()
            .map(|name| Check::new(*name, CheckResult::Unmeasured(reason.to_owned()))),
    );
}

/// Whether the two targets differ in nothing but their source.
fn comparable(job: &Job<'_>) -> Result<(), String> {
    if job.capsules.is_empty() {
        return Err("there is no capsule to replay; prove the finding first".to_owned());
    }
    if job.base.recipe_digest != job.patched.recipe_digest {
        return Err(
            "the two trees were prepared by different recipes; prepare the patched tree with the base's"
                .to_owned(),
        );
    }
    if job.base.interpreter != job.patched.interpreter {
        return Err(format!(
            "the two trees run on different interpreters, Python {} and {}; name one with `[target] python`",
            job.base.interpreter.full, job.patched.interpreter.full
        ));
    }
    for capsule in job.capsules {
        if let Err(error) = capsule::check(capsule) {
            return Err(format!("a capsule cannot be replayed: {error}"));
        }
        if capsule.login.is_some() && job.base.recipe.login.is_none() {
            return Err("a capsule logs in, and the recipe has no `[login]`".to_owned());
        }
    }
    Ok(())
}

pub(crate) fn plan_of(capsule: &Capsule) -> Plan {
    Plan {
        login: capsule.login.clone(),
        steps: capsule.steps.clone(),
        payloads: capsule.payloads.clone(),
        oracle: capsule.oracle.clone(),
    }
}

pub(crate) fn timed(work: impl FnOnce() -> Check) -> Check {
    let began = Instant::now();
    let mut check = work();
    check.seconds = began.elapsed().as_secs_f64();
    check
}

/// The capsules on both sides, in the same environment at the same time.
fn attacks(job: &Job<'_>, plans: &[Plan], sandbox: &dyn Sandbox, options: &Options) -> Vec<Check> {
    let claims: Vec<Claim<'_>> = job
        .capsules
        .iter()
        .zip(plans)
        .map(|(capsule, plan)| Claim {
            plan,
            twin_status: capsule.twin_status,
        })
        .collect();
    let credentials = job
        .base
        .recipe
        .login
        .as_ref()
        .map_or_else(BTreeMap::new, login::credentials);
    let mut on_base = Check::new(CheckName::AttackWorksOnBase, CheckResult::Passed);
    let mut on_patch = Check::new(CheckName::AttackFails, CheckResult::Passed);
    let (base, patched) = std::thread::scope(|scope| {
        let patched = scope.spawn(|| {
            let began = Instant::now();
            let patched = verify_silence(
                job.patched,
                sandbox,
                &claims,
                &credentials,
                options.answer_timeout,
                options.seed,
            );
            (patched, began.elapsed().as_secs_f64())
        });
        let began = Instant::now();
        let (base, _) = verify(
            job.base,
            sandbox,
            &claims,
            &credentials,
            options.answer_timeout,
            options.seed,
            |_, _| {},
        );
        on_base.seconds = began.elapsed().as_secs_f64();
        // Nothing run is nothing shown: too few runs never count as silence.
        let lost = || (vec![Verified::default(); claims.len()], 0.0);
        let (patched, seconds) = patched.join().unwrap_or_else(|_| lost());
        on_patch.seconds = seconds;
        (base, patched)
    });
    for (capsule, verified) in job.capsules.iter().zip(&base) {
        on_base.requests += verified.requests;
        on_base.detail.push(line(capsule, verified));
        if verified.run < INSTANCES || verified.shown < verified.run {
            on_base.result = CheckResult::Unmeasured(format!(
                "the attack does not succeed on the base here ({} of {INSTANCES} fresh instances{}), so its failing on the \
                 patch would say nothing",
                verified.shown,
                because(&verified.reason)
            ));
        }
    }
    for (capsule, verified) in job.capsules.iter().zip(&patched) {
        on_patch.requests += verified.requests;
        on_patch.detail.push(line(capsule, verified));
        let result = if verified.shown > 0 {
            CheckResult::Failed(format!(
                "the attack still works, {} of {} fresh instances: {}",
                verified.shown,
                verified.run,
                verified
                    .effect
                    .as_ref()
                    .map_or("its effect was seen", |effect| effect.text.as_str())
            ))
        } else if verified.unknown || verified.run < INSTANCES {
            CheckResult::Unmeasured(format!(
                "the attack could not be tried as on the base{}",
                because(&verified.reason)
            ))
        } else {
            continue;
        };
        if rank(&result) > rank(&on_patch.result) {
            on_patch.result = result;
        }
    }
    vec![on_base, on_patch]
}

/// Worse results take the place of better ones.
pub(crate) fn rank(result: &CheckResult) -> u8 {
    match result {
        CheckResult::Passed => 0,
        CheckResult::Unmeasured(_) => 1,
        CheckResult::Failed(_) => 2,
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

fn line(capsule: &Capsule, verified: &Verified) -> String {
    format!(
        "{}: effect in {} of {} fresh instances{}",
        capsule.weakness,
        verified.shown,
        verified.run,
        because(&verified.reason)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(change: impl Fn(CheckName) -> CheckResult) -> Vec<Check> {
        CheckName::ALL
            .map(|name| Check::new(name, change(name)))
            .to_vec()
    }

    #[test]
    fn a_patch_without_tests_can_be_verified_and_one_without_its_family_cannot() {
        let without = |missing: CheckName| {
            judge(&checks(|name| {
                if name == missing {
                    CheckResult::Unmeasured("not here".into())
                } else {
                    CheckResult::Passed
                }
            }))
        };
        assert_eq!(without(CheckName::Tests), GauntletVerdict::Verified);
        for name in [
            CheckName::AttackWorksOnBase,
            CheckName::AttackFails,
            CheckName::Family,
            CheckName::TwinWorks,
            CheckName::Writes,
            CheckName::Scope,
        ] {
            assert_eq!(without(name).word(), "inconclusive", "{name:?}");
        }
    }

    #[test]
    fn an_attack_that_does_not_work_on_the_base_decides_nothing() {
        let verdict = judge(&checks(|name| {
            if name == CheckName::AttackWorksOnBase {
                CheckResult::Unmeasured("1 of 3".into())
            } else {
                CheckResult::Failed("broken".into())
            }
        }));
        assert_eq!(verdict.word(), "inconclusive");
    }

    #[test]
    fn the_most_telling_failure_is_the_reason() {
        let verdict = judge(&checks(|name| match name {
            CheckName::AttackWorksOnBase => CheckResult::Passed,
            name => CheckResult::Failed(name.word().to_owned()),
        }));
        assert_eq!(verdict.check(), Some(CheckName::AttackFails));
        assert_eq!(judge(&[]).word(), "inconclusive");
    }
}
