//! Which scope a name belongs to, before any code is lowered.
//!
//! Python decides this per block of code: a name assigned anywhere in a function is local to all of
//! it (Language Reference, 4.2 "Naming and binding"; comprehensions PEP 572).

use std::collections::HashSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    self as ast, Comprehension, ExceptHandler, Expr, ExprContext, Parameters, Pattern, Stmt,
};
use solvent_base::Name;

use crate::lower::{Names, with_stack};
use crate::scope::{Scope, ScopeId, ScopeKind, Scopes, address, bind};
use crate::ssa::IntMap;

pub(crate) fn of_module(body: &[Stmt], names: &mut Names<'_>) -> Scopes {
    let module = Scope::new(ScopeKind::Module, None);
    let mut collector = Collector {
        names,
        scopes: vec![module],
        by_node: IntMap::default(),
        current: ScopeId(0),
        changed: Vec::new(),
        handed: Vec::new(),
        made: HashSet::new(),
    };
    for stmt in body {
        collector.visit_stmt(stmt);
    }
    collector.shared_objects();
    Scopes::new(collector.scopes, collector.by_node)
}

/// Methods of builtin types that leave what they are called on as it is.
const LOOKS: [&str; 58] = [
    "as_posix",
    "capitalize",
    "casefold",
    "center",
    "copy",
    "count",
    "decode",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "get",
    "getlist",
    "group",
    "groups",
    "hex",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isdisjoint",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "issubset",
    "istitle",
    "isupper",
    "items",
    "join",
    "keys",
    "ljust",
    "lower",
    "lstrip",
    "match",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "translate",
    "upper",
    "values",
    "zfill",
];

/// Classes of containers, by the names that they are called with.
const CONTAINERS: [&str; 9] = [
    "list",
    "dict",
    "set",
    "bytearray",
    "defaultdict",
    "OrderedDict",
    "Counter",
    "deque",
    "SimpleNamespace",
];

struct Collector<'n, 'i> {
    names: &'n mut Names<'i>,
    scopes: Vec<Scope>,
    by_node: IntMap<usize, ScopeId>,
    current: ScopeId,
    /// Names through which something of an object is written, or a method of it is called.
    changed: Vec<(ScopeId, Name)>,
    /// Names that are given to calls.
    handed: Vec<(ScopeId, Name)>,
    /// Names that are given a new container or object.
    made: HashSet<(ScopeId, Name)>,
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

    /// The object at the root of an expression is changed.
    fn change(&mut self, object: &Expr) {
        let mut root = object;
        loop {
            root = match root {
                Expr::Attribute(attribute) => &attribute.value,
                Expr::Subscript(subscript) => &subscript.value,
                Expr::Name(name) => {
                    let name = self.names.name(&name.id);
                    self.changed.push((self.current, name));
                    return;
                }
                _ => return,
            };
        }
    }

    /// A name that is given a display, or what a class makes.
    fn given(&mut self, target: &Expr, value: &Expr) {
        let makes = match value {
            Expr::List(_)
            | Expr::Dict(_)
            | Expr::Set(_)
            | Expr::ListComp(_)
            | Expr::DictComp(_)
            | Expr::SetComp(_) => true,
            Expr::Call(call) => {
                let callee = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                CONTAINERS.contains(&callee) || callee.starts_with(char::is_uppercase)
            }
            _ => false,
        };
        if let (true, Expr::Name(name)) = (makes, target) {
            let name = self.names.name(&name.id);
            self.made.insert((self.current, name));
        }
    }

    /// What an inner function does to an object of the function around it, that one must see: it reads the cell.
    fn shared_objects(&mut self) {
        for (at, name) in std::mem::take(&mut self.changed) {
            if self.owner(at, name).is_some() {
                *self.scopes[at.0 as usize].names.entry(name).or_default() |= bind::NONLOCAL;
            }
        }
        for (at, name) in std::mem::take(&mut self.handed) {
            let owner = self.owner(at, name);
            if owner.is_some_and(|owner| self.made.contains(&(owner, name))) {
                *self.scopes[at.0 as usize].names.entry(name).or_default() |= bind::NONLOCAL;
            }
        }
    }

    /// The function around a scope whose variable a name is that the scope itself does not bind.
    fn owner(&self, at: ScopeId, name: Name) -> Option<ScopeId> {
        let inside = &self.scopes[at.0 as usize];
        let inner = matches!(inside.kind, ScopeKind::Function | ScopeKind::Comprehension);
        let own = inside.names.get(&name).copied().unwrap_or(0);
        if !inner || own & (bind::VARIABLE | bind::GLOBAL) != 0 {
            return None;
        }
        let mut next = inside.parent;
        while let Some(id) = next {
            let scope = &self.scopes[id.0 as usize];
            let flags = scope.names.get(&name).copied().unwrap_or(0);
            if flags & bind::GLOBAL != 0 && scope.kind != ScopeKind::Class {
                return None;
            }
            if scope.kind == ScopeKind::Function
                && flags & bind::VARIABLE != 0
                && flags & (bind::NONLOCAL | bind::DEFINITION) == 0
            {
                return Some(id);
            }
            next = scope.parent;
        }
        None
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
        with_stack(|| match stmt {
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
                    self.mark(bound, bind::VARIABLE | bind::DEFINITION | bind::IMPORTED);
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
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.given(target, &assign.value);
                }
                visitor::walk_stmt(self, stmt);
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
        with_stack(|| match expr {
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
            Expr::Attribute(ast::ExprAttribute { value, ctx, .. })
            | Expr::Subscript(ast::ExprSubscript { value, ctx, .. })
                if matches!(ctx, ExprContext::Store | ExprContext::Del) =>
            {
                self.change(value);
                visitor::walk_expr(self, expr);
            }
            Expr::Call(call) => {
                match &*call.func {
                    Expr::Attribute(method) if !LOOKS.contains(&method.attr.as_str()) => {
                        self.change(&method.value);
                    }
                    _ => {}
                }
                let named = call.arguments.keywords.iter().map(|named| &named.value);
                for arg in call.arguments.args.iter().chain(named) {
                    if let Expr::Name(name) = arg {
                        let name = self.names.name(&name.id);
                        self.handed.push((self.current, name));
                    }
                }
                visitor::walk_expr(self, expr);
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
        with_stack(|| visitor::walk_pattern(self, pattern));
    }

    fn visit_type_param(&mut self, param: &'a ast::TypeParam) {
        self.mark(param.name(), bind::VARIABLE);
        visitor::walk_type_param(self, param);
    }
}
