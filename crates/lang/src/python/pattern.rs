//! `match`: patterns become comparisons and branches, captures become reads of parts.

use ruff_python_ast::{self as ast, Expr, Pattern, Singleton};
use solvent_base::Span;
use solvent_ir::{Arg, Block, CompareOp, Const, Op, Value};

use super::Lower;
use crate::lower::with_stack;

impl<'a> Lower<'_, 'a, '_> {
    pub fn match_cases(&mut self, node: &'a ast::StmtMatch) {
        let mut subject = self.expr(&node.subject);
        let variable = match &*node.subject {
            Expr::Name(name) => Some(self.name(&name.id)).filter(|&name| self.is_stable(name)),
            _ => None,
        };
        let fork = self.fork();
        let exit = self.b.block();
        for case in &node.cases {
            // What earlier cases have taught about the subject.
            if let Some(current) = variable.and_then(|variable| self.b.read(variable)) {
                subject = current;
            }
            let fail = self.b.block();
            self.pattern(&case.pattern, subject, fail);
            if let Some(guard) = &case.guard {
                let holds = self.b.block();
                self.condition(guard, holds, fail);
                self.join(holds, fork);
            }
            self.statements(&case.body);
            self.b.jump(exit);
            self.join(fail, fork);
        }
        self.b.jump(exit);
        self.join(exit, fork);
    }

    /// Goes on here if `value` matches, else in `fail`.
    fn pattern(&mut self, pattern: &'a Pattern, value: Value, fail: Block) {
        with_stack(|| self.pattern_here(pattern, value, fail));
    }

    fn pattern_here(&mut self, pattern: &'a Pattern, value: Value, fail: Block) {
        let span = self.span(pattern);
        let value = self.newest(value);
        match pattern {
            Pattern::MatchValue(node) => {
                let right = self.expr(&node.value);
                self.compare(CompareOp::Eq, value, right, fail, span);
            }
            Pattern::MatchSingleton(node) => {
                let right = self.constant(
                    match node.value {
                        Singleton::None => Const::None,
                        Singleton::True => Const::Bool(true),
                        Singleton::False => Const::Bool(false),
                    },
                    span,
                );
                self.compare(CompareOp::Is, value, right, fail, span);
            }
            Pattern::MatchSequence(node) => self.sequence(&node.patterns, value, fail, span),
            Pattern::MatchMapping(node) => {
                for (key, part) in node.keys.iter().zip(&node.patterns) {
                    let key = self.expr(key);
                    self.compare(CompareOp::In, key, value, fail, span);
                    let item = self.b.emit(Op::Index { base: value, key }, span);
                    self.pattern(part, item, fail);
                }
                if let Some(rest) = &node.rest {
                    let name = self.name(rest);
                    let span = self.span(rest);
                    self.write_name(name, value, span);
                }
            }
            Pattern::MatchClass(node) => self.class_pattern(node, value, fail, span),
            Pattern::MatchStar(_) => {
                // Bound by the sequence around it.
            }
            Pattern::MatchAs(node) => {
                if let Some(inner) = &node.pattern {
                    self.pattern(inner, value, fail);
                }
                if let Some(name) = &node.name {
                    let span = self.span(name);
                    let name = self.name(name);
                    let value = self.newest(value);
                    self.write_name(name, value, span);
                }
            }
            Pattern::MatchOr(node) => {
                let fork = self.fork();
                let matched = self.b.block();
                for (i, alternative) in node.patterns.iter().enumerate() {
                    if i + 1 == node.patterns.len() {
                        self.pattern(alternative, value, fail);
                        self.b.jump(matched);
                    } else {
                        let next = self.b.block();
                        self.pattern(alternative, value, next);
                        self.b.jump(matched);
                        self.join(next, fork);
                    }
                }
                self.join(matched, fork);
            }
        }
    }

    fn sequence(&mut self, patterns: &'a [Pattern], value: Value, fail: Block, span: Span) {
        let star = patterns
            .iter()
            .position(|p| matches!(p, Pattern::MatchStar(_)));
        let count = patterns.len() - usize::from(star.is_some());
        let len = self.file.well_known.len;
        let callee = self.b.emit(Op::Global(len), span);
        let length = self.b.emit(
            Op::Call {
                callee,
                args: vec![Arg::Positional(value)],
            },
            span,
        );
        let expected = self.int(count as i64, span);
        let op = if star.is_some() {
            CompareOp::GtEq
        } else {
            CompareOp::Eq
        };
        self.compare(op, length, expected, fail, span);
        let value = self.newest(value);
        for (i, pattern) in patterns.iter().enumerate() {
            let span = self.span(pattern);
            if let Pattern::MatchStar(node) = pattern {
                let Some(name) = &node.name else { continue };
                let lower = Some(self.int(i as i64, span));
                let rest = patterns.len() - i - 1;
                let upper = (rest > 0).then(|| self.int(-(rest as i64), span));
                let slice = self.b.emit(
                    Op::Slice {
                        base: value,
                        lower,
                        upper,
                        step: None,
                    },
                    span,
                );
                let name = self.name(name);
                self.write_name(name, slice, span);
                continue;
            }
            let position = match star {
                Some(star) if i > star => i as i64 - patterns.len() as i64,
                _ => i as i64,
            };
            let key = self.int(position, span);
            let item = self.b.emit(Op::Index { base: value, key }, span);
            self.pattern(pattern, item, fail);
        }
    }

    fn class_pattern(
        &mut self,
        node: &'a ast::PatternMatchClass,
        value: Value,
        fail: Block,
        span: Span,
    ) {
        let class = self.expr(&node.cls);
        let isinstance = self.file.well_known.isinstance;
        let callee = self.b.emit(Op::Global(isinstance), span);
        let args = vec![Arg::Positional(value), Arg::Positional(class)];
        let test = self.b.emit(Op::Call { callee, args }, span);
        self.test(test, fail, span);
        let value = self.newest(value);
        for (i, part) in node.arguments.patterns.iter().enumerate() {
            let item = if i == 0 && matches_whole(&node.cls) {
                value
            } else {
                let match_args = self.file.well_known.match_args;
                let fields = self.b.emit(
                    Op::Attr {
                        base: class,
                        name: match_args,
                    },
                    span,
                );
                let position = self.int(i as i64, span);
                let field = self.b.emit(
                    Op::Index {
                        base: fields,
                        key: position,
                    },
                    span,
                );
                let getattr = self.file.well_known.getattr;
                let callee = self.b.emit(Op::Global(getattr), span);
                let args = vec![Arg::Positional(value), Arg::Positional(field)];
                self.b.emit(Op::Call { callee, args }, span)
            };
            self.pattern(part, item, fail);
        }
        for keyword in &node.arguments.keywords {
            let name = self.name(&keyword.attr);
            let item = self.b.emit(Op::Attr { base: value, name }, span);
            self.pattern(&keyword.pattern, item, fail);
        }
    }

    fn compare(&mut self, op: CompareOp, left: Value, right: Value, fail: Block, span: Span) {
        let test = self.b.emit(Op::Compare { op, left, right }, span);
        self.test(test, fail, span);
    }

    /// Goes on here if `condition` holds, else in `fail`.
    fn test(&mut self, condition: Value, fail: Block, span: Span) {
        let holds = self.b.block();
        self.branch(condition, holds, fail, span);
        self.b.seal(holds);
        self.b.start(holds);
    }
}

/// Builtin classes whose one positional pattern matches the whole subject (PEP 634).
fn matches_whole(class: &Expr) -> bool {
    const CLASSES: [&str; 11] = [
        "bool",
        "bytearray",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "set",
        "str",
        "tuple",
    ];
    matches!(class, Expr::Name(name) if CLASSES.contains(&name.id.as_str()))
}
