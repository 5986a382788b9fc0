//! The Redis keys of a channel. Producers know the inbox; the rest is ours.

use crate::event::Channel;

/// The list anyone may RPUSH JSON to.
pub(super) fn inbox(channel: &Channel) -> String {
    channel.to_string()
}

/// The replay log: a stream with one field `d`, the event.
pub(super) fn log(channel: &Channel) -> String {
    format!("tidings:log:{channel}")
}

/// The list of what could not be used, cut to 1 KiB each.
pub(super) fn dead(channel: &Channel) -> String {
    format!("tidings:dead:{channel}")
}

/// Where a log's key goes that is no stream.
pub(super) fn quarantined_log(channel: &Channel) -> String {
    format!("tidings:quarantine:{}", log(channel))
}

/// Where an inbox goes that is no list.
pub(super) fn quarantine(channel: &Channel) -> String {
    format!("tidings:quarantine:{channel}")
}
