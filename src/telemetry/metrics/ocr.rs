//! OCR over the queue: what is handed over, what comes back.

use prometheus_client::registry::Registry;

use super::{
    Counters, Metrics, add,
    labels::{OutcomeLabels, count_outcome, show_outcomes},
};

const DISPATCHES: [&str; 12] = [
    "published",
    "repeat",
    "no_link",
    "auth",
    "quota",
    "throttled",
    "too_large",
    "refused",
    "unavailable",
    "transport",
    "timeout",
    "garbled",
];
const DELIVERIES: [&str; 8] =
    ["taken", "too_late", "noted", "repeat", "unusable", "unsigned", "wrong_clock", "store_down"];

/// Counts what goes to OCR and comes from it.
pub struct OcrMetrics {
    /// Documents sent to OCR by outcome: `published`, `repeat`, `no_link` or the kind of the error.
    pub dispatches: Counters<OutcomeLabels>,
    /// Deliveries of the OCR queue by outcome: `taken`, `too_late`, `noted`, `repeat`, `unusable`,
    /// `unsigned`, `wrong_clock` or `store_down`.
    pub deliveries: Counters<OutcomeLabels>,
}

impl OcrMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let ocr = Self {
            dispatches: add(registry, "ocr_dispatches", "Documents sent to OCR, by outcome"),
            deliveries: add(registry, "ocr_deliveries", "Deliveries of the OCR queue, by outcome"),
        };
        show_outcomes(&ocr.dispatches, &DISPATCHES);
        show_outcomes(&ocr.deliveries, &DELIVERIES);
        ocr
    }
}

impl Metrics {
    /// Counts a document that was sent to OCR, or not taken.
    pub fn ocr_dispatched(&self, outcome: &'static str) {
        count_outcome(&self.ocr.dispatches, outcome);
        if !matches!(outcome, "published" | "repeat") {
            self.failed("ocr", outcome);
        }
    }

    /// Counts a delivery of the OCR queue.
    pub fn ocr_delivered(&self, outcome: &'static str) {
        count_outcome(&self.ocr.deliveries, outcome);
        if matches!(outcome, "unusable" | "unsigned" | "wrong_clock" | "store_down") {
            self.failed("ocr", outcome);
        }
    }
}
