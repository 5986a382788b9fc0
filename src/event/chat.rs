//! What a chat tells: messages, and answers that come token by token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    fields::{EventError, take, take_id, take_text, take_timestamp, wrong},
    id::Id,
    typed::TypedEvent,
};

/// Largest text of a message or of an answer, in bytes of UTF-8.
pub const MAX_CONTENT_BYTES: usize = 10 * 1024;
/// Longest role in characters.
pub const MAX_ROLE_CHARS: usize = 64;

/// How the ids of answers begin: a viewer who could give one to its own message would end the answer.
pub const ANSWER_ID_PREFIX: &str = "answer-";
/// How the ids begin of what a case is told of its documents.
pub const NOTICE_ID_PREFIX: &str = "notice-";

/// The types of events that a chat gives a meaning.
pub mod chat_types {
    /// A message, whole.
    pub const MESSAGE: &str = "message";
    /// Somebody writes.
    pub const TYPING: &str = "typing";
    /// Somebody who answers has come.
    pub const AGENT_JOINED: &str = "agent_joined";
    /// A piece of an answer.
    pub const TOKEN: &str = "token";
    /// All of an answer so far; viewers are shown it only where tokens before it were lost.
    pub const CHECKPOINT: &str = "checkpoint";
    /// An answer is over.
    pub const ANSWER_DONE: &str = "answer_done";
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[non_exhaustive]
pub struct ChatMessage {
    /// Names it within its case, whichever way it comes.
    pub id: Id,
    /// Plain text.
    pub content: String,
    /// The part its sender plays, for example `patient`.
    pub role: String,
    /// When it was stored, RFC 3339.
    pub timestamp: String,
    /// Who sent it: `id` and `name`, as far as known.
    #[schema(value_type = Object)]
    pub sender: Map<String, Value>,
}

/// A piece of an answer: the text at place `index`, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    /// The message that the answer becomes.
    pub message_id: Id,
    /// Its place among the pieces of the answer.
    pub index: u32,
    /// The text.
    pub text: String,
    /// The place behind it, where the text stands for several pieces.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_index: Option<u32>,
}

/// All of an answer so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AnswerText {
    /// The message that the answer becomes.
    pub message_id: Id,
    /// The text of all pieces below `next_index`.
    pub text: String,
    /// The place of the next piece.
    pub next_index: u32,
}

impl ChatMessage {
    /// Makes a message of plain text by `role`, stored at `timestamp`; nobody is named as its sender.
    #[must_use]
    pub fn new(id: Id, content: &str, role: &str, timestamp: &str) -> Self {
        let (content, role, timestamp) = (content.to_owned(), role.to_owned(), timestamp.to_owned());
        Self { id, content, role, timestamp, sender: Map::new() }
    }

    /// Reads the message that `event` tells; `otherwise` is its time where it names none.
    ///
    /// # Errors
    /// [`EventError`] names the field and what it may hold.
    pub fn of(event: &TypedEvent, otherwise: &str) -> Result<Self, EventError> {
        let Value::Object(mut fields) = event.data.clone() else { return Err(wrong("data", "an object")) };
        let content = take_text(&mut fields, "content")?.ok_or(EventError::Missing("content"))?;
        let role = take_text(&mut fields, "role")?.ok_or(EventError::Missing("role"))?;
        let timestamp = take_timestamp(&mut fields)?.or_else(|| event.timestamp.clone());
        Ok(Self {
            id: take_id(&mut fields, "id")?.ok_or(EventError::Missing("id"))?,
            content: checked_size(content)?,
            role: checked_role(role)?,
            timestamp: timestamp.unwrap_or_else(|| otherwise.to_owned()),
            sender: match take(&mut fields, "sender") {
                None => Map::new(),
                Some(Value::Object(sender)) => sender,
                Some(_) => return Err(wrong("sender", "an object")),
            },
        })
    }

    /// Makes the event that tells the message.
    #[must_use]
    pub fn to_event(&self) -> TypedEvent {
        let mut event = chat_event(chat_types::MESSAGE, self);
        event.timestamp = Some(self.timestamp.clone());
        event
    }
}

impl Token {
    pub(super) fn of(event: &TypedEvent) -> Result<Self, EventError> {
        let token = Self::deserialize(&event.data);
        token.map_err(|_| wrong("data", "{message_id, index, text}, index a whole number from 0"))
    }
}

impl AnswerText {
    pub(super) fn of(event: &TypedEvent) -> Result<Self, EventError> {
        let answer = Self::deserialize(&event.data);
        answer.map_err(|_| wrong("data", "{message_id, text, next_index}"))
    }
}

/// Checks an event that is to be published to a chat: what it gives a meaning has to have it.
///
/// # Errors
/// [`EventError`] names the field and what it may hold.
pub fn check_chat_event(event: &TypedEvent) -> Result<(), EventError> {
    match event.name.as_str() {
        chat_types::MESSAGE => ChatMessage::of(event, "").map(drop),
        chat_types::TOKEN => Token::of(event).map(drop),
        chat_types::CHECKPOINT => AnswerText::of(event).map(drop),
        chat_types::ANSWER_DONE => message_id_of(event).map(drop),
        _ => Ok(()),
    }
}

/// Makes an event of a chat's own type.
pub(crate) fn chat_event(name: &'static str, data: &impl Serialize) -> TypedEvent {
    let data = serde_json::to_value(data).expect("what a chat tells always serializes");
    TypedEvent::new(name, data).expect("the types of a chat are names")
}

/// Reads the `message_id` in the data of `event`.
pub(super) fn message_id_of(event: &TypedEvent) -> Result<Id, EventError> {
    let text = event.data["message_id"].as_str();
    text.and_then(|text| Id::parse(text).ok()).ok_or_else(|| wrong("data", "{message_id}"))
}

fn checked_size(content: String) -> Result<String, EventError> {
    if content.is_empty() || content.len() > MAX_CONTENT_BYTES {
        return Err(wrong("content", format!("1 to {MAX_CONTENT_BYTES} bytes of text")));
    }
    Ok(content)
}

fn checked_role(role: String) -> Result<String, EventError> {
    if is_role(&role) { Ok(role) } else { Err(wrong("role", "1 to 64 characters on one line")) }
}

/// Says whether a text may name the part that somebody plays.
#[must_use]
pub fn is_role(text: &str) -> bool {
    (1..=MAX_ROLE_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
