//! Makes repositories.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// 2026-08-15T12:00:00Z, when every story is read.
pub const NOW: i64 = 1_786_795_200;
pub const DAY: i64 = 86_400;

/// A history being told.
pub struct Story {
    stream: Vec<u8>,
    marks: usize,
}

/// One commit. What is not said is taken from [`commit`].
pub struct Commit<'a> {
    pub author: &'a str,
    pub committer: &'a str,
    /// Seconds since 1970.
    pub time: i64,
    pub message: &'a [u8],
    /// Path, mode, content.
    pub files: Vec<(&'a [u8], &'a str, &'a [u8])>,
    pub deleted: Vec<&'a str>,
    pub parents: Vec<usize>,
}

/// By Ann, ten days ago, without files and parents.
pub fn commit<'a>() -> Commit<'a> {
    Commit {
        author: "Ann <ann@x.example>",
        committer: "Ann <ann@x.example>",
        time: NOW - 10 * DAY,
        message: b"change\n",
        files: Vec::new(),
        deleted: Vec::new(),
        parents: Vec::new(),
    }
}

/// A file of mode 100644.
pub fn file<'a>(path: &'a str, content: &'a str) -> (&'a [u8], &'a str, &'a [u8]) {
    (path.as_bytes(), "100644", content.as_bytes())
}

impl Story {
    pub fn new() -> Self {
        Self {
            stream: b"feature done\n".to_vec(),
            marks: 0,
        }
    }

    /// Tells a commit and returns its mark.
    pub fn tell(&mut self, commit: &Commit<'_>) -> usize {
        self.marks += 1;
        let mark = self.marks;
        let s = &mut self.stream;
        // Each on a branch of its own: only the parents that are told count.
        s.extend(format!("commit refs/told/{mark}\nmark :{mark}\n").bytes());
        s.extend(format!("author {} {} +0000\n", commit.author, commit.time).bytes());
        s.extend(format!("committer {} {} +0000\n", commit.committer, commit.time).bytes());
        s.extend(format!("data {}\n", commit.message.len()).bytes());
        s.extend(commit.message);
        s.push(b'\n');
        for (n, parent) in commit.parents.iter().enumerate() {
            let word = if n == 0 { "from" } else { "merge" };
            s.extend(format!("{word} :{parent}\n").bytes());
        }
        for path in &commit.deleted {
            s.extend(format!("D {path}\n").bytes());
        }
        for (path, mode, content) in &commit.files {
            if *mode == "160000" {
                s.extend(format!("M 160000 {} ", String::from_utf8_lossy(content)).bytes());
            } else {
                s.extend(format!("M {mode} inline ").bytes());
            }
            s.push(b'"');
            for byte in *path {
                s.extend(format!("\\{byte:03o}").bytes());
            }
            s.extend(b"\"\n");
            if *mode != "160000" {
                s.extend(format!("data {}\n", content.len()).bytes());
                s.extend(*content);
                s.push(b'\n');
            }
        }
        mark
    }

    /// Tells a commit after the one told last.
    pub fn then(&mut self, mut next: Commit<'_>) -> usize {
        if next.parents.is_empty() && self.marks > 0 {
            next.parents = vec![self.marks];
        }
        self.tell(&next)
    }

    /// The repository, with the commit told last as HEAD and checked out.
    pub fn done(self) -> Repository {
        let repository = Repository::empty();
        let mut stream = self.stream;
        if self.marks > 0 {
            stream.extend(format!("reset refs/heads/main\nfrom :{}\n", self.marks).bytes());
        }
        stream.extend(b"done\n");
        let marks = repository.folder.path().join("marks");
        let mut child = git(&repository.path())
            .args(["fast-import", "--quiet", "--force"])
            .arg(format!("--export-marks={}", marks.display()))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success(), "fast-import failed");
        repository.git(&["reset", "-q", "--hard"]);
        repository
    }
}

pub struct Repository {
    folder: TempDir,
}

impl Repository {
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("r")
    }

    /// A folder beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = git(&self.path()).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The name of a told commit.
    pub fn id(&self, mark: usize) -> solvent_change::ObjectId {
        let marks = std::fs::read_to_string(self.folder.path().join("marks")).unwrap();
        let start = format!(":{mark} ");
        let name = marks.lines().find_map(|l| l.strip_prefix(&start)).unwrap();
        solvent_change::ObjectId::parse(name).unwrap()
    }
}

/// Git without anybody's configuration.
pub fn git(at: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(at)
        .args(["-c", "user.name=t", "-c", "user.email=t@x.example"])
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "core.autocrlf=false",
        ])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_ALLOW_PROTOCOL", "file");
    command
}
