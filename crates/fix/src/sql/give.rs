//! Where the values go: to the call that runs the statement, or to whoever hands it on.

use solvent_base::Span;
use solvent_lang::syntax::{Arg, Expr, ExprKind, Function, ParamKind, Passing};

use crate::NoPatch;
use crate::draft::Draft;
use crate::imports::{self, Import};
use crate::python;
use crate::scope;
use crate::source::{File, Owner, Site, contains};

use super::bind::{Count, Item, Purity};
use super::driver::{Driver, Style};
use super::lex::Lexed;
use super::named;

const TEXT: Import = Import {
    module: "sqlalchemy",
    name: Some("text"),
};

/// Names that a driver gives its parameters.
const PARAMETERS: [&str; 9] = [
    "parameters",
    "params",
    "args",
    "vars",
    "query_params",
    "seq_of_parameters",
    "seq_of_params",
    "param_list",
    "values",
];

pub(crate) struct Receiver<'w> {
    file: &'w File,
    /// The call that takes the statement.
    call: &'w Expr,
    /// The statement in it.
    sql: &'w Expr,
    kind: Kind,
}

enum Kind {
    /// `execute(sql, values)`
    Execute,
    /// `executemany(sql, rows)`
    Many,
    /// `executescript(sql)`
    Script { method: Span },
    /// `fetch(sql, *values)`
    Separate,
    /// SQLAlchemy's `text(sql)`, perhaps directly inside `execute(text(sql), values)`.
    Text { inside: Inside },
    /// SQLAlchemy's `execute(sql)` with the statement as a string.
    Raw,
    /// A function of the application that hands them on.
    Wrapper(Pass),
}

/// Where a statement object is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// As the only argument of the call that runs it.
    Run,
    Other,
}

/// How a wrapper takes the values.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    name: String,
    /// Place among the positional arguments of a call.
    place: Option<usize>,
    style: Style,
}

impl<'w> Receiver<'w> {
    pub fn of(
        file: &'w File,
        site: &Site<'w>,
        sql: &'w Expr,
        method: &str,
        callee: &str,
        driver: Driver,
        draft: &mut Draft,
    ) -> Self {
        let call = site.expr();
        let kind = match method {
            "executescript" => {
                let method = match &call.kind {
                    ExprKind::Call { func, .. } => match &func.kind {
                        ExprKind::Attribute { name_span, .. } => *name_span,
                        _ => func.span,
                    },
                    _ => call.span,
                };
                draft.assume(
                    "`executescript` commits before it runs and `execute` does not: check that the change is \
                     committed afterwards",
                );
                Kind::Script { method }
            }
            "executemany" => Kind::Many,
            _ if driver.style == Style::Dollar => Kind::Separate,
            _ if callee.rsplit('.').next() == Some("text") => Kind::Text {
                inside: if site.parent().is_some_and(|p| runs(p, call)) {
                    Inside::Run
                } else {
                    Inside::Other
                },
            },
            _ if callee.starts_with("sqlalchemy.") => Kind::Raw,
            _ => Kind::Execute,
        };
        Self {
            file,
            call,
            sql,
            kind,
        }
    }

    pub fn wrapper(
        file: &'w File,
        call: &'w Expr,
        sql: &'w Expr,
        function: &Function,
        pass: &Pass,
        owner: Owner,
    ) -> Self {
        let mut pass = pass.clone();
        let shift = usize::from(owner == Owner::Class && !super::is_static(function));
        pass.place = pass.place.and_then(|p| p.checked_sub(shift));
        Self {
            file,
            call,
            sql,
            kind: Kind::Wrapper(pass),
        }
    }

    /// The way parameters are written in this statement.
    pub fn style(&self, lexed: &Lexed, driver: Driver) -> Style {
        let style = match &self.kind {
            Kind::Wrapper(pass) => pass.style,
            _ => driver.style,
        };
        if lexed.named > 0 && lexed.positional == 0 {
            return match style {
                Style::Question => Style::Colon,
                Style::Percent => Style::PercentNamed,
                style => style,
            };
        }
        style
    }

    fn args(&self) -> &'w [Arg] {
        match &self.call.kind {
            ExprKind::Call { args, .. } => args,
            _ => &[],
        }
    }

    /// Values that are given already.
    fn existing(&self) -> Option<&'w Arg> {
        let args = self.args();
        if let Kind::Wrapper(pass) = &self.kind {
            let keyword = args
                .iter()
                .find(|a| a.passing == Passing::Keyword(pass.name.clone()));
            return keyword.or_else(|| {
                let arg = args.get(pass.place?)?;
                (arg.passing == Passing::Position).then_some(arg)
            });
        }
        let at = args.iter().position(|a| a.value.span == self.sql.span)?;
        // pandas has the connection behind the statement.
        let second_is_connection = matches!(&self.call.kind, ExprKind::Call { func, .. }
            if func.dotted().is_some_and(|d| d.contains("read_sql")));
        let next = args.get(at + 1).filter(|a| {
            a.passing == Passing::Position
                && args[at].passing == Passing::Position
                && !second_is_connection
        });
        next.or_else(|| {
            args.iter().find(
                |a| matches!(&a.passing, Passing::Keyword(k) if PARAMETERS.contains(&k.as_str())),
            )
        })
    }

    /// Whether no values are given yet.
    pub fn is_open(&self) -> bool {
        self.existing().is_none()
    }

    /// Gives the values with the call.
    pub fn give(
        &self,
        lexed: &Lexed,
        items: &[Item],
        style: Style,
        draft: &mut Draft,
    ) -> Result<(), NoPatch> {
        if let Kind::Script { method } = &self.kind {
            if lexed.several {
                return Err(NoPatch::NoParameters {
                    callee: self.file.slice(self.function_span()).to_owned(),
                });
            }
            draft
                .edits(self.file)
                .replace(method.start, method.end, "execute");
        }
        let moved = self.moved(items)?;
        self.write(lexed, items, moved, style, draft)
    }

    fn function_span(&self) -> Span {
        match &self.call.kind {
            ExprKind::Call { func, .. } => func.span,
            _ => self.call.span,
        }
    }

    /// Where the values must be computed if not at the call: behind the statement at this offset.
    fn moved(&self, items: &[Item]) -> Result<Option<Span>, NoPatch> {
        let mut out: Option<Span> = None;
        let Some(site) = self.file.site(self.call.span) else {
            return Ok(None);
        };
        let body = site.body();
        for item in items {
            let here = item.path == self.file.path;
            if here && contains(self.call.span, item.root) {
                continue;
            }
            if !here {
                return Err(self.refuse("a value is put in place in another file"));
            }
            let Some(from) = self.file.site(item.root) else {
                return Err(self.refuse("the place of a value cannot be read"));
            };
            let changed = item.moves.names.iter().any(|name| {
                scope::definitions(body, name).iter().any(|d| {
                    let at = d.stmt().span.start;
                    at > item.root.start && at < self.call.span.start
                })
            });
            if changed || item.moves.pure == Purity::Calls {
                let stmt = from.stmt().span;
                if out.is_some_and(|o| o != stmt) {
                    return Err(self.refuse("values are computed in several places"));
                }
                out = Some(stmt);
            }
        }
        if let Some(stmt) = out {
            let other = items
                .iter()
                .any(|i| !contains(stmt, i.root) && !contains(self.call.span, i.root));
            if other || items.iter().any(|i| contains(self.call.span, i.root)) {
                return Err(self.refuse("values are computed in several places"));
            }
        }
        Ok(out)
    }

    fn refuse(&self, what: &str) -> NoPatch {
        NoPatch::NotFollowed {
            what: what.to_owned(),
            line: self.file.line_of(self.call.span.start),
        }
    }

    fn write(
        &self,
        lexed: &Lexed,
        items: &[Item],
        moved: Option<Span>,
        style: Style,
        draft: &mut Draft,
    ) -> Result<(), NoPatch> {
        if matches!(self.kind, Kind::Separate) {
            if moved.is_some() {
                return Err(self.refuse("the values cannot be computed at the call"));
            }
            return self.separate(lexed, items, draft);
        }
        if let Some(stmt) = moved {
            let site = self.file.site(self.call.span);
            let (body, function) = match &site {
                Some(site) => (site.body(), site.function().map(|(_, f)| f)),
                None => return Err(self.refuse("the place is not in a function")),
            };
            let taken = scope::names(body, function);
            let name = free(&taken, &PARAMS);
            let value = literal(items, style, self.file.quote());
            after(self.file, stmt, &format!("{name} = {value}"), draft);
            if self.existing().is_some() {
                return Err(self.refuse("the call has parameters already"));
            }
            self.add(&Given::variable(&name), draft);
            return Ok(());
        }
        match self.existing() {
            None => {
                self.add(&Given::items(items, style, self.file.quote()), draft);
                Ok(())
            }
            Some(arg) => self.merge(arg, lexed, items, style, draft),
        }
    }

    /// Adds the values as a new argument.
    pub fn add(&self, given: &Given, draft: &mut Draft) {
        let value = &given.value;
        let parentheses = match &self.call.kind {
            ExprKind::Call { parentheses, .. } => *parentheses,
            _ => self.call.span,
        };
        let file = self.file;
        let inner = Span {
            start: parentheses.start + 1,
            end: parentheses.end.saturating_sub(1),
        };
        let own = file.module.with_parentheses(self.sql.span, inner);
        let end = own.end;
        let own_line = file.line_of(own.start) != file.line_of(parentheses.start)
            && file.starts_line(own.start);
        let gap = if own_line {
            format!(",{}{}", file.newline(), file.indent(own.start))
        } else {
            ", ".to_owned()
        };
        match &self.kind {
            Kind::Text {
                inside: Inside::Run,
            } => {
                // `execute(text(sql), {"name": name})`
                draft
                    .edits(file)
                    .insert(self.call.span.end, format!(", {value}"));
            }
            Kind::Text {
                inside: Inside::Other,
            } => {
                draft.edits(file).insert(
                    self.call.span.end,
                    format!(".bindparams({})", given.keywords),
                );
            }
            Kind::Raw => {
                let start = own.start;
                let text = imports::spelled(file, &TEXT).unwrap_or_else(|| {
                    draft.import(file, TEXT);
                    "text".to_owned()
                });
                draft.edits(file).insert(start, format!("{text}("));
                draft.edits(file).insert(end, format!("){gap}{value}"));
            }
            Kind::Many => {}
            Kind::Wrapper(pass) => {
                let args = self.args();
                let at = args.iter().position(|a| a.value.span == self.sql.span);
                let positional = pass.place.is_some()
                    && at.is_some_and(|at| {
                        pass.place == Some(at + 1)
                            && args[at].passing == Passing::Position
                            && args
                                .get(at + 1)
                                .is_none_or(|a| a.passing != Passing::Position)
                    });
                if positional {
                    draft.edits(file).insert(end, format!("{gap}{value}"));
                } else {
                    let last = args.last().map_or(end, |a| a.span.end);
                    draft
                        .edits(file)
                        .insert(last.max(end), format!("{gap}{}={value}", pass.name));
                }
            }
            Kind::Execute | Kind::Script { .. } => {
                // A statement given by keyword has its values by keyword too; one with other arguments
                // behind it (`read_sql(sql, connection)`) has them at the end.
                let args = self.args();
                let at = args.iter().position(|a| a.value.span == self.sql.span);
                let keyword = at.is_some_and(|at| {
                    matches!(args[at].passing, Passing::Keyword(_))
                        || args
                            .get(at + 1)
                            .is_some_and(|a| a.passing == Passing::Position)
                });
                if keyword {
                    let last = args.last().map_or(end, |a| a.span.end);
                    draft
                        .edits(file)
                        .insert(last.max(end), format!("{gap}params={value}"));
                } else {
                    draft.edits(file).insert(end, format!("{gap}{value}"));
                }
            }
            Kind::Separate => {}
        }
    }

    /// Adds the values to those that are given already.
    fn merge(
        &self,
        arg: &'w Arg,
        lexed: &Lexed,
        items: &[Item],
        style: Style,
        draft: &mut Draft,
    ) -> Result<(), NoPatch> {
        let file = self.file;
        let quote = file.quote();
        let value = &arg.value;
        if matches!(self.kind, Kind::Many) {
            return self.rows(arg, lexed, items, style, draft);
        }
        if let (Kind::Raw, false) = (&self.kind, matches!(value.kind, ExprKind::Dict(_))) {
            return Err(self.refuse("the call has parameters of another form already"));
        }
        match &value.kind {
            ExprKind::Dict(pairs) if named(style) => {
                let mut text = String::new();
                for item in items {
                    text.push_str(&format!(", {quote}{}{quote}: {}", item.name, item.source));
                }
                match pairs.last() {
                    Some((_, last)) => draft.edits(file).insert(last.span.end, text),
                    None => draft.edits(file).replace(
                        value.span.start,
                        value.span.end,
                        literal(items, style, quote),
                    ),
                }
                Ok(())
            }
            ExprKind::Tuple(values) | ExprKind::List(values) if !named(style) => {
                if values.is_empty() {
                    draft.edits(file).replace(
                        value.span.start,
                        value.span.end,
                        literal(items, style, quote),
                    );
                    return Ok(());
                }
                if values.len() != lexed.positional
                    && items.iter().any(|i| i.bound_before > 0)
                    && items.iter().any(|i| i.bound_before < lexed.positional)
                {
                    return Err(self.refuse("the parameters do not match the placeholders"));
                }
                for item in items {
                    let source = starred(item);
                    match values.get(item.bound_before) {
                        Some(next) => draft
                            .edits(file)
                            .insert(next.span.start, format!("{source}, ")),
                        None => {
                            let last = &values[values.len() - 1];
                            draft
                                .edits(file)
                                .insert(last.span.end, format!(", {source}"));
                        }
                    }
                }
                Ok(())
            }
            _ if named(style) => {
                let pairs: Vec<String> = items
                    .iter()
                    .map(|i| format!("{quote}{}{quote}: {}", i.name, i.source))
                    .collect();
                let old = file.slice(value.span);
                draft.edits(file).replace(
                    value.span.start,
                    value.span.end,
                    format!("{{**{old}, {}}}", pairs.join(", ")),
                );
                Ok(())
            }
            _ => {
                let old = file.slice(value.span);
                let sources: Vec<String> = items.iter().map(starred).collect();
                let joined = if items.iter().all(|i| i.bound_before == 0) {
                    format!("({}, *{old})", sources.join(", "))
                } else if items.iter().all(|i| i.bound_before == lexed.positional) {
                    format!("(*{old}, {})", sources.join(", "))
                } else {
                    return Err(self.refuse(
                        "the parameters are one value, and the new ones belong between them",
                    ));
                };
                draft
                    .edits(file)
                    .replace(value.span.start, value.span.end, joined);
                Ok(())
            }
        }
    }

    /// `executemany`: the values go into every row.
    fn rows(
        &self,
        arg: &'w Arg,
        lexed: &Lexed,
        items: &[Item],
        style: Style,
        draft: &mut Draft,
    ) -> Result<(), NoPatch> {
        if named(style) || items.iter().any(|i| i.count == Count::Many) {
            return Err(self.refuse("every row of the parameters would have to change"));
        }
        let old = self.file.slice(arg.value.span);
        let sources: Vec<String> = items.iter().map(|i| i.source.clone()).collect();
        let row = if items.iter().all(|i| i.bound_before == 0) {
            format!("({}, *row)", sources.join(", "))
        } else if items.iter().all(|i| i.bound_before == lexed.positional) {
            format!("(*row, {})", sources.join(", "))
        } else {
            return Err(self.refuse("the new values belong between those of a row"));
        };
        draft.edits(self.file).replace(
            arg.value.span.start,
            arg.value.span.end,
            format!("[{row} for row in {old}]"),
        );
        Ok(())
    }

    /// `fetch(sql, a, b)`: one argument each.
    fn separate(&self, lexed: &Lexed, items: &[Item], draft: &mut Draft) -> Result<(), NoPatch> {
        if lexed.slots.iter().any(|s| s.bound_before > 0)
            || items.iter().any(|i| i.count == Count::Many)
        {
            return Err(self.refuse("the placeholders would have to be numbered anew"));
        }
        let args = self.args();
        let last_positional = args
            .iter()
            .rfind(|a| a.passing == Passing::Position)
            .map_or(self.sql.span.end, |a| a.span.end);
        let sources: Vec<String> = items.iter().map(|i| i.source.clone()).collect();
        draft
            .edits(self.file)
            .insert(last_positional, format!(", {}", sources.join(", ")));
        Ok(())
    }

    /// Makes `function`, in which this call is, take the values as a parameter and hand them on.
    pub fn passing(
        &self,
        file: &'w File,
        function: &'w Function,
        style: Style,
        draft: &mut Draft,
    ) -> Result<Pass, NoPatch> {
        if matches!(self.kind, Kind::Separate | Kind::Script { .. } | Kind::Many) {
            return Err(NoPatch::NoParameters {
                callee: self.file.slice(self.function_span()).to_owned(),
            });
        }
        if let Some(arg) = self.existing() {
            let Some(name) = arg.value.dotted() else {
                return Err(self.refuse("the call has parameters of its own"));
            };
            let Some(place) = function.params.iter().position(|p| {
                p.name == name && matches!(p.kind, ParamKind::Normal | ParamKind::KeywordOnly)
            }) else {
                return Err(self.refuse("the call has parameters of its own"));
            };
            let positional = function.params[place].kind == ParamKind::Normal;
            return Ok(Pass {
                name,
                place: positional.then_some(place),
                style,
            });
        }
        let taken = scope::names(&function.body, Some(function));
        let name = free(&taken, &PARAMS);
        let default = match style {
            Style::Question | Style::Dollar => "()",
            _ => "None",
        };
        let before_star = function
            .params
            .iter()
            .rposition(|p| p.kind != ParamKind::DoubleStar);
        let Some(last) = before_star else {
            return Err(self.refuse("the function takes no parameter for the statement"));
        };
        draft.edits(file).insert(
            function.params[last].span.end,
            format!(", {name}={default}"),
        );
        let place = (function.params[last].kind == ParamKind::Normal
            && last + 1 == function.params.len())
        .then_some(last + 1);
        self.add(&Given::variable(&name), draft);
        Ok(Pass { name, place, style })
    }
}

/// Values as an argument.
pub(crate) struct Given {
    value: String,
    /// For `bindparams`.
    keywords: String,
}

impl Given {
    pub fn variable(name: &str) -> Self {
        Self {
            value: name.to_owned(),
            keywords: format!("**{name}"),
        }
    }

    fn items(items: &[Item], style: Style, quote: char) -> Self {
        let keywords: Vec<String> = items
            .iter()
            .map(|i| format!("{}={}", i.name, i.source))
            .collect();
        Self {
            value: literal(items, style, quote),
            keywords: keywords.join(", "),
        }
    }
}

/// Whether `outer` is a call that runs the statement object `call`.
fn runs(outer: &Expr, call: &Expr) -> bool {
    let ExprKind::Call { func, args, .. } = &outer.kind else {
        return false;
    };
    let ExprKind::Attribute { name, .. } = &func.kind else {
        return false;
    };
    matches!(&**name, "execute" | "scalar" | "scalars")
        && args.len() == 1
        && args[0].passing == Passing::Position
        && args[0].value.span == call.span
}

fn starred(item: &Item) -> String {
    match item.count {
        Count::One => item.source.clone(),
        Count::Many => format!("*{}", item.source),
    }
}

/// All values in one literal.
pub(crate) fn literal(items: &[Item], style: Style, quote: char) -> String {
    if named(style) {
        let pairs: Vec<String> = items
            .iter()
            .map(|i| format!("{quote}{}{quote}: {}", i.name, i.source))
            .collect();
        return format!("{{{}}}", pairs.join(", "));
    }
    if let [one] = items
        && one.count == Count::Many
    {
        return format!("tuple({})", one.source);
    }
    let sources: Vec<String> = items.iter().map(starred).collect();
    python::tuple(&sources)
}

/// The first of the wanted names that is free, or it with a number.
pub(crate) fn free(taken: &std::collections::BTreeSet<String>, wanted: &[&str]) -> String {
    if let Some(name) = wanted.iter().find(|n| !taken.contains(**n)) {
        return (*name).to_owned();
    }
    let base = wanted.first().copied().unwrap_or("value");
    (2..)
        .map(|n| format!("{base}_{n}"))
        .find(|n| !taken.contains(n))
        .unwrap_or_default()
}

/// Names for a variable of bound values.
pub(crate) const PARAMS: [&str; 4] = ["params", "query_params", "sql_params", "bound_params"];

/// Puts a statement behind another.
pub(crate) fn after(file: &File, stmt: Span, line: &str, draft: &mut Draft) {
    let end = imports::line_end(file, stmt.end);
    let alone = file
        .text
        .get(end as usize..)
        .is_none_or(|t| t.is_empty() || t.starts_with(['\n', '\r']));
    if file.starts_line(stmt.start) && alone {
        let indent = file.indent(stmt.start);
        draft
            .edits(file)
            .insert(end, format!("{}{indent}{line}", file.newline()));
    } else {
        draft.edits(file).insert(stmt.end, format!("; {line}"));
    }
}
