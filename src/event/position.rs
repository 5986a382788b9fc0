//! Positions in a channel's replay log.

use std::{fmt, str::FromStr};

/// Places one event in its channel's log: `<milliseconds>-<sequence>`, as a Redis stream id.
///
/// The position of an empty log is `0-<unix seconds>`: below every real id, and it still
/// tells when the log was seen empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId {
    /// Milliseconds since the Unix epoch by the broker's clock; 0 for an empty log.
    pub milliseconds: u64,
    /// Counts events of one millisecond; seconds since the epoch for an empty log.
    pub sequence: u64,
}

/// Tells that a text is not of the form `<milliseconds>-<sequence>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event id is <milliseconds>-<sequence>")]
pub struct EventIdError;

impl EventId {
    /// Lies before everything.
    pub const ZERO: Self = Self { milliseconds: 0, sequence: 0 };

    /// Makes an id from its two numbers.
    #[must_use]
    pub const fn new(milliseconds: u64, sequence: u64) -> Self {
        Self { milliseconds, sequence }
    }

    /// Gives the position of a log seen empty at `seconds` since the Unix epoch.
    #[must_use]
    pub const fn of_empty_log(seconds: u64) -> Self {
        Self::new(0, seconds)
    }

    /// Gives the second at which the log was seen empty, if this is such a position.
    #[must_use]
    pub fn seen_empty_at(self) -> Option<u64> {
        (self.milliseconds == 0).then_some(self.sequence)
    }

    /// Gives the id that follows `self` at `now_milliseconds`, even if the clock stepped back.
    #[must_use]
    pub fn next_at(self, now_milliseconds: u64) -> Self {
        if now_milliseconds > self.milliseconds {
            Self::new(now_milliseconds, 0)
        } else {
            Self::new(self.milliseconds, self.sequence + 1)
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (milliseconds, sequence) = text.split_once('-').ok_or(EventIdError)?;
        Ok(Self::new(parse_number(milliseconds)?, parse_number(sequence)?))
    }
}

/// Parses digits only, without leading zeros, so that an id has exactly one spelling.
pub(super) fn parse_number(text: &str) -> Result<u64, EventIdError> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EventIdError);
    }
    text.parse().map_err(|_| EventIdError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_next_id_is_higher_even_when_the_clock_steps_back() {
        let first = EventId::ZERO.next_at(1_000);

        assert_eq!(first, EventId::new(1_000, 0));
        assert_eq!(first.next_at(1_000), EventId::new(1_000, 1));
        assert_eq!(first.next_at(900), EventId::new(1_000, 1));
    }

    #[test]
    fn the_position_of_an_empty_log_is_below_every_real_id() {
        assert!(EventId::of_empty_log(u64::MAX) < EventId::new(1, 0));
        assert_eq!(EventId::of_empty_log(7).seen_empty_at(), Some(7));
        assert_eq!(EventId::new(1, 7).seen_empty_at(), None);
    }

    #[test]
    fn other_spellings_are_not_ids() {
        for bad in ["", "-", "1", "1-", "-1", "01-0", "+1-0", "1-0-0", "1 -0", "99999999999999999999-0"] {
            assert_eq!(bad.parse::<EventId>(), Err(EventIdError), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn ids_round_trip(milliseconds: u64, sequence: u64) {
            let id = EventId::new(milliseconds, sequence);

            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        }

        #[test]
        fn whatever_parses_prints_the_same(text in "[0-9]{0,5}-?[0-9]{0,5}") {
            if let Ok(id) = text.parse::<EventId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
