//! pom.xml and gradle.lockfile.

use std::collections::BTreeMap;

use super::{Ecosystem, List, Use};

impl List<'_> {
    /// What a pom asks for. Versions that a parent or an imported list decides are not known.
    pub(super) fn pom(&mut self) -> Option<()> {
        let document = roxmltree::Document::parse(self.text).ok()?;
        let root = document.root_element();
        let child = |node: roxmltree::Node<'_, '_>, name: &str| -> Option<String> {
            let found = node.children().find(|n| n.tag_name().name() == name)?;
            Some(found.text()?.trim().to_owned())
        };
        let mut properties: BTreeMap<String, String> = BTreeMap::new();
        if let Some(list) = root
            .children()
            .find(|n| n.tag_name().name() == "properties")
        {
            for property in list.children().filter(|n| n.is_element()) {
                let value = property.text().unwrap_or_default().trim().to_owned();
                properties.insert(property.tag_name().name().to_owned(), value);
            }
        }
        if let Some(version) = child(root, "version") {
            properties.insert("project.version".to_owned(), version);
        }
        let filled = |text: String| -> String {
            match text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) {
                Some(name) => properties.get(name).cloned().unwrap_or_default(),
                None => text,
            }
        };
        let managed = root
            .children()
            .find(|n| n.tag_name().name() == "dependencyManagement");
        let mut versions: BTreeMap<(String, String), String> = BTreeMap::new();
        for node in managed.into_iter().flat_map(|n| n.descendants()) {
            if node.tag_name().name() == "dependency"
                && let (Some(group), Some(name)) =
                    (child(node, "groupId"), child(node, "artifactId"))
            {
                let version = child(node, "version").map(&filled).unwrap_or_default();
                versions.insert((group, name), version);
            }
        }
        let list = root
            .children()
            .find(|n| n.tag_name().name() == "dependencies");
        let mut found = Vec::new();
        for node in list.into_iter().flat_map(|n| n.children()) {
            let (Some(group), Some(name)) = (child(node, "groupId"), child(node, "artifactId"))
            else {
                continue;
            };
            let own = child(node, "version")
                .map(&filled)
                .filter(|v| !v.is_empty());
            let version = own.or_else(|| versions.get(&(group.clone(), name.clone())).cloned());
            let line = document.text_pos_at(node.range().start).row;
            found.push((format!("{group}:{name}"), version.unwrap_or_default(), line));
        }
        for (name, version, line) in found {
            self.push(Ecosystem::Maven, &name, &version, Use::Direct, line);
        }
        Some(())
    }

    /// `group:name:version=configurations`.
    pub(super) fn gradle(&mut self) -> Option<()> {
        let mut found = Vec::new();
        for (line, text) in (1u32..).zip(self.text.lines()) {
            let text = text.split('=').next().unwrap_or_default().trim();
            if text.starts_with('#') {
                continue;
            }
            if let Some((name, version)) = text.rsplit_once(':') {
                found.push((name.to_owned(), version.to_owned(), line));
            }
        }
        for (name, version, line) in found {
            self.push(Ecosystem::Maven, &name, &version, Use::Unknown, line);
        }
        Some(())
    }
}
