//! Chats: messages kept and read.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{
    Counters, Metrics, add,
    labels::{OutcomeLabels, count_outcome, show_outcomes},
};

/// Counts messages.
pub struct ChatMetrics {
    /// Messages taken into chats.
    pub stored: Counter,
    /// Reads of the messages of followed chats by outcome: `ok` or `failed`.
    pub reads: Counters<OutcomeLabels>,
    /// Answers of the local responder by outcome: `told`, `taken_up` or `failed`.
    pub answers: Counters<OutcomeLabels>,
}

impl ChatMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let chat = Self {
            stored: add(registry, "messages_stored", "Messages taken into chats"),
            reads: add(registry, "message_reads", "Reads of the messages of followed chats, by outcome"),
            answers: add(registry, "answers", "Answers of the local responder, by outcome"),
        };
        show_outcomes(&chat.reads, &["ok", "failed"]);
        show_outcomes(&chat.answers, &["told", "taken_up", "failed"]);
        chat
    }
}

impl Metrics {
    /// Counts an answer of the local responder.
    pub fn answered(&self, outcome: &'static str) {
        count_outcome(&self.chat.answers, outcome);
        if outcome == "failed" {
            self.failed("answers", "not_kept");
        }
    }

    /// Counts a read of messages.
    pub fn messages_read(&self, is_ok: bool) {
        count_outcome(&self.chat.reads, if is_ok { "ok" } else { "failed" });
        if !is_ok {
            self.failed("messages", "not_read");
        }
    }
}
