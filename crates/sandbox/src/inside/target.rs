//! The target's own process: no capability, no new privileges, limits, Landlock, filter; then the program.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};

use super::filter::{self, Counted, Execs};
use crate::sys::process::{self, Fork, Listen};
use crate::sys::{c_bytes, sockets};
use crate::wire::Order;

/// A started target.
pub struct Target {
    pub pid: i32,
    /// Standard output and error.
    pub output: OwnedFd,
    /// Closed without a word when the program was executed; else a line says what failed.
    pub failed: OwnedFd,
    /// Over which the observer's descriptor comes, when asked for.
    pub observer: Option<OwnedFd>,
}

/// Forks and prepares the target.
pub fn start(order: &Order, memory_group: bool) -> io::Result<Target> {
    let (output, output_write) = process::pipe()?;
    let (failed, failed_write) = process::pipe()?;
    let (observer, observer_theirs) = if order.observe_exec {
        Some(sockets::pair()?)
    } else {
        None
    }
    .map_or((None, None), |(a, b)| (Some(a), Some(b)));
    match process::fork_into(0)? {
        Fork::Child => {
            let error = become_target(order, memory_group, &output_write, observer_theirs.as_ref());
            let line = format!("{}\n{}", error.errno, error.what);
            let _ = fs::File::from(failed_write).write_all(line.as_bytes());
            process::exit_now(127)
        }
        Fork::Parent { pid, .. } => Ok(Target {
            pid,
            output,
            failed,
            observer,
        }),
    }
}

/// What failed before the program ran. `program` steps are told from the rest by their name.
struct Stopped {
    errno: i32,
    what: String,
}

/// Prefix of a failure that is about the program, not about the sandbox.
pub const PROGRAM: &str = "program ";

fn stopped(what: &'static str) -> impl FnOnce(io::Error) -> Stopped {
    move |error| Stopped {
        errno: crate::wire::errno_of(&error),
        what: what.to_owned(),
    }
}

/// Returns only when something failed.
fn become_target(
    order: &Order,
    memory_group: bool,
    output: &OwnedFd,
    observer: Option<&OwnedFd>,
) -> Stopped {
    match prepare(order, memory_group, output, observer) {
        Err(stopped) => stopped,
        Ok(()) => execute(order),
    }
}

fn prepare(
    order: &Order,
    memory_group: bool,
    output: &OwnedFd,
    observer: Option<&OwnedFd>,
) -> Result<(), Stopped> {
    process::reset_signals().map_err(stopped("reset signals"))?;
    process::new_session().map_err(stopped("start a session"))?;
    // Own files of `/proc/self` belong to us again; exec sets this anyway.
    process::prctl(libc::PR_SET_DUMPABLE, 1).map_err(stopped("own our own process"))?;
    // The kernel is to choose the target, never process 1, when memory runs out.
    fs::write("/proc/self/oom_score_adj", "500")
        .map_err(stopped("volunteer for the memory killer"))?;
    let null = fs::File::open("/dev/null").map_err(stopped("open `/dev/null`"))?;
    process::place(null.as_fd(), 0).map_err(stopped("set standard input"))?;
    process::place(output.as_fd(), 1).map_err(stopped("set standard output"))?;
    process::place(output.as_fd(), 2).map_err(stopped("set standard error"))?;
    process::seal_from(3).map_err(stopped("seal descriptors"))?;
    set_limits(order, memory_group).map_err(stopped("set limits"))?;
    let workdir = Path::new(OsStr::from_bytes(&order.workdir));
    std::env::set_current_dir(workdir).map_err(|error| Stopped {
        errno: crate::wire::errno_of(&error),
        what: format!("{PROGRAM}working directory {}", workdir.display()),
    })?;
    process::set_umask(0o022);
    process::drop_capabilities().map_err(stopped("drop capabilities"))?;
    process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(stopped("forbid new privileges"))?;
    confine_files().map_err(|error| Stopped {
        errno: libc::EPERM,
        what: format!("apply landlock: {error}"),
    })?;
    install(observer, memory_group).map_err(stopped("install the seccomp filter"))
}

fn set_limits(order: &Order, memory_group: bool) -> io::Result<()> {
    // Counted per user in this user namespace, so process 1 is in it.
    let processes = order.processes.saturating_add(1);
    process::limit(libc::RLIMIT_NPROC, processes, processes)?;
    process::limit(
        libc::RLIMIT_CPU,
        order.cpu_seconds,
        order.cpu_seconds.saturating_add(1),
    )?;
    process::limit(libc::RLIMIT_FSIZE, order.disk_bytes, order.disk_bytes)?;
    process::limit(libc::RLIMIT_NOFILE, order.open_files, order.open_files)?;
    process::limit(libc::RLIMIT_CORE, 0, 0)?;
    process::limit(libc::RLIMIT_MEMLOCK, 8 << 20, 8 << 20)?;
    process::limit(libc::RLIMIT_MSGQUEUE, 819_200, 819_200)?;
    if !memory_group {
        // Private writable memory. Not address space, of which some runtimes reserve far more than they use.
        process::limit(libc::RLIMIT_DATA, order.memory_bytes, order.memory_bytes)?;
    }
    Ok(())
}

/// Second layer under the mounts: whatever is not below this root, however it was come by, cannot be opened
/// by path; no device node can be made; signals and abstract sockets stay among the target's own.
fn confine_files() -> Result<(), String> {
    let words = |error: landlock::RulesetError| error.to_string();
    let abi = ABI::V6;
    let all: BitFlags<AccessFs> = AccessFs::from_all(abi);
    let granted = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let root = PathFd::new("/").map_err(|error| error.to_string())?;
    // The default is "as much as the kernel knows": older kernels get less of this layer, `probe` says so.
    Ruleset::default()
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.add_rule(PathBeneath::new(root, granted)))
        .and_then(|rules| rules.restrict_self())
        .map_err(words)?;
    Ok(())
}

fn install(observer: Option<&OwnedFd>, memory_group: bool) -> io::Result<()> {
    let counted = if memory_group {
        Counted::ByGroup
    } else {
        Counted::ByProcess
    };
    let Some(observer) = observer else {
        process::install_filter(&filter::program(Execs::Silent, counted), Listen::No)?;
        return Ok(());
    };
    let program = filter::program(Execs::Observed, counted);
    let listener = match process::install_filter(&program, Listen::Yes { killable: true }) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            process::install_filter(&program, Listen::Yes { killable: false })?
        }
        other => other?,
    };
    if let Some(listener) = listener {
        sockets::send(observer.as_fd(), b"l", &[listener.as_fd()])?;
    }
    Ok(())
}

fn execute(order: &Order) -> Stopped {
    let strings = |list: &[Vec<u8>]| {
        list.iter()
            .map(|bytes| c_bytes(bytes))
            .collect::<io::Result<Vec<CString>>>()
    };
    let (argv, env) = match (strings(&order.argv), strings(&order.env)) {
        (Ok(argv), Ok(env)) => (argv, env),
        (Err(error), _) | (_, Err(error)) => return stopped("read the command")(error),
    };
    let program = Path::new(OsStr::from_bytes(
        order.argv.first().map_or(b"", Vec::as_slice),
    ));
    let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
    for path in candidates(program, &order.env) {
        if let Ok(path) = crate::sys::c_path(&path) {
            let error = process::execute(&path, &argv, &env);
            // A file that exists but may not run says more than one that is not there.
            if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
                worst = error;
            }
        }
    }
    Stopped {
        errno: crate::wire::errno_of(&worst),
        what: format!("{PROGRAM}{}", program.display()),
    }
}

fn candidates(program: &Path, env: &[Vec<u8>]) -> Vec<PathBuf> {
    if program.as_os_str().as_bytes().contains(&b'/') {
        return vec![program.to_path_buf()];
    }
    let path = env
        .iter()
        .find_map(|entry| entry.strip_prefix(b"PATH="))
        .unwrap_or(b"/usr/bin:/bin");
    path.split(|byte| *byte == b':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(OsStr::from_bytes(folder)).join(program))
        .collect()
}
