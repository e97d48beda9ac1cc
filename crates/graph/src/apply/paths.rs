//! Paths made of parts.

use solvent_models::{ArgSelector, How, Member, PortRoot};

use crate::label::{Marks, Note};
use crate::library::Ports;
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Piece, V};

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
        self.join_paths(frame, index, &parts, site)
    }

    /// Parts joined by separators; a later part may be absolute and drop what stands before it.
    pub(crate) fn join_paths(
        &mut self,
        frame: &mut Frame,
        index: u32,
        parts: &[V],
        site: Site,
    ) -> V {
        let slash = self.name("/");
        let mut all: Vec<Vec<Piece>> = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let part = if i > 0 {
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
                    let absolute = matches!(right.first(), Some(Piece::Lit(n)) if self.text(*n).starts_with('/'));
                    if absolute {
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
