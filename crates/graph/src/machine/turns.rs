//! Loops turn by turn: code that runs when a program starts goes over lists that are written in it, and what it
//! registers in each turn belongs together.
//!
//! A fixpoint gives one state for all turns; here each turn has its own, as long as the list is known to its end.
//! Only Python's loops over elements are taken so, only in functions that were seen to run while a module is loaded,
//! and only where nothing but the end of the list leads out of the loop.

use std::collections::{BTreeMap, BTreeSet};

use solvent_ir::{self as ir, Language, Op, Terminator};

use super::frame::Way;
use crate::machine::{Frame, Machine};
use crate::shape::{parts_within, successors};
use crate::value::{Atom, CollKind, Ls, V};

/// Most elements of a list that is gone through one by one.
const MAX_TURNS: usize = 256;
/// Turns in a whole program: some hundred registrations of some hundred calls each.
const MAX_TURNS_IN_ALL: u32 = 10_000;

/// A loop over a known list.
struct Turns {
    items: Vec<V>,
    /// The instruction that gives the element.
    element: u32,
    /// The first block of a turn.
    body: u32,
}

impl Machine<'_> {
    /// Evaluates a loop turn by turn; `false` where it cannot be, and nothing was done.
    pub(super) fn gone_through(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        blocks: &[u32],
    ) -> bool {
        let Some(turns) = self.turns_of(frame, function, blocks) else {
            return false;
        };
        let header = blocks[0];
        let inner = parts_within(function, &blocks[1..], turns.body);
        let inside = |block: u32| blocks.contains(&block);
        for block in blocks {
            frame.taken[*block as usize] = 0;
        }
        let entering = frame.ways_into(function, header, blocks);
        let mut taken: BTreeSet<(u32, Way)> = entering.iter().copied().collect();
        let mut lived: BTreeMap<u32, u32> = BTreeMap::new();
        let mut stops: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        self.unrolling += 1;
        let wide = std::mem::replace(&mut self.w.store.wide, true);
        for item in &turns.items {
            self.turns += 1;
            for block in &blocks[1..] {
                frame.live[*block as usize] = false;
                frame.facts[*block as usize] = None;
            }
            let stopped = frame.stopped.len();
            frame.elements.push((turns.element, *item));
            self.run_block(frame, function, header, 0);
            for part in &inner {
                if part.looping {
                    self.run_loop(frame, function, &part.blocks, 0);
                } else if frame.live[part.blocks[0] as usize] {
                    self.run_block(frame, function, part.blocks[0], 0);
                }
            }
            frame.elements.pop();
            for block in blocks {
                if frame.live[*block as usize] {
                    *lived.entry(*block).or_default() += 1;
                }
            }
            for stop in frame.stopped.drain(stopped..) {
                *stops.entry(stop).or_default() += 1;
            }
            let round: Vec<(u32, Way, u32)> = blocks
                .iter()
                .flat_map(|from| frame.ways_from(function, *from))
                .collect();
            for block in blocks {
                frame.taken[*block as usize] = 0;
            }
            // The next turn begins with what this one left.
            let back = round.iter().filter(|(_, _, to)| *to == header);
            let back: Vec<(u32, Way)> = back.map(|(from, way, _)| (*from, *way)).collect();
            if !back.is_empty() {
                entering.iter().for_each(|way| frame.untake(*way));
                back.iter().for_each(|way| frame.take(*way));
            }
            taken.extend(round.iter().map(|(from, way, _)| (*from, *way)));
        }
        self.unrolling -= 1;
        self.w.store.wide = wide;
        // The end of the list: what comes next finds the state after the last turn.
        self.run_block(frame, function, header, 0);
        for block in blocks {
            frame.taken[*block as usize] = 0;
        }
        // There is a first turn for all that is known, and an end.
        taken.extend([(header, Way::Then), (header, Way::Otherwise)]);
        taken.iter().for_each(|way| frame.take(*way));
        for block in &blocks[1..] {
            let live = lived.contains_key(block);
            frame.live[*block as usize] = live;
            if live && frame.facts[*block as usize].is_none() {
                frame.facts[*block as usize] = Some(Vec::new());
            }
        }
        // Dead is what no turn enters, and a dead end what every turn ends at.
        let mut cut = std::mem::take(&mut frame.cut);
        cut.retain(|(from, to)| !inside(*from) || !frame.went(function, *from, *to));
        frame.cut = cut;
        frame.stopped.extend(
            stops
                .into_iter()
                .filter(|((block, _), times)| lived.get(block) == Some(times))
                .map(|(stop, _)| stop),
        );
        true
    }

    fn turns_of(
        &mut self,
        frame: &Frame,
        function: &ir::Function,
        blocks: &[u32],
    ) -> Option<Turns> {
        if self.p.language != Language::Python
            || !self.w.at_start.contains(&frame.f)
            || self.turns >= MAX_TURNS_IN_ALL
        {
            return None;
        }
        let header = &function.blocks[blocks[0] as usize];
        let Terminator::Branch {
            condition, then, ..
        } = &header.terminator
        else {
            return None;
        };
        if !matches!(function.op(*condition), Op::Unknown(_)) || !blocks.contains(&then.0) {
            return None;
        }
        let element = function.blocks[then.0 as usize].start;
        let Op::Element(list) = &function.insts.get(element as usize)?.op else {
            return None;
        };
        let leaves = |block: &u32| {
            successors(function, *block)
                .iter()
                .any(|to| !blocks.contains(to))
        };
        if !header.handlers.is_empty() || blocks[1..].iter().any(leaves) {
            return None;
        }
        let items = self.all_elements(frame.vals[list.0 as usize])?;
        let few = items.len() <= MAX_TURNS && (self.unrolling > 0 || !items.is_empty());
        few.then_some(Turns {
            items,
            element,
            body: then.0,
        })
    }

    /// What a loop over a list or mapping goes through, in order, if all of it is known.
    fn all_elements(&mut self, v: V) -> Option<Vec<V>> {
        if let Some(items) = self.exact_items(v) {
            return Some(items);
        }
        let Some(Atom::Coll {
            kind: CollKind::Dict,
            kids,
            rest: V::NEVER,
            keys: Ls::NONE,
        }) = self.w.store.only(v).cloned()
        else {
            return None;
        };
        let keys = kids.iter().map(|(key, _)| key.clone());
        Some(keys.map(|key| self.w.store.konst(key)).collect())
    }
}
