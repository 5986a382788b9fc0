//! What limits have refused, and the connections they count.

use prometheus_client::{encoding::EncodeLabelSet, metrics::gauge::Gauge, registry::Registry};

use super::{Counters, Metrics, add, labels::show};

/// A limit that somebody met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests of one address.
    RequestsPerAddress,
    /// Requests of one token.
    RequestsPerToken,
    /// Open streams of one address.
    StreamsPerAddress,
    /// Open streams of one token.
    StreamsPerToken,
    /// Open connections of one address.
    ConnectionsPerAddress,
    /// The time until a first request is whole.
    SlowHead,
}

/// Labels a count with a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    limit: &'static str,
}

/// Counts what limits have refused.
pub struct LimitMetrics {
    /// Requests, streams and connections refused, by limit.
    pub limited: Counters<LimitLabels>,
    /// Connections open now.
    pub connections: Gauge,
}

impl Limit {
    const ALL: [Self; 6] = [
        Self::RequestsPerAddress,
        Self::RequestsPerToken,
        Self::StreamsPerAddress,
        Self::StreamsPerToken,
        Self::ConnectionsPerAddress,
        Self::SlowHead,
    ];

    const fn labels(self) -> LimitLabels {
        let limit = match self {
            Self::RequestsPerAddress => "requests_per_address",
            Self::RequestsPerToken => "requests_per_token",
            Self::StreamsPerAddress => "streams_per_address",
            Self::StreamsPerToken => "streams_per_token",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::SlowHead => "slow_head",
        };
        LimitLabels { limit }
    }
}

impl LimitMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let limited = add(registry, "limited", "Requests, streams and connections refused, by limit");
        Limit::ALL.iter().for_each(|limit| show(&limited, &limit.labels()));
        Self { limited, connections: add(registry, "connections_open", "Connections open now") }
    }
}

impl Metrics {
    /// Counts what a limit refused.
    pub fn limited(&self, limit: Limit) {
        self.limits.limited.get_or_create(&limit.labels()).inc();
    }
}
