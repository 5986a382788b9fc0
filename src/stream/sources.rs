//! Whether the broker and the store answer, as one viewer has been told.

use tokio::sync::watch;

use super::{
    Shared,
    frame::{SourceChange, SourceState},
};
use crate::event::ChannelKind;

/// The sources of a stream.
#[derive(Clone)]
pub(super) struct Sources {
    broker: Source,
    /// None where only the log tells of the subject.
    store: Option<Source>,
}

#[derive(Clone)]
struct Source {
    name: &'static str,
    is_up: watch::Receiver<bool>,
}

impl Sources {
    pub(super) fn new(shared: &Shared, kind: &ChannelKind) -> Self {
        let (hub, statuses, messages) = (&shared.hub, &shared.statuses, &shared.messages);
        let store = match kind {
            ChannelKind::Documents => {
                Some(Source { name: statuses.source_name(), is_up: statuses.source_state() })
            }
            ChannelKind::Chat => {
                Some(Source { name: messages.source_name(), is_up: messages.source_state() })
            }
            ChannelKind::Other(_) => None,
        };
        Self { broker: Source { name: hub.source_name(), is_up: hub.source_state() }, store }
    }

    pub(super) fn is_store_up(&self) -> bool {
        self.store.as_ref().is_some_and(|store| *store.is_up.borrow())
    }

    /// Gives the sources that are down now, and counts the state of all as told.
    pub(super) fn take_down(&mut self) -> Vec<SourceChange> {
        let changes = self.all().map(Source::take);
        changes.filter(|change| change.state == SourceState::Down).collect()
    }

    /// Gives the sources that changed since they were last told.
    pub(super) fn take_changes(&mut self) -> Vec<SourceChange> {
        self.all().filter(|source| source.has_changed()).map(Source::take).collect()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Source> {
        std::iter::once(&mut self.broker).chain(&mut self.store)
    }

    /// Waits until a source changes; [`Sources::take_changes`] of another clone then tells which.
    pub(super) async fn changed(&mut self) {
        let Self { broker, store } = self;
        let store_changed = async {
            match store {
                Some(store) => store.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = broker.changed() => {}
            () = store_changed => {}
        }
    }
}

impl Source {
    async fn changed(&mut self) {
        if self.is_up.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn has_changed(&self) -> bool {
        self.is_up.has_changed().unwrap_or(false)
    }

    fn take(&mut self) -> SourceChange {
        SourceChange { source: self.name, state: SourceState::of(*self.is_up.borrow_and_update()) }
    }
}
