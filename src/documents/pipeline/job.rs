//! One attempt at one document, step by step.

use std::{future::Future, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use super::{
    Shared, deadline::RESTS_FOR, failure::Failure, forecast::Forecast, leases::silence, under_way::Entered,
};
use crate::{
    documents::{
        Advance, DocumentStatus, FileError, Notice, StoreError, Upload,
        analysis::Findings,
        matching::match_requirements,
        ocr::{Delivery, DeliveryOutcome, OcrFailure, OcrOrder, OcrResult, Receipt},
        text_layer::TextLayer,
    },
    event::{Id, ProgressEvent, Stage, StepStatus},
};

/// Longest wait for events to be stored before an end is written.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// Fewer letters than this in a whole document are no text layer.
const LEAST_LETTERS: usize = 20;
/// The reason where the fault is ours, and not the document's.
const INTERNAL: &str = "internal";
const PDF: &str = "application/pdf";

/// One attempt at one document.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) upload: Upload,
    pub(super) attempt: u32,
    /// Its place among what this process works on.
    pub(super) entered: Entered,
    /// What it tells of the time it takes.
    pub(super) forecast: Forecast,
}

/// Where the text of a document comes from.
enum Reading {
    Text(TextLayer),
    /// OCR has read it.
    Scan(TextLayer),
    /// OCR has been asked.
    Elsewhere,
}

/// What this process can read of a file.
enum Inline {
    Text(TextLayer),
    /// There is no text layer; with the media type of the file.
    Picture(&'static str),
}

impl Job {
    /// Works from the beginning, or from the text that OCR gave a process that ended since.
    pub(super) async fn run(mut self) {
        let outcome = match self.read().await {
            Ok(Reading::Text(layer)) => self.run_post_ocr_pipeline(layer, false).await,
            Ok(Reading::Scan(layer)) => self.run_post_ocr_pipeline(layer, true).await,
            // The document stays `ocr_processing` until the queue delivers.
            Ok(Reading::Elsewhere) => return self.leave_to_ocr().await,
            Err(reason) => Err(Failure { stage: Stage::OcrStarted, reason }),
        };
        self.end(outcome).await;
    }

    /// Works from what OCR says.
    pub(super) async fn go_on(mut self, result: OcrResult) {
        self.forecast.prepare().await;
        let outcome = match layer_of(result) {
            Ok(layer) => self.run_post_ocr_pipeline(layer, true).await,
            Err(reason) => Err(Failure { stage: Stage::OcrStarted, reason }),
        };
        self.end(outcome).await;
    }

    /// Ends a document that stands where its deadline has passed, unless OCR has said a word after all.
    pub(super) async fn end_silent(self, status: DocumentStatus) {
        if status > DocumentStatus::OcrProcessing {
            let stage = status.stage().unwrap_or(Stage::AnalysisStarted);
            return self.fail(Failure { stage, reason: OcrFailure::Silent.reason() }).await;
        }
        let silence = silence(self.upload.document_id.clone(), self.attempt);
        match self.record(&silence).await {
            Ok(_) => self.run().await,
            Err(reason) => self.fail(Failure { stage: Stage::OcrStarted, reason }).await,
        }
    }

    async fn record(&self, delivery: &Delivery) -> Result<Receipt, &'static str> {
        let lease = self.shared.lease();
        retried(|| self.shared.store.record_delivery(delivery, &lease)).await
    }

    /// Nobody has to look at the document again until the word must have come.
    async fn leave_to_ocr(&self) {
        let _turn = self.shared.handovers.of(&self.upload.document_id).lock().await;
        if self.entered.is_joined() {
            return;
        }
        let lease = self.shared.lease_of(RESTS_FOR);
        let rested = self.shared.store.rest(&self.upload.document_id, self.attempt, &lease).await;
        if let Err(error) = rested {
            // Once the lease has ended it is sent again, which changes nothing for ten minutes.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a document that was sent to OCR is taken up again");
        }
    }

    async fn end(&self, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => {
                self.shared.metrics.document_ended("complete");
                self.shared.metrics.estimated(self.forecast.outcome());
            }
            Err(failure) => self.fail(failure).await,
        }
    }

    async fn read(&mut self) -> Result<Reading, &'static str> {
        self.emit(Stage::UploadReceived, None);
        self.forecast.prepare().await;
        self.clear_incoming().await;
        self.emit(Stage::OcrStarted, None);
        self.advance(&Advance::To(DocumentStatus::OcrProcessing)).await?;
        if let Some(result) = self.ocr_result().await? {
            return layer_of(result).map(Reading::Scan);
        }
        match self.read_inline().await? {
            Inline::Text(layer) => Ok(Reading::Text(layer)),
            Inline::Picture(content_type) => {
                self.send_to_ocr(content_type).await?;
                self.emit_sent_to_ocr();
                Ok(Reading::Elsewhere)
            }
        }
    }

    async fn ocr_result(&self) -> Result<Option<OcrResult>, &'static str> {
        retried(|| self.shared.store.ocr_result(&self.upload.document_id, self.attempt)).await
    }

    async fn send_to_ocr(&self, content_type: &str) -> Result<(), &'static str> {
        let ocr = self.shared.ocr.as_ref().ok_or("needs_ocr")?;
        let trace = self.shared.emitter.trace_of(&self.upload.document_id, self.attempt);
        let order =
            OcrOrder { upload: &self.upload, attempt: self.attempt, content_type, trace: trace.as_ref() };
        let Err(error) = ocr.dispatch(order).await else { return Ok(()) };
        tracing::error!(error = &error as &dyn std::error::Error, "a document could not be sent to OCR");
        // The queue may have taken it all the same and have delivered already: the first word stands.
        let refusal = Delivery {
            id: format!("{}.{}.dispatch", self.upload.document_id, self.attempt),
            document_id: self.upload.document_id.clone(),
            attempt: self.attempt,
            result: Some(OcrResult::Failed(OcrFailure::Unavailable)),
        };
        match self.record(&refusal).await?.outcome {
            DeliveryOutcome::Taken => Err(OcrFailure::Unavailable.reason()),
            _ => Ok(()),
        }
    }

    /// A process that died between confirm and here has left this to the next one.
    async fn clear_incoming(&self) {
        if let Err(error) = self.shared.files.clear_incoming(&self.upload.document_id).await {
            tracing::warn!(kind = error.kind(), "an incoming file could not be removed");
        }
    }

    /// Reads the file once it is this document's turn. Between two tries nobody's turn is held up.
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
                Err(INTERNAL)
            }
        }
    }

    /// Reads the text layer in this process's care; waits for its turn before it takes the file into memory.
    async fn read_inline(&self) -> Result<Inline, &'static str> {
        let (file, _turn) = self.file().await?;
        if let Some(picture) = picture_type(&file)? {
            return Ok(Inline::Picture(picture));
        }
        let layer = self.shared.reader.read(file).await.map_err(|error| {
            tracing::info!(error = &error as &dyn std::error::Error, "a document could not be read");
            error.reason()
        })?;
        let has_text = layer.text.chars().filter(|c| c.is_alphanumeric()).count() >= LEAST_LETTERS;
        Ok(if has_text { Inline::Text(layer) } else { Inline::Picture(PDF) })
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.shared.turns.acquire().await.expect("the semaphore is never closed")
    }

    /// Goes on from the text, whoever read it: analysis, then matching.
    async fn run_post_ocr_pipeline(&mut self, layer: TextLayer, is_scan: bool) -> Result<(), Failure> {
        let unread = |reason| Failure { stage: Stage::OcrStarted, reason };
        self.advance(&Advance::Read { pages: layer.pages, is_scan }).await.map_err(unread)?;
        self.forecast.has_pages(layer.pages);
        self.emit(Stage::OcrComplete, Some(&pages(layer.pages)));
        self.tell_case(Stage::OcrComplete).await;
        let failed = |reason| Failure { stage: Stage::AnalysisStarted, reason };
        self.advance(&Advance::To(DocumentStatus::Analyzing)).await.map_err(failed)?;
        self.emit(Stage::AnalysisStarted, None);
        let findings = self.analyze(layer.text).await.map_err(failed)?;
        self.advance(&Advance::Analyzed(Box::new(findings.clone()))).await.map_err(failed)?;
        self.emit(Stage::AnalysisComplete, None);
        self.tell_case(Stage::AnalysisComplete).await;
        self.run_matching(&findings)
            .await
            .map_err(|reason| Failure { stage: Stage::MatchingComplete, reason })
    }

    /// Tells the document's case, if it has one, before the document moves on: whoever takes it up after a
    /// crash tells it again, and it is kept once.
    async fn tell_case(&self, stage: Stage) {
        let Some(case) = &self.upload.case_id else { return };
        let notice = Notice { document_id: self.upload.document_id.clone(), attempt: self.attempt, stage };
        if retried(|| self.shared.notices.tell(case, &notice)).await.is_err() {
            tracing::warn!("a case was not told of its document");
        }
    }

    async fn analyze(&self, text: String) -> Result<Findings, &'static str> {
        let findings = self.shared.analyzer.analyze(text).await;
        self.shared.metrics.analyzed(findings.as_ref().map_or_else(|error| error.outcome(), |_| "ok"));
        findings.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a document could not be analyzed");
            error.reason()
        })
    }

    async fn run_matching(&mut self, findings: &Findings) -> Result<(), &'static str> {
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
        if failure.reason == INTERNAL && !self.can_be_written().await {
            tracing::warn!("a document is left until the store is back: its lease ends, and it is taken up");
            return;
        }
        let event = self.event(failure.stage, "failed").with_status(StepStatus::Failed);
        let event = event.with_detail(failure.words());
        self.shared.emitter.emit_progress(self.patient(), with_reason(event, failure.reason));
        self.flush().await;
        if self.advance(&Advance::Failed(failure.reason)).await.is_err() {
            tracing::error!(reason = failure.reason, "the end of a document could not be written");
        }
        self.shared.metrics.document_ended("failed");
    }

    /// Says whether the store would take the end of the document: what failed may be the store alone.
    async fn can_be_written(&self) -> bool {
        let (document, lease) = (self.upload.document_id.clone(), self.shared.lease());
        self.shared.store.renew(&[document], &lease).await.is_ok()
    }

    async fn advance(&self, to: &Advance) -> Result<(), &'static str> {
        retried(|| self.shared.store.advance(&self.upload.document_id, self.attempt, to)).await.map(|_| ())
    }

    async fn flush(&self) {
        if !self.shared.emitter.flush(FLUSH_WITHIN).await {
            tracing::warn!("a document ends before all its steps are stored");
        }
    }

    fn emit(&mut self, stage: Stage, detail: Option<&str>) {
        let event = self.event(stage, "step");
        let mut event = match detail {
            Some(detail) => event.with_detail(detail),
            None => event,
        };
        self.forecast.tell(&mut event);
        self.shared.emitter.emit_progress(self.patient(), event);
    }

    /// That OCR reads a document is news only where it changes how long it takes.
    fn emit_sent_to_ocr(&mut self) {
        self.forecast.goes_to_ocr();
        let mut event = self.event(Stage::OcrStarted, "sent").with_status(StepStatus::InProgress);
        if self.forecast.tell(&mut event) {
            self.shared.emitter.emit_progress(self.patient(), event);
        }
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
        INTERNAL
    })
}

fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(10)
}

/// Looks at the bytes, not at what the file is said to be; nothing for a PDF, which may have text.
fn picture_type(file: &[u8]) -> Result<Option<&'static str>, &'static str> {
    match infer::get(file).map(|kind| kind.mime_type()) {
        Some(PDF) => Ok(None),
        Some(image) if image.starts_with("image/") => Ok(Some(image)),
        _ => Err("not_a_pdf"),
    }
}

fn layer_of(result: OcrResult) -> Result<TextLayer, &'static str> {
    match result {
        OcrResult::Text { text, .. } if !text.contains(char::is_alphanumeric) => Err("no_text"),
        OcrResult::Text { text, pages } => Ok(TextLayer { pages, text }),
        OcrResult::Failed(failure) => Err(failure.reason()),
    }
}

fn pages(count: u32) -> String {
    if count == 1 { "1 page".into() } else { format!("{count} pages") }
}

fn with_reason(mut event: ProgressEvent, reason: &str) -> ProgressEvent {
    event.extra.insert("reason".into(), reason.into());
    event
}
