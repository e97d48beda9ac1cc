//! The folder for auditors: it says what the records say, and nothing in it can be changed unseen.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use solvent_base::Digest;

use crate::harness::{Ran, Repo, TINY_APP};

/// splitmix64 (Steele, Lea, Flood 2014).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// The folder's own checker, kept running: one folder a line in, one number of faults a line out.
struct Python {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start(checker: &Path, key: &str) -> Self {
        let mut child = Command::new("python3")
            .args([
                "-B",
                "-c",
                "import sys\nsys.path.insert(0, sys.argv[1])\nimport check\n\
                 for line in sys.stdin:\n    print(len(check.check(line.rstrip('\\n'), sys.argv[2])), flush=True)\n",
            ])
            .arg(checker)
            .arg(key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let ask = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            ask,
            answers,
        }
    }

    fn faults(&mut self, folder: &Path) -> usize {
        writeln!(self.ask, "{}", folder.display()).expect("python3 listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("python3 answers");
        line.trim()
            .parse()
            .unwrap_or_else(|_| panic!("the checker stopped at {}", folder.display()))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            for (inner, bytes) in read(&path) {
                files.insert(format!("{name}/{inner}"), bytes);
            }
        } else {
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
    files
}

fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let _ = fs::remove_dir_all(folder);
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }
}

/// Turns a folder that holds `from` into one that holds `to`.
fn turn(folder: &Path, from: &BTreeMap<String, Vec<u8>>, to: &BTreeMap<String, Vec<u8>>) {
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        fs::remove_file(folder.join(name)).expect("the file goes");
    }
    for (name, bytes) in to {
        if from.get(name) != Some(bytes) {
            fs::write(folder.join(name), bytes).expect("a file");
        }
    }
}

/// The manifest as whoever changed the folder would make it anew.
fn relist(files: &mut BTreeMap<String, Vec<u8>>) {
    let Some(old) = files.get("manifest.sha256") else {
        return;
    };
    let old = String::from_utf8_lossy(old).into_owned();
    let listed: Vec<String> = old
        .lines()
        .filter_map(|line| line.split_once("  ").map(|(_, name)| name.to_owned()))
        .collect();
    let manifest: String = listed
        .iter()
        .filter_map(|name| {
            let content = files.get(name)?;
            Some(format!("{}  {name}\n", Digest::of(content).hex()))
        })
        .collect();
    files.insert("manifest.sha256".to_owned(), manifest.into_bytes());
}

struct Made {
    repo: Repo,
    out: PathBuf,
    key: String,
    id: String,
}

/// A finding, attacked where this machine can, and its folder.
fn made() -> Made {
    let repo = Repo::with(&[("app.py", TINY_APP)]);
    let key = repo.run(&["init", "--json"]).json()["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    repo.run(&["scan"]);
    repo.run(&["prove"]);
    let list = repo.run(&["findings", "--all", "--json"]).json();
    let state = &list["findings"][0];
    let id = state["finding"]["id"]
        .as_str()
        .expect("a finding")
        .to_owned();
    if state["proof"]["outcome"] == "proven" {
        repo.run(&["replay", &id]);
        repo.run(&["show", &id, "--open"]).expect(0);
    } else {
        eprintln!(
            "unmeasured: evidence of a proven flaw: {}",
            state["proof"]["reason"]
        );
    }
    repo.run(&["evidence", &id, "--out", "evidence"])
        .expect(0)
        .says("index.html");
    let out = repo.path().join("evidence");
    Made { repo, out, key, id }
}

fn python(folder: &Path, key: &str) -> Ran {
    Command::new("python3")
        .arg("-B")
        .arg(folder.join("check.py"))
        .arg(folder)
        .args(["--key", key])
        .output()
        .expect("python3 runs")
        .into()
}

#[test]
fn two_programs_find_a_folder_sound_and_every_change_to_it() {
    let Made { repo, out, key, id } = made();
    repo.run(&["evidence", "check", "evidence", "--key", &key])
        .expect(0)
        .says("Sound.")
        .says(&id);
    python(&out, &key).expect(0).says("Sound.").says(&id);

    // Another key, and no key.
    let other = Repo::with(&[("app.py", TINY_APP)]);
    let wrong = other.run(&["init", "--json"]).json()["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    repo.run(&["evidence", "check", "evidence", "--key", &wrong])
        .expect(1);
    python(&out, &wrong).expect(1);
    repo.run(&["evidence", "check", "evidence", "--key", "no key"])
        .expect(2);
    python(&out, "no key").expect(2);
    repo.run(&["evidence", "check", ".", "--key", &key])
        .expect(2);

    // On another path, and by the checker of the program.
    let files = read(&out);
    let home = tempfile::tempdir().expect("a folder");
    let copy = home.path().join("elsewhere");
    write(&copy, &files);
    let rust = |folder: &Path| {
        solvent_engine::check_evidence(folder, &key).map(|report| report.faults.len())
    };
    let mut python = Python::start(&out, &key);
    assert_eq!((rust(&copy).ok(), python.faults(&copy)), (Some(0), 0));

    let mut rng = Rng(18);
    let names: Vec<String> = files.keys().cloned().collect();
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut attempt = |kind: &'static str, what: &str, changed: &BTreeMap<String, Vec<u8>>| {
        if *changed == files {
            return;
        }
        *kinds.entry(kind).or_default() += 1;
        turn(&copy, &files, changed);
        // Without its two lists it is no evidence folder at all, which is an error of use.
        let by_rust = rust(&copy).map_or(true, |faults| faults > 0);
        let by_python = python.faults(&copy) > 0;
        if !(by_rust && by_python) {
            missed.push(format!("{kind} {what}: rust {by_rust}, python {by_python}"));
        }
        turn(&copy, changed, &files);
    };
    for name in &names {
        let bytes = &files[name];
        for _ in 0..4 {
            let mut changed = files.clone();
            let at = rng.below(bytes.len());
            changed.get_mut(name).expect("the file")[at] ^= 1 << rng.below(8);
            attempt("byte", &format!("{name} at {at}"), &changed);
            relist(&mut changed);
            attempt("byte, listed anew", &format!("{name} at {at}"), &changed);
        }
        let mut changed = files.clone();
        changed.remove(name);
        attempt("dropped", name, &changed);
        relist(&mut changed);
        attempt("dropped, listed anew", name, &changed);
        let mut changed = files.clone();
        changed.insert(name.clone(), bytes[..bytes.len() / 2].to_vec());
        attempt("cut", name, &changed);
        let mut changed = files.clone();
        changed.get_mut(name).expect("the file").push(b'\n');
        attempt("longer", name, &changed);
        let with = &names[rng.below(names.len())];
        let mut changed = files.clone();
        changed.insert(name.clone(), files[with].clone());
        changed.insert(with.clone(), bytes.clone());
        attempt("swapped", &format!("{name} and {with}"), &changed);
        relist(&mut changed);
        attempt(
            "swapped, listed anew",
            &format!("{name} and {with}"),
            &changed,
        );
        let mut changed = files.clone();
        changed.insert(format!("{name}.more"), bytes.clone());
        attempt("added", name, &changed);
    }
    // Words that a reader would believe, each with a manifest made anew.
    for (name, from, to) in [
        (
            "evidence.json",
            "\"unknown\": [",
            "\"unknown\": [{\"what\": \"x\", \"why\": \"y\"},",
        ),
        ("evidence.json", "\"answer\": \"yes\"", "\"answer\": \"no\""),
        ("evidence.json", "human:ana", "human:bob"),
        (
            "evidence.json",
            "\"state\": \"sealed\"",
            "\"state\": \"unreadable\"",
        ),
        ("evidence.json", "\"pointer\": \"/", "\"pointer\": \"//"),
        ("index.html", "Evidence", "Proof"),
        ("README.txt", "Get the log's key", "You need no key"),
        ("check.py", "return 1 if folder.faults else 0", "return 0"),
    ] {
        let text = String::from_utf8_lossy(&files[name]).into_owned();
        let mut changed = files.clone();
        changed.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
        assert_ne!(changed, files, "{name} holds no `{from}`");
        relist(&mut changed);
        attempt("words", &format!("{name}: {to}"), &changed);
    }
    assert_eq!(
        (rust(&copy).ok(), python.faults(&copy)),
        (Some(0), 0),
        "restored"
    );
    let tried: u32 = kinds.values().sum();
    assert!(
        missed.is_empty(),
        "{} of {tried} not seen: {missed:#?}",
        missed.len()
    );
    assert!(tried >= 300, "only {tried} were tried");
    eprintln!("{tried} changes, all seen by both: {kinds:?}");
}

#[test]
fn the_folder_of_one_finding_opens_no_other_and_no_attack() {
    let Made { repo, out, key, id } = made();
    let evidence: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("evidence.json")).expect("evidence"))
            .expect("JSON");
    let proven = evidence["about"]["standing"]
        .as_str()
        .is_some_and(|s| s.starts_with("proven"));
    let objects = evidence["objects"].as_array().expect("objects");
    let state = |prefix: &str| -> Vec<&str> {
        objects
            .iter()
            .filter(|o| o["name"].as_str().is_some_and(|n| n.starts_with(prefix)))
            .filter_map(|o| o["state"].as_str())
            .collect()
    };
    if proven {
        assert_eq!(state("excerpt-"), ["opened"]);
        assert_eq!(state("capsule-"), ["sealed"]);
        assert!(state("scan-report").iter().all(|s| *s == "sealed"));
        assert_eq!(state("replay-report"), ["opened"]);
        let actions: Vec<&str> = evidence["records"]
            .as_array()
            .expect("records")
            .iter()
            .filter_map(|r| r["action"].as_str())
            .collect();
        // Who looked into the capsule, and who asked for the folder, is part of it.
        for action in ["scan", "prove", "replay", "open-capsule", "evidence"] {
            assert!(actions.contains(&action), "{action} in {actions:?}");
        }
        // The attack itself is nowhere: its marks are in the capsule only.
        let shown = repo
            .run(&["show", &id, "--open", "--save", "capsule.json"])
            .expect(0);
        assert!(shown.out.contains("curl"));
        let capsule: serde_json::Value =
            serde_json::from_slice(&fs::read(repo.path().join("capsule.json")).expect("a capsule"))
                .expect("JSON");
        let payload = capsule["payloads"]["attack"][0]["text"]
            .as_str()
            .expect("a payload");
        let payload = payload
            .split("{{")
            .max_by_key(|piece| piece.len())
            .expect("a piece");
        for (name, bytes) in read(&out) {
            assert!(
                payload.len() < 6 || !String::from_utf8_lossy(&bytes).contains(payload),
                "{name} holds `{payload}`"
            );
        }
    }
    // The same place is not written over, and what is not there is said.
    repo.run(&["evidence", &id, "--out", "evidence"])
        .expect(2)
        .says("there already");
    repo.run(&["evidence", "ffffffffff", "--out", "other"])
        .expect(2)
        .says("neither a finding nor a change");
    assert!(!repo.path().join("other").exists());
    // The export is in the record, and the ledger is as it should be.
    repo.run(&["log"]).says("evidence");
    let ledger = repo.path().join(".solvent/ledger");
    repo.run(&[
        "ledger",
        "verify",
        &ledger.display().to_string(),
        "--key",
        &key,
    ])
    .expect(0);
}
