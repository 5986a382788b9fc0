//! Keeps what was read for a while: get or load, with a time to live, and dropped when it is written.
//!
//! Two levels: near, the memory of this process, and far, Upstash Redis where it is configured. It knows keys
//! and JSON, not what they mean. A surprise: a far level that fails or is slow costs time, never an answer,
//! and what is dropped on writes is never held near while there is a far level, as nobody tells other
//! processes of a write.

mod far;
mod key;
mod near;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

pub use key::{Key, Kind};

use self::{
    far::{Far, LookUp},
    near::{Held, Near},
};
use crate::{
    clock::Clock,
    telemetry::{Metrics, Vital},
    upstash::RedisRest,
};

/// Longest time a value of the far level is held near: so much later a change made in Redis is seen.
const HELD_NEAR: Duration = Duration::from_secs(60);

/// A value that may be kept. It is written as JSON and must be read again as it was.
pub trait Cached: Serialize + DeserializeOwned + Send + Sync {
    /// Rises when the JSON changes its shape or meaning: a value of another version is not read.
    const VERSION: u32;
}

/// How a [`Cache`] works.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// Longest wait for one call to the far level. Default 300 ms.
    pub answer_within: Duration,
    /// How long a far level that failed is left alone. Default 5 s.
    pub rests_for: Duration,
    /// Keeps nothing for longer, whatever its kind. Default 1 h.
    pub longest: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_millis(300),
            rests_for: Duration::from_secs(5),
            longest: Duration::from_secs(3_600),
        }
    }
}

/// Keeps values by key. Clones share them.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

struct Shared {
    near: Near,
    far: Option<Far>,
    metrics: Arc<Metrics>,
    settings: CacheSettings,
}

/// Why a load gave nothing to keep.
enum Unloaded<E> {
    NotThere,
    Failed(Arc<E>),
}

impl Cache {
    /// Keeps values in the memory of this process only.
    #[must_use]
    pub fn in_memory(metrics: Arc<Metrics>, settings: CacheSettings) -> Self {
        Self { shared: Arc::new(Shared { near: Near::default(), far: None, metrics, settings }) }
    }

    /// Keeps values in Redis, where other processes find them too.
    #[must_use]
    pub fn over(redis: &RedisRest, clock: Clock, metrics: Arc<Metrics>, settings: CacheSettings) -> Self {
        let far = Some(Far::new(redis, clock, Arc::clone(&metrics), settings));
        Self { shared: Arc::new(Shared { near: Near::default(), far, metrics, settings }) }
    }

    /// Gives the value of `key`, loaded with `load` where it is not kept; nothing where `load` finds nothing.
    ///
    /// Callers of one key share a load under way, but none that began before a [`Cache::forget`] they
    /// came after. What is not there is not kept, and neither is an error.
    ///
    /// # Errors
    /// The error of `load`, for all who shared it.
    pub async fn get_or_load<T: Cached, E: Send + Sync + 'static>(
        &self,
        key: &Key,
        load: impl Future<Output = Result<Option<T>, E>> + Send,
    ) -> Result<Option<T>, Arc<E>> {
        let has_loaded = AtomicBool::new(false);
        let held = self.shared.near.get_or(key, self.shared.fetch(key, load, &has_loaded)).await;
        self.shared.metrics.cache_asked(key.kind(), !has_loaded.load(Relaxed));
        match held.as_ref().map_err(|unloaded| &**unloaded) {
            Ok(held) => Ok(serde_json::from_str(&held.json).ok()),
            Err(Unloaded::NotThere) => Ok(None),
            Err(Unloaded::Failed(error)) => Err(Arc::clone(error)),
        }
    }

    /// Drops the value of `key`, after its source was written; a load under way leaves nothing behind.
    ///
    /// # Cancel safety
    /// Where the future is dropped half-way, other processes may see the earlier value until its time is over.
    pub async fn forget(&self, key: &Key) {
        let Shared { near, far, .. } = &*self.shared;
        near.forget(key);
        if let Some(far) = far {
            far.forget(key).await;
            // Who came while Redis was being told may have read there what it held before.
            near.forget(key);
        }
    }

    /// Tells how the far level does; none where there is only memory.
    #[must_use]
    pub fn far_level(&self) -> Option<&Vital> {
        self.shared.far.as_ref().map(Far::vital)
    }
}

impl Shared {
    /// Looks for a value far, then at its source.
    async fn fetch<T: Cached, E>(
        &self,
        key: &Key,
        load: impl Future<Output = Result<Option<T>, E>>,
        has_loaded: &AtomicBool,
    ) -> Result<Held, Unloaded<E>> {
        let seen = match &self.far {
            Some(far) => far.look_up::<T>(key).await,
            None => LookUp::Away,
        };
        if let LookUp::Found { json, age } = seen {
            return Ok(Held { json, hold_for: self.hold_for(key, age) });
        }
        has_loaded.store(true, Relaxed);
        let json = self.load(key.kind(), load).await?;
        if let (Some(far), LookUp::Missing(mark)) = (&self.far, seen) {
            far.keep::<T>(key, &json, mark, self.time_to_live(key)).await;
        }
        Ok(Held { json, hold_for: self.hold_for(key, Duration::ZERO) })
    }

    async fn load<T: Cached, E>(
        &self,
        kind: Kind,
        load: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Arc<str>, Unloaded<E>> {
        let began = Instant::now();
        let loaded = load.await;
        self.metrics.cache_loaded(kind, began.elapsed());
        let value = loaded.map_err(|error| Unloaded::Failed(Arc::new(error)))?;
        let value = value.ok_or(Unloaded::NotThere)?;
        Ok(serde_json::to_string(&value).expect("what is cached is JSON").into())
    }

    fn hold_for(&self, key: &Key, age: Duration) -> Duration {
        let left = self.time_to_live(key).saturating_sub(age);
        match &self.far {
            None => left,
            Some(_) if key.kind().is_written() => Duration::ZERO,
            Some(_) => left.min(HELD_NEAR),
        }
    }

    fn time_to_live(&self, key: &Key) -> Duration {
        key.kind().time_to_live().min(self.settings.longest)
    }
}
