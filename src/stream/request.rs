//! What a viewer asks for.

use std::{str::FromStr, time::Duration};

use crate::{
    event::{Channel, Cursor, EventName, Id, Mark},
    hub::JoinAt,
};

/// Asks for a stream of one channel.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// The channel.
    pub channel: Channel,
    /// Only these documents; none: all. On streams of documents.
    pub documents: Vec<Id>,
    /// Only these event types of the log and of the statuses; none: all.
    pub events: Option<Vec<EventName>>,
    /// Whether the stream stays open after `done`. On streams of documents.
    pub follow: bool,
    /// Where the viewer stands.
    pub cursor: ViewerCursor,
    /// When the viewer's token ends, since the Unix epoch.
    pub expires_at: Option<Duration>,
}

/// Where a viewer says it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ViewerCursor {
    /// It comes for the first time.
    #[default]
    New,
    /// It comes back.
    At(Cursor),
    /// It comes back with something that is not a cursor: a gap.
    Unreadable,
}

impl StreamRequest {
    /// Asks for all of `channel` from now on.
    #[must_use]
    pub const fn of(channel: Channel) -> Self {
        Self {
            channel,
            documents: Vec::new(),
            events: None,
            follow: false,
            cursor: ViewerCursor::New,
            expires_at: None,
        }
    }
}

impl ViewerCursor {
    /// Reads what a viewer sent; an empty text counts as none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::New;
        }
        Cursor::from_str(text).map_or(Self::Unreadable, Self::At)
    }

    /// Gives where in the log the stream begins.
    pub(super) const fn join_at(self) -> JoinAt {
        match self {
            Self::New => JoinAt::Newest,
            Self::Unreadable => JoinAt::Unreadable,
            Self::At(Cursor { mark: Mark::Earliest, .. }) => JoinAt::Earliest,
            Self::At(cursor) => JoinAt::Behind(cursor.position),
        }
    }

    /// Says whether the viewer comes from amid a stream, which owes it an end.
    pub(super) const fn is_plain(self) -> bool {
        match self {
            Self::New => false,
            Self::Unreadable => true,
            Self::At(cursor) => cursor.is_plain(),
        }
    }

    /// Gives the newest move the viewer had been told of.
    pub(super) const fn told_newest(self) -> Option<u64> {
        match self {
            Self::At(Cursor { mark: Mark::Done(newest) | Mark::Idle(newest), .. }) => Some(newest),
            _ => None,
        }
    }

    pub(super) const fn is_done(self) -> bool {
        matches!(self, Self::At(Cursor { mark: Mark::Done(_), .. }))
    }
}
