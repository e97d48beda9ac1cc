//! Behaviour of the first policy and of the invariants.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

use std::collections::BTreeSet;

use solvent_govern::{
    Action, Actor, ActorState, ApprovedRevision, Authority, Environment, FlawState, Payloads,
    Policy, Request, Stakes, Target, decide,
};
use solvent_protocol::record::{ActorKind, Answer};

fn policy() -> Policy {
    Policy::builtin().unwrap()
}

fn actor(kind: ActorKind, roles: &[&str]) -> Actor {
    Actor {
        kind,
        id: "x".to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        state: ActorState::Active,
    }
}

fn target_for(action: Action) -> Target {
    let id = || "it".to_owned();
    match action {
        Action::Init | Action::Rebuild => Target::Ledger { id: id() },
        Action::Scan => Target::Repository { id: id() },
        Action::Prove | Action::Replay => Target::sandbox("it"),
        Action::OpenCapsule => Target::Capsule {
            id: id(),
            flaw: FlawState::Open,
        },
        Action::Approve | Action::Merge => Target::Change {
            id: id(),
            author: "author".to_owned(),
            approvers: BTreeSet::from(["approver".to_owned()]),
            stakes: Stakes::Production,
            revision: ApprovedRevision::Same,
        },
        Action::AcceptRisk => Target::Finding {
            id: id(),
            owner: None,
        },
        Action::ChangePolicy => Target::PolicySet { id: id() },
        Action::Erase => Target::SealedObject { id: id() },
    }
}

fn ask(actor: &Actor, action: Action) -> Request {
    Request {
        actor: actor.clone(),
        action,
        target: target_for(action),
    }
}

#[test]
fn the_owner_may_run_the_whole_loop() {
    let owner = Actor::owner("ana");
    for action in [
        Action::Init,
        Action::Scan,
        Action::Prove,
        Action::Replay,
        Action::OpenCapsule,
        Action::Rebuild,
    ] {
        let decision = decide(&policy(), &ask(&owner, action));
        assert!(decision.allowed(), "{action:?}: {}", decision.sentence());
        assert!(!decision.rules.is_empty());
    }
}

#[test]
fn an_agent_in_every_role_sees_no_capsule_of_an_open_flaw() {
    let agent = actor(ActorKind::Agent, &["owner", "tester", "reader"]);
    let decision = decide(&policy(), &ask(&agent, Action::OpenCapsule));
    assert_eq!(decision.answer, Answer::Refuse);
    assert!(
        decision.rules.is_empty(),
        "nothing forbids it, nothing permits it"
    );
    let missing: Vec<&str> = decision
        .near_misses
        .iter()
        .flat_map(|m| &m.missing)
        .map(String::as_str)
        .collect();
    assert!(missing.contains(&"a human"), "{missing:?}");
    assert!(
        missing.iter().any(|m| m.contains("resource.open")),
        "{missing:?}"
    );
}

#[test]
fn an_agent_never_authorizes() {
    for kind in [ActorKind::Agent, ActorKind::Worker, ActorKind::System] {
        for action in Action::ALL.into_iter().filter(|action| action.reserved()) {
            let decision = decide(&policy(), &ask(&actor(kind, &["owner"]), action));
            assert_eq!(decision.answer, Answer::Refuse);
            assert_eq!(
                decision.rules[0].id, "invariant/only-people-authorize",
                "{action:?}"
            );
            assert_eq!(decision.pass, ["a person with the right to it does this"]);
        }
    }
}

#[test]
fn production_is_attacked_only_by_a_person_and_read_only() {
    let any = [(
        "any".to_owned(),
        r#"@id("all") permit (principal, action, resource);"#.to_owned(),
    )];
    let policy = Policy::with_operator(&any).unwrap();
    for kind in [ActorKind::Human, ActorKind::Agent] {
        for payloads in [Payloads::Any, Payloads::ReadOnly] {
            let request = Request {
                actor: actor(kind, &[]),
                action: Action::Prove,
                target: Target::Application {
                    id: "shop".to_owned(),
                    environment: Environment::Production,
                    authority: Authority::Shown,
                    payloads,
                },
            };
            let expected = kind == ActorKind::Human && payloads == Payloads::ReadOnly;
            assert_eq!(
                decide(&policy, &request).allowed(),
                expected,
                "{kind:?} {payloads:?}"
            );
        }
    }
}

#[test]
fn what_was_stopped_does_nothing() {
    let mut owner = Actor::owner("ana");
    owner.state = ActorState::Stopped;
    let decision = decide(&policy(), &ask(&owner, Action::Scan));
    assert_eq!(decision.rules[0].id, "invariant/suspended-is-stopped");
}

#[test]
fn a_target_that_does_not_fit_the_action_is_an_error_and_refused() {
    let request = Request {
        actor: Actor::owner("ana"),
        action: Action::Scan,
        target: Target::Ledger { id: "x".to_owned() },
    };
    let decision = decide(&policy(), &request);
    assert!(!decision.allowed());
    assert_eq!(decision.errors.len(), 1);
}

#[test]
fn a_rule_that_errs_refuses_although_another_permits() {
    // Overflow of a long is an error at run time that strict validation cannot see.
    let files = [(
        "ops".to_owned(),
        r#"@id("overflow") forbid (principal, action == Action::"scan", resource)
           when { 9223372036854775807 + 1 > 0 };"#
            .to_owned(),
    )];
    let policy = Policy::with_operator(&files).unwrap();
    let decision = decide(&policy, &ask(&Actor::owner("ana"), Action::Scan));
    assert_eq!(decision.answer, Answer::Refuse);
    assert!(
        decision.errors[0].contains("overflow"),
        "{:?}",
        decision.errors
    );
}

#[test]
fn hostile_policy_text_is_refused_with_words() {
    let nested = format!(
        "@id(\"n\") permit (principal, action, resource) when {{ {}true{} }};",
        "(".repeat(20_000),
        ")".repeat(20_000)
    );
    let chained = format!(
        "@id(\"c\") permit (principal, action, resource) when {{ true{} }};",
        " && true".repeat(6_000)
    );
    let conditional = format!(
        "@id(\"i\") permit (principal, action, resource) when {{ {}true }};",
        "if true then true else ".repeat(2_000)
    );
    let negated = format!(
        "@id(\"m\") permit (principal, action, resource) when {{ {}true }};",
        "!".repeat(5_000)
    );
    let cases = [
        ("negated", negated.as_str()),
        ("nested", nested.as_str()),
        ("chained", &chained),
        ("conditional", &conditional),
        ("huge", &"// x\n".repeat(100_000)),
        ("no id", "permit (principal, action, resource);"),
        (
            "template",
            r#"@id("t") permit (principal == ?principal, action, resource);"#,
        ),
        (
            "twice",
            r#"@id("a") permit (principal, action, resource); @id("a") permit (principal, action, resource);"#,
        ),
        (
            "unknown type",
            r#"@id("a") permit (principal is Robot, action, resource);"#,
        ),
        (
            "unknown attribute",
            r#"@id("a") permit (principal, action, resource) when { resource.nope };"#,
        ),
        ("not cedar", "allow everything"),
    ];
    for (name, text) in cases {
        let refused = Policy::with_operator(&[("ops".to_owned(), text.to_owned())]);
        let problems = refused
            .err()
            .unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(!problems[0].message.is_empty());
    }
}

#[test]
fn the_deepest_accepted_rule_is_evaluated_on_a_small_stack() {
    let deep = format!(
        "@id(\"d\") permit (principal, action, resource) when {{ {}true{}{} }};",
        "if (true) then true else (".repeat(14),
        ")".repeat(14),
        " && true".repeat(60),
    );
    let ran = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let policy = Policy::with_operator(&[("ops".to_owned(), deep)]).unwrap();
            decide(&policy, &ask(&Actor::owner("ana"), Action::Erase)).allowed()
        })
        .unwrap()
        .join();
    assert_eq!(ran.ok(), Some(true));
}
