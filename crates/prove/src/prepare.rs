//! A recipe and a source tree become a snapshot that starts without network.
//!
//! Everything that runs code of the target or of its dependencies runs in the sandbox. The snapshot is a
//! copy of the tree (so that attacks never touch the original, and seeds are run once) and a virtual
//! environment; both are kept below the cache folder under a digest of what they were made from.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use solvent_base::Digest;
use solvent_sandbox::{
    Access, CANARY_DIR, Layer, Limits, Network, RunState, Sandbox, SandboxError, Sensors, Spec,
};

use crate::campaign::{OnProgress, Progress};
use crate::interpreter::{self, ChoiceError, Interpreter};
use crate::mask::mask;
use crate::pip;
use crate::recipe::{Recipe, Start};
use crate::tree;

/// Where the snapshot lies inside the sandbox.
pub const APP: &str = "/app";
pub(crate) const VENV: &str = "/opt/solvent/venv";
pub(crate) const TOOLS: &str = "/opt/solvent/tools";
pub(crate) const SENSORS: &str = "/opt/solvent/tools/sensors";
pub(crate) const WHEELHOUSE: &str = "/opt/solvent/wheelhouse";

/// Part of every cache key: a change of how preparation works makes older snapshots unused.
const GENERATION: &str = "3";

/// Folders of the host that a running target is built from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// Copy of the source tree, seeded.
    pub app: PathBuf,
    pub venv: PathBuf,
    pub tools: PathBuf,
}

/// A target that can be started, any number of times, each time from the same snapshot.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub recipe: Recipe,
    pub interpreter: Interpreter,
    pub places: Places,
    /// Of the source tree.
    pub target_digest: Digest,
    pub recipe_digest: Digest,
    pub elapsed: Duration,
    /// Every deviation from how the application runs on its own, in words.
    pub limits: Vec<String>,
}

#[derive(Debug)]
pub enum PrepareError {
    /// The source tree could not be copied, or the cache not be written.
    Files {
        what: String,
        message: String,
    },
    Interpreter(ChoiceError),
    Sandbox(SandboxError),
    /// pip could not get or build the dependencies; the end of what it said.
    Dependencies {
        message: String,
        output: String,
    },
    /// A setup command failed.
    Setup {
        command: String,
        output: String,
    },
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { what, message } => write!(f, "could not {what}: {message}"),
            Self::Interpreter(error) => error.fmt(f),
            Self::Sandbox(error) => write!(f, "{error}; {}", error.next_step()),
            Self::Dependencies { message, .. } => f.write_str(message),
            Self::Setup { command, output } => write!(
                f,
                "the setup command `{command}` failed: {}; correct `setup` in `[target.prepare]`",
                last_line(output)
            ),
        }
    }
}

impl std::error::Error for PrepareError {}

impl From<SandboxError> for PrepareError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

pub(crate) fn files(what: &str, error: &std::io::Error) -> PrepareError {
    PrepareError::Files {
        what: what.to_owned(),
        message: error.to_string(),
    }
}

/// Copies, resolves, installs and seeds. Everything already in `cache_dir` under the same digest is used
/// again; `cache_dir` is created, private to its owner.
pub fn prepare(
    recipe: &Recipe,
    app_dir: &Path,
    cache_dir: &Path,
    sandbox: &dyn Sandbox,
    progress: OnProgress<'_>,
) -> Result<Prepared, PrepareError> {
    let began = Instant::now();
    fs::create_dir_all(cache_dir).map_err(|e| files("create the cache folder", &e))?;
    fs::set_permissions(cache_dir, fs::Permissions::from_mode(0o700))
        .map_err(|e| files("make the cache folder private", &e))?;
    let cache = fs::canonicalize(cache_dir).map_err(|e| files("find the cache folder", &e))?;
    tree::sweep(&cache);
    let tools = install_tools(&cache)?;
    progress(Progress::Stage("copying the source tree".to_owned()));
    let listing = tree::list(app_dir, &cache).map_err(|e| files("read the source tree", &e))?;
    let target_digest = listing.digest;
    let recipe_digest = recipe.digest();
    let mut limits = recipe.guesses.clone();
    limits.extend(listing.left_out.iter().cloned());
    let all = interpreter::find();
    let constraint = recipe.python.as_deref();
    let candidates = interpreter::choose(&all, constraint).map_err(PrepareError::Interpreter)?;
    let app_key = Digest::of_parts([
        GENERATION.as_bytes(),
        target_digest.as_bytes(),
        recipe_digest.as_bytes(),
        format!("{candidates:?}").as_bytes(),
    ]);
    let app = cache.join(format!("app-{}", app_key.short(24)));
    let note = cache.join(format!("app-{}.interpreter", app_key.short(24)));
    let known = fs::read_to_string(&note)
        .ok()
        .filter(|_| app.is_dir())
        .and_then(|full| candidates.iter().find(|c| c.full == full.trim()).cloned());
    let (interpreter, fresh) = match known {
        Some(interpreter) => (interpreter, None),
        None => {
            let staging = tree::Staging::new(&cache, "app")?;
            tree::copy(app_dir, &listing, staging.path())
                .map_err(|e| files("copy the source tree", &e))?;
            progress(Progress::Stage("choosing an interpreter".to_owned()));
            let chosen = probe_interpreters(
                &candidates,
                staging.path(),
                &tools,
                sandbox,
                constraint.is_some(),
            )?;
            (chosen, Some(staging))
        }
    };
    if interpreter.version != all[0].version && constraint.is_none() {
        limits.push(format!(
            "Python {} is used, since not every file compiles with {}",
            interpreter.version, all[0].version
        ));
    }
    let source = fresh
        .as_ref()
        .map_or(app.as_path(), |staging| staging.path());
    let venv = ensure_venv(
        recipe,
        &interpreter,
        source,
        &cache,
        target_digest,
        sandbox,
        progress,
    )?;
    limits.extend(venv.limits);
    let places = Places {
        app: app.clone(),
        venv: venv.path,
        tools,
    };
    if let Some(staging) = fresh {
        let mut at = places.clone();
        at.app = staging.path().to_owned();
        for command in &recipe.setup {
            progress(Progress::Stage(format!("running `{}`", command.join(" "))));
            run_setup(recipe, command, &at, &interpreter, sandbox)?;
        }
        tree::open_up(staging.path());
        staging.keep(&app)?;
        fs::write(&note, &interpreter.full).map_err(|e| files("write the cache", &e))?;
    }
    match recipe.start {
        Start::Command(_) => {}
        _ => limits.push(
            "started by a launcher: threaded, without debug mode, reloader and TLS, on a port of its own"
                .to_owned(),
        ),
    }
    Ok(Prepared {
        recipe: recipe.clone(),
        interpreter,
        places,
        target_digest,
        recipe_digest,
        elapsed: began.elapsed(),
        limits,
    })
}

/// Our Python files, written once per content.
fn install_tools(cache: &Path) -> Result<PathBuf, PrepareError> {
    const FILES: [(&str, &str); 3] = [
        ("launcher.py", include_str!("../tools/launcher.py")),
        ("compile.py", include_str!("../tools/compile.py")),
        (
            "sensors/sitecustomize.py",
            include_str!("../tools/sensors/sitecustomize.py"),
        ),
    ];
    let parts = FILES.iter().flat_map(|(n, t)| [n.as_bytes(), t.as_bytes()]);
    let key = Digest::of_parts(parts.chain([GENERATION.as_bytes()]));
    let place = cache.join(format!("tools-{}", key.short(16)));
    if place.is_dir() {
        return Ok(place);
    }
    let staging = tree::Staging::new(cache, "tools")?;
    for (name, text) in FILES {
        let path = staging.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| files("write the cache", &e))?;
        }
        fs::write(&path, text).map_err(|e| files("write the cache", &e))?;
    }
    // An empty folder over which every target gets its own place for planted files.
    fs::create_dir(staging.path().join("planted")).map_err(|e| files("write the cache", &e))?;
    tree::open_up(staging.path());
    staging.keep(&place)?;
    Ok(place)
}

/// The first candidate that compiles every file, or the one that compiles most.
fn probe_interpreters(
    candidates: &[Interpreter],
    app: &Path,
    tools: &Path,
    sandbox: &dyn Sandbox,
    constrained: bool,
) -> Result<Interpreter, PrepareError> {
    // A repository that names its version is believed, but byte code is still made.
    let mut order: Vec<&Interpreter> = candidates.iter().collect();
    let first = order.remove(0);
    order.sort_by_key(|c| (c.version < first.version, c.version));
    let mut best: Option<(u64, &Interpreter)> = None;
    for candidate in std::iter::once(first).chain(order) {
        let failed = compile_failures(candidate, app, tools, sandbox)?;
        if failed == 0 || constrained && best.is_none() {
            return Ok(candidate.clone());
        }
        if best.is_none_or(|(least, _)| failed < least) {
            best = Some((failed, candidate));
        }
    }
    Ok(best.map_or_else(|| first.clone(), |(_, candidate)| candidate.clone()))
}

fn compile_failures(
    interpreter: &Interpreter,
    app: &Path,
    tools: &Path,
    sandbox: &dyn Sandbox,
) -> Result<u64, PrepareError> {
    let mut layers = vec![
        layer(app, APP, Access::ReadWrite),
        layer(tools, TOOLS, Access::ReadOnly),
    ];
    layers.extend(interpreter_layer(interpreter));
    let argv = vec![
        interpreter.exe.clone().into_os_string(),
        "-I".into(),
        format!("{TOOLS}/compile.py").into(),
        APP.into(),
    ];
    let spec = Spec {
        layers,
        workdir: PathBuf::from(APP),
        argv,
        env: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("SOLVENT_UNCHECKED".into(), "1".into()),
        ],
        limits: Limits {
            wall: Duration::from_secs(300),
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let run = run_to_end(sandbox, &spec)?;
    let failed = run.output.lines().rev().find_map(|line| {
        line.strip_prefix("solvent-compile ")?
            .split(' ')
            .next()?
            .parse()
            .ok()
    });
    Ok(failed.unwrap_or(u64::MAX))
}

pub(crate) struct Ended {
    pub ok: bool,
    pub output: String,
}

/// Runs a program to its end; the sandbox's own wall limit bounds the wait.
pub(crate) fn run_to_end(sandbox: &dyn Sandbox, spec: &Spec) -> Result<Ended, PrepareError> {
    let mut instance = sandbox.start(spec)?;
    let deadline = Instant::now() + spec.limits.wall + Duration::from_secs(5);
    let mut pause = Duration::from_millis(2);
    let state = loop {
        let state = instance.state();
        if state != RunState::Running || Instant::now() > deadline {
            break state;
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(50));
    };
    let mut output = String::from_utf8_lossy(&instance.output()).into_owned();
    if let RunState::Killed { reason } = state {
        output.push_str(&format!("\nkilled: {reason:?} limit"));
    }
    let refused: Vec<String> = instance
        .net_events()
        .into_iter()
        .filter_map(|event| match event {
            solvent_sandbox::NetEvent::FetchRefused { target, why } => {
                Some(format!("{target} ({why})"))
            }
            _ => None,
        })
        .collect();
    if !refused.is_empty() {
        output.push_str(&format!(
            "\nrefused by the fetch proxy: {}",
            refused.join(", ")
        ));
    }
    instance.stop()?;
    Ok(Ended {
        ok: state
            == RunState::Exited {
                code: Some(0),
                signal: None,
            },
        output,
    })
}

pub(crate) fn layer(host: &Path, inside: &str, access: Access) -> Layer {
    Layer {
        host: host.to_owned(),
        inside: PathBuf::from(inside),
        access,
    }
}

/// An interpreter outside the system folders, shown where it lies on the host.
pub(crate) fn interpreter_layer(interpreter: &Interpreter) -> Option<Layer> {
    let system = ["/usr", "/bin", "/lib"]
        .iter()
        .any(|folder| interpreter.prefix.starts_with(folder));
    (!system).then(|| Layer {
        host: interpreter.prefix.clone(),
        inside: interpreter.prefix.clone(),
        access: Access::ReadOnly,
    })
}

/// Environment of every program of the target: nothing inherited.
pub(crate) fn environment(recipe: &Recipe) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = vec![
        (
            "PATH".into(),
            format!("{VENV}/bin:/usr/local/bin:/usr/bin:/bin:{CANARY_DIR}").into(),
        ),
        ("HOME".into(), "/tmp".into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("LC_ALL".into(), "C.UTF-8".into()),
        ("TZ".into(), "UTC".into()),
        ("VIRTUAL_ENV".into(), VENV.into()),
        ("PYTHONUNBUFFERED".into(), "1".into()),
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ];
    for (name, value) in &recipe.env {
        env.retain(|(known, _)| known != name.as_str());
        env.push((name.into(), value.into()));
    }
    env
}

/// Folder that the target runs in.
pub(crate) fn workdir(recipe: &Recipe) -> PathBuf {
    if recipe.root == "." {
        PathBuf::from(APP)
    } else {
        Path::new(APP).join(&recipe.root)
    }
}

/// `python` and `python3` of a recipe's command stand for the prepared interpreter, by `PATH`.
fn run_setup(
    recipe: &Recipe,
    command: &[String],
    places: &Places,
    interpreter: &Interpreter,
    sandbox: &dyn Sandbox,
) -> Result<(), PrepareError> {
    let mut layers = vec![
        layer(&places.app, APP, Access::ReadWrite),
        layer(&places.venv, VENV, Access::ReadOnly),
        layer(&places.tools, TOOLS, Access::ReadOnly),
    ];
    layers.extend(interpreter_layer(interpreter));
    let spec = Spec {
        layers,
        workdir: workdir(recipe),
        argv: command.iter().map(OsString::from).collect(),
        env: environment(recipe),
        limits: Limits {
            wall: Duration::from_secs(300),
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let ended = run_to_end(sandbox, &spec)?;
    if ended.ok {
        Ok(())
    } else {
        Err(PrepareError::Setup {
            command: command.join(" "),
            output: ended.output,
        })
    }
}

struct Venv {
    path: PathBuf,
    limits: Vec<String>,
}

fn ensure_venv(
    recipe: &Recipe,
    interpreter: &Interpreter,
    app: &Path,
    cache: &Path,
    target_digest: Digest,
    sandbox: &dyn Sandbox,
    progress: OnProgress<'_>,
) -> Result<Venv, PrepareError> {
    let mut parts: Vec<Vec<u8>> = vec![
        GENERATION.into(),
        interpreter.full.clone().into(),
        interpreter.exe.to_string_lossy().into_owned().into(),
        recipe.as_of.clone().unwrap_or_default().into(),
    ];
    for name in &recipe.requirements {
        let text = fs::read(app.join(name)).map_err(|e| PrepareError::Files {
            what: format!("read `{name}`"),
            message: e.to_string(),
        })?;
        parts.push(name.clone().into());
        parts.push(text);
    }
    parts.extend(recipe.dependencies.iter().map(|d| d.clone().into()));
    if !recipe.packages.is_empty() {
        parts.push(target_digest.as_bytes().to_vec());
    }
    let key = Digest::of_parts(parts.iter().map(Vec::as_slice));
    let path = cache.join(format!("venv-{}", key.short(24)));
    let notes = cache.join(format!("venv-{}.limits", key.short(24)));
    if path.is_dir() {
        let limits = fs::read_to_string(&notes).unwrap_or_default();
        return Ok(Venv {
            path,
            limits: limits.lines().map(str::to_owned).collect(),
        });
    }
    progress(Progress::Stage("installing dependencies".to_owned()));
    let staging = tree::Staging::new(cache, "venv")?;
    tree::open_up(staging.path());
    let wheelhouse = tree::Staging::new(cache, "wheels")?;
    tree::open_up(wheelhouse.path());
    let place = pip::Place {
        interpreter,
        app,
        venv: staging.path(),
        wheelhouse: wheelhouse.path(),
        inside_venv: VENV,
        inside_wheelhouse: WHEELHOUSE,
        sandbox,
    };
    let limits = pip::install(&place, recipe, progress)?;
    fs::write(&notes, limits.join("\n")).map_err(|e| files("write the cache", &e))?;
    staging.keep(&path)?;
    Ok(Venv { path, limits })
}

/// The last line with words, masked and shortened.
pub(crate) fn last_line(output: &str) -> String {
    last_line_without(output, &[])
}

/// The same, without these values.
pub(crate) fn last_line_without(output: &str, secrets: &[String]) -> String {
    let line = output
        .lines()
        .rev()
        .map(str::trim)
        .find(|l| !l.is_empty())
        .unwrap_or("no output");
    // Masked first: half a secret would not look like one.
    mask(line, secrets).chars().take(300).collect()
}
