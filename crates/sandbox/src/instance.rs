//! What can be asked of a running target.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use solvent_base::Digest;

use crate::error::SandboxError;
use crate::spec::Spec;

/// A back end that runs a [`Spec`].
pub trait Sandbox: Send + Sync {
    /// Returns once the program was executed (not once it listens). Fails closed: on any failed step
    /// nothing runs and nothing is left behind.
    fn start(&self, spec: &Spec) -> Result<Box<dyn Instance>, SandboxError>;
}

/// One running target. Dropping it stops it.
///
/// Everything drained or read here was influenced by hostile code: it is size-capped, but not to be trusted
/// beyond what each method promises.
pub trait Instance: Send {
    /// A stream to `127.0.0.1:port`, made inside the target's network namespace.
    fn connect(&mut self, port: u16, timeout: Duration) -> Result<TcpStream, SandboxError>;
    /// A stream to any address inside, for targets bound elsewhere than to `127.0.0.1`.
    fn connect_to(
        &mut self,
        addr: IpAddr,
        port: u16,
        timeout: Duration,
    ) -> Result<TcpStream, SandboxError>;
    /// TCP listeners of the tree, in order; empty when it cannot be asked any more.
    fn listening(&mut self) -> Vec<(IpAddr, u16)>;
    /// Waits until the tree listens somewhere and returns [`Instance::listening`]; empty when the program
    /// ended first or `timeout` passed ([`Instance::state`] tells which).
    fn wait_listening(&mut self, timeout: Duration) -> Vec<(IpAddr, u16)>;
    /// Creates or replaces a file that the target can see. Missing parents are made. Symbolic links in
    /// `inside` are refused. Not part of [`Instance::writes`] unless the target changes it.
    fn plant_file(&mut self, inside: &Path, bytes: &[u8], mode: u32) -> Result<(), SandboxError>;
    fn remove_file(&mut self, inside: &Path) -> Result<(), SandboxError>;
    /// Makes the canary program appear under `name` (letters, digits, `-` and `_`, at most 64) and returns its
    /// path inside.
    fn plant_canary(&mut self, name: &str) -> Result<PathBuf, SandboxError>;
    fn remove_canary(&mut self, name: &str) -> Result<(), SandboxError>;
    /// Drains executions of canary programs. An event is recorded only when the calling process's
    /// executable *is* the canary's file, so it cannot be forged by writing to the canary's socket.
    fn canary_events(&mut self) -> Vec<CanaryEvent>;
    /// Drains lines that language sensors wrote.
    fn sensor_events(&mut self) -> Vec<SensorEvent>;
    /// Drains what [`crate::Sensors::Exec`] saw; empty without it.
    fn exec_events(&mut self) -> Vec<ExecEvent>;
    /// Drains names asked, connections that arrived, and requests the fetch proxy refused or served.
    fn net_events(&mut self) -> Vec<NetEvent>;
    /// What the target wrote, created, changed or deleted in throw-away places, in path order.
    fn writes(&mut self) -> Result<Vec<WrittenPath>, SandboxError>;
    /// At most `cap` bytes of a regular file as the target sees it now. Symbolic links are refused.
    fn read_upper(&mut self, inside: &Path, cap: u64) -> Result<Vec<u8>, SandboxError>;
    /// The end of standard output and standard error, mixed in order of arrival.
    fn output(&mut self) -> Vec<u8>;
    fn state(&mut self) -> RunState;
    fn usage(&mut self) -> Usage;
    /// Kills every process of the tree and waits until they are gone.
    fn stop(self: Box<Self>) -> Result<Usage, SandboxError>;
}

/// The canary program ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryEvent {
    /// The name under which it was planted.
    pub name: String,
    /// Its argument vector; the first is what the caller put there, not necessarily the name.
    pub argv: Vec<OsString>,
    /// Parent first, up to the target's first process.
    pub ancestors: Vec<Ancestor>,
}

/// One process above another, as `/proc` showed it at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Process id inside the sandbox.
    pub pid: i32,
    pub comm: String,
    pub argv: Vec<OsString>,
}

/// One line that a sensor wrote, without its line feed, at most 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorEvent {
    pub line: Vec<u8>,
}

/// An attempt to execute a program; it may have failed (`PATH` search makes many such).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecEvent {
    /// Process id inside the sandbox.
    pub pid: i32,
    pub path: OsString,
    /// At most 64 arguments, each cut at 4 KiB.
    pub argv: Vec<OsString>,
}

/// Something the target did on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// A DNS question. `kind` is the record type's number (1 is A, 28 is AAAA).
    Dns { name: String, kind: u16 },
    /// A TCP connection to an address outside the loopback range arrived at the catch-all.
    Connection {
        to: SocketAddr,
        /// The name for which `to`'s address was handed out, when there was a DNS question for it.
        name: Option<String>,
        /// The first bytes it sent, at most 4 KiB; empty when it sent none yet.
        head: Vec<u8>,
    },
    /// The fetch proxy connected to an allowed host.
    Fetched { host: String, port: u16, bytes: u64 },
    /// The fetch proxy refused.
    FetchRefused { target: String, why: String },
}

/// One difference between the throw-away upper and what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPath {
    pub inside: PathBuf,
    pub change: Change,
    pub kind: FileKind,
    /// Length in bytes of a regular file; zero for everything else.
    pub size: u64,
    /// Of a regular file's content, or a symbolic link's text; none for the rest and for files over 64 MiB.
    pub sha256: Option<Digest>,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Created,
    Changed,
    Deleted,
}

/// What a written path is now; for a deleted one, what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Other,
}

/// What became of the program that was started (its descendants may live on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    Running,
    /// Ended by itself: `code` when it exited, `signal` when a signal ended it.
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
    },
    /// Every process was killed because a limit was passed.
    Killed {
        reason: KillReason,
    },
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    Memory,
    Wall,
    Cpu,
    /// An output folder grew over the limit (throw-away places are simply full).
    Disk,
    /// The sandbox itself ended (stopped, or its first process was killed by the host).
    SandboxGone,
}

/// What the tree used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// User and system CPU time of the tree.
    pub cpu: Duration,
    /// Peak memory in bytes: of the tree with a memory cgroup, else of its largest process; none when
    /// not known.
    pub peak_memory: Option<u64>,
}
