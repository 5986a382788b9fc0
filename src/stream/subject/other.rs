//! Any other kind of work: its newest events, and nothing beside the log.

use crate::{
    event::{LogState, LoggedEvent},
    stream::frame::Snapshot,
};

/// What a viewer of any other kind of work knows.
#[derive(Default)]
pub(in crate::stream) struct Other {
    newest: Vec<LoggedEvent>,
}

impl Other {
    pub(super) fn arrive(&mut self, log: &LogState) {
        self.newest = match log {
            LogState::Other(newest) => newest.clone(),
            LogState::Documents(_) | LogState::Chat(_) => Vec::new(),
        };
    }

    pub(super) fn tell_snapshot(&mut self) -> Snapshot {
        Snapshot::Other { events: std::mem::take(&mut self.newest) }
    }
}
