//! Approvals are about bytes: whatever moves under them takes them away.

use std::fs;

use crate::office::{FLAW, Office, Stage, people, text};

#[test]
fn a_base_that_moved_after_the_approval_stops_the_merge() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    repo.write("NOTES.md", b"later\n");
    repo.commit("Take notes");
    let moved = office.main();
    office
        .merge("cleo")
        .expect(5)
        .says(&format!("the base is {} now", &moved[..12]))
        .says(&format!("solvent fix {}", office.finding));
    assert_eq!(office.main(), moved);
    office.approve("ben", "ben-too").expect(5);
    assert!(office.source().contains(FLAW));
}

#[test]
fn a_changed_policy_voids_every_approval() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    repo.write(
        "solvent-policy/governance.toml",
        b"findings_owner = \"ana\"\n",
    );
    repo.commit("Ask fewer people");
    office.merge("cleo").expect(5).says("the policy changed");
    let state = office.review();
    assert_eq!(state["counted"], 0);
    for approval in state["approvals"].as_array().expect("approvals") {
        assert!(
            text(&approval["void"]).contains("the policy changed"),
            "{approval}"
        );
    }
}

#[test]
fn a_person_taken_off_the_list_approved_nothing() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    let people = people().replace("id = \"ben\"", "id = \"ben\"\nsuspended = true");
    repo.write("solvent-policy/people.toml", people.as_bytes());
    repo.commit("Ben left");
    office.merge("cleo").expect(5).says("suspended");
}

#[test]
fn rules_that_do_not_read_permit_nothing() {
    let office = Office::at(Stage::Approved);
    office
        .repo
        .write("solvent-policy/people.toml", b"[[person]]\nid = 1\n");
    office.repo.commit("Break the rules");
    office.merge("cleo").expect(5).says("do not read");
    assert!(office.source().contains(FLAW));
}

#[test]
fn a_checkout_with_changes_of_somebody_is_never_overwritten() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    let before = office.main();
    let mine = office.source() + "\n# half a thought\n";
    repo.write("app.py", mine.as_bytes());
    office
        .merge("cleo")
        .expect(2)
        .says("not committed")
        .says("commit or stash");
    assert_eq!((office.source(), office.main()), (mine, before));
    repo.git(&["stash", "-q"]);
    office.merge("cleo").expect(0);
    repo.git(&["stash", "pop", "-q"]);
    assert!(office.source().ends_with("# half a thought\n"));
}

#[test]
fn files_that_were_touched_and_not_changed_stop_nothing() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    repo.write("scratch.txt", b"mine\n");
    for path in ["app.py", "solvent.toml"] {
        let bytes = fs::read(repo.path().join(path)).expect("a file");
        fs::remove_file(repo.path().join(path)).expect("removed");
        repo.write(path, &bytes);
    }
    office.merge("cleo").expect(0);
    assert!(!office.source().contains(FLAW));
    let kept = fs::read(repo.path().join("scratch.txt")).expect("it is still there");
    assert_eq!(kept, b"mine\n");
}

#[test]
fn another_branch_that_is_checked_out_stays_as_it_is() {
    let office = Office::at(Stage::Approved);
    let repo = &office.repo;
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo.write("app.py", (office.source() + "# mine\n").as_bytes());
    office.merge("cleo").expect(0);
    assert!(office.source().ends_with("# mine\n") && office.source().contains(FLAW));
    assert!(!repo.git_says(&["show", "main:app.py"]).contains(FLAW));
}
