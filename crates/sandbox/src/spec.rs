//! What to run, in which files, under which limits.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Folder inside every sandbox in which canary programs appear. Put it on the target's `PATH` so that a
/// payload may use a bare name. The target can run programs there by name, but cannot list or write it.
pub const CANARY_DIR: &str = "/slv";

/// File inside every sandbox to which language sensors append lines.
pub const SENSOR_PATH: &str = "/slv/sensor";

/// Environment variable by which a sensor learns [`SENSOR_PATH`].
pub const SENSOR_ENV: &str = "SOLVENT_SENSOR";

/// Where the fetch proxy listens inside a [`Network::Fetch`] sandbox: the value for `HTTPS_PROXY`.
pub const FETCH_PROXY_URL: &str = "http://127.0.0.1:3128";

/// One program, the files it sees, and its budget.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Host paths shown inside, beside the system folders that are always there.
    pub layers: Vec<Layer>,
    /// Absolute path inside; must exist there.
    pub workdir: PathBuf,
    /// Program and arguments; a program without a slash is looked for in `env`'s `PATH`.
    pub argv: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub limits: Limits,
    pub network: Network,
    pub sensors: Sensors,
}

/// One host path shown inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Folder (or, except for [`Access::Overlay`], file) on the host. May lie below folders that only
    /// root can enter, when the supervisor is root.
    pub host: PathBuf,
    /// Absolute path inside, without `..`; missing parents are made.
    pub inside: PathBuf,
    pub access: Access,
}

/// What the target may do with a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    /// Writes go to a throw-away upper and are listed by [`crate::Instance::writes`].
    Overlay,
    /// Writes reach the host. For the output folder of preparation only. What appears there is hostile: links
    /// may point anywhere, names may be anything. Use it as a layer of the next sandbox; do not walk it by
    /// path with rights of one's own.
    ReadWrite,
}

/// Budget of one sandbox. Every field is enforced with or without cgroups; the docs say how.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory of the whole tree, in bytes. Memory cgroup where writable; else data segment per process and
    /// a watch over the resident size of the tree. Files in the throw-away tmpfs count against
    /// `disk_bytes`, so a cgroup's own limit is `memory_bytes + disk_bytes`.
    pub memory_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u64,
    /// CPU time of the whole tree, in seconds.
    pub cpu_seconds: u64,
    /// Everything written to throw-away places together, in bytes; also the longest single file, and how much
    /// each output folder may grow (looked at ten times a second).
    pub disk_bytes: u64,
    /// File descriptors per process.
    pub open_files: u64,
    /// How much of the end of standard output and error is kept, in bytes.
    pub output_bytes: u64,
    /// Time from start after which every process is killed.
    pub wall: Duration,
}

impl Limits {
    /// A budget that an ordinary web application with its interpreter fits in.
    pub fn application() -> Self {
        Self {
            memory_bytes: 1 << 30,
            processes: 256,
            cpu_seconds: 600,
            disk_bytes: 512 << 20,
            open_files: 1024,
            output_bytes: 64 << 10,
            wall: Duration::from_secs(900),
        }
    }
}

/// What the target can reach.
#[derive(Debug, Clone)]
pub enum Network {
    /// Nothing outside. Every IPv4 and IPv6 address and every name is answered inside, and recorded.
    Isolated,
    /// Nothing but an HTTP proxy with an allow-list, for the preparation step.
    Fetch(FetchProxy),
}

/// The allow-list proxy of the preparation step. It runs in the supervisor and adds no credentials.
#[derive(Debug, Clone)]
pub struct FetchProxy {
    /// Only these are connected to; every other request is refused with 403 and recorded.
    pub allow: Vec<HostPort>,
    /// Bytes received from outside over the life of the sandbox, all connections together.
    pub max_bytes: u64,
    /// Longest life of one connection.
    pub max_time: Duration,
}

/// A host name (compared without regard to case) and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

/// What to observe beside effects. Observers never decide anything: they explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensors {
    /// Canary programs, sensor lines and network events only.
    Effects,
    /// Also every `execve` of the tree (seccomp user notification, about 2 us per exec).
    Exec,
}
