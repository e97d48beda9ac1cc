//! Paths of routes, and whether they begin with what a gateway forwards.

use solvent_finding::RouteSegment;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    Literal(String),
    /// One segment, or part of it.
    Segment,
    /// Anything, slashes too.
    Rest,
}

/// The paths that a route answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fits {
    /// Every path of the route.
    Always,
    /// Some of them, or it is not known.
    Maybe,
    Never,
}

impl Pattern {
    pub fn anything() -> Self {
        Self {
            pieces: vec![Piece::Rest],
        }
    }

    /// Of an entry point's route; one whose path the code decides answers any.
    pub fn of(route: &str, segments: &[RouteSegment]) -> Self {
        if route.is_empty() {
            return Self::anything();
        }
        let mut pieces: Vec<Piece> = segments
            .iter()
            .map(|segment| match segment {
                RouteSegment::Literal(text) => Piece::Literal(text.clone()),
                RouteSegment::Param { converter, .. } if takes_slashes(converter) => Piece::Rest,
                RouteSegment::Param { .. } => Piece::Segment,
            })
            .collect();
        match pieces.first_mut() {
            Some(Piece::Literal(text)) if !text.starts_with('/') => text.insert(0, '/'),
            Some(Piece::Literal(_)) => {}
            _ => pieces.insert(0, Piece::Literal("/".to_owned())),
        }
        Self { pieces }
    }

    /// Literal text before the first part that is open.
    pub fn head(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// Whether the paths begin with this text.
    pub fn begins_with(&self, prefix: &str) -> Fits {
        let head = self.head();
        if head.starts_with(prefix) {
            return Fits::Always;
        }
        if self.pieces.len() > 1 || self.pieces.first() == Some(&Piece::Rest) {
            // What comes after the head is open.
            if prefix.starts_with(head) {
                return Fits::Maybe;
            }
        }
        Fits::Never
    }

    /// Whether the paths lie below this prefix, whole segments only: `/api` is below `/api`, `/apis` is not.
    pub fn below(&self, prefix: &str) -> Fits {
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return Fits::Always;
        }
        let whole = format!("{prefix}/");
        if self.head() == prefix && self.pieces.len() == 1 {
            return Fits::Always;
        }
        match self.begins_with(&whole) {
            Fits::Never if self.head().starts_with(prefix) && self.head().len() == prefix.len() => {
                Fits::Maybe
            }
            fits => fits,
        }
    }

    /// Whether the route answers this path.
    pub fn is(&self, path: &str) -> Fits {
        match self.pieces.as_slice() {
            [Piece::Literal(text)] if text == path => Fits::Always,
            [Piece::Literal(_)] => Fits::Never,
            _ if path.starts_with(self.head()) => Fits::Maybe,
            _ => Fits::Never,
        }
    }

    /// The paths with `from` at their beginning replaced; `None` where none begins so.
    pub fn moved(&self, from: &str, to: &str) -> Option<Self> {
        match self.begins_with(from) {
            Fits::Always => {
                let mut pieces = self.pieces.clone();
                if let Some(Piece::Literal(text)) = pieces.first_mut() {
                    *text = slashed(&format!("{to}{}", &text[from.len()..]));
                } else {
                    pieces.insert(0, Piece::Literal(slashed(to)));
                }
                Some(Self { pieces })
            }
            Fits::Maybe => Some(Self {
                pieces: vec![Piece::Literal(slashed(to)), Piece::Rest],
            }),
            Fits::Never => None,
        }
    }
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// Converters of frameworks that let slashes through.
pub(crate) fn takes_slashes(converter: &str) -> bool {
    matches!(converter, "path" | "*" | "catchall" | "rest" | "splat")
        || converter.contains(".*")
        || converter.contains(".+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let mut segments = Vec::new();
        for part in text.split_inclusive('/') {
            match part.trim_end_matches('/').strip_prefix(':') {
                Some(name) => segments.push(RouteSegment::Param {
                    name: name.to_owned(),
                    converter: "string".to_owned(),
                }),
                None => match segments.last_mut() {
                    Some(RouteSegment::Literal(have)) => have.push_str(part),
                    _ => segments.push(RouteSegment::Literal(part.to_owned())),
                },
            }
        }
        Pattern::of(text, &segments)
    }

    #[test]
    fn a_prefix_is_of_text_or_of_segments() {
        assert_eq!(pattern("/apis").begins_with("/api"), Fits::Always);
        assert_eq!(pattern("/apis").below("/api"), Fits::Never);
        assert_eq!(pattern("/api").below("/api/"), Fits::Always);
        assert_eq!(pattern("/api/x").below("/api"), Fits::Always);
        assert_eq!(pattern("/:any").below("/api"), Fits::Maybe);
        assert_eq!(pattern("/other").below("/api"), Fits::Never);
        assert_eq!(pattern("/other").below("/"), Fits::Always);
    }

    #[test]
    fn a_prefix_that_is_taken_off_is_put_back_on() {
        let moved = pattern("/search").moved("/", "/api/");
        assert_eq!(
            moved.map(|p| p.head().to_owned()).as_deref(),
            Some("/api/search")
        );
        assert!(pattern("/search").moved("/v1/", "/api/").is_none());
        assert!(Pattern::anything().moved("/v1/", "/api/").is_some());
    }
}
