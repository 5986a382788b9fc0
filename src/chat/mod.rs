//! Chat: where messages are kept, how they come in, and the reader that tells streams of them.
//!
//! A message is stored first and emitted then, so that whoever misses the event finds it in the store.
//! Nothing here knows viewers.

mod answer;
mod posting;
mod reader;
mod store;

pub use answer::Answer;
pub use posting::{Chat, PostError, Posted};
pub use reader::{MessageFollow, MessageReader, News};
pub use store::{ChatStore, MessageQuery, NEWEST_MESSAGES, NewMessage, StoredMessage, open, over};
