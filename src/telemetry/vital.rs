//! How one part of a server does: whether it answers, since when, and how long its last call took.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Follows how one part does. Clones share it.
#[derive(Clone)]
pub struct Vital {
    clock: Clock,
    reading: Arc<Mutex<Reading>>,
}

/// How a part does at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whether it answers.
    pub is_up: bool,
    /// Since when that is so, in milliseconds since the Unix epoch.
    pub since: u64,
    /// How long its last call took; none before the first.
    pub latency: Option<Duration>,
}

impl Vital {
    /// Begins with a part that answers.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let reading = Reading { is_up: true, since: clock.milliseconds(), latency: None };
        Self { clock, reading: Arc::new(Mutex::new(reading)) }
    }

    /// Follows a part that tells itself whether it answers, until `stop`.
    pub fn follow(&self, mut is_up: watch::Receiver<bool>, stop: CancellationToken) {
        self.set(*is_up.borrow_and_update());
        let follower = self.clone();
        let follow = async move {
            while is_up.changed().await.is_ok() {
                follower.set(*is_up.borrow_and_update());
            }
        };
        tokio::spawn(stop.run_until_cancelled_owned(follow));
    }

    /// Notes whether the part answers.
    pub fn set(&self, is_up: bool) {
        let mut reading = self.lock();
        if reading.is_up != is_up {
            *reading = Reading { is_up, since: self.clock.milliseconds(), ..*reading };
        }
    }

    /// Notes how long a call took.
    pub fn took(&self, latency: Duration) {
        self.lock().latency = Some(latency);
    }

    /// Tells how it does now.
    #[must_use]
    pub fn read(&self) -> Reading {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn since_is_when_the_state_changed_not_when_it_was_last_seen() {
        let vital = Vital::new(Clock::following_timers(Duration::from_secs(1_000)));
        let mut since = Vec::new();
        for is_up in [true, false, false, true] {
            tokio::time::advance(Duration::from_secs(1)).await;
            vital.set(is_up);
            since.push(vital.read().since / 1_000);
        }

        assert_eq!(since, [1_000, 1_002, 1_002, 1_004]);
    }

    #[tokio::test]
    async fn a_part_is_followed() {
        let is_up = watch::Sender::new(true);
        let vital = Vital::new(Clock::System);
        vital.follow(is_up.subscribe(), CancellationToken::new());

        is_up.send_replace(false);
        while vital.read().is_up {
            tokio::task::yield_now().await;
        }
    }
}
