//! Tiles on disk (C2SP tlog-tiles: height 8) and the hashes between them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tlog_tiles::{
    Error, Hash, HashReader, Tile, split_stored_hash_index, stored_hash_index, stored_hashes,
    tree_hash,
};

use crate::disk::read_capped;

/// Height of a tile: 256 hashes.
pub(crate) const HEIGHT: u8 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub(crate) const WIDTH: u64 = 256;
pub(crate) const HASH: usize = 32;

/// A full bundle of largest entries, each with its two bytes of length.
pub(crate) const MAX_BUNDLE_BYTES: u64 =
    WIDTH * (solvent_protocol::record::MAX_RECORD_BYTES as u64 + 2);

/// What a tile file holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    /// Hashes at this level of tiles.
    Hashes(u8),
    Entries,
}

/// `tile/0/x001/234.p/5`: number in groups of three digits, all but the last marked by `x`; partial
/// tiles carry their width.
pub(crate) fn tile_path(kind: Kind, number: u64, width: u64) -> String {
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.insert(0, format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    let level = match kind {
        Kind::Hashes(level) => level.to_string(),
        Kind::Entries => "entries".to_owned(),
    };
    let partial = if width < WIDTH {
        format!(".p/{width}")
    } else {
        String::new()
    };
    format!("tile/{level}/{}{partial}", groups.join("/"))
}

/// The inverse of [`tile_path`], exact: one path per tile.
pub(crate) fn parse_tile_path(path: &str) -> Option<(Kind, u64, u64)> {
    let rest = path.strip_prefix("tile/")?;
    let (level, rest) = rest.split_once('/')?;
    let kind = if level == "entries" {
        Kind::Entries
    } else {
        Kind::Hashes(level.parse().ok().filter(|&level: &u8| level < 8)?)
    };
    let (digits, width) = match rest.split_once(".p/") {
        Some((digits, width)) => (digits, width.parse().ok()?),
        None => (rest, WIDTH),
    };
    let mut number: u64 = 0;
    for group in digits.split('/') {
        let value: u64 = group.trim_start_matches('x').parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(value)?;
    }
    (width > 0 && tile_path(kind, number, width) == path).then_some((kind, number, width))
}

/// Width of tile `number` at `level` in a tree of `size` records; zero when it does not exist.
pub(crate) fn width_at(size: u64, level: u8, number: u64) -> u64 {
    let shift = u32::from(level) * u32::from(HEIGHT);
    let hashes = if shift < 64 { size >> shift } else { 0 };
    hashes
        .saturating_sub(number.saturating_mul(WIDTH))
        .min(WIDTH)
}

/// Length-prefixed entries of one bundle.
pub(crate) fn pack<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        out.extend_from_slice(entry);
    }
    out
}

/// Splits a bundle into exactly `width` entries; `None` when there are more, fewer or loose bytes.
pub(crate) fn unpack(bundle: &[u8], width: u64) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        entries.push(rest.get(2..2 + length)?);
        rest = &rest[2 + length..];
    }
    (entries.len() as u64 == width).then_some(entries)
}

/// The hashes of one ledger: tiles up to `on_disk`, memory after it.
pub(crate) struct Tree {
    folder: PathBuf,
    /// Records whose hashes are in tiles.
    on_disk: u64,
    /// Records in all.
    size: u64,
    /// Hashes completed by records past `on_disk`, by stored hash index.
    pending: HashMap<u64, Hash>,
    /// Tiles read lately, by level, number and width.
    cache: Mutex<HashMap<(u8, u64, u64), Vec<u8>>>,
}

/// Tiles kept in memory: the right edge of any tree and room for proofs, 4 MiB.
const CACHED_TILES: usize = 512;

impl Tree {
    pub fn new(folder: &Path, on_disk: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            on_disk,
            size: on_disk,
            pending: HashMap::new(),
            cache: Mutex::new(HashMap::new()),
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn on_disk(&self) -> u64 {
        self.on_disk
    }

    /// Adds a record's bytes as the next leaf.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), Error> {
        let hashes = stored_hashes(self.size, entry, self)?;
        let first = stored_hash_index(0, self.size);
        for (offset, hash) in hashes.into_iter().enumerate() {
            self.pending.insert(first + offset as u64, hash);
        }
        self.size += 1;
        Ok(())
    }

    /// Forgets the records past `size`, which must not be below the tiles.
    pub fn cut(&mut self, size: u64) {
        let first = stored_hash_index(0, size);
        self.pending.retain(|&index, _| index < first);
        self.size = size;
    }

    pub fn root(&self) -> Result<Hash, Error> {
        tree_hash(self.size, self)
    }

    /// Tiles that are new or wider since `on_disk`: path and content.
    pub fn new_tiles(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Tile::new_tiles(HEIGHT, self.on_disk, self.size)
            .into_iter()
            .map(|tile| {
                let path = tile_path(
                    Kind::Hashes(tile.level()),
                    tile.level_index(),
                    tile.width().into(),
                );
                Ok((path, tile.read_data(self)?))
            })
            .collect()
    }

    /// The tiles of the whole tree are on disk now.
    pub fn integrated(&mut self) {
        self.on_disk = self.size;
        self.pending.clear();
        self.cache
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|&(_, _, width), _| width == WIDTH);
    }

    fn tile(&self, level: u8, number: u64, width: u64) -> Result<Vec<u8>, Error> {
        let key = (level, number, width);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = cache.get(&key) {
            return Ok(bytes.clone());
        }
        let path = self
            .folder
            .join(tile_path(Kind::Hashes(level), number, width));
        let bytes = read_capped(&path, WIDTH * HASH as u64).map_err(|_| Error::InvalidTile)?;
        if bytes.len() as u64 != width * HASH as u64 {
            return Err(Error::InvalidTile);
        }
        if cache.len() >= CACHED_TILES {
            // A reader keeps the partial ones: the writer replaces them on disk.
            cache.retain(|&(_, _, width), _| width < WIDTH);
        }
        cache.insert(key, bytes.clone());
        Ok(bytes)
    }
}

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        indexes
            .iter()
            .map(|&index| {
                if let Some(&hash) = self.pending.get(&index) {
                    return Ok(hash);
                }
                let (level, n) = split_stored_hash_index(index);
                if (n + 1) << level > self.on_disk {
                    return Err(Error::IndexesNotInTree);
                }
                let least = Tile::from_index(HEIGHT, index);
                let width = width_at(self.on_disk, least.level(), least.level_index());
                let bytes = self.tile(least.level(), least.level_index(), width)?;
                let width = u32::try_from(width).map_err(|_| Error::InvalidTile)?;
                Tile::new(HEIGHT, least.level(), least.level_index(), width, false)
                    .hash_at_index(&bytes, index)
            })
            .collect()
    }
}
