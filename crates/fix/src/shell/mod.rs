//! CWE-78: a list of arguments instead of a shell; a quoted argument where the command needs one.

mod argv;
mod lex;
mod quote;

use solvent_base::Span;
use solvent_finding::Flow;
use solvent_lang::syntax::{Arg, Expr, ExprKind, Passing};

use crate::draft::Draft;
use crate::pieces::{Text, flatten_named};
use crate::python::Bit;
use crate::source::{File, Site, World};
use crate::sql::place;
use crate::{NoPatch, Proposal, RootCause};

use lex::{Command, Leads};

/// Names replaced by what they stand for, in one command.
const MAX_EXPANSIONS: usize = 32;

/// Programs that run one of their arguments as a program of a shell.
const SHELLS: [&str; 14] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "busybox",
    "eval",
    "ssh",
    "su",
    "xargs",
    "cmd",
    "cmd.exe",
    "powershell",
];

pub(crate) fn propose(world: &World<'_>, cause: &RootCause<'_>) -> Proposal {
    let mut out = Proposal::default();
    let found = match Found::new(world, cause) {
        Ok(found) => found,
        Err(why) => {
            out.refused.push(why);
            return out;
        }
    };
    let at = place(&cause.sink.function);
    let mut take = |result: Result<Draft, NoPatch>, summary: String| match result
        .and_then(|draft| draft.finish(world, "argument-list", summary))
    {
        Ok(patch) => out.patches.push(patch),
        Err(why) if !out.refused.contains(&why) => out.refused.push(why),
        Err(_) => {}
    };
    take(
        argv::attempt(world, &found),
        format!("start the program in `{at}` with a list of arguments instead of through a shell"),
    );
    take(
        quote::attempt(world, &found),
        format!("quote the value for the shell in `{at}`"),
    );
    out
}

/// The call and its command.
pub(crate) struct Found<'w, 'c> {
    pub file: &'w File,
    pub site: Site<'w>,
    pub call: &'w Expr,
    pub args: &'w [Arg],
    /// `system`, `run`, `check_output`.
    pub method: String,
    /// The expression that is the command.
    pub command: &'w Expr,
    pub form: Form<'w>,
    pub flows: Vec<&'c Flow>,
    pub cause: &'c RootCause<'c>,
}

/// How the command is given.
#[derive(Clone, Copy)]
pub(crate) enum Form<'w> {
    /// As a text that a shell reads.
    Text,
    /// As the one element of a list, with a shell.
    OnlyElement(&'w Expr),
    /// As an argument of `sh -c` in a list.
    ShellArgument(&'w Expr),
}

impl<'w, 'c> Found<'w, 'c> {
    fn new(world: &'w World<'_>, cause: &'c RootCause<'c>) -> Result<Self, NoPatch> {
        let location = &cause.sink.location;
        let file = world.file(&location.path)?;
        let moved = || NoPatch::Moved {
            path: location.path.clone(),
            line: location.line,
        };
        let site = file.site_of(location).ok_or_else(moved)?;
        let call = site.expr();
        let ExprKind::Call { func, args, .. } = &call.kind else {
            return Err(moved());
        };
        if cause.sink.kind.0 == "argv-program" {
            return Err(NoPatch::Program);
        }
        let method = match &func.kind {
            ExprKind::Attribute { name, .. } | ExprKind::Name(name) => name.clone(),
            _ => String::new(),
        };
        // `from os import system as run`: the model knows the name.
        let method = cause
            .sink
            .callee
            .rsplit('.')
            .next()
            .map_or(method, str::to_owned);
        let command = args
            .iter()
            .find(|a| matches!(&a.passing, Passing::Keyword(k) if matches!(&**k, "args" | "cmd" | "command")))
            .or_else(|| args.iter().find(|a| a.passing == Passing::Position))
            .map(|a| &a.value)
            .ok_or_else(moved)?;
        let mut found = Self {
            file,
            site,
            call,
            args,
            method,
            command,
            form: Form::Text,
            flows: cause.flows(),
            cause,
        };
        let list = match &command.kind {
            ExprKind::List(items) | ExprKind::Tuple(items) => Some((command, items)),
            ExprKind::Name(_) => crate::pieces::value_of(world, file, command, 0)
                .filter(|(from, _)| std::ptr::eq(*from, file))
                .and_then(|(_, value)| match &value.kind {
                    ExprKind::List(items) | ExprKind::Tuple(items) => Some((value, items)),
                    _ => None,
                }),
            _ => None,
        };
        if let Some((list, items)) = list {
            let text = |e: &Expr| crate::pieces::literal_text(file, e);
            if items.len() == 1 {
                found.command = &items[0];
                found.form = Form::OnlyElement(list);
                return Ok(found);
            }
            let flag = items.iter().position(|e| {
                text(e).is_some_and(|t| t.starts_with('-') && t.ends_with('c') && t.len() <= 3)
            });
            let shell = items.first().and_then(text);
            match (flag, shell) {
                (Some(flag), Some(shell))
                    if flag + 2 == items.len()
                        && SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default()) =>
                {
                    found.command = &items[flag + 1];
                    found.form = Form::ShellArgument(list);
                    return Ok(found);
                }
                _ => return Err(NoPatch::Program),
            }
        }
        if cause.sink.kind.0 == "argv" {
            return Err(NoPatch::Program);
        }
        Ok(found)
    }

    /// A keyword argument.
    pub fn keyword(&self, name: &str) -> Option<&'w Arg> {
        self.args
            .iter()
            .find(|a| a.passing == Passing::Keyword(name.to_owned()))
    }
}

/// A command taken apart.
pub(crate) struct Read<'w> {
    pub text: Text<'w>,
    pub command: Command,
    /// By hole: whether the request is in it; `None` when the flows do not tell.
    pub tainted: Option<Vec<bool>>,
}

/// A command whose program is not told here, and the hole it would be in.
pub(crate) struct Unread<'w> {
    pub why: NoPatch,
    pub text: Text<'w>,
    pub hole: usize,
}

/// The command taken apart, names put in as far as its program needs it.
pub(crate) fn read<'w>(
    world: &'w World<'_>,
    file: &'w File,
    command: &'w Expr,
    flows: &[&Flow],
) -> Result<Read<'w>, Box<Unread<'w>>> {
    let mut text = flatten_named(world, file, command);
    let line = file.line_of(command.span.start);
    for _ in 0..MAX_EXPANSIONS {
        let tainted = text.tainted(flows);
        let command = lex::lex(&text);
        let leading = command.words.iter().find_map(|word| {
            if word.leads != Leads::Command {
                return None;
            }
            word.bits.iter().find_map(|bit| match bit {
                Bit::Hole(hole) => Some(*hole),
                Bit::Text(_) => None,
            })
        });
        let Some(hole) = leading else {
            return Ok(Read {
                text,
                command,
                tainted,
            });
        };
        if let Some(inner) = text.expansion(world, hole) {
            text.splice(hole, inner);
            continue;
        }
        let carries = tainted
            .as_ref()
            .is_none_or(|t| t.get(hole).copied().unwrap_or(true));
        if !carries {
            return Ok(Read {
                text,
                command,
                tainted,
            });
        }
        let why = if text.units.len() == 1 {
            NoPatch::WholeCommand
        } else {
            NoPatch::Program
        };
        return Err(Box::new(Unread { why, text, hole }));
    }
    Err(Box::new(Unread {
        why: NoPatch::NotFollowed {
            what: "the command is put together from too many pieces".to_owned(),
            line,
        },
        text,
        hole: 0,
    }))
}

/// Source of the value behind `shlex.quote(x)`.
pub(crate) fn unquoted(expr: &Expr) -> Option<&Expr> {
    let ExprKind::Call { func, args, .. } = &expr.kind else {
        return None;
    };
    let name = func.dotted()?;
    if !matches!(&*name, "shlex.quote" | "pipes.quote" | "quote") {
        return None;
    }
    match args.as_slice() {
        [only] if only.passing == Passing::Position => Some(&only.value),
        _ => None,
    }
}

/// Whether a shell would read the value again.
pub(crate) fn nested_shell(command: &Command) -> Option<String> {
    command.words.iter().find_map(|word| {
        let name = lex::program(word)?;
        SHELLS.contains(&name).then(|| name.to_owned())
    })
}

pub(crate) fn span_line(file: &File, span: Span) -> u32 {
    file.line_of(span.start)
}
