//! Every number Tidings counts, in the Prometheus text format; `docs/metrics.md` says what each means.
//!
//! A file per noun. Labels come from closed lists: no ids, no messages. What has a closed list of
//! labels shows them all from the start: the first event of a kind is an increase too.

mod cache;
mod chat;
mod documents;
mod events;
mod labels;
mod limits;
mod ocr;
mod redis;
mod requests;
mod sources;
mod streams;
mod traces;

use std::collections::BTreeMap;

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry, Unit},
};

pub use cache::CacheMetrics;
pub use chat::ChatMetrics;
pub use documents::DocumentMetrics;
pub use events::{DropReason, EventMetrics};
pub use labels::{
    CacheLabels, DirectionLabels, KindLabels, OutcomeLabels, ReasonLabels, SourceLabels, StageLabels,
    StateLabels, VersionLabels,
};
pub use limits::{Limit, LimitLabels, LimitMetrics};
pub use ocr::OcrMetrics;
pub use redis::RedisMetrics;
pub use requests::RequestMetrics;
pub use sources::{SourceMetrics, SourceReading};
pub use streams::{StreamMetrics, StreamOpen};
pub use traces::{SpanLoss, TraceMetrics};

use super::failures::Failures;

/// Counts by labels.
type Counters<L> = Family<L, Counter>;
/// Durations or sizes by labels.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Counts what one server does.
pub struct Metrics {
    registry: Registry,
    /// Streams of viewers.
    pub streams: StreamMetrics,
    /// Events on their way in and out.
    pub events: EventMetrics,
    /// Calls to Redis.
    pub redis: RedisMetrics,
    /// Documents, their statuses and files.
    pub documents: DocumentMetrics,
    /// OCR over the queue.
    pub ocr: OcrMetrics,
    /// Messages of chats.
    pub chat: ChatMetrics,
    /// Caches.
    pub caches: CacheMetrics,
    /// The broker and the store.
    pub sources: SourceMetrics,
    /// Requests over HTTP.
    pub requests: RequestMetrics,
    /// Limits and connections.
    pub limits: LimitMetrics,
    /// Spans of traces.
    pub traces: TraceMetrics,
    /// The newest failures, which no number tells the reasons of.
    pub failures: Failures,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let build: Family<VersionLabels, Gauge> = add(&mut registry, "build_info", "1, for this version");
        build.get_or_create(&VersionLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        Self {
            streams: StreamMetrics::new(&mut registry),
            events: EventMetrics::new(&mut registry),
            redis: RedisMetrics::new(&mut registry),
            documents: DocumentMetrics::new(&mut registry),
            ocr: OcrMetrics::new(&mut registry),
            chat: ChatMetrics::new(&mut registry),
            caches: CacheMetrics::new(&mut registry),
            sources: SourceMetrics::new(&mut registry),
            requests: RequestMetrics::new(&mut registry),
            limits: LimitMetrics::new(&mut registry),
            traces: TraceMetrics::new(&mut registry),
            failures: Failures::default(),
            registry,
        }
    }
}

impl Metrics {
    /// Writes all numbers in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// Gives every sample by its name and labels, as [`Metrics::encode`] writes them.
    #[must_use]
    pub fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.encode();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let read = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        samples.filter_map(read).collect()
    }

    /// Notes what went wrong, for those who look.
    fn failed(&self, part: &'static str, reason: &'static str) {
        self.failures.note(part, reason, chrono::Utc::now());
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Adds durations; the name gets the unit's ending.
fn add_seconds<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    buckets: fn() -> Histogram,
) -> Histograms<L>
where
    Histograms<L>: Metric + Clone,
    L: Clone + std::hash::Hash + Eq,
{
    let metric = Histograms::<L>::new_with_constructor(buckets);
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}
