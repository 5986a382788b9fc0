//! What a stream is about: all that differs between streams of documents, of a chat and of other work.
//!
//! The viewer joins, replays, beats and ends alike for all; a subject says what stands in `connected`,
//! which events are for the viewer, and what else there is to tell.

mod chat;
mod documents;
mod other;

use std::sync::Arc;

use futures::future::{BoxFuture, Either, OptionFuture, pending};

use super::{Shared, feed::Feed, frame::Snapshot, request::StreamRequest};
use crate::{
    event::{ChannelKind, Event, LogState, Mark},
    hub::HubEvent,
};
use chat::Chat;
use documents::Documents;
use other::Other;

/// The subject of one stream.
pub(super) enum Subject {
    Documents(Box<Documents>),
    Chat(Box<Chat>),
    Other(Other),
}

impl Subject {
    /// Begins to follow what a viewer asks for, after one look at the store.
    pub(super) async fn open(shared: &Arc<Shared>, request: &StreamRequest) -> Self {
        match request.channel.kind() {
            ChannelKind::Documents => Self::Documents(Box::new(Documents::open(shared, request).await)),
            ChannelKind::Chat => Self::Chat(Box::new(Chat::open(shared, request).await)),
            ChannelKind::Other(_) => Self::Other(Other::default()),
        }
    }

    /// Looks at where everything stands as the viewer comes in, before the events of `replay`.
    pub(super) fn arrive(&mut self, feed: &mut Feed, log: &LogState, replay: &[Arc<HubEvent>]) {
        match self {
            Self::Documents(documents) => documents.arrive(feed, log, replay),
            Self::Chat(chat) => chat.arrive(feed, log),
            Self::Other(other) => other.arrive(log),
        }
    }

    /// Says whether a viewer that has just arrived for the first time need not have come.
    pub(super) fn is_finished(&mut self, feed: &Feed) -> bool {
        match self {
            Self::Documents(documents) => documents.is_finished(feed),
            Self::Chat(_) | Self::Other(_) => false,
        }
    }

    /// Gives the mark of what the viewer knows since it was last looked.
    pub(super) fn mark(&self, feed: &Feed) -> Mark {
        match self {
            Self::Documents(documents) => documents.mark(feed),
            Self::Chat(_) | Self::Other(_) => Mark::Plain,
        }
    }

    /// Gives what stands in `connected`, and counts it as told.
    pub(super) fn tell_snapshot(&mut self, resumed: bool) -> Snapshot {
        match self {
            Self::Documents(documents) => documents.tell_snapshot(),
            Self::Chat(chat) => chat.tell_snapshot(resumed),
            Self::Other(other) => other.tell_snapshot(),
        }
    }

    /// Notes that the viewer has come in anew in mid-stream.
    pub(super) fn has_rejoined(&mut self) {
        if let Self::Documents(documents) = self {
            documents.look_for_the_end_soon();
        }
    }

    /// Takes notice of an event of the log; false when it is not for this viewer.
    pub(super) fn take(&mut self, feed: &mut Feed, event: &HubEvent, shown: &Event) -> bool {
        match self {
            Self::Documents(documents) => documents.take(feed, event, shown),
            Self::Chat(chat) => chat.take(feed, shown),
            Self::Other(_) => true,
        }
    }

    /// Says whether there is something to tell beside the log.
    pub(super) fn has_news(&self) -> bool {
        match self {
            Self::Documents(documents) => documents.has_news(),
            Self::Chat(chat) => chat.has_news(),
            Self::Other(_) => false,
        }
    }

    /// Tells what there is beside the log.
    pub(super) async fn tell_news(&mut self, feed: &mut Feed) {
        match self {
            Self::Documents(documents) => documents.tell_news(feed).await,
            Self::Chat(chat) => chat.tell_news(feed),
            Self::Other(_) => {}
        }
    }

    /// Waits until there may be something to tell beside the log, from what has been seen on.
    pub(super) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        match self {
            Self::Documents(documents) => Either::Left(documents.news()),
            Self::Chat(chat) => Either::Right(Either::Left(chat.news())),
            Self::Other(_) => Either::Right(Either::Right(pending())),
        }
    }

    /// Gives the number of the status read behind which an end can be told, if one waits for it and the store
    /// is up.
    pub(super) fn wanted_read(&self, is_store_up: bool) -> Option<u64> {
        match self {
            Self::Documents(documents) if is_store_up => documents.wanted_read(),
            Self::Documents(_) | Self::Chat(_) | Self::Other(_) => None,
        }
    }

    /// Asks for a status read behind that number, and waits for it.
    ///
    /// Boxed, as it is seldom wanted, and each stream would keep room for it.
    pub(super) fn read_behind(&self, read: Option<u64>) -> OptionFuture<BoxFuture<'static, bool>> {
        match (self, read) {
            (Self::Documents(documents), Some(read)) => Some(documents.read_behind(read)).into(),
            _ => None.into(),
        }
    }

    /// Notes that the status read that was wanted has come.
    pub(super) fn read_has_come(&mut self) {
        if let Self::Documents(documents) = self {
            documents.look_for_the_end_soon();
        }
    }

    /// Looks whether time alone has changed something.
    pub(super) fn beat(&mut self, feed: &mut Feed) {
        if let Self::Documents(documents) = self {
            documents.beat(feed);
        }
    }

    /// Notes that a source went down or came back.
    pub(super) fn sources_changed(&mut self) {
        if let Self::Documents(documents) = self {
            documents.look_for_the_end_soon();
        }
    }
}
