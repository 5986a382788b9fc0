//! Keeps count of calls, bytes and billed commands, and sends nothing while the quota is spent.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{command::Command, error::RedisError};
use crate::{clock::Clock, telemetry::Metrics};

/// The account of one database.
pub(super) struct Account {
    metrics: Arc<Metrics>,
    is_quota_spent: AtomicBool,
    /// Until when nothing that is billed is sent: each refused command is counted there as well.
    rests_until: Mutex<Option<Instant>>,
}

impl Account {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, is_quota_spent: AtomicBool::new(false), rests_until: Mutex::default() }
    }

    /// Refuses a call that costs something while the quota is spent.
    pub(super) fn admit(&self, is_free: bool) -> Result<(), RedisError> {
        if self.rests_for().is_some() && !is_free { Err(RedisError::Quota) } else { Ok(()) }
    }

    /// Gives the time left until something that is billed is sent again.
    pub(super) fn rests_for(&self) -> Option<Duration> {
        let left = self.lock().map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.metrics.redis_carried("sent", bytes);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.metrics.redis_carried("received", bytes);
    }

    pub(super) fn bill(&self, commands: u64) {
        self.metrics.redis_billed(commands);
    }

    /// Books one call: what each command costs, and the first error as the call's outcome.
    pub(super) fn book<'a>(&self, outcomes: impl IntoIterator<Item = (&'a Command, Option<&'a RedisError>)>) {
        let mut first_error = None;
        for (command, error) in outcomes {
            if error.is_none_or(RedisError::is_billed) {
                self.bill(command.billed());
            }
            first_error = first_error.or(error);
        }
        self.metrics.redis_called(first_error.map_or("ok", RedisError::kind));
        self.note_quota(first_error);
    }

    /// Logs a spent quota the first time only: the metrics tell how it goes on.
    fn note_quota(&self, error: Option<&RedisError>) {
        match error {
            None => {
                self.is_quota_spent.store(false, Ordering::Relaxed);
                // What costs nothing is taken during a rest as well.
                if self.rests_for().is_none() {
                    self.metrics.redis_rests(None);
                }
            }
            Some(error @ RedisError::Quota) => {
                let pause = error.back_off();
                *self.lock() = pause.map(|pause| Instant::now() + pause);
                self.metrics.redis_rests(pause.map(|pause| Clock::System.since_epoch() + pause));
                if !self.is_quota_spent.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "Redis refuses until the quota is renewed or raised");
                }
            }
            Some(_) => {}
        }
    }
}
