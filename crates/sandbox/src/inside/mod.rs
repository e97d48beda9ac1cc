//! Process 1 of the sandbox: builds the root, starts the target, answers the supervisor.
//!
//! It holds capabilities over the sandbox's own namespaces only, never over the host's, and it is not dumpable:
//! the target, which has the same user id and no capability, cannot trace, read or signal it.
//! Order of events: [`sources`] (what is shown), [`root`] (mounts), [`net`] (loopback, names, catch-all),
//! [`target`] (the program's process), [`serve`] (the loop).

mod canary;
mod diff;
mod files;
mod filter;
mod net;
mod nft;
mod observe;
mod output;
mod root;
mod serve;
pub mod sources;
mod target;
mod tree;

use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::sys::process;
use crate::wire::{self, Answer, Failure, FailureKind, Order};

/// User and group id of the target as it sees itself.
pub const INSIDE_ID: u32 = 1000;

/// What the launcher hands over.
pub struct Start<'a> {
    pub order: &'a Order,
    /// The launcher's own socket, inherited by the fork; to be closed.
    pub launcher_control: RawFd,
    pub socket: UnixStream,
    /// Readable when the user maps are written; closed when the launcher died.
    pub go: OwnedFd,
    /// What root opened; none when this process opens it itself.
    pub opened: Option<sources::Sources>,
    /// Take the mapped identity before anything else (root started this).
    pub change_user: bool,
    /// A memory cgroup does the counting.
    pub memory_group: bool,
}

/// Becomes process 1; never returns.
pub fn main(start: Start<'_>) -> ! {
    let socket = match start.socket.try_clone() {
        Ok(socket) => socket,
        Err(_) => process::exit_now(1),
    };
    if let Err(failure) = run(start) {
        let _ = wire::send(&socket, &Answer::Failed(failure), &[], &[]);
    }
    process::exit_now(0)
}

fn run(start: Start<'_>) -> Result<(), Failure> {
    let Start {
        order,
        launcher_control,
        socket,
        go,
        opened,
        change_user,
        memory_group,
    } = start;
    let step = |what: &'static str| move |e: std::io::Error| Failure::step(what, &e);
    process::close_one(launcher_control);
    let mut byte = [0];
    let told = std::io::Read::read(&mut std::fs::File::from(go), &mut byte)
        .map_err(step("wait for the launcher"))?;
    if told != 1 {
        process::exit_now(1);
    }
    if change_user {
        process::become_user(INSIDE_ID, INSIDE_ID)
            .map_err(|e| Failure::of(FailureKind::Namespaces, "leave root", &e))?;
    }
    if process::uid() != INSIDE_ID || process::gid() != INSIDE_ID {
        return Err(Failure::step(
            "take the sandbox's identity",
            &std::io::Error::from_raw_os_error(libc::EPERM),
        ));
    }
    // After the change of identity, which clears it. Then not dumpable: nobody inside may look at us.
    process::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
        .map_err(step("tie life to the launcher"))?;
    process::prctl(libc::PR_SET_DUMPABLE, 0).map_err(step("hide process 1"))?;
    process::set_umask(0);
    process::set_host_name("sandbox").map_err(step("set the host name"))?;
    let mut sources = match opened {
        Some(opened) => opened,
        None => sources::open(order, None)?,
    };
    let lo = net::bring_up(order.isolated)?;
    let root = root::build(order, &mut sources)?;
    let net = net::listen(order.isolated, lo)?;
    serve::run(serve::Parts {
        order,
        socket,
        root,
        net,
        facts: sources.facts,
        memory_group,
    })
}
