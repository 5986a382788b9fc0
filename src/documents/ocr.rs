//! Reading documents without a text layer, which is done elsewhere: what is sent, what comes back.
//!
//! [`OcrDispatcher`] sends a document to the worker over the queue. The queue's answer is a
//! [`Delivery`], which the store takes once.

mod dispatch;

use std::fmt;

use async_trait::async_trait;

pub use dispatch::{DispatchError, OcrAddresses, OcrDispatcher, OcrOrder};

use super::{FileError, Upload};
use crate::event::Id;

/// Gives links to files for whoever holds them, without credentials.
#[async_trait]
pub trait FileLinks: Send + Sync + 'static {
    /// Signs a URL that answers a GET with the file of an upload, for some hours.
    ///
    /// # Errors
    /// [`FileError`] when the store cannot sign.
    async fn link(&self, upload: &Upload) -> Result<String, FileError>;
}

/// What OCR says of one attempt at a document. Its `Debug` form hides the text: it is health data.
#[derive(Clone, PartialEq, Eq)]
pub enum OcrResult {
    /// It read the document.
    Text {
        /// What it read.
        text: String,
        /// How many pages it read.
        pages: u32,
    },
    /// It did not, and will not.
    Failed(OcrFailure),
}

/// Why OCR gave no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcrFailure {
    /// The worker failed at every try, or answered nonsense.
    Failed,
    /// The queue did not take the document.
    Unavailable,
    /// Nobody has said anything for hours.
    Silent,
}

/// What one delivery of the queue says.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Names the delivery; a repeat has the same name.
    pub id: String,
    /// The document.
    pub document_id: Id,
    /// Which try of the document.
    pub attempt: u32,
    /// The last word on the attempt; nothing where the queue tries again.
    pub result: Option<OcrResult>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What it changed.
    pub outcome: DeliveryOutcome,
    /// It had come before, and changed nothing now.
    pub is_repeat: bool,
}

/// What a delivery changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It is the word on its attempt.
    Taken,
    /// The attempt has its word, or is over: nothing.
    TooLate,
    /// The queue tries again: nothing.
    Noted,
    /// No such document: nothing, and it is not kept.
    Unknown,
}

impl fmt::Debug for OcrResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, pages } => write!(formatter, "Text({} bytes, {pages} pages)", text.len()),
            Self::Failed(failure) => write!(formatter, "Failed({})", failure.reason()),
        }
    }
}

impl OcrFailure {
    /// Gives the reason code, which is safe to show to anyone.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Failed => "ocr_failed",
            Self::Unavailable => "ocr_unavailable",
            Self::Silent => "worker_silent",
        }
    }

    pub(super) fn of_reason(reason: &str) -> Option<Self> {
        [Self::Failed, Self::Unavailable, Self::Silent].into_iter().find(|failure| failure.reason() == reason)
    }
}

impl DeliveryOutcome {
    /// Gives the name in answers and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::TooLate => "too_late",
            Self::Noted => "noted",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Taken, Self::TooLate, Self::Noted].into_iter().find(|outcome| outcome.as_str() == name)
    }
}
