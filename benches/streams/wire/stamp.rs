//! The stamp: when an event left, and which one it is. It rides along as a field nobody knows.

use std::{sync::LazyLock, time::Instant};

use memchr::memmem::Finder;

static FIELD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"stamp\":["));
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Gives the nanoseconds since this program first asked.
pub fn now_ns() -> u64 {
    u64::try_from(BEGUN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What an event says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// By [`now_ns`].
    pub sent_ns: u64,
    /// Counted from 0 in each channel.
    pub number: u64,
    pub channel: u64,
    /// Tells the measured events from those of a warm-up.
    pub run: u64,
}

impl Stamp {
    /// Writes the stamp as a field of a JSON object.
    pub fn to_field(self) -> String {
        let Self { sent_ns, number, channel, run } = self;
        format!("\"stamp\":[{sent_ns},{number},{channel},{run}]")
    }

    /// Finds the stamp in compact JSON.
    pub fn find(line: &[u8]) -> Option<Self> {
        let start = FIELD.find(line)? + FIELD.needle().len();
        let length = memchr::memchr(b']', &line[start..])?;
        let list = std::str::from_utf8(&line[start..start + length]).ok()?;
        let mut numbers = list.split(',').map(|number| number.parse().ok());
        let mut next = || numbers.next()?;
        Some(Self { sent_ns: next()?, number: next()?, channel: next()?, run: next()? })
    }
}
