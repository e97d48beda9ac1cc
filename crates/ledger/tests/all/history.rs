//! What a healthy ledger does.

use std::fs;

use plain::root_by_definition;
use solvent_base::Digest;
use solvent_ledger::{Ledger, LedgerError, TrustedKey, verify};
use solvent_protocol::record::{FaultKind, Phase, RecordError, Status};

use crate::support::{Rng, TempDir, World, act, bulk, copy, intent, live, result};

/// RFC 6962, section 2.1, written down plainly: the definition that tiles are compared with.
mod plain {
    use sha2::{Digest as _, Sha256};

    pub fn root_by_definition(entries: &[Vec<u8>]) -> [u8; 32] {
        match entries {
            [] => Sha256::digest(b"").into(),
            [one] => Sha256::new()
                .chain_update([0])
                .chain_update(one)
                .finalize()
                .into(),
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                Sha256::new()
                    .chain_update([1])
                    .chain_update(root_by_definition(&many[..k]))
                    .chain_update(root_by_definition(&many[k..]))
                    .finalize()
                    .into()
            }
        }
    }
}

#[test]
fn what_was_appended_is_read_back_after_reopening() {
    let home = TempDir::new("reopen");
    let world = World::new(1);
    let mut rng = Rng(1);
    let mut written = Vec::new();
    let key;
    {
        let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
        key = ledger.trusted_key().clone();
        for expected in 0..600 {
            let body = intent(&mut rng);
            written.push(body.clone());
            assert_eq!(
                ledger.append_all(&world, vec![body]).unwrap(),
                expected..expected + 1
            );
            if expected == 300 {
                ledger.integrate().unwrap();
            }
        }
    }
    let ledger = Ledger::open(&home.join("l")).unwrap();
    assert_eq!(ledger.size(), 600);
    let read: Vec<_> = ledger.entries(0..600).map(|r| r.unwrap().body).collect();
    assert_eq!(read, written);
    assert_eq!(ledger.entries(255..258).count(), 3);
    assert_eq!(ledger.entries(599..10_000).count(), 1);
    assert!(matches!(
        ledger.record(600),
        Err(LedgerError::NoRecord {
            index: 600,
            size: 600
        })
    ));
    let bytes: Vec<Vec<u8>> = ledger
        .entries(0..600)
        .map(|r| r.unwrap().to_bytes().unwrap())
        .collect();
    assert_eq!(
        ledger.head().unwrap().root,
        Digest::from_bytes(root_by_definition(&bytes))
    );
    let report = verify(&home.join("l"), &key, Some(ledger.checkpoint().as_bytes())).unwrap();
    assert_eq!((report.faults, report.records), (vec![], 600));
}

#[test]
fn roots_and_proofs_are_those_of_the_definition_at_every_size() {
    let home = TempDir::new("roots");
    let world = World::new(2);
    let mut rng = Rng(2);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    let mut bytes = Vec::new();
    for size in 1..=70_u64 {
        ledger.append(&world, intent(&mut rng)).unwrap();
        bytes.push(ledger.record(size - 1).unwrap().to_bytes().unwrap());
        let root = root_by_definition(&bytes);
        assert_eq!(ledger.head().unwrap().root, Digest::from_bytes(root));
        if size % 7 == 0 {
            ledger.integrate().unwrap();
        }
        let index = rng.below(size);
        let proof = ledger.inclusion_proof(index).unwrap();
        let path: Vec<_> = proof
            .path
            .iter()
            .map(|hash| tlog_tiles::Hash(*hash.as_bytes()))
            .collect();
        let leaf = tlog_tiles::record_hash(&bytes[index as usize]);
        tlog_tiles::check_record(&path, size, tlog_tiles::Hash(root), index, leaf).unwrap();
    }
}

#[test]
fn a_second_opener_is_told_who_holds_the_ledger() {
    let home = TempDir::new("lock");
    let world = World::new(3);
    let first = Ledger::create(&home.join("l"), &world).unwrap();
    match Ledger::open(&home.join("l")) {
        Err(LedgerError::Held { holder }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{:?}", other.map(|_| ())),
    }
    drop(first);
    Ledger::open(&home.join("l")).unwrap();
}

#[test]
fn creating_over_a_ledger_is_refused_even_when_its_checkpoint_is_gone() {
    let home = TempDir::new("exists");
    let world = World::new(4);
    let mut rng = Rng(4);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    ledger.append(&world, intent(&mut rng)).unwrap();
    drop(ledger);
    let again = Ledger::create(&home.join("l"), &world);
    assert!(matches!(again, Err(LedgerError::Exists(_))));
    fs::remove_file(home.join("l/checkpoint")).unwrap();
    let again = Ledger::create(&home.join("l"), &world);
    assert!(matches!(again, Err(LedgerError::Exists(_))));
    assert!(Ledger::open(&home.join("l")).is_err());
    assert!(matches!(
        Ledger::open(&home.join("none")),
        Err(LedgerError::Absent(_))
    ));
}

#[test]
fn a_clock_that_is_set_back_is_recorded_and_time_never_runs_backwards() {
    let home = TempDir::new("clock");
    let world = World::new(5);
    let mut rng = Rng(5);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    world.set_clock(1_000);
    ledger.append(&world, intent(&mut rng)).unwrap();
    world.set_clock(400);
    ledger.append(&world, intent(&mut rng)).unwrap();
    let record = ledger.record(1).unwrap();
    assert_eq!((record.time_ms, record.clock_ms), (1_000, Some(400)));
    drop(ledger);
    let mut ledger = Ledger::open(&home.join("l")).unwrap();
    ledger.append(&world, intent(&mut rng)).unwrap();
    assert_eq!(ledger.record(2).unwrap().time_ms, 1_000);
    let report = verify(&home.join("l"), ledger.trusted_key(), None).unwrap();
    assert_eq!(report.faults, []);
}

#[test]
fn sealed_objects_open_only_whole_and_with_their_key() {
    let home = TempDir::new("objects");
    let world = World::new(6);
    let ledger = Ledger::create(&home.join("l"), &world).unwrap();
    let name = ledger.put_object(&world, b"payload").unwrap();
    let twin = ledger.put_object(&world, b"payload").unwrap();
    assert_ne!(name, twin, "names do not tell that contents are equal");
    assert_eq!(ledger.get_object(name).unwrap(), b"payload");
    assert_eq!(
        ledger
            .get_object(ledger.put_object(&world, b"").unwrap())
            .unwrap(),
        b""
    );
    let hex = name.0.hex();
    let object = home.join("l/objects").join(&hex[..2]).join(&hex);
    let other = twin.0.hex();
    let bytes = fs::read(&object).unwrap();
    assert!(
        !bytes.windows(7).any(|w| w == b"payload"),
        "content is sealed"
    );
    fs::remove_file(&object).unwrap();
    assert!(matches!(
        ledger.get_object(name),
        Err(LedgerError::NoObject(_))
    ));
    fs::copy(
        home.join("l/objects").join(&other[..2]).join(&other),
        &object,
    )
    .unwrap();
    assert!(matches!(
        ledger.get_object(name),
        Err(LedgerError::BrokenObject(_))
    ));
    fs::remove_file(&object).unwrap();
    fs::write(&object, bytes).unwrap();
    fs::remove_file(home.join("l/keys/wrapped").join(&hex[..2]).join(&hex)).unwrap();
    assert!(matches!(
        ledger.get_object(name),
        Err(LedgerError::NoObjectKey(_))
    ));
}

#[test]
fn private_keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = TempDir::new("modes");
    drop(Ledger::create(&home.join("l"), &World::new(7)).unwrap());
    for name in ["keys/log", "keys/master"] {
        let path = home.join("l").join(name);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Ledger::open(&home.join("l")),
            Err(LedgerError::KeyMode { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    Ledger::open(&home.join("l")).unwrap();
}

#[test]
fn a_body_that_is_no_record_changes_nothing() {
    let home = TempDir::new("refused");
    let world = World::new(8);
    let mut rng = Rng(8);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    let mut huge = intent(&mut rng);
    huge.links = (0..200)
        .map(|i| solvent_protocol::record::Link {
            rel: "x".to_owned(),
            to: format!("{i}{}", "y".repeat(400)),
        })
        .collect();
    let tried = ledger.append_all(&world, vec![intent(&mut rng), huge]);
    assert!(matches!(
        tried,
        Err(LedgerError::Record(RecordError::TooLarge(_)))
    ));
    let ahead = result(&intent(&mut rng), 5, Status::Done, vec![]);
    assert!(
        ledger.append(&world, ahead).is_err(),
        "a result never comes before its intent"
    );
    assert_eq!(ledger.size(), 0);
    assert_eq!(ledger.append(&world, intent(&mut rng)).unwrap(), 0);
}

#[test]
fn an_intent_without_a_result_is_reported_apart() {
    let home = TempDir::new("unknown");
    let world = World::new(9);
    let mut rng = Rng(9);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    bulk(&mut ledger, &world, &mut rng, 4);
    let mut cut_off = intent(&mut rng);
    cut_off.decision = None;
    let index = ledger.append(&world, cut_off).unwrap();
    let report = verify(&home.join("l"), ledger.trusted_key(), None).unwrap();
    assert_eq!(
        (report.faults, report.unknown_states),
        (vec![], vec![index])
    );
}

#[test]
fn a_result_that_answers_nothing_is_a_fault() {
    let home = TempDir::new("pairing");
    let world = World::new(10);
    let mut rng = Rng(10);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    bulk(&mut ledger, &world, &mut rng, 2);
    let record = ledger.record(0).unwrap();
    ledger
        .append(&world, result(&record.body, 0, Status::Done, vec![]))
        .unwrap();
    let report = verify(&home.join("l"), ledger.trusted_key(), None).unwrap();
    assert_eq!(report.faults.len(), 1);
    assert_eq!(
        (report.faults[0].kind, report.faults[0].place.as_str()),
        (FaultKind::Pairing, "record 2")
    );
}

#[test]
fn a_copy_without_private_keys_verifies_and_says_what_it_could_not_open() {
    let home = TempDir::new("auditor");
    let life = live(11, home.path(), 300);
    let last = life.snapshots.last().unwrap();
    let key = TrustedKey::parse(&life.key).unwrap();
    let with_keys = verify(&last.folder, &key, Some(last.checkpoint.as_bytes())).unwrap();
    copy(&last.folder, &home.join("copy"));
    fs::remove_dir_all(home.join("copy/keys")).unwrap();
    let without = verify(&home.join("copy"), &key, Some(last.checkpoint.as_bytes())).unwrap();
    assert_eq!((with_keys.faults, without.faults), (vec![], vec![]));
    assert_eq!(without.objects_unopened, with_keys.objects);
    assert_eq!((without.objects, without.uncovered.records), (0, 0));
}

#[test]
fn the_uncovered_window_is_counted_in_records_and_time() {
    let home = TempDir::new("window");
    let world = World::new(12);
    let mut rng = Rng(12);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    bulk(&mut ledger, &world, &mut rng, 10);
    let outside = ledger.checkpoint();
    let covered = ledger.record(ledger.size() - 1).unwrap().time_ms;
    world.set_clock(covered + 60_000);
    let mut body = intent(&mut rng);
    body.phase = Phase::Intent;
    ledger.append(&world, body).unwrap();
    let report = verify(
        &home.join("l"),
        ledger.trusted_key(),
        Some(outside.as_bytes()),
    )
    .unwrap();
    assert_eq!(
        (report.uncovered.records, report.uncovered.span_ms),
        (1, 60_000)
    );
    assert_eq!(report.uncovered.outside_size, Some(10));
    let none = verify(&home.join("l"), ledger.trusted_key(), None).unwrap();
    assert_eq!(
        (none.uncovered.records, none.uncovered.outside_size),
        (11, None)
    );
}

#[test]
fn a_history_of_several_tile_levels_reopens_and_verifies() {
    let home = TempDir::new("levels");
    let world = World::new(13);
    let mut rng = Rng(13);
    let mut ledger = Ledger::create(&home.join("l"), &world).unwrap();
    while ledger.size() < 66_000 {
        bulk(&mut ledger, &world, &mut rng, 3_000);
    }
    act(&mut ledger, &world, &mut rng).unwrap();
    assert!(home.join("l/tile/2/000.p/1").exists());
    let proof = ledger.inclusion_proof(65_537).unwrap();
    assert!(!proof.path.is_empty());
    drop(ledger);
    let ledger = Ledger::open(&home.join("l")).unwrap();
    let report = verify(&home.join("l"), ledger.trusted_key(), None).unwrap();
    assert_eq!((report.faults, report.records), (vec![], ledger.size()));
}
