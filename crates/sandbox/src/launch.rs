//! The launcher: a re-executed, single-threaded process that makes the namespaces and then guards them.
//!
//! It stays outside, waits for the supervisor or the sandbox to end, and removes what is left. When it
//! is killed itself, process 1 of the sandbox dies with it (parent-death signal), and with that everything
//! inside. When the supervisor is killed, its end of the socket closes and its pidfd fires.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::cgroup::Groups;
use crate::inside::{self, INSIDE_ID, sources};
use crate::sys::process::{self, Fork, Patience};
use crate::wire::{self, Failure, FailureKind, FromLauncher, Order};

/// Argument that turns a program with [`crate::reexec_hook`] into a launcher. Its standard input is the
/// control socket.
pub const ARGUMENT: &str = "--solvent-sandbox-launcher";

/// First user id for sandboxes started by root: far above what accounts use, and one for each sandbox, so
/// that two sandboxes have no files, processes or kernel quotas in common.
const FIRST_UID: u32 = 1_700_000_000;
const NOBODY: u32 = 65_534;

const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Runs as the launcher and ends the process.
pub fn run(control: UnixStream) -> ! {
    let order = match wire::receive::<Order>(&control) {
        Ok(letter) => letter.head,
        Err(_) => process::exit_now(1),
    };
    match guard(&control, order) {
        Ok(()) => process::exit_now(0),
        Err(failure) => {
            // The supervisor may be gone; then nobody is left to tell.
            let _ = wire::send(&control, &FromLauncher::Failed(failure), &[], &[]);
            process::exit_now(1)
        }
    }
}

/// Whose identity the sandbox gets on the host.
#[derive(Clone, Copy)]
struct Outside {
    uid: u32,
    gid: u32,
    /// Started as root and able to become somebody else.
    real_root: bool,
}

fn guard(control: &UnixStream, order: Order) -> Result<(), Failure> {
    // A fork copies one thread only; locks that others hold would stay locked for ever in the child.
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Failure::step(
            format!(
                "start with one thread, not {threads} (`reexec_hook` must be the first line of `main`)"
            ),
            &io::Error::from_raw_os_error(libc::EINVAL),
        ));
    }
    // A session of its own: the terminal's interrupt goes to the supervisor, which stops us in order.
    let _ = process::new_session();
    let supervisor = supervisor(&order)?;
    let outside = outside(&order)?;
    if outside.real_root {
        process::drop_groups().map_err(|e| Failure::step("leave root's groups", &e))?;
        // Process 1 inherits this; the target raises its own. Best effort: only real root may.
        let _ = fs::write("/proc/self/oom_score_adj", "-500");
    }
    // As root, what root may open is opened now, before anybody unprivileged exists.
    let opened = if outside.real_root {
        let mut maps = IdMaps {
            outside,
            made: Vec::new(),
        };
        Some(sources::open(&order, Some(&mut maps))?)
    } else {
        None
    };
    let groups = Groups::create(&order);
    let result = start_and_wait(
        control,
        &order,
        outside,
        opened,
        &groups,
        supervisor.as_fd(),
    );
    let peak = groups.peak_memory();
    groups.remove();
    let ended = result?;
    let gone = FromLauncher::Gone {
        cpu_us: ended.cpu.as_micros().try_into().unwrap_or(u64::MAX),
        peak: peak.or(Some(ended.peak)),
    };
    let _ = wire::send(control, &gone, &[], &[]);
    Ok(())
}

fn supervisor(order: &Order) -> Result<OwnedFd, Failure> {
    let pidfd = process::open_pidfd(order.supervisor)
        .map_err(|e| Failure::step("watch the supervisor", &e))?;
    // Checked after opening: had the supervisor died before, we would have another parent now.
    if process::parent_pid() != order.supervisor {
        return Err(Failure::step(
            "watch the supervisor",
            &io::Error::from_raw_os_error(libc::ESRCH),
        ));
    }
    Ok(pidfd)
}

fn outside(order: &Order) -> Result<Outside, Failure> {
    let (uid, gid) = (process::uid(), process::gid());
    if uid != 0 {
        return Ok(Outside {
            uid,
            gid,
            real_root: false,
        });
    }
    let map = fs::read_to_string("/proc/self/uid_map")
        .map_err(|e| Failure::step("read `/proc/self/uid_map`", &e))?;
    let groups = fs::read_to_string("/proc/self/gid_map")
        .map_err(|e| Failure::step("read `/proc/self/gid_map`", &e))?;
    let wanted = FIRST_UID + number_of(&order.name);
    for id in [wanted, NOBODY] {
        if covers(&map, id) && covers(&groups, id) {
            return Ok(Outside {
                uid: id,
                gid: id,
                real_root: true,
            });
        }
    }
    // Root of a user namespace that holds nobody else: as powerless outside as any user.
    Ok(Outside {
        uid,
        gid,
        real_root: false,
    })
}

/// The supervisor's pid and counter as one number below 2^28.
fn number_of(name: &str) -> u32 {
    let mut parts = name.rsplit('-').filter_map(|part| part.parse::<u64>().ok());
    let (count, pid) = (parts.next().unwrap_or(0), parts.nth(1).unwrap_or(0));
    u32::try_from((pid % 262_144) * 1_000 + count % 1_000).unwrap_or(0)
}

fn covers(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line
            .split_whitespace()
            .filter_map(|text| text.parse::<u64>().ok());
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(first), Some(_), Some(count)) => (first..first + count).contains(&u64::from(id)),
            _ => false,
        }
    })
}

fn start_and_wait(
    control: &UnixStream,
    order: &Order,
    outside: Outside,
    opened: Option<sources::Sources>,
    groups: &Groups,
    supervisor: BorrowedFd<'_>,
) -> Result<process::Ended, Failure> {
    let (ours, theirs) =
        crate::sys::sockets::pair().map_err(|e| Failure::step("make a socket pair", &e))?;
    let (go_read, go_write) = process::pipe().map_err(|e| Failure::step("make a pipe", &e))?;
    let fork = process::fork_into(NAMESPACES)
        .map_err(|e| Failure::of(FailureKind::Namespaces, "clone3", &e))?;
    let (pid, pidfd) = match fork {
        Fork::Child => {
            drop((ours, go_write));
            inside::main(inside::Start {
                order,
                launcher_control: control.as_raw_fd(),
                socket: UnixStream::from(theirs),
                go: go_read,
                opened,
                change_user: outside.real_root,
                memory_group: groups.limits_memory(),
            })
        }
        Fork::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop((theirs, go_read, opened));
    let ready = write_maps(
        pid,
        outside,
        [(INSIDE_ID, outside.uid)],
        [(INSIDE_ID, outside.gid)],
    )
    .and_then(|()| groups.admit(pid));
    let result = match ready {
        Ok(()) => {
            let started = FromLauncher::Started {
                groups: groups.paths(),
                real_root: outside.real_root,
            };
            wire::send(control, &started, &[], &[ours.as_fd()])
                .and_then(|()| fs::File::from(go_write).write_all(b"1"))
                .map_err(|e| Failure::step("answer the supervisor", &e))
        }
        Err(failure) => Err(failure),
    };
    drop(ours);
    if result.is_ok() {
        wait(control, supervisor, pidfd.as_fd());
    }
    // Killing process 1 makes the kernel kill everything in its PID namespace; reaping it returns only
    // when all of that is gone.
    let _ = process::signal_pidfd(pidfd.as_fd(), libc::SIGKILL);
    let ended = process::reap(pid, Patience::Block)
        .map_err(|e| Failure::step("wait for the sandbox", &e))?;
    result?;
    ended.ok_or_else(|| {
        Failure::step(
            "wait for the sandbox",
            &io::Error::from_raw_os_error(libc::ECHILD),
        )
    })
}

/// Returns when the supervisor asks for the end, is gone, or the sandbox ended by itself.
fn wait(control: &UnixStream, supervisor: BorrowedFd<'_>, inside: BorrowedFd<'_>) {
    let mut fds = [
        control.as_raw_fd(),
        supervisor.as_raw_fd(),
        inside.as_raw_fd(),
    ]
    .map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    loop {
        match process::poll(&mut fds, None) {
            Ok(0) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Writes the user and group maps of a child in a new user namespace: (inside, outside) pairs.
fn write_maps<const U: usize, const G: usize>(
    pid: i32,
    outside: Outside,
    users: [(u32, u32); U],
    groups: [(u32, u32); G],
) -> Result<(), Failure> {
    let lines = |pairs: &[(u32, u32)]| {
        pairs
            .iter()
            .map(|(inside, outside)| format!("{inside} {outside} 1\n"))
            .collect::<String>()
    };
    let write = |file: &str, text: &str| {
        fs::write(format!("/proc/{pid}/{file}"), text)
            .map_err(|e| Failure::of(FailureKind::Namespaces, format!("write `{file}`"), &e))
    };
    if !outside.real_root {
        write("setgroups", "deny")?;
    }
    write("gid_map", &lines(&groups))?;
    write("uid_map", &lines(&users))
}

/// User namespaces that exist only to describe how a mount's owners are shown ("idmapped mounts").
pub struct IdMaps {
    outside: Outside,
    made: Vec<((u32, u32), OwnedFd)>,
}

impl IdMaps {
    /// A namespace that shows files of `owner` (user, group) as the sandbox's own, others as they are.
    pub fn for_owner(&mut self, owner: (u32, u32)) -> Result<BorrowedFd<'_>, Failure> {
        let at = match self.made.iter().position(|(made, _)| *made == owner) {
            Some(at) => at,
            None => {
                let made = self.make(owner)?;
                self.made.push((owner, made));
                self.made.len() - 1
            }
        };
        Ok(self.made[at].1.as_fd())
    }

    fn make(&self, owner: (u32, u32)) -> Result<OwnedFd, Failure> {
        let failed = |what: &str, e: io::Error| Failure::step(what, &e);
        let (hold_read, hold_write) = process::pipe().map_err(|e| failed("make a pipe", e))?;
        let fork = process::fork_into(libc::CLONE_NEWUSER)
            .map_err(|e| Failure::of(FailureKind::Namespaces, "clone3", &e))?;
        let (pid, pidfd) = match fork {
            Fork::Child => {
                drop(hold_write);
                // Lives only until the launcher has its namespace (or dies: the pipe closes).
                let _ = fs::File::from(hold_read).read(&mut [0]);
                process::exit_now(0)
            }
            Fork::Parent { pid, pidfd } => (pid, pidfd),
        };
        drop(hold_read);
        let namespace = self.describe(pid, owner);
        drop(hold_write);
        let _ = process::signal_pidfd(pidfd.as_fd(), libc::SIGKILL);
        process::reap(pid, Patience::Block).map_err(|e| failed("wait for a helper", e))?;
        namespace
    }

    fn describe(&self, pid: i32, owner: (u32, u32)) -> Result<OwnedFd, Failure> {
        for (file, theirs, ours) in [
            ("gid_map", owner.1, self.outside.gid),
            ("uid_map", owner.0, self.outside.uid),
        ] {
            let path = format!("/proc/{pid}/{file}");
            fs::write(&path, identity_except(theirs, ours))
                .or_else(|_| fs::write(&path, format!("{theirs} {ours} 1\n")))
                .map_err(|e| {
                    Failure::of(
                        FailureKind::Namespaces,
                        format!("write `{file}` of a helper"),
                        &e,
                    )
                })?;
        }
        let file = fs::File::open(format!("/proc/{pid}/ns/user"))
            .map_err(|e| Failure::step("open a helper's user namespace", &e))?;
        Ok(file.into())
    }
}

/// A map that sends `theirs` to `ours` and every other id, except `ours`, to itself. Ids end below
/// 2^32 - 1, which is no id.
fn identity_except(theirs: u32, ours: u32) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{theirs} {ours} 1\n");
    let mut from = 0_u64;
    let mut stops = [u64::from(theirs), u64::from(ours)];
    stops.sort_unstable();
    for stop in stops.into_iter().chain([u64::from(u32::MAX)]) {
        if stop > from {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{from} {from} {}", stop - from);
        }
        from = from.max(stop + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_map_has_no_overlap_and_leaves_out_our_own_id() {
        assert_eq!(
            identity_except(0, 1000),
            "0 1000 1\n1 1 999\n1001 1001 4294966294\n"
        );
        assert_eq!(
            identity_except(1000, 5),
            "1000 5 1\n0 0 5\n6 6 994\n1001 1001 4294966294\n"
        );
        assert_eq!(identity_except(7, 7), "7 7 1\n0 0 7\n8 8 4294967287\n");
    }

    #[test]
    fn a_map_covers_only_its_ranges() {
        assert!(covers("0 100000 65536\n", 65_534));
        assert!(!covers("0 100000 65536\n", 65_536));
        assert!(!covers("0 1000 1\n", 65_534));
        assert!(covers("0 0 4294967295\n", FIRST_UID));
    }

    #[test]
    fn sandboxes_of_one_supervisor_get_different_users() {
        assert_ne!(
            number_of("solvent-77-5000-1"),
            number_of("solvent-77-5000-2")
        );
        assert_ne!(
            number_of("solvent-77-5000-1"),
            number_of("solvent-78-5000-1")
        );
    }
}
