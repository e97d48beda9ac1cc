//! A throw-away repository and the binary under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Where prepared interpreters are kept between tests of one run, so that packages are fetched once.
pub fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

pub struct Repo {
    dir: TempDir,
    /// Folder below `dir`, when the name matters; empty otherwise.
    name: String,
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("no JSON ({e}) in:\n{}\n{}", self.out, self.err))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.out.contains(words) || self.err.contains(words),
            "expected `{words}` in\nstdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_solvent"))
}

pub fn solvent(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .args(args)
        .current_dir(dir)
        .env("SOLVENT_CACHE", cache())
        .env("SOLVENT_ACTOR", "human:ana")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

impl Repo {
    /// A git repository with one commit of these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::plain(files);
        repo.git(&["init", "-q", "-b", "main"]);
        repo.commit("first");
        repo
    }

    /// A folder without git.
    pub fn plain(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("solvent-it-")
            .tempdir()
            .expect("a temporary folder");
        let repo = Self {
            dir,
            name: String::new(),
        };
        for (path, text) in files {
            repo.write(path, text.as_bytes());
        }
        repo
    }

    /// An empty folder of that name.
    pub fn named(name: &str) -> Self {
        let repo = Self {
            name: name.to_owned(),
            ..Self::plain(&[])
        };
        fs::create_dir(repo.path()).expect("a folder");
        repo
    }

    /// A copy of a folder, under the same name.
    pub fn copy_of(folder: &Path) -> Self {
        let name = folder.file_name().expect("a name").to_string_lossy();
        let repo = Self {
            name: name.into_owned(),
            ..Self::plain(&[])
        };
        let status = Command::new("cp")
            .arg("-a")
            .arg(folder)
            .arg(repo.path())
            .status()
            .expect("cp runs");
        assert!(status.success());
        repo
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }

    pub fn git(&self, args: &[&str]) {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=Ana",
                "-c",
                "user.email=ana@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .current_dir(self.path())
            .output()
            .expect("git runs");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// What git says, without the end of the line.
    pub fn git_says(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(self.path())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        said.trim_end_matches('\n').to_owned()
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// A commit at a time, in seconds since 1970.
    pub fn commit_at(&self, seconds: u64, message: &str) {
        self.git(&["add", "-A"]);
        let date = format!("@{seconds} +0000");
        let status = Command::new("git")
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org"])
            .args(["-c", "commit.gpgsign=false", "commit", "-q", "-m", message])
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_AUTHOR_DATE", &date)
            .current_dir(self.path())
            .status()
            .expect("git runs");
        assert!(status.success());
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.by("human:ana", args)
    }

    /// What the binary does for somebody.
    pub fn by(&self, actor: &str, args: &[&str]) -> Ran {
        solvent(args, &self.path())
            .env("SOLVENT_ACTOR", actor)
            .output()
            .expect("the binary runs")
            .into()
    }
}

/// A one-file application on the standard library with a command injection, so that tests of hostile
/// targets need no packages.
pub const TINY_APP: &str = r#"
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlparse, parse_qs


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        host = query.get("host", ["localhost"])[0]
        out = subprocess.run("echo checking " + host, shell=True, capture_output=True).stdout
        self.send_response(200)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"#;
