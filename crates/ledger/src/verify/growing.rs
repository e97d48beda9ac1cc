//! The Merkle tree that the records turn out to have.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

use crate::tree::WIDTH;

/// A Merkle tree that is only ever added to, with the tiles it completes.
#[derive(Default)]
pub(super) struct Growing {
    /// Roots of whole subtrees, left to right, with the height of each.
    pub(super) stack: Vec<(u8, Hash)>,
    /// Hashes of the unfinished tile of each level.
    pub(super) levels: Vec<Vec<Hash>>,
    /// Hashes so far at each level.
    pub(super) counts: Vec<u64>,
    /// All hashes of the levels above the leaves.
    pub(super) upper: Vec<Vec<Hash>>,
    /// Tiles completed since they were last taken: level, number, hashes.
    pub(super) full: Vec<(u8, u64, Vec<Hash>)>,
}

impl Growing {
    pub(super) fn push(&mut self, leaf: Hash) {
        self.tile(0, leaf);
        let (mut height, mut hash) = (0, leaf);
        while let Some(&(other, left)) = self.stack.last() {
            if other != height {
                break;
            }
            self.stack.pop();
            hash = node_hash(left, hash);
            height += 1;
            if height % 8 == 0 {
                self.tile(usize::from(height / 8), hash);
            }
        }
        self.stack.push((height, hash));
    }

    fn tile(&mut self, level: usize, hash: Hash) {
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
            self.counts.push(0);
            self.upper.push(Vec::new());
        }
        if level > 0 {
            self.upper[level - 1].push(hash);
        }
        self.levels[level].push(hash);
        self.counts[level] += 1;
        if self.levels[level].len() as u64 == WIDTH {
            let hashes = std::mem::take(&mut self.levels[level]);
            self.full
                .push((level as u8, self.counts[level] / WIDTH - 1, hashes));
        }
    }

    pub(super) fn root(&self) -> Hash {
        let mut parts = self.stack.iter().rev();
        let Some(&(_, mut hash)) = parts.next() else {
            return EMPTY_HASH;
        };
        for &(_, left) in parts {
            hash = node_hash(left, hash);
        }
        hash
    }
}
