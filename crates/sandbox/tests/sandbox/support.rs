//! Starting targets, and running a test a second time as another user.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use solvent_sandbox::{
    Access, CANARY_DIR, Instance, Launcher, Layer, Limits, NativeInstance, NativeSandbox, Network,
    RunState, SandboxError, Sensors, Spec,
};

const AS_USER: &str = "SOLVENT_SANDBOX_TEST_AS_USER";
const LAUNCHER: &str = "SOLVENT_SANDBOX_TEST_LAUNCHER";

/// Runs `body` as the user of this process and, when that is root, once more as a plain user (this test
/// binary again, through `setpriv`, with only this test).
pub fn as_root_and_plain_user(test: &str, body: fn()) {
    if let Err(SandboxError::NoUserNamespaces { source, .. }) = sandbox().launch(&spec(&["true"])) {
        unmeasured(&format!(
            "{test}: this machine offers no user namespaces ({source})"
        ));
        return;
    }
    body();
    if is_root() && std::env::var_os(AS_USER).is_none() {
        again(test, "as a plain user", PLAIN_USER, &[]);
    }
}

/// The words that turn a command into one run by a user without any right.
pub const PLAIN_USER: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--",
];
/// The user those words make.
pub const PLAIN_UID: u32 = 65_534;

/// Runs one test of this binary again, behind the words of another command.
pub fn again(test: &str, how: &str, words: &[&str], env: &[(&str, &str)]) {
    let (binary, launcher, _kept) = public_copies();
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(binary)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(AS_USER, "1")
        .env(LAUNCHER, launcher)
        .envs(env.iter().copied())
        .env("TMPDIR", "/tmp")
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .output()
        .expect("setpriv and unshare are in util-linux, which every Debian has");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for line in said
        .lines()
        .filter_map(|line| line.strip_prefix("unmeasured: "))
    {
        unmeasured(&format!("{how}: {line}"));
    }
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{how}:\n{text}\n{said}"
    );
}

/// Whether this is a run by [`again`].
pub fn is_again() -> bool {
    std::env::var_os(AS_USER).is_some()
}

/// Says what could not be tried here, past the test harness, which hides the output of tests that pass.
pub fn unmeasured(what: &str) {
    let line = format!("unmeasured: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// The test binary and the launcher where every user can execute them.
fn public_copies() -> (PathBuf, PathBuf, tempfile::TempDir) {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |from: &Path, name: &str| {
        let to = dir.path().join(name);
        // A link where it can be one: both are some megabytes.
        fs::hard_link(from, &to)
            .or_else(|_| fs::copy(from, &to).map(drop))
            .unwrap();
        to
    };
    let binary = copy(&std::env::current_exe().unwrap(), "tests");
    let launcher = copy(&launcher(), "launcher");
    (binary, launcher, dir)
}

pub fn launcher() -> PathBuf {
    std::env::var_os(LAUNCHER).map_or_else(
        || env!("CARGO_BIN_EXE_solvent-sandbox-launcher").into(),
        PathBuf::from,
    )
}

pub fn sandbox() -> NativeSandbox {
    NativeSandbox::new(Launcher { exe: launcher() })
}

/// A spec with small limits and no layers, working in `/tmp`.
pub fn spec(argv: &[&str]) -> Spec {
    Spec {
        layers: Vec::new(),
        workdir: "/tmp".into(),
        argv: argv.iter().map(OsString::from).collect(),
        env: vec![
            (
                "PATH".into(),
                format!("{CANARY_DIR}:/usr/local/bin:/usr/bin:/bin").into(),
            ),
            ("PYTHONUNBUFFERED".into(), "1".into()),
        ],
        limits: Limits {
            memory_bytes: 256 << 20,
            processes: 32,
            cpu_seconds: 60,
            disk_bytes: 32 << 20,
            open_files: 256,
            output_bytes: 64 << 10,
            wall: Duration::from_secs(120),
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    }
}

pub fn layer(host: &Path, inside: &str, access: Access) -> Layer {
    Layer {
        host: host.to_path_buf(),
        inside: inside.into(),
        access,
    }
}

pub fn start(spec: &Spec) -> Box<NativeInstance> {
    match sandbox().launch(spec) {
        Ok(instance) => Box::new(instance),
        Err(error) => panic!("{error}; next: {}", error.next_step()),
    }
}

/// Waits for the target's own end and returns what it said.
pub fn finish(instance: &mut NativeInstance) -> (RunState, String) {
    let state = loop {
        match instance.state() {
            RunState::Running => std::thread::sleep(Duration::from_millis(5)),
            other => break other,
        }
    };
    (
        state,
        String::from_utf8_lossy(&instance.output()).into_owned(),
    )
}

/// Runs a shell script to its end inside.
pub fn shell(script: &str) -> (RunState, String) {
    let mut instance = start(&spec(&["sh", "-c", script]));
    finish(&mut instance)
}

pub fn python(script: &str) -> (RunState, String) {
    let mut instance = start(&spec(&["python3", "-c", script]));
    finish(&mut instance)
}

/// An HTTP request over a fresh connection, and the whole answer.
pub fn request(stream: &mut TcpStream, path: &str) -> String {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
