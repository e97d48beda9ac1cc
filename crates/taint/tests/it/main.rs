//! Pages of small programs and what is said about them, and the models' own pages.

mod bundle;
mod definition;
mod stability;
mod standing;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use solvent_base::{FilePath, Interner};
use solvent_finding::{Finding, NoPathReason, Part, Stop, Verdict};
use solvent_ir::Language;
use solvent_models::ModelSet;
use solvent_taint::{Limits, Reach};
use solvent_testkit::{Case, PinKind};

/// Scans files given as path and text.
pub fn scan(files: &BTreeMap<String, String>) -> Reach {
    let names = Interner::new();
    let mut settings = Vec::new();
    let mut units = Vec::new();
    let code: Vec<_> = files
        .keys()
        .filter_map(|path| solvent_lang::language_of(&FilePath::new(path)?))
        .collect();
    let python = code.contains(&Language::Python);
    let javascript = code.contains(&Language::JavaScript);
    for (path, text) in files {
        let Some(path) = FilePath::new(path) else {
            continue;
        };
        let bytes = text.as_bytes();
        if solvent_lang::settings::is_settings(&path) {
            settings.extend(solvent_lang::settings::settings(&path, bytes));
        } else if solvent_lang::is_description(&path, bytes) {
            units.push(solvent_lang::lower_description(&path, bytes, &names));
        } else if let Some(language) =
            solvent_lang::view::language_in(&path, bytes, python, javascript)
        {
            units.push(solvent_lang::view::lower(&path, bytes, &names, language));
        } else {
            units.push(solvent_lang::lower(&path, bytes, &names));
        }
    }
    let text = |path: &FilePath| files.get(path.as_str()).cloned();
    solvent_graph::by_language(units)
        .into_iter()
        .map(|(language, units)| {
            let models = ModelSet::of(language);
            let mut graph = solvent_graph::build_beside(units, &settings, models, &names);
            solvent_taint::reach(&mut graph, models, &names, &text, &Limits::STANDARD)
        })
        .reduce(Reach::and)
        .unwrap_or_default()
}

fn files_of(case: &Case) -> BTreeMap<String, String> {
    let named = |language: &'static str, unnamed: &'static str| {
        case.files(language).map(move |b| {
            let path = b.path.clone().unwrap_or_else(|| unnamed.to_owned());
            (path, b.text.clone())
        })
    };
    named("python", "app.py")
        .chain(named("javascript", "app.js"))
        .chain(named("typescript", "app.ts"))
        .chain(named("go", "main.go"))
        .chain(named("java", "App.java"))
        .chain(named("properties", "app.properties"))
        .chain(named("xml", "mapper/App.xml"))
        .chain(named("yaml", "api.yaml"))
        .chain(named("html", "views/page.html"))
        .chain(named("ejs", "views/page.ejs"))
        .chain(named("pug", "views/page.pug"))
        .chain(named("handlebars", "views/page.hbs"))
        .chain(named("nunjucks", "views/page.njk"))
        .collect()
}

pub fn reason(reason: &NoPathReason) -> String {
    match reason {
        NoPathReason::NoCaller { function } => format!("no caller of {}", function.qualname),
        NoPathReason::DeadCaller { caller, .. } => format!("dead caller {}", caller.qualname),
        NoPathReason::DeadBranch { condition, .. } => format!("dead branch `{condition}`"),
        NoPathReason::Sanitized { by, location } => {
            format!("sanitized by {by} in line {}", location.line)
        }
        NoPathReason::Guarded { by, location } => {
            format!("guarded by {by} in line {}", location.line)
        }
        NoPathReason::NotFromInput => "not from input".to_owned(),
        NoPathReason::NeverPassed { what, .. } => format!("never passed `{what}`"),
        NoPathReason::NeverRun { function, .. } => format!("never run `{}`", function.qualname),
        NoPathReason::Position { what } => format!("position: {what}"),
    }
}

fn stop(stop: &Stop) -> String {
    match stop {
        Stop::DynamicBoundary { what, location }
        | Stop::UnknownArgument { what, location }
        | Stop::NoCheckSeen { what, location } => {
            format!("{what} in line {}", location.line)
        }
        Stop::Limit { what } | Stop::Unreadable { path: what } => what.clone(),
        Stop::Stored { input } => format!("{input} is kept for code that starts with the program"),
        Stop::NoSourceModel { framework } => format!("no source of {framework} is modelled"),
    }
}

fn line(finding: &Finding) -> String {
    let mut out = format!(
        "{}:{} {} {}",
        finding.sink.location.path,
        finding.sink.location.line,
        finding.verdict.word(),
        finding.sink.kind.0
    );
    if let Some(entry) = &finding.entry {
        let _ = write!(out, ", {}", entry.label());
        if !entry.auth.is_empty() {
            let _ = write!(out, " behind {}", entry.auth.join(", "));
        }
    }
    match &finding.verdict {
        Verdict::Reachable { assumed } => {
            if !finding.way.is_empty() {
                let _ = write!(out, "\n    {}", finding.title);
            }
            for step in &finding.way {
                let _ = write!(out, "\n        {}: {}", step.location.line, step.what);
            }
            for flow in &finding.flows {
                let template: String = flow
                    .template
                    .parts
                    .iter()
                    .map(|p| match p {
                        Part::Literal(text) => text.replace('\0', " \\0 "),
                        Part::Input => "<input>".to_owned(),
                        Part::Other => "<other>".to_owned(),
                    })
                    .collect();
                let _ = write!(
                    out,
                    "\n    {:?} {:?}: {template}",
                    flow.input.carrier, flow.input.name
                );
                for transform in &flow.transforms {
                    let _ = write!(out, "\n        {transform:?}");
                }
                for c in &flow.conditions {
                    let _ = write!(
                        out,
                        "\n        if {:?} {:?} {:?} {:?}",
                        c.input.carrier, c.input.name, c.comparison, c.value
                    );
                }
            }
            for one in assumed {
                let words = match one {
                    solvent_finding::Assumption::NameOnlyCall { name, .. } => {
                        format!("`{name}` is called by name only")
                    }
                    solvent_finding::Assumption::Registration { what } => what.clone(),
                    solvent_finding::Assumption::Widened { .. } => "widened".to_owned(),
                    solvent_finding::Assumption::Handed { to, .. } => format!("handed to {to}"),
                    solvent_finding::Assumption::UnmodelledCall { name, .. } => {
                        format!("`{name}` has no model")
                    }
                };
                let _ = write!(out, "\n    assumed: {words}");
            }
        }
        Verdict::NoPath { reasons } => {
            for one in reasons {
                let _ = write!(out, "\n    {}", reason(one));
            }
        }
        Verdict::Undecided { stops } => {
            for one in stops {
                let _ = write!(out, "\n    {}", stop(one));
            }
        }
    }
    out
}

fn root() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/python"
    ))
}

#[test]
fn small_programs_get_their_verdicts() {
    verdicts("python");
}

#[test]
fn small_programs_in_javascript_get_their_verdicts() {
    verdicts("javascript");
}

#[test]
fn small_programs_in_go_get_their_verdicts() {
    verdicts("go");
}

#[test]
fn small_programs_in_java_get_their_verdicts() {
    verdicts("java");
}

fn verdicts(language: &str) {
    let folder = root().with_file_name(language).join("flows");
    solvent_testkit::run(&folder, "flow", |case| {
        let reach = scan(&files_of(case));
        let lines: Vec<String> = reach.findings.iter().map(line).collect();
        if lines.is_empty() {
            "nothing".to_owned()
        } else {
            lines.join("\n")
        }
    });
}

/// Facts of the models' pages: the kind of each sink that input reaches, on its line.
#[test]
fn models_mean_what_their_pages_say() {
    let folder = root().join("models");
    let mut failures = String::new();
    let mut pins = 0;
    let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
        Ok(read) => read.filter_map(|e| Some(e.ok()?.path())).collect(),
        Err(error) => panic!("{error}"),
    };
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let page = match solvent_testkit::parse(&name, &text) {
            Ok(page) => page,
            Err(error) => panic!("{error}"),
        };
        for case in &page.cases {
            let files = files_of(case);
            let reach = scan(&files);
            for block in case.files("python") {
                let path = block.path.clone().unwrap_or_else(|| "app.py".to_owned());
                let mut found: Vec<(u32, String)> = reach
                    .findings
                    .iter()
                    .filter(|f| matches!(f.verdict, Verdict::Reachable { .. }))
                    .filter(|f| f.sink.location.path.as_str() == path)
                    .map(|f| (f.sink.location.line, f.sink.kind.0.clone()))
                    .collect();
                found.sort();
                found.dedup();
                for pin in block.pins() {
                    pins += 1;
                    let at = found
                        .iter()
                        .position(|f| *f == (pin.line, pin.fact.clone()));
                    let there = at.is_some();
                    if let Some(at) = at {
                        found.remove(at);
                    }
                    let page_line = block.line + pin.line - 1;
                    match (pin.kind, there) {
                        (PinKind::Expect, false) => {
                            let _ = writeln!(
                                failures,
                                "{name}:{page_line}: `{}` is not found",
                                pin.fact
                            );
                        }
                        (PinKind::Missing, true) => {
                            let _ = writeln!(
                                failures,
                                "{name}:{page_line}: `{}` is found now: pin it as expected",
                                pin.fact
                            );
                        }
                        (PinKind::Spurious, false) => {
                            let _ = writeln!(
                                failures,
                                "{name}:{page_line}: `{}` is gone: drop the pin",
                                pin.fact
                            );
                        }
                        _ => {}
                    }
                }
                for (line, kind) in found {
                    let page_line = block.line + line - 1;
                    let _ = writeln!(
                        failures,
                        "{name}:{page_line}: `{kind}` is found but not expected"
                    );
                }
            }
        }
    }
    assert!(pins > 50, "only {pins} pins");
    assert!(failures.is_empty(), "{failures}");
}
