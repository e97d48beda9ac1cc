//! Change requests and what is decided about them: a patch with its verification, approvals beside it
//!, merges, acceptances of risk, reviews of proofs, adoption stages.
//!
//! None of these documents carries a payload: what was attacked is in the capsules, which stay sealed.

use serde::{Deserialize, Serialize};

use crate::view::{FindingState, FindingView, ProofView, Subject, TargetView, Unmeasured};

pub const CHANGE_SCHEMA: &str = "solvent.change/v1";
pub const MERGE_SCHEMA: &str = "solvent.merge/v1";
pub const REJECTION_SCHEMA: &str = "solvent.rejection/v1";
pub const ACCEPTANCE_SCHEMA: &str = "solvent.acceptance/v1";
pub const STAGE_SCHEMA: &str = "solvent.stage/v1";
pub const REPLAY_ALL_SCHEMA: &str = "solvent.replay-all/v1";
pub const CHANGES_SCHEMA: &str = "solvent.changes/v1";
pub const REVIEW_SCHEMA: &str = "solvent.review/v1";
pub const GATE_SCHEMA: &str = "solvent.gate/v1";

/// Bytes of a patch that is taken; a fix of one root cause that is larger cannot be reviewed.
pub const MAX_PATCH_BYTES: usize = 256 << 10;

/// A patch under governance: one root cause, one commit upon one base. Everything an approval binds to is
/// named by digest, so that one changed byte makes it another change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChangeRequest {
    pub schema: String,
    /// Ten hexadecimal digits of a digest over base, diff and findings: the same patch is the same change.
    pub id: String,
    pub subject: Subject,
    /// `CWE-89 SQL injection at GET /search`
    pub title: String,
    /// Findings with the one root cause.
    pub findings: Vec<ChangeFinding>,
    /// The person who answers for it: who wrote it, or started the agent that did. `human:ana`
    pub author: String,
    /// Who wrote it: `agent:fixer`, `human:ana`.
    pub by: String,
    /// `fixer bound-parameters`, or `outside`.
    pub origin: String,
    /// Commit that the patch was made upon.
    pub base: String,
    /// Commit with the patch, below `refs/solvent/changes/`. Empty while nothing was verified.
    pub head: String,
    /// Git tree of `head`.
    pub tree: String,
    /// `sha256:` of `diff`.
    pub diff_digest: String,
    /// Unified diff from base to head.
    pub diff: String,
    pub files: Vec<ChangedFile>,
    /// `mechanical | needs_review`
    pub disposition: String,
    /// One sentence: what the patch does.
    pub summary: String,
    /// One sentence: how it is taken back.
    pub rollback: String,
    /// What a reviewer should look at.
    pub notes: Vec<String>,
    pub risk: RiskView,
    /// Digest of the rules in force at the base.
    pub policy: String,
    pub verification: Verification,
    /// Why it is kept for export only, in words with what would make it pass; `None` when it is proposed.
    #[serde(default)]
    pub not_proposed: Option<String>,
    pub created_ms: i64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeFinding {
    pub id: String,
    pub fingerprint: String,
    /// `CWE-89`
    pub weakness: String,
    pub severity: String,
    pub title: String,
    /// `shop/products.py:41`
    pub sink: String,
    /// `GET /search`
    pub entry: String,
    /// Commitment of the sealed capsule that was tried on the patch.
    pub capsule: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedFile {
    pub path: String,
    /// `changed | added | removed`
    pub how: String,
    pub added: u32,
    pub removed: u32,
}

/// How much harm the change itself can do, computed by the host from the named inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RiskView {
    /// `low | medium | high`
    pub class: String,
    pub reasons: Vec<String>,
    /// What it was computed from, as `name: value`.
    pub inputs: Vec<String>,
}

/// What the patched tree was put through.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verification {
    /// `verified | rejected | inconclusive`
    pub verdict: String,
    /// Why not verified; empty when verified.
    pub reason: String,
    pub checks: Vec<CheckView>,
    pub target: TargetView,
    pub requests: u64,
    pub seconds: f64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CheckView {
    /// `attack_works_on_base`, `attack_fails`, `twin_works`, `family`, `tests`, ...
    pub name: String,
    /// `passed | failed | unmeasured`
    pub result: String,
    /// Why not passed; empty when passed.
    pub reason: String,
    pub detail: Vec<String>,
    pub requests: u64,
    pub seconds: f64,
}

/// A change merged, or one that was tried on the merged revision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MergeReport {
    pub schema: String,
    pub change: String,
    pub subject: Subject,
    /// The protected branch, without `refs/heads/`.
    pub branch: String,
    pub base: String,
    pub head: String,
    pub tree: String,
    /// The merge commit.
    pub merged: String,
    /// Its parents are base and head, its tree is the approved one. Each approval that was counted.
    pub approvals: Vec<ApprovalNote>,
    /// Replays on the merged revision; empty until they were run.
    pub replays: Vec<MergedReplay>,
    /// `merged` (not verified yet), `closed`, `reopened`, `inconclusive`
    pub outcome: String,
    /// Why not closed; empty when closed.
    pub reason: String,
}

/// An approval as it was counted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApprovalNote {
    /// `human:ana`
    pub by: String,
    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub key: String,
    /// `shown | not_shown | simulated`
    pub presence: String,
    pub at_ms: i64,
    /// Why it does not count; `None` when it does.
    pub void: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MergedReplay {
    pub fingerprint: String,
    /// `not_reproduced` closes.
    pub outcome: String,
    pub reason: String,
    pub replays_shown: u32,
    pub replays_run: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rejection {
    pub schema: String,
    pub change: String,
    pub by: String,
    pub reason: String,
}

/// A risk that a person knowingly keeps, for a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acceptance {
    pub schema: String,
    pub finding: String,
    pub fingerprint: String,
    pub weakness: String,
    pub title: String,
    /// The person who owns the risk.
    pub owner: String,
    pub accepted_by: String,
    pub reason: String,
    /// The control that stands in meanwhile.
    pub control: String,
    pub expires_ms: i64,
    /// [`exposure`] as it was accepted; another one reopens it.
    pub exposure: String,
    /// [`proof_words`] as they were; a proof where there was none, or of another effect, reopens it.
    pub proof: String,
    pub at_ms: i64,
}

/// How far a repository has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StageReport {
    pub schema: String,
    /// `observe | prove | remediate-low-risk | remediate-more`
    pub stage: String,
    /// What it rests on: `twenty reviews`, `set without the twenty reviews`, `the first stage`.
    pub basis: String,
    /// Proofs that people reviewed, and those that somebody disputes.
    pub reviewed: u64,
    pub disputed: u64,
    /// What the next stage wants, in words.
    pub next: String,
}

/// Every capsule replayed on one revision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReplayAllReport {
    pub schema: String,
    pub subject: Subject,
    pub target: TargetView,
    pub results: Vec<ReplayAllResult>,
    pub seconds: f64,
    pub unmeasured: Vec<Unmeasured>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReplayAllResult {
    pub id: String,
    pub fingerprint: String,
    pub weakness: String,
    /// `open | closed | accepted | reopened`, as it was before.
    pub was: String,
    /// `proven | not_reproduced | inconclusive`
    pub outcome: String,
    pub reason: String,
    /// A closed flaw that is proven again.
    pub regress: bool,
    /// The commits between the last revision on which it did not reproduce and this one, newest first; the
    /// change that brought it back is among them.
    pub suspects: Vec<String>,
    pub replays_shown: u32,
    pub replays_run: u32,
}

/// Where a change request stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChangeState {
    pub request: ChangeRequest,
    /// `proposed | verified | approved | rejected | merged | closed | reopened`; of a change that was not
    /// proposed `for export only | rejected_by_checks | inconclusive`
    pub status: String,
    pub approvals: Vec<ApprovalNote>,
    /// Distinct people whose approval counts, and how many are needed.
    pub counted: u32,
    pub needed: u32,
    /// What is missing for a merge, in words; empty when nothing is.
    pub missing: Vec<String>,
    pub merge: Option<MergeReport>,
    pub rejection: Option<Rejection>,
    /// Ledger indexes of the records that concern it.
    pub records: Vec<u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChangeList {
    pub schema: String,
    pub changes: Vec<ChangeState>,
}

/// One change on one screen: what an approver decides from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReviewReport {
    pub schema: String,
    pub state: ChangeState,
    /// The findings as they are known now: flow and proof.
    pub findings: Vec<FindingState>,
    /// The text that an approval signs, when it would be given now by the person who asks.
    pub statement: Option<String>,
}

/// What the gate says about a change of code: three values, and an exit code of its own for each.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GateReport {
    pub schema: String,
    pub subject: Subject,
    pub base: String,
    /// Digest of the rules read from the base.
    pub policy: String,
    /// `proven`, `exposed` or `reachable`: what fails the gate.
    pub fails_on: String,
    /// `pass | fail | unmeasured`
    pub answer: String,
    pub changed_files: u64,
    /// Findings of the head that the base does not have, in what the change affects.
    pub new: Vec<GateFinding>,
    /// Open at the base and at the head: debt, which fails nothing.
    pub known: u64,
    /// Open at the base, gone or without a path at the head. Not thereby closed.
    pub gone: u64,
    /// Settings that this change edits, and that do not count until merged.
    pub inert: Vec<String>,
    pub unmeasured: Vec<Unmeasured>,
    pub seconds: f64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GateFinding {
    pub finding: FindingView,
    /// `proven | not_reproduced | inconclusive`, or empty when it was not attacked.
    pub outcome: String,
    pub reason: String,
    /// Why the change is taken to have brought it: `new in this change`, `became reachable`.
    pub because: String,
}

/// Who can reach a flaw, as an acceptance binds to it: entry point, login checks, verdict.
pub fn exposure(finding: &FindingView) -> String {
    match &finding.entry {
        Some(entry) => format!(
            "{}, {}, {}",
            entry.label,
            if entry.auth.is_empty() {
                "no login check".to_owned()
            } else {
                entry.auth.join(" and ")
            },
            finding.verdict.word
        ),
        None => format!("no entry point, {}", finding.verdict.word),
    }
}

/// The effect that is proven, as an acceptance binds to it; empty when none is.
pub fn proof_words(proof: Option<&ProofView>) -> String {
    proof
        .filter(|p| p.outcome == "proven")
        .map_or_else(String::new, |p| {
            format!("{} {}, {}", p.tier, p.oracle, p.input)
        })
}

/// Whether a flaw is open, as the records say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lifecycle {
    /// `open | closed | accepted | reopened`; empty means open since it was first seen.
    pub state: String,
    pub since_ms: i64,
    /// The change that closed it.
    pub change: Option<String>,
    /// One sentence: why it is so.
    pub why: String,
    /// When an acceptance ends.
    pub expires_ms: Option<i64>,
}
