//! Behaviour of the first policy and of the invariants.

use std::collections::BTreeSet;

use solvent_govern::{
    Action, Actor, ActorState, Authority, ChangeFacts, Clock, Course, Environment, Exemption,
    FlawState, Payloads, Policy, PolicySource, PolicyTouch, QuorumState, Reason, Request, Reviews,
    RevisionState, Stakes, Target, Writer, decide,
};
use solvent_protocol::adoption::Stage;
use solvent_protocol::change::RiskClass;
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

/// With which nothing is wrong.
fn good_change() -> ChangeFacts {
    ChangeFacts {
        id: "it".to_owned(),
        authors: BTreeSet::from(["author".to_owned()]),
        approvers: BTreeSet::from(["approver".to_owned()]),
        quorum: QuorumState::Met,
        stakes: Stakes::Production,
        revision: RevisionState::Verified,
        course: Course::Open,
        clock: Clock::Sound,
        policy_source: PolicySource::Base,
        policy_touch: PolicyTouch::Leaves,
        writer: Writer::Agent,
        risk: RiskClass::High,
        stage: Stage::RemediateMore,
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
        Action::Fix | Action::ReviewProof | Action::ReadEvidence => Target::Finding {
            id: id(),
            owner: None,
            stage: Stage::Prove,
        },
        Action::Propose
        | Action::Verify
        | Action::Export
        | Action::Approve
        | Action::Reject
        | Action::Merge => Target::Change(Box::new(good_change())),
        Action::AcceptRisk => Target::Acceptance {
            finding: id(),
            owner: Some("owner-of-it".to_owned()),
            days: 30,
            reason: Reason::Given,
        },
        Action::SetStage => Target::StageChange {
            repository: id(),
            to: Stage::RemediateMore,
            reviews: Reviews::Enough,
            exemption: Exemption::None,
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
        Action::Fix,
        Action::Export,
        Action::ReadEvidence,
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
fn one_wrong_fact_refuses_a_merge_and_names_its_rule() {
    let owner = Actor::owner("ana");
    let ask = |facts: &ChangeFacts, action| {
        let request = Request {
            actor: owner.clone(),
            action,
            target: Target::Change(Box::new(facts.clone())),
        };
        decide(&policy(), &request)
    };
    let good = good_change();
    assert!(ask(&good, Action::Merge).allowed());
    assert!(ask(&good, Action::Approve).allowed());
    type Wrong = (&'static str, fn(&mut ChangeFacts));
    let wrongs: [Wrong; 12] = [
        ("quorum-is-met", |f| f.quorum = QuorumState::Missing),
        ("merge-what-was-verified", |f| {
            f.revision = RevisionState::Other
        }),
        ("closed-is-closed", |f| f.course = Course::Closed),
        ("clock-goes-forward", |f| f.clock = Clock::Behind),
        ("policy-comes-from-base", |f| {
            f.policy_source = PolicySource::Other
        }),
        ("policy-change-is-high-risk", |f| {
            f.policy_touch = PolicyTouch::Touches;
            f.risk = RiskClass::Low;
        }),
        ("remediation-needs-its-stage", |f| f.stage = Stage::Observe),
        ("remediation-needs-its-stage", |f| f.stage = Stage::Prove),
        ("remediation-needs-its-stage", |f| {
            f.stage = Stage::RemediateLowRisk
        }),
        ("merger-is-not-the-only-approver", |f| f.approvers.clear()),
        ("merger-is-not-the-only-approver", |f| {
            f.approvers = BTreeSet::from(["ana".to_owned()]);
        }),
        ("author-is-no-approver", |f| {
            f.approvers.insert("author".to_owned());
        }),
    ];
    for (rule, spoil) in wrongs {
        let mut facts = good.clone();
        spoil(&mut facts);
        let decision = ask(&facts, Action::Merge);
        let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(rules, [format!("invariant/{rule}")], "{facts:?}");
        assert!(!decision.pass.is_empty());
    }
    let mut own = good;
    own.authors.insert("ana".to_owned());
    let decision = ask(&own, Action::Approve);
    assert_eq!(decision.rules[0].id, "invariant/no-self-approval");
    // An author may merge what others approved, and stop it.
    assert!(ask(&own, Action::Merge).allowed());
    assert!(ask(&own, Action::Reject).allowed());
}

#[test]
fn a_risk_is_accepted_by_another_for_a_time_and_for_a_reason() {
    let ask = |owner: Option<&str>, days, reason| {
        let request = Request {
            actor: Actor::owner("ana"),
            action: Action::AcceptRisk,
            target: Target::Acceptance {
                finding: "f".to_owned(),
                owner: owner.map(str::to_owned),
                days,
                reason,
            },
        };
        let decision = decide(&policy(), &request);
        let rules: Vec<String> = decision.rules.iter().map(|rule| rule.id.clone()).collect();
        (decision.allowed(), rules.join(" "))
    };
    assert_eq!(
        ask(Some("ben"), 30, Reason::Given),
        (true, "default/owner-decides".to_owned())
    );
    for (refused, rule) in [
        (ask(Some("ana"), 30, Reason::Given), "invariant/no-own-risk"),
        (
            ask(None, 30, Reason::Given),
            "invariant/acceptance-has-an-owner",
        ),
        (
            ask(Some("ben"), 0, Reason::Given),
            "invariant/acceptance-expires",
        ),
        (
            ask(Some("ben"), i64::MIN, Reason::Given),
            "invariant/acceptance-expires",
        ),
        (
            ask(Some("ben"), 366, Reason::Given),
            "invariant/acceptance-expires",
        ),
        (
            ask(Some("ben"), 30, Reason::Missing),
            "invariant/acceptance-has-a-reason",
        ),
    ] {
        assert_eq!(refused, (false, rule.to_owned()));
    }
}

#[test]
fn each_stage_allows_what_it_should() {
    let people = Actor::owner("ana");
    let agent = actor(ActorKind::Agent, &["tester", "remediator"]);
    let ask = |actor: &Actor, action, stage, risk| {
        let target = match action {
            Action::Prove => Target::sandbox_in("it", stage),
            Action::Scan => target_for(Action::Scan),
            Action::Fix => Target::Finding {
                id: "f".to_owned(),
                owner: None,
                stage,
            },
            _ => Target::Change(Box::new(ChangeFacts {
                stage,
                risk,
                ..good_change()
            })),
        };
        let request = Request {
            actor: actor.clone(),
            action,
            target,
        };
        decide(&policy(), &request).allowed()
    };
    use RiskClass::{Low, Medium};
    use Stage::{Observe, Prove, RemediateLowRisk, RemediateMore};
    for (who, action, risk, stages) in [
        (
            &people,
            Action::Scan,
            Low,
            vec![Observe, Prove, RemediateLowRisk, RemediateMore],
        ),
        (
            &people,
            Action::Prove,
            Low,
            vec![Prove, RemediateLowRisk, RemediateMore],
        ),
        (
            &people,
            Action::Fix,
            Low,
            vec![Prove, RemediateLowRisk, RemediateMore],
        ),
        (
            &people,
            Action::Propose,
            Low,
            vec![RemediateLowRisk, RemediateMore],
        ),
        (&people, Action::Propose, Medium, vec![RemediateMore]),
        (
            &people,
            Action::Merge,
            Low,
            vec![RemediateLowRisk, RemediateMore],
        ),
        (&people, Action::Merge, Medium, vec![RemediateMore]),
        (
            &agent,
            Action::Prove,
            Low,
            vec![Prove, RemediateLowRisk, RemediateMore],
        ),
        (
            &agent,
            Action::Fix,
            Low,
            vec![RemediateLowRisk, RemediateMore],
        ),
        (
            &agent,
            Action::Propose,
            Low,
            vec![RemediateLowRisk, RemediateMore],
        ),
        (&agent, Action::Propose, Medium, vec![RemediateMore]),
        (&agent, Action::Merge, Low, vec![]),
    ] {
        let allowed: Vec<Stage> = Stage::ALL
            .into_iter()
            .filter(|&stage| ask(who, action, stage, risk))
            .collect();
        assert_eq!(
            allowed, stages,
            "{action:?} at {risk} risk by {:?}",
            who.kind
        );
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
                    stage: Stage::Prove,
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
