//! What one viewer sees, in order: snapshot, replay, live events, status changes, heartbeat, end.
//!
//! It merges the hub, the stores and the clock, and knows neither HTTP nor the text of Server-Sent
//! Events. `viewer` says what to tell next and is the same for every kind of channel; `subject` holds
//! what differs between them.

mod alarm;
mod coverage;
mod end_rules;
mod feed;
mod frame;
mod heartbeat;
mod request;
mod sources;
mod subject;
mod told;
mod viewer;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use coverage::{ActivityLimits, Coverage, CoverageView, DocumentView};
pub use frame::{
    Connected, DocumentUpdate, Done, EndedDocument, Frame, Heartbeat, ReconnectReason, Snapshot,
    SourceChange, SourceState,
};
pub use heartbeat::Pulse;
pub use request::{StreamRequest, ViewerCursor};
pub use viewer::Viewer;

use crate::{chat::MessageReader, clock::Clock, documents::StatusReader, hub::Hub, telemetry::Metrics};

/// How streams work.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings {
    /// Longest life of a stream; each one's is shorter by up to 10 %. Default 300 s.
    pub longest: Duration,
    /// How long a stored document that does not move counts as active. Default 3,600 s.
    pub active_for: Duration,
    /// How long a document known only from events may be silent. Default 540 s.
    pub silent_for: Duration,
    /// How long the log may hold steps of a document that does not move. Default 720 s.
    pub logged_for: Duration,
    /// Most streams at once; more are asked to come back later. Default 10,000.
    pub most: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            longest: Duration::from_secs(300),
            active_for: Duration::from_secs(3_600),
            silent_for: Duration::from_secs(540),
            logged_for: Duration::from_secs(720),
            most: 10_000,
        }
    }
}

/// Opens streams over one hub, one reader of each store and one pulse. Clones share them.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    statuses: StatusReader,
    messages: MessageReader,
    pulse: Pulse,
    clock: Clock,
    metrics: Arc<Metrics>,
    settings: StreamSettings,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// The answer to a viewer who wants a stream.
pub enum Opening {
    /// Here it is.
    Stream(Box<Viewer>),
    /// Everything is over and the viewer has been told: it need not come back.
    Finished,
    /// The server holds all the streams it can.
    Overloaded,
}

impl Streams {
    /// Makes streams that end when `shutdown` is cancelled.
    #[must_use]
    pub fn new(
        hub: Hub,
        (statuses, messages): (StatusReader, MessageReader),
        pulse: Pulse,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: StreamSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let places = Arc::new(Semaphore::new(settings.most.min(Semaphore::MAX_PERMITS)));
        Self {
            shared: Arc::new(Shared {
                hub,
                statuses,
                messages,
                pulse,
                clock,
                metrics,
                settings,
                places,
                shutdown,
            }),
        }
    }

    /// Opens a stream, after one look at the store and at the log.
    pub async fn open(&self, request: StreamRequest) -> Opening {
        let Ok(place) = Arc::clone(&self.shared.places).try_acquire_owned() else {
            self.shared.metrics.stream_declined("overloaded");
            return Opening::Overloaded;
        };
        match Viewer::open(&self.shared, place, request).await {
            Some(viewer) => Opening::Stream(Box::new(viewer)),
            None => {
                self.shared.metrics.stream_declined("finished");
                Opening::Finished
            }
        }
    }
}
