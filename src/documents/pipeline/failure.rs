//! Why a document failed, in a code and in words.

use crate::event::Stage;

/// Why a document failed: a code for programs and words for patients, both without health data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) reason: &'static str,
}

impl Failure {
    /// Gives words for patients.
    pub(super) fn words(self) -> &'static str {
        match self.reason {
            "encrypted" => "The document is protected by a password.",
            "unreadable" => "The document is damaged or not complete.",
            "no_pages" => "The document has no pages.",
            "analyzer_unavailable" => "We cannot look at what the document says right now.",
            "analyzer_failed" => "We could not make out what the document says.",
            "too_complex" => "The document takes too long to read.",
            "not_a_pdf" => "The file is not a PDF.",
            "needs_ocr" => "The document is a picture; reading pictures is not set up.",
            "file_missing" => "The file is not there any more.",
            "no_text" => "No text was found in the document.",
            "ocr_failed" => "The text in the picture could not be read.",
            "ocr_unavailable" => "Reading pictures does not work at the moment.",
            "worker_silent" => "Reading the document stopped without an answer.",
            _ => "Something went wrong on our side.",
        }
    }
}
