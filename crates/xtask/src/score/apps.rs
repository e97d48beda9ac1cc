//! Open applications that are started here, each with its packages in a folder of its own.
//!
//! They run as they are, so their import and whatever a request makes them do is risked; they listen on the loopback only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::targets::copy_tree;
use crate::figures::Place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apps {
    app: Vec<App>,
}

/// One table of `crates/xtask/routes.toml`, which says what the fields mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub name: String,
    corpus: String,
    folder: Option<String>,
    pub framework: Framework,
    pub from: String,
    python: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    alone: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stubs: Vec<String>,
    #[serde(default)]
    preload: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    pub before: Vec<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub port: Option<u16>,
    #[serde(default)]
    unmeasured: BTreeMap<String, String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    Django,
    Flask,
    Fastapi,
    /// A script that serves by itself: nobody lists its routes.
    Script,
    Express,
    Nest,
    Next,
}

impl Framework {
    pub fn is_node(self) -> bool {
        matches!(self, Self::Express | Self::Nest | Self::Next)
    }

    /// The word that the scripts beside this file take.
    pub fn word(self) -> &'static str {
        match self {
            Self::Django => "django",
            Self::Flask => "flask",
            Self::Fastapi => "fastapi",
            Self::Script => "script",
            Self::Express => "express",
            Self::Nest => "nest",
            Self::Next => "next",
        }
    }
}

/// An application that can be started.
pub struct Ready {
    /// Its interpreter.
    pub program: PathBuf,
    /// What it is given before anything else: what is loaded before the application.
    pub preload: Vec<String>,
    /// The copy of the corpus.
    pub copy: PathBuf,
    /// Where in the copy it is started.
    pub folder: PathBuf,
    env: BTreeMap<String, String>,
}

/// All applications of the table.
pub fn table() -> Result<Vec<App>, String> {
    let apps: Apps = toml::from_str(include_str!("../../routes.toml"))
        .map_err(|error| format!("`crates/xtask/routes.toml`: {error}"))?;
    let only = std::env::var("SOLVENT_ONLY").ok();
    let wanted = |app: &App| only.as_ref().is_none_or(|name| *name == app.name);
    Ok(apps.app.into_iter().filter(wanted).collect())
}

impl App {
    /// The folder that is scanned.
    pub fn corpus(&self, place: &Place) -> Result<PathBuf, String> {
        place.corpus(&self.corpus)
    }

    /// Why a score does not use it, where the table says so.
    pub fn unmeasured_for(&self, score: &str) -> Option<&str> {
        self.unmeasured.get(score).map(String::as_str)
    }

    /// Installs what it asks for and copies it to where that is found.
    pub fn ready(&self, place: &Place, corpus: &Path) -> Result<Ready, String> {
        let tools = place.root.join("target/tools/routes").join(&self.name);
        let (program, copy) = if self.framework.is_node() {
            modules(&tools, self)?;
            // Node looks for packages in the folders above.
            (PathBuf::from("node"), tools.join("app"))
        } else {
            (environment(&tools, self)?, place.scratch.join(&self.name))
        };
        if copy.exists() {
            fs::remove_dir_all(&copy)
                .map_err(|error| format!("cannot remove `{}`: {error}", copy.display()))?;
        }
        copy_tree(corpus, &copy, &|path| {
            !path.ends_with(".git") && !path.ends_with("node_modules")
        })?;
        for (path, text) in &self.files {
            fs::write(copy.join(path), text)
                .map_err(|error| format!("cannot write `{path}`: {error}"))?;
        }
        let mut env = self.env.clone();
        let mut preload = Vec::new();
        if self.framework.is_node() {
            env.insert("STUBS".to_owned(), self.stubs.join(","));
            for one in &self.preload {
                preload.extend(["--require".to_owned(), one.clone()]);
            }
        }
        Ok(Ready {
            program,
            preload,
            folder: copy.join(self.folder.as_deref().unwrap_or(".")),
            copy,
            env,
        })
    }
}

impl Ready {
    /// A command in its folder with nothing of this process's environment but what programs need.
    pub fn command(&self, place: &Place) -> Command {
        let mut command = Command::new(&self.program);
        self.within(place, &mut command);
        command
    }

    pub fn within(&self, place: &Place, command: &mut Command) {
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &place.scratch)
            .envs(&self.env);
    }
}

/// Writes a script beside the scratch files and gives its place.
pub fn script(place: &Place, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = place.scratch.join(name);
    fs::write(&path, text).map_err(|error| format!("cannot write `{name}`: {error}"))?;
    Ok(path)
}

/// A Python with the application's packages, made anew when they change.
fn environment(venv: &Path, app: &App) -> Result<PathBuf, String> {
    let python = venv.join("bin/python");
    let wanted = format!("{}\n{}", app.packages.join("\n"), app.alone.join("\n"));
    if fs::read_to_string(venv.join("ready")).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let mut make = Command::new(app.python.as_deref().unwrap_or("python3"));
    make.args(["-m", "venv", "--clear"]).arg(venv);
    done(&mut make, "make an environment")?;
    let install = |packages: &[String], more: &[&str]| {
        if packages.is_empty() {
            return Ok(());
        }
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet"]);
        install.args(more).args(packages);
        done(&mut install, "install its packages")
    };
    install(&app.packages, &[])?;
    install(&app.alone, &["--no-deps"])?;
    fs::write(venv.join("ready"), wanted)
        .map_err(|error| format!("cannot write below `{}`: {error}", venv.display()))?;
    Ok(python)
}

/// The application's packages for Node, made anew when they change. Nothing of theirs runs while they are installed.
fn modules(folder: &Path, app: &App) -> Result<(), String> {
    let wanted = app.packages.join("\n");
    if fs::read_to_string(folder.join("ready")).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    let failed = |error| format!("cannot write below `{}`: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(folder.join("package.json"), "{\"private\":true}").map_err(failed)?;
    let mut install = Command::new("npm");
    install.current_dir(folder).args([
        "install",
        "--ignore-scripts",
        "--legacy-peer-deps",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    install.args(&app.packages);
    done(&mut install, "install its packages")?;
    fs::write(folder.join("ready"), wanted).map_err(failed)
}

/// Runs a command to its end.
pub fn done(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot {what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("cannot {what}: {}", last_line(&output.stderr)))
}

/// What a program said last.
pub fn last_line(said: &[u8]) -> String {
    let words = String::from_utf8_lossy(said);
    let last = words.trim().lines().last();
    last.unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_applications_is_read() {
        let apps = table().expect("a table");
        assert!(apps.len() > 4);
        let mut names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), apps.len(), "each has a name of its own");
    }
}
