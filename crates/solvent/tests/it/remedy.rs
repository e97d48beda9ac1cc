//! From a proven flaw to a merge that was tried again, as people and an agent go through it.

use std::fs;
use std::process::Command;

use crate::office::{FLAW, Office, REPAIRED, Stage, check, key, text};

#[test]
fn a_person_alone_gets_a_verified_patch_and_is_told_what_merging_would_take() {
    let office = Office::at(Stage::Alone);
    let repo = &office.repo;
    let change = repo
        .run(&["fix", &office.finding, "--json"])
        .expect(0)
        .json();
    assert_eq!(change["verification"]["verdict"], "verified");
    assert_eq!(change["origin"], "fixer bound-parameters");
    let id = text(&change["id"]);
    repo.run(&["merge", &id])
        .expect(5)
        .says("was not proposed")
        .says(&format!("solvent export {id}"))
        .says("solvent-policy/people.toml")
        .says("a second person");
    repo.run(&["explain", &id])
        .expect(5)
        .says("was not proposed")
        .says("a second person");
    repo.run(&["reject", &id, "--reason", "not now"])
        .expect(2)
        .says("there is nothing to reject");
    repo.run(&[
        "accept",
        &office.finding,
        "--reason",
        "kept",
        "--expires",
        &crate::accept::day(30),
        "--control",
        "none",
    ])
    .expect(5)
    .says("second person in the role risk");
    repo.run(&["approve", &id, "--key", &key("ben")])
        .expect(2)
        .says("nothing to approve");
    repo.run(&["export", &id, "--out", "fix.patch"]).expect(0);
    assert!(office.source().contains(FLAW), "exporting changes no file");
    repo.git(&["apply", "fix.patch"]);
    let source = office.source();
    assert!(source.contains(REPAIRED) && !source.contains(FLAW));
    assert_eq!(repo.git_says(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn two_people_close_a_flaw_that_an_agent_repaired() {
    let office = Office::at(Stage::Proposed);
    let repo = &office.repo;
    let before = office.main();
    office
        .merge("cleo")
        .expect(5)
        .says("0 of 2 approvals count")
        .says("2 more of ben, cleo approve");
    repo.by(
        "agent:fixer",
        &["approve", &office.change, "--key", &key("ben")],
    )
    .expect(5)
    .says("only a person approves");
    office
        .approve("ana", "ben")
        .expect(5)
        .says("authors: ana")
        .says("one of ben, cleo approves");
    office.approve("cleo", "ben").expect(5).says("key");
    office.approve("ben", "ben").expect(0);
    office
        .merge("cleo")
        .expect(5)
        .says("1 of 2 approvals count")
        .says("1 more of cleo");
    office.approve("ben", "ben-too").expect(0);
    office
        .merge("cleo")
        .expect(5)
        .says("1 of 2 approvals count");
    repo.by("human:ben", &["explain", &office.change])
        .expect(5)
        .says("invariant/quorum-is-met");
    // A stranger may see less than anybody who is listed.
    for actor in ["human:zoe", "agent:unknown"] {
        repo.by(actor, &["show", &office.finding, "--open"])
            .expect(5)
            .says(&format!("`{actor}` is not in solvent-policy/people.toml"))
            .says("--actor human:ID");
    }
    let state = office.review();
    assert_eq!(
        (&state["counted"], &state["needed"]),
        (&1.into(), &2.into())
    );
    assert_eq!(office.main(), before, "nothing refused moves the branch");

    office.approve("cleo", "cleo").expect(0);
    let state = office.review();
    assert_eq!(state["status"], "approved");
    let approved = text(&state["request"]["tree"]);
    repo.by("agent:fixer", &["merge", &office.change])
        .expect(5)
        .says("only a person");
    let merge = repo
        .by("human:cleo", &["merge", &office.change, "--json"])
        .expect(0)
        .json();
    assert_eq!(merge["outcome"], "closed", "{merge:#}");
    assert_eq!(merge["replays"][0]["replays_shown"], 0);
    assert_eq!(text(&merge["merged"]), office.main());
    assert_eq!(repo.git_says(&["rev-parse", "main^{tree}"]), approved);
    assert_eq!(repo.git_says(&["status", "--porcelain"]), "");
    assert!(office.source().contains(REPAIRED), "the checkout follows");
    let listed = repo.run(&["findings", "--json"]).json();
    assert_eq!(listed["findings"][0]["lifecycle"]["state"], "closed");
    let listed = repo.run(&["findings"]);
    assert!(listed.out.starts_with("closed  1"), "{}", listed.out);
    let status = repo.run(&["status", "--json"]).json();
    assert_eq!(
        (&status["closed"], &status["proven"]),
        (&1.into(), &0.into()),
        "before the next scan, too"
    );
    repo.by("human:ana", &["fix", &office.finding])
        .expect(2)
        .says("is closed: ")
        .says("solvent replay");
    repo.run(&["scan"]).expect(0);
    let status = repo.run(&["status", "--json"]).json();
    assert_eq!(
        (&status["closed"], &status["reachable"]),
        (&1.into(), &0.into())
    );
    assert_eq!(office.review()["status"], "closed");
    let records = repo.run(&["log", "--json"]).expect(0).json();
    let again = repo
        .by("human:cleo", &["merge", &office.change, "--json"])
        .expect(0)
        .json();
    assert_eq!(again, merge, "what is closed is told, not done again");
    assert_eq!(repo.run(&["log", "--json"]).expect(0).json(), records);
    office.ledger_is_sound();
}

#[test]
fn the_review_shows_what_an_approver_decides_from() {
    let office = Office::at(Stage::Proposed);
    let shown = office.repo.by("human:ben", &["review", &office.change]);
    for words in [
        "agent:fixer",
        "human:ana",
        "GET (dispatch in Handler.do_GET)",
        "3 of 3 replays",
        "attack fails",
        "medium",
        "+1 -1",
        "0 of 2 approvals",
        "undo",
    ] {
        assert!(shown.out.contains(words), "no `{words}` in\n{}", shown.out);
    }
    assert!(shown.out.contains(REPAIRED) && shown.out.contains(FLAW));
    let listed = office.repo.run(&["changes"]).expect(0);
    listed.says(&office.change).says("verified");
}

#[test]
fn a_signature_made_by_openssh_is_taken_and_of_other_bytes_or_another_person_is_not() {
    let office = Office::at(Stage::Proposed);
    let repo = &office.repo;
    let statement = repo
        .by("human:cleo", &["approve", &office.change, "--statement"])
        .expect(0)
        .out;
    let at = |name: &str| repo.path().join("..").join(name);
    fs::write(at("statement"), &statement).expect("a file");
    let signed = Command::new("ssh-keygen")
        .args([
            "-q",
            "-Y",
            "sign",
            "-n",
            "solvent-approval",
            "-f",
            &key("cleo"),
        ])
        .arg(at("statement"))
        .status();
    assert!(signed.expect("ssh-keygen runs").success());
    let give = |who: &str, text: &str| {
        let public = format!("{}.pub", key("cleo"));
        let args = ["approve", &office.change, "--signature", "../statement.sig"];
        let rest = ["--public-key", &public, "--signed", text];
        repo.by(who, &[&args[..], &rest[..]].concat())
    };
    let digit = statement
        .rfind(|c: char| c.is_ascii_digit())
        .expect("a digit");
    let mut other = statement.clone().into_bytes();
    other[digit] = if other[digit] == b'9' {
        b'8'
    } else {
        other[digit] + 1
    };
    fs::write(at("other"), &other).expect("a file");
    give("human:cleo", "../other")
        .expect(5)
        .says("the signature does not fit these bytes");
    give("human:ben", "../statement")
        .expect(5)
        .says("signed in the name of cleo");
    assert_eq!(office.review()["counted"], 0);
    give("human:cleo", "../statement")
        .expect(0)
        .says("human:cleo");
    assert_eq!(office.review()["counted"], 1);
    fs::write(at("cut"), &statement[..statement.len() / 2]).expect("a file");
    give("human:cleo", "../cut")
        .expect(2)
        .says("not an approval");
}

#[test]
fn a_rejected_change_is_not_merged_whatever_was_approved() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    repo.by("human:ben", &["reject", &office.change, "--reason", " "])
        .expect(2)
        .says("needs words");
    repo.by(
        "human:ben",
        &["reject", &office.change, "--reason", "wait for the freeze"],
    )
    .expect(0);
    office
        .merge("cleo")
        .expect(5)
        .says("ben rejected it")
        .says("wait for the freeze");
    assert!(office.source().contains(FLAW));
}

#[test]
fn a_commit_that_brings_the_flaw_back_is_named_and_reopens_it() {
    let office = Office::at(Stage::Closed);
    let repo = &office.repo;
    let status = || repo.run(&["status", "--json"]).json();
    assert_eq!(status()["closed"], 1);
    repo.run(&["replay", "--all"])
        .expect(0)
        .says("not reproduced");
    repo.write("NOTES.md", b"one\n");
    repo.commit("Take notes");
    repo.write("app.py", office.source().replace(REPAIRED, FLAW).as_bytes());
    repo.commit("Make the query easier to read");
    let guilty = office.main();
    for n in 0..2 {
        repo.write("NOTES.md", format!("{n}\n").as_bytes());
        repo.commit("Take more notes");
    }
    let report = repo.run(&["replay", "--all", "--json"]).expect(1).json();
    let result = &report["results"][0];
    assert_eq!(
        (&result["outcome"], &result["regress"]),
        (&"proven".into(), &true.into())
    );
    let suspects = result["suspects"].as_array().expect("suspects");
    assert_eq!(suspects.len(), 1, "{result:#}");
    let named = text(&suspects[0]);
    assert!(
        named.starts_with(&guilty[..12]) && named.ends_with("Make the query easier to read"),
        "{named}"
    );
    let after = status();
    assert_eq!(
        (&after["closed"], &after["reopened"]),
        (&0.into(), &1.into())
    );
    repo.run(&["show", &office.finding])
        .expect(0)
        .says("reopened");
}

#[test]
fn proofs_are_reviewed_by_people_and_the_count_says_so() {
    let office = Office::at(Stage::Proven);
    let repo = &office.repo;
    repo.by(
        "agent:fixer",
        &["review-proof", &office.finding, "--verdict", "upheld"],
    )
    .expect(5)
    .says("only a person");
    repo.by(
        "human:ben",
        &["review-proof", &office.finding, "--verdict", "disputed"],
    )
    .expect(2)
    .says("needs words");
    repo.by(
        "human:ben",
        &["review-proof", &office.finding, "--verdict", "upheld"],
    )
    .expect(0)
    .says("1 proofs reviewed, 0 disputed");
}

#[test]
fn the_regress_check_sees_a_gap_where_the_application_does_not_start() {
    let office = Office::at(Stage::Closed);
    let repo = &office.repo;
    repo.write("app.py", b"raise SystemExit('no database here')\n");
    repo.commit("Break it");
    let report = repo.run(&["replay", "--all", "--json"]).expect(3).json();
    assert_eq!(report["results"][0]["outcome"], "inconclusive");
    assert_ne!(report["unmeasured"], serde_json::json!([]));
    assert_eq!(repo.run(&["status", "--json"]).json()["closed"], 1);
    // What the fix was verified by is in the change, with what could not be.
    let request = &office.review()["request"];
    assert_eq!(check(request, "attack_fails").0, "passed");
    assert_eq!(check(request, "regression_test").0, "unmeasured");
}
