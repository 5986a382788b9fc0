//! Streams of viewers: how many, how they end, how late events reach them.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    Counters, Histograms, Metrics, add, add_seconds,
    labels::{
        KindLabels, OutcomeLabels, ReasonLabels, count_outcome, count_reason, show, show_outcomes,
        show_reasons,
    },
};
use crate::event::ChannelKind;

const ENDS: [&str; 6] = ["done", "max_duration", "shutdown", "slow_consumer", "token_expired", "viewer_left"];

/// Counts streams.
pub struct StreamMetrics {
    /// Streams open now, by kind of channel.
    pub open: Family<KindLabels, Gauge>,
    /// Ends of streams by reason: `done`, a reconnect reason, or `viewer_left`.
    pub ends: Counters<ReasonLabels>,
    /// Requests for a stream answered otherwise: `finished` (204) or `overloaded`.
    pub declined: Counters<ReasonLabels>,
    /// Returning viewers by outcome: `whole` or `gap`.
    pub replays: Counters<OutcomeLabels>,
    /// From an event's time to its frame being written for its first viewer here.
    pub delivery: Histograms<KindLabels>,
}

/// Counts a stream as open until dropped.
pub struct StreamOpen {
    metrics: Arc<Metrics>,
    labels: KindLabels,
}

impl StreamMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let streams = Self {
            open: add(registry, "streams_open", "Streams open now, by kind of channel"),
            ends: add(registry, "stream_ends", "Ends of streams, by reason"),
            declined: add(
                registry,
                "streams_declined",
                "Requests for a stream answered otherwise, by reason",
            ),
            replays: add(
                registry,
                "replays",
                "Returning viewers, by whether the log showed them all they missed",
            ),
            delivery: add_seconds(
                registry,
                "delivery",
                "From an event's time to its frame being written for its first viewer in this process",
                latencies,
            ),
        };
        for labels in &KindLabels::ALL {
            show(&streams.open, labels);
            show(&streams.delivery, labels);
        }
        show_reasons(&streams.ends, &ENDS);
        show_reasons(&streams.declined, &["finished", "overloaded"]);
        show_outcomes(&streams.replays, &["whole", "gap"]);
        streams
    }
}

/// From memory at hand to a broker that was down for a while.
fn latencies() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0])
}

impl Metrics {
    /// Counts a stream as open until the answer is dropped.
    #[must_use]
    pub fn open_stream(self: &Arc<Self>, kind: &ChannelKind) -> StreamOpen {
        let labels = KindLabels::of(kind);
        self.streams.open.get_or_create(&labels).inc();
        StreamOpen { metrics: Arc::clone(self), labels }
    }

    /// Gives how many streams are open now, of all kinds.
    #[must_use]
    pub fn open_streams(&self) -> i64 {
        KindLabels::ALL.iter().map(|labels| self.streams.open.get_or_create(labels).get()).sum()
    }

    /// Counts the end of a stream.
    pub fn stream_ended(&self, reason: &'static str) {
        count_reason(&self.streams.ends, reason);
        if reason == "slow_consumer" {
            self.failed("streams", reason);
        }
    }

    /// Counts a request for a stream that was answered otherwise.
    pub fn stream_declined(&self, reason: &'static str) {
        count_reason(&self.streams.declined, reason);
        if reason == "overloaded" {
            self.failed("streams", reason);
        }
    }

    /// Counts a returning viewer.
    pub fn replayed(&self, is_whole: bool) {
        count_outcome(&self.streams.replays, if is_whole { "whole" } else { "gap" });
    }

    /// Notes how old an event was when its frame was written for its first viewer.
    pub fn delivered(&self, kind: &ChannelKind, age: Duration) {
        self.streams.delivery.get_or_create(&KindLabels::of(kind)).observe(age.as_secs_f64());
    }
}

impl Drop for StreamOpen {
    fn drop(&mut self) {
        self.metrics.streams.open.get_or_create(&self.labels).dec();
    }
}
