//! The broker over Upstash's Redis REST API: lists for producers, a stream as log.
//!
//! Anyone may RPUSH JSON to a channel's list. One atomic script moves what has arrived into the
//! channel's log; every event enters this process through one ordered read of the logs, so that
//! several drainers, a lost answer and a retried script are harmless. Upstash bills each command,
//! each item of a pipeline and each call inside a script: an idle tick is one EXISTS over all
//! watched inboxes and, every third time, one XREAD over their logs. With wake-ups on, one
//! subscription replaces the ticks.

mod append;
mod drain;
mod expiry;
mod keys;
mod listener;
mod log;
mod poll;
mod probe;
mod push;
mod script;
mod seams;
mod wake;
mod watched;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{
    Broker, BrokerError, CLOCK_ALLOWANCE, Entry, History, LOG_ENTRIES, Publication, SHORTEST_PACE, Watch,
};
use crate::{
    clock::Clock,
    event::{Channel, EventId},
    telemetry::Metrics,
    upstash::{Command, RedisError, RedisRest, Reply},
};
use append::Append;
use drain::Drain;
use expiry::Expiries;
use listener::Listener;
use poll::Cursors;
use seams::Seams;
use wake::{Appended, Wake};
use watched::WatchedChannels;

pub use listener::hears_itself;

/// Messages kept for watches that have not taken them; beyond that the logs are read.
const WAKES_WAITING: usize = 4_096;
/// Longest wait for the wake-up subscription before a log is read without it.
const STANDS_WITHIN: Duration = Duration::from_secs(1);

/// How an [`UpstashBroker`] works.
#[derive(Clone, Copy, Debug)]
pub struct UpstashSettings {
    /// Pause between two looks at the watched channels. Default 300 ms.
    pub poll_interval: Duration,
    /// The same for channels on which nothing is under way and nothing came for a minute. Default 300 ms.
    pub idle_poll_interval: Duration,
    /// Whether every producer also publishes on `tidings:wake`, so that nobody need poll. Default no.
    pub wake: bool,
    /// How often all channels are looked at while wake-ups come, and how often it is tried whether
    /// they still do. Default 50 s.
    pub slow_interval: Duration,
    /// Where this process's own events go. Default the lists.
    pub emit: Emit,
    /// How long lists and logs live after their last event. Default 600 s.
    pub time_to_live: Duration,
    /// How often a Redis that is down is asked again, and a cursor's entry is looked for. Default 5 s.
    pub probe_interval: Duration,
}

/// Where the events that a process emits itself go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Emit {
    /// To the list that any producer knows; whoever drains it moves them into the log.
    #[default]
    List,
    /// Straight into the log, without a drain.
    Log,
}

impl Default for UpstashSettings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(300),
            idle_poll_interval: Duration::from_millis(300),
            wake: false,
            slow_interval: Duration::from_secs(50),
            emit: Emit::List,
            time_to_live: Duration::from_secs(600),
            probe_interval: Duration::from_secs(5),
        }
    }
}

/// Carries events over Upstash Redis. Clones share the client.
#[derive(Clone)]
pub struct UpstashBroker {
    shared: Arc<Shared>,
}

struct Shared {
    redis: RedisRest,
    drain: Drain,
    append: Append,
    expiries: Arc<Expiries>,
    /// Hears wake-ups, where they are on.
    listener: Option<Arc<Listener>>,
    /// What was heard, and what this process has seen in a log beside its watch.
    wakes: broadcast::Sender<Wake>,
    seams: Seams,
    clock: Clock,
    metrics: Arc<Metrics>,
    settings: UpstashSettings,
}

impl UpstashBroker {
    /// Makes a broker over `redis`; nothing is sent before somebody publishes or watches.
    #[must_use]
    pub fn new(redis: RedisRest, clock: Clock, metrics: Arc<Metrics>, settings: UpstashSettings) -> Self {
        let (expiries, wakes) = (Arc::new(Expiries::default()), broadcast::Sender::new(WAKES_WAITING));
        let listen = || {
            let (redis, metrics, wakes) = (redis.clone(), Arc::clone(&metrics), wakes.clone());
            Listener::start(redis, metrics, settings.slow_interval, wakes)
        };
        let shared = Shared {
            drain: Drain::new(settings.time_to_live, Arc::clone(&expiries)),
            append: Append::new(settings.time_to_live, settings.wake),
            expiries,
            listener: settings.wake.then(listen),
            wakes,
            seams: Seams::default(),
            redis,
            clock,
            metrics,
            settings,
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    /// Runs `read` behind all that has arrived for one channel; drains first, if anything has.
    async fn read_settled(&self, channel: &Channel, read: Command) -> Result<Vec<Entry>, RedisError> {
        let waits = Command::new("EXISTS").arg(keys::inbox(channel));
        let mut answers = self.redis.pipeline(&[waits, read.clone()]).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Err(RedisError::Garbled("fewer answers than commands")));
        let (waits, reply) = (next()?, next()?);
        if waits.as_integer().unwrap_or(0) == 0 {
            return log::entries(reply);
        }
        let entries = log::entries(self.drain_all(channel, &read).await?)?;
        if let Some(newest) = entries.last() {
            self.wake(&[Appended::unseen(channel.clone(), newest.id)]).await;
        }
        Ok(entries)
    }

    /// Drains all that waits for one channel, then runs `read`.
    async fn drain_all(&self, channel: &Channel, read: &Command) -> Result<Reply, RedisError> {
        let channel = std::slice::from_ref(channel);
        loop {
            let (drained, reply) = self.drain.run_then(&self.redis, channel, read.clone()).await?;
            self.metrics.redis_drained(drained.met());
            if !drained.has_more {
                return Ok(reply);
            }
        }
    }

    /// Wakes the other processes, where they wait for it; one that is not woken reads later.
    async fn wake(&self, appended: &[Appended]) {
        let messages: Vec<_> = appended.iter().map(|appended| wake::publish(appended.to_message())).collect();
        if self.settings.wake
            && let Err(error) = self.redis.pipeline(&messages).await
        {
            tracing::debug!(%error, "nobody was woken; the events are read later");
        }
    }

    /// A log's key that holds something else must not keep the others from being read; nothing of it is lost.
    async fn put_aside_what_is_no_log(&self, watched: &Cursors) -> Result<(), RedisError> {
        let logs: Vec<_> = watched.iter().map(|(channel, _)| keys::log(channel)).collect();
        let kinds: Vec<_> = logs.iter().map(|log| Command::new("TYPE").arg(log.clone())).collect();
        let kinds = self.redis.pipeline(&kinds).await?;
        let is_none = |kind: &Result<Reply, RedisError>| {
            kind.as_ref().is_ok_and(|kind| !matches!(kind.as_text(), Some("stream" | "none")))
        };
        for ((channel, _), kind) in watched.iter().zip(&kinds).filter(|(_, kind)| is_none(kind)) {
            let aside = keys::quarantined_log(channel);
            let rename = Command::new("RENAME").arg(keys::log(channel)).arg(aside.clone());
            let expire = Command::new("EXPIRE").arg(aside).arg(self.settings.time_to_live.as_secs());
            self.redis.pipeline(&[rename, expire]).await?;
            tracing::warn!(?kind, "a log's key held something else and was put aside");
        }
        Ok(())
    }

    /// Gives the second from which on a position of the empty log proves that nothing is missing.
    fn empty_valid_from(&self, read_at: u64) -> u64 {
        let still_there = self.settings.time_to_live.saturating_sub(CLOCK_ALLOWANCE).as_secs();
        (read_at + 1).saturating_sub(still_there)
    }
}

#[async_trait]
impl Broker for UpstashBroker {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>> {
        let Shared { redis, settings, append, .. } = &*self.shared;
        match settings.emit {
            Emit::List => push::push(redis, events, settings.time_to_live, settings.wake).await,
            Emit::Log => append.append(redis, events).await,
        }
    }

    fn watch(&self) -> Arc<dyn Watch> {
        WatchedChannels::start(Arc::clone(&self.shared))
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        let Shared { listener, seams, clock, .. } = &*self.shared;
        // Who listens before it reads need not look again when it begins to watch.
        let _wanted = listener.as_ref().map(Listener::want);
        if let Some(listener) = listener
            && let Some(generation) = listener.stands(STANDS_WITHIN).await
        {
            seams.begin(channel, generation);
        }
        let read_at = clock.seconds();
        let read = Command::new("XRANGE").arg(keys::log(channel)).arg("-").arg("+");
        let entries = self.shared.read_settled(channel, read).await?;
        let history = History {
            trimmed: entries.len() >= LOG_ENTRIES,
            entries,
            read_at,
            empty_valid_from: self.shared.empty_valid_from(read_at),
        };
        seams.end(channel, history.position());
        Ok(history)
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        let read = Command::new("XREVRANGE").arg(keys::log(channel)).args(["+", "-", "COUNT", "1"]);
        let entries = self.shared.read_settled(channel, read).await?;
        let newest = entries.last().map_or(EventId::ZERO, |entry| entry.id);
        // The watch reads on at once, not at its next look: somebody waits for it.
        drop(self.shared.wakes.send(Wake::Appended(Appended::unseen(channel.clone(), newest))));
        Ok(newest)
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.shared.redis.command(&Command::new("PING")).await?;
        Ok(())
    }

    fn pace(&self) -> Duration {
        let settings = &self.shared.settings;
        if settings.wake { SHORTEST_PACE } else { settings.poll_interval }
    }

    fn empty_as_of(&self) -> u64 {
        self.shared.clock.seconds()
    }
}

/// Keeps the cause, and whether another try may help.
fn refusal(error: &RedisError) -> BrokerError {
    if error.is_transient() {
        BrokerError::Unavailable(Some(error.to_string().into()))
    } else {
        BrokerError::Refused(error.to_string())
    }
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        refusal(&error)
    }
}
