//! ruff's tree as [`crate::syntax`] gives it out.

use ruff_python_ast::token::TokenKind as Kind;
use ruff_python_ast::{
    self as ast, AnyStringFlags, ConversionFlag, InterpolatedStringElement, PySourceType,
    StringFlags,
};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange};
use solvent_base::Span;

use super::depth;
use crate::source::Source;
use crate::syntax::{
    Alias, Arg, Asyncness, Clause, Comparison, Expr, ExprKind, FieldForm, Formatted, Function,
    Handler, MAX_BYTES, MAX_DEPTH, Module, NoTree, Operator, Param, ParamKind, Passing, Raw, Stmt,
    StmtKind, StrElement, StrPart, Token, TokenKind,
};

pub(crate) fn parse(text: &str) -> Result<Module, NoTree> {
    if text.len() > MAX_BYTES {
        return Err(NoTree(format!(
            "the file has {} bytes, more than the {MAX_BYTES} that are edited",
            text.len()
        )));
    }
    let source = Source::python(text.as_bytes());
    if source.problem.is_some() || matches!(source.text, std::borrow::Cow::Owned(_)) {
        return Err(NoTree("the file is not in UTF-8".into()));
    }
    let depth = depth::of(&source.text);
    if depth.brackets > depth::MAX_BRACKETS || depth.tree > MAX_DEPTH {
        return Err(NoTree(
            "the file is nested too deeply to be edited by a program".into(),
        ));
    }
    // A parser's frames are larger than ours.
    if depth.tree > depth::SHALLOW {
        stacker::grow(depth::STACK, || parse_here(&source))
    } else {
        parse_here(&source)
    }
}

fn parse_here(source: &Source<'_>) -> Result<Module, NoTree> {
    let parsed = parse_unchecked_source(&source.text, PySourceType::Python);
    if let Some(error) = parsed.errors().first() {
        let at = usize::from(error.location.start()).min(source.text.len());
        let line = source.text.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        return Err(NoTree(format!(
            "the file has a syntax error in line {}",
            line + 1
        )));
    }
    let shift = source.offset(0);
    let tree = Tree {
        shift,
        text: &source.text,
    };
    let tokens = parsed
        .tokens()
        .iter()
        .filter_map(|token| {
            let kind = match token.kind() {
                Kind::Lpar => TokenKind::Open,
                Kind::Rpar => TokenKind::Close,
                Kind::Comma => TokenKind::Comma,
                Kind::Semi => TokenKind::Semicolon,
                Kind::Comment => TokenKind::Comment,
                Kind::Newline | Kind::NonLogicalNewline | Kind::Indent | Kind::Dedent => {
                    return None;
                }
                _ => TokenKind::Other,
            };
            let span = tree.span(token.range());
            (span.start < span.end).then_some(Token { span, kind })
        })
        .collect();
    let body = tree.block(&parsed.syntax().body);
    Ok(Module { body, tokens })
}

struct Tree<'a> {
    /// Length of the byte order mark.
    shift: u32,
    text: &'a str,
}

impl Tree<'_> {
    fn span(&self, range: TextRange) -> Span {
        Span {
            start: u32::from(range.start()) + self.shift,
            end: u32::from(range.end()) + self.shift,
        }
    }

    fn block(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        body.iter().map(|s| self.stmt(s)).collect()
    }

    fn exprs<'e>(&self, items: impl IntoIterator<Item = &'e ast::Expr>) -> Vec<Expr> {
        items.into_iter().map(|e| self.expr(e)).collect()
    }

    fn boxed(&self, e: &ast::Expr) -> Box<Expr> {
        Box::new(self.expr(e))
    }

    fn expr(&self, e: &ast::Expr) -> Expr {
        let kind = match e {
            ast::Expr::Name(n) => ExprKind::Name(n.id.to_string()),
            ast::Expr::StringLiteral(s) => {
                ExprKind::Str(s.value.iter().map(|p| self.literal(p)).collect())
            }
            ast::Expr::FString(f) => ExprKind::Str(
                f.value
                    .iter()
                    .map(|part| match part {
                        ast::FStringPart::Literal(p) => self.literal(p),
                        ast::FStringPart::FString(p) => self.fstring(p),
                    })
                    .collect(),
            ),
            ast::Expr::NumberLiteral(_) => ExprKind::Number,
            ast::Expr::BooleanLiteral(b) if b.value => ExprKind::True,
            ast::Expr::BooleanLiteral(_) => ExprKind::False,
            ast::Expr::NoneLiteral(_) => ExprKind::None,
            ast::Expr::Attribute(a) => ExprKind::Attribute {
                value: self.boxed(&a.value),
                name: a.attr.to_string(),
                name_span: self.span(a.attr.range()),
            },
            ast::Expr::Subscript(s) => ExprKind::Subscript {
                value: self.boxed(&s.value),
                index: self.boxed(&s.slice),
            },
            ast::Expr::Call(c) => ExprKind::Call {
                func: self.boxed(&c.func),
                args: self.args(&c.arguments),
                parentheses: self.span(c.arguments.range()),
            },
            ast::Expr::BinOp(b) => ExprKind::Binary {
                left: self.boxed(&b.left),
                op: operator(b.op),
                right: self.boxed(&b.right),
            },
            ast::Expr::BoolOp(b) => ExprKind::Boolean(self.exprs(&b.values)),
            ast::Expr::UnaryOp(u) if u.op == ast::UnaryOp::Not => {
                ExprKind::Not(self.boxed(&u.operand))
            }
            ast::Expr::Compare(c) => ExprKind::Compare {
                left: self.boxed(&c.left),
                ops: c
                    .ops
                    .iter()
                    .map(|op| match op {
                        ast::CmpOp::Eq => Comparison::Equal,
                        ast::CmpOp::NotEq => Comparison::NotEqual,
                        _ => Comparison::Other,
                    })
                    .collect(),
                right: self.exprs(&c.comparators),
            },
            ast::Expr::If(i) => ExprKind::Conditional {
                test: self.boxed(&i.test),
                body: self.boxed(&i.body),
                orelse: self.boxed(&i.orelse),
            },
            ast::Expr::Tuple(t) => ExprKind::Tuple(self.exprs(&t.elts)),
            ast::Expr::List(l) => ExprKind::List(self.exprs(&l.elts)),
            ast::Expr::Dict(d) => ExprKind::Dict(
                d.items
                    .iter()
                    .map(|item| {
                        (
                            item.key.as_ref().map(|k| self.expr(k)),
                            self.expr(&item.value),
                        )
                    })
                    .collect(),
            ),
            ast::Expr::Await(a) => ExprKind::Await(self.boxed(&a.value)),
            ast::Expr::Starred(s) => ExprKind::Starred(self.boxed(&s.value)),
            ast::Expr::Lambda(l) => ExprKind::Inner(vec![self.expr(&l.body)]),
            ast::Expr::ListComp(c) => self.comprehension([&*c.elt], &c.generators),
            ast::Expr::SetComp(c) => self.comprehension([&*c.elt], &c.generators),
            ast::Expr::Generator(c) => self.comprehension([&*c.elt], &c.generators),
            ast::Expr::DictComp(c) => self.comprehension(
                c.key.as_deref().into_iter().chain([&*c.value]),
                &c.generators,
            ),
            ast::Expr::Named(n) => ExprKind::Other(self.exprs([&*n.target, &*n.value])),
            ast::Expr::UnaryOp(u) => ExprKind::Other(self.exprs([&*u.operand])),
            ast::Expr::Set(s) => ExprKind::Other(self.exprs(&s.elts)),
            ast::Expr::Yield(y) => ExprKind::Other(self.exprs(y.value.as_deref())),
            ast::Expr::YieldFrom(y) => ExprKind::Other(self.exprs([&*y.value])),
            ast::Expr::Slice(s) => ExprKind::Other(
                self.exprs(
                    [&s.lower, &s.upper, &s.step]
                        .into_iter()
                        .filter_map(|e| e.as_deref()),
                ),
            ),
            ast::Expr::TString(_)
            | ast::Expr::BytesLiteral(_)
            | ast::Expr::EllipsisLiteral(_)
            | ast::Expr::IpyEscapeCommand(_) => ExprKind::Other(Vec::new()),
        };
        Expr {
            span: self.span(e.range()),
            kind,
        }
    }

    fn comprehension<'e>(
        &self,
        elements: impl IntoIterator<Item = &'e ast::Expr>,
        generators: &[ast::Comprehension],
    ) -> ExprKind {
        let mut out = self.exprs(elements);
        for generator in generators {
            out.push(self.expr(&generator.target));
            out.push(self.expr(&generator.iter));
            out.extend(self.exprs(&generator.ifs));
        }
        ExprKind::Inner(out)
    }

    fn args(&self, arguments: &ast::Arguments) -> Vec<Arg> {
        let mut out: Vec<Arg> = Vec::new();
        for value in &arguments.args {
            let (passing, inner) = match value {
                ast::Expr::Starred(s) => (Passing::Star, &*s.value),
                other => (Passing::Position, other),
            };
            out.push(Arg {
                span: self.span(value.range()),
                passing,
                value: self.expr(inner),
            });
        }
        for keyword in &arguments.keywords {
            out.push(Arg {
                span: self.span(keyword.range()),
                passing: match &keyword.arg {
                    Some(name) => Passing::Keyword(name.to_string()),
                    None => Passing::DoubleStar,
                },
                value: self.expr(&keyword.value),
            });
        }
        out.sort_by_key(|a| a.span.start);
        out
    }

    fn part(
        &self,
        range: TextRange,
        flags: AnyStringFlags,
        formatted: Formatted,
        elements: Vec<StrElement>,
    ) -> StrPart {
        let span = self.span(range);
        let open = span.start + u32::from(flags.opener_len());
        let content = Span {
            start: open.min(span.end),
            end: span
                .end
                .saturating_sub(u32::from(flags.closer_len()))
                .max(open.min(span.end)),
        };
        let quote = match (flags.quote_style(), flags.is_triple_quoted()) {
            (ast::str::Quote::Single, false) => "'",
            (ast::str::Quote::Double, false) => "\"",
            (ast::str::Quote::Single, true) => "'''",
            (ast::str::Quote::Double, true) => "\"\"\"",
        };
        StrPart {
            span,
            content,
            raw: if flags.is_raw_string() {
                Raw::Raw
            } else {
                Raw::Escapes
            },
            formatted,
            quote,
            elements,
        }
    }

    fn literal(&self, literal: &ast::StringLiteral) -> StrPart {
        let mut part = self.part(
            literal.range,
            literal.flags.into(),
            Formatted::Plain,
            Vec::new(),
        );
        part.elements.push(StrElement::Text(part.content));
        part
    }

    fn fstring(&self, f: &ast::FString) -> StrPart {
        let elements = f
            .elements
            .iter()
            .map(|element| match element {
                InterpolatedStringElement::Literal(text) => StrElement::Text(self.span(text.range)),
                InterpolatedStringElement::Interpolation(field) => StrElement::Field {
                    span: self.span(field.range),
                    expr: self.boxed(&field.expression),
                    plain: if field.debug_text.is_some() || field.format_spec.is_some() {
                        FieldForm::Styled
                    } else {
                        match field.conversion {
                            ConversionFlag::None | ConversionFlag::Str => FieldForm::Plain,
                            ConversionFlag::Repr => FieldForm::Repr,
                            ConversionFlag::Ascii => FieldForm::Styled,
                        }
                    },
                },
            })
            .collect();
        self.part(f.range, f.flags.into(), Formatted::FString, elements)
    }

    fn stmt(&self, s: &ast::Stmt) -> Stmt {
        let kind = match s {
            ast::Stmt::FunctionDef(f) => StmtKind::Function(Function {
                name: f.name.to_string(),
                is_async: if f.is_async {
                    Asyncness::Async
                } else {
                    Asyncness::Sync
                },
                decorators: self.exprs(f.decorator_list.iter().map(|d| &d.expression)),
                params: self.params(&f.parameters),
                parentheses: self.span(f.parameters.range),
                body: self.block(&f.body),
            }),
            ast::Stmt::ClassDef(c) => StmtKind::Class {
                name: c.name.to_string(),
                bases: c
                    .arguments
                    .as_deref()
                    .map(|a| self.args(a))
                    .unwrap_or_default(),
                decorators: self.exprs(c.decorator_list.iter().map(|d| &d.expression)),
                body: self.block(&c.body),
            },
            ast::Stmt::Assign(a) => StmtKind::Assign {
                targets: self.exprs(&a.targets),
                value: self.expr(&a.value),
            },
            ast::Stmt::AnnAssign(a) => match &a.value {
                Some(value) => StmtKind::Assign {
                    targets: vec![self.expr(&a.target)],
                    value: self.expr(value),
                },
                None => StmtKind::Other(Vec::new()),
            },
            ast::Stmt::AugAssign(a) => StmtKind::AugAssign {
                target: self.expr(&a.target),
                op: operator(a.op),
                value: self.expr(&a.value),
            },
            ast::Stmt::Expr(e) => StmtKind::Expr(self.expr(&e.value)),
            ast::Stmt::Return(r) => StmtKind::Return(r.value.as_deref().map(|v| self.expr(v))),
            ast::Stmt::Raise(r) => {
                StmtKind::Raise(self.exprs(r.exc.as_deref().into_iter().chain(r.cause.as_deref())))
            }
            ast::Stmt::If(i) => {
                let head_end = i
                    .elif_else_clauses
                    .first()
                    .map_or(s.range().end(), |c| c.range.start());
                let mut clauses = vec![Clause {
                    span: self.span(TextRange::new(s.range().start(), head_end)),
                    test: Some(self.expr(&i.test)),
                    body: self.block(&i.body),
                }];
                clauses.extend(i.elif_else_clauses.iter().map(|c| Clause {
                    span: self.span(c.range),
                    test: c.test.as_ref().map(|t| self.expr(t)),
                    body: self.block(&c.body),
                }));
                StmtKind::If { clauses }
            }
            ast::Stmt::For(f) => StmtKind::For {
                target: self.expr(&f.target),
                iter: self.expr(&f.iter),
                body: self.block(&f.body),
                orelse: self.block(&f.orelse),
            },
            ast::Stmt::While(w) => StmtKind::While {
                test: self.expr(&w.test),
                body: self.block(&w.body),
                orelse: self.block(&w.orelse),
            },
            ast::Stmt::With(w) => StmtKind::With {
                items: w
                    .items
                    .iter()
                    .map(|i| {
                        (
                            self.expr(&i.context_expr),
                            i.optional_vars.as_deref().map(|v| self.expr(v)),
                        )
                    })
                    .collect(),
                body: self.block(&w.body),
            },
            ast::Stmt::Try(t) => StmtKind::Try {
                body: self.block(&t.body),
                handlers: t
                    .handlers
                    .iter()
                    .map(|ast::ExceptHandler::ExceptHandler(h)| Handler {
                        kind: h.type_.as_deref().map(|e| self.expr(e)),
                        name: h.name.as_ref().map(ToString::to_string),
                        body: self.block(&h.body),
                    })
                    .collect(),
                orelse: self.block(&t.orelse),
                finally: self.block(&t.finalbody),
            },
            ast::Stmt::Match(m) => StmtKind::Match {
                subject: self.expr(&m.subject),
                cases: m
                    .cases
                    .iter()
                    .map(|c| {
                        (
                            c.guard.as_deref().map(|g| self.expr(g)),
                            self.block(&c.body),
                        )
                    })
                    .collect(),
            },
            ast::Stmt::Import(i) => StmtKind::Import(self.aliases(&i.names)),
            ast::Stmt::ImportFrom(i) => StmtKind::ImportFrom {
                module: i
                    .module
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                level: i.level,
                names: self.aliases(&i.names),
            },
            ast::Stmt::Delete(d) => StmtKind::Other(self.exprs(&d.targets)),
            ast::Stmt::Assert(a) => {
                StmtKind::Other(self.exprs([&*a.test].into_iter().chain(a.msg.as_deref())))
            }
            ast::Stmt::TypeAlias(_)
            | ast::Stmt::Global(_)
            | ast::Stmt::Nonlocal(_)
            | ast::Stmt::Pass(_)
            | ast::Stmt::Break(_)
            | ast::Stmt::Continue(_)
            | ast::Stmt::IpyEscapeCommand(_) => StmtKind::Other(Vec::new()),
        };
        Stmt {
            span: self.span(s.range()),
            kind,
        }
    }

    fn params(&self, parameters: &ast::Parameters) -> Vec<Param> {
        let mut out = Vec::new();
        let plain = |p: &ast::ParameterWithDefault, kind| Param {
            name: p.parameter.name.to_string(),
            span: self.span(p.range),
            default: p.default.as_deref().map(|d| self.expr(d)),
            kind,
        };
        let starred = |p: &ast::Parameter, kind| Param {
            name: p.name.to_string(),
            span: self.span(p.range),
            default: None,
            kind,
        };
        for p in parameters.posonlyargs.iter().chain(&parameters.args) {
            out.push(plain(p, ParamKind::Normal));
        }
        if let Some(p) = parameters.vararg.as_deref() {
            out.push(starred(p, ParamKind::Star));
        }
        for p in &parameters.kwonlyargs {
            out.push(plain(p, ParamKind::KeywordOnly));
        }
        if let Some(p) = parameters.kwarg.as_deref() {
            out.push(starred(p, ParamKind::DoubleStar));
        }
        // The range of a starred parameter begins at its name in some versions of the parser.
        for param in &mut out {
            let stars = match param.kind {
                ParamKind::Star => "*",
                ParamKind::DoubleStar => "**",
                _ => continue,
            };
            let at = (param.span.start - self.shift) as usize;
            if self.text.get(at..).is_some_and(|t| !t.starts_with('*'))
                && self.text.get(..at).is_some_and(|t| t.ends_with(stars))
            {
                param.span.start -= stars.len() as u32;
            }
        }
        out
    }

    fn aliases(&self, names: &[ast::Alias]) -> Vec<Alias> {
        names
            .iter()
            .map(|a| Alias {
                name: a.name.to_string(),
                asname: a.asname.as_ref().map(ToString::to_string),
                span: self.span(a.range),
            })
            .collect()
    }
}

fn operator(op: ast::Operator) -> Operator {
    match op {
        ast::Operator::Add => Operator::Add,
        ast::Operator::Mod => Operator::Mod,
        ast::Operator::Div => Operator::Div,
        _ => Operator::Other,
    }
}
