//! Compose files: services, published ports, settings, and what overrides what.

mod service;

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{FilePath, Problem, ProblemKind};

use crate::service::Deployment;
use crate::text;
use crate::tree::{Mark, Tree, joined, last, parent};
use crate::yaml::{self, Node};

use service::Raw;

/// Files that one `extends` or `include` may lead through.
const MAX_FILES: usize = 16;

/// `compose.yaml`, `docker-compose.prod.yml`: the stem and the part in the middle.
fn named(path: &str) -> Option<(&'static str, &str)> {
    let file = last(path);
    let stem = file
        .strip_suffix(".yml")
        .or_else(|| file.strip_suffix(".yaml"))?;
    for base in ["docker-compose", "compose", "podman-compose"] {
        if let Some(rest) = stem.strip_prefix(base) {
            let middle = rest.strip_prefix(['.', '-', '_']);
            return match (rest.is_empty(), middle) {
                (true, _) => Some((base, "")),
                (false, Some(middle)) => Some((base, middle)),
                (false, None) => None,
            };
        }
    }
    // `local.docker-compose.yml`, `production.compose.yaml`
    stem.ends_with("docker-compose")
        .then_some(("docker-compose", stem))
}

/// Whether a file of any name holds services as compose files do.
fn has_services(path: &FilePath, text: &str) -> bool {
    let is_yaml = matches!(path.extension(), Some("yaml" | "yml"));
    is_yaml
        && text.lines().any(|line| line.trim_end() == "services:")
        && (text.contains("image:") || text.contains("build:") || text.contains("extends:"))
        && !crate::kubernetes::is_manifest(text)
        && !text.contains("{{")
}

pub(crate) fn is_compose(path: &str) -> bool {
    named(path).is_some()
}

/// Reads every compose file of the tree; what overrides another file is read over it.
pub(crate) fn read(tree: &Tree, out: &mut Deployment) {
    let mut files: BTreeMap<&str, Vec<(&FilePath, &str, &str)>> = BTreeMap::new();
    // Under another name: `docker-stack.yml`, `local.yml`.
    let mut others: Vec<&FilePath> = Vec::new();
    for path in tree.texts.keys() {
        if let Some((base, middle)) = named(path.as_str()) {
            files
                .entry(parent(path.as_str()))
                .or_default()
                .push((path, base, middle));
        } else if has_services(path, &tree.texts[path]) {
            others.push(path);
        }
    }
    // Who includes whom.
    let mut included: BTreeMap<String, String> = BTreeMap::new();
    let mut found: Vec<(String, File)> = Vec::new();
    for (folder, list) in files {
        // As the compose specification orders them.
        let base = ["compose", "docker-compose", "podman-compose"]
            .iter()
            .find_map(|base| {
                let mut fits = list
                    .iter()
                    .filter(|(_, b, middle)| b == base && middle.is_empty());
                fits.find(|(path, ..)| path.as_str().ends_with(".yaml"))
                    .or_else(|| {
                        list.iter()
                            .find(|(_, b, middle)| b == base && middle.is_empty())
                    })
            });
        let mut whole = None;
        if let Some((path, stem, _)) = base {
            let plain = file(tree, path, folder, out, &mut included);
            let mut merged = plain.clone();
            for (path, b, middle) in &list {
                if b == stem && *middle == "override" {
                    merged.over(file(tree, path, folder, out, &mut included));
                }
            }
            whole = Some((path.to_string(), plain));
            found.push((path.to_string(), merged));
        }
        for (path, _, middle) in &list {
            if middle.is_empty() || *middle == "override" {
                continue;
            }
            let own = file(tree, path, folder, out, &mut included);
            let stands_alone = own.services.values().all(Raw::is_whole);
            match &whole {
                Some((_, plain)) if !stands_alone => {
                    let mut merged = plain.clone();
                    merged.over(own);
                    found.push((path.to_string(), merged));
                }
                _ => found.push((path.to_string(), own)),
            }
        }
    }
    for path in others {
        let own = file(tree, path, parent(path.as_str()), out, &mut included);
        if own.services.values().any(Raw::is_whole) {
            found.push((path.to_string(), own));
        }
    }
    for (name, file) in found {
        if is_part(&name, &included) {
            continue;
        }
        service::finish(tree, &name, file, out);
    }
}

/// Whether a file is read as part of another one; of a circle none is.
fn is_part(name: &str, included: &BTreeMap<String, String>) -> bool {
    let mut at = name;
    for _ in 0..MAX_FILES {
        match included.get(at) {
            Some(by) => at = by,
            None => return at != name,
        }
    }
    false
}

/// One file, or several merged.
#[derive(Clone, Default, Debug)]
pub(crate) struct File {
    services: BTreeMap<String, Raw>,
    /// Networks that other deployments are on too.
    outside_networks: BTreeSet<String>,
    /// Networks without a way out or in.
    inner_networks: BTreeSet<String>,
    /// Top-level `configs`: name to file.
    configs: BTreeMap<String, String>,
    /// What `.env` beside it says, and `COMPOSE_PROFILES` among it.
    known: BTreeMap<String, String>,
}

impl File {
    fn over(&mut self, other: Self) {
        for (name, raw) in other.services {
            match self.services.get_mut(&name) {
                Some(have) => have.over(raw),
                None => {
                    self.services.insert(name, raw);
                }
            }
        }
        self.outside_networks.extend(other.outside_networks);
        self.inner_networks.extend(other.inner_networks);
        self.configs.extend(other.configs);
    }
}

fn file(
    tree: &Tree,
    path: &FilePath,
    folder: &str,
    out: &mut Deployment,
    included: &mut BTreeMap<String, String>,
) -> File {
    let mut reader = Reader {
        tree,
        out,
        included,
        opened: Vec::new(),
    };
    reader.file(path.as_str(), folder)
}

struct Reader<'a> {
    tree: &'a Tree,
    out: &'a mut Deployment,
    included: &'a mut BTreeMap<String, String>,
    opened: Vec<String>,
}

impl Reader<'_> {
    fn problem(&mut self, path: &str, kind: ProblemKind, message: String) {
        self.out.problems.push(Problem {
            kind,
            path: FilePath::new(path),
            span: None,
            message,
        });
    }

    fn file(&mut self, path: &str, folder: &str) -> File {
        let mut file = File {
            known: known(self.tree, folder),
            ..File::default()
        };
        if self.opened.len() >= MAX_FILES || self.opened.iter().any(|p| p == path) {
            let message = "compose files include each other, or too many of them".to_owned();
            self.problem(path, ProblemKind::Limit, message);
            return file;
        }
        let Some(text) = self.tree.text(path) else {
            self.problem(
                path,
                ProblemKind::Unreadable,
                "is named by a compose file and not there".to_owned(),
            );
            return file;
        };
        self.opened.push(path.to_owned());
        let (documents, problem) = yaml::parse(text);
        if let Some(why) = problem {
            self.problem(path, ProblemKind::Syntax, why);
        }
        for document in &documents {
            self.document(path, folder, document, &mut file);
        }
        self.opened.pop();
        file
    }

    fn document(&mut self, path: &str, folder: &str, document: &Node, file: &mut File) {
        for item in document.get("include").map(Node::items).unwrap_or_default() {
            let paths = match item.get("path") {
                Some(paths) => paths.texts(),
                None => item.texts(),
            };
            for other in paths {
                let Some(other) = joined(folder, other) else {
                    continue;
                };
                self.included
                    .entry(other.clone())
                    .or_insert_with(|| path.to_owned());
                let theirs = self.file(&other, parent(&other));
                file.over(theirs);
            }
        }
        for (name, network) in document
            .get("networks")
            .map(Node::entries)
            .unwrap_or_default()
        {
            let outside = network.get("external");
            if outside.is_some_and(|n| n.is_true() || !n.entries().is_empty()) {
                file.outside_networks.insert(name.clone());
            }
            if network.get("internal").is_some_and(Node::is_true) {
                file.inner_networks.insert(name.clone());
            }
        }
        for (name, config) in document
            .get("configs")
            .map(Node::entries)
            .unwrap_or_default()
        {
            if let Some(source) = config.text_at(&["file"]).and_then(|f| joined(folder, f)) {
                file.configs.insert(name.clone(), source);
            }
        }
        // The first version of the format had services at the top.
        let services = document.get("services").unwrap_or(document);
        let first_version = document.get("services").is_none();
        for (name, node) in services.entries() {
            let is_service = ["image", "build"].iter().any(|key| node.get(key).is_some());
            if first_version && !is_service {
                continue;
            }
            let mark = Mark {
                path: match FilePath::new(path) {
                    Some(path) => path,
                    None => continue,
                },
                line: node.line.saturating_sub(1).max(1),
            };
            let mut raw = Raw::read(node, &mark, folder, &file.known);
            if let Some(extends) = node.get("extends") {
                raw = self.extended(path, folder, extends, raw, services, &file.known);
            }
            match file.services.get_mut(name) {
                Some(have) => have.over(raw),
                None => {
                    file.services.insert(name.clone(), raw);
                }
            }
        }
    }

    /// `extends: {file: common.yml, service: base}`: what stands here is read over what stands there.
    fn extended(
        &mut self,
        path: &str,
        folder: &str,
        extends: &Node,
        own: Raw,
        services: &Node,
        known: &BTreeMap<String, String>,
    ) -> Raw {
        let name = extends
            .text_at(&["service"])
            .or(extends.text())
            .unwrap_or_default();
        let from = match extends.text_at(&["file"]) {
            Some(other) => {
                let Some(other) = joined(folder, other) else {
                    return own;
                };
                if named(&other).is_none() {
                    self.included
                        .entry(other.clone())
                        .or_insert_with(|| path.to_owned());
                }
                self.file(&other, parent(&other)).services.remove(name)
            }
            None => services.get(name).and_then(|node| {
                let mark = Mark {
                    path: FilePath::new(path)?,
                    line: node.line,
                };
                Some(Raw::read(node, &mark, folder, known))
            }),
        };
        match from {
            Some(mut base) => {
                // What it is started after and which profile starts it are not taken over.
                base.needs.clear();
                base.over(own);
                base
            }
            None => {
                let message = format!("extends `{name}`, which could not be read");
                self.problem(path, ProblemKind::Unreadable, message);
                own
            }
        }
    }
}

/// What `.env` beside a compose file sets.
fn known(tree: &Tree, folder: &str) -> BTreeMap<String, String> {
    let path = joined(folder, ".env").unwrap_or_default();
    let text = tree.text(&path).unwrap_or_default();
    text::env_lines(text)
        .into_iter()
        .map(|(name, value, _)| (name, value))
        .collect()
}
