//! The shape of each function: what of its control flow does not depend on values.

use solvent_base::Name;
use solvent_ir::{FnIndex, Function, Op, Terminator, Unit};

/// Facts of a function's control flow that do not depend on values.
#[derive(Clone, Default, Debug)]
pub struct Shape {
    /// Blocks that control can enter from the entry, each before those it leads to; what leads back to
    /// itself stands together, as one part.
    pub parts: Vec<Part>,
    /// Last version of each parameter in each block that makes one: `(parameter, block, value)`.
    pub versions: Vec<(u32, u32, u32)>,
    /// Cells of enclosing functions that this function, or one inside it, reads.
    pub captures: Vec<(FnIndex, Name)>,
    /// Whether an inner function reads a cell of this one.
    pub has_cells: bool,
}

/// One block, or blocks that lead to each other.
#[derive(Clone, Default, Debug)]
pub struct Part {
    /// In reverse post-order.
    pub blocks: Vec<u32>,
    /// Whether control may come back.
    pub looping: bool,
}

pub(crate) fn unit_shapes(unit: &Unit) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = unit.functions.iter().map(shape).collect();
    // Inner functions come after the function that contains them, so one backward pass closes the
    // sets of captured cells.
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(depth(unit, *i)));
    for index in order {
        let Some(parent) = unit.functions[index].parent else {
            continue;
        };
        let passed: Vec<_> = shapes[index].captures.clone();
        for cell in passed {
            if cell.0 == parent {
                shapes[parent.0 as usize].has_cells = true;
            } else if !shapes[parent.0 as usize].captures.contains(&cell) {
                shapes[parent.0 as usize].captures.push(cell);
            }
        }
    }
    shapes
}

fn depth(unit: &Unit, index: usize) -> usize {
    let mut depth = 0;
    let mut at = unit.functions[index].parent;
    while let Some(parent) = at {
        depth += 1;
        if depth > unit.functions.len() {
            break;
        }
        at = unit.functions[parent.0 as usize].parent;
    }
    depth
}

/// Blocks that control may enter from `block`.
pub fn successors(function: &Function, block: u32) -> Vec<u32> {
    let data = &function.blocks[block as usize];
    let mut out: Vec<u32> = match &data.terminator {
        Terminator::Jump(to) => vec![to.0],
        Terminator::Branch {
            then, otherwise, ..
        } => vec![then.0, otherwise.0],
        Terminator::Return(_) | Terminator::Raise(_) | Terminator::Stop => Vec::new(),
    };
    out.extend(data.handlers.iter().map(|b| b.0));
    out
}

fn shape(function: &Function) -> Shape {
    let mut shape = Shape {
        parts: parts(function),
        ..Shape::default()
    };
    shape.versions = versions(function);
    for inst in &function.insts {
        if let Op::Captured { function, name } = &inst.op {
            let cell = (*function, *name);
            if !shape.captures.contains(&cell) {
                shape.captures.push(cell);
            }
        }
    }
    shape
}

/// The parts of a whole function.
fn parts(function: &Function) -> Vec<Part> {
    match function.blocks.is_empty() {
        true => Vec::new(),
        false => components(function, 0, &|_| true),
    }
}

/// The parts of some blocks of a function, as control enters them at one.
pub(crate) fn parts_within(function: &Function, blocks: &[u32], first: u32) -> Vec<Part> {
    components(function, first, &|block| blocks.contains(&block))
}

/// The strongly connected components of the blocks that control can enter from the first one, in topological
/// order (Tarjan 1972).
fn components(function: &Function, first: u32, within: &dyn Fn(u32) -> bool) -> Vec<Part> {
    const NEW: u32 = u32::MAX;
    let count = function.blocks.len();
    let mut found = vec![NEW; count];
    let mut low = vec![NEW; count];
    let mut open = vec![false; count];
    let mut pending: Vec<u32> = Vec::new();
    let mut done = vec![0_u32; count];
    let (mut next, mut post) = (0, 0);
    let mut parts: Vec<Part> = Vec::new();
    // Depth first without recursion: a function of a hundred thousand blocks is normal input.
    let mut stack: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut entering = Some(first);
    loop {
        if let Some(block) = entering.take() {
            found[block as usize] = next;
            low[block as usize] = next;
            next += 1;
            open[block as usize] = true;
            pending.push(block);
            let mut after = successors(function, block);
            after.retain(|to| within(*to));
            stack.push((block, after));
        }
        let Some((block, after)) = stack.last_mut() else {
            break;
        };
        let block = *block;
        if let Some(to) = after.pop() {
            if found[to as usize] == NEW {
                entering = Some(to);
            } else if open[to as usize] {
                low[block as usize] = low[block as usize].min(found[to as usize]);
            }
            continue;
        }
        stack.pop();
        done[block as usize] = post;
        post += 1;
        if let Some((outer, _)) = stack.last() {
            low[*outer as usize] = low[*outer as usize].min(low[block as usize]);
        }
        if low[block as usize] == found[block as usize] {
            let from = pending.iter().rposition(|b| *b == block).unwrap_or(0);
            let mut blocks = pending.split_off(from);
            for inside in &blocks {
                open[*inside as usize] = false;
            }
            blocks.sort_by_key(|b| std::cmp::Reverse(done[*b as usize]));
            let looping =
                blocks.len() > 1 || (within(block) && successors(function, block).contains(&block));
            parts.push(Part { blocks, looping });
        }
    }
    parts.reverse();
    parts
}

/// Which values are versions of which parameter; see [`Shape::versions`].
fn versions(function: &Function) -> Vec<(u32, u32, u32)> {
    const NONE: u32 = u32::MAX;
    let mut root = vec![NONE; function.insts.len()];
    let mut changed = true;
    let mut rounds = 0;
    while changed && rounds < 8 {
        changed = false;
        rounds += 1;
        for (index, inst) in function.insts.iter().enumerate() {
            let found = match &inst.op {
                Op::Param(p) => *p,
                Op::SetAttr { base, .. }
                | Op::SetIndex { base, .. }
                | Op::DelIndex { base, .. } => root[base.0 as usize],
                Op::After { object, .. } => root[object.0 as usize],
                Op::Refine { value, .. } => root[value.0 as usize],
                Op::Phi(inputs) => {
                    let mut all = NONE;
                    for (_, value) in inputs {
                        let r = root[value.0 as usize];
                        if value.0 as usize == index || (r == NONE && value.0 as usize > index) {
                            continue;
                        }
                        if r == NONE || (all != NONE && all != r) {
                            all = NONE;
                            break;
                        }
                        all = r;
                    }
                    all
                }
                _ => NONE,
            };
            if found != root[index] {
                root[index] = found;
                changed = true;
            }
        }
    }
    let mut out: Vec<(u32, u32, u32)> = Vec::new();
    for (block, data) in function.blocks.iter().enumerate() {
        for index in data.start..data.end {
            let p = root[index as usize];
            if p == NONE || matches!(function.insts[index as usize].op, Op::Param(_)) {
                continue;
            }
            match out
                .iter_mut()
                .find(|(q, b, _)| *q == p && *b == block as u32)
            {
                Some(entry) => entry.2 = index,
                None => out.push((p, block as u32, index)),
            }
        }
    }
    out
}
