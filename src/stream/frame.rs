//! What a viewer is sent, before it becomes text.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::coverage::DocumentView;
use crate::{
    chat::StoredMessage,
    documents::DocumentStatus,
    event::{AnswerText, ChatMessage, Cursor, Id, LoggedEvent},
    hub::HubEvent,
};

/// One thing a viewer is sent.
#[derive(Clone)]
pub enum Frame {
    /// How long the browser waits before it comes back.
    Retry(Duration),
    /// Where the stream starts, and where everything stands.
    Connected(Box<Connected>),
    /// One event of the log.
    Event(Arc<HubEvent>),
    /// A message that the store tells and the log has not told.
    Message(Arc<StoredMessage>),
    /// A document moved, as the store says.
    DocumentUpdate(Box<DocumentUpdate>),
    /// The connection lives; the same for all, but on a narrowed stream with a cursor.
    Heartbeat(Arc<Heartbeat>, Option<Cursor>),
    /// A source went down or came back.
    Source(SourceChange),
    /// Everything covered is over.
    Done(Box<Done>),
    /// The stream ends; the browser comes back.
    Reconnect(ReconnectReason),
}

/// The data of `connected`.
#[derive(Clone, Debug, Serialize)]
pub struct Connected {
    /// The position the stream starts after.
    #[serde(skip)]
    pub cursor: Cursor,
    /// The channel.
    pub channel: String,
    /// The server's time, RFC 3339.
    pub server_time: String,
    /// Whether the stream goes on from the viewer's cursor.
    pub resumed: bool,
    /// Whether events behind the viewer's cursor may be missing.
    pub gap: bool,
    /// Where everything stands.
    #[serde(flatten)]
    pub snapshot: Snapshot,
}

/// Where everything stands that a stream tells of.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Snapshot {
    /// On a stream of documents.
    Documents {
        /// Where each document stands.
        documents: Vec<DocumentView>,
    },
    /// On a stream of a chat.
    Chat {
        /// The newest messages, oldest first.
        messages: Vec<Arc<ChatMessage>>,
        /// The answers under way, as far as they go.
        answers: Vec<AnswerText>,
    },
    /// On a stream of any other kind.
    Other {
        /// The newest events, oldest first.
        events: Vec<LoggedEvent>,
    },
}

/// The data of `document_update`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DocumentUpdate {
    /// The document.
    pub document_id: Id,
    /// Where it stands.
    pub status: DocumentStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which try, from 1.
    pub attempt: u32,
    /// When it moved, RFC 3339.
    pub updated_at: String,
}

/// The data of `source`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct SourceChange {
    /// Which one.
    pub source: &'static str,
    /// Whether it answers.
    pub state: SourceState,
}

/// Whether a source answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It does.
    Up,
    /// It does not.
    Down,
}

impl SourceState {
    /// Makes a state of whether the source answers.
    #[must_use]
    pub const fn of(is_up: bool) -> Self {
        if is_up { Self::Up } else { Self::Down }
    }
}

/// The data of `done`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Done {
    /// The position, with the mark of an end.
    #[serde(skip)]
    pub cursor: Cursor,
    /// How the documents ended.
    pub documents: Vec<EndedDocument>,
}

/// How one document ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndedDocument {
    /// The document.
    pub document_id: Id,
    /// `complete` or `failed`, or a status that has not moved for long.
    pub status: DocumentStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One beat for all streams of a process; written once.
pub struct Heartbeat {
    /// The server's time, RFC 3339.
    pub server_time: String,
    frame: OnceLock<Bytes>,
}

impl Heartbeat {
    /// Makes the beat of `server_time`.
    #[must_use]
    pub const fn new(server_time: String) -> Self {
        Self { server_time, frame: OnceLock::new() }
    }

    /// Gives the beat's frame, written by `encode` at the first call.
    pub fn frame(&self, encode: impl FnOnce(&str) -> Bytes) -> Bytes {
        self.frame.get_or_init(|| encode(&self.server_time)).clone()
    }
}

/// Why a stream ends and is to be opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectReason {
    /// It reached its longest time.
    MaxDuration,
    /// The server goes down.
    Shutdown,
    /// The viewer did not read fast enough.
    SlowConsumer,
    /// The viewer's token ends.
    TokenExpired,
    /// The server has all the streams it can hold.
    Overloaded,
}

impl ReconnectReason {
    /// Gives the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxDuration => "max_duration",
            Self::Shutdown => "shutdown",
            Self::SlowConsumer => "slow_consumer",
            Self::TokenExpired => "token_expired",
            Self::Overloaded => "overloaded",
        }
    }

    /// Gives how long the browser is to wait, where it is not the usual second.
    ///
    /// After a shutdown the wait is spread, so that the next instance is not met by all at once; nobody
    /// is without a stream for three seconds.
    #[must_use]
    pub fn retry(self) -> Option<Duration> {
        match self {
            Self::MaxDuration | Self::SlowConsumer => None,
            Self::Shutdown => Some(Duration::from_millis(fastrand::u64(500..=2_500))),
            Self::TokenExpired | Self::Overloaded => Some(Duration::from_secs(15)),
        }
    }
}
