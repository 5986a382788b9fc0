//! Sends a document to the worker that reads pictures, over the queue.

use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use serde_json::json;

use super::{super::Upload, FileLinks};
use crate::{
    telemetry::{Metrics, TraceParent},
    upstash::{Message, QStash, QStashError},
};

/// How long the worker may take for a document: what the queue's smallest plan waits.
const WORKED_ON_FOR: Duration = Duration::from_secs(15 * 60);
/// How often the queue tries the worker again: what its smallest plan allows, over half an hour.
const RETRIES: u32 = 3;
/// Names a caller's trace (W3C Trace Context).
const TRACE_HEADER: &str = "traceparent";

/// A queue that asks for a longer pause will not take the document while somebody waits for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where the worker is, and where the queue and the worker reach this server.
#[derive(Clone, Debug)]
pub struct OcrAddresses {
    /// Takes documents.
    pub worker: String,
    /// Takes the worker's answer; document and attempt are added as its query.
    pub callback: String,
    /// Takes the news that every try failed; document and attempt are added as its query.
    pub failure_callback: String,
    /// Takes progress of the worker.
    pub progress: String,
}

/// Sends documents to the worker over the queue.
pub struct OcrDispatcher {
    queue: QStash,
    addresses: OcrAddresses,
    links: Arc<dyn FileLinks>,
    metrics: Arc<Metrics>,
}

/// One attempt at reading one document.
#[derive(Clone, Copy)]
pub struct OcrOrder<'a> {
    /// The document.
    pub upload: &'a Upload,
    /// Which try, from 1.
    pub attempt: u32,
    /// What the file's bytes are, as a media type.
    pub content_type: &'a str,
    /// The caller's trace that the attempt belongs to; the worker is told, and whoever takes its answer.
    pub trace: Option<&'a TraceParent>,
}

/// Tells that the queue has not taken a document, or has not said so.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// There is no link to the file.
    #[error("the file store gave no link: {0}")]
    Link(String),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QStashError),
}

impl OcrDispatcher {
    /// Makes a dispatcher over its parts.
    #[must_use]
    pub fn new(
        queue: QStash,
        addresses: OcrAddresses,
        links: Arc<dyn FileLinks>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { queue, addresses, links, metrics }
    }

    /// Sends a document; again within ten minutes changes nothing. Tries for about half a minute.
    ///
    /// # Errors
    /// [`DispatchError`] when it is refused, or not taken in that time.
    pub async fn dispatch(&self, order: OcrOrder<'_>) -> Result<(), DispatchError> {
        let sent = self.send(order).await;
        self.metrics.ocr_dispatched(match &sent {
            Ok(true) => "repeat",
            Ok(false) => "published",
            Err(DispatchError::Link(_)) => "no_link",
            Err(DispatchError::Queue(error)) => error.kind(),
        });
        sent.map(drop)
    }

    async fn send(&self, order: OcrOrder<'_>) -> Result<bool, DispatchError> {
        let link = self.links.link(order.upload).await.map_err(|error| DispatchError::Link(error.kind()))?;
        let message = self.message(order, &link);
        let publish = || self.queue.publish(&message);
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(9);
        let published = publish
            .retry(pauses)
            .when(QStashError::is_transient)
            .adjust(|error, pause| {
                let pause = pause?.max(error.back_off().unwrap_or_default());
                (pause <= LONGEST_PAUSE).then_some(pause)
            })
            .await?;
        Ok(published.is_repeat)
    }

    fn message(&self, order: OcrOrder<'_>, link: &str) -> Message {
        let OcrOrder { upload, attempt, content_type, trace } = order;
        let document = &upload.document_id;
        let body = json!({
            "document_id": document,
            "attempt": attempt,
            "file_url": link,
            "content_type": content_type,
            "patient_id": upload.patient_id,
            "progress_url": self.addresses.progress,
        });
        let with_query = |url: &str| format!("{url}?document_id={document}&attempt={attempt}");
        let message = Message::json(&self.addresses.worker, body.to_string())
            .with_callback(&with_query(&self.addresses.callback))
            .with_failure_callback(&with_query(&self.addresses.failure_callback))
            .with_deduplication_id(&format!("{document}.{attempt}"))
            .with_retries(RETRIES)
            .with_timeout(WORKED_ON_FOR);
        let Some(trace) = trace.map(ToString::to_string) else { return message };
        message.with_forward(TRACE_HEADER, &trace).with_callback_forward(TRACE_HEADER, &trace)
    }
}
