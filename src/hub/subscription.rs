//! One viewer's hold on a topic: joining it at a cursor, and reading on from there.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    Shared,
    ring::HubEvent,
    topic::{Topic, TopicState, fold_history},
};
use crate::{
    broker::BrokerError,
    event::{Channel, EventId, LogState},
};

/// How often a join is tried anew when the ring moves on meanwhile.
const JOIN_TRIES: usize = 4;

/// Follows one channel; the topic lives as long as one of these does.
pub struct Subscription {
    hub: Arc<Shared>,
    topic: Arc<Topic>,
    changes: watch::Receiver<u64>,
    /// Nothing this viewer follows is under way.
    is_resting: bool,
}

/// Where a viewer wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinAt {
    /// With what comes next.
    Newest,
    /// With everything the log holds.
    Earliest,
    /// Behind a position.
    Behind(EventId),
    /// Behind a position that nobody can read: always a gap.
    Unreadable,
}

/// A viewer's place in a topic.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    epoch: u64,
    next: u64,
    /// Nothing is left to read until the viewers are told so.
    has_read_all: bool,
}

/// How a viewer came in.
pub enum Join {
    /// At a seam.
    Joined(Joined),
    /// Not yet: the broker does not answer.
    Down,
}

/// The seam between what a viewer missed and what is live.
pub struct Joined {
    /// The seam: where to read on.
    pub place: Place,
    /// What came behind the viewer's cursor, up to the seam, oldest first.
    pub replay: Vec<Arc<HubEvent>>,
    /// Behind which position the viewer's stream starts: its cursor, or the seam.
    pub position: EventId,
    /// Whether events behind the cursor are missing.
    pub is_gap: bool,
    /// Where everything stands at the seam, by the log.
    pub state: Arc<LogState>,
}

/// What a viewer reads next.
pub enum Batch {
    /// The next events, none when it has read all.
    Events(Vec<Arc<HubEvent>>),
    /// The viewer was too slow: its next event has left the ring.
    Lagged,
    /// The log was read anew: join again.
    Rejoin,
}

impl Subscription {
    pub(super) fn new(hub: Arc<Shared>, topic: Arc<Topic>) -> Self {
        let changes = topic.changes();
        Self { hub, topic, changes, is_resting: false }
    }

    /// Gives the channel.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        self.topic.channel()
    }

    /// Comes in at `at`: reads the log where neither the topic nor its ring can tell.
    pub async fn join(&mut self, at: JoinAt) -> Join {
        self.changes.mark_unchanged();
        if !self.topic.is_loaded() && (!self.hub.is_up() || self.hub.load(&self.topic).await.is_err()) {
            return Join::Down;
        }
        match self.join_loaded(at).await {
            Ok(joined) => Join::Joined(joined),
            Err(_) => Join::Down,
        }
    }

    async fn join_loaded(&self, at: JoinAt) -> Result<Joined, BrokerError> {
        if let Some(joined) = self.join_ring(at) {
            return Ok(joined);
        }
        for _ in 0..JOIN_TRIES {
            let history = self.hub.history(self.channel()).await?;
            let is_whole = match at {
                JoinAt::Behind(cursor) => history.is_whole_since(cursor),
                _ => true,
            };
            if !is_whole {
                break;
            }
            let events = fold_history(self.channel().kind(), &history, &self.hub.metrics);
            if let Some(joined) = self.join_history(at, history.position(), events) {
                return Ok(joined);
            }
        }
        Ok(self.joined_at_seam(&mut self.living_state(), true))
    }

    /// Joins from the ring alone, if it can show all that is asked for.
    fn join_ring(&self, at: JoinAt) -> Option<Joined> {
        let state = &mut *self.living_state();
        match at {
            JoinAt::Newest => Some(self.joined_at_seam(state, false)),
            JoinAt::Unreadable => Some(self.joined_at_seam(state, true)),
            JoinAt::Behind(cursor) if state.is_whole_since(cursor) => {
                Some(joined_behind(state, cursor, state.ring.behind(cursor)))
            }
            JoinAt::Earliest if state.ring.left().is_none() => {
                Some(joined_behind(state, EventId::ZERO, state.ring.behind(EventId::ZERO)))
            }
            JoinAt::Behind(_) | JoinAt::Earliest => None,
        }
    }

    /// Joins what was read from the log to the ring, unless the ring has moved on beyond it.
    fn join_history(&self, at: JoinAt, read_to: EventId, events: Vec<Arc<HubEvent>>) -> Option<Joined> {
        let cursor = match at {
            JoinAt::Behind(cursor) => cursor,
            _ => EventId::ZERO,
        };
        let state = &mut *self.living_state();
        let read_to = read_to.min(state.newest());
        if state.ring.left().is_some_and(|left| left > read_to) {
            return None;
        }
        let mut joined = joined_behind(state, cursor, state.ring.behind(read_to.max(cursor)));
        let missed = events.into_iter().filter(|event| event.id > cursor && event.id <= read_to);
        joined.replay.splice(0..0, missed);
        Some(joined)
    }

    fn joined_at_seam(&self, state: &mut TopicState, is_gap: bool) -> Joined {
        let position = state.position(self.hub.oldest_living(), self.hub.broker.empty_as_of());
        Joined { position, is_gap, ..joined_behind(state, EventId::ZERO, state.ring.end()) }
    }

    /// Reads at most `most` events on from `place`, and moves it behind them.
    pub fn read(&mut self, place: &mut Place, most: usize) -> Batch {
        if place.has_read_all && !self.changes.has_changed().unwrap_or(false) {
            return Batch::Events(Vec::new());
        }
        self.changes.mark_unchanged();
        let state = self.topic.lock();
        if state.epoch != place.epoch || !state.loaded {
            return if state.loaded { Batch::Rejoin } else { Batch::Events(Vec::new()) };
        }
        match state.ring.from(place.next, most) {
            Some(events) => {
                place.next += events.len() as u64;
                place.has_read_all = place.next == state.ring.end();
                Batch::Events(events)
            }
            None => Batch::Lagged,
        }
    }

    /// Says whether `place` has not read all that has come, also what the viewers have not been told of.
    #[must_use]
    pub fn has_unread(&self, place: &mut Place) -> bool {
        let state = self.topic.lock();
        let has_unread = state.loaded && (state.epoch != place.epoch || place.next < state.ring.end());
        place.has_read_all &= !has_unread;
        has_unread
    }

    /// Says whether nothing that this viewer follows is under way: a channel all of whose viewers
    /// rest may be read less often.
    pub fn rest(&mut self, is_resting: bool) {
        if std::mem::replace(&mut self.is_resting, is_resting) != is_resting {
            self.hub.rest(self.topic.channel(), is_resting);
        }
    }

    /// Gives where everything stands, by the log.
    #[must_use]
    pub fn log_state(&self) -> Arc<LogState> {
        self.living_state().log_state()
    }

    /// Waits until there may be more to read.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        // Left unseen: whoever waits still has to read.
        self.changes.mark_changed();
    }

    /// Brings the topic up to what the log held later than `since`, within `within`.
    ///
    /// Viewers of one channel share one call to the broker. Does nothing while it is down.
    pub async fn settle(&self, since: Instant, within: Duration) {
        if self.hub.is_up() {
            let _ = timeout(within, self.settle_from(since)).await;
        }
    }

    async fn settle_from(&self, since: Instant) {
        let mut settled = self.topic.settled.lock().await;
        if settled.is_some_and(|began| began > since) {
            return;
        }
        let began = Instant::now();
        let Ok(newest) = self.hub.broker.settle(self.channel()).await else { return };
        let mut changes = self.topic.changes();
        while self.topic.lock().newest() < newest {
            if changes.changed().await.is_err() {
                return;
            }
        }
        *settled = Some(began);
    }

    fn living_state(&self) -> std::sync::MutexGuard<'_, TopicState> {
        let mut state = self.topic.lock();
        state.expire(self.hub.oldest_living());
        state
    }
}

/// Takes the place behind the ring, with what it holds from the event numbered `first` on.
fn joined_behind(state: &mut TopicState, cursor: EventId, first: u64) -> Joined {
    Joined {
        place: Place { epoch: state.epoch, next: state.ring.end(), has_read_all: true },
        replay: state.ring.from(first, usize::MAX).unwrap_or_default(),
        position: cursor,
        is_gap: false,
        state: state.log_state(),
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(self.topic.channel(), self.is_resting);
    }
}
