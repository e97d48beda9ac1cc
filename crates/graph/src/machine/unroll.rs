//! Loops of few turns, taken one turn after the other, as they run.
//!
//! A loop is taken so where every decision for another turn, and every way out, is known: what the last turn leaves
//! is then what stands behind the loop. Anything else is taken to a fixpoint, which holds for any number of turns.

use solvent_ir::{self as ir, Arg, FunctionKind, Item, Op, Terminator};

use super::frame::Way;
use super::{Frame, Machine};
use crate::value::V;

/// Most turns that are taken one by one.
const MAX_TURNS: usize = 8;
/// Largest loop that is, in instructions: eight turns of it are eight times the work.
const MAX_INSTS: u32 = 256;
/// Blocks of a function in which loops are looked at: each loop looks at all of them.
const MAX_BLOCKS: usize = 4096;

/// What a turn of a loop is told: which way its head goes on, and what its elements are.
#[derive(Default, Debug)]
pub(crate) struct Turn {
    head: Option<(u32, bool)>,
    elements: Vec<(u32, V)>,
}

impl Turn {
    pub(super) fn decided(&self, block: u32) -> Option<bool> {
        self.head
            .and_then(|(head, on)| (head == block).then_some(on))
    }

    pub(super) fn element(&self, index: u32) -> Option<V> {
        let found = self.elements.iter().find(|(at, _)| *at == index);
        found.map(|(_, v)| *v)
    }
}

/// The elements that a loop goes through: the instruction that gives them, and each one.
type Items = Vec<(u32, Vec<V>)>;

impl Machine<'_> {
    /// Takes a loop turn by turn; `false` where that cannot be done, and then nothing has happened.
    pub(super) fn unrolled(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        blocks: &[u32],
        first: u32,
    ) -> bool {
        let head = blocks[0];
        if function.kind == FunctionKind::Module
            || first > 0
            || self.look_everywhere == Some(frame.f)
            || !frame.live[head as usize]
            || !is_plain(frame, function, blocks)
        {
            return false;
        }
        let Some(items) = self.items(frame, function, blocks) else {
            return false;
        };
        let kept = frame.kept();
        let before = (
            frame.taken.clone(),
            frame.live.clone(),
            frame.facts.clone(),
            frame.known.clone(),
            frame.vals.clone(),
            frame.cells.clone(),
            frame.cells_changed,
        );
        if self.turn_by_turn(frame, function, blocks, &items) {
            return true;
        }
        frame.start_over(&kept);
        frame.turn = Turn::default();
        (
            frame.taken,
            frame.live,
            frame.facts,
            frame.known,
            frame.vals,
            frame.cells,
            frame.cells_changed,
        ) = before;
        false
    }

    fn turn_by_turn(
        &mut self,
        frame: &mut Frame,
        function: &ir::Function,
        blocks: &[u32],
        items: &Items,
    ) -> bool {
        let head = blocks[0];
        let inside = |block: u32| blocks.contains(&block);
        let cuts = frame.cut.len();
        let entering = frame.ways_into(function, head, blocks);
        let mut back: Vec<(u32, Way)> = Vec::new();
        let mut taken: Vec<(u32, Way)> = Vec::new();
        let count = items.first().map(|(_, list)| list.len());
        for turn in 0..=MAX_TURNS {
            // Of what leads to the head only the way that control came this time.
            for block in blocks {
                frame.taken[*block as usize] = 0;
            }
            entering.iter().for_each(|way| frame.untake(*way));
            let came = match turn {
                0 => entering.clone(),
                _ => std::mem::take(&mut back),
            };
            came.iter().for_each(|way| frame.take(*way));
            for block in &blocks[1..] {
                frame.live[*block as usize] = false;
                frame.facts[*block as usize] = None;
            }
            frame.turn = Turn {
                head: count.map(|count| (head, turn < count)),
                elements: items
                    .iter()
                    .filter_map(|(at, list)| Some((*at, *list.get(turn)?)))
                    .collect(),
            };
            for block in blocks {
                if frame.live[*block as usize] {
                    self.run_block(frame, function, *block, 0);
                    if *block == head {
                        // What the next turn comes from is written anew.
                        came.iter().for_each(|way| frame.untake(*way));
                    }
                }
            }
            let round: Vec<(u32, Way, u32)> = blocks
                .iter()
                .flat_map(|from| frame.ways_from(function, *from))
                .collect();
            back.extend(
                round
                    .iter()
                    .filter(|(_, _, to)| *to == head)
                    .map(|(from, way, _)| (*from, *way)),
            );
            let again = !back.is_empty();
            let out = round.iter().any(|(_, _, to)| !inside(*to));
            taken.extend(round.iter().map(|(from, way, _)| (*from, *way)));
            taken.extend(came);
            if again && out {
                return false;
            }
            if !again {
                frame.turn = Turn::default();
                taken.iter().for_each(|way| frame.take(*way));
                for from in blocks {
                    for (_, _, to) in frame.ways_from(function, *from) {
                        if inside(to) {
                            frame.live[to as usize] = true;
                            if frame.facts[to as usize].is_none() {
                                frame.facts[to as usize] = frame.facts[head as usize].clone();
                            }
                        }
                    }
                }
                // What one turn did not take another may have.
                let mut decided = frame.cut.split_off(cuts);
                decided.retain(|(from, to)| !frame.went(function, *from, *to));
                frame.cut.extend(decided);
                return true;
            }
        }
        false
    }

    /// What the loop goes through, where its head asks for another element: `None` where that is not known. A loop
    /// that decides by itself has no items.
    fn items(&mut self, frame: &Frame, function: &ir::Function, blocks: &[u32]) -> Option<Items> {
        let head = &function.blocks[blocks[0] as usize];
        let Terminator::Branch {
            condition, then, ..
        } = &head.terminator
        else {
            // `while True` and `do`: the ways out decide.
            return Some(Vec::new());
        };
        let asked = &function.insts[condition.0 as usize];
        if !matches!(asked.op, Op::Unknown(_)) {
            return Some(Vec::new());
        }
        let body = &function.blocks[then.0 as usize];
        let mut items: Items = Vec::new();
        for index in body.start..body.end {
            let inst = &function.insts[index as usize];
            let Op::Element(over) = inst.op else { continue };
            if inst.span != asked.span {
                continue;
            }
            if !self.is_written(function, over) {
                return None;
            }
            let list = self.exact_items(frame.vals[over.0 as usize])?;
            if list.len() > MAX_TURNS || items.first().is_some_and(|(_, l)| l.len() != list.len()) {
                return None;
            }
            items.push((index, list));
        }
        // Nothing is said of a container without elements: it may have been filled where that is not seen.
        let known = items.first().is_some_and(|(_, list)| !list.is_empty());
        known.then_some(items)
    }

    /// Whether a list is the one that is written there, all of it: what comes out of several ways, or from elsewhere,
    /// may have fewer elements than it is known to have.
    fn is_written(&self, function: &ir::Function, list: ir::Value) -> bool {
        let op = |v: ir::Value| &function.insts[v.0 as usize].op;
        let constant = |v: &ir::Value| matches!(op(*v), Op::Const(_));
        match op(list) {
            Op::Sequence { items, .. } => items.iter().all(|item| matches!(item, Item::One(_))),
            Op::SetIndex { base, .. } => self.is_written(function, *base),
            Op::Refine { value, .. } => self.is_written(function, *value),
            Op::Call { callee, args } => match (op(*callee), &**args) {
                (Op::Global(name), args) if &*self.text(*name) == "range" => args
                    .iter()
                    .all(|n| matches!(n, Arg::Positional(n) if constant(n))),
                (Op::Global(name), [Arg::Positional(of)]) => {
                    matches!(&*self.text(*name), "<keys>" | "<values>")
                        && self.is_written(function, *of)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// One way in, one way back, nothing that catches, and small.
fn is_plain(frame: &Frame, function: &ir::Function, blocks: &[u32]) -> bool {
    let at = |block: u32| blocks.iter().position(|b| *b == block);
    if function.blocks.len() > MAX_BLOCKS {
        return false;
    }
    let mut insts = 0;
    for (here, block) in blocks.iter().enumerate() {
        let data = &function.blocks[*block as usize];
        insts += data.end - data.start;
        let forward = |to: u32| at(to).is_none_or(|there| there == 0 || there > here);
        let plain = data.handlers.is_empty()
            && match &data.terminator {
                Terminator::Jump(to) => forward(to.0),
                Terminator::Branch {
                    then, otherwise, ..
                } => forward(then.0) && forward(otherwise.0),
                _ => true,
            };
        if !plain || insts > MAX_INSTS {
            return false;
        }
    }
    let is_entry = |to: u32| at(to).is_none_or(|there| there == 0);
    let mut outside = (0..function.blocks.len() as u32).filter(|block| at(*block).is_none());
    outside.all(|from| {
        frame
            .ways_from(function, from)
            .iter()
            .all(|(_, _, to)| is_entry(*to))
    })
}
