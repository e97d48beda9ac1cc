//! What was tried, why it failed, and what to do next.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a sandbox could not do what it was asked. [`SandboxError::next_step`] says what would help.
#[derive(Debug)]
pub enum SandboxError {
    /// The kernel, or its configuration, refuses unprivileged user namespaces.
    NoUserNamespaces {
        source: io::Error,
        sysctl: Option<&'static str>,
    },
    /// One step of building the sandbox failed; nothing runs.
    Step { step: String, source: io::Error },
    /// The specification contradicts itself or breaks a documented rule.
    Spec { what: String },
    /// A layer's host path could not be opened.
    Layer { host: PathBuf, source: io::Error },
    /// The program could not be executed inside.
    Program { program: String, source: io::Error },
    /// The launcher could not be started or answered nonsense.
    Launcher { exe: PathBuf, source: io::Error },
    /// Nothing listens there inside.
    Refused { to: SocketAddr },
    /// Nobody answered in time.
    TimedOut { to: SocketAddr },
    /// A socket inside could not be connected for another reason.
    Connect { to: SocketAddr, source: io::Error },
    /// A file inside could not be planted, read or removed.
    File { inside: PathBuf, source: io::Error },
    /// The sandbox ended, so it cannot be asked any more.
    Gone { asked: &'static str },
}

impl SandboxError {
    /// What would make the same attempt succeed.
    pub fn next_step(&self) -> String {
        match self {
            // A count of zero holds for root too; the other switches do not.
            Self::NoUserNamespaces { sysctl: Some(sysctl), .. } if sysctl.starts_with("user.") => {
                format!("run `sudo sysctl -w {sysctl}`")
            }
            Self::NoUserNamespaces { sysctl: Some(sysctl), .. } => {
                format!("run `sudo sysctl -w {sysctl}`, or run as root")
            }
            Self::NoUserNamespaces { sysctl: None, .. } => {
                "run on a Linux kernel 5.12 or later that has user namespaces; in a container, one that allows them (docker: --privileged)"
                    .to_owned()
            }
            Self::Step { step, source } => step_hint(step, source),
            Self::Spec { .. } => "correct the recipe".to_owned(),
            Self::Layer { host, source } if source.kind() == io::ErrorKind::NotFound => {
                format!("create `{}` or correct the recipe", host.display())
            }
            Self::Layer { host, .. } => format!("make `{}` readable for the user who runs this", host.display()),
            Self::Program { program, source } if source.kind() == io::ErrorKind::NotFound => {
                format!("check that `{program}` and its interpreter exist in a system folder or a layer")
            }
            Self::Program { program, .. } => format!("check that `{program}` is executable for every user"),
            Self::Launcher { exe, .. } => format!("check that `{}` still exists and may be executed", exe.display()),
            Self::Refused { to } => format!("check that the target listens on port {}", to.port()),
            Self::TimedOut { .. } => "raise the time limit, or look at the target's output".to_owned(),
            Self::Connect { .. } => "look at the target's output".to_owned(),
            Self::File { inside, .. } => {
                format!("use a path below the working directory or `/tmp` instead of `{}`", inside.display())
            }
            Self::Gone { .. } => "look at the target's state, then start it again".to_owned(),
        }
    }
}

fn step_hint(step: &str, source: &io::Error) -> String {
    if source.raw_os_error() == Some(libc::ENOSPC) {
        return "raise the limit on user namespaces or mounts (`sysctl user.max_user_namespaces user.max_mnt_namespaces`), or free memory"
            .to_owned();
    }
    if step.contains("proc") {
        return "run outside a container, or in one that does not mask `/proc` (docker: --security-opt systempaths=unconfined)"
            .to_owned();
    }
    if step.contains("overlay") {
        return "use a kernel 5.11 or later with overlayfs".to_owned();
    }
    "run `solvent doctor` to see what this machine offers".to_owned()
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUserNamespaces { source, .. } => {
                write!(f, "this machine refuses user namespaces: {source}")
            }
            Self::Step { step, source } => {
                write!(f, "could not build the sandbox: {step}: {source}")
            }
            Self::Spec { what } => {
                write!(f, "the sandbox was asked for something impossible: {what}")
            }
            Self::Layer { host, source } => {
                write!(
                    f,
                    "could not show `{}` inside the sandbox: {source}",
                    host.display()
                )
            }
            Self::Program { program, source } => {
                write!(
                    f,
                    "could not execute `{program}` inside the sandbox: {source}"
                )
            }
            Self::Launcher { exe, source } => {
                write!(
                    f,
                    "could not launch the sandbox through `{}`: {source}",
                    exe.display()
                )
            }
            Self::Refused { to } => write!(f, "nothing listens on {to} inside the sandbox"),
            Self::TimedOut { to } => write!(f, "no answer from {to} inside the sandbox in time"),
            Self::Connect { to, source } => {
                write!(f, "could not connect to {to} inside the sandbox: {source}")
            }
            Self::File { inside, source } => {
                write!(
                    f,
                    "could not reach `{}` inside the sandbox: {source}",
                    inside.display()
                )
            }
            Self::Gone { asked } => {
                write!(f, "the sandbox ended before it could be asked for {asked}")
            }
        }
    }
}

impl std::error::Error for SandboxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoUserNamespaces { source, .. }
            | Self::Step { source, .. }
            | Self::Layer { source, .. }
            | Self::Program { source, .. }
            | Self::Launcher { source, .. }
            | Self::Connect { source, .. }
            | Self::File { source, .. } => Some(source),
            Self::Spec { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Gone { .. } => None,
        }
    }
}
