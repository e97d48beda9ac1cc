//! Applications that misbehave while they are attacked: an outcome with its reason, and nothing left
//! behind. They run on the standard library alone, so no package has to be fetched.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Ran, Repo, TINY_APP, solvent};

const RECIPE: &str = r#"
[target.start]
command = ["python", "app.py"]
port = 8099
timeout = 20
"#;

fn prove(app: &str, recipe: &str) -> Ran {
    Repo::with(&[("app.py", app), ("solvent.toml", recipe)]).run(&["prove", "--json"])
}

fn broken(prelude: &str) -> String {
    format!("{prelude}\n{TINY_APP}")
}

#[test]
fn a_command_injection_in_a_plain_server_is_proven() {
    let ran = prove(TINY_APP, RECIPE).expect(1);
    let report = ran.json();
    assert_eq!(report["proofs"][0]["outcome"], "proven", "{report}");
    assert_eq!(report["proofs"][0]["replays_shown"], 3, "{report}");
}

#[test]
fn a_target_without_a_recipe_is_started_from_what_the_tree_says() {
    let ran = Repo::with(&[("app.py", TINY_APP)])
        .run(&["prove", "--json"])
        .expect(1);
    assert_eq!(ran.json()["proofs"][0]["outcome"], "proven");
}

#[test]
fn a_dependency_that_does_not_exist_is_inconclusive_with_its_name() {
    let recipe = format!("{RECIPE}\n[target.prepare]\nrequirements = [\"requirements.txt\"]\n");
    let repo = Repo::with(&[
        ("app.py", TINY_APP),
        ("solvent.toml", &recipe),
        ("requirements.txt", "solvent-no-such-package-a8f3==9.9.9\n"),
    ]);
    repo.run(&["prove"])
        .expect(3)
        .says("solvent-no-such-package-a8f3");
}

#[test]
fn a_target_that_exits_at_once_is_inconclusive_with_its_last_words() {
    prove(&broken("import os\nif not os.environ.get('SHOP_DATABASE'):\n    raise SystemExit('no database here')"), RECIPE).expect(3).says("no database here");
}

#[test]
fn a_target_that_never_answers_is_given_up() {
    let recipe = RECIPE.replace("= 20", "= 3");
    prove(&broken("import time\ntime.sleep(600)"), &recipe)
        .expect(3)
        .says("inconclusive");
}

#[test]
fn a_target_that_accepts_and_stays_silent_is_given_up() {
    let app = broken(
        "import socket, time\ns = socket.create_server(('127.0.0.1', 8099))\ntime.sleep(600)",
    );
    prove(&app, &RECIPE.replace("= 20", "= 3"))
        .expect(3)
        .says("inconclusive");
}

#[test]
fn a_target_that_forks_without_end_is_contained() {
    let app = broken(
        "import os\nif os.environ.get('X') != '1':\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass",
    );
    prove(&app, &RECIPE.replace("= 20", "= 5"))
        .expect(3)
        .says("inconclusive");
}

#[test]
fn a_target_that_fills_its_disk_does_not_fill_ours() {
    let app = broken(
        "import os\ntry:\n    f = open('/tmp/fill', 'wb')\n    while True:\n        f.write(b'x' * (1 << 20))\nexcept OSError:\n    pass",
    );
    // The disk inside is full from then on; the flaw itself needs no disk.
    let ran = prove(&app, RECIPE);
    assert!(ran.code == 1 || ran.code == 3, "{}", ran.err);
}

#[test]
fn a_target_that_ignores_sigterm_is_gone_afterwards() {
    let app = broken(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nmark = 'solvent-it-stubborn'",
    );
    prove(&app, RECIPE).expect(1);
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn a_flaw_behind_a_login_that_nobody_configured_is_inconclusive_not_clean() {
    let app = TINY_APP.replace(
        "        host = query",
        "        if TOKEN not in self.headers.get('Cookie', ''):\n            self.send_response(302)\n            self.send_header('Location', '/login')\n            self.end_headers()\n            return\n        host = query",
    );
    let app = format!("import secrets\nTOKEN = secrets.token_hex(16)\n{app}");
    prove(&app, RECIPE).expect(3).says("[login]");
}

#[test]
fn a_route_that_does_not_exist_is_a_usage_error() {
    let repo = Repo::with(&[("app.py", TINY_APP), ("solvent.toml", RECIPE)]);
    repo.run(&["prove", "--attack", "everything", "--route", "/nosuch"])
        .expect(2)
        .says("no route contains");
}

#[test]
fn the_port_being_taken_on_this_machine_does_not_matter() {
    let _taken = TcpListener::bind("127.0.0.1:8099");
    prove(TINY_APP, RECIPE).expect(1);
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_and_a_rerun_goes_on() {
    let repo = Repo::with(&[("app.py", TINY_APP), ("solvent.toml", RECIPE)]);
    repo.run(&["scan", "--quiet"]).expect(1);
    for wait_ms in [30, 120, 400, 900, 1_600, 2_500] {
        let mut child = solvent(&["prove", "--quiet"], &repo.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("spawned");
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().expect("killed");
        child.wait().expect("reaped");
        // The sandbox dies with its supervisor; give the kernel time to carry it out.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !leftovers_in(&repo.path()).is_empty() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(
            leftovers_in(&repo.path()),
            Vec::<String>::new(),
            "after {wait_ms} ms"
        );
    }
    let report = repo.run(&["prove", "--json"]).expect(1).json();
    assert_eq!(report["proofs"][0]["outcome"], "proven", "{report}");
    let head = repo.run(&["ledger", "head", "--json"]).expect(0).json();
    let key = head["key"].as_str().expect("a key").to_owned();
    repo.run(&["ledger", "verify", ".solvent/ledger", "--key", &key])
        .expect(0);
    assert!(!mounts().contains("solvent-it-"), "{}", mounts());
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mounts").unwrap_or_default()
}

/// Processes of a target that said its mark.
fn leftovers() -> Vec<String> {
    processes(|command, _| command.contains("app.py") && command.contains("solvent-it-stubborn"))
}

/// Launchers and targets whose working directory or command line names the repository.
fn leftovers_in(repo: &std::path::Path) -> Vec<String> {
    let name = repo
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    processes(|command, pid| {
        pid != std::process::id()
            && (command.contains(&name)
                || fs::read_to_string(format!("/proc/{pid}/environ"))
                    .is_ok_and(|e| e.contains(&name)))
    })
}

fn processes(wanted: impl Fn(&str, u32) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            (!command.is_empty() && wanted(&command, pid)).then_some(command)
        })
        .collect()
}
