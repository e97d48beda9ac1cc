//! Where a gateway hands requests on to, and which of a service's routes are reached through it.

use crate::route::{Fits, Pattern};
use crate::tree::Mark;

/// What nginx, Caddy, Traefik or an ingress forwards.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gateway {
    pub locations: Vec<Location>,
    /// Why part of its configuration is not known.
    pub unread: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// Locations of one site exclude each other; those of different ones do not.
    pub site: usize,
    pub outer: Outer,
    /// Where it leads, lower case; empty when it hands nothing on.
    pub host: String,
    pub port: Option<u16>,
    pub inner: Inner,
    /// What asks for a login.
    pub login: Option<String>,
    /// Why nobody from outside gets through: `deny all`.
    pub closed: Option<String>,
    pub place: Mark,
}

/// The paths that a location takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outer {
    Exact(String),
    /// Text at the beginning: nginx, Caddy and Traefik.
    Text(String),
    /// Whole segments at the beginning: ingresses and routes of Kubernetes.
    Segments(String),
    /// An expression that is not read.
    Unread(String),
}

/// The path that the service gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inner {
    Same,
    /// The matched prefix is replaced by this.
    Instead(String),
    /// It is rewritten in a way that is not read.
    Unread,
}

/// What one location means for a route.
#[derive(Clone, Debug)]
pub enum Answer<'g> {
    Open { location: &'g Location, why: String },
    Unknown { location: &'g Location, why: String },
    Closed { location: &'g Location, why: String },
}

impl Outer {
    pub fn fits(&self, paths: &Pattern) -> Fits {
        match self {
            Self::Exact(path) => paths.is(path),
            Self::Text(prefix) => paths.begins_with(prefix),
            Self::Segments(prefix) => paths.below(prefix),
            Self::Unread(_) => Fits::Maybe,
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Text(text) | Self::Segments(text) | Self::Unread(text) => {
                text
            }
        }
    }

    /// Higher wins: an exact path, then the longest prefix.
    fn rank(&self) -> (bool, usize) {
        (
            matches!(self, Self::Exact(_)),
            self.text().trim_end_matches('/').len(),
        )
    }
}

impl Gateway {
    /// What each location that leads to the service means for one of its routes. Without one that fits, the
    /// reason why none does.
    pub fn ways_to<'g>(
        &'g self,
        leads: &dyn Fn(&Location) -> bool,
        route: &Pattern,
    ) -> Vec<Answer<'g>> {
        let mut out = Vec::new();
        let mut leading: Vec<&Location> = Vec::new();
        for location in self
            .locations
            .iter()
            .filter(|l| !l.host.is_empty() && leads(l))
        {
            leading.push(location);
            let words = format!("`{}` leads to it", location.outer.text());
            let outer = match &location.inner {
                Inner::Same => Some(route.clone()),
                Inner::Instead(inner) => match &location.outer {
                    Outer::Text(outer) | Outer::Segments(outer) => moved_out(route, inner, outer),
                    _ => Some(route.clone()),
                },
                Inner::Unread => {
                    let why = format!(
                        "`{}` leads to it, to paths that are not known",
                        location.outer.text()
                    );
                    out.push(Answer::Unknown { location, why });
                    continue;
                }
            };
            let Some(outer) = outer else { continue };
            match location.outer.fits(&outer) {
                Fits::Never => continue,
                _ if matches!(location.outer, Outer::Unread(_)) => {
                    let why = format!("`{}` leads to it and is not read", location.outer.text());
                    out.push(Answer::Unknown { location, why });
                    continue;
                }
                _ => {}
            }
            let before = self.locations.iter().find(|other| {
                other.site == location.site
                    && !matches!(other.outer, Outer::Unread(_))
                    && other.outer.rank() > location.outer.rank()
                    && other.outer.fits(&outer) == Fits::Always
            });
            match before {
                Some(other) if other.closed.is_some() => out.push(closed(other)),
                Some(_) => {}
                None if location.closed.is_some() => out.push(closed(location)),
                None => out.push(Answer::Open {
                    location,
                    why: words,
                }),
            }
        }
        if out.is_empty()
            && let Some(location) = leading.first()
        {
            let mut forwards: Vec<String> = leading
                .iter()
                .map(|l| format!("`{}`", l.outer.text()))
                .collect();
            forwards.dedup();
            out.push(Answer::Closed {
                location,
                why: format!(
                    "only {} leads to it, which this path does not fit",
                    forwards.join(", ")
                ),
            });
        }
        out
    }

    /// Where a request for this path goes, and the path there.
    pub fn forward(&self, path: &str) -> Option<(&Location, String)> {
        let pattern = Pattern {
            pieces: vec![crate::route::Piece::Literal(path.to_owned())],
        };
        let location = self
            .locations
            .iter()
            .filter(|l| {
                !matches!(l.outer, Outer::Unread(_)) && l.outer.fits(&pattern) == Fits::Always
            })
            .max_by_key(|l| l.outer.rank())?;
        if location.host.is_empty() || location.closed.is_some() {
            return None;
        }
        let inner = match &location.inner {
            Inner::Same => path.to_owned(),
            Inner::Instead(inner) => {
                let outer = location.outer.text();
                pattern.moved(outer, inner)?.head().to_owned()
            }
            Inner::Unread => return None,
        };
        Some((location, inner))
    }
}

fn closed(location: &Location) -> Answer<'_> {
    let why = location.closed.as_deref().unwrap_or_default();
    Answer::Closed {
        location,
        why: format!("`{}`: {why}", location.outer.text()),
    }
}

/// The paths outside that become the route's inside.
fn moved_out(route: &Pattern, inner: &str, outer: &str) -> Option<Pattern> {
    // `/api` taken off whole leaves `/x`, not `x`.
    let (inner, outer) = match (
        inner.ends_with('/') || inner.is_empty(),
        outer.ends_with('/'),
    ) {
        (true, false) => (inner.to_owned(), format!("{outer}/")),
        _ => (inner.to_owned(), outer.to_owned()),
    };
    let inner = if inner.is_empty() {
        "/".to_owned()
    } else {
        inner
    };
    route.moved(&inner, &outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Piece;
    use solvent_base::FilePath;

    fn location(outer: Outer, host: &str, inner: Inner, closed: Option<&str>) -> Location {
        Location {
            site: 0,
            outer,
            host: host.to_owned(),
            port: None,
            inner,
            login: None,
            closed: closed.map(str::to_owned),
            place: Mark {
                path: FilePath::new("nginx.conf").unwrap_or_else(|| panic!("a path")),
                line: 1,
            },
        }
    }

    fn words(gateway: &Gateway, path: &str) -> Vec<&'static str> {
        let route = Pattern {
            pieces: vec![Piece::Literal(path.to_owned())],
        };
        let answers = gateway.ways_to(&|l| l.host == "app", &route);
        answers
            .iter()
            .map(|answer| match answer {
                Answer::Open { .. } => "open",
                Answer::Unknown { .. } => "unknown",
                Answer::Closed { .. } => "closed",
            })
            .collect()
    }

    #[test]
    fn the_longest_prefix_wins_over_a_shorter_one() {
        let gateway = Gateway {
            locations: vec![
                location(Outer::Text("/".to_owned()), "app", Inner::Same, None),
                location(
                    Outer::Text("/admin".to_owned()),
                    "",
                    Inner::Same,
                    Some("deny all"),
                ),
            ],
            unread: None,
        };
        assert_eq!(words(&gateway, "/search"), ["open"]);
        assert_eq!(words(&gateway, "/admin/users"), ["closed"]);
    }

    #[test]
    fn a_prefix_that_is_taken_off_leads_to_what_stands_behind_it() {
        let inner = Inner::Instead("/".to_owned());
        let gateway = Gateway {
            locations: vec![location(
                Outer::Text("/api/".to_owned()),
                "app",
                inner,
                None,
            )],
            unread: None,
        };
        assert_eq!(words(&gateway, "/search"), ["open"]);
        let inner = Inner::Instead("/v1/".to_owned());
        let gateway = Gateway {
            locations: vec![location(
                Outer::Text("/api/".to_owned()),
                "app",
                inner,
                None,
            )],
            unread: None,
        };
        assert_eq!(words(&gateway, "/search"), ["closed"]);
        assert_eq!(words(&gateway, "/v1/search"), ["open"]);
    }

    #[test]
    fn an_expression_that_is_not_read_leaves_it_open() {
        let outer = Outer::Unread("~ ^/(a|b)".to_owned());
        let gateway = Gateway {
            locations: vec![location(outer, "app", Inner::Same, None)],
            unread: None,
        };
        assert_eq!(words(&gateway, "/search"), ["unknown"]);
    }
}
