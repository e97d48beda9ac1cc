//! Static single assignment form, built on the fly.
//!
//! After Braun, Buchwald, Hack, Leißa, Mallon and Zwinkau, "Simple and Efficient Construction of
//! Static Single Assignment Form" (CC 2013): sealed blocks, incomplete phis, removal of trivial phis.
//! Two things are added. Reading is iterative, because a file may be a million blocks long; and a
//! join knows the block that dominates it together with the stretch of writes made in between, so
//! that a variable which was not written there is read past the whole construct without a phi.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use solvent_base::{Name, Span};
use solvent_ir::{Block, BlockData, Inst, Op, Terminator, Value};

/// Multiplicative hashing for small integer keys that no attacker can choose freely: names are
/// numbered by arrival.
#[derive(Default)]
pub(crate) struct IntHasher(u64);

impl Hasher for IntHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        // The 64-bit golden ratio; the rotation brings high, well-mixed bits down to the bucket index.
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

pub(crate) type IntMap<K, V> = HashMap<K, V, BuildHasherDefault<IntHasher>>;

/// Steps that reading variables may take in one function. Each may leave a phi operand and a note of
/// what it found, 40 bytes together, so 2 million stay below 100 MB.
const READ_STEPS: u32 = 2_000_000;

/// The value of a variable that is not bound.
const UNBOUND: Value = Value(u32::MAX);

/// What a name stands for where this function has not bound it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// Reading it is an error at run time.
    Nothing,
    /// The module or builtin of that name (module and class bodies).
    Global,
}

/// The block that dominates a join, and the writes that happened between the two.
#[derive(Clone, Copy)]
pub(crate) struct Bypass {
    dominator: Block,
    from: u32,
    to: u32,
}

#[derive(Default)]
struct BuildBlock {
    /// Phis, and what has to stand before the body.
    head: Vec<Value>,
    body: Vec<Value>,
    predecessors: Vec<Block>,
    handlers: Vec<Block>,
    terminator: Option<Terminator>,
    bypass: Option<Bypass>,
    incomplete: Vec<(Name, Value)>,
    sealed: bool,
    started: bool,
}

struct PhiInfo {
    variable: Name,
    block: Block,
    /// Operands are known.
    filled: bool,
    /// On some way here the variable is not bound.
    partial: bool,
    users: Vec<Value>,
}

/// One function under construction.
pub(crate) struct Builder {
    insts: Vec<Inst>,
    blocks_of: Vec<Block>,
    forward: IntMap<u32, Value>,
    /// Of each version of an object, the first one that was known when it was emitted.
    firsts: IntMap<u32, Value>,
    blocks: Vec<BuildBlock>,
    current: Option<Block>,
    definitions: IntMap<(u32, Name), Value>,
    phis: IntMap<u32, PhiInfo>,
    writes: IntMap<Name, Vec<u32>>,
    clock: u32,
    /// Per value the newest of its entries in `held`, each with the one before it.
    holders: IntMap<u32, u32>,
    held: Vec<(Name, Option<u32>)>,
    steps: u32,
    fallback: Fallback,
    handlers: Vec<Block>,
}

pub(crate) struct Built {
    pub insts: Vec<Inst>,
    pub blocks: Vec<BlockData>,
    /// Final value of each value handed out while building.
    pub renumber: Vec<Value>,
    /// Some variable could not be followed to its definitions within the budget.
    pub exhausted: bool,
}

impl Builder {
    pub fn new(fallback: Fallback) -> Self {
        let mut builder = Self {
            insts: Vec::new(),
            blocks_of: Vec::new(),
            forward: IntMap::default(),
            firsts: IntMap::default(),
            blocks: Vec::new(),
            current: None,
            definitions: IntMap::default(),
            phis: IntMap::default(),
            writes: IntMap::default(),
            clock: 0,
            holders: IntMap::default(),
            held: Vec::new(),
            steps: 0,
            fallback,
            handlers: Vec::new(),
        };
        let entry = builder.block();
        builder.seal(entry);
        builder.start(entry);
        builder
    }

    // Blocks.

    /// A new block, not yet sealed and not yet started.
    pub fn block(&mut self) -> Block {
        self.blocks.push(BuildBlock::default());
        Block(self.blocks.len() as u32 - 1)
    }

    /// Instructions go to `block` from here on. A block that nothing jumps to is left out, unless
    /// something follows: code after it is then dead.
    pub fn start(&mut self, block: Block) {
        let data = &mut self.blocks[block.0 as usize];
        if block.0 > 0 && data.sealed && data.predecessors.is_empty() {
            self.current = None;
            return;
        }
        data.started = true;
        data.handlers.clone_from(&self.handlers);
        self.current = Some(block);
    }

    /// The current block; a new one without predecessors if control cannot get here.
    pub fn here(&mut self) -> Block {
        if let Some(block) = self.current {
            return block;
        }
        let block = self.block();
        let data = &mut self.blocks[block.0 as usize];
        data.sealed = true;
        data.started = true;
        data.handlers.clone_from(&self.handlers);
        self.current = Some(block);
        block
    }

    /// Whether control can reach this point.
    pub fn is_live(&self) -> bool {
        self.current.is_some()
    }

    pub fn has_predecessors(&self, block: Block) -> bool {
        !self.blocks[block.0 as usize].predecessors.is_empty()
    }

    /// Ends the current block; code that follows is dead until a block is started.
    pub fn terminate(&mut self, terminator: Terminator) {
        let block = self.here();
        match terminator {
            Terminator::Jump(to) => self.edge(block, to),
            Terminator::Branch {
                then, otherwise, ..
            } => {
                self.edge(block, then);
                self.edge(block, otherwise);
            }
            Terminator::Return(_) | Terminator::Raise(_) | Terminator::Stop => {}
        }
        for i in 0..self.blocks[block.0 as usize].handlers.len() {
            let handler = self.blocks[block.0 as usize].handlers[i];
            self.edge(block, handler);
        }
        self.blocks[block.0 as usize].terminator = Some(terminator);
        self.current = None;
    }

    fn edge(&mut self, from: Block, to: Block) {
        let predecessors = &mut self.blocks[to.0 as usize].predecessors;
        // All edges of one block are added at once, so a repeated one is among the last.
        if !predecessors.iter().rev().take(2).any(|&p| p == from) {
            predecessors.push(from);
        }
    }

    pub fn jump(&mut self, to: Block) {
        if self.is_live() {
            self.terminate(Terminator::Jump(to));
        }
    }

    /// A mark for [`Self::bypass`], taken where the construct begins.
    pub fn mark(&self) -> u32 {
        self.clock
    }

    /// Declares that every way from outside to `join` leads through the end of `dominator` and that
    /// nothing was written on the way except since `from`.
    pub fn bypass(&mut self, join: Block, dominator: Block, from: u32) {
        self.blocks[join.0 as usize].bypass = Some(Bypass {
            dominator,
            from,
            to: self.clock,
        });
    }

    /// Declares that all predecessors of `block` are known.
    pub fn seal(&mut self, block: Block) {
        let data = &mut self.blocks[block.0 as usize];
        data.sealed = true;
        let incomplete = std::mem::take(&mut data.incomplete);
        let bypass = data.bypass;
        let mut work = Vec::new();
        for (variable, phi) in incomplete {
            if let Some(bypass) = bypass
                && !self.written(variable, bypass)
            {
                let value = self.read_at(bypass.dominator, variable, &mut work);
                if value != UNBOUND && value != phi {
                    self.replace(phi, value);
                    continue;
                }
            }
            work.push(phi);
        }
        self.fill(work);
    }

    /// The blocks that code started from here on may raise into.
    pub fn handlers(&self) -> &[Block] {
        &self.handlers
    }

    pub fn set_handlers(&mut self, handlers: Vec<Block>) {
        self.handlers = handlers;
    }

    // Instructions.

    pub fn emit(&mut self, op: Op, span: Span) -> Value {
        let block = self.here();
        let earlier = match op {
            Op::After { object, .. } => Some(object),
            Op::SetAttr { base, .. } | Op::SetIndex { base, .. } | Op::DelIndex { base, .. } => {
                Some(base)
            }
            Op::Refine { value, .. } => Some(value),
            _ => None,
        };
        let value = self.push(op, span, block);
        self.blocks[block.0 as usize].body.push(value);
        if let Some(earlier) = earlier {
            let first = self.first(earlier);
            self.firsts.insert(value.0, first);
        }
        value
    }

    /// The first version of the object that a value is a version of. Each one knows the first of its own time, so that
    /// an object that is changed again and again is not followed back through all its versions.
    pub fn first(&self, value: Value) -> Value {
        let mut value = self.resolve(value);
        while let Some(&first) = self.firsts.get(&value.0) {
            value = self.resolve(first);
        }
        value
    }

    /// One value that stands for whichever of `values` comes with the block that control came from. They
    /// are all the predecessors of the current block, which is still empty.
    pub fn merge(&mut self, values: Vec<(Block, Value)>, span: Span) -> Value {
        let first = values.first().map(|&(_, value)| self.resolve(value));
        if let Some(first) = first
            && values
                .iter()
                .all(|&(_, value)| self.resolve(value) == first)
        {
            return first;
        }
        let block = self.here();
        let value = self.push(Op::Phi(values), span, block);
        self.blocks[block.0 as usize].head.push(value);
        value
    }

    fn push(&mut self, op: Op, span: Span, block: Block) -> Value {
        self.insts.push(Inst { op, span });
        self.blocks_of.push(block);
        Value(self.insts.len() as u32 - 1)
    }

    pub fn op(&self, value: Value) -> &Op {
        &self.insts[value.0 as usize].op
    }

    /// The block in which `value` is computed.
    pub fn block_of(&self, value: Value) -> Block {
        self.blocks_of[value.0 as usize]
    }

    /// `value`, or what it was replaced by.
    pub fn resolve(&self, mut value: Value) -> Value {
        while let Some(&next) = self.forward.get(&value.0) {
            value = next;
        }
        value
    }

    // Variables.

    pub fn write(&mut self, variable: Name, value: Value) {
        let block = self.here();
        self.definitions.insert((block.0, variable), value);
        self.clock += 1;
        self.writes.entry(variable).or_default().push(self.clock);
        self.hold(value, variable);
    }

    /// Number of writes so far.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// The variable is not bound from here on.
    pub fn unbind(&mut self, variable: Name) {
        let block = self.here();
        self.definitions.insert((block.0, variable), UNBOUND);
        self.clock += 1;
        self.writes.entry(variable).or_default().push(self.clock);
    }

    /// The value of `variable` here, if it is bound on any way here.
    pub fn read(&mut self, variable: Name) -> Option<Value> {
        let block = self.here();
        let mut work = Vec::new();
        let value = self.read_at(block, variable, &mut work);
        self.fill(work);
        if value == UNBOUND {
            return None;
        }
        Some(self.resolve(value))
    }

    /// Variables that held `value` at some time, oldest first; ask [`Self::read`] whether they still do.
    pub fn holders(&self, value: Value) -> Vec<Name> {
        let mut holders: Vec<Name> = self.each_holder(value).collect();
        holders.reverse();
        holders
    }

    fn each_holder(&self, value: Value) -> impl Iterator<Item = Name> {
        let mut next = self.holders.get(&value.0).copied();
        std::iter::from_fn(move || {
            let (name, before) = self.held[next? as usize];
            next = before;
            Some(name)
        })
    }

    fn hold(&mut self, value: Value, variable: Name) {
        if self.each_holder(value).any(|name| name == variable) {
            return;
        }
        let entry = self.held.len() as u32;
        let before = self.holders.insert(value.0, entry);
        self.held.push((variable, before));
    }

    fn written(&self, variable: Name, bypass: Bypass) -> bool {
        self.writes.get(&variable).is_some_and(|times| {
            let first = times.partition_point(|&time| time <= bypass.from);
            times.get(first).is_some_and(|&time| time <= bypass.to)
        })
    }

    fn read_at(&mut self, start: Block, variable: Name, work: &mut Vec<Value>) -> Value {
        let mut block = start;
        let value = loop {
            self.steps = self.steps.saturating_add(1);
            if self.steps > READ_STEPS {
                return UNBOUND;
            }
            if let Some(&value) = self.definitions.get(&(block.0, variable)) {
                break if value == UNBOUND {
                    value
                } else {
                    self.resolve(value)
                };
            }
            let data = &self.blocks[block.0 as usize];
            if !data.sealed {
                let phi = self.phi(block, variable);
                self.blocks[block.0 as usize]
                    .incomplete
                    .push((variable, phi));
                break phi;
            }
            if data.predecessors.is_empty() {
                break self.unbound_at(block, variable);
            }
            if let [only] = data.predecessors[..] {
                block = only;
                continue;
            }
            if let Some(bypass) = data.bypass
                && !self.written(variable, bypass)
            {
                block = bypass.dominator;
                continue;
            }
            let phi = self.phi(block, variable);
            work.push(phi);
            break phi;
        };
        self.definitions.insert((start.0, variable), value);
        value
    }

    fn unbound_at(&mut self, block: Block, variable: Name) -> Value {
        if self.fallback == Fallback::Nothing {
            return UNBOUND;
        }
        let value = self.push(Op::Global(variable), Span::default(), block);
        self.blocks[block.0 as usize].head.push(value);
        self.definitions.insert((block.0, variable), value);
        self.hold(value, variable);
        value
    }

    fn phi(&mut self, block: Block, variable: Name) -> Value {
        let phi = self.push(Op::Phi(Vec::new()), Span::default(), block);
        self.blocks[block.0 as usize].head.push(phi);
        self.definitions.insert((block.0, variable), phi);
        self.phis.insert(
            phi.0,
            PhiInfo {
                variable,
                block,
                filled: false,
                partial: false,
                users: Vec::new(),
            },
        );
        self.hold(phi, variable);
        phi
    }

    fn fill(&mut self, mut work: Vec<Value>) {
        let mut filled = Vec::new();
        while let Some(phi) = work.pop() {
            let Some(info) = self.phis.get(&phi.0) else {
                continue;
            };
            let (variable, block) = (info.variable, info.block);
            let count = self.blocks[block.0 as usize].predecessors.len();
            let mut operands = Vec::with_capacity(count);
            let mut partial = false;
            for i in 0..count {
                let predecessor = self.blocks[block.0 as usize].predecessors[i];
                let value = self.read_at(predecessor, variable, &mut work);
                if value == UNBOUND {
                    partial = true;
                    continue;
                }
                if let Some(used) = self.phis.get_mut(&value.0) {
                    used.users.push(phi);
                }
                operands.push((predecessor, value));
            }
            self.insts[phi.0 as usize].op = Op::Phi(operands);
            if let Some(info) = self.phis.get_mut(&phi.0) {
                info.filled = true;
                info.partial = partial;
            }
            filled.push(phi);
        }
        for phi in filled.into_iter().rev() {
            self.simplify(phi);
        }
    }

    /// Removes `phi` if it merges one value with itself, and then phis that this makes trivial.
    fn simplify(&mut self, phi: Value) {
        let mut queue = vec![phi];
        while let Some(phi) = queue.pop() {
            let Some(info) = self.phis.get(&phi.0) else {
                continue;
            };
            if !info.filled {
                continue;
            }
            let partial = info.partial;
            let Op::Phi(operands) = &self.insts[phi.0 as usize].op else {
                continue;
            };
            let mut same = None;
            let mut several = false;
            for &(_, operand) in operands {
                let operand = self.resolve(operand);
                if operand == phi || same == Some(operand) {
                    continue;
                }
                several |= same.is_some();
                same = Some(operand);
            }
            match same {
                Some(_) if several || partial => {}
                Some(value) => queue.extend(self.replace(phi, value)),
                None => {
                    self.insts[phi.0 as usize].op = Op::Unknown("unbound variable");
                    self.phis.remove(&phi.0);
                }
            }
        }
    }

    /// Makes `value` stand for `phi` and returns the phis that used it.
    fn replace(&mut self, phi: Value, value: Value) -> Vec<Value> {
        let Some(info) = self.phis.remove(&phi.0) else {
            return Vec::new();
        };
        let value = self.resolve(value);
        self.forward.insert(phi.0, value);
        self.hold(value, info.variable);
        if let Some(target) = self.phis.get_mut(&value.0) {
            target
                .users
                .extend(info.users.iter().copied().filter(|&user| user != phi));
        }
        info.users
    }

    // The finished function.

    /// Lays the blocks out in order, without what nobody uses. `kept` are values that are used from
    /// outside of the function. A block that merely continues the one before it is merged into it,
    /// unless their exceptions go somewhere: then the border is a state a handler may see.
    pub fn finish(mut self, return_span: Span, kept: &[Value]) -> Built {
        if self.is_live() {
            let none = self.emit(Op::Const(solvent_ir::Const::None), return_span);
            self.terminate(Terminator::Return(Some(none)));
        }
        self.sweep(kept);
        self.skip_empty_blocks();
        let count = self.blocks.len();
        let mut merged_into: Vec<u32> = (0..count as u32).collect();
        let mut next: Vec<Option<u32>> = vec![None; count];
        for (index, block) in self.blocks.iter().enumerate() {
            let Some(Terminator::Jump(to)) = block.terminator else {
                continue;
            };
            let target = &self.blocks[to.0 as usize];
            if to.0 > 0
                && to.0 as usize != index
                && target.predecessors.len() == 1
                && block.started
                && target.started
                && block.handlers.is_empty()
                && target.handlers.is_empty()
            {
                next[index] = Some(to.0);
                merged_into[to.0 as usize] = index as u32;
            }
        }
        let heads: Vec<u32> = (0..count as u32)
            .filter(|&b| self.blocks[b as usize].started && merged_into[b as usize] == b)
            .collect();
        let mut place: Vec<u32> = vec![u32::MAX; count];
        for (new, &head) in heads.iter().enumerate() {
            let mut cursor = Some(head);
            while let Some(block) = cursor {
                place[block as usize] = new as u32;
                cursor = next[block as usize];
            }
        }

        let mut order: Vec<Value> = Vec::with_capacity(self.insts.len());
        let mut blocks = Vec::with_capacity(heads.len());
        for &head in &heads {
            let start = order.len() as u32;
            let mut last = head;
            let mut cursor = Some(head);
            while let Some(index) = cursor {
                let block = &self.blocks[index as usize];
                let is_phi = |v: &&Value| matches!(self.insts[v.0 as usize].op, Op::Phi(_));
                order.extend(block.head.iter().filter(is_phi));
                order.extend(block.head.iter().filter(|v| !is_phi(v)));
                order.extend(&block.body);
                last = index;
                cursor = next[index as usize];
            }
            let data = &mut self.blocks[last as usize];
            blocks.push(BlockData {
                start,
                end: order.len() as u32,
                terminator: data.terminator.take().unwrap_or(Terminator::Stop),
                handlers: std::mem::take(&mut data.handlers),
            });
        }

        let mut renumber = vec![UNBOUND; self.insts.len()];
        for (new, old) in order.iter().enumerate() {
            renumber[old.0 as usize] = Value(new as u32);
        }
        for old in 0..self.insts.len() as u32 {
            let resolved = self.resolve(Value(old));
            renumber[old as usize] = renumber[resolved.0 as usize];
        }
        let value_of = |value: Value| renumber[value.0 as usize];
        let block_of = |block: Block| Block(place[block.0 as usize]);
        for block in &mut blocks {
            match &mut block.terminator {
                Terminator::Jump(to) => *to = block_of(*to),
                Terminator::Branch {
                    condition,
                    then,
                    otherwise,
                } => {
                    *condition = value_of(*condition);
                    *then = block_of(*then);
                    *otherwise = block_of(*otherwise);
                }
                Terminator::Return(value) | Terminator::Raise(value) => {
                    *value = value.map(value_of);
                }
                Terminator::Stop => {}
            }
            for handler in &mut block.handlers {
                *handler = block_of(*handler);
            }
        }
        let mut old: Vec<Option<Inst>> = self.insts.into_iter().map(Some).collect();
        let mut insts = Vec::with_capacity(order.len());
        for value in order {
            let Some(mut inst) = old[value.0 as usize].take() else {
                continue;
            };
            if let Op::Phi(operands) = &mut inst.op {
                operands.retain(|(block, _)| place[block.0 as usize] != u32::MAX);
                for (block, _) in operands.iter_mut() {
                    *block = block_of(*block);
                }
                operands.shrink_to_fit();
            }
            inst.op
                .for_each_operand_mut(&mut |value| *value = value_of(*value));
            insts.push(inst);
        }
        Built {
            insts,
            blocks,
            renumber,
            exhausted: self.steps > READ_STEPS,
        }
    }

    /// Drops phis, refinements, constants and look-ups that nothing uses.
    fn sweep(&mut self, kept: &[Value]) {
        let mut used = vec![false; self.insts.len()];
        let mut work: Vec<Value> = kept.iter().map(|&value| self.resolve(value)).collect();
        for block in &self.blocks {
            work.extend(block.terminator.as_ref().and_then(Terminator::operand));
            work.extend(block.body.iter().filter(|value| !self.is_idle(**value)));
        }
        while let Some(value) = work.pop() {
            let value = self.resolve(value);
            if !std::mem::replace(&mut used[value.0 as usize], true) {
                self.insts[value.0 as usize]
                    .op
                    .for_each_operand(&mut |value| work.push(value));
            }
        }
        for block in &mut self.blocks {
            block.head.retain(|value| used[value.0 as usize]);
            block.body.retain(|value| used[value.0 as usize]);
        }
    }

    /// Whether `value` does nothing but give a value.
    fn is_idle(&self, value: Value) -> bool {
        matches!(
            self.insts[value.0 as usize].op,
            Op::Phi(_)
                | Op::Refine { .. }
                | Op::Const(_)
                | Op::Global(_)
                | Op::Captured { .. }
                | Op::Unknown("unbound variable")
        )
    }

    /// Leads edges past blocks that do nothing, where a handler could not tell the difference.
    fn skip_empty_blocks(&mut self) {
        for index in 1..self.blocks.len() {
            let block = &self.blocks[index];
            let Some(Terminator::Jump(to)) = block.terminator else {
                continue;
            };
            let [before] = block.predecessors[..] else {
                continue;
            };
            let from = Block(index as u32);
            let (source, target) = (&self.blocks[before.0 as usize], &self.blocks[to.0 as usize]);
            if !block.started
                || !block.head.is_empty()
                || !block.body.is_empty()
                || to == from
                || before == from
                || !source.started
                || !(block.handlers.is_empty() || block.handlers == source.handlers)
                || source.handlers.contains(&from)
                || target.predecessors.contains(&before)
            {
                continue;
            }
            let lead = |at: &mut Block| {
                if *at == from {
                    *at = to;
                }
            };
            match &mut self.blocks[before.0 as usize].terminator {
                Some(Terminator::Jump(at)) => lead(at),
                Some(Terminator::Branch {
                    then, otherwise, ..
                }) => {
                    lead(then);
                    lead(otherwise);
                }
                _ => continue,
            }
            self.blocks[index].started = false;
            let target = &mut self.blocks[to.0 as usize];
            for predecessor in &mut target.predecessors {
                if *predecessor == from {
                    *predecessor = before;
                }
            }
            for i in 0..target.head.len() {
                let phi = self.blocks[to.0 as usize].head[i];
                if let Op::Phi(operands) = &mut self.insts[phi.0 as usize].op {
                    for (block, _) in operands {
                        if *block == from {
                            *block = before;
                        }
                    }
                }
            }
        }
    }
}
