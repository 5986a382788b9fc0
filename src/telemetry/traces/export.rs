//! Sends spans over OTLP in the background: in batches, bounded, and never in anybody's way.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use secrecy::ExposeSecret;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    config::TracesConfig,
    telemetry::metrics::{Metrics, SpanLoss},
};

/// Spans waiting; more are dropped. A span is about 1 KiB.
const MOST_WAITING: usize = 2_048;
/// Most spans of one request.
const BATCH: usize = 512;
/// How long a span may wait for others to go with it.
const GATHER_WITHIN: Duration = Duration::from_secs(1);
/// Longest time for one request with its retries.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Hands spans to the background task.
pub(super) struct Exporter {
    queue: mpsc::Sender<Queued>,
    metrics: Arc<Metrics>,
}

enum Queued {
    Span(Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

impl Exporter {
    pub(super) fn start(config: &TracesConfig, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let sender = Sender { client: client(config)?, metrics: Arc::clone(&metrics), is_failing: false };
        tokio::spawn(sender.run(waiting));
        Ok(Self { queue, metrics })
    }

    pub(super) fn take(&self, span: SpanData) {
        if self.queue.try_send(Queued::Span(Box::new(span))).is_err() {
            self.metrics.spans_lost(SpanLoss::QueueFull, 1);
        }
    }

    pub(super) async fn flush(&self, within: Duration) -> bool {
        let (done, flushed) = oneshot::channel();
        let flush = async { self.queue.send(Queued::Flush(done)).await.is_ok() && flushed.await.is_ok() };
        timeout(within, flush).await.unwrap_or(false)
    }
}

fn client(config: &TracesConfig) -> anyhow::Result<SpanExporter> {
    let http = reqwest::Client::builder().timeout(ANSWER_WITHIN).build().context("make an HTTP client")?;
    let headers = config.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
    let mut client = SpanExporter::builder()
        .with_http()
        .with_http_client(http)
        .with_endpoint(config.endpoint.as_str())
        .with_headers(headers)
        .with_timeout(ANSWER_WITHIN)
        .build()
        .context("send traces to OTEL_EXPORTER_OTLP_ENDPOINT")?;
    client.set_resource(&resource());
    Ok(client)
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name("tidings").with_attribute(version).build()
}

/// The background half of an [`Exporter`].
struct Sender {
    client: SpanExporter,
    metrics: Arc<Metrics>,
    is_failing: bool,
}

impl Sender {
    async fn run(mut self, mut waiting: mpsc::Receiver<Queued>) {
        while let Some(first) = waiting.recv().await {
            let (spans, flush) = gather(first, &mut waiting).await;
            if !spans.is_empty() {
                self.send(spans).await;
            }
            if let Some(done) = flush {
                let _ = done.send(());
            }
        }
    }

    /// Sends one batch; what is not taken is dropped, as later spans would only queue up behind it.
    async fn send(&mut self, spans: Vec<SpanData>) {
        let count = spans.len() as u64;
        let answer = timeout(ANSWER_WITHIN, self.client.export(spans)).await;
        let error = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        match &error {
            None => self.metrics.spans_sent(count),
            Some(_) => self.metrics.spans_lost(SpanLoss::Failed, count),
        }
        // Said once: the counter tells how it goes on.
        if error.is_some() != std::mem::replace(&mut self.is_failing, error.is_some()) {
            match error {
                Some(error) => tracing::warn!(error, "traces cannot be sent; their spans are dropped"),
                None => tracing::info!("traces are sent again"),
            }
        }
    }
}

/// Takes what comes until a batch is full, its time is over or somebody asks for it.
async fn gather(
    first: Queued,
    waiting: &mut mpsc::Receiver<Queued>,
) -> (Vec<SpanData>, Option<oneshot::Sender<()>>) {
    let until = Instant::now() + GATHER_WITHIN;
    let mut spans = Vec::new();
    let mut next = Some(first);
    loop {
        match next {
            Some(Queued::Span(span)) => spans.push(*span),
            Some(Queued::Flush(done)) => return (spans, Some(done)),
            None => return (spans, None),
        }
        if spans.len() == BATCH {
            return (spans, None);
        }
        next = timeout_at(until, waiting.recv()).await.ok().flatten();
    }
}
