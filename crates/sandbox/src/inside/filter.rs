//! The target's seccomp filter: refuse what opens kernel surface and is no part of a web application.
//!
//! A deny-list, because the boundary is the namespaces; this makes it thicker. The filter decides on call
//! numbers and arguments in registers only, never on memory that could change under it.

use crate::sys::process::Instruction;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Numbers at and above this are the x32 interface of x86-64, which would bypass comparisons.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;

const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// Low half of an argument on a little-endian machine.
const fn arg(i: u32) -> u32 {
    16 + 8 * i
}

/// All namespaces, and `CLONE_NEWTIME` (0x80).
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;
const NEW_TIME: u32 = 0x80;

/// Set-user-id and set-group-id: a program so marked in an output folder would be a way to the host's users.
const SET_ID: u32 = 0o6000;

/// Refused with EPERM.
const REFUSED: &[libc::c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Kernel keys are not namespaced by all kernels.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Kernel programming and tracing.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_lookup_dcookie,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    // The machine's clock and name.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS__sysctl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_nfsservctl,
];
#[cfg(target_arch = "aarch64")]
const REFUSED_HERE: &[libc::c_long] = &[libc::SYS_nfsservctl];

/// Answered as if the kernel did not have them: their arguments lie in memory, where a filter cannot judge
/// them, and every C library falls back to calls whose arguments it can.
const UNKNOWN: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_memfd_secret,
    libc::SYS_quotactl_fd,
];

/// Calls that carry a file mode: (number, argument with the mode).
const MODES: &[(libc::c_long, u32)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (SYS_FCHMODAT2, 2),
    (libc::SYS_mknodat, 2),
];
const SYS_FCHMODAT2: libc::c_long = 452;

/// Calls whose mode counts only when they create: (number, argument with flags, argument with the mode).
const OPENS: &[(libc::c_long, u32, u32)] = &[(libc::SYS_openat, 2, 3)];
/// `O_CREAT` and the bit of `O_TMPFILE` that `O_DIRECTORY` does not share.
const CREATES: u32 = libc::O_CREAT as u32 | 0o20_000_000;

#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(libc::c_long, u32)] = &[
    (libc::SYS_chmod, 1),
    (libc::SYS_creat, 1),
    (libc::SYS_mknod, 1),
];
#[cfg(target_arch = "x86_64")]
const OPENS_HERE: &[(libc::c_long, u32, u32)] = &[(libc::SYS_open, 1, 2)];
#[cfg(target_arch = "aarch64")]
const OPENS_HERE: &[(libc::c_long, u32, u32)] = &[];
#[cfg(target_arch = "aarch64")]
const MODES_HERE: &[(libc::c_long, u32)] = &[];

/// Families a socket may have. Others (AF_VSOCK above all) reach past the network namespace or into
/// rarely used kernel code.
const FAMILIES: &[libc::c_int] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Whether `execve` and `execveat` are shown to the observer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Execs {
    Silent,
    Observed,
}

/// Who counts memory that belongs to no process: anonymous files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A control group does.
    ByGroup,
    /// Nobody could, so there are none; programs fall back to files in the throw-away tmpfs.
    ByProcess,
}

/// The whole program.
pub fn program(execs: Execs, counted: Counted) -> Vec<Instruction> {
    let mut code = vec![
        op(LOAD, 0, 0, ARCH),
        op(EQUAL, 1, 0, ARCHITECTURE),
        op(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        op(LOAD, 0, 0, NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    code.extend([
        op(AT_LEAST, 0, 1, X32),
        op(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
    ]);
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    for call in REFUSED.iter().chain(REFUSED_HERE) {
        answer(&mut code, *call, refuse);
    }
    for call in UNKNOWN {
        answer(&mut code, *call, unknown);
    }
    if counted == Counted::ByProcess {
        answer(&mut code, libc::SYS_memfd_create, unknown);
    }
    // clone takes its flags in the first argument on both architectures.
    for (call, bits) in [
        (libc::SYS_clone, NEW_NAMESPACES),
        (libc::SYS_unshare, NEW_NAMESPACES | NEW_TIME),
    ] {
        when(
            &mut code,
            call,
            &[
                op(LOAD, 0, 0, arg(0)),
                op(ANY_BIT, 0, 1, bits),
                op(RETURN, 0, 0, refuse),
            ],
        );
    }
    for (call, mode) in MODES.iter().chain(MODES_HERE) {
        when(
            &mut code,
            *call,
            &[
                op(LOAD, 0, 0, arg(*mode)),
                op(ANY_BIT, 0, 1, SET_ID),
                op(RETURN, 0, 0, refuse),
            ],
        );
    }
    for (call, flags, mode) in OPENS.iter().chain(OPENS_HERE) {
        let body = [
            op(LOAD, 0, 0, arg(*flags)),
            op(ANY_BIT, 0, 3, CREATES),
            op(LOAD, 0, 0, arg(*mode)),
            op(ANY_BIT, 0, 1, SET_ID),
            op(RETURN, 0, 0, refuse),
        ];
        when(&mut code, *call, &body);
    }
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        let mut body = vec![op(LOAD, 0, 0, arg(0))];
        for (i, family) in FAMILIES.iter().enumerate() {
            body.push(op(EQUAL, (FAMILIES.len() - i) as u8, 0, *family as u32));
        }
        body.push(op(
            RETURN,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32,
        ));
        when(&mut code, call, &body);
    }
    // Only its own limits: process 1 has the same user id.
    when(
        &mut code,
        libc::SYS_prlimit64,
        &[
            op(LOAD, 0, 0, arg(0)),
            op(EQUAL, 1, 0, 0),
            op(RETURN, 0, 0, refuse),
        ],
    );
    // Typing into a terminal, or pasting through a virtual console.
    when(
        &mut code,
        libc::SYS_ioctl,
        &[
            op(LOAD, 0, 0, arg(1)),
            op(EQUAL, 1, 0, libc::TIOCSTI as u32),
            op(EQUAL, 0, 1, libc::TIOCLINUX as u32),
            op(RETURN, 0, 0, refuse),
        ],
    );
    if execs == Execs::Observed {
        for call in [libc::SYS_execve, libc::SYS_execveat] {
            answer(&mut code, call, libc::SECCOMP_RET_USER_NOTIF);
        }
    }
    code.push(op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    code
}

fn op(code: u16, if_true: u8, if_false: u8, value: u32) -> Instruction {
    Instruction {
        code,
        jt: if_true,
        jf: if_false,
        k: value,
    }
}

/// Returns `verdict` for one call. The accumulator holds the call's number before and after.
fn answer(code: &mut Vec<Instruction>, call: libc::c_long, verdict: u32) {
    code.extend([op(EQUAL, 0, 1, call as u32), op(RETURN, 0, 0, verdict)]);
}

/// Runs `body` for one call; a body that falls through goes on to what follows, with the number loaded
/// again.
fn when(code: &mut Vec<Instruction>, call: libc::c_long, body: &[Instruction]) {
    code.push(op(EQUAL, 0, body.len() as u8, call as u32));
    code.extend_from_slice(body);
    code.push(op(LOAD, 0, 0, NUMBER));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would (only the instructions it is made of).
    fn judge(program: &[Instruction], number: i64, args: [u64; 6]) -> u32 {
        let mut data = [0_u8; 64];
        data[0..4].copy_from_slice(&(number as u32).to_le_bytes());
        data[4..8].copy_from_slice(&ARCHITECTURE.to_le_bytes());
        for (i, value) in args.iter().enumerate() {
            data[16 + 8 * i..24 + 8 * i].copy_from_slice(&value.to_le_bytes());
        }
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let instruction = program[at];
            at += 1;
            let jump = |taken: bool| {
                usize::from(if taken {
                    instruction.jt
                } else {
                    instruction.jf
                })
            };
            match instruction.code {
                LOAD => {
                    let from = instruction.k as usize;
                    accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                }
                RETURN => return instruction.k,
                EQUAL => at += jump(accumulator == instruction.k),
                AT_LEAST => at += jump(accumulator >= instruction.k),
                ANY_BIT => at += jump(accumulator & instruction.k != 0),
                other => panic!("unexpected instruction {other}"),
            }
        }
    }

    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

    #[test]
    fn ordinary_calls_pass() {
        let program = program(Execs::Silent, Counted::ByGroup);
        for (number, args) in [
            (libc::SYS_read, [0; 6]),
            (libc::SYS_execve, [0; 6]),
            (libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]),
            (libc::SYS_openat, [0, 0, 0o101, 0o644, 0, 0]),
            // Without O_CREAT the mode is whatever the register held.
            (libc::SYS_openat, [0, 0, 0, 0o6777, 0, 0]),
            (libc::SYS_socket, [libc::AF_INET6 as u64, 1, 0, 0, 0, 0]),
            (libc::SYS_socket, [libc::AF_NETLINK as u64, 1, 0, 0, 0, 0]),
            (libc::SYS_prlimit64, [0; 6]),
            (libc::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0]),
            (libc::SYS_unshare, [libc::CLONE_FILES as u64, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(
                judge(&program, number, args),
                libc::SECCOMP_RET_ALLOW,
                "call {number}"
            );
        }
    }

    #[test]
    fn dangerous_calls_are_refused() {
        let program = program(Execs::Silent, Counted::ByGroup);
        for (number, args) in [
            (libc::SYS_mount, [0; 6]),
            (libc::SYS_nfsservctl, [0; 6]),
            (libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0]),
            (libc::SYS_unshare, [0x80, 0, 0, 0, 0, 0]),
            (libc::SYS_fchmod, [3, 0o4755, 0, 0, 0, 0]),
            (libc::SYS_openat, [0, 0, 0o101, 0o2755, 0, 0]),
            (libc::SYS_prlimit64, [1, 0, 0, 0, 0, 0]),
            (libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0]),
            (libc::SYS_ioctl, [0, libc::TIOCLINUX, 0, 0, 0, 0]),
        ] {
            assert_eq!(judge(&program, number, args), REFUSE, "call {number}");
        }
        let vsock = judge(
            &program,
            libc::SYS_socket,
            [libc::AF_VSOCK as u64, 1, 0, 0, 0, 0],
        );
        assert_eq!(vsock, libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32);
        assert_eq!(
            judge(&program, libc::SYS_clone3, [0; 6]),
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32
        );
    }

    #[test]
    fn anonymous_files_exist_only_where_they_are_counted() {
        let allowed = program(Execs::Silent, Counted::ByGroup);
        let refused = program(Execs::Silent, Counted::ByProcess);
        assert_eq!(
            judge(&allowed, libc::SYS_memfd_create, [0; 6]),
            libc::SECCOMP_RET_ALLOW
        );
        let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        assert_eq!(judge(&refused, libc::SYS_memfd_create, [0; 6]), unknown);
    }

    #[test]
    fn the_observer_sees_executions_and_nothing_else() {
        let program = program(Execs::Observed, Counted::ByGroup);
        assert_eq!(
            judge(&program, libc::SYS_execve, [0; 6]),
            libc::SECCOMP_RET_USER_NOTIF
        );
        assert_eq!(
            judge(&program, libc::SYS_openat, [0; 6]),
            libc::SECCOMP_RET_ALLOW
        );
        assert!(
            program.len() < 4096,
            "the kernel takes at most 4096 instructions"
        );
    }
}
