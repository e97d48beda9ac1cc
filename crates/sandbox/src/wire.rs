//! Messages between supervisor, launcher and the inside: one JSON head, raw bytes, descriptors.
//!
//! Private to one binary talking to itself, so it has no version and is not in `protocol`.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest JSON head. A list of writes of a million paths is some 200 MB; more is refused.
const MAX_HEAD: usize = 256 << 20;
/// Longest raw part.
const MAX_BODY: usize = 256 << 20;

/// What the launcher is told, once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub supervisor: i32,
    pub name: String,
    pub layers: Vec<OrderLayer>,
    pub workdir: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
    pub env: Vec<Vec<u8>>,
    pub memory_bytes: u64,
    pub processes: u64,
    pub cpu_seconds: u64,
    pub disk_bytes: u64,
    pub open_files: u64,
    pub output_bytes: u64,
    pub wall_ms: u64,
    pub isolated: bool,
    pub observe_exec: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderLayer {
    pub host: Vec<u8>,
    pub inside: Vec<u8>,
    pub access: OrderAccess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderAccess {
    ReadOnly,
    Overlay,
    ReadWrite,
}

/// What failed, in a form that can be sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub what: String,
    pub errno: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    Namespaces,
    Step,
    Layer,
    Program,
    Spec,
}

impl Failure {
    pub fn step(what: impl Into<String>, error: &io::Error) -> Self {
        Self {
            kind: FailureKind::Step,
            what: what.into(),
            errno: errno_of(error),
        }
    }

    pub fn of(kind: FailureKind, what: impl Into<String>, error: &io::Error) -> Self {
        Self {
            kind,
            what: what.into(),
            errno: errno_of(error),
        }
    }
}

pub fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => libc::EIO,
    })
}

/// From the launcher to the supervisor. `Started` carries the socket to the inside.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromLauncher {
    Started {
        groups: Vec<GroupPaths>,
        real_root: bool,
    },
    Failed(Failure),
    Gone {
        cpu_us: u64,
        peak: Option<u64>,
    },
}

/// One control group that the launcher made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GroupPaths {
    pub folder: String,
    pub kind: GroupKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupKind {
    V1Pids,
    V1Memory,
    V1Cpu,
    V2,
}

/// From the supervisor to the inside. Raw bytes of `Plant` travel as the body.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    Connect { to: SocketAddr },
    Listening,
    Plant { path: Vec<u8>, mode: u32 },
    Remove { path: Vec<u8> },
    PlantCanary { name: String },
    RemoveCanary { name: String },
    Canaries,
    Sensor,
    Execs,
    Net,
    Writes,
    Read { path: Vec<u8>, cap: u64 },
    Output,
    State,
    Usage,
}

/// From the inside to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The program was executed; with `Fetch`, the listener for the proxy is attached.
    Ready {
        facts: Vec<(String, String)>,
    },
    Failed(Failure),
    Done,
    /// The attached descriptor is the begun connection.
    Connecting,
    Listening(Vec<(IpAddr, u16)>),
    Canaries(Vec<Canary>),
    Execs(Vec<Exec>),
    Net(Vec<Net>),
    Writes(Vec<Written>),
    /// The body is the content.
    Bytes,
    State(State),
    Usage {
        cpu_us: u64,
        peak: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Canary {
    pub name: String,
    pub argv: Vec<Vec<u8>>,
    pub ancestors: Vec<(i32, String, Vec<Vec<u8>>)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Exec {
    pub pid: i32,
    pub path: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Net {
    Dns {
        name: String,
        kind: u16,
    },
    Connection {
        to: SocketAddr,
        name: Option<String>,
        head: Vec<u8>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Written {
    pub path: Vec<u8>,
    pub change: u8,
    pub kind: u8,
    pub size: u64,
    pub sha256: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Running,
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
    },
    KilledWall,
    KilledCpu,
    KilledMemory,
    KilledDisk,
}

/// One message with its raw part and descriptors.
pub struct Letter<T> {
    pub head: T,
    pub body: Vec<u8>,
    pub fds: Vec<OwnedFd>,
}

/// Sends a message. The peer must be reading: this blocks until everything went.
pub fn send<T: Serialize>(
    socket: &UnixStream,
    head: &T,
    body: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let head = serde_json::to_vec(head).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(8 + head.len());
    frame.extend_from_slice(&length(head.len(), MAX_HEAD)?);
    frame.extend_from_slice(&length(body.len(), MAX_BODY)?);
    frame.extend_from_slice(&head);
    if body.len() < 16 << 10 {
        frame.extend_from_slice(body);
    }
    let first = crate::sys::sockets::send(socket.as_fd(), &frame, fds)?;
    let mut socket = socket;
    socket.write_all(&frame[first..])?;
    if body.len() >= 16 << 10 {
        socket.write_all(body)?;
    }
    Ok(())
}

fn length(bytes: usize, cap: usize) -> io::Result<[u8; 4]> {
    if bytes > cap {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    u32::try_from(bytes)
        .map(u32::to_be_bytes)
        .map_err(io::Error::other)
}

/// Receives a message; `UnexpectedEof` when the peer is gone.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Letter<T>> {
    let mut start = [0_u8; 8];
    let (got, mut fds) = loop {
        match crate::sys::sockets::receive(socket.as_fd(), &mut start) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if got == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut reader = socket;
    reader.read_exact(&mut start[got..])?;
    let number = |at: usize| {
        start[at..at + 4]
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (head_length, body_length) = (number(0), number(4));
    if head_length > MAX_HEAD || body_length > MAX_BODY {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut head = vec![0_u8; head_length];
    reader.read_exact(&mut head)?;
    let mut body = vec![0_u8; body_length];
    reader.read_exact(&mut body)?;
    fds.shrink_to_fit();
    Ok(Letter {
        head: serde_json::from_slice(&head).map_err(io::Error::other)?,
        body,
        fds,
    })
}
