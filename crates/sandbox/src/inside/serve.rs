//! The loop of process 1: reaps, listens, watches the limits, answers the supervisor.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::canary::Canaries;
use super::diff::{self, Planted};
use super::net::Net;
use super::observe::Observer;
use super::output::Output;
use super::root::{Root, SENSOR_BYTES, Volume};
use super::target::{self, PROGRAM, Target};
use super::{files, tree};
use crate::sys::{process, sockets};
use crate::wire::{self, Answer, Ask, Failure, FailureKind, Order, State};

/// How often processor time, and memory where no control group counts it, are looked at.
const WATCH: Duration = Duration::from_millis(100);
/// Longest sensor line.
const LONGEST_LINE: usize = 64 << 10;

/// Everything that was built before the loop.
pub struct Parts<'a> {
    pub order: &'a Order,
    pub socket: UnixStream,
    pub root: Root,
    pub net: Net,
    pub facts: Vec<(String, String)>,
    pub memory_group: bool,
}

struct Server<'a> {
    order: &'a Order,
    socket: UnixStream,
    root: OwnedFd,
    volumes: Vec<Volume>,
    outputs: Vec<Output>,
    planted: Planted,
    canaries: Canaries,
    sensor: Sensor,
    net: Net,
    facts: Vec<(String, String)>,
    memory_group: bool,
    children: OwnedFd,
    target: i32,
    output: Option<std::fs::File>,
    tail: VecDeque<u8>,
    /// Until the program was executed: what it says when it was not.
    failed: Option<std::fs::File>,
    observer_comes: Option<OwnedFd>,
    observer: Option<Observer>,
    state: State,
    wall: Instant,
    watch: Instant,
    reaped_cpu: Duration,
    peak: u64,
}

/// Runs until the supervisor is gone.
pub fn run(parts: Parts<'_>) -> Result<(), Failure> {
    let Parts {
        order,
        socket,
        root,
        net,
        mut facts,
        memory_group,
    } = parts;
    let step = |what: &'static str| move |e: io::Error| Failure::step(what, &e);
    let children = process::child_signals().map_err(step("watch for children"))?;
    let Target {
        pid,
        output,
        failed,
        observer,
    } = target::start(order, memory_group).map_err(step("fork the target"))?;
    rustix::fs::fcntl_setfl(&output, rustix::fs::OFlags::NONBLOCK)
        .map_err(|e| Failure::step("read output", &e.into()))?;
    facts.extend(net.facts.iter().cloned());
    let now = Instant::now();
    let mut server = Server {
        order,
        socket,
        root: root.root,
        volumes: root.volumes,
        outputs: root.outputs,
        planted: Planted::default(),
        canaries: Canaries::new(root.control, root.names, root.canary, root.canary_socket),
        sensor: Sensor {
            file: root.sensor.into(),
            read: 0,
            partial: Vec::new(),
        },
        net,
        facts,
        memory_group,
        children,
        target: pid,
        output: Some(output.into()),
        tail: VecDeque::new(),
        failed: Some(failed.into()),
        observer_comes: observer,
        observer: None,
        state: State::Running,
        wall: now + Duration::from_millis(order.wall_ms),
        watch: now + WATCH,
        reaped_cpu: Duration::ZERO,
        peak: 0,
    };
    loop {
        match server.turn() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Supervisor) => return Ok(()),
        }
    }
}

enum Stop {
    Failed(Failure),
    /// The supervisor is gone or talks nonsense.
    Supervisor,
}

impl Server<'_> {
    /// Waits for something and does it; false when there is nothing more to do.
    fn turn(&mut self) -> Result<bool, Stop> {
        let (ready, listed) = self.wait()?;
        let is_ready = |fd: RawFd| ready.iter().any(|ready| ready.0 == fd);
        if is_ready(self.children.as_raw_fd()) {
            self.reap();
        }
        if self
            .output
            .as_ref()
            .is_some_and(|output| is_ready(output.as_raw_fd()))
        {
            self.read_output();
        }
        if self
            .observer_comes
            .as_ref()
            .is_some_and(|socket| is_ready(socket.as_raw_fd()))
        {
            self.take_observer();
        }
        if let Some(observer) = &mut self.observer
            && let Some(events) = ready.iter().find(|ready| Some(ready.0) == observer.descriptor())
            // A hang-up alone: no process with this filter is left, and there will be none.
            && (events.1 & libc::POLLIN == 0 || !observer.turn())
        {
            observer.close();
        }
        if self
            .failed
            .as_ref()
            .is_some_and(|failed| is_ready(failed.as_raw_fd()))
        {
            self.executed()?;
        }
        if is_ready(self.canaries.descriptor()) {
            self.canaries.turn();
        }
        let now = Instant::now();
        if listed > 0 || self.net.deadline().is_some_and(|deadline| deadline <= now) {
            self.net.turn();
        }
        self.watch(now);
        if is_ready(self.socket.as_raw_fd()) {
            self.answer()?;
        }
        Ok(true)
    }

    /// Descriptors that are ready, for what, and how many of them are the network's.
    fn wait(&mut self) -> Result<(Vec<(RawFd, i16)>, usize), Stop> {
        let mut fds: Vec<RawFd> = vec![self.children.as_raw_fd(), self.canaries.descriptor()];
        // Until the program runs, questions wait: the first message must be the answer to that.
        match &self.failed {
            Some(failed) => fds.push(failed.as_raw_fd()),
            None => fds.push(self.socket.as_raw_fd()),
        }
        fds.extend(self.output.as_ref().map(|output| output.as_raw_fd()));
        fds.extend(
            self.observer_comes
                .as_ref()
                .map(|socket| socket.as_raw_fd()),
        );
        fds.extend(self.observer.as_ref().and_then(Observer::descriptor));
        let own = fds.len();
        fds.extend(self.net.descriptors());
        let mut polled: Vec<libc::pollfd> = fds
            .iter()
            .map(|fd| libc::pollfd {
                fd: *fd,
                events: libc::POLLIN,
                revents: 0,
            })
            .collect();
        let busy = self.state == State::Running || !tree::processes().is_empty();
        let until = [
            busy.then_some(self.wall),
            busy.then_some(self.watch),
            self.net.deadline(),
        ]
        .into_iter()
        .flatten()
        .min();
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        process::poll(&mut polled, timeout).map_err(|_| Stop::Supervisor)?;
        let ready = polled
            .iter()
            .filter(|fd| fd.revents != 0)
            .map(|fd| (fd.fd, fd.revents))
            .collect();
        let net = polled[own..].iter().filter(|fd| fd.revents != 0).count();
        Ok((ready, net))
    }

    fn reap(&mut self) {
        // The signal descriptor is drained with it; several ends may share one signal.
        let mut buffer = [0_u8; 1024];
        let _ = rustix::io::read(&self.children, &mut buffer);
        while let Ok(Some(ended)) = process::reap(-1, process::Patience::Poll) {
            self.reaped_cpu += ended.cpu;
            self.peak = self.peak.max(ended.peak);
            if ended.pid == self.target && self.state == State::Running {
                self.state = State::Exited {
                    code: ended.code,
                    signal: ended.signal,
                };
                if ended.signal == Some(libc::SIGXCPU) {
                    self.state = State::KilledCpu;
                }
            }
        }
    }

    fn read_output(&mut self) {
        let Some(output) = &mut self.output else {
            return;
        };
        let cap = usize::try_from(self.order.output_bytes).unwrap_or(usize::MAX);
        let mut buffer = [0_u8; 64 << 10];
        match output.read(&mut buffer) {
            // Every writer is gone.
            Ok(0) => self.output = None,
            Ok(got) => {
                self.tail.extend(&buffer[..got]);
                let over = self.tail.len().saturating_sub(cap);
                self.tail.drain(..over);
            }
            Err(_) => {}
        }
    }

    fn take_observer(&mut self) {
        if let Some(socket) = self.observer_comes.take()
            && let Ok((_, mut fds)) = sockets::receive(socket.as_fd(), &mut [0])
        {
            self.observer = fds.pop().map(Observer::new);
        }
    }

    /// The program runs, or it does not and says why.
    fn executed(&mut self) -> Result<(), Stop> {
        let Some(mut failed) = self.failed.take() else {
            return Ok(());
        };
        let mut text = String::new();
        // Written in one piece before the writer exits.
        let _ = failed.read_to_string(&mut text);
        if let Some((errno, what)) = text.split_once('\n') {
            let errno = errno.parse().unwrap_or(libc::EIO);
            let (kind, what) = match what.strip_prefix(PROGRAM) {
                Some(program) => (FailureKind::Program, program),
                None => (FailureKind::Step, what),
            };
            return Err(Stop::Failed(Failure {
                kind,
                what: what.to_owned(),
                errno,
            }));
        }
        let facts = std::mem::take(&mut self.facts);
        let fetch = self.net.fetch.take();
        let fds: Vec<_> = fetch.iter().map(|listener| listener.as_fd()).collect();
        wire::send(&self.socket, &Answer::Ready { facts }, &[], &fds).map_err(|_| Stop::Supervisor)
    }

    fn watch(&mut self, now: Instant) {
        if !matches!(self.state, State::Running | State::Exited { .. }) {
            if now >= self.watch {
                // Killed already; what a fork raced past the first blow falls to the next.
                let _ = process::kill(-1, libc::SIGKILL);
                self.watch = now + WATCH;
            }
            return;
        }
        if now >= self.wall {
            self.kill_all(State::KilledWall);
        }
        if now < self.watch {
            return;
        }
        self.watch = now + WATCH;
        let used = tree::use_now();
        self.peak = self.peak.max(used.memory);
        if self.reaped_cpu + used.cpu > Duration::from_secs(self.order.cpu_seconds) {
            self.kill_all(State::KilledCpu);
        } else if !self.memory_group && used.memory > self.order.memory_bytes {
            self.kill_all(State::KilledMemory);
        } else if self
            .outputs
            .iter_mut()
            .any(|output| output.grew_over(self.order.disk_bytes))
        {
            self.kill_all(State::KilledDisk);
        }
    }

    /// Everything in the PID namespace but us. A target that ended by itself keeps its own end.
    fn kill_all(&mut self, why: State) {
        if process::kill(-1, libc::SIGKILL).is_ok() {
            self.state = why;
        }
    }

    fn answer(&mut self) -> Result<(), Stop> {
        let letter = wire::receive::<Ask>(&self.socket).map_err(|_| Stop::Supervisor)?;
        let mut body = Vec::new();
        let mut fd = None;
        let head = match self.act(letter.head, &letter.body, &mut body, &mut fd) {
            Ok(head) => head,
            Err(error) => Answer::Failed(Failure::step("", &error)),
        };
        let fds: Vec<_> = fd.iter().map(|fd: &OwnedFd| fd.as_fd()).collect();
        wire::send(&self.socket, &head, &body, &fds).map_err(|_| Stop::Supervisor)
    }

    fn act(
        &mut self,
        ask: Ask,
        given: &[u8],
        body: &mut Vec<u8>,
        fd: &mut Option<OwnedFd>,
    ) -> io::Result<Answer> {
        Ok(match ask {
            Ask::Connect { to } => {
                *fd = Some(sockets::begin_connect(to)?);
                Answer::Connecting
            }
            Ask::Listening => Answer::Listening(tree::listeners(&self.net.own_ports())),
            Ask::Plant { path, mode } => {
                let path = inside_path(&path);
                let (made, stamp) = files::plant(self.root.as_fd(), &path, given, mode)?;
                self.planted.folders.extend(made);
                self.planted.removed.remove(&path);
                self.planted.files.insert(path, stamp);
                Answer::Done
            }
            Ask::Remove { path } => {
                let path = inside_path(&path);
                files::remove(self.root.as_fd(), &path)?;
                self.planted.files.remove(&path);
                self.planted.removed.insert(path);
                Answer::Done
            }
            Ask::PlantCanary { name } => {
                self.canaries.plant(&name)?;
                Answer::Done
            }
            Ask::RemoveCanary { name } => {
                self.canaries.remove(&name)?;
                Answer::Done
            }
            Ask::Canaries => {
                self.canaries.turn();
                Answer::Canaries(self.canaries.drain())
            }
            Ask::Sensor => {
                *body = self.sensor.drain();
                Answer::Bytes
            }
            Ask::Execs => Answer::Execs(
                self.observer
                    .as_mut()
                    .map(Observer::drain)
                    .unwrap_or_default(),
            ),
            Ask::Net => {
                self.net.turn();
                Answer::Net(self.net.drain())
            }
            Ask::Writes => Answer::Writes(diff::writes(&self.volumes, &self.planted)?),
            Ask::Read { path, cap } => {
                *body = files::read(self.root.as_fd(), &inside_path(&path), cap)?;
                Answer::Bytes
            }
            Ask::Output => {
                self.read_output();
                *body = self.tail.iter().copied().collect();
                Answer::Bytes
            }
            Ask::State => {
                self.reap();
                Answer::State(self.state)
            }
            Ask::Usage => {
                let used = tree::use_now();
                self.peak = self.peak.max(used.memory);
                let cpu = self.reaped_cpu + used.cpu;
                Answer::Usage {
                    cpu_us: cpu.as_micros().try_into().unwrap_or(u64::MAX),
                    peak: self.peak,
                }
            }
        })
    }
}

fn inside_path(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(bytes)).to_path_buf()
}

/// Reads lines that sensors append, and frees what was read.
struct Sensor {
    file: std::fs::File,
    read: u64,
    partial: Vec<u8>,
}

impl Sensor {
    /// Complete lines since the last call, each ended by a line feed.
    fn drain(&mut self) -> Vec<u8> {
        let length = self.file.metadata().map_or(0, |meta| meta.len());
        if length < self.read {
            // Somebody truncated it: start again.
            self.read = 0;
        }
        let mut lines = std::mem::take(&mut self.partial);
        let mut buffer = vec![0_u8; 64 << 10];
        let start = self.read;
        while self.read < length && (lines.len() as u64) < SENSOR_BYTES {
            match self.file.read_at(&mut buffer, self.read) {
                Ok(0) | Err(_) => break,
                Ok(got) => {
                    self.read += got as u64;
                    lines.extend_from_slice(&buffer[..got]);
                }
            }
        }
        // Frees the pages; offsets, which appending writers hold, stay.
        let _ = process::punch_hole(self.file.as_fd(), start, self.read - start);
        let end = lines
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        self.partial = lines.split_off(end);
        if self.partial.len() > LONGEST_LINE {
            self.partial.clear();
        }
        lines
    }
}
