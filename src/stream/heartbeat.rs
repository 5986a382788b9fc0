//! One timer for the heartbeat of every stream.

use std::{sync::Arc, time::Duration};

use chrono::SecondsFormat;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use super::frame::Heartbeat;
use crate::clock::Clock;

/// Beats for all who follow it.
#[derive(Clone)]
pub struct Pulse {
    beats: watch::Receiver<Arc<Heartbeat>>,
}

impl Pulse {
    /// Starts to beat every `every`; ends with `stop`.
    #[must_use]
    pub fn start(clock: Clock, every: Duration, stop: CancellationToken) -> Self {
        let (sender, beats) = watch::channel(Arc::new(beat(&clock)));
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                sender.send_replace(Arc::new(beat(&clock)));
            }
        }));
        Self { beats }
    }

    /// Waits for the next beat, and counts it as taken.
    pub(super) async fn changed(&mut self) {
        if self.beats.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the newest beat, if it has not been taken.
    pub(super) fn take(&mut self) -> Option<Arc<Heartbeat>> {
        let is_new = self.beats.has_changed().unwrap_or(false);
        is_new.then(|| Arc::clone(&self.beats.borrow_and_update()))
    }

    /// Follows from now on: earlier beats are not told.
    #[must_use]
    pub fn follow(&self) -> Self {
        let mut beats = self.beats.clone();
        beats.mark_unchanged();
        Self { beats }
    }
}

fn beat(clock: &Clock) -> Heartbeat {
    Heartbeat::new(clock.now().to_rfc3339_opts(SecondsFormat::Millis, true))
}
