//! Processes: forks into namespaces, identities, limits, filters, waiting.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use super::{check, check_long};

/// Which side of a fork this is.
pub enum Fork {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Forks the calling process, which must have one thread only, into new namespaces.
///
/// The child dies with a signal to the parent as after `fork`. Single-threadedness is the caller's promise
/// (the launcher starts no thread); with it, the child's copy of the heap and its locks is consistent.
pub fn fork_into(namespaces: libc::c_int) -> io::Result<Fork> {
    let mut pidfd: RawFd = -1;
    // SAFETY: `clone_args` is plain data. Without CLONE_VM the child has its own copy of the whole address
    // space and continues on a copy of this stack, as after fork(2). The kernel writes one descriptor to
    // `pidfd`, in the parent only, which nobody else owns.
    unsafe {
        let mut args: libc::clone_args = std::mem::zeroed();
        args.flags = (libc::CLONE_PIDFD | namespaces) as u32 as u64;
        args.pidfd = (&raw mut pidfd) as u64;
        args.exit_signal = libc::SIGCHLD as u64;
        let pid = check_long(libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            size_of::<libc::clone_args>(),
        ))?;
        if pid == 0 {
            return Ok(Fork::Child);
        }
        Ok(Fork::Parent {
            pid: pid as i32,
            pidfd: OwnedFd::from_raw_fd(pidfd),
        })
    }
}

pub fn uid() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::geteuid() }
}

pub fn gid() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getegid() }
}

pub fn pid() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getpid() }
}

pub fn parent_pid() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getppid() }
}

/// Bytes in a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: no pointers. The value exists on every Linux.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
        .max(4096)
        .cast_unsigned()
}

pub fn drop_groups() -> io::Result<()> {
    // SAFETY: a length of zero makes the kernel ignore the pointer.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    Ok(())
}

/// Real, effective, saved and file-system ids.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    unsafe {
        check(libc::setresgid(gid, gid, gid))?;
        check(libc::setresuid(uid, uid, uid))?;
    }
    Ok(())
}

/// A `prctl` whose arguments are numbers.
pub fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: only called with options of this module's callers, none of which takes a pointer; unused
    // arguments are zero as the kernel demands.
    check(unsafe {
        libc::prctl(
            option,
            value,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
        )
    })
}

/// Empties the capability sets: permitted, effective, inheritable, ambient and bounding.
pub fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    const VERSION_3: u32 = 0x2008_0522;
    check(prctl_ambient_clear())?;
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(_) => {}
            // The first number the kernel does not know ends the list.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let data = [0_u32; 6];
    // SAFETY: version 3 reads one header and two triples of u32, which is what is passed.
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

fn prctl_ambient_clear() -> libc::c_int {
    // SAFETY: no pointers.
    unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
        )
    }
}

/// Sets soft and hard limit.
pub fn limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    // A limit above the inherited hard one would be refused: keep the smaller, it is the stricter.
    // SAFETY: both structures live over the calls.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        check(libc::getrlimit(resource, &raw mut now))?;
        let hard = hard.min(now.rlim_max);
        let new = libc::rlimit {
            rlim_cur: soft.min(hard),
            rlim_max: hard,
        };
        check(libc::setrlimit(resource, &raw const new))?;
    }
    Ok(())
}

pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length of one string; the kernel copies it.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

pub fn new_session() -> io::Result<()> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() })?;
    Ok(())
}

pub fn set_umask(mask: libc::mode_t) {
    // SAFETY: no pointers, cannot fail.
    unsafe { libc::umask(mask) };
}

/// Marks every descriptor from `first` on to be closed when a program is executed.
pub fn seal_from(first: libc::c_uint) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: no pointers, and nothing is closed yet.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            CLOSE_RANGE_CLOEXEC,
        )
    })?;
    Ok(())
}

/// Closes one inherited descriptor that no value of this process owns.
pub fn close_one(fd: RawFd) {
    // SAFETY: the caller, a fresh fork, passes the number of a descriptor whose owning value lives in a frame
    // it never returns to.
    unsafe { libc::close(fd) };
}

/// Makes `number` a copy of `fd` that survives exec.
pub fn place(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: callers place onto 0, 1 and 2 right before exec; no owner of those numbers is used after.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) })?;
    Ok(())
}

/// Replaces the process image; returns only the error.
pub fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| {
        let mut list: Vec<*const libc::c_char> = strings.iter().map(|text| text.as_ptr()).collect();
        list.push(std::ptr::null());
        list
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end with null and point to strings that live until the image is replaced.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends the process at once, without running destructors or flushing inherited buffers.
pub fn exit_now(code: libc::c_int) -> ! {
    // SAFETY: never returns, touches no memory.
    unsafe { libc::_exit(code) }
}

pub fn kill(pid: i32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::kill(pid, signal) })?;
    Ok(())
}

pub fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is new and wrapped once.
    unsafe {
        let fd = check_long(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

pub fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: the third argument may be null, meaning default signal information.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })?;
    Ok(())
}

/// A child that ended.
pub struct Ended {
    pub pid: i32,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub cpu: Duration,
    /// Bytes, of the largest process among it and the descendants it waited for.
    pub peak: u64,
}

/// Whether to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Block,
    Poll,
}

/// Reaps one child; none when none has ended (with [`Patience::Poll`]).
pub fn reap(pid: i32, patience: Patience) -> io::Result<Option<Ended>> {
    let flags = if patience == Patience::Poll {
        libc::WNOHANG
    } else {
        0
    } | libc::__WALL;
    loop {
        // SAFETY: zeroed rusage is valid; status and usage are writable over the call.
        let (result, status, usage) = unsafe {
            let mut status = 0;
            let mut usage: libc::rusage = std::mem::zeroed();
            (
                libc::wait4(pid, &raw mut status, flags, &raw mut usage),
                status,
                usage,
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        if result == 0 {
            return Ok(None);
        }
        return Ok(Some(Ended {
            pid: result,
            code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
            signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
            cpu: time_of(usage.ru_utime) + time_of(usage.ru_stime),
            peak: (usage.ru_maxrss as u64).saturating_mul(1024),
        }));
    }
}

fn time_of(value: libc::timeval) -> Duration {
    Duration::new(
        value.tv_sec.max(0) as u64,
        (value.tv_usec.max(0) as u32).saturating_mul(1000),
    )
}

/// Blocks SIGCHLD and returns a descriptor that becomes readable when a child ended.
pub fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before use; the descriptor is new.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        check(libc::sigemptyset(&raw mut set))?;
        check(libc::sigaddset(&raw mut set, libc::SIGCHLD))?;
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            &raw const set,
            std::ptr::null_mut(),
        ))?;
        let fd = check(libc::signalfd(
            -1,
            &raw const set,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Default actions and an empty mask, as a program expects to be started with.
pub fn reset_signals() -> io::Result<()> {
    // SAFETY: SIG_DFL needs no handler; the set is initialised before use.
    unsafe {
        for signal in 1..=64 {
            // SIGKILL, SIGSTOP and the two that libc keeps refuse; they are at their default anyway.
            let _ = libc::signal(signal, libc::SIG_DFL);
        }
        let mut set: libc::sigset_t = std::mem::zeroed();
        check(libc::sigemptyset(&raw mut set))?;
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const set,
            std::ptr::null_mut(),
        ))?;
    }
    Ok(())
}

/// Waits until one of `fds` has one of its events, or the time is over (none: for ever).
pub fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    // Rounded up, so that a deadline is past when the call returns for it.
    let milliseconds = timeout.map_or(-1, |time| {
        time.as_micros().div_ceil(1000).min(i32::MAX as u128) as libc::c_int
    });
    // SAFETY: pointer and length of one slice.
    match check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, milliseconds) }) {
        Ok(ready) => Ok(ready as usize),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

/// A pipe closed on exec: read end, write end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: the array has room for two; both are new and wrapped once.
    unsafe {
        check(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// One instruction of classic BPF (`struct sock_filter`).
pub type Instruction = libc::sock_filter;

/// Installs a seccomp filter; with `Listen` returns the notification descriptor.
pub fn install_filter(program: &[Instruction], listen: Listen) -> io::Result<Option<OwnedFd>> {
    let flags = match listen {
        Listen::No => 0,
        Listen::Yes { killable: true } => {
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        }
        Listen::Yes { killable: false } => libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
    };
    let length =
        u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` describes `program`, which the kernel only reads; with NEW_LISTENER the result is a
    // new descriptor, wrapped once.
    unsafe {
        let result = check_long(libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        ))?;
        Ok(match listen {
            Listen::No => None,
            Listen::Yes { .. } => Some(OwnedFd::from_raw_fd(result as RawFd)),
        })
    }
}

/// Whether a filter hands calls to an observer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    No,
    /// `killable`: the observed process can be killed while it waits (Linux 5.19).
    Yes {
        killable: bool,
    },
}

/// Version of the kernel's Landlock interface; zero when it has none.
pub fn landlock_version() -> u32 {
    const CREATE_RULESET_VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel wants a null pointer and zero length, and only answers a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// One observed call.
pub struct Observed {
    pub id: u64,
    pub pid: u32,
    pub number: libc::c_int,
    pub args: [u64; 6],
}

/// Takes the next observed call; none when its process is gone already.
pub fn observe(listener: BorrowedFd<'_>) -> io::Result<Option<Observed>> {
    // The kernel demands a zeroed buffer of its own current size; ours is far larger than any so far.
    #[repr(C, align(8))]
    struct Room([u8; 1024]);
    let mut room = Room([0; 1024]);
    // SAFETY: the buffer is larger than the kernel's structure (80 bytes) and aligned for it.
    unsafe {
        if libc::ioctl(
            listener.as_raw_fd(),
            IOCTL_RECV as _,
            (&raw mut room).cast::<libc::c_void>(),
        ) < 0
        {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
                _ => Err(error),
            };
        }
        let notice = (&raw const room).cast::<libc::seccomp_notif>().read();
        Ok(Some(Observed {
            id: notice.id,
            pid: notice.pid,
            number: notice.data.nr,
            args: notice.data.args,
        }))
    }
}

/// Whether the observed process still waits, so that what was read from it belongs to it.
pub fn still_waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads eight bytes.
    unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_VALID as _, &raw const id) == 0 }
}

/// Lets the call happen.
pub fn let_go(listener: BorrowedFd<'_>, id: u64) {
    #[repr(C, align(8))]
    struct Room([u8; 1024]);
    let mut room = Room([0; 1024]);
    // SAFETY: the buffer is larger than the response (24 bytes) and aligned for it. A failure means that the
    // process is gone, which needs no answer.
    unsafe {
        let response = (&raw mut room).cast::<libc::seccomp_notif_resp>();
        (*response).id = id;
        (*response).flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        let _ = libc::ioctl(
            listener.as_raw_fd(),
            IOCTL_SEND as _,
            response.cast::<libc::c_void>(),
        );
    }
}

// `SECCOMP_IOCTL_NOTIF_*` of linux/seccomp.h: _IOWR('!', 0, 80 bytes), _IOWR('!', 1, 24), _IOW('!', 2, 8).
const IOCTL_RECV: u64 = 0xc050_2100;
const IOCTL_SEND: u64 = 0xc018_2101;
const IOCTL_VALID: u64 = 0x4008_2102;

/// Reads another process's memory; returns how much of the buffer was filled, which may be less at
/// the end of a mapping.
pub fn read_memory(pid: i32, address: u64, buffer: &mut [u8]) -> usize {
    const PAGE: u64 = 4096;
    let mut done = 0;
    while done < buffer.len() {
        let at = address.wrapping_add(done as u64);
        // Page by page: a read that crosses into an unmapped page fails as a whole.
        let step = ((PAGE - at % PAGE) as usize).min(buffer.len() - done);
        // SAFETY: the local vector covers writable bytes of `buffer`; the remote address is only a number to
        // this process.
        let got = unsafe {
            let local = libc::iovec {
                iov_base: buffer.as_mut_ptr().add(done).cast(),
                iov_len: step,
            };
            let remote = libc::iovec {
                iov_base: at as usize as *mut libc::c_void,
                iov_len: step,
            };
            libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0)
        };
        if got <= 0 {
            break;
        }
        done += got as usize;
    }
    done
}

/// Frees the pages of a file between two offsets; its length stays.
pub fn punch_hole(file: BorrowedFd<'_>, from: u64, length: u64) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe {
        libc::fallocate(
            file.as_raw_fd(),
            libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            from.cast_signed(),
            length.cast_signed(),
        )
    })?;
    Ok(())
}
