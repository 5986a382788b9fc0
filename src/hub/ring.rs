//! The newest events of a channel, shared by all its viewers.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use tokio::time::Instant;

use super::delivery::Delivery;
use crate::event::{Event, EventId};

/// Bytes counted for an event beside its data.
const EVENT_OVERHEAD: usize = 256;

/// One event in a ring; its frame is written once for all viewers.
pub struct HubEvent {
    /// Its place in the log.
    pub id: EventId,
    /// What viewers are shown; nothing for a repeat or what does not parse.
    pub event: Option<Event>,
    /// When this process read it.
    pub read_at: Instant,
    frame: OnceLock<Bytes>,
    delivery: Option<Delivery>,
}

impl HubEvent {
    /// Makes an event of the past: nobody counts how late its viewers see it.
    pub(super) fn new(id: EventId, event: Option<Event>) -> Arc<Self> {
        Self::live(id, event, None)
    }

    pub(super) fn live(id: EventId, event: Option<Event>, delivery: Option<Delivery>) -> Arc<Self> {
        Arc::new(Self { id, event, read_at: Instant::now(), frame: OnceLock::new(), delivery })
    }

    /// Gives the event's frame, written by `encode` at the first call.
    pub fn frame(&self, encode: impl FnOnce(&Event) -> Bytes) -> Bytes {
        let encode = || {
            if let Some(delivery) = &self.delivery {
                delivery.begins(self.read_at);
            }
            self.event.as_ref().map(encode).unwrap_or_default()
        };
        self.frame.get_or_init(encode).clone()
    }

    /// Data and frame both stay in memory.
    fn bytes(&self) -> usize {
        EVENT_OVERHEAD + self.event.as_ref().map_or(0, |event| 2 * event.data.len())
    }
}

/// Keeps events in order; each has a number that never comes back.
#[derive(Default)]
pub(super) struct Ring {
    events: VecDeque<Arc<HubEvent>>,
    /// The number of the first event held.
    first: u64,
    bytes: usize,
    /// The last event that left.
    left: Option<EventId>,
}

impl Ring {
    /// Lets go of everything, and of the numbers used so far.
    pub(super) fn restart(&mut self) {
        self.first = self.end() + 1;
        self.events.clear();
        self.bytes = 0;
        self.left = None;
    }

    pub(super) fn push(&mut self, event: Arc<HubEvent>, most_events: usize, most_bytes: usize) {
        self.bytes += event.bytes();
        self.events.push_back(event);
        while self.events.len() > 1 && (self.events.len() > most_events || self.bytes > most_bytes) {
            self.pop_oldest();
        }
    }

    /// Lets go of all events, which the log no longer holds either.
    pub(super) fn expire(&mut self) {
        while !self.events.is_empty() {
            self.pop_oldest();
        }
    }

    fn pop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.first += 1;
            self.bytes -= event.bytes();
            self.left = Some(event.id);
        }
    }

    /// Gives the number the next event will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Gives the last event that left since the start.
    pub(super) const fn left(&self) -> Option<EventId> {
        self.left
    }

    /// Gives at most `most` events from `number` on; nothing when that one has left.
    pub(super) fn from(&self, number: u64, most: usize) -> Option<Vec<Arc<HubEvent>>> {
        let skip = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.events.iter().skip(skip).take(most).cloned().collect())
    }

    /// Gives the number of the first event behind `id`.
    pub(super) fn behind(&self, id: EventId) -> u64 {
        self.first + self.events.partition_point(|event| event.id <= id) as u64
    }

    pub(super) fn holds(&self, id: EventId) -> bool {
        self.events.binary_search_by_key(&id, |event| event.id).is_ok()
    }
}
