//! An answer that comes piece by piece and is kept as a message in the end.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde_json::{Map, Value};

use super::{posting::Chat, store::NewMessage};
use crate::{
    broker::{AnswerTooLong, Tokens},
    documents::StoreError,
    event::{ChatMessage, Id},
};

/// An answer under way.
pub struct Answer {
    chat: Chat,
    case: Id,
    message: NewMessage,
    tokens: Tokens,
}

impl Chat {
    /// Begins an answer in `case` that `role` gives.
    #[must_use]
    pub fn answer(&self, case: &Id, role: &str) -> Answer {
        self.answer_as(case, Id::random_answer(), role, Map::new())
    }

    /// Begins the answer that becomes the message `id`.
    pub(super) fn answer_as(&self, case: &Id, id: Id, role: &str, sender: Map<String, Value>) -> Answer {
        let tokens = self.emitter().tokens(case, &id);
        let message = NewMessage { id, content: String::new(), role: role.to_owned(), sender };
        Answer { chat: self.clone(), case: case.clone(), message, tokens }
    }
}

impl Answer {
    /// Gives the id of the message it becomes.
    #[must_use]
    pub const fn id(&self) -> &Id {
        &self.message.id
    }

    /// Adds text; viewers see it within the pace of the transport.
    ///
    /// # Errors
    /// [`AnswerTooLong`] when the answer would be longer than a message; nothing is added then.
    pub fn push(&mut self, text: &str) -> Result<(), AnswerTooLong> {
        self.tokens.push(text)?;
        self.message.content.push_str(text);
        Ok(())
    }

    /// Takes the text of which viewers are told with the message alone: others may have shown pieces of it.
    pub(super) fn take_whole(&mut self, text: String) {
        self.message.content = text;
    }

    /// Keeps the answer as a message and tells its end. A store that does not answer is asked for some ten
    /// seconds.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not keep it; viewers have its pieces, and are told its end.
    pub async fn finish(self) -> Result<ChatMessage, StoreError> {
        let keep = || self.chat.keep_first(&self.case, &self.message);
        let kept = keep.retry(pauses()).when(|error| !matches!(error, StoreError::KeptElsewhere)).await;
        match kept {
            Ok(kept) => {
                self.tokens.finish(&kept.message).await;
                Ok(kept.message)
            }
            Err(error) => {
                self.tokens.abandon().await;
                Err(error)
            }
        }
    }
}

fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(3))
        .with_max_times(7)
}
