//! Objects by name, through one `git cat-file --batch` that stays open.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::git::{Git, GitError, kill, readable, spawn};
use crate::id::ObjectId;

/// Longest wait for one object.
const OBJECT_TIME: Duration = Duration::from_secs(30);

/// One object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Object {
    Found {
        kind: Kind,
        bytes: Vec<u8>,
    },
    /// Not in the store: a partial clone, or a broken one.
    Missing,
    /// Larger than asked for; its size in bytes. It was read past, not kept.
    TooLarge(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Blob,
    Commit,
    Other,
}

/// The open program. After an error it is closed, and every further call fails.
pub(crate) struct Objects {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    buffer: Vec<u8>,
    at: usize,
}

impl Objects {
    pub(crate) fn open(git: &Git) -> Result<Self, GitError> {
        let mut command = git.command(["cat-file", "--batch"]);
        command.stdin(Stdio::piped());
        // A missing object is said on standard output.
        let mut child = spawn(&mut command, Stdio::null())?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            kill(&mut child);
            return Err(GitError::Start("no pipe to it".to_owned()));
        };
        Ok(Self {
            child,
            stdin: Some(stdin),
            stdout,
            buffer: Vec::new(),
            at: 0,
        })
    }

    /// The object, if it has at most `cap` bytes.
    pub(crate) fn read(&mut self, id: &ObjectId, cap: u64) -> Result<Object, GitError> {
        let until = Instant::now() + OBJECT_TIME;
        let answer = self.ask(&id.hex(), cap, until);
        if answer.is_err() {
            self.stdin = None;
            kill(&mut self.child);
        }
        answer
    }

    fn ask(&mut self, name: &str, cap: u64, until: Instant) -> Result<Object, GitError> {
        let closed = || GitError::Failed("git ended while objects were read".to_owned());
        let stdin = self.stdin.as_mut().ok_or_else(closed)?;
        stdin
            .write_all(format!("{name}\n").as_bytes())
            .map_err(|_| closed())?;
        let header = self.line(until)?;
        let mut words = header.split(' ');
        let (_, kind, size) = (words.next(), words.next(), words.next());
        let kind = match kind {
            Some("missing" | "ambiguous") => return Ok(Object::Missing),
            Some("blob") => Kind::Blob,
            Some("commit") => Kind::Commit,
            Some("tree" | "tag") => Kind::Other,
            _ => return Err(GitError::Unexpected("header of an object".to_owned())),
        };
        let size: u64 = size
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| GitError::Unexpected("size of an object".to_owned()))?;
        let object = if size > cap {
            self.skip(size, until)?;
            Object::TooLarge(size)
        } else {
            // A size is the repository's word: memory follows the bytes that come.
            let mut bytes = Vec::with_capacity((size as usize).min(1 << 20));
            self.take(size, until, &mut bytes)?;
            Object::Found { kind, bytes }
        };
        self.skip(1, until)?;
        Ok(object)
    }

    fn fill(&mut self, until: Instant) -> Result<(), GitError> {
        let failed = |e: io::Error| GitError::Failed(format!("cannot read from git: {e}"));
        if self.at < self.buffer.len() {
            return Ok(());
        }
        if !readable(&self.stdout, until).map_err(failed)? {
            return Err(GitError::OutOfTime(OBJECT_TIME));
        }
        self.buffer.resize(64 << 10, 0);
        let n = self.stdout.read(&mut self.buffer).map_err(failed)?;
        self.buffer.truncate(n);
        self.at = 0;
        if n == 0 {
            return Err(GitError::Failed(
                "git ended while objects were read".to_owned(),
            ));
        }
        Ok(())
    }

    fn line(&mut self, until: Instant) -> Result<String, GitError> {
        let mut line = Vec::new();
        loop {
            self.fill(until)?;
            let rest = &self.buffer[self.at..];
            let end = rest.iter().position(|b| *b == b'\n');
            line.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            self.at += end.map_or(rest.len(), |end| end + 1);
            if end.is_some() {
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if line.len() > 1_024 {
                return Err(GitError::Unexpected("header of an object".to_owned()));
            }
        }
    }

    fn take(&mut self, size: u64, until: Instant, into: &mut Vec<u8>) -> Result<(), GitError> {
        let mut left = size as usize;
        while left > 0 {
            self.fill(until)?;
            let rest = &self.buffer[self.at..];
            let n = rest.len().min(left);
            into.extend_from_slice(&rest[..n]);
            self.at += n;
            left -= n;
        }
        Ok(())
    }

    fn skip(&mut self, size: u64, until: Instant) -> Result<(), GitError> {
        let mut left = size;
        while left > 0 {
            self.fill(until)?;
            let n = ((self.buffer.len() - self.at) as u64).min(left);
            self.at += n as usize;
            left -= n;
        }
        Ok(())
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.stdin = None;
        kill(&mut self.child);
        let _ = self.child.wait();
    }
}
