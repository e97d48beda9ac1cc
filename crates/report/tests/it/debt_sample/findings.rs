//! The findings of the sample: own ones of every standing, and what scanners of patterns report beside them.

use solvent_protocol::debt::Measured::{Known, Unmeasured as Unknown};
use solvent_protocol::debt::{DebtFinding, DebtProof, DebtState, Introduced, ToolReport, evidence};
use solvent_protocol::view::{ReasonView, VerdictView};

use super::{DAY, NOW, commit_id, place, written};

struct Row {
    id: &'static str,
    weakness: &'static str,
    severity: &'static str,
    title: &'static str,
    at: (&'static str, u32),
    entry: Option<&'static str>,
    verdict: (&'static str, &'static str),
    proof: (&'static str, &'static str),
    state: (&'static str, &'static str),
    also: &'static [(&'static str, &'static str, &'static str)],
    commit: usize,
}

pub const JOIN_LINE: &str =
    "same weakness at the same call, `bandit` names the line of its first argument";
pub const JOIN_SINK: &str = "same weakness and same sink line";

fn rows() -> Vec<Row> {
    let row = |id, weakness, severity, title, at, entry| Row {
        id,
        weakness,
        severity,
        title,
        at,
        entry,
        verdict: ("reachable", ""),
        proof: (
            "",
            "the application needs a message broker that its recipe does not name",
        ),
        state: ("open", ""),
        also: &[],
        commit: 20,
    };
    vec![
        Row {
            proof: (
                "proven",
                "16 of 16 secret random bits decided whether the search found anything",
            ),
            also: &[
                ("bandit", "B608", JOIN_LINE),
                (
                    "semgrep",
                    "python.lang.security.audit.formatted-sql-query",
                    JOIN_SINK,
                ),
            ],
            commit: 9,
            ..row(
                "a41f0c77d2",
                "CWE-89",
                "critical",
                "query parameter street reaches the SQL text of psycopg.Cursor.execute",
                ("desk/search/street.py", 88),
                Some("GET /parcels"),
            )
        },
        Row {
            proof: ("proven", "the canary program ran, started by /bin/sh -c"),
            also: &[("bandit", "B602", JOIN_SINK)],
            commit: 7,
            ..row(
                "5e90b1c3fa",
                "CWE-78",
                "critical",
                "form field name reaches the shell command of subprocess.run",
                ("desk/manifests/archive.py", 41),
                Some("POST /depots/<id>/archive"),
            )
        },
        Row {
            proof: (
                "inconclusive",
                "the benign twin did not behave: status 302 before the attack, 200 after it",
            ),
            commit: 8,
            ..row(
                "c83d27e501",
                "CWE-22",
                "high",
                "file name of upload logo reaches the path that open writes",
                ("desk/depots/logo.py", 29),
                Some("POST /depots/<id>/logo"),
            )
        },
        Row {
            commit: 3,
            also: &[(
                "semgrep",
                "python.flask.security.injection.tainted-sql-string",
                JOIN_SINK,
            )],
            ..row(
                "0b6c9d44e1",
                "CWE-89",
                "high",
                "JSON key order reaches the SQL text of psycopg.Cursor.execute",
                ("desk/api/tariffs.py", 133),
                Some("POST /api/tariffs"),
            )
        },
        Row {
            commit: 5,
            ..row(
                "7fd21e8b96",
                "CWE-22",
                "high",
                "path segment file reaches the path that open reads",
                ("desk/labels/preview.py", 57),
                Some("GET /labels/<path:file>"),
            )
        },
        Row {
            commit: 0,
            ..row(
                "19ce55a07b",
                "CWE-89",
                "high",
                "query parameter sort reaches the SQL text of psycopg.Cursor.execute",
                ("desk/search/archive.py", 210),
                Some("GET /archive"),
            )
        },
        Row {
            verdict: ("undecided", "`REGISTRY[kind]` could not be resolved"),
            commit: 2,
            ..row(
                "e2840dd91c",
                "CWE-78",
                "high",
                "an input may reach the shell command of os.system",
                ("desk/plugins/run.py", 30),
                None,
            )
        },
        Row {
            verdict: ("undecided", "the search stopped after 200,000 steps"),
            commit: 11,
            also: &[("bandit", "B608", JOIN_LINE)],
            ..row(
                "f0a7b63e28",
                "CWE-89",
                "high",
                "an input may reach the SQL text of psycopg.Cursor.execute",
                ("desk/reports/monthly.py", 302),
                None,
            )
        },
        Row {
            proof: (
                "not_reproduced",
                "every payload was answered as its twin was",
            ),
            commit: 14,
            ..row(
                "63b8ea1d0f",
                "CWE-22",
                "medium",
                "query parameter lang reaches the path that open reads",
                ("desk/pages/help.py", 18),
                Some("GET /help"),
            )
        },
        Row {
            verdict: ("no_path", "`shlex.quote` makes the input harmless here"),
            also: &[("bandit", "B602", JOIN_SINK)],
            ..row(
                "8d10c2f7e4",
                "CWE-78",
                "high",
                "form field depot reaches the shell command of subprocess.run",
                ("desk/manifests/print.py", 64),
                None,
            )
        },
        Row {
            verdict: (
                "no_path",
                "no route and no caller leads to `desk.tools.restore:load`",
            ),
            ..row(
                "2a95e0b1c8",
                "CWE-22",
                "medium",
                "a parameter of load reaches the path that open reads",
                ("desk/tools/restore.py", 12),
                None,
            )
        },
        Row {
            state: (
                "accepted",
                "accepted until 2027-02-01 by the owner of the archive: reachable only from the depot network",
            ),
            ..row(
                "b7740f9e13",
                "CWE-22",
                "medium",
                "form field path reaches the path that open reads",
                ("desk/admin/export.py", 71),
                Some("POST /admin/export"),
            )
        },
        Row {
            state: (
                "closed",
                "fixed in change 412; the same attack failed three of three times on the merged revision",
            ),
            proof: ("proven", "a secret from a planted file came back"),
            commit: 17,
            ..row(
                "d15c8b20a9",
                "CWE-22",
                "critical",
                "query parameter doc reaches the path that open reads",
                ("desk/docs/view.py", 33),
                Some("GET /docs"),
            )
        },
        Row {
            state: (
                "gone",
                "gone from the source: no call of this kind is left in `desk.legacy`",
            ),
            commit: 19,
            ..row(
                "46ef013da7",
                "CWE-89",
                "high",
                "query parameter id reaches the SQL text of sqlite3.Connection.execute",
                ("desk/legacy/lookup.py", 20),
                None,
            )
        },
    ]
}

/// What only scanners of patterns report: rule, weakness, severity, title, verdict, why.
const PATTERNS: [(&str, &str, &str, &str, &str, &str, &str); 6] = [
    (
        "bandit",
        "B303",
        "CWE-327",
        "medium",
        "use of insecure MD5 hash function",
        "not_judged",
        "CWE-327 is not modelled yet",
    ),
    (
        "bandit",
        "B105",
        "CWE-259",
        "low",
        "possible hardcoded password",
        "not_judged",
        "CWE-259 is not modelled yet",
    ),
    (
        "semgrep",
        "python.requests.best-practice.use-timeout",
        "",
        "low",
        "`requests` call without a timeout",
        "not_judged",
        "the rule names no weakness",
    ),
    (
        "bandit",
        "B608",
        "CWE-89",
        "medium",
        "possible SQL injection vector through string-based query construction",
        "no_path",
        "every piece of the statement is constant",
    ),
    (
        "semgrep",
        "python.lang.security.audit.subprocess-shell-true",
        "CWE-78",
        "high",
        "`subprocess` call with shell=True",
        "no_path",
        "the command is constant",
    ),
    (
        "semgrep",
        "javascript.browser.security.insecure-document-method",
        "CWE-79",
        "high",
        "user controlled data in `innerHTML`",
        "not_judged",
        "JavaScript is not modelled yet",
    ),
];

fn fingerprint(id: &str) -> String {
    format!("{id}{}", "0".repeat(54))
}

pub fn findings() -> Vec<DebtFinding> {
    let own = rows().into_iter().map(|r| {
        let introduced = Introduced {
            commit: commit_id(r.commit),
            when_ms: NOW - (r.commit as i64 * 15 + 2) * DAY,
            or_earlier: r.commit == 20,
            attribution: written(r.commit),
        };
        let mut reports = vec![ToolReport {
            tool: "solvent".to_owned(),
            rule: r.weakness.to_owned(),
            run: None,
            place: place(r.at.0, r.at.1),
            joined_because: None,
            joined_how: None,
            identity: None,
            suppressed: None,
        }];
        reports.extend(r.also.iter().map(|(tool, rule, why)| ToolReport {
            tool: (*tool).to_owned(),
            rule: (*rule).to_owned(),
            run: Some(format!("run-{tool}")),
            place: place(r.at.0, r.at.1),
            joined_because: Some((*why).to_owned()),
            joined_how: Some("same_line".to_owned()),
            identity: None,
            suppressed: None,
        }));
        DebtFinding {
            id: r.id.to_owned(),
            fingerprint: fingerprint(r.id),
            weakness: r.weakness.to_owned(),
            severity: r.severity.to_owned(),
            title: r.title.to_owned(),
            place: place(r.at.0, r.at.1),
            entry: r.entry.map(str::to_owned),
            reports,
            verdict: verdict(r.verdict),
            proof: match r.proof {
                ("", why) => Unknown(why.to_owned()),
                (outcome, text) => Known(DebtProof {
                    outcome: outcome.to_owned(),
                    text: text.to_owned(),
                    replays_shown: if outcome == "proven" { 3 } else { 0 },
                    replays_run: if outcome == "proven" { 3 } else { 0 },
                    capsule: (outcome == "proven").then(|| format!("sha256:{}", "ab".repeat(32))),
                }),
            },
            state: DebtState {
                word: r.state.0.to_owned(),
                code: match r.state.0 {
                    "open" => String::new(),
                    "accepted" => "accepted".to_owned(),
                    _ => "verified_fix".to_owned(),
                },
                reason: r.state.1.to_owned(),
                since_ms: (r.state.0 != "open").then_some(NOW - 20 * DAY),
                evidence: vec![evidence::commit(&commit_id(1))],
            },
            introduced: Known(introduced),
        }
    });
    let patterns = (0..30_usize).map(|n| {
        let (tool, rule, weakness, severity, title, word, why) = PATTERNS[n % 6];
        let id = format!("{:010x}", 0x51d0_77aa_u64 + n as u64 * 0x3_1f4b_9d71);
        let at = place(
            [
                "desk/util/cache.py",
                "desk/clients/rates.py",
                "static/map.js",
            ][n % 3],
            12 + n as u32 * 9,
        );
        DebtFinding {
            fingerprint: fingerprint(&id),
            id,
            weakness: weakness.to_owned(),
            severity: severity.to_owned(),
            title: title.to_owned(),
            place: at.clone(),
            entry: None,
            reports: vec![ToolReport {
                tool: tool.to_owned(),
                rule: rule.to_owned(),
                run: Some(format!("run-{tool}")),
                place: at,
                joined_because: None,
                joined_how: None,
                identity: None,
                suppressed: None,
            }],
            verdict: verdict((word, why)),
            proof: Unknown("only findings of our own analysis are attacked".to_owned()),
            state: DebtState {
                word: "open".to_owned(),
                code: String::new(),
                reason: String::new(),
                since_ms: None,
                evidence: Vec::new(),
            },
            introduced: if n % 4 == 0 {
                Unknown("the line is older than the history that was fetched".to_owned())
            } else {
                Known(Introduced {
                    commit: commit_id(n % 24),
                    when_ms: NOW - ((n % 24) as i64 * 15 + 2) * DAY,
                    or_earlier: false,
                    attribution: written(n % 24),
                })
            },
        }
    });
    own.chain(quieter()).chain(patterns).collect()
}

/// Own findings that nobody attacked: two of three are undecided.
fn quieter() -> impl Iterator<Item = DebtFinding> {
    const KINDS: [(&str, &str); 3] = [
        (
            "CWE-89",
            "an input may reach the SQL text of psycopg.Cursor.execute",
        ),
        ("CWE-22", "an input may reach the path that open reads"),
        (
            "CWE-22",
            "query parameter page reaches the path that open reads",
        ),
    ];
    (0..18_usize).map(|n| {
        let (weakness, title) = KINDS[n % 3];
        let id = format!("{:010x}", 0x7a_11d0_44c2_u64 + n as u64 * 0x1_1f4b_9d35);
        let at = place(
            ["desk/reports/weekly.py", "desk/archive/pages.py"][n % 2],
            40 + n as u32 * 17,
        );
        DebtFinding {
            fingerprint: fingerprint(&id),
            id,
            weakness: weakness.to_owned(),
            severity: "medium".to_owned(),
            title: title.to_owned(),
            place: at.clone(),
            entry: None,
            reports: vec![ToolReport {
                tool: "solvent".to_owned(),
                rule: weakness.to_owned(),
                run: None,
                place: at,
                joined_because: None,
                joined_how: None,
                identity: None,
                suppressed: None,
            }],
            verdict: if n % 3 == 2 {
                verdict(("reachable", ""))
            } else {
                verdict(("undecided", "`self.source` could not be resolved"))
            },
            proof: Unknown(
                "the application needs a message broker that its recipe does not name".to_owned(),
            ),
            state: DebtState {
                word: "open".to_owned(),
                code: String::new(),
                reason: String::new(),
                since_ms: None,
                evidence: Vec::new(),
            },
            introduced: Known(Introduced {
                commit: commit_id(22),
                when_ms: NOW - 332 * DAY,
                or_earlier: true,
                attribution: written(22),
            }),
        }
    })
}

fn verdict((word, why): (&str, &str)) -> VerdictView {
    VerdictView {
        word: word.to_owned(),
        reasons: if why.is_empty() {
            Vec::new()
        } else {
            vec![ReasonView {
                code: "reason".to_owned(),
                text: why.to_owned(),
                place: None,
            }]
        },
    }
}
