//! What every cache has to show, over memory and over Redis, and what Redis may do to it.

mod failures;
mod interleaved;
mod memory;
mod suite;
mod upstash;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidings::{
    cache::{Cache, CacheSettings, Cached, Key},
    event::Id,
};

/// What is kept in these tests.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Value(u32);

impl Cached for Value {
    const VERSION: u32 = 7;
}

/// Where values come from; counts what it is asked.
#[derive(Clone, Default)]
struct Source {
    value: Arc<AtomicU32>,
    loads: Arc<AtomicU32>,
}

impl Source {
    fn write(&self) -> u32 {
        self.value.fetch_add(1, SeqCst) + 1
    }

    fn loads(&self) -> u32 {
        self.loads.load(SeqCst)
    }

    async fn load(&self) -> Result<Option<Value>, Infallible> {
        self.loads.fetch_add(1, SeqCst);
        Ok(Some(Value(self.value.load(SeqCst))))
    }

    /// Reads through a cache.
    async fn read(&self, cache: &Cache, key: &Key) -> u32 {
        cache.get_or_load(key, self.load()).await.unwrap().unwrap().0
    }
}

/// Redis may take its time on a busy machine, but where a test says otherwise it is not left alone.
fn patient() -> CacheSettings {
    CacheSettings { answer_within: Duration::from_secs(20), rests_for: Duration::ZERO, ..Default::default() }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn checklist(case: &str) -> Key {
    Key::checklist(&id(case))
}
