//! Proofs against real programs in the real sandbox, each flaw beside its silent twin.
//!
//! Without the usual harness: the sandbox re-executes this program, so `main` must begin with its hook.

#![expect(clippy::print_stdout, reason = "this program is its own test harness")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use solvent_base::{FilePath, Location, Span};
use solvent_finding::{
    Carrier, EntryKind, EntryPoint, InconclusiveReason, Input, Outcome, RouteSegment, Symbol,
    WeaknessId,
};
use solvent_protocol::capsule;
use solvent_prove::{
    Attack, Campaign, CaseResult, Options, PrepareError, Prepared, fetch_source, infer, prepare,
    prove, replay,
};
use solvent_sandbox::{Launcher, NativeSandbox, Tier, probe};

const APP: &str = include_str!("app.py");
const SPELLED: &str = include_str!("spelled.py");

/// A name and what runs with the shared cache.
type Test = (&'static str, fn(&Path));

const TESTS: [Test; 12] = [
    (
        "every_flaw_is_proven_and_every_repaired_twin_stays_silent",
        flaws_and_twins,
    ),
    ("a_login_opens_what_nobody_reaches", behind_a_login),
    (
        "a_capsule_replays_and_a_repair_silences_it",
        capsules_replay,
    ),
    ("nested_json_reaches_the_sink", nested_json),
    (
        "what_a_program_spells_out_fills_inputs_without_a_name",
        spelled_out,
    ),
    (
        "the_flaw_after_thousands_of_attacks_is_still_proven",
        thousands_of_attacks,
    ),
    (
        "a_target_that_hangs_or_dies_is_inconclusive",
        hangs_and_deaths,
    ),
    ("a_target_that_never_serves_says_why", bad_starts),
    ("a_setup_that_fails_says_which", bad_setup),
    (
        "dependencies_that_do_not_exist_say_what_to_do",
        bad_dependencies,
    ),
    ("the_source_of_a_release_is_fetched", released_source),
    (
        "an_archive_cannot_write_outside_its_folder",
        hostile_archives,
    ),
];

fn main() {
    solvent_sandbox::reexec_hook();
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let report = probe(&Launcher::current());
    if report.tier != Tier::Native {
        println!(
            "unmeasured: proofs against real programs: {}",
            report.hints.join("; ")
        );
        return;
    }
    // One cache for all, so that the environment is made once.
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut failed = 0;
    for (name, test) in TESTS {
        if !filters.is_empty() && !filters.iter().any(|f| name.contains(f.as_str())) {
            continue;
        }
        let path = cache.path().to_owned();
        let ok = std::panic::catch_unwind(move || test(&path)).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        failed += u32::from(!ok);
    }
    if failed > 0 {
        println!("{failed} failed");
        std::process::exit(101);
    }
}

fn sandbox() -> NativeSandbox {
    NativeSandbox::new(Launcher::current())
}

/// A repository with these files; nothing to install.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        fs::write(dir.path().join(path), text).expect("written");
    }
    dir
}

fn prepared(dir: &Path, cache: &Path) -> Result<Prepared, PrepareError> {
    let recipe = infer(dir, &[]).expect("a recipe");
    prepare(&recipe, dir, cache, &sandbox(), &mut |_| {})
}

fn ready(files: &[(&str, &str)], cache: &Path) -> (tempfile::TempDir, Prepared) {
    let dir = repository(files);
    let prepared = prepared(dir.path(), cache).unwrap_or_else(|e| panic!("{e}: {e:?}"));
    (dir, prepared)
}

fn entry(method: &str, route: &str, carrier: Carrier, name: &str) -> EntryPoint {
    EntryPoint {
        kind: EntryKind::Http,
        framework: "http.server".into(),
        methods: vec![method.into()],
        route: route.into(),
        segments: vec![RouteSegment::Literal(route.into())],
        handler: Symbol {
            module: "app".into(),
            qualname: "Handler".into(),
        },
        location: Location {
            path: FilePath::new("app.py").expect("a path"),
            span: Span::default(),
            line: 1,
            column: 1,
        },
        inputs: vec![(
            Input {
                carrier,
                name: name.into(),
            },
            Vec::new(),
        )],
        auth: Vec::new(),
        assumed: None,
    }
}

fn options() -> Options {
    let mut options = Options::ordinary(7);
    options.answer_timeout = Duration::from_secs(2);
    options
}

fn campaign(prepared: &Prepared, routes: &[&str], weakness: &str) -> Campaign {
    let entries: Vec<EntryPoint> = routes
        .iter()
        .map(|route| entry("GET", route, Carrier::Query, "q"))
        .collect();
    attack(prepared, &entries, weakness)
}

fn attack(prepared: &Prepared, entries: &[EntryPoint], weakness: &str) -> Campaign {
    let weaknesses = [WeaknessId(weakness.into())];
    let attack = Attack::IgnoreVerdicts {
        entries,
        weaknesses: &weaknesses,
    };
    prove(&attack, prepared, &sandbox(), &options(), &mut |_| {})
}

/// `route: oracle` or `route: outcome`.
fn summary(campaign: &Campaign) -> Vec<String> {
    let word = |case: &CaseResult| match &case.proof {
        Some(proof) => proof.oracle.clone(),
        None => case.outcome.word().to_owned(),
    };
    campaign
        .cases
        .iter()
        .map(|case| format!("{}: {}", case.entry, word(case)))
        .collect()
}

fn flaws_and_twins(cache: &Path) {
    let (_dir, prepared) = ready(&[("app.py", APP)], cache);
    let commands = campaign(
        &prepared,
        &[
            "/shell",
            "/shell-quoted",
            "/shell-safe",
            "/argv-safe",
            "/echo",
        ],
        "CWE-78",
    );
    assert_eq!(
        summary(&commands),
        [
            "GET /shell: canary-program",
            "GET /shell-quoted: canary-program",
            "GET /shell-safe: not_reproduced",
            "GET /argv-safe: not_reproduced",
            "GET /echo: not_reproduced",
        ]
    );
    let paths = campaign(
        &prepared,
        &[
            "/read",
            "/exists",
            "/write",
            "/read-safe",
            "/read-checked",
            "/exists-safe",
            "/write-safe",
            "/listing",
            "/echo",
        ],
        "CWE-22",
    );
    assert_eq!(
        summary(&paths),
        [
            "GET /read: planted-secret",
            "GET /exists: existence-bits",
            "GET /write: planted-write",
            "GET /read-safe: not_reproduced",
            "GET /read-checked: not_reproduced",
            "GET /exists-safe: not_reproduced",
            "GET /write-safe: not_reproduced",
            "GET /listing: not_reproduced",
            "GET /echo: not_reproduced",
        ]
    );
    assert!(
        paths.luck_log2.is_some_and(|luck| luck <= -20),
        "{:?}",
        paths.luck_log2
    );
    let sql = campaign(
        &prepared,
        &[
            "/sql",
            "/sql-number",
            "/sql-insert",
            "/sql-safe",
            "/sql-escaped",
            "/sql-digits",
            "/sql-words",
            "/echo",
        ],
        "CWE-89",
    );
    assert_eq!(
        summary(&sql),
        [
            "GET /sql: sql-structure",
            "GET /sql-number: sql-structure",
            "GET /sql-insert: sql-structure",
            "GET /sql-safe: not_reproduced",
            "GET /sql-escaped: not_reproduced",
            "GET /sql-digits: not_reproduced",
            "GET /sql-words: not_reproduced",
            "GET /echo: not_reproduced",
        ]
    );
    for case in commands.cases.iter().chain(&paths.cases).chain(&sql.cases) {
        assert!(case.attacks > 0, "{} was never attacked", case.entry);
        if let Some(proof) = &case.proof {
            assert_eq!((proof.replays_shown, proof.replays_run), (3, 3));
            let told = format!("{:?} {:?}", proof.evidence, proof.exchanges);
            assert!(!contains_token(&told), "{told}");
            let capsule = case.capsule.as_ref().expect("a capsule");
            let text = capsule::render(capsule);
            assert_eq!(capsule::parse(text.as_bytes()).as_ref(), Ok(capsule));
            assert!(!contains_token(&text), "{text}");
        }
    }
}

/// Whether a used token got into a text: the mark and 16 more of its letters.
fn contains_token(text: &str) -> bool {
    text.match_indices("slv").any(|(at, _)| {
        text[at + 3..]
            .bytes()
            .take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            .count()
            >= 16
    })
}

const LOGIN: &str = r#"
[login]
identity = "ann"
path = "/login"
fields = { pw = "correct horse" }
check = { cookie = "sid" }
"#;

fn behind_a_login(cache: &Path) {
    let entries = [entry("GET", "/private", Carrier::Query, "q")];
    let (_dir, open) = ready(&[("app.py", APP), ("solvent.toml", LOGIN)], cache);
    let shown = attack(&open, &entries, "CWE-89");
    assert_eq!(summary(&shown), ["GET /private: sql-structure"]);
    let case = &shown.cases[0];
    let capsule = case.capsule.as_ref().expect("a capsule");
    assert_eq!(
        (capsule.role.as_str(), capsule.tier.as_str()),
        ("ann", "P1")
    );
    assert!(!capsule::render(capsule).contains("correct horse"));
    assert!(!format!("{case:?}").contains("correct"));
    let again = replay(capsule, &open, &sandbox(), &options(), &mut |_| {});
    assert_eq!(again.outcome.word(), "proven", "{}", again.reason);
    let wrong = LOGIN.replace("correct horse", "wrong");
    let (_dir, shut) = ready(&[("app.py", APP), ("solvent.toml", &wrong)], cache);
    let case = &attack(&shut, &entries, "CWE-89").cases[0];
    assert_ne!(case.outcome.word(), "proven");
    let again = replay(capsule, &shut, &sandbox(), &options(), &mut |_| {});
    assert_eq!(again.outcome.word(), "inconclusive", "{}", again.reason);
}

fn capsules_replay(cache: &Path) {
    let (_dir, broken) = ready(&[("app.py", APP)], cache);
    let (_dir, fixed) = ready(&[("app.py", APP), ("fixed", "")], cache);
    let gone = APP
        .replace("\"/shell\": shell,", "")
        .replace("\"/shell\": shell_safe, ", "");
    let (_dir, gone) = ready(&[("app.py", &gone)], cache);
    for (weakness, route) in [
        ("CWE-78", "/shell"),
        ("CWE-22", "/read"),
        ("CWE-89", "/sql"),
    ] {
        let shown = campaign(&broken, &[route], weakness);
        let capsule = shown.cases[0]
            .capsule
            .clone()
            .unwrap_or_else(|| panic!("{:?}", shown.cases));
        let again = replay(&capsule, &broken, &sandbox(), &options(), &mut |_| {});
        assert_eq!(
            (again.outcome.word(), again.replays_shown),
            ("proven", 3),
            "{}",
            again.reason
        );
        let silent = replay(&capsule, &fixed, &sandbox(), &options(), &mut |_| {});
        assert_eq!(silent.outcome.word(), "not_reproduced", "{}", silent.reason);
        assert_eq!(
            summary(&campaign(&fixed, &[route], weakness)),
            [format!("GET {route}: not_reproduced")]
        );
        if route == "/shell" {
            // A route that is gone is not a repair.
            let missing = replay(&capsule, &gone, &sandbox(), &options(), &mut |_| {});
            assert_eq!(missing.outcome.word(), "inconclusive", "{}", missing.reason);
        }
    }
}

fn nested_json(cache: &Path) {
    let (_dir, prepared) = ready(&[("app.py", APP)], cache);
    let entries = [
        entry("POST", "/shell", Carrier::Json, "in.q"),
        entry("POST", "/sql", Carrier::Form, "q"),
    ];
    assert_eq!(
        summary(&attack(&prepared, &entries[..1], "CWE-78")),
        ["POST /shell: canary-program"]
    );
    assert_eq!(
        summary(&attack(&prepared, &entries[1..], "CWE-89")),
        ["POST /sql: sql-structure"]
    );
}

fn spelled_out(cache: &Path) {
    let (_dir, prepared) = ready(&[("app.py", SPELLED)], cache);
    let nameless = |route: &str, carrier: Carrier, constants: &[&str]| {
        let mut entry = entry("GET", route, carrier, "");
        entry.inputs[0].1 = constants.iter().map(|text| (*text).to_owned()).collect();
        entry
    };
    let searched = nameless("/searched", Carrier::RawQuery, &["&", "cmd="]);
    let searched_safe = nameless("/searched-safe", Carrier::RawQuery, &["&", "cmd="]);
    let by_value = nameless("/by-value", Carrier::QueryName, &["other", "run me"]);
    // A body with GET is read here, and a proof that needs one is of the lower tier.
    let mut repeated = entry("GET", "/repeated", Carrier::Form, "password");
    repeated.inputs.push((
        Input {
            carrier: Carrier::Form,
            name: "password_again".into(),
        },
        Vec::new(),
    ));
    let campaign = attack(
        &prepared,
        &[searched, searched_safe, by_value, repeated],
        "CWE-78",
    );
    assert_eq!(
        summary(&campaign),
        [
            "GET /searched: canary-program",
            "GET /searched-safe: not_reproduced",
            "GET /by-value: canary-program",
            "GET /repeated: canary-program",
        ]
    );
    let tier = |at: usize| campaign.cases[at].outcome.clone();
    assert_eq!(
        tier(2),
        Outcome::Proven {
            tier: solvent_finding::Tier::P0
        }
    );
    assert_eq!(
        tier(3),
        Outcome::Proven {
            tier: solvent_finding::Tier::P1
        }
    );
}

fn thousands_of_attacks(cache: &Path) {
    let (_dir, prepared) = ready(&[("app.py", APP)], cache);
    let mut routes = vec!["/shell-safe"; 150];
    routes.push("/shell");
    let campaign = campaign(&prepared, &routes, "CWE-78");
    let attacks: u64 = campaign.cases.iter().map(|case| case.attacks).sum();
    // More names than the folder of canaries has room for at once.
    assert!(attacks > 4096, "{attacks}");
    let (last, others) = campaign.cases.split_last().expect("cases");
    assert!(
        others
            .iter()
            .all(|case| case.outcome.word() == "not_reproduced")
    );
    assert_eq!(last.outcome.word(), "proven", "{last:?}");
}

fn hangs_and_deaths(cache: &Path) {
    let (_dir, prepared) = ready(&[("app.py", APP)], cache);
    let mut options = options();
    options.answer_timeout = Duration::from_millis(300);
    options.requests_per_case = 6;
    let entries = ["/hang", "/die", "/shell"].map(|route| entry("GET", route, Carrier::Query, "q"));
    let weaknesses = [WeaknessId("CWE-78".into())];
    let attack = Attack::IgnoreVerdicts {
        entries: &entries,
        weaknesses: &weaknesses,
    };
    let campaign = prove(&attack, &prepared, &sandbox(), &options, &mut |_| {});
    let outcome = |at: usize| &campaign.cases[at].outcome;
    assert!(
        matches!(
            outcome(0),
            Outcome::Inconclusive {
                reason: InconclusiveReason::Budget(_)
            }
        ),
        "{:?}",
        outcome(0)
    );
    assert!(
        matches!(
            outcome(1),
            Outcome::Inconclusive {
                reason: InconclusiveReason::TargetDied(_)
            }
        ),
        "{:?}",
        outcome(1)
    );
    // What an attack on one route broke does not spoil the next.
    assert_eq!(outcome(2).word(), "proven", "{:?}", campaign.cases[2]);
}

fn bad_starts(cache: &Path) {
    let serve = "import http.server\nif __name__ == '__main__':\n";
    let cases = [
        (
            "ends at once",
            format!("{serve}    raise SystemExit('serve_forever is not for me')\n"),
            "ended with code 1",
        ),
        (
            "never answers",
            format!("{serve}    import time  # serve_forever\n    time.sleep(1000)\n"),
            "no good answer in time",
        ),
        (
            "listens and is silent",
            format!(
                "{serve}    import socket, time  # serve_forever\n    s = socket.create_server(('127.0.0.1', 5000))\n    time.sleep(1000)\n"
            ),
            "no good answer in time",
        ),
        (
            "forks without end",
            format!(
                "{serve}    import os, time  # serve_forever\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            time.sleep(0.1)\n"
            ),
            "",
        ),
        (
            "fills its disk and ignores the end",
            format!(
                "{serve}    import signal, time  # serve_forever\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    with open('big', 'wb') as f:\n        while True:\n            f.write(b'x' * 1048576)\n"
            ),
            "",
        ),
    ];
    for (what, app, said) in cases {
        let (_dir, prepared) = ready(
            &[
                ("app.py", &app),
                (
                    "solvent.toml",
                    "[target.start]\nscript = \"app.py\"\ntimeout = 3\n",
                ),
            ],
            cache,
        );
        let campaign = campaign(&prepared, &["/"], "CWE-78");
        match &campaign.cases[0].outcome {
            Outcome::Inconclusive {
                reason: InconclusiveReason::StartFailed(words),
            } => {
                assert!(words.contains(said), "{what}: {words}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(
        !processes()
            .iter()
            .any(|line| line.contains("/opt/solvent/tools/launcher.py")),
        "a process was left behind"
    );
}

/// Command lines of the processes of this machine that descend from this test.
fn processes() -> Vec<String> {
    let own = std::process::id().to_string();
    let mut out = Vec::new();
    for entry in fs::read_dir("/proc").expect("proc").flatten() {
        let place: PathBuf = entry.path();
        let Ok(stat) = fs::read_to_string(place.join("stat")) else {
            continue;
        };
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1).map(str::to_owned));
        if parent.as_deref() == Some(own.as_str()) {
            out.push(
                fs::read_to_string(place.join("cmdline"))
                    .unwrap_or_default()
                    .replace('\0', " "),
            );
        }
    }
    out
}

fn bad_setup(cache: &Path) {
    let recipe = "[target.prepare]\nsetup = [\"python seed.py\"]\n";
    let seed = "raise SystemExit('no such table: users')\n";
    let dir = repository(&[("app.py", APP), ("seed.py", seed), ("solvent.toml", recipe)]);
    let message = prepared(dir.path(), cache)
        .expect_err("must fail")
        .to_string();
    assert!(
        message.contains("python seed.py") && message.contains("no such table"),
        "{message}"
    );
    // And one that works is run once, into the snapshot.
    let seed = "open('fixed', 'w').close()\n";
    let (_dir, prepared) = ready(
        &[("app.py", APP), ("seed.py", seed), ("solvent.toml", recipe)],
        cache,
    );
    assert_eq!(
        summary(&campaign(&prepared, &["/shell"], "CWE-78")),
        ["GET /shell: not_reproduced"]
    );
}

fn bad_dependencies(cache: &Path) {
    let recipe = "[target.prepare]\ndependencies = [\"./nowhere-to-be-found\"]\n";
    let dir = repository(&[("app.py", APP), ("solvent.toml", recipe)]);
    let message = prepared(dir.path(), cache)
        .expect_err("must fail")
        .to_string();
    assert!(
        message.contains("[target.prepare] dependencies"),
        "{message}"
    );
    let left = fs::read_dir(cache)
        .expect("the cache")
        .flatten()
        .any(|e| e.file_name().to_string_lossy().contains(".partial-"));
    assert!(!left, "a partial entry was left behind");
}

fn released_source(cache: &Path) {
    let fetch = |version: &str| {
        let into = tempfile::tempdir().expect("a temporary folder");
        let done = fetch_source(
            "flaskcode",
            version,
            into.path(),
            cache,
            &sandbox(),
            &mut |_| {},
        );
        (into, done)
    };
    let (into, done) = fetch("0.0.8");
    done.expect("fetched");
    assert!(into.path().join("setup.py").is_file());
    assert!(into.path().join("flaskcode/views.py").is_file());
    let (into, done) = fetch("0.0.999");
    let words = done.expect_err("there is no such release").to_string();
    assert!(words.contains("flaskcode==0.0.999"), "{words}");
    assert_eq!(fs::read_dir(into.path()).expect("lists").count(), 0);
}

fn hostile_archives(_: &Path) {
    const MAKE: &str = "import io, sys, tarfile\n\
        t = tarfile.open(sys.argv[1], 'w:gz')\n\
        def put(name, kind=tarfile.REGTYPE, link=''):\n\
        \x20   i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = 2 if kind == tarfile.REGTYPE else 0\n\
        \x20   t.addfile(i, io.BytesIO(b'x\\n'))\n\
        put('p-1/good/a.py'); put('p-1/../../out.py'); put('/abs/b.py'); put('p-1/link', tarfile.SYMTYPE, '/etc')\n\
        put('p-1/link/c.py'); put('p-1/hard', tarfile.LNKTYPE, '/etc/passwd'); put('p-1/pipe', tarfile.FIFOTYPE)\n\
        t.close()\n";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source, target) = (folder.path().join("in/x"), folder.path().join("in/y"));
    for place in [&source, &target] {
        fs::create_dir_all(place).expect("made");
    }
    let python = |arguments: &[&str]| {
        std::process::Command::new("python3")
            .arg("-I")
            .args(arguments)
            .output()
            .expect("python3 starts")
    };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let unpack = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/unpack.py");
    let nothing = python(&[unpack, &text(&source), &text(&target)]);
    assert!(!nothing.status.success());
    assert!(
        python(&["-c", MAKE, &text(&source.join("p-1.tar.gz"))])
            .status
            .success()
    );
    let done = python(&[unpack, &text(&source), &text(&target)]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let mut files: Vec<String> = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).expect("lists").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                files.push(text(path.strip_prefix(folder.path()).expect("below")));
            }
        }
    }
    files.sort();
    assert_eq!(
        files,
        [
            "in/x/p-1.tar.gz",
            "in/y/b.py",
            "in/y/good/a.py",
            "in/y/link/c.py"
        ]
    );
}
