//! Deployment files joined with what was found in the code: exposure, calls between services, flows across them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use solvent_base::{FileEntry, FilePath, ReadError, System};
use solvent_deploy::cross::{self, Call};
use solvent_deploy::expose::{self, Exposed, Reach};
use solvent_deploy::route::Pattern;
use solvent_deploy::{Bound, Deployment, Mark, Tree, bind};
use solvent_finding::{EntryPoint, Finding, Sent};
use solvent_graph::Environment;
use solvent_protocol::view::{ExposureView, Place, ReasonView};

/// Settings that are named for one finding.
const MAX_SETTINGS: usize = 4;

/// Services, and how the entry points of one scan are reached.
pub struct Joined {
    pub deployment: Deployment,
    pub bound: Bound,
    /// In the order of the entry points.
    pub exposed: Vec<Exposed>,
    pub sent: Vec<Sent>,
    pub calls: Vec<Call>,
}

/// The deployment files below the root.
pub fn read(system: &dyn System, files: &[FileEntry]) -> Deployment {
    let wanted: Vec<&FilePath> = files
        .iter()
        .map(|f| &f.path)
        .filter(|path| solvent_deploy::wanted(path))
        .collect();
    type Text<'p> = Result<(&'p FilePath, String), (&'p FilePath, ReadError)>;
    let texts: Vec<Text<'_>> = wanted
        .into_par_iter()
        .map(
            |path| match system.read(path, solvent_deploy::MAX_FILE_BYTES) {
                Ok(bytes) => Ok((path, String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) => Err((path, error)),
            },
        )
        .collect();
    let mut tree = Tree {
        names: files.iter().map(|f| f.path.clone()).collect(),
        ..Tree::default()
    };
    let mut unread = Vec::new();
    for text in texts {
        match text {
            Ok((path, text)) => {
                tree.texts.insert(path.clone(), text);
            }
            Err((path, error)) => unread.push(crate::scan::read_problem(path, &error)),
        }
    }
    let mut out = solvent_deploy::read(&tree);
    out.problems.extend(unread);
    out
}

/// What the environment of each source file holds, over the services that may run it.
pub fn environment(deployment: &Deployment, sources: &[FilePath]) -> Environment {
    let files: Vec<String> = sources.iter().map(ToString::to_string).collect();
    // Which of them a command starts is not known before they are linked.
    let mut loose = deployment.clone();
    for service in &mut loose.services {
        if let Some(code) = &mut service.code {
            code.start = None;
        }
    }
    let bound = bind::bind(&loose, &files, &BTreeMap::new(), &BTreeSet::new());
    let mut out = BTreeMap::new();
    for path in sources {
        let services = bound.services_of(path.as_str());
        let names: BTreeSet<&String> = services
            .iter()
            .flat_map(|id| deployment.services[*id].settings.keys())
            .collect();
        if names.is_empty() {
            continue;
        }
        let mut known = BTreeMap::new();
        for name in names {
            let values = services
                .iter()
                .map(|id| {
                    deployment.services[*id]
                        .settings
                        .get(name)
                        .and_then(|s| s.value.clone())
                })
                .collect();
            known.insert(name.clone(), values);
        }
        out.insert(path.clone(), known);
    }
    Environment::new(out)
}

/// Settings on which it may rest that nothing leads to a sink of this file: those that are known for sure and that
/// some file of the same services speaks of.
pub fn rests_on(
    joined: &Joined,
    environment: &Environment,
    sink: &str,
    text: &dyn Fn(&FilePath) -> Option<String>,
) -> Vec<ReasonView> {
    let mut out: Vec<ReasonView> = Vec::new();
    let services = joined.bound.services_of(sink);
    for path in environment.files() {
        let other = joined.bound.services_of(path.as_str());
        if path.as_str() != sink && !services.iter().any(|id| other.contains(id)) {
            continue;
        }
        let known = environment.sure(path);
        if known.is_empty() {
            continue;
        }
        let Some(text) = text(path) else { continue };
        for name in known.into_iter().filter(|name| text.contains(name)) {
            let mut setting = other
                .iter()
                .filter_map(|id| joined.deployment.services[*id].settings.get(name));
            let Some(setting) = setting.next() else {
                continue;
            };
            let reason = ReasonView {
                code: "setting".to_owned(),
                text: format!("as long as the setting `{name}` is what is said here"),
                place: Some(place(&setting.place)),
            };
            if !out.contains(&reason) && out.len() < MAX_SETTINGS {
                out.push(reason);
            }
        }
    }
    out
}

/// Joins; the second is what flows from one service to another add to the findings.
pub fn join(
    deployment: Deployment,
    sources: &[FilePath],
    imports: &BTreeMap<String, Vec<String>>,
    entries: &[EntryPoint],
    sent: Vec<Sent>,
    findings: &[Finding],
) -> (Joined, Vec<Finding>) {
    let files: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let handlers = entries
        .iter()
        .map(|e| e.location.path.to_string())
        .collect();
    let bound = bind::bind(&deployment, &files, imports, &handlers);
    let exposed = entries
        .iter()
        .map(|entry| {
            let route = Pattern::of(&entry.route, &entry.segments);
            expose::exposed(&deployment, &bound, entry.location.path.as_str(), &route)
        })
        .collect();
    let calls = cross::calls(&deployment, &bound, &sent, entries);
    let crossing = cross::crossing(&deployment, &calls, &sent, entries, findings);
    let joined = Joined {
        deployment,
        bound,
        exposed,
        sent,
        calls,
    };
    (joined, crossing)
}

impl Joined {
    /// Whether deployment files say anything: packages alone do not.
    pub fn says(&self) -> bool {
        let apart =
            |s: &solvent_deploy::Service| s.sort != solvent_deploy::service::Sort::Application;
        self.deployment.services.iter().any(apart)
    }

    pub fn reach_of(&self, entries: &[EntryPoint], entry: &EntryPoint) -> Reach {
        let at = entries.iter().position(|e| {
            e.handler == entry.handler && e.route == entry.route && e.location == entry.location
        });
        at.and_then(|at| self.exposed.get(at))
            .map_or(Reach::Unknown, |e| e.reach)
    }

    /// The exposure of the entry point of that index.
    pub fn view(&self, at: usize) -> Option<ExposureView> {
        let exposed = self.exposed.get(at)?;
        let mut out = self.of(exposed);
        for call in self.calls.iter().filter(|call| call.entry == Some(at)) {
            let from = &self.deployment.services[call.from].name;
            let caller = match &self.sent[call.sent].entry {
                Some(entry) => format!("{from}: {}", entry.label()),
                None => format!("{from}: when it starts"),
            };
            if !out.callers.contains(&caller) {
                out.callers.push(caller);
            }
        }
        Some(out)
    }

    pub fn of(&self, exposed: &Exposed) -> ExposureView {
        let mut services: Vec<String> = exposed
            .services
            .iter()
            .map(|id| self.deployment.services[*id].name.clone())
            .collect();
        services.dedup();
        ExposureView {
            reach: exposed.reach.word().to_owned(),
            why: exposed.why.clone(),
            place: exposed.place.as_ref().map(place),
            services,
            callers: Vec::new(),
        }
    }
}

pub fn place(mark: &Mark) -> Place {
    Place {
        path: mark.path.to_string(),
        line: mark.line,
        column: 1,
    }
}
