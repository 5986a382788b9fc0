//! An event as viewers are sent it.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{id::Id, position::EventId};

/// Longest event name in characters.
const MAX_NAME_CHARS: usize = 64;

/// Names a type of event: 1–64 characters of `a–z 0–9 _ - .`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct EventName(Arc<str>);

/// Tells that a text is not an event name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event name is 1–64 characters of a–z 0–9 _ - .")]
pub struct EventNameError;

impl EventName {
    /// Names a document's progress.
    #[must_use]
    pub fn progress() -> Self {
        Self("progress".into())
    }

    /// Gives the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = EventNameError;

    fn from_str(text: &str) -> Result<Self, EventNameError> {
        let is_name = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.')
        };
        if text.is_empty() || text.len() > MAX_NAME_CHARS || !text.bytes().all(is_name) {
            return Err(EventNameError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One event of a channel, ready to be framed.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub id: EventId,
    /// Its type.
    pub name: EventName,
    /// What it tells of, if any: the document, by which narrowed streams choose, or the message of a chat.
    pub subject: Option<Id>,
    /// Whether it may end its document, so that the status is worth a read at once.
    pub terminal: bool,
    /// When it happened, as its producer says, in milliseconds since the Unix epoch.
    pub happened_at: Option<u64>,
    /// One JSON value on one line.
    pub data: Bytes,
}
