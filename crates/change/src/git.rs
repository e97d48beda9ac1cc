//! The command line program git, run on a repository that may be hostile.
//!
//! A checkout brings its own configuration, attributes, hooks and objects. None of them may start a
//! program or reach the network, and none may keep us waiting for ever. [`FIXED`] and [`clean`] are the
//! list of ways in that are shut, each with the attack.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Answers that are held in memory as a whole.
pub const MAX_ANSWER: u64 = 256 << 20;

/// Longest wait for an answer that is asked for as a whole. A loose object may be a pipe that never
/// gives a byte.
pub const ANSWER_TIME: Duration = Duration::from_secs(120);

/// Bytes of git's own words that are kept.
const MAX_WORDS: usize = 8 << 10;

/// Filter drivers of the repository's own configuration that are switched off; more are refused.
const MAX_DRIVERS: usize = 256;

/// Settings that hold on every call, whatever the repository's configuration says.
const FIXED: &[(&str, &str)] = &[
    // Programs that `status` asks which files changed.
    ("core.fsmonitor", "false"),
    // `post-index-change` runs when an index is written.
    ("core.hooksPath", "/dev/null"),
    // `log` and `show` would run `gpg.program` of the repository.
    ("log.showSignature", "false"),
    // A file that claims other parents than the commits themselves.
    ("core.commitGraph", "false"),
    // A folder that is laid out as a bare repository inside the tree, with a configuration of its own.
    ("safe.bareRepository", "explicit"),
    ("core.quotePath", "false"),
    // Words on standard error where silence means "there is none".
    ("advice.graftFileDeprecated", "false"),
];

/// Variables that keep their value: where the operator's own configuration is and what it may hold.
/// All others that git knows could point it at another repository, program or file.
const KEPT: &[&str] = &[
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
];

/// Why git gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GitError {
    NotInstalled,
    /// It could not be started, in the operating system's words.
    Start(String),
    /// It ended with an error, in its own words.
    Failed(String),
    /// More than this many bytes.
    TooLarge(u64),
    /// No end after this long.
    OutOfTime(Duration),
    /// It answered in a form that it is not known to use.
    Unexpected(String),
}

impl GitError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotInstalled => "install git",
            Self::Start(_) => "see whether `git --version` runs",
            Self::Failed(words) if words.contains("dubious ownership") => {
                "run as the repository's owner, or add it to git's `safe.directory` if you trust it"
            }
            Self::Failed(_) => "see whether `git fsck` finds the repository whole",
            Self::TooLarge(_) => "ask for a part of the repository",
            Self::OutOfTime(_) => "try again when the machine is less busy, or give more time",
            Self::Unexpected(_) => "use git 2.36 or newer",
        }
    }
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str("git is not installed"),
            Self::Start(words) => write!(f, "cannot start git: {words}"),
            Self::Failed(words) if words.is_empty() => f.write_str("git failed without a word"),
            Self::Failed(words) => f.write_str(words),
            Self::TooLarge(cap) => write!(f, "git's answer has more than {} MiB", cap >> 20),
            Self::OutOfTime(time) => {
                write!(f, "git did not finish within {} seconds", time.as_secs())
            }
            Self::Unexpected(what) => write!(f, "git answered in an unknown form: {what}"),
        }
    }
}

impl std::error::Error for GitError {}

/// How much a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of standard output.
    pub bytes: u64,
    pub until: Instant,
}

/// How a call that was read piece by piece came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// All of it was read.
    Whole,
    /// The reader had enough.
    Stopped,
    /// What was read before is good, the rest is missing.
    Broken(GitError),
}

/// One repository.
#[derive(Debug)]
pub struct Git {
    root: PathBuf,
    drivers: OnceLock<Vec<String>>,
}

impl Git {
    /// Nothing is run yet.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            drivers: OnceLock::new(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A call that reads references, configuration, the index and single objects.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root).args([
            "--no-pager",
            "--no-optional-locks",
            "--no-replace-objects",
        ]);
        for (key, value) in FIXED {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        command.args(args);
        clean(&mut command);
        command
    }

    /// A call that compares objects with each other. Git would take a file of the checkout in place of an
    /// object when the index says that they are the same, and convert it by the checkout's own filters:
    /// here it sees an empty index.
    pub fn command_on_objects<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.command(args);
        // A file that is not there is an empty index. Nobody but the machine's owner can make one there.
        command.env("GIT_INDEX_FILE", "/dev/solvent-no-index");
        command
    }

    /// A call that compares or writes files. Filters that the repository's own configuration defines
    /// are programs of whoever made the checkout: they are switched off. Those of the operator's own
    /// configuration (large file storage, usually) are run.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be read.
    pub fn command_on_files<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Command, GitError> {
        let mut command = self.command(args);
        let inherited: usize = std::env::var("GIT_CONFIG_COUNT")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let mut next = inherited;
        let drivers = match self.drivers.get() {
            Some(drivers) => drivers,
            None => {
                let found = self.own_drivers()?;
                self.drivers.get_or_init(|| found)
            }
        };
        for driver in drivers {
            for (key, value) in [
                ("clean", ""),
                ("smudge", ""),
                ("process", ""),
                ("required", "false"),
            ] {
                command.env(
                    format!("GIT_CONFIG_KEY_{next}"),
                    format!("filter.{driver}.{key}"),
                );
                command.env(format!("GIT_CONFIG_VALUE_{next}"), value);
                next += 1;
            }
        }
        command.env("GIT_CONFIG_COUNT", next.to_string());
        Ok(command)
    }

    /// Names of the filter drivers that the repository itself configures.
    fn own_drivers(&self) -> Result<Vec<String>, GitError> {
        let command = self.command([
            "config",
            "--show-scope",
            "-z",
            "--name-only",
            "--get-regexp",
            r"^filter\.",
        ]);
        let mut out = Vec::new();
        let ended = stream(command, Input::None, Budget::answer(), &mut |bytes| {
            out.extend_from_slice(bytes);
            ControlFlow::Continue(())
        })?;
        match ended {
            // Nothing matches: git says so by its exit code alone.
            Ended::Broken(GitError::Failed(words)) if words.is_empty() => return Ok(Vec::new()),
            Ended::Broken(error) => return Err(error),
            Ended::Whole | Ended::Stopped => {}
        }
        let text = String::from_utf8_lossy(&out);
        let mut fields = text.split('\0');
        let mut drivers = Vec::new();
        while let (Some(scope), Some(key)) = (fields.next(), fields.next()) {
            let driver = key
                .get("filter.".len()..)
                .and_then(|rest| rest.rsplit_once('.'))
                .map(|(driver, _)| driver.to_owned());
            if let Some(driver) = driver
                && matches!(scope, "local" | "worktree")
                && !drivers.contains(&driver)
            {
                drivers.push(driver);
            }
            if drivers.len() > MAX_DRIVERS {
                return Err(GitError::Unexpected(format!(
                    "the repository configures more than {MAX_DRIVERS} filters"
                )));
            }
        }
        Ok(drivers)
    }

    /// The whole of standard output.
    ///
    /// # Errors
    ///
    /// When git fails, says more than [`MAX_ANSWER`] or takes longer than [`ANSWER_TIME`].
    pub fn output<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u8>, GitError> {
        output(self.command(args))
    }

    /// The same as text, with replacement characters where it is none.
    ///
    /// # Errors
    ///
    /// As [`Git::output`].
    pub fn text<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String, GitError> {
        self.output(args)
            .map(|out| String::from_utf8_lossy(&out).into_owned())
    }
}

impl Budget {
    /// What a whole answer may take, from now.
    pub fn answer() -> Self {
        Self {
            bytes: MAX_ANSWER,
            until: Instant::now() + ANSWER_TIME,
        }
    }
}

/// Environment in which no variable of ours leads git elsewhere, no transport is allowed (missing
/// objects of a partial clone would be fetched, by a command of the repository's choice), grafts are not
/// believed, nothing is asked and messages are English.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        let config = bytes.starts_with(b"GIT_CONFIG_KEY_")
            || bytes.starts_with(b"GIT_CONFIG_VALUE_")
            || bytes == b"GIT_CONFIG_COUNT";
        let kept = KEPT.iter().any(|kept| bytes == kept.as_bytes());
        if bytes.starts_with(b"GIT_") && !config && !kept {
            command.env_remove(&name);
        }
    }
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
}

/// Runs `command` and returns the whole of its standard output.
///
/// # Errors
///
/// As [`Git::output`].
pub fn output(command: Command) -> Result<Vec<u8>, GitError> {
    let mut out = Vec::new();
    let ended = stream(command, Input::None, Budget::answer(), &mut |bytes| {
        out.extend_from_slice(bytes);
        ControlFlow::Continue(())
    })?;
    match ended {
        Ended::Whole | Ended::Stopped => Ok(out),
        Ended::Broken(error) => Err(error),
    }
}

/// What git reads.
pub enum Input {
    None,
    Bytes(Vec<u8>),
}

/// Runs `command`, giving standard output to `sink` as it comes. The program is ended when the budget
/// is used up or the sink has enough.
///
/// # Errors
///
/// When it could not be started; everything later is in [`Ended`].
pub fn stream(
    mut command: Command,
    input: Input,
    budget: Budget,
    sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Ended, GitError> {
    let started = Instant::now();
    let allowed = budget.until.saturating_duration_since(started);
    if let Input::Bytes(_) = input {
        command.stdin(Stdio::piped());
    }
    let mut child = spawn(&mut command, Stdio::piped())?;
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    thread::scope(|scope| {
        if let (Input::Bytes(bytes), Some(mut stdin)) = (input, stdin) {
            scope.spawn(move || {
                // Git may end before it has read everything: what it answered says why.
                let _ = stdin.write_all(&bytes);
            });
        }
        let words = scope.spawn(move || {
            let mut kept = Vec::new();
            if let Some(mut stderr) = stderr {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                    let room = MAX_WORDS.saturating_sub(kept.len());
                    kept.extend_from_slice(&buffer[..n.min(room)]);
                }
            }
            String::from_utf8_lossy(&kept).trim().to_owned()
        });
        let end = stdout.map_or(Ok(Pumped::Whole), |stdout| pump(stdout, budget, sink));
        if !matches!(end, Ok(Pumped::Whole)) {
            kill(&mut child);
        }
        let status = wait(&mut child, budget.until);
        let words = words.join().unwrap_or_default();
        Ok(match (end, status) {
            (Ok(Pumped::Stopped), _) => Ended::Stopped,
            (Ok(Pumped::TooLarge), _) => Ended::Broken(GitError::TooLarge(budget.bytes)),
            (Ok(Pumped::OutOfTime), _) | (Ok(Pumped::Whole), None) => {
                Ended::Broken(GitError::OutOfTime(allowed))
            }
            (Err(error), _) => Ended::Broken(GitError::Start(error.to_string())),
            (Ok(Pumped::Whole), Some(status)) if status.success() => Ended::Whole,
            (Ok(Pumped::Whole), Some(_)) => Ended::Broken(GitError::Failed(words)),
        })
    })
}

/// Starts `command` with pipes, in a process group of its own so that all of it can be ended.
pub(crate) fn spawn(command: &mut Command, stderr: Stdio) -> Result<Child, GitError> {
    command
        .stdout(Stdio::piped())
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => GitError::NotInstalled,
            _ => GitError::Start(error.to_string()),
        })
}

/// Ends the program and what it started.
pub(crate) fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
}

fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            Ok(None) | Err(_) => {
                kill(child);
                return child.wait().ok().filter(|_| Instant::now() < until);
            }
        }
    }
}

enum Pumped {
    Whole,
    Stopped,
    TooLarge,
    OutOfTime,
}

fn pump(
    mut from: std::process::ChildStdout,
    budget: Budget,
    sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<Pumped> {
    let mut buffer = vec![0; 64 << 10];
    let mut seen: u64 = 0;
    loop {
        if !readable(&from, budget.until)? {
            return Ok(Pumped::OutOfTime);
        }
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(Pumped::Whole);
        }
        seen += n as u64;
        if seen > budget.bytes {
            return Ok(Pumped::TooLarge);
        }
        if sink(&buffer[..n]).is_break() {
            return Ok(Pumped::Stopped);
        }
    }
}

/// Waits until `from` has bytes or ended; `false` when the time is up before.
pub(crate) fn readable(from: &impl AsFd, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(from, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
