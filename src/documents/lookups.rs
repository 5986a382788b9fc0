//! What is read again and again, answered from the cache where it can be.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    checklist::{Checklist, procedure_of},
    health::CountedHealth,
    matching::Requirement,
    store::{DocumentStore, StoreError},
};
use crate::{
    cache::{Cache, Cached, Key},
    clock::Clock,
    event::Id,
    telemetry::Vital,
};

/// How far the dashboard looks back, in milliseconds.
const HEALTH_LOOKS_BACK: u64 = 24 * 3_600 * 1_000;

/// Reads through the cache. Clones share it.
#[derive(Clone)]
pub struct Lookups {
    store: Arc<dyn DocumentStore>,
    cache: Cache,
    clock: Clock,
}

/// What a procedure asks for; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements(pub Vec<Requirement>);

impl Cached for Requirements {
    const VERSION: u32 = 1;
}

impl Lookups {
    /// Reads from `store`, which has to drop from `cache` what it writes.
    #[must_use]
    pub fn new(store: Arc<dyn DocumentStore>, cache: Cache, clock: Clock) -> Self {
        Self { store, cache, clock }
    }

    /// Reads what a procedure asks for; nothing for an unknown procedure. At most 1 h old.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn requirements(&self, code: &Id) -> Result<Option<Requirements>, Arc<StoreError>> {
        let load = async {
            let requirements = self.store.requirements(code.as_str()).await?;
            Ok((!requirements.is_empty()).then_some(Requirements(requirements)))
        };
        self.cache.get_or_load(&Key::requirements(code), load).await
    }

    /// Reads the checklist of a case; nothing for a case without documents. At most 30 s old.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn checklist(&self, case: &Id) -> Result<Option<Checklist>, Arc<StoreError>> {
        // Boxed: it holds another look into the cache.
        let load = Box::pin(self.load_checklist(case));
        let checklist = self.cache.get_or_load(&Key::checklist(case), load).await;
        checklist.map_err(Arc::unwrap_or_clone)
    }

    /// Counts the documents that moved in the last 24 hours. At most 30 s old.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn health(&self) -> Result<Option<CountedHealth>, Arc<StoreError>> {
        let load = async {
            let counted_at = self.clock.milliseconds();
            let health = self.store.health(counted_at.saturating_sub(HEALTH_LOOKS_BACK)).await?;
            Ok(Some(CountedHealth { counted_at, health }))
        };
        self.cache.get_or_load(&Key::health(), load).await
    }

    /// Tells how the cache in Redis does; none where there is only memory.
    #[must_use]
    pub fn cache_level(&self) -> Option<&Vital> {
        self.cache.far_level()
    }

    async fn load_checklist(&self, case: &Id) -> Result<Option<Checklist>, Arc<StoreError>> {
        let documents = self.store.case_documents(case).await?;
        if documents.is_empty() {
            return Ok(None);
        }
        let requirements = match procedure_of(&documents) {
            Some(code) => self.requirements(code).await?,
            None => None,
        };
        let requirements = requirements.map(|Requirements(asked)| asked).unwrap_or_default();
        let today = self.clock.now().date_naive();
        Ok(Some(Checklist::new(case, &documents, requirements, today)))
    }
}
