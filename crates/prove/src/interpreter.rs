//! Python interpreters of this machine, and the choice among them.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Major and minor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// One interpreter that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    pub version: Version,
    /// `3.12.1`
    pub full: String,
    /// The real executable.
    pub exe: PathBuf,
    /// Its installation: `/usr`, or a folder of its own that must be shown inside the sandbox.
    pub prefix: PathBuf,
    /// Whether it can make virtual environments.
    pub has_venv: bool,
}

/// A constraint: `3.12`, `3.11.4`, or requirements such as `>=3.8,<3.12`.
pub fn allows(constraint: &str, version: Version) -> bool {
    constraint
        .split(',')
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .all(|clause| {
            let digits = clause
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(clause.len());
            let (operator, number) = clause.split_at(digits);
            let parts: Vec<u32> = number
                .trim_end_matches(".*")
                .split('.')
                .map_while(|p| p.parse().ok())
                .collect();
            let Some(&major) = parts.first() else {
                return true;
            };
            let minor = parts.get(1).copied();
            let bound = Version(major, minor.unwrap_or(0));
            match operator.trim() {
                // A patch release is one we cannot choose by minor version alone, so `<3.12.5` allows 3.12.
                ">=" => version >= bound,
                ">" => version > bound || parts.len() > 2 && version == bound,
                "<" => version < bound || parts.len() > 2 && version == bound,
                "<=" => version <= bound,
                "!=" => parts.len() > 2 || version != bound,
                "~=" => {
                    version.0 == bound.0
                        && version >= bound
                        && (parts.len() < 3 || version == bound)
                }
                "" | "==" | "===" => version.0 == major && minor.is_none_or(|m| version.1 == m),
                _ => true,
            }
        })
}

/// All interpreters found: the default `python3` first, then by version, one per version.
pub fn find() -> Vec<Interpreter> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path)
        .chain(["/usr/bin", "/usr/local/bin"].map(PathBuf::from))
        // Shims are scripts that need their owner's configuration.
        .filter(|folder| !folder.ends_with("shims"))
        .collect();
    for folder in &folders {
        candidates.push(folder.join("python3"));
    }
    for folder in &folders {
        for minor in 6..=20 {
            candidates.push(folder.join(format!("python3.{minor}")));
        }
    }
    if let Some(home) = env::var_os("HOME") {
        candidates.extend(children(&Path::new(&home).join(".pyenv/versions")));
        candidates.extend(children(&Path::new(&home).join(".local/share/uv/python")));
    }
    candidates.extend(children(Path::new("/opt/python")));
    let mut found: BTreeMap<Version, Interpreter> = BTreeMap::new();
    let mut default = None;
    let mut seen = std::collections::BTreeSet::new();
    for candidate in candidates {
        let Ok(real) = fs::canonicalize(&candidate) else {
            continue;
        };
        if !seen.insert(real.clone()) {
            continue;
        }
        let Some(interpreter) = ask(&real) else {
            continue;
        };
        if default.is_none() {
            default = Some(interpreter.version);
        }
        let better = |old: &Interpreter| !old.has_venv && interpreter.has_venv;
        if found.get(&interpreter.version).is_none_or(better) {
            found.insert(interpreter.version, interpreter);
        }
    }
    let mut all: Vec<Interpreter> = Vec::new();
    all.extend(default.and_then(|version| found.remove(&version)));
    all.extend(found.into_values());
    all
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut all: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("bin/python3"))
        .collect();
    all.sort();
    all
}

/// Asks an interpreter of this machine about itself, isolated from environment and user packages.
fn ask(exe: &Path) -> Option<Interpreter> {
    const QUESTION: &str = "import sys\ntry:\n import venv,ensurepip;v=1\nexcept Exception:\n v=0\n\
        print('%d.%d.%d'%sys.version_info[:3]);print(sys.base_prefix);print(v)";
    let output = Command::new(exe)
        .args(["-I", "-S", "-c", QUESTION])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let full = lines.next()?.to_owned();
    let prefix = PathBuf::from(lines.next()?);
    let has_venv = lines.next()? == "1";
    let mut numbers = full.split('.').map_while(|n| n.parse().ok());
    let version = Version(numbers.next()?, numbers.next()?);
    (version.0 == 3).then(|| Interpreter {
        version,
        full,
        exe: exe.to_owned(),
        prefix,
        has_venv,
    })
}

/// Why there is no interpreter to run the target with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChoiceError {
    NoneAtAll,
    NoneAllowed {
        constraint: String,
        found: Vec<String>,
    },
    NoVenv {
        version: Version,
    },
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneAtAll => {
                f.write_str("no Python 3 was found; install it, on Debian with `apt install python3 python3-venv`")
            }
            Self::NoneAllowed { constraint, found } => write!(
                f,
                "the application needs Python {constraint}, this machine has {}; install one, for example with \
                 `pyenv install`",
                found.join(", ")
            ),
            Self::NoVenv { version } => write!(
                f,
                "Python {version} cannot make virtual environments; on Debian run `apt install python{version}-venv`"
            ),
        }
    }
}

impl std::error::Error for ChoiceError {}

/// Interpreters that a recipe's constraint allows, best first: the default, then older to newer.
pub fn choose(
    all: &[Interpreter],
    constraint: Option<&str>,
) -> Result<Vec<Interpreter>, ChoiceError> {
    if all.is_empty() {
        return Err(ChoiceError::NoneAtAll);
    }
    let allowed: Vec<Interpreter> = all
        .iter()
        .filter(|i| constraint.is_none_or(|c| allows(c, i.version)))
        .cloned()
        .collect();
    if allowed.is_empty() {
        return Err(ChoiceError::NoneAllowed {
            constraint: constraint.unwrap_or_default().to_owned(),
            found: all.iter().map(|i| i.version.to_string()).collect(),
        });
    }
    let usable: Vec<Interpreter> = allowed.iter().filter(|i| i.has_venv).cloned().collect();
    if usable.is_empty() {
        return Err(ChoiceError::NoVenv {
            version: allowed[0].version,
        });
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(minor: u32, venv: bool) -> Interpreter {
        Interpreter {
            version: Version(3, minor),
            full: format!("3.{minor}.1"),
            exe: PathBuf::from("/x"),
            prefix: PathBuf::from("/usr"),
            has_venv: venv,
        }
    }

    #[test]
    fn constraints_are_read_as_packaging_reads_them() {
        for (constraint, yes, no) in [
            (">=3.8,<3.12", 11, 12),
            ("3.12", 12, 11),
            ("==3.11.*", 11, 12),
            ("~=3.9", 12, 8),
            (">=3.12", 13, 11),
            ("!=3.10", 11, 10),
            ("3.11.4", 11, 12),
        ] {
            assert!(allows(constraint, Version(3, yes)), "{constraint} {yes}");
            assert!(!allows(constraint, Version(3, no)), "{constraint} {no}");
        }
    }

    #[test]
    fn a_missing_interpreter_or_venv_says_what_to_install() {
        let all = [interpreter(11, false), interpreter(8, true)];
        let missing = choose(&all, Some(">=3.12")).expect_err("none").to_string();
        assert!(
            missing.contains("3.11, 3.8") && missing.contains("install"),
            "{missing}"
        );
        let venv = choose(&all, Some("3.11")).expect_err("no venv").to_string();
        assert!(venv.contains("python3.11-venv"), "{venv}");
        assert_eq!(choose(&[], None), Err(ChoiceError::NoneAtAll));
    }
}
