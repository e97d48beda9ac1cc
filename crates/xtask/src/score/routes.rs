//! Entry points against the routes that frameworks themselves list at run time.
//!
//! The framework of each application is asked in an environment of its own; what it lists of its own (pages of an
//! administration, static files) is counted apart. Applications run as they are, so only their import is risked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::targets::{copy_tree, note};
use crate::figures::{Figures, Place, rounded};
use crate::program::{items, json, released, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apps {
    app: Vec<App>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    name: String,
    corpus: String,
    folder: Option<String>,
    framework: String,
    from: String,
    packages: Vec<String>,
    #[serde(default)]
    alone: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

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
    let apps: Apps = toml::from_str(include_str!("../../routes.toml"))
        .map_err(|error| format!("`crates/xtask/routes.toml`: {error}"))?;
    let mut present = Vec::new();
    let mut missing = Vec::new();
    for app in &apps.app {
        match place.corpus(&app.corpus) {
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
        let tally = tally(&listed, items(&report, "/entry_points"));
        for line in &tally.notes {
            note(&format!("{}: {line}", app.name));
        }
        apps += 1;
        found += tally.found;
        own += tally.own;
        library += tally.library;
        unlisted += tally.unlisted;
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

fn tally(listed: &[Listed], entries: &[Value]) -> Tally {
    let mut tally = Tally::default();
    let mut have: BTreeMap<String, Vec<BTreeSet<&str>>> = BTreeMap::new();
    for entry in entries {
        let methods = items(entry, "/entry/methods");
        let methods = methods.iter().filter_map(Value::as_str).collect();
        let route = bare(text(entry, "/entry/route"));
        have.entry(route).or_default().push(methods);
    }
    let mut known = BTreeSet::new();
    for one in listed {
        let route = bare(&one.route);
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
    let python = environment(place, app)?;
    let copy = place.scratch.join(&app.name);
    copy_tree(corpus, &copy, &|path| !path.ends_with(".git"))?;
    let script = place.scratch.join("list.py");
    fs::write(&script, include_str!("routes/list.py"))
        .map_err(|error| format!("cannot write the script that lists: {error}"))?;
    let folder = copy.join(app.folder.as_deref().unwrap_or("."));
    // One that serves when it is imported, in a way that the script does not know, must not keep the score waiting.
    let output = Command::new("timeout")
        .arg("120")
        .arg(&python)
        .arg(&script)
        .args([&app.framework, &app.from])
        .arg(&copy)
        .current_dir(&folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &place.scratch)
        .envs(&app.env)
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", python.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.trim().lines().last().unwrap_or("it said nothing");
        return Err(format!("its framework could not be asked: {last}"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("what it listed: {error}"))
}

/// A Python with the application's packages, made anew when they change.
fn environment(place: &Place, app: &App) -> Result<PathBuf, String> {
    let venv = place.root.join("target/tools/routes").join(&app.name);
    let python = venv.join("bin/python");
    let wanted = format!("{}\n{}", app.packages.join("\n"), app.alone.join("\n"));
    if fs::read_to_string(venv.join("ready")).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    done(&mut make, "make an environment")?;
    let install = |packages: &[String], more: &[&str]| {
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet"]);
        install.args(more).args(packages);
        done(&mut install, "install its packages")
    };
    install(&app.packages, &[])?;
    if !app.alone.is_empty() {
        install(&app.alone, &["--no-deps"])?;
    }
    fs::write(venv.join("ready"), wanted)
        .map_err(|error| format!("cannot write below `{}`: {error}", venv.display()))?;
    Ok(python)
}

fn done(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot {what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.trim().lines().last().unwrap_or("it said nothing");
    Err(format!("cannot {what}: {last}"))
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
        let tally = tally(&all, &entries);
        assert_eq!((tally.found, tally.own, tally.library), (2, 3, 1));
        assert_eq!(tally.unlisted, 1);
        assert_eq!(tally.notes, ["not found: POST /a/{id}", "not listed: /c"]);
    }

    #[test]
    fn the_table_of_applications_is_read() {
        let apps: Apps = toml::from_str(include_str!("../../routes.toml")).expect("a table");
        assert!(apps.app.len() > 4);
    }
}
