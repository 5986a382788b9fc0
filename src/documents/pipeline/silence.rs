//! Ends documents of which OCR never says a word: no job hangs for ever.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Pipeline, leases::silence};
use crate::documents::{DocumentStatus, StoreError};

/// After this long no word comes any more: the link to the file has ended, and the queue's own tries to call back.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(3 * 3_600);
/// How often it is looked for them. Too often: queries for nothing.
const EVERY: Duration = Duration::from_secs(60);

impl Pipeline {
    /// Starts to look for silent documents, where documents go to OCR; ends with the pipeline.
    pub fn watch_for_silence(&self) {
        if self.shared.ocr.is_none() {
            return;
        }
        let pipeline = self.clone();
        let watching = async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(error) = pipeline.end_silent().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "silent documents were not looked for"
                    );
                }
            }
        };
        tokio::spawn(self.shared.stop.clone().run_until_cancelled_owned(watching));
    }

    async fn end_silent(&self) -> Result<(), StoreError> {
        let since = self.shared.clock.since_epoch().saturating_sub(SILENT_FOR).as_millis();
        for (upload, record) in self.shared.store.unfinished().await? {
            if record.status != DocumentStatus::OcrProcessing || u128::from(record.updated_at) > since {
                continue;
            }
            self.take_delivery(silence(upload.document_id, record.attempt), None).await?;
        }
        Ok(())
    }
}
