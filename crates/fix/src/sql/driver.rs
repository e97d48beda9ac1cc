//! Which driver a statement goes to, and how it writes parameters (PEP 249, `paramstyle`).

use std::collections::BTreeSet;

use solvent_lang::syntax::{Expr, ExprKind, Passing, StmtKind};

use crate::NoPatch;
use crate::pieces::literal_text;
use crate::source::{File, World};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Style {
    /// `?` and a tuple.
    Question,
    /// `%s` and a tuple.
    Percent,
    /// `%(name)s` and a dictionary.
    PercentNamed,
    /// `:name` and a dictionary.
    Colon,
    /// `$1` and one argument for each.
    Dollar,
}

/// What the database makes of `"text"` where a value can stand. Where the database is not known the statement
/// is taken to work as it is written, so it is a literal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum DoubleQuotes {
    Literal,
    Name,
}

/// Whether a number after `LIMIT` may be bound as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Counts {
    AsText,
    AsNumber,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Driver {
    pub style: Style,
    pub double_quotes: DoubleQuotes,
    pub counts: Counts,
}

const SQLITE: Driver = Driver {
    style: Style::Question,
    double_quotes: DoubleQuotes::Literal,
    counts: Counts::AsText,
};
const ODBC: Driver = Driver {
    style: Style::Question,
    double_quotes: DoubleQuotes::Name,
    counts: Counts::AsNumber,
};
const POSTGRES: Driver = Driver {
    style: Style::Percent,
    double_quotes: DoubleQuotes::Name,
    counts: Counts::AsText,
};
const MYSQL: Driver = Driver {
    style: Style::Percent,
    double_quotes: DoubleQuotes::Literal,
    counts: Counts::AsNumber,
};
const ORACLE: Driver = Driver {
    style: Style::Colon,
    double_quotes: DoubleQuotes::Name,
    counts: Counts::AsNumber,
};
const ASYNCPG: Driver = Driver {
    style: Style::Dollar,
    double_quotes: DoubleQuotes::Name,
    counts: Counts::AsNumber,
};
/// SQLAlchemy's `text()` writes `:name` for every database.
pub(crate) const TEXT: Driver = Driver {
    style: Style::Colon,
    double_quotes: DoubleQuotes::Literal,
    counts: Counts::AsNumber,
};

/// Modules of drivers, by what an import statement names first.
const MODULES: [(&str, Driver); 27] = [
    ("sqlite3", SQLITE),
    ("pysqlite2", SQLITE),
    ("pysqlite3", SQLITE),
    ("aiosqlite", SQLITE),
    ("apsw", SQLITE),
    ("libsql", SQLITE),
    ("sqlcipher3", SQLITE),
    ("duckdb", SQLITE),
    ("pyodbc", ODBC),
    ("psycopg2", POSTGRES),
    ("psycopg", POSTGRES),
    ("aiopg", POSTGRES),
    ("pg8000", POSTGRES),
    ("psycopg2cffi", POSTGRES),
    ("pymysql", MYSQL),
    ("MySQLdb", MYSQL),
    ("mysql.connector", MYSQL),
    ("mysql", MYSQL),
    ("aiomysql", MYSQL),
    ("asyncmy", MYSQL),
    ("flask_mysqldb", MYSQL),
    ("flaskext.mysql", MYSQL),
    ("mariadb", MYSQL),
    ("django.db", POSTGRES),
    ("cx_Oracle", ORACLE),
    ("oracledb", ORACLE),
    ("asyncpg", ASYNCPG),
];

/// The driver behind the call in `file`.
pub(crate) fn of(world: &World<'_>, file: &File, callee: &str) -> Result<Driver, NoPatch> {
    for (module, driver) in MODULES {
        if callee
            .strip_prefix(module)
            .is_some_and(|rest| rest.starts_with('.'))
        {
            return Ok(driver);
        }
    }
    if callee.starts_with("sqlalchemy.") || callee.starts_with("flask_sqlalchemy.") {
        return Ok(TEXT);
    }
    let mut seen = imports(file);
    let written = written(file);
    if let Some(style) = written
        && let Some(driver) = seen.iter().find(|d| d.style == style)
    {
        return Ok(*driver);
    }
    if seen.len() == 1
        && let Some(driver) = seen.pop_first()
    {
        return Ok(driver);
    }
    if let Some(style) = written {
        return Ok(Driver {
            style,
            double_quotes: DoubleQuotes::Literal,
            counts: Counts::AsNumber,
        });
    }
    // The connection comes from another file.
    let mut near = BTreeSet::new();
    for stmt in &file.module.body {
        match &stmt.kind {
            StmtKind::ImportFrom {
                module,
                level,
                names,
            } => {
                for name in names {
                    let inner = if module.is_empty() {
                        name.name.clone()
                    } else {
                        format!("{module}.{}", name.name)
                    };
                    if let Some(other) = world.imported(&file.path, &inner, *level) {
                        near.extend(imports(other));
                    }
                }
                if let Some(other) = world.imported(&file.path, module, *level) {
                    near.extend(imports(other));
                }
            }
            StmtKind::Import(names) => {
                for name in names {
                    if let Some(other) = world.imported(&file.path, &name.name, 0) {
                        near.extend(imports(other));
                    }
                }
            }
            _ => {}
        }
    }
    if near.len() == 1
        && let Some(driver) = near.pop_first()
    {
        return Ok(driver);
    }
    let mut all = BTreeSet::new();
    for path in world
        .sources
        .files
        .iter()
        .filter(|p| p.extension() == Some("py"))
    {
        let name = path.as_str();
        if name.starts_with("tests/") || name.contains("/tests/") {
            continue;
        }
        // Only files that could: parsing a large tree for an import is dear.
        let Some(text) = (world.sources.text)(path) else {
            continue;
        };
        if MODULES
            .iter()
            .any(|(m, _)| text.contains(m.split('.').next().unwrap_or(m)))
            && let Ok(file) = world.file(path)
        {
            all.extend(imports(file));
        }
    }
    if all.len() == 1
        && let Some(driver) = all.pop_first()
    {
        return Ok(driver);
    }
    Err(NoPatch::UnknownDriver)
}

/// Drivers that the file imports, anywhere in it.
fn imports(file: &File) -> BTreeSet<Driver> {
    let mut out = BTreeSet::new();
    let mut add = |module: &str| {
        if let Some((_, driver)) = MODULES.iter().find(|(m, _)| {
            module
                .strip_prefix(m)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }) {
            out.insert(*driver);
        }
    };
    file.module.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Import(names) => names.iter().for_each(|n| add(&n.name)),
        StmtKind::ImportFrom {
            module, level: 0, ..
        } => add(module),
        _ => {}
    });
    out
}

/// The style of statements with parameters in the file, when all agree.
fn written(file: &File) -> Option<Style> {
    let mut styles = BTreeSet::new();
    file.module.walk(&mut |stmt| {
        for e in stmt.expressions() {
            e.walk(&mut |e| {
                if let Some(style) = style_of_call(file, e) {
                    styles.insert(style);
                }
            });
        }
    });
    if styles.len() == 1 {
        styles.pop_first()
    } else {
        None
    }
}

fn style_of_call(file: &File, e: &Expr) -> Option<Style> {
    let ExprKind::Call { func, args, .. } = &e.kind else {
        return None;
    };
    let ExprKind::Attribute { name, .. } = &func.kind else {
        return None;
    };
    if !matches!(&**name, "execute" | "executemany") {
        return None;
    }
    let [sql, _, ..] = args.as_slice() else {
        return None;
    };
    if sql.passing != Passing::Position {
        return None;
    }
    let text = literal_text(file, &sql.value)?;
    if text.contains("%s") {
        Some(Style::Percent)
    } else if text.contains('?') {
        Some(Style::Question)
    } else {
        None
    }
}
