//! Spans: how many left, how many were lost.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{
    Counters, Metrics, add,
    labels::{ReasonLabels, show_reasons},
};

/// Why a span never reached the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanLoss {
    /// Too many spans were waiting.
    QueueFull,
    /// The collector did not take it in time.
    Failed,
}

/// Counts spans.
pub struct TraceMetrics {
    /// Spans that the collector took.
    pub sent: Counter,
    /// Spans that never reached it, by reason.
    pub lost: Counters<ReasonLabels>,
}

impl SpanLoss {
    /// Gives the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Failed => "failed",
        }
    }
}

impl TraceMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let traces = Self {
            sent: add(registry, "spans_sent", "Spans that the collector of traces took"),
            lost: add(
                registry,
                "spans_dropped",
                "Spans that never reached the collector of traces, by reason",
            ),
        };
        show_reasons(&traces.lost, &["queue_full", "failed"]);
        traces
    }
}

impl Metrics {
    /// Counts spans that the collector took.
    pub fn spans_sent(&self, count: u64) {
        self.traces.sent.inc_by(count);
    }

    /// Counts spans that never reached it.
    pub fn spans_lost(&self, loss: SpanLoss, count: u64) {
        self.traces.lost.get_or_create(&ReasonLabels { reason: loss.as_str() }).inc_by(count);
        self.failed("traces", loss.as_str());
    }
}
