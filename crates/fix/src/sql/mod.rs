//! CWE-89: values are bound, not written into the statement.

mod bind;
mod build;
mod driver;
mod give;
mod lex;
mod list;
mod uses;

use solvent_finding::{Flow, StepKind, Symbol};
use solvent_lang::syntax::{Expr, ExprKind, Passing};

use crate::draft::Draft;
use crate::pieces::{Text, Unit, flatten_named};
use crate::scope::{self, Meaning};
use crate::source::{File, Owner, Site, World};
use crate::{NoPatch, Proposal, RootCause};

use driver::{Driver, Style};
use give::Receiver;
pub(crate) use give::{after, free};
pub(crate) use uses::template_is_ours;

/// Wrappers around wrappers that are followed.
const MAX_WRAPPERS: u32 = 4;

/// Names replaced by what they stand for, in one statement.
const MAX_EXPANSIONS: usize = 32;

pub(crate) fn propose(world: &World<'_>, cause: &RootCause<'_>) -> Proposal {
    let mut out = Proposal::default();
    match attempt(world, cause) {
        Ok((draft, summary)) => match draft.finish(world, "bound-parameters", summary) {
            Ok(patch) => out.patches.push(patch),
            Err(why) => out.refused.push(why),
        },
        Err(why) => out.refused.push(why),
    }
    out
}

fn attempt(world: &World<'_>, cause: &RootCause<'_>) -> Result<(Draft, String), NoPatch> {
    let location = &cause.sink.location;
    let file = world.file(&location.path)?;
    let site = file.site_of(location).ok_or_else(|| NoPatch::Moved {
        path: location.path.clone(),
        line: location.line,
    })?;
    let call = site.expr();
    let callee = &cause.sink.callee;
    let ExprKind::Call { func, .. } = &call.kind else {
        return Err(NoPatch::Moved {
            path: location.path.clone(),
            line: location.line,
        });
    };
    let written = func.dotted().unwrap_or_default();
    let method = written
        .rsplit('.')
        .next()
        .filter(|m| !m.is_empty())
        .or(match &func.kind {
            ExprKind::Attribute { name, .. } => Some(&**name),
            _ => None,
        })
        .unwrap_or_default();
    if matches!(method, "literal_column") {
        return Err(NoPatch::NoParameters {
            callee: written.clone(),
        });
    }
    let sql = statement_of(call).ok_or_else(|| NoPatch::NotFollowed {
        what: "the statement is not given as an argument of its own".to_owned(),
        line: location.line,
    })?;
    let driver = driver::of(world, file, callee)?;
    let flows = cause.flows();
    let mut draft = Draft::default();
    let receiver = Receiver::of(file, &site, sql, method, callee, driver, &mut draft);
    let work = Work {
        world,
        driver,
        flows: &flows,
        sink: &cause.sink.function,
        callee,
    };
    let count = work.at(file, sql, &receiver, &mut draft, 0)?;
    let values = if count == 1 {
        "the value"
    } else {
        "the values"
    };
    let summary = format!(
        "bind {values} of the statement in `{}` instead of writing {} into it",
        place(&cause.sink.function),
        if count == 1 { "it" } else { "them" }
    );
    Ok((draft, summary))
}

pub(crate) fn place(symbol: &Symbol) -> &str {
    if symbol.qualname.is_empty() {
        &symbol.module
    } else {
        &symbol.qualname
    }
}

/// The argument that is the statement.
fn statement_of(call: &Expr) -> Option<&Expr> {
    let ExprKind::Call { args, .. } = &call.kind else {
        return None;
    };
    let first = args.first()?;
    match &first.passing {
        Passing::Position => Some(&first.value),
        _ => args.iter().find_map(|a| match &a.passing {
            Passing::Keyword(k)
                if matches!(
                    &**k,
                    "sql" | "query" | "statement" | "operation" | "text" | "sql_script"
                ) =>
            {
                Some(&a.value)
            }
            _ => None,
        }),
    }
}

struct Work<'w, 'c> {
    world: &'w World<'w>,
    driver: Driver,
    flows: &'c [&'c Flow],
    sink: &'c Symbol,
    callee: &'c str,
}

impl<'w> Work<'w, '_> {
    /// Binds the values of the statement `sql`; the number of values.
    fn at(
        &self,
        file: &'w File,
        sql: &'w Expr,
        receiver: &Receiver<'w>,
        draft: &mut Draft,
        depth: u32,
    ) -> Result<usize, NoPatch> {
        let mut text = flatten_named(self.world, file, sql);
        let mut steps = 0;
        let mut more = Vec::new();
        loop {
            let tainted = text.tainted(self.flows);
            let lexed = lex::lex(&text);
            let Some((hole, words)) =
                bind::misplaced(self.world, &text, &lexed, self.driver, tainted.as_deref())
            else {
                for (file, template) in &text.templates {
                    uses::template_is_ours(self.world, file, template)?;
                }
                let style = receiver.style(&lexed, self.driver);
                let items = bind::bind(
                    self.world,
                    &text,
                    &lexed,
                    style,
                    self.driver,
                    tainted.as_deref(),
                    draft,
                )?;
                receiver.give(&lexed, &items, style, draft)?;
                for (site, sql) in more {
                    self.also(file, &site, sql, draft)
                        .give(&lexed, &items, style, draft)?;
                }
                return Ok(items.len());
            };
            steps += 1;
            if steps <= MAX_EXPANSIONS
                && let Some(inner) = text.expansion(self.world, hole)
            {
                more.extend(self.shared(file, &text, hole, draft)?);
                text.splice(hole, inner);
                continue;
            }
            return self.elsewhere(&text, hole, words, receiver, draft, depth);
        }
    }

    /// Other calls that run the variable in the hole.
    fn shared(
        &self,
        file: &'w File,
        text: &Text<'w>,
        hole: usize,
        draft: &mut Draft,
    ) -> Result<Vec<(Site<'w>, &'w Expr)>, NoPatch> {
        let hole = &text.holes[hole];
        let Some((expr, name)) = hole.expr.and_then(|e| Some((e, e.dotted()?))) else {
            return Ok(Vec::new());
        };
        match hole.file.site(expr.span) {
            Some(site) if std::ptr::eq(hole.file, file) && site.function().is_some() => {
                uses::others(file, &site, &name, expr.span, draft)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A call beside the sink that runs the same statement.
    fn also(
        &self,
        file: &'w File,
        site: &Site<'w>,
        sql: &'w Expr,
        draft: &mut Draft,
    ) -> Receiver<'w> {
        let method = match &site.expr().kind {
            ExprKind::Call { func, .. } => match &func.kind {
                ExprKind::Attribute { name, .. } | ExprKind::Name(name) => name.clone(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        Receiver::of(file, site, sql, &method, self.callee, self.driver, draft)
    }

    /// A name in the statement that is not put together in one piece here.
    fn elsewhere(
        &self,
        text: &Text<'w>,
        hole: usize,
        words: String,
        receiver: &Receiver<'w>,
        draft: &mut Draft,
        depth: u32,
    ) -> Result<usize, NoPatch> {
        let refuse = || {
            let hole = &text.holes[hole];
            if text.units.len() == 1 {
                NoPatch::WholeStatement
            } else {
                NoPatch::NotAValue {
                    source: hole.source.clone(),
                    place: words.clone(),
                }
            }
        };
        let Some(expr) = text.holes[hole].expr else {
            return Err(refuse());
        };
        let from = text.holes[hole].file;
        // `" AND ".join(conditions)`
        if let Some(list) = build::joined_list(expr)
            && let Some(site) = from.site(expr.span)
        {
            return build::list(self, from, &site, list, text, hole, receiver, draft);
        }
        let Some(name) = expr.dotted() else {
            return Err(refuse());
        };
        let Some(site) = from.site(expr.span) else {
            return Err(refuse());
        };
        match scope::meaning(&site, &name) {
            Meaning::Many(defs) => {
                if !uses::others(from, &site, &name, expr.span, draft)?.is_empty() {
                    return Err(NoPatch::NotFollowed {
                        what: format!("`{name}` grows line by line and is run in several places"),
                        line: from.line_of(expr.span.start),
                    });
                }
                build::chunks(self, from, &site, &name, &defs, text, hole, receiver, draft)
            }
            Meaning::Param(index) if depth < MAX_WRAPPERS => {
                // Only a statement that is handed through whole; parts of it may be names.
                if !matches!(text.units.first(), Some(Unit::Hole(h)) if *h == hole) {
                    return Err(refuse());
                }
                self.callers(from, &site, index, text, receiver, draft, depth)
            }
            _ => Err(refuse()),
        }
    }

    /// The statement is a parameter: its callers make it.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `at`, which holds the state"
    )]
    fn callers(
        &self,
        file: &'w File,
        site: &Site<'w>,
        index: usize,
        text: &Text<'w>,
        receiver: &Receiver<'w>,
        draft: &mut Draft,
        depth: u32,
    ) -> Result<usize, NoPatch> {
        let Some((level, function)) = site.function() else {
            return Err(NoPatch::WholeStatement);
        };
        let calls = calls_into(self.world, self.flows, self.sink, file, function)?;
        if calls.is_empty() {
            return Err(NoPatch::WholeStatement);
        }
        let owner = site.owner(level);
        let style = receiver.style(&lex::lex(text), self.driver);
        let inner = receiver.passing(file, function, style, draft)?;
        let mut count = 0;
        for (caller, call) in calls {
            let Some(argument) = argument(call, function, index, owner) else {
                return Err(NoPatch::NotFollowed {
                    what: format!("the call of `{}` cannot be read", function.name),
                    line: caller.line_of(call.span.start),
                });
            };
            let receiver = Receiver::wrapper(caller, call, argument, function, &inner, owner);
            count += self.at(caller, argument, &receiver, draft, depth + 1)?;
        }
        Ok(count)
    }
}

/// Calls through which the flows enter `function`, which is in `file`.
pub(crate) fn calls_into<'w>(
    world: &'w World<'_>,
    flows: &[&Flow],
    sink: &Symbol,
    file: &'w File,
    function: &solvent_lang::syntax::Function,
) -> Result<Vec<(&'w File, &'w Expr)>, NoPatch> {
    let mut out: Vec<(&File, &Expr)> = Vec::new();
    for flow in flows {
        for (at, step) in flow.steps.iter().enumerate() {
            if step.kind != StepKind::Call {
                continue;
            }
            let into = flow.steps.get(at + 1).map_or(sink, |next| &next.function);
            let here = flow
                .steps
                .get(at + 1)
                .is_some_and(|next| next.location.path == file.path);
            if !here || into.qualname.rsplit('.').next() != Some(&*function.name) {
                continue;
            }
            let caller = world.file(&step.location.path)?;
            let Some(site) = caller.site_of(&step.location) else {
                continue;
            };
            let call = site.expr();
            if matches!(call.kind, ExprKind::Call { .. })
                && !out.iter().any(|(_, c)| std::ptr::eq(*c, call))
            {
                out.push((caller, call));
            }
        }
    }
    Ok(out)
}

/// The argument of `call` that becomes parameter `index` of `function`.
pub(crate) fn argument<'w>(
    call: &'w Expr,
    function: &solvent_lang::syntax::Function,
    index: usize,
    owner: Owner,
) -> Option<&'w Expr> {
    let ExprKind::Call { args, .. } = &call.kind else {
        return None;
    };
    let param = function.params.get(index)?;
    if let Some(arg) = args
        .iter()
        .find(|a| a.passing == Passing::Keyword(param.name.clone()))
    {
        return Some(&arg.value);
    }
    let place = index.checked_sub(usize::from(owner == Owner::Class && !is_static(function)))?;
    if args
        .iter()
        .take(place + 1)
        .any(|a| a.passing != Passing::Position)
    {
        return None;
    }
    args.get(place).map(|a| &a.value)
}

fn is_static(function: &solvent_lang::syntax::Function) -> bool {
    function
        .decorators
        .iter()
        .any(|d| d.dotted().as_deref() == Some("staticmethod"))
}

/// Whether the style names its parameters.
fn named(style: Style) -> bool {
    matches!(style, Style::Colon | Style::PercentNamed)
}
