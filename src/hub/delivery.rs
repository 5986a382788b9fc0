//! How late an event reaches its first viewer: counted once per event and process.
//!
//! The first viewer writes the frame that all share, so counting there costs the other deliveries
//! nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Shared;
use crate::{
    clock::Clock,
    event::{ChannelKind, Event},
    telemetry::Metrics,
};

/// A first viewer that comes later than this is shown the past: one that does not read for as long is cut.
const LIVE_FOR: Duration = Duration::from_secs(30);

/// Counts an event's way to its first viewer.
pub(super) struct Delivery {
    kind: ChannelKind,
    /// Milliseconds since the Unix epoch.
    published_at: u64,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Delivery {
    /// Looks when an event was published; nothing where it does not say, or says what a log that
    /// has just been read cannot hold: then its time is not that of its publishing.
    pub(super) fn of(event: &Event, kind: &ChannelKind, hub: &Shared) -> Option<Self> {
        let published_at = event.happened_at?;
        let age = hub.clock.milliseconds().saturating_sub(published_at);
        let is_new = u128::from(age) < hub.settings.log_time_to_live.as_millis();
        is_new.then(|| Self {
            kind: kind.clone(),
            published_at,
            clock: hub.clock,
            metrics: Arc::clone(&hub.metrics),
        })
    }

    /// Counts, as the frame is written for the first viewer of an event read at `read_at`.
    pub(super) fn begins(&self, read_at: Instant) {
        if read_at.elapsed() < LIVE_FOR {
            let age = self.clock.milliseconds().saturating_sub(self.published_at);
            self.metrics.delivered(&self.kind, Duration::from_millis(age));
        }
    }
}
