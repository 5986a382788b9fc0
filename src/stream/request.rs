//! What a viewer asks for.

use std::{str::FromStr, time::Duration};

use crate::{
    event::{Cursor, EventName, Id, Mark},
    hub::JoinAt,
};

/// Asks for a stream of one patient's documents.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// Whose documents.
    pub patient: Id,
    /// Only these documents; none: all.
    pub documents: Vec<Id>,
    /// Only these event types of the log and of the statuses; none: all.
    pub events: Option<Vec<EventName>>,
    /// Whether the stream stays open after `done`.
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
