//! Which events have been seen, by the ids their producers gave them.

use std::collections::{HashSet, VecDeque};

use super::id::Id;

/// Ids remembered: as many as a log holds.
const KNOWN: usize = 512;

/// Remembers the newest ids.
#[derive(Clone, Debug, Default)]
pub struct SeenIds {
    known: HashSet<Id>,
    in_order: VecDeque<Id>,
}

impl SeenIds {
    /// Remembers `id`; false when it was known.
    pub fn remember(&mut self, id: &Id) -> bool {
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.in_order.push_back(id.clone());
        if self.in_order.len() > KNOWN
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Says whether `id` is known.
    #[must_use]
    pub fn knows(&self, id: &Id) -> bool {
        self.known.contains(id)
    }
}
