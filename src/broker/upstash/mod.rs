//! The broker over Upstash's Redis REST API: lists for producers, a stream as log.
//!
//! Anyone may RPUSH JSON to a channel's list. One atomic script moves what has arrived into the
//! channel's log; every event enters this process through one ordered read of the logs, so that
//! several drainers, a lost answer and a retried script are harmless. Upstash bills each command,
//! each item of a pipeline and each call inside a script: an idle tick is one EXISTS over all
//! watched inboxes and, every third time, one XREAD over their logs.

mod drain;
mod keys;
mod log;
mod poll;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Broker, BrokerError, CLOCK_ALLOWANCE, History, LOG_ENTRIES, Publication, Watch};
use crate::{
    clock::Clock,
    event::{Channel, EventId},
    upstash::{Command, RedisError, RedisRest, Reply},
};
use drain::Drain;
use poll::PollingWatch;

/// How an [`UpstashBroker`] works.
#[derive(Clone, Copy, Debug)]
pub struct UpstashSettings {
    /// Pause between two looks at the watched channels. Default 300 ms.
    pub poll_interval: Duration,
    /// How long lists and logs live after their last event. Default 600 s.
    pub time_to_live: Duration,
    /// How often a Redis that is down is asked again, and a cursor's entry is looked for. Default 5 s.
    pub probe_interval: Duration,
}

impl Default for UpstashSettings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(300),
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
    clock: Clock,
    settings: UpstashSettings,
}

impl UpstashBroker {
    /// Makes a broker over `redis`; nothing is sent before somebody publishes or watches.
    #[must_use]
    pub fn new(redis: RedisRest, clock: Clock, settings: UpstashSettings) -> Self {
        let drain = Drain::new(settings.time_to_live);
        Self { shared: Arc::new(Shared { redis, drain, clock, settings }) }
    }
}

impl Shared {
    /// Drains all that waits for one channel, then runs `read`.
    async fn drain_all(&self, channel: &Channel, read: &Command) -> Result<Reply, RedisError> {
        let channel = std::slice::from_ref(channel);
        loop {
            let (drained, reply) = self.drain.run_then(&self.redis, channel, read.clone()).await?;
            if !drained.has_more {
                return Ok(reply);
            }
        }
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
        let pushes = log::pushes(events, self.shared.settings.time_to_live);
        let commands: Vec<_> = pushes.iter().flat_map(|push| push.commands.clone()).collect();
        match self.shared.redis.pipeline(&commands).await {
            Ok(answers) => log::answers_of(events.len(), &pushes, answers),
            Err(error) => events.iter().map(|_| Err(refusal(&error))).collect(),
        }
    }

    fn watch(&self) -> Arc<dyn Watch> {
        PollingWatch::start(Arc::clone(&self.shared))
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        let read_at = self.shared.clock.seconds();
        let read = Command::new("XRANGE").arg(keys::log(channel)).arg("-").arg("+");
        let entries = log::entries(self.shared.drain_all(channel, &read).await?)?;
        Ok(History {
            trimmed: entries.len() >= LOG_ENTRIES,
            entries,
            read_at,
            empty_valid_from: self.shared.empty_valid_from(read_at),
        })
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        let read = Command::new("XREVRANGE").arg(keys::log(channel)).args(["+", "-", "COUNT", "1"]);
        let entries = log::entries(self.shared.drain_all(channel, &read).await?)?;
        Ok(entries.last().map_or(EventId::ZERO, |entry| entry.id))
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.shared.redis.command(&Command::new("PING")).await?;
        Ok(())
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
