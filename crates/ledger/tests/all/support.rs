//! A seeded world, realistic ledgers, and disks that fail on command. Shared by tests and examples.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use solvent_base::{FilePath, ReadError, System, Timestamp, Walk};
use solvent_ledger::disk::{Disk, Mode, RealDisk, temporary};
use solvent_ledger::{Ledger, LedgerError};
use solvent_protocol::record::{
    Actor, ActorKind, Answer, Body, DecisionNote, Item, Link, Phase, Status,
};

/// splitmix64 (Steele, Lea, Flood 2014).
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// Clock and randomness from a seed.
pub struct World {
    state: AtomicU64,
    clock: AtomicI64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
            clock: AtomicI64::new(1_790_000_000_000),
        }
    }

    pub fn set_clock(&self, ms: i64) {
        self.clock.store(ms, Ordering::SeqCst);
    }

    pub fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }
}

impl System for World {
    fn walk(&self) -> Walk {
        Walk::default()
    }

    fn read(&self, _: &FilePath, _: u64) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::NotFound)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::SeqCst))
    }

    fn random(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let mut rng = Rng(self.state.fetch_add(1, Ordering::SeqCst));
            let bytes = rng.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// A folder that is removed with the value.
pub struct TempDir(PathBuf);

static NEXT: AtomicU64 = AtomicU64::new(0);

impl TempDir {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!(
            "solvent-ledger-{}-{}-{name}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::SeqCst)
        ));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// In memory where the machine offers that: for tests that are not about durability.
    pub fn quick(name: &str) -> Self {
        let shared = Path::new("/dev/shm");
        if !shared.is_dir() {
            return Self::new(name);
        }
        let path = shared.join(format!(
            "solvent-ledger-{}-{}-{name}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::SeqCst)
        ));
        match fs::create_dir_all(&path) {
            Ok(()) => Self(path),
            Err(_) => Self::new(name),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

pub fn intent(rng: &mut Rng) -> Body {
    let action = *rng.pick(&["scan", "prove", "replay", "open-capsule", "rebuild"]);
    let agent = rng.below(4) == 0;
    let refused = rng.below(10) == 0;
    Body {
        actor: Actor {
            id: if agent {
                format!("run-{}", rng.below(90))
            } else {
                "ana".to_owned()
            },
            kind: if agent {
                ActorKind::Agent
            } else {
                ActorKind::Human
            },
            on_behalf_of: agent.then(|| "ana".to_owned()),
        },
        action: action.to_owned(),
        target: format!("repository storefront at {:012x}", rng.next() >> 16),
        phase: Phase::Intent,
        inputs: Vec::new(),
        outputs: Vec::new(),
        decision: Some(DecisionNote {
            answer: if refused {
                Answer::Refuse
            } else {
                Answer::Allow
            },
            errors: Vec::new(),
            policy: format!("sha256:{:064x}", 7),
            rules: if refused {
                vec![]
            } else {
                vec![format!("default/owner-{action}s")]
            },
        }),
        links: vec![Link {
            rel: "run".to_owned(),
            to: format!("{:016x}", rng.next()),
        }],
    }
}

pub fn result(of: &Body, index: u64, status: Status, outputs: Vec<Item>) -> Body {
    Body {
        phase: Phase::Result {
            intent: index,
            status,
        },
        decision: None,
        outputs,
        ..of.clone()
    }
}

/// Appends one action: intent, sealed reports, result (now and then missing, as after a crash).
pub fn act(ledger: &mut Ledger, world: &World, rng: &mut Rng) -> Result<(), LedgerError> {
    world.pass(rng.below(5_000) as i64);
    let intent = intent(rng);
    let refused = intent
        .decision
        .as_ref()
        .is_some_and(|d| d.answer == Answer::Refuse);
    let index = ledger.append(world, intent.clone())?;
    if refused {
        return Ok(());
    }
    let mut outputs = Vec::new();
    for name in ["scan-report", "capsule"] {
        if rng.below(8) == 0 {
            let content =
                format!("{{\"report\":\"{:x}\"}}", rng.next()).repeat(1 + rng.below(40) as usize);
            let commitment = ledger.put_object(world, content.as_bytes())?;
            outputs.push(Item {
                commitment,
                name: name.to_owned(),
            });
        }
    }
    // A clock that was set back is honest, and recorded as such.
    if rng.below(20) == 0 {
        world.pass(-10_000);
    }
    if rng.below(50) != 0 {
        ledger.append(world, result(&intent, index, Status::Done, outputs))?;
    }
    Ok(())
}

/// Adds `count` records with few syncs.
pub fn bulk(ledger: &mut Ledger, world: &World, rng: &mut Rng, count: u64) {
    let mut bodies = Vec::new();
    let first = ledger.size();
    while (bodies.len() as u64) < count {
        world.pass(rng.below(50) as i64);
        let mut body = intent(rng);
        if let Some(decision) = &mut body.decision {
            decision.answer = Answer::Allow;
        }
        let index = first + bodies.len() as u64;
        bodies.push(body.clone());
        bodies.push(result(&body, index, Status::Done, Vec::new()));
    }
    ledger.append_all(world, bodies).unwrap();
}

/// A moment of a ledger's life, copied.
pub struct Snapshot {
    pub folder: PathBuf,
    pub checkpoint: String,
    pub size: u64,
}

/// A ledger with a believable life: several openings, objects, refusals, an action cut off, and
/// copies taken on the way. The last snapshot is the end.
pub struct Life {
    pub key: String,
    pub snapshots: Vec<Snapshot>,
}

/// `scale` records or a few more, in several sessions.
pub fn live(seed: u64, home: &Path, scale: u64) -> Life {
    let world = World::new(seed);
    let mut rng = Rng(seed ^ 0x5eed);
    let folder = home.join("ledger");
    let mut snapshots = Vec::new();
    let mut key = String::new();
    let sessions = 3 + rng.below(3);
    for session in 0..sessions {
        let mut ledger = if session == 0 {
            Ledger::create_on(&folder, &world, Box::new(QuickDisk)).unwrap()
        } else {
            Ledger::open_on(&folder, Box::new(QuickDisk)).unwrap()
        };
        key = ledger.trusted_key().text().to_owned();
        bulk(&mut ledger, &world, &mut rng, scale / sessions);
        for _ in 0..2 + rng.below(4) {
            act(&mut ledger, &world, &mut rng).unwrap();
        }
        // Half of the copies are taken of an open ledger, its last records still in the journal.
        let checkpoint = ledger.checkpoint();
        let size = ledger.size();
        let open = rng.below(2) == 0;
        let target = home.join(format!("at-{session}"));
        if open {
            copy(&folder, &target);
        }
        drop(ledger);
        if !open {
            copy(&folder, &target);
        }
        snapshots.push(Snapshot {
            folder: target,
            checkpoint,
            size,
        });
    }
    Life { key, snapshots }
}

/// Real files without waiting for the platter, where a test is not about durability.
pub struct QuickDisk;

impl Disk for QuickDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let temporary = temporary(path);
        fs::write(&temporary, bytes)?;
        let bits = if mode == Mode::Private { 0o600 } else { 0o644 };
        fs::set_permissions(&temporary, fs::Permissions::from_mode(bits))?;
        fs::rename(temporary, path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        RealDisk.append(file, bytes)
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        RealDisk.truncate(file, length)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
}

/// What happens at the chosen operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The process dies half way through it.
    Crash,
    /// The disk is full from it on, until room is made.
    Full,
}

/// Fails the `at`-th write half way, and everything after it.
pub struct FailingDisk {
    /// From which write on; `u64::MAX` when the disk has room.
    pub at: Arc<AtomicU64>,
    pub seen: Arc<AtomicU64>,
    pub failure: Failure,
}

impl FailingDisk {
    pub fn new(at: u64, failure: Failure) -> Self {
        Self {
            at: Arc::new(AtomicU64::new(at)),
            seen: Arc::new(AtomicU64::new(0)),
            failure,
        }
    }

    /// How many of the step's bytes to write: all of them, half, none.
    fn step(&self, can_fail_when_full: bool) -> Result<(), io::Result<()>> {
        if self.failure == Failure::Full && !can_fail_when_full {
            return Ok(());
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst);
        match seen.cmp(&self.at.load(Ordering::SeqCst)) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => Err(Ok(())),
            std::cmp::Ordering::Greater => Err(Err(self.error())),
        }
    }

    fn error(&self) -> io::Error {
        match self.failure {
            Failure::Crash => io::Error::other("the process is dead"),
            Failure::Full => io::Error::from(io::ErrorKind::StorageFull),
        }
    }

    fn run(
        &self,
        can_fail_when_full: bool,
        whole: impl FnOnce() -> io::Result<()>,
        half: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match self.step(can_fail_when_full) {
            Ok(()) => whole(),
            Err(Ok(())) => {
                half()?;
                Err(self.error())
            }
            Err(Err(error)) => Err(error),
        }
    }
}

impl Disk for FailingDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.run(true, || RealDisk.make_dir(path), || Ok(()))
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
        // Three places to stop in: half written, written, in place.
        self.run(
            true,
            || Ok(()),
            || match self.failure {
                Failure::Crash => fs::write(temporary(path), &bytes[..bytes.len() / 2]),
                Failure::Full => Ok(()),
            },
        )?;
        self.run(false, || Ok(()), || fs::write(temporary(path), bytes))?;
        self.run(
            false,
            || RealDisk.put(path, bytes, mode),
            || RealDisk.put(path, bytes, mode),
        )
    }

    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let half = || RealDisk.append(file, &bytes[..bytes.len() / 2]);
        self.run(true, || RealDisk.append(file, bytes), half)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.run(false, || RealDisk.sync(file), || Ok(()))
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.run(false, || RealDisk.truncate(file, length), || Ok(()))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(false, || RealDisk.sync_dir(path), || Ok(()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run(false, || RealDisk.remove(path), || Ok(()))
    }
}
