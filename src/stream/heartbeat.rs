//! One timer for the heartbeats of all streams, spread over their interval.
//!
//! Streams that beat together are written to together, and events that come meanwhile wait for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::SecondsFormat;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use super::frame::Heartbeat;
use crate::clock::Clock;

/// Parts of the interval, 50 ms each with the default of 5 s: of 10,000 streams 100 beat in each.
const PHASES: usize = 100;

/// Beats for all who follow it, each of them in a phase of its own.
#[derive(Clone)]
pub struct Pulse {
    phases: Arc<[watch::Sender<Arc<Heartbeat>>]>,
    /// Counts those who followed: each gets the next phase.
    followed: Arc<AtomicUsize>,
}

/// The heartbeats of one stream.
#[derive(Clone)]
pub(super) struct Beats(watch::Receiver<Arc<Heartbeat>>);

impl Pulse {
    /// Starts to beat every `every` in each phase; ends with `stop`.
    #[must_use]
    pub fn start(clock: Clock, every: Duration, stop: CancellationToken) -> Self {
        let first = Arc::new(beat(&clock));
        let phases: Arc<[_]> = (0..PHASES).map(|_| watch::Sender::new(Arc::clone(&first))).collect();
        let beating = beat_in_turn(Arc::clone(&phases), clock, every / PHASES as u32);
        tokio::spawn(stop.run_until_cancelled_owned(beating));
        Self { phases, followed: Arc::default() }
    }

    /// Follows from now on: the first beat comes within the interval.
    pub(super) fn follow(&self) -> Beats {
        let phase = self.followed.fetch_add(1, Ordering::Relaxed) % PHASES;
        Beats(self.phases[phase].subscribe())
    }
}

impl Beats {
    /// Waits for the next beat, and counts it as taken.
    pub(super) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the newest beat, if it has not been taken.
    pub(super) fn take(&mut self) -> Option<Arc<Heartbeat>> {
        let is_new = self.0.has_changed().unwrap_or(false);
        is_new.then(|| Arc::clone(&self.0.borrow_and_update()))
    }
}

/// Beats in one phase after the other, `pause` apart.
async fn beat_in_turn(phases: Arc<[watch::Sender<Arc<Heartbeat>>]>, clock: Clock, pause: Duration) {
    let started = Instant::now();
    let mut ticks = interval_at(started + pause, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut done = 0;
    loop {
        let due = (ticks.tick().await - started).div_duration_f64(pause).round() as usize;
        // A process that was held up for long beats once in each phase, not once for each beat missed.
        for turn in done.max(due.saturating_sub(PHASES))..due {
            let phase = &phases[turn % PHASES];
            if phase.receiver_count() > 0 {
                phase.send_replace(Arc::new(beat(&clock)));
            }
        }
        done = due;
    }
}

fn beat(clock: &Clock) -> Heartbeat {
    Heartbeat::new(clock.now().to_rfc3339_opts(SecondsFormat::Millis, true))
}
