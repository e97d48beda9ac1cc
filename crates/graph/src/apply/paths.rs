//! Paths made of parts.

use solvent_models::{ArgSelector, How, Member, PortRoot};

use crate::label::{Marks, Note};
use crate::library::Ports;
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Piece, V};

/// What a later part does that is absolute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absolute {
    /// It drops what stands before it: Python, `path.resolve`.
    Drops,
    /// It is a part like the others.
    Stays,
}

impl Machine<'_> {
    pub(crate) fn path_join(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
        site: Site,
    ) -> V {
        let mut parts: Vec<V> = Vec::new();
        if let Some(receiver) = ports.receiver
            && member
                .steps
                .iter()
                .any(|s| s.how == How::PathJoin && s.from.root == PortRoot::Receiver)
        {
            parts.push(self.object_data(receiver));
        }
        let mut cleared: Vec<(usize, u64)> = Vec::new();
        for (i, (v, _)) in ports.args.pos.iter().enumerate() {
            let mut kinds = 0;
            let mut used = false;
            for step in member.steps.iter().filter(|s| s.how == How::PathJoin) {
                let covers = match &step.from.root {
                    PortRoot::Arg(ArgSelector::All) => true,
                    PortRoot::Arg(ArgSelector::From(first)) => i >= *first as usize,
                    PortRoot::Arg(ArgSelector::One { position, .. }) => *position == Some(i as u32),
                    _ => false,
                };
                if covers {
                    used = true;
                    kinds |= step.clears.0;
                }
            }
            if used {
                cleared.push((parts.len(), kinds));
                parts.push(self.object_data(*v));
            }
        }
        if let Some(spread) = ports.args.spread {
            parts.push(spread);
        }
        let by = self.name(&member.path);
        for (at, kinds) in cleared {
            if kinds != 0 {
                parts[at] =
                    self.w
                        .store
                        .clear(parts[at], kinds, Note::Sanitized { site, by, kinds });
            }
        }
        let absolute = match member.path.as_str() {
            "path.join" | "path.Join" | "path/filepath.Join" => Absolute::Stays,
            _ => Absolute::Drops,
        };
        let joined = self.join_paths(frame, index, &parts, site, absolute);
        match self.joins_cleanly() {
            true => self.w.store.mark(joined, Marks::NORMAL),
            false => joined,
        }
    }

    /// Whether what the language's library joins comes out without `.` and `..` in it (Node, `path.join`; Go,
    /// `filepath.Join`).
    pub(crate) fn joins_cleanly(&self) -> bool {
        self.is_javascript() || self.is_go()
    }

    /// What a path that begins with a slash is after `.` and `..` were resolved: nothing in it climbs.
    pub(crate) fn normalized(&mut self, v: V) -> V {
        let rooted = self.w.store.atoms(v).all(|a| match a {
            Atom::Text(pieces) => match pieces.first() {
                Some(Piece::Lit(text)) => self.text(*text).starts_with('/'),
                _ => false,
            },
            _ => false,
        });
        let marks = match rooted {
            true => Marks::NORMAL | Marks::NO_CLIMB,
            false => Marks::NORMAL,
        };
        self.w.store.mark(v, marks)
    }

    /// Parts joined by separators.
    pub(crate) fn join_paths(
        &mut self,
        frame: &mut Frame,
        index: u32,
        parts: &[V],
        site: Site,
        absolute: Absolute,
    ) -> V {
        let slash = self.name("/");
        let mut all: Vec<Vec<Piece>> = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let part = if i > 0 && absolute == Absolute::Drops {
                self.w.store.mark(*part, Marks::JOINED)
            } else {
                *part
            };
            let text = self.stringify(frame, index, part);
            let pieces = self.pieces(text);
            if i == 0 {
                all = pieces;
                continue;
            }
            let mut next = Vec::new();
            for left in &all {
                for right in &pieces {
                    if next.len() >= 4 {
                        break;
                    }
                    let begins = matches!(right.first(), Some(Piece::Lit(n)) if self.text(*n).starts_with('/'));
                    if begins && absolute == Absolute::Drops {
                        next.push(right.clone());
                        continue;
                    }
                    let mut joined = left.clone();
                    let ends = match joined.last() {
                        Some(Piece::Lit(n)) => {
                            self.text(*n).ends_with('/') || *n == self.w.store.empty
                        }
                        None => true,
                        Some(Piece::Data(_)) => false,
                    };
                    if !ends {
                        joined.push(Piece::Lit(slash));
                    }
                    joined.extend(right.iter().copied());
                    next.push(joined);
                }
            }
            all = next;
        }
        self.texts(all, site)
    }
}
