//! Wall-clock time that tests can pause together with the timers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::Instant;

/// Tells the time of day.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Starts at a given time and goes on with tokio's timers, paused when they are.
    #[cfg_attr(not(internals), doc(hidden))]
    FollowsTimers {
        /// The timers' time at the start.
        started: Instant,
        /// The time of day at the start, since the Unix epoch.
        from: Duration,
    },
}

impl Clock {
    /// Makes a clock that goes on from `from` (since the Unix epoch) with tokio's timers.
    #[must_use]
    pub fn following_timers(from: Duration) -> Self {
        Self::FollowsTimers { started: Instant::now(), from }
    }

    /// Gives the time since the Unix epoch.
    #[must_use]
    pub fn since_epoch(&self) -> Duration {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::FollowsTimers { started, from } => *from + started.elapsed(),
        }
    }

    /// Gives milliseconds since the Unix epoch.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.since_epoch().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives whole seconds since the Unix epoch.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// Gives the time as a date.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (UNIX_EPOCH + self.since_epoch()).into()
    }
}

/// Writes milliseconds since the Unix epoch as RFC 3339 in UTC.
#[must_use]
pub fn to_rfc3339(milliseconds: u64) -> String {
    let date = i64::try_from(milliseconds).ok().and_then(DateTime::from_timestamp_millis);
    date.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
