//! Where a name's value comes from, inside one function or module.

use std::collections::BTreeSet;

use solvent_lang::syntax::{Expr, ExprKind, Function, Operator, ParamKind, Stmt, StmtKind};

use crate::source::{File, Level, Site, World};

/// One place where a variable gets a value.
#[derive(Clone)]
pub(crate) struct Def<'f> {
    pub how: How<'f>,
    /// The statement among its neighbours, outermost level first.
    pub levels: Vec<Level<'f>>,
}

#[derive(Clone, Copy)]
pub(crate) enum How<'f> {
    /// `name = value`
    Is(&'f Expr),
    /// `name += value`
    Adds(&'f Expr),
    /// A loop variable, a `with` target, an exception, a walrus, an import.
    Other,
}

impl<'f> Def<'f> {
    pub fn stmt(&self) -> &'f Stmt {
        let level = self.levels[self.levels.len() - 1];
        &level.block[level.index]
    }
}

/// Every definition of `name` (a variable or a dotted attribute) in `body`, nested functions left out.
pub(crate) fn definitions<'f>(body: &'f [Stmt], name: &str) -> Vec<Def<'f>> {
    let mut out = Vec::new();
    collect(body, name, &mut Vec::new(), &mut out);
    out
}

fn collect<'f>(block: &'f [Stmt], name: &str, levels: &mut Vec<Level<'f>>, out: &mut Vec<Def<'f>>) {
    for (index, stmt) in block.iter().enumerate() {
        levels.push(Level { block, index });
        let mut add = |how| {
            out.push(Def {
                how,
                levels: levels.clone(),
            });
        };
        let is = |e: &Expr| e.dotted().is_some_and(|d| d == name);
        match &stmt.kind {
            StmtKind::Assign { targets, value } => {
                for target in targets {
                    if is(target) {
                        add(How::Is(value));
                    } else if let (
                        ExprKind::Tuple(names) | ExprKind::List(names),
                        ExprKind::Tuple(values) | ExprKind::List(values),
                    ) = (&target.kind, &value.kind)
                        && names.len() == values.len()
                    {
                        for (n, v) in names.iter().zip(values) {
                            if is(n) {
                                add(How::Is(v));
                            }
                        }
                    } else if mentions(target, name) {
                        add(How::Other);
                    }
                }
            }
            StmtKind::AugAssign { target, op, value } if is(target) => {
                add(if *op == Operator::Add {
                    How::Adds(value)
                } else {
                    How::Other
                });
            }
            StmtKind::For { target, .. } if mentions(target, name) => add(How::Other),
            StmtKind::With { items, .. }
                if items
                    .iter()
                    .filter_map(|(_, t)| t.as_ref())
                    .any(|t| mentions(t, name)) =>
            {
                add(How::Other);
            }
            StmtKind::Try { handlers, .. }
                if handlers.iter().any(|h| h.name.as_deref() == Some(name)) =>
            {
                add(How::Other);
            }
            StmtKind::Function(f) if f.name == name => add(How::Other),
            StmtKind::Class { name: n, .. } if n == name => add(How::Other),
            StmtKind::Import(names) | StmtKind::ImportFrom { names, .. }
                if names.iter().any(|a| a.bound() == name) =>
            {
                add(How::Other);
            }
            _ => {}
        }
        // A scope of its own.
        if !matches!(stmt.kind, StmtKind::Function(_) | StmtKind::Class { .. }) {
            for inner in stmt.blocks() {
                collect(inner, name, levels, out);
            }
        }
        levels.pop();
    }
}

/// Whether the variable itself occurs in the expression.
pub(crate) fn mentions(expr: &Expr, name: &str) -> bool {
    let mut found = false;
    expr.walk(&mut |e| {
        if e.dotted().is_some_and(|d| d == name) {
            found = true;
        }
    });
    found
}

/// Uses of `name` in `body`, nested functions included, assignments to it left out.
pub(crate) fn uses<'f>(body: &'f [Stmt], name: &str) -> Vec<&'f Expr> {
    let mut out = Vec::new();
    for stmt in body {
        stmt.walk(&mut |s| {
            let targets: Vec<&Expr> = match &s.kind {
                StmtKind::Assign { targets, .. } => targets.iter().collect(),
                StmtKind::AugAssign { target, .. } => vec![target],
                _ => Vec::new(),
            };
            for e in s.expressions() {
                e.walk(&mut |inner| {
                    if inner.dotted().is_some_and(|d| d == name)
                        && !targets.iter().any(|t| std::ptr::eq(*t, inner))
                    {
                        out.push(inner);
                    }
                });
            }
        });
    }
    out
}

/// All names that occur in `body`, to choose one that is free.
pub(crate) fn names(body: &[Stmt], function: Option<&Function>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    if let Some(f) = function {
        out.extend(f.params.iter().map(|p| p.name.clone()));
    }
    for stmt in body {
        stmt.walk(&mut |s| {
            for e in s.expressions() {
                e.walk(&mut |inner| {
                    if let ExprKind::Name(n) = &inner.kind {
                        out.insert(n.clone());
                    }
                });
            }
            match &s.kind {
                StmtKind::Function(f) => {
                    out.insert(f.name.clone());
                }
                StmtKind::Import(names) | StmtKind::ImportFrom { names, .. } => {
                    out.extend(names.iter().map(|a| a.bound().to_owned()));
                }
                _ => {}
            }
        });
    }
    out
}

/// What a name is, seen from a place.
pub(crate) enum Meaning<'f> {
    /// One definition that every way to the place passes, and that nothing changes later.
    One(Def<'f>),
    /// A parameter of the function around, by its place in the list.
    Param(usize),
    /// Several definitions in the function; all before the place.
    Many(Vec<Def<'f>>),
    /// Not of this function: the module's, a closure's, an import.
    Outside,
    /// Cannot be followed.
    Unknown,
}

/// What `name` means at `site`.
pub(crate) fn meaning<'f>(site: &Site<'f>, name: &str) -> Meaning<'f> {
    let at = site.expr().span.start;
    let body = site.body();
    let mut defs = definitions(body, name);
    // The statement itself (`query = wrap(query)`) gives its value to what follows.
    defs.retain(|d| !std::ptr::eq(d.stmt(), site.stmt()) || before_self(d, site));
    let function = site.function().map(|(_, f)| f);
    let param = function.and_then(|f| {
        f.params.iter().position(|p| {
            p.name == name && matches!(p.kind, ParamKind::Normal | ParamKind::KeywordOnly)
        })
    });
    if function.is_some_and(|f| f.params.iter().any(|p| p.name == name) && param.is_none()) {
        return Meaning::Unknown;
    }
    if defs.is_empty() {
        return match (param, function) {
            (Some(index), _) => Meaning::Param(index),
            (None, Some(_)) => Meaning::Outside,
            (None, None) => Meaning::Unknown,
        };
    }
    let later = defs.iter().any(|d| d.stmt().span.start >= at);
    if later {
        let in_loop = site.levels.iter().any(|l| {
            matches!(
                l.block[l.index].kind,
                StmtKind::For { .. } | StmtKind::While { .. }
            )
        });
        defs.retain(|d| d.stmt().span.start < at);
        if in_loop || defs.is_empty() {
            return Meaning::Unknown;
        }
    }
    // The last plain definition in a block around the place hides what is before it.
    if let Some(start) = defs
        .iter()
        .rposition(|d| matches!(d.how, How::Is(_)) && dominates(d, site))
    {
        if start + 1 == defs.len() {
            return Meaning::One(defs.swap_remove(start));
        }
        // Definitions before it do not reach, unless a later one may be skipped, which keeps this one.
        let rest = defs.split_off(start);
        return if rest.iter().all(|d| !matches!(d.how, How::Other)) {
            Meaning::Many(rest)
        } else {
            Meaning::Unknown
        };
    }
    if param.is_some() || defs.iter().any(|d| matches!(d.how, How::Other)) {
        return Meaning::Unknown;
    }
    Meaning::Many(defs)
}

fn before_self(def: &Def<'_>, site: &Site<'_>) -> bool {
    // `with open(x) as f: use(f)`: the statement holds the place in its block.
    def.levels.len() < site.levels.len()
}

/// Whether control cannot get to the site without passing the definition.
pub(crate) fn dominates(def: &Def<'_>, site: &Site<'_>) -> bool {
    let depth = def.levels.len() - 1;
    let own = def.levels[depth];
    // Levels of the site are counted from the module, those of the definition from the function.
    site.levels
        .iter()
        .any(|l| std::ptr::eq(l.block, own.block) && own.index < l.index)
}

/// A module's name that is assigned once.
#[derive(Clone, Copy)]
pub(crate) struct Constant<'w> {
    pub file: &'w File,
    pub value: &'w Expr,
}

/// The single assignment of a module's name (`FIND`, `queries.FIND`), in the module itself or where it is
/// imported from.
pub(crate) fn constant<'w>(
    world: &'w World<'_>,
    file: &'w File,
    name: &str,
) -> Option<Constant<'w>> {
    constant_at(world, file, name, 0)
}

fn constant_at<'w>(
    world: &'w World<'_>,
    file: &'w File,
    name: &str,
    depth: u32,
) -> Option<Constant<'w>> {
    if depth > 4 {
        return None;
    }
    let (head, rest) = name
        .split_once('.')
        .map_or((name, None), |(h, r)| (h, Some(r)));
    let defs = definitions(&file.module.body, name);
    // `Queries.FIND`, kept in a class.
    if defs.is_empty()
        && let Some(rest) = rest
        && let Some(body) = file.module.body.iter().find_map(|s| match &s.kind {
            StmtKind::Class { name, body, .. } if name == head => Some(body),
            _ => None,
        })
    {
        return member(file, body, rest);
    }
    let [def] = defs.as_slice() else {
        // `from .queries import FIND`, `import queries` and `queries.FIND`.
        for stmt in &file.module.body {
            match &stmt.kind {
                StmtKind::ImportFrom {
                    module,
                    level,
                    names,
                } => {
                    let Some(alias) = names.iter().find(|a| a.bound() == head) else {
                        continue;
                    };
                    if let Some(rest) = rest {
                        let inner = if module.is_empty() {
                            alias.name.clone()
                        } else {
                            format!("{module}.{}", alias.name)
                        };
                        let other = world.imported(&file.path, &inner, *level)?;
                        return constant_at(world, other, rest, depth + 1);
                    }
                    let other = world.imported(&file.path, module, *level)?;
                    return constant_at(world, other, &alias.name, depth + 1);
                }
                StmtKind::Import(names) => {
                    let Some(rest) = rest else { continue };
                    let Some(alias) = names.iter().find(|a| a.bound() == head) else {
                        continue;
                    };
                    let other = world.imported(&file.path, &alias.name, 0)?;
                    return constant_at(world, other, rest, depth + 1);
                }
                _ => {}
            }
        }
        return None;
    };
    match def.how {
        How::Is(value) => Some(Constant { file, value }),
        How::Adds(_) => None,
        How::Other => {
            // An import binds it.
            if let StmtKind::ImportFrom {
                module,
                level,
                names,
            } = &def.stmt().kind
                && rest.is_none()
                && let Some(alias) = names.iter().find(|a| a.bound() == head)
            {
                let other = world.imported(&file.path, module, *level)?;
                return constant_at(world, other, &alias.name, depth + 1);
            }
            None
        }
    }
}

/// The single assignment of a name in a class.
fn member<'w>(file: &'w File, body: &'w [Stmt], name: &str) -> Option<Constant<'w>> {
    match definitions(body, name).as_slice() {
        [
            Def {
                how: How::Is(value),
                ..
            },
        ] => Some(Constant { file, value }),
        _ => None,
    }
}

/// `self.FIND`, where the class of the method gives it and the method does not.
pub(crate) fn of_self<'w>(file: &'w File, site: &Site<'w>, name: &str) -> Option<Constant<'w>> {
    let rest = name
        .strip_prefix("self.")
        .or_else(|| name.strip_prefix("cls."))?;
    let (level, _) = site.function()?;
    let class = site.levels.get(level.checked_sub(1)?)?;
    let StmtKind::Class { body, .. } = &class.block[class.index].kind else {
        return None;
    };
    // A method that sets it makes it a variable.
    let set = body.iter().any(|s| match &s.kind {
        StmtKind::Function(f) => !definitions(&f.body, name).is_empty(),
        _ => false,
    });
    if set {
        return None;
    }
    member(file, body, rest)
}
