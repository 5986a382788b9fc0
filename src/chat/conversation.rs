//! What is kept in the cache of a case's conversation: what a stream begins with.
//!
//! It may be older than the store, where a write was not heard of: a reader that begins with it reads on from its last
//! number, so what is missing is news within one interval.

use serde::{Deserialize, Serialize};

use super::store::{NEWEST_MESSAGES, StoredMessage};
use crate::cache::Cached;

/// The newest messages of a case, oldest first; none where nobody has said a word.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Conversation(pub(super) Vec<StoredMessage>);

impl Cached for Conversation {
    const VERSION: u32 = 1;
}

impl Conversation {
    /// Keeps the newest of `messages`, which are in order.
    pub(super) fn of<'a>(messages: impl ExactSizeIterator<Item = &'a StoredMessage>) -> Self {
        let skip = messages.len().saturating_sub(NEWEST_MESSAGES as usize);
        Self(messages.skip(skip).cloned().collect())
    }
}
