//! How labels got where they are: hops, each behind those before it, kept once and told by number.
//!
//! A call puts all that happened inside behind what is known of its argument. That is one step here however long both
//! are ([`Traces::then`]), since most ways are never told.

use crate::hash::IdMap;
use crate::label::{Hop, TraceId, TraceKind};
use crate::link::Site;

/// Most hops of one way; what comes behind is left out.
const MAX_TRACE: u16 = 48;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    Hop(Hop),
    /// One way behind another.
    Then(TraceId, TraceId),
}

#[derive(Clone, Copy, Debug)]
struct Way {
    step: Step,
    /// In hops.
    length: u16,
    /// The last hop, which is not repeated.
    last: (Site, TraceKind),
}

/// Ways by number; 0 is the empty one.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    ways: Vec<Way>,
    ids: IdMap<Step, u32>,
}

impl Traces {
    pub fn new(start: Hop) -> Self {
        let start = Way {
            step: Step::Hop(start),
            length: 0,
            last: (start.site, start.kind),
        };
        Self {
            ways: vec![start],
            ids: IdMap::default(),
        }
    }

    pub fn count(&self) -> usize {
        self.ways.len()
    }

    /// In hops, those that are left out included.
    pub fn length(&self, id: TraceId) -> u16 {
        self.ways[id.0 as usize].length
    }

    /// A way and one hop behind it.
    pub fn hop(&mut self, hop: Hop) -> TraceId {
        let before = self.ways[hop.parent.0 as usize];
        let last = (hop.site, hop.kind);
        if before.length >= MAX_TRACE || (hop.parent.0 != 0 && before.last == last) {
            return hop.parent;
        }
        self.way(Step::Hop(hop), before.length + 1, last)
    }

    /// A way and another one behind it.
    pub fn then(&mut self, first: TraceId, second: TraceId) -> TraceId {
        let (a, b) = (self.ways[first.0 as usize], self.ways[second.0 as usize]);
        if first.0 == 0 {
            return second;
        }
        if second.0 == 0 || a.length >= MAX_TRACE || b.length >= u16::MAX - MAX_TRACE {
            return first;
        }
        self.way(Step::Then(first, second), a.length + b.length, b.last)
    }

    fn way(&mut self, step: Step, length: u16, last: (Site, TraceKind)) -> TraceId {
        let next = self.ways.len() as u32;
        let id = *self.ids.entry(step).or_insert(next);
        if id == next {
            self.ways.push(Way { step, length, last });
        }
        TraceId(id)
    }

    /// The hops of a way, the first one first, [`MAX_TRACE`] at most.
    pub fn hops(&self, id: TraceId) -> Vec<Hop> {
        let mut out = Vec::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if id.0 == 0 {
                continue;
            }
            match self.ways[id.0 as usize].step {
                Step::Hop(hop) => {
                    out.push(hop);
                    open.push(hop.parent);
                }
                Step::Then(first, second) => open.extend([first, second]),
            }
        }
        out.reverse();
        out.dedup_by_key(|hop| (hop.site, hop.kind));
        out.truncate(usize::from(MAX_TRACE));
        out
    }
}

#[cfg(test)]
mod tests {
    use solvent_base::Interner;

    use super::*;
    use crate::link::FnId;

    fn hop(parent: TraceId, inst: u32) -> Hop {
        let function = FnId(0);
        Hop {
            parent,
            kind: TraceKind::Call,
            site: Site { function, inst },
            what: Interner::new().name("f"),
        }
    }

    fn way(traces: &mut Traces, insts: impl IntoIterator<Item = u32>) -> TraceId {
        let begin = TraceId(0);
        insts
            .into_iter()
            .fold(begin, |parent, inst| traces.hop(hop(parent, inst)))
    }

    fn told(traces: &Traces, id: TraceId) -> Vec<u32> {
        traces.hops(id).iter().map(|hop| hop.site.inst).collect()
    }

    #[test]
    fn ways_are_told_in_order_however_they_were_put_together() {
        let mut traces = Traces::new(hop(TraceId(0), 0));
        let (a, b, c) = (
            way(&mut traces, [1, 2]),
            way(&mut traces, [3]),
            way(&mut traces, [4, 5]),
        );
        let ab = traces.then(a, b);
        let left = traces.then(ab, c);
        let bc = traces.then(b, c);
        let right = traces.then(a, bc);
        assert_eq!(told(&traces, left), [1, 2, 3, 4, 5]);
        assert_eq!(told(&traces, right), [1, 2, 3, 4, 5]);
        assert_eq!(traces.length(left), 5);
        let on = traces.hop(hop(left, 6));
        assert_eq!(told(&traces, on), [1, 2, 3, 4, 5, 6]);
        assert_eq!(traces.then(TraceId(0), c), c);
        assert_eq!(traces.then(c, TraceId(0)), c);
    }

    #[test]
    fn a_hop_is_not_repeated_where_two_ways_meet() {
        let mut traces = Traces::new(hop(TraceId(0), 0));
        let (a, b) = (way(&mut traces, [1, 2]), way(&mut traces, [2, 3]));
        let both = traces.then(a, b);
        assert_eq!(told(&traces, both), [1, 2, 3]);
        assert_eq!(traces.hop(hop(both, 3)), both);
    }

    #[test]
    fn a_long_way_is_cut_at_its_end() {
        let mut traces = Traces::new(hop(TraceId(0), 0));
        let long = way(&mut traces, 1..=40);
        let more = way(&mut traces, 101..=140);
        let both = traces.then(long, more);
        let hops = told(&traces, both);
        assert_eq!(hops.len(), usize::from(MAX_TRACE));
        assert_eq!((hops[0], hops[47]), (1, 108));
        assert_eq!(traces.then(both, more), both);
        assert_eq!(traces.hop(hop(both, 7)), both);
    }
}
