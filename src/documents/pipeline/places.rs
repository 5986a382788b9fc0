//! Turns at documents: one lock for each, shared by few.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::Mutex;

use crate::event::Id;

/// Documents that have their turn at once, at most.
const PLACES: usize = 64;

/// Keeps one lock for each document.
pub(super) struct Places {
    locks: [Mutex<()>; PLACES],
    hashes: RandomState,
}

impl Default for Places {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::default()), hashes: RandomState::new() }
    }
}

impl Places {
    pub(super) fn of(&self, document: &Id) -> &Mutex<()> {
        let hash = self.hashes.hash_one(document.as_str());
        &self.locks[usize::try_from(hash % PLACES as u64).unwrap_or_default()]
    }
}
