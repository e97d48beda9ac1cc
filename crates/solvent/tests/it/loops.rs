//! Loops: transcripts in `loops/*/loop.md` that are run against the real sandbox. A block marked
//! `console` holds one command after `$ `, its output, and `[exit N]` where N is not 0. What differs
//! from run to run (times, durations, numbers of requests, digests) is replaced before comparing.
//! A block marked `diff` is laid upon the checkout and committed. `SOLVENT_BLESS=1` rewrites the page.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Ran, Repo, solvent};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn storefront_is_proven_where_it_can_be_reached_and_nowhere_else() {
    run_loop("storefront");
}

#[test]
fn the_repaired_storefront_is_reached_and_proven_nowhere() {
    run_loop("storefront-fixed");
}

#[test]
fn every_loop_on_disk_is_run_here() {
    let mut found: Vec<String> = fs::read_dir(root().join("loops"))
        .expect("loops")
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    assert_eq!(found, ["storefront", "storefront-fixed"]);
}

fn run_loop(name: &str) {
    let page_path = root().join("loops").join(name).join("loop.md");
    let page = fs::read_to_string(&page_path).expect("the loop's page");
    let app = page
        .lines()
        .find_map(|l| l.strip_prefix("app: "))
        .unwrap_or_else(|| panic!("{name}: no line `app: FOLDER`"));
    let repo = Repo::named(name);
    copy(&root().join(app.trim()), &repo.path());
    repo.git(&["init", "-q", "-b", "main"]);
    repo.commit("first");

    let mut rewritten = String::new();
    let mut failures = String::new();
    let mut commands = 0;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(rewritten, "{line}");
        if line == "```diff" {
            let mut patch = String::new();
            for line in lines.by_ref() {
                let _ = writeln!(rewritten, "{line}");
                if line == "```" {
                    break;
                }
                let _ = writeln!(patch, "{line}");
            }
            repo.write(".solvent/patch", patch.as_bytes());
            repo.git(&["apply", ".solvent/patch"]);
            repo.commit("change");
            continue;
        }
        if line != "```console" {
            continue;
        }
        let mut expected = String::new();
        let command = lines.next().unwrap_or_default().to_owned();
        for line in lines.by_ref() {
            if line == "```" {
                break;
            }
            let _ = writeln!(expected, "{line}");
        }
        let words: Vec<&str> = command
            .strip_prefix("$ solvent ")
            .expect("`$ solvent ...`")
            .split(' ')
            .collect();
        let ran: Ran = solvent(&words, &repo.path())
            .env("COLUMNS", "80")
            .output()
            .expect("the binary runs")
            .into();
        commands += 1;
        let mut actual = steady(&ran.out);
        if ran.code != 0 {
            let _ = writeln!(actual, "[exit {}]", ran.code);
        }
        let _ = writeln!(rewritten, "{command}\n{actual}```");
        if actual != expected {
            let _ = writeln!(
                failures,
                "{command}\n--- page\n{expected}--- now\n{actual}--- stderr\n{}",
                ran.err
            );
        }
    }
    assert!(commands > 0, "{name}: no command in the page");
    if std::env::var_os("SOLVENT_BLESS").is_some() {
        fs::write(&page_path, rewritten).expect("the page is written");
    } else {
        assert!(failures.is_empty(), "{name}:\n{failures}");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if [
            "__pycache__",
            ".pytest_cache",
            ".solvent",
            "instance",
            "history",
        ]
        .iter()
        .any(|s| name == *s)
        {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// Output without what differs from run to run.
fn steady(text: &str) -> String {
    let mut out = String::new();
    for line in text.trim_end().lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for i in 0..words.len() {
            let next = words
                .get(i + 1)
                .map_or("", |w| w.trim_end_matches([',', '.', ';', ')']))
                .to_owned();
            let digits = words[i].trim_start_matches('(').replace(',', "");
            let number = digits.parse::<f64>().is_ok();
            if number
                && ["ms", "s", "seconds", "second", "requests", "request"].contains(&next.as_str())
            {
                "N".clone_into(&mut words[i]);
            }
            if i > 0 && words[i - 1] == "Python" {
                "N,".clone_into(&mut words[i]);
            }
            if let Some((base, _)) = words[i].split_once('^') {
                words[i] = format!("{base}^N");
            }
            words[i] = steady_word(&words[i]);
        }
        out.push_str(words.join(" ").trim_end());
        out.push('\n');
    }
    out
}

fn steady_word(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hex = core.strip_prefix("sha256:").unwrap_or(core);
    let is_hex = hex.len() >= 12 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let is_date = core.len() >= 10
        && core.as_bytes()[4] == b'-'
        && core.as_bytes()[7] == b'-'
        && core.bytes().take(4).all(|b| b.is_ascii_digit());
    if is_hex {
        word.replace(core, "HASH")
    } else if is_date {
        word.replace(core, "TIME")
    } else {
        word.to_owned()
    }
}
