//! How often each key may ask.

use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use moka::sync::Cache;

/// Keys remembered at once. Beyond it the least asked are forgotten, and start afresh.
const MOST_KEYS: u64 = 100_000;
/// After a minute without a request a key may ask as often as a new one.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Lets each key ask so often a minute, also all at once.
pub(super) struct Pace<K> {
    quota: Option<Quota>,
    buckets: Cache<K, Arc<DefaultDirectRateLimiter>>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Copy + Send + Sync + 'static> Pace<K> {
    pub(super) fn a_minute(most: Option<NonZeroU32>) -> Self {
        let buckets = Cache::builder().max_capacity(MOST_KEYS).time_to_idle(REMEMBERED_FOR).build();
        Self { quota: most.map(Quota::per_minute), buckets, clock: DefaultClock::default() }
    }

    /// Takes one request of a key, or says after which time the next one is taken.
    pub(super) fn take(&self, key: Option<K>) -> Result<(), Duration> {
        let (Some(quota), Some(key)) = (self.quota, key) else { return Ok(()) };
        let bucket = self.buckets.get_with(key, || Arc::new(RateLimiter::direct(quota)));
        bucket.check().map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_minute_s_worth_and_is_told_when_there_is_more() {
        let pace = Pace::a_minute(NonZeroU32::new(60));

        assert!((0..60).all(|_| pace.take(Some(1)).is_ok()));
        let wait = pace.take(Some(1)).unwrap_err();

        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(pace.take(Some(2)), Ok(()));
        assert_eq!(pace.take(None), Ok(()));
    }

    #[test]
    fn without_a_limit_nobody_waits_and_nothing_is_remembered() {
        let pace = Pace::a_minute(None);

        assert!((0..1_000).all(|key| pace.take(Some(key)).is_ok()));
        assert_eq!(pace.buckets.iter().count(), 0);
    }
}
