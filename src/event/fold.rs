//! What a channel's log says, by the kind of the channel.

use super::{
    channel::ChannelKind,
    chat_fold::{ChatFold, ChatState},
    fields::EventError,
    id::Id,
    position::EventId,
    progress::ProgressEvent,
    progress_fold::{DocumentProgress, ProgressFold},
    published::Event,
    typed::TypedEvent,
    typed_fold::{LoggedEvent, TypedFold},
};

/// Documents remembered of one channel before those that left its log are forgotten.
const REMEMBERED_DOCUMENTS: usize = 1_024;

/// Folds the log of one channel, oldest first: what viewers are shown, and where all of it stands.
///
/// Folding is deterministic: the same log gives the same events, whoever reads it and when.
#[derive(Clone, Debug)]
pub enum ChannelFold {
    /// Of documents.
    Documents(ProgressFold),
    /// Of a chat.
    Chat(Box<ChatFold>),
    /// Of any other kind.
    Other(TypedFold),
}

/// Where everything stands that a log tells of.
#[derive(Clone, Debug)]
pub enum LogState {
    /// How far each document is.
    Documents(Vec<(Id, DocumentProgress)>),
    /// The newest messages, and answers under way.
    Chat(ChatState),
    /// The newest events, oldest first.
    Other(Vec<LoggedEvent>),
}

/// Tells why viewers are not shown an entry of a log.
#[derive(Debug)]
pub enum Hidden {
    /// It has been told before.
    Repeat,
    /// It holds what has been told piece by piece.
    Checkpoint,
    /// A piece before it was lost; a checkpoint will bring both.
    BehindHole,
    /// It is no event of the channel's kind.
    Invalid(EventError),
}

impl ChannelFold {
    /// Begins a log of `kind`.
    #[must_use]
    pub fn of(kind: &ChannelKind) -> Self {
        match kind {
            ChannelKind::Documents => Self::Documents(ProgressFold::default()),
            ChannelKind::Chat => Self::Chat(Box::default()),
            ChannelKind::Other(_) => Self::Other(TypedFold::default()),
        }
    }

    /// Takes in what was pushed at `id` and gives what viewers are shown.
    ///
    /// # Errors
    /// [`Hidden`] says why they are shown nothing.
    pub fn apply(&mut self, id: EventId, payload: &[u8]) -> Result<Event, Hidden> {
        let shown = match self {
            Self::Documents(fold) => fold.apply(id, &ProgressEvent::parse(payload)?),
            Self::Chat(fold) => return fold.apply(id, &TypedEvent::parse(payload)?),
            Self::Other(fold) => fold.apply(id, &TypedEvent::parse(payload)?),
        };
        shown.ok_or(Hidden::Repeat)
    }

    /// Forgets what lies before `oldest`, the oldest the log still holds, once that is much.
    pub fn forget_before(&mut self, oldest: EventId) {
        match self {
            Self::Documents(fold) if fold.documents().count() > REMEMBERED_DOCUMENTS => {
                fold.forget_before(oldest)
            }
            Self::Chat(fold) => fold.forget_before(oldest),
            Self::Documents(_) | Self::Other(_) => {}
        }
    }

    /// Gives where everything stands.
    #[must_use]
    pub fn state(&self) -> LogState {
        match self {
            Self::Documents(fold) => {
                let documents = fold.documents().map(|(id, progress)| (id.clone(), progress.clone()));
                LogState::Documents(documents.collect())
            }
            Self::Chat(fold) => LogState::Chat(fold.state()),
            Self::Other(fold) => LogState::Other(fold.newest()),
        }
    }
}

impl LogState {
    /// Gives how far each document is; nothing for a log of another kind.
    #[must_use]
    pub fn documents(&self) -> &[(Id, DocumentProgress)] {
        match self {
            Self::Documents(documents) => documents,
            Self::Chat(_) | Self::Other(_) => &[],
        }
    }
}

impl Hidden {
    /// Names the reason for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Checkpoint => "checkpoint",
            Self::BehindHole => "behind_hole",
            Self::Invalid(error) => error.kind(),
        }
    }
}

impl From<EventError> for Hidden {
    fn from(error: EventError) -> Self {
        Self::Invalid(error)
    }
}
