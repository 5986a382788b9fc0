//! Runs the script that moves what has arrived into the logs.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use super::{super::LOG_ENTRIES, keys};
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

/// The drain script, and what has been learnt of the server that runs it.
pub(super) struct Drain {
    time_to_live: Duration,
    /// Upstash locks the whole database without the flag; Redis refuses it.
    without_flag: AtomicBool,
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
    pub(super) const fn new(time_to_live: Duration) -> Self {
        Self { time_to_live, without_flag: AtomicBool::new(false), turn: AtomicUsize::new(0) }
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
            Err(error) if self.learn_from(&error) => self.try_run(redis, channels, read).await,
            answer => answer,
        }
    }

    async fn try_run(
        &self,
        redis: &RedisRest,
        channels: &[Channel],
        read: Command,
    ) -> Result<(Drained, Reply), RedisError> {
        let mut answers = redis.pipeline(&[self.command(channels), read]).await?.into_iter();
        let drained = Drained::read(answers.next().unwrap_or(Err(MISSING))?)?;
        redis.bill_more(drained.calls);
        Ok((drained, answers.next().unwrap_or(Err(MISSING))?))
    }

    fn command(&self, channels: &[Channel]) -> Command {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % channels.len().max(1) + 1;
        let mut command = Command::new("EVAL").arg(self.script()).arg((channels.len() * 4).to_string());
        for key in [keys::inbox, keys::log, keys::dead, keys::quarantine] {
            for channel in channels {
                command = command.arg(key(channel));
            }
        }
        let limits = [first, MOST_EVENTS, MOST_BYTES, MAX_EVENT_BYTES, LOG_ENTRIES];
        let command = limits.iter().fold(command, |command, limit| command.arg(limit.to_string()));
        command.arg(self.time_to_live.as_secs().to_string())
    }

    fn script(&self) -> &'static str {
        if self.without_flag.load(Ordering::Relaxed) {
            SCRIPT.split_once('\n').map_or(SCRIPT, |(_, script)| script)
        } else {
            SCRIPT
        }
    }

    /// Says whether the error is only that this server does not know the flag.
    fn learn_from(&self, error: &RedisError) -> bool {
        let is_flag =
            error.to_string().contains("shebang") || error.to_string().contains("allow-key-locking");
        is_flag && !self.without_flag.swap(true, Ordering::Relaxed)
    }
}

impl Drained {
    fn read(reply: Reply) -> Result<Self, RedisError> {
        let counts = reply.into_array()?;
        let mut counts =
            counts.iter().map(|count| count.as_integer().and_then(|count| u64::try_from(count).ok()));
        let mut next = || counts.next().flatten().ok_or(RedisError::Garbled("the counts of a drain"));
        Ok(Self {
            moved: next()?,
            dead: next()?,
            quarantined: next()?,
            refused: next()?,
            has_more: next()? > 0,
            calls: next()?,
        })
    }
}
