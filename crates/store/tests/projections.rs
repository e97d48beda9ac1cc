//! One suite over the store in a file and in memory.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use solvent_base::{Digest, FilePath, ReadError, System, Timestamp, Walk};
use solvent_ledger::Ledger;
use solvent_protocol::record::{Actor, ActorKind, Answer, Body, DecisionNote, Item, Phase, Status};
use solvent_protocol::view::{
    Coverage, FindingView, PROVE_SCHEMA, Place, ProofView, ProveReport, REPLAY_SCHEMA,
    ReplayReport, SCAN_SCHEMA, ScanReport, SinkView, Subject, TargetView, Tool, Unmeasured,
    VerdictView,
};
use solvent_store::{Filter, LogFilter, Presence, SqliteStore, Store, StoreError, names};

struct World {
    random: AtomicU64,
    clock: AtomicI64,
}

impl World {
    fn new() -> Self {
        Self {
            random: AtomicU64::new(1),
            clock: AtomicI64::new(1_000_000),
        }
    }
}

impl System for World {
    fn walk(&self) -> Walk {
        Walk::default()
    }

    fn read(&self, _: &FilePath, _: u64) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::NotFound)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1_000, Ordering::SeqCst))
    }

    fn random(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let n = self.random.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&Digest::of(&n.to_be_bytes()).as_bytes()[..chunk.len()]);
        }
    }
}

struct Home(PathBuf);

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Home {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!(
            "solvent-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::SeqCst)
        ));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("projections.sqlite")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fingerprint(of: &str) -> String {
    Digest::of(of.as_bytes()).hex()
}

fn finding(of: &str, verdict: &str, severity: &str) -> FindingView {
    let place = Place {
        path: "shop/app.py".to_owned(),
        line: 3,
        column: 5,
    };
    FindingView {
        id: fingerprint(of)[..10].to_owned(),
        fingerprint: fingerprint(of),
        weakness: "CWE-89".to_owned(),
        severity: severity.to_owned(),
        title: of.to_owned(),
        sink: SinkView {
            kind: "sql-text".to_owned(),
            callee: "sqlite3.Cursor.execute".to_owned(),
            place,
            function: "shop.app:search".to_owned(),
            text: "cursor.execute(sql)".to_owned(),
        },
        entry: None,
        verdict: VerdictView {
            word: verdict.to_owned(),
            reasons: Vec::new(),
        },
        way: Vec::new(),
        flows: Vec::new(),
    }
}

fn subject(name: &str) -> Subject {
    Subject {
        name: name.to_owned(),
        revision: Some("1f".repeat(20)),
        dirty: false,
        tree: "t".to_owned(),
    }
}

fn tool() -> Tool {
    Tool {
        name: "solvent".to_owned(),
        version: "0".to_owned(),
        models: "m".to_owned(),
    }
}

fn scan(name: &str, findings: Vec<FindingView>) -> Vec<u8> {
    serde_json::to_vec(&ScanReport {
        schema: SCAN_SCHEMA.to_owned(),
        tool: tool(),
        subject: subject(name),
        started_ms: 0,
        duration_ms: 1,
        coverage: Coverage::default(),
        entry_points: Vec::new(),
        findings,
        unmeasured: vec![Unmeasured {
            what: "file big.py".to_owned(),
            why: "too large".to_owned(),
        }],
    })
    .unwrap()
}

fn proof(of: &str, outcome: &str) -> ProofView {
    ProofView {
        id: fingerprint(of)[..10].to_owned(),
        fingerprint: fingerprint(of),
        weakness: "CWE-89".to_owned(),
        entry: "GET /search".to_owned(),
        outcome: outcome.to_owned(),
        reason: String::new(),
        tier: "P0".to_owned(),
        oracle: "sql-structure".to_owned(),
        effect: "the statement's tokens changed".to_owned(),
        input: "query parameter q".to_owned(),
        replays_shown: 3,
        replays_run: 3,
        requests: 12,
        attacks: 4,
        seconds: 0.5,
        evidence: Vec::new(),
        capsule: (outcome == "proven").then(|| format!("hmac-sha256:{}", fingerprint(of))),
    }
}

fn prove(name: &str, proofs: Vec<ProofView>) -> Vec<u8> {
    serde_json::to_vec(&ProveReport {
        schema: PROVE_SCHEMA.to_owned(),
        tool: tool(),
        subject: subject(name),
        started_ms: 0,
        duration_ms: 1,
        target: TargetView::default(),
        proofs,
        luck_log2: None,
        unmeasured: Vec::new(),
    })
    .unwrap()
}

fn replay(name: &str, of: &str, outcome: &str) -> Vec<u8> {
    serde_json::to_vec(&ReplayReport {
        schema: REPLAY_SCHEMA.to_owned(),
        subject: subject(name),
        target: TargetView::default(),
        fingerprint: fingerprint(of),
        weakness: "CWE-89".to_owned(),
        outcome: outcome.to_owned(),
        reason: String::new(),
        oracle: "sql-structure".to_owned(),
        replays_shown: 0,
        replays_run: 3,
        requests: 6,
        seconds: 0.1,
    })
    .unwrap()
}

fn body(action: &str, answer: Answer) -> Body {
    Body {
        actor: Actor {
            id: "ana".to_owned(),
            kind: ActorKind::Human,
            on_behalf_of: None,
        },
        action: action.to_owned(),
        target: "repository shop".to_owned(),
        phase: Phase::Intent,
        inputs: Vec::new(),
        outputs: Vec::new(),
        decision: Some(DecisionNote {
            answer,
            errors: Vec::new(),
            policy: "sha256:0".to_owned(),
            rules: vec![format!("default/owner-{action}s")],
        }),
        links: Vec::new(),
    }
}

/// Records an action whose result seals these outputs.
fn did(ledger: &mut Ledger, world: &World, action: &str, outputs: &[(&str, Vec<u8>)]) -> u64 {
    let intent = ledger.append(world, body(action, Answer::Allow)).unwrap();
    let outputs = outputs
        .iter()
        .map(|(name, content)| Item {
            commitment: ledger.put_object(world, content).unwrap(),
            name: (*name).to_owned(),
        })
        .collect();
    let result = Body {
        phase: Phase::Result {
            intent,
            status: Status::Done,
        },
        outputs,
        decision: None,
        ..body(action, Answer::Allow)
    };
    ledger.append(world, result).unwrap()
}

/// A story: two scans, a campaign, a replay, a refusal, an action that was cut off.
fn story(home: &Home) -> (Ledger, World) {
    let world = World::new();
    let mut ledger = Ledger::create(&home.0.join("ledger"), &world).unwrap();
    did(
        &mut ledger,
        &world,
        "scan",
        &[(
            names::SCAN_REPORT,
            scan(
                "shop",
                vec![
                    finding("search", "reachable", "high"),
                    finding("login", "reachable", "critical"),
                    finding("export", "undecided", "medium"),
                    finding("dead", "no_path", "high"),
                ],
            ),
        )],
    );
    did(
        &mut ledger,
        &world,
        "prove",
        &[
            (
                names::PROVE_REPORT,
                prove(
                    "shop",
                    vec![proof("search", "proven"), proof("login", "not_reproduced")],
                ),
            ),
            ("capsule", b"sealed".to_vec()),
        ],
    );
    ledger
        .append(&world, body("open-capsule", Answer::Refuse))
        .unwrap();
    did(
        &mut ledger,
        &world,
        "scan",
        &[(
            names::SCAN_REPORT,
            scan(
                "shop",
                vec![
                    finding("search", "reachable", "high"),
                    finding("export", "reachable", "medium"),
                    finding("dead", "no_path", "high"),
                ],
            ),
        )],
    );
    did(
        &mut ledger,
        &world,
        "replay",
        &[(
            names::REPLAY_REPORT,
            replay("shop", "search", "not_reproduced"),
        )],
    );
    ledger.append(&world, body("prove", Answer::Allow)).unwrap();
    (ledger, world)
}

/// Runs a check on the store in a file and on the store in memory.
fn with_both(check: impl Fn(&mut dyn Store, &Ledger)) {
    let home = Home::new();
    let (ledger, _) = story(&home);
    check(
        &mut SqliteStore::open(&home.database(), &ledger).unwrap(),
        &ledger,
    );
    check(&mut SqliteStore::in_memory(&ledger).unwrap(), &ledger);
}

#[test]
fn the_funnel_counts_the_newest_scan_and_what_was_attacked() {
    with_both(|store, _| {
        let status = store.status(None).unwrap();
        assert_eq!(status.subject.as_ref().unwrap().name, "shop");
        assert_eq!(
            (
                status.found,
                status.reachable,
                status.undecided,
                status.no_path
            ),
            (3, 2, 0, 1)
        );
        assert_eq!(
            (status.proven, status.not_reproduced, status.inconclusive),
            (1, 0, 0)
        );
        assert_eq!(status.not_attempted, 1);
        assert!(status.scanned_ms > status.proved_ms);
        assert_eq!(status.unmeasured.len(), 1);
        assert_eq!(store.status(Some("other")).unwrap().subject, None);
    });
}

#[test]
fn findings_are_filtered_and_keep_the_scans_order() {
    with_both(|store, _| {
        let titles = |store: &mut dyn Store, filter: &Filter| -> Vec<String> {
            store
                .findings(filter)
                .unwrap()
                .findings
                .into_iter()
                .map(|f| f.finding.title)
                .collect()
        };
        let all = Filter::present();
        assert_eq!(titles(store, &all), ["search", "export", "dead"]);
        let ever = Filter {
            presence: Presence::Ever,
            ..all.clone()
        };
        assert_eq!(titles(store, &ever), ["search", "export", "dead", "login"]);
        let proven = Filter {
            outcome: Some("proven".to_owned()),
            ..all.clone()
        };
        assert_eq!(titles(store, &proven), ["search"]);
        let open = Filter {
            outcome: Some("not_attempted".to_owned()),
            ..all.clone()
        };
        assert_eq!(titles(store, &open), ["export", "dead"]);
        let high = Filter {
            severity: Some("high".to_owned()),
            ..ever.clone()
        };
        assert_eq!(titles(store, &high), ["search", "dead", "login"]);
        let reachable = Filter {
            verdict: Some("reachable".to_owned()),
            ..all.clone()
        };
        assert_eq!(titles(store, &reachable), ["search", "export"]);
        let other = Filter {
            weakness: Some("CWE-78".to_owned()),
            ..all
        };
        assert_eq!(titles(store, &other), Vec::<String>::new());
    });
}

#[test]
fn one_finding_is_shown_with_everything_that_happened_to_it() {
    with_both(|store, _| {
        let id = &fingerprint("search")[..10];
        let show = store.show(None, id).unwrap();
        assert_eq!(show.state.proof.as_ref().unwrap().outcome, "proven");
        assert_eq!(show.records, [1, 3, 6, 8]);
        assert!(show.state.present && show.state.first_seen_ms < show.state.last_seen_ms);
        let changes: Vec<(u64, String, String)> = store
            .history(None, id)
            .unwrap()
            .into_iter()
            .map(|c| (c.index, c.what, c.word))
            .collect();
        let expected = [
            (1, "seen", "reachable"),
            (3, "outcome", "proven"),
            (8, "replay", "not_reproduced"),
        ];
        assert_eq!(
            changes,
            expected.map(|(i, a, b)| (i, a.to_owned(), b.to_owned()))
        );
        let gone = store.show(None, &fingerprint("login")).unwrap();
        assert!(!gone.state.present);
        let verdict = store.history(None, &fingerprint("export")).unwrap();
        assert_eq!(verdict[1].what, "verdict");
        for wrong in ["", "%", "zz", "ffffffffff"] {
            assert!(
                matches!(store.show(None, wrong), Err(StoreError::NoFinding(_))),
                "{wrong}"
            );
        }
    });
}

#[test]
fn the_log_says_who_did_what_and_what_was_refused() {
    with_both(|store, _| {
        let filter = LogFilter {
            action: None,
            actor: None,
            from: 0,
            last: 100,
        };
        let log = store.log(&filter).unwrap().entries;
        assert_eq!(log.len(), 10);
        assert_eq!(
            (log[0].phase.as_str(), log[0].note.as_str()),
            ("intent", "allowed by default/owner-scans")
        );
        assert_eq!(log[1].note, "4 findings, 2 reachable");
        assert_eq!(log[3].note, "1 of 2 proven");
        assert_eq!(
            (log[4].status.as_str(), log[4].actor.as_str()),
            ("refused", "human:ana")
        );
        let newest = store
            .log(&LogFilter {
                last: 2,
                ..filter.clone()
            })
            .unwrap()
            .entries;
        assert_eq!(newest.iter().map(|e| e.index).collect::<Vec<_>>(), [8, 9]);
        let scans = LogFilter {
            action: Some("scan".to_owned()),
            ..filter
        };
        assert_eq!(store.log(&scans).unwrap().entries.len(), 4);
        assert_eq!(store.open_runs().unwrap(), [9]);
    });
}

#[test]
fn the_newest_reports_are_given_back_whole() {
    with_both(|store, _| {
        assert_eq!(store.latest_scan(None).unwrap().unwrap().findings.len(), 3);
        assert_eq!(store.latest_prove(None).unwrap().unwrap().proofs.len(), 2);
        assert_eq!(store.latest_prove(Some("other")).unwrap(), None);
    });
}

#[test]
fn folding_one_by_one_gives_what_a_rebuild_gives() {
    let home = Home::new();
    let world = World::new();
    let mut ledger = Ledger::create(&home.0.join("ledger"), &world).unwrap();
    let mut file = SqliteStore::open(&home.database(), &ledger).unwrap();
    let (source, _) = {
        let other = Home::new();
        let (source, world) = story(&other);
        // The story's records, replayed into this ledger one at a time.
        for record in source.entries(0..source.size()) {
            let mut body = record.unwrap().body;
            for item in &mut body.outputs {
                let content = source.get_object(item.commitment).unwrap();
                item.commitment = ledger.put_object(&world, &content).unwrap();
            }
            let index = ledger.append(&world, body).unwrap();
            let record = ledger.record(index).unwrap();
            file.apply(&ledger, &record).unwrap();
        }
        (source.size(), other)
    };
    assert_eq!(ledger.size(), source);
    let folded = file.dump().unwrap();
    assert!(folded.contains("export") && folded.lines().count() > 30);
    assert_eq!(file.rebuild(&ledger).unwrap(), ledger.size());
    assert_eq!(file.dump().unwrap(), folded, "rebuilt in the file");
    assert_eq!(
        SqliteStore::in_memory(&ledger).unwrap().dump().unwrap(),
        folded,
        "in memory"
    );
    drop(file);
    assert_eq!(
        SqliteStore::open(&home.database(), &ledger)
            .unwrap()
            .dump()
            .unwrap(),
        folded,
        "reopened"
    );
}

#[test]
fn records_are_folded_in_order_or_not_at_all() {
    let home = Home::new();
    let (mut ledger, world) = story(&home);
    let mut store = SqliteStore::in_memory(&ledger).unwrap();
    let before = store.dump().unwrap();
    let old = ledger.record(3).unwrap();
    assert!(matches!(
        store.apply(&ledger, &old),
        Err(StoreError::OutOfOrder {
            expected: 10,
            got: 3
        })
    ));
    assert_eq!(store.dump().unwrap(), before);
    did(&mut ledger, &world, "rebuild", &[]);
    assert_eq!(store.catch_up(&ledger).unwrap(), 2);
    assert_eq!(store.catch_up(&ledger).unwrap(), 0);
}

#[test]
fn a_report_that_cannot_be_read_is_a_gap_and_not_silence() {
    let home = Home::new();
    let world = World::new();
    let mut ledger = Ledger::create(&home.0.join("ledger"), &world).unwrap();
    let good = scan("shop", vec![finding("a", "reachable", "high")]);
    let newer = String::from_utf8(good.clone())
        .unwrap()
        .replace(SCAN_SCHEMA, "solvent.scan/v9");
    did(&mut ledger, &world, "scan", &[(names::SCAN_REPORT, good)]);
    did(
        &mut ledger,
        &world,
        "scan",
        &[(names::SCAN_REPORT, newer.into_bytes())],
    );
    did(
        &mut ledger,
        &world,
        "prove",
        &[(names::PROVE_REPORT, b"{\"schema\":".to_vec())],
    );
    let lost = did(
        &mut ledger,
        &world,
        "scan",
        &[(names::SCAN_REPORT, scan("shop", vec![]))],
    );
    let name = ledger.record(lost).unwrap().body.outputs[0]
        .commitment
        .0
        .hex();
    fs::remove_file(
        home.0
            .join("ledger/keys/wrapped")
            .join(&name[..2])
            .join(&name),
    )
    .unwrap();
    let status = SqliteStore::in_memory(&ledger)
        .unwrap()
        .status(None)
        .unwrap();
    assert_eq!(status.found, 1);
    let gaps: Vec<&str> = status.unmeasured.iter().map(|u| u.what.as_str()).collect();
    assert_eq!(
        gaps,
        [
            "scan-report of record 3",
            "prove-report of record 5",
            "scan-report of record 7",
            "file big.py"
        ]
    );
}

#[test]
fn a_database_that_is_not_ours_is_replaced_and_not_trusted() {
    let home = Home::new();
    let (ledger, world) = story(&home);
    let expected = SqliteStore::open(&home.database(), &ledger)
        .unwrap()
        .dump()
        .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        fs::metadata(home.database()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let whole = fs::read(home.database()).unwrap();
    type Spoil<'a> = (&'a str, &'a dyn Fn(&Path));
    let spoil: [Spoil<'_>; 7] = [
        ("cut in half", &|path| {
            fs::write(path, &whole[..whole.len() / 2]).unwrap()
        }),
        ("cut at a page", &|path| {
            fs::write(path, &whole[..4096]).unwrap()
        }),
        ("empty", &|path| fs::write(path, b"").unwrap()),
        ("text", &|path| {
            fs::write(path, b"hello, this is not a database at all").unwrap()
        }),
        ("scrambled", &|path| {
            let mut bytes = whole.clone();
            for at in (5_000..bytes.len()).step_by(97) {
                bytes[at] ^= 0x55;
            }
            fs::write(path, bytes).unwrap();
        }),
        ("newer", &|path| {
            fs::write(path, &whole).unwrap();
            sql(
                path,
                "UPDATE meta SET value = '99 sha256:ff' WHERE key = 'version'",
            );
        }),
        ("of another ledger", &|path| {
            fs::write(path, &whole).unwrap();
            sql(
                path,
                "UPDATE meta SET value = 'sha256:00' WHERE key = 'last'",
            );
        }),
    ];
    for (name, spoil) in spoil {
        spoil(&home.database());
        let mut store = SqliteStore::open(&home.database(), &ledger).unwrap();
        assert_eq!(store.dump().unwrap(), expected, "{name}");
    }
    // A ledger put back to an earlier copy has fewer records than the tables know.
    let other = Home::new();
    let mut fresh = Ledger::create(&other.0.join("ledger"), &world).unwrap();
    did(
        &mut fresh,
        &world,
        "scan",
        &[(names::SCAN_REPORT, scan("tiny", vec![]))],
    );
    let mut store = SqliteStore::open(&home.database(), &fresh).unwrap();
    assert_eq!(store.folded().unwrap(), 2);
    assert_eq!(store.status(None).unwrap().subject.unwrap().name, "tiny");
}

fn sql(path: &Path, statement: &'static str) {
    use sqlx::Connection as _;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
}
