//! What was found in the documents of a case.

use super::{analysis::Findings, status::DocumentStatus};
use crate::event::Id;

/// One document of a case, with all that was found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFindings {
    /// The document.
    pub document_id: Id,
    /// Whose it is.
    pub patient_id: Id,
    /// What it is called.
    pub filename: String,
    /// Where it stands.
    pub status: DocumentStatus,
    /// What was found, once it has been analyzed.
    pub findings: Option<Findings>,
}
