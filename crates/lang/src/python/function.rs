//! One function under construction.

use ruff_python_ast as ast;
use ruff_text_size::Ranged;
use solvent_base::{Name, Span};
use solvent_ir::{
    Block, ClassIndex, Const, FnIndex, Function, FunctionKind, Op, Param, ParamKind, Scope, Value,
};

use super::scope::{Home, ScopeId, bind};
use super::{Body, File, Outside, Pending};
use crate::ssa::{Builder, Fallback, IntMap};

/// What encloses the statement being lowered, innermost last.
pub(crate) enum Context {
    Loop { exit: Block, next: Block },
    Finally(Exits),
}

/// Where the ways out of a `try` with `finally` lead first.
#[derive(Clone, Copy)]
pub(crate) struct Exits {
    pub returned: Block,
    pub exit: Block,
    pub next: Block,
}

/// Where a construct with several ways through it begins.
#[derive(Clone, Copy)]
pub(crate) struct Fork {
    pub block: Block,
    pub mark: u32,
}

pub(crate) struct Lower<'f, 'a, 'i> {
    pub file: &'f mut File<'a, 'i>,
    pub b: Builder,
    pub index: FnIndex,
    pub scope: ScopeId,
    pub kind: FunctionKind,
    /// In a class body, the class.
    pub class: Option<ClassIndex>,
    pub contexts: Vec<Context>,
    /// Functions whose decorators, defaults and annotations are values of this one.
    pub children: Vec<FnIndex>,
    /// Classes whose bases and decorators are values of this one.
    pub classes: Vec<ClassIndex>,
    pub first_parameter: Option<Name>,
    /// The newer version of each value that was written into.
    pub superseded: IntMap<u32, Value>,
    /// What a variable that is assigned in one place was assigned.
    pub assigned: IntMap<Name, Value>,
    /// The call that is a statement of its own, while it is lowered: its node, then its value.
    pub statement: Option<usize>,
    pub discarded: Option<Value>,
    /// How many copies of `finally` bodies this code is in.
    pub copies: u32,
}

/// Lowers function `index` of the file, whose parent is lowered already.
pub(crate) fn lower(file: &mut File<'_, '_>, index: FnIndex) {
    let pending = file.functions[index.0 as usize].pending.clone();
    let class = match pending.kind {
        FunctionKind::ClassBody => pending.class,
        _ => None,
    };
    let fallback = match pending.kind {
        FunctionKind::Module | FunctionKind::ClassBody => Fallback::Global,
        _ => Fallback::Nothing,
    };
    let mut lower = Lower {
        file,
        b: Builder::new(fallback),
        index,
        scope: pending.scope,
        kind: pending.kind,
        class,
        contexts: Vec::new(),
        children: Vec::new(),
        classes: Vec::new(),
        first_parameter: None,
        superseded: IntMap::default(),
        assigned: IntMap::default(),
        statement: None,
        discarded: None,
        copies: 0,
    };
    let params = lower.parameters(&pending);
    match pending.body {
        Body::Statements(body) => lower.statements(body),
        Body::Expression(body) => {
            let value = lower.expr(body);
            lower
                .b
                .terminate(solvent_ir::Terminator::Return(Some(value)));
        }
        Body::Comprehension(comprehension) => lower.comprehension_body(&comprehension),
    }
    lower.finish(pending, params);
}

impl<'a> Lower<'_, 'a, '_> {
    fn finish(self, pending: Pending<'a>, params: Vec<Param>) {
        let Self {
            file,
            b,
            index,
            children,
            classes,
            ..
        } = self;
        let end = Span {
            start: pending.span.end,
            end: pending.span.end,
        };
        let kept: Vec<Value> = children
            .iter()
            .flat_map(|child| {
                let outside = &file.functions[child.0 as usize].outside;
                let parameters = outside
                    .parameters
                    .iter()
                    .flat_map(|&(d, a)| [d, a])
                    .flatten();
                outside
                    .decorators
                    .iter()
                    .copied()
                    .chain(outside.returns)
                    .chain(parameters)
            })
            .chain(classes.iter().flat_map(|class| {
                let class = &file.classes[class.0 as usize];
                class.bases.iter().chain(&class.decorators).copied()
            }))
            .collect();
        let built = b.finish(end, &kept);
        file.exhausted |= built.exhausted;
        let place = |value: &mut Value| *value = built.renumber[value.0 as usize];
        for child in children {
            let outside = &mut file.functions[child.0 as usize].outside;
            outside.decorators.iter_mut().for_each(place);
            outside.returns.iter_mut().for_each(place);
            for (default, annotation) in &mut outside.parameters {
                default.iter_mut().for_each(place);
                annotation.iter_mut().for_each(place);
            }
        }
        for class in classes {
            let class = &mut file.classes[class.0 as usize];
            class.bases.iter_mut().for_each(place);
            class.decorators.iter_mut().for_each(place);
        }
        let scope = file.scopes.get(pending.scope);
        let slot = &mut file.functions[index.0 as usize];
        let outside = std::mem::take(&mut slot.outside);
        let class = match pending.kind {
            FunctionKind::ClassBody => None,
            _ => pending.class,
        };
        slot.function = Some(Function {
            name: pending.name,
            qualname: pending.qualname,
            kind: pending.kind,
            is_async: pending.is_async,
            is_generator: scope.is_generator,
            parent: pending.parent,
            class,
            params,
            decorators: outside.decorators,
            returns: outside.returns,
            insts: built.insts,
            blocks: built.blocks,
            span: pending.span,
            name_span: pending.name_span,
        });
    }

    fn parameters(&mut self, pending: &Pending<'a>) -> Vec<Param> {
        if let Body::Comprehension(_) = pending.body {
            let name = self.file.names.name(".0");
            let value = self.b.emit(Op::Param(0), pending.span);
            self.b.write(name, value);
            let kind = ParamKind::PositionalOnly;
            return vec![Param {
                name,
                kind,
                default: None,
                annotation: None,
                span: pending.span,
            }];
        }
        let Some(parameters) = pending.parameters else {
            return Vec::new();
        };
        let outside = std::mem::take(&mut self.file.functions[self.index.0 as usize].outside);
        let Outside {
            parameters: values, ..
        } = &outside;
        let mut params = Vec::with_capacity(values.len());
        for (i, (kind, parameter)) in each_parameter(parameters).enumerate() {
            let (default, annotation) = values.get(i).copied().unwrap_or_default();
            let name = self.file.names.name(&parameter.name);
            let span = self.file.span(parameter);
            let value = self.b.emit(Op::Param(i as u32), span);
            if i == 0 && kind != ParamKind::KeywordOnly {
                self.first_parameter = Some(name);
            }
            self.write_name(name, value, span);
            params.push(Param {
                name,
                kind,
                default,
                annotation,
                span,
            });
        }
        self.file.functions[self.index.0 as usize].outside = outside;
        params
    }

    // Names.

    pub fn read_name(&mut self, name: Name, span: Span) -> Value {
        match self.file.scopes.home(self.scope, name) {
            Home::Local => match self.b.read(name) {
                Some(value) => value,
                None => self.b.emit(Op::Unknown("unbound variable"), span),
            },
            Home::Cell => self.b.emit(
                Op::Captured {
                    function: self.index,
                    name,
                },
                span,
            ),
            Home::Enclosing(scope) => match self.file.function_of_scope.get(&scope.0) {
                Some(&function) => self.b.emit(Op::Captured { function, name }, span),
                None => self.b.emit(Op::Unknown("unbound variable"), span),
            },
            Home::Module => self.b.emit(Op::Global(name), span),
        }
    }

    /// Binds `name` by an assignment of whatever form.
    pub fn write_name(&mut self, name: Name, value: Value, span: Span) {
        self.assigned.insert(name, value);
        self.bind_version(name, value, span);
    }

    /// Binds `name` to a value or to a newer version of the object it is bound to.
    pub fn bind_version(&mut self, name: Name, value: Value, span: Span) {
        let scope = match self.file.scopes.home(self.scope, name) {
            Home::Local => {
                self.b.write(name, value);
                match self.kind {
                    FunctionKind::Module => Scope::Module,
                    FunctionKind::ClassBody => Scope::Class,
                    _ if self.flags(name) & bind::CAPTURED != 0 => Scope::Own,
                    _ => return,
                }
            }
            Home::Cell if self.kind == FunctionKind::ClassBody => Scope::Class,
            Home::Cell => Scope::Own,
            Home::Enclosing(scope) => match self.file.function_of_scope.get(&scope.0) {
                Some(&function) => Scope::Enclosing(function),
                None => return,
            },
            Home::Module => Scope::Module,
        };
        self.b.emit(Op::StoreName { scope, name, value }, span);
    }

    pub fn flags(&self, name: Name) -> u16 {
        self.file.scopes.flags(self.scope, name)
    }

    /// Whether `name`, not bound in any function here, is a builtin as far as this file can tell.
    pub fn is_builtin(&self, name: Name) -> bool {
        self.file.scopes.flags(ScopeId(0), name) & !bind::USED == 0
    }

    /// Whether `name` is a variable of the module rather than a definition or a builtin.
    pub fn is_module_variable(&self, name: Name) -> bool {
        self.file.scopes.flags(ScopeId(0), name) & (bind::STORED | bind::CELL) != 0
    }

    // Control flow.

    pub fn fork(&mut self) -> Fork {
        Fork {
            block: self.b.here(),
            mark: self.b.mark(),
        }
    }

    /// Goes on in `block`, whose predecessors are all known and all come from `fork`.
    pub fn join(&mut self, block: Block, fork: Fork) {
        self.close(block, fork);
        self.b.start(block);
    }

    pub fn close(&mut self, block: Block, fork: Fork) {
        self.b.bypass(block, fork.block, fork.mark);
        self.b.seal(block);
    }

    // Small things.

    pub fn constant(&mut self, constant: Const, span: Span) -> Value {
        self.b.emit(Op::Const(constant), span)
    }

    pub fn int(&mut self, int: i64, span: Span) -> Value {
        self.constant(Const::Int(int), span)
    }

    pub fn unknown(&mut self, what: &'static str, span: Span) -> Value {
        self.b.emit(Op::Unknown(what), span)
    }

    pub fn name(&mut self, identifier: &str) -> Name {
        self.file.names.name(identifier)
    }

    pub fn span(&self, node: &impl Ranged) -> Span {
        self.file.span(node)
    }

    /// Path of a definition in this function's body, inside the module.
    pub fn qualname(&mut self, name: &str) -> Name {
        let around = self.file.functions[self.index.0 as usize].pending.qualname;
        let around = self.file.names.text(around);
        let text = match self.kind {
            FunctionKind::Module => name.to_owned(),
            FunctionKind::ClassBody => format!("{around}.{name}"),
            _ => format!("{around}.<locals>.{name}"),
        };
        self.file.names.name(&text)
    }
}

/// Parameters in the order of a signature, which is also the order of [`Function::params`].
pub(crate) fn each_parameter(
    parameters: &ast::Parameters,
) -> impl Iterator<Item = (ParamKind, &ast::Parameter)> {
    parameters
        .posonlyargs
        .iter()
        .map(|p| (ParamKind::PositionalOnly, &p.parameter))
        .chain(
            parameters
                .args
                .iter()
                .map(|p| (ParamKind::Ordinary, &p.parameter)),
        )
        .chain(parameters.vararg.iter().map(|p| (ParamKind::Rest, &**p)))
        .chain(
            parameters
                .kwonlyargs
                .iter()
                .map(|p| (ParamKind::KeywordOnly, &p.parameter)),
        )
        .chain(
            parameters
                .kwarg
                .iter()
                .map(|p| (ParamKind::KeywordRest, &**p)),
        )
}

/// Defaults in the order of [`each_parameter`].
pub(crate) fn each_default(
    parameters: &ast::Parameters,
) -> impl Iterator<Item = Option<&ast::Expr>> {
    parameters
        .posonlyargs
        .iter()
        .chain(parameters.args.iter())
        .map(|p| p.default.as_deref())
        .chain(parameters.vararg.iter().map(|_| None))
        .chain(parameters.kwonlyargs.iter().map(|p| p.default.as_deref()))
        .chain(parameters.kwarg.iter().map(|_| None))
}
