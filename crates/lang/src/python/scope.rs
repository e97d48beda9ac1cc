//! Which scope a name belongs to, before any code is lowered.
//!
//! Python decides this per block of code: a name assigned anywhere in a function is local to all of
//! it (Language Reference, 4.2 "Naming and binding"; comprehensions PEP 572).

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    self as ast, Comprehension, ExceptHandler, Expr, ExprContext, Parameters, Pattern, Stmt,
};
use solvent_base::Name;

use super::Names;
use crate::ssa::IntMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// By the address of the node that opens the scope.
    by_node: IntMap<usize, ScopeId>,
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
    pub fn of_module(body: &[Stmt], names: &mut Names<'_>) -> Self {
        let module = Scope::new(ScopeKind::Module, None);
        let mut collector = Collector {
            names,
            scopes: vec![module],
            by_node: IntMap::default(),
            current: ScopeId(0),
        };
        for stmt in body {
            collector.visit_stmt(stmt);
        }
        let mut scopes = Self {
            scopes: collector.scopes,
            by_node: collector.by_node,
        };
        scopes.resolve();
        scopes
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
            for (outer, name, mark) in captured {
                *self.scopes[outer.0 as usize].names.entry(name).or_default() |= mark;
            }
        }
    }
}

impl Scope {
    fn new(kind: ScopeKind, parent: Option<ScopeId>) -> Self {
        Self {
            kind,
            parent,
            names: IntMap::default(),
            is_generator: false,
            awaits: false,
        }
    }
}

struct Collector<'n, 'i> {
    names: &'n mut Names<'i>,
    scopes: Vec<Scope>,
    by_node: IntMap<usize, ScopeId>,
    current: ScopeId,
}

impl Collector<'_, '_> {
    fn scope(&mut self) -> &mut Scope {
        &mut self.scopes[self.current.0 as usize]
    }

    fn mark(&mut self, name: &str, flags: u16) {
        let name = self.names.name(name);
        let known = self.scope().names.entry(name).or_default();
        if flags & bind::VARIABLE != 0 && *known & bind::VARIABLE != 0 {
            *known |= bind::REASSIGNED;
        }
        *known |= flags;
    }

    fn within(&mut self, node: usize, kind: ScopeKind, visit: impl FnOnce(&mut Self)) {
        let id = ScopeId(self.scopes.len() as u32);
        self.scopes.push(Scope::new(kind, Some(self.current)));
        self.by_node.insert(node, id);
        let outer = std::mem::replace(&mut self.current, id);
        visit(self);
        self.current = outer;
    }

    fn parameters(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter() {
            self.mark(parameter.name(), bind::VARIABLE);
        }
    }

    /// Defaults and annotations belong to the scope around the function.
    fn outer_part(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter() {
            if let Some(default) = parameter.default() {
                self.visit_expr(default);
            }
            if let Some(annotation) = parameter.annotation() {
                self.visit_expr(annotation);
            }
        }
    }

    fn comprehension(
        &mut self,
        node: usize,
        generators: &[Comprehension],
        elements: [Option<&Expr>; 2],
        lazy: bool,
    ) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.within(node, ScopeKind::Comprehension, |this| {
            this.scope().is_generator = lazy;
            for (i, generator) in generators.iter().enumerate() {
                this.scope().awaits |= generator.is_async;
                if i > 0 {
                    this.visit_expr(&generator.iter);
                }
                this.visit_expr(&generator.target);
                for condition in &generator.ifs {
                    this.visit_expr(condition);
                }
            }
            for element in elements.into_iter().flatten() {
                this.visit_expr(element);
            }
        });
    }

    /// An assignment expression binds in the nearest scope that is not a comprehension.
    fn walrus(&mut self, name: &str) {
        let mut at = self.current;
        if self.scope().kind != ScopeKind::Comprehension {
            self.mark(name, bind::VARIABLE);
            return;
        }
        let name = self.names.name(name);
        while self.scopes[at.0 as usize].kind == ScopeKind::Comprehension {
            *self.scopes[at.0 as usize].names.entry(name).or_default() |=
                bind::NONLOCAL | bind::CELL;
            match self.scopes[at.0 as usize].parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        *self.scopes[at.0 as usize].names.entry(name).or_default() |= bind::VARIABLE | bind::CELL;
    }
}

impl<'a> Visitor<'a> for Collector<'_, '_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        super::with_stack(|| match stmt {
            Stmt::FunctionDef(def) => {
                self.mark(&def.name, bind::VARIABLE | bind::DEFINITION);
                for decorator in &def.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                self.outer_part(&def.parameters);
                if let Some(returns) = &def.returns {
                    self.visit_expr(returns);
                }
                self.within(address(def), ScopeKind::Function, |this| {
                    this.parameters(&def.parameters);
                    if let Some(params) = &def.type_params {
                        this.visit_type_params(params);
                    }
                    this.visit_body(&def.body);
                });
            }
            Stmt::ClassDef(def) => {
                self.mark(&def.name, bind::VARIABLE | bind::DEFINITION);
                for decorator in &def.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                if let Some(arguments) = &def.arguments {
                    self.visit_arguments(arguments);
                }
                self.within(address(def), ScopeKind::Class, |this| {
                    if let Some(params) = &def.type_params {
                        this.visit_type_params(params);
                    }
                    this.visit_body(&def.body);
                });
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    let first = bound.split('.').next().unwrap_or_default();
                    self.mark(first, bind::VARIABLE | bind::DEFINITION);
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    if &alias.name == "*" {
                        continue;
                    }
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.mark(bound, bind::VARIABLE | bind::DEFINITION);
                }
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.mark(name, bind::GLOBAL);
                    // The module's variable is no longer a constant definition.
                    let name = self.names.name(name);
                    *self.scopes[0].names.entry(name).or_default() |= bind::CELL;
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    self.mark(name, bind::NONLOCAL);
                }
            }
            Stmt::TypeAlias(alias) => {
                self.visit_expr(&alias.name);
                if let Some(params) = &alias.type_params {
                    self.visit_type_params(params);
                }
                self.visit_expr(&alias.value);
            }
            Stmt::AnnAssign(assign) if assign.value.is_none() && assign.simple => {
                // A bare annotation makes the name local without binding it.
                self.visit_expr(&assign.target);
                self.visit_expr(&assign.annotation);
            }
            _ => visitor::walk_stmt(self, stmt),
        });
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        super::with_stack(|| match expr {
            Expr::Name(name) => match name.ctx {
                ExprContext::Store | ExprContext::Del => {
                    self.mark(&name.id, bind::VARIABLE | bind::STORED)
                }
                ExprContext::Load | ExprContext::Invalid => self.mark(&name.id, bind::USED),
            },
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                match &*named.target {
                    Expr::Name(name) => self.walrus(&name.id),
                    other => self.visit_expr(other),
                }
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.outer_part(parameters);
                }
                self.within(address(lambda), ScopeKind::Function, |this| {
                    if let Some(parameters) = &lambda.parameters {
                        this.parameters(parameters);
                    }
                    this.visit_expr(&lambda.body);
                });
            }
            Expr::ListComp(comp) => {
                self.comprehension(
                    address(comp),
                    &comp.generators,
                    [Some(&comp.elt), None],
                    false,
                );
            }
            Expr::SetComp(comp) => {
                self.comprehension(
                    address(comp),
                    &comp.generators,
                    [Some(&comp.elt), None],
                    false,
                );
            }
            Expr::Generator(comp) => {
                self.comprehension(
                    address(comp),
                    &comp.generators,
                    [Some(&comp.elt), None],
                    true,
                );
            }
            Expr::DictComp(comp) => {
                let elements = [comp.key.as_deref(), Some(&*comp.value)];
                self.comprehension(address(comp), &comp.generators, elements, false);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.scope().is_generator = true;
                visitor::walk_expr(self, expr);
            }
            Expr::Await(_) => {
                self.scope().awaits = true;
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        });
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler_node) = handler;
        if let Some(name) = &handler_node.name {
            self.mark(name, bind::VARIABLE | bind::STORED);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let bound = match pattern {
            Pattern::MatchStar(star) => star.name.as_ref(),
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(mapping) => mapping.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = bound {
            self.mark(name, bind::VARIABLE | bind::STORED);
        }
        super::with_stack(|| visitor::walk_pattern(self, pattern));
    }

    fn visit_type_param(&mut self, param: &'a ast::TypeParam) {
        self.mark(param.name(), bind::VARIABLE);
        visitor::walk_type_param(self, param);
    }
}
