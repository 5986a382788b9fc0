//! An answer that comes piece by piece and is kept as a message in the end.

use super::{
    posting::{Chat, PostError},
    store::NewMessage,
};
use crate::{
    broker::{AnswerTooLong, Tokens},
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
        let message = NewMessage {
            id: Id::random_answer(),
            content: String::new(),
            role: role.to_owned(),
            sender: serde_json::Map::new(),
        };
        let tokens = self.emitter().tokens(case, &message.id);
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

    /// Keeps the answer as a message and tells its end.
    ///
    /// # Errors
    /// [`PostError`] when the store does not keep it; viewers have its pieces, and are told no end.
    pub async fn finish(self) -> Result<ChatMessage, PostError> {
        let kept = self.chat.keep(&self.case, &self.message).await?;
        self.tokens.finish(&kept.message).await;
        Ok(kept.message)
    }
}
