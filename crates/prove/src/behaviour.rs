//! What the base does right must stay: harmless requests to the attacked routes, the operation behind them,
//! the other routes, and the files that are left behind.
//!
//! The same script runs on two fresh instances of the base, which shows what differs by itself, and on fresh
//! instances of the patch. A difference is tried once more before it counts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use solvent_finding::{Carrier, EntryPoint, Finding, Input, RouteSegment};
use solvent_protocol::capsule::{Capsule, Capture, CaptureFrom, Encode, Raw, placeholders};
use solvent_sandbox::Sandbox;

use crate::campaign::Options;
use crate::case::Family;
use crate::exec::{Plan, Session, Shot};
use crate::family::extension;
use crate::gauntlet::{Check, CheckName, CheckResult, Job};
use crate::harvest::{
    self, Harvest, Who, get, match_route, nothing, offered, path_of, quiet, quiet_steps, request,
    shoot,
};
use crate::html::Form;
use crate::login::Door;
use crate::oracle::{opened_paths, shape, statements, token_arrived};
use crate::script::{
    About, Compared, Origin, Probe, PutFile, Ran, Script, compare, compare_writes, run,
    without_value,
};
use crate::target::{Observe, Running, start};
use crate::token;
use crate::value::plausible;
use crate::verify::words;

/// Times that differences are tried once more.
const MAX_REPEATS: u32 = 3;
/// Requests to other routes in one script.
const MAX_ROUTES: usize = 160;
/// Texts of pages that are tried as values of one input.
const MAX_TRIED: usize = 40;
/// Values of each origin that are kept.
const MAX_KEPT: usize = 4;

/// What no repair needs to refuse.
const PLAIN: [&str; 5] = ["Spring", "q3-2026", "north_east", "7", "e"];
/// What people write, and a careful repair may refuse with words.
const SPECIAL: [&str; 8] = [
    "O'Brien",
    "a b",
    "R&D",
    "C++",
    "caf\u{e9}",
    "v1.2",
    "(a)",
    "tea; coffee",
];

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

/// The finding that a capsule proves.
fn finding_of<'a>(job: &Job<'a>, capsule: &Capsule) -> Option<&'a Finding> {
    let by = |test: &dyn Fn(&&Finding) -> bool| job.findings.iter().find(|f| test(f));
    by(&|f| f.fingerprint.0.hex() == capsule.fingerprint)
        .or_else(|| by(&|f| f.weakness.0 == capsule.weakness))
}

/// Looks around on one instance of the base and writes the script.
fn scout(
    job: &Job<'_>,
    plans: &[Plan],
    running: &mut Running,
    timeout: Duration,
) -> Result<(Script, Option<Door>), String> {
    let door = crate::script::door(running, job.base, timeout);
    let mut sessions = vec![(Session::default(), Who::Nobody)];
    if let Some(door) = &door {
        let session = door.open(running, timeout).map_err(|e| e.0)?;
        sessions.push((session, Who::Identity));
    }
    let mut first = vec!["/".to_owned(), job.base.recipe.ready.clone()];
    for entry in job.entries.iter().filter(|e| answers(e, "GET")) {
        if entry
            .segments
            .iter()
            .all(|s| matches!(s, RouteSegment::Literal(_)))
            && !entry.segments.is_empty()
        {
            first.push(path_of(entry, &|_, _| String::new()));
        }
    }
    first.dedup();
    let harvest = harvest::walk(running, &first, &sessions, door.as_ref(), timeout);
    let mut script = Script::default();
    let attacked = attacked_routes(job);
    for (at, (capsule, plan)) in job.capsules.iter().zip(plans).enumerate() {
        let who = if plan.login.is_some() {
            Who::Identity
        } else {
            Who::Nobody
        };
        let session = match who {
            Who::Identity => sessions.last(),
            Who::Nobody => sessions.first(),
        }
        .map(|(session, _)| session.clone())
        .unwrap_or_default();
        let mut eye = Eye {
            running: &mut *running,
            session,
            timeout,
            plan,
        };
        twins(job, at, capsule, who, &harvest, &mut eye, &mut script);
    }
    routes(job, &harvest, &attacked, door.as_ref(), &mut script);
    Ok((script, door))
}

/// Method and entry point of every attacked route.
fn attacked_routes<'a>(job: &Job<'a>) -> Vec<&'a EntryPoint> {
    job.findings
        .iter()
        .filter_map(|f| f.entry.as_ref())
        .collect()
}

/// Tries values of one capsule's input on the base.
struct Eye<'a> {
    running: &'a mut Running,
    session: Session,
    timeout: Duration,
    plan: &'a Plan,
}

impl Eye<'_> {
    fn try_value(&mut self, value: &str) -> Option<Shot> {
        let plan = with_value(self.plan, value)?;
        Some(shoot(self.running, &plan, &self.session, self.timeout))
    }
}

/// The twin's request with `value` where its token stands; `None` where it carries no such place.
fn with_value(plan: &Plan, value: &str) -> Option<Plan> {
    if value.contains("{{") {
        return None;
    }
    let mut plan = quiet_plan(plan);
    let mut placed = false;
    for part in &mut plan.payloads.twin {
        let names = placeholders(&part.text.0);
        let text = String::from_utf8_lossy(&part.text.0).into_owned();
        let filled = text
            .replace("{{token}}", value)
            .replace("{{number}}", value)
            .replace("{{file}}", value);
        placed |= !names.is_empty() && filled != text;
        part.text = Raw::text(filled);
    }
    placed.then_some(plan)
}

/// The twin's request, planting nothing.
fn quiet_plan(plan: &Plan) -> Plan {
    Plan {
        oracle: nothing(),
        ..plan.clone()
    }
}

fn twins(
    job: &Job<'_>,
    at: usize,
    capsule: &Capsule,
    who: Who,
    harvest: &Harvest,
    eye: &mut Eye<'_>,
    script: &mut Script,
) {
    let own = quiet_plan(eye.plan);
    let add = |origin: Origin, value: &str, plan: Plan, script: &mut Script| {
        let known = script.probes.iter().any(|probe| {
            matches!(&probe.about, About::Twin { capsule, value: known, .. } if *capsule == at && known == value)
        });
        if !known {
            script.probes.push(Probe {
                about: About::Twin {
                    capsule: at,
                    origin,
                    value: value.to_owned(),
                },
                plan,
                who,
            });
        }
    };
    add(Origin::Capsule, "{{token}}", own.clone(), script);
    let nonsense = shoot(eye.running, &own, &eye.session, eye.timeout);
    let Some(finding) = finding_of(job, capsule) else {
        return;
    };
    let Some(entry) = &finding.entry else { return };
    let inputs: BTreeSet<&Input> = finding.flows.iter().map(|flow| &flow.input).collect();
    let mut offers: Vec<String> = Vec::new();
    for input in &inputs {
        offers.extend(offered(harvest, entry, input));
    }
    let family = Family::of(&finding.weakness);
    let mut found: Vec<String> = Vec::new();
    for value in &offers {
        if found.len() < MAX_KEPT {
            found.push(value.clone());
        }
    }
    // Names on the pages, when the answer shows that they mean something here.
    let mut finds: Vec<String> = Vec::new();
    for phrase in harvest.phrases.iter().take(MAX_TRIED) {
        if finds.len() >= MAX_KEPT {
            break;
        }
        let Some(shot) = eye.try_value(phrase) else {
            break;
        };
        let means = shot.last().is_some_and(|answer| answer.status < 400)
            && without_value(&shot, phrase) != without_value(&nonsense, &nonsense.fresh.token);
        if means {
            finds.push(phrase.clone());
        }
    }
    if let Some(word) = finds
        .first()
        .and_then(|phrase| phrase.split_whitespace().last())
        .map(str::to_lowercase)
    {
        finds.push(word);
    }
    if family == Some(Family::Sql) {
        for value in finds.iter().chain(&found).take(2) {
            let middle = value.chars().count() / 2;
            if middle == 0 {
                continue;
            }
            let head: String = value.chars().take(middle).collect();
            let tail: String = value.chars().skip(middle).collect();
            let quoted = format!("{head}'{tail}");
            if let (Some(plan), Some(plain)) =
                (with_value(eye.plan, &quoted), with_value(eye.plan, value))
            {
                add(Origin::Pages, value, plain, script);
                add(Origin::Quoted, &quoted, plan, script);
            }
        }
    }
    let constants: Vec<String> = entry
        .inputs
        .iter()
        .filter(|(input, _)| inputs.contains(input))
        .flat_map(|(_, constants)| constants.iter().cloned())
        .filter(|text| !text.is_empty() && text.len() <= 100)
        .take(MAX_KEPT)
        .collect();
    let lists: [(Origin, Vec<String>); 5] = [
        (Origin::Pages, finds),
        (Origin::Pages, found.clone()),
        (Origin::Program, constants),
        (Origin::Plain, PLAIN.map(str::to_owned).to_vec()),
        (Origin::Special, SPECIAL.map(str::to_owned).to_vec()),
    ];
    for (origin, values) in lists {
        for value in values {
            if let Some(plan) = with_value(eye.plan, &value) {
                add(origin, &value, plan, script);
            }
        }
    }
    // A form as a visitor sends it, with every field that it has.
    for (page, form) in &harvest.forms {
        let action = if form.action.is_empty() {
            page
        } else {
            &form.action
        };
        if answers(entry, &form.method)
            && form.method != "GET"
            && match_route(entry, action).is_some()
            && let Some(plan) = form_plan(page, form, who, None)
        {
            add(Origin::Pages, "the form as it stands", plan, script);
        }
    }
    if family == Some(Family::Path) {
        planted(eye, &nonsense, &found, script, &add);
    }
}

/// Files beside those that the route serves: it must go on serving whatever is there.
fn planted(
    eye: &Eye<'_>,
    nonsense: &Shot,
    offers: &[String],
    script: &mut Script,
    add: &dyn Fn(Origin, &str, Plan, &mut Script),
) {
    let Some(folder) = opened_paths(nonsense, &nonsense.fresh.token)
        .into_iter()
        .find_map(|path| {
            let (folder, name) = path.rsplit_once('/')?;
            // What is appended to the name is part of the planted file's name.
            let after = name.to_ascii_lowercase();
            let after = after
                .split_once(nonsense.fresh.token.as_str())?
                .1
                .to_owned();
            folder.starts_with('/').then(|| (folder.to_owned(), after))
        })
    else {
        return;
    };
    let (folder, appended) = folder;
    let end = offers
        .iter()
        .find_map(|offer| extension(offer))
        .filter(|_| appended.is_empty())
        .unwrap_or_default();
    for name in [
        format!("{}{end}", token::fresh()),
        format!("{}-Notes_2{end}", token::fresh()),
    ] {
        if let Some(plan) = with_value(eye.plan, &name) {
            script.files.push(PutFile {
                path: Path::new(&folder).join(format!("{name}{appended}")),
                content: format!("notes of {}\n", token::fresh()),
            });
            add(Origin::Planted, &name, plan, script);
        }
    }
}

fn answers(entry: &EntryPoint, method: &str) -> bool {
    entry.methods.iter().any(|known| known == method)
        || entry.methods.is_empty() && matches!(method, "GET" | "POST")
}

/// The other routes: what the pages lead to, then every entry point with plausible values.
fn routes(
    job: &Job<'_>,
    harvest: &Harvest,
    attacked: &[&EntryPoint],
    door: Option<&Door>,
    script: &mut Script,
) {
    let is_attacked = |method: &str, target: &str| {
        attacked
            .iter()
            .any(|entry| answers(entry, method) && match_route(entry, target).is_some())
    };
    let mut gets: Vec<String> = harvest
        .targets
        .iter()
        .filter(|target| !is_attacked("GET", target))
        .cloned()
        .collect();
    // A few of each route tell as much as all.
    let mut kept: Vec<usize> = vec![0; job.entries.len() + 1];
    gets.retain(|target| {
        let at = job
            .entries
            .iter()
            .position(|entry| match_route(entry, target).is_some())
            .unwrap_or(job.entries.len());
        kept[at] += 1;
        kept[at] <= MAX_KEPT
    });
    let mut steps: Vec<(String, Plan, Plan)> = Vec::new();
    let fill = |name: &str, converter: &str| match converter {
        "int" => "1".to_owned(),
        "float" => "1.5".to_owned(),
        "uuid" => "3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned(),
        _ => plausible(name, &[]),
    };
    for entry in job.entries {
        let path = path_of(entry, &fill);
        if answers(entry, "GET") && !is_attacked("GET", &path) {
            let query: Vec<String> = entry
                .inputs
                .iter()
                .filter(|(input, _)| input.carrier == Carrier::Query && !input.name.is_empty())
                .map(|(input, constants)| {
                    let encode = |text: &str| {
                        String::from_utf8_lossy(&Encode::Percent.apply(text.as_bytes()))
                            .into_owned()
                    };
                    format!(
                        "{}={}",
                        encode(&input.name),
                        encode(&plausible(&input.name, constants))
                    )
                })
                .collect();
            let full = if query.is_empty() {
                path.clone()
            } else {
                format!("{path}?{}", query.join("&"))
            };
            for target in [path.clone(), full] {
                if !gets.contains(&target) {
                    gets.push(target);
                }
            }
        }
    }
    gets.truncate(MAX_ROUTES / 2);
    for target in gets {
        let label = format!("GET {}", target.split('?').next().unwrap_or_default());
        steps.push((
            label,
            quiet(get(&target, Who::Nobody, door)),
            quiet(get(&target, Who::Identity, door)),
        ));
    }
    for (page, form) in &harvest.forms {
        let action = if form.action.is_empty() {
            page
        } else {
            &form.action
        };
        let path = action.split('?').next().unwrap_or_default().to_owned();
        if form.method == "GET" || is_attacked(&form.method, &path) {
            continue;
        }
        if let (Some(nobody), Some(identity)) = (
            form_plan(page, form, Who::Nobody, door),
            form_plan(page, form, Who::Identity, door),
        ) {
            steps.push((format!("{} {path}", form.method), nobody, identity));
        }
    }
    for entry in job.entries {
        let path = path_of(entry, &fill);
        for method in entry
            .methods
            .iter()
            .filter(|m| !matches!(m.as_str(), "GET" | "HEAD" | "OPTIONS") && !is_attacked(m, &path))
        {
            let label = format!("{method} {path}");
            let plan = |who: Who| quiet(request(method, &path, entry_body(entry), who, door));
            steps.push((label, plan(Who::Nobody), plan(Who::Identity)));
        }
    }
    // What ends sessions goes last.
    steps.sort_by_key(|(label, ..)| {
        let label = label.to_ascii_lowercase();
        (
            !label.starts_with("get "),
            ["logout", "signout", "sign-out", "delete"]
                .iter()
                .any(|word| label.contains(word)),
        )
    });
    for (label, nobody, identity) in steps.into_iter().take(MAX_ROUTES) {
        script.probes.push(Probe {
            about: About::Route(label.clone()),
            plan: nobody,
            who: Who::Nobody,
        });
        if door.is_some() {
            script.probes.push(Probe {
                about: About::Route(format!("{label}, logged in")),
                plan: identity,
                who: Who::Identity,
            });
        }
    }
}

/// A body with plausible values for what the entry point reads.
fn entry_body(entry: &EntryPoint) -> Option<(&'static str, String)> {
    let of = |carrier: Carrier| -> Vec<(&str, String)> {
        entry
            .inputs
            .iter()
            .filter(|(input, _)| input.carrier == carrier && !input.name.is_empty())
            .map(|(input, constants)| (input.name.as_str(), plausible(&input.name, constants)))
            .collect()
    };
    let form = of(Carrier::Form);
    if !form.is_empty() {
        return Some(("application/x-www-form-urlencoded", encoded(&form)));
    }
    let json = of(Carrier::Json);
    if json.is_empty() {
        return None;
    }
    let fields: Vec<String> = json
        .iter()
        .map(|(name, value)| {
            let value = value.parse::<u32>().map_or_else(
                |_| serde_json::Value::from(value.as_str()),
                serde_json::Value::from,
            );
            format!("{}:{value}", serde_json::Value::from(*name))
        })
        .collect();
    Some(("application/json", format!("{{{}}}", fields.join(","))))
}

fn encoded(pairs: &[(&str, String)]) -> String {
    let encode =
        |text: &str| String::from_utf8_lossy(&Encode::Form.apply(text.as_bytes())).into_owned();
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A form filled as a visitor would, its hidden fields taken from the page of the same session. Forms that
/// upload files are left out.
fn form_plan(page: &str, form: &Form, who: Who, door: Option<&Door>) -> Option<Plan> {
    if form.fields.iter().any(|field| field.kind == "file") {
        return None;
    }
    let action = if form.action.is_empty() {
        page
    } else {
        &form.action
    };
    let action = harvest::local(action, page, "")?;
    let mut captures = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    let mut plain: Vec<(&str, String)> = Vec::new();
    for field in &form.fields {
        match field.kind.as_str() {
            "hidden" if !field.value.is_empty() => {
                let name = format!("hidden{}", captures.len());
                parts.push(format!(
                    "{}={{{{capture.{name}}}}}",
                    String::from_utf8_lossy(&Encode::Form.apply(field.name.as_bytes()))
                ));
                captures.push(Capture {
                    name,
                    from: CaptureFrom::HtmlInput(field.name.clone()),
                });
            }
            "submit" | "button" | "image" | "reset" if field.value.is_empty() => {}
            _ => {
                let value = if field.value.is_empty() {
                    plausible(&field.name, &[])
                } else {
                    field.value.clone()
                };
                plain.push((&field.name, value));
            }
        }
    }
    let mut body = encoded(&plain);
    // A brace of a page's own value would be read as a placeholder; encoding has taken it out.
    for part in parts {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(&part);
    }
    let kind = "application/x-www-form-urlencoded";
    let send = request(&form.method, &action, Some((kind, body)), who, door);
    if captures.is_empty() {
        return Some(quiet(send));
    }
    let mut look = get(page, who, door);
    look.captures = captures;
    let mut send = send;
    if who == Who::Nobody {
        // The page's own session goes with its hidden fields.
        send.headers
            .push((Raw::text("Cookie"), Raw::text("{{session_cookies}}")));
    }
    Some(quiet_steps(vec![look, send]))
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
            About::Twin {
                capsule,
                origin,
                value,
            } => {
                if *origin == Origin::Capsule {
                    tokens[*capsule] = of_base.first().copied();
                }
                let Some(status) = status else { continue };
                if *origin == Origin::Quoted {
                    if let Some(line) = drops_quotes(script, at, value, patched, tokens[*capsule]) {
                        worst.get_or_insert(at);
                        fail(&mut twin, line);
                    }
                    continue;
                }
                // What breaks the base is no harmless value here.
                if status >= 500 {
                    continue;
                }
                match result {
                    Compared::Unstable => {}
                    Compared::Same => {
                        compared += 1;
                        let nonsense = tokens[*capsule]
                            .and_then(|shot| without_value(shot, &shot.fresh.token));
                        let here = of_base.first().and_then(|shot| without_value(shot, value));
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
    let twins = script
        .probes
        .iter()
        .filter(|probe| matches!(probe.about, About::Twin { .. }))
        .count();
    let whole = |ran: &&Ran| ran.shots.len() >= twins;
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
        worst = script
            .probes
            .iter()
            .rposition(|probe| matches!(probe.about, About::Twin { .. }));
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

/// Whether the patch answers a value with a quote in it as the value without: it takes quotes out, and the
/// names of people with them.
fn drops_quotes(
    script: &Script,
    at: usize,
    quoted: &str,
    patched: &[Ran],
    nonsense: Option<&Shot>,
) -> Option<String> {
    let plain = quoted.replacen('\'', "", 1);
    let twin = script
        .probes
        .iter()
        .position(|probe| matches!(&probe.about, About::Twin { value, .. } if *value == plain))?;
    let shots = &patched.first()?.shots;
    let (with, without) = (shots.get(at)?, shots.get(twin)?);
    let ok = |shot: &Shot| shot.last().is_some_and(|answer| answer.status < 300);
    let here = without_value(without, &plain);
    let empty = nonsense.and_then(|shot| without_value(shot, &shot.fresh.token));
    let same = ok(with) && ok(without) && without_value(with, quoted) == here && here != empty;
    same.then(|| {
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
