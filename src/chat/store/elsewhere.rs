//! No messages of our own: where `STATUS_SQL` is set, nothing may be written.

use async_trait::async_trait;

use super::{ChatStore, MessageQuery, NewMessage, StoredMessage};
use crate::{documents::StoreError, event::Id};

/// Keeps nothing; chats are what their logs tell.
pub(super) struct Elsewhere;

#[async_trait]
impl ChatStore for Elsewhere {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn add(&self, _: &Id, _: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn read(&self, _: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        Ok(Vec::new())
    }
}
