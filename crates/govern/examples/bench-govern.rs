//! Prints the time of one decision as one JSON line: `cargo run --release -p solvent-govern --example
//! bench-govern`. Ninety operators' rules stand beside the built-in ones.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

use serde_json::json;
use solvent_govern::{
    Action, Actor, ChangeFacts, Clock, Course, Policy, PolicySource, PolicyTouch, QuorumState,
    Request, RevisionState, Stakes, Target, Writer, decide,
};
use solvent_protocol::adoption::Stage;
use solvent_protocol::change::RiskClass;

fn main() -> Result<(), String> {
    let text: String = (0..90)
        .map(|i| {
            format!(
                "@id(\"op-{i}\") permit (principal in Role::\"team-{i}\", action == Action::\"prove\",
                   resource in Environment::\"staging\") when {{ resource.readOnly }};\n"
            )
        })
        .collect();
    let words = |problems: Vec<solvent_govern::PolicyProblem>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let started = Instant::now();
    let policy = Policy::with_operator(&[("ops".to_owned(), text)]).map_err(words)?;
    let load_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let owner = Actor::owner("ana");
    let mut micros = Vec::new();
    for i in 0..20_000 {
        let request = Request {
            actor: owner.clone(),
            action: if i % 2 == 0 {
                Action::Prove
            } else {
                Action::Merge
            },
            target: if i % 2 == 0 {
                Target::sandbox("shop")
            } else {
                Target::Change(Box::new(ChangeFacts {
                    id: "c".to_owned(),
                    authors: BTreeSet::from(["ben".to_owned()]),
                    approvers: BTreeSet::from(["eve".to_owned()]),
                    quorum: QuorumState::Missing,
                    stakes: Stakes::Production,
                    revision: RevisionState::Verified,
                    course: Course::Open,
                    clock: Clock::Sound,
                    policy_source: PolicySource::Base,
                    policy_touch: PolicyTouch::Leaves,
                    writer: Writer::Agent,
                    risk: RiskClass::Low,
                    stage: Stage::RemediateMore,
                }))
            },
        };
        let started = Instant::now();
        let decision = decide(&policy, &request);
        micros.push(started.elapsed().as_secs_f64() * 1e6);
        if decision.allowed() != (i % 2 == 0) {
            return Err(decision.sentence());
        }
    }
    micros.sort_by(f64::total_cmp);
    let line = json!({
        "name": "govern",
        "measured": true,
        "figures": {
            "rules": policy.len(),
            "load_ms": load_ms,
            "decide_p50_us": micros[micros.len() / 2],
            "decide_p99_us": micros[micros.len() * 99 / 100],
        },
    });
    writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())
}
