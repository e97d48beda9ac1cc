//! Nothing acknowledged is lost, wherever writing stops, and nothing that a crash leaves is an alarm.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use solvent_ledger::{Ledger, LedgerError, TrustedKey, verify};
use solvent_protocol::record::{Body, Status};

use crate::support::{
    FailingDisk, Failure, QuickDisk, Rng, TempDir, World, bulk, copy, intent, result,
};

/// What a run was promised: bodies by index, and the newest checkpoint it was given.
#[derive(Default)]
struct Promised {
    bodies: Vec<Body>,
    checkpoint: Option<String>,
    objects: Vec<(solvent_protocol::record::Commitment, Vec<u8>)>,
}

/// A life with everything in it; stops at the first error.
fn run(ledger: &mut Ledger, world: &World, promised: &mut Promised) -> Result<(), LedgerError> {
    let mut rng = Rng(77);
    for round in 0..6 {
        let mut group = Vec::new();
        for _ in 0..1 + round % 3 {
            let mut body = intent(&mut rng);
            body.decision = None;
            let index = ledger.size() + group.len() as u64;
            group.push(body.clone());
            group.push(result(&body, index, Status::Done, vec![]));
        }
        ledger.append_all(world, group.clone())?;
        promised.bodies.extend(group);
        promised.checkpoint = Some(ledger.checkpoint());
        let content = format!("content {round}").into_bytes();
        let name = ledger.put_object(world, &content)?;
        promised.objects.push((name, content));
        if round % 2 == 1 {
            ledger.integrate()?;
        }
    }
    Ok(())
}

fn assert_kept(folder: &Path, key: &TrustedKey, promised: &Promised, when: &str) {
    let outside = promised.checkpoint.as_deref().map(str::as_bytes);
    let before = verify(folder, key, outside).unwrap();
    assert_eq!(before.faults, [], "{when}, before mending");
    let ledger =
        Ledger::open_on(folder, Box::new(QuickDisk)).unwrap_or_else(|e| panic!("{when}: {e}"));
    let found: Vec<Body> = ledger
        .entries(0..ledger.size())
        .map(|r| r.unwrap().body)
        .collect();
    assert!(
        found.len() >= promised.bodies.len(),
        "{when}: {} records",
        found.len()
    );
    assert_eq!(found[..promised.bodies.len()], promised.bodies, "{when}");
    for (name, content) in &promised.objects {
        assert_eq!(&ledger.get_object(*name).unwrap(), content, "{when}");
    }
    drop(ledger);
    let after = verify(folder, key, outside).unwrap();
    assert_eq!(after.faults, [], "{when}, after mending");
}

#[test]
fn a_crash_at_any_write_loses_nothing_acknowledged() {
    let home = TempDir::quick("sweep");
    let world = World::new(20);
    let base = home.join("base");
    let key = {
        let mut ledger = Ledger::create_on(&base, &world, Box::new(QuickDisk)).unwrap();
        bulk(&mut ledger, &world, &mut Rng(20), 252);
        ledger.trusted_key().clone()
    };
    let already: Vec<Body> = {
        let ledger = Ledger::open_on(&base, Box::new(QuickDisk)).unwrap();
        ledger
            .entries(0..ledger.size())
            .map(|r| r.unwrap().body)
            .collect()
    };
    let mut points = 0;
    for at in 0.. {
        let folder = home.join("run");
        copy(&base, &folder);
        let disk = FailingDisk::new(at, Failure::Crash);
        let seen = disk.seen.clone();
        let mut promised = Promised {
            bodies: already.clone(),
            ..Promised::default()
        };
        let died = match Ledger::open_on(&folder, Box::new(disk)) {
            Err(_) => true,
            Ok(mut ledger) => run(&mut ledger, &world, &mut promised).is_err(),
        };
        assert_kept(&folder, &key, &promised, &format!("crash at write {at}"));
        points += 1;
        if !died && seen.load(Ordering::SeqCst) <= at {
            break;
        }
    }
    assert!(points > 100, "only {points} writes were stopped");
}

#[test]
fn a_creation_that_was_cut_short_can_be_done_again() {
    let home = TempDir::quick("creation");
    for at in 0..200 {
        let folder = home.join("l");
        let _ = fs::remove_dir_all(&folder);
        let made = Ledger::create_on(
            &folder,
            &World::new(21),
            Box::new(FailingDisk::new(at, Failure::Crash)),
        );
        let done = made.is_ok();
        drop(made);
        let mut ledger = if Ledger::exists(&folder) {
            Ledger::open_on(&folder, Box::new(QuickDisk)).unwrap()
        } else {
            Ledger::create_on(&folder, &World::new(22), Box::new(QuickDisk)).unwrap()
        };
        ledger
            .append(&World::new(23), intent(&mut Rng(23)))
            .unwrap();
        let report = verify(&folder, ledger.trusted_key(), None).unwrap();
        assert_eq!(report.faults, [], "creation cut at write {at}");
        if done {
            assert!(at > 15);
            return;
        }
    }
    panic!("creation never finished");
}

#[test]
fn a_full_disk_is_said_clearly_changes_nothing_and_is_got_over() {
    let home = TempDir::quick("full");
    let mut complaints = 0;
    for at in 0.. {
        let folder = home.join("l");
        let _ = fs::remove_dir_all(&folder);
        let world = World::new(24);
        let key = Ledger::create_on(&folder, &world, Box::new(QuickDisk))
            .unwrap()
            .trusted_key()
            .clone();
        let disk = FailingDisk::new(at, Failure::Full);
        let (full_from, seen) = (disk.at.clone(), disk.seen.clone());
        let mut promised = Promised::default();
        let mut ledger = Ledger::open_on(&folder, Box::new(disk)).unwrap();
        if let Err(error) = run(&mut ledger, &world, &mut promised) {
            complaints += 1;
            assert!(error.disk_full(), "{error}");
            assert!(error.to_string().starts_with("disk full while"), "{error}");
            assert_eq!(ledger.size(), promised.bodies.len() as u64);
            // Still full: still said, still nothing lost.
            assert!(
                ledger
                    .append(&world, intent(&mut Rng(1)))
                    .unwrap_err()
                    .disk_full()
            );
        }
        let finished = seen.load(Ordering::SeqCst) <= at;
        full_from.store(u64::MAX, Ordering::SeqCst);
        let body = intent(&mut Rng(2));
        ledger.append(&world, body.clone()).unwrap();
        promised.bodies.push(body);
        promised.checkpoint = Some(ledger.checkpoint());
        drop(ledger);
        assert_kept(
            &folder,
            &key,
            &promised,
            &format!("disk full at write {at}"),
        );
        if finished {
            break;
        }
    }
    assert!(complaints > 20, "only {complaints} writes were refused");
}

#[test]
fn a_really_full_file_system_loses_nothing_acknowledged() {
    let home = TempDir::new("tmpfs");
    let Some(mount) = Tmpfs::mount(home.path(), "size=384k") else {
        eprintln!(
            "unmeasured: mounting a small file system needs root; the injected disk stands in"
        );
        return;
    };
    let world = World::new(25);
    let folder = home.join("ledger");
    let mut ledger = Ledger::create(&folder, &world).unwrap();
    let key = ledger.trusted_key().clone();
    fs::write(home.join("ballast"), vec![0; 200 << 10]).unwrap();
    let mut rng = Rng(25);
    let mut promised = Promised::default();
    let error = loop {
        let body = intent(&mut rng);
        match ledger.append(&world, body.clone()) {
            Ok(index) => {
                assert_eq!(index, promised.bodies.len() as u64);
                promised.bodies.push(body);
                promised.checkpoint = Some(ledger.checkpoint());
            }
            Err(error) => break error,
        }
        assert!(
            promised.bodies.len() < 10_000,
            "the file system never filled"
        );
    };
    assert!(error.disk_full(), "{error}");
    assert!(promised.bodies.len() > 20);
    let outside = promised.checkpoint.clone().unwrap();
    let report = verify(&folder, &key, Some(outside.as_bytes())).unwrap();
    assert_eq!(
        (report.faults, report.records),
        (vec![], promised.bodies.len() as u64)
    );
    // A reader can open it while the disk is full.
    drop(ledger);
    let mut ledger = Ledger::open(&folder).unwrap();
    assert_eq!(ledger.size(), promised.bodies.len() as u64);
    fs::remove_file(home.join("ballast")).unwrap();
    let body = intent(&mut rng);
    ledger.append(&world, body.clone()).unwrap();
    promised.bodies.push(body);
    drop(ledger);
    assert_kept(&folder, &key, &promised, "after making room");
    drop(mount);
}

#[test]
fn a_journal_torn_at_any_byte_keeps_every_whole_batch() {
    let home = TempDir::quick("torn");
    let world = World::new(26);
    let mut rng = Rng(26);
    let live = home.join("live");
    let mut ledger = Ledger::create_on(&live, &world, Box::new(QuickDisk)).unwrap();
    bulk(&mut ledger, &world, &mut rng, 4);
    ledger.integrate().unwrap();
    let key = ledger.trusted_key().clone();
    let journal = live.join(format!("journal/{:020}", 4));
    let length = || fs::metadata(&journal).unwrap().len() as usize;
    // Size of the journal from which on so many records are safe, and the checkpoint given then.
    let mut safe = vec![(0, 4, ledger.checkpoint())];
    for _ in 0..3 {
        bulk(&mut ledger, &world, &mut rng, 2);
        safe.push((length(), ledger.size(), ledger.checkpoint()));
    }
    let base = home.join("base");
    copy(&live, &base);
    let whole = fs::read(&journal).unwrap();
    assert_eq!(whole.len(), safe.last().unwrap().0);
    let folder = home.join("torn");
    for cut in 0..=whole.len() {
        copy(&base, &folder);
        let mut bytes = whole[..cut].to_vec();
        // Every third has rubbish where the rest should be, as after a power cut.
        if cut % 3 == 0 {
            bytes.extend((0..rng.below(60)).map(|_| rng.0 as u8));
        }
        fs::write(folder.join(format!("journal/{:020}", 4)), &bytes).unwrap();
        let (_, size, checkpoint) = safe.iter().rev().find(|(end, ..)| *end <= cut).unwrap();
        let rubbish_in_magic = cut < 19 && bytes.len() > cut;
        if rubbish_in_magic {
            continue;
        }
        let report = verify(&folder, &key, Some(checkpoint.as_bytes())).unwrap();
        assert_eq!(
            (report.faults, report.records),
            (vec![], *size),
            "torn at {cut}"
        );
        let ledger = Ledger::open_on(&folder, Box::new(QuickDisk)).unwrap();
        assert_eq!(ledger.size(), *size, "torn at {cut}");
        assert_eq!(ledger.recovery().replayed, size - 4);
    }
}

#[test]
fn damage_before_the_journals_end_is_never_cut_off_as_torn() {
    let home = TempDir::quick("damage");
    let world = World::new(27);
    let mut ledger = Ledger::create_on(&home.join("l"), &world, Box::new(QuickDisk)).unwrap();
    let key = ledger.trusted_key().clone();
    bulk(&mut ledger, &world, &mut Rng(27), 2);
    let first = fs::metadata(home.join("l/journal/00000000000000000000"))
        .unwrap()
        .len();
    bulk(&mut ledger, &world, &mut Rng(28), 2);
    copy(&home.join("l"), &home.join("copy"));
    let journal = home.join("copy/journal/00000000000000000000");
    let whole = fs::read(&journal).unwrap();
    for at in (19..first as usize).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&journal, &bytes).unwrap();
        match Ledger::open(&home.join("copy")) {
            Err(LedgerError::Damaged { place, .. }) => assert!(place.starts_with("journal/")),
            other => panic!("byte {at}: {:?}", other.map(|l| l.size())),
        }
        assert!(
            !verify(&home.join("copy"), &key, None).unwrap().consistent(),
            "byte {at}"
        );
        assert_eq!(fs::read(&journal).unwrap(), bytes, "nothing was changed");
    }
}

/// Appends until it is killed, saying on standard output what was acknowledged.
#[test]
#[ignore = "the child of `kill_9_at_any_moment_loses_nothing_acknowledged`"]
fn child_appender() {
    let folder = std::env::var("SOLVENT_TEST_LEDGER").unwrap();
    let world = World::new(std::process::id().into());
    let mut rng = Rng(std::process::id().into());
    let mut ledger = Ledger::open(Path::new(&folder)).unwrap();
    let mut out = std::io::stdout();
    for round in 0.. {
        let count = 1 + rng.below(5);
        bulk(&mut ledger, &world, &mut rng, count);
        let root = ledger.head().unwrap().root.hex();
        writeln!(out, "\nacknowledged {} {root}", ledger.size()).unwrap();
        out.flush().unwrap();
        if round % 5 == 0 {
            let _ = ledger.integrate();
        }
    }
}

#[test]
fn kill_9_at_any_moment_loses_nothing_acknowledged() {
    let home = TempDir::new("kill");
    let folder = home.join("l");
    let key = Ledger::create(&folder, &World::new(29))
        .unwrap()
        .trusted_key()
        .clone();
    let mut rng = Rng(29);
    let mut all = 0;
    for round in 0..30 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::child_appender",
                "--ignored",
                "--nocapture",
            ])
            .env("SOLVENT_TEST_LEDGER", &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut promised = None;
        let mut note = |line: &str| {
            if let Some(rest) = line.strip_prefix("acknowledged ") {
                let (size, root) = rest.split_once(' ').unwrap();
                promised = Some((size.parse::<u64>().unwrap(), root.to_owned()));
                return true;
            }
            false
        };
        let mut seen = 0;
        let wanted = 1 + rng.below(12);
        while seen < wanted {
            let line = lines.next().expect("the child ended by itself").unwrap();
            seen += u64::from(note(&line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the kill reached us counts as promised too; a line cut short does not.
        for line in lines.map_while(Result::ok) {
            if line.starts_with("acknowledged ") && line.len() > 64 + 14 {
                note(&line);
            }
        }
        let (size, root) = promised.unwrap();
        let report = verify(&folder, &key, None).unwrap();
        assert_eq!(report.faults, [], "round {round}");
        assert!(
            report.records >= size,
            "round {round}: {} of {size}",
            report.records
        );
        let ledger = Ledger::open(&folder).unwrap();
        assert!(ledger.size() >= size, "round {round}");
        assert!(size > all, "the child did nothing");
        all = ledger.size();
        // The root it was told is the root of these records.
        let leaf_root = root_at(&ledger, size);
        assert_eq!(leaf_root, root, "round {round}");
    }
}

fn root_at(ledger: &Ledger, size: u64) -> String {
    let leaves: Vec<tlog_tiles::Hash> = ledger
        .entries(0..size)
        .map(|r| tlog_tiles::record_hash(&r.unwrap().to_bytes().unwrap()))
        .collect();
    fn root(leaves: &[tlog_tiles::Hash]) -> tlog_tiles::Hash {
        if leaves.len() == 1 {
            return leaves[0];
        }
        let k = leaves.len().next_power_of_two() / 2;
        tlog_tiles::node_hash(root(&leaves[..k]), root(&leaves[k..]))
    }
    solvent_base::digest::hex(&root(&leaves).0)
}

/// A small file system for one test.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
