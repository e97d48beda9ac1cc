//! requirements files, poetry.lock, uv.lock, pdm.lock, Pipfile.lock.

use std::collections::BTreeSet;

use super::{Ecosystem, List, Use};

/// PEP 503: case and separators do not matter.
fn normal(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let mut out = String::with_capacity(lower.len());
    for c in lower.chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

/// The name at the beginning of a requirement, and what it is pinned to: PEP 508.
fn requirement(text: &str) -> Option<(String, String)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let mut rest = rest.trim_start();
    if rest.starts_with('[') {
        rest = rest
            .split_once(']')
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    let rest = rest.split([';', '#']).next().unwrap_or_default();
    let pinned = rest.trim_start().strip_prefix("==").unwrap_or_default();
    let version = pinned
        .trim_start_matches('=')
        .split_whitespace()
        .next()
        .unwrap_or_default();
    // `==1.*` is a range.
    let version = if version.contains(['*', ',']) {
        ""
    } else {
        version
    };
    Some((normal(name), version.to_owned()))
}

impl List<'_> {
    pub(super) fn requirements(&mut self) -> Option<()> {
        let mut via: Vec<(String, String, u32, Use)> = Vec::new();
        // pip-compile says in a remark who asks for it.
        let compiled = self.text.contains("# via");
        for (line, text) in (1u32..).zip(self.text.lines()) {
            let text = text.trim();
            if let Some(who) = text
                .strip_prefix("# via")
                .or_else(|| text.strip_prefix("#   "))
                && let Some(last) = via.last_mut()
            {
                if who.contains("-r ") || who.contains("(pyproject") || who.contains("(setup") {
                    last.3 = Use::Direct;
                }
                continue;
            }
            if text.is_empty() || text.starts_with(['#', '-', '.', '/']) || text.contains("://") {
                continue;
            }
            if let Some((name, version)) = requirement(text) {
                let usage = match text.split_once("# via") {
                    Some((_, who)) if who.contains("-r ") => Use::Direct,
                    _ if compiled => Use::Indirect,
                    _ => Use::Direct,
                };
                via.push((name, version, line, usage));
            }
        }
        for (name, version, line, usage) in via {
            self.push(Ecosystem::PyPi, &name, &version, usage, line);
        }
        Some(())
    }

    pub(super) fn python_lock(&mut self) -> Option<()> {
        let asked = self.asked();
        self.tables(|list, name, version, table, line| {
            // The tree's own packages have a source inside of it.
            let source = table.get("source").and_then(toml::Value::as_table);
            if source.is_some_and(|s| {
                ["virtual", "editable", "directory"]
                    .iter()
                    .any(|k| s.contains_key(*k))
            }) {
                return;
            }
            let name = normal(name);
            let usage = match &asked {
                None => Use::Unknown,
                Some(asked) if asked.contains(&name) => Use::Direct,
                Some(_) => Use::Indirect,
            };
            list.push(Ecosystem::PyPi, &name, version, usage, line);
        })
    }

    /// What `pyproject.toml` beside the lockfile asks for.
    fn asked(&self) -> Option<BTreeSet<String>> {
        let table: toml::Table = self.beside("pyproject.toml")?.parse().ok()?;
        let mut out = BTreeSet::new();
        let mut texts = |value: Option<&toml::Value>| {
            for text in value.and_then(toml::Value::as_array).into_iter().flatten() {
                out.extend(text.as_str().and_then(requirement).map(|(name, _)| name));
            }
        };
        let project = table.get("project");
        texts(project.and_then(|p| p.get("dependencies")));
        let optional = project.and_then(|p| p.get("optional-dependencies"));
        for group in [optional, table.get("dependency-groups")]
            .into_iter()
            .flatten()
        {
            for (_, list) in group.as_table().into_iter().flatten() {
                texts(Some(list));
            }
        }
        let poetry = table.get("tool").and_then(|t| t.get("poetry"));
        let mut names = |value: Option<&toml::Value>| {
            let entries = value.and_then(toml::Value::as_table).into_iter().flatten();
            out.extend(entries.map(|(name, _)| normal(name)));
        };
        names(poetry.and_then(|p| p.get("dependencies")));
        names(poetry.and_then(|p| p.get("dev-dependencies")));
        let groups = poetry
            .and_then(|p| p.get("group"))
            .and_then(toml::Value::as_table);
        for (_, group) in groups.into_iter().flatten() {
            names(group.get("dependencies"));
        }
        Some(out)
    }

    pub(super) fn pipfile_lock(&mut self) -> Option<()> {
        let lock: serde_json::Value = serde_json::from_str(self.text).ok()?;
        let manifest = self
            .beside("Pipfile")
            .and_then(|text| text.parse::<toml::Table>().ok());
        for (section, asked) in [("default", "packages"), ("develop", "dev-packages")] {
            let asked: Option<BTreeSet<String>> = manifest.as_ref().map(|m| {
                let entries = m
                    .get(asked)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flatten();
                entries.map(|(name, _)| normal(name)).collect()
            });
            for (name, entry) in lock
                .get(section)
                .and_then(|s| s.as_object())
                .into_iter()
                .flatten()
            {
                let version = entry
                    .get("version")
                    .and_then(|v| v.as_str())
                    .unwrap_or_default();
                let name = normal(name);
                let usage = match &asked {
                    None => Use::Unknown,
                    Some(asked) if asked.contains(&name) => Use::Direct,
                    Some(_) => Use::Indirect,
                };
                self.push(
                    Ecosystem::PyPi,
                    &name,
                    version.trim_start_matches("=="),
                    usage,
                    1,
                );
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_a_name_and_perhaps_a_pin() {
        let pin = |text| requirement(text).map(|(a, b)| format!("{a} {b}"));
        assert_eq!(
            pin("Flask_Login[x]==0.6.3 ; python_version > '3'").as_deref(),
            Some("flask-login 0.6.3")
        );
        assert_eq!(pin("requests>=2").as_deref(), Some("requests "));
        assert_eq!(pin("a==1.*").as_deref(), Some("a "));
        assert_eq!(pin("==1"), None);
    }
}
