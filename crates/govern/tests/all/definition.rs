//! The rules in Cedar against the same rules written down plainly, over generated requests; and
//! operators' rules against the invariants.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use solvent_govern::{
    Action, Actor, ActorState, Authority, ChangeFacts, Clock, Course, Environment, Exemption,
    FlawState, Payloads, Policy, PolicySource, PolicyTouch, QuorumState, Reason, Request, Reviews,
    RevisionState, Stakes, Target, Writer, decide,
};
use solvent_protocol::adoption::Stage;
use solvent_protocol::change::RiskClass;
use solvent_protocol::record::{ActorKind, Answer};

static BUILTIN: LazyLock<Policy> = LazyLock::new(|| Policy::builtin().unwrap());

/// The invariants, in Rust. `None` when they do not speak.
fn invariant_forbids(request: &Request) -> bool {
    let Request {
        actor,
        action,
        target,
    } = request;
    let human = actor.kind == ActorKind::Human;
    if action.reserved() && !human {
        return true;
    }
    if actor.state == ActorState::Stopped {
        return true;
    }
    match (action, target) {
        (
            Action::Prove | Action::Replay,
            Target::Application {
                environment,
                authority,
                payloads,
                stage,
                ..
            },
        ) => {
            *authority == Authority::NotShown
                || *stage == Stage::Observe
                || (*environment == Environment::Production
                    && !(human && *payloads == Payloads::ReadOnly))
        }
        (Action::Fix, Target::Finding { stage, .. }) => {
            *stage < Stage::Prove || (!human && *stage < Stage::RemediateLowRisk)
        }
        (_, Target::Change(facts)) => change_forbids(actor, *action, facts),
        (
            Action::AcceptRisk,
            Target::Acceptance {
                owner,
                days,
                reason,
                ..
            },
        ) => {
            owner.is_none()
                || owner.as_deref() == Some(actor.id.as_str())
                || !(1..=365).contains(days)
                || *reason == Reason::Missing
        }
        (
            Action::SetStage,
            Target::StageChange {
                to,
                reviews,
                exemption,
                ..
            },
        ) => {
            *to >= Stage::RemediateLowRisk
                && *reviews == Reviews::TooFew
                && *exemption == Exemption::None
        }
        _ => false,
    }
}

fn change_forbids(actor: &Actor, action: Action, facts: &ChangeFacts) -> bool {
    let too_early = match facts.stage {
        Stage::Observe | Stage::Prove => true,
        Stage::RemediateLowRisk => facts.risk != RiskClass::Low,
        Stage::RemediateMore => false,
    };
    let played_down = facts.policy_touch == PolicyTouch::Touches && facts.risk != RiskClass::High;
    let unsound = facts.course == Course::Closed
        || facts.clock == Clock::Behind
        || facts.policy_source == PolicySource::Other;
    match action {
        Action::Verify => facts.stage == Stage::Observe,
        Action::Propose => too_early || played_down,
        Action::Reject => facts.course == Course::Closed,
        Action::Approve => played_down || unsound || facts.authors.contains(&actor.id),
        Action::Merge => {
            let others = facts.approvers.iter().any(|id| *id != actor.id);
            too_early
                || played_down
                || unsound
                || !others
                || facts.authors.iter().any(|id| facts.approvers.contains(id))
                || facts.quorum == QuorumState::Missing
                || facts.revision == RevisionState::Other
        }
        _ => false,
    }
}

/// The first policy, in Rust.
fn first_policy_permits(request: &Request) -> bool {
    let Request {
        actor,
        action,
        target,
    } = request;
    // The program has no roles.
    if actor.kind == ActorKind::System {
        return false;
    }
    let human = actor.kind == ActorKind::Human;
    let is = |role: &str| actor.roles.contains(role);
    let person = |role: &str| human && is(role);
    let owner = person("owner");
    let tester = person("tester") || person("guest");
    match (action, target) {
        (Action::Init, _) => owner || tester || person("developer"),
        (Action::Rebuild, _) => owner || tester,
        (Action::Scan, _) => owner || is("tester") || is("guest") || person("developer"),
        (Action::Prove | Action::Replay, Target::Application { environment, .. }) => {
            (owner || is("tester") || is("guest")) && *environment == Environment::Sandbox
        }
        (Action::OpenCapsule, Target::Capsule { flaw, .. }) => {
            owner || person("tester") || (is("reader") && *flaw == FlawState::Closed)
        }
        (Action::Fix, _) => owner || person("developer") || tester || is("remediator"),
        (Action::Propose, _) => owner || person("developer") || is("remediator"),
        (Action::Verify, _) => owner || person("developer") || is("remediator") || person("merger"),
        (Action::Export, _) => {
            let roles = [
                "owner",
                "developer",
                "tester",
                "guest",
                "approver",
                "auditor",
            ];
            roles.into_iter().any(person)
        }
        (Action::ReadEvidence, _) => {
            let roles = ["owner", "developer", "approver", "auditor"];
            roles.into_iter().any(person)
        }
        (Action::Approve | Action::ReviewProof, _) => owner || person("approver"),
        (Action::Reject, Target::Change(facts)) => {
            owner || person("approver") || (human && facts.authors.contains(&actor.id))
        }
        (Action::Merge, _) => owner || person("merger"),
        (Action::AcceptRisk, _) => owner || person("risk"),
        (Action::SetStage | Action::ChangePolicy, _) => owner,
        _ => false,
    }
}

/// Whether the schema lets this action have this target.
fn fits(action: Action, target: &Target) -> bool {
    use Action as A;
    match target {
        Target::Repository { .. } => matches!(action, A::Scan | A::Init),
        Target::Ledger { .. } => matches!(action, A::Init | A::Rebuild),
        Target::Application { .. } => matches!(action, A::Prove | A::Replay),
        Target::Capsule { .. } => action == A::OpenCapsule,
        Target::Change(_) => matches!(
            action,
            A::Propose
                | A::Verify
                | A::Approve
                | A::Reject
                | A::Merge
                | A::Export
                | A::ReadEvidence
        ),
        Target::Finding { .. } => matches!(
            action,
            A::Fix | A::ReviewProof | A::Export | A::ReadEvidence
        ),
        Target::Acceptance { .. } => action == A::AcceptRisk,
        Target::StageChange { .. } => action == A::SetStage,
        Target::PolicySet { .. } => action == A::ChangePolicy,
        Target::SealedObject { .. } => action == A::Erase,
    }
}

/// By the definition: an error where the request makes no sense, else forbid before permit.
fn plainly(request: &Request) -> bool {
    let sensible = fits(request.action, &request.target)
        && !(request.actor.kind == ActorKind::System && request.actor.state == ActorState::Stopped);
    sensible && !invariant_forbids(request) && first_policy_permits(request)
}

fn people() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "ana",
        "ben",
        "eve",
        "\"; permit (principal, action, resource);",
    ])
    .prop_map(str::to_owned)
}

fn actor() -> impl Strategy<Value = Actor> {
    let roles = prop::sample::subsequence(
        vec![
            "owner",
            "tester",
            "guest",
            "reader",
            "admin",
            "approver",
            "merger",
            "developer",
            "remediator",
            "risk",
            "auditor",
        ],
        0..=10,
    );
    (
        prop::sample::select(vec![
            ActorKind::Human,
            ActorKind::Agent,
            ActorKind::Worker,
            ActorKind::System,
        ]),
        people(),
        roles,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(kind, id, roles, stopped)| Actor {
            kind,
            id,
            roles: roles.into_iter().map(str::to_owned).collect(),
            state: if stopped {
                ActorState::Stopped
            } else {
                ActorState::Active
            },
        })
}

fn target() -> impl Strategy<Value = Target> {
    let id = || Just("it".to_owned());
    prop_oneof![
        id().prop_map(|id| Target::Repository { id }),
        id().prop_map(|id| Target::Ledger { id }),
        id().prop_map(|id| Target::PolicySet { id }),
        id().prop_map(|id| Target::SealedObject { id }),
        (0..3, any::<bool>(), any::<bool>(), stage()).prop_map(
            |(environment, shown, read_only, stage)| Target::Application {
                id: "shop".to_owned(),
                environment: [
                    Environment::Sandbox,
                    Environment::Staging,
                    Environment::Production,
                ][environment as usize],
                authority: if shown {
                    Authority::Shown
                } else {
                    Authority::NotShown
                },
                payloads: if read_only {
                    Payloads::ReadOnly
                } else {
                    Payloads::Any
                },
                stage,
            }
        ),
        any::<bool>().prop_map(|open| Target::Capsule {
            id: "capsule".to_owned(),
            flaw: if open {
                FlawState::Open
            } else {
                FlawState::Closed
            },
        }),
        // Changes are most of what is asked about.
        change(),
        change(),
        change(),
        (prop::option::of(people()), stage()).prop_map(|(owner, stage)| Target::Finding {
            id: "finding".to_owned(),
            owner,
            stage,
        }),
        (
            prop::option::weighted(0.8, people()),
            prop::sample::select(vec![i64::MIN, -1, 0, 1, 30, 365, 366, i64::MAX]),
            prop::bool::weighted(0.8)
        )
            .prop_map(|(owner, days, given)| Target::Acceptance {
                finding: "finding".to_owned(),
                owner,
                days,
                reason: if given {
                    Reason::Given
                } else {
                    Reason::Missing
                },
            }),
        (stage(), any::<bool>(), any::<bool>()).prop_map(|(to, enough, asked)| {
            Target::StageChange {
                repository: "shop".to_owned(),
                to,
                reviews: if enough {
                    Reviews::Enough
                } else {
                    Reviews::TooFew
                },
                exemption: if asked {
                    Exemption::Asked
                } else {
                    Exemption::None
                },
            }
        }),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(Stage::ALL.to_vec())
}

/// Written by ana and her agent, approved by ben.
fn sound_change() -> ChangeFacts {
    ChangeFacts {
        id: "change".to_owned(),
        authors: BTreeSet::from(["ana".to_owned()]),
        approvers: BTreeSet::from(["ben".to_owned()]),
        quorum: QuorumState::Met,
        stakes: Stakes::Other,
        revision: RevisionState::Verified,
        course: Course::Open,
        clock: Clock::Sound,
        policy_source: PolicySource::Base,
        policy_touch: PolicyTouch::Leaves,
        writer: Writer::Agent,
        risk: RiskClass::Low,
        stage: Stage::RemediateMore,
    }
}

/// Mostly sound in each respect, so that all respects together are sound often enough.
fn change() -> impl Strategy<Value = Target> {
    let mostly = || prop::bool::weighted(0.9);
    (
        prop::collection::btree_set(people(), 1..3),
        prop::collection::btree_set(people(), 0..3),
        prop::sample::select(RiskClass::ALL.to_vec()),
        prop::sample::select(vec![
            Stage::Observe,
            Stage::Prove,
            Stage::RemediateLowRisk,
            Stage::RemediateMore,
            Stage::RemediateMore,
            Stage::RemediateMore,
        ]),
        (mostly(), mostly(), mostly(), mostly(), mostly()),
        (mostly(), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(authors, approvers, risk, stage, sound, (leaves, production, agent))| {
                let (quorum, revision, open, clock, base) = sound;
                Target::Change(Box::new(ChangeFacts {
                    id: "change".to_owned(),
                    authors,
                    approvers,
                    quorum: if quorum {
                        QuorumState::Met
                    } else {
                        QuorumState::Missing
                    },
                    stakes: if production {
                        Stakes::Production
                    } else {
                        Stakes::Other
                    },
                    revision: if revision {
                        RevisionState::Verified
                    } else {
                        RevisionState::Other
                    },
                    course: if open { Course::Open } else { Course::Closed },
                    clock: if clock { Clock::Sound } else { Clock::Behind },
                    policy_source: if base {
                        PolicySource::Base
                    } else {
                        PolicySource::Other
                    },
                    policy_touch: if leaves {
                        PolicyTouch::Leaves
                    } else {
                        PolicyTouch::Touches
                    },
                    writer: if agent { Writer::Agent } else { Writer::People },
                    risk,
                    stage,
                }))
            },
        )
}

/// Mostly requests that make sense; now and then any action on any target.
fn request() -> impl Strategy<Value = Request> {
    (
        actor(),
        target(),
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(actor, target, index, any_action)| {
            let actions: Vec<Action> = Action::ALL
                .into_iter()
                .filter(|&action| any_action || fits(action, &target))
                .collect();
            Request {
                actor,
                action: *index.get(&actions),
                target,
            }
        })
}

/// Rules an operator might write, good, careless and hostile.
fn operator_rule() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal is Human",
        "principal is Agent",
        "principal in Role::\"admin\"",
        "principal is Agent in Role::\"admin\"",
        "principal == Agent::\"eve\"",
        "principal == Human::\"ana\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action in Action::\"reserved\"",
        "action == Action::\"merge\"",
        "action in [Action::\"approve\", Action::\"changePolicy\"]",
        "action in [Action::\"propose\", Action::\"setStage\", Action::\"acceptRisk\"]",
        "action in [Action::\"prove\", Action::\"replay\"]",
    ]);
    let condition = prop::sample::select(vec![
        "",
        "when { true }",
        "unless { false }",
        "when { principal is Agent }",
        "when { 9223372036854775807 + 1 > 0 }",
        "when { resource is Change && resource.verifiedRevision }",
        "when { resource is Change && resource.authors.contains(principal) }",
        "when { resource is Change && resource.stage < 2 }",
        "unless { resource is Change && resource.production }",
    ]);
    let effect = prop::sample::select(vec!["permit", "permit", "permit", "forbid"]);
    (effect, principal, action, condition).prop_map(|(effect, principal, action, condition)| {
        format!("{effect} ({principal}, {action}, resource) {condition};")
    })
}

fn operator_set() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(operator_rule(), 1..6).prop_map(|rules| {
        let text: Vec<String> = rules
            .iter()
            .enumerate()
            // An id that apes an invariant's is an operator's rule all the same.
            .map(|(i, rule)| format!("@id(\"only-people-authorize{i}\") @reason(\"r\")\n{rule}\n"))
            .collect();
        vec![("ops.cedar".to_owned(), text.concat())]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cedar_decides_what_the_definition_says(request in request()) {
        let decision = decide(&BUILTIN, &request);
        prop_assert_eq!(decision.allowed(), plainly(&request), "{:?}", decision);
        // An allowance names its rule, a refusal what would make it pass; a forbid beats everything.
        prop_assert!(!decision.allowed() || !decision.rules.is_empty());
        prop_assert!(decision.allowed() || !decision.pass.is_empty());
        let forbidden = decision.rules.iter().any(|rule| rule.id.starts_with("invariant/"));
        if fits(request.action, &request.target) && decision.errors.is_empty() {
            prop_assert_eq!(forbidden, invariant_forbids(&request));
        }
        prop_assert_eq!(decide(&BUILTIN, &request), decision);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_operator_rule_widens_past_the_invariants(
        files in operator_set(),
        requests in prop::collection::vec(request(), 6),
    ) {
        // A set that strict validation refuses is not in force at all.
        if let Ok(policy) = Policy::with_operator(&files) {
            for request in &requests {
                let decision = decide(&policy, request);
                if invariant_forbids(request) {
                    prop_assert_eq!(decision.answer, Answer::Refuse, "{:?} by {:?}", request, files);
                }
                if !decision.errors.is_empty() {
                    prop_assert_eq!(decision.answer, Answer::Refuse);
                }
            }
            // With which nothing else is wrong.
            let facts = sound_change();
            for (kind, id, action) in [
                (ActorKind::Agent, "eve", Action::Approve),
                (ActorKind::Agent, "eve", Action::Merge),
                (ActorKind::Agent, "ana", Action::Merge),
                (ActorKind::Human, "ana", Action::Approve),
            ] {
                let request = Request {
                    actor: Actor {
                        kind,
                        id: id.to_owned(),
                        roles: ["owner", "admin", "approver", "merger"].map(str::to_owned).into(),
                        state: ActorState::Active,
                    },
                    action,
                    target: Target::Change(Box::new(facts.clone())),
                };
                let decision = decide(&policy, &request);
                prop_assert_eq!(decision.answer, Answer::Refuse, "{:?} by {:?}", request, files);
            }
        }
    }
}

#[test]
fn the_generated_cases_reach_both_answers_of_every_action() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let any = vec![(
        "any".to_owned(),
        "@id(\"any\") permit (principal, action, resource);".to_owned(),
    )];
    let open = Policy::with_operator(&any).unwrap();
    let mut seen = BTreeSet::new();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let request = request().new_tree(&mut runner).unwrap().current();
        seen.insert((request.action, decide(&open, &request).allowed()));
    }
    for _ in 0..300 {
        let files = operator_set().new_tree(&mut runner).unwrap().current();
        match Policy::with_operator(&files) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    for action in Action::ALL {
        assert!(
            seen.contains(&(action, true)),
            "{action:?} was never allowed"
        );
        assert!(
            seen.contains(&(action, false)),
            "{action:?} was never refused"
        );
    }
    assert!(
        accepted > 30,
        "{accepted} operator sets were in force, {refused} refused"
    );
}

#[test]
fn the_shipped_rules_all_explain_themselves() {
    for file in ["invariants.cedar", "default.cedar"] {
        let path = format!("{}/../../policies/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let rules = text.matches("\nforbid (").count() + text.matches("\npermit (").count();
        assert!(rules > 5);
        assert_eq!(text.matches("@reason(\"").count(), rules);
        if file == "invariants.cedar" {
            assert_eq!(text.matches("@pass(\"").count(), rules);
        }
    }
}

#[test]
fn a_changed_byte_of_any_rule_changes_the_digest() {
    let rule = |text: &str| {
        let files = [(
            "ops".to_owned(),
            format!("@id(\"a\") permit (principal, {text}, resource);"),
        )];
        Policy::with_operator(&files).unwrap().digest()
    };
    assert_ne!(rule("action"), rule("action == Action::\"scan\""));
    assert_ne!(rule("action"), BUILTIN.digest());
    assert_eq!(Policy::builtin().unwrap().digest(), BUILTIN.digest());
}
