//! The one writer of a ledger folder.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use solvent_base::System;
use solvent_protocol::record::{Body, Commitment, Record};
use tlog_tiles::Hash;

use crate::disk::{Disk, Mode, RealDisk, read_capped};
use crate::error::{LedgerError, damaged, io_error};
use crate::history::{History, InclusionProof};
use crate::journal;
use crate::journal_file::{Journal, new_journal, open_journal, remove_journal};
use crate::note::{Head, LogKey, MAX_NOTE_BYTES, TrustedKey};
use crate::object::{self, MAX_OBJECT_BYTES};
use crate::tree::{Kind, WIDTH, pack, parse_tile_path, tile_path, width_at};

/// Records in the journal before they are moved into tiles. Moving costs some forty synced files, so
/// it is shared by many records; reopening reads at most this many from the journal.
const JOURNAL_RECORDS: u64 = 4096;
/// Bytes in the journal before they are moved into tiles.
const JOURNAL_BYTES: u64 = 8 << 20;

/// An append-only signed history, open for writing by this process alone.
pub struct Ledger {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    key: LogKey,
    master: [u8; 32],
    history: History,
    journal: Journal,
    /// Time of the last record.
    last_ms: i64,
    recovery: Recovery,
    poisoned: bool,
    /// Holds the exclusive lock until dropped.
    _lock: Lock,
}

/// What opening found and mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Records that were durable in the journal and not yet in tiles.
    pub replayed: u64,
    /// Bytes of a batch that was never acknowledged, cut from the journal's end.
    pub torn_bytes: u64,
}

impl Ledger {
    /// Whether `folder` holds a ledger, or the remains of one. A folder in which a creation was cut
    /// short holds none.
    pub fn exists(folder: &Path) -> bool {
        folder.join("checkpoint").exists() || holds_history(folder)
    }

    /// Starts a ledger in `folder`, which is made if need be, with fresh keys from `world`.
    pub fn create(folder: &Path, world: &dyn System) -> Result<Self, LedgerError> {
        Self::create_on(folder, world, Box::new(RealDisk))
    }

    /// Opens the ledger in `folder`, taking up whatever a crash left behind.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        Self::open_on(folder, Box::new(RealDisk))
    }

    /// [`Self::create`] with writes going through `disk`.
    pub fn create_on(
        folder: &Path,
        world: &dyn System,
        disk: Box<dyn Disk>,
    ) -> Result<Self, LedgerError> {
        make_dirs(disk.as_ref(), folder)?;
        let lock = lock(folder)?;
        if Self::exists(folder) {
            return Err(LedgerError::Exists(folder.to_owned()));
        }
        for name in [
            "checkpoints",
            "tile",
            "journal",
            "objects",
            "keys",
            "keys/wrapped",
        ] {
            make_dirs(disk.as_ref(), &folder.join(name))?;
        }
        let (mut seed, mut name, mut master) = ([0; 32], [0; 8], [0; 32]);
        world.random(&mut seed);
        world.random(&mut name);
        world.random(&mut master);
        let key = LogKey::from_random(seed, name)
            .ok_or_else(|| damaged("keys/log", "a fresh key was refused"))?;
        let put = |name: &str, bytes: &[u8], mode| {
            let path = folder.join(name);
            disk.put(&path, bytes, mode)
                .map_err(|error| io_error("writing", &path, error))
        };
        put(
            "keys/log",
            format!("{}\n", key.secret()).as_bytes(),
            Mode::Private,
        )?;
        put(
            "keys/log.pub",
            format!("{}\n", key.trusted().text()).as_bytes(),
            Mode::Shared,
        )?;
        put("keys/master", &master, Mode::Private)?;
        let note = key
            .sign(0, tlog_tiles::EMPTY_HASH, 0)
            .map_err(|error| damaged("checkpoint", error))?;
        // Last: only with it is the folder a ledger.
        put("checkpoint", &note, Mode::Shared)?;
        for name in ["keys", "."] {
            let path = folder.join(name);
            disk.sync_dir(&path)
                .map_err(|error| io_error("syncing", &path, error))?;
        }
        Self::open_locked(folder, disk, lock)
    }

    /// [`Self::open`] with writes going through `disk`.
    pub fn open_on(folder: &Path, disk: Box<dyn Disk>) -> Result<Self, LedgerError> {
        if !Self::exists(folder) {
            return Err(LedgerError::Absent(folder.to_owned()));
        }
        let lock = lock(folder)?;
        Self::open_locked(folder, disk, lock)
    }

    fn open_locked(folder: &Path, disk: Box<dyn Disk>, lock: Lock) -> Result<Self, LedgerError> {
        let key = private(&folder.join("keys/log"), MAX_NOTE_BYTES)?;
        let key = std::str::from_utf8(&key)
            .ok()
            .and_then(LogKey::parse)
            .ok_or_else(|| damaged("keys/log", "not a signing key"))?;
        let master = private(&folder.join("keys/master"), 32)?
            .try_into()
            .map_err(|_| damaged("keys/master", "not a key of 32 bytes"))?;
        let history = History::signed(folder, key.trusted().clone(), Some(master))?;
        let (journal, replay) = open_journal(folder, disk.as_ref(), history.size())?;
        let mut ledger = Self {
            folder: folder.to_owned(),
            disk,
            key,
            master,
            history,
            journal,
            last_ms: i64::MIN,
            recovery: Recovery {
                replayed: 0,
                torn_bytes: replay.torn,
            },
            poisoned: false,
            _lock: lock,
        };
        let base = ledger.journal.base;
        ledger.history.replay(base, replay.batches)?;
        if ledger.size() > 0 {
            ledger.last_ms = ledger.record(ledger.size() - 1)?.time_ms;
        }
        ledger.recovery.replayed = ledger.history.pending.len() as u64;
        // Starts with an empty journal, so that what a crash left is tidied once, here. A full disk
        // must not keep the ledger from being read.
        if ledger.journal.base != ledger.size() {
            match ledger.integrate() {
                Err(error) if !error.disk_full() => return Err(error),
                _ => {}
            }
        }
        Ok(ledger)
    }

    /// Everything that can be read, for whoever only reads.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The key to hand to whoever will verify; keep a copy outside this machine.
    pub fn trusted_key(&self) -> &TrustedKey {
        self.key.trusted()
    }

    /// Number of acknowledged records.
    pub fn size(&self) -> u64 {
        self.history.size()
    }

    /// What opening found and mended.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// See [`History::checkpoint`].
    pub fn checkpoint(&self) -> String {
        self.history.checkpoint()
    }

    /// Size and root of [`Self::checkpoint`].
    pub fn head(&self) -> Result<Head, LedgerError> {
        self.history.head()
    }

    /// The record at `index`.
    pub fn record(&self, index: u64) -> Result<Record, LedgerError> {
        self.history.record(index)
    }

    /// See [`History::entries`].
    pub fn entries(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<Record, LedgerError>> + '_ {
        self.history.entries(range)
    }

    /// See [`History::inclusion_proof`].
    pub fn inclusion_proof(&self, index: u64) -> Result<InclusionProof, LedgerError> {
        self.history.inclusion_proof(index)
    }

    /// The content of a sealed object, checked against its name.
    pub fn get_object(&self, name: Commitment) -> Result<Vec<u8>, LedgerError> {
        self.history.get_object(name)
    }

    /// Appends one record and returns its index when it is durable.
    pub fn append(&mut self, world: &dyn System, body: Body) -> Result<u64, LedgerError> {
        Ok(self.append_all(world, vec![body])?.start)
    }

    /// Appends several records with one sync: all of them are durable, or none was recorded. Results
    /// may name intents of the same group by the index they will get.
    pub fn append_all(
        &mut self,
        world: &dyn System,
        bodies: Vec<Body>,
    ) -> Result<Range<u64>, LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let first = self.size();
        if bodies.is_empty() {
            return Ok(first..first);
        }
        let now = world.now().0;
        let mut last_ms = self.last_ms;
        let mut entries = Vec::with_capacity(bodies.len());
        for (offset, body) in bodies.into_iter().enumerate() {
            let time_ms = last_ms.max(now);
            let record = Record {
                seq: first + offset as u64,
                time_ms,
                clock_ms: (time_ms != now).then_some(now),
                body,
            };
            last_ms = time_ms;
            entries.push(record.to_bytes()?);
        }
        match self.commit(&entries) {
            Ok(note) => {
                self.history.note = note;
                self.last_ms = last_ms;
                self.history.pending.extend(entries);
            }
            Err(error) => {
                self.history.tree.cut(first);
                return Err(error);
            }
        }
        let last = self.size();
        if last - self.history.tree.on_disk() >= JOURNAL_RECORDS
            || self.journal.length >= JOURNAL_BYTES
        {
            // The records are durable in the journal whatever happens here; it is tried again.
            let _ = self.integrate();
        }
        Ok(first..last)
    }

    /// Seals `content` beside the log; durable when this returns. The same content sealed twice gets
    /// two names.
    pub fn put_object(
        &self,
        world: &dyn System,
        content: &[u8],
    ) -> Result<Commitment, LedgerError> {
        let size = content.len() as u64;
        if size > MAX_OBJECT_BYTES {
            return Err(LedgerError::ObjectTooLarge(size));
        }
        let sealed =
            object::seal(world, &self.master, content).ok_or(LedgerError::ObjectTooLarge(size))?;
        for (root, bytes) in [
            ("keys/wrapped", &sealed.wrapped),
            ("objects", &sealed.object),
        ] {
            let path = object_path(&self.folder, root, sealed.commitment);
            if let Some(parent) = path.parent() {
                make_dirs(self.disk.as_ref(), parent)?;
                let mode = if root == "objects" {
                    Mode::Final
                } else {
                    Mode::Private
                };
                self.disk
                    .put(&path, bytes, mode)
                    .and_then(|()| self.disk.sync_dir(parent))
                    .map_err(|error| io_error("sealing", &path, error))?;
            }
        }
        Ok(sealed.commitment)
    }

    /// Moves what is in the journal into tiles and signs a kept checkpoint. Happens by itself now and
    /// then, and when the ledger is dropped; calling it makes a folder tidy before it is copied.
    pub fn integrate(&mut self) -> Result<(), LedgerError> {
        let size = self.size();
        if size > self.history.tree.on_disk() {
            self.write_tiles()?;
        }
        if self.journal.base == size {
            return Ok(());
        }
        let fresh = new_journal(&self.folder, self.disk.as_ref(), size)?;
        let old = std::mem::replace(&mut self.journal, fresh);
        remove_journal(&self.folder, self.disk.as_ref(), old.base)
    }

    fn write_tiles(&mut self) -> Result<(), LedgerError> {
        let (old, size) = (self.history.tree.on_disk(), self.size());
        let mut files = self
            .history
            .tree
            .new_tiles()
            .map_err(|error| damaged("tile", error.to_string()))?;
        for number in old / WIDTH..size.div_ceil(WIDTH) {
            let start = (number * WIDTH).max(old);
            let width = width_at(size, 0, number);
            let fresh = &self.history.pending
                [(start - old) as usize..(number * WIDTH + width - old) as usize];
            let mut bundle = if start > number * WIDTH {
                pack(self.history.bundle(number)?.iter().map(Vec::as_slice))
            } else {
                Vec::new()
            };
            bundle.extend(pack(fresh.iter().map(Vec::as_slice)));
            files.push((tile_path(Kind::Entries, number, width), bundle));
        }
        let mut dirs = std::collections::BTreeSet::new();
        for (name, bytes) in &files {
            self.put_in(name, bytes, Mode::Final, &mut dirs)?;
        }
        let kept = format!("checkpoints/{size:020}");
        self.put_in(&kept, &self.history.note, Mode::Final, &mut dirs)?;
        for dir in &dirs {
            self.disk
                .sync_dir(dir)
                .map_err(|error| io_error("syncing", dir, error))?;
        }
        // From here on the tiles count. Everything above it is leftovers until this rename.
        let path = self.folder.join("checkpoint");
        self.disk
            .put(&path, &self.history.note, Mode::Shared)
            .and_then(|()| self.disk.sync_dir(&self.folder))
            .map_err(|error| io_error("writing", &path, error))?;
        self.history.tree.integrated();
        self.history.pending.clear();
        self.drop_partials(old, size);
        Ok(())
    }

    /// Removes partial tiles that wider ones replace. Leftovers are harmless, so failing is fine.
    fn drop_partials(&self, old: u64, size: u64) {
        for level in 0..8_u8 {
            let number = (old >> (u32::from(level) * 8)) / WIDTH;
            let width = width_at(old, level, number);
            if width == 0 || width == width_at(size, level, number) {
                continue;
            }
            let mut kinds = vec![Kind::Hashes(level)];
            if level == 0 {
                kinds.push(Kind::Entries);
            }
            for kind in kinds {
                let path = self.folder.join(tile_path(kind, number, width));
                if parse_tile_path(&tile_path(kind, number, width)).is_some() && width < WIDTH {
                    let _ = self.disk.remove(&path);
                    // Only an empty folder goes.
                    if let Some(parent) = path.parent() {
                        let _ = fs::remove_dir(parent);
                    }
                }
            }
        }
    }

    fn put_in(
        &self,
        name: &str,
        bytes: &[u8],
        mode: Mode,
        dirs: &mut std::collections::BTreeSet<PathBuf>,
    ) -> Result<(), LedgerError> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            make_dirs(self.disk.as_ref(), parent)?;
            dirs.insert(parent.to_owned());
        }
        self.disk
            .put(&path, bytes, mode)
            .map_err(|error| io_error("writing", &path, error))
    }

    /// Writes one batch to the journal and syncs it; on failure the journal is as it was.
    fn commit(&mut self, entries: &[Vec<u8>]) -> Result<Vec<u8>, LedgerError> {
        let tile_error = |error: tlog_tiles::Error| damaged("tile", error.to_string());
        for entry in entries {
            self.history.tree.push(entry).map_err(tile_error)?;
        }
        let root: Hash = self.history.tree.root().map_err(tile_error)?;
        let note = self
            .key
            .sign(self.history.tree.size(), root, self.history.tree.on_disk())
            .map_err(|error| damaged("checkpoint", error))?;
        let frames = journal::frames(self.journal.base, self.journal.length, entries, &note);
        let file = &self.journal.file;
        let written = self
            .disk
            .append(file, &frames)
            .and_then(|()| self.disk.sync(file));
        if let Err(error) = written {
            // The batch is given up whole. What was acknowledged lies before it and was synced, so
            // cutting back and syncing again leaves exactly that.
            let cut = self
                .disk
                .truncate(file, self.journal.length)
                .and_then(|()| self.disk.sync(file));
            self.poisoned = cut.is_err();
            return Err(LedgerError::Io {
                doing: "appending to the ledger".to_owned(),
                source: error,
            });
        }
        self.journal.length += frames.len() as u64;
        Ok(note)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Everything acknowledged is durable already; this only spares the next opening some work.
        if !self.poisoned {
            let _ = self.integrate();
        }
    }
}

/// `objects/ab/abcdef...`
pub(crate) fn object_path(folder: &Path, root: &str, name: Commitment) -> PathBuf {
    let digits = name.0.hex();
    folder.join(root).join(&digits[..2]).join(&digits)
}

/// Whether anything in the folder was ever signed, so that fresh keys must not be put over it.
fn holds_history(folder: &Path) -> bool {
    let any = |name: &str| {
        fs::read_dir(folder.join(name)).is_ok_and(|mut entries| entries.next().is_some())
    };
    any("checkpoints") || any("tile") || any("objects") || any("journal")
}

fn make_dirs(disk: &dyn Disk, path: &Path) -> Result<(), LedgerError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
    {
        make_dirs(disk, parent)?;
    }
    disk.make_dir(path)
        .map_err(|error| io_error("making", path, error))
}

/// The exclusive hold on a folder. Given back in so many words: a child that was just forked has the
/// descriptor too, and closing ours alone would leave the folder taken until the child runs.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}

/// Takes the folder for this process. The kernel gives the lock back when the process ends, however
/// it ends; the number inside is only for the message.
fn lock(folder: &Path) -> Result<Lock, LedgerError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| io_error("opening", &path, error))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = read_capped(&path, 64)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .and_then(|text| text.trim().parse().ok());
            return Err(LedgerError::Held { holder });
        }
        Err(error) => return Err(io_error("locking", &path, error.into())),
    }
    // A full disk must not keep a reader out: the lock holds without the number.
    let _ = fs::write(&path, format!("{}\n", std::process::id()));
    Ok(Lock(file))
}

pub(crate) fn private(path: &Path, cap: u64) -> Result<Vec<u8>, LedgerError> {
    let found = fs::symlink_metadata(path).map_err(|error| io_error("reading", path, error))?;
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(LedgerError::KeyMode {
            path: path.to_owned(),
            mode,
        });
    }
    read_capped(path, cap).map_err(|error| io_error("reading", path, error))
}
