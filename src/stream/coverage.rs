//! What a stream covers, and where all of that stands: the store's word and the log's, merged.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    clock::to_rfc3339,
    documents::{DocumentRecord, DocumentStatus},
    event::{DocumentProgress, EventId, Id, Stage},
};

/// The documents a stream tells of: all of its patient, or those named.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// None: all.
    pub named: Vec<Id>,
}

/// When a document counts as under way.
#[derive(Clone, Copy, Debug)]
pub struct ActivityLimits {
    /// A stored document that has not moved for longer is not active, in milliseconds.
    pub active_for: u64,
    /// A document known only from events that is silent for longer has lost its worker, in milliseconds.
    pub silent_for: u64,
    /// The log holds no steps of what has not moved for longer, in milliseconds.
    pub logged_for: u64,
}

/// Where one document stands, as `connected` shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentView {
    /// The document.
    pub document_id: Id,
    /// What its file was called; not known of a document that only events tell of.
    pub filename: Option<String>,
    /// Where it stands.
    pub status: DocumentStatus,
    /// The furthest stage.
    pub stage: Stage,
    /// The highest percent.
    pub percent: u8,
    /// Which try, from 1.
    pub attempt: u32,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it last moved, in milliseconds since the Unix epoch; RFC 3339 as viewers read it.
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String)]
    pub updated_at: u64,
    /// When each stage was first told, as far as the log reaches, in the same form.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "write_times")]
    #[schema(value_type = BTreeMap<Stage, String>)]
    pub steps: BTreeMap<Stage, u64>,
    /// How long it takes still: at least and at most, in seconds. Left out where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>, min_items = 2, max_items = 2)]
    pub eta_seconds: Option<[u64; 2]>,
    /// Whether it is under way.
    #[serde(skip)]
    pub is_active: bool,
    /// Whether `document_update` tells of it: events do of the others.
    #[serde(skip)]
    pub is_told_by_status: bool,
    /// Whether the log has told of the end the store tells of: its other steps came before.
    #[serde(skip)]
    pub is_end_logged: bool,
    /// Whether it has moved so lately that the log may hold steps of it.
    #[serde(skip)]
    pub may_be_logged: bool,
}

/// Where all that a stream covers stands at one moment.
#[derive(Clone, Debug, Default)]
pub struct CoverageView {
    /// Each document, the one that moved last first.
    pub documents: Vec<DocumentView>,
}

impl Coverage {
    /// Says whether the stream tells of `document`.
    #[must_use]
    pub fn covers(&self, document: Option<&Id>) -> bool {
        self.named.is_empty() || document.is_some_and(|document| self.named.contains(document))
    }

    /// Merges what the store and the log say at `now` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn view(
        &self,
        records: &[DocumentRecord],
        progress: &[(Id, DocumentProgress)],
        now: u64,
        limits: ActivityLimits,
    ) -> CoverageView {
        let stored = records.iter().filter(|record| self.covers(Some(&record.document_id)));
        let mut documents: Vec<_> = stored
            .map(|record| match progress_of(progress, &record.document_id) {
                Some(progress) if progress.attempt > record.attempt => {
                    let filename = record.filename.clone();
                    DocumentView { filename, ..view_of_events(&record.document_id, progress, now, limits) }
                }
                progress => view_of_record(record, progress, now, limits),
            })
            .collect();
        let is_stored = |id: &Id| records.iter().any(|record| record.document_id == *id);
        let unstored = progress.iter().filter(|(id, _)| self.covers(Some(id)) && !is_stored(id));
        documents.extend(unstored.map(|(id, progress)| view_of_events(id, progress, now, limits)));
        documents.sort_by_key(|document| std::cmp::Reverse(document.updated_at));
        CoverageView { documents }
    }
}

impl CoverageView {
    /// Says whether anything is under way.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.documents.iter().any(|document| document.is_active)
    }

    /// Says whether the log may hold steps that have not been read of what is over: its end is
    /// known, but not from the log.
    #[must_use]
    pub fn may_miss_steps(&self) -> bool {
        let may_miss = |document: &DocumentView| {
            !document.is_active && !document.is_end_logged && document.may_be_logged
        };
        self.documents.iter().any(may_miss)
    }

    /// Says whether the log has told of the end of `document`.
    #[must_use]
    pub fn is_end_logged(&self, document: &Id) -> bool {
        self.documents.iter().any(|view| view.document_id == *document && view.is_end_logged)
    }

    /// Gives the newest move of all, 0 for none; it is only compared for equality.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.documents.iter().map(|document| document.updated_at).max().unwrap_or(0)
    }

    /// Says whether every one of `named` is there and over.
    #[must_use]
    pub fn all_over(&self, named: &[Id]) -> bool {
        let is_over = |id: &Id| {
            let document = self.documents.iter().find(|document| document.document_id == *id);
            document.is_some_and(|document| document.status.is_terminal())
        };
        named.iter().all(is_over)
    }
}

fn progress_of<'a>(progress: &'a [(Id, DocumentProgress)], document: &Id) -> Option<&'a DocumentProgress> {
    progress.iter().find(|(id, _)| id == document).map(|(_, progress)| progress)
}

fn view_of_record(
    record: &DocumentRecord,
    progress: Option<&DocumentProgress>,
    now: u64,
    limits: ActivityLimits,
) -> DocumentView {
    let by_status = record.status.stage();
    let by_events = progress.filter(|progress| progress.attempt == record.attempt);
    let stage = by_status.into_iter().chain(by_events.map(|progress| progress.stage)).max();
    let percent = by_status.map(Stage::percent).max(by_events.map(|progress| progress.percent));
    let age = now.saturating_sub(record.updated_at);
    let is_active = !record.status.is_terminal() && age < limits.active_for;
    // A step that failed may have been tried again: only the end that the store tells of counts.
    let is_end_logged = by_events.is_some_and(|progress| {
        progress.ended.is_some() && DocumentStatus::from_progress(progress) == record.status
    });
    DocumentView {
        document_id: record.document_id.clone(),
        filename: record.filename.clone(),
        status: record.status,
        stage: stage.unwrap_or(Stage::UploadReceived),
        percent: percent.unwrap_or(0),
        attempt: record.attempt,
        reason: record.reason.clone(),
        updated_at: record.updated_at,
        steps: by_events.map(|progress| progress.steps.clone()).unwrap_or_default(),
        eta_seconds: by_events.filter(|_| is_active).and_then(|progress| progress.eta?.left(now)),
        is_active,
        is_told_by_status: true,
        is_end_logged,
        may_be_logged: age < limits.logged_for,
    }
}

fn view_of_events(
    document: &Id,
    progress: &DocumentProgress,
    now: u64,
    limits: ActivityLimits,
) -> DocumentView {
    let EventId { milliseconds: moved_at, .. } = progress.last;
    let is_silent = progress.ended.is_none() && now.saturating_sub(moved_at) >= limits.silent_for;
    let status = if is_silent { DocumentStatus::Failed } else { DocumentStatus::from_progress(progress) };
    DocumentView {
        document_id: document.clone(),
        filename: None,
        status,
        stage: progress.stage,
        percent: progress.percent,
        attempt: progress.attempt,
        reason: is_silent.then(|| "worker_silent".into()),
        updated_at: moved_at,
        steps: progress.steps.clone(),
        eta_seconds: progress.eta.filter(|_| !status.is_terminal()).and_then(|eta| eta.left(now)),
        is_active: !status.is_terminal(),
        is_told_by_status: is_silent,
        is_end_logged: !is_silent,
        may_be_logged: true,
    }
}

/// Times are written only where they are shown: a view is made far more often.
fn write_time<S: Serializer>(milliseconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_rfc3339(*milliseconds))
}

fn write_times<S: Serializer>(steps: &BTreeMap<Stage, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(steps.iter().map(|(stage, at)| (stage, to_rfc3339(*at))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StepStatus;

    const LIMITS: ActivityLimits =
        ActivityLimits { active_for: 3_600_000, silent_for: 540_000, logged_for: 720_000 };

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn record(status: DocumentStatus) -> DocumentRecord {
        DocumentRecord {
            document_id: id("d1"),
            patient_id: id("p1"),
            filename: Some("a.pdf".into()),
            status,
            reason: None,
            attempt: 1,
            updated_at: 1_000,
        }
    }

    fn progress(stage: Stage, percent: u8) -> DocumentProgress {
        DocumentProgress {
            attempt: 1,
            stage,
            percent,
            ended: None,
            last: EventId::new(2_000, 0),
            steps: BTreeMap::new(),
            eta: None,
        }
    }

    #[test]
    fn stage_and_percent_are_the_furthest_of_both_sources() {
        let records = [record(DocumentStatus::OcrComplete)];
        let behind = [(id("d1"), progress(Stage::OcrStarted, 30))];
        let ahead = [(id("d1"), progress(Stage::AnalysisStarted, 70))];

        let behind = Coverage::default().view(&records, &behind, 2_000, LIMITS);
        let ahead = Coverage::default().view(&records, &ahead, 2_000, LIMITS);

        assert_eq!((behind.documents[0].stage, behind.documents[0].percent), (Stage::OcrComplete, 50));
        assert_eq!((ahead.documents[0].stage, ahead.documents[0].percent), (Stage::AnalysisStarted, 70));
    }

    #[test]
    fn a_stored_document_that_does_not_move_stops_being_active() {
        let records = [record(DocumentStatus::Analyzing)];

        assert!(Coverage::default().view(&records, &[], 3_600_999, LIMITS).is_active());
        assert!(!Coverage::default().view(&records, &[], 3_601_000, LIMITS).is_active());
    }

    #[test]
    fn a_document_known_from_events_ends_when_its_worker_is_silent() {
        let progress = [(id("d1"), progress(Stage::OcrStarted, 30))];

        let heard = Coverage::default().view(&[], &progress, 541_999, LIMITS);
        let silent = Coverage::default().view(&[], &progress, 542_000, LIMITS);

        assert!(heard.is_active());
        assert!(!silent.is_active());
        assert_eq!(silent.documents[0].reason.as_deref(), Some("worker_silent"));
    }

    #[test]
    fn a_newer_attempt_seen_in_events_is_under_way_whatever_the_store_says() {
        let records = [record(DocumentStatus::Complete)];
        let again = DocumentProgress { attempt: 2, ..progress(Stage::UploadReceived, 10) };

        let view = Coverage::default().view(&records, &[(id("d1"), again)], 2_000, LIMITS);

        assert!(view.is_active());
        assert_eq!(view.documents[0].filename.as_deref(), Some("a.pdf"));
    }

    #[test]
    fn steps_may_be_missing_of_an_end_that_the_log_has_not_told() {
        let records = [record(DocumentStatus::Complete)];
        let under_way = [(id("d1"), progress(Stage::AnalysisStarted, 70))];
        let ended =
            DocumentProgress { ended: Some(StepStatus::Completed), ..progress(Stage::MatchingComplete, 100) };
        let may_miss =
            |progress: &[_], now| Coverage::default().view(&records, progress, now, LIMITS).may_miss_steps();

        assert!(may_miss(&[], 2_000));
        assert!(may_miss(&under_way, 2_000));
        assert!(!may_miss(&[(id("d1"), ended.clone())], 2_000));
        let failed_once = DocumentProgress { ended: Some(StepStatus::Failed), ..ended };
        assert!(may_miss(&[(id("d1"), failed_once)], 2_000));
        assert!(!may_miss(&[], 721_000));
    }

    #[test]
    fn a_narrowed_stream_sees_its_documents_only() {
        let coverage = Coverage { named: vec![id("d2")] };
        let records = [record(DocumentStatus::Analyzing)];

        let view = coverage.view(&records, &[(id("d3"), progress(Stage::OcrStarted, 20))], 2_000, LIMITS);

        assert!(view.documents.is_empty());
        assert!(!view.all_over(&coverage.named));
    }
}
