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
    let (open, close) = match syntax {
        RouteSyntax::Angle => ('<', '>'),
        RouteSyntax::Brace | RouteSyntax::Colon | RouteSyntax::Regex => ('{', '}'),
    };
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut rest = route;
    while let Some(at) = rest.find(open) {
        let Some(end) = rest[at..].find(close) else {
            break;
        };
        if at > 0 {
            out.push(RouteSegment::Literal(rest[..at].to_owned()));
        }
        let inside = &rest[at + 1..at + end];
        let (converter, name) = match (syntax, inside.rsplit_once(':')) {
            (RouteSyntax::Angle, Some((converter, name))) => (converter, name),
            (_, Some((name, converter))) => (converter, name),
            (_, None) => ("string", inside),
        };
        let written = converter.trim();
        let converter = written.split('(').next().unwrap_or_default().trim();
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
