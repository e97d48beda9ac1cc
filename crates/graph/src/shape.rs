//! The shape of each function: what of its control flow does not depend on values.

use solvent_base::Name;

use crate::hash::IdSet;
use solvent_ir::{FnIndex, Function, Op, Scope, Terminator, Unit, Value};

/// Facts of a function's control flow that do not depend on values.
#[derive(Clone, Default, Debug)]
pub struct Shape {
    /// Blocks that control can enter from the entry, each before those it leads to; what leads back to
    /// itself stands together, as one part.
    pub parts: Vec<Part>,
    /// Functions that stand straight inside.
    pub inner: Vec<FnIndex>,
    /// Where the parameters are read: `(parameter, value)`.
    pub params: Vec<(u32, Value)>,
    /// Last version of each parameter in each block that makes one: `(parameter, block, value)`, in order.
    pub versions: Vec<(u32, u32, u32)>,
    /// Which blocks lead to which where parameters have versions: `(to, from)`, in order.
    edges: Vec<(u32, u32)>,
    /// Cells of enclosing functions that this function, or one inside it, reads; without those of functions
    /// that are crowded.
    pub captures: Vec<(FnIndex, Name)>,
    /// Whether an inner function reads a cell of this one.
    pub has_cells: bool,
    /// Variables of this one that functions inside it give values or change.
    pub given_inside: Vec<Name>,
    /// Whether more cells of this one are read inside it than closures bring along ([`MAX_CELLS`]): they are
    /// kept by their names, as variables of a module are.
    pub crowded: bool,
}

/// Most variables of one function that functions inside it bring along. Beyond, each of thousands of functions of
/// a bundle would bring thousands of variables, which is quadratic; functions written by hand share a few dozen.
pub const MAX_CELLS: usize = 96;

impl Shape {
    /// Whether the function makes new versions of a parameter.
    pub fn changes(&self, param: u32) -> bool {
        let first = self.versions.partition_point(|(p, _, _)| *p < param);
        self.versions
            .get(first)
            .is_some_and(|(p, _, _)| *p == param)
    }

    /// The last version of a parameter that a block makes.
    pub fn version(&self, param: u32, block: u32) -> Option<u32> {
        let key = (param, block);
        let at = self
            .versions
            .binary_search_by_key(&key, |(p, b, _)| (*p, *b));
        at.ok().map(|at| self.versions[at].2)
    }

    /// Blocks that may lead straight to a block.
    pub fn before(&self, block: u32) -> impl Iterator<Item = u32> {
        let first = self.edges.partition_point(|(to, _)| *to < block);
        let to_it = self.edges[first..]
            .iter()
            .take_while(move |(to, _)| *to == block);
        to_it.map(|(_, from)| *from)
    }
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
    let mut held: Vec<IdSet<(FnIndex, Name)>> = shapes
        .iter()
        .map(|shape| shape.captures.iter().copied().collect())
        .collect();
    let mut read: Vec<IdSet<Name>> = vec![IdSet::default(); shapes.len()];
    for (owner, name) in shapes.iter().flat_map(|shape| &shape.captures) {
        read[owner.0 as usize].insert(*name);
    }
    for (shape, read) in shapes.iter_mut().zip(&read) {
        shape.has_cells = !read.is_empty();
        shape.crowded = read.len() > MAX_CELLS;
    }
    for function in &unit.functions {
        for inst in &function.insts {
            if let Op::StoreName {
                scope: Scope::Enclosing(owner),
                name,
                ..
            } = inst.op
            {
                let given = &mut shapes[owner.0 as usize].given_inside;
                if !given.contains(&name) {
                    given.push(name);
                }
            }
        }
    }
    let crowded: Vec<bool> = shapes.iter().map(|shape| shape.crowded).collect();
    // Inner functions come after the function that contains them, so one backward pass closes the
    // sets of captured cells.
    for index in inner_first(unit) {
        // Its own cells, where an inner function assigns them, nobody brings to it.
        let own = |owner: FnIndex| owner.0 as usize == index;
        shapes[index]
            .captures
            .retain(|(owner, _)| !own(*owner) && !crowded[owner.0 as usize]);
        let Some(parent) = unit.functions[index].parent else {
            continue;
        };
        let passed = shapes[index].captures.clone();
        let parent = parent.0 as usize;
        shapes[parent].inner.push(FnIndex(index as u32));
        for cell in passed {
            if cell.0.0 as usize != parent && held[parent].insert(cell) {
                shapes[parent].captures.push(cell);
            }
        }
    }
    for shape in &mut shapes {
        shape.inner.sort_unstable();
    }
    shapes
}

/// The functions of a file, each after those that it contains.
fn inner_first(unit: &Unit) -> Vec<usize> {
    let count = unit.functions.len();
    let mut waits = vec![0_u32; count];
    let parent_of = |index: usize| unit.functions[index].parent.map(|p| p.0 as usize);
    for parent in (0..count).filter_map(parent_of) {
        waits[parent] += 1;
    }
    let mut out: Vec<usize> = (0..count).filter(|index| waits[*index] == 0).collect();
    let mut next = 0;
    while let Some(index) = out.get(next) {
        next += 1;
        if let Some(parent) = parent_of(*index) {
            waits[parent] -= 1;
            if waits[parent] == 0 {
                out.push(parent);
            }
        }
    }
    out
}

/// The block that an instruction stands in: blocks follow each other as their instructions do.
pub fn block_of(function: &Function, inst: u32) -> Option<usize> {
    let at = function.blocks.partition_point(|block| block.end <= inst);
    let found = function.blocks.get(at)?;
    (found.start..found.end).contains(&inst).then_some(at)
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
    if !shape.versions.is_empty() {
        let blocks = 0..function.blocks.len() as u32;
        let edges = blocks.flat_map(|b| successors(function, b).into_iter().map(move |to| (to, b)));
        shape.edges = edges.collect();
        shape.edges.sort_unstable();
        shape.edges.dedup();
    }
    let mut held: IdSet<(FnIndex, Name)> = IdSet::default();
    for (index, inst) in function.insts.iter().enumerate() {
        if let Op::Param(param) = &inst.op {
            shape.params.push((*param, Value(index as u32)));
        }
        if let Op::Captured { function, name } = &inst.op
            && held.insert((*function, *name))
        {
            shape.captures.push((*function, *name));
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
            let here = out.iter_mut().rev();
            let mut here = here.take_while(|(_, b, _)| *b == block as u32);
            match here.find(|(q, _, _)| *q == p) {
                Some(entry) => entry.2 = index,
                None => out.push((p, block as u32, index)),
            }
        }
    }
    out.sort_unstable();
    out
}
