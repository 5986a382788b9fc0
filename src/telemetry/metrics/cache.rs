//! Caches: what they spare, what they cost, when the one in Redis is away.

use std::time::Duration;

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

use super::{
    Counters, Histograms, Metrics, add, add_seconds,
    labels::{CacheLabels, show},
};
use crate::cache::Kind;

/// Counts what caches do, by the kind of value.
pub struct CacheMetrics {
    /// Answers that needed no load of their own.
    pub hits: Counters<CacheLabels>,
    /// Answers that had to be loaded.
    pub misses: Counters<CacheLabels>,
    /// Database queries that hits spared.
    pub queries_saved: Counters<CacheLabels>,
    /// Calls to a cache in Redis that failed or took too long.
    pub failures: Counters<CacheLabels>,
    /// How long loads took.
    pub load: Histograms<CacheLabels>,
}

impl CacheMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let caches = Self {
            hits: add(registry, "cache_hits", "Answers that needed no load of their own, by cache"),
            misses: add(registry, "cache_misses", "Answers that had to be loaded, by cache"),
            queries_saved: add(
                registry,
                "cache_queries_saved",
                "Database queries that hits spared, by cache",
            ),
            failures: add(
                registry,
                "cache_failures",
                "Calls to a cache in Redis that failed or took too long, by cache",
            ),
            load: add_seconds(registry, "cache_load", "How long loads took, by cache", load_times),
        };
        for labels in Kind::ALL.map(CacheLabels::of) {
            for family in [&caches.hits, &caches.misses, &caches.queries_saved, &caches.failures] {
                show(family, &labels);
            }
            show(&caches.load, &labels);
        }
        caches
    }
}

/// From a read of a table nearby to the longest wait for a database.
fn load_times() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Metrics {
    /// Counts an answer of a cache, and the queries it spared.
    pub fn cache_asked(&self, kind: Kind, is_hit: bool) {
        let labels = CacheLabels::of(kind);
        if is_hit {
            self.caches.hits.get_or_create(&labels).inc();
            self.caches.queries_saved.get_or_create(&labels).inc_by(kind.queries());
        } else {
            self.caches.misses.get_or_create(&labels).inc();
        }
    }

    /// Notes how long a load took.
    pub fn cache_loaded(&self, kind: Kind, took: Duration) {
        self.caches.load.get_or_create(&CacheLabels::of(kind)).observe(took.as_secs_f64());
    }

    /// Counts a call to a cache in Redis that failed.
    pub fn cache_failed(&self, kind: Kind) {
        self.caches.failures.get_or_create(&CacheLabels::of(kind)).inc();
        self.failed("cache", kind.as_str());
    }
}
