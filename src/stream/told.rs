//! Which statuses a viewer has been told, so that only news is told again.

use super::{
    coverage::{CoverageView, DocumentView},
    frame::DocumentUpdate,
};
use crate::{clock::to_rfc3339, documents::DocumentStatus, event::Id};

/// The statuses one viewer knows.
#[derive(Default)]
pub(super) struct ToldStatuses(Vec<Told>);

#[derive(PartialEq, Eq)]
struct Told {
    document: Id,
    attempt: u32,
    status: DocumentStatus,
}

impl ToldStatuses {
    /// Counts all of `view` as told.
    pub(super) fn of(view: &CoverageView) -> Self {
        Self(by_status(view).map(told).collect())
    }

    /// Gives what has not been told of `view` yet.
    pub(super) fn missing(&self, view: &CoverageView) -> Vec<DocumentUpdate> {
        by_status(view).filter(|document| !self.0.contains(&told(document))).map(update).collect()
    }
}

fn by_status(view: &CoverageView) -> impl Iterator<Item = &DocumentView> {
    view.documents.iter().filter(|document| document.is_told_by_status)
}

fn told(document: &DocumentView) -> Told {
    Told { document: document.document_id.clone(), attempt: document.attempt, status: document.status }
}

fn update(document: &DocumentView) -> DocumentUpdate {
    DocumentUpdate {
        document_id: document.document_id.clone(),
        status: document.status,
        reason: document.reason.clone(),
        attempt: document.attempt,
        updated_at: to_rfc3339(document.updated_at),
    }
}
