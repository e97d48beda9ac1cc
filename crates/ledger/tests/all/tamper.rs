//! Seeded tampering with ledger folders. Every attempt is a change that an attacker with write access
//! could make, some with the log's own key; verification has the trusted key and a checkpoint from
//! outside, and must object. Cuts back to a state that the outside checkpoint still covers leave no
//! trace by nature; they are counted apart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use solvent_ledger::{Ledger, TrustedKey, verify};
use solvent_protocol::record::{Body, Phase, Status, VerifyReport};

use super::support::{Life, QuickDisk, Rng, TempDir, World, copy, live};

/// Kinds of tampering; an attempt's kind is drawn evenly.
pub const KINDS: [&str; 20] = [
    "bit in an entry",
    "bit in a hash tile",
    "bit in a checkpoint",
    "bit in a sealed object",
    "bit in a key",
    "bit in the journal",
    "entry deleted",
    "entry inserted",
    "entries swapped",
    "entry duplicated",
    "entry forged",
    "file deleted",
    "file cut short",
    "file extended",
    "files exchanged",
    "file from another ledger",
    "tail cut off",
    "checkpoint put back",
    "re-signed with another key",
    "re-signed with the stolen key",
];

/// What a campaign found out.
pub struct Score {
    /// Attempted and detected, by kind.
    pub kinds: BTreeMap<&'static str, (u64, u64)>,
    /// What went unnoticed, in words.
    pub missed: Vec<String>,
    /// Cuts past the outside checkpoint, and how many of them raised an alarm.
    pub past_cuts: (u64, u64),
    /// Cuts past the outside checkpoint whose report does not give the right uncovered window.
    pub past_miscounted: u64,
}

impl Score {
    pub fn attempted(&self) -> u64 {
        self.kinds.values().map(|(attempted, _)| attempted).sum()
    }

    pub fn detected(&self) -> u64 {
        self.kinds.values().map(|(_, detected)| detected).sum()
    }
}

/// `attempts` seeded tamperings over ten ledgers of different size.
pub fn campaign(seed: u64, attempts: u64) -> Score {
    let home = TempDir::quick("tamper");
    let scales = [12, 40, 100, 255, 256, 257, 300, 520, 700, 1_100];
    let bases: Vec<(u64, PathBuf, Life)> = scales
        .iter()
        .enumerate()
        .map(|(i, &scale)| {
            let folder = home.join(&format!("base-{i}"));
            fs::create_dir_all(&folder).unwrap();
            let life_seed = seed.wrapping_mul(1_000_003).wrapping_add(i as u64);
            let life = live(life_seed, &folder, scale);
            (life_seed, folder, life)
        })
        .collect();
    let mut score = Score {
        kinds: KINDS.iter().map(|&kind| (kind, (0, 0))).collect(),
        missed: Vec::new(),
        past_cuts: (0, 0),
        past_miscounted: 0,
    };
    let mut rng = Rng(seed);
    let folder = home.join("attempt");
    while score.attempted() < attempts {
        let kind = *rng.pick(&KINDS);
        let at = rng.below(bases.len() as u64) as usize;
        let (life_seed, _, life) = &bases[at];
        let other = &bases[(at + 1) % bases.len()].2;
        let key = TrustedKey::parse(&life.key).unwrap();
        let last = life.snapshots.last().unwrap();
        copy(&last.folder, &folder);
        let Some(what) = tamper(kind, &folder, life, other, *life_seed, &mut rng) else {
            // This ledger has nothing of that kind to change; another draw follows.
            continue;
        };
        let report = verify(&folder, &key, Some(last.checkpoint.as_bytes())).unwrap();
        let detected = !report.consistent();
        let entry = score.kinds.get_mut(kind).unwrap();
        entry.0 += 1;
        entry.1 += u64::from(detected);
        if !detected {
            score.missed.push(format!("{kind} in ledger {at}: {what}"));
        }
    }
    for (_, _, life) in &bases {
        cut_past(life, &mut score);
    }
    score
}

/// Every cut back to a copy that an older outside checkpoint still covers.
fn cut_past(life: &Life, score: &mut Score) {
    let key = TrustedKey::parse(&life.key).unwrap();
    for (i, outside) in life.snapshots.iter().enumerate() {
        for shown in &life.snapshots[i..life.snapshots.len() - 1] {
            let report = verify(&shown.folder, &key, Some(outside.checkpoint.as_bytes())).unwrap();
            score.past_cuts.0 += 1;
            score.past_cuts.1 += u64::from(!report.consistent());
            let window = report.uncovered.records;
            score.past_miscounted += u64::from(window != shown.size - outside.size);
        }
    }
}

/// Alarms on `count` honest ledgers: sizes, sessions, open copies, leftovers of crashes, copies without
/// keys, checkpoints from any earlier time.
pub fn honest(seed: u64, count: u64) -> Vec<String> {
    let home = TempDir::quick("honest");
    let mut rng = Rng(seed ^ 0x0a1a_2a3a);
    let mut alarms = Vec::new();
    for i in 0..count {
        let folder = home.join("life");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let scale = rng.below(700) + 4;
        let life = live(seed.wrapping_add(1_000 + i), &folder, scale);
        let key = TrustedKey::parse(&life.key).unwrap();
        let shown = rng.below(life.snapshots.len() as u64) as usize;
        let outside = rng.below(shown as u64 + 1) as usize;
        let target = &life.snapshots[shown].folder;
        if rng.below(3) == 0 {
            let _ = fs::remove_dir_all(target.join("keys"));
        }
        let checkpoint = &life.snapshots[outside].checkpoint;
        let report = match rng.below(4) {
            0 => verify(target, &key, None),
            _ => verify(target, &key, Some(checkpoint.as_bytes())),
        }
        .unwrap();
        alarms.extend(alarm(i, &report, life.snapshots[shown].size));
    }
    alarms
}

fn alarm(i: u64, report: &VerifyReport, size: u64) -> Option<String> {
    (!report.consistent() || report.records != size).then(|| {
        format!(
            "ledger {i}: {} of {size} records, {:?}",
            report.records, report.faults
        )
    })
}

/// Makes one change; in words, or `None` when there is nothing of the kind to change.
fn tamper(
    kind: &str,
    folder: &Path,
    life: &Life,
    other: &Life,
    life_seed: u64,
    rng: &mut Rng,
) -> Option<String> {
    let all = files(folder);
    let matching = |prefixes: &[&str]| -> Vec<String> {
        all.iter()
            .filter(|name| prefixes.iter().any(|p| name.starts_with(p)))
            .cloned()
            .collect()
    };
    let flip = |names: Vec<String>, rng: &mut Rng| flip_bit(folder, &names, rng);
    match kind {
        "bit in an entry" => flip(matching(&["tile/entries/"]), rng),
        "bit in a hash tile" => flip(
            all.iter()
                .filter(|n| n.starts_with("tile/") && !n.starts_with("tile/entries"))
                .cloned()
                .collect(),
            rng,
        ),
        "bit in a checkpoint" => flip(matching(&["checkpoint"]), rng),
        "bit in a sealed object" => flip(matching(&["objects/"]), rng),
        "bit in a key" => {
            // The master key shows only through the objects that it opens.
            let sealed = !matching(&["objects/"]).is_empty();
            let keys = matching(&["keys/"]);
            flip(
                keys.into_iter()
                    .filter(|n| sealed || n != "keys/master")
                    .collect(),
                rng,
            )
        }
        "bit in the journal" => {
            // An empty journal is a file of nineteen known bytes: it counts.
            flip(matching(&["journal/"]), rng)
        }
        "entry deleted" | "entry inserted" | "entries swapped" | "entry duplicated"
        | "entry forged" => edit_bundle(kind, folder, &matching(&["tile/entries/"]), rng),
        "file deleted" => {
            // Keys may be left out of a copy by right; then what they open is reported unopened. An
            // empty journal holds nothing.
            let names: Vec<String> = all
                .iter()
                .filter(|n| {
                    !["keys/log", "keys/log.pub", "keys/master", "lock"].contains(&n.as_str())
                })
                .filter(|n| !n.starts_with("journal/") || size(folder, n) > 19)
                .cloned()
                .collect();
            let name = rng.pick(&names);
            fs::remove_file(folder.join(name)).unwrap();
            Some(name.clone())
        }
        "file cut short" => {
            let names: Vec<String> = all
                .iter()
                .filter(|n| *n != "lock" && (!n.starts_with("journal/") || size(folder, n) > 19))
                .cloned()
                .collect();
            let name = rng.pick(&names);
            let length = rng.below(size(folder, name));
            let bytes = fs::read(folder.join(name)).unwrap();
            // A journal cut inside its first, empty line is an empty journal being born.
            if name.starts_with("journal/") && bytes.len() <= 19 {
                return None;
            }
            write(folder, name, &bytes[..length as usize]);
            Some(format!("{name} to {length}"))
        }
        "file extended" => {
            // Past its last signed frame a journal may hold anything: a torn write.
            let names: Vec<String> = all
                .iter()
                .filter(|n| *n != "lock" && !n.starts_with("journal/"))
                .cloned()
                .collect();
            let name = rng.pick(&names);
            let mut bytes = fs::read(folder.join(name)).unwrap();
            bytes.extend((0..=rng.below(40)).map(|i| (i as u8).wrapping_mul(37)));
            write(folder, name, &bytes);
            Some(name.clone())
        }
        "files exchanged" => {
            let names = matching(&["tile/", "checkpoints/", "objects/"]);
            let (a, b) = (rng.pick(&names).clone(), rng.pick(&names).clone());
            let (left, right) = (
                fs::read(folder.join(&a)).unwrap(),
                fs::read(folder.join(&b)).unwrap(),
            );
            if left == right {
                return None;
            }
            write(folder, &a, &right);
            write(folder, &b, &left);
            Some(format!("{a} and {b}"))
        }
        "file from another ledger" => {
            let there = other.snapshots.last().unwrap().folder.clone();
            let shared: Vec<String> = files(&there)
                .into_iter()
                .filter(|n| all.contains(n) && n != "lock" && n != "keys/master")
                .filter(|n| fs::read(there.join(n)).unwrap() != fs::read(folder.join(n)).unwrap())
                .collect();
            let name = rng.pick(&shared).clone();
            write(folder, &name, &fs::read(there.join(&name)).unwrap());
            Some(name)
        }
        "tail cut off" => {
            let earlier = &life.snapshots[rng.below(life.snapshots.len() as u64 - 1) as usize];
            copy(&earlier.folder, folder);
            Some(format!("back to {} records", earlier.size))
        }
        "checkpoint put back" => {
            let kept = matching(&["checkpoints/"]);
            let name = rng.pick(&kept);
            let (now, then) = (
                fs::read(folder.join("checkpoint")).unwrap(),
                fs::read(folder.join(name)).unwrap(),
            );
            if now == then {
                return None;
            }
            write(folder, "checkpoint", &then);
            Some(name.clone())
        }
        "re-signed with another key" => rewrite(folder, life_seed ^ 0xdead, life_seed, rng),
        "re-signed with the stolen key" => rewrite(folder, life_seed, life_seed, rng),
        other => unreachable!("{other}"),
    }
}

fn flip_bit(folder: &Path, names: &[String], rng: &mut Rng) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let name = rng.pick(names);
    let mut bytes = fs::read(folder.join(name)).unwrap();
    let at = rng.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << rng.below(8);
    write(folder, name, &bytes);
    Some(format!("{name} byte {at} of {}", bytes.len()))
}

/// Changes the entries of one bundle and leaves everything else.
fn edit_bundle(kind: &str, folder: &Path, names: &[String], rng: &mut Rng) -> Option<String> {
    let name = rng.pick(names);
    let bytes = fs::read(folder.join(name)).unwrap();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut rest = bytes.as_slice();
    while let [high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        entries.push(tail[..length].to_vec());
        rest = &tail[length..];
    }
    let at = rng.below(entries.len() as u64) as usize;
    match kind {
        "entry deleted" => {
            entries.remove(at);
        }
        "entry inserted" => {
            let fresh = forged(&entries[at])?;
            entries.insert(at, fresh);
        }
        "entries swapped" => {
            let with = rng.below(entries.len() as u64) as usize;
            if with == at {
                return None;
            }
            entries.swap(at, with);
        }
        "entry duplicated" => {
            let twin = entries[at].clone();
            entries.insert(at, twin);
        }
        _ => entries[at] = forged(&entries[at])?,
    }
    let mut out = Vec::new();
    for entry in &entries {
        out.extend((entry.len() as u16).to_be_bytes());
        out.extend(entry);
    }
    write(folder, name, &out);
    Some(format!("{name} entry {at}"))
}

/// The same record with another target, canonical like the first.
fn forged(entry: &[u8]) -> Option<Vec<u8>> {
    let mut record = solvent_protocol::record::Record::from_bytes(entry).ok()?;
    record.body.target.push('.');
    record.to_bytes().ok()
}

/// Writes a whole history anew with one thing changed, consistent in itself and signed throughout.
fn rewrite(folder: &Path, key_seed: u64, life_seed: u64, rng: &mut Rng) -> Option<String> {
    let bodies: Vec<(i64, Body)> = {
        let ledger = Ledger::open_on(folder, Box::new(QuickDisk)).unwrap();
        ledger
            .entries(0..ledger.size())
            .map(|record| {
                let record = record.unwrap();
                (record.clock_ms.unwrap_or(record.time_ms), record.body)
            })
            .collect()
    };
    let fresh = folder.with_extension("rewritten");
    let _ = fs::remove_dir_all(&fresh);
    // The first random bytes of a life are its keys: the same seed is the stolen key.
    let world = World::new(key_seed);
    let mut ledger = Ledger::create_on(&fresh, &world, Box::new(QuickDisk)).unwrap();
    let at = rng.below(bodies.len() as u64) as usize;
    let drop_tail = rng.below(4) == 0;
    let mut group = Vec::new();
    for (i, (time, body)) in bodies.iter().enumerate() {
        let mut body = body.clone();
        if i == at {
            if drop_tail {
                break;
            }
            match (&mut body.phase, rng.below(3)) {
                (Phase::Result { status, .. }, 0) if *status == Status::Done => {
                    *status = Status::Failed;
                }
                (_, 1) => body.actor.id = "mallory".to_owned(),
                _ => body.target.push('.'),
            }
        }
        // Times are part of the bytes: one group per clock reading.
        if group.last().is_some_and(|(last, _)| last != time) {
            flush(&mut ledger, &world, &mut group);
        }
        group.push((*time, body));
    }
    flush(&mut ledger, &world, &mut group);
    drop(ledger);
    for name in ["objects", "keys/wrapped"] {
        copy(&folder.join(name), &fresh.join(name));
    }
    if key_seed != life_seed {
        // The attacker leaves the public key in place, so that the folder looks the same.
        for name in ["keys/log.pub", "keys/master"] {
            write(&fresh, name, &fs::read(folder.join(name)).unwrap());
        }
    }
    copy(&fresh, folder);
    let _ = fs::remove_dir_all(&fresh);
    Some(format!(
        "from record {at}{}",
        if drop_tail { ", the rest dropped" } else { "" }
    ))
}

fn flush(ledger: &mut Ledger, world: &World, group: &mut Vec<(i64, Body)>) {
    if let Some((time, _)) = group.first() {
        world.set_clock(*time);
        let bodies = group.drain(..).map(|(_, body)| body).collect();
        ledger.append_all(world, bodies).unwrap();
    }
}

fn size(folder: &Path, name: &str) -> u64 {
    fs::metadata(folder.join(name)).unwrap().len()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    // Tiles are read-only; an attacker with the folder is not stopped by that.
    let _ = fs::remove_file(&path);
    fs::write(path, bytes).unwrap();
}

/// Every file, relative, sorted, the lock left out.
fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, out: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), out);
            } else if name != "lock" {
                out.push(name);
            }
        }
    }
    let mut out = Vec::new();
    walk(folder, "", &mut out);
    out.sort();
    out
}
