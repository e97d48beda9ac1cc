//! From a caller's specification to the order that the launcher carries out, and from its failures back.

use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cgroup;
use crate::error::SandboxError;
use crate::spec::{Access, Network, Sensors, Spec};
use crate::sys::process;
use crate::wire::{Failure, FailureKind, Order, OrderAccess, OrderLayer};

/// Checks a specification and writes the order.
pub fn order(spec: &Spec) -> Result<Order, SandboxError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let wrong = |what: String| Err(SandboxError::Spec { what });
    if spec.argv.is_empty() {
        return wrong("no program to run".to_owned());
    }
    let plain = |path: &Path| {
        path.is_absolute()
            && path
                .components()
                .all(|part| !matches!(part, Component::ParentDir | Component::Prefix(_)))
    };
    for path in spec
        .layers
        .iter()
        .map(|layer| &layer.inside)
        .chain([&spec.workdir])
    {
        if !plain(path) {
            return wrong(format!(
                "`{}` is not an absolute path without `..`",
                path.display()
            ));
        }
    }
    let strings = spec
        .argv
        .iter()
        .chain(spec.env.iter().flat_map(|(name, value)| [name, value]));
    if strings.clone().any(|text| text.as_bytes().contains(&0)) {
        return wrong("an argument or variable holds a zero byte".to_owned());
    }
    if let Some((name, _)) = spec
        .env
        .iter()
        .find(|(name, _)| name.is_empty() || name.as_bytes().contains(&b'='))
    {
        return wrong(format!(
            "`{}` is no name of a variable",
            name.to_string_lossy()
        ));
    }
    let limits = &spec.limits;
    if limits.disk_bytes < 1 << 20
        || limits.memory_bytes < 1 << 20
        || limits.processes == 0
        || limits.cpu_seconds == 0
    {
        return wrong("a limit is too small to run anything (1 MiB of disk and memory, one process, one second)".to_owned());
    }
    let pid = process::pid();
    let start = cgroup::start_of(pid).unwrap_or(0);
    let mut layers = Vec::new();
    for layer in &spec.layers {
        // The launcher works in `/`; relative host paths are meant from here.
        let host = std::path::absolute(&layer.host).map_err(|source| SandboxError::Layer {
            host: layer.host.clone(),
            source,
        })?;
        layers.push(OrderLayer {
            host: host.into_os_string().into_vec(),
            inside: layer.inside.as_os_str().as_bytes().to_vec(),
            access: match layer.access {
                Access::ReadOnly => OrderAccess::ReadOnly,
                Access::Overlay => OrderAccess::Overlay,
                Access::ReadWrite => OrderAccess::ReadWrite,
            },
        });
    }
    Ok(Order {
        supervisor: pid,
        name: format!(
            "solvent-{pid}-{start}-{}",
            COUNT.fetch_add(1, Ordering::Relaxed)
        ),
        layers,
        workdir: spec.workdir.as_os_str().as_bytes().to_vec(),
        argv: spec
            .argv
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        env: spec
            .env
            .iter()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .collect(),
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        cpu_seconds: limits.cpu_seconds,
        disk_bytes: limits.disk_bytes,
        open_files: limits.open_files,
        output_bytes: limits.output_bytes,
        wall_ms: limits.wall.as_millis().try_into().unwrap_or(u64::MAX),
        isolated: matches!(spec.network, Network::Isolated),
        observe_exec: spec.sensors == Sensors::Exec,
    })
}

/// A failure of the launcher or the inside, in the caller's words.
pub fn explain(failure: Failure) -> SandboxError {
    let source = io::Error::from_raw_os_error(failure.errno);
    // Ubuntu lets the namespace be made and then denies every power in it, so the first step that needs one
    // fails; the switch tells this from other refusals.
    let denied = matches!(failure.errno, libc::EPERM | libc::EACCES);
    let restricted = denied && process::uid() != 0 && refusing_sysctl().is_some();
    match failure.kind {
        FailureKind::Namespaces if matches!(failure.what.as_str(), "clone3" | "open_tree") => {
            SandboxError::NoUserNamespaces {
                source,
                sysctl: refusing_sysctl(),
            }
        }
        FailureKind::Namespaces | FailureKind::Step if restricted => {
            SandboxError::NoUserNamespaces {
                source,
                sysctl: refusing_sysctl(),
            }
        }
        FailureKind::Namespaces | FailureKind::Step => SandboxError::Step {
            step: failure.what,
            source,
        },
        FailureKind::Layer => SandboxError::Layer {
            host: failure.what.into(),
            source,
        },
        FailureKind::Program => SandboxError::Program {
            program: failure.what,
            source,
        },
        FailureKind::Spec => SandboxError::Spec { what: failure.what },
    }
}

/// The switch by which this machine refuses user namespaces, as `name=value` that would allow them.
fn refusing_sysctl() -> Option<&'static str> {
    let is = |path: &str, value: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return Some("kernel.unprivileged_userns_clone=1");
    }
    if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        return Some("kernel.apparmor_restrict_unprivileged_userns=0");
    }
    is("/proc/sys/user/max_user_namespaces", "0").then_some("user.max_user_namespaces=15000")
}
