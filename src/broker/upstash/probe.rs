//! Reading logs on from cursors, and noticing what has been lost before it could be read.

use std::time::Duration;

use super::{
    super::{CLOCK_ALLOWANCE, Entry, LOG_ENTRIES},
    expiry::NOT_ANEW_WITHIN,
    keys,
    poll::Cursors,
};
use crate::{event::EventId, upstash::Command};

/// How much earlier than said a log may end, beside the time in which it is not told anew.
const EXPIRY_ALLOWANCE: Duration = Duration::from_secs(5);

/// Says whether something behind `after` left the log unread, as a probe shows it at `now`.
///
/// A probe reads from the cursor's own entry on. That one must be there for as long as the log
/// lives behind it; what began anew after that time is whole.
pub(super) fn has_lost(after: EventId, entries: &[Entry], now: u64, time_to_live: Duration) -> bool {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let is_full = entries.len() >= LOG_ENTRIES;
    match (after.seen_empty_at(), entries.first()) {
        (Some(_), _) => is_full,
        (None, Some(first)) if first.id == after => false,
        (None, Some(first)) => {
            let lives = time_to_live.saturating_sub(EXPIRY_ALLOWANCE + NOT_ANEW_WITHIN);
            let began_anew = after.milliseconds + milliseconds(lives);
            is_full || first.id.milliseconds < began_anew
        }
        (None, None) => {
            let lives = milliseconds(time_to_live.saturating_sub(CLOCK_ALLOWANCE));
            now.saturating_sub(after.milliseconds) < lives
        }
    }
}

/// Reads all logs behind their cursors; a probe from the cursors' own entries on.
pub(super) fn read_command(watched: &Cursors, is_probe: bool) -> Command {
    let command = Command::new("XREAD").arg("STREAMS");
    let command = watched.iter().fold(command, |command, (channel, _)| command.arg(keys::log(channel)));
    let from = |after: EventId| if is_probe { before(after) } else { after };
    watched.iter().fold(command, |command, (_, after)| command.arg(from(*after).to_string()))
}

/// The id before `id`, so that an exclusive read includes it.
const fn before(id: EventId) -> EventId {
    match (id.milliseconds, id.sequence) {
        (0, _) => id,
        (milliseconds, 0) => EventId::new(milliseconds - 1, u64::MAX),
        (milliseconds, sequence) => EventId::new(milliseconds, sequence - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Duration = Duration::from_secs(600);

    fn lost(after: EventId, ids: &[u64], now: u64) -> bool {
        let entry = |&ms: &u64| Entry { id: EventId::new(ms, 0), payload: "{}".into() };
        has_lost(after, &ids.iter().map(entry).collect::<Vec<_>>(), now, LIVES)
    }

    #[test]
    fn a_probe_that_finds_the_cursors_entry_has_lost_nothing() {
        assert!(!lost(EventId::new(1_000, 0), &[1_000, 2_000], 3_000));
    }

    #[test]
    fn an_entry_that_is_gone_within_the_life_of_its_log_is_a_gap() {
        assert!(lost(EventId::new(1_000, 0), &[2_000], 3_000));
        assert!(lost(EventId::new(1_000, 0), &[], 3_000));
    }

    #[test]
    fn a_log_that_ended_in_its_time_and_began_anew_is_whole() {
        assert!(!lost(EventId::new(1_000, 0), &[], 700_000));
        assert!(!lost(EventId::new(1_000, 0), &[650_000, 650_001], 700_000));
    }

    #[test]
    fn a_log_that_filled_up_since_it_was_empty_may_have_lost_its_beginning() {
        let many: Vec<_> = (1_000..1_000 + LOG_ENTRIES as u64).collect();

        assert!(!lost(EventId::of_empty_log(1), &many[1..], 3_000));
        assert!(lost(EventId::of_empty_log(1), &many, 3_000));
    }

    #[test]
    fn the_id_before_includes_the_entry_itself() {
        assert_eq!(before(EventId::new(5, 3)), EventId::new(5, 2));
        assert_eq!(before(EventId::new(5, 0)), EventId::new(4, u64::MAX));
        assert_eq!(before(EventId::of_empty_log(9)), EventId::of_empty_log(9));
    }
}
