//! Every number Tidings counts, in the Prometheus text format.
//!
//! Labels come from closed lists: no ids, no messages.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry},
};

/// Labels a count with a reason from a closed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    reason: &'static str,
}

/// Labels an end of a stream.
pub type EndLabels = ReasonLabels;

/// Labels a count with how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    outcome: &'static str,
}

/// Labels a state with the source it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabels {
    source: &'static str,
}

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

/// Counts what one server does.
pub struct Metrics {
    registry: Registry,
    /// Streams open now.
    pub streams_open: Gauge,
    /// Ends of streams by reason: `done`, a reconnect reason, or `viewer_left`.
    pub stream_ends: Family<ReasonLabels, Counter>,
    /// Requests for a stream answered otherwise: `finished` (204) or `overloaded`.
    pub streams_declined: Family<ReasonLabels, Counter>,
    /// Events handed to the broker.
    pub events_published: Counter,
    /// Events that never reached the broker, by reason.
    pub events_dropped: Family<ReasonLabels, Counter>,
    /// Entries read from the logs.
    pub events_received: Counter,
    /// Entries of the logs that no viewer is shown: repeats, or what does not parse.
    pub events_hidden: Family<ReasonLabels, Counter>,
    /// Event frames handed to viewers.
    pub events_sent: Counter,
    /// Returning viewers by outcome: `whole` or `gap`.
    pub replays: Family<OutcomeLabels, Counter>,
    /// Reads of the document statuses by outcome: `ok` or `failed`.
    pub status_reads: Family<OutcomeLabels, Counter>,
    /// 1 while a source answers, 0 while it is down.
    pub source_up: Family<SourceLabels, Gauge>,
    /// Documents that ended, by outcome: `complete` or `failed`.
    pub documents_ended: Family<OutcomeLabels, Counter>,
    /// Answers that refused a request, by problem type.
    pub requests_refused: Family<ReasonLabels, Counter>,
}

/// Counts a stream as open until dropped.
pub struct StreamOpen(Arc<Metrics>);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        Self {
            streams_open: add(&mut registry, "streams_open", "Streams open now"),
            stream_ends: add(&mut registry, "stream_ends", "Ends of streams by reason"),
            streams_declined: add(
                &mut registry,
                "streams_declined",
                "Requests for a stream answered otherwise",
            ),
            events_published: add(&mut registry, "events_published", "Events handed to the broker"),
            events_dropped: add(&mut registry, "events_dropped", "Events that never reached the broker"),
            events_received: add(&mut registry, "events_received", "Entries read from the logs"),
            events_hidden: add(&mut registry, "events_hidden", "Entries of the logs that no viewer is shown"),
            events_sent: add(&mut registry, "events_sent", "Event frames handed to viewers"),
            replays: add(&mut registry, "replays", "Returning viewers by outcome"),
            status_reads: add(&mut registry, "status_reads", "Reads of the document statuses by outcome"),
            source_up: add(&mut registry, "source_up", "1 while a source answers, 0 while it is down"),
            documents_ended: add(&mut registry, "documents_ended", "Documents that ended, by outcome"),
            requests_refused: add(&mut registry, "requests_refused", "Answers that refused a request"),
            registry,
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// Writes all numbers in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// Counts an event that never reached the broker.
    pub fn dropped(&self, reason: DropReason) {
        count_reason(&self.events_dropped, reason.as_str());
    }

    /// Counts a log entry that no viewer is shown.
    pub fn hidden(&self, reason: &'static str) {
        count_reason(&self.events_hidden, reason);
    }

    /// Counts the end of a stream.
    pub fn stream_ended(&self, reason: &'static str) {
        count_reason(&self.stream_ends, reason);
    }

    /// Counts a request for a stream that was answered otherwise.
    pub fn stream_declined(&self, reason: &'static str) {
        count_reason(&self.streams_declined, reason);
    }

    /// Counts a refused request.
    pub fn refused(&self, problem: &'static str) {
        count_reason(&self.requests_refused, problem);
    }

    /// Counts a returning viewer.
    pub fn replayed(&self, is_whole: bool) {
        count_outcome(&self.replays, if is_whole { "whole" } else { "gap" });
    }

    /// Counts a read of the statuses.
    pub fn status_read(&self, is_ok: bool) {
        count_outcome(&self.status_reads, if is_ok { "ok" } else { "failed" });
    }

    /// Counts a document that ended.
    pub fn document_ended(&self, outcome: &'static str) {
        count_outcome(&self.documents_ended, outcome);
    }

    /// Notes the state of a source.
    pub fn source_is(&self, source: &'static str, is_up: bool) {
        self.source_up.get_or_create(&SourceLabels { source }).set(i64::from(is_up));
    }

    /// Counts a stream as open until the answer is dropped.
    #[must_use]
    pub fn open_stream(self: &Arc<Self>) -> StreamOpen {
        self.streams_open.inc();
        StreamOpen(Arc::clone(self))
    }
}

fn count_reason(family: &Family<ReasonLabels, Counter<u64, AtomicU64>>, reason: &'static str) {
    family.get_or_create(&ReasonLabels { reason }).inc();
}

fn count_outcome(family: &Family<OutcomeLabels, Counter<u64, AtomicU64>>, outcome: &'static str) {
    family.get_or_create(&OutcomeLabels { outcome }).inc();
}

impl Drop for StreamOpen {
    fn drop(&mut self) {
        self.0.streams_open.dec();
    }
}
