//! The work on a document, from confirm to its end: read, analyze, match.
//!
//! Each step is told twice: as an event at once, and as a status in the store. The emitter is
//! flushed before an end is written, so that the steps are there when the outcome is.

mod deadline;
mod failure;
mod forecast;
mod job;
mod leases;
mod places;
mod under_way;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    forecast::Forecast,
    job::Job,
    places::Places,
    under_way::{Entered, UnderWay},
};
use super::{
    CaseNotices, DocumentStore, FileError, Files, StoreError, Upload,
    analysis::Analyzer,
    estimates::Estimates,
    ocr::{Delivery, DeliveryOutcome, OcrDispatcher, Receipt},
    text_layer::TextLayerReader,
};
use crate::{
    broker::Emitter,
    clock::Clock,
    event::Id,
    telemetry::{Metrics, TraceParent},
};

/// Documents read at once.
const WORKED_ON_AT_ONCE: usize = 2;

/// What reads documents, and understands what they say.
pub struct Readers {
    /// Reads text layers.
    pub reader: TextLayerReader,
    /// Sends pictures to OCR; without it a document that has no text layer fails.
    pub ocr: Option<OcrDispatcher>,
    /// Finds what a text says.
    pub analyzer: Arc<dyn Analyzer>,
}

/// Works on documents. Clones share the work.
#[derive(Clone)]
pub struct Pipeline {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn DocumentStore>,
    files: Files,
    emitter: Emitter,
    notices: Arc<dyn CaseNotices>,
    reader: TextLayerReader,
    /// Without it a document that has no text layer fails.
    ocr: Option<OcrDispatcher>,
    analyzer: Arc<dyn Analyzer>,
    /// Reading keeps a core busy and a file in memory.
    turns: Semaphore,
    /// Two confirms of one document are never under way at once.
    confirms: Places,
    /// What OCR says is not taken while its document is being left to OCR.
    handovers: Places,
    under_way: Arc<UnderWay>,
    estimates: Arc<Estimates>,
    /// Names this process among those on the same store.
    worker: Id,
    work: TaskTracker,
    stop: CancellationToken,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// Tells why an upload could not be confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The server goes down.
    #[error("the server goes down")]
    Interrupted,
    /// The document store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its file cannot be taken.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Tells why a document could not be tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The server goes down.
    #[error("the server goes down")]
    Interrupted,
    /// Its attempt is under way, or went well.
    #[error("the document has not failed")]
    NotFailed,
    /// The document store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pipeline {
    /// Makes a pipeline over its parts.
    #[must_use]
    pub fn new(
        store: Arc<dyn DocumentStore>,
        files: Files,
        emitter: Emitter,
        notices: Arc<dyn CaseNotices>,
        readers: Readers,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let Readers { reader, ocr, analyzer } = readers;
        let (turns, work, stop) =
            (Semaphore::new(WORKED_ON_AT_ONCE), TaskTracker::new(), CancellationToken::new());
        let estimates = Arc::new(Estimates::over(Arc::clone(&store)));
        let shared = Shared {
            store,
            files,
            emitter,
            notices,
            reader,
            ocr,
            analyzer,
            turns,
            confirms: Places::default(),
            handovers: Places::default(),
            under_way: Arc::default(),
            estimates,
            worker: Id::random(),
            work,
            stop,
            metrics,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes the document of an upload and starts the work on it, in the caller's trace where there is one; again
    /// changes nothing.
    ///
    /// # Errors
    /// [`ConfirmError`] when the file is not there, is not the one announced, or a store fails.
    pub async fn confirm_upload(
        &self,
        upload: &Upload,
        trace: Option<TraceParent>,
    ) -> Result<(), ConfirmError> {
        // A task of its own: a client that leaves in the middle must not leave a document nobody works on.
        let (pipeline, upload) = (self.clone(), upload.clone());
        let confirming = self.shared.work.spawn(async move { pipeline.confirm(&upload, trace).await });
        confirming.await.unwrap_or(Err(ConfirmError::Interrupted))
    }

    async fn confirm(&self, upload: &Upload, trace: Option<TraceParent>) -> Result<(), ConfirmError> {
        let _turn = self.shared.confirms.of(&upload.document_id).lock().await;
        let store = &self.shared.store;
        if store.document(&upload.document_id).await?.is_some() {
            return Ok(());
        }
        let is_unconfirmed = async { matches!(store.document(&upload.document_id).await, Ok(None)) };
        match self.shared.files.take(&upload.document_id, upload.size, is_unconfirmed).await {
            Err(FileError::NotWanted) if store.document(&upload.document_id).await?.is_some() => {
                return Ok(());
            }
            // The store failed when it was asked, and is back.
            Err(FileError::NotWanted) => return Err(StoreError::Timeout.into()),
            taken => taken?,
        }
        if store.confirm(upload, &self.shared.lease()).await? {
            self.start(upload.clone(), 1, trace);
        }
        Ok(())
    }

    /// Starts the next attempt at a failed document, in the caller's trace where there is one, and gives its number.
    ///
    /// # Errors
    /// [`RetryError`] when the document has not failed, or the store fails.
    pub async fn retry(&self, upload: &Upload, trace: Option<TraceParent>) -> Result<u32, RetryError> {
        let (pipeline, upload) = (self.clone(), upload.clone());
        let retrying = self.shared.work.spawn(async move { pipeline.begin_again(upload, trace).await });
        retrying.await.unwrap_or(Err(RetryError::Interrupted))
    }

    async fn begin_again(&self, upload: Upload, trace: Option<TraceParent>) -> Result<u32, RetryError> {
        let retried = self.shared.store.retry(&upload.document_id, &self.shared.lease()).await?;
        let attempt = retried.ok_or(RetryError::NotFailed)?;
        self.shared.metrics.documents.retried.inc();
        self.start(upload, attempt, trace);
        Ok(attempt)
    }

    /// Waits until no work is under way.
    pub async fn idle(&self) {
        // Only a closed tracker can be waited for; it takes new work all the same.
        self.shared.work.close();
        self.shared.work.wait().await;
    }

    /// Waits for the work under way, at most `within`, then drops it; says whether all of it ended.
    ///
    /// What is dropped is taken up by another process, or at the next start; the processes that read PDFs
    /// end with it.
    pub async fn finish(&self, within: Duration) -> bool {
        self.shared.work.close();
        let has_ended = tokio::time::timeout(within, self.shared.work.wait()).await.is_ok();
        self.shared.stop.cancel();
        self.shared.work.wait().await;
        has_ended
    }

    /// Takes what a delivery of the OCR queue says, once, and goes on from it, in the trace it came with.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer; nothing is taken then.
    pub async fn take_delivery(
        &self,
        delivery: Delivery,
        trace: Option<TraceParent>,
    ) -> Result<Receipt, StoreError> {
        // A task of its own: a queue that hangs up must not leave a text nobody works on.
        let pipeline = self.clone();
        let taking = self.shared.work.spawn(async move { pipeline.take(delivery, trace).await });
        taking.await.unwrap_or(Err(StoreError::Timeout))
    }

    async fn take(&self, delivery: Delivery, trace: Option<TraceParent>) -> Result<Receipt, StoreError> {
        let upload = self.shared.store.upload(&delivery.document_id).await?;
        let _turn = self.shared.handovers.of(&delivery.document_id).lock().await;
        let receipt = self.shared.store.record_delivery(&delivery, &self.shared.lease()).await?;
        if let (Receipt { outcome: DeliveryOutcome::Taken, is_repeat: false }, Some(upload)) =
            (receipt, upload)
            && let Some(result) = delivery.result
        {
            // Beside the job that sent it, which may not have heard yet that the queue has it.
            let entered = self.shared.under_way.enter(&upload.document_id, delivery.attempt);
            self.shared.emitter.join_trace(&upload.document_id, delivery.attempt, trace);
            let job = self.job(upload, entered);
            self.spawn(async move { job.go_on(result).await });
        }
        Ok(receipt)
    }

    /// Starts an attempt, unless this process is at it.
    fn start(&self, upload: Upload, attempt: u32, trace: Option<TraceParent>) -> bool {
        let Some(entered) = self.shared.under_way.enter_alone(&upload.document_id, attempt) else {
            return false;
        };
        self.shared.emitter.join_trace(&upload.document_id, attempt, trace);
        self.spawn(self.job(upload, entered).run());
        true
    }

    fn job(&self, upload: Upload, entered: Entered) -> Job {
        let forecast = Forecast::of(&upload, &self.shared.estimates);
        Job { shared: Arc::clone(&self.shared), upload, attempt: entered.attempt(), entered, forecast }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.shared.work.spawn(self.shared.stop.clone().run_until_cancelled_owned(work));
    }
}
