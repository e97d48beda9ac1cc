//! What a route says of the request's path, and what may become of a text on its way.

use solvent_finding::{RouteSegment, Transform};
use solvent_graph::Entry;

/// What is known of the path of a request to a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RoutePath {
    /// Without parameters: the same in every request.
    Fixed,
    /// It begins with text of the route behind the first slash.
    Begun,
    Open,
}

pub(super) fn path_of_route(entry: &Entry) -> RoutePath {
    let is_literal = |s: &RouteSegment| matches!(s, RouteSegment::Literal(_));
    if !entry.route.is_empty() && entry.segments.iter().all(is_literal) {
        return RoutePath::Fixed;
    }
    let begun = entry.segments.first().is_some_and(|first| match first {
        RouteSegment::Literal(text) => text
            .strip_prefix('/')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric())),
        RouteSegment::Param { .. } => false,
    });
    if begun {
        RoutePath::Begun
    } else {
        RoutePath::Open
    }
}

/// Whether a transform may bring back what a pattern kept out.
pub(super) fn decodes(transform: &Transform) -> bool {
    matches!(
        transform,
        Transform::UrlDecode | Transform::Base64Decode | Transform::Opaque(_)
    )
}
