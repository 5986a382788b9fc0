//! One watched channel: what its log said, what is live, and who follows.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{
    Shared,
    delivery::Delivery,
    ring::{HubEvent, Ring},
};
use crate::{
    broker::{Entry, History},
    event::{Channel, ChannelFold, ChannelKind, Event, EventId, LogState},
    telemetry::Metrics,
};

/// Events that are told at once when so many have gathered: a viewer must not fall behind the ring.
const MOST_GATHERED: u64 = 64;

/// How much of a channel is kept for its viewers.
#[derive(Clone, Copy, Debug)]
pub struct RingLimits {
    /// Events of one channel. Default 512, as many as the log holds.
    pub events: usize,
    /// Bytes of one channel's events, with their frames. Default 2 MiB.
    pub bytes: usize,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self { events: 512, bytes: 2 << 20 }
    }
}

pub(super) struct Topic {
    channel: Channel,
    state: Mutex<TopicState>,
    version: watch::Sender<u64>,
    pub(super) loading: tokio::sync::Mutex<()>,
    /// When the read began that last brought the topic up to its log.
    pub(super) settled: tokio::sync::Mutex<Option<Instant>>,
}

pub(super) struct TopicState {
    kind: ChannelKind,
    pub(super) loaded: bool,
    /// Counts the readings of the log from its beginning.
    pub(super) epoch: u64,
    pub(super) ring: Ring,
    /// The newest place read.
    newest: EventId,
    /// Since which second this process has followed the log without a hole.
    followed_since: u64,
    fold: ChannelFold,
    /// What the fold says, for all who ask before it moves on.
    log_state: Option<Arc<LogState>>,
    announced: Announced,
    /// The ring's end when they were told last.
    announced_end: u64,
}

/// When the viewers were told of an event to read.
#[derive(Clone, Copy)]
enum Announced {
    Never,
    At(Instant),
    /// They will be, with what gathers meanwhile.
    Due,
}

impl Topic {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            state: Mutex::new(TopicState::new(channel.kind().clone())),
            channel,
            version: watch::Sender::new(0),
            loading: tokio::sync::Mutex::default(),
            settled: tokio::sync::Mutex::default(),
        }
    }

    pub(super) const fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, TopicState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.lock().loaded
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Begins anew with what the log holds.
    pub(super) fn restart(&self, history: &History, hub: &Shared) {
        let mut state = self.lock();
        state.ring.restart();
        state.fold = ChannelFold::of(&state.kind);
        state.log_state = None;
        state.newest = history.position();
        state.followed_since = history.read_at;
        state.epoch += 1;
        state.loaded = true;
        for entry in &history.entries {
            state.take(entry, hub, |_| None);
        }
        self.announce(&mut state);
    }

    /// Takes entries behind those already read, and tells the viewers: now, or at the time that is given.
    pub(super) fn append(&self, entries: &[Entry], hub: &Shared) -> Option<Instant> {
        let mut state = self.lock();
        if !state.loaded {
            return None;
        }
        for entry in entries {
            if entry.id > state.newest {
                state.take(entry, hub, |event| Delivery::of(event, self.channel.kind(), hub));
                hub.metrics.events.received.inc();
            }
        }
        if let Some(entry) = entries.last() {
            let lag = hub.clock.milliseconds().saturating_sub(entry.id.milliseconds);
            hub.metrics.log_lagged(Duration::from_millis(lag));
        }
        self.announce_soon(&mut state, hub.settings.gathered_for)
    }

    /// Tells the viewers to read, unless that can wait; gives the time until when, where it is not planned.
    fn announce_soon(&self, state: &mut TopicState, gathered_for: Duration) -> Option<Instant> {
        let now = Instant::now();
        let is_much = state.ring.end() >= state.announced_end + MOST_GATHERED;
        match state.announced {
            Announced::Due if !is_much => None,
            Announced::At(last) if !is_much && now < last + gathered_for => {
                state.announced = Announced::Due;
                Some(last + gathered_for)
            }
            _ => {
                self.announce(state);
                state.announced = Announced::At(now);
                None
            }
        }
    }

    /// Tells the viewers what has gathered.
    pub(super) fn announce_now(&self) {
        let mut state = self.lock();
        self.announce(&mut state);
        state.announced = Announced::At(Instant::now());
    }

    /// Marks the topic as one whose log has to be read anew.
    pub(super) fn unload(&self) {
        self.lock().loaded = false;
    }

    /// Tells the viewers to read.
    fn announce(&self, state: &mut TopicState) {
        state.announced = Announced::Never;
        state.announced_end = state.ring.end();
        self.version.send_modify(|version| *version += 1);
    }
}

impl TopicState {
    fn new(kind: ChannelKind) -> Self {
        Self {
            fold: ChannelFold::of(&kind),
            kind,
            loaded: false,
            epoch: 0,
            ring: Ring::default(),
            newest: EventId::ZERO,
            followed_since: 0,
            log_state: None,
            announced: Announced::Never,
            announced_end: 0,
        }
    }

    fn take(&mut self, entry: &Entry, hub: &Shared, delivery: impl Fn(&Event) -> Option<Delivery>) {
        let limits = hub.settings.ring;
        self.log_state = None;
        let event = fold(&mut self.fold, entry, &hub.metrics);
        let delivery = event.as_ref().and_then(delivery);
        self.ring.push(HubEvent::live(entry.id, event, delivery), limits.events, limits.bytes);
        self.newest = entry.id;
        if let Some(left) = self.ring.left() {
            self.fold.forget_before(left);
        }
    }

    /// Forgets what the log has forgotten: 600 s after its last entry.
    pub(super) fn expire(&mut self, oldest_living: u64) {
        if self.newest.seen_empty_at().is_none() && self.newest.milliseconds < oldest_living {
            self.ring.expire();
            self.fold = ChannelFold::of(&self.kind);
            self.log_state = None;
        }
    }

    /// Gives the place behind all that has been read, that of an empty log once it has expired.
    pub(super) fn position(&self, oldest_living: u64, empty_as_of: u64) -> EventId {
        if self.newest.milliseconds < oldest_living || self.newest.seen_empty_at().is_some() {
            EventId::of_empty_log(empty_as_of)
        } else {
            self.newest
        }
    }

    pub(super) const fn newest(&self) -> EventId {
        self.newest
    }

    /// Says whether the ring alone shows all that came behind `cursor`.
    pub(super) fn is_whole_since(&self, cursor: EventId) -> bool {
        match cursor.seen_empty_at() {
            // In the very second the log was first read, either could have been earlier.
            Some(second) => {
                second > self.followed_since
                    && self.ring.left().is_none_or(|left| left < cursor_floor(second))
            }
            None => cursor == self.newest || self.ring.holds(cursor),
        }
    }

    pub(super) fn log_state(&mut self) -> Arc<LogState> {
        Arc::clone(self.log_state.get_or_insert_with(|| Arc::new(self.fold.state())))
    }
}

/// Events from before a log was seen empty had expired by then.
const fn cursor_floor(second: u64) -> EventId {
    EventId::new(second.saturating_mul(1_000), 0)
}

/// Takes one entry into `fold` and gives what viewers are shown of it.
fn fold(fold: &mut ChannelFold, entry: &Entry, metrics: &Metrics) -> Option<Event> {
    fold.apply(entry.id, &entry.payload).inspect_err(|hidden| metrics.hidden(hidden.kind())).ok()
}

/// Folds a whole read of a log.
pub(super) fn fold_history(kind: &ChannelKind, history: &History, metrics: &Metrics) -> Vec<Arc<HubEvent>> {
    let mut state = ChannelFold::of(kind);
    let shown = |entry: &Entry| HubEvent::new(entry.id, fold(&mut state, entry, metrics));
    history.entries.iter().map(shown).collect()
}
