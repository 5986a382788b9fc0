//! Whether the broker and the store answer, as one viewer has been told.

use tokio::sync::watch;

use super::frame::{SourceChange, SourceState};
use crate::{documents::StatusReader, hub::Hub};

/// The two sources of a stream.
pub(super) struct Sources {
    broker: Source,
    store: Source,
}

struct Source {
    name: &'static str,
    is_up: watch::Receiver<bool>,
}

impl Sources {
    pub(super) fn new(hub: &Hub, statuses: &StatusReader) -> Self {
        Self {
            broker: Source { name: hub.source_name(), is_up: hub.source_state() },
            store: Source { name: statuses.source_name(), is_up: statuses.source_state() },
        }
    }

    pub(super) fn is_store_up(&self) -> bool {
        *self.store.is_up.borrow()
    }

    /// Gives the sources that are down now, and counts the state of all as told.
    pub(super) fn take_down(&mut self) -> Vec<SourceChange> {
        let changes = [self.broker.take(), self.store.take()];
        changes.into_iter().filter(|change| change.state == SourceState::Down).collect()
    }

    /// Gives the sources that changed since they were last told.
    pub(super) fn take_changes(&mut self) -> Vec<SourceChange> {
        let changed = [&mut self.broker, &mut self.store].into_iter().filter(|source| source.has_changed());
        changed.map(Source::take).collect()
    }

    /// Waits until a source changes; [`Sources::take_changes`] then tells which.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.broker.is_up.changed() => self.broker.is_up.mark_changed(),
            Ok(()) = self.store.is_up.changed() => self.store.is_up.mark_changed(),
            else => std::future::pending().await,
        }
    }
}

impl Source {
    fn has_changed(&self) -> bool {
        self.is_up.has_changed().unwrap_or(false)
    }

    fn take(&mut self) -> SourceChange {
        SourceChange { source: self.name, state: SourceState::of(*self.is_up.borrow_and_update()) }
    }
}
