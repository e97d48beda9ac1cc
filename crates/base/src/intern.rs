//! Interned strings. Ids depend on the order of arrival, so they never leave the process and never
//! decide an order that a user can see: sort by text at borders.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, RwLock};

/// An interned string of one [`Interner`]. The low four bits name the shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(u32);

const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    ids: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
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
        let shard_index = (self.hasher.hash_one(text) as usize) % SHARDS;
        let lock = &self.shards[shard_index];
        {
            let shard = lock
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(&id) = shard.ids.get(text) {
                return Name(id);
            }
        }
        let mut shard = lock
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(&id) = shard.ids.get(text) {
            return Name(id);
        }
        // 2^28 names per shard: a repository of that many distinct strings does not fit memory first.
        let id = ((shard.texts.len() as u32) << 4) | shard_index as u32;
        let text: Arc<str> = text.into();
        shard.texts.push(text.clone());
        shard.ids.insert(text, id);
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
