//! Findings of every tool as one list: one row for each flaw, with what each tool says and what we know.
//!
//! A finding of another tool leaves the pile only when it sits on a sink whose search finished: every way to
//! it is cut, or it only gets constants. That nothing was seen to call a function is not such a search: a
//! framework may call it by a name in a file that is not source text.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{Digest, FilePath, LineIndex, System};
use solvent_finding::{Finding, NoPathReason, Severity, Verdict};
use solvent_import::join::{self, Anchor, How, Joined, Spot};
use solvent_import::{Candidate, Ended, Layout, Run, layout, weakness};
use solvent_models::ModelSet;
use solvent_protocol::debt::{DebtFinding, DebtProof, DebtState, ImportRun, Measured, ToolReport};
use solvent_protocol::view::{
    FindingState, FindingView, Place, ReasonView, Unmeasured, VerdictView,
};

use super::Known;
use super::reports::Reported;
use crate::scan::Scan;

/// Longest title that is made of another tool's message, in characters.
const MAX_TITLE: usize = 200;

/// The list, and what it was made from.
pub struct Pile {
    pub findings: Vec<DebtFinding>,
    pub runs: Vec<ImportRun>,
    /// Each run as it was read, with where its files are; in the order of `runs`.
    pub read: Vec<(Run, Layout)>,
    /// Files of the tree.
    pub tree: BTreeSet<FilePath>,
    pub unmeasured: Vec<Unmeasured>,
}

/// A finding of another tool on its way into the list.
struct Incoming {
    run: usize,
    candidate: Candidate,
    spot: Spot,
    /// Why its file is not in the tree.
    lost: Option<String>,
    identity: Digest,
}

/// Makes the list.
pub fn pile(scan: &Scan, reported: &[Reported], known: &Known, system: &dyn System) -> Pile {
    let tree: BTreeSet<FilePath> = system.walk().files.into_iter().map(|f| f.path).collect();
    let mut unmeasured = Vec::new();
    let mut runs = Vec::new();
    let mut read = Vec::new();
    let mut incoming = Vec::new();
    for report in reported {
        match &report.runs {
            Err(refusal) => unmeasured.push(Unmeasured {
                what: format!("report {}", report.file),
                why: format!("{}; {}", refusal.why, refusal.next),
            }),
            Ok(all) => {
                for run in all {
                    let layout = layout(run, &tree);
                    let index = read.len();
                    let view = run_view(index, report, run, &layout);
                    unmeasured.extend(view.notes.iter().cloned().map(|note| Unmeasured {
                        what: format!("{} ({})", note.what, report.file),
                        ..note
                    }));
                    incoming.extend(take(index, run, &layout));
                    runs.push(view);
                    read.push((run.clone(), layout));
                }
            }
        }
    }
    let texts = Texts::new(system, scan);
    let spots: Vec<Spot> = incoming.iter().map(|i| i.spot.clone()).collect();
    let identities = join::identities(&spots, &|path, line| texts.line(path, line));
    for (one, identity) in incoming.iter_mut().zip(identities) {
        one.identity = identity;
    }

    let mut rows: Vec<DebtFinding> = scan
        .report
        .findings
        .iter()
        .map(|view| own(view, known, scan))
        .collect();
    let left = onto_own(scan, &mut rows, incoming, &runs, &texts);
    let mut rows = once_each(rows);
    rows.extend(among_themselves(left, &runs, &texts, scan));
    rows.extend(proven_before(known, scan));
    unique(&mut rows);
    Pile {
        findings: rows,
        runs,
        read,
        tree,
        unmeasured,
    }
}

/// Source text by line, and the functions around lines, each file read once.
struct Texts<'s> {
    system: &'s dyn System,
    scan: &'s Scan,
    files: RefCell<BTreeMap<FilePath, Option<(String, LineIndex)>>>,
}

impl<'s> Texts<'s> {
    fn new(system: &'s dyn System, scan: &'s Scan) -> Self {
        Self {
            system,
            scan,
            files: RefCell::new(BTreeMap::new()),
        }
    }

    fn with<T>(&self, path: &FilePath, look: impl FnOnce(&str, &LineIndex) -> T) -> Option<T> {
        let mut files = self.files.borrow_mut();
        let file = files.entry(path.clone()).or_insert_with(|| {
            let bytes = self
                .system
                .read(path, solvent_lang::MAX_SOURCE_BYTES)
                .ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let index = LineIndex::new(&text);
            Some((text, index))
        });
        file.as_ref().map(|(text, index)| look(text, index))
    }

    fn line(&self, path: &FilePath, line: u32) -> Option<String> {
        self.with(path, |text, index| {
            let span = index.line_span(line, text.len() as u32)?;
            text.get(span.start as usize..span.end as usize)
                .map(|line| line.trim().to_owned())
        })?
    }

    /// First and last line of the innermost `def` around a line; the module body is one function too.
    fn scope(&self, path: &FilePath, line: u32) -> Option<(u32, u32)> {
        let functions = self.scan.functions.get(path)?;
        self.with(path, |_, index| {
            functions
                .iter()
                .map(|span| {
                    let last = span.end.saturating_sub(1).max(span.start);
                    (index.position(span.start).line, index.position(last).line)
                })
                .filter(|(first, last)| (*first..=*last).contains(&line))
                .min_by_key(|(first, last)| last - first)
                .unwrap_or((0, 0))
        })
    }
}

fn run_view(index: usize, report: &Reported, run: &Run, layout: &Layout) -> ImportRun {
    let mut notes = Vec::new();
    let mut note = |what: &str, why: String| {
        notes.push(Unmeasured {
            what: what.to_owned(),
            why,
        });
    };
    match &run.coverage.ended {
        Ended::Whole => {}
        Ended::Failed(why) => note(
            &format!("the run of {}", run.tool),
            format!("it did not finish, so its silence closes nothing: {why}"),
        ),
        Ended::Unsaid(why) => note(
            &format!("the run of {}", run.tool),
            format!("its silence closes nothing: {why}"),
        ),
    }
    for gap in &run.gaps {
        note(&format!("part of the report of {}", run.tool), gap.clone());
    }
    if !run.coverage.not_read.is_empty() {
        note(
            &format!("{} files for {}", run.coverage.not_read.len(), run.tool),
            format!(
                "it could not analyse them, among them {}",
                run.coverage
                    .not_read
                    .iter()
                    .next()
                    .map_or_else(String::new, |(path, why)| format!("{}: {why}", tail(path)))
            ),
        );
    }
    let lost: BTreeSet<&str> = run
        .findings
        .iter()
        .map(|f| f.path.as_str())
        .filter(|p| layout.lost.contains_key(*p))
        .collect();
    if !lost.is_empty() {
        note(
            &format!("{} files that {} reports about", lost.len(), run.tool),
            "they are not in this tree; their findings stay, and nothing more is known of them"
                .to_owned(),
        );
    }
    let covered = match (&run.coverage.ended, &run.coverage.paths) {
        (Ended::Whole, Some(paths)) => Measured::Known(
            paths
                .iter()
                .filter(|p| {
                    layout.found.contains_key(*p) && !run.coverage.not_read.contains_key(*p)
                })
                .count() as u64,
        ),
        (Ended::Whole, None) => {
            Measured::Unmeasured("the report does not list the files that were analysed".to_owned())
        }
        (Ended::Failed(why) | Ended::Unsaid(why), _) => Measured::Unmeasured(why.clone()),
    };
    ImportRun {
        id: format!("import-{}", index + 1),
        tool: run.tool.clone(),
        version: run.version.clone(),
        file: report.file.clone(),
        digest: report.digest.to_string(),
        results: run.findings.len() as u64,
        taken: run.findings.len() as u64,
        covered_files: covered,
        notes,
    }
}

/// The last three segments of a path of another machine: what can be shown of it.
fn tail(raw: &str) -> String {
    let parts: Vec<&str> = raw
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".." && *p != ".")
        .collect();
    parts[parts.len().saturating_sub(3)..].join("/")
}

fn take(run: usize, report: &Run, layout: &Layout) -> Vec<Incoming> {
    report
        .findings
        .iter()
        .filter_map(|candidate| {
            let lost = layout.lost.get(&candidate.path).cloned();
            let path = match layout.found.get(&candidate.path) {
                Some(path) => path.clone(),
                None => FilePath::new(&tail(&candidate.path))?,
            };
            Some(Incoming {
                run,
                spot: Spot {
                    tool: report.tool.clone(),
                    rule: candidate.rule.clone(),
                    weaknesses: candidate.weaknesses.clone(),
                    path,
                    lines: candidate.lines,
                    fingerprint: candidate.fingerprint.clone(),
                },
                candidate: candidate.clone(),
                lost,
                identity: Digest::of(b""),
            })
        })
        .collect()
}

/// A row for a finding of our own, with what is known of its proof.
fn own(view: &FindingView, known: &Known, scan: &Scan) -> DebtFinding {
    let state = known.states.get(&view.fingerprint);
    DebtFinding {
        proof: proof(state.and_then(|s| s.proof.as_ref()), known, scan),
        state: standing(state, known.asked_ms),
        ..own_row(view)
    }
}

/// Rows for what was proven and the newest scan does not find: no replay shows that the attack fails now.
fn proven_before(known: &Known, scan: &Scan) -> Vec<DebtFinding> {
    let here: BTreeSet<&str> = scan
        .report
        .findings
        .iter()
        .map(|f| f.fingerprint.as_str())
        .collect();
    known
        .states
        .values()
        .filter(|s| s.proof.as_ref().is_some_and(|p| p.outcome == "proven"))
        .filter(|s| !here.contains(s.finding.fingerprint.as_str()))
        .map(|s| {
            let mut row = own(&s.finding, known, scan);
            if row.state.word == "closed" {
                row.verdict = VerdictView {
                    word: "no_path".to_owned(),
                    reasons: vec![reason("verified_fix", s.lifecycle.why.clone())],
                };
                return row;
            }
            row.verdict = VerdictView {
                word: "not_judged".to_owned(),
                reasons: vec![reason(
                    "not_seen",
                    format!(
                        "the newest scan does not find it, but no replay shows that the attack fails; run `solvent \
                         replay {}`",
                        s.finding.id
                    ),
                )],
            };
            row
        })
        .collect()
}

/// A row for a finding of our own, as the analysis alone sees it.
pub fn own_row(view: &FindingView) -> DebtFinding {
    DebtFinding {
        id: view.id.clone(),
        fingerprint: view.fingerprint.clone(),
        weakness: view.weakness.clone(),
        severity: view.severity.clone(),
        title: view.title.clone(),
        place: view.sink.place.clone(),
        entry: view.entry.as_ref().map(|e| e.label.clone()),
        reports: vec![ToolReport {
            tool: solvent_metrics::funnel::OWN.to_owned(),
            rule: view.weakness.clone(),
            run: None,
            place: view.sink.place.clone(),
            joined_because: None,
            joined_how: None,
            identity: None,
            suppressed: None,
        }],
        verdict: view.verdict.clone(),
        proof: Measured::Unmeasured("it was never attacked; run `solvent prove`".to_owned()),
        state: open(None),
        introduced: Measured::Unmeasured("git was not asked".to_owned()),
    }
}

/// What was decided about a finding: closed by a verified merge, kept for a time, or open.
fn standing(state: Option<&FindingState>, asked_ms: i64) -> DebtState {
    let Some(state) = state else {
        return open(None);
    };
    let lifecycle = &state.lifecycle;
    let kept = lifecycle.expires_ms.is_some_and(|ms| ms > asked_ms);
    let (word, code) = match lifecycle.state.as_str() {
        "closed" => ("closed", "verified_fix"),
        "accepted" if kept => ("accepted", "accepted"),
        _ => return open(Some(state.first_seen_ms)),
    };
    DebtState {
        word: word.to_owned(),
        code: code.to_owned(),
        reason: lifecycle.why.clone(),
        since_ms: Some(lifecycle.since_ms),
        evidence: Vec::new(),
    }
}

fn open(since_ms: Option<i64>) -> DebtState {
    DebtState {
        word: "open".to_owned(),
        code: String::new(),
        reason: String::new(),
        since_ms,
        evidence: Vec::new(),
    }
}

fn proof(
    proof: Option<&solvent_protocol::view::ProofView>,
    known: &Known,
    scan: &Scan,
) -> Measured<DebtProof> {
    let Some(proof) = proof else {
        return Measured::Unmeasured("it was never attacked; run `solvent prove`".to_owned());
    };
    // What was shown once stays open until it is shown to be closed; what was not shown says nothing about
    // other bytes.
    let same = known.attacked_tree.as_deref() == Some(scan.report.subject.tree.as_str());
    if proof.outcome != "proven" && !same {
        return Measured::Unmeasured(
            "it was attacked in another state of the tree; run `solvent prove`".to_owned(),
        );
    }
    Measured::Known(DebtProof {
        outcome: proof.outcome.clone(),
        text: if proof.outcome == "proven" {
            proof.effect.clone()
        } else {
            proof.reason.clone()
        },
        replays_shown: proof.replays_shown,
        replays_run: proof.replays_run,
        capsule: proof.capsule.clone(),
    })
}

/// What stands at a sink of ours.
enum Own {
    Finding(usize),
    /// Only ever gets constants.
    Fixed(usize),
}

/// Joins what other tools report with our own findings; gives back what was not joined, with why.
fn onto_own(
    scan: &Scan,
    rows: &mut Vec<DebtFinding>,
    incoming: Vec<Incoming>,
    runs: &[ImportRun],
    texts: &Texts<'_>,
) -> Vec<(Incoming, Option<ReasonView>)> {
    let mut owns = Vec::new();
    let mut anchors = Vec::new();
    let number = |id: &str| weakness::in_text(id).unwrap_or(0);
    for (i, finding) in scan.findings.iter().enumerate() {
        owns.push(Own::Finding(i));
        anchors.push(Anchor {
            label: finding.fingerprint.short(),
            weakness: number(&finding.weakness.0),
            path: finding.sink.location.path.clone(),
            line: finding.sink.location.line,
            flow: finding
                .flows
                .iter()
                .flat_map(|f| &f.steps)
                .chain(&finding.way)
                .map(|s| (s.location.path.clone(), s.location.line))
                .collect(),
        });
    }
    for (i, fixed) in scan.fixed_sinks.iter().enumerate() {
        owns.push(Own::Fixed(i));
        anchors.push(Anchor {
            label: fixed.callee.clone(),
            weakness: number(&fixed.weakness.0),
            path: fixed.location.path.clone(),
            line: fixed.location.line,
            flow: BTreeSet::new(),
        });
    }
    let spots: Vec<Spot> = incoming.iter().map(|i| i.spot.clone()).collect();
    let joins = join::join(&anchors, &spots, &|path, line| texts.scope(path, line));
    let mut left = Vec::new();
    // Rows for sinks that only get constants, made when another tool reports them.
    let mut fixed_rows: BTreeMap<usize, usize> = BTreeMap::new();
    for (one, join) in incoming.into_iter().zip(joins) {
        let Some(join) = join.filter(|_| one.lost.is_none()) else {
            left.push((one, None));
            continue;
        };
        let Joined::Anchors(with) = &join.with else {
            left.push((one, None));
            continue;
        };
        let strength = |i: &usize| match &owns[*i] {
            Own::Finding(f) => match scan.findings[*f].verdict {
                Verdict::Reachable { .. } => 0,
                Verdict::Undecided { .. } => 1,
                Verdict::NoPath { .. } => 2,
            },
            Own::Fixed(_) => 3,
        };
        let Some(strongest) = with.iter().min_by_key(|i| (strength(i), **i)).copied() else {
            left.push((one, None));
            continue;
        };
        let family = weakness::family(anchors[strongest].weakness);
        let others: Vec<String> = weakness::families(&one.spot.weaknesses)
            .into_iter()
            .filter(|f| *f != family)
            .map(weakness::id)
            .collect();
        if strength(&strongest) >= 2 {
            // A sink without a path takes only what was reported about that very line, and nothing else.
            if join.how != How::SameLine {
                let why = format!(
                    "the sink at line {} has no path, but another line was reported",
                    anchors[strongest].line
                );
                left.push((one, Some(reason("other_line", why))));
                continue;
            }
            if !others.is_empty() {
                let why = format!(
                    "there is no path for {}, but the rule also means {}",
                    weakness::id(family),
                    others.join(", ")
                );
                left.push((one, Some(reason("other_weakness", why))));
                continue;
            }
        }
        let open_world: Vec<ReasonView> = with
            .iter()
            .filter_map(|i| match &owns[*i] {
                Own::Finding(f) => unknown_caller(&scan.findings[*f]),
                Own::Fixed(_) => None,
            })
            .collect();
        let row = match owns[strongest] {
            Own::Finding(f) => f,
            Own::Fixed(f) => *fixed_rows.entry(f).or_insert_with(|| {
                rows.push(fixed_row(scan, f, &one));
                rows.len() - 1
            }),
        };
        let row = &mut rows[row];
        if row.verdict.word == "no_path" && !open_world.is_empty() {
            row.verdict.word = "undecided".to_owned();
            row.verdict.reasons.splice(0..0, open_world);
        }
        let first = row.reports.is_empty();
        let because = (!first).then(|| (join.how, join.because.clone()));
        row.reports.push(tool_report(&one, runs, because));
    }
    left
}

/// The reason that keeps a finding without a known caller open when another tool reports it.
fn unknown_caller(finding: &Finding) -> Option<ReasonView> {
    let Verdict::NoPath { reasons } = &finding.verdict else {
        return None;
    };
    reasons
        .iter()
        .any(|r| matches!(r, NoPathReason::NoCaller { .. } | NoPathReason::DeadCaller { .. }))
        .then(|| {
            reason(
                "unknown_caller",
                "nothing in the source text calls it, but a framework may by a name in another file; another \
                 tool reports it, so it stays"
                    .to_owned(),
            )
        })
}

fn reason(code: &str, text: String) -> ReasonView {
    ReasonView {
        code: code.to_owned(),
        text,
        place: None,
    }
}

fn tool_report(one: &Incoming, runs: &[ImportRun], joined: Option<(How, String)>) -> ToolReport {
    let (how, because) = joined.unzip();
    ToolReport {
        tool: one.spot.tool.clone(),
        rule: one.spot.rule.clone(),
        run: runs.get(one.run).map(|r| r.id.clone()),
        place: place(one),
        joined_because: because,
        joined_how: how.map(|h: How| h.code().to_owned()),
        identity: Some(one.identity.hex()),
        suppressed: one.candidate.suppressed.clone(),
    }
}

fn place(one: &Incoming) -> Place {
    Place {
        path: one.spot.path.to_string(),
        line: one.spot.lines.map_or(1, |l| l.0),
        column: 1,
    }
}

/// A row for a sink of ours that only gets constants and that another tool reports.
fn fixed_row(scan: &Scan, index: usize, one: &Incoming) -> DebtFinding {
    let fixed = &scan.fixed_sinks[index];
    let mut row = imported_row(one, Vec::new());
    row.weakness.clone_from(&fixed.weakness.0);
    row.place = (&fixed.location).into();
    row.verdict = VerdictView {
        word: "no_path".to_owned(),
        reasons: vec![reason(
            "constant",
            format!("`{}` only ever gets constants here", fixed.callee),
        )],
    };
    row.proof = Measured::Unmeasured("there is nothing to attack: no input arrives".to_owned());
    row
}

/// A row for what only other tools report.
fn imported_row(one: &Incoming, reasons: Vec<ReasonView>) -> DebtFinding {
    let severity = match one.candidate.severity {
        Some(Severity::Critical) => "critical",
        Some(Severity::High) => "high",
        Some(Severity::Medium) | None => "medium",
        Some(Severity::Low) => "low",
    };
    let message = if one.candidate.message.is_empty() {
        &one.spot.rule
    } else {
        &one.candidate.message
    };
    let mut title: String = message.chars().take(MAX_TITLE).collect();
    if message.chars().nth(MAX_TITLE).is_some() {
        title.push('…');
    }
    DebtFinding {
        id: one.identity.short(10),
        fingerprint: one.identity.hex(),
        weakness: weakness::families(&one.spot.weaknesses)
            .first()
            .or(one.spot.weaknesses.first())
            .map(|n| weakness::id(*n))
            .unwrap_or_default(),
        severity: severity.to_owned(),
        title,
        place: place(one),
        entry: None,
        reports: Vec::new(),
        verdict: VerdictView {
            word: "not_judged".to_owned(),
            reasons,
        },
        proof: Measured::Unmeasured("only what our own analysis finds is attacked".to_owned()),
        state: open(None),
        introduced: Measured::Unmeasured("git was not asked".to_owned()),
    }
}

/// Rows for what has no finding of ours, joined where tools mean the same flaw.
fn among_themselves(
    left: Vec<(Incoming, Option<ReasonView>)>,
    runs: &[ImportRun],
    texts: &Texts<'_>,
    scan: &Scan,
) -> Vec<DebtFinding> {
    let spots: Vec<Spot> = left.iter().map(|(one, _)| one.spot.clone()).collect();
    let joins = join::join(&[], &spots, &|path, line| texts.scope(path, line));
    let mut rows: Vec<DebtFinding> = Vec::new();
    let mut row_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, ((one, why), join)) in left.iter().zip(&joins).enumerate() {
        if join.is_none() {
            let why = why.clone().unwrap_or_else(|| not_judged(one, scan));
            let mut row = imported_row(one, vec![why]);
            row.reports.push(tool_report(one, runs, None));
            row_of.insert(i, rows.len());
            rows.push(row);
        }
    }
    for ((one, _), join) in left.iter().zip(&joins) {
        if let Some(join) = join
            && let Joined::Spot(head) = join.with
            && let Some(row) = row_of.get(&head)
        {
            rows[*row].reports.push(tool_report(
                one,
                runs,
                Some((join.how, join.because.clone())),
            ));
        }
    }
    rows
}

/// Why our analysis says nothing about it.
fn not_judged(one: &Incoming, scan: &Scan) -> ReasonView {
    let modelled: BTreeSet<u32> = ModelSet::builtin()
        .weaknesses()
        .iter()
        .filter_map(|w| weakness::in_text(&w.id))
        .collect();
    let path = &one.spot.path;
    let families = weakness::families(&one.spot.weaknesses);
    if let Some(why) = &one.lost {
        return reason("not_in_tree", why.clone());
    }
    if scan.broken.contains(path) {
        return reason("unreadable", format!("part of {path} could not be read"));
    }
    if !scan.functions.contains_key(path) {
        return reason(
            "language",
            format!("{path} is not in a language that is modelled"),
        );
    }
    match families.iter().find(|f| !modelled.contains(f)) {
        Some(class) => reason("weakness", format!("{} is not modelled yet", weakness::id(*class))),
        None if families.is_empty() => reason(
            "weakness",
            format!("rule {} names no weakness class that could be modelled", one.spot.rule),
        ),
        None => reason(
            "no_sink",
            "no call that is modelled as a sink of this weakness stands here; what happens to the value is not known"
                .to_owned(),
        ),
    }
}

/// One row for each fingerprint: a call that is a sink in two ways is one flaw. The first row is the strongest,
/// as the scan sorts them, and takes the reports of the others.
fn once_each(rows: Vec<DebtFinding>) -> Vec<DebtFinding> {
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<DebtFinding> = Vec::new();
    for row in rows {
        match at.get(&row.fingerprint) {
            Some(first) => out[*first]
                .reports
                .extend(row.reports.into_iter().filter(|r| r.run.is_some())),
            None => {
                at.insert(row.fingerprint.clone(), out.len());
                out.push(row);
            }
        }
    }
    out
}

/// Gives rows whose short ids are equal longer ones.
fn unique(rows: &mut [DebtFinding]) {
    let mut seen = BTreeSet::new();
    for row in rows {
        let mut digits = 10;
        while !seen.insert(row.id.clone()) && digits < 64 {
            digits += 6;
            row.id = row.fingerprint.chars().take(digits).collect();
        }
    }
}
