//! Where a document stands, and which way it may move.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::event::{DocumentProgress, Id, Stage, StepStatus};

/// Where a document stands within its attempt; it only ever moves forward.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentStatus {
    /// The file is there.
    Uploaded,
    /// Its text is being read.
    OcrProcessing,
    /// Its text is there.
    OcrComplete,
    /// Findings are being looked for.
    Analyzing,
    /// Findings are there.
    Analyzed,
    /// Everything went well.
    Complete,
    /// It ended early, with a reason.
    Failed,
}

/// Tells that a word is not a document status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a document status is one of uploaded, ocr_processing, ocr_complete, analyzing, analyzed, complete, failed"
)]
pub struct UnknownStatus;

impl DocumentStatus {
    /// Every status, in order.
    pub const ALL: [Self; 7] = [
        Self::Uploaded,
        Self::OcrProcessing,
        Self::OcrComplete,
        Self::Analyzing,
        Self::Analyzed,
        Self::Complete,
        Self::Failed,
    ];

    /// Gives the name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::OcrProcessing => "ocr_processing",
            Self::OcrComplete => "ocr_complete",
            Self::Analyzing => "analyzing",
            Self::Analyzed => "analyzed",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    /// Says whether the document's attempt is over.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }

    /// Says whether a document may move from `self` to `next` within an attempt.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        !self.is_terminal() && next > self
    }

    /// Orders statuses in the store: both ends rank above everything that is under way.
    #[must_use]
    pub const fn rank(self) -> i64 {
        match self {
            Self::Complete | Self::Failed => 10,
            other => other as i64,
        }
    }

    /// Gives the stage a document with this status has reached at least.
    #[must_use]
    pub const fn stage(self) -> Option<Stage> {
        match self {
            Self::Uploaded => Some(Stage::UploadReceived),
            Self::OcrProcessing => Some(Stage::OcrStarted),
            Self::OcrComplete => Some(Stage::OcrComplete),
            Self::Analyzing => Some(Stage::AnalysisStarted),
            Self::Analyzed => Some(Stage::AnalysisComplete),
            Self::Complete => Some(Stage::MatchingComplete),
            Self::Failed => None,
        }
    }

    /// Gives the status of a document that only its events tell of.
    #[must_use]
    pub const fn from_progress(progress: &DocumentProgress) -> Self {
        match (progress.ended, progress.stage) {
            (Some(StepStatus::Failed), _) => Self::Failed,
            (Some(_), _) => Self::Complete,
            (None, Stage::UploadReceived) => Self::Uploaded,
            (None, Stage::OcrStarted) => Self::OcrProcessing,
            (None, Stage::OcrComplete) => Self::OcrComplete,
            (None, Stage::AnalysisStarted) => Self::Analyzing,
            (None, Stage::AnalysisComplete | Stage::MatchingComplete) => Self::Analyzed,
        }
    }
}

impl fmt::Display for DocumentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DocumentStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// What the store says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRecord {
    /// The document.
    pub document_id: Id,
    /// Whose it is.
    pub patient_id: Id,
    /// What its file was called.
    pub filename: Option<String>,
    /// Where it stands.
    pub status: DocumentStatus,
    /// Why it failed: a code that is safe to show.
    pub reason: Option<String>,
    /// Which try, from 1.
    pub attempt: u32,
    /// When it last moved, in milliseconds since the Unix epoch by the store's clock.
    pub updated_at: u64,
}

impl DocumentRecord {
    /// Says whether `self` is at least as far as `other`, so that a stale read changes nothing.
    #[must_use]
    pub fn is_not_behind(&self, other: &Self) -> bool {
        (self.attempt, self.status.rank()) >= (other.attempt, other.status.rank())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_status() -> impl Strategy<Value = DocumentStatus> {
        (0..DocumentStatus::ALL.len()).prop_map(|n| DocumentStatus::ALL[n])
    }

    #[test]
    fn failed_may_come_from_any_status_under_way() {
        for status in DocumentStatus::ALL {
            assert_eq!(status.may_become(DocumentStatus::Failed), !status.is_terminal());
        }
        assert!(!DocumentStatus::Complete.may_become(DocumentStatus::Failed));
    }

    proptest! {
        #[test]
        fn statuses_only_move_forward(steps in proptest::collection::vec(any_status(), 1..30)) {
            let mut status = DocumentStatus::Uploaded;
            for next in steps {
                if status.may_become(next) {
                    prop_assert!(next.rank() > status.rank());
                    status = next;
                }
            }
        }

        #[test]
        fn names_round_trip(status in any_status()) {
            prop_assert_eq!(status.as_str().parse::<DocumentStatus>(), Ok(status));
        }
    }
}
