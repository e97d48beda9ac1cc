//! Readers beside the writer, and slices of a history.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use solvent_ledger::{History, Ledger, LedgerError, TrustedKey, check_proof, slice, verify};
use solvent_protocol::record::Record;

use crate::support::{QuickDisk, Rng, TempDir, World, act, bulk, copy, intent};

#[test]
fn a_reader_sees_a_whole_signed_history_at_every_moment_of_a_writer() {
    let home = TempDir::quick("beside");
    let folder = home.join("l");
    let world = World::new(11);
    let mut rng = Rng(11);
    let mut ledger = Ledger::create_on(&folder, &world, Box::new(QuickDisk)).unwrap();
    let key = ledger.trusted_key().clone();
    ledger.append(&world, intent(&mut rng)).unwrap();
    let done = AtomicBool::new(false);
    let (opened, largest) = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut opened, mut last) = (0_u64, 0);
                    loop {
                        let ended = done.load(Ordering::SeqCst);
                        let history = History::open_trusting(&folder, &key).unwrap();
                        let size = history.size();
                        assert!(size >= last, "went back from {last} to {size}");
                        let head = history.head().unwrap();
                        assert_eq!(
                            (head.size, head.root),
                            (size, history.root_at(size).unwrap())
                        );
                        // Read after the writer went on, tiles and bundles still serve.
                        let middle = size / 2;
                        for index in [0, middle, size - 1] {
                            let bytes = history.record(index).unwrap().to_bytes().unwrap();
                            let proof = solvent_ledger::tlog_proof(
                                &history.inclusion_proof(index).unwrap(),
                            );
                            assert_eq!(
                                check_proof(&key, &bytes, proof.as_bytes()).unwrap().index,
                                index
                            );
                        }
                        last = size;
                        opened += 1;
                        if ended && opened >= 3 {
                            break;
                        }
                    }
                    (opened, last)
                })
            })
            .collect();
        for round in 0..400 {
            act(&mut ledger, &world, &mut rng).unwrap();
            if round % 3 == 0 {
                ledger.integrate().unwrap();
            }
            if round % 50 == 0 {
                bulk(&mut ledger, &world, &mut rng, 90);
            }
        }
        done.store(true, Ordering::SeqCst);
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .fold((0, 0), |(n, m), (opened, last)| (n + opened, m.max(last)))
    });
    assert!(opened >= 6);
    assert_eq!(largest, ledger.size());
}

#[test]
fn a_reader_takes_no_lock_and_leaves_no_trace() {
    let home = TempDir::new("trace");
    let folder = home.join("l");
    let world = World::new(12);
    let mut rng = Rng(12);
    let mut ledger = Ledger::create(&folder, &world).unwrap();
    bulk(&mut ledger, &world, &mut rng, 300);
    act(&mut ledger, &world, &mut rng).unwrap();
    let before = listing(&folder);
    let history = History::open(&folder).unwrap();
    assert_eq!(history.size(), ledger.size());
    assert_eq!(history.checkpoint(), ledger.checkpoint());
    assert_eq!(listing(&folder), before);
    // And the writer goes on while the reader holds what it read.
    let size = history.size();
    bulk(&mut ledger, &world, &mut rng, 300);
    ledger.integrate().unwrap();
    assert_eq!(
        history.entries(0..size).filter(Result::is_ok).count() as u64,
        size
    );
    drop(history);
    drop(ledger);
    let key = Ledger::open(&folder).unwrap().trusted_key().clone();
    assert!(verify(&folder, &key, None).unwrap().consistent());
}

fn listing(folder: &std::path::Path) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            out.extend(listing(&entry.path()));
        } else {
            let name = entry.path().display().to_string();
            out.push((name, entry.metadata().unwrap().len()));
        }
    }
    out.sort();
    out
}

#[test]
fn a_reader_of_a_damaged_or_absent_ledger_says_so() {
    let home = TempDir::quick("damaged");
    let folder = home.join("l");
    assert!(matches!(
        History::open(&folder),
        Err(LedgerError::Absent(_))
    ));
    let world = World::new(13);
    let mut rng = Rng(13);
    let mut ledger = Ledger::create(&folder, &world).unwrap();
    bulk(&mut ledger, &world, &mut rng, 20);
    let journal = fs::read_dir(folder.join("journal"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    // A torn tail was promised to nobody; damage before the end is damage.
    let whole = fs::read(&journal).unwrap();
    let size = ledger.size();
    act(&mut ledger, &world, &mut rng).unwrap();
    let longer = fs::read(&journal).unwrap();
    let damaged = home.join("copy");
    copy(&folder, &damaged);
    let there = damaged.join("journal").join(journal.file_name().unwrap());
    fs::write(&there, &longer[..whole.len() + 5]).unwrap();
    assert_eq!(History::open(&damaged).unwrap().size(), size);
    let mut broken = longer.clone();
    broken[whole.len() / 2] ^= 1;
    fs::write(&there, &broken).unwrap();
    assert!(matches!(
        History::open(&damaged),
        Err(LedgerError::Damaged { .. })
    ));
    copy(&folder, &damaged);
    fs::write(damaged.join("checkpoint"), b"nothing").unwrap();
    assert!(matches!(
        History::open(&damaged),
        Err(LedgerError::Damaged { .. })
    ));
}

#[test]
fn the_state_at_an_instant_is_that_of_the_records_up_to_it() {
    let home = TempDir::quick("instant");
    let world = World::new(14);
    let mut rng = Rng(14);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    let mut known = vec![(0, ledger.head().unwrap().root)];
    for _ in 0..600 {
        // Several records may share a millisecond, and clocks go back.
        world.pass(rng.below(3) as i64 - 1);
        ledger.append(&world, intent(&mut rng)).unwrap();
        known.push((ledger.size(), ledger.head().unwrap().root));
    }
    ledger.integrate().unwrap();
    let history = ledger.history();
    for (size, root) in known {
        assert_eq!(history.root_at(size).unwrap(), root);
    }
    let times: Vec<i64> = history
        .entries(0..600)
        .map(|r| r.unwrap().time_ms)
        .collect();
    for &time in &times {
        for instant in [time - 1, time, time + 1] {
            let counted = times.iter().filter(|&&t| t <= instant).count() as u64;
            assert_eq!(history.size_at(instant).unwrap(), counted);
        }
    }
    assert!(history.root_at(601).is_err());
}

#[test]
fn a_proof_shows_its_own_record_at_its_own_place_and_nothing_else() {
    let home = TempDir::quick("slice");
    let world = World::new(15);
    let mut rng = Rng(15);
    let mut ledger = Ledger::create_on(&home.join("l"), &world, Box::new(QuickDisk)).unwrap();
    let other = Ledger::create_on(&home.join("o"), &World::new(99), Box::new(QuickDisk)).unwrap();
    for size in [1, 2, 3, 5, 8, 13, 21, 34, 257, 300] {
        while ledger.size() < size {
            ledger.append(&world, intent(&mut rng)).unwrap();
        }
        if size % 2 == 0 {
            ledger.integrate().unwrap();
        }
        let wanted: BTreeSet<u64> = (0..size).step_by(if size > 40 { 37 } else { 1 }).collect();
        let cut = slice(ledger.history(), &wanted).unwrap();
        let key = TrustedKey::parse(&cut.key).unwrap();
        assert_eq!(cut.records.len(), wanted.len());
        for (i, sliced) in cut.records.iter().enumerate() {
            let shown = check_proof(&key, &sliced.bytes, sliced.proof.as_bytes()).unwrap();
            assert_eq!(shown.index, sliced.index);
            assert_eq!(shown.head.size, size);
            assert_eq!(shown.checkpoint, cut.checkpoint.as_bytes());
            assert_eq!(Record::from_bytes(&sliced.bytes).unwrap().seq, sliced.index);
            assert!(sliced.proof.len() <= 2 * 1024);
            assert!(
                check_proof(other.trusted_key(), &sliced.bytes, sliced.proof.as_bytes()).is_err()
            );
            let neighbour = &cut.records[(i + 1) % cut.records.len()];
            if neighbour.index != sliced.index {
                assert!(check_proof(&key, &neighbour.bytes, sliced.proof.as_bytes()).is_err());
                assert!(check_proof(&key, &sliced.bytes, neighbour.proof.as_bytes()).is_err());
            }
        }
        // Every changed byte of a proof is seen; so is every cut.
        let one = &cut.records[cut.records.len() / 2];
        for at in 0..one.proof.len() {
            let mut bytes = one.proof.clone().into_bytes();
            bytes[at] ^= 1 << rng.below(8);
            let seen = check_proof(&key, &one.bytes, &bytes);
            assert!(
                seen.as_ref().is_ok_and(|s| s.index != one.index) || seen.is_err(),
                "byte {at} of\n{}",
                one.proof
            );
            assert!(check_proof(&key, &one.bytes, &one.proof.as_bytes()[..at]).is_err());
        }
    }
}
