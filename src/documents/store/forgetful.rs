//! A store that drops from the cache what it writes, whoever writes it.
//!
//! It drops after each write, also after one that failed or changed nothing: the answer to an earlier try may
//! have been lost, and the write not.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Advance, DocumentStore, Lease, StatusQuery, StatusSource, StoreError, Upload};
use crate::{
    cache::{Cache, Key},
    documents::{
        case_findings::CaseFindings,
        checklist::CaseDocument,
        estimates::PastRun,
        health::DocumentHealth,
        matching::Requirement,
        ocr::{Delivery, OcrResult, Receipt},
        status::{DocumentRecord, DocumentStatus},
    },
    event::Id,
};

/// Documents whose case is remembered, so that a step of theirs needs no query for it.
const REMEMBERED: u64 = 10_000;

/// Wraps a store and keeps the cache true to it.
pub struct ForgetfulStore {
    inner: Arc<dyn DocumentStore>,
    cache: Cache,
    cases: moka::future::Cache<Id, Option<Id>>,
}

impl ForgetfulStore {
    /// Stands before `inner`.
    #[must_use]
    pub fn before(inner: Arc<dyn DocumentStore>, cache: Cache) -> Self {
        Self { inner, cache, cases: moka::future::Cache::new(REMEMBERED) }
    }

    async fn remember(&self, upload: &Upload) {
        self.cases.insert(upload.document_id.clone(), upload.case_id.clone()).await;
    }

    async fn case_of(&self, document: &Id) -> Option<Id> {
        if let Some(case) = self.cases.get(document).await {
            return case;
        }
        match self.inner.upload(document).await {
            Ok(Some(upload)) => {
                self.remember(&upload).await;
                upload.case_id
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "a checklist may be out of date until its time is over");
                None
            }
        }
    }

    async fn forget_checklist(&self, case: Option<&Id>) {
        if let Some(case) = case {
            self.cache.forget(&Key::checklist(case)).await;
        }
    }
}

/// Says whether a checklist looks different once a document stands there.
const fn shows_in_a_checklist(to: &Advance) -> bool {
    matches!(to.status(), DocumentStatus::Analyzed | DocumentStatus::Complete | DocumentStatus::Failed)
}

#[async_trait]
impl StatusSource for ForgetfulStore {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError> {
        self.inner.statuses(query).await
    }
}

#[async_trait]
impl DocumentStore for ForgetfulStore {
    async fn announce(&self, upload: &Upload) -> Result<(), StoreError> {
        self.inner.announce(upload).await
    }

    async fn upload(&self, document: &Id) -> Result<Option<Upload>, StoreError> {
        self.inner.upload(document).await
    }

    async fn confirm(&self, upload: &Upload, lease: &Lease) -> Result<bool, StoreError> {
        let made = self.inner.confirm(upload, lease).await;
        self.remember(upload).await;
        self.forget_checklist(upload.case_id.as_ref()).await;
        made
    }

    async fn document(&self, document: &Id) -> Result<Option<DocumentRecord>, StoreError> {
        self.inner.document(document).await
    }

    async fn advance(&self, document: &Id, attempt: u32, to: &Advance) -> Result<bool, StoreError> {
        if matches!(to, Advance::Failed(_)) {
            // Viewers are told of an end at once and ask then: what they would find has to be gone by then.
            self.forget_checklist(self.case_of(document).await.as_ref()).await;
        }
        let moved = self.inner.advance(document, attempt, to).await;
        if shows_in_a_checklist(to) {
            self.forget_checklist(self.case_of(document).await.as_ref()).await;
        }
        moved
    }

    async fn requirements(&self, procedure_code: &str) -> Result<Vec<Requirement>, StoreError> {
        self.inner.requirements(procedure_code).await
    }

    async fn procedures(&self) -> Result<Vec<String>, StoreError> {
        self.inner.procedures().await
    }

    async fn case_documents(&self, case: &Id) -> Result<Vec<CaseDocument>, StoreError> {
        self.inner.case_documents(case).await
    }

    async fn case_findings(&self, case: &Id) -> Result<Vec<CaseFindings>, StoreError> {
        self.inner.case_findings(case).await
    }

    async fn health(&self, since: u64) -> Result<DocumentHealth, StoreError> {
        self.inner.health(since).await
    }

    async fn past_runs(&self, most: u32) -> Result<Vec<PastRun>, StoreError> {
        self.inner.past_runs(most).await
    }

    async fn unfinished(&self) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        let unfinished = self.inner.unfinished().await?;
        for (upload, _) in &unfinished {
            self.remember(upload).await;
        }
        Ok(unfinished)
    }

    async fn take_up(&self, lease: &Lease, most: u32) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        let taken = self.inner.take_up(lease, most).await?;
        for (upload, _) in &taken {
            self.remember(upload).await;
        }
        Ok(taken)
    }

    async fn renew(&self, documents: &[Id], lease: &Lease) -> Result<(), StoreError> {
        self.inner.renew(documents, lease).await
    }

    async fn release(&self, worker: &Id) -> Result<(), StoreError> {
        self.inner.release(worker).await
    }

    async fn rest(&self, document: &Id, attempt: u32, lease: &Lease) -> Result<(), StoreError> {
        self.inner.rest(document, attempt, lease).await
    }

    async fn retry(&self, document: &Id, lease: &Lease) -> Result<Option<u32>, StoreError> {
        let attempt = self.inner.retry(document, lease).await;
        self.forget_checklist(self.case_of(document).await.as_ref()).await;
        attempt
    }

    async fn record_delivery(&self, delivery: &Delivery, lease: &Lease) -> Result<Receipt, StoreError> {
        self.inner.record_delivery(delivery, lease).await
    }

    async fn ocr_result(&self, document: &Id, attempt: u32) -> Result<Option<OcrResult>, StoreError> {
        self.inner.ocr_result(document, attempt).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
