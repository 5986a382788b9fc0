//! Chat: where messages are kept, how they come in, the reader that tells streams of them, and the responder that
//! answers by what was found in documents.
//!
//! What a stream begins with is kept in the cache, so that one more viewer is no query.
//! A message is stored first and emitted then, so that whoever misses the event finds it in the store.
//! Nothing here knows viewers.

mod answer;
mod conversation;
mod followed;
mod notices;
mod posting;
mod reader;
mod responder;
mod store;

pub use answer::Answer;
pub use posting::{Chat, PostError, Posted};
pub use store::NewMessage;

pub use crate::documents::StoreError;

#[cfg_attr(not(internals), doc(hidden))]
pub use {
    reader::{MessageFollow, MessageReader, News},
    responder::Responder,
    store::{ChatStore, ForgetfulChatStore, MessageQuery, NEWEST_MESSAGES, StoredMessage, open, over},
};
