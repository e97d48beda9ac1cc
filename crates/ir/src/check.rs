//! The definition of well-formed IR, in its plain and slow form.

use crate::{Block, FnIndex, Function, FunctionKind, Op, Scope, Unit, Value};

/// Everything that is wrong with the shape of `unit`; empty when it is well formed.
///
/// Block ranges are contiguous and cover the instructions; phis come first and name predecessors, each
/// once; every operand is computed on every way to its use (a handler sees the state at the end of
/// the block that raised); indices point at what they claim to. Operands in code that cannot be
/// reached need only exist.
pub fn check(unit: &Unit) -> Vec<String> {
    let mut faults = Vec::new();
    match unit.functions.first() {
        None => faults.push("a unit without a module body".to_owned()),
        Some(module) => {
            if module.kind != FunctionKind::Module || module.parent.is_some() {
                faults.push("function 0 is not the module body".to_owned());
            }
        }
    }
    for (index, function) in unit.functions.iter().enumerate() {
        let mut checker = Checker {
            unit,
            index,
            function,
            faults: &mut faults,
        };
        checker.header();
        if checker.blocks() {
            checker.values();
        }
    }
    for (index, class) in unit.classes.iter().enumerate() {
        let parent = unit.functions.get(class.parent.0 as usize);
        let count = parent.map_or(0, |f| f.insts.len());
        if class
            .bases
            .iter()
            .chain(&class.decorators)
            .any(|v| v.0 as usize >= count)
        {
            faults.push(format!(
                "c{index}: a base or decorator is not a value of its parent"
            ));
        }
        match unit.functions.get(class.body.0 as usize) {
            Some(body) if body.kind == FunctionKind::ClassBody => {}
            _ => faults.push(format!("c{index}: its body is not a class body")),
        }
    }
    faults
}

struct Checker<'a> {
    unit: &'a Unit,
    index: usize,
    function: &'a Function,
    faults: &'a mut Vec<String>,
}

impl Checker<'_> {
    fn fault(&mut self, text: impl std::fmt::Display) {
        self.faults.push(format!("f{}: {text}", self.index));
    }

    fn header(&mut self) {
        let function = self.function;
        if function.span.start > function.span.end {
            self.fault("span ends before it starts");
        }
        let Some(parent) = function.parent else {
            if self.index > 0 {
                self.fault("no parent");
            }
            return;
        };
        if parent.0 as usize >= self.index {
            self.fault("its parent does not come before it");
            return;
        }
        let count = self.unit.functions[parent.0 as usize].insts.len();
        let outside = function
            .params
            .iter()
            .flat_map(|param| [param.default, param.annotation])
            .flatten()
            .chain(function.decorators.iter().copied())
            .chain(function.returns)
            .any(|value| value.0 as usize >= count);
        if outside {
            self.fault("a default, annotation or decorator is not a value of its parent");
        }
        if function
            .class
            .is_some_and(|class| class.0 as usize >= self.unit.classes.len())
        {
            self.fault("its class does not exist");
        }
    }

    /// Whether ranges and targets are sound enough to go on.
    fn blocks(&mut self) -> bool {
        let function = self.function;
        let mut expected = 0;
        for (index, block) in function.blocks.iter().enumerate() {
            if block.start != expected || block.end < block.start {
                self.fault(format_args!(
                    "b{index} does not continue the block before it"
                ));
                return false;
            }
            expected = block.end;
            let targets = block
                .terminator
                .targets()
                .chain(block.handlers.iter().copied());
            if targets
                .into_iter()
                .any(|target| target.0 as usize >= function.blocks.len())
            {
                self.fault(format_args!(
                    "b{index} leads to a block that does not exist"
                ));
                return false;
            }
        }
        if expected as usize != function.insts.len() || function.blocks.is_empty() {
            self.fault("blocks do not cover the instructions");
            return false;
        }
        true
    }

    fn values(&mut self) {
        let function = self.function;
        let predecessors = predecessors(function);
        let dominators = Dominators::new(function, &predecessors);
        for (index, block) in function.blocks.iter().enumerate() {
            let here = Block(index as u32);
            let mut head = true;
            for number in block.start..block.end {
                let inst = &function.insts[number as usize];
                if inst.span.start > inst.span.end {
                    self.fault(format_args!("%{number}: span ends before it starts"));
                }
                if let Op::Phi(operands) = &inst.op {
                    if !head {
                        self.fault(format_args!("%{number}: phi after other instructions"));
                    }
                    self.phi(number, operands, &predecessors[index], &dominators);
                    continue;
                }
                head = false;
                inst.op.for_each_operand(&mut |value| {
                    self.used(value, here, number, &dominators);
                });
                self.links(number, &inst.op);
            }
            if let Some(value) = block.terminator.operand() {
                self.used(value, here, block.end, &dominators);
            }
        }
    }

    fn phi(
        &mut self,
        number: u32,
        operands: &[(Block, Value)],
        predecessors: &[Block],
        dominators: &Dominators,
    ) {
        if operands.is_empty() {
            self.fault(format_args!("%{number}: phi without operands"));
        }
        let mut named: Vec<Block> = operands.iter().map(|&(block, _)| block).collect();
        named.sort_unstable();
        if named.windows(2).any(|pair| pair[0] == pair[1]) {
            self.fault(format_args!("%{number}: a block named twice"));
        }
        for &(block, value) in operands {
            if predecessors.binary_search(&block).is_err() {
                self.fault(format_args!("%{number}: b{} is not a predecessor", block.0));
                continue;
            }
            let end = self.function.blocks[block.0 as usize].end;
            self.used(value, block, end, dominators);
        }
    }

    /// `value` is known in `block` before instruction `at`.
    fn used(&mut self, value: Value, block: Block, at: u32, dominators: &Dominators) {
        if value.0 as usize >= self.function.insts.len() {
            self.fault(format_args!("%{} does not exist", value.0));
            return;
        }
        if !dominators.reachable(block) {
            return;
        }
        let home = block_of(self.function, value);
        let fine = if home == block {
            value.0 < at
        } else {
            dominators.dominates(home, block)
        };
        if !fine {
            self.fault(format_args!(
                "%{} does not dominate its use before %{at}",
                value.0
            ));
        }
    }

    fn links(&mut self, number: u32, op: &Op) {
        let function = self.function;
        let wrong =
            match op {
                Op::Param(index) => *index as usize >= function.params.len(),
                // A function expression knows itself by its own name.
                Op::Function(index) if index.0 as usize == self.index => false,
                Op::Function(index) => self.child(*index).is_none_or(|child| {
                    matches!(child.kind, FunctionKind::Module | FunctionKind::ClassBody)
                }),
                Op::Class(index) => self.unit.classes.get(index.0 as usize).is_none_or(|class| {
                    ![class.parent.0, class.body.0].contains(&(self.index as u32))
                }),
                Op::Captured { function, .. }
                | Op::StoreName {
                    scope: Scope::Enclosing(function),
                    ..
                } => !self.encloses(*function),
                Op::After { call, .. } => !matches!(
                    function.insts.get(call.0 as usize).map(|i| &i.op),
                    Some(Op::Call { .. })
                ),
                _ => false,
            };
        if wrong {
            self.fault(format_args!("%{number}: {op:?} points at the wrong thing"));
        }
    }

    fn child(&self, index: FnIndex) -> Option<&Function> {
        let child = self.unit.functions.get(index.0 as usize)?;
        (child.parent.map(|p| p.0 as usize) == Some(self.index)).then_some(child)
    }

    /// `outer` is this function or one around it.
    fn encloses(&self, outer: FnIndex) -> bool {
        let mut at = Some(FnIndex(self.index as u32));
        while let Some(index) = at {
            if index == outer {
                return true;
            }
            at = self
                .unit
                .functions
                .get(index.0 as usize)
                .and_then(|f| f.parent);
        }
        false
    }
}

fn block_of(function: &Function, value: Value) -> Block {
    let index = function
        .blocks
        .partition_point(|block| block.end <= value.0);
    Block(index as u32)
}

fn predecessors(function: &Function) -> Vec<Vec<Block>> {
    let mut predecessors = vec![Vec::new(); function.blocks.len()];
    for (index, block) in function.blocks.iter().enumerate() {
        for target in block
            .terminator
            .targets()
            .chain(block.handlers.iter().copied())
        {
            // Ascending, because blocks are visited in order.
            let list: &mut Vec<Block> = &mut predecessors[target.0 as usize];
            if list.last() != Some(&Block(index as u32)) {
                list.push(Block(index as u32));
            }
        }
    }
    predecessors
}

/// Immediate dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001),
/// with entry and exit times in the dominator tree so that a question costs two comparisons.
struct Dominators {
    times: Vec<Option<(u32, u32)>>,
}

impl Dominators {
    fn new(function: &Function, predecessors: &[Vec<Block>]) -> Self {
        let count = function.blocks.len();
        let order = postorder(function);
        let mut number = vec![usize::MAX; count];
        for (i, &block) in order.iter().enumerate() {
            number[block] = i;
        }
        let mut idom = vec![usize::MAX; count];
        idom[0] = 0;
        let mut changed = true;
        while changed {
            changed = false;
            for &block in order.iter().rev().filter(|&&block| block != 0) {
                let mut new = usize::MAX;
                for predecessor in &predecessors[block] {
                    let mut other = predecessor.0 as usize;
                    if number[other] == usize::MAX || idom[other] == usize::MAX {
                        continue;
                    }
                    if new == usize::MAX {
                        new = other;
                        continue;
                    }
                    while new != other {
                        while number[new] < number[other] {
                            new = idom[new];
                        }
                        while number[other] < number[new] {
                            other = idom[other];
                        }
                    }
                }
                if idom[block] != new {
                    idom[block] = new;
                    changed = true;
                }
            }
        }
        let mut children = vec![Vec::new(); count];
        for &block in &order {
            if block != 0 && idom[block] != usize::MAX {
                children[idom[block]].push(block);
            }
        }
        let mut times = vec![None; count];
        let mut clock = 0;
        let mut stack = vec![(0, 0)];
        times[0] = Some((0, 0));
        while let Some((block, next)) = stack.pop() {
            if let Some(&child) = children[block].get(next) {
                stack.push((block, next + 1));
                clock += 1;
                times[child] = Some((clock, clock));
                stack.push((child, 0));
            } else {
                clock += 1;
                if let Some((_, end)) = &mut times[block] {
                    *end = clock;
                }
            }
        }
        Self { times }
    }

    fn reachable(&self, block: Block) -> bool {
        self.times[block.0 as usize].is_some()
    }

    fn dominates(&self, above: Block, below: Block) -> bool {
        match (self.times[above.0 as usize], self.times[below.0 as usize]) {
            (Some((a_in, a_out)), Some((b_in, b_out))) => a_in <= b_in && b_out <= a_out,
            _ => false,
        }
    }
}

fn postorder(function: &Function) -> Vec<usize> {
    let successors = |block: usize| -> Vec<usize> {
        let data = &function.blocks[block];
        data.terminator
            .targets()
            .chain(data.handlers.iter().copied())
            .map(|b| b.0 as usize)
            .collect()
    };
    let mut seen = vec![false; function.blocks.len()];
    let mut order = Vec::new();
    let mut stack = vec![(0, successors(0))];
    seen[0] = true;
    while let Some((block, mut rest)) = stack.pop() {
        match rest.pop() {
            None => order.push(block),
            Some(next) => {
                stack.push((block, rest));
                if !seen[next] {
                    seen[next] = true;
                    stack.push((next, successors(next)));
                }
            }
        }
    }
    order
}
