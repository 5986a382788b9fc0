//! The vocabulary every other room shares: channels, positions, events.
//!
//! Everything here is parsed at the border and safe from then on: no value of these
//! types can break out of a Server-Sent Events frame. No I/O happens in this room.

mod channel;
mod cursor;
mod fold;
mod id;
mod position;
mod progress;
mod published;
mod stage;

pub use channel::{Channel, ChannelError, ChannelKind};
pub use cursor::{Cursor, CursorError, Mark};
pub use fold::{DocumentProgress, ProgressFold};
pub use id::{Id, IdError, MAX_ID_CHARS};
pub use position::{EventId, EventIdError};
pub use progress::{MAX_DETAIL_CHARS, MAX_EVENT_BYTES, MAX_LABEL_CHARS, ProgressError, ProgressEvent};
pub use published::{Event, EventName, EventNameError};
pub use stage::{Stage, StepStatus};
