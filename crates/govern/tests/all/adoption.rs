//! How far a repository has come, and what that needs.

use solvent_govern::adoption::{Adoption, REVIEWS, may_set_stage};
use solvent_govern::signature::SoftwareKey;
use solvent_govern::{Actor, Exemption, Governance};
use solvent_protocol::adoption::{AdoptionEvent, AdoptionKind, ProofVerdict, Stage, StageBasis};
use solvent_protocol::record::{self, ActorKind};

fn event(kind: ActorKind, who: &str, what: AdoptionKind) -> AdoptionEvent {
    AdoptionEvent {
        at_ms: 0,
        actor: record::Actor {
            id: who.to_owned(),
            kind,
            on_behalf_of: None,
        },
        kind: what,
    }
}

fn review(who: &str, proof: usize, verdict: ProofVerdict) -> AdoptionEvent {
    event(
        ActorKind::Human,
        who,
        AdoptionKind::ProofReviewed {
            proof: format!("proof {proof}"),
            finding: "f".to_owned(),
            verdict,
            note: String::new(),
        },
    )
}

fn reviews(count: usize) -> Vec<AdoptionEvent> {
    (0..count)
        .map(|proof| review("ben", proof, ProofVerdict::Upheld))
        .collect()
}

fn governed(simulated: &str) -> Governance {
    let people = format!(
        "[[person]]\nid = \"ana\"\nroles = [\"owner\"]\nkeys = [\"{}\"]\n{simulated}\n",
        SoftwareKey::from_seed(&[1; 32]).public().text()
    );
    let files = [("solvent-policy/people.toml".to_owned(), people)];
    Governance::read("b", &files).unwrap()
}

#[test]
fn remediation_waits_for_twenty_different_proofs_and_no_dispute() {
    let governance = governed("");
    let ana = governance.actor(ActorKind::Human, "ana");
    let ask = |events: &[AdoptionEvent], to| {
        let adoption = Adoption::fold(events);
        let (decision, basis) =
            may_set_stage(&governance, &adoption, &ana, "shop", to, Exemption::None);
        (decision.allowed(), basis, decision.text())
    };
    let (allowed, _, text) = ask(&reviews(REVIEWS - 1), Stage::RemediateLowRisk);
    assert!(!allowed);
    assert!(
        text.contains("19 of 20 proofs reviewed, 0 disputed"),
        "{text}"
    );
    assert!(text.contains("people review 1 more proofs"), "{text}");
    assert!(!text.contains("go on without"), "{text}");
    let (allowed, basis, _) = ask(&reviews(REVIEWS), Stage::RemediateLowRisk);
    assert_eq!((allowed, basis), (true, StageBasis::Reviews));
    // The same proof again is not another.
    let mut same = reviews(REVIEWS - 1);
    same.push(review("eve", 0, ProofVerdict::Upheld));
    assert!(!ask(&same, Stage::RemediateMore).0);
    // A dispute stops it until whoever disputes takes it back.
    let mut disputed = reviews(REVIEWS);
    disputed.push(review("eve", 3, ProofVerdict::Disputed));
    let (allowed, _, text) = ask(&disputed, Stage::RemediateLowRisk);
    assert!(
        !allowed && text.contains("1 disputed") && text.contains("settle"),
        "{text}"
    );
    disputed.push(review("ben", 3, ProofVerdict::Upheld));
    assert!(!ask(&disputed, Stage::RemediateLowRisk).0);
    disputed.push(review("eve", 3, ProofVerdict::Upheld));
    assert!(ask(&disputed, Stage::RemediateLowRisk).0);
    // Stepping back needs nothing.
    let (allowed, basis, _) = ask(&[], Stage::Observe);
    assert_eq!((allowed, basis), (true, StageBasis::NoneNeeded));
}

#[test]
fn what_agents_did_counts_for_nothing() {
    let mut events = reviews(REVIEWS);
    for event in &mut events {
        event.actor.kind = ActorKind::Agent;
    }
    events.push(event(
        ActorKind::Agent,
        "chief",
        AdoptionKind::StageSet {
            stage: Stage::RemediateMore,
            basis: StageBasis::Reviews,
        },
    ));
    let adoption = Adoption::fold(&events);
    assert_eq!(adoption.stage, Stage::Prove);
    assert!(adoption.reviewed.is_empty());
    let governance = governed("");
    let agent = Actor {
        kind: ActorKind::Agent,
        ..Actor::owner("chief")
    };
    let (decision, _) = may_set_stage(
        &governance,
        &Adoption::fold(&reviews(REVIEWS)),
        &agent,
        "shop",
        Stage::RemediateLowRisk,
        Exemption::Asked,
    );
    assert_eq!(decision.rules[0].id, "invariant/only-people-authorize");
}

#[test]
fn a_demo_and_a_person_alone_may_go_on_without_and_it_is_recorded() {
    let alone = Governance::alone("ana").unwrap();
    for (governance, may_skip) in [
        (&alone, true),
        (&governed("simulated = true"), true),
        (&governed(""), false),
    ] {
        let ana = governance.actor(ActorKind::Human, "ana");
        for exemption in [Exemption::Asked, Exemption::None] {
            let (decision, basis) = may_set_stage(
                governance,
                &Adoption::fold(&[]),
                &ana,
                "shop",
                Stage::RemediateLowRisk,
                exemption,
            );
            let asked = exemption == Exemption::Asked;
            assert_eq!(decision.allowed(), may_skip && asked);
            assert_eq!(
                decision.text().contains("go on without"),
                may_skip && !asked
            );
            assert_eq!(basis, StageBasis::WithoutReviews);
        }
    }
    let set = Adoption::fold(&[event(
        ActorKind::Human,
        "ana",
        AdoptionKind::StageSet {
            stage: Stage::RemediateLowRisk,
            basis: StageBasis::WithoutReviews,
        },
    )]);
    assert_eq!(set.stage, Stage::RemediateLowRisk);
    assert_eq!(set.basis.unwrap().words(), "set without the twenty reviews");
}
