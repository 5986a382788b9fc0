//! A store that drops from the cache what it writes, whoever writes it.
//!
//! It drops after each write, also after one that failed or kept nothing new: the answer to an earlier try may
//! have been lost, and the write not.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ChatStore, MessageQuery, NewMessage, StoredMessage};
use crate::{
    cache::{Cache, Key},
    documents::StoreError,
    event::Id,
};

/// Wraps a store and keeps the cache true to it.
pub struct ForgetfulChatStore {
    inner: Arc<dyn ChatStore>,
    cache: Cache,
}

impl ForgetfulChatStore {
    /// Stands before `inner`.
    #[must_use]
    pub const fn before(inner: Arc<dyn ChatStore>, cache: Cache) -> Self {
        Self { inner, cache }
    }
}

#[async_trait]
impl ChatStore for ForgetfulChatStore {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn add(&self, case: &Id, message: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        let added = self.inner.add(case, message).await;
        self.cache.forget(&Key::conversation(case)).await;
        added
    }

    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        self.inner.read(query).await
    }
}
