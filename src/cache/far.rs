//! Redis, where every process finds what one has loaded.
//!
//! A value is `{"v":1,"mark":…,"at":…,"value":…}`. `mark` is what the key's mark was when its load began. A
//! write sets the mark to something new, so a load that began before it stores what nobody reads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    CacheSettings, Cached,
    key::{Key, Kind},
};
use crate::{
    clock::Clock,
    telemetry::{Metrics, Vital},
    upstash::{Command, RedisError, RedisRest, Reply},
};

/// How much longer than a value its mark lives: longer than any load takes.
const MARK_OUTLIVES: Duration = Duration::from_secs(60);
/// Keys remembered that could not be dropped; past it their time to live has to do.
const MOST_UNDROPPED: usize = 10_000;

pub(super) struct Far {
    redis: RedisRest,
    clock: Clock,
    metrics: Arc<Metrics>,
    settings: CacheSettings,
    vital: Vital,
    rests_until: Mutex<Option<Instant>>,
    /// Keys that Redis could not be told to drop, and until when it may hold what was there.
    undropped: Mutex<HashMap<Key, Instant>>,
}

/// What Redis says of a key.
pub(super) enum LookUp {
    /// A value of this version.
    Found { json: Arc<str>, age: Duration },
    /// None that can be used; the mark as it was then.
    Missing(Option<String>),
    /// It does not answer, or is left alone: nothing may be stored.
    Away,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    v: u32,
    mark: Option<String>,
    /// When it was loaded, in milliseconds since the Unix epoch.
    at: u64,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl Far {
    pub(super) fn new(
        redis: &RedisRest,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: CacheSettings,
    ) -> Self {
        Self {
            redis: redis.clone().with_timeout(settings.answer_within),
            clock,
            metrics,
            settings,
            vital: Vital::new(clock),
            rests_until: Mutex::default(),
            undropped: Mutex::default(),
        }
    }

    pub(super) const fn vital(&self) -> &Vital {
        &self.vital
    }

    pub(super) async fn look_up<T: Cached>(&self, key: &Key) -> LookUp {
        let is_resting = lock(&self.rests_until).is_some_and(|until| Instant::now() < until);
        if is_resting || !self.drop_what_is_owed(key).await {
            return LookUp::Away;
        }
        let mut keys = vec![key.to_string()];
        keys.extend(key.kind().is_written().then(|| key.mark()));
        let asked = keys.len();
        let answer = self.note(key.kind(), self.redis.command(&Command::new("MGET").args(keys))).await;
        let replies =
            answer.and_then(|reply| reply.into_array().ok()).filter(|replies| replies.len() == asked);
        let Some(replies) = replies else { return LookUp::Away };
        let mark = replies.get(1).and_then(Reply::as_text).map(str::to_owned);
        let value = replies.first().and_then(Reply::as_text);
        value.and_then(|text| self.read::<T>(text, mark.as_deref())).unwrap_or(LookUp::Missing(mark))
    }

    /// Reads a value; nothing if it is damaged, of another version, or from before a write.
    fn read<T: Cached>(&self, text: &str, mark: Option<&str>) -> Option<LookUp> {
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        if envelope.v != T::VERSION || envelope.mark.as_deref() != mark {
            return None;
        }
        serde_json::from_str::<T>(envelope.value.get()).ok()?;
        let age = Duration::from_millis(self.clock.milliseconds().saturating_sub(envelope.at));
        Some(LookUp::Found { json: envelope.value.get().into(), age })
    }

    /// Stores what was loaded while the mark was `mark`.
    pub(super) async fn keep<T: Cached>(&self, key: &Key, json: &str, mark: Option<String>, lives: Duration) {
        let Ok(value) = serde_json::from_str(json) else { return };
        let envelope = Envelope { v: T::VERSION, mark, at: self.clock.milliseconds(), value };
        let Ok(text) = serde_json::to_string(&envelope) else { return };
        self.note(key.kind(), self.redis.command(&set(key.to_string(), text, lives))).await;
    }

    /// Drops a value for every process. What Redis does not take now is owed until the value's time is over.
    pub(super) async fn forget(&self, key: &Key) {
        if !self.drop_now(key).await {
            self.owe(key);
        }
    }

    /// Says whether Redis may be asked: nothing is owed, or it was taken now.
    async fn drop_what_is_owed(&self, key: &Key) -> bool {
        let owed = lock(&self.undropped).get(key).copied();
        let Some(until) = owed.filter(|until| Instant::now() < *until) else { return true };
        if !self.drop_now(key).await {
            return false;
        }
        let mut undropped = lock(&self.undropped);
        // A write that came meanwhile, and was not taken, is still owed.
        if undropped.get(key) == Some(&until) {
            undropped.remove(key);
        }
        true
    }

    async fn drop_now(&self, key: &Key) -> bool {
        let lives = self.lives(key) + MARK_OUTLIVES;
        let mark = set(key.mark(), uuid::Uuid::new_v4().to_string(), lives);
        let commands = [mark, Command::new("DEL").arg(key.to_string())];
        let dropping =
            async { self.redis.pipeline(&commands).await?.into_iter().collect::<Result<Vec<_>, _>>() };
        self.note(key.kind(), dropping).await.is_some()
    }

    fn owe(&self, key: &Key) {
        let now = Instant::now();
        let mut undropped = lock(&self.undropped);
        if undropped.len() >= MOST_UNDROPPED {
            undropped.retain(|_, until| now < *until);
        }
        if undropped.len() < MOST_UNDROPPED {
            undropped.insert(key.clone(), now + self.lives(key));
        }
    }

    fn lives(&self, key: &Key) -> Duration {
        key.kind().time_to_live().min(self.settings.longest)
    }

    /// Awaits a call and notes how it went.
    async fn note<T>(&self, kind: Kind, call: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
        let began = Instant::now();
        let answer = call.await;
        self.vital.took(began.elapsed());
        self.vital.set(answer.is_ok());
        *lock(&self.rests_until) = answer.as_ref().err().map(|_| Instant::now() + self.settings.rests_for);
        answer
            .inspect_err(|error| {
                self.metrics.cache_failed(kind);
                tracing::debug!(%error, cache = kind.as_str(), "the cache in Redis did not answer");
            })
            .ok()
    }
}

fn set(key: String, text: String, lives: Duration) -> Command {
    let milliseconds = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX).max(1);
    Command::new("SET").arg(key).arg(text).arg("PX").arg(milliseconds)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
