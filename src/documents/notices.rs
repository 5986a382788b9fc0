//! What a case is told of its documents, in words without health data.

use async_trait::async_trait;

use super::StoreError;
use crate::event::{Id, Stage};

/// Tells cases what became of their documents.
#[async_trait]
pub trait CaseNotices: Send + Sync + 'static {
    /// Tells `case` a notice, once however often it is told. Where nothing is kept for cases, nothing is told.
    ///
    /// # Errors
    /// [`StoreError`] when it may not have been kept; tell it again.
    async fn tell(&self, case: &Id, notice: &Notice) -> Result<(), StoreError>;
}

/// Says that an attempt at a document has come to the end of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The document.
    pub document_id: Id,
    /// Which try of it.
    pub attempt: u32,
    /// What has ended.
    pub stage: Stage,
}

impl Notice {
    /// Gives words for patients. Which document it was is not said in them: names of files may tell of health.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self.stage {
            Stage::OcrComplete => "Your document has been read.",
            Stage::AnalysisComplete => "What your document says has been worked out.",
            _ => "Your document is a step further.",
        }
    }
}
