//! Emits an answer piece by piece, no faster than viewers are reached.
//!
//! Pieces are numbered as they are emitted. Every two seconds a checkpoint holds all of the text so far, so
//! that neither a lost piece nor a log that was cut takes the text from anybody.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::Emitter;
use crate::event::{AnswerText, Channel, ChatMessage, Id, MAX_CONTENT_BYTES, Token, chat_event, chat_types};

/// Time between checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);
/// Most text of one event in bytes: as JSON it may be six times as long, and has to fit an event.
const MOST_AT_ONCE: usize = 2 * 1024;

/// An answer under way; what is pushed is emitted in the background.
///
/// Dropped without [`Tokens::finish`] or [`Tokens::abandon`], the answer stays as far as it came until its log forgets it.
pub struct Tokens {
    emitter: Emitter,
    channel: Channel,
    message_id: Id,
    pieces: mpsc::UnboundedSender<String>,
    pushed: usize,
    emitting: JoinHandle<()>,
}

/// Tells that an answer is longer than a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer is at most {MAX_CONTENT_BYTES} bytes of text")]
pub struct AnswerTooLong;

impl Emitter {
    /// Begins the answer that becomes the message `message_id` of `case`.
    #[must_use]
    pub fn tokens(&self, case: &Id, message_id: &Id) -> Tokens {
        let channel = Channel::chat(case.clone());
        let (pieces, waiting) = mpsc::unbounded_channel();
        let so_far = AnswerText { message_id: message_id.clone(), text: String::new(), next_index: 0 };
        let pieces_out = Pieces { emitter: self.clone(), channel: channel.clone(), so_far, is_marked: true };
        Tokens {
            emitter: self.clone(),
            channel,
            message_id: message_id.clone(),
            pieces,
            pushed: 0,
            emitting: tokio::spawn(pieces_out.run(waiting, self.pace())),
        }
    }
}

impl Tokens {
    /// Adds text; returns at once.
    ///
    /// # Errors
    /// [`AnswerTooLong`] when the answer would be longer than a message; nothing is added then.
    pub fn push(&mut self, text: &str) -> Result<(), AnswerTooLong> {
        if self.pushed + text.len() > MAX_CONTENT_BYTES {
            return Err(AnswerTooLong);
        }
        self.pushed += text.len();
        // The other end leaves only after this one.
        let _ = self.pieces.send(text.to_owned());
        Ok(())
    }

    /// Emits what is left, then the stored `message`, then the end of the answer.
    pub async fn finish(self, message: &ChatMessage) {
        self.end(Some(message)).await;
    }

    /// Emits what is left, then the end of the answer: no message of it is kept.
    pub async fn abandon(self) {
        self.end(None).await;
    }

    async fn end(self, message: Option<&ChatMessage>) {
        drop(self.pieces);
        let _ = self.emitting.await;
        if let Some(message) = message {
            self.emitter.emit_message(&self.channel, message);
        }
        let done = serde_json::json!({ "message_id": self.message_id });
        self.emitter.emit(&self.channel, chat_event(chat_types::ANSWER_DONE, &done));
    }
}

/// The background half of [`Tokens`].
struct Pieces {
    emitter: Emitter,
    channel: Channel,
    so_far: AnswerText,
    /// The last checkpoint holds all of it.
    is_marked: bool,
}

impl Pieces {
    /// Emits the first text at once and what comes then every `pace`.
    async fn run(mut self, mut waiting: mpsc::UnboundedReceiver<String>, pace: Duration) {
        let (mut next_at, mut mark_at) = (Instant::now(), Instant::now() + CHECKPOINT_EVERY);
        let mut text = String::new();
        let mut is_open = true;
        while is_open {
            tokio::select! {
                more = waiting.recv() => match more {
                    Some(more) => text.push_str(&more),
                    None => is_open = false,
                },
                () = sleep_until(next_at), if !text.is_empty() => {
                    self.emit(&std::mem::take(&mut text));
                    next_at = Instant::now() + pace;
                }
                () = sleep_until(mark_at), if !self.is_marked => {
                    self.mark();
                    mark_at = Instant::now() + CHECKPOINT_EVERY;
                }
            }
        }
        self.emit(&text);
    }

    fn emit(&mut self, mut text: &str) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(MOST_AT_ONCE));
            let token = Token {
                message_id: self.so_far.message_id.clone(),
                index: self.so_far.next_index,
                text: piece.to_owned(),
                next_index: None,
            };
            self.emitter.emit(&self.channel, chat_event(chat_types::TOKEN, &token));
            self.so_far.text.push_str(piece);
            self.so_far.next_index += 1;
            self.is_marked = false;
            text = rest;
        }
    }

    fn mark(&mut self) {
        self.is_marked = true;
        let checkpoint = chat_event(chat_types::CHECKPOINT, &self.so_far);
        // A text that is too long for one event as JSON has its message in the end.
        if checkpoint.to_payload().is_ok() {
            self.emitter.emit(&self.channel, checkpoint);
        }
    }
}
