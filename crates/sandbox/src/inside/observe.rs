//! Watches executions through seccomp user notification.
//!
//! Only an observer: the arguments it reads may be changed by another thread of the target before the kernel
//! reads them again, so nothing is ever decided here and no proof rests on it.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use crate::sys::process;
use crate::wire::Exec;

const MOST_EVENTS: usize = 10_000;
const MOST_ARGUMENTS: usize = 64;
const LONGEST: usize = 4096;

/// The observer's side of the target's filter.
pub struct Observer {
    /// None when no process with the filter is left.
    listener: Option<OwnedFd>,
    events: Vec<Exec>,
}

impl Observer {
    pub fn new(listener: OwnedFd) -> Self {
        Self {
            listener: Some(listener),
            events: Vec::new(),
        }
    }

    pub fn descriptor(&self) -> Option<RawFd> {
        self.listener.as_ref().map(|listener| listener.as_raw_fd())
    }

    /// Gives the descriptor back; events stay to be drained.
    pub fn close(&mut self) {
        self.listener = None;
    }

    /// Handles one notification; false when no process with this filter is left.
    pub fn turn(&mut self) -> bool {
        let Some(listener) = &self.listener else {
            return false;
        };
        let seen = match process::observe(listener.as_fd()) {
            Ok(Some(seen)) => seen,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let pid = seen.pid.cast_signed();
        let at = libc::c_long::from(seen.number) == libc::SYS_execveat;
        let (path, argv) = if at {
            (seen.args[1], seen.args[2])
        } else {
            (seen.args[0], seen.args[1])
        };
        let exec = Exec {
            pid,
            path: text(pid, path),
            argv: arguments(pid, argv),
        };
        // The number may have gone to another process since: then what was read is not its.
        if self.events.len() < MOST_EVENTS && process::still_waits(listener.as_fd(), seen.id) {
            self.events.push(exec);
        }
        process::let_go(listener.as_fd(), seen.id);
        true
    }

    pub fn drain(&mut self) -> Vec<Exec> {
        std::mem::take(&mut self.events)
    }
}

fn text(pid: i32, address: u64) -> Vec<u8> {
    // Most strings are short: a small read first.
    for length in [256, LONGEST] {
        let mut buffer = vec![0_u8; length];
        let got = process::read_memory(pid, address, &mut buffer);
        buffer.truncate(got);
        if let Some(end) = buffer.iter().position(|byte| *byte == 0) {
            buffer.truncate(end);
            return buffer;
        }
        if got < length || length == LONGEST {
            return buffer;
        }
    }
    Vec::new()
}

fn arguments(pid: i32, address: u64) -> Vec<Vec<u8>> {
    let mut pointers = vec![0_u8; MOST_ARGUMENTS * 8];
    let got = process::read_memory(pid, address, &mut pointers);
    pointers[..got]
        .chunks_exact(8)
        .filter_map(|bytes| bytes.try_into().ok().map(u64::from_ne_bytes))
        .take_while(|pointer| *pointer != 0)
        .map(|pointer| text(pid, pointer))
        .collect()
}
