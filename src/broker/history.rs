//! What one read of a log shows, and whether it shows all that a viewer missed.

use super::{CLOCK_ALLOWANCE, Entry};
use crate::event::EventId;

/// One read of a channel's whole log.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What the log holds, oldest first.
    pub entries: Vec<Entry>,
    /// When it was read, in seconds since the Unix epoch by the broker's clock.
    pub read_at: u64,
    /// From which second on a position of the empty log proves that nothing has expired,
    /// been evicted or been lost in a restart since.
    pub empty_valid_from: u64,
    /// Whether the log has been cut to its cap since it was last empty.
    pub trimmed: bool,
}

impl History {
    /// Gives the newest position, or that of an empty log.
    #[must_use]
    pub fn position(&self) -> EventId {
        self.entries.last().map_or(EventId::of_empty_log(self.read_at), |entry| entry.id)
    }

    /// Says whether everything behind `cursor` is in this read.
    ///
    /// It is, if the entry the cursor names is still there, or if the log was empty at the
    /// cursor and nothing can have left it since. Anything else is a gap.
    #[must_use]
    pub fn is_whole_since(&self, cursor: EventId) -> bool {
        match cursor.seen_empty_at() {
            Some(second) => !self.trimmed && self.may_have_been_empty_at(second),
            None => self.entries.binary_search_by_key(&cursor, |entry| entry.id).is_ok(),
        }
    }

    /// A position from the future, further than clocks differ, was given by nobody.
    fn may_have_been_empty_at(&self, second: u64) -> bool {
        second >= self.empty_valid_from && second <= self.read_at + CLOCK_ALLOWANCE.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ids: &[u64]) -> History {
        let entry = |&ms: &u64| Entry { id: EventId::new(ms, 0), payload: "{}".into() };
        History {
            entries: ids.iter().map(entry).collect(),
            read_at: 1_000,
            empty_valid_from: 520,
            trimmed: false,
        }
    }

    #[test]
    fn a_cursor_is_whole_only_while_its_own_entry_is_there() {
        let history = history(&[5, 7, 9]);

        assert!(history.is_whole_since(EventId::new(7, 0)));
        assert!(!history.is_whole_since(EventId::new(6, 0)));
        assert!(!history.is_whole_since(EventId::new(10, 0)));
    }

    #[test]
    fn an_empty_position_is_whole_only_while_young_and_below_the_cap() {
        let mut history = history(&[]);

        assert_eq!(history.position(), EventId::of_empty_log(1_000));
        assert!(history.is_whole_since(EventId::of_empty_log(520)));
        assert!(!history.is_whole_since(EventId::of_empty_log(519)));
        assert!(!history.is_whole_since(EventId::ZERO));
        assert!(!history.is_whole_since(EventId::of_empty_log(1_121)));

        history.trimmed = true;
        assert!(!history.is_whole_since(EventId::of_empty_log(999)));
    }
}
