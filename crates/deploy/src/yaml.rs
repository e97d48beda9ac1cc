//! YAML as a tree with lines, within caps: an alias costs what it stands for.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

/// Nodes of one file, aliases counted as often as they are used. The largest generated manifests of public
/// repositories have some tens of thousands.
const MAX_NODES: usize = 400_000;
/// Nesting. Kubernetes' own types need about fifteen.
const MAX_DEPTH: usize = 64;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// One-based.
    pub line: u32,
    pub value: Value,
    /// `!reset`, `!override`: what compose files say about merging.
    pub tag: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
    }

    /// `at(&["spec", "template"])`.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    pub fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys)?.text()
    }

    /// One text, or a list of them.
    pub fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::Text(text) => vec![text.as_str()],
            _ => self.items().iter().filter_map(Node::text).collect(),
        }
    }

    pub fn is_true(&self) -> bool {
        matches!(self.text(), Some("true" | "yes" | "on" | "True"))
    }
}

enum Open {
    List(u32, usize, Option<String>, Vec<Node>),
    Map(
        u32,
        usize,
        Option<String>,
        Vec<(String, Node)>,
        Option<String>,
    ),
}

/// The documents of a file; what stands after an error is left out, and the error said.
pub fn parse(text: &str) -> (Vec<Node>, Option<String>) {
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: BTreeMap<usize, (Node, usize)> = BTreeMap::new();
    let mut nodes = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                return (
                    documents,
                    Some(format!(
                        "not valid YAML in line {}",
                        error.marker().line().max(1)
                    )),
                );
            }
        };
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1);
        nodes += 1;
        if nodes > MAX_NODES {
            return (documents, Some(format!("more than {MAX_NODES} YAML nodes")));
        }
        let done = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain;
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    text => Value::Text(text.to_owned()),
                };
                let node = Node {
                    line,
                    value,
                    tag: tag.map(|tag| tag.suffix.clone()),
                };
                (node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                open.push(Open::List(
                    line,
                    anchor,
                    tag.map(|t| t.suffix.clone()),
                    Vec::new(),
                ));
                if open.len() > MAX_DEPTH {
                    return (
                        documents,
                        Some(format!("YAML nested deeper than {MAX_DEPTH}")),
                    );
                }
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                open.push(Open::Map(
                    line,
                    anchor,
                    tag.map(|t| t.suffix.clone()),
                    Vec::new(),
                    None,
                ));
                if open.len() > MAX_DEPTH {
                    return (
                        documents,
                        Some(format!("YAML nested deeper than {MAX_DEPTH}")),
                    );
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, anchor, tag, items)) => {
                    let value = Value::List(items);
                    (Node { line, value, tag }, anchor)
                }
                Some(Open::Map(line, anchor, tag, entries, _)) => {
                    let value = Value::Map(merged(entries));
                    (Node { line, value, tag }, anchor)
                }
                None => continue,
            },
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some((node, size)) => {
                    nodes += size;
                    if nodes > MAX_NODES {
                        return (documents, Some(format!("more than {MAX_NODES} YAML nodes")));
                    }
                    (node.clone(), 0)
                }
                None => {
                    let value = Value::Null;
                    (
                        Node {
                            line,
                            value,
                            tag: None,
                        },
                        0,
                    )
                }
            },
            Event::DocumentEnd => {
                anchors.clear();
                continue;
            }
            _ => continue,
        };
        let (node, anchor) = done;
        if anchor > 0 {
            anchors.insert(anchor, (node.clone(), size(&node)));
        }
        match open.last_mut() {
            Some(Open::List(_, _, _, items)) => items.push(node),
            Some(Open::Map(_, _, _, entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    *key = Some(match node.value {
                        Value::Text(text) => text,
                        _ => String::new(),
                    });
                }
            },
            None => documents.push(node),
        }
    }
    (documents, None)
}

/// `<<: *base`: what stands in the map itself wins.
fn merged(entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    if entries.iter().all(|(key, _)| key != "<<") {
        return entries;
    }
    let mut out: Vec<(String, Node)> = Vec::new();
    let mut bases: Vec<Node> = Vec::new();
    for (key, node) in entries {
        if key != "<<" {
            out.push((key, node));
            continue;
        }
        match node.value {
            Value::List(items) => bases.extend(items),
            _ => bases.push(node),
        }
    }
    for base in bases {
        for (key, node) in base.entries() {
            if out.iter().all(|(have, _)| have != key) {
                out.push((key.clone(), node.clone()));
            }
        }
    }
    out
}

fn size(node: &Node) -> usize {
    // Depth is capped while reading, so this ends.
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| 1 + size(node)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        let (mut documents, problem) = parse(text);
        assert_eq!(problem, None);
        documents.remove(0)
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let node = one("a:\n  b:\n    - x\n    - y: 1\n");
        let list = node.at(&["a", "b"]).map(Node::items).unwrap_or_default();
        assert_eq!(list[1].line, 4);
        assert_eq!(list[1].text_at(&["y"]), Some("1"));
    }

    #[test]
    fn a_merged_map_gives_way_to_what_is_written() {
        let node = one("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n");
        assert_eq!(node.text_at(&["own", "x"]), Some("1"));
        assert_eq!(node.text_at(&["own", "y"]), Some("3"));
    }

    #[test]
    fn an_alias_bomb_is_cut_and_said() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let before = i - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(parse(&text).1.is_some_and(|why| why.contains("YAML nodes")));
    }

    #[test]
    fn deep_nesting_and_broken_text_are_said_and_not_fatal() {
        assert!(parse(&"[".repeat(100_000)).1.is_some());
        let (documents, problem) = parse("a: 1\n---\nb: [\n---\n");
        assert_eq!(documents.len(), 1);
        assert!(problem.is_some());
        assert_eq!(parse("").0.len(), 0);
    }
}
