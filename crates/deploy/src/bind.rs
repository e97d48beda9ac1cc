//! Which service runs which file.

use std::collections::{BTreeMap, BTreeSet};

use crate::service::Deployment;
use crate::tree::below;

/// Services by the files that they run.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    by_file: BTreeMap<String, Vec<usize>>,
}

impl Bound {
    pub fn services_of(&self, file: &str) -> Vec<usize> {
        self.by_file.get(file).cloned().unwrap_or_default()
    }

    /// Files of a service, in order.
    pub fn files_of(&self, service: usize) -> impl Iterator<Item = &str> {
        self.by_file
            .iter()
            .filter(move |(_, services)| services.contains(&service))
            .map(|(file, _)| file.as_str())
    }
}

/// Binds files: where a command says what is started, that file and what it imports; else what lies in the
/// service's folders. A file in the folders of several services of one deployment belongs to the nearest.
///
/// `imports` gives the files of the tree that a file imports, `handlers` the files with entry points: what is
/// started and reaches none of them although its folders have some loads them by name, as Django does.
pub fn bind(
    deployment: &Deployment,
    files: &[String],
    imports: &BTreeMap<String, Vec<String>>,
    handlers: &BTreeSet<String>,
) -> Bound {
    let known: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut out = Bound::default();
    for (id, service) in deployment.services.iter().enumerate() {
        let Some(code) = &service.code else { continue };
        let start = code.start.as_deref().filter(|start| known.contains(start));
        let around = || -> BTreeSet<&str> {
            let nearest = |file: &str| {
                depth(&code.folders, file).is_some_and(|mine| {
                    !deployment.services.iter().any(|other| {
                        let theirs = other.code.as_ref().and_then(|c| depth(&c.folders, file));
                        other.deployment == service.deployment && theirs.is_some_and(|t| t > mine)
                    })
                })
            };
            known.iter().copied().filter(|file| nearest(file)).collect()
        };
        let own: BTreeSet<&str> = match start {
            Some(start) => {
                let own = closure(start, imports, &known);
                let any = |files: &BTreeSet<&str>| files.iter().any(|f| handlers.contains(*f));
                if any(&own) || loads_nothing_by_name(start) {
                    own
                } else {
                    let around = around();
                    if any(&around) { around } else { own }
                }
            }
            None => around(),
        };
        for file in own {
            out.by_file.entry(file.to_owned()).or_default().push(id);
        }
    }
    out
}

/// In JavaScript modules name what they load, Python's frameworks load modules that settings name.
fn loads_nothing_by_name(start: &str) -> bool {
    !start.ends_with(".py")
}

/// How deep the folder is that the file lies in.
fn depth(folders: &[String], file: &str) -> Option<usize> {
    folders
        .iter()
        .filter(|folder| below(file, folder))
        .map(|folder| folder.split('/').filter(|part| !part.is_empty()).count())
        .max()
}

fn closure<'f>(
    start: &'f str,
    imports: &'f BTreeMap<String, Vec<String>>,
    known: &BTreeSet<&'f str>,
) -> BTreeSet<&'f str> {
    let mut out: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        let Some(file) = known.get(file).copied() else {
            continue;
        };
        if !out.insert(file) {
            continue;
        }
        open.extend(imports.get(file).into_iter().flatten().map(String::as_str));
        // A package's own code runs before that of its modules.
        let mut folder = file;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folder = parent;
            let package = format!("{folder}/__init__.py");
            if let Some(package) = known.get(package.as_str()) {
                open.push(package);
            }
        }
    }
    out
}
