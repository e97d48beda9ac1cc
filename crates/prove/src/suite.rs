//! The application's own tests, on the base and on the patch, in the sandbox and without network.
//!
//! The base's tests decide: its test files and their configuration are laid over the patched tree. The
//! patch's own tests are run beside them, so that what it takes out or switches off shows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use solvent_sandbox::{Access, Limits, Network, RunState, Sandbox, Sensors, Spec};

use crate::campaign::Options;
use crate::gauntlet::{Check, CheckName, CheckResult, Job};
use crate::junit::{self, Ended, Report};
use crate::prepare::{
    APP, Prepared, VENV, environment, interpreter_layer, last_line, layer, prepare,
};
use crate::recipe::Recipe;
use crate::tree::{self, Entry, Listing};

/// Where the report is written inside the sandbox.
const REPORT: &str = "/tmp/solvent-junit.xml";
/// Longest run of one suite.
const MAX_WALL: Duration = Duration::from_secs(600);
/// Requirement files that name what tests need, beside the application's own.
const REQUIREMENTS: [&str; 10] = [
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "tests/requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
];
/// Groups of `pyproject.toml` that name what tests need.
const GROUPS: [&str; 4] = ["test", "tests", "testing", "dev"];
/// Bytes of a `pyproject.toml` or requirement file that are read.
const MAX_CONFIG: u64 = 256 << 10;

/// What a file has to do with tests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Role {
    /// Holds tests, or what they read.
    Test,
    /// Decides which tests run, and how.
    Judge,
}

/// The role of a file by its path, relative to the tree; `None` for the application itself.
pub(crate) fn role(path: &Path) -> Option<Role> {
    let name = path.file_name()?.to_string_lossy();
    let in_tests = path.parent().is_some_and(|parent| {
        parent.components().any(|part| {
            matches!(
                part.as_os_str().to_str(),
                Some("tests" | "test" | "testing")
            )
        })
    });
    match &*name {
        "conftest.py" | "pytest.ini" | ".pytest.ini" | "tox.ini" | "setup.cfg" | "noxfile.py" => {
            Some(Role::Judge)
        }
        "pyproject.toml" if path.parent() == Some(Path::new("")) => Some(Role::Judge),
        "tests.py" => Some(Role::Test),
        name if in_tests
            || name.ends_with(".py")
                && (name.starts_with("test_") || name.ends_with("_test.py")) =>
        {
            Some(Role::Test)
        }
        _ => None,
    }
}

fn holds_tests(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    role(path) == Some(Role::Test)
        && name.ends_with(".py")
        && (name.starts_with("test") || name.ends_with("_test.py"))
}

pub(crate) fn check(job: &Job<'_>, sandbox: &dyn Sandbox, options: &Options) -> Vec<Check> {
    let began = Instant::now();
    let mut tests = Check::new(CheckName::Tests, CheckResult::Passed);
    let mut regression = Check::new(CheckName::RegressionTest, CheckResult::Passed);
    let wall = options.time.min(MAX_WALL);
    match Suites::make(job, sandbox) {
        Ok(suites) => {
            let mut known = Known::default();
            tests.result = suites.compare(sandbox, wall, &mut tests.detail, &mut known);
            tests.seconds = began.elapsed().as_secs_f64();
            let began = Instant::now();
            regression.result = suites.added(sandbox, wall, &mut regression.detail, &known);
            regression.seconds = began.elapsed().as_secs_f64();
        }
        Err(reason) => {
            tests.result = CheckResult::Unmeasured(reason.clone());
            regression.result = CheckResult::Unmeasured(reason);
        }
    }
    vec![tests, regression]
}

/// The trees that are tested. Each is a target of its own, made from the base's recipe and what tests need.
struct Suites {
    base: Prepared,
    /// The patched tree under the base's tests.
    patched: Prepared,
    /// The patched tree under its own, where those differ.
    own: Option<Prepared>,
    /// The base under the patch's tests, where those differ.
    turned: Option<Prepared>,
    /// Test files that the patch adds or changes.
    changed: Vec<String>,
    /// Of the base.
    any: bool,
    workdir: PathBuf,
}

/// Reports of whole runs, so that nothing is run twice.
#[derive(Default)]
struct Known {
    /// The base under its own tests.
    base: Report,
    /// The patched tree under its own.
    own: Report,
}

impl Suites {
    fn make(job: &Job<'_>, sandbox: &dyn Sandbox) -> Result<Self, String> {
        let list = |root: &Path| {
            tree::list(root, job.cache).map_err(|error| format!("a tree cannot be read: {error}"))
        };
        let (base, patched) = (list(job.base_tree)?, list(job.patched_tree)?);
        let any = base.files.keys().any(|path| holds_tests(path));
        let changed: Vec<String> = patched
            .files
            .iter()
            .filter(|(path, entry)| {
                matches!(entry, Entry::File { .. })
                    && holds_tests(path)
                    && !same(job.base_tree, job.patched_tree, path)
            })
            .map(|(path, _)| path.to_string_lossy().into_owned())
            .collect();
        if !any && changed.is_empty() {
            return Err("the application has no tests that run here".to_owned());
        }
        let differ = base
            .files
            .keys()
            .chain(patched.files.keys())
            .any(|path| role(path).is_some() && !same(job.base_tree, job.patched_tree, path));
        let below_root = base
            .files
            .keys()
            .chain(patched.files.keys())
            .filter(|path| holds_tests(path))
            .all(|path| path.starts_with(&job.base.recipe.root));
        let workdir = if job.base.recipe.root == "." || !below_root {
            PathBuf::from(APP)
        } else {
            Path::new(APP).join(&job.base.recipe.root)
        };
        let recipes = recipes(&job.base.recipe, job.base_tree);
        let mut last = String::new();
        for recipe in recipes {
            let make = |root: &Path| {
                prepare(&recipe, root, job.cache, sandbox, &mut |_| {})
                    .map_err(|error| format!("the tests cannot be prepared: {error}"))
            };
            let base_target = if recipe == job.base.recipe {
                Ok(job.base.clone())
            } else {
                make(job.base_tree)
            };
            let base_target = match base_target {
                Ok(target) => target,
                Err(reason) => {
                    last = reason;
                    continue;
                }
            };
            let laid = |program: (&Path, &Listing), judge: (&Path, &Listing)| {
                let folder = tempfile::Builder::new()
                    .prefix("solvent-suite-")
                    .tempdir()
                    .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
                lay(program, judge, folder.path())
                    .map_err(|error| format!("a tree cannot be copied: {error}"))?;
                make(folder.path())
            };
            let (own, turned, patched_target) = if differ {
                let own = make(job.patched_tree)?;
                let over = laid((job.patched_tree, &patched), (job.base_tree, &base))?;
                let turned = if changed.is_empty() {
                    None
                } else {
                    Some(laid((job.base_tree, &base), (job.patched_tree, &patched))?)
                };
                (Some(own), turned, over)
            } else if recipe == job.base.recipe {
                (None, None, job.patched.clone())
            } else {
                (None, None, make(job.patched_tree)?)
            };
            return Ok(Self {
                base: base_target,
                patched: patched_target,
                own,
                turned,
                changed,
                any,
                workdir,
            });
        }
        Err(last)
    }

    fn run(
        &self,
        target: &Prepared,
        files: &[String],
        sandbox: &dyn Sandbox,
        wall: Duration,
    ) -> Result<Report, String> {
        run(target, &self.workdir, files, sandbox, wall)
    }

    /// Every test that passed on the base must pass on the patch, and still be among the patch's own.
    fn compare(
        &self,
        sandbox: &dyn Sandbox,
        wall: Duration,
        detail: &mut Vec<String>,
        known: &mut Known,
    ) -> CheckResult {
        if !self.any {
            return CheckResult::Unmeasured(
                "the application has no tests that run here".to_owned(),
            );
        }
        let whole: [String; 0] = [];
        let (before, after, own) = std::thread::scope(|scope| {
            let before = scope.spawn(|| self.run(&self.base, &whole, sandbox, wall));
            let after = scope.spawn(|| self.run(&self.patched, &whole, sandbox, wall));
            let own = self
                .own
                .as_ref()
                .map(|own| self.run(own, &whole, sandbox, wall));
            let lost = |_| Err("the run stopped by a defect of its own".to_owned());
            (
                before.join().unwrap_or_else(lost),
                after.join().unwrap_or_else(lost),
                own,
            )
        });
        let before = match before {
            Ok(report) => report,
            Err(reason) => {
                return CheckResult::Unmeasured(format!(
                    "the application's tests do not run here: {reason}"
                ));
            }
        };
        known.base.clone_from(&before);
        let good: BTreeSet<&String> = before
            .iter()
            .filter(|(_, ended)| **ended == Ended::Passed)
            .map(|(name, _)| name)
            .collect();
        let bad: Vec<&String> = before
            .iter()
            .filter(|(_, ended)| matches!(ended, Ended::Failed | Ended::Error))
            .map(|(name, _)| name)
            .collect();
        detail.push(format!("{} tests pass on the base", good.len()));
        if !bad.is_empty() {
            let names: Vec<&str> = bad.iter().take(5).map(|n| n.as_str()).collect();
            detail.push(format!(
                "{} fail on the base already and are not counted: {}",
                bad.len(),
                names.join(", ")
            ));
        }
        if good.is_empty() {
            return CheckResult::Unmeasured("no test passes on the base here".to_owned());
        }
        let worse = |report: &Report| -> Vec<(String, &'static str)> {
            good.iter()
                .filter_map(|name| {
                    let how = match report.get(*name) {
                        Some(Ended::Passed) => return None,
                        Some(ended) => ended.words(),
                        None => "is gone",
                    };
                    Some(((*name).clone(), how))
                })
                .collect()
        };
        let mut after = match after {
            Ok(report) => report,
            Err(reason) => {
                return CheckResult::Failed(format!(
                    "the application's tests no longer run on the patch: {reason}"
                ));
            }
        };
        if !worse(&after).is_empty() {
            // One that passes at the second try was chance.
            if let Ok(again) = self.run(&self.patched, &whole, sandbox, wall) {
                for (name, ended) in again {
                    let known = after.entry(name).or_insert(ended);
                    *known = (*known).min(ended);
                }
            }
        }
        let mut all = worse(&after);
        match own {
            None => {}
            Some(Ok(report)) => {
                known.own.clone_from(&report);
                for (name, how) in worse(&report) {
                    if !all.iter().any(|(known, _)| *known == name) {
                        all.push((format!("{name}, of the patch's own tests,"), how));
                    }
                }
            }
            Some(Err(reason)) => {
                return CheckResult::Failed(format!(
                    "the patched tree's own tests no longer run: {reason}"
                ));
            }
        }
        let Some((name, how)) = all.first() else {
            return CheckResult::Passed;
        };
        for (name, how) in all.iter().take(10) {
            detail.push(format!("{name} {how}"));
        }
        let more = if all.len() > 1 {
            format!(", and {} more", all.len() - 1)
        } else {
            String::new()
        };
        CheckResult::Failed(format!(
            "a test that passed on the base {how}: {name}{more}"
        ))
    }

    /// Tests that only the patch has must pass on it; whether they fail on the base is told.
    fn added(
        &self,
        sandbox: &dyn Sandbox,
        wall: Duration,
        detail: &mut Vec<String>,
        known: &Known,
    ) -> CheckResult {
        let (Some(own), Some(turned), false) = (&self.own, &self.turned, self.changed.is_empty())
        else {
            return CheckResult::Unmeasured("the patch adds no test".to_owned());
        };
        let is_new = |name: &String| !known.base.contains_key(name);
        let (with, without) = std::thread::scope(|scope| {
            let without = scope.spawn(|| self.run(turned, &self.changed, sandbox, wall));
            // What the whole run leaves out, by its configuration, is asked for by name.
            let with = if known.own.keys().any(is_new) {
                Ok(known.own.clone())
            } else {
                self.run(own, &self.changed, sandbox, wall)
            };
            let lost = |_| Err("the run stopped by a defect of its own".to_owned());
            (with, without.join().unwrap_or_else(lost))
        });
        let with = match with {
            Ok(report) => report,
            Err(reason) => {
                return CheckResult::Failed(format!("the patch's new tests do not run: {reason}"));
            }
        };
        let new: BTreeMap<&String, Ended> = with
            .iter()
            .filter(|(name, _)| is_new(name))
            .map(|(name, ended)| (name, *ended))
            .collect();
        if new.is_empty() {
            return CheckResult::Unmeasured("the patch adds no test".to_owned());
        }
        if let Some((name, ended)) = new
            .iter()
            .find(|(_, ended)| matches!(ended, Ended::Failed | Ended::Error))
        {
            return CheckResult::Failed(format!(
                "a new test {} on the patch: {name}",
                ended.words()
            ));
        }
        let passing = new
            .values()
            .filter(|ended| **ended == Ended::Passed)
            .count();
        detail.push(format!("{passing} new tests pass on the patch"));
        if passing == 0 {
            return CheckResult::Unmeasured("every new test is skipped".to_owned());
        }
        let telling = without.map(|report| {
            new.keys()
                .filter(|name| {
                    matches!(
                        report.get(**name),
                        Some(Ended::Failed | Ended::Error) | None
                    )
                })
                .count()
        });
        detail.push(match telling {
            Ok(0) => {
                "none of them fails on the base: they would not notice the flaw's return".to_owned()
            }
            Ok(count) => format!("{count} of them fail on the base, as they should"),
            Err(reason) => format!("whether they fail on the base is not known: {reason}"),
        });
        CheckResult::Passed
    }
}

/// Whether a file is the same in both trees.
fn same(a: &Path, b: &Path, relative: &Path) -> bool {
    let read = |root: &Path| fs::read(root.join(relative)).ok();
    let links = |root: &Path| fs::read_link(root.join(relative)).ok();
    read(a) == read(b) && links(a) == links(b)
}

/// The program of one tree and the tests of another, in the empty folder `to`.
fn lay(program: (&Path, &Listing), judge: (&Path, &Listing), to: &Path) -> std::io::Result<()> {
    for ((root, listing), wanted) in [(program, None), (judge, Some(()))] {
        let part = Listing {
            files: listing
                .files
                .iter()
                .filter(|(path, entry)| {
                    matches!(entry, Entry::Folder) || role(path).map(|_| ()) == wanted
                })
                .map(|(path, entry)| (path.clone(), entry.clone()))
                .collect(),
            digest: listing.digest,
            left_out: Vec::new(),
        };
        tree::copy(root, &part, to)?;
    }
    Ok(())
}

/// Recipes to try, fullest first: with everything that the tree says tests need, then with pytest alone.
fn recipes(recipe: &Recipe, root: &Path) -> Vec<Recipe> {
    let read = |name: &str| -> String {
        let path = root.join(name);
        let small = fs::symlink_metadata(&path)
            .is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_CONFIG);
        if small {
            fs::read_to_string(path).unwrap_or_default()
        } else {
            String::new()
        }
    };
    let names_pytest = |text: &str| {
        text.lines().any(|line| {
            let name: String = line
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
                .collect();
            name.eq_ignore_ascii_case("pytest")
        })
    };
    let mut full = recipe.clone();
    for name in REQUIREMENTS {
        if !read(name).is_empty() && !full.requirements.iter().any(|known| known == name) {
            full.requirements.push(name.to_owned());
        }
    }
    full.dependencies.extend(groups(&read("pyproject.toml")));
    let has = |recipe: &Recipe| {
        recipe
            .requirements
            .iter()
            .any(|name| names_pytest(&read(name)))
            || recipe.dependencies.iter().any(|text| names_pytest(text))
    };
    let mut bare = recipe.clone();
    for recipe in [&mut full, &mut bare] {
        if !has(recipe) {
            recipe.dependencies.push("pytest".to_owned());
        }
    }
    if full == bare {
        vec![full]
    } else {
        vec![full, bare]
    }
}

/// Requirements of the groups for tests: optional dependencies and dependency groups (PEP 735).
fn groups(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let optional = table
        .get("project")
        .and_then(|project| project.get("optional-dependencies"));
    let mut out = Vec::new();
    for place in [optional, table.get("dependency-groups")]
        .into_iter()
        .flatten()
    {
        for group in GROUPS {
            let items = place.get(group).and_then(toml::Value::as_array);
            out.extend(
                items
                    .into_iter()
                    .flatten()
                    .filter_map(toml::Value::as_str)
                    .filter(|item| item.len() < 200 && !item.starts_with('-'))
                    .map(str::to_owned),
            );
        }
    }
    out.truncate(100);
    out
}

/// One run of pytest (which also runs `unittest`'s) in a throw-away copy of the target.
fn run(
    target: &Prepared,
    workdir: &Path,
    files: &[String],
    sandbox: &dyn Sandbox,
    wall: Duration,
) -> Result<Report, String> {
    // The application's own options may need what is not here; without them the same tests run.
    match run_with(target, workdir, files, &[], sandbox, wall) {
        Err(Gone::Usage(_)) => run_with(target, workdir, files, &["-o", "addopts="], sandbox, wall),
        other => other,
    }
    .map_err(|gone| match gone {
        Gone::Usage(words) | Gone::Other(words) => words,
    })
}

enum Gone {
    Usage(String),
    Other(String),
}

fn run_with(
    target: &Prepared,
    workdir: &Path,
    files: &[String],
    extra: &[&str],
    sandbox: &dyn Sandbox,
    wall: Duration,
) -> Result<Report, Gone> {
    let mut argv: Vec<OsString> = vec![format!("{VENV}/bin/python").into()];
    argv.extend(
        [
            "-m",
            "pytest",
            "-q",
            "--tb=no",
            "--continue-on-collection-errors",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-o",
            "junit_family=xunit1",
        ]
        .map(OsString::from),
    );
    argv.push(format!("--junitxml={REPORT}").into());
    argv.extend(extra.iter().map(OsString::from));
    argv.extend(
        files
            .iter()
            .map(|file| OsString::from(format!("{APP}/{file}"))),
    );
    let mut layers = vec![
        layer(&target.places.app, APP, Access::Overlay),
        layer(&target.places.venv, VENV, Access::ReadOnly),
    ];
    layers.extend(interpreter_layer(&target.interpreter));
    let mut env = environment(&target.recipe);
    env.push(("PYTHONHASHSEED".into(), "0".into()));
    let spec = Spec {
        layers,
        workdir: workdir.to_owned(),
        argv,
        env,
        limits: Limits {
            wall,
            cpu_seconds: wall.as_secs().max(1),
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let other = |error: solvent_sandbox::SandboxError| Gone::Other(error.to_string());
    let mut instance = sandbox.start(&spec).map_err(other)?;
    let deadline = Instant::now() + wall + Duration::from_secs(5);
    let mut pause = Duration::from_millis(5);
    let state = loop {
        let state = instance.state();
        if state != RunState::Running || Instant::now() > deadline {
            break state;
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(50));
    };
    let output = String::from_utf8_lossy(&instance.output()).into_owned();
    let report = instance.read_upper(Path::new(REPORT), junit::MAX_BYTES as u64);
    let _ = instance.stop();
    let code = match state {
        RunState::Exited {
            code: Some(code), ..
        } => code,
        RunState::Killed { reason } => {
            return Err(Gone::Other(format!(
                "the run was ended by its limit ({reason:?})"
            )));
        }
        RunState::Exited { .. } | RunState::Running => {
            return Err(Gone::Other(format!(
                "the run did not end: {}",
                last_line(&output)
            )));
        }
    };
    match code {
        0..=2 => {
            let bytes = report.map_err(other)?;
            junit::parse(&bytes).map_err(|error| Gone::Other(error.to_string()))
        }
        4 => Err(Gone::Usage(last_line(&output))),
        5 => Ok(Report::new()),
        _ => Err(Gone::Other(format!(
            "pytest ended with code {code}: {}",
            last_line(&output)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_what_decides_about_them_are_told_from_the_application() {
        for (path, wanted) in [
            ("tests/test_a.py", Some(Role::Test)),
            ("tests/data/a.csv", Some(Role::Test)),
            ("shop/test_views.py", Some(Role::Test)),
            ("shop/views_test.py", Some(Role::Test)),
            ("conftest.py", Some(Role::Judge)),
            ("tests/conftest.py", Some(Role::Judge)),
            ("pyproject.toml", Some(Role::Judge)),
            ("shop/views.py", None),
            ("shop/latest.py", None),
            ("contest.py", None),
        ] {
            assert_eq!(role(Path::new(path)), wanted, "{path}");
        }
    }

    #[test]
    fn what_tests_need_comes_from_groups_and_requirement_files() {
        let text = "[project.optional-dependencies]\ntest = [\"pytest>=8\", \"responses\"]\ndocs = [\"sphinx\"]\n\
                    [dependency-groups]\ndev = [\"coverage\", { include-group = \"test\" }]\n";
        assert_eq!(groups(text), ["pytest>=8", "responses", "coverage"]);
        assert!(groups("not toml [").is_empty());
    }
}
