//! What a campaign is asked, and what it answers.

use std::time::Duration;

use solvent_finding::{EntryPoint, Finding, Fingerprint, Input, Outcome, WeaknessId};
use solvent_protocol::capsule::Capsule;

/// What is attacked.
#[derive(Clone, Copy, Debug)]
pub enum Attack<'a> {
    /// Each finding through its own entry point and flows. Findings without an entry point, and those
    /// whose verdict is not reachable, come back `inconclusive` with the reason.
    Findings(&'a [Finding]),
    /// Every input of every entry point, with the whole payload family of every weakness, whatever static
    /// analysis said: what a repaired application must survive.
    IgnoreVerdicts {
        entries: &'a [EntryPoint],
        weaknesses: &'a [WeaknessId],
    },
}

/// Budget and seed of a campaign.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests per case while probing; verification comes on top.
    pub requests_per_case: u32,
    /// Time per case while probing.
    pub time_per_case: Duration,
    /// Time of the whole campaign, starts of the target included.
    pub time: Duration,
    /// Wait for one answer.
    pub answer_timeout: Duration,
    /// Order of verification and of payload choices. Tokens and secrets never come from it.
    pub seed: u64,
}

impl Options {
    /// Limits that a laptop and an ordinary application are fine with.
    pub fn ordinary(seed: u64) -> Self {
        Self {
            requests_per_case: 2000,
            time_per_case: Duration::from_secs(60),
            time: Duration::from_secs(3600),
            answer_timeout: Duration::from_secs(10),
            seed,
        }
    }
}

/// Where a campaign is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// A stage begins: `starting the target`.
    Stage(String),
    /// `done` of `total` cases probed or replayed.
    Step { done: u64, total: u64, item: String },
    /// A line that stays: `proven CWE-78 GET /run, query parameter q`.
    Say(String),
}

/// Receives progress.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// One request and its answer, shortened, tokens and secrets masked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// `twin`, `attack`, `zero`.
    pub variant: String,
    pub request: String,
    pub answer: String,
}

/// What was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// `canary-program`, `planted-secret`, ...
    pub oracle: String,
    /// What happened, in a sentence: `the canary program ran, started by sh -c`.
    pub effect: String,
    /// Lines for a person, without secrets and working payloads.
    pub evidence: Vec<String>,
    pub exchanges: Vec<Exchange>,
    /// Chance that this proof holds by luck, as log2, all replays taken together.
    pub luck_log2: i32,
    /// Replays on fresh instances that showed the effect, and how many were run.
    pub replays_shown: u32,
    pub replays_run: u32,
}

/// The answer for one finding, or for one entry point and weakness when verdicts were ignored.
#[derive(Clone, Debug)]
pub struct CaseResult {
    pub fingerprint: Option<Fingerprint>,
    pub weakness: WeaknessId,
    /// `GET /run`
    pub entry: String,
    /// The input that was proven, or was tried last.
    pub input: Option<Input>,
    pub outcome: Outcome,
    /// Why not proven, or an empty text.
    pub reason: String,
    pub proof: Option<Proof>,
    pub capsule: Option<Capsule>,
    /// Requests of this case, twins, minimising and verification included.
    pub requests: u64,
    /// Attacks sent while probing, twins not counted. Zero means that the case was never attacked.
    pub attacks: u64,
    /// Time spent on probing, minimising and verifying this case, without starts of the target.
    pub elapsed: Duration,
}

/// The answer of a campaign, one result per case in the order given.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub cases: Vec<CaseResult>,
    /// Every deviation from how the application runs on its own.
    pub limits: Vec<String>,
    /// From process start to the first good answer; the first start.
    pub start: Duration,
    pub starts: u32,
    pub requests: u64,
    /// Upper bound on the chance that any proof here holds by luck, as log2; none without such proofs.
    pub luck_log2: Option<i32>,
}

/// The answer of a replay.
#[derive(Clone, Debug)]
pub struct ReplayResult {
    pub outcome: Outcome,
    /// Why not proven, or an empty text.
    pub reason: String,
    pub oracle: String,
    pub effect: String,
    pub replays_shown: u32,
    pub replays_run: u32,
    pub requests: u64,
    pub elapsed: Duration,
    /// From process start to the first good answer.
    pub start: Duration,
}
