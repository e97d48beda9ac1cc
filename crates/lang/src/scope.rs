//! Which scope a name belongs to, as each language decides it before any code is lowered.

use solvent_base::Name;

use crate::ssa::IntMap;

/// Deepest nesting of functions, classes and comprehensions that is read; people write fewer than twenty. Each of
/// them knows something of all that are around it, so that time and memory go with the square.
pub(crate) const MAX_NESTING: u32 = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ScopeId(pub u32);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScopeKind {
    Module,
    Function,
    Class,
    Comprehension,
}

/// How a name is bound in its scope, as flags.
pub(crate) mod bind {
    /// Assigned, in whatever way.
    pub const VARIABLE: u16 = 1;
    /// By `import`, `def` or `class`.
    pub const DEFINITION: u16 = 2;
    /// Declared `global`.
    pub const GLOBAL: u16 = 4;
    /// Declared `nonlocal`.
    pub const NONLOCAL: u16 = 8;
    /// Read by a scope inside this one.
    pub const CAPTURED: u16 = 16;
    /// Assigned by a scope inside this one, so that only the cell knows its value.
    pub const CELL: u16 = 32;
    /// Read here.
    pub const USED: u16 = 64;
    /// Assigned other than by a definition.
    pub const STORED: u16 = 128;
    /// Assigned in more than one place, so that it may be different objects at different times.
    pub const REASSIGNED: u16 = 256;
    /// By `from .. import`: it is what another file has.
    pub const IMPORTED: u16 = 512;
}

pub(crate) struct Scope {
    pub kind: ScopeKind,
    pub parent: Option<ScopeId>,
    pub names: IntMap<Name, u16>,
    pub is_generator: bool,
    /// A comprehension that contains `await`, or an asynchronous `for`.
    pub awaits: bool,
}

pub(crate) struct Scopes {
    scopes: Vec<Scope>,
    /// Of each scope, the variables of scopes around it that it or one inside it uses.
    captured: Vec<Vec<(ScopeId, Name)>>,
    /// By the address of the node that opens the scope.
    by_node: IntMap<usize, ScopeId>,
    deepest: u32,
}

/// Where a name read or written in some scope lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// In the scope itself, tracked as an SSA variable.
    Local,
    /// In the scope itself, but assigned by an inner one too.
    Cell,
    /// In an enclosing function.
    Enclosing(ScopeId),
    Module,
}

pub(crate) fn address<T>(node: &T) -> usize {
    std::ptr::from_ref(node) as usize
}

impl Scopes {
    /// `scopes[0]` is the module's; `by_node` tells a scope by the address of the node that opens it.
    pub fn new(scopes: Vec<Scope>, by_node: IntMap<usize, ScopeId>) -> Self {
        let captured = vec![Vec::new(); scopes.len()];
        let mut scopes = Self {
            scopes,
            captured,
            by_node,
            deepest: 0,
        };
        scopes.deepest = scopes.nesting();
        if scopes.deepest <= MAX_NESTING {
            scopes.resolve();
        }
        scopes
    }

    /// Levels of the deepest scope. More than [`MAX_NESTING`]: nothing else is known.
    pub fn deepest(&self) -> u32 {
        self.deepest
    }

    fn nesting(&self) -> u32 {
        let mut levels: Vec<u32> = Vec::with_capacity(self.scopes.len());
        for scope in &self.scopes {
            // What is around a scope comes before it.
            let around = scope.parent.and_then(|id| levels.get(id.0 as usize));
            levels.push(around.map_or(0, |level| level + 1));
        }
        levels.into_iter().max().unwrap_or(0)
    }

    pub fn get(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }

    /// The scope opened by the node at `address`.
    pub fn at(&self, address: usize) -> ScopeId {
        self.by_node.get(&address).copied().unwrap_or(ScopeId(0))
    }

    pub fn flags(&self, id: ScopeId, name: Name) -> u16 {
        self.get(id).names.get(&name).copied().unwrap_or(0)
    }

    /// Variables of scopes around `id` that it or a scope inside it uses, each with its owner.
    pub fn captured(&self, id: ScopeId) -> &[(ScopeId, Name)] {
        &self.captured[id.0 as usize]
    }

    /// Where `name`, as written in scope `id`, lives.
    pub fn home(&self, id: ScopeId, name: Name) -> Home {
        let scope = self.get(id);
        let flags = self.flags(id, name);
        if flags & bind::GLOBAL != 0 {
            return Home::Module;
        }
        if flags & bind::NONLOCAL == 0 && flags & bind::VARIABLE != 0 {
            let cell = flags & bind::CELL != 0 && scope.kind != ScopeKind::Module;
            return if cell { Home::Cell } else { Home::Local };
        }
        match self.enclosing(scope.parent, name) {
            Some(outer) => Home::Enclosing(outer),
            None => Home::Module,
        }
    }

    /// The function scope around that binds `name`.
    fn enclosing(&self, mut at: Option<ScopeId>, name: Name) -> Option<ScopeId> {
        while let Some(id) = at {
            let scope = self.get(id);
            if matches!(scope.kind, ScopeKind::Function | ScopeKind::Comprehension) {
                let flags = self.flags(id, name);
                if flags & bind::GLOBAL != 0 {
                    return None;
                }
                if flags & bind::VARIABLE != 0 && flags & bind::NONLOCAL == 0 {
                    return Some(id);
                }
            }
            at = scope.parent;
        }
        None
    }

    fn resolve(&mut self) {
        for index in 0..self.scopes.len() {
            let scope = &self.scopes[index];
            if scope.kind == ScopeKind::Module {
                continue;
            }
            let parent = scope.parent;
            let mut captured = Vec::new();
            for (&name, &flags) in &scope.names {
                let own = flags & bind::VARIABLE != 0 && flags & bind::NONLOCAL == 0;
                if own || flags & bind::GLOBAL != 0 {
                    continue;
                }
                if let Some(outer) = self.enclosing(parent, name) {
                    let mut mark = bind::CAPTURED;
                    if flags & (bind::NONLOCAL | bind::CELL) != 0 {
                        mark |= bind::CELL;
                    }
                    captured.push((outer, name, mark));
                }
            }
            for &(outer, name, _) in &captured {
                let mut at = Some(ScopeId(index as u32));
                while let Some(id) = at.filter(|&id| id != outer) {
                    let known = &mut self.captured[id.0 as usize];
                    if !known.contains(&(outer, name)) {
                        known.push((outer, name));
                    }
                    at = self.scopes[id.0 as usize].parent;
                }
            }
            for (outer, name, mark) in captured {
                *self.scopes[outer.0 as usize].names.entry(name).or_default() |= mark;
            }
        }
    }
}

impl Scope {
    pub fn new(kind: ScopeKind, parent: Option<ScopeId>) -> Self {
        Self {
            kind,
            parent,
            names: IntMap::default(),
            is_generator: false,
            awaits: false,
        }
    }
}
