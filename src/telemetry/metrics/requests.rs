//! Requests over HTTP that were refused.

use prometheus_client::registry::Registry;

use super::{
    Counters, Metrics, add,
    labels::{ReasonLabels, count_reason, show_reasons},
};

const KINDS: [&str; 15] = [
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "too_slow",
    "conflict",
    "too_large",
    "unsupported_media_type",
    "too_many_requests",
    "not_implemented",
    "unavailable",
    "full",
    "refused",
    "internal",
];

/// Counts requests.
pub struct RequestMetrics {
    /// Answers that refused a request, by problem type.
    pub refused: Counters<ReasonLabels>,
}

impl RequestMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let refused = add(registry, "requests_refused", "Answers that refused a request, by problem type");
        show_reasons(&refused, &KINDS);
        Self { refused }
    }
}

impl Metrics {
    /// Counts a refused request.
    pub fn refused(&self, problem: &'static str) {
        count_reason(&self.requests.refused, problem);
        if matches!(problem, "internal" | "unavailable") {
            self.failed("requests", problem);
        }
    }
}
