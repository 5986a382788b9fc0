//! What each stream sends: every event with its `event` and its `data`.
//!
//! Server-Sent Events have no schema language of their own, so each stream's answer is described as one of the
//! objects `{event, data}` that its frames would be.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    event::{AnswerText, ChatMessage, Id, Stage, StepStatus, Token},
    stream::{DocumentUpdate, DocumentView, Done, SourceChange},
};

/// One event of a stream of documents: its `event` and its `data`.
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum DocumentStreamEvent {
    /// The snapshot: where each document stands, and where the stream starts.
    Connected(ShownConnected),
    /// One event of the log.
    Progress(ShownProgress),
    /// A document moved, as the database says.
    DocumentUpdate(DocumentUpdate),
    /// The connection lives.
    Heartbeat(ShownHeartbeat),
    /// The broker or the database went down, or is up again.
    Source(SourceChange),
    /// Nothing covered is under way any more.
    Done(Done),
    /// This stream ends: come back.
    Reconnect(ShownReconnect),
}

/// The data of `connected` on a stream of documents.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownConnected {
    /// The channel.
    channel: String,
    /// The server's time, RFC 3339.
    server_time: String,
    /// Whether the stream goes on from the viewer's cursor.
    resumed: bool,
    /// Whether events behind the viewer's cursor may be missing.
    gap: bool,
    /// Where each document stands.
    documents: Vec<DocumentView>,
}

/// A progress event as viewers are sent it, with what the producer added.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what ProgressFold shows")]
pub(in crate::http) struct ShownProgress {
    document_id: Id,
    stage: Stage,
    #[schema(minimum = 1, maximum = 6)]
    step: u32,
    total_steps: u32,
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
    status: StepStatus,
    label: String,
    #[schema(required)]
    detail: Option<String>,
    #[schema(required)]
    timestamp: Option<String>,
    event_id: String,
    attempt: u32,
    /// How long it takes still: at least and at most, in seconds. Left out where nobody knows.
    #[schema(min_items = 2, max_items = 2)]
    eta_seconds: Option<Vec<f64>>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// The data of `heartbeat`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownHeartbeat {
    /// RFC 3339.
    server_time: String,
}

/// The data of `reconnect`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownReconnect {
    reason: ShownReason,
}

/// Why a stream ends.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum ShownReason {
    MaxDuration,
    Shutdown,
    SlowConsumer,
    TokenExpired,
    Overloaded,
}

/// One event of a chat's stream: its `event` and its `data`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum ChatStreamEvent {
    Known(KnownChatEvent),
    Other(OtherChatEvent),
}

/// An event that a chat gives a meaning.
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum KnownChatEvent {
    /// The newest messages, and the answers under way as far as they go.
    Connected(ShownChatConnected),
    /// A message, whole.
    Message(ChatMessage),
    /// Somebody writes; what its publisher said, with the `role` of a viewer's token.
    Typing(Value),
    /// Somebody joins; what its publisher said.
    AgentJoined(Value),
    /// A piece of an answer.
    Token(Token),
    /// An answer is over; its text is the message of this id.
    AnswerDone(ShownAnswerDone),
    /// The connection lives.
    Heartbeat(ShownHeartbeat),
    /// The broker or the database went down, or is up again.
    Source(SourceChange),
    /// This stream ends: come back.
    Reconnect(ShownReconnect),
}

/// An event of any other type, as it was published.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct OtherChatEvent {
    #[schema(
        pattern = r"^(?!(connected|message|typing|agent_joined|token|checkpoint|answer_done|heartbeat|source|reconnect|done)$)[a-z0-9_.-]{1,64}$"
    )]
    event: String,
    data: Value,
}

/// The data of `connected` on a chat's stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownChatConnected {
    /// The channel.
    channel: String,
    /// The server's time, RFC 3339.
    server_time: String,
    /// Whether the stream goes on from the viewer's cursor.
    resumed: bool,
    /// Whether events behind the viewer's cursor may be missing.
    gap: bool,
    /// The newest 50, oldest first.
    messages: Vec<ChatMessage>,
    /// The answers under way, as far as they go.
    answers: Vec<AnswerText>,
}

/// The data of `answer_done`, with what its publisher added.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownAnswerDone {
    message_id: Id,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// One event of the stream of any other kind of work: its `event` and its `data`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum WorkStreamEvent {
    Known(KnownWorkEvent),
    Other(OtherWorkEvent),
}

/// An event that the stream tells of its own accord.
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) enum KnownWorkEvent {
    /// The newest events.
    Connected(ShownWorkConnected),
    /// The connection lives.
    Heartbeat(ShownHeartbeat),
    /// The broker or the database went down, or is up again.
    Source(SourceChange),
    /// This stream ends: come back.
    Reconnect(ShownReconnect),
}

/// An event of the work, as it was published: `event` is its `type`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct OtherWorkEvent {
    #[schema(pattern = r"^(?!(connected|heartbeat|source|reconnect|done)$)[a-z0-9_.-]{1,64}$")]
    event: String,
    data: Value,
}

/// The data of `connected` on the stream of any other kind of work.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the stream sends")]
pub(in crate::http) struct ShownWorkConnected {
    /// The channel.
    channel: String,
    /// The server's time, RFC 3339.
    server_time: String,
    /// Whether the stream goes on from the viewer's cursor.
    resumed: bool,
    /// Whether events behind the viewer's cursor may be missing.
    gap: bool,
    /// The newest 50, oldest first.
    events: Vec<ShownWorkEvent>,
}

/// One event of the past.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what LoggedEvent writes")]
pub(in crate::http) struct ShownWorkEvent {
    #[schema(rename = "type")]
    kind: String,
    data: Value,
    /// RFC 3339.
    timestamp: String,
    event_id: String,
}
