//! Where a path is put together: its root, and the part that a request fills.

use solvent_base::Span;
use solvent_finding::Symbol;
use solvent_lang::syntax::{Arg, Expr, ExprKind, Operator, Passing};

use crate::NoPatch;
use crate::pieces::{Text, Unit, flatten_named, is_text, literal_text, value_of};
use crate::python::{self, Bit};
use crate::scope::{self, How, Meaning};
use crate::source::{File, World};
use crate::sql::{argument, calls_into};

use super::Flows;

/// Steps back through variables, wrappers and conversions.
const MAX_STEPS: u32 = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A text, for `os.path`.
    Os,
    /// A `pathlib.Path`.
    Pathlib,
}

/// One place where a path gets the request's part.
#[derive(Clone)]
pub(crate) struct Anchor<'w> {
    pub file: &'w File,
    /// The expression that is the whole path.
    pub expr: &'w Expr,
    pub kind: Kind,
    /// Source of the folder that the path must stay in; `None` when the request gives the whole path.
    pub root: Option<String>,
    /// Whether the root is absolute for certain.
    pub is_absolute: bool,
    /// Source of the request's part.
    pub input: String,
    pub input_expr: Option<&'w Expr>,
    /// Where the path is used first: what happens to a path that is refused follows the code there.
    pub used: Span,
    pub used_in: &'w File,
}

/// A written-out value that no request changes.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number | ExprKind::True | ExprKind::False | ExprKind::None => true,
        ExprKind::Str(parts) => parts.iter().all(|p| {
            p.elements
                .iter()
                .all(|e| matches!(e, solvent_lang::syntax::StrElement::Text(_)))
        }),
        _ => false,
    }
}

/// Names that hold what the application decides, not the request.
fn is_own(world: &World<'_>, file: &File, expr: &Expr) -> bool {
    if is_constant(expr) {
        return true;
    }
    match &expr.kind {
        ExprKind::Name(name) => {
            if name.starts_with("__")
                || name
                    .chars()
                    .all(|c| c.is_uppercase() || c == '_' || c.is_ascii_digit())
            {
                return true;
            }
            match value_of(world, file, expr, 0) {
                Some((from, value)) if value.span != expr.span => {
                    !matches!(value.kind, ExprKind::Name(_)) && is_own(world, from, value)
                }
                _ => false,
            }
        }
        ExprKind::Attribute { .. } => {
            let Some(dotted) = expr.dotted() else {
                return false;
            };
            let first = dotted.split('.').next().unwrap_or_default();
            let last = dotted.rsplit('.').next().unwrap_or_default();
            last.chars().all(|c| c.is_uppercase() || c == '_')
                || (matches!(
                    first,
                    "app"
                        | "current_app"
                        | "settings"
                        | "config"
                        | "cfg"
                        | "conf"
                        | "g"
                        | "os"
                        | "self"
                        | "server"
                        | "constants"
                        | "options"
                        | "tempfile"
                ) && !dotted.contains("request"))
        }
        ExprKind::Subscript { value, index } => {
            is_constant(index)
                && value.dotted().is_some_and(|d| {
                    let last = d.rsplit('.').next().unwrap_or_default();
                    last == "config"
                        || last == "environ"
                        || last == "settings"
                        || last.chars().all(|c| c.is_uppercase() || c == '_')
                })
        }
        ExprKind::Call { func, args, .. } => {
            let Some(name) = func.dotted() else {
                // `current_app.config.get("X")`, `Path(__file__).parent`
                return match &func.kind {
                    ExprKind::Attribute { value, .. } => {
                        is_own(world, file, value)
                            && args.iter().all(|a| is_own(world, file, &a.value))
                    }
                    _ => false,
                };
            };
            let last = name.rsplit('.').next().unwrap_or_default();
            let known = matches!(
                last,
                "getcwd"
                    | "join"
                    | "dirname"
                    | "abspath"
                    | "realpath"
                    | "normpath"
                    | "gettempdir"
                    | "mkdtemp"
                    | "expanduser"
                    | "getenv"
                    | "cwd"
                    | "Path"
                    | "resolve"
                    | "joinpath"
                    | "absolute"
                    | "fspath"
                    | "str"
            ) || name.ends_with("config.get")
                || name.ends_with("environ.get");
            let receiver = match &func.kind {
                ExprKind::Attribute { value, .. }
                    if last == "resolve" || last == "absolute" || last == "joinpath" =>
                {
                    is_own(world, file, value)
                }
                _ => true,
            };
            known && receiver && args.iter().all(|a| is_own(world, file, &a.value))
        }
        ExprKind::Binary { left, right, .. } => {
            is_own(world, file, left) && is_own(world, file, right)
        }
        _ => false,
    }
}

/// Places where the path that `expr` is gets its parts.
pub(crate) fn of<'w>(
    world: &'w World<'_>,
    flows: &Flows<'_>,
    sink: &Symbol,
    file: &'w File,
    expr: &'w Expr,
    depth: u32,
) -> Result<Vec<Anchor<'w>>, NoPatch> {
    let finder = Finder { world, flows, sink };
    finder.find(file, expr, expr, (file, expr.span), depth)
}

struct Finder<'w, 'c, 's> {
    world: &'w World<'s>,
    flows: &'c Flows<'c>,
    sink: &'c Symbol,
}

impl<'w, 's> Finder<'w, '_, 's>
where
    's: 'w,
{
    /// `outer` is `expr` with the conversions around it.
    fn find(
        &self,
        file: &'w File,
        expr: &'w Expr,
        outer: &'w Expr,
        used: (&'w File, Span),
        depth: u32,
    ) -> Result<Vec<Anchor<'w>>, NoPatch> {
        if depth > MAX_STEPS {
            return Err(NoPatch::NotFollowed {
                what: "the path goes through too many variables".to_owned(),
                line: file.line_of(expr.span.start),
            });
        }
        let whole = |kind| {
            Ok(vec![Anchor {
                file,
                expr: outer,
                kind,
                root: None,
                is_absolute: false,
                input: file.slice(expr.span).to_owned(),
                input_expr: Some(expr),
                used: used.1,
                used_in: used.0,
            }])
        };
        match &expr.kind {
            ExprKind::Call { func, args, .. } => {
                let name = match &func.kind {
                    ExprKind::Attribute { name, .. } | ExprKind::Name(name) => &**name,
                    _ => "",
                };
                let positional = args.iter().all(|a| a.passing == Passing::Position);
                match name {
                    "join" if positional && args.len() >= 2 && !is_text_join(func) => {
                        self.joined(file, expr, outer, args, Kind::Os, used)
                    }
                    "Path" | "PurePath" | "PosixPath" if positional && args.len() >= 2 => {
                        self.joined(file, expr, outer, args, Kind::Pathlib, used)
                    }
                    "Path" | "PurePath" | "PosixPath" if positional && args.len() == 1 => {
                        let inner = &args[0].value;
                        let mut found = self.find(file, inner, outer, used, depth + 1)?;
                        for anchor in &mut found {
                            if std::ptr::eq(anchor.expr, outer) {
                                anchor.kind = Kind::Pathlib;
                            }
                        }
                        Ok(found)
                    }
                    "joinpath" => match &func.kind {
                        ExprKind::Attribute { value, .. } if positional && !args.is_empty() => {
                            self.divided(file, outer, value, &args[args.len() - 1].value, used)
                        }
                        _ => whole(Kind::Pathlib),
                    },
                    "abspath" | "realpath" | "normpath" | "fspath" | "str" | "expanduser"
                    | "open"
                        if args.len() == 1 && positional =>
                    {
                        let inner = &args[0].value;
                        let mut found = self.find(file, inner, outer, used, depth + 1)?;
                        // `str(path)` is a text again.
                        for anchor in &mut found {
                            if std::ptr::eq(anchor.expr, outer) && anchor.kind == Kind::Pathlib {
                                anchor.expr = inner;
                            }
                        }
                        Ok(found)
                    }
                    "resolve" | "absolute" | "expanduser" | "as_posix" if args.is_empty() => {
                        match &func.kind {
                            ExprKind::Attribute { value, .. } => {
                                let mut found = self.find(file, value, outer, used, depth + 1)?;
                                for anchor in &mut found {
                                    if std::ptr::eq(anchor.expr, outer) {
                                        anchor.kind = Kind::Pathlib;
                                        if name == "as_posix" {
                                            anchor.expr = value;
                                        }
                                    }
                                }
                                Ok(found)
                            }
                            _ => whole(Kind::Os),
                        }
                    }
                    _ if is_text(expr) => self.text(file, expr, outer, used),
                    _ => whole(Kind::Os),
                }
            }
            ExprKind::Binary {
                left,
                op: Operator::Div,
                right,
            } => self.divided(file, outer, left, right, used),
            ExprKind::Binary { .. } | ExprKind::Str(_) => self.text(file, expr, outer, used),
            ExprKind::Name(_) | ExprKind::Attribute { .. } => {
                let Some(name) = expr.dotted() else {
                    return whole(Kind::Os);
                };
                let Some(site) = file.site(expr.span) else {
                    return whole(Kind::Os);
                };
                match scope::meaning(&site, &name) {
                    Meaning::One(def) => match def.how {
                        How::Is(value) if goes_on(value) => {
                            self.find(file, value, value, (file, expr.span), depth + 1)
                        }
                        _ => whole(Kind::Os),
                    },
                    Meaning::Many(defs) => {
                        let mut out = Vec::new();
                        for def in defs {
                            match def.how {
                                How::Is(value) if is_constant(value) => {}
                                How::Is(value) if goes_on(value) => out.extend(self.find(
                                    file,
                                    value,
                                    value,
                                    (file, expr.span),
                                    depth + 1,
                                )?),
                                _ => return whole(Kind::Os),
                            }
                        }
                        Ok(out)
                    }
                    Meaning::Param(index) => {
                        let Some((level, function)) = site.function() else {
                            return whole(Kind::Os);
                        };
                        let calls = calls_into(self.world, self.flows, self.sink, file, function)?;
                        let owner = site.owner(level);
                        let mut out = Vec::new();
                        for (caller, call) in calls {
                            let Some(argument) = argument(call, function, index, owner) else {
                                return whole(Kind::Os);
                            };
                            out.extend(self.find(
                                caller,
                                argument,
                                argument,
                                (caller, call.span),
                                depth + 1,
                            )?);
                        }
                        // Callers that only hand a request's value on: the check belongs here.
                        if out.is_empty() || out.iter().any(|a: &Anchor<'_>| a.root.is_none()) {
                            return whole(Kind::Os);
                        }
                        Ok(out)
                    }
                    _ => whole(Kind::Os),
                }
            }
            ExprKind::Await(inner) => self.find(file, inner, inner, used, depth + 1),
            _ => whole(Kind::Os),
        }
    }

    /// `os.path.join(a, b, c)`.
    fn joined(
        &self,
        file: &'w File,
        expr: &'w Expr,
        outer: &'w Expr,
        args: &'w [Arg],
        kind: Kind,
        used: (&'w File, Span),
    ) -> Result<Vec<Anchor<'w>>, NoPatch> {
        let own = args
            .iter()
            .skip(1)
            .position(|a| !is_own(self.world, file, &a.value))
            .map_or(args.len() - 1, |at| at + 1);
        let input = &args[own].value;
        let ExprKind::Call { func, .. } = &expr.kind else {
            return Ok(Vec::new());
        };
        let first = &args[0].value;
        if !is_own(self.world, file, first) && own == 1 && looks_like_input(file, first) {
            // The request gives the first part: nothing holds the rest.
            return Ok(vec![Anchor {
                file,
                expr: outer,
                kind,
                root: None,
                is_absolute: false,
                input: file.slice(first.span).to_owned(),
                input_expr: Some(first),
                used: used.1,
                used_in: used.0,
            }]);
        }
        let sources: Vec<&str> = args[..own].iter().map(|a| file.slice(a.span)).collect();
        let root = match (kind, sources.as_slice()) {
            (Kind::Os, [one]) => (*one).to_owned(),
            _ => format!("{}({})", file.slice(func.span), sources.join(", ")),
        };
        Ok(vec![Anchor {
            file,
            expr: outer,
            kind,
            root: Some(root),
            is_absolute: self.absolute(file, first),
            input: file.slice(input.span).to_owned(),
            input_expr: Some(input),
            used: used.1,
            used_in: used.0,
        }])
    }

    /// Whether the folder is absolute wherever the program runs.
    fn absolute(&self, file: &'w File, expr: &'w Expr) -> bool {
        if let Some(text) = literal_text(file, expr) {
            return text.starts_with('/');
        }
        const SAYS: [&str; 9] = [
            "__file__",
            "abspath(",
            "realpath(",
            "root_path",
            "getcwd(",
            "cwd(",
            "expanduser(",
            "gettempdir(",
            "mkdtemp(",
        ];
        let says = |file: &File, expr: &Expr| {
            let source = file.slice(expr.span);
            SAYS.iter().any(|s| source.contains(s))
        };
        says(file, expr)
            || value_of(self.world, file, expr, 0).is_some_and(|(from, value)| {
                says(from, value) || literal_text(from, value).is_some_and(|t| t.starts_with('/'))
            })
    }

    /// `left / right`.
    fn divided(
        &self,
        file: &'w File,
        outer: &'w Expr,
        left: &'w Expr,
        right: &'w Expr,
        used: (&'w File, Span),
    ) -> Result<Vec<Anchor<'w>>, NoPatch> {
        // `ROOT / user / "file.txt"`: the request's part is further left.
        if is_own(self.world, file, right)
            && let ExprKind::Binary {
                left: first,
                op: Operator::Div,
                right: second,
            } = &left.kind
        {
            return self.divided(file, outer, first, second, used);
        }
        Ok(vec![Anchor {
            file,
            expr: outer,
            kind: Kind::Pathlib,
            root: Some(file.slice(left.span).to_owned()),
            is_absolute: self.absolute(file, left),
            input: file.slice(right.span).to_owned(),
            input_expr: Some(right),
            used: used.1,
            used_in: used.0,
        }])
    }

    /// A text with the request's part somewhere.
    fn text(
        &self,
        file: &'w File,
        expr: &'w Expr,
        outer: &'w Expr,
        used: (&'w File, Span),
    ) -> Result<Vec<Anchor<'w>>, NoPatch> {
        let text = flatten_named(self.world, file, expr);
        let tainted = text.tainted(self.flows);
        let is_input = |hole: usize| match &tainted {
            Some(tainted) => tainted.get(hole).copied().unwrap_or(true),
            None => text.holes[hole]
                .expr
                .is_none_or(|e| !is_own(self.world, text.holes[hole].file, e)),
        };
        let Some((at, hole)) = text.units.iter().enumerate().find_map(|(at, u)| match u {
            Unit::Hole(h) if is_input(*h) => Some((at, *h)),
            _ => None,
        }) else {
            return Err(NoPatch::NotFollowed {
                what: "the part of the path that comes from the request could not be told"
                    .to_owned(),
                line: file.line_of(expr.span.start),
            });
        };
        let root = folder(&text, at, file);
        let is_absolute = match text.units.first() {
            Some(Unit::Char { c, .. }) => *c == '/',
            Some(Unit::Hole(h)) => text.holes[*h]
                .expr
                .is_some_and(|e| self.absolute(text.holes[*h].file, e)),
            None => false,
        };
        let data = &text.holes[hole];
        let input_expr = data.expr.filter(|_| std::ptr::eq(data.file, file));
        Ok(vec![Anchor {
            file,
            expr: outer,
            kind: Kind::Os,
            root,
            is_absolute,
            input: data.source.clone(),
            input_expr,
            used: used.1,
            used_in: used.0,
        }])
    }
}

/// The folder that the units before `at` name: everything up to the last slash.
fn folder(text: &Text<'_>, at: usize, file: &File) -> Option<String> {
    let before = &text.units[..at];
    let slash = before
        .iter()
        .rposition(|u| matches!(u, Unit::Char { c: '/', .. }));
    let last_hole = before.iter().rposition(|u| matches!(u, Unit::Hole(_)));
    let end = match (slash, last_hole) {
        // `BASE + name`: the base ends where the name begins.
        (None, Some(_)) => before.len(),
        (Some(slash), Some(hole)) if hole > slash => before.len(),
        (Some(slash), _) => slash,
        (None, None) if before.is_empty() => return None,
        // `"report-" + name` lies in the working directory.
        (None, None) => return Some("\".\"".to_owned()),
    };
    let mut bits = Vec::new();
    for unit in &before[..end] {
        match unit {
            Unit::Char { c, .. } => match bits.last_mut() {
                Some(Bit::Text(t)) => t.push(*c),
                _ => bits.push(Bit::Text(c.to_string())),
            },
            Unit::Hole(h) => bits.push(Bit::Hole(*h)),
        }
    }
    if bits.is_empty() {
        bits.push(Bit::Text("/".to_owned()));
    }
    Some(python::text_of(&bits, &text.holes, file.quote()))
}

/// Whether following the value tells more than the name.
fn goes_on(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Call { func, .. } => {
            let name = match &func.kind {
                ExprKind::Attribute { name, .. } | ExprKind::Name(name) => &**name,
                _ => "",
            };
            is_text(value)
                || matches!(
                    name,
                    "join"
                        | "Path"
                        | "PurePath"
                        | "joinpath"
                        | "abspath"
                        | "realpath"
                        | "normpath"
                        | "resolve"
                        | "absolute"
                        | "fspath"
                        | "str"
                )
        }
        ExprKind::Binary {
            op: Operator::Div, ..
        } => true,
        ExprKind::Binary { .. } | ExprKind::Str(_) => {
            is_text(value)
                || matches!(
                    value.kind,
                    ExprKind::Binary {
                        op: Operator::Add,
                        ..
                    }
                )
        }
        ExprKind::Name(_) => true,
        _ => false,
    }
}

/// `", ".join`: not of paths.
fn is_text_join(func: &Expr) -> bool {
    matches!(&func.kind, ExprKind::Attribute { value, .. } if matches!(value.kind, ExprKind::Str(_)))
}

fn looks_like_input(file: &File, expr: &Expr) -> bool {
    file.slice(expr.span).contains("request")
}
