//! A recipe from what the repository says about itself.
//!
//! Each guess is recorded in the recipe and becomes a limit of every proof. The order is that of how
//! plainly a file says it: `solvent.toml`, `Procfile`, an application object, a script with a main guard, a
//! console script, an application factory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::recipe::{self, FILE_NAME, MAX_BYTES, Origin, Partial, Recipe, RecipeError, Start};

/// Bytes of one file that are looked at.
const MAX_FILE: u64 = 1 << 20;
/// Files of a repository that are looked at for application objects.
const MAX_FILES: usize = 4000;

/// An application object or factory that static analysis found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AppHint {
    pub module: String,
    pub variable: String,
    pub factory: bool,
}

/// The recipe of the repository at `app_dir`: its `solvent.toml`, and guesses for what that leaves open.
pub fn infer(app_dir: &Path, hints: &[AppHint]) -> Result<Recipe, RecipeError> {
    let path = app_dir.join(FILE_NAME);
    let (partial, origin) = match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {
            if meta.len() > MAX_BYTES as u64 {
                return Err(RecipeError::TooLarge {
                    bytes: meta.len() as usize,
                });
            }
            let bytes = fs::read(&path).map_err(|error| RecipeError::Syntax {
                message: error.to_string(),
            })?;
            (recipe::parse(&bytes)?, Origin::File)
        }
        _ => (Partial::default(), Origin::Inferred),
    };
    complete(partial, origin, app_dir, hints)
}

/// Fills what `partial` leaves open from the files below `app_dir`.
pub fn complete(
    partial: Partial,
    origin: Origin,
    app_dir: &Path,
    hints: &[AppHint],
) -> Result<Recipe, RecipeError> {
    let mut guesses = Vec::new();
    let root = partial.root.unwrap_or_else(|| ".".to_owned());
    let base = app_dir.join(&root);
    let sources = Sources::read(&base);
    let start = match partial.start {
        Some(start) => start,
        None => {
            let start = guess_start(&base, &sources, hints)?;
            guesses.push(format!("started as {start}"));
            start
        }
    };
    let said_nothing = partial.requirements.is_none()
        && partial.dependencies.is_none()
        && partial.packages.is_none();
    let mut requirements = partial.requirements.unwrap_or_default();
    let mut dependencies = partial.dependencies.unwrap_or_default();
    let mut packages = partial.packages.unwrap_or_default();
    if said_nothing {
        let found = guess_dependencies(app_dir, &root, &sources);
        guesses.extend(found.guesses);
        requirements = found.requirements;
        dependencies = found.dependencies;
        packages = found.packages;
    }
    let python = partial.python.or_else(|| guess_python(&base, &mut guesses));
    let setup = match partial.setup {
        Some(setup) => setup,
        None => guess_setup(&sources, &start, &mut guesses),
    };
    Ok(Recipe {
        origin,
        root,
        python,
        requirements,
        dependencies,
        packages,
        as_of: partial.as_of,
        setup,
        start,
        port: partial.port,
        ready: partial.ready.unwrap_or_else(|| "/".to_owned()),
        timeout_seconds: partial.timeout_seconds.unwrap_or(120),
        env: partial.env,
        login: partial.login,
        guesses,
    })
}

/// Python files near the root, by path relative to it.
struct Sources {
    files: BTreeMap<String, String>,
}

impl Sources {
    fn read(base: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![(PathBuf::from(base), String::new(), 0_u32)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                if files.len() >= MAX_FILES {
                    return Self { files };
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                let Ok(meta) = entry.metadata() else { continue };
                let path = format!("{prefix}{name}");
                if meta.is_dir() {
                    let skip = name.starts_with('.')
                        || matches!(
                            name.as_str(),
                            "node_modules" | "venv" | "env" | "tests" | "test" | "site-packages"
                        );
                    if depth < 3 && !skip {
                        folders.push((entry.path(), format!("{path}/"), depth + 1));
                    }
                } else if meta.is_file()
                    && name.ends_with(".py")
                    && meta.len() <= MAX_FILE
                    && let Ok(bytes) = fs::read(entry.path())
                {
                    files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
                }
            }
        }
        Self { files }
    }

    /// Top-level files first, then by path.
    fn by_depth(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> = self
            .files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        all.sort_by_key(|(path, _)| {
            (
                path.matches('/').count(),
                file_rank(path),
                path.len(),
                path.to_string(),
            )
        });
        all
    }
}

/// Names that applications are usually started by.
fn file_rank(path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap_or(path);
    [
        "app.py",
        "wsgi.py",
        "main.py",
        "run.py",
        "server.py",
        "manage.py",
        "__init__.py",
    ]
    .iter()
    .position(|known| *known == name)
    .unwrap_or(50)
}

fn module_of(path: &str) -> String {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    stem.strip_suffix("/__init__")
        .unwrap_or(stem)
        .replace('/', ".")
}

fn guess_start(base: &Path, sources: &Sources, hints: &[AppHint]) -> Result<Start, RecipeError> {
    if let Some(text) = small_file(&base.join("Procfile"))
        && let Some(start) = from_procfile(&text)
    {
        return Ok(start);
    }
    let objects: Vec<&AppHint> = hints.iter().filter(|hint| !hint.factory).collect();
    if let Some(hint) = objects.iter().min_by_key(|hint| {
        let path = format!("{}.py", hint.module.replace('.', "/"));
        (
            hint.module.matches('.').count(),
            file_rank(&path),
            hint.module.clone(),
        )
    }) {
        return Ok(start_of_object(&hint.module, &hint.variable, sources));
    }
    for (path, text) in sources.by_depth() {
        if let Some(variable) = flask_object(text) {
            return Ok(start_of_object(&module_of(path), &variable, sources));
        }
    }
    let console = console_script(base);
    let scripts: Vec<&str> = sources
        .by_depth()
        .into_iter()
        .filter(|(path, text)| !path.contains('/') && has_main_guard(text) && serves(text))
        .map(|(path, _)| path)
        .collect();
    if let Some(script) = scripts.first() {
        return Ok(Start::Script((*script).to_owned()));
    }
    if let Some((module, function)) = console {
        return Ok(Start::Console { module, function });
    }
    if let Some((path, _)) = sources
        .by_depth()
        .into_iter()
        .find(|(path, _)| path.ends_with("__main__.py") && path.contains('/'))
    {
        return Ok(Start::Module(module_of(
            path.trim_end_matches("/__main__.py"),
        )));
    }
    let factory = hints.iter().find(|hint| hint.factory).cloned().or_else(|| {
        sources.by_depth().into_iter().find_map(|(path, text)| {
            flask_factory(text).map(|variable| AppHint {
                module: module_of(path),
                variable,
                factory: true,
            })
        })
    });
    if let Some(hint) = factory {
        return Ok(Start::App {
            module: hint.module,
            variable: hint.variable,
            factory: true,
        });
    }
    Err(RecipeError::NothingToStart {
        looked: [
            "a Procfile",
            "a Flask application object",
            "a script that serves",
            "a console script",
            "an application factory",
        ]
        .map(str::to_owned)
        .to_vec(),
    })
}

/// A module that itself calls `app.run(..)` under its main guard often does set-up there (creates tables,
/// reads arguments): then it is run as the script that it is.
fn start_of_object(module: &str, variable: &str, sources: &Sources) -> Start {
    let path = format!("{}.py", module.replace('.', "/"));
    if let Some(text) = sources.files.get(&path)
        && !path.contains('/')
        && calls_run(text, variable)
    {
        return Start::Script(path);
    }
    Start::App {
        module: module.to_owned(),
        variable: variable.to_owned(),
        factory: false,
    }
}

fn calls_run(text: &str, variable: &str) -> bool {
    let call = format!("{variable}.run(");
    text.lines()
        .any(|line| line.trim_start().starts_with(&call))
}

/// `app = Flask(..)` at the start of a line.
fn flask_object(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next()?.trim_end();
        let value = value.trim_start();
        let made = value.starts_with("Flask(") || value.starts_with("flask.Flask(");
        (made && is_name(name)).then(|| name.to_owned())
    })
}

fn flask_factory(text: &str) -> Option<String> {
    if !text.contains("Flask(") {
        return None;
    }
    text.lines().find_map(|line| {
        let name = line.strip_prefix("def ")?.split('(').next()?.trim();
        let usual =
            name.starts_with("create_") || name.starts_with("make_") || name.starts_with("build_");
        (usual && name.contains("app")).then(|| name.to_owned())
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn has_main_guard(text: &str) -> bool {
    text.lines().any(|line| {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        line.starts_with("if__name__==\"__main__\"") || line.starts_with("if__name__=='__main__'")
    })
}

fn serves(text: &str) -> bool {
    [
        "serve_forever",
        "run_simple",
        "make_server",
        ".run(",
        "uvicorn",
        "waitress",
        "test(",
    ]
    .iter()
    .any(|word| text.contains(word))
        && [
            "http.server",
            "HTTPServer",
            "Flask",
            "flask",
            "wsgiref",
            "bottle",
            "aiohttp",
            "fastapi",
            "waitress",
        ]
        .iter()
        .any(|word| text.contains(word))
}

/// `web: gunicorn shop.web:app` and its like; anything else is run as it is.
fn from_procfile(text: &str) -> Option<Start> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("web:"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let program = words.first()?.rsplit('/').next()?;
    match program {
        "gunicorn" | "waitress-serve" | "uwsgi" => words[1..].iter().find_map(|word| {
            let word = word.trim_matches(['"', '\'']);
            (word.contains(':') && !word.starts_with('-'))
                .then(|| recipe::parse_app("Procfile", word).ok())
                .flatten()
        }),
        "python" | "python3" => match words.get(1..)? {
            ["-m", module, ..] => Some(Start::Module((*module).to_owned())),
            [script] if script.ends_with(".py") && !script.starts_with('/') => {
                Some(Start::Script((*script).to_owned()))
            }
            _ => Some(Start::Command(
                words.iter().map(|w| (*w).to_owned()).collect(),
            )),
        },
        _ if line.contains(['$', '"', '\'', '&', '|', ';']) => None,
        _ => Some(Start::Command(
            words.iter().map(|w| (*w).to_owned()).collect(),
        )),
    }
}

/// `name = package.module:function` of `setup.py`, `setup.cfg` or `pyproject.toml`.
fn console_script(base: &Path) -> Option<(String, String)> {
    if let Some(text) = small_file(&base.join("pyproject.toml"))
        && let Ok(table) = text.parse::<toml::Table>()
        && let Some(scripts) = table
            .get("project")
            .and_then(|p| p.get("scripts"))
            .and_then(|s| s.as_table())
        && let Some(script) = scripts.values().find_map(|value| value.as_str())
        && let Some((module, function)) = script.split_once(':')
    {
        return Some((module.trim().to_owned(), function.trim().to_owned()));
    }
    for name in ["setup.py", "setup.cfg"] {
        let Some(text) = small_file(&base.join(name)) else {
            continue;
        };
        let Some(at) = text.find("console_scripts") else {
            continue;
        };
        for line in text[at..].lines().take(12).skip(1) {
            let line = line.trim().trim_matches([',', '"', '\'', '[', ']']);
            if let Some((_, target)) = line.split_once('=')
                && let Some((module, function)) = target.split_once(':')
                && module.trim().split('.').all(is_name)
                && is_name(function.trim())
            {
                return Some((module.trim().to_owned(), function.trim().to_owned()));
            }
        }
    }
    None
}

struct Dependencies {
    requirements: Vec<String>,
    dependencies: Vec<String>,
    packages: Vec<String>,
    guesses: Vec<String>,
}

fn guess_dependencies(app_dir: &Path, root: &str, sources: &Sources) -> Dependencies {
    let mut found = Dependencies {
        requirements: Vec::new(),
        dependencies: Vec::new(),
        packages: Vec::new(),
        guesses: Vec::new(),
    };
    let folders = if root == "." {
        vec![".".to_owned()]
    } else {
        vec![root.to_owned(), ".".to_owned()]
    };
    for folder in &folders {
        let join = |name: &str| {
            if folder == "." {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            }
        };
        for name in [
            "requirements.txt",
            "requirements/base.txt",
            "requirements/production.txt",
            "requirements/prod.txt",
            "requirements.in",
        ] {
            if app_dir.join(join(name)).is_file() {
                found.requirements.push(join(name));
                found
                    .guesses
                    .push(format!("dependencies from `{}`", join(name)));
                return found;
            }
        }
        if app_dir.join(join("pyproject.toml")).is_file()
            && let Some(text) = small_file(&app_dir.join(join("pyproject.toml")))
            && let Ok(table) = text.parse::<toml::Table>()
            && let Some(project) = table.get("project")
        {
            let list = project.get("dependencies").and_then(|d| d.as_array());
            found.dependencies.extend(
                list.into_iter()
                    .flatten()
                    .filter_map(|item| item.as_str().map(str::to_owned)),
            );
            found
                .guesses
                .push(format!("dependencies from `{}`", join("pyproject.toml")));
            return found;
        }
        if let Some(text) = small_file(&app_dir.join(join("Pipfile"))) {
            found.dependencies = from_pipfile(&text);
            found
                .guesses
                .push(format!("dependencies from `{}`", join("Pipfile")));
            return found;
        }
        if let Some(text) = small_file(&app_dir.join(join("setup.py"))) {
            if let Some(names) = install_requires(&text) {
                found.dependencies = names;
                found
                    .guesses
                    .push(format!("dependencies from `{}`", join("setup.py")));
                return found;
            }
            found.packages.push(folder.clone());
            found.guesses.push(format!(
                "installed as the package of `{}`",
                join("setup.py")
            ));
            return found;
        }
    }
    if let Some((name, lines)) = above(app_dir) {
        found.dependencies = lines;
        found
            .guesses
            .push(format!("dependencies from `{name}` of the folder above"));
        return found;
    }
    found.dependencies = imported(sources);
    if !found.dependencies.is_empty() {
        found.guesses.push(format!(
            "no requirements found; newest releases of what is imported: {}",
            found.dependencies.join(", ")
        ));
    }
    found
}

/// Plain requirements of the folders above, up to the root of the checkout: an application may be one of
/// several in a repository. Options and links there are not taken over.
fn above(app_dir: &Path) -> Option<(String, Vec<String>)> {
    let mut folder = fs::canonicalize(app_dir).ok()?;
    for _ in 0..2 {
        if folder.join(".git").exists() || !folder.pop() {
            return None;
        }
        let Some(text) = small_file(&folder.join("requirements.txt")) else {
            continue;
        };
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim())
            .filter(|line| {
                line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains("://")
            })
            .map(str::to_owned)
            .collect();
        return (!lines.is_empty()).then(|| ("requirements.txt".to_owned(), lines));
    }
    None
}

fn from_pipfile(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let Some(packages) = table.get("packages").and_then(|p| p.as_table()) else {
        return Vec::new();
    };
    packages
        .iter()
        .filter_map(|(name, value)| {
            let version = value
                .as_str()
                .or_else(|| value.get("version").and_then(|v| v.as_str()))?;
            Some(if version == "*" {
                name.clone()
            } else {
                format!("{name}{version}")
            })
        })
        .collect()
}

/// The literal list of `install_requires=[..]`; none when it is computed.
fn install_requires(text: &str) -> Option<Vec<String>> {
    let at = text.find("install_requires")?;
    let rest = text[at + "install_requires".len()..]
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let list = rest.strip_prefix('[')?;
    let list = &list[..list.find(']')?];
    let mut names = Vec::new();
    for item in list.split(',') {
        let item = item
            .lines()
            .map(|l| l.split('#').next().unwrap_or(""))
            .collect::<String>();
        let item = item.trim();
        if item.is_empty() {
            continue;
        }
        let bare = item.trim_matches(['"', '\'']);
        if bare.len() + 2 != item.len() {
            return None;
        }
        names.push(bare.to_owned());
    }
    Some(names)
}

/// Packages of frameworks that are imported, when no file names any. Only names that are known to be what
/// they are imported as: guessing a distribution's name from an import invites someone else's package.
fn imported(sources: &Sources) -> Vec<String> {
    const KNOWN: [(&str, &str); 26] = [
        ("flask", "Flask"),
        ("werkzeug", "Werkzeug"),
        ("jinja2", "Jinja2"),
        ("requests", "requests"),
        ("lxml", "lxml"),
        ("yaml", "PyYAML"),
        ("sqlalchemy", "SQLAlchemy"),
        ("flask_sqlalchemy", "Flask-SQLAlchemy"),
        ("flask_login", "Flask-Login"),
        ("flask_wtf", "Flask-WTF"),
        ("jwt", "PyJWT"),
        ("bottle", "bottle"),
        ("click", "click"),
        ("cryptography", "cryptography"),
        ("geoip2", "geoip2"),
        ("jsonschema", "jsonschema"),
        ("pyotp", "pyotp"),
        ("qrcode", "qrcode"),
        ("markdown", "Markdown"),
        ("markupsafe", "MarkupSafe"),
        ("ldap3", "ldap3"),
        ("passlib", "passlib"),
        ("bcrypt", "bcrypt"),
        ("simplejson", "simplejson"),
        ("flask_cors", "Flask-Cors"),
        ("itsdangerous", "itsdangerous"),
    ];
    KNOWN
        .iter()
        .filter(|(module, _)| {
            sources.files.values().any(|text| {
                text.lines().any(|line| {
                    // Only at the left margin: an import inside `try` or a function may be optional.
                    let rest = line
                        .strip_prefix("import ")
                        .or_else(|| line.strip_prefix("from "));
                    rest.is_some_and(|rest| {
                        rest.split([' ', '.', ','])
                            .next()
                            .is_some_and(|first| first == *module)
                    })
                })
            })
        })
        .map(|(_, package)| (*package).to_owned())
        .collect()
}

fn guess_python(base: &Path, guesses: &mut Vec<String>) -> Option<String> {
    let mut say = |from: &str, version: &str| {
        guesses.push(format!("Python {version} from `{from}`"));
        Some(version.to_owned())
    };
    if let Some(text) = small_file(&base.join("runtime.txt"))
        && let Some(version) = text.trim().strip_prefix("python-")
    {
        return say("runtime.txt", version);
    }
    if let Some(text) = small_file(&base.join(".python-version"))
        && let Some(version) = text.lines().map(str::trim).find(|l| !l.is_empty())
        && version.starts_with(|c: char| c.is_ascii_digit())
    {
        return say(".python-version", version);
    }
    if let Some(text) = small_file(&base.join("pyproject.toml"))
        && let Ok(table) = text.parse::<toml::Table>()
        && let Some(version) = table
            .get("project")
            .and_then(|p| p.get("requires-python"))
            .and_then(|v| v.as_str())
    {
        return say("pyproject.toml", version);
    }
    if let Some(text) = small_file(&base.join("setup.py"))
        && let Some(at) = text.find("python_requires")
        && let Some(version) = text[at..].split(['"', '\'']).nth(1)
        && version.starts_with(['<', '>', '=', '~', '!'])
    {
        return say("setup.py", version);
    }
    None
}

/// A script beside the application that, by its name, makes the database.
fn guess_setup(sources: &Sources, start: &Start, guesses: &mut Vec<String>) -> Vec<Vec<String>> {
    const NAMES: [&str; 9] = [
        "db_init.py",
        "init_db.py",
        "initdb.py",
        "create_db.py",
        "setup_db.py",
        "seed.py",
        "seed_db.py",
        "create_database.py",
        "init_database.py",
    ];
    for name in NAMES {
        let is_start = matches!(start, Start::Script(path) if path == name);
        if !is_start
            && sources
                .files
                .get(name)
                .is_some_and(|text| has_main_guard(text))
        {
            guesses.push(format!("`{name}` run once before the start"));
            return vec![vec!["python".to_owned(), name.to_owned()]];
        }
    }
    Vec::new()
}

/// A text file of at most [`MAX_FILE`] bytes; links are not followed.
fn small_file(path: &Path) -> Option<String> {
    let meta = fs::symlink_metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        return None;
    }
    String::from_utf8(fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        dir
    }

    fn start(files: &[(&str, &str)]) -> String {
        let dir = project(files);
        infer(dir.path(), &[]).map_or_else(|e| e.to_string(), |r| r.start.to_string())
    }

    #[test]
    fn an_application_object_is_found_by_its_assignment() {
        assert_eq!(
            start(&[(
                "shop/web.py",
                "from flask import Flask\napp = Flask(__name__)\n"
            )]),
            "app shop.web:app"
        );
    }

    #[test]
    fn a_module_that_runs_its_object_is_run_as_a_script() {
        let text = "from flask import Flask\napp = Flask('x')\nif __name__ == '__main__':\n    app.run()\n";
        assert_eq!(start(&[("app.py", text)]), "script app.py");
    }

    #[test]
    fn a_server_of_the_standard_library_is_run_as_a_script() {
        let text = "import http.server\nif __name__ == \"__main__\":\n    s.serve_forever()\n";
        assert_eq!(start(&[("dsv.py", text)]), "script dsv.py");
    }

    #[test]
    fn a_console_script_comes_before_a_factory() {
        let cli = "from flask import Flask\ndef create_flask_app():\n    return Flask('x')\n";
        let setup = "setup(entry_points={\n 'console_scripts': [\n  'code = code.cli:main',\n ]},\n python_requires='>=3.6',\n install_requires=[\n  'flask',\n ])";
        let dir = project(&[("code/cli.py", cli), ("setup.py", setup)]);
        let recipe = infer(dir.path(), &[]).expect("inferred");
        assert_eq!(recipe.start.to_string(), "console code.cli:main");
        assert_eq!(recipe.dependencies, ["flask"]);
        assert_eq!(recipe.python.as_deref(), Some(">=3.6"));
        assert!(recipe.guesses.len() >= 3);
    }

    #[test]
    fn a_procfile_names_the_object() {
        assert_eq!(
            start(&[("Procfile", "web: gunicorn -w 4 shop:app\n")]),
            "app shop:app"
        );
    }

    #[test]
    fn nothing_to_start_says_what_to_write() {
        assert!(start(&[("x.py", "print(1)\n")]).contains("[target.start]"));
    }

    #[test]
    fn a_database_script_beside_the_application_is_run_before_it() {
        let dir = project(&[
            ("app.py", "app = Flask('x')\n"),
            ("db_init.py", "if __name__ == '__main__':\n    pass\n"),
            ("requirements.txt", "Flask\n"),
        ]);
        let recipe = infer(dir.path(), &[]).expect("inferred");
        assert_eq!(recipe.setup, [["python", "db_init.py"]]);
        assert_eq!(recipe.requirements, ["requirements.txt"]);
    }

    #[test]
    fn what_the_file_says_is_not_guessed() {
        let dir = project(&[
            ("app.py", "app = Flask('x')\n"),
            (
                "solvent.toml",
                "[target.start]\nscript = \"other.py\"\n[target.prepare]\nsetup = []\n",
            ),
        ]);
        let recipe = infer(dir.path(), &[]).expect("read");
        assert_eq!(recipe.origin, Origin::File);
        assert_eq!(recipe.start, Start::Script("other.py".into()));
    }
}
