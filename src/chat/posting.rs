//! Takes messages in: kept first, emitted then.

use std::sync::Arc;

use super::store::{ChatStore, NewMessage};
use crate::{
    broker::Emitter,
    documents::StoreError,
    event::{Channel, ChatMessage, Id},
    telemetry::Metrics,
};

/// Takes messages into cases. Clones share it.
#[derive(Clone)]
pub struct Chat {
    store: Arc<dyn ChatStore>,
    emitter: Emitter,
    metrics: Arc<Metrics>,
}

/// What became of a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Posted {
    /// The message as it is kept.
    pub message: ChatMessage,
    /// Whether it was kept now, not before.
    pub is_new: bool,
}

/// Tells why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Another message has this id.
    #[error("another message of this case has the id {0}")]
    Conflict(Id),
    /// The store did not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chat {
    /// Takes messages into `store` and tells of them over `emitter`.
    #[cfg_attr(not(internals), doc(hidden))]
    #[must_use]
    pub const fn new(store: Arc<dyn ChatStore>, emitter: Emitter, metrics: Arc<Metrics>) -> Self {
        Self { store, emitter, metrics }
    }

    /// Keeps a message and emits it; the same one again changes nothing and is emitted again, as the
    /// first event may have been lost.
    ///
    /// # Errors
    /// [`PostError`] when another message has its id, or the store does not answer.
    pub async fn post(&self, case: &Id, message: &NewMessage) -> Result<Posted, PostError> {
        let posted = self.keep(case, message).await?;
        self.emitter.emit_message(&Channel::chat(case.clone()), &posted.message);
        Ok(posted)
    }

    async fn keep(&self, case: &Id, message: &NewMessage) -> Result<Posted, PostError> {
        let posted = self.keep_first(case, message).await?;
        if (&posted.message.content, &posted.message.role) != (&message.content, &message.role) {
            return Err(PostError::Conflict(message.id.clone()));
        }
        Ok(posted)
    }

    /// Keeps a message without telling anybody; one that was kept under its id before stands.
    pub(super) async fn keep_first(&self, case: &Id, message: &NewMessage) -> Result<Posted, StoreError> {
        let (kept, is_new) = self.store.add(case, message).await?;
        if is_new {
            self.metrics.chat.stored.inc();
        }
        Ok(Posted { message: kept.message, is_new })
    }

    pub(super) const fn emitter(&self) -> &Emitter {
        &self.emitter
    }
}
