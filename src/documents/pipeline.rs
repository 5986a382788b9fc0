//! The work on a document, from confirm to its end: read, analyze, match.
//!
//! Each step is told twice: as an event at once, and as a status in the store. The emitter is
//! flushed before an end is written, so that the steps are there when the outcome is.

mod failure;
mod job;
mod silence;

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Mutex, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::job::Job;
use super::{
    DocumentStore, FileError, Files, StoreError, Upload,
    ocr::{Delivery, DeliveryOutcome, OcrDispatcher, Receipt},
    text_layer::TextLayerReader,
};
use crate::{broker::Emitter, clock::Clock, event::Id, telemetry::Metrics};

/// Documents read or analyzed at once.
const WORKED_ON_AT_ONCE: usize = 2;
/// Confirms under way at once, at most; two of one document never are.
const CONFIRMED_AT_ONCE: usize = 64;

/// Works on documents. Clones share the work.
#[derive(Clone)]
pub struct Pipeline {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn DocumentStore>,
    files: Files,
    emitter: Emitter,
    reader: TextLayerReader,
    /// Without it a document that has no text layer fails.
    ocr: Option<OcrDispatcher>,
    /// Reading and analyzing keep a core busy and a file in memory.
    turns: Semaphore,
    /// A document has one of these; few share it.
    confirms: [Mutex<()>; CONFIRMED_AT_ONCE],
    places: RandomState,
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

impl Pipeline {
    /// Makes a pipeline over its parts.
    #[must_use]
    pub fn new(
        store: Arc<dyn DocumentStore>,
        files: Files,
        emitter: Emitter,
        reader: TextLayerReader,
        ocr: Option<OcrDispatcher>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let (turns, work, stop) =
            (Semaphore::new(WORKED_ON_AT_ONCE), TaskTracker::new(), CancellationToken::new());
        let confirms = std::array::from_fn(|_| Mutex::default());
        let places = RandomState::new();
        let shared = Shared {
            store,
            files,
            emitter,
            reader,
            ocr,
            turns,
            confirms,
            places,
            work,
            stop,
            metrics,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes the document of an upload and starts the work on it; again changes nothing.
    ///
    /// # Errors
    /// [`ConfirmError`] when the file is not there, is not the one announced, or a store fails.
    pub async fn confirm_upload(&self, upload: &Upload) -> Result<(), ConfirmError> {
        // A task of its own: a client that leaves in the middle must not leave a document nobody works on.
        let (pipeline, upload) = (self.clone(), upload.clone());
        let confirming = self.shared.work.spawn(async move { pipeline.confirm(&upload).await });
        confirming.await.unwrap_or(Err(ConfirmError::Interrupted))
    }

    async fn confirm(&self, upload: &Upload) -> Result<(), ConfirmError> {
        let _turn = self.shared.confirm_of(&upload.document_id).lock().await;
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
        if store.confirm(upload).await? {
            self.start(upload.clone(), 1);
        }
        Ok(())
    }

    /// Takes up documents that a process left under way when it ended.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn resume_unfinished(&self) -> Result<usize, StoreError> {
        let unfinished = self.shared.store.unfinished().await?;
        let count = unfinished.len();
        for (upload, record) in unfinished {
            self.start(upload, record.attempt);
        }
        Ok(count)
    }

    /// Waits until no work is under way.
    pub async fn idle(&self) {
        // Only a closed tracker can be waited for; it takes new work all the same.
        self.shared.work.close();
        self.shared.work.wait().await;
    }

    /// Waits for the work under way, at most `within`, then drops it; says whether all of it ended.
    ///
    /// What is dropped is taken up at the next start; the processes that read PDFs end with it.
    pub async fn finish(&self, within: Duration) -> bool {
        self.shared.work.close();
        let has_ended = tokio::time::timeout(within, self.shared.work.wait()).await.is_ok();
        self.shared.stop.cancel();
        self.shared.work.wait().await;
        has_ended
    }

    /// Takes what a delivery of the OCR queue says, once, and goes on from it.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer; nothing is taken then.
    pub async fn take_delivery(&self, delivery: Delivery) -> Result<Receipt, StoreError> {
        // A task of its own: a queue that hangs up must not leave a text nobody works on.
        let pipeline = self.clone();
        let taking = self.shared.work.spawn(async move { pipeline.take(delivery).await });
        taking.await.unwrap_or(Err(StoreError::Timeout))
    }

    async fn take(&self, delivery: Delivery) -> Result<Receipt, StoreError> {
        let upload = self.shared.store.upload(&delivery.document_id).await?;
        let receipt = self.shared.store.record_delivery(&delivery).await?;
        if let (Receipt { outcome: DeliveryOutcome::Taken, is_repeat: false }, Some(upload)) =
            (receipt, upload)
            && let Some(result) = delivery.result
        {
            let job = self.job(upload, delivery.attempt);
            self.spawn(async move { job.go_on(result).await });
        }
        Ok(receipt)
    }

    fn start(&self, upload: Upload, attempt: u32) {
        let job = self.job(upload, attempt);
        self.spawn(job.run());
    }

    fn job(&self, upload: Upload, attempt: u32) -> Job {
        Job { shared: Arc::clone(&self.shared), upload, attempt }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.shared.work.spawn(self.shared.stop.clone().run_until_cancelled_owned(work));
    }
}

impl Shared {
    fn confirm_of(&self, document: &Id) -> &Mutex<()> {
        let hash = self.places.hash_one(document.as_str());
        &self.confirms[usize::try_from(hash % CONFIRMED_AT_ONCE as u64).unwrap_or_default()]
    }
}
