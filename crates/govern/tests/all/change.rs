//! The life of a change: what counts, what does not and why, and what a refusal says.

use crate::histories::world::{
    CHANGES, DAY, Look, START, Signed, Step, Touched, WORLDS, What, World, real, revision,
};
use solvent_govern::change::{Approval, Status, Void, fold, may, may_merge};
use solvent_govern::{Action, ChangeState, Court, Governance};
use solvent_protocol::adoption::Stage;
use solvent_protocol::approval::Presence;
use solvent_protocol::change::{RiskClass, Verification};
use solvent_protocol::record::ActorKind;

const NOW: i64 = START + 1_000;

fn step(at: i64, kind: ActorKind, who: &'static str, what: What) -> Step {
    Step {
        at: START + at,
        kind,
        who,
        behalf: None,
        what,
    }
}

fn person(at: i64, who: &'static str, what: What) -> Step {
    step(at, ActorKind::Human, who, what)
}

fn signed(approver: &'static str, pen: usize) -> Signed {
    Signed {
        change: 0,
        approver,
        revision: 0,
        risk: RiskClass::High,
        policy: 0,
        expires: START + DAY,
        named: pen,
        pen,
        touched: Touched::Yes,
        altered: false,
    }
}

/// An agent of ana's proposes, the verifier verifies, ben and eve approve with their tokens. The class is
/// high, which wants two.
fn approved() -> Vec<Step> {
    let mut propose = step(
        0,
        ActorKind::Agent,
        "fixer",
        What::Propose {
            author: "ned",
            revision: 0,
            look: Look::Pipeline,
        },
    );
    propose.behalf = Some("ned");
    vec![
        propose,
        step(
            1,
            ActorKind::Worker,
            "verifier",
            What::Verify {
                revision: 0,
                outcome: Verification::Passed,
            },
        ),
        person(2, "ben", What::Approve(signed("ben", 1))),
        person(3, "eve", What::Approve(signed("eve", 3))),
    ]
}

fn world() -> &'static World {
    &WORLDS[0]
}

fn court(governance: &Governance) -> Court<'_> {
    Court {
        governance,
        stage: Stage::RemediateMore,
        now_ms: NOW,
    }
}

fn state(steps: &[Step]) -> ChangeState {
    fold(CHANGES[0], &real(world(), steps), &court(&world().base))
}

/// The refusal of a merge by kim, all of it.
fn refusal(steps: &[Step]) -> String {
    let court = court(&world().base);
    let kim = court.governance.actor(ActorKind::Human, "kim");
    let decision = may_merge(&state(steps), &court, &kim, &revision(0));
    assert!(!decision.allowed());
    decision.text()
}

#[test]
fn a_change_goes_from_proposed_to_closed() {
    let mut steps = approved();
    let status = |steps: &[Step]| state(steps).status;
    assert_eq!(status(&[]), Status::Unknown);
    assert_eq!(status(&steps[..1]), Status::Proposed);
    assert_eq!(status(&steps[..3]), Status::Verified);
    assert_eq!(status(&steps), Status::Approved);
    assert!(state(&steps).missing.is_empty());
    steps.push(person(4, "eve", What::Reject));
    assert_eq!(status(&steps), Status::Rejected);
    steps.pop();
    steps.push(person(5, "kim", What::Merge));
    let merged = state(&steps);
    assert_eq!(merged.status, Status::Merged);
    // The merged tree of this world is another than the approved one.
    assert!(
        merged
            .problems
            .iter()
            .any(|p| p.contains("merged tree is not the approved tree"))
    );
}

#[test]
fn authors_are_who_wrote_who_started_and_who_owns_the_agent() {
    let mut steps = approved();
    let it = state(&steps);
    assert_eq!(it.authors.iter().collect::<Vec<_>>(), ["ana", "ned"]);
    assert_eq!(it.agents.iter().collect::<Vec<_>>(), ["fixer"]);
    // Whoever pushes is an author from then on, and everything before is void.
    steps.push(person(
        4,
        "ben",
        What::Push {
            revision: 0,
            look: Look::Pipeline,
        },
    ));
    let it = state(&steps);
    assert!(it.authors.contains("ben"));
    assert_eq!(it.approvals[0].voids, [Void::Push, Void::Author]);
    assert_eq!(it.approvals[1].voids, [Void::Push]);
    assert_eq!(it.verification, None);
}

#[test]
fn each_way_of_not_counting_has_its_words() {
    type Spoil = (&'static str, fn(&mut Vec<Step>));
    fn eve(steps: &mut [Step]) -> &mut Signed {
        match &mut steps[3].what {
            What::Approve(signed) => signed,
            other => panic!("{other:?}"),
        }
    }
    let spoils: [Spoil; 19] = [
        ("signed other bytes", |s| eve(s).revision = 1),
        ("replayed from change c-2", |s| eve(s).change = 1),
        ("the policy changed", |s| eve(s).policy = 2),
        ("the policy changed", |s| {
            s.push(person(4, "ana", What::PolicyChange(2)))
        }),
        ("signed as low risk", |s| eve(s).risk = RiskClass::Low),
        ("expired", |s| eve(s).expires = NOW),
        ("lives longer than the policy lets approvals live", |s| {
            eve(s).expires = START + 8 * DAY
        }),
        ("recorded with the clock set back", |s| s[3].at = START - 1),
        ("given by the agent of that name", |s| {
            s[3].kind = ActorKind::Agent
        }),
        ("given by the program of that name", |s| {
            s[3].kind = ActorKind::System
        }),
        ("signed in the name of ben", |s| eve(s).approver = "ben"),
        ("suspended", |s| {
            s[3] = person(3, "sid", What::Approve(signed("sid", 9)));
        }),
        ("in no role that may approve it", |s| {
            s[3] = person(3, "max", What::Approve(signed("max", 7)));
        }),
        ("wrote the change, or started the agent that did", |s| {
            s[3] = person(3, "ana", What::Approve(signed("ana", 0)));
        }),
        ("not in solvent-policy/people.toml", |s| {
            s[3] = person(3, "zoe", What::Approve(signed("zoe", 10)));
        }),
        ("signed with a key that is not theirs", |s| {
            eve(s).named = 10;
            eve(s).pen = 10;
        }),
        ("the signature does not fit these bytes", |s| {
            eve(s).altered = true
        }),
        ("presence not shown", |s| eve(s).touched = Touched::No),
        ("taken back", |s| s.push(person(4, "eve", What::Withdraw))),
    ];
    for (words, spoil) in spoils {
        let mut steps = approved();
        spoil(&mut steps);
        let it = state(&steps);
        assert!(!it.approvals[1].counts(), "{words}");
        assert!(
            it.approvals[1].words().contains(words),
            "{words}: {}",
            it.approvals[1].words()
        );
        assert!(!it.tally.is_met());
        let text = refusal(&steps);
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    assert_eq!(
        state(&approved()).approvals[1].words(),
        "eve approved, presence shown"
    );
    let mut steps = approved();
    eve(&mut steps).pen = 10;
    assert!(refusal(&steps).contains("the signature was made with another key, SHA256:"));
}

#[test]
fn the_recorders_word_for_presence_is_not_believed() {
    let mut steps = approved();
    if let What::Approve(signed) = &mut steps[2].what {
        signed.touched = Touched::No;
    }
    let events = real(world(), &steps);
    let claimed = serde_json::to_value(&events[2].kind).unwrap();
    assert_eq!(claimed["approved"]["approval"]["presence"], "shown");
    assert_eq!(state(&steps).approvals[0].presence, Presence::NotShown);
}

#[test]
fn one_person_with_two_keys_counts_once() {
    let mut steps = approved();
    steps[3] = person(3, "ben", What::Approve(signed("ben", 1)));
    steps.push(person(4, "ben", What::Approve(signed("ben", 1))));
    let it = state(&steps);
    assert!(it.approvals.iter().all(Approval::counts));
    assert_eq!(it.tally.words(), "1 of 2 approvals");
    // Who could still approve, without the authors and those without a token or a role.
    assert_eq!(
        it.tally.candidates.iter().collect::<Vec<_>>(),
        ["eve", "kim", "lea"]
    );
    assert!(refusal(&steps).contains("to pass: 1 more of eve, kim, lea approve"));
}

#[test]
fn a_clock_behind_the_records_refuses_until_it_is_right() {
    let steps = approved();
    let events = real(world(), &steps);
    let court = Court {
        now_ms: START + 2,
        ..court(&world().base)
    };
    let it = fold(CHANGES[0], &events, &court);
    assert!(it.approvals[1].voids.contains(&Void::FromTheFuture));
    let kim = court.governance.actor(ActorKind::Human, "kim");
    let text = may_merge(&it, &court, &kim, &revision(0)).text();
    assert!(text.contains("invariant/clock-goes-forward"), "{text}");
}

#[test]
fn a_merge_names_the_difference_to_what_was_approved() {
    let court = court(&world().base);
    let kim = court.governance.actor(ActorKind::Human, "kim");
    let it = state(&approved());
    assert!(may_merge(&it, &court, &kim, &revision(0)).allowed());
    for (what, spoil) in [
        (
            "base",
            (|r, o| r.base = o) as fn(&mut solvent_protocol::change::Revision, String),
        ),
        ("head", |r, o| r.head = o),
        ("tree", |r, o| r.tree = o),
    ] {
        let mut at = revision(0);
        spoil(&mut at, "e".repeat(40));
        let text = may_merge(&it, &court, &kim, &at).text();
        let words = format!("the {what} is eeeeeeeeeeee now, not ");
        assert!(text.contains(&words), "{words} is not in:\n{text}");
    }
    let mut at = revision(0);
    at.diff = solvent_base::Digest::of(b"other");
    assert!(!may_merge(&it, &court, &kim, &at).allowed());
}

#[test]
fn rules_from_the_changes_own_head_judge_nothing() {
    let mut steps = approved();
    for step in &mut steps {
        if let What::Approve(signed) = &mut step.what {
            signed.policy = 1;
        }
    }
    let court = court(&world().loose);
    let it = fold(CHANGES[0], &real(world(), &steps), &court);
    assert!(it.tally.is_met());
    let kim = court.governance.actor(ActorKind::Human, "kim");
    let decision = may_merge(&it, &court, &kim, &revision(0));
    let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(rules, ["invariant/policy-comes-from-base"]);
    assert_eq!(
        decision
            .text()
            .lines()
            .filter(|line| line.contains("to pass"))
            .collect::<Vec<_>>(),
        ["  to pass: read the policy from the protected base"]
    );
}

#[test]
fn a_person_alone_is_told_what_would_make_it_pass() {
    let governance = Governance::alone("ana").unwrap();
    let court = court(&governance);
    let it = fold(CHANGES[0], &real(world(), &approved()), &court);
    let ana = governance.actor(ActorKind::Human, "ana");
    for action in [Action::Approve, Action::Merge] {
        let decision = may(&it, &court, &ana, action, Some(&revision(0)));
        assert!(!decision.allowed());
        assert!(
            decision.pass.iter().any(|pass| pass.starts_with(
                "add solvent-policy/people.toml with a second person who has a key and the role approver"
            )),
            "{}",
            decision.text()
        );
    }
    // The patch itself is theirs.
    assert!(may(&it, &court, &ana, Action::Export, None).allowed());
}

#[test]
fn content_that_nobody_stands_behind_is_not_merged() {
    let mut steps = approved();
    steps.insert(
        1,
        step(
            0,
            ActorKind::Agent,
            "stray",
            What::Push {
                revision: 0,
                look: Look::Pipeline,
            },
        ),
    );
    let text = refusal(&steps);
    assert!(
        text.contains("nobody is known to stand behind some of the content"),
        "{text}"
    );
    assert!(text.contains("list the agent with its owner"), "{text}");
    // With a person behind it, it is merged.
    steps[1].behalf = Some("ned");
    assert_eq!(state(&steps).status, Status::Approved);
}

#[test]
fn an_agent_stops_nothing_and_hostile_words_are_fenced() {
    let mut steps = approved();
    steps.push(step(4, ActorKind::Agent, "fixer", What::Reject));
    let it = state(&steps);
    assert_eq!(it.status, Status::Approved);
    assert!(it.problems[0].contains("is a rejection by `fixer`, who is no person"));
    let mut events = real(world(), &approved());
    events.push(solvent_protocol::change::Event {
        at_ms: START + 5,
        actor: solvent_protocol::record::Actor {
            id: "eve".to_owned(),
            kind: ActorKind::Human,
            on_behalf_of: None,
        },
        kind: solvent_protocol::change::EventKind::Rejected {
            reason: "looks\nfine\u{202e}".to_owned(),
        },
    });
    let it = fold(CHANGES[0], &events, &court(&world().base));
    assert_eq!(it.missing[0], "eve rejected it: `looks\\u{a}fine\\u{202e}`");
}

#[test]
fn a_recorded_class_is_never_lower_than_the_computed_one() {
    let mut steps = approved();
    steps[0].what = What::Propose {
        author: "ned",
        revision: 0,
        look: Look::PolicySaidToBeLow,
    };
    let it = state(&steps);
    assert_eq!(it.assessment.as_ref().unwrap().class, RiskClass::Low);
    assert_eq!((it.risk, it.tally.needed), (RiskClass::High, 2));
    // A weakness that this policy does not list is not of low risk, whatever was recorded.
    steps[0].what = What::Propose {
        author: "ned",
        revision: 0,
        look: Look::Small,
    };
    assert_eq!(state(&steps).risk, RiskClass::Low);
    let court = court(&WORLDS[3].base);
    assert_eq!(
        fold(CHANGES[0], &real(&WORLDS[3], &steps), &court).risk,
        RiskClass::Medium
    );
}
