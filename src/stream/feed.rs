//! One viewer's way along the log: where it stands, what waits to be told, and when it ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Shared,
    frame::{Frame, ReconnectReason},
    heartbeat::Beats,
    request::StreamRequest,
    sources::Sources,
};
use crate::{
    event::{Cursor, EventId},
    hub::{Batch, HubEvent, Place, Subscription},
    telemetry::Metrics,
};

/// Events taken from the ring at once.
pub(super) const BATCH: usize = 64;
/// How long a browser waits before it comes back, unless told otherwise.
const RETRY: Duration = Duration::from_secs(1);
/// How long before its token ends a stream does.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);

/// What is alike in all streams.
pub(super) struct Feed {
    pub(super) request: StreamRequest,
    pub(super) subscription: Subscription,
    pub(super) beats: Beats,
    pub(super) sources: Sources,
    pub(super) pending: VecDeque<Frame>,
    /// What the viewer missed, up to the seam.
    pub(super) replay: VecDeque<Arc<HubEvent>>,
    /// Where to read behind the seam; none while the broker has not been reached.
    pub(super) place: Option<Place>,
    /// Without a place: whether another try to find one may succeed.
    pub(super) may_join: bool,
    /// The position passed: everything up to it has been told or is not for this viewer.
    pub(super) passed: Cursor,
    /// Events have passed that had been told before, without an id.
    pub(super) has_hidden: bool,
    pub(super) ends_at: (Instant, ReconnectReason),
    pub(super) has_ended: bool,
    metrics: Arc<Metrics>,
}

impl Feed {
    pub(super) fn open(shared: &Shared, request: StreamRequest, opened_at: Instant) -> Self {
        Self {
            subscription: shared.hub.subscribe(&request.channel),
            beats: shared.pulse.follow(),
            sources: Sources::new(shared, request.channel.kind()),
            pending: VecDeque::from([Frame::Retry(RETRY)]),
            replay: VecDeque::new(),
            place: None,
            may_join: false,
            passed: Cursor::plain(EventId::ZERO),
            has_hidden: false,
            ends_at: ends_at(shared, &request, opened_at),
            has_ended: false,
            metrics: Arc::clone(&shared.metrics),
            request,
        }
    }

    /// Reads on behind the seam; nothing while there is no place to read from.
    pub(super) fn read_ring(&mut self) -> Option<Batch> {
        self.place.as_mut().map(|place| self.subscription.read(place, BATCH))
    }

    /// Says whether steps have come that were looked at, but not told yet.
    pub(super) fn has_unread(&mut self) -> bool {
        self.place.as_mut().is_some_and(|place| self.subscription.has_unread(place))
    }

    /// Says whether the viewer wants to see events called `name`.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.request.events.as_ref().is_none_or(|events| events.iter().any(|event| event.as_str() == name))
    }

    /// Says whether heartbeats carry the position passed: where events may pass that are not told.
    pub(super) fn beats_with_position(&self) -> bool {
        let is_narrowed = !self.request.documents.is_empty() || self.request.events.is_some();
        (is_narrowed || self.has_hidden) && self.passed.position != EventId::ZERO
    }

    /// Ends the stream; the viewer comes back.
    pub(super) fn end_with(&mut self, reason: ReconnectReason) {
        self.pending.push_back(Frame::Reconnect(reason));
        self.end(reason.as_str());
    }

    /// Ends the stream behind what waits to be told.
    pub(super) fn end(&mut self, reason: &'static str) {
        self.metrics.stream_ended(reason);
        self.has_ended = true;
    }
}

/// Streams end at different times, so that their viewers do not all come back at once.
fn ends_at(shared: &Shared, request: &StreamRequest, opened_at: Instant) -> (Instant, ReconnectReason) {
    let longest = shared.settings.longest.mul_f64(1.0 - fastrand::f64() / 10.0);
    let by_duration = (opened_at + longest, ReconnectReason::MaxDuration);
    let Some(expires_at) = request.expires_at else { return by_duration };
    let left = expires_at.saturating_sub(shared.clock.since_epoch()).saturating_sub(BEFORE_EXPIRY);
    if left < longest { (opened_at + left, ReconnectReason::TokenExpired) } else { by_duration }
}
