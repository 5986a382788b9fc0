//! How an event crosses processes: the [`Emitter`], which takes it from the work it tells of, the contract every backend
//! keeps, and the backends.
//!
//! A channel has one ordered, capped, expiring log. Every event enters a process through one
//! ordered read of that log, the [`Watch`]; a returning viewer is served from it by
//! [`Broker::history`]. Nothing here knows viewers or HTTP. `tests/it/broker/` holds the
//! behaviour that each backend has to show.

mod emitter;
mod history;
mod memory;
mod tokens;
mod upstash;

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

pub use emitter::{EmitError, Emitter, Stored};
pub use tokens::{AnswerTooLong, Tokens};

#[cfg_attr(not(internals), doc(hidden))]
pub use {
    emitter::EmitterLimits,
    history::History,
    memory::{MemoryBroker, MemoryLimits},
    upstash::{Emit, UpstashBroker, UpstashSettings, hears_itself},
};

use crate::event::{Channel, EventId};

/// Most entries a channel's log holds.
#[cfg_attr(not(internals), doc(hidden))]
pub const LOG_ENTRIES: usize = 512;
/// How much younger than the log's time to live a position of an empty log must be: clocks differ.
#[cfg_attr(not(internals), doc(hidden))]
pub const CLOCK_ALLOWANCE: Duration = Duration::from_secs(120);

/// How often a viewer sees a text grow, where nothing else sets the pace.
const SHORTEST_PACE: Duration = Duration::from_millis(50);

/// Carries events from producers to the processes that have viewers.
#[cfg_attr(not(internals), doc(hidden))]
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Names the backend as viewers and operators read it, for example `memory`.
    fn name(&self) -> &'static str;

    /// Takes events, in order per channel; one answer for each. Behind an event that was not
    /// taken no later one of its channel is.
    ///
    /// An event may reach the log later than this returns, where the backend pops lists.
    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>>;

    /// Opens this process's one upstream for a changing set of channels.
    fn watch(&self) -> Arc<dyn Watch>;

    /// Reads what the log of `channel` holds now, oldest first.
    ///
    /// # Errors
    /// [`BrokerError`] when the backend does not answer.
    async fn history(&self, channel: &Channel) -> Result<History, BrokerError>;

    /// Brings what producers have handed over into the log and answers its newest position.
    ///
    /// # Errors
    /// [`BrokerError`] when the backend does not answer.
    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError>;

    /// Asks whether the backend answers; free of charge where calls are billed.
    ///
    /// # Errors
    /// [`BrokerError`] when it does not.
    async fn ping(&self) -> Result<(), BrokerError>;

    /// Gives how often events reach viewers at best: what comes faster may go together.
    fn pace(&self) -> Duration {
        SHORTEST_PACE
    }

    /// Gives the time an empty log was last known to be empty, in seconds since the Unix epoch.
    fn empty_as_of(&self) -> u64;
}

/// Reads the logs of the watched channels, each entry once and in order.
#[cfg_attr(not(internals), doc(hidden))]
#[async_trait]
pub trait Watch: Send + Sync {
    /// Starts to read `channel` behind the position `after`.
    fn add(&self, channel: &Channel, after: EventId);

    /// Stops to read `channel`.
    fn remove(&self, channel: &Channel);

    /// Says whether nothing is under way on `channel`, so that it may be read less often.
    fn rest(&self, channel: &Channel, is_resting: bool) {
        let _ = (channel, is_resting);
    }

    /// Waits for news.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    async fn next(&self) -> WatchNews;
}

/// What an upstream tells.
#[cfg_attr(not(internals), doc(hidden))]
#[derive(Debug)]
pub enum WatchNews {
    /// Entries of one channel, behind all told before.
    Entries(Channel, Vec<Entry>),
    /// Entries of the channel were lost before they could be read.
    Gap(Channel),
    /// The backend stopped answering.
    Down,
    /// The backend answers again.
    Up,
}

/// One line of a log: its place and what a producer pushed.
#[cfg_attr(not(internals), doc(hidden))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub id: EventId,
    /// What was pushed; not yet parsed.
    pub payload: Bytes,
}

/// One event on its way in.
#[cfg_attr(not(internals), doc(hidden))]
#[derive(Clone, Debug)]
pub struct Publication {
    /// Where it goes.
    pub channel: Channel,
    /// What viewers' processes will parse.
    pub payload: Bytes,
}

/// Tells why a backend did not do what was asked.
#[cfg_attr(not(internals), doc(hidden))]
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It does not answer; later it may.
    #[error("the broker does not answer")]
    Unavailable(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// It refused; the same call will be refused again.
    #[error("the broker refused: {0}")]
    Refused(String),
}

impl BrokerError {
    /// Says whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
