//! What a chat's log says: its newest messages, and the answers under way.
//!
//! Viewers are shown an answer's pieces without a hole. A piece behind one that was lost is held back
//! until a checkpoint brings all of it; that is shown as one piece with the text that was missing.

use std::{collections::VecDeque, sync::Arc};

use super::{
    chat::{AnswerText, ChatMessage, Token, chat_event, chat_types, message_id_of},
    fields::wrong,
    fold::Hidden,
    id::Id,
    position::EventId,
    published::Event,
    seen_ids::SeenIds,
    typed::TypedEvent,
    typed_fold::{NEWEST_EVENTS, show},
};
use crate::clock::to_rfc3339;

/// Answers under way at once in one chat; past it the oldest is forgotten.
const MOST_ANSWERS: usize = 32;
/// Largest text of an answer that is kept, in bytes.
const MOST_TEXT: usize = 64 * 1024;

/// Folds the log of a chat, oldest first.
#[derive(Clone, Debug, Default)]
pub struct ChatFold {
    known: SeenIds,
    messages: VecDeque<Arc<ChatMessage>>,
    known_messages: SeenIds,
    answers: VecDeque<Answer>,
    ended: SeenIds,
}

/// Where a chat stands, by its log.
#[derive(Clone, Debug, Default)]
pub struct ChatState {
    /// The newest messages, oldest first.
    pub messages: Vec<Arc<ChatMessage>>,
    /// The answers under way, as far as they are whole.
    pub answers: Vec<AnswerText>,
}

#[derive(Clone, Debug)]
struct Answer {
    so_far: AnswerText,
    last: EventId,
}

impl ChatFold {
    /// Takes in the event at `id` and gives what viewers are shown.
    ///
    /// # Errors
    /// [`Hidden`] says why they are shown nothing.
    pub fn apply(&mut self, id: EventId, event: &TypedEvent) -> Result<Event, Hidden> {
        if let Some(event_id) = &event.event_id
            && !self.known.remember(event_id)
        {
            return Err(Hidden::Repeat);
        }
        let (subject, event) = match event.name.as_str() {
            chat_types::MESSAGE => self.take_message(id, event)?,
            chat_types::TOKEN => self.take_token(id, Token::of(event)?)?,
            chat_types::CHECKPOINT => self.take_checkpoint(id, AnswerText::of(event)?)?,
            chat_types::ANSWER_DONE => {
                let message = message_id_of(event)?;
                self.end(&message);
                (message, event.clone())
            }
            _ => return Ok(show(id, event)),
        };
        Ok(Event { subject: Some(subject), ..show(id, &event) })
    }

    /// Gives where the chat stands.
    #[must_use]
    pub fn state(&self) -> ChatState {
        let whole = self.answers.iter().map(|answer| &answer.so_far).filter(|answer| answer.next_index > 0);
        ChatState { messages: self.messages.iter().cloned().collect(), answers: whole.cloned().collect() }
    }

    /// Forgets answers whose last piece lies before `oldest`: whoever gave them has gone.
    pub fn forget_before(&mut self, oldest: EventId) {
        self.answers.retain(|answer| answer.last >= oldest);
    }

    fn take_message(&mut self, id: EventId, event: &TypedEvent) -> Result<(Id, TypedEvent), Hidden> {
        let message = ChatMessage::of(event, &to_rfc3339(id.milliseconds))?;
        if !self.known_messages.remember(&message.id) {
            return Err(Hidden::Repeat);
        }
        self.end(&message.id);
        if self.messages.len() == NEWEST_EVENTS {
            self.messages.pop_front();
        }
        let shown = (message.id.clone(), message.to_event());
        self.messages.push_back(Arc::new(message));
        Ok(shown)
    }

    fn take_token(&mut self, id: EventId, token: Token) -> Result<(Id, TypedEvent), Hidden> {
        let answer = self.answer(&token.message_id, id).ok_or(Hidden::Repeat)?;
        let so_far = &mut answer.so_far;
        if token.index < so_far.next_index {
            return Err(Hidden::Repeat);
        }
        if token.index > so_far.next_index {
            return Err(Hidden::BehindHole);
        }
        if so_far.text.len() + token.text.len() > MOST_TEXT {
            return Err(Hidden::Invalid(wrong("text", format!("at most {MOST_TEXT} bytes in all"))));
        }
        so_far.text.push_str(&token.text);
        so_far.next_index += 1;
        let token = Token { next_index: None, ..token };
        Ok((token.message_id.clone(), chat_event(chat_types::TOKEN, &token)))
    }

    fn take_checkpoint(&mut self, id: EventId, all: AnswerText) -> Result<(Id, TypedEvent), Hidden> {
        let answer = self.answer(&all.message_id, id).ok_or(Hidden::Repeat)?;
        let known = std::mem::replace(&mut answer.so_far, all.clone());
        if all.next_index <= known.next_index {
            answer.so_far = known;
            return Err(Hidden::Checkpoint);
        }
        // What is known is the beginning of it, unless its producer began anew: then all of it counts.
        let (index, text) = match all.text.strip_prefix(known.text.as_str()) {
            Some(missing) => (known.next_index, missing.to_owned()),
            None => (0, all.text),
        };
        let message_id = all.message_id.clone();
        let token = Token { message_id: all.message_id, index, text, next_index: Some(all.next_index) };
        Ok((message_id, chat_event(chat_types::TOKEN, &token)))
    }

    /// Gives an answer under way, which may begin here; nothing for one that is over.
    fn answer(&mut self, message: &Id, at: EventId) -> Option<&mut Answer> {
        if self.ended.knows(message) {
            return None;
        }
        if let Some(place) = self.answers.iter().position(|answer| answer.so_far.message_id == *message) {
            self.answers[place].last = at;
            return self.answers.get_mut(place);
        }
        if self.answers.len() == MOST_ANSWERS {
            self.answers.pop_front();
        }
        let so_far = AnswerText { message_id: message.clone(), text: String::new(), next_index: 0 };
        self.answers.push_back(Answer { so_far, last: at });
        self.answers.back_mut()
    }

    fn end(&mut self, message: &Id) {
        self.ended.remember(message);
        self.answers.retain(|answer| answer.so_far.message_id != *message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn take(fold: &mut ChatFold, at: u64, name: &str, data: Value) -> Result<Value, &'static str> {
        let event = TypedEvent::new(name, data).unwrap();
        let shown = fold.apply(EventId::new(at, 0), &event).map_err(|hidden| hidden.kind())?;
        let data: Value = serde_json::from_slice(&shown.data).unwrap();
        Ok(json!({ "type": shown.name, "data": data }))
    }

    fn token(index: usize) -> Value {
        json!({ "message_id": "a1", "index": index, "text": format!("<{index}>") })
    }

    fn text(to: usize) -> String {
        (0..to).map(|index| format!("<{index}>")).collect()
    }

    fn checkpoint(to: usize) -> Value {
        json!({ "message_id": "a1", "text": text(to), "next_index": to })
    }

    #[test]
    fn a_checkpoint_shows_what_was_lost_and_nothing_else() {
        let mut fold = ChatFold::default();

        assert!(take(&mut fold, 1, "token", token(0)).is_ok());
        assert_eq!(take(&mut fold, 2, "checkpoint", checkpoint(1)), Err("checkpoint"));
        assert_eq!(take(&mut fold, 3, "token", token(3)), Err("behind_hole"));
        let repaired = take(&mut fold, 4, "checkpoint", checkpoint(4)).unwrap();

        let expected = json!({ "message_id": "a1", "index": 1, "text": "<1><2><3>", "next_index": 4 });
        assert_eq!(repaired, json!({ "type": "token", "data": expected }));
        assert!(take(&mut fold, 5, "token", token(4)).is_ok());
        assert_eq!(fold.state().answers[0].text, text(5));
    }

    #[test]
    fn a_message_ends_its_answer_and_stragglers_are_shown_to_nobody() {
        let mut fold = ChatFold::default();
        let message = json!({ "id": "a1", "content": "<0><1>", "role": "assistant" });
        take(&mut fold, 1, "token", token(0)).unwrap();

        let shown = take(&mut fold, 1_000, "message", message.clone()).unwrap();

        assert_eq!(shown["data"]["timestamp"], "1970-01-01T00:00:01.000Z");
        assert_eq!(take(&mut fold, 1_001, "token", token(1)), Err("repeat"));
        assert_eq!(take(&mut fold, 1_002, "message", message), Err("repeat"));
        assert!(take(&mut fold, 1_003, "answer_done", json!({ "message_id": "a1" })).is_ok());
        let state = fold.state();
        assert_eq!((state.messages.len(), state.answers.len()), (1, 0));
    }

    #[test]
    fn what_a_chat_gives_a_meaning_has_to_have_it_and_other_types_pass() {
        let mut fold = ChatFold::default();

        for (name, data) in [
            ("message", json!({ "id": "m1", "content": "x" })),
            ("message", json!({ "id": "m/1", "content": "x", "role": "agent" })),
            ("message", json!({ "id": "m1", "content": "x".repeat(MOST_TEXT), "role": "agent" })),
            ("token", json!({ "message_id": "a1", "index": -1, "text": "x" })),
            ("checkpoint", json!({ "message_id": "a1", "text": "x" })),
            ("answer_done", json!({})),
        ] {
            assert_eq!(take(&mut fold, 1, name, data.clone()), Err("invalid"), "{name} {data}");
        }
        assert!(take(&mut fold, 2, "typing", json!(null)).is_ok());
        assert!(take(&mut fold, 3, "agent_joined", json!({ "name": "A" })).is_ok());
    }

    proptest! {
        /// Whatever is lost between checkpoints, what is shown is the text so far, once.
        #[test]
        fn shown_pieces_are_the_text_without_hole_or_repeat(lost in proptest::collection::vec(any::<bool>(), 1..60), every in 1usize..9) {
            let mut fold = ChatFold::default();
            let mut seen = String::new();
            let mut next = 0;
            for (index, is_lost) in lost.iter().enumerate() {
                let mut shown = Vec::new();
                if !is_lost {
                    shown.extend(take(&mut fold, 1, "token", token(index)));
                }
                if index % every == 0 {
                    shown.extend(take(&mut fold, 1, "checkpoint", checkpoint(index + 1)));
                }
                for piece in shown {
                    prop_assert_eq!(&piece["data"]["index"], &json!(next));
                    seen.push_str(piece["data"]["text"].as_str().unwrap());
                    next = piece["data"]["next_index"].as_u64().unwrap_or(next + 1);
                }
                prop_assert_eq!(&seen, &text(usize::try_from(next).unwrap()));
            }
        }
    }
}
