//! Harmless values and requests from the base application's own pages: what its links, forms and texts offer
//! a visitor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use solvent_finding::{Carrier, EntryPoint, Input, RouteSegment};
use solvent_protocol::capsule::{Encode, Raw, Step};

use crate::exec::{Plan, Plant, Session, Shot, Variant, fire};
use crate::html::{self, Form};
use crate::login::Door;
use crate::target::Running;

/// Pages that are looked at, each once for nobody and once for the login.
const MAX_PAGES: usize = 60;
/// Links and forms that are kept.
const MAX_KEPT: usize = 120;
/// Queries that are followed for one path.
const MAX_VARIANTS: usize = 6;
/// Answers to `HTML` pages above this are not searched for links.
const MAX_PAGE: usize = 1 << 20;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Nobody,
    /// The identity of the recipe's login.
    Identity,
}

/// What the pages offer.
#[derive(Default, Debug)]
pub(crate) struct Harvest {
    /// Path and query of every page seen, in the order found.
    pub targets: Vec<String>,
    /// Forms with the page that they stand on.
    pub forms: Vec<(String, Form)>,
    /// Texts, in the order found.
    pub phrases: Vec<String>,
}

/// Walks the application as a visitor: first the given targets, then what their pages link to.
pub(crate) fn walk(
    running: &mut Running,
    first: &[String],
    sessions: &[(Session, Who)],
    door: Option<&Door>,
    timeout: Duration,
) -> Harvest {
    let mut harvest = Harvest::default();
    let mut waiting: VecDeque<String> = first.iter().cloned().collect();
    let mut known: BTreeSet<String> = first.iter().cloned().collect();
    let mut pages = 0;
    let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
    let mut variants: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(target) = waiting.pop_front() {
        if pages >= MAX_PAGES {
            break;
        }
        pages += 1;
        let mut seen = false;
        for (session, who) in sessions {
            let plan = quiet(get(&target, *who, door));
            let shot = shoot(running, &plan, session, timeout);
            let Some(answer) = shot.last().filter(|answer| answer.status < 400) else {
                continue;
            };
            seen = true;
            if answer.body.len() > MAX_PAGE {
                continue;
            }
            let page = String::from_utf8_lossy(&answer.body);
            for phrase in html::phrases(&page) {
                if harvest.phrases.len() < 400 && !harvest.phrases.contains(&phrase) {
                    harvest.phrases.push(phrase);
                }
            }
            for form in html::forms(&page) {
                if harvest.forms.len() < MAX_KEPT
                    && !harvest
                        .forms
                        .iter()
                        .any(|(known, other)| alike((known, other), (&target, &form)))
                {
                    harvest.forms.push((target.clone(), form));
                }
            }
            let moved = answer
                .header("location")
                .map(|place| String::from_utf8_lossy(place).into_owned());
            for link in html::links(&page).into_iter().chain(moved) {
                if let Some(link) = local(&link, &target, &running.host())
                    && known.len() < 2000
                    && known.insert(link.clone())
                    && variants.entry(path(&link)).or_default().len() < MAX_VARIANTS
                {
                    variants.entry(path(&link)).or_default().push(link.clone());
                    waiting.push_back(link);
                }
            }
        }
        if seen && harvest.targets.len() < MAX_KEPT {
            harvest.targets.push(target);
        }
    }
    harvest
}

/// Whether two forms do the same: where they go, and which fields they have.
fn alike(a: (&str, &Form), b: (&str, &Form)) -> bool {
    let place = |(page, form): (&str, &Form)| {
        let action = if form.action.is_empty() {
            page
        } else {
            form.action.as_str()
        };
        action.split('?').next().unwrap_or_default().to_owned()
    };
    let names = |form: &Form| -> Vec<String> {
        form.fields.iter().map(|field| field.name.clone()).collect()
    };
    a.1.method == b.1.method && place(a) == place(b) && names(a.1) == names(b.1)
}

/// The path and query that a link on `page` leads to, when it stays on this site.
pub(crate) fn local(link: &str, page: &str, host: &str) -> Option<String> {
    let link = link.split('#').next().unwrap_or_default();
    if link.len() > 500 || link.chars().any(|c| c.is_control()) {
        return None;
    }
    let page_path = page.split('?').next().unwrap_or("/");
    let own = [format!("http://{host}"), format!("//{host}")];
    let link = own
        .iter()
        .find_map(|prefix| link.strip_prefix(prefix.as_str()))
        .map_or(link, |rest| if rest.is_empty() { "/" } else { rest });
    if link.is_empty() {
        return None;
    }
    let target = if link.starts_with("//") {
        return None;
    } else if link.starts_with('/') {
        link.to_owned()
    } else if link.starts_with('?') {
        format!("{page_path}{link}")
    } else if link
        .split(['/', '?'])
        .next()
        .is_some_and(|head| head.contains(':'))
    {
        return None;
    } else {
        let folder = page_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{link}")
    };
    Some(
        target
            .replace(' ', "%20")
            .chars()
            .filter(char::is_ascii)
            .collect(),
    )
}

/// A `GET` as a step.
pub(crate) fn get(target: &str, who: Who, door: Option<&Door>) -> Step {
    request("GET", target, None, who, door)
}

/// A request without payload as a step; `body` is an encoded form or JSON by its type.
pub(crate) fn request(
    method: &str,
    target: &str,
    body: Option<(&str, String)>,
    who: Who,
    door: Option<&Door>,
) -> Step {
    // A brace would be read as a placeholder.
    let target = target.replace("{{", "%7B%7B");
    let mut headers = vec![
        (Raw::text("Host"), Raw::text("{{host}}")),
        (Raw::text("Connection"), Raw::text("close")),
    ];
    if who == Who::Identity {
        headers.push((Raw::text("Cookie"), Raw::text("{{session_cookies}}")));
        if let Some((name, value)) = door.and_then(|door| door.token_header.clone()) {
            headers.push((Raw::text(name), Raw::text(value)));
        }
    }
    let mut text = String::new();
    if let Some((kind, body)) = body {
        headers.push((Raw::text("Content-Type"), Raw::text(kind)));
        text = body;
    }
    Step {
        method: method.to_owned(),
        target: Raw::text(target),
        headers,
        body: Raw::text(text),
        captures: Vec::new(),
    }
}

/// A plan that plants nothing and carries nothing.
pub(crate) fn quiet(step: Step) -> Plan {
    quiet_steps(vec![step])
}

pub(crate) fn quiet_steps(steps: Vec<Step>) -> Plan {
    Plan {
        login: None,
        steps,
        payloads: solvent_protocol::capsule::Payloads {
            twin: Vec::new(),
            attack: Vec::new(),
            zero: Vec::new(),
        },
        oracle: nothing(),
    }
}

/// An oracle that plants nothing.
pub(crate) fn nothing() -> solvent_protocol::capsule::Oracle {
    solvent_protocol::capsule::Oracle::SqlStructure {
        dialect: "sqlite".to_owned(),
        fragment: String::new(),
    }
}

pub(crate) fn shoot(
    running: &mut Running,
    plan: &Plan,
    session: &Session,
    timeout: Duration,
) -> Shot {
    fire(
        running,
        plan,
        Variant::Twin,
        Plant::Absent,
        session,
        timeout,
    )
}

/// The path of an entry point with every parameter filled by `value`.
pub(crate) fn path_of(entry: &EntryPoint, value: &dyn Fn(&str, &str) -> String) -> String {
    let mut out = String::new();
    for segment in &entry.segments {
        match segment {
            RouteSegment::Literal(text) => out.push_str(text),
            RouteSegment::Param { name, converter } => {
                let text = value(name, converter);
                out.push_str(&String::from_utf8_lossy(
                    &Encode::Percent.apply(text.as_bytes()),
                ));
            }
        }
    }
    if out.starts_with('/') {
        out
    } else {
        format!("/{out}")
    }
}

/// The values of the route's parameters in a path, when the path is one of this route.
pub(crate) fn match_route(entry: &EntryPoint, target: &str) -> Option<BTreeMap<String, String>> {
    let path = target.split('?').next().unwrap_or_default();
    let mut values = BTreeMap::new();
    let mut rest = path;
    let mut segments = entry.segments.iter().peekable();
    while let Some(segment) = segments.next() {
        match segment {
            RouteSegment::Literal(text) => rest = rest.strip_prefix(text.as_str())?,
            RouteSegment::Param { name, converter } => {
                let end = match segments.peek() {
                    Some(RouteSegment::Literal(next)) => rest.find(next.as_str())?,
                    _ => rest.len(),
                };
                let (value, after) = rest.split_at(end);
                let fits = !value.is_empty()
                    && (converter == "path" || !value.contains('/'))
                    && (converter != "int" || value.bytes().all(|b| b.is_ascii_digit()));
                if !fits {
                    return None;
                }
                values.insert(name.clone(), percent_decoded(value));
                rest = after;
            }
        }
    }
    (rest.is_empty() && !entry.segments.is_empty()).then_some(values)
}

/// Name and value pairs of a query or form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(200)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| percent_decoded(&text.replace('+', " "));
            (plain(name), plain(value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Values that the application's links and forms offer for an input of this route.
pub(crate) fn offered(harvest: &Harvest, entry: &EntryPoint, input: &Input) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |value: &str| {
        if !value.is_empty() && value.len() <= 100 && !out.iter().any(|known| known == value) {
            out.push(value.to_owned());
        }
    };
    for target in &harvest.targets {
        let Some(values) = match_route(entry, target) else {
            continue;
        };
        match input.carrier {
            Carrier::PathSegment => {
                if let Some(value) = values.get(&input.name) {
                    add(value);
                }
            }
            Carrier::Query => {
                let query = target.split_once('?').map_or("", |(_, query)| query);
                for (name, value) in pairs(query) {
                    if name == input.name {
                        add(&value);
                    }
                }
            }
            _ => {}
        }
    }
    for (page, form) in &harvest.forms {
        let action = if form.action.is_empty() {
            page
        } else {
            &form.action
        };
        if match_route(entry, action).is_none() {
            continue;
        }
        for field in form.fields.iter().filter(|field| field.name == input.name) {
            add(&field.value);
            for option in &field.options {
                add(option);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_leave_the_site_are_not_followed() {
        let go = |link: &str| local(link, "/a/b?x=1", "127.0.0.1:8000");
        assert_eq!(go("/c").as_deref(), Some("/c"));
        assert_eq!(go("c").as_deref(), Some("/a/c"));
        assert_eq!(go("?y=2#z").as_deref(), Some("/a/b?y=2"));
        assert_eq!(go("http://127.0.0.1:8000/d").as_deref(), Some("/d"));
        for outside in [
            "http://example.org/",
            "//example.org/",
            "mailto:a@b",
            "javascript:x()",
            "#top",
        ] {
            assert_eq!(go(outside), None, "{outside}");
        }
    }

    #[test]
    fn pairs_are_decoded_and_broken_escapes_stay() {
        assert_eq!(
            pairs("q=copper+kettle%21&x=%zz"),
            [
                ("q".to_owned(), "copper kettle!".to_owned()),
                ("x".to_owned(), "%zz".to_owned())
            ]
        );
    }
}
