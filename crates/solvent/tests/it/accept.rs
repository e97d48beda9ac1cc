//! A risk that is kept for a time: by another than its owner, with words, an end, and a control.

use std::process::Command;

use crate::harness::{Ran, Repo};
use crate::office::{APP, Office, RECIPE, Stage, people, text};

/// The day that lies so many days from now.
pub fn day(days: u32) -> String {
    let date = Command::new("date")
        .args(["-u", "+%F", "-d", &format!("+{days} days")])
        .output()
        .expect("date runs");
    String::from_utf8_lossy(&date.stdout).trim().to_owned()
}

pub fn accept(repo: &Repo, who: &str, finding: &str, expires: &str) -> Ran {
    let args = [
        "accept",
        finding,
        "--reason",
        "the host is going away",
        "--control",
    ];
    repo.by(
        who,
        &[
            &args[..],
            &["only the office network", "--expires", expires],
        ]
        .concat(),
    )
}

fn state(repo: &Repo, finding: &str) -> (String, String) {
    let shown = repo.run(&["show", finding, "--json"]).expect(0).json();
    let lifecycle = &shown["state"]["lifecycle"];
    (text(&lifecycle["state"]), text(&lifecycle["why"]))
}

#[test]
fn a_risk_is_accepted_by_another_than_its_owner_with_words_and_an_end() {
    let office = Office::at(Stage::Proven);
    let (repo, finding) = (&office.repo, office.finding.as_str());
    let whole = [
        ("--reason", "the host is going away"),
        ("--expires", "2030-01-01"),
        ("--control", "only the office network"),
    ];
    for missing in 0..whole.len() {
        let mut args = vec!["accept", finding];
        for (n, (name, value)) in whole.iter().enumerate() {
            if n != missing {
                args.extend([name, value]);
            }
        }
        repo.by("human:ben", &args).expect(2).says(whole[missing].0);
    }
    let soon = day(30);
    accept(repo, "human:ana", finding, &soon)
        .expect(5)
        .says("nobody accepts a risk that they own")
        .says("somebody other than the owner");
    accept(repo, "agent:fixer", finding, &soon)
        .expect(5)
        .says("only a person");
    accept(repo, "human:cleo", finding, &soon).expect(5);
    accept(repo, "human:ben", finding, &day(400))
        .expect(2)
        .says("366 days");
    accept(repo, "human:ben", finding, "2020-01-01")
        .expect(5)
        .says("365 days");
    accept(repo, "human:ben", finding, "for ever").expect(2);
    assert_eq!(state(repo, finding).0, "open");
    accept(repo, "human:ben", finding, &soon)
        .expect(0)
        .says(&soon);
    let (word, why) = state(repo, finding);
    assert_eq!(word, "accepted");
    assert!(
        why.contains("human:ben") && why.contains("the host is going away"),
        "{why}"
    );
    let status = repo.run(&["status", "--json"]).json();
    assert_eq!(
        (&status["accepted"], &status["closed"]),
        (&1.into(), &0.into())
    );
}

const GUARDED: &str = r#"import sqlite3

from flask import Flask, abort, request, session

app = Flask(__name__)


def login_required(view):
    def checked(*args):
        if "user" not in session:
            abort(401)
        return view(*args)

    return checked


@app.route("/find")
@login_required
def find():
    name = request.args["q"]
    return str(sqlite3.connect("db").execute("SELECT * FROM users WHERE name = '%s'" % name).fetchall())
"#;

#[test]
fn an_acceptance_ends_when_the_login_check_goes() {
    let people = people();
    let repo = Repo::with(&[
        ("app.py", GUARDED),
        ("solvent-policy/people.toml", people.as_str()),
    ]);
    let finding = text(&repo.run(&["scan", "--json"]).expect(1).json()["findings"][0]["id"]);
    accept(&repo, "human:ben", &finding, &day(30)).expect(0);
    repo.write("README.md", b"Words\n");
    repo.commit("Words");
    repo.run(&["scan"]);
    assert_eq!(
        state(&repo, &finding).0,
        "accepted",
        "nothing changed about it"
    );
    repo.write(
        "app.py",
        GUARDED.replace("@login_required\n", "").as_bytes(),
    );
    repo.commit("Open it to everybody");
    repo.run(&["scan"]);
    let (word, why) = state(&repo, &finding);
    assert_eq!(word, "reopened");
    assert!(why.contains("exposure"), "{why}");
    assert_eq!(repo.run(&["status", "--json"]).json()["accepted"], 0);
}

#[test]
fn an_acceptance_ends_with_a_proof_that_it_did_not_know() {
    let people = people();
    let repo = Repo::with(&[
        ("app.py", APP),
        ("solvent.toml", RECIPE),
        ("solvent-policy/people.toml", people.as_str()),
    ]);
    let finding = text(&repo.run(&["scan", "--json"]).expect(1).json()["findings"][0]["id"]);
    accept(&repo, "human:ben", &finding, &day(30)).expect(0);
    repo.run(&["prove"]).expect(1);
    let (word, why) = state(&repo, &finding);
    assert_eq!(word, "reopened");
    assert!(why.contains("new proof"), "{why}");
    // Accepted again with the proof known, the same proof reopens nothing.
    accept(&repo, "human:ben", &finding, &day(30)).expect(0);
    repo.run(&["prove"]).expect(1);
    assert_eq!(state(&repo, &finding).0, "accepted");
}
