//! Fan-out inside one process: one upstream for all viewers, a shared ring per channel.
//!
//! Each watched channel is a topic that reads its log once and then follows it. Viewers hold
//! a place in the topic's ring, so the seam between what they missed and what is live is one
//! position under one lock. The hub knows neither the broker's kind nor the protocol.

mod announcements;
mod delivery;
mod pump;
mod ring;
mod subscription;
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub use ring::HubEvent;
pub use subscription::{Batch, Join, JoinAt, Joined, Place, Subscription};
pub use topic::RingLimits;

use crate::{
    broker::{Broker, BrokerError, Watch},
    clock::Clock,
    event::Channel,
    telemetry::Metrics,
};
use topic::Topic;

/// Longest wait for one read of a log.
const HISTORY_WITHIN: Duration = Duration::from_secs(5);

/// Logs read at once: after a flush all of them have to be.
const LOADS_AT_ONCE: usize = 32;

/// How a [`Hub`] works.
#[derive(Clone, Copy, Debug)]
pub struct HubSettings {
    /// Bounds of each channel's ring.
    pub ring: RingLimits,
    /// How long a log lives after its last entry. Default 600 s.
    pub log_time_to_live: Duration,
    /// How often a broker that is down is asked again. Default 5 s.
    pub probe_interval: Duration,
    /// How long events of one channel that follow another may wait for each other, so that viewers are woken
    /// once for all of them. Default 5 ms, too short to be seen.
    pub gathered_for: Duration,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            ring: RingLimits::default(),
            log_time_to_live: Duration::from_secs(600),
            probe_interval: Duration::from_secs(5),
            gathered_for: Duration::from_millis(5),
        }
    }
}

/// Serves every viewer of this process from one upstream. Clones share it.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    broker: Arc<dyn Broker>,
    upstream: Arc<dyn Watch>,
    topics: Mutex<HashMap<Channel, TopicEntry>>,
    is_up: watch::Sender<bool>,
    /// Turns for reading logs anew.
    loads: Semaphore,
    clock: Clock,
    metrics: Arc<Metrics>,
    settings: HubSettings,
}

struct TopicEntry {
    topic: Arc<Topic>,
    viewers: usize,
    /// Those of them that follow nothing under way.
    resting: usize,
}

impl Hub {
    /// Starts the upstream of this process; it ends with `stop`.
    #[must_use]
    pub fn start(
        broker: Arc<dyn Broker>,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: HubSettings,
        stop: CancellationToken,
    ) -> Self {
        metrics.source_is(broker.name(), true);
        let shared = Arc::new(Shared {
            upstream: broker.watch(),
            broker,
            topics: Mutex::default(),
            is_up: watch::Sender::new(true),
            loads: Semaphore::new(LOADS_AT_ONCE),
            clock,
            metrics,
            settings,
        });
        tokio::spawn(pump::run(
            Arc::downgrade(&shared),
            Arc::clone(&shared.upstream),
            settings.probe_interval,
            stop,
        ));
        Self { shared }
    }

    /// Joins the viewers of `channel`; the first one starts its topic.
    #[must_use]
    pub fn subscribe(&self, channel: &Channel) -> Subscription {
        let mut topics = self.shared.lock_topics();
        let entry = topics.entry(channel.clone()).or_insert_with(|| TopicEntry {
            topic: Arc::new(Topic::new(channel.clone())),
            viewers: 0,
            resting: 0,
        });
        entry.viewers += 1;
        self.shared.upstream.rest(channel, false);
        Subscription::new(Arc::clone(&self.shared), Arc::clone(&entry.topic))
    }

    /// Counts the viewers of `channel` in this process.
    #[must_use]
    pub fn viewers(&self, channel: &Channel) -> usize {
        self.shared.lock_topics().get(channel).map_or(0, |entry| entry.viewers)
    }

    /// Names the broker as viewers and operators read it.
    #[must_use]
    pub fn source_name(&self) -> &'static str {
        self.shared.broker.name()
    }

    /// Follows whether the broker answers.
    #[must_use]
    pub fn source_state(&self) -> watch::Receiver<bool> {
        self.shared.is_up.subscribe()
    }
}

impl Shared {
    fn lock_topics(&self) -> MutexGuard<'_, HashMap<Channel, TopicEntry>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topic(&self, channel: &Channel) -> Option<Arc<Topic>> {
        self.lock_topics().get(channel).map(|entry| Arc::clone(&entry.topic))
    }

    fn has_topics(&self) -> bool {
        !self.lock_topics().is_empty()
    }

    fn unloaded_topics(&self) -> Vec<Arc<Topic>> {
        let topics = self.lock_topics();
        topics.values().map(|entry| &entry.topic).filter(|topic| !topic.is_loaded()).cloned().collect()
    }

    /// Reads the log of a topic that has not been read yet, and goes on behind it.
    async fn load(&self, topic: &Arc<Topic>) -> Result<(), BrokerError> {
        let _one_at_a_time = topic.loading.lock().await;
        if topic.is_loaded() {
            return Ok(());
        }
        let history = self.history(topic.channel()).await.inspect_err(|_| self.note_failed_load())?;
        self.set_up(true);
        let position = history.position();
        // Under the lock of the topics, so that a viewer who left meanwhile leaves no watch behind.
        let topics = self.lock_topics();
        if topics.get(topic.channel()).is_some_and(|entry| Arc::ptr_eq(&entry.topic, topic)) {
            topic.restart(&history, self);
            self.upstream.add(topic.channel(), position);
        }
        if let Some(entry) = topics.get(topic.channel()) {
            self.upstream.rest(topic.channel(), entry.resting == entry.viewers);
        }
        Ok(())
    }

    /// While other channels are followed, the upstream says whether the broker answers: one log that
    /// cannot be read must not take them all down.
    fn note_failed_load(&self) {
        if self.lock_topics().values().all(|entry| !entry.topic.is_loaded()) {
            self.set_up(false);
        }
    }

    async fn history(&self, channel: &Channel) -> Result<crate::broker::History, BrokerError> {
        let read = timeout(HISTORY_WITHIN, self.broker.history(channel)).await;
        read.unwrap_or(Err(BrokerError::Unavailable(None)))
    }

    fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    fn set_up(&self, is_up: bool) {
        let changed = self.is_up.send_if_modified(|state| std::mem::replace(state, is_up) != is_up);
        if changed {
            self.metrics.source_is(self.broker.name(), is_up);
            tracing::warn!(source = self.broker.name(), is_up, "the state of the broker changed");
        }
    }

    fn leave(&self, channel: &Channel, was_resting: bool) {
        let mut topics = self.lock_topics();
        let Some(entry) = topics.get_mut(channel) else { return };
        entry.viewers -= 1;
        entry.resting -= usize::from(was_resting);
        if entry.viewers == 0 {
            topics.remove(channel);
            self.upstream.remove(channel);
        } else {
            self.upstream.rest(channel, entry.resting == entry.viewers);
        }
    }

    /// Counts a viewer among those that follow nothing under way, or no longer.
    fn rest(&self, channel: &Channel, is_resting: bool) {
        let mut topics = self.lock_topics();
        let Some(entry) = topics.get_mut(channel) else { return };
        entry.resting = if is_resting { entry.resting + 1 } else { entry.resting - 1 };
        self.upstream.rest(channel, entry.resting == entry.viewers);
    }

    /// Gives the time before which a log's last entry must lie for the log to have expired.
    fn oldest_living(&self) -> u64 {
        let time_to_live = u64::try_from(self.settings.log_time_to_live.as_millis()).unwrap_or(u64::MAX);
        self.clock.milliseconds().saturating_sub(time_to_live)
    }
}
