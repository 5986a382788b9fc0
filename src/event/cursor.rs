//! What a returning viewer hands back: a position and a mark.

use std::{fmt, str::FromStr};

use super::position::{EventId, parse_number};

/// Says where a viewer stands: after which position, and what it had been told there.
///
/// It is the SSE `id` of `connected` and `done`, and comes back as `Last-Event-ID`. The text
/// holds digits and `-~.` with a short word only, so it can never break a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The viewer has seen the log up to here.
    pub position: EventId,
    /// What else it had been told.
    pub mark: Mark,
}

/// Tells what a viewer had been told at its position.
///
/// The number is the newest `updated_at` (milliseconds, the store's clock) of what the stream
/// covered, 0 for none. It is only compared for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Saw events up to here: `<id>`.
    Plain,
    /// Asks for everything the log holds: `earliest`.
    Earliest,
    /// Was told that everything is over: `<id>~done.<t>`.
    Done(u64),
    /// Was told that nothing goes on: `<id>~idle.<t>`.
    Idle(u64),
}

/// Tells that a text is not a cursor; a stream treats it as a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is the id of an event of this stream, or `earliest`")]
pub struct CursorError;

impl Cursor {
    /// Lies before everything and asks for all of it.
    pub const EARLIEST: Self = Self { position: EventId::ZERO, mark: Mark::Earliest };

    /// Stands after the event at `position`.
    #[must_use]
    pub const fn plain(position: EventId) -> Self {
        Self { position, mark: Mark::Plain }
    }

    /// Stands at `position` with the mark of a stream that told `done`.
    #[must_use]
    pub const fn done(position: EventId, newest: u64) -> Self {
        Self { position, mark: Mark::Done(newest) }
    }

    /// Stands at `position` with the mark of a stream on which nothing goes on.
    #[must_use]
    pub const fn idle(position: EventId, newest: u64) -> Self {
        Self { position, mark: Mark::Idle(newest) }
    }

    /// Says whether the viewer comes from amid a stream that owes it an end.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        matches!(self.mark, Mark::Plain | Mark::Earliest)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mark {
            Mark::Plain => write!(f, "{}", self.position),
            Mark::Earliest => f.write_str("earliest"),
            Mark::Done(newest) => write!(f, "{}~done.{newest}", self.position),
            Mark::Idle(newest) => write!(f, "{}~idle.{newest}", self.position),
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text == "earliest" {
            return Ok(Self::EARLIEST);
        }
        let (position, mark) = match text.split_once('~') {
            Some((position, mark)) => (position, parse_mark(mark)?),
            None => (text, Mark::Plain),
        };
        let position = position.parse().map_err(|_| CursorError)?;
        Ok(Self { position, mark })
    }
}

fn parse_mark(text: &str) -> Result<Mark, CursorError> {
    let (word, newest) = text.split_once('.').ok_or(CursorError)?;
    let newest = parse_number(newest).map_err(|_| CursorError)?;
    match word {
        "done" => Ok(Mark::Done(newest)),
        "idle" => Ok(Mark::Idle(newest)),
        _ => Err(CursorError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_cursor() -> impl Strategy<Value = Cursor> {
        (any::<(u64, u64)>(), any::<u64>(), 0..4).prop_map(|((milliseconds, sequence), newest, mark)| {
            let position = EventId::new(milliseconds, sequence);
            match mark {
                0 => Cursor::plain(position),
                1 => Cursor::done(position, newest),
                2 => Cursor::idle(position, newest),
                _ => Cursor::EARLIEST,
            }
        })
    }

    #[test]
    fn unreadable_cursors_are_errors() {
        for bad in [
            "",
            "x",
            "1-0~",
            "1-0~done",
            "1-0~done.",
            "1-0~gone.1",
            "1-0~done.01",
            "1-0~done.1~idle.1",
            "latest",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn cursors_round_trip(cursor in any_cursor()) {
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_a_cursor_that_breaks_a_frame(text in "\\PC*|[0-9~.\r\n-]*") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert!(!cursor.to_string().contains(['\r', '\n', '\0']));
            }
        }
    }
}
