//! The broker and the store: whether each answers, and how often that changed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use serde::Serialize;

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
    /// Whether each answers, and since when.
    states: Mutex<BTreeMap<&'static str, (bool, DateTime<Utc>)>>,
}

/// How a source does.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReading {
    source: &'static str,
    is_up: bool,
    /// RFC 3339.
    since: String,
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
            states: Mutex::default(),
        }
    }

    /// Gives how each source does.
    pub(in crate::telemetry) fn readings(&self) -> Vec<SourceReading> {
        let reading = |(source, (is_up, since)): (&&'static str, &(bool, DateTime<Utc>))| SourceReading {
            source,
            is_up: *is_up,
            since: since.to_rfc3339(),
        };
        self.lock().iter().map(reading).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, (bool, DateTime<Utc>)>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    /// Notes the state of a source; the first time it is no change.
    pub fn source_is(&self, source: &'static str, is_up: bool) {
        self.sources.up.get_or_create(&SourceLabels { source }).set(i64::from(is_up));
        for state in ["up", "down"] {
            show(&self.sources.changes, &StateLabels { source, state });
        }
        let known = self.sources.lock().get(source).map(|(was_up, _)| *was_up);
        if known == Some(is_up) {
            return;
        }
        self.sources.lock().insert(source, (is_up, Utc::now()));
        if known.is_some() {
            let state = if is_up { "up" } else { "down" };
            self.sources.changes.get_or_create(&StateLabels { source, state }).inc();
        }
        if !is_up {
            self.failed(source, "down");
        }
    }
}
