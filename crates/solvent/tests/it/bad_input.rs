//! Repositories that are not what they should be: a clear error, an exit code, nothing lost, no panic.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{Repo, TINY_APP};

#[test]
fn a_folder_without_git_is_refused_with_the_way_on() {
    let repo = Repo::plain(&[("app.py", TINY_APP)]);
    repo.run(&["scan"])
        .expect(2)
        .says("is not a git repository")
        .says("--no-git");
    repo.run(&["scan", "--no-git", "--json"]).expect(1);
}

#[test]
fn a_missing_folder_is_a_usage_error() {
    let repo = Repo::plain(&[]);
    repo.run(&["scan", "nowhere"])
        .expect(2)
        .says("cannot open `nowhere`");
}

#[test]
fn an_empty_repository_says_that_it_has_no_commit() {
    let repo = Repo::plain(&[]);
    repo.git(&["init", "-q"]);
    repo.run(&["scan"]).expect(2).says("it has no commit");
}

#[test]
fn a_library_without_entry_points_is_unmeasured_not_clean() {
    let repo = Repo::with(&[("lib.py", "def add(a, b):\n    return a + b\n")]);
    repo.run(&["scan"]).expect(3).says("no entry point");
}

#[test]
fn a_repository_in_another_language_is_unmeasured_not_clean() {
    let repo = Repo::with(&[("app.rb", "require 'sinatra'\n")]);
    repo.run(&["scan"])
        .expect(3)
        .says("Ruby is not modelled yet");
}

#[test]
fn broken_and_undecodable_files_are_named_and_do_not_hide_the_rest() {
    let repo = Repo::with(&[("app.py", TINY_APP), ("broken.py", "def f(:\n  x = = 1\n")]);
    repo.write("latin.py", b"name = 'caf\xe9'\n\xff\xfe\n");
    repo.commit("broken");
    let ran = repo.run(&["scan", "--json"]).expect(1);
    let report = ran.json();
    let gaps = report["unmeasured"].to_string();
    assert!(
        gaps.contains("broken.py") && gaps.contains("latin.py"),
        "{gaps}"
    );
    assert_eq!(
        report["findings"][0]["verdict"]["word"], "reachable",
        "{report}"
    );
}

#[test]
fn scripts_that_are_carried_along_are_counted_not_read() {
    let minified = "var a=1;".repeat(2_000);
    let repo = Repo::with(&[
        ("app.py", TINY_APP),
        ("static/vendor/editor.js", "eval(location.hash)\n"),
        ("static/page.js", minified.as_str()),
    ]);
    let report = repo.run(&["scan", "--json"]).json();
    assert_eq!(report["coverage"]["files_analysed"], 1);
    assert_eq!(report["coverage"]["files_copied_in"], 2);
    repo.run(&["scan"])
        .says("not read: 2 files carried along or minified");
}

#[test]
fn a_file_of_fifty_megabytes_is_skipped_by_name() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.write("big.py", "x = 1\n".repeat(9_000_000).as_bytes());
    repo.commit("big");
    let ran = repo.run(&["scan", "--json"]).expect(1);
    let gaps = ran.json()["unmeasured"].to_string();
    assert!(gaps.contains("big.py") && gaps.contains("cap"), "{gaps}");
}

#[test]
fn deep_nesting_is_a_gap_not_a_crash() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.write(
        "deep.py",
        format!("x = {}1{}\n", "(".repeat(200_000), ")".repeat(200_000)).as_bytes(),
    );
    repo.write(
        "chain.py",
        format!("x = 1{}\n", " + 1".repeat(300_000)).as_bytes(),
    );
    repo.commit("deep");
    let gaps = repo.run(&["scan", "--json"]).expect(1).json()["unmeasured"].to_string();
    assert!(gaps.contains("deep.py"), "{gaps}");
}

#[test]
fn links_in_circles_and_out_of_the_tree_are_not_followed() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    let outside = Repo::plain(&[("secret.py", TINY_APP)]);
    symlink(".", repo.path().join("circle")).expect("a link");
    symlink(outside.path(), repo.path().join("out")).expect("a link");
    symlink("/dev/zero", repo.path().join("endless.py")).expect("a link");
    let ran = repo.run(&["scan", "--json"]).expect(1);
    let report = ran.json();
    assert_eq!(report["coverage"]["files_analysed"], 1, "{report}");
}

#[test]
fn a_configuration_cut_in_half_names_the_line() {
    let repo = Repo::with(&[
        ("app.py", TINY_APP),
        (
            "solvent.toml",
            "[target.start]\ncommand = [\"python\", \"ap",
        ),
    ]);
    repo.run(&["prove"]).expect(2).says("solvent.toml");
}

#[test]
fn a_mistyped_configuration_key_names_the_nearest() {
    let repo = Repo::with(&[("app.py", TINY_APP), ("solvent.toml", "[targett]\n")]);
    repo.run(&["prove"]).expect(2).says("target");
}

#[test]
fn a_capsule_cut_in_half_is_refused_in_words() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.write(
        "cut.json",
        b"{\"schema\": \"solvent.capsule/v1\", \"steps\": [",
    );
    repo.run(&["replay", "cut.json"]).expect(2).says("cut.json");
    repo.run(&["replay", "absent.json"]).expect(2);
}

#[test]
fn two_processes_on_one_state_folder_do_not_mix() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.run(&["init"]).expect(0);
    let lock = fs::File::open(lock_file(&repo)).expect("the lock file");
    lock.lock().expect("the lock");
    repo.run(&["scan"]).expect(4).says("in use by process");
    lock.unlock().expect("unlocked");
    repo.run(&["scan", "--quiet"]).expect(1);
}

fn lock_file(repo: &Repo) -> std::path::PathBuf {
    repo.path().join(".solvent/ledger/lock")
}

#[test]
fn an_edited_ledger_is_not_read_as_if_nothing_happened() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.run(&["scan", "--quiet"]).expect(1);
    let entries = repo.path().join(".solvent/ledger");
    let file = walk(&entries)
        .into_iter()
        .find(|p| p.to_string_lossy().contains("entries") && p.is_file())
        .expect("an entry bundle");
    let mut bytes = fs::read(&file).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&file).expect("removed");
    fs::write(&file, bytes).expect("written");
    let head = repo.run(&["ledger", "head", "--json"]);
    assert_ne!(
        head.code, 0,
        "an edited ledger opened as if intact: {}",
        head.out
    );
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            out.extend(walk(&path));
        } else {
            out.push(path);
        }
    }
    out
}

#[test]
fn a_broken_pipe_is_silence_not_a_panic() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    let ran = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} scan --quiet | true",
            crate::harness::binary().display()
        ))
        .current_dir(repo.path())
        .output()
        .expect("sh runs");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn an_answer_that_cannot_be_written_is_not_clean() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.run(&["scan", "--quiet"]).expect(1);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let status = crate::harness::solvent(&["findings", "--json"], &repo.path())
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(4));
}

#[test]
fn a_checkout_that_moved_on_is_unmeasured() {
    let repo = Repo::with(&[("app.py", "x = 1\n"), ("web.py", "y = 2\n")]);
    repo.run(&["findings"])
        .expect(2)
        .says("nothing was scanned");
    repo.run(&["scan", "--quiet"]).expect(3);
    repo.write("app.py", TINY_APP.as_bytes());
    repo.commit("a flaw");
    repo.run(&["status"]).expect(3).says("the newest scan saw");
}

#[test]
fn a_folder_without_a_ledger_is_not_called_tampered() {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    repo.run(&["init"]).expect(0);
    let head = repo.run(&["ledger", "head", "--json"]).expect(0).json();
    let key = head["key"].as_str().expect("a key").to_owned();
    repo.run(&["ledger", "verify", ".solvent", "--key", &key])
        .expect(2)
        .says("holds no ledger");
    repo.run(&["ledger", "verify", ".solvent/ledger", "--key", &key])
        .expect(0);
}
