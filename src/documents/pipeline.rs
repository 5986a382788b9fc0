//! The work on a document, from confirm to its end: read, analyze, match.
//!
//! Each step is told twice: as an event at once, and as a status in the store. The emitter is
//! flushed before an end is written, so that the steps are there when the outcome is.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Advance, DocumentStatus, DocumentStore, FileError, Files, StoreError, Upload,
    analysis::{Analyzer, Findings},
    matching::match_requirements,
    text_layer::{TextLayer, TextLayerReader},
};
use crate::{
    broker::Emitter,
    clock::Clock,
    event::{Id, ProgressEvent, Stage, StepStatus},
    telemetry::Metrics,
};

/// Longest wait for events to be stored before an end is written.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// Documents read at once.
const WORKED_ON_AT_ONCE: usize = 2;
/// Confirms under way at once, at most; two of one document never are.
const CONFIRMED_AT_ONCE: usize = 64;
/// Fewer letters than this in a whole document are no text layer.
const LEAST_LETTERS: usize = 20;

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
    analyzer: Arc<dyn Analyzer>,
    /// Reading keeps a core busy and a file in memory.
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

/// Why a document failed: a code for programs and words for patients, both without health data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure {
    stage: Stage,
    reason: &'static str,
}

impl Pipeline {
    /// Makes a pipeline over its parts.
    #[must_use]
    pub fn new(
        store: Arc<dyn DocumentStore>,
        files: Files,
        emitter: Emitter,
        reader: TextLayerReader,
        analyzer: Arc<dyn Analyzer>,
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
            analyzer,
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

    fn start(&self, upload: Upload, attempt: u32) {
        let job = Job { shared: Arc::clone(&self.shared), upload, attempt };
        self.shared.work.spawn(self.shared.stop.clone().run_until_cancelled_owned(job.run()));
    }
}

impl Shared {
    fn confirm_of(&self, document: &Id) -> &Mutex<()> {
        let hash = self.places.hash_one(document.as_str());
        &self.confirms[usize::try_from(hash % CONFIRMED_AT_ONCE as u64).unwrap_or_default()]
    }
}

/// One attempt at one document.
struct Job {
    shared: Arc<Shared>,
    upload: Upload,
    attempt: u32,
}

impl Job {
    async fn run(self) {
        self.emit(Stage::UploadReceived, None);
        self.clear_incoming().await;
        let outcome = match self.read_inline().await {
            Ok(text) => self.run_post_ocr_pipeline(text).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => self.shared.metrics.document_ended("complete"),
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Reads the text layer in this process's care; a document without one would need OCR.
    async fn read_inline(&self) -> Result<String, Failure> {
        let failed = |reason| Failure { stage: Stage::OcrStarted, reason };
        self.emit(Stage::OcrStarted, None);
        self.advance(&Advance::To(DocumentStatus::OcrProcessing)).await.map_err(failed)?;
        let layer = self.read_text_layer().await.map_err(failed)?;
        if layer.text.chars().filter(|c| c.is_alphanumeric()).count() < LEAST_LETTERS {
            return Err(failed("needs_ocr"));
        }
        self.advance(&Advance::To(DocumentStatus::OcrComplete)).await.map_err(failed)?;
        self.emit(Stage::OcrComplete, Some(&pages(layer.pages)));
        Ok(layer.text)
    }

    /// A process that died between confirm and here has left this to the next one.
    async fn clear_incoming(&self) {
        if let Err(error) = self.shared.files.clear_incoming(&self.upload.document_id).await {
            tracing::warn!(kind = error.kind(), "an incoming file could not be removed");
        }
    }

    /// Reads the file. Between two tries nobody's turn is held up.
    async fn file(&self) -> Result<(Bytes, SemaphorePermit<'_>), &'static str> {
        let read = async || {
            let turn = self.turn().await;
            self.shared.files.read(&self.upload.document_id).await.map(|file| (file, turn))
        };
        match read.retry(pauses()).when(FileError::may_pass).await {
            Ok((Some(file), turn)) => Ok((file, turn)),
            Ok((None, _)) => Err("file_missing"),
            Err(error) => {
                tracing::error!(kind = error.kind(), "a file could not be read");
                Err("internal")
            }
        }
    }

    /// Waits for its turn before it takes the file into memory.
    async fn read_text_layer(&self) -> Result<TextLayer, &'static str> {
        let (file, _turn) = self.file().await?;
        check_type(&file)?;
        let layer = self.shared.reader.read(file).await;
        layer.map_err(|error| {
            tracing::info!(error = &error as &dyn std::error::Error, "a document could not be read");
            error.reason()
        })
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.shared.turns.acquire().await.expect("the semaphore is never closed")
    }

    /// Goes on from the text: analysis, then matching.
    async fn run_post_ocr_pipeline(&self, text: String) -> Result<(), Failure> {
        let failed = |reason| Failure { stage: Stage::AnalysisStarted, reason };
        self.advance(&Advance::To(DocumentStatus::Analyzing)).await.map_err(failed)?;
        self.emit(Stage::AnalysisStarted, None);
        let findings = self.analyze(text).await.map_err(failed)?;
        self.advance(&Advance::Analyzed(Box::new(findings.clone()))).await.map_err(failed)?;
        self.emit(Stage::AnalysisComplete, None);
        self.run_matching(&findings)
            .await
            .map_err(|reason| Failure { stage: Stage::MatchingComplete, reason })
    }

    async fn analyze(&self, text: String) -> Result<Findings, &'static str> {
        let findings = self.shared.analyzer.analyze(text).await;
        self.shared.metrics.analyzed(findings.as_ref().map_or_else(|error| error.outcome(), |_| "ok"));
        findings.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a document could not be analyzed");
            error.reason()
        })
    }

    async fn run_matching(&self, findings: &Findings) -> Result<(), &'static str> {
        let requirements = match &self.upload.procedure_code {
            Some(code) => retried(|| self.shared.store.requirements(code.as_str())).await?,
            None => Vec::new(),
        };
        let matches = match_requirements(findings, &requirements, self.shared.clock.now().date_naive());
        self.emit(Stage::MatchingComplete, None);
        self.flush().await;
        self.advance(&Advance::Complete(matches)).await
    }

    async fn fail(&self, failure: Failure) {
        let event = self.event(failure.stage, "failed").with_status(StepStatus::Failed);
        let event = event.with_detail(words(failure.reason));
        self.shared.emitter.emit_progress(self.patient(), with_reason(event, failure.reason));
        self.flush().await;
        if self.advance(&Advance::Failed(failure.reason)).await.is_err() {
            tracing::error!(reason = failure.reason, "the end of a document could not be written");
        }
        self.shared.metrics.document_ended("failed");
    }

    async fn advance(&self, to: &Advance) -> Result<(), &'static str> {
        retried(|| self.shared.store.advance(&self.upload.document_id, self.attempt, to)).await.map(|_| ())
    }

    async fn flush(&self) {
        if !self.shared.emitter.flush(FLUSH_WITHIN).await {
            tracing::warn!("a document ends before all its steps are stored");
        }
    }

    fn emit(&self, stage: Stage, detail: Option<&str>) {
        let event = self.event(stage, "step");
        let event = match detail {
            Some(detail) => event.with_detail(detail),
            None => event,
        };
        self.shared.emitter.emit_progress(self.patient(), event);
    }

    /// Names the event by what it tells: a step told again after a restart is known as a repeat.
    fn event(&self, stage: Stage, what: &str) -> ProgressEvent {
        let document = self.upload.document_id.clone();
        let name = format!("{document}.{}.{stage}.{what}", self.attempt);
        let mut event = ProgressEvent::new(document, stage).with_attempt(self.attempt);
        event.event_id = Id::parse(&name).ok();
        event
    }

    const fn patient(&self) -> &Id {
        &self.upload.patient_id
    }
}

/// Tries a call of the store again for about half a minute: a restart must not fail a document.
async fn retried<T, F: Future<Output = Result<T, StoreError>>>(
    call: impl FnMut() -> F,
) -> Result<T, &'static str> {
    call.retry(pauses()).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the document store failed");
        "internal"
    })
}

fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(10)
}

/// Looks at the bytes, not at what the file is said to be.
fn check_type(file: &[u8]) -> Result<(), &'static str> {
    match infer::get(file).map(|kind| kind.mime_type()) {
        Some("application/pdf") => Ok(()),
        Some(image) if image.starts_with("image/") => Err("needs_ocr"),
        _ => Err("not_a_pdf"),
    }
}

fn pages(count: u32) -> String {
    if count == 1 { "1 page".into() } else { format!("{count} pages") }
}

fn with_reason(mut event: ProgressEvent, reason: &str) -> ProgressEvent {
    event.extra.insert("reason".into(), reason.into());
    event
}

fn words(reason: &str) -> &'static str {
    match reason {
        "encrypted" => "The document is protected by a password.",
        "unreadable" => "The document is damaged or not complete.",
        "no_pages" => "The document has no pages.",
        "too_complex" => "The document takes too long to read.",
        "not_a_pdf" => "The file is not a PDF.",
        "needs_ocr" => "The document is a picture; reading pictures is not set up.",
        "analyzer_unavailable" => "We cannot look at what the document says right now.",
        "analyzer_failed" => "We could not make out what the document says.",
        "file_missing" => "The file is not there any more.",
        _ => "Something went wrong on our side.",
    }
}
