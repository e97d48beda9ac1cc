//! How the debt grew: one scan for each month, what wrote the changes, how they came in.
//!
//! Git is read through `change`, which names what a clone lacks. Months are scanned from the newest back, as
//! far as time allows, with the files that did not change between them lowered once.

mod authors;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use solvent_base::system::is_own_page;
use solvent_base::{System, Timestamp};
use solvent_change::suppression::{Counts, Suppressions};
use solvent_change::{
    At, BlameLimits, History, Limits, Month, MonthEnd, ObjectId, Place, Trees, code,
};
use solvent_metrics::{Seen, Snapshot};
use solvent_protocol::debt::{
    Attribution, Authorship, CommitView, DebtFinding, Introduced, Measured, Process, evidence,
};
use solvent_protocol::view::{FindingView, Unmeasured};

use super::DebtRequest;
use super::merges::Merges;
use crate::door::Engine;
use crate::error::EngineError;
use crate::progress::{Progress, Quiet};
use crate::scan::{Lowered, Scan, scan_after};

/// Content of files that is kept between months: the text of a few million lines.
const KEPT_BYTES: usize = 256 << 20;

/// Time that is kept for blame, figures and writing.
const RESERVE: Duration = Duration::from_secs(20);

/// What reading the history may take in any case: who wrote what is worth more than one month more.
const GIT_LEAST: Duration = Duration::from_secs(30);

/// Findings whose introducing commit is looked for.
const MAX_BLAMED: usize = 2_000;

/// Bytes of a file in which suppressions are looked for.
const MAX_TEXT: u64 = 8 << 20;

/// What time there is.
pub struct Clock {
    pub deadline: Instant,
    /// What the newest tree cost; an older one is assumed to cost as much.
    pub one_scan: Duration,
}

/// What git says.
pub struct Past {
    pub snapshots: Vec<Snapshot>,
    pub authorship: Measured<Authorship>,
    pub process: Process,
    pub commits: Vec<CommitView>,
    pub unmeasured: Vec<Unmeasured>,
    /// Full ids of the changes of these months.
    pub changes: BTreeSet<String>,
    /// By fingerprint.
    introduced: BTreeMap<String, Measured<Introduced>>,
    /// Findings of older revisions that the newest one does not show.
    gone: Vec<DebtFinding>,
}

impl Past {
    fn without(why: &str) -> Self {
        let unmeasured = || why.to_owned();
        Self {
            snapshots: Vec::new(),
            authorship: Measured::Unmeasured(unmeasured()),
            process: Process {
                direct_pushes: Measured::Unmeasured(unmeasured()),
                self_merges: Measured::Unmeasured(unmeasured()),
                admin_merges: Measured::Unmeasured(unmeasured()),
                suppressions: Measured::Unmeasured(unmeasured()),
            },
            commits: Vec::new(),
            unmeasured: vec![Unmeasured {
                what: "history, authorship and process".to_owned(),
                why: why.to_owned(),
            }],
            changes: BTreeSet::new(),
            introduced: BTreeMap::new(),
            gone: Vec::new(),
        }
    }

    /// Whether there was an older revision to compare with.
    pub fn compared(&self) -> bool {
        self.snapshots
            .iter()
            .filter(|s| s.seen.known().is_some())
            .count()
            > 1
    }

    /// Writes what is known of the past into the list of findings.
    pub fn tell(&self, findings: &mut Vec<DebtFinding>) {
        for finding in findings.iter_mut() {
            if let Some(introduced) = self.introduced.get(&finding.fingerprint) {
                finding.introduced = introduced.clone();
            }
        }
        let here: BTreeSet<String> = findings.iter().map(|f| f.fingerprint.clone()).collect();
        findings.extend(
            self.gone
                .iter()
                .filter(|f| !here.contains(&f.fingerprint))
                .cloned(),
        );
    }
}

/// What one month's tree held.
struct Look {
    /// By id.
    open: BTreeMap<String, FindingView>,
    lines: u64,
    suppressions: u64,
}

/// What is known before git is asked.
pub struct BeforeGit<'a> {
    /// Those whose introducing commits are wanted, most wanted first.
    pub findings: &'a [DebtFinding],
    pub merges: &'a Merges,
}

/// Asks git, as far as time allows.
pub fn history(
    engine: &Engine,
    request: &DebtRequest,
    scan: &Scan,
    known: &BeforeGit<'_>,
    lowered: &mut Lowered,
    clock: &Clock,
    progress: &dyn Progress,
) -> Result<Past, EngineError> {
    if !engine.repo.is_git {
        return Ok(Past::without("this folder is not a git repository"));
    }
    if request.months == 0 {
        return Ok(Past::without(
            "no month of history was asked for; add `--months 12`",
        ));
    }
    let now = engine.host.now();
    let root = &engine.repo.root;
    let back = request.months.saturating_sub(1);
    let ends = match solvent_change::revisions_at(root, back, now) {
        Ok(ends) => ends,
        Err(error) => return Ok(Past::without(&format!("{error}; {}", error.hint()))),
    };
    let left = clock.deadline.saturating_duration_since(Instant::now());
    let limits = Limits {
        now,
        months: back,
        changes: 200_000,
        time: left
            .saturating_sub(RESERVE)
            .clamp(GIT_LEAST, Duration::from_secs(100)),
    };
    // Git reads while we scan: one waits for the disk, the other for the processor.
    let (read, looks) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| solvent_change::history(root, &limits));
        let looks = looks(engine, &ends, scan, lowered, clock, now, progress);
        (reading.join(), looks)
    });
    let history = match read {
        Ok(Ok(history)) => history,
        Ok(Err(error)) => return Ok(Past::without(&format!("{error}; {}", error.hint()))),
        Err(_) => {
            return Ok(Past::without(
                "reading the history failed, which is a defect",
            ));
        }
    };
    progress.stage("asking git who wrote what");
    let mut unmeasured: Vec<Unmeasured> = history
        .gaps
        .iter()
        .map(|gap| Unmeasured {
            what: gap.what.clone(),
            why: gap.why.clone(),
        })
        .collect();
    if engine.repo.dirty {
        unmeasured.push(Unmeasured {
            what: "lines that are not committed".to_owned(),
            why: "authorship and process are those of HEAD; the newest month is the tree as it is"
                .to_owned(),
        });
    }
    let present = ways::present(&engine.host);
    let introduced = introduced(engine, &history, known.findings);
    let snapshots = snapshots(&looks, &ends, &engine.repo.revision, known.findings);
    let gone = gone(&looks, &snapshots, scan);
    let mut process = ways::process(&history, present, known.merges);
    unmeasured.extend(ways::unrecorded(&history, known.merges));
    if let Measured::Known(suppressions) = &mut process.suppressions {
        suppressions.months = looks
            .iter()
            .map(|(month, look)| solvent_protocol::debt::SuppressionMonth {
                month: month.to_string(),
                present: match look {
                    Ok((_, look)) => Measured::Known(look.suppressions),
                    Err(why) => Measured::Unmeasured(why.clone()),
                },
            })
            .collect();
    }
    let authorship = Measured::Known(authors::authorship(&history));
    let changes: BTreeSet<String> = history
        .changes
        .iter()
        .filter(|c| !c.merge)
        .map(|c| c.id.hex())
        .collect();
    let commits = authors::commits(root, &history, &introduced);
    Ok(Past {
        snapshots,
        authorship,
        process,
        commits,
        unmeasured,
        changes,
        introduced,
        gone,
    })
}

type Looks = Vec<(Month, Result<(ObjectId, Look), String>)>;

/// One look at each month, oldest first; made from the newest back.
fn looks(
    engine: &Engine,
    ends: &[MonthEnd],
    scan: &Scan,
    lowered: &mut Lowered,
    clock: &Clock,
    now: Timestamp,
    progress: &dyn Progress,
) -> Looks {
    let trees = Trees::open(&engine.repo.root, KEPT_BYTES);
    let mut cost = clock.one_scan;
    let mut out: Looks = Vec::new();
    let mut newest = true;
    for (nth, end) in ends.iter().rev().enumerate() {
        let look = match (&end.at, &trees) {
            (At::NotStarted, _) => Err("the repository had no commit yet".to_owned()),
            (At::Unmeasured(why), _) => Err(why.clone()),
            (At::Commit(_), Err(error)) => Err(error.to_string()),
            // The newest month is the tree as it is.
            (At::Commit(id), _) if std::mem::take(&mut newest) => {
                Ok((*id, looked(scan, &engine.host)))
            }
            (At::Commit(id), Ok(trees)) => {
                let same = out.iter().rev().find_map(|(_, l)| match l {
                    Ok((known, look)) if known == id => Some(look.again()),
                    _ => None,
                });
                if let Some(look) = same {
                    Ok((*id, look))
                } else if Instant::now() + cost + cost / 5 + RESERVE > clock.deadline {
                    Err(format!(
                        "the time for looking back ran out (a scan of this tree takes about {} s); give more with \
                         `--max-seconds`",
                        cost.as_secs().max(1)
                    ))
                } else {
                    progress.stage(&format!(
                        "scanning {} ({} of {})",
                        end.month,
                        nth + 1,
                        ends.len()
                    ));
                    let started = Instant::now();
                    let look = trees
                        .at(id, now)
                        .map(|tree| {
                            let scan = scan_after(&engine.repo, &tree, &Quiet, lowered);
                            (*id, looked(&scan, &tree))
                        })
                        .map_err(|e| e.to_string());
                    cost = started.elapsed();
                    look
                }
            }
        };
        out.push((end.month, look));
    }
    out.reverse();
    out
}

impl Look {
    fn again(&self) -> Self {
        Self {
            open: self.open.clone(),
            ..*self
        }
    }
}

fn looked(scan: &Scan, system: &dyn System) -> Look {
    let open = scan
        .report
        .findings
        .iter()
        .filter(|f| matches!(f.verdict.word.as_str(), "reachable" | "undecided"))
        .map(|f| (f.id.clone(), f.clone()))
        .collect();
    let mut counts = Counts::new();
    for file in system.walk().files {
        if code::is_code(file.path.as_str())
            && let Ok(bytes) = system.read(&file.path, MAX_TEXT)
            && !is_own_page(&bytes)
        {
            Suppressions::builtin().text(&bytes, &mut counts);
        }
    }
    Look {
        open,
        lines: scan.report.coverage.lines,
        suppressions: counts.values().sum(),
    }
}

/// What was open at the end of each month. What a person accepted, and what an attack showed to be closed, is not
/// open from then on.
fn snapshots(
    looks: &Looks,
    ends: &[MonthEnd],
    head: &Option<String>,
    findings: &[DebtFinding],
) -> Vec<Snapshot> {
    let ended: BTreeMap<&str, i64> = findings
        .iter()
        .filter(|f| matches!(f.state.word.as_str(), "accepted" | "closed"))
        .map(|f| (f.fingerprint.as_str(), f.state.since_ms.unwrap_or(i64::MIN)))
        .collect();
    let open = |f: &FindingView, end: i64| {
        ended
            .get(f.fingerprint.as_str())
            .is_none_or(|since| *since >= end)
    };
    let last = looks.len().saturating_sub(1);
    looks
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(i, ((month, look), _))| Snapshot {
            month: month.to_string(),
            seen: match look {
                Err(why) => Measured::Unmeasured(why.clone()),
                Ok((id, look)) => Measured::Known(Seen {
                    revision: match head {
                        Some(head) if i == last => head.clone(),
                        _ => id.hex(),
                    },
                    // What was open at the end of a month is as old as that end.
                    committed_ms: month.end().0 - 1,
                    lines: look.lines,
                    open: look
                        .open
                        .values()
                        .filter(|f| open(f, month.end().0))
                        .map(|f| f.id.clone())
                        .collect(),
                    critical: look
                        .open
                        .values()
                        .filter(|f| f.severity == "critical" && open(f, month.end().0))
                        .map(|f| f.id.clone())
                        .collect(),
                }),
            },
        })
        .collect()
}

/// Rows for what older revisions showed and the newest does not.
fn gone(looks: &Looks, snapshots: &[Snapshot], scan: &Scan) -> Vec<DebtFinding> {
    let here: BTreeSet<&str> = scan.report.findings.iter().map(|f| f.id.as_str()).collect();
    let mut last_seen: BTreeMap<&str, (usize, &FindingView)> = BTreeMap::new();
    for (i, (_, look)) in looks.iter().enumerate() {
        for (id, view) in look.iter().flat_map(|(_, look)| &look.open) {
            if !here.contains(id.as_str()) {
                last_seen.insert(id, (i, view));
            }
        }
    }
    last_seen
        .into_values()
        .map(|(i, view)| {
            let month = &snapshots[i].month;
            let since = snapshots[i + 1..].iter().find_map(|s| s.seen.known()).map(|s| s.committed_ms);
            let mut row = super::pile::own_row(view);
            row.state.word = "gone".to_owned();
            row.state.code = "gone_from_source".to_owned();
            row.state.reason = format!(
                "last seen in {month}; the analysis of the newest revision no longer finds it, and no attack \
                 verified that"
            );
            row.state.since_ms = since;
            row.state.evidence = vec![evidence::month(month)];
            row.introduced = Measured::Unmeasured("it is not in the newest revision".to_owned());
            row
        })
        .collect()
}

/// The commit that brought each finding, by blame of its line in HEAD.
fn introduced(
    engine: &Engine,
    history: &History,
    findings: &[DebtFinding],
) -> BTreeMap<String, Measured<Introduced>> {
    let root = &engine.repo.root;
    let Some(head) = &history.head else {
        return BTreeMap::new();
    };
    let place = |f: &DebtFinding| Place {
        path: f.place.path.clone(),
        line: f.place.line,
    };
    let wanted: Vec<&DebtFinding> = findings
        .iter()
        .filter(|f| f.state.word == "open")
        .take(MAX_BLAMED)
        .collect();
    let places: BTreeSet<Place> = wanted.iter().map(|f| place(f)).collect();
    let places: Vec<Place> = places.into_iter().collect();
    let failed = |why: String| {
        wanted
            .iter()
            .map(|f| (f.fingerprint.clone(), Measured::Unmeasured(why.clone())))
            .collect()
    };
    let blamed = match solvent_change::introduced(root, head, &places, &BlameLimits::STANDARD) {
        Ok(blamed) => blamed,
        Err(error) => return failed(error.to_string()),
    };
    let commits: BTreeSet<ObjectId> = blamed.values().flatten().map(|line| line.commit).collect();
    let commits: Vec<ObjectId> = commits.into_iter().collect();
    let origins = solvent_change::origins(root, &commits).unwrap_or_default();
    let times = authors::subjects(root, &commits);
    wanted
        .iter()
        .map(|finding| {
            let introduced = match blamed.get(&place(finding)) {
                Some(Ok(line)) => {
                    let id = line.commit.hex();
                    let by = origins.get(&line.commit).map(|authorship| {
                        let path = String::from_utf8_lossy(&line.then_path);
                        authors::attribution(&authorship.line(&path, line.then_line))
                    });
                    match times.get(&id) {
                        Some((when_ms, _)) => Measured::Known(Introduced {
                            when_ms: *when_ms,
                            or_earlier: line.boundary,
                            attribution: by.unwrap_or_else(|| Attribution {
                                by: "unknown".to_owned(),
                                tool: None,
                                how: "the commit could not be read".to_owned(),
                            }),
                            commit: id,
                        }),
                        None => Measured::Unmeasured("the commit could not be read".to_owned()),
                    }
                }
                Some(Err(error)) => Measured::Unmeasured(error.to_string()),
                None => Measured::Unmeasured("its line was not asked about".to_owned()),
            };
            (finding.fingerprint.clone(), introduced)
        })
        .collect()
}
