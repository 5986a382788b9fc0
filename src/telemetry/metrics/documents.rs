//! Documents: reads of their statuses, how long their stages take, how they end, their files.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::{
    Counters, Histograms, Metrics, add, add_seconds,
    labels::{
        OutcomeLabels, ReasonLabels, StageLabels, count_outcome, count_reason, show, show_outcomes,
        show_reasons,
    },
};
use crate::{
    event::{ProgressEvent, StepStatus},
    telemetry::stages::{Work, failure_code},
};

/// Counts documents.
pub struct DocumentMetrics {
    /// Reads of the document statuses by outcome: `ok` or `failed`.
    pub status_reads: Counters<OutcomeLabels>,
    /// Rows of `STATUS_SQL` that no viewer is shown, by reason.
    pub status_rows_left_out: Counters<ReasonLabels>,
    /// Documents that ended, by outcome: `complete` or `failed`.
    pub ended: Counters<OutcomeLabels>,
    /// Documents under way that nobody worked on any more, and this process took up.
    pub taken_up: Counter,
    /// Failed documents that were tried again.
    pub retried: Counter,
    /// Texts analyzed, by outcome: `ok`, `failed` or `unavailable`.
    pub analyses: Counters<OutcomeLabels>,
    /// Documents that went well by how their first estimate came true: `early`, `within` or `late`; `none`
    /// where too few like them were known.
    pub estimates: Counters<OutcomeLabels>,
    /// How long the stages took of which this process emitted both start and end.
    pub stages: Histograms<StageLabels>,
    /// Calls to the file store by outcome: `ok`, `denied`, `timeout` or `failed`.
    pub file_calls: Counters<OutcomeLabels>,
}

impl DocumentMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let documents = Self {
            status_reads: add(registry, "status_reads", "Reads of the document statuses, by outcome"),
            status_rows_left_out: add(
                registry,
                "status_rows_left_out",
                "Rows of STATUS_SQL that no viewer is shown, by reason",
            ),
            ended: add(registry, "documents_ended", "Documents that ended, by outcome"),
            taken_up: add(
                registry,
                "documents_taken_up",
                "Documents under way that nobody worked on any more",
            ),
            retried: add(registry, "documents_retried", "Failed documents tried again"),
            analyses: add(registry, "analyses", "Texts analyzed, by outcome"),
            estimates: add(
                registry,
                "estimates",
                "Documents that went well, by how the first estimate of their time came true",
            ),
            stages: add_seconds(
                registry,
                "stage",
                "From the start of a stage to its end, by the events emitted through this process",
                stage_times,
            ),
            file_calls: add(registry, "file_calls", "Calls to the file store, by outcome"),
        };
        show_outcomes(&documents.status_reads, &["ok", "failed"]);
        show_reasons(
            &documents.status_rows_left_out,
            &["other_patient", "unknown_status", "unreadable", "refused_id"],
        );
        show_outcomes(&documents.ended, &["complete", "failed"]);
        show_outcomes(&documents.analyses, &["ok", "failed", "unavailable"]);
        show_outcomes(&documents.estimates, &["early", "within", "late", "none"]);
        show_outcomes(&documents.file_calls, &["ok", "denied", "timeout", "failed"]);
        for stage in Work::ALL.map(Work::as_str) {
            for outcome in ["completed", "failed"] {
                show(&documents.stages, &StageLabels { stage, outcome });
            }
        }
        documents
    }
}

/// From a text layer of one page to OCR of a long scan.
fn stage_times() -> Histogram {
    Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0])
}

impl Metrics {
    /// Counts a read of the statuses.
    pub fn status_read(&self, is_ok: bool) {
        count_outcome(&self.documents.status_reads, if is_ok { "ok" } else { "failed" });
        if !is_ok {
            self.failed("statuses", "not_read");
        }
    }

    /// Counts a row of `STATUS_SQL` that no viewer is shown.
    pub fn status_row_left_out(&self, reason: &'static str) {
        count_reason(&self.documents.status_rows_left_out, reason);
    }

    /// Counts a document that ended.
    pub fn document_ended(&self, outcome: &'static str) {
        count_outcome(&self.documents.ended, outcome);
    }

    /// Counts a text that was analyzed.
    pub fn analyzed(&self, outcome: &'static str) {
        count_outcome(&self.documents.analyses, outcome);
        if outcome != "ok" {
            self.failed("analyses", outcome);
        }
    }

    /// Counts a document that went well by how its first estimate came true.
    pub fn estimated(&self, outcome: &'static str) {
        count_outcome(&self.documents.estimates, outcome);
    }

    /// Notes how long a stage took: `outcome` is `completed` or `failed`.
    pub fn stage_took(&self, work: Work, outcome: &'static str, time: Duration) {
        let labels = StageLabels { stage: work.as_str(), outcome };
        self.documents.stages.get_or_create(&labels).observe(time.as_secs_f64());
    }

    /// Notes a failure that an event tells of.
    pub fn stage_told(&self, work: Work, event: &ProgressEvent) {
        if event.status == StepStatus::Failed {
            let reason = failure_code(event).unwrap_or("failed").to_owned();
            self.failures.note(work.as_str(), reason, chrono::Utc::now());
        }
    }

    /// Counts a call to the file store.
    pub fn files_called(&self, outcome: &'static str) {
        count_outcome(&self.documents.file_calls, outcome);
        if outcome != "ok" {
            self.failed("files", outcome);
        }
    }
}
