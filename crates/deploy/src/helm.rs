//! Charts: templates that only put values in are filled; others are not read, which is said, so that nothing
//! is taken for internal because of what stands in one.

use solvent_base::{FilePath, Problem, ProblemKind};

use crate::service::Deployment;
use crate::tree::{Mark, Tree, last};
use crate::yaml::{self, Node};

/// Notes a manifest that is a template.
pub(crate) fn note(tree: &Tree, path: &FilePath, out: &mut Deployment) {
    out.unread.push(Mark {
        path: path.clone(),
        line: 1,
    });
    let chart = chart_of(tree, path.as_str());
    let (what, message) = match chart {
        Some(chart) => (
            FilePath::new(&format!("{chart}/Chart.yaml")),
            "a chart: its templates are not read, so what they publish is not known".to_owned(),
        ),
        None => (
            Some(path.clone()),
            "a template of manifests, which is not read, so what it publishes is not known"
                .to_owned(),
        ),
    };
    let problem = Problem {
        kind: ProblemKind::Unmodelled,
        path: what,
        span: None,
        message,
    };
    if !out.problems.contains(&problem) {
        out.problems.push(problem);
    }
}

/// The text of a chart's template with its values put in, where it does nothing else.
pub(crate) fn filled(tree: &Tree, path: &str, text: &str) -> Option<String> {
    let chart = chart_of(tree, path)?;
    let values = yaml::parse(tree.text(&format!("{chart}/values.yaml"))?).0;
    let values = values.first()?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find("}}")?;
        let action = inside[..end].trim_matches(['-', ' ']);
        let mut parts = action.split('|').map(str::trim);
        let value = value(parts.next()?, values, last(&chart))?;
        // Quotes change nothing here; any other function may.
        if !parts.all(|f| f == "quote" || f == "squote") {
            return None;
        }
        out.push_str(&value);
        rest = &inside[end + 2..];
    }
    out.push_str(rest);
    Some(out)
}

fn value(word: &str, values: &Node, chart: &str) -> Option<String> {
    if matches!(word, ".Release.Name" | ".Chart.Name" | ".Release.Namespace") {
        return Some(chart.to_owned());
    }
    let path: Vec<&str> = word.strip_prefix(".Values.")?.split('.').collect();
    let text = values.text_at(&path)?;
    // What would need quotes in YAML may mean something else there.
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || "-_./: ".contains(c));
    plain.then(|| text.to_owned())
}

pub(crate) fn chart_of(tree: &Tree, path: &str) -> Option<String> {
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        folder = parent;
        if tree.has(&format!("{folder}/Chart.yaml")) {
            return Some(folder.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for (path, text) in [
            ("shop/Chart.yaml", ""),
            ("shop/values.yaml", "service:\n  type: LoadBalancer\n"),
        ] {
            let path = FilePath::new(path).unwrap_or_else(|| panic!("a path"));
            tree.names.insert(path.clone());
            tree.texts.insert(path, text.to_owned());
        }
        tree
    }

    #[test]
    fn values_are_put_in_and_nothing_else_is_guessed() {
        let fill = |text| filled(&tree(), "shop/templates/s.yaml", text);
        assert_eq!(
            fill("type: {{ .Values.service.type | quote }}").as_deref(),
            Some("type: LoadBalancer")
        );
        assert_eq!(fill("{{- if .Values.x }}a{{ end }}"), None);
        assert_eq!(fill("{{ .Values.other }}"), None);
        assert_eq!(
            filled(&tree(), "other/s.yaml", "{{ .Values.service.type }}"),
            None
        );
    }
}
