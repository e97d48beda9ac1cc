//! One activation: what is known while a function's body is evaluated.

use std::collections::BTreeMap;

use solvent_base::Name;
use solvent_ir as ir;

use crate::hash::{IdMap, IdSet};
use crate::link::Site;
use crate::link::{FnId, UnitId};
use crate::machine::Machine;
use crate::value::{EnvId, V};
use crate::world::{CallTier, Fact, Hit, Place, SinkRef, SummaryId, Touch, Use};

/// A summary that a call used, and which caller's value each parameter got.
pub(crate) type OwnCall = (SummaryId, Vec<(u32, u32)>);

/// One activation under evaluation.
pub(crate) struct Frame {
    pub f: FnId,
    pub unit: UnitId,
    pub env: EnvId,
    pub args: Vec<V>,
    pub vals: Vec<V>,
    pub live: Vec<bool>,
    /// Which ways out of each block control may take, see [`Way`].
    pub taken: Vec<u8>,
    pub facts: Vec<Option<Vec<u32>>>,
    pub fact_table: Vec<Fact>,
    /// Conditions that were decided on every way to a block, and how.
    pub known: Vec<Vec<(ir::Value, bool)>>,
    pub block: u32,
    pub afters: BTreeMap<(u32, u32), V>,
    /// Variables that functions inside read; of a crowded function, those with labels.
    pub cells: IdMap<Name, V>,
    pub cells_changed: bool,
    pub ret: V,
    pub yields: V,
    /// What may leave the function as an exception.
    pub raised: V,
    /// What the handlers that begin at these blocks catch.
    pub caught: BTreeMap<u32, V>,
    pub caught_changed: bool,
    pub returning: Vec<u32>,
    /// What each `return` gives: the value's place, and the value.
    pub returned: Vec<(u32, V)>,
    pub hits: Vec<Hit>,
    pub effects: Vec<(Place, Site, V)>,
    /// The first of `effects`, once they are many.
    pub(crate) known_effects: IdSet<(Place, Site, V)>,
    pub touched: BTreeMap<SinkRef, Touch>,
    pub used: BTreeMap<SinkRef, Use>,
    pub calls: Vec<(Site, CallTier, SummaryId)>,
    pub own_calls: BTreeMap<u32, Vec<OwnCall>>,
    pub cut: Vec<(u32, u32)>,
    /// Where control does not get past an instruction: `(block, instruction)`.
    pub stopped: Vec<(u32, u32)>,
    pub vouched: Vouched,
    pub diverged: bool,
    /// Of the loop that is taken turn by turn.
    pub turn: super::unroll::Turn,
    /// Elements of this very turn, by the instruction that gives them, in loops that are taken turn by turn.
    pub elements: Vec<(u32, V)>,
    /// Values of which another place of the same object says more: as they were computed, and as they are.
    pub patched: IdMap<u32, (V, V)>,
    pub aliases: Option<std::rc::Rc<super::alias::Aliases>>,
}

/// Effects that are looked through one by one.
const FEW_EFFECTS: usize = 16;

/// A way out of a block, as a bit: blocks may be hundreds of thousands, and each has three at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Way {
    /// Its jump, or its branch where the condition holds.
    Then = 1,
    Otherwise = 2,
    /// What it does raises: to all of its handlers.
    Handlers = 4,
}

/// What a frame had collected when a loop was entered: another round collects the rest anew.
#[derive(Default)]
pub(super) struct Kept {
    hits: usize,
    effects: usize,
    calls: usize,
    cut: usize,
    returning: usize,
    returned: usize,
    stopped: usize,
    touched: BTreeMap<SinkRef, Touch>,
    used: BTreeMap<SinkRef, Use>,
    vouched: Vouched,
    ret: V,
    yields: V,
    raised: V,
}

impl Frame {
    /// Whether control may go straight from one block to the other.
    pub fn went(&self, function: &ir::Function, from: u32, to: u32) -> bool {
        let taken = |way: Way| self.taken[from as usize] & way as u8 != 0;
        let data = &function.blocks[from as usize];
        let ends = match &data.terminator {
            ir::Terminator::Jump(next) => next.0 == to && taken(Way::Then),
            ir::Terminator::Branch {
                then, otherwise, ..
            } => (then.0 == to && taken(Way::Then)) || (otherwise.0 == to && taken(Way::Otherwise)),
            _ => false,
        };
        ends || (taken(Way::Handlers) && data.handlers.iter().any(|block| block.0 == to))
    }

    /// The ways that control may take out of a block, each with where it leads.
    pub(super) fn ways_from(&self, function: &ir::Function, from: u32) -> Vec<(u32, Way, u32)> {
        let taken = |way: Way| self.taken[from as usize] & way as u8 != 0;
        let data = &function.blocks[from as usize];
        let ends: &[(Way, ir::Block)] = match &data.terminator {
            ir::Terminator::Jump(next) => &[(Way::Then, *next)],
            ir::Terminator::Branch {
                then, otherwise, ..
            } => &[(Way::Then, *then), (Way::Otherwise, *otherwise)],
            _ => &[],
        };
        let handlers = data.handlers.iter().map(|to| (Way::Handlers, *to));
        let ways = ends.iter().copied().chain(handlers);
        ways.filter(|(way, _)| taken(*way))
            .map(|(way, to)| (from, way, to.0))
            .collect()
    }

    /// The ways that control may take into a block from others than `inside`.
    pub(super) fn ways_into(
        &self,
        function: &ir::Function,
        to: u32,
        inside: &[u32],
    ) -> Vec<(u32, Way)> {
        (0..self.taken.len() as u32)
            .filter(|from| self.taken[*from as usize] != 0 && !inside.contains(from))
            .flat_map(|from| self.ways_from(function, from))
            .filter(|(_, _, end)| *end == to)
            .map(|(from, way, _)| (from, way))
            .collect()
    }

    /// Whether the effect is among those collected so far.
    pub fn has_effect(&mut self, effect: &(Place, Site, V)) -> bool {
        if self.effects.len() < FEW_EFFECTS {
            return self.effects.contains(effect);
        }
        let new = self.effects.iter().skip(self.known_effects.len());
        self.known_effects.extend(new.copied());
        self.known_effects.contains(effect)
    }

    pub(super) fn take(&mut self, (from, way): (u32, Way)) {
        self.taken[from as usize] |= way as u8;
    }

    pub(super) fn untake(&mut self, (from, way): (u32, Way)) {
        self.taken[from as usize] &= !(way as u8);
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            hits: self.hits.len(),
            effects: self.effects.len(),
            calls: self.calls.len(),
            cut: self.cut.len(),
            returning: self.returning.len(),
            returned: self.returned.len(),
            stopped: self.stopped.len(),
            touched: self.touched.clone(),
            used: self.used.clone(),
            vouched: self.vouched.clone(),
            ret: self.ret,
            yields: self.yields,
            raised: self.raised,
        }
    }

    pub(super) fn start_over(&mut self, kept: &Kept) {
        self.hits.truncate(kept.hits);
        if self.effects.len() > kept.effects {
            self.effects.truncate(kept.effects);
            self.known_effects.clear();
        }
        self.calls.truncate(kept.calls);
        self.cut.truncate(kept.cut);
        self.returning.truncate(kept.returning);
        self.returned.truncate(kept.returned);
        self.stopped.truncate(kept.stopped);
        self.touched.clone_from(&kept.touched);
        self.used.clone_from(&kept.used);
        self.vouched.clone_from(&kept.vouched);
        self.ret = kept.ret;
        self.yields = kept.yields;
        self.raised = kept.raised;
    }
}

/// For which parameters the ways out of a function vouch: `(parameter, kinds, marks)`, by what it answers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Vouched {
    /// With what is true, not null.
    pub truthy: Option<Vec<Vouch>>,
    /// With what is false, nothing or no error.
    pub falsy: Option<Vec<Vouch>>,
    /// By coming back at all, instead of raising.
    pub any: Option<Vec<Vouch>>,
}

/// A parameter, the kinds for which it is harmless, and its marks.
pub type Vouch = (u32, u64, u16);

/// Different facts that are told apart in one function.
const MAX_FACTS: usize = 1_000;
/// Conditions remembered on the way to a block.
const MAX_KNOWN: usize = 16;

impl Machine<'_> {
    /// Control may go from `from` to `to`, knowing the condition.
    pub(super) fn enter(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        (from, way, to): (u32, Way, u32),
        condition: Option<(ir::Value, bool)>,
    ) -> bool {
        let mut facts = frame.facts[from as usize].clone().unwrap_or_default();
        if let Some((value, holds)) = condition {
            for fact in self.facts_of(frame, function, value, holds) {
                let id = match frame.fact_table.iter().position(|f| *f == fact) {
                    Some(id) => id as u32,
                    None if frame.fact_table.len() >= MAX_FACTS => continue,
                    None => {
                        frame.fact_table.push(fact);
                        frame.fact_table.len() as u32 - 1
                    }
                };
                if !facts.contains(&id) && facts.len() < 32 {
                    facts.push(id);
                }
            }
        }
        let mut known = frame.known[from as usize].clone();
        if let Some(decided) = condition
            && known.len() < MAX_KNOWN
            && !known.contains(&decided)
        {
            known.push(decided);
        }
        if frame.facts[to as usize].is_none() {
            frame.known[to as usize] = known;
        } else {
            frame.known[to as usize].retain(|decided| known.contains(decided));
        }
        let taken = &mut frame.taken[from as usize];
        let changed = *taken & way as u8 == 0;
        *taken |= way as u8;
        frame.live[to as usize] = true;
        let slot = &mut frame.facts[to as usize];
        match slot {
            None => *slot = Some(facts),
            Some(have) => have.retain(|f| facts.contains(f)),
        }
        changed
    }
}
