//! The debt on one repository, as `solvent debt` finds it: `solvent.debt/v1`.
//!
//! Two laws shape it. What is not known is never a zero: whatever may be unknown is a [`Measured`] and
//! carries the reason. And every figure opens its evidence: a [`Figure`] names what was counted, by
//! references that [`evidence`] makes and that resolve inside the same document. Nothing here names a
//! person; commits carry what wrote them, not who.
//!
//! Paths are relative to the analysed root; times are milliseconds since 1970 (UTC); months are
//! `2026-03`, of committer dates in UTC; shares are fractions from 0 to 1 and finite.

use serde::{Deserialize, Serialize};

use crate::view::{Coverage, LedgerHead, Place, Subject, Tool, Unmeasured, VerdictView};

pub const DEBT_SCHEMA: &str = "solvent.debt/v1";

/// Most references that one figure carries. A figure over more things names the months, files or runs that
/// hold them: 2,000 links of 60 bytes are 120 kB of page, for each figure.
pub const MAX_EVIDENCE: usize = 2_000;

/// Known, or not known and why: `{"known": 3}`, `{"unmeasured": "no scanner report was given"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured<T> {
    Known(T),
    /// The reason, and what would make it known: a clause without a full stop.
    Unmeasured(String),
}

impl<T> Measured<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unmeasured(_) => None,
        }
    }

    /// Why it is not known.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unmeasured(why) => Some(why),
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Measured<U> {
        match self {
            Self::Known(value) => Measured::Known(change(value)),
            Self::Unmeasured(why) => Measured::Unmeasured(why),
        }
    }
}

/// How many, and what was counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Figure {
    pub count: u64,
    /// References made by [`evidence`], sorted as the report lists them; at most [`MAX_EVIDENCE`].
    pub evidence: Vec<String>,
}

/// References to the parts of one [`DebtReport`]. A reader that meets another prefix shows it as text.
pub mod evidence {
    /// A [`DebtFinding`](super::DebtFinding), by its `id`.
    pub fn finding(id: &str) -> String {
        format!("finding:{id}")
    }

    /// A [`CommitView`](super::CommitView), by its full id.
    pub fn commit(id: &str) -> String {
        format!("commit:{id}")
    }

    /// A [`Month`](super::Month), by its name.
    pub fn month(month: &str) -> String {
        format!("month:{month}")
    }

    /// A [`DebtEntryPoint`](super::DebtEntryPoint), by its `id`.
    pub fn entry(id: &str) -> String {
        format!("entry:{id}")
    }

    /// An [`ImportRun`](super::ImportRun), by its `id`.
    pub fn run(id: &str) -> String {
        format!("run:{id}")
    }

    /// A file of the analysed root, by its path.
    pub fn file(path: &str) -> String {
        format!("file:{path}")
    }

    /// A line of such a file, one-based.
    pub fn line(path: &str, line: u32) -> String {
        format!("file:{path}:{line}")
    }
}

/// Everything that one run of `solvent debt` says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DebtReport {
    pub schema: String,
    pub tool: Tool,
    pub subject: Subject,
    pub generated_ms: i64,
    pub duration_ms: u64,
    /// Of the scan of the newest revision.
    pub coverage: Coverage,
    /// What nothing in this report speaks about.
    pub unmeasured: Vec<Unmeasured>,
    pub funnel: Funnel,
    /// Unmeasured when no report of another tool was given.
    pub collapse: Measured<Collapse>,
    pub exposure: Measured<Exposure>,
    /// Oldest first, at most twelve and without holes: a month that was not scanned says why.
    pub months: Vec<Month>,
    pub authorship: Measured<Authorship>,
    pub flaw_rates: Measured<FlawRates>,
    pub process: Process,
    pub forecast: Measured<Forecast>,
    /// Sorted: open before accepted before closed; then proven, inconclusive, not attacked, undecided,
    /// unmeasured, not reproduced, no path; then severity, then place.
    pub findings: Vec<DebtFinding>,
    /// Sorted by label.
    pub entry_points: Vec<DebtEntryPoint>,
    /// In the order in which they were given.
    pub runs: Vec<ImportRun>,
    /// Every commit that a figure or a finding names, newest first.
    pub commits: Vec<CommitView>,
    /// The ledger that this run was recorded in, if any.
    pub ledger: Option<LedgerHead>,
}

/// From found to closed. `distinct` is parted twice without rest: by verdict (`reachable`, `undecided`,
/// `no_path`, `not_judged`), and by state (`attention`, `no_path` and still there, `gone`, `closed`). `attention`
/// is parted without rest by what attacks showed: `proven`, `not_reproduced`, `inconclusive`, `not_attempted`,
/// `not_judged_open`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Funnel {
    /// Findings of our own analysis.
    pub own: Figure,
    /// Findings of other tools, one row per tool; empty when no report was given.
    pub imported: Vec<Imported>,
    /// Findings that more than one tool reports, counted once in `distinct`.
    pub joined: Figure,
    /// Why they were taken for the same flaw; parts `joined` without rest.
    pub joined_because: Vec<Counted>,
    /// Findings after joining.
    pub distinct: Figure,
    pub reachable: Figure,
    pub undecided: Figure,
    pub no_path: Figure,
    /// Reports of other tools on which our analysis has no verdict: a weakness, a language or a file that is
    /// not modelled.
    pub not_judged: Figure,
    /// Open and reachable, undecided or not judged: what a person has to look at.
    pub attention: Figure,
    /// Open, with the effect shown in the running target. Unmeasured when nothing was attacked.
    pub proven: Measured<Figure>,
    /// Open and attacked as planned, without an effect. It still needs attention.
    pub not_reproduced: Figure,
    /// Open and attacked, but not as planned.
    pub inconclusive: Figure,
    /// Open and reachable or undecided, never attacked.
    pub not_attempted: Figure,
    /// Open and not judged, so that there is nothing to attack by.
    #[serde(default)]
    pub not_judged_open: Figure,
    /// No longer found in the newest revision, and no attack verified that: not closed, and not counted as such.
    pub gone: Figure,
    /// Closed by evidence within the months of this report.
    pub closed: Measured<Closed>,
}

/// What one other tool reported.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Imported {
    pub tool: String,
    pub findings: Figure,
}

/// A count under a name: a reason, a way of closing, a sort of evidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// `same_sink_line`, `verified_fix`, `no_path`, ...
    pub code: String,
    /// In words, without a full stop.
    pub text: String,
    pub figure: Figure,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Closed {
    pub total: Figure,
    /// Parts `total` without rest, by the code of the state.
    pub by: Vec<Counted>,
}

/// Imported findings that still need attention. Undecided and not judged count as remaining.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Collapse {
    /// Results in the reports given, before joining.
    pub imported: Figure,
    /// Findings that still need attention, after joining; no more than `imported`.
    pub remaining: Figure,
    /// What took the others away, and by which evidence; with `remaining` it adds up to `imported`.
    pub removed: Vec<Counted>,
    /// Part of `remaining`.
    pub undecided: Figure,
    /// Part of `remaining`.
    pub not_judged: Figure,
}

/// Public entry points with an open proof, over those measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Exposure {
    /// Entry points that anybody outside may reach, as far as is known.
    pub public: Figure,
    /// Those of `public` of which it is known: see [`DebtEntryPoint::attacked`].
    pub measured: Figure,
    /// Those of `public` with an open proof.
    pub open_proof: Figure,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DebtEntryPoint {
    /// Unique in this report; letters, digits and dashes.
    pub id: String,
    /// `POST /user/login`
    pub label: String,
    pub place: Place,
    /// `public | internal | unknown`
    pub exposure: String,
    /// How that is known: `no login check recognised`.
    pub exposure_reason: String,
    /// Ids of findings behind it that need attention.
    pub findings: Vec<String>,
    /// How many findings behind it are proven: known when everything behind it was attacked with a clear
    /// answer, or as soon as one is proven.
    pub attacked: Measured<u64>,
}

/// One calendar month, by the newest revision of the mainline in it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Month {
    /// `2026-03`
    pub month: String,
    /// Unmeasured when no revision of the month was scanned to the end.
    pub scan: Measured<MonthScan>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MonthScan {
    /// Full commit id.
    pub revision: String,
    pub committed_ms: i64,
    pub lines: u64,
    /// Open at the end of the month: reachable or undecided, of our own analysis, neither accepted nor
    /// closed by then.
    pub open: Figure,
    /// Open now and not at the end of the month before; unmeasured when that month was not scanned.
    pub inflow: Measured<Figure>,
    /// Open at the end of the month before and not now; likewise.
    pub outflow: Measured<Figure>,
    pub open_critical: Figure,
    /// `None` when no critical finding is open.
    pub oldest_open_critical: Option<Age>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Age {
    pub days: u64,
    /// It was open in the oldest revision that was looked at: it is at least this old.
    pub at_least: bool,
    pub evidence: Vec<String>,
}

/// What wrote the code, as far as it left a trace. No trace is *unknown*, never a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Authorship {
    /// Lines of the newest revision, by the commit that blame names.
    pub lines: Measured<Share>,
    /// Commits within the months of this report.
    pub changes: Measured<Share>,
    /// Most changes first.
    pub tools: Vec<ToolShare>,
    /// The same months as the report's.
    pub months: Vec<AuthorshipMonth>,
    /// Which marks were looked for.
    pub method: String,
    pub caveats: Vec<String>,
}

/// `detected + bots + human + unknown = total`. The true share of AI tools lies between `low` and `high`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// With the mark of an AI tool.
    pub detected: Figure,
    /// Automation that is not an AI tool: dependency updates, releases.
    pub bots: Figure,
    /// Known by a line note to be a person's.
    pub human: Figure,
    pub unknown: Figure,
    pub total: Figure,
    /// `detected / total`
    pub low: f64,
    /// `(detected + unknown) / total`
    pub high: f64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ToolShare {
    /// `Claude Code`
    pub tool: String,
    pub lines: Measured<Figure>,
    pub changes: Figure,
    /// How it is known, strongest first: `co-author trailer`, `agent author`.
    pub how: Vec<Counted>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuthorshipMonth {
    pub month: String,
    pub changes: Measured<Share>,
}

/// Flaws introduced per hundred changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FlawRates {
    /// Changes with the mark of an AI tool.
    pub ai: Rate,
    /// All others, unknown included.
    pub rest: Rate,
    /// Which findings count as flaws: `reachable or proven`.
    pub counted: String,
    /// Flaws of which no introducing commit within the months is known: part of neither.
    pub unattributed: Figure,
    /// How commits were found and which interval it is, with its source.
    pub method: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rate {
    pub flaws: Figure,
    pub changes: Figure,
    /// Unmeasured when there are no changes.
    pub per_hundred: Measured<Interval>,
}

/// A value with the ends of its interval, in the value's unit.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// How often the agreed way was left, as far as git shows it. Of a team, never of a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Process {
    /// Commits on the mainline that no merge or change request brought.
    pub direct_pushes: Measured<Proportion>,
    /// Merges by the author of what they merge.
    pub self_merges: Measured<Proportion>,
    /// Merges past a rule of the forge; git does not show them.
    pub admin_merges: Measured<Proportion>,
    pub suppressions: Measured<Suppressions>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Proportion {
    pub part: Figure,
    pub of: Figure,
    /// What the denominator is: `first-parent commits of main`.
    pub of_what: String,
    pub caveats: Vec<String>,
}

/// Comments that tell a scanner to be silent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Suppressions {
    /// In the newest revision.
    pub now: Figure,
    /// Lines that were searched: the denominator.
    pub lines: u64,
    /// Most first; parts `now` without rest.
    pub kinds: Vec<SuppressionKind>,
    /// The same months as the report's.
    pub months: Vec<SuppressionMonth>,
    pub caveats: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SuppressionKind {
    /// `nosec`, `noqa: S`, `type: ignore`
    pub kind: String,
    pub now: Figure,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SuppressionMonth {
    pub month: String,
    /// In the revision of that month.
    pub present: Measured<u64>,
}

/// The backlog at present rates.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Forecast {
    /// The months ahead, in order; the last one is the horizon.
    pub months: Vec<ForecastMonth>,
    /// Share of outcomes inside the band: 0.8.
    pub band: f64,
    pub method: String,
    /// What it was computed from: rates, months, seeds.
    pub inputs: Vec<ForecastInput>,
    pub evidence: Vec<String>,
}

/// Open findings at the end of a month.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ForecastMonth {
    pub month: String,
    pub median: u64,
    pub low: u64,
    pub high: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ForecastInput {
    pub name: String,
    pub value: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DebtFinding {
    /// The first ten digits of the fingerprint: what people type. Unique in this report.
    pub id: String,
    /// 64 hexadecimal digits.
    pub fingerprint: String,
    /// `CWE-89`; empty when the tool that reports it gives none.
    pub weakness: String,
    /// `low | medium | high | critical`
    pub severity: String,
    pub title: String,
    pub place: Place,
    /// `POST /user/login`, when it is known to lead here.
    pub entry: Option<String>,
    /// Every tool that reports it, ours first; the first has no joining reason.
    pub reports: Vec<ToolReport>,
    /// `reachable | no_path | undecided | not_judged`
    pub verdict: VerdictView,
    /// Unmeasured when it was not attacked, with the reason.
    pub proof: Measured<DebtProof>,
    pub state: DebtState,
    /// The change that brought it.
    pub introduced: Measured<Introduced>,
}

/// One tool's word on a finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToolReport {
    pub tool: String,
    /// The tool's own name of the rule.
    pub rule: String,
    /// Id of the [`ImportRun`]; `None` for our own analysis.
    pub run: Option<String>,
    pub place: Place,
    /// Why it is the same flaw as the first one's.
    pub joined_because: Option<String>,
    /// `same_line | on_flow | near_line`, with `joined_because`.
    pub joined_how: Option<String>,
    /// Identity of this report across runs of its tool, 64 hexadecimal digits; `None` for our own analysis.
    pub identity: Option<String>,
    /// Why the tool, or a comment in the source, silenced it. Silenced is not closed.
    pub suppressed: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DebtProof {
    /// `proven | not_reproduced | inconclusive`
    pub outcome: String,
    /// What happened, or why not proven.
    pub text: String,
    pub replays_shown: u32,
    pub replays_run: u32,
    /// Commitment of the sealed capsule.
    pub capsule: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DebtState {
    /// `open | accepted | closed | gone`
    pub word: String,
    /// How it ended: `accepted`, `verified_fix`, `gone_from_source`, `covered_by_import`; empty for `open`.
    pub code: String,
    /// Why, without a full stop; empty for `open`.
    pub reason: String,
    pub since_ms: Option<i64>,
    pub evidence: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Introduced {
    /// Full commit id.
    pub commit: String,
    pub when_ms: i64,
    /// It is in the oldest revision that was looked at: it came then or earlier.
    pub or_earlier: bool,
    pub attribution: Attribution,
}

/// What wrote a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attribution {
    /// `ai | bot | human | unknown`
    pub by: String,
    /// `Claude Code`
    pub tool: Option<String>,
    /// `co-author trailer`, `line note`; for `unknown` what was looked for.
    pub how: String,
}

/// One commit that a figure counts. It carries no name and no address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CommitView {
    /// Full commit id.
    pub id: String,
    pub when_ms: i64,
    /// First line of the message, at most 200 bytes.
    pub subject: String,
    pub attribution: Attribution,
}

/// One run of another tool, from one report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ImportRun {
    /// Unique in this report; letters, digits and dashes.
    pub id: String,
    pub tool: String,
    pub version: Option<String>,
    /// Name of the file, never its path.
    pub file: String,
    /// Digest of its bytes.
    pub digest: String,
    /// Results in it.
    pub results: u64,
    /// Those that became findings; the others are said in `notes`.
    pub taken: u64,
    /// Files that the run proves it looked at: only there may an absence close anything.
    pub covered_files: Measured<u64>,
    pub notes: Vec<Unmeasured>,
}

#[cfg(test)]
mod tests {
    use super::{Figure, Measured};

    #[test]
    fn what_is_not_known_has_a_reason_and_no_number() {
        let known = Measured::Known(Figure::default());
        let unknown: Measured<Figure> = Measured::Unmeasured("nothing was attacked".to_owned());
        let text = |m: &Measured<Figure>| serde_json::to_string(m).expect("it is JSON");
        assert_eq!(text(&known), r#"{"known":{"count":0,"evidence":[]}}"#);
        assert_eq!(text(&unknown), r#"{"unmeasured":"nothing was attacked"}"#);
        assert!(serde_json::from_str::<Measured<Figure>>("null").is_err());
        assert!(serde_json::from_str::<Measured<Figure>>("0").is_err());
    }
}
