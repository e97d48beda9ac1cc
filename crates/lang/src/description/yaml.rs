//! YAML, and JSON with it, as a tree with places, within caps.

use saphyr_parser::{Event, Parser};
use solvent_base::Span;

/// Nodes of one file, aliases counted as often as they are used.
const MAX_NODES: usize = 400_000;
/// Nesting of maps and lists.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Node {
    value: Content,
    /// Of a scalar, in bytes.
    pub span: Span,
}

#[derive(Clone, Debug)]
enum Content {
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// In the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Map(Vec<(String, Node)>);

impl Map {
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Node)> {
        self.0.iter().map(|(key, node)| (key, node))
    }
}

impl<'m> IntoIterator for &'m Map {
    type Item = &'m (String, Node);
    type IntoIter = std::slice::Iter<'m, (String, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?
            .0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
    }

    pub fn map(&self) -> Option<&Map> {
        match &self.value {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn items(&self) -> &[Self] {
        match &self.value {
            Content::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        // Depth is capped while reading, so this ends.
        1 + match &self.value {
            Content::Text(_) => 0,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(map) => map.0.iter().map(|(_, node)| 1 + node.size()).sum(),
        }
    }
}

enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<(String, Node)>, Option<String>),
}

/// The first document of a file.
pub(super) fn read(text: &str) -> Result<Node, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: Vec<(usize, Node, usize)> = Vec::new();
    let mut nodes = 0_usize;
    let lines: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    for event in Parser::new_from_str(text) {
        let (event, place) = event
            .map_err(|error| format!("not valid YAML in line {}", error.marker().line().max(1)))?;
        nodes += 1;
        let (node, anchor) = match event {
            Event::Scalar(scalar, _, anchor, _) => {
                let line = lines.get(place.start.line().saturating_sub(1));
                let start = line
                    .map_or(0, |line| line + place.start.col())
                    .min(text.len());
                let end = (start + scalar.len()).min(text.len());
                let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
                let node = Node {
                    value: Content::Text(scalar.to_string()),
                    span: Span {
                        start: at(start),
                        end: at(end),
                    },
                };
                (node, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open::List(anchor, Vec::new()));
                deep_enough(open.len(), nodes)?;
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open::Map(anchor, Vec::new(), None));
                deep_enough(open.len(), nodes)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (value, anchor) = match open.pop() {
                    Some(Open::List(anchor, items)) => (Content::List(items), anchor),
                    Some(Open::Map(anchor, entries, _)) => (Content::Map(Map(entries)), anchor),
                    None => continue,
                };
                let span = Span::default();
                (Node { value, span }, anchor)
            }
            Event::Alias(anchor) => match anchors.iter().rev().find(|(id, _, _)| *id == anchor) {
                Some((_, node, size)) => {
                    nodes += size;
                    (node.clone(), 0)
                }
                None => continue,
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        deep_enough(open.len(), nodes)?;
        if anchor > 0 {
            let size = node.size();
            anchors.push((anchor, node.clone(), size));
        }
        match open.last_mut() {
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node.text().unwrap_or_default().to_owned()),
            },
            None => return Ok(node),
        }
    }
    Err("no YAML document".to_owned())
}

fn deep_enough(depth: usize, nodes: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("YAML nested deeper than {MAX_DEPTH}"));
    }
    if nodes > MAX_NODES {
        return Err(format!("more than {MAX_NODES} YAML nodes"));
    }
    Ok(())
}
