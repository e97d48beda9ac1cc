//! A small application with one flaw, and people who decide in it, brought to each stage of the loop once in a
//! run: a test takes a copy of the stage that it begins with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::{Ran, Repo};

pub const APP: &str = r#""""Who sits in which room, over HTTP."""
import json
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlparse


def database():
    connection = sqlite3.connect("people.db")
    connection.execute("CREATE TABLE IF NOT EXISTS people (name TEXT, room TEXT)")
    if not connection.execute("SELECT 1 FROM people").fetchone():
        connection.execute("INSERT INTO people VALUES ('ada', '12'), ('bo', '7')")
        connection.commit()
    return connection


def find(connection, name):
    cursor = connection.cursor()
    cursor.execute("SELECT room FROM people WHERE name = '" + name + "'")
    return [row[0] for row in cursor.fetchall()]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlparse(self.path).query)
        name = query.get("name", ["ada"])[0]
        body = json.dumps(find(database(), name)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"#;

/// The line of [`APP`] that is the flaw, and what a careful person makes of it.
pub const FLAW: &str = r#"cursor.execute("SELECT room FROM people WHERE name = '" + name + "'")"#;
pub const REPAIRED: &str = r#"cursor.execute("SELECT room FROM people WHERE name = ?", (name,))"#;

pub const TESTS: &str = r#"import sqlite3
import unittest

import app


class Find(unittest.TestCase):
    def setUp(self):
        self.connection = sqlite3.connect(":memory:")
        self.connection.execute("CREATE TABLE people (name TEXT, room TEXT)")
        self.connection.execute("INSERT INTO people VALUES ('ada', '12')")

    def test_a_known_name_has_its_room(self):
        self.assertEqual(app.find(self.connection, "ada"), ["12"])

    def test_an_unknown_name_has_none(self):
        self.assertEqual(app.find(self.connection, "eve"), [])
"#;

pub const RECIPE: &str = r#"[target.start]
command = ["python", "app.py"]
port = 8099
timeout = 20
"#;

const GOVERNANCE: &str = "findings_owner = \"ana\"\n[quorum]\nlow = 2\nmedium = 2\nhigh = 2\n";

/// Where the id of the flaw is kept for copies.
const FINDING: &str = ".git/finding";

/// How far a copy has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Nobody but the person who asks; the flaw is proven.
    Alone,
    /// People, an agent and their rules are on the protected branch; the flaw is proven.
    Proven,
    /// An agent of Ana's proposed a verified fix.
    Proposed,
    /// Ben and Cleo approved it.
    Approved,
    /// Cleo merged it, and the attack failed on the merge.
    Closed,
}

impl Stage {
    fn template(self) -> &'static Path {
        static TEMPLATES: [OnceLock<PathBuf>; 5] = [const { OnceLock::new() }; 5];
        TEMPLATES[self as usize].get_or_init(|| {
            let office = match self {
                Self::Alone => alone(),
                Self::Proven => proven(),
                Self::Proposed => proposed(),
                Self::Approved => approved(),
                Self::Closed => closed(),
            };
            let to = folder().join(format!("{self:?}"));
            fs::create_dir_all(&to).expect("a folder");
            let copied = Command::new("cp")
                .arg("-a")
                .arg(office.repo.path())
                .arg(&to)
                .status();
            assert!(copied.expect("cp runs").success());
            to.join("rooms")
        })
    }
}

/// Where this run keeps its templates. Those of runs that are over are removed.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("offices");
        fs::create_dir_all(&all).expect("a folder");
        for entry in fs::read_dir(&all).expect("a folder").flatten() {
            if !Path::new("/proc").join(entry.file_name()).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let own = all.join(std::process::id().to_string());
        let _ = fs::remove_dir_all(&own);
        fs::create_dir(&own).expect("a folder");
        own
    })
}

/// Private key file of a person, made by OpenSSH's own tool. `ben-too` is Ben's second one.
pub fn key(name: &str) -> String {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let keys = folder().join("keys");
        fs::create_dir(&keys).expect("a folder");
        for name in ["ben", "ben-too", "cleo"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(keys.join(name))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        keys
    });
    keys.join(name).to_string_lossy().into_owned()
}

fn public(name: &str) -> String {
    let text = fs::read_to_string(format!("{}.pub", key(name))).expect("a public key");
    let words: Vec<&str> = text.split(' ').take(2).collect();
    words.join(" ")
}

pub fn people() -> String {
    format!(
        r#"[[person]]
id = "ana"
roles = ["owner"]
simulated = true

[[person]]
id = "ben"
roles = ["approver", "merger", "risk"]
simulated = true
keys = ["{}", "{}"]

[[person]]
id = "cleo"
roles = ["approver", "merger"]
simulated = true
keys = ["{}"]

[[agent]]
id = "fixer"
owner = "ana"
roles = ["remediator"]
"#,
        public("ben"),
        public("ben-too"),
        public("cleo")
    )
}

pub struct Office {
    pub repo: Repo,
    /// Id of the flaw.
    pub finding: String,
    /// Id of the newest change; empty before one was made.
    pub change: String,
}

impl Office {
    pub fn at(stage: Stage) -> Self {
        Self::of(Repo::copy_of(stage.template()))
    }

    fn of(repo: Repo) -> Self {
        let changes = repo.run(&["changes", "--json"]).expect(0).json();
        let change = text(&changes["changes"][0]["request"]["id"]);
        let kept = repo.path().join(FINDING);
        let finding = fs::read_to_string(kept).expect("the flaw's id");
        Self {
            repo,
            finding,
            change,
        }
    }

    /// Approves with a key of one's own.
    pub fn approve(&self, who: &str, with: &str) -> Ran {
        let actor = format!("human:{who}");
        self.repo
            .by(&actor, &["approve", &self.change, "--key", &key(with)])
    }

    pub fn merge(&self, who: &str) -> Ran {
        let actor = format!("human:{who}");
        self.repo.by(&actor, &["merge", &self.change])
    }

    pub fn review(&self) -> Value {
        let review = self.repo.run(&["review", &self.change, "--json"]);
        review.expect(0).json()["state"].clone()
    }

    pub fn main(&self) -> String {
        self.repo.git_says(&["rev-parse", "main"])
    }

    pub fn source(&self) -> String {
        fs::read_to_string(self.repo.path().join("app.py")).expect("the application")
    }

    /// Proposes what is in the checkout now as a patch, and puts the checkout back.
    pub fn propose(&self) -> Ran {
        self.repo.git(&["add", "-A", "-N"]);
        let diff = self.repo.git_says(&["diff", "--binary"]) + "\n";
        self.repo.git(&["reset", "-q", "--hard"]);
        self.propose_bytes(diff.as_bytes())
    }

    pub fn propose_bytes(&self, patch: &[u8]) -> Ran {
        let file = self.repo.path().join("../a.patch");
        fs::write(&file, patch).expect("a file");
        let args = ["propose", &self.finding, "--patch", "../a.patch", "--json"];
        self.repo.run(&args)
    }

    /// The ledger is whole, whatever happened.
    pub fn ledger_is_sound(&self) {
        let head = self.repo.run(&["ledger", "head", "--json"]).expect(0);
        let key = text(&head.json()["key"]);
        self.repo
            .run(&["ledger", "verify", ".solvent/ledger", "--key", &key])
            .expect(0);
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One check of a change by its name.
pub fn check(change: &Value, name: &str) -> (String, String) {
    change["verification"]["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["name"] == name)
        .map(|check| (text(&check["result"]), text(&check["reason"])))
        .unwrap_or_else(|| panic!("no check {name}: {change:#}"))
}

fn alone() -> Office {
    let repo = Repo::named("rooms");
    repo.write("app.py", APP.as_bytes());
    repo.write("test_app.py", TESTS.as_bytes());
    repo.write("solvent.toml", RECIPE.as_bytes());
    repo.write(".gitignore", b".solvent/\npeople.db\n__pycache__/\n");
    repo.git(&["init", "-q", "-b", "main"]);
    repo.commit("first");
    let report = repo.run(&["prove", "--json"]).expect(1).json();
    assert_eq!(report["proofs"][0]["outcome"], "proven", "{report:#}");
    let finding = text(&report["proofs"][0]["id"]);
    repo.write(FINDING, finding.as_bytes());
    Office::of(repo)
}

fn proven() -> Office {
    let office = Office::at(Stage::Alone);
    let repo = &office.repo;
    repo.write("solvent-policy/people.toml", people().as_bytes());
    repo.write("solvent-policy/governance.toml", GOVERNANCE.as_bytes());
    repo.commit("Say who decides");
    repo.run(&["stage", "remediate-more"])
        .expect(5)
        .says("0 of 20 proofs reviewed");
    repo.run(&["stage", "remediate-more", "--without-reviews"])
        .expect(0)
        .says("set without the twenty reviews");
    office
}

fn proposed() -> Office {
    let office = Office::at(Stage::Proven);
    office
        .repo
        .by("agent:fixer", &["fix", &office.finding])
        .expect(0)
        .says("Proposed");
    Office::of(office.repo)
}

fn approved() -> Office {
    let office = Office::at(Stage::Proposed);
    office.approve("ben", "ben").expect(0);
    office.approve("cleo", "cleo").expect(0);
    office
}

fn closed() -> Office {
    let office = Office::at(Stage::Approved);
    office.merge("cleo").expect(0);
    office
}
