//! Runs the script that moves what has arrived into the logs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{super::LOG_ENTRIES, expiry::Expiries, keys, script::Script};
use crate::{
    event::{Channel, MAX_EVENT_BYTES},
    upstash::{Command, RedisError, RedisRest, Reply},
};

const SCRIPT: &str = include_str!("drain.lua");
/// Events and bytes moved in one run: a script holds its keys locked.
const MOST_EVENTS: usize = 256;
const MOST_BYTES: usize = 1 << 20;
/// Channels of one run: Lua passes about 8,000 arguments at most.
pub(super) const CHANNELS_AT_ONCE: usize = 1_000;

/// A pipeline that was answered in full has an answer for each command.
const MISSING: RedisError = RedisError::Garbled("fewer answers than commands");

/// Moves what has arrived into the logs.
pub(super) struct Drain {
    script: Script,
    time_to_live: Duration,
    expiries: Arc<Expiries>,
    /// Where the next run begins, so that a busy channel does not starve the others.
    turn: AtomicUsize,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drained {
    /// Events that are in a log now.
    pub(super) moved: u64,
    /// Items that were no events.
    pub(super) dead: u64,
    /// Inboxes that were no lists.
    pub(super) quarantined: u64,
    /// Events that the log did not take and that wait in their inbox.
    pub(super) refused: u64,
    /// Whether the run ended at its bounds: more may wait.
    pub(super) has_more: bool,
    /// Calls the script made, each of them billed.
    pub(super) calls: u64,
}

impl Drain {
    pub(super) const fn new(time_to_live: Duration, expiries: Arc<Expiries>) -> Self {
        Self { script: Script::new(SCRIPT), time_to_live, expiries, turn: AtomicUsize::new(0) }
    }

    /// Drains the inboxes of `channels`, then runs `read` in the same round trip.
    ///
    /// # Errors
    /// [`RedisError`] of the call, the script or the read; what was drained is in the logs.
    pub(super) async fn run_then(
        &self,
        redis: &RedisRest,
        channels: &[Channel],
        read: Command,
    ) -> Result<(Drained, Reply), RedisError> {
        match self.try_run(redis, channels, read.clone()).await {
            Err(error) if self.script.learns_from(&error) => self.try_run(redis, channels, read).await,
            answer => answer,
        }
    }

    async fn try_run(
        &self,
        redis: &RedisRest,
        channels: &[Channel],
        read: Command,
    ) -> Result<(Drained, Reply), RedisError> {
        let begun = Instant::now();
        let mut answers = redis.pipeline(&[self.command(channels), read]).await?.into_iter();
        let (drained, told) = Drained::read(answers.next().unwrap_or(Err(MISSING))?)?;
        redis.bill_more(drained.calls);
        for channel in told.into_iter().filter_map(|place| channels.get(place)) {
            self.expiries.note(channel, begun);
        }
        Ok((drained, answers.next().unwrap_or(Err(MISSING))?))
    }

    fn command(&self, channels: &[Channel]) -> Command {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % channels.len().max(1) + 1;
        let kinds = [keys::inbox, keys::log, keys::dead, keys::quarantine];
        let keys = kinds.into_iter().flat_map(|key| channels.iter().map(key));
        let limits = [first, MOST_EVENTS, MOST_BYTES, MAX_EVENT_BYTES, LOG_ENTRIES];
        let due: String =
            channels.iter().map(|it| if self.expiries.is_due(it) { '1' } else { '0' }).collect();
        let command = limits.iter().fold(self.script.over(keys), |command, limit| command.arg(*limit as u64));
        command.arg(self.time_to_live.as_secs()).arg(due)
    }
}

impl Drained {
    /// Gives what the run met, by outcome.
    pub(super) const fn met(&self) -> [(&'static str, u64); 4] {
        [
            ("moved", self.moved),
            ("dead", self.dead),
            ("quarantined", self.quarantined),
            ("refused", self.refused),
        ]
    }

    /// Reads the counts, and the places of the logs that were told how long to live.
    fn read(reply: Reply) -> Result<(Self, Vec<usize>), RedisError> {
        let mut parts = reply.into_array()?.into_iter();
        let mut count = || {
            let count = parts.next().and_then(|count| count.as_integer());
            count
                .and_then(|count| u64::try_from(count).ok())
                .ok_or(RedisError::Garbled("the counts of a drain"))
        };
        let drained = Self {
            moved: count()?,
            dead: count()?,
            quarantined: count()?,
            refused: count()?,
            has_more: count()? > 0,
            calls: count()?,
        };
        let places = parts.next().unwrap_or(Reply::Nil).into_array()?;
        let place = |place: Reply| usize::try_from(place.as_integer()?).ok()?.checked_sub(1);
        Ok((drained, places.into_iter().filter_map(place).collect()))
    }
}
