//! What people and programs read: scans, proofs, status. Paths are relative to the analysed root;
//! times are milliseconds since 1970 (UTC); digests are `sha256:` and 64 hexadecimal digits.

use serde::{Deserialize, Serialize};

pub mod from_finding;

/// Schema names, one per document. A change of meaning is a new name.
pub const SCAN_SCHEMA: &str = "solvent.scan/v1";
pub const PROVE_SCHEMA: &str = "solvent.prove/v1";
pub const STATUS_SCHEMA: &str = "solvent.status/v1";
pub const FINDINGS_SCHEMA: &str = "solvent.findings/v1";
pub const SHOW_SCHEMA: &str = "solvent.show/v1";
pub const REPLAY_SCHEMA: &str = "solvent.replay/v1";
pub const LOG_SCHEMA: &str = "solvent.log/v1";

/// Three values, everywhere: yes, no, and not known, with the reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unmeasured {
    /// What is not known: `proof of 3 findings`, `file data/big.py`.
    pub what: String,
    /// Why, and what would make it measured.
    pub why: String,
}

/// One pass of static analysis over one tree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScanReport {
    pub schema: String,
    pub tool: Tool,
    pub subject: Subject,
    pub started_ms: i64,
    pub duration_ms: u64,
    pub coverage: Coverage,
    /// Sorted by label, then location.
    pub entry_points: Vec<EntryPointView>,
    /// Sorted: reachable, undecided, `no_path`; then severity, then location.
    pub findings: Vec<FindingView>,
    pub unmeasured: Vec<Unmeasured>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
    /// Digest of the models and weaknesses in use.
    pub models: String,
}

/// What was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// Name of the root folder, never its path.
    pub name: String,
    /// Full commit id, when the tree is a checkout.
    pub revision: Option<String>,
    /// The checkout has changes that are not committed.
    pub dirty: bool,
    /// Digest over the paths and contents of the files that were read.
    pub tree: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    pub files_seen: u64,
    pub files_analysed: u64,
    /// Files of a language that is not modelled, by extension.
    pub files_not_modelled: Vec<(String, u64)>,
    /// Files of other people's code that lie in the repository, and minified ones: counted, not read.
    #[serde(default)]
    pub files_copied_in: u64,
    pub lines: u64,
    pub functions: u64,
    pub calls_resolved: u64,
    pub calls_unresolved: u64,
    /// Sinks whose arguments are constant: no finding is made of them.
    pub constant_sinks: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    pub path: String,
    /// One-based.
    pub line: u32,
    /// One-based, bytes.
    pub column: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EntryPointView {
    /// `POST /user/login`
    pub label: String,
    pub framework: String,
    pub methods: Vec<String>,
    pub route: String,
    /// `module:qualname`
    pub handler: String,
    pub place: Place,
    /// `query q`, `form password`
    pub inputs: Vec<String>,
    pub auth: Vec<String>,
    pub assumed: Option<String>,
    /// Who can reach it, where deployment files say. Absent is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<ExposureView>,
}

/// Who can reach an entry point or a service, and why that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExposureView {
    /// `public | internal | unknown`
    pub reach: String,
    /// A sentence without a full stop: `service api: port 8080 is published`
    pub why: String,
    pub place: Option<Place>,
    /// Services that it belongs to.
    pub services: Vec<String>,
    /// Entry points of other services whose requests come in here: `web: GET /search`.
    pub callers: Vec<String>,
}

impl ExposureView {
    /// Whether somebody outside of the deployment may get there: unless it is known that nobody does.
    pub fn is_open(&self) -> bool {
        self.reach != "internal"
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FindingView {
    /// The first ten digits of the fingerprint: what people type.
    pub id: String,
    /// 64 hexadecimal digits.
    pub fingerprint: String,
    /// `CWE-89`
    pub weakness: String,
    /// `low | medium | high | critical`
    pub severity: String,
    pub title: String,
    pub sink: SinkView,
    pub entry: Option<EntryPointView>,
    pub verdict: VerdictView,
    pub flows: Vec<FlowView>,
    /// How control gets to a use, a call that is weak without any input; empty for what input does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub way: Vec<StepView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SinkView {
    pub kind: String,
    pub callee: String,
    pub place: Place,
    /// `module:qualname`
    pub function: String,
    pub text: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerdictView {
    /// `reachable | no_path | undecided`
    pub word: String,
    /// Assumptions, reasons or stops, by the word.
    pub reasons: Vec<ReasonView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReasonView {
    /// `no_caller`, `dead_branch`, `sanitized`, `dynamic_boundary`, ...
    pub code: String,
    /// A sentence without a full stop.
    pub text: String,
    pub place: Option<Place>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlowView {
    /// `query parameter q`
    pub input: String,
    pub steps: Vec<StepView>,
    /// `q equals "1"`
    pub conditions: Vec<String>,
    /// The text at the sink with `{input}` where the input lands and `{...}` where it is not known.
    pub template: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepView {
    /// `source | local | call | return | library | sent | sink`
    pub kind: String,
    pub place: Place,
    pub function: String,
    pub what: String,
    pub text: String,
}

/// One campaign of attacks against one revision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProveReport {
    pub schema: String,
    pub tool: Tool,
    pub subject: Subject,
    pub started_ms: i64,
    pub duration_ms: u64,
    pub target: TargetView,
    /// In the order of the scan's findings.
    pub proofs: Vec<ProofView>,
    /// Upper bound on the chance that any proof of this campaign holds by luck, as log2; `None` when
    /// nothing was proven by a method that luck could satisfy.
    pub luck_log2: Option<i32>,
    pub unmeasured: Vec<Unmeasured>,
}

/// How the application under test was run. Every step away from how it runs in production is a limit.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TargetView {
    pub recipe: String,
    /// Digest of the recipe in use.
    pub recipe_digest: String,
    /// `solvent.toml` or `inferred`
    pub origin: String,
    pub interpreter: String,
    pub limits: Vec<String>,
    pub sandbox: String,
    /// Time from process start to the first good answer, milliseconds; apart from the cost of proving.
    pub start_ms: u64,
    pub prepare_ms: u64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ProofView {
    /// Empty when an entry point was attacked whatever static analysis says about it.
    pub id: String,
    pub fingerprint: String,
    /// `CWE-89`
    pub weakness: String,
    /// `POST /user/login`
    pub entry: String,
    /// `proven | not_reproduced | inconclusive`
    pub outcome: String,
    /// Why not proven; empty when proven.
    pub reason: String,
    /// `P0`..`P3`
    pub tier: String,
    /// `canary-program`, `planted-secret`, `sql-structure`, `bit-prediction`, ...; empty if none held.
    pub oracle: String,
    /// What happened, in a sentence: `the canary program ran, started by /bin/sh -c`.
    pub effect: String,
    /// `query parameter q`; the input that was proven, or was tried last.
    pub input: String,
    /// Replays on fresh instances that showed the effect, and how many were run.
    pub replays_shown: u32,
    pub replays_run: u32,
    /// Requests sent for this finding, twins and verification included.
    pub requests: u64,
    /// Attacks among them, while probing. Zero means that it was never attacked, which is not a case
    /// survived.
    pub attacks: u64,
    pub seconds: f64,
    /// Evidence for people, free of secrets and of working payloads: parent chain, file written.
    pub evidence: Vec<String>,
    /// Commitment of the sealed capsule.
    pub capsule: Option<String>,
}

/// A capsule, run again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReplayReport {
    pub schema: String,
    pub subject: Subject,
    pub target: TargetView,
    pub fingerprint: String,
    pub weakness: String,
    /// `proven | not_reproduced | inconclusive`
    pub outcome: String,
    /// Why not proven; empty when proven.
    pub reason: String,
    pub oracle: String,
    /// Replays on fresh instances that showed the effect, and how many were run.
    pub replays_shown: u32,
    pub replays_run: u32,
    pub requests: u64,
    pub seconds: f64,
}

/// The funnel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StatusReport {
    pub schema: String,
    pub subject: Option<Subject>,
    pub scanned_ms: Option<i64>,
    pub proved_ms: Option<i64>,
    pub found: u64,
    pub reachable: u64,
    pub undecided: u64,
    pub no_path: u64,
    pub proven: u64,
    pub not_reproduced: u64,
    pub inconclusive: u64,
    /// Closed by a verified merge, ever; a finding that only went away is not among them.
    #[serde(default)]
    pub closed: u64,
    /// Open flaws that a person knowingly keeps for a time.
    #[serde(default)]
    pub accepted: u64,
    /// Closed flaws that were proven again, or acceptances that ended.
    #[serde(default)]
    pub reopened: u64,
    /// Reachable or undecided findings that were never attacked.
    pub not_attempted: u64,
    pub entry_points: u64,
    pub unmeasured: Vec<Unmeasured>,
}

/// A finding with everything known about it now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FindingState {
    pub finding: FindingView,
    /// The newest proof attempt, if any.
    pub proof: Option<ProofView>,
    pub first_seen_ms: i64,
    pub last_seen_ms: i64,
    /// Present in the newest scan. A finding that is absent is not thereby closed.
    pub present: bool,
    /// Open, closed by evidence, or accepted for a time.
    #[serde(default)]
    pub lifecycle: crate::remediation::Lifecycle,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FindingList {
    pub schema: String,
    pub findings: Vec<FindingState>,
}

/// One finding on one screen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ShowReport {
    pub schema: String,
    pub state: FindingState,
    /// The reproducer as curl, only when the caller may open the capsule and asked for it.
    pub curl: Option<String>,
    /// Ledger indexes of the records that concern this finding.
    pub records: Vec<u64>,
}

/// Everything a reader of `report --html` sees.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FullReport {
    pub status: StatusReport,
    pub scan: ScanReport,
    pub prove: Option<ProveReport>,
    pub findings: Vec<FindingState>,
    pub generated_ms: i64,
    /// Size and root hash of the ledger that this was computed from.
    pub ledger: Option<LedgerHead>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerHead {
    pub size: u64,
    pub root: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogReport {
    pub schema: String,
    pub entries: Vec<LogEntry>,
}

/// One ledger record as a line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogEntry {
    pub index: u64,
    pub time_ms: i64,
    /// `human:ana`
    pub actor: String,
    pub action: String,
    pub target: String,
    /// `intent | result`
    pub phase: String,
    /// `done | failed | refused`; empty for an intent.
    pub status: String,
    /// One line for a person.
    pub note: String,
}
