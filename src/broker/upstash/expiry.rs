//! Which logs have lately been told how long to live.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::event::Channel;

/// How long a log is not told anew how long to live: an EXPIRE for each event is a third of what
/// it costs. So much earlier than said a log may end.
pub(super) const NOT_ANEW_WITHIN: Duration = Duration::from_secs(20);
/// Channels remembered before those are forgotten whose time is over.
const REMEMBERED: usize = 1_024;

/// Remembers when this process last set the expiry of a log.
#[derive(Default)]
pub(super) struct Expiries {
    set_at: Mutex<HashMap<Channel, Instant>>,
}

impl Expiries {
    /// Says whether the log of `channel` has to be told.
    pub(super) fn is_due(&self, channel: &Channel) -> bool {
        self.lock().get(channel).is_none_or(|set_at| set_at.elapsed() >= NOT_ANEW_WITHIN)
    }

    /// Notes that the log of `channel` has been told, at `set_at` or later.
    pub(super) fn note(&self, channel: &Channel, set_at: Instant) {
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, set_at| set_at.elapsed() < NOT_ANEW_WITHIN);
        }
        all.insert(channel.clone(), set_at);
    }

    /// Forgets all: the keys may be gone.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Channel, Instant>> {
        self.set_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
