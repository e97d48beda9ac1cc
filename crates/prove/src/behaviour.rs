//! What the base does right must stay: harmless requests to the attacked routes, the operation behind them,
//! the other routes, and the files that are left behind.
//!
//! The same script runs on two fresh instances of the base, which shows what differs by itself, and on fresh
//! instances of the patch. A difference is tried once more before it counts.

use std::collections::BTreeSet;
use std::time::Instant;

use solvent_sandbox::Sandbox;

use crate::campaign::Options;
use crate::case::Family;
use crate::exec::{Plan, Shot};
use crate::gauntlet::{Check, CheckName, CheckResult, Job};
use crate::harmless::scout;
use crate::oracle::{opened_paths, shape, statements, token_arrived};
use crate::script::{
    About, Compared, Origin, Part, Ran, Script, compare, compare_writes, run, without_values,
};
use crate::target::{Observe, start};
use crate::verify::words;

/// Times that differences are tried once more.
const MAX_REPEATS: u32 = 3;

pub(crate) fn check(
    job: &Job<'_>,
    plans: &[Plan],
    sandbox: &dyn Sandbox,
    options: &Options,
) -> Vec<Check> {
    let began = Instant::now();
    let timeout = options.answer_timeout;
    let unmeasured = |reason: &str| {
        NAMES
            .map(|name| Check::new(name, CheckResult::Unmeasured(reason.to_owned())))
            .to_vec()
    };
    let scouted = start(job.base, sandbox, Observe::Sensors)
        .map_err(|reason| words(&reason))
        .and_then(|mut running| {
            let scouted = scout(job, plans, &mut running, timeout);
            let requests = running.requests;
            let _ = running.instance.stop();
            scouted.map(|(script, door)| (script, door, requests))
        });
    let (script, door, requests) = match scouted {
        Ok(scouted) => scouted,
        Err(reason) => return unmeasured(&format!("the base could not be looked at: {reason}")),
    };
    let go_to = |on: &crate::prepare::Prepared, end: usize| {
        run(on, sandbox, &script, end, door.as_ref(), timeout)
    };
    let all = script.probes.len();
    let go = |on: &crate::prepare::Prepared| go_to(on, all);
    let (first, second, patched) = std::thread::scope(|scope| {
        let first = scope.spawn(|| go(job.base));
        let second = scope.spawn(|| go(job.base));
        let patched = go(job.patched);
        let lost = || Err("the run stopped by a defect of its own".to_owned());
        (
            first.join().unwrap_or_else(|_| lost()),
            second.join().unwrap_or_else(|_| lost()),
            patched,
        )
    });
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(reason), _) | (_, Err(reason)) => {
            return unmeasured(&format!("on the base, {reason}"));
        }
    };
    let patched = match patched.or_else(|_| go(job.patched)) {
        Ok(patched) => patched,
        // It did on the base, twice.
        Err(reason) => {
            let mut checks = unmeasured(&format!("on the patch, {reason}"));
            checks[0].result = CheckResult::Failed(format!("with the patch, {reason}"));
            return checks;
        }
    };
    let mut base = vec![first, second];
    let mut patch = vec![patched];
    let (mut checks, mut worst) = judge(job, &script, &base, &patch);
    let mut tried = 0;
    for _ in 0..MAX_REPEATS {
        // Up to the first difference the script is repeated as it was, since requests may build on each other.
        let end = worst.map_or(all, |at| at + 1);
        if !checks.iter().any(failed) || end <= tried {
            break;
        }
        let (third, again) = std::thread::scope(|scope| {
            let third = scope.spawn(|| go_to(job.base, end));
            let again = go_to(job.patched, end);
            (third.join().ok(), again)
        });
        let (Some(Ok(third)), Ok(again)) = (third, again) else {
            break;
        };
        tried = end;
        base.push(third);
        patch.push(again);
        (checks, worst) = judge(job, &script, &base, &patch);
    }
    let total: u64 = base.iter().chain(&patch).map(|ran| ran.requests).sum();
    if let Some(twin) = checks.first_mut() {
        twin.requests = total + requests;
    }
    for check in &mut checks {
        check.seconds = began.elapsed().as_secs_f64();
    }
    checks
}

const NAMES: [CheckName; 4] = [
    CheckName::TwinWorks,
    CheckName::SinkReached,
    CheckName::Behaviour,
    CheckName::Writes,
];

fn failed(check: &Check) -> bool {
    matches!(check.result, CheckResult::Failed(_))
}

/// The four checks from what was seen, and the first probe that differs.
fn judge(
    job: &Job<'_>,
    script: &Script,
    base: &[Ran],
    patched: &[Ran],
) -> (Vec<Check>, Option<usize>) {
    let mut worst = None;
    let mut twin = Check::new(CheckName::TwinWorks, CheckResult::Passed);
    let mut behaviour = Check::new(CheckName::Behaviour, CheckResult::Passed);
    let (mut compared, mut routes, mut found_something) = (0_u32, 0_u32, false);
    let mut tokens: Vec<Option<&Shot>> = vec![None; job.capsules.len()];
    for (at, probe) in script.probes.iter().enumerate() {
        let of_base: Vec<&Shot> = base.iter().filter_map(|ran| ran.shots.get(at)).collect();
        let of_patch: Vec<&Shot> = patched.iter().filter_map(|ran| ran.shots.get(at)).collect();
        let result = compare(&of_base, &of_patch);
        let status = of_base
            .first()
            .and_then(|shot| shot.last())
            .map(|a| a.status);
        match &probe.about {
            About::Route(label) => match (&result, status) {
                (Compared::Same, Some(status)) if status < 500 => routes += 1,
                (Compared::Differs(how), Some(status)) if status < 500 => {
                    worst.get_or_insert(at);
                    let line = format!("{label} is answered {how}");
                    if behaviour.result == CheckResult::Passed {
                        behaviour.result =
                            CheckResult::Failed(format!("unrelated behaviour changed: {line}"));
                    }
                    note(&mut behaviour, line);
                }
                _ => {}
            },
            About::Quote(Part::Quote(_)) => {
                if let Some(line) = drops_quotes(script, at, patched) {
                    worst.get_or_insert(at);
                    fail(&mut twin, line);
                }
            }
            About::Quote(_) => {}
            About::Twin {
                capsule,
                origin,
                value,
            } => {
                if *origin == Origin::Capsule {
                    tokens[*capsule] = of_base.first().copied();
                }
                let Some(status) = status else { continue };
                // What breaks the base is no harmless value here.
                if status >= 500 {
                    continue;
                }
                match result {
                    Compared::Unstable => {}
                    Compared::Same => {
                        compared += 1;
                        let nonsense = tokens[*capsule]
                            .and_then(|shot| without_values(shot, &[&shot.fresh.token, value]));
                        let here = of_base
                            .first()
                            .and_then(|shot| without_values(shot, &[value]));
                        found_something |= status < 400
                            && matches!(origin, Origin::Pages | Origin::Planted | Origin::Program)
                            && here != nonsense;
                    }
                    Compared::Differs(how) => {
                        compared += 1;
                        let refused = of_patch
                            .last()
                            .and_then(|shot| shot.last())
                            .is_some_and(|answer| answer.status < 500);
                        let line = format!("{} is answered {how}", origin.words());
                        if *origin == Origin::Special && refused {
                            note(
                                &mut twin,
                                format!("narrower than before: `{value}` is answered {how}"),
                            );
                        } else {
                            worst.get_or_insert(at);
                            fail(&mut twin, line);
                        }
                    }
                }
            }
        }
    }
    note(&mut twin, format!("{compared} harmless requests compared"));
    note(
        &mut behaviour,
        format!("{routes} requests to other routes answered as before"),
    );
    if compared == 0 {
        twin.result = CheckResult::Unmeasured(
            "the base answers no harmless request to the attacked route the same way twice"
                .to_owned(),
        );
    } else if !found_something && twin.result == CheckResult::Passed {
        note(
            &mut twin,
            "no harmless value was known that finds something: only answers that find nothing were compared"
                .to_owned(),
        );
    }
    if routes == 0 && behaviour.result == CheckResult::Passed {
        behaviour.result =
            CheckResult::Unmeasured("no other route answers steadily here".to_owned());
    }
    let sink = sink(job, script, base, patched, &twin);
    let mut writes = Check::new(CheckName::Writes, CheckResult::Passed);
    // A repetition that ended before the last twin wrote less.
    let whole = |ran: &&Ran| ran.shots.len() >= script.early;
    if base.iter().chain(patched).all(|ran| ran.writes.is_some()) {
        let of = |runs: &'_ [Ran]| -> Vec<BTreeSet<_>> {
            runs.iter()
                .filter(whole)
                .filter_map(|ran| ran.writes.clone())
                .collect()
        };
        let (base, patched) = (of(base), of(patched));
        let (base, patched): (Vec<_>, Vec<_>) = (base.iter().collect(), patched.iter().collect());
        if let Some(line) = compare_writes(&base, &patched) {
            writes.result = CheckResult::Failed(format!("after harmless requests, {line}"));
        }
        note(
            &mut writes,
            format!(
                "{} paths written on the base",
                base.first().map_or(0, |s| s.len())
            ),
        );
    } else {
        writes.result =
            CheckResult::Unmeasured("the sandbox could not list what was written".to_owned());
    }
    // Only what was written by the twins is compared, so all of them must have run.
    if matches!(writes.result, CheckResult::Failed(_)) && worst.is_none() {
        worst = script.early.checked_sub(1);
    }
    (vec![twin, sink, behaviour, writes], worst)
}

fn fail(check: &mut Check, line: String) {
    if check.result == CheckResult::Passed {
        check.result = CheckResult::Failed(line.clone());
    }
    note(check, line);
}

fn note(check: &mut Check, line: String) {
    if check.detail.len() < 20 && !check.detail.contains(&line) {
        check.detail.push(line);
    }
}

/// Whether the patch answers a value with a quote in it as the value without, and one with a letter in it
/// otherwise: it takes quotes out, and the names of people with them.
fn drops_quotes(script: &Script, at: usize, patched: &[Ran]) -> Option<String> {
    let shots = &patched.first()?.shots;
    let first = at.checked_sub(2)?;
    let mut values = Vec::new();
    for probe in script.probes.get(first..=at)? {
        let About::Quote(part) = &probe.about else {
            return None;
        };
        values.push(part.value());
    }
    let look = |at: usize| {
        let shot = shots.get(at)?;
        let good = shot.last().is_some_and(|answer| answer.status < 300);
        without_values(shot, &values).filter(|_| good)
    };
    let (plain, letter, quote) = (look(first)?, look(at - 1)?, look(at)?);
    (plain == quote && plain != letter).then(|| {
        "a value with a quote in it is answered as if it had none: the patch takes characters out of what people \
         write"
            .to_owned()
    })
}

/// Whether the twin still gets to the kind of operation that was attacked.
fn sink(job: &Job<'_>, script: &Script, base: &[Ran], patched: &[Ran], twin: &Check) -> Check {
    let mut check = Check::new(CheckName::SinkReached, CheckResult::Passed);
    let mut told = false;
    for (at, probe) in script.probes.iter().enumerate() {
        let About::Twin {
            capsule, origin, ..
        } = &probe.about
        else {
            continue;
        };
        let Some(family) = job
            .capsules
            .get(*capsule)
            .and_then(|capsule| Family::of(&solvent_finding::WeaknessId(capsule.weakness.clone())))
        else {
            continue;
        };
        // For paths, a file that is there: what is not there need not be opened.
        let wanted = if family == Family::Path {
            Origin::Planted
        } else {
            Origin::Capsule
        };
        if *origin != wanted {
            continue;
        }
        let shot = |runs: &[Ran]| runs.first().map(|ran| ran.shots.len()).filter(|n| *n > at);
        if shot(base).is_none() || shot(patched).is_none() {
            continue;
        }
        let (before, after) = (&base[0].shots[at], &patched[0].shots[at]);
        let reached = match family {
            Family::Command => token_arrived(before, "exec").then(|| token_arrived(after, "exec")),
            Family::Path => (!opened_paths(before, "slv").is_empty())
                .then(|| !opened_paths(after, "slv").is_empty()),
            Family::Sql => {
                let wanted: BTreeSet<String> = statements(before)
                    .iter()
                    .filter(|s| s.text.to_ascii_lowercase().contains(&before.fresh.token))
                    .filter_map(|s| verb_and_tables(&s.text))
                    .collect();
                (!wanted.is_empty()).then(|| {
                    let seen: BTreeSet<String> = statements(after)
                        .iter()
                        .filter(|s| s.error.is_none())
                        .filter_map(|s| verb_and_tables(&s.text))
                        .collect();
                    wanted.is_subset(&seen)
                })
            }
        };
        match reached {
            None => {}
            Some(true) => told = true,
            Some(false) => {
                told = true;
                let what = match family {
                    Family::Command => "starts no program with its value any more",
                    Family::Path => "opens no file any more",
                    Family::Sql => "runs no such statement any more",
                };
                // Another way to the same answers is as good; a broken one is not.
                check.result = if twin.result == CheckResult::Passed {
                    CheckResult::Unmeasured(format!(
                        "the twin {what}, and is answered as before: the patch goes another way"
                    ))
                } else {
                    CheckResult::Failed(format!("the twin {what}"))
                };
            }
        }
    }
    if !told {
        check.result = CheckResult::Unmeasured(
            "no sensor tells whether the twin reaches the operation".to_owned(),
        );
    }
    check
}

/// `SELECT products`: what a statement does, and to which tables.
fn verb_and_tables(text: &str) -> Option<String> {
    let tokens = shape(text)?;
    let mut out = tokens.first()?.class.clone();
    let mut tables: BTreeSet<String> = BTreeSet::new();
    for pair in tokens.windows(2) {
        if matches!(pair[0].class.as_str(), "FROM" | "JOIN" | "INTO" | "UPDATE") {
            tables.insert(text.get(pair[1].start..pair[1].end)?.to_ascii_lowercase());
        }
    }
    for table in tables {
        out.push(' ');
        out.push_str(&table);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_parameter_is_the_same_statement() {
        assert_eq!(
            verb_and_tables("SELECT a FROM products WHERE n LIKE '%x%'"),
            verb_and_tables("SELECT a, b FROM products WHERE n LIKE ?")
        );
        assert_ne!(
            verb_and_tables("SELECT a FROM products"),
            verb_and_tables("SELECT a FROM users")
        );
    }
}
