//! Keeps the leases of what this process works on, and takes up what others have left.
//!
//! A lease that nobody renews ends within seconds, whatever became of its holder: it crashed, it never
//! heard that the store had taken its document, or it could not write the end.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Pipeline, Shared, deadline::deadline};
use crate::{
    documents::{
        DocumentRecord, Lease, StoreError, Upload,
        ocr::{Delivery, OcrFailure, OcrResult},
    },
    event::Id,
};

/// How long a lease lasts: too short, and a store that is slow for a moment makes two work on one document;
/// too long, and the documents of a process that crashed stand still.
const LASTS: Duration = Duration::from_secs(15);
/// How often leases are renewed, and those looked for that ended. Two renewals may fail.
const EVERY: Duration = Duration::from_secs(5);
/// How long a process with nothing under way and no streams goes on looking: a database that sleeps when
/// nobody asks it must be let to. The first stream or document wakes the look.
const LOOKS_ON_FOR: Duration = Duration::from_secs(120);
/// Documents taken up at once; living processes share what a crowded one left.
const TAKEN_UP_AT_ONCE: u32 = 64;

impl Pipeline {
    /// Starts to keep leases; ends with the pipeline.
    pub fn keep_leases(&self) {
        let pipeline = self.clone();
        let keeping = async move {
            let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut busy_at = Instant::now();
            loop {
                ticks.tick().await;
                if pipeline.is_busy() {
                    busy_at = Instant::now();
                }
                if busy_at.elapsed() > LOOKS_ON_FOR {
                    continue;
                }
                if let Err(error) = pipeline.keep().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the leases of documents could not be kept");
                }
            }
        };
        tokio::spawn(self.shared.stop.clone().run_until_cancelled_owned(keeping));
    }

    fn is_busy(&self) -> bool {
        !self.shared.under_way.documents().is_empty() || self.shared.metrics.open_streams() > 0
    }

    async fn keep(&self) -> Result<(), StoreError> {
        let own = self.shared.under_way.documents();
        if !own.is_empty() {
            self.shared.store.renew(&own, &self.shared.lease()).await?;
        }
        // A process that goes down begins nothing.
        if self.shared.work.is_closed() { Ok(()) } else { self.take_up().await.map(drop) }
    }

    /// Takes up documents under way that nobody works on: their process ended, or it let go of them.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn take_up(&self) -> Result<usize, StoreError> {
        let left = self.shared.store.take_up(&self.shared.lease(), TAKEN_UP_AT_ONCE).await?;
        let mut count = 0;
        for (upload, record) in left {
            // One of ours, whose lease ended while the store was away, is worked on already.
            count += usize::from(self.go_on_with(upload, &record));
        }
        if count > 0 {
            tracing::info!(documents = count, "took up documents that were under way");
            self.shared.metrics.documents.taken_up.inc_by(count as u64);
        }
        Ok(count)
    }

    fn go_on_with(&self, upload: Upload, record: &DocumentRecord) -> bool {
        if !self.is_past_its_deadline(record) {
            return self.start(upload, record.attempt, None);
        }
        let Some(entered) = self.shared.under_way.enter_alone(&upload.document_id, record.attempt) else {
            return false;
        };
        let (job, status) = (self.job(upload, entered), record.status);
        self.spawn(async move { job.end_silent(status).await });
        true
    }

    fn is_past_its_deadline(&self, record: &DocumentRecord) -> bool {
        let stood = self.shared.clock.milliseconds().saturating_sub(record.updated_at);
        deadline(record.status, self.shared.ocr.is_some())
            .is_some_and(|deadline| u128::from(stood) >= deadline.as_millis())
    }

    /// Lets others take up at once what this process leaves behind; waits at most `within`.
    pub async fn release(&self, within: Duration) {
        let released = tokio::time::timeout(within, self.shared.store.release(&self.shared.worker)).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::warn!("documents were not let go of; others take them up in {} s", LASTS.as_secs());
        }
    }
}

impl Shared {
    /// The lease of this process.
    pub(super) fn lease(&self) -> Lease {
        self.lease_of(LASTS)
    }

    pub(super) fn lease_of(&self, lasts: Duration) -> Lease {
        Lease { worker: self.worker.clone(), lasts }
    }
}

/// Says that OCR never says a word on an attempt. Claimed like any other word: several processes may
/// look, and the queue may be about to call.
pub(super) fn silence(document: Id, attempt: u32) -> Delivery {
    Delivery {
        id: format!("{document}.{attempt}.silence"),
        document_id: document,
        attempt,
        result: Some(OcrResult::Failed(OcrFailure::Silent)),
    }
}
