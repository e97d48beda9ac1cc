//! Histories: sound ones, sound ones with one mistake, and any.

use solvent_base::Digest;
use solvent_protocol::adoption::Stage;
use solvent_protocol::change::{RiskClass, Verification};
use solvent_protocol::record::ActorKind;

use super::world::{
    AGENTS, DAY, Look, NOBODYS, PENS, PEOPLE, Right, Rules, START, Signed, Step, Touched, WORLDS,
    What, World,
};

/// One question: may this person merge this revision, after all that?
#[derive(Clone, Debug)]
pub struct Case {
    pub world: usize,
    /// Where the rules are read.
    pub from: From,
    pub steps: Vec<Step>,
    pub now: i64,
    pub stage: Stage,
    pub merger: (ActorKind, &'static str),
    pub at_hand: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Base,
    /// The change's own head.
    Head,
}

impl Case {
    pub fn world(&self) -> &'static World {
        &WORLDS[self.world]
    }

    pub fn rules(&self) -> &'static Rules {
        match self.from {
            From::Base => &self.world().rules,
            From::Head => &self.world().loose_rules,
        }
    }

    /// Number of the policy in force.
    pub fn policy(&self) -> usize {
        match self.from {
            From::Base => 0,
            From::Head => 1,
        }
    }
}

/// A mistake of the program, or a trick of somebody, that must not lead to a merge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mistake {
    KeptApproval,
    SelfApproval,
    OtherBytes,
    AgentAdmin,
    PolicyInChange,
    Replay,
    ClockBack,
    OneTwice,
}

impl Mistake {
    pub const ALL: [Self; 8] = [
        Self::KeptApproval,
        Self::SelfApproval,
        Self::OtherBytes,
        Self::AgentAdmin,
        Self::PolicyInChange,
        Self::Replay,
        Self::ClockBack,
        Self::OneTwice,
    ];

    /// As the figures name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::KeptApproval => "kept_approval_after_push",
            Self::SelfApproval => "self_approval",
            Self::OtherBytes => "approval_of_other_bytes",
            Self::AgentAdmin => "agent_in_admin_role",
            Self::PolicyInChange => "policy_changed_in_same_change",
            Self::Replay => "replayed_approval",
            Self::ClockBack => "clock_set_back",
            Self::OneTwice => "one_human_twice",
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let digest = Digest::of(&seed.to_be_bytes());
        let mut state = [0; 8];
        state.copy_from_slice(&digest.as_bytes()[..8]);
        Self(u64::from_be_bytes(state))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From zero up to and without `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides as u64) as usize
    }

    pub fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// A sound case: it may be merged.
pub fn sound(dice: &mut Dice) -> Case {
    let world = dice.below(WORLDS.len());
    sound_with(dice, world, None)
}

fn sound_with(dice: &mut Dice, world: usize, look: Option<Look>) -> Case {
    let rules = &WORLDS[world].rules;
    let look = look
        .unwrap_or_else(|| dice.of(&[Look::Small, Look::Middling, Look::Pipeline, Look::Policy]));
    let class = class(rules, look);
    let mut at = START + dice.below(1_000_000) as i64;
    let mut steps = Vec::new();
    // Who writes: a person, or an agent that a person started.
    let author = dice.of(&["ana", "ned", "max"]);
    let mut authors = vec![author];
    let (kind, who, behalf) = match dice.below(3) {
        0 => (ActorKind::Human, author, None),
        1 => {
            authors.push("ana");
            (ActorKind::Agent, "fixer", Some(author))
        }
        _ => (ActorKind::Agent, "stray", Some(author)),
    };
    let mut last = dice.below(3);
    let mut tick = |dice: &mut Dice| {
        at += dice.below(3_600_000) as i64;
        at
    };
    let first = if dice.one_in(2) { last } else { 3 + last };
    steps.push(Step {
        at: tick(dice),
        kind,
        who,
        behalf,
        what: What::Propose {
            author,
            revision: first,
            look: if first == last { look } else { Look::Middling },
        },
    });
    if first == last {
        // Nothing happened in between.
    } else {
        // An earlier revision, with an approval that no longer counts.
        let old = sign(dice, rules, Look::Middling, "ben", first, steps[0].at);
        steps.push(approve("ben", tick(dice), old));
        steps.push(Step {
            at: tick(dice),
            kind,
            who,
            behalf,
            what: What::Push {
                revision: last,
                look,
            },
        });
    }
    if dice.one_in(4) {
        let outcome = dice.of(&[Verification::Failed, Verification::Unmeasured]);
        steps.push(verify(tick(dice), last, outcome));
    }
    if dice.one_in(3) {
        last = 6 + last % 3;
        steps.push(Step {
            at: tick(dice),
            kind,
            who,
            behalf,
            what: What::Push {
                revision: last,
                look,
            },
        });
    }
    let mut approvers: Vec<&'static str> = PEOPLE
        .iter()
        .filter(|p| p.approves == Right::Yes && !p.suspended && !authors.contains(&p.id))
        .map(|p| p.id)
        .collect();
    dice.shuffle(&mut approvers);
    approvers.truncate(rules.quorum[class as usize] as usize);
    let mut rest: Vec<Step> = Vec::new();
    for &who in &approvers {
        rest.push(approve(who, 0, sign(dice, rules, look, who, last, START)));
    }
    rest.push(verify(0, last, Verification::Passed));
    dice.shuffle(&mut rest);
    for mut step in rest {
        step.at = tick(dice);
        if let What::Approve(signed) = &mut step.what {
            signed.expires = step.at + rules.lifetime_days * DAY - dice.below(3_600_000) as i64;
        }
        steps.push(step);
    }
    // The merger must not be the only approver.
    let alone = approvers.len() == 1;
    let mergers: Vec<&'static str> = PEOPLE
        .iter()
        .filter(|p| p.merges == Right::Yes && !p.suspended && !(alone && approvers[0] == p.id))
        .map(|p| p.id)
        .collect();
    Case {
        world,
        from: From::Base,
        now: tick(dice),
        steps,
        stage: if class == RiskClass::Low && dice.one_in(2) {
            Stage::RemediateLowRisk
        } else {
            Stage::RemediateMore
        },
        merger: (ActorKind::Human, dice.of(&mergers)),
        at_hand: last,
    }
}

fn class(rules: &Rules, look: Look) -> RiskClass {
    match look {
        Look::Small if rules.listed => RiskClass::Low,
        Look::Small | Look::Middling => RiskClass::Medium,
        Look::Pipeline | Look::Policy | Look::PolicySaidToBeLow => RiskClass::High,
    }
}

fn verify(at: i64, revision: usize, outcome: Verification) -> Step {
    Step {
        at,
        kind: ActorKind::Worker,
        who: "verifier",
        behalf: None,
        what: What::Verify { revision, outcome },
    }
}

fn approve(who: &'static str, at: i64, signed: Signed) -> Step {
    Step {
        at,
        kind: ActorKind::Human,
        who,
        behalf: None,
        what: What::Approve(signed),
    }
}

fn sign(
    dice: &mut Dice,
    rules: &Rules,
    look: Look,
    approver: &'static str,
    revision: usize,
    at: i64,
) -> Signed {
    let person = PEOPLE.iter().find(|person| person.id == approver);
    // The first of a person's keys is their token.
    let pen = person.map_or(NOBODYS, |person| person.pens[0]);
    Signed {
        change: 0,
        approver,
        revision,
        risk: class(rules, look),
        policy: 0,
        expires: at + 1 + dice.below((rules.lifetime_days * DAY) as usize) as i64,
        named: pen,
        pen,
        touched: Touched::Yes,
        altered: false,
    }
}

/// A sound case, and the same with one mistake in it, such that everything hangs on the mistake. `None`
/// where this world has no room for it.
pub fn seeded(dice: &mut Dice, mistake: Mistake) -> Option<(Case, Case)> {
    let world = dice.below(WORLDS.len());
    let look = match mistake {
        Mistake::PolicyInChange => Some(Look::Policy),
        _ => None,
    };
    let before = sound_with(dice, world, look);
    let mut after = before.clone();
    let (_, last, look) = content(&before.steps)?;
    let counting: Vec<usize> = (0..before.steps.len())
        .filter(|&at| match &before.steps[at].what {
            What::Approve(signed) => signed.revision == last,
            _ => false,
        })
        .collect();
    let one = dice.of(&counting);
    let signed = |case: &mut Case, at: usize, change: &dyn Fn(&mut Signed)| {
        if let What::Approve(signed) = &mut case.steps[at].what {
            change(signed);
        }
    };
    match mistake {
        Mistake::KeptApproval => {
            // A push after the approvals, verified, and nobody asked again.
            let next = 9;
            let mut push = before.steps[0].clone();
            push.at = after.now;
            push.what = What::Push {
                revision: next,
                look,
            };
            after.steps.push(push);
            after
                .steps
                .push(verify(after.now, next, Verification::Passed));
            after.at_hand = next;
            if dice.one_in(2) {
                // Pushed back to what was approved.
                let mut back = after.steps[after.steps.len() - 2].clone();
                back.what = What::Push {
                    revision: last,
                    look,
                };
                after.steps.push(back);
                after
                    .steps
                    .push(verify(after.now, last, Verification::Passed));
                after.at_hand = last;
            }
        }
        Mistake::SelfApproval => {
            // Whoever approves wrote it, started the agent, owns the agent, or pushed to it.
            let approver = before.steps[one].who;
            let placed = content(&before.steps)?.0;
            match dice.below(3) {
                0 => {
                    if let What::Propose { author, .. } = &mut after.steps[0].what {
                        *author = approver;
                    }
                }
                1 => {
                    after.steps[placed].kind = ActorKind::Agent;
                    after.steps[placed].who = "fresh";
                    after.steps[placed].behalf = Some(approver);
                }
                _ => {
                    after.steps[placed].kind = ActorKind::Human;
                    after.steps[placed].who = approver;
                    after.steps[placed].behalf = None;
                }
            }
        }
        Mistake::OtherBytes => match dice.below(5) {
            0 => signed(&mut after, one, &|signed| {
                signed.revision = 8 + (last == 8) as usize
            }),
            1 => signed(&mut after, one, &|signed| signed.altered = true),
            2 => signed(&mut after, one, &|signed| signed.pen = NOBODYS),
            3 => signed(&mut after, one, &|signed| {
                signed.risk = match signed.risk {
                    RiskClass::Low => RiskClass::High,
                    RiskClass::Medium | RiskClass::High => RiskClass::Low,
                }
            }),
            _ => after.at_hand = 9,
        },
        Mistake::AgentAdmin => match dice.below(3) {
            0 => after.merger = (ActorKind::Agent, dice.of(&["chief", "kim"])),
            // An agent with a person's key, in that person's name or its own.
            1 => after.steps[one].kind = ActorKind::Agent,
            _ => {
                after.steps[one].kind = ActorKind::Agent;
                after.steps[one].who = "chief";
            }
        },
        Mistake::PolicyInChange => {
            if dice.one_in(2) {
                // Judged by its own rules, under which everybody signed.
                after.from = From::Head;
                for at in counting {
                    signed(&mut after, at, &|signed| signed.policy = 1);
                }
            } else {
                // Recorded as low, signed as low, with as many approvals as low wants.
                let quorum = before.rules().quorum;
                if quorum[0] == quorum[2] {
                    // The class alone then decides, at the stage for low risk.
                    after.stage = Stage::RemediateLowRisk;
                }
                for step in &mut after.steps {
                    if let What::Propose { look, .. } | What::Push { look, .. } = &mut step.what {
                        *look = Look::PolicySaidToBeLow;
                    }
                }
                for (n, at) in counting.into_iter().enumerate() {
                    signed(&mut after, at, &|signed| signed.risk = RiskClass::Low);
                    if n >= quorum[0] as usize {
                        after.steps[at].what = What::PolicyChange(0);
                    }
                }
            }
        }
        Mistake::Replay => {
            if dice.one_in(2) {
                signed(&mut after, one, &|signed| signed.change = 1);
            } else {
                // Another's approval, played again in the name of somebody who never gave one.
                let names: Vec<&'static str> = PEOPLE
                    .iter()
                    .filter(|p| p.approves == Right::Yes && !p.suspended)
                    .map(|p| p.id)
                    .filter(|id| before.steps.iter().all(|step| step.who != *id))
                    .collect();
                if names.is_empty() {
                    return None;
                }
                after.steps[one].who = dice.of(&names);
            }
        }
        Mistake::ClockBack => {
            let latest = before.steps.last()?.at;
            if dice.one_in(2) {
                // The approvals are past; the clock is set back to when they were not.
                for &at in &counting {
                    signed(&mut after, at, &|signed| signed.expires = latest);
                }
                after.now = latest - 1 - dice.below(1_000) as i64;
            } else if one > 0 && before.steps[one].at > before.steps[0].at {
                // An approval recorded with the clock set back before the proposal.
                after.steps[one].at = before.steps[0].at - 1 - dice.below(1_000) as i64;
                signed(&mut after, one, &|signed| signed.expires = before.now + 1);
            } else {
                return None;
            }
        }
        Mistake::OneTwice => {
            // Only those with two keys can try both.
            if counting.len() < 2 {
                return None;
            }
            let (first, second) = (counting[0], counting[1]);
            let double = dice.of(&["ben", "eve"]);
            let others = |at: usize| before.steps[at].who == double;
            if counting[2..].iter().any(|&at| others(at)) {
                return None;
            }
            for (n, at) in [first, second].into_iter().enumerate() {
                let person = PEOPLE.iter().find(|person| person.id == double)?;
                after.steps[at].who = double;
                let pen = person.pens[if dice.one_in(2) { 0 } else { n }];
                signed(&mut after, at, &|signed| {
                    signed.approver = double;
                    signed.pen = pen;
                    signed.named = pen;
                });
            }
        }
    }
    Some((before, after))
}

fn content(steps: &[Step]) -> Option<(usize, usize, Look)> {
    steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| match step.what {
            What::Propose { revision, look, .. } | What::Push { revision, look } => {
                Some((at, revision, look))
            }
            _ => None,
        })
        .next_back()
}

/// A sound case that was knocked about in a few places, by no plan.
pub fn wild(dice: &mut Dice) -> Case {
    let mut case = sound(dice);
    for _ in 0..dice.below(4) {
        knock(dice, &mut case);
    }
    case
}

fn knock(dice: &mut Dice, case: &mut Case) {
    let people: Vec<&'static str> = PEOPLE.iter().map(|p| p.id).chain(["zoe"]).collect();
    let agents = [AGENTS[0].0, AGENTS[1].0, "stray"];
    let at = dice.below(case.steps.len());
    let revision = dice.of(&[0, 1, 2, 6, 7, 8, 9, 10, case.at_hand, case.at_hand]);
    let look = dice.of(&[
        Look::Small,
        Look::Middling,
        Look::Pipeline,
        Look::Policy,
        Look::PolicySaidToBeLow,
    ]);
    let mut step = Step {
        at: case.steps[at].at,
        kind: ActorKind::Human,
        who: dice.of(&people),
        behalf: None,
        what: What::Withdraw,
    };
    match dice.below(20) {
        0 => case.now += dice.of(&[-4 * DAY, -1, 1, DAY, 4 * DAY, 30 * DAY]),
        1 => case.stage = dice.of(&Stage::ALL),
        2 => case.merger = (ActorKind::Human, dice.of(&people)),
        3 => case.merger.0 = dice.of(&[ActorKind::Agent, ActorKind::Worker, ActorKind::System]),
        4 => case.at_hand = revision,
        5 => case.from = From::Head,
        6 => case.steps[at].at += dice.of(&[-DAY, -1, 1, DAY]),
        7 => case.steps[at].who = dice.of(&people),
        8 => {
            let other = dice.below(case.steps.len());
            case.steps.swap(at, other);
        }
        9 if case.steps.len() > 1 => {
            case.steps.remove(at);
        }
        10 => case.steps.insert(at, step),
        11 => {
            step.what = What::Reject;
            step.kind = dice.of(&[ActorKind::Human, ActorKind::Agent]);
            case.steps.insert(at, step);
        }
        12 => {
            step.what = What::PolicyChange(dice.of(&[0, 1, 2]));
            case.steps.insert(at, step);
        }
        13 => {
            step.what = What::Merge;
            case.steps.insert(at, step);
        }
        14 => {
            step.what = What::Push { revision, look };
            (step.kind, step.who) = (ActorKind::Agent, dice.of(&agents));
            step.behalf = dice.of(&[None, Some("ned"), Some("kim")]);
            case.steps.insert(at, step);
        }
        15 => {
            let outcome = dice.of(&[
                Verification::Passed,
                Verification::Failed,
                Verification::Unmeasured,
            ]);
            case.steps.insert(at, verify(step.at, revision, outcome));
        }
        16 => {
            let who = step.who;
            let signed = sign(dice, case.rules(), look, who, revision, step.at);
            case.steps.insert(at, approve(who, step.at, signed));
        }
        _ => {
            if let What::Approve(signed) = &mut case.steps[at].what {
                spoil(dice, signed, &people);
            }
        }
    }
}

fn spoil(dice: &mut Dice, signed: &mut Signed, people: &[&'static str]) {
    match dice.below(9) {
        0 => signed.change = 1,
        1 => signed.approver = dice.of(people),
        2 => signed.revision = dice.below(10),
        3 => signed.risk = dice.of(&RiskClass::ALL),
        4 => signed.policy = dice.below(3),
        5 => signed.expires += dice.of(&[-7 * DAY, -DAY, DAY, 7 * DAY, 400 * DAY]),
        6 => {
            signed.pen = dice.below(PENS);
            if dice.one_in(2) {
                signed.named = signed.pen;
            }
        }
        7 => signed.touched = Touched::No,
        _ => signed.altered = true,
    }
}
