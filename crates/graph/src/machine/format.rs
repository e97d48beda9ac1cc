//! Texts put together from parts.

use solvent_ir::FormatPart;

use super::{Frame, Machine};
use crate::label::Link;
use crate::value::{Piece, V};

impl Machine<'_> {
    pub(super) fn format(&mut self, frame: &mut Frame, index: u32, parts: &[FormatPart]) -> V {
        let mut alternatives: Vec<Vec<Piece>> = vec![Vec::new()];
        for part in parts {
            let more = match part {
                FormatPart::Literal(name) => vec![vec![Piece::Lit(*name)]],
                FormatPart::Value {
                    value,
                    conversion,
                    spec,
                } => {
                    let mut v = frame.vals[value.0 as usize];
                    let numeric = spec.is_some_and(|s| {
                        self.text(s)
                            .ends_with(['d', 'x', 'X', 'o', 'b', 'f', 'e', 'g', 'n', '%'])
                    });
                    if numeric {
                        v = self.guessable(v);
                    } else if conversion.is_some_and(|c| c != 's') {
                        v = self.derive(
                            v,
                            &Link::Transform(solvent_finding::Transform::Opaque("repr".to_owned())),
                        );
                    } else {
                        v = self.stringify(frame, index, v);
                    }
                    self.pieces(v)
                }
            };
            alternatives = self.cross(alternatives, more);
        }
        self.sends_on(frame, index, &alternatives);
        let site = self.site(frame, index);
        self.texts(alternatives, site)
    }
}
