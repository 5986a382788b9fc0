//! A case's chat: its messages from the log and from the store, each told once, and answers under way.

use std::sync::Arc;

use crate::{
    chat::{MessageFollow, NEWEST_MESSAGES, News},
    event::{ChatMessage, ChatState, Event, LogState, SeenIds, chat_types},
    stream::{
        Shared,
        feed::Feed,
        frame::{Frame, ReconnectReason, Snapshot},
        request::StreamRequest,
    },
};

/// What a viewer of a chat is told beside the log.
pub(in crate::stream) struct Chat {
    follow: MessageFollow,
    /// Messages the viewer has been told in this stream, by whichever source.
    told: SeenIds,
    /// Messages the viewer has, or is about to be told by the log: the store need not tell them.
    at_hand: SeenIds,
    /// Where the chat stood, by its log, when the viewer came in.
    log: ChatState,
}

impl Chat {
    pub(super) async fn open(shared: &Shared, request: &StreamRequest) -> Self {
        let follow = shared.messages.follow(request.channel.id()).await;
        let (told, at_hand) = (SeenIds::default(), SeenIds::default());
        Self { follow, told, at_hand, log: ChatState::default() }
    }

    pub(super) fn arrive(&mut self, feed: &mut Feed, log: &LogState) {
        self.log = match log {
            LogState::Chat(state) => state.clone(),
            LogState::Documents(_) | LogState::Other(_) => ChatState::default(),
        };
        feed.subscription.rest(self.log.answers.is_empty());
    }

    /// Gives the newest messages of both sources, and the answers that are not among them.
    ///
    /// On a resumed stream the log tells its messages again: a page that goes on from what it has needs them. The
    /// store does not, as it may have been read before the log was.
    pub(super) fn tell_snapshot(&mut self, resumed: bool) -> Snapshot {
        let ChatState { messages: logged, mut answers } = std::mem::take(&mut self.log);
        let stored = self.follow.take_newest(NEWEST_MESSAGES as usize);
        let mut messages: Vec<_> = stored.iter().map(|stored| Arc::new(stored.message.clone())).collect();
        messages.extend(logged.into_iter().filter(|logged| !is_among(&stored, logged)));
        messages.sort_by_cached_key(|message| sent_at(message));
        answers.retain(|answer| messages.iter().all(|message| message.id != answer.message_id));
        for message in &messages {
            let known = if resumed { &mut self.at_hand } else { &mut self.told };
            known.remember(&message.id);
        }
        messages.drain(..messages.len().saturating_sub(NEWEST_MESSAGES as usize));
        Snapshot::Chat { messages, answers }
    }

    /// A message is told once, and the pieces of an answer not behind its message.
    pub(super) fn take(&mut self, feed: &mut Feed, shown: &Event) -> bool {
        let Some(message) = &shown.subject else { return true };
        let is_told = match shown.name.as_str() {
            chat_types::MESSAGE => !self.told.remember(message),
            chat_types::TOKEN => self.told.knows(message),
            _ => false,
        };
        feed.subscription.rest(shown.name.as_str() != chat_types::TOKEN);
        feed.has_hidden |= is_told;
        !is_told
    }

    pub(super) fn has_news(&self) -> bool {
        self.follow.has_news()
    }

    /// Tells the stored messages that the log has not told.
    pub(super) fn tell_news(&mut self, feed: &mut Feed) {
        let News::Messages(stored) = self.follow.take_news() else {
            return feed.end_with(ReconnectReason::SlowConsumer);
        };
        for stored in stored {
            let id = &stored.message.id;
            if !self.at_hand.knows(id) && self.told.remember(id) && feed.shows(chat_types::MESSAGE) {
                feed.pending.push_back(Frame::Message(stored));
            }
        }
    }

    pub(super) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        self.follow.changed()
    }
}

fn is_among(stored: &[Arc<crate::chat::StoredMessage>], logged: &ChatMessage) -> bool {
    stored.iter().any(|stored| stored.message.id == logged.id)
}

/// Times come in any zone; what cannot be read comes first.
fn sent_at(message: &ChatMessage) -> Option<chrono::DateTime<chrono::FixedOffset>> {
    chrono::DateTime::parse_from_rfc3339(&message.timestamp).ok()
}
