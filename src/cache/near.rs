//! The memory of this process, and one load at a time for each key.
//!
//! A value is kept under its key and the key's generation. To forget is to raise the generation: a load
//! that is still under way then ends where nobody looks any more.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

use super::key::Key;

/// Most bytes kept: about 10,000 checklists.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// What a value costs beside its own bytes, about.
const OVERHEAD: usize = 256;
/// Keys share generations: to forget one is to load a few others anew.
const GENERATIONS: usize = 4_096;

/// A value as it is kept.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) json: Arc<str>,
    /// For how long; zero is for those only who wait for it.
    pub(super) hold_for: Duration,
}

pub(super) struct Near {
    values: Cache<(Key, u64), Held>,
    generations: Box<[AtomicU64]>,
    places: RandomState,
}

impl Default for Near {
    fn default() -> Self {
        let weigh =
            |_: &(Key, u64), held: &Held| u32::try_from(held.json.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self {
            values: Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).expire_after(HoldFor).build(),
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            places: RandomState::new(),
        }
    }
}

impl Near {
    /// Gives what is held, or what `fetch` gives to all who ask meanwhile.
    pub(super) async fn get_or<E: Send + Sync + 'static>(
        &self,
        key: &Key,
        fetch: impl Future<Output = Result<Held, E>>,
    ) -> Result<Held, Arc<E>> {
        let generation = self.generation(key).load(SeqCst);
        // Boxed: moka's own future holds it several times over, and a load may hold another one.
        self.values.try_get_with((key.clone(), generation), Box::pin(fetch)).await
    }

    pub(super) fn forget(&self, key: &Key) {
        self.generation(key).fetch_add(1, SeqCst);
    }

    fn generation(&self, key: &Key) -> &AtomicU64 {
        let hash = self.places.hash_one(key);
        &self.generations[usize::try_from(hash % GENERATIONS as u64).unwrap_or_default()]
    }
}

/// Each value says itself how long it is held.
struct HoldFor;

impl Expiry<(Key, u64), Held> for HoldFor {
    fn expire_after_create(&self, _: &(Key, u64), held: &Held, _: Instant) -> Option<Duration> {
        Some(held.hold_for)
    }
}
