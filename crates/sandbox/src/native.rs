//! The native back end, supervisor's side.

use std::path::PathBuf;

use crate::error::SandboxError;
use crate::instance::{Instance, Sandbox};
use crate::spec::Spec;

/// The program that is re-executed to build a sandbox. Its `main` must begin with [`reexec_hook`].
#[derive(Debug, Clone)]
pub struct Launcher {
    pub exe: PathBuf,
}

impl Launcher {
    /// The running program itself, also after its file was replaced.
    pub fn current() -> Self {
        Self {
            exe: PathBuf::from("/proc/self/exe"),
        }
    }
}

/// First line of `main` of every program that uses the sandbox: when started as a launcher it never
/// returns. It must run before any thread is started.
pub fn reexec_hook() {}

/// Sandboxes made of user, mount, PID, IPC, UTS, cgroup and network namespaces. Needs nothing on disk.
#[derive(Debug, Clone)]
pub struct NativeSandbox {
    launcher: Launcher,
}

impl NativeSandbox {
    pub fn new(launcher: Launcher) -> Self {
        Self { launcher }
    }
}

impl Sandbox for NativeSandbox {
    fn start(&self, _spec: &Spec) -> Result<Box<dyn Instance>, SandboxError> {
        Err(SandboxError::Launcher {
            exe: self.launcher.exe.clone(),
            source: std::io::ErrorKind::Unsupported.into(),
        })
    }
}
