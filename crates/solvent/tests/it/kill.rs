//! Killed at any step, run again: the same end, and nothing left behind.
//!
//! A point of time is made by a `git` in front of the real one that kills who called it, or by the line of
//! progress that is shown when a step begins.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Ran, solvent};
use crate::office::{FLAW, Office, REPAIRED, Stage, key, text};

/// Where a run is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Before the n-th git command that has this word is run.
    Before(&'static str, u32),
    /// When the n-th git command that has this word has run, and its caller has not heard.
    After(&'static str, u32),
    /// When a line of progress that holds these words is shown.
    Line(&'static str),
    /// So many milliseconds after the start.
    Time(u64),
}

/// Runs of one test, with temporary folders of their own, so that what is left shows.
struct Room {
    dir: TempDir,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("solvent-it-kill-")
            .tempdir();
        let room = Self {
            dir: dir.expect("a folder"),
        };
        fs::create_dir(room.temporary()).expect("a folder");
        room
    }

    fn temporary(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    fn command(&self, office: &Office, actor: &str, args: &[&str]) -> Command {
        let mut command = solvent(args, &office.repo.path());
        command
            .env("SOLVENT_ACTOR", actor)
            .env("TMPDIR", self.temporary());
        command
    }

    fn run(&self, office: &Office, actor: &str, args: &[&str]) -> Ran {
        let output = self.command(office, actor, args).output();
        output.expect("the binary runs").into()
    }

    /// Runs until the cut. Whether it was reached.
    fn cut(&self, office: &Office, actor: &str, args: &[&str], cut: Cut) -> bool {
        let mut command = self.command(office, actor, args);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        if let Cut::Before(word, n) | Cut::After(word, n) = cut {
            let shim = self.shim(word, n, matches!(cut, Cut::After(..)));
            let path = std::env::var("PATH").expect("a path");
            command.env("PATH", format!("{}:{path}", shim.display()));
        }
        let mut child = command.spawn().expect("the binary runs");
        let mut reached = false;
        if let Cut::Time(ms) = cut {
            std::thread::sleep(Duration::from_millis(ms));
            let _ = child.kill();
        }
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        for line in lines.map_while(Result::ok) {
            if matches!(cut, Cut::Line(words) if line.contains(words)) {
                child.kill().expect("killed");
                reached = true;
                break;
            }
        }
        let status = child.wait().expect("reaped");
        nothing_runs(office, cut);
        reached || status.code().is_none()
    }

    fn shim(&self, word: &str, n: u32, after: bool) -> PathBuf {
        let shim = self.dir.path().join("shim");
        let _ = fs::remove_dir_all(&shim);
        fs::create_dir(&shim).expect("a folder");
        let real = std::env::split_paths(&std::env::var_os("PATH").expect("a path"))
            .map(|dir| dir.join("git"))
            .find(|path| path.is_file())
            .expect("git is installed");
        let (real, shim_dir) = (real.display(), shim.display());
        let run = if after {
            format!("{real} \"$@\" >/dev/null")
        } else {
            ":".to_owned()
        };
        let script = format!(
            "#!/bin/sh\nfor word in \"$@\"; do\n  if [ \"$word\" = '{word}' ]; then\n    \
             echo x >> '{shim_dir}/seen'\n    if [ $(wc -l < '{shim_dir}/seen') -eq {n} ]; then\n      \
             {run}\n      kill -9 $PPID\n      exit 1\n    fi\n    break\n  fi\ndone\nexec {real} \"$@\"\n"
        );
        let file = shim.join("git");
        fs::write(&file, script).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        shim
    }

    /// No temporary folder, worktree, lock or mount after a run that was not cut off.
    fn nothing_left(&self, office: &Office, what: &str) {
        let left: Vec<_> = fs::read_dir(self.temporary())
            .expect("a folder")
            .map(|e| e.expect("an entry").file_name())
            .collect();
        assert!(left.is_empty(), "{what}: {left:?}");
        let repo = &office.repo;
        assert_eq!(
            repo.git_says(&["worktree", "list"]).lines().count(),
            1,
            "{what}"
        );
        assert_eq!(repo.git_says(&["status", "--porcelain"]), "", "{what}");
        let git = repo.path().join(".git");
        let locks: Vec<_> = fs::read_dir(&git)
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".lock"))
            .collect();
        assert!(locks.is_empty(), "{what}: {locks:?}");
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = self.dir.path().to_string_lossy();
        assert!(!mounts.contains(&*own), "{what}: {mounts}");
    }
}

/// The sandbox dies with its supervisor; the kernel is given time to carry it out.
fn nothing_runs(office: &Office, cut: Cut) {
    let place = office.repo.path();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let left = processes(&place);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{cut:?}: {left:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn processes(place: &Path) -> Vec<String> {
    let place = place.to_string_lossy();
    fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| {
            let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let there = fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&*place));
            (!command.is_empty() && (there || command.contains(&*place))).then_some(command)
        })
        .collect()
}

#[test]
fn a_fix_that_was_cut_off_anywhere_ends_as_the_undisturbed_one() {
    let whole = Office::at(Stage::Proposed);
    let office = Office::at(Stage::Proven);
    let room = Room::new();
    let fix = ["fix", &office.finding];
    for cut in [
        Cut::Before("read-tree", 1),
        Cut::After("checkout-index", 1),
        Cut::Line("copying the source tree"),
        Cut::Line("trying the patch of"),
        Cut::Line("trying the attack on both sides"),
        Cut::Line("running the application's tests"),
    ] {
        assert!(
            room.cut(&office, "agent:fixer", &fix, cut),
            "{cut:?} was not reached"
        );
        assert_eq!(
            office.repo.git_says(&["for-each-ref", "refs/solvent"]),
            "",
            "{cut:?}"
        );
    }
    room.run(&office, "agent:fixer", &fix)
        .expect(0)
        .says("Proposed");
    room.nothing_left(&office, "after the rerun");
    let refs = |office: &Office| office.repo.git_says(&["for-each-ref", "refs"]);
    assert_eq!(refs(&office), refs(&whole));
    let changes = office.repo.run(&["changes", "--json"]).expect(0).json();
    let list = changes["changes"].as_array().expect("changes");
    assert_eq!(list.len(), 1);
    let of = |state: &serde_json::Value| {
        [
            "id",
            "base",
            "head",
            "tree",
            "diff_digest",
            "author",
            "policy",
        ]
        .map(|name| text(&state["request"][name]))
    };
    assert_eq!(of(&list[0]), of(&whole.review()));
    assert_eq!(list[0]["status"], "verified");
    assert_eq!(office.source(), whole.source());
    office.ledger_is_sound();
}

#[test]
fn a_proposal_cut_off_between_its_commit_and_its_record_ends_as_the_undisturbed_one() {
    let office = Office::at(Stage::Proven);
    let room = Room::new();
    // Falls at the first attack, so that what comes after is cheap to reach.
    let app = office
        .source()
        .replace(FLAW, &format!("{FLAW}  # repaired"));
    office.repo.write("app.py", app.as_bytes());
    let diff = office.repo.git_says(&["diff"]) + "\n";
    office.repo.git(&["reset", "-q", "--hard"]);
    fs::write(office.repo.path().join("../a.patch"), diff).expect("a file");
    let propose = [
        "propose",
        &office.finding,
        "--patch",
        "../a.patch",
        "--json",
    ];
    for cut in [
        Cut::After("apply", 1),
        Cut::After("commit-tree", 1),
        Cut::After("update-ref", 1),
    ] {
        assert!(
            room.cut(&office, "human:ana", &propose, cut),
            "{cut:?} was not reached"
        );
    }
    let first = office.repo.git_says(&["for-each-ref", "refs/solvent"]);
    let change = room.run(&office, "human:ana", &propose).expect(1).json();
    assert!(first.starts_with(&text(&change["head"])), "{first}");
    assert_eq!(
        office.repo.git_says(&["for-each-ref", "refs/solvent"]),
        first
    );
    room.nothing_left(&office, "after the rerun");
    office.ledger_is_sound();
}

#[test]
fn an_approval_that_was_cut_off_counts_once_when_it_is_given_again() {
    let office = Office::at(Stage::Proposed);
    let room = Room::new();
    let key = key("ben");
    let approve = ["approve", &office.change, "--key", &key];
    for ms in [5, 20, 40, 60, 80, 100, 130, 160, 200, 250, 320, 400] {
        room.cut(&office, "human:ben", &approve, Cut::Time(ms));
    }
    for cut in [
        Cut::Before("merge-base", 1),
        Cut::After("rev-parse", 1),
        Cut::After("diff-tree", 1),
    ] {
        room.cut(&office, "human:ben", &approve, cut);
    }
    room.run(&office, "human:ben", &approve).expect(0);
    let state = office.review();
    assert_eq!(
        (&state["counted"], &state["needed"]),
        (&1.into(), &2.into())
    );
    room.nothing_left(&office, "after the rerun");
    office.ledger_is_sound();
}

#[test]
fn a_merge_that_was_cut_off_anywhere_ends_as_the_undisturbed_one() {
    let whole = Office::at(Stage::Closed);
    let cuts = [
        Cut::Before("commit-tree", 1),
        Cut::After("commit-tree", 2),
        Cut::Before("update-ref", 1),
        Cut::After("update-ref", 1),
        Cut::Before("-u", 1),
        Cut::After("-u", 1),
        Cut::Line("trying the attack on"),
        Cut::Before("checkout-index", 1),
        Cut::Line("replaying on fresh instances"),
    ];
    for cut in cuts {
        let office = Office::at(Stage::Approved);
        let room = Room::new();
        let base = office.main();
        let merge = ["merge", &office.change];
        assert!(
            room.cut(&office, "human:cleo", &merge, cut),
            "{cut:?} was not reached"
        );
        // The branch is where it was or where it will be, and so is every file of the checkout.
        let main = office.main();
        assert!(
            main == base || main == whole.main(),
            "{cut:?}: main is at {main}"
        );
        let source = office.source();
        assert!(
            source.contains(FLAW) != source.contains(REPAIRED),
            "{cut:?}: {source}"
        );
        room.run(&office, "human:cleo", &merge)
            .expect(0)
            .says("closed");
        assert_eq!(office.main(), whole.main(), "{cut:?}");
        assert_eq!(office.source(), whole.source(), "{cut:?}");
        assert_eq!(office.review()["status"], "closed", "{cut:?}");
        let status = office.repo.run(&["status", "--json"]).json();
        assert_eq!(status["closed"], 1, "{cut:?}");
        room.nothing_left(&office, &format!("{cut:?}"));
        office.ledger_is_sound();
    }
}
