//! The canary program's names, and the proof that it ran.

use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::AtFlags;

use super::tree;
use crate::sys::sockets;
use crate::wire::Canary;

const MOST_EVENTS: usize = 1_000;

/// Plants names and listens for the program behind them.
pub struct Canaries {
    control: OwnedFd,
    names: OwnedFd,
    /// Device and inode of the canary's file.
    identity: (u64, u64),
    socket: UnixListener,
    events: Vec<Canary>,
}

impl Canaries {
    pub fn new(
        control: OwnedFd,
        names: OwnedFd,
        identity: (u64, u64),
        socket: UnixListener,
    ) -> Self {
        Self {
            control,
            names,
            identity,
            socket,
            events: Vec::new(),
        }
    }

    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub fn plant(&self, name: &str) -> std::io::Result<()> {
        Ok(rustix::fs::linkat(
            &self.control,
            "canary",
            &self.names,
            name,
            AtFlags::empty(),
        )?)
    }

    pub fn remove(&self, name: &str) -> std::io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.names, name, AtFlags::empty())?)
    }

    /// Takes what waits. The caller waits for one byte (or our closing) before it exits, so it is alive
    /// while it is looked at.
    pub fn turn(&mut self) {
        for _ in 0..64 {
            let Ok((stream, _)) = self.socket.accept() else {
                return;
            };
            if let Some(event) = self.recognise(stream.as_fd())
                && self.events.len() < MOST_EVENTS
            {
                self.events.push(event);
            }
            answer(stream);
        }
    }

    pub fn drain(&mut self) -> Vec<Canary> {
        std::mem::take(&mut self.events)
    }

    /// The peer is a canary only when its executable is the canary's very file: whoever else connects is
    /// ignored.
    fn recognise(&self, stream: BorrowedFd<'_>) -> Option<Canary> {
        let pid = sockets::peer_pid(stream).ok()?;
        let link = format!("/proc/{pid}/exe");
        let meta = std::fs::metadata(&link).ok()?;
        if (meta.dev(), meta.ino()) != self.identity {
            return None;
        }
        let path = std::fs::read_link(&link).ok()?;
        let name = Path::new(&path).file_name()?.to_str()?;
        let name = name.strip_suffix(" (deleted)").unwrap_or(name).to_owned();
        Some(tree::canary(pid, name))
    }
}

fn answer(mut stream: UnixStream) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(b"k");
}
