//! Texts of routes of which only parts are known.

use solvent_ir::Const;
use solvent_models::{EntryRow, RouteSyntax};

use crate::machine::Machine;
use crate::value::{Atom, Piece, V};

impl Machine<'_> {
    /// Routes of which parts are not known: an unknown beginning is left out where the rest begins with a slash, and an
    /// unknown segment inside is one that takes anything.
    pub(super) fn parts_of_texts(&self, v: V, row: &EntryRow) -> Option<Vec<String>> {
        if self.has_receivers() {
            return None;
        }
        let any = match row.syntax {
            RouteSyntax::Angle | RouteSyntax::AngleName => Some("<unknown>"),
            RouteSyntax::Brace => Some("{unknown}"),
            RouteSyntax::Colon => Some(":unknown"),
            RouteSyntax::Regex => None,
        };
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            let Atom::Text(pieces) = atom else {
                return None;
            };
            let mut route = String::new();
            let mut after_unknown = false;
            for (at, piece) in pieces.iter().enumerate() {
                match piece {
                    Piece::Lit(text) => {
                        let text = self.text(*text);
                        if after_unknown && !text.starts_with('/') {
                            return None;
                        }
                        route.push_str(&text);
                        after_unknown = false;
                    }
                    Piece::Data(_) if at == 0 => after_unknown = true,
                    Piece::Data(_) if route.ends_with('/') => {
                        route.push_str(any?);
                        after_unknown = true;
                    }
                    Piece::Data(_) => return None,
                }
            }
            // Of a route that is nothing but unknown nothing is said.
            let says = route
                .split('/')
                .any(|part| !part.is_empty() && Some(part) != any);
            if !route.starts_with('/') || !says {
                return None;
            }
            out.push(route);
        }
        (!out.is_empty()).then_some(out)
    }

    /// Regular expressions with parts that are not known, which then let everything through.
    pub(super) fn pattern_texts(&self, v: V, row: &EntryRow) -> Option<Vec<String>> {
        if row.syntax != RouteSyntax::Regex {
            return None;
        }
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            let Atom::Text(pieces) = atom else { continue };
            let parts = pieces.iter().map(|piece| match piece {
                Piece::Lit(text) => self.text(*text).to_string(),
                Piece::Data(_) => ".*".to_owned(),
            });
            out.push(parts.collect());
        }
        (!out.is_empty()).then_some(out)
    }

    /// The constants among the alternatives of a text.
    pub(super) fn some_texts(&self, v: V) -> Option<Vec<String>> {
        let texts: Vec<String> = self
            .w
            .store
            .atoms(v)
            .filter_map(|a| match a {
                Atom::Const(Const::Str(name)) => Some(self.text(*name).to_string()),
                _ => None,
            })
            .collect();
        (!texts.is_empty()).then_some(texts)
    }
}
