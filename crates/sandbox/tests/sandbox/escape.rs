//! Ways out that must not exist: the host's files, network, processes, and powers over the sandbox itself.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use solvent_sandbox::{Access, Instance as _, RunState, SandboxError};

use crate::support::*;

const TIME: Duration = Duration::from_secs(20);

#[test]
fn nothing_outside_can_be_written() {
    as_root_and_plain_user("escape::nothing_outside_can_be_written", || {
        let app = tempfile::tempdir().unwrap();
        let mark = format!("slv-escape-{}", std::process::id());
        let folders = "/ /etc /usr /usr/bin /var /var/tmp /opt /tmp /home /root /srv /run /dev /dev/shm /proc /proc/sys /sys /slv /app /mnt";
        let script = format!(
            "for d in {folders}; do echo x > $d/{mark} 2>/dev/null; mkdir $d/{mark}.d 2>/dev/null; done; exit 0"
        );
        let mut spec = spec(&["sh", "-c", &script]);
        spec.layers.push(layer(app.path(), "/app", Access::Overlay));
        let mut instance = start(&spec);
        let (state, output) = finish(&mut instance);
        assert_eq!(
            state,
            RunState::Exited {
                code: Some(0),
                signal: None
            },
            "{output}"
        );
        // The attempt itself worked where it may.
        assert!(
            instance
                .writes()
                .unwrap()
                .iter()
                .any(|w| w.inside == Path::new("/tmp").join(&mark))
        );
        drop(instance);
        for folder in folders.split(' ') {
            assert!(!Path::new(folder).join(&mark).exists(), "{folder}");
            assert!(
                !Path::new(folder).join(format!("{mark}.d")).exists(),
                "{folder}"
            );
        }
        assert_eq!(fs::read_dir(app.path()).unwrap().count(), 0);
    });
}

#[test]
fn private_files_of_the_host_cannot_be_read() {
    as_root_and_plain_user("escape::private_files_of_the_host_cannot_be_read", || {
        let secret = format!("private-{}", std::process::id());
        let mut places = vec![tempfile::tempdir().unwrap()];
        for folder in ["/var/tmp", "/opt", "/etc", "/root", "/dev/shm"] {
            // A plain user can plant only in some of them.
            places.extend(tempfile::tempdir_in(folder));
        }
        let mut files = vec!["/etc/shadow".to_owned(), "/etc/gshadow".to_owned()];
        for place in &places {
            let file = place.path().join("secret");
            fs::write(&file, &secret).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
            files.push(file.display().to_string());
        }
        let (_, output) = shell(&format!(
            "for f in {}; do cat $f && echo READ $f; done; ls -A /root /home /run /srv; cat /etc/passwd | head -1",
            files.join(" ")
        ));
        assert!(!output.contains("READ"), "{output}");
        assert!(!output.contains(&secret), "{output}");
        assert!(
            output.ends_with("/root:\n\n/run:\n\n/srv:\nsolvent:x:1000:1000::/tmp:/bin/sh\n"),
            "{output}"
        );
    });
}

#[test]
fn what_a_plain_user_owns_in_shared_folders_is_covered() {
    const TEST: &str = "escape::what_a_plain_user_owns_in_shared_folders_is_covered";
    const OWNED: &str = "SLV_OWNED";
    if !is_again() {
        if !is_root() {
            unmeasured(&format!(
                "{TEST}: only root can give folders there to a user"
            ));
            return;
        }
        let places = ["/opt", "/var/lib"].map(|folder| tempfile::tempdir_in(folder).unwrap());
        for place in &places {
            let file = place.path().join("secret");
            fs::write(&file, "own-and-private").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            for path in [place.path(), &file] {
                std::os::unix::fs::chown(path, Some(PLAIN_UID), Some(PLAIN_UID)).unwrap();
            }
        }
        let list = places
            .each_ref()
            .map(|place| place.path().display().to_string())
            .join(" ");
        again(TEST, "as a plain user", PLAIN_USER, &[(OWNED, &list)]);
        return;
    }
    let list = std::env::var(OWNED).unwrap();
    for place in list.split(' ') {
        let file = Path::new(place).join("secret");
        assert_eq!(fs::read_to_string(&file).unwrap(), "own-and-private");
        let script = format!("ls -A {place} && echo listed; cat {}", file.display());
        let (_, output) = shell(&script);
        assert!(
            output.starts_with("listed") && !output.contains("own-and-private"),
            "{output}"
        );
        // Unless a layer names it.
        let mut spec = spec(&["cat", "/app/secret"]);
        spec.layers
            .push(layer(Path::new(place), "/app", Access::ReadOnly));
        assert_eq!(finish(&mut start(&spec)).1, "own-and-private");
    }
}

#[test]
fn system_folders_with_mounts_of_their_own_still_work() {
    const TEST: &str = "escape::system_folders_with_mounts_of_their_own_still_work";
    if !is_again() {
        if !is_root() {
            unmeasured(&format!("{TEST}: only root can mount there"));
            return;
        }
        // As containers and network managers do: single files of `/etc`, whole folders of `/var`.
        let mounts = "mount --bind /etc/hostname /etc/hosts && mount -t tmpfs none /var/opt && \
                      echo private > /var/opt/x && chmod 600 /var/opt/x && exec \"$@\"";
        let words = [
            &["unshare", "--mount", "sh", "-c", mounts, "sh"],
            PLAIN_USER,
        ]
        .concat();
        again(TEST, "below mounts", &words, &[]);
        let root_words = ["unshare", "--mount", "sh", "-c", mounts, "sh"];
        again(TEST, "below mounts, as root", &root_words, &[]);
        return;
    }
    let script = "import socket; print(socket.gethostbyname('some.name')); print(open('/etc/passwd').readline())\n\
                  for p in ('/etc/new', '/var/new', '/etc/shadow', '/var/opt/x'):\n try: open(p, 'r' if p[-1] in 'xw' and 'new' not in p else 'w'); print('OPENED', p)\n except OSError as e: print(p, e.errno)";
    let mut instance = start(&spec(&["python3", "-c", script]));
    let (state, output) = finish(&mut instance);
    assert_eq!(
        state,
        RunState::Exited {
            code: Some(0),
            signal: None
        },
        "{output}"
    );
    assert!(output.starts_with("198.18.0.1\nsolvent:x:1000"), "{output}");
    assert!(
        !output.contains("OPENED /etc/shadow") && !output.contains("OPENED /var/opt"),
        "{output}"
    );
    assert!(output.contains("OPENED /etc/new"), "{output}");
    let read_only = instance
        .facts()
        .iter()
        .any(|(name, _)| name == "system folder");
    assert_eq!(read_only, !is_root(), "{:?}", instance.facts());
}

#[test]
fn a_layer_below_a_private_folder_is_shown_and_its_neighbours_are_not() {
    as_root_and_plain_user(
        "escape::a_layer_below_a_private_folder_is_shown_and_its_neighbours_are_not",
        || {
            let private = tempfile::tempdir().unwrap();
            fs::create_dir(private.path().join("layer")).unwrap();
            fs::write(private.path().join("layer/open"), "open").unwrap();
            fs::write(private.path().join("neighbour"), "closed").unwrap();
            fs::write(private.path().join("layer/strict"), "strict").unwrap();
            fs::set_permissions(
                private.path().join("layer/strict"),
                fs::Permissions::from_mode(0o600),
            )
            .unwrap();
            std::os::unix::fs::symlink("../neighbour", private.path().join("layer/link")).unwrap();
            fs::set_permissions(private.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let mut spec = spec(&[
                "sh",
                "-c",
                "cat /x/layer/open /x/layer/strict; cat /x/layer/link; cat /x/layer/../neighbour; ls /x",
            ]);
            spec.layers.push(layer(
                &private.path().join("layer"),
                "/x/layer",
                Access::ReadOnly,
            ));
            let mut instance = start(&spec);
            let (_, output) = finish(&mut instance);
            assert!(output.contains("openstrict"), "{output}");
            assert!(!output.contains("closed"), "{output}");
            assert!(output.ends_with("layer\n"), "{output}");
        },
    );
}

#[test]
fn the_hosts_network_cannot_be_reached() {
    as_root_and_plain_user("escape::the_hosts_network_cannot_be_reached", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wildcard = TcpListener::bind("0.0.0.0:0").unwrap();
        for socket in [&listener, &wildcard] {
            socket.set_nonblocking(true).unwrap();
        }
        let abstract_name = format!("slv-test-{}", std::process::id());
        let address =
            <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&abstract_name).unwrap();
        let unix = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
        unix.set_nonblocking(true).unwrap();
        let script = format!(
            r#"
import socket
for port in ({}, {}):
    for host in ('127.0.0.1', '10.0.0.1', '169.254.169.254', '::1'):
        try:
            s = socket.create_connection((host, port), 3); s.send(b'hello'); s.close()
        except OSError as e: print(host, e)
try: socket.socket(socket.AF_UNIX).connect('\0{abstract_name}'); print('REACHED abstract')
except OSError as e: print('abstract', e)
for family in (40, 17, 38, 31):
    try: socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_RAW if family == 17 else socket.SOCK_SEQPACKET); print('MADE', family)
    except OSError as e: print(family, e.errno)
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('MADE raw')
except OSError as e: print('raw', e)
print(sorted(i[1] for i in socket.if_nameindex()))
"#,
            listener.local_addr().unwrap().port(),
            wildcard.local_addr().unwrap().port()
        );
        let (state, output) = python(&script);
        assert_eq!(
            state,
            RunState::Exited {
                code: Some(0),
                signal: None
            },
            "{output}"
        );
        assert!(
            !output.contains("MADE") && !output.contains("REACHED"),
            "{output}"
        );
        assert!(output.ends_with("['lo']\n"), "{output}");
        for socket in [&listener, &wildcard] {
            assert!(socket.accept().is_err(), "the host's listener was reached");
        }
        assert!(unix.accept().is_err());
    });
}

#[test]
fn no_process_is_left_behind() {
    as_root_and_plain_user("escape::no_process_is_left_behind", || {
        // Double fork, new session, ignoring what can be ignored.
        let mark = format!("slv-left-{}", std::process::id());
        let script = format!(
            r#"
import os, signal, time, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
os.execv('/bin/sleep', ['{mark}', '1000'])
"#
        );
        let mut instance = start(&spec(&["python3", "-c", &script]));
        finish(&mut instance);
        let until = Instant::now() + TIME;
        while count_processes(&mark) == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(count_processes(&mark), 1, "the attempt itself must work");
        instance.stop().unwrap();
        assert_eq!(count_processes(&mark), 0);
    });
}

/// Processes of the whole machine whose command line holds `mark`, as far as this user may see.
fn count_processes(mark: &str) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .bytes()
                .all(|b| b.is_ascii_digit())
        })
        .filter(|entry| {
            fs::read(entry.path().join("cmdline")).is_ok_and(|text| {
                String::from_utf8_lossy(&text)
                    .split('\0')
                    .next()
                    .is_some_and(|first| first == mark)
            })
        })
        .count()
}

#[test]
fn a_killed_supervisor_leaves_nothing() {
    // The supervisor is this test binary again, running the next test, which starts a target and waits to
    // be killed.
    as_root_and_plain_user("escape::a_killed_supervisor_leaves_nothing", || {
        let mark = format!("slv-orphan-{}", std::process::id());
        let supervisor = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "escape::supervisor_to_be_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("SLV_TO_BE_KILLED", &mark)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut supervisor = Killed(supervisor);
        let until = Instant::now() + TIME;
        while count_processes(&mark) == 0 {
            assert!(Instant::now() < until, "the target did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ours = |pid: u32| {
            let mut children = Vec::new();
            for entry in fs::read_dir("/proc").unwrap().flatten() {
                let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
                let parent = stat
                    .rsplit_once(')')
                    .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
                if parent == Some(pid) {
                    children.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
            children
        };
        let launchers = ours(supervisor.0.id());
        assert_eq!(launchers.len(), 1);
        let groups = |pid: u32| find_groups(&format!("solvent-{pid}-"));
        if is_root() && groups(supervisor.0.id()).is_empty() {
            unmeasured("control groups: none can be made here");
        }
        let pid = supervisor.0.id();
        supervisor.0.kill().unwrap();
        supervisor.0.wait().unwrap();
        // Nobody is left to wait for what it started, so its end is looked for.
        let until = Instant::now() + TIME;
        let alive = |pid: &str| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !text.contains(") Z "))
        };
        while count_processes(&mark) > 0 || alive(&launchers[0]) || !groups(pid).is_empty() {
            assert!(
                Instant::now() < until,
                "left behind: {} {:?} {:?}",
                count_processes(&mark),
                launchers,
                groups(pid)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

fn find_groups(prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with(prefix) {
                    found.push(entry.path().display().to_string());
                }
                todo.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn groups_of_dead_supervisors_are_swept() {
    let instance = start(&spec(&["sleep", "1000"]));
    let own = instance.group_folders();
    if own.is_empty() {
        unmeasured(
            "escape::groups_of_dead_supervisors_are_swept: no control group can be made here",
        );
        return;
    }
    // No process has the start time 1, so this is nobody's; a name that is not ours is left alone.
    let parent = own[0].parent().unwrap();
    let (stale, foreign) = (
        parent.join("solvent-1-1-7"),
        parent.join(format!("slv-foreign-{}", std::process::id())),
    );
    for folder in [&stale, &foreign] {
        fs::create_dir(folder).unwrap();
    }
    drop(start(&spec(&["true"])));
    let (swept, kept) = (!stale.exists(), foreign.exists());
    fs::remove_dir(&foreign).unwrap();
    assert!(swept && kept);
    assert!(own[0].exists(), "a living sandbox lost its group");
    drop(instance);
    assert!(!own[0].exists());
}

#[test]
fn supervisor_to_be_killed() {
    // Only a helper of the test above; alone it has nothing to say.
    let Some(mark) = std::env::var_os("SLV_TO_BE_KILLED") else {
        return;
    };
    let script = format!(
        "import os; os.execv('/bin/sleep', ['{}', '1000'])",
        mark.to_str().unwrap()
    );
    let mut instance = start(&spec(&["python3", "-c", &script]));
    while instance.state() == RunState::Running {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_killed_launcher_takes_everything_with_it() {
    as_root_and_plain_user("escape::a_killed_launcher_takes_everything_with_it", || {
        let mark = format!("slv-guarded-{}", std::process::id());
        let script = format!("import os; os.execv('/bin/sleep', ['{mark}', '1000'])");
        let mut instance = start(&spec(&["python3", "-c", &script]));
        let until = Instant::now() + TIME;
        while count_processes(&mark) == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = instance.launcher_pid();
        Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status()
            .unwrap();
        while count_processes(&mark) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(count_processes(&mark), 0);
        assert!(matches!(instance.state(), RunState::Killed { .. }));
        assert!(matches!(
            instance.connect(80, TIME),
            Err(SandboxError::Gone { .. })
        ));
    });
}

#[test]
fn planting_and_reading_follow_no_links() {
    as_root_and_plain_user("escape::planting_and_reading_follow_no_links", || {
        let script = "cd /tmp; ln -s /etc etc; ln -s /proc/1/root up; mkfifo fifo; ln -s /etc/passwd link; mkdir real; echo ready; sleep 1000";
        let mut instance = start(&spec(&["sh", "-c", script]));
        let until = Instant::now() + TIME;
        while !instance.output().ends_with(b"ready\n") && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        for path in [
            "/tmp/etc/x",
            "/tmp/up/tmp/x",
            "/tmp/link",
            "/tmp/real/../../etc/x",
            "/bin/x",
            "/tmp/fifo",
            "/proc/1/x",
            "/tmp/real",
        ] {
            match instance.plant_file(Path::new(path), b"x", 0o644) {
                Err(SandboxError::File { .. }) => {}
                other => panic!("{path}: {other:?}"),
            }
        }
        for path in [
            "/tmp/etc/passwd",
            "/tmp/link",
            "/tmp/fifo",
            "/tmp/up/etc/passwd",
        ] {
            assert!(
                matches!(
                    instance.read_upper(Path::new(path), 100),
                    Err(SandboxError::File { .. })
                ),
                "{path}"
            );
        }
        let links = instance.writes().unwrap();
        assert!(
            links.iter().all(|write| write.inside.starts_with("/tmp")),
            "{links:?}"
        );
        assert_eq!(links.len(), 5, "{links:?}");
        for name in ["../x", "a/b", "", "sensor", ".s", "a b"] {
            assert!(instance.plant_canary(name).is_err(), "{name}");
        }
    });
}

/// A child that does not outlive its test, however that ends.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn proc_shows_nothing_of_the_host_and_changes_nothing() {
    as_root_and_plain_user(
        "escape::proc_shows_nothing_of_the_host_and_changes_nothing",
        || {
            // A process of this test's user with something in its environment.
            let secret = format!("slv-environ-{}", std::process::id());
            let child = Command::new("sleep")
                .arg("1000")
                .env("SECRET", &secret)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let child = Killed(child);
            let script = format!(
                "cat /proc/[0-9]*/environ | grep -c {secret}; ls -d /proc/[0-9]* | wc -l; \
             for f in sys/kernel/core_pattern sys/kernel/hostname sysrq-trigger sys/vm/drop_caches sys/net/ipv4/ip_forward 1/oom_score_adj 1/mem 1/root/x self/uid_map; do echo 1 > /proc/$f && echo WROTE $f; done; \
             cat /proc/kcore /proc/keys /proc/kmsg | wc -c; ls /proc/1/root/ /proc/1/fd /proc/1/cwd 2>&1 | grep -vc denied; cat /proc/1/environ 2>&1 | grep -c denied"
            );
            let (_, output) = shell(&script);
            drop(child);
            // Two layers: nothing inside owns these files, and the mount would refuse even an owner.
            let (_, mounts) = shell("grep ' /proc/sys ' /proc/self/mounts");
            assert!(mounts.contains(" ro,"), "{mounts}");
            assert!(!output.contains("WROTE"), "{output}");
            let lines: Vec<&str> = output
                .lines()
                .filter(|line| line.bytes().all(|b| b.is_ascii_digit()))
                .collect();
            // No secret; process 1, the shell and at most three of its children; nothing of kcore and friends; every look at process 1
            // denied.
            assert_eq!(lines.first(), Some(&"0"), "{output}");
            assert!(lines[1].parse::<u32>().unwrap() <= 5, "{output}");
            assert_eq!(&lines[2..], ["0", "0", "1"], "{output}");
        },
    );
}

#[test]
fn no_privilege_can_be_had() {
    as_root_and_plain_user("escape::no_privilege_can_be_had", || {
        let script = r#"
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, result):
    print('GOT' if result >= 0 else 'no', name)
print([l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')])
print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('NoNewPrivs', 'Seccomp:'))])
tried('mount', libc.mount(b'none', b'/tmp', b'tmpfs', 0, b''))
tried('umount', libc.umount2(b'/proc', 2))
tried('pivot', libc.syscall(155, b'/tmp', b'/tmp'))
tried('chroot', libc.chroot(b'/tmp'))
tried('unshare user', libc.unshare(0x10000000))
tried('unshare net', libc.unshare(0x40000000))
for kind in ('user', 'mnt', 'net', 'pid'):
    for pid in ('self', '1'):
        try: tried('setns ' + kind, libc.setns(os.open('/proc/%s/ns/%s' % (pid, kind), os.O_RDONLY), 0))
        except OSError: pass
tried('ptrace 1', libc.ptrace(16, 1, 0, 0))
tried('ptrace parent', libc.ptrace(16, os.getppid(), 0, 0))
tried('keyctl', libc.syscall(250, 0, -3, 0))
tried('bpf', libc.syscall(321, 0, 0, 0))
tried('perf', libc.syscall(298, 0, 0, -1, -1, 0))
tried('userfaultfd', libc.syscall(323, 0))
tried('io_uring', libc.syscall(425, 1, 0))
tried('setuid', libc.setuid(0))
tried('kill 1', -1 if os.path.exists('/proc/1') and libc.kill(1, 9) == 0 and os.path.exists('/proc/1') else -1)
for call in (lambda: os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0)), lambda: os.chmod('/slv', 0o777),
             lambda: (open('/tmp/s', 'w').close(), os.chmod('/tmp/s', 0o4755)),
             lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1)), lambda: os.sethostname('x') if hasattr(os, 'sethostname') else os.stat('/none'),
             lambda: resource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6))):
    try: call(); print('GOT', call.__code__.co_names)
    except (OSError, ValueError): print('no')
"#;
        let (state, output) = python(script);
        assert_eq!(
            state,
            RunState::Exited {
                code: Some(0),
                signal: None
            },
            "{output}"
        );
        assert!(!output.contains("GOT"), "{output}");
        assert!(output.starts_with("['0000000000000000', '0000000000000000', '0000000000000000', '0000000000000000', '0000000000000000']\n['1', '2']\n"), "{output}");
        // Setuid programs stay what they are, without their bit: `su` and `mount` exist on every Debian.
        let (_, output) = shell(
            "/bin/mount -t tmpfs x /mnt; /bin/su -c id root </dev/null; id -u; grep -c . /proc/self/uid_map; cat /proc/self/uid_map | awk '{print $1, ($2 == 0 ? \"ROOT\" : \"other\"), $3}'",
        );
        assert!(output.ends_with("1000\n1\n1000 other 1\n"), "{output}");
    });
}

#[test]
fn a_setuid_program_of_root_in_a_layer_gives_nothing() {
    as_root_and_plain_user(
        "escape::a_setuid_program_of_root_in_a_layer_gives_nothing",
        || {
            let app = tempfile::tempdir().unwrap();
            let program = app.path().join("id");
            fs::copy("/usr/bin/id", &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
            for access in [Access::Overlay, Access::ReadOnly, Access::ReadWrite] {
                let mut spec = spec(&["/app/id", "-u"]);
                spec.layers.push(layer(app.path(), "/app", access));
                let (_, output) = finish(&mut start(&spec));
                assert_eq!(output, "1000\n", "{access:?}");
            }
        },
    );
}

#[test]
fn descriptors_of_the_supervisor_do_not_leak() {
    as_root_and_plain_user("escape::descriptors_of_the_supervisor_do_not_leak", || {
        let (_, output) =
            shell("ls -l /proc/self/fd | sed 's/.*[0-9]:[0-9]* //' | grep -v '^total'");
        let targets: Vec<&str> = output
            .lines()
            .filter_map(|line| line.split(" -> ").nth(1))
            .collect();
        // `ls` itself opens the folder it lists.
        assert!(
            targets
                .iter()
                .all(|t| *t == "/dev/null" || t.starts_with("pipe:") || t.starts_with("/proc/")),
            "{output}"
        );
        assert_eq!(targets.len(), 4, "{output}");
    });
}
