//! What one attempt tells of the time it still takes, and how true that was.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    documents::{
        Upload,
        estimates::{Estimate, Estimates, Measure},
    },
    event::{ETA_FIELD, ProgressEvent},
};

/// The estimates of one attempt.
pub(super) struct Forecast {
    estimates: Arc<Estimates>,
    measure: Measure,
    /// The first one, and when it was told: the one that is hardest to make.
    first: Option<(Instant, Estimate)>,
}

impl Forecast {
    pub(super) fn of(upload: &Upload, estimates: &Arc<Estimates>) -> Self {
        // Only PDFs may have a text layer.
        let is_scan = upload.content_type.starts_with("image/").then_some(true);
        let measure = Measure { bytes: upload.size, pages: None, is_scan };
        Self { estimates: Arc::clone(estimates), measure, first: None }
    }

    /// Takes care that there is something to compare with.
    pub(super) async fn prepare(&self) {
        self.estimates.refresh().await;
    }

    /// Notes that OCR has to read the document.
    pub(super) const fn goes_to_ocr(&mut self) {
        self.measure.is_scan = Some(true);
    }

    /// Notes how much was read.
    pub(super) const fn has_pages(&mut self, pages: u32) {
        self.measure.pages = Some(pages);
    }

    /// Adds to an event how long its document takes still, or that this is not known any more; false where
    /// there is nothing to tell.
    pub(super) fn tell(&mut self, event: &mut ProgressEvent) -> bool {
        let Some(estimate) = self.estimates.at(event.stage, self.measure) else {
            let has_told = self.first.is_some() && !event.is_terminal();
            if has_told {
                // It has turned out to be of another size.
                event.extra.insert(ETA_FIELD.into(), Value::Null);
            }
            return has_told;
        };
        self.first.get_or_insert_with(|| (Instant::now(), estimate));
        event.extra.insert(ETA_FIELD.into(), [estimate.least, estimate.most].as_slice().into());
        true
    }

    /// Says how the first estimate came true: `early`, `within` or `late`; `none` where there was none.
    pub(super) fn outcome(&self) -> &'static str {
        let Some((told_at, estimate)) = self.first else { return "none" };
        let took = told_at.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "seconds of one document")]
        let (least, most) = (estimate.least as f64, estimate.most as f64);
        match took {
            took if took < least => "early",
            took if took > most => "late",
            _ => "within",
        }
    }
}
