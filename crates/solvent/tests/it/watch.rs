//! A process that stays warm: each edit is answered with what it made another.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Repo, solvent};

/// Long enough for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

const APP: &str = r#"import subprocess
from flask import Flask, request
from words import cleaned

app = Flask(__name__)


@app.route("/ping")
def ping():
    return subprocess.check_output("ping " + cleaned(request.args["host"]), shell=True)
"#;

const WORDS: &str = "import shlex\n\n\ndef cleaned(text):\n    return shlex.quote(text)\n";
const OPEN: &str = "import shlex\n\n\ndef cleaned(text):\n    return text.strip()\n";

struct Watched {
    child: Child,
    answers: Receiver<Value>,
}

impl Watched {
    fn begin(repo: &Repo) -> Self {
        let mut child = solvent(&["watch", "--json", "--no-git", "."], &repo.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let out = child.stdout.take().expect("its output");
        let (say, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let answer = serde_json::from_str(&line).expect("one answer a line");
                if say.send(answer).is_err() {
                    return;
                }
            }
        });
        Self { child, answers }
    }

    #[track_caller]
    fn answer(&self) -> Value {
        let answer = self.answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer["schema"], "solvent.watch/v1");
        answer
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `how before-verdict verdict` of each flow that is told.
fn flows(answer: &Value) -> Vec<String> {
    let flows = answer["flows"].as_array().expect("flows");
    flows
        .iter()
        .map(|flow| {
            let word = |verdict: &Value| verdict["word"].as_str().unwrap_or("-").to_owned();
            let (before, now) = (&flow["before"], &flow["finding"]["verdict"]);
            let how = flow["how"].as_str().unwrap_or_default();
            format!("{how} {} {}", word(before), word(now))
        })
        .collect()
}

fn routes(answer: &Value) -> Vec<String> {
    let entries = answer["entry_points"].as_array().expect("entry points");
    entries
        .iter()
        .map(|e| format!("{} {}", e["how"], e["entry"]["label"]).replace('"', ""))
        .collect()
}

#[test]
fn each_edit_is_answered_with_what_it_made_another() {
    let repo = Repo::plain(&[
        ("app.py", APP),
        ("words.py", WORDS),
        ("README.md", "Words\n"),
    ]);
    let watched = Watched::begin(&repo);
    let first = watched.answer();
    assert_eq!(first["number"], 0);
    assert_eq!(first["now"]["reachable"], 0, "{first:#}");
    assert_eq!(first["now"]["entry_points"], 1);

    // A sanitizer of another file goes.
    repo.write("words.py", OPEN.as_bytes());
    let opened = watched.answer();
    assert_eq!(opened["files"], serde_json::json!(["words.py"]));
    assert_eq!(flows(&opened), ["changed no_path reachable"], "{opened:#}");
    assert_eq!(opened["now"]["reachable"], 1);
    assert_eq!(opened["by"], "analysed");

    // What is undone is remembered; a file that nothing rests on is no answer of its own.
    repo.write("README.md", b"Other words\n");
    repo.write("words.py", WORDS.as_bytes());
    let closed = watched.answer();
    assert_eq!(closed["number"], 2);
    assert_eq!(flows(&closed), ["changed reachable no_path"], "{closed:#}");
    assert_eq!(closed["by"], "remembered");

    // A new file in a new folder, with a route of its own.
    fs::create_dir(repo.path().join("more")).expect("makes");
    let more = APP.replace("/ping", "/more").replace("cleaned(", "(");
    repo.write("more/other.py", more.as_bytes());
    let grown = watched.answer();
    assert_eq!(routes(&grown), ["new GET /more"], "{grown:#}");
    assert_eq!(flows(&grown), ["new - reachable"]);

    fs::remove_dir_all(repo.path().join("more")).expect("removes");
    let shrunk = watched.answer();
    assert_eq!(routes(&shrunk), ["gone GET /more"], "{shrunk:#}");
    assert_eq!(shrunk["now"], closed["now"]);
}

#[test]
fn a_file_that_is_half_written_is_unmeasured_until_it_can_be_read() {
    let repo = Repo::plain(&[("app.py", APP), ("words.py", OPEN)]);
    let watched = Watched::begin(&repo);
    assert_eq!(watched.answer()["now"]["reachable"], 1);
    repo.write("words.py", b"import shlex\n\n\ndef cleaned(text:\n");
    let broken = watched.answer();
    let gaps = broken["unmeasured"].as_array().expect("gaps");
    assert!(
        gaps.iter().any(|gap| gap["what"] == "file words.py"),
        "{broken:#}"
    );
    repo.write("words.py", OPEN.as_bytes());
    let whole = watched.answer();
    let known = whole["measured"].as_array().expect("what is known again");
    assert!(known.iter().any(|gap| gap["what"] == "file words.py"));
    assert_eq!(whole["now"]["reachable"], 1);
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let repo = Repo::plain(&[("app.py", APP), ("words.py", WORDS)]);
    let mut child = solvent(&["watch", "--no-git", "."], &repo.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut said = String::new();
    while !said.contains("watching; Ctrl-C ends it") {
        let read = out.read_line(&mut said).expect("reads");
        assert!(read > 0, "it ended: {said}");
    }
    drop(out);
    repo.write("words.py", OPEN.as_bytes());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1), "as of a scan of what it saw last");
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let repo = Repo::plain(&[]);
    let ran: crate::harness::Ran = solvent(&["watch", "nowhere"], &repo.path())
        .output()
        .expect("the binary runs")
        .into();
    ran.expect(2).says("nowhere");
}
