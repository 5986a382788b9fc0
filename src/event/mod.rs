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
pub use chat::{
    ANSWER_ID_PREFIX, AnswerText, ChatMessage, MAX_CONTENT_BYTES, MAX_ROLE_CHARS, NOTICE_ID_PREFIX, Token,
    chat_types, check_chat_event, is_role,
};
pub use chat_fold::{ChatFold, ChatState};
pub use cursor::{Cursor, CursorError, Mark};
pub use eta::{ETA_FIELD, Eta};
pub use fields::{EventError, MAX_EVENT_BYTES};
pub use fold::{ChannelFold, Hidden, LogState};
pub use id::{Id, IdError, MAX_ID_CHARS};
pub use position::{EventId, EventIdError};
pub use progress::{MAX_DETAIL_CHARS, MAX_LABEL_CHARS, ProgressEvent};
pub use progress_fold::{DocumentProgress, ProgressFold};
pub use published::{Event, EventName, EventNameError};
pub use seen_ids::SeenIds;
pub use stage::{Stage, StepStatus};
pub use typed::{OWN_TYPES, TypedEvent};
pub use typed_fold::{LoggedEvent, NEWEST_EVENTS, TypedFold};
