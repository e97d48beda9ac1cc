//! The debt on a parcel service of 48,000 lines, as a year of its history could show it. Figures are counted
//! from the findings and commits below, so that they agree with what they link to.

mod findings;

use solvent_protocol::debt::{
    Age, Attribution, Authorship, AuthorshipMonth, Closed, Collapse, CommitView, Counted,
    DEBT_SCHEMA, DebtEntryPoint, DebtFinding, DebtReport, Exposure, Figure, FlawRates, Forecast,
    ForecastInput, ForecastMonth, Funnel, ImportRun, Imported, Interval, Measured, Month,
    MonthScan, Process, Proportion, Rate, Share, SuppressionKind, SuppressionMonth, Suppressions,
    ToolShare, evidence,
};
use solvent_protocol::view::{Coverage, LedgerHead, Place, Subject, Tool, Unmeasured};

use Measured::{Known, Unmeasured as Unknown};
use findings::{JOIN_LINE, JOIN_SINK, findings};

const DAY: i64 = 86_400_000;
/// 2026-11-23 01:40 UTC.
const NOW: i64 = 1_795_398_000_000;

const MONTHS: [&str; 12] = [
    "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07",
    "2026-08", "2026-09", "2026-10", "2026-11",
];

/// Open, in, out, critical, age of the oldest critical, lines; `None` was not scanned.
#[expect(clippy::type_complexity, reason = "one field per column of the table")]
const PAST: [Option<(u64, u64, u64, u64, u64, u64)>; 12] = [
    Some((11, 0, 0, 1, 122, 31_020)),
    Some((13, 3, 1, 1, 153, 32_417)),
    Some((14, 2, 1, 2, 181, 33_950)),
    Some((13, 2, 3, 2, 212, 34_102)),
    None,
    Some((17, 0, 0, 2, 273, 37_884)),
    Some((20, 5, 2, 3, 303, 39_410)),
    Some((23, 5, 2, 2, 41, 41_006)),
    Some((21, 1, 3, 1, 72, 42_300)),
    Some((24, 6, 3, 2, 103, 44_871)),
    Some((26, 6, 4, 2, 133, 46_730)),
    Some((27, 4, 3, 2, 156, 48_214)),
];

fn commit_id(n: usize) -> String {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n as u64 + 1);
    let mut id = String::new();
    while id.len() < 40 {
        word ^= word >> 29;
        word = word.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id.push_str(&format!("{word:016x}"));
    }
    id.truncate(40);
    id
}

fn figure(evidence: impl IntoIterator<Item = String>) -> Figure {
    let evidence: Vec<String> = evidence.into_iter().collect();
    Figure {
        count: evidence.len() as u64,
        evidence,
    }
}

fn months_of(count: u64) -> Figure {
    Figure {
        count,
        evidence: MONTHS.iter().map(|m| evidence::month(m)).collect(),
    }
}

fn files_of(count: u64, files: &[&str]) -> Figure {
    Figure {
        count,
        evidence: files.iter().map(|f| evidence::file(f)).collect(),
    }
}

fn place(path: &str, line: u32) -> Place {
    Place {
        path: path.to_owned(),
        line,
        column: 5,
    }
}

fn attribution(by: &str, tool: Option<&str>, how: &str) -> Attribution {
    Attribution {
        by: by.to_owned(),
        tool: tool.map(str::to_owned),
        how: how.to_owned(),
    }
}

fn written(n: usize) -> Attribution {
    match n % 7 {
        0 | 3 => attribution("ai", Some("Claude Code"), "co-author trailer"),
        5 => attribution("ai", Some("Copilot agent"), "agent author"),
        6 => attribution("bot", Some("dependabot"), "author"),
        _ => attribution("unknown", None, "no mark was found"),
    }
}

const SUBJECTS: [&str; 12] = [
    "Let couriers search by street",
    "Add the label preview",
    "Print manifests for a whole depot",
    "Import addresses from a spreadsheet",
    "Bump requests from 2.32.3 to 2.32.4",
    "Show where a parcel was last seen",
    "Move tariffs into the database",
    "Archive old manifests",
    "Let depots upload their own logo",
    "Rework the search of the archive",
    "Cache tariffs",
    "Send a mail when a parcel is late",
];

fn commits() -> Vec<CommitView> {
    (0..24)
        .map(|n| CommitView {
            id: commit_id(n),
            when_ms: NOW - (n as i64 * 15 + 2) * DAY,
            subject: SUBJECTS[n % 12].to_owned(),
            attribution: written(n),
        })
        .collect()
}

fn counted(code: &str, text: &str, figure: Figure) -> Counted {
    Counted {
        code: code.to_owned(),
        text: text.to_owned(),
        figure,
    }
}

fn share(detected: u64, bots: u64, unknown: u64, of: impl Fn(u64) -> Figure) -> Share {
    let total = detected + bots + unknown;
    Share {
        detected: of(detected),
        bots: of(bots),
        human: Figure::default(),
        unknown: of(unknown),
        total: of(total),
        low: detected as f64 / total as f64,
        high: (detected + unknown) as f64 / total as f64,
    }
}

fn months(findings: &[DebtFinding]) -> Vec<Month> {
    MONTHS
        .iter()
        .zip(PAST)
        .enumerate()
        .map(|(n, (month, past))| Month {
            month: (*month).to_owned(),
            scan: match past {
                None => Unknown(
                    "the revision of that month could not be read to the end within its 20 s"
                        .to_owned(),
                ),
                Some((open, inflow, outflow, critical, days, lines)) => {
                    let listed = |count: u64| Figure {
                        count,
                        evidence: findings
                            .iter()
                            .take(count as usize)
                            .map(|f| evidence::finding(&f.id))
                            .collect(),
                    };
                    let moved = |count| match n {
                        0 => Unknown("no month before it was looked at".to_owned()),
                        5 => Unknown("the month before it was not scanned".to_owned()),
                        _ => Known(listed(count)),
                    };
                    Known(MonthScan {
                        revision: commit_id(22 - 2 * n),
                        committed_ms: NOW - ((11 - n) as i64 * 30 + 2) * DAY,
                        lines,
                        open: listed(open),
                        inflow: moved(inflow),
                        outflow: moved(outflow),
                        open_critical: listed(critical),
                        oldest_open_critical: Some(Age {
                            days,
                            at_least: n < 7,
                            evidence: vec![evidence::finding("5e90b1c3fa")],
                        }),
                    })
                }
            },
        })
        .collect()
}

fn authorship() -> Authorship {
    let files = [
        "desk/search/street.py",
        "desk/manifests/archive.py",
        "desk/api/tariffs.py",
    ];
    Authorship {
        lines: Known(share(9_871, 402, 37_941, |n| files_of(n, &files))),
        changes: Known(share(214, 96, 580, months_of)),
        tools: vec![
            ToolShare {
                tool: "Claude Code".to_owned(),
                lines: Known(files_of(7_420, &files)),
                changes: months_of(151),
                how: vec![
                    counted("co_author_trailer", "co-author trailer", months_of(139)),
                    counted("session_trailer", "session trailer", months_of(12)),
                ],
            },
            ToolShare {
                tool: "Copilot agent".to_owned(),
                lines: Known(files_of(2_451, &files[..2])),
                changes: months_of(63),
                how: vec![counted("agent_author", "agent author", months_of(63))],
            },
        ],
        months: MONTHS
            .iter()
            .enumerate()
            .map(|(n, month)| AuthorshipMonth {
                month: (*month).to_owned(),
                changes: if n == 4 {
                    Unknown("its commits were not fetched".to_owned())
                } else {
                    let n = n as u64;
                    Known(share(2 + n * 3, 8, 70 - n * 3, |count| Figure {
                        count,
                        evidence: vec![evidence::month(month)],
                    }))
                },
            })
            .collect(),
        method: "line notes, then agent authors, session trailers, co-author trailers and marks in messages; the strongest mark counts".to_owned(),
        caveats: vec!["squashed merges lose trailers, and tools can be told to leave none".to_owned()],
    }
}

fn process() -> Process {
    Process {
        direct_pushes: Known(Proportion {
            part: figure((0..17).map(|n| evidence::commit(&commit_id(n)))),
            of: months_of(388),
            of_what: "first-parent commits of `main`".to_owned(),
            caveats: vec![
                "a squashed merge whose message names no change request looks the same".to_owned(),
            ],
        }),
        self_merges: Known(Proportion {
            part: figure((3..12).map(|n| evidence::commit(&commit_id(n)))),
            of: months_of(146),
            of_what: "merge commits".to_owned(),
            caveats: vec![
                "merges made by the forge itself carry its name and are left out".to_owned(),
            ],
        }),
        admin_merges: Unknown("git does not show them; give the forge's audit log".to_owned()),
        suppressions: Known(Suppressions {
            now: files_of(37, &["desk/util/cache.py", "desk/clients/rates.py"]),
            lines: 48_214,
            kinds: vec![
                SuppressionKind {
                    kind: "nosec".to_owned(),
                    now: files_of(21, &["desk/util/cache.py", "desk/clients/rates.py"]),
                },
                SuppressionKind {
                    kind: "noqa: S".to_owned(),
                    now: files_of(13, &["desk/util/cache.py"]),
                },
                SuppressionKind {
                    kind: "nosemgrep".to_owned(),
                    now: files_of(3, &["desk/clients/rates.py"]),
                },
            ],
            months: MONTHS
                .iter()
                .enumerate()
                .map(|(n, month)| SuppressionMonth {
                    month: (*month).to_owned(),
                    present: if n == 4 {
                        Unknown("not scanned".to_owned())
                    } else {
                        Known(11 + n as u64 * 26 / 11)
                    },
                })
                .collect(),
            caveats: vec!["only comments in Python files were searched".to_owned()],
        }),
    }
}

fn forecast() -> Forecast {
    let ahead = [
        ("2026-12", 28, 25, 32),
        ("2027-01", 30, 25, 36),
        ("2027-02", 31, 25, 39),
        ("2027-03", 32, 25, 42),
        ("2027-04", 34, 26, 45),
        ("2027-05", 35, 26, 48),
    ];
    Forecast {
        months: ahead
            .into_iter()
            .map(|(month, median, low, high)| ForecastMonth {
                month: month.to_owned(),
                median,
                low,
                high,
            })
            .collect(),
        band: 0.8,
        method: "each month ahead draws the movement of one of the known months, 10,000 times"
            .to_owned(),
        inputs: vec![
            ForecastInput {
                name: "Months drawn from".to_owned(),
                value: "9, those whose movement is known".to_owned(),
            },
            ForecastInput {
                name: "Came in a month".to_owned(),
                value: "3.8 on average".to_owned(),
            },
            ForecastInput {
                name: "Went in a month".to_owned(),
                value: "2.4 on average".to_owned(),
            },
        ],
        evidence: MONTHS.iter().map(|m| evidence::month(m)).collect(),
    }
}

fn entry_points(findings: &[DebtFinding]) -> Vec<DebtEntryPoint> {
    let labels = [
        ("GET /archive", "public"),
        ("GET /docs", "public"),
        ("GET /help", "public"),
        ("GET /labels/<path:file>", "public"),
        ("GET /parcels", "public"),
        ("POST /admin/export", "internal"),
        ("POST /api/tariffs", "unknown"),
        ("POST /depots/<id>/archive", "public"),
        ("POST /depots/<id>/logo", "public"),
    ];
    labels
        .iter()
        .enumerate()
        .map(|(n, (label, exposure))| {
            let behind: Vec<&DebtFinding> = findings
                .iter()
                .filter(|f| f.entry.as_deref() == Some(*label) && f.state.word == "open")
                .collect();
            let proven = behind.iter().filter(|f| is(f, "proven")).count() as u64;
            DebtEntryPoint {
                id: format!("entry-{n}"),
                label: (*label).to_owned(),
                place: place("desk/routes.py", 20 + n as u32 * 11),
                exposure: (*exposure).to_owned(),
                exposure_reason: match *exposure {
                    "public" => "no login check recognised",
                    "internal" => "behind `depot_network_only`",
                    _ => "its gateway is configured elsewhere",
                }
                .to_owned(),
                findings: behind.iter().map(|f| f.id.clone()).collect(),
                attacked: if behind
                    .iter()
                    .all(|f| f.proof.known().is_some_and(|p| p.outcome != "inconclusive"))
                {
                    Known(proven)
                } else {
                    Unknown(
                        "the application needs a message broker that its recipe does not name"
                            .to_owned(),
                    )
                },
            }
        })
        .collect()
}

fn is(finding: &DebtFinding, outcome: &str) -> bool {
    finding.proof.known().is_some_and(|p| p.outcome == outcome)
}

pub fn debt() -> DebtReport {
    let findings = findings();
    let all = |keep: &dyn Fn(&DebtFinding) -> bool| {
        figure(
            findings
                .iter()
                .filter(|f| keep(f))
                .map(|f| evidence::finding(&f.id)),
        )
    };
    let open = |f: &DebtFinding| f.state.word == "open";
    let word = |f: &DebtFinding, word: &str| f.verdict.word == word;
    let needs = |f: &DebtFinding| open(f) && !word(f, "no_path");
    let by = |f: &DebtFinding, tool: &str| f.reports.iter().any(|r| r.tool == tool);
    let foreign = |f: &DebtFinding| by(f, "bandit") || by(f, "semgrep");
    let imported: u64 = findings
        .iter()
        .map(|f| f.reports.iter().filter(|r| r.run.is_some()).count() as u64)
        .sum();
    let remaining = all(&|f| foreign(f) && needs(f));
    let no_path = all(&|f| foreign(f) && word(f, "no_path"));
    let twice = Figure {
        count: imported - remaining.count - no_path.count,
        evidence: vec![evidence::finding("a41f0c77d2")],
    };
    let entries = entry_points(&findings);
    let public = |keep: &dyn Fn(&DebtEntryPoint) -> bool| {
        figure(
            entries
                .iter()
                .filter(|e| e.exposure == "public" && keep(e))
                .map(|e| evidence::entry(&e.id)),
        )
    };
    let attackable = |f: &DebtFinding| {
        open(f) && (word(f, "reachable") || word(f, "undecided")) && f.reports[0].tool == "solvent"
    };
    DebtReport {
        schema: DEBT_SCHEMA.to_owned(),
        tool: Tool { name: "solvent".to_owned(), version: "0.1.0".to_owned(), models: format!("sha256:{}", "ef".repeat(32)) },
        subject: Subject {
            name: "parcel-desk".to_owned(),
            revision: Some(commit_id(0)),
            dirty: false,
            tree: format!("sha256:{}", "cd".repeat(32)),
        },
        generated_ms: NOW,
        duration_ms: 84_210,
        coverage: Coverage {
            files_seen: 604,
            files_analysed: 521,
            files_not_modelled: vec![("js".to_owned(), 61), ("ts".to_owned(), 22)],
            files_copied_in: 12,
            lines: 48_214,
            functions: 3_870,
            calls_resolved: 14_992,
            calls_unresolved: 1_204,
            constant_sinks: 118,
        },
        unmeasured: vec![
            Unmeasured { what: "83 files of .js and .ts".to_owned(), why: "JavaScript is not modelled yet, flows through it are not seen".to_owned() },
            Unmeasured { what: "production incidents".to_owned(), why: "none were imported; give them with `--incidents`".to_owned() },
            Unmeasured { what: "merges past a rule of the forge".to_owned(), why: "git does not show them; give the forge's audit log".to_owned() },
        ],
        funnel: Funnel {
            own: all(&|f| by(f, "solvent")),
            imported: ["bandit", "semgrep"]
                .into_iter()
                .map(|tool| Imported { tool: tool.to_owned(), findings: all(&|f| by(f, tool)) })
                .collect(),
            joined: all(&|f| f.reports.len() > 1),
            joined_because: vec![
                counted("same_sink_line", JOIN_SINK, all(&|f| f.reports.iter().any(|r| r.joined_because.as_deref() == Some(JOIN_SINK)))),
                counted("same_call", JOIN_LINE, all(&|f| f.reports.len() > 1 && f.reports.iter().all(|r| r.joined_because.as_deref() != Some(JOIN_SINK)))),
            ],
            distinct: all(&|_| true),
            reachable: all(&|f| word(f, "reachable")),
            undecided: all(&|f| word(f, "undecided")),
            no_path: all(&|f| word(f, "no_path")),
            not_judged: all(&|f| word(f, "not_judged")),
            attention: all(&needs),
            proven: Known(all(&|f| open(f) && is(f, "proven"))),
            not_reproduced: all(&|f| open(f) && is(f, "not_reproduced")),
            inconclusive: all(&|f| open(f) && is(f, "inconclusive")),
            not_attempted: all(&|f| attackable(f) && f.proof.known().is_none()),
            not_judged_open: all(&|f| needs(f) && word(f, "not_judged") && f.proof.known().is_none()),
            gone: all(&|f| f.state.word == "gone"),
            closed: Known(Closed {
                total: all(&|f| matches!(f.state.word.as_str(), "closed" | "accepted")),
                by: vec![
                    counted("verified_fix", "fix verified by the same attack", figure([evidence::finding("d15c8b20a9")])),
                    counted("accepted", "accepted until a date", figure([evidence::finding("b7740f9e13")])),
                ],
            }),
        },
        collapse: Known(Collapse {
            imported: Figure { count: imported, evidence: vec![evidence::run("run-bandit"), evidence::run("run-semgrep")] },
            undecided: all(&|f| foreign(f) && needs(f) && word(f, "undecided")),
            not_judged: all(&|f| foreign(f) && needs(f) && word(f, "not_judged")),
            removed: vec![
                counted("no_path", "the search finished and every way is cut", no_path),
                counted("same_flaw", "the same flaw, reported again", twice),
            ],
            remaining,
        }),
        exposure: Known(Exposure {
            public: public(&|_| true),
            measured: public(&|e| e.attacked.known().is_some()),
            open_proof: public(&|e| e.attacked.known().is_some_and(|n| *n > 0)),
        }),
        months: months(&findings),
        authorship: Known(authorship()),
        flaw_rates: Known(FlawRates {
            ai: Rate {
                flaws: figure(["a41f0c77d2", "5e90b1c3fa", "0b6c9d44e1", "7fd21e8b96", "19ce55a07b"].map(evidence::finding)),
                changes: months_of(214),
                per_hundred: Known(Interval { value: 2.34, low: 0.76, high: 5.37 }),
            },
            rest: Rate {
                flaws: figure(["c83d27e501", "63b8ea1d0f", "46ef013da7", "d15c8b20a9"].map(evidence::finding)),
                changes: months_of(676),
                per_hundred: Known(Interval { value: 0.59, low: 0.16, high: 1.51 }),
            },
            counted: "reachable or proven".to_owned(),
            unattributed: all(&|f| by(f, "solvent") && word(f, "reachable") && matches!(&f.introduced, Known(i) if i.or_earlier)),
            method: "the oldest month whose scan shows the finding, then blame of its sink line inside that month; exact binomial intervals of 95% (Clopper and Pearson, 1934)".to_owned(),
        }),
        process: process(),
        forecast: Known(forecast()),
        entry_points: entries,
        runs: vec![
            ImportRun {
                id: "run-bandit".to_owned(),
                tool: "bandit".to_owned(),
                version: Some("1.8.6".to_owned()),
                file: "bandit.sarif".to_owned(),
                digest: format!("sha256:{}", "21".repeat(32)),
                results: 21,
                taken: 20,
                covered_files: Known(521),
                notes: vec![Unmeasured { what: "1 result".to_owned(), why: "its path `../shared/x.py` leads outside the root".to_owned() }],
            },
            ImportRun {
                id: "run-semgrep".to_owned(),
                tool: "semgrep".to_owned(),
                version: None,
                file: "semgrep.sarif".to_owned(),
                digest: format!("sha256:{}", "43".repeat(32)),
                results: 17,
                taken: 17,
                covered_files: Unknown("the report does not say which files it read".to_owned()),
                notes: Vec::new(),
            },
        ],
        commits: commits(),
        ledger: Some(LedgerHead { size: 57, root: format!("sha256:{}", "34".repeat(32)) }),
        findings,
    }
}

/// A report in which nothing but the tree was measured.
pub fn unmeasured() -> DebtReport {
    let full = debt();
    let why = |why: &str| why.to_owned();
    DebtReport {
        unmeasured: vec![Unmeasured {
            what: "everything but the tree".to_owned(),
            why: "the folder is not a git checkout".to_owned(),
        }],
        funnel: Funnel {
            own: Figure::default(),
            imported: Vec::new(),
            joined: Figure::default(),
            joined_because: Vec::new(),
            distinct: Figure::default(),
            reachable: Figure::default(),
            undecided: Figure::default(),
            no_path: Figure::default(),
            not_judged: Figure::default(),
            attention: Figure::default(),
            proven: Unknown(why(
                "no recipe starts the application; name one in `solvent.toml`",
            )),
            not_reproduced: Figure::default(),
            inconclusive: Figure::default(),
            not_attempted: Figure::default(),
            not_judged_open: Figure::default(),
            gone: Figure::default(),
            closed: Unknown(why("the folder is not a git checkout")),
        },
        collapse: Unknown(why(
            "no report of another tool was given; give one with `--sarif`",
        )),
        exposure: Unknown(why("nothing was attacked")),
        months: Vec::new(),
        authorship: Unknown(why("the folder is not a git checkout")),
        flaw_rates: Unknown(why("the folder is not a git checkout")),
        process: Process {
            direct_pushes: Unknown(why("the folder is not a git checkout")),
            self_merges: Unknown(why("the folder is not a git checkout")),
            admin_merges: Unknown(why("git does not show them; give the forge's audit log")),
            suppressions: Unknown(why("no file of a modelled language was found")),
        },
        forecast: Unknown(why("at least four months with known movement are needed")),
        findings: Vec::new(),
        entry_points: Vec::new(),
        runs: Vec::new(),
        commits: Vec::new(),
        ledger: None,
        subject: Subject {
            revision: None,
            ..full.subject
        },
        ..full
    }
}

/// Appends `tail` to every text of the report.
pub fn poisoned(tail: &str) -> DebtReport {
    fn poison(value: &mut serde_json::Value, tail: &str) {
        match value {
            serde_json::Value::String(text) => text.push_str(tail),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|v| poison(v, tail)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|v| poison(v, tail)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(debt()).expect("it is JSON");
    poison(&mut value, tail);
    serde_json::from_value(value).expect("only texts changed")
}
