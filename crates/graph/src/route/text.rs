//! The text of routes: prefixes, segments and their parameters.

use solvent_finding::RouteSegment;
use solvent_models::RouteSyntax;

pub(crate) fn joined(prefix: &str, route: &str) -> String {
    if prefix.is_empty() {
        return route.to_owned();
    }
    if route.is_empty() {
        return prefix.to_owned();
    }
    format!(
        "{}/{}",
        prefix.trim_end_matches('/'),
        route.trim_start_matches('/')
    )
}

/// A route's text as segments, and its parameters with their converters.
pub(super) fn segments(
    route: &str,
    syntax: RouteSyntax,
) -> (Vec<RouteSegment>, Vec<(String, String)>) {
    if syntax == RouteSyntax::Colon {
        return colon_segments(route);
    }
    if syntax == RouteSyntax::Regex {
        return regex_segments(route);
    }
    let (open, close) = match syntax {
        RouteSyntax::Angle | RouteSyntax::AngleName => ('<', '>'),
        RouteSyntax::Brace | RouteSyntax::Colon | RouteSyntax::Regex => ('{', '}'),
    };
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut rest = route;
    while let Some(at) = rest.find(open) {
        let Some(end) = closing(&rest[at..], open, close) else {
            break;
        };
        if at > 0 {
            out.push(RouteSegment::Literal(rest[..at].to_owned()));
        }
        let inside = &rest[at + 1..at + end];
        let (converter, name) = match syntax {
            RouteSyntax::Angle => inside.rsplit_once(':').unwrap_or(("string", inside)),
            _ => match inside.split_once(':') {
                Some((name, converter)) => (converter, name),
                None => ("string", inside),
            },
        };
        let written = converter.trim();
        let converter = written.strip_prefix("re:").unwrap_or(written).trim();
        // `int(min=1)`
        let converter = match converter.split_once('(') {
            Some((head, _)) if !head.is_empty() && head.chars().all(|c| c.is_alphanumeric()) => {
                head
            }
            _ => converter,
        };
        let name = name.trim().to_owned();
        out.push(RouteSegment::Param {
            name: name.clone(),
            converter: converter.to_owned(),
        });
        // `{id:[0-9]+}`
        let pattern = syntax == RouteSyntax::Brace && written.contains(['[', '\\', '*', '+', '.']);
        names.push((
            name,
            if pattern {
                format!("({written})")
            } else {
                converter.to_owned()
            },
        ));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        out.push(RouteSegment::Literal(rest.to_owned()));
    }
    (out, names)
}

/// Where what begins with `open` ends, pairs inside counted.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(i);
            }
        }
    }
    None
}

/// `/user/(?P<id>\\d+)/(.*)`: groups are parameters, by name or by their number from 1.
fn regex_segments(route: &str) -> (Vec<RouteSegment>, Vec<(String, String)>) {
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut literal = String::new();
    let mut number = 0_usize;
    let route = route.strip_prefix('^').unwrap_or(route);
    let mut rest = route.strip_suffix('$').unwrap_or(route);
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' => {
                let mut chars = rest.chars();
                chars.next();
                literal.extend(chars.next());
                rest = chars.as_str();
            }
            '(' => {
                let Some(end) = closing(rest, '(', ')') else {
                    break;
                };
                let inside = &rest[1..end];
                rest = &rest[end + 1..];
                let (name, pattern) =
                    match inside.strip_prefix("?P<").and_then(|i| i.split_once('>')) {
                        Some((name, pattern)) => (name.to_owned(), pattern),
                        None if inside.starts_with("?") => {
                            literal.push_str(inside.strip_prefix("?:").unwrap_or_default());
                            continue;
                        }
                        None => {
                            number += 1;
                            (number.to_string(), inside)
                        }
                    };
                if !literal.is_empty() {
                    out.push(RouteSegment::Literal(std::mem::take(&mut literal)));
                }
                out.push(RouteSegment::Param {
                    name: name.clone(),
                    converter: pattern.to_owned(),
                });
                names.push((name, pattern.to_owned()));
                rest = rest.trim_start_matches(['?', '*', '+']);
            }
            _ => {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        out.push(RouteSegment::Literal(literal));
    }
    (out, names)
}

/// `/user/:id(\\d+)?`: a name after each colon, with a pattern and a sign of repetition that are left out.
fn colon_segments(route: &str) -> (Vec<RouteSegment>, Vec<(String, String)>) {
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut rest = route;
    while let Some(at) = rest.find(':') {
        let name: String = rest[at + 1..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            break;
        }
        if at > 0 {
            out.push(RouteSegment::Literal(rest[..at].to_owned()));
        }
        rest = &rest[at + 1 + name.len()..];
        let mut pattern = None;
        if rest.starts_with('(') {
            let mut depth = 0_usize;
            let end = rest.char_indices().find_map(|(i, c)| {
                match c {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(i + 1)
            });
            pattern = end.map(|end| rest[..end].to_owned());
            rest = &rest[end.unwrap_or(rest.len())..];
        }
        rest = rest.trim_start_matches(['?', '*', '+']);
        let converter = "string".to_owned();
        out.push(RouteSegment::Param {
            name: name.clone(),
            converter: converter.clone(),
        });
        names.push((name, pattern.unwrap_or(converter)));
    }
    if !rest.is_empty() {
        out.push(RouteSegment::Literal(rest.to_owned()));
    }
    (out, names)
}
