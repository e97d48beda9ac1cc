//! Names of languages that declare a variable before it is used and forget it with its block.
//!
//! Blocks are no scopes of the IR: a variable belongs to the function around its block. The first of a text is
//! called by it, others get names of their own, so that shadowing needs no further care; what a file declares at
//! its top must be declared first, since other files ask for it by its text.

use std::collections::{HashMap, HashSet};

use solvent_base::Name;

use crate::lower::Names;
use crate::scope::{Scope, ScopeId, ScopeKind, Scopes, bind};
use crate::ssa::IntMap;

/// The variable that each identifier means, by the number of its node.
#[derive(Default)]
pub(crate) struct Variables {
    of_node: IntMap<usize, Name>,
}

impl Variables {
    /// `None`: nothing around the node declares it.
    pub fn at(&self, node: usize) -> Option<Name> {
        self.of_node.get(&node).copied()
    }
}

/// Collects the declarations and uses of one file in the order of its text.
pub(crate) struct Blocks<'n, 'i> {
    pub names: &'n mut Names<'i>,
    scopes: Vec<Scope>,
    by_node: IntMap<usize, ScopeId>,
    open: Vec<Block>,
    /// Of each text, those that are declared by what is open, the innermost last.
    visible: HashMap<String, Vec<(ScopeId, Name)>>,
    variables: Variables,
    /// How many variables have each text.
    count: HashMap<String, u32>,
}

struct Block {
    scope: ScopeId,
    declared: HashSet<String>,
}

impl<'n, 'i> Blocks<'n, 'i> {
    pub fn new(names: &'n mut Names<'i>) -> Self {
        Self {
            names,
            scopes: vec![Scope::new(ScopeKind::Module, None)],
            by_node: IntMap::default(),
            open: vec![Block {
                scope: ScopeId(0),
                declared: HashSet::new(),
            }],
            visible: HashMap::new(),
            variables: Variables::default(),
            count: HashMap::new(),
        }
    }

    fn current(&self) -> ScopeId {
        self.open.last().map_or(ScopeId(0), |block| block.scope)
    }

    /// Opens the function or class body of `node`, until [`Self::leave`].
    pub fn enter(&mut self, node: usize, kind: ScopeKind) {
        let id = ScopeId(self.scopes.len() as u32);
        self.scopes.push(Scope::new(kind, Some(self.current())));
        self.by_node.insert(node, id);
        self.open.push(Block {
            scope: id,
            declared: HashSet::new(),
        });
    }

    /// Opens a block of the function, until [`Self::leave`].
    pub fn enter_block(&mut self) {
        let scope = self.current();
        self.open.push(Block {
            scope,
            declared: HashSet::new(),
        });
    }

    /// Closes what was opened last.
    pub fn leave(&mut self) {
        for text in self.open.pop().into_iter().flat_map(|block| block.declared) {
            if let Some(all) = self.visible.get_mut(&text) {
                all.pop();
            }
        }
    }

    /// Whether a function or class body is open.
    pub fn is_inside(&self) -> bool {
        self.current().0 != 0
    }

    /// Flags of a name in the function that is open here: `this`, what a loop gives.
    pub fn mark_here(&mut self, name: Name, flags: u16) {
        let scope = self.current();
        self.mark(scope, name, flags);
    }

    fn mark(&mut self, scope: ScopeId, name: Name, flags: u16) {
        *self.scopes[scope.0 as usize].names.entry(name).or_default() |= flags;
    }

    /// A new variable of the innermost block, declared at `node`; `flags` as in [`bind`], beside
    /// [`bind::VARIABLE`].
    pub fn declare(&mut self, text: &str, node: usize, flags: u16) -> Name {
        let scope = self.current();
        let count = self.count.entry(text.to_owned()).or_default();
        *count += 1;
        let name = if *count == 1 || scope.0 == 0 {
            self.names.name(text)
        } else {
            self.names.name(&format!("{text}\u{b7}{count}"))
        };
        if let Some(block) = self.open.last_mut() {
            let (here, first) = (block.scope, block.declared.insert(text.to_owned()));
            let all = self.visible.entry(text.to_owned()).or_default();
            if !first {
                all.pop();
            }
            all.push((here, name));
        }
        self.variables.of_node.insert(node, name);
        self.mark(scope, name, bind::VARIABLE | flags);
        name
    }

    /// Whether the innermost block declares this text.
    pub fn is_declared_here(&self, text: &str) -> bool {
        let block = self.open.last();
        block.is_some_and(|block| block.declared.contains(text))
    }

    fn find(&self, text: &str) -> Option<(ScopeId, Name)> {
        self.visible.get(text)?.last().copied()
    }

    /// A use at `node`.
    pub fn read(&mut self, text: &str, node: usize) -> Option<Name> {
        let (_, name) = self.find(text)?;
        self.variables.of_node.insert(node, name);
        self.mark_here(name, bind::USED);
        Some(name)
    }

    /// An assignment at `node` to a variable that is declared already.
    pub fn assign(&mut self, text: &str, node: usize) -> Option<Name> {
        let (owner, name) = self.find(text)?;
        self.variables.of_node.insert(node, name);
        let here = self.current();
        self.mark(owner, name, bind::REASSIGNED);
        if owner == here {
            self.mark(here, name, bind::STORED);
        } else if owner.0 == 0 {
            self.mark(here, name, bind::GLOBAL);
            self.mark(owner, name, bind::CELL | bind::STORED);
        } else {
            self.mark(here, name, bind::NONLOCAL);
        }
        Some(name)
    }

    /// Something of the object at `node` is written, or a method of it is called: what an inner function does
    /// to an object, the outer one must see.
    pub fn change(&mut self, text: &str) {
        let here = self.current();
        if let Some((owner, name)) = self.find(text)
            && owner != here
            && owner.0 != 0
        {
            self.mark(here, name, bind::NONLOCAL);
        }
    }

    pub fn finish(self) -> (Scopes, Variables) {
        (Scopes::new(self.scopes, self.by_node), self.variables)
    }
}
