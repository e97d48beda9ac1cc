//! A text as the program puts it together: characters of its literals, each with its place in the source,
//! and holes that are filled at run time.

mod template;

use solvent_base::Span;
use solvent_finding::{Flow, Part as FlowPart};
use solvent_lang::syntax::{
    Arg, Expr, ExprKind, FieldForm, Formatted, Operator, Passing, Raw, StrElement, StrPart,
};

use crate::scope::{self, How, Meaning};
use crate::source::{File, World};

use template::characters;

/// Most units of one text: a statement of a hundred kilobytes is no one's handwriting.
const MAX_UNITS: usize = 100_000;

/// Characters around a hole by which a flow's template is recognised.
const AROUND: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// Text is itself.
    Plain,
    /// `%` is written `%%`.
    Percent,
    /// Braces are written twice.
    Braces,
}

/// One string literal.
#[derive(Clone)]
pub(crate) struct Part<'w> {
    pub file: &'w File,
    pub span: Span,
    pub content: Span,
    pub raw: Raw,
    pub formatted: Formatted,
    pub quote: &'static str,
    pub style: Style,
    /// The expression in which it is written.
    pub root: Span,
    /// The `%` or `.format` that it is a template of.
    pub app: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// A character of the run-time text, and how it is written.
    Char {
        c: char,
        span: Span,
        part: usize,
    },
    Hole(usize),
}

/// How a hole turns its value into text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `str` of the value; in a concatenation the value is text already.
    Plain,
    /// The value is text: only text can be added to text.
    Text,
    /// `repr` of the value.
    Repr,
    /// A number: `%d`.
    Number,
    /// Anything else; the expression that gives the same text.
    Styled(String),
}

#[derive(Clone)]
pub(crate) struct Hole<'w> {
    pub file: &'w File,
    pub expr: Option<&'w Expr>,
    /// Source text of the value.
    pub source: String,
    /// What stands in the source for it: `{x}`, `%s`, or the expression in a concatenation.
    pub span: Span,
    /// The literal that holds it; `None` in a concatenation.
    pub part: Option<usize>,
    pub app: Option<usize>,
    pub form: Form,
    /// The expression in which its value is written.
    pub root: Span,
}

/// A use of `%` or `.format`.
#[derive(Clone)]
pub(crate) struct App<'w> {
    pub file: &'w File,
    pub kind: AppKind,
    /// From the end of the template to the end of the expression: what to remove with it.
    pub tail: Span,
    pub right: AppArgs<'w>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AppKind {
    Percent,
    Format,
}

#[derive(Clone)]
pub(crate) enum AppArgs<'w> {
    /// A tuple of values, or one value.
    Values(Vec<&'w Expr>),
    /// One expression that is a tuple or mapping.
    Whole(&'w Expr),
    /// Arguments of `.format`.
    Call(&'w [Arg]),
}

#[derive(Clone, Default)]
pub(crate) struct Text<'w> {
    pub units: Vec<Unit>,
    pub parts: Vec<Part<'w>>,
    pub holes: Vec<Hole<'w>>,
    pub apps: Vec<App<'w>>,
    /// Names of templates that are written elsewhere, where they are used.
    pub templates: Vec<(&'w File, &'w Expr)>,
}

/// The text that `expr` gives. What is not understood is a hole.
pub(crate) fn flatten<'w>(file: &'w File, expr: &'w Expr) -> Text<'w> {
    let mut text = Text::default();
    text.add(file, expr, expr.span);
    text
}

/// Whether `expr` puts a text together here, so that it can be changed here.
pub(crate) fn is_text(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Str(_) => true,
        ExprKind::Binary { left, op, right } => match op {
            Operator::Add => is_text(left) || is_text(right),
            Operator::Mod => is_text(left) || template_name(left),
            _ => false,
        },
        ExprKind::Call { func, args, .. } => match &func.kind {
            ExprKind::Attribute { value, name, .. } => match &**name {
                "format" => is_text(value) || template_name(value),
                "strip" | "lstrip" | "rstrip" => args.is_empty() && is_text(value),
                "join" => is_empty(value) && joined(args).is_some_and(|i| i.iter().any(is_text)),
                "dedent" => args.len() == 1 && is_text(&args[0].value),
                _ => false,
            },
            ExprKind::Name(name) => name == "dedent" && args.len() == 1 && is_text(&args[0].value),
            _ => false,
        },
        _ => false,
    }
}

/// A name in capitals, or with an attribute: a template kept elsewhere.
fn template_name(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Name(_) | ExprKind::Attribute { .. })
}

/// `""`: what is joined by it is added.
fn is_empty(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Str(parts) if parts.iter().all(|p| p.content.start == p.content.end))
}

/// Elements of `"".join([a, b])`.
fn joined(args: &[Arg]) -> Option<&[Expr]> {
    match args {
        [
            Arg {
                passing: Passing::Position,
                value,
                ..
            },
        ] => match &value.kind {
            ExprKind::List(items) | ExprKind::Tuple(items)
                if !items.iter().any(|i| matches!(i.kind, ExprKind::Starred(_))) =>
            {
                Some(items)
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'w> Text<'w> {
    fn add(&mut self, file: &'w File, expr: &'w Expr, root: Span) {
        if self.units.len() > MAX_UNITS {
            self.hole(file, expr, root);
            return;
        }
        match &expr.kind {
            ExprKind::Str(parts) => {
                for part in parts {
                    self.literal(file, part, root, Style::Plain, None);
                }
            }
            ExprKind::Binary {
                left,
                op: Operator::Add,
                right,
            } => {
                self.add(file, left, root);
                self.add(file, right, root);
            }
            ExprKind::Binary {
                left,
                op: Operator::Mod,
                right,
            } if is_text(left) => {
                let right = match &right.kind {
                    ExprKind::Tuple(items)
                        if !items.iter().any(|i| matches!(i.kind, ExprKind::Starred(_))) =>
                    {
                        AppArgs::Values(items.iter().collect())
                    }
                    _ => AppArgs::Whole(right),
                };
                self.apply(file, expr, left, AppKind::Percent, right, root);
            }
            ExprKind::Call { func, args, .. } => match &func.kind {
                ExprKind::Attribute { value, name, .. } if name == "format" && is_text(value) => {
                    if args
                        .iter()
                        .any(|a| matches!(a.passing, Passing::Star | Passing::DoubleStar))
                    {
                        self.hole(file, expr, root);
                    } else {
                        self.apply(
                            file,
                            expr,
                            value,
                            AppKind::Format,
                            AppArgs::Call(args),
                            root,
                        );
                    }
                }
                ExprKind::Attribute { value, name, .. }
                    if name == "join" && is_empty(value) && is_text(expr) =>
                {
                    for item in joined(args).unwrap_or_default() {
                        self.add(file, item, root);
                    }
                }
                ExprKind::Attribute { value, name, .. }
                    if matches!(&**name, "strip" | "lstrip" | "rstrip")
                        && args.is_empty()
                        && is_text(value) =>
                {
                    self.add(file, value, root);
                }
                ExprKind::Attribute { name, .. } | ExprKind::Name(name)
                    if name == "dedent" && args.len() == 1 && is_text(&args[0].value) =>
                {
                    self.add(file, &args[0].value, root);
                }
                _ => self.hole(file, expr, root),
            },
            _ => self.hole(file, expr, root),
        }
    }

    fn hole(&mut self, file: &'w File, expr: &'w Expr, root: Span) {
        let span = file.module.with_parentheses(expr.span, root);
        self.units.push(Unit::Hole(self.holes.len()));
        self.holes.push(Hole {
            file,
            expr: Some(expr),
            source: file.slice(expr.span).to_owned(),
            span,
            part: None,
            app: None,
            form: Form::Text,
            root,
        });
    }

    fn literal(
        &mut self,
        file: &'w File,
        literal: &'w StrPart,
        root: Span,
        style: Style,
        app: Option<usize>,
    ) {
        let id = self.parts.len();
        let style = match literal.formatted {
            Formatted::FString => Style::Braces,
            Formatted::Plain => style,
        };
        self.parts.push(Part {
            file,
            span: literal.span,
            content: literal.content,
            raw: literal.raw,
            formatted: literal.formatted,
            quote: literal.quote,
            style,
            root,
            app,
        });
        for element in &literal.elements {
            match element {
                StrElement::Text(span) => {
                    for (c, span) in characters(file, *span, literal.raw) {
                        // A doubled brace of an f-string is one.
                        if literal.formatted == Formatted::FString
                            && matches!(c, '{' | '}')
                            && let Some(Unit::Char {
                                c: last,
                                span: at,
                                part,
                            }) = self.units.last_mut()
                            && *last == c
                            && *part == id
                            && at.end == span.start
                            && at.end - at.start == 1
                        {
                            at.end = span.end;
                            continue;
                        }
                        self.units.push(Unit::Char { c, span, part: id });
                    }
                }
                StrElement::Field { span, expr, plain } => {
                    let source = file.slice(expr.span).to_owned();
                    let form = match plain {
                        FieldForm::Plain => Form::Plain,
                        FieldForm::Repr => Form::Repr,
                        FieldForm::Styled => {
                            Form::Styled(format!("f{0}{1}{0}", literal.quote, file.slice(*span)))
                        }
                    };
                    self.units.push(Unit::Hole(self.holes.len()));
                    self.holes.push(Hole {
                        file,
                        expr: Some(expr),
                        source,
                        span: *span,
                        part: Some(id),
                        app: None,
                        form,
                        root,
                    });
                }
            }
        }
    }

    /// A template and what fills it.
    fn apply(
        &mut self,
        file: &'w File,
        whole: &'w Expr,
        template: &'w Expr,
        kind: AppKind,
        right: AppArgs<'w>,
        root: Span,
    ) {
        let head = file.module.with_parentheses(template.span, whole.span);
        let app = self.apps.len();
        let tail = Span {
            start: head.end,
            end: whole.span.end,
        };
        self.apps.push(App {
            file,
            kind,
            tail,
            right,
        });
        let first_unit = self.units.len();
        let first_hole = self.holes.len();
        let first_part = self.parts.len();
        self.add(file, template, root);
        // An f-string is no template, and neither is a text with holes of its own.
        if self.holes.len() > first_hole {
            self.undo(first_unit, first_hole, first_part, app);
            self.hole(file, whole, root);
            return;
        }
        let done = match kind {
            AppKind::Percent => self.percent(first_unit, app),
            AppKind::Format => self.braces(first_unit, app),
        };
        if done.is_none() {
            self.undo(first_unit, first_hole, first_part, app);
            self.hole(file, whole, root);
            return;
        }
        let style = match kind {
            AppKind::Percent => Style::Percent,
            AppKind::Format => Style::Braces,
        };
        for part in &mut self.parts[first_part..] {
            part.style = style;
            part.app = Some(app);
        }
    }

    fn undo(&mut self, units: usize, holes: usize, parts: usize, apps: usize) {
        self.units.truncate(units);
        self.holes.truncate(holes);
        self.parts.truncate(parts);
        self.apps.truncate(apps);
    }

    /// What a hole that is a name stands for, when that is put together elsewhere.
    pub fn expansion(&self, world: &'w World<'_>, hole: usize) -> Option<Text<'w>> {
        let hole = self.holes.get(hole)?;
        let expr = hole.expr?;
        let (file, value) = value_of(world, hole.file, expr, 0)?;
        // A name that is not understood further would only be replaced by another.
        if !is_text(value) {
            return None;
        }
        Some(flatten_named(world, file, value))
    }

    /// Puts `inner` in the place of a hole.
    pub fn splice(&mut self, hole: usize, inner: Text<'w>) {
        let Some(at) = self
            .units
            .iter()
            .position(|u| matches!(u, Unit::Hole(h) if *h == hole))
        else {
            return;
        };
        let (parts, holes, apps) = (self.parts.len(), self.holes.len(), self.apps.len());
        let units = inner.units.into_iter().map(|u| match u {
            Unit::Char { c, span, part } => Unit::Char {
                c,
                span,
                part: part + parts,
            },
            Unit::Hole(h) => Unit::Hole(h + holes),
        });
        self.units.splice(at..=at, units);
        self.parts.extend(inner.parts.into_iter().map(|mut p| {
            p.app = p.app.map(|a| a + apps);
            p
        }));
        self.holes.extend(inner.holes.into_iter().map(|mut h| {
            h.app = h.app.map(|a| a + apps);
            h.part = h.part.map(|p| p + parts);
            h
        }));
        self.apps.extend(inner.apps);
        self.templates.extend(inner.templates);
    }

    /// Characters directly before or after a unit, up to the next hole.
    fn around(&self, at: usize) -> (String, String) {
        let text = |units: &mut dyn Iterator<Item = &Unit>| -> String {
            units
                .map_while(|u| match u {
                    Unit::Char { c, .. } => Some(*c),
                    Unit::Hole(_) => None,
                })
                .take(AROUND)
                .collect()
        };
        let before: String = text(&mut self.units[..at].iter().rev());
        let after = text(&mut self.units[at + 1..].iter());
        (before.chars().rev().collect(), after)
    }

    /// Holes that carry the attacker's text according to the flows; `None` when the flows do not tell.
    pub fn tainted(&self, flows: &[&Flow]) -> Option<Vec<bool>> {
        if flows.is_empty() {
            return None;
        }
        let mut out = vec![false; self.holes.len()];
        for flow in flows {
            let parts = &flow.template.parts;
            let mut found = false;
            for (k, part) in parts.iter().enumerate() {
                if *part != FlowPart::Input {
                    continue;
                }
                let literal = |at: Option<usize>| match at.and_then(|at| parts.get(at)) {
                    Some(FlowPart::Literal(text)) => text.as_str(),
                    _ => "",
                };
                // The flow has constants put in: its text may reach further than ours, never less far.
                let (left, right) = (literal(k.checked_sub(1)), literal(Some(k + 1)));
                for (at, unit) in self.units.iter().enumerate() {
                    let Unit::Hole(hole) = unit else { continue };
                    let (before, after) = self.around(at);
                    if left.ends_with(&before) && right.starts_with(&after) {
                        out[*hole] = true;
                        found = true;
                    }
                }
            }
            if !found {
                return None;
            }
        }
        Some(out)
    }
}

/// The value that a name or constant has, where it has one only.
pub(crate) fn value_of<'w>(
    world: &'w World<'_>,
    file: &'w File,
    expr: &'w Expr,
    depth: u32,
) -> Option<(&'w File, &'w Expr)> {
    if depth > 6 {
        return None;
    }
    let Some(name) = expr.dotted() else {
        return (depth > 0).then_some((file, expr));
    };
    let site = file.site(expr.span)?;
    let (file, value) = match scope::meaning(&site, &name) {
        Meaning::One(def) => match def.how {
            How::Is(value) => (file, value),
            _ => return None,
        },
        Meaning::Outside => {
            let constant = scope::of_self(file, &site, &name)
                .or_else(|| scope::constant(world, file, &name))?;
            (constant.file, constant.value)
        }
        Meaning::Unknown if site.function().is_none() => {
            let constant = scope::constant(world, file, &name)?;
            if constant.value.span.start >= expr.span.start && std::ptr::eq(constant.file, file) {
                return None;
            }
            (constant.file, constant.value)
        }
        _ => return None,
    };
    if value.dotted().is_some() {
        return value_of(world, file, value, depth + 1);
    }
    Some((file, value))
}

/// As [`flatten`], with templates that are kept under a name (`FIND % x`, `FIND.format(x)`) put in.
pub(crate) fn flatten_named<'w>(world: &'w World<'_>, file: &'w File, expr: &'w Expr) -> Text<'w> {
    if let Some((template, kind, right)) = application(expr)
        && !is_text(template)
        && let Some((from, value)) = value_of(world, file, template, 0)
        && matches!(value.kind, ExprKind::Str(_))
    {
        let mut text = Text::default();
        let head = file.module.with_parentheses(template.span, expr.span);
        text.apps.push(App {
            file,
            kind,
            tail: Span {
                start: head.end,
                end: expr.span.end,
            },
            right,
        });
        text.add(from, value, value.span);
        if text.holes.is_empty() {
            let done = match kind {
                AppKind::Percent => text.percent_from(file),
                AppKind::Format => text.braces_from(file),
            };
            if done.is_some() {
                let style = match kind {
                    AppKind::Percent => Style::Percent,
                    AppKind::Format => Style::Braces,
                };
                for part in &mut text.parts {
                    part.style = style;
                    part.app = Some(0);
                }
                text.templates.push((file, template));
                return text;
            }
        }
    }
    flatten(file, expr)
}

fn application(expr: &Expr) -> Option<(&Expr, AppKind, AppArgs<'_>)> {
    match &expr.kind {
        ExprKind::Binary {
            left,
            op: Operator::Mod,
            right,
        } => Some((
            left,
            AppKind::Percent,
            match &right.kind {
                ExprKind::Tuple(items)
                    if !items.iter().any(|i| matches!(i.kind, ExprKind::Starred(_))) =>
                {
                    AppArgs::Values(items.iter().collect())
                }
                _ => AppArgs::Whole(right),
            },
        )),
        ExprKind::Call { func, args, .. } => match &func.kind {
            ExprKind::Attribute { value, name, .. }
                if name == "format"
                    && !args
                        .iter()
                        .any(|a| matches!(a.passing, Passing::Star | Passing::DoubleStar)) =>
            {
                Some((value, AppKind::Format, AppArgs::Call(args)))
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'w> Text<'w> {
    /// Holes of a template that is written in another place than its values: they belong to `file`.
    fn percent_from(&mut self, file: &'w File) -> Option<()> {
        self.with_values_in(file, |text| text.percent(0, 0))
    }

    fn braces_from(&mut self, file: &'w File) -> Option<()> {
        self.with_values_in(file, |text| text.braces(0, 0))
    }

    fn with_values_in(
        &mut self,
        file: &'w File,
        work: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let own: Vec<&'w File> = self.parts.iter().map(|p| p.file).collect();
        for part in &mut self.parts {
            part.file = file;
        }
        let done = work(self);
        for (part, own) in self.parts.iter_mut().zip(own) {
            part.file = own;
        }
        done
    }
}

/// Text of a plain string literal.
pub(crate) fn literal_text(file: &File, expr: &Expr) -> Option<String> {
    let ExprKind::Str(parts) = &expr.kind else {
        return None;
    };
    let mut out = String::new();
    for part in parts {
        if part.formatted == Formatted::FString {
            return None;
        }
        out.extend(characters(file, part.content, part.raw).map(|(c, _)| c));
    }
    Some(out)
}
