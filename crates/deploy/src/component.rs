//! Components: what lockfiles pin, by ecosystem, and whether the tree asks for it itself.

mod java;
mod node;
mod python;

use std::collections::BTreeSet;

use solvent_base::{FilePath, Problem, ProblemKind};

use crate::service::Deployment;
use crate::tree::{Mark, Tree, last, parent};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Component {
    pub ecosystem: Ecosystem,
    pub name: String,
    /// As it is pinned; `None` where a file names it without a version.
    pub version: Option<String>,
    pub usage: Use,
    pub place: Mark,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ecosystem {
    PyPi,
    Npm,
    Go,
    Maven,
    Cargo,
}

impl Ecosystem {
    pub fn word(self) -> &'static str {
        match self {
            Self::PyPi => "PyPI",
            Self::Npm => "npm",
            Self::Go => "Go",
            Self::Maven => "Maven",
            Self::Cargo => "crates.io",
        }
    }
}

/// Who asks for a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Use {
    /// The tree's own files name it.
    Direct,
    /// Only another component does.
    Indirect,
    /// The file does not tell.
    Unknown,
}

impl Use {
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Indirect => "indirect",
            Self::Unknown => "unknown",
        }
    }
}

pub(crate) fn is_lockfile(path: &str) -> bool {
    let file = last(path);
    matches!(
        file,
        "poetry.lock"
            | "uv.lock"
            | "pdm.lock"
            | "Pipfile.lock"
            | "Pipfile"
            | "pyproject.toml"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "pnpm-lock.yaml"
            | "yarn.lock"
            | "package.json"
            | "go.mod"
            | "pom.xml"
            | "gradle.lockfile"
            | "Cargo.lock"
            | "Cargo.toml"
    ) || (file.starts_with("requirements") && file.ends_with(".txt"))
        || (parent(path).ends_with("requirements") && file.ends_with(".txt"))
}

pub(crate) fn read(tree: &Tree, out: &mut Deployment) {
    let mut found = BTreeSet::new();
    for (path, text) in &tree.texts {
        if !is_lockfile(path.as_str()) {
            continue;
        }
        let mut list = List {
            tree,
            path,
            text,
            out: &mut found,
        };
        let read = match last(path.as_str()) {
            "poetry.lock" | "uv.lock" | "pdm.lock" => list.python_lock(),
            "Pipfile.lock" => list.pipfile_lock(),
            "package-lock.json" | "npm-shrinkwrap.json" => list.npm(),
            "pnpm-lock.yaml" => list.pnpm(),
            "yarn.lock" => list.yarn(),
            "go.mod" => list.go(),
            "pom.xml" => list.pom(),
            "gradle.lockfile" => list.gradle(),
            "Cargo.lock" => list.cargo(),
            // Manifests say what is asked for; versions stand in the lockfile beside them.
            "package.json" | "pyproject.toml" | "Pipfile" | "Cargo.toml" => Some(()),
            _ => list.requirements(),
        };
        if read.is_none() {
            out.problems.push(Problem {
                kind: ProblemKind::Syntax,
                path: Some(path.clone()),
                span: None,
                message: "a lockfile that could not be read: its components are not known"
                    .to_owned(),
            });
        }
    }
    out.components = found.into_iter().collect();
}

/// One file being read.
struct List<'a> {
    tree: &'a Tree,
    path: &'a FilePath,
    text: &'a str,
    out: &'a mut BTreeSet<Component>,
}

impl List<'_> {
    fn push(&mut self, ecosystem: Ecosystem, name: &str, version: &str, usage: Use, line: u32) {
        if name.is_empty() {
            return;
        }
        self.out.insert(Component {
            ecosystem,
            name: name.to_owned(),
            version: (!version.is_empty()).then(|| version.to_owned()),
            usage,
            place: Mark {
                path: self.path.clone(),
                line,
            },
        });
    }

    /// A file beside this one.
    fn beside(&self, name: &str) -> Option<&str> {
        match parent(self.path.as_str()) {
            "" => self.tree.text(name),
            folder => self.tree.text(&format!("{folder}/{name}")),
        }
    }

    /// `module v1.2.3 // indirect`: the Go modules reference, "go.mod files".
    fn go(&mut self) -> Option<()> {
        let mut block = false;
        let mut found = Vec::new();
        for (line, text) in (1u32..).zip(self.text.lines()) {
            let text = text.trim();
            let rest = match text.strip_prefix("require") {
                Some(rest) if rest.trim_start().starts_with('(') => {
                    block = true;
                    continue;
                }
                Some(rest) if rest.starts_with([' ', '\t']) => rest,
                _ if text == ")" => {
                    block = false;
                    continue;
                }
                _ if block => text,
                _ => continue,
            };
            let indirect = rest.contains("// indirect");
            let mut words = rest
                .split("//")
                .next()
                .unwrap_or_default()
                .split_whitespace();
            if let (Some(name), Some(version)) = (words.next(), words.next()) {
                let usage = if indirect { Use::Indirect } else { Use::Direct };
                found.push((name.to_owned(), version.to_owned(), usage, line));
            }
        }
        for (name, version, usage, line) in found {
            self.push(Ecosystem::Go, &name, &version, usage, line);
        }
        Some(())
    }

    fn cargo(&mut self) -> Option<()> {
        let manifest = self
            .beside("Cargo.toml")
            .unwrap_or_default()
            .parse::<toml::Table>();
        let manifest = manifest.unwrap_or_default();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let workspace = manifest.get("workspace").and_then(|w| w.get(key));
            for table in [manifest.get(key), workspace].into_iter().flatten() {
                asked.extend(
                    table
                        .as_table()
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| name.clone()),
                );
            }
        }
        let known = !asked.is_empty();
        self.tables(|list, name, version, table, line| {
            // What has no source is the tree's own.
            if !table.contains_key("source") {
                return;
            }
            let usage = match (asked.contains(name), known) {
                (true, _) => Use::Direct,
                (false, true) => Use::Indirect,
                _ => Use::Unknown,
            };
            list.push(Ecosystem::Cargo, name, version, usage, line);
        })
    }

    /// `[[package]]` tables with a name and a version, as Cargo, Poetry and uv write them.
    fn tables(
        &mut self,
        mut each: impl FnMut(&mut Self, &str, &str, &toml::Table, u32),
    ) -> Option<()> {
        let table: toml::Table = self.text.parse().ok()?;
        let packages = table.get("package")?.as_array()?;
        let lines: Vec<u32> = (1u32..)
            .zip(self.text.lines())
            .filter(|(_, text)| text.trim() == "[[package]]")
            .map(|(line, _)| line)
            .collect();
        for (at, package) in packages.iter().enumerate() {
            let Some(package) = package.as_table() else {
                continue;
            };
            let text = |key: &str| {
                package
                    .get(key)
                    .and_then(toml::Value::as_str)
                    .unwrap_or_default()
            };
            let (name, version) = (text("name"), text("version"));
            let line = lines.get(at).copied().unwrap_or(1);
            each(self, name, version, package, line);
        }
        Some(())
    }
}
