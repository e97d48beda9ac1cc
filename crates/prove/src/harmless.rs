//! Harmless requests: what a visitor would send to the attacked routes and to the others.
//!
//! One look around on the base writes the [`Script`]; nothing here decides anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use solvent_finding::{Carrier, EntryPoint, Finding, Input, RouteSegment};
use solvent_protocol::capsule::{Capsule, Capture, CaptureFrom, Encode, Raw, placeholders};

use crate::case::Family;
use crate::exec::{Plan, Session, Shot};
use crate::family::extension;
use crate::gauntlet::Job;
use crate::harvest::{
    self, Harvest, Who, get, match_route, nothing, offered, path_of, quiet, quiet_steps, request,
    shoot,
};
use crate::html::Form;
use crate::login::Door;
use crate::oracle::opened_paths;
use crate::script::{About, Origin, Part, Probe, PutFile, Script, without_values};
use crate::target::Running;
use crate::token;
use crate::value::plausible;

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

/// The finding that a capsule proves.
fn finding_of<'a>(job: &Job<'a>, capsule: &Capsule) -> Option<&'a Finding> {
    let by = |test: &dyn Fn(&&Finding) -> bool| job.findings.iter().find(|f| test(f));
    by(&|f| f.fingerprint.0.hex() == capsule.fingerprint)
        .or_else(|| by(&|f| f.weakness.0 == capsule.weakness))
}

/// Looks around on one instance of the base and writes the script.
pub(crate) fn scout(
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
    let mut late = Vec::new();
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
        late.extend(twins(
            job,
            at,
            capsule,
            who,
            &harvest,
            &mut eye,
            &mut script,
        ));
    }
    script.early = script.probes.len();
    routes(job, &harvest, &attacked, door.as_ref(), &mut script);
    script.late = script.probes.len();
    script.probes.append(&mut late);
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

/// Adds the twins of one capsule. What is given back goes last: where the base fails at a value and a repair
/// does not, the repair may leave something behind that other pages then show.
fn twins(
    job: &Job<'_>,
    at: usize,
    capsule: &Capsule,
    who: Who,
    harvest: &Harvest,
    eye: &mut Eye<'_>,
    script: &mut Script,
) -> Vec<Probe> {
    let mut late = Vec::new();
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
        return late;
    };
    let Some(entry) = &finding.entry else {
        return late;
    };
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
            && without_values(&shot, &[phrase])
                != without_values(&nonsense, &[&nonsense.fresh.token, phrase]);
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
            let parts = [
                Part::Plain(value.clone()),
                Part::Letter(format!("{head}z{tail}")),
                Part::Quote(format!("{head}'{tail}")),
            ];
            let plans: Option<Vec<Plan>> = parts
                .iter()
                .map(|part| with_value(eye.plan, part.value()))
                .collect();
            for (part, plan) in parts.into_iter().zip(plans.unwrap_or_default()) {
                let about = About::Quote(part);
                late.push(Probe { about, plan, who });
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
            let Some(plan) = with_value(eye.plan, &value) else {
                continue;
            };
            if origin == Origin::Special {
                let about = About::Twin {
                    capsule: at,
                    origin,
                    value,
                };
                late.push(Probe { about, plan, who });
            } else {
                add(origin, &value, plan, script);
            }
        }
    }
    // A form as a visitor sends it, with every field that it has, and other choices where it offers some.
    for (page, form) in &harvest.forms {
        let action = if form.action.is_empty() {
            page
        } else {
            &form.action
        };
        if form.method == "GET"
            || !answers(entry, &form.method)
            || match_route(entry, action).is_none()
        {
            continue;
        }
        for (at, form) in choices(form).iter().enumerate() {
            if let Some(plan) = form_plan(page, form, who, None) {
                add(
                    Origin::Pages,
                    &format!("the form, choice {}", at + 1),
                    plan,
                    script,
                );
            }
        }
    }
    if family == Some(Family::Path) {
        planted(eye, &nonsense, &found, script, &add);
    }
    late
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

/// The form as it stands, then with each of its lists set to other values on offer.
fn choices(form: &Form) -> Vec<Form> {
    let mut out = vec![form.clone()];
    for (at, field) in form.fields.iter().enumerate() {
        for option in field
            .options
            .iter()
            .filter(|o| **o != field.value)
            .take(MAX_KEPT)
        {
            let mut other = form.clone();
            other.fields[at].value.clone_from(option);
            out.push(other);
        }
    }
    out.truncate(2 * MAX_KEPT);
    out
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
