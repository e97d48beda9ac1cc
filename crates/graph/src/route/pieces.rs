//! A route's text as segments and parameters, in the syntaxes that tables use.

use solvent_finding::RouteSegment;
use solvent_models::RouteSyntax;

/// Longest text of a route that is read, in bytes.
const MAX_ROUTE: usize = 4096;

/// What one route's text says.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Pieces {
    /// As it is shown: parameters in angle brackets, whatever the syntax.
    pub text: String,
    pub segments: Vec<RouteSegment>,
    pub params: Vec<RouteParam>,
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct RouteParam {
    /// Empty for a group without a name.
    pub name: String,
    pub converter: String,
    /// The regular expression that its text matches, where that is written.
    pub pattern: Option<String>,
}

pub(super) fn pieces_of(route: &str, syntax: RouteSyntax) -> Pieces {
    if syntax == RouteSyntax::Regex {
        return of_pattern(route);
    }
    let (segments, names) = super::text::segments(route, syntax);
    Pieces {
        text: route.to_owned(),
        segments,
        params: names
            .into_iter()
            .map(|(name, converter)| RouteParam {
                name,
                converter,
                pattern: None,
            })
            .collect(),
    }
}

/// `^user/(?P<id>\d+)/$`: literal text, and groups as parameters. What is neither stays as it is written.
fn of_pattern(route: &str) -> Pieces {
    let mut out = Pieces::default();
    if route.len() > MAX_ROUTE {
        return out;
    }
    let mut literal = String::new();
    let mut rest = route;
    let mut nested = 0_usize;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '^' | '$' | '?' | '*' | '+' => rest = after,
            '\\' => {
                let Some(next) = after.chars().next() else {
                    break;
                };
                rest = &after[next.len_utf8()..];
                match next {
                    'A' | 'Z' | 'b' | 'B' => {}
                    _ if next.is_alphanumeric() => literal.extend(['\\', next]),
                    _ => literal.push(next),
                }
            }
            '(' => {
                let Some(end) = closing(rest) else {
                    literal.push_str(rest);
                    break;
                };
                let inside = &rest[1..end];
                if let Some(plain) = inside.strip_prefix("?:") {
                    // Its text goes on inside.
                    nested += 1;
                    rest = &rest[end - plain.len()..];
                    continue;
                }
                rest = &rest[end + 1..];
                let (name, pattern) =
                    match inside.strip_prefix("?P<").and_then(|i| i.split_once('>')) {
                        Some((name, pattern)) => (name, pattern),
                        None if inside.starts_with('?') => continue,
                        None => ("", inside),
                    };
                if !literal.is_empty() {
                    out.text.push_str(&literal);
                    out.segments
                        .push(RouteSegment::Literal(std::mem::take(&mut literal)));
                }
                let converter = converter_of(pattern);
                let shown = if name.is_empty() { "var" } else { name };
                out.text.push_str(&format!("<{shown}>"));
                out.segments.push(RouteSegment::Param {
                    name: name.to_owned(),
                    converter: converter.to_owned(),
                });
                out.params.push(RouteParam {
                    name: name.to_owned(),
                    converter: converter.to_owned(),
                    pattern: Some(pattern.to_owned()),
                });
            }
            ')' if nested > 0 => {
                nested -= 1;
                rest = after;
            }
            _ => {
                literal.push(c);
                rest = after;
            }
        }
    }
    if !literal.is_empty() {
        out.text.push_str(&literal);
        out.segments.push(RouteSegment::Literal(literal));
    }
    out
}

/// The word that says most nearly what a group lets through.
fn converter_of(pattern: &str) -> &'static str {
    let bare = pattern.trim_end_matches(['+', '*', '?']);
    let bare = bare.split('{').next().unwrap_or_default();
    match bare {
        r"\d" | "[0-9]" => "int",
        "." => "path",
        _ => "string",
    }
}

/// Where the group that begins here ends.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(route: &str) -> String {
        pieces_of(route, RouteSyntax::Regex).text
    }

    #[test]
    fn groups_of_a_pattern_are_parameters() {
        assert_eq!(shown(r"^user/(?P<id>\d+)/$"), "user/<id>/");
        assert_eq!(shown(r"^(?P<a>[^/.]+)/(\w+)\.txt\Z"), "<a>/<var>.txt");
        assert_eq!(shown(r"^x/(?:page-(?P<n>\d+)/)?$"), "x/page-<n>/");
        assert_eq!(shown("^$"), "");
    }

    #[test]
    fn a_pattern_that_is_no_pattern_is_text() {
        assert_eq!(shown("(("), "((");
        assert_eq!(shown("a(b"), "a(b");
        assert_eq!(shown("a\\"), "a");
    }
}
