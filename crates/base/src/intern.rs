//! Interned strings. Ids depend on the order of arrival, so they never leave the process and never
//! decide an order that a user can see: sort by text at borders.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, RwLock};

/// An interned string of one [`Interner`]. The low four bits name the shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(u32);

const SHARDS: usize = 16;

/// Takes a hash as it is: keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
struct Shard {
    /// By the hash of the text: each text is hashed once.
    ids: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Texts whose hash another one had before; the hash has 64 bits and a secret key.
    clashes: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Shard {
    fn find(&self, hash: u64, text: &str) -> Option<Name> {
        let id = *self.ids.get(&hash)?;
        if &*self.texts[(id >> 4) as usize] == text {
            return Some(Name(id));
        }
        self.clashes.get(text).copied().map(Name)
    }
}

/// A shared table of strings, safe to use from many threads at once.
pub struct Interner {
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
        }
    }
}

impl Interner {
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of `text`; the same text always gives the same name.
    pub fn name(&self, text: &str) -> Name {
        let hash = self.hasher.hash_one(text);
        // A shard's own table looks at the lowest and the highest bits.
        let shard_index = ((hash >> 32) as usize) % SHARDS;
        let lock = &self.shards[shard_index];
        {
            let shard = lock
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(name) = shard.find(hash, text) {
                return name;
            }
        }
        let mut shard = lock
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(name) = shard.find(hash, text) {
            return name;
        }
        // 2^28 names per shard: a repository of that many distinct strings does not fit memory first.
        let id = ((shard.texts.len() as u32) << 4) | shard_index as u32;
        let text: Arc<str> = text.into();
        shard.texts.push(text.clone());
        if let Some(other) = shard.ids.insert(hash, id) {
            shard.ids.insert(hash, other);
            shard.clashes.insert(text, id);
        }
        Name(id)
    }

    /// The text of `name`, which must come from this table.
    pub fn text(&self, name: Name) -> Arc<str> {
        let shard = self.shards[(name.0 as usize) % SHARDS]
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        shard.texts[(name.0 >> 4) as usize].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_one_name() {
        let names = Interner::new();
        let a = names.name("request");
        assert_eq!(a, names.name("request"));
        assert_ne!(a, names.name("args"));
        assert_eq!(&*names.text(a), "request");
    }
}
