//! The policy folder: what is read, what is refused, and with which words.

use std::collections::BTreeSet;

use solvent_govern::people::{FailsOn, MAX_TOML_BYTES, Mode};
use solvent_govern::signature::SoftwareKey;
use solvent_govern::{ActorState, Governance, Stakes};
use solvent_protocol::change::RiskClass;
use solvent_protocol::record::ActorKind;

fn key(seed: u8) -> String {
    SoftwareKey::from_seed(&[seed; 32]).public().text()
}

fn read(people: &str, settings: &str) -> Result<Governance, String> {
    let mut files = vec![("solvent-policy/people.toml".to_owned(), people.to_owned())];
    if !settings.is_empty() {
        files.push((
            "solvent-policy/governance.toml".to_owned(),
            settings.to_owned(),
        ));
    }
    Governance::read(&"b".repeat(40), &files).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        words.join("\n")
    })
}

fn two_people() -> String {
    format!(
        "[[person]]\nid = \"ana\"\nroles = [\"owner\"]\nkeys = [\"{} ana@laptop\"]\n\n\
         [[person]]\nid = \"ben\"\nroles = [\"approver\"]\nkeys = [\"{}\", \"{}\"]\nsuspended = true\n\n\
         [[agent]]\nid = \"fixer\"\nowner = \"ben\"\nroles = [\"remediator\"]\n",
        key(1),
        key(2),
        key(3)
    )
}

#[test]
fn a_folder_is_read_whole() {
    let settings = "protected_branch = \"trunk\"\nproduction = true\napproval_days = 3\n\
        low_risk = [\"CWE-89\", \"CWE-78\"]\nfails_on = \"reachable\"\nfindings_owner = \"ben\"\n\
        [quorum]\nmedium = 2\nhigh = 3\n";
    let it = read(&two_people(), settings).unwrap();
    assert_eq!(it.mode(), &Mode::Governed);
    assert_eq!(it.read_from(), "b".repeat(40));
    assert_eq!(it.person("ben").unwrap().keys.len(), 2);
    assert_eq!(it.person("ben").unwrap().state, ActorState::Stopped);
    let settings = it.settings();
    assert_eq!(settings.protected_branch, "trunk");
    assert_eq!(settings.stakes, Stakes::Production);
    assert_eq!(settings.approval_lifetime_ms, 3 * 86_400_000);
    assert_eq!(settings.fails_on, FailsOn::Reachable);
    assert_eq!(settings.low_risk.len(), 2);
    let quorum: Vec<u32> = RiskClass::ALL
        .map(|class| settings.quorum.of(class))
        .to_vec();
    assert_eq!(quorum, [1, 2, 3]);
    assert_eq!(it.findings_owner(), Some("ben"));
    // An agent is suspended with the person who answers for it.
    assert_eq!(
        it.actor(ActorKind::Agent, "fixer").state,
        ActorState::Stopped
    );
    assert_eq!(
        it.actor(ActorKind::Human, "ana").roles,
        BTreeSet::from(["owner".to_owned()])
    );
}

#[test]
fn what_is_not_written_has_its_usual_value() {
    let it = read(&two_people(), "").unwrap();
    let settings = it.settings();
    assert_eq!(settings.protected_branch, "main");
    assert_eq!(settings.stakes, Stakes::Other);
    assert_eq!(settings.approval_lifetime_ms, 7 * 86_400_000);
    assert_eq!(settings.fails_on, FailsOn::Proven);
    assert!(settings.low_risk.is_empty());
    let quorum: Vec<u32> = RiskClass::ALL
        .map(|class| settings.quorum.of(class))
        .to_vec();
    assert_eq!(quorum, [1, 1, 2]);
    // The only person in the role.
    assert_eq!(it.findings_owner(), Some("ana"));
}

#[test]
fn who_is_not_listed_may_scan_and_prove_but_decides_nothing() {
    let it = read(&two_people(), "").unwrap();
    for kind in [ActorKind::Human, ActorKind::Agent] {
        // A person's name does not lend its roles to an agent.
        let id = if kind == ActorKind::Agent {
            "ana"
        } else {
            "zoe"
        };
        assert_eq!(
            it.actor(kind, id).roles,
            BTreeSet::from(["guest".to_owned()])
        );
    }
    assert!(it.actor(ActorKind::Worker, "ana").roles.is_empty());
    assert!(it.actor(ActorKind::System, "ana").roles.is_empty());
}

#[test]
fn without_a_folder_the_person_at_the_keyboard_is_the_owner() {
    let it = Governance::alone("ana").unwrap();
    assert_eq!(
        it.mode(),
        &Mode::Alone {
            owner: "ana".to_owned()
        }
    );
    assert_eq!(
        it.actor(ActorKind::Human, "ana").roles,
        BTreeSet::from(["owner".to_owned()])
    );
    assert!(!it.actor(ActorKind::Human, "ben").roles.contains("owner"));
    assert_eq!(it.findings_owner(), Some("ana"));
    assert_ne!(it.digest(), it.policy().digest());
}

#[test]
fn a_demo_has_only_simulated_people() {
    let both = two_people().replace(
        "roles = [\"owner\"]",
        "roles = [\"owner\"]\nsimulated = true",
    );
    let refused = read(&both, "").err().unwrap();
    assert!(refused.contains("side by side"), "{refused}");
    let all = both.replace("suspended = true", "simulated = true");
    assert_eq!(read(&all, "").unwrap().mode(), &Mode::Demo);
}

#[test]
fn complaints_name_line_and_neighbour() {
    let people = two_people();
    for (from, to, words) in [
        (
            "suspended",
            "suspnded",
            "line 10: unknown key `suspnded`; did you mean `suspended`?",
        ),
        (
            "\"approver\"",
            "\"aprover\"",
            "line 8: unknown role `aprover`; did you mean `approver`?",
        ),
        (
            "[[agent]]",
            "[[agents]]",
            "unknown key `agents`; did you mean `agent`?",
        ),
        (
            "owner = \"ben\"",
            "owner = \"bem\"",
            "who is not a person here; did you mean `ben`?",
        ),
        (
            "id = \"ben\"",
            "id = \"ana\"",
            "person `ana` is listed twice",
        ),
        (
            "id = \"ben\"",
            "id = \"Ana\"",
            "`ana` and `Ana` differ in case alone",
        ),
        (
            "id = \"fixer\"",
            "id = \"ana\"",
            "`ana` is a person already",
        ),
        (
            "id = \"ben\"",
            "id = \"b\\u202een\"",
            "`id` is not 1 to 128 letters",
        ),
        (&key(2), &key(1), "`ana` and `ben` have the same key"),
        (&key(2), "ssh-dss AAAA", "not a public key"),
        (
            "suspended = true",
            "suspended = 1",
            "`suspended` is an integer, expected `true` or `false`",
        ),
    ] {
        let broken = people.replace(from, to);
        assert_ne!(broken, people, "{from}");
        let refused = read(&broken, "")
            .err()
            .unwrap_or_else(|| panic!("{to} was accepted"));
        assert!(refused.contains(words), "{to}: {refused}");
        assert!(
            refused.starts_with("`solvent-policy/people.toml`: line "),
            "{refused}"
        );
    }
    for (settings, words) in [
        (
            "approval_day = 1",
            "line 1: unknown key `approval_day`; did you mean `approval_days`?",
        ),
        (
            "approval_days = 0",
            "`approval_days` is not a whole number from 1 to 90",
        ),
        (
            "approval_days = 91",
            "`approval_days` is not a whole number from 1 to 90",
        ),
        (
            "fails_on = \"provn\"",
            "unknown word `provn`; did you mean `proven`?",
        ),
        (
            "low_risk = [\"SQL\"]",
            "`SQL` is not a weakness like `CWE-89`",
        ),
        ("findings_owner = \"bob\"", "`bob` is not a person"),
        ("protected_branch = \"a b\"", "not the name of a branch"),
        ("protected_branch = \"--force\"", "not the name of a branch"),
        (
            "[quorum]\nlow = 0",
            "line 2: `low` is not a whole number from 1 to 20",
        ),
        ("[quorum]\nmedum = 1", "did you mean `medium`?"),
        ("production = \"yes\"", "expected `true` or `false`"),
        ("production = ", "line 1: "),
    ] {
        let refused = read(&people, settings)
            .err()
            .unwrap_or_else(|| panic!("{settings}"));
        assert!(refused.contains(words), "{settings}: {refused}");
        assert!(
            refused.starts_with("`solvent-policy/governance.toml`: "),
            "{refused}"
        );
    }
}

#[test]
fn files_that_are_missing_strange_or_too_large_are_refused() {
    let of = |files: &[(&str, String)]| {
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone()))
            .collect();
        Governance::read("b", &files)
            .err()
            .map(|problems| problems[0].to_string())
    };
    let people = ("solvent-policy/people.toml", two_people());
    assert_eq!(of(std::slice::from_ref(&people)), None);
    assert_eq!(
        of(&[
            people.clone(),
            ("solvent-policy/README.md", "words".to_owned())
        ]),
        None
    );
    for (files, words) in [
        (
            vec![("solvent-policy/x.cedar", String::new())],
            "people.toml`: the file is missing",
        ),
        (
            vec![("solvent-policy/people.toml", String::new())],
            "no person is listed",
        ),
        (
            vec![
                people.clone(),
                ("solvent-policy/peopel.toml", String::new()),
            ],
            "did you mean `people.toml`?",
        ),
        (
            vec![
                people.clone(),
                ("solvent-policy/sub/x.cedar", String::new()),
            ],
            "unknown file",
        ),
        (
            vec![
                people.clone(),
                ("solvent-policy/x.cedar", "permit all".to_owned()),
            ],
            "x.cedar",
        ),
        (vec![people.clone(), people.clone()], "given twice"),
        (
            vec![people.clone(), ("people.toml", two_people())],
            "not in `solvent-policy/`",
        ),
        (
            vec![("solvent-policy/people.toml", "#".repeat(MAX_TOML_BYTES + 1))],
            "larger than",
        ),
    ] {
        let refused = of(&files).unwrap_or_else(|| panic!("{words}: accepted"));
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

#[test]
fn a_role_that_a_rule_names_is_known() {
    let people = two_people().replace("\"approver\"", "\"release\"");
    assert!(read(&people, "").is_err());
    let files = [
        ("solvent-policy/people.toml".to_owned(), people),
        (
            "solvent-policy/release.cedar".to_owned(),
            "@id(\"release-merges\") permit (principal in Role::\"release\", action == Action::\"merge\", resource);"
                .to_owned(),
        ),
    ];
    assert!(Governance::read("b", &files).is_ok());
}

#[test]
fn one_changed_byte_of_any_file_changes_the_digest_and_their_order_does_not() {
    let digest = |people: &str, settings: &str| read(people, settings).unwrap().digest();
    let usual = digest(&two_people(), "");
    assert_eq!(digest(&two_people(), ""), usual);
    assert_ne!(digest(&format!("{} ", two_people()), ""), usual);
    assert_ne!(digest(&two_people(), "# nothing\n"), usual);
    let mut files = vec![
        ("solvent-policy/people.toml".to_owned(), two_people()),
        (
            "solvent-policy/governance.toml".to_owned(),
            "production = true\n".to_owned(),
        ),
    ];
    let one = Governance::read("b", &files).map(|it| it.digest()).unwrap();
    files.reverse();
    assert_eq!(
        Governance::read("b", &files).map(|it| it.digest()).unwrap(),
        one
    );
}

#[test]
fn deeply_nested_data_is_refused_without_a_crash() {
    let deep = format!("person = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&deep, "").is_err());
}
