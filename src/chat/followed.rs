//! One case that somebody follows: its newest messages, and those who wait for more.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::store::StoredMessage;

/// Messages kept of one case: what a snapshot shows, and two reads for viewers that are slow.
const KEPT: usize = 256;

/// A case as all its followers of this process share it.
pub(super) struct Followed {
    pub(super) followers: usize,
    /// The cache does not know it: it is to be read.
    pub(super) is_wanted: bool,
    pub(super) is_loaded: bool,
    pub(super) messages: VecDeque<Arc<StoredMessage>>,
    /// The number of the last message that is no longer kept here.
    pub(super) left: u64,
    pub(super) changes: watch::Sender<u64>,
}

impl Followed {
    pub(super) fn new() -> Self {
        Self {
            followers: 0,
            is_wanted: false,
            is_loaded: false,
            messages: VecDeque::new(),
            left: 0,
            changes: watch::Sender::default(),
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.messages.back().map_or(self.left, |stored| stored.sequence)
    }

    pub(super) fn take(&mut self, newer: Vec<StoredMessage>) {
        let last = self.last();
        let newer = newer.into_iter().filter(|stored| stored.sequence > last);
        self.messages.extend(newer.map(Arc::new));
        while self.messages.len() > KEPT {
            self.left = self.messages.pop_front().map_or(self.left, |stored| stored.sequence);
        }
        self.announce_attempt();
    }

    pub(super) fn announce_attempt(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}
