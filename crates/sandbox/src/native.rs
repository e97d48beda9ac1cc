//! The native back end, supervisor's side.
//!
//! [`NativeSandbox::start`] launches, waits for the first word from inside, and keeps two sockets: one to the
//! launcher (whose closing ends the sandbox, also when this process is killed) and one to the inside.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use solvent_base::Digest;

use crate::cgroup;
use crate::error::SandboxError;
use crate::instance::{
    Ancestor, CanaryEvent, Change, ExecEvent, FileKind, Instance, KillReason, NetEvent, RunState,
    Sandbox, SensorEvent, Usage, WrittenPath,
};
use crate::launch;
use crate::order::{explain, order};
use crate::proxy::Proxy;
use crate::spec::{CANARY_DIR, Network, Spec};
use crate::sys::{process, sockets};
use crate::wire::{self, Answer, Ask, FromLauncher, GroupKind, GroupPaths, Letter, State};

/// How long building a sandbox, or one answer from inside, may take before it counts as gone. Far above
/// what a loaded machine needs; it only keeps a hung kernel from hanging the supervisor.
const PATIENCE: Duration = Duration::from_secs(120);

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
pub fn reexec_hook() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == launch::ARGUMENT) && args.next().is_none() {
        match sockets::take_standard_input() {
            Ok(socket) => launch::run(UnixStream::from(socket)),
            Err(_) => process::exit_now(1),
        }
    }
}

/// Sandboxes made of user, mount, PID, IPC, UTS, cgroup and network namespaces. Needs nothing on disk.
#[derive(Debug, Clone)]
pub struct NativeSandbox {
    launcher: Launcher,
}

impl NativeSandbox {
    pub fn new(launcher: Launcher) -> Self {
        Self { launcher }
    }

    /// As [`Sandbox::start`], with the concrete type.
    pub fn launch(&self, spec: &Spec) -> Result<NativeInstance, SandboxError> {
        let order = order(spec)?;
        let failed = |source: io::Error| SandboxError::Launcher {
            exe: self.launcher.exe.clone(),
            source,
        };
        let (ours, theirs) = sockets::pair().map_err(failed)?;
        let control = UnixStream::from(ours);
        let child = Command::new(&self.launcher.exe)
            .arg0("solvent-sandbox")
            .arg(launch::ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut launched = Launched {
            child,
            control,
            inside: None,
            groups: Vec::new(),
        };
        // From here on, dropping `launched` ends everything.
        launched
            .control
            .set_read_timeout(Some(PATIENCE))
            .map_err(failed)?;
        let answered = wire::send(&launched.control, &order, &[], &[])
            .and_then(|()| wire::receive::<FromLauncher>(&launched.control));
        let mut letter = answered.map_err(|source| {
            failed(match source.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => io::Error::other(
                    "it did not answer; its `main` must begin with `solvent_sandbox::reexec_hook()`",
                ),
                _ => source,
            })
        })?;
        let real_root = match letter.head {
            FromLauncher::Started { groups, real_root } => {
                launched.groups = groups;
                real_root
            }
            FromLauncher::Failed(failure) => return Err(explain(failure)),
            FromLauncher::Gone { .. } => return Err(failed(io::ErrorKind::InvalidData.into())),
        };
        let inside = letter
            .fds
            .pop()
            .ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        let inside = UnixStream::from(inside);
        inside.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut ready: Letter<Answer> =
            wire::receive(&inside).map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    SandboxError::Gone { asked: "its start" }
                }
                _ => failed(source),
            })?;
        launched.inside = Some(inside);
        let facts = match ready.head {
            Answer::Ready { facts } => facts,
            Answer::Failed(failure) => return Err(explain(failure)),
            _ => return Err(failed(io::ErrorKind::InvalidData.into())),
        };
        let proxy = match (&spec.network, ready.fds.pop()) {
            (Network::Fetch(fetch), Some(listener)) => {
                Some(Proxy::start(TcpListener::from(listener), fetch.clone()).map_err(failed)?)
            }
            (Network::Fetch(_), None) => return Err(failed(io::ErrorKind::InvalidData.into())),
            (Network::Isolated, _) => None,
        };
        Ok(NativeInstance {
            launched,
            proxy,
            facts,
            real_root,
        })
    }
}

impl Sandbox for NativeSandbox {
    fn start(&self, spec: &Spec) -> Result<Box<dyn Instance>, SandboxError> {
        Ok(Box::new(self.launch(spec)?))
    }
}

/// The launcher process and what it holds; dropping it ends the sandbox.
struct Launched {
    child: Child,
    control: UnixStream,
    inside: Option<UnixStream>,
    groups: Vec<GroupPaths>,
}

impl Launched {
    /// Ends everything, waits, and returns the launcher's last word.
    fn end(&mut self) -> Option<Usage> {
        self.inside = None;
        // The launcher polls its end: nothing more to read means stop.
        let _ = self.control.shutdown(std::net::Shutdown::Write);
        let mut usage = None;
        while let Ok(letter) = wire::receive::<FromLauncher>(&self.control) {
            if let FromLauncher::Gone { cpu_us, peak } = letter.head {
                usage = Some(Usage {
                    cpu: Duration::from_micros(cpu_us),
                    peak_memory: peak,
                });
            }
        }
        // It answered, or its socket closed, or it hung for `PATIENCE`; killing it makes process 1 die too.
        if usage.is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        if usage.is_none() {
            self.remove_groups();
        }
        usage
    }
}

impl Launched {
    /// What a killed launcher could not do. The kernel is still taking the processes down, so a group may
    /// be busy for a moment; what stays busy is removed by a later supervisor's start.
    fn remove_groups(&self) {
        for group in &self.groups {
            for _ in 0..100 {
                match std::fs::remove_dir(&group.folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    _ => break,
                }
            }
        }
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.end();
    }
}

/// A running native sandbox.
pub struct NativeInstance {
    launched: Launched,
    proxy: Option<Proxy>,
    facts: Vec<(String, String)>,
    real_root: bool,
}

impl NativeInstance {
    /// What this machine could not give, as (what, why).
    pub fn facts(&self) -> &[(String, String)] {
        &self.facts
    }

    /// Whether the sandbox was built by root and runs as another user.
    pub fn started_by_root(&self) -> bool {
        self.real_root
    }

    /// Folders of the control groups that hold the tree; empty where none could be made.
    pub fn group_folders(&self) -> Vec<PathBuf> {
        self.launched
            .groups
            .iter()
            .map(|group| PathBuf::from(&group.folder))
            .collect()
    }

    /// Whether a memory control group does the counting.
    pub fn has_memory_group(&self) -> bool {
        self.launched
            .groups
            .iter()
            .any(|group| matches!(group.kind, GroupKind::V1Memory | GroupKind::V2))
    }

    fn ask(
        &mut self,
        asked: &'static str,
        ask: &Ask,
        body: &[u8],
    ) -> Result<Letter<Answer>, Trouble> {
        let gone = || Trouble::Sandbox(SandboxError::Gone { asked });
        let socket = self.launched.inside.as_ref().ok_or_else(gone)?;
        let answer =
            wire::send(socket, ask, body, &[]).and_then(|()| wire::receive::<Answer>(socket));
        match answer {
            Ok(Letter {
                head: Answer::Failed(failure),
                ..
            }) => Err(Trouble::Refused(io::Error::from_raw_os_error(
                failure.errno,
            ))),
            Ok(letter) => Ok(letter),
            Err(_) => {
                // After a broken conversation no later answer could be trusted to belong to its question.
                self.launched.inside = None;
                Err(gone())
            }
        }
    }

    fn file_ask(
        &mut self,
        asked: &'static str,
        inside: &Path,
        ask: &Ask,
        body: &[u8],
    ) -> Result<Vec<u8>, SandboxError> {
        match self.ask(asked, ask, body) {
            Ok(letter) => Ok(letter.body),
            Err(Trouble::Sandbox(error)) => Err(error),
            Err(Trouble::Refused(source)) => Err(SandboxError::File {
                inside: inside.to_path_buf(),
                source,
            }),
        }
    }

    /// Process id of the launcher on the host, which guards this sandbox.
    pub fn launcher_pid(&self) -> u32 {
        self.launched.child.id()
    }

    /// How many processes inside the kernel killed because the memory group was full.
    pub fn memory_kills(&self) -> u64 {
        self.launched
            .groups
            .iter()
            .map(|group| cgroup::memory_kills(Path::new(&group.folder), group.kind))
            .sum()
    }
}

enum Trouble {
    Sandbox(SandboxError),
    /// Inside understood, tried, and got this from its kernel.
    Refused(io::Error),
}

impl Instance for NativeInstance {
    fn connect(&mut self, port: u16, timeout: Duration) -> Result<TcpStream, SandboxError> {
        self.connect_to(IpAddr::V4(Ipv4Addr::LOCALHOST), port, timeout)
    }

    fn connect_to(
        &mut self,
        addr: IpAddr,
        port: u16,
        timeout: Duration,
    ) -> Result<TcpStream, SandboxError> {
        let to = SocketAddr::new(addr, port);
        let socket = match self.ask("a connection", &Ask::Connect { to }, &[]) {
            Ok(letter) => letter.fds.into_iter().next(),
            Err(Trouble::Sandbox(error)) => return Err(error),
            Err(Trouble::Refused(source)) if source.raw_os_error() == Some(libc::ECONNREFUSED) => {
                return Err(SandboxError::Refused { to });
            }
            Err(Trouble::Refused(source)) => return Err(SandboxError::Connect { to, source }),
        };
        let socket: OwnedFd = socket.ok_or(SandboxError::Gone {
            asked: "a connection",
        })?;
        let mut fds = [libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        }];
        let until = Instant::now() + timeout;
        let connect = |source| SandboxError::Connect { to, source };
        while process::poll(
            &mut fds,
            Some(until.saturating_duration_since(Instant::now())),
        )
        .map_err(connect)?
            == 0
        {
            if Instant::now() >= until {
                return Err(SandboxError::TimedOut { to });
            }
        }
        let stream = TcpStream::from(socket);
        match stream.take_error().map_err(connect)? {
            None => {}
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(SandboxError::Refused { to });
            }
            Some(error) => return Err(connect(error)),
        }
        stream.set_nonblocking(false).map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        Ok(stream)
    }

    fn listening(&mut self) -> Vec<(IpAddr, u16)> {
        match self.ask("its listeners", &Ask::Listening, &[]) {
            Ok(Letter {
                head: Answer::Listening(list),
                ..
            }) => list,
            _ => Vec::new(),
        }
    }

    fn wait_listening(&mut self, timeout: Duration) -> Vec<(IpAddr, u16)> {
        // No kernel event tells that a socket began to listen, so the table is read again and again, with
        // growing pauses: 1 ms at first, so that a fast target costs nothing, 20 ms at last.
        let until = Instant::now() + timeout;
        let mut pause = Duration::from_millis(1);
        loop {
            let list = self.listening();
            if !list.is_empty() || self.state() != RunState::Running || Instant::now() >= until {
                return list;
            }
            std::thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn plant_file(&mut self, inside: &Path, bytes: &[u8], mode: u32) -> Result<(), SandboxError> {
        let path = inside.as_os_str().as_bytes().to_vec();
        self.file_ask(
            "a file to be planted",
            inside,
            &Ask::Plant { path, mode },
            bytes,
        )?;
        Ok(())
    }

    fn remove_file(&mut self, inside: &Path) -> Result<(), SandboxError> {
        let path = inside.as_os_str().as_bytes().to_vec();
        self.file_ask("a file to be removed", inside, &Ask::Remove { path }, &[])?;
        Ok(())
    }

    fn plant_canary(&mut self, name: &str) -> Result<PathBuf, SandboxError> {
        let path = canary_path(name)?;
        self.file_ask(
            "a canary",
            &path,
            &Ask::PlantCanary {
                name: name.to_owned(),
            },
            &[],
        )?;
        Ok(path)
    }

    fn remove_canary(&mut self, name: &str) -> Result<(), SandboxError> {
        let path = canary_path(name)?;
        self.file_ask(
            "a canary",
            &path,
            &Ask::RemoveCanary {
                name: name.to_owned(),
            },
            &[],
        )?;
        Ok(())
    }

    fn canary_events(&mut self) -> Vec<CanaryEvent> {
        let Ok(Letter {
            head: Answer::Canaries(list),
            ..
        }) = self.ask("canary events", &Ask::Canaries, &[])
        else {
            return Vec::new();
        };
        list.into_iter()
            .map(|event| CanaryEvent {
                name: event.name,
                argv: texts(event.argv),
                ancestors: event
                    .ancestors
                    .into_iter()
                    .map(|(pid, comm, argv)| Ancestor {
                        pid,
                        comm,
                        argv: texts(argv),
                    })
                    .collect(),
            })
            .collect()
    }

    fn sensor_events(&mut self) -> Vec<SensorEvent> {
        let Ok(letter) = self.ask("sensor events", &Ask::Sensor, &[]) else {
            return Vec::new();
        };
        letter
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty() && line.len() <= 64 << 10)
            .map(|line| SensorEvent {
                line: line.to_vec(),
            })
            .collect()
    }

    fn exec_events(&mut self) -> Vec<ExecEvent> {
        match self.ask("executions", &Ask::Execs, &[]) {
            Ok(Letter {
                head: Answer::Execs(list),
                ..
            }) => list
                .into_iter()
                .map(|event| ExecEvent {
                    pid: event.pid,
                    path: OsString::from_vec(event.path),
                    argv: texts(event.argv),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn net_events(&mut self) -> Vec<NetEvent> {
        let mut events = match self.ask("network events", &Ask::Net, &[]) {
            Ok(Letter {
                head: Answer::Net(list),
                ..
            }) => list
                .into_iter()
                .map(|event| match event {
                    wire::Net::Dns { name, kind } => NetEvent::Dns { name, kind },
                    wire::Net::Connection { to, name, head } => {
                        NetEvent::Connection { to, name, head }
                    }
                })
                .collect(),
            _ => Vec::new(),
        };
        if let Some(proxy) = &self.proxy {
            events.extend(proxy.drain());
        }
        events
    }

    fn writes(&mut self) -> Result<Vec<WrittenPath>, SandboxError> {
        match self.ask("its writes", &Ask::Writes, &[]) {
            Ok(Letter {
                head: Answer::Writes(list),
                ..
            }) => Ok(list
                .into_iter()
                .map(|written| WrittenPath {
                    inside: OsString::from_vec(written.path).into(),
                    change: match written.change {
                        0 => Change::Created,
                        1 => Change::Changed,
                        _ => Change::Deleted,
                    },
                    kind: match written.kind {
                        0 => FileKind::File,
                        1 => FileKind::Directory,
                        2 => FileKind::Symlink,
                        _ => FileKind::Other,
                    },
                    size: written.size,
                    sha256: written.sha256.and_then(|hex| Digest::parse(&hex)),
                })
                .collect()),
            Ok(_) => Err(SandboxError::Gone {
                asked: "its writes",
            }),
            Err(Trouble::Sandbox(error)) => Err(error),
            Err(Trouble::Refused(source)) => Err(SandboxError::Step {
                step: "list what was written".to_owned(),
                source,
            }),
        }
    }

    fn read_upper(&mut self, inside: &Path, cap: u64) -> Result<Vec<u8>, SandboxError> {
        let path = inside.as_os_str().as_bytes().to_vec();
        self.file_ask("a file", inside, &Ask::Read { path, cap }, &[])
    }

    fn output(&mut self) -> Vec<u8> {
        self.ask("its output", &Ask::Output, &[])
            .map(|letter| letter.body)
            .unwrap_or_default()
    }

    fn state(&mut self) -> RunState {
        let gone = if self.memory_kills() > 0 {
            KillReason::Memory
        } else {
            KillReason::SandboxGone
        };
        let Ok(Letter {
            head: Answer::State(state),
            ..
        }) = self.ask("its state", &Ask::State, &[])
        else {
            return RunState::Killed { reason: gone };
        };
        match state {
            State::Running => RunState::Running,
            State::Exited {
                signal: Some(libc::SIGKILL),
                ..
            } if self.memory_kills() > 0 => RunState::Killed {
                reason: KillReason::Memory,
            },
            State::Exited { code, signal } => RunState::Exited { code, signal },
            State::KilledWall => RunState::Killed {
                reason: KillReason::Wall,
            },
            State::KilledCpu => RunState::Killed {
                reason: KillReason::Cpu,
            },
            State::KilledMemory => RunState::Killed {
                reason: KillReason::Memory,
            },
            State::KilledDisk => RunState::Killed {
                reason: KillReason::Disk,
            },
        }
    }

    fn usage(&mut self) -> Usage {
        let (mut cpu, mut peak) = match self.ask("its use", &Ask::Usage, &[]) {
            Ok(Letter {
                head: Answer::Usage { cpu_us, peak },
                ..
            }) => (Duration::from_micros(cpu_us), Some(peak)),
            _ => (Duration::ZERO, None),
        };
        for group in &self.launched.groups {
            let folder = Path::new(&group.folder);
            peak = cgroup::peak_memory(folder, group.kind).or(peak);
            // Counts children whose parents did not wait for them, too.
            cpu = cgroup::cpu_time(folder, group.kind).unwrap_or(cpu).max(cpu);
        }
        Usage {
            cpu,
            peak_memory: peak,
        }
    }

    fn stop(mut self: Box<Self>) -> Result<Usage, SandboxError> {
        let usage = self.usage();
        let last = self.launched.end();
        match last {
            Some(last) => Ok(Usage {
                cpu: last.cpu.max(usage.cpu),
                peak_memory: usage.peak_memory.or(last.peak_memory),
            }),
            None => Err(SandboxError::Gone { asked: "its end" }),
        }
    }
}

fn canary_path(name: &str) -> Result<PathBuf, SandboxError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 64 || name == "sensor" || !name.bytes().all(plain) {
        return Err(SandboxError::Spec {
            what: format!("`{name}` is no name for a canary"),
        });
    }
    Ok(Path::new(CANARY_DIR).join(name))
}

fn texts(list: Vec<Vec<u8>>) -> Vec<OsString> {
    list.into_iter().map(OsString::from_vec).collect()
}
