//! Progress as OpenTelemetry traces: a document's attempt is a trace, each event a span in it.
//!
//! Spans are made where this process emits, so that each event is one however many processes have
//! viewers, and leave in the background (`export`). A document's id never leaves: the trace's id is
//! a hash of it.

mod export;
mod parent;
mod span;

use std::{sync::Arc, time::Duration};

pub use parent::TraceParent;

use self::export::Exporter;
use super::{metrics::Metrics, stages::StageStep};
use crate::{config::TracesConfig, event::ProgressEvent};

/// Makes spans of events. Clones share it; the default makes none and costs nothing.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Exporter>>);

impl Traces {
    /// Starts the background task that sends spans where `config` says.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn start(config: &TracesConfig, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        Ok(Self(Some(Arc::new(Exporter::start(config, metrics)?))))
    }

    /// Makes the spans of one event: never waits, and drops and counts what does not fit.
    pub(crate) fn note(&self, event: &ProgressEvent, step: &StageStep) {
        let Some(exporter) = &self.0 else { return };
        for span in span::of(event, step) {
            exporter.take(span);
        }
    }

    /// Sends what waits; false when `within` is over before.
    pub async fn flush(&self, within: Duration) -> bool {
        match &self.0 {
            Some(exporter) => exporter.flush(within).await,
            None => true,
        }
    }
}
