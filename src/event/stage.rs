//! The six steps of a document, their order, words and weights.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One step of a document's way, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The file has arrived.
    UploadReceived,
    /// Reading its text has begun.
    OcrStarted,
    /// Its text is there.
    OcrComplete,
    /// Looking for findings has begun.
    AnalysisStarted,
    /// Findings are there.
    AnalysisComplete,
    /// The findings are matched with what the case needs.
    MatchingComplete,
}

/// Says how far a step itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepStatus {
    /// The step has begun.
    Started,
    /// The step tells of its progress.
    InProgress,
    /// The step is over and went well.
    Completed,
    /// The step went wrong, which ends the document.
    Failed,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 6] = [
        Self::UploadReceived,
        Self::OcrStarted,
        Self::OcrComplete,
        Self::AnalysisStarted,
        Self::AnalysisComplete,
        Self::MatchingComplete,
    ];

    /// Gives the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UploadReceived => "upload_received",
            Self::OcrStarted => "ocr_started",
            Self::OcrComplete => "ocr_complete",
            Self::AnalysisStarted => "analysis_started",
            Self::AnalysisComplete => "analysis_complete",
            Self::MatchingComplete => "matching_complete",
        }
    }

    /// Counts the step from 1 to 6.
    #[must_use]
    pub const fn step(self) -> usize {
        self as usize + 1
    }

    /// Gives words for patients, where a producer gave none.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::UploadReceived => "We have your document",
            Self::OcrStarted => "Reading your document",
            Self::OcrComplete => "Your document has been read",
            Self::AnalysisStarted => "Looking at what it says",
            Self::AnalysisComplete => "Important details found",
            Self::MatchingComplete => "Checked against what is needed",
        }
    }

    /// Gives the percent of the whole way reached, where a producer gave none.
    ///
    /// Reading weighs most: on scanned pages it takes most of the time.
    #[must_use]
    pub const fn percent(self) -> u8 {
        match self {
            Self::UploadReceived => 10,
            Self::OcrStarted => 20,
            Self::OcrComplete => 50,
            Self::AnalysisStarted => 60,
            Self::AnalysisComplete => 85,
            Self::MatchingComplete => 100,
        }
    }

    /// Gives the percent while the stage is under way: a stage that means "complete" has not been
    /// reached yet.
    #[must_use]
    pub const fn percent_under_way(self) -> u8 {
        match self {
            Self::UploadReceived => 0,
            Self::OcrStarted | Self::OcrComplete => Self::OcrStarted.percent(),
            Self::AnalysisStarted | Self::AnalysisComplete => Self::AnalysisStarted.percent(),
            Self::MatchingComplete => Self::AnalysisComplete.percent(),
        }
    }

    /// Gives the step status, where a producer gave none.
    #[must_use]
    pub const fn default_status(self) -> StepStatus {
        match self {
            Self::OcrStarted | Self::AnalysisStarted => StepStatus::Started,
            _ => StepStatus::Completed,
        }
    }
}

impl StepStatus {
    /// Every step status.
    pub const ALL: [Self; 4] = [Self::Started, Self::InProgress, Self::Completed, Self::Failed];

    /// Gives the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Tells that a word is none of a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct UnknownWord;

impl FromStr for Stage {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or(UnknownWord)
    }
}

impl FromStr for StepStatus {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownWord)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_percent_rise_with_the_order() {
        let steps: Vec<_> = Stage::ALL.iter().map(|stage| stage.step()).collect();

        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        assert!(Stage::ALL.windows(2).all(|pair| pair[0].percent() < pair[1].percent()));
        assert_eq!(Stage::MatchingComplete.percent(), 100);
    }

    #[test]
    fn names_are_the_serde_names() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_string(&stage).unwrap(), format!("\"{stage}\""));
            assert_eq!(stage.as_str().parse(), Ok(stage));
        }
        for status in StepStatus::ALL {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
    }
}
