//! Every number Tidings counts, in the Prometheus text format.
//!
//! Labels come from closed lists: no ids, no messages.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use crate::cache::Kind;

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

/// Labels a count of bytes with where they went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectionLabels {
    direction: &'static str,
}

/// Labels what a cache does with the kind of value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    cache: &'static str,
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
    /// Messages taken into chats.
    pub messages_stored: Counter,
    /// Reads of the messages of followed chats by outcome: `ok` or `failed`.
    pub message_reads: Family<OutcomeLabels, Counter>,
    /// Rows of `STATUS_SQL` that no viewer is shown, by reason.
    pub status_rows_left_out: Family<ReasonLabels, Counter>,
    /// 1 while a source answers, 0 while it is down.
    pub source_up: Family<SourceLabels, Gauge>,
    /// Documents that ended, by outcome: `complete` or `failed`.
    pub documents_ended: Family<OutcomeLabels, Counter>,
    /// Documents under way that nobody worked on any more, and this process took up.
    pub documents_taken_up: Counter,
    /// Failed documents that were tried again.
    pub documents_retried: Counter,
    /// Documents sent to OCR by outcome: `published`, `repeat` or the kind of the error.
    pub ocr_dispatches: Family<OutcomeLabels, Counter>,
    /// Deliveries of the OCR queue by outcome: `taken`, `too_late`, `noted`, `repeat`, `unusable`,
    /// `unsigned`, `wrong_clock` or `store_down`.
    pub ocr_deliveries: Family<OutcomeLabels, Counter>,
    /// Texts analyzed, by outcome: `ok`, `failed` or `unavailable`.
    pub analyses: Family<OutcomeLabels, Counter>,
    /// Answers that refused a request, by problem type.
    pub requests_refused: Family<ReasonLabels, Counter>,
    /// Redis commands as Upstash bills them, before copies in other regions.
    pub redis_commands: Counter,
    /// Calls to Redis by outcome: `ok` or the kind of the error.
    pub redis_calls: Family<OutcomeLabels, Counter>,
    /// Bytes of bodies to and from Redis by direction: `sent` or `received`.
    pub redis_bytes: Family<DirectionLabels, Counter>,
    /// 1 while the wake-up subscription stands, 0 while channels are polled.
    pub wake_up: Gauge,
    /// Wake-up messages by what came of them: `taken` without a read, `read`, `drained`, `known`,
    /// `not_watched`, `unreadable`.
    pub wakes: Family<OutcomeLabels, Counter>,
    /// Calls to the file store by outcome: `ok`, `denied`, `timeout` or `failed`.
    pub file_calls: Family<OutcomeLabels, Counter>,
    /// Answers that needed no load of their own, by cache.
    pub cache_hits: Family<CacheLabels, Counter>,
    /// Answers that had to be loaded, by cache.
    pub cache_misses: Family<CacheLabels, Counter>,
    /// Database queries that hits spared, by cache.
    pub cache_queries_saved: Family<CacheLabels, Counter>,
    /// Calls to a cache in Redis that failed or took too long, by cache.
    pub cache_failures: Family<CacheLabels, Counter>,
    /// How long loads took, by cache.
    pub cache_load_seconds: Family<CacheLabels, Histogram, fn() -> Histogram>,
}

/// Counts a stream as open until dropped.
pub struct StreamOpen(Arc<Metrics>);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let metrics = Self {
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
            messages_stored: add(&mut registry, "messages_stored", "Messages taken into chats"),
            message_reads: add(&mut registry, "message_reads", "Reads of followed chats by outcome"),
            status_rows_left_out: add(
                &mut registry,
                "status_rows_left_out",
                "Rows of STATUS_SQL that no viewer is shown, by reason",
            ),
            source_up: add(&mut registry, "source_up", "1 while a source answers, 0 while it is down"),
            documents_ended: add(&mut registry, "documents_ended", "Documents that ended, by outcome"),
            documents_taken_up: add(
                &mut registry,
                "documents_taken_up",
                "Documents under way that nobody worked on any more",
            ),
            documents_retried: add(&mut registry, "documents_retried", "Failed documents tried again"),
            ocr_dispatches: add(&mut registry, "ocr_dispatches", "Documents sent to OCR, by outcome"),
            ocr_deliveries: add(&mut registry, "ocr_deliveries", "Deliveries of the OCR queue, by outcome"),
            analyses: add(&mut registry, "analyses", "Texts analyzed, by outcome"),
            requests_refused: add(&mut registry, "requests_refused", "Answers that refused a request"),
            redis_commands: add(&mut registry, "redis_commands", "Redis commands as Upstash bills them"),
            redis_calls: add(&mut registry, "redis_calls", "Calls to Redis by outcome"),
            redis_bytes: add(&mut registry, "redis_bytes", "Bytes of bodies to and from Redis"),
            wake_up: add(&mut registry, "wake_up", "1 while the wake-up subscription stands"),
            wakes: add(&mut registry, "wakes", "Wake-up messages by what came of them"),
            file_calls: add(&mut registry, "file_calls", "Calls to the file store by outcome"),
            cache_hits: add(&mut registry, "cache_hits", "Answers that needed no load of their own"),
            cache_misses: add(&mut registry, "cache_misses", "Answers that had to be loaded"),
            cache_queries_saved: add(
                &mut registry,
                "cache_queries_saved",
                "Database queries that hits spared",
            ),
            cache_failures: add(
                &mut registry,
                "cache_failures",
                "Calls to a cache in Redis that failed or took too long",
            ),
            cache_load_seconds: add_as(
                &mut registry,
                "cache_load_seconds",
                "How long loads took",
                Family::new_with_constructor(load_seconds as fn() -> Histogram),
            ),
            registry,
        };
        metrics.show_zeros();
        metrics
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    add_as(registry, name, help, M::default())
}

/// From a read of a table nearby to the longest wait for a database.
fn load_seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

fn add_as<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
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

    /// Shows counts of closed lists from the start: the first event of a kind is an increase too.
    fn show_zeros(&self) {
        for reason in DropReason::ALL {
            show_reason(&self.events_dropped, reason.as_str());
        }
        for reason in ["done", "max_duration", "shutdown", "slow_consumer", "token_expired", "viewer_left"] {
            show_reason(&self.stream_ends, reason);
        }
        for reason in ["finished", "overloaded"] {
            show_reason(&self.streams_declined, reason);
        }
        for reason in ["other_patient", "unknown_status", "unreadable", "refused_id"] {
            show_reason(&self.status_rows_left_out, reason);
        }
        for outcome in ["ok", "denied", "timeout", "failed"] {
            drop(self.file_calls.get_or_create(&OutcomeLabels { outcome }));
        }
        for labels in Kind::ALL.map(CacheLabels::of) {
            for family in
                [&self.cache_hits, &self.cache_misses, &self.cache_queries_saved, &self.cache_failures]
            {
                drop(family.get_or_create(&labels));
            }
            drop(self.cache_load_seconds.get_or_create(&labels));
        }
        for outcome in ["ok", "failed", "unavailable"] {
            drop(self.analyses.get_or_create(&OutcomeLabels { outcome }));
        }
        for (family, outcomes) in [
            (&self.replays, ["whole", "gap"]),
            (&self.status_reads, ["ok", "failed"]),
            (&self.message_reads, ["ok", "failed"]),
            (&self.documents_ended, ["complete", "failed"]),
        ] {
            for outcome in outcomes {
                drop(family.get_or_create(&OutcomeLabels { outcome }));
            }
        }
        for outcome in
            ["taken", "too_late", "noted", "repeat", "unusable", "unsigned", "wrong_clock", "store_down"]
        {
            drop(self.ocr_deliveries.get_or_create(&OutcomeLabels { outcome }));
        }
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

    /// Counts a read of messages.
    pub fn messages_read(&self, is_ok: bool) {
        count_outcome(&self.message_reads, if is_ok { "ok" } else { "failed" });
    }

    /// Counts a row of `STATUS_SQL` that no viewer is shown.
    pub fn status_row_left_out(&self, reason: &'static str) {
        count_reason(&self.status_rows_left_out, reason);
    }

    /// Counts a document that ended.
    pub fn document_ended(&self, outcome: &'static str) {
        count_outcome(&self.documents_ended, outcome);
    }

    /// Counts a document that was sent to OCR, or not taken.
    pub fn ocr_dispatched(&self, outcome: &'static str) {
        count_outcome(&self.ocr_dispatches, outcome);
    }

    /// Counts a delivery of the OCR queue.
    pub fn ocr_delivered(&self, outcome: &'static str) {
        count_outcome(&self.ocr_deliveries, outcome);
    }

    /// Counts a text that was analyzed.
    pub fn analyzed(&self, outcome: &'static str) {
        count_outcome(&self.analyses, outcome);
    }

    /// Notes the state of a source.
    pub fn source_is(&self, source: &'static str, is_up: bool) {
        self.source_up.get_or_create(&SourceLabels { source }).set(i64::from(is_up));
    }

    /// Counts Redis commands that are billed.
    pub fn redis_billed(&self, commands: u64) {
        self.redis_commands.inc_by(commands);
    }

    /// Counts a call to Redis.
    pub fn redis_called(&self, outcome: &'static str) {
        count_outcome(&self.redis_calls, outcome);
    }

    /// Counts bytes of a body: `sent` to Redis, or `received`.
    pub fn redis_carried(&self, direction: &'static str, bytes: usize) {
        self.redis_bytes.get_or_create(&DirectionLabels { direction }).inc_by(bytes as u64);
    }

    /// Notes whether the wake-up subscription stands.
    pub fn wake_is(&self, is_up: bool) {
        self.wake_up.set(i64::from(is_up));
    }

    /// Counts a wake-up message.
    pub fn woke(&self, outcome: &'static str) {
        count_outcome(&self.wakes, outcome);
    }

    /// Counts a call to the file store.
    pub fn files_called(&self, outcome: &'static str) {
        count_outcome(&self.file_calls, outcome);
    }

    /// Counts an answer of a cache, and the queries it spared.
    pub fn cache_asked(&self, kind: Kind, is_hit: bool) {
        let labels = CacheLabels::of(kind);
        if is_hit {
            self.cache_hits.get_or_create(&labels).inc();
            self.cache_queries_saved.get_or_create(&labels).inc_by(kind.queries());
        } else {
            self.cache_misses.get_or_create(&labels).inc();
        }
    }

    /// Notes how long a load took.
    pub fn cache_loaded(&self, kind: Kind, took: Duration) {
        self.cache_load_seconds.get_or_create(&CacheLabels::of(kind)).observe(took.as_secs_f64());
    }

    /// Counts a call to a cache in Redis that failed.
    pub fn cache_failed(&self, kind: Kind) {
        self.cache_failures.get_or_create(&CacheLabels::of(kind)).inc();
    }

    /// Counts a stream as open until the answer is dropped.
    #[must_use]
    pub fn open_stream(self: &Arc<Self>) -> StreamOpen {
        self.streams_open.inc();
        StreamOpen(Arc::clone(self))
    }
}

impl CacheLabels {
    const fn of(kind: Kind) -> Self {
        Self { cache: kind.as_str() }
    }
}

fn show_reason(family: &Family<ReasonLabels, Counter<u64, AtomicU64>>, reason: &'static str) {
    drop(family.get_or_create(&ReasonLabels { reason }));
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
