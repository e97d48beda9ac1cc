//! The call graph: questions to it, and the forms that other programs read.

use std::process::Command;

use crate::harness::Repo;

const APP: &str = r#"from flask import Flask, request
from flask_login import login_required
from store import Store

app = Flask(__name__)


@app.route("/find")
def find():
    return Store().find(request.args["q"])


@app.route("/purge", methods=["POST"])
@login_required
def purge():
    return Store().purge()


def forgotten():
    return Store().purge()
"#;

const STORE: &str = r#"class Store:
    def find(self, q):
        return self.query("a" + q)

    def purge(self):
        return [self.query(x) for x in ("b", "c")]

    def query(self, text):
        return text
"#;

fn names(report: &serde_json::Value, ids: &serde_json::Value) -> Vec<String> {
    ids.as_array()
        .expect("a list")
        .iter()
        .map(|id| {
            let id = usize::try_from(id.as_u64().expect("a number")).expect("small");
            report["functions"][id]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect()
}

#[test]
fn callers_calls_and_open_doors_are_told() {
    let repo = Repo::plain(&[("app.py", APP), ("store.py", STORE)]);
    let ask = |args: &[&str]| {
        let all = [&["graph", "--no-git", "--json"], args].concat();
        repo.run(&all).expect(0).json()
    };
    let report = ask(&["--callers", "Store.query"]);
    assert_eq!(report["schema"], "solvent.graph/v1");
    let mut callers = names(&report, &report["answer"]);
    callers.sort();
    assert_eq!(
        callers,
        [
            "app:find",
            "app:forgotten",
            "app:purge",
            "store:Store.find",
            "store:Store.purge",
            "store:Store.query"
        ]
    );
    let report = ask(&["--calls", "find"]);
    let reached = names(&report, &report["answer"]);
    assert!(
        reached.contains(&"store:Store.query".to_owned()),
        "{reached:?}"
    );
    assert!(
        !reached.contains(&"store:Store.purge".to_owned()),
        "{reached:?}"
    );
    let report = ask(&["--without-login"]);
    assert_eq!(names(&report, &report["answer"]), ["app:find"]);
    assert_eq!(
        report["entry_points"].as_array().map(Vec::len),
        Some(2),
        "{report:#}"
    );

    repo.run(&["graph", "--no-git", "--callers", "nobody"])
        .expect(2)
        .says("no function is called `nobody`");
    repo.run(&["graph", "--no-git", "--without-login"])
        .expect(0)
        .says("1 entry point without a login check")
        .says("GET /find");
}

#[test]
fn what_nothing_runs_is_told_with_the_reason() {
    let repo = Repo::plain(&[("app.py", APP), ("store.py", STORE)]);
    let report = repo
        .run(&["graph", "--no-git", "--json", "--functions"])
        .expect(0)
        .json();
    assert_eq!(names(&report, &report["answer"]), ["app:forgotten"]);
    repo.run(&["graph", "--no-git", "--functions"])
        .expect(0)
        .says("no route and no caller leads to `app:forgotten`");
}

#[test]
fn other_programs_read_what_is_drawn() {
    let repo = Repo::plain(&[("app.py", APP), ("store.py", STORE)]);
    repo.run(&[
        "graph",
        "--no-git",
        "--dot",
        "calls.dot",
        "--graphml",
        "calls.graphml",
    ])
    .expect(0)
    .says("functions 8")
    .says("5 by type");
    let dot = std::fs::read_to_string(repo.path().join("calls.dot")).expect("written");
    assert!(dot.contains("[label=\"store:Store.find\"]"), "{dot}");
    assert!(dot.contains("GET /find"), "{dot}");
    // Python's own parser, and every edge between nodes that are there.
    let check = "import sys, xml.etree.ElementTree as E\n\
        n = '{http://graphml.graphdrawing.org/xmlns}'\n\
        g = E.parse(sys.argv[1]).getroot().find(n + 'graph')\n\
        ids = {x.get('id') for x in g.findall(n + 'node')}\n\
        edges = [(x.get('source'), x.get('target')) for x in g.findall(n + 'edge')]\n\
        assert edges and all(a in ids and b in ids for a, b in edges)\n";
    let path = repo.path().join("calls.graphml");
    let status = Command::new("python3")
        .args(["-c", check])
        .arg(&path)
        .status()
        .expect("python3 runs");
    assert!(status.success());
}

const COMPOSE: &str = "services:
  shop:
    build: .
    command: flask --app app run -h 0.0.0.0
    environment:
      DATABASE_URL: postgresql://shop@db/shop
    ports: [\"80:5000\"]
  db:
    image: postgres:16
";

#[test]
fn services_are_listed_asked_and_drawn() {
    let repo = Repo::plain(&[
        ("app.py", APP),
        ("store.py", STORE),
        ("compose.yaml", COMPOSE),
        ("requirements.txt", "flask==3.0.2\n"),
    ]);
    repo.run(&["graph", "--no-git", "--services"])
        .expect(0)
        .says("port 80 is published")
        .says("by the setting DATABASE_URL");
    repo.run(&["graph", "--no-git", "--exposed"])
        .expect(0)
        .says("1 entry point is public without a login")
        .says("GET /find");
    repo.run(&["graph", "--no-git", "--service", "db"])
        .expect(0)
        .says("PostgreSQL")
        .says("no port is published");
    repo.run(&["graph", "--no-git", "--components"])
        .expect(0)
        .says("flask  3.0.2");
    repo.run(&["graph", "--no-git", "--service", "nobody"])
        .expect(2)
        .says("no service is called `nobody`");
    let report = repo.run(&["graph", "--no-git", "--json"]).expect(0).json();
    assert_eq!(report["services"][1]["exposure"]["reach"], "public");
    assert_eq!(report["service_calls"][0]["how"], "store");
    // Values of settings may be secrets: only their names are told.
    assert!(!report.to_string().contains("shop@db"));
    repo.run(&[
        "graph",
        "--no-git",
        "--services",
        "--svg",
        "s.svg",
        "--dot",
        "s.dot",
        "--graphml",
        "s.graphml",
    ])
    .expect(0);
    let dot = std::fs::read_to_string(repo.path().join("s.dot")).expect("written");
    assert!(
        dot.contains("outside -> s1") && dot.contains("shape=cylinder"),
        "{dot}"
    );
    // Python's own parser reads both.
    let check = "import sys, xml.etree.ElementTree as E\nfor f in sys.argv[1:]: E.parse(f)\n";
    let status = Command::new("python3")
        .args(["-c", check])
        .args([repo.path().join("s.svg"), repo.path().join("s.graphml")])
        .status()
        .expect("python3 runs");
    assert!(status.success());
}
