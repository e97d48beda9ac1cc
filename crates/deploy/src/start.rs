//! Which file of the tree a command starts.

use crate::docker::{Image, inside};
use crate::text::words;
use crate::tree::{Tree, joined};

/// Where a command runs: the files of a build context, and how they got into the container.
pub(crate) struct Around<'a> {
    pub tree: &'a Tree,
    /// Build context, relative to the root.
    pub context: &'a str,
    pub image: Option<&'a Image>,
    /// Folders of the tree that are mounted, and where.
    pub mounts: &'a [(String, String)],
    /// The folder that the command runs in, absolute; empty without a container.
    pub workdir: String,
    /// `FLASK_APP` and the like.
    pub setting: &'a dyn Fn(&str) -> Option<String>,
}

/// Most wrappers around one command: `sh -c`, `npm run`, `env`, one around the other.
const MAX_WRAPPERS: usize = 12;

/// Programs that run the command that follows them.
const WRAPPERS: &[&str] = &[
    "exec",
    "env",
    "tini",
    "dumb-init",
    "sudo",
    "nohup",
    "time",
    "poetry",
    "uv",
    "pipenv",
    "pdm",
    "rye",
    "hatch",
    "run",
    "opentelemetry-instrument",
    "ddtrace-run",
    "newrelic-admin",
    "run-program",
    "--",
    "npx",
    "pnpm",
    "yarn",
    "exec",
    "nodemon",
    "pm2-runtime",
    "cross-env",
    "dotenv",
];

/// The file that is started, relative to the root; `None` when the command does not tell, or names no file
/// of the tree.
pub(crate) fn file(command: &[String], around: &Around<'_>) -> Option<String> {
    let mut command = command.to_vec();
    let mut folder = around.workdir.clone();
    for _ in 0..MAX_WRAPPERS {
        // Of a chain the last part stays running; `cd` moves it.
        if let Some(at) = command
            .iter()
            .rposition(|w| matches!(w.as_str(), "&&" | ";" | "&" | "||"))
        {
            let before = command[..at].to_vec();
            for pair in before.windows(2) {
                if let [cd, to] = pair
                    && cd == "cd"
                {
                    folder = inside(&folder, to);
                }
            }
            command.drain(..=at);
            continue;
        }
        while command.first().is_some_and(|w| {
            WRAPPERS.contains(&name(w))
                || (w.starts_with("--") && w.len() > 2)
                || (w.contains('=') && !w.starts_with('-') && !w.contains('/'))
                || name(w).starts_with("wait-for")
        }) {
            let script = matches!(name(&command[0]), "yarn" | "pnpm" | "run");
            command.remove(0);
            if script
                && let Some(first) = command.first()
                && let Some(text) = npm_script(first, &folder, around)
            {
                command = words(&text);
                break;
            }
        }
        let first = command.first()?.clone();
        match name(&first) {
            "sh" | "bash" | "ash" | "dash" => {
                let flag = command
                    .iter()
                    .position(|w| w.starts_with('-') && w.ends_with('c'));
                match flag.and_then(|at| command.get(at + 1)) {
                    Some(text) => command = words(text),
                    None => {
                        let script = command.iter().skip(1).find(|w| !w.starts_with('-'))?;
                        command = last_line(&located(script, &folder, around)?, around)?;
                    }
                }
            }
            "npm" => {
                let word = command
                    .iter()
                    .skip(1)
                    .find(|w| !w.starts_with('-'))?
                    .clone();
                let word = match word.as_str() {
                    "run" | "run-script" => command
                        .iter()
                        .skip_while(|w| !w.starts_with("run"))
                        .skip(1)
                        .find(|w| !w.starts_with('-'))?
                        .clone(),
                    _ => word,
                };
                command = words(&npm_script(&word, &folder, around)?);
            }
            "python" | "python2" | "python3" | "pypy3" => {
                let rest = &command[1..];
                let at = rest.iter().position(|w| !w.starts_with('-') || w == "-m")?;
                if rest[at] != "-m" {
                    return located(&rest[at], &folder, around);
                }
                let module = rest.get(at + 1)?.clone();
                if is_server(&module) {
                    command = rest[at + 1..].to_vec();
                    continue;
                }
                return of_module(&module, &folder, around);
            }
            server if is_server(server) => return served(&command, &folder, around),
            "node" | "ts-node" | "tsx" | "bun" | "deno" | "babel-node" | "ts-node-dev" => {
                let file = command
                    .iter()
                    .skip(1)
                    .find(|w| !w.starts_with('-') && *w != "run" && *w != "watch")?;
                return located(file, &folder, around);
            }
            other if other.ends_with(".py") || other.ends_with(".js") || other.ends_with(".ts") => {
                return located(&first, &folder, around);
            }
            other if other.ends_with(".sh") || first.starts_with("./") => {
                command = last_line(&located(&first, &folder, around)?, around)?;
            }
            _ => return None,
        }
    }
    None
}

fn name(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    // `python3.12`
    match name.strip_prefix("python3.") {
        Some(_) => "python3",
        None => name,
    }
}

fn is_server(name: &str) -> bool {
    matches!(
        name,
        "gunicorn"
            | "uvicorn"
            | "hypercorn"
            | "daphne"
            | "waitress-serve"
            | "flask"
            | "celery"
            | "rq"
            | "fastapi"
            | "uwsgi"
            | "granian"
    )
}

/// `gunicorn -w 4 shop.web:app`, `flask --app shop run`, `celery -A shop worker`.
fn served(command: &[String], folder: &str, around: &Around<'_>) -> Option<String> {
    let server = name(&command[0]);
    let after = |flags: &[&str]| {
        command.iter().enumerate().find_map(|(i, word)| {
            let flag = flags.iter().find(|flag| {
                word == *flag
                    || word
                        .strip_prefix(**flag)
                        .is_some_and(|r| r.starts_with('='))
            })?;
            match word.strip_prefix(&format!("{flag}=")) {
                Some(value) => Some(value.to_owned()),
                None => command.get(i + 1).cloned(),
            }
        })
    };
    let folder = match after(&["--chdir", "--app-dir"]) {
        Some(to) => inside(folder, &to),
        None => folder.to_owned(),
    };
    let target = match server {
        "flask" => after(&["--app", "-A"])
            .or_else(|| (around.setting)("FLASK_APP"))
            .or_else(|| {
                ["app.py", "wsgi.py"]
                    .iter()
                    .find(|file| located(file, &folder, around).is_some())
                    .map(|file| (*file).to_owned())
            }),
        "celery" => after(&["-A", "--app"]),
        "uwsgi" => after(&["--module", "-w", "--wsgi-file", "--wsgi"]),
        "fastapi" => command.iter().skip(1).find(|w| w.ends_with(".py")).cloned(),
        _ => command
            .iter()
            .skip(1)
            .find(|w| !w.starts_with('-') && is_application(w))
            .or_else(|| {
                command
                    .last()
                    .filter(|w| !w.starts_with('-') && command.len() > 1)
            })
            .cloned(),
    }?;
    let target = target.split([':', '(']).next().unwrap_or_default();
    if target.ends_with(".py") {
        return located(target, &folder, around);
    }
    of_module(target, &folder, around)
}

/// `shop.web:app`, `web:create_app()`; not `0.0.0.0:8000`.
fn is_application(word: &str) -> bool {
    word.split_once(':').is_some_and(|(module, object)| {
        !module.is_empty()
            && module
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
            && object.starts_with(|c: char| c.is_alphabetic() || c == '_')
    })
}

fn of_module(module: &str, folder: &str, around: &Around<'_>) -> Option<String> {
    let path = module.replace('.', "/");
    [
        format!("{path}.py"),
        format!("{path}/__main__.py"),
        format!("{path}/__init__.py"),
    ]
    .iter()
    .find_map(|file| located(file, folder, around))
}

/// The file of the tree that a path of the container, or of the working folder, is.
fn located(path: &str, folder: &str, around: &Around<'_>) -> Option<String> {
    let absolute = inside(if folder.is_empty() { "/" } else { folder }, path);
    let mut candidates: Vec<String> = Vec::new();
    for (from, to) in around.mounts {
        if absolute == *to {
            candidates.push(from.clone());
        } else if let Some(rest) = absolute.strip_prefix(&format!("{to}/")) {
            candidates.extend(joined(from, rest));
        }
    }
    if let Some(image) = around.image {
        for path in image.in_context(&absolute) {
            candidates.extend(joined(around.context, &path));
        }
    }
    // Without a Dockerfile that says more, the working folder is the context.
    if !path.starts_with('/') {
        let own = if around.image.is_none() && !folder.is_empty() {
            joined(around.context, folder.trim_start_matches('/'))
        } else {
            Some(around.context.to_owned())
        };
        candidates.extend(own.and_then(|own| joined(&own, path)));
        candidates.extend(joined(around.context, path));
    }
    for candidate in candidates {
        for ending in ["", ".js", ".ts", "/index.js", "/index.ts"] {
            let file = format!("{candidate}{ending}");
            if around.tree.has(&file) {
                return Some(file);
            }
        }
        // What is built from TypeScript.
        for (built, source) in [
            ("dist/", "src/"),
            ("build/", "src/"),
            ("dist/", ""),
            ("build/", ""),
        ] {
            if let Some(at) = candidate.find(built)
                && (at == 0 || candidate.as_bytes()[at - 1] == b'/')
            {
                let rest = &candidate[at + built.len()..];
                let stem = rest.strip_suffix(".js").unwrap_or(rest);
                for ending in [".ts", ".js", ".tsx", "/index.ts"] {
                    let file = format!("{}{source}{stem}{ending}", &candidate[..at]);
                    if around.tree.has(&file) {
                        return Some(file);
                    }
                }
            }
        }
    }
    None
}

fn npm_script(word: &str, folder: &str, around: &Around<'_>) -> Option<String> {
    let path = located("package.json", folder, around)?;
    let package: serde_json::Value = serde_json::from_str(around.tree.text(&path)?).ok()?;
    let script = package.pointer("/scripts")?.get(word);
    match script.and_then(serde_json::Value::as_str) {
        Some(text) => Some(text.to_owned()),
        // npm's own default.
        None if word == "start" => Some("node server.js".to_owned()),
        None => None,
    }
}

/// What a script ends in: the program that stays.
fn last_line(path: &str, around: &Around<'_>) -> Option<Vec<String>> {
    let text = around.tree.text(path)?;
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let words = words(line);
    // `exec "$@"`: what is started is said elsewhere; branches are not followed.
    let plain = words.iter().all(|w| !w.contains('$'));
    (plain && !matches!(words.first()?.as_str(), "fi" | "done" | "esac" | "}")).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use solvent_base::FilePath;

    fn started(command: &str, files: &[(&str, &str)]) -> Option<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            let path = FilePath::new(path)?;
            tree.names.insert(path.clone());
            tree.texts.insert(path, (*text).to_owned());
        }
        let around = Around {
            tree: &tree,
            context: "svc",
            image: None,
            mounts: &[],
            workdir: String::new(),
            setting: &|_| None,
        };
        file(&words(command), &around)
    }

    #[test]
    fn servers_name_a_module() {
        let files = [("svc/shop/web.py", ""), ("svc/main.py", "")];
        for command in [
            "gunicorn -b 0.0.0.0:80 shop.web:app",
            "python -m uvicorn shop.web:app --host 0.0.0.0",
            "sh -c 'sleep 2 && exec gunicorn shop.web:create_app()'",
            "flask --app shop.web run -h 0.0.0.0",
            "celery -A shop.web worker",
            "poetry run python -u shop/web.py",
        ] {
            assert_eq!(
                started(command, &files).as_deref(),
                Some("svc/shop/web.py"),
                "{command}"
            );
        }
        assert_eq!(
            started("python main.py", &files).as_deref(),
            Some("svc/main.py")
        );
        assert_eq!(started("python other.py", &files), None);
        assert_eq!(started("./server", &files), None);
    }

    #[test]
    fn scripts_of_a_package_are_followed() {
        let package = r#"{"scripts": {"start": "NODE_ENV=production node dist/server.js"}}"#;
        let files = [("svc/package.json", package), ("svc/src/server.ts", "")];
        assert_eq!(
            started("npm start", &files).as_deref(),
            Some("svc/src/server.ts")
        );
        assert_eq!(started("npm run other", &files), None);
    }

    #[test]
    fn a_command_that_runs_itself_ends() {
        let package = r#"{"scripts": {"start": "npm start"}}"#;
        assert_eq!(started("npm start", &[("svc/package.json", package)]), None);
    }
}
