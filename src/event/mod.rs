//! The vocabulary every other room shares: channels, positions, events.
//!
//! Everything here is parsed at the border and safe from then on: no value of these
//! types can break out of a Server-Sent Events frame. No I/O happens in this room.

mod channel;
mod chat;
mod chat_fold;
mod cursor;
mod eta;
mod fields;
mod fold;
mod id;
mod position;
mod progress;
mod progress_fold;
mod published;
mod seen_ids;
mod stage;
mod typed;
mod typed_fold;

pub use channel::{Channel, ChannelError, ChannelKind};

pub(crate) use chat::chat_event;
pub use chat::{ChatMessage, MAX_CONTENT_BYTES, MAX_ROLE_CHARS, Token, chat_types};
pub use eta::ETA_FIELD;
pub use fields::{EventError, MAX_EVENT_BYTES};
pub use id::{Id, IdError, MAX_ID_CHARS};
pub use progress::{MAX_DETAIL_CHARS, MAX_LABEL_CHARS, ProgressEvent};
pub use published::{EventName, EventNameError};
pub use stage::{Stage, StepStatus, UnknownWord};
pub use typed::{OWN_TYPES, TypedEvent};

#[cfg_attr(not(internals), doc(hidden))]
pub use {
    chat::{ANSWER_ID_PREFIX, AnswerText, NOTICE_ID_PREFIX, check_chat_event, is_role},
    chat_fold::{ChatFold, ChatState},
    cursor::{Cursor, CursorError, Mark},
    eta::Eta,
    fold::{ChannelFold, Hidden, LogState},
    position::{EventId, EventIdError},
    progress_fold::{DocumentProgress, ProgressFold},
    published::Event,
    seen_ids::SeenIds,
    typed_fold::{LoggedEvent, NEWEST_EVENTS, TypedFold},
};
