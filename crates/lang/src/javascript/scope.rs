//! Where each name lives, from oxc's symbols and references.
//!
//! Blocks are no scopes of the IR: each symbol belongs to the function (or module) around it, and symbols
//! of one text get names of their own, so that shadowing needs no further care. The module's keep their
//! text, since other files ask for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oxc_ast::ast::{self, Program};
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::Scoping;
use oxc_syntax::scope::ScopeFlags;
use oxc_syntax::symbol::{SymbolFlags, SymbolId};
use solvent_base::Name;

use crate::lower::{Names, with_stack};
use crate::scope::{Scope, ScopeId, ScopeKind, Scopes, address, bind};
use crate::ssa::IntMap;

/// The names of symbols, and names that this language has a use for.
pub(crate) struct Symbols {
    names: Vec<Name>,
    references: Vec<Option<SymbolId>>,
    pub this: Name,
    pub arguments: Name,
    /// What CommonJS exports.
    pub exports: Name,
    pub global: Name,
}

impl Symbols {
    /// The variable of a declaration.
    pub fn declared(&self, id: &ast::BindingIdentifier<'_>) -> Option<Name> {
        let symbol = id.symbol_id.get()?;
        self.names.get(symbol.index()).copied()
    }

    /// The variable that a reference leads to; `None` if nothing in the file binds it.
    pub fn referred(&self, id: &ast::IdentifierReference<'_>) -> Option<Name> {
        let reference = id.reference_id.get()?;
        let symbol = (*self.references.get(reference.index())?)?;
        self.names.get(symbol.index()).copied()
    }
}

pub(crate) fn of_program(
    program: &Program<'_>,
    scoping: &Scoping,
    names: &mut Names<'_>,
) -> (Scopes, Symbols) {
    let mut count: HashMap<&str, u32> = HashMap::new();
    for symbol in scoping.symbol_ids() {
        *count.entry(scoping.symbol_name(symbol)).or_default() += 1;
    }
    let root = scoping.root_scope_id();
    let of_symbols: Vec<Name> = scoping
        .symbol_ids()
        .map(|symbol| {
            let text = scoping.symbol_name(symbol);
            let shared = count.get(text).is_some_and(|&n| n > 1);
            if shared && scoping.symbol_scope_id(symbol) != root {
                names.name(&format!("{text}\u{b7}{}", symbol.index()))
            } else {
                names.name(text)
            }
        })
        .collect();
    let references = (0..scoping.references_len())
        .map(|index| {
            let id = oxc_syntax::reference::ReferenceId::from_usize(index);
            scoping.get_reference(id).symbol_id()
        })
        .collect();
    let symbols = Symbols {
        names: of_symbols,
        references,
        this: names.name("this"),
        arguments: names.name("arguments"),
        exports: names.name("<exports>"),
        global: names.name("<global>"),
    };
    let mut collector = Collector {
        scoping,
        symbols: &symbols,
        scopes: vec![Scope::new(ScopeKind::Module, None)],
        is_arrow: vec![false],
        by_node: IntMap::default(),
        of_oxc: HashMap::from([(root, ScopeId(0))]),
        current: ScopeId(0),
        bound: vec![0; scoping.symbols_len()],
        used: Vec::new(),
        undeclared: BTreeMap::new(),
        in_head: false,
    };
    collector.visit_program(program);
    let scopes = collector.finish(names);
    (scopes, symbols)
}

struct Collector<'s> {
    scoping: &'s Scoping,
    symbols: &'s Symbols,
    scopes: Vec<Scope>,
    is_arrow: Vec<bool>,
    by_node: IntMap<usize, ScopeId>,
    /// The functions' scopes, as oxc numbers them.
    of_oxc: HashMap<oxc_syntax::scope::ScopeId, ScopeId>,
    current: ScopeId,
    /// How often each symbol is given a value.
    bound: Vec<u32>,
    /// Where a symbol is read or written.
    used: Vec<(ScopeId, SymbolId, Access)>,
    /// Names that nothing declares: where they are used, and whether any use is a write.
    undeclared: BTreeMap<String, (BTreeSet<u32>, bool)>,
    /// In the head of `for (.. of ..)`, where a declaration without a value gets one.
    in_head: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    /// Something of the object is written, or a method of it is called.
    Change,
}

impl Collector<'_> {
    fn within(&mut self, node: usize, kind: ScopeKind, arrow: bool, visit: impl FnOnce(&mut Self)) {
        let id = ScopeId(self.scopes.len() as u32);
        self.scopes.push(Scope::new(kind, Some(self.current)));
        self.is_arrow.push(arrow);
        self.by_node.insert(node, id);
        let outer = std::mem::replace(&mut self.current, id);
        visit(self);
        self.current = outer;
    }

    fn mark(&mut self, scope: ScopeId, name: Name, flags: u16) {
        *self.scopes[scope.0 as usize].names.entry(name).or_default() |= flags;
    }

    /// The function whose receiver `this` is here, if it is one's.
    fn receiver(&self) -> Option<ScopeId> {
        let mut at = self.current;
        loop {
            let scope = &self.scopes[at.0 as usize];
            if scope.kind != ScopeKind::Function {
                return None;
            }
            let parent = scope.parent?;
            let field = self.scopes[parent.0 as usize].kind == ScopeKind::Class;
            if !self.is_arrow[at.0 as usize] || field {
                return Some(at);
            }
            at = parent;
        }
    }

    /// The object at the root of a member is changed.
    fn change(&mut self, object: &ast::Expression<'_>, written: bool) {
        let mut root = object;
        let mut within = written;
        while let Some(member) = root.get_member_expr() {
            root = member.object();
            within = true;
        }
        // What an arrow does to a part of `this`, the method around it must see.
        if within
            && matches!(root, ast::Expression::ThisExpression(_))
            && let Some(owner) = self.receiver()
            && owner != self.current
        {
            let this = self.symbols.this;
            self.mark(self.current, this, bind::NONLOCAL);
            let mut at = self.scopes[self.current.0 as usize].parent;
            while let Some(id) = at.filter(|id| *id != owner) {
                self.mark(id, this, bind::USED);
                at = self.scopes[id.0 as usize].parent;
            }
        }
        if let ast::Expression::Identifier(id) = root
            && let Some(reference) = id.reference_id.get()
            && let Some(symbol) = self.scoping.get_reference(reference).symbol_id()
        {
            self.used.push((self.current, symbol, Access::Change));
        }
    }

    fn this(&mut self) {
        let this = self.symbols.this;
        if let Some(owner) = self.receiver() {
            self.mark(owner, this, bind::VARIABLE | bind::STORED);
        }
        self.mark(self.current, this, bind::USED);
    }

    /// `x = 1` without a declaration makes a variable of the program; where one function alone uses it, it
    /// is as good as that function's own.
    fn assigned_without_declaration(&mut self, names: &mut Names<'_>) {
        let variable = bind::VARIABLE | bind::STORED | bind::REASSIGNED;
        for (text, (scopes, written)) in std::mem::take(&mut self.undeclared) {
            if !written {
                continue;
            }
            let name = names.name(&text);
            if let [only] = scopes.iter().copied().collect::<Vec<_>>()[..] {
                self.mark(ScopeId(only), name, variable);
                continue;
            }
            self.mark(ScopeId(0), name, variable | bind::CELL);
            for scope in scopes {
                if scope != 0 {
                    self.mark(ScopeId(scope), name, bind::GLOBAL);
                }
            }
        }
    }

    fn finish(mut self, names: &mut Names<'_>) -> Scopes {
        let symbols: Vec<SymbolId> = self.scoping.symbol_ids().collect();
        let owners: Vec<ScopeId> = symbols
            .iter()
            .map(|&symbol| {
                let scope = self.scoping.symbol_scope_id(symbol);
                self.scoping
                    .scope_ancestors(scope)
                    .find_map(|scope| self.of_oxc.get(&scope).copied())
                    .unwrap_or(ScopeId(0))
            })
            .collect();
        let definition = SymbolFlags::Function | SymbolFlags::Class | SymbolFlags::Import;
        for (&symbol, &owner) in symbols.iter().zip(&owners) {
            let flags = self.scoping.symbol_flags(symbol);
            let mut mark = bind::VARIABLE;
            mark |= if flags.intersects(definition) {
                bind::DEFINITION
            } else {
                bind::STORED
            };
            let name = self.symbols.names[symbol.index()];
            self.mark(owner, name, mark);
        }
        for (scope, symbol, access) in std::mem::take(&mut self.used) {
            let (owner, name) = (owners[symbol.index()], self.symbols.names[symbol.index()]);
            if access == Access::Write {
                self.bound[symbol.index()] += 1;
            }
            match (scope == owner, access) {
                (true, _) | (false, Access::Read) => self.mark(scope, name, bind::USED),
                // What an inner function does to an object, the outer one must see: it reads the cell.
                (false, Access::Change) if owner.0 != 0 => {
                    self.mark(scope, name, bind::NONLOCAL);
                }
                (false, Access::Change) => self.mark(scope, name, bind::USED),
                (false, Access::Write) if owner.0 == 0 => {
                    self.mark(scope, name, bind::GLOBAL);
                    self.mark(owner, name, bind::CELL | bind::STORED);
                }
                (false, Access::Write) => self.mark(scope, name, bind::NONLOCAL),
            }
        }
        self.assigned_without_declaration(names);
        for (&symbol, &owner) in symbols.iter().zip(&owners) {
            if self.bound[symbol.index()] > 1 {
                self.mark(owner, self.symbols.names[symbol.index()], bind::REASSIGNED);
            }
        }
        Scopes::new(self.scopes, self.by_node)
    }
}

impl<'a> Visit<'a> for Collector<'_> {
    fn visit_function(&mut self, it: &ast::Function<'a>, flags: ScopeFlags) {
        self.within(address(it), ScopeKind::Function, false, |this| {
            if let Some(scope) = it.scope_id.get() {
                this.of_oxc.insert(scope, this.current);
            }
            this.scopes[this.current.0 as usize].is_generator = it.generator;
            with_stack(|| walk::walk_function(this, it, flags));
        });
    }

    fn visit_arrow_function_expression(&mut self, it: &ast::ArrowFunctionExpression<'a>) {
        self.within(address(it), ScopeKind::Function, true, |this| {
            if let Some(scope) = it.scope_id.get() {
                this.of_oxc.insert(scope, this.current);
            }
            with_stack(|| walk::walk_arrow_function_expression(this, it));
        });
    }

    fn visit_class(&mut self, it: &ast::Class<'a>) {
        self.visit_decorators(&it.decorators);
        if let Some(id) = &it.id {
            self.visit_binding_identifier(id);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_expression(&heritage.expression);
        }
        self.within(address(it), ScopeKind::Class, false, |this| {
            with_stack(|| this.visit_class_body(&it.body));
        });
    }

    fn visit_expression(&mut self, it: &ast::Expression<'a>) {
        with_stack(|| walk::walk_expression(self, it));
    }

    fn visit_statement(&mut self, it: &ast::Statement<'a>) {
        with_stack(|| walk::walk_statement(self, it));
    }

    fn visit_binding_identifier(&mut self, it: &ast::BindingIdentifier<'a>) {
        if let Some(symbol) = it.symbol_id.get() {
            self.bound[symbol.index()] += 1;
        }
    }

    fn visit_variable_declarator(&mut self, it: &ast::VariableDeclarator<'a>) {
        walk::walk_variable_declarator(self, it);
        if it.init.is_none()
            && !self.in_head
            && let ast::BindingPattern::BindingIdentifier(id) = &it.id
            && let Some(symbol) = id.symbol_id.get()
        {
            self.bound[symbol.index()] -= 1;
        }
    }

    fn visit_for_of_statement(&mut self, it: &ast::ForOfStatement<'a>) {
        self.in_head = true;
        self.visit_for_statement_left(&it.left);
        self.in_head = false;
        self.visit_expression(&it.right);
        self.visit_statement(&it.body);
    }

    fn visit_for_in_statement(&mut self, it: &ast::ForInStatement<'a>) {
        self.in_head = true;
        self.visit_for_statement_left(&it.left);
        self.in_head = false;
        self.visit_expression(&it.right);
        self.visit_statement(&it.body);
    }

    fn visit_identifier_reference(&mut self, it: &ast::IdentifierReference<'a>) {
        let Some(id) = it.reference_id.get() else {
            return;
        };
        let reference = self.scoping.get_reference(id);
        if let Some(symbol) = reference.symbol_id() {
            if reference.is_write() {
                self.used.push((self.current, symbol, Access::Write));
            }
            if reference.is_read() {
                self.used.push((self.current, symbol, Access::Read));
            }
            return;
        }
        match it.name.as_str() {
            "arguments" => {
                let name = self.symbols.arguments;
                if let Some(owner) = self.receiver() {
                    self.mark(owner, name, bind::VARIABLE | bind::STORED);
                }
                self.mark(self.current, name, bind::USED);
            }
            "module" | "exports" => {
                let name = self.symbols.exports;
                self.mark(
                    ScopeId(0),
                    name,
                    bind::VARIABLE | bind::STORED | bind::REASSIGNED,
                );
                if self.current.0 != 0 {
                    self.mark(self.current, name, bind::GLOBAL);
                    self.mark(ScopeId(0), name, bind::CELL);
                }
            }
            text => {
                let name = text.to_owned();
                let (scopes, written) = self.undeclared.entry(name).or_default();
                scopes.insert(self.current.0);
                *written |= reference.is_write();
            }
        }
    }

    fn visit_formal_parameter(&mut self, it: &ast::FormalParameter<'a>) {
        // `constructor(private store: Store)` writes into the receiver.
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.this();
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_call_expression(&mut self, it: &ast::CallExpression<'a>) {
        if let Some(member) = it.callee.get_member_expr() {
            self.change(member.object(), false);
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_simple_assignment_target(&mut self, it: &ast::SimpleAssignmentTarget<'a>) {
        if let Some(member) = it.as_member_expression() {
            self.change(member.object(), true);
        }
        walk::walk_simple_assignment_target(self, it);
    }

    fn visit_this_expression(&mut self, _: &ast::ThisExpression) {
        self.this();
    }

    fn visit_super(&mut self, _: &ast::Super) {
        self.this();
    }

    fn visit_ts_this_parameter(&mut self, _: &ast::TSThisParameter<'a>) {}
    fn visit_ts_type_annotation(&mut self, _: &ast::TSTypeAnnotation<'a>) {}
    fn visit_ts_type(&mut self, _: &ast::TSType<'a>) {}
    fn visit_ts_type_parameter_instantiation(&mut self, _: &ast::TSTypeParameterInstantiation<'a>) {
    }
    fn visit_ts_type_parameter_declaration(&mut self, _: &ast::TSTypeParameterDeclaration<'a>) {}
    fn visit_ts_interface_declaration(&mut self, _: &ast::TSInterfaceDeclaration<'a>) {}
    fn visit_ts_type_alias_declaration(&mut self, _: &ast::TSTypeAliasDeclaration<'a>) {}
}
