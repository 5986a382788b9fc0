//! Events: what came in, what went out, what was lost on the way.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Counters, Metrics, add,
    labels::{ReasonLabels, count_reason, show_reasons},
};

/// Why an event never reached the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Too many events were waiting.
    QueueFull,
    /// The broker stayed down for longer than an event is tried.
    OutOfTime,
    /// The broker refused it for good.
    Refused,
    /// It was larger than an event may be.
    Invalid,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::OutOfTime, Self::Refused, Self::Invalid];

    /// Gives the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::OutOfTime => "out_of_time",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }
}

/// Counts events.
pub struct EventMetrics {
    /// Events handed to the broker.
    pub published: Counter,
    /// Events that never reached the broker, by reason.
    pub dropped: Counters<ReasonLabels>,
    /// Entries read from the logs.
    pub received: Counter,
    /// Entries of the logs that no viewer is shown: repeats, or what does not parse.
    pub hidden: Counters<ReasonLabels>,
    /// Event frames handed to viewers.
    pub sent: Counter,
    /// Logs of which entries were lost before this process read them.
    pub gaps: Counter,
    /// From an entry's place in the log to this process having read it.
    pub lag: Histogram,
}

impl EventMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let lag =
            Histogram::new([0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0]);
        let about_lag =
            "From an entry's place in the log to this process having read it; once per read of a channel";
        registry.register_with_unit("log_lag", about_lag, Unit::Seconds, lag.clone());
        let events = Self {
            published: add(registry, "events_published", "Events handed to the broker"),
            dropped: add(registry, "events_dropped", "Events that never reached the broker, by reason"),
            received: add(registry, "events_received", "Entries read from the logs"),
            hidden: add(registry, "events_hidden", "Entries of the logs that no viewer is shown, by reason"),
            sent: add(registry, "events_sent", "Event frames handed to viewers"),
            gaps: add(registry, "log_gaps", "Logs of which entries were lost before this process read them"),
            lag,
        };
        show_reasons(&events.dropped, &DropReason::ALL.map(DropReason::as_str));
        show_reasons(&events.hidden, &["repeat", "too_large", "not_json", "invalid"]);
        events
    }
}

impl Metrics {
    /// Counts an event that never reached the broker.
    pub fn dropped(&self, reason: DropReason) {
        count_reason(&self.events.dropped, reason.as_str());
        self.failed("events", reason.as_str());
    }

    /// Counts a log entry that no viewer is shown.
    pub fn hidden(&self, reason: &'static str) {
        count_reason(&self.events.hidden, reason);
    }

    /// Counts a log that has to be read anew, because entries were lost unread.
    pub fn log_had_gap(&self) {
        self.events.gaps.inc();
        self.failed("log", "gap");
    }

    /// Notes how old the newest entry was when it was read.
    pub fn log_lagged(&self, age: Duration) {
        self.events.lag.observe(age.as_secs_f64());
    }
}
