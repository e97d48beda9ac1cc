//! package-lock.json, pnpm-lock.yaml, yarn.lock.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Ecosystem, List, Use};
use crate::yaml::{self, Node};

const SECTIONS: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

fn names(package: &Value) -> BTreeSet<String> {
    SECTIONS
        .iter()
        .filter_map(|section| package.get(section)?.as_object())
        .flat_map(|map| map.keys().cloned())
        .collect()
}

impl List<'_> {
    pub(super) fn npm(&mut self) -> Option<()> {
        let lock: Value = serde_json::from_str(self.text).ok()?;
        if let Some(packages) = lock.get("packages").and_then(Value::as_object) {
            // Workspaces are packages outside of `node_modules`.
            let own: Vec<&Value> = packages
                .iter()
                .filter(|(p, _)| !p.contains("node_modules/"))
                .map(|(_, v)| v)
                .collect();
            let asked: BTreeSet<String> = own.iter().flat_map(|p| names(p)).collect();
            for (path, package) in packages {
                let Some((before, name)) = path.rsplit_once("node_modules/") else {
                    continue;
                };
                if package.get("link").and_then(Value::as_bool) == Some(true) {
                    continue;
                }
                let version = package
                    .get("version")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                // A copy inside another package is there for that package.
                let nested = before.contains("node_modules/");
                let usage = if asked.contains(name) && !nested {
                    Use::Direct
                } else {
                    Use::Indirect
                };
                self.push(Ecosystem::Npm, name, version, usage, 1);
            }
            return Some(());
        }
        let manifest = self.manifest();
        let asked = manifest.as_ref().map(names);
        let mut open: Vec<(&Value, usize)> =
            vec![(lock.get("dependencies").unwrap_or(&Value::Null), 0)];
        while let Some((list, depth)) = open.pop() {
            for (name, package) in list.as_object().into_iter().flatten() {
                let version = package
                    .get("version")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let usage = match &asked {
                    None => Use::Unknown,
                    Some(asked) if depth == 0 && asked.contains(name) => Use::Direct,
                    Some(_) => Use::Indirect,
                };
                self.push(Ecosystem::Npm, name, version, usage, 1);
                if let Some(inner) = package.get("dependencies") {
                    open.push((inner, depth + 1));
                }
            }
        }
        Some(())
    }

    fn manifest(&self) -> Option<Value> {
        serde_json::from_str(self.beside("package.json")?).ok()
    }

    pub(super) fn pnpm(&mut self) -> Option<()> {
        let (documents, problem) = yaml::parse(self.text);
        let lock = documents.first().filter(|_| problem.is_none())?;
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let importers = lock.get("importers").map(Node::entries).unwrap_or_default();
        for package in importers.iter().map(|(_, node)| node).chain([lock]) {
            for section in SECTIONS {
                let entries = package.get(section).map(Node::entries).unwrap_or_default();
                asked.extend(entries.iter().map(|(name, _)| name.clone()));
            }
        }
        for (key, node) in lock.get("packages").map(Node::entries).unwrap_or_default() {
            // `/name/1.2.3`, `/name@1.2.3(peer@2)`, `@scope/name@1.2.3`
            let key = key.strip_prefix('/').unwrap_or(key);
            let key = key.split('(').next().unwrap_or(key);
            let at = key
                .get(1..)
                .and_then(|rest| rest.rfind('@'))
                .map(|at| at + 1);
            let pair = match at {
                Some(at) => Some((&key[..at], &key[at + 1..])),
                None => key.rsplit_once('/'),
            };
            let Some((name, version)) = pair else {
                continue;
            };
            let usage = if asked.contains(name) {
                Use::Direct
            } else {
                Use::Indirect
            };
            self.push(Ecosystem::Npm, name, version, usage, node.line);
        }
        Some(())
    }

    /// Both forms of Yarn: `"a@^1", "a@^1.2":` over `version "1.2.3"`, or over `version: 1.2.3`.
    pub(super) fn yarn(&mut self) -> Option<()> {
        let asked = self.manifest().as_ref().map(names);
        let mut found: Vec<(String, String, u32)> = Vec::new();
        let mut head: Option<(String, u32)> = None;
        for (line, text) in (1u32..).zip(self.text.lines()) {
            if text.starts_with('#') || text.trim().is_empty() {
                continue;
            }
            if !text.starts_with(' ') {
                let first = text
                    .trim_end_matches(':')
                    .split(',')
                    .next()
                    .unwrap_or_default();
                let first = first.trim().trim_matches('"');
                let at = first
                    .get(1..)
                    .and_then(|rest| rest.find('@'))
                    .map(|at| at + 1);
                let own = first.contains("@workspace:");
                head = at.filter(|_| !own).map(|at| (first[..at].to_owned(), line));
                continue;
            }
            if let Some(rest) = text.trim().strip_prefix("version")
                && text.starts_with("  version")
                && let Some((name, line)) = head.take()
            {
                let version = rest.trim_start_matches(':').trim().trim_matches('"');
                found.push((name, version.to_owned(), line));
            }
        }
        for (name, version, line) in found {
            let usage = match &asked {
                None => Use::Unknown,
                Some(asked) if asked.contains(&name) => Use::Direct,
                Some(_) => Use::Indirect,
            };
            self.push(Ecosystem::Npm, &name, &version, usage, line);
        }
        Some(())
    }
}
