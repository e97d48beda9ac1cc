//! One function under construction.

use ruff_python_ast as ast;
use ruff_text_size::Ranged;
use solvent_base::Span;
use solvent_ir::{FnIndex, Op, Param, ParamKind, Terminator};

use super::{Body, Code, Lower, Pending};
use crate::lower::{File, Outside};

/// Lowers function `index` of the file, whose parent is lowered already.
pub(crate) fn lower<'a>(file: &mut File<'a, '_, Code<'a>>, index: FnIndex) {
    let (mut lower, pending) = Lower::begin(file, index);
    let params = lower.parameters(&pending);
    match pending.body.body {
        Body::Statements(body) => lower.statements(body),
        Body::Expression(body) => {
            let value = lower.expr(body);
            lower.b.terminate(Terminator::Return(Some(value)));
        }
        Body::Comprehension(comprehension) => lower.comprehension_body(&comprehension),
    }
    lower.finish(pending, params);
}

impl<'a> Lower<'_, 'a, '_> {
    fn parameters(&mut self, pending: &Pending<'a>) -> Vec<Param> {
        if let Body::Comprehension(_) = pending.body.body {
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
        let Some(parameters) = pending.body.parameters else {
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
            let span = self.span(parameter);
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

    pub fn span(&self, node: &impl Ranged) -> Span {
        let range = node.range();
        self.file.place(range.start().into(), range.end().into())
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
