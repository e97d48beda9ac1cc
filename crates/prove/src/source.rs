//! The source of a released package, fetched in the sandbox: what a package's build runs is never run outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use solvent_sandbox::{Access, Limits, Network, Sandbox, Sensors, Spec};

use crate::campaign::OnProgress;
use crate::interpreter;
use crate::pip;
use crate::prepare::{
    APP, PrepareError, VENV, WHEELHOUSE, files, interpreter_layer, last_line, layer, run_to_end,
};
use crate::tree;

/// Unpacks the only archive of the first folder into the second: regular files below the archive's one folder,
/// by names that stay inside. Needs nothing but the standard library.
const UNPACK: &str = include_str!("../tools/unpack.py");

/// Writes the files of a package's source distribution (`flaskcode`, `0.0.8`) into the empty folder `into`.
/// The index is the one that pip is configured with.
pub fn fetch_source(
    name: &str,
    version: &str,
    into: &Path,
    cache_dir: &Path,
    sandbox: &dyn Sandbox,
    progress: OnProgress<'_>,
) -> Result<(), PrepareError> {
    fs::create_dir_all(cache_dir).map_err(|e| files("create the cache folder", &e))?;
    let cache = fs::canonicalize(cache_dir).map_err(|e| files("find the cache folder", &e))?;
    tree::sweep(&cache);
    let all = interpreter::find();
    let chosen = interpreter::choose(&all, None).map_err(PrepareError::Interpreter)?;
    let interpreter = &chosen[0];
    let folder = |kind: &str| {
        let staging = tree::Staging::new(&cache, kind)?;
        tree::open_up(staging.path());
        Ok::<_, PrepareError>(staging)
    };
    let (app, venv, wheelhouse) = (folder("empty")?, folder("venv")?, folder("sdist")?);
    let place = pip::Place {
        interpreter,
        app: app.path(),
        venv: venv.path(),
        wheelhouse: wheelhouse.path(),
        inside_venv: VENV,
        inside_wheelhouse: WHEELHOUSE,
        sandbox,
    };
    pip::download_source(&place, &format!("{name}=={version}"), progress)?;
    // The package's own code is over; nothing that it left can move what is written now.
    let out = folder("source")?;
    let mut layers = vec![
        layer(wheelhouse.path(), WHEELHOUSE, Access::ReadOnly),
        layer(out.path(), APP, Access::ReadWrite),
    ];
    layers.extend(interpreter_layer(interpreter));
    let spec = Spec {
        layers,
        workdir: PathBuf::from(APP),
        argv: vec![
            interpreter.exe.clone().into_os_string(),
            "-I".into(),
            "-c".into(),
            UNPACK.into(),
            WHEELHOUSE.into(),
            APP.into(),
        ],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        limits: Limits {
            wall: Duration::from_secs(120),
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let unpacked = run_to_end(sandbox, &spec)?;
    if !unpacked.ok {
        return Err(PrepareError::Dependencies {
            message: format!(
                "the source of {name} {version} could not be unpacked: {}",
                last_line(&unpacked.output)
            ),
            output: unpacked.output,
        });
    }
    let listing =
        tree::list(out.path(), &cache).map_err(|e| files("read the package's source", &e))?;
    tree::copy(out.path(), &listing, into).map_err(|e| files("copy the package's source", &e))
}
