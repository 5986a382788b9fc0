//! What the operators' page shows, once a second, the same for all who look.
//!
//! The numbers are the samples of `/metrics`, under their names there: the page cannot differ from it.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    failures::Failure,
    metrics::{Metrics, SourceReading},
};

/// How often the board changes.
const EVERY: Duration = Duration::from_secs(1);
/// Most who may look at once.
const MOST_LOOKING: usize = 64;

/// Shows operators how a server does. Clones share it.
#[derive(Clone)]
pub struct Board {
    views: watch::Sender<Arc<BoardView>>,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// One look at everything.
#[derive(Serialize)]
pub struct BoardView {
    /// When, in milliseconds since the Unix epoch.
    time: u64,
    /// Every sample of `/metrics` by its name and labels.
    samples: BTreeMap<String, f64>,
    sources: Vec<SourceReading>,
    /// The newest first.
    failures: Vec<Failure>,
    #[serde(skip)]
    frame: OnceLock<Bytes>,
}

/// One operator's place before the board.
pub struct BoardFollow {
    views: watch::Receiver<Arc<BoardView>>,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Board {
    /// Starts a board over `metrics`; it reads them only while somebody looks, and ends with `shutdown`.
    #[must_use]
    pub fn start(metrics: Arc<Metrics>, shutdown: CancellationToken) -> Self {
        let views = watch::Sender::new(Arc::new(BoardView::of(&metrics)));
        let places = Arc::new(Semaphore::new(MOST_LOOKING));
        let board = Self { views: views.clone(), places, shutdown: shutdown.clone() };
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if views.receiver_count() > 0 {
                    views.send_replace(Arc::new(BoardView::of(&metrics)));
                }
            }
        }));
        board
    }

    /// Follows the board; nothing when too many do.
    #[must_use]
    pub fn follow(&self) -> Option<BoardFollow> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(BoardFollow { views: self.views.subscribe(), shutdown: self.shutdown.clone(), _place: place })
    }
}

impl BoardFollow {
    /// Waits for the next view; none once the server goes down.
    ///
    /// # Cancel safety
    /// No view is lost but those that a newer one replaced.
    pub async fn next(&mut self) -> Option<Arc<BoardView>> {
        tokio::select! {
            () = self.shutdown.cancelled() => None,
            changed = self.views.changed() => {
                changed.ok()?;
                Some(Arc::clone(&self.views.borrow_and_update()))
            }
        }
    }
}

impl BoardView {
    fn of(metrics: &Metrics) -> Self {
        Self {
            time: u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or_default(),
            samples: metrics.samples(),
            sources: metrics.sources.readings(),
            failures: metrics.failures.newest(),
            frame: OnceLock::new(),
        }
    }

    /// Gives the view's frame, written by `encode` at the first call.
    pub fn frame(&self, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.frame.get_or_init(|| encode(self)).clone()
    }
}
