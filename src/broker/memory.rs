//! The broker of a single process: logs in memory, bounded in entries, age and bytes.
//!
//! It keeps to the same rules as a Redis stream, so that what holds here holds there:
//! ids rise, a log ends 600 s after its last entry, the oldest entries leave first.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    Broker, BrokerError, CLOCK_ALLOWANCE, Entry, History, LOG_ENTRIES, Publication, Watch, WatchNews,
};
use crate::{
    clock::Clock,
    event::{Channel, EventId},
};

/// Bytes counted for an entry beside its payload.
const ENTRY_OVERHEAD: usize = 64;

/// How much a [`MemoryBroker`] keeps.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Entries in one log. Default 512.
    pub entries: usize,
    /// How long a log lives after its last entry. Default 600 s.
    pub time_to_live: Duration,
    /// Bytes of all logs together; the logs longest without an event leave first. Default 64 MiB.
    pub bytes: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { entries: LOG_ENTRIES, time_to_live: Duration::from_secs(600), bytes: 64 << 20 }
    }
}

/// Keeps the logs of one process. Clones share them.
#[derive(Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    limits: MemoryLimits,
    /// The first second whose positions of an empty log are this process's own: one given in
    /// the second of a restart could stem from before it.
    own_from: u64,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    by_channel: HashMap<Channel, Log>,
    /// Every log by its last entry: the front is the first to expire or to be evicted.
    by_age: BTreeMap<EventId, Channel>,
    bytes: usize,
    newest: EventId,
    /// Positions of the empty log from before this second prove nothing.
    proven_from: u64,
    watches: Vec<Weak<MemoryWatch>>,
}

#[derive(Default)]
struct Log {
    entries: VecDeque<Entry>,
    bytes: usize,
    trimmed: bool,
}

impl MemoryBroker {
    /// Makes an empty broker.
    #[must_use]
    pub fn new(clock: Clock, limits: MemoryLimits) -> Self {
        let own_from = clock.seconds() + 1;
        let logs = Logs { proven_from: own_from, ..Logs::default() };
        Self { shared: Arc::new(Shared { clock, limits, own_from, logs: Mutex::new(logs) }) }
    }

    /// Counts the bytes of all logs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the logs and lets go of those whose time is over.
    fn lock_living(&self) -> MutexGuard<'_, Logs> {
        let mut logs = self.lock();
        logs.expire(self.oldest_living());
        logs
    }

    fn oldest_living(&self) -> u64 {
        let time_to_live = u64::try_from(self.limits.time_to_live.as_millis()).unwrap_or(u64::MAX);
        self.clock.milliseconds().saturating_sub(time_to_live)
    }

    fn append(&self, logs: &mut Logs, publication: &Publication) {
        let id = logs.newest.next_at(self.clock.milliseconds());
        logs.newest = id;
        logs.append(&publication.channel, Entry { id, payload: publication.payload.clone() });
        logs.trim(&publication.channel, self.limits.entries);
        while logs.bytes > self.limits.bytes && logs.evict_oldest() {
            // Of the positions given in this second some are from before.
            logs.proven_from = self.empty_as_of() + 1;
        }
    }

    fn empty_as_of(&self) -> u64 {
        self.clock.seconds().max(self.own_from)
    }
}

impl Logs {
    fn append(&mut self, channel: &Channel, entry: Entry) {
        let size = entry_bytes(&entry.payload);
        let log = self.by_channel.entry(channel.clone()).or_default();
        if let Some(last) = log.entries.back() {
            self.by_age.remove(&last.id);
        }
        self.by_age.insert(entry.id, channel.clone());
        log.entries.push_back(entry);
        log.bytes += size;
        self.bytes += size;
        self.each_watch(|watch| watch.wake_for(channel));
    }

    fn trim(&mut self, channel: &Channel, most: usize) {
        let Some(log) = self.by_channel.get_mut(channel) else { return };
        let mut lost = None;
        while log.entries.len() > most
            && let Some(entry) = log.entries.pop_front()
        {
            let size = entry_bytes(&entry.payload);
            log.bytes -= size;
            self.bytes -= size;
            log.trimmed = true;
            lost = Some(entry.id);
        }
        if let Some(last) = lost {
            self.each_watch(|watch| watch.lost(channel, last));
        }
    }

    fn each_watch(&self, tell: impl Fn(&MemoryWatch)) {
        self.watches.iter().filter_map(Weak::upgrade).for_each(|watch| tell(&watch));
    }

    fn expire(&mut self, oldest_living: u64) {
        while let Some((last, _)) = self.by_age.first_key_value()
            && last.milliseconds < oldest_living
        {
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) -> bool {
        let Some((last, channel)) = self.by_age.pop_first() else { return false };
        let Some(log) = self.by_channel.remove(&channel) else { return false };
        self.bytes -= log.bytes;
        self.each_watch(|watch| watch.lost(&channel, last));
        true
    }

    fn entries_after(&self, channel: &Channel, after: EventId) -> Vec<Entry> {
        let Some(log) = self.by_channel.get(channel) else { return Vec::new() };
        let start = log.entries.partition_point(|entry| entry.id <= after);
        log.entries.range(start..).cloned().collect()
    }
}

fn entry_bytes(payload: &Bytes) -> usize {
    payload.len() + ENTRY_OVERHEAD
}

#[async_trait]
impl Broker for MemoryBroker {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>> {
        let mut logs = self.shared.lock_living();
        events.iter().for_each(|event| self.shared.append(&mut logs, event));
        events.iter().map(|_| Ok(())).collect()
    }

    fn watch(&self) -> Arc<dyn Watch> {
        let mut logs = self.shared.lock();
        logs.watches.retain(|watch| watch.strong_count() > 0);
        let watch = Arc::new(MemoryWatch {
            shared: Arc::clone(&self.shared),
            reading: Mutex::default(),
            news: Notify::new(),
        });
        logs.watches.push(Arc::downgrade(&watch));
        watch
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        let logs = self.shared.lock_living();
        let log = logs.by_channel.get(channel);
        let read_at = self.shared.empty_as_of();
        let still_there = self.shared.limits.time_to_live.saturating_sub(CLOCK_ALLOWANCE).as_secs();
        Ok(History {
            entries: log.map(|log| log.entries.iter().cloned().collect()).unwrap_or_default(),
            read_at,
            empty_valid_from: logs.proven_from.max((read_at + 1).saturating_sub(still_there)),
            trimmed: log.is_some_and(|log| log.trimmed),
        })
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        let logs = self.shared.lock_living();
        let last = logs.by_channel.get(channel).and_then(|log| log.entries.back());
        Ok(last.map_or(EventId::ZERO, |entry| entry.id))
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn empty_as_of(&self) -> u64 {
        self.shared.empty_as_of()
    }
}

/// The one reader of a process; locked after the logs where both are.
struct MemoryWatch {
    shared: Arc<Shared>,
    reading: Mutex<Reading>,
    news: Notify,
}

#[derive(Default)]
struct Reading {
    channels: HashMap<Channel, ChannelReading>,
    ready: VecDeque<Channel>,
}

struct ChannelReading {
    after: EventId,
    is_ready: bool,
    has_gap: bool,
}

impl Reading {
    /// Puts a channel in line for [`Watch::next`], once.
    fn mark_ready(&mut self, channel: &Channel) {
        if let Some(reading) = self.channels.get_mut(channel)
            && !std::mem::replace(&mut reading.is_ready, true)
        {
            self.ready.push_back(channel.clone());
        }
    }
}

impl MemoryWatch {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_for(&self, channel: &Channel) {
        self.lock().mark_ready(channel);
        self.news.notify_one();
    }

    /// Notes that the entry at `id` left the log: a gap, unless it had been read.
    fn lost(&self, channel: &Channel, id: EventId) {
        let mut reading = self.lock();
        if let Some(channel_reading) = reading.channels.get_mut(channel)
            && channel_reading.after < id
        {
            channel_reading.after = id;
            channel_reading.has_gap = true;
            reading.mark_ready(channel);
            self.news.notify_one();
        }
    }

    fn take_news(&self) -> Option<WatchNews> {
        let logs = self.shared.lock();
        let mut reading = self.lock();
        while let Some(channel) = reading.ready.pop_front() {
            let Some(channel_reading) = reading.channels.get_mut(&channel) else { continue };
            channel_reading.is_ready = false;
            if std::mem::take(&mut channel_reading.has_gap) {
                reading.mark_ready(&channel);
                return Some(WatchNews::Gap(channel));
            }
            let entries = logs.entries_after(&channel, channel_reading.after);
            if let Some(last) = entries.last() {
                channel_reading.after = last.id;
                return Some(WatchNews::Entries(channel, entries));
            }
        }
        None
    }
}

#[async_trait]
impl Watch for MemoryWatch {
    fn add(&self, channel: &Channel, after: EventId) {
        let mut reading = self.lock();
        reading.ready.retain(|ready| ready != channel);
        let fresh = ChannelReading { after, is_ready: false, has_gap: false };
        reading.channels.insert(channel.clone(), fresh);
        reading.mark_ready(channel);
        self.news.notify_one();
    }

    fn remove(&self, channel: &Channel) {
        let mut reading = self.lock();
        reading.channels.remove(channel);
        reading.ready.retain(|ready| ready != channel);
    }

    async fn next(&self) -> WatchNews {
        loop {
            if let Some(news) = self.take_news() {
                return news;
            }
            self.news.notified().await;
        }
    }
}
