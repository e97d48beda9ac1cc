//! Modules: imports, exports, and how a file is called.

use oxc_ast::ast;
use solvent_base::{FilePath, Name};
use solvent_ir::{FunctionKind, Op, Scope, Value};

use super::Lower;
use crate::scope::bind;

/// The path without its extension, the folder for an `index` file.
pub(crate) fn name(path: &FilePath) -> String {
    let text = path.as_str();
    let stem = match text.rsplit_once('.') {
        Some((stem, _)) if !stem.ends_with('/') => stem,
        _ => text,
    };
    stem.strip_suffix("/index").unwrap_or(stem).to_owned()
}

impl<'a> Lower<'_, 'a, '_> {
    pub fn module(&mut self, program: &'a ast::Program<'a>) {
        let exports = self.file.shared.exports;
        if self.flags(exports) & bind::VARIABLE != 0 {
            let span = solvent_base::Span::default();
            let empty = self.b.emit(Op::Dict(Vec::new()), span);
            self.write_name(exports, empty, span);
        }
        self.block(&program.body);
        if !self.b.is_live() {
            return;
        }
        for stmt in &program.body {
            self.late_exports(stmt);
        }
    }

    pub fn import(&mut self, node: &'a ast::ImportDeclaration<'a>) {
        let module = self.name(&node.source.value);
        for specifier in node.specifiers.iter().flatten() {
            let (local, member) = match specifier {
                ast::ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    (&one.local, Some(self.name(&one.imported.name())))
                }
                ast::ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                    (&one.local, Some(self.name("default")))
                }
                ast::ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                    (&one.local, None)
                }
            };
            let span = self.at(local.span);
            let value = self.imported(module, member, span);
            if let Some(variable) = self.file.shared.declared(local) {
                self.write_name(variable, value, span);
            }
        }
        if node.specifiers.is_none() {
            let span = self.at(node.span);
            self.imported(module, None, span);
        }
    }

    pub fn imported(
        &mut self,
        module: Name,
        member: Option<Name>,
        span: solvent_base::Span,
    ) -> Value {
        let level = 0;
        let op = Op::Import {
            module,
            member,
            level,
        };
        self.b.emit(op, span)
    }

    /// `require("m")`
    pub fn required(&mut self, module: &str, span: solvent_base::Span) -> Value {
        let module = self.name(module);
        let member = self.name("module.exports");
        self.imported(module, Some(member), span)
    }

    /// A name that nothing in the file binds.
    pub fn builtin(&mut self, name: &str, span: solvent_base::Span) -> Value {
        let module = self.file.shared.global;
        let member = self.name(name);
        self.imported(module, Some(member), span)
    }

    pub fn export(&mut self, exported: &str, value: Value, span: solvent_base::Span) {
        let name = self.name(&format!("<export> {exported}"));
        let scope = Scope::Module;
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    pub fn export_default(&mut self, node: &'a ast::ExportDefaultDeclaration<'a>) {
        let span = self.at(node.span);
        let value = match &node.declaration {
            ast::ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                match self.declared_function(function) {
                    Some(value) => value,
                    None => self.unknown("a function without a body", span),
                }
            }
            ast::ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                self.class(class, Some("default"))
            }
            ast::ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => return,
            other => match other.as_expression() {
                Some(expression) => self.expr_named(expression, Some("default")),
                None => return,
            },
        };
        self.export("default", value, span);
    }

    pub fn export_from(&mut self, node: &'a ast::ExportFromDeclaration<'a>) {
        let module = self.name(&node.source.value);
        for specifier in &node.specifiers {
            let span = self.at(specifier.span);
            let member = self.name(&specifier.local.name());
            let value = self.imported(module, Some(member), span);
            self.export(&specifier.exported.name(), value, span);
        }
    }

    pub fn export_all(&mut self, node: &'a ast::ExportAllDeclaration<'a>) {
        let module = self.name(&node.source.value);
        let span = self.at(node.span);
        match &node.exported {
            Some(exported) => {
                let value = self.imported(module, None, span);
                self.export(&exported.name(), value, span);
            }
            None => {
                self.b.emit(Op::ImportAll { module, level: 0 }, span);
            }
        }
    }

    /// Names that are exported as what they are when the module has run.
    fn late_exports(&mut self, stmt: &'a ast::Statement<'a>) {
        match stmt {
            ast::Statement::ExportNamedDeclaration(node) => {
                for specifier in &node.specifiers {
                    if let ast::ModuleExportName::IdentifierReference(id) = &specifier.local
                        && let Some(variable) = self.file.shared.referred(id)
                    {
                        self.late_export(&specifier.exported.name(), variable, specifier.span);
                    }
                }
            }
            ast::Statement::ExportDeclaration(node) => {
                let ids: Vec<&'a ast::BindingIdentifier<'a>> = match &node.declaration {
                    ast::Declaration::VariableDeclaration(variables) => variables
                        .declarations
                        .iter()
                        .flat_map(|one| one.id.get_binding_identifiers())
                        .collect(),
                    other => other.id().into_iter().collect(),
                };
                for id in ids {
                    if let Some(variable) = self.file.shared.declared(id) {
                        self.late_export(&id.name, variable, id.span);
                    }
                }
            }
            _ => {}
        }
    }

    fn late_export(&mut self, exported: &str, variable: Name, span: oxc_span::Span) {
        let span = self.at(span);
        // What functions assign later is known to the module's variable only.
        let value = if self.flags(variable) & bind::CELL != 0 {
            self.b.emit(Op::Global(variable), span)
        } else {
            match self.b.read(variable) {
                Some(value) => value,
                None => return,
            }
        };
        self.export(exported, value, span);
    }

    /// `module.exports` and `exports`, where nothing binds these names.
    pub fn is_exports(&self, expr: &ast::Expression<'a>) -> bool {
        match expr {
            ast::Expression::Identifier(id) => {
                id.name == "exports" && self.file.shared.referred(id).is_none()
            }
            ast::Expression::StaticMemberExpression(member) => self.is_module_exports(member),
            _ => false,
        }
    }

    pub fn is_module_exports(&self, member: &ast::StaticMemberExpression<'a>) -> bool {
        member.property.name == "exports"
            && matches!(
                &member.object,
                ast::Expression::Identifier(id)
                    if id.name == "module" && self.file.shared.referred(id).is_none()
            )
    }

    pub fn read_exports(&mut self, span: solvent_base::Span) -> Value {
        let name = self.file.shared.exports;
        if self.kind == FunctionKind::Module {
            return self.read_name(name, span);
        }
        self.b.emit(Op::Global(name), span)
    }

    pub fn write_exports(&mut self, value: Value, span: solvent_base::Span) {
        let name = self.file.shared.exports;
        self.write_name(name, value, span);
    }
}
