//! Entry points against the routes that frameworks themselves list at run time.
//!
//! The framework of each application is asked in an environment of its own; what it lists of its own (pages of an
//! administration, static files) is counted apart. Applications run as they are, so only their import is risked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::apps::{App, Framework, last_line, script, table};
use super::targets::note;
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};

/// A route as a framework lists it.
#[derive(Deserialize, Debug)]
struct Listed {
    /// `*` where any method, or one that the framework does not know, is answered.
    method: String,
    route: String,
    /// The application's, not the framework's.
    own: bool,
}

pub fn run(place: &Place) -> Result<Figures, String> {
    let apps = table()?;
    let mut present = Vec::new();
    let mut missing = Vec::new();
    for app in &apps {
        if let Some(why) = app.unmeasured_for("routes") {
            note(&format!("unmeasured: {}: {why}", app.name));
            continue;
        }
        match app.corpus(place) {
            Ok(folder) => present.push((app, folder)),
            Err(why) => missing.push(why),
        }
    }
    if present.is_empty() {
        missing.dedup();
        return Err(missing.join("; "));
    }
    for why in missing {
        note(&why);
    }
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    let (mut apps, mut found, mut own, mut library, mut unlisted) = (0, 0, 0, 0, 0);
    let mut last_reason = String::new();
    let mut frameworks: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (app, folder) in present {
        let listed = match listed(place, app, &folder) {
            Ok(listed) => listed,
            Err(why) => {
                last_reason = format!("{}: {why}", app.name);
                note(&format!("unmeasured: {last_reason}"));
                continue;
            }
        };
        let (report, _) = json(&program, &["graph", "--no-git", &folder.to_string_lossy()])?;
        let tally = tally(&listed, items(&report, "/entry_points"), app.framework);
        for line in &tally.notes {
            note(&format!("{}: {line}", app.name));
        }
        apps += 1;
        found += tally.found;
        own += tally.own;
        library += tally.library;
        unlisted += tally.unlisted;
        let of_framework = frameworks.entry(app.framework.word()).or_insert((0, 0));
        of_framework.0 += tally.found;
        of_framework.1 += tally.own;
        for (name, value) in [
            ("found", tally.found),
            ("listed", tally.own),
            ("unlisted", tally.unlisted),
        ] {
            figures.insert(format!("{}_{name}", app.name), value as f64);
        }
    }
    if apps == 0 {
        return Err(last_reason);
    }
    figures.insert("apps".to_owned(), f64::from(apps));
    figures.insert("found".to_owned(), found as f64);
    figures.insert("listed".to_owned(), own as f64);
    figures.insert("listed_of_libraries".to_owned(), library as f64);
    figures.insert("unlisted".to_owned(), unlisted as f64);
    figures.insert(
        "recall".to_owned(),
        rounded(found as f64 / (own as f64).max(1.0)),
    );
    for (name, (found, own)) in frameworks {
        let share = rounded(found as f64 / (own as f64).max(1.0));
        figures.insert(format!("recall_{name}"), share);
    }
    Ok(figures)
}

#[derive(Default)]
struct Tally {
    /// Routes with their methods that the framework lists and the program found.
    found: usize,
    own: usize,
    /// Listed, and a library's.
    library: usize,
    /// Entry points that the framework does not list: other programs of the same repository, or mistakes.
    unlisted: usize,
    notes: Vec<String>,
}

fn tally(listed: &[Listed], entries: &[Value], framework: Framework) -> Tally {
    let bare = |route: &str| {
        let route = bare(route);
        // These answer with and without a slash at the end, and begin patterns without one at the start.
        match framework.is_node() {
            true => format!("/{}", route.trim_matches('/')),
            false => route,
        }
    };
    let mut tally = Tally::default();
    let mut have: BTreeMap<String, Vec<BTreeSet<&str>>> = BTreeMap::new();
    for entry in entries {
        let methods = items(entry, "/entry/methods");
        let methods = methods.iter().filter_map(Value::as_str).collect();
        let route = bare(text(entry, "/entry/route"));
        have.entry(route).or_default().push(methods);
    }
    let mut known = BTreeSet::new();
    let mut told = BTreeSet::new();
    for one in listed {
        let route = bare(&one.route);
        // What stands in front of a route may be listed beside it.
        if !told.insert((&one.method, route.clone())) {
            continue;
        }
        if one.own {
            let answers = have.get(&route).is_some_and(|all| {
                all.iter().any(|methods| {
                    one.method == "*" || methods.is_empty() || methods.contains(one.method.as_str())
                })
            });
            tally.own += 1;
            tally.found += usize::from(answers);
            if !answers {
                tally
                    .notes
                    .push(format!("not found: {} {}", one.method, one.route));
            }
        } else {
            tally.library += 1;
        }
        known.insert(route);
    }
    for (route, all) in &have {
        if !known.contains(route) {
            tally.unlisted += all.len();
            tally.notes.push(format!("not listed: {route}"));
        }
    }
    tally
}

/// The route with its parameters' names alone: `<int:id>` and `{id:int}` are `<id>`.
fn bare(route: &str) -> String {
    let mut out = String::new();
    let mut rest = route;
    while let Some(at) = rest.find(['<', '{']) {
        let close = if rest[at..].starts_with('<') {
            '>'
        } else {
            '}'
        };
        let Some(end) = rest[at..].find(close) else {
            break;
        };
        let inside = &rest[at + 1..at + end];
        let name = match (close, inside.split_once(':')) {
            ('>', Some((_, name))) | ('}', Some((name, _))) => name,
            _ => inside,
        };
        out.push_str(&rest[..at]);
        out.push_str(&format!("<{}>", name.trim()));
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

/// What the framework lists, asked in a copy of the application.
fn listed(place: &Place, app: &App, corpus: &Path) -> Result<Vec<Listed>, String> {
    let ready = app.ready(place, corpus)?;
    let answer = place.scratch.join(format!("{}.routes.json", app.name));
    // One that serves when it is imported, in a way that the script does not know, must not keep the score waiting.
    let mut command = Command::new("timeout");
    command.arg("120").arg(&ready.program).args(&ready.preload);
    match app.framework {
        Framework::Express | Framework::Nest => {
            let preload = script(place, "preload.js", include_str!("apps/preload.js"))?;
            command.arg("--require").arg(preload).arg(&app.from);
        }
        Framework::Next => {
            command.arg(script(place, "next.js", include_str!("apps/next.js"))?);
        }
        _ => {
            command
                .arg(script(place, "list.py", include_str!("apps/list.py"))?)
                .args([app.framework.word(), &app.from])
                .arg(&ready.copy);
        }
    }
    ready.within(place, &mut command);
    let output = command
        .env("ROUTES_TO", &answer)
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", ready.program.display()))?;
    let document = match fs::read(&answer) {
        Ok(document) => document,
        Err(_) if output.status.success() => output.stdout,
        Err(_) => {
            let last = last_line(&output.stderr);
            return Err(format!("its framework could not be asked: {last}"));
        }
    };
    serde_json::from_slice(&document).map_err(|error| format!("what it listed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(method: &str, route: &str, own: bool) -> Listed {
        Listed {
            method: method.to_owned(),
            route: route.to_owned(),
            own,
        }
    }

    #[test]
    fn parameters_are_compared_by_name() {
        assert_eq!(bare("/a/<int:id>/<name>"), "/a/<id>/<name>");
        assert_eq!(bare("/a/{id:int}/{name}"), "/a/<id>/<name>");
        assert_eq!(bare("/a/<open"), "/a/<open");
    }

    #[test]
    fn a_route_counts_with_its_method() {
        let entries: Vec<Value> = serde_json::from_str(
            r#"[{"entry": {"route": "/a/<int:id>", "methods": ["GET"]}},
                {"entry": {"route": "/b", "methods": []}},
                {"entry": {"route": "/c", "methods": ["GET"]}}]"#,
        )
        .expect("entries");
        let all = [
            listed("GET", "/a/{id}", true),
            listed("POST", "/a/{id}", true),
            listed("PUT", "/b", true),
            listed("GET", "/static", false),
        ];
        let tally = tally(&all, &entries, Framework::Flask);
        assert_eq!((tally.found, tally.own, tally.library), (2, 3, 1));
        assert_eq!(tally.unlisted, 1);
        assert_eq!(tally.notes, ["not found: POST /a/{id}", "not listed: /c"]);
    }

    #[test]
    fn a_slash_at_the_end_is_no_other_route_on_node() {
        let entries: Vec<Value> = serde_json::from_str(
            r#"[{"entry": {"route": "/a/", "methods": ["GET"]}},
                {"entry": {"route": "/*", "methods": []}}]"#,
        )
        .expect("entries");
        let all = [listed("GET", "/a", true), listed("*", "*", true)];
        let on = |framework| tally(&all, &entries, framework).found;
        assert_eq!((on(Framework::Express), on(Framework::Flask)), (2, 0));
    }
}
