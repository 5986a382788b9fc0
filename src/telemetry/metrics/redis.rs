//! Redis: what is called, what it costs, what drains move.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    Counters, Metrics, add,
    labels::{DirectionLabels, OutcomeLabels, count_outcome, show, show_outcomes},
};

/// Counts calls to Redis.
pub struct RedisMetrics {
    /// Commands as Upstash bills them, before copies in other regions.
    pub commands: Counter,
    /// Calls by outcome: `ok` or the kind of the error.
    pub calls: Counters<OutcomeLabels>,
    /// Bytes of bodies by direction: `sent` or `received`.
    pub bytes: Counters<DirectionLabels>,
    /// Until when nothing that is billed is sent, as the quota is spent, in seconds since the Unix epoch; 0 where
    /// nothing holds calls back.
    pub rests_until: Gauge,
    /// 1 while the wake-up subscription stands, 0 while channels are polled.
    pub wake_up: Gauge,
    /// Wake-up messages by what came of them: `taken` without a read, `read`, `drained`, `known`,
    /// `not_watched`, `unreadable`.
    pub wakes: Counters<OutcomeLabels>,
    /// Events that one drain moved into the logs.
    pub drain_events: Histogram,
    /// What drains met: events `moved`, `dead` items, `quarantined` keys, `refused` events.
    pub drained: Counters<OutcomeLabels>,
}

impl RedisMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let drain_events = Histogram::new([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
        registry.register(
            "redis_drain_events",
            "Events that one drain moved into the logs",
            drain_events.clone(),
        );
        let redis = Self {
            commands: add(registry, "redis_commands", "Redis commands as Upstash bills them"),
            calls: add(registry, "redis_calls", "Calls to Redis, by outcome"),
            bytes: add(registry, "redis_bytes", "Bytes of bodies to and from Redis, by direction"),
            rests_until: add(
                registry,
                "redis_rests_until_seconds",
                "Unix time until which nothing billed is sent, as the quota is spent; 0 without a rest",
            ),
            wake_up: add(registry, "wake_up", "1 while the wake-up subscription stands"),
            wakes: add(registry, "wakes", "Wake-up messages, by what came of them"),
            drain_events,
            drained: add(registry, "redis_drained", "What drains met in the inboxes, by outcome"),
        };
        show_outcomes(&redis.calls, &["ok"]);
        show_outcomes(&redis.wakes, &["taken", "read", "drained", "known", "not_watched", "unreadable"]);
        show_outcomes(&redis.drained, &["moved", "dead", "quarantined", "refused"]);
        for direction in ["sent", "received"] {
            show(&redis.bytes, &DirectionLabels { direction });
        }
        redis
    }
}

impl Metrics {
    /// Counts Redis commands that are billed.
    pub fn redis_billed(&self, commands: u64) {
        self.redis.commands.inc_by(commands);
    }

    /// Counts a call to Redis.
    pub fn redis_called(&self, outcome: &'static str) {
        count_outcome(&self.redis.calls, outcome);
        if outcome != "ok" {
            self.failed("redis", outcome);
        }
    }

    /// Counts bytes of a body: `sent` to Redis, or `received`.
    pub fn redis_carried(&self, direction: &'static str, bytes: usize) {
        self.redis.bytes.get_or_create(&DirectionLabels { direction }).inc_by(bytes as u64);
    }

    /// Notes until when nothing that is billed is sent, since the Unix epoch; none where all is sent.
    pub fn redis_rests(&self, until: Option<Duration>) {
        let seconds = until.map_or(0, |until| until.as_secs());
        self.redis.rests_until.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Notes whether the wake-up subscription stands.
    pub fn wake_is(&self, is_up: bool) {
        self.redis.wake_up.set(i64::from(is_up));
    }

    /// Counts a wake-up message.
    pub fn woke(&self, outcome: &'static str) {
        count_outcome(&self.redis.wakes, outcome);
    }

    /// Notes the size of a drain, and what it met: counts by outcome, `moved` among them.
    pub fn redis_drained(&self, met: [(&'static str, u64); 4]) {
        for (outcome, count) in met {
            self.redis.drained.get_or_create(&OutcomeLabels { outcome }).inc_by(count);
            if outcome == "moved" {
                #[expect(clippy::cast_precision_loss, reason = "a drain moves 256 events at most")]
                self.redis.drain_events.observe(count as f64);
            }
        }
    }
}
