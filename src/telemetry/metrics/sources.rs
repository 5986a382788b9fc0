//! The broker and the store: whether each answers, and how often that changed.

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    Counters, Metrics, add,
    labels::{SourceLabels, StateLabels, show},
};

/// Counts what the breakers of the sources do.
pub struct SourceMetrics {
    /// 1 while a source answers, 0 while its breaker is open: then it is only probed.
    pub up: Family<SourceLabels, Gauge>,
    /// Changes of that, by the state a source went to: `up` or `down`.
    pub changes: Counters<StateLabels>,
}

impl SourceMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            up: add(registry, "source_up", "1 while a source answers, 0 while its breaker is open"),
            changes: add(
                registry,
                "source_changes",
                "Changes of a source's breaker, by the state it went to",
            ),
        }
    }
}

impl Metrics {
    /// Notes the state of a source; the first time it is no change.
    pub fn source_is(&self, source: &'static str, is_up: bool) {
        let labels = SourceLabels { source };
        let is_known = self.sources.up.get(&labels).is_some();
        let was_up = self.sources.up.get_or_create(&labels).set(i64::from(is_up)) == 1;
        for state in ["up", "down"] {
            show(&self.sources.changes, &StateLabels { source, state });
        }
        if is_known && was_up != is_up {
            let state = if is_up { "up" } else { "down" };
            self.sources.changes.get_or_create(&StateLabels { source, state }).inc();
        }
    }
}
